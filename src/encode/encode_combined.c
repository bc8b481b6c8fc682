/*-------------------------------------------------------------------------
 *
 * encode_combined.c
 *	  Encoders side by side: each reads one of a row's inputs.
 *
 * The dense parts are placed one behind the other, each of length 1 / root of
 * their number, so that a row of which every part says something is of unit
 * length.  What a part cannot read (NULL, a vector of another length, a text
 * without a known word) is zero there, and the row is the shorter for it: the
 * less is known of a row, the less sure the model is.  How much each part
 * counts is for the model to learn (model.h).
 *
 * A part is stored with the combination, or elsewhere, for many combinations:
 * then there is only a reference to it, by a number that means something to
 * whoever stores them.
 *
 * Stored form: number of parts; of each its input, kind and dims, the
 * reference, and, where that is 0, the encoder; of word vectors the length of
 * the weights, and these (0: all words alike).
 *
 *-------------------------------------------------------------------------
 */
#include "encode_combined.h"
#include "transformer_internal.h"
#include "words.h"

#include <math.h>
#include <string.h>

typedef struct CombinationPart
{
	int			input;
	EncoderKind kind;
	int			dims;
	uint64_t	reference;		/* 0: encoder is ours */
	const Encoder *encoder;		/* NULL: referred to, and not yet found */
	WordWeights *weights;		/* of word vectors; NULL: all words alike, or ... */
	unsigned char *stored_weights;	/* ... until the encoder is found */
	size_t		stored_length;
	uint32_t	base;			/* of its terms among all */
} CombinationPart;

struct Combination
{
	int			n;
	CombinationPart part[COMBINATION_MAX_PARTS];
};

/* Scratch: an encoding for each part. */
typedef struct CombinationScratch
{
	int			n;
	Encoding	encoding[COMBINATION_MAX_PARTS];
} CombinationScratch;

static bool
computed_ahead(const CombinationPart *part)
{
	return part->kind == ENCODER_TRANSFORMER;
}

/* ---------------------------------------------------------------------- */
/* Making */

/* From the parts to what is known of the whole. */
static Status
sum_up(Encoder *encoder)
{
	Combination *combination = encoder->combination;
	int64_t		dims = 0;
	int64_t		terms = 0;

	for (int i = 0; i < combination->n; i++)
	{
		CombinationPart *part = &combination->part[i];

		part->base = (uint32_t) terms;
		dims += part->dims;
		terms += part->encoder == NULL ? 0 : part->encoder->vocabulary;
	}
	if (dims > ENCODER_MAX_DIMS || terms > ENCODER_MAX_VOCABULARY)
		return STATUS_BAD_ARGUMENT;
	encoder->dims = (int) dims;
	encoder->vocabulary = (int) terms;
	return STATUS_SUCCESS;
}

Status
encoder_combine(const Caller *caller, const EncoderPart *parts, int n, Encoder **encoder)
{
	Encoder    *made;
	Status		status;

	*encoder = NULL;
	if (n < 1 || n > COMBINATION_MAX_PARTS)
		return STATUS_BAD_ARGUMENT;
	for (int i = 0; i < n; i++)
	{
		if (parts[i].input < 0 || parts[i].input >= ENCODER_MAX_INPUTS ||
			parts[i].encoder == NULL || parts[i].encoder->kind == ENCODER_COMBINED ||
			(parts[i].reference != 0 && parts[i].encoder->vocabulary > 0) ||
			(parts[i].weights != NULL && parts[i].encoder->kind != ENCODER_WORDS))
			return STATUS_BAD_ARGUMENT;
	}
	made = encoder_allocate(caller, ENCODER_COMBINED, 0);
	if (made == NULL)
		return STATUS_NO_MEMORY;
	made->combination = allocate_array(caller, 1, sizeof(Combination));
	if (made->combination == NULL)
	{
		encoder_free(caller, made);
		return STATUS_NO_MEMORY;
	}
	made->combination->n = n;
	for (int i = 0; i < n; i++)
		made->combination->part[i] = (CombinationPart) {
			.input = parts[i].input, .kind = parts[i].encoder->kind,
			.dims = parts[i].encoder->dims, .reference = parts[i].reference,
			.encoder = parts[i].encoder, .weights = parts[i].weights
		};
	status = sum_up(made);
	if (status != STATUS_SUCCESS)
	{
		/* on failure the parts are still the caller's */
		made->combination->n = 0;
		encoder_free(caller, made);
		return status;
	}
	*encoder = made;
	return STATUS_SUCCESS;
}

void
combination_free(const Caller *caller, Combination *combination)
{
	if (combination == NULL)
		return;
	for (int i = 0; i < combination->n; i++)
	{
		CombinationPart *part = &combination->part[i];

		word_weights_free(caller, part->weights);
		release(caller, part->stored_weights);
		if (part->reference == 0)
			encoder_free(caller, (Encoder *) (uintptr_t) part->encoder);
	}
	release(caller, combination);
}

int
encoder_parts(const Encoder *encoder)
{
	return encoder->kind == ENCODER_COMBINED ? encoder->combination->n : 1;
}

void
encoder_part(const Encoder *encoder, int i, EncoderPart *part)
{
	const CombinationPart *from;

	if (encoder->kind != ENCODER_COMBINED)
	{
		*part = (EncoderPart) {0, encoder->kind, encoder->dims, 0, encoder, NULL};
		return;
	}
	from = &encoder->combination->part[i];
	*part = (EncoderPart) {from->input, from->kind, from->dims, from->reference, from->encoder,
		from->weights};
}

int
encoder_find_term(const Encoder *encoder, int i, uint64_t hash)
{
	const CombinationPart *part;
	int			term;

	if (encoder->kind != ENCODER_COMBINED)
		return text_find_term(encoder, hash);
	part = &encoder->combination->part[i];
	term = part->encoder == NULL ? -1 : text_find_term(part->encoder, hash);
	return term < 0 ? -1 : term + (int) part->base;
}

int
encoder_term_projection(const Encoder *encoder, uint32_t term, float *projection)
{
	const Combination *combination = encoder->combination;
	int			i = 0;

	if (encoder->kind != ENCODER_COMBINED)
	{
		text_term_projection(encoder, term, projection);
		return 0;
	}
	/* the last part that begins there or before, of those that have terms */
	for (int p = 1; p < combination->n; p++)
	{
		const CombinationPart *part = &combination->part[p];

		if (part->base <= term && part->encoder != NULL && part->encoder->vocabulary > 0)
			i = p;
	}
	text_term_projection(combination->part[i].encoder, term - combination->part[i].base,
						 projection);
	return i;
}

/* The weights that were read for an encoder that is found now. */
static Status
find_weights(const Caller *caller, CombinationPart *part, const Encoder *encoder)
{
	Reader		reader;

	if (part->stored_length == 0)
		return STATUS_SUCCESS;
	reader_init(&reader, part->stored_weights, part->stored_length);
	TRY(word_weights_read(caller, &reader, encoder, &part->weights));
	release(caller, part->stored_weights);
	part->stored_weights = NULL;
	part->stored_length = 0;
	return reader_left(&reader) == 0 ? STATUS_SUCCESS : STATUS_CORRUPT;
}

Status
encoder_refer(const Caller *caller, Encoder *encoder, int i, const Encoder *to)
{
	CombinationPart *part = &encoder->combination->part[i];

	if (to->kind != part->kind || to->dims != part->dims || to->vocabulary > 0)
		return STATUS_CORRUPT;
	TRY(find_weights(caller, part, to));
	part->encoder = to;
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------- */
/* Encoding */

Status
combination_encoding_init(const Encoder *encoder, Encoding *encoding)
{
	const Combination *combination = encoder->combination;
	CombinationScratch *scratch = allocate_array(encoding->caller, 1, sizeof(CombinationScratch));

	encoding->scratch = scratch;
	if (scratch == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < combination->n; i++)
	{
		/* an encoder that was referred to and not found */
		if (combination->part[i].encoder == NULL)
			return STATUS_BAD_ARGUMENT;
		TRY(encoding_init(encoding->caller, combination->part[i].encoder, &scratch->encoding[i]));
		scratch->n = i + 1;
	}
	return STATUS_SUCCESS;
}

void
combination_encoding_free(Encoding *encoding)
{
	CombinationScratch *scratch = encoding->scratch;

	for (int i = 0; scratch != NULL && i < scratch->n; i++)
		encoding_free(&scratch->encoding[i]);
}

/* The terms of all parts behind one another, each behind those before. */
static Status
gather_terms(const Combination *combination, const CombinationScratch *scratch,
			 Encoding *encoding)
{
	int			terms = 0;

	for (int i = 0; i < combination->n; i++)
		terms += scratch->encoding[i].terms;
	TRY(encoding_room(encoding, terms));
	encoding->terms = 0;
	for (int i = 0; i < combination->n; i++)
	{
		const Encoding *part = &scratch->encoding[i];

		for (int j = 0; j < part->terms; j++)
		{
			encoding->index[encoding->terms] = part->index[j] + combination->part[i].base;
			encoding->count[encoding->terms] = part->count[j];
			encoding->weight[encoding->terms++] = part->weight[j];
		}
	}
	return STATUS_SUCCESS;
}

/* A part's dense vector to its place, at the length that it has there. */
static void
place_dense(const Combination *combination, const float *from, int dims, float *to)
{
	float		length = (float) sqrt(1.0 / combination->n);

	for (int j = 0; j < dims; j++)
		to[j] = combination->n == 1 ? from[j] : from[j] * length;
}

/* What a part makes of its input; ahead: what was computed before, or NULL. */
static Status
encode_part(const CombinationPart *part, const EncoderInput *input, const float *ahead,
			Encoding *encoding)
{
	encoding->terms = 0;
	if (part->weights != NULL)
		return input->text == NULL ? STATUS_BAD_ARGUMENT :
			encode_words(part->encoder, part->weights, input->text, input->length, encoding,
						 encoding->dense);
	if (ahead == NULL)
		return encode_inputs(part->encoder, input, NULL, encoding);
	/* of nothing that could be encoded there are no numbers */
	if (!isfinite(ahead[0]))
		return STATUS_NOT_FINITE;
	memcpy(encoding->dense, ahead, (size_t) part->dims * sizeof(float));
	return STATUS_SUCCESS;
}

Status
combination_encode(const Encoder *encoder, const EncoderInput *inputs, const float *ahead,
				   Encoding *encoding)
{
	const Combination *combination = encoder->combination;
	CombinationScratch *scratch = encoding->scratch;
	Status		worst = STATUS_BAD_ARGUMENT;
	bool		usable = false;
	float	   *dense = encoding->dense;

	for (int i = 0; i < combination->n; i++)
	{
		const CombinationPart *part = &combination->part[i];
		bool		is_ahead = ahead != NULL && computed_ahead(part);
		Status		status = encode_part(part, &inputs[part->input], is_ahead ? ahead : NULL,
										 &scratch->encoding[i]);

		if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
		{
			scratch->encoding[i].terms = 0;
			memset(dense, 0, (size_t) part->dims * sizeof(float));
			if (status == STATUS_NOT_FINITE)
				worst = status;
		}
		else
		{
			TRY(status);
			usable = true;
			place_dense(combination, scratch->encoding[i].dense, part->dims, dense);
		}
		dense += part->dims;
		if (is_ahead)
			ahead += part->dims;
	}
	TRY(gather_terms(combination, scratch, encoding));
	return usable ? STATUS_SUCCESS : worst;
}

int
combination_ahead_dims(const Encoder *encoder)
{
	int			dims = 0;

	for (int i = 0; i < encoder->combination->n; i++)
		dims += computed_ahead(&encoder->combination->part[i]) ?
			encoder->combination->part[i].dims : 0;
	return dims;
}

Status
combination_encode_ahead(const Encoder *encoder, const EncoderInput *inputs, int ninputs,
						 int rows, Encoding *encoding, float *ahead)
{
	const Combination *combination = encoder->combination;
	CombinationScratch *scratch = encoding->scratch;
	int			stride = combination_ahead_dims(encoder);

	for (int i = 0; i < combination->n; i++)
	{
		const CombinationPart *part = &combination->part[i];

		if (!computed_ahead(part))
			continue;
		TRY(transformer_encode_ahead(part->encoder, inputs + part->input, ninputs, rows,
									 &scratch->encoding[i], ahead, stride));
		ahead += part->dims;
	}
	return STATUS_SUCCESS;
}

void
combination_weigh_terms(const Encoder *encoder, Encoding *encoding)
{
	const Combination *combination = encoder->combination;
	int			from = 0;

	for (int i = 0; i < combination->n; i++)
	{
		const CombinationPart *part = &combination->part[i];
		uint32_t	end = part->base + (uint32_t) part->encoder->vocabulary;
		int			to = from;

		while (to < encoding->terms && encoding->index[to] < end)
			to++;
		if (to > from)
			text_weigh_terms(part->encoder, encoding, from, to, part->base);
		from = to;
	}
}

/* ---------------------------------------------------------------------- */
/* Stored form */

/* The weights with their length before them. */
static Status
write_weights(const CombinationPart *part, Writer *writer)
{
	Writer		stored;
	Status		status = STATUS_SUCCESS;

	/* of an encoder that was not found they are as they were read */
	if (part->weights == NULL)
	{
		write_u64(writer, part->stored_length);
		write_bytes(writer, part->stored_weights, part->stored_length);
		return STATUS_SUCCESS;
	}
	writer_init(&stored, writer->caller);
	status = word_weights_write(part->weights, &stored);
	write_u64(writer, stored.length);
	write_bytes(writer, stored.bytes, stored.length);
	release(writer->caller, stored.bytes);
	return status;
}

Status
combination_write(const Encoder *encoder, Writer *writer)
{
	const Combination *combination = encoder->combination;

	write_u32(writer, (uint32_t) combination->n);
	for (int i = 0; i < combination->n; i++)
	{
		const CombinationPart *part = &combination->part[i];

		write_u32(writer, (uint32_t) part->input);
		write_u32(writer, (uint32_t) part->kind);
		write_u32(writer, (uint32_t) part->dims);
		write_u64(writer, part->reference);
		if (part->reference == 0)
			TRY(encoder_write(part->encoder, writer));
		if (part->kind == ENCODER_WORDS)
			TRY(write_weights(part, writer));
	}
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

static Status
read_weights(const Caller *caller, Reader *reader, CombinationPart *part)
{
	uint64_t	length = read_u64(reader);

	if (reader->failed || length > reader_left(reader))
		return STATUS_CORRUPT;
	if (length == 0)
		return STATUS_SUCCESS;
	part->stored_weights = allocate_array(caller, (size_t) length, 1);
	if (part->stored_weights == NULL)
		return STATUS_NO_MEMORY;
	part->stored_length = (size_t) length;
	read_bytes(reader, part->stored_weights, part->stored_length);
	return STATUS_SUCCESS;
}

/* The encoder of a part that has no reference. */
static Status
read_own(const Caller *caller, Reader *reader, bool in_place, CombinationPart *part)
{
	Encoder    *read;

	TRY(encoder_read_part(caller, reader, in_place, &read));
	part->encoder = read;
	return read->kind == part->kind && read->dims == part->dims ? STATUS_SUCCESS : STATUS_CORRUPT;
}

/* One part; what it owns is freed with the combination, n counts it. */
static Status
read_part(const Caller *caller, Reader *reader, bool in_place, CombinationPart *part)
{
	uint32_t	input = read_u32(reader);
	uint32_t	kind = read_u32(reader);
	uint32_t	dims = read_u32(reader);

	part->reference = read_u64(reader);
	if (reader->failed || input >= ENCODER_MAX_INPUTS || kind < ENCODER_TEXT ||
		kind > ENCODER_LAST || kind == ENCODER_COMBINED || dims < 1 || dims > ENCODER_MAX_DIMS ||
		(part->reference != 0 && kind == ENCODER_TEXT))
		return STATUS_CORRUPT;
	part->input = (int) input;
	part->kind = (EncoderKind) kind;
	part->dims = (int) dims;
	if (part->reference == 0)
		TRY(read_own(caller, reader, in_place, part));
	if (part->kind == ENCODER_WORDS)
		TRY(read_weights(caller, reader, part));
	return part->reference == 0 && part->stored_length > 0 ?
		find_weights(caller, part, part->encoder) : STATUS_SUCCESS;
}

Status
combination_read(const Caller *caller, Reader *reader, bool in_place, Encoder *encoder)
{
	uint32_t	n = read_u32(reader);
	int			dims = encoder->dims;
	Combination *combination;

	if (reader->failed || n < 1 || n > COMBINATION_MAX_PARTS)
		return STATUS_CORRUPT;
	combination = allocate_array(caller, 1, sizeof(Combination));
	encoder->combination = combination;
	if (combination == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < (int) n; i++)
	{
		combination->n = i + 1;
		TRY(read_part(caller, reader, in_place, &combination->part[i]));
	}
	if (sum_up(encoder) != STATUS_SUCCESS || encoder->dims != dims)
		return STATUS_CORRUPT;
	return STATUS_SUCCESS;
}
