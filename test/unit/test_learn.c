/*-------------------------------------------------------------------------
 *
 * test_learn.c
 *	  The parts of the learning room against a reference in numpy.
 *
 * The values come from make_learn_values.py: 60 rows of 8 features with 2, 3
 * and 7 classes.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/acquisition.h"
#include "../../src/learn/choose.h"
#include "../../src/learn/epig.h"
#include "../../src/learn/head.h"
#include "../../src/math/kernels.h"
#include "../../src/learn/metrics.h"
#include "../../src/learn/posterior.h"
#include "../../src/learn/uncertainty.h"
#include "../../src/math/matrix.h"
#include "../../src/math/random.h"
#include "learn_values.h"

#define CASES ((int) (sizeof(learn_cases) / sizeof(learn_cases[0])))
#define CASE_FEATURES (CASE_DIMS + 1)
#define MOST_CLASSES 7

/*
 * Both sides compute in double from the same inputs: what differs is the
 * order of sums (1e-12) and where the iterations stop.
 */
#define EXACT 1e-10
#define OPTIMUM 1e-6
/* Of scores, which are computed in float. */
#define SINGLE 2e-5

static Design
design_of(const LearnCase *c)
{
	Design		design = {
		CASE_ROWS, CASE_DIMS, 0, CASE_FEATURES, c->classes, c->dense, NULL, c->label, NULL
	};

	return design;
}

/* Largest absolute difference. */
static double
distance(const double *a, const double *b, int count)
{
	double		largest = 0.0;

	for (int i = 0; i < count; i++)
		largest = fmax(largest, fabs(a[i] - b[i]));
	return largest;
}

static double
distance_float(const float *a, const double *b, int count)
{
	double		largest = 0.0;

	for (int i = 0; i < count; i++)
		largest = fmax(largest, fabs(a[i] - b[i]));
	return largest;
}

/* The accuracy that kernels.h promises, over the whole range. */
static void
test_exponentials(void)
{
	double		worst_float = 0.0;
	double		worst_double = 0.0;

	for (int i = -87000; i <= 88000; i++)
	{
		float		x = i * 1e-3f + i * 1e-7f;

		if (x < -87.0f || x > 88.0f)
			continue;
		worst_float = fmax(worst_float, fabs(exp_float(x) / exp((double) x) - 1.0));
	}
	for (int i = -70700; i <= 70800; i++)
	{
		double		x = i * 1e-2 + i * 1e-9;

		worst_double = fmax(worst_double, fabs(exp_double(x) / exp(x) - 1.0));
	}
	CHECK(worst_float < 3e-7);
	CHECK(worst_double < 1e-15);
	CHECK(exp_float(0.0f) == 1.0f && exp_double(0.0) == 1.0);
	CHECK(exp_float(-1000.0f) > 0.0f && exp_float(-1000.0f) < 1e-37f);
	CHECK(isfinite(exp_float(1000.0f)) && isfinite(exp_double(1e6)));
}

static void
test_objective(const Caller *caller, const LearnCase *c)
{
	Design		design = design_of(c);
	RowSet		all = {NULL, CASE_ROWS};
	double		gradient[CASE_FEATURES * MOST_CLASSES];
	double		value;

	CHECK(head_objective(caller, &design, all, c->weights, CASE_PRIOR,
						 &value, gradient) == STATUS_SUCCESS);
	CHECK_NEAR(value, c->value, EXACT * c->value);
	CHECK(distance(gradient, c->gradient, CASE_FEATURES * c->classes) < EXACT);
}

/* The optimum from zero, from elsewhere, and in single precision. */
static void
test_fit(const Caller *caller, const LearnCase *c)
{
	Design		design = design_of(c);
	RowSet		all = {NULL, CASE_ROWS};
	HeadOptions options = {CASE_PRIOR, 1e-16, 1000, false};
	double		gram[CASE_FEATURES * CASE_FEATURES] = {0};
	double		weights[CASE_FEATURES * MOST_CLASSES] = {0};
	double		value;
	int			size = CASE_FEATURES * c->classes;

	CHECK(head_gram(caller, &design, all, 1.0, gram) == STATUS_SUCCESS);
	CHECK(head_fit(caller, &design, all, &options, gram, weights, &value) == STATUS_SUCCESS);
	CHECK(distance(weights, c->optimum, size) < OPTIMUM);
	CHECK_NEAR(value, c->best_value, EXACT * c->best_value);

	memcpy(weights, c->weights, sizeof(double) * size);
	CHECK(head_fit(caller, &design, all, &options, gram, weights, &value) == STATUS_SUCCESS);
	CHECK(distance(weights, c->optimum, size) < OPTIMUM);

	memset(weights, 0, sizeof(weights));
	options.single = true;
	options.tolerance = 1e-7;
	CHECK(head_fit(caller, &design, all, &options, gram, weights, &value) == STATUS_SUCCESS);
	CHECK_NEAR(value, c->best_value, 1e-5 * c->best_value);

	/* a start that is too far off for floats is an answer, not a crash */
	options.single = false;
	weights[0] = NAN;
	CHECK(head_fit(caller, &design, all, &options, gram, weights, &value) == STATUS_NOT_FINITE);
	options.prior_precision = -1e6;
	CHECK(head_fit(caller, &design, all, &options, gram, weights, &value) == STATUS_SINGULAR);
}

/* A list of rows is the same as a copy of them; X'X can be taken off again. */
static void
test_row_sets(const Caller *caller, const LearnCase *c)
{
	Design		design = design_of(c);
	Design		copy = design;
	int			index[20];
	int			label[20];
	float		dense[20 * CASE_DIMS];
	RowSet		some = {index, 20};
	RowSet		all = {NULL, CASE_ROWS};
	RowSet		copied = {NULL, 20};
	double		values[2];
	double		gradients[2][CASE_FEATURES * MOST_CLASSES];
	double		gram[CASE_FEATURES * CASE_FEATURES] = {0};
	double		zero[CASE_FEATURES * CASE_FEATURES] = {0};

	for (int i = 0; i < 20; i++)
	{
		index[i] = (i * 37 + 5) % CASE_ROWS;
		label[i] = c->label[index[i]];
		memcpy(dense + i * CASE_DIMS, c->dense + index[i] * CASE_DIMS,
			   sizeof(float) * CASE_DIMS);
	}
	copy.n = 20;
	copy.dense = dense;
	copy.label = label;
	CHECK(head_objective(caller, &design, some, c->weights, 1.0, &values[0],
						 gradients[0]) == STATUS_SUCCESS);
	CHECK(head_objective(caller, &copy, copied, c->weights, 1.0, &values[1],
						 gradients[1]) == STATUS_SUCCESS);
	CHECK(values[0] == values[1]);
	CHECK(distance(gradients[0], gradients[1], CASE_FEATURES * c->classes) == 0.0);
	CHECK(head_gram(caller, &design, all, 1.0, gram) == STATUS_SUCCESS);
	CHECK(gram[0] > 0.0);
	CHECK(head_gram(caller, &design, all, -1.0, gram) == STATUS_SUCCESS);
	CHECK(distance(gram, zero, CASE_FEATURES * CASE_FEATURES) < EXACT);
}

static void
test_choose(const Caller *caller, const LearnCase *c)
{
	Design		design = design_of(c);
	CrossFit	fit = {0};
	Choice		choice;

	for (int start = 0; start < CASE_PRIORS; start++)
	{
		REQUIRE(cross_fit_start(caller, &design, c->fold, c->folds, false, &fit) == STATUS_SUCCESS);
		CHECK(choose_prior(caller, &fit, case_grid, CASE_PRIORS, start, 1e-14,
						   &choice) == STATUS_SUCCESS);
		CHECK(choice.prior_precision == c->prior_precision);
		CHECK_NEAR(choice.scale, c->scale, 1e-5);
		CHECK_NEAR(choice.loss, c->loss, OPTIMUM);
		CHECK(choice.rows == CASE_ROWS);
		CHECK(distance(fit.logits, c->logits, CASE_ROWS * c->classes) < 2e-5);
		cross_fit_end(caller, &fit);
	}
}

/*
 * A class with a single row cannot be got right without it: the row is left
 * out of the loss, and one of a class in two folds is not.
 */
static void
test_single_rows(const Caller *caller, const LearnCase *c)
{
	int			label[CASE_ROWS];
	Design		design = design_of(c);
	CrossFit	fit = {0};
	Choice		choice;
	int			second = 1;

	while (c->fold[second] == c->fold[0])
		second++;
	for (int singles = 1; singles <= 2; singles++)
	{
		memcpy(label, c->label, sizeof(label));
		label[0] = c->classes;
		if (singles == 2)
			label[second] = c->classes;
		design.label = label;
		design.classes = c->classes + 1;
		REQUIRE(cross_fit_start(caller, &design, c->fold, c->folds, false, &fit) == STATUS_SUCCESS);
		CHECK(fit.usable[0] == (singles == 2) && fit.usable[second]);
		CHECK(choose_prior(caller, &fit, case_grid, CASE_PRIORS, 1, 1e-6, &choice) == STATUS_SUCCESS);
		CHECK(choice.rows == (singles == 2 ? CASE_ROWS : CASE_ROWS - 1));
		cross_fit_end(caller, &fit);
	}
}

/* An opinion about the prior counts where the rows have none. */
static void
test_usual_prior(const Caller *caller, const LearnCase *c)
{
	static const double grid[] = {1e-9, 1e-3, 1.0, 1e3};
	Design		design = design_of(c);
	CrossFit	fit = {0};
	Choice		choice;

	REQUIRE(cross_fit_start(caller, &design, c->fold, c->folds, false, &fit) == STATUS_SUCCESS);
	fit.usual = 1e3;
	CHECK(choose_prior(caller, &fit, grid, 4, 1, 1e-6, &choice) == STATUS_SUCCESS);
	CHECK_NEAR(choice.penalty, 0.5 * pow(log(choice.prior_precision / 1e3), 2), 1e-9);
	CHECK(choice.prior_precision > 1e-9);
	cross_fit_end(caller, &fit);
}

/* The scale is the minimum, wherever that is. */
static void
test_calibrate(const Caller *caller, const LearnCase *c)
{
	bool		usable[CASE_ROWS];
	double		logits[CASE_ROWS * MOST_CLASSES];
	double		scale;
	double		loss;
	double		around[2];
	double		unused;

	for (int i = 0; i < CASE_ROWS; i++)
		usable[i] = true;
	CHECK(calibrate(caller, c->logits, c->label, usable, CASE_ROWS, c->classes,
					&scale, &loss) == STATUS_SUCCESS);
	CHECK_NEAR(scale, c->scale, 1e-5);
	CHECK_NEAR(loss, c->loss, OPTIMUM);
	/* logits that are right, or wrong, by any margin: the ends of the range */
	for (int sign = -1; sign <= 1; sign += 2)
	{
		for (int i = 0; i < CASE_ROWS * c->classes; i++)
			logits[i] = i % c->classes == c->label[i / c->classes] ? 0.2 * sign : 0.0;
		CHECK(calibrate(caller, logits, c->label, usable, CASE_ROWS, c->classes,
						&scale, &loss) == STATUS_SUCCESS);
		CHECK(sign > 0 ? scale > 1.5 : scale < 0.8);
	}
	for (int i = 0; i < CASE_ROWS; i++)
		usable[i] = false;
	CHECK(calibrate(caller, logits, c->label, usable, CASE_ROWS, c->classes,
					&scale, &loss) == STATUS_SUCCESS);
	CHECK_NEAR(scale, 1.0, 1e-6);
	around[0] = loss;
	logits[0] = NAN;
	usable[0] = true;
	CHECK(calibrate(caller, logits, c->label, usable, CASE_ROWS, c->classes,
					&unused, &around[1]) == STATUS_NOT_FINITE);
	CHECK_NEAR(around[0], 0.0, 1e-9);
}

/* Folds are even, each class is spread over them, and the seed matters. */
static void
test_folds(const Caller *caller, const LearnCase *c)
{
	int			fold[CASE_ROWS];
	int			again[CASE_ROWS];
	int			count[MOST_CLASSES][5] = {{0}};
	int			size[5] = {0};
	bool		even = true;
	int			different = 0;

	CHECK(stratified_folds(caller, c->label, CASE_ROWS, c->classes, 5, 1, fold) == STATUS_SUCCESS);
	for (int i = 0; i < CASE_ROWS; i++)
	{
		REQUIRE(fold[i] >= 0 && fold[i] < 5);
		count[c->label[i]][fold[i]]++;
		size[fold[i]]++;
	}
	for (int f = 0; f < 5; f++)
		even = even && size[f] == CASE_ROWS / 5;
	for (int k = 0; k < c->classes; k++)
		for (int f = 1; f < 5; f++)
			even = even && abs(count[k][f] - count[k][0]) <= 1;
	CHECK(even);
	CHECK(stratified_folds(caller, c->label, CASE_ROWS, c->classes, 5, 1, again) == STATUS_SUCCESS);
	CHECK(memcmp(fold, again, sizeof(fold)) == 0);
	CHECK(stratified_folds(caller, c->label, CASE_ROWS, c->classes, 5, 2, again) == STATUS_SUCCESS);
	for (int i = 0; i < CASE_ROWS; i++)
		different += fold[i] != again[i];
	CHECK(different > CASE_ROWS / 4);
}

static void
test_posterior(const Caller *caller, const LearnCase *c)
{
	Design		design = design_of(c);
	double		prior = c->prior_precision / (c->scale * c->scale);
	Posterior  *posterior;
	float		rows[CASE_QUERIES * CASE_FEATURES];
	float		scratch[CASE_QUERIES * CASE_FEATURES];
	float		variance[CASE_QUERIES * MOST_CLASSES];
	double		largest = 0.0;

	REQUIRE(posterior_build(caller, &design, c->probability, prior, 1, &posterior) == STATUS_SUCCESS);
	CHECK(posterior->rank == CASE_FEATURES);
	CHECK(posterior_scratch(posterior, CASE_QUERIES) <= CASE_QUERIES * CASE_FEATURES);
	for (int i = 0; i < CASE_QUERIES; i++)
	{
		memcpy(rows + i * CASE_FEATURES, c->query + i * CASE_DIMS, sizeof(float) * CASE_DIMS);
		rows[i * CASE_FEATURES + CASE_DIMS] = 1.0f;
	}
	posterior_variance(posterior, rows, CASE_QUERIES, scratch, variance);
	for (int i = 0; i < CASE_QUERIES * c->classes; i++)
		largest = fmax(largest, fabs(variance[i] / c->variance[i] - 1.0));
	/* relative: float, and directions from an iteration */
	CHECK(largest < 1e-4);
	posterior_free(caller, posterior);
}

/* p(1-p)-weighted curvature of class k along a direction (D) of the design. */
static double
curvature_along(const float *dense, int n, int dims, const float *probability, int classes,
				int k, const float *direction)
{
	double		sum = 0.0;

	for (int i = 0; i < n; i++)
	{
		double		x = direction[dims];
		double		w = 0.0;

		for (int j = 0; j < dims; j++)
			x += (double) dense[i * dims + j] * direction[j];
		for (int l = 0; l < classes; l++)
			if (k < 0 || l == k)
				w += (k < 0 ? 0.5 : 1.0) * probability[i * classes + l] *
					(1.0 - probability[i * classes + l]);
		sum += x * x * w;
	}
	return sum;
}

#define WIDE_ROWS 60
#define WIDE_DIMS 199

/* The variances of a row are those along the directions, and the rest. */
static void
check_wide_variance(const Posterior *posterior)
{
	float		row[WIDE_DIMS + 1];
	float		scratch[POSTERIOR_RANK];
	float		variance[MOST_CLASSES];
	double		expected[MOST_CLASSES] = {0};
	double		left = 0.0;

	for (int j = 0; j <= WIDE_DIMS; j++)
	{
		row[j] = (float) ((j * 7 % 13 - 6) / 50.0);
		left += row[j] * row[j];
	}
	for (int a = 0; a < posterior->rank; a++)
	{
		double		x = 0.0;

		for (int j = 0; j <= WIDE_DIMS; j++)
			x += (double) row[j] * posterior->basis[a * (WIDE_DIMS + 1) + j];
		left -= x * x;
		for (int k = 0; k < posterior->classes; k++)
			expected[k] += x * x * posterior->variance[a * posterior->classes + k];
	}
	posterior_variance(posterior, row, 1, scratch, variance);
	CHECK(left > 0.1);
	for (int k = 0; k < posterior->classes; k++)
		CHECK_NEAR(variance[k] / (expected[k] + left * posterior->rest[k]), 1.0, 1e-4);
}

/*
 * More features than directions, and fewer rows: the basis is orthonormal,
 * the variances are what posterior.c says, and outside is the prior.
 */
static void
test_wide_posterior(const Caller *caller, const LearnCase *c)
{
	static float dense[WIDE_ROWS * WIDE_DIMS];
	Design		design = {
		WIDE_ROWS, WIDE_DIMS, 0, WIDE_DIMS + 1, c->classes, dense, NULL, c->label, NULL
	};
	Posterior  *posterior;
	Random		random;
	double		worst = 0.0;
	double		orthogonal = 0.0;

	random_seed(&random, 3);
	for (int i = 0; i < WIDE_ROWS * WIDE_DIMS; i++)
		dense[i] = (float) (random_normal(&random) / sqrt(WIDE_DIMS));
	REQUIRE(posterior_build(caller, &design, c->probability, 0.5, 1, &posterior) == STATUS_SUCCESS);
	CHECK(posterior->rank == POSTERIOR_RANK);
	for (int a = 0; a < posterior->rank; a++)
		for (int b = 0; b <= a; b++)
		{
			double		sum = a == b ? -1.0 : 0.0;

			for (int j = 0; j <= WIDE_DIMS; j++)
				sum += (double) posterior->basis[a * (WIDE_DIMS + 1) + j] *
					posterior->basis[b * (WIDE_DIMS + 1) + j];
			orthogonal = fmax(orthogonal, fabs(sum));
		}
	CHECK(orthogonal < 1e-5);
	for (int a = 120; a < posterior->rank; a++)
		for (int k = 0; k < c->classes; k++)
		{
			const float *u = posterior->basis + a * (WIDE_DIMS + 1);
			double		own = curvature_along(dense, WIDE_ROWS, WIDE_DIMS, c->probability,
											  c->classes, k, u);
			double		shared = curvature_along(dense, WIDE_ROWS, WIDE_DIMS, c->probability,
												 c->classes, -1, u);
			double		expected = 1.0 / (sqrt(own * shared) + 0.5);

			worst = fmax(worst, fabs(posterior->variance[a * c->classes + k] / expected - 1.0));
		}
	CHECK(worst < 1e-4);
	for (int k = 0; k < c->classes; k++)
		CHECK_NEAR(posterior->rest[k], 2.0, 1e-4);
	check_wide_variance(posterior);
	posterior_free(caller, posterior);
}

static void
test_scores(const Caller *caller, const LearnCase *c)
{
	Draws		draws;
	float		scratch[MOST_CLASSES * (DRAWS + 3)];
	float		probability[MOST_CLASSES];
	Score		score;
	Score		again;

	REQUIRE(draws_init(caller, c->classes, &draws) == STATUS_SUCCESS);
	CHECK(score_scratch(c->classes) <= sizeof(scratch) / sizeof(float));
	memcpy(draws.normal, c->normal, sizeof(float) * c->classes * DRAWS / 2);
	for (int i = 0; i < CASE_QUERIES; i++)
	{
		const float *logits = c->score_logits + i * c->classes;
		const float *variance = c->score_variance + i * c->classes;

		score_row(&draws, logits, variance, scratch, probability, &score);
		CHECK_NEAR(score.total, c->total[i], SINGLE);
		CHECK_NEAR(score.aleatoric, c->aleatoric[i], SINGLE);
		CHECK_NEAR(score.total, score.aleatoric + score.epistemic, 1e-6);
		CHECK(distance_float(probability, c->point + i * c->classes, c->classes) < 1e-6);
		CHECK(score.confidence == probability[score.label]);
		for (int k = 0; k < c->classes; k++)
			CHECK(k == score.label || score.confidence - probability[k] >= score.margin);
		score_row(&draws, logits, variance, scratch, probability, &again);
		CHECK(memcmp(&score, &again, sizeof(Score)) == 0);
	}
	draws_free(caller, &draws);
}

/* Nothing known, everything known, and the bounds in between. */
static void
test_score_bounds(const Caller *caller, int classes)
{
	Draws		draws;
	float	   *logits = calloc(classes, sizeof(float));
	float	   *variance = calloc(classes, sizeof(float));
	float	   *probability = calloc(classes, sizeof(float));
	float	   *scratch = calloc(score_scratch(classes), sizeof(float));
	Score		score;
	Random		random;
	bool		within = true;

	REQUIRE(draws_init(caller, classes, &draws) == STATUS_SUCCESS);
	score_row(&draws, logits, variance, scratch, probability, &score);
	CHECK(score.label == 0);
	CHECK_NEAR(score.total, log(classes), 1e-5);
	CHECK_NEAR(score.epistemic, 0.0, 1e-5);
	CHECK_NEAR(score.confidence, 1.0 / classes, 1e-6);
	CHECK_NEAR(score.margin, 0.0, 1e-6);
	for (int k = 0; k < classes; k++)
		variance[k] = 1e6f;
	score_row(&draws, logits, variance, scratch, probability, &score);
	CHECK(score.epistemic > 0.95 * score.total && score.aleatoric >= 0.0f);
	CHECK(score.epistemic > 0.4 * log(classes < DRAWN_CLASSES ? classes : DRAWN_CLASSES));
	random_seed(&random, 7);
	for (int turn = 0; turn < 200; turn++)
	{
		for (int k = 0; k < classes; k++)
		{
			logits[k] = (float) (random_normal(&random) * (turn % 10) * 10);
			variance[k] = (float) (random_uniform(&random) * pow(10, turn % 7 - 2));
		}
		score_row(&draws, logits, variance, scratch, probability, &score);
		within = within && score.aleatoric >= 0.0f && score.epistemic >= 0.0f &&
			score.total <= (float) log(classes) && score.confidence <= 1.0f &&
			score.margin >= 0.0f &&
			fabsf(score.total - score.aleatoric - score.epistemic) <= 1e-6f;
	}
	CHECK(within);
	draws_free(caller, &draws);
	free(logits);
	free(variance);
	free(probability);
	free(scratch);
}

/*
 * With many classes only some are drawn: adding classes that are all but
 * impossible changes nothing, and without variance nothing is left out.
 */
static void
test_many_classes(const Caller *caller)
{
	enum
	{
		MANY = 1000
	};
	Draws		draws;
	float	   *logits = calloc(MANY, sizeof(float));
	float	   *variance = calloc(MANY, sizeof(float));
	float	   *probability = calloc(MANY, sizeof(float));
	float	   *scratch = calloc(score_scratch(MANY), sizeof(float));
	Score		few;
	Score		many;
	Random		random;
	double		entropy = 0.0;
	double		sum = 0.0;

	random_seed(&random, 9);
	for (int k = 0; k < MANY; k++)
	{
		logits[k] = k < DRAWN_CLASSES ? (float) random_normal(&random) : -60.0f;
		variance[k] = 2.0f;
	}
	REQUIRE(draws_init(caller, DRAWN_CLASSES, &draws) == STATUS_SUCCESS);
	score_row(&draws, logits, variance, scratch, probability, &few);
	draws_free(caller, &draws);
	REQUIRE(draws_init(caller, MANY, &draws) == STATUS_SUCCESS);
	score_row(&draws, logits, variance, scratch, probability, &many);
	CHECK_NEAR(few.total, many.total, 1e-4);
	CHECK_NEAR(few.epistemic, many.epistemic, 1e-4);
	CHECK(few.label == many.label && few.epistemic > 0.01f);

	for (int k = 0; k < MANY; k++)
	{
		logits[k] = (float) random_normal(&random);
		variance[k] = 0.0f;
		sum += exp(WIDEN * logits[k]);
	}
	for (int k = 0; k < MANY; k++)
		entropy -= exp(WIDEN * logits[k]) / sum * (WIDEN * logits[k] - log(sum));
	score_row(&draws, logits, variance, scratch, probability, &many);
	CHECK_NEAR(many.total, entropy, 1e-4);
	CHECK_NEAR(many.epistemic, 0.0, 1e-4);
	draws_free(caller, &draws);
	free(logits);
	free(variance);
	free(probability);
	free(scratch);
}

/* The reference's order and gains; in small windows too, what they allow. */
static void
test_epig(const Caller *caller, const LearnCase *c)
{
	float		spread[CASE_ROWS * MOST_CLASSES];
	float		target_spread[CASE_TARGETS * MOST_CLASSES];
	double		target[CASE_TARGETS * CASE_FEATURES];
	EpigProblem problem = {
		CASE_FEATURES, c->classes, CASE_ROWS, CASE_TARGETS, c->white, target, spread,
		target_spread
	};
	int			chosen[CASE_ROWS];
	float		gain[CASE_ROWS];
	double		worst = 0.0;
	bool		seen[CASE_ROWS] = {false};

	for (int i = 0; i < CASE_ROWS * c->classes; i++)
		spread[i] = c->candidate_probability[i] * (1.0f - c->candidate_probability[i]);
	for (int i = 0; i < CASE_TARGETS; i++)
	{
		memcpy(target + i * CASE_FEATURES, c->white + c->target[i] * CASE_FEATURES,
			   sizeof(double) * CASE_FEATURES);
		memcpy(target_spread + i * c->classes, spread + c->target[i] * c->classes,
			   sizeof(float) * c->classes);
	}
	CHECK(epig_greedy(caller, &problem, CASE_CHOSEN, CASE_ROWS, CASE_CHOSEN,
					  chosen, gain) == STATUS_SUCCESS);
	CHECK(memcmp(chosen, c->chosen, sizeof(int) * CASE_CHOSEN) == 0);
	for (int i = 0; i < CASE_CHOSEN; i++)
		worst = fmax(worst, fabs(gain[i] / c->gain[i] - 1.0));
	CHECK(worst < 1e-4);

	/* the window holds everything: batches make no difference */
	CHECK(epig_greedy(caller, &problem, 5, CASE_ROWS, CASE_CHOSEN, chosen, gain) == STATUS_SUCCESS);
	CHECK(memcmp(chosen, c->chosen, sizeof(int) * CASE_CHOSEN) == 0);
	/* all of them, through a window that rows enter late */
	CHECK(epig_greedy(caller, &problem, 4, 16, CASE_ROWS, chosen, gain) == STATUS_SUCCESS);
	for (int i = 0; i < CASE_ROWS; i++)
	{
		CHECK(chosen[i] >= 0 && chosen[i] < 16 + i / 4 * 4 && !seen[chosen[i]]);
		seen[chosen[i]] = true;
	}
	CHECK(epig_greedy(caller, &problem, 4, 16, CASE_ROWS + 1, chosen, gain) ==
		  STATUS_BAD_ARGUMENT);
}

/*
 * A row that enters the window late has caught up with what was chosen
 * before: its gain is what a window of everything says.
 */
static void
test_epig_catches_up(const Caller *caller, const LearnCase *c)
{
	enum
	{
		ROWS = 24
	};
	double		rows[ROWS * CASE_FEATURES];
	float		spread[ROWS * MOST_CLASSES];
	EpigProblem problem = {
		CASE_FEATURES, c->classes, ROWS, ROWS, rows, rows, spread, spread
	};
	int			chosen[ROWS];
	int			whole[ROWS];
	float		gain[ROWS];
	float		whole_gain[ROWS];

	/* the first eight are such that they are chosen first */
	for (int i = 0; i < ROWS * CASE_FEATURES; i++)
		rows[i] = c->white[i] * (i < 8 * CASE_FEATURES ? 1.0 : 0.05);
	for (int i = 0; i < ROWS * c->classes; i++)
		spread[i] = 0.2f;
	CHECK(epig_greedy(caller, &problem, 8, 8, ROWS, chosen, gain) == STATUS_SUCCESS);
	CHECK(epig_greedy(caller, &problem, ROWS, ROWS, ROWS, whole, whole_gain) == STATUS_SUCCESS);
	for (int i = 0; i < 8; i++)
		CHECK(chosen[i] == whole[i] && chosen[i] < 8);
	/* the next window has all the rest but eight: compare the best of it */
	problem.candidates = 16;
	CHECK(epig_greedy(caller, &problem, 16, 16, 9, whole, whole_gain) == STATUS_SUCCESS);
	CHECK(chosen[8] == whole[8]);
	CHECK_NEAR(gain[8] / whole_gain[8], 1.0, 1e-4);
}

static void
test_metrics(const LearnCase *c)
{
	Metrics		metrics;
	int			confusion[MOST_CLASSES * MOST_CLASSES];
	double		low;
	double		high;

	measure(c->measured, c->label, CASE_ROWS, c->classes, &metrics);
	CHECK(metrics.n == CASE_ROWS);
	CHECK_NEAR(metrics.accuracy, c->accuracy, 1e-12);
	CHECK_NEAR(metrics.accuracy_low, c->accuracy_low, 1e-9);
	CHECK_NEAR(metrics.accuracy_high, c->accuracy_high, 1e-9);
	/* scikit-learn divides by the sum of the rounded probabilities */
	CHECK_NEAR(metrics.log_loss, c->log_loss, 1e-6);
	CHECK_NEAR(metrics.calibration_error, c->calibration_error, 1e-9);
	count_confusion(c->measured, c->label, CASE_ROWS, c->classes, confusion);
	CHECK(memcmp(confusion, c->confusion, sizeof(int) * c->classes * c->classes) == 0);
	measure(NULL, NULL, 0, c->classes, &metrics);
	CHECK(metrics.accuracy_low == 0.0 && metrics.accuracy_high == 1.0);
	/* R: prop.test(0, 10, correct = FALSE), prop.test(10, 10, correct = FALSE) */
	wilson_interval(0, 10, &low, &high);
	CHECK(low == 0.0);
	CHECK_NEAR(high, 0.277532799862889, 1e-9);
	wilson_interval(10, 10, &low, &high);
	CHECK_NEAR(low, 0.722467200137111, 1e-9);
	CHECK(high == 1.0);
}

int
main(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	matrix = matrix_blas_ops();
	test_exponentials();
	for (int i = 0; i < CASES; i++)
	{
		const LearnCase *c = &learn_cases[i];

		test_objective(&caller, c);
		test_fit(&caller, c);
		test_row_sets(&caller, c);
		test_choose(&caller, c);
		test_single_rows(&caller, c);
		test_usual_prior(&caller, c);
		test_calibrate(&caller, c);
		test_folds(&caller, c);
		test_posterior(&caller, c);
		test_wide_posterior(&caller, c);
		test_scores(&caller, c);
		test_score_bounds(&caller, c->classes);
		test_epig(&caller, c);
		test_epig_catches_up(&caller, c);
		test_metrics(c);
	}
	test_score_bounds(&caller, DRAWN_CLASSES);
	test_score_bounds(&caller, 300);
	test_many_classes(&caller);
	CHECK(memory.blocks == 0);
	return unit_end();
}
