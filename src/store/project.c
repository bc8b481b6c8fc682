/*-------------------------------------------------------------------------
 *
 * project.c
 *	  A project: what was declared, where its source is, who may do what.
 *
 * The declaration holds names, so that it means the same after a restore into
 * another cluster; OIDs known in this cluster are kept beside it and win, so
 * that renames are followed.  Whoever writes brings the names up to date.
 *
 * The owner of a project is the owner of its queue view, which is in the
 * catalogs, so that dumps, DROP ROLE and REASSIGN OWNED treat it as they treat
 * everything else.  He is recorded as well, for when the view is gone, and so is
 * the owner of the source.  A relation that is only found by name counts for
 * nothing unless it is theirs: anybody may create one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "humanloop.h"
#include "store/project.h"
#include "store/reading.h"
#include "store/session.h"
#include "store/wake.h"

#define SELECT_PROJECT(roles, more_inputs, more_attnums) \
	"SELECT p.id, p.name, p.source_schema, p.source_name, p.input_column, p.key_column, " \
	"p.label_column, p.view_schema, p.classes, p.encoder, p.acquisition, p.options, p.owner, " \
	"p.paused, " roles ", " more_inputs ", " \
	"l.source, l.input_attnum, l.key_attnum, l.label_attnum, l.queue_view, " more_attnums " " \
	"FROM @hl_project p LEFT JOIN @hl_project_local l ON l.project_id = p.id "
#define ROLES "p.owner_role, p.source_owner"
#define SELECT_0_1_0 SELECT_PROJECT("NULL, NULL", "NULL", "NULL")
#define SELECT_0_2_0 SELECT_PROJECT(ROLES, "NULL", "NULL")
#define SELECT_0_4_0 SELECT_PROJECT(ROLES, "p.more_inputs", "l.more_attnums")

/* Whose tables are there?  The versions that have added columns to hl_project. */
typedef enum TableVersion
{
	TABLES_0_1_0, TABLES_0_2_0, TABLES_0_4_0, TABLE_VERSIONS
} TableVersion;

enum
{
	COLUMN_ID = 1, COLUMN_NAME, COLUMN_SOURCE_SCHEMA, COLUMN_SOURCE_NAME, COLUMN_INPUT,
	COLUMN_KEY, COLUMN_LABEL, COLUMN_VIEW_SCHEMA, COLUMN_CLASSES, COLUMN_ENCODER,
	COLUMN_ACQUISITION, COLUMN_OPTIONS, COLUMN_OWNER, COLUMN_PAUSED, COLUMN_OWNER_ROLE,
	COLUMN_SOURCE_OWNER, COLUMN_MORE_INPUTS, COLUMN_LOCAL_SOURCE, COLUMN_LOCAL_INPUT,
	COLUMN_LOCAL_KEY, COLUMN_LOCAL_LABEL, COLUMN_LOCAL_VIEW, COLUMN_LOCAL_MORE
};

bool
key_type_of(Oid type, Oid *key_type)
{
	*key_type = getBaseType(type);
	switch (*key_type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case UUIDOID:
		case TEXTOID:
		case VARCHAROID:
			return true;
		default:
			return false;
	}
}

const char *
project_key_type_name(const Project *project)
{
	switch (project->key_type)
	{
		case INT2OID:
			return "pg_catalog.int2";
		case INT4OID:
			return "pg_catalog.int4";
		case INT8OID:
			return "pg_catalog.int8";
		case UUIDOID:
			return "pg_catalog.uuid";
		default:
			return "pg_catalog.text";
	}
}

/* Are roles recorded by more than their names? */
static bool
roles_are_kept(void)
{
	return get_attnum(extension_table("hl_project"), "owner_role") != InvalidAttrNumber;
}

static TableVersion
table_version(void)
{
	if (inputs_are_kept())
		return TABLES_0_4_0;
	return roles_are_kept() ? TABLES_0_2_0 : TABLES_0_1_0;
}

/* A column of type hl_role; false: NULL. */
static bool
result_role(int column, StoredRole *role)
{
	bool		isnull;
	Datum		value = result_datum(0, column, &isnull);

	memset(role, 0, sizeof(*role));
	if (!isnull)
		*role = *(const StoredRole *) DatumGetPointer(value);
	return !isnull;
}

/* The row of the last result, not yet resolved. */
static Project *
project_from_result(void)
{
	Project    *project = palloc0(sizeof(Project));
	bool		isnull;
	Datum		value;

	project->id = result_int(0, COLUMN_ID);
	project->name = result_string(0, COLUMN_NAME);
	project->source_schema = result_string(0, COLUMN_SOURCE_SCHEMA);
	project->source_name = result_string(0, COLUMN_SOURCE_NAME);
	project->inputs[0].column = result_string(0, COLUMN_INPUT);
	project->ninputs = 1;
	project->key_column = result_string(0, COLUMN_KEY);
	project->label_column = result_string(0, COLUMN_LABEL);
	project->view_schema = result_string(0, COLUMN_VIEW_SCHEMA);
	project->encoder = result_string(0, COLUMN_ENCODER);
	value = result_datum(0, COLUMN_OPTIONS, &isnull);
	declared_options(project, isnull ? NULL : DatumGetJsonbP(value));
	declared_acquisition(project, result_string(0, COLUMN_ACQUISITION));
	value = result_datum(0, COLUMN_CLASSES, &isnull);
	if (!isnull)
		declared_classes(project, value);

	project->owner_name = result_string(0, COLUMN_OWNER);
	project->paused = DatumGetBool(result_datum(0, COLUMN_PAUSED, &isnull));
	if (!result_role(COLUMN_OWNER_ROLE, &project->recorded_owner))
		project->recorded_owner.role = get_role_oid(project->owner_name, true);
	project->owner = stored_role(&project->recorded_owner);
	project->source_owner_known = result_role(COLUMN_SOURCE_OWNER, &project->recorded_source_owner);
	value = result_datum(0, COLUMN_LOCAL_SOURCE, &isnull);
	project->known_here = !isnull;
	if (!isnull)
	{
		project->source = DatumGetObjectId(value);
		project->inputs[0].attnum = DatumGetInt16(result_datum(0, COLUMN_LOCAL_INPUT, &isnull));
		project->key_attnum = DatumGetInt16(result_datum(0, COLUMN_LOCAL_KEY, &isnull));
		value = result_datum(0, COLUMN_LOCAL_LABEL, &isnull);
		project->label_attnum = isnull || project->label_column == NULL ? 0 : DatumGetInt16(value);
		value = result_datum(0, COLUMN_LOCAL_VIEW, &isnull);
		project->queue_view = isnull ? InvalidOid : DatumGetObjectId(value);
	}
	value = result_datum(0, COLUMN_MORE_INPUTS, &isnull);
	if (!isnull)
	{
		Datum		attnums = result_datum(0, COLUMN_LOCAL_MORE, &isnull);

		declared_inputs(project, value, isnull ? NULL : &attnums);
	}
	return project;
}

/* Follows a rename of a column, or finds it again by name. */
static bool
resolve_column(Project *project, AttrNumber *attnum, char **name)
{
	char	   *now = NULL;

	/* a dropped column keeps its number, but has no type */
	if (*attnum != 0 && OidIsValid(get_atttype(project->source, *attnum)))
		now = get_attname(project->source, *attnum, true);
	if (now == NULL)
	{
		*attnum = get_attnum(project->source, *name);
		if (*attnum <= 0)
		{
			project->problem = psprintf("column \"%s\" of %s does not exist", *name,
										project_source_quoted(project));
			return false;
		}
		project->stale = true;
	}
	else if (strcmp(now, *name) != 0)
	{
		*name = now;
		project->stale = true;
	}
	return true;
}

static Oid
relation_owner(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Is a relation of the source's name the source?  It must belong to whom the
 * source belonged to, or to somebody whose relations the project's owner may
 * declare projects over; a superuser might over anybody's, so his own it must be.
 */
static bool
may_be_source(const Project *project, Oid relation)
{
	Oid			owner = relation_owner(relation);

	if (!OidIsValid(owner))
		return false;
	if (owner == stored_role(&project->recorded_source_owner) || owner == project->owner)
		return true;
	return OidIsValid(project->owner) && has_privs_of_role(project->owner, owner) &&
		(!superuser_arg(project->owner) || !project->source_owner_known);
}

bool
project_source_kind(char kind)
{
	return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE ||
		kind == RELKIND_FOREIGN_TABLE || kind == RELKIND_VIEW || kind == RELKIND_MATVIEW;
}

/* Where the source is now: by OID if that lives, else by name. */
static void
resolve_relation(Project *project)
{
	char	   *name = OidIsValid(project->source) ? get_rel_name(project->source) : NULL;
	char	   *schema = name == NULL ? NULL :
		get_namespace_name(get_rel_namespace(project->source));

	/* the schema may just have been dropped with all that is in it */
	if (schema != NULL)
	{
		if (strcmp(name, project->source_name) != 0 ||
			strcmp(schema, project->source_schema) != 0)
		{
			project->source_name = name;
			project->source_schema = schema;
			project->stale = true;
		}
		return;
	}
	project->source = InvalidOid;
	project->key_attnum = project->label_attnum = 0;
	for (int i = 0; i < project->ninputs; i++)
		project->inputs[i].attnum = 0;
	{
		Oid			schema = get_namespace_oid(project->source_schema, true);

		if (OidIsValid(schema))
			project->source = get_relname_relid(project->source_name, schema);
	}
	if (!OidIsValid(project->source))
		project->problem = psprintf("relation %s does not exist", project_source_quoted(project));
	else if (!project_source_kind(get_rel_relkind(project->source)))
	{
		project->source = InvalidOid;
		project->problem = psprintf("%s is not a table or view", project_source_quoted(project));
	}
	else if (!may_be_source(project, project->source))
	{
		project->source = InvalidOid;
		project->problem = psprintf("relation %s does not belong to the owner of the project",
									project_source_quoted(project));
	}
	else
		project->stale = true;
}

/* A column may have been retyped since the project was declared. */
static void
resolve_types(Project *project)
{
	Oid			key = get_atttype(project->source, project->key_attnum);

	for (int i = 0; i < project->ninputs && project->problem == NULL; i++)
	{
		ProjectInput *input = &project->inputs[i];
		Oid			type = get_atttype(project->source, input->attnum);

		if (!input_type(type, input))
			project->problem = psprintf("input column \"%s\" of %s has type %s now",
										input->column, project_source_quoted(project),
										format_type_be(type));
	}
	if (project->problem == NULL && !key_type_of(key, &project->key_type))
		project->problem = psprintf("key column \"%s\" of %s has type %s now",
									project->key_column, project_source_quoted(project),
									format_type_be(key));
	if (project->problem != NULL)
		project->source = InvalidOid;
}

/*
 * One that was dropped may be found again by a name that another input has got
 * since: that is none of its own.
 */
static bool
resolve_inputs(Project *project)
{
	for (int i = 0; i < project->ninputs; i++)
	{
		ProjectInput *input = &project->inputs[i];

		if (!resolve_column(project, &input->attnum, &input->column))
			return false;
		for (int j = 0; j < i; j++)
		{
			if (project->inputs[j].attnum != input->attnum)
				continue;
			project->problem = psprintf("column \"%s\" of %s is two inputs now", input->column,
										project_source_quoted(project));
			return false;
		}
	}
	return true;
}

static void
resolve_source(Project *project)
{
	resolve_relation(project);
	if (!OidIsValid(project->source))
		return;
	if (!resolve_inputs(project) ||
		!resolve_column(project, &project->key_attnum, &project->key_column) ||
		(project->label_column != NULL &&
		 !resolve_column(project, &project->label_attnum, &project->label_column)))
	{
		project->source = InvalidOid;
		return;
	}
	resolve_types(project);
}

/*
 * Is a view of the queue view's name the queue view?  It must be the project's
 * owner's.  When a dump was restored without its owners, it belongs to whoever
 * has restored it, a superuser.
 */
static bool
may_be_view(const Project *project, Oid view)
{
	Oid			owner = relation_owner(view);

	if (get_rel_relkind(view) != RELKIND_VIEW || !OidIsValid(owner))
		return false;
	return owner == project->owner || (!project->known_here && superuser_arg(owner));
}

static Oid
find_view(const Project *project)
{
	Oid			schema = get_namespace_oid(project->view_schema, true);
	Oid			view = InvalidOid;

	if (OidIsValid(schema))
		view = get_relname_relid(psprintf("hl_queue_%s", project->name), schema);
	return OidIsValid(view) && may_be_view(project, view) ? view : InvalidOid;
}

static void
resolve_owner(Project *project)
{
	Oid			view = project->queue_view;
	char	   *schema;
	char	   *name;

	if (!OidIsValid(view) || get_rel_name(view) == NULL)
	{
		view = find_view(project);
		if (view != project->queue_view)
			project->stale = true;
		project->queue_view = view;
	}
	schema = OidIsValid(view) ? get_namespace_name(get_rel_namespace(view)) : NULL;
	if (schema != NULL)
	{
		project->owner = relation_owner(view);
		if (strcmp(schema, project->view_schema) != 0)
			project->stale = true;
		project->view_schema = schema;
	}
	name = OidIsValid(project->owner) ? GetUserNameFromId(project->owner, true) : NULL;
	if (name != NULL && strcmp(name, project->owner_name) != 0)
	{
		project->owner_name = name;
		project->stale = true;
	}
}

static bool
is_recorded(const StoredRole *recorded, Oid relation, Oid owner)
{
	return recorded->relation == relation && recorded->role == owner;
}

static Project *
project_resolve(TableVersion version)
{
	Project    *project = project_from_result();

	resolve_owner(project);
	resolve_source(project);
	if (version >= TABLES_0_2_0 &&
		(!is_recorded(&project->recorded_owner, project->queue_view, project->owner) ||
		 (OidIsValid(project->source) &&
		  !is_recorded(&project->recorded_source_owner, project->source,
					   relation_owner(project->source)))))
		project->stale = true;
	return project;
}

static Project *
need_sound(Project *project)
{
	if (project != NULL && project->damage != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the declaration of project \"%s\" is damaged", project->name),
				 errdetail("Table hl_project, %s.", project->damage),
				 errhint("Whoever may write to that table can mend it; or drop the project.")));
	return project;
}

Project *
project_read(int32 id, bool read_only)
{
	return need_sound(project_read_any(id, read_only));
}

Project *
project_read_any(int32 id, bool read_only)
{
	static Statement by_id[TABLE_VERSIONS] = {
		{SELECT_0_1_0 "WHERE p.id = $1", 1, {INT4OID}, NULL, 0},
		{SELECT_0_2_0 "WHERE p.id = $1", 1, {INT4OID}, NULL, 0},
		{SELECT_0_4_0 "WHERE p.id = $1", 1, {INT4OID}, NULL, 0}
	};
	Datum		values[1] = {Int32GetDatum(id)};
	TableVersion version = table_version();

	statement_run_as_extension(&by_id[version], values, NULL, read_only);
	return SPI_processed == 0 ? NULL : project_resolve(version);
}

static bool
same_name(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_inputs(const Project *a, const Project *b)
{
	for (int i = 0; i < Max(a->ninputs, b->ninputs); i++)
	{
		if (i >= Min(a->ninputs, b->ninputs) || a->inputs[i].kind != b->inputs[i].kind ||
			!same_name(a->inputs[i].column, b->inputs[i].column))
			return false;
	}
	return true;
}

bool
project_moved(const Project *project)
{
	const Project *now = project_read(project->id, false);

	return now != NULL &&
		(now->source != project->source || now->key_type != project->key_type ||
		 !same_inputs(now, project) ||
		 !same_name(now->source_schema, project->source_schema) ||
		 !same_name(now->source_name, project->source_name) ||
		 !same_name(now->key_column, project->key_column) ||
		 !same_name(now->label_column, project->label_column));
}

bool
project_privilege(const Project *project, Oid role, Privilege privilege, bool read_only)
{
	if (superuser_arg(role))
		return true;
	if (OidIsValid(project->owner) && has_privs_of_role(role, project->owner))
		return true;
	return privilege_granted(project->id, role, privilege, read_only);
}

Project *
project_open(const char *name, Privilege privilege, bool read_only)
{
	return need_sound(project_open_any(name, privilege, read_only));
}

Project *
project_open_any(const char *name, Privilege privilege, bool read_only)
{
	static Statement by_name[TABLE_VERSIONS] = {
		{SELECT_0_1_0 "WHERE p.name = $1", 1, {TEXTOID}, NULL, 0},
		{SELECT_0_2_0 "WHERE p.name = $1", 1, {TEXTOID}, NULL, 0},
		{SELECT_0_4_0 "WHERE p.name = $1", 1, {TEXTOID}, NULL, 0}
	};
	Datum		values[1] = {CStringGetTextDatum(name)};
	TableVersion version = table_version();
	Project    *project;

	statement_run_as_extension(&by_name[version], values, NULL, read_only);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("project \"%s\" does not exist", name),
				 errhint("See the view hl_projects, or declare it with hl_create_project().")));
	project = project_resolve(version);
	if (!project_privilege(project, GetUserId(), privilege, read_only))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for project \"%s\"", name),
				 privilege == PRIVILEGE_ANY ? 0 :
				 errdetail("You need the privilege \"%s\" on it.", privilege_name(privilege))));
	wake_if_due();
	return project;
}

/*
 * The roles are those that own view and source, whoever that will be: REASSIGN
 * OWNED tells nobody.
 */
static void
sync_roles(const Project *project)
{
	static Statement owner = {
		"UPDATE @hl_project SET owner_role = @hl_role_of($2, $3) WHERE id = $1",
		3, {INT4OID, OIDOID, OIDOID}, NULL, 0
	};
	static Statement source_owner = {
		"UPDATE @hl_project SET source_owner = @hl_role_of($2, $3) WHERE id = $1",
		3, {INT4OID, OIDOID, OIDOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), ObjectIdGetDatum(project->queue_view),
		ObjectIdGetDatum(project->owner)
	};

	statement_run(&owner, values, NULL, false);
	values[1] = ObjectIdGetDatum(project->source);
	values[2] = ObjectIdGetDatum(relation_owner(project->source));
	if (OidIsValid(project->source))
		statement_run(&source_owner, values, NULL, false);
}

/* Records what resolve_* has found, so that a dump carries today's names. */
void
project_sync(const Project *project)
{
	static Statement names = {
		"UPDATE @hl_project SET source_schema = $2, source_name = $3, input_column = $4, "
		"key_column = $5, label_column = $6, view_schema = $7, owner = $8 WHERE id = $1",
		8, {INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}, NULL, 0
	};
	static Statement local = {
		"INSERT INTO @hl_project_local VALUES ($1, $2, $3, $4, $5, $6) "
		"ON CONFLICT (project_id) DO UPDATE SET source = excluded.source, "
		"input_attnum = excluded.input_attnum, key_attnum = excluded.key_attnum, "
		"label_attnum = excluded.label_attnum, queue_view = excluded.queue_view",
		6, {INT4OID, OIDOID, INT2OID, INT2OID, INT2OID, OIDOID}, NULL, 0
	};
	Datum		values[8];
	bool		nulls[8] = {false};
	Acting		acting;

	act_as_extension(&acting);
	values[0] = Int32GetDatum(project->id);
	values[1] = CStringGetTextDatum(project->source_schema);
	values[2] = CStringGetTextDatum(project->source_name);
	values[3] = CStringGetTextDatum(project->inputs[0].column);
	values[4] = CStringGetTextDatum(project->key_column);
	nulls[5] = project->label_column == NULL;
	values[5] = nulls[5] ? (Datum) 0 : CStringGetTextDatum(project->label_column);
	values[6] = CStringGetTextDatum(project->view_schema);
	values[7] = CStringGetTextDatum(project->owner_name);
	statement_run(&names, values, nulls, false);
	if (roles_are_kept())
		sync_roles(project);

	values[1] = ObjectIdGetDatum(project->source);
	values[2] = Int16GetDatum(project->inputs[0].attnum);
	values[3] = Int16GetDatum(project->key_attnum);
	nulls[4] = project->label_attnum == 0;
	values[4] = Int16GetDatum(project->label_attnum);
	nulls[5] = !OidIsValid(project->queue_view);
	values[5] = ObjectIdGetDatum(project->queue_view);
	/* of a source that is missing, what was last known may still be good */
	if (OidIsValid(project->source))
		statement_run(&local, values, nulls, false);
	inputs_sync(project);
	act_as_before(&acting);
}

/* Under the lock of who records names: the worker must not wait for our commit. */
void
project_pause(const Project *project, bool pause)
{
	static Statement update = {
		"UPDATE @hl_project SET paused = $2 WHERE id = $1 AND paused <> $2",
		2, {INT4OID, BOOLOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), BoolGetDatum(pause)};

	project_lock_names(project->id);
	statement_run_as_extension(&update, values, NULL, false);
}

void
project_follow(const Project *project)
{
	if (project->stale && project_try_names(project->id))
		project_sync(project);
}

/* As ALTER TABLE: not while a statement further up is at it. */
void
project_need_idle(const Project *project)
{
	if (reading_now(project->id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("project \"%s\" cannot be changed while its source is being read in this session",
						project->name),
				 errhint("A function in the source must not change the project over it.")));
}

/* On a standby transactions are read-only, too: that it is one says more. */
void
project_prevent_if_read_only(const char *command)
{
	PreventCommandDuringRecovery(command);
	PreventCommandIfReadOnly(command);
}

Project *
project_open_for_write(const char *name, Privilege privilege)
{
	Project    *project;

	project_prevent_if_read_only("writing to a humanloop project");
	project = project_open(name, privilege, false);
	project_need_idle(project);
	project_lock_shared(project);
	project_follow(project);
	return project;
}

void
project_need_source(const Project *project)
{
	if (!OidIsValid(project->source))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the source of project \"%s\" is missing", project->name),
				 errdetail("%s", project->problem),
				 errhint("Put it back as it was, or drop the project with hl_drop_project().")));
}

Oid
project_source_owner(const Project *project)
{
	return relation_owner(project->source);
}

char *
project_source_quoted(const Project *project)
{
	return quote_qualified_identifier(project->source_schema, project->source_name);
}

char *
project_key_expression(const Project *project)
{
	return psprintf("s.%s::pg_catalog.text", quote_identifier(project->key_column));
}

bool
project_is_visible(const char *name)
{
	static Statement select = {"SELECT id FROM @hl_project WHERE name = $1", 1, {TEXTOID}, NULL, 0};
	Datum		values[1] = {CStringGetTextDatum(name)};
	Project    *project;

	statement_run_as_extension(&select, values, NULL, true);
	if (SPI_processed == 0)
		return false;
	project = project_read_any(result_int(0, 1), true);
	return project != NULL && project_privilege(project, GetUserId(), PRIVILEGE_ANY, true);
}

bool
plain_name(const char *name)
{
	return strlen(name) <= MAX_PROJECT_NAME &&
		(name[0] == '_' || (name[0] >= 'a' && name[0] <= 'z')) &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}
