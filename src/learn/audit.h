/*-------------------------------------------------------------------------
 *
 * audit.h
 *	  Places of the queue that are asked by lot, for the sake of honest
 *	  figures.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_AUDIT_H
#define HUMANLOOP_AUDIT_H

#include "../math/base.h"

/*
 * Is question number (from 1, in the life of a project) one of the audit?
 * share in [0, 1] of all questions are, as evenly as can be: for a tenth
 * those numbered 10, 20, 30 ...
 */
extern bool audit_due(double share, int64_t number);

/* A place of the queue. */
typedef struct AuditSlot
{
	int			row;
	int			from;			/* its index in chosen, -1: it is not there */
	bool		audit;			/* asked by the audit */
} AuditSlot;

/*
 * Merges two orders of rows (numbers below rows, each at most once in each):
 * chosen, what is worth most first, and line, the order of the audit.  before
 * is how many questions have been answered, which says where the audit's
 * places are.  A row that is in both comes once, where it comes first.  When
 * one order has come to its end the other goes on.  Fills the first places of
 * slots, at most count, and returns how many; place is memory for rows
 * numbers.
 */
extern int	audit_merge(double share, int64_t before, const int *chosen, int n,
						const int *line, int m, int rows, int count, int *place,
						AuditSlot *slots);

/* Length of a line that lasts as long as n chosen rows do; at most n. */
extern int	audit_line_length(double share, int n);

#endif							/* HUMANLOOP_AUDIT_H */
