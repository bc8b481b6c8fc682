/*-------------------------------------------------------------------------
 *
 * test_safetensors.c
 *	  Files of tensors that are not what they say they are.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/encode/safetensors.h"
#include "../../src/math/random.h"

/* What safetensors_span says of a file that claims such a header. */
static SafetensorsFault
span_fault(uint64_t header, uint64_t file_length, SafetensorsSpan *span)
{
	unsigned char *bytes = malloc(9);
	SafetensorsFault fault;
	Status		status;

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char) (header >> 8 * i);
	bytes[8] = '{';
	status = safetensors_span(bytes, 9, file_length, span, &fault);
	CHECK((status == STATUS_SUCCESS) == (fault == SAFETENSORS_FINE));
	CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT);
	free(bytes);
	return fault;
}

static void
test_span(void)
{
	SafetensorsSpan span;
	SafetensorsFault fault;
	static const unsigned char no_object[9] = {2, 0, 0, 0, 0, 0, 0, 0, '['};

	CHECK(span_fault(11401, 45441937, &span) == SAFETENSORS_FINE);
	CHECK(span.header == 8 && span.header_length == 11401 && span.data == 11409 &&
		  span.data_length == 45441937 - 11409);
	CHECK(span_fault(2, 10, &span) == SAFETENSORS_FINE && span.data_length == 0);
	CHECK(span_fault(2, 9, &span) == SAFETENSORS_HEADER_CUT && span.header_length == 0);
	CHECK(span_fault(UINT64_MAX, 10, &span) == SAFETENSORS_HEADER_LONG);
	CHECK(span_fault(UINT64_MAX - 7, UINT64_MAX, &span) == SAFETENSORS_HEADER_LONG);
	CHECK(span_fault(SAFETENSORS_MAX_HEADER + 1, UINT64_MAX, &span) == SAFETENSORS_HEADER_LONG);
	CHECK(span_fault(SAFETENSORS_MAX_HEADER, UINT64_MAX, &span) == SAFETENSORS_FINE);
	CHECK(span_fault(0, 100, &span) == SAFETENSORS_HEADER_EMPTY);
	CHECK(safetensors_span(no_object, 9, 100, &span, &fault) == STATUS_CORRUPT &&
		  fault == SAFETENSORS_HEADER_EMPTY);
	for (size_t length = 0; length < 9; length++)
		CHECK(safetensors_span(no_object, length, length, &span, &fault) == STATUS_CORRUPT);
	CHECK(safetensors_span(NULL, 0, 0, &span, &fault) == STATUS_CORRUPT && fault == SAFETENSORS_SHORT);
}

static SafetensorsEntry
entry(const char *type, int rank, const uint64_t *shape, uint64_t begin, uint64_t end)
{
	SafetensorsEntry made = {type, strlen(type), rank, shape, begin, end};

	return made;
}

/* What is wrong with one entry in 1000 bytes of data. */
static SafetensorsFault
entry_fault(SafetensorsEntry one)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SafetensorsFault fault;
	size_t		at;
	Status		status = safetensors_check(&caller, &one, 1, 1000, &fault, &at);

	CHECK((status == STATUS_SUCCESS) == (fault == SAFETENSORS_FINE));
	CHECK(memory.blocks == 0 && at == 0);
	return fault;
}

static void
test_entries(void)
{
	const uint64_t square[2] = {5, 5};
	const uint64_t none[2] = {0, 5};
	const uint64_t huge[2] = {UINT64_C(1) << 32, UINT64_C(1) << 32};
	const uint64_t wraps[3] = {UINT64_C(1) << 62, 4, 25};
	const uint64_t hidden[3] = {0, UINT64_MAX, UINT64_MAX};
	const uint64_t many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};

	CHECK(entry_fault(entry("F32", 2, square, 0, 100)) == SAFETENSORS_FINE);
	CHECK(entry_fault(entry("F16", 2, square, 950, 1000)) == SAFETENSORS_FINE);
	CHECK(entry_fault(entry("BF16", 2, square, 7, 57)) == SAFETENSORS_FINE);
	CHECK(entry_fault(entry("I64", 2, square, 0, 200)) == SAFETENSORS_FINE);
	CHECK(entry_fault(entry("F32", 0, NULL, 3, 7)) == SAFETENSORS_FINE);
	CHECK(entry_fault(entry("F32", 2, none, 1000, 1000)) == SAFETENSORS_FINE);
	CHECK(entry_fault(entry("F33", 2, square, 0, 100)) == SAFETENSORS_TYPE);
	CHECK(entry_fault(entry("", 2, square, 0, 100)) == SAFETENSORS_TYPE);
	CHECK(entry_fault(entry("F32", 2, square, 0, 99)) == SAFETENSORS_SIZE);
	CHECK(entry_fault(entry("F32", 2, square, 0, 101)) == SAFETENSORS_SIZE);
	CHECK(entry_fault(entry("F32", 2, square, 901, 1001)) == SAFETENSORS_OUTSIDE);
	CHECK(entry_fault(entry("F32", 2, square, 100, 0)) == SAFETENSORS_OUTSIDE);
	CHECK(entry_fault(entry("F32", 2, square, UINT64_MAX - 99, 0)) == SAFETENSORS_OUTSIDE);
	CHECK(entry_fault(entry("F32", 2, square, UINT64_MAX - 100, UINT64_MAX)) == SAFETENSORS_OUTSIDE);
	CHECK(entry_fault(entry("F32", 2, huge, 0, 0)) == SAFETENSORS_SHAPE);
	CHECK(entry_fault(entry("I8", 3, wraps, 0, 100)) == SAFETENSORS_SHAPE);
	CHECK(entry_fault(entry("F32", 3, hidden, 0, 0)) == SAFETENSORS_SHAPE);
	CHECK(entry_fault(entry("I8", 9, many, 0, 1)) == SAFETENSORS_SHAPE);
	CHECK(entry_fault(entry("I8", -1, many, 0, 1)) == SAFETENSORS_SHAPE);
}

static void
test_overlap(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const uint64_t ten[1] = {10};
	SafetensorsEntry entries[4];
	SafetensorsFault fault;
	size_t		at;

	entries[0] = entry("I8", 1, ten, 30, 40);
	entries[1] = entry("I8", 1, ten, 0, 10);
	entries[2] = entry("I8", 1, ten, 20, 30);
	entries[3] = entry("I8", 1, ten, 10, 20);
	CHECK(safetensors_check(&caller, entries, 4, 40, &fault, &at) == STATUS_SUCCESS);
	CHECK(safetensors_check(&caller, entries, 0, 0, &fault, &at) == STATUS_SUCCESS);
	entries[3] = entry("I8", 1, ten, 11, 21);
	CHECK(safetensors_check(&caller, entries, 4, 40, &fault, &at) == STATUS_CORRUPT);
	CHECK(fault == SAFETENSORS_OVERLAP && at == 2);
	entries[3] = entries[1];
	CHECK(safetensors_check(&caller, entries, 4, 40, &fault, &at) == STATUS_CORRUPT);
	CHECK(fault == SAFETENSORS_OVERLAP && at == 3);
	CHECK(safetensors_check(&caller, entries, SAFETENSORS_MAX_TENSORS + 1, 40, &fault, &at) == STATUS_CORRUPT);
	CHECK(fault == SAFETENSORS_TOO_MANY);
	memory.fail_at = 1;
	CHECK(safetensors_check(&caller, entries, 4, 40, &fault, &at) == STATUS_NO_MEMORY);
	memory.fail_at = 0;
	memory.stop_at = 1;
	memory.questions = 0;
	CHECK(safetensors_check(&caller, entries, 4, 40, &fault, &at) == STATUS_STOPPED);
	CHECK(memory.blocks == 0);
}

/* Whatever is accepted can be read, byte by byte, and none of it twice. */
static void
test_random(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Random		random;
	int			accepted = 0;

	random_seed(&random, 5);
	for (int round = 0; round < 5000; round++)
	{
		uint64_t	shapes[4][2];
		SafetensorsEntry entries[4];
		unsigned char used[20] = {0};
		SafetensorsFault fault;
		size_t		at;

		for (int i = 0; i < 4; i++)
		{
			uint64_t	begin = random_below(&random, 21);

			shapes[i][0] = random_below(&random, 4);
			shapes[i][1] = random_below(&random, 3);
			entries[i] = entry("F16", 2, shapes[i], begin,
							   begin + 2 * shapes[i][0] * shapes[i][1]);
		}
		if (safetensors_check(&caller, entries, 4, sizeof(used), &fault, &at) != STATUS_SUCCESS)
			continue;
		accepted++;
		for (int i = 0; i < 4; i++)
			for (uint64_t j = entries[i].begin; j < entries[i].end; j++)
				CHECK(used[j]++ == 0);
	}
	CHECK(accepted > 100);
	CHECK(memory.blocks == 0);
}

int
main(void)
{
	test_span();
	test_entries();
	test_overlap();
	test_random();
	return unit_end();
}
