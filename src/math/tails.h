/*-------------------------------------------------------------------------
 *
 * tails.h
 *	  How improbable a statistic is: tails of the usual distributions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TAILS_H
#define HUMANLOOP_TAILS_H

/* Probability that |Z| of a standard normal Z is at least |z|. */
extern double normal_two_sided(double z);

/*
 * Probability that a chi-squared variable is at least x; freedom > 0, which
 * need not be whole.  1 for x <= 0.
 */
extern double chi_squared_above(double x, double freedom);

/*
 * Fisher's exact test, one-sided: of n1 + n2 trials hits1 + hits2 hit.  The
 * probability that, of n1 drawn from them by lot, hits1 or fewer hit.
 */
extern double fisher_fewer(int hits1, int n1, int hits2, int n2);

#endif							/* HUMANLOOP_TAILS_H */
