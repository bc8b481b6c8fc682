/*-------------------------------------------------------------------------
 *
 * model.c
 *	  A trained classifier at work: features, logits and scores of rows.
 *
 *-------------------------------------------------------------------------
 */
#include "model_internal.h"

#include <math.h>
#include <string.h>

#include "../math/matrix.h"
#include "design.h"
#include "parts.h"

/* A row whose dense part is shorter than this squared says nothing. */
#define EMPTY_ROW 1e-6f

/* Everything a block of rows goes through. */
typedef struct Block
{
	float	   *features;		/* rows x D */
	float	   *logits;			/* rows x K, calibrated */
	float	   *variance;		/* rows x K */
	float	   *scratch;		/* for whatever needs it next */
	float	   *probability;	/* K, where the caller wants none */
	float	   *arena;			/* all of it in one piece */
} Block;

int
model_classes(const Model *model)
{
	return model->classes;
}

int
model_features(const Model *model)
{
	return model->features;
}

double
model_prior_precision(const Model *model)
{
	return model->prior_precision;
}

double
model_scale(const Model *model)
{
	return model->scale;
}

bool
model_refined(const Model *model)
{
	return model->refine != NULL;
}

int
model_parts(const Model *model)
{
	return model->parts > 0 ? model->parts : 1;
}

float
model_share(const Model *model, int part)
{
	return model->parts > 0 ? model->share[part] : 1.0f;
}

/* An empty model; NULL when there is no memory. */
Model *
model_allocate(const Caller *caller, int classes, int dims, int refined)
{
	Model	   *model = allocate_array(caller, 1, sizeof(Model));

	if (model == NULL)
		return NULL;
	model->classes = classes;
	model->dims = dims;
	model->features = dims + refined + 1;
	model->weights = allocate_array(caller, (size_t) model->features * classes, sizeof(float));
	model->count = allocate_array(caller, classes, sizeof(int));
	model->log_prior = allocate_array(caller, classes, sizeof(float));
	if (model->weights == NULL || model->count == NULL || model->log_prior == NULL ||
		draws_init(caller, classes, &model->draws) != STATUS_SUCCESS)
	{
		model_free(caller, model);
		return NULL;
	}
	return model;
}

/* Gives a model back; NULL is allowed. */
void
model_free(const Caller *caller, Model *model)
{
	if (model == NULL)
		return;
	release(caller, model->weights);
	release(caller, model->count);
	release(caller, model->log_prior);
	if (model->revision != NULL)
	{
		release(caller, model->revision->curvature);
		release(caller, model->revision);
		/* the base's, as the header says */
		model->refine = NULL;
		model->draws.normal = NULL;
		if (model->posterior != NULL)
			model->posterior->basis = NULL;
	}
	refine_free(caller, model->refine);
	posterior_free(caller, model->posterior);
	draws_free(caller, &model->draws);
	release(caller, model);
}

/*
 * A class that has lost all its labels to corrections counts as half a row:
 * it is still there to be told apart.
 */
void
model_count_shares(Model *model)
{
	double		total = 0.0;

	for (int k = 0; k < model->classes; k++)
		total += fmax(model->count[k], 0.5);
	for (int k = 0; k < model->classes; k++)
		model->log_prior[k] = (float) log(fmax(model->count[k], 0.5) / total);
}

bool
model_suits(const Model *model, int dims, int sparse_dims)
{
	return dims == model->dims &&
		(model->refine == NULL || sparse_dims == model->refine->sparse_dims);
}

/* Do the rows have the dense and sparse parts that the model was trained on? */
bool
model_takes(const Model *model, const Rows *rows)
{
	return rows->n >= 0 && model_suits(model, rows->dims, rows->sparse_dims) &&
		(model->refine == NULL || (rows->sparse != NULL && rows->sparse->n >= rows->n));
}

/* The dense part of a row, its parts at the length that they count. */
static void
dense_features(const Model *model, const float *from, float *to)
{
	if (model->parts == 0)
		memcpy(to, from, sizeof(float) * model->dims);
	for (int p = 0; p < model->parts; p++)
	{
		float		scale = share_scale(model->share[p], model->parts);

		for (int j = 0; j < model->part_dims[p]; j++)
			*to++ = *from++ * scale;
	}
}

/* Rows as the head sees them (count x D); see model_internal.h. */
void
model_features_of(const Model *model, const Rows *rows, int first, int count,
				  float *scratch, float *features)
{
	int			refined = model->features - model->dims - 1;

	if (model->refine != NULL)
		refine_apply(model->refine, rows->sparse, first, count, scratch);
	for (int i = 0; i < count; i++)
	{
		float	   *to = features + (size_t) i * model->features;

		dense_features(model, rows->dense + ((size_t) first + i) * model->dims, to);
		to += model->dims;
		if (model->refine != NULL)
			memcpy(to, scratch + (size_t) i * model->refine->stride, sizeof(float) * refined);
		to[refined] = 1.0f;
	}
}

/* Calibrated logits of rows of features, count x K. */
void
model_logits_of(const Model *model, const float *features, int count, float *logits)
{
	matrix->gemm_float(false, false, count, model->classes, model->features,
					   (float) model->scale, features, model->features,
					   model->weights, model->classes, 0.0f, logits, model->classes);
}

/* Memory for blocks of up to count rows. */
static Status
block_allocate(const Caller *caller, const Model *model, int count, Block *block)
{
	size_t		K = model->classes;
	size_t		D = model->features;
	size_t		rows = count;
	size_t		scratch = posterior_scratch(model->posterior, count);

	if (scratch < score_scratch(model->classes))
		scratch = score_scratch(model->classes);
	if (model->refine != NULL && scratch < rows * model->refine->stride)
		scratch = rows * model->refine->stride;
	block->arena = allocate_array(caller, rows * (D + 2 * K) + scratch + K, sizeof(float));
	if (block->arena == NULL)
		return STATUS_NO_MEMORY;
	block->features = block->arena;
	block->logits = block->features + rows * D;
	block->variance = block->logits + rows * K;
	block->scratch = block->variance + rows * K;
	block->probability = block->scratch + scratch;
	return STATUS_SUCCESS;
}

/*
 * What a row lacks of unit length, in [0, 1], counts as length in directions
 * that no labelled row has: 1 for a text without a known word.  NaN where the
 * row is not finite.
 */
static float
missing_length(const float *dense, int dims)
{
	float		sum[8] = {0};
	float		total;
	int			j;

	for (j = 0; j + 8 <= dims; j += 8)
		for (int i = 0; i < 8; i++)
			sum[i] += dense[j + i] * dense[j + i];
	for (; j < dims; j++)
		sum[0] += dense[j] * dense[j];
	total = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
	if (!isfinite(total))
		return NAN;
	return total > 0.999f ? 0.0f : 1.0f - total;
}

/* Does the row, which lacks so much of unit length, say nothing at all? */
static bool
is_empty(const Model *model, float missing, const SparseRows *sparse, int row)
{
	return missing > 1.0f - EMPTY_ROW &&
		(model->refine == NULL ||
		 (sparse != NULL && sparse->start[row] == sparse->start[row + 1]));
}

/*
 * Logits and variances of a row that is not of unit length.  One that says
 * nothing at all gets the classes' shares instead of what the constant
 * happens to weigh.
 */
static void
adjust_short_row(const Model *model, bool empty, float missing, float *logits,
				 float *variance)
{
	float		more = missing / (float) model->posterior->prior_precision;

	for (int k = 0; k < model->classes; k++)
	{
		variance[k] += more;
		if (empty)
			logits[k] = model->log_prior[k];
	}
}

/*
 * Scores count rows of features (count x D), which are rows first .. first +
 * count of the sparse ones; NULL: every row has an n-gram.
 */
static Status
score_block(const Model *model, const float *features, int count, const SparseRows *sparse,
			int first, Block *block, Score *score, float *probability)
{
	size_t		K = model->classes;

	model_logits_of(model, features, count, block->logits);
	posterior_variance(model->posterior, features, count, block->scratch, block->variance);
	for (int i = 0; i < count; i++)
	{
		float	   *logits = block->logits + i * K;
		float	   *variance = block->variance + i * K;
		float	   *p = probability != NULL ? probability + i * K : block->probability;
		float		missing = missing_length(features + (size_t) i * model->features,
											 model->dims);

		if (isnan(missing))
			return STATUS_NOT_FINITE;
		if (missing > 0.0f)
			adjust_short_row(model, is_empty(model, missing, sparse, first + i), missing,
							 logits, variance);
		for (size_t k = 0; k < K; k++)
			if (!isfinite(logits[k]))
				return STATUS_NOT_FINITE;
		score_row(&model->draws, logits, variance, block->scratch, p, &score[i]);
	}
	return STATUS_SUCCESS;
}

/*
 * Scores rows->n rows; probability (n x K) may be NULL.  STATUS_BAD_ARGUMENT
 * for rows of another encoder, STATUS_NOT_FINITE for NaN or infinity.
 */
Status
model_score(const Caller *caller, const Model *model, const Rows *rows,
			Score *score, float *probability)
{
	int			most = rows->n < DESIGN_BLOCK ? rows->n : DESIGN_BLOCK;
	Block		block;
	Status		status = STATUS_SUCCESS;

	if (!model_takes(model, rows))
		return STATUS_BAD_ARGUMENT;
	if (rows->n == 0)
		return STATUS_SUCCESS;
	TRY(block_allocate(caller, model, most, &block));
	for (int first = 0; first < rows->n && status == STATUS_SUCCESS; first += most)
	{
		int			count = rows->n - first < most ? rows->n - first : most;

		if (stopped(caller))
			status = STATUS_STOPPED;
		else
		{
			model_features_of(model, rows, first, count, block.scratch, block.features);
			status = score_block(model, block.features, count, rows->sparse, first, &block,
								 score + first, probability == NULL ? NULL :
								 probability + (size_t) first * model->classes);
		}
	}
	release(caller, block.arena);
	return status;
}

/* Scores n rows of features; see model.h. */
Status
model_score_features(const Caller *caller, const Model *model, const float *features, int n,
					 Score *score)
{
	int			most = n < DESIGN_BLOCK ? n : DESIGN_BLOCK;
	Block		block;
	Status		status = STATUS_SUCCESS;

	if (n < 0)
		return STATUS_BAD_ARGUMENT;
	if (n == 0)
		return STATUS_SUCCESS;
	TRY(block_allocate(caller, model, most, &block));
	for (int first = 0; first < n && status == STATUS_SUCCESS; first += most)
	{
		int			count = n - first < most ? n - first : most;

		if (stopped(caller))
			status = STATUS_STOPPED;
		else
			status = score_block(model, features + (size_t) first * model->features, count,
								 NULL, 0, &block, score + first, NULL);
	}
	release(caller, block.arena);
	return status;
}

/*
 * Labels and margins of count rows of features; logits: count x K of scratch,
 * probability: K.
 */
Status
model_margins_of(const Model *model, const float *features, int count,
				 const SparseRows *sparse, int first, float *logits, float *probability,
				 Score *score)
{
	size_t		K = model->classes;

	model_logits_of(model, features, count, logits);
	for (int i = 0; i < count; i++)
	{
		const float *row = logits + i * K;
		float		missing = missing_length(features + (size_t) i * model->features,
											 model->dims);

		if (isnan(missing))
			return STATUS_NOT_FINITE;
		if (is_empty(model, missing, sparse, first + i))
			row = model->log_prior;
		for (size_t k = 0; k < K; k++)
			if (!isfinite(row[k]))
				return STATUS_NOT_FINITE;
		point_score(row, (int) K, probability, &score[i]);
		score[i].total = score[i].aleatoric = score[i].epistemic = NAN;
	}
	return STATUS_SUCCESS;
}

/* Labels and margins of rows; see model.h. */
Status
model_margins(const Caller *caller, const Model *model, const Rows *rows, Score *score)
{
	size_t		D = model->features;
	size_t		K = model->classes;
	size_t		stride = model->refine != NULL ? model->refine->stride : 0;
	int			most = rows->n < DESIGN_BLOCK ? rows->n : DESIGN_BLOCK;
	float	   *arena;
	Status		status = STATUS_SUCCESS;

	if (!model_takes(model, rows))
		return STATUS_BAD_ARGUMENT;
	if (rows->n == 0)
		return STATUS_SUCCESS;
	arena = allocate_array(caller, most * (D + K + stride) + K, sizeof(float));
	if (arena == NULL)
		return STATUS_NO_MEMORY;
	for (int first = 0; first < rows->n && status == STATUS_SUCCESS; first += most)
	{
		int			count = rows->n - first < most ? rows->n - first : most;
		float	   *features = arena + K;
		float	   *logits = features + most * D;

		if (stopped(caller))
			status = STATUS_STOPPED;
		else
		{
			model_features_of(model, rows, first, count, logits + most * K, features);
			status = model_margins_of(model, features, count, rows->sparse, first, logits,
									  arena, score + first);
		}
	}
	release(caller, arena);
	return status;
}

/* Features of the rows, n x D; see model.h. */
Status
model_row_features(const Caller *caller, const Model *model, const Rows *rows,
				   float *features)
{
	size_t		stride = model->refine != NULL ? model->refine->stride : 0;
	float	   *scratch;
	Status		status = STATUS_SUCCESS;

	if (!model_takes(model, rows))
		return STATUS_BAD_ARGUMENT;
	scratch = allocate_array(caller, DESIGN_BLOCK * stride, sizeof(float));
	if (scratch == NULL)
		return STATUS_NO_MEMORY;
	for (int first = 0; first < rows->n && status == STATUS_SUCCESS; first += DESIGN_BLOCK)
	{
		int			count = rows->n - first < DESIGN_BLOCK ? rows->n - first : DESIGN_BLOCK;

		if (stopped(caller))
			status = STATUS_STOPPED;
		else
			model_features_of(model, rows, first, count, scratch,
							  features + (size_t) first * model->features);
	}
	release(caller, scratch);
	return status;
}

/* Features of the rows, n x D, in double precision. */
Status
model_design(const Caller *caller, const Model *model, const Rows *rows, double *design)
{
	size_t		D = model->features;
	size_t		stride = model->refine != NULL ? model->refine->stride : 0;
	float	   *scratch;

	if (!model_takes(model, rows))
		return STATUS_BAD_ARGUMENT;
	scratch = allocate_array(caller, DESIGN_BLOCK * (D + stride), sizeof(float));
	if (scratch == NULL)
		return STATUS_NO_MEMORY;
	for (int first = 0; first < rows->n; first += DESIGN_BLOCK)
	{
		int			count = rows->n - first < DESIGN_BLOCK ? rows->n - first : DESIGN_BLOCK;
		float	   *features = scratch + DESIGN_BLOCK * stride;

		model_features_of(model, rows, first, count, scratch, features);
		for (size_t i = 0; i < count * D; i++)
			design[first * D + i] = features[i];
	}
	release(caller, scratch);
	return STATUS_SUCCESS;
}
