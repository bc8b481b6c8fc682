/*-------------------------------------------------------------------------
 *
 * train_functions.c
 *	  hl_train, and what was measured: metrics, learning curve, confusion.
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
#include "store/session.h"
#include "store/train.h"
#include "store/trigger.h"
#include "store/work.h"

PG_FUNCTION_INFO_V1(hl_train);
PG_FUNCTION_INFO_V1(hl_metrics);
PG_FUNCTION_INFO_V1(hl_learning_curve);
PG_FUNCTION_INFO_V1(hl_confusion);

#define ESTIMATE "cross-validation"

Datum
hl_train(PG_FUNCTION_ARGS)
{
	Project    *project;
	Training   *training = palloc0(sizeof(Training));
	const Metrics *metrics = &training->metrics;
	Changes		changes;
	Datum		values[11];
	bool		nulls[11] = {false};
	Datum		row;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	changes_before(project, &changes);
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
	values[2] = CStringGetTextDatum(project->input_kind == INPUT_TEXT ? "text" : "vector");
	values[3] = Int32GetDatum(training->nclasses);
	values[4] = Int32GetDatum(training->rows.n);
	values[5] = Float8GetDatum(metrics->accuracy);
	values[6] = Float8GetDatum(metrics->accuracy_low);
	values[7] = Float8GetDatum(metrics->accuracy_high);
	values[8] = Float8GetDatum(metrics->log_loss);
	values[9] = Float8GetDatum(metrics->calibration_error);
	values[10] = Float8GetDatum(training->seconds);
	row = call_row(&call, fcinfo, values, nulls);
	call_end(&call);
	PG_RETURN_DATUM(row);
}

/* ---------------------------------------------------------------------- */

/* Confusion of the serving model, as stored. */
typedef struct Confusion
{
	int			n;				/* labelled items */
	int			classes;
	char	  **names;
	Datum	   *counts;			/* classes x classes, truth by row */
	double		accuracy;
	double		low;
	double		high;
	double		log_loss;
	double		calibration_error;
} Confusion;

/* False: no model yet. */
static bool
read_confusion(const Project *project, Confusion *confusion)
{
	static Statement select = {
		"SELECT m.labels, m.classes, m.confusion, m.accuracy, m.accuracy_low, m.accuracy_high, "
		"m.log_loss, m.calibration_error "
		"FROM @hl_serving v JOIN @hl_model m ON m.project_id = v.project_id AND m.model = v.model "
		"WHERE v.project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	int			cells;
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, true);
	if (SPI_processed == 0)
		return false;
	confusion->n = result_int(0, 1);
	confusion->names = array_strings(result_datum(0, 2, &isnull), &confusion->classes);
	deconstruct_array(DatumGetArrayTypeP(result_datum(0, 3, &isnull)), INT4OID, sizeof(int32),
					  true, TYPALIGN_INT, &confusion->counts, NULL, &cells);
	if (cells != confusion->classes * confusion->classes ||
		!strings_complete(confusion->names, confusion->classes))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the confusion matrix of project \"%s\" is damaged", project->name)));
	confusion->accuracy = result_double(0, 4);
	confusion->low = result_double(0, 5);
	confusion->high = result_double(0, 6);
	confusion->log_loss = result_double(0, 7);
	confusion->calibration_error = result_double(0, 8);
	return true;
}

static int
cell(const Confusion *confusion, int truth, int predicted)
{
	return DatumGetInt32(confusion->counts[truth * confusion->classes + predicted]);
}

/* interval NULL: none known */
static void
add_metric(ReturnSetInfo *set, const char *metric, const char *class, double value,
		   const double *interval, int n)
{
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = CStringGetTextDatum(metric);
	nulls[1] = class == NULL;
	values[1] = class == NULL ? (Datum) 0 : CStringGetTextDatum(class);
	values[2] = Float8GetDatum(value);
	nulls[3] = nulls[4] = interval == NULL;
	values[3] = interval == NULL ? (Datum) 0 : Float8GetDatum(interval[0]);
	values[4] = interval == NULL ? (Datum) 0 : Float8GetDatum(interval[1]);
	values[5] = Int32GetDatum(n);
	values[6] = CStringGetTextDatum(ESTIMATE);
	set_add(set, values, nulls);
}

/* hits of n as a share with its interval; nothing where n is 0 */
static void
add_share(ReturnSetInfo *set, const char *metric, const char *class, int hits, int n)
{
	double		interval[2];

	if (n == 0)
		return;
	wilson_interval(hits, n, &interval[0], &interval[1]);
	add_metric(set, metric, class, (double) hits / n, interval, n);
}

Datum
hl_metrics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Confusion	confusion;
	double		interval[2];
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	if (read_confusion(project, &confusion))
	{
		interval[0] = confusion.low;
		interval[1] = confusion.high;
		add_metric(set, "accuracy", NULL, confusion.accuracy, interval, confusion.n);
		add_metric(set, "log_loss", NULL, confusion.log_loss, NULL, confusion.n);
		add_metric(set, "calibration_error", NULL, confusion.calibration_error, NULL, confusion.n);
		for (int k = 0; k < confusion.classes; k++)
		{
			int			truth = 0;
			int			predicted = 0;

			for (int j = 0; j < confusion.classes; j++)
			{
				truth += cell(&confusion, k, j);
				predicted += cell(&confusion, j, k);
			}
			add_share(set, "precision", confusion.names[k], cell(&confusion, k, k), predicted);
			add_share(set, "recall", confusion.names[k], cell(&confusion, k, k), truth);
		}
	}
	call_end(&call);
	return (Datum) 0;
}

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
	if (read_confusion(project, &confusion))
	{
		for (int truth = 0; truth < confusion.classes; truth++)
		{
			for (int predicted = 0; predicted < confusion.classes; predicted++)
			{
				if (cell(&confusion, truth, predicted) == 0)
					continue;
				values[0] = CStringGetTextDatum(confusion.names[truth]);
				values[1] = CStringGetTextDatum(confusion.names[predicted]);
				values[2] = Int32GetDatum(cell(&confusion, truth, predicted));
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
	statement_run_as_extension(&select, values, NULL, true);
	set_add_result(set);
	call_end(&call);
	return (Datum) 0;
}
