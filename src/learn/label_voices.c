/*-------------------------------------------------------------------------
 *
 * label_voices.c
 *	  What voices are expected to say: rows of their matrices from counts.
 *
 * A number of a matrix is the mean of a Dirichlet posterior,
 *
 *		p(k | t) = (count(k, t) + strength x expected(k | t)) / (total(t) + strength)
 *
 * Of people, expected is accuracy a on the diagonal and (1 - a) times what all
 * people confuse off it.  Of rules, the outcomes are the classes and silence; with
 * coverage c(k) of the items and precision a(k), and prior(k) the share of a
 * class, Bayes' theorem has
 *
 *		expected(k | k) = c(k) a(k) / prior(k)
 *		expected(k | t) = c(k) (1 - a(k)) / (1 - prior(k))
 *
 * from which a(k) <= prior(k) / c(k): a rule that says one class of most of the
 * items cannot be right in all of them.
 *
 *-------------------------------------------------------------------------
 */
#include "label_model_internal.h"

#include <math.h>
#include <string.h>

double
voice_strength(const LabelModel *model, int voice)
{
	if (!model->voice[voice].rule)
		return sqrt(2.0 * model->classes);
	return RULE_STRENGTH * (model->heard > 0 ? model->heard : 1) / model->classes;
}

double
voice_total(const LabelModel *model, int voice, int truth)
{
	double		total = model->voice[voice].rule ? model->mass[truth]
		: model->total[(size_t) voice * model->classes + truth];

	return total > 0.0 ? total : 0.0;
}

double
voice_count(const LabelModel *model, int voice, int said, int truth)
{
	for (int c = CELL_HEAD(model, voice, said); c >= 0; c = model->cell[c].next)
		if (model->cell[c].truth == truth)
			return model->cell[c].count > 0.0 ? model->cell[c].count : 0.0;
	return 0.0;
}

/* Share of what people say where t is true and they do not say t. */
static double
confused(const LabelModel *model, int said, int truth)
{
	int			K = model->classes;

	if (K < 2)
		return 0.0;
	if (model->shared == NULL)
		return 1.0 / (K - 1);
	return (model->shared[(size_t) said * K + truth] + SHARED_ANSWERS / (K - 1)) /
		(model->shared_total[truth] + SHARED_ANSWERS);
}

double
voice_expected(const LabelModel *model, int voice, int said, int truth)
{
	const LabelVoice *v = &model->voice[voice];

	if (v->rule)
	{
		size_t		row = (size_t) v->row * model->classes;

		return model->scale[row + truth] *
			(said == truth ? model->own[row + said] : model->other[row + said]);
	}
	if (said == truth)
		return model->classes < 2 ? 1.0 : v->accuracy;
	return (1.0 - v->accuracy) * confused(model, said, truth);
}

double
voice_probability(const LabelModel *model, int voice, int said, int truth)
{
	double		strength = voice_strength(model, voice);

	return (voice_count(model, voice, said, truth) +
			strength * voice_expected(model, voice, said, truth)) /
		(voice_total(model, voice, truth) + strength);
}

void
voice_likelihood(const LabelModel *model, int voice, int said, double *p)
{
	double		strength = voice_strength(model, voice);
	int			K = model->classes;

	for (int t = 0; t < K; t++)
		p[t] = strength * voice_expected(model, voice, said, t) /
			(voice_total(model, voice, t) + strength);
	for (int c = CELL_HEAD(model, voice, said); c >= 0; c = model->cell[c].next)
	{
		const LabelCell *cell = &model->cell[c];

		if (cell->count > 0.0)
			p[cell->truth] += cell->count / (voice_total(model, voice, cell->truth) + strength);
	}
}

void
expect_person(LabelModel *model, int v)
{
	LabelVoice *voice = &model->voice[v];

	model->accuracy = (model->people_right + PEOPLE_ANSWERS * PEOPLE_ACCURACY) /
		(model->people_said + PEOPLE_ANSWERS);
	if (!voice->rule)
		voice->accuracy = (voice->right + VOICE_ANSWERS * model->accuracy) /
			(voice->said + VOICE_ANSWERS);
}

void
expect_people(LabelModel *model)
{
	for (int v = 0; v < model->voices; v++)
		expect_person(model, v);
}

/*
 * Precision of a rule where it says k: what is expected of rules, then of this
 * one, then what people's answers have shown.
 */
static void
expect_precision(LabelModel *model, const LabelVoice *voice, double *precision)
{
	size_t		row = (size_t) voice->row * model->classes;
	double		judged = 0.0;
	double		right = 0.0;
	double		all;

	for (int k = 0; k < model->classes; k++)
	{
		judged += model->judged[row + k];
		right += model->judged_right[row + k];
	}
	all = (right + RULE_ANSWERS * RULE_ACCURACY) / (judged + RULE_ANSWERS);
	for (int k = 0; k < model->classes; k++)
		precision[k] = (model->judged_right[row + k] + RULE_ANSWERS * all) /
			(model->judged[row + k] + RULE_ANSWERS);
}

/* own, other, scale and silence of one rule; precision: K of scratch. */
static void
expect_rule(LabelModel *model, int v, double *precision)
{
	const LabelVoice *voice = &model->voice[v];
	int			K = model->classes;
	size_t		row = (size_t) voice->row * K;
	double		heard = model->heard > 0 ? model->heard : 1;
	double		sum = 0.0;

	expect_precision(model, voice, precision);
	for (int k = 0; k < K; k++)
	{
		double		coverage = model->spoken[row + k] / heard;
		double		prior = model->prior[k];
		double		a = precision[k];

		if (coverage * a > RULE_MOST * prior)
			a = RULE_MOST * prior / coverage;
		model->own[row + k] = coverage * a / prior;
		model->other[row + k] = K < 2 ? 0.0 : coverage * (1.0 - a) / (1.0 - prior);
		sum += model->other[row + k];
	}
	model->other_sum[voice->row] = sum;
	for (int t = 0; t < K; t++)
	{
		double		spoken = sum - model->other[row + t] + model->own[row + t];

		model->scale[row + t] = spoken > RULE_MOST_SPOKEN ? RULE_MOST_SPOKEN / spoken : 1.0;
	}
}

/* How probable silence is, to the power that makes one witness of all. */
static void
expect_silence(LabelModel *model, int v)
{
	const LabelVoice *voice = &model->voice[v];
	int			K = model->classes;
	size_t		row = (size_t) voice->row * K;
	double		strength = voice_strength(model, v);

	for (int t = 0; t < K; t++)
	{
		double		spoken = model->scale[row + t] *
			(model->other_sum[voice->row] - model->other[row + t] + model->own[row + t]);
		double		total = voice_total(model, v, t);
		double		silent = total - model->total[(size_t) v * K + t];

		silent = ((silent > 0.0 ? silent : 0.0) + strength * (1.0 - spoken)) / (total + strength);
		model->silence[row + t] = pow(silent, 1.0 / model->rules);
	}
}

void
expect_rules(LabelModel *model)
{
	for (int v = 0; v < model->voices; v++)
	{
		if (!model->voice[v].rule)
			continue;
		expect_rule(model, v, model->value);
		expect_silence(model, v);
	}
}

/*
 * Covariance, given the true class, of two rules saying the same:
 * sum over k and t of n_uv(k, t) - n_u(k, t) n_v(k, t) / n(t).  together is the
 * first term.  With u = v, the variance.
 */
static double
covariance(const LabelModel *model, int u, int v, double together, double *of_truth)
{
	double		result = together;

	for (int k = 0; k < model->classes; k++)
	{
		if (CELL_HEAD(model, u, k) < 0 || CELL_HEAD(model, v, k) < 0)
			continue;
		for (int c = CELL_HEAD(model, u, k); c >= 0; c = model->cell[c].next)
			of_truth[model->cell[c].truth] = model->cell[c].count;
		for (int c = CELL_HEAD(model, v, k); c >= 0; c = model->cell[c].next)
		{
			int			t = model->cell[c].truth;

			if (model->mass[t] > 0.0)
				result -= of_truth[t] * model->cell[c].count / model->mass[t];
		}
		for (int c = CELL_HEAD(model, u, k); c >= 0; c = model->cell[c].next)
			of_truth[model->cell[c].truth] = 0.0;
	}
	return result;
}

/* together[u * rules + v]: items of which both say the same. */
static Status
count_together(const Caller *caller, const LabelModel *model, double *together)
{
	for (int i = 0; i < model->items; i++)
	{
		if (i % 1024 == 0 && stopped(caller))
			return STATUS_STOPPED;
		for (int a = model->item[i].answers; a >= 0; a = model->answer[a].next)
			for (int b = model->item[i].answers; b >= 0; b = model->answer[b].next)
			{
				const LabelVoice *u = &model->voice[model->answer[a].voice];
				const LabelVoice *v = &model->voice[model->answer[b].voice];

				if (u->rule && v->rule && model->answer[a].label == model->answer[b].label)
					together[(size_t) u->row * model->rules + v->row] += 1.0;
			}
	}
	return STATUS_SUCCESS;
}

/*
 * A rule counts 1 / (1 + sum of squared correlations with the others): n that
 * say the same everywhere count as one together, and those that have little in
 * common beyond the truth keep their weight.
 */
Status
weigh_rules(const Caller *caller, LabelModel *model)
{
	size_t		R = model->rules;
	double	   *together = allocate_array(caller, R * R, sizeof(double));
	double	   *of_truth = model->value;
	Status		status;

	if (together == NULL)
		return STATUS_NO_MEMORY;
	memset(of_truth, 0, sizeof(double) * model->classes);
	status = count_together(caller, model, together);
	if (status != STATUS_SUCCESS)
	{
		release(caller, together);
		return status;
	}
	for (int u = 0; u < model->voices; u++)
		if (model->voice[u].rule)
			model->voice[u].weight = covariance(model, u, u,
												together[model->voice[u].row * (R + 1)], of_truth);
	/* weight holds the variance; together becomes the correlation */
	for (int u = 0; u < model->voices; u++)
		for (int v = 0; v < u; v++)
		{
			const LabelVoice *a = &model->voice[u];
			const LabelVoice *b = &model->voice[v];
			double		variance = a->weight * b->weight;
			double		shared;

			if (!a->rule || !b->rule)
				continue;
			/* nothing is taken from nothing: most of many rules never meet */
			if (together[a->row * R + b->row] == 0.0)
				continue;
			shared = covariance(model, u, v, together[a->row * R + b->row], of_truth);
			shared = variance > 1e-9 && shared > 0.0 ? shared * shared / variance : 0.0;
			together[a->row * R + b->row] = together[b->row * R + a->row] =
				shared < 1.0 ? shared : 1.0;
		}
	for (int u = 0; u < model->voices; u++)
	{
		LabelVoice *voice = &model->voice[u];
		double		sum = 1.0;

		for (size_t v = 0; voice->rule && v < R; v++)
			sum += (int) v == voice->row ? 0.0 : together[voice->row * R + v];
		voice->weight = 1.0 / sum;
	}
	release(caller, together);
	return STATUS_SUCCESS;
}
