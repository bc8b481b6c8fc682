/*-------------------------------------------------------------------------
 *
 * fuzz_wordpiece.c
 *	  Any bytes as a stored vocabulary, and any as a text for a good one.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "../../src/encode/wordpiece.h"
#include "../unit/wordpiece_values.h"

#define ROOM 300

/* That of the unit tests, once, with these options as bits. */
static const WordPiece *
fuzz_wordpiece(int bits)
{
	static WordPiece *made[8];
	PieceEntry	entries[PIECE_VALUES];
	WordPieceOptions options = {
		.lower_case = (bits & 1) != 0, .strip_accents = (bits & 2) != 0,
		.split_cjk = (bits & 4) != 0, .prefix = "##", .prefix_length = 2,
		.unknown = 100, .max_word = bits == 7 ? 100 : 10
	};
	TokenizerFault fault;
	size_t		at;

	if (made[bits] != NULL)
		return made[bits];
	for (int i = 0; i < PIECE_VALUES; i++)
		entries[i] = (PieceEntry)
	{
		piece_values[i].bytes, strlen(piece_values[i].bytes), piece_values[i].id
	};
	FUZZ_CHECK(wordpiece_make(fuzz_keeper(), &options, entries, PIECE_VALUES,
							  &made[bits], &fault, &at) == STATUS_SUCCESS);
	return made[bits];
}

/* Pieces are the vocabulary's; with less room come the first of them. */
static void
check_text(const WordPiece *wordpiece, const Caller *caller, const char *text, size_t length)
{
	uint32_t	ids[ROOM];
	uint32_t	fewer[ROOM];
	int			count;
	int			room;
	int			first;

	FUZZ_CHECK(wordpiece_encode(wordpiece, caller, text, length, ids, ROOM, &count) == STATUS_SUCCESS);
	FUZZ_CHECK(count >= 0 && count <= ROOM && (size_t) count <= 4 * length);
	for (int i = 0; i < count; i++)
		FUZZ_CHECK(ids[i] < wordpiece_ids(wordpiece));
	room = count / 2;
	FUZZ_CHECK(wordpiece_encode(wordpiece, caller, text, length, fewer, room, &first) == STATUS_SUCCESS);
	FUZZ_CHECK(first == room && memcmp(ids, fewer, (size_t) room * sizeof(uint32_t)) == 0);
}

static void
run_wordpiece(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	WordPiece  *wordpiece;
	Reader		reader;
	Status		status;

	for (int bits = 0; bits < 8; bits++)
		check_text(fuzz_wordpiece(bits), caller, (const char *) data, size);
	reader_init(&reader, data, size);
	status = wordpiece_read(caller, &reader, &wordpiece);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (fails && status == STATUS_NO_MEMORY));
	FUZZ_CHECK((status == STATUS_SUCCESS) == (wordpiece != NULL));
	if (wordpiece != NULL)
	{
		Writer		writer;

		writer_init(&writer, caller);
		wordpiece_write(wordpiece, &writer);
		FUZZ_CHECK(writer.failed ||
				   (writer.length == reader.position &&
					memcmp(writer.bytes, data, writer.length) == 0));
		release(caller, writer.bytes);
		check_text(wordpiece, caller, (const char *) data + reader.position, size - reader.position);
	}
	wordpiece_free(caller, wordpiece);
}

const long	fuzz_runs = 20000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_wordpiece, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	if (n < SENTENCE_VALUES)
		write_bytes(writer, sentence_values[n].text, strlen(sentence_values[n].text));
	else if (n == SENTENCE_VALUES)
		write_bytes(writer, "\xED\x95\x9C\xE4\xB8\xAD\xC4\xB0\xE1\xBE\x82\xEF\xBF\xBD\xF3\xA0\x84\x80 [SEP]", 24);
	else if (n == SENTENCE_VALUES + 1)
	{
		wordpiece_write(fuzz_wordpiece(7), writer);
		write_bytes(writer, "how lovely", 10);
	}
	else
		return false;
	return true;
}
