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

#include "lib/stringinfo.h"
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
	const Project *project;
	Caller		caller;
	const Encoder *encoder;		/* NULL: there is none yet */
	Encoding	encoding;
	Lengths		lengths[MAX_INPUTS];
	int			dims[MAX_INPUTS];	/* of a vector; 0: not known */
} Unencoded;

static void
count_lengths(const SourceRow *row, void *argument)
{
	Unencoded  *unencoded = argument;

	for (int i = 0; i < unencoded->project->ninputs; i++)
		lengths_add(&unencoded->lengths[i], input_nth(&row->input, i));
}

/* What an encoder is not even asked for; NULL: nothing. */
static const char *
plain_reason(int dims, const Input *input)
{
	if (input->missing)
		return "NULL";
	if (input->vector == NULL)
		return input->length == 0 ? "empty" : NULL;
	if (input->n == 0)
		return "no numbers";
	if (dims != 0 && input->n != dims)
		return psprintf("%d numbers instead of %d", input->n, dims);
	return NULL;
}

/* Of a text that all parts are silent about: what would have made one speak. */
static const char *
blank_reason(const Encoder *encoder)
{
	const char *reason = "no vector";

	for (int i = 0; i < encoder_parts(encoder); i++)
	{
		EncoderPart part;

		encoder_part(encoder, i, &part);
		if (part.kind == ENCODER_TEXT)
			return "no known n-gram";
		if (part.kind == ENCODER_WORDS)
			reason = "no known word";
	}
	return reason;
}

/* What is wrong with one of a row's inputs, which is encoded alone; NULL: nothing. */
static const char *
reason_of(Unencoded *unencoded, int index, const Input *input)
{
	const char *reason = plain_reason(unencoded->dims[index], input);
	Input		alone[MAX_INPUTS];
	bool		text = input->vector == NULL;
	Status		status;

	if (reason != NULL || unencoded->encoder == NULL)
		return reason;
	for (int i = 0; i <= index; i++)
		alone[i] = (Input) {.missing = true, .next = &alone[i + 1]};
	alone[index] = *input;
	alone[index].next = NULL;
	status = encode_input(unencoded->encoder, &alone[0], &unencoded->encoding);
	/* no part of the encoder reads it */
	if (status == STATUS_BAD_ARGUMENT)
		return NULL;
	if (status == STATUS_NOT_FINITE)
		return text ? "no finite vector" : "NULL, NaN or infinity in it";
	status_check(status, "encode a row");
	if (!dense_blank(unencoded->encoding.dense, encoder_dims(unencoded->encoder)))
		return NULL;
	return text ? blank_reason(unencoded->encoder) : "all zero";
}

/* Of several inputs each reason says whose it is. */
static char *
row_reasons(Unencoded *unencoded, const SourceRow *row)
{
	const Project *project = unencoded->project;
	StringInfoData reasons;

	initStringInfo(&reasons);
	for (int i = 0; i < project->ninputs; i++)
	{
		const char *reason = reason_of(unencoded, i, input_nth(&row->input, i));

		if (reason == NULL)
			continue;
		if (project->ninputs > 1)
			appendStringInfo(&reasons, "%s%s: ", reasons.len > 0 ? "; " : "",
							 project->inputs[i].column);
		appendStringInfoString(&reasons, reason);
	}
	return reasons.data;
}

static void
list_row(const SourceRow *row, void *argument)
{
	Unencoded  *unencoded = argument;
	const char *reasons = row_reasons(unencoded, row);

	if (reasons[0] != '\0')
	{
		Datum		values[2] = {CStringGetTextDatum(row->item), CStringGetTextDatum(reasons)};
		bool		nulls[2] = {false, false};

		set_add(unencoded->set, values, nulls);
	}
}

/* Before there is an encoder: one for vectors of the lengths that most have. */
static void
make_measure(Unencoded *unencoded)
{
	const Project *project = unencoded->project;
	EncoderPart parts[MAX_INPUTS];
	Encoder    *encoder;
	int			n = 0;

	if (project_input_of(project, INPUT_VECTOR) < 0)
		return;
	source_scan(project, READ_AS_CALLER, NULL, true, count_lengths, unencoded);
	for (int i = 0; i < project->ninputs; i++)
	{
		int			dims = lengths_most(&unencoded->lengths[i], 0);

		if (dims == 0)
			continue;
		make_vector_encoder(&unencoded->caller, dims, &encoder);
		parts[n++] = (EncoderPart) {.input = i, .encoder = encoder};
	}
	if (n == 0)
		return;
	status_check(encoder_combine(&unencoded->caller, parts, n, &encoder), "make the encoder");
	unencoded->encoder = encoder;
}

/*
 * What the rows are held against: the encoder that the source is encoded with,
 * if it reads inputs of these kinds.
 */
static void
choose_measure(Unencoded *unencoded)
{
	ProjectState state;

	state_read(unencoded->project, &state);
	if (state.encoder_id != 0)
	{
		/* a transformer computes with it */
		blas_load();
		unencoded->encoder = encoder_open(state.encoder_id, true, CurrentMemoryContext);
	}
	if (unencoded->encoder == NULL || !encoder_suits(unencoded->encoder, unencoded->project))
	{
		unencoded->encoder = NULL;
		make_measure(unencoded);
	}
	if (unencoded->encoder == NULL)
		return;
	for (int i = 0; i < unencoded->project->ninputs; i++)
		unencoded->dims[i] = encoder_vector_dims(unencoded->encoder, i);
	status_check(encoding_init(&unencoded->caller, unencoded->encoder, &unencoded->encoding),
				 "encode rows");
}

Datum
hl_unencoded(PG_FUNCTION_ARGS)
{
	Unencoded  *unencoded;
	Project    *project;
	ReturnSetInfo *set = set_begin(fcinfo);
	Call		call;

	call_begin(&call);
	unencoded = palloc0(sizeof(Unencoded));
	unencoded->set = set;
	unencoded->caller = caller_in(CurrentMemoryContext);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_PREDICT, true);
	project_need_source(project);
	reading_need_rights(project);
	unencoded->project = project;
	choose_measure(unencoded);
	source_scan(project, READ_AS_CALLER, NULL, true, list_row, unencoded);
	call_end(&call);
	return (Datum) 0;
}
