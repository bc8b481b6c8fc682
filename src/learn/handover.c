/*-------------------------------------------------------------------------
 *
 * handover.c
 *	  When may the machine answer alone, and which labels are possible?
 *
 * Learn then test (Angelopoulos, Bates, Candes, Jordan and Lei, "Learn then
 * test: calibrating predictive algorithms to achieve risk control", 2021): of each
 * threshold the hypothesis is that more than the target is wrong above it, and a
 * threshold is promised when its hypothesis is rejected, by the exact binomial
 * test.  To try several at the price of one, they are tested in a fixed sequence,
 * which ends with the first that is not rejected.
 *
 * Where the sequence begins decides how often anything is promised.  With too
 * few rows above a threshold nothing can be rejected, with too many the errors
 * are.  The confidences of the sample tell what is to be expected; they know
 * nothing of hits and misses, so the sequence may hang on them.  If they are
 * wrong, nothing is promised: no harm is done but that.
 *
 * Prediction sets are split conformal (Vovk, Gammerman and Shafer, "Algorithmic
 * learning in a random world", 2005; by which losses: held_out.c), with the
 * negative logarithm of the probability as score (least ambiguous sets: Sadinle, Lei and Wasserman, JASA
 * 2019).
 *
 *-------------------------------------------------------------------------
 */
#include "handover.h"

#include <math.h>
#include <stdlib.h>

#include "../math/beta.h"

#define STEPS 20				/* thresholds that are tried, by share of the sample */
#define CAUTION 3.0				/* so many times as many errors as it says there are */
#define GOOD_POWER 0.95			/* of the best power there is, to begin with */
#define WEIGHT 50.0				/* rows that the model's own word is worth, in an
								 * estimate */
#define MOST_ERRORS 2000		/* that are looked at for one */

/* ---------------------------------------------------------------------- */
/* Binomial */

/* It is the tail of a beta distribution (Abramowitz and Stegun, 26.5.24). */
double
binomial_at_most(int k, int n, double p)
{
	if (k < 0)
		return 0.0;
	return k >= n ? 1.0 : beta_probability(n - k, k + 1.0, 1.0 - p);
}

void
error_limits(int k, int n, double *low, double *high)
{
	*high = k >= n ? 1.0 : beta_quantile(k + 1.0, n - k, 1.0 - HANDOVER_RISK);
	*low = k <= 0 ? 0.0 : beta_quantile(k, n - k + 1.0, HANDOVER_RISK);
}

/* Errors among m that still reject that more than target are wrong; -1: none do. */
static int
errors_allowed(int m, double target)
{
	int			low = -1;
	int			high = (int) (m * target) + 1;	/* above the mean: too many */

	while (high - low > 1)
	{
		int			middle = low + (high - low) / 2;

		if (binomial_at_most(middle, m, target) <= HANDOVER_RISK)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The fewest predictions of which k may be wrong. */
static int
predictions_for(int k, double target)
{
	int			low = k;		/* too few */
	int			high = k + 1;

	while (binomial_at_most(k, high, target) > HANDOVER_RISK)
	{
		low = high;
		if (high > 100000000)
			return high;
		high *= 2;
	}
	while (high - low > 1)
	{
		int			middle = low + (high - low) / 2;

		if (binomial_at_most(k, middle, target) > HANDOVER_RISK)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* ---------------------------------------------------------------------- */
/* Thresholds */

/* All rows down to some confidence. */
typedef struct Step
{
	int			n;
	int			wrong;
	double		expected;		/* share that is wrong, as the confidences say */
	int			allowed;
} Step;

static int
compare_surest_first(const void *a, const void *b)
{
	const Judged *left = a;
	const Judged *right = b;

	if (left->confidence != right->confidence)
		return left->confidence > right->confidence ? -1 : 1;
	/* any order of equals will do, but the same everywhere */
	return (int) right->hit - (int) left->hit;
}

/*
 * Steps of about equal shares of the sample, each the fewest rows of which so many
 * may be wrong; rows of equal confidence stay together.
 */
static int
make_steps(const Judged *judged, int n, double target, Step *steps)
{
	int			count = 0;
	int			row = 0;
	int			wrong = 0;
	double		doubt = 0.0;

	for (int i = 1; i <= STEPS && row < n; i++)
	{
		int			end = (int) ceil((double) n * i / STEPS);
		int			allowed = errors_allowed(end, target);

		if (allowed >= 0 && end < n)
			end = predictions_for(allowed, target);
		if (end <= row)
			continue;
		while (row < n && (row < end || judged[row].confidence == judged[row - 1].confidence))
		{
			doubt += 1.0 - judged[row].confidence;
			wrong += !judged[row].hit;
			row++;
		}
		steps[count].n = row;
		steps[count].wrong = wrong;
		steps[count].expected = doubt / row;
		steps[count].allowed = errors_allowed(row, target);
		count++;
	}
	return count;
}

/*
 * Where to begin: the last step of those that are about as likely as any to be
 * rejected, by the confidences alone, and if they promised too much.  -1: none
 * can be.  It is no loss to begin early: the sequence goes on.
 */
static int
first_step(const Step *steps, int count)
{
	double		power[STEPS];
	double		best = 0.0;
	int			first = -1;

	for (int i = 0; i < count; i++)
	{
		power[i] = binomial_at_most(steps[i].allowed, steps[i].n, fmin(CAUTION * steps[i].expected, 1.0));
		best = fmax(best, power[i]);
	}
	for (int i = 0; i < count && best > 0.0; i++)
		first = power[i] >= GOOD_POWER * best ? i : first;
	return first;
}

/* Predictions in all with which a step would be rejected, if things go on as they are; 0: none. */
static double
predictions_needed(const Step *step, int n, double target)
{
	double		error = (step->wrong + WEIGHT * step->expected) / (step->n + WEIGHT);

	for (int k = 0; k <= MOST_ERRORS && error < target; k++)
	{
		int			m = predictions_for(k, target);

		if (k >= error * m)
			return ceil((double) m * n / step->n);
	}
	return 0.0;
}

static int
more_needed(const Step *steps, int count, int n, double target)
{
	int			fewest = predictions_for(0, target);
	double		least = 0.0;

	for (int i = 0; i < count; i++)
	{
		double		needed = predictions_needed(&steps[i], n, target);

		if (needed > 0.0 && (least == 0.0 || needed < least))
			least = needed;
	}
	/* what so few say of the model is not the last word */
	if (least == 0.0 && n < fewest)
		return fewest - n;
	if (least == 0.0 || least - n > 1e9)
		return -1;
	/* it was enough, and chance was against it */
	return least - n < 1.0 ? 1 : (int) (least - n);
}

void
handover_choose(Judged *judged, int n, double target, Handover *handover)
{
	Step		steps[STEPS];
	int			count;
	int			first;

	*handover = (Handover) {.audited = n};
	if (n > 0)
		qsort(judged, n, sizeof(Judged), compare_surest_first);
	count = make_steps(judged, n, target, steps);
	first = first_step(steps, count);
	for (int i = first; i >= 0 && i < count && steps[i].wrong <= steps[i].allowed; i++)
	{
		handover->promised = true;
		handover->automated = steps[i].n;
		handover->wrong = steps[i].wrong;
		handover->threshold = judged[steps[i].n - 1].confidence;
	}
	if (!handover->promised)
		handover->more = more_needed(steps, count, n, target);
}

/* ---------------------------------------------------------------------- */
/* Prediction sets */

static int
compare_floats(const void *a, const void *b)
{
	float		left = *(const float *) a;
	float		right = *(const float *) b;

	return left < right ? -1 : left > right;
}

/* ceil((n + 1) coverage); 0.9 * 10 is not quite 9 in binary. */
static double
conformal_rank(int n, double coverage)
{
	return ceil((n + 1.0) * coverage - 1e-9);
}

bool
conformal_limit_sorted(const float *losses, int n, double coverage, float *limit)
{
	double		rank = conformal_rank(n, coverage);

	if (rank > n)
		return false;
	*limit = losses[rank < 1.0 ? 0 : (int) rank - 1];
	return true;
}

bool
conformal_limit(float *losses, int n, double coverage, float *limit)
{
	if (n > 0)
		qsort(losses, n, sizeof(float), compare_floats);
	return conformal_limit_sorted(losses, n, coverage, limit);
}

int
conformal_least(double coverage)
{
	int			n = (int) floor(coverage / (1.0 - coverage));

	if (n > 0)
		n--;
	while (conformal_rank(n, coverage) > n)
		n++;
	return n;
}
