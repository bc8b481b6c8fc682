/*-------------------------------------------------------------------------
 *
 * model_functions.c
 *	  Versions of a model, and the worker's reins: hl_models, hl_deploy,
 *	  hl_pause, hl_resume.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "sql/api.h"
#include "store/change.h"
#include "store/deploy.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_models);
PG_FUNCTION_INFO_V1(hl_deploy);
PG_FUNCTION_INFO_V1(hl_pause);
PG_FUNCTION_INFO_V1(hl_resume);

#define SELECT_MODELS(figures) \
	"SELECT m.model, m.model IS NOT DISTINCT FROM v.model, m.deployed, m.stored, m.encoder, " \
	"pg_catalog.cardinality(m.classes), m.labels, m.accuracy, m.accuracy_low, m.accuracy_high, " \
	"m.log_loss, m.calibration_error, m.prior_precision, m.refined, m.trained_by, m.reason, " \
	"m.trained_at, m.seconds" figures " " \
	"FROM @hl_model m LEFT JOIN @hl_serving v ON v.project_id = m.project_id " \
	"WHERE m.project_id = $1 ORDER BY m.model"

Datum
hl_models(PG_FUNCTION_ARGS)
{
	static Statement select = {SELECT_MODELS(", m.figures"), 1, {INT4OID}, NULL, 0};
	/* with the row type of 0.3.0 */
	static Statement select_old = {SELECT_MODELS(""), 1, {INT4OID}, NULL, 0};
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Datum		values[1];
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	values[0] = Int32GetDatum(project->id);
	statement_run_as_extension(set->setDesc->natts > 18 ? &select : &select_old, values, NULL, true);
	set_add_result(set);
	call_end(&call);
	return (Datum) 0;
}

Datum
hl_deploy(PG_FUNCTION_ARGS)
{
	Project    *project;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"model\" must not be NULL")));
	deploy_again(project, PG_GETARG_INT32(1), GetUserNameFromId(GetUserId(), false));
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_pause(PG_FUNCTION_ARGS)
{
	Call		call;

	call_begin(&call);
	project_pause(project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE),
				  true);
	call_end(&call);
	PG_RETURN_VOID();
}

/*
 * Noted like any other change: the row that says when to try again is the
 * worker's, who must not wait for our commit.
 */
Datum
hl_resume(PG_FUNCTION_ARGS)
{
	Project    *project;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	project_pause(project, false);
	change_note(project->id, CHANGE_RESUME, NULL, 0);
	call_end(&call);
	PG_RETURN_VOID();
}
