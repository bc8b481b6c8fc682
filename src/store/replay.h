/*-------------------------------------------------------------------------
 *
 * replay.h
 *	  A relation that is labelled already, read to be learned again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_REPLAY_H
#define HUMANLOOP_REPLAY_H

#include "store/project.h"

/* What to read, and how to encode it. */
typedef struct ReplaySource
{
	Oid			relation;
	Project    *project;		/* that there is none of: inputs, encoder, options */
	const char *label;			/* columns */
	const char *split;			/* NULL: none */
	int			rows;			/* at most */
	uint64		seed;
} ReplaySource;

/* The rows that have any input and a label, or a sample of them. */
typedef struct Replay
{
	const Rows *rows;
	size_t		bytes;			/* that they take */
	size_t		terms;			/* of their sparse stage */
	int		   *label;			/* index of a class */
	bool	   *test;			/* as the split column says; else all false */
	int			classes;
} Replay;

/*
 * Reads and encodes them, with the rights of the current user, and tells him
 * what was left out.  SPI connected; memory in the current context.
 */
extern Replay *replay_read(const ReplaySource *source);

#endif							/* HUMANLOOP_REPLAY_H */
