/*-------------------------------------------------------------------------
 *
 * uncertainty.c
 *	  From logits and their variances to the answer for a row.
 *
 * The prediction, its confidence and the margin are those of the calibrated
 * point estimate softmax(logits): a mean over a wide posterior would soften
 * it a second time.  The uncertainty is split over 64 fixed antithetic draws
 * of the logits: total is the entropy of the mean of their softmaxes,
 * aleatoric the mean of their entropies, epistemic the difference, which is
 * the mutual information of label and weights (Houlsby, Huszar, Ghahramani
 * and Lengyel, "Bayesian active learning for classification and preference
 * learning", 2011).
 *
 * The inner loops run over the draws, 64 of them whatever the number of
 * classes, and so fill vector registers for two classes as for a hundred.
 *
 *-------------------------------------------------------------------------
 */
#include "uncertainty.h"

#include <math.h>

#include "../math/kernels.h"
#include "../math/random.h"

#define HALF (DRAWS / 2)
#define DRAW_SEED 20

/* The part of the classes that all draws leave at their means. */
typedef struct Undrawn
{
	float		largest;		/* logit that the sums are relative to */
	float		sum;			/* of e^f */
	float		weighted;		/* of e^f f */
} Undrawn;

/* Fills in the normal numbers. */
Status
draws_init(const Caller *caller, int classes, Draws *draws)
{
	Random		random;

	draws->classes = classes;
	draws->slots = classes < DRAWN_CLASSES ? classes : DRAWN_CLASSES;
	draws->normal = allocate_array(caller, (size_t) draws->slots * HALF, sizeof(float));
	if (draws->normal == NULL)
		return STATUS_NO_MEMORY;
	random_seed(&random, DRAW_SEED);
	for (int i = 0; i < draws->slots * HALF; i++)
		draws->normal[i] = (float) random_normal(&random);
	return STATUS_SUCCESS;
}

/* Gives them back. */
void
draws_free(const Caller *caller, Draws *draws)
{
	release(caller, draws->normal);
	draws->normal = NULL;
}

/* Floats of scratch for score_row: one row of draws a slot, and the drawn. */
size_t
score_scratch(int classes)
{
	size_t		slots = classes < DRAWN_CLASSES ? classes : DRAWN_CLASSES;

	return slots * (DRAWS + 2) + classes;
}

/*
 * Softmax of the logits (K) into probability; returns the most probable
 * class, the first of several.
 */
FOR_EACH_PROCESSOR int
predict_row(const float *restrict logits, int classes, float *restrict probability)
{
	float		largest = largest_float(logits, classes);
	int			best = 0;
	float		sum;

	while (best < classes - 1 && logits[best] != largest)
		best++;
	memcpy(probability, logits, sizeof(float) * classes);
	sum = exponentiate_float(probability, classes, largest);
	scale_float(probability, classes, 1.0f / sum);
	return best;
}

/* Sums over the classes, for each draw; relative to the largest logit. */
typedef struct DrawSums
{
	float		largest[DRAWS];
	float		sum[DRAWS];		/* of e^f; later its inverse */
	float		weighted[DRAWS];	/* of e^f f */
} DrawSums;

/* The largest logit of each draw, and what the undrawn classes bring. */
FOR_EACH_PROCESSOR static void
start_draws(const float *restrict mean, const float *restrict deviation, int slots,
			const float *restrict normal, const Undrawn *undrawn, DrawSums *restrict sums)
{
	for (int d = 0; d < DRAWS; d++)
		sums->largest[d] = undrawn->sum > 0.0f ? undrawn->largest : -INFINITY;
	for (int k = 0; k < slots; k++)
	{
		const float *restrict z = normal + (size_t) k * HALF;
		float		f = mean[k];
		float		s = deviation[k];

		for (int d = 0; d < HALF; d++)
		{
			float		plus = f + s * z[d];
			float		minus = f - s * z[d];

			sums->largest[d] = plus > sums->largest[d] ? plus : sums->largest[d];
			sums->largest[HALF + d] = minus > sums->largest[HALF + d] ?
				minus : sums->largest[HALF + d];
		}
	}
	for (int d = 0; d < DRAWS; d++)
	{
		float		shift = undrawn->largest - sums->largest[d];
		float		factor = exp_float(shift);

		sums->sum[d] = undrawn->sum * factor;
		sums->weighted[d] = (undrawn->weighted + undrawn->sum * shift) * factor;
	}
}

/* Adds the drawn classes to the sums; drawn (slots x DRAWS) keeps each e^f. */
FOR_EACH_PROCESSOR static void
add_draws(const float *restrict mean, const float *restrict deviation, int slots,
		  const float *restrict normal, DrawSums *restrict sums, float *restrict drawn)
{
	for (int k = 0; k < slots; k++)
	{
		const float *restrict z = normal + (size_t) k * HALF;
		float	   *restrict to = drawn + (size_t) k * DRAWS;
		float		f = mean[k];
		float		s = deviation[k];

		for (int d = 0; d < HALF; d++)
		{
			float		plus = f + s * z[d] - sums->largest[d];
			float		minus = f - s * z[d] - sums->largest[HALF + d];
			float		e = exp_float(plus);
			float		g = exp_float(minus);

			sums->sum[d] += e;
			sums->weighted[d] += e * plus;
			to[d] = e;
			sums->sum[HALF + d] += g;
			sums->weighted[HALF + d] += g * minus;
			to[HALF + d] = g;
		}
	}
}

/* Entropy of the mean of the draws' softmaxes. */
FOR_EACH_PROCESSOR static float
entropy_of_mean(const float *restrict drawn, int slots, const Undrawn *undrawn,
				const DrawSums *restrict sums)
{
	double		entropy = 0.0;

	for (int k = 0; k < slots; k++)
	{
		const float *restrict from = drawn + (size_t) k * DRAWS;
		float		part[16] = {0};
		float		p = 0.0f;

		for (int d = 0; d < DRAWS; d += 16)
			for (int j = 0; j < 16; j++)
				part[j] += from[d + j] * sums->sum[d + j];
		for (int j = 0; j < 16; j++)
			p += part[j];
		p *= 1.0f / DRAWS;
		if (p > 0.0f)
			entropy -= p * logf(p);
	}
	if (undrawn->sum > 0.0f)
	{
		/* each undrawn class has the mean e^f m, with m the mean of 1/sum */
		float		m = 0.0f;

		for (int d = 0; d < DRAWS; d++)
			m += sums->sum[d] * exp_float(undrawn->largest - sums->largest[d]);
		m *= 1.0f / DRAWS;
		entropy -= m * (undrawn->weighted + undrawn->sum * logf(m));
	}
	return (float) entropy;
}

/*
 * Draws slots classes with these means and standard deviations; drawn is
 * slots x DRAWS of scratch.  Returns the mean of the draws' entropies,
 * log sum e^f - sum p f; *total is the entropy of their mean.
 */
static float
draw(const float *mean, const float *deviation, int slots, const float *normal,
	 const Undrawn *undrawn, float *drawn, float *total)
{
	double		aleatoric = 0.0;
	DrawSums	sums;

	start_draws(mean, deviation, slots, normal, undrawn, &sums);
	add_draws(mean, deviation, slots, normal, &sums, drawn);
	for (int d = 0; d < DRAWS; d++)
	{
		float		inverse = 1.0f / sums.sum[d];

		aleatoric += logf(sums.sum[d]) - sums.weighted[d] * inverse;
		sums.sum[d] = inverse;
	}
	*total = entropy_of_mean(drawn, slots, undrawn, &sums);
	return (float) (aleatoric / DRAWS);
}

/* The value that `wanted` of the n values reach; reorders them (Hoare's FIND). */
static float
find_largest(float *values, int n, int wanted)
{
	int			low = 0;
	int			high = n - 1;

	while (low < high)
	{
		float		pivot = values[low + (high - low) / 2];
		int			i = low;
		int			j = high;

		while (i <= j)
		{
			while (values[i] > pivot)
				i++;
			while (values[j] < pivot)
				j--;
			if (i <= j)
			{
				float		spare = values[i];

				values[i++] = values[j];
				values[j--] = spare;
			}
		}
		if (wanted - 1 <= j)
			high = j;
		else if (wanted - 1 >= i)
			low = i;
		else
			break;
	}
	return values[wanted - 1];
}

/*
 * Means and deviations of the classes to be drawn, at most slots of them:
 * the most probable ones.  The others keep their means in every draw, which
 * their small share of the probability makes a good approximation.
 */
static int
pick_classes(const Draws *draws, const float *logits, const float *variance,
			 float *mean, float *deviation, float *scratch, Undrawn *undrawn)
{
	int			slots = 0;
	int			above = 0;
	int			ties;
	float		least = -INFINITY;

	undrawn->largest = -INFINITY;
	undrawn->sum = 0.0f;
	undrawn->weighted = 0.0f;
	for (int k = 0; k < draws->classes; k++)
		undrawn->largest = fmaxf(undrawn->largest, WIDEN * logits[k]);
	if (draws->classes > draws->slots)
	{
		memcpy(scratch, logits, sizeof(float) * draws->classes);
		least = find_largest(scratch, draws->classes, draws->slots);
	}
	for (int k = 0; k < draws->classes; k++)
		above += logits[k] > least;
	ties = draws->slots - above;
	for (int k = 0; k < draws->classes; k++)
	{
		float		f = WIDEN * logits[k];

		if (logits[k] > least || (logits[k] == least && ties-- > 0))
		{
			mean[slots] = f;
			deviation[slots++] = sqrtf(TEMPER * fmaxf(variance[k], 0.0f));
		}
		else
		{
			float		e = exp_float(f - undrawn->largest);

			undrawn->sum += e;
			undrawn->weighted += e * (f - undrawn->largest);
		}
	}
	return slots;
}

/* Label, confidence and margin; see uncertainty.h. */
void
point_score(const float *logits, int classes, float *probability, Score *score)
{
	float		second = 0.0f;

	score->label = predict_row(logits, classes, probability);
	score->confidence = probability[score->label];
	for (int k = 0; k < classes; k++)
		if (k != score->label && probability[k] > second)
			second = probability[k];
	score->margin = score->confidence - second;
}

/* The answer for a row; see uncertainty.h. */
void
score_row(const Draws *draws, const float *logits, const float *variance,
		  float *scratch, float *probability, Score *score)
{
	float	   *mean = scratch;
	float	   *deviation = mean + draws->slots;
	float	   *drawn = deviation + draws->slots;
	float		most = logf((float) draws->classes);
	float		total;
	float		aleatoric;
	Undrawn		undrawn;
	int			slots;

	point_score(logits, draws->classes, probability, score);
	slots = pick_classes(draws, logits, variance, mean, deviation,
						 drawn + (size_t) draws->slots * DRAWS, &undrawn);
	aleatoric = draw(mean, deviation, slots, draws->normal, &undrawn, drawn, &total);
	/* 0 <= aleatoric <= total <= ln K but for rounding */
	total = fminf(fmaxf(total, 0.0f), most);
	aleatoric = fminf(fmaxf(aleatoric, 0.0f), total);
	score->total = total;
	score->aleatoric = aleatoric;
	score->epistemic = total - aleatoric;
}
