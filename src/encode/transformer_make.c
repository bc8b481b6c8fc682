/*-------------------------------------------------------------------------
 *
 * transformer_make.c
 *	  A transformer from tensors.
 *
 * In memory all but the vectors of the words are floats; these stay of the
 * type that all tensors share, or else are F32.
 *
 *-------------------------------------------------------------------------
 */
#include "transformer_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Elements that are converted between two questions whether to stop */
#define ELEMENTS_A_QUESTION ((size_t) 1 << 20)

/* Extents of tensors by the name of what they count */
typedef enum Extent
{
	EXTENT_NONE = 0,			/* a vector has no second */
	EXTENT_WIDTH,
	EXTENT_INTERMEDIATE,
	EXTENT_WORDS,
	EXTENT_POSITIONS,
	EXTENT_TYPES
} Extent;

typedef struct Part
{
	const char *name;			/* of BERT and RoBERTa */
	const char *distilbert;		/* of DistilBERT; NULL: it has none */
	Extent		rows;
	Extent		columns;
} Part;

/* In the order in which they are stored; the words come first. */
static const Part first_parts[] = {
	{"embeddings.word_embeddings.weight", "embeddings.word_embeddings.weight",
	EXTENT_WORDS, EXTENT_WIDTH},
	{"embeddings.position_embeddings.weight", "embeddings.position_embeddings.weight",
	EXTENT_POSITIONS, EXTENT_WIDTH},
	{"embeddings.token_type_embeddings.weight", NULL, EXTENT_TYPES, EXTENT_WIDTH},
	{"embeddings.LayerNorm.weight", "embeddings.LayerNorm.weight", EXTENT_WIDTH, EXTENT_NONE},
	{"embeddings.LayerNorm.bias", "embeddings.LayerNorm.bias", EXTENT_WIDTH, EXTENT_NONE},
};

/*
 * Of each layer, behind "encoder.layer.N." or "transformer.layer.N.";
 * TransformerLayer has them so.
 */
static const Part layer_parts[] = {
	{"attention.self.query.weight", "attention.q_lin.weight", EXTENT_WIDTH, EXTENT_WIDTH},
	{"attention.self.key.weight", "attention.k_lin.weight", EXTENT_WIDTH, EXTENT_WIDTH},
	{"attention.self.value.weight", "attention.v_lin.weight", EXTENT_WIDTH, EXTENT_WIDTH},
	{"attention.self.query.bias", "attention.q_lin.bias", EXTENT_WIDTH, EXTENT_NONE},
	{"attention.self.key.bias", "attention.k_lin.bias", EXTENT_WIDTH, EXTENT_NONE},
	{"attention.self.value.bias", "attention.v_lin.bias", EXTENT_WIDTH, EXTENT_NONE},
	{"attention.output.dense.weight", "attention.out_lin.weight", EXTENT_WIDTH, EXTENT_WIDTH},
	{"attention.output.dense.bias", "attention.out_lin.bias", EXTENT_WIDTH, EXTENT_NONE},
	{"attention.output.LayerNorm.weight", "sa_layer_norm.weight", EXTENT_WIDTH, EXTENT_NONE},
	{"attention.output.LayerNorm.bias", "sa_layer_norm.bias", EXTENT_WIDTH, EXTENT_NONE},
	{"intermediate.dense.weight", "ffn.lin1.weight", EXTENT_INTERMEDIATE, EXTENT_WIDTH},
	{"intermediate.dense.bias", "ffn.lin1.bias", EXTENT_INTERMEDIATE, EXTENT_NONE},
	{"output.dense.weight", "ffn.lin2.weight", EXTENT_WIDTH, EXTENT_INTERMEDIATE},
	{"output.dense.bias", "ffn.lin2.bias", EXTENT_WIDTH, EXTENT_NONE},
	{"output.LayerNorm.weight", "output_layer_norm.weight", EXTENT_WIDTH, EXTENT_NONE},
	{"output.LayerNorm.bias", "output_layer_norm.bias", EXTENT_WIDTH, EXTENT_NONE},
};

#define FIRST_PARTS ((int) (sizeof(first_parts) / sizeof(first_parts[0])))
#define LAYER_PARTS ((int) (sizeof(layer_parts) / sizeof(layer_parts[0])))

/* Fills in the problem; what is not printable in the name becomes '?'. */
#ifdef __GNUC__
__attribute__((format(printf, 4, 5)))
#endif
static void
complain(TransformerProblem *problem, const char *name, size_t length, const char *format,...)
{
	va_list		arguments;

	if (length > sizeof(problem->name) - 1)
		length = sizeof(problem->name) - 1;
	for (size_t i = 0; i < length; i++)
		problem->name[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	problem->name[length] = '\0';
	va_start(arguments, format);
	vsnprintf(problem->what, sizeof(problem->what), format, arguments);
	va_end(arguments);
}

/* What is wrong with a configuration, or NULL. */
const char *
transformer_config_fault(const TransformerConfig *config)
{
	int			fewest_types = config->family == FAMILY_DISTILBERT ? 0 : 1;
	int			most_types = config->family == FAMILY_DISTILBERT ? 0 : TRANSFORMER_MAX_TYPES;

	if (config->family != FAMILY_BERT && config->family != FAMILY_DISTILBERT &&
		config->family != FAMILY_ROBERTA)
		return "this family is not known";
	if (config->layers < 1 || config->layers > TRANSFORMER_MAX_LAYERS)
		return "num_hidden_layers is out of range";
	if (config->width < 1 || config->width > ENCODER_MAX_DIMS)
		return "hidden_size is out of range";
	if (config->heads < 1 || config->width % config->heads != 0)
		return "num_attention_heads does not divide hidden_size";
	if (config->intermediate < 1 || config->intermediate > TRANSFORMER_MAX_INTERMEDIATE)
		return "intermediate_size is out of range";
	if (config->words < 1 || config->words > VOCABULARY_MAX_PIECES)
		return "vocab_size is out of range";
	if (config->positions < 3 || config->positions > TRANSFORMER_MAX_POSITIONS)
		return "max_position_embeddings is out of range";
	if (config->first_position < 0 || config->first_position > config->positions - 3)
		return "the position of the first token is out of range";
	if (config->types < fewest_types || config->types > most_types)
		return "type_vocab_size is out of range";
	if (config->max_tokens < 3 ||
		config->max_tokens > config->positions - config->first_position ||
		config->max_tokens > TRANSFORMER_MAX_TOKENS)
		return "the number of tokens is out of range";
	if (!(config->layer_norm_eps >= 1e-30 && config->layer_norm_eps <= 1.0))
		return "layer_norm_eps is out of range";
	if (config->pooling != POOLING_MEAN && config->pooling != POOLING_FIRST)
		return "this pooling is not known";
	if (config->first >= (uint32_t) config->words || config->last >= (uint32_t) config->words)
		return "the first or last token has no vector";
	return NULL;
}

static size_t
extent(const TransformerConfig *config, Extent which)
{
	switch (which)
	{
		case EXTENT_WIDTH:
			return (size_t) config->width;
		case EXTENT_INTERMEDIATE:
			return (size_t) config->intermediate;
		case EXTENT_WORDS:
			return (size_t) config->words;
		case EXTENT_POSITIONS:
			return (size_t) config->positions;
		case EXTENT_TYPES:
			return (size_t) config->types;
		default:
			return 1;
	}
}

static int
part_count(const TransformerConfig *config)
{
	return FIRST_PARTS + config->layers * LAYER_PARTS;
}

/* The part at that place in the list of all; its layer, or -1. */
static const Part *
part_at(int i, int *layer)
{
	*layer = i < FIRST_PARTS ? -1 : (i - FIRST_PARTS) / LAYER_PARTS;
	return i < FIRST_PARTS ? &first_parts[i] : &layer_parts[(i - FIRST_PARTS) % LAYER_PARTS];
}

/* What the family calls it; NULL where it has no such part. */
static const char *
part_name(const TransformerConfig *config, const Part *part)
{
	return config->family == FAMILY_DISTILBERT ? part->distilbert : part->name;
}

static size_t
part_elements(const TransformerConfig *config, const Part *part)
{
	return extent(config, part->rows) * extent(config, part->columns);
}

/*
 * Elements of all parts but the words; false where they are more than memory
 * has addresses.  A layer has less than 2^33, so that doubles tell it.
 */
bool
transformer_count_weights(const TransformerConfig *config, size_t *count)
{
	double		elements = 0.0;
	int			layer;

	for (int i = 1; i < part_count(config); i++)
	{
		const Part *part = part_at(i, &layer);

		elements += (double) extent(config, part->rows) * (double) extent(config, part->columns);
	}
	*count = 0;
	if (elements > (double) (SIZE_MAX / 16))
		return false;
	for (int i = 1; i < part_count(config); i++)
		*count += part_elements(config, part_at(i, &layer));
	return true;
}

/* A transformer of a valid configuration, with nothing in it. */
Status
transformer_allocate(const Caller *caller, const TransformerConfig *config, Encoder *encoder)
{
	Transformer *transformer = allocate_array(caller, 1, sizeof(Transformer));

	encoder->transformer = transformer;
	if (transformer == NULL)
		return STATUS_NO_MEMORY;
	transformer->config = *config;
	transformer->layer = allocate_array(caller, (size_t) config->layers,
										sizeof(TransformerLayer));
	return transformer->layer == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

void
transformer_free(const Caller *caller, Transformer *transformer)
{
	if (transformer == NULL)
		return;
	tokenizer_free(caller, &transformer->tokenizer);
	if (!transformer->words_borrowed)
		release(caller, (void *) (uintptr_t) transformer->words);
	if (!transformer->weights_borrowed)
		release(caller, (void *) (uintptr_t) transformer->weights);
	release(caller, transformer->layer);
	release(caller, transformer);
}

/* Points to the parts of transformer->weights. */
void
transformer_place(Transformer *transformer)
{
	const TransformerConfig *config = &transformer->config;
	size_t		width = (size_t) config->width;
	size_t		intermediate = (size_t) config->intermediate;
	const float *at = transformer->weights;

	transformer->position = at;
	at += (size_t) config->positions * width;
	transformer->token_type = at;
	at += (size_t) config->types * width;
	transformer->norm = at;
	at += 2 * width;
	for (int i = 0; i < config->layers; i++)
	{
		TransformerLayer *layer = &transformer->layer[i];

		layer->qkv = at;
		layer->qkv_bias = layer->qkv + 3 * width * width;
		layer->mix = layer->qkv_bias + 3 * width;
		layer->mix_bias = layer->mix + width * width;
		layer->mix_norm = layer->mix_bias + width;
		layer->up = layer->mix_norm + 2 * width;
		layer->up_bias = layer->up + intermediate * width;
		layer->down = layer->up_bias + intermediate;
		layer->down_bias = layer->down + width * intermediate;
		layer->down_norm = layer->down_bias + width;
		at = layer->down_norm + 2 * width;
	}
}

/*
 * n elements of that type to floats, or only looked at where floats is NULL.
 * STATUS_NOT_FINITE, STATUS_STOPPED.
 */
Status
transformer_convert(const Caller *caller, TensorType type, const unsigned char *bytes, size_t n,
					float *floats)
{
	for (size_t from = 0; from < n; from += ELEMENTS_A_QUESTION)
	{
		size_t		count = n - from < ELEMENTS_A_QUESTION ? n - from : ELEMENTS_A_QUESTION;
		const unsigned char *these = bytes + from * tensor_element(type);

		if (stopped(caller))
			return STATUS_STOPPED;
		if (floats == NULL ? !tensor_finite(type, these, count) :
			!tensor_to_floats(type, these, count, floats + from))
			return STATUS_NOT_FINITE;
	}
	return STATUS_SUCCESS;
}

/*
 * Is that the tensor's name, with or without the family's before it?  The
 * oldest files say gamma and beta of a norm where others say weight and bias.
 */
static bool
has_name(const Tensor *tensor, TransformerFamily family, const char *name)
{
	static const char *const ends[][2] = {
		{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}
	};
	static const char *const prefixes[] = {
		[FAMILY_BERT] = "bert.",[FAMILY_DISTILBERT] = "distilbert.",[FAMILY_ROBERTA] = "roberta."
	};
	const char *bytes = tensor->name;
	size_t		length = tensor->name_length;
	size_t		prefix = strlen(prefixes[family]);

	if (length > prefix && memcmp(bytes, prefixes[family], prefix) == 0)
	{
		bytes += prefix;
		length -= prefix;
	}
	if (strlen(name) == length && memcmp(bytes, name, length) == 0)
		return true;
	for (int i = 0; i < 2; i++)
	{
		size_t		end = strlen(ends[i][0]);
		size_t		old_end = strlen(ends[i][1]);
		size_t		begin = strlen(name) - end;

		if (strlen(name) >= end && strcmp(name + begin, ends[i][0]) == 0)
			return length == begin + old_end && memcmp(bytes, name, begin) == 0 &&
				memcmp(bytes + begin, ends[i][1], old_end) == 0;
	}
	return false;
}

/* "[3, 4]" of a tensor's shape or a part's, cut where it is too long. */
static void
print_shape(char *text, size_t size, int rank, const uint64_t *shape)
{
	size_t		length = 0;

	text[0] = '\0';
	for (int i = 0; i < rank && length < size; i++)
		length += (size_t) snprintf(text + length, size - length, "%s%llu", i == 0 ? "[" : ", ",
									(unsigned long long) shape[i]);
	if (length < size)
		snprintf(text + length, size - length, rank > 0 ? "]" : "[]");
}

/* STATUS_BAD_ARGUMENT with the problem where it is not as the part must be. */
static Status
check_tensor(const TransformerConfig *config, const Part *part, const Tensor *tensor,
			 TransformerProblem *problem)
{
	uint64_t	needed[2] = {extent(config, part->rows), extent(config, part->columns)};
	int			rank = part->columns == EXTENT_NONE ? 1 : 2;
	size_t		size = tensor_element(tensor->type);

	if (size == 0)
		complain(problem, tensor->name, tensor->name_length,
				 "is of a type other than F32, F16 and BF16");
	else if (tensor->rank != rank || tensor->shape[0] != needed[0] ||
			 (rank == 2 && tensor->shape[1] != needed[1]))
	{
		char		is[40];
		char		must[40];

		print_shape(is, sizeof(is), tensor->rank, tensor->shape);
		print_shape(must, sizeof(must), rank, needed);
		complain(problem, tensor->name, tensor->name_length, "is of shape %s, not %s", is, must);
	}
	else if (tensor->length / size != part_elements(config, part) || tensor->length % size != 0)
		complain(problem, tensor->name, tensor->name_length,
				 "is not as long as its shape says");
	else
		return STATUS_SUCCESS;
	return STATUS_BAD_ARGUMENT;
}

/* The one tensor of that part, of the right shape; NULL where there is no part. */
static Status
find_tensor(const TransformerConfig *config, const Part *part, int layer,
			const Tensor *tensors, size_t n, const Tensor **found,
			TransformerProblem *problem)
{
	const char *end = part_name(config, part);
	char		name[96];

	*found = NULL;
	if (end == NULL)
		return STATUS_SUCCESS;
	if (layer < 0)
		snprintf(name, sizeof(name), "%s", end);
	else
		snprintf(name, sizeof(name), "%s.layer.%d.%s",
				 config->family == FAMILY_DISTILBERT ? "transformer" : "encoder", layer, end);
	for (size_t i = 0; i < n; i++)
	{
		if (!has_name(&tensors[i], config->family, name))
			continue;
		if (*found != NULL)
		{
			complain(problem, name, strlen(name), "is there twice");
			return STATUS_BAD_ARGUMENT;
		}
		*found = &tensors[i];
	}
	if (*found == NULL)
	{
		complain(problem, name, strlen(name), "is missing");
		return STATUS_BAD_ARGUMENT;
	}
	return check_tensor(config, part, *found, problem);
}

/* Copies the words' vectors, of their own type or, where types differ, F32. */
static Status
copy_words(const Caller *caller, const Tensor *tensor, size_t count, Transformer *transformer)
{
	size_t		size = tensor_element(transformer->type);
	unsigned char *words = allocate_array(caller, count, size);
	float		some[256];
	Status		status;

	transformer->words = words;
	if (words == NULL)
		return STATUS_NO_MEMORY;
	status = transformer_convert(caller, tensor->type, tensor->bytes, count, NULL);
	if (status != STATUS_SUCCESS)
		return status;
	if (tensor->type == transformer->type)
		memcpy(words, tensor->bytes, count * size);
	else
		for (size_t i = 0; i < count; i += 256)
		{
			size_t		n = count - i < 256 ? count - i : 256;

			tensor_to_floats(tensor->type, tensor->bytes + i * tensor_element(tensor->type), n, some);
			tensor_to_bytes(some, n, words + i * size);
		}
	return STATUS_SUCCESS;
}

/* All weights from the tensors that hold them. */
static Status
take_tensors(const Caller *caller, const Tensor *tensors, size_t ntensors,
			 const Tensor **found, Transformer *transformer, TransformerProblem *problem)
{
	const TransformerConfig *config = &transformer->config;
	int			parts = part_count(config);
	float	   *weights;
	size_t		count;
	int			layer;

	for (int i = 0; i < parts; i++)
	{
		const Part *part = part_at(i, &layer);

		if (stopped(caller))
			return STATUS_STOPPED;
		TRY(find_tensor(config, part, layer, tensors, ntensors, &found[i], problem));
	}
	transformer->type = found[0]->type;
	for (int i = 1; i < parts; i++)
		if (found[i] != NULL && found[i]->type != transformer->type)
			transformer->type = TENSOR_F32;
	transformer->weights_type = transformer->type;
	if (!transformer_count_weights(config, &count))
		return STATUS_NO_MEMORY;
	weights = allocate_array(caller, count, sizeof(float));
	transformer->weights = weights;
	if (weights == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < parts; i++)
	{
		size_t		elements = part_elements(config, part_at(i, &layer));
		Status		status;

		if (found[i] == NULL)
			continue;
		status = i == 0 ? copy_words(caller, found[i], elements, transformer) :
			transformer_convert(caller, found[i]->type, found[i]->bytes, elements, weights);
		if (status == STATUS_NOT_FINITE)
			complain(problem, found[i]->name, found[i]->name_length,
					 "has a value that is infinite or not a number");
		if (status != STATUS_SUCCESS)
			return status;
		weights += i == 0 ? 0 : elements;
	}
	transformer_place(transformer);
	return STATUS_SUCCESS;
}

Status
transformer_make(const Caller *caller, const TransformerConfig *config,
				 const Tensor *tensors, size_t ntensors,
				 Tokenizer *tokenizer, Encoder **encoder, TransformerProblem *problem)
{
	const char *fault = transformer_config_fault(config);
	const Tensor **found;
	Encoder    *made;
	Status		status;

	*encoder = NULL;
	memset(problem, 0, sizeof(*problem));
	if (fault != NULL)
	{
		complain(problem, "", 0, "%s", fault);
		return STATUS_BAD_ARGUMENT;
	}
	if (tokenizer->kind == TOKENIZER_NONE)
	{
		complain(problem, "", 0, "there is no tokenizer");
		return STATUS_BAD_ARGUMENT;
	}
	if (tokenizer_ids(tokenizer) > (uint32_t) config->words)
	{
		complain(problem, "", 0, "the vocabulary has numbers beyond vocab_size, %d", config->words);
		return STATUS_BAD_ARGUMENT;
	}
	made = encoder_allocate(caller, ENCODER_TRANSFORMER, config->width);
	if (made == NULL)
		return STATUS_NO_MEMORY;
	status = transformer_allocate(caller, config, made);
	if (status == STATUS_SUCCESS)
	{
		found = allocate_array(caller, (size_t) part_count(config), sizeof(found[0]));
		status = found == NULL ? STATUS_NO_MEMORY :
			take_tensors(caller, tensors, ntensors, found, made->transformer, problem);
		release(caller, (void *) found);
	}
	if (status != STATUS_SUCCESS)
	{
		encoder_free(caller, made);
		return status;
	}
	made->transformer->tokenizer = *tokenizer;
	*tokenizer = (Tokenizer) {.kind = TOKENIZER_NONE};
	*encoder = made;
	return STATUS_SUCCESS;
}
