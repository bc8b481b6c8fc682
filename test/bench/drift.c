/*-------------------------------------------------------------------------
 *
 * drift.c
 *	  Does what watches for drift keep quiet, and does it speak in time?
 *
 *	  drift TEXTS SEED ROWS LABELS RUNS
 *
 * TEXTS has a row a line: its label, a tab, its text.  In each run so many ROWS (0:
 * half) are drawn by lot, the text encoder is fitted on them as a project fits it, and
 * LABELS of them train a model.  Then other rows arrive:
 *
 * "stationary": 2,000 as they come, or those that are left.
 * "at once": 500, a third of them of a class that the first rows have nothing of.
 * "later": the same after 1,000 to 1,249 as they come.
 *
 * Each run draws everything anew, so that runs are independent of each other (many streams
 * at one model are not, as they share its reference).  A line a kind: runs; those that
 * alarmed, with the 95 % interval of Clopper and Pearson; those in which each
 * measure did; the median of the rows until the first alarm.  Of "later", alarms before the
 * class comes are counted for themselves.
 *
 *-------------------------------------------------------------------------
 */
#include "encode/encoder.h"
#include "learn/drift.h"
#include "learn/gathered.h"
#include "learn/metrics.h"
#include "learn/model.h"
#include "math/beta.h"
#include "math/matrix.h"
#include "math/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MOST 50000
#define CLASSES_MOST 200
#define RUNS_MOST 10000
#define STATIONARY_ROWS 2000
#define LATER_ROWS 1000
#define LATER_SPREAD 250
#define TOPIC_ROWS 500

static void *
lend(void *state, size_t bytes)
{
	(void) state;
	return calloc(1, bytes);
}

static void
take_back(void *state, void *memory)
{
	(void) state;
	free(memory);
}

static const Caller caller = {lend, take_back, NULL, NULL};

static void
need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "drift: %s\n", what);
	exit(1);
}

/* ---------------------------------------------------------------------- */
/* Rows */

static char *text[ROWS_MOST];
static int	class[ROWS_MOST];
static char *name[CLASSES_MOST];
static int	nrows;
static int	nclasses;

static int
class_number(const char *label)
{
	for (int k = 0; k < nclasses; k++)
	{
		if (strcmp(name[k], label) == 0)
			return k;
	}
	need(nclasses < CLASSES_MOST, "too many classes");
	name[nclasses] = strdup(label);
	return nclasses++;
}

static void
read_texts(const char *path)
{
	FILE	   *file = fopen(path, "r");
	char	   *line = NULL;
	size_t		size = 0;

	need(file != NULL, "no such file");
	while (nrows < ROWS_MOST && getline(&line, &size, file) > 0)
	{
		char	   *tab = strchr(line, '\t');

		need(tab != NULL, "a line without a tab");
		*tab = '\0';
		tab[1 + strcspn(tab + 1, "\n")] = '\0';
		class[nrows] = class_number(line);
		text[nrows++] = strdup(tab + 1);
	}
	free(line);
	fclose(file);
}

/* ---------------------------------------------------------------------- */
/* A project: encoder, model, what it says of each row */

static Encoder *
fit(const int *rows, int n)
{
	TextFitOptions options = {.dims = 256, .vocabulary = 65536, .sample_rows = 20000,
	.memory = (size_t) 1 << 30, .seed = 0};
	TextFit    *fitting;
	Encoder    *encoder;
	size_t		needed;

	need(text_fit_start(&caller, &options, &fitting, &needed) == STATUS_SUCCESS, "fit");
	for (int i = 0; i < n; i++)
		need(text_fit_add(fitting, text[rows[i]], strlen(text[rows[i]])) == STATUS_SUCCESS, "fit");
	need(text_fit_finish(fitting, &encoder) == STATUS_SUCCESS, "fit");
	text_fit_free(fitting);
	return encoder;
}

static void
encode(const Encoder *encoder, const int *rows, int n, Gathered *encoded)
{
	int			dims = encoder_dims(encoder);
	size_t		capacity = 1024;
	Encoding	encoding;

	memset(encoded, 0, sizeof(*encoded));
	encoded->dense = malloc((size_t) n * dims * sizeof(float));
	encoded->start = calloc(n + 1, sizeof(size_t));
	encoded->index = malloc(capacity * sizeof(uint32_t));
	encoded->weight = malloc(capacity * sizeof(float));
	need(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS, "encode");
	for (int i = 0; i < n; i++)
	{
		size_t		at = encoded->start[i];

		need(encode_text(encoder, text[rows[i]], strlen(text[rows[i]]), &encoding) == STATUS_SUCCESS, "encode");
		while (at + encoding.terms > capacity)
		{
			capacity *= 2;
			encoded->index = realloc(encoded->index, capacity * sizeof(uint32_t));
			encoded->weight = realloc(encoded->weight, capacity * sizeof(float));
		}
		memcpy(encoded->dense + (size_t) i * dims, encoding.dense, dims * sizeof(float));
		memcpy(encoded->index + at, encoding.index, encoding.terms * sizeof(uint32_t));
		memcpy(encoded->weight + at, encoding.weight, encoding.terms * sizeof(float));
		encoded->start[i + 1] = at + encoding.terms;
	}
	encoding_free(&encoding);
	encoded->sparse = (SparseRows) {n, encoded->start, encoded->index, encoded->weight};
	encoded->rows = (Rows) {.n = n, .dims = dims, .dense = encoded->dense,
	.sparse = &encoded->sparse, .sparse_dims = encoder_sparse_dims(encoder)};
}

static void
discard(Gathered *encoded)
{
	free(encoded->dense);
	free(encoded->start);
	free(encoded->index);
	free(encoded->weight);
}

/* What there is to know of rows that arrive, or have been there. */
typedef struct Seen
{
	Gathered	encoded;
	int		   *label;			/* predicted */
	float	   *confidence;
} Seen;

typedef struct Trial
{
	Encoder    *encoder;
	Model	   *model;
	int			classes;		/* of the model */
	DriftReference reference;
} Trial;

static void
look(const Trial *trial, const int *rows, int n, Seen *seen)
{
	Score	   *score = malloc(n * sizeof(Score));
	int			dims = encoder_dims(trial->encoder);

	encode(trial->encoder, rows, n, &seen->encoded);
	seen->label = malloc(n * sizeof(int));
	seen->confidence = malloc(n * sizeof(float));
	need(model_margins(&caller, trial->model, &seen->encoded.rows, score) == STATUS_SUCCESS, "score");
	for (int i = 0; i < n; i++)
	{
		bool		blank = dense_blank(seen->encoded.dense + (size_t) i * dims, dims);

		seen->label[i] = blank ? -1 : score[i].label;
		seen->confidence[i] = score[i].confidence;
	}
	free(score);
}

static void
forget(Seen *seen)
{
	discard(&seen->encoded);
	free(seen->label);
	free(seen->confidence);
}

/* The first labelled of the rows. */
static void
train(Trial *trial, const int *rows, int labelled, CrossValidation *validation)
{
	TrainOptions options = {.folds = 5, .refine = -1};
	int			where[CLASSES_MOST];
	int		   *label = malloc(labelled * sizeof(int));
	Gathered	encoded;

	for (int k = 0; k < nclasses; k++)
		where[k] = -1;
	for (int i = 0; i < labelled; i++)
	{
		int			k = class[rows[i]];

		if (where[k] < 0)
			where[k] = trial->classes++;
		label[i] = where[k];
	}
	encode(trial->encoder, rows, labelled, &encoded);
	need(model_train(&caller, &encoded.rows, label, trial->classes, &options, &trial->model, validation) == STATUS_SUCCESS, "train");
	discard(&encoded);
	free(label);
}

/* Of a sample of the rows, of those with labels what was said out of fold. */
static void
refer(Trial *trial, const int *rows, int n, const CrossValidation *validation, Random *random)
{
	int			m = n < DRIFT_SAMPLE ? n : DRIFT_SAMPLE;
	int		   *order = malloc(n * sizeof(int));
	int		   *sample = calloc(m, sizeof(int));
	Seen		seen;

	for (int i = 0; i < n; i++)
		order[i] = i;
	random_shuffle(random, order, n);
	for (int i = 0; i < m; i++)
		sample[i] = rows[order[i]];
	look(trial, sample, m, &seen);
	for (int i = 0; i < m; i++)
	{
		const float *p = validation->probability + (size_t) order[i] * validation->classes;

		if (order[i] >= validation->n || seen.label[i] < 0)
			continue;
		seen.label[i] = most_probable(p, validation->classes);
		seen.confidence[i] = p[seen.label[i]];
	}
	need(drift_reference(&caller, &seen.encoded.rows, seen.label, seen.confidence, trial->classes, &trial->reference) == STATUS_SUCCESS, "reference");
	forget(&seen);
	free(order);
	free(sample);
}

static void
trial_begin(Trial *trial, const int *rows, int n, int labelled, Random *random)
{
	CrossValidation validation;

	memset(trial, 0, sizeof(*trial));
	trial->encoder = fit(rows, n);
	train(trial, rows, labelled < n ? labelled : n, &validation);
	refer(trial, rows, n, &validation, random);
	free(validation.probability);
	free(validation.fold);
}

static void
trial_end(Trial *trial)
{
	model_free(&caller, trial->model);
	encoder_free(&caller, trial->encoder);
	drift_reference_free(&caller, &trial->reference);
}

/* ---------------------------------------------------------------------- */
/* Streams */

typedef struct Tally
{
	int			runs;
	int			early;			/* alarmed before the topic came */
	int			any;
	int			alarms[DRIFT_WINDOWED];
	int			rows[RUNS_MOST];	/* until the first one, of any */
} Tally;

/* Alarms with no more than `before` rows are early ones. */
static void
stream(const Trial *trial, const int *rows, int n, int before, Tally *tally)
{
	DriftWindow window;
	Seen		seen;
	int			first[DRIFT_WINDOWED] = {0};
	int			soonest = 0;
	bool		early = false;

	look(trial, rows, n, &seen);
	need(drift_window(&caller, &trial->reference, &window) == STATUS_SUCCESS, "memory");
	for (int i = 0; i < n; i++)
	{
		DriftFinding finding[DRIFT_WINDOWED];

		if (!drift_add(&trial->reference, &window, &seen.encoded.rows, i, seen.label[i], seen.confidence[i]))
			continue;
		need(drift_compare(&caller, &trial->reference, &window, finding) == STATUS_SUCCESS, "compare");
		for (int k = 0; k < DRIFT_WINDOWED; k++)
		{
			if (finding[k].p_value > finding[k].level)
				continue;
			if (i < before)
				early = true;
			else if (first[k] == 0)
				first[k] = i + 1 - before;
		}
		drift_next(&trial->reference, &window);
	}
	for (int k = 0; k < DRIFT_WINDOWED; k++)
	{
		if (first[k] == 0)
			continue;
		tally->alarms[k]++;
		if (soonest == 0 || first[k] < soonest)
			soonest = first[k];
	}
	tally->early += early;
	if (soonest > 0)
		tally->rows[tally->any++] = soonest;
	tally->runs++;
	drift_window_free(&caller, &window);
	forget(&seen);
}

static void
stationary(int first, int labelled, Tally *tally, Random *random)
{
	int		   *rows = malloc(nrows * sizeof(int));
	int			arrivals = nrows - first < STATIONARY_ROWS ? nrows - first : STATIONARY_ROWS;
	Trial		trial;

	for (int i = 0; i < nrows; i++)
		rows[i] = i;
	random_shuffle(random, rows, nrows);
	trial_begin(&trial, rows, first, labelled, random);
	stream(&trial, rows + first, arrivals, 0, tally);
	trial_end(&trial);
	free(rows);
}

static void
topic(int first, int labelled, Tally *at_once, Tally *later, Random *random)
{
	int			number = (int) random_below(random, nclasses);
	int		   *rows = malloc(nrows * sizeof(int));
	int		   *fresh = malloc(nrows * sizeof(int));
	int			n = 0;
	int			m = 0;
	int			quiet;
	Trial		trial;

	for (int i = 0; i < nrows; i++)
	{
		if (class[i] == number)
			fresh[m++] = i;
		else
			rows[n++] = i;
	}
	random_shuffle(random, rows, n);
	quiet = n - first - TOPIC_ROWS - LATER_SPREAD;
	need(quiet > 0, "too few rows");
	quiet = (quiet < LATER_ROWS ? quiet : LATER_ROWS) + (int) random_below(random, LATER_SPREAD);
	trial_begin(&trial, rows, first, labelled, random);
	for (int late = 0; late < 2; late++)
	{
		int			before = late == 1 ? quiet : 0;
		int			arrivals[LATER_ROWS + LATER_SPREAD + TOPIC_ROWS];

		random_shuffle(random, rows + first, n - first);
		for (int i = 0; i < before + TOPIC_ROWS; i++)
			arrivals[i] = i >= before && random_below(random, 3) == 0 ? fresh[random_below(random, m)] : rows[first + i];
		stream(&trial, arrivals, before + TOPIC_ROWS, before, late == 1 ? later : at_once);
	}
	trial_end(&trial);
	free(rows);
	free(fresh);
}

/* ---------------------------------------------------------------------- */
/* Figures */

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

static void
print_tally(const char *what, Tally *tally)
{
	int			n = tally->runs;
	int			any = tally->any;
	double		low = any == 0 ? 0.0 : beta_quantile(any, n - any + 1.0, 0.025);
	double		high = any == n ? 1.0 : beta_quantile(any + 1.0, n - any, 0.975);

	qsort(tally->rows, any, sizeof(int), compare_ints);
	printf("%-10s %4d runs, %4d early, %4d alarm: %.3f (%.3f to %.3f), confidence %d, classes %d, features %d, median %d rows\n",
		   what, n, tally->early, any, (double) any / n, low, high, tally->alarms[DRIFT_CONFIDENCE],
		   tally->alarms[DRIFT_CLASSES], tally->alarms[DRIFT_FEATURES], any == 0 ? 0 : tally->rows[any / 2]);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static Tally tally[3];
	Random		random;
	int			first;
	int			labelled;
	int			runs;

	need(argc == 6, "TEXTS SEED ROWS LABELS RUNS");
	matrix = matrix_blas_ops();
	read_texts(argv[1]);
	random_seed(&random, strtoul(argv[2], NULL, 10));
	first = atoi(argv[3]);
	first = first == 0 ? nrows / 2 : first;
	labelled = atoi(argv[4]);
	runs = atoi(argv[5]);
	need(runs > 0 && runs <= RUNS_MOST && first < nrows, "RUNS and ROWS");
	for (int run = 0; run < runs; run++)
		stationary(first, labelled, &tally[0], &random);
	print_tally("stationary", &tally[0]);
	/* what is left of two without one is nothing to learn */
	for (int run = 0; nclasses > 2 && run < runs; run++)
		topic(first, labelled, &tally[1], &tally[2], &random);
	if (nclasses > 2)
	{
		print_tally("at once", &tally[1]);
		print_tally("later", &tally[2]);
	}
	return 0;
}
