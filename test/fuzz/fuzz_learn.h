/*-------------------------------------------------------------------------
 *
 * fuzz_learn.h
 *	  What the targets around stored models share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_FUZZ_LEARN_H
#define HUMANLOOP_FUZZ_LEARN_H

#include "fuzz.h"

#include "../../src/learn/requeue.h"
#include "../../src/learn/model_internal.h"
#include "../unit/learn_data.h"

#define FUZZ_ROWS 24			/* that whatever was read is used on */

/* A model of the made-up rows of the unit tests. */
static inline Model *
fuzz_model(int dims, int classes, int refine)
{
	Data		data = make_data(60, dims, classes, 1.0, 1, 2);
	Model	   *model;

	data.rows.sparse = refine ? &data.sparse : NULL;
	FUZZ_CHECK(train(fuzz_keeper(), &data, refine, &model, NULL) == STATUS_SUCCESS);
	free_data(&data);
	return model;
}

/* Rows that a model of any sizes takes. */
typedef struct FuzzRows
{
	Rows		rows;
	SparseRows	sparse;
	float	   *dense;
	size_t		start[FUZZ_ROWS + 1];
	uint32_t	index[4 * FUZZ_ROWS];
	float		weight[4 * FUZZ_ROWS];
} FuzzRows;

static inline void
make_rows(const Model *model, FuzzRows *made)
{
	size_t		dims = (size_t) model->dims;
	uint32_t	sparse_dims = model->refine != NULL ? (uint32_t) model->refine->sparse_dims : 0;
	size_t		terms = 0;

	made->dense = calloc(dims * FUZZ_ROWS, sizeof(float));
	made->start[0] = 0;
	for (size_t i = 0; i < FUZZ_ROWS; i++)
	{
		/* the first says nothing, the others are near an axis */
		if (i > 0)
		{
			made->dense[i * dims + i % dims] = i % 2 ? 0.8f : -0.8f;
			made->dense[i * dims + i * 7 % dims] += 0.6f;
		}
		for (uint32_t t = 0; i > 0 && t < 4 && t < sparse_dims; t++)
		{
			made->index[terms] = (uint32_t) (sparse_dims / 4 * t + i % (sparse_dims / 4 + 1)) % sparse_dims;
			if (t > 0 && made->index[terms] <= made->index[terms - 1])
				break;
			made->weight[terms++] = 0.5f;
		}
		made->start[i + 1] = terms;
	}
	made->sparse = (SparseRows) {FUZZ_ROWS, made->start, made->index, made->weight};
	made->rows = (Rows) {
		.n = FUZZ_ROWS, .dims = model->dims, .dense = made->dense,
		.sparse = sparse_dims > 0 ? &made->sparse : NULL, .sparse_dims = (int) sparse_dims
	};
}

/* What a score may be. */
static inline void
check_scores(const Model *model, const Score *score, int n, bool entropies)
{
	for (int i = 0; i < n; i++)
	{
		FUZZ_CHECK(score[i].label >= 0 && score[i].label < model->classes);
		FUZZ_CHECK(score[i].confidence >= 0.0f && score[i].confidence <= 1.0001f);
		FUZZ_CHECK(score[i].margin >= -1e-4f && score[i].margin <= 1.0001f);
		if (entropies)
			FUZZ_CHECK(score[i].aleatoric >= 0.0f && score[i].epistemic >= 0.0f &&
					   score[i].total <= logf((float) model->classes) + 1e-4f);
	}
}

/* Damage that no checksum shows may still be too large to compute with. */
static inline bool
may_be(Status status, bool fails)
{
	return status == STATUS_SUCCESS || status == STATUS_NOT_FINITE || status == STATUS_SINGULAR ||
		(fails && status == STATUS_NO_MEMORY);
}

/* The head of a queue, chosen among the rows in each way. */
static inline void
choose_rows(const Caller *caller, const Model *model, const Rows *rows, bool fails)
{
	size_t		size = (size_t) model->features * FUZZ_ROWS;
	float	   *features = malloc(size * sizeof(float));
	Status		status = model_row_features(caller, model, rows, features);

	FUZZ_CHECK(may_be(status, fails));
	for (int way = ACQUIRE_EPIG; status == STATUS_SUCCESS && way <= ACQUIRE_RANDOM; way++)
	{
		RequeueOptions options = {(Acquisition) way, 3, 6, 10, 8};
		int			chosen[FUZZ_ROWS];
		float		gain[FUZZ_ROWS];
		Score		score[FUZZ_ROWS];
		bool		seen[FUZZ_ROWS] = {false};
		int			found;

		if (!may_be(requeue(caller, model, &options, features, FUZZ_ROWS, features, 8, NULL,
							chosen, gain, score, &found), fails))
			FUZZ_CHECK(false);
		for (int i = 0; i < found; i++)
		{
			FUZZ_CHECK(chosen[i] >= 0 && chosen[i] < FUZZ_ROWS && !seen[chosen[i]]);
			seen[chosen[i]] = true;
		}
	}
	free(features);
}

/* Everything that is done with a model which serves. */
static inline void
use_model(const Caller *caller, const Model *model, bool fails)
{
	size_t		K = (size_t) model->classes;
	Score		score[FUZZ_ROWS];
	float	   *probability = malloc(FUZZ_ROWS * K * sizeof(float));
	FuzzRows	made;
	Status		status;

	make_rows(model, &made);
	status = model_score(caller, model, &made.rows, score, probability);
	FUZZ_CHECK(may_be(status, fails));
	if (status == STATUS_SUCCESS)
		check_scores(model, score, FUZZ_ROWS, true);
	status = model_margins(caller, model, &made.rows, score);
	FUZZ_CHECK(may_be(status, fails));
	if (status == STATUS_SUCCESS)
		check_scores(model, score, FUZZ_ROWS, false);
	choose_rows(caller, model, &made.rows, fails);
	free(made.dense);
	free(probability);
}

#endif							/* HUMANLOOP_FUZZ_LEARN_H */
