/*-------------------------------------------------------------------------
 *
 * byte_pair.h
 *	  The tokenizer of GPT-2 and RoBERTa: byte pair encoding of bytes.
 *
 * A text is cut into words, by the pattern
 *
 *	  's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * and each byte of a word is a piece to begin with.  Then, again and again,
 * of all neighbours that some merge is for, those of the merge that was
 * learned first, and of these the leftmost, become one piece (Sennrich et al.,
 * "Neural machine translation of rare words with subword units", ACL 2016;
 * Radford et al., "Language models are unsupervised multitask learners",
 * 2019).  Nothing is cleaned or folded.
 *
 * In the files, vocab.json and merges.txt or tokenizer.json, each byte is a
 * character that can be printed: itself where it can, else one from U+0100 on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_BYTE_PAIR_H
#define HUMANLOOP_BYTE_PAIR_H

#include "vocabulary.h"

#define BYTE_PAIR_MAX_MERGES (1 << 21)

/* A longer word is cut: neither time nor memory shall grow without bound. */
#define BYTE_PAIR_MAX_WORD 65536

/* Bytes without a piece, if there are any, are then left out. */
#define BYTE_PAIR_NO_UNKNOWN UINT32_MAX

typedef struct BytePairOptions
{
	bool		add_prefix_space;	/* to a text that does not begin with one */
	uint32_t	unknown;		/* number of what stands for a byte that is no
								 * piece, or BYTE_PAIR_NO_UNKNOWN */
} BytePairOptions;

/* Two pieces that become one; in the file's characters. */
typedef struct PieceMerge
{
	const char *left;
	size_t		left_length;
	const char *right;
	size_t		right_length;
} PieceMerge;

typedef struct BytePair BytePair;

/*
 * Makes a tokenizer of n pieces and the merges, in the order in which they
 * were learned; nothing of them is needed afterwards.  STATUS_BAD_ARGUMENT
 * with *fault set and, where it is about an entry or a merge, *at its index;
 * STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status byte_pair_make(const Caller *caller, const BytePairOptions *options,
							 const PieceEntry *entries, size_t n,
							 const PieceMerge *merges, size_t nmerges,
							 BytePair **byte_pair, TokenizerFault *fault, size_t *at);
extern void byte_pair_free(const Caller *caller, BytePair *byte_pair);

/* One more than the highest number that comes out. */
extern uint32_t byte_pair_ids(const BytePair *byte_pair);

/*
 * The numbers of the first pieces of a UTF-8 text, at most room of them, to
 * ids; how many to *count.  Reads no further than the words that they are of.
 * Invalid bytes are bytes like others, and no letters, numbers or blanks.
 * Names of special tokens in the text ("</s>") are text like any other.
 * STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status byte_pair_encode(const BytePair *byte_pair, const Caller *caller,
							   const char *utf8, size_t length,
							   uint32_t *ids, int room, int *count);

/* Stored form, of any length; reading: STATUS_CORRUPT, STATUS_NO_MEMORY, STATUS_STOPPED. */
extern void byte_pair_write(const BytePair *byte_pair, Writer *writer);
extern Status byte_pair_read(const Caller *caller, Reader *reader, BytePair **byte_pair);

#endif							/* HUMANLOOP_BYTE_PAIR_H */
