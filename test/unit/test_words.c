/*-------------------------------------------------------------------------
 *
 * test_words.c
 *	  Texts as means of vectors of words: words, weights, stored forms.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/encode/words_internal.h"
#include "../../src/math/random.h"
#include "words_helpers.h"

#define TEXT_ROOM 64

static const WordWeightsOptions own_options = {.smoothing = 1e-2, .seed = 1};

/* What takes the words of a text. */
typedef struct WordList
{
	int			n;
	uint32_t	words[TEXT_ROOM];
} WordList;

static Status
collect_words(void *state, const uint32_t *words, int count)
{
	WordList   *list = state;

	for (int i = 0; i < count && list->n < TEXT_ROOM; i++)
		list->words[list->n++] = words[i];
	return STATUS_SUCCESS;
}

/* Texts are cut into the words that the values have. */
static void
test_texts(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);

	REQUIRE(encoder != NULL);
	for (int i = 0; i < WORD_TEXTS; i++)
	{
		size_t		length = word_texts[i].length;
		char	   *copy = malloc(length == 0 ? 1 : length);
		WordList	list = {0};
		uint64_t	unknown = 0;
		int			expected = text_start[i + 1] - text_start[i];
		bool		same;

		memcpy(copy, word_texts[i].text, length);
		CHECK(text_words(&caller, encoder->word_table, copy, length, collect_words, &list,
						 &unknown) == STATUS_SUCCESS);
		same = list.n == expected;
		for (int j = 0; same && j < expected; j++)
			same = list.words[j] == text_word[text_start[i] + j];
		CHECK(same);
		if (!same)
		{
			printf("  %s:", word_texts[i].text);
			for (int j = 0; j < list.n; j++)
				printf(" %u", list.words[j]);
			printf("\n");
		}
		free(copy);
	}
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

static uint64_t
unknown_words(const Caller *caller, const Encoder *encoder, const char *text)
{
	WordList	list = {0};
	uint64_t	unknown = 0;

	CHECK(text_words(caller, encoder->word_table, text, strlen(text), collect_words, &list,
					 &unknown) == STATUS_SUCCESS);
	return unknown;
}

/* Punctuation is not unknown, words are; invalid bytes only separate. */
static void
test_unknown(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	WordList	list = {0};
	uint64_t	unknown = 0;
	const char *broken = "my\xFF" "card\xE4\xB8 the\xED\xA0\x80" "card \xC0\xAF" "my\xE9";

	REQUIRE(encoder != NULL);
	CHECK(unknown_words(&caller, encoder, "foo, bar: my card ... (baz)!") == 3);
	CHECK(unknown_words(&caller, encoder, ", . - ?! \xE2\x80\xA6") == 0);
	/* each character of a script without spaces is one */
	CHECK(unknown_words(&caller, encoder, "\xE5\xA4\xA7\xE5\xAD\xA6 7 77") == 4);
	CHECK(text_words(&caller, encoder->word_table, broken, strlen(broken), collect_words, &list,
					 &unknown) == STATUS_SUCCESS);
	CHECK(unknown == 0 && list.n == 5);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

static void
check_mean(const float *dense, const double *expected)
{
	for (int j = 0; j < WORDS_DIMS; j++)
		CHECK_NEAR(dense[j], expected[j], 5e-5);
}

/* Vectors of the texts, plain and with each kind of weights. */
static void
test_values(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	const WordWeightsOptions ranked = WORD_WEIGHTS_DEFAULT;
	WordWeightsOptions options[3] = {own_options, ranked, own_options};
	const double (*expected[3])[WORDS_DIMS] = {own_mean, ranked_mean, without_common};
	Encoding	encoding;

	REQUIRE(encoder != NULL);
	options[1].smoothing = 1e-3;
	options[2].remove_common = true;
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	for (int i = 0; i < WORD_TEXTS; i++)
	{
		CHECK(encode_text(encoder, word_texts[i].text, word_texts[i].length,
						  &encoding) == STATUS_SUCCESS);
		check_mean(encoding.dense, plain_mean[i]);
		CHECK(encoding.terms == 0);
	}
	for (int k = 0; k < 3; k++)
	{
		Status		status;
		WordWeights *weights = fit_weights(&caller, encoder, options[k], &status);
		float		dense[WORDS_DIMS];

		REQUIRE(weights != NULL);
		for (int i = 0; i < WORD_TEXTS; i++)
		{
			CHECK(encode_words(encoder, weights, word_texts[i].text, word_texts[i].length,
							   &encoding, dense) == STATUS_SUCCESS);
			check_mean(dense, expected[k][i]);
		}
		for (uint32_t i = 0; i < VOCABULARY_WORDS; i++)
			CHECK_NEAR(word_weight(weights, i), (k == 1 ? ranked_weight : own_weight)[i], 1e-6);
		CHECK((weights->common != NULL) == (k == 2));
		if (weights->common != NULL)
		{
			double		cosine = 0.0;

			for (int j = 0; j < WORDS_DIMS; j++)
				cosine += weights->common[j] * common_direction[j];
			CHECK_NEAR(fabs(cosine), 1.0, 1e-7);
		}
		word_weights_free(&caller, weights);
	}
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* Both ways to give several texts, and encoders that take none. */
static void
test_interface(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	Encoder    *vector;
	const WordWeightsOptions options = WORD_WEIGHTS_DEFAULT;
	const char *texts[2] = {"my card", "unknown"};
	const size_t lengths[2] = {7, 7};
	float		dense[2][WORDS_DIMS];
	Encoding	encoding;
	WordWeightsFit *fit;

	REQUIRE(encoder != NULL && encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(encode_texts(encoder, texts, lengths, 2, &encoding, dense[0]) == STATUS_SUCCESS);
	CHECK(encode_text(encoder, "My  CARD?", 9, &encoding) == STATUS_SUCCESS);
	CHECK(memcmp(encoding.dense, dense[0], sizeof(dense[0])) == 0);
	CHECK(!dense_blank(dense[0], WORDS_DIMS) && dense_blank(dense[1], WORDS_DIMS));
	CHECK(encode_vector(encoder, dense[0], WORDS_DIMS, &encoding) == STATUS_BAD_ARGUMENT);
	CHECK(terms_unpack(encoder, NULL, 0, &encoding) == STATUS_BAD_ARGUMENT);
	CHECK(terms_bound(&encoding) == 0);
	encoding_free(&encoding);

	REQUIRE(vector_encoder(&caller, 3, &vector) == STATUS_SUCCESS);
	REQUIRE(encoding_init(&caller, vector, &encoding) == STATUS_SUCCESS);
	CHECK(encode_words(vector, NULL, "my", 2, &encoding, dense[0]) == STATUS_BAD_ARGUMENT);
	CHECK(encoder_words(vector) == 0);
	CHECK(word_weights_fit_start(&caller, vector, &options, &fit) == STATUS_BAD_ARGUMENT);
	encoding_free(&encoding);
	encoder_free(&caller, vector);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* Reads a small file as an encoder. */
static Encoder *
small_encoder(const Caller *caller, const char *text)
{
	WordVectorsReport report;
	Encoder    *encoder;

	CHECK(read_vectors(caller, roomy_options(), text, strlen(text), 0, &report,
					   &encoder) == STATUS_SUCCESS);
	REQUIRE(encoder != NULL);
	return encoder;
}

/* Means that are nothing, and numbers as large and as small as there are. */
static void
test_extremes(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = small_encoder(&caller, "a 1 2\nb -1 -2\nzero 0 0\nhuge 3e38 3e38\n"
										"tiny 3e-30 -4e-30\nc 2 4\n");
	WordWeightsOptions options = {.smoothing = 1.0, .remove_common = true};
	WordWeightsFit *fit;
	WordWeights *weights;
	Encoding	encoding;
	float		dense[2];
	char	   *text = malloc(500000);

	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(encode_text(encoder, "a b zero", 8, &encoding) == STATUS_SUCCESS);
	CHECK(dense_blank(encoding.dense, 2));
	CHECK(encode_text(encoder, "tiny", 4, &encoding) == STATUS_SUCCESS);
	CHECK_NEAR(encoding.dense[0], 0.6, 1e-4);
	CHECK_NEAR(encoding.dense[1], -0.8, 1e-4);
	for (int i = 0; i < 100000; i++)
		memcpy(text + 5 * i, "huge ", 5);
	CHECK(encode_text(encoder, text, 500000, &encoding) == STATUS_SUCCESS);
	CHECK_NEAR(encoding.dense[0], sqrt(0.5), 1e-4);
	CHECK_NEAR(encoding.dense[1], sqrt(0.5), 1e-4);
	free(text);

	/* all texts point one way: what is left of them is nothing, not noise */
	REQUIRE(word_weights_fit_start(&caller, encoder, &options, &fit) == STATUS_SUCCESS);
	for (int i = 0; i < 10; i++)
		CHECK(word_weights_fit_add(fit, "a c", (size_t) i % 3 + 1) == STATUS_SUCCESS);
	REQUIRE(word_weights_fit_finish(fit, &weights) == STATUS_SUCCESS);
	word_weights_fit_free(fit);
	REQUIRE(weights->common != NULL);
	CHECK_NEAR(fabs(weights->common[0]), 1.0 / sqrt(5.0), 1e-4);
	CHECK(encode_words(encoder, weights, "c a c", 5, &encoding, dense) == STATUS_SUCCESS);
	CHECK(dense_blank(dense, 2));
	CHECK(encode_words(encoder, weights, "a tiny", 6, &encoding, dense) == STATUS_SUCCESS);
	CHECK(dense_blank(dense, 2));
	CHECK(encode_words(encoder, weights, "huge", 4, &encoding, dense) == STATUS_SUCCESS);
	CHECK_NEAR(fabs(dense[0] * weights->common[0] + dense[1] * weights->common[1]), 0.0, 1e-4);
	word_weights_free(&caller, weights);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* No texts, texts without words, words without texts. */
static void
test_few_texts(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	uint64_t	known;
	uint64_t	unknown;

	REQUIRE(encoder != NULL);
	for (int ranked = 0; ranked < 2; ranked++)
		for (int texts = 0; texts < 2; texts++)
		{
			WordWeightsOptions options = {1e-3, ranked != 0, true, 1};
			WordWeightsFit *fit;
			WordWeights *weights;
			double		zipf = 1.0 / (log(VOCABULARY_WORDS) + 0.57721566);

			REQUIRE(word_weights_fit_start(&caller, encoder, &options, &fit) == STATUS_SUCCESS);
			if (texts > 0)
				CHECK(word_weights_fit_add(fit, "foo, bar", 8) == STATUS_SUCCESS);
			REQUIRE(word_weights_fit_finish(fit, &weights) == STATUS_SUCCESS);
			CHECK(weights->common == NULL && weights->listed == 0);
			CHECK_NEAR(word_weight(weights, 0), ranked ? 1e-3 / (1e-3 + zipf) : 1.0, 1e-6);
			CHECK_NEAR(word_weight(weights, 9), ranked ? 1e-3 / (1e-3 + zipf / 10) : 1.0, 1e-6);
			word_weights_coverage(weights, &known, &unknown);
			CHECK(known == 0 && unknown == (uint64_t) texts * 2);
			word_weights_free(&caller, weights);

			/* a fit is finished once */
			CHECK(word_weights_fit_finish(fit, &weights) == STATUS_BAD_ARGUMENT && weights == NULL);
			CHECK(word_weights_fit_add(fit, "my", 2) == STATUS_BAD_ARGUMENT);
			word_weights_fit_free(fit);
		}
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* A word that is common here only keeps its weight if places are known. */
static void
test_ranked(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	WordWeightsOptions options = WORD_WEIGHTS_DEFAULT;
	float		weight[2][2];	/* of a common and of a rare word of the language */

	REQUIRE(encoder != NULL);
	options.smoothing = 1e-3;
	for (int ranked = 0; ranked < 2; ranked++)
	{
		WordWeightsFit *fit;
		WordWeights *weights;

		options.ranked = ranked != 0;
		REQUIRE(word_weights_fit_start(&caller, encoder, &options, &fit) == STATUS_SUCCESS);
		for (int i = 0; i < 50000; i++)
			CHECK(word_weights_fit_add(fit, "the mail", 8) == STATUS_SUCCESS);
		REQUIRE(word_weights_fit_finish(fit, &weights) == STATUS_SUCCESS);
		weight[ranked][0] = word_weight(weights, 0);
		weight[ranked][1] = word_weight(weights, 39);

		/* words that never came: with 100,000 counted, hardly less than 1 */
		CHECK_NEAR(word_weight(weights, 30), 1.0, ranked ? 0.1 : 0.0);
		word_weights_free(&caller, weights);
		word_weights_fit_free(fit);
	}
	CHECK_NEAR(weight[0][0], 1e-3 / (1e-3 + 0.5), 1e-7);
	CHECK(weight[0][0] == weight[0][1]);
	CHECK(weight[1][0] < 0.01 && weight[1][1] > 0.1);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* Options out of range. */
static void
test_options(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	const double wrong[] = {0.0, -1.0, 1e-10, 2e6, (double) NAN, (double) INFINITY};
	WordWeightsFit *fit;

	REQUIRE(encoder != NULL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		WordWeightsOptions options = {.smoothing = wrong[i]};

		CHECK(word_weights_fit_start(&caller, encoder, &options, &fit) == STATUS_BAD_ARGUMENT);
		CHECK(fit == NULL);
	}
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* More texts than the sample holds, and within the memory that was planned. */
static void
test_many_texts(void)
{
	UnitMemory	memory;
	UnitMemory	spare;
	Caller		caller = unit_caller(&memory);
	Caller		others = unit_caller(&spare);
	Encoder    *encoder = vocabulary_encoder(&others);
	WordWeightsOptions options = {.smoothing = 1e-2, .remove_common = true, .seed = 7};
	WordWeightsFit *fit;
	WordWeights *weights;
	Random		random;
	char		text[1200];
	double		cosine = 0.0;

	REQUIRE(encoder != NULL);
	random_seed(&random, 3);
	REQUIRE(word_weights_fit_start(&caller, encoder, &options, &fit) == STATUS_SUCCESS);
	for (int i = 0; i < 12000; i++)
	{
		size_t		length = 0;

		/* first "card" with others, and only then "mail": both must count */
		for (int j = 0; j < 300; j++)
		{
			const char *word = j % 4 == 0 ? (i < 9000 ? "card" : "mail") : "to";

			memcpy(text + length, word, strlen(word));
			length += strlen(word);
			text[length++] = ' ';
		}
		if (i % 2)
			length = random_below(&random, 100);
		CHECK(word_weights_fit_add(fit, text, length) == STATUS_SUCCESS);
	}
	REQUIRE(word_weights_fit_finish(fit, &weights) == STATUS_SUCCESS);
	CHECK(memory.peak <= word_weights_fit_bytes(encoder, &options));
	CHECK(weights->known + weights->unknown > 1800000);
	REQUIRE(weights->common != NULL);
	for (int j = 0; j < WORDS_DIMS; j++)
		cosine += weights->common[j] * (double) word_number(39, j);
	CHECK(fabs(cosine) > 0.1);
	word_weights_free(&caller, weights);
	word_weights_fit_free(fit);
	encoder_free(&others, encoder);
	CHECK(memory.blocks == 0 && spare.blocks == 0);
}

/* Long texts ask whether to go on; memory may end anywhere. */
static void
test_failures(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	WordWeightsOptions options = {.smoothing = 1e-2, .remove_common = true};
	Encoding	encoding;
	size_t		length = 3 << 20;
	char	   *text = malloc(length);
	long		allocations;
	long		questions;
	WordWeights *weights;
	Status		status;

	REQUIRE(encoder != NULL && encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	for (int kind = 0; kind < 3; kind++)
	{
		memset(text, "x.\xB8"[kind], length);
		memory.questions = 0;
		memory.stop_at = 0;
		CHECK(encode_text(encoder, text, length, &encoding) == STATUS_SUCCESS);
		CHECK(memory.questions >= 40 && dense_blank(encoding.dense, WORDS_DIMS));
		memory.stop_at = memory.questions + 5;
		CHECK(encode_text(encoder, text, length, &encoding) == STATUS_STOPPED);
	}
	memory.stop_at = 0;
	free(text);
	encoding_free(&encoding);

	memory.allocations = 0;
	memory.questions = 0;
	weights = fit_weights(&caller, encoder, options, &status);
	allocations = memory.allocations;
	questions = memory.questions;
	CHECK(weights != NULL && allocations > 8 && questions > WORD_TEXTS);
	word_weights_free(&caller, weights);
	for (long i = 1; i <= allocations; i++)
	{
		size_t		blocks = memory.blocks;

		memory.allocations = 0;
		memory.fail_at = i;
		weights = fit_weights(&caller, encoder, options, &status);
		CHECK(weights == NULL && status == STATUS_NO_MEMORY && memory.blocks == blocks);
	}
	memory.fail_at = 0;
	for (long i = 1; i <= questions; i++)
	{
		size_t		blocks = memory.blocks;

		memory.questions = 0;
		memory.stop_at = i;
		weights = fit_weights(&caller, encoder, options, &status);
		CHECK(weights == NULL && status == STATUS_STOPPED && memory.blocks == blocks);
	}
	memory.stop_at = 0;
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* Both ways of reading give the encoder that was written, bit for bit. */
static void
test_stored(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	Encoding	encoding;
	float		expected[WORD_TEXTS][WORDS_DIMS];
	Writer		writer;
	unsigned char *bytes;

	REQUIRE(encoder != NULL && encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	for (int i = 0; i < WORD_TEXTS; i++)
	{
		CHECK(encode_text(encoder, word_texts[i].text, word_texts[i].length,
						  &encoding) == STATUS_SUCCESS);
		memcpy(expected[i], encoding.dense, sizeof(expected[i]));
	}
	writer_init(&writer, &caller);
	REQUIRE(encoder_write(encoder, &writer) == STATUS_SUCCESS);
	encoder_free(&caller, encoder);
	bytes = malloc(writer.length + 8);
	for (int in_place = 0; in_place < 3; in_place++)
	{
		/* aligned, and by one byte not */
		size_t		shift = in_place == 2;
		Reader		reader;
		Writer		again;
		const unsigned char *matrix;

		memcpy(bytes + shift, writer.bytes, writer.length);
		reader_init(&reader, bytes + shift, writer.length);
		REQUIRE((in_place ? encoder_read_in_place(&caller, &reader, &encoder) :
				 encoder_read(&caller, &reader, &encoder)) == STATUS_SUCCESS);
		CHECK(reader_left(&reader) == 0 && encoder_words(encoder) == VOCABULARY_WORDS);
		matrix = (const unsigned char *) encoder->word_table->mantissa;
		CHECK((matrix >= bytes && matrix < bytes + writer.length) == (in_place == 1));
		matrix = (const unsigned char *) encoder->word_table->key;
		CHECK((matrix >= bytes && matrix < bytes + writer.length) == (in_place == 1));
		for (int i = 0; i < WORD_TEXTS; i++)
		{
			CHECK(encode_text(encoder, word_texts[i].text, word_texts[i].length,
							  &encoding) == STATUS_SUCCESS);
			CHECK(memcmp(expected[i], encoding.dense, sizeof(expected[i])) == 0);
		}
		writer_init(&again, &caller);
		CHECK(encoder_write(encoder, &again) == STATUS_SUCCESS);
		CHECK(again.length == writer.length &&
			  memcmp(again.bytes, writer.bytes, again.length) == 0);
		release(&caller, again.bytes);
		encoder_free(&caller, encoder);
	}
	free(bytes);
	encoding_free(&encoding);
	release(&caller, writer.bytes);
	CHECK(memory.blocks == 0);
}

/* Reads stored bytes, cut and with one byte changed: refused, or fit for use. */
static void
test_damaged(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = small_encoder(&caller, "my 1 2 3\nCard 4 5 6\nthe 7 8 9\nParis -1 0 1\n");
	WordWeightsOptions options = {.smoothing = 1e-2, .remove_common = true};
	Status		status;
	WordWeights *weights = fit_weights(&caller, encoder, options, &status);
	Writer		writers[2];

	REQUIRE(weights != NULL && weights->listed > 1 && weights->common != NULL);
	for (int k = 0; k < 2; k++)
	{
		writer_init(&writers[k], &caller);
		CHECK((k == 0 ? encoder_write(encoder, &writers[0]) :
			   word_weights_write(weights, &writers[1])) == STATUS_SUCCESS);
		for (size_t cut = 0; cut <= writers[k].length; cut++)
			for (int bit = 0; bit < 8; bit++)
			{
				/* of length `cut`, or whole with a bit of that byte turned */
				size_t		length = bit == 0 ? cut : writers[k].length;
				unsigned char *bytes = malloc(length + 1);
				Encoder    *read = NULL;
				WordWeights *weights_read = NULL;
				Encoding	encoding;
				Reader		reader;

				memcpy(bytes, writers[k].bytes, length);
				if (bit > 0 && cut < length)
					bytes[cut] ^= (unsigned char) (1 << bit);
				reader_init(&reader, bytes, length);
				status = k == 0 ? (bit % 2 ? encoder_read_in_place(&caller, &reader, &read) :
								   encoder_read(&caller, &reader, &read)) :
					word_weights_read(&caller, &reader, encoder, &weights_read);
				CHECK(status == STATUS_CORRUPT || status == STATUS_SUCCESS);
				CHECK((status == STATUS_SUCCESS) == (read != NULL || weights_read != NULL));
				CHECK(bit > 0 || (status == STATUS_SUCCESS) == (cut == writers[k].length));
				if (status == STATUS_SUCCESS && (k == 1 || encoder_kind(read) == ENCODER_WORDS))
				{
					const Encoder *used = k == 0 ? read : encoder;
					float		dense[3];

					REQUIRE(encoding_init(&caller, used, &encoding) == STATUS_SUCCESS);
					CHECK(encode_words(used, weights_read, "my card paris", 13, &encoding,
									   dense) == STATUS_SUCCESS);
					CHECK(isfinite(dense[0] + dense[1] + dense[2]));
					encoding_free(&encoding);
				}
				encoder_free(&caller, read);
				word_weights_free(&caller, weights_read);
				free(bytes);
			}
		release(&caller, writers[k].bytes);
	}
	word_weights_free(&caller, weights);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* Stored weights read again, and not for another encoder. */
static void
test_stored_weights(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	Encoder    *other = small_encoder(&caller, "a 1\nb 2\n");
	Status		status;

	REQUIRE(encoder != NULL);
	for (int common = 0; common < 2; common++)
	{
		WordWeightsOptions options = WORD_WEIGHTS_DEFAULT;
		WordWeights *weights;
		WordWeights *read;
		Writer		writer;
		Reader		reader;
		Encoding	encoding;
		float		dense[2][WORDS_DIMS];

		options.remove_common = common != 0;
		weights = fit_weights(&caller, encoder, options, &status);
		REQUIRE(weights != NULL);
		writer_init(&writer, &caller);
		CHECK(word_weights_write(weights, &writer) == STATUS_SUCCESS);
		reader_init(&reader, writer.bytes, writer.length);
		REQUIRE(word_weights_read(&caller, &reader, encoder, &read) == STATUS_SUCCESS);
		CHECK(reader_left(&reader) == 0);
		REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
		for (int i = 0; i < WORD_TEXTS; i++)
		{
			CHECK(encode_words(encoder, weights, word_texts[i].text, word_texts[i].length,
							   &encoding, dense[0]) == STATUS_SUCCESS);
			CHECK(encode_words(encoder, read, word_texts[i].text, word_texts[i].length,
							   &encoding, dense[1]) == STATUS_SUCCESS);
			CHECK(memcmp(dense[0], dense[1], sizeof(dense[0])) == 0);
		}
		encoding_free(&encoding);
		word_weights_free(&caller, read);

		/* the numbers of words mean nothing to another */
		reader_init(&reader, writer.bytes, writer.length);
		CHECK(word_weights_read(&caller, &reader, other, &read) == STATUS_CORRUPT && read == NULL);
		REQUIRE(encoding_init(&caller, other, &encoding) == STATUS_SUCCESS);
		CHECK(encode_words(other, weights, "a", 1, &encoding, dense[0]) == STATUS_BAD_ARGUMENT);
		encoding_free(&encoding);
		release(&caller, writer.bytes);
		word_weights_free(&caller, weights);
	}
	encoder_free(&caller, other);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* An encoder of one dimension whose keys are these, as somebody may forge it. */
static Status
read_forged(const Caller *caller, const uint64_t *keys, const uint32_t *words, uint32_t nkeys,
			uint32_t n, Encoder **encoder)
{
	Writer		writer;
	Reader		reader;
	Status		status;

	writer_init(&writer, caller);
	write_u32(&writer, UINT32_C(0x4E454C48));
	write_u32(&writer, 1);
	write_u32(&writer, ENCODER_WORDS);
	write_u32(&writer, 1);
	write_u32(&writer, n);
	write_u32(&writer, nkeys);
	write_u64s(&writer, keys, nkeys);
	for (uint32_t i = 0; i < nkeys; i++)
		write_u32(&writer, words[i]);
	for (uint32_t i = 0; i < n; i++)
	{
		const float scale = 1.0f;

		write_floats(&writer, &scale, 1);
	}
	for (uint32_t i = 0; i < n; i++)
	{
		const int16_t mantissa = 1;

		write_i16s(&writer, &mantissa, 1);
	}
	reader_init(&reader, writer.bytes, writer.length);
	status = encoder_read(caller, &reader, encoder);
	release(caller, writer.bytes);
	return status;
}

#define FORGED_KEYS 20000

/* Keys that all begin alike are found as others are; disorder is refused. */
static void
test_forged(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	uint64_t   *keys = malloc(FORGED_KEYS * sizeof(uint64_t));
	uint32_t   *words = malloc(FORGED_KEYS * sizeof(uint32_t));
	Encoder    *encoder;

	for (uint32_t i = 0; i < FORGED_KEYS; i++)
	{
		keys[i] = UINT64_C(0xABCDEF0000000000) + 3 * i;
		words[i] = i;
	}
	REQUIRE(read_forged(&caller, keys, words, FORGED_KEYS, FORGED_KEYS,
						&encoder) == STATUS_SUCCESS);
	for (uint32_t i = 0; i < FORGED_KEYS; i++)
	{
		CHECK(word_table_find(encoder->word_table, keys[i]) == (int) i);
		CHECK(word_table_find(encoder->word_table, keys[i] + 1) == -1);
	}
	CHECK(word_table_find(encoder->word_table, 0) == -1);
	CHECK(word_table_find(encoder->word_table, UINT64_MAX) == -1);
	encoder_free(&caller, encoder);

	/* the ends of what a key can be */
	keys[0] = 0;
	keys[1] = UINT64_MAX;
	REQUIRE(read_forged(&caller, keys, words, 2, 2, &encoder) == STATUS_SUCCESS);
	CHECK(word_table_find(encoder->word_table, 0) == 0);
	CHECK(word_table_find(encoder->word_table, UINT64_MAX) == 1);
	CHECK(word_table_find(encoder->word_table, UINT64_MAX / 2) == -1);
	encoder_free(&caller, encoder);

	/* twice the same, falling, a word beyond the last, too few keys, too many */
	keys[0] = keys[1] = 5;
	CHECK(read_forged(&caller, keys, words, 2, 2, &encoder) == STATUS_CORRUPT);
	keys[0] = 6;
	CHECK(read_forged(&caller, keys, words, 2, 2, &encoder) == STATUS_CORRUPT);
	keys[0] = 4;
	words[1] = 2;
	CHECK(read_forged(&caller, keys, words, 2, 2, &encoder) == STATUS_CORRUPT);
	words[1] = 0;
	CHECK(read_forged(&caller, keys, words, 1, 2, &encoder) == STATUS_CORRUPT);
	CHECK(read_forged(&caller, keys, words, 2, 1, &encoder) == STATUS_SUCCESS);
	encoder_free(&caller, encoder);
	keys[2] = 8;
	words[2] = 0;
	CHECK(read_forged(&caller, keys, words, 3, 1, &encoder) == STATUS_CORRUPT);
	CHECK(read_forged(&caller, keys, words, 0, 0, &encoder) == STATUS_CORRUPT);
	free(keys);
	free(words);
	CHECK(memory.blocks == 0);
}

int
main(void)
{
	test_texts();
	test_unknown();
	test_values();
	test_interface();
	test_extremes();
	test_few_texts();
	test_ranked();
	test_options();
	test_many_texts();
	test_failures();
	test_stored();
	test_damaged();
	test_stored_weights();
	test_forged();
	return unit_end();
}
