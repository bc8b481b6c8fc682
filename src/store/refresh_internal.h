/*-------------------------------------------------------------------------
 *
 * refresh_internal.h
 *	  The comparison of a source with its blocks, row by row.
 *
 * refresh.c does it in one transaction, prepare.c in many.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_REFRESH_INTERNAL_H
#define HUMANLOOP_REFRESH_INTERNAL_H

#include "store/drift.h"
#include "store/label.h"
#include "store/refresh.h"
#include "store/row_batch.h"

/* A block's short columns, as read and as they shall be. */
typedef struct BlockHead
{
	int64		number;
	int			rows;
	int			live;
	bool		changed;
	uint64	   *hashes;
} BlockHead;

typedef struct RefreshState
{
	const Project *project;
	Refreshed  *result;
	MemoryContext context;		/* of the items and heads */
	struct items_hash *items;
	bool		only_asked;		/* items has what to look for, else all */
	BlockHead  *blocks;
	int			nblocks;
	int			merged;			/* of them, by refresh_merge */
	bool		locked;
	bool		raced;			/* somebody has written since we read */
	bool		writing;
	BlockWriter writer;
	Caller		caller;			/* of the encoding */
	Encoding	encoding;
	RowBatch	batch;
	int64		encoded;		/* rows that are, or cannot be */
	unsigned char *packed;
	size_t		packed_size;
	SourceLabels labels;
	Lengths		lengths[MAX_INPUTS];	/* of the vectors met */
	NewRows    *added;			/* NULL: not asked for */
	Arrivals	arrivals;		/* watched for drift */
} RefreshState;

/* result->encoder is needed from refresh_use_encoder on only. */
extern void refresh_init(RefreshState *state, const Project *project, Refreshed *refreshed);
extern void refresh_use_encoder(RefreshState *state);

/* What the blocks have. */
extern void refresh_read_blocks(RefreshState *state);

/*
 * Notes that the row is there, with its label.  True: the blocks do not have
 * it as it is, so refresh_encode is to be called.
 */
extern bool refresh_meet(RefreshState *state, const SourceRow *row);
extern void refresh_encode(RefreshState *state, const SourceRow *row);

/* Rows may wait to be encoded together: after the last one. */
extern void refresh_encode_rest(RefreshState *state);

/*
 * After the last row: what has not been met is gone.  Also looks whether the
 * vectors have another length than the encoder's now: misfit, then another is
 * to be fitted.
 */
extern void refresh_forget_unseen(RefreshState *state);

/*
 * Rows that are encoded from here on have arrived, and are watched for drift.  Not where
 * nothing was encoded yet, or with another encoder.  Before the first is stored.
 */
extern void refresh_watch(RefreshState *state);

/* Writes what was encoded and what is gone since the last time. */
extern void refresh_write(RefreshState *state);

/*
 * Moves the rows of half-empty blocks to new ones, so that many small
 * refreshes do not leave many small blocks.  True: the new block is full, to
 * be written before the next call.
 */
extern bool refresh_merge(RefreshState *state);
extern int	refresh_sparse(const RefreshState *state);

/* refitted: drops encoders and blocks that nobody uses any more. */
extern void state_write(const Project *project, const Refreshed *refreshed, bool refitted);

#endif							/* HUMANLOOP_REFRESH_INTERNAL_H */
