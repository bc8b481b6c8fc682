/*-------------------------------------------------------------------------
 *
 * project_functions.c
 *	  hl_create_project, hl_drop_project, hl_refresh, rights.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "humanloop.h"
#include "sql/api.h"
#include "store/asked.h"
#include "store/handover.h"
#include "store/change.h"
#include "store/encoder_plan.h"
#include "store/gold.h"
#include "store/pool.h"
#include "store/rule_votes.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/several.h"
#include "store/targets.h"
#include "store/train.h"
#include "store/trigger.h"
#include "store/queue_view.h"
#include "store/wake.h"
#include "store/work.h"

PG_FUNCTION_INFO_V1(hl_create_project);
PG_FUNCTION_INFO_V1(hl_create_project_inputs);
PG_FUNCTION_INFO_V1(hl_drop_project);
PG_FUNCTION_INFO_V1(hl_refresh);
PG_FUNCTION_INFO_V1(hl_visible);
PG_FUNCTION_INFO_V1(hl_may);
PG_FUNCTION_INFO_V1(hl_project_source);
PG_FUNCTION_INFO_V1(hl_project_damaged);
PG_FUNCTION_INFO_V1(hl_grant);
PG_FUNCTION_INFO_V1(hl_revoke);
PG_FUNCTION_INFO_V1(hl_privileges);

/* ---------------------------------------------------------------------- */
/* Declaring */

static void
check_name(const char *name)
{
	if (!plain_name(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid project name \"%s\"", name),
				 errhint("Use small letters, digits and underscores, a letter or underscore first, at most %d bytes.",
						 MAX_PROJECT_NAME)));
}

static void
project_exists(const Project *project)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("project \"%s\" already exists", project->name)));
}

/* Before its view is created: that would complain first. */
static void
check_new(const Project *project)
{
	static Statement select = {
		"SELECT 1 FROM @hl_project WHERE name = $1", 1, {TEXTOID}, NULL, 0
	};
	Datum		values[1] = {CStringGetTextDatum(project->name)};

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed > 0)
		project_exists(project);
}

/* Anybody can cast a number to regclass. */
static Relation
open_source(Oid source)
{
	Relation	relation = try_relation_open(source, AccessShareLock);

	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", source)));
	return relation;
}

static void
check_source(Relation relation)
{
	if (!project_source_kind(relation->rd_rel->relkind))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table or view", RelationGetRelationName(relation))));
	if (IsCatalogNamespace(RelationGetNamespace(relation)) ||
		getExtensionOfObject(RelationRelationId, RelationGetRelid(relation)) == extension_oid())
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" belongs to %s", RelationGetRelationName(relation),
						IsCatalogNamespace(RelationGetNamespace(relation)) ? "the system catalogs" : "humanloop itself"),
				 errhint("Copy what is to be learned into a table of its own.")));
	if (relation->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a temporary relation", RelationGetRelationName(relation)),
				 errhint("A project outlives the session: use a permanent table.")));
	if (!relation_ownercheck(RelationGetRelid(relation), GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of \"%s\" to declare a project over it",
						RelationGetRelationName(relation))));
}

static AttrNumber
find_column(Relation relation, const char *column, const char *what)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(relation), column);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s column \"%s\" of \"%s\" does not exist", what, column,
						RelationGetRelationName(relation))));
	if (attnum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("%s column \"%s\" is a system column", what, column)));
	return attnum;
}

/* The column of a primary key of one column, or NULL. */
static char *
primary_key_column(Relation relation)
{
	Oid			index = InvalidOid;
	HeapTuple	tuple;
	Form_pg_index form;
	char	   *column = NULL;

	if (relation->rd_rel->relkind == RELKIND_RELATION ||
		relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		RelationGetIndexList(relation);
		index = relation->rd_pkindex;
	}
	if (!OidIsValid(index))
		return NULL;
	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for index %u", index);
	form = (Form_pg_index) GETSTRUCT(tuple);
	if (form->indnkeyatts == 1)
		column = get_attname(RelationGetRelid(relation), form->indkey.values[0], false);
	ReleaseSysCache(tuple);
	return column;
}

/*
 * Does a unique index compare as the column does?  One of another collation
 * may tell values apart that are equal for the column.
 */
static bool
compares_alike(HeapTuple index, Oid collation)
{
	bool		isnull;
	Datum		collations = SysCacheGetAttr(INDEXRELID, index, Anum_pg_index_indcollation,
											 &isnull);

	return !OidIsValid(collation) || get_collation_isdeterministic(collation) ||
		((oidvector *) DatumGetPointer(collations))->values[0] == collation;
}

/* Does a constraint or index promise that the column is unique and not NULL? */
static bool
promised_unique(Relation relation, AttrNumber attnum)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), attnum - 1);
	List	   *indexes = relation->rd_rel->relhasindex ? RelationGetIndexList(relation) : NIL;
	bool		unique = false;
	ListCell   *cell;

	if (!column->attnotnull)
		return false;
	foreach(cell, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index form;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(cell));
		form = (Form_pg_index) GETSTRUCT(tuple);
		if (form->indisunique && form->indimmediate && form->indisvalid &&
			form->indnkeyatts == 1 && form->indkey.values[0] == attnum &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
			compares_alike(tuple, column->attcollation))
			unique = true;
		ReleaseSysCache(tuple);
	}
	return unique;
}

static void
run_query(void *argument)
{
	SPI_execute(argument, true, 1);
}

static void
check_unique(const Project *project)
{
	char	   *key = psprintf("s.%s", quote_identifier(project->key_column));
	char	   *query = psprintf("SELECT %s::pg_catalog.text FROM %s s GROUP BY %s "
								 "HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 OR %s IS NULL LIMIT 1",
								 key, project_source_quoted(project), key, key);

	reading_step(project, READ_AS_OWNER, run_query, query, NULL);
	if (SPI_processed == 0)
		return;
	if (result_is_null(0, 1))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("key column \"%s\" contains NULL", project->key_column),
				 errhint("Name a column whose values identify the rows.")));
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("key column \"%s\" is not unique", project->key_column),
			 errdetail("\"%s\" is there more than once.", result_string(0, 1)),
			 errhint("Name a column whose values identify the rows.")));
}

static void
resolve_columns(Project *project, Relation relation)
{
	Oid			relid = RelationGetRelid(relation);

	inputs_look_up(project, relation);
	if (project->key_column == NULL)
		project->key_column = primary_key_column(relation);
	if (project->key_column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" has no primary key of a single column",
						RelationGetRelationName(relation)),
				 errhint("Name a column that identifies the rows: key => '...'.")));
	project->key_attnum = find_column(relation, project->key_column, "key");
	if (!key_type_of(get_atttype(relid, project->key_attnum), &project->key_type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("key column \"%s\" has type %s", project->key_column,
						format_type_be(get_atttype(relid, project->key_attnum))),
				 errhint("Keys are smallint, integer, bigint, uuid, text or varchar.")));
	if (project->label_column != NULL)
		project->label_attnum = find_column(relation, project->label_column, "label");
}

/* Closed list of classes: at least two, no NULL, no repetition. */
static void
read_classes(Project *project, Datum array)
{
	project->classes = array_strings(array, &project->nclasses);
	/* no model could have them all */
	if (project->nclasses > MAX_CLASSES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("project \"%s\" has %d classes, more than %d",
						project->name, project->nclasses, MAX_CLASSES)));
	for (int i = 0; i < project->nclasses; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (project->classes[i] == NULL || label_is_blank(project->classes[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a class must not be NULL or empty")));
		for (int j = 0; j < i; j++)
		{
			if (strcmp(project->classes[i], project->classes[j]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("class \"%s\" is listed twice", project->classes[i])));
		}
	}
	if (project->nclasses < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a closed list of classes needs at least two"),
				 errhint("Leave classes out to accept whatever labels are used.")));
}

/* items: rows of the source with an input, or -1 where it was not read to its end */
static int32
insert_project(const Project *project, Jsonb *options, int64 items)
{
	static Statement insert = {
		"INSERT INTO @hl_project (name, source_schema, source_name, input_column, key_column, "
		"label_column, view_schema, classes, encoder, acquisition, options, owner) "
		"VALUES ($1, $2, $3, $4, $5, $6, $2, $7, $8, $9, $10, $11) "
		"ON CONFLICT (name) DO NOTHING RETURNING id",
		11, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID, TEXTOID,
		JSONBOID, TEXTOID}, NULL, 0
	};
	static Statement work = {
		"INSERT INTO @hl_work (project_id) VALUES ($1)", 1, {INT4OID}, NULL, 0
	};
	static Statement serving = {
		"INSERT INTO @hl_serving (project_id, items) VALUES ($1, $2)", 2, {INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[11] = {
		CStringGetTextDatum(project->name), CStringGetTextDatum(project->source_schema),
		CStringGetTextDatum(project->source_name), CStringGetTextDatum(project->inputs[0].column),
		CStringGetTextDatum(project->key_column)
	};
	bool		nulls[11] = {false};
	int32		id;
	Acting		acting;

	nulls[5] = project->label_column == NULL;
	if (!nulls[5])
		values[5] = CStringGetTextDatum(project->label_column);
	nulls[6] = project->classes == NULL;
	if (!nulls[6])
		values[6] = text_array(project->classes, project->nclasses);
	values[7] = CStringGetTextDatum(project->encoder);
	values[8] = CStringGetTextDatum(acquisition_name(project->acquisition));
	values[9] = JsonbPGetDatum(options);
	values[10] = CStringGetTextDatum(project->owner_name);
	act_as_extension(&acting);
	statement_run(&insert, values, nulls, false);
	if (SPI_processed == 0)
		project_exists(project);
	id = result_int(0, 1);
	values[0] = Int32GetDatum(id);
	statement_run(&work, values, NULL, false);
	values[1] = Int64GetDatum(items);
	nulls[1] = items < 0;
	statement_run(&serving, values, nulls, false);
	act_as_before(&acting);
	return id;
}

static char *
creation_hint(const Project *project, const Ranking *ranking, int64 items)
{
	bool		noticed = setting_enabled && triggers_possible(project);

	if (project->label_column != NULL)
		return setting_enabled ?
			psprintf("The background worker learns from column \"%s\".", project->label_column) :
			psprintf("SELECT * FROM hl_train('%s') learns from column \"%s\".",
					 project->name, project->label_column);
	if (items == 0)
		return noticed ? pstrdup("The source has no rows with an input: add some.") :
			psprintf("The source has no rows with an input: add some, then SELECT hl_refresh('%s').",
					 project->name);
	if (ranking->n == 0 && project->options.targets != NULL)
		return psprintf("No row of the source that could be asked satisfies the condition of option \"targets\": SELECT hl_set_targets('%s', ...) gives another one.",
						project->name);
	/* seeds are chosen by words, whatever the encoder: another may tell the rows apart all the same */
	if (ranking->n == 0 && project->inputs[project_seed_input(project)].kind == INPUT_TEXT &&
		strcmp(encoder_base(project), project_own_encoder(project)) != 0)
		return psprintf("No word or part of a word, by which the first questions are chosen, is common to some of the rows that were looked at and not to all: SELECT hl_refresh('%s') chooses by what encoder \"%s\" makes of them.",
						project->name, project->encoder);
	if (ranking->n == 0)
		return psprintf("%s: there is nothing worth asking, and what hl_label() is told of them "
						"teaches no more than how frequent the classes are.",
						project->inputs[project_seed_input(project)].kind == INPUT_TEXT ?
						"No word or part of a word is common to some of the rows that were looked at and not to all" :
						"None of the rows that were looked at is a vector other than zero");
	return psprintf("Label %d items of SELECT * FROM hl_next('%s', 20), at least two classes, then %s.",
					Min(20, ranking->n), project->name,
					setting_enabled ? "the background worker trains" :
					psprintf("SELECT * FROM hl_train('%s')", project->name));
}

/* PUBLIC may create in our schema: objects of others could stand beside ours. */
static void
warn_of_public_schema(void)
{
	Oid			schema = extension_namespace();

	if (pg_namespace_aclcheck(schema, ACL_ID_PUBLIC, ACL_CREATE) == ACLCHECK_OK)
		ereport(WARNING,
				(errmsg("everybody may create objects in the schema of humanloop"),
				 errhint("REVOKE CREATE ON SCHEMA %s FROM PUBLIC;",
						 quote_identifier(get_namespace_name(schema)))));
}

/* What is declared but the inputs, by which the two functions differ; returns the options. */
static Jsonb *
read_declaration(FunctionCallInfo fcinfo, Project *project)
{
	Jsonb	   *options;

	project->name = required_text(fcinfo, 0, "name");
	check_name(project->name);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"source\" must not be NULL")));
	project->source = PG_GETARG_OID(1);
	project->key_column = optional_text(fcinfo, 3);
	project->label_column = optional_text(fcinfo, 4);
	if (!PG_ARGISNULL(5))
		read_classes(project, PG_GETARG_DATUM(5));
	project->encoder = required_text(fcinfo, 6, "encoder");
	project->acquisition = acquisition_from_name(required_text(fcinfo, 7, "acquisition"));
	options = PG_ARGISNULL(8) ? DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"))) :
		PG_GETARG_JSONB_P(8);
	project_options_parse(options, &project->options);
	several_check(project);
	return options;
}

/* project has its inputs' names. */
static Datum
create_project(FunctionCallInfo fcinfo, Project *project)
{
	Relation	relation;
	Jsonb	   *options;
	Ranking		ranking;
	int64		items;
	bool		complete;
	Datum		values[6];
	bool		nulls[6] = {false};
	Datum		row;
	Call		call;

	call_begin(&call);
	project_prevent_if_read_only("hl_create_project");
	warn_of_public_schema();
	options = read_declaration(fcinfo, project);
	check_new(project);

	relation = open_source(project->source);
	check_source(relation);
	project->source_schema = get_namespace_name(RelationGetNamespace(relation));
	project->source_name = pstrdup(RelationGetRelationName(relation));
	project->view_schema = project->source_schema;
	resolve_columns(project, relation);
	encoder_plan_check(project, project->encoder);
	if (!promised_unique(relation, project->key_attnum))
		check_unique(project);
	relation_close(relation, NoLock);

	project->owner = GetUserId();
	project->owner_name = GetUserNameFromId(project->owner, false);
	project->queue_view = project_create_view(project);
	targets_check(project, true);
	sample_seed(project, &ranking, &items, &complete);
	project->id = insert_project(project, options, complete ? items : -1);
	project_sync(project);
	ranking_write(project, &ranking, NULL);
	if (project->label_attnum != 0)
		change_note(project->id, CHANGE_ROWS, NULL, 0);
	(void) triggers_sync(project, true);

	values[0] = CStringGetTextDatum(project->name);
	values[1] = Int64GetDatum(items);
	nulls[1] = !complete;
	values[2] = Int64GetDatum(0);
	values[3] = Int32GetDatum(project->nclasses);
	values[4] = CStringGetTextDatum(encoder_base(project));
	values[5] = CStringGetTextDatum(creation_hint(project, &ranking, items));
	row = call_row(&call, fcinfo, values, nulls);
	call_end(&call);
	PG_RETURN_DATUM(row);
}

Datum
hl_create_project(PG_FUNCTION_ARGS)
{
	Project    *project = palloc0(sizeof(Project));

	project->inputs[project->ninputs++].column = required_text(fcinfo, 2, "input");
	return create_project(fcinfo, project);
}

Datum
hl_create_project_inputs(PG_FUNCTION_ARGS)
{
	Project    *project = palloc0(sizeof(Project));

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"input\" must not be NULL")));
	inputs_name(project, PG_GETARG_DATUM(2));
	return create_project(fcinfo, project);
}

/* ---------------------------------------------------------------------- */
/* Dropping, refreshing */

Datum
hl_drop_project(PG_FUNCTION_ARGS)
{
	/* not by foreign keys, see the install script */
	static Statement delete[] = {
		{"DELETE FROM @hl_model_part WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_encoder_part WHERE encoder_id IN "
		"(SELECT id FROM @hl_encoder WHERE project_id = $1)", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_deployment WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_serving WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_privilege WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_lease WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_current_answer WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_answer WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_feature_block WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_change WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_model_label WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_revision WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_model WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_encoder WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_project WHERE id = $1", 1, {INT4OID}, NULL, 0}
	};
	/* since 0.5.0 */
	static Statement delete_newer[] = {
		{"DELETE FROM @hl_settlement WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_item_comment WHERE project_id = $1", 1, {INT4OID}, NULL, 0},
		{"DELETE FROM @hl_item_flag WHERE project_id = $1", 1, {INT4OID}, NULL, 0}
	};
	char	   *name;
	Project    *project;
	Project    *locked;
	Datum		values[1];
	Acting		acting;
	Call		call;

	call_begin(&call);
	project_prevent_if_read_only("hl_drop_project");
	name = required_text(fcinfo, 0, "name");
	project = project_open_any(name, PRIVILEGE_ANY, false);
	if (!superuser() && !(OidIsValid(project->owner) && has_privs_of_role(GetUserId(), project->owner)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of project \"%s\"", name)));
	project_need_idle(project);
	project_lock_to_drop(project);
	project_lock(project);
	/* not by name: another may be called so by now */
	locked = project_read_any(project->id, false);
	if (locked == NULL)
		project_dropped(project);
	project = locked;
	view_drop(project);
	triggers_drop(project);
	values[0] = Int32GetDatum(project->id);
	repeats_drop(project);
	golds_drop(project);
	asks_drop(project);
	act_as_extension(&acting);
	for (int i = 0; i < (int) lengthof(delete); i++)
		statement_run(&delete[i], values, NULL, false);
	for (int i = 0; settlements_are_kept() && i < (int) lengthof(delete_newer); i++)
		statement_run(&delete_newer[i], values, NULL, false);
	act_as_before(&acting);
	rules_forget(project->id);
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_refresh(PG_FUNCTION_ARGS)
{
	Project    *project;
	Changes		changes;
	Changes		noted = {0};
	Refreshed	features;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	project_need_source(project);
	view_restore(project);
	privileges_sweep(project->id);
	changes_before(project, &changes);
	/* the worker, which may have them to do, will not find them new after this */
	if (project->options.ask_uncertain == 1)
		changes_read(project->id, &noted);
	features_refresh(project, false, &features);
	rules_refresh(project);
	queue_rebuild(project, &features);
	ask_uncertain(project, noted.inserted, noted.ninserted);
	changes_settle(&changes, false);
	triggers_remove_strays(project);
	(void) triggers_sync(project, false);
	call_end(&call);
	PG_RETURN_INT64(features.changed);
}

/* ---------------------------------------------------------------------- */
/* Rights and state */

Datum
hl_visible(PG_FUNCTION_ARGS)
{
	Project    *project;
	bool		visible;
	Call		call;

	call_begin(&call);
	project = project_read_any(PG_GETARG_INT32(0), true);
	visible = project != NULL &&
		project_privilege(project, GetUserId(), PRIVILEGE_ANY, true);
	/* every view asks this */
	wake_if_due();
	call_end(&call);
	PG_RETURN_BOOL(visible);
}

Datum
hl_may(PG_FUNCTION_ARGS)
{
	Privilege	privilege = privilege_from_name(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Project    *project;
	bool		may;
	Call		call;

	call_begin(&call);
	project = project_read_any(PG_GETARG_INT32(0), true);
	may = project != NULL && project_privilege(project, GetUserId(), privilege, true);
	call_end(&call);
	PG_RETURN_BOOL(may);
}

Datum
hl_project_source(PG_FUNCTION_ARGS)
{
	Project    *project;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	NameData	owner;
	Datum		row;
	Call		call;

	call_begin(&call);
	project = project_read_any(PG_GETARG_INT32(0), true);
	if (project != NULL && project_privilege(project, GetUserId(), PRIVILEGE_ANY, true))
	{
		values[0] = CStringGetTextDatum(project_source_quoted(project));
		nulls[0] = false;
		if (OidIsValid(project->owner))
		{
			namestrcpy(&owner, GetUserNameFromId(project->owner, false));
			values[1] = NameGetDatum(&owner);
			nulls[1] = false;
		}
		if (project->damage != NULL)
			project->problem = psprintf("the declaration is damaged: %s", project->damage);
		nulls[2] = project->problem == NULL;
		if (!nulls[2])
			values[2] = CStringGetTextDatum(project->problem);
	}
	row = call_row(&call, fcinfo, values, nulls);
	call_end(&call);
	PG_RETURN_DATUM(row);
}

/* For hl_projects, where there is a problem: not the source, but the declaration? */
Datum
hl_project_damaged(PG_FUNCTION_ARGS)
{
	Project    *project;
	bool		damaged;
	Call		call;

	call_begin(&call);
	project = project_read_any(PG_GETARG_INT32(0), true);
	damaged = project != NULL && project->damage != NULL &&
		project_privilege(project, GetUserId(), PRIVILEGE_ANY, true);
	call_end(&call);
	PG_RETURN_BOOL(damaged);
}

static void
change_privilege(FunctionCallInfo fcinfo, bool grant)
{
	Project    *project;
	Oid			role;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"role\" must not be NULL")));
	role = PG_GETARG_OID(1);
	privilege_change(project->id, role,
					 privilege_from_name(required_text(fcinfo, 2, "privilege")), grant);
	view_adjust(project, role);
	call_end(&call);
}

Datum
hl_grant(PG_FUNCTION_ARGS)
{
	change_privilege(fcinfo, true);
	PG_RETURN_VOID();
}

Datum
hl_revoke(PG_FUNCTION_ARGS)
{
	change_privilege(fcinfo, false);
	PG_RETURN_VOID();
}

Datum
hl_privileges(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	ListCell   *cell;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	foreach(cell, grants_read(project->id, true))
	{
		const Grant *grant = lfirst(cell);
		NameData	name;
		Datum		values[2];
		bool		nulls[2] = {false};

		namestrcpy(&name, grant->role_name);
		values[0] = NameGetDatum(&name);
		values[1] = CStringGetTextDatum(privilege_name(grant->privilege));
		set_add(set, values, nulls);
	}
	call_end(&call);
	return (Datum) 0;
}
