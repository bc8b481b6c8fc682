/*-------------------------------------------------------------------------
 *
 * simulation.h
 *	  Rows of hl_simulate that are given to a function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SIMULATION_H
#define HUMANLOOP_SIMULATION_H

#include "utils/array.h"

#include "learn/needed.h"

typedef struct Points
{
	SimulatedPoint *point;
	int			n;
	char	  **strategy;		/* names, in the order that they come in */
	int			strategies;
} Points;

/* Error where a row is none of hl_simulate. */
extern void points_read(Points *points, ArrayType *array);

#endif							/* HUMANLOOP_SIMULATION_H */
