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
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "sql/api.h"
#include "sql/predict.h"
#include "store/caller.h"
#include "store/handover.h"
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

/* What whoever asks has got wrong; in a row of the source it would be passed over. */
static void
check_vectors(const Predictor *predictor, const Input *first)
{
	const Encoder *encoder = predictor->serving.encoder;
	const Project *project = predictor->project;

	for (int i = 0; i < encoder_parts(encoder); i++)
	{
		EncoderPart part;
		const Input *input;

		encoder_part(encoder, i, &part);
		input = input_nth(first, part.input);
		if (part.kind != ENCODER_VECTOR || input == NULL || input->missing)
			continue;
		if (input->n != part.dims)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 project->ninputs == 1 ?
					 errmsg("vector of %d numbers, but project \"%s\" has vectors of %d",
							input->n, predictor->project_name, part.dims) :
					 errmsg("vector of %d numbers, but input \"%s\" of project \"%s\" has vectors of %d",
							input->n, project->inputs[part.input].column,
							predictor->project_name, part.dims)));
		for (int j = 0; j < input->n; j++)
		{
			if (!isfinite(input->vector[j]))
				ereport(ERROR,
						(errcode(ERRCODE_DATA_EXCEPTION),
						 errmsg("the vector contains NULL, NaN or infinity")));
		}
	}
}

void
text_not_finite(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("the encoder finds no finite vector for the text")));
}

void
predictor_add(Predictor *predictor, const Input *input)
{
	Status		status;

	if (input_missing(input))
	{
		predictor_add_blank(predictor);
		return;
	}
	check_vectors(predictor, input);
	status = encode_input(predictor->serving.encoder, input, &predictor->rows.encoding);
	/* the model may read none of the inputs that are there */
	if (status == STATUS_BAD_ARGUMENT)
	{
		predictor_add_blank(predictor);
		return;
	}
	if (status == STATUS_NOT_FINITE)
		text_not_finite();
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

static void
score(Predictor *predictor, const Model *model, Score *scores, float *probability)
{
	const Serving *serving = &predictor->serving;
	Caller		caller = caller_in(predictor->scratch);
	const Rows *rows = rows_finish(&predictor->rows);

	if (serving->same != NULL && probability == NULL)
		probability = MemoryContextAllocHuge(predictor->scratch,
											 mul_size(mul_size(rows->n + 1, serving->nclasses),
													  sizeof(float)));
	status_check(model_score(&caller, model, rows, scores, probability), "score");
	for (int i = 0; i < rows->n && serving->same != NULL; i++)
		among_present(serving, probability + (size_t) i * serving->nclasses, &scores[i]);
}

static void
scored(Predictor *predictor)
{
	rows_reset(&predictor->rows);
	MemoryContextReset(predictor->scratch);
}

void
predictor_score(Predictor *predictor, Score *scores, float *probability)
{
	score(predictor, predictor->serving.classifier, scores, probability);
	scored(predictor);
}

void
predictor_score_sets(Predictor *predictor, Score *scores, float *probability, bool *blank)
{
	for (int i = 0; i < predictor->rows.n; i++)
		blank[i] = rows_blank(&predictor->rows, i);
	score(predictor, predictor->limit.model, scores, probability);
	scored(predictor);
}

void
predictor_decide(Predictor *predictor, Score *scores, bool *automatic)
{
	const Serving *serving = &predictor->serving;
	const Rows *rows = rows_finish(&predictor->rows);
	bool		measured = serving->revision == 0 && serving->same == NULL;
	bool		any = false;

	score(predictor, serving->classifier, scores, NULL);
	for (int i = 0; i < rows->n; i++)
	{
		/* the audit does not ask rows that say nothing */
		automatic[i] = serving_decides(serving, &scores[i], NULL) && !rows_blank(&predictor->rows, i);
		any = any || automatic[i];
	}
	if (any && !measured)
	{
		Caller		caller = caller_in(predictor->scratch);
		Score	   *base = MemoryContextAllocHuge(predictor->scratch,
												  mul_size(rows->n, sizeof(Score)));

		status_check(model_margins(&caller, serving->base, rows, base), "score");
		for (int i = 0; i < rows->n; i++)
		{
			if (serving->same != NULL)
				base[i].label = serving->same[base[i].label];
			automatic[i] = automatic[i] && serving_decides(serving, &scores[i], &base[i]);
		}
	}
	scored(predictor);
}

Datum
decision_datum(const Predictor *predictor, bool automatic, bool *isnull)
{
	*isnull = !(predictor->project->options.target_error > 0.0);
	return *isnull ? (Datum) 0 : CStringGetTextDatum(automatic ? "auto" : "human");
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

/* What the model reads there, whatever the column is by now. */
static InputKind
argument_kind(const Predictor *predictor, int input)
{
	for (int i = 0; i < encoder_parts(predictor->serving.encoder); i++)
	{
		EncoderPart part;

		encoder_part(predictor->serving.encoder, i, &part);
		if (part.input == input)
			return part.kind == ENCODER_VECTOR ? INPUT_VECTOR : INPUT_TEXT;
	}
	return predictor->project->inputs[input].kind;
}

static Input
input_argument(InputKind kind, Datum value)
{
	return kind == INPUT_TEXT ? input_from_text(value) :
		input_from_array(vector_literal(TextDatumGetCString(value)));
}

/* As whoever asks would write it: ARRAY[title, embedding::text] */
static char *
inputs_form(const Project *project)
{
	StringInfoData form;

	initStringInfo(&form);
	for (int i = 0; i < project->ninputs; i++)
		appendStringInfo(&form, "%s%s%s", i > 0 ? ", " : "ARRAY[",
						 quote_identifier(project->inputs[i].column),
						 project->inputs[i].kind == INPUT_TEXT ? "" : "::text");
	appendStringInfoChar(&form, ']');
	return form.data;
}

/* n: elements of an array of text; -1: it is none. */
static void
wrong_inputs(const Predictor *predictor, int n)
{
	ereport(ERROR,
			(errcode(n < 0 ? ERRCODE_DATATYPE_MISMATCH : ERRCODE_ARRAY_SUBSCRIPT_ERROR),
			 n < 0 ?
			 errmsg("project \"%s\" has %d inputs, not one", predictor->project_name,
					predictor->project->ninputs) :
			 errmsg("array of %d elements, but project \"%s\" has %d inputs", n, predictor->project_name,
					predictor->project->ninputs),
			 errhint("Give an array of text with an element for each, NULL where it is missing: %s.",
					 inputs_form(predictor->project))));
}

Input
text_argument(const Predictor *predictor, FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		return (Input) {.missing = true};
	if (predictor->project->ninputs > 1)
		wrong_inputs(predictor, -1);
	return input_argument(argument_kind(predictor, 0), PG_GETARG_DATUM(1));
}

/* An array of text, with an element for each of the project's inputs. */
static Input
inputs_argument(const Predictor *predictor, ArrayType *array)
{
	Input		first = {.missing = true};
	Input	   *input = &first;
	Oid			type = ARR_ELEMTYPE(array);
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if ((type != TEXTOID && type != VARCHAROID) || ARR_NDIM(array) > 1)
		wrong_inputs(predictor, -1);
	deconstruct_array(array, type, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	if (n != predictor->project->ninputs)
		wrong_inputs(predictor, n);
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
		{
			Input	   *next = palloc(sizeof(Input));

			input->next = next;
			input = next;
		}
		if (nulls[i])
			*input = (Input) {.missing = true};
		else
			*input = input_argument(argument_kind(predictor, i), elements[i]);
	}
	return first;
}

Input
array_argument(const Predictor *predictor, FunctionCallInfo fcinfo)
{
	ArrayType  *array;

	if (predictor->project->ninputs > 1 && !PG_ARGISNULL(1))
		return inputs_argument(predictor, PG_GETARG_ARRAYTYPE_P(1));
	if (predictor->project->ninputs == 1 && argument_kind(predictor, 0) == INPUT_TEXT)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the input of project \"%s\" is text, not a vector",
						predictor->project_name)));
	if (PG_ARGISNULL(1))
		return (Input) {.missing = true};
	array = PG_GETARG_ARRAYTYPE_P(1);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a vector must be an array of one dimension, not %d", ARR_NDIM(array))));
	if (!is_number(ARR_ELEMTYPE(array)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("an array of %s is not a vector", format_type_be(ARR_ELEMTYPE(array))),
				 errhint("Cast it to real[].")));
	return input_from_array(PointerGetDatum(array));
}
