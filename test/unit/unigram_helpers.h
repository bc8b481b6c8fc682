/*-------------------------------------------------------------------------
 *
 * unigram_helpers.h
 *	  The unigrams of make_tokenizer_values.py.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_UNIGRAM_HELPERS_H
#define HUMANLOOP_UNIGRAM_HELPERS_H

#include <string.h>

#include "../../src/encode/unigram.h"
#include "tokenizer_values.h"

/* A tokenizer of all of them, with the rules of normalization or without. */
static inline Status
stored_unigram(const Caller *caller, bool rules, Unigram **unigram)
{
	const UnigramOptions options = {
		UNIGRAM_UNKNOWN, rules ? unigram_rules : NULL, rules ? UNIGRAM_RULES : 0
	};
	PieceEntry	entries[UNIGRAM_PIECES];
	TokenizerFault fault;
	size_t		at;

	for (size_t i = 0; i < UNIGRAM_PIECES; i++)
		entries[i] = (PieceEntry)
	{
		unigram_pieces[i], strlen(unigram_pieces[i]), (uint32_t) (UNIGRAM_FIRST + i)
	};
	return unigram_make(caller, &options, entries, unigram_scores, UNIGRAM_PIECES,
						unigram, &fault, &at);
}

#endif							/* HUMANLOOP_UNIGRAM_HELPERS_H */
