/*-------------------------------------------------------------------------
 *
 * test_fit.c
 *	  Fitting the text encoder: small sources, bounded memory, want and stop.
 *
 *-------------------------------------------------------------------------
 */
#include "encode_helpers.h"

#include "../../src/encode/gram_counts.h"
#include "../../src/math/random.h"

/* Sources of a few rows, equal rows, empty rows. */
static void
test_tiny_sources(void)
{
	static const char *const equal[6] = {"the same", "the same", "the same", "the same", "the same", "the same"};
	static const char *const empty[3] = {"", "  ", "\xff"};
	static const char *const five[5] = {"new card", "card lost", "lost my phone", "new phone", ""};
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const struct
	{
		const char *const *texts;
		int			n;
	}			sources[] = {{five, 5}, {equal, 6}, {empty, 3}, {five, 1}, {five, 0}};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
	{
		Status		status;
		Encoder    *encoder = fit_texts(&caller, small_options(), sources[i].texts,
										sources[i].n, &status);
		Encoding	encoding;

		REQUIRE(status == STATUS_SUCCESS && encoder != NULL);
		CHECK(encoder_dims(encoder) >= 1 && encoder_dims(encoder) <= 5);
		REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
		CHECK(encode_text(encoder, "new card", 8, &encoding) == STATUS_SUCCESS);
		CHECK_NEAR(length_of(encoding.dense, encoder_dims(encoder)), i == 0 ? 1.0 : 0.0, 1e-6);
		CHECK(encode_text(encoder, "", 0, &encoding) == STATUS_SUCCESS);
		CHECK(encoding.terms == 0);
		CHECK(length_of(encoding.dense, encoder_dims(encoder)) == 0.0);
		encoding_free(&encoding);
		encoder_free(&caller, encoder);
	}
	CHECK(memory.blocks == 0);
}

/* Like texts lie near each other in every script; equal ones are equal. */
static void
test_meaning(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	first;
	Encoding	second;
	int			dims = encoder_dims(encoder);

	REQUIRE(encoding_init(&caller, encoder, &first) == STATUS_SUCCESS);
	REQUIRE(encoding_init(&caller, encoder, &second) == STATUS_SUCCESS);
	for (int row = 0; row < CORPUS_ROWS; row += 2)
	{
		int			other = (row + 2) % CORPUS_ROWS;
		double		near;

		encode_text(encoder, corpus[row], strlen(corpus[row]), &first);
		encode_text(encoder, corpus[row + 1], strlen(corpus[row + 1]), &second);
		near = cosine(first.dense, second.dense, dims);
		encode_text(encoder, corpus[other], strlen(corpus[other]), &second);
		CHECK(near > 0.5);
		CHECK(near > cosine(first.dense, second.dense, dims) + 0.2);
	}
	encode_text(encoder, "n\xc3\xbamero \xc4\xb0stanbul g\xc3\xbczel", 23, &first);
	encode_text(encoder, "NU\xcc\x81MERO I\xcc\x87STANBUL GU\xcc\x88ZEL", 26, &second);
	CHECK(first.terms > 10 && first.terms == second.terms);
	CHECK(memcmp(first.dense, second.dense, (size_t) dims * sizeof(float)) == 0);
	encoding_free(&first);
	encoding_free(&second);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* The same texts and seed give the same bytes; another seed other ones. */
static void
test_determinism(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = small_options();
	Writer		writers[3];
	Status		status;

	options.dims = 4;
	options.sample_rows = 15;	/* so that the sample leaves rows out */
	for (int i = 0; i < 3; i++)
	{
		Encoder    *encoder;

		options.seed = i < 2 ? 5 : 6;
		encoder = fit_texts(&caller, options, corpus, CORPUS_ROWS, &status);
		REQUIRE(encoder != NULL);
		store(encoder, &caller, &writers[i]);
		encoder_free(&caller, encoder);
	}
	CHECK(writers[0].length == writers[1].length &&
		  memcmp(writers[0].bytes, writers[1].bytes, writers[0].length) == 0);
	CHECK(writers[0].length != writers[2].length ||
		  memcmp(writers[0].bytes, writers[2].bytes, writers[0].length) != 0);
	for (int i = 0; i < 3; i++)
		release(&caller, writers[i].bytes);
	CHECK(memory.blocks == 0);
}

/* All of a fit, an encoding and a round trip, in memory that may run out. */
static Status
whole_life(const Caller *caller)
{
	Status		status;
	Encoder    *encoder = fit_texts(caller, small_options(), corpus, CORPUS_ROWS, &status);
	Encoder    *copy = NULL;
	Encoding	encoding;
	Writer		writer;
	Reader		reader;

	if (encoder == NULL)
		return status;
	writer_init(&writer, caller);
	status = encoder_write(encoder, &writer);
	if (status == STATUS_SUCCESS)
	{
		reader_init(&reader, writer.bytes, writer.length);
		status = encoder_read(caller, &reader, &copy);
	}
	if (status == STATUS_SUCCESS)
		status = encoding_init(caller, copy, &encoding);
	if (status == STATUS_SUCCESS)
	{
		for (int i = 0; i < CORPUS_ROWS && status == STATUS_SUCCESS; i++)
			status = encode_text(copy, corpus[i], strlen(corpus[i]), &encoding);
		encoding_free(&encoding);
	}
	encoder_free(caller, copy);
	encoder_free(caller, encoder);
	release(caller, writer.bytes);
	return status;
}

static void
test_no_memory(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Status		status = STATUS_NO_MEMORY;
	long		n = 0;

	while (status == STATUS_NO_MEMORY && n < 10000)
	{
		caller = unit_caller(&memory);
		memory.fail_at = ++n;
		status = whole_life(&caller);
		CHECK(memory.blocks == 0);
	}
	CHECK(status == STATUS_SUCCESS);
	CHECK(n > 40);				/* so many places could fail */
}

static void
test_stop(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Status		status = STATUS_STOPPED;
	long		n = 0;
	Encoder    *encoder;
	Encoding	encoding;
	Encoding	fresh;
	char	   *text = malloc(1000000);

	while (status == STATUS_STOPPED && n < 100000)
	{
		caller = unit_caller(&memory);
		memory.stop_at = ++n;
		status = whole_life(&caller);
		CHECK(memory.blocks == 0);
	}
	CHECK(status == STATUS_SUCCESS);
	CHECK(n > 40);

	/* an encoding that was stopped half-way is as good as new */
	for (int i = 0; i < 1000000; i++)
		text[i] = "where is my card "[i % 17];
	caller = unit_caller(&memory);
	encoder = fit_corpus(&caller);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	REQUIRE(encoding_init(&caller, encoder, &fresh) == STATUS_SUCCESS);
	memory.stop_at = memory.questions + 100;
	CHECK(encode_text(encoder, text, 1000000, &encoding) == STATUS_STOPPED);
	memory.stop_at = 0;
	CHECK(encode_text(encoder, corpus[3], strlen(corpus[3]), &encoding) == STATUS_SUCCESS);
	CHECK(encode_text(encoder, corpus[3], strlen(corpus[3]), &fresh) == STATUS_SUCCESS);
	CHECK(encoding.terms == fresh.terms);
	CHECK(memcmp(encoding.dense, fresh.dense, sizeof(float) * 16) == 0);

	/* a long text without a single n-gram must be stoppable too */
	for (int i = 0; i < 999999; i += 3)
		memcpy(text + i, "\xe2\x80\x8b", 3);
	memory.stop_at = memory.questions + 100;
	CHECK(encode_text(encoder, text, 999999, &encoding) == STATUS_STOPPED);
	encoding_free(&encoding);
	encoding_free(&fresh);
	encoder_free(&caller, encoder);
	free(text);
	CHECK(memory.blocks == 0);
}

/* A text of random words, and one common word, in buffer. */
static int
random_text(Random *random, char *buffer, int words)
{
	int			length = sprintf(buffer, "common ");

	for (int i = 0; i < words; i++)
	{
		for (int c = 0; c < 7; c++)
			buffer[length++] = (char) ('a' + random_below(random, 26));
		buffer[length++] = ' ';
	}
	return length;
}

/* Millions of different n-grams in little memory; the common ones survive. */
static void
test_bounded_memory(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = {
		.dims = 8, .vocabulary = 512, .sample_rows = 200, .seed = 1
	};
	TextFit    *fit;
	Encoder    *encoder;
	Encoder    *second;
	TermList	list;
	Random		random;
	size_t		needed;
	char		text[1000];
	double		idf = 0.0;
	int			rows = 6000;
	bool		good = true;

	CHECK(text_fit_start(&caller, &options, &fit, &needed) == STATUS_NO_MEMORY);
	CHECK(fit == NULL && needed > 0 && memory.allocations == 0);
	options.memory = needed;
	REQUIRE(text_fit_start(&caller, &options, &fit, &needed) == STATUS_SUCCESS);
	random_seed(&random, 1);
	for (int i = 0; i < rows; i++)
	{
		int			length = random_text(&random, text, 20);

		good = good && text_fit_add(fit, text, (size_t) length) == STATUS_SUCCESS;

		/* every third row says this too, so it must be found and counted well */
		if (i % 3 == 0)
			good = good && text_fit_add(fit, "often seen together", 19) == STATUS_SUCCESS;
	}
	CHECK(good);
	REQUIRE(text_fit_finish(fit, &encoder) == STATUS_SUCCESS);
	CHECK(text_fit_finish(fit, &second) == STATUS_BAD_ARGUMENT && second == NULL);
	text_fit_free(fit);
	CHECK(memory.peak <= options.memory);

	/* in 2,000 of 8,000 rows; counted at least to nine tenths */
	terms_of("often", 5, &list);
	for (int i = 0; i < encoder->vocabulary; i++)
		if (encoder->hash[i] == list.hash[0])
			idf = encoder->idf[i];
	CHECK_NEAR(idf, log(8001.0 / 2001.0) + 1.0, 0.1);
	CHECK(encoder->vocabulary == 512);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* The table of counts alone: what lossy counting promises. */
static void
test_lossy_counting(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	GramCounts	counts;
	Random		random;
	uint64_t	rows = 5000;
	int			found = 0;
	bool		bounds = true;

	REQUIRE(gram_counts_init(&counts, &caller, 16) == STATUS_SUCCESS);
	random_seed(&random, 9);
	for (uint64_t row = 1; row <= rows; row++)
	{
		uint64_t	hashes[102];

		for (int i = 0; i < 100; i++)
			hashes[i] = random_bits(&random);

		/* in every tenth row, twice */
		hashes[100] = hashes[101] = UINT64_C(0x123456789ABCDEF1);
		CHECK(gram_counts_add(&counts, row, hashes, row % 10 == 0 ? 102 : 100) == STATUS_SUCCESS);
	}
	CHECK(counts.bits == 16 && counts.missed > 0);
	CHECK(memory.peak <= gram_counts_bytes(16));
	for (size_t i = 0; i < (size_t) 1 << counts.bits; i++)
		if (counts.slots[i].hash == UINT64_C(0x123456789ABCDEF1))
		{
			found++;
			bounds = counts.slots[i].rows <= 500 &&
				counts.slots[i].rows + counts.missed >= 500;
		}
	CHECK(found == 1);
	CHECK(bounds);
	gram_counts_free(&counts);
	CHECK(memory.blocks == 0);
}

static void
test_options(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = small_options();
	TextFit    *fit;
	size_t		needed;

	options.dims = 0;
	CHECK(text_fit_start(&caller, &options, &fit, &needed) == STATUS_BAD_ARGUMENT);
	options = small_options();
	options.vocabulary = 0;
	CHECK(text_fit_start(&caller, &options, &fit, &needed) == STATUS_BAD_ARGUMENT);
	options = small_options();
	options.sample_rows = 0;
	CHECK(text_fit_start(&caller, &options, &fit, &needed) == STATUS_BAD_ARGUMENT);
	CHECK(fit == NULL && memory.allocations == 0);
	text_fit_free(NULL);
	encoder_free(&caller, NULL);
}

/* Long texts: the sample keeps within its share, and all rows have theirs. */
static void
test_long_texts(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = {
		.dims = 8, .vocabulary = 2000, .sample_rows = 100, .seed = 1
	};
	TextFit    *fit;
	Encoder    *encoder;
	size_t		needed;
	size_t		length = 200000;
	char	   *text = malloc(length + 1000);
	Random		random;

	random_seed(&random, 4);
	text_fit_start(&caller, &options, &fit, &needed);
	options.memory = needed + MEGABYTE;
	REQUIRE(text_fit_start(&caller, &options, &fit, &needed) == STATUS_SUCCESS);
	for (int row = 0; row < 150; row++)
	{
		size_t		filled = 0;

		while (filled < (row % 10 == 0 ? length : 500))
			filled += (size_t) random_text(&random, text + filled, 20);
		REQUIRE(text_fit_add(fit, text, filled) == STATUS_SUCCESS);
	}
	REQUIRE(text_fit_finish(fit, &encoder) == STATUS_SUCCESS);
	CHECK(encoder_dims(encoder) == 8);
	text_fit_free(fit);
	encoder_free(&caller, encoder);
	CHECK(memory.peak <= options.memory);
	CHECK(memory.blocks == 0);
	free(text);
}

int
main(void)
{
	matrix = matrix_blas_ops();
	test_tiny_sources();
	test_meaning();
	test_determinism();
	test_no_memory();
	test_stop();
	test_bounded_memory();
	test_lossy_counting();
	test_options();
	test_long_texts();
	return unit_end();
}
