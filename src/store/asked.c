/*-------------------------------------------------------------------------
 *
 * asked.c
 *	  Items that are asked before all others, as somebody wants an answer.
 *
 * A row of hl_asked stays when its item is answered: that somebody has asked
 * belongs to what people said.  Whoever hands out questions leaves out what has
 * a label (lease.c); answered_at is only there so that he does not have to look
 * at all that was ever asked.  Nobody waits for anybody here, so there may be
 * two rows of an item, and one that was answered may be open for a while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "store/asked.h"
#include "store/queue.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/source.h"

bool
asks_are_kept(void)
{
	return OidIsValid(extension_table("hl_asked"));
}

/* asked_by NULL: it was the option. */
static void
add(const Project *project, char **items, int n, const char *asked_by)
{
	static Statement insert = {
		"INSERT INTO @hl_asked (project_id, item, asked_by) SELECT $1, u.item, $3 "
		"FROM unnest($2) WITH ORDINALITY u(item, n) WHERE NOT EXISTS (SELECT 1 FROM @hl_asked a "
		"WHERE a.project_id = $1 AND a.item = u.item AND a.answered_at IS NULL OFFSET 0) ORDER BY u.n",
		3, {INT4OID, TEXTARRAYOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), text_array(items, n),
		asked_by == NULL ? (Datum) 0 : CStringGetTextDatum(asked_by)
	};
	bool		nulls[3] = {false, false, asked_by == NULL};

	statement_run_as_extension(&insert, values, nulls, false);
	leases_add(project, items, n);
}

/* A gold label is not looked at: whoever asks would know by that which items are gold. */
#define IS_LABELLED(item) \
	"(EXISTS (SELECT 1 FROM @hl_current_answer c WHERE c.project_id = $1 AND c.item = " item " " \
	"AND c.label IS NOT NULL OFFSET 0) OR " SETTLED_LABEL(item) " IS NOT NULL)"

static bool
has_label(const Project *project, char *item)
{
	static Statement select = {
		"SELECT 1 WHERE " IS_LABELLED("$2"), 2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(item)};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0;
}

bool
ask_for(const Project *project, char *item)
{
	char	   *missing;

	if (!asks_are_kept())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the extension's objects are of a version before 0.5.0"),
				 errhint("ALTER EXTENSION humanloop UPDATE.")));
	if (has_label(project, item))
		return false;
	if (source_missing(project, &item, 1, &missing) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 project->options.targets == NULL ?
				 errmsg("item \"%s\" of project \"%s\" has no input, so there is nothing to ask", item,
						project->name) :
				 errmsg("item \"%s\" of project \"%s\" is not asked: it has no input, or does not satisfy the condition of option \"targets\"",
						item, project->name)));
	add(project, &item, 1, GetUserNameFromId(GetUserId(), false));
	return true;
}

void
asks_add(const Project *project, char **items, int n)
{
	if (n > 0 && asks_are_kept())
		add(project, items, n, NULL);
}

char **
asks_open(const Project *project, int *n)
{
	static Statement select = {
		"SELECT DISTINCT item FROM @hl_asked WHERE project_id = $1 AND answered_at IS NULL",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	*n = 0;
	if (!asks_are_kept())
		return NULL;
	statement_run_as_extension(&select, values, NULL, false);
	return result_strings(1, n);
}

void
asks_close(const Project *project)
{
	static Statement close = {
		"UPDATE @hl_asked SET answered_at = pg_catalog.clock_timestamp() WHERE ctid = ANY (ARRAY("
		"SELECT a.ctid FROM @hl_asked a WHERE a.project_id = $1 AND a.answered_at IS NULL "
		"AND " IS_LABELLED("a.item") " FOR UPDATE SKIP LOCKED))",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	if (asks_are_kept())
		statement_run_as_extension(&close, values, NULL, false);
}

void
asks_reopen(const Project *project, char **items, int n)
{
	static Statement reopen = {
		"UPDATE @hl_asked SET answered_at = NULL WHERE ctid = ANY (ARRAY("
		"SELECT a.ctid FROM @hl_asked a WHERE a.project_id = $1 AND ($2 IS NULL OR a.item = ANY ($2)) "
		"AND a.answered_at IS NOT NULL AND NOT " IS_LABELLED("a.item") " FOR UPDATE SKIP LOCKED)) "
		"RETURNING item",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id)};
	bool		nulls[2] = {false, items == NULL};
	char	  **open;

	if (!asks_are_kept())
		return;
	if (items != NULL)
		values[1] = text_array(items, n);
	statement_run_as_extension(&reopen, values, nulls, false);
	open = result_strings(1, &n);
	/* they may have left the ranking meanwhile */
	if (n > 0)
		leases_add(project, open, n);
}

void
asks_forget(const Project *project, char **items, int n)
{
	static Statement forget = {
		"DELETE FROM @hl_asked WHERE ctid = ANY (ARRAY(SELECT a.ctid FROM unnest($2) u(item) "
		"CROSS JOIN LATERAL (SELECT x.ctid FROM @hl_asked x WHERE x.project_id = $1 "
		"AND x.item = u.item FOR UPDATE SKIP LOCKED) a))",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};

	if (n > 0 && asks_are_kept())
		statement_run_as_extension(&forget, values, NULL, false);
}

void
asks_check(const Project *project)
{
	int			n;
	char	  **items = asks_open(project, &n);
	char	  **missing;

	if (n == 0)
		return;
	missing = palloc_array_checked(char *, n);
	asks_forget(project, missing, source_missing(project, items, n, missing));
}

void
asks_drop(const Project *project)
{
	static Statement delete = {
		"DELETE FROM @hl_asked WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	if (asks_are_kept())
		statement_run_as_extension(&delete, values, NULL, false);
}
