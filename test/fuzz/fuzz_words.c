/*-------------------------------------------------------------------------
 *
 * fuzz_words.c
 *	  Any bytes as stored word vectors: refused, or fit to encode with.
 *
 * Those behind the encoder are read as weights of its words, and those
 * behind these, or else behind the encoder, are a text.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_stored.h"

#include "../../src/encode/words_internal.h"
#include "../unit/words_helpers.h"

/* Words are the encoder's, and no more than the text has characters. */
typedef struct WordCheck
{
	const Encoder *encoder;
	size_t		count;
} WordCheck;

static Status
check_words(void *state, const uint32_t *words, int count)
{
	WordCheck  *check = state;

	FUZZ_CHECK(count > 0);
	for (int i = 0; i < count; i++)
		FUZZ_CHECK(words[i] < (uint32_t) encoder_words(check->encoder));
	check->count += (size_t) count;
	return STATUS_SUCCESS;
}

/* A vector of unit length, or none. */
static void
check_text(const Caller *caller, const Encoder *encoder, const WordWeights *weights,
		   const char *text, size_t length, bool fails)
{
	int			dims = encoder_dims(encoder);
	WordCheck	check = {encoder, 0};
	uint64_t	unknown = 0;
	double		square = 0.0;
	Encoding	encoding;

	FUZZ_CHECK(text_words(caller, encoder->word_table, text, length, check_words, &check,
						  &unknown) == STATUS_SUCCESS);
	FUZZ_CHECK(check.count + unknown <= length);
	if (encoding_init(caller, encoder, &encoding) != STATUS_SUCCESS)
	{
		FUZZ_CHECK(fails);
		return;
	}
	FUZZ_CHECK(encode_words(encoder, weights, text, length, &encoding,
							encoding.dense) == STATUS_SUCCESS);
	for (int j = 0; j < dims; j++)
		square += (double) encoding.dense[j] * encoding.dense[j];
	FUZZ_CHECK(square == 0.0 || fabs(square - 1.0) < 1e-3);
	FUZZ_CHECK(square == 0.0 || check.count > 0);
	FUZZ_CHECK(encode_vector(encoder, encoding.dense, dims, &encoding) == STATUS_BAD_ARGUMENT);
	encoding_free(&encoding);
}

/* Weights are fitted to the text and come back from their stored form. */
static void
check_fit(const Caller *caller, const Encoder *encoder, const char *text, size_t length,
		  bool fails)
{
	WordWeightsOptions options = {3e-3, length % 2 == 0, length % 3 == 0, length};
	WordWeightsFit *fit;
	WordWeights *weights = NULL;
	WordWeights *read;
	Status		status = word_weights_fit_start(caller, encoder, &options, &fit);

	for (size_t cut = length; cut > 0 && status == STATUS_SUCCESS; cut /= 2)
		status = word_weights_fit_add(fit, text, cut);
	if (status == STATUS_SUCCESS)
		status = word_weights_fit_finish(fit, &weights);
	word_weights_fit_free(fit);
	FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
	if (weights != NULL)
	{
		Writer		writer;
		Reader		reader;

		writer_init(&writer, caller);
		if (word_weights_write(weights, &writer) == STATUS_SUCCESS)
		{
			reader_init(&reader, writer.bytes, writer.length);
			status = word_weights_read(caller, &reader, encoder, &read);
			FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
			word_weights_free(caller, read);
		}
		release(caller, writer.bytes);
		check_text(caller, encoder, weights, text, length, fails);
	}
	word_weights_free(caller, weights);
}

static void
use(const Caller *caller, const Encoder *encoder, const uint8_t *rest, size_t length, bool fails)
{
	WordWeights *weights;
	Reader		reader;
	Status		status;

	reader_init(&reader, rest, length);
	status = word_weights_read(caller, &reader, encoder, &weights);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (fails && status == STATUS_NO_MEMORY));
	FUZZ_CHECK((status == STATUS_SUCCESS) == (weights != NULL));
	if (weights != NULL)
	{
		Writer		writer;

		writer_init(&writer, caller);
		if (word_weights_write(weights, &writer) == STATUS_SUCCESS)
			FUZZ_CHECK(writer.length == reader.position &&
					   memcmp(writer.bytes, rest, writer.length) == 0);
		release(caller, writer.bytes);
		check_text(caller, encoder, weights, (const char *) rest + reader.position,
				   length - reader.position, fails);
	}
	word_weights_free(caller, weights);
	check_text(caller, encoder, NULL, (const char *) rest, length, fails);
	check_fit(caller, encoder, (const char *) rest, length, fails);
}

static const Encoder *
fuzz_vocabulary(void)
{
	static Encoder *encoder = NULL;

	if (encoder == NULL)
		encoder = vocabulary_encoder(fuzz_keeper());
	FUZZ_CHECK(encoder != NULL);
	return encoder;
}

static bool
wanted(EncoderKind kind)
{
	return kind == ENCODER_WORDS;
}

/* Read as an encoder, and as weights and a text for one that is good. */
static void
run_words(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	use(caller, fuzz_vocabulary(), data, size, fails);
	run_stored(caller, data, size, fails, wanted, use);
}

const long	fuzz_runs = 20000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_words, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	WordWeightsOptions options = {3e-3, true, n % 2 == 0, 1};
	WordWeights *weights;
	Status		status;

	if (n < WORD_TEXTS)
		write_bytes(writer, word_texts[n].text, word_texts[n].length);
	else if (n < WORD_TEXTS + 4)
	{
		weights = fit_weights(fuzz_keeper(), fuzz_vocabulary(), options, &status);
		FUZZ_CHECK(weights != NULL);
		if (n >= WORD_TEXTS + 2)
			FUZZ_CHECK(encoder_write(fuzz_vocabulary(), writer) == STATUS_SUCCESS);
		FUZZ_CHECK(word_weights_write(weights, writer) == STATUS_SUCCESS);
		write_bytes(writer, "My card isn't in paris", 22);
		word_weights_free(fuzz_keeper(), weights);
	}
	else if (n == WORD_TEXTS + 4)
	{
		/* two keys for one word, that can be seen in a dump */
		const uint64_t keys[2] = {UINT64_C(0x1111111111111110), UINT64_C(0x2222222222222222)};
		const float scale = 1e-3f;
		const int16_t mantissas[2] = {32767, -32767};

		write_u32(writer, UINT32_C(0x4E454C48));
		write_u32(writer, 1);
		write_u32(writer, ENCODER_WORDS);
		write_u32(writer, 2);
		write_u32(writer, 1);
		write_u32(writer, 2);
		write_u64s(writer, keys, 2);
		write_u32(writer, 0);
		write_u32(writer, 0);
		write_floats(writer, &scale, 1);
		write_i16s(writer, mantissas, 2);
	}
	else
		return false;
	return true;
}
