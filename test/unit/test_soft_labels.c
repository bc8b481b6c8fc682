/*-------------------------------------------------------------------------
 *
 * test_soft_labels.c
 *	  Training with labels that are not certain.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/head.h"
#include "../../src/learn/update.h"
#include "../../src/math/buffer.h"
#include "learn_data.h"

#define ROWS 240

/* Soft labels of one entry a row, or of two. */
typedef struct Soft
{
	SoftLabels	labels;
	int			start[ROWS + 1];
	int			class[2 * ROWS];
	float		weight[2 * ROWS];
} Soft;

static void
soft_begin(Soft *soft)
{
	soft->labels = (SoftLabels) {0, soft->start, soft->class, soft->weight};
	soft->start[0] = 0;
}

/* One more row: a of weight w, and b of the rest where that is more than nothing. */
static void
soft_add(Soft *soft, int a, float w, int b, float rest)
{
	int			e = soft->start[soft->labels.n];

	soft->class[e] = a;
	soft->weight[e++] = w;
	if (rest > 0.0f)
	{
		soft->class[e] = b;
		soft->weight[e++] = rest;
	}
	soft->start[++soft->labels.n] = e;
}

static bool
same_models(const Caller *caller, const Model *a, const Model *b)
{
	Writer		first;
	Writer		second;
	bool		same;

	writer_init(&first, caller);
	writer_init(&second, caller);
	REQUIRE(model_write(a, &first) == STATUS_SUCCESS);
	REQUIRE(model_write(b, &second) == STATUS_SUCCESS);
	same = first.length == second.length && memcmp(first.bytes, second.bytes, first.length) == 0;
	release(caller, first.bytes);
	release(caller, second.bytes);
	return same;
}

/* Certain labels in the form of soft ones: the same model, bit by bit. */
static void
test_certain(const Caller *caller)
{
	Data		data;
	Soft		soft;
	TrainOptions options = {.folds = 5, .seed = 1, .refine = -1};
	CrossValidation validation[2];
	Model	   *model[2];

	data = make_data(ROWS, 12, 3, 1.0, 5, 7);
	data.rows.sparse = &data.sparse;
	soft_begin(&soft);
	for (int i = 0; i < ROWS; i++)
		soft_add(&soft, data.label[i], 1.0f, 0, 0.0f);
	REQUIRE(model_train(caller, &data.rows, data.label, 3, &options, &model[0],
						&validation[0]) == STATUS_SUCCESS);
	options.soft = &soft.labels;
	REQUIRE(model_train(caller, &data.rows, data.label, 3, &options, &model[1],
						&validation[1]) == STATUS_SUCCESS);
	CHECK(same_models(caller, model[0], model[1]));
	CHECK(memcmp(validation[0].probability, validation[1].probability,
				 sizeof(float) * ROWS * 3) == 0);
	for (int i = 0; i < 2; i++)
	{
		model_free(caller, model[i]);
		release(caller, validation[i].probability);
		release(caller, validation[i].fold);
	}
	free_data(&data);
}

/*
 * What rows are known to be without a fold is what that fold is tested with: it
 * changes nothing of the others, and of the model nothing but what was chosen.
 */
static void
test_folds(const Caller *caller)
{
	Data		data;
	Soft		soft;
	Soft		other;
	TrainOptions options = {.folds = 5, .seed = 1, .refine = 1, .prior_precision = 1.0};
	SoftLabels	fold_soft[5];
	const int  *fold_label[5];
	int			fold[ROWS];
	int			label[ROWS];
	int			folds;
	CrossValidation validation[3];
	Model	   *model[3];
	Model	   *none;

	data = make_data(ROWS, 12, 3, 1.0, 5, 7);
	data.rows.sparse = &data.sparse;
	REQUIRE(model_folds(caller, data.label, ROWS, 3, &options, &folds, fold) == STATUS_SUCCESS);
	REQUIRE(folds == 5);
	soft_begin(&soft);
	soft_begin(&other);
	for (int i = 0; i < ROWS; i++)
	{
		label[i] = fold[i] == 2 || i % 2 == 0 ? data.label[i] : (data.label[i] + 1) % 3;
		soft_add(&soft, data.label[i], 0.5f, 0, 0.0f);
		soft_add(&other, label[i], 0.5f, 0, 0.0f);
	}
	options.soft = &soft.labels;
	for (int k = 0; k < 5; k++)
	{
		fold_soft[k] = soft.labels;
		fold_label[k] = data.label;
	}
	for (int m = 0; m < 3; m++)
	{
		options.fold_soft = m == 0 ? NULL : fold_soft;
		options.fold_label = m == 0 ? NULL : fold_label;
		if (m == 2)
		{
			fold_soft[2] = other.labels;
			fold_label[2] = label;
		}
		REQUIRE(model_train(caller, &data.rows, data.label, 3, &options, &model[m],
							&validation[m]) == STATUS_SUCCESS);
		CHECK(memcmp(validation[m].fold, fold, sizeof(int) * ROWS) == 0);
	}
	CHECK(same_models(caller, model[0], model[1]));
	CHECK(memcmp(validation[0].probability, validation[1].probability,
				 sizeof(float) * ROWS * 3) == 0);
	for (int i = 0; i < ROWS; i++)
	{
		const float *before = validation[1].probability + 3 * i;
		const float *after = validation[2].probability + 3 * i;
		/* the scale is chosen on all rows together */
		double		first = log(before[1] / before[0]) / log(after[1] / after[0]);
		double		scale = model_scale(model[1]) / model_scale(model[2]);

		CHECK((fabs(first / scale - 1.0) < 1e-3) == (fold[i] != 2));
	}
	options.fold_label = NULL;
	CHECK(model_train(caller, &data.rows, data.label, 3, &options, &none, NULL) ==
		  STATUS_BAD_ARGUMENT);
	options.fold_label = fold_label;
	label[7] = 3;
	CHECK(model_train(caller, &data.rows, data.label, 3, &options, &none, NULL) ==
		  STATUS_BAD_ARGUMENT);
	for (int m = 0; m < 3; m++)
	{
		model_free(caller, model[m]);
		release(caller, validation[m].probability);
		release(caller, validation[m].fold);
	}
	free_data(&data);
}

/*
 * A row of two classes is as two rows of one each, with their weights: the
 * objective and its gradient against differences.
 */
static void
test_objective(const Caller *caller)
{
	Data		data;
	Soft		soft;
	Design		design;
	RowSet		all = {NULL, ROWS};
	double	   *weights;
	double	   *gradient;
	double		expected = 0.0;
	double		value;

	data = make_data(ROWS, 12, 3, 1.0, 5, 8);
	soft_begin(&soft);
	for (int i = 0; i < ROWS; i++)
		soft_add(&soft, data.label[i], 0.7f, (data.label[i] + 1) % 3, i % 2 == 0 ? 0.3f : 0.1f);
	design = (Design) {ROWS, 12, 0, 13, 3, data.rows.dense, NULL, data.label, &soft.labels};
	weights = calloc(13 * 3, sizeof(double));
	gradient = calloc(13 * 3, sizeof(double));
	for (int j = 0; j < 39; j++)
		weights[j] = sin(j);
	REQUIRE(head_objective(caller, &design, all, weights, 0.5, &value, gradient) ==
			STATUS_SUCCESS);
	for (int j = 0; j < 39; j++)
		expected += 0.25 * weights[j] * weights[j];
	for (int i = 0; i < ROWS; i++)
	{
		double		logits[3];
		double		sum = 0.0;

		for (int k = 0; k < 3; k++)
		{
			logits[k] = weights[12 * 3 + k];
			for (int j = 0; j < 12; j++)
				logits[k] += data.rows.dense[i * 12 + j] * weights[j * 3 + k];
			sum += exp(logits[k]);
		}
		for (int e = soft.start[i]; e < soft.start[i + 1]; e++)
			expected += soft.weight[e] * (log(sum) - logits[soft.class[e]]);
	}
	CHECK_NEAR(value, expected, 1e-4);
	for (int j = 0; j < 39; j += 5)
	{
		double		step = 1e-5;
		double		up;
		double		down;

		weights[j] += step;
		REQUIRE(head_objective(caller, &design, all, weights, 0.5, &up, gradient) == STATUS_SUCCESS);
		weights[j] -= 2 * step;
		REQUIRE(head_objective(caller, &design, all, weights, 0.5, &down, gradient) == STATUS_SUCCESS);
		weights[j] += step;
		REQUIRE(head_objective(caller, &design, all, weights, 0.5, &value, gradient) == STATUS_SUCCESS);
		CHECK_NEAR(gradient[j], (up - down) / (2 * step), 1e-3);
	}
	free(weights);
	free(gradient);
	free_data(&data);
}

static double
accuracy(const Caller *caller, const Model *model, const Data *data)
{
	Score	   *score = calloc(data->rows.n, sizeof(Score));
	int			right = 0;

	REQUIRE(model_score(caller, model, &data->rows, score, NULL) == STATUS_SUCCESS);
	for (int i = 0; i < data->rows.n; i++)
		right += score[i].label == data->label[i];
	free(score);
	return (double) right / data->rows.n;
}

/*
 * A third of the labels are wrong, and known to be doubtful: soft labels that say
 * so make a better model than the labels alone.
 */
static void
test_doubtful(const Caller *caller)
{
	double		hard = 0.0;
	double		better = 0.0;

	for (int seed = 1; seed <= 4; seed++)
	{
		Data		data;
		Soft		soft;
		int			label[ROWS];
		TrainOptions options = {.folds = 5, .seed = 1, .refine = 0};
		Model	   *model[2];
		Random		random;

		data = make_data(ROWS, 12, 3, 1.6, 5, 20 + seed);
		random_seed(&random, seed);
		soft_begin(&soft);
		for (int i = 0; i < ROWS; i++)
		{
			bool		doubtful = i >= 9 && random_uniform(&random) < 0.6;
			bool		wrong = doubtful && random_uniform(&random) < 0.55;

			label[i] = wrong ? (data.label[i] + 1) % 3 : data.label[i];
			if (doubtful)
				soft_add(&soft, label[i], 0.55f, (label[i] + 2) % 3, 0.45f);
			else
				soft_add(&soft, label[i], 1.0f, 0, 0.0f);
		}
		REQUIRE(model_train(caller, &data.rows, label, 3, &options, &model[0], NULL) ==
				STATUS_SUCCESS);
		options.soft = &soft.labels;
		REQUIRE(model_train(caller, &data.rows, label, 3, &options, &model[1], NULL) ==
				STATUS_SUCCESS);
		hard += accuracy(caller, model[0], &data) / 4.0;
		better += accuracy(caller, model[1], &data) / 4.0;
		model_free(caller, model[0]);
		model_free(caller, model[1]);
		free_data(&data);
	}
	printf("doubtful labels: accuracy %.3f as they are, %.3f with their doubt\n", hard, better);
	CHECK(better > hard + 0.02);
}

/* The fast update moves less where the label is a guess, and knows bad ones. */
static void
test_update(const Caller *caller)
{
	Data		data;
	Soft		soft;
	int			before[ROWS];
	TrainOptions options = {.folds = 5, .seed = 1, .refine = 0};
	Model	   *base;
	Model	   *updated[2];
	float		probability[3][3 * ROWS];
	Score		score[ROWS];
	Rows		some;
	int			other;

	data = make_data(ROWS, 12, 3, 1.0, 5, 9);
	REQUIRE(model_train(caller, &data.rows, data.label, 3, &options, &base, NULL) ==
			STATUS_SUCCESS);
	some = data.rows;
	some.n = 1;
	some.sparse = NULL;
	before[0] = -1;
	other = (data.label[0] + 1) % 3;
	soft_begin(&soft);
	soft_add(&soft, other, 0.6f, data.label[0], 0.4f);
	REQUIRE(model_update(caller, base, NULL, &some, &other, before, &updated[0]) ==
			STATUS_SUCCESS);
	REQUIRE(model_update_soft(caller, base, NULL, &some, &other, &soft.labels, before,
							  &updated[1]) == STATUS_SUCCESS);
	REQUIRE(model_score(caller, base, &some, score, probability[2]) == STATUS_SUCCESS);
	for (int i = 0; i < 2; i++)
		REQUIRE(model_score(caller, updated[i], &some, score, probability[i]) == STATUS_SUCCESS);
	CHECK(probability[2][other] < probability[1][other]);
	CHECK(probability[1][other] < probability[0][other]);
	model_free(caller, updated[0]);
	model_free(caller, updated[1]);
	soft.class[0] = 3;
	CHECK(model_update_soft(caller, base, NULL, &some, &other, &soft.labels, before,
							&updated[1]) == STATUS_BAD_ARGUMENT);
	options.soft = &soft.labels;
	CHECK(model_train(caller, &data.rows, data.label, 3, &options, &updated[1], NULL) ==
		  STATUS_BAD_ARGUMENT);
	model_free(caller, base);
	free_data(&data);
}

int
main(void)
{
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);

	matrix = matrix_blas_ops();
	test_certain(&caller);
	test_folds(&caller);
	test_objective(&caller);
	test_doubtful(&caller);
	test_update(&caller);
	CHECK(memory.blocks == 0);
	return unit_end();
}
