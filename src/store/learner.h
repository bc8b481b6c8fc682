/*-------------------------------------------------------------------------
 *
 * learner.h
 *	  A project's model on its way from one full training to the next.
 *
 * Lives in the worker, from turn to turn; everything in it can be read again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_LEARNER_H
#define HUMANLOOP_LEARNER_H

#include "store/pool.h"
#include "store/refresh.h"
#include "store/work.h"

typedef struct Learner Learner;

/*
 * The learner of a project, up to date with what serves, with all labels, and
 * with these changes; made anew where it is missing or somebody else has
 * changed what it knew.  NULL: there is no model to learn on.  Needs a
 * transaction, SPI connected.
 */
extern Learner *learner_read(const Project *project, const Changes *changes);

/*
 * Rows have changed or are gone, in a transaction that is about to commit: what
 * the learner, if there is one, has made from them is good for nothing.
 */
extern void learner_rows_changed(int32 project_id, const NewRows *rows);

/* Rows that are encoded now and were not before: maybe worth asking. */
extern void learner_add_rows(Learner *learner, int64 encoder_id, NewRows *added);

/*
 * Updates the model and puts the head of the queue in order.  Needs no
 * transaction.
 */
extern void learner_compute(Learner *learner);

/*
 * Stores revision and head.  The project's lock is held.  False: somebody has
 * changed what it was computed from; nothing is stored, start over.
 */
extern bool learner_write(Learner *learner, const Project *project);

/* Did that change queue or model?  And which serve now. */
extern bool learner_stored(const Learner *learner);
extern int32 learner_model(const Learner *learner);
extern int32 learner_revision(const Learner *learner);

/* Of the labels it has read. */
typedef struct LabelCounts
{
	int			labelled;		/* items */
	int			classes;
	int			least;			/* items of the rarest class */
	int			behind;			/* whose label the model was not trained with */
	bool		queue_empty;	/* no ranked item is without a label; only from
								 * labels_count */
	bool		new_class;		/* one with two labels that the model lacks */
} LabelCounts;

extern void learner_counts(const Learner *learner, LabelCounts *counts);

/* The same without a model, from the tables. */
extern void labels_count(const Project *project, LabelCounts *counts);

/*
 * The pool was scored and ranked anew with the model that serves: its features
 * need not be made again.  To be called in the transaction that stores the
 * ranking; takes the features over.
 */
extern void learner_offer_pool(const Project *project, int32 model, PoolFeatures *pool);

/* Is the queue so short that the pool should be scored again? */
extern bool learner_wants_pool(const Learner *learner);

/* Frees one; and all. */
extern void learner_forget(int32 project_id);
extern void learners_forget(void);

#endif							/* HUMANLOOP_LEARNER_H */
