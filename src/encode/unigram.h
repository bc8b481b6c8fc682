/*-------------------------------------------------------------------------
 *
 * unigram.h
 *	  The tokenizer of XLM-RoBERTa: SentencePiece's unigram language model.
 *
 * A text is normalized by the model's own rules (charsmap.h) and split at
 * white space; each word gets a sign before it, U+2581, that stands for the
 * space.  Of all ways to cut a word into pieces the one is taken whose
 * pieces' scores, the logarithms of their probabilities, have the largest sum
 * (Kudo, "Subword regularization", ACL 2018; Viterbi's algorithm).
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_UNIGRAM_H
#define HUMANLOOP_UNIGRAM_H

#include "vocabulary.h"

/* A longer word is cut: neither time nor memory shall grow without bound. */
#define UNIGRAM_MAX_WORD 65536

typedef struct UnigramOptions
{
	uint32_t	unknown;		/* number of what stands for characters that no
								 * piece has, one for several in a row */
	const unsigned char *charsmap;	/* precompiled; NULL: nothing is normalized */
	size_t		charsmap_length;
} UnigramOptions;

typedef struct Unigram Unigram;

/*
 * Makes a tokenizer of n pieces and their scores; all is copied.  What no text
 * shall give, "<s>" or "<unk>", must not be among them.  STATUS_BAD_ARGUMENT
 * with *fault set and, where it is about an entry, *at its index;
 * STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status unigram_make(const Caller *caller, const UnigramOptions *options,
						   const PieceEntry *entries, const double *scores, size_t n,
						   Unigram **unigram, TokenizerFault *fault, size_t *at);
extern void unigram_free(const Caller *caller, Unigram *unigram);

/* One more than the highest number that comes out. */
extern uint32_t unigram_ids(const Unigram *unigram);

/*
 * The numbers of the first pieces of a UTF-8 text, at most room of them, to
 * ids; how many to *count.  Reads no further than the words that they are of.
 * Invalid bytes separate words.  STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status unigram_encode(const Unigram *unigram, const Caller *caller,
							 const char *utf8, size_t length,
							 uint32_t *ids, int room, int *count);

/* Stored form, of any length; reading: STATUS_CORRUPT, STATUS_NO_MEMORY, STATUS_STOPPED. */
extern void unigram_write(const Unigram *unigram, Writer *writer);
extern Status unigram_read(const Caller *caller, Reader *reader, Unigram **unigram);

#endif							/* HUMANLOOP_UNIGRAM_H */
