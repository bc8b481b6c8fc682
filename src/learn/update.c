/*-------------------------------------------------------------------------
 *
 * update.c
 *	  The fast update: what new answers change, between two trainings.
 *
 * The posterior that the last training left is the prior of what comes: an
 * assumed-density step (Opper, "A Bayesian approach to on-line learning",
 * 1998) with a Laplace approximation of it.  In calibrated weights V = s W,
 * with V0 those of the base and S the one covariance that its posterior has
 * for all classes (posterior.h), the revision is the minimum of
 *
 *		- sum_i sum_k q_ik log softmax(x_i V)_k
 *		+ 1/2 sum_k (v_k - v0_k)' S^-1 (v_k - v0_k)
 *
 * over the rows whose label is not what the base was trained with.  q is 1
 * for a new or changed label and 0 for the others.  For a label b that was
 * taken back it is softmax(x V0) with p_b^2 in place of p_b and the others
 * larger by what that leaves.  Losses that stop pulling once they have what
 * they ask for: to subtract the loss of the old label, to first order, would
 * be the exact thing under the exact posterior, but S is wide, and a tenth
 * of a thousand labels corrected so made models worse than leaving them.
 *
 * The prior is that of the base for every revision, not that of the revision
 * before: so answers in any order, and in portions of any size, lead to the
 * same weights.
 *
 * A covariance for each class, as the posterior has it for variances, does
 * no better here, and costs weights that are no product of few factors.
 *
 * In V - V0 = S^(1/2) Q the prior is the identity, and each row adds one
 * direction.  L-BFGS (Nocedal and Wright, "Numerical optimization", algorithm
 * 7.4) needs few steps there.  Logits are linear along a step, so a line
 * search costs no product with the rows.
 *
 *-------------------------------------------------------------------------
 */
#include "update.h"

#include <math.h>
#include <string.h>

#include "../math/kernels.h"
#include "../math/matrix.h"
#include "design.h"
#include "revision.h"

/* Pairs that L-BFGS remembers. */
#define MEMORY 8
#define MAX_STEPS 60
#define MAX_SEARCH 12
/*
 * The squared Newton decrement, in nats, that is as good as none; and for
 * each row, whose sum single precision rounds.
 */
#define TOLERANCE 1e-7
#define ROW_TOLERANCE 2e-9

/* Rows and state; what is D x K is one vector of `size` numbers here. */
typedef struct Update
{
	const Caller *caller;
	const Model *base;
	int			m;				/* rows that change something */
	int			classes;		/* K */
	int			features;		/* D */
	int			size;			/* D * K */
	int		   *row;			/* m: which */
	const SoftLabels *soft;		/* NULL: labels are certain */

	float	   *rows;			/* m x D: whitened, S^(1/2) x */
	float	   *logits;			/* m x K */
	float	   *move;			/* m x K: of the logits, in one step */
	float	   *wanted;			/* m x K: the probabilities that the loss asks
								 * for */
	float	   *residual;		/* m x K: how far those at the logits are off */
	float	   *probability;	/* K: scratch */
	float	   *at;				/* D x K: Q */
	float	   *gradient;
	float	   *last;			/* gradient before the step */
	float	   *direction;
	float	   *step[MEMORY];
	float	   *change[MEMORY];
	double		product[MEMORY];
	int			pairs;
	int			newest;
} Update;

/* Sums in strips, in double precision every so often. */
FOR_EACH_PROCESSOR static double
dot(int size, const float *restrict a, const float *restrict b)
{
	double		total = 0.0;
	int			i = 0;

	while (i + 16 <= size)
	{
		float		sum[16] = {0};
		int			end = i + 1024 < size ? i + 1024 : size;

		for (; i + 16 <= end; i += 16)
			for (int j = 0; j < 16; j++)
				sum[j] += a[i + j] * b[i + j];
		for (int j = 0; j < 16; j++)
			total += sum[j];
	}
	for (; i < size; i++)
		total += a[i] * b[i];
	return total;
}

FOR_EACH_PROCESSOR static void
add_scaled(int size, float factor, const float *restrict from, float *restrict to)
{
	for (int i = 0; i < size; i++)
		to[i] += factor * from[i];
}

/*
 * Probabilities of a row at logits + length * move, into probability.  The
 * slope of its loss along move, and the curvature.
 */
FOR_EACH_PROCESSOR static void
look_along(const float *restrict logits, const float *restrict move, float length,
		   int classes, const float *restrict wanted, float *restrict probability,
		   double *slope, double *curvature)
{
	float		largest;
	float		sum;
	float		mean = 0.0f;
	float		goal = 0.0f;
	float		square = 0.0f;

	for (int k = 0; k < classes; k++)
		probability[k] = logits[k] + length * move[k];
	largest = largest_float(probability, classes);
	sum = exponentiate_float(probability, classes, largest);
	scale_float(probability, classes, 1.0f / sum);
	for (int k = 0; k < classes; k++)
	{
		mean += probability[k] * move[k];
		goal += wanted[k] * move[k];
		square += probability[k] * move[k] * move[k];
	}
	*slope += mean - goal;
	*curvature += fmaxf(square - mean * mean, 0.0f);
}

/* to = rows times vector, m x K. */
static Status
rows_times(Update *u, const float *vector, float *to)
{
	for (int first = 0; first < u->m; first += DESIGN_BLOCK)
	{
		int			count = u->m - first < DESIGN_BLOCK ? u->m - first : DESIGN_BLOCK;

		if (stopped(u->caller))
			return STATUS_STOPPED;
		matrix->gemm_float(false, false, count, u->classes, u->features, 1.0f,
						   u->rows + (size_t) first * u->features, u->features,
						   vector, u->classes, 0.0f,
						   to + (size_t) first * u->classes, u->classes);
	}
	return STATUS_SUCCESS;
}

/* Residuals at the logits, and the gradient. */
static Status
find_gradient(Update *u)
{
	size_t		K = u->classes;

	for (int i = 0; i < u->m; i++)
	{
		predict_row(u->logits + i * K, (int) K, u->residual + i * K);
		add_scaled((int) K, -1.0f, u->wanted + i * K, u->residual + i * K);
	}
	/* the prior's */
	memcpy(u->gradient, u->at, sizeof(float) * u->size);
	for (int first = 0; first < u->m; first += DESIGN_BLOCK)
	{
		int			count = u->m - first < DESIGN_BLOCK ? u->m - first : DESIGN_BLOCK;

		if (stopped(u->caller))
			return STATUS_STOPPED;
		matrix->gemm_float(true, false, u->features, u->classes, count, 1.0f,
						   u->rows + (size_t) first * u->features, u->features,
						   u->residual + first * K, u->classes, 1.0f,
						   u->gradient, u->classes);
	}
	return STATUS_SUCCESS;
}

/* The direction, downhill, by the two loops over the remembered pairs. */
static void
find_direction(Update *u)
{
	double		alpha[MEMORY];
	float		scale = 1.0f;

	for (int i = 0; i < u->size; i++)
		u->direction[i] = -u->gradient[i];
	for (int i = 0; i < u->pairs; i++)
	{
		int			j = (u->newest + MEMORY - i) % MEMORY;

		alpha[j] = dot(u->size, u->step[j], u->direction) / u->product[j];
		add_scaled(u->size, (float) -alpha[j], u->change[j], u->direction);
	}
	if (u->pairs > 0)
	{
		const float *change = u->change[u->newest];

		scale = (float) (u->product[u->newest] / dot(u->size, change, change));
	}
	for (int i = 0; i < u->size; i++)
		u->direction[i] *= scale;
	for (int i = u->pairs - 1; i >= 0; i--)
	{
		int			j = (u->newest + MEMORY - i) % MEMORY;
		double		beta = dot(u->size, u->change[j], u->direction) / u->product[j];

		add_scaled(u->size, (float) (alpha[j] - beta), u->step[j], u->direction);
	}
}

/*
 * How far to go: where the slope along the direction is a tenth of what it
 * was, by Newton's method within a bracket.  The objective is convex, so the
 * slope only rises.
 */
static Status
search(Update *u, double start, double at_direction, double square, double *found)
{
	size_t		K = u->classes;
	double		low = 0.0;
	double		high = INFINITY;
	double		length = 1.0;

	for (int i = 0; i < MAX_SEARCH; i++)
	{
		double		slope = at_direction + length * square;
		double		curvature = square;
		double		next;

		for (int j = 0; j < u->m; j++)
		{
			if (j % DESIGN_BLOCK == 0 && stopped(u->caller))
				return STATUS_STOPPED;
			look_along(u->logits + j * K, u->move + j * K, (float) length, u->classes,
					   u->wanted + j * K, u->probability, &slope, &curvature);
		}
		if (!isfinite(slope))
			return STATUS_NOT_FINITE;
		if (fabs(slope) <= 0.1 * fabs(start))
			break;
		if (slope > 0.0)
			high = length;
		else
			low = length;
		next = length - slope / curvature;
		if (!(next > low && next < high))
			next = isfinite(high) ? 0.5 * (low + high) : 2.0 * length;
		length = next;
	}
	*found = length;
	return STATUS_SUCCESS;
}

/* Remembers a step of this length along the direction. */
static void
remember(Update *u, float length)
{
	int			j = (u->newest + 1) % MEMORY;

	for (int i = 0; i < u->size; i++)
	{
		u->step[j][i] = length * u->direction[i];
		u->change[j][i] = u->gradient[i] - u->last[i];
	}
	u->product[j] = dot(u->size, u->step[j], u->change[j]);
	/* the curvature is at least the prior's: less is rounding */
	if (!(u->product[j] > 0.5 * dot(u->size, u->step[j], u->step[j])))
	{
		u->pairs = 0;
		return;
	}
	u->newest = j;
	if (u->pairs < MEMORY)
		u->pairs++;
}

/* The minimum, from u->at with its logits on. */
static Status
minimise(Update *u)
{
	TRY(find_gradient(u));
	for (int i = 0; i < MAX_STEPS; i++)
	{
		double		decrement = dot(u->size, u->gradient, u->gradient);
		double		slope;
		double		length;
		float	   *spare;

		if (!isfinite(decrement))
			return STATUS_NOT_FINITE;
		if (decrement <= TOLERANCE + ROW_TOLERANCE * u->m)
			break;
		find_direction(u);
		slope = dot(u->size, u->gradient, u->direction);
		TRY(rows_times(u, u->direction, u->move));
		TRY(search(u, slope, dot(u->size, u->at, u->direction),
				   dot(u->size, u->direction, u->direction), &length));
		add_scaled(u->size, (float) length, u->direction, u->at);
		for (int j = 0; j < u->m; j++)
			add_scaled(u->classes, (float) length, u->move + (size_t) j * u->classes,
					   u->logits + (size_t) j * u->classes);
		spare = u->last;
		u->last = u->gradient;
		u->gradient = spare;
		TRY(find_gradient(u));
		remember(u, (float) length);
	}
	return STATUS_SUCCESS;
}

/* The rows that change something, and what they do to the counts. */
static Status
select_rows(Update *u, const Rows *rows, const int *label, const int *before, Model *model)
{
	int			K = u->classes;

	for (int i = 0; i < rows->n; i++)
	{
		if (label[i] < -1 || label[i] >= K || before[i] < -1 || before[i] >= K)
			return STATUS_BAD_ARGUMENT;
		if (label[i] == before[i])
			continue;
		u->row[u->m++] = i;
		if (label[i] >= 0)
			model->count[label[i]]++;
		if (before[i] >= 0 && model->count[before[i]] > 0)
			model->count[before[i]]--;
	}
	return STATUS_SUCCESS;
}

/* What entering a block of rows takes. */
typedef struct Entry
{
	float	   *refined;		/* stride: one row's */
	float	   *projected;		/* block x r */
	float	   *square;			/* block x (r + 1) */
	Whitening	whitening;		/* S^(1/2) */
} Entry;

static Status
entry_init(Update *u, int block, Entry *entry)
{
	const Posterior *posterior = u->base->posterior;
	size_t		r = posterior->rank;
	size_t		stride = u->base->refine != NULL ? u->base->refine->stride : 0;

	entry->refined = allocate_array(u->caller, stride, sizeof(float));
	entry->projected = allocate_array(u->caller, block * r, sizeof(float));
	entry->square = allocate_array(u->caller, block * (r + 1), sizeof(float));
	if (entry->refined == NULL || entry->projected == NULL || entry->square == NULL)
		return STATUS_NO_MEMORY;
	return whitening_init(u->caller, posterior, false, &entry->whitening);
}

static void
entry_free(Update *u, Entry *entry)
{
	release(u->caller, entry->refined);
	release(u->caller, entry->projected);
	release(u->caller, entry->square);
	whitening_free(u->caller, &entry->whitening);
}

/*
 * What the loss of a row asks for: its label now, or what that may be; or, where
 * that has been taken back, less of what it was: q at the top of this file.  p: of
 * the base.
 */
static void
want(const Update *u, int row, const float *p, int then, int now, float *wanted)
{
	int			classes = u->classes;

	if (now >= 0)
	{
		memset(wanted, 0, sizeof(float) * classes);
		if (u->soft == NULL)
			wanted[now] = 1.0f;
		else
			for (int e = u->soft->start[row]; e < u->soft->start[row + 1]; e++)
				wanted[u->soft->class[e]] = u->soft->weight[e];
		return;
	}
	for (int k = 0; k < classes; k++)
		wanted[k] = p[k] * (k == then ? p[then] : 1.0f + p[then]);
}

/*
 * What count rows add to the curvature, with the probabilities that the base
 * gives them: it has not seen the new ones, so these are as honest as the
 * out-of-fold ones that the posterior was made of.  Rows taken back take
 * theirs away.  And what their losses ask for.
 */
static void
add_rows_curvature(Update *u, Entry *entry, int first, int count, const int *label,
				   const int *before, float *curvature)
{
	const Posterior *posterior = u->base->posterior;
	size_t		K = u->classes;
	int			D = u->features;
	int			r = posterior->rank;

	matrix->gemm_float(false, true, count, r, D, 1.0f, u->rows + (size_t) first * D, D,
					   posterior->basis, D, 0.0f, entry->projected, r);
	for (int i = 0; i < count; i++)
	{
		const float *x = u->rows + ((size_t) first + i) * D;
		const float *z = entry->projected + (size_t) i * r;
		float	   *square = entry->square + (size_t) i * (r + 1);
		float	   *wanted = u->wanted + (first + i) * K;
		float	   *p = u->residual + (first + i) * K;
		float	   *spread = u->move + (first + i) * K;
		int			now = label[u->row[first + i]];
		int			then = before[u->row[first + i]];
		float		sign = now < 0 ? -1.0f : then < 0 ? 1.0f : 0.0f;

		for (int j = 0; j < r; j++)
			square[j] = z[j] * z[j];
		square[r] = r < D ? (float) fmax(dot(D, x, x) - dot(r, z, z), 0.0) / (D - r) : 0.0f;
		predict_row(u->logits + (first + i) * K, (int) K, p);
		for (size_t k = 0; k < K; k++)
			spread[k] = sign * p[k] * (1.0f - p[k]);
		want(u, u->row[first + i], p, then, now, wanted);
	}
	matrix->gemm_float(true, false, r + 1, u->classes, count, 1.0f, entry->square, r + 1,
					   u->move + first * K, u->classes, 1.0f, curvature, u->classes);
}

/*
 * The selected rows, block by block: logits of the base, curvature, what is
 * wanted, whitened features.
 */
static Status
enter_rows(Update *u, const Rows *rows, const int *label, const int *before,
		   float *curvature)
{
	size_t		D = u->features;
	int			most = u->m < DESIGN_BLOCK ? u->m : DESIGN_BLOCK;
	Entry		entry = {0};
	Status		status = entry_init(u, most, &entry);

	for (int first = 0; first < u->m && status == STATUS_SUCCESS; first += most)
	{
		int			count = u->m - first < most ? u->m - first : most;
		float	   *to = u->rows + first * D;

		if (stopped(u->caller))
		{
			status = STATUS_STOPPED;
			break;
		}
		for (int i = 0; i < count; i++)
			model_features_of(u->base, rows, u->row[first + i], 1, entry.refined, to + i * D);
		model_logits_of(u->base, to, count, u->logits + (size_t) first * u->classes);
		add_rows_curvature(u, &entry, first, count, label, before, curvature);
		whiten_rows(&entry.whitening, to, count, entry.projected);
	}
	entry_free(u, &entry);
	return status;
}

/* Q of an earlier revision, and the logits there. */
static Status
start_from(Update *u, const Model *start)
{
	const Posterior *posterior = u->base->posterior;
	float		scale = (float) u->base->scale;
	Whitening	whitening;

	if (start == NULL || start == u->base)
		return STATUS_SUCCESS;
	TRY(whitening_init(u->caller, posterior, true, &whitening));
	for (int i = 0; i < u->size; i++)
		u->at[i] = scale * (start->weights[i] - u->base->weights[i]);
	whiten_weights(&whitening, u->at, u->classes, u->direction);
	whitening_free(u->caller, &whitening);
	TRY(rows_times(u, u->at, u->move));
	for (int i = 0; i < u->m; i++)
		add_scaled(u->classes, 1.0f, u->move + (size_t) i * u->classes,
				   u->logits + (size_t) i * u->classes);
	return STATUS_SUCCESS;
}

/* W = W0 + S^(1/2) Q / s. */
static Status
leave_weights(Update *u, float *weights)
{
	float		scale = (float) (1.0 / u->base->scale);
	Whitening	whitening;

	TRY(whitening_init(u->caller, u->base->posterior, false, &whitening));
	whiten_weights(&whitening, u->at, u->classes, u->direction);
	whitening_free(u->caller, &whitening);
	for (int i = 0; i < u->size; i++)
		weights[i] = u->base->weights[i] + scale * u->at[i];
	return STATUS_SUCCESS;
}

static Status
update_allocate(Update *u, int n)
{
	const Caller *caller = u->caller;
	size_t		K = u->classes;
	size_t		size = u->size;
	bool		ok = true;

	ok = (u->row = allocate_array(caller, n, sizeof(int))) != NULL && ok;
	ok = (u->rows = allocate_array(caller, (size_t) n * u->features, sizeof(float))) != NULL && ok;
	ok = (u->logits = allocate_array(caller, n * K, sizeof(float))) != NULL && ok;
	ok = (u->move = allocate_array(caller, n * K, sizeof(float))) != NULL && ok;
	ok = (u->wanted = allocate_array(caller, n * K, sizeof(float))) != NULL && ok;
	ok = (u->residual = allocate_array(caller, n * K, sizeof(float))) != NULL && ok;
	ok = (u->probability = allocate_array(caller, K, sizeof(float))) != NULL && ok;
	ok = (u->at = allocate_array(caller, size, sizeof(float))) != NULL && ok;
	ok = (u->gradient = allocate_array(caller, size, sizeof(float))) != NULL && ok;
	ok = (u->last = allocate_array(caller, size, sizeof(float))) != NULL && ok;
	ok = (u->direction = allocate_array(caller, size, sizeof(float))) != NULL && ok;
	for (int i = 0; i < MEMORY; i++)
	{
		ok = (u->step[i] = allocate_array(caller, size, sizeof(float))) != NULL && ok;
		ok = (u->change[i] = allocate_array(caller, size, sizeof(float))) != NULL && ok;
	}
	return ok ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void
update_free(Update *u)
{
	release(u->caller, u->row);
	release(u->caller, u->rows);
	release(u->caller, u->logits);
	release(u->caller, u->move);
	release(u->caller, u->wanted);
	release(u->caller, u->residual);
	release(u->caller, u->probability);
	release(u->caller, u->at);
	release(u->caller, u->gradient);
	release(u->caller, u->last);
	release(u->caller, u->direction);
	for (int i = 0; i < MEMORY; i++)
	{
		release(u->caller, u->step[i]);
		release(u->caller, u->change[i]);
	}
}

/* Bytes that model_update holds at most; see update.h. */
size_t
model_update_memory(const Model *base, int n)
{
	size_t		D = base->features;
	size_t		K = base->classes;
	size_t		r = base->posterior->rank;
	size_t		most = n < DESIGN_BLOCK ? n : DESIGN_BLOCK;
	size_t		stride = base->refine != NULL ? base->refine->stride : 0;
	size_t		floats = n * (D + 4 * K) + (4 + 2 * MEMORY) * D * K + K +
		most * (2 * r + 1) + stride + r;

	return revision_memory((int) D, (int) K) + n * sizeof(int) + floats * sizeof(float) +
		64;
}

/* The steps of model_update, into a revision that is still its base. */
static Status
update(Update *u, const Model *start, const Rows *rows, const int *label,
	   const int *before, Model *model)
{
	TRY(update_allocate(u, rows->n));
	TRY(select_rows(u, rows, label, before, model));
	if (u->m == 0)
		return STATUS_SUCCESS;
	TRY(enter_rows(u, rows, label, before, model->revision->curvature));
	TRY(start_from(u, start));
	TRY(minimise(u));
	return leave_weights(u, model->weights);
}

static bool
soft_is_valid(const SoftLabels *soft, int n, const int *label, int classes)
{
	if (soft->n != n || soft->start[0] != 0)
		return false;
	for (int i = 0; i < n; i++)
	{
		if (soft->start[i + 1] < soft->start[i] ||
			(label[i] >= 0 && soft->start[i + 1] == soft->start[i]))
			return false;
		for (int e = soft->start[i]; e < soft->start[i + 1]; e++)
			if (soft->class[e] < 0 || soft->class[e] >= classes ||
				!(soft->weight[e] > 0.0f && soft->weight[e] <= 1.0f))
				return false;
	}
	return true;
}

/* A revision of base; see update.h. */
Status
model_update(const Caller *caller, const Model *base, const Model *start,
			 const Rows *rows, const int *label, const int *before, Model **updated)
{
	return model_update_soft(caller, base, start, rows, label, NULL, before, updated);
}

Status
model_update_soft(const Caller *caller, const Model *base, const Model *start,
				  const Rows *rows, const int *label, const SoftLabels *soft,
				  const int *before, Model **updated)
{
	Update		u = {0};
	Model	   *model;
	Status		status;

	*updated = NULL;
	if (base->revision != NULL || !model_takes(base, rows) ||
		(start != NULL && !revision_of(base, start)) ||
		(size_t) base->features * base->classes > INT32_MAX ||
		(soft != NULL && !soft_is_valid(soft, rows->n, label, base->classes)))
		return STATUS_BAD_ARGUMENT;
	TRY(revision_allocate(caller, base, &model));
	u.caller = caller;
	u.base = base;
	u.soft = soft;
	u.classes = base->classes;
	u.features = base->features;
	u.size = u.features * u.classes;
	u.newest = MEMORY - 1;
	status = update(&u, start, rows, label, before, model);
	update_free(&u);
	if (status == STATUS_SUCCESS)
		status = revision_finish(base, model);
	if (status != STATUS_SUCCESS)
	{
		model_free(caller, model);
		return status;
	}
	*updated = model;
	return STATUS_SUCCESS;
}
