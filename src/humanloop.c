/*-------------------------------------------------------------------------
 *
 * humanloop.c
 *	  Module magic, settings, the launcher's registration; nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "humanloop.h"
#include "store/wake.h"

PG_MODULE_MAGIC;

int			setting_work_mem;
int			setting_cache_size;
bool		setting_share_encoders;
char	   *setting_annotator;
bool		setting_enabled;
int			setting_worker_idle_timeout;
int			setting_worker_source_timeout;
int			setting_encoding_workers;
int			setting_rule_timeout;

void		_PG_init(void);

/* What a server that preloads the library gets: see worker/launcher.c */
static void
register_launcher(void)
{
	BackgroundWorker launcher = {
		.bgw_name = LAUNCHER_TYPE,
		.bgw_type = LAUNCHER_TYPE,
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = 10,
		.bgw_library_name = WORKER_LIBRARY,
		.bgw_function_name = LAUNCHER_FUNCTION
	};

	if (IsBinaryUpgrade)
		return;
	wake_request_memory();
	RegisterBackgroundWorker(&launcher);
}

void
_PG_init(void)
{
	DefineCustomIntVariable("humanloop.work_mem",
							"Sets the memory that one training or encoding may use.",
							"What does not fit is refused before it starts, with the amount needed.",
							&setting_work_mem,
							512 * 1024, 1024, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("humanloop.cache_size",
							"Sets the memory in which a session keeps models it predicts with.",
							"The model in use is kept even if it is larger.",
							&setting_cache_size,
							256 * 1024, 0, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("humanloop.share_encoders",
							 "Lets sessions share the memory of imported encoders.",
							 "By a file among the server's temporary files; off: each has its own copy.",
							 &setting_share_encoders,
							 true,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("humanloop.annotator",
							   "Sets the name under which labels are stored.",
							   "Empty: the current role. For applications that answer for many people.",
							   &setting_annotator,
							   "",
							   PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomBoolVariable("humanloop.enabled",
							 "Lets the background worker learn while people label.",
							 "Off for a database (ALTER DATABASE ... SET): its worker does not start.",
							 &setting_enabled,
							 true,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("humanloop.worker_idle_timeout",
							"Sets how long the background worker stays without work.",
							NULL,
							&setting_worker_idle_timeout,
							60 * 1000, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("humanloop.worker_source_timeout",
							"Sets how long the background worker may take to read a source.",
							"0: as long as it takes.",
							&setting_worker_source_timeout,
							5 * 60 * 1000, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("humanloop.encoding_workers",
							"Sets how many processes encode the rows of a project with a slow encoder.",
							"The background worker is one of them; the others are there as long as it takes.",
							&setting_encoding_workers,
							1, 1, 64,
							PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("humanloop.rule_timeout",
							"Sets how long a rule may take for 256 rows of a source.",
							"A rule that takes longer is stopped.  0: as long as it takes.",
							&setting_rule_timeout,
							5 * 1000, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	MarkGUCPrefixReserved("humanloop");
	if (process_shared_preload_libraries_in_progress)
		register_launcher();
}
