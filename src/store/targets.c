/*-------------------------------------------------------------------------
 *
 * targets.c
 *	  Option "targets": which rows are asked, and are to be got right.
 *
 * A boolean expression of SQL over the columns of the source.  It is text that
 * somebody has written, so it is never pasted into a statement of ours: it gets
 * into statements over the source only, which are planned and run as the
 * owner of the source (reading.c).  Whoever gives it has the rights of that
 * owner, and could run all that is in it himself.
 *
 * It may hang on the time or on other tables, so what satisfies it is not
 * stored.  It is found anew with each scoring of the pool, by one query for the
 * keys; 128 bits of each are kept, as many as there are, until the end of the
 * scoring.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "store/caller.h"
#include "store/condition.h"
#include "store/session.h"
#include "store/source.h"
#include "store/targets.h"

typedef struct TargetKey
{
	ItemKey		key;
	char		status;
} TargetKey;

#define SH_PREFIX target
#define SH_ELEMENT_TYPE TargetKey
#define SH_KEY_TYPE ItemKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) (key).low)
#define SH_EQUAL(table, a, b) ((a).high == (b).high && (a).low == (b).low)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct TargetRows
{
	target_hash *table;
};

#define FIRST_ROWS 1024

const char *
targets_clause(const Project *project)
{
	const char *condition = project->options.targets;

	/* a comment at its end must not swallow the parenthesis */
	return condition == NULL ? "" : psprintf("AND (\n%s\n)", condition);
}

/* ---------------------------------------------------------------------- */
/* Is it a condition? */

void
targets_check(const Project *project, bool given)
{
	const ErrorData *error;

	if (project->options.targets == NULL)
		return;
	/* the worker, too, may tell */
	error = condition_problem(project, project->options.targets, CONDITION_TARGETS);
	if (error == NULL)
		return;
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("the condition of option \"targets\": %s", error->message),
			 error->detail != NULL ? errdetail_internal("%s", error->detail) :
			 error->hint != NULL ? errdetail_internal("%s", error->hint) : 0,
			 !given ? errhint("SELECT hl_set_targets('%s', ...) gives another one.", project->name) :
			 errhint("Give one boolean expression over the columns of the source, like \"created >= now() - interval '1 year'\"; "
					 "other relations, and functions, by their schemas.")));
}

/* ---------------------------------------------------------------------- */
/* What satisfies it */

static void
add_row(const SourceRow *row, void *argument)
{
	TargetRows *targets = argument;
	uint64		size = targets->table->size;
	bool		found;

	(void) target_insert(targets->table, item_key(row->item), &found);
	/* it has doubled */
	if (targets->table->size != size)
		memory_check(targets->table->size * sizeof(TargetKey),
					 "find the rows that satisfy option \"targets\"");
}

TargetRows *
targets_read(const Project *project, MemoryContext context)
{
	TargetRows *targets;

	if (project->options.targets == NULL)
		return NULL;
	targets_check(project, false);
	targets = MemoryContextAlloc(context, sizeof(TargetRows));
	targets->table = target_create(context, FIRST_ROWS, NULL);
	source_scan_query(project,
					  psprintf("SELECT %s, NULL::pg_catalog.text FROM %s s WHERE %s %s",
							   project_key_expression(project), project_source_quoted(project),
							   project_input_condition(project), targets_clause(project)),
					  add_row, targets);
	return targets;
}

bool
targets_have_key(const TargetRows *targets, ItemKey key)
{
	return target_lookup(targets->table, key) != NULL;
}

bool
targets_have(const TargetRows *targets, const char *item)
{
	return targets == NULL || targets_have_key(targets, item_key(item));
}

int64
targets_count(const TargetRows *targets)
{
	return targets->table->members;
}

bool
targets_sort_out(const Project *project, char **items, int n, NewRows *added)
{
	char	  **missing;
	int			nmissing;
	target_hash *known;
	bool		found;
	bool		others = false;

	if (project->options.targets == NULL || n == 0)
		return false;
	missing = palloc_array_checked(char *, n);
	nmissing = source_missing(project, items, n, missing);
	known = target_create(CurrentMemoryContext, nmissing + added->ngone + added->n + 16, NULL);
	for (int i = 0; i < nmissing; i++)
		(void) target_insert(known, item_key(missing[i]), &found);
	for (int i = 0; i < added->ngone; i++)
		(void) target_insert(known, item_key(added->gone[i]), &found);
	added->outside = palloc_array_checked(bool, added->n);
	for (int i = 0; i < added->n; i++)
		(void) target_insert(known, item_key(added->items[i]), &added->outside[i]);
	/* a row whose input is as it was may be new to the condition */
	for (int i = 0; i < n && !others; i++)
		others = target_lookup(known, item_key(items[i])) == NULL;
	target_destroy(known);
	added->gone = added->gone == NULL ? palloc_array_checked(char *, nmissing) :
		repalloc_huge(added->gone, mul_size(sizeof(char *), Max(added->ngone + nmissing, 1)));
	for (int i = 0; i < nmissing; i++)
		added->gone[added->ngone++] = missing[i];
	return others;
}

/* ---------------------------------------------------------------------- */

bool
targets_moved(const Project *project)
{
	static Statement select = {
		"SELECT options ->> 'targets' FROM @hl_project WHERE id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	const char *condition = project->options.targets;
	const char *now;

	statement_run_as_extension(&select, values, NULL, false);
	now = SPI_processed == 0 ? NULL : result_string(0, 1);
	return now == NULL || condition == NULL ? now != condition : strcmp(now, condition) != 0;
}

void
targets_store(const Project *project)
{
	static Statement update = {
		"UPDATE @hl_project SET options = CASE WHEN $2 IS NULL THEN options - 'targets' "
		"ELSE options || pg_catalog.jsonb_build_object('targets', $2) END WHERE id = $1",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	const char *condition = project->options.targets;
	Datum		values[2] = {
		Int32GetDatum(project->id), condition == NULL ? (Datum) 0 : CStringGetTextDatum(condition)
	};
	bool		nulls[2] = {false, condition == NULL};

	statement_run_as_extension(&update, values, nulls, false);
}
