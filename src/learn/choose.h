/*-------------------------------------------------------------------------
 *
 * choose.h
 *	  Prior precision and calibration, by cross-validation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_CHOOSE_H
#define HUMANLOOP_CHOOSE_H

#include "head.h"

/*
 * Puts n rows into folds of equal size within one row, each class spread
 * evenly: row i is in fold[i] in [0, folds).
 */
extern Status stratified_folds(const Caller *caller, const int *label, int n, int classes,
							   int folds, uint64_t seed, int *fold);

/* What a cross-validation runs on, and what it leaves behind. */
typedef struct CrossFit
{
	const Design *design;
	const int  *fold;			/* n */
	int			folds;
	bool		single;			/* see HeadOptions */
	bool		chained;		/* each fold starts where the last one ended */
	double	   *gram;			/* D x D: X'X of all rows */
	double	   *weights;		/* folds x D x K: start and result; chained:
								 * only the first fold's start counts */
	double	   *logits;			/* n x K, out of fold */
	const SoftLabels *fold_soft;	/* folds: soft labels of the rows without each
								 * fold; NULL: the design's */
	const float *nested;		/* folds x n x refined, see nested.h; or NULL */
	double	   *fold_gram;		/* folds x D x D: with nested features, X'X
								 * without each fold, once it is known; NULL:
								 * too large to keep */
	bool		fold_gram_known;
	double		usual;			/* prior precision to expect; 0: no opinion */
	bool	   *usable;			/* n: counts for the loss (its class has
								 * another row to learn from) */
} CrossFit;

extern Status cross_fit_start(const Caller *caller, const Design *design, const int *fold,
							  int folds, bool single, CrossFit *fit);
extern void cross_fit_end(const Caller *caller, CrossFit *fit);

/* Bytes of a CrossFit, and of what works on one beside it. */
extern size_t cross_fit_memory(int n, int features, int classes, int folds);
extern size_t cross_fit_working_memory(int n, int features, int classes, int folds);

/*
 * Fits the head without each fold in turn, from weights on, and fills in the
 * logits of the fold's rows.
 */
extern Status cross_validate(const Caller *caller, CrossFit *fit, double prior_precision,
							 double tolerance);

typedef struct Choice
{
	double		prior_precision;
	double		scale;			/* of the logits, exp(-2) to exp(2.3) */
	double		loss;			/* nats over the usable rows, with the penalty
								 * on the scale */
	double		penalty;		/* and on the prior precision */
	int			rows;			/* usable */
} Choice;

/*
 * The scale s that minimises the log loss of softmax(s * logits) over the
 * usable rows plus (ln s / 0.5)^2 / 2, which keeps it near 1 where rows are
 * few.  1 where none is usable.
 */
extern Status calibrate(const Caller *caller, const double *logits, const int *label,
						const bool *usable, int n, int classes,
						double *scale, double *loss);

/*
 * The same with labels that are not certain, where soft is not NULL: row i of the
 * logits has those of row index[i], or i where index is NULL.
 */
extern Status calibrate_soft(const Caller *caller, const double *logits, const int *label,
							 const SoftLabels *soft, const int *index, const bool *usable,
							 int n, int classes, double *scale, double *loss);

/*
 * The prior precision of grid (ascending, count of them) with the lowest
 * calibrated loss plus ln(lam / usual)^2 / 2, which keeps it sensible where
 * rows are few: an extreme one may cost nothing in probability and still send
 * the choice of what to ask astray.  Looked for downhill from grid[start].  fit's logits are
 * those of the choice afterwards.
 */
extern Status choose_prior(const Caller *caller, CrossFit *fit, const double *grid, int count,
						   int start, double tolerance, Choice *choice);

/*
 * The same for many rows: on one fold, with the head fitted to no more than
 * `most` rows of the others.  Leaves logits alone.
 */
extern Status choose_prior_quickly(const Caller *caller, CrossFit *fit, const double *grid,
								   int count, int start, int most, Choice *choice);

#endif							/* HUMANLOOP_CHOOSE_H */
