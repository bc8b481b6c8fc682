/*-------------------------------------------------------------------------
 *
 * choose.c
 *	  Prior precision and calibration, by cross-validation.
 *
 * Both together minimise the log loss of softmax(s * logits) on rows that
 * the head has not seen: a maximum a posteriori of many weights is far too
 * timid, and how timid depends on the prior.  (The Laplace evidence with a
 * Kronecker log-determinant picks precisions that are too large at few
 * labels.)
 *
 *-------------------------------------------------------------------------
 */
#include "choose.h"

#include <math.h>

#include "../math/kernels.h"
#include "../math/random.h"

/* The loss is as good as flat well inside these. */
#define LOG_SCALE_LOW (-2.0)
#define LOG_SCALE_HIGH 2.3
/* Standard deviation of ln s that the penalty stands for. */
#define LOG_SCALE_SPREAD 0.5
#define MAX_ITERATIONS 200
/* Of the one-fold search: differences between priors are far larger. */
#define QUICK_TOLERANCE 2e-3
/* So many numbers are kept to save a product for each prior and fold. */
#define FOLD_GRAM_CELLS 2000000

/*
 * Puts the n rows into folds: sorted by class, in random order within one,
 * they are dealt out like cards.
 */
Status
stratified_folds(const Caller *caller, const int *label, int n, int classes,
				 int folds, uint64_t seed, int *fold)
{
	int		   *order = allocate_array(caller, n, sizeof(int));
	int		   *next = allocate_array(caller, (size_t) classes + 1, sizeof(int));
	Random		random;

	if (order == NULL || next == NULL)
	{
		release(caller, order);
		release(caller, next);
		return STATUS_NO_MEMORY;
	}
	random_seed(&random, seed);
	for (int i = 0; i < n; i++)
	{
		order[i] = i;
		next[label[i] + 1]++;
	}
	random_shuffle(&random, order, n);
	for (int k = 0; k < classes; k++)
		next[k + 1] += next[k];
	for (int i = 0; i < n; i++)
		fold[order[i]] = next[label[order[i]]]++ % folds;
	release(caller, order);
	release(caller, next);
	return STATUS_SUCCESS;
}

/*
 * Marks the rows whose class also occurs in another fold.  The others can
 * only be got wrong, which says nothing about prior or scale.
 */
static Status
mark_usable(const Caller *caller, const Design *design, const int *fold, bool *usable)
{
	int		   *seen = allocate_array(caller, design->classes, sizeof(int));
	bool	   *many = allocate_array(caller, design->classes, sizeof(bool));

	if (seen != NULL && many != NULL)
	{
		for (int i = 0; i < design->n; i++)
		{
			int			k = design->label[i];

			if (seen[k] != 0 && seen[k] != fold[i] + 1)
				many[k] = true;
			seen[k] = fold[i] + 1;
		}
		for (int i = 0; i < design->n; i++)
			usable[i] = many[design->label[i]];
	}
	release(caller, seen);
	release(caller, many);
	return seen != NULL && many != NULL ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/* Numbers of fold_gram; 0: it is not kept. */
static size_t
fold_gram_cells(int features, int folds)
{
	size_t		cells = (size_t) folds * features * features;

	return cells <= FOLD_GRAM_CELLS ? cells : 0;
}

/* Bytes of a CrossFit. */
size_t
cross_fit_memory(int n, int features, int classes, int folds)
{
	size_t		D = features;
	size_t		K = classes;

	return sizeof(double) * (D * D + fold_gram_cells(features, folds) + folds * D * K + n * K) + n;
}

/* Bytes that the functions on one hold at most. */
size_t
cross_fit_working_memory(int n, int features, int classes, int folds)
{
	size_t		D = features;
	size_t		K = classes;
	size_t		held = n / folds + 1;

	/* a search holds best logits or weights, a validation within it the rest */
	return sizeof(double) * (D * D + D * K + (n + held) * K) + (size_t) n * 8 + held * 5 +
		5 * K + head_fit_memory(n, features, classes);
}

/* Memory for a cross-validation, weights at zero, and X'X. */
Status
cross_fit_start(const Caller *caller, const Design *design, const int *fold,
				int folds, bool single, CrossFit *fit)
{
	size_t		D = design->features;
	size_t		K = design->classes;
	size_t		n = design->n;
	RowSet		all = {NULL, design->n};
	Status		status = STATUS_NO_MEMORY;

	fit->design = design;
	fit->fold = fold;
	fit->folds = folds;
	fit->single = single;
	fit->gram = allocate_array(caller, D * D, sizeof(double));
	fit->weights = allocate_array(caller, folds * D * K, sizeof(double));
	fit->logits = allocate_array(caller, n * K, sizeof(double));
	fit->usable = allocate_array(caller, n, sizeof(bool));
	if (fit->gram != NULL && fit->weights != NULL && fit->logits != NULL &&
		fit->usable != NULL)
		status = head_gram(caller, design, all, 1.0, fit->gram);
	if (status == STATUS_SUCCESS)
		status = mark_usable(caller, design, fold, fit->usable);
	if (status != STATUS_SUCCESS)
		cross_fit_end(caller, fit);
	return status;
}

/* Gives its memory back. */
void
cross_fit_end(const Caller *caller, CrossFit *fit)
{
	release(caller, fit->gram);
	release(caller, fit->fold_gram);
	release(caller, fit->weights);
	release(caller, fit->logits);
	release(caller, fit->usable);
	memset(fit, 0, sizeof(*fit));
}

/* The design in which a fold's labels have no part. */
static Design
design_without(const CrossFit *fit, int which)
{
	Design		design = *fit->design;

	if (fit->fold_soft != NULL)
		design.soft = &fit->fold_soft[which];
	if (fit->nested != NULL)
		design.refine = fit->nested + (size_t) which * design.n * design.refined;
	return design;
}

/* X'X without a fold of nested features, computed or as it was kept. */
static Status
nested_gram(const Caller *caller, CrossFit *fit, const Design *design, int which, RowSet rest,
			double *gram)
{
	size_t		cells = (size_t) design->features * design->features;
	double	   *kept = fit->fold_gram == NULL ? NULL : fit->fold_gram + which * cells;

	if (kept != NULL && fit->fold_gram_known)
	{
		memcpy(gram, kept, sizeof(double) * cells);
		return STATUS_SUCCESS;
	}
	memset(gram, 0, sizeof(double) * cells);
	TRY(head_gram(caller, design, rest, 1.0, gram));
	if (kept != NULL)
		memcpy(kept, gram, sizeof(double) * cells);
	return STATUS_SUCCESS;
}

/*
 * Fits without the rows held of a fold (whose X'X is taken off, where it is
 * of the same features), evaluates them into logits (held->count x K).
 */
static Status
fit_without(const Caller *caller, CrossFit *fit, int which, RowSet rest, RowSet held,
			const HeadOptions *options, double *gram, double *weights, double *logits)
{
	Design		design = design_without(fit, which);
	size_t		cells = (size_t) design.features * design.features;
	double		objective;

	if (fit->nested != NULL)
		TRY(nested_gram(caller, fit, &design, which, rest, gram));
	else
	{
		memcpy(gram, fit->gram, sizeof(double) * cells);
		TRY(head_gram(caller, &design, held, -1.0, gram));
	}
	TRY(head_fit(caller, &design, rest, options, gram, weights, &objective));
	return head_logits(caller, &design, held, weights, logits);
}

/* Rows of a fold to the end of list, the others to its start. */
static void
split(const CrossFit *fit, int which, int *list, RowSet *rest, RowSet *held)
{
	int			front = 0;
	int			back = fit->design->n;

	for (int i = 0; i < fit->design->n; i++)
	{
		if (fit->fold[i] == which)
			list[--back] = i;
		else
			list[front++] = i;
	}
	rest->index = list;
	rest->count = front;
	held->index = list + front;
	held->count = fit->design->n - front;
}

/* Out-of-fold logits at one prior precision; see choose.h. */
Status
cross_validate(const Caller *caller, CrossFit *fit, double prior_precision, double tolerance)
{
	const Design *design = fit->design;
	size_t		D = design->features;
	size_t		K = design->classes;
	size_t		most = design->n / fit->folds + 1;
	HeadOptions options = {prior_precision, tolerance, MAX_ITERATIONS, fit->single};
	int		   *list = allocate_array(caller, design->n, sizeof(int));
	double	   *gram = allocate_array(caller, D * D, sizeof(double));
	double	   *logits = allocate_array(caller, most * K, sizeof(double));
	Status		status = STATUS_SUCCESS;

	if (list == NULL || gram == NULL || logits == NULL)
		status = STATUS_NO_MEMORY;
	if (fit->nested != NULL && fit->fold_gram == NULL && fold_gram_cells((int) D, fit->folds) > 0)
	{
		fit->fold_gram = allocate_array(caller, fit->folds * D * D, sizeof(double));
		if (fit->fold_gram == NULL)
			status = STATUS_NO_MEMORY;
	}
	for (int k = 0; k < fit->folds && status == STATUS_SUCCESS; k++)
	{
		RowSet		rest;
		RowSet		held;

		split(fit, k, list, &rest, &held);
		if (fit->chained && k > 0)
			memcpy(fit->weights + k * D * K, fit->weights + (k - 1) * D * K,
				   sizeof(double) * D * K);
		if (held.count > (int) most)
			status = STATUS_BAD_ARGUMENT;
		else
			status = fit_without(caller, fit, k, rest, held, &options, gram,
								 fit->weights + k * D * K, logits);
		for (int i = 0; i < held.count && status == STATUS_SUCCESS; i++)
			memcpy(fit->logits + held.index[i] * K, logits + i * K, sizeof(double) * K);
	}
	fit->fold_gram_known = status == STATUS_SUCCESS && fit->fold_gram != NULL;
	release(caller, list);
	release(caller, gram);
	release(caller, logits);
	return status;
}

/*
 * Log loss of softmax(scale * logits) for one row of K logits; adds its
 * derivative with respect to ln scale to slope.
 */
FOR_EACH_PROCESSOR static double
scaled_loss(const double *restrict logits, int classes, int label, double scale,
			double *slope)
{
	double		largest = logits[0];
	double		sum[8] = {0};
	double		weighted[8] = {0};
	double		total;
	double		mean;
	int			k = 0;

	for (int j = 1; j < classes; j++)
		largest = logits[j] > largest ? logits[j] : largest;
	for (; k + 8 <= classes; k += 8)
		for (int j = 0; j < 8; j++)
		{
			double		f = (logits[k + j] - largest) * scale;
			double		e = exp_double(f);

			sum[j] += e;
			weighted[j] += e * f;
		}
	for (; k < classes; k++)
	{
		double		f = (logits[k] - largest) * scale;
		double		e = exp_double(f);

		sum[0] += e;
		weighted[0] += e * f;
	}
	for (int j = 1; j < 8; j++)
	{
		sum[0] += sum[j];
		weighted[0] += weighted[j];
	}
	total = sum[0];
	mean = weighted[0] / total;
	*slope += mean - (logits[label] - largest) * scale;
	return log(total) - (logits[label] - largest) * scale;
}

/* The same for row i of labels that are not certain. */
static double
scaled_soft_loss(const double *logits, int classes, const SoftLabels *soft, int i,
				 double scale, double *slope)
{
	double		weight = soft_row_weight(soft, i);
	double		largest = logits[0];
	double		sum = 0.0;
	double		weighted = 0.0;
	double		chosen = 0.0;

	for (int k = 1; k < classes; k++)
		largest = fmax(largest, logits[k]);
	for (int k = 0; k < classes; k++)
	{
		double		f = (logits[k] - largest) * scale;
		double		e = exp_double(f);

		sum += e;
		weighted += e * f;
	}
	for (int e = soft->start[i]; e < soft->start[i + 1]; e++)
		chosen += soft->weight[e] * (logits[soft->class[e]] - largest) * scale;
	*slope += weight * weighted / sum - chosen;
	return weight * log(sum) - chosen;
}

/* Rows that a scale is looked for with. */
typedef struct Calibration
{
	const double *logits;		/* n x classes */
	const int  *label;
	const SoftLabels *soft;		/* NULL: label holds */
	const int  *index;			/* of its rows; NULL: the same */
	const bool *usable;
	int			n;
	int			classes;
} Calibration;

/* The penalised loss at ln s = t, and its derivative. */
static Status
penalised_loss(const Caller *caller, const Calibration *c, double t,
			   double *loss, double *slope)
{
	const double precision = 1.0 / (LOG_SCALE_SPREAD * LOG_SCALE_SPREAD);

	if (stopped(caller))
		return STATUS_STOPPED;
	*loss = 0.5 * precision * t * t;
	*slope = precision * t;
	for (int i = 0; i < c->n; i++)
	{
		const double *logits = c->logits + (size_t) i * c->classes;

		if (!c->usable[i])
			continue;
		*loss += c->soft == NULL ? scaled_loss(logits, c->classes, c->label[i], exp(t), slope)
			: scaled_soft_loss(logits, c->classes, c->soft, c->index != NULL ? c->index[i] : i,
							   exp(t), slope);
	}
	return isfinite(*loss) ? STATUS_SUCCESS : STATUS_NOT_FINITE;
}

/*
 * The best scale for these logits; see choose.h.  A zero of the derivative,
 * by the Illinois variant of regula falsi, which keeps it bracketed.
 */
Status
calibrate_soft(const Caller *caller, const double *logits, const int *label,
			   const SoftLabels *soft, const int *index, const bool *usable, int n,
			   int classes, double *scale, double *loss)
{
	const Calibration rows = {logits, label, soft, index, usable, n, classes};
	double		low = LOG_SCALE_LOW;
	double		high = LOG_SCALE_HIGH;
	double		low_slope;
	double		high_slope;
	double		t = 0.0;
	double		slope;
	int			side = 0;

	TRY(penalised_loss(caller, &rows, t, loss, &slope));
	if (slope > 0.0)
	{
		high = t;
		high_slope = slope;
		TRY(penalised_loss(caller, &rows, low, loss, &low_slope));
	}
	else
	{
		low = t;
		low_slope = slope;
		TRY(penalised_loss(caller, &rows, high, loss, &high_slope));
	}
	for (int i = 0; i < 60 && high - low > 1e-6; i++)
	{
		if (low_slope >= 0.0 || high_slope <= 0.0)
			break;
		t = (low * high_slope - high * low_slope) / (high_slope - low_slope);
		TRY(penalised_loss(caller, &rows, t, loss, &slope));
		if (fabs(slope) < 1e-9 * (1.0 + *loss))
			break;
		if (slope < 0.0)
		{
			low = t;
			low_slope = slope;
			if (side == -1)
				high_slope *= 0.5;
			side = -1;
		}
		else
		{
			high = t;
			high_slope = slope;
			if (side == 1)
				low_slope *= 0.5;
			side = 1;
		}
	}
	/* a minimum at an end */
	if (low_slope >= 0.0)
		t = low;
	else if (high_slope <= 0.0)
		t = high;
	*scale = exp(t);
	return penalised_loss(caller, &rows, t, loss, &slope);
}

Status
calibrate(const Caller *caller, const double *logits, const int *label,
		  const bool *usable, int n, int classes, double *scale, double *loss)
{
	return calibrate_soft(caller, logits, label, NULL, NULL, usable, n, classes, scale, loss);
}

/* What an unusual prior precision costs: ln lam has a spread of 1. */
static double
prior_penalty(const CrossFit *fit, double prior_precision)
{
	double		t = fit->usual > 0.0 ? log(prior_precision / fit->usual) : 0.0;

	return 0.5 * t * t;
}

/* Calibrated loss of one prior precision in a search. */
typedef Status (*LossOfPrior) (const Caller *caller, void *state, double prior_precision,
							   Choice *choice);

/*
 * Downhill over the grid from start: a step to either side, then on in the
 * better direction until the loss rises.  The losses are smooth in ln lam,
 * with one valley in all that has been seen.
 */
static Status
descend(const Caller *caller, LossOfPrior loss_of, void *state,
		const double *grid, int count, int start, Choice *best)
{
	int			at = start;

	TRY(loss_of(caller, state, grid[start], best));
	for (int direction = -1; direction <= 1; direction += 2)
	{
		at = start;
		while (at + direction >= 0 && at + direction < count)
		{
			Choice		choice;

			at += direction;
			TRY(loss_of(caller, state, grid[at], &choice));
			if (!(choice.loss + choice.penalty < best->loss + best->penalty))
				break;
			*best = choice;
		}
		if (best->prior_precision != grid[start])
			break;
	}
	return STATUS_SUCCESS;
}

/* State of the full search: the best logits so far are kept. */
typedef struct FullSearch
{
	CrossFit   *fit;
	double		tolerance;
	double		best;
	double	   *best_logits;	/* n x K */
} FullSearch;

static Status
full_loss(const Caller *caller, void *state, double prior_precision, Choice *choice)
{
	FullSearch *search = state;
	CrossFit   *fit = search->fit;
	const Design *design = fit->design;

	TRY(cross_validate(caller, fit, prior_precision, search->tolerance));
	choice->prior_precision = prior_precision;
	choice->penalty = prior_penalty(fit, prior_precision);
	TRY(calibrate_soft(caller, fit->logits, design->label, design->soft, NULL, fit->usable,
					   design->n, design->classes, &choice->scale, &choice->loss));
	if (choice->loss + choice->penalty < search->best)
	{
		search->best = choice->loss + choice->penalty;
		memcpy(search->best_logits, fit->logits,
			   sizeof(double) * design->n * design->classes);
	}
	return STATUS_SUCCESS;
}

static int
count_usable(const CrossFit *fit)
{
	int			count = 0;

	for (int i = 0; i < fit->design->n; i++)
		count += fit->usable[i];
	return count;
}

/* Prior precision by cross-validation over all folds; see choose.h. */
Status
choose_prior(const Caller *caller, CrossFit *fit, const double *grid, int count,
			 int start, double tolerance, Choice *choice)
{
	size_t		size = (size_t) fit->design->n * fit->design->classes;
	FullSearch	search = {fit, tolerance, INFINITY, NULL};
	Status		status;

	search.best_logits = allocate_array(caller, size, sizeof(double));
	if (search.best_logits == NULL)
		return STATUS_NO_MEMORY;
	/* where no row can say anything, one prior is as good as another */
	if (count_usable(fit) == 0)
		status = full_loss(caller, &search, grid[start], choice);
	else
		status = descend(caller, full_loss, &search, grid, count, start, choice);
	if (status == STATUS_SUCCESS)
		memcpy(fit->logits, search.best_logits, sizeof(double) * size);
	choice->rows = count_usable(fit);
	release(caller, search.best_logits);
	return status;
}

/* State of the search on one fold. */
typedef struct QuickSearch
{
	CrossFit   *fit;
	RowSet		rest;
	RowSet		held;
	double	   *gram;			/* D x D, of rest */
	double	   *best;			/* D x K: weights of the best so far */
	double		best_loss;
	double	   *logits;			/* held x K */
	int		   *label;			/* of held */
	bool	   *usable;
} QuickSearch;

static Status
quick_loss(const Caller *caller, void *state, double prior_precision, Choice *choice)
{
	QuickSearch *search = state;
	CrossFit   *fit = search->fit;
	HeadOptions options = {prior_precision, QUICK_TOLERANCE, MAX_ITERATIONS, true};
	Design		design = design_without(fit, 0);
	double		objective;

	TRY(head_fit(caller, &design, search->rest, &options, search->gram,
				 fit->weights, &objective));
	TRY(head_logits(caller, &design, search->held, fit->weights, search->logits));
	choice->prior_precision = prior_precision;
	choice->penalty = prior_penalty(fit, prior_precision);
	TRY(calibrate_soft(caller, search->logits, search->label, fit->design->soft, search->held.index,
					   search->usable, search->held.count, fit->design->classes,
					   &choice->scale, &choice->loss));
	if (choice->loss + choice->penalty < search->best_loss)
	{
		search->best_loss = choice->loss + choice->penalty;
		memcpy(search->best, fit->weights,
			   sizeof(double) * fit->design->features * fit->design->classes);
	}
	return STATUS_SUCCESS;
}

/* The search of choose_prior_quickly, its memory in place. */
static Status
search_quickly(const Caller *caller, QuickSearch *search, const double *grid, int count,
			   int start, Choice *choice)
{
	CrossFit   *fit = search->fit;
	Design		design = design_without(fit, 0);

	for (int i = 0; i < search->held.count; i++)
	{
		search->label[i] = fit->design->label[search->held.index[i]];
		search->usable[i] = fit->usable[search->held.index[i]];
	}
	TRY(head_gram(caller, &design, search->rest, 1.0, search->gram));
	search->best_loss = INFINITY;
	TRY(descend(caller, quick_loss, search, grid, count, start, choice));
	memcpy(fit->weights, search->best,
		   sizeof(double) * fit->design->features * fit->design->classes);
	choice->rows = search->held.count;
	return STATUS_SUCCESS;
}

/*
 * Prior precision on the first fold; see choose.h.  The best weights stay, for
 * the first fold to start from.
 */
Status
choose_prior_quickly(const Caller *caller, CrossFit *fit, const double *grid,
					 int count, int start, int most, Choice *choice)
{
	size_t		D = fit->design->features;
	size_t		K = fit->design->classes;
	QuickSearch search = {0};
	int		   *list = allocate_array(caller, fit->design->n, sizeof(int));
	Status		status = STATUS_NO_MEMORY;

	search.fit = fit;
	search.gram = allocate_array(caller, D * D, sizeof(double));
	search.best = allocate_array(caller, D * K, sizeof(double));
	if (list != NULL && search.gram != NULL && search.best != NULL)
	{
		int			kept = 0;

		split(fit, 0, list, &search.rest, &search.held);
		/* rows of the other folds, fold by fold: each is a fair sample */
		for (int k = 1; k < fit->folds; k++)
			for (int i = 0; i < fit->design->n && kept < most; i++)
				if (fit->fold[i] == k && kept < search.rest.count)
					list[kept++] = i;
		search.rest.count = kept;
		search.logits = allocate_array(caller, search.held.count * K, sizeof(double));
		search.label = allocate_array(caller, search.held.count, sizeof(int));
		search.usable = allocate_array(caller, search.held.count, sizeof(bool));
		if (search.logits != NULL && search.label != NULL && search.usable != NULL)
			status = search_quickly(caller, &search, grid, count, start, choice);
	}
	release(caller, search.gram);
	release(caller, search.best);
	release(caller, search.logits);
	release(caller, search.label);
	release(caller, search.usable);
	release(caller, list);
	return status;
}
