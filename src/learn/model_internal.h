/*-------------------------------------------------------------------------
 *
 * model_internal.h
 *	  What a model is made of: for train.c, model.c, model_io.c, the fast
 *	  update and the acquisition functions; everyone else uses model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_MODEL_INTERNAL_H
#define HUMANLOOP_MODEL_INTERNAL_H

#include "model.h"
#include "posterior.h"
#include "refine.h"
#include "uncertainty.h"

/* What makes a model a revision of another, its base; see revision.h. */
typedef struct Revision
{
	float	   *curvature;		/* (r + 1) x K: added along each direction of
								 * the posterior, and along any other */
} Revision;

struct Model
{
	int			classes;		/* K */
	int			dims;			/* d, of the encoder */
	int			features;		/* D = d + refined columns + 1 */
	int			parts;			/* of the dense features; 0: of one piece */
	int			part_dims[MODEL_MAX_PARTS];
	float		share[MODEL_MAX_PARTS];
	double		prior_precision;	/* lam */
	double		scale;			/* s; probabilities are softmax(s x W) */
	float	   *weights;		/* D x K */
	int		   *count;			/* K: labels of each class */
	float	   *log_prior;		/* K: log share of each class in the labels */
	Refine	   *refine;			/* NULL: dense features only */
	Posterior  *posterior;
	Draws		draws;
	Revision   *revision;		/* NULL: no revision, but the result of a
								 * training; else refine, the posterior's basis
								 * and the draws are the base's */
};

/* A model of these sizes with its arrays, still without its parts. */
extern Model *model_allocate(const Caller *caller, int classes, int dims, int refined);

/* log_prior, from count. */
extern void model_count_shares(Model *model);

/* Do these rows suit the model? */
extern bool model_takes(const Model *model, const Rows *rows);

/*
 * Rows first .. first + count as the head sees them, count x D.  scratch:
 * refine's stride for each row.
 */
extern void model_features_of(const Model *model, const Rows *rows, int first, int count,
							  float *scratch, float *features);

/* Scaled logits of such rows, count x K. */
extern void model_logits_of(const Model *model, const float *features, int count,
							float *logits);

/*
 * Labels and margins of count rows of features, entropies NaN.  sparse: whose
 * rows first .. first + count they are; NULL: every row has an n-gram.
 * logits: count x K of scratch, probability: K.
 */
extern Status model_margins_of(const Model *model, const float *features, int count,
							   const SparseRows *sparse, int first, float *logits,
							   float *probability, Score *score);

#endif							/* HUMANLOOP_MODEL_INTERNAL_H */
