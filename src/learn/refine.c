/*-------------------------------------------------------------------------
 *
 * refine.c
 *	  Features learned from the labels on the encoder's sparse stage.
 *
 * One class against the rest, squared hinge loss, by dual coordinate descent
 * (Hsieh, Chang, Lin, Keerthi and Sundararajan, "A dual coordinate descent
 * method for large-scale linear SVM", ICML 2008, algorithm 1 with D = 1/2C).
 * All classes see the same row at the same time, so the weights of an n-gram
 * lie together and a row costs two passes of vector operations, whatever the
 * number of classes up to the width of a register.
 *
 * Out-of-fold values without a fit from scratch for each fold: the weights
 * are a sum over the rows, w = sum_i a_i y_i x_i, so a fold's share is taken
 * out exactly, and two passes over the other rows let them take up the
 * slack.  What the fold has left in the others' a_i is far below the noise
 * of the values themselves (the accuracy of out-of-fold values stays below
 * that of the fitted ones on new rows).
 *
 * An n-gram that one row alone has gets its weights from that row alone: they
 * are its value there times one vector, the same for all such n-grams of the
 * row.  So these are one n-gram to the solver, of the length that they have
 * together.  With hundreds of rows that is most n-grams.
 *
 *-------------------------------------------------------------------------
 */
#include "refine.h"

#include <math.h>

#include "../math/kernels.h"
#include "../math/random.h"

/* Loss against norm, for rows of unit length. */
#define COST 1.0f
/* Passes over all rows, and over the rest of them when a fold is taken out. */
#define EPOCHS 6
#define REPAIR_EPOCHS 2
/*
 * Decision values are about -1 and 1, and a prior of one precision for all
 * features has to suit them beside dense ones of some 1/sqrt(dims).
 */
#define FEATURE_SCALE 0.5f
/* Rows between two questions whether to stop. */
#define ROWS_BETWEEN_STOPS 256

/* The rows with their n-grams renumbered, and the dual solution. */
typedef struct Solver
{
	const Caller *caller;
	int			n;
	int			terms;			/* different n-grams, those of one row taken
								 * together */
	int			columns;
	int			stride;
	const int  *label;
	size_t	   *start;			/* n + 1: rows in index and value */
	uint32_t   *index;			/* below terms */
	float	   *value;
	uint32_t   *place;			/* of each n-gram of the Refine, below terms */
	float	   *share;			/* of the weights there that are its own */
	float	   *inverse_norm;	/* n */
	float	   *weight;			/* terms x stride */
	float	   *bias;			/* stride: weight of a constant 1 */
	float	   *dual;			/* n x stride: a >= 0 */
	float	   *decision;		/* stride */
	float	   *update;			/* stride */
	int		   *order;			/* n */
} Solver;

/* How many features it adds. */
int
refine_columns(int classes)
{
	return classes == 2 ? 1 : classes;
}

/*
 * sum[0 .. 16 lanes) += sum_t x_t w_t[0 .. 16 lanes); lanes is a constant
 * wherever this is inlined, so that the sums stay in registers.
 */
ALWAYS_INLINE void
gather_lanes(const uint32_t *index, const float *value, size_t terms, float factor,
			 const float *weight, int stride, int lanes, float *sum)
{
	Lanes16		local[5] = {{0}};

	for (size_t t = 0; t < terms; t++)
	{
		const Lanes16 *w = (const Lanes16 *) (weight + (size_t) index[t] * stride);
		float		x = value[t] * factor;

		for (int j = 0; j < lanes; j++)
			local[j] += x * w[j];
	}
	for (int j = 0; j < lanes; j++)
		((Lanes16 *) sum)[j] += local[j];
}

/* The same for a stride of 8. */
ALWAYS_INLINE void
gather_eight(const uint32_t *index, const float *value, size_t terms, float factor,
			 const float *weight, float *sum)
{
	Lanes8		local = {0};

	for (size_t t = 0; t < terms; t++)
		local += value[t] * factor * *(const Lanes8 *) (weight + (size_t) index[t] * 8);
	*(Lanes8 *) sum += local;
}

/* sum[0 .. stride) += x' W. */
FOR_EACH_PROCESSOR static void
gather(const uint32_t *index, const float *value, size_t terms, float factor,
	   const float *weight, int stride, float *sum)
{
	int			lanes = stride / 16;

	if (stride == 8)
		gather_eight(index, value, terms, factor, weight, sum);
	for (; lanes > 5; lanes -= 4, weight += 64, sum += 64)
		gather_lanes(index, value, terms, factor, weight, stride, 4, sum);
	switch (lanes)
	{
		case 5:
			gather_lanes(index, value, terms, factor, weight, stride, 5, sum);
			break;
		case 4:
			gather_lanes(index, value, terms, factor, weight, stride, 4, sum);
			break;
		case 3:
			gather_lanes(index, value, terms, factor, weight, stride, 3, sum);
			break;
		case 2:
			gather_lanes(index, value, terms, factor, weight, stride, 2, sum);
			break;
		case 1:
			gather_lanes(index, value, terms, factor, weight, stride, 1, sum);
			break;
	}
}

/* W += x update'. */
FOR_EACH_PROCESSOR static void
scatter(const uint32_t *index, const float *value, size_t terms, float factor,
		float *weight, int stride, const float *update)
{
	for (size_t t = 0; t < terms; t++)
	{
		float	   *w = weight + (size_t) index[t] * stride;
		float		x = value[t] * factor;

		if (stride == 8)
			*(Lanes8 *) w += x * *(const Lanes8 *) update;
		for (int j = 0; j + 16 <= stride; j += 16)
			*(Lanes16 *) (w + j) += x * *(const Lanes16 *) (update + j);
	}
}

/*
 * The closed-form step of every class's dual variable for one row, whose
 * decision values are given: afterwards dual holds the new variables and
 * update what to add to the weights, y (a_new - a_old).  norm is x'x + 1.
 */
FOR_EACH_PROCESSOR static void
step_duals(const float *restrict decision, int stride, int own, float norm,
		   float *restrict dual, float *restrict update)
{
	const float diagonal = 0.5f / COST;
	const float inverse = 1.0f / (norm + diagonal);
	float		before = 0.0f;

	if (own >= 0)
		before = dual[own];
	for (int i = 0; i < stride; i += 8)
		for (int j = i; j < i + 8; j++)
		{
			/* y = -1: the gradient is -f - 1 + D a */
			float		next = dual[j] + (decision[j] + 1.0f - diagonal * dual[j]) * inverse;

			next = next > 0.0f ? next : 0.0f;
			update[j] = dual[j] - next;
			dual[j] = next;
		}
	if (own >= 0)
	{
		float		next = before - (decision[own] - 1.0f + diagonal * before) * inverse;

		next = next > 0.0f ? next : 0.0f;
		update[own] = next - before;
		dual[own] = next;
	}
}

/* The column in which row i counts as +1; -1: none. */
static int
own_column(const Solver *solver, int i)
{
	if (solver->columns == 1)
		return solver->label[i] == 1 ? 0 : -1;
	return solver->label[i];
}

/* Decision values of row i into solver->decision. */
static void
decide(Solver *solver, int i)
{
	size_t		first = solver->start[i];

	memcpy(solver->decision, solver->bias, sizeof(float) * solver->stride);
	gather(solver->index + first, solver->value + first, solver->start[i + 1] - first,
		   solver->inverse_norm[i], solver->weight, solver->stride, solver->decision);
}

/* One pass over rows order[0 .. count). */
static Status
run_epoch(Solver *solver, const int *order, int count)
{
	for (int o = 0; o < count; o++)
	{
		int			i = order[o];
		size_t		first = solver->start[i];
		float		norm = solver->inverse_norm[i] > 0.0f ? 2.0f : 1.0f;

		if (o % ROWS_BETWEEN_STOPS == 0 && stopped(solver->caller))
			return STATUS_STOPPED;
		decide(solver, i);
		step_duals(solver->decision, solver->stride, own_column(solver, i), norm,
				   solver->dual + (size_t) i * solver->stride, solver->update);
		for (int j = solver->columns; j < solver->stride; j++)
			solver->update[j] = 0.0f;
		for (int j = 0; j < solver->columns; j++)
			solver->bias[j] += solver->update[j];
		scatter(solver->index + first, solver->value + first, solver->start[i + 1] - first,
				solver->inverse_norm[i], solver->weight, solver->stride, solver->update);
	}
	return STATUS_SUCCESS;
}

/* Takes the share of row i out of the weights. */
static void
take_out(Solver *solver, int i)
{
	size_t		first = solver->start[i];
	const float *dual = solver->dual + (size_t) i * solver->stride;
	int			own = own_column(solver, i);

	for (int j = 0; j < solver->stride; j++)
		solver->update[j] = j < solver->columns ? dual[j] : 0.0f;
	if (own >= 0)
		solver->update[own] = -dual[own];
	for (int j = 0; j < solver->columns; j++)
		solver->bias[j] += solver->update[j];
	scatter(solver->index + first, solver->value + first, solver->start[i + 1] - first,
			solver->inverse_norm[i], solver->weight, solver->stride, solver->update);
}

/*
 * Decision values of the rows of a fold from weights without their share,
 * into features.  Weights and duals are as they were afterwards: the copies
 * work, the originals stay.
 */
static Status
decide_fold(Solver *solver, const int *fold, int which, Random *random, float *features,
			float *spare_weight, float *spare_dual, float *spare_bias)
{
	Solver		rest = *solver;
	int			count = 0;

	memcpy(spare_weight, solver->weight, sizeof(float) * solver->terms * solver->stride);
	memcpy(spare_dual, solver->dual, sizeof(float) * solver->n * solver->stride);
	memcpy(spare_bias, solver->bias, sizeof(float) * solver->stride);
	rest.weight = spare_weight;
	rest.dual = spare_dual;
	rest.bias = spare_bias;
	for (int i = 0; i < solver->n; i++)
	{
		if (i % ROWS_BETWEEN_STOPS == 0 && stopped(solver->caller))
			return STATUS_STOPPED;
		if (fold[i] == which)
			take_out(&rest, i);
		else
			rest.order[count++] = i;
	}
	for (int epoch = 0; epoch < REPAIR_EPOCHS; epoch++)
	{
		random_shuffle(random, rest.order, count);
		TRY(run_epoch(&rest, rest.order, count));
	}
	for (int i = 0; i < solver->n; i++)
	{
		if (i % ROWS_BETWEEN_STOPS == 0 && stopped(solver->caller))
			return STATUS_STOPPED;
		if (fold[i] != which)
			continue;
		decide(&rest, i);
		memcpy(features + (size_t) i * solver->columns, rest.decision,
			   sizeof(float) * solver->columns);
	}
	return STATUS_SUCCESS;
}

/* Bytes of a Refine. */
size_t
refine_result_memory(size_t sparse_terms, int sparse_dims, int classes)
{
	size_t		stride = refine_stride(refine_columns(classes));
	size_t		terms = sparse_terms < (size_t) sparse_dims ? sparse_terms : (size_t) sparse_dims;

	return sizeof(Refine) + (size_t) sparse_dims * sizeof(uint32_t) + terms * (stride + 8) +
		stride * sizeof(float) + 3;
}

/* Bytes that refine_train holds at most, its result included. */
size_t
refine_memory(int n, size_t sparse_terms, int sparse_dims, int classes)
{
	size_t		stride = refine_stride(refine_columns(classes));
	size_t		terms = sparse_terms < (size_t) sparse_dims ? sparse_terms : (size_t) sparse_dims;

	return refine_result_memory(sparse_terms, sparse_dims, classes) +
		sparse_terms * (sizeof(uint32_t) + sizeof(float)) +
		terms * (2 * stride * sizeof(float) + sizeof(uint32_t) + sizeof(float)) +
		(size_t) n * (2 * stride * sizeof(float) + 8 + sizeof(size_t)) + sizeof(size_t) +
		4 * stride * sizeof(float) + 3;
}

/*
 * Numbers the n-grams that the rows have, ascending: refine gets index, slot
 * and terms.  Those that several rows have get the first places in the solver.
 */
static Status
number_terms(Solver *solver, const SparseRows *sparse, Refine *refine)
{
	for (int i = 0; i < sparse->n; i++)
	{
		if (i % ROWS_BETWEEN_STOPS == 0 && stopped(solver->caller))
			return STATUS_STOPPED;
		for (size_t t = sparse->start[i]; t < sparse->start[i + 1]; t++)
			refine->slot[sparse->index[t]] += refine->slot[sparse->index[t]] < 2;
	}
	for (int i = 0; i < refine->sparse_dims; i++)
		refine->terms += refine->slot[i] != 0;
	refine->index = allocate_array(solver->caller, refine->terms, sizeof(uint32_t));
	solver->place = allocate_array(solver->caller, refine->terms, sizeof(uint32_t));
	solver->share = allocate_array(solver->caller, refine->terms, sizeof(float));
	if (refine->index == NULL || solver->place == NULL || solver->share == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0, term = 0; i < refine->sparse_dims; i++)
		if (refine->slot[i] != 0)
		{
			refine->index[term] = i;
			if (refine->slot[i] > 1)
			{
				solver->place[term] = solver->terms++;
				solver->share[term] = 1.0f;
			}
			refine->slot[i] = ++term;
		}
	return STATUS_SUCCESS;
}

/* Row i in the solver's n-grams; at: where it starts. */
static size_t
renumber_row(Solver *solver, const SparseRows *sparse, const Refine *refine, int i, size_t at)
{
	float		squares = 0.0f;
	float		length;

	for (size_t t = sparse->start[i]; t < sparse->start[i + 1]; t++)
	{
		uint32_t	term = refine->slot[sparse->index[t]] - 1;

		if (solver->share[term] == 0.0f)
		{
			squares += sparse->weight[t] * sparse->weight[t];
			continue;
		}
		solver->index[at] = solver->place[term];
		solver->value[at++] = sparse->weight[t];
	}
	if (!(squares > 0.0f))
		return at;
	length = sqrtf(squares);
	for (size_t t = sparse->start[i]; t < sparse->start[i + 1]; t++)
	{
		uint32_t	term = refine->slot[sparse->index[t]] - 1;

		if (solver->share[term] != 0.0f)
			continue;
		solver->place[term] = solver->terms;
		solver->share[term] = sparse->weight[t] / length;
	}
	solver->index[at] = solver->terms++;
	solver->value[at++] = length;
	return at;
}

/* The rows as the solver sees them. */
static Status
renumber(Solver *solver, const SparseRows *sparse, Refine *refine)
{
	TRY(number_terms(solver, sparse, refine));
	for (int i = 0; i < sparse->n; i++)
	{
		if (i % ROWS_BETWEEN_STOPS == 0 && stopped(solver->caller))
			return STATUS_STOPPED;
		solver->start[i + 1] = renumber_row(solver, sparse, refine, i, solver->start[i]);
	}
	return STATUS_SUCCESS;
}

/* Checks the rows and takes down their lengths. */
static Status
measure_rows(Solver *solver, const SparseRows *sparse, int sparse_dims)
{
	for (int i = 0; i < sparse->n; i++)
	{
		float		sum = 0.0f;

		for (size_t t = sparse->start[i]; t < sparse->start[i + 1]; t++)
		{
			if (sparse->index[t] >= (uint32_t) sparse_dims)
				return STATUS_BAD_ARGUMENT;
			sum += sparse->weight[t] * sparse->weight[t];
		}
		if (!isfinite(sum))
			return STATUS_NOT_FINITE;
		solver->inverse_norm[i] = sum > 0.0f ? 1.0f / sqrtf(sum) : 0.0f;
	}
	return STATUS_SUCCESS;
}

/*
 * Rounds the weights to 8 bits a column with a scale for each n-gram: the
 * sum over a row's n-grams is then off by some thousandths.
 */
static void
keep_weights(const Solver *solver, Refine *refine)
{
	for (int t = 0; t < refine->terms; t++)
	{
		const float *from = solver->weight + (size_t) solver->place[t] * solver->stride;
		int8_t	   *to = refine->weight + (size_t) t * refine->stride;
		float		largest = 0.0f;

		/* without a weight in the only row that has it */
		if (solver->share[t] == 0.0f)
			continue;
		for (int j = 0; j < solver->columns; j++)
			largest = fmaxf(largest, fabsf(from[j]));
		if (largest * fabsf(solver->share[t]) < 1e-20f)
			continue;
		refine->scale[t] = largest / 127.0f * FEATURE_SCALE * solver->share[t];
		for (int j = 0; j < solver->columns; j++)
			to[j] = (int8_t) lrintf(from[j] / largest * 127.0f);
	}
}

/*
 * Centres the out-of-fold decision values, scales them, and gives the same
 * centre to the features of other rows.
 */
static void
centre(const Solver *solver, Refine *refine, float *features)
{
	for (int j = 0; j < solver->columns; j++)
	{
		double		mean = 0.0;

		for (int i = 0; i < solver->n; i++)
			mean += features[(size_t) i * solver->columns + j];
		mean /= solver->n;
		for (int i = 0; i < solver->n; i++)
		{
			float	   *value = &features[(size_t) i * solver->columns + j];

			*value = (*value - (float) mean) * FEATURE_SCALE;
		}
		refine->offset[j] = (solver->bias[j] - (float) mean) * FEATURE_SCALE;
	}
}

/* What is left of refine_train when the memory is there. */
static Status
solve(Solver *solver, const int *fold, int folds, uint64_t seed, float *features,
	  float *spare_weight, float *spare_dual, float *spare_bias)
{
	Random		random;

	random_seed(&random, seed);
	for (int i = 0; i < solver->n; i++)
		solver->order[i] = i;
	for (int epoch = 0; epoch < EPOCHS; epoch++)
	{
		random_shuffle(&random, solver->order, solver->n);
		TRY(run_epoch(solver, solver->order, solver->n));
	}
	for (int k = 0; k < folds; k++)
		TRY(decide_fold(solver, fold, k, &random, features,
						spare_weight, spare_dual, spare_bias));
	return STATUS_SUCCESS;
}

/* Gives back what a solver has allocated. */
static void
solver_free(Solver *solver)
{
	release(solver->caller, solver->start);
	release(solver->caller, solver->index);
	release(solver->caller, solver->value);
	release(solver->caller, solver->place);
	release(solver->caller, solver->share);
	release(solver->caller, solver->inverse_norm);
	release(solver->caller, solver->weight);
	release(solver->caller, solver->bias);
	release(solver->caller, solver->dual);
	release(solver->caller, solver->decision);
	release(solver->caller, solver->update);
	release(solver->caller, solver->order);
}

/* The arrays whose size is known before the n-grams are counted. */
static Status
solver_allocate(Solver *solver, size_t total)
{
	const Caller *caller = solver->caller;
	size_t		stride = solver->stride;

	solver->start = allocate_array(caller, (size_t) solver->n + 1, sizeof(size_t));
	solver->index = allocate_array(caller, total, sizeof(uint32_t));
	solver->value = allocate_array(caller, total, sizeof(float));
	solver->inverse_norm = allocate_array(caller, solver->n, sizeof(float));
	solver->bias = allocate_array(caller, stride, sizeof(float));
	solver->dual = allocate_array(caller, solver->n * stride, sizeof(float));
	solver->decision = allocate_array(caller, stride, sizeof(float));
	solver->update = allocate_array(caller, stride, sizeof(float));
	solver->order = allocate_array(caller, solver->n, sizeof(int));
	if (solver->start == NULL || solver->index == NULL || solver->value == NULL ||
		solver->inverse_norm == NULL || solver->bias == NULL ||
		solver->dual == NULL || solver->decision == NULL || solver->update == NULL ||
		solver->order == NULL)
		return STATUS_NO_MEMORY;
	return STATUS_SUCCESS;
}

/* Room for the weights of refine->terms n-grams. */
static Status
refine_allocate_weights(const Caller *caller, Refine *refine)
{
	size_t		terms = refine->terms;

	refine->weight = allocate_array(caller, terms * refine->stride, sizeof(int8_t));
	refine->scale = allocate_array(caller, terms, sizeof(float));
	return refine->weight != NULL && refine->scale != NULL ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/* Everything of refine_train but the giving back. */
static Status
train_with(Solver *solver, Refine *refine, const SparseRows *sparse,
		   const int *fold, int folds, uint64_t seed, float *features)
{
	const Caller *caller = solver->caller;
	float	   *spare_weight;
	float	   *spare_dual;
	float	   *spare_bias;
	Status		status = STATUS_NO_MEMORY;

	TRY(solver_allocate(solver, sparse->start[sparse->n]));
	TRY(measure_rows(solver, sparse, refine->sparse_dims));
	TRY(renumber(solver, sparse, refine));
	TRY(refine_allocate_weights(caller, refine));
	solver->weight = allocate_array(caller, (size_t) solver->terms * solver->stride,
									sizeof(float));
	spare_weight = allocate_array(caller, (size_t) solver->terms * solver->stride,
								  sizeof(float));
	spare_dual = allocate_array(caller, (size_t) solver->n * solver->stride, sizeof(float));
	spare_bias = allocate_array(caller, solver->stride, sizeof(float));
	if (solver->weight != NULL && spare_weight != NULL && spare_dual != NULL &&
		spare_bias != NULL)
		status = solve(solver, fold, folds, seed, features,
					   spare_weight, spare_dual, spare_bias);
	release(caller, spare_weight);
	release(caller, spare_dual);
	release(caller, spare_bias);
	if (status == STATUS_SUCCESS)
	{
		centre(solver, refine, features);
		keep_weights(solver, refine);
	}
	return status;
}

/* Fits the refined features; see refine.h. */
Status
refine_train(const Caller *caller, const SparseRows *sparse, int sparse_dims,
			 const int *label, int classes, const int *fold, int folds,
			 uint64_t seed, Refine **refine, float *features)
{
	Solver		solver = {0};
	Status		status = STATUS_NO_MEMORY;

	solver.caller = caller;
	solver.n = sparse->n;
	solver.columns = refine_columns(classes);
	solver.stride = refine_stride(solver.columns);
	solver.label = label;
	*refine = refine_allocate(caller, sparse_dims, solver.columns);
	if (*refine != NULL)
		status = train_with(&solver, *refine, sparse, fold, folds, seed, features);
	solver_free(&solver);
	if (status != STATUS_SUCCESS)
	{
		refine_free(caller, *refine);
		*refine = NULL;
	}
	return status;
}

/* sum[0 .. width) += factor w[0 .. width) for one n-gram. */
ALWAYS_INLINE void
add_term(const int8_t *restrict weight, float factor, int width, float *restrict sum)
{
	for (int j = 0; j < width; j++)
		sum[j] += factor * weight[j];
}

/* sum[0 .. stride) += the weights of a row's known n-grams. */
FOR_EACH_PROCESSOR static void
apply_row(const Refine *refine, const uint32_t *restrict index, const float *restrict value,
		  size_t terms, float factor, float *restrict sum)
{
	int			stride = refine->stride;

	for (size_t t = 0; t < terms; t++)
	{
		uint32_t	slot = index[t] < (uint32_t) refine->sparse_dims ? refine->slot[index[t]] : 0;
		const int8_t *weight;
		float		x;

		if (slot == 0)
			continue;
		weight = refine->weight + (size_t) (slot - 1) * stride;
		x = value[t] * factor * refine->scale[slot - 1];
		if (stride == 8)
			add_term(weight, x, 8, sum);
		else
			for (int j = 0; j < stride; j += 16)
				add_term(weight + j, x, 16, sum + j);
	}
}

/*
 * Features of rows first .. first + count, count x stride (columns, then
 * zeros).
 */
void
refine_apply(const Refine *refine, const SparseRows *sparse, int first, int count,
			 float *features)
{
	for (int i = 0; i < count; i++)
	{
		size_t		from = sparse->start[first + i];
		size_t		terms = sparse->start[first + i + 1] - from;
		float	   *to = features + (size_t) i * refine->stride;
		float		norm = 0.0f;

		for (size_t t = 0; t < terms; t++)
			norm += sparse->weight[from + t] * sparse->weight[from + t];
		memcpy(to, refine->offset, sizeof(float) * refine->stride);
		if (norm > 0.0f)
			apply_row(refine, sparse->index + from, sparse->weight + from, terms,
					  1.0f / sqrtf(norm), to);
	}
}

void
refine_add_term(const Refine *refine, uint32_t term, float value, float *features)
{
	apply_row(refine, &term, &value, 1, 1.0f, features);
}
