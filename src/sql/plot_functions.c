/*-------------------------------------------------------------------------
 *
 * plot_functions.c
 *	  Pictures of a project and of a simulation: hl_plot.
 *
 * Here figures are filled with what is stored; src/plot draws them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "math/student.h"
#include "plot/figure.h"
#include "sql/api.h"
#include "sql/measured.h"
#include "sql/simulation.h"
#include "store/caller.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_plot);
PG_FUNCTION_INFO_V1(hl_plot_simulation);

#define NAME_COLUMNS 30			/* of a class, that there is room for */
#define HISTOGRAM_BINS 20

static const char *const no_model = "no model has been measured on labels yet";

/* ---------------------------------------------------------------------- */
/* Drawing */

static bool
format_is_svg(const char *format)
{
	if (strcmp(format, "svg") == 0)
		return true;
	if (strcmp(format, "text") == 0)
		return false;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized format \"%s\"", format),
			 errhint("Formats are \"svg\" and \"text\".")));
}

/* In a context that outlives SPI. */
static Writer *
writer_in(MemoryContext context)
{
	Caller	   *caller = MemoryContextAlloc(context, sizeof(Caller));
	Writer	   *writer = MemoryContextAlloc(context, sizeof(Writer));

	*caller = caller_in(context);
	writer_init(writer, caller);
	return writer;
}

static void
draw_figure(const Figure *figure, bool svg, Writer *writer)
{
	status_check(svg ? figure_svg(figure, writer) : figure_text(figure, writer), "draw");
}

/*
 * A name as pictures can show it: not too long, and without the characters of
 * UTF-8 that XML has not (U+FFFE, U+FFFF) or that control a terminal (U+0080 to
 * U+009F).  What of ASCII needs care is the back ends' business.
 */
static char *
shown_name(const char *name)
{
	const char *end = name;
	char	   *shown;

	/* a character that has no width, or an unknown one, counts as one column */
	for (int columns = 0; *end != '\0'; end += pg_mblen(end))
	{
		columns += Max(pg_dsplen(end), 1);
		if (columns > NAME_COLUMNS)
			break;
	}
	shown = psprintf("%.*s%s", (int) (end - name), name, *end != '\0' ? "..." : "");
	if (GetDatabaseEncoding() != PG_UTF8)
		return shown;
	for (unsigned char *c = (unsigned char *) shown; *c != '\0'; c += pg_utf_mblen(c))
	{
		if (c[0] == 0xc2 && c[1] < 0xa0)
			memset(c, '?', 2);
		else if (c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe)
			memset(c, '?', 3);
	}
	return shown;
}

static Series *
add_series(Figure *figure, SeriesKind kind, const char *name, int capacity, bool intervals)
{
	Series	   *series = &figure->series[figure->nseries++];

	memset(series, 0, sizeof(*series));
	series->name = name;
	series->kind = kind;
	series->x = palloc_array_checked(double, capacity);
	series->y = palloc_array_checked(double, capacity);
	if (intervals)
	{
		series->low = palloc_array_checked(double, capacity);
		series->high = palloc_array_checked(double, capacity);
	}
	return series;
}

static void
add_to(Series *series, double x, double y, double low, double high)
{
	((double *) series->x)[series->n] = x;
	((double *) series->y)[series->n] = y;
	if (series->low != NULL)
	{
		((double *) series->low)[series->n] = low;
		((double *) series->high)[series->n] = high;
	}
	series->n++;
}

/* ---------------------------------------------------------------------- */
/* The kinds */

static void
plot_learning_curve(const Project *project, bool svg, Writer *writer)
{
	static Statement select = {
		"SELECT DISTINCT ON (labels) labels, accuracy, accuracy_low, accuracy_high, audited, "
		"audit_accuracy, audit_low, audit_high FROM @hl_model WHERE project_id = $1 "
		"AND accuracy IS NOT NULL ORDER BY labels, model DESC", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	Figure		figure = {
		.title = psprintf("Learning curve of %s", project->name),
		.note = "95 % intervals", .empty = no_model,
		.x = {.title = "labels", .whole = true},
		.y = {.title = "accuracy (share of rows)", .percent = true}
	};
	Series	   *crossed;
	Series	   *audit;

	statement_run_as_extension(&select, values, NULL, true);
	crossed = add_series(&figure, SERIES_LINE, "cross-validation (labelled rows, most of them hard)",
						 (int) SPI_processed, true);
	audit = add_series(&figure, SERIES_LINE, "audit (rows drawn by lot)", (int) SPI_processed, true);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		add_to(crossed, result_int(i, 1), result_double(i, 2), result_double(i, 3),
			   result_double(i, 4));
		if (result_int(i, 5) > 0)
			add_to(audit, result_int(i, 1), result_double(i, 6), result_double(i, 7),
				   result_double(i, 8));
	}
	if (audit->n == 0)
		figure.nseries--;
	figure_fit(&figure, true, false);
	draw_figure(&figure, svg, writer);
}

static void
plot_calibration(const Project *project, bool svg, Writer *writer)
{
	ReliabilityBin bins[ESTIMATES][RELIABILITY_BINS];
	int			nbins[ESTIMATES];
	Figure		figure = {
		.title = psprintf("Calibration of %s", project->name),
		.note = "95 % intervals; dotted: as often right as it says",
		.empty = "no model has been measured on labels yet, or it is of an older version",
		.x = {.title = "confidence (of the model)", .percent = true},
		.y = {.title = "accuracy (share of rows that are right)", .percent = true},
		.diagonal = true
	};

	if (reliability_read(project, bins, nbins))
	{
		for (int estimate = 0; estimate < ESTIMATES; estimate++)
		{
			Series	   *series;

			if (nbins[estimate] == 0)
				continue;
			series = add_series(&figure, SERIES_POINTS, estimates[estimate], RELIABILITY_BINS, true);
			for (int b = 0; b < nbins[estimate]; b++)
				add_to(series, bins[estimate][b].confidence, bins[estimate][b].accuracy,
					   bins[estimate][b].accuracy_low, bins[estimate][b].accuracy_high);
		}
	}
	figure_fit(&figure, false, false);
	draw_figure(&figure, svg, writer);
}

static void
plot_confusion(const Project *project, bool svg, Writer *writer)
{
	Confusion	confusion;
	ConfusionFigure figure = {
		.title = psprintf("Confusion of %s (cross-validation)", project->name), .empty = no_model
	};

	if (confusion_read(project, &confusion))
	{
		const char **names = palloc_array_checked(const char *, confusion.classes);
		int		   *counts = palloc_array_checked(int, confusion.classes * confusion.classes);

		for (int i = 0; i < confusion.classes * confusion.classes; i++)
			counts[i] = DatumGetInt32(confusion.counts[i]);
		for (int k = 0; k < confusion.classes; k++)
			names[k] = shown_name(confusion.names[k]);
		figure.classes = confusion.classes;
		figure.names = names;
		figure.counts = counts;
	}
	status_check(svg ? confusion_svg(&figure, writer) : confusion_text(&figure, writer), "draw");
}

/* The values of a column of real[], without those that are NULL or NaN. */
static float *
known_values(int column, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	bool		isnull;
	int			count;
	float	   *values;
	Datum		array = result_datum(0, column, &isnull);

	deconstruct_array(DatumGetArrayTypeP(array), FLOAT4OID, sizeof(float4), true, TYPALIGN_INT,
					  &elements, &nulls, &count);
	values = palloc_array_checked(float, count);
	*n = 0;
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i] && isfinite(DatumGetFloat4(elements[i])))
			values[(*n)++] = DatumGetFloat4(elements[i]);
	}
	return values;
}

static void
add_histogram(Figure *figure, const char *name, const float *values, int n, double most)
{
	Series	   *series = add_series(figure, SERIES_BARS, name, HISTOGRAM_BINS, false);
	int			counts[HISTOGRAM_BINS] = {0};

	series->width = most / HISTOGRAM_BINS;
	for (int i = 0; i < n; i++)
		counts[Max(Min((int) (values[i] / series->width), HISTOGRAM_BINS - 1), 0)]++;
	for (int b = 0; b < HISTOGRAM_BINS; b++)
		add_to(series, b * series->width, counts[b], NAN, NAN);
}

/* Over the whole ranking as it was made. */
static void
plot_uncertainty(const Project *project, bool svg, Writer *writer)
{
	static Statement select = {
		"SELECT epistemic, aleatoric FROM @hl_ranking WHERE project_id = $1 AND part = 'rest'",
		1, {INT4OID}, NULL, 0
	};
	Datum		arguments[1] = {Int32GetDatum(project->id)};
	Figure		figure = {
		.title = psprintf("Uncertainty of %s, of the rows in the queue", project->name),
		.empty = "the queue has no rows that a model has scored",
		.x = {.title = "uncertainty (nats)"},
		.y = {.title = "rows of the queue", .whole = true}
	};

	statement_run_as_extension(&select, arguments, NULL, true);
	if (SPI_processed > 0)
	{
		int			n[2];
		float	   *values[2] = {known_values(1, &n[0]), known_values(2, &n[1])};
		double		most = 0.0;
		Ticks		ticks;

		for (int kind = 0; kind < 2; kind++)
			for (int i = 0; i < n[kind]; i++)
				most = Max(most, values[kind][i]);
		if (n[0] > 0 && n[1] > 0)
		{
			/* bins end with the axis */
			ticks = nice_ticks(0.0, Max(most, 1e-6), 6);
			most = ceil(Max(most, 1e-6) / ticks.step - 1e-6) * ticks.step;
			add_histogram(&figure, "epistemic: for want of labels", values[0], n[0], most);
			add_histogram(&figure, "aleatoric: the rows themselves are ambiguous", values[1], n[1],
						  most);
		}
	}
	figure_fit(&figure, true, true);
	draw_figure(&figure, svg, writer);
}

static const struct
{
	const char *name;
	void		(*plot) (const Project *project, bool svg, Writer *writer);
}			kinds[] = {
	{"learning_curve", plot_learning_curve},
	{"calibration", plot_calibration},
	{"confusion", plot_confusion},
	{"uncertainty", plot_uncertainty}
};

Datum
hl_plot(PG_FUNCTION_ARGS)
{
	Project    *project;
	char	   *kind;
	bool		svg;
	bool		known = false;
	Writer	   *writer;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	kind = required_text(fcinfo, 1, "kind");
	svg = format_is_svg(required_text(fcinfo, 2, "format"));
	writer = writer_in(call.context);
	for (int i = 0; i < (int) lengthof(kinds) && !known; i++)
	{
		known = strcmp(kind, kinds[i].name) == 0;
		if (known)
			kinds[i].plot(project, svg, writer);
	}
	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized kind of plot \"%s\"", kind),
				 errhint("Kinds are \"learning_curve\", \"calibration\", \"confusion\" and \"uncertainty\".")));
	call_end(&call);
	PG_RETURN_TEXT_P(cstring_to_text((char *) writer->bytes));
}

/* ---------------------------------------------------------------------- */
/* Simulated curves */

static int
compare_by_run(const void *a, const void *b)
{
	const SimulatedPoint *left = a;
	const SimulatedPoint *right = b;

	if (left->strategy != right->strategy)
		return left->strategy < right->strategy ? -1 : 1;
	return left->run < right->run ? -1 : left->run > right->run;
}

static int
compare_by_labels(const void *a, const void *b)
{
	const SimulatedPoint *left = a;
	const SimulatedPoint *right = b;

	if (left->strategy != right->strategy)
		return left->strategy < right->strategy ? -1 : 1;
	if (left->labels != right->labels)
		return left->labels < right->labels ? -1 : 1;
	/* sums do not depend on the order that the points came in */
	return left->run < right->run ? -1 : left->run > right->run;
}

/*
 * The mean of n runs with its 95 % interval, by Student's t: runs are drawn
 * independently, and there are few of them.
 */
static void
add_mean(Series *series, const SimulatedPoint *points, int n)
{
	double		sum = 0.0;
	double		squares = 0.0;
	double		mean;
	double		half = NAN;

	for (int i = 0; i < n; i++)
		sum += points[i].accuracy;
	mean = sum / n;
	for (int i = 0; i < n; i++)
		squares += (points[i].accuracy - mean) * (points[i].accuracy - mean);
	if (n > 1)
		half = student_bound(0.95, n - 1) * sqrt(squares / (n - 1) / n);
	add_to(series, points[0].labels, mean, n > 1 ? Max(mean - half, 0.0) : NAN,
		   n > 1 ? Min(mean + half, 1.0) : NAN);
}

/* Numbers of labels that not all runs have come to would mix different runs. */
static void
add_strategy(Figure *figure, const char *name, const SimulatedPoint *points, int n, int runs)
{
	Series	   *series = add_series(figure, SERIES_LINE,
									psprintf("%s (%d %s)", shown_name(name), runs,
											 runs == 1 ? "run" : "runs"), n, runs > 1);

	for (int first = 0, next; first < n; first = next)
	{
		for (next = first; next < n && points[next].labels == points[first].labels; next++)
			;
		if (next - first >= runs)
			add_mean(series, points + first, next - first);
	}
}

static void
simulation_figure(Points *points, Figure *figure)
{
	int		   *runs = palloc0(sizeof(int) * (points->strategies + 1));

	qsort(points->point, points->n, sizeof(SimulatedPoint), compare_by_run);
	for (int i = 0; i < points->n; i++)
	{
		if (i == 0 || compare_by_run(&points->point[i - 1], &points->point[i]) != 0)
			runs[points->point[i].strategy]++;
	}
	qsort(points->point, points->n, sizeof(SimulatedPoint), compare_by_labels);
	for (int s = 0, at = 0; s < points->strategies; s++)
	{
		int			n = 0;

		interrupts_check();
		while (at + n < points->n && points->point[at + n].strategy == s)
			n++;
		add_strategy(figure, points->strategy[s], points->point + at, n, runs[s]);
		if (runs[s] > 1)
			figure->note = "95 % intervals of the mean over runs";
		at += n;
	}
	figure_fit(figure, true, false);
}

Datum
hl_plot_simulation(PG_FUNCTION_ARGS)
{
	Figure		figure = {
		.title = "Simulated learning curves", .empty = "the simulation has no rows",
		.x = {.title = "labels", .whole = true},
		.y = {.title = "accuracy (share of held-out rows)", .percent = true}
	};
	Points		points = {0};
	bool		svg = format_is_svg(required_text(fcinfo, 1, "format"));
	Writer	   *writer = writer_in(CurrentMemoryContext);

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be NULL", "simulation")));
	points_read(&points, PG_GETARG_ARRAYTYPE_P(0));
	if (points.strategies > FIGURE_SERIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are %d strategies, more than the %d that a picture can show",
						points.strategies, FIGURE_SERIES)));
	simulation_figure(&points, &figure);
	draw_figure(&figure, svg, writer);
	PG_RETURN_TEXT_P(cstring_to_text((char *) writer->bytes));
}
