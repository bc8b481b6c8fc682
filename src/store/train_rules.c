/*-------------------------------------------------------------------------
 *
 * train_rules.c
 *	  Rows that only rules have labelled, in a training.
 *
 * They come after those that people have labelled: all figures are of the first
 * training->answered rows, as what rules say is no truth.  In the first training
 * before anybody has answered there are no others, and no figures.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "store/caller.h"
#include "store/rule_model.h"
#include "store/session.h"
#include "store/train.h"

/*
 * Power to which the posterior is raised.  Where rules say little, and of most rows
 * one alone speaks, the model would otherwise learn above all how common classes are
 * among those of which more is known.  Measured: test/bench/rules.
 */
#define SHARPEN 1.5f

/* Items of the label model that people have not labelled. */
struct RuledRows
{
	RuleModel  *model;
	LabelledItems *ruled;		/* of them, by name */
	RowsBuilder rows;
	int		   *item;			/* of each row, in the model */
	bool	   *taken;			/* items, so that none comes twice */
	int			n;
};

void
train_rules_read(Training *training)
{
	RuleModel  *model = rule_model_read(training->project, &training->consensus, false,
										training->context);
	RuledRows  *ruled;
	Consensus	items = {0};

	if (model == NULL || model->n == model->labelled)
		return;
	ruled = palloc0(sizeof(RuledRows));
	ruled->model = model;
	items.n = model->n - model->labelled;
	items.items = model->items + model->labelled;
	ruled->ruled = labelled_items(&items, training->context);
	ruled->item = palloc_array_checked(int, items.n);
	ruled->taken = palloc_array_checked(bool, items.n);
	memset(ruled->taken, 0, sizeof(bool) * items.n);
	rows_init(&ruled->rows, training->features.encoder, training->context);
	training->ruled = ruled;
}

void
train_rules_reset(Training *training)
{
	RuledRows  *ruled = training->ruled;

	if (ruled == NULL)
		return;
	ruled->n = 0;
	rows_reset(&ruled->rows);
	memset(ruled->taken, 0, sizeof(bool) * (ruled->model->n - ruled->model->labelled));
}

void
train_rules_row(Training *training, const FeatureBlock *block, int row)
{
	RuledRows  *ruled = training->ruled;
	size_t		length;
	const unsigned char *terms;
	int			index = ruled == NULL ? -1 : labelled_index(ruled->ruled, block->items[row]);

	/* a row that says nothing teaches nothing that a rule has seen elsewhere in it */
	if (index < 0 || ruled->taken[index] || block_row_blank(block, row))
		return;
	ruled->taken[index] = true;
	ruled->item[ruled->n++] = ruled->model->labelled + index;
	terms = block_terms(block, row, &length);
	rows_add(&ruled->rows, block->dense + (size_t) row * block->dims, terms, length);
}

/*
 * Their most probable classes are the rows' labels.  The consensus gets the classes
 * of the rules, too, and is numbered by them.
 */
void
train_rules_add(Training *training)
{
	RuledRows  *ruled = training->ruled;
	Consensus  *consensus = &training->consensus;
	RuleModel  *model;

	training->answered = training->rows.n;
	if (ruled == NULL || ruled->n == 0)
	{
		training->ruled = NULL;
		return;
	}
	model = ruled->model;
	for (int i = 0; i < training->rows.n; i++)
	{
		char	  **found = bsearch(&consensus->classes[training->label[i]], model->classes,
									model->nclasses, sizeof(char *), compare_strings);

		training->label[i] = (int) (found - model->classes);
	}
	for (int i = 0; i < consensus->n; i++)
	{
		char	  **found = bsearch(&consensus->classes[consensus->label[i]], model->classes,
									model->nclasses, sizeof(char *), compare_strings);

		consensus->label[i] = (int) (found - model->classes);
	}
	consensus->classes = model->classes;
	consensus->nclasses = model->nclasses;
	training->label = repalloc_huge(training->label,
									sizeof(int) * (training->rows.n + ruled->n));
	training->items = repalloc_huge(training->items,
									sizeof(char *) * (training->rows.n + ruled->n));
	for (int i = 0; i < ruled->n; i++)
	{
		ItemLabel	label;

		label_model_item(model->model, ruled->item[i], &label);
		training->label[training->answered + i] = label.label;
		training->items[training->answered + i] = model->items[ruled->item[i]];
	}
	rows_append(&training->rows, &ruled->rows);
}

int
train_rules_soft(const Training *training, const LabelModel *model, int row, int *class,
				 float *weight)
{
	const RuledRows *ruled = training->ruled;
	float		counts = rule_row_weight(training->answered);
	int			found = label_model_support(model == NULL ? ruled->model->model : model,
											ruled->item[row - training->answered],
											LEAST_SOFT_WEIGHT, class, weight);
	float		sum = 0.0f;
	int			kept = 0;

	for (int i = 0; i < found; i++)
	{
		weight[i] = powf(weight[i], SHARPEN);
		sum += weight[i];
	}
	for (int i = 0; i < found; i++)
	{
		int			number = training->class_number[class[i]];

		/* a class that is most probable nowhere is none of the training's */
		if (number < 0)
			continue;
		class[kept] = number;
		weight[kept++] = weight[i] / sum * counts;
	}
	if (kept > 0)
		return kept;
	class[0] = training->label[row];
	weight[0] = counts;
	return 1;
}

LabelModel *
train_rules_without(const Training *training, const int *fold, int without)
{
	const RuleModel *ruled = training->ruled->model;
	LabelData	data = ruled->data;
	Caller		caller = caller_in(training->context);
	int		   *known = palloc_array_checked(int, data.items);
	LabelModel *model;

	memcpy(known, data.known, sizeof(int) * data.items);
	for (int i = 0; i < training->answered; i++)
		if (fold[i] == without)
			known[labelled_index(training->labelled, training->items[i])] = LABEL_NONE;
	data.known = known;
	status_check(label_model_fit(&caller, &data, &model), "weigh the rules");
	pfree(known);
	return model;
}

/*
 * Out of fold, so of the rows that people have labelled as well, where it shows how
 * far the model is right.
 */
void
train_rules_hear(Training *training)
{
	const RuledRows *ruled = training->ruled;
	RuleModel  *model = ruled->model;
	float	   *heard;

	memory_check(sizeof(float) * (size_t) model->n * model->nclasses, "weigh the rules");
	heard = palloc_array_checked(float, (Size) model->n * model->nclasses);
	for (size_t i = 0; i < (size_t) model->n * model->nclasses; i++)
		heard[i] = NAN;
	for (int i = 0; i < training->rows.n; i++)
	{
		int			item = i < training->answered ?
			labelled_index(training->labelled, training->items[i]) :
			ruled->item[i - training->answered];
		float	   *of_item = heard + (size_t) item * model->nclasses;
		const float *probability = training->validation.probability +
			(size_t) i * training->nclasses;

		for (int k = 0; k < model->nclasses; k++)
			of_item[k] = training->class_number[k] < 0 ? 0.0f : probability[training->class_number[k]];
	}
	rule_model_hear(model, heard);
}
