/*-------------------------------------------------------------------------
 *
 * encoder.c
 *	  What all encoders have in common: making, storing, freeing them.
 *
 * Stored form, little-endian: "HLEN", version, kind, dims, then what the kind
 * needs.  Each kind counts its versions, and the newest is written; a later
 * version of this code reads every version up to that.
 *
 *-------------------------------------------------------------------------
 */
#include "encode_combined.h"
#include "transformer_internal.h"

#include <math.h>
#include <string.h>

#include "words_internal.h"

#define ENCODER_MAGIC UINT32_C(0x4E454C48)	/* "HLEN" */

static const uint32_t newest_version[] = {
	[ENCODER_TEXT] = 1,[ENCODER_VECTOR] = 1,[ENCODER_TRANSFORMER] = 2,
	[ENCODER_WORDS] = 1,[ENCODER_COMBINED] = 1
};

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
	combination_free(caller, encoder->combination);
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
	else if (encoder->kind == ENCODER_COMBINED)
		status = combination_encoding_init(encoder, encoding);
	else if (encoder->kind == ENCODER_WORDS)
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
	if (encoding->kind == ENCODER_COMBINED)
		combination_encoding_free(encoding);
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

Status
encode_inputs(const Encoder *encoder, const EncoderInput *inputs, const float *ahead,
			  Encoding *encoding)
{
	if (encoder->kind == ENCODER_COMBINED)
		return combination_encode(encoder, inputs, ahead, encoding);
	if (encoder->kind == ENCODER_VECTOR)
		return inputs->vector == NULL ? STATUS_BAD_ARGUMENT :
			encode_vector(encoder, inputs->vector, inputs->n, encoding);
	if (inputs->text == NULL)
		return STATUS_BAD_ARGUMENT;
	if (ahead == NULL)
		return encode_text(encoder, inputs->text, inputs->length, encoding);
	encoding->terms = 0;
	memcpy(encoding->dense, ahead, (size_t) encoder->dims * sizeof(float));
	return isfinite(ahead[0]) ? STATUS_SUCCESS : STATUS_NOT_FINITE;
}

int
encoder_ahead_dims(const Encoder *encoder)
{
	if (encoder->kind == ENCODER_COMBINED)
		return combination_ahead_dims(encoder);
	return encoder->kind == ENCODER_TRANSFORMER ? encoder->dims : 0;
}

Status
encode_ahead(const Encoder *encoder, const EncoderInput *inputs, int ninputs, int rows,
			 Encoding *encoding, float *ahead)
{
	if (encoder->kind == ENCODER_COMBINED)
		return combination_encode_ahead(encoder, inputs, ninputs, rows, encoding, ahead);
	if (encoder->kind == ENCODER_TRANSFORMER)
		return transformer_encode_ahead(encoder, inputs, ninputs, rows, encoding, ahead,
										encoder->dims);
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

static Status
write_encoder(const Encoder *encoder, bool expanded, Writer *writer)
{
	write_u32(writer, ENCODER_MAGIC);
	write_u32(writer, newest_version[encoder->kind]);
	write_u32(writer, (uint32_t) encoder->kind);
	write_u32(writer, (uint32_t) encoder->dims);
	if (encoder->kind == ENCODER_TEXT)
		TRY(text_encoder_write(encoder, writer));
	if (encoder->kind == ENCODER_TRANSFORMER)
		TRY(transformer_write(encoder, expanded, writer));
	if (encoder->kind == ENCODER_COMBINED)
		TRY(combination_write(encoder, writer));
	if (encoder->kind == ENCODER_WORDS)
		TRY(word_table_write(encoder->word_table, encoder->dims, writer));
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* STATUS_NO_MEMORY where the writer failed. */
Status
encoder_write(const Encoder *encoder, Writer *writer)
{
	return write_encoder(encoder, false, writer);
}

Status
encoder_write_expanded(const Encoder *encoder, Writer *writer)
{
	return write_encoder(encoder, true, writer);
}

static bool
is_kind(uint32_t kind)
{
	return kind <= ENCODER_LAST && newest_version[kind] > 0;
}

/* All ways of reading. */
static Status
read_encoder(const Caller *caller, Reader *reader, bool in_place, bool is_part,
			 Encoder **encoder)
{
	uint32_t	magic = read_u32(reader);
	uint32_t	version = read_u32(reader);
	uint32_t	kind = read_u32(reader);
	uint32_t	dims = read_u32(reader);
	Encoder    *read;
	Status		status = STATUS_SUCCESS;

	*encoder = NULL;
	if (reader->failed || magic != ENCODER_MAGIC || !is_kind(kind) ||
		(is_part && kind == ENCODER_COMBINED) || version < 1 || version > newest_version[kind] ||
		dims < 1 || dims > ENCODER_MAX_DIMS)
		return STATUS_CORRUPT;
	read = encoder_allocate(caller, (EncoderKind) kind, (int) dims);
	if (read == NULL)
		return STATUS_NO_MEMORY;
	if (kind == ENCODER_TEXT)
		status = text_encoder_read(caller, reader, in_place, read);
	else if (kind == ENCODER_TRANSFORMER)
		status = transformer_read(caller, reader, version, in_place, read);
	else if (kind == ENCODER_WORDS)
		status = word_table_read(caller, reader, in_place, (int) dims, &read->word_table);
	else if (kind == ENCODER_COMBINED)
		status = combination_read(caller, reader, in_place, read);
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
	return read_encoder(caller, reader, false, false, encoder);
}

Status
encoder_read_in_place(const Caller *caller, Reader *reader, Encoder **encoder)
{
	return read_encoder(caller, reader, true, false, encoder);
}

Status
encoder_read_part(const Caller *caller, Reader *reader, bool in_place, Encoder **encoder)
{
	return read_encoder(caller, reader, in_place, true, encoder);
}
