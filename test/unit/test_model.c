/*-------------------------------------------------------------------------
 *
 * test_model.c
 *	  Whole models: what they learn, what they cost, what they survive.
 *
 *-------------------------------------------------------------------------
 */
#include "learn_data.h"

#include "../../src/learn/acquisition.h"
#include "../../src/learn/metrics.h"
#include "../../src/learn/model_internal.h"
#include "../../src/math/matrix.h"

/* Scores all rows; the accuracy. */
static double
accuracy_on(const Caller *caller, const Model *model, const Data *data)
{
	Score	   *score = calloc(data->rows.n, sizeof(Score));
	int			hits = 0;

	REQUIRE(model_score(caller, model, &data->rows, score, NULL) == STATUS_SUCCESS);
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
	REQUIRE(train(caller, &data, refine, &model, &validation) == STATUS_SUCCESS);
	CHECK(model_refined(model) == (refine != 0));
	CHECK(model_features(model) ==
		  12 + (refine ? (classes == 2 ? 1 : classes) : 0) + 1);
	CHECK(model_classes(model) == classes && validation.folds == 5 && validation.n == n);
	CHECK(model_suits(model, 12, data.rows.sparse_dims) && !model_suits(model, 13, data.rows.sparse_dims));
	CHECK(model_suits(model, 12, data.rows.sparse_dims + 1) == (refine == 0));
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
	REQUIRE(train(caller, &data, -1, &model, NULL) == STATUS_SUCCESS);
	CHECK(model_refined(model));
	model_free(caller, model);
	/* words without meaning beside features that say it all */
	for (size_t t = 0; t < 400 * TERMS; t++)
		blind.index[t] = (uint32_t) (t % TERMS * 20 + t / TERMS % 7);
	blind.rows.sparse = &blind.sparse;
	REQUIRE(train(caller, &blind, -1, &model, NULL) == STATUS_SUCCESS);
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
		REQUIRE(train(caller, &data, 1, &model[i], NULL) == STATUS_SUCCESS);
		writer_init(&writer[i], caller);
		REQUIRE(model_write(model[i], &writer[i]) == STATUS_SUCCESS);
	}
	CHECK(writer[0].length == writer[1].length &&
		  memcmp(writer[0].bytes, writer[1].bytes, writer[0].length) == 0);
	REQUIRE(model_score(caller, model[0], &data.rows, together, probability) == STATUS_SUCCESS);
	for (int i = 0; i < 300; i++)
	{
		SparseRows	sparse = {1, data.start + i, data.index, data.weight};
		Rows		row = {
			.n = 1, .dims = 10, .dense = data.dense + i * 10, .sparse = &sparse,
			.sparse_dims = data.rows.sparse_dims
		};
		float		alone[5];
		Score		score;

		REQUIRE(model_score(caller, model[0], &row, &score, alone) == STATUS_SUCCESS);
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
	REQUIRE(model_train(caller, &data.rows, data.label, 4, &options, &model[0], NULL) == STATUS_SUCCESS);
	REQUIRE(model_train(caller, &turned.rows, turned.label, 4, &options, &model[1],
						NULL) == STATUS_SUCCESS);
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
			REQUIRE(train(caller, &data, refine, &model, &validation) == STATUS_SUCCESS);
			CHECK(model_score(caller, model, &data.rows, score, NULL) == STATUS_SUCCESS);
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

	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_SUCCESS);
	CHECK(accuracy_on(caller, model, &data) == 1.0);
	CHECK(model_score(caller, model, &data.rows, score, probability) == STATUS_SUCCESS);
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
	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_SUCCESS);
	CHECK(model_score(caller, model, &data.rows, score, probability) == STATUS_SUCCESS);
	for (int i = 0; i < 60 * 3; i++)
		CHECK_NEAR(probability[i], 1.0 / 3, 0.05);
	model_free(caller, model);

	memset(data.dense, 0, sizeof(float) * 60 * 8);
	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_SUCCESS);
	CHECK(model_score(caller, model, &data.rows, score, probability) == STATUS_SUCCESS);
	CHECK_NEAR(probability[0], 1.0 / 3, 1e-5);
	model_free(caller, model);
	free_data(&data);
}

/* The variance of an empty row: the constant's, and that of an unknown unit row. */
static void
check_empty_score(const Model *model, const Score *empty)
{
	float		row[17] = {0};
	float		scratch[17 > 4 * (DRAWS + 3) ? 17 : 4 * (DRAWS + 3)];
	float		variance[4];
	float		probability[4];
	Score		score;

	row[16] = 1.0f;
	posterior_variance(model->posterior, row, 1, scratch, variance);
	for (int k = 0; k < 4; k++)
		variance[k] += (float) (1.0 / model->posterior->prior_precision);
	score_row(&model->draws, model->log_prior, variance, scratch, probability, &score);
	CHECK_NEAR(score.epistemic, empty->epistemic, 1e-5);
	CHECK_NEAR(score.total, empty->total, 1e-5);
}

/* A row that says nothing: the shares of the classes, and great doubt. */
static void
test_empty_row(const Caller *caller, int refine)
{
	Data		data = make_data(400, 16, 4, 0.8, 1, 2);
	float		zero[16] = {0};
	size_t		start[2] = {0, 0};
	SparseRows	sparse = {1, start, data.index, data.weight};
	Rows		row = {
		.n = 1, .dims = 16, .dense = zero, .sparse = &sparse, .sparse_dims = data.rows.sparse_dims
	};
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
	REQUIRE(train(caller, &data, refine, &model, NULL) == STATUS_SUCCESS);
	REQUIRE(model_score(caller, model, &row, &empty, probability) == STATUS_SUCCESS);
	CHECK(empty.label == 0);
	CHECK_NEAR(probability[0], 0.4375, 1e-4);
	CHECK_NEAR(probability[1], 0.0625, 1e-4);
	REQUIRE(model_score(caller, model, &data.rows, score, NULL) == STATUS_SUCCESS);
	for (int i = 0; i < 400; i++)
		below += score[i].epistemic < empty.epistemic;
	CHECK(below > 380);
	CHECK_NEAR(model->posterior->prior_precision,
			   model_prior_precision(model) / pow(model_scale(model), 2), 1e-9);
	if (refine == 0)
		check_empty_score(model, &empty);
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
	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_SUCCESS);
	all.dense += 200 * 24;
	all.n = 200;
	REQUIRE(model_score(caller, model, &all, score, NULL) == STATUS_SUCCESS);
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
	REQUIRE(train(caller, &data, refine, &model, NULL) == STATUS_SUCCESS);
	writer_init(&writer, caller);
	REQUIRE(model_write(model, &writer) == STATUS_SUCCESS);
	reader_init(&reader, writer.bytes, writer.length);
	REQUIRE(model_read(caller, &reader, &copy) == STATUS_SUCCESS);
	CHECK(reader_left(&reader) == 0);
	for (int i = 0; i < 2; i++)
	{
		score[i] = calloc(600, sizeof(Score));
		REQUIRE(model_score(caller, i ? copy : model, &data.rows, score[i], NULL) == STATUS_SUCCESS);
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
	if (status != STATUS_SUCCESS)
	{
		CHECK(model == NULL);
		return status;
	}
	rows.n = 20;
	CHECK(model_score(caller, model, &rows, score, NULL) != STATUS_NO_MEMORY);
	model_free(caller, model);
	return status;
}

/* Sizes far beyond what follows are refused before memory is asked for. */
static void
test_hostile_sizes(const Caller *caller, const Writer *writer, unsigned char *bytes,
				   const Data *data)
{
	UnitMemory *memory = caller->state;
	uint32_t	sparse_dims = data->rows.sparse_dims;
	uint32_t	huge = 1 << 24;
	size_t		before = memory->bytes;
	int			found = 0;

	for (size_t at = 0; at + 8 <= writer->length; at++)
	{
		uint32_t	value;

		memcpy(&value, writer->bytes + at, 4);
		if (value != sparse_dims)
			continue;
		memcpy(bytes, writer->bytes, writer->length);
		memcpy(bytes + at, &huge, 4);
		memcpy(bytes + at + 4, &huge, 4);
		memory->peak = before;
		CHECK(read_hostile(caller, bytes, writer->length, data) == STATUS_CORRUPT);
		CHECK(memory->peak < before + (1 << 20));
		found++;
	}
	CHECK(found == 1);
	/* classes, dims */
	for (size_t at = 8; at <= 12; at += 4)
	{
		huge = 1 << 20;
		memcpy(bytes, writer->bytes, writer->length);
		memcpy(bytes + at, &huge, 4);
		memory->peak = before;
		CHECK(read_hostile(caller, bytes, writer->length, data) == STATUS_CORRUPT);
		CHECK(memory->peak < before + (1 << 20));
	}
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
	REQUIRE(train(&caller, &data, 1, &model, NULL) == STATUS_SUCCESS);
	writer_init(&writer, &caller);
	REQUIRE(model_write(model, &writer) == STATUS_SUCCESS);
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
		refused += read_hostile(&caller, bytes, writer.length, &data) != STATUS_SUCCESS;
	}
	CHECK(refused > 500);
	/* not a number, wherever numbers are; the last bytes are small integers */
	memcpy(bytes, writer.bytes, writer.length);
	refused = 0;
	for (size_t at = 20; at < writer.length; at += 4)
	{
		memset(bytes + at, 0xff, writer.length - at < 4 ? writer.length - at : 4);
		refused += read_hostile(&caller, bytes, writer.length, &data) == STATUS_CORRUPT;
		memcpy(bytes + at, writer.bytes + at, writer.length - at < 4 ? writer.length - at : 4);
	}
	CHECK(refused * 4 > (int) (writer.length - 20 - 4 * (int) data.rows.sparse_dims));
	for (size_t at = 36; at < 36 + (5 + 3 + 1 + 1) * 3 * sizeof(float); at += 4)
	{
		memcpy(bytes, writer.bytes, writer.length);
		memset(bytes + at, 0xff, 4);
		CHECK(read_hostile(&caller, bytes, writer.length, &data) == STATUS_CORRUPT);
	}
	test_hostile_sizes(&caller, &writer, bytes, &data);
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
	static const int shapes[][3] = {{4, 3, 2}, {60, 8, 3}, {700, 40, 2}, {3000, 20, 30}, {900, 10, 300}, {320, 60, 150}};

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
			plan = model_train_memory(n, shapes[s][1], 0, (size_t) n * TERMS,
									  data.rows.sparse_dims, shapes[s][2], &options);
			REQUIRE(model_train(&caller, &data.rows, data.label, data.classes, &options,
								&model, &validation) == STATUS_SUCCESS);
			CHECK(memory.peak <= plan);
			/* and no idle boast: within a few times of it, but for blocks */
			CHECK(plan < 2 * memory.peak + 100000);
			free_validation(&caller, &validation);
			model_free(&caller, model);
			CHECK(memory.blocks == 0);
			free_data(&data);
		}
}

/* Asks whether to stop all the time, not only between folds. */
static void
test_asks_often(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Data		data = make_data(2000, 5, 3, 1.0, 1, 2);
	int		   *fold = calloc(2000, sizeof(int));
	float	   *features = calloc(2000 * 3, sizeof(float));
	Refine	   *refine;

	for (int i = 0; i < 2000; i++)
		fold[i] = i % 5;
	CHECK(refine_train(&caller, &data.sparse, data.rows.sparse_dims, data.label, 3, fold, 5, 1,
					   &refine, features) == STATUS_SUCCESS);
	/* every 256 rows in 6 passes, and for each fold in 2 and about 2 x 0.8 */
	CHECK(memory.questions >= 6 * 8 + 5 * (2 * 8 + 2 * 7));
	refine_free(&caller, refine);
	CHECK(memory.blocks == 0);
	free(fold);
	free(features);
	free_data(&data);
}

/* Where LAPACK has no memory for itself. */
static void
test_lapack_memory(const Data *data)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	MatrixOps	ops = *matrix_blas_ops();
	Model	   *model = NULL;
	CrossValidation validation = {0};

	ops.syevd = unit_syevd_no_memory;
	matrix = &ops;
	CHECK(train(&caller, data, -1, &model, &validation) == STATUS_NO_MEMORY);
	CHECK(model == NULL);
	free_validation(&caller, &validation);
	CHECK(memory.blocks == 0);
	matrix = matrix_blas_ops();
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

		for (long at = 1; status != STATUS_SUCCESS && at < 100000; at += step)
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
			CHECK(status == STATUS_SUCCESS || model == NULL);
			if (status == STATUS_SUCCESS)
				status = model_score(&caller, model, &data.rows, score, NULL);
			if (status == STATUS_SUCCESS)
				status = choose_epig(&caller, model, &data.rows, &targets.rows, 3, 10,
									 chosen, gain);
			if (status == STATUS_SUCCESS)
				status = choose_seed_batch(&caller, data.dense, 40, 5, 10, 1, chosen);
			if (status == STATUS_SUCCESS)
				status = model_write(model, &writer);
			if (status == STATUS_SUCCESS)
			{
				Reader		reader;
				Model	   *copy;

				reader_init(&reader, writer.bytes, writer.length);
				status = model_read(&caller, &reader, &copy);
				model_free(&caller, copy);
			}
			CHECK(status == STATUS_SUCCESS ||
				  status == (what == 0 ? STATUS_NO_MEMORY : STATUS_STOPPED));
			release(&caller, writer.bytes);
			free_validation(&caller, &validation);
			model_free(&caller, model);
			CHECK(memory.blocks == 0);
		}
		CHECK(status == STATUS_SUCCESS);
	}
	test_lapack_memory(&data);
	free_data(&data);
	free_data(&targets);
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
	CHECK(memory.blocks == 0);
	test_hostile_bytes();
	test_memory_plan();
	test_asks_often();
	test_failures();
	return unit_end();
}
