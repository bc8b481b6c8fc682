/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  The triggers that a project has on its source.
 *
 * Four a table: one statement each for INSERT, UPDATE and DELETE, as one with
 * transition tables serves one event only, and one for TRUNCATE.  A statement
 * fires those of the table it names, so every partition and child has its own.
 * What they note is in sql/source_trigger.c.
 *
 * They are plain triggers, to be seen, disabled and dumped as any other.
 * Nothing about them is recorded: they are recognised by the function they call
 * and the project's id among its arguments, so that those of a restored dump
 * are found.  The statements are executed as any user's, so that an extension
 * that forbids triggers on its tables is heard.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "store/change.h"
#include "store/refresh.h"
#include "store/session.h"
#include "store/trigger.h"

typedef struct EventKind
{
	const char *event;			/* as in SQL */
	const char *suffix;			/* of the trigger's name */
	const char *transitions;
	int16		type;			/* as in pg_trigger.tgtype */
} EventKind;

static const EventKind events[] = {
	{"INSERT", "insert", "NEW TABLE AS humanloop_new", TRIGGER_TYPE_INSERT},
	{"UPDATE", "update", "OLD TABLE AS humanloop_old NEW TABLE AS humanloop_new", TRIGGER_TYPE_UPDATE},
	{"DELETE", "delete", "OLD TABLE AS humanloop_old", TRIGGER_TYPE_DELETE},
	{"TRUNCATE", "truncate", NULL, TRIGGER_TYPE_TRUNCATE}
};

#define FAILURE "humanloop cannot have its triggers on the source"

#define INSERT_EVENT 0

/* What is wanted on one table. */
typedef struct Wanted
{
	Oid			relation;
	bool		inserts;		/* shall they be noted? */
	bool		transitions;
	Oid			function;
	int			nargs;
	const char *args[TRIGGER_ARGUMENTS];
	bool		fits[lengthof(events)];
	const char *found[lengthof(events)];	/* name of what does not fit */
} Wanted;

static Oid
trigger_function(void)
{
	List	   *name = list_make2(makeString(get_namespace_name(extension_namespace())),
								  makeString(SOURCE_TRIGGER_FUNCTION));

	return LookupFuncName(name, 0, NULL, true);
}

static void
set_arguments(Wanted *wanted, const Project *project)
{
	wanted->args[TRIGGER_PROJECT] = psprintf("%d", project->id);
	wanted->args[TRIGGER_KEY] = project->key_column;
	wanted->args[TRIGGER_INPUT] = project->inputs[0].column;
	wanted->args[TRIGGER_LABEL] = project->label_column == NULL ? "" : project->label_column;
	for (int i = 1; i < project->ninputs; i++)
		wanted->args[TRIGGER_MORE_INPUTS + i - 1] = project->inputs[i].column;
	if (project->ninputs > 1)
		wanted->nargs = TRIGGER_MORE_INPUTS + project->ninputs - 1;
	else
		wanted->nargs = project->label_column == NULL ? TRIGGER_LABEL : TRIGGER_MORE_INPUTS;
}

/* ---------------------------------------------------------------------- */
/* Looking */

static bool
trigger_fits(const Wanted *wanted, const EventKind *event, const Trigger *trigger)
{
	bool		transitions = wanted->transitions && event->transitions != NULL;

	/* whoever has disabled it knows why */
	if (trigger->tgenabled == TRIGGER_DISABLED)
		return true;
	if ((trigger->tgnewtable != NULL || trigger->tgoldtable != NULL) != transitions ||
		trigger->tgnargs != wanted->nargs)
		return false;
	for (int i = 0; i < wanted->nargs; i++)
	{
		if (strcmp(trigger->tgargs[i], wanted->args[i]) != 0)
			return false;
	}
	return true;
}

/* True: all of them are there. */
static bool
compare_triggers(Wanted *wanted)
{
	Relation	relation = table_open(wanted->relation, NoLock);
	const TriggerDesc *triggers = relation->trigdesc;
	bool		complete = true;

	memset(wanted->fits, 0, sizeof(wanted->fits));
	wanted->fits[INSERT_EVENT] = !wanted->inserts;
	memset(wanted->found, 0, sizeof(wanted->found));
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgfoid != wanted->function || trigger->tgnargs < 1 ||
			strcmp(trigger->tgargs[TRIGGER_PROJECT], wanted->args[TRIGGER_PROJECT]) != 0)
			continue;
		for (int e = 0; e < (int) lengthof(events); e++)
		{
			if ((trigger->tgtype & events[e].type) == 0)
				continue;
			if (trigger_fits(wanted, &events[e], trigger))
				wanted->fits[e] = true;
			else
				wanted->found[e] = pstrdup(trigger->tgname);
		}
	}
	for (int e = 0; e < (int) lengthof(events); e++)
		complete = complete && wanted->fits[e];
	table_close(relation, NoLock);
	return complete;
}

/* ---------------------------------------------------------------------- */
/* Creating */

static void
execute(const char *text)
{
	MemoryContext before = CurrentMemoryContext;
	int			code = SPI_execute(text, false, 0);

	MemoryContextSwitchTo(before);
	if (code < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(code));
}

static const char *
wanted_name(const Wanted *wanted, int event)
{
	return wanted->found[event] != NULL ? wanted->found[event] :
		psprintf(SOURCE_TRIGGER_PREFIX "%s_%s", wanted->args[TRIGGER_PROJECT],
				 events[event].suffix);
}

static char *
wanted_relation(const Wanted *wanted)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(wanted->relation)),
									  get_rel_name(wanted->relation));
}

static char *
create_statement(const Wanted *wanted, int event)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "CREATE %sTRIGGER %s AFTER %s ON %s ",
					 wanted->found[event] != NULL ? "OR REPLACE " : "",
					 quote_identifier(wanted_name(wanted, event)), events[event].event,
					 wanted_relation(wanted));
	if (wanted->transitions && events[event].transitions != NULL)
		appendStringInfo(&text, "REFERENCING %s ", events[event].transitions);
	appendStringInfo(&text, "FOR EACH STATEMENT EXECUTE FUNCTION %s." SOURCE_TRIGGER_FUNCTION "(",
					 extension_schema());
	for (int i = 0; i < wanted->nargs; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "", quote_literal_cstr(wanted->args[i]));
	appendStringInfoChar(&text, ')');
	return text.data;
}

/*
 * They call a function of the extension, but shall not keep it from being
 * dropped: so they go with it, as after ALTER TRIGGER ... DEPENDS ON EXTENSION.
 */
static void
create_triggers(void *argument)
{
	const Wanted *wanted = argument;
	ObjectAddress extension;
	Acting		acting;

	ObjectAddressSet(extension, ExtensionRelationId, extension_oid());
	act_as_extension(&acting);
	for (int e = 0; e < (int) lengthof(events); e++)
	{
		ObjectAddress trigger;

		if (wanted->fits[e])
			continue;
		execute(create_statement(wanted, e));
		CommandCounterIncrement();
		ObjectAddressSet(trigger, TriggerRelationId,
						 get_trigger_oid(wanted->relation, wanted_name(wanted, e), false));
		recordDependencyOn(&trigger, &extension, DEPENDENCY_AUTO_EXTENSION);
	}
	act_as_before(&acting);
}

/*
 * Rows change under session_replication_role = replica, too.  On its own, as
 * ALTER TABLE refuses a table that is in use in this session.
 */
static void
enable_triggers(void *argument)
{
	const Wanted *wanted = argument;
	Acting		acting;

	act_as_extension(&acting);
	for (int e = 0; e < (int) lengthof(events); e++)
	{
		if (!wanted->fits[e])
			execute(psprintf("ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %s", wanted_relation(wanted),
							 quote_identifier(wanted_name(wanted, e))));
	}
	act_as_before(&acting);
}

static bool
lock_relation(Oid relation, LOCKMODE mode, bool wait)
{
	if (wait)
		LockRelationOid(relation, mode);
	else if (!ConditionalLockRelationOid(relation, mode))
		return false;
	/* it may have been dropped before we had the lock */
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation));
}

/* ---------------------------------------------------------------------- */

static bool
may_have_triggers(Oid relation)
{
	char		kind = get_rel_relkind(relation);

	return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
		get_rel_persistence(relation) != RELPERSISTENCE_TEMP &&
		!IsCatalogRelationOid(relation);
}

List *
tables_with_parents(List *tables)
{
	for (int i = 0; i < list_length(tables); i++)
	{
		Relation	relation = table_open(InheritsRelationId, AccessShareLock);
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(list_nth_oid(tables, i)));
		scan = systable_beginscan(relation, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
			tables = list_append_unique_oid(tables, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent);
		systable_endscan(scan);
		table_close(relation, AccessShareLock);
	}
	return tables;
}

/*
 * The tables that a statement may name to change the source's rows: its
 * partitions and children, and what it is itself a part of, provided its owner
 * owns that, too.  NIL where it can have no triggers.
 */
static List *
source_tables(const Project *project)
{
	List	   *above;
	List	   *tables;

	if (!OidIsValid(project->source) || !may_have_triggers(project->source))
		return NIL;
	tables = find_all_inheritors(project->source, NoLock, NULL);
	above = tables_with_parents(list_make1_oid(project->source));
	for (int i = 1; i < list_length(above); i++)
	{
		if (relation_ownercheck(list_nth_oid(above, i), project_source_owner(project)))
			tables = list_append_unique_oid(tables, list_nth_oid(above, i));
	}
	return tables;
}

/* Has any of them a foreign table below it? */
static bool
has_foreign_table(const List *tables)
{
	ListCell   *cell;

	foreach(cell, tables)
	{
		List	   *below = find_all_inheritors(lfirst_oid(cell), NoLock, NULL);
		ListCell   *table;

		foreach(table, below)
		{
			if (get_rel_relkind(lfirst_oid(table)) == RELKIND_FOREIGN_TABLE)
				return true;
		}
		list_free(below);
	}
	return false;
}

bool
triggers_possible(const Project *project)
{
	List	   *tables = source_tables(project);

	return tables != NIL && !has_foreign_table(tables);
}

/*
 * What is missing on one table or stale is created: true, where something
 * was; complete becomes false where something was not.
 */
static bool
sync_table(Wanted *wanted, bool wait, bool *complete)
{
	if (!lock_relation(wanted->relation, AccessShareLock, wait))
	{
		*complete = false;
		return false;
	}
	if (compare_triggers(wanted))
		return false;
	/* somebody else may have created them while we waited */
	if (!lock_relation(wanted->relation, ShareRowExclusiveLock, wait) ||
		(!compare_triggers(wanted) &&
		 !attempt(create_triggers, wanted, FAILURE, wait ? WARNING : DEBUG1)))
	{
		*complete = false;
		return false;
	}
	(void) attempt(enable_triggers, wanted, FAILURE, DEBUG1);
	return true;
}

/* The same for the whole source. */
static bool
sync_tables(const Project *project, bool wait, bool *complete)
{
	List	   *tables = source_tables(project);
	Wanted		wanted = {0};
	bool		foreign;
	bool		created = false;
	List	   *below;
	ListCell   *cell;

	*complete = true;
	wanted.function = tables == NIL ? InvalidOid : trigger_function();
	if (!OidIsValid(wanted.function))
		return false;
	set_arguments(&wanted, project);
	foreign = has_foreign_table(tables);
	below = find_all_inheritors(project->source, NoLock, NULL);
	foreach(cell, tables)
	{
		wanted.relation = lfirst_oid(cell);
		if (!may_have_triggers(wanted.relation))
			continue;

		/*
		 * A statement that writes to a foreign partition fails where its rows
		 * are asked for; so there we only learn that there was one.
		 */
		wanted.transitions = !foreign || !has_subclass(wanted.relation);
		/* what is inserted into a parent by inheritance is none of our rows */
		wanted.inserts = list_member_oid(below, wanted.relation) ||
			get_rel_relkind(wanted.relation) == RELKIND_PARTITIONED_TABLE;
		if (sync_table(&wanted, wait, complete))
			created = true;
	}
	return created;
}

bool
triggers_sync(const Project *project, bool wait)
{
	ProjectState state;
	bool		complete;

	if (sync_tables(project, wait, &complete))
	{
		state_read(project, &state);
		if (state.encoder_id != 0)
			change_note(project->id, CHANGE_ROWS, NULL, 0);
	}
	return complete;
}

void
triggers_follow(const Project *project)
{
	bool		complete;

	(void) sync_tables(project, false, &complete);
}

/* ---------------------------------------------------------------------- */
/* Removing */

/* The triggers of all projects, as a list of OIDs. */
static List *
find_triggers(void)
{
	Oid			function = trigger_function();
	Relation	depend;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *found = NIL;

	if (!OidIsValid(function))
		return NIL;
	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ProcedureRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(function));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == TriggerRelationId)
			found = lappend_oid(found, form->objid);
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

/* Its project, and its table unless NULL; 0: it is gone, or none of ours. */
static int32
find_trigger(Oid trigger, Snapshot snapshot, Oid *table)
{
	Relation	relation = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int32		project_id = 0;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger));
	scan = systable_beginscan(relation, TriggerOidIndexId, true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) && ((Form_pg_trigger) GETSTRUCT(tuple))->tgnargs > 0 &&
		((Form_pg_trigger) GETSTRUCT(tuple))->tgfoid == trigger_function())
	{
		bool		isnull;
		bytea	   *args = DatumGetByteaPP(heap_getattr(tuple, Anum_pg_trigger_tgargs,
														RelationGetDescr(relation), &isnull));

		/* strings one after the other, each with its zero */
		project_id = atoi(VARDATA_ANY(args));
		if (table != NULL)
			*table = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return project_id;
}

/* A row that we have deleted ourselves is still there, for whoever asks for any. */
int32
trigger_project(Oid trigger)
{
	return find_trigger(trigger, SnapshotAny, NULL);
}

static void
drop_trigger(void *argument)
{
	ObjectAddress trigger;

	ObjectAddressSet(trigger, TriggerRelationId, *(Oid *) argument);
	performDeletion(&trigger, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
}

static void
remove_triggers(int32 project_id, const List *keep, bool wait)
{
	List	   *triggers = find_triggers();
	ListCell   *cell;

	foreach(cell, triggers)
	{
		Oid			trigger = lfirst_oid(cell);
		Oid			table;

		if (find_trigger(trigger, NULL, &table) != project_id || list_member_oid(keep, table) ||
			!lock_relation(table, AccessExclusiveLock, wait))
			continue;
		/* with the table, meanwhile? */
		if (find_trigger(trigger, NULL, NULL) == project_id)
			(void) attempt(drop_trigger, &trigger, FAILURE, DEBUG1);
	}
}

void
triggers_remove_strays(const Project *project)
{
	remove_triggers(project->id, source_tables(project), false);
}

void
triggers_drop(const Project *project)
{
	remove_triggers(project->id, NIL, true);
}
