/*-------------------------------------------------------------------------
 *
 * source.c
 *	  Reading the rows of a project's source.
 *
 * Training reads as the owner of the source (as REINDEX and REFRESH do), in a
 * security-restricted operation: a view over a hostile function must not run
 * it as whoever called hl_train().  What is shown to somebody is read as that
 * somebody.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "store/caller.h"
#include "store/session.h"
#include "store/source.h"

/* Rows are fetched so many bytes at a time, whatever their size. */
#define FETCH_BYTES (4 * 1024 * 1024)
#define FETCH_MAX 1000
#define FETCH_MS 250			/* and no more than in about that time */

Input
input_from_text(Datum datum)
{
	text	   *value = DatumGetTextPP(datum);
	Input		input = {false, NULL, 0, NULL, 0};

	input.text = VARDATA_ANY(value);
	input.length = VARSIZE_ANY_EXHDR(value);
	/* bytes of an SQL_ASCII database are taken as they are */
	if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII)
	{
		char	   *copy = pnstrdup(input.text, input.length);
		char	   *utf8 = pg_server_to_any(copy, (int) input.length, PG_UTF8);

		input.text = utf8;
		input.length = strlen(utf8);
	}
	return input;
}

/* float4[] to numbers, NULL as NaN. */
Input
input_from_array(Datum array)
{
	ArrayType  *value = DatumGetArrayTypeP(array);
	Input		input = {false, NULL, 0, NULL, 0};
	Datum	   *elements;
	bool	   *nulls;
	float	   *vector;

	/* no vector, and of no project's length: one bad row must not end a scan */
	if (ARR_NDIM(value) > 1)
	{
		input.vector = palloc0(sizeof(float));
		return input;
	}
	deconstruct_array(value, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT,
					  &elements, &nulls, &input.n);
	vector = palloc_array_checked(float, input.n);
	for (int i = 0; i < input.n; i++)
		vector[i] = nulls[i] ? NAN : DatumGetFloat4(elements[i]);
	input.vector = vector;
	return input;
}

uint64
input_hash(const Input *input)
{
	uint64		hash;

	if (input->vector != NULL)
		hash = hash_bytes_extended((const unsigned char *) input->vector,
								   input->n * (int) sizeof(float), 1);
	else
		hash = hash_bytes_extended((const unsigned char *) input->text, (int) input->length, 2);
	return hash == 0 ? 1 : hash;
}

/* One row of the current SPI result, in the current memory context. */
static void
read_row(const Project *project, HeapTuple tuple, TupleDesc desc, SourceRow *row)
{
	bool		isnull;
	Datum		value;

	row->item = TextDatumGetCString(SPI_getbinval(tuple, desc, 1, &isnull));
	value = SPI_getbinval(tuple, desc, 2, &isnull);
	if (isnull)
	{
		memset(&row->input, 0, sizeof(Input));
		row->input.missing = true;
	}
	else
		row->input = project->input_kind == INPUT_TEXT ? input_from_text(value) :
			input_from_array(value);
	value = SPI_getbinval(tuple, desc, 3, &isnull);
	row->label = isnull ? NULL : TextDatumGetCString(value);
}

/* What read_row takes. */
static char *
row_columns(const Project *project)
{
	return psprintf("%s, %s, %s", project_key_expression(project),
					project_input_expression(project),
					project->label_attnum == 0 ? "NULL::pg_catalog.text" :
					psprintf("s.%s::pg_catalog.text", quote_identifier(project->label_column)));
}

static char *
scan_query(const Project *project, const char *sample)
{
	return psprintf("SELECT %s FROM %s s %s", row_columns(project),
					project_source_quoted(project), sample == NULL ? "" : sample);
}

/*
 * How many rows to fetch, from what the last ones took: bytes, as they lie in
 * the result (toasted or not), and time, as nobody can stop a background
 * worker politely in the middle of a slow view.
 */
static long
next_fetch(uint64 rows, size_t bytes, int64 microseconds)
{
	size_t		each = rows == 0 ? FETCH_BYTES / 16 : bytes / rows + 1;
	int64		in_time = FETCH_MS * INT64CONST(1000) * rows / Max(microseconds, 1);

	return (long) Max(1, Min(FETCH_MAX, Min(in_time, FETCH_BYTES / each)));
}

static void
fetch(Portal portal, long count, SourceReader reader, Oid owner)
{
	MemoryContext before = CurrentMemoryContext;
	Acting		acting;

	if (reader == READ_AS_OWNER)
		act_as_restricted(&acting, owner);
	SPI_cursor_fetch(portal, true, count);
	if (reader == READ_AS_OWNER)
		act_as_before(&acting);
	MemoryContextSwitchTo(before);
}

/* Calls back for every row of a query and closes it. */
static void
read_portal(const Project *project, Portal portal, SourceReader reader, SourceCallback callback,
			void *state)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext row_context = AllocSetContextCreate(context, "humanloop source row",
													  ALLOCSET_DEFAULT_SIZES);
	Oid			owner = project_source_owner(project);
	long		count = 16;

	for (;;)
	{
		SPITupleTable *table;
		uint64		rows;
		size_t		bytes = 0;
		TimestampTz began = GetCurrentTimestamp();
		int64		took;

		fetch(portal, count, reader, owner);
		took = GetCurrentTimestamp() - began;
		table = SPI_tuptable;
		rows = SPI_processed;
		if (rows == 0)
			break;
		for (uint64 i = 0; i < rows; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(row_context);
			bool		isnull;
			SourceRow	row;

			bytes += table->vals[i]->t_len;
			(void) SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull);
			if (!isnull)
			{
				read_row(project, table->vals[i], table->tupdesc, &row);
				callback(&row, state);
			}
			MemoryContextSwitchTo(before);
			MemoryContextReset(row_context);
			interrupts_check();
		}
		SPI_freetuptable(table);
		count = next_fetch(rows, bytes, took);
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_cursor_close(portal);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(row_context);
}

void
source_scan(const Project *project, SourceReader reader, const char *sample,
			bool read_only, SourceCallback callback, void *state)
{
	MemoryContext before = CurrentMemoryContext;
	Portal		portal;
	Acting		acting;

	if (reader == READ_AS_OWNER)
		act_as_restricted(&acting, project_source_owner(project));
	portal = SPI_cursor_open_with_args(NULL, scan_query(project, sample), 0, NULL, NULL, NULL,
									   read_only, CURSOR_OPT_NO_SCROLL);
	if (reader == READ_AS_OWNER)
		act_as_before(&acting);
	/* SPI leaves its own context behind, which ends with SPI_finish */
	MemoryContextSwitchTo(before);
	read_portal(project, portal, reader, callback, state);
}

static void
unknown_item(const Project *project, const char *item)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("item \"%s\" does not exist in the source of project \"%s\"",
					item, project->name),
			 errhint("Items are the values of column \"%s\" (%s).",
					 project->key_column, format_type_be(project->key_type))));
}

/*
 * Statements that look up items, one a project and kept for the session.  They
 * are never freed: a function in a view that is the source may itself come
 * here while the statement runs.
 */
typedef struct LookupEntry
{
	char	   *text;
	SPIPlanPtr	plan;
} LookupEntry;

static List *lookups = NIL;

/* The plan of a statement over an array of items, the only parameter. */
static SPIPlanPtr
kept_plan(const char *text)
{
	Oid			types[1] = {TEXTARRAYOID};
	MemoryContext before;
	LookupEntry *entry;
	SPIPlanPtr	plan;
	ListCell   *cell;

	foreach(cell, lookups)
	{
		entry = lfirst(cell);
		if (strcmp(entry->text, text) == 0)
			return entry->plan;
	}
	plan = SPI_prepare(text, 1, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	before = MemoryContextSwitchTo(TopMemoryContext);
	entry = palloc(sizeof(LookupEntry));
	entry->plan = plan;
	entry->text = pstrdup(text);
	lookups = lappend(lookups, entry);
	MemoryContextSwitchTo(before);
	return plan;
}

/* The source and the items, joined so that the key's index serves. */
static char *
items_join(const Project *project)
{
	return psprintf("JOIN %s s ON s.%s OPERATOR(pg_catalog.=) i.item::%s",
					project_source_quoted(project), quote_identifier(project->key_column),
					project_key_type_name(project));
}

static SPIPlanPtr
lookup_plan(const Project *project)
{
	return kept_plan(psprintf("SELECT %s FROM pg_catalog.unnest($1) WITH ORDINALITY i(item, n) "
							  "LEFT %s ORDER BY i.n",
							  project_key_expression(project), items_join(project)));
}

/* By the very name: keys may be equal by their collation and yet two items. */
static SPIPlanPtr
rows_plan(const Project *project)
{
	return kept_plan(psprintf("SELECT %s FROM pg_catalog.unnest($1) i(item) %s "
							  "AND %s COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) i.item",
							  row_columns(project), items_join(project),
							  project_key_expression(project)));
}

/* As uuid_out writes it, which is how items are known. */
static bool
is_uuid(const char *item)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (int i = 0; i < (int) sizeof(form); i++)
	{
		if (form[i] == 'x' ? !isxdigit((unsigned char) item[i]) : item[i] != form[i])
			return false;
	}
	return true;
}

static bool
is_integer(const char *item, int64 limit)
{
	char	   *end;
	int64		value;

	errno = 0;
	value = strtoll(item, &end, 10);
	end += strspn(end, " \t\r\n");
	return end != item && *end == '\0' && errno == 0 && value <= limit && value >= -limit - 1;
}

/*
 * An integer key has no item that is not an integer: that is an unknown item
 * and not a syntax error from inside a statement.
 */
static bool
can_be_item(const Project *project, const char *item)
{
	switch (project->key_type)
	{
		case INT2OID:
			return is_integer(item, PG_INT16_MAX);
		case INT4OID:
			return is_integer(item, PG_INT32_MAX);
		case INT8OID:
			return is_integer(item, PG_INT64_MAX);
		default:
			return true;
	}
}

static void
check_item(const Project *project, const char *item)
{
	if (item[0] == '\0' || !can_be_item(project, item))
		unknown_item(project, item);
}

char **
source_items(const Project *project, char **items, int n)
{
	MemoryContext before = CurrentMemoryContext;
	char	  **canonical = palloc_array_checked(char *, n);
	Datum		values[1] = {text_array(items, n)};
	Acting		acting;

	for (int i = 0; i < n; i++)
		check_item(project, items[i]);
	act_as_restricted(&acting, project_source_owner(project));
	if (SPI_execute_plan(lookup_plan(project), values, " ", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look up items");
	act_as_before(&acting);
	MemoryContextSwitchTo(before);
	for (uint64 i = 0; i < SPI_processed && i < (uint64) n; i++)
	{
		canonical[i] = result_string(i, 1);
		if (canonical[i] == NULL)
			unknown_item(project, items[i]);
	}
	if (SPI_processed != (uint64) n)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("the key \"%s\" of project \"%s\" is not unique",
						project->key_column, project->name)));
	return canonical;
}

/* The key may have had another type when the item was noted. */
static bool
may_be_item(const Project *project, const char *item)
{
	return project->key_type == UUIDOID ? is_uuid(item) : can_be_item(project, item);
}

void
source_rows(const Project *project, char **items, int n, SourceCallback callback, void *state)
{
	MemoryContext before = CurrentMemoryContext;
	char	  **possible = palloc_array_checked(char *, n);
	int			npossible = 0;
	Datum		values[1];
	Portal		portal;
	Acting		acting;

	for (int i = 0; i < n; i++)
	{
		if (may_be_item(project, items[i]))
			possible[npossible++] = items[i];
	}
	values[0] = text_array(possible, npossible);
	act_as_restricted(&acting, project_source_owner(project));
	portal = SPI_cursor_open(NULL, rows_plan(project), values, " ", false);
	act_as_before(&acting);
	MemoryContextSwitchTo(before);
	read_portal(project, portal, READ_AS_OWNER, callback, state);
	pfree(possible);
}

int
source_missing(const Project *project, char **items, int n, char **missing)
{
	MemoryContext before = CurrentMemoryContext;
	char	  **possible = palloc_array_checked(char *, n);
	int			npossible = 0;
	int			nmissing = 0;
	SPIPlanPtr	plan;
	Datum		values[1];
	Acting		acting;

	for (int i = 0; i < n; i++)
	{
		if (may_be_item(project, items[i]))
			possible[npossible++] = items[i];
		else
			missing[nmissing++] = items[i];
	}
	plan = kept_plan(psprintf("SELECT i.item FROM pg_catalog.unnest($1) i(item) WHERE NOT EXISTS "
							  "(SELECT 1 FROM %s s WHERE s.%s OPERATOR(pg_catalog.=) i.item::%s "
							  "AND %s COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) i.item "
							  "AND s.%s IS NOT NULL)",
							  project_source_quoted(project), quote_identifier(project->key_column),
							  project_key_type_name(project), project_key_expression(project),
							  quote_identifier(project->input_column)));
	values[0] = text_array(possible, npossible);
	act_as_restricted(&acting, project_source_owner(project));
	if (SPI_execute_plan(plan, values, " ", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look up items");
	act_as_before(&acting);
	MemoryContextSwitchTo(before);
	for (uint64 i = 0; i < SPI_processed && nmissing < n; i++)
		missing[nmissing++] = result_string(i, 1);
	return nmissing;
}
