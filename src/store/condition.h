/*-------------------------------------------------------------------------
 *
 * condition.h
 *	  Expressions over the rows of a source that somebody has written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_CONDITION_H
#define HUMANLOOP_CONDITION_H

#include "store/project.h"

/* What an expression is for. */
typedef enum ConditionKind
{
	CONDITION_TARGETS,			/* boolean, in statements over the source */
	CONDITION_TRUE,				/* boolean, over rows of its type */
	CONDITION_VALUE				/* the same of any type: its text */
} ConditionKind;

/*
 * What the parser finds wrong with an expression over the source, which it calls
 * s; NULL: nothing.  It must be one expression and no more, without parameters,
 * aggregates, window functions and functions that return sets.  No row is seen, so
 * that anybody may be told.  Takes humanloop.rule_timeout at most.  SPI connected.
 */
extern ErrorData *condition_problem(const Project *project, const char *condition,
									ConditionKind kind);

/*
 * Error unless the caller owns the project and has the rights of the owner of
 * the source, as whom an expression runs.
 */
extern void condition_need_owner(const Project *project);

#endif							/* HUMANLOOP_CONDITION_H */
