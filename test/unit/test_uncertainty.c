/*-------------------------------------------------------------------------
 *
 * test_uncertainty.c
 *	  Epistemic means ignorance: rows that are ambiguous are not what the model
 *	  does not know, and what it does not know it can learn.
 *
 *-------------------------------------------------------------------------
 */
#include "learn_data.h"

#include "../../src/learn/requeue.h"
#include "../../src/math/matrix.h"

#define DIMS 40
#define CLASSES 6
#define POOL 1200
#define SEEDS 5

static int
compare_floats(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

static float
median(const float *value, int n)
{
	float		sorted[POOL];

	memcpy(sorted, value, sizeof(float) * n);
	qsort(sorted, n, sizeof(float), compare_floats);
	return 0.5f * (sorted[n / 2] + sorted[(n - 1) / 2]);
}

/*
 * The rows of class 0 are answered by the toss of a coin: 0 or 1.  A hundred of
 * them are labelled, of each other class ten.
 */
static int
label_rows(const Data *data, uint64_t seed, int *row, int *label)
{
	Random		random;
	int			count[CLASSES] = {0};
	int			n = 0;

	random_seed(&random, seed);
	for (int i = 0; i < data->rows.n; i++)
	{
		int			k = data->label[i];

		if (count[k] >= (k == 0 ? 100 : 10))
			continue;
		count[k]++;
		row[n] = i;
		label[n++] = k == 0 ? (int) random_below(&random, 2) : k;
	}
	return n;
}

static Data
rows_of(const Data *data, const int *row, int n)
{
	Data		part = make_data(n, DIMS, CLASSES, 1.0, 1, 1);

	for (int i = 0; i < n; i++)
		memcpy(part.dense + i * DIMS, data->dense + row[i] * DIMS, sizeof(float) * DIMS);
	part.rows.sparse = NULL;
	part.rows.sparse_dims = 0;
	return part;
}

static void
test_coins(const Caller *caller)
{
	int			above = 0;
	int			below = 0;
	int			asked = 0;

	for (int seed = 1; seed <= SEEDS; seed++)
	{
		Data		data = make_data(POOL, DIMS, CLASSES, 1.0, 1, 10 + seed);
		Data		labelled;
		Model	   *model;
		TrainOptions options = {.folds = 5, .seed = seed};
		static Score score[POOL];
		static float aleatoric[POOL];
		static float epistemic[POOL];
		static float coin_aleatoric[POOL];
		static float coin_epistemic[POOL];
		bool		excluded[POOL] = {false};
		int			row[POOL];
		int			label[POOL];
		int			chosen[20];
		float		gain[20];
		Score		chosen_score[20];
		RequeueOptions questions = {ACQUIRE_EPIG, 10, 20, 20, POOL};
		float	   *features;
		int			n = label_rows(&data, seed, row, label);
		int			coins = 0;
		int			found;

		labelled = rows_of(&data, row, n);
		data.rows.sparse = NULL;
		data.rows.sparse_dims = 0;
		REQUIRE(model_train(caller, &labelled.rows, label, CLASSES, &options, &model,
							NULL) == STATUS_SUCCESS);
		REQUIRE(model_score(caller, model, &data.rows, score, NULL) == STATUS_SUCCESS);
		for (int i = 0; i < POOL; i++)
		{
			aleatoric[i] = score[i].aleatoric;
			epistemic[i] = score[i].epistemic;
			if (data.label[i] != 0)
				continue;
			coin_aleatoric[coins] = score[i].aleatoric;
			coin_epistemic[coins++] = score[i].epistemic;
		}
		above += median(coin_aleatoric, coins) > median(aleatoric, POOL);
		below += median(coin_epistemic, coins) < median(epistemic, POOL);
		for (int i = 0; i < n; i++)
			excluded[row[i]] = true;
		features = calloc((size_t) POOL * model_features(model), sizeof(float));
		REQUIRE(model_row_features(caller, model, &data.rows, features) == STATUS_SUCCESS);
		REQUIRE(requeue(caller, model, &questions, features, POOL, features, 300, excluded,
						chosen, gain, chosen_score, &found) == STATUS_SUCCESS);
		for (int i = 0; i < found; i++)
			asked += data.label[chosen[i]] == 0;
		free(features);
		model_free(caller, model);
		free_data(&labelled);
		free_data(&data);
	}
	printf("# aleatoric above in %d, epistemic below in %d of %d; %d of %d questions\n",
		   above, below, SEEDS, asked, 20 * SEEDS);
	CHECK(above == SEEDS);
	CHECK(below == SEEDS);
	/* a ninth of what is left of the pool, and less of what is asked */
	CHECK(asked <= 20 * SEEDS / 18);
}

/* With more labels what is not known goes, and what is ambiguous stays. */
static void
test_more_labels(const Caller *caller)
{
	double		epistemic[4] = {0};
	double		aleatoric[4] = {0};
	int			labels[4] = {30, 120, 480, 1920};
	Data		test = make_data(600, DIMS, CLASSES, 2.0, 1, 99);

	test.rows.sparse = NULL;
	test.rows.sparse_dims = 0;
	for (int seed = 1; seed <= SEEDS; seed++)
		for (int i = 0; i < 4; i++)
		{
			Data		data = make_data(labels[i], DIMS, CLASSES, 2.0, 1, 20 + seed);
			TrainOptions options = {.folds = 5, .seed = seed};
			Model	   *model;
			static Score score[600];

			data.rows.sparse = NULL;
			data.rows.sparse_dims = 0;
			REQUIRE(model_train(caller, &data.rows, data.label, CLASSES, &options, &model,
								NULL) == STATUS_SUCCESS);
			REQUIRE(model_score(caller, model, &test.rows, score, NULL) == STATUS_SUCCESS);
			for (int j = 0; j < 600; j++)
			{
				epistemic[i] += score[j].epistemic / 600 / SEEDS;
				aleatoric[i] += score[j].aleatoric / 600 / SEEDS;
			}
			model_free(caller, model);
			free_data(&data);
		}
	for (int i = 0; i < 4; i++)
		printf("# %d labels: epistemic %.4f, aleatoric %.4f\n", labels[i], epistemic[i], aleatoric[i]);
	for (int i = 1; i < 4; i++)
		CHECK(epistemic[i] < epistemic[i - 1]);
	CHECK(epistemic[3] < 0.1 * epistemic[0]);
	CHECK(aleatoric[3] > 0.5 * aleatoric[2] && aleatoric[3] > 10 * epistemic[3]);
	free_data(&test);
}

int
main(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	matrix = matrix_blas_ops();
	test_coins(&caller);
	test_more_labels(&caller);
	CHECK(memory.blocks == 0);
	return unit_end();
}
