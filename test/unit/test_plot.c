/*-------------------------------------------------------------------------
 *
 * test_plot.c
 *	  Ticks, ranges, escapes, and figures of all shapes in both formats.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/plot/figure.h"
#include "../../src/math/random.h"

static void
test_ticks(void)
{
	Ticks		ticks = nice_ticks(0.0, 1.0, 6);
	Axis		percent = {.percent = true};
	Axis		whole = {.whole = true, .low = 0, .high = 2};
	char		label[64];

	CHECK(ticks.n == 6 && ticks.decimals == 1);
	CHECK_NEAR(ticks.step, 0.2, 1e-12);
	format_tick(label, sizeof(label), &percent, &ticks, 3);
	CHECK(strcmp(label, "60 %") == 0);
	ticks = nice_ticks(0.0, 137.0, 7);
	CHECK(ticks.n == 7 && ticks.decimals == 0);
	CHECK_NEAR(tick_at(&ticks, 6), 120.0, 1e-9);
	ticks = nice_ticks(0.981, 0.9974, 5);
	for (int i = 0; i < ticks.n; i++)
		CHECK(tick_at(&ticks, i) >= 0.981 && tick_at(&ticks, i) <= 0.9974);
	CHECK(ticks.n == 3 && ticks.decimals == 3);
	format_tick(label, sizeof(label), &percent, &ticks, 0);
	CHECK(strcmp(label, "98.5 %") == 0);
	ticks = axis_ticks(&whole, 7);
	CHECK(ticks.n == 3 && ticks.step == 1.0);
	/* ticks are round, in the range, and about as many as were wanted */
	for (double range = 1e-6; range < 1e9; range *= 1.37)
		for (int wanted = 3; wanted <= 9; wanted++)
		{
			double		mantissa;

			ticks = nice_ticks(-0.3 * range, 0.7 * range, wanted);
			mantissa = ticks.step / pow(10.0, floor(log10(ticks.step) + 1e-9));
			CHECK(fabs(mantissa - 1) < 1e-6 || fabs(mantissa - 2) < 1e-6 || fabs(mantissa - 5) < 1e-6);
			CHECK(ticks.n >= wanted / 2 && ticks.n <= 2 * wanted);
			CHECK(tick_at(&ticks, 0) >= -0.3 * range * 1.0001);
			CHECK(tick_at(&ticks, ticks.n - 1) <= 0.7 * range * 1.0001);
			CHECK(tick_at(&ticks, ticks.n - 1) + ticks.step > 0.7 * range * 0.9999);
		}
}

static void
test_ranges(void)
{
	const double x[] = {20, 95};
	const double y[] = {0.62, 0.88};
	const double low[] = {0.41, NAN};
	const double high[] = {0.97, NAN};
	Figure		figure = {
		.x = {.whole = true}, .y = {.percent = true}, .nseries = 1,
		.series = {{.name = "a", .n = 2, .x = x, .y = y, .low = low, .high = high}}
	};

	figure_fit(&figure, true, false);
	CHECK_NEAR(figure.x.low, 0.0, 1e-12);
	CHECK_NEAR(figure.x.high, 100.0, 1e-9);
	CHECK_NEAR(figure.y.low, 0.4, 1e-9);
	CHECK_NEAR(figure.y.high, 1.0, 1e-9);
	/* a share is never above 1, and one value has an axis, too */
	figure.series[0].low = figure.series[0].high = NULL;
	figure.series[0].n = 1;
	figure_fit(&figure, false, false);
	CHECK(figure.x.low < 20 && figure.x.high > 20);
	CHECK(figure.y.low < 0.62 && figure.y.high > 0.62 && figure.y.high < 0.8);
	CHECK(!figure_is_empty(&figure));
	/* what is no share at all has the axis of shares */
	for (double off = -10.0; off <= 20.0; off += 15.0)
	{
		const double none[] = {off, off + 7.0};

		figure.series[0].n = 2;
		figure.series[0].y = none;
		figure_fit(&figure, false, false);
		CHECK(figure.y.low >= 0.0 && figure.y.low < figure.y.high && figure.y.high <= 1.0);
	}
	figure.series[0].n = 0;
	figure_fit(&figure, false, false);
	CHECK(figure.x.low < figure.x.high && figure_is_empty(&figure));
}

static void
test_confused(void)
{
	const int	counts[] = {9, 2, 0, 1, 9, 5, 2, 0, 9};
	const char *const names[] = {"a", "b", "c"};
	const ConfusionFigure figure = {.classes = 3, .names = names, .counts = counts};
	ConfusedPair pairs[3];

	CHECK(most_confused(&figure, pairs, 3) == 3);
	CHECK(pairs[0].truth == 1 && pairs[0].predicted == 2 && pairs[0].n == 5);
	CHECK(pairs[1].truth == 0 && pairs[1].predicted == 1 && pairs[1].n == 2);
	CHECK(pairs[2].truth == 2 && pairs[2].predicted == 0 && pairs[2].n == 2);
	CHECK(most_confused(&figure, pairs, 1) == 1 && pairs[0].n == 5);
	CHECK(confusion_row(&figure, 1) == 15);
}

static int
count(const char *text, const char *what)
{
	int			n = 0;

	while ((text = strstr(text, what)) != NULL)
	{
		n++;
		text += strlen(what);
	}
	return n;
}

/* Tags that are open and closed in order, with text between that has none. */
static bool
well_formed(const char *svg)
{
	int			depth = 0;

	for (const char *c = svg; *c != '\0'; c++)
	{
		if (*c == '&' && strncmp(c, "&amp;", 5) != 0 && strncmp(c, "&lt;", 4) != 0 &&
			strncmp(c, "&gt;", 4) != 0 && strncmp(c, "&quot;", 6) != 0 && strncmp(c, "&#39;", 5) != 0)
			return false;
		if (*c != '<')
			continue;
		if (c[1] == '/')
			depth--;
		else
			depth++;
		while (*++c != '>')
			if (*c == '\0' || *c == '<')
				return false;
		if (c[-1] == '/')
			depth--;
	}
	return depth == 0;
}

/* Any numbers and names, in both formats; writing fails where memory does. */
static void
test_drawing(void)
{
	Random		random;
	char		name[] = "<&\">' and \x01 \x1b[1m ]]> names";
	double		numbers[4][40];

	random_seed(&random, 4);
	for (int trial = 0; trial < 400; trial++)
	{
		UnitMemory	memory;
		Caller		caller = unit_caller(&memory);
		Writer		writer;
		int			n = (int) random_below(&random, 40);
		Figure		figure = {
			.title = name, .note = trial % 3 == 0 ? NULL : name, .empty = name,
			.x = {.title = "x", .whole = trial % 2 == 0},
			.y = {.title = "y", .percent = trial % 4 < 2}, .diagonal = trial % 5 == 0,
			.nseries = 1 + trial % FIGURE_SERIES
		};
		double		scale = pow(10.0, random_uniform(&random) * 12 - 6);

		for (int i = 0; i < n; i++)
			for (int k = 0; k < 4; k++)
				numbers[k][i] = trial % 50 == 0 ? 1e300 * random_normal(&random) : trial % 4 < 2 ? random_uniform(&random) : scale * random_normal(&random);
		for (int s = 0; s < figure.nseries; s++)
			figure.series[s] = (Series)
		{
			.name = name, .kind = (SeriesKind) (trial % 3), .n = n, .x = numbers[0], .y = numbers[1],
				.low = s % 2 ? numbers[2] : NULL, .high = s % 2 ? numbers[3] : NULL,
				.width = trial % 3 == SERIES_BARS ? 0.01 : 0.0
		};
		figure_fit(&figure, trial % 7 == 0, trial % 11 == 0);
		memory.fail_at = trial % 10 == 0 ? 1 + trial % 4 : 0;
		writer_init(&writer, &caller);
		if (figure_svg(&figure, &writer) == STATUS_SUCCESS)
		{
			CHECK(well_formed((char *) writer.bytes));
			CHECK(count((char *) writer.bytes, "nan") == 0 && count((char *) writer.bytes, "inf") == 0);
			CHECK(strlen((char *) writer.bytes) + 1 == writer.length);
		}
		else
			CHECK(writer.failed && memory.fail_at != 0);
		if (writer.bytes != NULL)
			unit_release(&memory, writer.bytes);
		caller = unit_caller(&memory);
		writer_init(&writer, &caller);
		CHECK(figure_text(&figure, &writer) == STATUS_SUCCESS);
		CHECK(strpbrk((char *) writer.bytes, "\x01\x1b") == NULL);
		unit_release(&memory, writer.bytes);
	}
}

static void
test_matrices(void)
{
	const int	sizes[] = {0, 1, 2, 12, 13, 15, 16, 40, 41, 62, 63, 300};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		int			classes = sizes[i];
		UnitMemory	memory;
		Caller		caller = unit_caller(&memory);
		Writer		writer;
		const char **names = calloc(classes + 1, sizeof(char *));
		int		   *counts = calloc(classes * classes + 1, sizeof(int));
		ConfusionFigure figure = {
			.title = "t", .empty = "nothing", .classes = classes, .names = names, .counts = counts
		};

		for (int k = 0; k < classes; k++)
			names[k] = "a<b>&\n";
		for (int k = 0; k < classes * classes; k++)
			counts[k] = k % 5;
		writer_init(&writer, &caller);
		CHECK(confusion_svg(&figure, &writer) == STATUS_SUCCESS);
		CHECK(well_formed((char *) writer.bytes));
		unit_release(&memory, writer.bytes);
		writer_init(&writer, &caller);
		CHECK(confusion_text(&figure, &writer) == STATUS_SUCCESS);
		for (char *line = strtok((char *) writer.bytes, "\n"); line != NULL; line = strtok(NULL, "\n"))
			CHECK(strlen(line) <= 72);
		unit_release(&memory, writer.bytes);
		free(names);
		free(counts);
	}
}

int
main(void)
{
	test_ticks();
	test_ranges();
	test_confused();
	test_drawing();
	test_matrices();
	return unit_end();
}
