/*-------------------------------------------------------------------------
 *
 * test_combined.c
 *	  Encoders side by side: what each part makes of its input, in its place.
 *
 *-------------------------------------------------------------------------
 */
#include "encode_helpers.h"
#include "../../src/encode/word_vectors.h"
#include "../../src/encode/words.h"
#include "transformer_helpers.h"

#define VECTOR_DIMS 3

static const float vector[VECTOR_DIMS] = {0.0f, 3.0f, 4.0f};

/* Text of input 1, vector of input 0, transformer of input 1, referred to. */
typedef struct Mixed
{
	Encoder    *text;			/* another of the same as the part */
	Encoder    *transformer;
	Encoder    *combined;
} Mixed;

static Encoder *
small_transformer(const Caller *caller)
{
	SmallModel *model = small_model(0, TENSOR_F32);
	TransformerProblem problem;
	Encoder    *encoder;

	REQUIRE(small_make(caller, model, &encoder, &problem) == STATUS_SUCCESS);
	small_model_free(model);
	return encoder;
}

static Mixed
make_mixed(const Caller *caller)
{
	Mixed		mixed = {fit_corpus(caller), small_transformer(caller), NULL};
	EncoderPart parts[3] = {{0}};
	Encoder    *vectors;

	REQUIRE(vector_encoder(caller, VECTOR_DIMS, &vectors) == STATUS_SUCCESS);
	parts[0].encoder = fit_corpus(caller);
	parts[0].input = 1;
	parts[1].encoder = vectors;
	parts[2].encoder = mixed.transformer;
	parts[2].input = 1;
	parts[2].reference = 77;
	REQUIRE(encoder_combine(caller, parts, 3, &mixed.combined) == STATUS_SUCCESS);
	return mixed;
}

static void
free_mixed(const Caller *caller, Mixed *mixed)
{
	encoder_free(caller, mixed->combined);
	encoder_free(caller, mixed->transformer);
	encoder_free(caller, mixed->text);
}

/* Every part as it would be alone, at 1 / root 3 of its length. */
static void
check_row(const Caller *caller, const Mixed *mixed, const EncoderInput *inputs,
		  const Encoding *whole)
{
	Encoding	text;
	Encoding	other;
	int			dims = encoder_dims(mixed->text);
	int			width = encoder_dims(mixed->transformer);
	double		part = sqrt(1.0 / 3.0);

	REQUIRE(encoding_init(caller, mixed->text, &text) == STATUS_SUCCESS);
	REQUIRE(encoding_init(caller, mixed->transformer, &other) == STATUS_SUCCESS);
	CHECK(encode_text(mixed->text, inputs[1].text, inputs[1].length, &text) == STATUS_SUCCESS);
	CHECK(encode_text(mixed->transformer, inputs[1].text, inputs[1].length, &other) == STATUS_SUCCESS);
	for (int j = 0; j < dims; j++)
		CHECK_NEAR(whole->dense[j], text.dense[j] * part, 1e-6);
	CHECK_NEAR(whole->dense[dims], 0.0, 1e-6);
	CHECK_NEAR(whole->dense[dims + 1], 0.6 * part, 1e-6);
	CHECK_NEAR(whole->dense[dims + 2], 0.8 * part, 1e-6);
	for (int j = 0; j < width; j++)
		CHECK_NEAR(whole->dense[dims + VECTOR_DIMS + j], other.dense[j] * part, 1e-5);
	CHECK_NEAR(length_of(whole->dense, dims + VECTOR_DIMS + width), 1.0, 1e-5);
	REQUIRE(whole->terms == text.terms);
	CHECK(memcmp(whole->index, text.index, sizeof(uint32_t) * (size_t) text.terms) == 0);
	CHECK(memcmp(whole->weight, text.weight, sizeof(float) * (size_t) text.terms) == 0);
	encoding_free(&text);
	encoding_free(&other);
}

static void
test_rows(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Mixed		mixed = make_mixed(&caller);
	EncoderInput inputs[2] = {{.vector = vector, .n = VECTOR_DIMS},
	{.text = corpus[0], .length = strlen(corpus[0])}};
	int			dims = encoder_dims(mixed.combined);
	float	   *ahead = calloc((size_t) encoder_dims(mixed.transformer), sizeof(float));
	float	   *first = calloc((size_t) dims, sizeof(float));
	Encoding	encoding;
	EncoderPart part;

	CHECK(encoder_kind(mixed.combined) == ENCODER_COMBINED && encoder_parts(mixed.combined) == 3);
	CHECK(encoder_sparse_dims(mixed.combined) == encoder_sparse_dims(mixed.text));
	encoder_part(mixed.combined, 2, &part);
	CHECK(part.input == 1 && part.kind == ENCODER_TRANSFORMER && part.reference == 77);
	CHECK(encoder_ahead_dims(mixed.combined) == encoder_dims(mixed.transformer));
	REQUIRE(encoding_init(&caller, mixed.combined, &encoding) == STATUS_SUCCESS);
	CHECK(encode_inputs(mixed.combined, inputs, NULL, &encoding) == STATUS_SUCCESS);
	check_row(&caller, &mixed, inputs, &encoding);
	memcpy(first, encoding.dense, (size_t) dims * sizeof(float));

	/* the same with what was computed ahead */
	CHECK(encode_ahead(mixed.combined, inputs, 2, 1, &encoding, ahead) == STATUS_SUCCESS);
	CHECK(encode_inputs(mixed.combined, inputs, ahead, &encoding) == STATUS_SUCCESS);
	for (int j = 0; j < dims; j++)
		CHECK_NEAR(encoding.dense[j], first[j], 1e-6);
	free(ahead);
	free(first);
	encoding_free(&encoding);
	free_mixed(&caller, &mixed);
	CHECK(memory.blocks == 0);
}

/* What a part cannot read is zero, and the row the shorter for it. */
static void
test_missing(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Mixed		mixed = make_mixed(&caller);
	int			dims = encoder_dims(mixed.combined);
	int			from = encoder_dims(mixed.text);
	const float wrong[2] = {1.0f, 1.0f};
	const float none[VECTOR_DIMS] = {1.0f, NAN, 1.0f};
	EncoderInput inputs[2] = {{.vector = wrong, .n = 2},
	{.text = corpus[0], .length = strlen(corpus[0])}};
	float		ahead[2 * 64];
	Encoding	encoding;

	REQUIRE(encoder_dims(mixed.transformer) <= 64);
	REQUIRE(encoding_init(&caller, mixed.combined, &encoding) == STATUS_SUCCESS);
	CHECK(encode_inputs(mixed.combined, inputs, NULL, &encoding) == STATUS_SUCCESS);
	CHECK(dense_blank(encoding.dense + from, VECTOR_DIMS));
	CHECK_NEAR(length_of(encoding.dense, dims), sqrt(2.0 / 3.0), 1e-5);
	inputs[0] = (EncoderInput) {.vector = none, .n = VECTOR_DIMS};
	CHECK(encode_inputs(mixed.combined, inputs, NULL, &encoding) == STATUS_SUCCESS);
	CHECK_NEAR(length_of(encoding.dense, dims), sqrt(2.0 / 3.0), 1e-5);
	inputs[0] = (EncoderInput) {.vector = vector, .n = VECTOR_DIMS};
	inputs[1].text = NULL;
	CHECK(encode_inputs(mixed.combined, inputs, NULL, &encoding) == STATUS_SUCCESS);
	CHECK(encoding.terms == 0);
	CHECK_NEAR(length_of(encoding.dense, dims), sqrt(1.0 / 3.0), 1e-5);
	/* a missing text computed ahead, beside one that is there */
	{
		EncoderInput rows[4] = {inputs[0], inputs[1], inputs[0], inputs[1]};

		rows[3].text = corpus[1];
		rows[3].length = strlen(corpus[1]);
		CHECK(encode_ahead(mixed.combined, rows, 2, 2, &encoding, ahead) == STATUS_SUCCESS);
		CHECK(isnan(ahead[0]));
		CHECK(encode_inputs(mixed.combined, rows, ahead, &encoding) == STATUS_SUCCESS);
		CHECK_NEAR(length_of(encoding.dense, dims), sqrt(1.0 / 3.0), 1e-5);
		CHECK(encode_inputs(mixed.combined, rows + 2, ahead + encoder_dims(mixed.transformer), &encoding) == STATUS_SUCCESS);
		CHECK_NEAR(length_of(encoding.dense, dims), 1.0, 1e-5);
	}
	inputs[0].vector = NULL;
	CHECK(encode_inputs(mixed.combined, inputs, NULL, &encoding) == STATUS_BAD_ARGUMENT);
	inputs[0] = (EncoderInput) {.vector = none, .n = VECTOR_DIMS};
	CHECK(encode_inputs(mixed.combined, inputs, NULL, &encoding) == STATUS_NOT_FINITE);
	encoding_free(&encoding);
	free_mixed(&caller, &mixed);
}

/* Two texts have their terms one behind the other; packed and unpacked, the same. */
static void
test_terms(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	EncoderPart parts[2] = {{.encoder = fit_corpus(&caller)}, {.input = 1, .encoder = fit_corpus(&caller)}};
	EncoderInput inputs[2] = {{.text = corpus[0], .length = strlen(corpus[0])},
	{.text = corpus[1], .length = strlen(corpus[1])}};
	Encoder    *combined;
	Encoding	encoding;
	Encoding	restored;
	unsigned char *packed;
	uint32_t	half = (uint32_t) encoder_sparse_dims(parts[0].encoder);
	int			behind = 0;

	REQUIRE(encoder_combine(&caller, parts, 2, &combined) == STATUS_SUCCESS);
	CHECK(encoder_sparse_dims(combined) == 2 * (int) half);
	REQUIRE(encoding_init(&caller, combined, &encoding) == STATUS_SUCCESS);
	REQUIRE(encoding_init(&caller, combined, &restored) == STATUS_SUCCESS);
	CHECK(encode_inputs(combined, inputs, NULL, &encoding) == STATUS_SUCCESS);
	for (int i = 0; i < encoding.terms; i++)
	{
		CHECK(i == 0 || encoding.index[i] > encoding.index[i - 1]);
		behind += encoding.index[i] >= half;
	}
	CHECK(behind > 0 && behind < encoding.terms);
	packed = malloc(terms_bound(&encoding));
	CHECK(terms_unpack(combined, packed, terms_pack(&encoding, packed), &restored) == STATUS_SUCCESS);
	REQUIRE(restored.terms == encoding.terms);
	CHECK(memcmp(restored.index, encoding.index, sizeof(uint32_t) * (size_t) encoding.terms) == 0);
	CHECK(memcmp(restored.weight, encoding.weight, sizeof(float) * (size_t) encoding.terms) == 0);
	free(packed);
	encoding_free(&encoding);
	encoding_free(&restored);
	encoder_free(&caller, combined);
	CHECK(memory.blocks == 0);
}

/* Written and read, in both ways; a reference leads to what suits it only. */
static void
test_stored(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Mixed		mixed = make_mixed(&caller);
	EncoderInput inputs[2] = {{.vector = vector, .n = VECTOR_DIMS},
	{.text = corpus[0], .length = strlen(corpus[0])}};
	Writer		writer;

	store(mixed.combined, &caller, &writer);
	for (int in_place = 0; in_place < 2; in_place++)
	{
		Reader		reader;
		Encoder    *read;
		Encoding	encoding;

		reader_init(&reader, writer.bytes, writer.length);
		REQUIRE((in_place ? encoder_read_in_place : encoder_read) (&caller, &reader, &read) == STATUS_SUCCESS);
		CHECK(encoder_dims(read) == encoder_dims(mixed.combined));
		CHECK(encoder_sparse_dims(read) == encoder_sparse_dims(mixed.combined));
		CHECK(encoding_init(&caller, read, &encoding) == STATUS_BAD_ARGUMENT);
		CHECK(encoder_refer(&caller, read, 2, mixed.text) == STATUS_CORRUPT);
		CHECK(encoder_refer(&caller, read, 2, mixed.transformer) == STATUS_SUCCESS);
		REQUIRE(encoding_init(&caller, read, &encoding) == STATUS_SUCCESS);
		CHECK(encode_inputs(read, inputs, NULL, &encoding) == STATUS_SUCCESS);
		check_row(&caller, &mixed, inputs, &encoding);
		encoding_free(&encoding);
		encoder_free(&caller, read);
	}
	for (size_t length = 0; length < writer.length; length += 1 + writer.length / 200)
	{
		Reader		reader;
		Encoder    *read;

		reader_init(&reader, writer.bytes, length);
		CHECK(encoder_read(&caller, &reader, &read) == STATUS_CORRUPT && read == NULL);
	}
	release(&caller, writer.bytes);
	free_mixed(&caller, &mixed);
	CHECK(memory.blocks == 0);
}

/* No combination of combinations: it would be read as deep as somebody likes. */
static void
test_refused(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	EncoderPart parts[COMBINATION_MAX_PARTS + 1] = {{0}};
	Encoder    *combined;
	Encoder    *vectors;
	Encoder    *long_one;
	Writer		writer;
	Reader		reader;

	REQUIRE(vector_encoder(&caller, VECTOR_DIMS, &vectors) == STATUS_SUCCESS);
	for (int i = 0; i <= COMBINATION_MAX_PARTS; i++)
		parts[i].encoder = vectors;
	CHECK(encoder_combine(&caller, parts, 0, &combined) == STATUS_BAD_ARGUMENT);
	CHECK(encoder_combine(&caller, parts, COMBINATION_MAX_PARTS + 1, &combined) == STATUS_BAD_ARGUMENT);
	parts[0].input = ENCODER_MAX_INPUTS;
	CHECK(encoder_combine(&caller, parts, 1, &combined) == STATUS_BAD_ARGUMENT);
	parts[0].input = 0;
	REQUIRE(vector_encoder(&caller, ENCODER_MAX_DIMS, &long_one) == STATUS_SUCCESS);
	parts[1].encoder = long_one;
	CHECK(encoder_combine(&caller, parts, 2, &combined) == STATUS_BAD_ARGUMENT);
	encoder_free(&caller, long_one);
	REQUIRE(encoder_combine(&caller, parts, 1, &combined) == STATUS_SUCCESS);
	parts[1].encoder = combined;
	CHECK(encoder_combine(&caller, parts + 1, 1, &long_one) == STATUS_BAD_ARGUMENT);

	/* and none in stored bytes */
	writer_init(&writer, &caller);
	for (int i = 0; i < 1000; i++)
	{
		const uint32_t head[] = {UINT32_C(0x4E454C48), 1, ENCODER_COMBINED, 1, 1, 0, ENCODER_VECTOR, 1};

		for (size_t j = 0; j < sizeof(head) / sizeof(head[0]); j++)
			write_u32(&writer, head[j]);
		write_u64(&writer, 0);
	}
	reader_init(&reader, writer.bytes, writer.length);
	CHECK(encoder_read(&caller, &reader, &long_one) == STATUS_CORRUPT);
	CHECK(reader.position < 100);
	release(&caller, writer.bytes);
	encoder_free(&caller, combined);
	CHECK(memory.blocks == 0);
}

/* A few words of two numbers, as files have them. */
static Encoder *
small_words(const Caller *caller)
{
	static const char file[] = "parcel 1 0\ncourier 0.9 0.1\ninvoice 0 1\nthe 0.5 0.5\n";
	WordVectorsOptions options = {.max_words = 10, .memory = MEGABYTE * 16};
	WordVectors *vectors;
	Encoder    *encoder;

	REQUIRE(word_vectors_start(caller, &options, &vectors) == STATUS_SUCCESS);
	REQUIRE(word_vectors_add(vectors, file, strlen(file)) == STATUS_SUCCESS);
	REQUIRE(word_vectors_finish(vectors, &encoder) == STATUS_SUCCESS);
	word_vectors_free(vectors);
	return encoder;
}

/* Word vectors that are referred to, with weights of their own, stored and found again. */
static void
test_words(void)
{
	static const char text[] = "the the invoice";
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordWeightsOptions options = WORD_WEIGHTS_DEFAULT;
	EncoderInput input = {.text = text, .length = strlen(text)};
	Encoder    *words = small_words(&caller);
	EncoderPart part = {.encoder = words, .reference = 5};
	float		expected[2];
	WordWeightsFit *fit;
	Encoder    *combined;
	Encoder    *read;
	Encoding	encoding;
	Writer		writer;
	Reader		reader;

	options.ranked = false;
	REQUIRE(word_weights_fit_start(&caller, words, &options, &fit) == STATUS_SUCCESS);
	for (int i = 0; i < 20; i++)
		REQUIRE(word_weights_fit_add(fit, text, strlen(text)) == STATUS_SUCCESS);
	REQUIRE(word_weights_fit_finish(fit, &part.weights) == STATUS_SUCCESS);
	word_weights_fit_free(fit);
	REQUIRE(encoding_init(&caller, words, &encoding) == STATUS_SUCCESS);
	REQUIRE(encode_words(words, part.weights, text, strlen(text), &encoding, expected) == STATUS_SUCCESS);
	CHECK(encode_text(words, text, strlen(text), &encoding) == STATUS_SUCCESS);
	CHECK(fabsf(encoding.dense[0] - expected[0]) > 0.01f);
	encoding_free(&encoding);
	REQUIRE(encoder_combine(&caller, &part, 1, &combined) == STATUS_SUCCESS);
	store(combined, &caller, &writer);
	reader_init(&reader, writer.bytes, writer.length);
	REQUIRE(encoder_read(&caller, &reader, &read) == STATUS_SUCCESS);
	CHECK(reader_left(&reader) == 0);
	REQUIRE(encoder_refer(&caller, read, 0, words) == STATUS_SUCCESS);
	for (int i = 0; i < 2; i++)
	{
		const Encoder *encoder = i == 0 ? combined : read;

		REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
		CHECK(encode_inputs(encoder, &input, NULL, &encoding) == STATUS_SUCCESS);
		CHECK_NEAR(encoding.dense[0], expected[0], 1e-6);
		CHECK_NEAR(encoding.dense[1], expected[1], 1e-6);
		encoding_free(&encoding);
	}
	encoder_free(&caller, read);
	for (size_t length = 0; length < writer.length; length++)
	{
		reader_init(&reader, writer.bytes, length);
		CHECK(encoder_read(&caller, &reader, &read) == STATUS_CORRUPT && read == NULL);
	}
	/* not those of these words */
	writer.bytes[writer.length - 9] ^= 1;
	reader_init(&reader, writer.bytes, writer.length);
	if (encoder_read(&caller, &reader, &read) == STATUS_SUCCESS)
	{
		(void) encoder_refer(&caller, read, 0, words);
		encoder_free(&caller, read);
	}
	release(&caller, writer.bytes);
	encoder_free(&caller, combined);
	encoder_free(&caller, words);
	CHECK(memory.blocks == 0);
}

int
main(void)
{
	matrix = matrix_blas_ops();
	test_rows();
	test_missing();
	test_terms();
	test_stored();
	test_words();
	test_refused();
	return unit_end();
}
