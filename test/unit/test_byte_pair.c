/*-------------------------------------------------------------------------
 *
 * test_byte_pair.c
 *	  Byte pairs: values of a plain implementation, and by hand.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/math/random.h"
#include "byte_pair_helpers.h"

#define ROOM 4096

/* Does the text, which may hold zeros, come out as these pieces? */
static bool
gives(const BytePair *byte_pair, const Caller *caller, const char *text, size_t length,
	  const uint16_t *expected, size_t n)
{
	char	   *exact = malloc(length == 0 ? 1 : length);
	uint32_t	ids[ROOM];
	int			count;
	bool		same;

	/* an exact copy, so that reading one byte beyond is seen */
	memcpy(exact, text, length);
	same = byte_pair_encode(byte_pair, caller, exact, length, ids, ROOM, &count) == STATUS_SUCCESS &&
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
check_texts(bool add_prefix_space, const TextValue *texts, const uint16_t *ids)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	BytePair   *byte_pair;

	REQUIRE(stored_byte_pair(&caller, add_prefix_space, &byte_pair) == STATUS_SUCCESS);
	CHECK(byte_pair_ids(byte_pair) == BYTE_PAIR_PIECES - 1);	/* <mask> never comes */
	for (int i = 0; i < BYTE_PAIR_TEXTS; i++)
	{
		const TextValue *value = &texts[i];

		CHECK(gives(byte_pair, &caller, value->text, value->length, ids, value->pieces));
		for (int room = 0; room < 20; room += 3)
		{
			uint32_t	first[20];
			int			count;
			int			expected = value->pieces < (size_t) room ? (int) value->pieces : room;
			bool		same = true;

			CHECK(byte_pair_encode(byte_pair, &caller, value->text, value->length, first, room,
								   &count) == STATUS_SUCCESS);
			CHECK(count == expected);
			for (int j = 0; j < count; j++)
				same = same && first[j] == ids[j];
			CHECK(same);
		}
		ids += value->pieces;
	}
	byte_pair_free(&caller, byte_pair);
	CHECK(memory.blocks == 0);
}

/* A vocabulary small enough to work out by hand what must come. */
typedef struct SmallPairs
{
	BytePairOptions options;
	PieceEntry	entries[12];
	size_t		n;
	PieceMerge	merges[6];
	size_t		nmerges;
} SmallPairs;

static SmallPairs
small_pairs(void)
{
	SmallPairs	small = {
		{false, BYTE_PAIR_NO_UNKNOWN},
		{{"a", 1, 1}, {"b", 1, 2}, {"c", 1, 3}, {"ab", 2, 4}, {"bc", 2, 5}, {"abc", 3, 6},
			{"aa", 2, 7}, {"\304\240", 2, 8}, {"\304\240a", 3, 9}, {"x\304\240\304\200", 5, 10},
			{"<unk>", 5, 11}, {"cab", 3, 12}}, 12,
		{{"a", 1, "a", 1}, {"b", 1, "c", 1}, {"a", 1, "bc", 2}, {"a", 1, "b", 1},
			{"\304\240", 2, "a", 1}, {"c", 1, "ab", 2}}, 6
	};

	return small;
}

static Status
make_small(const Caller *caller, const SmallPairs *small, BytePair **byte_pair,
		   TokenizerFault *fault, size_t *at)
{
	return byte_pair_make(caller, &small->options, small->entries, small->n, small->merges,
						  small->nmerges, byte_pair, fault, at);
}

#define GIVES(text, ...) \
	CHECK(gives(byte_pair, &caller, text, sizeof(text) - 1, (const uint16_t[]) {__VA_ARGS__}, \
				sizeof((const uint16_t[]) {__VA_ARGS__}) / sizeof(uint16_t)))

static void
test_small(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallPairs	small = small_pairs();
	BytePair   *byte_pair;
	TokenizerFault fault;
	size_t		at;

	REQUIRE(make_small(&caller, &small, &byte_pair, &fault, &at) == STATUS_SUCCESS);
	CHECK(fault == FAULT_NONE && byte_pair_ids(byte_pair) == 13);
	/* "bc" was learned before "ab"; of "aaa" the left two are joined */
	GIVES("abc", 6);
	GIVES("abab", 4, 4);
	GIVES("aaa", 7, 1);
	GIVES("aaaabc", 7, 7, 5);
	GIVES("cab", 12);
	GIVES("a a", 1, 9);
	GIVES("a  a", 1, 8, 9);
	/* bytes without a piece are left out, and their neighbours meet */
	GIVES("axa", 7);
	CHECK(gives(byte_pair, &caller, "x?", 2, NULL, 0));
	byte_pair_free(&caller, byte_pair);

	/* or another stands for each */
	small.options.unknown = 11;
	REQUIRE(make_small(&caller, &small, &byte_pair, &fault, &at) == STATUS_SUCCESS);
	GIVES("axya", 1, 11, 11, 1);
	GIVES("a\xC3\xA9", 1, 11, 11);
	byte_pair_free(&caller, byte_pair);

	/* no merges at all are a tokenizer, too */
	small.nmerges = 0;
	REQUIRE(make_small(&caller, &small, &byte_pair, &fault, &at) == STATUS_SUCCESS);
	GIVES("abc", 1, 2, 3);
	byte_pair_free(&caller, byte_pair);
	CHECK(memory.blocks == 0);
}

static void
test_faults(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallPairs	small;
	BytePair   *byte_pair;
	TokenizerFault fault;
	size_t		at;
	static char long_entry[VOCABULARY_MAX_BYTES + 1];

#define FAULTY(change, expected, where) \
	do { \
		small = small_pairs(); \
		change; \
		CHECK(make_small(&caller, &small, &byte_pair, &fault, &at) == STATUS_BAD_ARGUMENT); \
		CHECK(fault == expected && byte_pair == NULL && (where < 0 || at == (size_t) where)); \
		CHECK(memory.blocks == 0); \
	} while (0)

	FAULTY(small.n = 0, FAULT_TOO_MANY, -1);
	FAULTY(small.entries[3].length = 0, FAULT_EMPTY, 3);
	FAULTY((small.entries[3].bytes = long_entry, small.entries[3].length = sizeof(long_entry)),
		   FAULT_LONG, 3);
	FAULTY(small.entries[3].id = VOCABULARY_MAX_PIECES, FAULT_ID, 3);
	FAULTY(small.entries[3].id = 1, FAULT_ID_TWICE, 3);
	FAULTY(small.entries[3].length = 1, FAULT_TWICE, 3);
	FAULTY(small.options.unknown = 0, FAULT_NO_UNKNOWN, -1);
	FAULTY(small.options.unknown = UINT32_MAX - 1, FAULT_NO_UNKNOWN, -1);
	FAULTY((small.entries[0] = small.entries[9], small.n = 1, small.nmerges = 0), FAULT_NO_BYTES, -1);
	FAULTY(small.nmerges = BYTE_PAIR_MAX_MERGES + 1, FAULT_MERGES, -1);
	FAULTY(small.merges[2].left = "d", FAULT_MERGE_PART, 2);
	FAULTY(small.merges[2].right_length = 3, FAULT_MERGE_PART, 2);
	FAULTY(small.merges[2].left_length = 0, FAULT_MERGE_PART, 2);
	FAULTY(small.merges[2].right_length = 0, FAULT_MERGE_PART, 2);
	FAULTY(small.merges[2].left = "b", FAULT_MERGE_WHOLE, 2);
	FAULTY(small.merges[3] = small.merges[0], FAULT_MERGE_TWICE, 3);
	small = small_pairs();
	for (long fail_at = 1;; fail_at++)
	{
		Status		status;

		memory.allocations = 0;
		memory.fail_at = fail_at;
		status = make_small(&caller, &small, &byte_pair, &fault, &at);
		memory.fail_at = 0;
		if (status == STATUS_SUCCESS)
			break;
		CHECK(status == STATUS_NO_MEMORY && byte_pair == NULL && memory.blocks == 0);
		REQUIRE(fail_at < 20);
	}
	byte_pair_free(&caller, byte_pair);
	for (long stop_at = 1; stop_at <= 3; stop_at++)
	{
		memory.questions = 0;
		memory.stop_at = stop_at;
		CHECK(make_small(&caller, &small, &byte_pair, &fault, &at) == STATUS_STOPPED);
		CHECK(byte_pair == NULL && memory.blocks == 0);
	}
}

/* Words of millions of bytes: cut, in bounded memory, and asking whether to go on. */
static void
test_lengths(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallPairs	small = small_pairs();
	BytePair   *byte_pair;
	TokenizerFault fault;
	size_t		at;
	size_t		length = 3 << 20;
	size_t		room = length;
	char	   *text = malloc(length);
	uint32_t   *ids = malloc(room * sizeof(uint32_t));
	int			count;

	/* also with a merge of many of the same, and of blanks */
	small.entries[10] = (PieceEntry) {"aaaa", 4, 11};
	small.merges[5] = (PieceMerge) {"aa", 2, "aa", 2};
	REQUIRE(make_small(&caller, &small, &byte_pair, &fault, &at) == STATUS_SUCCESS);
	for (int blank = 0; blank < 2; blank++)
	{
		memset(text, blank ? ' ' : 'a', length);
		memory.peak = memory.bytes;
		memory.questions = 0;
		CHECK(byte_pair_encode(byte_pair, &caller, text, length, ids, (int) room, &count) == STATUS_SUCCESS);
		CHECK(count == (int) (blank ? length : length / 4) && ids[count - 1] == (blank ? 8 : 11));
		CHECK(memory.peak - memory.bytes <= 40 * BYTE_PAIR_MAX_WORD);
		CHECK(memory.questions >= 40);
		memory.questions = 0;
		memory.stop_at = blank ? 5 : 50;
		CHECK(byte_pair_encode(byte_pair, &caller, text, length, ids, (int) room, &count) == STATUS_STOPPED);
		memory.stop_at = 0;
	}

	/* the cut: of letters, and with a character of several bytes across it */
	memset(text, 'a', length);
	CHECK(byte_pair_encode(byte_pair, &caller, text, BYTE_PAIR_MAX_WORD + 3, ids, (int) room, &count) == STATUS_SUCCESS);
	CHECK(count == BYTE_PAIR_MAX_WORD / 4 + 2 && ids[count - 2] == 7 && ids[count - 1] == 1);
	memcpy(text + BYTE_PAIR_MAX_WORD - 1, "\xC3\xA9", 2);
	CHECK(byte_pair_encode(byte_pair, &caller, text, BYTE_PAIR_MAX_WORD + 5, ids, (int) room, &count) == STATUS_SUCCESS);
	CHECK(count == BYTE_PAIR_MAX_WORD / 4 + 2 && ids[count - 1] == 11);

	/* no more is read than fits */
	for (size_t i = 1; i < length; i += 2)
		text[i] = ' ';
	memory.questions = 0;
	CHECK(byte_pair_encode(byte_pair, &caller, text, length, ids, 7, &count) == STATUS_SUCCESS);
	CHECK(count == 7 && memory.questions == 0);
	memory.fail_at = 1;
	memory.allocations = 0;
	CHECK(byte_pair_encode(byte_pair, &caller, text, length, ids, 7, &count) == STATUS_NO_MEMORY);
	memory.fail_at = 0;
	free(text);
	free(ids);
	byte_pair_free(&caller, byte_pair);
	CHECK(memory.blocks == 0);
}

/* Written, read and written: the same bytes; cut and flipped: refused or usable. */
static void
test_stored(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallPairs	small = small_pairs();
	BytePair   *byte_pair;
	BytePair   *copy;
	TokenizerFault fault;
	size_t		at;
	Writer		writer;
	Writer		again;
	Reader		reader;
	Random		random;
	int			refused = 0;

	small.options.add_prefix_space = true;
	REQUIRE(make_small(&caller, &small, &byte_pair, &fault, &at) == STATUS_SUCCESS);
	writer_init(&writer, &caller);
	byte_pair_write(byte_pair, &writer);
	byte_pair_free(&caller, byte_pair);
	reader_init(&reader, writer.bytes, writer.length);
	REQUIRE(byte_pair_read(&caller, &reader, &byte_pair) == STATUS_SUCCESS);
	CHECK(reader_left(&reader) == 0);
	GIVES("aa abc", 8, 7, 8, 6);
	writer_init(&again, &caller);
	byte_pair_write(byte_pair, &again);
	CHECK(again.length == writer.length && memcmp(again.bytes, writer.bytes, again.length) == 0);
	release(&caller, again.bytes);
	byte_pair_free(&caller, byte_pair);

	for (size_t length = 0; length < writer.length; length++)
	{
		unsigned char *exact = malloc(length == 0 ? 1 : length);

		memcpy(exact, writer.bytes, length);
		reader_init(&reader, exact, length);
		CHECK(byte_pair_read(&caller, &reader, &copy) == STATUS_CORRUPT && copy == NULL);
		free(exact);
	}
	random_seed(&random, 1);
	for (int round = 0; round < 3000; round++)
	{
		size_t		place = random_below(&random, writer.length);
		unsigned char bit = (unsigned char) (1 << random_below(&random, 8));
		Status		status;

		writer.bytes[place] ^= bit;
		reader_init(&reader, writer.bytes, writer.length);
		status = byte_pair_read(&caller, &reader, &copy);
		CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT);
		refused += status == STATUS_CORRUPT;
		if (copy != NULL)
		{
			uint32_t	ids[ROOM];
			int			count;

			CHECK(byte_pair_encode(copy, &caller, "aaab abcabc ca\xC3\xA9!", 16, ids, ROOM, &count) == STATUS_SUCCESS);
			for (int i = 0; i < count; i++)
				CHECK(ids[i] < byte_pair_ids(copy));
			byte_pair_free(&caller, copy);
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
	check_texts(false, byte_pair_texts, byte_pair_ids_of_texts);
	check_texts(true, byte_pair_space_texts, byte_pair_space_ids_of_texts);
	test_small();
	test_faults();
	test_lengths();
	test_stored();
	return unit_end();
}
