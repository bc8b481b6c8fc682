/*-------------------------------------------------------------------------
 *
 * prepare.h
 *	  Brings the features of a project up to date in many short transactions.
 *
 * What features_refresh does in one; the steps, and what each of them needs:
 *
 *		read		a transaction; reads the source
 *		fit			none; only where preparation_fits()
 *		encoder		the project's lock, in a transaction
 *		encode		none; and
 *		write		the project's lock, in a transaction; these two by turns,
 *					until encode has nothing left
 *		merge		the project's lock, in a transaction, until it says so
 *		finish		the project's lock, in a transaction
 *
 * A step under the lock comes after preparation_holds() has said, in the same
 * transaction, that it still makes sense.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_PREPARE_H
#define HUMANLOOP_PREPARE_H

#include "store/refresh.h"
#include "store/row_batch.h"

typedef struct Preparation Preparation;

/*
 * Reads the source and keeps aside what has to be encoded: what the blocks do
 * not have as it is, or everything, where there is no encoder yet, or none that
 * can read the input, or, with may_refit, where it is outgrown.  In the current
 * context, which must outlive the transaction.  SPI connected.
 */
extern Preparation *preparation_read(const Project *project, bool may_refit);

/* Is an encoder fitted?  Is it another than the one in use, or begun with before? */
extern bool preparation_fits(const Preparation *preparation);
extern bool preparation_renews(const Preparation *preparation);
extern void preparation_fit(Preparation *preparation);

/*
 * False: somebody else has written what this is based on, or the source is
 * gone; what was prepared is worth nothing, see features_sweep.
 */
extern bool preparation_holds(const Preparation *preparation);

/* Stores the encoder that was fitted; opens the one that is used. */
extern void preparation_encoder(Preparation *preparation);

/*
 * After that: what others need to know to help, and who they are; those must be
 * there until all is encoded.
 */
extern EncodingTask preparation_task(const Preparation *preparation);
extern void preparation_helpers(Preparation *preparation, BatchHelpers *helpers);

/*
 * Encodes a block's worth of rows.  False: that was all, and there is nothing
 * to write (yet).
 */
extern bool preparation_encode(Preparation *preparation);
extern void preparation_write(Preparation *preparation);

/* Rows that were encoded, of so many. */
extern int64 preparation_done(const Preparation *preparation);
extern int64 preparation_rows(const Preparation *preparation);

/* Makes many half-empty blocks a few full ones, some at a time; false: done. */
extern bool preparation_merge(Preparation *preparation);

/* Now the features are those of the rows read. */
extern void preparation_finish(Preparation *preparation);

/* Projects that have an encoder that nobody uses; in the current context. */
extern int32 *features_unswept(int *n);

/*
 * Writes some blocks again without the rows that are gone, which features_take
 * and preparation_finish only mark.  True: there may be more.  The project's
 * lock is held.  features: hl_serving.features before and after.
 */
extern bool features_erase(const Project *project, int64 features[2]);

/* Projects that have such blocks, but for paused ones; as above. */
extern int32 *features_littered(int *n);

#endif							/* HUMANLOOP_PREPARE_H */
