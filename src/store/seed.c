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
#include "learn/audit.h"
#include "math/random.h"
#include "store/audit.h"
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
	Input	   *input;			/* the one that is encoded here */
	uint64		place;			/* in the order of the audit */
} SampledRow;

typedef struct Sample
{
	int			input;			/* which of a row's is encoded */
	MemoryContext context;
	Random		random;
	int			n;
	uint64		askable;
	int64		seen;
	int64		items;			/* of them with an input */
	SampledRow	rows[SAMPLE_ROWS];

	/* those that the audit asks first, of all that are read */
	const Project *project;
	const LabelledItems *labelled;
	int			nline;
	int			line_capacity;
	int			last;			/* of a full line: the row with the greatest place */
	SampledRow *line;
} Sample;

static void
free_sampled(SampledRow *row)
{
	pfree(row->item);
	input_free(row->input);
}

static void
copy_sampled(Sample *sample, SampledRow *place, const SourceRow *row)
{
	MemoryContext before = MemoryContextSwitchTo(sample->context);
	Input		input = *input_nth(&row->input, sample->input);

	input.next = NULL;
	if (input.text != NULL)
		input.length = Min(input.length, SAMPLE_TEXT);
	place->item = pstrdup(row->item);
	place->input = input_copy(&input);
	MemoryContextSwitchTo(before);
}

static void
find_last(Sample *sample)
{
	sample->last = 0;
	for (int i = 1; i < sample->nline; i++)
	{
		if (sample->line[i].place > sample->line[sample->last].place)
			sample->last = i;
	}
}

/* The line is short, and few rows get into it once it is full. */
static void
sample_line(Sample *sample, const SourceRow *row)
{
	uint64		place = audit_place(&sample->project->options, row->item);
	bool		full = sample->nline == sample->line_capacity;
	SampledRow *line;

	if (sample->line_capacity == 0 || (full && place >= sample->line[sample->last].place) ||
		labelled_passed(sample->labelled, row->item))
		return;
	line = &sample->line[full ? sample->last : sample->nline++];
	if (full)
		free_sampled(line);
	copy_sampled(sample, line, row);
	line->place = place;
	if (sample->nline == sample->line_capacity)
		find_last(sample);
}

static int
compare_sampled(const void *a, const void *b)
{
	uint64		left = ((const SampledRow *) a)->place;
	uint64		right = ((const SampledRow *) b)->place;

	return left < right ? -1 : left > right ? 1 : 0;
}

/*
 * A uniform sample of what has an input and no label yet (reservoir); of several
 * inputs, one is enough for a choice that the first model makes anew.
 */
static void
sample_row(const SourceRow *row, void *argument)
{
	Sample	   *sample = argument;
	const Input *input = input_nth(&row->input, sample->input);
	uint64		place;

	sample->seen++;
	if (input_missing(&row->input))
		return;
	sample->items++;
	if (row->label != NULL || labelled_index(sample->labelled, row->item) >= 0 ||
		input->missing || (input->vector != NULL && input->n == 0))
		return;
	sample_line(sample, row);
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

/* The first rows; condition: as targets_clause() has it. */
static char *
whole_clause(const char *condition)
{
	return psprintf("WHERE true %s LIMIT %d", condition, SCAN_ROWS);
}

/* What to append to FROM so that about SCAN_ROWS rows are looked at. */
static char *
sample_clause(const Project *project, const char *condition, bool *whole)
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
		return whole_clause(condition);
	return psprintf("TABLESAMPLE SYSTEM (%.6f) REPEATABLE (%d) WHERE true %s LIMIT %d",
					100.0 * SCAN_ROWS / 2 / rows, (int) (project->options.random_seed % 1000000),
					condition, SCAN_ROWS);
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

	if (project->inputs[sample->input].kind == INPUT_VECTOR)
	{
		for (int i = 0; i < sample->n; i++)
			lengths_add(&lengths, sample->rows[i].input);
		make_vector_encoder(caller, lengths_most(&lengths, 0), &encoder);
		return encoder;
	}
	fit = text_fit_begin(caller, &options, "choose the seed batch");
	for (int i = 0; i < sample->n; i++)
		status_check(text_fit_add(fit, sample->rows[i].input->text, sample->rows[i].input->length),
					 "choose the seed batch");
	status_check(text_fit_finish(fit, &encoder), "choose the seed batch");
	text_fit_free(fit);
	return encoder;
}

/* Encodes n rows; those that cannot be are left out of which, as are blank ones. */
static int
encode_rows(const SampledRow *rows, int count, const Encoder *encoder, const Caller *caller,
			float *dense, int *which)
{
	int			dims = encoder_dims(encoder);
	int			n = 0;
	Encoding	encoding;

	status_check(encoding_init(caller, encoder, &encoding), "encode");
	for (int i = 0; i < count; i++)
	{
		Status		status = encode_input(encoder, rows[i].input, &encoding);

		if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
			continue;
		status_check(status, "encode a row");
		if (dense_blank(encoding.dense, dims))
			continue;
		memcpy(dense + (size_t) n * dims, encoding.dense, dims * sizeof(float));
		which[n++] = i;
	}
	encoding_free(&encoding);
	return n;
}

/*
 * The audit's rows as they are numbered among all: the n sampled ones, then
 * what of the line is not among them.  Returns how many there are in all.
 */
static int
number_line(const SampledRow *line, const int *which, int m, char **items, int n, int *place)
{
	int			rows = n;

	for (int j = 0; j < m; j++)
	{
		char	   *item = line[which[j]].item;
		int			i = 0;

		while (i < n && strcmp(items[i], item) != 0)
			i++;
		if (i == n)
		{
			i = rows++;
			items[i] = item;
		}
		place[j] = i;
	}
	return rows;
}

/* Chooses among what was sampled; encoded as what is common to the rows of all says. */
static void
choose_seeds(const Project *project, const Sample *all, Sample *sample, Ranking *ranking)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	Encoder    *encoder = sample_encoder(project, all->n > 0 ? all : sample, &caller);
	int			dims = encoder_dims(encoder);
	float	   *dense = palloc_array_checked(float, (Size) sample->n * dims);
	float	   *line_dense = palloc_array_checked(float, (Size) Max(sample->nline, 1) * dims);
	int		   *which = palloc_array_checked(int, sample->n);
	int		   *line = palloc_array_checked(int, sample->nline);
	int		   *place = palloc_array_checked(int, sample->nline);
	char	  **items = palloc_array_checked(char *, sample->n + sample->nline);
	int			n = encode_rows(sample->rows, sample->n, encoder, &caller, dense, which);
	int			m;
	int			rows;

	qsort(sample->line, sample->nline, sizeof(SampledRow), compare_sampled);
	m = encode_rows(sample->line, sample->nline, encoder, &caller, line_dense, line);
	for (int i = 0; i < n; i++)
		items[i] = sample->rows[which[i]].item;
	rows = number_line(sample->line, line, m, items, n, place);
	seed_ranking(project, labelled_count(sample->labelled), items, dense, n, dims, place, m, rows,
				 ranking);
}

static Sample *
read_sample(const Project *project, const LabelledItems *labelled, const char *clause)
{
	Sample	   *sample = palloc0(sizeof(Sample));

	sample->context = CurrentMemoryContext;
	sample->project = project;
	sample->input = project_seed_input(project);
	sample->labelled = labelled;
	sample->line_capacity = Min(audit_line_length(audit_share(project), project->options.seed_batch),
								SAMPLE_ROWS);
	sample->line = palloc_array_checked(SampledRow, Max(sample->line_capacity, 1));
	random_seed(&sample->random, (uint64) project->options.random_seed);
	source_scan(project, READ_AS_OWNER, clause, false, sample_row, sample);
	return sample;
}

/*
 * The same of the rows that satisfy the condition.  Where those are so few that
 * a part of the source does not have a batch of them, all of it is looked through.
 */
static Sample *
read_targets(const Project *project, const LabelledItems *labelled, bool *whole)
{
	const char *condition = targets_clause(project);
	Sample	   *sample;

	targets_check(project, false);
	sample = read_sample(project, labelled, sample_clause(project, condition, whole));
	if (*whole || sample->n >= project->options.seed_batch)
		return sample;
	*whole = true;
	return read_sample(project, labelled, whole_clause(condition));
}

void
sample_seed(const Project *project, Ranking *ranking, int64 *items, bool *complete)
{
	LabelledItems *labelled;
	Consensus	consensus;
	Sample	   *all;
	Sample	   *sample;
	bool		whole;

	consensus_read(project, &consensus);
	labelled = labelled_items(&consensus, CurrentMemoryContext);
	all = read_sample(project, labelled, sample_clause(project, "", &whole));
	*items = all->items;
	*complete = whole && all->seen < SCAN_ROWS;
	sample = project->options.targets == NULL ? all : read_targets(project, labelled, &whole);
	/* of a part of the rows nobody knows which are the first */
	if (!whole || sample->seen >= SCAN_ROWS)
		sample->nline = 0;
	ranking_init(ranking, project->options.seed_batch);
	if (sample->n == 0)
		return;
	blas_load();
	choose_seeds(project, all, sample, ranking);
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
