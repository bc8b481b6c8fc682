/*-------------------------------------------------------------------------
 *
 * handover.h
 *	  What a project's models may answer alone, and how often their labels
 *	  are among the likely ones: learn/handover.h on stored predictions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_STORE_HANDOVER_H
#define HUMANLOOP_STORE_HANDOVER_H

#include "learn/handover.h"
#include "store/cache.h"

/* Is it kept with a model?  Objects of 0.4.0 and before have no place for it. */
extern bool handover_is_kept(void);

/*
 * What can be promised of a model, by its predictions for the rows of the audit,
 * out of fold.  SPI connected.
 */
extern void handover_read(const Project *project, int32 model, double target, bool read_only,
						  Handover *handover);

/*
 * Stores the threshold for the error rate that the project's option target_error
 * says now: of a model, or of all that there are predictions of.  The project's
 * lock is held.
 */
extern void handover_write(const Project *project, int32 model);
extern void handovers_write(const Project *project);

/*
 * Is an answer one that can do without a person?  From the confidence on with
 * which the promised error rate holds.  base: what the model said as its last
 * training left it, which is what was measured, where what serves is anything
 * else; else NULL.  A revision may take answers out of these, and not add any.
 */
extern bool serving_decides(const Serving *serving, const Score *score, const Score *base);

/*
 * Of these items, which have come to the source: those that are not decided alone
 * are asked before all others, where the option ask_uncertain says so.
 */
extern void ask_uncertain(const Project *project, char **items, int n);

#define CONFORMAL_LEAST 100		/* rows of the audit; with fewer, all labelled rows count */

/* What sets of labels are made with. */
typedef struct SetLimit
{
	const Model *model;			/* whose probabilities count */
	float		limit;			/* of the loss, in nats; INFINITY: nothing is too
								 * improbable, as too few rows are labelled */
	bool		audited;		/* by rows of the audit */
	bool		held_out;		/* by rows that the model has not seen; else by those
								 * of the cross-validation */
} SetLimit;

/*
 * The loss (negative logarithm of the probability) that the label of a row does not
 * pass with probability coverage: by the rows that were kept from a model of its
 * own, or, where these are too few for that coverage, by the cross-validation of the
 * model that serves.  Those of the audit, where they are enough, else all labelled
 * ones.  The model is pinned until pin_context is reset.
 */
extern void set_limit_read(const Project *project, const Serving *serving, double coverage,
						   bool read_only, MemoryContext pin_context, SetLimit *limit);

#endif							/* HUMANLOOP_STORE_HANDOVER_H */
