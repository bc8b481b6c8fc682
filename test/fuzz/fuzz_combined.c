/*-------------------------------------------------------------------------
 *
 * fuzz_combined.c
 *	  Any bytes as a stored combination: refused, or fit to encode with.
 *
 * Those behind the encoder are used as a text and as packed terms.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_encode.h"
#include "fuzz_stored.h"

#include "../unit/transformer_helpers.h"

/* What every part is given: input i is a text, a vector, or both. */
static void
make_inputs(const uint8_t *rest, size_t length, const float *vector, EncoderInput *inputs)
{
	for (int i = 0; i < ENCODER_MAX_INPUTS; i++)
		inputs[i] = (EncoderInput) {i % 4 < 3 ? (const char *) rest : NULL, length,
			i % 2 == 0 ? vector : NULL, 1 + i};
}

static void
encode_with(const Encoder *encoder, const EncoderInput *inputs, Encoding *encoding,
			const uint8_t *rest, size_t length, bool fails)
{
	int			ahead_dims = encoder_ahead_dims(encoder);
	float	   *ahead = calloc((size_t) ahead_dims + 1, sizeof(float));
	Status		status = encode_inputs(encoder, inputs, NULL, encoding);

	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_BAD_ARGUMENT ||
			   status == STATUS_NOT_FINITE || fails);
	if (status == STATUS_SUCCESS)
		check_terms(encoder, encoding);
	for (int j = 0; j < encoder_dims(encoder) && status == STATUS_SUCCESS; j++)
		FUZZ_CHECK(isfinite(encoding->dense[j]));
	status = encode_ahead(encoder, inputs, ENCODER_MAX_INPUTS, 1, encoding, ahead);
	FUZZ_CHECK(status == STATUS_SUCCESS || fails);
	if (status == STATUS_SUCCESS)
	{
		status = encode_inputs(encoder, inputs, ahead_dims > 0 ? ahead : NULL, encoding);
		FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_BAD_ARGUMENT ||
				   status == STATUS_NOT_FINITE || fails);
	}
	status = terms_unpack(encoder, rest, length, encoding);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (status == STATUS_BAD_ARGUMENT && encoder_sparse_dims(encoder) == 0) || fails);
	if (status == STATUS_SUCCESS)
		check_terms(encoder, encoding);
	free(ahead);
}

/* References lead to a vector encoder that suits them, where there is one. */
static void
use(const Caller *caller, const Encoder *encoder, const uint8_t *rest, size_t length, bool fails)
{
	const float vector[ENCODER_MAX_INPUTS] = {1.0f, 0.5f, -2.0f};
	Encoder    *found[COMBINATION_MAX_PARTS] = {NULL};
	bool		complete = true;
	EncoderInput inputs[ENCODER_MAX_INPUTS];
	Encoding	encoding;
	Status		status;

	make_inputs(rest, length, vector, inputs);
	for (int i = 0; i < encoder_parts(encoder); i++)
	{
		EncoderPart part;

		encoder_part(encoder, i, &part);
		if (part.encoder != NULL)
			continue;
		FUZZ_CHECK(part.reference != 0);
		status = vector_encoder(caller, part.dims, &found[i]);
		FUZZ_CHECK(status == STATUS_SUCCESS || fails);
		complete = complete && status == STATUS_SUCCESS &&
			encoder_refer(caller, (Encoder *) (uintptr_t) encoder, i, found[i]) == STATUS_SUCCESS;
	}
	status = encoding_init(caller, encoder, &encoding);
	FUZZ_CHECK(fails || status == (complete ? STATUS_SUCCESS : STATUS_BAD_ARGUMENT));
	if (status == STATUS_SUCCESS)
	{
		encode_with(encoder, inputs, &encoding, rest, length, fails);
		encoding_free(&encoding);
	}
	for (int i = 0; i < COMBINATION_MAX_PARTS; i++)
		encoder_free(caller, found[i]);
}

static bool
wanted(EncoderKind kind)
{
	return kind == ENCODER_COMBINED;
}

static void
run_combined(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	fuzz_keeper();				/* for the matrices */
	run_stored(caller, data, size, fails, wanted, use);
}

const long	fuzz_runs = 5000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_combined, data, size);
}

static Encoder *
vectors_of(int dims)
{
	Encoder    *vectors;

	FUZZ_CHECK(vector_encoder(fuzz_keeper(), dims, &vectors) == STATUS_SUCCESS);
	return vectors;
}

/* Texts and vectors; with a reference; with a transformer. */
bool
fuzz_seed(int n, Writer *writer)
{
	EncoderPart parts[3] = {{0}};
	Encoder    *encoder;
	Encoder    *other = NULL;

	if (n > 2)
		return false;
	parts[0].encoder = vectors_of(3);
	parts[1].input = 1;
	if (n == 0)
	{
		Writer		stored;
		Reader		reader;

		writer_init(&stored, fuzz_keeper());
		FUZZ_CHECK(encoder_write(fuzz_encoder(), &stored) == STATUS_SUCCESS);
		reader_init(&reader, stored.bytes, stored.length);
		FUZZ_CHECK(encoder_read(fuzz_keeper(), &reader, &other) == STATUS_SUCCESS);
		release(fuzz_keeper(), stored.bytes);
		parts[1].encoder = other;
	}
	else if (n == 1)
	{
		parts[1].encoder = vectors_of(2);
		parts[1].reference = 7;
	}
	else
	{
		SmallModel *model = small_model(0, TENSOR_F16);
		TransformerProblem problem;

		FUZZ_CHECK(small_make(fuzz_keeper(), model, &other, &problem) == STATUS_SUCCESS);
		small_model_free(model);
		parts[1].encoder = other;
	}
	FUZZ_CHECK(encoder_combine(fuzz_keeper(), parts, 2, &encoder) == STATUS_SUCCESS);
	FUZZ_CHECK(encoder_write(encoder, writer) == STATUS_SUCCESS);
	write_bytes(writer, "\x01\x02\x00 where is my card", 19);
	if (n == 1)
		encoder_free(fuzz_keeper(), (Encoder *) (uintptr_t) parts[1].encoder);
	encoder_free(fuzz_keeper(), encoder);
	return true;
}
