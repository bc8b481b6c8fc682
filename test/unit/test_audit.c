/*-------------------------------------------------------------------------
 *
 * test_audit.c
 *	  Places of the audit in the queue, the reliability table, the interval of
 *	  a mean loss, and why a fixed order gives an unbiased sample.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/audit.h"
#include "../../src/learn/metrics.h"
#include "../../src/learn/reliability.h"
#include "../../src/math/random.h"

static void
test_due(void)
{
	int			count = 0;

	for (int64_t i = 1; i <= 100000; i++)
	{
		CHECK(audit_due(0.1, i) == (i % 10 == 0));
		CHECK(!audit_due(0.0, i));
		CHECK(audit_due(1.0, i));
		count += audit_due(0.29, i);
	}
	CHECK(count == 29000);
	/* far into the life of a project, too */
	count = 0;
	for (int64_t i = 0; i < 1000; i++)
		count += audit_due(0.1, INT64_C(2000000001) + i);
	CHECK(count == 100);
	CHECK(audit_line_length(0.0, 100) == 0);
	CHECK(audit_line_length(0.1, 90) == 11);
	CHECK(audit_line_length(1.0, 100) == 100);
	CHECK(audit_line_length(0.001, 1) == 1);
	CHECK(audit_line_length(0.5, 0) == 0);
}

static void
test_merge(void)
{
	const int	chosen[] = {7, 6, 5, 4, 3};
	const int	line[] = {0, 6, 1};
	int			place[8];
	AuditSlot	slots[8];
	int			n;

	/* every second one: 7, 0, 6 (by its worth), 1 (6 has gone), then the rest */
	n = audit_merge(0.5, 0, chosen, 5, line, 3, 8, 8, place, slots);
	REQUIRE(n == 7);
	CHECK(slots[0].row == 7 && !slots[0].audit && slots[0].from == 0);
	CHECK(slots[1].row == 0 && slots[1].audit && slots[1].from == -1);
	CHECK(slots[2].row == 6 && !slots[2].audit && slots[2].from == 1);
	CHECK(slots[3].row == 1 && slots[3].audit);
	CHECK(slots[4].row == 5 && slots[5].row == 4 && slots[6].row == 3 && !slots[6].audit);
	/* one answer later the first is the audit's; a row of both orders is scored */
	n = audit_merge(0.5, 1, chosen, 5, line + 1, 2, 8, 3, place, slots);
	REQUIRE(n == 3);
	CHECK(slots[0].row == 6 && slots[0].audit && slots[0].from == 1);
	CHECK(slots[1].row == 7 && slots[2].row == 1);
	/* either order alone */
	n = audit_merge(0.0, 0, chosen, 5, line, 0, 8, 8, place, slots);
	CHECK(n == 5 && slots[4].row == 3);
	n = audit_merge(0.1, 0, chosen, 0, line, 3, 8, 8, place, slots);
	CHECK(n == 3 && slots[0].row == 0 && slots[0].audit && slots[2].row == 1);
	n = audit_merge(1.0, 5, chosen, 5, line, 3, 8, 8, place, slots);
	CHECK(n == 7 && slots[1].row == 6 && slots[2].row == 1 && slots[3].row == 7);
	CHECK(audit_merge(0.1, 0, chosen, 0, line, 0, 8, 8, place, slots) == 0);
}

static void
test_reliability(void)
{
	enum
	{
		ROWS = 307
	};
	static Judged judged[ROWS];
	ReliabilityBin bins[RELIABILITY_BINS];
	Random		random;
	double		error = 0.0;
	int			total = 0;
	int			n;

	random_seed(&random, 3);
	for (int i = 0; i < ROWS; i++)
	{
		judged[i].confidence = (float) (0.5 + 0.5 * random_uniform(&random));
		/* always 0.2 too sure */
		judged[i].hit = random_uniform(&random) < judged[i].confidence - 0.2;
	}
	n = reliability_bins(judged, ROWS, bins);
	REQUIRE(n == RELIABILITY_BINS);
	for (int b = 0; b < n; b++)
	{
		CHECK(bins[b].n == 20 || bins[b].n == 21);
		CHECK(bins[b].confidence_low <= bins[b].confidence && bins[b].confidence <= bins[b].confidence_high);
		CHECK(b == 0 || bins[b - 1].confidence_high <= bins[b].confidence_low);
		CHECK(bins[b].accuracy_low <= bins[b].accuracy && bins[b].accuracy <= bins[b].accuracy_high);
		total += bins[b].n;
		error += bins[b].n * fabs(bins[b].confidence - bins[b].accuracy);
	}
	CHECK(total == ROWS);
	CHECK_NEAR(reliability_error(bins, n), error / ROWS, 1e-12);
	CHECK_NEAR(reliability_error(bins, n), 0.2, 0.06);
	/* bins that would be small are one */
	CHECK(reliability_bins(judged, 29, bins) == 2 && bins[0].n == 15 && bins[1].n == 14);
	CHECK(reliability_bins(judged, 7, bins) == 1 && bins[0].n == 7);
	CHECK(reliability_bins(judged, 1, bins) == 1 && bins[0].confidence_low == bins[0].confidence_high);
	CHECK(reliability_bins(judged, 0, bins) == 0);
	CHECK(reliability_error(bins, 0) == 0.0);
}

/* A loss as a calibrated model has them: mostly small, now and then large. */
static float
draw_loss(Random *random)
{
	double		p = random_uniform(random) < 0.3 ? 1.0 - 0.75 * random_uniform(random) : 0.97;

	return (float) (random_uniform(random) < p ? -log(p) : -log(fmax((1.0 - p) * 0.7, 1e-6)));
}

static void
test_mean_loss(void)
{
	float		losses[200];
	double		truth = 0.0;
	double		mean;
	double		low;
	double		high;
	Random		random;

	random_seed(&random, 5);
	for (int i = 0; i < 1000000; i++)
		truth += draw_loss(&random) / 1000000;
	for (int n = 50; n <= 200; n *= 2)
	{
		int			covered = 0;

		for (int k = 0; k < 4000; k++)
		{
			for (int i = 0; i < n; i++)
				losses[i] = draw_loss(&random);
			CHECK(mean_loss(losses, n, &mean, &low, &high) && low > 0 && low <= mean && mean <= high);
			covered += low <= truth && truth <= high;
		}
		CHECK(covered > 0.9 * 4000 && covered < 0.97 * 4000);
	}
	CHECK(!mean_loss(losses, LOSSES_LEAST - 1, &mean, &low, &high) && mean > 0);
	CHECK(!mean_loss(losses, 0, &mean, &low, &high) && mean == 0.0);
	memset(losses, 0, sizeof(losses));
	CHECK(!mean_loss(losses, 200, &mean, &low, &high));
}

/*
 * The sample: rows in an order by lot, of which some were answered for other
 * reasons, all of them hard; the order is followed until so many others have been
 * asked.  What is before the first open row stands for all.
 */
static void
test_unbiased(void)
{
	enum
	{
		ROWS = 500, TRIALS = 20000, ASKED = 3
	};
	int			order[ROWS];
	double		sum = 0.0;
	double		labelled = 0.0;
	Random		random;

	random_seed(&random, 9);
	for (int i = 0; i < ROWS; i++)
		order[i] = i;
	for (int trial = 0; trial < TRIALS; trial++)
	{
		int			asked = 0;
		int			easy = 0;
		int			n = 0;

		random_shuffle(&random, order, ROWS);
		/* rows below 150 are hard, and those below 100 are answered already */
		for (; n < ROWS; n++)
		{
			if (order[n] >= 100 && asked++ == ASKED)
				break;
			easy += order[n] >= 150;
		}
		REQUIRE(n > 0 && n < ROWS);
		sum += (double) easy / n;
		labelled += (double) easy / (100 + ASKED);
	}
	CHECK_NEAR(sum / TRIALS, 0.7, 0.006);
	CHECK(labelled / TRIALS < 0.1);
}

int
main(void)
{
	test_due();
	test_merge();
	test_reliability();
	test_mean_loss();
	test_unbiased();
	return unit_end();
}
