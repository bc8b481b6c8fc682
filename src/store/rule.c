/*-------------------------------------------------------------------------
 *
 * rule.c
 *	  Rules: what was declared, and what has become of it.
 *
 * A version of a rule is a row of hl_rule that is never deleted: what a model has
 * learned from can be looked up later.  Its number in the project stands in the votes.
 * hl_rule has what was declared and goes into dumps; hl_rule_state has what was
 * found out here, and is made again after a restore.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/change.h"
#include "store/classes.h"
#include "store/label.h"
#include "store/rule.h"
#include "store/session.h"

#define MAX_RULES 65535			/* versions in a project: 16 bits of a vote */

static const char *const state_names[] = {"enabled", "disabled", "replaced", "dropped"};

bool
rules_are_kept(void)
{
	return OidIsValid(extension_table("hl_rule"));
}

static RuleState
state_from_name(const char *name)
{
	for (int state = 0; state < (int) lengthof(state_names); state++)
	{
		if (strcmp(state_names[state], name) == 0)
			return (RuleState) state;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unrecognized state of a rule \"%s\"", name)));
}

static void
read_rule(uint64 row, Rule *rule)
{
	bool		isnull;
	int			nlabels;

	memset(rule, 0, sizeof(*rule));
	rule->number = result_int(row, 1);
	rule->name = result_string(row, 2);
	rule->version = result_int(row, 3);
	rule->condition = result_string(row, 4);
	rule->label = result_string(row, 5);
	rule->state = state_from_name(result_string(row, 6));
	rule->said = array_strings(result_datum(row, 7, &isnull), &rule->nsaid);
	rule->labels = array_strings(result_datum(row, 8, &isnull), &nlabels);
	rule->evaluated = DatumGetBool(result_datum(row, 9, &isnull));
	rule->stopped = DatumGetBool(result_datum(row, 10, &isnull));
	rule->skipped = result_bigint(row, 11);
	rule->error = result_string(row, 12);
	rule->rows = result_bigint(row, 13);
	rule->outdated = DatumGetBool(result_datum(row, 16, &isnull));
	rule->added_by = result_string(row, 14);
	rule->added_at = DatumGetTimestampTz(result_datum(row, 15, &isnull));
	if (nlabels != rule->nsaid || !strings_complete(rule->said, rule->nsaid))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("what rule \"%s\" has said is damaged", rule->name)));
}

void
rules_read(const Project *project, bool all, bool read_only, Rules *rules)
{
	static Statement select = {
		"SELECT r.rule, r.name, r.version, r.condition, r.label, r.state, r.said, r.labels, "
		"coalesce(s.evaluated, false), coalesce(s.stopped, false), coalesce(s.skipped, 0), s.error, "
		"coalesce(s.rows, 0), r.added_by, r.added_at, coalesce(s.outdated, false) "
		"FROM @hl_rule r LEFT JOIN @hl_rule_state s ON s.project_id = r.project_id AND s.rule = r.rule "
		"WHERE r.project_id = $1 AND ($2 OR r.state = 'enabled') "
		"ORDER BY r.name COLLATE \"C\", r.version", 2, {INT4OID, BOOLOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), BoolGetDatum(all)};
	SPITupleTable *table;

	memset(rules, 0, sizeof(*rules));
	if (!rules_are_kept())
		return;
	statement_run_as_extension(&select, values, NULL, read_only);
	table = SPI_tuptable;
	rules->n = (int) SPI_processed;
	rules->rule = palloc_array_checked(Rule, rules->n);
	for (int i = 0; i < rules->n; i++)
		read_rule(i, &rules->rule[i]);
	SPI_freetuptable(table);
}

bool
rule_counts(const Rule *rule)
{
	return rule->state == RULE_ENABLED && rule->evaluated && !rule->stopped;
}

Rule *
rules_find(const Rules *rules, int number)
{
	for (int i = 0; i < rules->n; i++)
	{
		if (rules->rule[i].number == number)
			return &rules->rule[i];
	}
	return NULL;
}

/* ---------------------------------------------------------------------- */
/* Declaring */

/* An empty list of items: the worker shall look, and there are no new labels. */
static void
note_rules(const Project *project)
{
	char	   *nothing = NULL;

	change_note(project->id, CHANGE_LABELS, &nothing, 0);
}

static void
check_rule(const Project *project, const char *name, const char *condition, const char *label)
{
	int			nclasses;
	char	  **classes = classes_listed(project, &nclasses);
	const ErrorData *error;
	bool		listed = classes == NULL || label == NULL;

	if (strlen(name) > MAX_ANNOTATOR_NAME)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("the name of a rule must not be longer than %d bytes", MAX_ANNOTATOR_NAME)));
	if (label != NULL && label_is_blank(label))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the label of a rule must not be blank"),
				 errhint("Without a label the value of the expression is the label, and NULL is none.")));
	for (int i = 0; i < nclasses && !listed; i++)
		listed = strcmp(classes[i], label) == 0;
	if (!listed)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a class of project \"%s\"", label, project->name),
				 errhint("The classes were listed when the project was created.")));
	error = condition_problem(project, condition, label == NULL ? CONDITION_VALUE : CONDITION_TRUE);
	if (error != NULL)
		ereport(ERROR,
				(errcode(error->sqlerrcode),
				 errmsg("the condition of rule \"%s\": %s", name, error->message),
				 error->detail != NULL ? errdetail_internal("%s", error->detail) :
				 error->hint != NULL ? errdetail_internal("%s", error->hint) : 0,
				 errhint("Give one expression over the columns of the source, like \"body ~* 'refund'\": "
						 "a boolean one with a label, or one whose value is the label; "
						 "other relations, and functions, by their schemas.")));
}

/* The version of that name that counts. */
static bool
set_state(const Project *project, const char *name, RuleState state)
{
	static Statement update = {
		"UPDATE @hl_rule SET state = $3, changed_at = pg_catalog.clock_timestamp() "
		"WHERE project_id = $1 AND name = $2 AND state IN ('enabled', 'disabled')",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), CStringGetTextDatum(name),
		CStringGetTextDatum(state_names[state])
	};

	statement_run_as_extension(&update, values, NULL, false);
	return SPI_processed > 0;
}

int
rule_add(const Project *project, const char *name, const char *condition, const char *label,
		 const char *who)
{
	static Statement insert = {
		"INSERT INTO @hl_rule (project_id, rule, name, version, condition, label, said, labels, added_by) "
		"SELECT $1, coalesce(pg_catalog.max(r.rule), 0) + 1, $2, "
		"coalesce(pg_catalog.max(r.version) FILTER (WHERE r.name = $2), 0) + 1, $3, $4, "
		"CASE WHEN $4 IS NULL THEN '{}' ELSE ARRAY[''] END, CASE WHEN $4 IS NULL THEN '{}' ELSE ARRAY[$4] END, $5 "
		"FROM @hl_rule r WHERE r.project_id = $1 RETURNING rule, version",
		5, {INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[5] = {
		Int32GetDatum(project->id), CStringGetTextDatum(name), CStringGetTextDatum(condition)
	};
	bool		nulls[5] = {false};
	int			version;

	check_rule(project, name, condition, label);
	(void) set_state(project, name, RULE_REPLACED);
	nulls[3] = label == NULL;
	if (label != NULL)
		values[3] = CStringGetTextDatum(label);
	values[4] = CStringGetTextDatum(who);
	statement_run_as_extension(&insert, values, nulls, false);
	if (result_int(0, 1) > MAX_RULES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("project \"%s\" cannot have more than %d versions of rules",
						project->name, MAX_RULES)));
	version = result_int(0, 2);
	note_rules(project);
	return version;
}

static void
no_such_rule(const Project *project, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("project \"%s\" has no rule \"%s\"", project->name, name),
			 errhint("SELECT rule FROM hl_rules('%s') lists them.", project->name)));
}

void
rule_drop(const Project *project, const char *name)
{
	if (!set_state(project, name, RULE_DROPPED))
		no_such_rule(project, name);
	note_rules(project);
}

void
rule_enable(const Project *project, const char *name, bool enable)
{
	/* rows may have changed meanwhile: all are looked at again */
	static Statement forget = {
		"DELETE FROM @hl_rule_state s USING @hl_rule r WHERE r.project_id = $1 AND r.name = $2 "
		"AND r.state = 'enabled' AND s.project_id = r.project_id AND s.rule = r.rule",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(name)};

	if (!set_state(project, name, enable ? RULE_ENABLED : RULE_DISABLED))
		no_such_rule(project, name);
	statement_run_as_extension(&forget, values, NULL, false);
	note_rules(project);
}

/* ---------------------------------------------------------------------- */
/* What was found out */

static void
store_said(const Project *project, const Rule *rule)
{
	static Statement update = {
		"UPDATE @hl_rule SET said = $3, labels = $4 WHERE project_id = $1 AND rule = $2 "
		"AND (said IS DISTINCT FROM $3 OR labels IS DISTINCT FROM $4)",
		4, {INT4OID, INT4OID, TEXTARRAYOID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[4] = {
		Int32GetDatum(project->id), Int32GetDatum(rule->number),
		text_array(rule->said, rule->nsaid), text_array(rule->labels, rule->nsaid)
	};

	statement_run_as_extension(&update, values, NULL, false);
}

void
rule_store(const Project *project, const Rule *rule)
{
	static Statement upsert = {
		"INSERT INTO @hl_rule_state AS s (project_id, rule, evaluated, stopped, skipped, error, rows, outdated) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (project_id, rule) DO UPDATE SET "
		"evaluated = excluded.evaluated, stopped = excluded.stopped, skipped = excluded.skipped, "
		"error = excluded.error, rows = excluded.rows, outdated = excluded.outdated",
		8, {INT4OID, INT4OID, BOOLOID, BOOLOID, INT8OID, TEXTOID, INT8OID, BOOLOID}, NULL, 0
	};
	Datum		values[8] = {
		Int32GetDatum(project->id), Int32GetDatum(rule->number), BoolGetDatum(rule->evaluated),
		BoolGetDatum(rule->stopped), Int64GetDatum(rule->skipped)
	};
	bool		nulls[8] = {false};

	nulls[5] = rule->error == NULL;
	if (rule->error != NULL)
		values[5] = CStringGetTextDatum(rule->error);
	values[6] = Int64GetDatum(rule->rows);
	values[7] = BoolGetDatum(rule->outdated);
	statement_run_as_extension(&upsert, values, nulls, false);
	store_said(project, rule);
}

void
rules_outdate(const Project *project)
{
	static Statement update = {
		"UPDATE @hl_rule_state s SET outdated = true WHERE s.project_id = $1 AND NOT s.outdated "
		"AND EXISTS (SELECT 1 FROM @hl_rule r WHERE r.project_id = $1 AND r.rule = s.rule "
		"AND r.state = 'enabled')", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	if (rules_are_kept())
		statement_run_as_extension(&update, values, NULL, false);
}

/* What an expression says stays what it is: only what is made of it changes. */
void
rules_rename(const Project *project, char **classes, int n, const char *into)
{
	static Statement update = {
		"UPDATE @hl_rule r SET label = CASE WHEN r.label = ANY ($2) THEN coalesce($3, r.label) ELSE r.label END, "
		"labels = (SELECT coalesce(pg_catalog.array_agg(CASE WHEN l.label = ANY ($2) THEN $3 ELSE l.label END "
		"ORDER BY l.n), '{}') FROM unnest(r.labels) WITH ORDINALITY l(label, n)) "
		"WHERE r.project_id = $1 AND r.labels && $2",
		3, {INT4OID, TEXTARRAYOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {Int32GetDatum(project->id), text_array(classes, n)};
	bool		nulls[3] = {false, false, into == NULL};

	if (!rules_are_kept())
		return;
	if (into != NULL)
		values[2] = CStringGetTextDatum(into);
	statement_run_as_extension(&update, values, nulls, false);
}

void
rules_forget(int32 project_id)
{
	static Statement delete[] = {
		{"DELETE FROM @hl_rule_vote WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_rule_state WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_rule WHERE project_id = $1", 1, {INT4OID}, NULL, 0}
	};
	Datum		values[1] = {Int32GetDatum(project_id)};

	for (int i = 0; i < (int) lengthof(delete) && rules_are_kept(); i++)
		statement_run_as_extension(&delete[i], values, NULL, false);
}
