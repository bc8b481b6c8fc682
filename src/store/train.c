/*-------------------------------------------------------------------------
 *
 * train.c
 *	  A full training in three steps: read, compute, write.
 *
 * hl_train() runs them one after another in its caller's transaction.  The
 * second touches nothing of the server but memory and interrupts, so that it
 * can as well run where there is no transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/cache.h"
#include "store/caller.h"
#include "store/change.h"
#include "store/parts.h"
#include "store/session.h"
#include "store/train.h"

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
	pfree(number);
}

/* Features of the labelled rows, in the order of the blocks. */
static void
read_labelled_rows(Training *training)
{
	BlockScan  *scan;
	FeatureBlock block;

	rows_init(&training->rows, training->features.encoder, training->context);
	training->label = palloc_array_checked(int, training->consensus.n);
	scan = block_scan_begin(training->project->id, training->features.encoder,
							training->features.encoder_id, true, false);
	while (block_scan_next(scan, &block))
	{
		for (int row = 0; row < block.rows; row++)
		{
			size_t		length;
			const unsigned char *terms;
			int			index;

			if (block.hashes[row] == 0)
				continue;
			index = labelled_index(training->labelled, block.items[row]);
			if (index < 0)
				continue;
			terms = block_terms(&block, row, &length);
			training->label[training->rows.n] = training->consensus.label[index];
			rows_add(&training->rows, block.dense + (size_t) row * block.dims, terms, length);
		}
		memory_check(rows_bytes(&training->rows), "read the labelled rows");
	}
	block_scan_end(scan);
}

void
train_read(Training *training, const Project *project)
{
	memset(training, 0, sizeof(*training));
	training->project = project;
	training->started = GetCurrentTimestamp();
	training->context = CurrentMemoryContext;
	project_need_source(project);
	features_refresh(project, true, &training->features);
	consensus_read(project, &training->consensus);
	training->labelled = labelled_items(&training->consensus, training->context);
	read_labelled_rows(training);
	compact_classes(training);
	need_labels(training);
}

void
train_compute(Training *training)
{
	const ProjectOptions *options = &training->project->options;
	TrainOptions train_options = {
		.folds = options->folds,
		.seed = (uint64) options->random_seed,
		.refine = options->refine,
		.prior_precision = options->prior_precision
	};
	const Rows *rows = rows_finish(&training->rows);
	Caller		caller = caller_in(training->context);

	memory_check(rows_bytes(&training->rows) +
				 model_train_memory(rows->n, rows->dims, training->rows.terms, rows->sparse_dims,
									training->nclasses, &train_options),
				 "train");
	status_check(model_train(&caller, rows, training->label, training->nclasses, &train_options,
							 &training->model, &training->validation), "train");
	measure(training->validation.probability, training->label, rows->n, training->nclasses,
			&training->metrics);
}

static Datum
confusion_array(const Training *training)
{
	int			cells = training->nclasses * training->nclasses;
	int		   *counts = palloc_array_checked(int, cells);
	Datum	   *values = palloc_array_checked(Datum, cells);

	count_confusion(training->validation.probability, training->label, training->rows.n,
					training->nclasses, counts);
	for (int i = 0; i < cells; i++)
		values[i] = Int32GetDatum(counts[i]);
	return PointerGetDatum(construct_array(values, cells, INT4OID, sizeof(int32), true,
										   TYPALIGN_INT));
}

static void
insert_model(Training *training)
{
	static Statement insert = {
		"INSERT INTO @hl_model (project_id, model, encoder_id, encoder, classes, labels, folds, "
		"prior_precision, scale, refined, accuracy, accuracy_low, accuracy_high, log_loss, "
		"calibration_error, confusion, deployed, trained_by, seconds) "
		"SELECT $1, $2, e.id, e.name, $4, $5, $6, ($7::float8[])[1], $7[2], $8, $7[3], $7[4], $7[5], "
		"$7[6], $7[7], $9, true, $10, $7[8] FROM @hl_encoder e WHERE e.id = $3",
		10, {INT4OID, INT4OID, INT8OID, TEXTARRAYOID, INT4OID, INT4OID, FLOAT8ARRAYOID, BOOLOID,
		INT4ARRAYOID, TEXTOID}, NULL, 0
	};
	const Metrics *metrics = &training->metrics;
	Datum		numbers[8] = {
		Float8GetDatum(model_prior_precision(training->model)),
		Float8GetDatum(model_scale(training->model)),
		Float8GetDatum(metrics->accuracy), Float8GetDatum(metrics->accuracy_low),
		Float8GetDatum(metrics->accuracy_high), Float8GetDatum(metrics->log_loss),
		Float8GetDatum(metrics->calibration_error), Float8GetDatum(training->seconds)
	};
	Datum		values[10] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->number),
		Int64GetDatum(training->features.encoder_id),
		text_array(training->classes, training->nclasses),
		Int32GetDatum(training->rows.n), Int32GetDatum(training->validation.folds),
		PointerGetDatum(construct_array(numbers, 8, FLOAT8OID, sizeof(float8),
										FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
		BoolGetDatum(model_refined(training->model)), confusion_array(training),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false))
	};
	Caller		caller = caller_in(training->context);
	Writer		writer;
	Acting		acting;

	writer_init(&writer, &caller);
	status_check(model_write(training->model, &writer), "store the model");
	act_as_extension(&acting);
	statement_run(&insert, values, NULL, false);
	if (SPI_processed != 1)
		elog(ERROR, "encoder " INT64_FORMAT " is gone", training->features.encoder_id);
	model_parts_write(training->project->id, training->number, &writer);
	act_as_before(&acting);
}

static void
deploy_model(const Training *training)
{
	static Statement serve = {
		"UPDATE @hl_serving SET model = $2, revision = 0 WHERE project_id = $1",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	static Statement record = {
		"INSERT INTO @hl_deployment (project_id, model, deployed_by, reason) "
		"VALUES ($1, $2, $3, 'hl_train')",
		3, {INT4OID, INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->number),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false))
	};
	Acting		acting;

	act_as_extension(&acting);
	statement_run(&serve, values, NULL, false);
	statement_run(&record, values, NULL, false);
	act_as_before(&acting);
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

void
train_write(Training *training)
{
	ProjectState state;
	Ranking		ranking;

	state_lock(training->project, &state);
	if (state.encoder_id != training->features.encoder_id)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the features of project \"%s\" were fitted anew during the training",
						training->project->name),
				 errhint("Call hl_train('%s') again.", training->project->name)));
	training->number = next_number(training->project);
	training->seconds = (GetCurrentTimestamp() - training->started) / 1e6;
	insert_model(training);
	deploy_model(training);
	pool_rank(training->project, &training->features, training->model, training->classes,
			  training->labelled, &ranking);
	ranking.model = training->number;
	ranking_write(training->project, &ranking, NULL);
	change_note(training->project->id, CHANGE_MODEL, NULL, 0);
	training->seconds = (GetCurrentTimestamp() - training->started) / 1e6;
}

void
queue_rebuild(const Project *project, const Refreshed *features)
{
	ProjectState state;
	Consensus	consensus;
	LabelledItems *labelled;
	Ranking		ranking;
	Serving		serving;

	state_lock(project, &state);
	consensus_read(project, &consensus);
	labelled = labelled_items(&consensus, CurrentMemoryContext);
	if (!serving_open(project, false, CurrentMemoryContext, &serving))
		pool_seed(project, features, labelled, &ranking);
	else
	{
		/* an encoder fitted anew goes with the next model */
		if (serving.encoder_id != features->encoder_id)
			return;
		pool_rank(project, features, serving.classifier, serving.classes, labelled, &ranking);
		ranking.model = serving.model;
		ranking.revision = serving.revision;
	}
	ranking_write(project, &ranking, NULL);
}
