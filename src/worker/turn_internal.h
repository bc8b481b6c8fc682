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
#define PATIENCE_MS 10000		/* for how long */

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
	bool		distrusted;		/* its owner's sources have ended workers */
	NewRows		added;			/* encoded in this turn, by */
	int64		added_encoder;
	bool		rescore;		/* the pool has changed by more than that */
	bool		deployed;		/* a model, with a ranking of its own */
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

/* We are within a quick turn: no other begins. */
extern bool taking_quickly;

/* scoring.c: a pool is being scored, and not in a training. */
extern bool scoring;

/*
 * Scores the pool block by block, some in a transaction; between two of them
 * labels are learned.
 */
extern void scan_pool(PoolScan *scan);

/* Ranks the pool with the model that serves; whether it is to be done and may. */
extern void rescore(Turn *turn);
extern bool may_rescore(const Turn *turn);

/*
 * Without a model: a seed batch, where there is none or, without what has left
 * the source, not a whole one.
 */
extern void choose_seeds(Turn *turn);

/* The blocks may hold what is still listed as inserted. */
extern void features_forget(int32 project_id);

/* Very many changes that are dealt with are forgotten in several transactions. */
extern void forget_rest(const Turn *turn, ChangePlaces *places);

/* The project that is being trained; 0: none. */
extern int32 training_project;
/* They have what they had: hl_serving.features was the one, and is the other. */
extern void features_moved(int32 project_id, int64 from, int64 to);

/* litter.c: there are rows in the blocks that are gone. */
extern void litter_left(void);

/* False also where there is none to wait for: then gone is set. */
extern bool try_lock(const Turn *turn, bool *gone);

/* A step of a run (0: of none): in its row, and in pg_stat_activity. */
extern void start_step(const Turn *turn, int64 run, const char *step);

/* A reason to train, where another encoder than before is found to be better. */
#define ENCODERS_COMPARED "encoders compared"

/*
 * ruling.c: what rules say of the rows that are taken up, in a transaction; of all, for
 * rules that are new, or where the source was compared as a whole; and of all, where nothing
 * says which have changed.
 */
extern void take_rules(const Turn *turn);
extern void evaluate_rules(Turn *turn);
extern void follow_rules(const Turn *turn);

/* watching.c: a new model has a reference of its own; who listens is told of alarms. */
extern void watch_drift(Turn *turn);

/* training.c: a full training. */
extern void train(Turn *turn);

/*
 * preparing.c: compares the whole source with what is stored and encodes what
 * is new, in many short transactions; fits the encoder first where there is none,
 * or, with may_refit, where it is outgrown.  These places of changes are done
 * then.  False: it was in vain, somebody has been at the same, or the project is
 * gone.
 */
extern bool prepare(Turn *turn, int64 run, bool may_refit, ChangePlaces *places);

/* The project whose rows are being prepared: others leave them alone; 0: none. */
extern int32 preparing;

#endif							/* HUMANLOOP_TURN_INTERNAL_H */
