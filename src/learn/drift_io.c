/*-------------------------------------------------------------------------
 *
 * drift_io.c
 *	  Stored forms of what is known of rows that were there and that arrive.
 *
 *-------------------------------------------------------------------------
 */
#include "drift.h"

#include <math.h>
#include <string.h>

#define REFERENCE_MAGIC 0x31464452	/* RDF1 */
#define WINDOW_MAGIC 0x31574452 /* RDW1 */
#define CLASSES_MOST (1 << 20)

static void
write_counts(Writer *writer, const uint32_t *count, int n)
{
	for (int i = 0; i < n; i++)
		write_u32(writer, count[i]);
}

/* False: they are not the rows of n. */
static bool
read_counts(Reader *reader, uint32_t *count, int cells, int n)
{
	uint64_t	sum = 0;

	for (int i = 0; i < cells; i++)
	{
		count[i] = read_u32(reader);
		sum += count[i];
	}
	return sum == (uint64_t) n;
}

void
drift_reference_write(const DriftReference *reference, Writer *writer)
{
	write_u32(writer, REFERENCE_MAGIC);
	write_u32(writer, reference->classes);
	write_u32(writer, reference->dims);
	write_u32(writer, reference->sparse_dims);
	write_u32(writer, reference->n);
	write_u32(writer, reference->compared);
	for (int i = 0; i < 3; i++)
		write_double(writer, reference->trace[i]);
	write_double(writer, reference->largest);
	write_counts(writer, reference->count, reference->classes + 1);
	write_floats(writer, reference->confidence, reference->n);
	write_floats(writer, reference->mean, reference->dims);
	write_bytes(writer, reference->frequent, (reference->sparse_dims + 7) / 8);
}

static bool
floats_within(const float *values, int n, float least, float most)
{
	for (int i = 0; i < n; i++)
	{
		/* also false for NaN */
		if (!(values[i] >= least && values[i] <= most))
			return false;
	}
	return true;
}

/*
 * Of a covariance matrix of that many dimensions: by Cauchy and Schwarz none is too
 * small beside those before it.
 */
static bool
are_traces(const double trace[3], double dims)
{
	const double nearly = 1.0 - 1e-6;

	if (trace[0] == 0.0)
		return trace[1] == 0.0 && trace[2] == 0.0;
	return trace[1] >= nearly * trace[0] * trace[0] / dims &&
		trace[2] >= nearly * trace[1] * trace[1] / trace[0];
}

Status
drift_reference_read(const Caller *caller, Reader *reader, DriftReference *reference)
{
	uint32_t	magic = read_u32(reader);
	uint32_t	classes = read_u32(reader);
	uint32_t	dims = read_u32(reader);
	uint32_t	sparse_dims = read_u32(reader);
	uint32_t	n = read_u32(reader);
	uint32_t	compared = read_u32(reader);

	memset(reference, 0, sizeof(*reference));
	for (int i = 0; i < 3; i++)
		reference->trace[i] = read_double(reader);
	reference->largest = read_double(reader);
	if (reader->failed || magic != REFERENCE_MAGIC || classes < 1 || classes > CLASSES_MOST ||
		dims < 1 || dims > CLASSES_MOST || n < 2 || n > CLASSES_MOST ||
		compared < 2 || compared > n || sparse_dims > CLASSES_MOST ||
		reader_left(reader) != ((size_t) classes + 1 + n + dims) * 4 + (sparse_dims + 7) / 8)
		return STATUS_CORRUPT;
	for (int i = 0; i < 3; i++)
	{
		if (!(reference->trace[i] >= 0.0 && reference->trace[i] < 1e30))
			return STATUS_CORRUPT;
	}
	if (!are_traces(reference->trace, dims))
		return STATUS_CORRUPT;
	if (!(reference->largest >= 0.0 && reference->largest < 1e30))
		return STATUS_CORRUPT;
	reference->classes = (int) classes;
	reference->dims = (int) dims;
	reference->sparse_dims = (int) sparse_dims;
	reference->n = (int) n;
	reference->compared = (int) compared;
	reference->count = allocate_array(caller, classes + 1, sizeof(uint32_t));
	reference->frequent = allocate_array(caller, (sparse_dims + 7) / 8, 1);
	if (reference->count == NULL || reference->frequent == NULL)
		return STATUS_NO_MEMORY;
	if (!read_counts(reader, reference->count, classes + 1, n))
		return STATUS_CORRUPT;
	reference->confidence = read_floats(reader, caller, n);
	reference->mean = read_floats(reader, caller, dims);
	if (reference->confidence == NULL || reference->mean == NULL)
		return reader->failed ? STATUS_CORRUPT : STATUS_NO_MEMORY;
	read_bytes(reader, reference->frequent, (sparse_dims + 7) / 8);
	for (uint32_t i = 1; i < n; i++)
	{
		if (!(reference->confidence[i - 1] <= reference->confidence[i]))
			return STATUS_CORRUPT;
	}
	return floats_within(reference->confidence, n, 0.0f, 1.01f) &&
		floats_within(reference->mean, dims, -1.01f, 1.01f) ? STATUS_SUCCESS : STATUS_CORRUPT;
}

static void
strip_write(const DriftReference *reference, const DriftStrip *strip, Writer *writer)
{
	write_u32(writer, strip->n);
	write_counts(writer, strip->count, reference->classes + 1);
	write_floats(writer, strip->confidence, strip->n);
	for (int k = 0; k < reference->dims; k++)
		write_double(writer, strip->sum[k]);
}

void
drift_window_write(const DriftReference *reference, const DriftWindow *window, Writer *writer)
{
	write_u32(writer, WINDOW_MAGIC);
	write_u32(writer, window->number);
	for (int i = 0; i < DRIFT_STRIPS; i++)
		strip_write(reference, &window->strip[i], writer);
}

/* Of at most so many rows; it is there and empty. */
static Status
strip_read(const Caller *caller, Reader *reader, const DriftReference *reference, uint32_t most,
		   DriftStrip *strip)
{
	uint32_t	n = read_u32(reader);
	float	   *read;

	if (reader->failed || n > most ||
		!read_counts(reader, strip->count, reference->classes + 1, (int) n))
		return STATUS_CORRUPT;
	read = read_floats(reader, caller, n);
	if (read == NULL)
		return reader->failed ? STATUS_CORRUPT : STATUS_NO_MEMORY;
	memcpy(strip->confidence, read, n * sizeof(float));
	release(caller, read);
	for (int k = 0; k < reference->dims; k++)
	{
		strip->sum[k] = read_double(reader);
		if (!(fabs(strip->sum[k]) <= 1.01 * DRIFT_STRIP))
			return STATUS_CORRUPT;
	}
	strip->n = (int) n;
	return reader->failed || !floats_within(strip->confidence, strip->n, 0.0f, 1.01f) ?
		STATUS_CORRUPT : STATUS_SUCCESS;
}

Status
drift_window_read(const Caller *caller, Reader *reader, const DriftReference *reference,
				  DriftWindow *window)
{
	uint32_t	magic = read_u32(reader);
	uint32_t	number = read_u32(reader);

	TRY(drift_window(caller, reference, window));
	if (reader->failed || magic != WINDOW_MAGIC || number < 1 || number > INT32_MAX - 1)
		return STATUS_CORRUPT;
	window->number = (int) number;
	for (int i = 0; i < DRIFT_STRIPS; i++)
	{
		/* the one that is being filled is not full */
		TRY(strip_read(caller, reader, reference, i == 0 ? DRIFT_STRIP - 1 : DRIFT_STRIP,
					   &window->strip[i]));
	}
	return reader_left(reader) > 0 ? STATUS_CORRUPT : STATUS_SUCCESS;
}
