/*-------------------------------------------------------------------------
 *
 * delta.c
 *	  Revisions of a model, stored as small differences.
 *
 * A new row moves the weights along one direction of the features, by one
 * number a class: the difference of two revisions is a matrix of low rank,
 * and so is that of their curvatures.  Each is stored as its leading singular
 * pairs, found by randomized subspace iteration (Halko, Martinsson and Tropp,
 * "Finding structure with randomness", SIAM Review 2011) a few at a time,
 * until what is left is too small to matter.  A pair takes 16 bits a number,
 * or 8 or 4 where it is small itself.  What rounding has done to a pair is left
 * in the matrix for those that follow.  Where pairs would take more than the
 * whole matrix in 16 bits, that is stored.
 *
 *-------------------------------------------------------------------------
 */
#include "delta.h"

#include <math.h>
#include <string.h>

#include "../math/matrix.h"
#include "../math/random.h"
#include "revision.h"

#define DELTA_MAGIC 0x444c4d48	/* "HMLD" */
#define DELTA_VERSION 1
#define DENSE_FORM UINT32_MAX

/*
 * No logit of a row of unit length and its constant moves by more than so
 * much, but where the whole matrix is stored and its numbers are large; and
 * curvatures are right to this part of the prior's precision.  A third of
 * the tolerance costs twice the bytes.
 */
#define LOGIT_TOLERANCE 3e-3
#define CURVATURE_TOLERANCE 1e-2

/* Pairs found at a time, and turns of the iteration that finds them. */
#define PAIRS 8
#define TURNS 2
/* Pairs of fewer tolerances than this are good enough in 8 and in 4 bits. */
#define COARSE 30.0
#define COARSER 4.0

#define MAX_ROWS (1 << 30)
#define MAX_SCALE 1e15f

/* A difference on its way into bytes. */
typedef struct Change
{
	const Caller *caller;
	int			rows;
	int			columns;
	float		tolerance;		/* of the length of a column of what is left */
	float	   *left;			/* rows x columns: what is not written yet */
	float	   *dense;			/* the same, before anything was */
	double	   *square;			/* columns: lengths of those of left, squared */
	float	   *sketch;			/* rows x PAIRS */
	float	   *image;			/* columns x PAIRS */
	int16_t    *whole;			/* max(rows, columns): rounded */
	unsigned char *packed;		/* the same in 8 or 4 bits */
} Change;

static Status
change_allocate(Change *c)
{
	size_t		size = (size_t) c->rows * c->columns;
	size_t		longest = c->rows > c->columns ? c->rows : c->columns;
	bool		ok = true;

	ok = (c->left = allocate_array(c->caller, size, sizeof(float))) != NULL && ok;
	ok = (c->dense = allocate_array(c->caller, size, sizeof(float))) != NULL && ok;
	ok = (c->square = allocate_array(c->caller, c->columns, sizeof(double))) != NULL && ok;
	ok = (c->sketch = allocate_array(c->caller, (size_t) c->rows * PAIRS,
									 sizeof(float))) != NULL && ok;
	ok = (c->image = allocate_array(c->caller, (size_t) c->columns * PAIRS,
									sizeof(float))) != NULL && ok;
	ok = (c->whole = allocate_array(c->caller, longest, sizeof(int16_t))) != NULL && ok;
	ok = (c->packed = allocate_array(c->caller, longest, 1)) != NULL && ok;
	return ok ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void
change_free(Change *c)
{
	release(c->caller, c->left);
	release(c->caller, c->dense);
	release(c->caller, c->square);
	release(c->caller, c->sketch);
	release(c->caller, c->image);
	release(c->caller, c->whole);
	release(c->caller, c->packed);
}

/* Is no column of what is left longer than the tolerance? */
static Status
small_enough(const Change *c, bool *small)
{
	double		most = (double) c->tolerance * c->tolerance;

	memset(c->square, 0, sizeof(double) * c->columns);
	for (int i = 0; i < c->rows; i++)
	{
		const float *row = c->left + (size_t) i * c->columns;

		for (int k = 0; k < c->columns; k++)
			c->square[k] += (double) row[k] * row[k];
	}
	*small = true;
	for (int k = 0; k < c->columns; k++)
	{
		if (!isfinite(c->square[k]))
			return STATUS_NOT_FINITE;
		if (c->square[k] > most)
			*small = false;
	}
	return STATUS_SUCCESS;
}

/*
 * Makes the PAIRS columns of a matrix orthonormal, twice over (once leaves
 * what rounding does).  A column that depends on those before becomes zero.
 */
static void
orthonormalise(float *a, int n)
{
	for (int j = 0; j < PAIRS; j++)
	{
		double		before = 0.0;
		double		norm = 0.0;

		for (int i = 0; i < n; i++)
			before += (double) a[(size_t) i * PAIRS + j] * a[(size_t) i * PAIRS + j];
		for (int twice = 0; twice < 2; twice++)
			for (int b = 0; b < j; b++)
			{
				double		sum = 0.0;

				for (int i = 0; i < n; i++)
					sum += (double) a[(size_t) i * PAIRS + j] * a[(size_t) i * PAIRS + b];
				for (int i = 0; i < n; i++)
					a[(size_t) i * PAIRS + j] -= (float) sum * a[(size_t) i * PAIRS + b];
			}
		for (int i = 0; i < n; i++)
			norm += (double) a[(size_t) i * PAIRS + j] * a[(size_t) i * PAIRS + j];
		norm = norm > 1e-10 * before && norm > 0.0 ? 1.0 / sqrt(norm) : 0.0;
		for (int i = 0; i < n; i++)
			a[(size_t) i * PAIRS + j] *= (float) norm;
	}
}

/*
 * The leading pairs of what is left: unit vectors in the columns of sketch,
 * and what they meet in those of image, the longest last.
 */
static Status
find_pairs(Change *c, Random *random)
{
	int			n = c->rows;
	int			m = c->columns;
	double		gram[PAIRS * PAIRS] = {0};
	double		values[PAIRS];
	float		turn[PAIRS * PAIRS];
	int			result;

	for (int i = 0; i < m * PAIRS; i++)
		c->image[i] = (float) random_normal(random);
	for (int t = 0; t < TURNS; t++)
	{
		matrix->gemm_float(false, false, n, PAIRS, m, 1.0f, c->left, m, c->image, PAIRS,
						   0.0f, c->sketch, PAIRS);
		orthonormalise(c->sketch, n);
		matrix->gemm_float(true, false, m, PAIRS, n, 1.0f, c->left, m, c->sketch, PAIRS,
						   0.0f, c->image, PAIRS);
	}
	/* turned so that the columns of image are at right angles, too */
	for (int i = 0; i < m; i++)
		for (int a = 0; a < PAIRS; a++)
			for (int b = 0; b <= a; b++)
				gram[a * PAIRS + b] += (double) c->image[(size_t) i * PAIRS + a] *
					c->image[(size_t) i * PAIRS + b];
	result = matrix->syevd(PAIRS, gram, PAIRS, values);
	if (result != 0)
		return matrix_failure(result, STATUS_NOT_FINITE);
	for (int i = 0; i < PAIRS * PAIRS; i++)
		turn[i] = (float) gram[i];
	for (int side = 0; side < 2; side++)
	{
		float	   *a = side ? c->image : c->sketch;

		for (int i = 0; i < (side ? m : n); i++)
		{
			float		row[PAIRS];

			memcpy(row, a + (size_t) i * PAIRS, sizeof(row));
			for (int j = 0; j < PAIRS; j++)
			{
				float		sum = 0.0f;

				for (int b = 0; b < PAIRS; b++)
					sum += row[b] * turn[j * PAIRS + b];
				a[(size_t) i * PAIRS + j] = sum;
			}
		}
	}
	return STATUS_SUCCESS;
}

/* n numbers of some bits each, of which two may share a byte. */
static size_t
packed_length(int n, int bits)
{
	return bits == 4 ? ((size_t) n + 1) / 2 : (size_t) n * (bits / 8);
}

/*
 * Column j of a factor, rounded to bits, which the values read back replace.
 * Numbers of 4 bits are kept with 8 added, the first of two in the low half.
 */
static void
write_column(Change *c, float *factor, int n, int j, int bits, Writer *writer)
{
	float		largest = 0.0f;
	float		scale;

	for (int i = 0; i < n; i++)
		largest = fmaxf(largest, fabsf(factor[(size_t) i * PAIRS + j]));
	scale = largest / ((1 << (bits - 1)) - 1);
	write_floats(writer, &scale, 1);
	for (int i = 0; i < n; i++)
	{
		float	   *x = &factor[(size_t) i * PAIRS + j];
		int			rounded = scale > 0.0f ? (int) lrintf(*x / scale) : 0;

		c->whole[i] = (int16_t) rounded;
		if (bits == 4 && i % 2 == 0)
			c->packed[i / 2] = (unsigned char) (rounded + 8);
		else if (bits == 4)
			c->packed[i / 2] |= (unsigned char) ((rounded + 8) << 4);
		else
			c->packed[i] = (unsigned char) rounded;
		*x = scale * (float) rounded;
	}
	if (bits == 16)
		write_i16s(writer, c->whole, n);
	else
		write_bytes(writer, c->packed, packed_length(n, bits));
}

/* Writes pair j and takes it off what is left. */
static void
write_pair(Change *c, int j, int bits, Writer *writer)
{
	unsigned char byte = (unsigned char) bits;

	write_bytes(writer, &byte, 1);
	write_column(c, c->sketch, c->rows, j, bits, writer);
	write_column(c, c->image, c->columns, j, bits, writer);
	for (int i = 0; i < c->rows; i++)
		for (int k = 0; k < c->columns; k++)
			c->left[(size_t) i * c->columns + k] -= c->sketch[(size_t) i * PAIRS + j] *
				c->image[(size_t) k * PAIRS + j];
}

/* As many bits as a pair of this length is worth. */
static int
bits_for(const Change *c, double length)
{
	return length < COARSER * c->tolerance ? 4 : length < COARSE * c->tolerance ? 8 : 16;
}

/*
 * Pairs into a writer of their own until what is left is small.  *pairs:
 * how many; -1 where they would take more than the matrix.
 */
static Status
write_pairs(Change *c, Writer *writer, int *pairs)
{
	size_t		most = sizeof(int16_t) * c->rows * c->columns;
	Random		random;
	bool		small;

	*pairs = 0;
	random_seed(&random, 1);
	TRY(small_enough(c, &small));
	while (!small)
	{
		TRY(find_pairs(c, &random));
		for (int j = PAIRS - 1; j >= 0 && !small; j--)
		{
			double		length = 0.0;

			if (stopped(c->caller))
				return STATUS_STOPPED;
			for (int k = 0; k < c->columns; k++)
				length += (double) c->image[(size_t) k * PAIRS + j] *
					c->image[(size_t) k * PAIRS + j];
			/* what pairs that are nothing leave, no pair will take */
			if (length > 0.0)
				write_pair(c, j, bits_for(c, sqrt(length)), writer);
			*pairs += length > 0.0;
			if ((length == 0.0 && j == PAIRS - 1) || writer->length >= most)
			{
				*pairs = -1;
				return STATUS_SUCCESS;
			}
			TRY(small_enough(c, &small));
		}
	}
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* The whole matrix, with a scale for each column. */
static void
write_dense(const Change *c, Writer *writer)
{
	for (int k = 0; k < c->columns; k++)
	{
		float		largest = 0.0f;
		float		scale;

		for (int i = 0; i < c->rows; i++)
			largest = fmaxf(largest, fabsf(c->dense[(size_t) i * c->columns + k]));
		scale = largest / INT16_MAX;
		write_floats(writer, &scale, 1);
		for (int i = 0; i < c->rows; i++)
			c->whole[i] = (int16_t) (scale > 0.0f ?
									 lrintf(c->dense[(size_t) i * c->columns + k] / scale) : 0);
		write_i16s(writer, c->whole, c->rows);
	}
}

/* The difference of two matrices. */
static Status
write_change(const Caller *caller, const float *from, const float *to, int rows, int columns,
			 double tolerance, Writer *writer)
{
	Change		c = {.caller = caller, .rows = rows, .columns = columns};
	size_t		size = (size_t) rows * columns;
	Writer		pairs;
	int			count = 0;
	Status		status = change_allocate(&c);

	c.tolerance = (float) tolerance;
	writer_init(&pairs, caller);
	if (status == STATUS_SUCCESS)
	{
		for (size_t i = 0; i < size; i++)
			c.dense[i] = to[i] - (from != NULL ? from[i] : 0.0f);
		memcpy(c.left, c.dense, sizeof(float) * size);
		status = write_pairs(&c, &pairs, &count);
	}
	if (status == STATUS_SUCCESS)
	{
		write_u32(writer, count < 0 ? DENSE_FORM : (uint32_t) count);
		if (count < 0)
			write_dense(&c, writer);
		else
			write_bytes(writer, pairs.bytes, pairs.length);
	}
	release(caller, pairs.bytes);
	change_free(&c);
	return status;
}

/* How the labels of each class have changed: the classes where they have. */
static void
write_counts(const Model *from, const Model *to, Writer *writer)
{
	uint32_t	changed = 0;

	for (int k = 0; k < to->classes; k++)
		changed += from->count[k] != to->count[k];
	write_u32(writer, changed);
	for (int k = 0; k < to->classes; k++)
		if (from->count[k] != to->count[k])
		{
			write_u32(writer, k);
			write_u32(writer, (uint32_t) to->count[k]);
		}
}

/* The longest a column of what is left may be, in weights. */
static double
weight_tolerance(const Model *base)
{
	return LOGIT_TOLERANCE / (sqrt(2.0) * base->scale);
}

/* Writes what leads from one revision to another; see delta.h. */
Status
model_delta_write(const Caller *caller, const Model *base, const Model *from,
				  const Model *to, Writer *writer, Model **stored)
{
	size_t		start = writer->length;
	int			r = base->posterior->rank;
	Reader		reader;

	*stored = NULL;
	if (!revision_of(base, from) || !revision_of(base, to) || to == base)
		return STATUS_BAD_ARGUMENT;
	write_u32(writer, DELTA_MAGIC);
	write_u32(writer, DELTA_VERSION);
	write_u32(writer, base->features);
	write_u32(writer, base->classes);
	write_u32(writer, r);
	write_counts(from, to, writer);
	TRY(write_change(caller, from->weights, to->weights, base->features, base->classes,
					 weight_tolerance(base), writer));
	TRY(write_change(caller, from->revision != NULL ? from->revision->curvature : NULL,
					 to->revision->curvature, r + 1, base->classes,
					 CURVATURE_TOLERANCE * base->posterior->prior_precision, writer));
	if (writer->failed)
		return STATUS_NO_MEMORY;
	reader_init(&reader, writer->bytes + start, writer->length - start);
	return model_delta_read(caller, base, from, &reader, stored);
}

/* One column of n numbers in bits, into factor. */
static Status
read_column(const Caller *caller, Reader *reader, int bits, int n, float *factor)
{
	float	   *scale = read_floats(reader, caller, 1);
	unsigned char byte = 0;
	float		unit;

	if (scale == NULL)
		return reader->failed ? STATUS_CORRUPT : STATUS_NO_MEMORY;
	unit = *scale;
	release(caller, scale);
	if (!(unit >= 0.0f && unit <= MAX_SCALE))
		return STATUS_CORRUPT;
	if (bits != 16)
		for (int i = 0; i < n; i++)
		{
			if (bits == 8 || i % 2 == 0)
				read_bytes(reader, &byte, 1);
			factor[i] = unit * (float) (bits == 8 ? (int8_t) byte : (byte >> (i % 2 * 4) & 15) - 8);
		}
	else
	{
		int16_t    *values = read_i16s(reader, caller, n);

		if (values == NULL)
			return reader->failed ? STATUS_CORRUPT : STATUS_NO_MEMORY;
		for (int i = 0; i < n; i++)
			factor[i] = unit * (float) values[i];
		release(caller, values);
	}
	return reader->failed ? STATUS_CORRUPT : STATUS_SUCCESS;
}

/* Adds what write_change has written to a matrix; factor: rows + columns. */
static Status
read_change(const Caller *caller, Reader *reader, int rows, int columns, float *factor,
			float *to)
{
	uint32_t	form = read_u32(reader);
	float	   *across = factor + rows;

	if (reader->failed)
		return STATUS_CORRUPT;
	if (form == DENSE_FORM)
	{
		for (int k = 0; k < columns; k++)
		{
			TRY(read_column(caller, reader, 16, rows, factor));
			for (int i = 0; i < rows; i++)
				to[(size_t) i * columns + k] += factor[i];
		}
		return STATUS_SUCCESS;
	}
	for (uint32_t pair = 0; pair < form; pair++)
	{
		unsigned char bits;

		if (stopped(caller))
			return STATUS_STOPPED;
		read_bytes(reader, &bits, 1);
		if (reader->failed || (bits != 4 && bits != 8 && bits != 16))
			return STATUS_CORRUPT;
		TRY(read_column(caller, reader, bits, rows, factor));
		TRY(read_column(caller, reader, bits, columns, across));
		for (int i = 0; i < rows; i++)
			for (int k = 0; k < columns; k++)
				to[(size_t) i * columns + k] += factor[i] * across[k];
	}
	return STATUS_SUCCESS;
}

/* Counts of the classes where they have changed, ascending. */
static Status
read_counts(Reader *reader, Model *model)
{
	uint32_t	changed = read_u32(reader);
	int64_t		last = -1;

	if (changed > (uint32_t) model->classes)
		return STATUS_CORRUPT;
	for (uint32_t i = 0; i < changed; i++)
	{
		uint32_t	class = read_u32(reader);
		uint32_t	count = read_u32(reader);

		if (reader->failed || class >= (uint32_t) model->classes || (int64_t) class <= last ||
			count > MAX_ROWS)
			return STATUS_CORRUPT;
		model->count[class] = (int) count;
		last = class;
	}
	return STATUS_SUCCESS;
}

/* The parts of a revision, onto those of `from`, which model has already. */
static Status
read_changes(const Caller *caller, Reader *reader, const Model *base, Model *model)
{
	int			D = base->features;
	int			K = base->classes;
	int			r = base->posterior->rank;
	float	   *factor;
	Status		status;

	if (read_u32(reader) != DELTA_MAGIC || read_u32(reader) != DELTA_VERSION ||
		read_u32(reader) != (uint32_t) D || read_u32(reader) != (uint32_t) K ||
		read_u32(reader) != (uint32_t) r)
		return STATUS_CORRUPT;
	TRY(read_counts(reader, model));
	factor = allocate_array(caller, (size_t) (D > r + 1 ? D : r + 1) + K, sizeof(float));
	if (factor == NULL)
		return STATUS_NO_MEMORY;
	status = read_change(caller, reader, D, K, factor, model->weights);
	if (status == STATUS_SUCCESS)
		status = read_change(caller, reader, r + 1, K, factor, model->revision->curvature);
	release(caller, factor);
	return status;
}

/* Reads what model_delta_write has written; see delta.h. */
Status
model_delta_read(const Caller *caller, const Model *base, const Model *from,
				 Reader *reader, Model **stored)
{
	size_t		K = base->classes;
	Model	   *model;
	Status		status;

	*stored = NULL;
	if (!revision_of(base, from))
		return STATUS_BAD_ARGUMENT;
	TRY(revision_allocate(caller, base, &model));
	memcpy(model->weights, from->weights, sizeof(float) * base->features * K);
	memcpy(model->count, from->count, sizeof(int) * K);
	if (from->revision != NULL)
		memcpy(model->revision->curvature, from->revision->curvature,
			   sizeof(float) * (base->posterior->rank + 1) * K);
	status = read_changes(caller, reader, base, model);
	if (status == STATUS_SUCCESS)
		status = revision_finish(base, model);
	/* numbers that no difference of two models has */
	if (status == STATUS_NOT_FINITE)
		status = STATUS_CORRUPT;
	if (status != STATUS_SUCCESS)
	{
		model_free(caller, model);
		return status;
	}
	*stored = model;
	return STATUS_SUCCESS;
}

/* Bytes that model_delta_write holds at most; see delta.h. */
size_t
model_delta_memory(const Model *base)
{
	size_t		D = base->features;
	size_t		K = base->classes;
	size_t		longest = D > K ? D : K;
	size_t		dense = (sizeof(int16_t) * D + sizeof(float)) * K;

	/* writers double what they hold, and the last pair may exceed the bound */
	return revision_memory((int) D, (int) K) + sizeof(float) * (2 * D * K + (D + K) * PAIRS) +
		longest * 3 + 8 * K + 8 * (dense + sizeof(int16_t) * (D + K)) + 16 * K + 1024;
}
