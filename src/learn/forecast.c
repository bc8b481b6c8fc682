/*-------------------------------------------------------------------------
 *
 * forecast.c
 *	  How accurate a classifier will be with more labels.
 *
 * Learning curves are power laws of the number of labels,
 *
 *		acc(n) = a - b n^-c
 *
 * (Figueroa, Zeng-Treitler, Kandula and Ngo, "Predicting sample size required
 * for classification performance", BMC Medical Informatics and Decision Making
 * 12:8, 2012, equation 1; Hestness et al., "Deep learning scaling is
 * predictable, empirically", arXiv:1712.00409, 2017, equation 1).  Figueroa et
 * al. fit them by weighted least squares, which says little of how far off the
 * extrapolation may be, and much depends on the start of its iteration.  Here
 * the posterior is computed on a grid: three parameters are few enough.
 *
 * A grid wants parameters that hardly depend on each other.  Instead of a and b:
 * p, the accuracy at N, the most labels that were measured, and u in [0, 1], the
 * share of what is missing there that labels can still gain:
 *
 *		a = p + u (1 - p),		acc(n) = a - (a - p) (N / n)^c.
 *
 * Priors are weak: p and u uniform, c log-normal about 0.5, with 0.12 to 2 as its
 * 95 %, where both papers found theirs.  The likelihood is binomial.
 *
 * The items that models were measured with are mostly the same: those of an
 * earlier model are among those of a later one.  Hits of the two are no
 * independent draws, and their likelihoods multiplied would know the level of
 * the curve far better than all items do.  So the likelihood is raised to the
 * power n_max / sum n: together the points count as many items as there are (a
 * composite likelihood, scaled to the information that is there; Varin, Reid and
 * Firth, "An overview of composite likelihood methods", Statistica Sinica 21,
 * 2011).  That is careful about the slope, which paired measurements know better.
 *
 *-------------------------------------------------------------------------
 */
#include "forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS 61				/* of p */
#define SHARES 31				/* of u */
#define EXPONENTS 19			/* of c */
#define CELLS (LEVELS * SHARES * EXPONENTS)

#define EXPONENT_LEAST 0.08
#define EXPONENT_MOST 3.0
#define EXPONENT_MEDIAN 0.5
#define EXPONENT_SPREAD 0.7		/* of its logarithm */

#define POINTS_MOST 48			/* more are pooled with their neighbours */
#define NEGLIGIBLE 18.0			/* below the greatest log posterior */
#define BINS 4096				/* of a quantity, for its quantiles */

struct Forecast
{
	double		most;			/* N */
	double		chance;
	double		level_low;		/* of the grid */
	double		level_high;
	double		exponent[EXPONENTS];
	double		weight[CELLS];	/* of the posterior; sum 1 */
};

/* ---------------------------------------------------------------------- */
/* The curve */

static double
level_at(const Forecast *forecast, int i)
{
	return forecast->level_low +
		(forecast->level_high - forecast->level_low) * (i + 0.5) / LEVELS;
}

static double
share_at(int j)
{
	return (j + 0.5) / SHARES;
}

/* ratio: (N / n)^c */
static double
curve(double level, double share, double ratio, double chance)
{
	double		gain = share * (1.0 - level);

	return fmax(level + gain - gain * ratio, chance);
}

/* ---------------------------------------------------------------------- */
/* Fitting */

static int
compare_points(const void *a, const void *b)
{
	const ForecastPoint *left = a;
	const ForecastPoint *right = b;

	if (left->labels != right->labels)
		return left->labels < right->labels ? -1 : 1;
	if (left->n != right->n)
		return left->n < right->n ? -1 : 1;
	return left->hits < right->hits ? -1 : left->hits > right->hits;
}

/* Joins points, in order, that the curve cannot tell apart; returns how many stay. */
static int
pool_points(ForecastPoint *points, int count)
{
	double		least = log(points[0].labels);
	double		width = (log(points[count - 1].labels) - least) / POINTS_MOST;
	int			kept = 0;
	int			last = -1;

	if (count <= POINTS_MOST)
		return count;
	for (int i = 0; i < count; i++)
	{
		int			bin = (int) fmin((log(points[i].labels) - least) / width, POINTS_MOST - 1);
		ForecastPoint *point = &points[kept > 0 ? kept - 1 : 0];

		if (bin != last)
		{
			points[kept++] = points[i];
			last = bin;
			continue;
		}
		point->labels = exp((log(point->labels) * point->n + log(points[i].labels) * points[i].n) /
							(point->n + points[i].n));
		point->hits += points[i].hits;
		point->n += points[i].n;
	}
	return kept;
}

static double
log_likelihood(const ForecastPoint *point, double accuracy)
{
	/* nobody is always right, and a curve of 1 must not forbid a single error */
	accuracy = fmin(fmax(accuracy, 1e-4), 1.0 - 1e-4);
	return point->hits * log(accuracy) + (point->n - point->hits) * log1p(-accuracy);
}

static double
log_prior(double exponent)
{
	double		z = log(exponent / EXPONENT_MEDIAN) / EXPONENT_SPREAD;

	return -0.5 * z * z;
}

/*
 * Log posteriors of the grid as it is; best: the greatest.  ratio: of each point
 * for each exponent.
 */
static Status
fill_grid(const Caller *caller, Forecast *forecast, const ForecastPoint *points, int count,
		  const double *ratio, double power, double *best)
{
	double	   *cell = forecast->weight;

	*best = -INFINITY;
	for (int i = 0; i < LEVELS; i++)
	{
		double		level = level_at(forecast, i);

		if (stopped(caller))
			return STATUS_STOPPED;
		for (int j = 0; j < SHARES; j++)
			for (int k = 0; k < EXPONENTS; k++, cell++)
			{
				double		sum = 0.0;

				for (int m = 0; m < count; m++)
					sum += log_likelihood(&points[m],
										  curve(level, share_at(j), ratio[k * count + m],
												forecast->chance));
				*cell = power * sum + log_prior(forecast->exponent[k]);
				*best = fmax(*best, *cell);
			}
	}
	return STATUS_SUCCESS;
}

/* The levels that are worth a finer grid. */
static void
narrow_levels(Forecast *forecast, double best)
{
	double		step = (forecast->level_high - forecast->level_low) / LEVELS;
	double		low = forecast->level_high;
	double		high = forecast->level_low;

	for (int i = 0; i < LEVELS; i++)
		for (int m = 0; m < SHARES * EXPONENTS; m++)
			if (forecast->weight[i * SHARES * EXPONENTS + m] > best - NEGLIGIBLE)
			{
				low = fmin(low, level_at(forecast, i) - step);
				high = fmax(high, level_at(forecast, i) + step);
				break;
			}
	forecast->level_low = fmax(low, 0.0);
	forecast->level_high = fmin(high, 1.0);
}

static void
normalize(Forecast *forecast, double best)
{
	double		sum = 0.0;

	for (int i = 0; i < CELLS; i++)
		sum += forecast->weight[i] = exp(forecast->weight[i] - best);
	for (int i = 0; i < CELLS; i++)
		forecast->weight[i] /= sum;
}

/* items: that the points together count as */
static Status
fit(const Caller *caller, Forecast *forecast, const ForecastPoint *points, int count,
	double items)
{
	double	   *ratio = allocate_array(caller, (size_t) count * EXPONENTS, sizeof(double));
	double		all = 0.0;
	double		best = 0.0;
	Status		status = STATUS_SUCCESS;

	if (ratio == NULL)
		return STATUS_NO_MEMORY;
	for (int m = 0; m < count; m++)
		all += points[m].n;
	for (int k = 0; k < EXPONENTS; k++)
	{
		forecast->exponent[k] = EXPONENT_LEAST *
			pow(EXPONENT_MOST / EXPONENT_LEAST, k / (EXPONENTS - 1.0));
		for (int m = 0; m < count; m++)
			ratio[k * count + m] = pow(forecast->most / points[m].labels, forecast->exponent[k]);
	}
	forecast->level_low = forecast->chance;
	forecast->level_high = 1.0;
	for (int pass = 0; pass < 3 && status == STATUS_SUCCESS; pass++)
	{
		if (pass > 0)
			narrow_levels(forecast, best);
		status = fill_grid(caller, forecast, points, count, ratio, items / all, &best);
	}
	if (status == STATUS_SUCCESS)
		normalize(forecast, best);
	release(caller, ratio);
	return status;
}

static bool
points_are_good(const ForecastPoint *points, int count, double chance)
{
	bool		different = false;

	for (int i = 0; i < count; i++)
	{
		if (!isfinite(points[i].labels) || points[i].labels < 1.0 ||
			!isfinite(points[i].n) || points[i].n <= 0.0 ||
			!(points[i].hits >= 0.0 && points[i].hits <= points[i].n))
			return false;
		different = different || points[i].labels != points[0].labels;
	}
	return different && chance >= 0.0 && chance < 1.0;
}

Status
forecast_fit(const Caller *caller, const ForecastPoint *points, int count, double chance,
			 Forecast **forecast)
{
	ForecastPoint *sorted;
	Status		status;

	*forecast = NULL;
	if (!points_are_good(points, count, chance))
		return STATUS_BAD_ARGUMENT;
	sorted = allocate_array(caller, count, sizeof(ForecastPoint));
	*forecast = allocate_array(caller, 1, sizeof(Forecast));
	if (sorted == NULL || *forecast == NULL)
		status = STATUS_NO_MEMORY;
	else
	{
		double		most = 0.0;

		memcpy(sorted, points, count * sizeof(ForecastPoint));
		qsort(sorted, count, sizeof(ForecastPoint), compare_points);
		for (int i = 0; i < count; i++)
			most = fmax(most, sorted[i].n);
		(*forecast)->most = sorted[count - 1].labels;
		(*forecast)->chance = chance;
		/* what is pooled has the items of several models */
		status = fit(caller, *forecast, sorted, pool_points(sorted, count), most);
	}
	release(caller, sorted);
	if (status != STATUS_SUCCESS)
	{
		release(caller, *forecast);
		*forecast = NULL;
	}
	return status;
}

void
forecast_free(const Caller *caller, Forecast *forecast)
{
	release(caller, forecast);
}

double
forecast_labels(const Forecast *forecast)
{
	return forecast->most;
}

/* ---------------------------------------------------------------------- */
/* Asking */

/* A quantity in [low, high] and its posterior; beyond: the weight above high. */
typedef struct Histogram
{
	double		low;
	double		high;
	double		beyond;
	double		weight[BINS];
} Histogram;

static void
histogram_add(Histogram *histogram, double value, double weight)
{
	double		at = (value - histogram->low) / (histogram->high - histogram->low) * BINS;

	if (at > BINS)
		histogram->beyond += weight;
	else
		histogram->weight[at > 0.0 ? (int) fmin(at, BINS - 1) : 0] += weight;
}

static double
quantile(const Histogram *histogram, double share)
{
	double		sum = 0.0;

	for (int i = 0; i < BINS; i++)
	{
		double		weight = histogram->weight[i];

		if (weight > 0.0 && sum + weight >= share)
			return histogram->low +
				(histogram->high - histogram->low) * (i + (share - sum) / weight) / BINS;
		sum += weight;
	}
	/* rounding may leave the last bit of a sum of 1 */
	return histogram->beyond > 1e-9 ? INFINITY : histogram->high;
}

static void
range_of(const Histogram *histogram, ForecastRange *range)
{
	range->middle = quantile(histogram, 0.5);
	range->low = quantile(histogram, 0.025);
	range->high = quantile(histogram, 0.975);
}

static Histogram *
histogram_begin(const Caller *caller, double low, double high)
{
	Histogram  *histogram = allocate_array(caller, 1, sizeof(Histogram));

	if (histogram != NULL)
	{
		histogram->low = low;
		histogram->high = high;
	}
	return histogram;
}

/* base > 0: the difference between the two. */
static Status
accuracies(const Caller *caller, const Forecast *forecast, double base, double labels,
		   ForecastRange *range)
{
	Histogram  *histogram = histogram_begin(caller, 0.0, 1.0);
	double		ratio[EXPONENTS];
	double		base_ratio[EXPONENTS];
	const double *weight = forecast->weight;

	if (histogram == NULL)
		return STATUS_NO_MEMORY;
	for (int k = 0; k < EXPONENTS; k++)
	{
		ratio[k] = pow(forecast->most / labels, forecast->exponent[k]);
		base_ratio[k] = base > 0.0 ? pow(forecast->most / base, forecast->exponent[k]) : 0.0;
	}
	for (int i = 0; i < LEVELS; i++)
		for (int j = 0; j < SHARES; j++)
			for (int k = 0; k < EXPONENTS; k++)
			{
				double		level = level_at(forecast, i);
				double		value = curve(level, share_at(j), ratio[k], forecast->chance);

				if (base > 0.0)
					value -= curve(level, share_at(j), base_ratio[k], forecast->chance);
				histogram_add(histogram, value, *weight++);
			}
	range_of(histogram, range);
	release(caller, histogram);
	return STATUS_SUCCESS;
}

Status
forecast_accuracy(const Caller *caller, const Forecast *forecast, double labels,
				  ForecastRange *range)
{
	if (!(labels >= 1.0) || !isfinite(labels))
		return STATUS_BAD_ARGUMENT;
	return accuracies(caller, forecast, 0.0, labels, range);
}

Status
forecast_gain(const Caller *caller, const Forecast *forecast, double from, double to,
			  ForecastRange *range)
{
	if (!(from >= 1.0) || !(to >= from) || !isfinite(to))
		return STATUS_BAD_ARGUMENT;
	return accuracies(caller, forecast, from, to, range);
}

/* A hundred times the labels: beyond that a curve of today says nothing. */
#define FARTHEST 100.0

Status
forecast_needed(const Caller *caller, const Forecast *forecast, double accuracy,
				ForecastRange *range)
{
	Histogram  *histogram;
	const double *weight = forecast->weight;
	double		ends[2] = {log(1.0 / forecast->most), log(FARTHEST)};

	if (!(accuracy > 0.0 && accuracy <= 1.0))
		return STATUS_BAD_ARGUMENT;
	/* of the logarithm of the multiple of N */
	if ((histogram = histogram_begin(caller, fmin(ends[0], -1.0), ends[1])) == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < LEVELS; i++)
		for (int j = 0; j < SHARES; j++)
			for (int k = 0; k < EXPONENTS; k++)
			{
				double		level = level_at(forecast, i);
				double		gain = share_at(j) * (1.0 - level);
				double		lacking = level + gain - accuracy;	/* a - t */

				histogram_add(histogram, accuracy <= forecast->chance ? ends[0] :
							  lacking <= 0.0 ? INFINITY : log(gain / lacking) / forecast->exponent[k],
							  *weight++);
			}
	range_of(histogram, range);
	range->middle = forecast->most * exp(range->middle);
	range->low = forecast->most * exp(range->low);
	range->high = forecast->most * exp(range->high);
	release(caller, histogram);
	return STATUS_SUCCESS;
}
