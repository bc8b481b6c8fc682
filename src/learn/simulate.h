/*-------------------------------------------------------------------------
 *
 * simulate.h
 *	  Learning again what is known already: how good the model would have
 *	  been after so many labels, had the questions been chosen so.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SIMULATE_H
#define HUMANLOOP_SIMULATE_H

#include "acquisition.h"

/* Where the first labels come from. */
typedef enum SeedBatch
{
	SEED_RANDOM,				/* uniform */
	SEED_TYPICAL				/* choose_seed_batch, as in a new project */
} SeedBatch;

typedef struct SimulateOptions
{
	Acquisition acquisition;
	SeedBatch	seed_batch;
	int			seed;			/* labels to start with */
	int			batch;			/* labels between two trainings */
	int			rounds;			/* trainings after the first */
	uint64_t	random_seed;	/* of everything that is drawn: runs of several
								 * strategies with the same one are paired */
	TrainOptions train;
} SimulateOptions;

/*
 * pool: rows that may be asked about, with the classes that would be
 * answered; test: rows that the accuracy is measured on, never asked about.
 * label[i] in [0, classes).
 */
typedef struct SimulateData
{
	const Rows *pool;
	const int  *pool_label;
	const Rows *test;
	const int  *test_label;
	int			classes;
} SimulateData;

/* State of one run of one strategy. */
typedef struct Simulation Simulation;

extern Status simulation_start(const Caller *caller, const SimulateData *data,
							   const SimulateOptions *options, Simulation **simulation);

/*
 * The next training: how many rows are labelled by then, how many classes
 * have been met, and the share of the test rows that the model gets right (a
 * class that it has not met it never does).  Before there are two classes the
 * answer is the one that there is.  *more is false when there is nothing left
 * to do, and the other results are then not set.
 */
typedef struct SimulatedRound
{
	int			labels;
	int			classes;
	double		accuracy;
} SimulatedRound;

extern Status simulation_round(Simulation *simulation, SimulatedRound *round, bool *more);
extern void simulation_free(Simulation *simulation);

#endif							/* HUMANLOOP_SIMULATE_H */
