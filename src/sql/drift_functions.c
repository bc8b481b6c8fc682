/*-------------------------------------------------------------------------
 *
 * drift_functions.c
 *	  Whether what arrives has changed: hl_drift.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "sql/api.h"
#include "store/cache.h"
#include "store/drift.h"
#include "store/project.h"

PG_FUNCTION_INFO_V1(hl_drift);

/* measure, class, seven numbers, level, n, alarm, when, model */
#define COLUMNS 13

static void
add_measure(ReturnSetInfo *set, const char *measure, int32 model, const DriftReport *report)
{
	const DriftFinding *finding = &report->finding;
	bool		none = !report->compared;
	Datum		values[COLUMNS] = {
		CStringGetTextDatum(measure), (Datum) 0, Float8GetDatum(finding->recent),
		Float8GetDatum(finding->reference), Float8GetDatum(finding->difference),
		Float8GetDatum(finding->low), Float8GetDatum(finding->high),
		Float8GetDatum(finding->p_value), Float8GetDatum(finding->level),
		Int32GetDatum(report->n), BoolGetDatum(report->alarm), report->alarmed_at,
		Int32GetDatum(model)
	};
	bool		nulls[COLUMNS] = {
		false, report->class == NULL, none, none, none, none, none, none, none, false, false,
		!report->alarm, false
	};

	if (report->class != NULL)
		values[1] = CStringGetTextDatum(report->class);
	set_add(set, values, nulls);
}

Datum
hl_drift(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	DriftReport report[DRIFT_MEASURES];
	int32		model;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	model = drift_report(project, report);
	if (model == 0)
		serving_missing(project);
	for (int i = 0; i < DRIFT_MEASURES; i++)
		add_measure(set, drift_measures[i], model, &report[i]);
	call_end(&call);
	return (Datum) 0;
}
