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
	TextFit    *fit;
	Lengths		lengths;		/* of vectors */
	int64		rows;
} FitState;

static void
fit_row(const SourceRow *row, void *argument)
{
	FitState   *state = argument;

	if (input_missing(&row->input))
		return;
	state->rows++;
	if (state->fit != NULL)
		status_check(text_fit_add(state->fit, row->input.text, row->input.length),
					 "fit the text encoder");
	else
		lengths_add(&state->lengths, &row->input);
}

TextFit *
text_fit_begin(const Caller *caller, const TextFitOptions *options, const char *doing)
{
	size_t		needed = 0;
	TextFit    *fit;
	Status		status = text_fit_start(caller, options, &fit, &needed);

	/* by our own setting; else there is none indeed */
	if (needed > 0)
		memory_check(Max(needed, options->memory + 1024 * 1024), doing);
	status_check(status, doing);
	return fit;
}

static void
fit_text(const Project *project, const Caller *caller, RowFeed feed, void *from,
		 FitState *state, Encoder **encoder)
{
	TextFitOptions options = {
		.dims = project->options.dimensions,
		.vocabulary = project->options.vocabulary,
		.sample_rows = project->options.sample_rows,
		.memory = (size_t) setting_work_mem * 1024,
		.seed = (uint64) project->options.random_seed
	};

	state->fit = text_fit_begin(caller, &options, "fit the text encoder");
	feed(fit_row, state, from);
	status_check(text_fit_finish(state->fit, encoder), "fit the text encoder");
	text_fit_free(state->fit);
}

static void
fit_vector(const Project *project, const Caller *caller, RowFeed feed, void *from,
		   FitState *state, Encoder **encoder)
{
	int			dims;

	feed(fit_row, state, from);
	dims = lengths_most(&state->lengths, 0);
	if (dims == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source of project \"%s\" has no vectors yet", project->name),
				 errhint("Fill column \"%s\" first.", project->inputs[0].column)));
	make_vector_encoder(caller, dims, encoder);
}

FittedEncoder *
encoder_compute(const Project *project, RowFeed feed, void *from)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop encoder fit",
												  ALLOCSET_DEFAULT_SIZES);
	FittedEncoder *fitted = MemoryContextAllocZero(context, sizeof(FittedEncoder));
	FitState	state = {0};
	Encoder    *encoder;

	fitted->context = context;
	fitted->caller = caller_in(context);
	if (project->inputs[0].kind == INPUT_TEXT)
		fit_text(project, &fitted->caller, feed, from, &state, &encoder);
	else
		fit_vector(project, &fitted->caller, feed, from, &state, &encoder);
	fitted->rows = state.rows;
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
	values[1] = CStringGetTextDatum(project->inputs[0].kind == INPUT_TEXT ? "text" : "vector");
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
