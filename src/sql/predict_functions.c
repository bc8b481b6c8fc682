/*-------------------------------------------------------------------------
 *
 * predict_functions.c
 *	  hl_predict of one input, hl_probabilities, hl_uncertainty, hl_embed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "learn/metrics.h"
#include "sql/api.h"
#include "sql/measured.h"
#include "sql/predict.h"
#include "store/caller.h"
#include "store/handover.h"
#include "store/named_encoder.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_predict_text);
PG_FUNCTION_INFO_V1(hl_predict_array);
PG_FUNCTION_INFO_V1(hl_probabilities_text);
PG_FUNCTION_INFO_V1(hl_probabilities_array);
PG_FUNCTION_INFO_V1(hl_uncertainty_text);
PG_FUNCTION_INFO_V1(hl_uncertainty_array);
PG_FUNCTION_INFO_V1(hl_prediction_set_text);
PG_FUNCTION_INFO_V1(hl_prediction_set_array);
PG_FUNCTION_INFO_V1(hl_embed);
PG_FUNCTION_INFO_V1(hl_embed_array);

typedef Input (*ArgumentReader) (const Predictor *predictor, FunctionCallInfo fcinfo);

/* Result row in the caller's context; the type is looked up once. */
static Datum
result_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	Call		call = {CurrentMemoryContext};

	return call_row(&call, fcinfo, values, nulls);
}

static Datum
predict(FunctionCallInfo fcinfo, ArgumentReader read_argument)
{
	Predictor  *predictor = predictor_get(fcinfo);
	Input		input = read_argument(predictor, fcinfo);
	Score		score;
	bool		automatic;
	Datum		values[7];
	bool		nulls[7] = {false};

	predictor_add(predictor, &input);
	predictor_decide(predictor, &score, &automatic);
	nulls[0] = nulls[1] = score.label < 0;
	values[0] = nulls[0] ? (Datum) 0 :
		CStringGetTextDatum(predictor->serving.classes[score.label]);
	values[1] = Float8GetDatum(score.confidence);
	values[2] = Float8GetDatum(score.epistemic);
	values[3] = Float8GetDatum(score.aleatoric);
	values[4] = decision_datum(predictor, automatic, &nulls[4]);
	values[5] = Int32GetDatum(predictor->serving.model);
	values[6] = Int32GetDatum(predictor->serving.revision);
	return result_row(fcinfo, values, nulls);
}

Datum
hl_predict_text(PG_FUNCTION_ARGS)
{
	return predict(fcinfo, text_argument);
}

Datum
hl_predict_array(PG_FUNCTION_ARGS)
{
	return predict(fcinfo, array_argument);
}

static Datum
uncertainty(FunctionCallInfo fcinfo, ArgumentReader read_argument)
{
	Predictor  *predictor = predictor_get(fcinfo);
	Input		input = read_argument(predictor, fcinfo);
	Score		score;
	Datum		values[3];
	bool		nulls[3] = {false};

	predictor_add(predictor, &input);
	predictor_score(predictor, &score, NULL);
	/* in double, so that the sum holds to the last digit */
	values[0] = Float8GetDatum((double) score.aleatoric + (double) score.epistemic);
	values[1] = Float8GetDatum(score.aleatoric);
	values[2] = Float8GetDatum(score.epistemic);
	return result_row(fcinfo, values, nulls);
}

Datum
hl_uncertainty_text(PG_FUNCTION_ARGS)
{
	return uncertainty(fcinfo, text_argument);
}

Datum
hl_uncertainty_array(PG_FUNCTION_ARGS)
{
	return uncertainty(fcinfo, array_argument);
}

typedef struct ClassProbability
{
	float		probability;
	const char *label;
} ClassProbability;

static int
most_likely_first(const void *a, const void *b)
{
	const ClassProbability *left = a;
	const ClassProbability *right = b;

	if (left->probability != right->probability)
		return left->probability > right->probability ? -1 : 1;
	return strcmp(left->label, right->label);
}

/* Those that there are now, most probable first; returns how many. */
static int
sort_classes(const Serving *serving, const float *probability, ClassProbability **classes)
{
	int			n = 0;

	*classes = palloc_array_checked(ClassProbability, serving->nclasses);
	for (int k = 0; k < serving->nclasses; k++)
	{
		if (serving->same != NULL && serving->same[k] != k)
			continue;
		(*classes)[n].probability = probability[k];
		(*classes)[n++].label = serving->classes[k];
	}
	qsort(*classes, n, sizeof(ClassProbability), most_likely_first);
	return n;
}

static Datum
probabilities(FunctionCallInfo fcinfo, ArgumentReader read_argument)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Predictor  *predictor = predictor_get(fcinfo);
	Input		input = read_argument(predictor, fcinfo);
	const Serving *serving = &predictor->serving;
	float	   *probability = palloc_array_checked(float, serving->nclasses);
	ClassProbability *classes;
	Score		score;
	int			n;

	predictor_add(predictor, &input);
	predictor_score(predictor, &score, probability);
	n = sort_classes(serving, probability, &classes);
	for (int k = 0; k < n; k++)
	{
		Datum		values[2];
		bool		nulls[2] = {false};

		values[0] = CStringGetTextDatum(classes[k].label);
		values[1] = Float8GetDatum(classes[k].probability);
		set_add(set, values, nulls);
	}
	return (Datum) 0;
}

Datum
hl_probabilities_text(PG_FUNCTION_ARGS)
{
	return probabilities(fcinfo, text_argument);
}

Datum
hl_probabilities_array(PG_FUNCTION_ARGS)
{
	return probabilities(fcinfo, array_argument);
}

/* ---------------------------------------------------------------------- */
/* Sets of labels */

static double
coverage_argument(FunctionCallInfo fcinfo)
{
	double		coverage = PG_ARGISNULL(2) ? 0.0 : PG_GETARG_FLOAT8(2);

	if (!(coverage > 0.0 && coverage < 1.0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"coverage\" must be between 0 and 1"),
				 errhint("0.9 gives sets that have the true label in nine of ten rows.")));
	return coverage;
}

/* The limit for the predictor's model, which holds for the whole statement. */
static const SetLimit *
limit_of(Predictor *predictor, double coverage)
{
	if (predictor->coverage != coverage)
	{
		MemoryContext before = CurrentMemoryContext;
		Call		call;

		call_begin(&call);
		set_limit_read(predictor->project, &predictor->serving, coverage, true, predictor->context,
					   &predictor->limit);
		call_end(&call);
		MemoryContextSwitchTo(before);
		predictor->coverage = coverage;
	}
	return &predictor->limit;
}

/* What the column estimate says of it. */
static const char *
estimate_of(const SetLimit *limit)
{
	if (limit->audited)
		return estimates[AUDIT];
	return limit->held_out ? "held out" : estimates[CROSS_VALIDATION];
}

/*
 * The labels that are not too improbable to be it, by the model whose losses are
 * known: no revision is such a one.  All classes for a row that says nothing, of
 * which nothing is known.
 */
static Datum
prediction_set(FunctionCallInfo fcinfo, ArgumentReader read_argument)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Predictor  *predictor = predictor_get(fcinfo);
	Input		input = read_argument(predictor, fcinfo);
	const SetLimit *limit = limit_of(predictor, coverage_argument(fcinfo));
	float	   *probability = palloc_array_checked(float, predictor->serving.nclasses);
	ClassProbability *classes;
	Score		score;
	bool		blank;
	int			n;

	predictor_add(predictor, &input);
	predictor_score_sets(predictor, &score, probability, &blank);
	n = sort_classes(&predictor->serving, probability, &classes);
	for (int k = 0; k < n; k++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};

		if (!blank && probability_loss(classes[k].probability) > limit->limit)
			break;
		values[0] = CStringGetTextDatum(classes[k].label);
		values[1] = Float8GetDatum(classes[k].probability);
		values[2] = CStringGetTextDatum(estimate_of(limit));
		set_add(set, values, nulls);
	}
	return (Datum) 0;
}

Datum
hl_prediction_set_text(PG_FUNCTION_ARGS)
{
	return prediction_set(fcinfo, text_argument);
}

Datum
hl_prediction_set_array(PG_FUNCTION_ARGS)
{
	return prediction_set(fcinfo, array_argument);
}

/* ---------------------------------------------------------------------- */
/* Vectors */

static Datum
embed(FunctionCallInfo fcinfo, ArgumentReader read_argument)
{
	Predictor  *predictor = predictor_get(fcinfo);
	Input		input = read_argument(predictor, fcinfo);

	if (input_missing(&input))
		PG_RETURN_NULL();
	predictor_add(predictor, &input);
	rows_reset(&predictor->rows);
	return float_array(predictor->rows.encoding.dense, encoder_dims(predictor->serving.encoder));
}

/* By an imported encoder that the caller may use. */
static Datum
embed_named(const char *name, Datum text)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop embedding",
												  ALLOCSET_DEFAULT_SIZES);
	Caller		caller = caller_in(context);
	Input		input = input_from_text(text);
	NamedEncoder named;
	const Encoder *encoder;
	Encoding	encoding;
	Status		status;
	Datum		vector;
	Call		call;

	call_begin(&call);
	blas_load();
	named_encoder_use(name, &named);
	encoder = encoder_open(named.id, true, context);
	status_check(encoding_init(&caller, encoder, &encoding), "encode the text");
	status = encode_input(encoder, &input, &encoding);
	if (status == STATUS_NOT_FINITE)
		text_not_finite();
	status_check(status, "encode the text");
	call_end(&call);
	vector = float_array(encoding.dense, encoder_dims(encoder));
	MemoryContextDelete(context);
	return vector;
}

/*
 * Is it the name of an encoder?  A project of that name goes before, if the caller has
 * to do with it: else anybody could take an encoder's name away.
 */
static bool
names_encoder(FunctionCallInfo fcinfo, const char *name)
{
	const Predictor *predictor = fcinfo->flinfo->fn_extra;
	NamedEncoder named;
	bool		encoder;
	Call		call;

	if (predictor != NULL && strcmp(predictor->project_name, name) == 0)
		return false;
	call_begin(&call);
	encoder = named_encoder_read(name, true, &named) &&
		named_encoder_usable(&named, GetUserId()) && !project_is_visible(name);
	call_end(&call);
	return encoder;
}

Datum
hl_embed(PG_FUNCTION_ARGS)
{
	char	   *name = required_text(fcinfo, 0, "project");

	if (!names_encoder(fcinfo, name))
		return embed(fcinfo, text_argument);
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	return embed_named(name, PG_GETARG_DATUM(1));
}

Datum
hl_embed_array(PG_FUNCTION_ARGS)
{
	char	   *name = required_text(fcinfo, 0, "project");

	if (names_encoder(fcinfo, name))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the input of encoder \"%s\" is a text, not an array", name)));
	return embed(fcinfo, array_argument);
}
