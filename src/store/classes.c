/*-------------------------------------------------------------------------
 *
 * classes.c
 *	  The classes of a project, and how they change: renamed, merged, removed.
 *
 * A class is a name.  It stands in current answers, in the closed list, if the
 * project has one, in the queue as a suggestion, and with every model, whose
 * output k has it.  All of these change in one transaction, each by one
 * statement over the set, whatever the number of labels; the history gets a
 * row for every answer that is rewritten, and none of its own is touched.
 *
 * A model is not changed by that, only what its outputs are called
 * (hl_model.class_names): two that were merged have the same name, and one that
 * was removed has none, so that it answers in the new names at once, also when
 * it is deployed again later.  The names of its training (hl_model.classes) stay for
 * what was measured then.
 *
 * Whoever answers holds answers_lock shared to the end of his transaction, so
 * none can bring a name back that he took for good before we came.  Trainings
 * and rankings that were begun before have the names of before: they find
 * hl_serving.class_changes grown, or the ranking's generation, when they come to
 * write.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/asked.h"
#include "store/change.h"
#include "store/classes.h"
#include "store/gold.h"
#include "store/label.h"
#include "store/refresh.h"
#include "store/rule.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/source.h"

/* What is to become of some classes. */
typedef struct ClassChange
{
	const Project *project;
	char	  **classes;
	int			n;
	char	   *into;			/* NULL: they are removed */
	char	   *what;			/* is done with each, for the history */
} ClassChange;

bool
classes_can_change(void)
{
	return get_attnum(extension_table("hl_model"), "class_names") != InvalidAttrNumber;
}

int64
classes_changes(const Project *project)
{
	ProjectState state;

	state_read(project, &state);
	return state.class_changes;
}

/*
 * Straight from the table, as in change.c: under REPEATABLE READ a statement
 * would show the list as it was when the transaction began.
 */
char **
classes_listed(const Project *project, int *n)
{
	Relation	relation = table_open(extension_table("hl_project"), AccessShareLock);
	AttrNumber	column = get_attnum(RelationGetRelid(relation), "classes");
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	  **classes = NULL;

	*n = 0;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(project->id));
	scan = systable_beginscan(relation, primary_key_index(relation), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, column, RelationGetDescr(relation), &isnull);

		if (!isnull)
			classes = array_strings(value, n);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return classes;
}

static bool
contains(char **names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------------- */
/* Before anything is changed */

#define SELECT_CLASSES(of_rules) \
	"SELECT k.name FROM (SELECT unnest(p.classes) FROM @hl_project p WHERE p.id = $1 " \
	"UNION SELECT c.label FROM @hl_current_answer c WHERE c.project_id = $1 " of_rules \
	"UNION SELECT unnest(coalesce(m.class_names, m.classes)) FROM @hl_model m " \
	"JOIN @hl_serving v ON v.project_id = m.project_id AND v.model = m.model WHERE m.project_id = $1) k(name) " \
	"WHERE k.name <> '' ORDER BY k.name COLLATE \"C\""

/* All names in use: listed, said by people or rules, or answered by the model that serves. */
static char **
known_classes(const Project *project, int *n)
{
	static Statement select = {SELECT_CLASSES(
		"UNION SELECT unnest(r.labels) FROM @hl_rule r WHERE r.project_id = $1 AND r.state = 'enabled' "),
		1, {INT4OID}, NULL, 0
	};
	static Statement select_old = {SELECT_CLASSES(""), 1, {INT4OID}, NULL, 0};
	Datum		values[1] = {Int32GetDatum(project->id)};
	char	  **golden;
	char	  **names;
	char	  **settled;
	int			ngolden;
	int			nsettled;

	golden = gold_classes(project, &ngolden);
	settled = settled_classes(project, &nsettled);
	statement_run_as_extension(rules_are_kept() ? &select : &select_old, values, NULL, false);
	*n = (int) SPI_processed;
	names = palloc_array_checked(char *, *n + ngolden + nsettled);
	for (int i = 0; i < *n; i++)
		names[i] = result_string(i, 1);
	for (int i = 0; i < ngolden; i++)
		names[(*n)++] = golden[i];
	for (int i = 0; i < nsettled; i++)
		names[(*n)++] = settled[i];
	*n = strings_unique(names, *n);
	return names;
}

static void
need_known(const Project *project, char **known, int n, const char *class)
{
	StringInfoData list;

	if (contains(known, n, class))
		return;
	initStringInfo(&list);
	for (int i = 0; i < n && i < 20; i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", known[i]);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("project \"%s\" has no class \"%s\"", project->name, class),
			 n == 0 ? errhint("It has none: a class appears by being used.") :
			 errhint("Classes are %s%s.", list.data, n > 20 ? ", ..." : "")));
}

/* How many rows of the source have one of the classes in the label column. */
static void
count_in_source(void *argument)
{
	const ClassChange *change = argument;
	const Project *project = change->project;
	Oid			types[1] = {TEXTARRAYOID};
	Datum		values[1] = {text_array(change->classes, change->n)};
	char	   *query = psprintf("SELECT pg_catalog.count(*), pg_catalog.min(s.%1$s::pg_catalog.text COLLATE pg_catalog.\"C\") "
								 "FROM %2$s s WHERE s.%1$s::pg_catalog.text COLLATE pg_catalog.\"C\" "
								 "OPERATOR(pg_catalog.=) ANY ($1)",
								 quote_identifier(project->label_column),
								 project_source_quoted(project));

	if (SPI_execute_with_args(query, 1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not count labels of the source");
}

/* The statement that changes the label column as the answers shall be changed. */
static char *
source_statement(const ClassChange *change)
{
	const Project *project = change->project;
	char	   *column = pstrdup(quote_identifier(project->label_column));
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "UPDATE %s SET %s = %s WHERE %s ", project_source_quoted(project), column,
					 change->into == NULL ? "NULL" : quote_literal_cstr(change->into), column);
	if (change->n == 1)
		appendStringInfo(&text, "= %s;", quote_literal_cstr(change->classes[0]));
	else
	{
		for (int i = 0; i < change->n; i++)
			appendStringInfo(&text, "%s%s", i == 0 ? "IN (" : ", ",
							 quote_literal_cstr(change->classes[i]));
		appendStringInfoString(&text, ");");
	}
	return text.data;
}

/*
 * What the label column says is not ours to change, and would come back.  Looked
 * up there and not among the answers: whoever has just changed it goes on in the
 * same transaction, before anybody reads a name that a closed list does not
 * have yet.
 */
static void
check_source(ClassChange *change)
{
	const Project *project = change->project;
	int64		rows;
	char	   *class;

	if (project->label_column == NULL)
		return;
	project_need_source(project);
	reading_step(project, READ_AS_OWNER, count_in_source, change, NULL);
	rows = result_bigint(0, 1);
	if (rows == 0)
		return;
	class = result_string(0, 2);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("class \"%s\" is in column \"%s\" of %s, which is never written to",
					class, project->label_column, project_source_quoted(project)),
			 errdetail_plural("%lld row of the source has such a label.",
							  "%lld rows of the source have such labels.",
							  (unsigned long) rows, (long long) rows),
			 errhint("Run this before, in the same transaction: %s", source_statement(change))));
}

/*
 * Under REPEATABLE READ, answers of the classes that we do not see would keep
 * the old name.  Whatever else has changed meanwhile is a 40001 when it is
 * written to.
 */
static void
check_snapshot(const ClassChange *change)
{
	static Statement select = {
		"SELECT pg_catalog.count(*), pg_catalog.max(answer_id) FROM @hl_current_answer "
		"WHERE project_id = $1 AND label = ANY ($2)", 2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {
		Int32GetDatum(change->project->id), text_array(change->classes, change->n)
	};
	/* of answers, of settlements, of gold items, whose rows are changed (a 40001) */
	int64		count[3];
	int64		last[2];
	int64		count_now[3];
	int64		last_now[2];

	if (!IsolationUsesXactSnapshot())
		return;
	statement_run_as_extension(&select, values, NULL, false);
	count[0] = result_bigint(0, 1);
	last[0] = result_bigint(0, 2);
	settlements_count(change->project, values[1], false, &count[1], &last[1]);
	count[2] = gold_count(change->project, values[1], false);
	PushActiveSnapshot(GetLatestSnapshot());
	statement_run_as_extension(&select, values, NULL, true);
	count_now[0] = result_bigint(0, 1);
	last_now[0] = result_bigint(0, 2);
	settlements_count(change->project, values[1], true, &count_now[1], &last_now[1]);
	count_now[2] = gold_count(change->project, values[1], true);
	PopActiveSnapshot();
	if (memcmp(count, count_now, sizeof(count)) != 0 || memcmp(last, last_now, sizeof(last)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent answers"),
				 errhint("The transaction might succeed if retried.")));
}

/* ---------------------------------------------------------------------- */
/* Changing */

/*
 * The answers follow each other in the history as those that they replace.  By
 * place: nobody else touches these rows now, and a join by item would be up
 * to the planner.  When a person has said it (answered_at) stays, which decides
 * between answers that are equally many.
 */
static int
rewrite_answers(const ClassChange *change)
{
	static Statement rewrite = {
		"WITH old AS MATERIALIZED (SELECT o.place, o.item, o.annotator, o.label, pg_catalog.nextval($5) AS id "
		"FROM (SELECT c.ctid AS place, c.item, c.annotator, c.label FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.label = ANY ($2) ORDER BY c.answer_id) o), "
		"said AS (INSERT INTO @hl_answer (id, project_id, item, annotator, action, label, reason) "
		"SELECT o.id, $1, o.item, o.annotator, 'label', $3, 'class \"' || o.label || '\" ' || $4 FROM old o) "
		"UPDATE @hl_current_answer c SET label = $3, answer_id = o.id FROM old o "
		"WHERE c.ctid = o.place",
		5, {INT4OID, TEXTARRAYOID, TEXTOID, TEXTOID, REGCLASSOID}, NULL, 0
	};
	Datum		values[5] = {
		Int32GetDatum(change->project->id), text_array(change->classes, change->n),
		CStringGetTextDatum(change->into), CStringGetTextDatum(change->what),
		ObjectIdGetDatum(extension_table("hl_answer_id_seq"))
	};

	statement_run(&rewrite, values, NULL, false);
	return (int) SPI_processed;
}

/* An item that nobody has labelled now can be handed out again. */
static int
undo_answers(const ClassChange *change)
{
	static Statement undo = {
		"WITH old AS MATERIALIZED (SELECT c.ctid AS place, c.item, c.annotator, c.label "
		"FROM @hl_current_answer c WHERE c.project_id = $1 AND c.label = ANY ($2)), "
		"said AS (INSERT INTO @hl_answer (project_id, item, annotator, action, reason) "
		"SELECT $1, o.item, o.annotator, 'undo', 'class \"' || o.label || '\" ' || $3 FROM old o), "
		"released AS (UPDATE @hl_lease l SET annotator = NULL, leased_at = NULL, lease_until = NULL "
		"FROM (SELECT f.place FROM (SELECT DISTINCT item FROM old) o CROSS JOIN LATERAL "
		"(SELECT x.ctid AS place FROM @hl_lease x WHERE x.project_id = $1 AND x.item = o.item "
		"AND x.lease_until = 'infinity' FOR UPDATE SKIP LOCKED) f "
		"WHERE NOT EXISTS (SELECT 1 FROM @hl_current_answer c WHERE c.project_id = $1 "
		"AND c.item = o.item AND c.label <> ALL ($2) OFFSET 0)) s WHERE l.ctid = s.place) "
		"DELETE FROM @hl_current_answer c USING old o WHERE c.ctid = o.place",
		3, {INT4OID, TEXTARRAYOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(change->project->id), text_array(change->classes, change->n),
		CStringGetTextDatum(change->what)
	};

	statement_run(&undo, values, NULL, false);
	return (int) SPI_processed;
}

/*
 * The closed list: a new name takes the place of the first that it replaces.
 * Under the lock of who records names, as the worker must not wait for our
 * commit.
 */
static void
change_list(const ClassChange *change)
{
	static Statement update = {
		"UPDATE @hl_project SET classes = $2 WHERE id = $1", 2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	int			n;
	char	  **listed = classes_listed(change->project, &n);
	char	  **left = palloc_array_checked(char *, n);
	bool		placed = change->into == NULL || (listed != NULL && contains(listed, n, change->into));
	int			nleft = 0;
	Datum		values[2];

	if (listed == NULL)
		return;
	for (int i = 0; i < n; i++)
	{
		if (!contains(change->classes, change->n, listed[i]))
			left[nleft++] = listed[i];
		else if (!placed)
		{
			left[nleft++] = change->into;
			placed = true;
		}
	}
	if (nleft == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("class \"%s\" is the only one that project \"%s\" has left",
						change->classes[0], change->project->name),
				 errdetail("With an empty list of classes no label would be accepted."),
				 errhint("Rename it with hl_rename_class(), or drop the project with hl_drop_project().")));
	project_lock_names(change->project->id);
	values[0] = Int32GetDatum(change->project->id);
	values[1] = text_array(left, nleft);
	statement_run_as_extension(&update, values, NULL, false);
}

/*
 * The names under which models answer, '' for none, and the queue suggests.
 * Also of models that only their figures are left of: the forecast goes by the
 * names to see which are of the same classes.
 */
static void
change_names(const ClassChange *change)
{
	static Statement models = {
		"UPDATE @hl_model m SET class_names = (SELECT pg_catalog.array_agg("
		"CASE WHEN k.name = ANY ($2) THEN coalesce($3, '') ELSE k.name END ORDER BY k.n) "
		"FROM unnest(coalesce(m.class_names, m.classes)) WITH ORDINALITY k(name, n)) "
		"WHERE m.project_id = $1 AND coalesce(m.class_names, m.classes) && $2",
		3, {INT4OID, TEXTARRAYOID, TEXTOID}, NULL, 0
	};
	/* another generation: what was computed from this one is out of date */
	static Statement ranking = {
		"UPDATE @hl_ranking r SET generation = r.generation + 1, labels = (SELECT coalesce("
		"pg_catalog.array_agg(CASE WHEN k.label = ANY ($2) THEN $3 ELSE k.label END ORDER BY k.n), '{}') "
		"FROM unnest(r.labels) WITH ORDINALITY k(label, n)) WHERE r.project_id = $1",
		3, {INT4OID, TEXTARRAYOID, TEXTOID}, NULL, 0
	};
	static Statement count = {
		"UPDATE @hl_serving SET class_changes = coalesce(class_changes, 0) + 1 WHERE project_id = $1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(change->project->id), text_array(change->classes, change->n)
	};
	bool		nulls[3] = {false, false, change->into == NULL};

	if (change->into != NULL)
		values[2] = CStringGetTextDatum(change->into);
	statement_run(&models, values, nulls, false);
	statement_run(&ranking, values, nulls, false);
	statement_run(&count, values, NULL, false);
}

/*
 * Locks in the order of who answers and then trains in the same transaction.
 * is_new: the class must not be there.
 */
static int
change_classes(ClassChange *change, bool is_new)
{
	const Project *project = change->project;
	ProjectState state;
	char	  **known;
	int			nknown;
	int			changed;
	int			settled;
	int			golden;
	Acting		acting;

	check_source(change);
	answers_lock(project, true);
	state_lock(project, &state);
	known = known_classes(project, &nknown);
	for (int i = 0; i < change->n; i++)
		need_known(project, known, nknown, change->classes[i]);
	if (is_new && contains(known, nknown, change->into))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("project \"%s\" has a class \"%s\" already", project->name, change->into),
				 errhint("To make one class of both: SELECT hl_merge_classes(%s, ARRAY[%s], %s);",
						 quote_literal_cstr(project->name), quote_literal_cstr(change->classes[0]),
						 quote_literal_cstr(change->into))));
	check_snapshot(change);
	change_list(change);
	act_as_extension(&acting);
	changed = change->into == NULL ? undo_answers(change) : rewrite_answers(change);
	settled = settlements_rename(project, text_array(change->classes, change->n), change->into,
								 change->what);
	golden = gold_rename(project, change->classes, change->n, change->into);
	change_names(change);
	act_as_before(&acting);
	rules_rename(project, change->classes, change->n, change->into);
	if (change->into == NULL)
		asks_reopen(project, NULL, 0);
	change_note(project->id, CHANGE_LABELS, NULL, 0);
	/* what was labelled is not in the ranking */
	if (change->into == NULL && changed + settled + golden > 0)
		change_note(project->id, CHANGE_POOL, NULL, 0);
	return changed;
}

int
class_rename(const Project *project, char *class, char *new_name, const char *who)
{
	ClassChange change = {.project = project, .classes = &class, .n = 1, .into = new_name};

	if (strcmp(class, new_name) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("class \"%s\" has that name already", class)));
	change.what = psprintf("renamed to \"%s\" by %s", new_name, who);
	return change_classes(&change, true);
}

int
classes_merge(const Project *project, char **classes, int n, char *into, const char *who)
{
	ClassChange change = {.project = project, .classes = classes, .n = n, .into = into};

	if (contains(classes, n, into))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("class \"%s\" cannot be merged into itself", into),
				 errhint("Name in \"classes\" only those that shall be gone.")));
	change.what = psprintf("merged into \"%s\" by %s", into, who);
	return change_classes(&change, false);
}

int
class_remove(const Project *project, char *class, const char *who)
{
	ClassChange change = {.project = project, .classes = &class, .n = 1};

	change.what = psprintf("removed by %s", who);
	return change_classes(&change, false);
}
