/*-------------------------------------------------------------------------
 *
 * test_word_vectors.c
 *	  Files of word vectors: the three formats, their faults, their limits.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/encode/decimal.h"
#include "../../src/encode/words_internal.h"
#include "../../src/math/random.h"
#include "words_helpers.h"

#define MEGABYTE ((size_t) 1 << 20)

/* An encoder in its stored form. */
static void
stored(const Caller *caller, const Encoder *encoder, Writer *writer)
{
	writer_init(writer, caller);
	REQUIRE(encoder != NULL && encoder_write(encoder, writer) == STATUS_SUCCESS);
}

/* Does a file, in pieces of that size, give this stored encoder? */
static void
check_gives(const Caller *caller, const Writer *file, WordVectorsFormat told,
			WordVectorsFormat found, size_t piece, const Writer *expected)
{
	WordVectorsOptions options = roomy_options();
	WordVectorsReport report;
	Encoder    *encoder;
	Writer		bytes;

	options.format = told;
	REQUIRE(read_vectors(caller, options, file->bytes, file->length, piece, &report,
						 &encoder) == STATUS_SUCCESS);
	CHECK(report.format == found && report.dims == WORDS_DIMS);
	CHECK(report.header == (found != WORD_VECTORS_GLOVE));
	CHECK(report.words == VOCABULARY_WORDS && report.kept == VOCABULARY_WORDS);
	CHECK(report.beyond == 0 && report.duplicates == 0 && report.unusable == 0);
	CHECK(report.fault == WORD_VECTORS_FINE);
	stored(caller, encoder, &bytes);
	CHECK(bytes.length == expected->length &&
		  memcmp(bytes.bytes, expected->bytes, bytes.length) == 0);
	release(caller, bytes.bytes);
	encoder_free(caller, encoder);
}

/* The same words in all formats are the same encoder, however they come. */
static void
test_formats(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = vocabulary_encoder(&caller);
	Writer		expected;
	const size_t pieces[] = {0, 1, 2, 7, 100, 1000};

	stored(&caller, encoder, &expected);
	CHECK(encoder_kind(encoder) == ENCODER_WORDS && encoder_dims(encoder) == WORDS_DIMS);
	CHECK(encoder_words(encoder) == VOCABULARY_WORDS && encoder_sparse_dims(encoder) == 0);
	encoder_free(&caller, encoder);
	for (WordVectorsFormat format = WORD_VECTORS_GLOVE; format <= WORD_VECTORS_BINARY; format++)
	{
		Writer		file;

		writer_init(&file, &caller);
		write_vocabulary(&file, format);
		for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		{
			check_gives(&caller, &file, WORD_VECTORS_ANY, format, pieces[i], &expected);
			check_gives(&caller, &file, format, format, pieces[i], &expected);
		}
		/* the last line may lack its end, and empty ones may follow */
		if (format != WORD_VECTORS_BINARY)
		{
			file.length--;
			check_gives(&caller, &file, WORD_VECTORS_ANY, format, 3, &expected);
			write_text(&file, "\n\n \r\n\n");
			check_gives(&caller, &file, WORD_VECTORS_ANY, format, 3, &expected);
		}
		release(&caller, file.bytes);
	}
	release(&caller, expected.bytes);
	CHECK(memory.blocks == 0);
}

/* What does a small file give?  The encoder is freed if `encoder` is NULL. */
static Status
read_small(const Caller *caller, WordVectorsFormat format, const void *bytes, size_t length,
		   WordVectorsReport *report, Encoder **encoder)
{
	WordVectorsOptions options = roomy_options();
	WordVectorsReport whole;
	Encoder    *made;
	Encoder    *again;
	Status		status;

	options.format = format;
	status = read_vectors(caller, options, bytes, length, length < 1000 ? 1 : 10007, report, &made);

	/* the pieces make no difference */
	CHECK(read_vectors(caller, options, bytes, length, 0, &whole, &again) == status);
	CHECK(memcmp(report, &whole, sizeof(whole)) == 0);
	CHECK((made != NULL) == (status == STATUS_SUCCESS));
	encoder_free(caller, again);
	if (encoder != NULL)
		*encoder = made;
	else
		encoder_free(caller, made);
	return status;
}

#define READS(text, expected_kept) \
	do { \
		CHECK(read_small(&caller, WORD_VECTORS_ANY, text, sizeof(text) - 1, &report, NULL) == \
			  STATUS_SUCCESS); \
		CHECK(report.kept == (expected_kept)); \
	} while (0)

/* Number j of word i, from what is kept of it. */
static double
kept_number(const Encoder *encoder, int i, int j)
{
	const WordTable *table = encoder->word_table;

	return (double) table->scale[i] * table->mantissa[i * encoder->dims + j];
}

/* How files are written in practice, and words that are odd. */
static void
test_oddities(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordVectorsReport report;
	Encoder    *encoder;
	const char *equal = "foo 1 -1\nFoo 2 2\nfoo 3 3\nbar 4 0\nFoo 5 5";

	/* fastText and word2vec end lines with a blank; others with CR, or tabs */
	READS("2 2\nfoo 1 2 \nbar 3 4 \n", 2);
	READS("foo 1 2\r\nbar 3 4\r\n", 2);
	READS("foo\t1\t2\nbar\t 3  4", 2);
	/* GloVe's largest has words with blanks, which no text can have */
	READS("foo 1 2\nat name@domain.com 1 2\n. . . 3 4\nbar 5 6\n", 2);
	CHECK(report.unusable == 2 && report.words == 4 && report.dims == 2);
	/* word2vec's news have broken ones: cut off, a surrogate, overlong */
	READS("foo 1 2\n\xE4\xB8 1 2\n\xED\xA0\x80 1 2\n\xC0\xAF 1 2\n", 1);
	CHECK(report.unusable == 3);
	/* empty, with a control, with a no-break space, numbers */
	READS("foo 1 2\n 1 2\na\x01 1 2\na\xC2\xA0z 1 2\n2004 1 2\n", 2);
	CHECK(report.unusable == 3);
	/* of equal words the first holds; case makes another word */
	CHECK(read_small(&caller, WORD_VECTORS_ANY, equal, strlen(equal), &report,
					 &encoder) == STATUS_SUCCESS);
	CHECK(report.kept == 3 && report.duplicates == 2 && report.words == 5);
	REQUIRE(encoder != NULL && encoder_words(encoder) == 3);
	CHECK_NEAR(kept_number(encoder, 0, 0), 1.0, 1e-6);
	CHECK_NEAR(kept_number(encoder, 0, 1), -1.0, 1e-6);
	CHECK_NEAR(kept_number(encoder, 1, 0), 2.0, 1e-6);
	CHECK_NEAR(kept_number(encoder, 2, 0), 4.0, 1e-6);
	CHECK(kept_number(encoder, 2, 1) == 0.0);
	encoder_free(&caller, encoder);
	/* a header of two numbers is one, unless it is said to be none */
	READS("1 1\n7 3\n", 1);
	CHECK(report.header && report.claimed == 1 && report.dims == 1);
	CHECK(read_small(&caller, WORD_VECTORS_GLOVE, "1 1\n7 3\n", 8, &report, NULL) == STATUS_SUCCESS);
	CHECK(!report.header && report.kept == 2 && report.dims == 1);
	/* lines of one number only, then as binary */
	READS("2 1\nfoo 1\nbar 2\n", 2);
	CHECK(report.format == WORD_VECTORS_TEXT);
	READS("2 1\nfoo \0\0\x80?\nbar \0\0\0@\n", 2);
	CHECK(report.format == WORD_VECTORS_BINARY);
	READS("2 1\nfoo \0\0\x80?bar \0\0\0@", 2);
	CHECK(report.format == WORD_VECTORS_BINARY);
	CHECK(memory.blocks == 0);
}

static void
check_fault(const Caller *caller, WordVectorsFormat format, const void *bytes, size_t length,
			WordVectorsFault fault, uint64_t at, int line)
{
	WordVectorsReport report;
	bool		right = read_small(caller, format, bytes, length, &report, NULL) == STATUS_CORRUPT &&
		report.fault == fault && report.at == at;

	check_result(right, __FILE__, line, "fault");
	if (!right)
		printf("  %d at %llu\n", (int) report.fault, (unsigned long long) report.at);
}

#define FAULTY_AS(format, text, fault, at) \
	check_fault(&caller, WORD_VECTORS_ ## format, text, sizeof(text) - 1, \
				WORD_VECTORS_ ## fault, at, __LINE__)
#define FAULTY(text, fault, at) FAULTY_AS(ANY, text, fault, at)

static void
test_faults(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	size_t		length = 2 * MEGABYTE;
	char	   *endless = malloc(length);

	FAULTY("", EMPTY, 0);
	FAULTY("\n \n\n", EMPTY, 0);
	FAULTY("\xFF 1 2\n", EMPTY, 0);
	FAULTY("0 5\n", EMPTY, 0);
	FAULTY("PK\003\004 and so on", PACKED, 0);
	FAULTY("\037\213\010\0", PACKED, 0);
	FAULTY("\272\026\117\057\014\0\0\0", MODEL, 0);
	FAULTY_AS(TEXT, "foo 1 2\n", HEADER, 1);
	FAULTY_AS(BINARY, "3 2 1\n", HEADER, 1);
	FAULTY_AS(TEXT, "3 -2\n", HEADER, 1);
	/* numbers of numbers: none, too many */
	FAULTY("foo\nbar\n", DIMS, 1);
	FAULTY("5 0\n", DIMS, 1);
	FAULTY("5 16385\n", DIMS, 1);
	FAULTY("5 99999999999999999999999\n", DIMS, 1);
	FAULTY("\n\nfoo bar\n", DIMS, 3);
	/* a field too few, none but the word, one too many */
	FAULTY("foo 1 2\nbar 3\nbaz 5 6\n", FIELDS, 2);
	FAULTY("foo 1 2\nbar\n", FIELDS, 2);
	FAULTY("foo 1 2\n3 4\nbaz 5 6\n", FIELDS, 2);
	FAULTY("foo 1 2\n\nbar 3 4 5\n", FIELDS, 3);
	FAULTY("1 3\nfoo 1 2\n", FIELDS, 2);
	FAULTY("1 1\nfoo 1 2\n", FIELDS, 2);
	FAULTY("foo 1 2\nbar 1 x\n", NUMBER, 2);
	FAULTY("foo 1 2\nbar 1, 2\n", NUMBER, 2);
	FAULTY("foo 1 2\nbar 0x1 2\n", NUMBER, 2);
	FAULTY("foo 1 2\nbar 1 2\0\n", NUMBER, 2);
	FAULTY("foo 1 2\nbar nan 2\n", NOT_FINITE, 2);
	FAULTY("foo 1 2\nbar 1 -INF\n", NOT_FINITE, 2);
	FAULTY("foo 1 2\nbar 1 3.5e38\n", NOT_FINITE, 2);
	FAULTY("1 2\nfoo \0\0\xC0\x7F\0\0\0\0", NOT_FINITE, 1);
	FAULTY("2 1\nfoo \0\0\x80?bar \0\0\x80\xFF", NOT_FINITE, 2);
	/* the end comes too early, or too late */
	FAULTY("foo 1 2\nbar 1", CUT, 2);
	FAULTY("foo 1 2\nba", CUT, 2);
	FAULTY("3 2\nfoo 1 2\nbar 1 2\n", COUNT, 0);
	FAULTY("1 2\n", COUNT, 0);
	FAULTY("1 2\nfoo 1 2\n\nbar 1 2\n", COUNT, 4);
	FAULTY("2 1\nfoo \0\0\x80?\nbar \0\0\x80", CUT, 2);
	FAULTY("2 1\nfoo \0\0\x80?\nba", CUT, 2);
	FAULTY("2 1\nfoo \0\0\x80?\n", COUNT, 0);
	FAULTY("1 1\nfoo \0\0\x80?\n\nbar \0\0\x80?", COUNT, 2);
	/* what does not end: a line, a header, a word */
	memset(endless, 'x', length);
	check_fault(&caller, WORD_VECTORS_ANY, endless, length, WORD_VECTORS_LONG, 1, __LINE__);
	memcpy(endless, "foo 1 2\n", 8);
	check_fault(&caller, WORD_VECTORS_ANY, endless, length, WORD_VECTORS_LONG, 2, __LINE__);
	memcpy(endless, "2 1\nfoo.", 8);
	check_fault(&caller, WORD_VECTORS_BINARY, endless, length, WORD_VECTORS_LONG, 1, __LINE__);
	memset(endless, '\0', length);
	memcpy(endless, "2 1\nfoo \0\0\x80?bar", 15);
	check_fault(&caller, WORD_VECTORS_ANY, endless, length, WORD_VECTORS_LONG, 2, __LINE__);
	free(endless);
	CHECK(memory.blocks == 0);
}

/* The first words are kept, and the others counted without being looked at. */
static void
test_most_words(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordVectorsOptions options = roomy_options();
	WordVectorsReport report;
	Encoder    *encoder;
	Writer		file;
	const char *first = "a 1\nb\xFF 2\nb 2\na 3\nc 4\nd x\n\ne";

	options.max_words = 3;
	CHECK(read_vectors(&caller, options, first, strlen(first), 4, &report,
					   &encoder) == STATUS_SUCCESS);
	CHECK(report.words == 7 && report.beyond == 3 && report.unusable == 1);
	CHECK(report.kept == 2 && report.duplicates == 1);
	REQUIRE(encoder != NULL);
	CHECK(encoder_words(encoder) == 2);
	encoder_free(&caller, encoder);
	for (WordVectorsFormat format = WORD_VECTORS_GLOVE; format <= WORD_VECTORS_BINARY; format++)
	{
		writer_init(&file, &caller);
		write_vocabulary(&file, format);
		options.max_words = 7;
		CHECK(read_vectors(&caller, options, file.bytes, file.length, 1000, &report,
						   &encoder) == STATUS_SUCCESS);
		CHECK(report.words == VOCABULARY_WORDS && report.beyond == VOCABULARY_WORDS - 7);
		CHECK(report.kept == 7 && encoder != NULL && encoder_words(encoder) == 7);
		encoder_free(&caller, encoder);
		/* the count must still be right */
		if (format != WORD_VECTORS_GLOVE)
		{
			CHECK(read_vectors(&caller, options, file.bytes, file.length - 5, 1000, &report,
							   &encoder) == (format == WORD_VECTORS_BINARY ? STATUS_CORRUPT : STATUS_SUCCESS));
			encoder_free(&caller, encoder);
		}
		release(&caller, file.bytes);
	}
	options.max_words = 0;
	CHECK(read_vectors(&caller, options, "a 1", 3, 0, &report, &encoder) == STATUS_BAD_ARGUMENT);
	options.max_words = ENCODER_MAX_VOCABULARY + 1;
	CHECK(read_vectors(&caller, options, "a 1", 3, 0, &report, &encoder) == STATUS_BAD_ARGUMENT);
	options = roomy_options();
	options.format = (WordVectorsFormat) 4;
	CHECK(read_vectors(&caller, options, "a 1", 3, 0, &report, &encoder) == STATUS_BAD_ARGUMENT);
	CHECK(memory.blocks == 0);
}

/* A file of many short words without a header, or with that one. */
static void
write_many(Writer *file, const char *header, int words, int dims)
{
	char		text[32];

	write_text(file, header);
	for (int i = 0; i < words; i++)
	{
		snprintf(text, sizeof(text), "W%d", i);
		write_text(file, text);
		for (int j = 0; j < dims; j++)
			write_text(file, (i + j) % 2 ? " 1" : " -0.5");
		write_text(file, "\n");
	}
}

/* Never more memory than was planned, and enough is what the report says. */
static void
test_memory(void)
{
	UnitMemory	memory;
	UnitMemory	spare;
	Caller		caller = unit_caller(&memory);
	Caller		others = unit_caller(&spare);
	WordVectorsOptions options = roomy_options();
	WordVectorsReport report;
	Encoder    *encoder;

	for (int dims = 1; dims <= 301; dims += 150)
	{
		int			words = 60000 / (dims + 5);
		Writer		file;

		writer_init(&file, &others);
		write_many(&file, "", words, dims);
		options.max_words = words;
		options.memory = word_vectors_bytes(words, dims);
		CHECK(read_vectors(&caller, options, file.bytes, file.length, 0, &report,
						   &encoder) == STATUS_SUCCESS);
		CHECK(memory.peak <= options.memory);
		REQUIRE(encoder != NULL);
		CHECK(encoder_words(encoder) == words);
		encoder_free(&caller, encoder);

		/* half of that: known only when half of the words are there */
		options.memory = word_vectors_bytes(words / 2, dims);
		memory.peak = 0;
		CHECK(read_vectors(&caller, options, file.bytes, file.length, 0, &report,
						   &encoder) == STATUS_NO_MEMORY);
		CHECK(report.fault == WORD_VECTORS_MEMORY && report.at == (uint64_t) words / 2 + 1);
		CHECK(report.needed == word_vectors_bytes(words, dims) && report.fitting == words / 2);
		CHECK(memory.peak <= options.memory);
		options.max_words = report.fitting;
		CHECK(read_vectors(&caller, options, file.bytes, file.length, 0, &report,
						   &encoder) == STATUS_SUCCESS);
		CHECK(report.kept == (uint64_t) words / 2 && memory.peak <= options.memory);
		encoder_free(&caller, encoder);
		release(&others, file.bytes);
	}
	/* a header that says more than fits is refused at once, believed or not */
	options.max_words = 1000000;
	options.memory = 5 * MEGABYTE;
	memory.peak = 0;
	CHECK(read_vectors(&caller, options, "999999999 300\na 1", 17, 0, &report,
					   &encoder) == STATUS_NO_MEMORY);
	CHECK(report.fault == WORD_VECTORS_MEMORY && report.at == 1 && report.fitting > 0);
	CHECK(report.needed == word_vectors_bytes(1000000, 300) && memory.peak < MEGABYTE);
	options.memory = 1000;
	CHECK(read_vectors(&caller, options, "a 1", 3, 0, &report, &encoder) == STATUS_NO_MEMORY);
	CHECK(report.fault == WORD_VECTORS_MEMORY && report.fitting == 0);
	CHECK(memory.blocks == 0 && spare.blocks == 0);
}

/* Memory that ends, and the wish to stop, at every point. */
static void
test_failures(void)
{
	UnitMemory	memory;
	UnitMemory	spare;
	Caller		caller = unit_caller(&memory);
	Caller		others = unit_caller(&spare);
	WordVectorsReport report;
	Encoder    *encoder;
	Writer		file;
	long		allocations;
	long		questions;

	writer_init(&file, &others);
	write_many(&file, "", 20000, 8);
	CHECK(read_vectors(&caller, roomy_options(), file.bytes, file.length, 0, &report,
					   &encoder) == STATUS_SUCCESS);
	encoder_free(&caller, encoder);
	allocations = memory.allocations;
	questions = memory.questions;
	CHECK(allocations > 12 && questions > 12);
	for (long i = 1; i <= allocations; i++)
	{
		memory.allocations = 0;
		memory.fail_at = i;
		CHECK(read_vectors(&caller, roomy_options(), file.bytes, file.length, 0, &report,
						   &encoder) == STATUS_NO_MEMORY);
		CHECK(encoder == NULL && memory.blocks == 0);
	}
	memory.fail_at = 0;
	for (long i = 1; i <= questions; i++)
	{
		memory.questions = 0;
		memory.stop_at = i;
		CHECK(read_vectors(&caller, roomy_options(), file.bytes, file.length, 0, &report,
						   &encoder) == STATUS_STOPPED);
		CHECK(encoder == NULL && memory.blocks == 0);
	}
	release(&others, file.bytes);
}

/* After a failure everything fails, after the end nothing more is taken. */
static void
test_order(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordVectorsOptions options = roomy_options();
	WordVectors *vectors;
	Encoder    *encoder;

	REQUIRE(word_vectors_start(&caller, &options, &vectors) == STATUS_SUCCESS);
	CHECK(word_vectors_add(vectors, "a 1\nb\nc 1\n", 10) == STATUS_CORRUPT);
	CHECK(word_vectors_add(vectors, "d 1\n", 4) == STATUS_CORRUPT);
	CHECK(word_vectors_finish(vectors, &encoder) == STATUS_CORRUPT && encoder == NULL);
	CHECK(word_vectors_report(vectors)->at == 2);
	word_vectors_free(vectors);
	REQUIRE(word_vectors_start(&caller, &options, &vectors) == STATUS_SUCCESS);
	CHECK(word_vectors_add(vectors, "a 1\n", 4) == STATUS_SUCCESS);
	CHECK(word_vectors_add(vectors, NULL, 0) == STATUS_SUCCESS);
	REQUIRE(word_vectors_finish(vectors, &encoder) == STATUS_SUCCESS && encoder != NULL);
	encoder_free(&caller, encoder);
	CHECK(word_vectors_finish(vectors, &encoder) == STATUS_BAD_ARGUMENT && encoder == NULL);
	CHECK(word_vectors_add(vectors, "b 1\n", 4) == STATUS_BAD_ARGUMENT);
	word_vectors_free(vectors);
	word_vectors_free(NULL);
	CHECK(memory.blocks == 0);
}

#define DECIMAL(text, expected) \
	CHECK(parse_decimal(text, sizeof(text) - 1, &value) && value == (expected))
#define NO_DECIMAL(text) CHECK(!parse_decimal(text, sizeof(text) - 1, &value))

/* Against the C library, in the locale where both agree. */
static void
test_decimals(void)
{
	Random		random;
	double		value = 0.0;
	int			other_floats = 0;

	DECIMAL("0", 0.0);
	DECIMAL("-0.043953", -0.043953);
	DECIMAL("+.5", 0.5);
	DECIMAL("5.", 5.0);
	DECIMAL("1e3", 1000.0);
	DECIMAL("1.5E-05", 1.5e-05);
	DECIMAL("1e+22", 1e22);
	DECIMAL("00000000000000000000000000000001.25", 1.25);
	DECIMAL("0.00000000000000000000000000000000125e33", 1.25);
	DECIMAL("123456789012345678901234567890", 123456789012345678901234567890.0);
	DECIMAL("1e-400", 0.0);
	DECIMAL("0e99999999999", 0.0);
	DECIMAL("1e400", (double) INFINITY);
	DECIMAL("-1e99999999999", -(double) INFINITY);
	DECIMAL("-Infinity", -(double) INFINITY);
	DECIMAL("inf", (double) INFINITY);
	CHECK(parse_decimal("NaN", 3, &value) && isnan(value));
	CHECK(parse_decimal("-nan", 4, &value) && isnan(value));
	NO_DECIMAL("");
	NO_DECIMAL("-");
	NO_DECIMAL(".");
	NO_DECIMAL("-.");
	NO_DECIMAL(".nan");
	NO_DECIMAL("1e");
	NO_DECIMAL("1e+");
	NO_DECIMAL("e5");
	NO_DECIMAL("1.2.3");
	NO_DECIMAL("1,5");
	NO_DECIMAL("0x10");
	NO_DECIMAL("--1");
	NO_DECIMAL("1 ");
	NO_DECIMAL(" 1");
	NO_DECIMAL("in");
	NO_DECIMAL("infi");
	NO_DECIMAL("1\0");
	random_seed(&random, 1);
	for (int i = 0; i < 200000; i++)
	{
		static const char *const forms[] = {"%.6f", "%.9g", "%.17g", "%.5g", "%e", "%.20f"};
		double		number = ldexp(random_normal(&random), (int) random_below(&random, 240) - 120);
		char		text[128];
		double		expected;

		if (i % 2 == 0)
			number = random_normal(&random) / 3;
		snprintf(text, sizeof(text), forms[random_below(&random, 6)], number);
		expected = strtod(text, NULL);
		if (!parse_decimal(text, strlen(text), &value) ||
			fabs(value - expected) > 4e-15 * fabs(expected))
		{
			CHECK(!"a decimal");
			printf("  %s\n", text);
		}
		other_floats += (float) value != (float) expected;
	}
	CHECK(other_floats == 0);
}

/* What 16 bits lose, of numbers of any size. */
static void
test_quantised(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordVectorsReport report;
	Encoder    *encoder = vocabulary_encoder(&caller);
	const char *text = "a 3.4e38 -1e38 0\nb 1e-30 3e-31 -1e-30\nc 0 0 0\nd 1e-46 0 1e-60\n";

	REQUIRE(encoder != NULL);
	for (int i = 0; i < VOCABULARY_WORDS; i++)
	{
		double		largest = 0.0;

		for (int j = 0; j < WORDS_DIMS; j++)
			largest = fmax(largest, fabs(word_number(i, j)));
		for (int j = 0; j < WORDS_DIMS; j++)
			CHECK_NEAR(kept_number(encoder, i, j), word_number(i, j), largest / 65000);
	}
	encoder_free(&caller, encoder);
	CHECK(read_vectors(&caller, roomy_options(), text, strlen(text), 0, &report,
					   &encoder) == STATUS_SUCCESS);
	REQUIRE(encoder != NULL && encoder_words(encoder) == 4);
	CHECK_NEAR(kept_number(encoder, 0, 0) / 3.4e38, 1.0, 2e-5);
	CHECK_NEAR(kept_number(encoder, 0, 1) / 1e38, -1.0, 6e-5);
	CHECK_NEAR(kept_number(encoder, 1, 1) / 3e-31, 1.0, 6e-5);
	for (int j = 0; j < 3; j++)
		CHECK(kept_number(encoder, 2, j) == 0.0 && kept_number(encoder, 3, j) == 0.0);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

int
main(void)
{
	test_formats();
	test_oddities();
	test_faults();
	test_most_words();
	test_memory();
	test_failures();
	test_order();
	test_decimals();
	test_quantised();
	return unit_end();
}
