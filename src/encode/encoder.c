/*-------------------------------------------------------------------------
 *
 * encoder.c
 *	  What all encoders have in common: making, storing, freeing them.
 *
 * Stored form, little-endian: "HLEN", version, kind, dims, then what the kind
 * needs.  A later version of this code reads every version listed here.
 *
 *-------------------------------------------------------------------------
 */
#include "transformer_internal.h"

#include <string.h>

#include "words_internal.h"

#define ENCODER_MAGIC UINT32_C(0x4E454C48)	/* "HLEN" */
#define ENCODER_VERSION 1

EncoderKind
encoder_kind(const Encoder *encoder)
{
	return encoder->kind;
}

int
encoder_dims(const Encoder *encoder)
{
	return encoder->dims;
}

int
encoder_sparse_dims(const Encoder *encoder)
{
	return encoder->vocabulary;
}

Encoder *
encoder_allocate(const Caller *caller, EncoderKind kind, int dims)
{
	Encoder    *encoder = allocate_array(caller, 1, sizeof(Encoder));

	if (encoder != NULL)
	{
		encoder->kind = kind;
		encoder->dims = dims;
	}
	return encoder;
}

void
encoder_free(const Caller *caller, Encoder *encoder)
{
	if (encoder == NULL)
		return;
	release(caller, encoder->hash);
	release(caller, encoder->idf);
	release(caller, encoder->scale);
	if (!encoder->borrowed)
		release(caller, encoder->mantissa);
	release(caller, encoder->slots);
	transformer_free(caller, encoder->transformer);
	word_table_free(caller, encoder->word_table);
	release(caller, encoder);
}

/*
 * A scratch area for this encoder, for any number of rows one after another.
 * STATUS_NO_MEMORY; then there is nothing to free.
 */
Status
encoding_init(const Caller *caller, const Encoder *encoder, Encoding *encoding)
{
	Status		status = STATUS_SUCCESS;

	*encoding = (Encoding) {.caller = caller, .kind = encoder->kind};
	encoding->dense = allocate_array(caller, (size_t) encoder->dims, sizeof(float));
	if (encoding->dense == NULL)
		return STATUS_NO_MEMORY;
	if (encoder->kind == ENCODER_TEXT)
		status = text_encoding_init(encoder, encoding);
	if (encoder->kind == ENCODER_WORDS)
		status = words_encoding_init(encoder, encoding);
	if (status != STATUS_SUCCESS)
		encoding_free(encoding);
	return status;
}

void
encoding_free(Encoding *encoding)
{
	const Caller *caller = encoding->caller;

	release(caller, encoding->dense);
	release(caller, encoding->index);
	release(caller, encoding->count);
	release(caller, encoding->weight);
	if (encoding->kind == ENCODER_TRANSFORMER)
		transformer_encoding_free(encoding);
	release(caller, encoding->scratch);
	*encoding = (Encoding) {.caller = caller};
}

Status
encode_texts(const Encoder *encoder, const char *const *texts, const size_t *lengths, int n,
			 Encoding *encoding, float *dense)
{
	size_t		dims = (size_t) encoder->dims;

	if (encoder->kind == ENCODER_TRANSFORMER)
		return transformer_encode(encoder, texts, lengths, n, encoding, dense);
	for (int i = 0; i < n; i++)
	{
		TRY(encode_text(encoder, texts[i], lengths[i], encoding));
		memcpy(dense + (size_t) i * dims, encoding->dense, dims * sizeof(float));
	}
	return STATUS_SUCCESS;
}

bool
dense_blank(const float *dense, int dims)
{
	for (int i = 0; i < dims; i++)
		if (dense[i] != 0.0f)
			return false;
	return true;
}

/* STATUS_NO_MEMORY where the writer failed. */
Status
encoder_write(const Encoder *encoder, Writer *writer)
{
	write_u32(writer, ENCODER_MAGIC);
	write_u32(writer, ENCODER_VERSION);
	write_u32(writer, (uint32_t) encoder->kind);
	write_u32(writer, (uint32_t) encoder->dims);
	if (encoder->kind == ENCODER_TEXT)
		TRY(text_encoder_write(encoder, writer));
	if (encoder->kind == ENCODER_TRANSFORMER)
		TRY(transformer_write(encoder, writer));
	if (encoder->kind == ENCODER_WORDS)
		TRY(word_table_write(encoder->word_table, encoder->dims, writer));
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* Both ways of reading. */
static Status
read_encoder(const Caller *caller, Reader *reader, bool in_place, Encoder **encoder)
{
	uint32_t	magic = read_u32(reader);
	uint32_t	version = read_u32(reader);
	uint32_t	kind = read_u32(reader);
	uint32_t	dims = read_u32(reader);
	Encoder    *read;
	Status		status = STATUS_SUCCESS;

	*encoder = NULL;
	if (reader->failed || magic != ENCODER_MAGIC || version != ENCODER_VERSION ||
		kind < ENCODER_TEXT || kind > ENCODER_WORDS ||
		dims < 1 || dims > ENCODER_MAX_DIMS)
		return STATUS_CORRUPT;
	read = encoder_allocate(caller, (EncoderKind) kind, (int) dims);
	if (read == NULL)
		return STATUS_NO_MEMORY;
	if (kind == ENCODER_TEXT)
		status = text_encoder_read(caller, reader, in_place, read);
	else if (kind == ENCODER_TRANSFORMER)
		status = transformer_read(caller, reader, in_place, read);
	else if (kind == ENCODER_WORDS)
		status = word_table_read(caller, reader, in_place, (int) dims, &read->word_table);
	if (status != STATUS_SUCCESS)
	{
		encoder_free(caller, read);
		return status;
	}
	*encoder = read;
	return STATUS_SUCCESS;
}

/*
 * Reads what encoder_write has written; the reader may hold more behind it.
 * STATUS_CORRUPT for anything else, STATUS_NO_MEMORY.
 */
Status
encoder_read(const Caller *caller, Reader *reader, Encoder **encoder)
{
	return read_encoder(caller, reader, false, encoder);
}

Status
encoder_read_in_place(const Caller *caller, Reader *reader, Encoder **encoder)
{
	return read_encoder(caller, reader, true, encoder);
}
