/*-------------------------------------------------------------------------
 *
 * fuzz_safetensors.c
 *	  Any bytes as a file of tensors, and as the entries of its header.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "../../src/encode/safetensors.h"

#define ENTRIES 8
#define DATA 4096

/*
 * Entries from bytes: numbers are small or enormous.  Where they are
 * accepted, all can be read, and none of it twice.
 */
static void
check_entries(const Caller *caller, Reader *reader, bool fails)
{
	static const char *const types[] = {"F32", "F16", "BF16", "I64", "BOOL", "F31", ""};
	uint64_t	shapes[ENTRIES][4];
	SafetensorsEntry entries[ENTRIES];
	unsigned char used[DATA] = {0};
	SafetensorsFault fault;
	Status		status;
	size_t		at;
	size_t		n = 0;

	while (n < ENTRIES && reader_left(reader) >= 28)
	{
		uint32_t	kind = read_u32(reader);
		const char *type = types[kind % 7];

		for (int i = 0; i < 4; i++)
		{
			uint64_t	factor = read_u32(reader);

			shapes[n][i] = kind >> (8 + i) & 1 ? factor << 32 : factor % 64;
		}
		entries[n] = (SafetensorsEntry)
		{
			type, strlen(type), (int) (kind >> 4 & 7) - 1, shapes[n], 0, 0
		};
		if (entries[n].rank > 4)
			entries[n].rank = 4;
		entries[n].begin = read_u32(reader);
		entries[n].end = read_u32(reader);
		if (kind >> 16 & 1)
			entries[n].end += UINT64_MAX - DATA;
		n++;
	}
	status = safetensors_check(caller, entries, n, DATA, &fault, &at);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (fails && status == STATUS_NO_MEMORY));
	FUZZ_CHECK((status == STATUS_CORRUPT) == (fault != SAFETENSORS_FINE));
	FUZZ_CHECK(status != STATUS_CORRUPT || at < n);
	for (size_t i = 0; i < n && status == STATUS_SUCCESS; i++)
		for (uint64_t j = entries[i].begin; j < entries[i].end; j++)
			FUZZ_CHECK(used[j]++ == 0);
}

static void
run_safetensors(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	SafetensorsSpan span;
	SafetensorsFault fault;
	Reader		reader;

	if (safetensors_span(data, size, size, &span, &fault) == STATUS_SUCCESS)
		FUZZ_CHECK(span.header + span.header_length == span.data &&
				   span.data <= size && span.data_length == size - span.data);
	else
		FUZZ_CHECK(fault != SAFETENSORS_FINE);
	reader_init(&reader, data, size);
	check_entries(caller, &reader, fails);
}

const long	fuzz_runs = 50000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_safetensors, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	const uint32_t good[7] = {0x30, 3, 4, 0, 0, 0, 48};
	const uint32_t other[7] = {0x21, 5, 0, 0, 0, 48, 58};

	if (n == 0)
		write_bytes(writer, "\x02\0\0\0\0\0\0\0{}data", 14);
	else if (n == 1)
	{
		for (int i = 0; i < 7; i++)
			write_u32(writer, good[i]);
		for (int i = 0; i < 7; i++)
			write_u32(writer, other[i]);
	}
	return n < 2;
}
