/*-------------------------------------------------------------------------
 *
 * fuzz_drift.c
 *	  Any bytes as what is stored of the rows that were there, and of those
 *	  that have arrived: the length of the first, the first, the second.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_learn.h"

#include "../../src/learn/drift.h"

#define DIMS 5
#define CLASSES 3

/* What was read is what would be written. */
static void
check_reference(const Caller *caller, const DriftReference *reference, const uint8_t *data,
				size_t length)
{
	Writer		writer;

	writer_init(&writer, caller);
	drift_reference_write(reference, &writer);
	if (!writer.failed)
		FUZZ_CHECK(writer.length == length && memcmp(writer.bytes, data, length) == 0);
	release(caller, writer.bytes);
}

static void
check_window(const Caller *caller, const DriftReference *reference, const DriftWindow *window,
			 const uint8_t *data, size_t length)
{
	Writer		writer;

	writer_init(&writer, caller);
	drift_window_write(reference, window, &writer);
	if (!writer.failed)
		FUZZ_CHECK(writer.length == length && memcmp(writer.bytes, data, length) == 0);
	release(caller, writer.bytes);
}

static void
compare(const Caller *caller, const DriftReference *reference, const DriftWindow *window, bool fails)
{
	DriftFinding finding[DRIFT_WINDOWED];
	Status		status;

	if (drift_rows(window) == 0)
		return;
	status = drift_compare(caller, reference, window, finding);
	FUZZ_CHECK(may_be(status, fails));
	for (int i = 0; status == STATUS_SUCCESS && i < DRIFT_WINDOWED; i++)
	{
		FUZZ_CHECK(finding[i].p_value >= 0.0 && finding[i].p_value <= 1.0);
		FUZZ_CHECK(finding[i].class >= -1 && finding[i].class <= reference->classes);
		FUZZ_CHECK(finding[i].level > 0.0 && finding[i].level < DRIFT_LEVEL);
	}
}

/* Rows arrive until there is another strip, if they are of that shape. */
static void
arrive(const Caller *caller, const DriftReference *reference, DriftWindow *window, bool fails)
{
	Data		data = make_data(60, DIMS, CLASSES, 1.0, 1, 4);

	data.rows.sparse = &data.sparse;
	for (int i = 0; i < DRIFT_STRIP &&
		 drift_suits(reference, data.rows.dims, data.rows.sparse_dims, CLASSES); i++)
	{
		if (drift_add(reference, window, &data.rows, i % 60, data.label[i % 60], 0.5f))
		{
			compare(caller, reference, window, fails);
			drift_next(reference, window);
		}
	}
	free_data(&data);
}

static void
run_drift(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	Reader		reader;
	DriftReference reference;
	DriftWindow window;
	uint32_t	length;
	Status		status;

	(void) fuzz_keeper();
	reader_init(&reader, data, size);
	length = read_u32(&reader);
	if (reader.failed || length > size - 4)
		return;
	reader_init(&reader, data + 4, length);
	status = drift_reference_read(caller, &reader, &reference);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (fails && status == STATUS_NO_MEMORY));
	if (status == STATUS_SUCCESS)
	{
		check_reference(caller, &reference, data + 4, length);
		reader_init(&reader, data + 4 + length, size - 4 - length);
		status = drift_window_read(caller, &reader, &reference, &window);
		FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
				   (fails && status == STATUS_NO_MEMORY));
		if (status == STATUS_SUCCESS)
		{
			check_window(caller, &reference, &window, data + 4 + length, size - 4 - length);
			compare(caller, &reference, &window, fails);
			arrive(caller, &reference, &window, fails);
		}
		drift_window_free(caller, &window);
	}
	drift_reference_free(caller, &reference);
}

const long	fuzz_runs = 10000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_drift, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	Data		data = make_data(60, DIMS, CLASSES, 1.0, 1, 3);
	float		confidence[60];
	DriftReference reference;
	DriftWindow window;
	Writer		first;

	for (int i = 0; i < 60; i++)
		confidence[i] = 0.4f + 0.01f * (float) i;
	/* without and with n-grams; the window empty, begun, and in its third strip */
	data.rows.sparse = n % 2 ? &data.sparse : NULL;
	if (n < 6)
	{
		FUZZ_CHECK(drift_reference(fuzz_keeper(), &data.rows, data.label, confidence, CLASSES,
								   &reference) == STATUS_SUCCESS);
		FUZZ_CHECK(drift_window(fuzz_keeper(), &reference, &window) == STATUS_SUCCESS);
		for (int i = 0; i < n / 2 * (DRIFT_STRIP + 30); i++)
		{
			if (drift_add(&reference, &window, &data.rows, i % 60, data.label[i % 60], confidence[i % 60]))
				drift_next(&reference, &window);
		}
		writer_init(&first, fuzz_keeper());
		drift_reference_write(&reference, &first);
		write_u32(writer, (uint32_t) first.length);
		write_bytes(writer, first.bytes, first.length);
		drift_window_write(&reference, &window, writer);
		release(fuzz_keeper(), first.bytes);
		drift_window_free(fuzz_keeper(), &window);
		drift_reference_free(fuzz_keeper(), &reference);
	}
	free_data(&data);
	return n < 6;
}
