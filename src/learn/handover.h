/*-------------------------------------------------------------------------
 *
 * handover.h
 *	  When may the machine answer alone, and which labels are possible?
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_HANDOVER_H
#define HUMANLOOP_HANDOVER_H

#include "reliability.h"

#define HANDOVER_RISK 0.05		/* of a promise that does not hold */

/* P(X <= k) for X binomial with n trials of probability p; 0 for k < 0, 1 for k >= n. */
extern double binomial_at_most(int k, int n, double p);

/*
 * The exact limits of an error rate of which k in n were seen (Clopper and
 * Pearson, "The use of confidence or fiducial limits illustrated in the case of the
 * binomial", Biometrika 26, 1934): each is passed with a probability of
 * HANDOVER_RISK at most.  0 and 1 for n = 0.
 */
extern void error_limits(int k, int n, double *low, double *high);

/* What can be promised. */
typedef struct Handover
{
	bool		promised;
	float		threshold;		/* rows of this confidence and above are answered alone */
	int			audited;		/* predictions it was judged by */
	int			automated;		/* of those, at or above the threshold */
	int			wrong;			/* of those */
	int			more;			/* predictions that would do, where nothing is
								 * promised: an estimate; -1: no number would, as
								 * the model is now */
} Handover;

/*
 * The least threshold above which a share target of the answers, in (0, 1), is
 * wrong at most.  judged: n predictions of a uniform sample of the rows, by a model
 * that had not seen them; it is sorted by falling confidence.  Over samples, a
 * threshold is promised above which more is wrong with a probability of
 * HANDOVER_RISK at most, whatever the confidences are worth.
 */
extern void handover_choose(Judged *judged, int n, double target, Handover *handover);

/*
 * The loss that the true class of a new row does not pass, with probability
 * coverage: the ceil((n + 1) coverage) least of n losses, which are put in order.
 * False: no finite one, as there are too few.
 */
extern bool conformal_limit(float *losses, int n, double coverage, float *limit);

/* The same of losses that are in order. */
extern bool conformal_limit_sorted(const float *losses, int n, double coverage, float *limit);

/* The fewest losses that coverage can be had with. */
extern int	conformal_least(double coverage);

#endif							/* HUMANLOOP_HANDOVER_H */
