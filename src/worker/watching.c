/*-------------------------------------------------------------------------
 *
 * watching.c
 *	  Whether the rows that arrive change: who listens is told.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/async.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "store/drift.h"
#include "store/session.h"
#include "worker/turn.h"
#include "worker/turn_internal.h"

static void
tell_drift(const Project *project, int32 model, const char *measure)
{
	StringInfoData payload;

	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"event\": \"drift\", \"project\": ");
	escape_json(&payload, project->name);
	appendStringInfo(&payload, ", \"model\": %d, \"measure\": ", model);
	escape_json(&payload, measure);
	appendStringInfoChar(&payload, '}');
	Async_Notify("humanloop", payload.data);
}

/* A new model has a reference of its own; whoever listens is told of alarms. */
void
watch_drift(Turn *turn)
{
	turn->doing = "drift";
	transaction_begin();
	if (project_try_lock(turn->project) && drift_follow(turn->project))
		drift_tell(turn->project, tell_drift);
	transaction_commit();
}
