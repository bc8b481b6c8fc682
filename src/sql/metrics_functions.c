/*-------------------------------------------------------------------------
 *
 * metrics_functions.c
 *	  How good the serving model is: hl_metrics, hl_reliability.
 *
 * There are two estimates, and every row says which it is.  Both are of
 * predictions out of fold.  "audit" is of a uniform sample of the source.
 * "cross-validation" is of all labelled items, most of which were asked because
 * they are hard: it says how the model does on those, and nothing of the rest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "learn/metrics.h"
#include "learn/reliability.h"
#include "sql/api.h"
#include "sql/measured.h"
#include "store/audit.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_metrics);
PG_FUNCTION_INFO_V1(hl_reliability);

const char *const estimates[ESTIMATES] = {"audit", "cross-validation"};

/* ---------------------------------------------------------------------- */
/* Reading */

bool
confusion_read(const Project *project, Confusion *confusion)
{
	static Statement select = {
		"SELECT m.labels, m.classes, m.confusion, m.accuracy, m.accuracy_low, m.accuracy_high, "
		"m.log_loss, m.calibration_error "
		"FROM @hl_serving v JOIN @hl_model m ON m.project_id = v.project_id AND m.model = v.model "
		"WHERE v.project_id = $1 AND m.accuracy IS NOT NULL", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	int			cells;
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, true);
	if (SPI_processed == 0)
		return false;
	confusion->n = result_int(0, 1);
	confusion->names = array_strings(result_datum(0, 2, &isnull), &confusion->classes);
	confusion->counts = result_elements(3, INT4OID, &cells);
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

int
confusion_cell(const Confusion *confusion, int truth, int predicted)
{
	return DatumGetInt32(confusion->counts[truth * confusion->classes + predicted]);
}

/* The items that the serving model was trained and measured with. */
typedef struct Measured
{
	int			n;
	Datum	   *label;			/* int4: index of a class */
	Datum	   *predicted;
	Datum	   *loss;			/* float4 */
	Datum	   *confidence;
	Datum	   *audited;		/* bool */
} Measured;

static Datum *
column_elements(const Project *project, int column, Oid type, int n)
{
	int			count;
	Datum	   *elements = result_elements(column, type, &count);

	if (count != n)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("what the model of project \"%s\" was measured with is damaged",
						project->name)));
	return elements;
}

/* False: the model is from a version that did not keep it, or there is none. */
static bool
measured_read(const Project *project, int classes, Measured *measured)
{
	static Statement select = {
		"SELECT pg_catalog.cardinality(l.items), l.labels, l.predicted, l.losses, l.confidence, l.audited "
		"FROM @hl_serving v JOIN @hl_model_label l ON l.project_id = v.project_id AND l.model = v.model "
		"WHERE v.project_id = $1 AND l.predicted IS NOT NULL AND l.confidence IS NOT NULL "
		"AND l.audited IS NOT NULL", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	if (!audit_is_kept())
		return false;
	statement_run_as_extension(&select, values, NULL, true);
	if (SPI_processed == 0)
		return false;
	measured->n = result_int(0, 1);
	measured->label = column_elements(project, 2, INT4OID, measured->n);
	measured->predicted = column_elements(project, 3, INT4OID, measured->n);
	measured->loss = column_elements(project, 4, FLOAT4OID, measured->n);
	measured->confidence = column_elements(project, 5, FLOAT4OID, measured->n);
	measured->audited = column_elements(project, 6, BOOLOID, measured->n);
	for (int i = 0; i < measured->n; i++)
	{
		int			label = DatumGetInt32(measured->label[i]);
		int			predicted = DatumGetInt32(measured->predicted[i]);

		if (label < 0 || label >= classes || predicted < 0 || predicted >= classes)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("what the model of project \"%s\" was measured with is damaged",
							project->name)));
	}
	return true;
}

/* Losses of all labelled items, which versions before 0.3.0 kept as well; n 0: none. */
static float *
losses_read(const Project *project, int *n)
{
	static Statement select = {
		"SELECT pg_catalog.cardinality(l.losses), l.losses "
		"FROM @hl_serving v JOIN @hl_model_label l ON l.project_id = v.project_id AND l.model = v.model "
		"WHERE v.project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	float	   *losses;
	Datum	   *elements;

	*n = 0;
	statement_run_as_extension(&select, values, NULL, true);
	if (SPI_processed == 0)
		return NULL;
	*n = result_int(0, 1);
	elements = column_elements(project, 2, FLOAT4OID, *n);
	losses = palloc_array_checked(float, *n);
	for (int i = 0; i < *n; i++)
		losses[i] = DatumGetFloat4(elements[i]);
	return losses;
}

static bool
counts_for(const Measured *measured, int i, int estimate)
{
	return estimate == CROSS_VALIDATION || DatumGetBool(measured->audited[i]);
}

static bool
is_hit(const Measured *measured, int i)
{
	return DatumGetInt32(measured->label[i]) == DatumGetInt32(measured->predicted[i]);
}

/* ---------------------------------------------------------------------- */
/* hl_metrics */

/* interval NULL: none known */
static void
add_metric(ReturnSetInfo *set, const char *metric, const char *class, double value,
		   const double *interval, int n, int estimate)
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
	values[6] = CStringGetTextDatum(estimates[estimate]);
	set_add(set, values, nulls);
}

/* hits of n as a share with its interval; nothing where n is 0 */
static void
add_share(ReturnSetInfo *set, const char *metric, const char *class, int hits, int n, int estimate)
{
	double		interval[2];

	if (n == 0)
		return;
	wilson_interval(hits, n, &interval[0], &interval[1]);
	add_metric(set, metric, class, (double) hits / n, interval, n, estimate);
}


static int
bins_of(const Measured *measured, int estimate, ReliabilityBin *bins)
{
	Judged	   *judged = palloc_array_checked(Judged, measured->n);
	int			n = 0;

	for (int i = 0; i < measured->n; i++)
	{
		if (!counts_for(measured, i, estimate))
			continue;
		judged[n].confidence = DatumGetFloat4(measured->confidence[i]);
		judged[n++].hit = is_hit(measured, i);
	}
	return reliability_bins(judged, n, bins);
}

/* The sample of the source. */
static void
add_audit(ReturnSetInfo *set, const Confusion *confusion, const Measured *measured)
{
	int		   *right = palloc0(sizeof(int) * confusion->classes);
	int		   *truth = palloc0(sizeof(int) * confusion->classes);
	int		   *predicted = palloc0(sizeof(int) * confusion->classes);
	float	   *losses = palloc_array_checked(float, measured->n);
	double		loss;
	double		interval[2];
	bool		known;
	int			hits = 0;
	int			n = 0;
	ReliabilityBin bins[RELIABILITY_BINS];

	for (int i = 0; i < measured->n; i++)
	{
		if (!counts_for(measured, i, AUDIT))
			continue;
		losses[n++] = DatumGetFloat4(measured->loss[i]);
		hits += is_hit(measured, i);
		right[DatumGetInt32(measured->label[i])] += is_hit(measured, i);
		truth[DatumGetInt32(measured->label[i])]++;
		predicted[DatumGetInt32(measured->predicted[i])]++;
	}
	if (n == 0)
		return;
	add_share(set, "accuracy", NULL, hits, n, AUDIT);
	known = mean_loss(losses, n, &loss, &interval[0], &interval[1]);
	add_metric(set, "log_loss", NULL, loss, known ? interval : NULL, n, AUDIT);
	add_metric(set, "calibration_error", NULL,
			   reliability_error(bins, bins_of(measured, AUDIT, bins)), NULL, n, AUDIT);
	for (int k = 0; k < confusion->classes; k++)
	{
		add_share(set, "precision", confusion->names[k], right[k], predicted[k], AUDIT);
		add_share(set, "recall", confusion->names[k], right[k], truth[k], AUDIT);
	}
}

/* All labelled items. */
static void
add_cross_validation(ReturnSetInfo *set, const Confusion *confusion, const float *losses, int nlosses)
{
	double		interval[2] = {confusion->low, confusion->high};
	double		loss;
	bool		known;

	add_metric(set, "accuracy", NULL, confusion->accuracy, interval, confusion->n, CROSS_VALIDATION);
	known = mean_loss(losses, nlosses, &loss, &interval[0], &interval[1]);
	add_metric(set, "log_loss", NULL, confusion->log_loss, known ? interval : NULL, confusion->n,
			   CROSS_VALIDATION);
	add_metric(set, "calibration_error", NULL, confusion->calibration_error, NULL, confusion->n,
			   CROSS_VALIDATION);
	for (int k = 0; k < confusion->classes; k++)
	{
		int			truth = 0;
		int			predicted = 0;

		for (int j = 0; j < confusion->classes; j++)
		{
			truth += confusion_cell(confusion, k, j);
			predicted += confusion_cell(confusion, j, k);
		}
		add_share(set, "precision", confusion->names[k], confusion_cell(confusion, k, k), predicted,
				  CROSS_VALIDATION);
		add_share(set, "recall", confusion->names[k], confusion_cell(confusion, k, k), truth,
				  CROSS_VALIDATION);
	}
}

Datum
hl_metrics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Confusion	confusion;
	Measured	measured;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	if (confusion_read(project, &confusion))
	{
		int			nlosses;
		float	   *losses;

		if (measured_read(project, confusion.classes, &measured))
			add_audit(set, &confusion, &measured);
		losses = losses_read(project, &nlosses);
		add_cross_validation(set, &confusion, losses, nlosses);
	}
	call_end(&call);
	return (Datum) 0;
}

/* ---------------------------------------------------------------------- */
/* hl_reliability */

static void
add_bin(ReturnSetInfo *set, int number, const ReliabilityBin *bin, int estimate)
{
	Datum		values[9] = {
		Int32GetDatum(number), Float8GetDatum(bin->confidence_low),
		Float8GetDatum(bin->confidence_high), Float8GetDatum(bin->confidence),
		Float8GetDatum(bin->accuracy), Float8GetDatum(bin->accuracy_low),
		Float8GetDatum(bin->accuracy_high), Int32GetDatum(bin->n),
		CStringGetTextDatum(estimates[estimate])
	};
	bool		nulls[9] = {false};

	set_add(set, values, nulls);
}

bool
reliability_read(const Project *project, ReliabilityBin bins[ESTIMATES][RELIABILITY_BINS],
				 int nbins[ESTIMATES])
{
	Confusion	confusion;
	Measured	measured;

	if (!confusion_read(project, &confusion) ||
		!measured_read(project, confusion.classes, &measured))
		return false;
	for (int estimate = 0; estimate < ESTIMATES; estimate++)
		nbins[estimate] = bins_of(&measured, estimate, bins[estimate]);
	return true;
}

Datum
hl_reliability(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	ReliabilityBin bins[ESTIMATES][RELIABILITY_BINS];
	int			nbins[ESTIMATES];
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	if (reliability_read(project, bins, nbins))
	{
		for (int estimate = 0; estimate < ESTIMATES; estimate++)
			for (int b = 0; b < nbins[estimate]; b++)
				add_bin(set, b + 1, &bins[estimate][b], estimate);
	}
	call_end(&call);
	return (Datum) 0;
}
