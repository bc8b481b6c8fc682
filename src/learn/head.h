/*-------------------------------------------------------------------------
 *
 * head.h
 *	  Multinomial logistic regression with a Gaussian prior: its maximum a
 *	  posteriori.
 *
 * Weights W are D x K, row-major, one column a class; the prior has the same
 * precision for each of them, the constant's included.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_HEAD_H
#define HUMANLOOP_HEAD_H

#include "design.h"

/* Rows of a design: index[0 .. count), or all the first count when NULL. */
typedef struct RowSet
{
	const int  *index;
	int			count;
} RowSet;

typedef struct HeadOptions
{
	double		prior_precision;	/* lam > 0 */
	double		tolerance;		/* of the squared Newton decrement, relative
								 * to the objective; 1e-6 is plenty in use */
	int			max_iterations;
	bool		single;			/* products in single precision: enough down
								 * to a tolerance of some 1e-6 */
} HeadOptions;

/*
 * X'X of the rows, D x D, lower triangle, times sign added to gram.
 */
extern Status head_gram(const Caller *caller, const Design *design, RowSet rows,
						double sign, double *gram);

/*
 * The negative log posterior at W and its gradient (D x K):
 * - sum_i log softmax(x_i W)[label_i] + lam/2 |W|^2; with soft labels, in place of
 * a row's logarithm the sum over its classes, each times its weight.
 */
extern Status head_objective(const Caller *caller, const Design *design, RowSet rows,
							 const double *weights, double prior_precision,
							 double *value, double *gradient);

/*
 * Minimises it, starting from weights (D x K), which the optimum replaces.
 * gram is X'X of these rows from head_gram (not changed).
 * STATUS_SINGULAR where gram + prior is not positive definite, which takes
 * features that are not finite; STATUS_NOT_FINITE where the objective is not.
 */
extern Status head_fit(const Caller *caller, const Design *design, RowSet rows,
					   const HeadOptions *options, const double *gram,
					   double *weights, double *objective);

/* Logits X W of the rows, count x K. */
extern Status head_logits(const Caller *caller, const Design *design, RowSet rows,
						  const double *weights, double *logits);

/* Bytes that a function here holds at most, for n rows. */
extern size_t head_fit_memory(int n, int features, int classes);

#endif							/* HUMANLOOP_HEAD_H */
