/*-------------------------------------------------------------------------
 *
 * simulate_functions.c
 *	  How good would it have been: hl_simulate, hl_labels_needed.
 *
 * A simulation reads a relation, computes and returns; it knows of no project
 * and writes nothing.  Whoever may SELECT from the relation may do that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "learn/simulate.h"
#include "sql/api.h"
#include "sql/simulation.h"
#include "store/encoder_plan.h"
#include "store/caller.h"
#include "store/replay.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_simulate);
PG_FUNCTION_INFO_V1(hl_simulate_inputs);
PG_FUNCTION_INFO_V1(hl_labels_needed);

#define NOTICE_MS 5000
#define ROWS_DEFAULT 20000
#define ROWS_MAX 1000000
#define RUNS_MAX 10000

/* ---------------------------------------------------------------------- */
/* Arguments */

static int
count_argument(FunctionCallInfo fcinfo, int n, const char *name, int least, int most)
{
	int			value;

	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be NULL", name)));
	value = PG_GETARG_INT32(n);
	if (value < least || value > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is %d", name, value),
				 errhint("Give a number between %d and %d.", least, most)));
	return value;
}

static Acquisition *
strategies_argument(FunctionCallInfo fcinfo, int n, int *count)
{
	char	  **names;
	Acquisition *strategies;

	*count = 0;
	names = PG_ARGISNULL(n) ? NULL : array_strings(PG_GETARG_DATUM(n), count);
	if (*count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no strategy to simulate"),
				 errhint("Name some, such as strategies => '{epig,random}'.")));
	strategies = palloc_array_checked(Acquisition, *count);
	for (int i = 0; i < *count; i++)
	{
		if (names[i] == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a strategy must not be NULL")));
		strategies[i] = acquisition_from_name(names[i]);
		for (int j = 0; j < i; j++)
		{
			if (strategies[j] == strategies[i])
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("strategy \"%s\" is listed twice", names[i])));
		}
	}
	return strategies;
}

/* What of a project's options means something here. */
static const char *const project_options[] = {
	"dimensions", "vocabulary", "sample_rows", "folds", "prior_precision", "refine", "shares"
};

typedef struct Options
{
	ProjectOptions project;
	SeedBatch	seeds;
	int			rows;
} Options;

static bool
is_project_option(const char *name)
{
	for (int i = 0; i < (int) lengthof(project_options); i++)
	{
		if (strcmp(project_options[i], name) == 0)
			return true;
	}
	return false;
}

static SeedBatch
seeds_option(const JsonbValue *value)
{
	char	   *name = value->type != jbvString ? pstrdup("") :
		pnstrdup(value->val.string.val, value->val.string.len);

	if (strcmp(name, "random") == 0)
		return SEED_RANDOM;
	if (strcmp(name, "typical") == 0)
		return SEED_TYPICAL;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"seeds\""),
			 errhint("Give \"random\" or \"typical\".")));
}

static int
rows_option(const JsonbValue *value)
{
	double		rows = value->type != jbvNumeric ? NAN :
		DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
										   NumericGetDatum(value->val.numeric)));

	if (!(rows >= 2 && rows <= ROWS_MAX) || rows != floor(rows))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"rows\""),
				 errhint("Give a whole number between 2 and %d.", ROWS_MAX)));
	return (int) rows;
}

static void
own_option(Options *options, const char *name, const JsonbValue *value)
{
	StringInfoData list;

	if (strcmp(name, "seeds") == 0 || strcmp(name, "rows") == 0)
	{
		if (value->type == jbvNull)
			return;				/* the default */
		if (name[0] == 's')
			options->seeds = seeds_option(value);
		else
			options->rows = rows_option(value);
		return;
	}
	initStringInfo(&list);
	for (int i = 0; i < (int) lengthof(project_options); i++)
		appendStringInfo(&list, "\"%s\", ", project_options[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized option \"%s\"", name),
			 errhint("Options of a simulation are %s\"seeds\" and \"rows\".", list.data)));
}

/* Those of a project are read as a project's, with its rules and errors. */
static void
options_argument(FunctionCallInfo fcinfo, int n, Options *options)
{
	Jsonb	   *json = PG_ARGISNULL(n) ? NULL : PG_GETARG_JSONB_P(n);
	JsonbParseState *state = NULL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	options->seeds = SEED_RANDOM;
	options->rows = ROWS_DEFAULT;
	if (json == NULL || !JB_ROOT_IS_OBJECT(json))
	{
		project_options_parse(json, &options->project);
		return;
	}
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	iterator = JsonbIteratorInit(&json->root);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_END_OBJECT)
	{
		if (token == WJB_KEY)
		{
			name = pnstrdup(value.val.string.val, value.val.string.len);
			if (is_project_option(name))
				(void) pushJsonbValue(&state, WJB_KEY, &value);
		}
		else if (is_project_option(name))
			(void) pushJsonbValue(&state, WJB_VALUE, &value);
		else
			own_option(options, name, &value);
	}
	project_options_parse(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)),
						  &options->project);
}

/* ---------------------------------------------------------------------- */
/* hl_simulate */

typedef struct Replays
{
	ReturnSetInfo *set;
	const Replay *replay;
	MemoryContext context;		/* of a run */
	SimulateOptions options;
	bool		drawn;			/* the test rows, anew for each run */
	uint64		seed;			/* of all runs */
	int			strategies;
	int			runs;
	int			done;			/* runs, of all strategies */
	TimestampTz told;
} Replays;

static void
add_round(Replays *replays, int run, const SimulatedRound *round)
{
	Datum		values[5] = {
		CStringGetTextDatum(acquisition_name(replays->options.acquisition)),
		Int32GetDatum(run + 1), Int32GetDatum(round->labels), Float8GetDatum(round->accuracy),
		Int32GetDatum(round->classes)
	};
	bool		nulls[5] = {false};

	set_add(replays->set, values, nulls);
}

static void
tell_progress(Replays *replays, int run, const SimulatedRound *round)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!TimestampDifferenceExceeds(replays->told, now, NOTICE_MS))
		return;
	replays->told = now;
	ereport(NOTICE,
			(errmsg("hl_simulate: %d of %d runs, %s run %d of %d: accuracy %.2f with %d labels",
					replays->done, replays->strategies * replays->runs,
					acquisition_name(replays->options.acquisition), run + 1, replays->runs,
					round->accuracy, round->labels)));
}

/* One run of one strategy; memory in the context of a run. */
static void
simulate(Replays *replays, int run)
{
	MemoryContext before = MemoryContextSwitchTo(replays->context);
	Caller		caller = caller_in(replays->context);
	const Replay *replay = replays->replay;
	SimulateData data = {replay->rows, replay->label, replay->test, replay->classes};
	SimulateOptions options = replays->options;
	Simulation *simulation;
	SimulatedRound round;
	bool		more;

	/* strategies with the same seed are paired */
	options.random_seed = options.train.seed = simulation_run_seed(replays->seed, run);
	if (replays->drawn)
		status_check(simulation_hold_out(&caller, replay->rows->n, options.random_seed,
										 replay->test), "simulate");
	status_check(simulation_start(&caller, &data, &options, &simulation), "simulate");
	for (;;)
	{
		status_check(simulation_round(simulation, &round, &more), "simulate");
		if (!more)
			break;
		if (round.labels == 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("there is no row to ask about"),
					 errhint("Rows that say nothing, such as texts without words in common with others, are not asked.")));
		add_round(replays, run, &round);
		tell_progress(replays, run, &round);
	}
	MemoryContextSwitchTo(before);
	MemoryContextReset(replays->context);
	replays->done++;
}

/* A model tells classes apart, and accuracy is a share of test rows. */
static void
check_replay(const Replay *replay, const char *split)
{
	int			n = replay->rows->n;
	int			test = 0;

	if (n < 2 || replay->classes < 2)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there are %d labelled rows of %d classes", n, replay->classes),
				 errhint("A simulation needs at least two of each.")));
	for (int i = 0; i < n; i++)
		test += replay->test[i];
	if (split != NULL && (test == 0 || test == n))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no labelled row has the value '%s' in \"%s\"",
						test == 0 ? "test" : "train", split),
				 errhint("Leave the argument \"split\" out to hold out one row in five at random.")));
}

static void
check_memory(const Replays *replays)
{
	const Replay *replay = replays->replay;
	const Rows *rows = replay->rows;

	memory_check(replay->bytes + simulation_memory(rows->n, rows->dims, rows->parts, replay->terms,
												   rows->sparse_dims, replay->classes,
												   &replays->options), "simulate");
}

/* project has its inputs' names; all other arguments are those of both functions. */
static Datum
simulate_strategies(FunctionCallInfo fcinfo, Project *project)
{
	Replays		replays = {.set = set_begin(fcinfo)};
	ReplaySource source = {.project = project};
	Acquisition *strategies;
	Options		options;
	Replay	   *replay;
	float		share[MODEL_MAX_PARTS];
	Call		call;

	call_begin(&call);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"source\" must not be NULL")));
	source.relation = PG_GETARG_OID(0);
	source.label = required_text(fcinfo, 2, "label");
	strategies = strategies_argument(fcinfo, 3, &replays.strategies);
	replays.options.seed = count_argument(fcinfo, 4, "seed", 1, 100000);
	replays.options.batch = count_argument(fcinfo, 5, "batch", 1, 1000);
	replays.options.rounds = count_argument(fcinfo, 6, "rounds", 0, 10000);
	replays.runs = count_argument(fcinfo, 7, "runs", 1, RUNS_MAX);
	source.split = optional_text(fcinfo, 8);
	project->encoder = required_text(fcinfo, 9, "encoder");
	if (PG_ARGISNULL(10))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"random_seed\" must not be NULL")));
	replays.seed = source.seed = (uint64) PG_GETARG_INT64(10);
	options_argument(fcinfo, 11, &options);
	project->options = options.project;
	source.rows = options.rows;
	replays.told = GetCurrentTimestamp();
	replays.replay = replay = replay_read(&source);
	check_replay(replay, source.split);
	replays.drawn = source.split == NULL;
	replays.options.seed_batch = options.seeds;
	replays.options.train = (TrainOptions)
	{
		.folds = options.project.folds, .refine = options.project.refine,
			.prior_precision = options.project.prior_precision
	};
	if (project->options.nshares > 0 &&
		encoder_plan_shares(encoder_plan(project, encoder_base(project)), share))
		replays.options.train.share = share;
	replays.context = AllocSetContextCreate(CurrentMemoryContext, "humanloop simulation",
											ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < replays.strategies; i++)
	{
		replays.options.acquisition = strategies[i];
		check_memory(&replays);
	}
	for (int i = 0; i < replays.strategies; i++)
	{
		replays.options.acquisition = strategies[i];
		for (int run = 0; run < replays.runs; run++)
			simulate(&replays, run);
	}
	call_end(&call);
	return (Datum) 0;
}

Datum
hl_simulate(PG_FUNCTION_ARGS)
{
	Project		project = {.ninputs = 1};

	project.inputs[0].column = required_text(fcinfo, 1, "input");
	return simulate_strategies(fcinfo, &project);
}

Datum
hl_simulate_inputs(PG_FUNCTION_ARGS)
{
	Project		project = {0};

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"input\" must not be NULL")));
	inputs_name(&project, PG_GETARG_DATUM(1));
	return simulate_strategies(fcinfo, &project);
}

/* ---------------------------------------------------------------------- */
/* hl_labels_needed */

static int
strategy_index(Points *points, const char *name)
{
	for (int i = 0; i < points->strategies; i++)
	{
		if (strcmp(points->strategy[i], name) == 0)
			return i;
	}
	points->strategy[points->strategies] = pstrdup(name);
	return points->strategies++;
}

static void
incomplete_point(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"simulation\" contains a row that is none of hl_simulate"),
			 errhint("Give ARRAY(SELECT s FROM hl_simulate(...) s).")));
}

/* By name: a later version may add attributes. */
static void
read_point(Points *points, HeapTupleHeader row)
{
	SimulatedPoint *point = &points->point[points->n++];
	bool		nulls[4];
	Datum		strategy = GetAttributeByName(row, "strategy", &nulls[0]);
	Datum		run = GetAttributeByName(row, "run", &nulls[1]);
	Datum		labels = GetAttributeByName(row, "labels", &nulls[2]);
	Datum		accuracy = GetAttributeByName(row, "accuracy", &nulls[3]);

	if (nulls[0] || nulls[1] || nulls[2] || nulls[3] || DatumGetInt32(labels) < 1 ||
		!isfinite(DatumGetFloat8(accuracy)))
		incomplete_point();
	point->strategy = strategy_index(points, TextDatumGetCString(strategy));
	point->run = DatumGetInt32(run);
	point->labels = DatumGetInt32(labels);
	point->accuracy = DatumGetFloat8(accuracy);
}

void
points_read(Points *points, ArrayType *array)
{
	Datum	   *rows;
	bool	   *nulls;
	int			n;
	int16		length;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &rows, &nulls, &n);
	points->point = palloc_array_checked(SimulatedPoint, n);
	points->strategy = palloc_array_checked(char *, n);
	for (int i = 0; i < n; i++)
	{
		interrupts_check();
		if (nulls[i])
			incomplete_point();
		read_point(points, DatumGetHeapTupleHeader(rows[i]));
	}
}

static void
add_needed(ReturnSetInfo *set, const char *strategy, const LabelsNeeded *needed)
{
	double		numbers[6] = {
		needed->labels, needed->low, needed->high,
		needed->saving, needed->saving_low, needed->saving_high
	};
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = CStringGetTextDatum(strategy);
	for (int i = 0; i < 6; i++)
	{
		nulls[i + 1] = isnan(numbers[i]);
		values[i + 1] = Float8GetDatum(numbers[i]);
	}
	values[7] = Int32GetDatum(needed->runs);
	set_add(set, values, nulls);
}

Datum
hl_labels_needed(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Caller		caller = caller_in(CurrentMemoryContext);
	Points		points = {0};
	LabelsNeeded *needed;
	double		accuracy;
	int			baseline = -1;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be NULL",
						PG_ARGISNULL(0) ? "simulation" : "accuracy")));
	accuracy = PG_GETARG_FLOAT8(1);
	if (!(accuracy > 0 && accuracy <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"accuracy\" is %.15g", accuracy),
				 errhint("Give the share of rows that shall be right, such as 0.8.")));
	points_read(&points, PG_GETARG_ARRAYTYPE_P(0));
	for (int i = 0; i < points.strategies; i++)
	{
		if (strcmp(points.strategy[i], acquisition_name(ACQUIRE_RANDOM)) == 0)
			baseline = i;
	}
	needed = palloc_array_checked(LabelsNeeded, points.strategies);
	status_check(labels_needed(&caller, points.point, points.n, points.strategies, baseline,
							   accuracy, needed), "compare the strategies");
	for (int i = 0; i < points.strategies; i++)
		add_needed(set, points.strategy[i], &needed[i]);
	return (Datum) 0;
}
