/*-------------------------------------------------------------------------
 *
 * test_label_errors.c
 *	  Probabilities that labels are wrong: found again where errors were made
 *	  with a known rate, calibrated, and none where there is nothing to say.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <string.h>

#include "../../src/learn/label_errors.h"
#include "../../src/math/random.h"

#define CLASSES 5
#define ROWS 20000

/* Rows whose model's probabilities are timid: the true ones to this power. */
#define TIMID 0.5

typedef struct Made
{
	float	   *probability;	/* ROWS x CLASSES */
	int		   *label;
	bool	   *flipped;
	float	   *wrong;
	int		   *suggested;
} Made;

static Made
made_allocate(void)
{
	Made		made = {
		malloc(sizeof(float) * ROWS * CLASSES), malloc(sizeof(int) * ROWS),
		malloc(sizeof(bool) * ROWS), malloc(sizeof(float) * ROWS), malloc(sizeof(int) * ROWS)
	};

	return made;
}

static void
made_free(Made *made)
{
	free(made->probability);
	free(made->label);
	free(made->flipped);
	free(made->wrong);
	free(made->suggested);
}

/* Draws a class of a row's true probabilities. */
static int
draw_class(Random *random, const double *truth)
{
	double		u = random_uniform(random);
	int			k = 0;

	while (k < CLASSES - 1 && u >= truth[k])
		u -= truth[k++];
	return k;
}

/* Labels drawn from known probabilities, and a share of them flipped. */
static void
make_rows(Made *made, int n, double rate, uint64_t seed)
{
	Random		random;

	random_seed(&random, seed);
	for (int i = 0; i < n; i++)
	{
		double		truth[CLASSES];
		double		sum = 0.0;
		double		timid = 0.0;

		for (int k = 0; k < CLASSES; k++)
			sum += truth[k] = exp(4.0 * random_normal(&random));
		for (int k = 0; k < CLASSES; k++)
		{
			truth[k] /= sum;
			timid += pow(truth[k], TIMID);
		}
		for (int k = 0; k < CLASSES; k++)
			made->probability[i * CLASSES + k] = (float) (pow(truth[k], TIMID) / timid);
		made->label[i] = draw_class(&random, truth);
		made->flipped[i] = random_uniform(&random) < rate;
		if (made->flipped[i])
			made->label[i] = (made->label[i] + 1 + (int) random_below(&random, CLASSES - 1)) % CLASSES;
	}
}

static void
test_found_again(void)
{
	const double rates[] = {0.02, 0.1, 0.3};
	Made		made = made_allocate();

	for (int r = 0; r < 3; r++)
	{
		UnitMemory	memory;
		Caller		caller = unit_caller(&memory);
		LabelErrors errors;
		double		expected = 0.0;
		int			bin[10] = {0};
		double		said[10] = {0};
		double		true_ones[10] = {0};

		make_rows(&made, ROWS, rates[r], 17 + r);
		REQUIRE(label_errors(&caller, made.probability, made.label, ROWS, CLASSES, NULL, made.wrong,
							 made.suggested, &errors) == STATUS_SUCCESS);
		CHECK(memory.blocks == 0);
		CHECK_NEAR(errors.rate, rates[r], 0.1 * rates[r] + 0.004);
		CHECK_NEAR(errors.sharpness, 1.0 / TIMID, 0.3);
		for (int i = 0; i < ROWS; i++)
		{
			int			b = (int) (made.wrong[i] * 9.999f);

			expected += made.wrong[i];
			bin[b]++;
			said[b] += made.wrong[i];
			true_ones[b] += made.flipped[i];
			CHECK(made.suggested[i] != made.label[i]);
		}
		CHECK_NEAR(expected / ROWS, rates[r], 0.1 * rates[r] + 0.004);
		/* what is called 70 % wrong is wrong in 70 % of the cases */
		for (int b = 0; b < 10; b++)
			if (bin[b] >= 100)
				CHECK_NEAR(said[b] / bin[b], true_ones[b] / bin[b], 3.0 * 0.5 / sqrt(bin[b]) + 0.02);
	}
	made_free(&made);
}

/* By hand: the posterior of one row under the numbers that were found. */
static void
test_posterior(void)
{
	Made		made = made_allocate();
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	LabelErrors errors;

	make_rows(&made, ROWS, 0.1, 3);
	REQUIRE(label_errors(&caller, made.probability, made.label, ROWS, CLASSES, NULL, made.wrong,
						 made.suggested, &errors) == STATUS_SUCCESS);
	for (int i = 0; i < 50; i++)
	{
		const float *p = made.probability + i * CLASSES;
		double		sum = 0.0;
		double		given;
		double		right;
		double		other;

		for (int k = 0; k < CLASSES; k++)
			sum += pow(p[k], errors.sharpness);
		given = pow(p[made.label[i]], errors.sharpness) / sum;
		right = (1 - errors.rate) * given;
		other = errors.rate / (CLASSES - 1) * (1 - given);
		CHECK_NEAR(made.wrong[i], other / (right + other), 1e-5);
		for (int k = 0; k < CLASSES; k++)
			CHECK(k == made.label[i] || p[k] <= p[made.suggested[i]]);
	}
	made_free(&made);
}

/* Nothing to find: no errors, a class of one row, no rows at all. */
static void
test_edges(void)
{
	Made		made = made_allocate();
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	LabelErrors errors;
	int			high = 0;

	make_rows(&made, ROWS, 0.0, 5);
	CHECK(label_errors(&caller, made.probability, made.label, ROWS, CLASSES, NULL, made.wrong,
					   made.suggested, &errors) == STATUS_SUCCESS);
	CHECK(errors.rate < 0.004);
	for (int i = 0; i < ROWS; i++)
		high += made.wrong[i] > 0.5f;
	CHECK(high < ROWS / 1000);
	/* a class that one row alone has: the model that judged it did not know it */
	for (int i = 0; i < 100; i++)
		made.label[i] = i == 50 ? 4 : i % 4;
	for (int i = 0; i < 100; i++)
		for (int k = 0; k < CLASSES; k++)
			made.probability[i * CLASSES + k] = k == 4 ? 0.0f : k == i % 4 ? 0.97f : 0.01f;
	CHECK(label_errors(&caller, made.probability, made.label, 100, CLASSES, NULL, made.wrong,
					   made.suggested, &errors) == STATUS_SUCCESS);
	CHECK_NEAR(made.wrong[50], errors.rate, 1e-6);
	CHECK(made.suggested[50] == 50 % 4);
	/* zeros everywhere are no reason to crash */
	memset(made.probability, 0, sizeof(float) * 100 * CLASSES);
	CHECK(label_errors(&caller, made.probability, made.label, 100, CLASSES, NULL, made.wrong,
					   made.suggested, &errors) == STATUS_SUCCESS);
	for (int i = 0; i < 100; i++)
		CHECK(made.wrong[i] >= 0.0f && made.wrong[i] <= 1.0f);
	CHECK(label_errors(&caller, made.probability, made.label, 0, CLASSES, NULL, made.wrong,
					   made.suggested, &errors) == STATUS_SUCCESS);
	/* what is expected where nothing is known */
	CHECK_NEAR(errors.rate, 0.04, 1e-6);
	CHECK(label_errors(&caller, made.probability, made.label, 10, 1, NULL, made.wrong, made.suggested,
					   &errors) == STATUS_BAD_ARGUMENT);
	CHECK(memory.blocks == 0);
	made_free(&made);
}

/* Several have answered: what they say counts, and what is certain is not wrong. */
static void
test_several_answers(void)
{
	Made		made = made_allocate();
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	LabelErrors errors;
	LabelErrors alone;
	int		   *start = malloc(sizeof(int) * (ROWS + 1));
	int			class[5];
	float		weight[5] = {1.0f, 0.7f, 0.3f, 0.5f, 0.5f};
	SoftLabels	said = {ROWS, start, class, weight};
	int			a;
	int			b;
	double		right;
	double		other;

	make_rows(&made, ROWS, 0.1, 11);
	REQUIRE(label_errors(&caller, made.probability, made.label, ROWS, CLASSES, NULL, made.wrong,
						 made.suggested, &alone) == STATUS_SUCCESS);
	/* row 0 is certain, rows 1 and 2 are disputed, the others have one answer */
	start[0] = 0;
	for (int i = 1; i <= ROWS; i++)
		start[i] = i == 1 ? 1 : i == 2 ? 3 : 5;
	a = made.label[1];
	b = (a + 2) % CLASSES;
	class[0] = made.label[0];
	class[1] = a;
	class[2] = b;
	class[3] = (made.label[2] + 1) % CLASSES;
	class[4] = made.label[2];
	REQUIRE(label_errors(&caller, made.probability, made.label, ROWS, CLASSES, &said, made.wrong,
						 made.suggested, &errors) == STATUS_SUCCESS);
	CHECK_NEAR(errors.rate, alone.rate, 0.002);
	CHECK(made.wrong[0] == 0.0f && made.suggested[0] != made.label[0]);
	right = 0.7 * pow(made.probability[CLASSES + a], errors.sharpness);
	other = 0.3 * pow(made.probability[CLASSES + b], errors.sharpness);
	CHECK_NEAR(made.wrong[1], other / (right + other), 1e-5);
	CHECK(made.suggested[1] == b);
	CHECK(made.suggested[2] == class[3]);
	/* three quarters are sure, and a quarter is any other class: as with that rate */
	weight[0] = 0.75f;
	REQUIRE(label_errors(&caller, made.probability, made.label, ROWS, CLASSES, &said, made.wrong,
						 made.suggested, &errors) == STATUS_SUCCESS);
	right = other = 0.0;
	for (int k = 0; k < CLASSES; k++)
	{
		double		power = pow(made.probability[k], errors.sharpness);

		right += k == made.label[0] ? 0.75 * power : 0.0;
		other += k == made.label[0] ? 0.0 : 0.25 / (CLASSES - 1) * power;
		CHECK(k == made.label[0] || made.probability[k] <= made.probability[made.suggested[0]]);
	}
	CHECK_NEAR(made.wrong[0], other / (right + other), 1e-5);
	CHECK(memory.blocks == 0);
	free(start);
	made_free(&made);
}

static void
test_failures(void)
{
	Made		made = made_allocate();
	UnitMemory	memory;
	LabelErrors errors;

	make_rows(&made, ROWS, 0.1, 7);
	for (int at = 1; at <= 2; at++)
	{
		Caller		caller = unit_caller(&memory);

		memory.fail_at = at;
		CHECK(label_errors(&caller, made.probability, made.label, ROWS, CLASSES, NULL, made.wrong,
						   made.suggested, &errors) == STATUS_NO_MEMORY);
		CHECK(memory.blocks == 0);
	}
	for (int at = 1; at <= 150; at += 40)
	{
		Caller		caller = unit_caller(&memory);

		memory.stop_at = at;
		CHECK(label_errors(&caller, made.probability, made.label, ROWS, CLASSES, NULL, made.wrong,
						   made.suggested, &errors) == STATUS_STOPPED);
		CHECK(memory.blocks == 0);
	}
	made_free(&made);
}

int
main(void)
{
	test_found_again();
	test_posterior();
	test_edges();
	test_several_answers();
	test_failures();
	return unit_end();
}
