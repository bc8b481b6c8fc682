/*-------------------------------------------------------------------------
 *
 * test_model.c
 *	  Whole models: what they learn, what they cost, what they survive.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/acquisition.h"
#include "../../src/learn/metrics.h"
#include "../../src/learn/model_internal.h"
#include "../../src/math/matrix.h"
#include "../../src/math/random.h"

#define TERMS 12				/* n-grams of a row */

/* A data set of one's own: class centres, noise, words that give it away. */
typedef struct Data
{
	Rows		rows;
	SparseRows	sparse;
	float	   *dense;
	size_t	   *start;
	uint32_t   *index;
	float	   *weight;
	int		   *label;
	int			classes;
} Data;

/* Sorts a row's n-grams and makes repeated ones different. */
static void
sort_terms(uint32_t *index)
{
	for (int i = 1; i < TERMS; i++)
		for (int j = i; j > 0 && index[j] < index[j - 1]; j--)
		{
			uint32_t	spare = index[j];

			index[j] = index[j - 1];
			index[j - 1] = spare;
		}
	for (int i = 1; i < TERMS; i++)
		if (index[i] <= index[i - 1])
			index[i] = index[i - 1] + 1;
}

/*
 * n rows of dims numbers: class i % classes, at noise from its centre.
 * centres makes the classes, rows_seed the rows; a few of a row's n-grams
 * tell its class.
 */
static Data
make_data(int n, int dims, int classes, double noise, uint64_t centres, uint64_t rows_seed)
{
	Data		data = {0};
	int			vocabulary = 40 * classes + 200;
	float	   *centre = calloc((size_t) classes * dims, sizeof(float));
	Random		random;

	data.dense = calloc((size_t) n * dims, sizeof(float));
	data.start = calloc((size_t) n + 1, sizeof(size_t));
	data.index = calloc((size_t) n * TERMS, sizeof(uint32_t));
	data.weight = calloc((size_t) n * TERMS, sizeof(float));
	data.label = calloc(n, sizeof(int));
	data.classes = classes;
	random_seed(&random, centres);
	for (int i = 0; i < classes * dims; i++)
		centre[i] = (float) random_normal(&random);
	random_seed(&random, rows_seed);
	for (int i = 0; i < n; i++)
	{
		float	   *row = data.dense + (size_t) i * dims;
		uint32_t   *index = data.index + (size_t) i * TERMS;
		double		norm = 0.0;
		int			k = i % classes;

		data.label[i] = k;
		for (int j = 0; j < dims; j++)
		{
			row[j] = centre[k * dims + j] + (float) (noise * random_normal(&random));
			norm += row[j] * row[j];
		}
		for (int j = 0; j < dims; j++)
			row[j] /= (float) sqrt(norm);
		for (int t = 0; t < TERMS; t++)
			index[t] = t < 4 ? (uint32_t) (40 * k + random_below(&random, 40))
				: (uint32_t) random_below(&random, vocabulary - TERMS);
		sort_terms(index);
		for (int t = 0; t < TERMS; t++)
			data.weight[(size_t) i * TERMS + t] = 0.29f;
		data.start[i + 1] = data.start[i] + TERMS;
	}
	free(centre);
	data.sparse = (SparseRows)
	{
		n, data.start, data.index, data.weight
	};
	data.rows = (Rows)
	{
		n, dims, data.dense, NULL, vocabulary
	};
	return data;
}

static void
free_data(Data *data)
{
	free(data->dense);
	free(data->start);
	free(data->index);
	free(data->weight);
	free(data->label);
}

static const TrainOptions defaults = {.folds = 5, .seed = 1, .refine = -1};

static Status
train(const Caller *caller, const Data *data, int refine, Model **model,
	  CrossValidation *validation)
{
	TrainOptions options = defaults;

	options.refine = refine;
	return model_train(caller, &data->rows, data->label, data->classes, &options, model,
					   validation);
}

static void
free_validation(const Caller *caller, CrossValidation *validation)
{
	release(caller, validation->probability);
	release(caller, validation->fold);
}

/* Scores all rows; the accuracy. */
static double
accuracy_on(const Caller *caller, const Model *model, const Data *data)
{
	Score	   *score = calloc(data->rows.n, sizeof(Score));
	int			hits = 0;

	REQUIRE(model_score(caller, model, &data->rows, score, NULL) == STATUS_OK);
	for (int i = 0; i < data->rows.n; i++)
		hits += score[i].label == data->label[i];
	free(score);
	return (double) hits / data->rows.n;
}

/*
 * A model learns; its cross-validation is honest: what it says of its own
 * accuracy holds on new rows, also with refined features, whose fitted values
 * would look perfect.
 */
static void
test_learns(const Caller *caller, int n, int classes, int refine, double at_least)
{
	Data		data = make_data(n, 12, classes, 1.6, 5, 6);
	Data		fresh = make_data(2000, 12, classes, 1.6, 5, 7);
	Model	   *model;
	CrossValidation validation;
	Metrics		metrics;
	double		accuracy;

	data.rows.sparse = &data.sparse;
	fresh.rows.sparse = &fresh.sparse;
	REQUIRE(train(caller, &data, refine, &model, &validation) == STATUS_OK);
	CHECK(model_refined(model) == (refine != 0));
	CHECK(model_features(model) ==
		  12 + (refine ? (classes == 2 ? 1 : classes) : 0) + 1);
	CHECK(model_classes(model) == classes && validation.folds == 5 && validation.n == n);
	measure(validation.probability, data.label, n, classes, &metrics);
	accuracy = accuracy_on(caller, model, &fresh);
	CHECK(accuracy > at_least);
	CHECK(fabs(metrics.accuracy - accuracy) < 0.05 + 1.0 / sqrt(n));
	CHECK(metrics.calibration_error < 0.05 + 1.0 / sqrt(n));
	CHECK(metrics.log_loss < log(classes));
	free_validation(caller, &validation);
	model_free(caller, model);
	free_data(&data);
	free_data(&fresh);
}

/* Where only the words tell the classes apart, it takes them of itself. */
static void
test_chooses_refine(const Caller *caller)
{
	Data		data = make_data(400, 6, 4, 30.0, 5, 6);
	Data		blind = make_data(400, 6, 4, 0.3, 5, 6);
	Model	   *model;

	data.rows.sparse = &data.sparse;
	REQUIRE(train(caller, &data, -1, &model, NULL) == STATUS_OK);
	CHECK(model_refined(model));
	model_free(caller, model);
	/* words without meaning beside features that say it all */
	for (size_t t = 0; t < 400 * TERMS; t++)
		blind.index[t] = (uint32_t) (t % TERMS * 20 + t / TERMS % 7);
	blind.rows.sparse = &blind.sparse;
	REQUIRE(train(caller, &blind, -1, &model, NULL) == STATUS_OK);
	CHECK(!model_refined(model));
	model_free(caller, model);
	free_data(&data);
	free_data(&blind);
}

/* The same twice, bit for bit; and a block of rows is its rows one by one. */
static void
test_determinism(const Caller *caller)
{
	Data		data = make_data(300, 10, 5, 1.5, 1, 2);
	Model	   *model[2];
	Writer		writer[2];
	Score	   *together = calloc(300, sizeof(Score));
	float	   *probability = calloc(300 * 5, sizeof(float));
	double		worst = 0.0;

	data.rows.sparse = &data.sparse;
	for (int i = 0; i < 2; i++)
	{
		REQUIRE(train(caller, &data, 1, &model[i], NULL) == STATUS_OK);
		writer_init(&writer[i], caller);
		REQUIRE(model_write(model[i], &writer[i]) == STATUS_OK);
	}
	CHECK(writer[0].length == writer[1].length &&
		  memcmp(writer[0].bytes, writer[1].bytes, writer[0].length) == 0);
	REQUIRE(model_score(caller, model[0], &data.rows, together, probability) == STATUS_OK);
	for (int i = 0; i < 300; i++)
	{
		SparseRows	sparse = {1, data.start + i, data.index, data.weight};
		Rows		row = {1, 10, data.dense + i * 10, &sparse, data.rows.sparse_dims};
		float		alone[5];
		Score		score;

		REQUIRE(model_score(caller, model[0], &row, &score, alone) == STATUS_OK);
		CHECK(score.label == together[i].label);
		worst = fmax(worst, fabs(score.epistemic - together[i].epistemic));
		worst = fmax(worst, fabs(score.total - together[i].total));
		for (int k = 0; k < 5; k++)
			worst = fmax(worst, fabs(alone[k] - probability[i * 5 + k]));
	}
	/* products of one row and of many add in another order */
	CHECK(worst < 1e-4);
	for (int i = 0; i < 2; i++)
	{
		release(caller, writer[i].bytes);
		model_free(caller, model[i]);
	}
	free(together);
	free(probability);
	free_data(&data);
}

/*
 * Rows in another order make the same model, but for the folds: a given
 * prior, and scores that are close.
 */
static void
test_order_of_rows(const Caller *caller)
{
	Data		data = make_data(500, 10, 4, 1.2, 1, 2);
	Data		turned = make_data(500, 10, 4, 1.2, 1, 2);
	TrainOptions options = {.folds = 5, .seed = 1, .refine = 0, .prior_precision = 0.5};
	Model	   *model[2];
	double		worst = 0.0;

	for (int i = 0; i < 500; i++)
	{
		memcpy(turned.dense + i * 10, data.dense + (499 - i) * 10, sizeof(float) * 10);
		turned.label[i] = data.label[499 - i];
	}
	REQUIRE(model_train(caller, &data.rows, data.label, 4, &options, &model[0], NULL) == STATUS_OK);
	REQUIRE(model_train(caller, &turned.rows, turned.label, 4, &options, &model[1],
						NULL) == STATUS_OK);
	CHECK(model_prior_precision(model[0]) == 0.5);
	for (int i = 0; i < 11 * 4; i++)
		worst = fmax(worst, fabs(model[0]->weights[i] - model[1]->weights[i]));
	CHECK(worst < 0.02);
	CHECK_NEAR(model_scale(model[0]), model_scale(model[1]), 0.2);
	model_free(caller, model[0]);
	model_free(caller, model[1]);
	free_data(&data);
	free_data(&turned);
}

/* Sizes at the edge: what must work, and what must be refused. */
static void
test_small(const Caller *caller)
{
	static const int shapes[][2] = {{2, 2}, {3, 2}, {3, 3}, {5, 2}, {7, 7}, {9, 7}, {20, 2}};
	Model	   *model;
	CrossValidation validation;
	Score		score[20];
	TrainOptions options = defaults;
	Data		data;

	for (int s = 0; s < (int) (sizeof(shapes) / sizeof(shapes[0])); s++)
		for (int refine = -1; refine <= 1; refine++)
		{
			int			n = shapes[s][0];
			int			classes = shapes[s][1];

			data = make_data(n, 6, classes, 0.5, 1, 2);
			data.rows.sparse = &data.sparse;
			REQUIRE(train(caller, &data, refine, &model, &validation) == STATUS_OK);
			CHECK(model_score(caller, model, &data.rows, score, NULL) == STATUS_OK);
			for (int i = 0; i < n; i++)
			{
				CHECK(isfinite(score[i].epistemic) && score[i].confidence > 0.0f);
				CHECK(score[i].label == data.label[i]);
			}
			CHECK(model_scale(model) > 0.1 && model_scale(model) < 10.0);
			free_validation(caller, &validation);
			model_free(caller, model);
			free_data(&data);
		}

	data = make_data(20, 6, 2, 0.5, 1, 2);
	CHECK(model_train(caller, &data.rows, data.label, 1, &options, &model, NULL) ==
		  STATUS_BAD_ARGUMENT);
	CHECK(model_train(caller, &data.rows, data.label, 3, &options, &model, NULL) ==
		  STATUS_BAD_ARGUMENT && model == NULL);
	data.label[3] = 2;
	CHECK(train(caller, &data, 0, &model, NULL) == STATUS_BAD_ARGUMENT);
	data.label[3] = -1;
	CHECK(train(caller, &data, 0, &model, NULL) == STATUS_BAD_ARGUMENT);
	data.label[3] = 1;
	data.dense[5] = NAN;
	CHECK(train(caller, &data, 0, &model, NULL) == STATUS_NOT_FINITE);
	data.dense[5] = INFINITY;
	CHECK(train(caller, &data, 0, &model, NULL) == STATUS_NOT_FINITE);
	data.dense[5] = 0.1f;
	data.weight[7] = NAN;
	data.rows.sparse = &data.sparse;
	CHECK(train(caller, &data, 1, &model, NULL) == STATUS_NOT_FINITE);
	data.weight[7] = 0.1f;
	data.index[TERMS - 1] = data.rows.sparse_dims;
	CHECK(train(caller, &data, 1, &model, NULL) == STATUS_BAD_ARGUMENT);
	free_data(&data);
}

/* Rows that are all alike, that are zero, and that are told apart for sure. */
static void
test_degenerate(const Caller *caller)
{
	Data		data = make_data(60, 8, 3, 0.3, 1, 2);
	Model	   *model;
	Score		score[60];
	float		probability[60 * 3];

	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_OK);
	CHECK(accuracy_on(caller, model, &data) == 1.0);
	CHECK(model_score(caller, model, &data.rows, score, probability) == STATUS_OK);
	for (int i = 0; i < 60; i++)
		CHECK(score[i].confidence > 0.6f && score[i].confidence <= 1.0f);
	/* scoring refuses what it cannot know */
	data.dense[0] = NAN;
	CHECK(model_score(caller, model, &data.rows, score, NULL) == STATUS_NOT_FINITE);
	data.rows.dims = 7;
	CHECK(model_score(caller, model, &data.rows, score, NULL) == STATUS_BAD_ARGUMENT);
	data.rows.dims = 8;
	model_free(caller, model);

	for (int i = 0; i < 60 * 8; i++)
		data.dense[i] = i % 8 == 0 ? 1.0f : 0.0f;
	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_OK);
	CHECK(model_score(caller, model, &data.rows, score, probability) == STATUS_OK);
	for (int i = 0; i < 60 * 3; i++)
		CHECK_NEAR(probability[i], 1.0 / 3, 0.05);
	model_free(caller, model);

	memset(data.dense, 0, sizeof(float) * 60 * 8);
	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_OK);
	CHECK(model_score(caller, model, &data.rows, score, probability) == STATUS_OK);
	CHECK_NEAR(probability[0], 1.0 / 3, 1e-5);
	model_free(caller, model);
	free_data(&data);
}

/* A row that says nothing: the shares of the classes, and great doubt. */
static void
test_empty_row(const Caller *caller, int refine)
{
	Data		data = make_data(400, 16, 4, 0.8, 1, 2);
	float		zero[16] = {0};
	size_t		start[2] = {0, 0};
	SparseRows	sparse = {1, start, data.index, data.weight};
	Rows		row = {1, 16, zero, &sparse, data.rows.sparse_dims};
	Model	   *model;
	float		probability[4];
	Score	   *score = calloc(400, sizeof(Score));
	Score		empty;
	int			below = 0;

	/* class 0 gets most of the rows */
	for (int i = 0; i < 400; i++)
		if (i % 4 == 1 && i < 300)
			data.label[i] = 0;
	data.rows.sparse = &data.sparse;
	REQUIRE(train(caller, &data, refine, &model, NULL) == STATUS_OK);
	REQUIRE(model_score(caller, model, &row, &empty, probability) == STATUS_OK);
	CHECK(empty.label == 0);
	CHECK_NEAR(probability[0], 0.4375, 1e-4);
	CHECK_NEAR(probability[1], 0.0625, 1e-4);
	REQUIRE(model_score(caller, model, &data.rows, score, NULL) == STATUS_OK);
	for (int i = 0; i < 400; i++)
		below += score[i].epistemic < empty.epistemic;
	CHECK(below > 380);
	model_free(caller, model);
	free(score);
	free_data(&data);
}

/* A class that nobody has labelled is doubted more, most of the time. */
static void
test_unseen_class(const Caller *caller)
{
	Data		data = make_data(400, 24, 10, 1.0, 1, 2);
	Model	   *model;
	Score	   *score = calloc(400, sizeof(Score));
	Rows		all = data.rows;
	double		sum[2] = {0};
	int			count[2] = {0};
	int			kept = 0;

	for (int i = 0; i < 200; i++)
		if (data.label[i] < 8)
		{
			memmove(data.dense + kept * 24, data.dense + i * 24, sizeof(float) * 24);
			data.label[kept++] = data.label[i];
		}
	data.rows.n = kept;
	data.classes = 8;
	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_OK);
	all.dense += 200 * 24;
	all.n = 200;
	REQUIRE(model_score(caller, model, &all, score, NULL) == STATUS_OK);
	for (int i = 0; i < 200; i++)
	{
		bool		unseen = i % 10 >= 8;

		sum[unseen] += score[i].epistemic;
		count[unseen]++;
	}
	CHECK(sum[1] / count[1] > 1.5 * sum[0] / count[0]);
	model_free(caller, model);
	free(score);
	free_data(&data);
}

/* Written and read: the same scores; bytes as planned for. */
static void
test_round_trip(const Caller *caller, int refine, int classes)
{
	Data		data = make_data(600, 14, classes, 1.2, 1, 2);
	Model	   *model;
	Model	   *copy;
	Writer		writer;
	Reader		reader;
	Score	   *score[2];

	data.rows.sparse = &data.sparse;
	REQUIRE(train(caller, &data, refine, &model, NULL) == STATUS_OK);
	writer_init(&writer, caller);
	REQUIRE(model_write(model, &writer) == STATUS_OK);
	reader_init(&reader, writer.bytes, writer.length);
	REQUIRE(model_read(caller, &reader, &copy) == STATUS_OK);
	CHECK(reader_left(&reader) == 0);
	for (int i = 0; i < 2; i++)
	{
		score[i] = calloc(600, sizeof(Score));
		REQUIRE(model_score(caller, i ? copy : model, &data.rows, score[i], NULL) == STATUS_OK);
	}
	CHECK(memcmp(score[0], score[1], sizeof(Score) * 600) == 0);
	CHECK(model_scale(copy) == model_scale(model) &&
		  model_prior_precision(copy) == model_prior_precision(model) &&
		  model_refined(copy) == model_refined(model));
	for (int i = 0; i < 2; i++)
		free(score[i]);
	release(caller, writer.bytes);
	model_free(caller, model);
	model_free(caller, copy);
	free_data(&data);
}

/* Reads bytes that may be anything; scores with whatever comes out. */
static Status
read_hostile(const Caller *caller, const unsigned char *bytes, size_t length, const Data *data)
{
	Reader		reader;
	Model	   *model;
	Score		score[20];
	Rows		rows = data->rows;
	Status		status;

	reader_init(&reader, bytes, length);
	status = model_read(caller, &reader, &model);
	if (status != STATUS_OK)
	{
		CHECK(model == NULL);
		return status;
	}
	rows.n = 20;
	model_score(caller, model, &rows, score, NULL);
	model_free(caller, model);
	return status;
}

/* Bytes that nobody has written: an error or a model, never a crash. */
static void
test_hostile_bytes(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Data		data = make_data(100, 5, 3, 1.0, 1, 2);
	Model	   *model;
	Writer		writer;
	unsigned char *bytes;
	Random		random;
	size_t		before;
	int			refused = 0;

	data.rows.sparse = &data.sparse;
	REQUIRE(train(&caller, &data, 1, &model, NULL) == STATUS_OK);
	writer_init(&writer, &caller);
	REQUIRE(model_write(model, &writer) == STATUS_OK);
	model_free(&caller, model);
	bytes = malloc(writer.length);
	before = memory.bytes;
	memory.peak = before;
	random_seed(&random, 4);
	for (size_t length = 0; length < writer.length; length += 1 + length / 50)
	{
		/* an exact copy, so that the sanitizers see a read beyond its end */
		unsigned char *part = malloc(length + (length == 0));

		memcpy(part, writer.bytes, length);
		CHECK(read_hostile(&caller, part, length, &data) == STATUS_CORRUPT);
		free(part);
	}
	for (int turn = 0; turn < 2000; turn++)
	{
		int			changes = 1 + (int) random_below(&random, 4);

		memcpy(bytes, writer.bytes, writer.length);
		for (int i = 0; i < changes; i++)
		{
			size_t		limit = turn % 2 ? writer.length : 64;

			bytes[random_below(&random, limit)] = turn % 3 == 0 ? 0xff
				: (unsigned char) random_bits(&random);
		}
		refused += read_hostile(&caller, bytes, writer.length, &data) != STATUS_OK;
	}
	CHECK(refused > 500);
	CHECK(memory.bytes == before);
	/* nothing was allocated that the bytes could not fill, but for the slots
	 * of n-grams, which are bounded */
	CHECK(memory.peak < before + ((size_t) 1 << 29));
	free(bytes);
	release(&caller, writer.bytes);
	CHECK(memory.blocks == 0);
	free_data(&data);
}

/* Peak of training against the plan, for several shapes. */
static void
test_memory_plan(void)
{
	static const int shapes[][3] = {{4, 3, 2}, {60, 8, 3}, {700, 40, 2}, {3000, 20, 30}, {900, 10, 300}};

	for (int s = 0; s < (int) (sizeof(shapes) / sizeof(shapes[0])); s++)
		for (int refine = -1; refine <= 1; refine++)
		{
			UnitMemory	memory;
			Caller		caller = unit_caller(&memory);
			int			n = shapes[s][0];
			Data		data = make_data(n, shapes[s][1], shapes[s][2], 1.0, 1, 2);
			TrainOptions options = defaults;
			CrossValidation validation;
			Model	   *model;
			size_t		plan;

			options.refine = refine;
			data.rows.sparse = &data.sparse;
			plan = model_train_memory(n, shapes[s][1], (size_t) n * TERMS,
									  data.rows.sparse_dims, shapes[s][2], &options);
			REQUIRE(model_train(&caller, &data.rows, data.label, data.classes, &options,
								&model, &validation) == STATUS_OK);
			CHECK(memory.peak <= plan);
			/* and no idle boast: within a few times of it, but for blocks */
			CHECK(plan < 6 * memory.peak + (4 << 20));
			free_validation(&caller, &validation);
			model_free(&caller, model);
			CHECK(memory.blocks == 0);
			free_data(&data);
		}
}

/* Runs out of memory, or is stopped, at every possible place. */
static void
test_failures(void)
{
	Data		data = make_data(40, 5, 3, 1.0, 1, 2);
	Data		targets = make_data(10, 5, 3, 1.0, 1, 3);
	long		step = 1;

	data.rows.sparse = &data.sparse;
	targets.rows.sparse = &targets.sparse;
	for (int what = 0; what < 2; what++)
	{
		Status		status = STATUS_NO_MEMORY;

		for (long at = 1; status != STATUS_OK && at < 100000; at += step)
		{
			UnitMemory	memory;
			Caller		caller = unit_caller(&memory);
			Model	   *model = NULL;
			CrossValidation validation = {0};
			Writer		writer;
			int			chosen[10];
			float		gain[10];
			Score		score[40];

			memory.fail_at = what == 0 ? at : 0;
			memory.stop_at = what == 1 ? at : 0;
			writer_init(&writer, &caller);
			status = train(&caller, &data, -1, &model, &validation);
			CHECK(status == STATUS_OK || model == NULL);
			if (status == STATUS_OK)
				status = model_score(&caller, model, &data.rows, score, NULL);
			if (status == STATUS_OK)
				status = choose_epig(&caller, model, &data.rows, &targets.rows, 3, 10,
									 chosen, gain);
			if (status == STATUS_OK)
				status = choose_seed_batch(&caller, data.dense, 40, 5, 10, 1, chosen);
			if (status == STATUS_OK)
				status = model_write(model, &writer);
			if (status == STATUS_OK)
			{
				Reader		reader;
				Model	   *copy;

				reader_init(&reader, writer.bytes, writer.length);
				status = model_read(&caller, &reader, &copy);
				model_free(&caller, copy);
			}
			CHECK(status == STATUS_OK ||
				  status == (what == 0 ? STATUS_NO_MEMORY : STATUS_STOPPED));
			release(&caller, writer.bytes);
			free_validation(&caller, &validation);
			model_free(&caller, model);
			CHECK(memory.blocks == 0);
		}
		CHECK(status == STATUS_OK);
	}
	free_data(&data);
	free_data(&targets);
}

/*
 * Seeds: a cluster each before any twice, typical rows before outliers, and
 * the beginning of a longer choice is the shorter one.
 */
static void
test_seeds(const Caller *caller)
{
	Data		data = make_data(1500, 20, 15, 0.25, 1, 2);
	int			chosen[1500];
	int			fewer[15];
	bool		seen[1500] = {false};
	bool		covered[15] = {false};
	int			clusters = 0;
	int			outlier = -1;

	/* a row that is like nothing else, copies of a row, and a zero row */
	for (int j = 0; j < 20; j++)
	{
		data.dense[100 * 20 + j] = j % 2 ? 0.2236f : -0.2236f;
		for (int i = 200; i < 260; i++)
			data.dense[i * 20 + j] = data.dense[300 * 20 + j];
		data.dense[400 * 20 + j] = 0.0f;
	}
	CHECK(choose_seed_batch(caller, data.dense, 1500, 20, 1500, 1, chosen) == STATUS_OK);
	CHECK(choose_seed_batch(caller, data.dense, 1500, 20, 15, 1, fewer) == STATUS_OK);
	CHECK(memcmp(chosen, fewer, sizeof(fewer)) == 0);
	for (int i = 0; i < 1500; i++)
	{
		REQUIRE(chosen[i] >= 0 && chosen[i] < 1500 && !seen[chosen[i]]);
		seen[chosen[i]] = true;
		if (chosen[i] == 100)
			outlier = i;
		if (chosen[i] == 400)
			CHECK(i > 1000);
	}
	for (int i = 0; i < 15; i++)
	{
		clusters += !covered[data.label[chosen[i]]];
		covered[data.label[chosen[i]]] = true;
	}
	CHECK(clusters >= 14);
	CHECK(outlier >= 15);
	CHECK(choose_seed_batch(caller, data.dense, 1500, 20, 1501, 1, chosen) ==
		  STATUS_BAD_ARGUMENT);
	data.dense[7] = NAN;
	CHECK(choose_seed_batch(caller, data.dense, 1500, 20, 10, 1, chosen) == STATUS_NOT_FINITE);
	free_data(&data);
}

/* EPIG on a model: copies of a row do not follow each other. */
static void
test_epig_duplicates(const Caller *caller)
{
	Data		data = make_data(60, 10, 4, 1.5, 1, 2);
	Data		pool = make_data(300, 10, 4, 1.5, 1, 3);
	Model	   *model;
	Rows		targets = pool.rows;
	int			chosen[300];
	float		gain[300];
	int			copies = 0;

	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_OK);
	targets.n = 100;
	REQUIRE(choose_epig(caller, model, &pool.rows, &targets, 10, 300, chosen, gain) == STATUS_OK);
	for (int i = 0; i < 300; i++)
		CHECK(isfinite(gain[i]) && gain[i] >= 0.0f);
	CHECK(gain[0] > gain[9] && gain[9] > gain[290]);
	/* forty copies of the best */
	for (int i = 100; i < 140; i++)
		memcpy(pool.dense + i * 10, pool.dense + chosen[0] * 10, sizeof(float) * 10);
	REQUIRE(choose_epig(caller, model, &pool.rows, &targets, 10, 10, chosen, gain) == STATUS_OK);
	for (int i = 0; i < 10; i++)
		copies += memcmp(pool.dense + chosen[i] * 10, pool.dense + 100 * 10,
						 sizeof(float) * 10) == 0;
	CHECK(copies >= 1 && copies <= 3);
	/* rows that say nothing gain nothing, and are no error */
	memset(pool.dense, 0, sizeof(float) * 300 * 10);
	CHECK(choose_epig(caller, model, &pool.rows, &targets, 10, 50, chosen, gain) == STATUS_OK);
	CHECK(choose_epig(caller, model, &pool.rows, &targets, 10, 301, chosen, gain) ==
		  STATUS_BAD_ARGUMENT);
	model_free(caller, model);
	free_data(&data);
	free_data(&pool);
}

static void
test_candidate_scores(void)
{
	Score		score = {1, 0.7f, 0.4f, 0.9f, 0.5f, 0.4f};
	double		mean = 0.0;

	CHECK(candidate_score(ACQUIRE_EPIG, &score, 1, 2) == -0.4f);
	CHECK(candidate_score(ACQUIRE_MARGIN, &score, 1, 2) == -0.4f);
	CHECK(candidate_score(ACQUIRE_BALD, &score, 1, 2) == 0.4f);
	CHECK(candidate_score(ACQUIRE_ENTROPY, &score, 1, 2) == 0.9f);
	for (int i = 0; i < 1000; i++)
		mean += candidate_score(ACQUIRE_RANDOM, &score, 1, i) / 1000;
	CHECK_NEAR(mean, 0.5, 0.05);
	CHECK(candidate_score(ACQUIRE_RANDOM, &score, 1, 2) ==
		  candidate_score(ACQUIRE_RANDOM, &score, 1, 2));
	CHECK(candidate_score(ACQUIRE_RANDOM, &score, 1, 2) !=
		  candidate_score(ACQUIRE_RANDOM, &score, 2, 2));
}

int
main(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	matrix = matrix_blas_ops();
	test_learns(&caller, 300, 2, 0, 0.9);
	test_learns(&caller, 300, 2, 1, 0.9);
	test_learns(&caller, 400, 6, 1, 0.75);
	test_learns(&caller, 3000, 6, 0, 0.75);
	test_learns(&caller, 3000, 40, 1, 0.6);
	test_learns(&caller, 900, 300, 1, 0.05);
	test_chooses_refine(&caller);
	test_determinism(&caller);
	test_order_of_rows(&caller);
	test_small(&caller);
	test_degenerate(&caller);
	test_empty_row(&caller, 0);
	test_empty_row(&caller, 1);
	test_unseen_class(&caller);
	test_round_trip(&caller, 0, 3);
	test_round_trip(&caller, 1, 2);
	test_round_trip(&caller, 1, 150);
	test_seeds(&caller);
	test_epig_duplicates(&caller);
	test_candidate_scores();
	CHECK(memory.blocks == 0);
	test_hostile_bytes();
	test_memory_plan();
	test_failures();
	return unit_end();
}
