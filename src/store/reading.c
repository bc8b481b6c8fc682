/*-------------------------------------------------------------------------
 *
 * reading.c
 *	  As whom a source is read, and who learns what went wrong.
 *
 * A source may run what its owner, or whoever he trusts, has written:
 * functions of a view, of an index, of a policy.  So it is read as its owner
 * (as REINDEX and REFRESH do) or as whoever is shown the rows, and always in a
 * security-restricted operation with search_path and settings put back.  A
 * superuser who is shown rows reads as the owner, who could otherwise have
 * anything done by waiting for one.
 *
 * An error or notice from in there may quote a row.  It is passed on as it is to
 * those who have the rights of the source's owner; others learn that there was
 * an error, and its SQLSTATE.  So nothing of a row gets into the tables of the
 * extension either, where the worker stores what went wrong.
 *
 * In the worker a source has a time limit, since it keeps all other projects
 * waiting.  It could catch the cancel and go on: then the process ends, and
 * the next one knows whom to put off (wake.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/reading.h"
#include "store/session.h"

#define LIMIT_GRACE_MS 5000		/* between the cancel and the end */
#define LIMIT_REPEAT_MS 5		/* who catches one, row by row, gets the next */

/* The steps that are running, one within the other. */
typedef struct Reading
{
	int32		project_id;
	struct Reading *outer;
} Reading;

bool		reading_unattended = false;
uint64		reading_steps = 0;
volatile int32 reading_blamed = 0;

static Reading *innermost = NULL;

/* ---------------------------------------------------------------------- */
/* The time limit */

static volatile sig_atomic_t limit_hits = 0;
static int32 limited_project = 0;	/* 0: no limit is set */
static TimestampTz limit_began;
static int	limit_repeat;		/* milliseconds from one cancel to the next */

/* Called by the timer: only what a signal handler may do. */
static void
limit_reached(void)
{
	limit_hits++;
	/* who is there can end the session himself */
	if ((limit_hits - 1) * limit_repeat < LIMIT_GRACE_MS || !reading_unattended)
		QueryCancelPending = true;
	else
	{
		reading_blamed = limited_project;
		ProcDiePending = true;
	}
	InterruptPending = true;
	SetLatch(MyLatch);
}

static TimeoutId
limit_timeout(void)
{
	static bool registered = false;
	static TimeoutId id;

	if (!registered)
		id = RegisterTimeout(USER_TIMEOUT, limit_reached);
	registered = true;
	return id;
}

/* What a source makes us read within counts as its own time. */
static void
limit_begin(int32 project_id, int milliseconds, int repeat, const int64 *spent)
{
	int64		left = milliseconds - (spent == NULL ? 0 : *spent / 1000);

	if (milliseconds == 0 || limited_project != 0)
		return;
	limited_project = project_id;
	limit_hits = 0;
	limit_repeat = repeat;
	limit_began = GetCurrentTimestamp();
	enable_timeout_every(limit_timeout(), TimestampTzPlusMilliseconds(limit_began, Max(left, 1)),
						 repeat);
}

/* True: it has taken too long. */
static bool
limit_end(const Reading *reading, int64 *spent)
{
	if (limited_project == 0 || reading->outer != NULL)
		return false;
	disable_timeout(limit_timeout(), false);
	limited_project = 0;
	if (spent != NULL)
		*spent += GetCurrentTimestamp() - limit_began;
	if (limit_hits > 0)
		QueryCancelPending = false;
	return limit_hits > 0;
}

static void
too_slow(const Project *project, const int *limit)
{
	if (limit != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("what runs over the source of project \"%s\" took longer than %d ms",
						project->name, *limit)));
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("reading the source of project \"%s\" took longer than humanloop.worker_source_timeout",
					project->name),
			 errhint("Raise the setting, or call hl_train() or hl_refresh() yourself.")));
}

/* ---------------------------------------------------------------------- */
/* Errors */

/*
 * Whatever kind of error it is: a function in the source may raise each of
 * them, and what the server says of a cancel has a context, which quotes as
 * well.
 */
static void
hide_error(const Project *project)
{
	ErrorData  *error = CopyErrorData();

	FlushErrorState();
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 error->sqlerrcode == ERRCODE_QUERY_CANCELED ?
			 errmsg("canceling statement while the source of project \"%s\" was being read",
					project->name) :
			 errmsg("could not read the source of project \"%s\"", project->name),
			 errdetail("The reason may quote a row, so only the owner of the source is told."),
			 errdetail_log("%s", error->message),
			 errhint("He sees it when he calls hl_refresh('%s').", project->name)));
}

/* ---------------------------------------------------------------------- */

static Oid
reading_role(const Project *project, SourceReader reader)
{
	return reader == READ_AS_OWNER || superuser() ? project_source_owner(project) : GetUserId();
}

/*
 * limit: in milliseconds, 0 for none, of a step that must not change anything; NULL:
 * the worker's, in the worker.
 */
static void
run_step(const Project *project, SourceReader reader, ReadingStep step, void *argument,
		 int64 *spent, const int *limit)
{
	int			milliseconds = limit != NULL ? *limit :
		reading_unattended ? setting_worker_source_timeout : 0;
	MemoryContext context = CurrentMemoryContext;
	Oid			role = reading_role(project, reader);
	bool		told = !reading_unattended && has_privs_of_role(GetUserId(), role);
	Reading		reading = {project->id, innermost};
	Acting		acting;

	reading_steps++;
	act_as_restricted(&acting, role);
	if (!told)
		(void) set_config_option("client_min_messages", "error", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	/* nothing below can take this back; it ends with the step */
	if (limit != NULL)
		(void) set_config_option("transaction_read_only", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	innermost = &reading;
	PG_TRY();
	{
		limit_begin(project->id, milliseconds, limit != NULL ? LIMIT_REPEAT_MS : LIMIT_GRACE_MS,
					spent);
		step(argument);
	}
	PG_CATCH();
	{
		innermost = reading.outer;
		MemoryContextSwitchTo(context);
		if (limit_end(&reading, spent))
		{
			FlushErrorState();
			too_slow(project, limit);
		}
		if (!told)
			hide_error(project);
		PG_RE_THROW();
	}
	PG_END_TRY();
	innermost = reading.outer;
	act_as_before(&acting);
	MemoryContextSwitchTo(context);
	if (limit_end(&reading, spent))
		too_slow(project, limit);
}

void
reading_step(const Project *project, SourceReader reader, ReadingStep step, void *argument,
			 int64 *spent)
{
	run_step(project, reader, step, argument, spent, NULL);
}

ErrorData *
reading_attempt(const Project *project, ReadingStep step, void *argument, int milliseconds,
				int64 *spent)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run_step(project, READ_AS_OWNER, step, argument, spent, &milliseconds);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	/* read-only does not keep it from everything: large objects, locks, notifications */
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	/* somebody who waits wants it to end; nobody cancels only this in the worker */
	if (error != NULL && error->sqlerrcode == ERRCODE_QUERY_CANCELED && !reading_unattended)
		ReThrowError(error);
	return error;
}

bool
reading_now(int32 project_id)
{
	for (const Reading *reading = innermost; reading != NULL; reading = reading->outer)
	{
		if (reading->project_id == project_id)
			return true;
	}
	return false;
}

static bool
may_read_column(Oid relation, AttrNumber column)
{
	return pg_attribute_aclcheck(relation, column, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static bool
may_read_columns(const Project *project)
{
	bool		may = may_read_column(project->source, project->key_attnum);

	for (int i = 0; i < project->ninputs && may; i++)
		may = may_read_column(project->source, project->inputs[i].attnum);
	return may;
}

/* Key and inputs, as GRANT takes them. */
static char *
column_list(const Project *project)
{
	StringInfoData list;

	initStringInfo(&list);
	appendStringInfoString(&list, quote_identifier(project->key_column));
	for (int i = 0; i < project->ninputs; i++)
		appendStringInfo(&list, ", %s", quote_identifier(project->inputs[i].column));
	return list.data;
}

void
reading_need_rights(const Project *project)
{
	Oid			schema = get_rel_namespace(project->source);
	const char *role = quote_identifier(GetUserNameFromId(GetUserId(), false));

	if (pg_namespace_aclcheck(schema, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read the source of project \"%s\"", project->name),
				 errdetail("This shows rows of %s, and you may not use its schema.",
						   project_source_quoted(project)),
				 errhint("GRANT USAGE ON SCHEMA %s TO %s;",
						 quote_identifier(project->source_schema), role)));
	if (pg_class_aclcheck(project->source, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		!may_read_columns(project))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read the source of project \"%s\"", project->name),
				 errdetail("This shows rows of %s, and you may not read its key and its %s.",
						   project_source_quoted(project),
						   project->ninputs == 1 ? "input" : "inputs"),
				 errhint("GRANT SELECT (%s) ON %s TO %s;", column_list(project),
						 project_source_quoted(project), role)));
}
