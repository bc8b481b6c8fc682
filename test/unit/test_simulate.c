/*-------------------------------------------------------------------------
 *
 * test_simulate.c
 *	  The replay of known answers, and fits within the span of few rows.
 *
 *-------------------------------------------------------------------------
 */
#include "learn_data.h"

#include "../../src/learn/head.h"
#include "../../src/learn/simulate.h"
#include "../../src/learn/span.h"
#include "../../src/math/matrix.h"

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

static void
test_curves(const Caller *caller)
{
	Data		pool = make_data(400, 20, 4, 1.0, 1, 2);
	Data		test = make_data(200, 20, 4, 1.0, 1, 3);
	SimulateData data = {&pool.rows, pool.label, &test.rows, test.label, 4};
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
	free_data(&pool);
	free_data(&test);
}

/* A pool that is used up, one class, classes nobody is asked about, nonsense. */
static void
test_ends(const Caller *caller)
{
	Data		pool = make_data(30, 12, 3, 1.0, 1, 2);
	Data		test = make_data(60, 12, 3, 1.0, 1, 3);
	SimulateData data = {&pool.rows, pool.label, &test.rows, test.label, 3};
	SimulateOptions options = {
		ACQUIRE_MARGIN, SEED_RANDOM, 1, 8, ROUNDS, 1, {.folds = 5, .seed = 1, .refine = -1}
	};
	Curve		curve;

	/* two rows that say nothing are not asked about */
	memset(pool.dense, 0, sizeof(float) * 2 * 12);
	curve = curve_of(caller, &data, options);
	REQUIRE(curve.status == STATUS_SUCCESS && curve.rounds == 5);
	CHECK(curve.round[0].labels == 1 && curve.round[0].classes == 1);
	CHECK_NEAR(curve.round[0].accuracy, 1.0 / 3.0, 1e-9);
	CHECK(curve.round[4].labels == 28);

	/* one class in all the pool */
	for (int i = 0; i < 30; i++)
		pool.label[i] = 2;
	curve = curve_of(caller, &data, options);
	REQUIRE(curve.status == STATUS_SUCCESS && curve.rounds == 5);
	CHECK_NEAR(curve.round[4].accuracy, 1.0 / 3.0, 1e-9);

	pool.label[3] = 3;
	CHECK(curve_of(caller, &data, options).status == STATUS_BAD_ARGUMENT);
	pool.label[3] = 2;
	options.seed = 0;
	CHECK(curve_of(caller, &data, options).status == STATUS_BAD_ARGUMENT);
	free_data(&pool);
	free_data(&test);
}

/* Whenever it is stopped or runs out of memory, nothing is left. */
static void
test_failures(UnitMemory *memory, const Caller *caller)
{
	Data		pool = make_data(60, 12, 3, 1.0, 1, 2);
	Data		test = make_data(30, 12, 3, 1.0, 1, 3);
	SimulateData data = {&pool.rows, pool.label, &test.rows, test.label, 3};
	SimulateOptions options = {
		ACQUIRE_EPIG, SEED_TYPICAL, 9, 5, 2, 1, {.folds = 3, .seed = 1, .refine = 0}
	};
	long		before = memory->allocations;
	long		count;

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
	free_data(&pool);
	free_data(&test);
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
	Design		design = {40, 90, 0, 91, 3, data.dense, NULL, data.label};
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
	test_failures(&memory, &caller);
	test_span(&caller);
	CHECK(memory.blocks == 0);
	return unit_end();
}
