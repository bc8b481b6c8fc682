/*-------------------------------------------------------------------------
 *
 * target_functions.c
 *	  hl_set_targets.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "sql/api.h"
#include "store/change.h"
#include "store/condition.h"
#include "store/pool.h"
#include "store/session.h"
#include "store/source.h"
#include "store/targets.h"
#include "store/train.h"

PG_FUNCTION_INFO_V1(hl_set_targets);

/*
 * What is queued and does not satisfy it goes at once.  Without a model the
 * queue is made anew here; with one the worker scores the pool, or hl_refresh()
 * does.
 */
static void
requeue_targets(const Project *project)
{
	ProjectState state;
	Refreshed	features;

	state_lock(project, &state);
	if (state.model != 0)
		ranking_check(project);
	else if (features_current(project, false, &features))
		queue_rebuild(project, &features);
	else
		seed_refill(project);
	change_note(project->id, CHANGE_POOL, NULL, 0);
}

Datum
hl_set_targets(PG_FUNCTION_ARGS)
{
	Project    *project;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY);
	project_need_source(project);
	condition_need_owner(project);
	project->options.targets = optional_text(fcinfo, 1);
	targets_check(project, true);
	project_lock_names(project->id);
	targets_store(project);
	requeue_targets(project);
	call_end(&call);
	PG_RETURN_VOID();
}
