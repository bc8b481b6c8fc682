/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  What the parts of the background worker share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_WORKER_H
#define HUMANLOOP_WORKER_H

/*
 * Reloads settings; ends the process where it is no longer wanted here: it is
 * switched off, or somebody wants to drop or copy the database.
 */
extern void worker_heartbeat(void);

/* Sleeps at most so many milliseconds, or until somebody wakes the worker. */
extern void worker_nap(long timeout);

#endif							/* HUMANLOOP_WORKER_H */
