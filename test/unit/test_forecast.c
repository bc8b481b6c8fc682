/*-------------------------------------------------------------------------
 *
 * test_forecast.c
 *	  Learning curves that are known, and what is foretold of them from their
 *	  beginnings.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/forecast.h"
#include "../../src/learn/metrics.h"
#include "../../src/math/random.h"

#define POINTS 12

typedef struct Curve
{
	double		a;
	double		b;
	double		c;
} Curve;

static double
curve_at(const Curve *curve, double labels)
{
	return curve->a - curve->b * pow(labels, -curve->c);
}

/*
 * Models with 50 to 50 + 50 (count - 1) labels, measured as in a project: each
 * on the items of the one before and some more, an item with the same luck
 * throughout.
 */
static void
measure_curve(const Curve *curve, uint64_t seed, int count, int items_each, ForecastPoint *points)
{
	Random		random;
	double		luck[4000];
	int			items = 0;

	random_seed(&random, seed);
	for (int i = 0; i < count; i++)
	{
		points[i].labels = 50.0 * (i + 1);
		for (int j = 0; j < items_each; j++)
			luck[items++] = random_uniform(&random);
		points[i].n = items;
		points[i].hits = 0;
		for (int j = 0; j < items; j++)
			points[i].hits += luck[j] < curve_at(curve, points[i].labels);
	}
}

static bool
inside(const ForecastRange *range, double truth)
{
	return range->low <= truth && truth <= range->high;
}

/* The interval holds the truth as often as it says, and is not just wide. */
static void
test_coverage(void)
{
	const Curve curves[] = {{0.95, 1.5, 0.5}, {0.85, 2.5, 0.7}, {0.9, 0.8, 0.25}, {0.7, 0.0, 0.5}};
	int			held[3] = {0};
	int			needed_held = 0;
	int			needed = 0;
	int			trials = 0;
	double		width = 0.0;

	for (uint64_t seed = 0; seed < 60; seed++)
	{
		const Curve *curve = &curves[seed % 4];
		UnitMemory	memory;
		Caller		caller = unit_caller(&memory);
		ForecastPoint points[POINTS];
		Forecast   *forecast;
		ForecastRange range;
		const double labels[] = {600, 1200, 2400};

		measure_curve(curve, 7000 + seed, POINTS, 40, points);
		REQUIRE(forecast_fit(&caller, points, POINTS, 0.1, &forecast) == STATUS_SUCCESS);
		for (int i = 0; i < 3; i++)
		{
			CHECK(forecast_accuracy(&caller, forecast, labels[i], &range) == STATUS_SUCCESS);
			held[i] += inside(&range, curve_at(curve, labels[i]));
			width += range.high - range.low;
		}
		if (curve->b > 0.0)
		{
			CHECK(forecast_needed(&caller, forecast, curve_at(curve, 1000), &range) == STATUS_SUCCESS);
			needed_held += inside(&range, 1000);
			needed++;
		}
		trials++;
		forecast_free(&caller, forecast);
		CHECK(memory.blocks == 0);
	}

	/* fewer than 52 of 60 have a probability of 0.01 at 95 % */
	for (int i = 0; i < 3; i++)
		CHECK(held[i] >= 52);
	CHECK(needed_held >= 38);
	CHECK(width / trials / 3 < 0.2);
}

static void
test_shape(void)
{
	const Curve curve = {0.95, 1.5, 0.5};
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	ForecastPoint points[POINTS];
	ForecastPoint backwards[POINTS];
	Forecast   *forecast;
	Forecast   *other;
	ForecastRange before = {0};
	ForecastRange range;
	ForecastRange same;

	measure_curve(&curve, 1, POINTS, 40, points);
	for (int i = 0; i < POINTS; i++)
		backwards[i] = points[POINTS - 1 - i];
	REQUIRE(forecast_fit(&caller, points, POINTS, 0.1, &forecast) == STATUS_SUCCESS);
	REQUIRE(forecast_fit(&caller, backwards, POINTS, 0.1, &other) == STATUS_SUCCESS);
	CHECK_NEAR(forecast_labels(forecast), 600, 0);
	for (double labels = 1; labels < 1e6; labels *= 1.7)
	{
		CHECK(forecast_accuracy(&caller, forecast, labels, &range) == STATUS_SUCCESS);
		CHECK(forecast_accuracy(&caller, other, labels, &same) == STATUS_SUCCESS);
		CHECK(memcmp(&range, &same, sizeof(range)) == 0);
		CHECK(range.low >= 0.0997 && range.low <= range.middle && range.middle <= range.high);
		CHECK(range.high <= 1.0);
		CHECK(range.middle >= before.middle && range.low >= before.low - 1e-3);
		before = range;
	}
	/* uncertainty grows with the distance */
	CHECK(forecast_accuracy(&caller, forecast, 600, &range) == STATUS_SUCCESS);
	CHECK(forecast_accuracy(&caller, forecast, 6000, &same) == STATUS_SUCCESS);
	CHECK(same.high - same.low > range.high - range.low);
	/* what is gained falls */
	CHECK(forecast_gain(&caller, forecast, 600, 700, &range) == STATUS_SUCCESS);
	CHECK(forecast_gain(&caller, forecast, 1600, 1700, &same) == STATUS_SUCCESS);
	CHECK(range.middle > same.middle && same.middle > 0.0);
	CHECK_NEAR(range.middle, curve_at(&curve, 700) - curve_at(&curve, 600), 0.004);
	CHECK(forecast_gain(&caller, forecast, 600, 600, &range) == STATUS_SUCCESS);
	CHECK(range.high < 0.001);
	/* what is reached already, what may be, what cannot be */
	CHECK(forecast_needed(&caller, forecast, 0.5, &range) == STATUS_SUCCESS);
	CHECK(range.high < 600 && range.low > 1.0);
	CHECK(forecast_needed(&caller, forecast, 0.05, &range) == STATUS_SUCCESS);
	CHECK_NEAR(range.middle, 1.0, 0.01);
	CHECK(forecast_needed(&caller, forecast, 1.0, &range) == STATUS_SUCCESS);
	CHECK(isinf(range.middle) && isinf(range.high) && isinf(range.low));
	forecast_free(&caller, forecast);
	forecast_free(&caller, other);
	CHECK(memory.blocks == 0);
}

static void
test_flat(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const ForecastPoint flat[] = {{200, 160, 200}, {400, 321, 400}, {600, 479, 600}, {800, 640, 800}};
	Forecast   *forecast;
	ForecastRange range;

	REQUIRE(forecast_fit(&caller, flat, 4, 0.1, &forecast) == STATUS_SUCCESS);
	CHECK(forecast_accuracy(&caller, forecast, 800, &range) == STATUS_SUCCESS);
	CHECK_NEAR(range.middle, 0.8, 0.02);
	CHECK(forecast_gain(&caller, forecast, 800, 900, &range) == STATUS_SUCCESS);
	CHECK(range.middle < 0.005);
	CHECK(forecast_needed(&caller, forecast, 0.95, &range) == STATUS_SUCCESS);
	CHECK(isinf(range.middle) && isinf(range.high));
	forecast_free(&caller, forecast);
}

static void
test_few(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const ForecastPoint two[] = {{20, 10, 20}, {40, 26, 40}};
	const ForecastPoint perfect[] = {{20, 20, 20}, {40, 40, 40}};
	const ForecastPoint none[] = {{20, 0, 20}, {40, 0, 40}};
	const ForecastPoint same[] = {{20, 10, 20}, {20, 12, 20}};
	Forecast   *forecast;
	ForecastRange range;

	REQUIRE(forecast_fit(&caller, two, 2, 0.3, &forecast) == STATUS_SUCCESS);
	CHECK(forecast_accuracy(&caller, forecast, 120, &range) == STATUS_SUCCESS);
	CHECK(range.high - range.low > 0.25 && range.middle > 0.6);
	forecast_free(&caller, forecast);
	REQUIRE(forecast_fit(&caller, perfect, 2, 0.3, &forecast) == STATUS_SUCCESS);
	CHECK(forecast_accuracy(&caller, forecast, 40, &range) == STATUS_SUCCESS);
	CHECK(range.low > 0.85 && range.low < 0.98 && range.middle < 1.0);
	forecast_free(&caller, forecast);
	REQUIRE(forecast_fit(&caller, none, 2, 0.0, &forecast) == STATUS_SUCCESS);
	CHECK(forecast_accuracy(&caller, forecast, 40, &range) == STATUS_SUCCESS);
	CHECK(range.high < 0.15);
	forecast_free(&caller, forecast);
	CHECK(forecast_fit(&caller, two, 1, 0.3, &forecast) == STATUS_BAD_ARGUMENT);
	CHECK(forecast_fit(&caller, two, 0, 0.3, &forecast) == STATUS_BAD_ARGUMENT);
	CHECK(forecast_fit(&caller, same, 2, 0.3, &forecast) == STATUS_BAD_ARGUMENT);
	CHECK(forecast_fit(&caller, two, 2, 1.0, &forecast) == STATUS_BAD_ARGUMENT);
}

/* A project that has trained for years: as fast, and nearly the same. */
static void
test_many(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const Curve curve = {0.95, 1.5, 0.5};
	static ForecastPoint points[2000];
	Forecast   *forecast;
	ForecastRange range;

	for (int i = 0; i < 2000; i++)
	{
		points[i].labels = points[i].n = 50 + i;
		points[i].hits = floor(points[i].n * curve_at(&curve, points[i].labels) + 0.5);
	}
	REQUIRE(forecast_fit(&caller, points, 2000, 0.1, &forecast) == STATUS_SUCCESS);
	CHECK(forecast_accuracy(&caller, forecast, 4000, &range) == STATUS_SUCCESS);
	CHECK(inside(&range, curve_at(&curve, 4000)) && range.high - range.low < 0.1);
	forecast_free(&caller, forecast);
}

/* Every allocation fails, every question is answered yes. */
static void
test_stopping(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const ForecastPoint two[] = {{20, 10, 20}, {40, 26, 40}};
	Forecast   *forecast;

	for (long at = 1; at <= 3; at++)
	{
		caller = unit_caller(&memory);
		memory.fail_at = at;
		CHECK(forecast_fit(&caller, two, 2, 0.3, &forecast) == STATUS_NO_MEMORY);
		CHECK(forecast == NULL && memory.blocks == 0);
	}
	caller = unit_caller(&memory);
	memory.stop_at = 5;
	CHECK(forecast_fit(&caller, two, 2, 0.3, &forecast) == STATUS_STOPPED);
	CHECK(forecast == NULL && memory.blocks == 0);
}

static void
test_kappa(void)
{
	/* 20 yes and 15 no of both, 5 and 10 where they differ: Cohen's own formula */
	int			a[50];
	int			b[50];
	const int	same[] = {1, 1, 1};
	const int	swapped[] = {0, 1, 0, 1};
	const int	against[] = {1, 0, 1, 0};

	for (int i = 0; i < 50; i++)
	{
		a[i] = i < 25;
		b[i] = i < 20 || i >= 40;
	}
	CHECK_NEAR(cohen_kappa(a, b, 50, 2), 0.4, 1e-12);
	CHECK_NEAR(cohen_kappa(a, b, 50, 9), 0.4, 1e-12);
	CHECK_NEAR(cohen_kappa(same, same, 3, 2), 1.0, 0);
	CHECK_NEAR(cohen_kappa(swapped, against, 4, 2), -1.0, 1e-12);
}

int
main(void)
{
	test_kappa();
	test_coverage();
	test_shape();
	test_flat();
	test_few();
	test_many();
	test_stopping();
	return unit_end();
}
