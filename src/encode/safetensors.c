/*-------------------------------------------------------------------------
 *
 * safetensors.c
 *	  The container of Hugging Face's tensors: is it what it says it is?
 *
 * Every number here comes from a file that anybody may have made, so that no
 * sum or product is taken before it is known not to overflow.
 *
 *-------------------------------------------------------------------------
 */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_A_QUESTION 4096

/* An entry's place, for sorting */
typedef struct Place
{
	uint64_t	begin;
	uint64_t	end;
	size_t		entry;
} Place;

Status
safetensors_span(const unsigned char *bytes, size_t length, uint64_t file_length,
				 SafetensorsSpan *span, SafetensorsFault *fault)
{
	uint64_t	header = 0;

	*span = (SafetensorsSpan) {0};
	*fault = SAFETENSORS_FINE;
	if (length < 8 || file_length < 8)
	{
		*fault = SAFETENSORS_SHORT;
		return STATUS_CORRUPT;
	}
	for (int i = 7; i >= 0; i--)
		header = header << 8 | bytes[i];
	if (header > SAFETENSORS_MAX_HEADER)
		*fault = SAFETENSORS_HEADER_LONG;
	else if (header > file_length - 8)
		*fault = SAFETENSORS_HEADER_CUT;
	else if (header < 2 || length < 9 || bytes[8] != '{')
		*fault = SAFETENSORS_HEADER_EMPTY;
	if (*fault != SAFETENSORS_FINE)
		return STATUS_CORRUPT;
	span->header = 8;
	span->header_length = header;
	span->data = 8 + header;
	span->data_length = file_length - span->data;
	return STATUS_SUCCESS;
}

int
safetensors_type(const char *name, size_t length, TensorType *type)
{
	static const struct
	{
		const char *name;
		int			size;
		TensorType	type;
	}			types[] = {
		{"F32", 4, TENSOR_F32}, {"F16", 2, TENSOR_F16}, {"BF16", 2, TENSOR_BF16},
		{"F64", 8, TENSOR_OTHER}, {"I64", 8, TENSOR_OTHER}, {"U64", 8, TENSOR_OTHER},
		{"I32", 4, TENSOR_OTHER}, {"U32", 4, TENSOR_OTHER},
		{"I16", 2, TENSOR_OTHER}, {"U16", 2, TENSOR_OTHER},
		{"I8", 1, TENSOR_OTHER}, {"U8", 1, TENSOR_OTHER}, {"BOOL", 1, TENSOR_OTHER},
		{"F8_E4M3", 1, TENSOR_OTHER}, {"F8_E5M2", 1, TENSOR_OTHER}
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i].name) == length && memcmp(types[i].name, name, length) == 0)
		{
			*type = types[i].type;
			return types[i].size;
		}
	return 0;
}

/* Elements of a shape times their size; false where no file is that large. */
static bool
shape_bytes(const SafetensorsEntry *entry, int size, uint64_t *bytes)
{
	bool		empty = false;

	*bytes = (uint64_t) size;
	if (entry->rank < 0 || entry->rank > SAFETENSORS_MAX_RANK)
		return false;
	for (int i = 0; i < entry->rank; i++)
	{
		empty = empty || entry->shape[i] == 0;
		/* a zero makes the product small, but not the other factors sound */
		if (entry->shape[i] != 0 && *bytes > (UINT64_MAX >> 1) / entry->shape[i])
			return false;
		if (entry->shape[i] != 0)
			*bytes *= entry->shape[i];
	}
	if (empty)
		*bytes = 0;
	return true;
}

/* What is wrong with an entry by itself. */
static SafetensorsFault
check_entry(const SafetensorsEntry *entry, uint64_t data_length)
{
	TensorType	type;
	int			size = safetensors_type(entry->type, entry->type_length, &type);
	uint64_t	bytes;

	if (size == 0)
		return SAFETENSORS_TYPE;
	if (!shape_bytes(entry, size, &bytes))
		return SAFETENSORS_SHAPE;
	if (entry->begin > entry->end || entry->end > data_length)
		return SAFETENSORS_OUTSIDE;
	return entry->end - entry->begin == bytes ? SAFETENSORS_FINE : SAFETENSORS_SIZE;
}

/* By place; of equal ones the later entry is the one to blame. */
static int
compare_places(const void *a, const void *b)
{
	const Place *x = a;
	const Place *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

Status
safetensors_check(const Caller *caller, const SafetensorsEntry *entries, size_t n,
				  uint64_t data_length, SafetensorsFault *fault, size_t *at)
{
	Place	   *places;
	size_t		used = 0;

	*at = 0;
	*fault = SAFETENSORS_FINE;
	if (n > SAFETENSORS_MAX_TENSORS)
	{
		*fault = SAFETENSORS_TOO_MANY;
		return STATUS_CORRUPT;
	}
	places = allocate_array(caller, n, sizeof(Place));
	if (places == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < n && *fault == SAFETENSORS_FINE; i++)
	{
		if (i % ENTRIES_A_QUESTION == 0 && stopped(caller))
		{
			release(caller, places);
			return STATUS_STOPPED;
		}
		*at = i;
		*fault = check_entry(&entries[i], data_length);
		if (entries[i].end > entries[i].begin)
			places[used++] = (Place) {entries[i].begin, entries[i].end, i};
	}
	if (*fault == SAFETENSORS_FINE && used > 1)
		qsort(places, used, sizeof(Place), compare_places);
	for (size_t i = 1; i < used && *fault == SAFETENSORS_FINE; i++)
		if (places[i].begin < places[i - 1].end)
		{
			*fault = SAFETENSORS_OVERLAP;
			*at = places[i].entry;
		}
	release(caller, places);
	return *fault == SAFETENSORS_FINE ? STATUS_SUCCESS : STATUS_CORRUPT;
}
