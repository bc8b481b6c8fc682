/*-------------------------------------------------------------------------
 *
 * rule.h
 *	  Rules: expressions over a row of the source that say what class it is of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_RULE_H
#define HUMANLOOP_RULE_H

#include "datatype/timestamp.h"
#include "executor/spi.h"

#include "store/condition.h"

typedef enum RuleState
{
	RULE_ENABLED,
	RULE_DISABLED,
	RULE_REPLACED,				/* there is a later version */
	RULE_DROPPED
} RuleState;

/* One version of a rule. */
typedef struct Rule
{
	int			number;			/* in the project; never used twice */
	char	   *name;
	int			version;		/* from 1 */
	char	   *condition;
	char	   *label;			/* said where the condition is true; NULL: the
								 * expression's value is the label */
	RuleState	state;
	int			nsaid;			/* different values it has had; code k + 1 of a */
	char	  **said;			/* vote is value k, */
	char	  **labels;			/* which is this class now; NULL: none */
	bool		evaluated;		/* over all rows, so that it counts */
	bool		outdated;		/* and is to be again */
	bool		stopped;		/* it fails: it says nothing until it is enabled again */
	int64		rows;			/* that there were when it was evaluated */
	int64		skipped;		/* rows that it has failed on */
	char	   *error;			/* the last; quotes of a row no more than what
								 * the rule has said of it; NULL: none */
	char	   *added_by;
	TimestampTz added_at;

	/* while it is being evaluated */
	SPIPlanPtr	plan;
	bool		changed;		/* something above */
} Rule;

typedef struct Rules
{
	int			n;
	Rule	   *rule;			/* by name and version */
} Rules;

/* Are there tables for them?  Those before 0.5.0 have not. */
extern bool rules_are_kept(void);

/* all: also those that are disabled, replaced and dropped. */
extern void rules_read(const Project *project, bool all, bool read_only, Rules *rules);

/* Does what it says count? */
extern bool rule_counts(const Rule *rule);

/* By number; NULL: it is not among them. */
extern Rule *rules_find(const Rules *rules, int number);

/*
 * Adds a rule, or a version of one; returns its version.  A condition that is none
 * is an error.  Under the project's lock, as are the next two.
 */
extern int	rule_add(const Project *project, const char *name, const char *condition,
					 const char *label, const char *who);

/* Error where there is no such rule. */
extern void rule_drop(const Project *project, const char *name);
extern void rule_enable(const Project *project, const char *name, bool enable);

/* Stores what the evaluation has found out about a rule. */
extern void rule_store(const Project *project, const Rule *rule);

/* All that rules say is to be found out anew. */
extern void rules_outdate(const Project *project);

/* What rules called one of the classes is called so now; into NULL: nothing. */
extern void rules_rename(const Project *project, char **classes, int n, const char *into);

/* A project is dropped, and its rules with it. */
extern void rules_forget(int32 project_id);

#endif							/* HUMANLOOP_RULE_H */
