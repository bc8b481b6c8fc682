/*-------------------------------------------------------------------------
 *
 * rule_functions.c
 *	  hl_add_rule and what else there is to do with rules.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "learn/metrics.h"
#include "sql/api.h"
#include "store/refresh.h"
#include "store/rule_figures.h"
#include "store/rule_model.h"
#include "store/session.h"
#include "store/source.h"

PG_FUNCTION_INFO_V1(hl_add_rule);
PG_FUNCTION_INFO_V1(hl_drop_rule);
PG_FUNCTION_INFO_V1(hl_enable_rule);
PG_FUNCTION_INFO_V1(hl_disable_rule);
PG_FUNCTION_INFO_V1(hl_rules);
PG_FUNCTION_INFO_V1(hl_rule_votes);

/* A project whose rules are to be changed: by its owner, and nobody else. */
static Project *
open_for_rules(FunctionCallInfo fcinfo)
{
	Project    *project = project_open_for_write(required_text(fcinfo, 0, "project"),
												 PRIVILEGE_ANY);

	project_need_source(project);
	project_need_idle(project);
	condition_need_owner(project);
	project_lock(project);
	return project;
}

Datum
hl_add_rule(PG_FUNCTION_ARGS)
{
	Project    *project;
	char	   *name;
	char	   *condition;
	int			version;
	Call		call;

	call_begin(&call);
	project = open_for_rules(fcinfo);
	name = required_text(fcinfo, 1, "name");
	condition = required_text(fcinfo, 2, "condition");
	version = rule_add(project, name, condition, optional_text(fcinfo, 3),
					   GetUserNameFromId(GetUserId(), false));
	call_end(&call);
	PG_RETURN_INT32(version);
}

Datum
hl_drop_rule(PG_FUNCTION_ARGS)
{
	Project    *project;
	Call		call;

	call_begin(&call);
	project = open_for_rules(fcinfo);
	rule_drop(project, required_text(fcinfo, 1, "name"));
	call_end(&call);
	PG_RETURN_VOID();
}

static void
enable_rule(FunctionCallInfo fcinfo, bool enable)
{
	Project    *project;
	Call		call;

	call_begin(&call);
	project = open_for_rules(fcinfo);
	rule_enable(project, required_text(fcinfo, 1, "name"), enable);
	call_end(&call);
}

Datum
hl_enable_rule(PG_FUNCTION_ARGS)
{
	enable_rule(fcinfo, true);
	PG_RETURN_VOID();
}

Datum
hl_disable_rule(PG_FUNCTION_ARGS)
{
	enable_rule(fcinfo, false);
	PG_RETURN_VOID();
}

/* ---------------------------------------------------------------------- */

static const char *
state_name(const Rule *rule)
{
	switch (rule->state)
	{
		case RULE_ENABLED:
			return rule->stopped ? "stopped" : rule->evaluated ? "enabled" : "pending";
		case RULE_DISABLED:
			return "disabled";
		case RULE_REPLACED:
			return "replaced";
		case RULE_DROPPED:
			return "dropped";
	}
	return NULL;
}

enum
{
	RULES_NAME, RULES_VERSION, RULES_CONDITION, RULES_LABEL, RULES_STATE, RULES_COVERAGE,
	RULES_OVERLAPS, RULES_CONFLICTS, RULES_COMPARED, RULES_ACCURACY, RULES_LOW, RULES_HIGH,
	RULES_LEARNED, RULES_LEARNED_LOW, RULES_LEARNED_HIGH, RULES_WEIGHT, RULES_SKIPPED, RULES_ERROR, RULES_ADDED_BY, RULES_ADDED_AT, RULES_COLUMNS
};

static Datum
optional_datum(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/* Shares of the items that there are; NULL of a rule that says nothing now. */
static void
add_figures(const Rule *rule, const RuleFigures *figures, int64 items, Datum *values, bool *nulls)
{
	double		low;
	double		high;

	if (!rule_counts(rule))
	{
		for (int column = RULES_COVERAGE; column <= RULES_WEIGHT; column++)
			nulls[column] = true;
		return;
	}
	/* votes of rows that have gone since may be there */
	items = Max(items, Max(figures->votes, 1));
	wilson_interval((int) figures->right, (int) figures->compared, &low, &high);
	values[RULES_COVERAGE] = Float8GetDatum((double) figures->votes / items);
	values[RULES_OVERLAPS] = Float8GetDatum((double) figures->overlaps / items);
	values[RULES_CONFLICTS] = Float8GetDatum((double) figures->conflicts / items);
	values[RULES_COMPARED] = Int64GetDatum(figures->compared);
	values[RULES_ACCURACY] = Float8GetDatum((double) figures->right / Max(figures->compared, 1));
	values[RULES_LOW] = Float8GetDatum(low);
	values[RULES_HIGH] = Float8GetDatum(high);
	nulls[RULES_ACCURACY] = nulls[RULES_LOW] = nulls[RULES_HIGH] = figures->compared == 0;
}

/* What the label model makes of it. */
static void
add_learned(const RuleModel *model, int voice, Datum *values, bool *nulls)
{
	VoiceFigures figures;

	if (model == NULL || voice < 0)
	{
		for (int column = RULES_LEARNED; column <= RULES_WEIGHT; column++)
			nulls[column] = true;
		return;
	}
	label_model_voice(model->model, voice, &figures);
	values[RULES_LEARNED] = Float8GetDatum(figures.accuracy);
	values[RULES_LEARNED_LOW] = Float8GetDatum(figures.accuracy_low);
	values[RULES_LEARNED_HIGH] = Float8GetDatum(figures.accuracy_high);
	values[RULES_WEIGHT] = Float8GetDatum(figures.weight);
}

/* The voice of a rule of that number; -1: it has none. */
static int
voice_of(const RuleModel *model, int number)
{
	const Rule *rule = model == NULL ? NULL : rules_find(&model->rules, number);

	return rule == NULL ? -1 : model->voice[rule - model->rules.rule];
}

Datum
hl_rules(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	bool		history = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	Project    *project;
	ProjectState state;
	Rules		rules;
	Consensus	consensus;
	const RuleFigures *figures;
	const RuleModel *model;
	Call		call;

	call_begin(&call);
	/* a condition, and an error, may quote what is in the source */
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE, true);
	state_read(project, &state);
	rules_read(project, true, true, &rules);
	consensus_read(project, &consensus);
	figures = rules_measure(project, &rules, &consensus, true);
	model = rule_model_read(project, &consensus, true, CurrentMemoryContext);
	for (int i = 0; i < rules.n; i++)
	{
		const Rule *rule = &rules.rule[i];
		Datum		values[RULES_COLUMNS];
		bool		nulls[RULES_COLUMNS] = {false};

		if (!history && (rule->state == RULE_REPLACED || rule->state == RULE_DROPPED))
			continue;
		values[RULES_NAME] = CStringGetTextDatum(rule->name);
		values[RULES_VERSION] = Int32GetDatum(rule->version);
		values[RULES_CONDITION] = CStringGetTextDatum(rule->condition);
		values[RULES_LABEL] = optional_datum(rule->label, &nulls[RULES_LABEL]);
		values[RULES_STATE] = CStringGetTextDatum(state_name(rule));
		add_figures(rule, &figures[i], state.items > 0 ? state.items : rule->rows, values, nulls);
		add_learned(model, voice_of(model, rule->number), values, nulls);
		values[RULES_SKIPPED] = Int64GetDatum(rule->skipped);
		values[RULES_ERROR] = optional_datum(rule->error, &nulls[RULES_ERROR]);
		values[RULES_ADDED_BY] = CStringGetTextDatum(rule->added_by);
		values[RULES_ADDED_AT] = TimestampTzGetDatum(rule->added_at);
		set_add(set, values, nulls);
	}
	call_end(&call);
	return (Datum) 0;
}

/* ---------------------------------------------------------------------- */

typedef struct Listing
{
	ReturnSetInfo *set;
	const Rules *rules;
} Listing;

static void
list_votes(const RuleVotes *votes, void *argument)
{
	const Listing *listing = argument;

	for (int i = 0; i < votes->n; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};
		int			index;
		const char *label = vote_label(listing->rules, votes->number[i], votes->code[i], &index);

		if (label == NULL)
			continue;
		values[0] = CStringGetTextDatum(listing->rules->rule[index].name);
		values[1] = Int32GetDatum(listing->rules->rule[index].version);
		values[2] = CStringGetTextDatum(label);
		set_add(listing->set, values, nulls);
	}
}

Datum
hl_rule_votes(PG_FUNCTION_ARGS)
{
	Listing		listing = {.set = set_begin(fcinfo)};
	Project    *project;
	Rules		rules;
	char	   *item;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE, true);
	item = required_text(fcinfo, 1, "item");
	rules_read(project, false, true, &rules);
	listing.rules = &rules;
	rule_votes_scan(project, &item, 1, true, list_votes, &listing);
	call_end(&call);
	return (Datum) 0;
}
