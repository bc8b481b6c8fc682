/*-------------------------------------------------------------------------
 *
 * test_drift.c
 *	  Tails of distributions; comparisons of rows that arrive with those before.
 *
 * make_drift_values.py has made the numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/drift.h"
#include "../../src/math/random.h"
#include "../../src/math/tails.h"

#define CHECK_RELATIVE(actual, expected, relative) \
	CHECK_NEAR(actual, expected, fabs(expected) * (relative))

static void
test_tails(void)
{
	static const double chi[][3] = {
		{0.5, 1, 0.4795001221869535}, {3.84, 1, 0.050043521248705106},
		{12.3, 7.5, 0.11324170969488798}, {250, 200, 0.009379131668826096},
		{80, 3, 3.069277486172417e-17}, {400, 200, 1.843893649711574e-15}
	};

	for (size_t i = 0; i < sizeof(chi) / sizeof(chi[0]); i++)
		CHECK_RELATIVE(chi_squared_above(chi[i][0], chi[i][1]), chi[i][2], 1e-10);
	CHECK(chi_squared_above(0.0, 3) == 1.0 && chi_squared_above(-1.0, 3) == 1.0);
	CHECK_RELATIVE(normal_two_sided(0.3), 0.7641771556220948, 1e-12);
	CHECK_RELATIVE(normal_two_sided(1.96), 0.04999579029644087, 1e-12);
	CHECK_RELATIVE(normal_two_sided(-5.0), 5.733031437583878e-07, 1e-10);
	CHECK_RELATIVE(fisher_fewer(10, 20, 38, 40), 0.00010787372412877902, 1e-10);
	CHECK_RELATIVE(fisher_fewer(80, 100, 180, 200), 0.014591161749793607, 1e-10);
	CHECK_RELATIVE(fisher_fewer(0, 20, 3, 20), 0.11538461538461539, 1e-10);
	CHECK_RELATIVE(fisher_fewer(20, 20, 40, 40), 1.0, 1e-10);
	CHECK_RELATIVE(fisher_fewer(17, 20, 100, 100), 0.0040592508189716565, 1e-10);
}

#define CLASSES 4
#define DIMS 3
#define BEFORE 200
#define RECENT 100

static uint32_t generator;

static double
next(void)
{
	generator = (generator * 1103515245u + 12345u) % 2147483648u;
	return generator / 2147483648.0;
}

typedef struct Data
{
	int			label[BEFORE + RECENT];
	float		confidence[BEFORE + RECENT];
	float		vector[(BEFORE + RECENT) * DIMS];
} Data;

static void
make_data(Data *data)
{
	generator = 7;
	for (int i = 0; i < BEFORE + RECENT; i++)
	{
		int			label = (int) (next() * CLASSES);
		double		confidence = floor(next() * 20) / 20;

		for (int k = 0; k < DIMS; k++)
		{
			double		number = next() - 0.5;

			data->vector[i * DIMS + k] = (float) (i >= BEFORE && k == 0 ? number + 0.25 : number);
		}
		data->label[i] = i >= BEFORE ? label / 2 : label;
		data->confidence[i] = (float) (i >= BEFORE ? confidence * 0.5 : confidence);
	}
}

static void
begin(const Caller *caller, const Data *data, DriftReference *reference, DriftWindow *window)
{
	const Rows	before = {.n = BEFORE, .dims = DIMS, .dense = data->vector};
	const Rows	all = {.n = BEFORE + RECENT, .dims = DIMS, .dense = data->vector};

	REQUIRE(drift_reference(caller, &before, data->label, data->confidence, CLASSES,
							reference) == STATUS_SUCCESS);
	REQUIRE(drift_window(caller, reference, window) == STATUS_SUCCESS);
	for (int i = BEFORE; i < BEFORE + RECENT; i++)
		drift_add(reference, window, &all, i, data->label[i], data->confidence[i]);
}

static void
test_comparison(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Data		data;
	DriftReference reference;
	DriftWindow window;
	DriftFinding finding[DRIFT_WINDOWED];

	make_data(&data);
	begin(&caller, &data, &reference, &window);
	CHECK_NEAR(reference.trace[0], 0.2516357367169606, 1e-6);
	CHECK_NEAR(reference.trace[1], 0.02129675197479635, 1e-7);
	CHECK_NEAR(reference.trace[2], 0.0018181748188516602, 1e-8);
	CHECK_NEAR(reference.largest, 0.09358010946930245, 1e-6);
	REQUIRE(drift_compare(&caller, &reference, &window, finding) == STATUS_SUCCESS);
	CHECK_RELATIVE(finding[DRIFT_CONFIDENCE].p_value, 0.47324625801939396, 1e-6);
	CHECK_NEAR(finding[DRIFT_CONFIDENCE].recent, 0.23325, 1e-6);
	CHECK_NEAR(finding[DRIFT_CONFIDENCE].reference, 0.47075, 1e-6);
	CHECK_NEAR(finding[DRIFT_CONFIDENCE].high - finding[DRIFT_CONFIDENCE].difference,
			   0.05038662388006168, 1e-6);
	CHECK_RELATIVE(finding[DRIFT_CLASSES].p_value, 2.6310732803671044e-14, 1e-6);
	CHECK(finding[DRIFT_CLASSES].class == 2);
	CHECK_NEAR(finding[DRIFT_CLASSES].recent, 0.0, 1e-9);
	CHECK_NEAR(finding[DRIFT_CLASSES].reference, 0.27, 1e-9);
	CHECK_RELATIVE(finding[DRIFT_FEATURES].p_value, 1.1535335548338527e-16, 1e-3);
	CHECK_NEAR(finding[DRIFT_FEATURES].recent, 0.10185340253697897, 1e-6);
	CHECK_NEAR(finding[DRIFT_FEATURES].reference, 0.0037745360507544087, 1e-8);
	for (int k = 0; k < DRIFT_WINDOWED; k++)
	{
		CHECK(finding[k].n == RECENT);
		CHECK(finding[k].low <= finding[k].difference && finding[k].difference <= finding[k].high);
	}
	drift_reference_free(&caller, &reference);
	drift_window_free(&caller, &window);
	CHECK(memory.blocks == 0);
}

/* The levels of all windows and measures sum to no more than 5 %. */
static void
test_levels(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Data		data;
	DriftReference reference;
	DriftWindow window;
	DriftFinding finding[DRIFT_WINDOWED];
	DriftFinding accuracy;
	double		sum;

	make_data(&data);
	begin(&caller, &data, &reference, &window);
	drift_accuracy(17, 20, 100, 100, &accuracy);
	CHECK_RELATIVE(accuracy.p_value, 0.0040592508189716565, 1e-10);
	CHECK_NEAR(accuracy.recent, 0.85, 1e-12);
	sum = accuracy.level;
	for (int number = 1; number <= 1000; number++)
	{
		window.number = number;
		REQUIRE(drift_compare(&caller, &reference, &window, finding) == STATUS_SUCCESS);
		for (int k = 0; k < DRIFT_WINDOWED; k++)
			sum += finding[k].level;
	}
	CHECK(sum > 0.0499 && sum <= 0.05);
	drift_next(&reference, &window);
	CHECK(window.number == 1001 && window.n == 0 && window.count[0] == 0 && window.sum[0] == 0.0);
	CHECK(window.past == RECENT && window.past_count[0] + window.past_count[1] == RECENT);
	CHECK(drift_compare(&caller, &reference, &window, finding) == STATUS_BAD_ARGUMENT);
	drift_reference_free(&caller, &reference);
	drift_window_free(&caller, &window);
}

/* A window is compared together with the one before: as one of all their rows. */
static void
test_two_windows(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Data		data;
	DriftReference reference;
	DriftWindow one;
	DriftWindow two;
	DriftFinding finding[2][DRIFT_WINDOWED];
	Rows		rows = {.n = BEFORE + RECENT, .dims = DIMS};

	make_data(&data);
	rows.dense = data.vector;
	begin(&caller, &data, &reference, &one);
	REQUIRE(drift_window(&caller, &reference, &two) == STATUS_SUCCESS);
	for (int i = BEFORE; i < BEFORE + RECENT; i++)
	{
		drift_add(&reference, &two, &rows, i, data.label[i], data.confidence[i]);
		if (i == BEFORE + RECENT / 3)
			drift_next(&reference, &two);
	}
	REQUIRE(drift_compare(&caller, &reference, &one, finding[0]) == STATUS_SUCCESS);
	REQUIRE(drift_compare(&caller, &reference, &two, finding[1]) == STATUS_SUCCESS);
	for (int k = 0; k < DRIFT_WINDOWED; k++)
	{
		CHECK(finding[1][k].n == RECENT);
		CHECK_RELATIVE(finding[1][k].p_value, finding[0][k].p_value, 1e-6);
		CHECK_NEAR(finding[1][k].recent, finding[0][k].recent, 1e-9);
		CHECK_RELATIVE(finding[1][k].level, finding[0][k].level / 3, 1e-12);
	}
	drift_reference_free(&caller, &reference);
	drift_window_free(&caller, &one);
	drift_window_free(&caller, &two);
	CHECK(memory.blocks == 0);
}

/*
 * With a sparse part the frequent terms are compared, and nothing else: terms of few rows,
 * and the dense part, may differ as they like.
 */
static void
test_terms(void)
{
	enum
	{
		n = 400, terms = 64, each = 3
	};
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Random		random;
	size_t		start[n + 1];
	uint32_t	index[n * each];
	float		weight[n * each];
	float		dense[n * 2] = {0};
	int			label[n] = {0};
	float		confidence[n] = {0};
	SparseRows	sparse = {n, start, index, weight};
	Rows		rows = {.n = n / 2, .dims = 2, .dense = dense, .sparse = &sparse, .sparse_dims = terms};
	DriftReference reference;
	double		p_value[2];

	random_seed(&random, 3);
	for (int i = 0; i < n; i++)
	{
		start[i] = (size_t) i * each;
		index[i * each] = (uint32_t) random_below(&random, 4);
		index[i * each + 1] = (uint32_t) (4 + random_below(&random, 4));
		/* of the later rows, some that the earlier have not */
		index[i * each + 2] = (uint32_t) (i < n / 2 ? 8 + i % 40 : 60);
		for (int t = 0; t < each; t++)
			weight[i * each + t] = 1.0f;
		dense[i * 2] = i < n / 2 ? 1.0f : -1.0f;
	}
	start[n] = (size_t) n * each;
	sparse.n = n / 2;
	REQUIRE(drift_reference(&caller, &rows, label, confidence, 1, &reference) == STATUS_SUCCESS);
	CHECK(reference.sparse_dims == terms && reference.frequent[0] == 0xff && reference.frequent[7] == 0);
	CHECK(drift_suits(&reference, 7, terms, 1) && !drift_suits(&reference, 2, 0, 1));
	for (int changed = 0; changed < 2; changed++)
	{
		DriftWindow window;
		DriftFinding finding[DRIFT_WINDOWED];

		REQUIRE(drift_window(&caller, &reference, &window) == STATUS_SUCCESS);
		for (int i = n / 2; i < n; i++)
		{
			/* now a third of them have the same first term */
			if (changed == 1 && i % 3 == 0)
				index[i * each] = 0;
			drift_add(&reference, &window, &rows, i, 0, 0.0f);
		}
		REQUIRE(drift_compare(&caller, &reference, &window, finding) == STATUS_SUCCESS);
		p_value[changed] = finding[DRIFT_FEATURES].p_value;
		drift_window_free(&caller, &window);
	}
	CHECK(p_value[0] > 0.01 && p_value[1] < 1e-4);
	drift_reference_free(&caller, &reference);
	CHECK(memory.blocks == 0);
}

/* By rows and by columns the eigenvalues are the same; the tail is that of simulated rows. */
static void
test_quadratic(void)
{
	enum
	{
		n = 300, dims = 600, runs = 400, some = 100
	};
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Random		random;
	float	   *vectors = calloc((size_t) n * dims, sizeof(float));
	int		   *label = calloc(n, sizeof(int));
	float	   *confidence = calloc(n, sizeof(float));
	DriftReference wide;
	DriftReference narrow;
	int			below[2] = {0, 0};

	/* three dimensions that vary, of many */
	random_seed(&random, 5);
	for (int i = 0; i < n; i++)
	{
		confidence[i] = 0.5f;
		for (int k = 0; k < 3; k++)
			vectors[(size_t) i * dims + k] = (float) (random_normal(&random) * 0.1 * (k + 1));
	}
	REQUIRE(drift_reference(&caller, &(Rows) {.n = n, .dims = dims, .dense = vectors}, label,
							confidence, 1, &wide) == STATUS_SUCCESS);
	for (int i = 0; i < n; i++)
		memmove(vectors + (size_t) i * 3, vectors + (size_t) i * dims, 3 * sizeof(float));
	REQUIRE(drift_reference(&caller, &(Rows) {.n = n, .dims = 3, .dense = vectors}, label,
							confidence, 1, &narrow) == STATUS_SUCCESS);
	for (int k = 0; k < 3; k++)
		CHECK_RELATIVE(wide.trace[k], narrow.trace[k], 1e-6);
	CHECK_RELATIVE(wide.largest, narrow.largest, 1e-6);
	for (int run = 0; run < runs; run++)
	{
		DriftWindow window;
		DriftFinding finding[DRIFT_WINDOWED];

		REQUIRE(drift_window(&caller, &narrow, &window) == STATUS_SUCCESS);
		for (int i = 0; i < some; i++)
		{
			float		vector[3];

			for (int k = 0; k < 3; k++)
				vector[k] = (float) (random_normal(&random) * 0.1 * (k + 1)) + narrow.mean[k];
			drift_add(&narrow, &window, &(Rows) {.n = 1, .dims = 3, .dense = vector}, 0, 0, 0.5f);
		}
		REQUIRE(drift_compare(&caller, &narrow, &window, finding) == STATUS_SUCCESS);
		below[0] += finding[DRIFT_FEATURES].p_value <= 0.05;
		below[1] += finding[DRIFT_FEATURES].p_value <= 0.5;
		/* nothing varies, so nothing differs */
		CHECK(finding[DRIFT_CONFIDENCE].p_value > 0.05 && finding[DRIFT_CLASSES].p_value == 1.0);
		drift_window_free(&caller, &window);
	}
	/* the mean is the reference's own, and a tolerance is taken off: fewer, not none */
	CHECK(below[0] <= runs * 0.05 && below[1] > runs * 0.05 && below[1] <= runs * 0.5);
	drift_reference_free(&caller, &wide);
	drift_reference_free(&caller, &narrow);
	CHECK(memory.blocks == 0);
	free(vectors);
	free(label);
	free(confidence);
}

static void
test_stored(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Data		data;
	DriftReference reference;
	DriftReference again;
	DriftReference damaged;
	DriftWindow window;
	DriftWindow window_again;
	DriftWindow cut;
	DriftFinding finding[2][DRIFT_WINDOWED];
	Writer		writer[2];
	Reader		reader;

	make_data(&data);
	begin(&caller, &data, &reference, &window);
	for (int i = 0; i < 2; i++)
		writer_init(&writer[i], &caller);
	drift_reference_write(&reference, &writer[0]);
	drift_window_write(&reference, &window, &writer[1]);
	REQUIRE(!writer[0].failed && !writer[1].failed);
	reader_init(&reader, writer[0].bytes, writer[0].length);
	REQUIRE(drift_reference_read(&caller, &reader, &again) == STATUS_SUCCESS);
	reader_init(&reader, writer[1].bytes, writer[1].length);
	REQUIRE(drift_window_read(&caller, &reader, &again, &window_again) == STATUS_SUCCESS);
	REQUIRE(drift_compare(&caller, &reference, &window, finding[0]) == STATUS_SUCCESS);
	REQUIRE(drift_compare(&caller, &again, &window_again, finding[1]) == STATUS_SUCCESS);
	for (int k = 0; k < DRIFT_WINDOWED; k++)
		CHECK(finding[0][k].p_value == finding[1][k].p_value);

	/* cut short, or with a byte changed, it is corrupt or something else, never a crash */
	for (size_t length = 0; length < writer[0].length; length++)
	{
		reader_init(&reader, writer[0].bytes, length);
		CHECK(drift_reference_read(&caller, &reader, &damaged) == STATUS_CORRUPT);
		drift_reference_free(&caller, &damaged);
	}
	for (size_t length = 0; length < writer[1].length; length++)
	{
		reader_init(&reader, writer[1].bytes, length);
		CHECK(drift_window_read(&caller, &reader, &reference, &cut) == STATUS_CORRUPT);
		drift_window_free(&caller, &cut);
	}
	for (size_t at = 0; at < writer[1].length; at++)
	{
		Status		status;

		writer[1].bytes[at] ^= 0xff;
		reader_init(&reader, writer[1].bytes, writer[1].length);
		status = drift_window_read(&caller, &reader, &reference, &cut);
		drift_window_free(&caller, &cut);
		CHECK(status == STATUS_CORRUPT || status == STATUS_SUCCESS);
		writer[1].bytes[at] ^= 0xff;
	}
	for (int i = 0; i < 2; i++)
		release(&caller, writer[i].bytes);
	drift_reference_free(&caller, &reference);
	drift_reference_free(&caller, &again);
	drift_window_free(&caller, &window);
	drift_window_free(&caller, &window_again);
	CHECK(memory.blocks == 0);
}

/* No memory at any place is STATUS_NO_MEMORY, no more. */
static void
test_no_memory(void)
{
	Data		data;
	bool		succeeded = false;

	make_data(&data);
	for (long at = 1; !succeeded && at < 100; at++)
	{
		UnitMemory	memory;
		Caller		caller = unit_caller(&memory);
		const Rows	rows = {.n = BEFORE, .dims = DIMS, .dense = data.vector};
		DriftReference reference;
		Status		status;

		memory.fail_at = at;
		status = drift_reference(&caller, &rows, data.label, data.confidence, CLASSES, &reference);
		succeeded = status == STATUS_SUCCESS;
		CHECK(succeeded || status == STATUS_NO_MEMORY);
		drift_reference_free(&caller, &reference);
		CHECK(memory.blocks == 0);
	}
	CHECK(succeeded);
}

int
main(void)
{
	matrix = matrix_blas_ops();
	test_tails();
	test_comparison();
	test_levels();
	test_two_windows();
	test_terms();
	test_quadratic();
	test_stored();
	test_no_memory();
	return unit_end();
}
