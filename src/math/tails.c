/*-------------------------------------------------------------------------
 *
 * tails.c
 *	  How improbable a statistic is: tails of the usual distributions.
 *
 * The chi-squared tail is the regularized incomplete gamma function Q(a, x)
 * with a = freedom / 2: below x = a + 1 one minus its power series, above its
 * continued fraction, evaluated from the front (Abramowitz and Stegun,
 * "Handbook of Mathematical Functions", 6.5.29 and 6.5.31; Lentz's method).
 *
 *-------------------------------------------------------------------------
 */
#include "tails.h"

#include <math.h>

#define TERMS_MOST 100000
#define PRECISION 1e-15
#define TINY 1e-300

double
normal_two_sided(double z)
{
	return erfc(fabs(z) / sqrt(2.0));
}

/* P(a, x) by its series, without the factor that both forms share. */
static double
series(double a, double x)
{
	double		term = 1.0 / a;
	double		sum = term;

	for (int i = 1; i < TERMS_MOST && term > sum * PRECISION; i++)
	{
		term *= x / (a + i);
		sum += term;
	}
	return sum;
}

/* Q(a, x) by its continued fraction, likewise. */
static double
fraction(double a, double x)
{
	double		b = x + 1.0 - a;
	double		c = 1.0 / TINY;
	double		d = 1.0 / b;
	double		value = d;

	for (int i = 1; i < TERMS_MOST; i++)
	{
		double		numerator = -i * (i - a);
		double		step;

		b += 2.0;
		d = numerator * d + b;
		d = 1.0 / (fabs(d) < TINY ? TINY : d);
		c = b + numerator / c;
		c = fabs(c) < TINY ? TINY : c;
		step = c * d;
		value *= step;
		if (fabs(step - 1.0) < PRECISION)
			break;
	}
	return value;
}

double
chi_squared_above(double x, double freedom)
{
	double		a = freedom / 2.0;
	double		half = x / 2.0;
	double		factor;

	if (!(x > 0.0))
		return 1.0;
	factor = exp(a * log(half) - half - lgamma(a));
	return half < a + 1.0 ? fmax(1.0 - factor * series(a, half), 0.0) :
		factor * fraction(a, half);
}

static double
log_choose(int n, int k)
{
	return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0);
}

double
fisher_fewer(int hits1, int n1, int hits2, int n2)
{
	int			hits = hits1 + hits2;
	int			least = hits > n2 ? hits - n2 : 0;
	double		all = log_choose(n1 + n2, hits);
	double		sum = 0.0;

	for (int i = least; i <= hits1; i++)
		sum += exp(log_choose(n1, i) + log_choose(n2, hits - i) - all);
	return fmin(sum, 1.0);
}
