/*-------------------------------------------------------------------------
 *
 * metrics.h
 *	  How good a classifier is, from predictions that have not seen the
 *	  answers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_METRICS_H
#define HUMANLOOP_METRICS_H

#include "../math/base.h"

typedef struct Metrics
{
	int			n;
	double		accuracy;
	double		accuracy_low;	/* 95 % interval (Wilson) */
	double		accuracy_high;
	double		log_loss;		/* nats a row */
	double		calibration_error;	/* expected, equal-mass bins */
} Metrics;

/* probability: n x classes; label[i] in [0, classes) */
extern void measure(const float *probability, const int *label, int n, int classes,
					Metrics *metrics);

/* The most probable class of a row; the first of several. */
extern int	most_probable(const float *probability, int classes);

/* The loss of a row, in nats, whose label was given that probability; finite. */
extern float probability_loss(float probability);

/* Wilson score interval of hits out of n at 95 %; 0 and 1 when n = 0. */
extern void wilson_interval(double hits, double n, double *low, double *high);

/* confusion: classes x classes counts, truth by row, prediction by column. */
extern void count_confusion(const float *probability, const int *label, int n, int classes,
							int *confusion);

/*
 * Cohen's kappa of two answers to each of n items, a[i] and b[i] in [0, classes):
 * agreement beyond what chance gives; 1 where they are the same throughout.
 */
extern double cohen_kappa(const int *a, const int *b, int n, int classes);

#endif							/* HUMANLOOP_METRICS_H */
