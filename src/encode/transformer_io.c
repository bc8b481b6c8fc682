/*-------------------------------------------------------------------------
 *
 * transformer_io.c
 *	  The stored form of a transformer.
 *
 * After what encoder.c writes: the configuration (in version 1 without its
 * last two numbers: all were BERT), the tokenizer (in version 1 without its
 * kind: all were WordPiece), zeros up to a multiple of 64 bytes, then the
 * weights in the order in which transformer_make.c lists them, all of one
 * type: that of the tensors if they share one, else F32.  Where the stored
 * bytes are F32, aligned, and may be borrowed, they are used as they are.
 *
 * The expanded form is for that: the words' vectors are of the type, a flag
 * beside it says so, and behind them, and again zeros, all other weights are
 * F32.
 *
 *-------------------------------------------------------------------------
 */
#include "transformer_internal.h"

#include <string.h>

/* Stored weights begin at a multiple of this, from the form's beginning */
#define STORED_ALIGNMENT 64

/* Beside the type, which is another then: all but the words' vectors is F32 */
#define STORED_EXPANDED UINT32_C(0x100)

/* Bytes of what encoder.c has written and read before */
#define ENCODER_HEADER 16

static void
write_config(const TransformerConfig *config, uint32_t type, Writer *writer)
{
	write_u32(writer, (uint32_t) config->layers);
	write_u32(writer, (uint32_t) config->heads);
	write_u32(writer, (uint32_t) config->intermediate);
	write_u32(writer, (uint32_t) config->words);
	write_u32(writer, (uint32_t) config->positions);
	write_u32(writer, (uint32_t) config->types);
	write_u32(writer, (uint32_t) config->max_tokens);
	write_double(writer, config->layer_norm_eps);
	write_u32(writer, (uint32_t) config->pooling);
	write_u32(writer, config->normalize);
	write_u32(writer, config->first);
	write_u32(writer, config->last);
	write_u32(writer, type);
	write_u32(writer, (uint32_t) config->family);
	write_u32(writer, (uint32_t) config->first_position);
}

/* A number that an int must hold; what does not fit is out of every range. */
static int
read_int(Reader *reader)
{
	uint32_t	value = read_u32(reader);

	return value > INT32_MAX ? -1 : (int) value;
}

static Status
read_config(Reader *reader, uint32_t version, int width, TransformerConfig *config,
			TensorType *type, TensorType *weights_type)
{
	uint32_t	pooling;
	uint32_t	normalize;
	uint32_t	stored_type;
	uint32_t	family = FAMILY_BERT;
	bool		expanded = false;

	*config = (TransformerConfig) {.width = width};
	config->layers = read_int(reader);
	config->heads = read_int(reader);
	config->intermediate = read_int(reader);
	config->words = read_int(reader);
	config->positions = read_int(reader);
	config->types = read_int(reader);
	config->max_tokens = read_int(reader);
	config->layer_norm_eps = read_double(reader);
	pooling = read_u32(reader);
	normalize = read_u32(reader);
	config->first = read_u32(reader);
	config->last = read_u32(reader);
	stored_type = read_u32(reader);
	if (version >= 2)
	{
		family = read_u32(reader);
		config->first_position = read_int(reader);
		expanded = stored_type & STORED_EXPANDED;
		stored_type &= ~STORED_EXPANDED;
	}
	if (reader->failed || pooling > POOLING_FIRST || normalize > 1 ||
		stored_type >= TENSOR_OTHER || (expanded && stored_type == TENSOR_F32) ||
		family > FAMILY_ROBERTA)
		return STATUS_CORRUPT;
	config->family = (TransformerFamily) family;
	config->pooling = (TransformerPooling) pooling;
	config->normalize = normalize == 1;
	*type = (TensorType) stored_type;
	*weights_type = expanded ? TENSOR_F32 : *type;
	return transformer_config_fault(config) == NULL ? STATUS_SUCCESS : STATUS_CORRUPT;
}

static void
write_padding(Writer *writer, size_t begin)
{
	static const unsigned char zeros[STORED_ALIGNMENT];

	write_bytes(writer, zeros, (STORED_ALIGNMENT - (writer->length - begin) % STORED_ALIGNMENT) %
				STORED_ALIGNMENT);
}

Status
transformer_write(const Encoder *encoder, bool expanded, Writer *writer)
{
	const Transformer *transformer = encoder->transformer;
	const TransformerConfig *config = &transformer->config;
	TensorType	type = transformer->type;
	TensorType	weights_type = expanded ? TENSOR_F32 : transformer->weights_type;
	size_t		begin = writer->length - ENCODER_HEADER;
	size_t		words = (size_t) config->words * (size_t) config->width;
	size_t		count;
	int16_t		halves[256];

	if (writer->failed || !transformer_count_weights(config, &count))
		return STATUS_NO_MEMORY;
	write_config(config, (uint32_t) type | (weights_type == type ? 0 : STORED_EXPANDED), writer);
	tokenizer_write(&transformer->tokenizer, writer);
	write_padding(writer, begin);
	write_bytes(writer, transformer->words, words * tensor_element(type));
	if (weights_type != type)
		write_padding(writer, begin);
	if (weights_type == TENSOR_F32)
		write_floats(writer, transformer->weights, count);
	else
		for (size_t i = 0; i < count; i += 256)
		{
			size_t		n = count - i < 256 ? count - i : 256;

			tensor_from_floats(weights_type, transformer->weights + i, n, halves);
			write_i16s(writer, halves, n);
		}
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

static Status
read_tokenizer(const Caller *caller, Reader *reader, uint32_t version, Tokenizer *tokenizer)
{
	if (version >= 2)
		return tokenizer_read(caller, reader, tokenizer);
	TRY(wordpiece_read(caller, reader, &tokenizer->wordpiece));
	tokenizer->kind = TOKENIZER_WORDPIECE;
	return STATUS_SUCCESS;
}

/* Skips the zeros before the weights. */
static Status
read_padding(Reader *reader, size_t begin)
{
	size_t		length = (STORED_ALIGNMENT - (reader->position - begin) % STORED_ALIGNMENT) %
		STORED_ALIGNMENT;
	unsigned char bytes[STORED_ALIGNMENT];

	read_bytes(reader, bytes, length);
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != 0)
			return STATUS_CORRUPT;
	return reader->failed ? STATUS_CORRUPT : STATUS_SUCCESS;
}

/*
 * The vectors of words, as they are: words * width elements.  The reader must
 * have been found to hold them.
 */
static Status
read_words(const Caller *caller, Reader *reader, bool in_place, size_t words,
		   Transformer *transformer)
{
	size_t		size = tensor_element(transformer->type);
	const unsigned char *bytes = reader->bytes + reader->position;

	TRY(transformer_convert(caller, transformer->type, bytes, words, NULL));
	transformer->words = bytes;
	transformer->words_borrowed = in_place;
	if (!in_place)
	{
		unsigned char *copy = allocate_array(caller, words, size);

		transformer->words = copy;
		if (copy == NULL)
			return STATUS_NO_MEMORY;
		memcpy(copy, bytes, words * size);
	}
	reader->position += words * size;
	return STATUS_SUCCESS;
}

/* All other weights, likewise. */
static Status
read_weights(const Caller *caller, Reader *reader, bool in_place, size_t count,
			 Transformer *transformer)
{
	TensorType	type = transformer->weights_type;
	const unsigned char *bytes = reader->bytes + reader->position;

	if (in_place && type == TENSOR_F32 && little_endian() &&
		(uintptr_t) bytes % sizeof(float) == 0)
	{
		TRY(transformer_convert(caller, type, bytes, count, NULL));
		transformer->weights = (const float *) (const void *) bytes;
		transformer->weights_borrowed = true;
	}
	else
	{
		float	   *weights = allocate_array(caller, count, sizeof(float));

		transformer->weights = weights;
		if (weights == NULL)
			return STATUS_NO_MEMORY;
		TRY(transformer_convert(caller, type, bytes, count, weights));
	}
	reader->position += count * tensor_element(type);
	transformer_place(transformer);
	return STATUS_SUCCESS;
}

/* Both parts, if the reader holds them. */
static Status
read_numbers(const Caller *caller, Reader *reader, size_t begin, bool in_place,
			 Transformer *transformer)
{
	const TransformerConfig *config = &transformer->config;
	size_t		words = (size_t) config->words * (size_t) config->width;
	size_t		count;

	if (!transformer_count_weights(config, &count) || words > SIZE_MAX / 16 ||
		reader_left(reader) / tensor_element(transformer->type) < words)
		return STATUS_CORRUPT;
	TRY(read_words(caller, reader, in_place, words, transformer));
	if (transformer->weights_type != transformer->type)
		TRY(read_padding(reader, begin));
	if (reader_left(reader) / tensor_element(transformer->weights_type) < count)
		return STATUS_CORRUPT;
	return read_weights(caller, reader, in_place, count, transformer);
}

/* Fills in an encoder of known dims; on failure the caller frees it. */
Status
transformer_read(const Caller *caller, Reader *reader, uint32_t version, bool in_place,
				 Encoder *encoder)
{
	size_t		begin = reader->position - ENCODER_HEADER;
	TransformerConfig config;
	TensorType	type;
	TensorType	weights_type;
	Status		status;

	TRY(read_config(reader, version, encoder->dims, &config, &type, &weights_type));
	TRY(transformer_allocate(caller, &config, encoder));
	encoder->transformer->type = type;
	encoder->transformer->weights_type = weights_type;
	TRY(read_tokenizer(caller, reader, version, &encoder->transformer->tokenizer));
	if (tokenizer_ids(&encoder->transformer->tokenizer) > (uint32_t) config.words)
		return STATUS_CORRUPT;
	TRY(read_padding(reader, begin));
	status = read_numbers(caller, reader, begin, in_place, encoder->transformer);
	return status == STATUS_NOT_FINITE ? STATUS_CORRUPT : status;
}
