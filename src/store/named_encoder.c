/*-------------------------------------------------------------------------
 *
 * named_encoder.c
 *	  Encoders that were imported: of no project, and for many.
 *
 * They are rows of hl_encoder without a project.  A project's own encoder, which
 * has a row there, too, refers to those that are part of it by their ids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "humanloop.h"
#include "store/named_encoder.h"
#include "store/parts.h"
#include "store/project.h"
#include "store/session.h"
#include "store/shared_encoder.h"

#define SELECT_NAMED "SELECT id, name, kind, dims, owner, shared FROM @hl_encoder " \
	"WHERE project_id IS NULL "

bool
encoders_can_be_named(void)
{
	return get_attnum(extension_table("hl_encoder"), "shared") != InvalidAttrNumber;
}

/* The names of what is made from the rows themselves cannot be taken. */
void
encoder_name_check(const char *name)
{
	if (!plain_name(name) || strcmp(name, "auto") == 0 || strcmp(name, "text") == 0 ||
		strcmp(name, "vector") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid encoder name \"%s\"", name),
				 errhint("Use small letters, digits and underscores, a letter or underscore first, at most %d bytes, and not \"auto\", \"text\" or \"vector\".",
						 MAX_PROJECT_NAME)));
}

/* A row of the last result. */
static void
read_result(uint64 row, NamedEncoder *encoder)
{
	bool		isnull;
	Datum		owner = result_datum(row, 5, &isnull);

	encoder->id = result_bigint(row, 1);
	encoder->name = result_string(row, 2);
	encoder->kind = result_string(row, 3);
	encoder->dims = result_int(row, 4);
	encoder->owner = isnull ? InvalidOid : stored_role((const StoredRole *) DatumGetPointer(owner));
	encoder->shared = DatumGetBool(result_datum(row, 6, &isnull));
}

bool
named_encoder_read(const char *name, bool read_only, NamedEncoder *encoder)
{
	static Statement select = {SELECT_NAMED "AND name = $1", 1, {TEXTOID}, NULL, 0};
	Datum		values[1] = {CStringGetTextDatum(name)};

	if (!encoders_can_be_named())
		return false;
	statement_run_as_extension(&select, values, NULL, read_only);
	if (SPI_processed == 0)
		return false;
	read_result(0, encoder);
	return true;
}

NamedEncoder *
named_encoders_for(Oid role, int *n)
{
	static Statement select = {SELECT_NAMED "ORDER BY name", 0, {0}, NULL, 0};
	NamedEncoder *encoders;

	*n = 0;
	if (!encoders_can_be_named())
		return NULL;
	statement_run_as_extension(&select, NULL, NULL, false);
	encoders = palloc_array_checked(NamedEncoder, SPI_processed);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		read_result(i, &encoders[*n]);
		if (named_encoder_usable(&encoders[*n], role))
			(*n)++;
	}
	return encoders;
}

bool
named_encoder_owned(const NamedEncoder *encoder, Oid role)
{
	return superuser_arg(role) ||
		(OidIsValid(encoder->owner) && has_privs_of_role(role, encoder->owner));
}

bool
named_encoder_usable(const NamedEncoder *encoder, Oid role)
{
	return encoder->shared || (OidIsValid(role) && named_encoder_owned(encoder, role));
}

/* One that he may not use is none to him. */
static void
no_encoder(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("encoder \"%s\" does not exist", name),
			 errhint("hl_encoders lists those there are; hl_import_encoder() brings another.")));
}

void
named_encoder_use(const char *name, NamedEncoder *encoder)
{
	if (!named_encoder_read(name, true, encoder) || !named_encoder_usable(encoder, GetUserId()))
		no_encoder(name);
}

void
named_encoder_own(const char *name, NamedEncoder *encoder)
{
	named_encoder_use(name, encoder);
	if (!named_encoder_owned(encoder, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of encoder \"%s\"", name)));
}

/*
 * Who uses an encoder, and whether it is there, is asked of what is committed by now:
 * a transaction that sees less of it has not yet done anything that could conflict.
 */
static void
run_on_latest(Statement *statement, const Datum *values)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	statement_run_as_extension(statement, values, NULL, true);
	PopActiveSnapshot();
}

static bool
encoder_is_there(int64 id)
{
	static Statement exists = {"SELECT 1 FROM @hl_encoder WHERE id = $1", 1, {INT8OID}, NULL, 0};
	Datum		values[1] = {Int64GetDatum(id)};

	run_on_latest(&exists, values);
	return SPI_processed > 0;
}

/* The locks are of objects as in lock.c, by the id as far as that goes. */
void
named_encoder_lock(int64 id, bool to_drop)
{
	LockDatabaseObject(extension_table("hl_encoder"), (Oid) id, 0,
					   to_drop ? AccessExclusiveLock : AccessShareLock);
	if (!encoder_is_there(id))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the encoder was dropped meanwhile")));
}

bool
named_encoder_keep(int64 id)
{
	return try_object_lock(extension_table("hl_encoder"), (Oid) id, AccessShareLock) &&
		encoder_is_there(id);
}

int64
named_encoder_store(const char *name, const char *kind, const Encoder *encoder,
					const Writer *writer)
{
	static Statement insert = {
		"INSERT INTO @hl_encoder (project_id, name, dims, sparse_dims, source_rows, kind, owner) "
		"VALUES (NULL, $1, $2, 0, 0, $3, $4::pg_catalog.text) "
		"ON CONFLICT (name) WHERE project_id IS NULL DO NOTHING RETURNING id",
		4, {TEXTOID, INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[4] = {
		CStringGetTextDatum(name), Int32GetDatum(encoder_dims(encoder)), CStringGetTextDatum(kind),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false))
	};
	Acting		acting;
	int64		id;

	act_as_extension(&acting);
	statement_run(&insert, values, NULL, false);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("encoder \"%s\" already exists", name),
				 errhint("Choose another name, or drop it with hl_drop_encoder().")));
	id = result_bigint(0, 1);
	encoder_parts_write(id, writer);
	act_as_before(&acting);
	return id;
}

/*
 * Of a project that uses it or is declared with it: one that the caller may see, where
 * there is one (visible).  NULL: none.
 */
static char *
using_project(const NamedEncoder *encoder, bool *visible)
{
	static Statement select = {
		"SELECT p.id, p.name FROM @hl_project p LEFT JOIN @hl_serving v ON v.project_id = p.id "
		"WHERE $2 = ANY (pg_catalog.string_to_array(p.encoder, '+')) "
		"OR $2 = ANY (pg_catalog.string_to_array(v.chosen, '+')) "
		"OR EXISTS (SELECT 1 FROM @hl_encoder e WHERE e.project_id = p.id AND $1 = ANY (e.uses)) "
		"ORDER BY p.name", 2, {INT8OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int64GetDatum(encoder->id), CStringGetTextDatum(encoder->name)};
	SPITupleTable *table;
	char	   *name = NULL;
	int			n;

	run_on_latest(&select, values);
	table = SPI_tuptable;
	n = (int) SPI_processed;
	*visible = false;
	PushActiveSnapshot(GetLatestSnapshot());
	for (int i = 0; i < n && !*visible; i++)
	{
		bool		isnull;
		int32		id = DatumGetInt32(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull));
		const Project *project = project_read_any(id, true);

		name = SPI_getvalue(table->vals[i], table->tupdesc, 2);
		*visible = project != NULL &&
			project_privilege(project, GetUserId(), PRIVILEGE_ANY, true);
	}
	PopActiveSnapshot();
	return name;
}

void
named_encoder_drop(const NamedEncoder *encoder)
{
	static Statement deletes[2] = {
		{"DELETE FROM @hl_encoder_part WHERE encoder_id = $1", 1, {INT8OID}, NULL, 0},
		{"DELETE FROM @hl_encoder WHERE id = $1", 1, {INT8OID}, NULL, 0}
	};
	Datum		values[1] = {Int64GetDatum(encoder->id)};
	char	   *project;
	bool		visible;

	/* whoever is about to use it has it locked until he has said so */
	named_encoder_lock(encoder->id, true);
	project = using_project(encoder, &visible);
	if (project != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 visible ?
				 errmsg("encoder \"%s\" is used by project \"%s\"", encoder->name, project) :
				 errmsg("encoder \"%s\" is used by a project that you have no privilege on",
						encoder->name),
				 errhint("hl_set_encoder() gives the project another one; models that were trained with this one keep it in use until they are pruned.")));
	for (int i = 0; i < 2; i++)
		statement_run_as_extension(&deletes[i], values, NULL, false);
	shared_encoder_drop(encoder->id);
}

void
named_encoder_share(const NamedEncoder *encoder, bool shared)
{
	static Statement update = {
		"UPDATE @hl_encoder SET shared = $2 WHERE id = $1", 2, {INT8OID, BOOLOID}, NULL, 0
	};
	Datum		values[2] = {Int64GetDatum(encoder->id), BoolGetDatum(shared)};

	statement_run_as_extension(&update, values, NULL, false);
}
