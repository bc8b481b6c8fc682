/*-------------------------------------------------------------------------
 *
 * fuzz_byte_pair.c
 *	  Any bytes as stored byte pairs, and any as a text for good ones.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "../unit/byte_pair_helpers.h"

#define ROOM 300

/* Those of the unit tests, once. */
static const BytePair *
fuzz_byte_pair(bool add_prefix_space)
{
	static BytePair *made[2];
	BytePair  **byte_pair = &made[add_prefix_space];

	if (*byte_pair == NULL)
		FUZZ_CHECK(stored_byte_pair(fuzz_keeper(), add_prefix_space, byte_pair) == STATUS_SUCCESS);
	return *byte_pair;
}

/* Pieces are the vocabulary's; with less room come the first of them. */
static void
check_text(const BytePair *byte_pair, const Caller *caller, const char *text, size_t length,
		   bool fails)
{
	uint32_t	ids[ROOM];
	uint32_t	fewer[ROOM];
	int			count;
	int			room;
	int			first;
	Status		status = byte_pair_encode(byte_pair, caller, text, length, ids, ROOM, &count);

	FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
	if (status != STATUS_SUCCESS)
		return;
	FUZZ_CHECK(count >= 0 && count <= ROOM && (size_t) count <= length + 1);
	for (int i = 0; i < count; i++)
		FUZZ_CHECK(ids[i] < byte_pair_ids(byte_pair));
	room = count / 2;
	status = byte_pair_encode(byte_pair, caller, text, length, fewer, room, &first);
	FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
	if (status == STATUS_SUCCESS)
		FUZZ_CHECK(first == room && memcmp(ids, fewer, (size_t) room * sizeof(uint32_t)) == 0);
}

/* Of a vocabulary that has all bytes, the pieces together are the text. */
static void
check_whole(const Caller *caller, const char *text, size_t length)
{
	const BytePair *byte_pair = fuzz_byte_pair(false);
	uint32_t   *ids = malloc((length + 1) * sizeof(uint32_t));
	size_t		characters = 0;
	int			count;

	if (byte_pair_encode(byte_pair, caller, text, length, ids, (int) length, &count) == STATUS_SUCCESS)
	{
		/* in the files a byte is one character */
		for (int i = 0; i < count; i++)
			for (const char *c = byte_pair_pieces[ids[i]]; *c != '\0'; c++)
				characters += (*c & 0xC0) != 0x80;
		FUZZ_CHECK(characters == length);
	}
	free(ids);
}

static void
run_byte_pair(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	BytePair   *byte_pair;
	Reader		reader;
	Status		status;

	for (int space = 0; space < 2; space++)
		check_text(fuzz_byte_pair(space), caller, (const char *) data, size, fails);
	check_whole(caller, (const char *) data, size);
	reader_init(&reader, data, size);
	status = byte_pair_read(caller, &reader, &byte_pair);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (fails && status == STATUS_NO_MEMORY));
	FUZZ_CHECK((status == STATUS_SUCCESS) == (byte_pair != NULL));
	if (byte_pair != NULL)
	{
		Writer		writer;

		writer_init(&writer, caller);
		byte_pair_write(byte_pair, &writer);
		FUZZ_CHECK(writer.failed ||
				   (writer.length == reader.position &&
					memcmp(writer.bytes, data, writer.length) == 0));
		release(caller, writer.bytes);
		check_text(byte_pair, caller, (const char *) data + reader.position,
				   size - reader.position, fails);
	}
	byte_pair_free(caller, byte_pair);
}

const long	fuzz_runs = 20000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_byte_pair, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	if (n < BYTE_PAIR_TEXTS)
		write_bytes(writer, byte_pair_texts[n].text, byte_pair_texts[n].length);
	else if (n < BYTE_PAIR_TEXTS + 2)
	{
		byte_pair_write(fuzz_byte_pair(n == BYTE_PAIR_TEXTS), writer);
		write_bytes(writer, "how they're  born\n", 18);
	}
	else
		return false;
	return true;
}
