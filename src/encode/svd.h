/*-------------------------------------------------------------------------
 *
 * svd.h
 *	  The leading right singular vectors of a large sparse matrix.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SVD_H
#define HUMANLOOP_SVD_H

#include "../math/base.h"

/* Rows in compressed form: row i has start[i] .. start[i + 1] - 1 */
typedef struct SparseMatrix
{
	int			rows;
	int			columns;
	const size_t *start;		/* rows + 1 */
	const uint32_t *index;		/* < columns */
	const float *value;
} SparseMatrix;

/*
 * The first `dims` right singular vectors of a, by falling singular value, as
 * columns of a row-major matrix of a->columns rows; fewer where the numerical
 * rank is lower, but at least one column (of zeros where a is zero).  Beyond
 * 528 columns: an orthonormal basis of the space that they span.
 *
 * *vectors is allocated, *found is its number of columns.
 * STATUS_NO_MEMORY, STATUS_STOPPED, STATUS_NOT_FINITE.
 */
extern Status truncated_svd(const Caller *caller, const SparseMatrix *a, int dims,
							uint64_t seed, float **vectors, int *found);

/*
 * Bytes that truncated_svd allocates at most, its result included, for a
 * matrix with that many rows, columns and entries.
 */
extern size_t truncated_svd_bytes(size_t rows, size_t columns, size_t entries, int dims);

#endif							/* HUMANLOOP_SVD_H */
