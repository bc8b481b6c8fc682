/*-------------------------------------------------------------------------
 *
 * fuzz_model.c
 *	  Any bytes as a stored model: refused, or used for all that one is for.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_learn.h"

#include "../../src/learn/update.h"

/* What was read is what would be written. */
static void
check_written(const Caller *caller, const Model *model, const uint8_t *data, size_t length)
{
	Writer		writer;

	writer_init(&writer, caller);
	if (model_write(model, &writer) == STATUS_SUCCESS)
		FUZZ_CHECK(writer.length == length && memcmp(writer.bytes, data, length) == 0);
	release(caller, writer.bytes);
}

/* A few answers, as the worker learns them. */
static void
update(const Caller *caller, const Model *model, bool fails)
{
	int			label[FUZZ_ROWS];
	int			before[FUZZ_ROWS];
	FuzzRows	made;
	Model	   *updated;
	Status		status;

	make_rows(model, &made);
	for (int i = 0; i < FUZZ_ROWS; i++)
	{
		label[i] = i % model->classes;
		before[i] = i % 3 ? -1 : (i + 1) % model->classes;
	}
	made.rows.n = 6;
	status = model_update(caller, model, NULL, &made.rows, label, before, &updated);
	FUZZ_CHECK(may_be(status, fails));
	if (status == STATUS_SUCCESS)
		use_model(caller, updated, fails);
	if (status == STATUS_SUCCESS)
		model_free(caller, updated);
	free(made.dense);
}

static void
run_model(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	Reader		reader;
	Model	   *model;
	Status		status;

	(void) fuzz_keeper();
	reader_init(&reader, data, size);
	status = model_read(caller, &reader, &model);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (fails && status == STATUS_NO_MEMORY));
	FUZZ_CHECK((status == STATUS_SUCCESS) == (model != NULL));
	if (model == NULL)
		return;
	check_written(caller, model, data, reader.position);
	use_model(caller, model, fails);
	update(caller, model, fails);
	model_free(caller, model);
}

const long	fuzz_runs = 10000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_model, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	static const struct
	{
		int			dims;
		int			classes;
		int			refine;
	}			shapes[] = {{1, 2, 0}, {3, 2, 1}, {5, 3, 1}, {4, 3, 0}, {2, 20, 1}};
	Model	   *model;

	if (n >= (int) (sizeof(shapes) / sizeof(shapes[0])))
		return false;
	model = fuzz_model(shapes[n].dims, shapes[n].classes, shapes[n].refine);
	FUZZ_CHECK(model_write(model, writer) == STATUS_SUCCESS);
	model_free(fuzz_keeper(), model);
	return true;
}
