/*-------------------------------------------------------------------------
 *
 * rule_figures.h
 *	  How much rules say, how often they agree, and how often they are right.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_RULE_FIGURES_H
#define HUMANLOOP_RULE_FIGURES_H

#include "store/label.h"
#include "store/rule_votes.h"

/* Of one rule; counts are of items. */
typedef struct RuleFigures
{
	int64		votes;			/* that it speaks of */
	int64		overlaps;		/* of these, another one speaks of as well */
	int64		conflicts;		/* of these, another one says something else of */
	int64		compared;		/* that people have labelled, too */
	int64		right;			/* as people have */
} RuleFigures;

/*
 * Of each rule, zeros for one that does not count.  consensus: what people say.  Goes
 * through all votes.
 */
extern RuleFigures *rules_measure(const Project *project, const Rules *rules,
								  const Consensus *consensus, bool read_only);

/* The class that a vote is for; NULL: it counts for none. */
extern const char *vote_label(const Rules *rules, int number, int code, int *index);

#endif							/* HUMANLOOP_RULE_FIGURES_H */
