/*-------------------------------------------------------------------------
 *
 * matrix.h
 *	  Dense linear algebra: the only door to BLAS and LAPACKE.
 *
 * BLAS costs a process some 25 ms to load, and labelling needs none of it.
 * So the functions are reached through a table, which lives in a library of
 * its own (matrix_blas.c) and is filled in by whoever starts to compute: the
 * server loads that library at first need (store/blas.c), the unit tests
 * link it.
 *
 * Matrices are row-major; ld is the distance between rows in elements.
 * Sizes are int because BLAS has them so; whoever calls checks that his fit.
 * Functions that can fail return 0, or k > 0 where LAPACK found the k-th
 * leading minor not positive definite (or no convergence), or MATRIX_NO_MEMORY
 * where it got none for its own use, or another number < 0 on a bad argument,
 * which is a bug in the caller.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_MATRIX_H
#define HUMANLOOP_MATRIX_H

#include "base.h"

typedef struct MatrixOps
{
	int			version;		/* of this table; MATRIX_OPS_VERSION */

	/* C = alpha op(A) op(B) + beta C, with C m x n and k the inner size */
	void		(*gemm) (bool transpose_a, bool transpose_b, int m, int n, int k,
						 double alpha, const double *a, int lda,
						 const double *b, int ldb,
						 double beta, double *c, int ldc);
	void		(*gemm_float) (bool transpose_a, bool transpose_b, int m, int n, int k,
							   float alpha, const float *a, int lda,
							   const float *b, int ldb,
							   float beta, float *c, int ldc);

	/* y = alpha op(A) x + beta y, with A m x n as stored */
	void		(*gemv) (bool transpose, int m, int n, double alpha,
						 const double *a, int lda, const double *x,
						 double beta, double *y);

	/*
	 * C = alpha A'A + beta C (transpose) or alpha AA' + beta C, n x n with
	 * inner size k; only the lower triangle of C is read and written.
	 */
	void		(*syrk) (bool transpose, int n, int k, double alpha,
						 const double *a, int lda, double beta, double *c, int ldc);

	/* A = L L' in place, lower triangle, n x n */
	int			(*potrf) (int n, double *a, int lda);

	/*
	 * B = op(L)^-1 B with L lower triangular n x n and B n x columns
	 */
	void		(*trsm) (bool transpose, int n, int columns,
						 const double *l, int ldl, double *b, int ldb);

	/* rows: B = B op(L)^-1 with L lower triangular n x n and B rows x n */
	void		(*trsm_right) (bool transpose, int rows, int n,
							   const double *l, int ldl, double *b, int ldb);

	/*
	 * Eigen-decomposition of a symmetric n x n matrix (lower triangle read):
	 * on return row j of a is the j-th eigenvector, values ascending.
	 */
	int			(*syevd) (int n, double *a, int lda, double *values);
} MatrixOps;

#define MATRIX_OPS_VERSION 1

#define MATRIX_NO_MEMORY (-1010)	/* as LAPACKE has it */

/* What a function that has failed means to its caller. */
static inline Status
matrix_failure(int result, Status otherwise)
{
	return result == MATRIX_NO_MEMORY ? STATUS_NO_MEMORY : otherwise;
}

/* Set once before anything here is called; NULL until then. */
extern const MatrixOps *matrix;

/* The table itself, in matrix_blas.c: the only file that knows BLAS. */
extern const MatrixOps *matrix_blas_ops(void);

/*
 * Computes a small product, factorisation and eigen-decomposition whose
 * results are known.  False: this BLAS computes nonsense on this processor
 * (old OpenBLAS on a new one; OPENBLAS_CORETYPE works around it).
 */
extern bool matrix_self_test(const MatrixOps *ops);

#endif							/* HUMANLOOP_MATRIX_H */
