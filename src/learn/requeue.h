/*-------------------------------------------------------------------------
 *
 * requeue.h
 *	  The head of the queue, put in order again with a revised model.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_REQUEUE_H
#define HUMANLOOP_REQUEUE_H

#include "acquisition.h"

/* Rows whose dense parts have a larger cosine say nearly the same. */
#define NEAR_REPETITION 0.95f

typedef struct RequeueOptions
{
	Acquisition acquisition;
	int			batch;			/* see choose_epig */
	int			greedy;			/* so many are chosen one after another by
								 * EPIG; the rest follows by candidate_score */
	int			count;			/* so many are wanted in all */
	int			screen;			/* EPIG: of so many, those with the smallest
								 * margins, the gain decides whether they are
								 * looked at; see epig_screen */
} RequeueOptions;

/*
 * candidates (m x D) and targets (t x D; for EPIG only) are features as
 * model_row_features makes them; a candidate i with excluded[i] is passed
 * over (excluded may be NULL).  Fills the first *found <= count places of
 * chosen (indices of candidates, best first), gain (of EPIG, where it is known,
 * or candidate_score) and score (full).
 *
 * A row that nearly repeats one ranked above it goes behind those that do
 * not.  ACQUIRE_RANDOM has nothing to put in order: the candidates come in
 * the order given, with gain 0.
 */
extern Status requeue(const Caller *caller, const Model *model,
					  const RequeueOptions *options,
					  const float *candidates, int m, const float *targets, int t,
					  const bool *excluded, int *chosen, float *gain, Score *score,
					  int *found);

/* Bytes that requeue holds at most. */
extern size_t requeue_memory(const Model *model, const RequeueOptions *options, int m, int t);

#endif							/* HUMANLOOP_REQUEUE_H */
