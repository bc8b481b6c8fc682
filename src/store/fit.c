/*-------------------------------------------------------------------------
 *
 * fit.c
 *	  Fits a project's encoder on all rows of its source.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "store/caller.h"
#include "store/feature.h"
#include "store/fit.h"
#include "store/parts.h"
#include "store/session.h"

typedef struct FitState
{
	const Project *project;
	const Caller *caller;
	size_t		memory;			/* bytes that may be used, in all */
	size_t		besides;		/* that are in use already */
	const char *doing;
	TextFit    *fit[MAX_INPUTS];	/* of those that are texts */
	Lengths		lengths[MAX_INPUTS];	/* of those that are vectors */
	int64		rows;
} FitState;

static void
fit_row(const SourceRow *row, void *argument)
{
	FitState   *state = argument;
	int			i = 0;

	if (input_missing(&row->input))
		return;
	state->rows++;
	for (const Input *input = &row->input; input != NULL; input = input->next, i++)
	{
		if (state->fit[i] != NULL && !input->missing)
			status_check(text_fit_add(state->fit[i], input->text, input->length),
						 "fit the text encoder");
		else
			lengths_add(&state->lengths[i], input);
	}
}

TextFit *
text_fit_begin(const Caller *caller, const TextFitOptions *options, size_t besides,
			   const char *doing)
{
	size_t		needed = 0;
	TextFit    *fit;
	Status		status = text_fit_start(caller, options, &fit, &needed);

	/* by our own setting; else there is none indeed */
	if (needed > 0)
		memory_check(Max(needed + besides, (size_t) setting_work_mem * 1024 + 1024 * 1024), doing);
	status_check(status, doing);
	return fit;
}

/* Texts share what memory there is. */
static void
begin_texts(FitState *state)
{
	const ProjectOptions *project = &state->project->options;
	TextFitOptions options = {
		.dims = project->dimensions,
		.vocabulary = project->vocabulary,
		.sample_rows = project->sample_rows,
		.seed = (uint64) project->random_seed
	};
	int			texts = 0;

	for (int i = 0; i < state->project->ninputs; i++)
		texts += state->project->inputs[i].kind == INPUT_TEXT;
	if (texts > 0)
		options.memory = (state->memory - state->besides) / texts;
	for (int i = 0; i < state->project->ninputs; i++)
	{
		if (state->project->inputs[i].kind == INPUT_TEXT)
			state->fit[i] = text_fit_begin(state->caller, &options,
										   state->besides + (texts - 1) * options.memory,
										   state->doing);
	}
}

/* After the last row: the encoder of one input. */
static Encoder *
finish_input(FitState *state, int input)
{
	const Project *project = state->project;
	Encoder    *encoder;
	int			dims;

	if (state->fit[input] != NULL)
	{
		status_check(text_fit_finish(state->fit[input], &encoder), "fit the text encoder");
		text_fit_free(state->fit[input]);
		return encoder;
	}
	dims = lengths_most(&state->lengths[input], 0);
	if (dims == 0 && project->ninputs == 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source of project \"%s\" has no vectors yet", project->name),
				 errhint("Fill column \"%s\" first.", project->inputs[input].column)));
	/* beside others it keeps a place, and any vector shows that it is too small */
	make_vector_encoder(state->caller, Max(dims, NO_VECTORS_DIMS), &encoder);
	return encoder;
}

Encoder *
project_fit(const Project *project, const Caller *caller, size_t besides, const char *doing,
			RowFeed feed, void *from, int64 *rows)
{
	FitState   *state = palloc0(sizeof(FitState));
	EncoderPart parts[MAX_INPUTS];
	Encoder    *encoder;
	Status		status;

	state->project = project;
	state->caller = caller;
	state->memory = (size_t) setting_work_mem * 1024;
	state->besides = besides;
	state->doing = doing;
	begin_texts(state);
	feed(fit_row, state, from);
	*rows = state->rows;
	for (int i = 0; i < project->ninputs; i++)
		parts[i] = (EncoderPart) {.input = i, .encoder = finish_input(state, i)};
	pfree(state);
	if (project->ninputs == 1)
		return unconstify(Encoder *, parts[0].encoder);
	status = encoder_combine(caller, parts, project->ninputs, &encoder);
	if (status == STATUS_BAD_ARGUMENT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the vectors of %d inputs are too long together", project->ninputs),
				 errhint("Leave one out, or lower the option \"dimensions\".")));
	status_check(status, "make the encoder");
	return encoder;
}

FittedEncoder *
encoder_compute(const Project *project, RowFeed feed, void *from)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop encoder fit",
												  ALLOCSET_DEFAULT_SIZES);
	FittedEncoder *fitted = MemoryContextAllocZero(context, sizeof(FittedEncoder));
	Encoder    *encoder;

	fitted->context = context;
	fitted->caller = caller_in(context);
	encoder = project_fit(project, &fitted->caller, 0, "fit the text encoder", feed, from,
						  &fitted->rows);
	fitted->dims = encoder_dims(encoder);
	fitted->sparse_dims = encoder_sparse_dims(encoder);
	writer_init(&fitted->writer, &fitted->caller);
	status_check(encoder_write(encoder, &fitted->writer), "store the encoder");
	return fitted;
}

int64
encoder_store(const Project *project, const FittedEncoder *fitted)
{
	static Statement insert = {
		"INSERT INTO @hl_encoder (project_id, name, dims, sparse_dims, source_rows) "
		"VALUES ($1, $2, $3, $4, $5) RETURNING id",
		5, {INT4OID, TEXTOID, INT4OID, INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[5];
	int64		id;
	Acting		acting;

	values[0] = Int32GetDatum(project->id);
	values[1] = CStringGetTextDatum(project_own_encoder(project));
	values[2] = Int32GetDatum(fitted->dims);
	values[3] = Int32GetDatum(fitted->sparse_dims);
	values[4] = Int64GetDatum(fitted->rows);
	act_as_extension(&acting);
	statement_run(&insert, values, NULL, false);
	id = result_bigint(0, 1);
	encoder_parts_write(id, &fitted->writer);
	act_as_before(&acting);
	return id;
}

void
encoder_discard(FittedEncoder *fitted)
{
	MemoryContextDelete(fitted->context);
}

static void
feed_from_source(SourceCallback callback, void *state, void *project)
{
	source_scan(project, READ_AS_OWNER, NULL, false, callback, state);
}

int64
encoder_fit(const Project *project)
{
	FittedEncoder *fitted = encoder_compute(project, feed_from_source, (void *) project);
	int64		id = encoder_store(project, fitted);

	encoder_discard(fitted);
	return id;
}

/*
 * Rows it was fitted on, -1: there is no such encoder; and whether it has found
 * anything in them.
 */
static int64
fitted_rows(int64 encoder_id, bool *ignorant)
{
	static Statement select = {
		"SELECT source_rows, name = 'text' AND sparse_dims = 0 FROM @hl_encoder WHERE id = $1",
		1, {INT8OID}, NULL, 0
	};
	Datum		values[1] = {Int64GetDatum(encoder_id)};
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return -1;
	*ignorant = DatumGetBool(result_datum(0, 2, &isnull));
	return result_bigint(0, 1);
}

bool
encoder_outgrown(int64 encoder_id, int64 items)
{
	bool		ignorant;
	int64		rows = fitted_rows(encoder_id, &ignorant);

	if (rows < 0)
		return false;
	/* to one that knows no n-gram every row is blank: any other is better */
	return ignorant ? items > rows + rows / 8 : items > 2 * rows;
}

bool
encoder_outlived(int64 encoder_id, int64 items)
{
	bool		ignorant;

	return 2 * items < fitted_rows(encoder_id, &ignorant);
}
