/*-------------------------------------------------------------------------
 *
 * test_acquisition.c
 *	  What is asked next: seeds, scores of single rows, and EPIG on a model.
 *
 * The greedy choice itself is compared with the reference in test_learn.c.
 *
 *-------------------------------------------------------------------------
 */
#include "learn_data.h"

#include "../../src/learn/acquisition.h"
#include "../../src/math/matrix.h"

/*
 * Seeds: a cluster each before any twice, typical rows before outliers, and
 * the beginning of a longer choice is the shorter one.
 */
static void
test_seeds(const Caller *caller)
{
	Data		data = make_data(1500, 20, 15, 0.25, 1, 2);
	int			chosen[1500];
	int			fewer[15];
	bool		seen[1500] = {false};
	bool		covered[15] = {false};
	int			clusters = 0;
	int			outlier = -1;

	/* a row that is like nothing else, copies of a row, and a zero row */
	for (int j = 0; j < 20; j++)
	{
		data.dense[100 * 20 + j] = j % 2 ? 0.2236f : -0.2236f;
		for (int i = 200; i < 260; i++)
			data.dense[i * 20 + j] = data.dense[300 * 20 + j];
		data.dense[400 * 20 + j] = 0.0f;
	}
	CHECK(choose_seed_batch(caller, data.dense, 1500, 20, 1500, 1, chosen) == STATUS_SUCCESS);
	CHECK(choose_seed_batch(caller, data.dense, 1500, 20, 15, 1, fewer) == STATUS_SUCCESS);
	CHECK(memcmp(chosen, fewer, sizeof(fewer)) == 0);
	for (int i = 0; i < 1500; i++)
	{
		REQUIRE(chosen[i] >= 0 && chosen[i] < 1500 && !seen[chosen[i]]);
		seen[chosen[i]] = true;
		if (chosen[i] == 100)
			outlier = i;
		if (chosen[i] == 400)
			CHECK(i > 1000);
	}
	for (int i = 0; i < 15; i++)
	{
		clusters += !covered[data.label[chosen[i]]];
		covered[data.label[chosen[i]]] = true;
	}
	CHECK(clusters >= 14);
	CHECK(outlier >= 15);
	CHECK(choose_seed_batch(caller, data.dense, 1500, 20, 1501, 1, chosen) ==
		  STATUS_BAD_ARGUMENT);
	data.dense[7] = NAN;
	CHECK(choose_seed_batch(caller, data.dense, 1500, 20, 10, 1, chosen) == STATUS_NOT_FINITE);
	free_data(&data);
}

/* EPIG on a model: copies of a row do not follow each other. */
static void
test_epig_duplicates(const Caller *caller)
{
	Data		data = make_data(60, 10, 4, 1.5, 1, 2);
	Data		pool = make_data(300, 10, 4, 1.5, 1, 3);
	Model	   *model;
	Rows		targets = pool.rows;
	int			chosen[300];
	float		gain[300];
	int			copies = 0;

	REQUIRE(train(caller, &data, 0, &model, NULL) == STATUS_SUCCESS);
	targets.n = 100;
	REQUIRE(choose_epig(caller, model, &pool.rows, &targets, 10, 300, chosen, gain) == STATUS_SUCCESS);
	for (int i = 0; i < 300; i++)
		CHECK(isfinite(gain[i]) && gain[i] >= 0.0f);
	CHECK(gain[0] > gain[9] && gain[9] > gain[290]);
	/* forty copies of the best */
	for (int i = 100; i < 140; i++)
		memcpy(pool.dense + i * 10, pool.dense + chosen[0] * 10, sizeof(float) * 10);
	REQUIRE(choose_epig(caller, model, &pool.rows, &targets, 10, 10, chosen, gain) == STATUS_SUCCESS);
	for (int i = 0; i < 10; i++)
		copies += memcmp(pool.dense + chosen[i] * 10, pool.dense + 100 * 10,
						 sizeof(float) * 10) == 0;
	CHECK(copies >= 1 && copies <= 3);
	/* rows that say nothing gain nothing, and are no error */
	memset(pool.dense, 0, sizeof(float) * 300 * 10);
	CHECK(choose_epig(caller, model, &pool.rows, &targets, 10, 50, chosen, gain) == STATUS_SUCCESS);
	CHECK(choose_epig(caller, model, &pool.rows, &targets, 10, 301, chosen, gain) ==
		  STATUS_BAD_ARGUMENT);
	model_free(caller, model);
	free_data(&data);
	free_data(&pool);
}

static void
test_candidate_scores(void)
{
	Score		score = {1, 0.7f, 0.4f, 0.9f, 0.5f, 0.4f};
	double		mean = 0.0;

	CHECK(candidate_score(ACQUIRE_EPIG, &score, 1, 2) == -0.4f);
	CHECK(candidate_score(ACQUIRE_MARGIN, &score, 1, 2) == -0.4f);
	CHECK(candidate_score(ACQUIRE_BALD, &score, 1, 2) == 0.4f);
	CHECK(candidate_score(ACQUIRE_ENTROPY, &score, 1, 2) == 0.9f);
	for (int i = 0; i < 1000; i++)
		mean += candidate_score(ACQUIRE_RANDOM, &score, 1, i) / 1000;
	CHECK_NEAR(mean, 0.5, 0.05);
	CHECK(candidate_score(ACQUIRE_RANDOM, &score, 1, 2) ==
		  candidate_score(ACQUIRE_RANDOM, &score, 1, 2));
	CHECK(candidate_score(ACQUIRE_RANDOM, &score, 1, 2) !=
		  candidate_score(ACQUIRE_RANDOM, &score, 2, 2));
}

int
main(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	matrix = matrix_blas_ops();
	test_seeds(&caller);
	test_epig_duplicates(&caller);
	test_candidate_scores();
	CHECK(memory.blocks == 0);
	return unit_end();
}
