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

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "compat.h"
#include "store/change.h"
#include "store/session.h"
#include "store/wake.h"

static const char *const kind_names[] = {"labels", "inserted", "rows", "model", "resume", "pool"};

enum
{
	COLUMN_PROJECT, COLUMN_KIND, COLUMN_ITEMS, CHANGE_COLUMNS
};

#define LOCAL_SOURCE 2			/* number of hl_project_local.source */

/*
 * Written straight into the table: whoever inserts a single row into a source
 * shall not pay for a planned statement, and it works whoever is acting, in
 * whatever state SPI is.
 */
void
change_note(int32 project_id, ChangeKind kind, char **items, int n)
{
	Relation	relation = table_open(extension_table("hl_change"), RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(relation, NULL);

	Assert(RelationGetDescr(relation)->natts == CHANGE_COLUMNS);
	memset(slot->tts_isnull, false, sizeof(bool) * CHANGE_COLUMNS);
	slot->tts_values[COLUMN_PROJECT] = Int32GetDatum(project_id);
	slot->tts_values[COLUMN_KIND] = CStringGetTextDatum(kind_names[kind]);
	slot->tts_isnull[COLUMN_ITEMS] = items == NULL || n > CHANGE_ITEMS;
	if (!slot->tts_isnull[COLUMN_ITEMS])
		slot->tts_values[COLUMN_ITEMS] = text_array(items, n);
	ExecStoreVirtualTuple(slot);
	simple_table_tuple_insert(relation, slot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(relation, NoLock);
	wake_at_commit();
}

/*
 * The row of a project in a table whose key is the project's id; then also a
 * column of it, of type oid.  Under the latest snapshot: a trigger may be older
 * or newer than ours.
 */
static bool
find_row(const char *table, int32 project_id, AttrNumber column, Oid *value)
{
	Relation	relation = table_open(extension_table(table), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(project_id));
	scan = systable_beginscan(relation, primary_key_index(relation), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) && value != NULL)
	{
		bool		isnull;

		*value = DatumGetObjectId(heap_getattr(tuple, column, RelationGetDescr(relation), &isnull));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

bool
change_has_project(int32 project_id)
{
	return find_row("hl_project", project_id, 0, NULL);
}

Oid
change_source(int32 project_id)
{
	Oid			source = InvalidOid;

	(void) find_row("hl_project_local", project_id, LOCAL_SOURCE, &source);
	return source;
}
