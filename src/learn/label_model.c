/*-------------------------------------------------------------------------
 *
 * label_model.c
 *	  The true label of each item, from what voices say: expectation
 *	  maximisation, and what one answer changes.
 *
 * A round computes every item's posterior from the counts, then the counts from
 * the posteriors.  What an item counts itself is left out of the counts that its
 * posterior comes from (the collapsed variational Bayes of zeroth order: Asuncion,
 * Welling, Smyth and Teh, "On smoothing and inference for topic models", 2009).
 * With it, two of equal merit who disagree would each be made right by rounding,
 * and posteriors were surer than they may be: log loss 0.43 nats an item for 0.38
 * on the answers of Snow et al. (2008), and it takes twice the rounds.  It begins with the shares of people's answers, as the
 * majority is mostly right.  Items that rules alone have spoken of begin with
 * what is expected of rules.
 *
 * An item's posterior is computed over all classes and kept for LABEL_SUPPORT of
 * them: with 77 classes or 1,000, what is beyond is next to nothing in sum, or
 * spread over so many that it says nothing of any.
 *
 *-------------------------------------------------------------------------
 */
#include "label_model_internal.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#define MAX_ROUNDS 100
/*
 * Change of the log-likelihood, in nats an item, at which it has converged.  With
 * 1e-6 it takes four times the rounds with 77 classes, and posteriors are no better
 * for it (log loss 0.295 for 0.293, where two have answered each of 5,000 items).
 */
#define TOLERANCE 1e-4
/* Less is nobody's class. */
#define LEAST_WEIGHT 1e-6
/* Standard deviation of the classifier's weight around 1/2, before anything is known. */
#define CLASSIFIER_SPREAD 0.5
/* Of its probabilities: what it excludes may be true all the same. */
#define CLASSIFIER_LEAST 1e-4
#define ITEMS_BETWEEN_STOPS 256

/* ---------------------------------------------------------------------- */
/* Memory */

size_t
label_model_memory(int items, int voices, int rules, int classes, size_t answers)
{
	size_t		K = classes;
	size_t		cells = answers * (K < LABEL_SUPPORT ? K : LABEL_SUPPORT);
	size_t		most = (size_t) voices * K * K;

	cells = cells < most ? cells : most;
	return sizeof(LabelModel) + items * sizeof(LabelItem) + voices * sizeof(LabelVoice) +
		answers * sizeof(LabelAnswer) + 3 * cells * sizeof(LabelCell) +
		(size_t) voices * K * (sizeof(int) + sizeof(double)) +
		(K <= LABEL_SHARED_CLASSES ? K * K * sizeof(double) : 0) +
		(7 * (size_t) rules * K + (size_t) rules * (rules + 1) + 5 * K) * sizeof(double);
}

static Status
allocate_rules(const Caller *caller, LabelModel *model)
{
	size_t		size = (size_t) model->rules * model->classes;
	double	  **arrays[] = {
		&model->spoken, &model->judged, &model->judged_right, &model->own, &model->other,
		&model->scale, &model->silence
	};

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
	{
		*arrays[i] = allocate_array(caller, size, sizeof(double));
		if (*arrays[i] == NULL)
			return STATUS_NO_MEMORY;
	}
	model->other_sum = allocate_array(caller, model->rules, sizeof(double));
	return model->other_sum == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* Everything but the cells, empty. */
static Status
allocate_model(const Caller *caller, LabelModel *model, int answers)
{
	size_t		K = model->classes;
	size_t		cells = (size_t) model->voices * K;
	bool		ok = true;

	model->items_capacity = model->items;
	model->voices_capacity = model->voices;
	model->answers_capacity = answers;
	model->free_answer = -1;
	ok = (model->item = allocate_array(caller, model->items, sizeof(LabelItem))) != NULL && ok;
	ok = (model->voice = allocate_array(caller, model->voices, sizeof(LabelVoice))) != NULL && ok;
	ok = (model->answer = allocate_array(caller, answers, sizeof(LabelAnswer))) != NULL && ok;
	ok = (model->head = allocate_array(caller, cells, sizeof(int))) != NULL && ok;
	ok = (model->total = allocate_array(caller, cells, sizeof(double))) != NULL && ok;
	if (K <= LABEL_SHARED_CLASSES)
		ok = (model->shared = allocate_array(caller, K * K, sizeof(double))) != NULL && ok;
	ok = (model->shared_total = allocate_array(caller, K, sizeof(double))) != NULL && ok;
	ok = (model->mass = allocate_array(caller, K, sizeof(double))) != NULL && ok;
	ok = (model->prior = allocate_array(caller, K, sizeof(double))) != NULL && ok;
	ok = (model->value = allocate_array(caller, 2 * K, sizeof(double))) != NULL && ok;
	if (!ok)
		return STATUS_NO_MEMORY;
	return model->rules > 0 ? allocate_rules(caller, model) : STATUS_SUCCESS;
}

void
label_model_free(const Caller *caller, LabelModel *model)
{
	if (model == NULL)
		return;
	release(caller, model->item);
	release(caller, model->voice);
	release(caller, model->answer);
	release(caller, model->head);
	release(caller, model->cell);
	release(caller, model->total);
	release(caller, model->shared);
	release(caller, model->shared_total);
	release(caller, model->mass);
	release(caller, model->spoken);
	release(caller, model->judged);
	release(caller, model->judged_right);
	release(caller, model->own);
	release(caller, model->other);
	release(caller, model->scale);
	release(caller, model->other_sum);
	release(caller, model->silence);
	release(caller, model->prior);
	release(caller, model->value);
	release(caller, model);
}

/* ---------------------------------------------------------------------- */
/* Posterior of an item */

const float *
classifier_row(const LabelModel *model, int item)
{
	const float *row;

	if (model->classifier == NULL || item >= model->classifier_items)
		return NULL;
	row = model->classifier + (size_t) item * model->classes;
	return isnan(row[0]) ? NULL : row;
}

/* What the classifier says for t beyond the prior, nats. */
static double
classifier_gain(const LabelModel *model, const float *row, int t)
{
	return log(fmax(row[t], CLASSIFIER_LEAST) / model->prior[t]);
}

/* Before anybody has spoken of the item: into value (K), which sums to 1. */
static void
item_prior(const LabelModel *model, int item, double *value)
{
	const float *row = classifier_row(model, item);
	double		sum = 0.0;

	memcpy(value, model->prior, sizeof(double) * model->classes);
	if (row == NULL || model->classifier_weight <= 0.0)
		return;
	for (int t = 0; t < model->classes; t++)
	{
		value[t] *= exp(model->classifier_weight * classifier_gain(model, row, t));
		sum += value[t];
	}
	for (int t = 0; t < model->classes; t++)
		value[t] /= sum;
}

/* Makes the numbers sum to 1; the log of what they summed to. */
static double
normalise(double *value, int n)
{
	double		sum = 0.0;

	for (int t = 0; t < n; t++)
		sum += value[t];
	for (int t = 0; t < n; t++)
		value[t] /= sum;
	return log(sum);
}

/* One answer's likelihood, for all t, into p: of a rule beyond its silence. */
static void
answer_likelihood(const LabelModel *model, const LabelAnswer *answer, double *p)
{
	const LabelVoice *voice = &model->voice[answer->voice];
	const double *silence;

	voice_likelihood(model, answer->voice, answer->label, p);
	if (!voice->rule)
		return;
	silence = model->silence + (size_t) voice->row * model->classes;
	for (int t = 0; t < model->classes; t++)
		p[t] = pow(p[t], voice->weight) / silence[t];
}

/*
 * The item's posterior over all classes, into value; p: K of scratch.  Returns
 * the log-likelihood of its answers.
 */
static double
item_posterior(const LabelModel *model, int item, double *value, double *p)
{
	const LabelItem *at = &model->item[item];
	int			K = model->classes;
	double		log_likelihood = 0.0;

	item_prior(model, item, value);
	for (int row = 0; row < model->rules; row++)
		for (int t = 0; t < K; t++)
			value[t] *= model->silence[(size_t) row * K + t];
	for (int a = at->answers; a >= 0; a = model->answer[a].next)
	{
		answer_likelihood(model, &model->answer[a], p);
		for (int t = 0; t < K; t++)
			value[t] *= p[t];
		/* many answers are a small number each */
		log_likelihood += normalise(value, K);
	}
	if (at->known != LABEL_NONE)
	{
		log_likelihood += log(fmax(value[at->known], 1e-300));
		memset(value, 0, sizeof(double) * K);
		value[at->known] = 1.0;
	}
	return log_likelihood;
}

/* Keeps the most probable classes of a posterior; of equal ones, the first. */
static void
keep_support(const LabelModel *model, const double *value, LabelItem *item)
{
	item->support = 0;
	for (int t = 0; t < model->classes; t++)
	{
		int			place = item->support;

		if (value[t] < LEAST_WEIGHT ||
			(place == LABEL_SUPPORT && value[t] <= item->weight[place - 1]))
			continue;
		if (place == LABEL_SUPPORT)
			place--;
		for (; place > 0 && item->weight[place - 1] < (float) value[t]; place--)
		{
			item->class[place] = item->class[place - 1];
			item->weight[place] = item->weight[place - 1];
		}
		item->class[place] = t;
		item->weight[place] = (float) value[t];
		if (item->support < LABEL_SUPPORT)
			item->support++;
	}
}

/* ---------------------------------------------------------------------- */
/* Rounds */

/*
 * Shares of the classes: one item of each beside those there are, and, as rules
 * say little of how many there are, one of no class for each of theirs.
 */
static void
find_prior(LabelModel *model)
{
	int			K = model->classes;
	double		spread = (model->mass_rest > 0.0 ? model->mass_rest : 0.0) + K + model->only_rules;
	double		sum = spread;

	for (int t = 0; t < K; t++)
		sum += fmax(model->mass[t], 0.0);
	for (int t = 0; t < K; t++)
		model->prior[t] = (fmax(model->mass[t], 0.0) + spread / K) / sum;
}

/*
 * One step of Newton's method towards the weight w of the classifier under which
 * the posteriors are most probable: the objective, the sum over items of
 * E[log prior(t; w)], is concave.  With a prior of its own, as few items say
 * little.
 */
static Status
find_classifier_weight(const Caller *caller, LabelModel *model)
{
	double		precision = 1.0 / (CLASSIFIER_SPREAD * CLASSIFIER_SPREAD);
	double		slope = precision * (0.5 - model->classifier_weight);
	double		curvature = precision;

	for (int i = 0; i < model->items; i++)
	{
		const LabelItem *at = &model->item[i];
		const float *row = classifier_row(model, i);
		double		wanted = 0.0;
		double		weight = 0.0;
		double		mean = 0.0;
		double		square = 0.0;

		if (i % ITEMS_BETWEEN_STOPS == 0 && stopped(caller))
			return STATUS_STOPPED;
		if (row == NULL || at->support == 0 || (at->answers < 0 && at->known == LABEL_NONE))
			continue;
		item_prior(model, i, model->value);
		for (int t = 0; t < model->classes; t++)
		{
			double		gain = classifier_gain(model, row, t);

			mean += model->value[t] * gain;
			square += model->value[t] * gain * gain;
		}
		for (int s = 0; s < at->support; s++)
		{
			wanted += at->weight[s] * classifier_gain(model, row, at->class[s]);
			weight += at->weight[s];
		}
		slope += wanted / weight - mean;
		curvature += fmax(square - mean * mean, 0.0);
	}
	model->classifier_weight += slope / curvature;
	model->classifier_weight = fmin(fmax(model->classifier_weight, 0.0), 1.0);
	return STATUS_SUCCESS;
}

/* Everything that follows from the counts. */
static Status
find_parameters(const Caller *caller, LabelModel *model)
{
	find_prior(model);
	expect_people(model);
	if (model->rules > 1)
		TRY(weigh_rules(caller, model));
	if (model->rules > 0)
		expect_rules(model);
	return model->classifier == NULL ? STATUS_SUCCESS : find_classifier_weight(caller, model);
}

/* Voices of an item, after what it counts was taken off or put back. */
static void
expect_voices_of(LabelModel *model, int item)
{
	for (int a = model->item[item].answers; a >= 0; a = model->answer[a].next)
		expect_person(model, model->answer[a].voice);
}

/*
 * The posterior of one item, from what all others say of the voices, into
 * model->value; of its answers the log-likelihood.
 */
static Status
posterior_without(const Caller *caller, LabelModel *model, int item, double *log_likelihood)
{
	TRY(count_item(caller, model, item, -1.0));
	expect_voices_of(model, item);
	*log_likelihood = item_posterior(model, item, model->value, model->value + model->classes);
	TRY(count_item(caller, model, item, 1.0));
	expect_voices_of(model, item);
	return STATUS_SUCCESS;
}

/* All posteriors from the parameters. */
static Status
find_posteriors(const Caller *caller, LabelModel *model)
{
	double		sum = 0.0;

	for (int i = 0; i < model->items; i++)
	{
		LabelItem  *at = &model->item[i];
		double		log_likelihood;

		if (i % ITEMS_BETWEEN_STOPS == 0 && stopped(caller))
			return STATUS_STOPPED;
		if (at->answers < 0 && at->known == LABEL_NONE)
			continue;
		TRY(posterior_without(caller, model, i, &log_likelihood));
		sum += log_likelihood;
		keep_support(model, model->value, at);
	}
	model->log_likelihood = sum;
	return isfinite(sum) ? STATUS_SUCCESS : STATUS_NOT_FINITE;
}

/* Shares of people's answers, as the posterior to begin with. */
static void
begin_item(LabelModel *model, int item)
{
	LabelItem  *at = &model->item[item];
	double	   *value = model->value;

	at->support = 0;
	if (at->known == LABEL_NONE && at->people == 0)
		return;
	memset(value, 0, sizeof(double) * model->classes);
	if (at->known != LABEL_NONE)
		value[at->known] = 1.0;
	else
		for (int a = at->answers; a >= 0; a = model->answer[a].next)
			if (!model->voice[model->answer[a].voice].rule)
				value[model->answer[a].label] += 1.0 / at->people;
	keep_support(model, value, at);
}

static Status
maximise(const Caller *caller, LabelModel *model)
{
	double		last = -INFINITY;

	for (int i = 0; i < model->items; i++)
		begin_item(model, i);
	TRY(count_all(caller, model));
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		TRY(find_parameters(caller, model));
		TRY(find_posteriors(caller, model));
		TRY(count_all(caller, model));
		if (fabs(model->log_likelihood - last) <= TOLERANCE * model->heard)
			break;
		last = model->log_likelihood;
	}
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------- */
/* Answers */

/* The place where the chain has the voice's answer, or its end. */
static int *
answer_place(LabelModel *model, int item, int voice)
{
	int		   *place = &model->item[item].answers;

	while (*place >= 0 && model->answer[*place].voice != voice)
		place = &model->answer[*place].next;
	return place;
}

/* Adds an answer that was not there. */
static Status
insert_answer(const Caller *caller, LabelModel *model, int item, int voice, int label)
{
	LabelItem  *at = &model->item[item];
	int			a = model->free_answer;

	if (a >= 0)
		model->free_answer = model->answer[a].next;
	else
	{
		if (model->answers == model->answers_capacity)
		{
			LabelAnswer *grown;
			int			wanted;

			if (model->answers > INT_MAX / 2)
				return STATUS_NO_MEMORY;
			wanted = model->answers < 8 ? 16 : 2 * model->answers;
			grown = grown_array(caller, model->answer, model->answers, wanted,
								sizeof(LabelAnswer));
			if (grown == NULL)
				return STATUS_NO_MEMORY;
			model->answer = grown;
			model->answers_capacity = wanted;
		}
		a = model->answers++;
	}
	model->answer[a] = (LabelAnswer) {voice, label, at->answers};
	at->answers = a;
	model->voice[voice].answers++;
	if (model->voice[voice].rule)
		at->rules++;
	else
		at->people++;
	return STATUS_SUCCESS;
}

static void
delete_answer(LabelModel *model, int item, int *place)
{
	int			a = *place;
	LabelAnswer *answer = &model->answer[a];

	model->voice[answer->voice].answers--;
	if (model->voice[answer->voice].rule)
		model->item[item].rules--;
	else
		model->item[item].people--;
	*place = answer->next;
	answer->next = model->free_answer;
	model->free_answer = a;
}

/* ---------------------------------------------------------------------- */
/* Fitting, and changing one thing */

static bool
data_is_valid(const LabelData *data)
{
	if (data->items < 0 || data->voices < 0 || data->classes < 1 || data->n < 0)
		return false;
	for (int j = 0; j < data->n; j++)
		if (data->item[j] < 0 || data->item[j] >= data->items ||
			data->voice[j] < 0 || data->voice[j] >= data->voices ||
			data->label[j] < 0 || data->label[j] >= data->classes)
			return false;
	for (int i = 0; i < data->items && data->known != NULL; i++)
		if (data->known[i] < LABEL_NONE || data->known[i] >= data->classes)
			return false;
	return true;
}

/* Copies what was said. */
static Status
take_data(const Caller *caller, LabelModel *model, const LabelData *data)
{
	int			row = 0;

	TRY(allocate_model(caller, model, data->n));
	model->classifier = data->classifier;
	model->classifier_items = data->classifier != NULL ? data->items : 0;
	for (int i = 0; i < data->items; i++)
	{
		model->item[i].answers = -1;
		model->item[i].known = data->known != NULL ? data->known[i] : LABEL_NONE;
	}
	for (int v = 0; v < data->voices; v++)
	{
		model->voice[v].rule = data->rule != NULL && data->rule[v];
		model->voice[v].row = model->voice[v].rule ? row++ : 0;
		model->voice[v].weight = 1.0;
	}
	for (int j = 0; j < data->n; j++)
		TRY(insert_answer(caller, model, data->item[j], data->voice[j], data->label[j]));
	return STATUS_SUCCESS;
}

Status
label_model_fit(const Caller *caller, const LabelData *data, LabelModel **result)
{
	LabelModel *model;
	Status		status;

	*result = NULL;
	if (!data_is_valid(data))
		return STATUS_BAD_ARGUMENT;
	model = allocate_array(caller, 1, sizeof(LabelModel));
	if (model == NULL)
		return STATUS_NO_MEMORY;
	model->items = data->items;
	model->voices = data->voices;
	model->classes = data->classes;
	for (int v = 0; v < data->voices && data->rule != NULL; v++)
		model->rules += data->rule[v];
	status = take_data(caller, model, data);
	if (status == STATUS_SUCCESS)
		status = maximise(caller, model);
	if (status != STATUS_SUCCESS)
	{
		label_model_free(caller, model);
		return status;
	}
	*result = model;
	return STATUS_SUCCESS;
}

/* The item's posterior once more, after its answers have changed and what it counted is off. */
static Status
settle_item(const Caller *caller, LabelModel *model, int item)
{
	LabelItem  *at = &model->item[item];

	expect_people(model);
	at->support = 0;
	if (at->answers < 0 && at->known == LABEL_NONE)
		return STATUS_SUCCESS;
	(void) item_posterior(model, item, model->value, model->value + model->classes);
	keep_support(model, model->value, at);
	TRY(count_item(caller, model, item, 1.0));
	expect_people(model);
	return STATUS_SUCCESS;
}

Status
label_model_answer(const Caller *caller, LabelModel *model, int item, int voice, int label)
{
	int		   *place;

	if (item < 0 || item >= model->items || voice < 0 || voice >= model->voices ||
		label < LABEL_NONE || label >= model->classes)
		return STATUS_BAD_ARGUMENT;
	place = answer_place(model, item, voice);
	if (label == (*place >= 0 ? model->answer[*place].label : LABEL_NONE))
		return STATUS_SUCCESS;
	TRY(count_item(caller, model, item, -1.0));
	if (*place >= 0)
		delete_answer(model, item, place);
	if (label != LABEL_NONE)
		TRY(insert_answer(caller, model, item, voice, label));
	return settle_item(caller, model, item);
}

Status
label_model_known(const Caller *caller, LabelModel *model, int item, int label)
{
	if (item < 0 || item >= model->items || label < LABEL_NONE || label >= model->classes)
		return STATUS_BAD_ARGUMENT;
	if (label == model->item[item].known)
		return STATUS_SUCCESS;
	TRY(count_item(caller, model, item, -1.0));
	model->item[item].known = label;
	return settle_item(caller, model, item);
}

Status
label_model_add_items(const Caller *caller, LabelModel *model, int n)
{
	if (n < 0 || n > INT_MAX / 2 - model->items)
		return STATUS_BAD_ARGUMENT;
	if (model->items + n > model->items_capacity)
	{
		int			wanted = model->items + n + model->items / 2;
		LabelItem  *grown = grown_array(caller, model->item, model->items, wanted,
										sizeof(LabelItem));

		if (grown == NULL)
			return STATUS_NO_MEMORY;
		model->item = grown;
		model->items_capacity = wanted;
	}
	for (int i = 0; i < n; i++)
	{
		LabelItem  *item = &model->item[model->items++];

		memset(item, 0, sizeof(*item));
		item->answers = -1;
		item->known = LABEL_NONE;
	}
	return STATUS_SUCCESS;
}

Status
label_model_add_voices(const Caller *caller, LabelModel *model, int n)
{
	size_t		K = model->classes;

	if (n < 0 || n > INT_MAX / 2 - model->voices || model->voices + n > INT_MAX / 2 / (int) K)
		return STATUS_BAD_ARGUMENT;
	if (model->voices + n > model->voices_capacity)
	{
		int			wanted = model->voices + n + model->voices / 2;
		LabelVoice *voice;
		int		   *head;
		double	   *total;

		if ((size_t) wanted * K > INT_MAX)
			return STATUS_NO_MEMORY;
		voice = grown_array(caller, model->voice, model->voices, wanted, sizeof(LabelVoice));
		if (voice == NULL)
			return STATUS_NO_MEMORY;
		model->voice = voice;
		head = grown_array(caller, model->head, model->voices * (int) K, wanted * (int) K,
						   sizeof(int));
		if (head == NULL)
			return STATUS_NO_MEMORY;
		model->head = head;
		total = grown_array(caller, model->total, model->voices * (int) K, wanted * (int) K,
							sizeof(double));
		if (total == NULL)
			return STATUS_NO_MEMORY;
		model->total = total;
		model->voices_capacity = wanted;
	}
	for (int v = 0; v < n; v++)
	{
		LabelVoice *voice = &model->voice[model->voices];

		memset(voice, 0, sizeof(*voice));
		voice->weight = 1.0;
		voice->accuracy = model->accuracy;
		memset(&CELL_HEAD(model, model->voices, 0), -1, sizeof(int) * K);
		memset(model->total + model->voices * K, 0, sizeof(double) * K);
		model->voices++;
	}
	return STATUS_SUCCESS;
}
