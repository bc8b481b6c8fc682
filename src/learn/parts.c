/*-------------------------------------------------------------------------
 *
 * parts.c
 *	  How much each part of a row counts, where encoders stand side by side.
 *
 *-------------------------------------------------------------------------
 */
#include "parts.h"

#include <math.h>
#include <string.h>

/* More rows say the same, at a price. */
#define MOST_ROWS 2000

/* The share of a part that leads. */
#define LEADING_SHARE 0.8f

/*
 * Shares that are less even must lower the loss by so many nats times the root of
 * the number of rows, which is how far luck alone goes; see REFINE_GAIN in train.c.
 * Without a part that seems of no use among the few rows that are tried, a model
 * cannot learn from it what many rows would teach.
 */
#define SHARE_GAIN 0.2

/* Rows to try with. */
typedef struct Tried
{
	Rows		rows;
	float	   *dense;
	int		   *label;
} Tried;

static size_t
most_rows(int n, int classes)
{
	return n < MOST_ROWS + 2 * classes ? n : MOST_ROWS + 2 * classes;
}

size_t
parts_memory(int n, int dims, int classes)
{
	size_t		rows = most_rows(n, classes);

	/* the copy that is trained with; what is tried, and its copy */
	return (size_t) n * dims * sizeof(float) +
		rows * (2 * dims * sizeof(float) + sizeof(int)) + (size_t) classes * 2 * sizeof(int);
}

double
share_gain(int n)
{
	return SHARE_GAIN / sqrt(n);
}

float
share_scale(float share, int n)
{
	return sqrtf(share * (float) n);
}

float *
share_features(const Caller *caller, const Rows *rows, const float *share)
{
	size_t		dims = rows->dims;
	float	   *dense = allocate_array(caller, rows->n * dims, sizeof(float));

	if (dense == NULL)
		return NULL;
	for (int i = 0; i < rows->n; i++)
	{
		const float *from = rows->dense + i * dims;
		float	   *to = dense + i * dims;

		for (int p = 0; p < rows->parts; p++)
		{
			float		scale = share_scale(share[p], rows->parts);

			for (int j = 0; j < rows->part_dims[p]; j++)
				*to++ = *from++ * scale;
		}
	}
	return dense;
}

/*
 * Some rows of every class, in proportion, but no fewer than two where there
 * are two.
 */
static Status
pick_rows(const Caller *caller, const Rows *rows, const int *label, int classes, Tried *tried)
{
	size_t		dims = rows->dims;
	int		   *left = allocate_array(caller, classes, sizeof(int));
	int			n = 0;

	tried->label = allocate_array(caller, rows->n, sizeof(int));
	tried->dense = allocate_array(caller, most_rows(rows->n, classes) * dims, sizeof(float));
	if (left == NULL || tried->label == NULL || tried->dense == NULL)
	{
		release(caller, left);
		return STATUS_NO_MEMORY;
	}
	for (int i = 0; i < rows->n; i++)
		left[label[i]]++;
	for (int k = 0; k < classes && rows->n > MOST_ROWS; k++)
	{
		int			part = (int) ((int64_t) left[k] * MOST_ROWS / rows->n);

		left[k] = part < 2 ? 2 : part;
	}
	for (int i = 0; i < rows->n; i++)
	{
		if (left[label[i]]-- <= 0)
			continue;
		memcpy(tried->dense + n * dims, rows->dense + i * dims, sizeof(float) * dims);
		tried->label[n++] = label[i];
	}
	release(caller, left);
	tried->rows = *rows;
	tried->rows.n = n;
	tried->rows.dense = tried->dense;
	tried->rows.sparse = NULL;
	tried->rows.sparse_dims = 0;
	return STATUS_SUCCESS;
}

/* The shares of a trial: all alike, then each part alone, then each leading. */
static void
set_shares(int trial, int parts, float *share)
{
	int			first = trial - 1;
	bool		alone = first < parts;

	for (int p = 0; p < parts; p++)
	{
		bool		leads = p == (alone ? first : first - parts);

		if (trial == 0)
			share[p] = 1.0f / (float) parts;
		else if (alone)
			share[p] = leads ? 1.0f : 0.0f;
		else
			share[p] = leads ? LEADING_SHARE : (1.0f - LEADING_SHARE) / (float) (parts - 1);
	}
}

static float
largest_share(const float *share, int parts)
{
	float		largest = share[0];

	for (int p = 1; p < parts; p++)
		largest = share[p] > largest ? share[p] : largest;
	return largest;
}

static Status
try_shares(const Caller *caller, const Tried *tried, int classes, const TrainOptions *options,
		   PartTrial *trial)
{
	Rows		rows = tried->rows;
	TrainOptions hard = *options;
	float	   *dense = share_features(caller, &rows, trial->share);
	Status		status;

	if (dense == NULL)
		return STATUS_NO_MEMORY;
	rows.dense = dense;
	rows.parts = 0;
	/* these are some of the rows: each of its most probable class */
	hard.soft = NULL;
	status = model_validate(caller, &rows, tried->label, classes, &hard, &trial->log_loss,
							&trial->accuracy);
	release(caller, dense);
	return status;
}

/* Of those that luck could make the best, the most even; the better of two alike. */
static int
choose_trial(const PartTrial *trial, int count, int parts, double luck)
{
	int			lowest = 0;
	int			chosen;

	for (int i = 1; i < count; i++)
		lowest = trial[i].log_loss < trial[lowest].log_loss ? i : lowest;
	chosen = lowest;
	for (int i = 0; i < count; i++)
	{
		float		more = largest_share(trial[i].share, parts) -
			largest_share(trial[chosen].share, parts);

		if (trial[i].log_loss <= trial[lowest].log_loss + luck &&
			(more < 0.0f || (more == 0.0f && trial[i].log_loss < trial[chosen].log_loss)))
			chosen = i;
	}
	return chosen;
}

Status
choose_shares(const Caller *caller, const Rows *rows, const int *label, int classes,
			  const TrainOptions *options, float *share, PartTrial *trial, int *trials)
{
	int			parts = rows->parts;
	int			count = 1 + 2 * parts;
	Tried		tried = {.dense = NULL};
	Status		status = pick_rows(caller, rows, label, classes, &tried);

	for (int i = 0; i < count && status == STATUS_SUCCESS; i++)
	{
		set_shares(i, parts, trial[i].share);
		status = try_shares(caller, &tried, classes, options, &trial[i]);
	}
	if (status == STATUS_SUCCESS)
		memcpy(share, trial[choose_trial(trial, count, parts, share_gain(tried.rows.n))].share,
			   sizeof(float) * parts);
	*trials = count;
	release(caller, tried.dense);
	release(caller, tried.label);
	return status;
}
