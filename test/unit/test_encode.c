/*-------------------------------------------------------------------------
 *
 * test_encode.c
 *	  Weights, dense vectors, stored forms and damaged ones.
 *
 *-------------------------------------------------------------------------
 */
#include "encode_helpers.h"

#include "../../src/math/random.h"
#include "encode_values.h"

/* scikit-learn computes in double, the encoder keeps idf and weights in float */
#define WEIGHT_TOLERANCE 1e-6

/* Rows made of two rows of the corpus, and dims fitted to them */
#define MIXED_ROWS 100
#define MIXED_DIMS 45

static const IdfValue *
find_idf(uint64_t hash)
{
	for (int i = 0; i < CORPUS_TERMS; i++)
		if (corpus_idf[i].hash == hash)
			return &corpus_idf[i];
	return NULL;
}

/* The terms of one corpus row against scikit-learn's. */
static void
check_row(const Encoder *encoder, const Encoding *encoding, int row)
{
	int			from = row_start[row];
	int			terms = row_start[row + 1] - from;
	int			found = 0;

	CHECK(encoding->terms == terms);
	for (int i = 0; i < encoding->terms; i++)
	{
		uint64_t	hash = encoder->hash[encoding->index[i]];

		CHECK(i == 0 || encoding->index[i] > encoding->index[i - 1]);
		for (int j = from; j < from + terms; j++)
			if (row_terms[j].hash == hash)
			{
				found++;
				CHECK(encoding->count[i] == row_terms[j].count);
				CHECK_NEAR(encoding->weight[i], row_terms[j].weight, WEIGHT_TOLERANCE);
			}
	}
	CHECK(found == terms);
}

static void
test_weights(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	encoding;

	CHECK(encoder_kind(encoder) == ENCODER_TEXT);
	CHECK(encoder_sparse_dims(encoder) == CORPUS_TERMS);
	for (int i = 0; i < encoder->vocabulary; i++)
	{
		const IdfValue *value = find_idf(encoder->hash[i]);

		CHECK(value != NULL);
		if (value != NULL)
			CHECK_NEAR(encoder->idf[i], value->idf, WEIGHT_TOLERANCE);
	}
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	for (int row = 0; row < CORPUS_ROWS; row++)
	{
		CHECK(encode_text(encoder, corpus[row], strlen(corpus[row]), &encoding) == STATUS_SUCCESS);
		check_row(encoder, &encoding, row);
	}
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/*
 * dense = unit(sum of weight * scale * mantissas), computed the plain way:
 * every product is exact and the order of the sum is fixed, so the very bits
 * must agree, whatever registers the encoder uses.
 */
static void
test_dense(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = small_options();
	Encoder    *encoder;
	Encoding	encoding;
	Status		status;
	static char mixed[MIXED_ROWS][512];
	const char *mixed_rows[MIXED_ROWS];

	for (int i = 0; i < MIXED_ROWS; i++)
	{
		snprintf(mixed[i], sizeof(mixed[i]), "%s %s", corpus[i % CORPUS_ROWS],
				 corpus[(i + i / CORPUS_ROWS * 5 + 3) % CORPUS_ROWS]);
		mixed_rows[i] = mixed[i];
	}
	/* less than a step of the hot loop; a step and a rest */
	for (int round = 0; round < 2; round++)
	{
		int			dims;

		options.dims = round == 0 ? 16 : MIXED_DIMS;
		encoder = fit_texts(&caller, options, mixed_rows, MIXED_ROWS, &status);
		REQUIRE(encoder != NULL);
		dims = encoder_dims(encoder);
		REQUIRE(dims == options.dims);
		REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
		for (int row = 0; row < CORPUS_ROWS; row++)
		{
			float		dense[MIXED_DIMS];
			double		length = 0.0;

			CHECK(encode_text(encoder, corpus[row], strlen(corpus[row]), &encoding) == STATUS_SUCCESS);
			for (int j = 0; j < dims; j++)
			{
				double		sum = 0.0;

				for (int i = 0; i < encoding.terms; i++)
				{
					uint32_t	term = encoding.index[i];
					double		weight = (float) ((double) encoding.weight[i] *
												  encoder->scale[term]);

					sum += weight * encoder->mantissa[term * (uint32_t) dims + (uint32_t) j];
				}
				dense[j] = (float) sum;
				length += (double) dense[j] * dense[j];
			}
			for (int j = 0; j < dims; j++)
				dense[j] = (float) (dense[j] / sqrt(length));
			CHECK(memcmp(dense, encoding.dense, (size_t) dims * sizeof(float)) == 0);
			CHECK_NEAR(length_of(encoding.dense, dims), 1.0, 1e-6);
		}
		encoding_free(&encoding);
		encoder_free(&caller, encoder);
	}
	CHECK(memory.blocks == 0);
}

/* Many texts at once give what they give one by one; vectors are no texts. */
static void
test_texts(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	size_t		dims = (size_t) encoder_dims(encoder);
	float	   *dense = malloc(CORPUS_ROWS * dims * sizeof(float));
	size_t		lengths[CORPUS_ROWS];
	Encoding	encoding;

	for (int row = 0; row < CORPUS_ROWS; row++)
		lengths[row] = strlen(corpus[row]);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(encode_texts(encoder, corpus, lengths, CORPUS_ROWS, &encoding, dense) == STATUS_SUCCESS);
	for (int row = 0; row < CORPUS_ROWS; row++)
	{
		CHECK(encode_text(encoder, corpus[row], lengths[row], &encoding) == STATUS_SUCCESS);
		CHECK(memcmp(encoding.dense, dense + (size_t) row * dims, dims * sizeof(float)) == 0);
	}
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	REQUIRE(vector_encoder(&caller, 3, &encoder) == STATUS_SUCCESS);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(encode_texts(encoder, corpus, lengths, 1, &encoding, dense) == STATUS_BAD_ARGUMENT);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	free(dense);
	CHECK(memory.blocks == 0);
}

/* Written, read and written: the same bytes, and the same features. */
static void
test_round_trip(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoder    *copy;
	Writer		writer;
	Writer		again;
	Reader		reader;
	Encoding	first;
	Encoding	second;

	writer_init(&writer, &caller);
	write_u32(&writer, 77);		/* something else before and behind */
	REQUIRE(encoder_write(encoder, &writer) == STATUS_SUCCESS);
	write_u32(&writer, 78);
	reader_init(&reader, writer.bytes, writer.length);
	CHECK(read_u32(&reader) == 77);
	REQUIRE(encoder_read(&caller, &reader, &copy) == STATUS_SUCCESS);
	CHECK(read_u32(&reader) == 78 && reader_left(&reader) == 0);
	store(copy, &caller, &again);
	CHECK(again.length == writer.length - 8 &&
		  memcmp(again.bytes, writer.bytes + 4, again.length) == 0);

	REQUIRE(encoding_init(&caller, encoder, &first) == STATUS_SUCCESS);
	REQUIRE(encoding_init(&caller, copy, &second) == STATUS_SUCCESS);
	for (int row = 0; row < CORPUS_ROWS; row++)
	{
		unsigned char *packed;
		size_t		length;

		encode_text(encoder, corpus[row], strlen(corpus[row]), &first);
		encode_text(copy, corpus[row], strlen(corpus[row]), &second);
		CHECK(memcmp(first.dense, second.dense,
					 (size_t) encoder_dims(encoder) * sizeof(float)) == 0);

		packed = malloc(terms_bound(&first) + 1);
		length = terms_pack(&first, packed);
		CHECK(length <= terms_bound(&first));
		encode_text(copy, "", 0, &second);
		CHECK(terms_unpack(copy, packed, length, &second) == STATUS_SUCCESS);
		CHECK(second.terms == first.terms);
		CHECK(memcmp(first.index, second.index, (size_t) first.terms * sizeof(uint32_t)) == 0);
		CHECK(memcmp(first.count, second.count, (size_t) first.terms) == 0);
		CHECK(memcmp(first.weight, second.weight, (size_t) first.terms * sizeof(float)) == 0);
		free(packed);
	}
	encoding_free(&first);
	encoding_free(&second);
	encoder_free(&caller, encoder);
	encoder_free(&caller, copy);
	release(&caller, writer.bytes);
	release(&caller, again.bytes);
	CHECK(memory.blocks == 0);
}

/* Occurrences saturate; weights are those of the saturated count. */
static void
test_many_occurrences(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	encoding;
	char	   *text = malloc(5 * 1000 + 1);
	unsigned char packed[64 * 6];
	float		weight[64];
	int			terms;
	int			highest = 0;

	for (int i = 0; i < 1000; i++)
		memcpy(text + 5 * i, "card ", 5);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(encode_text(encoder, text, 5000, &encoding) == STATUS_SUCCESS);
	terms = encoding.terms;
	CHECK(terms >= 1 && terms <= 64);
	for (int i = 0; i < terms && i < 64; i++)
	{
		highest = encoding.count[i] > highest ? encoding.count[i] : highest;
		weight[i] = encoding.weight[i];
	}
	CHECK(highest == TERM_MAX_COUNT);
	CHECK(terms_unpack(encoder, packed, terms_pack(&encoding, packed), &encoding) == STATUS_SUCCESS);
	CHECK(memcmp(weight, encoding.weight, (size_t) terms * sizeof(float)) == 0);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	free(text);
	CHECK(memory.blocks == 0);
}

/* Reads stored bytes that may be anything; an encoder that comes out works. */
static Status
try_read(const unsigned char *bytes, size_t length)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Reader		reader;
	Encoder    *encoder;
	Status		status;

	/* an exact copy, so that reading one byte beyond is seen */
	unsigned char *exact = malloc(length == 0 ? 1 : length);

	memcpy(exact, bytes, length);
	reader_init(&reader, exact, length);
	status = encoder_read(&caller, &reader, &encoder);
	CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT);
	CHECK((status == STATUS_SUCCESS) == (encoder != NULL));
	CHECK(memory.peak <= 12 * length + 300000);	/* dims of vectors need none */
	if (encoder != NULL && encoder_kind(encoder) == ENCODER_TEXT)
	{
		Encoding	encoding;
		bool		finite = true;

		REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
		for (int row = 0; row < CORPUS_ROWS; row += 5)
			CHECK(encode_text(encoder, corpus[row], strlen(corpus[row]), &encoding) == STATUS_SUCCESS);
		for (int i = 0; i < encoder_dims(encoder); i++)
			finite = finite && isfinite(encoding.dense[i]);
		CHECK(finite);
		encoding_free(&encoding);
	}
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
	free(exact);
	return status;
}

/* Read in place, aligned or not: the same features, and no copy if aligned. */
static void
test_read_in_place(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Writer		writer;
	unsigned char *bytes;
	Encoding	first;
	Encoding	second;

	store(encoder, &caller, &writer);
	bytes = malloc(writer.length + 1);
	REQUIRE(encoding_init(&caller, encoder, &first) == STATUS_SUCCESS);
	for (int shift = 0; shift < 2; shift++)
	{
		Reader		reader;
		Encoder    *copy;
		size_t		before;
		size_t		projection = (size_t) encoder->vocabulary * 16 * sizeof(int16_t);

		memcpy(bytes + shift, writer.bytes, writer.length);
		reader_init(&reader, bytes + shift, writer.length);
		before = memory.bytes;
		REQUIRE(encoder_read_in_place(&caller, &reader, &copy) == STATUS_SUCCESS);
		CHECK(copy->borrowed == (shift == 0));
		CHECK(reader_left(&reader) == 0);
		if (shift == 0)
			CHECK(memory.bytes - before < sizeof(Encoder) + 64 * (size_t) encoder->vocabulary);
		else
			CHECK(memory.bytes - before > projection);
		REQUIRE(encoding_init(&caller, copy, &second) == STATUS_SUCCESS);
		for (int row = 0; row < CORPUS_ROWS; row++)
		{
			encode_text(encoder, corpus[row], strlen(corpus[row]), &first);
			encode_text(copy, corpus[row], strlen(corpus[row]), &second);
			CHECK(memcmp(first.dense, second.dense, 16 * sizeof(float)) == 0);
		}
		encoding_free(&second);
		encoder_free(&caller, copy);

		/* cut short: refused */
		reader_init(&reader, bytes + shift, writer.length - 1);
		CHECK(encoder_read_in_place(&caller, &reader, &copy) == STATUS_CORRUPT && copy == NULL);
	}
	encoding_free(&first);
	encoder_free(&caller, encoder);
	release(&caller, writer.bytes);
	free(bytes);
	CHECK(memory.blocks == 0);
}

static void
test_damaged_encoder(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Writer		writer;
	Random		random;
	int			refused = 0;
	unsigned char *copy;

	store(encoder, &caller, &writer);
	encoder_free(&caller, encoder);
	copy = malloc(writer.length);
	random_seed(&random, 11);
	CHECK(try_read(writer.bytes, writer.length) == STATUS_SUCCESS);
	for (int round = 0; round < 2000; round++)
	{
		size_t		length = writer.length;
		int			changes = 1 + (int) random_below(&random, 4);

		memcpy(copy, writer.bytes, length);
		for (int i = 0; i < changes; i++)
		{
			/* half of them in the header, where the counts are */
			size_t		at = random_below(&random, random_below(&random, 2) ? 24 : length);

			copy[at] = (unsigned char) random_bits(&random);
		}
		if (random_below(&random, 4) == 0)
			length = random_below(&random, length);
		refused += try_read(copy, length) == STATUS_CORRUPT;
	}
	CHECK(refused > 500 && refused < 2000);
	for (size_t length = 0; length < 64; length++)
		CHECK(try_read(writer.bytes, length) == STATUS_CORRUPT);
	CHECK(try_read(writer.bytes, writer.length - 1) == STATUS_CORRUPT);
	free(copy);
	release(&caller, writer.bytes);
	CHECK(memory.blocks == 0);
}

/* One value at a time that no fit writes. */
static void
test_refused_values(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Writer		writer;
	static const float bad[] = {NAN, INFINITY, -1.0f, 1e30f};

	for (int i = 0; i < 4; i++)
	{
		float		kept = encoder->idf[3];

		encoder->idf[3] = bad[i];
		store(encoder, &caller, &writer);
		CHECK(try_read(writer.bytes, writer.length) == STATUS_CORRUPT);
		release(&caller, writer.bytes);
		encoder->idf[3] = kept;
		kept = encoder->scale[3];
		encoder->scale[3] = bad[i];
		store(encoder, &caller, &writer);
		CHECK(try_read(writer.bytes, writer.length) == STATUS_CORRUPT);
		release(&caller, writer.bytes);
		encoder->scale[3] = kept;
	}
	encoder->hash[0] ^= 1;		/* a piece among the words */
	store(encoder, &caller, &writer);
	CHECK(try_read(writer.bytes, writer.length) == STATUS_CORRUPT);
	release(&caller, writer.bytes);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* A vocabulary of hashes that all fall into one slot is refused, soon. */
static void
test_colliding_hashes(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Writer		writer;
	uint32_t	n = 200000;

	writer_init(&writer, &caller);
	write_u32(&writer, UINT32_C(0x4E454C48));
	write_u32(&writer, 1);
	write_u32(&writer, ENCODER_TEXT);
	write_u32(&writer, 1);
	write_u32(&writer, n);
	write_u32(&writer, n);
	for (uint32_t i = 0; i < n; i++)
		write_u64(&writer, 2);
	for (uint32_t i = 0; i < 2 * n; i++)
		write_floats(&writer, (const float[]) {1.0f}, 1);
	for (uint32_t i = 0; i < n; i++)
		write_i16s(&writer, (const int16_t[]) {1}, 1);
	CHECK(try_read(writer.bytes, writer.length) == STATUS_CORRUPT);
	release(&caller, writer.bytes);
	CHECK(memory.blocks == 0);
}

static void
test_damaged_terms(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	encoding;
	Random		random;
	static const unsigned char too_far[] = {0xFE, 0xFF, 0xFF, 0xFF, 0x0F};
	static const unsigned char endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	static const unsigned char too_large[] = {0x80, 0x80, 0x80, 0x80, 0x7F};
	static const unsigned char no_count[] = {0x01};
	static const unsigned char count_one[] = {0x01, 0x01};
	static const unsigned char good[] = {0x01, 0x02, 0x00};
	static const unsigned char zeros[100000];

	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(terms_unpack(encoder, too_far, 5, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, endless, 6, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, too_large, 5, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, no_count, 1, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, count_one, 2, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, zeros, sizeof(zeros), &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, zeros, CORPUS_TERMS + 1, &encoding) == STATUS_CORRUPT);
	CHECK(encoding.terms == 0);
	CHECK(terms_unpack(encoder, zeros, CORPUS_TERMS, &encoding) == STATUS_SUCCESS);
	CHECK(encoding.terms == CORPUS_TERMS);
	CHECK(terms_unpack(encoder, good, 3, &encoding) == STATUS_SUCCESS);
	CHECK(encoding.terms == 2 && encoding.index[0] == 0 && encoding.index[1] == 1);
	CHECK(encoding.count[0] == 2 && encoding.count[1] == 1);
	CHECK(terms_unpack(encoder, NULL, 0, &encoding) == STATUS_SUCCESS && encoding.terms == 0);

	random_seed(&random, 3);
	for (int round = 0; round < 2000; round++)
	{
		unsigned char *bytes = malloc(40);
		size_t		length = random_below(&random, 40);
		Status		status;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (unsigned char) (random_bits(&random) >> (random_bits(&random) % 8));
		bytes = realloc(bytes, length + 1);
		status = terms_unpack(encoder, bytes, length, &encoding);
		CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT);
		for (int i = 0; i < encoding.terms; i++)
			CHECK(encoding.index[i] < CORPUS_TERMS && isfinite(encoding.weight[i]));
		free(bytes);
	}
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

static void
test_vectors(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder;
	Encoder    *copy;
	Encoding	encoding;
	Writer		writer;
	Reader		reader;
	float		vector[3] = {3.0f, 0.0f, -4.0f};
	float		tiny[3] = {1e-40f, 0.0f, 0.0f};
	float		huge[3] = {3e38f, 3e38f, 3e38f};
	float		zero[3] = {0.0f, 0.0f, 0.0f};
	float		bad[3] = {1.0f, NAN, 0.0f};

	CHECK(vector_encoder(&caller, 0, &encoder) == STATUS_BAD_ARGUMENT && encoder == NULL);
	CHECK(vector_encoder(&caller, 1 << 20, &encoder) == STATUS_BAD_ARGUMENT);
	REQUIRE(vector_encoder(&caller, 3, &encoder) == STATUS_SUCCESS);
	store(encoder, &caller, &writer);
	reader_init(&reader, writer.bytes, writer.length);
	REQUIRE(encoder_read(&caller, &reader, &copy) == STATUS_SUCCESS);
	CHECK(encoder_kind(copy) == ENCODER_VECTOR && encoder_dims(copy) == 3);
	CHECK(encoder_sparse_dims(copy) == 0);
	REQUIRE(encoding_init(&caller, copy, &encoding) == STATUS_SUCCESS);
	CHECK(encode_vector(copy, vector, 3, &encoding) == STATUS_SUCCESS);
	CHECK_NEAR(encoding.dense[0], 0.6, 1e-7);
	CHECK_NEAR(encoding.dense[2], -0.8, 1e-7);
	CHECK(encode_vector(copy, tiny, 3, &encoding) == STATUS_SUCCESS && encoding.dense[0] == 1.0f);
	CHECK(encode_vector(copy, huge, 3, &encoding) == STATUS_SUCCESS);
	CHECK_NEAR(encoding.dense[1], 1.0 / sqrt(3.0), 1e-7);
	CHECK(encode_vector(copy, zero, 3, &encoding) == STATUS_SUCCESS && encoding.dense[0] == 0.0f);
	CHECK(encode_vector(copy, bad, 3, &encoding) == STATUS_NOT_FINITE);
	CHECK(encode_vector(copy, vector, 2, &encoding) == STATUS_BAD_ARGUMENT);
	CHECK(encode_text(copy, "x", 1, &encoding) == STATUS_BAD_ARGUMENT);
	CHECK(terms_unpack(copy, (const unsigned char *) "", 0, &encoding) == STATUS_BAD_ARGUMENT);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	encoder_free(&caller, copy);
	release(&caller, writer.bytes);

	encoder = fit_corpus(&caller);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(encode_vector(encoder, vector, 16, &encoding) == STATUS_BAD_ARGUMENT);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

int
main(void)
{
	matrix = matrix_blas_ops();
	test_weights();
	test_dense();
	test_texts();
	test_round_trip();
	test_many_occurrences();
	test_read_in_place();
	test_damaged_encoder();
	test_refused_values();
	test_colliding_hashes();
	test_damaged_terms();
	test_vectors();
	return unit_end();
}
