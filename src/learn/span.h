/*-------------------------------------------------------------------------
 *
 * span.h
 *	  Few rows in many dimensions, seen from within the space they span.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SPAN_H
#define HUMANLOOP_SPAN_H

#include "../math/base.h"

/*
 * n rows of dims numbers are rows of n numbers times an orthonormal basis.
 * Their inner products, and so the maximum a posteriori under a prior that
 * prefers no direction, are the same from either side.
 */
typedef struct Span
{
	int			n;
	int			dims;
	float	   *rows;			/* n x n, lower triangular */
	double	   *basis;			/* dims x n */
} Span;

/* n <= dims; the numbers of dense (n x dims) are finite. */
extern Status span_build(const Caller *caller, const float *dense, int n, int dims, Span *span);
extern void span_free(const Caller *caller, Span *span);

/* Weights of the rows within (n x columns) to those of the rows (dims x columns). */
extern void span_leave(const Span *span, const double *within, int columns, double *weights);

/* Bytes of a Span, and that building one takes besides. */
extern size_t span_memory(int n, int dims);

#endif							/* HUMANLOOP_SPAN_H */
