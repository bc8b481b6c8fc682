/*-------------------------------------------------------------------------
 *
 * beta.h
 *	  The beta distribution: what is known of a share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_BETA_H
#define HUMANLOOP_BETA_H

/*
 * The probability that a share with a Beta(a, b) distribution is at most x: the
 * regularised incomplete beta function I_x(a, b); a, b > 0.
 */
extern double beta_probability(double a, double b, double x);

/* The x with beta_probability(a, b, x) = probability in (0, 1), within 1e-12. */
extern double beta_quantile(double a, double b, double probability);

#endif							/* HUMANLOOP_BETA_H */
