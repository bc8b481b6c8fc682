/*-------------------------------------------------------------------------
 *
 * audit.h
 *	  What is asked by lot, and what that says of the source.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_STORE_AUDIT_H
#define HUMANLOOP_STORE_AUDIT_H

#include "store/pool.h"
#include "store/project.h"
#include "store/queue.h"

/* Which share of the questions follows the order of the audit. */
extern double audit_share(const Project *project);
extern double audit_share_of(Acquisition acquisition, const ProjectOptions *options);

/* Why such a row is asked. */
extern const char *audit_reason(Acquisition acquisition);

/*
 * Place of an item in the order that the audit follows: fixed by its name and
 * the project's random_seed, independent of its text and of any model.
 */
extern uint64 audit_place(const ProjectOptions *options, const char *item);

/* Rows to be ranked, and what is known of their order. */
typedef struct Ordered
{
	Acquisition acquisition;
	const ProjectOptions *options;
	const Model *model;
	char	  **classes;
	int64		answered;		/* labelled items: which places the audit has */
	int			rows;
	char	  **items;
	const float *features;		/* rows x D */
	int			n;				/* what is worth asking, best first: */
	const int  *chosen;			/* rows */
	const float *value;
	const Score *scores;
	int			m;				/* the audit's: */
	const int  *line;			/* rows */
} Ordered;

/* The first count of both orders, merged (learn/audit.h). */
extern void rank_ordered(const Ordered *ordered, int count, Ranking *ranking);

/* The same before there is a model; reason: why those that are chosen are asked. */
extern void rank_unscored(const Ordered *ordered, int count, const char *reason,
						  Ranking *ranking);

/* ---------------------------------------------------------------------- */
/* The sample */

/*
 * Which of the labelled rows are a uniform sample of the source, found while
 * all rows are gone through.
 */
typedef struct AuditSample AuditSample;

extern AuditSample *audit_begin(const Project *project, const LabelledItems *labelled);

/*
 * A row of the source that can be asked; index: of the labelled row, as
 * audit_end counts them, or -1.
 */
extern void audit_row(AuditSample *sample, const char *item, int index);

/* For each of n labelled rows, whether it is in the sample; returns how many are. */
extern int	audit_end(AuditSample *sample, int n, bool *audited);

/* Are the results kept?  Objects of 0.2.0 have no place for them. */
extern bool audit_is_kept(void);

#endif							/* HUMANLOOP_STORE_AUDIT_H */
