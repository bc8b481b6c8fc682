/*-------------------------------------------------------------------------
 *
 * transformer_internal.h
 *	  What the files of the transformer share.
 *
 *	  transformer.c			the forward pass over a block of tokens
 *	  transformer_make.c	a transformer from tensors
 *	  transformer_io.c		its stored form
 *	  encode_transformer.c	texts to blocks of tokens, and vectors out
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TRANSFORMER_INTERNAL_H
#define HUMANLOOP_TRANSFORMER_INTERNAL_H

#include "encoder_internal.h"
#include "transformer.h"

/* One layer's weights; a matrix that takes in to out is out x in. */
typedef struct TransformerLayer
{
	const float *qkv;			/* 3 width x width: queries, keys, values */
	const float *qkv_bias;		/* 3 width */
	const float *mix;			/* width x width: of the heads */
	const float *mix_bias;		/* width */
	const float *mix_norm;		/* width, then width biases */
	const float *up;			/* intermediate x width */
	const float *up_bias;		/* intermediate */
	const float *down;			/* width x intermediate */
	const float *down_bias;		/* width */
	const float *down_norm;		/* width, then width biases */
} TransformerLayer;

typedef struct Transformer
{
	TransformerConfig config;
	Tokenizer	tokenizer;
	TensorType	type;			/* of the stored form, and of words */
	TensorType	weights_type;	/* of the stored form: the same, or F32 */

	/*
	 * The words' vectors are half of a small encoder and a text needs few of
	 * them: they stay as they are stored.
	 */
	const unsigned char *words; /* words x width elements, little-endian */
	bool		words_borrowed;

	/* everything else, in the order in which it is stored */
	const float *weights;
	bool		weights_borrowed;
	const float *position;		/* positions x width */
	const float *token_type;	/* types x width; all text is of type 0, if
								 * there are any */
	const float *norm;			/* width, then width biases */
	TransformerLayer *layer;	/* layers */
} Transformer;

/* Rows of tokens, one behind the other, and room to compute with them. */
typedef struct TokenBlock
{
	int			capacity;		/* tokens */
	int			tokens;			/* now in it */
	uint32_t   *id;				/* capacity */
	float	   *x;				/* capacity x width: the vectors of the tokens */
	float	   *other;			/* capacity x width */
	float	   *wide;			/* capacity x max(3 width, intermediate) */
	float	   *scores;			/* most of two matrices of attention */
} TokenBlock;

/* Floats that block->scores needs for texts of at most max_tokens. */
extern size_t attention_scratch(const TransformerConfig *config);

/*
 * Takes the tokens of block->id through all layers: block->x, tokens x width.
 * Row r has the tokens start[r] .. start[r + 1] - 1 and sees only them; it
 * has at most max_tokens.  Needs `matrix`.  STATUS_STOPPED.
 */
extern Status transformer_forward(const Transformer *transformer, const Caller *caller,
								  TokenBlock *block, const int *start, int rows);

/* What is wrong with a configuration, or NULL. */
extern const char *transformer_config_fault(const TransformerConfig *config);

/*
 * Elements of all weights but the vectors of words; false where they are more
 * than memory has addresses.
 */
extern bool transformer_count_weights(const TransformerConfig *config, size_t *count);

/*
 * The encoder's transformer, of a valid configuration, with nothing in it;
 * encoder_free frees it, after a failure, too.  STATUS_NO_MEMORY.
 */
extern Status transformer_allocate(const Caller *caller, const TransformerConfig *config,
								   Encoder *encoder);

/* Points to the parts of transformer->weights. */
extern void transformer_place(Transformer *transformer);

/*
 * n elements of that type to floats, or only looked at where floats is NULL.
 * STATUS_NOT_FINITE, STATUS_STOPPED.
 */
extern Status transformer_convert(const Caller *caller, TensorType type,
								  const unsigned char *bytes, size_t n, float *floats);

extern void transformer_free(const Caller *caller, Transformer *transformer);

/* expanded: all weights but the words' vectors as F32. */
extern Status transformer_write(const Encoder *encoder, bool expanded, Writer *writer);
extern Status transformer_read(const Caller *caller, Reader *reader, uint32_t version,
							   bool in_place, Encoder *encoder);

extern Status transformer_encode(const Encoder *encoder, const char *const *texts,
								 const size_t *lengths, int n,
								 Encoding *encoding, float *dense);

/* encode_ahead; the vectors of a row go to ahead + row x stride. */
extern Status transformer_encode_ahead(const Encoder *encoder, const EncoderInput *inputs,
									   int ninputs, int rows, Encoding *encoding,
									   float *ahead, int stride);

/* Frees what encoding->scratch holds, which is more than one block. */
extern void transformer_encoding_free(Encoding *encoding);

#endif							/* HUMANLOOP_TRANSFORMER_INTERNAL_H */
