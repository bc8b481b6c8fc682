/*-------------------------------------------------------------------------
 *
 * wake.h
 *	  Starts or wakes the database's background worker, at commit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_WAKE_H
#define HUMANLOOP_WAKE_H

#include "postmaster/bgworker.h"

/* What the server is told to run; see worker/ */
#define WORKER_LIBRARY "$libdir/humanloop"
#define WORKER_TYPE "humanloop worker"
#define WORKER_FUNCTION "hl_worker_main"
#define ENCODER_TYPE "humanloop encoder"
#define ENCODER_FUNCTION "hl_encoder_main"
#define LAUNCHER_TYPE "humanloop launcher"
#define LAUNCHER_FUNCTION "hl_launcher_main"

/* In _PG_init, where the library is preloaded: asks for shared memory. */
extern void wake_request_memory(void);

/* When this transaction has committed, the worker shall look for work. */
extern void wake_at_commit(void);

/*
 * The same where something is due that nobody has woken the worker for (after
 * a restart, a promotion, COMMIT PREPARED).  Looks at most once a second.
 * SPI connected.
 */
extern void wake_if_due(void);

/* Describes the worker of a database to the server. */
extern void wake_describe_worker(Oid database, BackgroundWorker *worker);

/*
 * For the worker: says where to wake it; forgets what it was woken for, just
 * before it looks for work; and says that it leaves.  False from the last:
 * somebody has asked for it meanwhile, and it must stay.  The first returns the
 * project that the last one had to end for (reading_blamed), or 0.
 */
extern int32 wake_worker_begin(void);

/*
 * Owners of sources for which workers had to end.  They are not read in the
 * middle of somebody's training, which would end as well.  Handed on from one
 * worker to the next, until one has had nothing to do.
 */
extern void wake_distrust(Oid owner);
extern bool wake_distrusts(Oid owner);

extern void wake_worker_looks(void);
extern bool wake_worker_leaves(void);

/* Has anybody rung since the worker last looked? */
extern bool wake_worker_wanted(void);

/* For the launcher: where to wake it when no worker could be started. */
extern void wake_launcher_begin(void);

/* A database whose worker could not be started; InvalidOid: none. */
extern Oid	wake_unserved_database(void);

#endif							/* HUMANLOOP_WAKE_H */
