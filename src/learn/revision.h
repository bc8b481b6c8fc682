/*-------------------------------------------------------------------------
 *
 * revision.h
 *	  A model that has moved on from its base without a training.
 *
 * The base's posterior is the revision's prior.  Let V = s W be the
 * calibrated weights, V0 the base's, and H_k the posterior's precision of
 * class k: diagonal in the posterior's basis.  A revision keeps
 *
 *		pull		H (V - V0), D x K.  At the optimum that is X'R, with R the
 *					residuals of the rows that have come: as many directions
 *					as rows, whatever the posterior does to them
 *		curvature	what those rows add to the posterior's curvature
 *		count		labels of each class
 *
 * and everything that a model needs follows from these and the base.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_REVISION_H
#define HUMANLOOP_REVISION_H

#include "model_internal.h"

/* The base as a revision of itself: pull and curvature zero. */
extern Status revision_allocate(const Caller *caller, const Model *base, Model **model);

/* Weights, shares and posterior, from pull, count and curvature. */
extern Status revision_finish(const Caller *caller, const Model *base, Model *model);

/* to (D x K) = H^-1 from, or H from; along: r x K of scratch. */
extern void revision_solve(const Posterior *posterior, const float *from, float *along,
						   float *to);
extern void revision_multiply(const Posterior *posterior, const float *from, float *along,
							  float *to);

/* Is it the base, or a revision of it? */
extern bool revision_of(const Model *base, const Model *model);

/* Bytes of a revision, and that revision_finish holds beside it. */
extern size_t revision_memory(int features, int classes);
extern size_t revision_working_memory(int features, int classes);

#endif							/* HUMANLOOP_REVISION_H */
