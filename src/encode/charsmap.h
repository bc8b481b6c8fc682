/*-------------------------------------------------------------------------
 *
 * charsmap.h
 *	  SentencePiece's normalization, as models carry it.
 *
 * A model says itself which characters, or sequences of them, become which:
 * NFKC with changes of its makers.  The rules are precompiled: four bytes
 * with the size of a trie (little-endian), the trie, a double array as Darts
 * has it, and the replacements, each with a zero behind it.  What the trie
 * finds is where a replacement begins.
 * (https://github.com/google/sentencepiece, normalizer.cc; Aoe, "An efficient
 * digital search algorithm by using a double-array structure", 1989.)
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_CHARSMAP_H
#define HUMANLOOP_CHARSMAP_H

#include "../math/base.h"
#include "../math/buffer.h"

/*
 * Bytes of all rules, of what one is for, and of what that becomes.  Those
 * that nearly all models have, nmt_nfkc, are 237,561 bytes; the longest is for
 * 10, and the longest replacement has 33.
 */
#define CHARSMAP_MAX_BYTES (1 << 24)
#define CHARSMAP_MAX_KEY 64
#define CHARSMAP_MAX_REPLACEMENT 1024

/* All zero: there are no rules. */
typedef struct Charsmap
{
	size_t		units;
	uint32_t   *unit;			/* units: the trie */
	size_t		length;
	unsigned char *replacements;	/* length; a zero is the last of them */
} Charsmap;

/*
 * Rules from their precompiled bytes, which are copied; without bytes none.
 * STATUS_CORRUPT where these are no rules, STATUS_NO_MEMORY; charsmap_free is
 * for after a failure, too.
 */
extern Status charsmap_make(const Caller *caller, const unsigned char *bytes, size_t length,
							Charsmap *charsmap);
extern void charsmap_free(const Caller *caller, Charsmap *charsmap);

/*
 * The rule for the longest beginning of a text: how many bytes it is for, and
 * what they become.  False: there is none.
 */
extern bool charsmap_find(const Charsmap *charsmap, const unsigned char *text, size_t length,
						  size_t *consumed, const unsigned char **replacement,
						  size_t *replacement_length);

/* Stored form: how many bytes, and those of which it was made. */
extern void charsmap_write(const Charsmap *charsmap, Writer *writer);
extern Status charsmap_read(const Caller *caller, Reader *reader, Charsmap *charsmap);

#endif							/* HUMANLOOP_CHARSMAP_H */
