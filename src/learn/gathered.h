/*-------------------------------------------------------------------------
 *
 * gathered.h
 *	  Rows copied out of others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_GATHERED_H
#define HUMANLOOP_GATHERED_H

#include "model.h"

typedef struct Gathered
{
	Rows		rows;
	SparseRows	sparse;
	float	   *dense;
	size_t	   *start;
	uint32_t   *index;
	float	   *weight;
} Gathered;

/* Rows index[0 .. n) of others; to be freed whether it succeeds or not. */
extern Status gather_rows(const Caller *caller, const Rows *from, const int *index, int n,
						  Gathered *g);
extern void gathered_free(const Caller *caller, Gathered *g);

/* Bytes of n rows with so many n-grams in all. */
extern size_t gathered_memory(int n, int dims, size_t terms);

#endif							/* HUMANLOOP_GATHERED_H */
