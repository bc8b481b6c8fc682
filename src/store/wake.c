/*-------------------------------------------------------------------------
 *
 * wake.c
 *	  Starts or wakes the database's background worker, at commit.
 *
 * What is to be done is in tables (change.c); this is only the bell.  Whoever
 * has written something rings it when his transaction has committed: the
 * worker's latch where there is a worker, else a new one is started.  A
 * transaction rings once, however many rows it has written.
 *
 * Where to ring is in a few kilobytes of shared memory, one slot a database
 * with a worker.  They come out of the server's spare shared memory, so nothing
 * has to be preloaded.  A slot answers two questions that tables cannot: is
 * there a worker, and has anybody rung since it last looked?  With both under
 * one spinlock no ring is lost: a worker that wants to leave finds the mark of
 * whoever has committed before, and whoever commits after finds it gone and
 * starts another.
 *
 * A ring can be lost with the server: after a crash or restart the slots are
 * empty, and COMMIT PREPARED and a promotion never ring.  So hl_ functions look
 * whether something is due, at most once a second.  Correctness never depends
 * on the bell.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/reading.h"
#include "store/session.h"
#include "store/wake.h"

#define SLOTS 128				/* databases with a worker at a time */
#define STARTING_MS 5000		/* a worker that has not begun by then never
								 * will */
#define LOOK_MS 1000			/* between two looks for due work */
#define DISTRUSTED 8			/* roles that are remembered */

typedef struct Slot
{
	Oid			database;		/* InvalidOid: free */
	Latch	   *latch;			/* of the worker; NULL: none has begun */
	bool		wanted;			/* rung since the worker last looked */
	int32		blamed;			/* project that the last worker died of; 0: none */
	Oid			distrusted[DISTRUSTED]; /* what it knew of others */
	TimestampTz started;		/* last attempt to start one; 0: none */
} Slot;

typedef struct Bell
{
	slock_t		mutex;
	Latch	   *launcher;		/* NULL: not preloaded */
	Slot		slots[SLOTS];
} Bell;

static Bell *bell = NULL;
static bool bell_missing = false;	/* no shared memory was left for it */
static Oid	distrusted[DISTRUSTED]; /* the latest first */
static bool ring_at_commit = false;
static bool committed = false;	/* and must ring, once the locks are released */

static shmem_request_hook_type previous_request_hook = NULL;

static void
request_memory(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Bell)));
}

void
wake_request_memory(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
}

/*
 * Finds or makes the shared slots.  Spare shared memory may be used up by
 * others: then every commit tries to start a worker, and the worker finds out
 * by its lock that there is one already.
 */
static void
find_bell(void)
{
	MemoryContext before = CurrentMemoryContext;

	if (bell != NULL || bell_missing)
		return;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	PG_TRY();
	{
		bool		found;
		Bell	   *made = ShmemInitStruct("humanloop", sizeof(Bell), &found);

		if (!found)
		{
			memset(made, 0, sizeof(Bell));
			SpinLockInit(&made->mutex);
		}
		bell = made;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(before);
		FlushErrorState();
		/* the error has forgotten that the lock holds interrupts off */
		HOLD_INTERRUPTS();
		bell_missing = true;
	}
	PG_END_TRY();
	LWLockRelease(AddinShmemInitLock);
}

/* Its worker has been on its way for too long: it has found nothing to do. */
static bool
is_abandoned(const Slot *slot, TimestampTz now)
{
	return slot->latch == NULL && slot->started != 0 &&
		now - slot->started > STARTING_MS * INT64CONST(1000);
}

/*
 * The slot of this database; a free one becomes it.  NULL: all are taken.
 * Under the mutex.
 */
static Slot *
find_slot(TimestampTz now)
{
	Slot	   *free_slot = NULL;

	for (int i = 0; i < SLOTS; i++)
	{
		Slot	   *slot = &bell->slots[i];

		if (slot->database == MyDatabaseId)
			return slot;
		if (free_slot == NULL && (slot->database == InvalidOid || is_abandoned(slot, now)))
			free_slot = slot;
	}
	if (free_slot != NULL)
	{
		memset(free_slot, 0, sizeof(Slot));
		free_slot->database = MyDatabaseId;
	}
	return free_slot;
}

void
wake_describe_worker(Oid database, BackgroundWorker *worker)
{
	memset(worker, 0, sizeof(*worker));
	strlcpy(worker->bgw_name, WORKER_TYPE, BGW_MAXLEN);
	strlcpy(worker->bgw_type, WORKER_TYPE, BGW_MAXLEN);
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
#ifdef BGWORKER_INTERRUPTIBLE
	worker->bgw_flags |= BGWORKER_INTERRUPTIBLE;
#endif
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, WORKER_LIBRARY, BGW_MAXLEN);
	strlcpy(worker->bgw_function_name, WORKER_FUNCTION, BGW_MAXLEN);
	worker->bgw_main_arg = ObjectIdGetDatum(database);
}

/* Is one needed, and how long has the last one been on its way? */
static bool
need_worker(Slot *slot, TimestampTz now)
{
	if (slot->latch != NULL)
		return false;
	if (slot->started != 0 && now - slot->started < STARTING_MS * INT64CONST(1000) &&
		slot->started <= now)
		return false;
	slot->started = now;
	return true;
}

/* Lets the next commit try at once, and the launcher meanwhile. */
static void
could_not_start(void)
{
	TimestampTz now = GetCurrentTimestamp();
	Latch	   *launcher;
	Slot	   *slot;

	SpinLockAcquire(&bell->mutex);
	slot = find_slot(now);
	if (slot != NULL && slot->latch == NULL)
		slot->started = 0;
	launcher = bell->launcher;
	SpinLockRelease(&bell->mutex);
	if (launcher != NULL)
		SetLatch(launcher);
}

/*
 * After the commit, so nothing here may fail: no allocation, no error.  A
 * full table of background workers is no reason to complain to somebody who
 * has just labelled a row; the work waits in its table.
 */
static void
ring(void)
{
	static TimestampTz last_start = 0;	/* where there is no slot to keep it */
	TimestampTz now = GetCurrentTimestamp();
	Latch	   *latch = NULL;
	bool		start = false;
	bool		has_slot = false;
	BackgroundWorker worker;

	if (bell != NULL)
	{
		Slot	   *slot;

		SpinLockAcquire(&bell->mutex);
		slot = find_slot(now);
		if (slot != NULL)
		{
			has_slot = true;
			slot->wanted = true;
			latch = slot->latch;
			start = need_worker(slot, now);
		}
		SpinLockRelease(&bell->mutex);
	}
	if (!has_slot && now - last_start > LOOK_MS * INT64CONST(1000))
	{
		last_start = now;
		start = true;
	}
	if (latch != NULL)
		SetLatch(latch);
	if (!start)
		return;
	wake_describe_worker(MyDatabaseId, &worker);
	if (!RegisterDynamicBackgroundWorker(&worker, NULL) && has_slot)
		could_not_start();
}

static void
at_transaction_end(XactEvent event, void *argument pg_attribute_unused())
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			committed = ring_at_commit;
			ring_at_commit = false;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			ring_at_commit = committed = false;
			break;
		default:
			break;
	}
}

/*
 * The last that happens at a commit.  At the callback above, others do not know
 * yet what it has changed in the catalogs: a worker that is woken there reads a
 * partitioned table without the partition that it was woken for.
 */
static void
after_release(ResourceReleasePhase phase, bool is_commit, bool is_top,
			  void *argument pg_attribute_unused())
{
	if (!committed || phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_commit || !is_top)
		return;
	committed = false;
	ring();
}

/* False: nobody is to be woken from here. */
static bool
may_wake(void)
{
	return setting_enabled && !IsBinaryUpgrade && !IsParallelWorker() &&
		IsUnderPostmaster && !RecoveryInProgress();
}

void
wake_at_commit(void)
{
	static bool registered = false;

	if (!may_wake())
		return;
	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		RegisterResourceReleaseCallback(after_release, NULL);
		registered = true;
	}
	find_bell();
	ring_at_commit = true;
}

/* Is there a worker, or one on its way? */
static bool
is_served(void)
{
	bool		served = false;

	find_bell();
	if (bell == NULL)
		return false;
	SpinLockAcquire(&bell->mutex);
	for (int i = 0; i < SLOTS && !served; i++)
		served = bell->slots[i].database == MyDatabaseId && bell->slots[i].latch != NULL;
	SpinLockRelease(&bell->mutex);
	return served;
}

void
wake_if_due(void)
{
	static Statement due = {
		"SELECT 1 FROM @hl_project p LEFT JOIN @hl_work w ON w.project_id = p.id "
		"WHERE NOT p.paused AND (w.retry_at IS NULL OR w.retry_at <= pg_catalog.clock_timestamp() "
		"OR p.id IN (SELECT c.project_id FROM @hl_change c WHERE c.kind = 'resume')) "
		"AND (w.project_id IS NULL OR w.train_at <= pg_catalog.clock_timestamp() "
		"OR p.id IN (SELECT c.project_id FROM @hl_change c)) LIMIT 1",
		0, {0}, NULL, 0
	};
	static TimestampTz last_look = 0;
	TimestampTz now;

	if (!may_wake())
		return;
	now = GetCurrentTimestamp();
	if (last_look <= now && now - last_look < LOOK_MS * INT64CONST(1000))
		return;
	last_look = now;
	if (is_served())
		return;
	statement_run_as_extension(&due, NULL, NULL, true);
	if (SPI_processed > 0)
		wake_at_commit();
}

/* ---------------------------------------------------------------------- */
/* The worker's side */

/*
 * However the worker ends, nobody must ring where it was.  If it has to end
 * because of one project, the next one is told, and comes at once: the others
 * have not had their turn.
 */
static void
worker_gone(int code pg_attribute_unused(), Datum argument pg_attribute_unused())
{
	SpinLockAcquire(&bell->mutex);
	for (int i = 0; i < SLOTS; i++)
	{
		Slot	   *slot = &bell->slots[i];

		if (slot->database != MyDatabaseId || slot->latch != MyLatch)
			continue;
		memset(slot, 0, sizeof(Slot));
		if (reading_blamed != 0)
		{
			slot->database = MyDatabaseId;
			slot->blamed = reading_blamed;
			memcpy(slot->distrusted, distrusted, sizeof(distrusted));
		}
	}
	SpinLockRelease(&bell->mutex);
	if (reading_blamed != 0)
		ring();
}

int32
wake_worker_begin(void)
{
	static bool begun = false;
	TimestampTz now = GetCurrentTimestamp();
	int32		blamed = 0;
	Slot	   *slot;

	find_bell();
	if (bell == NULL)
		return 0;
	SpinLockAcquire(&bell->mutex);
	slot = find_slot(now);
	if (slot != NULL)
	{
		slot->latch = MyLatch;
		blamed = slot->blamed;
		slot->blamed = 0;
		memcpy(distrusted, slot->distrusted, sizeof(distrusted));
	}
	SpinLockRelease(&bell->mutex);
	if (!begun)
		before_shmem_exit(worker_gone, (Datum) 0);
	begun = true;
	return blamed;
}

bool
wake_distrusts(Oid owner)
{
	for (int i = 0; i < DISTRUSTED; i++)
	{
		if (OidIsValid(owner) && distrusted[i] == owner)
			return true;
	}
	return false;
}

void
wake_distrust(Oid owner)
{
	if (wake_distrusts(owner))
		return;
	memmove(distrusted + 1, distrusted, sizeof(Oid) * (DISTRUSTED - 1));
	distrusted[0] = owner;
}

void
wake_worker_looks(void)
{
	if (bell == NULL)
		return;
	SpinLockAcquire(&bell->mutex);
	for (int i = 0; i < SLOTS; i++)
	{
		if (bell->slots[i].database == MyDatabaseId)
			bell->slots[i].wanted = false;
	}
	SpinLockRelease(&bell->mutex);
}

bool
wake_worker_leaves(void)
{
	bool		wanted = false;

	if (bell == NULL)
		return true;
	SpinLockAcquire(&bell->mutex);
	for (int i = 0; i < SLOTS; i++)
	{
		Slot	   *slot = &bell->slots[i];

		if (slot->database != MyDatabaseId)
			continue;
		wanted = slot->wanted;
		if (!wanted && slot->latch == MyLatch)
			memset(slot, 0, sizeof(Slot));
	}
	SpinLockRelease(&bell->mutex);
	return !wanted;
}

/* Without a bell: once a second. */
static bool
look_again(void)
{
	static TimestampTz last = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (last <= now && now - last < LOOK_MS * INT64CONST(1000))
		return false;
	last = now;
	return true;
}

bool
wake_worker_wanted(void)
{
	bool		wanted = false;

	if (bell == NULL)
		return look_again();
	SpinLockAcquire(&bell->mutex);
	for (int i = 0; i < SLOTS; i++)
	{
		if (bell->slots[i].database == MyDatabaseId)
			wanted = bell->slots[i].wanted;
	}
	SpinLockRelease(&bell->mutex);
	return wanted;
}

/* ---------------------------------------------------------------------- */
/* The launcher's side */

static void
launcher_gone(int code pg_attribute_unused(), Datum argument pg_attribute_unused())
{
	SpinLockAcquire(&bell->mutex);
	bell->launcher = NULL;
	SpinLockRelease(&bell->mutex);
}

void
wake_launcher_begin(void)
{
	find_bell();
	if (bell == NULL)
		return;
	SpinLockAcquire(&bell->mutex);
	bell->launcher = MyLatch;
	SpinLockRelease(&bell->mutex);
	before_shmem_exit(launcher_gone, (Datum) 0);
}

Oid
wake_unserved_database(void)
{
	Oid			database = InvalidOid;

	if (bell == NULL)
		return InvalidOid;
	SpinLockAcquire(&bell->mutex);
	for (int i = 0; i < SLOTS && database == InvalidOid; i++)
	{
		Slot	   *slot = &bell->slots[i];

		if (slot->database != InvalidOid && slot->wanted && slot->latch == NULL &&
			slot->started == 0)
		{
			/* once only: the database may be gone, and a worker makes its own */
			database = slot->database;
			memset(slot, 0, sizeof(Slot));
		}
	}
	SpinLockRelease(&bell->mutex);
	return database;
}
