/*-------------------------------------------------------------------------
 *
 * posterior.c
 *	  How far the training rows pin down the logits of a new one.
 *
 * Exactly, each class has its own Laplace posterior with precision
 * H_k = X' diag(p_k (1 - p_k)) X + lam/s^2 I, which costs K Cholesky factors
 * a training and K D^2 a row.  Here all classes share the eigenvectors u_j of
 * X' diag(w) X, w = (1 - sum_k p_k^2) / 2 (the mean curvature; p(1 - p) for
 * two classes), as in eigenvalue-corrected Kronecker factors (George,
 * Laurent, Bouthillier, Ballas and Vincent, NeurIPS 2018), and along u_j class
 * k has the precision
 *
 *		sqrt(a_j c_jk) + lam/s^2,	a_j = u_j' X' diag(w) X u_j,
 *									c_jk = u_j' X' diag(p_k (1 - p_k)) X u_j:
 *
 * the geometric mean of the shared and of its own curvature.  Its own alone
 * is noise for a class of ten rows, the shared alone leaves rows near one
 * class looking known to all others; the mean finds text of unseen classes
 * at least as well as the exact form.  Beyond the leading directions the
 * curvature is small against the prior, so it is spread evenly there, and a
 * block of rows costs two thin products.
 *
 *-------------------------------------------------------------------------
 */
#include "posterior.h"

#include <math.h>
#include <string.h>

#include "../math/kernels.h"
#include "../math/matrix.h"
#include "../math/random.h"

/* Turns of the subspace iteration; the basis need not be converged. */
#define TURNS 6

/* What building one takes. */
typedef struct Builder
{
	const Caller *caller;
	const Design *design;
	const float *probability;
	int			rank;
	double	   *block;			/* DESIGN_BLOCK x D */
	double	   *projected;		/* DESIGN_BLOCK x r */
	double	   *curvature;		/* DESIGN_BLOCK x K: p (1 - p) */
	double	   *hessian;		/* D x D: X' diag(w) X, lower, then whole */
	double	   *basis;			/* D x r */
	double	   *image;			/* D x r */
	double	   *small;			/* r x r */
	double	   *values;			/* r: a_j, descending */
	double	   *own;			/* r x K: c_jk */
	double	   *total;			/* K: trace of X' diag(p_k (1 - p_k)) X */
	double		trace;			/* of hessian */
} Builder;

/* Bytes that posterior_build holds at most. */
size_t
posterior_memory(int n, int features, int classes)
{
	size_t		rows = n < DESIGN_BLOCK ? n : DESIGN_BLOCK;
	size_t		D = features;
	size_t		K = classes;
	size_t		r = D < POSTERIOR_RANK ? D : POSTERIOR_RANK;

	return sizeof(double) * (rows * (D + r + K) + D * D + 2 * D * r + r * r + r +
							 r * K + K) +
		sizeof(float) * (r * D + r * K + K + r) + sizeof(Posterior) + 64;
}

/* Memory of a builder and of its result's arrays. */
static Status
builder_allocate(Builder *b)
{
	const Caller *caller = b->caller;
	size_t		D = b->design->features;
	size_t		K = b->design->classes;
	size_t		r = b->rank;
	size_t		rows = b->design->n < DESIGN_BLOCK ? b->design->n : DESIGN_BLOCK;
	bool		ok = true;

	ok = (b->block = allocate_array(caller, rows * D, sizeof(double))) != NULL && ok;
	ok = (b->projected = allocate_array(caller, rows * r, sizeof(double))) != NULL && ok;
	ok = (b->curvature = allocate_array(caller, rows * K, sizeof(double))) != NULL && ok;
	ok = (b->hessian = allocate_array(caller, D * D, sizeof(double))) != NULL && ok;
	ok = (b->basis = allocate_array(caller, D * r, sizeof(double))) != NULL && ok;
	ok = (b->image = allocate_array(caller, D * r, sizeof(double))) != NULL && ok;
	ok = (b->small = allocate_array(caller, r * r, sizeof(double))) != NULL && ok;
	ok = (b->values = allocate_array(caller, r, sizeof(double))) != NULL && ok;
	ok = (b->own = allocate_array(caller, r * K, sizeof(double))) != NULL && ok;
	ok = (b->total = allocate_array(caller, K, sizeof(double))) != NULL && ok;
	return ok ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void
builder_free(Builder *b)
{
	release(b->caller, b->block);
	release(b->caller, b->projected);
	release(b->caller, b->curvature);
	release(b->caller, b->hessian);
	release(b->caller, b->basis);
	release(b->caller, b->image);
	release(b->caller, b->small);
	release(b->caller, b->values);
	release(b->caller, b->own);
	release(b->caller, b->total);
}

/* How much a row counts: less than 1 where its label is a guess. */
static double
row_counts(const Design *design, int row)
{
	return design->soft == NULL ? 1.0 : soft_row_weight(design->soft, row);
}

/*
 * hessian = X' diag(w) X, whole and symmetric, and total.
 */
static Status
sum_curvature(Builder *b)
{
	const Design *design = b->design;
	int			D = design->features;
	int			K = design->classes;

	for (int first = 0; first < design->n; first += DESIGN_BLOCK)
	{
		int			count = design->n - first < DESIGN_BLOCK ? design->n - first : DESIGN_BLOCK;

		if (stopped(b->caller))
			return STATUS_STOPPED;
		design_rows(design, NULL, first, count, b->block);
		for (int i = 0; i < count; i++)
		{
			const float *p = b->probability + ((size_t) first + i) * K;
			double	   *x = b->block + (size_t) i * D;
			double		counts = row_counts(design, first + i);
			double		norm = 0.0;
			double		w = 0.0;

			for (int j = 0; j < D; j++)
				norm += x[j] * x[j];
			for (int k = 0; k < K; k++)
			{
				w += 0.5 * p[k] * (1.0 - p[k]);
				b->total[k] += counts * norm * p[k] * (1.0 - p[k]);
			}
			w = sqrt(fmax(counts * w, 0.0));
			for (int j = 0; j < D; j++)
				x[j] *= w;
		}
		matrix->syrk(true, D, count, 1.0, b->block, D, 1.0, b->hessian, D);
	}
	for (int i = 0; i < D; i++)
	{
		b->trace += b->hessian[(size_t) i * D + i];
		for (int j = 0; j < i; j++)
			b->hessian[(size_t) j * D + i] = b->hessian[(size_t) i * D + j];
	}
	return isfinite(b->trace) ? STATUS_SUCCESS : STATUS_NOT_FINITE;
}

/* Makes the columns of image orthonormal, into basis: image R^-1, image'image = R'R. */
static Status
orthonormalise(Builder *b)
{
	int			D = b->design->features;
	int			r = b->rank;

	memset(b->small, 0, sizeof(double) * r * r);
	matrix->syrk(true, r, D, 1.0, b->image, r, 0.0, b->small, r);
	if (matrix->potrf(r, b->small, r) != 0)
		return STATUS_SINGULAR;
	memcpy(b->basis, b->image, sizeof(double) * D * r);
	matrix->trsm_right(true, D, r, b->small, r, b->basis, r);
	return STATUS_SUCCESS;
}

/*
 * The leading r directions by subspace iteration from a random start, then
 * Rayleigh-Ritz: basis (D x r) and values.  The shift changes no direction;
 * it keeps the columns independent where there are fewer rows than r.
 */
static Status
find_directions(Builder *b, uint64_t seed)
{
	int			D = b->design->features;
	int			r = b->rank;
	double		shift = 1e-3 * b->trace / D + 1e-12;
	Random		random;
	int			result;

	random_seed(&random, seed);
	for (int i = 0; i < D * r; i++)
		b->image[i] = random_normal(&random);
	for (int turn = 0; turn < TURNS; turn++)
	{
		if (stopped(b->caller))
			return STATUS_STOPPED;
		/* twice: once leaves an error of the condition squared */
		TRY(orthonormalise(b));
		memcpy(b->image, b->basis, sizeof(double) * D * r);
		TRY(orthonormalise(b));
		matrix->gemm(false, false, D, r, D, 1.0, b->hessian, D, b->basis, r,
					 0.0, b->image, r);
		if (turn < TURNS - 1)
			for (int i = 0; i < D * r; i++)
				b->image[i] += shift * b->basis[i];
	}
	matrix->gemm(true, false, r, r, D, 1.0, b->basis, r, b->image, r, 0.0, b->small, r);
	result = matrix->syevd(r, b->small, r, b->values);
	if (result != 0)
		return matrix_failure(result, STATUS_SINGULAR);
	/* row j of small is the j-th vector, in the old basis */
	matrix->gemm(false, true, D, r, r, 1.0, b->basis, r, b->small, r, 0.0, b->image, r);
	memcpy(b->basis, b->image, sizeof(double) * D * r);
	return STATUS_SUCCESS;
}

/* own[j, k] = c_jk. */
static Status
sum_own_curvature(Builder *b)
{
	const Design *design = b->design;
	int			D = design->features;
	int			K = design->classes;
	int			r = b->rank;

	for (int first = 0; first < design->n; first += DESIGN_BLOCK)
	{
		int			count = design->n - first < DESIGN_BLOCK ? design->n - first : DESIGN_BLOCK;
		const float *p = b->probability + (size_t) first * K;

		if (stopped(b->caller))
			return STATUS_STOPPED;
		design_rows(design, NULL, first, count, b->block);
		matrix->gemm(false, false, count, r, D, 1.0, b->block, D, b->basis, r,
					 0.0, b->projected, r);
		for (int i = 0; i < count * r; i++)
			b->projected[i] *= b->projected[i];
		for (int i = 0; i < count; i++)
		{
			double		counts = row_counts(design, first + i);

			for (int k = 0; k < K; k++)
				b->curvature[i * K + k] = counts * (p[i * K + k] * (1.0 - p[i * K + k]));
		}
		matrix->gemm(true, false, r, K, count, 1.0, b->projected, r, b->curvature, K,
					 1.0, b->own, K);
	}
	return STATUS_SUCCESS;
}

/* Curvatures to variances, in the result's arrays. */
static void
finish(const Builder *b, Posterior *posterior)
{
	int			D = b->design->features;
	int			K = b->design->classes;
	int			r = b->rank;
	double		left = b->trace;
	double		shared_rest;

	for (int j = 0; j < r; j++)
	{
		double		a = fmax(b->values[j], 0.0);

		left -= a;
		posterior->shared[j] = (float) a;
		for (int i = 0; i < D; i++)
			posterior->basis[(size_t) j * D + i] = (float) b->basis[(size_t) i * r + j];
		for (int k = 0; k < K; k++)
			posterior->variance[(size_t) j * K + k] = (float)
				(1.0 / (sqrt(a * fmax(b->own[(size_t) j * K + k], 0.0)) +
						posterior->prior_precision));
	}
	shared_rest = r < D ? fmax(left, 0.0) / (D - r) : 0.0;
	posterior->shared_rest = (float) shared_rest;
	for (int k = 0; k < K; k++)
	{
		double		rest = b->total[k];

		for (int j = 0; j < r; j++)
			rest -= b->own[(size_t) j * K + k];
		rest = r < D ? fmax(rest, 0.0) / (D - r) : 0.0;
		posterior->rest[k] = (float)
			(1.0 / (sqrt(shared_rest * rest) + posterior->prior_precision));
	}
}

/* An empty posterior. */
static Posterior *
posterior_allocate(const Caller *caller, int features, int classes, int rank)
{
	Posterior  *posterior = allocate_array(caller, 1, sizeof(Posterior));
	size_t		r = rank;

	if (posterior == NULL)
		return NULL;
	posterior->features = features;
	posterior->classes = classes;
	posterior->rank = rank;
	posterior->basis = allocate_array(caller, r * features, sizeof(float));
	posterior->variance = allocate_array(caller, r * classes, sizeof(float));
	posterior->rest = allocate_array(caller, classes, sizeof(float));
	posterior->shared = allocate_array(caller, r, sizeof(float));
	if (posterior->basis == NULL || posterior->variance == NULL ||
		posterior->rest == NULL || posterior->shared == NULL)
	{
		posterior_free(caller, posterior);
		return NULL;
	}
	return posterior;
}

/* Builds the posterior of a design's rows; see posterior.h. */
Status
posterior_build(const Caller *caller, const Design *design, const float *probability,
				double prior_precision, uint64_t seed, Posterior **posterior)
{
	Builder		b = {0};
	Status		status;

	b.caller = caller;
	b.design = design;
	b.probability = probability;
	b.rank = design->features < POSTERIOR_RANK ? design->features : POSTERIOR_RANK;
	*posterior = posterior_allocate(caller, design->features, design->classes, b.rank);
	status = *posterior == NULL ? STATUS_NO_MEMORY : builder_allocate(&b);
	if (status == STATUS_SUCCESS)
		status = sum_curvature(&b);
	if (status == STATUS_SUCCESS)
		status = find_directions(&b, seed);
	if (status == STATUS_SUCCESS)
		status = sum_own_curvature(&b);
	if (status == STATUS_SUCCESS)
	{
		(*posterior)->prior_precision = prior_precision;
		finish(&b, *posterior);
	}
	else
	{
		posterior_free(caller, *posterior);
		*posterior = NULL;
	}
	builder_free(&b);
	return status;
}

/* Floats of scratch that posterior_variance takes. */
size_t
posterior_scratch(const Posterior *posterior, int rows)
{
	return (size_t) rows * posterior->rank;
}

/* Squares a row's projections and returns what they leave of its length. */
FOR_EACH_PROCESSOR static float
square_row(const float *restrict row, int features, float *restrict projected, int rank)
{
	float		sum[16] = {0};
	float		left = 0.0f;
	int			j;

	for (j = 0; j + 16 <= features; j += 16)
		for (int i = 0; i < 16; i++)
			sum[i] += row[j + i] * row[j + i];
	for (; j < features; j++)
		sum[0] += row[j] * row[j];
	for (j = 0; j + 16 <= rank; j += 16)
		for (int i = 0; i < 16; i++)
		{
			projected[j + i] *= projected[j + i];
			sum[i] -= projected[j + i];
		}
	for (; j < rank; j++)
	{
		projected[j] *= projected[j];
		sum[0] -= projected[j];
	}
	for (int i = 0; i < 16; i++)
		left += sum[i];
	return left > 0.0f ? left : 0.0f;
}

/* Variance of the logits of count rows (count x D); see posterior.h. */
void
posterior_variance(const Posterior *posterior, const float *rows, int count,
				   float *scratch, float *variance)
{
	int			D = posterior->features;
	int			K = posterior->classes;
	int			r = posterior->rank;

	matrix->gemm_float(false, true, count, r, D, 1.0f, rows, D, posterior->basis, D,
					   0.0f, scratch, r);
	for (int i = 0; i < count; i++)
	{
		float	   *to = variance + (size_t) i * K;
		float		left = square_row(rows + (size_t) i * D, D, scratch + (size_t) i * r, r);

		for (int k = 0; k < K; k++)
			to[k] = left * posterior->rest[k];
	}
	matrix->gemm_float(false, false, count, K, r, 1.0f, scratch, r, posterior->variance, K,
					   1.0f, variance, K);
}

/* The square root of the shared covariance, or its inverse; see posterior.h. */
Status
whitening_init(const Caller *caller, const Posterior *posterior, bool inverse,
			   Whitening *whitening)
{
	double		c = 2.0 / (posterior->classes - 1);
	double		power = inverse ? 0.5 : -0.5;

	whitening->posterior = posterior;
	whitening->factor = allocate_array(caller, posterior->rank, sizeof(float));
	if (whitening->factor == NULL)
		return STATUS_NO_MEMORY;
	whitening->rest = (float) pow(c * posterior->shared_rest + posterior->prior_precision,
								  power);
	for (int j = 0; j < posterior->rank; j++)
		whitening->factor[j] = (float) pow(c * posterior->shared[j] +
										   posterior->prior_precision, power) -
			whitening->rest;
	return STATUS_SUCCESS;
}

/* Gives it back. */
void
whitening_free(const Caller *caller, Whitening *whitening)
{
	release(caller, whitening->factor);
	whitening->factor = NULL;
}

/* rest x + U'(factor o U x), for each row x. */
void
whiten_rows(const Whitening *whitening, float *rows, int count, float *scratch)
{
	const Posterior *posterior = whitening->posterior;
	int			D = posterior->features;
	int			r = posterior->rank;

	matrix->gemm_float(false, true, count, r, D, 1.0f, rows, D, posterior->basis, D,
					   0.0f, scratch, r);
	for (int i = 0; i < count; i++)
		for (int j = 0; j < r; j++)
			scratch[(size_t) i * r + j] *= whitening->factor[j];
	matrix->gemm_float(false, false, count, D, r, 1.0f, scratch, r, posterior->basis, D,
					   whitening->rest, rows, D);
}

/* The same for each column. */
void
whiten_weights(const Whitening *whitening, float *weights, int columns, float *scratch)
{
	const Posterior *posterior = whitening->posterior;
	int			D = posterior->features;
	int			r = posterior->rank;

	matrix->gemm_float(false, false, r, columns, D, 1.0f, posterior->basis, D,
					   weights, columns, 0.0f, scratch, columns);
	for (int j = 0; j < r; j++)
		for (int k = 0; k < columns; k++)
			scratch[(size_t) j * columns + k] *= whitening->factor[j];
	matrix->gemm_float(true, false, D, columns, r, 1.0f, posterior->basis, D,
					   scratch, columns, whitening->rest, weights, columns);
}

/* Writes it; the sizes are the model's, but for the rank. */
void
posterior_write(const Posterior *posterior, Writer *writer)
{
	size_t		r = posterior->rank;

	write_u32(writer, posterior->rank);
	write_double(writer, posterior->prior_precision);
	write_floats(writer, posterior->basis, r * posterior->features);
	write_floats(writer, posterior->variance, r * posterior->classes);
	write_floats(writer, posterior->rest, posterior->classes);
	write_floats(writer, posterior->shared, r);
	write_floats(writer, &posterior->shared_rest, 1);
}

/* Is every number within [low, high]?  False for NaN. */
static bool
all_between(const float *values, size_t count, float low, float high)
{
	for (size_t i = 0; i < count; i++)
		if (!(values[i] >= low && values[i] <= high))
			return false;
	return true;
}

/* One array of a stored posterior, within [low, high]. */
static Status
read_array(const Caller *caller, Reader *reader, size_t count, float low, float high,
		   float **values)
{
	*values = read_floats(reader, caller, count);
	if (*values == NULL)
		return reader->failed ? STATUS_CORRUPT : STATUS_NO_MEMORY;
	return all_between(*values, count, low, high) ? STATUS_SUCCESS : STATUS_CORRUPT;
}

/* All of them, into a posterior that has its sizes. */
static Status
read_posterior(const Caller *caller, Reader *reader, Posterior *posterior)
{
	const float most = 1e30f;
	const float least = 1e-30f;
	size_t		r = posterior->rank;
	float	   *last = NULL;
	Status		status;

	TRY(read_array(caller, reader, r * posterior->features, -2.0f, 2.0f, &posterior->basis));
	/* what is divided by is not zero */
	TRY(read_array(caller, reader, r * posterior->classes, least, most, &posterior->variance));
	TRY(read_array(caller, reader, posterior->classes, least, most, &posterior->rest));
	TRY(read_array(caller, reader, r, 0.0f, most, &posterior->shared));
	status = read_array(caller, reader, 1, 0.0f, most, &last);
	if (status == STATUS_SUCCESS)
		posterior->shared_rest = *last;
	release(caller, last);
	return status;
}

/* Reads what posterior_write has written. */
Status
posterior_read(const Caller *caller, Reader *reader, int features, int classes,
			   Posterior **posterior)
{
	uint32_t	rank = read_u32(reader);
	double		prior_precision = read_double(reader);
	Status		status;

	*posterior = NULL;
	if (reader->failed || rank < 1 || rank > (uint32_t) features ||
		!(prior_precision > 0.0 && prior_precision < 1e30))
		return STATUS_CORRUPT;
	*posterior = allocate_array(caller, 1, sizeof(Posterior));
	if (*posterior == NULL)
		return STATUS_NO_MEMORY;
	(*posterior)->features = features;
	(*posterior)->classes = classes;
	(*posterior)->rank = rank;
	(*posterior)->prior_precision = prior_precision;
	status = read_posterior(caller, reader, *posterior);
	if (status != STATUS_SUCCESS)
	{
		posterior_free(caller, *posterior);
		*posterior = NULL;
	}
	return status;
}

/* Gives it back; NULL is allowed. */
void
posterior_free(const Caller *caller, Posterior *posterior)
{
	if (posterior == NULL)
		return;
	release(caller, posterior->basis);
	release(caller, posterior->variance);
	release(caller, posterior->rest);
	release(caller, posterior->shared);
	release(caller, posterior);
}
