/*-------------------------------------------------------------------------
 *
 * turn.h
 *	  A project's turn: all that is due for it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TURN_H
#define HUMANLOOP_TURN_H

/* A transaction of the worker, with SPI and a snapshot. */
extern void transaction_begin(void);
extern void transaction_commit(void);

/*
 * Takes up rows, learns labels, and trains where that is due.  Outside a
 * transaction.  Errors are recorded and put the project off.  False: nothing
 * was done, somebody else is at it.
 */
extern bool turn_take(int32 project_id);

/*
 * The same for all projects but without trainings: what a training does
 * between two steps, so that nobody waits for it.  Outside a transaction.
 */
extern void turn_take_quickly(void);

/*
 * Deletes what an earlier worker had prepared and did not come to use.  Outside
 * a transaction; waits for nobody.
 */
extern void preparations_clear(void);

/*
 * Erases what was made from rows that are gone, when it is time to; quiet: there
 * was nothing else to do.  As above.
 */
extern void litter_collect(bool quiet);

/* After an error that no turn has dealt with, and for another extension. */
extern void turns_reset(void);

#endif							/* HUMANLOOP_TURN_H */
