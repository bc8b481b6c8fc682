/*-------------------------------------------------------------------------
 *
 * classes.h
 *	  The classes of a project, and how they change: renamed, merged, removed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_CLASSES_H
#define HUMANLOOP_CLASSES_H

#include "store/project.h"

/* False with the tables of 0.2.0, where classes are what they are. */
extern bool classes_can_change(void);

/*
 * Counts changes of a project's classes (hl_serving.class_changes).  What was
 * read before it grew has names of before.
 */
extern int64 classes_changes(const Project *project);

/*
 * The project's closed list as it was last committed, whatever the transaction's
 * snapshot; NULL: any label will do.  Needs no SPI.
 */
extern char **classes_listed(const Project *project, int *n);

/*
 * Each returns how many current answers were rewritten, or taken back.  who: for
 * the history.  The names are not blank; errors for all else that is wrong.
 */
extern int	class_rename(const Project *project, char *class, char *new_name, const char *who);
extern int	classes_merge(const Project *project, char **classes, int n, char *into,
						  const char *who);
extern int	class_remove(const Project *project, char *class, const char *who);

#endif							/* HUMANLOOP_CLASSES_H */
