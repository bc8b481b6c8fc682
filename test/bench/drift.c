/*-------------------------------------------------------------------------
 *
 * drift.c
 *	  Does what watches for drift keep quiet, and does it speak in time?
 *
 *	  drift TEXTS ROWS LABELS MODELS STREAMS
 *
 * TEXTS has a row a line: its label, a tab, its text.  MODELS times so many ROWS (0: half)
 * are drawn by lot, the text encoder is fitted on them as a project fits it, and
 * LABELS of them (0: all) train a model.  Then the other rows arrive,
 * STREAMS times in another order: "stationary" as they come, 2,000 of them; "topic",
 * where the rows of a class are not among the first and make up a third of the
 * 500 that arrive.  Prints of both how often there was an alarm, by
 * measure, and the mean shift of the vectors, as a share of the root of their variance.
 *
 *-------------------------------------------------------------------------
 */
#include "encode/encoder.h"
#include "learn/drift.h"
#include "learn/model.h"
#include "math/matrix.h"
#include "math/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MOST 50000
#define CLASSES_MOST 200
#define STATIONARY_ROWS 2000
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

/* Rows as the model takes them; the arrays are as large as they need to be. */
typedef struct Encoded
{
	Rows		rows;
	SparseRows	sparse;
	float	   *dense;
	size_t	   *start;
	uint32_t   *index;
	float	   *weight;
} Encoded;

static void
encode(const Encoder *encoder, const int *rows, int n, Encoded *encoded)
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
discard(Encoded *encoded)
{
	free(encoded->dense);
	free(encoded->start);
	free(encoded->index);
	free(encoded->weight);
}

typedef struct Trial
{
	Encoder    *encoder;
	Model	   *model;
	int			dims;
	int			classes;		/* of the model */
	Encoded		all;			/* nrows */
	int		   *label;			/* nrows: predicted */
	float	   *confidence;
	DriftReference reference;
} Trial;

/* The first labelled of the rows; where[k]: the model's number of class k, or -1. */
static void
train(Trial *trial, const int *rows, int labelled, int *where, CrossValidation *validation)
{
	TrainOptions options = {.folds = 5, .refine = -1};
	int		   *label = malloc(labelled * sizeof(int));
	Encoded		encoded;

	for (int k = 0; k < nclasses; k++)
		where[k] = -1;
	trial->classes = 0;
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

static void
score_all(Trial *trial)
{
	int		   *all = malloc(nrows * sizeof(int));
	Score	   *score = malloc(nrows * sizeof(Score));
	Encoded    *encoded = &trial->all;

	for (int i = 0; i < nrows; i++)
		all[i] = i;
	encode(trial->encoder, all, nrows, encoded);
	need(model_margins(&caller, trial->model, &encoded->rows, score) == STATUS_SUCCESS, "score");
	for (int i = 0; i < nrows; i++)
	{
		bool		blank = dense_blank(encoded->dense + (size_t) i * trial->dims, trial->dims);

		trial->label[i] = blank ? -1 : score[i].label;
		trial->confidence[i] = score[i].confidence;
	}
	encoded->rows.sparse = &encoded->sparse;
	free(all);
	free(score);
}

/* What is out of fold is what a row is like that the model has not seen. */
static void
take_validation(Trial *trial, const int *rows, const CrossValidation *validation)
{
	for (int i = 0; i < validation->n; i++)
	{
		const float *p = validation->probability + (size_t) i * validation->classes;
		int			best = 0;

		for (int k = 1; k < validation->classes; k++)
			best = p[k] > p[best] ? k : best;
		if (trial->label[rows[i]] >= 0)
			trial->label[rows[i]] = best;
		trial->confidence[rows[i]] = p[best];
	}
}

static void
trial_begin(Trial *trial, const int *rows, int n, int labelled, Random *random)
{
	int			where[CLASSES_MOST];
	int			m = n < DRIFT_SAMPLE ? n : DRIFT_SAMPLE;
	int		   *order = malloc(n * sizeof(int));
	int		   *label = malloc(m * sizeof(int));
	float	   *confidence = malloc(m * sizeof(float));
	Encoded		encoded;
	CrossValidation validation;

	memset(trial, 0, sizeof(*trial));
	labelled = labelled == 0 || labelled > n ? n : labelled;
	trial->encoder = fit(rows, n);
	trial->dims = encoder_dims(trial->encoder);
	trial->label = malloc(nrows * sizeof(int));
	trial->confidence = malloc(nrows * sizeof(float));
	train(trial, rows, labelled, where, &validation);
	score_all(trial);
	take_validation(trial, rows, &validation);
	free(validation.probability);
	free(validation.fold);
	for (int i = 0; i < n; i++)
		order[i] = rows[i];
	random_shuffle(random, order, n);
	for (int i = 0; i < m; i++)
	{
		label[i] = trial->label[order[i]];
		confidence[i] = trial->confidence[order[i]];
	}
	encode(trial->encoder, order, m, &encoded);
	need(drift_reference(&caller, &encoded.rows, label, confidence, trial->classes, &trial->reference) == STATUS_SUCCESS, "reference");
	free(order);
	free(label);
	free(confidence);
	discard(&encoded);
}

static void
trial_end(Trial *trial)
{
	model_free(&caller, trial->model);
	encoder_free(&caller, trial->encoder);
	discard(&trial->all);
	free(trial->label);
	free(trial->confidence);
	drift_reference_free(&caller, &trial->reference);
}

/* ---------------------------------------------------------------------- */
/* Streams */

typedef struct Tally
{
	int			streams;
	int			any;
	int			alarms[DRIFT_WINDOWED];
	int			windows;
	double		shift;			/* squared, of all windows */
} Tally;

static void
stream(const Trial *trial, const int *rows, int n, Tally *tally)
{
	DriftWindow window;
	bool		alarm[DRIFT_WINDOWED] = {false};
	bool		any = false;

	need(drift_window(&caller, &trial->reference, &window) == STATUS_SUCCESS, "memory");
	for (int i = 0; i < n; i++)
	{
		DriftFinding finding[DRIFT_WINDOWED];

		drift_add(&trial->reference, &window, &trial->all.rows, rows[i], trial->label[rows[i]],
				  trial->confidence[rows[i]]);
		if (window.n < DRIFT_WINDOW)
			continue;
		need(drift_compare(&caller, &trial->reference, &window, finding) == STATUS_SUCCESS, "compare");
		for (int k = 0; k < DRIFT_WINDOWED; k++)
			alarm[k] = alarm[k] || finding[k].p_value <= finding[k].level;
		tally->windows++;
		tally->shift += finding[DRIFT_FEATURES].difference / trial->reference.trace[0];
		drift_next(&trial->reference, &window);
	}
	for (int k = 0; k < DRIFT_WINDOWED; k++)
	{
		tally->alarms[k] += alarm[k];
		any = any || alarm[k];
	}
	tally->any += any;
	tally->streams++;
	drift_window_free(&caller, &window);
}

static void
print_tally(const char *what, const Tally *tally)
{
	printf("%s: %d streams, alarm %.1f %% (confidence %.1f %%, classes %.1f %%, features %.1f %%), shift %.4f\n",
		   what, tally->streams, 100.0 * tally->any / tally->streams,
		   100.0 * tally->alarms[0] / tally->streams, 100.0 * tally->alarms[1] / tally->streams,
		   100.0 * tally->alarms[2] / tally->streams,
		   sqrt(fmax(tally->shift / tally->windows, 0.0)));
	fflush(stdout);
}

static void
stationary(int first, int labelled, int models, int streams, Random *random)
{
	Tally		tally = {0};
	int		   *rows = malloc(nrows * sizeof(int));

	for (int i = 0; i < nrows; i++)
		rows[i] = i;
	for (int model = 0; model < models; model++)
	{
		int			half = first == 0 ? nrows / 2 : first;
		int			n = nrows - half < STATIONARY_ROWS ? nrows - half : STATIONARY_ROWS;
		Trial		trial;

		random_shuffle(random, rows, nrows);
		trial_begin(&trial, rows, half, labelled, random);
		for (int s = 0; s < streams; s++)
		{
			random_shuffle(random, rows + half, nrows - half);
			stream(&trial, rows + half, n, &tally);
		}
		trial_end(&trial);
	}
	print_tally("stationary", &tally);
	free(rows);
}

static void
topics(int first, int labelled, int models, int streams, Random *random)
{
	Tally		tally = {0};
	int		   *rows = malloc(nrows * sizeof(int));
	int		   *fresh = malloc(nrows * sizeof(int));
	int		   *arrivals = malloc(TOPIC_ROWS * sizeof(int));

	for (int model = 0; model < models; model++)
	{
		int			topic = (int) random_below(random, nclasses);
		int			n = 0;
		int			m = 0;
		int			half;
		Trial		trial;

		for (int i = 0; i < nrows; i++)
		{
			if (class[i] == topic)
				fresh[m++] = i;
			else
				rows[n++] = i;
		}
		random_shuffle(random, rows, n);
		half = first == 0 ? n / 2 : first;
		trial_begin(&trial, rows, half, labelled, random);
		for (int s = 0; s < streams; s++)
		{
			random_shuffle(random, rows + half, n - half);
			for (int i = 0; i < TOPIC_ROWS; i++)
				arrivals[i] = random_below(random, 3) == 0 ? fresh[random_below(random, m)] : rows[half + i];
			stream(&trial, arrivals, TOPIC_ROWS, &tally);
		}
		trial_end(&trial);
	}
	print_tally("topic", &tally);
	free(rows);
	free(fresh);
	free(arrivals);
}

int
main(int argc, char **argv)
{
	Random		random;

	need(argc == 6, "TEXTS ROWS LABELS MODELS STREAMS");
	matrix = matrix_blas_ops();
	read_texts(argv[1]);
	random_seed(&random, 1);
	printf("%d rows, %d classes\n", nrows, nclasses);
	stationary(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), &random);
	topics(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), &random);
	return 0;
}
