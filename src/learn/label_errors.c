/*-------------------------------------------------------------------------
 *
 * label_errors.c
 *	  Which of the labels are probably wrong, and how many are.
 *
 * That a low out-of-fold probability of the given label ranks errors well is
 * from Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty
 * in dataset labels", JAIR 70, 2021 ("self-confidence").  The mixture makes a
 * probability of it, as in the noise models of Natarajan, Dhillon, Ravikumar
 * and Tewari, "Learning with noisy labels", NIPS 2013, with its two numbers by
 * maximum a posteriori.
 *
 *-------------------------------------------------------------------------
 */
#include "label_errors.h"

#include <math.h>

/* So many rows, evenly spread, are enough for two numbers. */
#define FIT_ROWS 10000
/* Rows between two questions whether to stop. */
#define ROWS_BETWEEN_STOPS 1024

/*
 * What is looked among for the sharpness: first on a grid, as there may be two
 * maxima (few errors and a timid model, or more of them), then by the golden section.
 */
#define SHARPNESS_LEAST 0.5
#define SHARPNESS_MOST 6.0
#define SHARPNESS_GRID 9
#define SHARPNESS_STEPS 6

/* With more errors than that, most labels of two classes could be swapped. */
#define RATE_MOST 0.45
#define RATE_STEPS 40

/*
 * Weak priors, which matter where labels are few: as if so many more labels had
 * been looked at and found right or wrong (Northcutt, Athalye and Mueller,
 * "Pervasive label errors in test sets", NeurIPS 2021, found 3.3 % on average), and
 * a normal one of the logarithm of the sharpness, of this precision.
 */
#define PRIOR_RIGHT 96.0
#define PRIOR_WRONG 4.0
#define SHARPNESS_PRIOR 2.0

/* A probability below this has been rounded to nothing. */
#define LEAST 1e-12f

typedef struct Fit
{
	const Caller *caller;
	const float *probability;
	const int  *label;
	const int  *count;			/* labels of each class */
	const SoftLabels *said;		/* NULL: nothing */
	int			n;
	int			classes;
	int			step;			/* from one row of the fit to the next */
	int			rows;			/* of them */
	double	   *given;			/* sharpened probability of each one's label */
} Fit;

/* The probability of the row's label, sharpened: p_g^t / sum_k p_k^t. */
static double
sharpened(const float *probability, int classes, int label, double sharpness)
{
	double		sum = 0.0;
	double		own = 0.0;

	for (int k = 0; k < classes; k++)
	{
		double		power = probability[k] < LEAST ? 0.0 : exp(sharpness * log(probability[k]));

		sum += power;
		own = k == label ? power : own;
	}
	return sum > 0.0 ? own / sum : 1.0 / classes;
}

/* Probability of the label that was given, from that of its being the true one. */
static double
likelihood(const Fit *fit, double given, double rate)
{
	return (1.0 - rate) * given + rate * (1.0 - given) / (fit->classes - 1);
}

/* Slope of the log posterior by the rate: it only falls, as each term is concave. */
static double
rate_slope(const Fit *fit, double rate)
{
	double		slope = PRIOR_WRONG / rate - PRIOR_RIGHT / (1.0 - rate);

	for (int i = 0; i < fit->rows; i++)
		slope += ((1.0 - fit->given[i]) / (fit->classes - 1) - fit->given[i]) /
			fmax(likelihood(fit, fit->given[i], rate), LEAST);
	return slope;
}

/* The best rate for the sharpened probabilities, by bisection. */
static double
best_rate(const Fit *fit)
{
	double		low = 0.0;
	double		high = RATE_MOST;

	for (int step = 0; step < RATE_STEPS; step++)
	{
		double		middle = (low + high) / 2;

		if (rate_slope(fit, middle) > 0.0)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

/* Has the row one answer, so that the rate is all that is known of it? */
static bool
answered_once(const Fit *fit, int row)
{
	return fit->said == NULL || fit->said->start[row] == fit->said->start[row + 1];
}

/* Log posterior of a sharpness with the rate that suits it best. */
static Status
try_sharpness(Fit *fit, double sharpness, double *rate, double *value)
{
	int			rows = 0;

	for (int i = 0; i < fit->n; i += fit->step)
	{
		if (rows % ROWS_BETWEEN_STOPS == 0 && stopped(fit->caller))
			return STATUS_STOPPED;
		if (fit->count[fit->label[i]] > 1 && answered_once(fit, i))
			fit->given[rows++] = sharpened(fit->probability + (size_t) i * fit->classes,
										   fit->classes, fit->label[i], sharpness);
	}
	fit->rows = rows;
	*rate = best_rate(fit);
	*value = PRIOR_RIGHT * log(1.0 - *rate) + PRIOR_WRONG * log(*rate) -
		SHARPNESS_PRIOR / 2 * log(sharpness) * log(sharpness);
	for (int i = 0; i < rows; i++)
		*value += log(fmax(likelihood(fit, fit->given[i], *rate), LEAST));
	return STATUS_SUCCESS;
}

/* A sharpness that was tried. */
typedef struct Trial
{
	double		at;				/* its logarithm */
	double		rate;
	double		value;
} Trial;

static Status
try_at(Fit *fit, double at, Trial *trial)
{
	trial->at = at;
	return try_sharpness(fit, exp(at), &trial->rate, &trial->value);
}

/* Golden section between low and high; best is the best so far. */
static Status
refine_trial(Fit *fit, double low, double high, Trial *best)
{
	const double golden = 0.6180339887498949;
	Trial		side[2];

	TRY(try_at(fit, high - golden * (high - low), &side[0]));
	TRY(try_at(fit, low + golden * (high - low), &side[1]));
	for (int step = 0; step < SHARPNESS_STEPS; step++)
	{
		/* one of the two stays inside, and is known already */
		int			fresh = side[0].value > side[1].value ? 0 : 1;

		if (fresh == 0)
			high = side[1].at;
		else
			low = side[0].at;
		side[1 - fresh] = side[fresh];
		TRY(try_at(fit, fresh == 0 ? high - golden * (high - low) : low + golden * (high - low),
				   &side[fresh]));
	}
	for (int i = 0; i < 2; i++)
		*best = side[i].value > best->value ? side[i] : *best;
	return STATUS_SUCCESS;
}

static Status
fit_errors(Fit *fit, LabelErrors *errors)
{
	double		low = log(SHARPNESS_LEAST);
	double		step = (log(SHARPNESS_MOST) - low) / (SHARPNESS_GRID - 1);
	Trial		best = {0};

	for (int i = 0; i < SHARPNESS_GRID; i++)
	{
		Trial		trial;

		TRY(try_at(fit, low + i * step, &trial));
		if (i == 0 || trial.value > best.value)
			best = trial;
	}
	TRY(refine_trial(fit, best.at - step, best.at + step, &best));
	errors->rate = best.rate;
	errors->sharpness = exp(best.at);
	return STATUS_SUCCESS;
}

/* Of a row whose label is right with probability given, by the model alone. */
static double
posterior_wrong(const Fit *fit, double given, const LabelErrors *errors)
{
	double		other = errors->rate * (1.0 - given) / (fit->classes - 1);

	/* the smallest sum has both parts at nothing: the model alone speaks then */
	return other > 0.0 ? other / likelihood(fit, given, errors->rate) : 0.0;
}

static double
power_of(const LabelErrors *errors, float probability)
{
	return probability < LEAST ? 0.0 : exp(errors->sharpness * log(probability));
}

/*
 * Of a row that several have answered.  *suggested is the most probable class but for
 * the label by what they and the model say together; before, by the model alone.
 */
static double
judge_answers(const Fit *fit, int row, const LabelErrors *errors, int *suggested)
{
	const float *p = fit->probability + (size_t) row * fit->classes;
	const SoftLabels *said = fit->said;
	int			unnamed = fit->classes - (said->start[row + 1] - said->start[row]);
	double		rest = fmax(1.0 - soft_row_weight(said, row), 0.0) / (unnamed > 0 ? unnamed : 1);
	double		label = rest * power_of(errors, p[fit->label[row]]);
	double		others = -label;
	double		most = rest * power_of(errors, p[*suggested]);

	for (int k = 0; k < fit->classes && rest > 0.0; k++)
		others += rest * power_of(errors, p[k]);
	for (int e = said->start[row]; e < said->start[row + 1]; e++)
	{
		int			k = said->class[e];
		double		power = power_of(errors, p[k]);
		double		both = said->weight[e] * power;

		if (k == fit->label[row])
		{
			label = both;
			continue;
		}
		others += both - rest * power;
		if (both > most)
		{
			most = both;
			*suggested = k;
		}
	}
	others = fmax(others, 0.0);
	return label + others > 0.0 ? others / (label + others) : 0.0;
}

static Status
judge_rows(const Fit *fit, const LabelErrors *errors, float *wrong, int *suggested)
{
	for (int i = 0; i < fit->n; i++)
	{
		const float *p = fit->probability + (size_t) i * fit->classes;
		int			label = fit->label[i];
		int			best = label == 0 ? 1 : 0;

		if (i % ROWS_BETWEEN_STOPS == 0 && stopped(fit->caller))
			return STATUS_STOPPED;
		for (int k = 0; k < fit->classes; k++)
			best = k != label && p[k] > p[best] ? k : best;
		suggested[i] = best;
		if (!answered_once(fit, i))
		{
			wrong[i] = (float) judge_answers(fit, i, errors, &suggested[i]);
			continue;
		}
		wrong[i] = (float) (fit->count[label] < 2 ? errors->rate :
							posterior_wrong(fit, sharpened(p, fit->classes, label,
														   errors->sharpness), errors));
	}
	return STATUS_SUCCESS;
}

Status
label_errors(const Caller *caller, const float *probability, const int *label, int n,
			 int classes, const SoftLabels *said, float *wrong, int *suggested,
			 LabelErrors *errors)
{
	int			step = n / FIT_ROWS + 1;
	Fit			fit = {
		caller, probability, label, .said = said, .n = n, .classes = classes, .step = step
	};
	int		   *count;
	Status		status = STATUS_NO_MEMORY;

	if (classes < 2 || n < 0)
		return STATUS_BAD_ARGUMENT;
	count = allocate_array(caller, classes, sizeof(int));
	fit.given = allocate_array(caller, n / step + 1, sizeof(double));
	if (count != NULL && fit.given != NULL)
	{
		for (int i = 0; i < n; i++)
			count[label[i]]++;
		fit.count = count;
		status = fit_errors(&fit, errors);
		if (status == STATUS_SUCCESS)
			status = judge_rows(&fit, errors, wrong, suggested);
	}
	release(caller, count);
	release(caller, fit.given);
	return status;
}
