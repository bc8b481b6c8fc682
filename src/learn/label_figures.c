/*-------------------------------------------------------------------------
 *
 * label_figures.c
 *	  What a label model says of items and voices.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "../math/beta.h"
#include "label_model_internal.h"

int
label_model_items(const LabelModel *model)
{
	return model->items;
}

int
label_model_voices(const LabelModel *model)
{
	return model->voices;
}

int
label_model_classes(const LabelModel *model)
{
	return model->classes;
}

/* Weight that the item's support leaves to all other classes. */
static double
rest_of(const LabelItem *item)
{
	double		rest = 1.0;

	for (int s = 0; s < item->support; s++)
		rest -= item->weight[s];
	return rest > 0.0 ? rest : 0.0;
}

static double
entropy_term(double p)
{
	return p > 0.0 ? -p * log(p) : 0.0;
}

/* Of the support, what is left spread evenly over n others. */
static double
entropy_of(const LabelItem *item, int others)
{
	double		rest = rest_of(item);
	double		entropy = 0.0;

	for (int s = 0; s < item->support; s++)
		entropy += entropy_term(item->weight[s]);
	return entropy + (others > 0 && rest > 0.0 ? entropy_term(rest) + rest * log(others) : 0.0);
}

void
label_model_item(const LabelModel *model, int item, ItemLabel *label)
{
	const LabelItem *at = &model->item[item];

	label->label = at->support > 0 ? at->class[0] : LABEL_NONE;
	label->probability = at->support > 0 ? at->weight[0] : 0.0f;
	label->entropy = (float) entropy_of(at, model->classes - at->support);
	label->answers = at->people;
	label->rules = at->rules;
	label->known = at->known != LABEL_NONE;
}

void
label_model_posterior(const LabelModel *model, int item, float *probability)
{
	const LabelItem *at = &model->item[item];
	int			others = model->classes - at->support;
	float		rest = others > 0 ? (float) (rest_of(at) / others) : 0.0f;

	for (int t = 0; t < model->classes; t++)
		probability[t] = rest;
	for (int s = 0; s < at->support; s++)
		probability[at->class[s]] = at->weight[s];
}

int
label_model_support(const LabelModel *model, int item, float least, int *class, float *weight)
{
	const LabelItem *at = &model->item[item];
	float		sum = 0.0f;
	int			n = 0;

	for (; n < at->support && (n == 0 || at->weight[n] >= least); n++)
	{
		class[n] = at->class[n];
		weight[n] = at->weight[n];
		sum += weight[n];
	}
	for (int s = 0; s < n; s++)
		weight[s] /= sum;
	return n;
}

/* What of the item's posterior is the class's. */
static double
weight_of(const LabelModel *model, const LabelItem *item, int class)
{
	int			others = model->classes - item->support;

	for (int s = 0; s < item->support; s++)
		if (item->class[s] == class)
			return item->weight[s];
	return others > 0 ? rest_of(item) / others : 0.0;
}

int
label_model_choice(const LabelModel *model, int item, int preferred)
{
	const LabelItem *at = &model->item[item];
	double		most = -1.0;
	bool		said = false;
	int			choice = LABEL_NONE;

	if (at->known != LABEL_NONE)
		return at->known;
	for (int a = at->answers; a >= 0; a = model->answer[a].next)
	{
		int			label = model->answer[a].label;
		double		weight = weight_of(model, at, label);

		said = said || label == preferred;
		if (weight > most || (weight == most && label < choice))
		{
			most = weight;
			choice = label;
		}
	}
	if (said)
	{
		double		one = weight_of(model, at, preferred) / model->prior[preferred];
		double		other = most / model->prior[choice];

		if (fabs(one - other) <= 0.01 * fmax(one, other))
			return preferred;
	}
	return choice;
}

bool
label_model_next_answer(const LabelModel *model, int item, int *cursor, int *voice, int *label)
{
	int			a = *cursor == LABEL_NONE ? model->item[item].answers
		: model->answer[*cursor].next;

	if (a < 0)
		return false;
	*cursor = a;
	*voice = model->answer[a].voice;
	*label = model->answer[a].label;
	return true;
}

/* p(k | t) of the voice, or of a typical person; t of no class: any other. */
static double
typical_probability(const LabelModel *model, int voice, int said, int truth)
{
	if (voice != LABEL_NONE && truth != LABEL_NONE)
		return voice_probability(model, voice, said, truth);
	if (said == truth)
		return model->accuracy;
	return (1.0 - model->accuracy) / (model->classes - 1);
}

/*
 * Mutual information of truth and answer.  Classes beyond the support are one
 * truth and one outcome.
 */
double
label_model_gain(const LabelModel *model, int item, int voice)
{
	const LabelItem *at = &model->item[item];
	int			n = at->support;
	double		rest = n > 0 ? rest_of(at) : 1.0;
	double		gain = 0.0;
	double		other_of[LABEL_SUPPORT + 1];	/* p(another outcome | t) */
	double		other = 0.0;

	if (at->known != LABEL_NONE || model->classes < 2)
		return 0.0;
	for (int t = 0; t <= n; t++)
		other_of[t] = 1.0;
	for (int k = 0; k < n; k++)
	{
		double		p[LABEL_SUPPORT + 1];
		double		all = 0.0;

		for (int t = 0; t <= n; t++)
		{
			p[t] = typical_probability(model, voice, at->class[k],
									   t < n ? at->class[t] : LABEL_NONE);
			other_of[t] -= p[t];
			all += (t < n ? at->weight[t] : rest) * p[t];
		}
		for (int t = 0; t <= n; t++)
			if (p[t] > 0.0 && all > 0.0)
				gain += (t < n ? at->weight[t] : rest) * p[t] * log(p[t] / all);
	}
	for (int t = 0; t <= n; t++)
		other += (t < n ? at->weight[t] : rest) * fmax(other_of[t], 0.0);
	for (int t = 0; t <= n; t++)
		if (other_of[t] > 0.0 && other > 0.0)
			gain += (t < n ? at->weight[t] : rest) * other_of[t] * log(other_of[t] / other);
	return fmax(gain, 0.0);
}

/* 95 % interval of a share of mean p that n observations stand for. */
static void
credible_interval(double p, double n, double *low, double *high)
{
	double		right = fmax(p * n, 1e-6);
	double		wrong = fmax((1.0 - p) * n, 1e-6);

	/* next to 0 or 1 nearly all may lie on one side of the mean */
	*low = fmin(beta_quantile(right, wrong, 0.025), p);
	*high = fmax(beta_quantile(right, wrong, 0.975), p);
}

/* Share of the voice's answers that are the item's label. */
static double
agreement_of(const LabelModel *model, int voice)
{
	int			same = 0;

	for (int i = 0; i < model->items; i++)
		for (int a = model->item[i].answers; a >= 0; a = model->answer[a].next)
			same += model->answer[a].voice == voice &&
				model->answer[a].label == model->item[i].class[0];
	return model->voice[voice].answers > 0 ? (double) same / model->voice[voice].answers : NAN;
}

/*
 * How many answers of a voice something can be held against, and how many of them
 * are right; of a rule, that people have judged.
 */
static void
compared_of(const LabelModel *model, const LabelVoice *voice, double *compared, double *right)
{
	size_t		row = (size_t) voice->row * model->classes;

	*compared = voice->said;
	*right = voice->right;
	if (!voice->rule)
		return;
	*compared = *right = 0.0;
	for (int k = 0; k < model->classes; k++)
	{
		*compared += model->judged[row + k];
		*right += model->judged_right[row + k];
	}
}

/* Of a rule, what all items say of it, as sure as those that people have judged make it. */
double
label_model_accuracy(const LabelModel *model, int voice, double *low, double *high)
{
	const LabelVoice *v = &model->voice[voice];
	double		accuracy = v->rule ?
		(v->right + RULE_ANSWERS * RULE_ACCURACY) / (v->said + RULE_ANSWERS) : v->accuracy;
	double		compared;
	double		right;

	compared_of(model, v, &compared, &right);
	credible_interval(accuracy, compared + (v->rule ? RULE_ANSWERS : VOICE_ANSWERS), low, high);
	return accuracy;
}

void
label_model_voice(const LabelModel *model, int voice, VoiceFigures *figures)
{
	const LabelVoice *v = &model->voice[voice];

	figures->answers = v->answers;
	figures->agreement = agreement_of(model, voice);
	compared_of(model, v, &figures->compared, &figures->compared_right);
	figures->accuracy = label_model_accuracy(model, voice, &figures->accuracy_low,
											 &figures->accuracy_high);
	figures->coverage = !v->rule ? 1.0 : model->heard > 0 ? v->said / model->heard : 0.0;
	figures->weight = v->weight;
}

void
label_model_confusion(const LabelModel *model, int voice, int truth, int said,
					  ConfusionCell *cell)
{
	cell->count = voice_count(model, voice, said, truth);
	cell->probability = voice_probability(model, voice, said, truth);
	credible_interval(cell->probability,
					  voice_total(model, voice, truth) + voice_strength(model, voice),
					  &cell->low, &cell->high);
}

double
label_model_coverage(const LabelModel *model, int voice, int truth)
{
	double		spoken = 0.0;

	if (!model->voice[voice].rule)
		return 1.0;
	for (int k = 0; k < model->classes; k++)
		spoken += voice_probability(model, voice, k, truth);
	return spoken;
}

double
label_model_class(const LabelModel *model, int class)
{
	return model->prior[class];
}

double
label_model_classifier_weight(const LabelModel *model)
{
	return model->classifier == NULL ? 0.0 : model->classifier_weight;
}

double
label_model_log_likelihood(const LabelModel *model)
{
	return model->log_likelihood;
}
