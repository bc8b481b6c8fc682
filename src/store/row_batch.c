/*-------------------------------------------------------------------------
 *
 * row_batch.c
 *	  Rows that are encoded together, where that is faster than one by one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "store/caller.h"
#include "store/feature.h"
#include "store/row_batch.h"
#include "store/session.h"

/*
 * Bytes of their inputs, so that a few long texts do not wait for many: some
 * thousand tokens, which is enough to be fast.
 */
#define BATCH_BYTES (16 * 1024)

void
row_batch_init(RowBatch *batch, const Encoder *encoder, int ninputs, Encoding *encoding,
			   RowEncoded encoded, void *state)
{
	memset(batch, 0, sizeof(*batch));
	batch->encoder = encoder;
	batch->encoding = encoding;
	batch->encoded = encoded;
	batch->state = state;
	batch->ninputs = ninputs;
	batch->ahead_dims = encoder_ahead_dims(encoder);
	batch->context = CurrentMemoryContext;
}

/* Gives back rows that have waited, with what was made of them ahead; NULL: nothing yet. */
static void
encode_rows(RowBatch *batch, WaitingRows *waiting, const float *ahead)
{
	MemoryContext before = MemoryContextSwitchTo(waiting->context);
	EncoderInput *inputs = palloc0(sizeof(EncoderInput) * waiting->n * batch->ninputs);

	for (int i = 0; i < waiting->n; i++)
		encoder_inputs(&waiting->rows[i].input, inputs + i * batch->ninputs, batch->ninputs);
	if (ahead == NULL)
	{
		float	   *made = palloc_array_checked(float, (Size) waiting->n * batch->ahead_dims);

		status_check(encode_ahead(batch->encoder, inputs, batch->ninputs, waiting->n,
								  batch->encoding, made), "encode rows");
		ahead = made;
	}
	MemoryContextSwitchTo(before);
	for (int i = 0; i < waiting->n; i++)
	{
		Status		status = encode_inputs(batch->encoder, inputs + i * batch->ninputs,
										   ahead + (Size) i * batch->ahead_dims, batch->encoding);

		batch->encoded(&waiting->rows[i], waiting->tags[i], status, batch->state);
	}
	MemoryContextDelete(waiting->context);
}

void
row_batch_flush(RowBatch *batch)
{
	WaitingRows *waiting = batch->waiting;

	batch->waiting = NULL;
	if (waiting != NULL &&
		(batch->helpers == NULL || !batch->helpers->give(batch->helpers, waiting)))
		encode_rows(batch, waiting, NULL);
}

bool
row_batch_take(RowBatch *batch, bool wait)
{
	const float *ahead;
	WaitingRows *waiting = batch->helpers == NULL ? NULL :
		batch->helpers->take(batch->helpers, wait, &ahead);

	if (waiting == NULL)
		return false;
	encode_rows(batch, waiting, ahead);
	return true;
}

static WaitingRows *
waiting_rows(RowBatch *batch)
{
	MemoryContext context;

	if (batch->waiting == NULL)
	{
		context = AllocSetContextCreate(batch->context, "humanloop row batch",
										ALLOCSET_DEFAULT_SIZES);
		batch->waiting = MemoryContextAllocZero(context, sizeof(WaitingRows));
		batch->waiting->context = context;
	}
	return batch->waiting;
}

void
row_batch_add(RowBatch *batch, const SourceRow *row, void *tag)
{
	WaitingRows *waiting;
	MemoryContext before;
	SourceRow  *kept;

	if (batch->ahead_dims == 0)
	{
		batch->encoded(row, tag, encode_input(batch->encoder, &row->input, batch->encoding),
					   batch->state);
		return;
	}
	waiting = waiting_rows(batch);
	before = MemoryContextSwitchTo(waiting->context);
	kept = &waiting->rows[waiting->n];
	kept->item = pstrdup(row->item);
	kept->label = NULL;
	kept->input = *input_copy(&row->input);
	waiting->tags[waiting->n++] = tag;
	waiting->bytes += input_memory(&row->input);
	MemoryContextSwitchTo(before);
	if (waiting->n == BATCH_ROWS || waiting->bytes > BATCH_BYTES)
		row_batch_flush(batch);
}
