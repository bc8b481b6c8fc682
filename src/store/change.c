/*-------------------------------------------------------------------------
 *
 * change.c
 *	  What has changed and the model does not know yet.
 *
 * One short row a statement in a table without an index: that is all that a
 * label or an INSERT into the source pays.  The worker deletes the row in the
 * transaction that stores what it has learned from it, so whatever dies, a
 * change is learned, and hardly ever twice.  Reading and deleting
 * is done straight in the table, too: a plan for a handful of rows would take
 * the square of the time for the hundred thousands that may have come together
 * while nobody was there to learn.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/change.h"
#include "store/session.h"
#include "store/wake.h"

static const char *const kind_names[] = {"labels", "inserted", "rows", "model", "resume", "pool",
"encoder"};

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

static ChangeKind
kind_from_name(const char *name)
{
	for (int kind = 0; kind < (int) lengthof(kind_names); kind++)
	{
		if (strcmp(kind_names[kind], name) == 0)
			return (ChangeKind) kind;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unrecognized kind of change \"%s\"", name)));
}

Oid
changes_scan(int32 project_id, ChangeCallback callback, void *state)
{
	Relation	relation = table_open(extension_table("hl_change"), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop changes",
												  ALLOCSET_DEFAULT_SIZES);
	Oid			file = relation->rd_rel->relfilenode;
	ScanKeyData key;
	TableScanDesc scan;

	ScanKeyInit(&key, COLUMN_PROJECT + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(project_id));
	scan = table_beginscan(relation, GetActiveSnapshot(), 1, &key);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext before = MemoryContextSwitchTo(context);
		ChangePlace place = {.place = slot->tts_tid};
		ArrayType  *items;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		place.inserted = DatumGetTransactionId(slot_getsysattr(slot, MinTransactionIdAttributeNumber,
															   &isnull));
		items = slot->tts_isnull[COLUMN_ITEMS] ? NULL :
			DatumGetArrayTypeP(slot->tts_values[COLUMN_ITEMS]);
		callback(kind_from_name(TextDatumGetCString(slot->tts_values[COLUMN_KIND])), items, &place,
				 state);
		MemoryContextSwitchTo(before);
		MemoryContextReset(context);
	}
	table_endscan(scan);
	MemoryContextDelete(context);
	ExecDropSingleTupleTableSlot(slot);
	/* the places hold as long as we are in this transaction */
	table_close(relation, NoLock);
	return file;
}

void
change_places_add(ChangePlaces *places, const ChangePlace *place)
{
	if (places->n == places->capacity)
	{
		places->capacity = Max(64, 2 * places->capacity);
		places->places = places->places == NULL ?
			palloc_array_checked(ChangePlace, places->capacity) :
			repalloc_huge(places->places, mul_size(places->capacity, sizeof(ChangePlace)));
	}
	places->places[places->n++] = *place;
}

/*
 * If it is still the row that was noted, as it is now: who calls may just have
 * deleted it himself.  False also where somebody else is about to.
 */
static bool
delete_change(Relation relation, const ChangePlace *noted, TupleTableSlot *slot)
{
	ItemPointerData place = noted->place;
	TM_FailureData failure;
	bool		isnull;

	return table_tuple_fetch_row_version(relation, &place, SnapshotSelf, slot) &&
		noted->inserted == DatumGetTransactionId(slot_getsysattr(slot,
																 MinTransactionIdAttributeNumber,
																 &isnull)) &&
		table_tuple_delete(relation, &place, GetCurrentCommandId(true), GetActiveSnapshot(),
						   InvalidSnapshot, false, &failure, false) == TM_Ok;
}

void
changes_delete(ChangePlaces *places, Oid file, int most)
{
	Relation	relation = table_open(extension_table("hl_change"), RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	BlockNumber blocks = RelationGetNumberOfBlocks(relation);

	if (relation->rd_rel->relfilenode != file)
		places->n = 0;
	for (int i = 0; i < most && places->n > 0; i++)
	{
		const ChangePlace *noted = &places->places[--places->n];

		CHECK_FOR_INTERRUPTS();
		/* VACUUM may have made the table shorter */
		if (ItemPointerGetBlockNumber(&noted->place) < blocks)
			(void) delete_change(relation, noted, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(relation, NoLock);
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

static bool
has_targets(int32 project_id)
{
	Relation	relation = table_open(extension_table("hl_project"), AccessShareLock);
	AttrNumber	column = get_attnum(RelationGetRelid(relation), "options");
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull = true;
	bool		has = false;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(project_id));
	scan = systable_beginscan(relation, primary_key_index(relation), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Datum		options = heap_getattr(tuple, column, RelationGetDescr(relation), &isnull);
		Jsonb	   *json = isnull ? NULL : DatumGetJsonbP(options);
		JsonbValue *condition = json == NULL || !JB_ROOT_IS_OBJECT(json) ? NULL :
			getKeyJsonValueFromContainer(&json->root, "targets", strlen("targets"), NULL);

		/* null, given to hl_create_project(), is none */
		has = condition != NULL && condition->type == jbvString;
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return has;
}

bool
change_has_conditions(int32 project_id)
{
	return has_targets(project_id) ||
		(OidIsValid(extension_table("hl_rule")) && find_row("hl_rule", project_id, 0, NULL));
}

Oid
change_source(int32 project_id)
{
	Oid			source = InvalidOid;

	(void) find_row("hl_project_local", project_id, LOCAL_SOURCE, &source);
	return source;
}
