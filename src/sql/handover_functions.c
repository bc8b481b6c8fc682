/*-------------------------------------------------------------------------
 *
 * handover_functions.c
 *	  hl_handover, hl_set_option.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "sql/api.h"
#include "store/drift.h"
#include "store/handover.h"
#include "store/refresh.h"
#include "store/session.h"
#include "store/several.h"

PG_FUNCTION_INFO_V1(hl_handover);
PG_FUNCTION_INFO_V1(hl_set_option);

/* ---------------------------------------------------------------------- */
/* hl_handover */

static char *
explanation(const Project *project, int32 model, const Handover *handover, bool withdrawn)
{
	if (model == 0)
		return "there is no model yet";
	if (!(project->options.target_error > 0.0))
		return psprintf("no error rate is promised: SELECT hl_set_option('%s', 'target_error', '0.02') promises one",
						project->name);
	if (withdrawn && handover->promised)
		return "hl_drift has alarmed: nothing is answered alone until another model serves";
	if (handover->promised)
		return psprintf("of confidence %.4f and above, at most %g of the answers are wrong, with 95 %% certainty",
						handover->threshold, project->options.target_error);
	if (handover->more > 0)
		return psprintf("too few answers of the audit to promise anything: about %d more are needed",
						handover->more);
	return "the model is wrong too often, however sure it is: no number of answers of the audit would do, but more labels may";
}

/* handover NULL: there is none to be had; withdrawn: what it promises does not hold now. */
static Datum
handover_row(Call *call, FunctionCallInfo fcinfo, const Project *project, int32 model,
			 const Handover *handover, bool withdrawn)
{
	Datum		values[12];
	bool		nulls[12];
	double		low;
	double		high;

	memset(nulls, true, sizeof(nulls));
	nulls[0] = !(project->options.target_error > 0.0);
	values[0] = Float8GetDatum(project->options.target_error);
	nulls[10] = model == 0;
	values[10] = Int32GetDatum(model);
	nulls[11] = false;
	values[11] = CStringGetTextDatum(explanation(project, model, handover, withdrawn));
	if (handover != NULL)
	{
		error_limits(handover->wrong, handover->automated, &low, &high);
		nulls[1] = withdrawn || !handover->promised;
		nulls[3] = nulls[4] = nulls[5] = !handover->promised;
		nulls[2] = nulls[6] = nulls[7] = nulls[8] = false;
		nulls[9] = !handover->promised && handover->more < 0;
		/* in the digits of a real, so that it can be compared with a confidence */
		values[1] = Float8GetDatum(handover->threshold);
		values[2] = Float8GetDatum((double) handover->automated / Max(handover->audited, 1));
		values[3] = Float8GetDatum((double) handover->wrong / Max(handover->automated, 1));
		values[4] = Float8GetDatum(low);
		values[5] = Float8GetDatum(high);
		values[6] = Int32GetDatum(handover->audited);
		values[7] = Int32GetDatum(handover->automated);
		values[8] = Int32GetDatum(handover->wrong);
		values[9] = Int32GetDatum(handover->more);
	}
	return call_row(call, fcinfo, values, nulls);
}

Datum
hl_handover(PG_FUNCTION_ARGS)
{
	static Statement select = {
		"SELECT model FROM @hl_serving WHERE project_id = $1 AND model IS NOT NULL", 1, {INT4OID}, NULL, 0
	};
	Project    *project;
	Handover	handover;
	Datum		values[1];
	Datum		row;
	int32		model;
	bool		known;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	values[0] = Int32GetDatum(project->id);
	statement_run_as_extension(&select, values, NULL, true);
	model = SPI_processed == 0 ? 0 : result_int(0, 1);
	known = model != 0 && project->options.target_error > 0.0;
	if (known)
		handover_read(project, model, project->options.target_error, true, &handover);
	row = handover_row(&call, fcinfo, project, model, known ? &handover : NULL,
					   known && drift_withdraws(project, model, true));
	call_end(&call);
	PG_RETURN_DATUM(row);
}

/* ---------------------------------------------------------------------- */
/* hl_set_option */

/* value NULL: the default, which is not stored.  Returns the project as it is then. */
static Project
store_option(const Project *project, const char *option, Jsonb *value)
{
	static Statement update = {
		"UPDATE @hl_project SET options = CASE WHEN $3 IS NULL THEN options - $2 "
		"ELSE options || pg_catalog.jsonb_build_object($2, $3) END WHERE id = $1 RETURNING options",
		3, {INT4OID, TEXTOID, JSONBOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), CStringGetTextDatum(option), JsonbPGetDatum(value)
	};
	bool		nulls[3] = {false, false, value == NULL};
	Project		changed = *project;
	bool		isnull;

	statement_run_as_extension(&update, values, nulls, false);
	if (SPI_processed == 0)
		project_dropped(project);
	/* what is wrong with it is an error */
	project_options_parse(DatumGetJsonbP(result_datum(0, 1, &isnull)), &changed.options);
	return changed;
}

Datum
hl_set_option(PG_FUNCTION_ARGS)
{
	Project    *project;
	Project		changed;
	char	   *option;
	ProjectState state;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	option = required_text(fcinfo, 1, "option");
	project_option_check_changeable(project, option);
	/* a model that is just being stored has its threshold by the one or the other */
	state_lock(project, &state);
	project_lock_names(project->id);
	changed = store_option(project, option, PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2));
	if (strcmp(option, "target_error") == 0)
		handovers_write(project);
	if (changed.options.answers != project->options.answers ||
		changed.options.most_answers != project->options.most_answers)
		several_change(project, &changed);
	call_end(&call);
	PG_RETURN_VOID();
}
