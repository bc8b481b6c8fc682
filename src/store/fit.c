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
	int			dims;			/* of the first vector met */
	int64		rows;
} FitState;

static void
fit_row(const SourceRow *row, void *argument)
{
	FitState   *state = argument;

	state->rows++;
	if (row->input.missing)
		return;
	if (state->fit != NULL)
		status_check(text_fit_add(state->fit, row->input.text, row->input.length),
					 "fit the text encoder");
	else if (state->dims == 0)
		state->dims = row->input.n;
}

static void
fit_text(const Project *project, const Caller *caller, FitState *state, Encoder **encoder)
{
	TextFitOptions options = {
		.dims = project->options.dimensions,
		.vocabulary = project->options.vocabulary,
		.sample_rows = project->options.sample_rows,
		.memory = (size_t) setting_work_mem * 1024,
		.seed = (uint64) project->options.random_seed
	};
	size_t		needed = 0;

	if (text_fit_start(caller, &options, &state->fit, &needed) == STATUS_NO_MEMORY)
		memory_check(Max(needed, (size_t) setting_work_mem * 1024 + 1024 * 1024),
					 "fit the text encoder");
	source_scan(project, READ_AS_OWNER, NULL, false, fit_row, state);
	status_check(text_fit_finish(state->fit, encoder), "fit the text encoder");
	text_fit_free(state->fit);
}

static void
fit_vector(const Project *project, const Caller *caller, FitState *state, Encoder **encoder)
{
	source_scan(project, READ_AS_OWNER, NULL, false, fit_row, state);
	if (state->dims == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source of project \"%s\" has no vectors yet", project->name),
				 errhint("Fill column \"%s\" first.", project->input_column)));
	make_vector_encoder(caller, state->dims, encoder);
}

int64
encoder_fit(const Project *project)
{
	static Statement insert = {
		"INSERT INTO @hl_encoder (project_id, name, dims, sparse_dims, source_rows) "
		"VALUES ($1, $2, $3, $4, $5) RETURNING id",
		5, {INT4OID, TEXTOID, INT4OID, INT4OID, INT8OID}, NULL, 0
	};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop encoder fit",
												  ALLOCSET_DEFAULT_SIZES);
	Caller		caller = caller_in(context);
	FitState	state = {0};
	Encoder    *encoder;
	Writer		writer;
	Datum		values[5];
	int64		id;
	Acting		acting;

	if (project->input_kind == INPUT_TEXT)
		fit_text(project, &caller, &state, &encoder);
	else
		fit_vector(project, &caller, &state, &encoder);
	writer_init(&writer, &caller);
	status_check(encoder_write(encoder, &writer), "store the encoder");
	values[0] = Int32GetDatum(project->id);
	values[1] = CStringGetTextDatum(project->input_kind == INPUT_TEXT ? "text" : "vector");
	values[2] = Int32GetDatum(encoder_dims(encoder));
	values[3] = Int32GetDatum(encoder_sparse_dims(encoder));
	values[4] = Int64GetDatum(state.rows);
	act_as_extension(&acting);
	statement_run(&insert, values, NULL, false);
	id = result_bigint(0, 1);
	encoder_parts_write(id, &writer);
	act_as_before(&acting);
	MemoryContextDelete(context);
	return id;
}

bool
encoder_outgrown(int64 encoder_id, int64 items)
{
	static Statement select = {
		"SELECT source_rows FROM @hl_encoder WHERE id = $1", 1, {INT8OID}, NULL, 0
	};
	Datum		values[1] = {Int64GetDatum(encoder_id)};

	statement_run_as_extension(&select, values, NULL, false);
	/* few rows are refitted sooner: they are cheap, and each counts */
	return SPI_processed > 0 && items > 2 * result_bigint(0, 1);
}
