/*-------------------------------------------------------------------------
 *
 * epig.c
 *	  Greedy choice by expected predictive information gain.
 *
 * How much would the label of x sharpen the predictions on the targets
 * (Bickford Smith, Kirsch, Farquhar, Gal, Foster and Rainforth,
 * "Prediction-oriented Bayesian active learning", AISTATS 2023), in closed
 * form under a Laplace posterior with one covariance S for all classes: the
 * Fisher-weighted reduction of the variance of the targets' logits,
 *
 *		sum_t (x'S t)^2 sum_k h_k(t) h_k(x) / (1 + x'S x h_k(x)),
 *		h_k = p_k (1 - p_k).
 *
 * After a choice j the posterior takes a rank-one downdate,
 * S <- S - S j j'S / (j'S j + 1 / sum_k h_k(j)), and what resembles j loses
 * its value.  Only the blocks of the kernel are downdated, not the rows: a
 * step costs window^2 + window * t, and a candidate that enters the window
 * later catches up on all downdates at once by forward substitution, since
 * what they subtract is a product of two vectors each, as in a Cholesky
 * factorisation.
 *
 *-------------------------------------------------------------------------
 */
#include "epig.h"

#include <math.h>
#include <string.h>

#include "../math/kernels.h"
#include "../math/matrix.h"

/* Least sum of h that a downdate reckons with: sure rows teach little. */
#define LEAST_SPREAD 1e-6

/*
 * State of the choice.  Slots hold the candidates of the window; share[c] of
 * a row is what choice c has taken off it: k(x, y) is now
 * x'S y - sum_c share_c(x) share_c(y).
 */
typedef struct Epig
{
	const Caller *caller;
	const EpigProblem *problem;
	int			window;
	int			count;
	int			next;			/* candidate to enter next */
	int			picked;
	int		   *slot;			/* window: candidate, -1 when empty */
	int		   *entering;		/* window: slots */
	double	   *kernel;			/* window x window */
	double	   *cross;			/* window x t */
	double	   *share;			/* window x count */
	double	   *target_share;	/* t x count */
	double	   *row;			/* count x D: chosen candidates */
	double	   *row_share;		/* count x count, lower: their shares */
	double	   *factor;			/* count: share_c(x) = factor k_c(x, j_c) */
	double	   *fresh;			/* window x D: entering rows */
	double	   *fresh_share;	/* window x count */
	double	   *fresh_kernel;	/* window x max(window, t, count) */
	float	   *weight;			/* window x K: h / (1 + s h) */
	float	   *together;		/* window x t */
} Epig;

static int
largest_of(int a, int b, int c)
{
	int			largest = a > b ? a : b;

	return largest > c ? largest : c;
}

static Status
epig_allocate(Epig *e)
{
	const Caller *caller = e->caller;
	size_t		D = e->problem->features;
	size_t		K = e->problem->classes;
	size_t		t = e->problem->targets;
	size_t		w = e->window;
	size_t		c = e->count;
	size_t		widest = largest_of(e->window, e->problem->targets, e->count);
	bool		ok = true;

	ok = (e->slot = allocate_array(caller, w, sizeof(int))) != NULL && ok;
	ok = (e->entering = allocate_array(caller, w, sizeof(int))) != NULL && ok;
	ok = (e->kernel = allocate_array(caller, w * w, sizeof(double))) != NULL && ok;
	ok = (e->cross = allocate_array(caller, w * t, sizeof(double))) != NULL && ok;
	ok = (e->share = allocate_array(caller, w * c, sizeof(double))) != NULL && ok;
	ok = (e->target_share = allocate_array(caller, t * c, sizeof(double))) != NULL && ok;
	ok = (e->row = allocate_array(caller, c * D, sizeof(double))) != NULL && ok;
	ok = (e->row_share = allocate_array(caller, c * c, sizeof(double))) != NULL && ok;
	ok = (e->factor = allocate_array(caller, c, sizeof(double))) != NULL && ok;
	ok = (e->fresh = allocate_array(caller, w * D, sizeof(double))) != NULL && ok;
	ok = (e->fresh_share = allocate_array(caller, w * c, sizeof(double))) != NULL && ok;
	ok = (e->fresh_kernel = allocate_array(caller, w * widest, sizeof(double))) != NULL && ok;
	ok = (e->weight = allocate_array(caller, w * K, sizeof(float))) != NULL && ok;
	ok = (e->together = allocate_array(caller, w * t, sizeof(float))) != NULL && ok;
	return ok ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/* Bytes that epig_greedy holds at most; see epig.h. */
size_t
epig_memory(int features, int classes, int candidates, int targets, int window, int count)
{
	size_t		D = features;
	size_t		K = classes;
	size_t		t = targets;
	size_t		w = window < candidates ? window : candidates;
	size_t		c = count;
	size_t		widest = largest_of((int) w, targets, count);

	return 2 * w * sizeof(int) + sizeof(float) * (w * K + w * t) +
		sizeof(double) * (w * w + w * t + 2 * w * c + t * c + c * D + c * c + c + w * D +
						  w * widest);
}

static void
epig_free(Epig *e)
{
	release(e->caller, e->slot);
	release(e->caller, e->entering);
	release(e->caller, e->kernel);
	release(e->caller, e->cross);
	release(e->caller, e->share);
	release(e->caller, e->target_share);
	release(e->caller, e->row);
	release(e->caller, e->row_share);
	release(e->caller, e->factor);
	release(e->caller, e->fresh);
	release(e->caller, e->fresh_share);
	release(e->caller, e->fresh_kernel);
	release(e->caller, e->weight);
	release(e->caller, e->together);
}

/*
 * Shares of all choices so far in the fresh rows, by forward substitution:
 * share_c(x) = factor_c (x'S j_c - sum_{b < c} share_b(x) share_b(j_c)).
 */
static void
catch_up(Epig *e, int fresh)
{
	int			D = e->problem->features;

	matrix->gemm(false, true, fresh, e->picked, D, 1.0, e->fresh, D, e->row, D,
				 0.0, e->fresh_kernel, e->count);
	for (int i = 0; i < fresh; i++)
	{
		const double *from = e->fresh_kernel + (size_t) i * e->count;
		double	   *share = e->fresh_share + (size_t) i * e->count;

		for (int c = 0; c < e->picked; c++)
		{
			const double *chosen = e->row_share + (size_t) c * e->count;
			double		sum[4] = {0};
			int			b;

			for (b = 0; b + 4 <= c; b += 4)
				for (int j = 0; j < 4; j++)
					sum[j] += share[b + j] * chosen[b + j];
			for (; b < c; b++)
				sum[0] += share[b] * chosen[b];
			share[c] = e->factor[c] * (from[c] - ((sum[0] + sum[1]) + (sum[2] + sum[3])));
		}
	}
}

/* Kernel between the fresh rows and the targets, as it is now, into cross. */
static void
enter_cross(Epig *e, int fresh)
{
	int			D = e->problem->features;
	int			t = e->problem->targets;

	matrix->gemm(false, true, fresh, t, D, 1.0, e->fresh, D, e->problem->target, D,
				 0.0, e->fresh_kernel, t);
	if (e->picked > 0)
		matrix->gemm(false, true, fresh, t, e->picked, -1.0, e->fresh_share, e->count,
					 e->target_share, e->count, 1.0, e->fresh_kernel, t);
	for (int i = 0; i < fresh; i++)
		memcpy(e->cross + (size_t) e->entering[i] * t, e->fresh_kernel + (size_t) i * t,
			   sizeof(double) * t);
}

/*
 * Kernel between the fresh rows and the whole window.  The window's rows are
 * gathered one by one: there are few fresh rows but at the start.
 */
static void
enter_kernel(Epig *e, int fresh)
{
	int			D = e->problem->features;
	int			w = e->window;

	for (int j = 0; j < w; j++)
	{
		const double *row;
		double	   *to = e->fresh_kernel + j;

		if (e->slot[j] < 0)
			continue;
		row = e->problem->candidate + (size_t) e->slot[j] * D;
		matrix->gemv(false, fresh, D, 1.0, e->fresh, D, row, 0.0, to);
		if (e->picked > 0)
			matrix->gemm(false, true, fresh, 1, e->picked, -1.0, e->fresh_share, e->count,
						 e->share + (size_t) j * e->count, e->count, 1.0, to, 1);
		for (int i = 0; i < fresh; i++)
		{
			e->kernel[(size_t) e->entering[i] * w + j] = to[i];
			e->kernel[(size_t) j * w + e->entering[i]] = to[i];
		}
	}
}

/* Fills the empty slots of the window with the next candidates. */
static void
fill_window(Epig *e)
{
	int			D = e->problem->features;
	int			fresh = 0;

	for (int j = 0; j < e->window && e->next < e->problem->candidates; j++)
		if (e->slot[j] < 0)
		{
			memcpy(e->fresh + (size_t) fresh * D,
				   e->problem->candidate + (size_t) e->next * D, sizeof(double) * D);
			e->entering[fresh++] = j;
			e->slot[j] = e->next++;
		}
	if (fresh == 0)
		return;
	if (e->picked > 0)
		catch_up(e, fresh);
	for (int i = 0; i < fresh; i++)
		memcpy(e->share + (size_t) e->entering[i] * e->count,
			   e->fresh_share + (size_t) i * e->count, sizeof(double) * e->picked);
	enter_cross(e, fresh);
	enter_kernel(e, fresh);
}

/* sum_t cross_t^2 together_t. */
FOR_EACH_PROCESSOR static double
weigh(const double *restrict cross, const float *restrict together, int targets)
{
	double		sum[8] = {0};
	int			t;

	for (t = 0; t + 8 <= targets; t += 8)
		for (int j = 0; j < 8; j++)
			sum[j] += cross[t + j] * cross[t + j] * together[t + j];
	for (; t < targets; t++)
		sum[0] += cross[t] * cross[t] * together[t];
	return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* The slot with the largest gain, the candidate that came first among equals. */
static int
best_slot(Epig *e, double *gain)
{
	const EpigProblem *problem = e->problem;
	size_t		K = problem->classes;
	int			best = -1;

	for (int j = 0; j < e->window; j++)
	{
		float	   *weight = e->weight + j * K;
		const float *h;
		float		s;

		if (e->slot[j] < 0)
			continue;			/* what is left there is not looked at */
		h = problem->candidate_spread + e->slot[j] * K;
		s = (float) fmax(e->kernel[(size_t) j * e->window + j], 0.0);
		for (size_t k = 0; k < K; k++)
			weight[k] = h[k] / (1.0f + s * h[k]);
	}
	matrix->gemm_float(false, true, e->window, problem->targets, K, 1.0f, e->weight, K,
					   problem->target_spread, K, 0.0f, e->together, problem->targets);
	*gain = -1.0;
	for (int j = 0; j < e->window; j++)
	{
		double		value;

		if (e->slot[j] < 0)
			continue;
		value = weigh(e->cross + (size_t) j * problem->targets,
					  e->together + (size_t) j * problem->targets, problem->targets);
		if (best < 0 || value > *gain ||
			(value == *gain && e->slot[j] < e->slot[best]))
		{
			*gain = value;
			best = j;
		}
	}
	return best;
}

/* to[i] -= factor * from[i] */
FOR_EACH_PROCESSOR static void
subtract_scaled(int count, double factor, const double *restrict from, double *restrict to)
{
	for (int i = 0; i < count; i++)
		to[i] -= factor * from[i];
}

/*
 * Takes the candidate of a slot: everybody else's shares, the downdate of
 * the kernel blocks, and the slot is empty.
 */
static void
take(Epig *e, int best)
{
	const EpigProblem *problem = e->problem;
	const float *h = problem->candidate_spread + (size_t) e->slot[best] * problem->classes;
	int			w = e->window;
	int			t = problem->targets;
	int			c = e->picked;
	double		spread = 0.0;
	double		own = fmax(e->kernel[(size_t) best * w + best], 0.0);
	double		factor;

	for (int k = 0; k < problem->classes; k++)
		spread += h[k];
	factor = 1.0 / sqrt(own + 1.0 / fmax(spread, LEAST_SPREAD));
	e->factor[c] = factor;
	memcpy(e->row + (size_t) c * problem->features,
		   problem->candidate + (size_t) e->slot[best] * problem->features,
		   sizeof(double) * problem->features);
	memcpy(e->row_share + (size_t) c * e->count, e->share + (size_t) best * e->count,
		   sizeof(double) * c);
	for (int j = 0; j < w; j++)
		e->share[(size_t) j * e->count + c] = factor * e->kernel[(size_t) best * w + j];
	for (int i = 0; i < t; i++)
		e->target_share[(size_t) i * e->count + c] = factor * e->cross[(size_t) best * t + i];
	for (int j = 0; j < w; j++)
	{
		double		share = factor * e->share[(size_t) j * e->count + c];

		if (j == best || e->slot[j] < 0)
			continue;
		subtract_scaled(t, share, e->cross + (size_t) best * t, e->cross + (size_t) j * t);
		subtract_scaled(w, share, e->kernel + (size_t) best * w, e->kernel + (size_t) j * w);
	}
	e->picked++;
	e->slot[best] = -1;
}

/* The choices of epig_greedy, with memory in place. */
static Status
choose(Epig *e, int batch, int *chosen, float *gain)
{
	for (int j = 0; j < e->window; j++)
		e->slot[j] = -1;
	while (e->picked < e->count)
	{
		int			best;
		double		value;

		if (stopped(e->caller))
			return STATUS_STOPPED;
		if (e->picked % batch == 0)
			fill_window(e);
		best = best_slot(e, &value);
		if (best < 0)
			return STATUS_BAD_ARGUMENT;
		if (!isfinite(value))
			return STATUS_NOT_FINITE;
		chosen[e->picked] = e->slot[best];
		gain[e->picked] = (float) value;
		take(e, best);
	}
	return STATUS_SUCCESS;
}

/* Greedy EPIG; see epig.h. */
Status
epig_greedy(const Caller *caller, const EpigProblem *problem,
			int batch, int window, int count, int *chosen, float *gain)
{
	Epig		e = {0};
	Status		status;

	if (count < 0 || count > problem->candidates || batch < 1 || window < batch ||
		problem->targets < 1)
		return STATUS_BAD_ARGUMENT;
	if (count == 0)
		return STATUS_SUCCESS;
	e.caller = caller;
	e.problem = problem;
	e.window = window < problem->candidates ? window : problem->candidates;
	e.count = count;
	status = epig_allocate(&e);
	if (status == STATUS_SUCCESS)
		status = choose(&e, batch, chosen, gain);
	epig_free(&e);
	return status;
}
