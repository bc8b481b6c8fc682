/*-------------------------------------------------------------------------
 *
 * label_model_internal.h
 *	  What a label model is made of: for label_model.c, label_counts.c,
 *	  label_voices.c and label_figures.c; everyone else uses label_model.h.
 *
 * Counts are sums over answers, weighted with the posterior of the item's
 * label.  A voice's matrix is never stored as such: its numbers are made from
 * the counts when they are asked for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_LABEL_MODEL_INTERNAL_H
#define HUMANLOOP_LABEL_MODEL_INTERNAL_H

#include "label_model.h"

/*
 * What is expected of people before anything is known, and how many answers
 * that is worth; then of one voice, what all voices are like.  Of a row of its
 * matrix, what the voice is like is worth the root of 2 K answers: 2 with two
 * classes, where people have leanings, 12 with 77, where few answers would seem to
 * show some (accuracy on made-up answers without any 0.84, 0.87, 0.90 with 2, 8,
 * 32; on those of Welinder et al. (2010), which have two classes, 0.898, 0.889,
 * 0.861).
 */
#define PEOPLE_ACCURACY 0.9
#define PEOPLE_ANSWERS 20.0
#define VOICE_ANSWERS 8.0
/* And what all voices confuse, before anything is known: evenly. */
#define SHARED_ANSWERS 10.0

/* The same of rules; and how many times all items that is worth, see label_model.h. */
#define RULE_ACCURACY 0.75
#define RULE_ANSWERS 4.0
#define RULE_STRENGTH 10.0
/* Of a class, a rule cannot speak more often than it is true; nearly. */
#define RULE_MOST 0.95
/* And no rule speaks of all items of a class. */
#define RULE_MOST_SPOKEN 0.99

/* One answer; those of an item are a chain. */
typedef struct LabelAnswer
{
	int			voice;
	int			label;
	int			next;			/* index, -1: the last */
} LabelAnswer;

/* How often a voice says k where t is true; those of a voice and k are a chain. */
typedef struct LabelCell
{
	double		count;
	int			truth;			/* t */
	int			next;
} LabelCell;

/* What is kept of each item. */
typedef struct LabelItem
{
	int			answers;		/* first of its chain */
	int			known;			/* or LABEL_NONE */
	short		people;			/* of its answers, by people */
	short		rules;
	int			support;		/* classes it is kept with */
	int			class[LABEL_SUPPORT];	/* most probable first */
	float		weight[LABEL_SUPPORT];	/* sum to 1 less what others have */
} LabelItem;

/* What is kept of each voice. */
typedef struct LabelVoice
{
	bool		rule;
	int			row;			/* of a rule: among the rules */
	int			answers;
	double		said;			/* that can be compared with something */
	double		right;			/* expected number of those that are right */
	double		accuracy;		/* of people: the diagonal of what is expected of
								 * their rows */
	double		weight;			/* see VoiceFigures */
} LabelVoice;

struct LabelModel
{
	int			items;
	int			voices;
	int			classes;		/* K */
	int			rules;
	int			items_capacity;
	int			voices_capacity;

	LabelItem  *item;
	LabelVoice *voice;
	LabelAnswer *answer;
	int			answers;
	int			answers_capacity;
	int			free_answer;	/* chain of those that were taken back */
	const float *classifier;	/* of the first classifier_items items */
	int			classifier_items;

	/* counts */
	int		   *head;			/* voices x K: first cell of (voice, said) */
	LabelCell  *cell;
	int			cells;
	int			cells_capacity;
	double	   *total;			/* voices x K: of (voice, truth) */
	double	   *shared;			/* K x K, said by truth, of all people, where said
								 * is not true; NULL: too many classes */
	double	   *shared_total;	/* K: of a truth */
	double	   *mass;			/* K: items of each class */
	double		mass_rest;		/* that are kept with no class */
	double		people_said;	/* sums over people */
	double		people_right;
	int			heard;			/* items with answers, or known */
	int			only_rules;		/* items with rules' answers alone */

	/* of rules, rules x K */
	double	   *spoken;			/* items that a rule says k of */
	double	   *judged;			/* of these, with people's answers, or known */
	double	   *judged_right;
	double	   *own;			/* what is expected where k is true, */
	double	   *other;			/* and where another class is; both by truth, */
	double	   *scale;			/* times this */
	double	   *other_sum;		/* rules: of other, over k */
	double	   *silence;		/* p(silent | t)^(1 / rules) */

	/* what the last round has made of the counts */
	double		accuracy;		/* of people in general */
	double	   *prior;			/* K */
	double		classifier_weight;	/* w */
	double		log_likelihood;
	double	   *value;			/* 2 x K of scratch */
};

#define CELL_HEAD(model, v, k) ((model)->head[(size_t) (v) * (model)->classes + (k)])

/* label_voices.c: what voices say */

/* p_v(k | t) for all t, into p (K); and for one t. */
extern void voice_likelihood(const LabelModel *model, int voice, int said, double *p);
extern double voice_probability(const LabelModel *model, int voice, int said, int truth);

/* What is expected of it before its own counts, and how much that is worth. */
extern double voice_expected(const LabelModel *model, int voice, int said, int truth);
extern double voice_strength(const LabelModel *model, int voice);

/* Answers (of a rule: items) that its row of that truth stands on. */
extern double voice_total(const LabelModel *model, int voice, int truth);
extern double voice_count(const LabelModel *model, int voice, int said, int truth);

/* What is expected of people, one or all, and of rules, from the counts; rules' weights. */
extern void expect_person(LabelModel *model, int voice);
extern void expect_people(LabelModel *model);
extern void expect_rules(LabelModel *model);
extern Status weigh_rules(const Caller *caller, LabelModel *model);

/* label_counts.c */

/* A larger array with the count elements of this one, which is gone; NULL: it is not. */
extern void *grown_array(const Caller *caller, void *array, int count, int wanted, size_t size);

/* Adds (sign 1) or takes off (-1) what an item counts; and all anew. */
extern Status count_item(const Caller *caller, LabelModel *model, int item, double sign);
extern Status count_all(const Caller *caller, LabelModel *model);

/* label_model.c: what the classifier says of an item, NULL: nothing */
extern const float *classifier_row(const LabelModel *model, int item);

#endif							/* HUMANLOOP_LABEL_MODEL_INTERNAL_H */
