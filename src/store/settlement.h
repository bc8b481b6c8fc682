/*-------------------------------------------------------------------------
 *
 * settlement.h
 *	  What a reviewer has settled: the label that an item has, whatever people
 *	  answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SETTLEMENT_H
#define HUMANLOOP_SETTLEMENT_H

#include "store/project.h"

/* False with the tables of 0.1.0 to 0.4.0, where nothing can be settled. */
extern bool settlements_are_kept(void);

/*
 * In a statement (see Statement), the label that an item of project $1 was
 * settled with; NULL where it is not settled, or not any more.
 */
#define SETTLED_LABEL(item) \
	"(SELECT z.label FROM @hl_settlement z WHERE z.project_id = $1 AND z.item = " item \
	" ORDER BY z.id DESC LIMIT 1)"

/* Likewise a condition: nobody has settled the item. */
#define NOT_SETTLED(item) " AND " SETTLED_LABEL(item) " IS NULL"

/*
 * Settles a canonical item; what was settled before holds no more.  reason may be
 * NULL.  Returns the id of the settlement.
 */
extern int64 settlement_write(const Project *project, const char *reviewer, char *item,
							  char *label, const char *reason);

/* Takes the settlement of an item back; error where it has none. */
extern void settlement_undo(const Project *project, const char *reviewer, char *item,
							const char *reason);

/* The labels that items are settled with, NULL where they are not. */
extern char **settled_labels(const Project *project, char **items, int n);

/* All items that are settled, and with what; returns how many. */
extern int	settled_items(const Project *project, char ***items, char ***labels);

/* Labels that items are settled with: each once. */
extern char **settled_classes(const Project *project, int *n);

/*
 * For whoever changes classes (classes.c), and keeps all others out.  Number and
 * last id of what is settled with one of the classes, under the active snapshot:
 */
extern void settlements_count(const Project *project, Datum classes, bool read_only,
							  int64 *count, int64 *last);

/*
 * Settles anew with another name, or takes back (into NULL), what is settled with
 * one of the classes; what: for the history.  Returns how many.  As the
 * extension.
 */
extern int	settlements_rename(const Project *project, Datum classes, const char *into,
							   const char *what);

#endif							/* HUMANLOOP_SETTLEMENT_H */
