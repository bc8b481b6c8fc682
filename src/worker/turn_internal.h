/*-------------------------------------------------------------------------
 *
 * turn_internal.h
 *	  What the parts of a turn share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TURN_INTERNAL_H
#define HUMANLOOP_TURN_INTERNAL_H

#include "store/learner.h"
#include "store/pool.h"
#include "store/refresh.h"
#include "store/work.h"

#define LOCK_NAP_MS 100			/* until what was locked is tried again */

typedef struct Turn
{
	int32		project_id;
	MemoryContext context;		/* of the turn; after each transaction too */
	bool		quick;			/* no training now */
	bool		done_something;
	Project    *project;
	Changes		changes;
	ProjectState state;
	Work		work;
	bool		tracked;		/* triggers note what happens to the source */
	NewRows		added;			/* encoded in this turn, by */
	int64		added_encoder;
	bool		rescore;		/* the pool has changed by more than that */
	LabelCounts counts;
	const char *reason;			/* to train; NULL: no training is due */
	const char *doing;			/* kind of run, for errors */
} Turn;

/*
 * Long computations that we are in the middle of: while there are any, the
 * quick parts of turns are taken between their steps.
 */
extern int	computing;

/* What pg_stat_activity shows. */
extern void report(const Turn *turn, const char *what);

/* Tells who listens.  Names and numbers only: anybody may listen. */
extern void notify(const Project *project, const char *event, int32 model, int32 revision);

/*
 * Scores the pool block by block, some in a transaction; between two of them
 * labels are learned.
 */
extern void scan_pool(PoolScan *scan);

/* training.c: a full training. */
extern void train(Turn *turn);

#endif							/* HUMANLOOP_TURN_INTERNAL_H */
