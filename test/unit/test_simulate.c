/*-------------------------------------------------------------------------
 *
 * test_simulate.c
 *	  The replay of known answers, what it says of the labels that are needed,
 *	  and fits within the span of few rows.
 *
 *-------------------------------------------------------------------------
 */
#include "learn_data.h"

#include "../../src/learn/head.h"
#include "../../src/learn/needed.h"
#include "../../src/learn/simulate.h"
#include "../../src/learn/span.h"
#include "../../src/math/matrix.h"
#include "../../src/math/student.h"

#define ROUNDS 8

typedef struct Curve
{
	Status		status;
	int			rounds;
	SimulatedRound round[ROUNDS + 1];
} Curve;

static Curve
curve_of(const Caller *caller, const SimulateData *data, SimulateOptions options)
{
	Curve		curve = {0};
	Simulation *simulation;

	curve.status = simulation_start(caller, data, &options, &simulation);
	while (curve.status == STATUS_SUCCESS)
	{
		bool		more;
		SimulatedRound round;

		curve.status = simulation_round(simulation, &round, &more);
		if (curve.status != STATUS_SUCCESS || !more)
			break;
		REQUIRE(curve.rounds <= ROUNDS);
		curve.round[curve.rounds++] = round;
	}
	if (simulation != NULL)
		simulation_free(simulation);
	return curve;
}

static bool
same(const Curve *a, const Curve *b)
{
	if (a->rounds != b->rounds)
		return false;
	for (int i = 0; i < a->rounds; i++)
		if (a->round[i].labels != b->round[i].labels ||
			a->round[i].accuracy != b->round[i].accuracy)
			return false;
	return true;
}

/* The last rows of some are the test rows. */
static bool *
last_rows(int n, int count)
{
	bool	   *test = calloc(n, sizeof(bool));

	for (int i = n - count; i < n; i++)
		test[i] = true;
	return test;
}

static void
test_curves(const Caller *caller)
{
	Data		rows = make_data(600, 20, 4, 1.0, 1, 2);
	bool	   *test = last_rows(600, 200);
	SimulateData data = {&rows.rows, rows.label, test, 4};
	SimulateOptions options = {
		ACQUIRE_EPIG, SEED_RANDOM, 10, 10, ROUNDS, 7, {.folds = 5, .seed = 7, .refine = -1}
	};
	Acquisition all[] = {ACQUIRE_EPIG, ACQUIRE_BALD, ACQUIRE_MARGIN, ACQUIRE_ENTROPY, ACQUIRE_RANDOM};
	Curve		first = {0};

	for (int i = 0; i < 5; i++)
	{
		Curve		curve;
		Curve		again;

		options.acquisition = all[i];
		curve = curve_of(caller, &data, options);
		again = curve_of(caller, &data, options);
		REQUIRE(curve.status == STATUS_SUCCESS && curve.rounds == ROUNDS + 1);
		CHECK(same(&curve, &again));
		for (int r = 0; r <= ROUNDS; r++)
			CHECK(curve.round[r].labels == 10 + 10 * r);
		/* strategies are paired: they start with the same labels */
		if (i == 0)
			first = curve;
		CHECK(curve.round[0].accuracy == first.round[0].accuracy);
		CHECK(i == 0 || !same(&curve, &first));
		CHECK(curve.round[ROUNDS].accuracy > curve.round[0].accuracy);
		CHECK(curve.round[ROUNDS].accuracy > 0.7 && curve.round[ROUNDS].classes == 4);
	}
	/* other labels with another seed, or where the first are chosen */
	options.acquisition = ACQUIRE_EPIG;
	options.random_seed = 8;
	CHECK(curve_of(caller, &data, options).round[0].accuracy != first.round[0].accuracy);
	options.random_seed = 7;
	options.seed_batch = SEED_TYPICAL;
	CHECK(curve_of(caller, &data, options).round[0].accuracy != first.round[0].accuracy);
	free_data(&rows);
	free(test);
}

/* A pool that is used up, one class, classes nobody is asked about, nonsense. */
static void
test_ends(const Caller *caller)
{
	Data		rows = make_data(90, 12, 3, 1.0, 1, 2);
	bool	   *test = last_rows(90, 60);
	bool	   *none = last_rows(90, 0);
	SimulateData data = {&rows.rows, rows.label, test, 3};
	SimulateOptions options = {
		ACQUIRE_MARGIN, SEED_RANDOM, 1, 8, ROUNDS, 1, {.folds = 5, .seed = 1, .refine = -1}
	};
	Curve		curve;

	/* two rows that say nothing are not asked about */
	memset(rows.dense, 0, sizeof(float) * 2 * 12);
	/* twenty test rows of each class */
	for (int i = 30; i < 90; i++)
		rows.label[i] = i % 3;
	curve = curve_of(caller, &data, options);
	REQUIRE(curve.status == STATUS_SUCCESS && curve.rounds == 5);
	CHECK(curve.round[0].labels == 1 && curve.round[0].classes == 1);
	CHECK_NEAR(curve.round[0].accuracy, 1.0 / 3.0, 1e-9);
	CHECK(curve.round[4].labels == 28);

	/* one class in all the pool */
	for (int i = 0; i < 30; i++)
		rows.label[i] = 2;
	curve = curve_of(caller, &data, options);
	REQUIRE(curve.status == STATUS_SUCCESS && curve.rounds == 5);
	CHECK_NEAR(curve.round[4].accuracy, 1.0 / 3.0, 1e-9);

	rows.label[3] = 3;
	CHECK(curve_of(caller, &data, options).status == STATUS_BAD_ARGUMENT);
	rows.label[3] = 2;
	data.test = none;
	CHECK(curve_of(caller, &data, options).status == STATUS_BAD_ARGUMENT);
	data.test = test;
	options.seed = 0;
	CHECK(curve_of(caller, &data, options).status == STATUS_BAD_ARGUMENT);
	free_data(&rows);
	free(test);
	free(none);
}

/* One row in five is held out, others for other runs. */
static void
test_hold_out(const Caller *caller)
{
	bool		first[103];
	bool		second[103];
	int			held = 0;
	int			both = 0;

	CHECK(simulation_run_seed(5, 0) != simulation_run_seed(5, 1));
	CHECK(simulation_run_seed(5, 0) != simulation_run_seed(6, 0));
	CHECK(simulation_run_seed(5, 3) == simulation_run_seed(5, 3));
	REQUIRE(simulation_hold_out(caller, 103, simulation_run_seed(5, 0), first) == STATUS_SUCCESS);
	REQUIRE(simulation_hold_out(caller, 103, simulation_run_seed(5, 1), second) == STATUS_SUCCESS);
	for (int i = 0; i < 103; i++)
	{
		held += first[i];
		both += first[i] && second[i];
	}
	CHECK(held == 20 && both > 0 && both < 12);
	REQUIRE(simulation_hold_out(caller, 2, 1, first) == STATUS_SUCCESS);
	CHECK(first[0] + first[1] == 1);
}

/* Whenever it is stopped or runs out of memory, nothing is left. */
static void
test_failures(UnitMemory *memory, const Caller *caller)
{
	Data		rows = make_data(90, 12, 3, 1.0, 1, 2);
	bool	   *test = last_rows(90, 30);
	SimulateData data = {&rows.rows, rows.label, test, 3};
	SimulateOptions options = {
		ACQUIRE_EPIG, SEED_TYPICAL, 30, 5, 2, 1, {.folds = 3, .seed = 1, .refine = 1}
	};
	long		before = memory->allocations;
	long		count;

	rows.rows.sparse = &rows.sparse;
	REQUIRE(curve_of(caller, &data, options).status == STATUS_SUCCESS);
	count = memory->allocations - before;
	for (long i = 1; i <= count; i += 1 + i / 16)
	{
		memory->fail_at = memory->allocations + i;
		CHECK(curve_of(caller, &data, options).status == STATUS_NO_MEMORY);
		memory->fail_at = 0;
		CHECK(memory->blocks == 0);
	}
	memory->stop_at = memory->questions + 5;
	CHECK(curve_of(caller, &data, options).status == STATUS_STOPPED);
	memory->stop_at = 0;
	free_data(&rows);
	free(test);
}

/* What a run takes is what it said it would take, and not much less. */
static void
test_memory(UnitMemory *memory, const Caller *caller)
{
	Data		rows = make_data(900, 30, 5, 1.0, 1, 2);
	bool	   *test = last_rows(900, 200);
	SimulateData data = {&rows.rows, rows.label, test, 5};
	Acquisition all[] = {ACQUIRE_EPIG, ACQUIRE_BALD, ACQUIRE_RANDOM};

	rows.rows.sparse = &rows.sparse;
	for (int i = 0; i < 6; i++)
	{
		SimulateOptions options = {
			all[i / 2], i % 2 == 0 ? SEED_RANDOM : SEED_TYPICAL, 40, 30, 3, 1,
			{.folds = 5, .seed = 1, .refine = i % 2 == 0 ? 1 : 0}
		};
		size_t		terms = rows.start[900];
		size_t		bound = simulation_memory(900, 30, 0, terms, rows.rows.sparse_dims, 5, &options);

		memory->peak = memory->bytes;
		REQUIRE(curve_of(caller, &data, options).status == STATUS_SUCCESS);
		CHECK(memory->peak <= bound && bound < 4 * memory->peak);
		if (memory->peak > bound || bound >= 4 * memory->peak)
			printf("  %zu bytes, said to be %zu\n", memory->peak, bound);
	}
	free_data(&rows);
	free(test);
}

/* Quantiles as in any table of the distribution. */
static void
test_student(void)
{
	CHECK_NEAR(student_bound(0.95, 1), 12.7062047, 1e-6);
	CHECK_NEAR(student_bound(0.95, 2), 4.30265273, 1e-7);
	CHECK_NEAR(student_bound(0.95, 3), 3.18244631, 1e-7);
	CHECK_NEAR(student_bound(0.95, 4), 2.77644511, 1e-7);
	CHECK_NEAR(student_bound(0.95, 9), 2.26215716, 1e-7);
	CHECK_NEAR(student_bound(0.95, 30), 2.04227246, 1e-7);
	CHECK_NEAR(student_bound(0.99, 10), 3.16927267, 1e-7);
	CHECK_NEAR(student_bound(0.95, 1000000), 1.95996636, 1e-6);
}

/* Straight curves, where all can be reckoned by hand. */
static void
test_needed(const Caller *caller)
{
	/* two runs of two strategies: accuracy rises by 0.1 from 10 labels to the next */
	const double start[2][2] = {{0.5, 0.6}, {0.3, 0.4}};
	SimulatedPoint point[2 * 2 * 6 + 1];
	LabelsNeeded needed[3];
	int			n = 0;
	double		t = student_bound(0.95, 1);

	for (int i = 5; i >= 0; i--)
		for (int s = 0; s < 2; s++)
			for (int r = 0; r < 2; r++)
				point[n++] = (SimulatedPoint)
			{
				s, 7 * r, 10.0 + 10.0 * i, start[s][r] + 0.1 * i
			};
	REQUIRE(labels_needed(caller, point, n, 2, 1, 0.7, needed) == STATUS_SUCCESS);
	CHECK(needed[0].runs == 2 && needed[1].runs == 2);
	/* the means start with 0.55 and 0.35; alone, the runs cross 5 before and after */
	CHECK_NEAR(needed[0].labels, 25.0, 1e-6);
	CHECK_NEAR(needed[1].labels, 45.0, 1e-6);
	CHECK_NEAR(needed[0].low, fmax(25.0 - 5.0 * t, 0.0), 1e-6);
	CHECK_NEAR(needed[0].high, 25.0 + 5.0 * t, 1e-4);
	CHECK_NEAR(needed[0].saving, 1.0 - 25.0 / 45.0, 1e-9);
	/* without either: 1 - 20/40 and 1 - 30/50 */
	CHECK_NEAR(needed[0].saving_low, 1.0 - 25.0 / 45.0 -
			   t * sqrt(0.5 * (2.0 * 0.05 * 0.05)), 1e-6);
	CHECK_NEAR(needed[1].saving, 0.0, 1e-9);
	CHECK_NEAR(needed[1].saving_high, 0.0, 1e-6);

	/* the first labels do; not reached; reached by one run only; nothing to compare with */
	REQUIRE(labels_needed(caller, point, n, 2, 1, 0.2, needed) == STATUS_SUCCESS);
	CHECK(needed[0].labels == 10.0 && needed[0].low == 10.0 && needed[0].high == 10.0);
	REQUIRE(labels_needed(caller, point, n, 2, 1, 0.99, needed) == STATUS_SUCCESS);
	CHECK(needed[0].labels > 0.0 && isnan(needed[1].labels) && isnan(needed[0].saving));
	CHECK(isnan(needed[1].low) && isnan(needed[1].saving_high));
	REQUIRE(labels_needed(caller, point, n, 2, -1, 1.02, needed) == STATUS_SUCCESS);
	CHECK(needed[0].labels > 0.0 && isnan(needed[0].low) && isnan(needed[0].saving));

	/* a strategy without points, and a number of labels that one run has not come to */
	point[n] = (SimulatedPoint)
	{
		0, 0, 15.0, 0.99
	};
	REQUIRE(labels_needed(caller, point, n + 1, 3, 1, 0.7, needed) == STATUS_SUCCESS);
	CHECK_NEAR(needed[0].labels, 25.0, 1e-6);
	CHECK(needed[2].runs == 0 && isnan(needed[2].labels));
	CHECK(labels_needed(caller, point, n, 1, 0, 0.7, needed) == STATUS_BAD_ARGUMENT);
	point[0].accuracy = NAN;
	CHECK(labels_needed(caller, point, n, 2, 1, 0.7, needed) == STATUS_BAD_ARGUMENT);
}

/* What was chosen once, given again, makes the same model. */
static void
test_again(UnitMemory *memory, const Caller *caller)
{
	Data		data = make_data(150, 40, 4, 1.5, 1, 2);

	data.rows.sparse = &data.sparse;
	/* more rows than dimensions, and fewer; with and without refined features */
	for (int i = 0; i < 4; i++)
	{
		TrainOptions options = {.folds = 5, .seed = 3, .refine = i % 2};
		Rows		rows = data.rows;
		SparseRows	sparse = data.sparse;
		CrossValidation validation;
		Model	   *model;
		Model	   *again;
		Score		score[2][150];
		long		before;
		long		count;

		rows.n = i < 2 ? 150 : 30;
		sparse.n = rows.n;
		rows.sparse = &sparse;
		REQUIRE(model_train(caller, &rows, data.label, 4, &options, &model,
							&validation) == STATUS_SUCCESS);
		CHECK(model_train_again(caller, &rows, data.label, 4, &options, model_scale(model),
								validation.probability, &again) == STATUS_BAD_ARGUMENT);
		options.prior_precision = model_prior_precision(model);
		CHECK(model_train_again(caller, &rows, data.label, 4, &options, 0.0,
								validation.probability, &again) == STATUS_BAD_ARGUMENT);
		before = memory->allocations;
		REQUIRE(model_train_again(caller, &rows, data.label, 4, &options, model_scale(model),
								  validation.probability, &again) == STATUS_SUCCESS);
		count = memory->allocations - before;
		CHECK(model_refined(again) == model_refined(model) && model_refined(model) == (i % 2 == 1));
		CHECK(model_score(caller, model, &rows, score[0], NULL) == STATUS_SUCCESS);
		CHECK(model_score(caller, again, &rows, score[1], NULL) == STATUS_SUCCESS);
		for (int j = 0; j < rows.n; j++)
		{
			CHECK(score[0][j].label == score[1][j].label || score[0][j].margin < 1e-3);
			CHECK_NEAR(score[0][j].confidence, score[1][j].confidence, 2e-3);
			CHECK_NEAR(score[0][j].epistemic, score[1][j].epistemic, 2e-3);
		}
		model_free(caller, again);
		for (long k = 1; k <= count; k += 1 + k / 8)
		{
			size_t		blocks = memory->blocks;

			memory->fail_at = memory->allocations + k;
			CHECK(model_train_again(caller, &rows, data.label, 4, &options, model_scale(model),
									validation.probability, &again) == STATUS_NO_MEMORY);
			memory->fail_at = 0;
			CHECK(memory->blocks == blocks);
		}
		release(caller, validation.probability);
		release(caller, validation.fold);
		model_free(caller, model);
	}
	free_data(&data);
}

/* A head fitted within the span of its rows is the one that is fitted to them. */
static void
test_span(const Caller *caller)
{
	Data		data = make_data(40, 90, 3, 1.5, 1, 2);
	Span		span = {0};
	double	   *gram = calloc(91 * 91, sizeof(double));
	double	   *whole = calloc(91 * 3, sizeof(double));
	double	   *within = calloc(41 * 3, sizeof(double));
	double	   *left = calloc(90 * 3, sizeof(double));
	Design		design = {40, 90, 0, 91, 3, data.dense, NULL, data.label, NULL};
	HeadOptions options = {0.1, 1e-14, 500, false};
	RowSet		all = {NULL, 40};
	double		objective[2];

	/* a row twice, one of zeros, and one that is the sum of two others */
	memcpy(data.dense + 5 * 90, data.dense + 8 * 90, sizeof(float) * 90);
	memset(data.dense + 6 * 90, 0, sizeof(float) * 90);
	for (int j = 0; j < 90; j++)
		data.dense[7 * 90 + j] = data.dense[9 * 90 + j] + data.dense[10 * 90 + j];
	REQUIRE(span_build(caller, data.dense, 40, 90, &span) == STATUS_SUCCESS);
	CHECK(head_gram(caller, &design, all, 1.0, gram) == STATUS_SUCCESS);
	CHECK(head_fit(caller, &design, all, &options, gram, whole, &objective[0]) == STATUS_SUCCESS);
	memset(gram, 0, sizeof(double) * 41 * 41);
	design.dense = span.rows;
	design.dims = 40;
	design.features = 41;
	CHECK(head_gram(caller, &design, all, 1.0, gram) == STATUS_SUCCESS);
	CHECK(head_fit(caller, &design, all, &options, gram, within, &objective[1]) == STATUS_SUCCESS);
	span_leave(&span, within, 3, left);
	CHECK_NEAR(objective[0], objective[1], 1e-5);
	for (int i = 0; i < 90 * 3; i++)
		CHECK_NEAR(left[i], whole[i], 1e-5);
	for (int k = 0; k < 3; k++)
		CHECK_NEAR(within[40 * 3 + k], whole[90 * 3 + k], 1e-5);
	span_free(caller, &span);
	free(gram);
	free(whole);
	free(within);
	free(left);
	free_data(&data);
}

int
main(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	matrix = matrix_blas_ops();
	test_curves(&caller);
	test_ends(&caller);
	test_hold_out(&caller);
	test_failures(&memory, &caller);
	test_memory(&memory, &caller);
	test_student();
	test_needed(&caller);
	test_again(&memory, &caller);
	test_span(&caller);
	CHECK(memory.blocks == 0);
	return unit_end();
}
