/*-------------------------------------------------------------------------
 *
 * matrix_blas.c
 *	  The table of matrix.h over CBLAS and LAPACKE.
 *
 * Compiled into a library of its own, so that a process which never computes
 * never loads BLAS; the only file that includes its headers.
 *
 * CBLAS takes row-major matrices as they are (it swaps operands), but
 * LAPACKE copies and transposes them.  A symmetric matrix is its own
 * transpose, so LAPACKE is told "column-major, upper" for what is row-major,
 * lower here, and nothing is copied.
 *
 * BLAS libraries print or exit on bad arguments, and read outside the arrays
 * where a size does not fit; so sizes are checked here first.  A wrong one is
 * a bug of the caller: an assertion, and without assertions nothing is done.
 *
 *-------------------------------------------------------------------------
 */
#include "matrix.h"

#include <assert.h>
#include <stddef.h>

#include <cblas.h>
#include <lapacke.h>

/* May a matrix of these many columns have rows this far apart? */
static inline bool
valid_ld(int columns, int ld)
{
	return ld >= 1 && ld >= columns;
}

static inline CBLAS_TRANSPOSE
transposition(bool transpose)
{
	return transpose ? CblasTrans : CblasNoTrans;
}

/* Are these sizes of C (m x n) = op(A) op(B) possible? */
static bool
valid_gemm(bool transpose_a, bool transpose_b, int m, int n, int k,
		   int lda, int ldb, int ldc)
{
	return m >= 0 && n >= 0 && k >= 0 &&
		valid_ld(transpose_a ? m : k, lda) &&
		valid_ld(transpose_b ? k : n, ldb) &&
		valid_ld(n, ldc);
}

static void
blas_gemm(bool transpose_a, bool transpose_b, int m, int n, int k,
		  double alpha, const double *a, int lda, const double *b, int ldb,
		  double beta, double *c, int ldc)
{
	bool		valid = valid_gemm(transpose_a, transpose_b, m, n, k, lda, ldb, ldc);

	assert(valid);
	if (!valid || m == 0 || n == 0)
		return;
	cblas_dgemm(CblasRowMajor, transposition(transpose_a), transposition(transpose_b),
				m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static void
blas_gemm_float(bool transpose_a, bool transpose_b, int m, int n, int k,
				float alpha, const float *a, int lda, const float *b, int ldb,
				float beta, float *c, int ldc)
{
	bool		valid = valid_gemm(transpose_a, transpose_b, m, n, k, lda, ldb, ldc);

	assert(valid);
	if (!valid || m == 0 || n == 0)
		return;
	cblas_sgemm(CblasRowMajor, transposition(transpose_a), transposition(transpose_b),
				m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static void
blas_gemv(bool transpose, int m, int n, double alpha, const double *a, int lda,
		  const double *x, double beta, double *y)
{
	bool		valid = m >= 0 && n >= 0 && valid_ld(n, lda);

	assert(valid);
	if (!valid)
		return;
	if (m == 0 || n == 0)
	{
		int			length = transpose ? n : m;

		/* BLAS returns at once and leaves y unscaled, gemm does not */
		for (int i = 0; i < length; i++)
			y[i] = beta == 0.0 ? 0.0 : beta * y[i];
		return;
	}
	cblas_dgemv(CblasRowMajor, transposition(transpose), m, n, alpha, a, lda,
				x, 1, beta, y, 1);
}

static void
blas_syrk(bool transpose, int n, int k, double alpha, const double *a, int lda,
		  double beta, double *c, int ldc)
{
	bool		valid = n >= 0 && k >= 0 &&
		valid_ld(transpose ? n : k, lda) && valid_ld(n, ldc);

	assert(valid);
	if (!valid || n == 0)
		return;
	cblas_dsyrk(CblasRowMajor, CblasLower, transposition(transpose), n, k,
				alpha, a, lda, beta, c, ldc);
}

static int
blas_potrf(int n, double *a, int lda)
{
	if (n < 0 || !valid_ld(n, lda))
		return -1;
	if (n == 0)
		return 0;
	return (int) LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', n, a, lda);
}

static void
blas_trsm(bool transpose, int n, int columns, const double *l, int ldl,
		  double *b, int ldb)
{
	bool		valid = n >= 0 && columns >= 0 &&
		valid_ld(n, ldl) && valid_ld(columns, ldb);

	assert(valid);
	if (!valid || n == 0 || columns == 0)
		return;
	cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, transposition(transpose),
				CblasNonUnit, n, columns, 1.0, l, ldl, b, ldb);
}

static void
blas_trsm_right(bool transpose, int rows, int n, const double *l, int ldl,
				double *b, int ldb)
{
	bool		valid = rows >= 0 && n >= 0 && valid_ld(n, ldl) && valid_ld(n, ldb);

	assert(valid);
	if (!valid || rows == 0 || n == 0)
		return;
	cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, transposition(transpose),
				CblasNonUnit, rows, n, 1.0, l, ldl, b, ldb);
}

/*
 * The eigenvectors come back as columns of a column-major matrix: as rows
 * here.  LAPACKE takes its workspace from malloc and gives it back before it
 * returns; no stop function can run in between.
 */
static int
blas_syevd(int n, double *a, int lda, double *values)
{
	int			result;

	if (n < 0 || !valid_ld(n, lda))
		return -1;
	if (n == 0)
		return 0;
	result = (int) LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', n, a, lda, values);
	return result == LAPACK_WORK_MEMORY_ERROR ? MATRIX_NO_MEMORY : result;
}

static const MatrixOps blas_ops = {
	.version = MATRIX_OPS_VERSION,
	.gemm = blas_gemm,
	.gemm_float = blas_gemm_float,
	.gemv = blas_gemv,
	.syrk = blas_syrk,
	.potrf = blas_potrf,
	.trsm = blas_trsm,
	.trsm_right = blas_trsm_right,
	.syevd = blas_syevd
};

const MatrixOps *
matrix_blas_ops(void)
{
	return &blas_ops;
}
