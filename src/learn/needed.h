/*-------------------------------------------------------------------------
 *
 * needed.h
 *	  How many labels an accuracy takes, from simulated learning curves.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_NEEDED_H
#define HUMANLOOP_NEEDED_H

#include "../math/base.h"

/* A point of a curve. */
typedef struct SimulatedPoint
{
	int			strategy;
	int			run;			/* runs of the same number are paired */
	double		labels;
	double		accuracy;
} SimulatedPoint;

/* NaN where it is not known. */
typedef struct LabelsNeeded
{
	int			runs;
	double		labels;			/* NaN: the accuracy is not reached */
	double		low;			/* 95 % interval; NaN also for less than two
								 * runs */
	double		high;
	double		saving;			/* share of the labels of the baseline */
	double		saving_low;
	double		saving_high;
} LabelsNeeded;

/*
 * Labels that each strategy in [0, strategies) needs for an accuracy; baseline:
 * the one to compare with, -1: none.  points: n in any order, which is changed.
 */
extern Status labels_needed(const Caller *caller, SimulatedPoint *points, int n,
							int strategies, int baseline, double accuracy,
							LabelsNeeded *needed);

#endif							/* HUMANLOOP_NEEDED_H */
