/*-------------------------------------------------------------------------
 *
 * student.c
 *	  Student's t distribution.
 *
 * For whole degrees of freedom the probability of |T| < t is a finite sum of
 * powers of the cosine of theta = atan(t / sqrt(freedom)) (Abramowitz and
 * Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4).  It grows
 * with theta, so the bound is found by halving.
 *
 *-------------------------------------------------------------------------
 */
#include "student.h"

#include <math.h>

#define PI 3.14159265358979323846
#define HALVINGS 60

/* Probability of |T| < sqrt(freedom) tan(theta). */
static double
within(double theta, int freedom)
{
	double		sine = sin(theta);
	double		cosine = cos(theta);
	double		term = freedom % 2 == 1 ? cosine : 1.0;
	double		sum = freedom == 1 ? 0.0 : term;

	for (int i = freedom % 2 == 1 ? 3 : 2; i < freedom - 1; i += 2)
	{
		term *= cosine * cosine * (i - 1) / i;
		sum += term;
	}
	return freedom % 2 == 1 ? 2.0 / PI * (theta + sine * sum) : sine * sum;
}

double
student_bound(double probability, int freedom)
{
	double		low = 0.0;
	double		high = PI / 2.0;

	for (int i = 0; i < HALVINGS; i++)
	{
		double		middle = (low + high) / 2.0;

		if (within(middle, freedom) < probability)
			low = middle;
		else
			high = middle;
	}
	return sqrt(freedom) * tan((low + high) / 2.0);
}
