/*-------------------------------------------------------------------------
 *
 * design.h
 *	  The labelled rows as the head sees them.
 *
 * A row of the design matrix is (dense part, refined part, 1): D = dims +
 * refined + 1 features.  The parts stay in the caller's float32 arrays; the
 * computing functions gather a block of rows at a time, so that the folds of
 * a cross-validation, which are lists of row numbers, copy nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_DESIGN_H
#define HUMANLOOP_DESIGN_H

#include "soft_labels.h"

typedef struct Design
{
	int			n;
	int			dims;
	int			refined;		/* columns of refine; 0: none */
	int			features;		/* D */
	int			classes;		/* K */
	const float *dense;			/* n x dims */
	const float *refine;		/* n x refined, or NULL */
	const int  *label;			/* n, in [0, K) */
	const SoftLabels *soft;		/* what head and curvature take in their place;
								 * NULL: each row is of its label */
} Design;

/* Rows are taken through products in blocks of at most so many. */
#define DESIGN_BLOCK 512

/*
 * Rows index[0 .. count) (NULL: rows first .. first + count) of the design
 * matrix, count x D.
 */
extern void design_rows(const Design *design, const int *index, int first, int count,
						double *rows);
extern void design_rows_float(const Design *design, const int *index, int first, int count,
							  float *rows);

#endif							/* HUMANLOOP_DESIGN_H */
