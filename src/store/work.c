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

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/session.h"
#include "store/work.h"

#define RETRY_FIRST 5.0			/* seconds after the first failure */
#define RETRY_MOST 3600.0
#define BUSY_SECONDS 2.0
#define SLOW_SHARE 10			/* a source that takes too long gets that part of the time */
#define HOLD_MOST 60.0			/* where nobody can see the next try */
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

/* Seconds to wait after so many failures, the last of which was this one. */
static double
retry_after(int failures, int sqlerrcode)
{
	double		least = 0;

	if (sqlerrcode == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED)
		least = SLOW_SHARE * setting_worker_source_timeout / 1000.0;
	return Min(Max(RETRY_FIRST * pow(2.0, Min(failures, 20) - 1), least), RETRY_MOST);
}

/*
 * A project whose failure could not be recorded, as when the disk is full: it
 * waits as the others do, but what it waits for is in memory.
 */
typedef struct Hold
{
	int32		project_id;
	int			failures;
	bool		resumed;		/* somebody has called hl_resume() meanwhile */
	TimestampTz until;
} Hold;

static HTAB *holds = NULL;

void
work_hold(int32 project_id)
{
	Hold	   *hold;
	bool		found;

	if (holds == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(int32), .entrysize = sizeof(Hold)};

		holds = hash_create("humanloop held projects", 16, &control, HASH_ELEM | HASH_BLOBS);
	}
	hold = hash_search(holds, &project_id, HASH_ENTER, &found);
	if (!found)
	{
		hold->failures = 0;
		hold->resumed = false;
	}
	hold->failures++;
	hold->until = GetCurrentTimestamp() +
		(int64) (Min(retry_after(hold->failures, 0), HOLD_MOST) * 1e6);
}

void
work_release(int32 project_id)
{
	if (holds != NULL)
		(void) hash_search(holds, &project_id, HASH_REMOVE, NULL);
}

void
work_release_all(void)
{
	if (holds != NULL)
		hash_destroy(holds);
	holds = NULL;
}

/*
 * Whoever calls hl_resume() is heard once: his note stays until something can
 * be written.
 */
static TimestampTz
held_until(int32 project_id, bool resumed)
{
	Hold	   *hold = holds == NULL ? NULL : hash_search(holds, &project_id, HASH_FIND, NULL);

	if (hold == NULL || (resumed && !hold->resumed))
	{
		if (hold != NULL)
			hold->resumed = true;
		return DT_NOBEGIN;
	}
	return hold->until;
}

int32 *
work_due(int *n, TimestampTz *next)
{
	/*
	 * A project that is missing in hl_work has never been looked at.  Those
	 * that have failed come last: one that takes long to fail again, or ends
	 * this process, keeps nobody waiting.
	 */
	static Statement select = {
		"SELECT d.id, CASE WHEN d.resumed THEN d.todo ELSE greatest(d.todo, d.retry_at) END, d.resumed "
		"FROM (SELECT p.id IN (SELECT c.project_id FROM @hl_change c WHERE c.kind = 'resume') AS resumed, "
		"p.id, w.retry_at, coalesce(w.failures, 0) > 0 AS failing, least(w.train_at, "
		"CASE WHEN w.project_id IS NULL OR p.id IN (SELECT c.project_id FROM @hl_change c) "
		"THEN '-infinity'::timestamptz END) AS todo "
		"FROM @hl_project p LEFT JOIN @hl_work w ON w.project_id = p.id WHERE NOT p.paused) d "
		"WHERE d.todo IS NOT NULL ORDER BY d.failing, 2, 1",
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
		int32		project_id = result_int(i, 1);
		TimestampTz at = result_time(i, 2);
		bool		isnull;

		at = Max(at, held_until(project_id, DatumGetBool(result_datum(i, 3, &isnull))));
		if (at <= now)
			due[(*n)++] = project_id;
		else
			*next = Min(*next, at);
	}
	return due;
}

/* ---------------------------------------------------------------------- */
/* Changes */

/* More items than these are not learned, or read, one by one. */
#define LABELS_LISTED 100000
#define ROWS_LISTED 20000

#define DONE_AT_ONCE 50000		/* changes deleted in one transaction */

typedef struct ItemList
{
	char	  **items;
	int			n;
	int			capacity;
} ItemList;

typedef struct ChangesReader
{
	Changes    *changes;
	MemoryContext context;		/* of the result */
	ItemList	labelled;
	ItemList	inserted;
	ItemList	changed;
} ChangesReader;

/* In the context of the result. */
static void
add_items(ItemList *list, ArrayType *array, int most, bool *all)
{
	int			n;
	char	  **items;

	if (*all)
		return;
	items = array_strings(PointerGetDatum(array), &n);
	if (list->n + n > list->capacity)
	{
		list->capacity = 2 * (list->n + n);
		list->items = list->items == NULL ? palloc_array_checked(char *, list->capacity) :
			repalloc_huge(list->items, mul_size(list->capacity, sizeof(char *)));
	}
	for (int i = 0; i < n; i++)
	{
		if (items[i] != NULL)
			list->items[list->n++] = items[i];
	}
	*all = list->n > most;
}

static void
read_change(ChangeKind kind, ArrayType *items, const ChangePlace *place, void *state)
{
	ChangesReader *reader = state;
	Changes    *changes = reader->changes;
	MemoryContext before = MemoryContextSwitchTo(reader->context);

	changes->any = true;
	switch (kind)
	{
		case CHANGE_LABELS:
			if (items == NULL)
				changes->all_labels = true;
			else
				add_items(&reader->labelled, items, LABELS_LISTED, &changes->all_labels);
			break;
		case CHANGE_INSERTED:
		case CHANGE_ROWS:
			if (items == NULL)
				changes->all_rows = true;
			else
				add_items(kind == CHANGE_INSERTED ? &reader->inserted : &reader->changed, items,
						  ROWS_LISTED, &changes->all_rows);
			break;
		case CHANGE_ENCODER:
			changes->all_rows = true;
			break;
		case CHANGE_MODEL:
			changes->model = true;
			break;
		case CHANGE_RESUME:
			changes->resume = true;
			break;
		case CHANGE_POOL:
			changes->pool = true;
			break;
	}
	change_places_add(kind == CHANGE_POOL ? &changes->pool_places :
					  kind == CHANGE_INSERTED || kind == CHANGE_ROWS || kind == CHANGE_ENCODER ?
					  &changes->rows_places : &changes->label_places, place);
	MemoryContextSwitchTo(before);
}

void
changes_read(int32 project_id, Changes *changes)
{
	ChangesReader reader = {.changes = changes, .context = CurrentMemoryContext};

	memset(changes, 0, sizeof(*changes));
	changes->file = changes_scan(project_id, read_change, &reader);
	changes->labelled = reader.labelled.items;
	changes->nlabelled = reader.labelled.n;
	changes->inserted = reader.inserted.items;
	changes->ninserted = reader.inserted.n;
	changes->changed = reader.changed.items;
	changes->nchanged = reader.changed.n;
}

bool
changes_done(const Changes *changes, ChangePlaces *places)
{
	changes_delete(places, changes->file, DONE_AT_ONCE);
	return places->n == 0;
}

void
changes_encoded(int32 project_id)
{
	static Statement delete = {
		"DELETE FROM @hl_change WHERE project_id = $1 AND kind = 'encoder'", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project_id)};

	statement_run_as_extension(&delete, values, NULL, false);
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
changes_settle(Changes *changes, bool labels)
{
	if (!changes->by_hand)
		return;
	changes_delete(&changes->rows_places, changes->file, INT_MAX);
	changes_delete(&changes->pool_places, changes->file, INT_MAX);
	if (labels)
		changes_delete(&changes->label_places, changes->file, INT_MAX);
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
	/* there is one worker, and it runs nothing else: that it has ended was not stored */
	static Statement close = {
		"UPDATE @hl_run SET state = 'failed', step = NULL, finished_at = pg_catalog.clock_timestamp(), "
		"error = 'how it ended could not be recorded' WHERE project_id = $1 AND state = 'running'",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[4] = {Int32GetDatum(project_id), Int32GetDatum(RUNS_KEPT)};
	int64		id;

	statement_run_as_extension(&close, values, NULL, false);
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

/* The columns came with 0.4.0. */
void
run_rows(int64 run, int64 done, int64 total)
{
	static Statement update = {
		"UPDATE @hl_run SET rows_done = $2, rows_total = $3 WHERE id = $1",
		3, {INT8OID, INT8OID, INT8OID}, NULL, 0
	};
	Datum		values[3] = {Int64GetDatum(run), Int64GetDatum(done), Int64GetDatum(total)};

	if (get_attnum(extension_table("hl_run"), "rows_done") != InvalidAttrNumber)
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

/* How much memory was wanted is in the detail. */
static char *
error_text(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_OUT_OF_MEMORY && error->detail != NULL ?
		psprintf("%s: %s", error->message, error->detail) : error->message;
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
		Int32GetDatum(project_id), CStringGetTextDatum(error_text(error)),
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
	values[2] = Float8GetDatum(retry_after(work.failures + 1, error->sqlerrcode));
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
		"last_error_at = pg_catalog.clock_timestamp(), "
		"train_at = CASE WHEN d.kind = 'train' THEN n.next ELSE w.train_at END, "
		"retry_at = CASE WHEN d.kind = 'train' THEN w.retry_at ELSE n.next END "
		"FROM dead d JOIN (SELECT project_id, pg_catalog.clock_timestamp() + pg_catalog.make_interval("
		"secs => least($1 * (pg_catalog.power(2.0, least(failures, 20)) - 1), $2)) AS next "
		"FROM @hl_work) n USING (project_id) WHERE w.project_id = d.project_id",
		2, {FLOAT8OID, FLOAT8OID}, NULL, 0
	};
	Datum		values[2] = {Float8GetDatum(RETRY_FIRST), Float8GetDatum(RETRY_MOST)};

	statement_run_as_extension(&bury, values, NULL, false);
}
