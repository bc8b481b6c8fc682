/*-------------------------------------------------------------------------
 *
 * forecast_functions.c
 *	  What more labels would bring: hl_forecast, hl_stop.
 *
 * The learning curve is fitted to what was measured of the project's models:
 * on the audit's sample where there is enough of it, else by cross-validation,
 * never to a mixture, and every row says which.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "learn/forecast.h"
#include "sql/api.h"
#include "store/caller.h"
#include "store/project.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_forecast);
PG_FUNCTION_INFO_V1(hl_stop);

/* Items of the audit that say enough of the last model, and of any. */
#define AUDIT_LAST 50
#define AUDIT_LEAST 10

#define GAIN_LABELS 100			/* per which a gain is told */
#define AGREEMENT_THRESHOLD 0.99	/* Bloodgood and Vijay-Shanker 2009 */
#define GROWTH 0.1				/* of the labels, that a stable model has seen */

/* A model of the project, in order of labels. */
typedef struct Trained
{
	int			number;
	int			labels;
	int			audited;
	double		audit_accuracy;
	double		accuracy;
} Trained;

typedef struct Curve
{
	bool		audit;			/* what was measured how */
	int			models;
	int			n;				/* items that the last one was measured on */
	int			labels;			/* that the last one has learned from */
	Forecast   *forecast;		/* NULL: models are too few */
} Curve;

/*
 * Of models with the same number of labels the last; none from before a change
 * of classes other than by name: that was another problem.  Nor one of rules
 * alone, which was not measured.
 */
static Trained *
read_trained(const Project *project, int *n, int *classes)
{
	static Statement select = {
		"SELECT DISTINCT ON (labels) labels, audited, audit_accuracy, accuracy, "
		"pg_catalog.cardinality(classes), model FROM @hl_model "
		"WHERE project_id = $1 AND accuracy IS NOT NULL "
		"AND (class_names IS NULL OR pg_catalog.cardinality(class_names) = "
		"(SELECT pg_catalog.count(DISTINCT c) FROM pg_catalog.unnest(class_names) c WHERE c <> '')) "
		"ORDER BY labels, model DESC", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	Trained    *trained;

	statement_run_as_extension(&select, values, NULL, true);
	*n = (int) SPI_processed;
	*classes = 2;
	trained = palloc_array_checked(Trained, *n);
	for (int i = 0; i < *n; i++)
	{
		trained[i].number = result_int(i, 6);
		trained[i].labels = result_int(i, 1);
		trained[i].audited = result_int(i, 2);
		trained[i].audit_accuracy = result_double(i, 3);
		trained[i].accuracy = result_double(i, 4);
		*classes = Max(result_int(i, 5), 2);
	}
	return trained;
}

/* Not the one with the most labels: some may have been taken back since. */
static const Trained *
last_trained(const Trained *trained, int n)
{
	const Trained *last = &trained[0];

	for (int i = 1; i < n; i++)
	{
		if (trained[i].number > last->number)
			last = &trained[i];
	}
	return last;
}

static int
count_audited(const Trained *trained, int n)
{
	int			count = 0;

	for (int i = 0; i < n; i++)
		count += trained[i].audited >= AUDIT_LEAST;
	return count;
}

static void
curve_fit(const Project *project, Curve *curve)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	int			n;
	int			classes;
	Trained    *trained = read_trained(project, &n, &classes);
	const Trained *last;
	ForecastPoint *points = palloc_array_checked(ForecastPoint, n);

	memset(curve, 0, sizeof(*curve));
	if (n == 0)
		return;
	last = last_trained(trained, n);
	curve->labels = last->labels;
	curve->audit = last->audited >= AUDIT_LAST && count_audited(trained, n) >= 2;
	curve->n = curve->audit ? last->audited : last->labels;
	for (int i = 0; i < n; i++)
	{
		const Trained *model = &trained[i];
		int			measured = curve->audit ? model->audited : model->labels;

		if (curve->audit && model->audited < AUDIT_LEAST)
			continue;
		points[curve->models++] = (ForecastPoint)
		{
			.labels = model->labels, .n = measured,
				.hits = rint(measured * (curve->audit ? model->audit_accuracy : model->accuracy))
		};
	}
	if (curve->models >= 2)
		status_check(forecast_fit(&caller, points, curve->models, 1.0 / classes, &curve->forecast),
					 "fit the learning curve");
}

static const char *
estimate_of(const Curve *curve)
{
	return curve->audit ? "audit" : "cross-validation";
}

/* ---------------------------------------------------------------------- */
/* hl_forecast */

/* what is common to all rows, and NULL what is not set */
static void
row_begin(const Curve *curve, const char *what, Datum *values, bool *nulls)
{
	memset(nulls, true, sizeof(bool) * 11);
	values[0] = CStringGetTextDatum(what);
	values[8] = CStringGetTextDatum(estimate_of(curve));
	values[9] = Int32GetDatum(curve->n);
	values[10] = Int32GetDatum(curve->models);
	nulls[0] = nulls[8] = nulls[9] = nulls[10] = false;
}

static void
set_number(Datum *values, bool *nulls, int column, double number)
{
	nulls[column] = !isfinite(number);
	values[column] = nulls[column] ? (Datum) 0 : Int64GetDatum((int64) number);
}

static void
add_point(ReturnSetInfo *set, const Curve *curve, int64 more)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	Datum		values[11];
	bool		nulls[11];
	ForecastRange range;

	status_check(forecast_accuracy(&caller, curve->forecast, curve->labels + more, &range),
				 "forecast the accuracy");
	row_begin(curve, "curve", values, nulls);
	set_number(values, nulls, 1, curve->labels + more);
	set_number(values, nulls, 2, more);
	values[5] = Float8GetDatum(range.middle);
	values[6] = Float8GetDatum(range.low);
	values[7] = Float8GetDatum(range.high);
	nulls[5] = nulls[6] = nulls[7] = false;
	set_add(set, values, nulls);
}

static double
lacking(const Curve *curve, double labels)
{
	return Max(ceil(labels) - curve->labels, 0.0);
}

static void
add_target(ReturnSetInfo *set, const Curve *curve, double accuracy)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	Datum		values[11];
	bool		nulls[11];
	ForecastRange range;

	status_check(forecast_needed(&caller, curve->forecast, accuracy, &range),
				 "forecast the labels needed");
	row_begin(curve, "target", values, nulls);
	set_number(values, nulls, 1, curve->labels + lacking(curve, range.middle));
	set_number(values, nulls, 2, lacking(curve, range.middle));
	set_number(values, nulls, 3, lacking(curve, range.low));
	set_number(values, nulls, 4, lacking(curve, range.high));
	values[5] = Float8GetDatum(accuracy);
	nulls[5] = false;
	set_add(set, values, nulls);
}

/* Each number once, in order. */
static void
add_curve(ReturnSetInfo *set, const Curve *curve)
{
	int64		labels = curve->labels;
	int64		more[5] = {0, 100, labels / 2, labels, 2 * labels};

	for (int i = 1; i < 5; i++)
		for (int j = i; j > 0 && more[j - 1] > more[j]; j--)
		{
			int64		other = more[j];

			more[j] = more[j - 1];
			more[j - 1] = other;
		}
	for (int i = 0; i < 5; i++)
		if (i == 0 || more[i] != more[i - 1])
			add_point(set, curve, more[i]);
}

Datum
hl_forecast(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Curve		curve;
	double		accuracy = PG_ARGISNULL(1) ? NAN : PG_GETARG_FLOAT8(1);
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	if (!PG_ARGISNULL(1) && !(accuracy > 0 && accuracy <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"accuracy\" is %.15g", accuracy),
				 errhint("Give the share of rows that shall be right, such as 0.8.")));
	curve_fit(project, &curve);
	if (curve.forecast == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("project \"%s\" has no learning curve yet", project->name),
				 errdetail("It takes two models with different numbers of labels; there are %d.",
						   curve.models),
				 errhint("Label more items and call hl_train('%s').", project->name)));
	add_curve(set, &curve);
	if (!PG_ARGISNULL(1))
		add_target(set, &curve, accuracy);
	call_end(&call);
	return (Datum) 0;
}

/* ---------------------------------------------------------------------- */
/* hl_stop */

typedef struct Criterion
{
	const char *name;
	double		value;			/* NAN: not known */
	double		threshold;
	bool		met;
	char	   *explanation;
} Criterion;

static void
add_criterion(ReturnSetInfo *set, const Criterion *criterion)
{
	Datum		values[5] = {
		CStringGetTextDatum(criterion->name), Float8GetDatum(criterion->value),
		Float8GetDatum(criterion->threshold), BoolGetDatum(criterion->met),
		CStringGetTextDatum(criterion->explanation)
	};
	bool		nulls[5] = {false, isnan(criterion->value), isnan(criterion->threshold), false, false};

	set_add(set, values, nulls);
}

static void
judge_gain(const Curve *curve, Criterion *criterion)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	ForecastRange range;

	criterion->value = NAN;
	if (curve->forecast == NULL)
	{
		criterion->explanation = psprintf("there is no learning curve yet: it takes two models with different numbers of labels, and there are %d",
										  curve->models);
		return;
	}
	status_check(forecast_gain(&caller, curve->forecast, curve->labels,
							   curve->labels + GAIN_LABELS, &range), "forecast the gain");
	criterion->value = range.middle;
	criterion->met = range.middle < criterion->threshold;
	criterion->explanation = psprintf("%d more labels would add %.1f points of accuracy (95 %% interval %.1f to %.1f), by the learning curve of %d models (%s)",
									  GAIN_LABELS, 100 * range.middle, 100 * range.low,
									  100 * range.high, curve->models, estimate_of(curve));
}

/*
 * The least agreement of the models that the last tenth of the labels has come
 * with: models that have learned the same agree, and that says nothing.
 */
static void
judge_stability(const Project *project, Criterion *criterion)
{
	static Statement select = {
		"SELECT labels, agreement FROM @hl_model WHERE project_id = $1 AND deployed ORDER BY model DESC",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	int			labels;
	int			grown = 0;
	int			compared = 0;
	double		least = 1.0;

	criterion->value = NAN;
	statement_run_as_extension(&select, values, NULL, true);
	labels = SPI_processed == 0 ? 0 : result_int(0, 1);
	for (uint64 i = 0; i + 1 < SPI_processed && grown < GROWTH * labels; i++)
	{
		if (result_is_null(i, 2))
			break;
		least = Min(least, result_double(i, 2));
		grown = labels - result_int(i + 1, 1);
		compared++;
	}
	if (compared == 0)
		criterion->explanation = pstrdup("there are no two models yet whose predictions could be compared");
	else if (grown < GROWTH * labels)
		criterion->explanation = psprintf("the models that could be compared differ by %d labels of %d only, less than a tenth",
										  Max(grown, 0), labels);
	else
	{
		criterion->value = least;
		criterion->met = least >= criterion->threshold;
		criterion->explanation = psprintf("with the last %d labels of %d, the predictions of each model and the one before agreed with a kappa of at least %.3f",
										  grown, labels, least);
	}
}

Datum
hl_stop(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Curve		curve;
	Criterion	gain = {.name = "gain"};
	Criterion	stability = {.name = "stability", .threshold = AGREEMENT_THRESHOLD};
	Criterion	stop = {.name = "stop", .value = NAN, .threshold = NAN};
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"gain\" must not be NULL")));
	gain.threshold = PG_GETARG_FLOAT8(1);
	if (!(gain.threshold > 0 && gain.threshold <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"gain\" is %.15g", gain.threshold),
				 errhint("Give the share of rows, such as 0.01, that a hundred more labels must add.")));
	curve_fit(project, &curve);
	judge_gain(&curve, &gain);
	judge_stability(project, &stability);
	stop.met = gain.met && stability.met;
	stop.explanation = pstrdup(stop.met ? "all criteria are met: more labels will hardly change anything" :
							   gain.met || stability.met ? "one criterion is not met" :
							   "no criterion is met");
	add_criterion(set, &gain);
	add_criterion(set, &stability);
	add_criterion(set, &stop);
	call_end(&call);
	return (Datum) 0;
}
