/*-------------------------------------------------------------------------
 *
 * svd.c
 *	  The leading right singular vectors of a large sparse matrix.
 *
 * Randomized subspace iteration (Halko, Martinsson and Tropp, "Finding
 * structure with randomness", SIAM Review 2011).  A is n x m, the block has
 * l = dims + a few columns:
 *
 *	  Y = A S			S a sparse sign matrix: a few entries a row suffice
 *						(Martinsson and Tropp, Acta Numerica 2020), so that
 *						the first pass over A costs next to nothing
 *	  Y = A (A' Q)		for each power iteration, with Q = orth(Y)
 *	  B = A' Q			m x l
 *	  B'B = U D U'		a small eigenproblem
 *	  V = B U D^-1/2	the singular vectors; D are the squared values
 *
 * Products with A take nearly all the time.  They are done in float, row by
 * row over A and over its transpose, so that the l sums of a row stay in the
 * first-level cache and each entry of A reads one contiguous row of the dense
 * factor.
 *
 * Blocks are orthonormalised by way of their Gram matrix in double (Cholesky
 * QR): the Gram matrix squares the condition number, which double precision
 * affords for float data.  Where it is singular nevertheless (few rows, equal
 * rows) its eigenvectors take the place of the Cholesky factor, and columns
 * without substance are dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "svd.h"

#include <math.h>
#include <string.h>

#include "../math/matrix.h"
#include "../math/random.h"
#include "encoder_internal.h"

#define OVERSAMPLE 10			/* columns beyond dims, at least */

/*
 * Larger eigenproblems take more than 100 ms and cannot be stopped.  Blocks
 * of more columns are not oversampled, and the result is an orthonormal basis
 * of the same space, but not turned towards the singular vectors: nothing
 * that looks at lengths and angles only, as all models here do, can tell.
 */
#define MOST_EIGEN_COLUMNS 528

#define PANEL 64				/* columns that a product with A treats at once */
#define COLUMN_MULTIPLE 16		/* that the number of columns is rounded up to */
#define POWER_ITERATIONS 2
#define SKETCH_ENTRIES 4		/* of a row of the sign matrix, at least */
#define ROW_WORK 8				/* a row's sums cost as much as so many entries */
#define SKETCH_COLUMN 32		/* of a column, on average: none stays empty */

#define BLOCK_ROWS 512			/* of a dense factor, in double at a time */
#define ENTRIES_A_STEP 50000	/* of a, between two questions whether to stop */

/*
 * Squared singular values below this share of the largest are rounding errors
 * of float data: (2^-24)^2 times the size of the sums, generously.
 */
#define RANK_TOLERANCE 1e-11

/* A Cholesky factor whose diagonal spans more than this is not to be trusted */
#define CHOLESKY_RATIO 1e-4

typedef struct Svd
{
	const Caller *caller;
	const SparseMatrix *a;
	SparseMatrix transposed;
	int			columns;		/* l, of the blocks; falls when the rank is low */
	float	   *y;				/* a->rows x l */
	float	   *z;				/* a->columns x l */
	double	   *block;			/* BLOCK_ROWS x l */
	double	   *gram;			/* l x l */
	double	   *basis;			/* l x l */
	double	   *values;			/* l */
	/* of the transpose; owned here */
	size_t	   *start;
	uint32_t   *index;
	float	   *value;
} Svd;

static int
block_columns(size_t rows, size_t columns, int dims)
{
	size_t		l = ((size_t) dims + OVERSAMPLE + COLUMN_MULTIPLE - 1) /
		COLUMN_MULTIPLE * COLUMN_MULTIPLE;

	if (l > MOST_EIGEN_COLUMNS)
		l = (size_t) dims;
	if (l > rows)
		l = rows;
	if (l > columns)
		l = columns;
	return l < 1 ? 1 : (int) l;
}

size_t
truncated_svd_bytes(size_t rows, size_t columns, size_t entries, int dims)
{
	size_t		l = (size_t) block_columns(rows, columns, dims);

	return (rows + columns) * l * sizeof(float) +
		(columns + 2) * sizeof(size_t) + entries * (sizeof(uint32_t) + sizeof(float)) +
		(BLOCK_ROWS + 2 * l + 1) * l * sizeof(double) +
		BLOCK_ROWS * l * sizeof(float) + l * l * sizeof(float) +
		columns * sizeof(uint64_t);
}

/*
 * Here, unlike in the encoder, the last bit may differ between machines, as
 * that of BLAS does: fused multiplications are welcome.
 */
#ifdef WIDE_CLONES_ARE_REAL
#define FUSED_CLONES __attribute__((target_clones("fma", "default")))
#else
#define FUSED_CLONES
#endif

/*
 * Eight floats that the compiler keeps in as many registers as it takes; may
 * stand anywhere in an array of floats.
 */
#ifdef __GNUC__
typedef float Lane __attribute__((vector_size(32), aligned(4), may_alias));
#endif

/*
 * out[0 .. 63] = sum over entries of value * the first 64 elements of row
 * `index` of x, whose rows are l apart.  The sums must stay in registers for
 * the whole row, which is why they are spelt out: a loop over an array of
 * sums stores and loads each of them for every entry, and takes three times
 * as long.
 */
FUSED_CLONES
static void
sum_rows_64(float *restrict out, const float *restrict x, size_t l,
			const uint32_t *restrict index, const float *restrict value, size_t entries)
{
#ifdef __GNUC__
	Lane		a = {0};
	Lane		b = {0};
	Lane		c = {0};
	Lane		d = {0};
	Lane		e = {0};
	Lane		f = {0};
	Lane		g = {0};
	Lane		h = {0};

	for (size_t k = 0; k < entries; k++)
	{
		const Lane *row = (const Lane *) (x + (size_t) index[k] * l);
		float		weight = value[k];

		a += weight * row[0];
		b += weight * row[1];
		c += weight * row[2];
		d += weight * row[3];
		e += weight * row[4];
		f += weight * row[5];
		g += weight * row[6];
		h += weight * row[7];
	}
	((Lane *) out)[0] = a;
	((Lane *) out)[1] = b;
	((Lane *) out)[2] = c;
	((Lane *) out)[3] = d;
	((Lane *) out)[4] = e;
	((Lane *) out)[5] = f;
	((Lane *) out)[6] = g;
	((Lane *) out)[7] = h;
#else
	memset(out, 0, 64 * sizeof(float));
	for (size_t k = 0; k < entries; k++)
		for (int j = 0; j < 64; j++)
			out[j] += value[k] * x[(size_t) index[k] * l + (size_t) j];
#endif
}

/* The same for 16 columns. */
FUSED_CLONES
static void
sum_rows_16(float *restrict out, const float *restrict x, size_t l,
			const uint32_t *restrict index, const float *restrict value, size_t entries)
{
#ifdef __GNUC__
	Lane		a = {0};
	Lane		b = {0};

	for (size_t k = 0; k < entries; k++)
	{
		const Lane *row = (const Lane *) (x + (size_t) index[k] * l);
		float		weight = value[k];

		a += weight * row[0];
		b += weight * row[1];
	}
	((Lane *) out)[0] = a;
	((Lane *) out)[1] = b;
#else
	memset(out, 0, 16 * sizeof(float));
	for (size_t k = 0; k < entries; k++)
		for (int j = 0; j < 16; j++)
			out[j] += value[k] * x[(size_t) index[k] * l + (size_t) j];
#endif
}

/* The same for any number of columns: the rest in small matrices. */
static void
sum_rows(float *restrict out, int width, const float *restrict x, size_t l,
		 const uint32_t *restrict index, const float *restrict value, size_t entries)
{
	for (int j = 0; j < width; j++)
		out[j] = 0.0f;
	for (size_t k = 0; k < entries; k++)
		for (int j = 0; j < width; j++)
			out[j] += value[k] * x[(size_t) index[k] * l + (size_t) j];
}

/*
 * out = A x with A sparse, x A->columns x l and out A->rows x l; rows of both
 * are l apart.  A panel of 64 columns at a time: of a matrix with tens of
 * thousands of rows that much stays in the second- and third-level caches.
 */
static Status
sparse_times_dense(const Caller *caller, const SparseMatrix *a, const float *x, int l,
				   float *out)
{
	size_t		work = 0;

	for (int panel = 0, width; panel < l; panel += width)
	{
		width = l - panel >= PANEL ? PANEL : l - panel >= COLUMN_MULTIPLE ? COLUMN_MULTIPLE : l - panel;
		for (int i = 0; i < a->rows; i++)
		{
			size_t		from = a->start[i];
			size_t		entries = a->start[i + 1] - from;
			float	   *sums = out + (size_t) i * (size_t) l + panel;

			if (width == PANEL)
				sum_rows_64(sums, x + panel, (size_t) l, a->index + from,
							a->value + from, entries);
			else if (width == COLUMN_MULTIPLE)
				sum_rows_16(sums, x + panel, (size_t) l, a->index + from,
							a->value + from, entries);
			else
				sum_rows(sums, width, x + panel, (size_t) l, a->index + from,
						 a->value + from, entries);
			work += entries + ROW_WORK;
			if (work > ENTRIES_A_STEP)
			{
				work = 0;
				if (stopped(caller))
					return STATUS_STOPPED;
			}
		}
	}
	return STATUS_SUCCESS;
}

/*
 * Y = A S, S with a few random signs in random columns of each row.
 * They follow from 64 random bits a row, so that S itself needs no memory.
 */
static Status
sketch(Svd *svd, uint64_t seed)
{
	const SparseMatrix *a = svd->a;
	int			l = svd->columns;
	int			entries = SKETCH_ENTRIES;
	size_t		work = 0;
	uint64_t   *signs;
	Random		random;

	signs = allocate_array(svd->caller, (size_t) a->columns, sizeof(uint64_t));
	if (signs == NULL)
		return STATUS_NO_MEMORY;
	random_seed(&random, seed);
	for (int i = 0; i < a->columns; i++)
		signs[i] = random_bits(&random);
	if (a->columns > 0 && (int64_t) a->columns * entries < (int64_t) l * SKETCH_COLUMN)
		entries = (int) ((int64_t) l * SKETCH_COLUMN / a->columns) + 1;
	memset(svd->y, 0, (size_t) a->rows * (size_t) l * sizeof(float));
	for (int i = 0; i < a->rows; i++)
	{
		float	   *sum = svd->y + (size_t) i * (size_t) l;

		for (size_t k = a->start[i]; k < a->start[i + 1]; k++)
		{
			uint64_t	bits = signs[a->index[k]];

			for (int e = 0; e < entries; e++)
			{
				uint32_t	place;

				bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
				place = (uint32_t) ((bits >> 33) * (uint64_t) l >> 31);
				sum[place] += (bits >> 32 & 1) ? a->value[k] : -a->value[k];
			}
		}
		work += (a->start[i + 1] - a->start[i]) * (size_t) entries + 1;
		if (work > ENTRIES_A_STEP)
		{
			work = 0;
			if (stopped(svd->caller))
			{
				release(svd->caller, signs);
				return STATUS_STOPPED;
			}
		}
	}
	release(svd->caller, signs);
	return STATUS_SUCCESS;
}

/* gram = X'X, lower triangle, with X n x l in float. */
static Status
gram_matrix(Svd *svd, const float *x, int n)
{
	size_t		l = (size_t) svd->columns;

	memset(svd->gram, 0, l * l * sizeof(double));
	for (int from = 0; from < n; from += BLOCK_ROWS)
	{
		int			rows = n - from < BLOCK_ROWS ? n - from : BLOCK_ROWS;
		const float *source = x + (size_t) from * l;

		for (size_t i = 0; i < (size_t) rows * l; i++)
			svd->block[i] = source[i];
		matrix->syrk(true, svd->columns, rows, 1.0, svd->block, svd->columns,
					 1.0, svd->gram, svd->columns);
		if (stopped(svd->caller))
			return STATUS_STOPPED;
	}
	for (size_t i = 0; i < l; i++)
		if (!isfinite(svd->gram[i * l + i]))
			return STATUS_NOT_FINITE;
	return STATUS_SUCCESS;
}

/*
 * basis = transformation that makes the columns of a matrix with this Gram
 * matrix orthonormal: l x rank with rows l apart, by eigenvectors; at most
 * `most` columns, those with the largest values first.
 */
static Status
eigen_basis(Svd *svd, int most, int *rank)
{
	int			l = svd->columns;
	double		largest;
	int			result;

	result = matrix->syevd(l, svd->gram, l, svd->values);
	if (result != 0)
		return matrix_failure(result, STATUS_NOT_FINITE);
	largest = svd->values[l - 1];
	*rank = 0;
	while (*rank < l && *rank < most && largest > 0.0 &&
		   svd->values[l - 1 - *rank] > RANK_TOLERANCE * largest)
	{
		int			from = l - 1 - *rank;
		double		scale = 1.0 / sqrt(svd->values[from]);

		for (int i = 0; i < l; i++)
			svd->basis[(size_t) i * (size_t) l + (size_t) *rank] =
				svd->gram[(size_t) from * (size_t) l + (size_t) i] * scale;
		(*rank)++;
	}
	return stopped(svd->caller) ? STATUS_STOPPED : STATUS_SUCCESS;
}

/*
 * The same by Cholesky: basis = L'^-1, l x l.  False where the factor is too
 * ill-conditioned; then gram is as it was.
 */
static bool
cholesky_basis(Svd *svd)
{
	int			l = svd->columns;
	double	   *factor = svd->basis;
	double		smallest = INFINITY;
	double		largest = 0.0;

	memcpy(factor, svd->gram, (size_t) l * (size_t) l * sizeof(double));
	if (matrix->potrf(l, factor, l) != 0)
		return false;
	for (int i = 0; i < l; i++)
	{
		smallest = fmin(smallest, factor[(size_t) i * (size_t) l + (size_t) i]);
		largest = fmax(largest, factor[(size_t) i * (size_t) l + (size_t) i]);
	}
	if (!(smallest > CHOLESKY_RATIO * largest))
		return false;

	/* solve L' basis = I in gram's place, which is needed no more */
	memset(svd->gram, 0, (size_t) l * (size_t) l * sizeof(double));
	for (int i = 0; i < l; i++)
		svd->gram[(size_t) i * (size_t) l + (size_t) i] = 1.0;
	matrix->trsm(true, l, l, factor, l, svd->gram, l);
	memcpy(factor, svd->gram, (size_t) l * (size_t) l * sizeof(double));
	return true;
}

/*
 * X = X basis in place, X n x l with rows l apart; on return n x rank with
 * rows rank apart.
 */
static Status
apply_basis(Svd *svd, float *x, int n, int rank)
{
	size_t		l = (size_t) svd->columns;
	float	   *basis = allocate_array(svd->caller, l * (size_t) rank, sizeof(float));
	float	   *block = allocate_array(svd->caller, BLOCK_ROWS * l, sizeof(float));
	Status		status = basis == NULL || block == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;

	for (size_t i = 0; i < l && status == STATUS_SUCCESS; i++)
		for (size_t j = 0; j < (size_t) rank; j++)
			basis[i * (size_t) rank + j] = (float) svd->basis[i * l + j];
	for (int from = 0; from < n && status == STATUS_SUCCESS; from += BLOCK_ROWS)
	{
		int			rows = n - from < BLOCK_ROWS ? n - from : BLOCK_ROWS;

		/* a copy, as the result is written over what comes before the block */
		memcpy(block, x + (size_t) from * l, (size_t) rows * l * sizeof(float));
		matrix->gemm_float(false, false, rows, rank, svd->columns, 1.0f,
						   block, svd->columns, basis, rank,
						   0.0f, x + (size_t) from * (size_t) rank, rank);
		if (stopped(svd->caller))
			status = STATUS_STOPPED;
	}
	release(svd->caller, basis);
	release(svd->caller, block);
	return status;
}

/* Y = orth(Y); the number of columns falls to the rank, 0 where Y is zero. */
static Status
orthonormalise(Svd *svd)
{
	int			rank = svd->columns;

	TRY(gram_matrix(svd, svd->y, svd->a->rows));
	if (!cholesky_basis(svd))
		TRY(eigen_basis(svd, svd->columns, &rank));
	if (rank > 0)
		TRY(apply_basis(svd, svd->y, svd->a->rows, rank));
	svd->columns = rank;
	return STATUS_SUCCESS;
}

/*
 * The transpose of a, row-compressed: so that products with it read dense
 * rows and keep their sums, instead of scattering them over memory.
 */
static Status
transpose(Svd *svd)
{
	const SparseMatrix *a = svd->a;
	size_t		entries = a->start[a->rows];
	size_t		columns = (size_t) a->columns;

	svd->start = allocate_array(svd->caller, columns + 2, sizeof(size_t));
	svd->index = allocate_array(svd->caller, entries, sizeof(uint32_t));
	svd->value = allocate_array(svd->caller, entries, sizeof(float));
	if (svd->start == NULL || svd->index == NULL || svd->value == NULL)
		return STATUS_NO_MEMORY;

	/* counts two places ahead; filling moves each start to where it belongs */
	for (size_t k = 0; k < entries; k++)
		svd->start[a->index[k] + 2]++;
	for (size_t j = 2; j < columns + 2; j++)
		svd->start[j] += svd->start[j - 1];
	for (int i = 0; i < a->rows; i++)
	{
		if (i % 1024 == 0 && stopped(svd->caller))
			return STATUS_STOPPED;
		for (size_t k = a->start[i]; k < a->start[i + 1]; k++)
		{
			size_t		at = svd->start[a->index[k] + 1]++;

			svd->index[at] = (uint32_t) i;
			svd->value[at] = a->value[k];
		}
	}
	svd->transposed = (SparseMatrix) {
		.rows = a->columns, .columns = a->rows,
		.start = svd->start, .index = svd->index, .value = svd->value
	};
	return STATUS_SUCCESS;
}

static Status
svd_allocate(Svd *svd)
{
	size_t		l = (size_t) svd->columns;

	svd->y = allocate_array(svd->caller, (size_t) svd->a->rows * l, sizeof(float));
	svd->z = allocate_array(svd->caller, (size_t) svd->a->columns * l, sizeof(float));
	svd->block = allocate_array(svd->caller, BLOCK_ROWS * l, sizeof(double));
	svd->gram = allocate_array(svd->caller, l * l, sizeof(double));
	svd->basis = allocate_array(svd->caller, l * l, sizeof(double));
	svd->values = allocate_array(svd->caller, l, sizeof(double));
	if (svd->y == NULL || svd->z == NULL || svd->block == NULL || svd->gram == NULL ||
		svd->basis == NULL || svd->values == NULL)
		return STATUS_NO_MEMORY;
	return STATUS_SUCCESS;
}

/* All but the result, which is in z. */
static void
svd_free(Svd *svd)
{
	release(svd->caller, svd->y);
	release(svd->caller, svd->block);
	release(svd->caller, svd->gram);
	release(svd->caller, svd->basis);
	release(svd->caller, svd->values);
	release(svd->caller, svd->start);
	release(svd->caller, svd->index);
	release(svd->caller, svd->value);
}

/* The steps at the top of this file; on success z is V, a->columns x *found. */
static Status
svd_compute(Svd *svd, int dims, uint64_t seed, int *found)
{
	const SparseMatrix *a = svd->a;

	*found = 0;
	TRY(svd_allocate(svd));
	TRY(transpose(svd));
	TRY(sketch(svd, seed));
	TRY(orthonormalise(svd));
	for (int i = 0; i < POWER_ITERATIONS && svd->columns > 0; i++)
	{
		TRY(sparse_times_dense(svd->caller, &svd->transposed, svd->y, svd->columns, svd->z));
		TRY(sparse_times_dense(svd->caller, a, svd->z, svd->columns, svd->y));
		TRY(orthonormalise(svd));
	}
	if (svd->columns == 0)
		return STATUS_SUCCESS;
	TRY(sparse_times_dense(svd->caller, &svd->transposed, svd->y, svd->columns, svd->z));
	TRY(gram_matrix(svd, svd->z, a->columns));
	*found = svd->columns;
	if (svd->columns <= MOST_EIGEN_COLUMNS || !cholesky_basis(svd))
		TRY(eigen_basis(svd, dims, found));
	return *found == 0 ? STATUS_SUCCESS : apply_basis(svd, svd->z, a->columns, *found);
}

Status
truncated_svd(const Caller *caller, const SparseMatrix *a, int dims, uint64_t seed,
			  float **vectors, int *found)
{
	Svd			svd = {.caller = caller, .a = a};
	Status		status;

	*vectors = NULL;
	svd.columns = block_columns((size_t) a->rows, (size_t) a->columns, dims);
	status = svd_compute(&svd, dims, seed, found);
	svd_free(&svd);
	if (status == STATUS_SUCCESS && *found == 0)
	{
		*found = 1;
		memset(svd.z, 0, (size_t) a->columns * sizeof(float));
	}
	if (status == STATUS_SUCCESS)
		*vectors = svd.z;
	else
		release(caller, svd.z);
	return status;
}
