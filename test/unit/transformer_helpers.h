/*-------------------------------------------------------------------------
 *
 * transformer_helpers.h
 *	  Small transformers of known weights, as make_transformer_values.py has
 *	  them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TRANSFORMER_HELPERS_H
#define HUMANLOOP_TRANSFORMER_HELPERS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/encode/encoder_internal.h"
#include "../../src/encode/transformer.h"
#include "transformer_values.h"

#define MAX_TENSORS 40
#define LETTERS 26

/* Tensors, and the pieces of a vocabulary, with the memory they lie in. */
typedef struct SmallModel
{
	TransformerConfig config;
	Tensor		tensors[MAX_TENSORS];
	size_t		ntensors;
	char		names[MAX_TENSORS][64];
	uint64_t	shapes[MAX_TENSORS][2];
	uint64_t	weights;		/* so far: where the formula stands */
	TokenizerKind tokenizer;
	WordPieceOptions options;	/* for this kind only */
	PieceEntry	vocabulary[VALUE_WORDS];
	char		pieces[VALUE_WORDS][8];
} SmallModel;

/* Weight i: seven bits, times 1/256. */
static inline float
small_weight(uint64_t i)
{
	return (float) ((int) ((i * UINT64_C(2654435761) & UINT64_C(0xFFFFFFFF)) >> 25) - 64) / 256.0f;
}

/* Stored bytes of a number that all three types hold exactly. */
static inline void
put_weight(TensorType type, float value, unsigned char *bytes)
{
	uint32_t	bits;
	uint32_t	stored;

	memcpy(&bits, &value, sizeof(bits));
	stored = type == TENSOR_F32 ? bits : bits >> 16;
	if (type == TENSOR_F16)
		stored = value == 0.0f ? 0 : (bits >> 16 & 0x8000) |
			(((bits >> 23 & 0xFF) - 127 + 15) << 10 & 0x7C00) | (bits >> 13 & 0x3FF);
	for (size_t i = 0; i < tensor_element(type); i++)
		bytes[i] = (unsigned char) (stored >> 8 * i);
}

/* Adds a tensor of n weights (of rank 1 where columns is 0), at an odd address. */
static inline void
add_tensor(SmallModel *model, TensorType type, const char *name, int rows, int columns)
{
	size_t		i = model->ntensors++;
	size_t		n = (size_t) rows * (size_t) (columns == 0 ? 1 : columns);
	size_t		size = tensor_element(type);
	unsigned char *bytes = malloc(n * size + 1);

	snprintf(model->names[i], sizeof(model->names[i]), "%s", name);
	model->shapes[i][0] = (uint64_t) rows;
	model->shapes[i][1] = (uint64_t) columns;
	for (size_t j = 0; j < n; j++)
		put_weight(type, small_weight(model->weights++), bytes + 1 + j * size);
	model->tensors[i] = (Tensor)
	{
		model->names[i], strlen(model->names[i]), type, columns == 0 ? 1 : 2,
			model->shapes[i], bytes + 1, n * size
	};
}

static inline void
add_layer(SmallModel *model, TensorType type, int layer)
{
	int			width = model->config.width;
	int			intermediate = model->config.intermediate;
	bool		distilbert = model->config.family == FAMILY_DISTILBERT;
	char		name[64];
	const struct
	{
		const char *name;
		const char *distilbert;
		int			rows;
		int			columns;
	}			parts[] = {
		/* the script draws the three matrices first */
		{"attention.self.query.weight", "attention.q_lin.weight", width, width},
		{"attention.self.key.weight", "attention.k_lin.weight", width, width},
		{"attention.self.value.weight", "attention.v_lin.weight", width, width},
		{"attention.self.query.bias", "attention.q_lin.bias", width, 0},
		{"attention.self.key.bias", "attention.k_lin.bias", width, 0},
		{"attention.self.value.bias", "attention.v_lin.bias", width, 0},
		{"attention.output.dense.weight", "attention.out_lin.weight", width, width},
		{"attention.output.dense.bias", "attention.out_lin.bias", width, 0},
		{"attention.output.LayerNorm.weight", "sa_layer_norm.weight", width, 0},
		{"attention.output.LayerNorm.bias", "sa_layer_norm.bias", width, 0},
		{"intermediate.dense.weight", "ffn.lin1.weight", intermediate, width},
		{"intermediate.dense.bias", "ffn.lin1.bias", intermediate, 0},
		{"output.dense.weight", "ffn.lin2.weight", width, intermediate},
		{"output.dense.bias", "ffn.lin2.bias", width, 0},
		{"output.LayerNorm.weight", "output_layer_norm.weight", width, 0},
		{"output.LayerNorm.bias", "output_layer_norm.bias", width, 0}
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
	{
		snprintf(name, sizeof(name), "%s.layer.%d.%s", distilbert ? "transformer" : "encoder",
				 layer, distilbert ? parts[i].distilbert : parts[i].name);
		add_tensor(model, type, name, parts[i].rows, parts[i].columns);
	}
}

/* Numbers 0 to 3 are special, then the letters, as the script has it. */
static inline SmallModel *
small_model(int shape, TensorType type)
{
	SmallModel *model = calloc(1, sizeof(SmallModel));
	static const char *const special[4] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]"};
	int			family = value_shapes[shape][0];

	model->config = (TransformerConfig)
	{
		.family = (TransformerFamily) family,
			.layers = value_shapes[shape][1], .heads = value_shapes[shape][2],
			.width = value_shapes[shape][3], .intermediate = value_shapes[shape][4],
			.words = VALUE_WORDS, .positions = VALUE_POSITIONS,
			.first_position = value_first_position[family], .types = value_types[family],
			.max_tokens = VALUE_POSITIONS - value_first_position[family],
			.layer_norm_eps = value_eps[family],
			.pooling = POOLING_MEAN, .normalize = true, .first = 2, .last = 3
	};
	model->tokenizer = TOKENIZER_WORDPIECE;
	model->options = (WordPieceOptions)
	{
		.lower_case = true, .strip_accents = true, .split_cjk = true,
			.prefix = "##", .prefix_length = 2, .unknown = 1, .max_word = 100
	};
	for (int i = 0; i < VALUE_WORDS; i++)
	{
		if (i < 4)
			snprintf(model->pieces[i], sizeof(model->pieces[i]), "%s", special[i]);
		else
			model->pieces[i][0] = (char) ('a' + i - 4);
		model->vocabulary[i] = (PieceEntry)
		{
			model->pieces[i], strlen(model->pieces[i]), (uint32_t) i
		};
	}
	add_tensor(model, type, "embeddings.word_embeddings.weight", VALUE_WORDS, model->config.width);
	add_tensor(model, type, "embeddings.position_embeddings.weight", VALUE_POSITIONS, model->config.width);
	if (model->config.types > 0)
		add_tensor(model, type, "embeddings.token_type_embeddings.weight", model->config.types,
				   model->config.width);
	add_tensor(model, type, "embeddings.LayerNorm.weight", model->config.width, 0);
	add_tensor(model, type, "embeddings.LayerNorm.bias", model->config.width, 0);
	for (int i = 0; i < model->config.layers; i++)
		add_layer(model, type, i);
	return model;
}

static inline void
small_model_free(SmallModel *model)
{
	for (size_t i = 0; i < MAX_TENSORS && model->tensors[i].bytes != NULL; i++)
		free((unsigned char *) (uintptr_t) model->tensors[i].bytes - 1);
	free(model);
}

/* Byte pairs: letters, a blank as number 0, and one before "a" as number 2. */
static inline Status
small_byte_pair(const Caller *caller, const SmallModel *model, BytePair **byte_pair)
{
	static const BytePairOptions options = {true, 1};
	static const PieceMerge merge = {"\304\240", 2, "a", 1};
	PieceEntry	entries[VALUE_WORDS];
	TokenizerFault fault;
	size_t		at;

	memcpy(entries, model->vocabulary, sizeof(entries));
	entries[0] = (PieceEntry) {"\304\240", 2, 0};
	entries[2] = (PieceEntry) {"\304\240a", 3, 2};
	return byte_pair_make(caller, &options, entries, VALUE_WORDS, &merge, 1, byte_pair, &fault, &at);
}

/* Unigrams: words of one letter. */
static inline Status
small_unigram(const Caller *caller, Unigram **unigram)
{
	static const UnigramOptions options = {1, NULL, 0};
	PieceEntry	entries[LETTERS];
	char		pieces[LETTERS][4];
	double		scores[LETTERS];
	TokenizerFault fault;
	size_t		at;

	for (int i = 0; i < LETTERS; i++)
	{
		memcpy(pieces[i], "\342\226\201", 3);
		pieces[i][3] = (char) ('a' + i);
		entries[i] = (PieceEntry) {pieces[i], 4, (uint32_t) (i + 4)};
		scores[i] = -i;
	}
	return unigram_make(caller, &options, entries, scores, LETTERS, unigram, &fault, &at);
}

static inline Status
small_tokenizer(const Caller *caller, const SmallModel *model, Tokenizer *tokenizer)
{
	TokenizerFault fault;
	size_t		at;

	tokenizer->kind = model->tokenizer;
	switch (tokenizer->kind)
	{
		case TOKENIZER_BYTE_PAIR:
			return small_byte_pair(caller, model, &tokenizer->byte_pair);
		case TOKENIZER_UNIGRAM:
			return small_unigram(caller, &tokenizer->unigram);
		default:
			return wordpiece_make(caller, &model->options, model->vocabulary, VALUE_WORDS,
								  &tokenizer->wordpiece, &fault, &at);
	}
}

/* Makes the encoder of such a model. */
static inline Status
small_make(const Caller *caller, const SmallModel *model, Encoder **encoder,
		   TransformerProblem *problem)
{
	Tokenizer	tokenizer;
	Status		status = small_tokenizer(caller, model, &tokenizer);

	*encoder = NULL;
	if (status != STATUS_SUCCESS)
		return status;
	status = transformer_make(caller, &model->config, model->tensors, model->ntensors,
							  &tokenizer, encoder, problem);
	tokenizer_free(caller, &tokenizer);
	return status;
}

#endif							/* HUMANLOOP_TRANSFORMER_HELPERS_H */
