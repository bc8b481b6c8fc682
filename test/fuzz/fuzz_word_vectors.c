/*-------------------------------------------------------------------------
 *
 * fuzz_word_vectors.c
 *	  Any bytes as a file of word vectors.
 *
 * The first byte says as what it is to be read, in which pieces, and how many
 * words are wanted; the others are the file.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_stored.h"

#include "../../src/encode/words_internal.h"
#include "../unit/words_helpers.h"

#define MEMORY ((size_t) 4 << 20)

/* What was read is what it says of itself. */
static void
check_report(const WordVectorsReport *report, Status status, const Encoder *encoder,
			 const WordVectorsOptions *options)
{
	FUZZ_CHECK((status == STATUS_SUCCESS) == (encoder != NULL));
	FUZZ_CHECK((status == STATUS_CORRUPT) ==
			   (report->fault != WORD_VECTORS_FINE && report->fault != WORD_VECTORS_MEMORY));
	FUZZ_CHECK(report->fault != WORD_VECTORS_MEMORY || status == STATUS_NO_MEMORY);
	FUZZ_CHECK(report->kept <= (uint64_t) options->max_words);
	FUZZ_CHECK(report->kept + report->beyond + report->unusable <= report->words);
	if (encoder == NULL)
		return;
	FUZZ_CHECK(report->kept + report->beyond + report->unusable + report->duplicates ==
			   report->words);
	FUZZ_CHECK(report->kept == (uint64_t) encoder_words(encoder) && report->kept > 0);
	FUZZ_CHECK(!report->header || report->claimed == report->words);
	FUZZ_CHECK(report->dims == encoder_dims(encoder));
	FUZZ_CHECK(report->format != WORD_VECTORS_ANY);
	FUZZ_CHECK(options->format == WORD_VECTORS_ANY || options->format == report->format);
}

/* The encoder survives being stored, and each of its keys leads to a word. */
static void
check_stored(const Caller *caller, const Encoder *encoder, bool fails)
{
	const WordTable *table = encoder->word_table;
	Writer		writer;
	Reader		reader;
	Encoder    *read;
	Status		status;

	for (size_t i = 0; i < table->nkeys; i++)
		FUZZ_CHECK(word_table_find(table, table->key[i]) == (int) table->word[i]);
	writer_init(&writer, caller);
	if (encoder_write(encoder, &writer) == STATUS_SUCCESS)
	{
		reader_init(&reader, writer.bytes, writer.length);
		status = encoder_read_in_place(caller, &reader, &read);
		FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
		if (status == STATUS_SUCCESS)
			check_written(caller, read, writer.bytes, writer.length);
		encoder_free(caller, read);
	}
	else
		FUZZ_CHECK(fails);
	release(caller, writer.bytes);
}

static bool
same_stored(const Caller *caller, const Encoder *a, const Encoder *b)
{
	Writer		first;
	Writer		second;
	bool		same;

	writer_init(&first, caller);
	writer_init(&second, caller);
	same = encoder_write(a, &first) != STATUS_SUCCESS ||
		encoder_write(b, &second) != STATUS_SUCCESS ||
		(first.length == second.length && memcmp(first.bytes, second.bytes, first.length) == 0);
	release(caller, first.bytes);
	release(caller, second.bytes);
	return same;
}

static void
run_word_vectors(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	static const size_t pieces[] = {1, 2, 5, 64, 1000, 65536, 100000, 0};
	static const int most[] = {1, 2, 3, 10, 100, 10000, 1000000, 1 << 24};
	FuzzMemory *memory = caller->state;
	WordVectorsOptions options = {.max_words = 10, .memory = MEMORY};
	WordVectorsReport report;
	WordVectorsReport whole;
	Encoder    *encoder;
	Encoder    *again;
	Status		status;
	uint8_t		first = size == 0 ? 0 : data[0];
	size_t		limit = memory->most;

	if (size > 0)
	{
		data++;
		size--;
	}
	options.format = (WordVectorsFormat) (first & 3);
	options.max_words = most[first >> 2 & 7];
	memory->most = MEMORY;
	status = read_vectors(caller, options, data, size, pieces[first >> 5], &report, &encoder);
	memory->most = limit;
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (status == STATUS_NO_MEMORY && (fails || report.fault == WORD_VECTORS_MEMORY)));
	if (status == STATUS_NO_MEMORY && report.fault == WORD_VECTORS_FINE)
		return;
	check_report(&report, status, encoder, &options);
	if (encoder != NULL)
		check_stored(caller, encoder, fails);

	/* the pieces make no difference */
	if (!fails)
	{
		FUZZ_CHECK(read_vectors(caller, options, data, size, 0, &whole, &again) == status);
		FUZZ_CHECK(memcmp(&report, &whole, sizeof(report)) == 0);
		FUZZ_CHECK(encoder == NULL || same_stored(caller, encoder, again));
		encoder_free(caller, again);
	}
	encoder_free(caller, encoder);
}

const long	fuzz_runs = 10000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_word_vectors, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	static const struct
	{
		const char *bytes;
		size_t		length;
	}			files[] = {
#define FILE_OF(text) {text, sizeof(text) - 1}
		FILE_OF("foo 1.5 -2e-3\nbar 0 .25\n"),
		FILE_OF("foo 1 2\r\nat name@domain.com 3 4\r\nFoo 5 6\r\n. . . 7 8\nfoo 9 9\n\xC3\xA9t\xC3\xA9 1 1\n\xFF 1 1"),
		FILE_OF("2 3\nthe 0.1 0.2 0.3 \nof -1 1e3 +5 \n"),
		FILE_OF("3 1\nfoo \0\0\x80?bar \0\0\0@\nfo\xC3 \0\0\0\xC0"),
		FILE_OF("2 2\n</s> \0\0\x80?\0\0\0\0\nthe \xCD\xCC\xCC=\0\0\x80\xBF\n"),
		FILE_OF("1000000000 300\nthe 1"),
		FILE_OF("a nan 1\nb 1e99 inf\n"),
		FILE_OF("PK\003\004\024\0\0\0\010\0"),
		FILE_OF("\272\026\117\057\014\0\0\0\144\0\0\0")
	};
	static const uint8_t firsts[] = {0x18, 0x19, 0x1A, 0x1B, 0x04};
	int			nfiles = (int) (sizeof(files) / sizeof(files[0]));

	if (n < nfiles)
	{
		write_bytes(writer, "\x18", 1);
		write_bytes(writer, files[n].bytes, files[n].length);
	}
	else if (n < nfiles + 5)
	{
		static const WordVectorsFormat formats[] = {
			WORD_VECTORS_GLOVE, WORD_VECTORS_GLOVE, WORD_VECTORS_TEXT, WORD_VECTORS_BINARY,
			WORD_VECTORS_BINARY
		};

		write_bytes(writer, &firsts[n - nfiles], 1);
		write_vocabulary(writer, formats[n - nfiles]);
	}
	else
		return false;
	return true;
}
