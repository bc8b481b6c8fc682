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

#include "../math/kernels.h"
#include "../math/matrix.h"
#include "../math/random.h"
#include "design.h"
#include "epig.h"
#include "model_internal.h"

/* Up to so many classes the gain of every candidate is looked at. */
#define SCREEN_CLASSES 6

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

/* See acquisition.h. */
int
epig_screen(int classes, int n)
{
	int64_t		screen = classes <= SCREEN_CLASSES ? n :
		((int64_t) n * SCREEN_CLASSES + classes - 1) / classes;

	if (screen < WINDOW_LEAST)
		screen = WINDOW_LEAST;
	return screen < n ? (int) screen : n;
}

/* See acquisition.h. */
size_t
epig_gains_memory(const Model *model, int m, int t)
{
	size_t		D = model->features;
	size_t		K = model->classes;
	size_t		r = model->posterior->rank;
	size_t		stride = model->refine != NULL ? model->refine->stride : 0;

	return (size_t) m * (sizeof(int) + sizeof(float)) +
		t * (D * (sizeof(double) + sizeof(float)) + K * sizeof(float)) +
		sizeof(float) * (DESIGN_BLOCK * (stride + D + r + 2 * K + 2 * (size_t) t) + r);
}

/* What epig_gains works with. */
typedef struct Gains
{
	Preparation preparation;
	Prepared	target;
	float	   *whitened;		/* t x D: the targets */
	float	   *weight;			/* DESIGN_BLOCK x K: h / (1 + s h) */
	float	   *cross;			/* DESIGN_BLOCK x t */
	float	   *together;		/* DESIGN_BLOCK x t */
} Gains;

static Status
gains_start(Gains *g, const float *targets, int t)
{
	const Caller *caller = g->preparation.caller;
	size_t		D = g->preparation.model->features;
	size_t		K = g->preparation.model->classes;
	Source		source = {NULL, targets, t};

	TRY(prepare_start(&g->preparation));
	TRY(prepare(&g->preparation, source, &g->target));
	g->whitened = allocate_array(caller, t * D, sizeof(float));
	g->weight = allocate_array(caller, DESIGN_BLOCK * K, sizeof(float));
	g->cross = allocate_array(caller, (size_t) DESIGN_BLOCK * t, sizeof(float));
	g->together = allocate_array(caller, (size_t) DESIGN_BLOCK * t, sizeof(float));
	if (g->whitened == NULL || g->weight == NULL || g->cross == NULL || g->together == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < t * D; i++)
		g->whitened[i] = (float) g->target.whitened[i];
	return STATUS_SUCCESS;
}

static void
gains_free(Gains *g)
{
	const Caller *caller = g->preparation.caller;

	preparation_free(&g->preparation);
	release(caller, g->target.whitened);
	release(caller, g->target.spread);
	release(caller, g->whitened);
	release(caller, g->weight);
	release(caller, g->cross);
	release(caller, g->together);
}

/* sum_t cross_t^2 together_t. */
FOR_EACH_PROCESSOR static float
weigh_block_row(const float *restrict cross, const float *restrict together, int targets)
{
	float		sum[16] = {0};
	int			t;

	for (t = 0; t + 16 <= targets; t += 16)
		for (int j = 0; j < 16; j++)
			sum[j] += cross[t + j] * cross[t + j] * together[t + j];
	for (; t < targets; t++)
		sum[0] += cross[t] * cross[t] * together[t];
	for (int j = 1; j < 16; j++)
		sum[0] += sum[j];
	return sum[0];
}

/* Gains of the count rows whose features are in the preparation. */
static Status
gains_of_block(Gains *g, int count, int t, float *gain)
{
	Preparation *p = &g->preparation;
	int			D = p->model->features;
	int			K = p->model->classes;

	model_logits_of(p->model, p->features, count, p->logits);
	spread_of(p, count, g->weight);
	whiten_rows(&p->whitening, p->features, count, p->projected);
	for (int i = 0; i < count; i++)
	{
		const float *x = p->features + (size_t) i * D;
		float	   *weight = g->weight + (size_t) i * K;
		float		own = 0.0f;

		for (int j = 0; j < D; j++)
			own += x[j] * x[j];
		if (!isfinite(own))
			return STATUS_NOT_FINITE;
		for (int k = 0; k < K; k++)
			weight[k] /= 1.0f + own * weight[k];
	}
	matrix->gemm_float(false, true, count, t, D, 1.0f, p->features, D, g->whitened, D,
					   0.0f, g->cross, t);
	matrix->gemm_float(false, true, count, t, K, 1.0f, g->weight, K, g->target.spread, K,
					   0.0f, g->together, t);
	for (int i = 0; i < count; i++)
	{
		gain[i] = weigh_block_row(g->cross + (size_t) i * t, g->together + (size_t) i * t, t);
		if (!isfinite(gain[i]))
			return STATUS_NOT_FINITE;
	}
	return STATUS_SUCCESS;
}

/* The gain of each candidate alone; see acquisition.h. */
Status
epig_gains(const Caller *caller, const Model *model, const float *candidates, const int *row,
		   int m, const float *targets, int t, float *gain)
{
	size_t		D = model->features;
	Gains		g = {0};
	Status		status;

	if (m < 0 || t < 1)
		return STATUS_BAD_ARGUMENT;
	g.preparation.caller = caller;
	g.preparation.model = model;
	status = gains_start(&g, targets, t);
	for (int first = 0; first < m && status == STATUS_SUCCESS; first += DESIGN_BLOCK)
	{
		int			count = m - first < DESIGN_BLOCK ? m - first : DESIGN_BLOCK;

		for (int i = 0; i < count; i++)
			memcpy(g.preparation.features + i * D,
				   candidates + (size_t) (row == NULL ? first + i : row[first + i]) * D,
				   sizeof(float) * D);
		status = stopped(caller) ? STATUS_STOPPED : gains_of_block(&g, count, t, gain + first);
	}
	gains_free(&g);
	return status;
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
