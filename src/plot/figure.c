/*-------------------------------------------------------------------------
 *
 * figure.c
 *	  What both back ends need: round ticks, ranges, the largest confusions.
 *
 *-------------------------------------------------------------------------
 */
#include "figure.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
write_text(Writer *writer, const char *text)
{
	write_bytes(writer, text, strlen(text));
}

void
write_format(Writer *writer, const char *format,...)
{
	char		buffer[256];
	va_list		arguments;

	va_start(arguments, format);
	(void) vsnprintf(buffer, sizeof(buffer), format, arguments);
	va_end(arguments);
	write_text(writer, buffer);
}

/* ---------------------------------------------------------------------- */
/* Ticks */

/*
 * The nearest 1, 2 or 5 times a power of 10 (Heckbert, "Nice numbers for graph
 * labels", Graphics Gems, 1990, pages 61-63).
 */
static double
nice_number(double value)
{
	double		power = pow(10.0, floor(log10(value)));
	double		fraction = value / power;

	return power * (fraction < 1.5 ? 1.0 : fraction < 3.0 ? 2.0 : fraction < 7.0 ? 5.0 : 10.0);
}

static Ticks
ticks_with_step(double low, double high, double step)
{
	Ticks		ticks = {.step = step};
	double		last;

	/* a bound that is a tick may be off by rounding */
	ticks.first = ceil(low / ticks.step - 1e-6);
	last = floor(high / ticks.step + 1e-6);
	ticks.n = (int) (last - ticks.first) + 1;
	ticks.decimals = (int) fmax(-floor(log10(ticks.step) + 1e-6), 0.0);
	return ticks;
}

Ticks
nice_ticks(double low, double high, int wanted)
{
	return ticks_with_step(low, high, nice_number((high - low) / (wanted - 1)));
}

Ticks
axis_ticks(const Axis *axis, int wanted)
{
	Ticks		ticks = nice_ticks(axis->low, axis->high, wanted);

	return axis->whole && ticks.step < 1.0 ? ticks_with_step(axis->low, axis->high, 1.0) : ticks;
}

/* From whole numbers, so that what is printed is what is meant; never -0. */
double
tick_at(const Ticks *ticks, int i)
{
	return (ticks->first + i) * ticks->step + 0.0;
}

void
format_tick(char *buffer, size_t size, const Axis *axis, const Ticks *ticks, int i)
{
	if (axis->percent)
		(void) snprintf(buffer, size, "%.*f %%", ticks->decimals > 2 ? ticks->decimals - 2 : 0,
						100.0 * tick_at(ticks, i));
	else
		(void) snprintf(buffer, size, "%.*f", ticks->decimals, tick_at(ticks, i));
}

/* ---------------------------------------------------------------------- */
/* Ranges */

static void
include(Axis *axis, double value)
{
	if (!isfinite(value))
		return;
	axis->low = fmin(axis->low, value);
	axis->high = fmax(axis->high, value);
}

static void
round_axis(Axis *axis, bool from_zero)
{
	double		step;

	if (from_zero)
		include(axis, 0.0);
	if (!(axis->low <= axis->high))
		axis->low = axis->high = 0.0;
	if (axis->high - axis->low < 1e-9 * fmax(fabs(axis->high), 1e-6))
	{
		/* one value only */
		double		around = axis->percent ? 0.05 : fmax(fabs(axis->high) * 0.1, 1e-3);

		axis->low -= from_zero || axis->low >= 0.0 ? fmin(axis->low, around) : around;
		axis->high += around;
	}
	step = nice_number((axis->high - axis->low) / 5.0);
	if (axis->whole)
		step = fmax(step, 1.0);
	axis->low = floor(axis->low / step + 1e-6) * step;
	axis->high = ceil(axis->high / step - 1e-6) * step;
	if (axis->percent)
	{
		axis->low = fmax(axis->low, 0.0);
		axis->high = fmin(axis->high, 1.0);
		/* nothing of it is a share */
		if (!(axis->low < axis->high))
		{
			axis->low = 0.0;
			axis->high = 1.0;
		}
	}
}

void
figure_fit(Figure *figure, bool x_from_zero, bool y_from_zero)
{
	figure->x.low = figure->y.low = INFINITY;
	figure->x.high = figure->y.high = -INFINITY;
	for (int s = 0; s < figure->nseries; s++)
	{
		const Series *series = &figure->series[s];

		for (int i = 0; i < series->n; i++)
		{
			include(&figure->x, series->x[i]);
			include(&figure->x, series->x[i] + series->width);
			include(&figure->y, series->y[i]);
			if (series->low != NULL)
			{
				include(&figure->y, series->low[i]);
				include(&figure->y, series->high[i]);
			}
		}
	}
	round_axis(&figure->x, x_from_zero);
	round_axis(&figure->y, y_from_zero);
}

bool
figure_is_empty(const Figure *figure)
{
	for (int s = 0; s < figure->nseries; s++)
		if (figure->series[s].n > 0)
			return false;
	return true;
}

/* ---------------------------------------------------------------------- */
/* Confusions */

int
confusion_row(const ConfusionFigure *figure, int truth)
{
	int			sum = 0;

	for (int k = 0; k < figure->classes; k++)
		sum += figure->counts[(size_t) truth * figure->classes + k];
	return sum;
}

/* By insertion: of many pairs few are kept; of equals the first. */
int
most_confused(const ConfusionFigure *figure, ConfusedPair *pairs, int most)
{
	int			kept = 0;

	for (int truth = 0; truth < figure->classes; truth++)
		for (int predicted = 0; predicted < figure->classes; predicted++)
		{
			int			n = figure->counts[(size_t) truth * figure->classes + predicted];
			int			at;

			if (truth == predicted || n == 0 || (kept == most && n <= pairs[kept - 1].n))
				continue;
			kept += kept < most;
			for (at = kept - 1; at > 0 && pairs[at - 1].n < n; at--)
				pairs[at] = pairs[at - 1];
			pairs[at] = (ConfusedPair) {truth, predicted, n};
		}
	return kept;
}
