/*-------------------------------------------------------------------------
 *
 * learn_data.h
 *	  Made-up rows for the tests of models.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_LEARN_DATA_H
#define HUMANLOOP_LEARN_DATA_H

#include "unit.h"

#include "../../src/learn/model.h"
#include "../../src/math/random.h"

#define TERMS 12				/* n-grams of a row */

/* A data set of one's own: class centres, noise, words that give it away. */
typedef struct Data
{
	Rows		rows;
	SparseRows	sparse;
	float	   *dense;
	size_t	   *start;
	uint32_t   *index;
	float	   *weight;
	int		   *label;
	int			classes;
} Data;

/* Sorts a row's n-grams and makes repeated ones different. */
static inline void
sort_terms(uint32_t *index)
{
	for (int i = 1; i < TERMS; i++)
		for (int j = i; j > 0 && index[j] < index[j - 1]; j--)
		{
			uint32_t	spare = index[j];

			index[j] = index[j - 1];
			index[j - 1] = spare;
		}
	for (int i = 1; i < TERMS; i++)
		if (index[i] <= index[i - 1])
			index[i] = index[i - 1] + 1;
}

/*
 * n rows of dims numbers: class i % classes, at noise from its centre.
 * centres makes the classes, rows_seed the rows; a few of a row's n-grams
 * tell its class.
 */
static inline Data
make_data(int n, int dims, int classes, double noise, uint64_t centres, uint64_t rows_seed)
{
	Data		data = {0};
	int			vocabulary = 40 * classes + 200;
	float	   *centre = calloc((size_t) classes * dims, sizeof(float));
	Random		random;

	data.dense = calloc((size_t) n * dims, sizeof(float));
	data.start = calloc((size_t) n + 1, sizeof(size_t));
	data.index = calloc((size_t) n * TERMS, sizeof(uint32_t));
	data.weight = calloc((size_t) n * TERMS, sizeof(float));
	data.label = calloc(n, sizeof(int));
	data.classes = classes;
	random_seed(&random, centres);
	for (int i = 0; i < classes * dims; i++)
		centre[i] = (float) random_normal(&random);
	random_seed(&random, rows_seed);
	for (int i = 0; i < n; i++)
	{
		float	   *row = data.dense + (size_t) i * dims;
		uint32_t   *index = data.index + (size_t) i * TERMS;
		double		norm = 0.0;
		int			k = i % classes;

		data.label[i] = k;
		for (int j = 0; j < dims; j++)
		{
			row[j] = centre[k * dims + j] + (float) (noise * random_normal(&random));
			norm += row[j] * row[j];
		}
		for (int j = 0; j < dims; j++)
			row[j] /= (float) sqrt(norm);
		for (int t = 0; t < TERMS; t++)
			index[t] = t < 4 ? (uint32_t) (40 * k + random_below(&random, 40))
				: (uint32_t) random_below(&random, vocabulary - TERMS);
		sort_terms(index);
		for (int t = 0; t < TERMS; t++)
			data.weight[(size_t) i * TERMS + t] = 0.29f;
		data.start[i + 1] = data.start[i] + TERMS;
	}
	free(centre);
	data.sparse = (SparseRows)
	{
		n, data.start, data.index, data.weight
	};
	data.rows = (Rows)
	{
		.n = n, .dims = dims, .dense = data.dense, .sparse_dims = vocabulary
	};
	return data;
}

static inline void
free_data(Data *data)
{
	free(data->dense);
	free(data->start);
	free(data->index);
	free(data->weight);
	free(data->label);
}

static const TrainOptions defaults = {.folds = 5, .seed = 1, .refine = -1};

static inline Status
train(const Caller *caller, const Data *data, int refine, Model **model,
	  CrossValidation *validation)
{
	TrainOptions options = defaults;

	options.refine = refine;
	return model_train(caller, &data->rows, data->label, data->classes, &options, model,
					   validation);
}

static inline void
free_validation(const Caller *caller, CrossValidation *validation)
{
	release(caller, validation->probability);
	release(caller, validation->fold);
}

#endif							/* HUMANLOOP_LEARN_DATA_H */
