/*-------------------------------------------------------------------------
 *
 * matrix.c
 *	  The table through which BLAS is reached, and a test of what it computes.
 *
 * Old OpenBLAS builds choose kernels for processors that they do not know and
 * then return wrong numbers without any error.  A model made of them looks
 * like any other, so the first use is preceded by a test.  Its matrices are
 * larger than the register blocks of every kernel and no multiple of them:
 * a 2 x 2 product would only test the remainder loops.
 *
 * Elements are small integers, so that products and sums are exact in both
 * precisions and in every order of summation: the comparison needs no
 * tolerance where nothing is divided.
 *
 *-------------------------------------------------------------------------
 */
#include "matrix.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

const MatrixOps *matrix = NULL;

#define TEST_M 97
#define TEST_N 101
#define TEST_K 103
#define TEST_LARGEST 103

/* Divisions and square roots of well-conditioned matrices of this size */
#define TEST_TOLERANCE 1e-9

/* A small integer that depends on both indices without an obvious pattern. */
static int
test_element(int i, int j)
{
	return (i * 7 + j * 13 + (i * j) % 11) % 9 - 4;
}

/*
 * A B with A 97 x 103 and B 103 x 101, element by element; once for all that
 * are compared with it, for this is most of what a new connection waits for.
 */
static void
naive_product(int *product)
{
	int			a[TEST_M * TEST_K];
	int			b[TEST_N * TEST_K];

	for (int k = 0; k < TEST_K; k++)
	{
		for (int i = 0; i < TEST_M; i++)
			a[i * TEST_K + k] = test_element(i, k);
		for (int j = 0; j < TEST_N; j++)
			b[j * TEST_K + k] = test_element(k + 3, j);
	}
	for (int i = 0; i < TEST_M; i++)
		for (int j = 0; j < TEST_N; j++)
		{
			int			sum = 0;

			for (int k = 0; k < TEST_K; k++)
				sum += a[i * TEST_K + k] * b[j * TEST_K + k];
			product[i * TEST_N + j] = sum;
		}
}

/* C = A B, and the same from stored transposes. */
static bool
test_gemm(const MatrixOps *ops, bool transpose_a, bool transpose_b, const int *product)
{
	double		a[TEST_LARGEST * TEST_LARGEST];
	double		b[TEST_LARGEST * TEST_LARGEST];
	double		c[TEST_M * TEST_N];

	memset(c, 0, sizeof(c));
	for (int i = 0; i < TEST_LARGEST; i++)
		for (int j = 0; j < TEST_LARGEST; j++)
		{
			a[i * TEST_LARGEST + j] = transpose_a ? test_element(j, i) : test_element(i, j);
			b[i * TEST_LARGEST + j] = transpose_b ? test_element(j + 3, i) : test_element(i + 3, j);
		}
	ops->gemm(transpose_a, transpose_b, TEST_M, TEST_N, TEST_K, 1.0, a, TEST_LARGEST,
			  b, TEST_LARGEST, 1.0, c, TEST_N);
	for (int i = 0; i < TEST_M * TEST_N; i++)
		if (c[i] != product[i])
			return false;
	return true;
}

/* The same in single precision, where the kernels are others. */
static bool
test_gemm_float(const MatrixOps *ops, bool transpose_a, bool transpose_b, const int *product)
{
	float		a[TEST_LARGEST * TEST_LARGEST];
	float		b[TEST_LARGEST * TEST_LARGEST];
	float		c[TEST_M * TEST_N];

	memset(c, 0, sizeof(c));
	for (int i = 0; i < TEST_LARGEST; i++)
		for (int j = 0; j < TEST_LARGEST; j++)
		{
			a[i * TEST_LARGEST + j] = (float) (transpose_a ? test_element(j, i) : test_element(i, j));
			b[i * TEST_LARGEST + j] = (float) (transpose_b ? test_element(j + 3, i) : test_element(i + 3, j));
		}
	ops->gemm_float(transpose_a, transpose_b, TEST_M, TEST_N, TEST_K, 1.0f, a, TEST_LARGEST,
					b, TEST_LARGEST, 0.0f, c, TEST_N);
	for (int i = 0; i < TEST_M * TEST_N; i++)
		if (c[i] != (float) product[i])
			return false;
	return true;
}

/* y = A x and y = A' x with A 97 x 101. */
static bool
test_gemv(const MatrixOps *ops)
{
	double		a[TEST_M * TEST_N];
	double		x[TEST_N];
	double		y[TEST_N];

	for (int transpose = 0; transpose < 2; transpose++)
	{
		int			in = transpose ? TEST_M : TEST_N;
		int			out = transpose ? TEST_N : TEST_M;

		for (int i = 0; i < TEST_M; i++)
			for (int j = 0; j < TEST_N; j++)
				a[i * TEST_N + j] = test_element(i, j);
		for (int i = 0; i < TEST_N; i++)
		{
			x[i] = test_element(i, 5);
			y[i] = 1.0;
		}
		ops->gemv(transpose != 0, TEST_M, TEST_N, 1.0, a, TEST_N, x, 2.0, y);
		for (int i = 0; i < out; i++)
		{
			int			sum = 2;

			for (int j = 0; j < in; j++)
				sum += test_element(j, 5) *
					(transpose ? test_element(j, i) : test_element(i, j));
			if (y[i] != sum)
				return false;
		}
	}
	return true;
}

/*
 * The lower triangle of A = G'G + n I with G 103 x 97 by syrk; the naive
 * product is compared element by element.
 */
static bool
test_syrk(const MatrixOps *ops, double *a)
{
	double		g[TEST_K * TEST_M];

	for (int i = 0; i < TEST_K; i++)
		for (int j = 0; j < TEST_M; j++)
			g[i * TEST_M + j] = test_element(i, j);
	memset(a, 0, TEST_M * TEST_M * sizeof(double));
	for (int i = 0; i < TEST_M; i++)
		a[i * TEST_M + i] = TEST_M;
	ops->syrk(true, TEST_M, TEST_K, 1.0, g, TEST_M, 1.0, a, TEST_M);
	for (int i = 0; i < TEST_M; i++)
		for (int j = 0; j < TEST_M; j++)
		{
			double		sum = i == j ? TEST_M : 0;

			for (int k = 0; k < TEST_K && j <= i; k++)
				sum += g[k * TEST_M + i] * g[k * TEST_M + j];
			if (a[i * TEST_M + j] != sum)
				return false;
		}
	return true;
}

/* L L' = A, then L'^-1 L^-1 A = I and A L'^-1 L^-1 = I from either side. */
static bool
test_cholesky(const MatrixOps *ops, const double *a)
{
	double		l[TEST_M * TEST_M];
	double		b[TEST_M * TEST_M];

	memcpy(l, a, sizeof(l));
	if (ops->potrf(TEST_M, l, TEST_M) != 0)
		return false;
	for (int right = 0; right < 2; right++)
	{
		for (int i = 0; i < TEST_M; i++)
			for (int j = 0; j < TEST_M; j++)
				b[i * TEST_M + j] = j <= i ? a[i * TEST_M + j] : a[j * TEST_M + i];
		if (right)
		{
			ops->trsm_right(true, TEST_M, TEST_M, l, TEST_M, b, TEST_M);
			ops->trsm_right(false, TEST_M, TEST_M, l, TEST_M, b, TEST_M);
		}
		else
		{
			ops->trsm(false, TEST_M, TEST_M, l, TEST_M, b, TEST_M);
			ops->trsm(true, TEST_M, TEST_M, l, TEST_M, b, TEST_M);
		}
		for (int i = 0; i < TEST_M; i++)
			for (int j = 0; j < TEST_M; j++)
				if (!(fabs(b[i * TEST_M + j] - (i == j)) < TEST_TOLERANCE))
					return false;
	}
	return true;
}

/* A v = lambda v for each pair, values ascending, vectors of unit length. */
static bool
test_eigen(const MatrixOps *ops, const double *a)
{
	double		v[TEST_M * TEST_M];
	double		values[TEST_M];
	double		scale;

	memcpy(v, a, sizeof(v));
	if (ops->syevd(TEST_M, v, TEST_M, values) != 0)
		return false;
	scale = fabs(values[TEST_M - 1]);
	for (int pair = 0; pair < TEST_M; pair++)
	{
		const double *vector = v + pair * TEST_M;
		double		length = 0.0;

		if (pair > 0 && values[pair] < values[pair - 1])
			return false;
		for (int i = 0; i < TEST_M; i++)
		{
			double		sum = 0.0;

			for (int j = 0; j < TEST_M; j++)
				sum += (j <= i ? a[i * TEST_M + j] : a[j * TEST_M + i]) * vector[j];
			if (!(fabs(sum - values[pair] * vector[i]) < TEST_TOLERANCE * scale))
				return false;
			length += vector[i] * vector[i];
		}
		if (!(fabs(length - 1.0) < TEST_TOLERANCE))
			return false;
	}
	return true;
}

/*
 * Does this BLAS compute what it should?  Takes a few milliseconds and some
 * 300 kB of stack.
 */
bool
matrix_self_test(const MatrixOps *ops)
{
	double		a[TEST_M * TEST_M];
	int			product[TEST_M * TEST_N];

	if (ops == NULL || ops->version != MATRIX_OPS_VERSION)
		return false;
	naive_product(product);
	for (int transposes = 0; transposes < 4; transposes++)
	{
		bool		transpose_a = (transposes & 1) != 0;
		bool		transpose_b = (transposes & 2) != 0;

		if (!test_gemm(ops, transpose_a, transpose_b, product) ||
			!test_gemm_float(ops, transpose_a, transpose_b, product))
			return false;
	}
	return test_gemv(ops) && test_syrk(ops, a) && test_cholesky(ops, a) &&
		test_eigen(ops, a);
}
