/*-------------------------------------------------------------------------
 *
 * epig.h
 *	  Greedy choice by expected predictive information gain.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_EPIG_H
#define HUMANLOOP_EPIG_H

#include "../math/base.h"

/*
 * Candidates and targets, whitened: the inner product of two rows is their
 * prior covariance x' S t.
 */
typedef struct EpigProblem
{
	int			features;		/* D */
	int			classes;		/* K */
	int			candidates;		/* m */
	int			targets;		/* t */
	const double *candidate;	/* m x D */
	const double *target;		/* t x D */
	const float *candidate_spread;	/* m x K: h = p (1 - p) */
	const float *target_spread; /* t x K */
} EpigProblem;

/*
 * Chooses count of the candidates one after another, `batch` at a time among
 * the first `window` that are left.  Fills chosen and gain.
 */
extern Status epig_greedy(const Caller *caller, const EpigProblem *problem,
						  int batch, int window, int count, int *chosen, float *gain);

/* Bytes that epig_greedy holds at most. */
extern size_t epig_memory(int features, int classes, int candidates, int targets,
						  int window, int count);

#endif							/* HUMANLOOP_EPIG_H */
