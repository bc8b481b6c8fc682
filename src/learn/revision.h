/*-------------------------------------------------------------------------
 *
 * revision.h
 *	  A model that has moved on from its base without a training.
 *
 * A revision has its own weights, counts and curvatures; refined features,
 * the posterior's basis and the draws are the base's.  The curvature that it
 * keeps is what its rows add to the base's, a sum over rows; the posterior
 * follows from the two.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_REVISION_H
#define HUMANLOOP_REVISION_H

#include "model_internal.h"

/* The base as a revision of itself. */
extern Status revision_allocate(const Caller *caller, const Model *base, Model **model);

/*
 * Shares of the classes and posterior, from count and curvature; checks that
 * the weights are finite.
 */
extern Status revision_finish(const Model *base, Model *model);

/* Is it the base, or a revision of it? */
extern bool revision_of(const Model *base, const Model *model);

/* Bytes of a revision. */
extern size_t revision_memory(int features, int classes);

#endif							/* HUMANLOOP_REVISION_H */
