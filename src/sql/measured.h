/*-------------------------------------------------------------------------
 *
 * measured.h
 *	  What was measured of the model that serves, as it is stored.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_MEASURED_H
#define HUMANLOOP_MEASURED_H

#include "learn/reliability.h"
#include "store/project.h"

/* Confusion and figures, out of fold, over all labelled items. */
typedef struct Confusion
{
	int			n;				/* labelled items */
	int			classes;
	char	  **names;
	Datum	   *counts;			/* classes x classes, truth by row */
	double		accuracy;
	double		low;
	double		high;
	double		log_loss;
	double		calibration_error;
} Confusion;

/* False: no model yet, or one of rules alone, which was not measured. */
extern bool confusion_read(const Project *project, Confusion *confusion);

extern int	confusion_cell(const Confusion *confusion, int truth, int predicted);

/* Two estimates of the same, each with a name in SQL. */
#define AUDIT 0
#define CROSS_VALIDATION 1
#define ESTIMATES 2

extern const char *const estimates[ESTIMATES];

/*
 * The reliability table of the model that serves, by estimate, with the number
 * of its bins; false: there is none.
 */
extern bool reliability_read(const Project *project,
							 ReliabilityBin bins[ESTIMATES][RELIABILITY_BINS],
							 int nbins[ESTIMATES]);

#endif							/* HUMANLOOP_MEASURED_H */
