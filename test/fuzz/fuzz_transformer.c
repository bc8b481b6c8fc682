/*-------------------------------------------------------------------------
 *
 * fuzz_transformer.c
 *	  Any bytes as a stored transformer: refused, or fit to encode with.
 *
 * Those behind the encoder are used as a text.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_stored.h"

#include "../unit/transformer_helpers.h"

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

static bool
wanted(EncoderKind kind)
{
	return kind == ENCODER_TRANSFORMER;
}

static void
run_transformer(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	fuzz_keeper();				/* for the matrices */
	run_stored(caller, data, size, fails, wanted, use);
}

const long	fuzz_runs = 5000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_transformer, data, size);
}

/* One of each type, family and tokenizer, and one expanded, with a text behind. */
bool
fuzz_seed(int n, Writer *writer)
{
	SmallModel *model;
	Encoder    *encoder;
	TransformerProblem problem;

	static const int shape[] = {0, 0, 0, 1, 2, 3, 3, 1};
	static const TokenizerKind tokenizer[] = {
		TOKENIZER_WORDPIECE, TOKENIZER_WORDPIECE, TOKENIZER_WORDPIECE, TOKENIZER_WORDPIECE,
		TOKENIZER_WORDPIECE, TOKENIZER_BYTE_PAIR, TOKENIZER_UNIGRAM,
		TOKENIZER_WORDPIECE
	};

	if (n > 7)
		return false;
	model = small_model(shape[n], (TensorType) (n % 3));
	model->tokenizer = tokenizer[n];
	if (n == 1)
	{
		model->config.pooling = POOLING_FIRST;
		model->config.normalize = false;
	}
	FUZZ_CHECK(small_make(fuzz_keeper(), model, &encoder, &problem) == STATUS_SUCCESS);
	FUZZ_CHECK((n == 7 ? encoder_write_expanded(encoder, writer) :
				encoder_write(encoder, writer)) == STATUS_SUCCESS);
	write_bytes(writer, "e\xCC\x81 A b!", 7);
	encoder_free(fuzz_keeper(), encoder);
	small_model_free(model);
	return true;
}
