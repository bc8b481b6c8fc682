/*-------------------------------------------------------------------------
 *
 * gram_counts.h
 *	  In how many rows does each n-gram occur?
 *
 * A hash table that never exceeds a given number of slots: when it is full,
 * n-grams that have been rare so far are forgotten (lossy counting, Manku and
 * Motwani, "Approximate frequency counts over data streams", VLDB 2002).
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_GRAM_COUNTS_H
#define HUMANLOOP_GRAM_COUNTS_H

#include "../math/base.h"

typedef struct GramCount
{
	uint64_t	hash;			/* 0: free slot */
	uint32_t	rows;			/* in which it was seen since it came in */
	uint32_t	stamp;			/* last row and missed rows, see gram_counts.c */
} GramCount;

typedef struct GramCounts
{
	const Caller *caller;
	GramCount  *slots;
	int			bits;			/* 2^bits slots */
	int			most_bits;		/* the table never grows beyond */
	size_t		used;
	uint32_t	missed;			/* rows an n-gram may have occurred in before
								 * it came into the table now */
} GramCounts;

/* Slots of a table that takes at most `bytes` also while it grows. */
extern int	gram_counts_bits(size_t bytes);

/* The most bytes that a table of 2^bits slots takes, also while it grows. */
extern size_t gram_counts_bytes(int bits);

extern Status gram_counts_init(GramCounts *counts, const Caller *caller, int most_bits);
extern void gram_counts_free(GramCounts *counts);

/* Counts n-grams of one row; a second occurrence in the same row is free. */
extern Status gram_counts_add(GramCounts *counts, uint64_t row,
							  const uint64_t *hashes, int n);

#endif							/* HUMANLOOP_GRAM_COUNTS_H */
