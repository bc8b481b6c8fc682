/*-------------------------------------------------------------------------
 *
 * transformer.h
 *	  Making an encoder from the weights of a pretrained BERT or one of its kin.
 *
 * The files (config.json, tokenizer.json or vocab.txt, model.safetensors) are
 * read by whoever has a JSON parser; what is in them comes in here as plain
 * numbers and pointers, and an Encoder of kind ENCODER_TRANSFORMER comes out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TRANSFORMER_H
#define HUMANLOOP_TRANSFORMER_H

#include "encoder.h"
#include "tensor.h"
#include "tokenizer.h"

/* Limits of what is believed of a configuration */
#define TRANSFORMER_MAX_LAYERS 128
#define TRANSFORMER_MAX_INTERMEDIATE 32768
#define TRANSFORMER_MAX_POSITIONS 65536
#define TRANSFORMER_MAX_TYPES 256
#define TRANSFORMER_MAX_TOKENS 1024

/*
 * Whose tensors they are.  All of them compute the same; names differ, and
 * where positions begin.
 */
typedef enum TransformerFamily
{
	FAMILY_BERT = 0,			/* BERT, MiniLM and most others */
	FAMILY_DISTILBERT = 1,		/* no types of tokens */
	FAMILY_ROBERTA = 2			/* RoBERTa, XLM-RoBERTa */
} TransformerFamily;

/* From the vectors of a text's tokens to that of the text */
typedef enum TransformerPooling
{
	POOLING_MEAN = 0,			/* of all tokens, with the first and the last */
	POOLING_FIRST = 1			/* that of the first token, [CLS] */
} TransformerPooling;

/* With the names that Hugging Face's config.json has for them. */
typedef struct TransformerConfig
{
	TransformerFamily family;
	int			layers;			/* num_hidden_layers, DistilBERT: n_layers */
	int			heads;			/* num_attention_heads, n_heads; divides width */
	int			width;			/* hidden_size, dim */
	int			intermediate;	/* intermediate_size, hidden_dim */
	int			words;			/* vocab_size */
	int			positions;		/* max_position_embeddings */
	int			first_position; /* of the first token: 0, or, of RoBERTa,
								 * pad_token_id + 1 */
	int			types;			/* type_vocab_size; of DistilBERT 0 */
	int			max_tokens;		/* of a text, with its first and last; what is
								 * beyond is not looked at; 3 .. positions -
								 * first_position */
	double		layer_norm_eps; /* DistilBERT does not say: 1e-12 */
	TransformerPooling pooling;
	bool		normalize;		/* to unit length, as encoder.h promises */
	uint32_t	first;			/* numbers of [CLS] and [SEP], or <s> and */
	uint32_t	last;			/* </s>, which surround every text */
} TransformerConfig;

/* For a message to whoever brought the files; both in printable ASCII. */
typedef struct TransformerProblem
{
	char		name[128];		/* of a tensor, cut; or empty */
	char		what[128];		/* "is missing", "is of shape [3, 4], not [4, 4]" */
} TransformerProblem;

/*
 * Makes the encoder; tensors are copied.  They have the names of
 * BertModel and RobertaModel ("embeddings.word_embeddings.weight",
 * "encoder.layer.0.attention.self.query.weight" ...) or of DistilBertModel
 * ("transformer.layer.0.attention.q_lin.weight" ...), also behind "bert.",
 * "roberta." or "distilbert.", and with the oldest files' LayerNorm.gamma and
 * LayerNorm.beta; those that are not needed (pooler, position_ids) are passed
 * over.  The tokenizer, whose numbers must all be below vocab_size, is the
 * encoder's after success, and *tokenizer empty; else it stays the caller's.
 * STATUS_BAD_ARGUMENT, or STATUS_NOT_FINITE for a weight that is no number,
 * with *problem filled in; STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status transformer_make(const Caller *caller, const TransformerConfig *config,
							   const Tensor *tensors, size_t ntensors,
							   Tokenizer *tokenizer, Encoder **encoder,
							   TransformerProblem *problem);

#endif							/* HUMANLOOP_TRANSFORMER_H */
