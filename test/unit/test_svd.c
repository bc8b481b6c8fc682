/*-------------------------------------------------------------------------
 *
 * test_svd.c
 *	  Truncated singular vectors of sparse matrices against exact ones.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/encode/svd.h"
#include "../../src/math/matrix.h"
#include "svd_values.h"

/* A dense row-major matrix as a sparse one. */
static void
make_sparse(const float *dense, int rows, int columns, size_t *start, uint32_t *index,
			float *value, SparseMatrix *sparse)
{
	size_t		entries = 0;

	start[0] = 0;
	for (int i = 0; i < rows; i++)
	{
		for (int j = 0; j < columns; j++)
			if (dense[i * columns + j] != 0.0f)
			{
				index[entries] = (uint32_t) j;
				value[entries++] = dense[i * columns + j];
			}
		start[i + 1] = entries;
	}
	*sparse = (SparseMatrix) {rows, columns, start, index, value};
}

/* ||A V||^2 over the sum of the first k squared singular values. */
static double
captured(const float *a, const float *v, int found, int k)
{
	double		energy = 0.0;
	double		best = 0.0;

	for (int i = 0; i < SVD_ROWS; i++)
		for (int c = 0; c < found; c++)
		{
			double		sum = 0.0;

			for (int j = 0; j < SVD_COLUMNS; j++)
				sum += (double) a[i * SVD_COLUMNS + j] * v[j * found + c];
			energy += sum * sum;
		}
	for (int c = 0; c < k; c++)
		best += svd_values[c] * svd_values[c];
	return energy / best;
}

static double
orthogonality_error(const float *v, int rows, int columns)
{
	double		error = 0.0;

	for (int a = 0; a < columns; a++)
		for (int b = 0; b <= a; b++)
		{
			double		sum = a == b ? -1.0 : 0.0;

			for (int j = 0; j < rows; j++)
				sum += (double) v[j * columns + a] * v[j * columns + b];
			error = fmax(error, fabs(sum));
		}
	return error;
}

static void
test_svd(void)
{
	static size_t start[SVD_ROWS + 1];
	static uint32_t index[SVD_ROWS * SVD_COLUMNS];
	static float value[SVD_ROWS * SVD_COLUMNS];
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SparseMatrix a;
	float	   *v;
	int			found;

	make_sparse(svd_matrix, SVD_ROWS, SVD_COLUMNS, start, index, value, &a);

	/* as many columns as there are: nothing is approximated */
	REQUIRE(truncated_svd(&caller, &a, SVD_COLUMNS, 1, &v, &found) == STATUS_SUCCESS);
	CHECK(found == SVD_COLUMNS);
	CHECK(orthogonality_error(v, SVD_COLUMNS, found) < 1e-3);
	CHECK_NEAR(captured(svd_matrix, v, found, SVD_COLUMNS), 1.0, 1e-5);
	for (int c = 0; c < SVD_VECTORS; c++)
	{
		double		cosine = 0.0;

		for (int j = 0; j < SVD_COLUMNS; j++)
			cosine += v[j * found + c] * svd_vectors[c * SVD_COLUMNS + j];
		CHECK_NEAR(fabs(cosine), 1.0, 1e-5);
	}
	CHECK(memory.peak <= truncated_svd_bytes(SVD_ROWS, SVD_COLUMNS, a.start[SVD_ROWS],
											 SVD_COLUMNS));
	release(&caller, v);

	/* five of forty: nearly all that five can hold, for any seed */
	for (uint64_t seed = 0; seed < 20; seed++)
	{
		REQUIRE(truncated_svd(&caller, &a, 5, seed, &v, &found) == STATUS_SUCCESS);
		CHECK(found == 5);
		CHECK(orthogonality_error(v, SVD_COLUMNS, found) < 1e-4);
		CHECK(captured(svd_matrix, v, found, 5) > 0.98);
		CHECK(captured(svd_matrix, v, found, 5) < 1.0 + 1e-6);
		release(&caller, v);
	}
	CHECK(memory.blocks == 0);
}

/* Lower rank than dims, and nothing at all. */
static void
test_svd_rank(void)
{
	static float dense[30 * 20];
	static size_t start[31];
	static uint32_t index[30 * 20];
	static float value[30 * 20];
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SparseMatrix a;
	float	   *v;
	int			found;
	double		sum = 0.0;

	for (int i = 0; i < 30; i++)
		for (int j = 0; j < 20; j++)
			dense[i * 20 + j] = (float) ((i % 3 + 1) * (j % 4 == 0) + (i % 2) * (j % 5 == 1));
	make_sparse(dense, 30, 20, start, index, value, &a);
	REQUIRE(truncated_svd(&caller, &a, 10, 1, &v, &found) == STATUS_SUCCESS);
	CHECK(found == 2);
	CHECK(orthogonality_error(v, 20, found) < 1e-5);
	release(&caller, v);

	memset(dense, 0, sizeof(dense));
	make_sparse(dense, 30, 20, start, index, value, &a);
	REQUIRE(truncated_svd(&caller, &a, 10, 1, &v, &found) == STATUS_SUCCESS);
	CHECK(found == 1);
	for (int j = 0; j < 20; j++)
		sum += fabsf(v[j]);
	CHECK(sum == 0.0);
	release(&caller, v);

	/* one row: its direction */
	for (int j = 0; j < 20; j++)
		dense[j] = (float) j;
	make_sparse(dense, 1, 20, start, index, value, &a);
	REQUIRE(truncated_svd(&caller, &a, 10, 1, &v, &found) == STATUS_SUCCESS);
	CHECK(found == 1);
	CHECK_NEAR(fabsf(v[19]), 19.0 / sqrt(2470.0), 1e-6);
	release(&caller, v);
	CHECK(memory.blocks == 0);
}

/* So many columns that the result is a basis only: orthonormal nevertheless. */
static void
test_svd_wide(void)
{
	enum
	{
		ROWS = 620, COLUMNS = 640, DIMS = 540, EACH = 8
	};
	static size_t start[ROWS + 1];
	static uint32_t index[ROWS * EACH];
	static float value[ROWS * EACH];
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SparseMatrix a = {ROWS, COLUMNS, start, index, value};
	float	   *v;
	int			found;

	for (int i = 0; i < ROWS; i++)
	{
		start[i + 1] = start[i] + EACH;
		for (int k = 0; k < EACH; k++)
		{
			index[i * EACH + k] = (uint32_t) ((i + k * k * 7) % COLUMNS);
			value[i * EACH + k] = k == 0 ? 4.0f : (float) ((i * 31 + k * 17) % 13) / 13.0f;
		}
	}
	REQUIRE(truncated_svd(&caller, &a, DIMS, 1, &v, &found) == STATUS_SUCCESS);
	CHECK(found == DIMS);
	CHECK(orthogonality_error(v, COLUMNS, found) < 1e-3);
	CHECK(memory.peak <= truncated_svd_bytes(ROWS, COLUMNS, ROWS * EACH, DIMS));
	release(&caller, v);
	CHECK(memory.blocks == 0);
}

/* Where LAPACK has no memory for itself. */
static void
test_svd_memory(void)
{
	static size_t start[SVD_ROWS + 1];
	static uint32_t index[SVD_ROWS * SVD_COLUMNS];
	static float value[SVD_ROWS * SVD_COLUMNS];
	MatrixOps	ops = *matrix_blas_ops();
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SparseMatrix a;
	float	   *v;
	int			found;

	make_sparse(svd_matrix, SVD_ROWS, SVD_COLUMNS, start, index, value, &a);
	ops.syevd = unit_syevd_no_memory;
	matrix = &ops;
	CHECK(truncated_svd(&caller, &a, 5, 1, &v, &found) == STATUS_NO_MEMORY);
	CHECK(memory.blocks == 0);
	matrix = matrix_blas_ops();
}

int
main(void)
{
	matrix = matrix_blas_ops();
	test_svd();
	test_svd_memory();
	test_svd_rank();
	test_svd_wide();
	return unit_end();
}
