/*-------------------------------------------------------------------------
 *
 * model_io.c
 *	  The stored form of a model.
 *
 * Little-endian, versioned, float32 throughout: a model that has been
 * written and read again is the same to the last bit.  The bytes come from a
 * table that people can write to, so every size is checked against the bytes
 * that are left before anything is allocated for it, and every number before
 * it is used.
 *
 *-------------------------------------------------------------------------
 */
#include "model_internal.h"

#include <math.h>

#define MODEL_MAGIC 0x4d4c4d48	/* "HMLM" */
/* 2: after the scale come number, dims and shares of the parts */
#define MODEL_VERSION 2
#define MODEL_VERSION_WHOLE 1

/* Larger is damage, and would overflow products of sizes. */
#define MAX_CLASSES (1 << 20)
#define MAX_DIMS (1 << 20)
#define MAX_ROWS (1 << 30)

/*
 * Writes a model; STATUS_NO_MEMORY where the writer cannot grow.  A revision
 * is none: delta.h stores what it changes.
 */
Status
model_write(const Model *model, Writer *writer)
{
	if (model->revision != NULL)
		return STATUS_BAD_ARGUMENT;
	write_u32(writer, MODEL_MAGIC);
	write_u32(writer, model->parts > 0 ? MODEL_VERSION : MODEL_VERSION_WHOLE);
	write_u32(writer, model->classes);
	write_u32(writer, model->dims);
	write_u32(writer, model->refine != NULL);
	write_double(writer, model->prior_precision);
	write_double(writer, model->scale);
	if (model->parts > 0)
		write_u32(writer, model->parts);
	for (int p = 0; p < model->parts; p++)
		write_u32(writer, model->part_dims[p]);
	write_floats(writer, model->share, model->parts);
	write_floats(writer, model->weights, (size_t) model->features * model->classes);
	for (int k = 0; k < model->classes; k++)
		write_u32(writer, model->count[k]);
	posterior_write(model->posterior, writer);
	if (model->refine != NULL)
		refine_write(model->refine, writer);
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* count floats of moderate size into an array that is there already. */
static Status
read_into(const Caller *caller, Reader *reader, size_t count, float *to)
{
	float	   *values = read_floats(reader, caller, count);
	Status		status = STATUS_SUCCESS;

	if (values == NULL)
		return reader->failed ? STATUS_CORRUPT : STATUS_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
	{
		if (!(fabsf(values[i]) <= 1e15f))
			status = STATUS_CORRUPT;
		to[i] = values[i];
	}
	release(caller, values);
	return status;
}

/* Of the dense features: they make up all of them, and their shares the whole. */
static Status
read_shares(const Caller *caller, Reader *reader, Model *model)
{
	uint32_t	parts = read_u32(reader);
	int64_t		dims = 0;
	double		sum = 0.0;

	if (parts < 2 || parts > MODEL_MAX_PARTS)
		return STATUS_CORRUPT;
	model->parts = (int) parts;
	for (int p = 0; p < model->parts; p++)
	{
		uint32_t	count = read_u32(reader);

		if (count < 1 || count > (uint32_t) model->dims)
			return STATUS_CORRUPT;
		model->part_dims[p] = (int) count;
		dims += count;
	}
	TRY(read_into(caller, reader, parts, model->share));
	for (int p = 0; p < model->parts; p++)
	{
		if (!(model->share[p] >= 0.0f))
			return STATUS_CORRUPT;
		sum += model->share[p];
	}
	return dims == model->dims && fabs(sum - 1.0) < 1e-3 ? STATUS_SUCCESS : STATUS_CORRUPT;
}

/* The parts of a model whose sizes are known. */
static Status
read_parts(const Caller *caller, Reader *reader, uint32_t version, bool refined, Model *model)
{
	if (version == MODEL_VERSION)
		TRY(read_shares(caller, reader, model));
	TRY(read_into(caller, reader, (size_t) model->features * model->classes, model->weights));
	for (int k = 0; k < model->classes; k++)
	{
		uint32_t	count = read_u32(reader);

		/* read_u32 gives 0 beyond the end */
		if (count < 1 || count > MAX_ROWS)
			return STATUS_CORRUPT;
		model->count[k] = (int) count;
	}
	model_count_shares(model);
	TRY(posterior_read(caller, reader, model->features, model->classes, &model->posterior));
	if (refined)
		TRY(refine_read(caller, reader, model->classes, &model->refine));
	return STATUS_SUCCESS;
}

/* Reads a model; STATUS_CORRUPT for anything that model_write has not written. */
Status
model_read(const Caller *caller, Reader *reader, Model **result)
{
	uint32_t	magic = read_u32(reader);
	uint32_t	version = read_u32(reader);
	uint32_t	classes = read_u32(reader);
	uint32_t	dims = read_u32(reader);
	uint32_t	refined = read_u32(reader);
	double		prior_precision = read_double(reader);
	double		scale = read_double(reader);
	uint32_t	columns;
	Model	   *model;
	Status		status;

	*result = NULL;
	if (reader->failed || magic != MODEL_MAGIC ||
		(version != MODEL_VERSION && version != MODEL_VERSION_WHOLE) ||
		classes < 2 || classes > MAX_CLASSES || dims < 1 || dims > MAX_DIMS ||
		refined > 1 || !(prior_precision > 0.0 && prior_precision < 1e30) ||
		!(scale > 0.0 && scale < 1e6))
		return STATUS_CORRUPT;
	columns = refined ? refine_columns(classes) : 0;
	if ((size_t) (dims + columns + 1) * classes > reader_left(reader) / sizeof(float))
		return STATUS_CORRUPT;
	model = model_allocate(caller, classes, dims, columns);
	if (model == NULL)
		return STATUS_NO_MEMORY;
	model->prior_precision = prior_precision;
	model->scale = scale;
	status = read_parts(caller, reader, version, refined != 0, model);
	if (status != STATUS_SUCCESS)
	{
		model_free(caller, model);
		return status;
	}
	*result = model;
	return STATUS_SUCCESS;
}
