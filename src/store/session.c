/*-------------------------------------------------------------------------
 *
 * session.c
 *	  How the extension talks to its own tables: as whom, and through what.
 *
 * The tables belong to the owner of the extension and nobody else may touch
 * them.  A SQL function checks the caller's privilege on the project first,
 * then acts as that owner for its own statements only.  Statements name
 * every table with its schema and run with search_path = pg_catalog, pg_temp,
 * so that nothing a caller has created can take the place of an operator or
 * a function in them.
 *
 * The user id and the setting are put back by the end of the function, or by
 * the (sub)transaction's abort.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "store/session.h"

/* The extension as pg_extension has it now. */
typedef struct ExtensionEntry
{
	Oid			oid;
	Oid			owner;
	Oid			namespace;
} ExtensionEntry;

/* All ways to our tables lead by here. */
static void
find_extension(ExtensionEntry *entry)
{
	Relation	relation;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	/* the worker computes without one, where a look at the catalogs is a crash */
	if (!IsTransactionState())
		elog(ERROR, "there is no transaction to look at the tables of humanloop in");
	relation = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("humanloop"));
	scan = systable_beginscan(relation, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"humanloop\" is not installed in this database"),
				 errhint("CREATE EXTENSION humanloop;")));
	entry->oid = ((Form_pg_extension) GETSTRUCT(tuple))->oid;
	entry->owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
	entry->namespace = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

/* Its schema, palloc'd. */
static char *
schema_name(const ExtensionEntry *entry)
{
	char	   *name = get_namespace_name(entry->namespace);

	/* DROP SCHEMA ... CASCADE may have committed since we looked */
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the schema of extension \"humanloop\" was dropped")));
	return name;
}

static void
act_as(Acting *acting, Oid role, int flags)
{
	GetUserIdAndSecContext(&acting->user, &acting->security_context);
	SetUserIdAndSecContext(role, acting->security_context | flags);
	acting->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
act_as_extension(Acting *acting)
{
	ExtensionEntry entry;

	find_extension(&entry);
	act_as(acting, entry.owner, SECURITY_LOCAL_USERID_CHANGE);
}

void
act_as_restricted(Acting *acting, Oid role)
{
	act_as(acting, role, SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

void
act_as_before(const Acting *acting)
{
	AtEOXact_GUC(false, acting->guc_level);
	SetUserIdAndSecContext(acting->user, acting->security_context);
}

Oid
extension_namespace(void)
{
	ExtensionEntry entry;

	find_extension(&entry);
	return entry.namespace;
}

Oid
extension_table(const char *name)
{
	return get_relname_relid(name, extension_namespace());
}

Oid
extension_oid(void)
{
	ExtensionEntry entry;

	find_extension(&entry);
	return entry.oid;
}

const char *
extension_schema(void)
{
	ExtensionEntry entry;

	find_extension(&entry);
	return quote_identifier(schema_name(&entry));
}

/*
 * Counts what makes the text of a plan stale: the extension is dropped and
 * created again, or its schema is renamed.
 */
static uint64
extension_generation(void)
{
	static Oid	extension = InvalidOid;
	static NameData schema;
	static uint64 generation = 0;
	ExtensionEntry entry;
	char	   *name;

	find_extension(&entry);
	name = schema_name(&entry);
	if (extension != entry.oid || strcmp(NameStr(schema), name) != 0)
	{
		extension = entry.oid;
		namestrcpy(&schema, name);
		generation++;
	}
	pfree(name);
	return generation;
}

/* Text with "@hl_x" replaced, palloc'd. */
char *
qualify(const char *text)
{
	const char *schema = extension_schema();
	StringInfoData result;

	initStringInfo(&result);
	for (const char *c = text; *c != '\0'; c++)
	{
		if (strncmp(c, "@hl_", 4) == 0)
			appendStringInfo(&result, "%s.", schema);
		else
			appendStringInfoChar(&result, *c);
	}
	return result.data;
}

void
statement_run(Statement *statement, const Datum *values, const bool *nulls,
			  bool read_only)
{
	MemoryContext before = CurrentMemoryContext;
	char		null_flags[MAX_STATEMENT_ARGS + 1];
	uint64		generation = extension_generation();
	int			code;

	/* A stale plan is not freed: it may be running, further up. */
	if (statement->plan == NULL || statement->generation != generation)
	{
		char	   *text = qualify(statement->text);
		SPIPlanPtr	plan = SPI_prepare(text, statement->nargs, statement->types);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
		statement->generation = generation;
		pfree(text);
	}
	for (int i = 0; i < statement->nargs; i++)
		null_flags[i] = (nulls != NULL && nulls[i]) ? 'n' : ' ';
	null_flags[statement->nargs] = '\0';
	code = SPI_execute_plan(statement->plan, (Datum *) values, null_flags, read_only, 0);
	if (code < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(code));
	/* SPI leaves its own context behind, which ends with SPI_finish */
	MemoryContextSwitchTo(before);
}

void
statement_run_as_extension(Statement *statement, const Datum *values, const bool *nulls,
						   bool read_only)
{
	Acting		acting;

	act_as_extension(&acting);
	statement_run(statement, values, nulls, read_only);
	act_as_before(&acting);
}

bool
attempt(Attempt run, void *argument, const char *what, int elevel)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run(argument);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		ereport(elevel,
				(errcode(error->sqlerrcode),
				 errmsg("%s: %s", what, error->message),
				 errhint("Call hl_refresh() to take up rows that have changed.")));
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return done;
}

Datum
result_datum(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

char *
result_string(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

char **
result_strings(int column, int *n)
{
	char	  **strings = palloc_array_checked(char *, SPI_processed);

	*n = (int) SPI_processed;
	for (int i = 0; i < *n; i++)
		strings[i] = result_string(i, column);
	return strings;
}

Datum *
result_elements(int column, Oid type, int *n)
{
	bool		isnull;
	Datum		array = result_datum(0, column, &isnull);
	Datum	   *elements;
	int16		length;
	bool		byval;
	char		align;

	*n = -1;
	if (isnull || ARR_HASNULL(DatumGetArrayTypeP(array)))
		return NULL;
	get_typlenbyvalalign(type, &length, &byval, &align);
	deconstruct_array(DatumGetArrayTypeP(array), type, length, byval, align, &elements, NULL, n);
	return elements;
}

bool
result_is_null(uint64 row, int column)
{
	bool		isnull;

	(void) result_datum(row, column, &isnull);
	return isnull;
}

int32
result_int(uint64 row, int column)
{
	bool		isnull;
	Datum		value = result_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

int64
result_bigint(uint64 row, int column)
{
	bool		isnull;
	Datum		value = result_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

double
result_double(uint64 row, int column)
{
	bool		isnull;
	Datum		value = result_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetFloat8(value);
}

Datum
text_array(char **strings, int n)
{
	Datum	   *values = palloc_array_checked(Datum, n);
	bool	   *nulls = palloc_array_checked(bool, n);
	int			lower = 1;

	for (int i = 0; i < n; i++)
	{
		nulls[i] = strings[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(strings[i]);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower,
											  TEXTOID, -1, false, TYPALIGN_INT));
}

Datum
float_array(const float *numbers, int n)
{
	Datum	   *values = palloc_array_checked(Datum, n);
	Datum		array;

	for (int i = 0; i < n; i++)
		values[i] = Float4GetDatum(numbers[i]);
	array = PointerGetDatum(construct_array(values, n, FLOAT4OID, sizeof(float4), true,
											TYPALIGN_INT));
	pfree(values);
	return array;
}

char **
array_strings(Datum array, int *n)
{
	ArrayType  *value = DatumGetArrayTypeP(array);
	Datum	   *elements;
	bool	   *nulls;
	char	  **strings;

	deconstruct_array(value, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, n);
	strings = palloc_array_checked(char *, *n);
	for (int i = 0; i < *n; i++)
		strings[i] = nulls[i] ? NULL : TextDatumGetCString(elements[i]);
	return strings;
}

bool
strings_complete(char **strings, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (strings[i] == NULL)
			return false;
	}
	return true;
}

int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

int
strings_unique(char **strings, int n)
{
	int			kept = 0;

	qsort(strings, n, sizeof(char *), compare_strings);
	for (int i = 0; i < n; i++)
	{
		if (kept == 0 || strcmp(strings[kept - 1], strings[i]) != 0)
			strings[kept++] = strings[i];
	}
	return kept;
}
