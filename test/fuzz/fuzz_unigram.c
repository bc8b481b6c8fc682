/*-------------------------------------------------------------------------
 *
 * fuzz_unigram.c
 *	  Any bytes as stored unigrams, and any as a text for good ones.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "../unit/unigram_helpers.h"

#define ROOM 300

/* Those of the unit tests, once. */
static const Unigram *
fuzz_unigram(bool rules)
{
	static Unigram *made[2];
	Unigram   **unigram = &made[rules];

	if (*unigram == NULL)
		FUZZ_CHECK(stored_unigram(fuzz_keeper(), rules, unigram) == STATUS_SUCCESS);
	return *unigram;
}

/* Pieces are the vocabulary's; with less room come the first of them. */
static void
check_text(const Unigram *unigram, const Caller *caller, const char *text, size_t length,
		   bool fails)
{
	uint32_t	ids[ROOM];
	uint32_t	fewer[ROOM];
	int			count;
	int			room;
	int			first;
	Status		status = unigram_encode(unigram, caller, text, length, ids, ROOM, &count);

	FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
	if (status != STATUS_SUCCESS)
		return;
	FUZZ_CHECK(count >= 0 && count <= ROOM && (count == 0 || length > 0));
	for (int i = 0; i < count; i++)
		FUZZ_CHECK(ids[i] < unigram_ids(unigram));
	room = count / 2;
	status = unigram_encode(unigram, caller, text, length, fewer, room, &first);
	FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
	if (status == STATUS_SUCCESS)
		FUZZ_CHECK(first == room && memcmp(ids, fewer, (size_t) room * sizeof(uint32_t)) == 0);
}

static void
run_unigram(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	Unigram    *unigram;
	Reader		reader;
	Status		status;

	for (int rules = 0; rules < 2; rules++)
		check_text(fuzz_unigram(rules), caller, (const char *) data, size, fails);
	reader_init(&reader, data, size);
	status = unigram_read(caller, &reader, &unigram);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (fails && status == STATUS_NO_MEMORY));
	FUZZ_CHECK((status == STATUS_SUCCESS) == (unigram != NULL));
	if (unigram != NULL)
	{
		Writer		writer;

		writer_init(&writer, caller);
		unigram_write(unigram, &writer);
		FUZZ_CHECK(writer.failed ||
				   (writer.length == reader.position &&
					memcmp(writer.bytes, data, writer.length) == 0));
		release(caller, writer.bytes);
		check_text(unigram, caller, (const char *) data + reader.position,
				   size - reader.position, fails);
	}
	unigram_free(caller, unigram);
}

const long	fuzz_runs = 20000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_unigram, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	if (n < UNIGRAM_TEXTS)
		write_bytes(writer, unigram_texts[n].text, unigram_texts[n].length);
	else if (n < UNIGRAM_TEXTS + 2)
	{
		unigram_write(fuzz_unigram(n == UNIGRAM_TEXTS), writer);
		write_bytes(writer, "how they're\tb\xEF\xAC\x81orn\n", 20);
	}
	else
		return false;
	return true;
}
