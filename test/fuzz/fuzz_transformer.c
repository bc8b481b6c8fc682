/*-------------------------------------------------------------------------
 *
 * fuzz_transformer.c
 *	  Any bytes as a stored transformer: refused, or fit to encode with.
 *
 * Those behind the encoder are used as a text.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "../unit/transformer_helpers.h"

/* What was read is what would be written. */
static void
check_written(const Caller *caller, const Encoder *encoder, const uint8_t *data, size_t length)
{
	Writer		writer;

	writer_init(&writer, caller);
	if (encoder_write(encoder, &writer) == STATUS_SUCCESS)
		FUZZ_CHECK(writer.length == length && memcmp(writer.bytes, data, length) == 0);
	release(caller, writer.bytes);
}

/* Encodes with it: a vector of numbers comes out, or the word that it cannot. */
static void
use(const Caller *caller, const Encoder *encoder, const uint8_t *rest, size_t length, bool fails)
{
	int			dims = encoder_dims(encoder);
	float	   *dense = malloc(2 * (size_t) dims * sizeof(float));
	const char *texts[2] = {(const char *) rest, "a b c"};
	const size_t lengths[2] = {length, 5};
	Encoding	encoding;
	Status		status = encoding_init(caller, encoder, &encoding);

	FUZZ_CHECK(status == STATUS_SUCCESS || fails);
	if (status == STATUS_SUCCESS)
	{
		status = encode_texts(encoder, texts, lengths, 2, &encoding, dense);
		FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_NOT_FINITE || fails);
		for (int i = 0; i < 2 * dims && status == STATUS_SUCCESS; i++)
			FUZZ_CHECK(isfinite(dense[i]));
		status = encode_text(encoder, texts[0], length, &encoding);
		FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_NOT_FINITE || fails);
		FUZZ_CHECK(encode_vector(encoder, dense, dims, &encoding) == STATUS_BAD_ARGUMENT);
		encoding_free(&encoding);
	}
	free(dense);
}

static void
run_transformer(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	fuzz_keeper();				/* for the matrices */
	for (int in_place = 0; in_place < 2; in_place++)
	{
		Reader		reader;
		Encoder    *encoder;
		Status		status;

		reader_init(&reader, data, size);
		status = in_place ? encoder_read_in_place(caller, &reader, &encoder) :
			encoder_read(caller, &reader, &encoder);
		FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
				   (fails && status == STATUS_NO_MEMORY));
		FUZZ_CHECK((status == STATUS_SUCCESS) == (encoder != NULL));
		if (encoder == NULL)
			continue;
		check_written(caller, encoder, data, reader.position);
		if (encoder_kind(encoder) == ENCODER_TRANSFORMER)
			use(caller, encoder, data + reader.position, size - reader.position, fails);
		encoder_free(caller, encoder);
	}
}

const long	fuzz_runs = 5000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_transformer, data, size);
}

/* One of each type, with a text behind. */
bool
fuzz_seed(int n, Writer *writer)
{
	SmallModel *model;
	Encoder    *encoder;
	TransformerProblem problem;

	if (n > 3)
		return false;
	model = small_model(n / 3, (TensorType) (n % 3));
	if (n == 1)
	{
		model->config.pooling = POOLING_FIRST;
		model->config.normalize = false;
	}
	FUZZ_CHECK(small_make(fuzz_keeper(), model, &encoder, &problem) == STATUS_SUCCESS);
	FUZZ_CHECK(encoder_write(encoder, writer) == STATUS_SUCCESS);
	write_bytes(writer, "e\xCC\x81 A b!", 7);
	encoder_free(fuzz_keeper(), encoder);
	small_model_free(model);
	return true;
}
