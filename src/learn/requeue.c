/*-------------------------------------------------------------------------
 *
 * requeue.c
 *	  The head of the queue, put in order again with a revised model.
 *
 * All candidates get a point prediction, which is one product; only what
 * comes out at the top is looked at more closely: for what it gains alone, for
 * repetitions, for what it gains beside what is chosen before, for its
 * uncertainty.
 *
 *-------------------------------------------------------------------------
 */
#include "requeue.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../math/matrix.h"
#include "design.h"
#include "epig.h"
#include "model_internal.h"

/* Rows compared with those above them in one product. */
#define COMPARED 64

/* A candidate in the order of its worth. */
typedef struct Place
{
	float		worth;
	int			row;
} Place;

typedef struct Requeue
{
	const Caller *caller;
	const Model *model;
	const RequeueOptions *options;
	const float *candidates;	/* m x D */
	int			m;
	int			needed;			/* distinct rows that are looked at closely */
	int			ranked;			/* candidates not excluded */
	int			distinct;		/* at the beginning of order, once sorted out */
	int			listed;			/* with the repetitions met on the way */
	Place	   *place;			/* m: by falling worth */
	int		   *order;			/* needed + m: rows */
	float	   *top;			/* needed x D: features of the distinct ones */
	Score	   *score;			/* DESIGN_BLOCK, for the worth */
	float	   *logits;			/* DESIGN_BLOCK x K */
	float	   *probability;	/* K */
	float	   *cosine;			/* COMPARED x (needed + COMPARED) */
	float	   *block;			/* COMPARED x d */
} Requeue;

static Status
requeue_allocate(Requeue *q)
{
	const Caller *caller = q->caller;
	size_t		D = q->model->features;
	size_t		K = q->model->classes;
	size_t		m = q->m;
	size_t		needed = q->needed;
	bool		ok = true;

	ok = (q->place = allocate_array(caller, m, sizeof(Place))) != NULL && ok;
	ok = (q->order = allocate_array(caller, 2 * m, sizeof(int))) != NULL && ok;
	ok = (q->top = allocate_array(caller, needed * D, sizeof(float))) != NULL && ok;
	ok = (q->score = allocate_array(caller, DESIGN_BLOCK, sizeof(Score))) != NULL && ok;
	ok = (q->logits = allocate_array(caller, DESIGN_BLOCK * K, sizeof(float))) != NULL && ok;
	ok = (q->probability = allocate_array(caller, K, sizeof(float))) != NULL && ok;
	ok = (q->cosine = allocate_array(caller, COMPARED * (needed + COMPARED),
									 sizeof(float))) != NULL && ok;
	ok = (q->block = allocate_array(caller, COMPARED * D, sizeof(float))) != NULL && ok;
	return ok ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void
requeue_free(Requeue *q)
{
	release(q->caller, q->place);
	release(q->caller, q->order);
	release(q->caller, q->top);
	release(q->caller, q->score);
	release(q->caller, q->logits);
	release(q->caller, q->probability);
	release(q->caller, q->cosine);
	release(q->caller, q->block);
}

/* Falling worth; of equals, as they came. */
static int
compare_places(const void *a, const void *b)
{
	const Place *first = a;
	const Place *second = b;

	if (first->worth != second->worth)
		return first->worth > second->worth ? -1 : 1;
	return first->row < second->row ? -1 : first->row > second->row;
}

/* Worth of every candidate that is not excluded, and their order. */
static Status
rank_candidates(Requeue *q, const bool *excluded)
{
	Acquisition acquisition = q->options->acquisition;
	bool		point = acquisition == ACQUIRE_EPIG || acquisition == ACQUIRE_MARGIN;
	size_t		D = q->model->features;

	for (int first = 0; first < q->m; first += DESIGN_BLOCK)
	{
		int			count = q->m - first < DESIGN_BLOCK ? q->m - first : DESIGN_BLOCK;
		const float *features = q->candidates + first * D;

		if (stopped(q->caller))
			return STATUS_STOPPED;
		if (point)
			TRY(model_margins_of(q->model, features, count, NULL, 0, q->logits,
								 q->probability, q->score));
		else if (acquisition != ACQUIRE_RANDOM)
			TRY(model_score_features(q->caller, q->model, features, count, q->score));
		for (int i = 0; i < count; i++)
			if (excluded == NULL || !excluded[first + i])
			{
				q->place[q->ranked].worth = acquisition == ACQUIRE_RANDOM ? 0.0f :
					candidate_score(acquisition, &q->score[i], 0, 0);
				q->place[q->ranked++].row = first + i;
			}
	}
	if (acquisition != ACQUIRE_RANDOM)
		qsort(q->place, q->ranked, sizeof(Place), compare_places);
	return STATUS_SUCCESS;
}

/*
 * EPIG: the first of the order by what they gain, those that gain most first.
 * The gain of all that are there would be no better (see epig_screen) and take
 * longer.
 */
static Status
screen(Requeue *q, const float *targets, int t)
{
	int			n = q->options->screen < q->ranked ? q->options->screen : q->ranked;
	int		   *row = allocate_array(q->caller, n, sizeof(int));
	float	   *gain = allocate_array(q->caller, n, sizeof(float));
	Status		status = row == NULL || gain == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;

	if (status == STATUS_SUCCESS)
	{
		for (int i = 0; i < n; i++)
			row[i] = q->place[i].row;
		status = epig_gains(q->caller, q->model, q->candidates, row, n, targets, t, gain);
	}
	if (status == STATUS_SUCCESS)
	{
		for (int i = 0; i < n; i++)
			q->place[i].worth = gain[i];
		qsort(q->place, n, sizeof(Place), compare_places);
	}
	release(q->caller, row);
	release(q->caller, gain);
	return status;
}

/* Appends the candidate at a place to the distinct ones. */
static void
add_distinct(Requeue *q, int at)
{
	size_t		D = q->model->features;

	memcpy(q->top + q->distinct * D, q->candidates + q->place[at].row * D, sizeof(float) * D);
	q->order[q->distinct++] = at;
}

/*
 * Goes down the order until enough distinct rows are found: order begins
 * with their places; those of the repetitions met on the way follow.
 */
static Status
set_repetitions_aside(Requeue *q)
{
	size_t		D = q->model->features;
	int			dims = q->model->dims;
	int			width = q->needed + COMPARED;
	int		   *aside = q->order + q->m;
	int			repetitions = 0;

	for (int first = 0; first < q->ranked && q->distinct < q->needed; first += COMPARED)
	{
		int			count = q->ranked - first < COMPARED ? q->ranked - first : COMPARED;
		int			before = q->distinct;
		int			added[COMPARED];

		if (stopped(q->caller))
			return STATUS_STOPPED;
		for (int i = 0; i < count; i++)
			memcpy(q->block + (size_t) i * dims, q->candidates + q->place[first + i].row * D,
				   sizeof(float) * dims);
		if (before > 0)
			matrix->gemm_float(false, true, count, before, dims, 1.0f, q->block, dims,
							   q->top, (int) D, 0.0f, q->cosine, width);
		matrix->gemm_float(false, true, count, count, dims, 1.0f, q->block, dims,
						   q->block, dims, 0.0f, q->cosine + before, width);
		for (int i = 0; i < count && q->distinct < q->needed; i++)
		{
			const float *with = q->cosine + (size_t) i * width;
			bool		repeats = false;

			for (int j = 0; j < before && !repeats; j++)
				repeats = with[j] > NEAR_REPETITION;
			for (int j = before; j < q->distinct && !repeats; j++)
				repeats = with[before + added[j - before]] > NEAR_REPETITION;
			if (repeats)
				aside[repetitions++] = first + i;
			else
			{
				added[q->distinct - before] = i;
				add_distinct(q, first + i);
			}
		}
	}
	memmove(q->order + q->distinct, aside, sizeof(int) * repetitions);
	q->listed = q->distinct + repetitions;
	return STATUS_SUCCESS;
}

/*
 * The first places of the new order: EPIG's choice among the distinct rows,
 * then the others by worth, then repetitions.
 */
static Status
choose(Requeue *q, const float *targets, int t, int count, int *chosen, float *gain)
{
	int			greedy = 0;
	int			n = 0;

	if (q->options->acquisition == ACQUIRE_EPIG)
	{
		greedy = q->options->greedy < count ? q->options->greedy : count;
		if (greedy > q->distinct)
			greedy = q->distinct;
		TRY(choose_epig_features(q->caller, q->model, q->top, q->distinct, targets, t,
								 q->options->batch, greedy, chosen, gain));
	}
	for (n = 0; n < greedy; n++)
	{
		int			at = chosen[n];

		chosen[n] = q->place[q->order[at]].row;
		q->order[at] = -1;
	}
	for (int i = 0; i < q->listed && n < count; i++)
		if (q->order[i] >= 0)
		{
			gain[n] = q->place[q->order[i]].worth;
			chosen[n++] = q->place[q->order[i]].row;
		}
	return STATUS_SUCCESS;
}

/* Full scores of the chosen rows, a block at a time in the memory of logits. */
static Status
score_chosen(Requeue *q, int count, const int *chosen, Score *score)
{
	size_t		D = q->model->features;

	for (int first = 0; first < count; first += q->needed)
	{
		int			rows = count - first < q->needed ? count - first : q->needed;

		for (int i = 0; i < rows; i++)
			memcpy(q->top + i * D, q->candidates + chosen[first + i] * D, sizeof(float) * D);
		TRY(model_score_features(q->caller, q->model, q->top, rows, score + first));
	}
	return STATUS_SUCCESS;
}

/* How many distinct rows are worth looking for. */
static int
needed_for(const RequeueOptions *options, int m)
{
	int64_t		needed = options->count;

	if (options->acquisition == ACQUIRE_EPIG)
	{
		int			batch = options->batch < m ? options->batch : m;
		int64_t		window = (int64_t) epig_window(batch) + options->greedy;

		needed = window > needed ? window : needed;
	}
	return needed < 1 ? 1 : needed < m ? (int) needed : m > 0 ? m : 1;
}

/* Bytes that requeue holds at most; see requeue.h. */
size_t
requeue_memory(const Model *model, const RequeueOptions *options, int m, int t)
{
	size_t		D = model->features;
	size_t		K = model->classes;
	size_t		needed = needed_for(options, m);
	size_t		own = m * (sizeof(Place) + 2 * sizeof(int)) + DESIGN_BLOCK * sizeof(Score) +
		sizeof(float) * (needed * D + DESIGN_BLOCK * K + K + COMPARED * (needed + COMPARED + D));
	size_t		score = sizeof(float) * (DESIGN_BLOCK * (D + 2 * K) + K + score_scratch(K) +
										 DESIGN_BLOCK * posterior_scratch(model->posterior, 1));
	size_t		epig = options->acquisition != ACQUIRE_EPIG ? 0 :
		choose_epig_memory(model, (int) needed, t, options->batch, options->greedy);
	size_t		screened = options->acquisition != ACQUIRE_EPIG ? 0 :
		epig_gains_memory(model, options->screen < m ? options->screen : m, t);

	if (epig < screened)
		epig = screened;
	return own + (score > epig ? score : epig) + 64;
}

/* All steps, with memory in place. */
static Status
requeue_steps(Requeue *q, const float *targets, int t, const bool *excluded,
			  int *chosen, float *gain, Score *score, int *found)
{
	int			count;

	TRY(requeue_allocate(q));
	TRY(rank_candidates(q, excluded));
	count = q->options->count < q->ranked ? q->options->count : q->ranked;
	if (q->options->acquisition == ACQUIRE_RANDOM)
		for (int i = 0; i < count; i++)
		{
			chosen[i] = q->place[i].row;
			gain[i] = 0.0f;
		}
	else
	{
		if (q->options->acquisition == ACQUIRE_EPIG && q->options->screen > 0 && t > 0)
			TRY(screen(q, targets, t));
		TRY(set_repetitions_aside(q));
		TRY(choose(q, targets, t, count, chosen, gain));
	}
	TRY(score_chosen(q, count, chosen, score));
	*found = count;
	return STATUS_SUCCESS;
}

/* The head of the queue in its new order; see requeue.h. */
Status
requeue(const Caller *caller, const Model *model, const RequeueOptions *options,
		const float *candidates, int m, const float *targets, int t,
		const bool *excluded, int *chosen, float *gain, Score *score, int *found)
{
	Requeue		q = {0};
	Status		status;

	*found = 0;
	if (m < 0 || t < 0 || options->count < 0 || options->greedy < 0 ||
		options->batch < 1 ||
		(options->acquisition == ACQUIRE_EPIG && options->greedy > 0 && t < 1))
		return STATUS_BAD_ARGUMENT;
	if (m == 0 || options->count == 0)
		return STATUS_SUCCESS;
	q.caller = caller;
	q.model = model;
	q.options = options;
	q.candidates = candidates;
	q.m = m;
	q.needed = needed_for(options, m);
	status = requeue_steps(&q, targets, t, excluded, chosen, gain, score, found);
	requeue_free(&q);
	return status;
}
