/*-------------------------------------------------------------------------
 *
 * beta.c
 *	  The beta distribution: what is known of a share.
 *
 *-------------------------------------------------------------------------
 */
#include "beta.h"

#include <math.h>

/* Smallest number that a term of the fraction may be, in place of 0. */
#define TINY 1e-300

/*
 * The continued fraction of the incomplete beta function (Abramowitz and Stegun,
 * "Handbook of mathematical functions", 26.5.8), by Lentz's method; it converges
 * fast where x < (a + 1) / (a + b + 2).
 */
static double
beta_fraction(double a, double b, double x)
{
	double		c = 1.0;
	double		d = 1.0 - (a + b) * x / (a + 1.0);
	double		result;

	d = 1.0 / (fabs(d) < TINY ? TINY : d);
	result = d;
	for (int m = 1; m <= 10000; m++)
	{
		double		even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
		double		odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
		double		change;

		d = 1.0 + even * d;
		c = 1.0 + even / c;
		d = 1.0 / (fabs(d) < TINY ? TINY : d);
		c = fabs(c) < TINY ? TINY : c;
		result *= d * c;
		d = 1.0 + odd * d;
		c = 1.0 + odd / c;
		d = 1.0 / (fabs(d) < TINY ? TINY : d);
		c = fabs(c) < TINY ? TINY : c;
		change = d * c;
		result *= change;
		if (fabs(change - 1.0) < 1e-15)
			break;
	}
	return result;
}

double
beta_probability(double a, double b, double x)
{
	double		front;

	if (x <= 0.0)
		return 0.0;
	if (x >= 1.0)
		return 1.0;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1.0) / (a + b + 2.0))
		return front * beta_fraction(a, b, x) / a;
	return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

/* By halving: it has no start that could be bad. */
double
beta_quantile(double a, double b, double probability)
{
	double		low = 0.0;
	double		high = 1.0;

	while (high - low > 1e-13)
	{
		double		middle = 0.5 * (low + high);

		if (middle <= low || middle >= high)
			break;
		if (beta_probability(a, b, middle) < probability)
			low = middle;
		else
			high = middle;
	}
	return 0.5 * (low + high);
}
