/*-------------------------------------------------------------------------
 *
 * information.c
 *	  What an answer says of an item's label.
 *
 * I(label; answer) = H(answer) - H(answer | label).  The channel is symmetric, so
 * the second is the entropy of one row of it.
 *
 *-------------------------------------------------------------------------
 */
#include "information.h"

#include <math.h>

/* -n p ln p: n outcomes of probability p each */
static double
entropy_of(int n, double p)
{
	return p > 0.0 ? -n * p * log(p) : 0.0;
}

double
information_of_answer(double confidence, int classes, double accuracy)
{
	int			others = classes - 1;
	double		wrong;
	double		rest;
	double		first;
	double		second;
	double		information;

	if (others < 1)
		return 0.0;
	wrong = (1.0 - accuracy) / others;
	rest = (1.0 - confidence) / others;
	first = confidence * accuracy + (1.0 - confidence) * wrong;
	second = rest * accuracy + (1.0 - rest) * wrong;
	information = entropy_of(1, first) + entropy_of(others, second) -
		entropy_of(1, accuracy) - entropy_of(others, wrong);
	return information > 0.0 ? information : 0.0;
}
