/*-------------------------------------------------------------------------
 *
 * encode_transformer.c
 *	  Texts to blocks of tokens, and from their vectors to those of the texts.
 *
 * Texts are encoded in the order in which they come: blocks have no padding,
 * so that there is nothing to gain from sorting them by length.  A block has
 * enough tokens for the products of matrices to be fast, and few enough for
 * its vectors to stay in the processor's cache.
 *
 *-------------------------------------------------------------------------
 */
#include "transformer_internal.h"

#include <math.h>
#include <string.h>

/* A block is computed when it has so many tokens */
#define BLOCK_TOKENS 512

/* So many rows are computed ahead together */
#define AHEAD_ROWS 256

/* Scratch of an encoding; room for one text, or for a full block. */
typedef struct TransformerScratch
{
	TokenBlock	block;
	int		   *start;			/* capacity + 1; of rows, which have 2 tokens or more */
} TransformerScratch;

static void
free_block(const Caller *caller, TransformerScratch *scratch)
{
	release(caller, scratch->block.id);
	release(caller, scratch->block.x);
	release(caller, scratch->block.other);
	release(caller, scratch->block.wide);
	release(caller, scratch->block.scores);
	release(caller, scratch->start);
	*scratch = (TransformerScratch) {0};
}

void
transformer_encoding_free(Encoding *encoding)
{
	if (encoding->scratch != NULL)
		free_block(encoding->caller, encoding->scratch);
}

/* Room for that many tokens. */
static Status
ensure_block(const Transformer *transformer, Encoding *encoding, int tokens)
{
	const Caller *caller = encoding->caller;
	const TransformerConfig *config = &transformer->config;
	TransformerScratch *scratch = encoding->scratch;
	size_t		n = (size_t) tokens;
	size_t		width = (size_t) config->width;
	size_t		wide = (size_t) config->intermediate > 3 * width ?
		(size_t) config->intermediate : 3 * width;

	if (scratch == NULL)
	{
		scratch = allocate_array(caller, 1, sizeof(TransformerScratch));
		encoding->scratch = scratch;
		if (scratch == NULL)
			return STATUS_NO_MEMORY;
	}
	if (scratch->block.capacity >= tokens)
		return STATUS_SUCCESS;
	free_block(caller, scratch);
	scratch->block.id = allocate_array(caller, n, sizeof(uint32_t));
	scratch->block.x = allocate_array(caller, n, width * sizeof(float));
	scratch->block.other = allocate_array(caller, n, width * sizeof(float));
	scratch->block.wide = allocate_array(caller, n, wide * sizeof(float));
	scratch->block.scores = allocate_array(caller, attention_scratch(config), sizeof(float));
	scratch->start = allocate_array(caller, n + 1, sizeof(int));
	if (scratch->block.id == NULL || scratch->block.x == NULL || scratch->block.other == NULL ||
		scratch->block.wide == NULL || scratch->block.scores == NULL || scratch->start == NULL)
	{
		free_block(caller, scratch);
		return STATUS_NO_MEMORY;
	}
	scratch->block.capacity = tokens;
	return STATUS_SUCCESS;
}

/* The tokens of a text behind those of the block, which has room for them. */
static Status
add_text(const Transformer *transformer, const Caller *caller, const char *utf8, size_t length,
		 TokenBlock *block)
{
	uint32_t   *id = block->id + block->tokens;
	int			count;

	TRY(tokenizer_encode(&transformer->tokenizer, caller, utf8, length, id + 1,
						 transformer->config.max_tokens - 2, &count));
	id[0] = transformer->config.first;
	id[count + 1] = transformer->config.last;
	block->tokens += count + 2;
	return STATUS_SUCCESS;
}

/*
 * The vector of a text from those of its tokens, n x width.  Sums of floats
 * in double do not overflow.  STATUS_NOT_FINITE where the weights, each a
 * number, have led to something that is none.
 */
static Status
pool(const TransformerConfig *config, const float *x, int n, float *dense)
{
	int			width = config->width;
	int			tokens = config->pooling == POOLING_MEAN ? n : 1;
	double		square = 0.0;
	double		factor = 1.0;

	for (int j = 0; j < width; j++)
	{
		double		sum = 0.0;

		for (int i = 0; i < tokens; i++)
			sum += x[(size_t) i * (size_t) width + (size_t) j];
		dense[j] = (float) (sum / tokens);
		square += (double) dense[j] * dense[j];
	}
	if (!isfinite(square))
		return STATUS_NOT_FINITE;
	if (config->normalize && square > 0.0)
		factor = 1.0 / sqrt(square);
	for (int j = 0; j < width; j++)
		dense[j] = (float) (dense[j] * factor);
	return STATUS_SUCCESS;
}

/* Computes the block's rows, whose vectors go to dense, and empties it. */
static Status
finish_block(const Transformer *transformer, const Caller *caller,
			 TransformerScratch *scratch, int rows, float *dense)
{
	size_t		width = (size_t) transformer->config.width;
	TokenBlock *block = &scratch->block;

	scratch->start[rows] = block->tokens;
	TRY(transformer_forward(transformer, caller, block, scratch->start, rows));
	for (int row = 0; row < rows; row++)
		TRY(pool(&transformer->config, block->x + (size_t) scratch->start[row] * width,
				 scratch->start[row + 1] - scratch->start[row], dense + (size_t) row * width));
	block->tokens = 0;
	return STATUS_SUCCESS;
}

/* encode_texts for an encoder of this kind. */
Status
transformer_encode(const Encoder *encoder, const char *const *texts, const size_t *lengths,
				   int n, Encoding *encoding, float *dense)
{
	const Transformer *transformer = encoder->transformer;
	int			max_tokens = transformer->config.max_tokens;
	TransformerScratch *scratch;
	int			rows = 0;		/* in the block */

	encoding->terms = 0;
	TRY(ensure_block(transformer, encoding, n == 1 ? max_tokens : BLOCK_TOKENS + max_tokens));
	scratch = encoding->scratch;
	scratch->block.tokens = 0;	/* a failure may have left some */
	for (int i = 0; i < n; i++)
	{
		scratch->start[rows++] = scratch->block.tokens;
		TRY(add_text(transformer, encoding->caller, texts[i], lengths[i], &scratch->block));
		if (scratch->block.tokens < BLOCK_TOKENS && i + 1 < n)
			continue;
		TRY(finish_block(transformer, encoding->caller, scratch, rows,
						 dense + (size_t) (i + 1 - rows) * (size_t) encoder->dims));
		rows = 0;
	}
	return STATUS_SUCCESS;
}

/* Rows that are computed ahead together, of those that have a text. */
typedef struct AheadRows
{
	int			n;
	const char *text[AHEAD_ROWS];
	size_t		length[AHEAD_ROWS];
	int			row[AHEAD_ROWS];
	float	   *dense;			/* n x dims */
} AheadRows;

/* Vectors of all the rows; where one has none, of each that has. */
static Status
compute_ahead(const Encoder *encoder, AheadRows *rows, Encoding *encoding)
{
	size_t		dims = (size_t) encoder->dims;
	Status		status = transformer_encode(encoder, rows->text, rows->length, rows->n, encoding,
											rows->dense);

	if (status != STATUS_NOT_FINITE)
		return status;
	for (int i = 0; i < rows->n; i++)
	{
		status = transformer_encode(encoder, &rows->text[i], &rows->length[i], 1, encoding,
									rows->dense + (size_t) i * dims);
		if (status == STATUS_NOT_FINITE)
			rows->dense[(size_t) i * dims] = NAN;
		else
			TRY(status);
	}
	return STATUS_SUCCESS;
}

Status
transformer_encode_ahead(const Encoder *encoder, const EncoderInput *inputs, int ninputs,
						 int rows, Encoding *encoding, float *ahead, int stride)
{
	size_t		dims = (size_t) encoder->dims;
	AheadRows  *some = allocate_array(encoding->caller, 1, sizeof(AheadRows));
	Status		status = STATUS_SUCCESS;

	if (some != NULL)
		some->dense = allocate_array(encoding->caller, AHEAD_ROWS * dims, sizeof(float));
	if (some == NULL || some->dense == NULL)
		status = STATUS_NO_MEMORY;
	for (int row = 0; row < rows && status == STATUS_SUCCESS; row++)
	{
		const EncoderInput *input = inputs + (size_t) row * (size_t) ninputs;

		ahead[(size_t) row * (size_t) stride] = NAN;
		if (input->text != NULL)
		{
			some->text[some->n] = input->text;
			some->length[some->n] = input->length;
			some->row[some->n++] = row;
		}
		if (some->n == 0 || (some->n < AHEAD_ROWS && row + 1 < rows))
			continue;
		status = compute_ahead(encoder, some, encoding);
		for (int i = 0; i < some->n && status == STATUS_SUCCESS; i++)
			memcpy(ahead + (size_t) some->row[i] * (size_t) stride, some->dense + (size_t) i * dims,
				   dims * sizeof(float));
		some->n = 0;
	}
	if (some != NULL)
		release(encoding->caller, some->dense);
	release(encoding->caller, some);
	return status;
}
