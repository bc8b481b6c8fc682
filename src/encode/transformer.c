/*-------------------------------------------------------------------------
 *
 * transformer.c
 *	  The forward pass of a BERT encoder over a block of tokens.
 *
 * Devlin et al., "BERT: Pre-training of deep bidirectional transformers",
 * NAACL 2019; Vaswani et al., "Attention is all you need", NIPS 2017.  With
 * x the vectors of the tokens, each layer is
 *
 *	  q, k, v = x W + b
 *	  x = norm(x + softmax(q k' / sqrt(d)) v W + b)		for each head of width d
 *	  x = norm(x + gelu(x W + b) W + b)
 *
 * Only attention looks beyond its token.  So the rows of a block lie one
 * behind the other without padding: every W is one product of matrices over
 * all tokens, and attention alone goes row by row.  What is no product of
 * matrices is done in as few passes as possible, by loops that vectorise.
 *
 *-------------------------------------------------------------------------
 */
#include "transformer_internal.h"

#include <math.h>
#include <string.h>

#include "../math/matrix.h"
#include "transformer_kernels.h"

/* Multiplications in a product between two questions whether to stop */
#define WORK_A_QUESTION 250000000.0

/* x = gelu_float(x + bias), rows x n. */
FOR_EACH_PROCESSOR
static void
add_bias_gelu(float *restrict x, const float *restrict bias, int rows, int n)
{
	for (int row = 0; row < rows; row++, x += n)
		for (int i = 0; i < n; i++)
			x[i] = gelu_float(x[i] + bias[i]);
}

/* x += bias, rows x n. */
FOR_EACH_PROCESSOR
static void
add_bias(float *restrict x, const float *restrict bias, int rows, int n)
{
	for (int row = 0; row < rows; row++, x += n)
	{
		int			i = 0;

		for (; i + STRIP <= n; i += STRIP)
			for (int j = 0; j < STRIP; j++)
				x[i + j] += bias[i + j];
		for (; i < n; i++)
			x[i] += bias[i];
	}
}

/*
 * x = norm(x + y + bias), rows x n: each row to mean 0 and variance 1, times
 * norm[0 .. n - 1] plus norm[n .. 2n - 1] (Ba, Kiros and Hinton, "Layer
 * normalization", 2016).  Without y nothing is added.
 */
FOR_EACH_PROCESSOR
static void
add_and_normalize(float *restrict x, const float *restrict y, const float *restrict bias,
				  const float *restrict norm, float eps, int rows, int n)
{
	for (int row = 0; row < rows; row++, x += n)
	{
		float		mean;
		float		factor;
		int			i = 0;

		if (y != NULL)
		{
			for (; i + STRIP <= n; i += STRIP)
				for (int j = 0; j < STRIP; j++)
					x[i + j] += y[i + j] + bias[i + j];
			for (; i < n; i++)
				x[i] += y[i] + bias[i];
			y += n;
		}
		mean = sum_float(x, n) / (float) n;
		factor = 1.0f / sqrtf(squares_float(x, n, mean) / (float) n + eps);
		for (i = 0; i + STRIP <= n; i += STRIP)
			for (int j = 0; j < STRIP; j++)
				x[i + j] = (x[i + j] - mean) * factor * norm[i + j] + norm[n + i + j];
		for (; i < n; i++)
			x[i] = (x[i] - mean) * factor * norm[i] + norm[n + i];
	}
}

/* Each row of x, rows x n, to positive numbers of sum 1: e^x over its sum. */
FOR_EACH_PROCESSOR
static void
softmax_rows(float *x, int rows, int n, int ld)
{
	for (int row = 0; row < rows; row++, x += ld)
	{
		float		sum = exponentiate_float(x, n, largest_float(x, n));

		scale_float(x, n, 1.0f / sum);
	}
}

/*
 * y = x weight', with x rows x in and weight out x in; a part of the columns
 * at a time, so that the question whether to stop comes often enough.
 */
static Status
multiply(const Caller *caller, const float *x, int rows, int in,
		 const float *weight, int out, float *y)
{
	double		columns = WORK_A_QUESTION / ((double) rows * in);
	int			step = columns > out ? out : columns < 64.0 ? 64 : (int) columns / 64 * 64;

	for (int from = 0; from < out; from += step)
	{
		int			n = out - from < step ? out - from : step;

		if (stopped(caller))
			return STATUS_STOPPED;
		matrix->gemm_float(false, true, rows, n, in, 1.0f, x, in,
						   weight + (size_t) from * (size_t) in, in, 0.0f, y + from, out);
	}
	return STATUS_SUCCESS;
}

size_t
attention_scratch(const TransformerConfig *config)
{
	size_t		tokens = (size_t) config->max_tokens;

	return tokens * tokens;
}

/*
 * One head of one row of n tokens: out = softmax(q k' / sqrt(d)) v.  q, k and
 * v are n x d and lie `width` apart in rows of 3 width; out, too, is n x d in
 * rows of width.
 */
static void
attend(const float *q, int n, int d, int width, float *out, float *scores)
{
	const float *k = q + width;
	const float *v = k + width;

	matrix->gemm_float(false, true, n, n, d, 1.0f / sqrtf((float) d), q, 3 * width,
					   k, 3 * width, 0.0f, scores, n);
	softmax_rows(scores, n, n, n);
	matrix->gemm_float(false, false, n, d, n, 1.0f, scores, n, v, 3 * width,
					   0.0f, out, width);
}

/* Attention of all rows: wide is tokens x 3 width, other tokens x width. */
static Status
attend_rows(const Transformer *transformer, const Caller *caller, TokenBlock *block,
			const int *start, int rows)
{
	int			width = transformer->config.width;
	int			heads = transformer->config.heads;
	int			d = width / heads;

	for (int row = 0; row < rows; row++)
	{
		const float *q = block->wide + (size_t) start[row] * 3 * (size_t) width;
		float	   *out = block->other + (size_t) start[row] * (size_t) width;

		for (int head = 0; head < heads; head++)
		{
			if (head % 4 == 0 && stopped(caller))
				return STATUS_STOPPED;
			attend(q + head * d, start[row + 1] - start[row], d, width,
				   out + head * d, block->scores);
		}
	}
	return STATUS_SUCCESS;
}

static Status
run_layer(const Transformer *transformer, const TransformerLayer *layer,
		  const Caller *caller, TokenBlock *block, const int *start, int rows)
{
	int			n = block->tokens;
	int			width = transformer->config.width;
	int			intermediate = transformer->config.intermediate;
	float		eps = (float) transformer->config.layer_norm_eps;

	TRY(multiply(caller, block->x, n, width, layer->qkv, 3 * width, block->wide));
	add_bias(block->wide, layer->qkv_bias, n, 3 * width);
	TRY(attend_rows(transformer, caller, block, start, rows));
	TRY(multiply(caller, block->other, n, width, layer->mix, width, block->wide));
	add_and_normalize(block->x, block->wide, layer->mix_bias, layer->mix_norm, eps, n, width);

	TRY(multiply(caller, block->x, n, width, layer->up, intermediate, block->wide));
	add_bias_gelu(block->wide, layer->up_bias, n, intermediate);
	TRY(multiply(caller, block->wide, n, intermediate, layer->down, width, block->other));
	add_and_normalize(block->x, block->other, layer->down_bias, layer->down_norm, eps, n, width);
	return STATUS_SUCCESS;
}

/*
 * x = norm(word + position + type), a token's place counted from its row's
 * first; DistilBERT has no types.
 */
static void
embed(const Transformer *transformer, TokenBlock *block, const int *start, int rows)
{
	size_t		width = (size_t) transformer->config.width;
	size_t		bytes = width * tensor_element(transformer->type);
	const float *position = transformer->position +
		(size_t) transformer->config.first_position * width;

	for (int row = 0; row < rows; row++)
		for (int i = start[row]; i < start[row + 1]; i++)
		{
			float	   *x = block->x + (size_t) i * width;

			tensor_to_floats(transformer->type, transformer->words + block->id[i] * bytes,
							 width, x);
			add_bias(x, position + (size_t) (i - start[row]) * width, 1, (int) width);
			if (transformer->config.types > 0)
				add_bias(x, transformer->token_type, 1, (int) width);
		}
	add_and_normalize(block->x, NULL, NULL, transformer->norm,
					  (float) transformer->config.layer_norm_eps, block->tokens, (int) width);
}

Status
transformer_forward(const Transformer *transformer, const Caller *caller,
					TokenBlock *block, const int *start, int rows)
{
	embed(transformer, block, start, rows);
	for (int i = 0; i < transformer->config.layers; i++)
		TRY(run_layer(transformer, &transformer->layer[i], caller, block, start, rows));
	return STATUS_SUCCESS;
}
