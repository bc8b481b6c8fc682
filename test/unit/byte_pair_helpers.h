/*-------------------------------------------------------------------------
 *
 * byte_pair_helpers.h
 *	  The byte pairs of make_tokenizer_values.py.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_BYTE_PAIR_HELPERS_H
#define HUMANLOOP_BYTE_PAIR_HELPERS_H

#include <string.h>

#include "../../src/encode/byte_pair.h"
#include "tokenizer_values.h"

static inline void
stored_entries(PieceEntry entries[BYTE_PAIR_PIECES])
{
	for (size_t i = 0; i < BYTE_PAIR_PIECES; i++)
		entries[i] = (PieceEntry)
	{
		byte_pair_pieces[i], strlen(byte_pair_pieces[i]), (uint32_t) i
	};
}

static inline void
stored_merges(PieceMerge merges[BYTE_PAIR_MERGES])
{
	for (size_t i = 0; i < BYTE_PAIR_MERGES; i++)
		merges[i] = (PieceMerge)
	{
		byte_pair_merges[i][0], strlen(byte_pair_merges[i][0]),
			byte_pair_merges[i][1], strlen(byte_pair_merges[i][1])
	};
}

/* A tokenizer of all of them. */
static inline Status
stored_byte_pair(const Caller *caller, bool add_prefix_space, BytePair **byte_pair)
{
	const BytePairOptions options = {add_prefix_space, BYTE_PAIR_NO_UNKNOWN};
	PieceEntry	entries[BYTE_PAIR_PIECES];
	PieceMerge	merges[BYTE_PAIR_MERGES];
	TokenizerFault fault;
	size_t		at;

	stored_entries(entries);
	stored_merges(merges);
	return byte_pair_make(caller, &options, entries, BYTE_PAIR_PIECES, merges, BYTE_PAIR_MERGES,
						  byte_pair, &fault, &at);
}

#endif							/* HUMANLOOP_BYTE_PAIR_HELPERS_H */
