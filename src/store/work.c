/*-------------------------------------------------------------------------
 *
 * work.c
 *	  What the background worker has to do, does, and could not do.
 *
 * A run is committed as 'running' before it begins: a process that is killed
 * cannot record anything, so a row that is still 'running' when the next
 * worker starts was a crash, and counts as a failure.  Failures put a project
 * off, twice as long each time, so that one that always fails, or takes the
 * server down with it, leaves time for the others and for whoever wants to
 * pause it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/session.h"
#include "store/work.h"

#define RETRY_FIRST 5.0			/* seconds after the first failure */
#define RETRY_MOST 3600.0
#define BUSY_SECONDS 2.0
#define RUNS_KEPT 100			/* a project */

/* ---------------------------------------------------------------------- */
/* Plans */

static TimestampTz
result_time(uint64 row, int column)
{
	bool		isnull;
	Datum		value = result_datum(row, column, &isnull);

	return isnull ? DT_NOEND : DatumGetTimestampTz(value);
}

void
work_read(int32 project_id, Work *work)
{
	static Statement select = {
		"SELECT tried_labels, train_at, failures, failed IS NOT DISTINCT FROM 'train' FROM @hl_work WHERE project_id = $1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project_id)};
	bool		isnull;

	memset(work, 0, sizeof(*work));
	work->train_at = DT_NOEND;
	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return;
	work->tried_labels = result_int(0, 1);
	work->train_at = result_time(0, 2);
	work->failures = result_int(0, 3);
	work->training_failed = DatumGetBool(result_datum(0, 4, &isnull));
	work->known = true;
}

void
work_write(int32 project_id, const Work *work)
{
	/* the row is missing after a restore */
	static Statement upsert = {
		"INSERT INTO @hl_work AS w (project_id, tried_labels, train_at) "
		"SELECT p.id, $2, $3 FROM @hl_project p WHERE p.id = $1 "
		"ON CONFLICT (project_id) DO UPDATE SET tried_labels = excluded.tried_labels, "
		"train_at = excluded.train_at "
		"WHERE (w.tried_labels, w.train_at) IS DISTINCT FROM (excluded.tried_labels, excluded.train_at)",
		3, {INT4OID, INT4OID, TIMESTAMPTZOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project_id), Int32GetDatum(work->tried_labels),
		TimestampTzGetDatum(work->train_at)
	};
	bool		nulls[3] = {false, false, work->train_at == DT_NOEND};

	statement_run_as_extension(&upsert, values, nulls, false);
}

int32 *
work_due(int *n, TimestampTz *next)
{
	/* a project that is missing in hl_work has never been looked at */
	static Statement select = {
		"SELECT d.id, CASE WHEN d.id IN (SELECT c.project_id FROM @hl_change c WHERE c.kind = 'resume') "
		"THEN d.todo ELSE greatest(d.todo, d.retry_at) END FROM (SELECT p.id, w.retry_at, least(w.train_at, "
		"CASE WHEN w.project_id IS NULL OR p.id IN (SELECT c.project_id FROM @hl_change c) "
		"THEN '-infinity'::timestamptz END) AS todo "
		"FROM @hl_project p LEFT JOIN @hl_work w ON w.project_id = p.id WHERE NOT p.paused) d "
		"WHERE d.todo IS NOT NULL ORDER BY 2, 1",
		0, {0}, NULL, 0
	};
	TimestampTz now = GetCurrentTimestamp();
	int32	   *due;

	statement_run_as_extension(&select, NULL, NULL, false);
	due = palloc_array_checked(int32, SPI_processed);
	*n = 0;
	*next = DT_NOEND;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		TimestampTz at = result_time(i, 2);

		if (at <= now)
			due[(*n)++] = result_int(i, 1);
		else if (*next == DT_NOEND)
			*next = at;
	}
	return due;
}

/* ---------------------------------------------------------------------- */
/* Changes */

typedef struct ItemList
{
	char	  **items;
	int			n;
	int			capacity;
} ItemList;

static void
add_items(ItemList *list, Datum array)
{
	int			n;
	char	  **items = array_strings(array, &n);

	if (list->n + n > list->capacity)
	{
		char	  **larger;

		list->capacity = 2 * (list->n + n);
		larger = palloc_array_checked(char *, list->capacity);
		if (list->n > 0)
			memcpy(larger, list->items, sizeof(char *) * list->n);
		list->items = larger;
	}
	for (int i = 0; i < n; i++)
	{
		if (items[i] != NULL)
			list->items[list->n++] = items[i];
	}
}

static Datum
places_array(Datum *places, int n)
{
	return PointerGetDatum(construct_array(places, n, TIDOID, sizeof(ItemPointerData), false,
										   TYPALIGN_SHORT));
}

/* The file that the table is in. */
static Oid
changes_file(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(extension_table("hl_change")));
	Oid			file = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		file = ((Form_pg_class) GETSTRUCT(tuple))->relfilenode;
		ReleaseSysCache(tuple);
	}
	return file;
}

void
changes_read(int32 project_id, Changes *changes)
{
	static Statement select = {
		"SELECT ctid, kind, items FROM @hl_change WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project_id)};
	ItemList	labelled = {0};
	ItemList	inserted = {0};
	ItemList	changed = {0};
	Datum	   *rows;
	Datum	   *labels;
	Datum	   *pool;
	int			nrows = 0;
	int			nlabels = 0;
	int			npool = 0;

	memset(changes, 0, sizeof(*changes));
	LockRelationOid(extension_table("hl_change"), AccessShareLock);
	changes->file = changes_file();
	statement_run_as_extension(&select, values, NULL, false);
	changes->any = SPI_processed > 0;
	rows = palloc_array_checked(Datum, SPI_processed);
	labels = palloc_array_checked(Datum, SPI_processed);
	pool = palloc_array_checked(Datum, SPI_processed);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		place = result_datum(i, 1, &isnull);
		char	   *kind = result_string(i, 2);
		Datum		items = result_datum(i, 3, &isnull);
		bool		of_rows = strcmp(kind, "inserted") == 0 || strcmp(kind, "rows") == 0;

		if (strcmp(kind, "pool") == 0)
		{
			changes->pool = true;
			pool[npool++] = place;
			continue;
		}
		if (of_rows)
			rows[nrows++] = place;
		else
			labels[nlabels++] = place;
		if (strcmp(kind, "model") == 0)
			changes->model = true;
		else if (strcmp(kind, "resume") == 0)
			changes->resume = true;
		else if (isnull && of_rows)
			changes->all_rows = true;
		else if (isnull)
			changes->all_labels = true;
		else
			add_items(of_rows ? kind[0] == 'i' ? &inserted : &changed : &labelled, items);
	}
	changes->rows_places = places_array(rows, nrows);
	changes->label_places = places_array(labels, nlabels);
	changes->pool_places = places_array(pool, npool);
	changes->labelled = labelled.items;
	changes->nlabelled = labelled.n;
	changes->inserted = inserted.items;
	changes->ninserted = inserted.n;
	changes->changed = changed.items;
	changes->nchanged = changed.n;
}

/*
 * Places are of no use once the table has been rewritten (VACUUM FULL): then
 * the changes stay, and are learned once more, which changes nothing.
 */
void
changes_done(const Changes *changes, Datum places)
{
	static Statement delete = {
		"DELETE FROM @hl_change WHERE ctid = ANY ($1)", 1, {TIDARRAYOID}, NULL, 0
	};

	LockRelationOid(extension_table("hl_change"), RowExclusiveLock);
	if (changes_file() == changes->file)
		statement_run_as_extension(&delete, &places, NULL, false);
}

void
changes_before(const Project *project, Changes *changes)
{
	memset(changes, 0, sizeof(*changes));
	if (setting_enabled && !project->paused)
		return;
	changes_read(project->id, changes);
	changes->by_hand = true;
}

void
changes_settle(const Changes *changes, bool labels)
{
	if (!changes->by_hand)
		return;
	changes_done(changes, changes->rows_places);
	changes_done(changes, changes->pool_places);
	if (labels)
		changes_done(changes, changes->label_places);
}

void
changes_sweep(void)
{
	static Statement delete = {
		"DELETE FROM @hl_change c WHERE NOT EXISTS (SELECT 1 FROM @hl_project p WHERE p.id = c.project_id)",
		0, {0}, NULL, 0
	};

	statement_run_as_extension(&delete, NULL, NULL, false);
}

/* ---------------------------------------------------------------------- */
/* Runs */

int64
run_begin(int32 project_id, const char *kind, const char *step)
{
	static Statement insert = {
		"INSERT INTO @hl_run (project_id, kind, pid, step) VALUES ($1, $2, $3, $4) RETURNING id",
		4, {INT4OID, TEXTOID, INT4OID, TEXTOID}, NULL, 0
	};
	static Statement prune = {
		"DELETE FROM @hl_run WHERE project_id = $1 AND id < ALL (ARRAY(SELECT id FROM @hl_run "
		"WHERE project_id = $1 ORDER BY id DESC LIMIT $2))",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[4] = {Int32GetDatum(project_id), Int32GetDatum(RUNS_KEPT)};
	int64		id;

	statement_run_as_extension(&prune, values, NULL, false);
	values[1] = CStringGetTextDatum(kind);
	values[2] = Int32GetDatum(MyProcPid);
	values[3] = CStringGetTextDatum(step);
	statement_run_as_extension(&insert, values, NULL, false);
	id = result_bigint(0, 1);
	return id;
}

void
run_step(int64 run, const char *step)
{
	static Statement update = {
		"UPDATE @hl_run SET step = $2 WHERE id = $1", 2, {INT8OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int64GetDatum(run), CStringGetTextDatum(step)};

	statement_run_as_extension(&update, values, NULL, false);
}

void
run_end(int64 run, const char *state, int32 model)
{
	static Statement update = {
		"UPDATE @hl_run SET state = $2, model = $3, step = NULL, "
		"finished_at = pg_catalog.clock_timestamp() WHERE id = $1",
		3, {INT8OID, TEXTOID, INT4OID}, NULL, 0
	};
	Datum		values[3] = {
		Int64GetDatum(run), CStringGetTextDatum(state), Int32GetDatum(model)
	};
	bool		nulls[3] = {false, false, model == 0};

	statement_run_as_extension(&update, values, nulls, false);
}

/* Seconds to wait after so many failures. */
static double
retry_after(int failures)
{
	return Min(RETRY_FIRST * pow(2.0, Min(failures, 20) - 1), RETRY_MOST);
}

bool
work_failed(int32 project_id, const char *kind, const ErrorData *error)
{
	static Statement close_run = {
		"UPDATE @hl_run SET state = 'failed', finished_at = pg_catalog.clock_timestamp(), "
		"error = $2, sqlstate = $3 WHERE project_id = $1 AND state = 'running' AND pid = $4 "
		"AND kind = $5 RETURNING id",
		5, {INT4OID, TEXTOID, TEXTOID, INT4OID, TEXTOID}, NULL, 0
	};
	static Statement resumed = {
		"DELETE FROM @hl_change WHERE project_id = $1 AND kind = 'resume'", 1, {INT4OID}, NULL, 0
	};
	static Statement new_run = {
		"INSERT INTO @hl_run (project_id, kind, pid, finished_at, state, error, sqlstate) "
		"SELECT $1, $5, $4, pg_catalog.clock_timestamp(), 'failed', $2, $3 "
		"WHERE EXISTS (SELECT 1 FROM @hl_project WHERE id = $1)",
		5, {INT4OID, TEXTOID, TEXTOID, INT4OID, TEXTOID}, NULL, 0
	};
	static Statement record = {
		"UPDATE @hl_work w SET failures = w.failures + 1, failed = $4, last_error = $2, "
		"last_error_at = pg_catalog.clock_timestamp(), "
		"retry_at = CASE WHEN $4 <> 'train' THEN n.next ELSE w.retry_at END, "
		"train_at = CASE WHEN $4 = 'train' THEN n.next ELSE w.train_at END "
		"FROM (SELECT last_error, pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $3) AS next "
		"FROM @hl_work WHERE project_id = $1) n WHERE w.project_id = $1 "
		"RETURNING n.last_error IS DISTINCT FROM w.last_error OR w.failures = 1",
		4, {INT4OID, TEXTOID, FLOAT8OID, TEXTOID}, NULL, 0
	};
	Datum		values[5] = {
		Int32GetDatum(project_id), CStringGetTextDatum(error->message),
		CStringGetTextDatum(unpack_sql_state(error->sqlerrcode)), Int32GetDatum(MyProcPid),
		CStringGetTextDatum(kind)
	};
	bool		isnull;
	Work		work;

	work_read(project_id, &work);
	work_write(project_id, &work);
	statement_run_as_extension(&resumed, values, NULL, false);
	statement_run_as_extension(&close_run, values, NULL, false);
	if (SPI_processed == 0)
		statement_run_as_extension(&new_run, values, NULL, false);
	values[2] = Float8GetDatum(retry_after(work.failures + 1));
	values[3] = CStringGetTextDatum(kind);
	statement_run_as_extension(&record, values, NULL, false);
	return SPI_processed > 0 && DatumGetBool(result_datum(0, 1, &isnull));
}

void
work_busy(int32 project_id, const char *kind)
{
	static Statement close_run = {
		"UPDATE @hl_run SET state = 'superseded', step = NULL, "
		"finished_at = pg_catalog.clock_timestamp() "
		"WHERE project_id = $1 AND state = 'running' AND pid = $2 AND kind = $3",
		3, {INT4OID, INT4OID, TEXTOID}, NULL, 0
	};
	static Statement update = {
		"UPDATE @hl_work SET retry_at = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $2) "
		"WHERE project_id = $1", 2, {INT4OID, FLOAT8OID}, NULL, 0
	};
	Datum		values[3] = {Int32GetDatum(project_id), Float8GetDatum(BUSY_SECONDS)};

	statement_run_as_extension(&update, values, NULL, false);
	values[1] = Int32GetDatum(MyProcPid);
	values[2] = CStringGetTextDatum(kind);
	statement_run_as_extension(&close_run, values, NULL, false);
}

void
work_succeeded(int32 project_id, bool training)
{
	static Statement update = {
		"UPDATE @hl_work SET failures = 0, failed = NULL, retry_at = NULL, last_error = NULL, "
		"last_error_at = NULL WHERE project_id = $1 AND failures > 0 AND (failed <> 'train' OR $2)",
		2, {INT4OID, BOOLOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project_id), BoolGetDatum(training)};

	statement_run_as_extension(&update, values, NULL, false);
}

void
runs_bury(void)
{
	static Statement bury = {
		"WITH dead AS (UPDATE @hl_run SET state = 'crashed', finished_at = pg_catalog.clock_timestamp(), "
		"error = 'the worker ended in the middle of it' WHERE state = 'running' RETURNING project_id, kind) "
		"UPDATE @hl_work w SET failures = w.failures + 1, failed = d.kind, "
		"last_error = 'the worker ended in the middle of a run', "
		"last_error_at = pg_catalog.clock_timestamp(), train_at = pg_catalog.clock_timestamp() + "
		"pg_catalog.make_interval(secs => least($1 * (pg_catalog.power(2.0, least(w.failures, 20)) - 1), $2)) "
		"FROM dead d WHERE w.project_id = d.project_id",
		2, {FLOAT8OID, FLOAT8OID}, NULL, 0
	};
	Datum		values[2] = {Float8GetDatum(RETRY_FIRST), Float8GetDatum(RETRY_MOST)};

	statement_run_as_extension(&bury, values, NULL, false);
}
