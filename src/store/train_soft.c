/*-------------------------------------------------------------------------
 *
 * train_soft.c
 *	  What a training learns from where several have answered the same items.
 *
 * First the label model says, from people's answers alone, how probable each
 * class of a row is; with these soft labels the model is cross-validated.  What
 * it has said of each row out of fold is then one more voice of the label model,
 * and the model is fitted to what comes of that, with everything that the
 * cross-validation has chosen.  (Goh, Tkachenko and Mueller, "CROWDLAB:
 * supervised learning to infer consensus labels and quality scores for data with
 * multiple annotators", 2022, combine a classifier and annotators so.)
 *
 * Figures are about the labels that people have given, which the model's own
 * voice has no part in.  Nor have they a part, out of fold, in what rows that only rules
 * have labelled are taken for: how far a rule is right is learned from labels, and with
 * few of them, one that is held out would come back that way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/caller.h"
#include "store/session.h"
#include "store/train.h"

/* Labels by people beyond which those of a fold tell of rules what the others tell. */
#define FOLD_LABELS 1000

/*
 * Soft labels of the training's rows; truth NULL: no item has two answers.  model: what
 * weighs the rules; NULL: that of all labels.
 */
static SoftLabels *
soft_labels(const Training *training, Truth *truth, const LabelModel *model)
{
	int			n = training->rows.n;
	SoftLabels *soft = palloc0(sizeof(SoftLabels));
	int		   *numbers = truth == NULL ? NULL :
		truth_class_numbers(truth, training->classes, training->nclasses);
	int		   *start = palloc_array_checked(int, n + 1);
	int		   *class;
	float	   *weight;

	memory_check((sizeof(int) + sizeof(float)) * (size_t) n * LABEL_SUPPORT, "weigh the labels");
	class = palloc_array_checked(int, (Size) n * LABEL_SUPPORT);
	weight = palloc_array_checked(float, (Size) n * LABEL_SUPPORT);
	start[0] = 0;
	for (int i = 0; i < n; i++)
	{
		int			at = start[i];
		int			found = 0;

		if (i >= training->answered)
			found = train_rules_soft(training, model, i, class + at, weight + at);
		else if (truth != NULL)
			found = truth_soft_label(truth, training->items[i], numbers, class + at, weight + at);
		if (found == 0)
		{
			class[at] = training->label[i];
			weight[at] = 1.0f;
			found = 1;
		}
		start[i + 1] = at + found;
	}
	*soft = (SoftLabels) {n, start, class, weight};
	if (numbers != NULL)
		pfree(numbers);
	return soft;
}

void
train_soften(Training *training)
{
	if (training->consensus.truth != NULL || training->ruled != NULL)
		training->soft = soft_labels(training, training->consensus.truth, NULL);
}

void
train_soften_folds(const Training *training, TrainOptions *options)
{
	Caller		caller = caller_in(training->context);
	int			n = training->rows.n;
	int		   *fold;
	int			folds;
	SoftLabels *soft;
	const int **labels;

	if (training->ruled == NULL || training->answered == 0 || training->answered > FOLD_LABELS)
		return;
	fold = palloc_array_checked(int, n);
	status_check(model_folds(&caller, training->label, n, training->nclasses, options, &folds, fold),
				 "train");
	memory_check((sizeof(int) + (sizeof(int) + sizeof(float)) * LABEL_SUPPORT) * (size_t) n * folds,
				 "weigh the rules");
	soft = palloc_array_checked(SoftLabels, folds);
	labels = palloc_array_checked(const int *, folds);
	for (int k = 0; k < folds; k++)
	{
		LabelModel *model = train_rules_without(training, fold, k);
		int		   *label = palloc_array_checked(int, n);

		soft[k] = *soft_labels(training, training->consensus.truth, model);
		label_model_free(&caller, model);
		for (int i = 0; i < n; i++)
			label[i] = i < training->answered ? training->label[i] :
				soft[k].class[soft[k].start[i]];
		labels[k] = label;
	}
	options->fold_soft = soft;
	options->fold_label = labels;
}

/* So that the first, the most probable, has that weight. */
static void
scale_weights(float *weight, int n, float first)
{
	float		scale = Min(first / weight[0], 1.0f);

	for (int i = 0; i < n; i++)
		weight[i] *= scale;
}

SoftLabels *
train_said(const Training *training)
{
	Truth	   *truth = training->consensus.truth;
	int			n = training->answered;
	SoftLabels *said;
	int		   *numbers;
	int		   *start;
	int		   *class;
	float	   *weight;

	if (truth == NULL)
		return NULL;
	memory_check((sizeof(int) + sizeof(float)) * (size_t) n * LABEL_SUPPORT, "weigh the labels");
	numbers = truth_class_numbers(truth, training->classes, training->nclasses);
	start = palloc_array_checked(int, n + 1);
	class = palloc_array_checked(int, (Size) n * LABEL_SUPPORT);
	weight = palloc_array_checked(float, (Size) n * LABEL_SUPPORT);
	start[0] = 0;
	for (int i = 0; i < n; i++)
	{
		int			item = truth_item(truth, training->items[i]);
		ItemLabel	label = {0};

		if (item >= 0)
			label_model_item(truth_model(truth), item, &label);
		start[i + 1] = start[i];
		if (!label.known && label.answers < 2)
			continue;
		start[i + 1] += truth_soft_label(truth, training->items[i], numbers, class + start[i],
										 weight + start[i]);
		/* what has little weight was left out, and the others have it: give it back */
		if (!label.known && start[i + 1] > start[i])
			scale_weights(weight + start[i], start[i + 1] - start[i], label.probability);
	}
	said = palloc(sizeof(SoftLabels));
	*said = (SoftLabels) {n, start, class, weight};
	pfree(numbers);
	return said;
}

void
train_options_again(const Training *training, const TrainOptions *options, float *share,
					TrainOptions *again)
{
	const Model *model = training->model;

	*again = *options;
	again->fold_soft = NULL;
	again->fold_label = NULL;
	again->refine = model_refined(model);
	again->prior_precision = model_prior_precision(model);
	for (int i = 0; i < model_parts(model); i++)
		share[i] = model_share(model, i);
	again->share = model_parts(model) > 1 ? share : NULL;
}

void
train_refit(Training *training, const TrainOptions *options)
{
	const Truth *truth = training->consensus.truth;
	Caller		caller = caller_in(training->context);
	TrainOptions again;
	float		share[MODEL_MAX_PARTS];
	double		scale = model_scale(training->model);
	Truth	   *heard;
	SoftLabels *soft;

	if (truth == NULL && training->ruled == NULL)
		return;
	if (training->ruled != NULL)
		train_rules_hear(training);
	heard = truth == NULL ? NULL :
		truth_with_classifier(truth, training->items, training->answered,
							  training->validation.probability, training->classes,
							  training->nclasses, training->context);
	soft = soft_labels(training, heard, NULL);
	if (heard != NULL)
		truth_free(heard);
	train_options_again(training, options, share, &again);
	again.soft = soft;
	model_free(&caller, training->model);
	status_check(model_train_again(&caller, rows_finish(&training->rows), training->label,
								   training->nclasses, &again, scale,
								   training->validation.probability, &training->model), "train");
}

bool
train_is_certain(const Training *training, int row)
{
	const SoftLabels *soft = training->soft;

	return soft == NULL || soft->start[row + 1] - soft->start[row] == 1;
}
