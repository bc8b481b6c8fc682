/*-------------------------------------------------------------------------
 *
 * source_ddl.c
 *	  Event triggers: tables that become part of a source, or leave it, and
 *	  sources that change their names and types.
 *
 * A partition that is attached brings rows, one that is detached or dropped
 * takes some away, and none of them is a statement that a trigger on the source
 * fires for.  A column that is renamed is called something else in the
 * triggers' arguments.  Names are recorded when they change, so that a dump that
 * is taken right after has them.
 *
 * The queue view uses the key and the inputs, and so PostgreSQL would refuse to
 * change their types.  It is dropped before such a change and created again
 * after it, so that nobody's migration needs to know of it.
 *
 * Everybody's DDL comes by here, so what cannot concern a source is told by its
 * parse tree alone, and nothing that goes wrong is an error.  What PostgreSQL would
 * refuse on account of a queue view is refused here, with a hint.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>

#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parse_coerce.h"
#include "parser/parse_type.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "store/change.h"
#include "store/queue_view.h"
#include "store/session.h"
#include "store/trigger.h"

PG_FUNCTION_INFO_V1(hl_source_altered);
PG_FUNCTION_INFO_V1(hl_source_dropped);

/* What a statement does to tables that may be sources. */
typedef struct Alteration
{
	List	   *tables;			/* of RangeVar */
	bool		rows;			/* come, go or change */
	bool		names;			/* of relations or columns have changed, or owners */
	List	   *revoked;		/* of RoleSpec: roles that lose their privileges */
	List	   *retyped;		/* of ColumnType */
	struct Refusal *refusal;	/* NULL: we know of none */
	MemoryContext context;		/* for that */
} Alteration;

/* What PostgreSQL is going to refuse, as a queue view is in the way. */
typedef struct Refusal
{
	char	   *project;
	char	   *column;
	Oid			type;			/* that the project cannot use; InvalidOid: it could */
	Oid			view;
} Refusal;

typedef struct ColumnType
{
	const char *column;
	TypeName   *name;			/* of the type that it shall have */
	bool		converted;		/* by an expression: USING */
} ColumnType;

static ColumnType *
read_column_type(const AlterTableCmd *command)
{
	const ColumnDef *definition = castNode(ColumnDef, command->def);
	ColumnType *retyped = palloc(sizeof(ColumnType));

	retyped->column = command->name;
	retyped->name = definition->typeName;
	retyped->converted = definition->raw_default != NULL;
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
			if (((RenameStmt *) statement)->renameType == OBJECT_COLUMN)
				alteration->tables = list_make1(((RenameStmt *) statement)->relation);
			alteration->names = true;
			break;
		case T_AlterObjectSchemaStmt:
			alteration->names = true;
			break;
		case T_DropOwnedStmt:
			alteration->revoked = ((DropOwnedStmt *) statement)->roles;
			break;
		case T_RefreshMatViewStmt:
			alteration->tables = list_make1(((RefreshMatViewStmt *) statement)->relation);
			alteration->rows = true;
			break;
		default:
			break;
	}
}

/*
 * The tables, all that they are a part of and all their parts; oid[].  A function
 * in the statement may have changed search_path, so that a name means another
 * table now; but not one that belongs to whoever has altered his own.
 */
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

		if (OidIsValid(table) && relation_ownercheck(table, GetUserId()))
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
		Project    *project = project_read_any(ids[i], false);

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

/* InvalidOid: not known; that of another column is not looked for. */
static Oid
new_type(const ColumnType *retyped)
{
	return retyped->name->pct_type ? InvalidOid : LookupTypeNameOid(NULL, retyped->name, true);
}

/*
 * Can the project go on with a new type of one of its columns?  InvalidOid: yes,
 * or it is none of its columns.
 */
static Oid
unusable_type(const ColumnType *retyped, const Project *project)
{
	Oid			type = new_type(retyped);
	ProjectInput input;
	Oid			key;

	if (strcmp(retyped->column, project->key_column) == 0 && !key_type_of(type, &key))
		return type;
	if (project_input(project, retyped->column) >= 0 && !input_type(type, &input))
		return type;
	return InvalidOid;
}

/* Those of the columns whose type is changed that the queue view uses. */
static List *
retyped_columns(const Alteration *alteration, const Project *project)
{
	List	   *columns = NIL;
	ListCell   *cell;

	foreach(cell, alteration->retyped)
	{
		ColumnType *retyped = lfirst(cell);

		if (strcmp(retyped->column, project->key_column) == 0 ||
			project_input(project, retyped->column) >= 0)
			columns = lappend(columns, retyped);
	}
	return columns;
}

/*
 * Does the queue view use one of the columns whose type is changed?  Not where
 * the project could not go on with the new type: then it stays in the way.
 */
static bool
retypes(const Alteration *alteration, const Project *project)
{
	List	   *columns = retyped_columns(alteration, project);
	ListCell   *cell;

	foreach(cell, columns)
	{
		const ColumnType *retyped = lfirst(cell);

		if (!OidIsValid(new_type(retyped)) || OidIsValid(unusable_type(retyped, project)))
			return false;
	}
	return columns != NIL;
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
		/* also where somebody has dropped it himself, as it was in the way */
		if (retypes(alteration, project))
			(void) attempt(restore_view, project, "humanloop cannot create its queue view again", WARNING);
		triggers_follow(project);
	}
}

/* Of sources and queue views, and of the schemas that they are in. */
static void
follow_names(void *argument pg_attribute_unused())
{
	static Statement select = {
		"SELECT l.project_id FROM @hl_project_local l WHERE EXISTS ("
		"SELECT 1 FROM pg_catalog.pg_event_trigger_ddl_commands() d, pg_catalog.pg_class c "
		"WHERE c.oid IN (l.source, l.queue_view) "
		"AND (d.classid, d.objid) IN (('pg_catalog.pg_class'::pg_catalog.regclass, c.oid), "
		"('pg_catalog.pg_namespace'::pg_catalog.regclass, c.relnamespace)))",
		0, {0}, NULL, 0
	};
	ListCell   *cell;

	statement_run_as_extension(&select, NULL, NULL, false);
	foreach(cell, read_projects())
		project_follow(lfirst(cell));
}

/* DROP OWNED takes away what was granted in this database. */
static void
follow_drop_owned(void *argument)
{
	const Alteration *alteration = argument;
	List	   *roles = NIL;
	ListCell   *cell;

	foreach(cell, alteration->revoked)
		roles = lappend_oid(roles, get_rolespec_oid(lfirst_node(RoleSpec, cell), false));
	privileges_revoke_all(roles);
}

/*
 * Projects whose views are set aside, until the end of the statement: found
 * again by this and not by the tables' names, which a function in the statement
 * may have given another meaning.  Of the transaction that it is noted with.
 */
static List *aside = NIL;
static LocalTransactionId aside_in = InvalidLocalTransactionId;

static void
note_aside(int32 project_id)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);

	if (aside_in != MyProc->lxid)
		aside = NIL;
	aside_in = MyProc->lxid;
	aside = lappend_int(aside, project_id);
	MemoryContextSwitchTo(before);
}

static void
drop_view(void *argument)
{
	const Project *project = argument;

	view_drop(project);
	note_aside(project->id);
}

/* Those that are there, as their dropping was rolled back, stay. */
static void
restore_views(void *projects)
{
	ListCell   *cell;

	foreach(cell, (List *) projects)
	{
		Project    *project = project_read_any(lfirst_int(cell), false);

		if (project != NULL && OidIsValid(project->source))
			(void) attempt(restore_view, project, "humanloop cannot create its queue view again", WARNING);
	}
}

/* Does the view use that column of the source, as PostgreSQL sees it? */
static bool
view_uses(const Project *project, AttrNumber column)
{
	static Statement select = {
		"SELECT 1 FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid "
		"WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass "
		"AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass "
		"AND d.refobjid = $1 AND d.refobjsubid = $2 AND w.ev_class = $3",
		3, {OIDOID, INT4OID, OIDOID}, NULL, 0
	};
	Datum		values[3] = {
		ObjectIdGetDatum(project->source), Int32GetDatum(column),
		ObjectIdGetDatum(project->queue_view)
	};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0;
}

/* Is there a way from the column's type to the new one? */
static bool
convertible(const ColumnType *retyped, const Project *project)
{
	Oid			from = get_atttype(project->source, get_attnum(project->source, retyped->column));
	Oid			to = new_type(retyped);

	return OidIsValid(from) && OidIsValid(to) &&
		(retyped->converted || can_coerce_type(1, &from, &to, COERCION_ASSIGNMENT));
}

/*
 * PostgreSQL will refuse the change, and would name the view, but no way to go
 * on.  Only what is sure: the table itself is altered, and nothing else is wrong
 * with the statement that could be seen from here.
 */
static void
note_refusal(Alteration *alteration, const Project *project)
{
	const RangeVar *table = linitial_node(RangeVar, alteration->tables);
	List	   *columns = retyped_columns(alteration, project);
	ListCell   *cell;
	Refusal    *refusal;

	if (alteration->refusal != NULL || !OidIsValid(project->queue_view) || columns == NIL ||
		RangeVarGetRelid(table, NoLock, true) != project->source)
		return;
	foreach(cell, alteration->retyped)
	{
		if (!convertible(lfirst(cell), project))
			return;
	}
	refusal = MemoryContextAllocZero(alteration->context, sizeof(Refusal));
	refusal->view = project->queue_view;
	refusal->project = MemoryContextStrdup(alteration->context, project->name);
	foreach(cell, columns)
	{
		const ColumnType *retyped = lfirst(cell);
		Oid			unusable = unusable_type(retyped, project);

		if (!view_uses(project, get_attnum(project->source, retyped->column)))
			continue;
		/* what the project cannot use is what has to be told */
		if (refusal->column == NULL || (OidIsValid(unusable) && !OidIsValid(refusal->type)))
		{
			refusal->column = MemoryContextStrdup(alteration->context, retyped->column);
			refusal->type = unusable;
		}
	}
	if (refusal->column != NULL)
		alteration->refusal = refusal;
}

/* Of tables that are his: he has not been asked yet whether he may. */
static void
set_views_aside(void *argument)
{
	Alteration *alteration = argument;
	ListCell   *cell;

	foreach(cell, projects_around(alteration))
	{
		Project    *project = lfirst(cell);

		if (retypes(alteration, project) && view_restorable(project) &&
			attempt(drop_view, project, "humanloop cannot set its queue view aside", DEBUG1))
			continue;
		note_refusal(alteration, project);
	}
}

/* What PostgreSQL would say, and a way around it. */
static void
refuse(const Refusal *refusal)
{
	ObjectAddress view;
	const char *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(refusal->view)),
												  get_rel_name(refusal->view));

	ObjectAddressSet(view, RelationRelationId, refusal->view);
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot alter type of a column used by a view or rule"),
			 errdetail("%s depends on column \"%s\"", getObjectDescription(&view, false),
					   refusal->column),
			 OidIsValid(refusal->type) ?
			 errhint("Project \"%s\" cannot use a column of type %s: it will be without a source.  To go on, DROP VIEW %s and what depends on it, then ALTER TABLE.",
					 refusal->project, format_type_be(refusal->type), name) :
			 errhint("In one transaction, DROP VIEW %s and what depends on it, ALTER TABLE, and SELECT %s.hl_refresh(%s), which creates it again.",
					 name, extension_schema(), quote_literal_cstr(refusal->project))));
}

/*
 * A trigger of ours that was dropped with its table tells of rows that are gone
 * with it.  Whose it is says its function: its name could be anybody's.
 */
static void
follow_drop(void *argument pg_attribute_unused())
{
	static Statement select = {
		"SELECT d.objid FROM pg_catalog.pg_event_trigger_dropped_objects() d "
		"WHERE d.object_type = 'trigger'",
		0, {0}, NULL, 0
	};
	List	   *projects = NIL;
	ListCell   *cell;

	statement_run_as_extension(&select, NULL, NULL, false);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		projects = list_append_unique_int(projects,
										  trigger_project(DatumGetObjectId(result_datum(i, 1, &isnull))));
	}
	foreach(cell, projects)
	{
		if (change_has_project(lfirst_int(cell)))
			change_note(lfirst_int(cell), CHANGE_ROWS, NULL, 0);
	}
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
follow(Attempt step, void *argument, int elevel)
{
	MemoryContext before = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	(void) attempt(step, argument, "humanloop cannot follow this change of a source", elevel);
	SPI_finish();
	MemoryContextSwitchTo(before);
}

/* Of the trigger before a statement and of that after it. */
Datum
hl_source_altered(PG_FUNCTION_ARGS)
{
	Alteration	alteration = {0};

	if (nothing_to_follow(fcinfo))
		PG_RETURN_VOID();
	alteration.context = CurrentMemoryContext;
	read_statement(((EventTriggerData *) fcinfo->context)->parsetree, &alteration);
	if (strcmp(((EventTriggerData *) fcinfo->context)->event, "ddl_command_start") == 0)
	{
		if (alteration.retyped != NIL)
			/* what is wrong with the statement PostgreSQL says itself */
			follow(set_views_aside, &alteration, DEBUG1);
		if (alteration.refusal != NULL)
			refuse(alteration.refusal);
		PG_RETURN_VOID();
	}
	if (alteration.retyped != NIL && aside_in == MyProc->lxid && aside != NIL)
	{
		List	   *projects = aside;

		aside = NIL;
		follow(restore_views, projects, WARNING);
	}
	if (alteration.tables != NIL)
		follow(follow_alteration, &alteration, WARNING);
	if (alteration.names)
		follow(follow_names, NULL, WARNING);
	if (alteration.revoked != NIL)
		follow(follow_drop_owned, &alteration, WARNING);
	PG_RETURN_VOID();
}

Datum
hl_source_dropped(PG_FUNCTION_ARGS)
{
	if (!nothing_to_follow(fcinfo))
		follow(follow_drop, NULL, WARNING);
	PG_RETURN_VOID();
}
