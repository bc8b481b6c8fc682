/*-------------------------------------------------------------------------
 *
 * held_out.c
 *	  A model that has not seen some of the labelled rows, and how far it is
 *	  off on them.
 *
 * Split conformal prediction (Papadopoulos, Proedrou, Vovk and Gammerman,
 * "Inductive confidence machines for regression", ECML 2002; Vovk, Gammerman
 * and Shafer, "Algorithmic learning in a random world", 2005) compares a new
 * row with rows that the same model has not seen: if these could as well have
 * come in any other order, the loss of the new one has each rank among theirs
 * with the same probability, whatever the model is worth.  It must be the same
 * model.  Losses of a cross-validation are those of models with fewer labels,
 * and a new row that the model of all labels judges ranks too low among them.
 * Having the folds' models judge the new row as well and taking all ranks
 * together (cross-conformal: Vovk, "Cross-conformal predictors", 2015; CV+:
 * Barber, Candes, Ramdas and Tibshirani, "Predictive inference with the
 * jackknife+", Annals of Statistics 2021; for classes Romano, Sesia and Candes,
 * "Classification with valid and adaptive coverage", NeurIPS 2020) covers too
 * much again, as the mean of ranks is seldom extreme, and costs five models.
 *
 * The price is that only a part of the labels says what the limit is: of m rows
 * kept, a share c is below the limit give or take sqrt(c (1 - c) / m), which is
 * 0.023 for c = 0.8 and m = 300.  The losses of all labelled rows are off by as
 * much, always to the safe side; so with fewer rows there is no such model, and
 * they do.  Where only some rows may be used, and all of them are kept, a cross-
 * validation has no more of them to go by.
 *
 * Prior, scale and shares of the parts are those that were chosen on all rows,
 * some handful of numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "held_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../math/random.h"
#include "gathered.h"
#include "metrics.h"

/* What it takes to train on a part of the rows. */
typedef struct Rest
{
	Gathered	rows;
	int			n;
	int		   *index;			/* n: of all rows */
	int		   *label;
	float	   *probability;	/* n x classes */
	SoftLabels	soft;
	int		   *soft_start;
	int		   *soft_class;
	float	   *soft_weight;
} Rest;

/* The rows that are judged. */
typedef struct Judgement
{
	Gathered	rows;
	int			n;
	int		   *index;			/* n */
	Score	   *score;
	float	   *probability;	/* n x classes */
} Judgement;

int
held_out_choose(const Caller *caller, const bool *may, int n, int least, uint64_t seed, bool *held)
{
	int		   *order = allocate_array(caller, n, sizeof(int));
	int			most = n / HELD_OUT_PART;
	int			all = 0;
	int			count;
	Random		random;

	for (int i = 0; i < n; i++)
		held[i] = false;
	if (order == NULL)
		return 0;
	for (int i = 0; i < n; i++)
	{
		if (may[i])
			order[all++] = i;
	}
	random_seed(&random, seed);
	random_shuffle(&random, order, all);
	most = most < HELD_OUT_MOST ? most : HELD_OUT_MOST;
	count = all < most ? all : most;
	if (count < (count == all ? least : HELD_OUT_LEAST))
		count = 0;
	for (int i = 0; i < count; i++)
		held[order[i]] = true;
	release(caller, order);
	return count;
}

/* Deals the rows out; result gets a loss for each that cannot be judged. */
static Status
deal(const Caller *caller, const int *label, int n, int classes, const bool *held, Rest *rest,
	 Judgement *judged, HeldOut *result)
{
	bool	   *known = allocate_array(caller, classes, sizeof(bool));
	bool	   *learned = allocate_array(caller, classes, sizeof(bool));
	bool		allocated = known != NULL && learned != NULL;

	for (int i = 0; i < n && allocated; i++)
	{
		if (!held[i])
			known[label[i]] = learned[label[i]] = true;
	}
	for (int i = 0; i < n && allocated; i++)
	{
		if (held[i] && known[label[i]])
			judged->index[judged->n++] = i;
		else if (held[i])
			result->losses[result->n++] = INFINITY;
		if (!held[i] || !learned[label[i]])
			rest->index[rest->n++] = i;
		learned[label[i]] = true;
	}
	release(caller, known);
	release(caller, learned);
	return allocated ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static Status
gather_rest(const Caller *caller, const Rows *rows, const int *label, int classes,
			const SoftLabels *soft, const float *probability, Rest *rest)
{
	int			entries = 0;

	TRY(gather_rows(caller, rows, rest->index, rest->n, &rest->rows));
	rest->label = allocate_array(caller, rest->n, sizeof(int));
	rest->probability = allocate_array(caller, (size_t) rest->n * classes, sizeof(float));
	if (rest->label == NULL || rest->probability == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < rest->n; i++)
	{
		rest->label[i] = label[rest->index[i]];
		memcpy(rest->probability + (size_t) i * classes,
			   probability + (size_t) rest->index[i] * classes, sizeof(float) * classes);
	}
	if (soft == NULL)
		return STATUS_SUCCESS;
	rest->soft_start = allocate_array(caller, (size_t) rest->n + 1, sizeof(int));
	rest->soft_class = allocate_array(caller, soft->start[soft->n], sizeof(int));
	rest->soft_weight = allocate_array(caller, soft->start[soft->n], sizeof(float));
	if (rest->soft_start == NULL || rest->soft_class == NULL || rest->soft_weight == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < rest->n; i++)
	{
		int			row = rest->index[i];

		for (int e = soft->start[row]; e < soft->start[row + 1]; e++)
		{
			rest->soft_class[entries] = soft->class[e];
			rest->soft_weight[entries++] = soft->weight[e];
		}
		rest->soft_start[i + 1] = entries;
	}
	rest->soft = (SoftLabels) {rest->n, rest->soft_start, rest->soft_class, rest->soft_weight};
	return STATUS_SUCCESS;
}

static Status
judge(const Caller *caller, const Rows *rows, const int *label, int classes, Judgement *judged,
	  HeldOut *result)
{
	TRY(gather_rows(caller, rows, judged->index, judged->n, &judged->rows));
	judged->score = allocate_array(caller, judged->n, sizeof(Score));
	judged->probability = allocate_array(caller, (size_t) judged->n * classes, sizeof(float));
	if (judged->score == NULL || judged->probability == NULL)
		return STATUS_NO_MEMORY;
	TRY(model_score(caller, result->model, &judged->rows.rows, judged->score, judged->probability));
	for (int i = 0; i < judged->n; i++)
		result->losses[result->n++] =
			probability_loss(judged->probability[(size_t) i * classes + label[judged->index[i]]]);
	return STATUS_SUCCESS;
}

static int
compare_losses(const void *a, const void *b)
{
	float		left = *(const float *) a;
	float		right = *(const float *) b;

	return (left > right) - (left < right);
}

static Status
train_and_judge(const Caller *caller, const Rows *rows, const int *label, int classes,
				const TrainOptions *options, double scale, const float *probability,
				const bool *held, Rest *rest, Judgement *judged, HeldOut *result)
{
	TrainOptions rest_options = *options;

	rest->index = allocate_array(caller, rows->n, sizeof(int));
	judged->index = allocate_array(caller, rows->n, sizeof(int));
	result->losses = allocate_array(caller, rows->n, sizeof(float));
	if (rest->index == NULL || judged->index == NULL || result->losses == NULL)
		return STATUS_NO_MEMORY;
	TRY(deal(caller, label, rows->n, classes, held, rest, judged, result));
	TRY(gather_rest(caller, rows, label, classes, options->soft, probability, rest));
	rest_options.soft = options->soft == NULL ? NULL : &rest->soft;
	TRY(model_train_again(caller, &rest->rows.rows, rest->label, classes, &rest_options, scale,
						  rest->probability, &result->model));
	TRY(judge(caller, rows, label, classes, judged, result));
	qsort(result->losses, result->n, sizeof(float), compare_losses);
	return STATUS_SUCCESS;
}

Status
held_out_train(const Caller *caller, const Rows *rows, const int *label, int classes,
			   const TrainOptions *options, double scale, const float *probability,
			   const bool *held, HeldOut *result)
{
	Rest		rest = {.n = 0};
	Judgement	judged = {.n = 0};
	Status		status;

	*result = (HeldOut) {.n = 0};
	status = train_and_judge(caller, rows, label, classes, options, scale, probability, held,
							 &rest, &judged, result);
	gathered_free(caller, &rest.rows);
	release(caller, rest.index);
	release(caller, rest.label);
	release(caller, rest.probability);
	release(caller, rest.soft_start);
	release(caller, rest.soft_class);
	release(caller, rest.soft_weight);
	gathered_free(caller, &judged.rows);
	release(caller, judged.index);
	release(caller, judged.score);
	release(caller, judged.probability);
	if (status != STATUS_SUCCESS)
		held_out_free(caller, result);
	return status;
}

void
held_out_free(const Caller *caller, HeldOut *held_out)
{
	if (held_out->model != NULL)
		model_free(caller, held_out->model);
	release(caller, held_out->losses);
	*held_out = (HeldOut) {.n = 0};
}

size_t
held_out_memory(int n, int dims, int parts, size_t sparse_terms, int sparse_dims, int classes,
				const TrainOptions *options)
{
	size_t		soft = options->soft == NULL ? 0 :
		((size_t) n + 1) * sizeof(int) +
		(size_t) options->soft->start[options->soft->n] * (sizeof(int) + sizeof(float));

	return gathered_memory(n, dims, sparse_terms) + 2 * sizeof(size_t) + soft + 2 * (size_t) classes +
		(size_t) n * (3 * sizeof(int) + sizeof(float) + sizeof(Score) + classes * sizeof(float)) +
		model_train_memory(n, dims, parts, sparse_terms, sparse_dims, classes, options);
}

/* ---------------------------------------------------------------------- */
/* Stored form */

Status
held_out_write(const HeldOut *held_out, Writer *writer)
{
	write_u32(writer, held_out->audited);
	write_u32(writer, (uint32_t) held_out->n);
	write_floats(writer, held_out->losses, held_out->n);
	return model_write(held_out->model, writer);
}

Status
held_out_read(const Caller *caller, Reader *reader, HeldOut *held_out)
{
	uint32_t	audited = read_u32(reader);
	uint32_t	n = read_u32(reader);
	Status		status = STATUS_SUCCESS;

	*held_out = (HeldOut) {.audited = audited == 1};
	if (audited > 1 || n < 1 || n > HELD_OUT_MOST || reader->failed)
		return STATUS_CORRUPT;
	held_out->n = (int) n;
	held_out->losses = read_floats(reader, caller, n);
	if (held_out->losses == NULL)
		return reader->failed ? STATUS_CORRUPT : STATUS_NO_MEMORY;
	/* in order, infinite ones last, and none NaN */
	for (uint32_t i = 0; i < n; i++)
	{
		if (!(held_out->losses[i] >= (i > 0 ? held_out->losses[i - 1] : 0.0f)))
			status = STATUS_CORRUPT;
	}
	if (status == STATUS_SUCCESS)
		status = model_read(caller, reader, &held_out->model);
	if (status != STATUS_SUCCESS)
		held_out_free(caller, held_out);
	return status;
}
