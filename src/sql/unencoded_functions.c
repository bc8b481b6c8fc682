/*-------------------------------------------------------------------------
 *
 * unencoded_functions.c
 *	  hl_unencoded: rows of the source that say nothing, and why.
 *
 * The source is read as the caller, as hl_predict(project) reads it: he is told
 * of the rows that he may see, as they are now.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"

#include "sql/api.h"
#include "store/cache.h"
#include "store/caller.h"
#include "store/feature.h"
#include "store/refresh.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_unencoded);

typedef struct Unencoded
{
	ReturnSetInfo *set;
	bool		vectors;
	int			dims;			/* of a vector; 0: none has any number */
	const Encoder *encoder;		/* of texts; NULL: not fitted yet */
	Caller		caller;
	Encoding	encoding;
} Unencoded;

static void
count_length(const SourceRow *row, void *argument)
{
	lengths_add(argument, &row->input);
}

/* What is wrong with a vector; NULL: nothing. */
static const char *
vector_reason(const Unencoded *unencoded, const Input *input)
{
	bool		zero = true;

	if (input->n == 0)
		return "no numbers";
	if (input->n != unencoded->dims)
		return psprintf("%d numbers instead of %d", input->n, unencoded->dims);
	for (int i = 0; i < input->n; i++)
	{
		if (!isfinite(input->vector[i]))
			return "NULL, NaN or infinity in it";
		zero = zero && input->vector[i] == 0.0f;
	}
	return zero ? "all zero" : NULL;
}

static const char *
text_reason(Unencoded *unencoded, const Input *input)
{
	const Encoder *encoder = unencoded->encoder;
	Status		status;

	if (input->length == 0)
		return "empty";
	if (encoder == NULL)
		return NULL;
	status = encode_input(encoder, input, &unencoded->encoding);
	if (status == STATUS_NOT_FINITE)
		return "no finite vector";
	status_check(status, "encode a row");
	for (int i = 0; i < encoder_dims(encoder); i++)
	{
		if (unencoded->encoding.dense[i] != 0.0f)
			return NULL;
	}
	return "no known n-gram";
}

static void
list_row(const SourceRow *row, void *argument)
{
	Unencoded  *unencoded = argument;
	const char *reason;

	if (row->input.missing)
		reason = "NULL";
	else if (unencoded->vectors)
		reason = vector_reason(unencoded, &row->input);
	else
		reason = text_reason(unencoded, &row->input);
	if (reason != NULL)
	{
		Datum		values[2] = {CStringGetTextDatum(row->item), CStringGetTextDatum(reason)};
		bool		nulls[2] = {false, false};

		set_add(unencoded->set, values, nulls);
	}
}

/*
 * Against what the rows are held: the encoder that the source is encoded with,
 * if it reads inputs of this kind, else for vectors the length that most have.
 */
static void
choose_measure(const Project *project, Unencoded *unencoded)
{
	ProjectState state;
	const Encoder *encoder = NULL;

	state_read(project, &state);
	blas_load();
	if (state.encoder_id != 0)
		encoder = encoder_open(state.encoder_id, true, CurrentMemoryContext);
	if (encoder != NULL && !encoder_suits(encoder, project))
		encoder = NULL;
	if (!unencoded->vectors)
	{
		unencoded->encoder = encoder;
		if (encoder != NULL)
			status_check(encoding_init(&unencoded->caller, encoder, &unencoded->encoding),
						 "encode rows");
	}
	else if (encoder != NULL)
		unencoded->dims = encoder_dims(encoder);
	else
	{
		Lengths		lengths = {0};

		source_scan(project, READ_AS_CALLER, NULL, true, count_length, &lengths);
		unencoded->dims = lengths_most(&lengths, 0);
	}
}

Datum
hl_unencoded(PG_FUNCTION_ARGS)
{
	Unencoded  *unencoded;
	const Project *project;
	ReturnSetInfo *set = set_begin(fcinfo);
	Call		call;

	call_begin(&call);
	unencoded = palloc0(sizeof(Unencoded));
	unencoded->set = set;
	unencoded->caller = caller_in(CurrentMemoryContext);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_PREDICT, true);
	project_need_source(project);
	reading_need_rights(project);
	unencoded->vectors = project->input_kind == INPUT_VECTOR;
	choose_measure(project, unencoded);
	source_scan(project, READ_AS_CALLER, NULL, true, list_row, unencoded);
	call_end(&call);
	return (Datum) 0;
}
