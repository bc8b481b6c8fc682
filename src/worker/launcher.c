/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  Resumes the work of all databases after a start of the server.
 *
 * Only with shared_preload_libraries.  It starts one worker after another, one
 * a database; a worker that finds no extension or nothing to do is gone at
 * once.  After that it sleeps until a session could not start a worker because
 * the table of background workers was full.  It is connected to no database,
 * so it keeps nobody from dropping one, and holds no transaction while it
 * sleeps.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "store/wake.h"

#define RETRY_MS 1000

extern PGDLLEXPORT void hl_launcher_main(Datum argument);

/* Databases one can connect to, but for templates, in the current context. */
static List *
list_databases(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *databases = NIL;
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext before;

		if (form->datistemplate || !form->datallowconn)
			continue;
		before = MemoryContextSwitchTo(context);
		databases = lappend_oid(databases, form->oid);
		MemoryContextSwitchTo(before);
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return databases;
}

/* Sleeps; reloads the settings, ends when told to. */
static void
nap(long timeout)
{
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout > 0 ? WL_TIMEOUT : 0);

	(void) WaitLatch(MyLatch, events, timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/*
 * Starts a worker, and waits until it is there, so that many databases do not
 * need many slots at once only to find that there is nothing to do.
 */
static void
start_worker(Oid database)
{
	for (;;)
	{
		BackgroundWorker worker;
		BackgroundWorkerHandle *handle;
		pid_t		pid;

		wake_describe_worker(database, &worker);
		worker.bgw_notify_pid = MyProcPid;
		if (RegisterDynamicBackgroundWorker(&worker, &handle))
		{
			(void) WaitForBackgroundWorkerStartup(handle, &pid);
			pfree(handle);
			return;
		}
		nap(RETRY_MS);
	}
}

void
hl_launcher_main(Datum argument pg_attribute_unused())
{
	MemoryContext context;
	bool		resumed = false;
	ListCell   *cell;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	context = AllocSetContextCreate(TopMemoryContext, "humanloop launcher",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	wake_launcher_begin();
	pgstat_report_appname(LAUNCHER_TYPE);
	pgstat_report_activity(STATE_IDLE, NULL);
	for (;;)
	{
		Oid			database;

		MemoryContextReset(context);
		/* at the start, or when it is switched on */
		if (setting_enabled && !resumed)
		{
			foreach(cell, list_databases())
				start_worker(lfirst_oid(cell));
		}
		resumed = setting_enabled;
		database = wake_unserved_database();
		if (setting_enabled && OidIsValid(database))
		{
			start_worker(database);
			nap(RETRY_MS);
		}
		else
			nap(0);
	}
}
