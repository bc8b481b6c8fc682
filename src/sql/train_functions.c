/*-------------------------------------------------------------------------
 *
 * train_functions.c
 *	  hl_train, and what came of it: learning curve, confusion.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "sql/api.h"
#include "sql/measured.h"
#include "store/encoder_plan.h"
#include "store/rule_votes.h"
#include "store/session.h"
#include "store/train.h"
#include "store/trigger.h"
#include "store/work.h"

PG_FUNCTION_INFO_V1(hl_train);
PG_FUNCTION_INFO_V1(hl_learning_curve);
PG_FUNCTION_INFO_V1(hl_confusion);

Datum
hl_train(PG_FUNCTION_ARGS)
{
	Project    *project;
	Training   *training = palloc0(sizeof(Training));
	const Metrics *metrics = &training->metrics;
	Changes		changes;
	Datum		values[15];		/* hl_training of 0.2.0 has the first 11 */
	bool		nulls[15] = {false};
	Datum		row;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	changes_before(project, &changes);
	rules_refresh(project);
	train_read(training, project, true);
	train_compute(training);
	train_compare(training);
	if (training->deploy)
	{
		PoolScan   *scan = train_rank_begin(training);

		while (pool_scan_some(scan, INT_MAX))
			;
		train_rank_end(training);
	}
	train_write(training, GetUserNameFromId(GetUserId(), false), "hl_train");
	if (!training->deploy)
		ereport(NOTICE,
				(errmsg("model %d of project \"%s\" was not deployed", training->number,
						project->name),
				 errdetail("Its cross-validated log loss is worse than that of model %d.",
						   training->replaces),
				 errhint("SELECT hl_deploy('%s', %d) deploys it all the same.", project->name,
						 training->number)));
	changes_settle(&changes, training->deploy);
	(void) triggers_sync(project, false);
	values[0] = Int32GetDatum(training->number);
	values[1] = BoolGetDatum(training->deploy);
	values[2] = CStringGetTextDatum(training->encoder);
	values[3] = Int32GetDatum(training->nclasses);
	values[4] = Int32GetDatum(training->answered);
	values[5] = Float8GetDatum(metrics->accuracy);
	values[6] = Float8GetDatum(metrics->accuracy_low);
	values[7] = Float8GetDatum(metrics->accuracy_high);
	values[8] = Float8GetDatum(metrics->log_loss);
	values[9] = Float8GetDatum(metrics->calibration_error);
	/* without answers there are no figures */
	for (int column = 5; column <= 9; column++)
		nulls[column] = training->answered == 0;
	values[10] = Float8GetDatum(training->seconds);
	train_audit_figures(training, values + 11, nulls + 11);
	row = call_row(&call, fcinfo, values, nulls);
	call_end(&call);
	PG_RETURN_DATUM(row);
}

/* ---------------------------------------------------------------------- */

Datum
hl_confusion(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Confusion	confusion;
	Datum		values[3];
	bool		nulls[3] = {false};
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	if (confusion_read(project, &confusion))
	{
		for (int truth = 0; truth < confusion.classes; truth++)
		{
			for (int predicted = 0; predicted < confusion.classes; predicted++)
			{
				if (confusion_cell(&confusion, truth, predicted) == 0)
					continue;
				values[0] = CStringGetTextDatum(confusion.names[truth]);
				values[1] = CStringGetTextDatum(confusion.names[predicted]);
				values[2] = Int32GetDatum(confusion_cell(&confusion, truth, predicted));
				set_add(set, values, nulls);
			}
		}
	}
	call_end(&call);
	return (Datum) 0;
}

Datum
hl_learning_curve(PG_FUNCTION_ARGS)
{
	static Statement select = {
		"SELECT labels, accuracy, accuracy_low, accuracy_high, model, trained_at, audited, "
		"audit_accuracy, audit_low, audit_high "
		"FROM @hl_model WHERE project_id = $1 ORDER BY model", 1, {INT4OID}, NULL, 0
	};
	/* with the row type of 0.2.0 */
	static Statement select_old = {
		"SELECT labels, accuracy, accuracy_low, accuracy_high, model, trained_at "
		"FROM @hl_model WHERE project_id = $1 ORDER BY model", 1, {INT4OID}, NULL, 0
	};
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Datum		values[1];
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	values[0] = Int32GetDatum(project->id);
	statement_run_as_extension(set->setDesc->natts > 6 ? &select : &select_old, values, NULL, true);
	set_add_result(set);
	call_end(&call);
	return (Datum) 0;
}
