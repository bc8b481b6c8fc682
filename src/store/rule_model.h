/*-------------------------------------------------------------------------
 *
 * rule_model.h
 *	  How far rules are believed, and what follows for rows nobody has labelled.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_RULE_MODEL_H
#define HUMANLOOP_RULE_MODEL_H

#include "learn/label_model.h"
#include "store/label.h"
#include "store/rule_votes.h"

/*
 * The label model of the rules that count, as learn/label_model.h has it: from
 * items that people have labelled, whose labels are known, and a sample of the
 * others that a rule speaks of.
 */
typedef struct RuleModel
{
	Rules		rules;			/* that are enabled */
	int		   *voice;			/* of each rule in the model; -1: it does not count */
	int			voices;
	char	  **classes;		/* of people and rules, in byte order */
	int			nclasses;
	int			labelled;		/* the first items: those of the consensus */
	int			n;				/* all items */
	char	  **items;
	LabelData	data;			/* that it was fitted to */
	LabelModel *model;
} RuleModel;

/*
 * NULL: no rule counts, or none speaks of any item.  In a context that outlives it.
 * SPI connected.
 */
extern RuleModel *rule_model_read(const Project *project, const Consensus *consensus,
								  bool read_only, MemoryContext context);

/*
 * Fits it again with one more voice: what a classifier that has not seen an item says
 * of it, items x classes, NaN where it says nothing.  That must stay as long.
 */
extern void rule_model_hear(RuleModel *model, const float *classifier);

/*
 * How much a row counts that only rules have labelled, where people have labelled
 * so many: 1 where they have not yet, then less and less.
 */
extern float rule_row_weight(int labelled);

/* Numbers of the rules that count, as int[]; empty where there are none. */
extern Datum rules_counting(const Project *project, bool read_only);

/* Are those that count now others than the last training knew? */
extern bool rules_changed(const Project *project);

/* Are there rules that count, which speak of two classes, and of so many items? */
extern bool rules_suffice(const Project *project, int items);

#endif							/* HUMANLOOP_RULE_MODEL_H */
