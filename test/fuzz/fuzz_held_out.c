/*-------------------------------------------------------------------------
 *
 * fuzz_held_out.c
 *	  Any bytes as the stored model for sets of labels, with its losses.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_learn.h"

#include "../../src/learn/held_out.h"

/* What was read is what would be written. */
static void
check_written(const Caller *caller, const HeldOut *held_out, const uint8_t *data, size_t length)
{
	Writer		writer;

	writer_init(&writer, caller);
	if (held_out_write(held_out, &writer) == STATUS_SUCCESS)
		FUZZ_CHECK(writer.length == length && memcmp(writer.bytes, data, length) == 0);
	release(caller, writer.bytes);
}

static void
run_held_out(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	Reader		reader;
	HeldOut		held_out;
	Status		status;

	(void) fuzz_keeper();
	reader_init(&reader, data, size);
	status = held_out_read(caller, &reader, &held_out);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (fails && status == STATUS_NO_MEMORY));
	FUZZ_CHECK((status == STATUS_SUCCESS) == (held_out.model != NULL));
	if (held_out.model == NULL)
		return;
	FUZZ_CHECK(held_out.n >= 1 && held_out.n <= HELD_OUT_MOST);
	for (int i = 0; i < held_out.n; i++)
		FUZZ_CHECK(held_out.losses[i] >= (i > 0 ? held_out.losses[i - 1] : 0.0f));
	check_written(caller, &held_out, data, reader.position);
	use_model(caller, held_out.model, fails);
	held_out_free(caller, &held_out);
}

const long	fuzz_runs = 10000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_held_out, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	static const struct
	{
		int			dims;
		int			classes;
		int			refine;
		int			held;
		bool		audited;
	}			shapes[] = {{1, 2, 0, 1, false}, {3, 2, 1, 7, true}, {4, 3, 0, 300, false}};
	float		losses[300];
	HeldOut		held_out = {.losses = losses};

	if (n >= (int) (sizeof(shapes) / sizeof(shapes[0])))
		return false;
	held_out.model = fuzz_model(shapes[n].dims, shapes[n].classes, shapes[n].refine);
	held_out.audited = shapes[n].audited;
	held_out.n = shapes[n].held;
	for (int i = 0; i < held_out.n; i++)
		losses[i] = i == 299 ? INFINITY : 0.01f * (float) i;
	FUZZ_CHECK(held_out_write(&held_out, writer) == STATUS_SUCCESS);
	model_free(fuzz_keeper(), held_out.model);
	return true;
}
