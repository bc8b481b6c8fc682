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

/* Rows that wait to be encoded. */
typedef struct WaitingRows
{
	MemoryContext context;		/* this and all below */
	int			n;
	size_t		bytes;
	SourceRow	rows[BATCH_ROWS];
	void	   *tags[BATCH_ROWS];
} WaitingRows;

/* What others need to know to compute what is costly, see encode_ahead. */
typedef struct EncodingTask
{
	const char *project;		/* name */
	Oid			extension;
	int64		encoder_id;
	int			ninputs;
	int			ahead_dims;		/* 0: nothing is costly */
} EncodingTask;

/*
 * Others who do so at the same time as we do.
 *
 *		give	lends them rows; false: they have enough, or these are too long
 *		take	rows that were lent and what they have made of them, or NULL where
 *				they could not, until the next call.  Returns NULL where there are
 *				none, or, with wait, none are lent.
 */
typedef struct BatchHelpers
{
	bool		(*give) (struct BatchHelpers *helpers, WaitingRows *rows);
	WaitingRows *(*take) (struct BatchHelpers *helpers, bool wait, const float **ahead);
} BatchHelpers;

typedef struct RowBatch
{
	const Encoder *encoder;
	Encoding   *encoding;
	RowEncoded	encoded;
	void	   *state;
	int			ninputs;
	int			ahead_dims;		/* 0: nothing is gained by waiting */
	MemoryContext context;		/* of the rows that wait */
	WaitingRows *waiting;		/* NULL: none */
	BatchHelpers *helpers;		/* NULL: none */
} RowBatch;

/* In the current context, as long as which it is used. */
extern void row_batch_init(RowBatch *batch, const Encoder *encoder, int ninputs,
						   Encoding *encoding, RowEncoded encoded, void *state);
extern void row_batch_add(RowBatch *batch, const SourceRow *row, void *tag);

/* Those that wait here; after the last row. */
extern void row_batch_flush(RowBatch *batch);

/*
 * At most BATCH_ROWS of those that helpers have.  False: none are done, or, with
 * wait, they have no more.
 */
extern bool row_batch_take(RowBatch *batch, bool wait);

#endif							/* HUMANLOOP_ROW_BATCH_H */
