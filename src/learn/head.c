/*-------------------------------------------------------------------------
 *
 * head.c
 *	  Multinomial logistic regression with a Gaussian prior: its maximum a
 *	  posteriori.
 *
 * L-BFGS (Nocedal and Wright, "Numerical optimization", algorithm 7.4), not
 * started from a multiple of the identity but from the inverse of
 * C = X'X/K + lam I, the curvature of each class at W = 0.  C is the same
 * for all classes, so one Cholesky factor of D x D serves, and a step costs
 * two products with X.  Boehning's bound (1/2 for 1/K) takes twice the
 * iterations with 77 classes; curvatures that differ by class, in the
 * eigenbasis of X'X or of its Kronecker product with the classes' covariance,
 * were tried and take as many.
 *
 * Classes are over-parametrised: adding a vector to all columns of W changes
 * only the prior's term.  Both C and the updates keep to the columns' mean
 * that the start has, so a start should have mean zero.
 *
 *-------------------------------------------------------------------------
 */
#include "head.h"

#include <math.h>

#include "../math/kernels.h"
#include "../math/matrix.h"

/* Pairs that L-BFGS remembers. */
#define MEMORY 8

/*
 * What a fit holds.  Matrices D x K are one contiguous vector of `size`
 * numbers here.
 */
typedef struct Fit
{
	const Caller *caller;
	const Design *design;
	RowSet		rows;
	double		prior_precision;
	bool		single;
	int			size;			/* D * K */

	double	   *block;			/* DESIGN_BLOCK x D */
	double	   *logits;			/* DESIGN_BLOCK x K */
	float	   *block_float;	/* the same for single precision */
	float	   *logits_float;
	float	   *weights_float;	/* D x K */
	float	   *gradient_float;

	double	   *factor;			/* D x D: lower Cholesky factor of C */
	double	   *gradient;
	double	   *next_weights;
	double	   *next_gradient;
	double	   *direction;
	double	   *rest;			/* of the gradient, for the two loops */
	double	   *solved;			/* C^-1 gradient */
	double	   *next_solved;
	double	   *step[MEMORY];	/* changes of W, of the gradient with it, and */
	double	   *change[MEMORY]; /* C^-1 of that: so a step solves only once, */
	double	   *solved_change[MEMORY];	/* for the gradient it ends with */
	double		product[MEMORY];	/* step . change */
	double		scale;			/* of C^-1, from the last pair */
	int			pairs;			/* remembered */
	int			newest;			/* position of the last one */
} Fit;

FOR_EACH_PROCESSOR static double
dot(int size, const double *restrict a, const double *restrict b)
{
	double		sum[8] = {0};
	int			i;

	for (i = 0; i + 8 <= size; i += 8)
		for (int j = 0; j < 8; j++)
			sum[j] += a[i + j] * b[i + j];
	for (; i < size; i++)
		sum[0] += a[i] * b[i];
	return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

FOR_EACH_PROCESSOR static void
add_scaled(int size, double factor, const double *restrict from, double *restrict to)
{
	for (int i = 0; i < size; i++)
		to[i] += factor * from[i];
}

static RowSet
block_of(RowSet rows, int first)
{
	RowSet		block;

	block.index = rows.index != NULL ? rows.index + first : NULL;
	block.count = rows.count - first < DESIGN_BLOCK ? rows.count - first : DESIGN_BLOCK;
	return block;
}

/*
 * Turns one row of logits (K) into the gradient with respect to them,
 * softmax - target, and returns its loss.  This, label_loss_float and soft_loss
 * are the only places that know what a label is to the head.
 */
FOR_EACH_PROCESSOR static double
label_loss(double *restrict logits, int classes, int label)
{
	double		largest = logits[0];
	double		chosen = logits[label];
	double		sum = 0.0;
	double		inverse;

	for (int k = 1; k < classes; k++)
		largest = logits[k] > largest ? logits[k] : largest;
	for (int k = 0; k < classes; k++)
		logits[k] = exp_double(logits[k] - largest);
	for (int k = 0; k < classes; k++)
		sum += logits[k];
	inverse = 1.0 / sum;
	for (int k = 0; k < classes; k++)
		logits[k] *= inverse;
	logits[label] -= 1.0;
	return log(sum) + largest - chosen;
}

/* The same in single precision. */
FOR_EACH_PROCESSOR static double
label_loss_float(float *restrict logits, int classes, int label)
{
	float		largest = largest_float(logits, classes);
	float		chosen = logits[label];
	float		sum = exponentiate_float(logits, classes, largest);

	scale_float(logits, classes, 1.0f / sum);
	logits[label] -= 1.0f;
	return log(sum) + largest - chosen;
}

/*
 * The same for row i of labels that are not certain: the sum of the losses of its
 * classes, each times its weight.
 */
static double
soft_loss(double *logits, int classes, const SoftLabels *soft, int i)
{
	double		weight = soft_row_weight(soft, i);
	double		largest = logits[0];
	double		chosen = 0.0;
	double		sum = 0.0;

	for (int k = 1; k < classes; k++)
		largest = fmax(largest, logits[k]);
	for (int e = soft->start[i]; e < soft->start[i + 1]; e++)
		chosen += soft->weight[e] * logits[soft->class[e]];
	for (int k = 0; k < classes; k++)
	{
		logits[k] = exp_double(logits[k] - largest);
		sum += logits[k];
	}
	for (int k = 0; k < classes; k++)
		logits[k] *= weight / sum;
	for (int e = soft->start[i]; e < soft->start[i + 1]; e++)
		logits[soft->class[e]] -= soft->weight[e];
	return weight * (log(sum) + largest) - chosen;
}

/* The same in single precision. */
static double
soft_loss_float(float *logits, int classes, const SoftLabels *soft, int i)
{
	float		weight = soft_row_weight(soft, i);
	float		largest = largest_float(logits, classes);
	double		chosen = 0.0;
	float		sum;

	for (int e = soft->start[i]; e < soft->start[i + 1]; e++)
		chosen += soft->weight[e] * logits[soft->class[e]];
	sum = exponentiate_float(logits, classes, largest);
	scale_float(logits, classes, weight / sum);
	for (int e = soft->start[i]; e < soft->start[i + 1]; e++)
		logits[soft->class[e]] -= soft->weight[e];
	return weight * (log(sum) + largest) - chosen;
}

/* Adds loss and gradient of a block of rows, in double precision. */
static double
add_block(Fit *fit, RowSet rows, int first, const double *weights, double *gradient)
{
	const Design *design = fit->design;
	int			D = design->features;
	int			K = design->classes;
	double		loss = 0.0;

	design_rows(design, rows.index, first, rows.count, fit->block);
	matrix->gemm(false, false, rows.count, K, D, 1.0, fit->block, D, weights, K,
				 0.0, fit->logits, K);
	for (int i = 0; i < rows.count; i++)
	{
		int			row = rows.index != NULL ? rows.index[i] : first + i;
		double	   *logits = fit->logits + (size_t) i * K;

		loss += design->soft == NULL ? label_loss(logits, K, design->label[row])
			: soft_loss(logits, K, design->soft, row);
	}
	if (gradient != NULL)
		matrix->gemm(true, false, D, K, rows.count, 1.0, fit->block, D, fit->logits, K,
					 1.0, gradient, K);
	return loss;
}

/* The same in single precision. */
static double
add_block_float(Fit *fit, RowSet rows, int first)
{
	const Design *design = fit->design;
	int			D = design->features;
	int			K = design->classes;
	double		loss = 0.0;

	design_rows_float(design, rows.index, first, rows.count, fit->block_float);
	matrix->gemm_float(false, false, rows.count, K, D, 1.0f, fit->block_float, D,
					   fit->weights_float, K, 0.0f, fit->logits_float, K);
	for (int i = 0; i < rows.count; i++)
	{
		int			row = rows.index != NULL ? rows.index[i] : first + i;
		float	   *logits = fit->logits_float + (size_t) i * K;

		loss += design->soft == NULL ? label_loss_float(logits, K, design->label[row])
			: soft_loss_float(logits, K, design->soft, row);
	}
	matrix->gemm_float(true, false, D, K, rows.count, 1.0f, fit->block_float, D,
					   fit->logits_float, K, 1.0f, fit->gradient_float, K);
	return loss;
}

/* Objective and gradient at weights (each D x K), over all rows. */
static Status
evaluate(Fit *fit, const double *weights, double *value, double *gradient)
{
	double		loss = 0.5 * fit->prior_precision * dot(fit->size, weights, weights);

	for (int i = 0; i < fit->size; i++)
		gradient[i] = fit->prior_precision * weights[i];
	if (fit->single)
		for (int i = 0; i < fit->size; i++)
		{
			fit->weights_float[i] = (float) weights[i];
			fit->gradient_float[i] = 0.0f;
		}
	for (int first = 0; first < fit->rows.count; first += DESIGN_BLOCK)
	{
		RowSet		block = block_of(fit->rows, first);

		if (stopped(fit->caller))
			return STATUS_STOPPED;
		loss += fit->single ? add_block_float(fit, block, first)
			: add_block(fit, block, first, weights, gradient);
	}
	if (fit->single)
		for (int i = 0; i < fit->size; i++)
			gradient[i] += fit->gradient_float[i];
	*value = loss;
	return isfinite(loss) ? STATUS_SUCCESS : STATUS_NOT_FINITE;
}

/* C^-1 from, D x K. */
static void
precondition(const Fit *fit, const double *from, double *to)
{
	int			D = fit->design->features;
	int			K = fit->design->classes;

	for (int i = 0; i < fit->size; i++)
		to[i] = from[i];
	matrix->trsm(false, D, K, fit->factor, D, to, K);
	matrix->trsm(true, D, K, fit->factor, D, to, K);
}

/*
 * The direction H^-1 gradient by the two loops over the remembered pairs,
 * newest first, then oldest first.
 */
static void
find_direction(Fit *fit)
{
	double		alpha[MEMORY];

	memcpy(fit->rest, fit->gradient, sizeof(double) * fit->size);
	memcpy(fit->direction, fit->solved, sizeof(double) * fit->size);
	for (int i = 0; i < fit->pairs; i++)
	{
		int			at = (fit->newest + MEMORY - i) % MEMORY;

		alpha[at] = dot(fit->size, fit->step[at], fit->rest) / fit->product[at];
		add_scaled(fit->size, -alpha[at], fit->change[at], fit->rest);
		add_scaled(fit->size, -alpha[at], fit->solved_change[at], fit->direction);
	}
	for (int i = 0; i < fit->size; i++)
		fit->direction[i] *= fit->scale;
	for (int i = fit->pairs - 1; i >= 0; i--)
	{
		int			at = (fit->newest + MEMORY - i) % MEMORY;
		double		beta = dot(fit->size, fit->change[at], fit->direction) / fit->product[at];

		add_scaled(fit->size, alpha[at] - beta, fit->step[at], fit->direction);
	}
}

/*
 * Remembers the pair of a step, where its curvature is positive, and scales
 * C^-1 to that curvature.
 */
static void
remember(Fit *fit, const double *weights)
{
	int			at = (fit->newest + 1) % MEMORY;
	double	   *step = fit->step[at];
	double	   *change = fit->change[at];
	double	   *solved = fit->solved_change[at];
	double		product;

	for (int i = 0; i < fit->size; i++)
	{
		step[i] = fit->next_weights[i] - weights[i];
		change[i] = fit->next_gradient[i] - fit->gradient[i];
		solved[i] = fit->next_solved[i] - fit->solved[i];
	}
	product = dot(fit->size, step, change);
	if (!(product > 1e-12 * dot(fit->size, change, change)))
	{
		/* what was here is gone */
		if (fit->pairs == MEMORY)
			fit->pairs--;
		return;
	}
	fit->scale = product / dot(fit->size, change, solved);
	fit->product[at] = product;
	fit->newest = at;
	if (fit->pairs < MEMORY)
		fit->pairs++;
}

static void
exchange(double **a, double **b)
{
	double	   *spare = *a;

	*a = *b;
	*b = spare;
}

/*
 * One step: direction, halving line search (Armijo), memory.  *moved is
 * false where no step lowers the objective any more.
 */
static Status
take_step(Fit *fit, double *weights, double *value, bool *moved)
{
	double		slope;
	double		length = 1.0;
	double		next;

	find_direction(fit);
	slope = -dot(fit->size, fit->gradient, fit->direction);
	for (;;)
	{
		for (int i = 0; i < fit->size; i++)
			fit->next_weights[i] = weights[i] - length * fit->direction[i];
		TRY(evaluate(fit, fit->next_weights, &next, fit->next_gradient));
		if (next <= *value + 1e-4 * length * slope || length < 1e-10)
			break;
		length *= 0.5;
	}
	*moved = next <= *value;
	if (*moved)
	{
		precondition(fit, fit->next_gradient, fit->next_solved);
		remember(fit, weights);
		memcpy(weights, fit->next_weights, sizeof(double) * fit->size);
		exchange(&fit->gradient, &fit->next_gradient);
		exchange(&fit->solved, &fit->next_solved);
		*value = next;
	}
	return STATUS_SUCCESS;
}

/* Memory of a fit, with_factor for head_fit; everything NULL at first. */
static Status
fit_allocate(Fit *fit, bool with_factor)
{
	const Caller *caller = fit->caller;
	size_t		D = fit->design->features;
	size_t		K = fit->design->classes;
	size_t		size = D * K;
	int			rows = fit->rows.count < DESIGN_BLOCK ? fit->rows.count : DESIGN_BLOCK;
	bool		ok = true;

	if (fit->single)
	{
		ok = (fit->block_float = allocate_array(caller, rows * D, sizeof(float))) != NULL && ok;
		ok = (fit->logits_float = allocate_array(caller, rows * K, sizeof(float))) != NULL && ok;
		ok = (fit->weights_float = allocate_array(caller, size, sizeof(float))) != NULL && ok;
		ok = (fit->gradient_float = allocate_array(caller, size, sizeof(float))) != NULL && ok;
	}
	else
	{
		ok = (fit->block = allocate_array(caller, rows * D, sizeof(double))) != NULL && ok;
		ok = (fit->logits = allocate_array(caller, rows * K, sizeof(double))) != NULL && ok;
	}
	if (with_factor)
	{
		ok = (fit->factor = allocate_array(caller, D * D, sizeof(double))) != NULL && ok;
		ok = (fit->gradient = allocate_array(caller, size, sizeof(double))) != NULL && ok;
		ok = (fit->next_weights = allocate_array(caller, size, sizeof(double))) != NULL && ok;
		ok = (fit->next_gradient = allocate_array(caller, size, sizeof(double))) != NULL && ok;
		ok = (fit->direction = allocate_array(caller, size, sizeof(double))) != NULL && ok;
		ok = (fit->rest = allocate_array(caller, size, sizeof(double))) != NULL && ok;
		ok = (fit->solved = allocate_array(caller, size, sizeof(double))) != NULL && ok;
		ok = (fit->next_solved = allocate_array(caller, size, sizeof(double))) != NULL && ok;
		for (int i = 0; i < MEMORY; i++)
		{
			ok = (fit->step[i] = allocate_array(caller, size, sizeof(double))) != NULL && ok;
			ok = (fit->change[i] = allocate_array(caller, size, sizeof(double))) != NULL && ok;
			ok = (fit->solved_change[i] = allocate_array(caller, size, sizeof(double))) != NULL && ok;
		}
	}
	return ok ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void
fit_free(Fit *fit)
{
	const Caller *caller = fit->caller;

	release(caller, fit->block);
	release(caller, fit->logits);
	release(caller, fit->block_float);
	release(caller, fit->logits_float);
	release(caller, fit->weights_float);
	release(caller, fit->gradient_float);
	release(caller, fit->factor);
	release(caller, fit->gradient);
	release(caller, fit->next_weights);
	release(caller, fit->next_gradient);
	release(caller, fit->direction);
	release(caller, fit->rest);
	release(caller, fit->solved);
	release(caller, fit->next_solved);
	for (int i = 0; i < MEMORY; i++)
	{
		release(caller, fit->step[i]);
		release(caller, fit->change[i]);
		release(caller, fit->solved_change[i]);
	}
}

/* Bytes that a function here holds at most; see head.h. */
size_t
head_fit_memory(int n, int features, int classes)
{
	size_t		rows = n < DESIGN_BLOCK ? n : DESIGN_BLOCK;
	size_t		D = features;
	size_t		K = classes;

	return sizeof(double) * (rows * (D + K) + D * D + (9 + 3 * MEMORY) * D * K);
}

/* The lower Cholesky factor of gram/K + lam I. */
static Status
factorise(Fit *fit, const double *gram)
{
	int			D = fit->design->features;

	for (int i = 0; i < D; i++)
	{
		for (int j = 0; j <= i; j++)
			fit->factor[(size_t) i * D + j] = gram[(size_t) i * D + j] / fit->design->classes;
		fit->factor[(size_t) i * D + i] += fit->prior_precision;
	}
	return matrix->potrf(D, fit->factor, D) == 0 ? STATUS_SUCCESS : STATUS_SINGULAR;
}

/* The iterations of head_fit, with memory in place. */
static Status
minimise(Fit *fit, const HeadOptions *options, double *weights, double *objective)
{
	bool		moved = true;

	TRY(evaluate(fit, weights, objective, fit->gradient));
	precondition(fit, fit->gradient, fit->solved);
	for (int i = 0; i < options->max_iterations; i++)
	{
		double		decrement = dot(fit->size, fit->gradient, fit->solved);

		if (!isfinite(decrement))
			return STATUS_NOT_FINITE;
		if (!moved || decrement <= options->tolerance * fmax(1.0, fabs(*objective)))
			break;
		TRY(take_step(fit, weights, objective, &moved));
	}
	return STATUS_SUCCESS;
}

/*
 * Minimises the negative log posterior from weights (D x K) on; see head.h.
 */
Status
head_fit(const Caller *caller, const Design *design, RowSet rows,
		 const HeadOptions *options, const double *gram,
		 double *weights, double *objective)
{
	Fit			fit = {0};
	Status		status;

	fit.caller = caller;
	fit.design = design;
	fit.rows = rows;
	fit.prior_precision = options->prior_precision;
	fit.single = options->single;
	fit.size = design->features * design->classes;
	fit.scale = 1.0;
	fit.newest = MEMORY - 1;
	status = fit_allocate(&fit, true);
	if (status == STATUS_SUCCESS)
		status = factorise(&fit, gram);
	if (status == STATUS_SUCCESS)
		status = minimise(&fit, options, weights, objective);
	fit_free(&fit);
	return status;
}

/*
 * The negative log posterior of the rows at weights (D x K), and its
 * gradient (D x K).
 */
Status
head_objective(const Caller *caller, const Design *design, RowSet rows,
			   const double *weights, double prior_precision,
			   double *value, double *gradient)
{
	Fit			fit = {0};
	Status		status;

	fit.caller = caller;
	fit.design = design;
	fit.rows = rows;
	fit.prior_precision = prior_precision;
	fit.size = design->features * design->classes;
	status = fit_allocate(&fit, false);
	if (status == STATUS_SUCCESS)
		status = evaluate(&fit, weights, value, gradient);
	fit_free(&fit);
	return status;
}

/* Adds sign * X'X of the rows to gram (D x D, lower triangle). */
Status
head_gram(const Caller *caller, const Design *design, RowSet rows, double sign, double *gram)
{
	int			D = design->features;
	int			most = rows.count < DESIGN_BLOCK ? rows.count : DESIGN_BLOCK;
	double	   *block = allocate_array(caller, (size_t) most * D, sizeof(double));
	Status		status = block == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;

	for (int first = 0; first < rows.count && status == STATUS_SUCCESS; first += DESIGN_BLOCK)
	{
		RowSet		part = block_of(rows, first);

		design_rows(design, part.index, first, part.count, block);
		matrix->syrk(true, D, part.count, sign, block, D, 1.0, gram, D);
		if (stopped(caller))
			status = STATUS_STOPPED;
	}
	release(caller, block);
	return status;
}

/* Logits X W of the rows (count x K). */
Status
head_logits(const Caller *caller, const Design *design, RowSet rows,
			const double *weights, double *logits)
{
	int			D = design->features;
	int			K = design->classes;
	int			most = rows.count < DESIGN_BLOCK ? rows.count : DESIGN_BLOCK;
	double	   *block = allocate_array(caller, (size_t) most * D, sizeof(double));
	Status		status = block == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;

	for (int first = 0; first < rows.count && status == STATUS_SUCCESS; first += DESIGN_BLOCK)
	{
		RowSet		part = block_of(rows, first);

		design_rows(design, part.index, first, part.count, block);
		matrix->gemm(false, false, part.count, K, D, 1.0, block, D, weights, K,
					 0.0, logits + (size_t) first * K, K);
		if (stopped(caller))
			status = STATUS_STOPPED;
	}
	release(caller, block);
	return status;
}
