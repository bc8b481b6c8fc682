/*-------------------------------------------------------------------------
 *
 * humanloop.c
 *	  Module magic and settings, nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "utils/guc.h"

#include "humanloop.h"

PG_MODULE_MAGIC;

int			setting_work_mem;
int			setting_cache_size;
char	   *setting_annotator;
bool		setting_enabled;
int			setting_worker_idle_timeout;

void		_PG_init(void);

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
	MarkGUCPrefixReserved("humanloop");
}
