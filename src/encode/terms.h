/*-------------------------------------------------------------------------
 *
 * terms.h
 *	  From text to the hashes of its n-grams.
 *
 * An n-gram is known by a 64-bit hash only; no strings are kept anywhere.
 * Bit 0 of the hash tells what it is: a word or pair of neighbouring words
 * (TERM_WORD) or a piece of a word of 3 to 5 characters (TERM_PIECE).
 *
 * The hash is part of the stored form of an encoder and never changes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TERMS_H
#define HUMANLOOP_TERMS_H

#include "../math/base.h"

#define TERM_WORD 0
#define TERM_PIECE 1

static inline int
term_kind(uint64_t hash)
{
	return (int) (hash & 1);
}

/* Takes count hashes; what it returns other than STATUS_SUCCESS ends the text. */
typedef Status (*TermSink) (void *state, const uint64_t *hashes, int count);

/*
 * Hands the n-grams of a text to sink in batches, each occurrence once, in
 * the order of the text.  Asks the caller's stop function once a batch.
 */
extern Status text_terms(const Caller *caller, const char *utf8, size_t length,
						 TermSink sink, void *state);

#endif							/* HUMANLOOP_TERMS_H */
