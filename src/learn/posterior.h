/*-------------------------------------------------------------------------
 *
 * posterior.h
 *	  How far the training rows pin down the logits of a new one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_POSTERIOR_H
#define HUMANLOOP_POSTERIOR_H

#include "../math/buffer.h"
#include "design.h"

/*
 * A Laplace approximation of the weights, of calibrated logits, with the
 * leading directions of the feature space told apart and the rest alike.
 */
typedef struct Posterior
{
	int			features;		/* D */
	int			classes;		/* K */
	int			rank;			/* r <= D leading directions */
	float	   *basis;			/* r x D: orthonormal rows */
	float	   *variance;		/* r x K: along each direction */
	float	   *rest;			/* K: along any other */
	float	   *shared;			/* r: the likelihood's curvature along each,
								 * w = (1 - sum p^2) / 2, all classes alike */
	float		shared_rest;	/* and along any other */
	double		prior_precision;	/* lam / s^2 */
} Posterior;

/* The most directions that are told apart. */
#define POSTERIOR_RANK 128

/*
 * From the rows of a design and their calibrated out-of-fold probabilities
 * (n x K).
 */
extern Status posterior_build(const Caller *caller, const Design *design,
							  const float *probability, double prior_precision,
							  uint64_t seed, Posterior **posterior);

/* Floats of scratch that posterior_variance takes for a block of rows. */
extern size_t posterior_scratch(const Posterior *posterior, int rows);

/* Variance of each logit of count rows (count x D), count x K. */
extern void posterior_variance(const Posterior *posterior, const float *rows, int count,
							   float *scratch, float *variance);

/*
 * One covariance S for all classes, where telling them apart does not pay:
 * with precision c a_j + lam/s^2 along direction j, where c = 2 / (K - 1)
 * turns the shared curvature, (1 - sum p^2) / 2, into the mean of the K - 1
 * eigenvalues of diag(p) - pp' that are not zero.  A Whitening is its square
 * root, or the inverse of that.
 */
typedef struct Whitening
{
	const Posterior *posterior;
	float	   *factor;			/* r: what it does along a direction, beyond rest */
	float		rest;			/* and what it does to everything */
} Whitening;

extern Status whitening_init(const Caller *caller, const Posterior *posterior, bool inverse,
							 Whitening *whitening);
extern void whitening_free(const Caller *caller, Whitening *whitening);

/* Of rows (count x D), in place; scratch: count x r. */
extern void whiten_rows(const Whitening *whitening, float *rows, int count, float *scratch);

/* Of weights (D x columns), in place; scratch: r x columns. */
extern void whiten_weights(const Whitening *whitening, float *weights, int columns,
						   float *scratch);

/* Bytes that posterior_build holds at most, its result included. */
extern size_t posterior_memory(int n, int features, int classes);

/* Stored form; features and classes are the model's. */
extern void posterior_write(const Posterior *posterior, Writer *writer);
extern Status posterior_read(const Caller *caller, Reader *reader, int features, int classes,
							 Posterior **posterior);
extern void posterior_free(const Caller *caller, Posterior *posterior);

#endif							/* HUMANLOOP_POSTERIOR_H */
