/*-------------------------------------------------------------------------
 *
 * train.c
 *	  A full training in steps: read, compute, compare, rank, write.
 *
 * hl_train() runs them one after another in its caller's transaction, the
 * worker each in a short one of its own.  Computing touches nothing of the
 * server but memory and interrupts, so that it can as well run where there is
 * no transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/audit.h"
#include "store/cache.h"
#include "store/caller.h"
#include "store/change.h"
#include "store/classes.h"
#include "store/deploy.h"
#include "store/encoder_choice.h"
#include "store/handover.h"
#include "store/parts.h"
#include "store/rule_model.h"
#include "store/session.h"
#include "store/several.h"
#include "store/suspects.h"
#include "store/train.h"

/* With fewer common items nothing can be said. */
#define COMPARE_LEAST 10

/*
 * What another draw of the folds may cost all rows together, through the prior
 * and the scale that are chosen on them: the standard error does not see that.
 * In nats, or as a share of the loss where that is above 1: 0.14 of 1.5 was
 * seen with 400 labels of 77 classes.
 */
#define COMPARE_TOLERANCE 0.1

static void
need_labels(const Training *training)
{
	const Project *project = training->project;

	if (training->rows.n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("project \"%s\" has no labels to train with", project->name),
				 errhint("Label some items of the queue: SELECT * FROM hl_next('%s'), then hl_label().",
						 project->name)));
	if (training->nclasses < 2)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("project \"%s\" has labels of one class only: \"%s\"",
						project->name, training->classes[0]),
				 errhint("Label items of at least two classes.")));
	if (training->nclasses > MAX_CLASSES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("project \"%s\" has %d classes, more than %d",
						project->name, training->nclasses, MAX_CLASSES)));
}

/*
 * Classes of the labelled items that have features (an item may have left the
 * source since), renumbered without gaps.
 */
static void
compact_classes(Training *training)
{
	const Consensus *consensus = &training->consensus;
	int		   *number = palloc_array_checked(int, consensus->nclasses);

	memset(number, -1, sizeof(int) * consensus->nclasses);
	for (int i = 0; i < training->rows.n; i++)
		number[training->label[i]] = 0;
	training->classes = palloc_array_checked(char *, consensus->nclasses);
	for (int k = 0; k < consensus->nclasses; k++)
	{
		if (number[k] < 0)
			continue;
		number[k] = training->nclasses;
		training->classes[training->nclasses++] = consensus->classes[k];
	}
	for (int i = 0; i < training->rows.n; i++)
		training->label[i] = number[training->label[i]];
	training->class_number = number;
}

/* How much all will take is reckoned from those that are read: it doubles. */
static void
check_rows_memory(const Training *training)
{
	size_t		bytes = rows_bytes(&training->rows);

	if (bytes / 1024 <= (size_t) setting_work_mem)
		return;
	for (int64 rows = training->rows.capacity; rows < training->consensus.n; rows *= 2)
		bytes *= 2;
	memory_check(bytes, "read the labelled rows");
}

/* Where the features of a labelled item are. */
typedef struct Place
{
	int64		block;			/* 0: nowhere */
	int			row;
} Place;

/*
 * Adds the rows of the labelled items, in the order of the blocks, but none of
 * them a second time.  False: there are some that are twice (see refresh.c).
 * The later one holds, which is in places now: with known they are added as
 * that says.
 */
static bool
add_labelled_rows(Training *training, Place *places, bool known)
{
	bool		once = true;
	AuditSample *sample = audit_begin(training->project, training->labelled);
	BlockScan  *scan;
	FeatureBlock block;

	scan = block_scan_begin(training->project->id, training->features.encoder,
							training->features.encoder_id, 0, true, false);
	while (block_scan_next(scan, &block))
	{
		for (int row = 0; row < block.rows; row++)
		{
			size_t		length;
			const unsigned char *terms;
			int			index;
			bool		asked;
			bool		add;

			if (block.hashes[row] == 0)
				continue;
			index = labelled_index(training->labelled, block.items[row]);
			asked = !block_row_blank(&block, row) &&
				targets_have(training->asked, block.items[row]);
			if (index < 0)
			{
				if (asked)
					audit_row(sample, block.items[row], -1);
				train_rules_row(training, &block, row);
				continue;
			}
			add = known ? places[index].block == block.number && places[index].row == row :
				places[index].block == 0;
			once = once && (known || add);
			if (!known)
				places[index] = (Place) {block.number, row};
			if (!add)
				continue;
			if (asked)
				audit_row(sample, block.items[row], training->rows.n);
			terms = block_terms(&block, row, &length);
			training->label[training->rows.n] = training->consensus.label[index];
			training->items[training->rows.n] = training->consensus.items[index];
			rows_add(&training->rows, block.dense + (size_t) row * block.dims, terms, length);
		}
		check_rows_memory(training);
	}
	block_scan_end(scan);
	training->audited = palloc_array_checked(bool, training->rows.n);
	training->naudited = audit_end(sample, training->rows.n, training->audited);
	return once;
}

static void
read_labelled_rows(Training *training)
{
	int			n = training->consensus.n;
	Place	   *places = palloc_array_checked(Place, n);

	memset(places, 0, sizeof(Place) * n);
	rows_init(&training->rows, training->features.encoder, training->context);
	training->label = palloc_array_checked(int, n);
	training->items = palloc_array_checked(char *, n);
	if (!add_labelled_rows(training, places, false))
	{
		rows_reset(&training->rows);
		train_rules_reset(training);
		(void) add_labelled_rows(training, places, true);
	}
	pfree(places);
}

/* Compares the encoders there are; true: the project shall have another. */
static bool
choose_encoder(const Project *project, const Refreshed *features)
{
	EncoderChoice *choice = encoder_choice_read(project, features);

	if (choice == NULL)
		return false;
	encoder_choice_compute(choice);
	project_lock(project);
	return encoder_choice_write(choice);
}

void
train_read(Training *training, const Project *project, bool scan)
{
	memset(training, 0, sizeof(*training));
	training->project = project;
	training->started = GetCurrentTimestamp();
	training->context = CurrentMemoryContext;
	project_need_source(project);
	if (scan || !features_current(project, true, &training->features))
		features_refresh(project, true, &training->features);
	if (scan && choose_encoder(project, &training->features))
		features_refresh(project, true, &training->features);
	training->encoder = encoder_name(training->features.encoder_id);
	training->replaces = training->features.state.model;
	training->class_changes = classes_changes(project);
	consensus_read(project, &training->consensus);
	training->labelled = labelled_items(&training->consensus, training->context);
	training->asked = targets_read(project, training->context);
	training->rules = rules_are_kept() ? rules_counting(project, false) : (Datum) 0;
	train_rules_read(training);
	read_labelled_rows(training);
	train_rules_add(training);
	if (project->options.nshares > 0)
		training->shares_given = encoder_plan_shares(encoder_plan(project, training->encoder),
													 training->share);
	compact_classes(training);
	need_labels(training);
	train_soften(training);
}

static const float *
probability_row(const Training *training, int row)
{
	return training->validation.probability + (size_t) row * training->nclasses;
}

void
train_compute(Training *training)
{
	const ProjectOptions *options = &training->project->options;
	TrainOptions train_options = {
		.folds = options->folds,
		.seed = (uint64) options->random_seed,
		.refine = options->refine,
		.prior_precision = options->prior_precision,
		.share = training->shares_given ? training->share : NULL,
		.soft = training->soft
	};
	const Rows *rows = rows_finish(&training->rows);
	Caller		caller = caller_in(training->context);
	LabelErrors errors;

	train_soften_folds(training, &train_options);
	memory_check(rows_bytes(&training->rows) +
				 model_train_memory(rows->n, rows->dims, rows->parts, training->rows.terms, rows->sparse_dims,
									training->nclasses, &train_options),
				 "train");
	status_check(model_train(&caller, rows, training->label, training->nclasses, &train_options,
							 &training->model, &training->validation), "train");
	train_refit(training, &train_options);
	train_hold_out(training, &train_options);
	/* rows of rules have no figures, and no suspects */
	if (training->answered > 0)
		measure(training->validation.probability, training->label, training->answered,
				training->nclasses, &training->metrics);
	training->losses = palloc_array_checked(float, training->answered);
	training->predicted = palloc_array_checked(int, training->answered);
	training->confidence = palloc_array_checked(float, training->answered);
	training->wrong = palloc_array_checked(float, training->answered);
	training->suggested = palloc_array_checked(int, training->answered);
	if (training->answered > 0)
		status_check(label_errors(&caller, training->validation.probability, training->label,
								  training->answered, training->nclasses, train_said(training),
								  training->wrong, training->suggested, &errors),
					 "look for wrong labels");
	for (int i = 0; i < training->answered; i++)
	{
		const float *probability = probability_row(training, i);

		training->losses[i] = probability_loss(probability[training->label[i]]);
		training->predicted[i] = most_probable(probability, training->nclasses);
		training->confidence[i] = probability[training->predicted[i]];
		training->audit_hits += training->audited[i] &&
			training->predicted[i] == training->label[i];
	}
}

/* ---------------------------------------------------------------------- */
/* Comparing */

/* What the serving model has learned, as hl_model_label has it. */
typedef struct Learned
{
	int			n;
	char	  **items;
	Datum	   *labels;			/* int4: index of a class */
	Datum	   *losses;			/* float4 */
	char	  **classes;
	int			nclasses;
} Learned;

/* classes: by the names that they have now, '' for one that was removed */
#define SELECT_LEARNED(classes) \
	"SELECT l.items, l.labels, l.losses, " classes " FROM @hl_model_label l " \
	"JOIN @hl_model m USING (project_id, model) WHERE l.project_id = $1 AND l.model = $2"

/* False: it has been lost, or there is no such model. */
static bool
read_learned(int32 project_id, int32 model, Learned *learned)
{
	static Statement select = {
		SELECT_LEARNED("coalesce(m.class_names, m.classes)"), 2, {INT4OID, INT4OID}, NULL, 0
	};
	static Statement select_old = {
		SELECT_LEARNED("m.classes"), 2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project_id), Int32GetDatum(model)};
	int			nlabels;
	int			nlosses;
	bool		isnull;

	statement_run_as_extension(classes_can_change() ? &select : &select_old, values, NULL, false);
	if (SPI_processed == 0)
		return false;
	learned->items = array_strings(result_datum(0, 1, &isnull), &learned->n);
	deconstruct_array(DatumGetArrayTypeP(result_datum(0, 2, &isnull)), INT4OID, sizeof(int32),
					  true, TYPALIGN_INT, &learned->labels, NULL, &nlabels);
	deconstruct_array(DatumGetArrayTypeP(result_datum(0, 3, &isnull)), FLOAT4OID, sizeof(float4),
					  true, TYPALIGN_INT, &learned->losses, NULL, &nlosses);
	learned->classes = array_strings(result_datum(0, 4, &isnull), &learned->nclasses);
	return nlabels == learned->n && nlosses == learned->n &&
		strings_complete(learned->items, learned->n) &&
		strings_complete(learned->classes, learned->nclasses);
}

/* For each class of training, its index among the learned ones, or -1. */
static int *
match_classes(const Training *training, const Learned *learned)
{
	int		   *match = palloc_array_checked(int, training->nclasses);

	for (int k = 0; k < training->nclasses; k++)
	{
		match[k] = -1;
		for (int j = 0; j < learned->nclasses; j++)
		{
			if (strcmp(training->classes[k], learned->classes[j]) == 0)
				match[k] = j;
		}
	}
	return match;
}

/*
 * Has it learned an item with the label that the training has for it, a row, and is
 * that certain?  Of one in doubt, a model that knows of the doubt is not worse
 * because it is less sure.
 */
static bool
learned_the_same(const Training *training, int row, const Learned *learned, int i)
{
	int			label = DatumGetInt32(learned->labels[i]);

	return label >= 0 && label < learned->nclasses && train_is_certain(training, row) &&
		strcmp(training->classes[training->label[row]], learned->classes[label]) == 0;
}

/*
 * Loss of a row among the classes that the serving model knows as well: one
 * that knows more classes has more to confuse, and is not worse for it.
 */
static float
loss_among(const Training *training, int row, const int *match)
{
	const float *probability = probability_row(training, row);
	double		known = 0.0;

	for (int k = 0; k < training->nclasses; k++)
		known += match[k] >= 0 ? probability[k] : 0.0;
	return probability_loss((float) (probability[training->label[row]] / Max(known, 1e-12)));
}

/*
 * Is the encoder of both models of the same name, and are the vectors that they
 * read of the same length?  Else somebody has decided that there shall be another,
 * or the old one reads nothing.
 */
static bool
same_encoder(const Training *training)
{
	static Statement select = {
		"SELECT n.name = o.name AND (n.name <> 'vector' OR n.dims = o.dims) FROM @hl_model m "
		"JOIN @hl_encoder o ON o.id = m.encoder_id JOIN @hl_encoder n ON n.id = $3 "
		"WHERE m.project_id = $1 AND m.model = $2", 3, {INT4OID, INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->replaces),
		Int64GetDatum(training->features.encoder_id)
	};
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0 && DatumGetBool(result_datum(0, 1, &isnull));
}

void
train_compare(Training *training)
{
	Learned		learned = {0};
	int		   *match;
	int		   *row_of;
	double		sum = 0.0;
	double		squares = 0.0;
	double		losses = 0.0;
	int			n = 0;

	training->deploy = true;
	training->agreement = NAN;
	training->replaced = replaced_open(training->project, training->replaces,
									   training->features.encoder_id, training->context);
	if (training->replaces == 0 || !same_encoder(training) ||
		!read_learned(training->project->id, training->replaces, &learned))
		return;
	match = match_classes(training, &learned);
	row_of = palloc_array_checked(int, training->consensus.n);
	memset(row_of, -1, sizeof(int) * training->consensus.n);
	for (int i = 0; i < training->answered; i++)
		row_of[labelled_index(training->labelled, training->items[i])] = i;
	for (int i = 0; i < learned.n; i++)
	{
		int			index = labelled_index(training->labelled, learned.items[i]);
		int			row = index < 0 ? -1 : row_of[index];
		double		difference;

		if (row < 0 || !learned_the_same(training, row, &learned, i))
			continue;
		difference = loss_among(training, row, match) - DatumGetFloat4(learned.losses[i]);
		sum += difference;
		losses += DatumGetFloat4(learned.losses[i]);
		squares += difference * difference;
		n++;
	}
	if (n >= COMPARE_LEAST)
	{
		double		mean = sum / n;
		double		variance = Max(squares / n - mean * mean, 0.0);

		training->deploy = mean <= Max(2.0 * sqrt(variance / n),
									   COMPARE_TOLERANCE * Max(losses / n, 1.0));
	}
}

PoolScan *
train_rank_begin(Training *training)
{
	training->pool = pool_scan_begin(training->project, &training->features, training->model,
									 training->labelled, training->asked);
	return training->pool;
}

void
train_rank_end(Training *training)
{
	training->pool_features = pool_scan_end(training->pool, training->classes, &training->ranking,
											&training->targets);
	training->agreement = replaced_agreement(training->replaced, training->pool, training->model,
											 training->classes, training->nclasses);
}

/* ---------------------------------------------------------------------- */
/* Writing */

static Datum
confusion_array(const Training *training)
{
	int			cells = training->nclasses * training->nclasses;
	int		   *counts = palloc_array_checked(int, cells);
	Datum	   *values = palloc_array_checked(Datum, cells);

	count_confusion(training->validation.probability, training->label, training->answered,
					training->nclasses, counts);
	for (int i = 0; i < cells; i++)
		values[i] = Int32GetDatum(counts[i]);
	return PointerGetDatum(construct_array(values, cells, INT4OID, sizeof(int32), true,
										   TYPALIGN_INT));
}

void
train_audit_figures(const Training *training, Datum *values, bool *nulls)
{
	double		low;
	double		high;

	wilson_interval(training->audit_hits, training->naudited, &low, &high);
	values[0] = Int32GetDatum(training->naudited);
	values[1] = Float8GetDatum((double) training->audit_hits / Max(training->naudited, 1));
	values[2] = Float8GetDatum(low);
	values[3] = Float8GetDatum(high);
	nulls[1] = nulls[2] = nulls[3] = training->naudited == 0;
}

static void
insert_audit(const Training *training)
{
	static Statement update = {
		"UPDATE @hl_model SET audited = $3, audit_accuracy = $4, audit_low = $5, audit_high = $6, "
		"agreement = $7 WHERE project_id = $1 AND model = $2",
		7, {INT4OID, INT4OID, INT4OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID}, NULL, 0
	};
	Datum		values[7] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->number)
	};
	bool		nulls[7] = {false};

	train_audit_figures(training, values + 2, nulls + 2);
	nulls[6] = isnan(training->agreement);
	values[6] = Float8GetDatum(training->agreement);
	statement_run(&update, values, nulls, false);
}

/* Which rules it knows, so that another training is due when others count. */
static void
insert_rules(const Training *training)
{
	static Statement update = {
		"UPDATE @hl_model SET rules = $3 WHERE project_id = $1 AND model = $2",
		3, {INT4OID, INT4OID, INT4ARRAYOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->number), training->rules
	};

	statement_run(&update, values, NULL, false);
}

static void
insert_model(Training *training, const char *who, const char *reason)
{
	static Statement insert = {
		"INSERT INTO @hl_model (project_id, model, encoder_id, encoder, classes, labels, folds, "
		"prior_precision, scale, refined, accuracy, accuracy_low, accuracy_high, log_loss, "
		"calibration_error, confusion, deployed, trained_by, seconds, reason) "
		"SELECT $1, $2, e.id, e.name, $4, $5, $6, ($7::float8[])[1], $7[2], $8, $7[3], $7[4], $7[5], "
		"$7[6], $7[7], $9, $11, $10, $7[8], $12 FROM @hl_encoder e WHERE e.id = $3",
		12, {INT4OID, INT4OID, INT8OID, TEXTARRAYOID, INT4OID, INT4OID, FLOAT8ARRAYOID, BOOLOID,
		INT4ARRAYOID, TEXTOID, BOOLOID, TEXTOID}, NULL, 0
	};
	const Metrics *metrics = &training->metrics;
	/* without answers there are no figures */
	bool		none = training->answered == 0;
	bool		unknown[8] = {false, false, none, none, none, none, none, false};
	int			nnumbers = 8;
	int			lower = 1;
	Datum		numbers[8] = {
		Float8GetDatum(model_prior_precision(training->model)),
		Float8GetDatum(model_scale(training->model)),
		Float8GetDatum(metrics->accuracy), Float8GetDatum(metrics->accuracy_low),
		Float8GetDatum(metrics->accuracy_high), Float8GetDatum(metrics->log_loss),
		Float8GetDatum(metrics->calibration_error), Float8GetDatum(training->seconds)
	};
	Datum		values[12] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->number),
		Int64GetDatum(training->features.encoder_id),
		text_array(training->classes, training->nclasses),
		Int32GetDatum(training->answered), Int32GetDatum(training->validation.folds),
		PointerGetDatum(construct_md_array(numbers, unknown, 1, &nnumbers, &lower, FLOAT8OID,
										   sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
		BoolGetDatum(model_refined(training->model)), confusion_array(training),
		CStringGetTextDatum(who), BoolGetDatum(training->deploy), CStringGetTextDatum(reason)
	};
	Caller		caller = caller_in(training->context);
	Writer		writer;

	writer_init(&writer, &caller);
	status_check(model_write(training->model, &writer), "store the model");
	statement_run(&insert, values, NULL, false);
	if (SPI_processed != 1)
		elog(ERROR, "encoder " INT64_FORMAT " is gone", training->features.encoder_id);
	model_parts_write(training->project->id, training->number, &writer);
	if (audit_is_kept())
		insert_audit(training);
	if (encoders_can_be_named())
		train_figures_write(training);
	if (rules_are_kept())
		insert_rules(training);
}

static Datum
int_array(const int *numbers, int n)
{
	Datum	   *values = palloc_array_checked(Datum, n);

	for (int i = 0; i < n; i++)
		values[i] = Int32GetDatum(numbers[i]);
	return PointerGetDatum(construct_array(values, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

static Datum
bool_array(const bool *flags, int n)
{
	Datum	   *values = palloc_array_checked(Datum, n);

	for (int i = 0; i < n; i++)
		values[i] = BoolGetDatum(flags[i]);
	return PointerGetDatum(construct_array(values, n, BOOLOID, sizeof(bool), true, TYPALIGN_CHAR));
}

/* What it was trained with, and what it has said of that out of fold. */
static void
insert_labels(const Training *training)
{
	static Statement insert = {
		"INSERT INTO @hl_model_label (project_id, model, items, labels, losses, predicted, confidence, "
		"audited, wrong, suggested, held_out) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		11, {INT4OID, INT4OID, TEXTARRAYOID, INT4ARRAYOID, FLOAT4ARRAYOID, INT4ARRAYOID,
		FLOAT4ARRAYOID, BOOLARRAYOID, FLOAT4ARRAYOID, INT4ARRAYOID, BYTEAOID}, NULL, 0
	};
	/* in the tables of 0.3.0 and 0.4.0 */
	static Statement insert_audited = {
		"INSERT INTO @hl_model_label (project_id, model, items, labels, losses, predicted, confidence, "
		"audited) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		8, {INT4OID, INT4OID, TEXTARRAYOID, INT4ARRAYOID, FLOAT4ARRAYOID, INT4ARRAYOID,
		FLOAT4ARRAYOID, BOOLARRAYOID}, NULL, 0
	};
	/* in the tables of 0.2.0 */
	static Statement insert_old = {
		"INSERT INTO @hl_model_label VALUES ($1, $2, $3, $4, $5)",
		5, {INT4OID, INT4OID, TEXTARRAYOID, INT4ARRAYOID, FLOAT4ARRAYOID}, NULL, 0
	};
	int			n = training->answered;
	bool		nulls[11] = {false};
	Datum		values[11] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->number),
		text_array(training->items, n)
	};

	values[3] = int_array(training->label, n);
	values[4] = float_array(training->losses, n);
	values[5] = int_array(training->predicted, n);
	values[6] = float_array(training->confidence, n);
	values[7] = bool_array(training->audited, n);
	values[8] = float_array(training->wrong, n);
	values[9] = int_array(training->suggested, n);
	values[10] = train_held_out_value(training, &nulls[10]);
	statement_run(held_out_is_kept() ? &insert : audit_is_kept() ? &insert_audited : &insert_old,
				  values, nulls, false);
}

/* Under REPEATABLE READ, a 40001 where another training has committed since. */
static int32
next_number(const Project *project)
{
	static Statement next = {
		"UPDATE @hl_serving SET last_model = last_model + 1 WHERE project_id = $1 RETURNING last_model",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(&next, values, NULL, false);
	return result_int(0, 1);
}

/*
 * A rejected model may have come with an encoder of its own; the one that
 * serves needs features of its own encoder.
 */
static void
keep_encoder(const Training *training)
{
	static Statement select = {
		"SELECT encoder_id FROM @hl_model WHERE project_id = $1 AND model = $2",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->replaces)
	};

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed > 0 && result_bigint(0, 1) != training->features.encoder_id)
		deploy_keep_encoder(training->project, result_bigint(0, 1));
}

void
train_write(Training *training, const char *who, const char *reason)
{
	ProjectState state;
	Acting		acting;

	state_lock(training->project, &state);
	if (state.encoder_id != training->features.encoder_id)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the features of project \"%s\" were fitted anew during the training",
						training->project->name),
				 errhint("Call hl_train('%s') again.", training->project->name)));
	if (state.class_changes != training->class_changes)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("classes of project \"%s\" were changed during the training",
						training->project->name),
				 errhint("Call hl_train('%s') again.", training->project->name)));
	training->number = next_number(training->project);
	training->seconds = (GetCurrentTimestamp() - training->started) / 1e6;
	act_as_extension(&acting);
	insert_model(training, who, reason);
	insert_labels(training);
	act_as_before(&acting);
	handover_write(training->project, training->number);
	models_prune(training->project);
	if (!training->deploy)
	{
		keep_encoder(training);
		/* what is doubtful now is so by what this model says */
		repeats_write(training->project, NULL, 0);
		return;
	}
	deploy_model(training->project->id, training->number, 0, who, reason);
	training->ranking.model = training->number;
	/* there may be rows in the queue that were not there when ours was made */
	if (ranking_outdated(training->project, &training->ranking))
		change_note(training->project->id, CHANGE_POOL, NULL, 0);
	ranking_write(training->project, &training->ranking, &training->targets);
	/* nothing of ours says whether rows have come to be others for the condition */
	if (training->project->options.targets != NULL)
		ranking_check(training->project);
	change_note(training->project->id, CHANGE_MODEL, NULL, 0);
}

void
queue_rebuild(const Project *project, const Refreshed *features)
{
	ProjectState state;
	Consensus	consensus;
	LabelledItems *labelled;
	Ranking		ranking;
	Ranking		targets = {0};
	PoolScan   *pool;
	Serving		serving;

	state_lock(project, &state);
	consensus_read(project, &consensus);
	labelled = labelled_items(&consensus, CurrentMemoryContext);
	if (!serving_open(project, false, CurrentMemoryContext, &serving))
		pool_seed(project, features, labelled, targets_read(project, CurrentMemoryContext),
				  &ranking);
	else
	{
		/* an encoder fitted anew goes with the next model */
		if (serving.encoder_id != features->encoder_id)
		{
			ranking_check(project);
			return;
		}
		pool = pool_scan_begin(project, features, serving.classifier, labelled,
							   targets_read(project, CurrentMemoryContext));
		while (pool_scan_some(pool, INT_MAX))
			;
		(void) pool_scan_end(pool, serving.classes, &ranking, &targets);
		ranking.model = serving.model;
		ranking.revision = serving.revision;
	}
	ranking_write(project, &ranking, ranking.model == 0 ? NULL : &targets);
}
