/*-------------------------------------------------------------------------
 *
 * asked.h
 *	  Items that are asked before all others, as somebody wants an answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ASKED_H
#define HUMANLOOP_ASKED_H

#include "store/project.h"

/* Why they are asked, in the queue. */
#define ASKED_REASON "hand-over"

/* Open ones of project $1, in SQL: item and n, the longest waiting first. */
#define OPEN_ASKED \
	"SELECT a.item, pg_catalog.row_number() OVER (ORDER BY pg_catalog.min(a.asked_at), a.item) AS n " \
	"FROM @hl_asked a WHERE a.project_id = $1 AND a.answered_at IS NULL GROUP BY a.item"

/* Are they kept?  Objects of 0.4.0 and before have no place for them. */
extern bool asks_are_kept(void);

/*
 * Puts an item of the source at the head of the queue, behind those that were
 * asked for before, as the current user.  False: it has a label, so there is
 * nothing to ask.  An error where the option "targets" leaves it out.
 */
extern bool ask_for(const Project *project, char *item);

/* The same for the option "ask_uncertain", of items that may be asked; waits for nobody. */
extern void asks_add(const Project *project, char **items, int n);

/* Items that are still to be answered. */
extern char **asks_open(const Project *project, int *n);

/* Notes which have a label by now: they are not looked at again. */
extern void asks_close(const Project *project);

/*
 * Labels of these items, or with items NULL of whichever, were taken back: those that
 * have none any more are asked again, if they were asked for.
 */
extern void asks_reopen(const Project *project, char **items, int n);

/*
 * Takes out items whose rows are gone: these, or whichever the source does not
 * have any more.  And all of a project that is dropped.
 */
extern void asks_forget(const Project *project, char **items, int n);
extern void asks_check(const Project *project);
extern void asks_drop(const Project *project);

#endif							/* HUMANLOOP_ASKED_H */
