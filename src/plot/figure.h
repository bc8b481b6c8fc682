/*-------------------------------------------------------------------------
 *
 * figure.h
 *	  What a picture shows, whatever it is drawn with.
 *
 * Two back ends draw the same figures: svg.c for a browser, text.c for a
 * terminal.  Strings are in any encoding that has ASCII in it; they come from
 * users, and a back end writes what is ASCII in them so that it stays text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_FIGURE_H
#define HUMANLOOP_FIGURE_H

#include "../math/buffer.h"

#define FIGURE_SERIES 8			/* at most */

typedef enum SeriesKind
{
	SERIES_LINE,				/* with a band where there are intervals */
	SERIES_POINTS,				/* with bars where there are intervals */
	SERIES_BARS					/* a histogram: x is where a bin begins */
} SeriesKind;

typedef struct Series
{
	const char *name;
	SeriesKind	kind;
	int			n;
	const double *x;
	const double *y;
	const double *low;			/* NULL: no intervals; NAN: none there */
	const double *high;
	double		width;			/* of a bin */
} Series;

typedef struct Axis
{
	const char *title;			/* with its unit */
	double		low;
	double		high;
	bool		percent;		/* shares, shown as percent */
	bool		whole;			/* counts: no ticks between whole numbers */
} Axis;

typedef struct Figure
{
	const char *title;
	const char *note;			/* what the intervals are; NULL: nothing */
	const char *empty;			/* what to say where there is nothing to show */
	Axis		x;
	Axis		y;
	bool		diagonal;		/* a line where x is y */
	int			nseries;
	Series		series[FIGURE_SERIES];
} Figure;

/* Counts of pairs, with the classes that they are of. */
typedef struct ConfusionFigure
{
	const char *title;
	const char *empty;
	int			classes;
	const char *const *names;
	const int  *counts;			/* classes x classes, truth by row */
} ConfusionFigure;

/* A pair of classes that is taken for one another. */
typedef struct ConfusedPair
{
	int			truth;
	int			predicted;
	int			n;
} ConfusedPair;

/* Round numbers along an axis. */
typedef struct Ticks
{
	double		first;
	double		step;
	int			n;
	int			decimals;		/* that they need */
} Ticks;

/* figure.c */

/* About wanted round numbers within [low, high]; low < high. */
extern Ticks nice_ticks(double low, double high, int wanted);
extern Ticks axis_ticks(const Axis *axis, int wanted);
extern double tick_at(const Ticks *ticks, int i);

/* Writes the label of a tick: a plain number, or percent. */
extern void format_tick(char *buffer, size_t size, const Axis *axis, const Ticks *ticks, int i);

/* Widens an axis to round numbers that all series are within. */
extern void figure_fit(Figure *figure, bool x_from_zero, bool y_from_zero);

extern bool figure_is_empty(const Figure *figure);

/* The largest counts beside the diagonal, most first; returns how many. */
extern int	most_confused(const ConfusionFigure *figure, ConfusedPair *pairs, int most);

extern int	confusion_row(const ConfusionFigure *figure, int truth);

/* As printf, with doubles and ints only: up to 255 bytes. */
extern void write_format(Writer *writer, const char *format,...)
			__attribute__((format(printf, 2, 3)));
extern void write_text(Writer *writer, const char *text);

/* svg.c, text.c: a NUL-terminated text */
extern Status figure_svg(const Figure *figure, Writer *writer);
extern Status confusion_svg(const ConfusionFigure *figure, Writer *writer);
extern Status figure_text(const Figure *figure, Writer *writer);
extern Status confusion_text(const ConfusionFigure *figure, Writer *writer);

#endif							/* HUMANLOOP_FIGURE_H */
