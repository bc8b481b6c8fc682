/*-------------------------------------------------------------------------
 *
 * neighbours.h
 *	  The labelled rows that are most like a given one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_NEIGHBOURS_H
#define HUMANLOOP_NEIGHBOURS_H

#include "store/cache.h"
#include "store/pool.h"

#define MAX_NEIGHBOURS 100

typedef struct Neighbour
{
	int			index;			/* in the consensus; -1: there is none */
	float		similarity;		/* see neighbours_find */
} Neighbour;

/* What is looked for. */
typedef struct NeighbourSearch
{
	const Project *project;
	const Serving *serving;
	const Consensus *consensus;
	const LabelledItems *labelled;
	int			n;				/* rows that neighbours are wanted of */
	const float *rows;			/* n x dims, as the encoder makes them */
	const int  *wanted;			/* n: class in the consensus; NULL: any */
	const int  *self;			/* n: itself in the consensus, or -1; NULL: none is */
	int			most;			/* neighbours of each */
} NeighbourSearch;

/*
 * For each row its nearest labelled rows of the source, in falling order of
 * similarity: the cosine of the encoder's vectors, of several parts the mean of
 * their cosines by the shares that they have in the model.  found has room for n x
 * most.  Exact: every labelled row is compared, in blocks, so that it takes the
 * time to read all features once, and memory for one block.  SPI connected.
 */
extern void neighbours_find(const NeighbourSearch *search, Neighbour *found);

/*
 * Vectors of labelled items, by their index in the consensus: n x dims into rows;
 * there[i] false: it has no row in the source, or one that says nothing.  False: there
 * are no features of the model's encoder at all, as after a restore.
 */
extern bool neighbours_rows(const Project *project, const Serving *serving,
							const LabelledItems *labelled, const int *index, int n,
							float *rows, bool *there);

#endif							/* HUMANLOOP_NEIGHBOURS_H */
