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
	CHECK_NEAR(reference.trace[1], 0.021106847997695837, 1e-7);
	CHECK_NEAR(reference.trace[2], 0.0017704124152243656, 1e-8);
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
	CHECK_RELATIVE(finding[DRIFT_FEATURES].p_value, 1.9168751633239452e-17, 1e-3);
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
	for (int number = 1; number <= 10000; number++)
	{
		window.number = number;
		REQUIRE(drift_compare(&caller, &reference, &window, finding) == STATUS_SUCCESS);
		for (int k = 0; k < DRIFT_WINDOWED; k++)
			sum += finding[k].level;
	}
	CHECK(sum > 0.0499 && sum <= 0.05);
	drift_reference_free(&caller, &reference);
	drift_window_free(&caller, &window);
	CHECK(memory.blocks == 0);
}

/* The strip that is filled and those before are compared as one of all their rows; older ones are gone. */
static void
test_strips(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Data		data;
	DriftReference reference;
	DriftWindow one;
	DriftWindow several;
	DriftFinding finding[2][DRIFT_WINDOWED];
	Rows		rows = {.n = BEFORE + RECENT, .dims = DIMS};

	make_data(&data);
	rows.dense = data.vector;
	begin(&caller, &data, &reference, &one);
	REQUIRE(drift_window(&caller, &reference, &several) == STATUS_SUCCESS);
	CHECK(drift_compare(&caller, &reference, &several, finding[1]) == STATUS_BAD_ARGUMENT);
	/* one that is full and goes */
	for (int i = 0; i < DRIFT_STRIP; i++)
		CHECK(drift_add(&reference, &several, &rows, i, data.label[i], data.confidence[i]) == (i == DRIFT_STRIP - 1));
	for (int i = BEFORE; i < BEFORE + RECENT; i++)
	{
		if ((i - BEFORE) % (RECENT / DRIFT_STRIPS) == 0)
			drift_next(&reference, &several);
		CHECK(!drift_add(&reference, &several, &rows, i, data.label[i], data.confidence[i]));
	}
	CHECK(several.number == 1 + DRIFT_STRIPS && drift_rows(&several) == RECENT);
	REQUIRE(drift_compare(&caller, &reference, &one, finding[0]) == STATUS_SUCCESS);
	REQUIRE(drift_compare(&caller, &reference, &several, finding[1]) == STATUS_SUCCESS);
	for (int k = 0; k < DRIFT_WINDOWED; k++)
	{
		CHECK(finding[1][k].n == RECENT);
		CHECK_RELATIVE(finding[1][k].p_value, finding[0][k].p_value, 1e-6);
		CHECK_NEAR(finding[1][k].recent, finding[0][k].recent, 1e-9);
		/* the fifth strip: 8 9 / (12 13) */
		CHECK_RELATIVE(finding[1][k].level, finding[0][k].level * 72.0 / 156.0, 1e-12);
	}
	drift_window_free(&caller, &one);
	drift_window_free(&caller, &several);
	drift_reference_free(&caller, &reference);
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
		n = 400, terms = 256, each = 3
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
		/* of each row its own, or of the later rows one that the earlier have not */
		index[i * each + 2] = (uint32_t) (i < n / 2 ? 8 + i : 250);
		for (int t = 0; t < each; t++)
			weight[i * each + t] = 1.0f;
		dense[i * 2] = i < n / 2 ? 1.0f : -1.0f;
	}
	start[n] = (size_t) n * each;
	sparse.n = n / 2;
	REQUIRE(drift_reference(&caller, &rows, label, confidence, 1, &reference) == STATUS_SUCCESS);
	CHECK(reference.sparse_dims == terms && reference.frequent[0] == 0xff && reference.frequent[1] == 0 && reference.frequent[31] == 0);
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
			if (drift_add(&reference, &window, &rows, i, 0, 0.0f))
				drift_next(&reference, &window);
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
	/* the mean is the reference's own: fewer, not none */
	CHECK(below[0] <= runs * 0.05 && below[1] > runs * 0.05 && below[1] <= runs * 0.5);
	drift_reference_free(&caller, &wide);
	drift_reference_free(&caller, &narrow);
	CHECK(memory.blocks == 0);
	free(vectors);
	free(label);
	free(confidence);
}

/*
 * Texts of words that are as frequent as words are, a part of them those of one of the topics; what a
 * middling model says of them.
 */
enum
{
	STREAM_ROWS = 2000, REFERENCE_ROWS = 1000, WORDS = 12, COMMON = 1000, TOPIC_WORDS = 50,
	KNOWN = 6, TERMS = COMMON + (KNOWN + 1) * TOPIC_WORDS
};

typedef struct Texts
{
	size_t		start[STREAM_ROWS + 1];
	uint32_t	index[STREAM_ROWS * WORDS];
	float		weight[STREAM_ROWS * WORDS];
	float		dense[STREAM_ROWS];
	int			label[STREAM_ROWS];
	float		confidence[STREAM_ROWS];
} Texts;

/* A word of so many, by the law of Zipf. */
static uint32_t
draw_word(Random *random, int words)
{
	return (uint32_t) (exp(random_uniform(random) * log(words + 1.0)) - 1.0);
}

/* From row `first` on, a third is of a topic that nobody has seen. */
static void
write_texts(Texts *texts, int n, int first, Random *random)
{
	for (int i = 0; i < n; i++)
	{
		bool		fresh = i >= first && random_below(random, 3) == 0;
		int			topic = fresh ? KNOWN : (int) random_below(random, KNOWN);

		texts->start[i] = (size_t) i * WORDS;
		for (int t = 0; t < WORDS; t++)
		{
			bool		common = random_uniform(random) < 0.4;

			texts->index[i * WORDS + t] = common ? draw_word(random, COMMON) :
				COMMON + topic * TOPIC_WORDS + draw_word(random, TOPIC_WORDS);
			texts->weight[i * WORDS + t] = 1.0f;
		}
		texts->label[i] = !fresh && random_uniform(random) < 0.8 ? topic : (int) random_below(random, KNOWN);
		texts->confidence[i] = (float) (random_uniform(random) * (fresh ? 0.8 : 1.0));
	}
	texts->start[n] = (size_t) n * WORDS;
}

/* Does any measure alarm at a row from `counted` on, where the topic comes with row `first`? */
static bool
alarms(int n, int first, int counted, Random *random)
{
	static Texts texts;
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SparseRows	sparse = {REFERENCE_ROWS, texts.start, texts.index, texts.weight};
	Rows		rows = {.n = REFERENCE_ROWS, .dims = 1, .dense = texts.dense, .sparse = &sparse, .sparse_dims = TERMS};
	DriftReference reference;
	DriftWindow window;
	bool		alarm = false;

	write_texts(&texts, REFERENCE_ROWS, REFERENCE_ROWS, random);
	REQUIRE(drift_reference(&caller, &rows, texts.label, texts.confidence, KNOWN, &reference) == STATUS_SUCCESS);
	REQUIRE(drift_window(&caller, &reference, &window) == STATUS_SUCCESS);
	write_texts(&texts, n, first, random);
	sparse.n = rows.n = n;
	for (int i = 0; i < n && !alarm; i++)
	{
		DriftFinding finding[DRIFT_WINDOWED];

		if (!drift_add(&reference, &window, &rows, i, texts.label[i], texts.confidence[i]))
			continue;
		REQUIRE(drift_compare(&caller, &reference, &window, finding) == STATUS_SUCCESS);
		for (int k = 0; k < DRIFT_WINDOWED; k++)
			alarm = alarm || (i >= counted && finding[k].p_value <= finding[k].level);
		drift_next(&reference, &window);
	}
	drift_reference_free(&caller, &reference);
	drift_window_free(&caller, &window);
	CHECK(memory.blocks == 0);
	return alarm;
}

/*
 * While nothing changes, 2,000 rows bring an alarm in at most one of twenty runs; a topic that is a third of what
 * arrives brings one within 500, a little less surely where it comes late and in the middle of a strip.  Were the rate of false
 * alarms 12 %, there would be as few with probability 0.0007.
 */
static void
test_alarms(void)
{
	enum
	{
		quiet_runs = 200, topic_runs = 40
	};
	Random		random;
	int			quiet = 0;
	int			at_once = 0;
	int			later = 0;

	random_seed(&random, 8);
	for (int run = 0; run < quiet_runs; run++)
		quiet += !alarms(STREAM_ROWS, STREAM_ROWS, 0, &random);
	for (int run = 0; run < topic_runs; run++)
	{
		int			first = 1000 + (int) random_below(&random, 250);

		at_once += alarms(500, 0, 0, &random);
		later += alarms(first + 500, first, first, &random);
	}
	printf("# quiet %d of %d; alarm at once %d, later %d of %d\n", quiet, quiet_runs, at_once, later, topic_runs);
	CHECK(quiet >= quiet_runs * 95 / 100);
	CHECK(at_once >= topic_runs * 95 / 100);
	CHECK(later >= topic_runs * 85 / 100);
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
	test_strips();
	test_terms();
	test_quadratic();
	test_alarms();
	test_stored();
	test_no_memory();
	return unit_end();
}
