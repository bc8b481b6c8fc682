/*-------------------------------------------------------------------------
 *
 * seed.c
 *	  The seed batch at the creation of a project.
 *
 * Declaring a project must be quick whatever the size of its source.  So the
 * first questions are chosen from a bounded sample, with features that are
 * fitted on that sample and forgotten; the whole source is encoded when there
 * is something to train with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "humanloop.h"
#include "math/random.h"
#include "store/caller.h"
#include "store/fit.h"
#include "store/pool.h"
#include "store/session.h"

#define SCAN_ROWS 20000			/* read at most */
#define SAMPLE_ROWS 2000		/* encoded at most */
#define SAMPLE_TEXT 4096		/* bytes of a text that count here */
#define SAMPLE_DIMS 64
#define SAMPLE_VOCABULARY 8192

typedef struct SampledRow
{
	char	   *item;
	Input		input;
} SampledRow;

typedef struct Sample
{
	MemoryContext context;
	Random		random;
	int			n;
	uint64		askable;
	int64		seen;
	int64		items;			/* of them with an input */
	SampledRow	rows[SAMPLE_ROWS];
} Sample;

static void
free_sampled(SampledRow *row)
{
	pfree(row->item);
	if (row->input.text != NULL)
		pfree((void *) row->input.text);
	if (row->input.vector != NULL)
		pfree((void *) row->input.vector);
}

static void
copy_sampled(Sample *sample, SampledRow *place, const SourceRow *row)
{
	MemoryContext before = MemoryContextSwitchTo(sample->context);

	place->item = pstrdup(row->item);
	place->input = row->input;
	if (row->input.text != NULL)
	{
		place->input.length = Min(row->input.length, SAMPLE_TEXT);
		place->input.text = pnstrdup(row->input.text, place->input.length);
	}
	else
	{
		float	   *vector = palloc_array_checked(float, row->input.n);

		memcpy(vector, row->input.vector, row->input.n * sizeof(float));
		place->input.vector = vector;
	}
	MemoryContextSwitchTo(before);
}

/* A uniform sample of what has an input and no label yet (reservoir). */
static void
sample_row(const SourceRow *row, void *argument)
{
	Sample	   *sample = argument;
	uint64		place;

	sample->seen++;
	if (row->input.missing)
		return;
	sample->items++;
	if (row->label != NULL ||
		(row->input.vector != NULL && row->input.n == 0))
		return;
	sample->askable++;
	if (sample->n < SAMPLE_ROWS)
		place = sample->n++;
	else
	{
		place = random_below(&sample->random, sample->askable);
		if (place >= SAMPLE_ROWS)
			return;
		free_sampled(&sample->rows[place]);
	}
	copy_sampled(sample, &sample->rows[place], row);
}

/* What to append to FROM so that about SCAN_ROWS rows are read. */
static char *
sample_clause(const Project *project, bool *whole)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(project->source));
	float4		rows;
	char		kind;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", project->source);
	rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
	kind = ((Form_pg_class) GETSTRUCT(tuple))->relkind;
	ReleaseSysCache(tuple);
	*whole = rows <= SCAN_ROWS || (kind != RELKIND_RELATION && kind != RELKIND_MATVIEW);
	if (*whole)
		return psprintf("LIMIT %d", SCAN_ROWS);
	return psprintf("TABLESAMPLE SYSTEM (%.6f) REPEATABLE (%d) LIMIT %d",
					100.0 * SCAN_ROWS / 2 / rows, (int) (project->options.random_seed % 1000000),
					SCAN_ROWS);
}

static Encoder *
sample_encoder(const Project *project, const Sample *sample, const Caller *caller)
{
	TextFitOptions options = {
		.dims = SAMPLE_DIMS, .vocabulary = SAMPLE_VOCABULARY, .sample_rows = SAMPLE_ROWS,
		.memory = (size_t) setting_work_mem * 1024, .seed = (uint64) project->options.random_seed
	};
	Lengths		lengths = {0};
	Encoder    *encoder = NULL;
	TextFit    *fit;

	if (project->input_kind == INPUT_VECTOR)
	{
		for (int i = 0; i < sample->n; i++)
			lengths_add(&lengths, &sample->rows[i].input);
		make_vector_encoder(caller, lengths_most(&lengths, 0), &encoder);
		return encoder;
	}
	fit = text_fit_begin(caller, &options, "choose the seed batch");
	for (int i = 0; i < sample->n; i++)
		status_check(text_fit_add(fit, sample->rows[i].input.text, sample->rows[i].input.length),
					 "choose the seed batch");
	status_check(text_fit_finish(fit, &encoder), "choose the seed batch");
	text_fit_free(fit);
	return encoder;
}

/* Encodes the sample; rows that cannot be are left out, as are blank ones. */
static int
encode_sample(const Sample *sample, const Encoder *encoder, const Caller *caller,
			  float *dense, int *which)
{
	int			dims = encoder_dims(encoder);
	int			n = 0;
	Encoding	encoding;

	status_check(encoding_init(caller, encoder, &encoding), "encode");
	for (int i = 0; i < sample->n; i++)
	{
		Status		status = encode_input(encoder, &sample->rows[i].input, &encoding);
		bool		blank = true;

		if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
			continue;
		status_check(status, "encode a row");
		for (int j = 0; j < dims && blank; j++)
			blank = encoding.dense[j] == 0;
		if (blank)
			continue;
		memcpy(dense + (size_t) n * dims, encoding.dense, dims * sizeof(float));
		which[n++] = i;
	}
	encoding_free(&encoding);
	return n;
}

void
sample_seed(const Project *project, Ranking *ranking, int64 *items, bool *complete)
{
	Sample	   *sample = palloc0(sizeof(Sample));
	Caller		caller = caller_in(CurrentMemoryContext);
	char	   *clause = sample_clause(project, complete);
	Encoder    *encoder;
	float	   *dense;
	int		   *which;
	int		   *chosen;
	int			n;
	int			count;

	sample->context = CurrentMemoryContext;
	random_seed(&sample->random, (uint64) project->options.random_seed);
	source_scan(project, READ_AS_OWNER, clause, false, sample_row, sample);
	*items = sample->items;
	*complete = *complete && sample->seen < SCAN_ROWS;
	ranking_init(ranking, project->options.seed_batch);
	if (sample->n == 0)
		return;
	blas_load();
	encoder = sample_encoder(project, sample, &caller);
	dense = palloc_array_checked(float, (Size) sample->n * encoder_dims(encoder));
	which = palloc_array_checked(int, sample->n);
	n = encode_sample(sample, encoder, &caller, dense, which);
	count = Min(project->options.seed_batch, n);
	chosen = palloc_array_checked(int, count);
	if (count > 0)
		status_check(choose_seed_batch(&caller, dense, n, encoder_dims(encoder), count,
									   (uint64) project->options.random_seed, chosen),
					 "choose the seed batch");
	for (int i = 0; i < count; i++)
		ranking_add_item(ranking, sample->rows[which[chosen[i]]].item, "seed");
}

bool
seed_complete(const Project *project)
{
	static Statement count = {
		"SELECT pg_catalog.cardinality(items) FROM @hl_ranking WHERE project_id = $1 AND part = 'rest'",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(&count, values, NULL, false);
	return SPI_processed > 0 && result_int(0, 1) >= project->options.seed_batch;
}

void
seed_refill(const Project *project)
{
	static Statement seen = {
		"UPDATE @hl_serving SET items = $2 WHERE project_id = $1", 2, {INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id)};
	Ranking		ranking;
	int64		items;
	bool		complete;

	sample_seed(project, &ranking, &items, &complete);
	ranking_write(project, &ranking, NULL);
	if (complete)
	{
		values[1] = Int64GetDatum(items);
		statement_run_as_extension(&seen, values, NULL, false);
	}
}
