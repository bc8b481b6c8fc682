/*-------------------------------------------------------------------------
 *
 * test_handover.c
 *	  Does a promised error rate hold, over many simulated projects, whatever
 *	  the confidences are worth?  And sets of labels: do they cover?
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/handover.h"
#include "../../src/math/random.h"

/* Expected values: sums of binomial terms in rational numbers, and their roots. */
static void
test_binomial(void)
{
	double		low;
	double		high;

	CHECK_NEAR(binomial_at_most(3, 100, 0.05), 0.2578386591160164, 1e-12);
	CHECK_NEAR(binomial_at_most(0, 149, 0.02), 0.0492816543300896, 1e-12);
	CHECK_NEAR(binomial_at_most(40, 1000, 0.05), 0.08063657325669116, 1e-11);
	CHECK_NEAR(binomial_at_most(70, 1000, 0.05), 0.9976696994523914, 1e-11);
	CHECK_NEAR(binomial_at_most(5, 10, 0.5), 0.623046875, 1e-12);
	CHECK_NEAR(binomial_at_most(9, 10, 0.3), 0.9999940951, 1e-12);
	CHECK(binomial_at_most(-1, 10, 0.3) == 0.0 && binomial_at_most(10, 10, 0.3) == 1.0);
	CHECK(binomial_at_most(0, 0, 0.3) == 1.0);
	CHECK(binomial_at_most(3, 10, 0.0) == 1.0 && binomial_at_most(3, 10, 1.0) == 0.0);
	error_limits(0, 149, &low, &high);
	CHECK(low == 0.0);
	CHECK_NEAR(high, 0.019904816220685184, 1e-10);
	error_limits(3, 100, &low, &high);
	CHECK_NEAR(low, 0.008225829107653126, 1e-10);
	CHECK_NEAR(high, 0.07571079374983025, 1e-10);
	error_limits(50, 100, &low, &high);
	CHECK_NEAR(low, 0.4136217146309118, 1e-10);
	CHECK_NEAR(high, 0.5863782853690891, 1e-10);
	error_limits(100, 100, &low, &high);
	CHECK_NEAR(low, 0.9704869503929601, 1e-10);
	CHECK(high == 1.0);
	error_limits(0, 0, &low, &high);
	CHECK(low == 0.0 && high == 1.0);
}

/* Few or no predictions, ties, and how many more there should be. */
static void
test_too_few(void)
{
	static Judged judged[1000];
	Handover	handover;

	/* 0.98^149 is the first power below 0.05 */
	handover_choose(judged, 0, 0.02, &handover);
	CHECK(!handover.promised && handover.more == 149 && handover.audited == 0);
	for (int i = 0; i < 1000; i++)
		judged[i] = (Judged) {0.999f, true};
	handover_choose(judged, 148, 0.02, &handover);
	CHECK(!handover.promised && handover.more >= 1);
	/* rows of equal confidence are answered alone all together, or not at all */
	handover_choose(judged, 149, 0.02, &handover);
	CHECK(handover.promised && handover.automated == 149 && handover.threshold == 0.999f);
	CHECK(handover.wrong == 0 && handover.more == 0);
	/* a model that is never sure and often wrong */
	for (int i = 0; i < 1000; i++)
		judged[i] = (Judged) {0.5f + 0.0001f * (float) i, i % 2 == 0};
	handover_choose(judged, 1000, 0.02, &handover);
	CHECK(!handover.promised && handover.more == -1 && handover.audited == 1000);
	CHECK(judged[0].confidence > judged[999].confidence);
	for (int i = 0; i < 1000; i++)
		judged[i] = (Judged) {0.99f + 0.000001f * (float) i, i % 200 != 0};
	handover_choose(judged, 1000, 0.02, &handover);
	CHECK(handover.promised && handover.automated == 1000 && handover.wrong == 5);
	CHECK(handover.threshold == 0.99f);
	/* one that is wrong where it is surest has nothing promised */
	for (int i = 0; i < 1000; i++)
		judged[i] = (Judged) {0.9f + 0.0001f * (float) i, i < 950};
	handover_choose(judged, 1000, 0.02, &handover);
	CHECK(!handover.promised);
	judged[0] = (Judged) {0.99f, true};
	handover_choose(judged, 1, 0.02, &handover);
	CHECK(!handover.promised && handover.more > 149 && handover.more < 1000);
	/* two doubtful ones do not say that no number would do */
	judged[0] = (Judged) {0.5f, false};
	judged[1] = (Judged) {0.4f, true};
	handover_choose(judged, 2, 0.02, &handover);
	CHECK(!handover.promised && handover.more == 147 && handover.audited == 2);
}

/* ---------------------------------------------------------------------- */
/* Simulated projects */

enum
{
	ROWS = 2500,
	CHOSEN = 200				/* labelled as the model was least sure of them */
};

/* How likely a row is to be wrong, and what the model says of that. */
typedef enum Kind
{
	CALIBRATED,
	OVERCONFIDENT,				/* by a factor of three */
	UNDERCONFIDENT,
	MISLEADING,					/* surest where it is wrong more often */
	ON_THE_EDGE,				/* says nothing, and is wrong a little too often everywhere */
	KINDS
} Kind;

typedef struct Simulated
{
	Judged		rows[ROWS];		/* all of the source, surest first */
	int			order[ROWS];	/* that the audit asks them in */
	Judged		sample[ROWS];
	int			n;
} Simulated;

static void
draw_row(Random *random, Kind kind, double target, Judged *row)
{
	double		u = random_uniform(random);
	double		error = 0.6 * u * u * u * u;
	double		said = error;

	switch (kind)
	{
		case OVERCONFIDENT:
			said = error / 3;
			break;
		case UNDERCONFIDENT:
			said = fmin(error * 2, 0.9);
			break;
		case MISLEADING:
			said = 0.6 * (1.0 - u) * (1.0 - u);
			break;
		case ON_THE_EDGE:
			error = target * 1.0001;
			said = target * u;
			break;
		default:
			break;
	}
	row->confidence = (float) (1.0 - said);
	row->hit = random_uniform(random) >= error;
}

static int
compare_confidence(const void *a, const void *b)
{
	float		left = ((const Judged *) a)->confidence;
	float		right = ((const Judged *) b)->confidence;

	return left > right ? -1 : left < right;
}

/*
 * A source, CHOSEN rows labelled as they were the hardest, and as many by the
 * order of the audit as come before row number audit that is none of them: see
 * test_audit.c.
 */
static void
draw_project(Random *random, Kind kind, double target, int audit, Simulated *project)
{
	int			asked = 0;

	for (int i = 0; i < ROWS; i++)
	{
		draw_row(random, kind, target, &project->rows[i]);
		project->order[i] = i;
	}
	qsort(project->rows, ROWS, sizeof(Judged), compare_confidence);
	random_shuffle(random, project->order, ROWS);
	project->n = 0;
	for (int i = 0; i < ROWS; i++)
	{
		if (project->order[i] < ROWS - CHOSEN && asked++ == audit)
			break;
		project->sample[project->n++] = project->rows[project->order[i]];
	}
}

typedef struct Outcome
{
	int			promised;
	int			broken;			/* more is wrong than was promised */
	double		share;			/* of the rows, mean over those that promise */
} Outcome;

static void
add_project(Simulated *project, double target, Outcome *outcome)
{
	Handover	handover;
	int			automated = 0;
	int			wrong = 0;

	handover_choose(project->sample, project->n, target, &handover);
	if (!handover.promised)
		return;
	for (int i = 0; i < ROWS && project->rows[i].confidence >= handover.threshold; i++)
	{
		automated++;
		wrong += !project->rows[i].hit;
	}
	outcome->promised++;
	outcome->broken += wrong > target * automated;
	outcome->share += (double) automated / ROWS;
}

static void
test_promise(void)
{
	static const char *const names[] = {
		"calibrated", "overconfident", "underconfident", "misleading", "on the edge"
	};
	enum
	{
		PROJECTS = 400
	};
	static Simulated project;
	Random		random;

	random_seed(&random, 11);
	for (int kind = 0; kind < KINDS; kind++)
	{
		for (int strict = 0; strict <= 1; strict++)
		{
			double		target = strict ? 0.02 : 0.05;
			Outcome		outcome = {0};

			for (int i = 0; i < PROJECTS; i++)
			{
				draw_project(&random, (Kind) kind, target, 400, &project);
				add_project(&project, target, &outcome);
			}
			printf("  %s, target %.2f: promised %d of %d, broken %d, automated %.3f\n", names[kind],
				   target, outcome.promised, PROJECTS, outcome.broken,
				   outcome.share / fmax(outcome.promised, 1));
			CHECK(outcome.broken <= HANDOVER_RISK * PROJECTS);
			if (kind == CALIBRATED)
				CHECK(outcome.promised > 0.7 * PROJECTS && outcome.share > 0.3 * outcome.promised);
			if (kind == MISLEADING)
				CHECK(outcome.promised < 0.1 * PROJECTS);
		}
	}
}

/* The estimate of how many more answers are needed is of some use. */
static void
test_more(void)
{
	enum
	{
		PROJECTS = 200
	};
	static Simulated project;
	Random		random;
	Handover	handover;
	int			asked = 0;
	int			kept = 0;

	random_seed(&random, 12);
	for (int i = 0; i < PROJECTS; i++)
	{
		draw_project(&random, CALIBRATED, 0.02, 60, &project);
		handover_choose(project.sample, project.n, 0.02, &handover);
		if (handover.promised || handover.more < 0)
			continue;
		asked++;
		draw_project(&random, CALIBRATED, 0.02, 60 + handover.more, &project);
		handover_choose(project.sample, project.n, 0.02, &handover);
		kept += handover.promised;
	}
	printf("  of %d that were told how many more, %d promise with as many\n", asked, kept);
	CHECK(asked > PROJECTS / 2 && kept > 0.5 * asked);
}

/* ---------------------------------------------------------------------- */
/* Sets */

static void
test_limit(void)
{
	float		losses[99];
	float		limit = 0.0f;

	for (int i = 0; i < 99; i++)
		losses[i] = (float) ((i * 37) % 99);
	CHECK(conformal_limit(losses, 99, 0.9, &limit) && limit == 89.0f);
	CHECK(conformal_limit(losses, 99, 0.99, &limit) && limit == 98.0f);
	CHECK(!conformal_limit(losses, 98, 0.99, &limit));
	CHECK(!conformal_limit(losses, 0, 0.5, &limit));
	CHECK(conformal_limit(losses, 1, 0.5, &limit) && limit == losses[0]);
	CHECK(conformal_least(0.9) == 9 && conformal_least(0.99) == 99 && conformal_least(0.5) == 1);
	for (double coverage = 0.01; coverage < 0.999; coverage += 0.007)
	{
		int			least = conformal_least(coverage);

		CHECK(least >= 1);
		CHECK(least > 500 || least > 99 || conformal_limit(losses, least, coverage, &limit));
		CHECK(least < 2 || least > 99 || !conformal_limit(losses, least - 1, coverage, &limit));
	}
}

/* Over samples of n scores, a new one is within the limit as often as was stated. */
static void
test_coverage(void)
{
	enum
	{
		TRIALS = 20000
	};
	static const double coverages[] = {0.5, 0.8, 0.9, 0.95};
	float		losses[60];
	Random		random;

	random_seed(&random, 13);
	for (int c = 0; c < 4; c++)
	{
		int			covered = 0;

		for (int t = 0; t < TRIALS; t++)
		{
			float		limit;

			for (int i = 0; i < 60; i++)
				losses[i] = (float) -log(random_uniform(&random) + 1e-9);
			REQUIRE(conformal_limit(losses, 60, coverages[c], &limit));
			covered += -log(random_uniform(&random) + 1e-9) <= limit;
		}
		/* at least that, and at most 1 / 61 above */
		CHECK(covered > (coverages[c] - 0.01) * TRIALS &&
			  covered < (coverages[c] + 1.0 / 61 + 0.01) * TRIALS);
	}
}

int
main(void)
{
	test_binomial();
	test_too_few();
	test_promise();
	test_more();
	test_limit();
	test_coverage();
	return unit_end();
}
