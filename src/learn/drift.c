/*-------------------------------------------------------------------------
 *
 * drift.c
 *	  Are the rows that arrive unlike those that the model was made for?
 *
 * Confidence: the rank-sum test of Mann and Whitney (1947), normal, ties counted
 * half and taken from its variance.
 *
 * Classes: the chi-squared test of homogeneity of two multinomial samples; classes
 * of which fewer than five rows are expected in the window count as one (Cochran
 * 1954).
 *
 * Features: the squared distance of the two means, which is the maximum mean
 * discrepancy (Gretton et al., "A kernel two-sample test", JMLR 2012) of
 * the linear kernel.  Without a change it is, for as many rows, a sum of squares of
 * normal variables weighted by the eigenvalues of the covariance matrix times
 * 1/n + 1/m; its tail is that of the chi-squared variable with the same first three
 * moments (Imhof, "Computing the distribution of quadratic forms in normal
 * variables", Biometrika 1961, equation 5.1).
 *
 * The encoder was fitted on the rows of the reference, so that what it and the model
 * say of others differs a little, and a test that is given enough rows finds that.  So those of
 * confidence and classes ask whether the difference is larger than a tolerance, by the triangle
 * inequality: they take it off the statistic's root first.  Features need none: the terms
 * that are compared were chosen by other rows.
 *
 *-------------------------------------------------------------------------
 */
#include "drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../math/matrix.h"
#include "../math/tails.h"
#include "metrics.h"

#define NORMAL_95 1.959963984540054
#define EXPECTED_LEAST 5.0
#define CHOOSING 4				/* one row of the reference in so many chooses terms */
#define FREQUENT 3				/* of those rows that a term must be in */
#define BUCKETS 1024
#define EIGEN_MOST 512			/* of a matrix whose eigenvalues are computed */
#define LEVEL_STRIPS 8.0		/* after which the levels fall */

/* What is let pass: see above.  Measured; doc/design.md has the argument. */
#define CONFIDENCE_TOLERANCE 0.2	/* of the probability that a recent row is the
									 * more confident one, from a half */
#define CLASSES_TOLERANCE 0.05	/* Cohen's w, of which 0.1 is a small effect */

/* ---------------------------------------------------------------------- */
/* The reference */

static int
compare_floats(const void *a, const void *b)
{
	float		left = *(const float *) a;
	float		right = *(const float *) b;

	return (left > right) - (left < right);
}

/*
 * The vector of a row, of dims numbers: the dense one, or the frequent terms of the sparse
 * part, thrown into so many buckets by a hash, with a sign (Weinberger et al., "Feature
 * hashing for large scale multitask learning", ICML 2009), of unit length.
 */
static void
row_vector(const DriftReference *reference, const Rows *rows, int row, float *vector)
{
	const SparseRows *sparse = rows->sparse;
	double		squares = 0.0;

	if (reference->sparse_dims == 0)
	{
		memcpy(vector, rows->dense + (size_t) row * rows->dims, rows->dims * sizeof(float));
		return;
	}
	memset(vector, 0, reference->dims * sizeof(float));
	for (size_t t = sparse->start[row]; t < sparse->start[row + 1]; t++)
	{
		uint32_t	term = sparse->index[t];
		uint32_t	hash = term * 2654435761u;

		if ((reference->frequent[term / 8] >> term % 8 & 1) == 0)
			continue;
		vector[(hash >> 16) % reference->dims] += hash >> 15 & 1 ? sparse->weight[t] : -sparse->weight[t];
	}
	for (int k = 0; k < reference->dims; k++)
		squares += (double) vector[k] * vector[k];
	for (int k = 0; k < reference->dims && squares > 0.0; k++)
		vector[k] = (float) (vector[k] / sqrt(squares));
}

/*
 * Rows of the reference choose the terms, or are compared, and not both: a term that is
 * often in the rows that have chosen it is less often in others.
 */
static bool
is_compared(const DriftReference *reference, int row)
{
	return reference->sparse_dims == 0 || row % CHOOSING != 0;
}

/* Which terms are in so many of the rows that choose. */
static Status
find_frequent(const Caller *caller, const Rows *rows, uint8_t *frequent)
{
	uint32_t   *count = allocate_array(caller, rows->sparse_dims, sizeof(uint32_t));

	if (count == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < rows->n; i += CHOOSING)
	{
		for (size_t t = rows->sparse->start[i]; t < rows->sparse->start[i + 1]; t++)
			count[rows->sparse->index[t]]++;
	}
	for (int k = 0; k < rows->sparse_dims; k++)
	{
		if (count[k] >= FREQUENT)
			frequent[k / 8] |= (uint8_t) (1 << k % 8);
	}
	release(caller, count);
	return STATUS_SUCCESS;
}

/* Label and confidence as they are counted. */
static int
cell_of(int label, int classes)
{
	return label < 0 || label >= classes ? classes : label;
}

static float
confidence_of(int label, float confidence)
{
	return label < 0 ? 0.0f : confidence;
}

/*
 * A covariance matrix of few rows has noise, which the trace of its square and cube add up: where
 * the dimensions are many, more than there is of the matrix itself.  This is what normal rows add, and
 * rows of about the same length, to the first orders; the bounds are those of Cauchy and Schwarz.
 */
static void
take_off_noise(DriftReference *reference, double freedom)
{
	double	   *trace = reference->trace;
	double		noise = trace[0] / freedom;

	if (!(trace[0] > 0.0))
		return;
	trace[1] = fmax(trace[1] - trace[0] * noise, trace[0] * trace[0] / reference->dims);
	trace[2] = fmax(trace[2] - (3.0 * trace[1] + trace[0] * noise) * noise,
					trace[1] * trace[1] / trace[0]);
}

/*
 * Of the covariance matrix of n rows less their mean, or, where that would be large,
 * of the matrix of their products, which has the same eigenvalues.
 */
static Status
spectrum(const Caller *caller, const float *vectors, int n, int dims, const float *mean,
		 DriftReference *reference)
{
	bool		by_rows = dims > EIGEN_MOST;
	int			rows = by_rows && n > EIGEN_MOST ? EIGEN_MOST : n;
	int			size = by_rows ? rows : dims;
	double	   *centred = allocate_array(caller, (size_t) rows * dims, sizeof(double));
	double	   *product = allocate_array(caller, (size_t) size * size, sizeof(double));
	double	   *values = allocate_array(caller, size, sizeof(double));
	Status		status = centred == NULL || product == NULL || values == NULL ?
		STATUS_NO_MEMORY : STATUS_SUCCESS;
	int			failure = 0;

	for (int i = 0; i < rows && status == STATUS_SUCCESS; i++)
	{
		for (int k = 0; k < dims; k++)
			centred[(size_t) i * dims + k] = (double) vectors[(size_t) i * dims + k] - mean[k];
	}
	if (status == STATUS_SUCCESS)
	{
		matrix->syrk(!by_rows, size, by_rows ? dims : rows, 1.0 / (rows - 1), centred, dims,
					 0.0, product, size);
		failure = matrix->syevd(size, product, size, values);
		if (failure != 0)
			status = matrix_failure(failure, STATUS_NOT_FINITE);
	}
	for (int i = 0; i < size && status == STATUS_SUCCESS; i++)
	{
		double		value = fmax(values[i], 0.0);

		reference->trace[0] += value;
		reference->trace[1] += value * value;
		reference->trace[2] += value * value * value;
		reference->largest = fmax(reference->largest, value);
	}
	if (status == STATUS_SUCCESS)
		take_off_noise(reference, rows - 1);
	release(caller, centred);
	release(caller, product);
	release(caller, values);
	return status;
}

static Status
describe_vectors(const Caller *caller, const Rows *rows, DriftReference *reference)
{
	int			dims = reference->dims;
	float	   *vectors = allocate_array(caller, (size_t) rows->n * dims, sizeof(float));
	Status		status;

	if (vectors == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < rows->n; i++)
	{
		if (is_compared(reference, i))
			row_vector(reference, rows, i, vectors + (size_t) reference->compared++ * dims);
	}
	for (int k = 0; k < dims; k++)
	{
		double		sum = 0.0;

		for (int i = 0; i < reference->compared; i++)
			sum += vectors[(size_t) i * dims + k];
		reference->mean[k] = (float) (sum / reference->compared);
	}
	status = spectrum(caller, vectors, reference->compared, dims, reference->mean, reference);
	release(caller, vectors);
	return status;
}

Status
drift_reference(const Caller *caller, const Rows *rows, const int *label,
				const float *confidence, int classes, DriftReference *reference)
{
	bool		sparse = rows->sparse != NULL && rows->sparse_dims > 0;
	int			n = rows->n;

	memset(reference, 0, sizeof(*reference));
	if (n < 3 || classes < 1 || rows->dims < 1)
		return STATUS_BAD_ARGUMENT;
	reference->classes = classes;
	reference->sparse_dims = sparse ? rows->sparse_dims : 0;
	reference->dims = sparse ? BUCKETS : rows->dims;
	reference->n = n;
	reference->count = allocate_array(caller, classes + 1, sizeof(uint32_t));
	reference->confidence = allocate_array(caller, n, sizeof(float));
	reference->mean = allocate_array(caller, reference->dims, sizeof(float));
	reference->frequent = allocate_array(caller, (reference->sparse_dims + 7) / 8, 1);
	if (reference->count == NULL || reference->confidence == NULL || reference->mean == NULL ||
		reference->frequent == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < n; i++)
	{
		reference->count[cell_of(label[i], classes)]++;
		reference->confidence[i] = confidence_of(label[i], confidence[i]);
	}
	qsort(reference->confidence, n, sizeof(float), compare_floats);
	if (sparse)
		TRY(find_frequent(caller, rows, reference->frequent));
	return describe_vectors(caller, rows, reference);
}

bool
drift_suits(const DriftReference *reference, int dims, int sparse_dims, int classes)
{
	return reference->classes == classes && reference->sparse_dims == sparse_dims &&
		(sparse_dims > 0 || reference->dims == dims);
}

/* ---------------------------------------------------------------------- */
/* Windows */

static Status
strip_init(const Caller *caller, const DriftReference *reference, int rows, DriftStrip *strip)
{
	strip->n = 0;
	strip->count = allocate_array(caller, reference->classes + 1, sizeof(uint32_t));
	strip->confidence = allocate_array(caller, rows, sizeof(float));
	strip->sum = allocate_array(caller, reference->dims, sizeof(double));
	return strip->count == NULL || strip->confidence == NULL || strip->sum == NULL ?
		STATUS_NO_MEMORY : STATUS_SUCCESS;
}

static void
strip_free(const Caller *caller, DriftStrip *strip)
{
	release(caller, strip->count);
	release(caller, strip->confidence);
	release(caller, strip->sum);
}

Status
drift_window(const Caller *caller, const DriftReference *reference, DriftWindow *window)
{
	memset(window, 0, sizeof(*window));
	window->number = 1;
	window->vector = allocate_array(caller, reference->dims, sizeof(float));
	if (window->vector == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < DRIFT_STRIPS; i++)
		TRY(strip_init(caller, reference, DRIFT_STRIP, &window->strip[i]));
	return STATUS_SUCCESS;
}

bool
drift_add(const DriftReference *reference, DriftWindow *window, const Rows *rows, int row,
		  int label, float confidence)
{
	DriftStrip *strip = &window->strip[0];

	row_vector(reference, rows, row, window->vector);
	for (int k = 0; k < reference->dims; k++)
		strip->sum[k] += window->vector[k];
	strip->count[cell_of(label, reference->classes)]++;
	strip->confidence[strip->n++] = confidence_of(label, confidence);
	return strip->n == DRIFT_STRIP;
}

void
drift_next(const DriftReference *reference, DriftWindow *window)
{
	DriftStrip	next = window->strip[DRIFT_STRIPS - 1];

	memmove(&window->strip[1], &window->strip[0], (DRIFT_STRIPS - 1) * sizeof(DriftStrip));
	next.n = 0;
	memset(next.count, 0, (reference->classes + 1) * sizeof(uint32_t));
	memset(next.sum, 0, reference->dims * sizeof(double));
	window->strip[0] = next;
	window->number++;
}

int
drift_rows(const DriftWindow *window)
{
	int			n = 0;

	for (int i = 0; i < DRIFT_STRIPS; i++)
		n += window->strip[i].n;
	return n;
}

void
drift_reference_free(const Caller *caller, DriftReference *reference)
{
	release(caller, reference->count);
	release(caller, reference->confidence);
	release(caller, reference->mean);
	release(caller, reference->frequent);
	memset(reference, 0, sizeof(*reference));
}

void
drift_window_free(const Caller *caller, DriftWindow *window)
{
	for (int i = 0; i < DRIFT_STRIPS; i++)
		strip_free(caller, &window->strip[i]);
	release(caller, window->vector);
	memset(window, 0, sizeof(*window));
}

/* ---------------------------------------------------------------------- */
/* Comparisons */

static void
moments(const float *values, int n, double *mean, double *variance)
{
	double		sum = 0.0;
	double		squares = 0.0;

	for (int i = 0; i < n; i++)
		sum += values[i];
	*mean = sum / n;
	for (int i = 0; i < n; i++)
		squares += (values[i] - *mean) * (values[i] - *mean);
	*variance = n > 1 ? squares / (n - 1) : 0.0;
}

/*
 * Both ascending.  Pairs in which the left one is greater, equals half; ties: the sum of
 * t^3 - t over groups of t equals in both.
 */
static double
greater_pairs(const float *left, int n, const float *right, int m, double *ties)
{
	double		pairs = 0.0;
	int			j = 0;

	*ties = 0.0;
	for (int i = 0; i < n || j < m;)
	{
		float		value = j == m || (i < n && left[i] < right[j]) ? left[i] : right[j];
		int			first_left = i;
		int			first_right = j;
		double		t;

		while (i < n && left[i] == value)
			i++;
		while (j < m && right[j] == value)
			j++;
		pairs += (i - first_left) * (first_right + (j - first_right) / 2.0);
		t = (i - first_left) + (j - first_right);
		*ties += t * t * t - t;
	}
	return pairs;
}

static Status
compare_confidence(const Caller *caller, const DriftReference *reference,
				   const DriftStrip *arrived, DriftFinding *finding)
{
	double		n = arrived->n;
	double		m = reference->n;
	float	   *sorted = allocate_array(caller, arrived->n, sizeof(float));
	double		ties;
	double		shift;
	double		variance;
	double		variances[2];
	double		error;

	if (sorted == NULL)
		return STATUS_NO_MEMORY;
	memcpy(sorted, arrived->confidence, arrived->n * sizeof(float));
	qsort(sorted, arrived->n, sizeof(float), compare_floats);
	shift = greater_pairs(sorted, arrived->n, reference->confidence, reference->n, &ties) /
		(n * m) - 0.5;
	release(caller, sorted);
	variance = (n + m + 1.0 - ties / ((n + m) * (n + m - 1.0))) / (12.0 * n * m);
	shift = fmax(fabs(shift) - CONFIDENCE_TOLERANCE, 0.0);
	finding->p_value = variance > 0.0 ? normal_two_sided(shift / sqrt(variance)) : 1.0;
	moments(arrived->confidence, arrived->n, &finding->recent, &variances[0]);
	moments(reference->confidence, reference->n, &finding->reference, &variances[1]);
	finding->difference = finding->recent - finding->reference;
	error = NORMAL_95 * sqrt(variances[0] / n + variances[1] / m);
	finding->low = finding->difference - error;
	finding->high = finding->difference + error;
	return STATUS_SUCCESS;
}

/* One cell of the table of two rows: its part of the statistic. */
static double
homogeneity(double recent, double n, double before, double m)
{
	double		expected = (recent + before) * n / (n + m);
	double		expected_before = (recent + before) * m / (n + m);

	return (recent - expected) * (recent - expected) / expected +
		(before - expected_before) * (before - expected_before) / expected_before;
}

/*
 * Shares of one class, with Newcombe's interval of their difference ("Interval
 * estimation for the difference between independent proportions", Statistics in
 * Medicine 1998, method 10).
 */
static void
compare_shares(double hits1, double n1, double hits2, double n2, DriftFinding *finding)
{
	double		low1;
	double		high1;
	double		low2;
	double		high2;

	wilson_interval(hits1, n1, &low1, &high1);
	wilson_interval(hits2, n2, &low2, &high2);
	finding->recent = hits1 / n1;
	finding->reference = hits2 / n2;
	finding->difference = finding->recent - finding->reference;
	finding->low = finding->difference -
		hypot(finding->recent - low1, high2 - finding->reference);
	finding->high = finding->difference +
		hypot(high1 - finding->recent, finding->reference - low2);
}

static void
compare_classes(const DriftReference *reference, const DriftStrip *arrived,
				DriftFinding *finding)
{
	double		n = arrived->n;
	double		m = reference->n;
	double		statistic = 0.0;
	double		greatest = -1.0;
	double		rare[2] = {0.0, 0.0};
	int			cells = 0;
	double		root;

	for (int k = 0; k <= reference->classes; k++)
	{
		double		recent = arrived->count[k];
		double		before = reference->count[k];
		double		part;

		if (recent + before == 0.0)
			continue;
		part = homogeneity(recent, n, before, m);
		if (part > greatest)
		{
			greatest = part;
			finding->class = k;
		}
		if ((recent + before) * n / (n + m) < EXPECTED_LEAST)
		{
			rare[0] += recent;
			rare[1] += before;
			continue;
		}
		statistic += part;
		cells++;
	}
	if (rare[0] + rare[1] > 0.0)
	{
		statistic += homogeneity(rare[0], n, rare[1], m);
		cells++;
	}
	root = fmax(sqrt(statistic) - CLASSES_TOLERANCE * sqrt(n * m / (n + m)), 0.0);
	finding->p_value = cells < 2 ? 1.0 : chi_squared_above(root * root, cells - 1);
	compare_shares(arrived->count[finding->class], n, reference->count[finding->class], m,
				   finding);
}

/* Tail of a sum of squares of normal variables, by traces of their covariance matrix. */
static double
quadratic_above(double x, const double trace[3])
{
	double		freedom;

	if (!(trace[1] > 0.0 && trace[2] > 0.0))
		return x > 0.0 ? 0.0 : 1.0;
	freedom = trace[1] * trace[1] * trace[1] / (trace[2] * trace[2]);
	return chi_squared_above(freedom + (x - trace[0]) * sqrt(freedom / trace[1]), freedom);
}

static void
compare_features(const DriftReference *reference, const DriftStrip *arrived,
				 DriftFinding *finding)
{
	double		c = 1.0 / arrived->n + 1.0 / reference->compared;
	double		distance = 0.0;
	double		error;

	for (int k = 0; k < reference->dims; k++)
	{
		double		shift = arrived->sum[k] / arrived->n - reference->mean[k];

		distance += shift * shift;
	}
	finding->p_value = quadratic_above(distance / c, reference->trace);
	finding->recent = distance;
	finding->reference = reference->trace[0] * c;
	finding->difference = finding->recent - finding->reference;
	/* the shift is taken to lie where rows vary most */
	error = NORMAL_95 * sqrt(2.0 * reference->trace[1] * c * c +
							 4.0 * reference->largest * c * fmax(finding->difference, 0.0));
	finding->low = finding->difference - error;
	finding->high = finding->difference + error;
}

/* Of each measure: the one that finds a new topic first has most. */
static const double share[DRIFT_MEASURES] = {0.1, 0.1, 0.7, 0.1};

/* 8 / (8 9) + 8 / (9 10) + ... = 1: of the first strips about the same, then less and less. */
static double
level_of(DriftMeasure measure, int number)
{
	return DRIFT_LEVEL * share[measure] * LEVEL_STRIPS /
		((number + LEVEL_STRIPS - 1.0) * (number + LEVEL_STRIPS));
}

/* All strips as one. */
static Status
join_strips(const Caller *caller, const DriftReference *reference, const DriftWindow *window,
			DriftStrip *all)
{
	TRY(strip_init(caller, reference, drift_rows(window), all));
	for (int i = 0; i < DRIFT_STRIPS; i++)
	{
		const DriftStrip *strip = &window->strip[i];

		memcpy(all->confidence + all->n, strip->confidence, strip->n * sizeof(float));
		all->n += strip->n;
		for (int k = 0; k <= reference->classes; k++)
			all->count[k] += strip->count[k];
		for (int k = 0; k < reference->dims; k++)
			all->sum[k] += strip->sum[k];
	}
	return STATUS_SUCCESS;
}

Status
drift_compare(const Caller *caller, const DriftReference *reference, const DriftWindow *window,
			  DriftFinding finding[DRIFT_WINDOWED])
{
	DriftStrip	all = {0};
	Status		status;

	if (drift_rows(window) < 1)
		return STATUS_BAD_ARGUMENT;
	status = join_strips(caller, reference, window, &all);
	for (int i = 0; i < DRIFT_WINDOWED && status == STATUS_SUCCESS; i++)
	{
		memset(&finding[i], 0, sizeof(DriftFinding));
		finding[i].n = all.n;
		finding[i].class = -1;
		finding[i].level = level_of(i, window->number);
	}
	if (status == STATUS_SUCCESS)
		status = compare_confidence(caller, reference, &all, &finding[DRIFT_CONFIDENCE]);
	if (status == STATUS_SUCCESS)
	{
		compare_classes(reference, &all, &finding[DRIFT_CLASSES]);
		compare_features(reference, &all, &finding[DRIFT_FEATURES]);
	}
	strip_free(caller, &all);
	return status;
}

void
drift_accuracy(int recent_hits, int recent_n, int hits, int n, DriftFinding *finding)
{
	memset(finding, 0, sizeof(*finding));
	finding->n = recent_n;
	finding->class = -1;
	finding->level = DRIFT_LEVEL * share[DRIFT_ACCURACY];
	compare_shares(recent_hits, recent_n, hits, n, finding);
	finding->p_value = fisher_fewer(recent_hits, recent_n, hits, n);
}
