/*-------------------------------------------------------------------------
 *
 * forecast.h
 *	  How accurate a classifier will be with more labels.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_FORECAST_H
#define HUMANLOOP_FORECAST_H

#include "../math/base.h"

/* A model: hits of n items, with so many labels. */
typedef struct ForecastPoint
{
	double		labels;
	double		hits;
	double		n;
} ForecastPoint;

/* Median and 95 % interval; an end may be infinite where it is of labels. */
typedef struct ForecastRange
{
	double		middle;
	double		low;
	double		high;
} ForecastRange;

typedef struct Forecast Forecast;

/*
 * Fits a curve to count points in any order, at least two of them with different
 * numbers of labels (STATUS_BAD_ARGUMENT otherwise).  chance: the accuracy of a
 * guess, which no curve is below.
 */
extern Status forecast_fit(const Caller *caller, const ForecastPoint *points, int count,
						   double chance, Forecast **forecast);

/* Most labels that a point has. */
extern double forecast_labels(const Forecast *forecast);

/* The accuracy with so many labels. */
extern Status forecast_accuracy(const Caller *caller, const Forecast *forecast, double labels,
								ForecastRange *range);

/* What of it is gained between two numbers of labels. */
extern Status forecast_gain(const Caller *caller, const Forecast *forecast, double from,
							double to, ForecastRange *range);

/* The number of labels for an accuracy; INFINITY where it is never reached. */
extern Status forecast_needed(const Caller *caller, const Forecast *forecast, double accuracy,
							  ForecastRange *range);

extern void forecast_free(const Caller *caller, Forecast *forecast);

#endif							/* HUMANLOOP_FORECAST_H */
