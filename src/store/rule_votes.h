/*-------------------------------------------------------------------------
 *
 * rule_votes.h
 *	  What rules say of the rows of a source.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_RULE_VOTES_H
#define HUMANLOOP_RULE_VOTES_H

#include "store/rule.h"

/* Has a rule not been evaluated over all rows yet? */
extern bool rules_pending(const Project *project);

/*
 * Evaluates rules that are pending, over all rows of the source; others keep
 * what they have said.  A rule that fails is stopped, or skips the row, and says
 * so; it is no error.  Under the project's lock, SPI connected.
 */
extern void rules_evaluate(const Project *project);

/* All rules over rows that have come, changed or gone.  Likewise. */
extern void rules_take(const Project *project, char **items, int n);

/*
 * For whoever compares the source by hand: takes up what has changed in it, as far
 * as that is noted, else all.  Takes the project's lock where there is anything to do.
 */
extern void rules_refresh(const Project *project);

/* One item with what rules say of it. */
typedef struct RuleVotes
{
	const char *item;
	int			n;
	const int  *number;			/* of a rule, as rules_read has it */
	const int  *code;			/* index into what it has said */
} RuleVotes;

typedef void (*RuleVotesCallback) (const RuleVotes *votes, void *state);

/*
 * Calls back for every item that a rule says something of: of these items, or
 * with items NULL of all, in the order of their names.  Memory of the votes is
 * gone after the callback.  There may be votes of rules that do not count any more.
 */
extern void rule_votes_scan(const Project *project, char **items, int n, bool read_only,
							RuleVotesCallback callback, void *state);

#endif							/* HUMANLOOP_RULE_VOTES_H */
