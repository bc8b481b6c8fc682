/*-------------------------------------------------------------------------
 *
 * vocabulary.h
 *	  Pieces of words and their numbers: what all tokenizers look up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_VOCABULARY_H
#define HUMANLOOP_VOCABULARY_H

#include "../math/base.h"
#include "../math/buffer.h"

/* Pieces a vocabulary may have, with their numbers below it; bytes of a piece */
#define VOCABULARY_MAX_PIECES (1 << 21)
#define VOCABULARY_MAX_BYTES 1024

/* A piece; any bytes, 1 to VOCABULARY_MAX_BYTES of them. */
typedef struct PieceEntry
{
	const char *bytes;
	size_t		length;
	uint32_t	id;				/* below VOCABULARY_MAX_PIECES */
} PieceEntry;

/* What is wrong with that of which a tokenizer is to be made */
typedef enum TokenizerFault
{
	FAULT_NONE = 0,
	FAULT_OPTIONS,				/* out of range */
	FAULT_TOO_MANY,				/* no entries, or more than there may be */
	FAULT_EMPTY,				/* entry without bytes */
	FAULT_LONG,					/* entry with too many */
	FAULT_ID,					/* number out of range */
	FAULT_TWICE,				/* the same bytes as an entry before */
	FAULT_ID_TWICE,				/* the same number as an entry before */
	FAULT_NO_UNKNOWN,			/* no entry has the number of the unknown */
	FAULT_CROWDED,				/* made so that no table can hold it */

	/* of byte pairs */
	FAULT_NO_BYTES,				/* not a single byte is a piece */
	FAULT_MERGES,				/* more than there may be */
	FAULT_MERGE_PART,			/* merge of something that is no piece */
	FAULT_MERGE_WHOLE,			/* merge to something that is no piece */
	FAULT_MERGE_TWICE,			/* the same pieces as a merge before */

	/* of unigrams */
	FAULT_SCORE,				/* entry whose score is no number */
	FAULT_CHARSMAP				/* rules of normalization that are none */
} TokenizerFault;

typedef struct Vocabulary
{
	size_t		n;
	size_t		longest;		/* bytes of the longest piece */
	uint32_t	ids;			/* highest number + 1 */
	uint32_t   *id;				/* n */
	size_t	   *start;			/* n + 1; piece i is bytes start[i] .. */
	unsigned char *bytes;

	/* where pieces are found: piece + 1 low, the high half of its hash high */
	int			slot_bits;
	uint64_t   *slots;			/* 2^slot_bits */
} Vocabulary;

/*
 * Makes a vocabulary, which was all zero, of n entries, which are copied.
 * STATUS_BAD_ARGUMENT with *fault set and *at the entry that it is about;
 * STATUS_NO_MEMORY, STATUS_STOPPED.  vocabulary_free is for after a failure,
 * too.
 */
extern Status vocabulary_make(const Caller *caller, const PieceEntry *entries, size_t n,
							  Vocabulary *vocabulary, TokenizerFault *fault, size_t *at);
extern void vocabulary_free(const Caller *caller, Vocabulary *vocabulary);

/* FNV-1a (Fowler, Noll and Vo): can be continued byte by byte. */
#define PIECE_HASH_START UINT64_C(0xCBF29CE484222325)

static inline uint64_t
piece_hash(uint64_t hash, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
	return hash;
}

/*
 * Which piece is the prefix and these bytes; hash is that of both, from
 * PIECE_HASH_START on.  SIZE_MAX: none.
 */
extern size_t vocabulary_find(const Vocabulary *vocabulary, uint64_t hash,
							  const char *prefix, size_t prefix_length,
							  const unsigned char *bytes, size_t length);

/*
 * Stored form: how many pieces and bytes, the numbers, the lengths, the bytes.
 * Reading, into a vocabulary that was all zero: STATUS_CORRUPT,
 * STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern void vocabulary_write(const Vocabulary *vocabulary, Writer *writer);
extern Status vocabulary_read(const Caller *caller, Reader *reader, Vocabulary *vocabulary);

#endif							/* HUMANLOOP_VOCABULARY_H */
