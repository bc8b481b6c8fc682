/*-------------------------------------------------------------------------
 *
 * acquisition.h
 *	  What to ask next.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ACQUISITION_H
#define HUMANLOOP_ACQUISITION_H

#include "model.h"

typedef enum Acquisition
{
	ACQUIRE_EPIG,				/* expected predictive information gain */
	ACQUIRE_BALD,				/* epistemic uncertainty, highest first */
	ACQUIRE_MARGIN,				/* smallest margin first */
	ACQUIRE_ENTROPY,			/* highest total entropy first */
	ACQUIRE_RANDOM
} Acquisition;

/*
 * Before the first model: count of the n rows (n x dims, unit length),
 * diverse and typical, in the order they are best asked; for any prefix of
 * the order too.
 */
extern Status choose_seed_batch(const Caller *caller, const float *dense, int n, int dims,
								int count, uint64_t seed, int *chosen);

/* Bytes that it holds at most. */
extern size_t choose_seed_batch_memory(int n, int dims, int count);

/*
 * How much a pool row is worth looking at as a candidate, higher is better:
 * -margin for EPIG, else the score of the acquisition function itself
 * (uniform random numbers for ACQUIRE_RANDOM, from seed and row number).
 */
extern float candidate_score(Acquisition acquisition, const Score *score,
							 uint64_t seed, uint64_t row);

/*
 * Greedy EPIG.  candidates: m rows in order of candidate_score, best first;
 * targets: rows drawn uniformly from the pool.  Fills chosen with indices of
 * candidates and gain with their value when chosen, count of them (count <=
 * m).  Takes `batch` at a time from windows of the 4 * batch (at least 200)
 * best candidates left, so that near-duplicates of what is chosen have been
 * discounted throughout and the head of the order is just what batch-wise
 * asking would choose.
 */
extern Status choose_epig(const Caller *caller, const Model *model,
						  const Rows *candidates, const Rows *targets,
						  int batch, int count, int *chosen, float *gain);

/* The same for features as model_row_features makes them: m x D and t x D. */
extern Status choose_epig_features(const Caller *caller, const Model *model,
								   const float *candidates, int m,
								   const float *targets, int t,
								   int batch, int count, int *chosen, float *gain);

/*
 * What each of the candidates row[0 .. m) (NULL: all m) would gain alone, with
 * nothing chosen before it.
 */
extern Status epig_gains(const Caller *caller, const Model *model, const float *candidates,
						 const int *row, int m, const float *targets, int t, float *gain);

/* Bytes that it holds at most, row and gain included. */
extern size_t epig_gains_memory(const Model *model, int m, int t);

/*
 * Among how many of n candidates, those with the smallest margins, the gain
 * decides: all of them where classes are few, and fewer the more classes there
 * are.  Of a row that lies between two of seventy classes the margin knows best
 * whether an answer would decide anything; that a row is far from sure is true
 * of nearly all.  See doc/design.md for what was measured.
 */
extern int	epig_screen(int classes, int n);

/* Bytes that either holds at most. */
extern size_t choose_epig_memory(const Model *model, int m, int t, int batch, int count);

/* Candidates of one window: how many of the best choose_epig looks at. */
extern int	epig_window(int batch);

#endif							/* HUMANLOOP_ACQUISITION_H */
