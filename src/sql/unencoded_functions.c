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
	const Encoder *encoder;		/* NULL: there is none yet */
	Encoding	encoding;
} Unencoded;

static void
count_length(const SourceRow *row, void *argument)
{
	lengths_add(argument, &row->input);
}

/* What the encoder is not even asked for; NULL: nothing. */
static const char *
plain_reason(const Encoder *encoder, const Input *input)
{
	if (input->missing)
		return "NULL";
	if (input->vector == NULL)
		return input->length == 0 ? "empty" : NULL;
	if (input->n == 0)
		return "no numbers";
	if (encoder != NULL && input->n != encoder_dims(encoder))
		return psprintf("%d numbers instead of %d", input->n, encoder_dims(encoder));
	return NULL;
}

/* What is wrong with an input; NULL: nothing. */
static const char *
reason_of(Unencoded *unencoded, const Input *input)
{
	const Encoder *encoder = unencoded->encoder;
	const char *reason = plain_reason(encoder, input);
	bool		text = input->vector == NULL;
	Status		status;

	if (reason != NULL || encoder == NULL)
		return reason;
	status = encode_input(encoder, input, &unencoded->encoding);
	if (status == STATUS_NOT_FINITE)
		return text ? "no finite vector" : "NULL, NaN or infinity in it";
	status_check(status, "encode a row");
	if (!dense_blank(unencoded->encoding.dense, encoder_dims(encoder)))
		return NULL;
	return text ? "no known n-gram" : "all zero";
}

static void
list_row(const SourceRow *row, void *argument)
{
	Unencoded  *unencoded = argument;
	const char *reason = reason_of(unencoded, &row->input);

	if (reason != NULL)
	{
		Datum		values[2] = {CStringGetTextDatum(row->item), CStringGetTextDatum(reason)};
		bool		nulls[2] = {false, false};

		set_add(unencoded->set, values, nulls);
	}
}

/*
 * What the rows are held against: the encoder that the source is encoded with,
 * if it reads inputs of this kind, else for vectors one of the length that most
 * have.
 */
static const Encoder *
choose_measure(const Project *project, const Caller *caller)
{
	ProjectState state;
	const Encoder *encoder = NULL;

	state_read(project, &state);
	if (state.encoder_id != 0)
	{
		/* a transformer computes with it */
		blas_load();
		encoder = encoder_open(state.encoder_id, true, CurrentMemoryContext);
	}
	if (encoder != NULL && !encoder_suits(encoder, project))
		encoder = NULL;
	if (encoder == NULL && project->input_kind == INPUT_VECTOR)
	{
		Lengths		lengths = {0};
		int			dims;
		Encoder    *made;

		source_scan(project, READ_AS_CALLER, NULL, true, count_length, &lengths);
		dims = lengths_most(&lengths, 0);
		if (dims == 0)
			return NULL;
		make_vector_encoder(caller, dims, &made);
		encoder = made;
	}
	return encoder;
}

Datum
hl_unencoded(PG_FUNCTION_ARGS)
{
	Unencoded  *unencoded;
	const Project *project;
	ReturnSetInfo *set = set_begin(fcinfo);
	Caller		caller;
	Call		call;

	call_begin(&call);
	unencoded = palloc0(sizeof(Unencoded));
	unencoded->set = set;
	caller = caller_in(CurrentMemoryContext);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_PREDICT, true);
	project_need_source(project);
	reading_need_rights(project);
	unencoded->encoder = choose_measure(project, &caller);
	if (unencoded->encoder != NULL)
		status_check(encoding_init(&caller, unencoded->encoder, &unencoded->encoding),
					 "encode rows");
	source_scan(project, READ_AS_CALLER, NULL, true, list_row, unencoded);
	call_end(&call);
	return (Datum) 0;
}
