/*-------------------------------------------------------------------------
 *
 * needed.c
 *	  How many labels an accuracy takes, from simulated learning curves.
 *
 * The curves of a strategy's runs are averaged, and the first crossing of the
 * mean curve is the answer.  A crossing of a single run would not do: the
 * curve of a run is rough, and what crosses first is the noise.
 *
 * The interval is the jackknife's: the same without each of the R runs in
 * turn, and from the spread of those R answers the variance of the one from
 * all,
 *
 *		v = (R - 1) / R sum_r (theta_r - mean theta)^2,
 *
 * with Student's t of R - 1 degrees of freedom (Tukey, "Bias and confidence in
 * not-quite large samples", 1958; Miller, "The jackknife - a review",
 * Biometrika 61, 1974, sections 2 and 3).  It takes any function of the runs,
 * so that a saving, where a run is left out of both strategies at once, has the
 * interval that pairing gives it.
 *
 *-------------------------------------------------------------------------
 */
#include "needed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../math/student.h"

#define CONFIDENCE 0.95

/* The points of one strategy, in order of labels. */
typedef struct Curves
{
	const SimulatedPoint *point;
	int			n;
	int			runs;
	int		   *run;			/* which */
} Curves;

static int
compare_points(const void *a, const void *b)
{
	const SimulatedPoint *first = a;
	const SimulatedPoint *second = b;

	if (first->strategy != second->strategy)
		return first->strategy < second->strategy ? -1 : 1;
	if (first->labels != second->labels)
		return first->labels < second->labels ? -1 : 1;
	/* sums do not depend on the order that the points came in */
	if (first->run != second->run)
		return first->run < second->run ? -1 : 1;
	return first->accuracy < second->accuracy ? -1 : first->accuracy > second->accuracy;
}

static int
compare_runs(const void *a, const void *b)
{
	int			first = *(const int *) a;
	int			second = *(const int *) b;

	return first < second ? -1 : first > second;
}

static void
find_runs(Curves *curves)
{
	int			runs = 0;

	for (int i = 0; i < curves->n; i++)
		curves->run[i] = curves->point[i].run;
	qsort(curves->run, curves->n, sizeof(int), compare_runs);
	for (int i = 0; i < curves->n; i++)
		if (runs == 0 || curves->run[i] != curves->run[runs - 1])
			curves->run[runs++] = curves->run[i];
	curves->runs = runs;
}

static bool
has_run(const Curves *curves, int run)
{
	return bsearch(&run, curves->run, curves->runs, sizeof(int), compare_runs) != NULL;
}

/*
 * Where the mean curve of all runs, but one if without is true, first reaches
 * the accuracy; NaN: nowhere.  Only numbers of labels that all of the runs
 * have come to count: the mean of others would be one of other runs.
 */
static double
crossing(const Curves *curves, double accuracy, bool without, int left_out)
{
	int			runs = curves->runs - (without && has_run(curves, left_out) ? 1 : 0);
	double		before_labels = NAN;
	double		before = NAN;

	for (int first = 0, next; first < curves->n; first = next)
	{
		double		labels = curves->point[first].labels;
		double		sum = 0.0;
		int			count = 0;

		for (next = first; next < curves->n && curves->point[next].labels == labels; next++)
			if (!without || curves->point[next].run != left_out)
			{
				sum += curves->point[next].accuracy;
				count++;
			}
		if (count < runs || count == 0)
			continue;
		sum /= count;
		if (sum >= accuracy)
			return isnan(before) ? labels :
				before_labels + (labels - before_labels) * (accuracy - before) / (sum - before);
		before_labels = labels;
		before = sum;
	}
	return NAN;
}

/* What of the curves we want to know, with one run left out. */
static double
estimate(const Curves *curves, const Curves *baseline, double accuracy, bool without,
		 int left_out)
{
	double		labels = crossing(curves, accuracy, without, left_out);

	return baseline == NULL ? labels :
		1.0 - labels / crossing(baseline, accuracy, without, left_out);
}

/* NaN for both where a run is all that there is, or carries the whole answer. */
static Status
interval(const Caller *caller, const Curves *curves, const Curves *baseline,
		 double accuracy, double value, double *low, double *high)
{
	int			runs = curves->runs;
	double		sum = 0.0;
	double		squares = 0.0;
	double		half;

	*low = *high = NAN;
	if (runs < 2)
		return STATUS_SUCCESS;
	/* distances from the answer, which are small, for the sake of the squares */
	for (int r = 0; r < runs; r++)
	{
		double		off;

		if (stopped(caller))
			return STATUS_STOPPED;
		off = estimate(curves, baseline, accuracy, true, curves->run[r]) - value;
		sum += off;
		squares += off * off;
	}
	squares = fmax(squares - sum * sum / runs, 0.0);
	half = student_bound(CONFIDENCE, runs - 1) * sqrt(squares * (runs - 1) / runs);
	/* fmax and fmin would make a number of NaN */
	if (isnan(sum))
		return STATUS_SUCCESS;
	*low = baseline == NULL ? fmax(value - half, 0.0) : value - half;
	*high = baseline == NULL ? value + half : fmin(value + half, 1.0);
	return STATUS_SUCCESS;
}

static Status
evaluate(const Caller *caller, const Curves *curves, const Curves *baseline, double accuracy,
		 LabelsNeeded *needed)
{
	needed->runs = curves->runs;
	needed->labels = estimate(curves, NULL, accuracy, false, 0);
	TRY(interval(caller, curves, NULL, accuracy, needed->labels, &needed->low, &needed->high));
	needed->saving = needed->saving_low = needed->saving_high = NAN;
	if (baseline == NULL)
		return STATUS_SUCCESS;
	needed->saving = estimate(curves, baseline, accuracy, false, 0);
	return interval(caller, curves, baseline, accuracy, needed->saving, &needed->saving_low,
					&needed->saving_high);
}

Status
labels_needed(const Caller *caller, SimulatedPoint *points, int n, int strategies,
			  int baseline, double accuracy, LabelsNeeded *needed)
{
	Curves	   *curves;
	int		   *run;
	Status		status = STATUS_SUCCESS;

	for (int i = 0; i < n; i++)
		if (points[i].strategy < 0 || points[i].strategy >= strategies ||
			!isfinite(points[i].labels) || points[i].labels <= 0.0 ||
			!isfinite(points[i].accuracy))
			return STATUS_BAD_ARGUMENT;
	qsort(points, n, sizeof(SimulatedPoint), compare_points);
	curves = allocate_array(caller, strategies, sizeof(Curves));
	run = allocate_array(caller, n, sizeof(int));
	if (curves == NULL || run == NULL)
		status = STATUS_NO_MEMORY;
	for (int s = 0, at = 0; s < strategies && status == STATUS_SUCCESS; s++)
	{
		curves[s].point = points + at;
		curves[s].run = run + at;
		while (at < n && points[at].strategy == s)
			at++;
		curves[s].n = (int) (points + at - curves[s].point);
		find_runs(&curves[s]);
	}
	for (int s = 0; s < strategies && status == STATUS_SUCCESS; s++)
		status = evaluate(caller, &curves[s], baseline < 0 ? NULL : &curves[baseline], accuracy,
						  &needed[s]);
	release(caller, curves);
	release(caller, run);
	return status;
}
