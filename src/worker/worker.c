/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  The background worker of a database: waits, takes turns, leaves.
 *
 * One a database, started by the commit that has something for it (wake.c),
 * gone after humanloop.worker_idle_timeout without work, unless some is
 * planned within as long again.  It keeps no state
 * that is not in tables but for what it can read again.
 *
 * It must never be in the way.  It holds no transaction while it waits or
 * computes.  Once a second it looks whether somebody wants to drop the
 * database or to copy it, who would give up after five seconds, and leaves.
 * It takes its own locks without waiting, and waits half a second at most for
 * those that the reading of a source needs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/pmsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/caller.h"
#include "store/learner.h"
#include "store/reading.h"
#include "store/session.h"
#include "store/wake.h"
#include "store/work.h"
#include "worker/turn.h"
#include "worker/worker.h"

#define HEARTBEAT_MS 1000
#define LEAVING_NAPS 5
#define BUSY_MS 100				/* until what was locked is tried again */

extern PGDLLEXPORT void hl_worker_main(Datum argument);

static Oid	extension = InvalidOid; /* that we hold the lock of */

static bool
elapsed(TimestampTz since, TimestampTz now, long milliseconds)
{
	return now < since || now - since >= milliseconds * INT64CONST(1000);
}

/*
 * Has somebody locked the database to drop or to copy it?  Both take a lock
 * that conflicts with the one every starting backend takes for a moment.
 */
static bool
database_wanted(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, RowExclusiveLock, true);
	return false;
}

void
worker_heartbeat(void)
{
	static TimestampTz last = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (!elapsed(last, now, HEARTBEAT_MS))
		return;
	last = now;
	/* a new server could not start before we have ended */
	if (!PostmasterIsAlive())
		proc_exit(1);
	if (ConfigReloadPending && !IsTransactionState())
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	/* aborts what is running; it is done again another time */
	if (!setting_enabled || database_wanted())
		proc_exit(0);
}

void
worker_nap(long timeout)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Max(timeout, 1), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	worker_heartbeat();
}

/* Between two steps of a long computation. */
static void
while_computing(void)
{
	worker_heartbeat();
	if (!IsTransactionState())
		turn_take_quickly();
}

/* ---------------------------------------------------------------------- */
/* One worker a database */

/*
 * The lock is of the session.  Among ordinary locks it would be gone after an
 * error in a transaction, and stay for whoever gets our place in shared memory
 * when we end outside of one; with the method of advisory locks it is ours
 * until we end, and no longer.
 */
static void
singleton_tag(LOCKTAG *tag, Oid extension_oid)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, ExtensionRelationId, extension_oid, 1);
	tag->locktag_lockmethodid = USER_LOCKMETHOD;
}

static bool
singleton_lock(Oid extension_oid)
{
	LOCKTAG		tag;

	singleton_tag(&tag, extension_oid);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	extension = extension_oid;
	return true;
}

/*
 * What runs in a source that we read could release the locks of the session, and
 * take some that others wait for.
 */
static bool
singleton_renew(void)
{
	static uint64 seen = 0;

	if (seen == reading_steps)
		return true;
	seen = reading_steps;
	LockReleaseSession(USER_LOCKMETHOD);
	return singleton_lock(extension);
}

static void
singleton_unlock(void)
{
	LOCKTAG		tag;

	singleton_tag(&tag, extension);
	LockRelease(&tag, ExclusiveLock, true);
	extension = InvalidOid;
}

/* Is the database one to work in? */
static bool
is_template(void)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	bool		template = true;

	if (HeapTupleIsValid(tuple))
	{
		template = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
		ReleaseSysCache(tuple);
	}
	return template;
}

/* What the last worker had to end for. */
static void
put_off(int32 project_id)
{
	ErrorData	error = {
		.sqlerrcode = ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		.message = pstrdup("the source could neither be read within humanloop.worker_source_timeout nor be stopped")
	};

	transaction_begin();
	if (project_try_keep(project_id))
	{
		Project    *project = project_read_any(project_id, false);

		(void) work_failed(project_id, "turn", &error);
		if (project != NULL && OidIsValid(project->source))
			wake_distrust(project_source_owner(project));
	}
	transaction_commit();
	pfree(error.message);
}

/*
 * Finds the extension and takes the lock of its worker.  False: there is
 * nothing for us here.  After DROP EXTENSION and CREATE EXTENSION it is
 * another extension, and all that we know is of the old one.
 */
static bool
find_extension_and_lock(void)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			now;
	int32		blamed;

	StartTransactionCommand();
	now = is_template() ? InvalidOid : get_extension_oid("humanloop", true);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	if (OidIsValid(now) && now == extension)
		return singleton_renew();
	if (OidIsValid(extension))
	{
		learners_forget();
		work_release_all();
		turns_reset();
		singleton_unlock();
	}
	if (!OidIsValid(now))
		return false;
	/* another that is just leaving takes a moment to let it go */
	for (int tries = 0; !singleton_lock(now); tries++)
	{
		if (tries == LEAVING_NAPS)
			return false;
		worker_nap(BUSY_MS);
	}
	blamed = wake_worker_begin();
	transaction_begin();
	if (extension_try_lock())
		runs_bury();
	transaction_commit();
	if (blamed != 0)
		put_off(blamed);
	preparations_clear();
	return true;
}

/* ---------------------------------------------------------------------- */
/* The loop */

/*
 * Gives every project that has something to do its turn.  Returns how many
 * took it; *next is when another will have.
 */
static int
take_turns(TimestampTz *next)
{
	int32	   *due = NULL;
	int			n = 0;
	int			taken = 0;

	*next = DT_NOEND;
	wake_worker_looks();
	transaction_begin();
	if (extension_try_lock())
	{
		due = work_due(&n, next);
		if (n == 0)
			changes_sweep();
	}
	transaction_commit();
	for (int i = 0; i < n; i++)
	{
		if (turn_take(due[i]))
			taken++;
		CHECK_FOR_INTERRUPTS();
		worker_heartbeat();
	}
	litter_collect(taken == 0);
	/* somebody is at what is due: see again soon */
	if (n > 0 && taken == 0)
		*next = GetCurrentTimestamp() + BUSY_MS * INT64CONST(1000);
	return taken;
}

/* How long there is nothing to do for sure, in milliseconds, in (0, 1000]. */
static long
pause_before(TimestampTz next)
{
	long		wait = HEARTBEAT_MS;

	if (next != DT_NOEND)
		wait = Min(wait, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next) + 1);
	return Max(wait, 1);
}

/*
 * False: somebody has rung meanwhile.  The lock first, then the bell: whoever
 * rings after that starts another worker, and that one gets the lock.
 */
static bool
leave(void)
{
	Oid			held = extension;

	singleton_unlock();
	if (wake_worker_leaves())
		return true;
	return !singleton_lock(held);
}

/* Errors that are nobody's project's: the log has them, and we start over. */
static bool
take_turns_safely(TimestampTz *next, int *taken)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "humanloop due projects",
												  ALLOCSET_DEFAULT_SIZES);
	volatile bool found = true;

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		found = find_extension_and_lock();
		if (found)
			*taken = take_turns(next);
	}
	PG_CATCH();
	{
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(TopMemoryContext);
		turns_reset();
		*taken = 0;
		*next = DT_NOEND;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(context);
	return found;
}

void
hl_worker_main(Datum argument)
{
	TimestampTz idle_since = 0;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, 0);
	pgstat_report_appname(WORKER_TYPE);
	/* what is lost with an unflushed commit is done again: see change.c */
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	/*
	 * Whoever holds a lock on a source must not hold up the other projects:
	 * then this one is put off for a moment.
	 */
	SetConfigOption("lock_timeout", "500ms", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	interrupts_hook = while_computing;
	reading_unattended = true;
	for (;;)
	{
		TimestampTz next;
		int			taken = 0;

		CHECK_FOR_INTERRUPTS();
		worker_heartbeat();
		if (!take_turns_safely(&next, &taken))
			break;
		if (taken > 0)
		{
			idle_since = 0;
			continue;
		}
		pgstat_report_activity(STATE_IDLE, NULL);
		if (idle_since == 0)
			idle_since = GetCurrentTimestamp();
		else if (elapsed(idle_since, GetCurrentTimestamp(), setting_worker_idle_timeout) &&
				 (next == DT_NOEND ||
				  next - GetCurrentTimestamp() > setting_worker_idle_timeout * INT64CONST(1000)) &&
				 leave())
			break;
		if (!wake_worker_wanted())
			worker_nap(pause_before(next));
	}
	proc_exit(0);
}
