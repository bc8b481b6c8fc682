/*-------------------------------------------------------------------------
 *
 * span.c
 *	  Few rows in many dimensions, seen from within the space they span.
 *
 * With a hundred labels and 256 dimensions, most of what a fit computes is
 * zero: the optimum lies in the span of the rows (the representer theorem;
 * Kimeldorf and Wahba, 1971).  X = L Q with L the Cholesky factor of XX' and
 * Q = L^-1 X leaves the fit n x n numbers instead of n x dims, and what works
 * on the dimensions squared or cubed gains most.
 *
 *-------------------------------------------------------------------------
 */
#include "span.h"

#include <string.h>

#include "../math/matrix.h"

/*
 * Added to the squared length of each row: one that is the sum of others has
 * no direction of its own.  An error in the logits of this times the
 * residuals over the prior precision, which is far below the fit's tolerance.
 */
#define SPAN_JITTER 1e-10

size_t
span_memory(int n, int dims)
{
	return sizeof(float) * n * n + sizeof(double) * ((size_t) n * n + (size_t) n * dims * 2);
}

/* Rows and basis, with memory in place; x: n x dims, gram: n x n. */
static Status
decompose(const float *dense, Span *span, double *x, double *gram)
{
	size_t		n = span->n;
	size_t		dims = span->dims;
	int			result;

	for (size_t i = 0; i < n * dims; i++)
		x[i] = dense[i];
	matrix->syrk(false, span->n, span->dims, 1.0, x, span->dims, 0.0, gram, span->n);
	for (size_t i = 0; i < n; i++)
		gram[i * n + i] += SPAN_JITTER;
	result = matrix->potrf(span->n, gram, span->n);
	if (result != 0)
		return matrix_failure(result, STATUS_SINGULAR);
	for (size_t i = 0; i < n; i++)
	{
		for (size_t j = 0; j <= i; j++)
			span->rows[i * n + j] = (float) gram[i * n + j];
		for (size_t j = 0; j < dims; j++)
			span->basis[j * n + i] = x[i * dims + j];
	}
	matrix->trsm_right(true, span->dims, span->n, gram, span->n, span->basis, span->n);
	return STATUS_SUCCESS;
}

/* See span.h. */
Status
span_build(const Caller *caller, const float *dense, int n, int dims, Span *span)
{
	double	   *x = allocate_array(caller, (size_t) n * dims, sizeof(double));
	double	   *gram = allocate_array(caller, (size_t) n * n, sizeof(double));
	Status		status = STATUS_NO_MEMORY;

	span->n = n;
	span->dims = dims;
	span->rows = allocate_array(caller, (size_t) n * n, sizeof(float));
	span->basis = allocate_array(caller, (size_t) dims * n, sizeof(double));
	if (x != NULL && gram != NULL && span->rows != NULL && span->basis != NULL)
		status = decompose(dense, span, x, gram);
	release(caller, x);
	release(caller, gram);
	return status;
}

void
span_free(const Caller *caller, Span *span)
{
	release(caller, span->rows);
	release(caller, span->basis);
	memset(span, 0, sizeof(*span));
}

/* See span.h. */
void
span_leave(const Span *span, const double *within, int columns, double *weights)
{
	matrix->gemm(false, false, span->dims, columns, span->n, 1.0, span->basis, span->n,
				 within, columns, 0.0, weights, columns);
}
