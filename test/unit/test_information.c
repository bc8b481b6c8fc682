/*-------------------------------------------------------------------------
 *
 * test_information.c
 *	  What an answer says of an item's label, against sums over all cases.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <math.h>

#include "../../src/learn/information.h"

/* The definition: sum of p(t, k) ln (p(t, k) / (p(t) p(k))). */
static double
by_definition(double confidence, int classes, double accuracy)
{
	double		sum = 0.0;

	for (int k = 0; k < classes; k++)
	{
		double		said = 0.0;

		for (int t = 0; t < classes; t++)
			said += (t == 0 ? confidence : (1 - confidence) / (classes - 1)) *
				(t == k ? accuracy : (1 - accuracy) / (classes - 1));
		for (int t = 0; t < classes; t++)
		{
			double		truth = t == 0 ? confidence : (1 - confidence) / (classes - 1);
			double		right = t == k ? accuracy : (1 - accuracy) / (classes - 1);

			if (truth * right > 0)
				sum += truth * right * log(right / said);
		}
	}
	return sum;
}

int
main(void)
{
	static const double shares[] = {0.2, 0.5, 0.75, 0.9, 0.99, 1.0};

	for (int classes = 2; classes <= 7; classes++)
	{
		for (int i = 0; i < 6; i++)
		{
			for (int j = 0; j < 6; j++)
				CHECK(fabs(information_of_answer(shares[i], classes, shares[j]) -
						   by_definition(shares[i], classes, shares[j])) < 1e-12);
			/* a guess says nothing, nor an answer to what is known */
			CHECK(information_of_answer(shares[i], classes, 1.0 / classes) < 1e-12);
			CHECK(information_of_answer(1.0, classes, shares[i]) < 1e-12);
		}
		/* whoever is always right says all that there is to know */
		CHECK(fabs(information_of_answer(1.0 / classes, classes, 1.0) - log(classes)) < 1e-12);
	}
	CHECK(information_of_answer(1.0, 1, 0.9) == 0.0);
	return unit_end();
}
