/*-------------------------------------------------------------------------
 *
 * metrics.c
 *	  How good a classifier is, from predictions that have not seen the
 *	  answers.
 *
 *-------------------------------------------------------------------------
 */
#include "metrics.h"

#include <math.h>

/* Bins of the calibration error, of equal numbers of rows. */
#define BINS 15

/* Least probability that the log loss reckons with, as scikit-learn's. */
#define LEAST 1e-15

int
most_probable(const float *probability, int classes)
{
	int			best = 0;

	for (int k = 1; k < classes; k++)
		if (probability[k] > probability[best])
			best = k;
	return best;
}

float
probability_loss(float probability)
{
	return -logf(fmaxf(probability, 1e-12f));
}

/*
 * Wilson's score interval at 95 % (Wilson, "Probable inference, the law of
 * succession, and statistical inference", 1927).  hits and n may be sums of
 * weights.
 */
void
wilson_interval(double hits, double n, double *low, double *high)
{
	const double z = 1.959963984540054;
	double		share;
	double		middle;
	double		half;

	*low = 0.0;
	*high = 1.0;
	if (!(n > 0.0))
		return;
	share = hits / n;
	middle = (share + z * z / (2 * n)) / (1 + z * z / n);
	half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n));
	/* exactly the ends where rounding would miss them */
	*low = hits > 0.0 ? fmax(middle - half, 0.0) : 0.0;
	*high = hits < n ? fmin(middle + half, 1.0) : 1.0;
}

/* Confusion counts, truth by row, prediction by column. */
void
count_confusion(const float *probability, const int *label, int n, int classes,
				int *confusion)
{
	for (size_t i = 0; i < (size_t) classes * classes; i++)
		confusion[i] = 0;
	for (int i = 0; i < n; i++)
		confusion[(size_t) label[i] * classes +
				  most_probable(probability + (size_t) i * classes, classes)]++;
}

/*
 * Edges between bins: row ranks[b] in order of confidence (ties in order of
 * rows) is the first of bin b + 1.  Found without memory for a sort, by
 * bisecting the bits of the confidences (floats >= 0 compare as their bits):
 * value[b] is the confidence of that row, below[b] the number of rows with
 * less.
 */
typedef struct Edges
{
	int			rank[BINS - 1];
	float		value[BINS - 1];
	int			below[BINS - 1];
	int			ties[BINS - 1]; /* rows met so far with just that confidence */
} Edges;

static float
confidence_of(const float *probability, size_t row, int classes)
{
	const float *p = probability + row * classes;

	return p[most_probable(p, classes)];
}

static float
float_of_bits(uint32_t bits)
{
	union
	{
		uint32_t	bits;
		float		value;
	}			both;

	both.bits = bits;
	return both.value;
}

/* Finds the edges; bin b gets the ranks that numpy's array_split gives it. */
static void
find_edges(const float *probability, int n, int classes, Edges *edges)
{
	uint32_t	bits[BINS - 1] = {0};

	for (int b = 0, rank = 0; b < BINS - 1; b++)
	{
		rank += n / BINS + (b < n % BINS);
		edges->rank[b] = rank;
		edges->ties[b] = 0;
	}
	/* the largest value that no more than rank rows stay below */
	for (uint32_t bit = UINT32_C(1) << 30; bit > 0; bit >>= 1)
	{
		int			count[BINS - 1] = {0};

		for (int i = 0; i < n; i++)
		{
			float		confidence = confidence_of(probability, i, classes);

			for (int b = 0; b < BINS - 1; b++)
				count[b] += confidence < float_of_bits(bits[b] | bit);
		}
		for (int b = 0; b < BINS - 1; b++)
			if (count[b] <= edges->rank[b])
				bits[b] |= bit;
	}
	for (int b = 0; b < BINS - 1; b++)
	{
		edges->value[b] = float_of_bits(bits[b]);
		edges->below[b] = 0;
	}
	for (int i = 0; i < n; i++)
	{
		float		confidence = confidence_of(probability, i, classes);

		for (int b = 0; b < BINS - 1; b++)
			edges->below[b] += confidence < edges->value[b];
	}
}

/* The bin of the next row, in order of rows. */
static int
bin_of(Edges *edges, float confidence)
{
	int			bin = 0;

	for (int b = 0; b < BINS - 1; b++)
	{
		if (confidence > edges->value[b])
			bin = b + 1;
		else if (confidence == edges->value[b] &&
				 edges->below[b] + edges->ties[b]++ >= edges->rank[b])
			bin = b + 1;
	}
	return bin;
}

/*
 * Accuracy, log loss and expected calibration error (Naeini, Cooper and
 * Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
 * binning", AAAI 2015) of n x classes probabilities; see metrics.h.  All zero
 * for n = 0, but for the interval.
 */
void
measure(const float *probability, const int *label, int n, int classes, Metrics *metrics)
{
	double		gap[BINS] = {0};
	double		loss = 0.0;
	int			hits = 0;
	Edges		edges;

	metrics->n = n;
	metrics->accuracy = 0.0;
	metrics->log_loss = 0.0;
	metrics->calibration_error = 0.0;
	wilson_interval(0.0, 0.0, &metrics->accuracy_low, &metrics->accuracy_high);
	if (n <= 0)
		return;
	find_edges(probability, n, classes, &edges);
	for (int i = 0; i < n; i++)
	{
		const float *p = probability + (size_t) i * classes;
		int			predicted = most_probable(p, classes);
		bool		hit = predicted == label[i];

		hits += hit;
		loss -= log(fmax(p[label[i]], LEAST));
		gap[bin_of(&edges, p[predicted])] += p[predicted] - hit;
	}
	for (int b = 0; b < BINS; b++)
		metrics->calibration_error += fabs(gap[b]) / n;
	metrics->accuracy = (double) hits / n;
	metrics->log_loss = loss / n;
	wilson_interval(hits, n, &metrics->accuracy_low, &metrics->accuracy_high);
}

/*
 * (p_o - p_e) / (1 - p_e), with p_o the share on which they agree and p_e the
 * share on which two who do not look at the items would, each answering as often
 * what he does (Cohen, "A coefficient of agreement for nominal scales",
 * Educational and Psychological Measurement 20, 1960, equation 1).  Without
 * memory for counts: classes are few.
 */
double
cohen_kappa(const int *a, const int *b, int n, int classes)
{
	int			same = 0;
	double		expected = 0.0;

	for (int i = 0; i < n; i++)
		same += a[i] == b[i];
	if (same == n)
		return 1.0;
	for (int k = 0; k < classes; k++)
	{
		int			count_a = 0;
		int			count_b = 0;

		for (int i = 0; i < n; i++)
		{
			count_a += a[i] == k;
			count_b += b[i] == k;
		}
		expected += (double) count_a / n * count_b / n;
	}
	return ((double) same / n - expected) / (1.0 - expected);
}
