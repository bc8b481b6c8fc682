/*-------------------------------------------------------------------------
 *
 * label_model.h
 *	  What is the true label of an item, and how good is each who has said one?
 *
 * Voices (people, rules) give answers to items.  Each voice v has a confusion
 * matrix, p_v(k | t): how often it says k where t is true.  From the answers
 * alone, rounds of expectation and maximisation find the matrices and, for each
 * item, the posterior over its true label:
 *
 *		P(t | answers) ~ prior(t) * product over answers (v, k) of p_v(k | t)
 *
 * (Dawid and Skene, "Maximum likelihood estimation of observer error-rates using
 * the EM algorithm", Applied Statistics 28, 1979).  A voice that has answered
 * little cannot fill a matrix, least of all one of 1,000 classes.  So a row of
 * it is drawn, with a Dirichlet prior, towards a matrix with two parts: the
 * voice's own accuracy on the diagonal, itself drawn towards that of all voices,
 * and off it what all voices confuse.  A voice is believed as far as it has
 * shown, class by class.
 *
 * More than answers goes in:
 *
 * - items whose label is known (gold, settled): they are certain, and measure
 *   the voices;
 * - what a classifier that has not seen an item says of it: it takes the place
 *   of the prior over the classes, as far as it has proved to be right
 *   (prior(t)^(1 - w) * classifier(t)^w; w is learned; compare Goh, Tkachenko and
 *   Mueller, "CROWDLAB: supervised learning to infer consensus labels and quality
 *   scores for data with multiple annotators", 2022);
 * - rules: they see every item, so that they are silent says something, too:
 *   silence is one more outcome of theirs, and all silences about an item
 *   together count as one witness.  Rules that agree among themselves prove
 *   little, as each speaks of few classes and they were written by the same
 *   people: so what is expected of a rule (it is right three times in four, and
 *   cannot be more often than its class occurs) counts as much as ten times all
 *   the items, until people's answers to the same items say how good it is.
 *   Rules that say the same of the same items are not two witnesses: how much a
 *   rule repeats others is measured, and it counts for less accordingly.
 *
 * A voice is measured on items that somebody else has said something of, too:
 * who alone has answered an item proves nothing by it.
 *
 * Memory: 12 bytes a voice and class, 16 for each answer and class that its item
 * may be (at most LABEL_SUPPORT of them, and no more than a cell of each matrix
 * needs), 8 a pair of classes up to LABEL_SHARED_CLASSES, some 90 an item and 16
 * an answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_LABEL_MODEL_H
#define HUMANLOOP_LABEL_MODEL_H

#include "soft_labels.h"

/* The classes an item is kept with; what is left is spread over the others. */
#define LABEL_SUPPORT 8

/* With more classes than this, what all voices confuse is not learned. */
#define LABEL_SHARED_CLASSES 1024

/* Label of an item that is not known; an answer that is taken back. */
#define LABEL_NONE (-1)

/*
 * Answers as a long table: n of them, answer j says that item item[j] is of
 * class label[j], and comes from voice[j].  A voice answers an item once.
 */
typedef struct LabelData
{
	int			items;
	int			voices;
	int			classes;		/* >= 1 */
	int			n;
	const int  *item;			/* n, in [0, items) */
	const int  *voice;			/* n, in [0, voices) */
	const int  *label;			/* n, in [0, classes) */
	const bool *rule;			/* voices: it sees all items and may be silent;
								 * NULL: nobody is a rule */
	const int  *known;			/* items: the label for certain, or LABEL_NONE;
								 * NULL: none is known */
	const float *classifier;	/* items x classes: probabilities by a model
								 * that has not seen the item, NaN (first of
								 * a row) where there are none; NULL: none */
} LabelData;

typedef struct LabelModel LabelModel;

/* Bytes that label_model_fit will need at most; for the plan against work_mem. */
extern size_t label_model_memory(int items, int voices, int rules, int classes, size_t answers);

/*
 * Fits the model.  Data are copied but for the classifier's probabilities, which
 * must stay as long as the model does.  The same data give the same model,
 * whatever order the answers come in but for rounding.
 */
extern Status label_model_fit(const Caller *caller, const LabelData *data, LabelModel **model);

extern void label_model_free(const Caller *caller, LabelModel *model);

extern int	label_model_items(const LabelModel *model);
extern int	label_model_voices(const LabelModel *model);
extern int	label_model_classes(const LabelModel *model);

/* What is known of an item's true label. */
typedef struct ItemLabel
{
	int			label;			/* the most probable class; LABEL_NONE: nobody
								 * has said anything of it, and it is not known */
	float		probability;	/* of that class */
	float		entropy;		/* of the posterior, nats */
	int			answers;		/* by people */
	int			rules;			/* that speak of it */
	bool		known;
} ItemLabel;

extern void label_model_item(const LabelModel *model, int item, ItemLabel *label);

/* The posterior over all classes (probability: classes numbers, sum 1). */
extern void label_model_posterior(const LabelModel *model, int item, float *probability);

/*
 * The same as up to LABEL_SUPPORT classes, the most probable first, with weights
 * that sum to 1; those under least are left out (never the first).  Returns how
 * many; 0 where nobody has said anything.
 */
extern int	label_model_support(const LabelModel *model, int item, float least,
								int *class, float *weight);

/*
 * The most probable of the classes that somebody has said of the item.  LABEL_NONE
 * where nobody has said anything.  Other than ItemLabel's label it is never one that
 * nobody has named, as it could be where those who have spoken are mostly wrong.
 * Where what is said of the item is as likely, within a hundredth, were preferred (one
 * of those classes) true, so that only how frequent the classes are speaks for the
 * other, it is preferred.
 */
extern int	label_model_choice(const LabelModel *model, int item, int preferred);

/*
 * The answers to an item, one after another: *cursor begins as LABEL_NONE; false:
 * there are no more.
 */
extern bool label_model_next_answer(const LabelModel *model, int item, int *cursor, int *voice,
									int *label);

/*
 * By how much the entropy of the item's posterior would fall, in nats, if one
 * more answer came: from that voice, or from a typical one that has not been
 * heard yet (voice LABEL_NONE).  Never negative; 0 for an item that is known.
 * Of the classes that the item is not kept with, all together are one.
 */
extern double label_model_gain(const LabelModel *model, int item, int voice);

/* What the model makes of a voice. */
typedef struct VoiceFigures
{
	int			answers;
	double		agreement;		/* share of its answers that are the item's most
								 * probable label; NaN without answers */
	double		compared;		/* how many of its answers are of items that
								 * another voice, the classifier or a known label
								 * says something of; of a rule: people or a
								 * known label */
	double		compared_right; /* and how many of those are right, expected */
	double		accuracy;		/* probability that an answer of it is right */
	double		accuracy_low;	/* 95 % credible interval */
	double		accuracy_high;
	double		coverage;		/* of a rule: share of the items that it speaks
								 * of; 1 otherwise */
	double		weight;			/* in (0, 1]: 1 is a witness of its own, 1/2 one
								 * that another repeats word for word */
} VoiceFigures;

extern void label_model_voice(const LabelModel *model, int voice, VoiceFigures *figures);

/* Its accuracy and interval alone, without a look at all answers. */
extern double label_model_accuracy(const LabelModel *model, int voice, double *low,
								   double *high);

/* One number of a voice's confusion: says k where t is true. */
typedef struct ConfusionCell
{
	double		count;			/* expected number of such answers */
	double		probability;	/* p_v(k | t) */
	double		low;			/* 95 % credible interval */
	double		high;
} ConfusionCell;

extern void label_model_confusion(const LabelModel *model, int voice, int truth, int said,
								  ConfusionCell *cell);

/* How often a rule speaks where that class is true; 1 of another voice. */
extern double label_model_coverage(const LabelModel *model, int voice, int truth);

/* Share of the items that are of that class. */
extern double label_model_class(const LabelModel *model, int class);

/* How much the classifier counts, in [0, 1]; 0 where there is none. */
extern double label_model_classifier_weight(const LabelModel *model);

/* Of all answers (and, of rules, silences), nats. */
extern double label_model_log_likelihood(const LabelModel *model);

/*
 * Changes one thing without fitting anew: the item's posterior and what is
 * known of the voices that have answered it are those that follow; other items
 * keep their posterior until the next fit.  Takes microseconds.
 *
 * label_model_answer: the voice's word on the item is now label, LABEL_NONE: it
 * has taken it back.  label_model_known: the item's label is known, LABEL_NONE:
 * no more.  label_model_add_items and _voices: there are so many more, numbered
 * on from those there are; items have no classifier's word, voices are people.
 * A class that was not there takes another fit.
 */
extern Status label_model_answer(const Caller *caller, LabelModel *model, int item, int voice,
								 int label);
extern Status label_model_known(const Caller *caller, LabelModel *model, int item, int label);
extern Status label_model_add_items(const Caller *caller, LabelModel *model, int n);
extern Status label_model_add_voices(const Caller *caller, LabelModel *model, int n);

#endif							/* HUMANLOOP_LABEL_MODEL_H */
