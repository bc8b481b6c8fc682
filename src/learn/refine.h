/*-------------------------------------------------------------------------
 *
 * refine.h
 *	  Features learned from the labels on the encoder's sparse stage.
 *
 * A truncated SVD keeps what tells rows apart; where single words decide, it
 * throws away what tells classes apart.  So the slow training fits a linear
 * support vector machine to the sparse rows, and its decision values (one a
 * class; one in all for two classes) stand beside the dense features.
 * Labelled rows get out-of-fold values: fitted values would look far too
 * good, and the head would trust nothing else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_REFINE_H
#define HUMANLOOP_REFINE_H

#include "../encode/encoder.h"

/* What is kept of it: for each n-gram of a labelled row, 8 bits a column. */
typedef struct Refine
{
	int			columns;		/* K, or 1 when K = 2 */
	int			stride;			/* of weight: columns, padded with zeros */
	int			sparse_dims;
	int			terms;
	uint32_t   *index;			/* terms: which n-gram, ascending */
	uint32_t   *slot;			/* sparse_dims: n-gram to term + 1; 0: unknown */
	int8_t	   *weight;			/* terms x stride */
	float	   *scale;			/* terms: of its weights */
	float	   *offset;			/* stride */
} Refine;

/* How many features it adds. */
extern int	refine_columns(int classes);

/* Columns padded to full vectors. */
extern int	refine_stride(int columns);

/* One without n-grams; NULL: no memory. */
extern Refine *refine_allocate(const Caller *caller, int sparse_dims, int columns);

/*
 * Fits to n = sparse->n rows with label[i] in [0, classes).  features (n x
 * columns) are those of row i from a fit without the rows of fold[i] in [0,
 * folds).
 */
extern Status refine_train(const Caller *caller, const SparseRows *sparse, int sparse_dims,
						   const int *label, int classes, const int *fold, int folds,
						   uint64_t seed, Refine **refine, float *features);

/*
 * Features of rows first .. first + count: row i at features + i * stride,
 * padded with zeros to the refine's stride.
 */
extern void refine_apply(const Refine *refine, const SparseRows *sparse, int first, int count,
						 float *features);

/*
 * What one n-gram adds to the features of a row in which it has the share value of
 * the row's length (stride floats, to which it is added).
 */
extern void refine_add_term(const Refine *refine, uint32_t term, float value, float *features);

/* Bytes of a Refine, and that refine_train holds at most, that included. */
extern size_t refine_result_memory(size_t sparse_terms, int sparse_dims, int classes);
extern size_t refine_memory(int n, size_t sparse_terms, int sparse_dims, int classes);

/* Stored form. */
extern void refine_write(const Refine *refine, Writer *writer);
extern Status refine_read(const Caller *caller, Reader *reader, int classes, Refine **refine);
extern void refine_free(const Caller *caller, Refine *refine);

#endif							/* HUMANLOOP_REFINE_H */
