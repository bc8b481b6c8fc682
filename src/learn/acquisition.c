/*-------------------------------------------------------------------------
 *
 * acquisition.c
 *	  What to ask next: the scores of single rows, and the choice of many by
 *	  expected predictive information gain.
 *
 *-------------------------------------------------------------------------
 */
#include "acquisition.h"

#include <math.h>
#include <string.h>

#include "../math/random.h"
#include "design.h"
#include "epig.h"
#include "model_internal.h"

/* A window of candidates is so many batches, and at least so many rows. */
#define WINDOW_BATCHES 4
#define WINDOW_LEAST 200

/* How much a row is worth looking at; see acquisition.h. */
float
candidate_score(Acquisition acquisition, const Score *score, uint64_t seed, uint64_t row)
{
	Random		random;

	switch (acquisition)
	{
		case ACQUIRE_EPIG:
		case ACQUIRE_MARGIN:
			return -score->margin;
		case ACQUIRE_BALD:
			return score->epistemic;
		case ACQUIRE_ENTROPY:
			return score->total;
		case ACQUIRE_RANDOM:
			break;
	}
	random_seed(&random, seed ^ (row * UINT64_C(0x9E3779B97F4A7C15)));
	return (float) random_uniform(&random);
}

/* Rows to choose among or to sharpen: as encoded, or as the head sees them. */
typedef struct Source
{
	const Rows *rows;
	const float *features;		/* n x D; NULL: rows it is */
	int			n;
} Source;

/* Rows on their way to the greedy choice. */
typedef struct Prepared
{
	double	   *whitened;		/* n x D */
	float	   *spread;			/* n x K */
} Prepared;

/* Scratch for a block of rows. */
typedef struct Preparation
{
	const Caller *caller;
	const Model *model;
	float	   *refined;		/* DESIGN_BLOCK x stride */
	float	   *features;		/* DESIGN_BLOCK x D */
	float	   *projected;		/* DESIGN_BLOCK x r */
	float	   *logits;			/* DESIGN_BLOCK x K */
	Whitening	whitening;		/* S^(1/2) */
} Preparation;

static void
preparation_free(Preparation *p)
{
	release(p->caller, p->refined);
	release(p->caller, p->features);
	release(p->caller, p->projected);
	release(p->caller, p->logits);
	whitening_free(p->caller, &p->whitening);
}

static Status
prepare_start(Preparation *p)
{
	const Posterior *posterior = p->model->posterior;
	size_t		stride = p->model->refine != NULL ? p->model->refine->stride : 0;

	p->refined = allocate_array(p->caller, DESIGN_BLOCK * stride, sizeof(float));
	p->features = allocate_array(p->caller, (size_t) DESIGN_BLOCK * p->model->features,
								 sizeof(float));
	p->projected = allocate_array(p->caller, (size_t) DESIGN_BLOCK * posterior->rank,
								  sizeof(float));
	p->logits = allocate_array(p->caller, (size_t) DESIGN_BLOCK * p->model->classes,
							   sizeof(float));
	if (p->refined == NULL || p->features == NULL || p->projected == NULL ||
		p->logits == NULL)
		return STATUS_NO_MEMORY;
	return whitening_init(p->caller, posterior, false, &p->whitening);
}

/* h = p (1 - p) of count rows whose logits are in p->logits. */
static void
spread_of(Preparation *p, int count, float *spread)
{
	int			K = p->model->classes;

	for (int i = 0; i < count; i++)
	{
		float	   *to = spread + (size_t) i * K;

		predict_row(p->logits + (size_t) i * K, K, to);
		for (int k = 0; k < K; k++)
			to[k] *= 1.0f - to[k];
	}
}

/* Whitened features and spreads of some rows. */
static Status
prepare(Preparation *p, Source source, Prepared *prepared)
{
	size_t		D = p->model->features;
	size_t		K = p->model->classes;

	prepared->whitened = allocate_array(p->caller, source.n * D, sizeof(double));
	prepared->spread = allocate_array(p->caller, source.n * K, sizeof(float));
	if (prepared->whitened == NULL || prepared->spread == NULL)
		return STATUS_NO_MEMORY;
	for (int first = 0; first < source.n; first += DESIGN_BLOCK)
	{
		int			count = source.n - first < DESIGN_BLOCK ? source.n - first : DESIGN_BLOCK;

		if (stopped(p->caller))
			return STATUS_STOPPED;
		if (source.features != NULL)
			memcpy(p->features, source.features + first * D, sizeof(float) * count * D);
		else
			model_features_of(p->model, source.rows, first, count, p->refined, p->features);
		model_logits_of(p->model, p->features, count, p->logits);
		spread_of(p, count, prepared->spread + first * K);
		whiten_rows(&p->whitening, p->features, count, p->projected);
		for (size_t i = 0; i < count * D; i++)
		{
			if (!isfinite(p->features[i]))
				return STATUS_NOT_FINITE;
			prepared->whitened[first * D + i] = p->features[i];
		}
	}
	return STATUS_SUCCESS;
}

/* Candidates of one window; see acquisition.h. */
int
epig_window(int batch)
{
	return batch < WINDOW_LEAST / WINDOW_BATCHES ? WINDOW_LEAST : WINDOW_BATCHES * batch;
}

/* Bytes that choose_epig holds at most; see acquisition.h. */
size_t
choose_epig_memory(const Model *model, int m, int t, int batch, int count)
{
	size_t		D = model->features;
	size_t		K = model->classes;
	size_t		rows = (size_t) m + t;
	size_t		stride = model->refine != NULL ? model->refine->stride : 0;
	size_t		block = DESIGN_BLOCK * (stride + D + model->posterior->rank + K) +
		model->posterior->rank;
	size_t		greedy;

	if (batch > m)
		batch = m;
	greedy = epig_memory((int) D, (int) K, m, t, epig_window(batch), count);
	block *= sizeof(float);
	return rows * (D * sizeof(double) + K * sizeof(float)) + (block > greedy ? block : greedy);
}

/* Greedy EPIG over rows from anywhere. */
static Status
choose_from(const Caller *caller, const Model *model, Source candidates, Source targets,
			int batch, int count, int *chosen, float *gain)
{
	Preparation preparation = {0};
	Prepared	candidate = {0};
	Prepared	target = {0};
	Status		status;

	if (batch < 1 || count < 0 || count > candidates.n || (count > 0 && targets.n < 1))
		return STATUS_BAD_ARGUMENT;
	if (count == 0)
		return STATUS_SUCCESS;
	/* a batch larger than what there is to choose is no batch */
	if (batch > candidates.n)
		batch = candidates.n;
	preparation.caller = caller;
	preparation.model = model;
	status = prepare_start(&preparation);
	if (status == STATUS_SUCCESS)
		status = prepare(&preparation, candidates, &candidate);
	if (status == STATUS_SUCCESS)
		status = prepare(&preparation, targets, &target);
	preparation_free(&preparation);
	if (status == STATUS_SUCCESS)
	{
		EpigProblem problem = {
			model->features, model->classes, candidates.n, targets.n,
			candidate.whitened, target.whitened, candidate.spread, target.spread
		};

		status = epig_greedy(caller, &problem, batch, epig_window(batch), count, chosen, gain);
	}
	release(caller, candidate.whitened);
	release(caller, candidate.spread);
	release(caller, target.whitened);
	release(caller, target.spread);
	return status;
}

/* Greedy EPIG over a model's rows; see acquisition.h. */
Status
choose_epig(const Caller *caller, const Model *model,
			const Rows *candidates, const Rows *targets,
			int batch, int count, int *chosen, float *gain)
{
	Source		from = {candidates, NULL, candidates->n};
	Source		to = {targets, NULL, targets->n};

	if (!model_takes(model, candidates) || !model_takes(model, targets))
		return STATUS_BAD_ARGUMENT;
	return choose_from(caller, model, from, to, batch, count, chosen, gain);
}

/* The same for features; see acquisition.h. */
Status
choose_epig_features(const Caller *caller, const Model *model,
					 const float *candidates, int m, const float *targets, int t,
					 int batch, int count, int *chosen, float *gain)
{
	Source		from = {NULL, candidates, m};
	Source		to = {NULL, targets, t};

	return choose_from(caller, model, from, to, batch, count, chosen, gain);
}
