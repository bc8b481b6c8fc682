/*-------------------------------------------------------------------------
 *
 * label.c
 *	  What people said: answers, who gave them, what they add up to.
 *
 * hl_answer grows and is never changed; hl_current_answer holds each
 * annotator's last word on an item.  Lease rows are only touched with SKIP
 * LOCKED: an annotator who sits idle in a transaction with an item leased
 * must not keep another from labelling it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "store/label.h"
#include "store/session.h"

char *
annotator_name(const Project *project, const char *given)
{
	const char *own = setting_annotator != NULL && setting_annotator[0] != '\0' ?
		setting_annotator : GetUserNameFromId(GetUserId(), false);
	const char *name = given == NULL ? own : given;

	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("annotator must not be empty")));
	if (strcmp(name, RESERVED_ANNOTATOR) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("annotator \"%s\" is reserved for labels of the source", name),
				 errhint("Change the label in the source, or label under another name.")));
	if (strcmp(name, own) != 0 &&
		!project_privilege(project, GetUserId(), PRIVILEGE_MANAGE, false))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to answer as annotator \"%s\"", name),
				 errdetail("Naming somebody else needs the privilege \"manage\" on project \"%s\".",
						   project->name)));
	return pstrdup(name);
}

static void
check_label(const Project *project, const char *label)
{
	StringInfoData list;

	if (label == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("label must not be NULL"),
				 errhint("Use hl_skip() for an item that cannot be answered, hl_undo() to take an answer back.")));
	if (strspn(label, " \t\r\n") == strlen(label))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("label must not be empty")));
	if (project->classes == NULL)
		return;
	for (int i = 0; i < project->nclasses; i++)
	{
		if (strcmp(project->classes[i], label) == 0)
			return;
	}
	initStringInfo(&list);
	for (int i = 0; i < project->nclasses && i < 20; i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", project->classes[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is not a class of project \"%s\"", label, project->name),
			 errhint("Classes are %s%s.", list.data, project->nclasses > 20 ? ", ..." : "")));
}

int64
answers_write(const Project *project, const char *annotator,
			  char **items, char **labels, int n, const char *reason)
{
	/*
	 * One statement: a new connection pays for planning each.  lease_until of
	 * a labelled item is infinity: whoever is about to lease it and waits for
	 * nothing sees that when he looks again.
	 */
	static Statement insert = {
		"WITH said AS (INSERT INTO @hl_answer (project_id, item, annotator, action, label, reason) "
		"SELECT $1, s.item, $2, CASE WHEN s.label IS NULL THEN 'skip' ELSE 'label' END, "
		"s.label, $5 FROM unnest($3, $4) WITH ORDINALITY s(item, label, n) ORDER BY s.n "
		"RETURNING id, item, label, answered_at), "
		"settled AS (UPDATE @hl_lease l SET annotator = NULL, leased_at = NULL, "
		"lease_until = CASE WHEN $6 THEN 'infinity'::timestamptz END "
		"FROM (SELECT f.item FROM @hl_lease f WHERE f.project_id = $1 AND f.item = ANY ($3) "
		"FOR UPDATE SKIP LOCKED) s WHERE l.project_id = $1 AND l.item = s.item), "
		"last AS (SELECT DISTINCT ON (item) * FROM said ORDER BY item, id DESC), "
		"now AS (INSERT INTO @hl_current_answer AS c "
		"SELECT $1, item, $2, id, id, label, answered_at FROM last "
		"ON CONFLICT (project_id, item, annotator) DO UPDATE SET answer_id = excluded.answer_id, "
		"label = excluded.label, answered_at = excluded.answered_at RETURNING id, answer_id) "
		"SELECT id FROM now ORDER BY answer_id DESC LIMIT 1",
		6, {INT4OID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, BOOLOID}, NULL, 0
	};
	Datum		values[6] = {
		Int32GetDatum(project->id), CStringGetTextDatum(annotator), text_array(items, n)
	};
	bool		nulls[6] = {false};
	int64		id;
	Acting		acting;

	if (n == 0)
		return 0;
	if (labels != NULL)
	{
		for (int i = 0; i < n; i++)
			check_label(project, labels[i]);
		values[3] = text_array(labels, n);
	}
	else
		values[3] = text_array((char **) palloc0(sizeof(char *) * n), n);
	nulls[4] = reason == NULL;
	values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(reason);
	values[5] = BoolGetDatum(labels != NULL);
	act_as_extension(&acting);
	statement_run(&insert, values, nulls, false, 0);
	id = result_bigint(0, 1);
	act_as_before(&acting);
	return id;
}

void
answer_undo(const Project *project, const char *annotator, char *item)
{
	static Statement delete = {
		"DELETE FROM @hl_current_answer WHERE project_id = $1 AND item = $2 AND annotator = $3",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	static Statement insert = {
		"WITH released AS (UPDATE @hl_lease l SET annotator = NULL, leased_at = NULL, lease_until = NULL "
		"FROM (SELECT f.item FROM @hl_lease f WHERE f.project_id = $1 AND f.item = $2 "
		"FOR UPDATE SKIP LOCKED) s WHERE l.project_id = $1 AND l.item = s.item) "
		"INSERT INTO @hl_answer (project_id, item, annotator, action) VALUES ($1, $2, $3, 'undo')",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), CStringGetTextDatum(item), CStringGetTextDatum(annotator)
	};
	Acting		acting;

	act_as_extension(&acting);
	statement_run(&delete, values, NULL, false, 0);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("annotator \"%s\" has not answered item \"%s\" of project \"%s\"",
						annotator, item, project->name)));
	statement_run(&insert, values, NULL, false, 0);
	act_as_before(&acting);
}

/* ---------------------------------------------------------------------- */
/* Labels of the source */

void
source_labels_init(SourceLabels *labels, MemoryContext context)
{
	memset(labels, 0, sizeof(*labels));
	labels->context = context;
	labels->capacity = 256;
	labels->items = MemoryContextAlloc(context, sizeof(char *) * labels->capacity);
	labels->labels = MemoryContextAlloc(context, sizeof(char *) * labels->capacity);
}

void
source_labels_add(SourceLabels *labels, const char *item, const char *label)
{
	if (labels->n == labels->capacity)
	{
		labels->capacity *= 2;
		labels->items = repalloc_huge(labels->items, mul_size(sizeof(char *), labels->capacity));
		labels->labels = repalloc_huge(labels->labels, mul_size(sizeof(char *), labels->capacity));
	}
	labels->items[labels->n] = MemoryContextStrdup(labels->context, item);
	labels->labels[labels->n++] = MemoryContextStrdup(labels->context, label);
}

/* Says what is new, takes back what is gone; leaves alone what is the same. */
void
source_labels_write(const Project *project, const SourceLabels *labels)
{
	static Statement changed = {
		"WITH given AS MATERIALIZED (SELECT s.item, s.label FROM unnest($2, $3) s(item, label)), "
		"said AS (INSERT INTO @hl_answer (project_id, item, annotator, action, label) "
		"SELECT $1, g.item, 'source', 'label', g.label FROM given g "
		"LEFT JOIN @hl_current_answer c ON c.project_id = $1 AND c.item = g.item AND c.annotator = 'source' "
		"WHERE c.label IS DISTINCT FROM g.label RETURNING id, item, label, answered_at) "
		"INSERT INTO @hl_current_answer AS c SELECT $1, item, 'source', id, id, label, answered_at FROM said "
		"ON CONFLICT (project_id, item, annotator) DO UPDATE SET answer_id = excluded.answer_id, "
		"label = excluded.label, answered_at = excluded.answered_at",
		3, {INT4OID, TEXTARRAYOID, TEXTARRAYOID}, NULL, 0
	};
	static Statement gone = {
		"WITH gone AS (DELETE FROM @hl_current_answer c WHERE c.project_id = $1 AND c.annotator = 'source' "
		"AND NOT EXISTS (SELECT 1 FROM pg_catalog.unnest($2) s(item) WHERE s.item = c.item) "
		"RETURNING item) "
		"INSERT INTO @hl_answer (project_id, item, annotator, action) "
		"SELECT $1, item, 'source', 'undo' FROM gone",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id),
		text_array(labels->items, labels->n), text_array(labels->labels, labels->n)
	};
	Acting		acting;

	if (project->classes != NULL)
	{
		for (int i = 0; i < labels->n; i++)
			check_label(project, labels->labels[i]);
	}
	act_as_extension(&acting);
	statement_run(&changed, values, NULL, false, 0);
	statement_run(&gone, values, NULL, false, 0);
	act_as_before(&acting);
}

/* ---------------------------------------------------------------------- */

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Sorted, without repetition; in place. */
static int
unique_strings(char **strings, int n)
{
	int			kept = 0;

	qsort(strings, n, sizeof(char *), compare_strings);
	for (int i = 0; i < n; i++)
	{
		if (kept == 0 || strcmp(strings[kept - 1], strings[i]) != 0)
			strings[kept++] = strings[i];
	}
	return kept;
}

void
consensus_read(const Project *project, Consensus *consensus)
{
	static Statement select = {
		"SELECT DISTINCT ON (v.item) v.item, v.label FROM ("
		"SELECT c.item, c.label, pg_catalog.count(*) AS votes, pg_catalog.max(c.answered_at) AS latest, "
		"pg_catalog.max(c.answer_id) AS id FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.label IS NOT NULL GROUP BY c.item, c.label) v "
		"ORDER BY v.item, v.votes DESC, v.latest DESC, v.id DESC",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	char	  **labels;
	SPITupleTable *table;
	Acting		acting;

	memset(consensus, 0, sizeof(*consensus));
	act_as_extension(&acting);
	statement_run(&select, values, NULL, false, 0);
	act_as_before(&acting);
	table = SPI_tuptable;
	consensus->n = (int) SPI_processed;
	consensus->items = palloc_array_checked(char *, consensus->n);
	consensus->label = palloc_array_checked(int, consensus->n);
	consensus->classes = palloc_array_checked(char *, consensus->n);
	labels = palloc_array_checked(char *, consensus->n);
	for (int i = 0; i < consensus->n; i++)
	{
		consensus->items[i] = result_string(i, 1);
		labels[i] = consensus->classes[i] = result_string(i, 2);
	}
	SPI_freetuptable(table);
	consensus->nclasses = unique_strings(consensus->classes, consensus->n);
	for (int i = 0; i < consensus->n; i++)
	{
		char	  **found = bsearch(&labels[i], consensus->classes, consensus->nclasses,
									sizeof(char *), compare_strings);

		consensus->label[i] = (int) (found - consensus->classes);
	}
	pfree(labels);
}
