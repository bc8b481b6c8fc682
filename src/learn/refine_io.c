/*-------------------------------------------------------------------------
 *
 * refine_io.c
 *	  Refined features in memory and in their stored form.
 *
 *-------------------------------------------------------------------------
 */
#include "refine.h"

#include <math.h>
#include <string.h>

/* Version of the stored form. */
#define REFINE_VERSION 1

/* No encoder has more n-grams; bounds what damage can make a reader allocate. */
#define MAX_SPARSE_DIMS (1 << 24)

/* Columns padded to full vectors. */
int
refine_stride(int columns)
{
	return columns <= 8 ? 8 : (columns + 15) / 16 * 16;
}

/* An empty one; see refine.h. */
Refine *
refine_allocate(const Caller *caller, int sparse_dims, int columns)
{
	Refine	   *refine = allocate_array(caller, 1, sizeof(Refine));

	if (refine == NULL)
		return NULL;
	refine->columns = columns;
	refine->stride = refine_stride(columns);
	refine->sparse_dims = sparse_dims;
	refine->slot = allocate_array(caller, sparse_dims, sizeof(uint32_t));
	refine->offset = allocate_array(caller, refine->stride, sizeof(float));
	if (refine->slot == NULL || refine->offset == NULL)
	{
		refine_free(caller, refine);
		return NULL;
	}
	return refine;
}

/* Writes the columns only, not the padding. */
void
refine_write(const Refine *refine, Writer *writer)
{
	write_u32(writer, REFINE_VERSION);
	write_u32(writer, refine->columns);
	write_u32(writer, refine->sparse_dims);
	write_u32(writer, refine->terms);
	write_floats(writer, refine->offset, refine->columns);
	write_floats(writer, refine->scale, refine->terms);
	for (int t = 0; t < refine->terms; t++)
		write_u32(writer, refine->index[t]);
	for (int t = 0; t < refine->terms; t++)
		write_bytes(writer, refine->weight + (size_t) t * refine->stride, refine->columns);
}

/* All of them finite? */
static bool
all_finite(const float *values, int count)
{
	for (int i = 0; i < count; i++)
		if (!isfinite(values[i]))
			return false;
	return true;
}

/* The arrays of a stored refine whose sizes have been checked. */
static Status
read_arrays(const Caller *caller, Reader *reader, Refine *refine)
{
	float	   *offset = read_floats(reader, caller, refine->columns);
	bool		corrupt;

	if (offset == NULL)
		return reader->failed ? STATUS_CORRUPT : STATUS_NO_MEMORY;
	memcpy(refine->offset, offset, sizeof(float) * refine->columns);
	release(caller, offset);
	refine->scale = read_floats(reader, caller, refine->terms);
	refine->index = allocate_array(caller, refine->terms, sizeof(uint32_t));
	refine->weight = allocate_array(caller, (size_t) refine->terms * refine->stride, 1);
	if (refine->scale == NULL || refine->index == NULL || refine->weight == NULL)
		return reader->failed ? STATUS_CORRUPT : STATUS_NO_MEMORY;
	corrupt = !all_finite(refine->offset, refine->columns) ||
		!all_finite(refine->scale, refine->terms);
	for (int t = 0; t < refine->terms && !corrupt; t++)
	{
		uint32_t	index = read_u32(reader);

		corrupt = index >= (uint32_t) refine->sparse_dims ||
			(t > 0 && index <= refine->index[t - 1]);
		refine->index[t] = index;
		if (!corrupt)
			refine->slot[index] = t + 1;
	}
	for (int t = 0; t < refine->terms; t++)
		read_bytes(reader, refine->weight + (size_t) t * refine->stride, refine->columns);
	return corrupt || reader->failed ? STATUS_CORRUPT : STATUS_SUCCESS;
}

/*
 * Reads a stored refine for a model of these many classes.  The number of
 * n-grams is checked against what is left before anything is allocated for
 * them; sparse_dims, which nothing in the input vouches for, is bounded.
 */
Status
refine_read(const Caller *caller, Reader *reader, int classes, Refine **refine)
{
	uint32_t	version = read_u32(reader);
	uint32_t	columns = read_u32(reader);
	uint32_t	sparse_dims = read_u32(reader);
	uint32_t	terms = read_u32(reader);
	Status		status;

	*refine = NULL;
	if (reader->failed || version != REFINE_VERSION ||
		columns != (uint32_t) refine_columns(classes) ||
		sparse_dims < 1 || sparse_dims > MAX_SPARSE_DIMS || terms > sparse_dims ||
		terms > reader_left(reader) / (columns + 8))
		return STATUS_CORRUPT;
	*refine = refine_allocate(caller, sparse_dims, columns);
	if (*refine == NULL)
		return STATUS_NO_MEMORY;
	(*refine)->terms = terms;
	status = read_arrays(caller, reader, *refine);
	if (status != STATUS_SUCCESS)
	{
		refine_free(caller, *refine);
		*refine = NULL;
	}
	return status;
}

/* Gives it back; NULL is allowed. */
void
refine_free(const Caller *caller, Refine *refine)
{
	if (refine == NULL)
		return;
	release(caller, refine->index);
	release(caller, refine->slot);
	release(caller, refine->weight);
	release(caller, refine->scale);
	release(caller, refine->offset);
	release(caller, refine);
}
