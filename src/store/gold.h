/*-------------------------------------------------------------------------
 *
 * gold.h
 *	  Gold items: their label is known, and whoever answers them is measured by it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_GOLD_H
#define HUMANLOOP_GOLD_H

#include "store/queue.h"

/* Marks a canonical item; a label that it had so before is replaced. */
extern void gold_write(const Project *project, char *item, char *label, const char *marked_by);

/* Takes it back; error where it is none. */
extern void gold_remove(const Project *project, char *item);

/* With the project. */
extern void golds_drop(const Project *project);

/* For whoever changes classes, as the extension; into NULL: there is no such label any more. */
extern int	gold_rename(const Project *project, char **classes, int n, const char *into);

/* Number of gold items of the classes, under the active snapshot. */
extern int64 gold_count(const Project *project, Datum classes, bool read_only);

/* Labels of gold items, each once. */
extern char **gold_classes(const Project *project, int *n);

/* Which of the leases are of gold items, which are not asked like others. */
extern bool *golds_among(const Project *project, const Lease *leases, int n);

/* Shall one be shown in place of the next question?  By lot. */
extern bool gold_due(const Project *project);

/*
 * One that the annotator has not been shown and has not answered, by lot, in place
 * of a question: it looks as that does.  False: there is none, or another session
 * of the same annotator is at it.
 */
extern bool gold_choose(const Project *project, const char *annotator, const Lease *instead,
						Lease *gold);

/*
 * May a gold item that somebody has asked for be shown to the annotator?  False: it
 * was, or he has answered it, or another session of his is at it.
 */
extern bool gold_is_new(const Project *project, const char *annotator, const char *item);

/* It is shown to him, and never again. */
extern void gold_show(const Project *project, const char *annotator, const Lease *gold);

#endif							/* HUMANLOOP_GOLD_H */
