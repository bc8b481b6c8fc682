/*-------------------------------------------------------------------------
 *
 * revision.c
 *	  A model that has moved on from its base without a training.
 *
 *-------------------------------------------------------------------------
 */
#include "revision.h"

#include <math.h>
#include <string.h>

/* More is damage, or infinite soon. */
#define MOST_WEIGHT 1e15f
#define MOST_CURVATURE 1e30f

/* The posterior of a revision: all its own but the basis. */
static Posterior *
posterior_of(const Caller *caller, const Posterior *base)
{
	Posterior  *posterior = allocate_array(caller, 1, sizeof(Posterior));
	size_t		r = base->rank;
	size_t		K = base->classes;

	if (posterior == NULL)
		return NULL;
	*posterior = *base;
	posterior->variance = allocate_array(caller, r * K, sizeof(float));
	posterior->rest = allocate_array(caller, K, sizeof(float));
	posterior->shared = allocate_array(caller, r, sizeof(float));
	if (posterior->variance == NULL || posterior->rest == NULL || posterior->shared == NULL)
	{
		posterior->basis = NULL;
		posterior_free(caller, posterior);
		return NULL;
	}
	memcpy(posterior->variance, base->variance, sizeof(float) * r * K);
	memcpy(posterior->rest, base->rest, sizeof(float) * K);
	memcpy(posterior->shared, base->shared, sizeof(float) * r);
	return posterior;
}

/* The base as a revision of itself; see revision.h. */
Status
revision_allocate(const Caller *caller, const Model *base, Model **result)
{
	Model	   *model = allocate_array(caller, 1, sizeof(Model));
	Revision   *revision = allocate_array(caller, 1, sizeof(Revision));
	size_t		size = (size_t) base->features * base->classes;
	size_t		K = base->classes;

	*result = NULL;
	if (model == NULL || revision == NULL)
	{
		release(caller, model);
		release(caller, revision);
		return STATUS_NO_MEMORY;
	}
	*model = *base;
	model->revision = revision;
	model->weights = allocate_array(caller, size, sizeof(float));
	model->count = allocate_array(caller, K, sizeof(int));
	model->log_prior = allocate_array(caller, K, sizeof(float));
	model->posterior = posterior_of(caller, base->posterior);
	revision->curvature = allocate_array(caller, (base->posterior->rank + 1) * K,
										 sizeof(float));
	if (model->weights == NULL || model->count == NULL || model->log_prior == NULL ||
		model->posterior == NULL || revision->curvature == NULL)
	{
		model_free(caller, model);
		return STATUS_NO_MEMORY;
	}
	memcpy(model->weights, base->weights, sizeof(float) * size);
	memcpy(model->count, base->count, sizeof(int) * K);
	memcpy(model->log_prior, base->log_prior, sizeof(float) * K);
	*result = model;
	return STATUS_SUCCESS;
}

/* Is it the base, or a revision of it? */
bool
revision_of(const Model *base, const Model *model)
{
	return base->revision == NULL &&
		(model == base ||
		 (model->revision != NULL && model->posterior->basis == base->posterior->basis));
}

/*
 * The variances of one direction with `added` to the curvature of each class.
 * The base's own curvature c comes out of its variance, 1 / (sqrt(a c) + t);
 * what all share grows by half the sum, as w = (1 - sum p^2) / 2 is half of
 * sum p (1 - p).  What rows taken back leave is never less than none.
 */
static void
add_curvature(int classes, double prior, double shared, const float *variance,
			  const float *added, float *new_shared, float *new_variance)
{
	double		sum = 0.0;
	double		a;

	for (int k = 0; k < classes; k++)
		sum += added[k];
	a = fmax(shared + 0.5 * sum, 0.0);
	*new_shared = (float) a;
	for (int k = 0; k < classes; k++)
	{
		double		mean = fmax(1.0 / variance[k] - prior, 0.0);
		double		own = shared > 0.0 ? mean * mean / shared : 0.0;

		new_variance[k] = (float) (1.0 / (sqrt(a * fmax(own + added[k], 0.0)) + prior));
	}
}

/* Shares and posterior; see revision.h. */
Status
revision_finish(const Model *base, Model *model)
{
	const Posterior *from = base->posterior;
	Posterior  *posterior = model->posterior;
	const float *curvature = model->revision->curvature;
	size_t		K = base->classes;
	int			r = from->rank;

	for (size_t i = 0; i < base->features * K; i++)
		if (!(fabsf(model->weights[i]) <= MOST_WEIGHT))
			return STATUS_NOT_FINITE;
	for (size_t i = 0; i < (r + 1) * K; i++)
		if (!(fabsf(curvature[i]) <= MOST_CURVATURE))
			return STATUS_NOT_FINITE;
	for (int j = 0; j < r; j++)
		add_curvature((int) K, from->prior_precision, from->shared[j],
					  from->variance + j * K, curvature + j * K,
					  &posterior->shared[j], posterior->variance + j * K);
	add_curvature((int) K, from->prior_precision, from->shared_rest, from->rest,
				  curvature + r * K, &posterior->shared_rest, posterior->rest);
	model_count_shares(model);
	return STATUS_SUCCESS;
}

/* Bytes of a revision. */
size_t
revision_memory(int features, int classes)
{
	size_t		D = features;
	size_t		K = classes;
	size_t		r = D < POSTERIOR_RANK ? D : POSTERIOR_RANK;

	return sizeof(Model) + sizeof(Posterior) + sizeof(Revision) + K * sizeof(int) +
		sizeof(float) * (D * K + (2 * r + 1) * K + 2 * K + r);
}
