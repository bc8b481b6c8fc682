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
 * Rows and their classes: label[i] in [0, classes).  Those with test[i] are
 * what the accuracy is measured on and never asked about; the others are
 * the pool.
 */
typedef struct SimulateData
{
	const Rows *rows;
	const int  *label;
	const bool *test;
	int			classes;
} SimulateData;

/*
 * Marks one of n rows in five as a test row, at random, at least one; the same
 * for the same seed.
 */
extern Status simulation_hold_out(const Caller *caller, int n, uint64_t seed, bool *test);

/* The seed of everything in a run (from 0), from that of all runs. */
extern uint64_t simulation_run_seed(uint64_t seed, int run);

/* State of one run of one strategy. */
typedef struct Simulation Simulation;

/* STATUS_BAD_ARGUMENT also where there is no row of the pool or of the test. */
extern Status simulation_start(const Caller *caller, const SimulateData *data,
							   const SimulateOptions *options, Simulation **simulation);

/*
 * Bytes that a run holds at most, the data not counted; terms: of the sparse
 * stage of all rows.
 */
extern size_t simulation_memory(int n, int dims, int parts, size_t terms, int sparse_dims, int classes,
								const SimulateOptions *options);

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
