/*-------------------------------------------------------------------------
 *
 * predict.c
 *	  The model that answers within one statement, ready to score.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"

#include "sql/api.h"
#include "sql/predict.h"
#include "store/caller.h"
#include "store/session.h"

static uint64 subtransaction_aborts = 0;

static void
count_abort(SubXactEvent event, SubTransactionId subid pg_attribute_unused(),
			SubTransactionId parent pg_attribute_unused(), void *argument pg_attribute_unused())
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		subtransaction_aborts++;
}

/*
 * Two snapshots with equal stamps see the same: transactions between xmin and
 * xmax only ever end, so equal counts of running ones mean the same ones.
 * Our own subtransactions are the exception: their aborts are counted.
 */
static SnapshotStamp
current_stamp(void)
{
	static bool counting = false;
	Snapshot	snapshot = GetActiveSnapshot();
	SnapshotStamp stamp;

	if (!counting)
	{
		RegisterSubXactCallback(count_abort, NULL);
		counting = true;
	}
	memset(&stamp, 0, sizeof(stamp));
	stamp.xmin = snapshot->xmin;
	stamp.xmax = snapshot->xmax;
	stamp.xcnt = snapshot->xcnt;
	stamp.subxcnt = snapshot->subxcnt;
	stamp.curcid = snapshot->curcid;
	stamp.user = GetUserId();
	stamp.aborts = subtransaction_aborts;
	return stamp;
}

static Predictor *
predictor_make(MemoryContext parent, const char *name, SnapshotStamp stamp)
{
	MemoryContext context = AllocSetContextCreate(parent, "humanloop predictor",
												  ALLOCSET_DEFAULT_SIZES);
	Predictor  *predictor = MemoryContextAllocZero(context, sizeof(Predictor));
	Call		call;

	predictor->context = context;
	predictor->scratch = AllocSetContextCreate(context, "humanloop scoring",
											   ALLOCSET_DEFAULT_SIZES);
	predictor->stamp = stamp;
	predictor->project_name = MemoryContextStrdup(context, name);
	call_begin(&call);
	MemoryContextSwitchTo(context);
	predictor->project = project_open(name, PRIVILEGE_PREDICT, true);
	if (!serving_open(predictor->project, true, context, &predictor->serving))
		serving_missing(predictor->project);
	rows_init(&predictor->rows, predictor->serving.encoder, context);
	call_end(&call);
	return predictor;
}

Predictor *
predictor_get(FunctionCallInfo fcinfo)
{
	Predictor  *predictor = fcinfo->flinfo->fn_extra;
	SnapshotStamp stamp = current_stamp();
	char	   *name = required_text(fcinfo, 0, "project");

	if (predictor != NULL)
	{
		if (memcmp(&predictor->stamp, &stamp, sizeof(stamp)) == 0 &&
			strcmp(predictor->project_name, name) == 0)
			return predictor;
		fcinfo->flinfo->fn_extra = NULL;
		MemoryContextDelete(predictor->context);
	}
	predictor = predictor_make(fcinfo->flinfo->fn_mcxt, name, stamp);
	fcinfo->flinfo->fn_extra = predictor;
	return predictor;
}

void
predictor_add_blank(Predictor *predictor)
{
	Encoding   *encoding = &predictor->rows.encoding;

	memset(encoding->dense, 0, sizeof(float) * encoder_dims(predictor->serving.encoder));
	encoding->terms = 0;
	rows_add_encoding(&predictor->rows, encoding);
}

void
predictor_add(Predictor *predictor, const Input *input)
{
	const Encoder *encoder = predictor->serving.encoder;
	Status		status;

	if (input->missing)
	{
		predictor_add_blank(predictor);
		return;
	}
	if (encoder_kind(encoder) == ENCODER_VECTOR && input->n != encoder_dims(encoder))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("vector of %d numbers, but project \"%s\" has vectors of %d",
						input->n, predictor->project_name, encoder_dims(encoder))));
	status = encode_input(encoder, input, &predictor->rows.encoding);
	if (status == STATUS_NOT_FINITE && encoder_kind(encoder) == ENCODER_VECTOR)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the vector contains NULL, NaN or infinity")));
	if (status == STATUS_NOT_FINITE)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the encoder finds no finite vector for the text")));
	status_check(status, "encode the input");
	rows_add_encoding(&predictor->rows, &predictor->rows.encoding);
}

/*
 * The answer among the classes as they are now, from that among those of the
 * training: P(a or b) is P(a) + P(b), and P(a | not c) is P(a) / (1 - P(c)).
 * The entropies stay as they are until the next training.
 */
static void
among_present(const Serving *serving, float *probability, Score *score)
{
	double		sum = 0.0;
	double		second = 0.0;
	int			left = 0;

	for (int k = 0; k < serving->nclasses; k++)
	{
		int			same = serving->same[k];

		if (same >= 0 && same != k)
			probability[same] += probability[k];
	}
	for (int k = 0; k < serving->nclasses; k++)
	{
		if (serving->same[k] != k)
			probability[k] = 0.0f;
		sum += probability[k];
		left += serving->same[k] == k;
	}
	score->label = -1;
	score->confidence = score->margin = 0.0f;
	for (int k = 0; k < serving->nclasses; k++)
	{
		if (serving->same[k] != k)
			continue;
		probability[k] = (float) (sum > 0.0 ? probability[k] / sum : 1.0 / left);
		if (score->label < 0 || probability[k] > score->confidence)
		{
			second = score->confidence;
			score->label = k;
			score->confidence = probability[k];
		}
		else
			second = Max(second, probability[k]);
	}
	score->margin = (float) (score->confidence - second);
}

void
predictor_score(Predictor *predictor, Score *scores, float *probability)
{
	const Serving *serving = &predictor->serving;
	Caller		caller = caller_in(predictor->scratch);
	const Rows *rows = rows_finish(&predictor->rows);

	if (serving->same != NULL && probability == NULL)
		probability = MemoryContextAllocHuge(predictor->scratch,
											 mul_size(mul_size(rows->n + 1, serving->nclasses),
													  sizeof(float)));
	status_check(model_score(&caller, serving->classifier, rows, scores, probability), "score");
	for (int i = 0; i < rows->n && serving->same != NULL; i++)
		among_present(serving, probability + (size_t) i * serving->nclasses, &scores[i]);
	rows_reset(&predictor->rows);
	MemoryContextReset(predictor->scratch);
}

/* ---------------------------------------------------------------------- */
/* Arguments */

/* '[1,2,3]' (pgvector's form) or '{1,2,3}' to a float4[] */
static Datum
vector_literal(const char *literal)
{
	char	   *text = pstrdup(literal + strspn(literal, " \t\r\n"));
	size_t		length = strlen(text);

	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		text[--length] = '\0';
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']')
	{
		text[0] = '{';
		text[length - 1] = '}';
	}
	return OidInputFunctionCall(F_ARRAY_IN, text, FLOAT4OID, -1);
}

Input
text_argument(const Predictor *predictor, FunctionCallInfo fcinfo)
{
	Input		input = {.missing = true};

	if (PG_ARGISNULL(1))
		return input;
	if (encoder_kind(predictor->serving.encoder) != ENCODER_VECTOR)
		return input_from_text(PG_GETARG_DATUM(1));
	return input_from_array(vector_literal(text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

static float4
number_to_float(Datum value, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return (float4) DatumGetInt16(value);
		case INT4OID:
			return (float4) DatumGetInt32(value);
		case INT8OID:
			return (float4) DatumGetInt64(value);
		case FLOAT4OID:
			return DatumGetFloat4(value);
		case FLOAT8OID:
			return (float4) DatumGetFloat8(value);
		case NUMERICOID:
			return (float4) DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("an array of %s is not a vector", format_type_be(type)),
					 errhint("Cast it to real[].")));
	}
}

Input
array_argument(const Predictor *predictor, FunctionCallInfo fcinfo)
{
	Input		input = {.missing = true};
	ArrayType  *array;
	Oid			type;
	int16		length;
	bool		byval;
	char		align;
	Datum	   *elements;
	bool	   *nulls;
	float	   *vector;

	if (encoder_kind(predictor->serving.encoder) != ENCODER_VECTOR)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the input of project \"%s\" is text, not a vector",
						predictor->project_name)));
	if (PG_ARGISNULL(1))
		return input;
	array = PG_GETARG_ARRAYTYPE_P(1);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a vector must be an array of one dimension, not %d", ARR_NDIM(array))));
	type = ARR_ELEMTYPE(array);
	get_typlenbyvalalign(type, &length, &byval, &align);
	deconstruct_array(array, type, length, byval, align, &elements, &nulls, &input.n);
	vector = palloc_array_checked(float, input.n);
	for (int i = 0; i < input.n; i++)
		vector[i] = nulls[i] ? NAN : number_to_float(elements[i], type);
	input.missing = false;
	input.vector = vector;
	return input;
}
