/*-------------------------------------------------------------------------
 *
 * litter.c
 *	  Erases what was made from rows that are gone.
 *
 * Taking up a DELETE only marks the rows in their blocks: to write a block
 * again takes some milliseconds and half a megabyte of WAL, and is not done for
 * each row of a table that is being changed all the time.  It is done when
 * nothing has been to do for a moment, and at the latest after a minute; both
 * are shorter for a worker who soon leaves, so that none leaves without having
 * done it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/prepare.h"
#include "worker/turn.h"
#include "worker/turn_internal.h"
#include "worker/worker.h"

#define QUIET_MS 2000
#define LATEST_TIMES 30			/* as long */

static bool littered = true;	/* by an earlier worker, maybe */
static TimestampTz quiet_since = 0;
static TimestampTz tried = 0;	/* the last time */

void
litter_left(void)
{
	littered = true;
}

/* Some blocks; false: there are no more, or somebody else is at it. */
static bool
erase_some(int32 project_id, bool *busy)
{
	bool		more = false;
	int64		features[2];
	Project    *project;

	transaction_begin();
	project = extension_try_lock() ? project_read_any(project_id, false) : NULL;
	*busy = project != NULL && !project_try_lock(project);
	if (project != NULL && !*busy)
		more = features_erase(project, features);
	transaction_commit();
	if (project != NULL && !*busy)
		features_moved(project_id, features[0], features[1]);
	return more;
}

static void
collect(void)
{
	int32	   *projects = NULL;
	int			n = 0;

	littered = false;
	transaction_begin();
	if (extension_try_lock())
		projects = features_littered(&n);
	transaction_commit();
	for (int i = 0; i < n; i++)
	{
		bool		more = true;
		bool		busy;

		while (more)
		{
			MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop litter",
														  ALLOCSET_DEFAULT_SIZES);
			MemoryContext before = MemoryContextSwitchTo(context);

			more = erase_some(projects[i], &busy);
			MemoryContextSwitchTo(before);
			MemoryContextDelete(context);
			littered = littered || busy;
			worker_heartbeat();
			turn_take_quickly();
		}
	}
}

void
litter_collect(bool quiet)
{
	TimestampTz now = GetCurrentTimestamp();
	int			wait = Min(QUIET_MS, setting_worker_idle_timeout / 2);

	if (!quiet)
		quiet_since = 0;
	else if (quiet_since == 0)
		quiet_since = now;
	if (tried == 0)
		tried = now;
	if (!littered ||
		!((quiet && TimestampDifferenceExceeds(quiet_since, now, wait)) ||
		  TimestampDifferenceExceeds(tried, now, LATEST_TIMES * wait)))
		return;
	/* what fails, or is not there for the taking, is not tried all the time */
	tried = quiet_since = now;
	computing++;
	collect();
	computing--;
}
