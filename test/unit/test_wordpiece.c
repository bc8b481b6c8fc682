/*-------------------------------------------------------------------------
 *
 * test_wordpiece.c
 *	  Pieces of words, by hand and as a real vocabulary has them.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/encode/unicode.h"
#include "../../src/encode/wordpiece.h"
#include "../../src/math/random.h"
#include "wordpiece_values.h"

#define ROOM 64
#define UNKNOWN 100

/* BERT's usual options */
static WordPieceOptions
usual_options(void)
{
	WordPieceOptions options = {
		.lower_case = true, .strip_accents = true, .split_cjk = true,
		.prefix = "##", .prefix_length = 2, .unknown = UNKNOWN, .max_word = 100
	};

	return options;
}

static WordPiece *
make(const Caller *caller, WordPieceOptions options, const PieceValue *values, size_t n)
{
	PieceEntry *entries = calloc(n, sizeof(PieceEntry));
	WordPiece  *wordpiece;
	TokenizerFault fault;
	size_t		at;

	for (size_t i = 0; i < n; i++)
		entries[i] = (PieceEntry)
	{
		values[i].bytes, strlen(values[i].bytes), values[i].id
	};
	REQUIRE(wordpiece_make(caller, &options, entries, n, &wordpiece, &fault, &at) == STATUS_SUCCESS);
	free(entries);
	return wordpiece;
}

/* Does the text, which may hold zeros, come out as these pieces? */
static bool
gives(const WordPiece *wordpiece, const Caller *caller, const char *text, size_t length,
	  const uint32_t *expected, int n)
{
	char	   *exact = malloc(length + 1);
	uint32_t	ids[ROOM];
	int			count;
	bool		same;

	/* an exact copy, so that reading one byte beyond is seen */
	memcpy(exact, text, length);
	exact = realloc(exact, length == 0 ? 1 : length);
	same = wordpiece_encode(wordpiece, caller, exact, length, ids, ROOM, &count) == STATUS_SUCCESS &&
		count == n;
	for (int i = 0; same && i < n; i++)
		same = ids[i] == expected[i];
	if (!same)
	{
		printf("  '%s':", text);
		for (int i = 0; i < count; i++)
			printf(" %u", ids[i]);
		printf("\n");
	}
	free(exact);
	return same;
}

#define GIVES(text, ...) \
	CHECK(gives(wordpiece, &caller, text, sizeof(text) - 1, (const uint32_t[]) {__VA_ARGS__}, \
				(int) (sizeof((const uint32_t[]) {__VA_ARGS__}) / sizeof(uint32_t))))

static void
test_sentences(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordPiece  *wordpiece = make(&caller, usual_options(), piece_values, PIECE_VALUES);

	for (int i = 0; i < SENTENCE_VALUES; i++)
		CHECK(gives(wordpiece, &caller, sentence_values[i].text, strlen(sentence_values[i].text),
					sentence_values[i].ids, sentence_values[i].pieces));
	wordpiece_free(&caller, wordpiece);
	CHECK(memory.blocks == 0);
}

/* A vocabulary small enough to work out by hand what must come. */
static const PieceValue small[] = {
	{"[UNK]", 100}, {"un", 1}, {"##aff", 2}, {"##able", 3}, {"##a", 4}, {"##ab", 5},
	{"a", 6}, {"cafe", 7}, {"!", 8}, {"$", 9}, {"\344\270\255", 10}, {"\345\233\275", 11},
	{"##\345\233\275", 12}, {"strasse", 13}, {"stra\303\237e", 14}, {"i", 15},
	{"\317\203", 16}, {"##\317\203", 17}, {"[", 18}, {"]", 19}, {"unk", 20},
	{"\341\204\222\341\205\241\341\206\253", 21}, {"caf\303\251", 22}, {"CAF\303\211", 23},
	{"\343\201\213", 24}, {"##\343\201\252", 25}, {"\342\200\224", 26}, {";", 27},
	{"i\314\207", 28}, {"\360\237\230\200", 29}, {"#", 30}, {"able", 31}
};

#define SMALL_PIECES (sizeof(small) / sizeof(small[0]))

static void
test_cleaning(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordPiece  *wordpiece = make(&caller, usual_options(), small, SMALL_PIECES);
	uint32_t	none[1];

	CHECK(wordpiece_ids(wordpiece) == 101);

	/* the example of BERT's authors; the longest piece, then the rest */
	GIVES("unaffable", 1, 2, 3);
	GIVES("unaab", 1, 4, 5);
	/* a rest that is not there spoils the whole word */
	GIVES("unaffx a", UNKNOWN, 6);
	GIVES("x", UNKNOWN);
	/* a piece with a prefix does not begin a word, one without not go on */
	GIVES("aff unable", UNKNOWN, 1, 3);
	/* a name of a special token is text, "##" is two words */
	GIVES("[UNK]", 18, 20, 19);
	GIVES("##a", 30, 30, 6);

	GIVES("a\tA\nA\r\xC2\xA0" "a\xE2\x80\xA8" "a", 6, 6, 6, 6, 6);
	/* controls vanish, and with them what they separated: VT, NUL, NEL, ZWSP */
	GIVES("u\x0Bn\0able u\xC2\x85n\xE2\x80\x8B", 1, 3, 1);
	/* so do U+FFFD, private use and tags; variation selectors are marks */
	GIVES("u\xEF\xBF\xBDn u\xEE\x80\x80n u\xF3\xA0\x81\x81n u\xF3\xA0\x84\x80n", 1, 1, 1, 1);
	/* invalid bytes separate: alone, cut off, surrogate, overlong */
	GIVES("a\xFF" "a\xE4\xB8" "a\xED\xA0\x80" "a\xC0\xAF" "a\xF4\x90\x80\x80" "a\xE4", 6, 6, 6, 6, 6, 6);

	/* accents, composed and not, small and capital */
	GIVES("caf\xC3\xA9 CAFE\xCC\x81 Caf\xC3\x89", 7, 7, 7);
	/* no folding beyond that: sharp s stays, its capital becomes it */
	GIVES("stra\xC3\x9F" "e STRASSE STRA\xE1\xBA\x9E" "E", 14, 13, 14);
	/* the dotted capital I loses its dot; a final sigma is like any other */
	GIVES("\xC4\xB0", 15);
	GIVES("\xCE\xA3\xCE\xA3", 16, 17);
	/* Hangul comes apart, and is put together by nobody */
	GIVES("\xED\x95\x9C", 21);
	/* the Kelvin sign would be k; the Greek question mark is a semicolon */
	GIVES("a\xCD\xBE" "a", 6, 27, 6);

	GIVES("a!a$ a\xE2\x80\x94!", 6, 8, 6, 9, 6, 26, 8);
	/* each ideograph alone; kana are a word */
	GIVES("a\xE4\xB8\xAD\xE5\x9B\xBD" "a", 6, 10, 11, 6);
	GIVES("\xE3\x81\x8B\xE3\x81\xAA", 24, 25);
	/* a symbol beyond ASCII is no punctuation */
	GIVES("\xF0\x9F\x98\x80 a\xF0\x9F\x98\x80", 29, UNKNOWN);

	CHECK(gives(wordpiece, &caller, "", 0, none, 0));
	CHECK(gives(wordpiece, &caller, " \xCC\x81\t", 4, none, 0));
	wordpiece_free(&caller, wordpiece);
	CHECK(memory.blocks == 0);
}

static void
test_options(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordPieceOptions options = usual_options();
	WordPiece  *wordpiece;

	options.lower_case = false;
	options.strip_accents = false;
	options.split_cjk = false;
	options.max_word = 4;
	wordpiece = make(&caller, options, small, SMALL_PIECES);
	GIVES("caf\xC3\xA9 CAF\xC3\x89 A", 22, 23, UNKNOWN);
	GIVES("\xE4\xB8\xAD\xE5\x9B\xBD", 10, 12);
	/* four characters, five; what is dropped does not count */
	GIVES("able unable\xE2\x80\x8B", 31, UNKNOWN);
	wordpiece_free(&caller, wordpiece);

	/* small letters without stripping: the dot stays */
	options = usual_options();
	options.strip_accents = false;
	wordpiece = make(&caller, options, small, SMALL_PIECES);
	GIVES("\xC4\xB0 CAF\xC3\x89", 28, 22);
	wordpiece_free(&caller, wordpiece);
	CHECK(memory.blocks == 0);
}

/* Long words, long texts, and as many pieces as there is room for. */
static void
test_lengths(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordPieceOptions options = usual_options();
	WordPiece  *wordpiece = make(&caller, options, small, SMALL_PIECES);
	size_t		length = 3 << 20;
	char	   *text = malloc(length);
	uint32_t	ids[200];
	int			count;

	memset(text, 'a', length);
	for (int n = 99; n <= 101; n++)
	{
		CHECK(wordpiece_encode(wordpiece, &caller, text, (size_t) n, ids, 200, &count) == STATUS_SUCCESS);
		CHECK(count == (n <= 100 ? n : 1) && ids[0] == (n <= 100 ? 6 : UNKNOWN));
		CHECK(n > 100 || ids[n - 1] == 4);
	}
	/* characters, not bytes */
	for (int i = 0; i < 100; i++)
		memcpy(text + 2 * i, "\xCF\x83", 2);
	CHECK(wordpiece_encode(wordpiece, &caller, text, 200, ids, 200, &count) == STATUS_SUCCESS);
	CHECK(count == 100 && ids[0] == 16 && ids[99] == 17);

	/* a word of millions of letters is one unknown, and asks whether to go on */
	memset(text, 'a', length);
	memory.questions = 0;
	CHECK(wordpiece_encode(wordpiece, &caller, text, length, ids, 200, &count) == STATUS_SUCCESS);
	CHECK(count == 1 && ids[0] == UNKNOWN && memory.questions >= 40);
	memory.stop_at = memory.questions + 5;
	CHECK(wordpiece_encode(wordpiece, &caller, text, length, ids, 200, &count) == STATUS_STOPPED);
	memory.stop_at = 0;

	/* no more is read than fits */
	for (size_t i = 1; i < length; i += 2)
		text[i] = ' ';
	memory.questions = 0;
	CHECK(wordpiece_encode(wordpiece, &caller, text, length, ids, 7, &count) == STATUS_SUCCESS);
	CHECK(count == 7 && memory.questions == 0);
	CHECK(wordpiece_encode(wordpiece, &caller, "unaffable", 9, ids, 2, &count) == STATUS_SUCCESS);
	CHECK(count == 2 && ids[1] == 2);
	CHECK(wordpiece_encode(wordpiece, &caller, "a", 1, ids, 0, &count) == STATUS_SUCCESS && count == 0);
	free(text);
	wordpiece_free(&caller, wordpiece);
	CHECK(memory.blocks == 0);
}

/* Vocabularies that are none, with the entry that is to blame. */
static void
test_faults(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordPieceOptions options = usual_options();
	PieceEntry	good[3] = {{"[UNK]", 5, 100}, {"a", 1, 1}, {"b", 1, 2}};
	PieceEntry	entries[3];
	static char long_entry[VOCABULARY_MAX_BYTES + 1];
	WordPiece  *wordpiece;
	TokenizerFault fault;
	size_t		at;

#define FAULTY(change, expected, where) \
	do { \
		memcpy(entries, good, sizeof(good)); \
		options = usual_options(); \
		change; \
		CHECK(wordpiece_make(&caller, &options, entries, 3, &wordpiece, &fault, &at) == STATUS_BAD_ARGUMENT); \
		CHECK(fault == expected && wordpiece == NULL && (where < 0 || at == (size_t) where)); \
	} while (0)

	FAULTY(entries[2].bytes = "a", FAULT_TWICE, 2);
	FAULTY(entries[1].length = 0, FAULT_EMPTY, 1);
	FAULTY((entries[2].bytes = long_entry, entries[2].length = sizeof(long_entry)), FAULT_LONG, 2);
	FAULTY(entries[2].id = 1, FAULT_ID_TWICE, 2);
	FAULTY(entries[1].id = VOCABULARY_MAX_PIECES, FAULT_ID, 1);
	FAULTY(entries[1].id = UINT32_MAX, FAULT_ID, 1);
	FAULTY(entries[0].id = 0, FAULT_NO_UNKNOWN, -1);
	FAULTY(options.unknown = UINT32_MAX, FAULT_NO_UNKNOWN, -1);
	FAULTY(options.max_word = 0, FAULT_OPTIONS, -1);
	FAULTY(options.max_word = WORDPIECE_MAX_WORD + 1, FAULT_OPTIONS, -1);
	FAULTY(options.prefix_length = WORDPIECE_MAX_PREFIX + 1, FAULT_OPTIONS, -1);
	options = usual_options();
	CHECK(wordpiece_make(&caller, &options, good, 0, &wordpiece, &fault, &at) == STATUS_BAD_ARGUMENT);
	CHECK(fault == FAULT_TOO_MANY);
	for (long fail_at = 1; fail_at <= 6; fail_at++)
	{
		memory.allocations = 0;
		memory.fail_at = fail_at;
		CHECK(wordpiece_make(&caller, &options, good, 3, &wordpiece, &fault, &at) == STATUS_NO_MEMORY);
		CHECK(wordpiece == NULL && memory.blocks == 0);
	}
}

/* Written, read and written: the same bytes; cut and flipped: refused or usable. */
static void
test_stored(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	WordPiece  *wordpiece = make(&caller, usual_options(), small, SMALL_PIECES);
	WordPiece  *copy;
	Writer		writer;
	Writer		again;
	Reader		reader;
	Random		random;

	writer_init(&writer, &caller);
	wordpiece_write(wordpiece, &writer);
	wordpiece_free(&caller, wordpiece);
	reader_init(&reader, writer.bytes, writer.length);
	REQUIRE(wordpiece_read(&caller, &reader, &wordpiece) == STATUS_SUCCESS);
	CHECK(reader_left(&reader) == 0);
	GIVES("unaffable", 1, 2, 3);
	writer_init(&again, &caller);
	wordpiece_write(wordpiece, &again);
	CHECK(again.length == writer.length && memcmp(again.bytes, writer.bytes, again.length) == 0);
	release(&caller, again.bytes);

	for (size_t length = 0; length < writer.length; length++)
	{
		unsigned char *exact = malloc(length == 0 ? 1 : length);

		memcpy(exact, writer.bytes, length);
		reader_init(&reader, exact, length);
		CHECK(wordpiece_read(&caller, &reader, &copy) == STATUS_CORRUPT && copy == NULL);
		free(exact);
	}
	random_seed(&random, 1);
	for (int round = 0; round < 3000; round++)
	{
		size_t		at = random_below(&random, writer.length);
		unsigned char bit = (unsigned char) (1 << random_below(&random, 8));
		Status		status;

		writer.bytes[at] ^= bit;
		reader_init(&reader, writer.bytes, writer.length);
		status = wordpiece_read(&caller, &reader, &copy);
		CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT);
		if (copy != NULL)
		{
			uint32_t	ids[ROOM];
			int			count;

			CHECK(wordpiece_encode(copy, &caller, "Unaffable caf\xC3\xA9!", 16, ids, ROOM, &count) == STATUS_SUCCESS);
			for (int i = 0; i < count; i++)
				CHECK(ids[i] < wordpiece_ids(copy));
			wordpiece_free(&caller, copy);
		}
		writer.bytes[at] ^= bit;
	}
	release(&caller, writer.bytes);
	wordpiece_free(&caller, wordpiece);
	CHECK(memory.blocks == 0);
}

/* Spot checks of what unicode_tables.pl has made of Unicode. */
static void
test_unicode(void)
{
	uint32_t	parts[MAX_DECOMPOSITION];

	CHECK(decompose('a', parts) == 1 && parts[0] == 'a');
	CHECK(decompose(0x1F82, parts) == 4 && parts[0] == 0x3B1 && parts[1] == 0x313 &&
		  parts[2] == 0x300 && parts[3] == 0x345);
	CHECK(decompose(0xAC00, parts) == 2 && parts[0] == 0x1100 && parts[1] == 0x1161);
	CHECK(decompose(0xD7A3, parts) == 3 && parts[2] == 0x11C2);
	CHECK(decompose(0xFB01, parts) == 1 && parts[0] == 0xFB01);	/* ligature: not canonical */
	CHECK(decompose(0x2FA1D, parts) == 1 && parts[0] == 0x2A600);
	CHECK(lower_case('A', parts) == 1 && parts[0] == 'a');
	CHECK(lower_case(0x130, parts) == 2 && parts[0] == 'i' && parts[1] == 0x307);
	CHECK(lower_case(0x10400, parts) == 1 && parts[0] == 0x10428);
	CHECK(lower_case(0x13A0, parts) == 1 && parts[0] == 0xAB70);
	CHECK(general_class('\t') == GENERAL_SPACE && general_class(0x0B) == GENERAL_CONTROL);
	CHECK(general_class(0xAD) == GENERAL_CONTROL && general_class(0xA0) == GENERAL_SPACE);
	CHECK(general_class(0x301) == GENERAL_MARK && general_class(0x903) == GENERAL_OTHER);
	CHECK(general_class('~') == GENERAL_PUNCTUATION && general_class(0xA3) == GENERAL_OTHER);
	CHECK(general_class('z') == GENERAL_LETTER && general_class(0x5D0) == GENERAL_LETTER);
	CHECK(general_class(0x2B0) == GENERAL_LETTER && general_class(0x3134A) == GENERAL_LETTER);
	CHECK(general_class('7') == GENERAL_NUMBER && general_class(0x2167) == GENERAL_NUMBER);
	CHECK(general_class(0xBD) == GENERAL_NUMBER && general_class('_') == GENERAL_PUNCTUATION);
	CHECK(white_space(0x0B) && white_space(0x85) && white_space(0x3000) && white_space('\r'));
	CHECK(!white_space(0x1C) && !white_space(0x200B) && !white_space(0xFEFF) && !white_space('_'));
	CHECK(general_class(0x3002) == GENERAL_PUNCTUATION && general_class(0x378) == GENERAL_OTHER);
	for (uint32_t c = 0; c <= 0x10FFFF; c++)
		if (decompose(c, parts) > MAX_DECOMPOSITION || lower_case(c, parts) > 2)
			CHECK(false);
}

int
main(void)
{
	test_unicode();
	test_sentences();
	test_cleaning();
	test_options();
	test_lengths();
	test_faults();
	test_stored();
	return unit_end();
}
