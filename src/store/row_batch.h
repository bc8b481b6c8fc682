/*-------------------------------------------------------------------------
 *
 * row_batch.h
 *	  Rows that are encoded together, where that is faster than one by one.
 *
 * A row is handed in and comes back encoded, with others that were handed in
 * before it, or at once, where nothing is gained by waiting.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ROW_BATCH_H
#define HUMANLOOP_ROW_BATCH_H

#include "store/source.h"

/* At most so many rows wait; a block of features holds several times as many. */
#define BATCH_ROWS 128

/*
 * The row, without its label, and what was handed in with it.  With STATUS_SUCCESS
 * it is in the encoding that the batch was made with; STATUS_BAD_ARGUMENT,
 * STATUS_NOT_FINITE: it cannot be encoded.
 */
typedef void (*RowEncoded) (const SourceRow *row, void *tag, Status status, void *state);

typedef struct RowBatch
{
	const Encoder *encoder;
	Encoding   *encoding;
	RowEncoded	encoded;
	void	   *state;
	int			ninputs;
	int			ahead_dims;		/* 0: nothing is gained by waiting */
	MemoryContext context;		/* of the rows that wait */
	int			n;
	size_t		bytes;
	SourceRow	rows[BATCH_ROWS];
	void	   *tags[BATCH_ROWS];
} RowBatch;

/* In the current context, as long as which it is used. */
extern void row_batch_init(RowBatch *batch, const Encoder *encoder, int ninputs,
						   Encoding *encoding, RowEncoded encoded, void *state);
extern void row_batch_add(RowBatch *batch, const SourceRow *row, void *tag);

/* Those that wait; after the last row. */
extern void row_batch_flush(RowBatch *batch);

#endif							/* HUMANLOOP_ROW_BATCH_H */
