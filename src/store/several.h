/*-------------------------------------------------------------------------
 *
 * several.h
 *	  Several answers to one item: how many are wanted, who may give the next.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SEVERAL_H
#define HUMANLOOP_SEVERAL_H

#include "store/queue.h"

/* Option "answers" is "adaptive": as many as it takes, at most most_answers. */
#define ANSWERS_ADAPTIVE 0

/* Are there places for it?  Objects before 0.5.0 have none. */
extern bool several_are_kept(void);

/* Is more than one answer wanted of some items? */
extern bool several_wanted(const Project *project);

/* Error where more than one answer is wanted and there is no place for it. */
extern void several_check(const Project *project);

/* How many answers an item needs of which nothing else is known. */
extern int	several_answers(const Project *project);

/*
 * What lease row l becomes without one of its holders, for UPDATE ... SET, where h is
 * the others; until: when the row is free.
 */
#define WITHOUT_HOLDER(who, until) \
	"(holders, since, until, lease_until) = (SELECT coalesce(pg_catalog.array_agg(h.who ORDER BY h.n), '{}'), " \
	"coalesce(pg_catalog.array_agg(h.since ORDER BY h.n), '{}'), " \
	"coalesce(pg_catalog.array_agg(h.until ORDER BY h.n), '{}'), " until " " \
	"FROM unnest(l.holders, l.since, l.until) WITH ORDINALITY h(who, since, until, n) WHERE h.who <> " who ")"

/*
 * As leases_take, from one stretch of a part of the ranking; of the items that need
 * another answer, from the first so many; or of those that somebody has asked for.
 */
extern int	several_take_part(const Project *project, RankingPart part, const char *annotator,
							  int n, Interval *duration, Datum refused, int from, int to,
							  Lease *leases);
extern int	several_take_repeats(const Project *project, const char *annotator, int n,
								 Interval *duration, Datum refused, int most, Lease *leases);

extern int	several_take_asked(const Project *project, const char *annotator, int n,
							   Interval *duration, Datum refused, Lease *leases);

/* Gives back what this annotator has. */
extern void several_release(const Project *project, const char *annotator, char *item);

/*
 * Another number of answers is wanted from now on: leases go on, and what needs
 * another answer is found out.  The project's lock is held.
 */
extern void several_change(const Project *before, const Project *now);

/*
 * Which items need another answer: finds out anew for these, or with items NULL for
 * all.  The project's lock is held.
 */
extern void repeats_write(const Project *project, char **items, int n);

/*
 * repeats.c: the same for as many as it takes, from what label model and classifier
 * say.  False: there is nothing to weigh.
 */
extern bool repeats_weigh(const Project *project);

/* Their rows are gone. */
extern void repeats_forget(const Project *project, char **items, int n);

/* With the project. */
extern void repeats_drop(const Project *project);

/* The entries of the queue, as hl_queue_entry; and how many there are. */
extern void several_entries(const Project *project);
extern int64 several_length(const Project *project);

#endif							/* HUMANLOOP_SEVERAL_H */
