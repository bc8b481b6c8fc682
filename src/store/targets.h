/*-------------------------------------------------------------------------
 *
 * targets.h
 *	  Option "targets": which rows are asked, and are to be got right.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TARGETS_H
#define HUMANLOOP_TARGETS_H

#include "store/project.h"
#include "store/refresh.h"

/* The rows that satisfy the condition of a project, by their items. */
typedef struct TargetRows TargetRows;

/*
 * As they are now, in that context; NULL, which has all rows, where the project
 * has no condition.  SPI connected.
 */
extern TargetRows *targets_read(const Project *project, MemoryContext context);

extern bool targets_have(const TargetRows *targets, const char *item);

/* Has it that one?  Not for NULL. */
extern bool targets_have_key(const TargetRows *targets, ItemKey key);
extern int64 targets_count(const TargetRows *targets);

/*
 * Error where the condition is none, with what is wrong in it; nothing where
 * there is none.  given: just now, by the caller.  SPI connected.
 */
extern void targets_check(const Project *project, bool given);

/* What restricts a statement over the source, alias s; "" where nothing does. */
extern const char *targets_clause(const Project *project);

/*
 * Of these items, which have just been taken up: those that do not satisfy the
 * condition join added->gone, and are not to be asked.  True: others may have
 * come to satisfy it, so the pool is to be scored.
 */
extern bool targets_sort_out(const Project *project, char **items, int n, NewRows *added);

/* Has the condition changed since the project was read? */
extern bool targets_moved(const Project *project);

/* Stores the condition that is in the project's options now. */
extern void targets_store(const Project *project);

#endif							/* HUMANLOOP_TARGETS_H */
