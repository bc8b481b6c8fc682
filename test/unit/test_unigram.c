/*-------------------------------------------------------------------------
 *
 * test_unigram.c
 *	  Unigrams: values of a plain implementation, and by hand.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/encode/charsmap.h"
#include "../../src/math/random.h"
#include "unigram_helpers.h"

#define ROOM 4096

/* Does the text, which may hold zeros, come out as these pieces? */
static bool
gives(const Unigram *unigram, const Caller *caller, const char *text, size_t length,
	  const uint16_t *expected, size_t n)
{
	char	   *exact = malloc(length == 0 ? 1 : length);
	uint32_t	ids[ROOM];
	int			count;
	bool		same;

	/* an exact copy, so that reading one byte beyond is seen */
	memcpy(exact, text, length);
	same = unigram_encode(unigram, caller, exact, length, ids, ROOM, &count) == STATUS_SUCCESS &&
		(size_t) count == n;
	for (size_t i = 0; same && i < n; i++)
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

/* All texts with all room, and with less: then the first pieces come. */
static void
test_texts(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const uint16_t *ids = unigram_ids_of_texts;
	Unigram    *unigram;

	REQUIRE(stored_unigram(&caller, true, &unigram) == STATUS_SUCCESS);
	CHECK(unigram_ids(unigram) == UNIGRAM_FIRST + UNIGRAM_PIECES);
	for (int i = 0; i < UNIGRAM_TEXTS; i++)
	{
		const TextValue *value = &unigram_texts[i];

		CHECK(gives(unigram, &caller, value->text, value->length, ids, value->pieces));
		for (int room = 0; room < 20; room += 3)
		{
			uint32_t	first[20];
			int			count;
			int			expected = value->pieces < (size_t) room ? (int) value->pieces : room;
			bool		same = true;

			CHECK(unigram_encode(unigram, &caller, value->text, value->length, first, room,
								 &count) == STATUS_SUCCESS);
			CHECK(count == expected);
			for (int j = 0; j < count; j++)
				same = same && first[j] == ids[j];
			CHECK(same);
		}
		ids += value->pieces;
	}
	unigram_free(&caller, unigram);
	CHECK(memory.blocks == 0);
}

/* A vocabulary small enough to work out by hand what must come. */
typedef struct SmallUnigram
{
	UnigramOptions options;
	PieceEntry	entries[8];
	double		scores[8];
	size_t		n;
} SmallUnigram;

static SmallUnigram
small_unigram(void)
{
	SmallUnigram small = {
		{9, NULL, 0},
		{{"\342\226\201", 3, 1}, {"a", 1, 2}, {"b", 1, 3}, {"ab", 2, 4}, {"\342\226\201a", 4, 5},
			{"aba", 3, 6}, {"\303\251", 2, 7}, {"bb", 2, 8}},
		{-2.0, -2.0, -3.0, -3.5, -4.5, -6.0, -5.0, -6.0}, 8
	};

	return small;
}

static Status
make_small(const Caller *caller, const SmallUnigram *small, Unigram **unigram,
		   TokenizerFault *fault, size_t *at)
{
	return unigram_make(caller, &small->options, small->entries, small->scores, small->n,
						unigram, fault, at);
}

#define GIVES(text, ...) \
	CHECK(gives(unigram, &caller, text, sizeof(text) - 1, (const uint16_t[]) {__VA_ARGS__}, \
				sizeof((const uint16_t[]) {__VA_ARGS__}) / sizeof(uint16_t)))

static void
test_small(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallUnigram small = small_unigram();
	Unigram    *unigram;
	TokenizerFault fault;
	size_t		at;

	REQUIRE(make_small(&caller, &small, &unigram, &fault, &at) == STATUS_SUCCESS);
	CHECK(fault == FAULT_NONE && unigram_ids(unigram) == 10);
	/* the sum of two scores against one */
	GIVES("a", 1, 2);
	GIVES("ab", 1, 4);
	GIVES("aba", 1, 4, 2);
	/* equal sums: the one whose last piece begins first */
	GIVES("bb", 1, 8);
	/* unknown characters in a row are one, also of several bytes, and no farther */
	GIVES("axya", 1, 2, 9, 2);
	GIVES("\xE4\xB8\xAD\xF0\x9F\x98\x80" "a\xC3\xA9", 1, 9, 2, 7);
	GIVES("x y", 1, 9, 1, 9);
	/* white space of all kinds; invalid bytes; the sign itself */
	GIVES("a\xC2\xA0" "a\n\xE3\x80\x80" "a", 1, 2, 1, 2, 1, 2);
	GIVES("a\xFF" "a\xE4\xB8" "a\xC3", 1, 2, 1, 2, 1, 2);
	GIVES("a\xE2\x96\x81" "a\xE2\x96\x81 \xE2\x96\x81\xE2\x96\x81", 1, 2, 1, 2, 1, 1, 1);
	CHECK(gives(unigram, &caller, "", 0, NULL, 0));
	CHECK(gives(unigram, &caller, " \n ", 3, NULL, 0));
	unigram_free(&caller, unigram);

	/* what no piece has is worse than the worst, and than two of them */
	small.n = 3;
	small.options.unknown = 0;
	REQUIRE(make_small(&caller, &small, &unigram, &fault, &at) == STATUS_SUCCESS);
	CHECK(unigram_ids(unigram) == 4);
	GIVES("\xC3\xA9" "ab", 1, 0, 2, 3);
	unigram_free(&caller, unigram);
	CHECK(memory.blocks == 0);
}

static void
test_faults(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallUnigram small;
	Unigram    *unigram;
	TokenizerFault fault;
	size_t		at;
	unsigned char rules[UNIGRAM_RULES];

#define FAULTY(change, expected, where) \
	do { \
		small = small_unigram(); \
		memcpy(rules, unigram_rules, sizeof(rules)); \
		small.options.charsmap = rules; \
		small.options.charsmap_length = sizeof(rules); \
		change; \
		CHECK(make_small(&caller, &small, &unigram, &fault, &at) == STATUS_BAD_ARGUMENT); \
		CHECK(fault == expected && unigram == NULL && (where < 0 || at == (size_t) where)); \
		CHECK(memory.blocks == 0); \
	} while (0)

	FAULTY(small.n = 0, FAULT_TOO_MANY, -1);
	FAULTY(small.entries[3].length = 0, FAULT_EMPTY, 3);
	FAULTY(small.entries[3].id = VOCABULARY_MAX_PIECES, FAULT_ID, 3);
	FAULTY(small.entries[3].id = 1, FAULT_ID_TWICE, 3);
	FAULTY(small.entries[3].length = 1, FAULT_TWICE, 3);
	FAULTY(small.options.unknown = VOCABULARY_MAX_PIECES, FAULT_OPTIONS, -1);
	FAULTY(small.scores[5] = NAN, FAULT_SCORE, 5);
	FAULTY(small.scores[5] = -INFINITY, FAULT_SCORE, 5);
	FAULTY(small.scores[5] = 1e31, FAULT_SCORE, 5);
	FAULTY(small.options.charsmap_length = 3, FAULT_CHARSMAP, -1);
	FAULTY(small.options.charsmap_length = 4, FAULT_CHARSMAP, -1);
	FAULTY(small.options.charsmap_length--, FAULT_CHARSMAP, -1);	/* the last zero */
	FAULTY(rules[0] = 2, FAULT_CHARSMAP, -1);
	FAULTY(rules[1] = 0xFF, FAULT_CHARSMAP, -1);
	FAULTY((rules[0] = 0, rules[1] = 0), FAULT_CHARSMAP, -1);
	small = small_unigram();
	small.options.charsmap = unigram_rules;
	small.options.charsmap_length = UNIGRAM_RULES;
	for (long fail_at = 1;; fail_at++)
	{
		Status		status;

		memory.allocations = 0;
		memory.fail_at = fail_at;
		status = make_small(&caller, &small, &unigram, &fault, &at);
		memory.fail_at = 0;
		if (status == STATUS_SUCCESS)
			break;
		CHECK(status == STATUS_NO_MEMORY && unigram == NULL && memory.blocks == 0);
		REQUIRE(fail_at < 20);
	}
	unigram_free(&caller, unigram);
}

/* Words of millions of letters: cut, in bounded memory, and asking whether to go on. */
static void
test_lengths(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallUnigram small = small_unigram();
	Unigram    *unigram;
	TokenizerFault fault;
	size_t		at;
	size_t		length = 3 << 20;
	char	   *text = malloc(length);
	uint32_t   *ids = malloc((length + 1) * sizeof(uint32_t));
	int			count;

	REQUIRE(make_small(&caller, &small, &unigram, &fault, &at) == STATUS_SUCCESS);
	memset(text, 'a', length);
	memory.peak = memory.bytes;
	memory.questions = 0;
	CHECK(unigram_encode(unigram, &caller, text, length, ids, (int) length + 1, &count) == STATUS_SUCCESS);
	/* no sign where a word was cut; what comes is the word, cut or not */
	CHECK(count == (int) length + 1 && ids[0] == 1 && ids[1] == 2 && ids[length] == 2);
	CHECK(memory.peak - memory.bytes <= 50 * UNIGRAM_MAX_WORD);
	CHECK(memory.questions >= 100);
	memory.questions = 0;
	memory.stop_at = 50;
	CHECK(unigram_encode(unigram, &caller, text, length, ids, (int) length, &count) == STATUS_STOPPED);
	memory.stop_at = 0;

	/* nothing but blanks */
	memset(text, ' ', length);
	memory.questions = 0;
	CHECK(unigram_encode(unigram, &caller, text, length, ids, (int) length, &count) == STATUS_SUCCESS);
	CHECK(count == 0 && memory.questions >= 40);

	/* no more is read than fits */
	for (size_t i = 1; i < length; i += 2)
		text[i] = 'a';
	memory.questions = 0;
	CHECK(unigram_encode(unigram, &caller, text, length, ids, 7, &count) == STATUS_SUCCESS);
	CHECK(count == 7 && memory.questions == 0);
	for (long fail_at = 1; fail_at <= 4; fail_at++)
	{
		memory.fail_at = fail_at;
		memory.allocations = 0;
		memset(text, 'a', 1000);
		CHECK(unigram_encode(unigram, &caller, text, 1000, ids, 7, &count) == STATUS_NO_MEMORY);
	}
	memory.fail_at = 0;
	free(text);
	free(ids);
	unigram_free(&caller, unigram);
	CHECK(memory.blocks == 0);
}

/*
 * Precompiled: "a" becomes so many "x"; how many bytes.  From the first unit
 * 'a' leads to the second last, which leads to the last, its value.
 */
#define ONE_RULE_UNITS 256

static size_t
one_rule(unsigned char *rule, size_t length)
{
	const uint32_t first = (uint32_t) ((ONE_RULE_UNITS - 2) ^ 'a') << 10;
	const uint32_t second = 1 << 10 | 1 << 8 | 'a';

	memset(rule, 0, 4 + 4 * ONE_RULE_UNITS);
	rule[1] = 4 * ONE_RULE_UNITS >> 8;
	for (int i = 0; i < 4; i++)
	{
		rule[4 + i] = (unsigned char) (first >> 8 * i);
		rule[4 + 4 * (ONE_RULE_UNITS - 2) + i] = (unsigned char) (second >> 8 * i);
	}
	memset(rule + 4 + 4 * ONE_RULE_UNITS, 'x', length);
	rule[4 + 4 * ONE_RULE_UNITS + length] = 0;
	return 4 + 4 * ONE_RULE_UNITS + length + 1;
}

/* Rules by themselves: the longest; none; and a trie that leads nowhere. */
static void
test_charsmap(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Charsmap	charsmap;
	size_t		consumed;
	const unsigned char *replacement;
	size_t		length;
	unsigned char rules[UNIGRAM_RULES];
	unsigned char rule[4 + 4 * ONE_RULE_UNITS + CHARSMAP_MAX_REPLACEMENT + 2];
	Random		random;

#define FINDS(text, expected, becomes) \
	do { \
		CHECK(charsmap_find(&charsmap, (const unsigned char *) text, sizeof(text) - 1, &consumed, \
							&replacement, &length)); \
		CHECK(consumed == expected && length == sizeof(becomes) - 1 && \
			  memcmp(replacement, becomes, length) == 0); \
	} while (0)

	CHECK(charsmap_make(&caller, NULL, 0, &charsmap) == STATUS_SUCCESS);
	CHECK(!charsmap_find(&charsmap, (const unsigned char *) "\t", 1, &consumed, &replacement, &length));
	CHECK(charsmap_make(&caller, unigram_rules, UNIGRAM_RULES, &charsmap) == STATUS_SUCCESS);
	FINDS("\ta", 1, " ");
	FINDS("\xE2\x80\x8B", 3, "");
	FINDS("e\xCC\x81\xCC\x81", 3, "\xC3\xA9");
	FINDS("a\xCC\x88\xCC\xA3", 3, "\xC3\xA4");
	FINDS("a\xCC\xA3\xCC\x88", 5, "\xE1\xBA\xA1\xCC\x88");
	FINDS("\xE1\x84\x92\xE1\x85\xA1", 6, "\xED\x95\x98");
	FINDS("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", 9, "\xED\x95\x9C");
	CHECK(!charsmap_find(&charsmap, (const unsigned char *) "a\xCC\xA3", 3, &consumed, &replacement, &length));
	CHECK(!charsmap_find(&charsmap, (const unsigned char *) "", 0, &consumed, &replacement, &length));
	charsmap_free(&caller, &charsmap);

	/* a replacement that is too long is none */
	for (size_t more = 0; more < 2; more++)
	{
		length = one_rule(rule, CHARSMAP_MAX_REPLACEMENT + more);
		REQUIRE(charsmap_make(&caller, rule, length, &charsmap) == STATUS_SUCCESS);
		CHECK(charsmap_find(&charsmap, (const unsigned char *) "aa", 2, &consumed, &replacement,
							&length) == (more == 0));
		CHECK(more == 1 || (consumed == 1 && length == CHARSMAP_MAX_REPLACEMENT));
		charsmap_free(&caller, &charsmap);
	}

	random_seed(&random, 1);
	for (int round = 0; round < 2000; round++)
	{
		memcpy(rules, unigram_rules, sizeof(rules));
		for (int i = 0; i < 20; i++)
			rules[4 + random_below(&random, sizeof(rules) - 5)] = (unsigned char) random_bits(&random);
		REQUIRE(charsmap_make(&caller, rules, sizeof(rules), &charsmap) == STATUS_SUCCESS);
		for (const char *text = unigram_texts[UNIGRAM_TEXTS - 70].text; *text != '\0'; text++)
			if (charsmap_find(&charsmap, (const unsigned char *) text, strlen(text), &consumed,
							  &replacement, &length))
				CHECK(consumed > 0 && consumed <= strlen(text) && length < UNIGRAM_RULES &&
					  strlen((const char *) replacement) == length);
		charsmap_free(&caller, &charsmap);
	}
	CHECK(memory.blocks == 0);
}

/* Written, read and written: the same bytes; cut and flipped: refused or usable. */
static void
test_stored(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallUnigram small = small_unigram();
	Unigram    *unigram;
	Unigram    *copy;
	TokenizerFault fault;
	size_t		at;
	Writer		writer;
	Writer		again;
	Reader		reader;
	Random		random;
	int			refused = 0;

	small.options.charsmap = unigram_rules;
	small.options.charsmap_length = UNIGRAM_RULES;
	REQUIRE(make_small(&caller, &small, &unigram, &fault, &at) == STATUS_SUCCESS);
	writer_init(&writer, &caller);
	unigram_write(unigram, &writer);
	unigram_free(&caller, unigram);
	reader_init(&reader, writer.bytes, writer.length);
	REQUIRE(unigram_read(&caller, &reader, &unigram) == STATUS_SUCCESS);
	CHECK(reader_left(&reader) == 0);
	GIVES("aba e\xCC\x81", 1, 4, 2, 1, 7);
	writer_init(&again, &caller);
	unigram_write(unigram, &again);
	CHECK(again.length == writer.length && memcmp(again.bytes, writer.bytes, again.length) == 0);
	release(&caller, again.bytes);
	unigram_free(&caller, unigram);

	for (size_t length = 0; length < writer.length; length++)
	{
		unsigned char *exact = malloc(length == 0 ? 1 : length);

		memcpy(exact, writer.bytes, length);
		reader_init(&reader, exact, length);
		CHECK(unigram_read(&caller, &reader, &copy) == STATUS_CORRUPT && copy == NULL);
		free(exact);
	}
	random_seed(&random, 1);
	for (int round = 0; round < 3000; round++)
	{
		size_t		place = random_below(&random, round % 2 ? 220 : writer.length);
		unsigned char bit = (unsigned char) (1 << random_below(&random, 8));
		Status		status;

		writer.bytes[place] ^= bit;
		reader_init(&reader, writer.bytes, writer.length);
		status = unigram_read(&caller, &reader, &copy);
		CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT);
		refused += status == STATUS_CORRUPT;
		if (copy != NULL)
		{
			uint32_t	ids[ROOM];
			int			count;

			CHECK(unigram_encode(copy, &caller, "aaab\tabcabc ca\xC3\xA9!", 16, ids, ROOM, &count) == STATUS_SUCCESS);
			for (int i = 0; i < count; i++)
				CHECK(ids[i] < unigram_ids(copy));
			unigram_free(&caller, copy);
		}
		writer.bytes[place] ^= bit;
	}
	CHECK(refused > 100 && refused < 2900);
	release(&caller, writer.bytes);
	CHECK(memory.blocks == 0);
}

int
main(void)
{
	test_texts();
	test_small();
	test_faults();
	test_lengths();
	test_charsmap();
	test_stored();
	return unit_end();
}
