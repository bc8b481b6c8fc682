/*-------------------------------------------------------------------------
 *
 * label_counts.c
 *	  What items count for the voices that have spoken of them.
 *
 * Counts are sums over items, each weighted with its posterior, so that one can be
 * taken off and put back while all others stay.
 *
 *-------------------------------------------------------------------------
 */
#include "label_model_internal.h"

#include <limits.h>
#include <string.h>

#define ITEMS_BETWEEN_STOPS 1024

void *
grown_array(const Caller *caller, void *array, int count, int wanted, size_t size)
{
	void	   *larger = allocate_array(caller, wanted, size);

	if (larger == NULL)
		return NULL;
	if (count > 0)
		memcpy(larger, array, count * size);
	release(caller, array);
	return larger;
}

/* Is there anything to compare an answer to the item with? */
static bool
is_comparable(const LabelModel *model, int item)
{
	const LabelItem *at = &model->item[item];

	return at->known != LABEL_NONE || at->people + at->rules > 1 ||
		classifier_row(model, item) != NULL;
}

static Status
add_cell(const Caller *caller, LabelModel *model, int voice, int said, int truth, double count)
{
	int		   *head = &CELL_HEAD(model, voice, said);
	LabelCell  *cell;

	for (int c = *head; c >= 0; c = model->cell[c].next)
		if (model->cell[c].truth == truth)
		{
			model->cell[c].count += count;
			return STATUS_SUCCESS;
		}
	if (model->cells == model->cells_capacity)
	{
		LabelCell  *grown;
		int			wanted;

		if (model->cells_capacity > INT_MAX / 2)
			return STATUS_NO_MEMORY;
		wanted = model->cells_capacity < 512 ? 1024 : 2 * model->cells_capacity;
		grown = grown_array(caller, model->cell, model->cells, wanted, sizeof(LabelCell));
		if (grown == NULL)
			return STATUS_NO_MEMORY;
		model->cell = grown;
		model->cells_capacity = wanted;
	}
	cell = &model->cell[model->cells];
	cell->count = count;
	cell->truth = truth;
	cell->next = *head;
	*head = model->cells++;
	return STATUS_SUCCESS;
}

/* Adds (sign 1) or takes off (-1) what a person's answer to an item counts. */
static Status
count_person(const Caller *caller, LabelModel *model, const LabelItem *item,
			 const LabelAnswer *answer, double sign)
{
	LabelVoice *voice = &model->voice[answer->voice];
	size_t		K = model->classes;

	voice->said += sign;
	model->people_said += sign;
	for (int s = 0; s < item->support; s++)
	{
		int			t = item->class[s];
		double		count = sign * item->weight[s];

		TRY(add_cell(caller, model, answer->voice, answer->label, t, count));
		model->total[answer->voice * K + t] += count;
		if (t == answer->label)
		{
			voice->right += count;
			model->people_right += count;
			continue;
		}
		if (model->shared != NULL)
			model->shared[answer->label * K + t] += count;
		model->shared_total[t] += count;
	}
	return STATUS_SUCCESS;
}

/* The same of a rule; judged: people have said something, or it is known. */
static Status
count_rule(const Caller *caller, LabelModel *model, const LabelItem *item,
		   const LabelAnswer *answer, bool judged, double sign)
{
	LabelVoice *voice = &model->voice[answer->voice];
	size_t		K = model->classes;
	size_t		place = voice->row * K + answer->label;

	voice->said += sign;
	model->spoken[place] += sign;
	model->judged[place] += judged ? sign : 0.0;
	for (int s = 0; s < item->support; s++)
	{
		int			t = item->class[s];
		double		count = sign * item->weight[s];

		TRY(add_cell(caller, model, answer->voice, answer->label, t, count));
		model->total[answer->voice * K + t] += count;
		if (t != answer->label)
			continue;
		voice->right += count;
		model->judged_right[place] += judged ? count : 0.0;
	}
	return STATUS_SUCCESS;
}

Status
count_item(const Caller *caller, LabelModel *model, int item, double sign)
{
	const LabelItem *at = &model->item[item];
	bool		comparable = is_comparable(model, item);
	bool		judged = at->people > 0 || at->known != LABEL_NONE;
	double		rest = 1.0;

	if (at->answers < 0 && at->known == LABEL_NONE)
		return STATUS_SUCCESS;
	model->heard += (int) sign;
	model->only_rules += judged ? 0 : (int) sign;
	for (int s = 0; s < at->support; s++)
	{
		model->mass[at->class[s]] += sign * at->weight[s];
		rest -= at->weight[s];
	}
	model->mass_rest += sign * rest;
	for (int a = at->answers; a >= 0; a = model->answer[a].next)
	{
		const LabelAnswer *answer = &model->answer[a];

		if (model->voice[answer->voice].rule)
			TRY(count_rule(caller, model, at, answer, judged, sign));
		else if (comparable)
			TRY(count_person(caller, model, at, answer, sign));
	}
	return STATUS_SUCCESS;
}

Status
count_all(const Caller *caller, LabelModel *model)
{
	size_t		K = model->classes;
	size_t		size = model->rules * K;

	memset(model->head, -1, sizeof(int) * model->voices * K);
	memset(model->total, 0, sizeof(double) * model->voices * K);
	if (model->shared != NULL)
		memset(model->shared, 0, sizeof(double) * K * K);
	memset(model->shared_total, 0, sizeof(double) * K);
	memset(model->mass, 0, sizeof(double) * K);
	if (size > 0)
	{
		memset(model->spoken, 0, sizeof(double) * size);
		memset(model->judged, 0, sizeof(double) * size);
		memset(model->judged_right, 0, sizeof(double) * size);
	}
	for (int v = 0; v < model->voices; v++)
		model->voice[v].said = model->voice[v].right = 0.0;
	model->cells = 0;
	model->mass_rest = model->people_said = model->people_right = 0.0;
	model->heard = model->only_rules = 0;
	for (int i = 0; i < model->items; i++)
	{
		if (i % ITEMS_BETWEEN_STOPS == 0 && stopped(caller))
			return STATUS_STOPPED;
		TRY(count_item(caller, model, i, 1.0));
	}
	return STATUS_SUCCESS;
}
