/*-------------------------------------------------------------------------
 *
 * fuzz_revision.c
 *	  Any bytes as a stored revision of a model.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_learn.h"

#include "../../src/learn/delta.h"
#include "../../src/learn/revision.h"
#include "../../src/learn/update.h"

#define DIMS 5
#define CLASSES 3

static Model *base = NULL;
static Model *revision = NULL;	/* of base, after some answers */
static Writer written[3];		/* base to revision, back, and a large step */

/* A revision after answers to so many rows, every one against the last. */
static Model *
answered(int rows, int shift)
{
	Data		data = make_data(60, DIMS, CLASSES, 1.0, 1, 3);
	int			before[60];
	Model	   *model;

	data.rows.sparse = &data.sparse;
	data.rows.n = rows;
	for (int i = 0; i < rows; i++)
	{
		before[i] = -1;
		data.label[i] = (data.label[i] + shift) % CLASSES;
	}
	FUZZ_CHECK(model_update(fuzz_keeper(), base, NULL, &data.rows, data.label, before, &model) ==
			   STATUS_SUCCESS);
	free_data(&data);
	return model;
}

static void
make_models(void)
{
	const Caller *caller = fuzz_keeper();
	Model	   *other;
	Model	   *stored;

	if (base != NULL)
		return;
	base = fuzz_model(DIMS, CLASSES, 1);
	for (int i = 0; i < 3; i++)
		writer_init(&written[i], caller);
	other = answered(4, 0);
	FUZZ_CHECK(model_delta_write(caller, base, base, other, &written[0], &revision) == STATUS_SUCCESS);
	model_free(caller, other);
	other = answered(60, 1);
	FUZZ_CHECK(model_delta_write(caller, base, revision, other, &written[1], &stored) == STATUS_SUCCESS);
	model_free(caller, stored);
	FUZZ_CHECK(model_delta_write(caller, base, other, revision, &written[2], &stored) == STATUS_SUCCESS);
	model_free(caller, stored);
	model_free(caller, other);
}

/* What was read can be a step on the way: from it, and to it. */
static void
step_on(const Caller *caller, const Model *read, bool fails)
{
	for (int way = 0; way < 2; way++)
	{
		Writer		writer;
		Model	   *stored;
		Status		status;

		writer_init(&writer, caller);
		status = model_delta_write(caller, base, way ? read : revision, way ? revision : read,
								   &writer, &stored);
		/* what is rounded may be beyond what a reader takes */
		FUZZ_CHECK(may_be(status, fails) || status == STATUS_CORRUPT);
		if (status == STATUS_SUCCESS)
			model_free(caller, stored);
		release(caller, writer.bytes);
	}
}

static void
run_revision(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	make_models();
	for (int from_revision = 0; from_revision < 2; from_revision++)
	{
		Reader		reader;
		Model	   *read;
		Status		status;

		reader_init(&reader, data, size);
		status = model_delta_read(caller, base, from_revision ? revision : base, &reader, &read);
		FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
				   (fails && status == STATUS_NO_MEMORY));
		FUZZ_CHECK((status == STATUS_SUCCESS) == (read != NULL));
		if (read == NULL)
			continue;
		use_model(caller, read, fails);
		step_on(caller, read, fails);
		model_free(caller, read);
	}
}

const long	fuzz_runs = 10000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_revision, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	make_models();
	if (n >= 3)
		return false;
	write_bytes(writer, written[n].bytes, written[n].length);
	return true;
}
