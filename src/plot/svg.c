/*-------------------------------------------------------------------------
 *
 * svg.c
 *	  Figures as SVG (Scalable Vector Graphics 1.1, W3C Recommendation, 2011).
 *
 * A document is complete in itself: no script, no style sheet, no font and no
 * link but the name of its name space, so that it can be put into a page as it
 * is.  Numbers have two decimals at most, so that the same figure is the same
 * text on every machine.  Colours are those of Okabe and Ito ("Color universal
 * design", 2008), which people see apart who cannot see red or green.
 *
 *-------------------------------------------------------------------------
 */
#include "figure.h"

#include <math.h>
#include <string.h>

#define WIDTH 640
#define HEIGHT 400
#define LEFT 70
#define RIGHT 20
#define TOP 40
#define BOTTOM 60
#define LEGEND_LINE 18

static const char *const colours[FIGURE_SERIES] = {
	"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999"
};

/*
 * Text as content of an element or an attribute (Extensible Markup Language 1.0,
 * sections 2.2 and 2.4).  Characters that XML has not, and could not even have
 * as a reference, are shown as question marks.
 */
static void
write_escaped(Writer *writer, const char *text)
{
	for (const unsigned char *c = (const unsigned char *) text; *c != '\0'; c++)
	{
		switch (*c)
		{
			case '&':
				write_text(writer, "&amp;");
				break;
			case '<':
				write_text(writer, "&lt;");
				break;
			case '>':
				write_text(writer, "&gt;");
				break;
			case '"':
				write_text(writer, "&quot;");
				break;
			case '\'':
				write_text(writer, "&#39;");
				break;
			default:
				if (*c < 0x20 || *c == 0x7f)
					write_text(writer, "?");
				else
					write_bytes(writer, c, 1);
		}
	}
}

static void
begin_svg(Writer *writer, int width, int height, const char *title)
{
	write_format(writer, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
				 "viewBox=\"0 0 %d %d\" ", width, height, width, height);
	write_text(writer, "role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n<title>");
	write_escaped(writer, title);
	write_format(writer, "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
				 width, height);
	write_format(writer, "<text x=\"%d\" y=\"22\" font-size=\"15\" text-anchor=\"middle\">", width / 2);
	write_escaped(writer, title);
	write_text(writer, "</text>\n");
}

static Status
end_svg(Writer *writer)
{
	write_text(writer, "</svg>\n");
	write_bytes(writer, "", 1);
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* attributes: of the element, as they are */
static void
write_label(Writer *writer, double x, double y, const char *attributes, const char *text)
{
	write_format(writer, "<text x=\"%.2f\" y=\"%.2f\" %s>", x, y, attributes);
	write_escaped(writer, text);
	write_text(writer, "</text>\n");
}

static void
write_line(Writer *writer, double x1, double y1, double x2, double y2, const char *attributes)
{
	write_format(writer, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" %s/>\n",
				 x1, y1, x2, y2, attributes);
}

/* ---------------------------------------------------------------------- */
/* Figures */

/* What is outside of the axis (a share above 1) is at its end. */
static double
place(double value, const Axis *axis, double from, double to)
{
	value = fmin(fmax(value, axis->low), axis->high);
	return from + (value - axis->low) / (axis->high - axis->low) * (to - from);
}

static double
place_x(const Figure *figure, double value)
{
	return place(value, &figure->x, LEFT, WIDTH - RIGHT);
}

static double
place_y(const Figure *figure, double value)
{
	return place(value, &figure->y, HEIGHT - BOTTOM, TOP);
}

static void
write_axes(Writer *writer, const Figure *figure)
{
	Ticks		x = axis_ticks(&figure->x, 7);
	Ticks		y = axis_ticks(&figure->y, 6);
	char		label[64];

	for (int i = 0; i < y.n; i++)
	{
		double		at = place_y(figure, tick_at(&y, i));

		format_tick(label, sizeof(label), &figure->y, &y, i);
		write_line(writer, LEFT, at, WIDTH - RIGHT, at, "stroke=\"#dddddd\"");
		write_label(writer, LEFT - 6, at + 4, "text-anchor=\"end\"", label);
	}
	for (int i = 0; i < x.n; i++)
	{
		double		at = place_x(figure, tick_at(&x, i));

		format_tick(label, sizeof(label), &figure->x, &x, i);
		write_line(writer, at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 5, "stroke=\"#333333\"");
		write_label(writer, at, HEIGHT - BOTTOM + 18, "text-anchor=\"middle\"", label);
	}
	write_line(writer, LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "stroke=\"#333333\"");
	write_line(writer, LEFT, TOP, LEFT, HEIGHT - BOTTOM, "stroke=\"#333333\"");
	write_label(writer, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - BOTTOM + 38,
				"text-anchor=\"middle\"", figure->x.title);
	write_format(writer, "<text transform=\"translate(16 %.2f) rotate(-90)\" text-anchor=\"middle\">",
				 (TOP + HEIGHT - BOTTOM) / 2.0);
	write_escaped(writer, figure->y.title);
	write_text(writer, "</text>\n");
}

static bool
has_interval(const Series *series, int i)
{
	return series->low != NULL && isfinite(series->low[i]) && isfinite(series->high[i]);
}

/* The band between the ends of the intervals, forth above and back below. */
static void
write_band(Writer *writer, const Figure *figure, const Series *series, const char *colour)
{
	write_text(writer, "<polygon points=\"");
	for (int i = 0; i < series->n; i++)
		if (has_interval(series, i))
			write_format(writer, "%.2f,%.2f ", place_x(figure, series->x[i]),
						 place_y(figure, series->high[i]));
	for (int i = series->n - 1; i >= 0; i--)
		if (has_interval(series, i))
			write_format(writer, "%.2f,%.2f ", place_x(figure, series->x[i]),
						 place_y(figure, series->low[i]));
	write_format(writer, "\" fill=\"%s\" fill-opacity=\"0.18\" stroke=\"none\"/>\n", colour);
}

static void
write_curve(Writer *writer, const Figure *figure, const Series *series, const char *colour)
{
	write_text(writer, "<polyline points=\"");
	for (int i = 0; i < series->n; i++)
		write_format(writer, "%.2f,%.2f ", place_x(figure, series->x[i]),
					 place_y(figure, series->y[i]));
	write_format(writer, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", colour);
}

static void
write_points(Writer *writer, const Figure *figure, const Series *series, const char *colour,
			 bool bars)
{
	for (int i = 0; i < series->n; i++)
	{
		double		x = place_x(figure, series->x[i]);

		if (bars && has_interval(series, i))
			write_format(writer, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" "
						 "stroke=\"%s\" stroke-width=\"1.5\"/>\n", x, place_y(figure, series->low[i]),
						 x, place_y(figure, series->high[i]), colour);
		write_format(writer, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"3\" fill=\"%s\"/>\n",
					 x, place_y(figure, series->y[i]), colour);
	}
}

/* Series side by side within each bin. */
static void
write_bars(Writer *writer, const Figure *figure, int s, const char *colour)
{
	const Series *series = &figure->series[s];

	for (int i = 0; i < series->n; i++)
	{
		double		from = place_x(figure, series->x[i]);
		double		width = place_x(figure, series->x[i] + series->width) - from;
		double		top = place_y(figure, series->y[i]);
		double		share = 0.9 / figure->nseries;

		write_format(writer, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n",
					 from + width * (0.05 + s * share), top, width * share,
					 HEIGHT - BOTTOM - top, colour);
	}
}

static void
write_series(Writer *writer, const Figure *figure, int s)
{
	const Series *series = &figure->series[s];
	const char *colour = colours[s % FIGURE_SERIES];

	if (series->n == 0)
		return;
	if (series->kind == SERIES_BARS)
		write_bars(writer, figure, s, colour);
	else
	{
		bool		line = series->kind == SERIES_LINE;

		if (line && series->low != NULL && series->n > 1)
			write_band(writer, figure, series, colour);
		if (line)
			write_curve(writer, figure, series, colour);
		if (!line || series->n <= 60)
			write_points(writer, figure, series, colour, !line || series->n == 1);
	}
}

/* Below the axes, a line a series: names may be long. */
static void
write_legend(Writer *writer, const Figure *figure)
{
	int			y = HEIGHT;

	for (int s = 0; s < figure->nseries; s++, y += LEGEND_LINE)
	{
		write_format(writer, "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/>\n",
					 LEFT, y - 10, colours[s % FIGURE_SERIES]);
		write_label(writer, LEFT + 20, y, "text-anchor=\"start\"", figure->series[s].name);
	}
	if (figure->note != NULL)
		write_label(writer, LEFT, y, "text-anchor=\"start\" fill=\"#555555\"", figure->note);
}

Status
figure_svg(const Figure *figure, Writer *writer)
{
	int			lines = figure->nseries + (figure->note != NULL);

	if (figure_is_empty(figure))
	{
		begin_svg(writer, WIDTH, 100, figure->title);
		write_label(writer, WIDTH / 2, 60, "text-anchor=\"middle\"", figure->empty);
		return end_svg(writer);
	}
	begin_svg(writer, WIDTH, HEIGHT + lines * LEGEND_LINE, figure->title);
	write_axes(writer, figure);
	if (figure->diagonal)
	{
		double		low = fmax(figure->x.low, figure->y.low);
		double		high = fmin(figure->x.high, figure->y.high);

		if (low < high)
			write_line(writer, place_x(figure, low), place_y(figure, low), place_x(figure, high),
					   place_y(figure, high), "stroke=\"#888888\" stroke-dasharray=\"5 4\"");
	}
	for (int s = 0; s < figure->nseries; s++)
		write_series(writer, figure, s);
	write_legend(writer, figure);
	return end_svg(writer);
}

/* ---------------------------------------------------------------------- */
/* Confusions */

#define NAMES 200				/* room for names of classes */
#define NAME_SIZE 10.0			/* of their letters, at most */
#define SIDE 480.0				/* of the matrix, at most */
#define NAMED_MOST 40			/* of more classes names would lie on each other */
#define NUMBERED_MOST 15		/* of more classes counts would not fit a cell */
#define LISTED 12

static void
write_cells(Writer *writer, const ConfusionFigure *figure, double cell, int left, int top)
{
	for (int truth = 0; truth < figure->classes; truth++)
	{
		int			row = confusion_row(figure, truth);

		for (int predicted = 0; predicted < figure->classes; predicted++)
		{
			int			n = figure->counts[(size_t) truth * figure->classes + predicted];
			double		x = left + predicted * cell;
			double		y = top + truth * cell;

			if (n == 0)
				continue;
			/* what is one in a hundred must be seen, too */
			write_format(writer, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
						 "fill=\"%s\" fill-opacity=\"%.2f\">", x, y, cell, cell,
						 colours[truth == predicted ? 0 : 1], 0.15 + 0.85 * n / row);
			write_text(writer, "<title>");
			write_escaped(writer, figure->names[truth]);
			write_text(writer, " taken for ");
			write_escaped(writer, figure->names[predicted]);
			write_format(writer, ": %d of %d</title></rect>\n", n, row);
			if (figure->classes <= NUMBERED_MOST)
				write_format(writer, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"middle\" fill=\"%s\">%d</text>\n",
							 x + cell / 2, y + cell / 2 + 4, 2 * n > row ? "#ffffff" : "#000000", n);
		}
	}
}

static void
write_names(Writer *writer, const ConfusionFigure *figure, double cell, int left, int top)
{
	double		size = fmin(NAME_SIZE, cell * 0.9);

	for (int k = 0; k < figure->classes && figure->classes <= NAMED_MOST; k++)
	{
		double		middle = (k + 0.5) * cell;

		write_format(writer, "<text x=\"%d\" y=\"%.2f\" text-anchor=\"end\" font-size=\"%.2f\">",
					 left - 4, top + middle + size / 3, size);
		write_escaped(writer, figure->names[k]);
		write_format(writer, "</text>\n<text transform=\"translate(%.2f %.2f) rotate(-90)\" "
					 "text-anchor=\"end\" font-size=\"%.2f\">", left + middle + size / 3,
					 top + figure->classes * cell + 4, size);
		write_escaped(writer, figure->names[k]);
		write_text(writer, "</text>\n");
	}
}

static void
write_largest(Writer *writer, const ConfusionFigure *figure, int left, int top)
{
	ConfusedPair pairs[LISTED];
	int			n = most_confused(figure, pairs, LISTED);

	write_label(writer, left, top, "font-weight=\"bold\"",
				n > 0 ? "Largest confusions (truth taken for prediction)" : "No confusions");
	for (int i = 0; i < n; i++)
	{
		write_format(writer, "<text x=\"%d\" y=\"%d\">%d of %d: ", left,
					 top + (i + 1) * LEGEND_LINE, pairs[i].n, confusion_row(figure, pairs[i].truth));
		write_escaped(writer, figure->names[pairs[i].truth]);
		write_text(writer, " taken for ");
		write_escaped(writer, figure->names[pairs[i].predicted]);
		write_text(writer, "</text>\n");
	}
}

Status
confusion_svg(const ConfusionFigure *figure, Writer *writer)
{
	bool		named = figure->classes <= NAMED_MOST;
	int			left = named ? NAMES : LEFT;
	double		cell = figure->classes == 0 ? 0.0 :
		fmin(40.0, fmin(SIDE, WIDTH - left - RIGHT) / figure->classes);
	double		side = cell * figure->classes;
	int			below = TOP + (int) ceil(side) + (named ? NAMES : 30);

	if (figure->classes == 0)
	{
		begin_svg(writer, WIDTH, 100, figure->title);
		write_label(writer, WIDTH / 2, 60, "text-anchor=\"middle\"", figure->empty);
		return end_svg(writer);
	}
	begin_svg(writer, WIDTH, below + (LISTED + 2) * LEGEND_LINE, figure->title);
	write_format(writer, "<rect x=\"%d\" y=\"%d\" width=\"%.2f\" height=\"%.2f\" fill=\"none\" stroke=\"#333333\"/>\n",
				 left, TOP, side, side);
	write_cells(writer, figure, cell, left, TOP);
	write_names(writer, figure, cell, left, TOP);
	write_format(writer, "<text transform=\"translate(16 %.2f) rotate(-90)\" text-anchor=\"middle\">truth</text>\n",
				 TOP + side / 2);
	write_label(writer, left + side / 2, below - 8, "text-anchor=\"middle\"",
				"prediction (shade: share of the row)");
	write_largest(writer, figure, 24, below + LEGEND_LINE);
	return end_svg(writer);
}
