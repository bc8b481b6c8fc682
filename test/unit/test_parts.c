/*-------------------------------------------------------------------------
 *
 * test_parts.c
 *	  Rows of several parts: how much each counts, and that it is kept.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/model_internal.h"
#include "../../src/learn/parts.h"
#include "learn_data.h"

#define N 120
#define K 4
#define DIMS 12

/* The features of some data beside those of others, each at 1 / root 2. */
typedef struct Beside
{
	float	   *dense;
	int			part_dims[2];
	Rows		rows;
} Beside;

static Beside
place(const Data *left, const Data *right)
{
	Beside		beside = {NULL, {left->rows.dims, right->rows.dims}, left->rows};
	int			dims = left->rows.dims + right->rows.dims;

	beside.dense = calloc((size_t) left->rows.n * (size_t) dims, sizeof(float));
	for (int i = 0; i < left->rows.n; i++)
		for (int j = 0; j < dims; j++)
			beside.dense[i * dims + j] = (float) sqrt(0.5) *
				(j < left->rows.dims ? left->dense[i * left->rows.dims + j] :
				 right->dense[i * right->rows.dims + j - left->rows.dims]);
	beside.rows.dims = dims;
	beside.rows.dense = beside.dense;
	beside.rows.sparse = NULL;
	beside.rows.sparse_dims = 0;
	beside.rows.parts = 2;
	return beside;
}

static const Rows *
rows_of(Beside *beside)
{
	beside->rows.part_dims = beside->part_dims;
	return &beside->rows;
}

static float
largest(const float *share)
{
	return share[0] > share[1] ? share[0] : share[1];
}

/* None that is more even could be the best, and none as even is better. */
static void
check_most_even(const Model *model, const CrossValidation *validation)
{
	const float chosen[2] = {model_share(model, 0), model_share(model, 1)};
	double		lowest = INFINITY;
	double		loss = NAN;

	for (int i = 0; i < validation->trials; i++)
	{
		const PartTrial *trial = &validation->trial[i];

		lowest = fmin(lowest, trial->log_loss);
		if (trial->share[0] == chosen[0])
			loss = trial->log_loss;
	}
	CHECK(loss <= lowest + share_gain(N));
	for (int i = 0; i < validation->trials; i++)
	{
		const PartTrial *trial = &validation->trial[i];

		if (largest(trial->share) < largest(chosen))
			CHECK(trial->log_loss > lowest + share_gain(N));
		if (largest(trial->share) == largest(chosen))
			CHECK(trial->log_loss >= loss);
	}
}

/* A part that says nothing of the classes counts little, one like the other as much. */
static void
test_choice(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Data		good = make_data(N, DIMS, K, 0.8, 1, 2);
	Data		noise = make_data(N, DIMS, K, 1000.0, 3, 4);
	Data		other = make_data(N, DIMS, K, 0.8, 5, 6);
	Beside		mixed = place(&good, &noise);
	Beside		twice = place(&good, &other);
	CrossValidation validation;
	Model	   *model;

	REQUIRE(model_train(&caller, rows_of(&mixed), good.label, K, &defaults, &model, &validation) == STATUS_SUCCESS);
	CHECK(model_parts(model) == 2);
	CHECK(model_share(model, 0) >= 0.79f);
	CHECK_NEAR(model_share(model, 0) + model_share(model, 1), 1.0, 1e-6);
	REQUIRE(validation.trials == 5);
	CHECK_NEAR(validation.trial[0].share[0], 0.5, 1e-6);
	CHECK_NEAR(validation.trial[1].share[0], 1.0, 1e-6);
	CHECK_NEAR(validation.trial[4].share[1], 0.8, 1e-6);
	CHECK(validation.trial[1].log_loss < validation.trial[0].log_loss);
	CHECK(validation.trial[1].log_loss < 0.5 * validation.trial[2].log_loss);
	CHECK(validation.trial[1].accuracy > 0.9 && validation.trial[2].accuracy < 0.5);
	check_most_even(model, &validation);
	free_validation(&caller, &validation);
	model_free(&caller, model);
	REQUIRE(model_train(&caller, rows_of(&twice), good.label, K, &defaults, &model, &validation) == STATUS_SUCCESS);
	CHECK_NEAR(model_share(model, 0), 0.5, 1e-6);
	CHECK(validation.trial[0].log_loss < validation.trial[1].log_loss);
	check_most_even(model, &validation);
	free_validation(&caller, &validation);
	model_free(&caller, model);
	CHECK(memory.blocks == 0);
	free(mixed.dense);
	free(twice.dense);
	free_data(&good);
	free_data(&noise);
	free_data(&other);
}

static Model *
read_back(const Caller *caller, const Model *model)
{
	Writer		writer;
	Reader		reader;
	Model	   *read = NULL;

	writer_init(&writer, caller);
	REQUIRE(model_write(model, &writer) == STATUS_SUCCESS);
	reader_init(&reader, writer.bytes, writer.length);
	REQUIRE(model_read(caller, &reader, &read) == STATUS_SUCCESS);
	CHECK(reader_left(&reader) == 0);
	for (size_t length = 0; length < writer.length; length += 1 + writer.length / 300)
	{
		Model	   *cut;

		reader_init(&reader, writer.bytes, length);
		CHECK(model_read(caller, &reader, &cut) == STATUS_CORRUPT && cut == NULL);
	}
	/* shares that do not make a whole; a part too many */
	for (size_t at = 36; at < 56; at += 4)
	{
		Model	   *damaged;

		writer.bytes[at] ^= 0x40;
		writer.bytes[at + 3] ^= 0x40;
		reader_init(&reader, writer.bytes, writer.length);
		CHECK(model_read(caller, &reader, &damaged) == STATUS_CORRUPT);
		writer.bytes[at] ^= 0x40;
		writer.bytes[at + 3] ^= 0x40;
	}
	release(caller, writer.bytes);
	return read;
}

/*
 * At given shares it is the model of rows that are scaled so by hand; stored,
 * read and trained again it stays that.
 */
static void
test_given(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Data		data = make_data(N, DIMS, K, 1.0, 1, 2);
	Data		other = make_data(N, DIMS, K, 1.0, 3, 4);
	Beside		mixed = place(&data, &other);
	const float share[2] = {0.3f, 0.7f};
	TrainOptions options = defaults;
	Rows		whole = mixed.rows;
	float	   *scaled = calloc((size_t) N * 2 * DIMS, sizeof(float));
	CrossValidation validation;
	Model	   *model[4];
	Score		score[4][N];

	for (int i = 0; i < N * 2 * DIMS; i++)
		scaled[i] = mixed.dense[i] * (float) sqrt(2.0 * (i % (2 * DIMS) < DIMS ? 0.3 : 0.7));
	whole.dense = scaled;
	whole.parts = 0;
	options.share = share;
	REQUIRE(model_train(&caller, rows_of(&mixed), data.label, K, &options, &model[0], &validation) == STATUS_SUCCESS);
	CHECK(validation.trials == 0);
	REQUIRE(model_train(&caller, &whole, data.label, K, &options, &model[1], NULL) == STATUS_SUCCESS);
	model[2] = read_back(&caller, model[0]);
	options.prior_precision = model_prior_precision(model[0]);
	options.refine = 0;
	options.share = NULL;
	CHECK(model_train_again(&caller, rows_of(&mixed), data.label, K, &options, model_scale(model[0]),
							validation.probability, &model[3]) == STATUS_BAD_ARGUMENT);
	options.share = share;
	REQUIRE(model_train_again(&caller, rows_of(&mixed), data.label, K, &options, model_scale(model[0]),
							  validation.probability, &model[3]) == STATUS_SUCCESS);
	CHECK(model_parts(model[2]) == 2 && model_share(model[2], 1) == 0.7f);
	for (int m = 0; m < 4; m++)
		REQUIRE(model_score(&caller, model[m], m == 1 ? &whole : rows_of(&mixed), score[m], NULL) == STATUS_SUCCESS);
	for (int i = 0; i < N; i++)
	{
		CHECK_NEAR(score[0][i].confidence, score[1][i].confidence, 1e-5);
		CHECK_NEAR(score[0][i].epistemic, score[1][i].epistemic, 1e-5);
		CHECK(score[0][i].confidence == score[2][i].confidence);
		CHECK_NEAR(score[0][i].confidence, score[3][i].confidence, 1e-3);
	}
	for (int m = 0; m < 4; m++)
		model_free(&caller, model[m]);
	free_validation(&caller, &validation);
	free(scaled);
	free(mixed.dense);
	free_data(&data);
	free_data(&other);
}

/* The plan holds, and every failing allocation is a status. */
static void
test_memory(void)
{
	Data		data = make_data(3000, DIMS, K, 1.0, 1, 2);
	Data		other = make_data(3000, DIMS, K, 1.0, 3, 4);
	Beside		mixed = place(&data, &other);

	for (int n = 60; n <= 3000; n += 2940)
	{
		UnitMemory	memory;
		Caller		caller = unit_caller(&memory);
		Rows		rows = *rows_of(&mixed);
		CrossValidation validation;
		Model	   *model;
		size_t		plan = model_train_memory(n, 2 * DIMS, 2, 0, 0, K, &defaults);

		rows.n = n;
		REQUIRE(model_train(&caller, &rows, data.label, K, &defaults, &model, &validation) == STATUS_SUCCESS);
		CHECK(memory.peak <= plan);
		free_validation(&caller, &validation);
		model_free(&caller, model);
		CHECK(memory.blocks == 0);
	}
	for (long fail = 1; fail < 400; fail += 7)
	{
		UnitMemory	memory;
		Caller		caller = unit_caller(&memory);
		Rows		rows = *rows_of(&mixed);
		Model	   *model;
		Status		status;

		rows.n = 60;
		memory.fail_at = fail;
		status = model_train(&caller, &rows, data.label, K, &defaults, &model, NULL);
		CHECK(status == STATUS_NO_MEMORY || status == STATUS_SUCCESS);
		if (status == STATUS_SUCCESS)
			model_free(&caller, model);
		CHECK(memory.blocks == 0);
	}
	free(mixed.dense);
	free_data(&data);
	free_data(&other);
}

int
main(void)
{
	matrix = matrix_blas_ops();
	test_choice();
	test_given();
	test_memory();
	return unit_end();
}
