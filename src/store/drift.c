/*-------------------------------------------------------------------------
 *
 * drift.c
 *	  What is kept of the rows that arrive, to see whether they change.
 *
 * A project has a row of hl_drift_state: the model that it is of, the reference,
 * and the window of those that have arrived last.  Rows are counted where they are encoded,
 * in the transaction that stores them, and never again.  So it takes no timestamps
 * in the source, nothing is read twice, and rows that are deleted since
 * have been there.  The model is the one of the training, whatever revision serves:
 * the reference was scored with it.
 *
 * It is all derived, and nothing but a watch.  What is damaged is begun anew, rather
 * than in the way of rows that are taken up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "learn/model.h"
#include "math/random.h"
#include "store/cache.h"
#include "store/caller.h"
#include "store/change.h"
#include "store/drift.h"
#include "store/refresh.h"
#include "store/session.h"

#define REFERENCE_BLOCKS 128		/* that the reference is drawn from: what lies together is alike */
#define REFERENCE_NUMBERS (4 * 1024 * 1024) /* of its vectors, */
#define REFERENCE_LEAST 250		/* or so many rows */
#define RECENT_ANSWERS 100		/* of the audit, or half of them */
#define RECENT_LEAST 20

const char *const drift_measures[DRIFT_MEASURES] = {"confidence", "classes", "features", "accuracy"};

/* Are there tables for it?  Objects before 0.5.0 have none. */
static bool
drift_is_kept(void)
{
	return OidIsValid(extension_table("hl_drift_state"));
}

/* ---------------------------------------------------------------------- */
/* Findings */

static void
finding_store(const Project *project, int32 model, DriftMeasure measure,
			  const DriftFinding *finding)
{
	static Statement upsert = {
		"INSERT INTO @hl_drift_finding AS f (project_id, measure, model, class, recent, reference, low, "
		"high, p_value, level, n, alarmed_at) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
		"CASE WHEN $9 <= $10 THEN pg_catalog.clock_timestamp() END) "
		"ON CONFLICT (project_id, measure) DO UPDATE SET class = excluded.class, "
		"recent = excluded.recent, reference = excluded.reference, low = excluded.low, "
		"high = excluded.high, p_value = excluded.p_value, level = excluded.level, n = excluded.n, "
		"alarmed_at = coalesce(f.alarmed_at, excluded.alarmed_at) "
		"RETURNING alarmed_at IS NOT NULL AND NOT told",
		11, {INT4OID, TEXTOID, INT4OID, INT4OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID,
		FLOAT8OID, FLOAT8OID, INT4OID}, NULL, 0
	};
	Datum		values[11] = {
		Int32GetDatum(project->id), CStringGetTextDatum(drift_measures[measure]),
		Int32GetDatum(model), Int32GetDatum(finding->class), Float8GetDatum(finding->recent),
		Float8GetDatum(finding->reference), Float8GetDatum(finding->low),
		Float8GetDatum(finding->high), Float8GetDatum(finding->p_value),
		Float8GetDatum(finding->level), Int32GetDatum(finding->n)
	};
	char	   *nothing = NULL;
	bool		isnull;

	statement_run_as_extension(&upsert, values, NULL, false);
	/* the worker tells of it, and would not look where hl_refresh has taken up all there was */
	if (DatumGetBool(result_datum(0, 1, &isnull)))
		change_note(project->id, CHANGE_LABELS, &nothing, 0);
}

void
drift_tell(const Project *project, DriftTell tell)
{
	static Statement update = {
		"UPDATE @hl_drift_finding SET told = true WHERE project_id = $1 AND NOT told "
		"AND alarmed_at IS NOT NULL RETURNING model, measure", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(&update, values, NULL, false);
	for (uint64 i = 0; i < SPI_processed; i++)
		tell(project, result_int(i, 1), result_string(i, 2));
}

/* ---------------------------------------------------------------------- */
/* Accuracy on what was asked by lot */

/*
 * Out of fold, so that a model is not asked about what it has learned; later
 * answers are later in the row, by the first one of each person: to say something again, or
 * to rename a class, makes nothing recent.
 */
static bool
compare_accuracy(const Project *project, int32 model, bool read_only, DriftFinding *finding)
{
	static Statement select = {
		"WITH audited AS (SELECT u.label = u.predicted AS hit, pg_catalog.row_number() OVER "
		"(ORDER BY (SELECT pg_catalog.max(c.id) FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.item = u.item) DESC NULLS LAST) AS late, "
		"pg_catalog.count(*) OVER () AS n "
		"FROM @hl_model_label l, ROWS FROM (pg_catalog.unnest(l.items), pg_catalog.unnest(l.labels), "
		"pg_catalog.unnest(l.predicted), pg_catalog.unnest(l.audited)) AS u (item, label, predicted, audited) "
		"WHERE l.project_id = $1 AND l.model = $2 AND u.audited) "
		"SELECT pg_catalog.count(*) FILTER (WHERE late <= least($3, n / 2)), "
		"pg_catalog.count(*) FILTER (WHERE late <= least($3, n / 2) AND hit), "
		"pg_catalog.count(*) FILTER (WHERE late > least($3, n / 2)), "
		"pg_catalog.count(*) FILTER (WHERE late > least($3, n / 2) AND hit) FROM audited",
		3, {INT4OID, INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), Int32GetDatum(model), Int64GetDatum(RECENT_ANSWERS)
	};

	statement_run_as_extension(&select, values, NULL, read_only);
	if (result_bigint(0, 1) < RECENT_LEAST)
		return false;
	drift_accuracy((int) result_bigint(0, 2), (int) result_bigint(0, 1),
				   (int) result_bigint(0, 4), (int) result_bigint(0, 3), finding);
	return true;
}

/* ---------------------------------------------------------------------- */
/* The reference */

/* What a model that has not seen it said of a row that it has learned from. */
typedef struct Unseen
{
	ItemKey		key;
	int			label;
	float		confidence;
} Unseen;

static HTAB *
read_unseen(const Project *project, const Serving *serving)
{
	static Statement select = {
		"SELECT items, predicted, confidence FROM @hl_model_label WHERE project_id = $1 "
		"AND model = $2 AND predicted IS NOT NULL AND confidence IS NOT NULL",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int32GetDatum(serving->model)};
	HASHCTL		control = {
		.keysize = sizeof(ItemKey), .entrysize = sizeof(Unseen), .hcxt = CurrentMemoryContext
	};
	HTAB	   *unseen = hash_create("humanloop labelled rows", 1024, &control,
									 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	char	  **items;
	Datum	   *predicted;
	Datum	   *confidence;
	bool	   *predicted_nulls;
	bool	   *confidence_nulls;
	int			counts[3];
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return unseen;
	items = array_strings(result_datum(0, 1, &isnull), &counts[0]);
	deconstruct_array(DatumGetArrayTypeP(result_datum(0, 2, &isnull)), INT4OID, sizeof(int32),
					  true, TYPALIGN_INT, &predicted, &predicted_nulls, &counts[1]);
	deconstruct_array(DatumGetArrayTypeP(result_datum(0, 3, &isnull)), FLOAT4OID, sizeof(float4),
					  true, TYPALIGN_INT, &confidence, &confidence_nulls, &counts[2]);
	for (int i = 0; i < Min(counts[0], Min(counts[1], counts[2])); i++)
	{
		Unseen	   *entry;
		ItemKey		key;
		int			label = DatumGetInt32(predicted[i]);

		if (items[i] == NULL || predicted_nulls[i] || confidence_nulls[i] || label < 0 ||
			label >= serving->nclasses)
			continue;
		key = item_key(items[i]);
		entry = hash_search(unseen, &key, HASH_ENTER, NULL);
		entry->label = label;
		entry->confidence = DatumGetFloat4(confidence[i]);
	}
	return unseen;
}

/* Numbers of blocks drawn by lot, always the same of the same. */
static int64 *
draw_blocks(const Project *project, int64 encoder_id, int *n)
{
	static Statement select = {
		"SELECT block FROM @hl_feature_block WHERE project_id = $1 AND encoder_id = $2 "
		"ORDER BY pg_catalog.hashint8extended(block, 17), block LIMIT $3",
		3, {INT4OID, INT8OID, INT4OID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), Int64GetDatum(encoder_id), Int32GetDatum(REFERENCE_BLOCKS)
	};
	int64	   *numbers = palloc_array_checked(int64, REFERENCE_BLOCKS);

	statement_run_as_extension(&select, values, NULL, false);
	*n = (int) SPI_processed;
	for (int i = 0; i < *n; i++)
		numbers[i] = result_bigint(i, 1);
	return numbers;
}

/* Rows of the reference, as they come together. */
typedef struct Sample
{
	int			most;
	int			n;
	char	  **items;
	RowsBuilder rows;
} Sample;

/* At most so many of the rows of a block, by lot. */
static void
sample_block(Sample *sample, const FeatureBlock *block, int most, Random *random)
{
	int			order[BLOCK_ROWS];
	int			taken = 0;

	for (int row = 0; row < block->rows; row++)
		order[row] = row;
	random_shuffle(random, order, block->rows);
	for (int i = 0; i < block->rows && taken < most && sample->n < sample->most; i++)
	{
		int			row = order[i];
		size_t		length;
		const unsigned char *terms;

		if (block->hashes[row] == 0)
			continue;
		terms = block_terms(block, row, &length);
		rows_add(&sample->rows, block->dense + (size_t) row * block->dims, terms, length);
		sample->items[sample->n++] = MemoryContextStrdup(sample->rows.context,
														 block->items[row]);
		taken++;
	}
}

static void
sample_rows(const Project *project, const Serving *serving, Sample *sample)
{
	Random		random;
	int			nblocks;
	int64	   *numbers = draw_blocks(project, serving->encoder_id, &nblocks);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop block",
												  ALLOCSET_DEFAULT_SIZES);

	random_seed(&random, serving->model);
	sample->most = Min(DRIFT_SAMPLE,
					   Max(REFERENCE_NUMBERS / encoder_dims(serving->encoder), REFERENCE_LEAST));
	sample->items = palloc_array_checked(char *, sample->most);
	rows_init(&sample->rows, serving->encoder, CurrentMemoryContext);
	for (int i = 0; i < nblocks; i++)
	{
		MemoryContext before = MemoryContextSwitchTo(context);
		FeatureBlock block;

		/* what blocks that are not full leave is shared by the rest */
		if (block_read(project->id, serving->encoder, serving->encoder_id, numbers[i], false, &block))
			sample_block(sample, &block,
						 (sample->most - sample->n + nblocks - i - 1) / (nblocks - i), &random);
		MemoryContextSwitchTo(before);
		MemoryContextReset(context);
		interrupts_check();
	}
	MemoryContextDelete(context);
}

/* label and confidence of rows; those that say nothing have label -1. */
static void
score_rows(const Serving *serving, RowsBuilder *rows, int *label, float *confidence)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	Score	   *scores = palloc_array_checked(Score, rows->n);

	status_check(model_margins(&caller, serving->base, rows_finish(rows), scores), "score rows");
	for (int i = 0; i < rows->n; i++)
	{
		label[i] = rows_blank(rows, i) ? -1 : scores[i].label;
		confidence[i] = scores[i].confidence;
	}
	pfree(scores);
}

/* False: there are too few rows. */
static bool
make_reference(const Project *project, const Serving *serving, DriftReference *reference)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	HTAB	   *unseen = read_unseen(project, serving);
	Sample		sample = {0};
	int		   *label;
	float	   *confidence;

	sample_rows(project, serving, &sample);
	if (sample.n < DRIFT_LEAST)
		return false;
	label = palloc_array_checked(int, sample.n);
	confidence = palloc_array_checked(float, sample.n);
	score_rows(serving, &sample.rows, label, confidence);
	for (int i = 0; i < sample.n; i++)
	{
		ItemKey		key = item_key(sample.items[i]);
		const Unseen *entry = hash_search(unseen, &key, HASH_FIND, NULL);

		if (entry == NULL || label[i] < 0)
			continue;
		label[i] = entry->label;
		confidence[i] = entry->confidence;
	}
	status_check(drift_reference(&caller, rows_finish(&sample.rows), label, confidence,
								 serving->nclasses, reference),
				 "describe the rows");
	return true;
}

/* ---------------------------------------------------------------------- */
/* State */

static Datum
bytes_datum(const Writer *writer)
{
	bytea	   *bytes;

	if (writer->failed)
		status_check(STATUS_NO_MEMORY, "store what is watched");
	bytes = palloc(VARHDRSZ + writer->length);
	SET_VARSIZE(bytes, VARHDRSZ + writer->length);
	memcpy(VARDATA(bytes), writer->bytes, writer->length);
	return PointerGetDatum(bytes);
}

static void
forget(const Project *project)
{
	static Statement state = {
		"DELETE FROM @hl_drift_state WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	static Statement finding = {
		"DELETE FROM @hl_drift_finding WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(&state, values, NULL, false);
	statement_run_as_extension(&finding, values, NULL, false);
}

/* One that is damaged reads as none. */
typedef struct State
{
	int32		model;			/* 0: none */
	bool		referenced;		/* the rest is there */
	DriftReference reference;
	DriftWindow window;
} State;

/* Aligned copies, in the current context. */
static void
state_of_row(State *state)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	Reader		reader;
	Reader		window;
	bytea	   *bytes[2];
	bool		isnull;

	state->model = result_int(0, 1);
	if (result_is_null(0, 2) || result_is_null(0, 3))
		return;
	for (int i = 0; i < 2; i++)
		bytes[i] = DatumGetByteaPCopy(result_datum(0, i + 2, &isnull));
	reader_init(&reader, VARDATA(bytes[0]), VARSIZE(bytes[0]) - VARHDRSZ);
	reader_init(&window, VARDATA(bytes[1]), VARSIZE(bytes[1]) - VARHDRSZ);
	state->referenced =
		drift_reference_read(&caller, &reader, &state->reference) == STATUS_SUCCESS &&
		drift_window_read(&caller, &window, &state->reference, &state->window) == STATUS_SUCCESS;
	if (!state->referenced)
		state->model = 0;
}

static void
read_state(const Project *project, bool read_only, State *state)
{
	static Statement select = {
		"SELECT model, reference, recent FROM @hl_drift_state WHERE project_id = $1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	memset(state, 0, sizeof(*state));
	statement_run_as_extension(&select, values, NULL, read_only);
	if (SPI_processed > 0)
		state_of_row(state);
}

static void
begin_anew(const Project *project, const Serving *serving)
{
	static Statement insert = {
		"INSERT INTO @hl_drift_state (project_id, model, reference, recent) VALUES ($1, $2, $3, $4)",
		4, {INT4OID, INT4OID, BYTEAOID, BYTEAOID}, NULL, 0
	};
	Caller		caller = caller_in(CurrentMemoryContext);
	Datum		values[4] = {Int32GetDatum(project->id), Int32GetDatum(serving->model)};
	bool		nulls[4] = {false, false, true, true};
	DriftReference reference;
	DriftFinding finding;

	forget(project);
	if (make_reference(project, serving, &reference))
	{
		DriftWindow window;
		Writer		writer;

		status_check(drift_window(&caller, &reference, &window), "describe the rows");
		writer_init(&writer, &caller);
		drift_reference_write(&reference, &writer);
		values[2] = bytes_datum(&writer);
		writer_init(&writer, &caller);
		drift_window_write(&reference, &window, &writer);
		values[3] = bytes_datum(&writer);
		nulls[2] = nulls[3] = false;
	}
	statement_run_as_extension(&insert, values, nulls, false);
	if (compare_accuracy(project, serving->model, false, &finding))
		finding_store(project, serving->model, DRIFT_ACCURACY, &finding);
}

bool
drift_follow(const Project *project)
{
	MemoryContext before = CurrentMemoryContext;
	MemoryContext context;
	ProjectState now;
	State		state;
	Serving		serving;

	if (!drift_is_kept() || !project->options.drift)
		return false;
	state_read(project, &now);
	if (now.model == 0 || now.encoder_id != now.model_encoder)
		return false;
	context = AllocSetContextCreate(before, "humanloop drift", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	read_state(project, false, &state);
	if (state.model != now.model && serving_open(project, false, context, &serving) &&
		serving.model == now.model)
		begin_anew(project, &serving);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return true;
}

/* ---------------------------------------------------------------------- */
/* Rows that arrive */

static void
strip_full(const Project *project, State *state)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	DriftFinding finding[DRIFT_WINDOWED];

	status_check(drift_compare(&caller, &state->reference, &state->window, finding),
				 "compare rows");
	for (int i = 0; i < DRIFT_WINDOWED; i++)
		finding_store(project, state->model, i, &finding[i]);
	drift_next(&state->reference, &state->window);
}

static void
add_rows(const Project *project, State *state, const Serving *serving, RowsBuilder *rows)
{
	static Statement update = {
		"UPDATE @hl_drift_state SET recent = $2 WHERE project_id = $1", 2, {INT4OID, BYTEAOID},
		NULL, 0
	};
	Caller		caller = caller_in(CurrentMemoryContext);
	int		   *label = palloc_array_checked(int, rows->n);
	float	   *confidence = palloc_array_checked(float, rows->n);
	Datum		values[2] = {Int32GetDatum(project->id)};
	Writer		writer;

	score_rows(serving, rows, label, confidence);
	for (int i = 0; i < rows->n; i++)
	{
		if (drift_add(&state->reference, &state->window, rows_finish(rows), i, label[i],
					  confidence[i]))
			strip_full(project, state);
	}
	writer_init(&writer, &caller);
	drift_window_write(&state->reference, &state->window, &writer);
	values[1] = bytes_datum(&writer);
	statement_run_as_extension(&update, values, NULL, false);
}

/*
 * Rows that have arrived: each counts once, also where it will be changed or deleted.
 * When a strip is full, it is compared.
 */
static void
count_rows(const Project *project, RowsBuilder *rows)
{
	MemoryContext before = CurrentMemoryContext;
	MemoryContext context;
	State		state;
	Serving		serving;

	if (rows->n == 0)
		return;
	context = AllocSetContextCreate(before, "humanloop drift", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	read_state(project, false, &state);
	/* another model may have come meanwhile; or there were too few rows for a reference */
	if (state.referenced && serving_open(project, false, context, &serving) &&
		serving.model == state.model &&
		drift_suits(&state.reference, encoder_dims(serving.encoder),
					encoder_sparse_dims(serving.encoder), serving.nclasses))
		add_rows(project, &state, &serving, rows);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}

void
arrivals_watch(Arrivals *arrivals, const Project *project, const Encoder *encoder,
			   MemoryContext context)
{
	arrivals->project = project;
	arrivals->watched = drift_follow(project);
	if (arrivals->watched)
		rows_init(&arrivals->rows, encoder, context);
}

void
arrivals_count(Arrivals *arrivals)
{
	if (!arrivals->watched)
		return;
	count_rows(arrivals->project, &arrivals->rows);
	rows_reset(&arrivals->rows);
}

/* A preparation, which has no transaction here, writes before there are so many. */
void
arrivals_add(Arrivals *arrivals, const float *dense, const unsigned char *terms, size_t length)
{
	if (!arrivals->watched)
		return;
	if (arrivals->rows.n == BLOCK_ROWS)
		arrivals_count(arrivals);
	rows_add(&arrivals->rows, dense, terms, length);
}

/* ---------------------------------------------------------------------- */
/* The report */

static int
measure_number(const char *name)
{
	for (int i = 0; i < DRIFT_MEASURES; i++)
	{
		if (strcmp(drift_measures[i], name) == 0)
			return i;
	}
	return -1;
}

static void
report_findings(const Project *project, int32 model, DriftReport report[DRIFT_MEASURES])
{
	static Statement select = {
		"SELECT measure, class, recent, reference, low, high, p_value, level, n, alarmed_at "
		"FROM @hl_drift_finding WHERE project_id = $1 AND model = $2",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int32GetDatum(model)};

	statement_run_as_extension(&select, values, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int			measure = measure_number(result_string(i, 1));
		DriftReport *to = &report[Max(measure, 0)];
		bool		isnull;

		if (measure < 0)
			continue;
		to->finding = (DriftFinding)
		{
			.class = result_int(i, 2), .recent = result_double(i, 3),
				.reference = result_double(i, 4),
				.difference = result_double(i, 3) - result_double(i, 4),
				.low = result_double(i, 5), .high = result_double(i, 6),
				.p_value = result_double(i, 7), .level = result_double(i, 8),
				.n = result_int(i, 9)
		};
		to->alarmed_at = result_datum(i, 10, &isnull);
		to->alarm = !isnull;
		to->n = to->finding.n;
		to->compared = true;
	}
}

/*
 * Before the first strip is full: how many rows it has.  What they are like is not said: of a
 * single one, it would be what the model says of it to whoever may not read it.
 */
static void
report_waiting(const Project *project, int32 model, DriftReport report[DRIFT_MEASURES])
{
	State		state;

	read_state(project, true, &state);
	if (!state.referenced || state.model != model)
		return;
	for (int i = 0; i < DRIFT_WINDOWED; i++)
		report[i].n = drift_rows(&state.window);
}

static void
report_accuracy(const Project *project, int32 model, DriftReport *report)
{
	report->compared = compare_accuracy(project, model, true, &report->finding);
	if (report->compared)
		report->n = report->finding.n;
}

static void
name_class(const Project *project, int32 model, DriftReport *report)
{
	static Statement select = {
		"SELECT coalesce(nullif(class_names[$3], ''), classes[$3]) FROM @hl_model "
		"WHERE project_id = $1 AND model = $2", 3, {INT4OID, INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), Int32GetDatum(model), Int32GetDatum(report->finding.class + 1)
	};

	statement_run_as_extension(&select, values, NULL, true);
	report->class = SPI_processed == 0 ? NULL : result_string(0, 1);
}

int32
drift_report(const Project *project, DriftReport report[DRIFT_MEASURES])
{
	static Statement serving = {
		"SELECT model FROM @hl_serving WHERE project_id = $1 AND model IS NOT NULL",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	int32		model;

	memset(report, 0, sizeof(DriftReport) * DRIFT_MEASURES);
	statement_run_as_extension(&serving, values, NULL, true);
	if (SPI_processed == 0)
		return 0;
	model = result_int(0, 1);
	if (!project->options.drift)
		return model;
	report_findings(project, model, report);
	if (!report[DRIFT_FEATURES].compared)
		report_waiting(project, model, report);
	if (!report[DRIFT_ACCURACY].compared)
		report_accuracy(project, model, &report[DRIFT_ACCURACY]);
	if (report[DRIFT_CLASSES].compared)
		name_class(project, model, &report[DRIFT_CLASSES]);
	return model;
}

bool
drift_withdraws(const Project *project, int32 model, bool read_only)
{
	static Statement select = {
		"SELECT 1 FROM @hl_drift_finding WHERE project_id = $1 AND model = $2 AND alarmed_at IS NOT NULL",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int32GetDatum(model)};

	if (!drift_is_kept() || !project->options.drift || !project->options.drift_withdraws)
		return false;
	statement_run_as_extension(&select, values, NULL, read_only);
	return SPI_processed > 0;
}
