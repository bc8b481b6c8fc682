/*-------------------------------------------------------------------------
 *
 * safetensors.h
 *	  The container of Hugging Face's tensors: is it what it says it is?
 *
 * A file is eight bytes with the length of a header (little-endian), the
 * header, a JSON object that gives each tensor's type, shape and place, and
 * then the data.  (https://github.com/huggingface/safetensors, "Format".)
 * The JSON is parsed by whoever has a parser; here are the checks around it,
 * after which every tensor can be read without another look at the limits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SAFETENSORS_H
#define HUMANLOOP_SAFETENSORS_H

#include "../math/base.h"
#include "tensor.h"

/* The format's own limit, and ours: tensors of a file, dimensions of a tensor */
#define SAFETENSORS_MAX_HEADER ((uint64_t) 100000000)
#define SAFETENSORS_MAX_TENSORS 100000
#define SAFETENSORS_MAX_RANK 8

/* Where the parts of a file are, in bytes from its beginning. */
typedef struct SafetensorsSpan
{
	uint64_t	header;			/* the JSON, always 8 */
	uint64_t	header_length;
	uint64_t	data;			/* any address: nothing is aligned */
	uint64_t	data_length;
} SafetensorsSpan;

/* An entry of the header, as the JSON has it. */
typedef struct SafetensorsEntry
{
	const char *type;			/* "F32", "BF16", "I64" ... */
	size_t		type_length;
	int			rank;
	const uint64_t *shape;		/* rank; a tensor of rank 0 has one element */
	uint64_t	begin;			/* from the beginning of the data */
	uint64_t	end;
} SafetensorsEntry;

/* What is wrong with a file */
typedef enum SafetensorsFault
{
	SAFETENSORS_FINE = 0,
	SAFETENSORS_SHORT,			/* not even the length of a header */
	SAFETENSORS_HEADER_LONG,	/* header beyond the limit */
	SAFETENSORS_HEADER_CUT,		/* header beyond the end of the file */
	SAFETENSORS_HEADER_EMPTY,	/* or not beginning as an object does */
	SAFETENSORS_TOO_MANY,		/* tensors */
	SAFETENSORS_TYPE,			/* entry of a type that does not exist */
	SAFETENSORS_SHAPE,			/* entry of too many dimensions or elements */
	SAFETENSORS_OUTSIDE,		/* entry not inside the data, or backwards */
	SAFETENSORS_SIZE,			/* entry whose size is not that of its shape */
	SAFETENSORS_OVERLAP			/* entry that shares bytes with another */
} SafetensorsFault;

/*
 * The parts of a file of file_length bytes, of which the first are given (at
 * least nine, or all of them).  STATUS_CORRUPT with *fault set.
 */
extern Status safetensors_span(const unsigned char *bytes, size_t length, uint64_t file_length,
							   SafetensorsSpan *span, SafetensorsFault *fault);

/*
 * Checks n entries against data_length bytes of data: each has a type that
 * exists, lies inside, is as long as its shape says, and shares no byte with
 * another.  Gaps are allowed.  STATUS_CORRUPT with *fault set and *at the
 * entry; STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status safetensors_check(const Caller *caller, const SafetensorsEntry *entries, size_t n,
								uint64_t data_length, SafetensorsFault *fault, size_t *at);

/* The type of that name and its size in bytes; 0: there is no such type. */
extern int	safetensors_type(const char *name, size_t length, TensorType *type);

#endif							/* HUMANLOOP_SAFETENSORS_H */
