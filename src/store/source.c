/*-------------------------------------------------------------------------
 *
 * source.c
 *	  Reading the rows of a project's source.
 *
 * Training reads as the owner of the source, what is shown to somebody is read
 * as that somebody: see reading.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "access/detoast.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "store/caller.h"
#include "store/session.h"
#include "store/source.h"
#include "store/targets.h"

/* Rows are fetched so many bytes at a time, whatever their size. */
#define FETCH_BYTES (4 * 1024 * 1024)
#define FETCH_MAX 1000
#define FETCH_MS 250			/* and no more than in about that time */

/* Columns of a row that is read; the inputs are the last. */
enum
{
	ROW_KEY = 1, ROW_LABEL, ROW_INPUTS, ROW_WHOLE = 2
};

/*
 * Longer keys, which only a source without a B-tree on them has, do not fit
 * into the indexes of our own tables: they are no items.
 */
#define MAX_ITEM_BYTES 2600

void
source_inputs(const Project *project, HeapTuple tuple, TupleDesc desc, int column, Input *first)
{
	Input	   *input = first;

	*input = (Input) {.missing = true};
	for (int i = 0; i < project->ninputs && column + i <= desc->natts; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(tuple, desc, column + i, &isnull);

		if (i > 0)
		{
			Input	   *next = palloc(sizeof(Input));

			input->next = next;
			input = next;
		}
		if (isnull)
			*input = (Input) {.missing = true};
		else
			*input = input_from_value(value, project->inputs[i].kind);
	}
}

/* One row of the current SPI result, in the current memory context. */
static void
read_row(const Project *project, HeapTuple tuple, TupleDesc desc, SourceRow *row)
{
	bool		isnull;
	Datum		value;

	row->item = TextDatumGetCString(SPI_getbinval(tuple, desc, ROW_KEY, &isnull));
	value = SPI_getbinval(tuple, desc, ROW_LABEL, &isnull);
	row->label = isnull ? NULL : TextDatumGetCString(value);
	source_inputs(project, tuple, desc, ROW_INPUTS, &row->input);
}

static void
read_whole(HeapTuple tuple, TupleDesc desc, SourceRow *row)
{
	bool		isnull;

	memset(row, 0, sizeof(*row));
	row->item = TextDatumGetCString(SPI_getbinval(tuple, desc, ROW_KEY, &isnull));
	row->whole = SPI_getbinval(tuple, desc, ROW_WHOLE, &isnull);
}

/* What read_whole takes; a column may be called s, hence the star. */
static char *
whole_columns(const Project *project)
{
	return psprintf("%s, s.*::%s", project_key_expression(project),
					project_source_quoted(project));
}

/* What read_row takes.  The caller needs no labels, and so no right to read them. */
static char *
row_columns(const Project *project, SourceReader reader)
{
	bool		labels = project->label_attnum != 0 && reader == READ_AS_OWNER;

	return psprintf("%s, %s, %s", project_key_expression(project),
					!labels ? "NULL::pg_catalog.text" :
					psprintf("s.%s::pg_catalog.text", quote_identifier(project->label_column)),
					project_input_expressions(project));
}

static char *
scan_query(const Project *project, SourceReader reader, const char *sample)
{
	return psprintf("SELECT %s FROM %s s %s", row_columns(project, reader),
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

/* A query over the source, between its steps. */
typedef struct SourceScan
{
	const Project *project;
	SourceReader reader;
	bool		read_only;
	const char *query;			/* of all rows ... */
	Datum		items;			/* ... or text[]: whose */
	bool		whole;			/* rows as they are */
	Portal		portal;
	long		count;			/* to fetch next */
	int64		spent;			/* microseconds in the steps so far */
} SourceScan;

static void
fetch(void *argument)
{
	const SourceScan *scan = argument;

	SPI_cursor_fetch(scan->portal, true, scan->count);
}

/* Has the row a key that can be an item?  Not NULL, not '': see check_item. */
static bool
has_item(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		key = SPI_getbinval(tuple, desc, ROW_KEY, &isnull);
	Size		length = isnull ? 0 : toast_raw_datum_size(key) - VARHDRSZ;

	return length > 0 && length <= MAX_ITEM_BYTES;
}

/* Calls back for every row of a query and closes it. */
static void
read_portal(SourceScan *scan, SourceCallback callback, void *state)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext row_context = AllocSetContextCreate(context, "humanloop source row",
													  ALLOCSET_DEFAULT_SIZES);

	scan->count = 16;
	for (;;)
	{
		SPITupleTable *table;
		uint64		rows;
		size_t		bytes = 0;
		TimestampTz began = GetCurrentTimestamp();
		int64		took;

		reading_step(scan->project, scan->reader, fetch, scan, &scan->spent);
		took = GetCurrentTimestamp() - began;
		table = SPI_tuptable;
		rows = SPI_processed;
		if (rows == 0)
			break;
		for (uint64 i = 0; i < rows; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(row_context);
			SourceRow	row;

			bytes += table->vals[i]->t_len;
			if (has_item(table->vals[i], table->tupdesc))
			{
				if (scan->whole)
					read_whole(table->vals[i], table->tupdesc, &row);
				else
					read_row(scan->project, table->vals[i], table->tupdesc, &row);
				callback(&row, state);
			}
			MemoryContextSwitchTo(before);
			MemoryContextReset(row_context);
			interrupts_check();
		}
		SPI_freetuptable(table);
		scan->count = next_fetch(rows, bytes, took);
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_cursor_close(scan->portal);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(row_context);
}

static void
open_scan(void *argument)
{
	SourceScan *scan = argument;

	scan->portal = SPI_cursor_open_with_args(NULL, scan->query, 0, NULL, NULL, NULL,
											 scan->read_only, CURSOR_OPT_NO_SCROLL);
}

void
source_scan(const Project *project, SourceReader reader, const char *sample,
			bool read_only, SourceCallback callback, void *state)
{
	SourceScan	scan = {
		.project = project, .reader = reader, .read_only = read_only,
		.query = scan_query(project, reader, sample)
	};

	reading_step(project, reader, open_scan, &scan, &scan.spent);
	read_portal(&scan, callback, state);
}

void
source_scan_query(const Project *project, const char *query, SourceCallback callback, void *state)
{
	SourceScan	scan = {.project = project, .reader = READ_AS_OWNER, .query = query};

	reading_step(project, READ_AS_OWNER, open_scan, &scan, &scan.spent);
	read_portal(&scan, callback, state);
}

void
source_not_unique(const Project *project, const char *item)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("the key \"%s\" of project \"%s\" is not unique",
					project->key_column, project->name),
			 item == NULL ? 0 : errdetail("Item \"%s\" is there twice.", item)));
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
rows_plan(const Project *project, bool whole)
{
	return kept_plan(psprintf("SELECT %s FROM pg_catalog.unnest($1) i(item) %s "
							  "AND %s COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) i.item%s%s",
							  whole ? whole_columns(project) : row_columns(project, READ_AS_OWNER),
							  items_join(project), project_key_expression(project),
							  whole ? " WHERE " : "",
							  whole ? project_input_condition(project) : ""));
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
		case UUIDOID:
			/* one that is none is an error of the caller's, not of the source's */
			(void) DirectFunctionCall1(uuid_in, CStringGetDatum(item));
			return true;
		default:
			return true;
	}
}

static void
check_item(const Project *project, const char *item)
{
	if (strlen(item) > MAX_ITEM_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a key of more than %d bytes cannot be an item", MAX_ITEM_BYTES)));
	if (item[0] == '\0' || !can_be_item(project, item))
		unknown_item(project, item);
}

typedef struct Lookup
{
	const Project *project;
	Datum		items;
} Lookup;

static void
look_up(void *argument)
{
	Lookup	   *lookup = argument;

	if (SPI_execute_plan(lookup_plan(lookup->project), &lookup->items, " ", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look up items");
}

char **
source_items(const Project *project, char **items, int n)
{
	char	  **canonical = palloc_array_checked(char *, n);
	Lookup		lookup = {project, text_array(items, n)};

	for (int i = 0; i < n; i++)
		check_item(project, items[i]);
	reading_step(project, READ_AS_OWNER, look_up, &lookup, NULL);
	for (uint64 i = 0; i < SPI_processed && i < (uint64) n; i++)
	{
		canonical[i] = result_string(i, 1);
		if (canonical[i] == NULL)
			unknown_item(project, items[i]);
	}
	if (SPI_processed != (uint64) n)
		source_not_unique(project, NULL);
	return canonical;
}

static void
open_rows(void *argument)
{
	SourceScan *scan = argument;

	scan->portal = SPI_cursor_open(NULL, rows_plan(scan->project, scan->whole), &scan->items, " ", false);
}

/* The key may have had another type when the item was noted. */
static bool
may_be_item(const Project *project, const char *item)
{
	return project->key_type == UUIDOID ? is_uuid(item) : can_be_item(project, item);
}

/* Rows on their way to a caller who has room for so many. */
typedef struct Passing
{
	const Project *project;
	SourceCallback callback;
	void	   *state;
	int			left;
} Passing;

static void
pass_row(const SourceRow *row, void *argument)
{
	Passing    *passing = argument;

	if (passing->left-- <= 0)
		source_not_unique(passing->project, NULL);
	passing->callback(row, passing->state);
}

static void
rows_of_items(const Project *project, char **items, int n, bool whole, SourceCallback callback,
			  void *state)
{
	SourceScan	scan = {.project = project, .reader = READ_AS_OWNER, .whole = whole};
	Passing		passing = {.project = project, .callback = callback, .state = state, .left = n};
	char	  **possible = palloc_array_checked(char *, n);
	int			npossible = 0;

	for (int i = 0; i < n; i++)
	{
		if (may_be_item(project, items[i]))
			possible[npossible++] = items[i];
	}
	scan.items = text_array(possible, npossible);
	reading_step(project, READ_AS_OWNER, open_rows, &scan, &scan.spent);
	read_portal(&scan, pass_row, &passing);
	pfree(possible);
}

void
source_rows(const Project *project, char **items, int n, SourceCallback callback, void *state)
{
	rows_of_items(project, items, n, false, callback, state);
}

void
source_whole_rows(const Project *project, char **items, int n, SourceCallback callback,
				  void *state)
{
	SourceScan	scan = {.project = project, .reader = READ_AS_OWNER, .whole = true};

	if (items != NULL)
	{
		rows_of_items(project, items, n, true, callback, state);
		return;
	}
	scan.query = psprintf("SELECT %s FROM %s s WHERE %s", whole_columns(project),
						  project_source_quoted(project), project_input_condition(project));
	reading_step(project, READ_AS_OWNER, open_scan, &scan, &scan.spent);
	read_portal(&scan, callback, state);
}

/* Items that have no row, or one without any input, or that is not to be asked. */
static SPIPlanPtr
missing_plan(const Project *project)
{
	return kept_plan(psprintf("SELECT i.item FROM pg_catalog.unnest($1) i(item) WHERE NOT EXISTS "
							  "(SELECT 1 FROM %s s WHERE s.%s OPERATOR(pg_catalog.=) i.item::%s "
							  "AND %s COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) i.item "
							  "AND %s %s)",
							  project_source_quoted(project), quote_identifier(project->key_column),
							  project_key_type_name(project), project_key_expression(project),
							  project_input_condition(project), targets_clause(project)));
}

static void
look_for_missing(void *argument)
{
	Lookup	   *lookup = argument;

	if (SPI_execute_plan(missing_plan(lookup->project), &lookup->items, " ", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look up items");
}

int
source_missing(const Project *project, char **items, int n, char **missing)
{
	char	  **possible = palloc_array_checked(char *, n);
	Lookup		lookup = {.project = project};
	int			npossible = 0;
	int			nmissing = 0;

	/* what is wrong with the condition is no secret, other errors may be */
	targets_check(project, false);
	for (int i = 0; i < n; i++)
	{
		if (may_be_item(project, items[i]))
			possible[npossible++] = items[i];
		else
			missing[nmissing++] = items[i];
	}
	lookup.items = text_array(possible, npossible);
	reading_step(project, READ_AS_OWNER, look_for_missing, &lookup, NULL);
	for (uint64 i = 0; i < SPI_processed && nmissing < n; i++)
		missing[nmissing++] = result_string(i, 1);
	return nmissing;
}
