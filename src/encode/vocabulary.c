/*-------------------------------------------------------------------------
 *
 * vocabulary.c
 *	  Pieces of words and their numbers: what all tokenizers look up.
 *
 *-------------------------------------------------------------------------
 */
#include "vocabulary.h"

#include <string.h>

/* Longer runs of full slots do not come by chance: the table is half empty. */
#define MAX_PROBES 4096

/* Pieces between two questions whether to stop */
#define PIECES_A_QUESTION 4096

static inline size_t
first_slot(const Vocabulary *vocabulary, uint64_t hash)
{
	return (size_t) ((hash ^ hash >> 32) * UINT64_C(0x9E3779B97F4A7C15) >>
					 (64 - vocabulary->slot_bits));
}

/* Is piece i the prefix and these bytes? */
static inline bool
same_piece(const Vocabulary *vocabulary, size_t i, const char *prefix, size_t prefix_length,
		   const unsigned char *bytes, size_t length)
{
	const unsigned char *piece = vocabulary->bytes + vocabulary->start[i];

	return vocabulary->start[i + 1] - vocabulary->start[i] == prefix_length + length &&
		memcmp(piece, prefix, prefix_length) == 0 &&
		memcmp(piece + prefix_length, bytes, length) == 0;
}

/*
 * The slot of a piece of that hash, or the empty one where it would be;
 * SIZE_MAX after too many others.
 */
static size_t
find_slot(const Vocabulary *vocabulary, uint64_t hash, const char *prefix,
		  size_t prefix_length, const unsigned char *bytes, size_t length)
{
	size_t		mask = ((size_t) 1 << vocabulary->slot_bits) - 1;
	size_t		slot = first_slot(vocabulary, hash);

	for (int probes = 0; probes < MAX_PROBES; probes++)
	{
		uint64_t	held = vocabulary->slots[slot];

		if (held == 0 ||
			(held >> 32 == hash >> 32 &&
			 same_piece(vocabulary, (uint32_t) held - 1, prefix, prefix_length, bytes, length)))
			return slot;
		slot = (slot + 1) & mask;
	}
	return SIZE_MAX;
}

size_t
vocabulary_find(const Vocabulary *vocabulary, uint64_t hash, const char *prefix,
				size_t prefix_length, const unsigned char *bytes, size_t length)
{
	size_t		slot = find_slot(vocabulary, hash, prefix, prefix_length, bytes, length);

	if (slot == SIZE_MAX || vocabulary->slots[slot] == 0)
		return SIZE_MAX;
	return (uint32_t) vocabulary->slots[slot] - 1;
}

/* The table of pieces, which must be different. */
static Status
index_pieces(const Caller *caller, Vocabulary *vocabulary, TokenizerFault *fault, size_t *at)
{
	vocabulary->slot_bits = 1;
	while (((size_t) 1 << vocabulary->slot_bits) < vocabulary->n * 2)
		vocabulary->slot_bits++;
	vocabulary->slots = allocate_array(caller, (size_t) 1 << vocabulary->slot_bits,
									   sizeof(uint64_t));
	if (vocabulary->slots == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < vocabulary->n; i++)
	{
		const unsigned char *bytes = vocabulary->bytes + vocabulary->start[i];
		size_t		length = vocabulary->start[i + 1] - vocabulary->start[i];
		uint64_t	hash = piece_hash(PIECE_HASH_START, bytes, length);
		size_t		slot = find_slot(vocabulary, hash, "", 0, bytes, length);

		if (i % PIECES_A_QUESTION == 0 && stopped(caller))
			return STATUS_STOPPED;
		*at = i;
		*fault = slot == SIZE_MAX ? FAULT_CROWDED : FAULT_TWICE;
		if (slot == SIZE_MAX || vocabulary->slots[slot] != 0)
			return STATUS_BAD_ARGUMENT;
		vocabulary->slots[slot] = (hash >> 32) << 32 | (uint32_t) (i + 1);
		if (length > vocabulary->longest)
			vocabulary->longest = length;
	}
	*fault = FAULT_NONE;
	return STATUS_SUCCESS;
}

/* Numbers must be in range and different. */
static Status
check_ids(const Caller *caller, Vocabulary *vocabulary, TokenizerFault *fault, size_t *at)
{
	uint8_t    *seen = allocate_array(caller, VOCABULARY_MAX_PIECES / 8, 1);

	if (seen == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < vocabulary->n && *fault == FAULT_NONE; i++)
	{
		uint32_t	id = vocabulary->id[i];

		*at = i;
		if (id >= VOCABULARY_MAX_PIECES)
			*fault = FAULT_ID;
		else if (seen[id / 8] >> id % 8 & 1)
			*fault = FAULT_ID_TWICE;
		else
		{
			seen[id / 8] |= (uint8_t) (1 << id % 8);
			if (id >= vocabulary->ids)
				vocabulary->ids = id + 1;
		}
	}
	release(caller, seen);
	return *fault == FAULT_NONE ? STATUS_SUCCESS : STATUS_BAD_ARGUMENT;
}

/* Room for n pieces of that size together. */
static Status
allocate_pieces(const Caller *caller, size_t n, size_t bytes, Vocabulary *vocabulary)
{
	vocabulary->n = n;
	vocabulary->id = allocate_array(caller, n, sizeof(uint32_t));
	vocabulary->start = allocate_array(caller, n + 1, sizeof(size_t));
	vocabulary->bytes = allocate_array(caller, bytes, 1);
	return vocabulary->id == NULL || vocabulary->start == NULL || vocabulary->bytes == NULL ?
		STATUS_NO_MEMORY : STATUS_SUCCESS;
}

Status
vocabulary_make(const Caller *caller, const PieceEntry *entries, size_t n,
				Vocabulary *vocabulary, TokenizerFault *fault, size_t *at)
{
	size_t		bytes = 0;

	*at = 0;
	*fault = n == 0 || n > VOCABULARY_MAX_PIECES ? FAULT_TOO_MANY : FAULT_NONE;
	for (size_t i = 0; i < n && *fault == FAULT_NONE; i++)
	{
		*at = i;
		if (entries[i].length == 0)
			*fault = FAULT_EMPTY;
		else if (entries[i].length > VOCABULARY_MAX_BYTES)
			*fault = FAULT_LONG;
		bytes += entries[i].length;
	}
	if (*fault != FAULT_NONE)
		return STATUS_BAD_ARGUMENT;
	TRY(allocate_pieces(caller, n, bytes, vocabulary));
	for (size_t i = 0; i < n; i++)
	{
		memcpy(vocabulary->bytes + vocabulary->start[i], entries[i].bytes, entries[i].length);
		vocabulary->start[i + 1] = vocabulary->start[i] + entries[i].length;
		vocabulary->id[i] = entries[i].id;
	}
	TRY(check_ids(caller, vocabulary, fault, at));
	return index_pieces(caller, vocabulary, fault, at);
}

void
vocabulary_free(const Caller *caller, Vocabulary *vocabulary)
{
	release(caller, vocabulary->id);
	release(caller, vocabulary->start);
	release(caller, vocabulary->bytes);
	release(caller, vocabulary->slots);
	*vocabulary = (Vocabulary) {0};
}

void
vocabulary_write(const Vocabulary *vocabulary, Writer *writer)
{
	size_t		bytes = vocabulary->start[vocabulary->n];

	write_u32(writer, (uint32_t) vocabulary->n);
	write_u64(writer, bytes);
	for (size_t i = 0; i < vocabulary->n; i++)
		write_u32(writer, vocabulary->id[i]);
	for (size_t i = 0; i < vocabulary->n; i++)
		write_u32(writer, (uint32_t) (vocabulary->start[i + 1] - vocabulary->start[i]));
	write_bytes(writer, vocabulary->bytes, bytes);
}

/* Numbers, lengths and bytes into a vocabulary that has room for them. */
static Status
read_pieces(Reader *reader, Vocabulary *vocabulary, size_t bytes)
{
	for (size_t i = 0; i < vocabulary->n; i++)
		vocabulary->id[i] = read_u32(reader);
	for (size_t i = 0; i < vocabulary->n; i++)
	{
		uint32_t	length = read_u32(reader);

		if (length == 0 || length > VOCABULARY_MAX_BYTES)
			return STATUS_CORRUPT;
		vocabulary->start[i + 1] = vocabulary->start[i] + length;
	}
	if (vocabulary->start[vocabulary->n] != bytes)
		return STATUS_CORRUPT;
	read_bytes(reader, vocabulary->bytes, bytes);
	return reader->failed ? STATUS_CORRUPT : STATUS_SUCCESS;
}

Status
vocabulary_read(const Caller *caller, Reader *reader, Vocabulary *vocabulary)
{
	TokenizerFault fault = FAULT_NONE;
	uint32_t	n = read_u32(reader);
	uint64_t	bytes = read_u64(reader);
	size_t		at;
	Status		status;

	if (reader->failed || n == 0 || n > VOCABULARY_MAX_PIECES ||
		bytes > reader_left(reader) || (reader_left(reader) - bytes) / 8 < n)
		return STATUS_CORRUPT;
	TRY(allocate_pieces(caller, n, (size_t) bytes, vocabulary));
	TRY(read_pieces(reader, vocabulary, (size_t) bytes));
	status = check_ids(caller, vocabulary, &fault, &at);
	if (status == STATUS_SUCCESS)
		status = index_pieces(caller, vocabulary, &fault, &at);
	return status == STATUS_BAD_ARGUMENT ? STATUS_CORRUPT : status;
}
