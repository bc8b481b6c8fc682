/*-------------------------------------------------------------------------
 *
 * source_ddl.c
 *	  Event triggers: tables that become part of a source, or leave it, and
 *	  sources that change their names and types.
 *
 * A partition that is attached brings rows, one that is detached or dropped
 * takes some away, and none of them is a statement that a trigger on the source
 * fires for.  A column that is renamed is called something else in the
 * triggers' arguments, and names are recorded at once, so that a dump has them.
 *
 * The queue view uses the key and the input, and so PostgreSQL would refuse to
 * change their types.  It is dropped before such a change and created again
 * after it, so that nobody's migration needs to know of it.
 *
 * Everybody's DDL comes by here, so what cannot concern a source is told by its
 * parse tree alone, and nothing that goes wrong is an error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>

#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "utils/array.h"

#include "compat.h"
#include "store/change.h"
#include "store/session.h"
#include "store/trigger.h"
#include "store/view.h"

PG_FUNCTION_INFO_V1(hl_source_altering);
PG_FUNCTION_INFO_V1(hl_source_altered);
PG_FUNCTION_INFO_V1(hl_source_dropped);

/* What a statement does to tables that may be sources. */
typedef struct Alteration
{
	List	   *tables;			/* of RangeVar */
	bool		rows;			/* come, go or change */
	bool		names;			/* of anything, or its owner, change */
	List	   *retyped;		/* of ColumnType */
} Alteration;

typedef struct ColumnType
{
	const char *column;
	Oid			type;			/* as it shall be; InvalidOid: not known */
} ColumnType;

static ColumnType *
read_column_type(const AlterTableCmd *command)
{
	const ColumnDef *definition = castNode(ColumnDef, command->def);
	ColumnType *retyped = palloc(sizeof(ColumnType));

	retyped->column = command->name;
	retyped->type = LookupTypeNameOid(NULL, definition->typeName, true);
	return retyped;
}

static void
read_alter_table(AlterTableStmt *statement, Alteration *alteration)
{
	ListCell   *cell;

	foreach(cell, statement->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);
		RangeVar   *other = NULL;

		switch (command->subtype)
		{
			case AT_AttachPartition:
			case AT_DetachPartition:
			case AT_DetachPartitionFinalize:
				other = ((PartitionCmd *) command->def)->name;
				break;
			case AT_AddInherit:
			case AT_DropInherit:
				other = (RangeVar *) command->def;
				break;
			case AT_AlterColumnType:
				alteration->retyped = lappend(alteration->retyped, read_column_type(command));
				break;
			case AT_ChangeOwner:
				alteration->names = true;
				continue;
			default:
				continue;
		}
		alteration->rows = true;
		alteration->tables = lappend(alteration->tables, statement->relation);
		if (other != NULL)
			alteration->tables = lappend(alteration->tables, other);
	}
}

static void
read_statement(Node *statement, Alteration *alteration)
{
	switch (nodeTag(statement))
	{
		case T_AlterTableStmt:
			read_alter_table((AlterTableStmt *) statement, alteration);
			break;
		case T_CreateStmt:
			alteration->tables = ((CreateStmt *) statement)->inhRelations;
			break;
		case T_CreateForeignTableStmt:
			alteration->tables = ((CreateForeignTableStmt *) statement)->base.inhRelations;
			break;
		case T_RenameStmt:
			alteration->names = true;
			if (((RenameStmt *) statement)->renameType == OBJECT_COLUMN)
				alteration->tables = list_make1(((RenameStmt *) statement)->relation);
			break;
		case T_AlterObjectSchemaStmt:
			alteration->names = true;
			break;
		case T_RefreshMatViewStmt:
			alteration->tables = list_make1(((RefreshMatViewStmt *) statement)->relation);
			alteration->rows = true;
			break;
		default:
			break;
	}
}

/* The tables, all that they are a part of and all their parts; oid[]. */
static Datum
tables_around(const Alteration *alteration)
{
	List	   *tables = NIL;
	List	   *parts;
	Datum	   *oids;
	ListCell   *cell;

	foreach(cell, alteration->tables)
	{
		Oid			table = RangeVarGetRelid(lfirst_node(RangeVar, cell), NoLock, true);

		if (OidIsValid(table))
			tables = list_append_unique_oid(tables, table);
	}
	parts = NIL;
	foreach(cell, tables)
		parts = list_concat(parts, find_all_inheritors(lfirst_oid(cell), NoLock, NULL));
	tables = list_concat(tables_with_parents(tables), parts);
	oids = palloc(sizeof(Datum) * Max(list_length(tables), 1));
	for (int i = 0; i < list_length(tables); i++)
		oids[i] = ObjectIdGetDatum(list_nth_oid(tables, i));
	return PointerGetDatum(construct_array(oids, list_length(tables), OIDOID, sizeof(Oid), true,
										   TYPALIGN_INT));
}

/* Of the last result, which has their numbers; those that are gone left out. */
static List *
read_projects(void)
{
	int			n = (int) SPI_processed;
	int32	   *ids = palloc_array_checked(int32, n);
	List	   *projects = NIL;

	for (int i = 0; i < n; i++)
		ids[i] = result_int(i, 1);
	for (int i = 0; i < n; i++)
	{
		Project    *project = project_read(ids[i], false);

		if (project != NULL)
			projects = lappend(projects, project);
	}
	return projects;
}

/* Those whose source is, or is a part of, or has as a part, one of the tables. */
static List *
projects_around(const Alteration *alteration)
{
	static Statement select = {
		"SELECT project_id FROM @hl_project_local WHERE source = ANY ($1)", 1, {OIDARRAYOID}, NULL, 0
	};
	Datum		values[1] = {tables_around(alteration)};

	statement_run_as_extension(&select, values, NULL, false);
	return read_projects();
}

/*
 * Does the queue view use one of the columns whose type is changed?  Not where
 * the project could not go on with the new type: then it stays in the way.
 */
static bool
retypes(const Alteration *alteration, const Project *project)
{
	bool		concerned = false;
	ListCell   *cell;

	foreach(cell, alteration->retyped)
	{
		const ColumnType *retyped = lfirst(cell);
		InputKind	input;
		Oid			key;

		if (strcmp(retyped->column, project->key_column) == 0)
		{
			if (!OidIsValid(retyped->type) || !key_type_of(retyped->type, &key))
				return false;
			concerned = true;
		}
		if (strcmp(retyped->column, project->input_column) == 0)
		{
			if (!OidIsValid(retyped->type) || !input_kind_of(retyped->type, &input))
				return false;
			concerned = true;
		}
	}
	return concerned;
}

static void
restore_view(void *project)
{
	view_restore(project);
}

static void
follow_alteration(void *argument)
{
	const Alteration *alteration = argument;
	ListCell   *cell;

	foreach(cell, projects_around(alteration))
	{
		Project    *project = lfirst(cell);

		if (!OidIsValid(project->source))
			continue;
		if (alteration->rows)
		{
			triggers_remove_strays(project);
			change_note(project->id, CHANGE_ROWS, NULL, 0);
		}
		if (retypes(alteration, project))
			(void) attempt(restore_view, project, "humanloop cannot create its queue view again", WARNING);
		triggers_follow(project);
	}
}

/* Sources and queue views that are called something else, or are elsewhere now. */
static void
follow_names(void *argument pg_attribute_unused())
{
	static Statement select = {
		"SELECT DISTINCT l.project_id FROM pg_catalog.pg_event_trigger_ddl_commands() d "
		"JOIN pg_catalog.pg_class c ON d.objid IN (c.oid, c.relnamespace) "
		"JOIN @hl_project_local l ON c.oid IN (l.source, l.queue_view)", 0, {0}, NULL, 0
	};
	ListCell   *cell;

	statement_run_as_extension(&select, NULL, NULL, false);
	foreach(cell, read_projects())
		project_follow(lfirst(cell));
}

static void
drop_view(void *project)
{
	view_drop(project);
}

/* PostgreSQL says why, where it refuses the change after all. */
static void
set_views_aside(void *argument)
{
	const Alteration *alteration = argument;
	ListCell   *cell;

	foreach(cell, projects_around(alteration))
	{
		Project    *project = lfirst(cell);

		if (retypes(alteration, project) && view_restorable(project))
			(void) attempt(drop_view, project, "humanloop cannot set its queue view aside", DEBUG1);
	}
}

/*
 * A trigger of ours that was dropped with its table tells of rows that are gone
 * with it.
 */
static void
follow_drop(void *argument pg_attribute_unused())
{
	static Statement select = {
		"SELECT DISTINCT p.id FROM pg_catalog.pg_event_trigger_dropped_objects() d "
		"JOIN @hl_project p ON d.address_names[3] LIKE "
		"'" SOURCE_TRIGGER_PREFIX "' || p.id || '\\_%' WHERE d.object_type = 'trigger'",
		0, {0}, NULL, 0
	};
	int			n;
	int32	   *projects;

	statement_run_as_extension(&select, NULL, NULL, false);
	n = (int) SPI_processed;
	projects = palloc_array_checked(int32, n);
	for (int i = 0; i < n; i++)
		projects[i] = result_int(i, 1);
	for (int i = 0; i < n; i++)
		change_note(projects[i], CHANGE_ROWS, NULL, 0);
}

/* True: not as an event trigger, or while humanloop itself is on the move. */
static bool
nothing_to_follow(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this is an event trigger function")));
	return creating_extension || IsBinaryUpgrade ||
		!OidIsValid(get_extension_oid("humanloop", true));
}

static void
follow(Attempt step, void *argument)
{
	MemoryContext before = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	(void) attempt(step, argument, "humanloop cannot follow this change of a source", WARNING);
	SPI_finish();
	MemoryContextSwitchTo(before);
}

/* May he alter the table?  He has not been asked yet. */
static bool
owns_table(const Alteration *alteration)
{
	Oid			table = RangeVarGetRelid(linitial_node(RangeVar, alteration->tables), NoLock, true);

	return OidIsValid(table) && relation_ownercheck(table, GetUserId());
}

Datum
hl_source_altering(PG_FUNCTION_ARGS)
{
	Alteration	alteration = {0};

	if (nothing_to_follow(fcinfo))
		PG_RETURN_VOID();
	read_statement(((EventTriggerData *) fcinfo->context)->parsetree, &alteration);
	if (alteration.retyped != NIL && owns_table(&alteration))
		follow(set_views_aside, &alteration);
	PG_RETURN_VOID();
}

Datum
hl_source_altered(PG_FUNCTION_ARGS)
{
	Alteration	alteration = {0};

	if (nothing_to_follow(fcinfo))
		PG_RETURN_VOID();
	read_statement(((EventTriggerData *) fcinfo->context)->parsetree, &alteration);
	if (alteration.names)
		follow(follow_names, NULL);
	if (alteration.tables != NIL)
		follow(follow_alteration, &alteration);
	PG_RETURN_VOID();
}

Datum
hl_source_dropped(PG_FUNCTION_ARGS)
{
	if (!nothing_to_follow(fcinfo))
		follow(follow_drop, NULL);
	PG_RETURN_VOID();
}
