/*-------------------------------------------------------------------------
 *
 * settlement.c
 *	  What a reviewer has settled.
 *
 * hl_settlement only grows: the last row of an item says what holds, a row of
 * action 'undo' that nothing does.  So there is no second table to keep in step,
 * and nobody waits for anybody: of two reviewers the one with the later id is
 * right, as with answers.
 *
 * Answers to an item that is settled are kept and count as answers (hl_labels,
 * the figures of agreement); label.c takes the settlement as the item's label.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "store/asked.h"
#include "store/change.h"
#include "store/label.h"
#include "store/session.h"
#include "store/settlement.h"

/* The last word on each item that was ever settled; label NULL: taken back. */
#define LAST_OF_EACH \
	"SELECT DISTINCT ON (z.item) z.id, z.item, z.label, z.reviewer FROM @hl_settlement z " \
	"WHERE z.project_id = $1 ORDER BY z.item, z.id DESC"

bool
settlements_are_kept(void)
{
	return OidIsValid(get_relname_relid("hl_settlement", extension_namespace()));
}

int64
settlement_write(const Project *project, const char *reviewer, char *item, char *label,
				 const char *reason)
{
	/* its lease as that of a labelled item, see answers_write() */
	static Statement insert = {
		"WITH settled AS (UPDATE @hl_lease l SET annotator = NULL, leased_at = NULL, lease_until = 'infinity', "
		"holders = '{}', since = '{}', until = '{}' "
		"FROM (SELECT x.ctid AS place FROM @hl_lease x WHERE x.project_id = $1 AND x.item = $2 "
		"FOR UPDATE SKIP LOCKED) s WHERE l.ctid = s.place) "
		"INSERT INTO @hl_settlement (project_id, item, action, label, reviewer, reason) "
		"VALUES ($1, $2, 'settle', $3, $4, $5) RETURNING id",
		5, {INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[5] = {Int32GetDatum(project->id), CStringGetTextDatum(item)};
	bool		nulls[5] = {false, false, false, false, reason == NULL};
	int64		id;

	answers_lock(project, false);
	label_check(project, label, "Use hl_unsettle() to take a settlement back.");
	values[2] = CStringGetTextDatum(label);
	values[3] = CStringGetTextDatum(reviewer);
	if (reason != NULL)
		values[4] = CStringGetTextDatum(reason);
	statement_run_as_extension(&insert, values, nulls, false);
	id = result_bigint(0, 1);
	change_note(project->id, CHANGE_LABELS, &item, 1);
	return id;
}

void
settlement_undo(const Project *project, const char *reviewer, char *item, const char *reason)
{
	/* the item can be handed out again, if it is asked and nobody has labelled it */
	static Statement undo = {
		"WITH released AS (UPDATE @hl_lease l SET annotator = NULL, leased_at = NULL, lease_until = NULL "
		"FROM (SELECT x.ctid AS place FROM @hl_lease x WHERE x.project_id = $1 AND x.item = $2 "
		"AND x.lease_until = 'infinity' AND NOT EXISTS (SELECT 1 FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.item = $2 AND c.label IS NOT NULL OFFSET 0) "
		"FOR UPDATE SKIP LOCKED) s WHERE l.ctid = s.place) "
		"INSERT INTO @hl_settlement (project_id, item, action, reviewer, reason) "
		"VALUES ($1, $2, 'undo', $3, $4)",
		4, {INT4OID, TEXTOID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[4] = {
		Int32GetDatum(project->id), CStringGetTextDatum(item), CStringGetTextDatum(reviewer)
	};
	bool		nulls[4] = {false, false, false, reason == NULL};

	answers_lock(project, false);
	if (settled_labels(project, &item, 1)[0] == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("item \"%s\" of project \"%s\" is not settled", item, project->name)));
	if (reason != NULL)
		values[3] = CStringGetTextDatum(reason);
	statement_run_as_extension(&undo, values, nulls, false);
	asks_reopen(project, &item, 1);
	change_note(project->id, CHANGE_LABELS, &item, 1);
}

char **
settled_labels(const Project *project, char **items, int n)
{
	static Statement select = {
		"SELECT " SETTLED_LABEL("u.item") " FROM unnest($2) WITH ORDINALITY u(item, n) ORDER BY u.n",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id)};

	if (!settlements_are_kept())
		return palloc0(sizeof(char *) * n);
	values[1] = text_array(items, n);
	statement_run_as_extension(&select, values, NULL, false);
	return result_strings(1, &n);
}

/* ---------------------------------------------------------------------- */
/* Classes that change */

char **
settled_classes(const Project *project, int *n)
{
	static Statement select = {
		"SELECT DISTINCT s.label FROM (" LAST_OF_EACH ") s WHERE s.label IS NOT NULL",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	*n = 0;
	if (!settlements_are_kept())
		return NULL;
	statement_run_as_extension(&select, values, NULL, false);
	return result_strings(1, n);
}

void
settlements_count(const Project *project, Datum classes, bool read_only, int64 *count,
				  int64 *last)
{
	static Statement select = {
		"SELECT pg_catalog.count(*), pg_catalog.max(s.id) FROM (" LAST_OF_EACH ") s WHERE s.label = ANY ($2)",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), classes};

	*count = *last = 0;
	if (!settlements_are_kept())
		return;
	statement_run_as_extension(&select, values, NULL, read_only);
	*count = result_bigint(0, 1);
	*last = result_bigint(0, 2);
}

int
settlements_rename(const Project *project, Datum classes, const char *into, const char *what)
{
	static Statement insert = {
		"INSERT INTO @hl_settlement (project_id, item, action, label, reviewer, reason) "
		"SELECT $1, s.item, CASE WHEN $3 IS NULL THEN 'undo' ELSE 'settle' END, $3, s.reviewer, "
		"'class \"' || s.label || '\" ' || $4 FROM (" LAST_OF_EACH ") s WHERE s.label = ANY ($2) ORDER BY s.id",
		4, {INT4OID, TEXTARRAYOID, TEXTOID, TEXTOID}, NULL, 0
	};
	/* of those that have just been taken back */
	static Statement release = {
		"UPDATE @hl_lease l SET annotator = NULL, leased_at = NULL, lease_until = NULL "
		"FROM (SELECT f.place FROM (" LAST_OF_EACH ") s CROSS JOIN LATERAL "
		"(SELECT x.ctid AS place FROM @hl_lease x WHERE x.project_id = $1 AND x.item = s.item "
		"AND x.lease_until = 'infinity' FOR UPDATE SKIP LOCKED) f WHERE s.label IS NULL "
		"AND NOT EXISTS (SELECT 1 FROM @hl_current_answer c WHERE c.project_id = $1 "
		"AND c.item = s.item AND c.label IS NOT NULL OFFSET 0)) r WHERE l.ctid = r.place",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[4] = {Int32GetDatum(project->id), classes};
	bool		nulls[4] = {false, false, into == NULL, false};
	int			n;

	if (!settlements_are_kept())
		return 0;
	if (into != NULL)
		values[2] = CStringGetTextDatum(into);
	values[3] = CStringGetTextDatum(what);
	statement_run(&insert, values, nulls, false);
	n = (int) SPI_processed;
	if (into == NULL && n > 0)
		statement_run(&release, values, NULL, false);
	return n;
}
