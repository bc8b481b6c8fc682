/*-------------------------------------------------------------------------
 *
 * change.c
 *	  What has changed and the model does not know yet.
 *
 * One short row a statement in a table without an index: that is all that a
 * label or an INSERT into the source pays.  The worker deletes the row in the
 * transaction that stores what it has learned from it, so whatever dies, a
 * change is learned exactly once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "store/change.h"
#include "store/session.h"
#include "store/wake.h"

static const char *const kind_names[] = {"labels", "inserted", "rows", "model"};

void
change_note(int32 project_id, ChangeKind kind, char **items, int n)
{
	static Statement insert = {
		"INSERT INTO @hl_change VALUES ($1, $2, $3)", 3, {INT4OID, TEXTOID, TEXTARRAYOID}, NULL, 0
	};
	bool		nulls[3] = {false, false, items == NULL || n > CHANGE_ITEMS};
	Datum		values[3] = {
		Int32GetDatum(project_id), CStringGetTextDatum(kind_names[kind]),
		nulls[2] ? (Datum) 0 : text_array(items, n)
	};

	statement_run_as_extension(&insert, values, nulls, false);
	wake_at_commit();
}
