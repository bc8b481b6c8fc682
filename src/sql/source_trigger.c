/*-------------------------------------------------------------------------
 *
 * source_trigger.c
 *	  hl_source_changed: what a statement has done to the rows of a source.
 *
 * One entry a statement in hl_change, with the keys of the rows where they are
 * few.  It runs in the transaction of somebody who has never heard of
 * humanloop, so it needs no privilege, takes no lock that anybody could hold,
 * and where something is not as it expects (a column renamed, the project
 * gone) it says less instead of failing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>

#include "access/sysattr.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#include "store/change.h"
#include "store/session.h"
#include "store/trigger.h"

PG_FUNCTION_INFO_V1(hl_source_changed);

/* Number of a column that an argument names; 0: there is none any more. */
static AttrNumber
column_number(const TriggerData *data, SourceTriggerArgument argument)
{
	const Trigger *trigger = data->tg_trigger;
	int			number = SPI_fnumber(RelationGetDescr(data->tg_relation),
									 trigger->tgargs[argument]);

	return number > 0 ? (AttrNumber) number : 0;
}

/*
 * May the column have changed?  What a statement sets is known, unless
 * triggers before it have set more; those of the children are not seen here.
 */
static bool
may_have_changed(const TriggerData *data, SourceTriggerArgument argument)
{
	const Relation relation = data->tg_relation;
	AttrNumber	column = column_number(data, argument);

	if (column == 0 || relation->rd_rel->relhassubclass ||
		(relation->trigdesc != NULL && relation->trigdesc->trig_update_before_row))
		return true;
	return bms_is_member(column - FirstLowInvalidHeapAttributeNumber, data->tg_updatedcols);
}

/* A condition may hang on any column, or on the row as a whole. */
static bool
update_concerns_us(const TriggerData *data, int32 project_id)
{
	for (int i = TRIGGER_KEY; i < data->tg_trigger->tgnargs; i++)
	{
		/* an empty name is none: there is no such column */
		if (data->tg_trigger->tgargs[i][0] != '\0' &&
			may_have_changed(data, (SourceTriggerArgument) i))
			return true;
	}
	return change_has_conditions(project_id);
}

/* The keys of the rows, those that are NULL left out; returns how many. */
static int
read_keys(const TriggerData *data, Tuplestorestate *store, AttrNumber key, char **items)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	Oid			output;
	bool		is_varlena;
	FmgrInfo	function;
	int			n = 0;

	getTypeOutputInfo(TupleDescAttr(desc, key - 1)->atttypid, &output, &is_varlena);
	fmgr_info(output, &function);
	/* a pointer of our own: other triggers read the same rows */
	tuplestore_select_read_pointer(store, tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND));
	tuplestore_rescan(store);
	while (n < CHANGE_ITEMS && tuplestore_gettupleslot(store, true, false, slot))
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, key, &isnull);

		if (!isnull)
			items[n++] = OutputFunctionCall(&function, value);
	}
	ExecDropSingleTupleTableSlot(slot);
	return n;
}

/*
 * Notes the rows of one or both transition tables; NULL: not asked for.  An
 * empty one is no change, a long one is not read.
 */
static void
note_rows(const TriggerData *data, int32 project_id, ChangeKind kind,
		  Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	int64		old_count = old_rows == NULL ? 0 : tuplestore_tuple_count(old_rows);
	int64		new_count = new_rows == NULL ? 0 : tuplestore_tuple_count(new_rows);
	AttrNumber	key = column_number(data, TRIGGER_KEY);
	Oid			key_type;
	char	  **items;
	int			n = 0;

	if (old_count == 0 && new_count == 0)
		return;
	if (Max(old_count, new_count) > CHANGE_ITEMS || key == 0 ||
		!key_type_of(TupleDescAttr(RelationGetDescr(data->tg_relation), key - 1)->atttypid, &key_type))
	{
		change_note(project_id, kind, NULL, 0);
		return;
	}
	items = palloc(sizeof(char *) * (old_count + new_count));
	if (old_count > 0)
		n += read_keys(data, old_rows, key, items);
	if (new_count > 0)
		n += read_keys(data, new_rows, key, items + n);
	if (old_count > 0 && new_count > 0)
		n = strings_unique(items, n);
	if (n > 0)
		change_note(project_id, kind, items, n);
}

/*
 * Is the table, or what it is a part of, or a part of it, the source?  It may
 * have come with its triggers from another database, where the project of that
 * number was another one.
 */
static bool
belongs_to_source(Oid table, Oid source)
{
	if (table == source)
		return true;
	return list_member_oid(tables_with_parents(list_make1_oid(table)), source) ||
		list_member_oid(tables_with_parents(list_make1_oid(source)), table);
}

/*
 * Shall the trigger note what has happened to its table?  Yes, if the source is
 * not known or gone: this may be what it is found in next.
 */
static bool
concerns_project(const TriggerData *data, int32 project_id)
{
	Oid			source = change_source(project_id);

	if (!OidIsValid(source))
		return change_has_project(project_id);
	return belongs_to_source(RelationGetRelid(data->tg_relation), source) ||
		!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(source));
}

/*
 * New keys are new to the source only where all that is inserted belongs to it.
 * A table that the source is a part of may have the same key elsewhere.
 */
static ChangeKind
insert_kind(const TriggerData *data, int32 project_id)
{
	Oid			table = RelationGetRelid(data->tg_relation);

	if (!data->tg_relation->rd_rel->relhassubclass ||
		list_member_oid(tables_with_parents(list_make1_oid(table)), change_source(project_id)))
		return CHANGE_INSERTED;
	return CHANGE_ROWS;
}

static void
note_statement(const TriggerData *data, int32 project_id)
{
	TriggerEvent event = data->tg_event;

	if (TRIGGER_FIRED_BY_UPDATE(event) && !update_concerns_us(data, project_id))
		return;
	/* without transition tables, see triggers_sync() */
	if (data->tg_oldtable == NULL && data->tg_newtable == NULL)
		change_note(project_id, CHANGE_ROWS, NULL, 0);
	else if (TRIGGER_FIRED_BY_INSERT(event))
		note_rows(data, project_id, insert_kind(data, project_id), NULL, data->tg_newtable);
	else if (TRIGGER_FIRED_BY_DELETE(event))
		note_rows(data, project_id, CHANGE_ROWS, data->tg_oldtable, NULL);
	else
		note_rows(data, project_id, CHANGE_ROWS,
				  may_have_changed(data, TRIGGER_KEY) ? data->tg_oldtable : NULL,
				  data->tg_newtable);
}

Datum
hl_source_changed(PG_FUNCTION_ARGS)
{
	const TriggerData *data;
	int32		project_id;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("hl_source_changed() is a trigger function"),
				 errhint("hl_create_project() creates the triggers that call it.")));
	data = (const TriggerData *) fcinfo->context;
	if (!TRIGGER_FIRED_AFTER(data->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) ||
		data->tg_trigger->tgnargs < TRIGGER_LABEL || data->tg_trigger->tgnargs > TRIGGER_ARGUMENTS)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("hl_source_changed() must be fired after a statement, with the arguments humanloop gives it"),
				 errhint("hl_create_project() creates the triggers that call it.")));
	project_id = atoi(data->tg_trigger->tgargs[TRIGGER_PROJECT]);
	if (concerns_project(data, project_id))
		note_statement(data, project_id);
	return PointerGetDatum(NULL);
}
