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

/* Bytes of their inputs, so that a few long texts do not wait for many. */
#define BATCH_BYTES (256 * 1024)

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
	if (batch->ahead_dims > 0)
		batch->context = AllocSetContextCreate(CurrentMemoryContext, "humanloop row batch",
											   ALLOCSET_DEFAULT_SIZES);
}

void
row_batch_flush(RowBatch *batch)
{
	EncoderInput *inputs;
	float	   *ahead;
	int			n = batch->n;
	MemoryContext before;

	if (n == 0)
		return;
	before = MemoryContextSwitchTo(batch->context);
	inputs = palloc0(sizeof(EncoderInput) * n * batch->ninputs);
	ahead = palloc_array_checked(float, (Size) n * batch->ahead_dims);
	for (int i = 0; i < n; i++)
		encoder_inputs(&batch->rows[i].input, inputs + i * batch->ninputs, batch->ninputs);
	MemoryContextSwitchTo(before);
	status_check(encode_ahead(batch->encoder, inputs, batch->ninputs, n, batch->encoding, ahead),
				 "encode rows");
	batch->n = 0;
	batch->bytes = 0;
	for (int i = 0; i < n; i++)
	{
		Status		status = encode_inputs(batch->encoder, inputs + i * batch->ninputs,
										   ahead + (Size) i * batch->ahead_dims, batch->encoding);

		batch->encoded(&batch->rows[i], batch->tags[i], status, batch->state);
	}
	MemoryContextReset(batch->context);
}

void
row_batch_add(RowBatch *batch, const SourceRow *row, void *tag)
{
	MemoryContext before;
	SourceRow  *kept;

	if (batch->ahead_dims == 0)
	{
		batch->encoded(row, tag, encode_input(batch->encoder, &row->input, batch->encoding),
					   batch->state);
		return;
	}
	before = MemoryContextSwitchTo(batch->context);
	kept = &batch->rows[batch->n];
	kept->item = pstrdup(row->item);
	kept->label = NULL;
	kept->input = *input_copy(&row->input);
	batch->tags[batch->n++] = tag;
	batch->bytes += input_memory(&row->input);
	MemoryContextSwitchTo(before);
	if (batch->n == BATCH_ROWS || batch->bytes > BATCH_BYTES)
		row_batch_flush(batch);
}
