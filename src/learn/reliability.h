/*-------------------------------------------------------------------------
 *
 * reliability.h
 *	  Does a classifier that says 80 % turn out right in 80 % of cases?
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_RELIABILITY_H
#define HUMANLOOP_RELIABILITY_H

#include "../math/base.h"

#define RELIABILITY_BINS 15		/* at most */
#define RELIABILITY_LEAST 10	/* predictions in a bin, where there are so many */

/* A prediction and what came of it. */
typedef struct Judged
{
	float		confidence;
	bool		hit;
} Judged;

typedef struct ReliabilityBin
{
	int			n;
	double		confidence_low; /* least and greatest in it */
	double		confidence_high;
	double		confidence;		/* mean */
	double		accuracy;
	double		accuracy_low;	/* 95 % interval (Wilson) */
	double		accuracy_high;
} ReliabilityBin;

/*
 * Bins of equal numbers of predictions by rising confidence; judged is put in
 * that order.  Fewer than RELIABILITY_BINS where a bin would have fewer than
 * RELIABILITY_LEAST.  Returns how many there are, 0 for n = 0.
 */
extern int	reliability_bins(Judged *judged, int n, ReliabilityBin *bins);

/* Expected calibration error of these bins. */
extern double reliability_error(const ReliabilityBin *bins, int nbins);

#define LOSSES_LEAST 50			/* of fewer nobody knows the rare large ones */

/*
 * Mean of n losses with its 95 % interval; false: none, as there are too few, or
 * all are 0.
 */
extern bool mean_loss(const float *losses, int n, double *mean, double *low, double *high);

#endif							/* HUMANLOOP_RELIABILITY_H */
