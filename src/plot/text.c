/*-------------------------------------------------------------------------
 *
 * text.c
 *	  Figures for a terminal: 72 columns of ASCII.
 *
 * Box and block characters would be finer, but not every server encoding has
 * them, and not every font shows them one column wide.  What users have named
 * stands at the end of a line, so that its width does not matter.
 *
 *-------------------------------------------------------------------------
 */
#include "figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS 72
#define LEFT 9					/* labels of the y axis, and the axis */
#define PLOT_COLUMNS (COLUMNS - LEFT)
#define PLOT_ROWS 16

static const char marks[FIGURE_SERIES] = {'o', 'x', '*', '+', '#', '@', '%', '&'};
static const char bar_marks[FIGURE_SERIES] = {'#', 'o', 'x', '*', '+', '@', '%', '&'};

typedef struct Canvas
{
	char		cell[PLOT_ROWS][PLOT_COLUMNS + 1];
} Canvas;

static char
mark_of(const Figure *figure, int s)
{
	return figure->series[s].kind == SERIES_BARS ? bar_marks[s] : marks[s];
}

/* Characters that would move the cursor are shown as question marks. */
static void
write_safe(Writer *writer, const char *text)
{
	for (; *text != '\0'; text++)
		write_bytes(writer, (unsigned char) *text < 0x20 || *text == 0x7f ? "?" : text, 1);
}

static Status
end_text(Writer *writer)
{
	write_bytes(writer, "", 1);
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

static void
write_spaces(Writer *writer, int n)
{
	for (int i = 0; i < n; i++)
		write_text(writer, " ");
}

/* ---------------------------------------------------------------------- */
/* Drawing */

/* The cell of n; what is outside of the axis is in the last one. */
static int
cell_of(const Axis *axis, double value, int n)
{
	value = fmin(fmax(value, axis->low), axis->high);
	return (int) floor((value - axis->low) / (axis->high - axis->low) * (n - 1) + 0.5);
}

static int
column_of(const Figure *figure, double x)
{
	return cell_of(&figure->x, x, PLOT_COLUMNS);
}

/* From the top. */
static int
row_of(const Figure *figure, double y)
{
	return PLOT_ROWS - 1 - cell_of(&figure->y, y, PLOT_ROWS);
}

static void
put(Canvas *canvas, int row, int column, char mark)
{
	if (row >= 0 && row < PLOT_ROWS && column >= 0 && column < PLOT_COLUMNS)
		canvas->cell[row][column] = mark;
}

static void
draw_diagonal(Canvas *canvas, const Figure *figure)
{
	for (int column = 0; column < PLOT_COLUMNS; column++)
	{
		double		x = figure->x.low +
			(figure->x.high - figure->x.low) * column / (PLOT_COLUMNS - 1);

		if (x >= figure->y.low && x <= figure->y.high)
			put(canvas, row_of(figure, x), column, '.');
	}
}

static void
draw_intervals(Canvas *canvas, const Figure *figure, const Series *series)
{
	for (int i = 0; i < series->n && series->low != NULL; i++)
	{
		if (!isfinite(series->low[i]) || !isfinite(series->high[i]))
			continue;
		for (int row = row_of(figure, series->high[i]); row <= row_of(figure, series->low[i]); row++)
			put(canvas, row, column_of(figure, series->x[i]), ':');
	}
}

static void
draw_bars(Canvas *canvas, const Figure *figure, int s)
{
	const Series *series = &figure->series[s];

	for (int i = 0; i < series->n; i++)
	{
		int			from = column_of(figure, series->x[i]);
		int			width = column_of(figure, series->x[i] + series->width) - from;
		int			share = width / figure->nseries > 1 ? width / figure->nseries : 1;

		/* a bar of height 0 is none */
		for (int row = row_of(figure, series->y[i]); row < PLOT_ROWS && series->y[i] > 0.0; row++)
			for (int c = 0; c < share - (share > 1 && s == figure->nseries - 1); c++)
				put(canvas, row, from + s * share + c, bar_marks[s]);
	}
}

static void
draw_marks(Canvas *canvas, const Figure *figure, int s)
{
	const Series *series = &figure->series[s];

	for (int i = 0; i < series->n; i++)
		put(canvas, row_of(figure, series->y[i]), column_of(figure, series->x[i]), marks[s]);
}

static void
draw(Canvas *canvas, const Figure *figure)
{
	for (int row = 0; row < PLOT_ROWS; row++)
	{
		memset(canvas->cell[row], ' ', PLOT_COLUMNS);
		canvas->cell[row][PLOT_COLUMNS] = '\0';
	}
	if (figure->diagonal)
		draw_diagonal(canvas, figure);
	for (int s = 0; s < figure->nseries; s++)
		draw_intervals(canvas, figure, &figure->series[s]);
	for (int s = 0; s < figure->nseries; s++)
	{
		if (figure->series[s].kind == SERIES_BARS)
			draw_bars(canvas, figure, s);
		else
			draw_marks(canvas, figure, s);
	}
}

/* ---------------------------------------------------------------------- */
/* Writing */

/* A line without the blanks at its end. */
static void
write_cells(Writer *writer, const char *cells)
{
	size_t		length = strlen(cells);

	while (length > 0 && cells[length - 1] == ' ')
		length--;
	write_bytes(writer, cells, length);
	write_text(writer, "\n");
}

static void
write_plot(Writer *writer, const Figure *figure, const Canvas *canvas)
{
	Ticks		ticks = axis_ticks(&figure->y, 5);

	for (int row = 0; row < PLOT_ROWS; row++)
	{
		char		label[64] = "";

		for (int i = 0; i < ticks.n; i++)
			if (row_of(figure, tick_at(&ticks, i)) == row)
				format_tick(label, sizeof(label), &figure->y, &ticks, i);
		write_format(writer, "%*.*s %c", LEFT - 2, LEFT - 2, label, label[0] != '\0' ? '+' : '|');
		write_cells(writer, canvas->cell[row]);
	}
}

/* Ticks, and their labels where there is room for them. */
static void
write_x_axis(Writer *writer, const Figure *figure)
{
	Ticks		ticks = axis_ticks(&figure->x, 7);
	char		axis[COLUMNS + 1];
	char		labels[COLUMNS + 1];
	int			used = 0;

	memset(axis, ' ', LEFT - 1);
	memset(axis + LEFT - 1, '-', PLOT_COLUMNS + 1);
	memset(labels, ' ', COLUMNS);
	axis[COLUMNS] = labels[COLUMNS] = '\0';
	axis[LEFT - 1] = '+';
	for (int i = 0; i < ticks.n; i++)
	{
		int			column = LEFT + column_of(figure, tick_at(&ticks, i));
		char		label[64];
		int			length;
		int			at;

		format_tick(label, sizeof(label), &figure->x, &ticks, i);
		length = (int) strlen(label);
		at = column - length / 2;
		if (at + length > COLUMNS)
			at = COLUMNS - length;
		axis[column] = '+';
		if (at < used || length > COLUMNS)
			continue;
		memcpy(labels + at, label, length);
		used = at + length + 1;
	}
	write_cells(writer, axis);
	write_cells(writer, labels);
}

static bool
has_intervals(const Figure *figure)
{
	for (int s = 0; s < figure->nseries; s++)
		if (figure->series[s].low != NULL)
			return true;
	return false;
}

static void
write_legend(Writer *writer, const Figure *figure)
{
	for (int s = 0; s < figure->nseries; s++)
	{
		write_format(writer, "%*c  ", LEFT, mark_of(figure, s));
		write_safe(writer, figure->series[s].name);
		write_text(writer, "\n");
	}
	if (figure->note == NULL)
		return;
	write_format(writer, "%*c  ", LEFT, has_intervals(figure) ? ':' : ' ');
	write_safe(writer, figure->note);
	write_text(writer, "\n");
}

Status
figure_text(const Figure *figure, Writer *writer)
{
	Canvas		canvas;

	write_safe(writer, figure->title);
	write_text(writer, "\n\n");
	if (figure_is_empty(figure))
	{
		write_safe(writer, figure->empty);
		write_text(writer, "\n");
		return end_text(writer);
	}
	draw(&canvas, figure);
	write_safe(writer, figure->y.title);
	write_text(writer, "\n");
	write_plot(writer, figure, &canvas);
	write_x_axis(writer, figure);
	write_spaces(writer, (COLUMNS + LEFT - (int) strlen(figure->x.title)) / 2);
	write_safe(writer, figure->x.title);
	write_text(writer, "\n\n");
	write_legend(writer, figure);
	return end_text(writer);
}

/* ---------------------------------------------------------------------- */
/* Confusions */

#define NUMBERED_MOST 12		/* of more classes counts take too many columns */
#define SHADED_MOST 62
#define LISTED 12

/* Row and column of a class; the list below says which it is. */
static void
write_matrix(Writer *writer, const ConfusionFigure *figure)
{
	write_text(writer, "  truth  prediction\n        ");
	for (int k = 0; k < figure->classes; k++)
		write_format(writer, "%5c", 'a' + k);
	write_text(writer, "\n");
	for (int truth = 0; truth < figure->classes; truth++)
	{
		write_format(writer, "%7c ", 'a' + truth);
		for (int k = 0; k < figure->classes; k++)
		{
			int			n = figure->counts[(size_t) truth * figure->classes + k];

			if (n == 0)
				write_text(writer, "    .");
			else
				write_format(writer, "%5d", n);
		}
		write_text(writer, "\n");
	}
	write_text(writer, "\n");
	for (int k = 0; k < figure->classes; k++)
	{
		write_format(writer, "%7c  ", 'a' + k);
		write_safe(writer, figure->names[k]);
		write_text(writer, "\n");
	}
}

/* A character a cell, by its share of the row. */
static void
write_shades(Writer *writer, const ConfusionFigure *figure)
{
	const char	shades[] = ".:-=+*#%@";

	write_text(writer, "rows: truth; columns: prediction; shade: share of the row, "
			   "from . to @\n\n");
	for (int truth = 0; truth < figure->classes; truth++)
	{
		int			row = confusion_row(figure, truth);
		char		cells[SHADED_MOST + 1] = "";

		for (int k = 0; k < figure->classes; k++)
		{
			int			n = figure->counts[(size_t) truth * figure->classes + k];

			cells[k] = n == 0 ? ' ' :
				shades[(int) fmin((double) n / row * (sizeof(shades) - 1), sizeof(shades) - 2)];
		}
		write_format(writer, "%*d |", 5, truth + 1);
		write_cells(writer, cells);
	}
}

static void
write_largest(Writer *writer, const ConfusionFigure *figure)
{
	ConfusedPair pairs[LISTED];
	int			n = most_confused(figure, pairs, LISTED);

	write_text(writer, n > 0 ? "Largest confusions (truth -> prediction):\n" : "No confusions.\n");
	for (int i = 0; i < n; i++)
	{
		write_format(writer, "%6d of %-6d ", pairs[i].n, confusion_row(figure, pairs[i].truth));
		write_safe(writer, figure->names[pairs[i].truth]);
		write_text(writer, " -> ");
		write_safe(writer, figure->names[pairs[i].predicted]);
		write_text(writer, "\n");
	}
}

Status
confusion_text(const ConfusionFigure *figure, Writer *writer)
{
	write_safe(writer, figure->title);
	write_text(writer, "\n\n");
	if (figure->classes == 0)
	{
		write_safe(writer, figure->empty);
		write_text(writer, "\n");
		return end_text(writer);
	}
	if (figure->classes <= NUMBERED_MOST)
		write_matrix(writer, figure);
	else if (figure->classes <= SHADED_MOST)
		write_shades(writer, figure);
	else
		write_format(writer, "%d classes; the matrix itself is in the format svg.\n",
					 figure->classes);
	write_text(writer, "\n");
	write_largest(writer, figure);
	return end_text(writer);
}
