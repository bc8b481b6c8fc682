/*-------------------------------------------------------------------------
 *
 * test_agreement.c
 *	  Agreement of people: worked examples of the literature, the textbook
 *	  definitions on tables with gaps, and what the intervals hold.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/agreement_statistics.h"
#include "../../src/math/random.h"
#include "agreement_values.h"

#define MOST 20000

/* A table that grows, for examples. */
static int	item[MOST];
static int	annotator[MOST];
static int	label[MOST];
static Coefficient of_class[10];
static GroupAgreement group = {.of_class = of_class};

static AnswerTable
empty_table(int classes)
{
	return (AnswerTable) {.classes = classes, .item = item, .annotator = annotator, .label = label};
}

static void
answer(AnswerTable *table, int i, int who, int what)
{
	item[table->n] = i;
	annotator[table->n] = who;
	label[table->n++] = what;
	table->items = i + 1;
	if (who >= table->annotators)
		table->annotators = who + 1;
}

static void
measure(const AnswerTable *table)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	CHECK(group_agreement(&caller, table, 1, &group) == STATUS_SUCCESS);
	CHECK(memory.blocks == 0);
	CHECK(memory.peak <= group_agreement_memory(table));
}

/* Rows of annotators, a digit an item, '.' for none, classes from 1 on. */
static AnswerTable
table_of(const char *const *rows, int annotators, int classes)
{
	AnswerTable table = empty_table(classes);

	for (int i = 0; rows[0][i] != '\0'; i++)
	{
		for (int a = 0; a < annotators; a++)
		{
			if (rows[a][i] != '.')
				answer(&table, i, a, rows[a][i] - '1');
		}
	}
	return table;
}

/*
 * Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), examples A,
 * B and C: binary and nominal data of two observers, and four with gaps.
 */
static void
test_krippendorff(void)
{
	static const char *const a[] = {"1211111121", "2221121111"};
	static const char *const b[] = {"112243335441", "212223335444"};
	static const char *const gaps[] = {"123321412...", "1233224125.3", ".3332342251.", "12332441251."};
	AnswerTable table = table_of(a, 2, 2);

	measure(&table);
	CHECK_NEAR(group.alpha.value, 0.095, 0.0005);
	CHECK(group.alpha.items == 10);
	/* of two classes, both are alpha itself */
	CHECK_NEAR(of_class[0].value, group.alpha.value, 1e-12);
	CHECK_NEAR(of_class[1].low, group.alpha.low, 1e-12);
	table = table_of(b, 2, 5);
	measure(&table);
	CHECK_NEAR(group.alpha.value, 0.692, 0.0005);
	table = table_of(gaps, 4, 5);
	measure(&table);
	CHECK_NEAR(group.alpha.value, 0.743, 0.0005);
	/* the last item has one answer only */
	CHECK(group.alpha.items == 11);
	CHECK(group.alpha.low < group.alpha.value && group.alpha.value < group.alpha.high);
}

/*
 * Fourteen people, ten items, five classes: the example that goes with Fleiss' kappa
 * in encyclopedias; kappa 0.210.
 */
static void
test_fleiss(void)
{
	static const int counts[10][5] = {
		{0, 0, 0, 0, 14}, {0, 2, 6, 4, 2}, {0, 0, 3, 5, 6}, {0, 3, 9, 2, 0}, {2, 2, 8, 1, 1},
		{7, 7, 0, 0, 0}, {3, 2, 6, 3, 0}, {2, 5, 3, 2, 2}, {6, 5, 2, 1, 0}, {0, 2, 2, 3, 7}
	};
	AnswerTable table = empty_table(5);

	for (int i = 0; i < 10; i++)
	{
		int			who = 0;

		for (int k = 0; k < 5; k++)
		{
			for (int j = 0; j < counts[i][k]; j++)
				answer(&table, i, who++, k);
		}
	}
	measure(&table);
	CHECK_NEAR(group.kappa.value, 0.210, 0.0005);
	CHECK(group.kappa.low < 0.21 && 0.21 < group.kappa.high);
}

static PairAgreement *
measure_pairs(const AnswerTable *table, UnitMemory *memory, int *n)
{
	Caller		caller = unit_caller(memory);
	PairAgreement *pairs;

	CHECK(pair_agreements(&caller, table, &pairs, n) == STATUS_SUCCESS);
	CHECK(memory->peak <= pair_agreements_memory(table) + 64);
	return pairs;
}

static void
release_pairs(PairAgreement *pairs, UnitMemory *memory)
{
	unit_release(memory, pairs);
	CHECK(memory->blocks == 0);
}

/*
 * Fleiss, Cohen and Everitt, "Large sample standard errors of kappa and weighted
 * kappa", Psychological Bulletin 72 (1969): kappa .429 in 200 cases.
 */
static void
test_cohen(void)
{
	static const int cells[3][3] = {{106, 10, 4}, {22, 28, 10}, {2, 12, 6}};
	AnswerTable table = empty_table(3);
	UnitMemory	memory;
	PairAgreement *pairs;
	int			i = 0;
	int			n;

	for (int a = 0; a < 3; a++)
	{
		for (int b = 0; b < 3; b++)
		{
			for (int j = 0; j < cells[a][b]; j++, i++)
			{
				answer(&table, i, 0, a);
				answer(&table, i, 1, b);
			}
		}
	}
	pairs = measure_pairs(&table, &memory, &n);
	REQUIRE(n == 1);
	CHECK(pairs[0].first == 0 && pairs[0].second == 1 && pairs[0].kappa.items == 200);
	CHECK_NEAR(pairs[0].kappa.value, 0.429, 0.0005);
	/* their standard error, .054, gives .32 to .53 */
	CHECK_NEAR(pairs[0].kappa.low, 0.32, 0.02);
	CHECK_NEAR(pairs[0].kappa.high, 0.53, 0.02);
	release_pairs(pairs, &memory);
}

static void
test_values(void)
{
	AnswerTable table = {
		VALUES_ANSWERS, VALUES_ITEMS, VALUES_ANNOTATORS, VALUES_CLASSES, values_item,
		values_annotator, values_label
	};
	UnitMemory	memory;
	PairAgreement *pairs;
	int			n;

	measure(&table);
	CHECK(group.alpha.items == VALUES_PAIRED && of_class[0].items == VALUES_PAIRED);
	for (int i = 0; i < 2 + VALUES_CLASSES; i++)
	{
		const Coefficient *found = i == 0 ? &group.alpha : i == 1 ? &group.kappa : &of_class[i - 2];

		CHECK_NEAR(found->value, values_figure[i], 1e-12);
		/* but for the draw of the resamples */
		CHECK_NEAR(found->low, values_low[i], 0.05);
		CHECK_NEAR(found->high, values_high[i], 0.05);
	}
	pairs = measure_pairs(&table, &memory, &n);
	REQUIRE(n == VALUES_ANNOTATORS * (VALUES_ANNOTATORS - 1) / 2);
	for (int i = 0; i < n; i++)
	{
		CHECK_NEAR(pairs[i].kappa.value, values_pair[4 * i], 1e-12);
		CHECK_NEAR(pairs[i].kappa.low, values_pair[4 * i + 1], 1e-9);
		CHECK_NEAR(pairs[i].kappa.high, values_pair[4 * i + 2], 1e-9);
		CHECK(pairs[i].kappa.items == (int) values_pair[4 * i + 3]);
	}
	release_pairs(pairs, &memory);
}

/* The same seed, the same interval; another one, nearly the same. */
static void
test_seed(void)
{
	AnswerTable table = {
		VALUES_ANSWERS, VALUES_ITEMS, VALUES_ANNOTATORS, VALUES_CLASSES, values_item,
		values_annotator, values_label
	};
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Coefficient first;

	measure(&table);
	first = group.alpha;
	measure(&table);
	CHECK(group.alpha.low == first.low && group.alpha.high == first.high);
	CHECK(group_agreement(&caller, &table, 2, &group) == STATUS_SUCCESS);
	CHECK(group.alpha.value == first.value && group.alpha.low != first.low);
	CHECK_NEAR(group.alpha.low, first.low, 0.02);
}

/* Nobody disagrees; nobody says anything else; nothing is there. */
static void
test_edges(void)
{
	AnswerTable table = empty_table(3);
	UnitMemory	memory;
	PairAgreement *pairs;
	int			n;

	measure(&table);
	CHECK(isnan(group.alpha.value) && isnan(group.kappa.low) && group.alpha.items == 0 &&
		  isnan(of_class[2].value));
	pairs = measure_pairs(&table, &memory, &n);
	CHECK(n == 0);
	release_pairs(pairs, &memory);
	/* a single answer is no agreement */
	answer(&table, 0, 0, 1);
	measure(&table);
	CHECK(isnan(group.alpha.value) && group.alpha.items == 0);
	/* of one item that two disagree on nothing says how far others would go */
	answer(&table, 0, 1, 2);
	measure(&table);
	CHECK(group.alpha.value == 0.0 && isnan(group.alpha.low) && isnan(group.alpha.high));
	CHECK(isnan(group.kappa.low) && isnan(of_class[1].high) && group.alpha.items == 1);
	/* ten items on which two agree */
	table = empty_table(3);
	for (int i = 0; i < 10; i++)
	{
		answer(&table, i, 0, i % 2);
		answer(&table, i, 1, i % 2);
	}
	measure(&table);
	CHECK(group.alpha.value == 1.0 && group.alpha.high == 1.0);
	CHECK(group.alpha.low > 0.3 && group.alpha.low < 0.6);
	CHECK(group.kappa.value == 1.0 && group.kappa.low > 0.3 && group.kappa.low < 0.6);
	/* of a class that nobody has used there is nothing to say */
	CHECK(of_class[0].value == 1.0 && isnan(of_class[2].value));
	pairs = measure_pairs(&table, &memory, &n);
	CHECK(n == 1 && pairs[0].kappa.value == 1.0 && pairs[0].kappa.low > 0.3 &&
		  pairs[0].kappa.low < 0.6);
	release_pairs(pairs, &memory);
	/* all of one class: there is no chance to beat */
	for (int i = 0; i < 20; i++)
		label[i] = 1;
	measure(&table);
	CHECK(isnan(group.alpha.value) && isnan(group.kappa.value) && group.alpha.items == 10);
	pairs = measure_pairs(&table, &memory, &n);
	CHECK(n == 1 && isnan(pairs[0].kappa.value) && pairs[0].kappa.items == 10);
	release_pairs(pairs, &memory);
}

/*
 * Two people of whom each is right with probability 0.8, else says any class:
 * alpha and kappa of infinitely many items are 0.8 squared.
 */
static void
test_coverage(void)
{
	enum
	{
		RUNS = 200, ITEMS = 80, CLASSES = 3
	};
	const double known = 0.64;
	Random		random;
	int			alpha = 0;
	int			fleiss = 0;
	int			cohen = 0;

	random_seed(&random, 11);
	for (int run = 0; run < RUNS; run++)
	{
		AnswerTable table = empty_table(CLASSES);
		UnitMemory	memory;
		PairAgreement *pairs;
		int			n;

		for (int i = 0; i < ITEMS; i++)
		{
			int			truth = (int) random_below(&random, CLASSES);

			for (int who = 0; who < 2; who++)
				answer(&table, i, who, random_uniform(&random) < 0.8 ? truth :
					   (int) random_below(&random, CLASSES));
		}
		measure(&table);
		alpha += group.alpha.low <= known && known <= group.alpha.high;
		fleiss += group.kappa.low <= known && known <= group.kappa.high;
		pairs = measure_pairs(&table, &memory, &n);
		cohen += pairs[0].kappa.low <= known && known <= pairs[0].kappa.high;
		release_pairs(pairs, &memory);
	}
	printf("coverage of %d intervals: alpha %d, Fleiss %d, Cohen %d\n", RUNS, alpha, fleiss, cohen);
	/* 95 % but for chance */
	CHECK(alpha >= 0.91 * RUNS && fleiss >= 0.91 * RUNS && cohen >= 0.91 * RUNS);
	CHECK(alpha < RUNS && fleiss < RUNS && cohen < RUNS);
}

static void
test_failures(void)
{
	AnswerTable table = {
		VALUES_ANSWERS, VALUES_ITEMS, VALUES_ANNOTATORS, VALUES_CLASSES, values_item,
		values_annotator, values_label
	};
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	PairAgreement *pairs;
	int			n;

	for (long fail = 1; fail <= 8; fail++)
	{
		memory.allocations = 0;
		memory.fail_at = fail;
		CHECK(group_agreement(&caller, &table, 1, &group) == STATUS_NO_MEMORY);
		CHECK(memory.blocks == 0);
	}
	for (long fail = 1; fail <= 3; fail++)
	{
		memory.allocations = 0;
		memory.fail_at = fail;
		CHECK(pair_agreements(&caller, &table, &pairs, &n) == STATUS_NO_MEMORY);
		CHECK(memory.blocks == 0 && pairs == NULL && n == 0);
	}
	memory.fail_at = 0;
	memory.stop_at = 5;
	memory.questions = 0;
	CHECK(group_agreement(&caller, &table, 1, &group) == STATUS_STOPPED);
	memory.questions = 0;
	CHECK(pair_agreements(&caller, &table, &pairs, &n) == STATUS_STOPPED);
	CHECK(memory.blocks == 0);
	table.classes--;
	CHECK(group_agreement(&caller, &table, 1, &group) == STATUS_BAD_ARGUMENT);
	CHECK(pair_agreements(&caller, &table, &pairs, &n) == STATUS_BAD_ARGUMENT);
}

int
main(void)
{
	test_krippendorff();
	test_fleiss();
	test_cohen();
	test_values();
	test_seed();
	test_edges();
	test_coverage();
	test_failures();
	return unit_end();
}
