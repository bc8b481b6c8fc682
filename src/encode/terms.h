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

/* One more 32-bit value; a bijection of hash for each value. */
static inline uint64_t
hash_step(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9FB21C651E98DF25);
	return hash ^ hash >> 32;
}

/*
 * Spreads what the last steps have left in few bits over all of them, and
 * puts the kind into bit 0.
 */
static inline uint64_t
hash_finish(uint64_t hash, uint64_t kind)
{
	hash = (hash ^ hash >> 29) * UINT64_C(0xD6E8FEB86659FD93);
	hash ^= hash >> 32;
	return (hash & ~UINT64_C(1)) | kind;
}

/* Takes count hashes; what it returns other than STATUS_SUCCESS ends the text. */
typedef Status (*TermSink) (void *state, const uint64_t *hashes, int count);

/*
 * Hands the n-grams of a text to sink in batches, each occurrence once, in
 * the order of the text.  Asks the caller's stop function once a batch.
 */
extern Status text_terms(const Caller *caller, const char *utf8, size_t length,
						 TermSink sink, void *state);

/* What an n-gram is made of. */
typedef enum SpanKind
{
	SPAN_WORD,
	SPAN_PAIR,					/* of neighbouring words */
	SPAN_PIECE					/* characters, a space at either end left out */
} SpanKind;

/* An occurrence of an n-gram: characters first .. end of the folded text. */
typedef struct TermSpan
{
	uint64_t	hash;
	SpanKind	kind;
	int			first;
	int			end;
} TermSpan;

typedef struct TermSpans
{
	int			n;
	int			capacity;
	TermSpan   *span;			/* the words come before pairs and pieces */
	int			words;			/* how many are words, one behind the other */
	int			length;
	uint32_t   *character;		/* length: the folded text, spaces as ' ' */
} TermSpans;

/*
 * The n-grams that text_terms hands out, with their places.  Takes some 100 bytes
 * of memory a character; text_spans_free gives it back.
 */
extern Status text_spans(const Caller *caller, const char *utf8, size_t length,
						 TermSpans *spans);
extern void text_spans_free(const Caller *caller, TermSpans *spans);

#endif							/* HUMANLOOP_TERMS_H */
