/*-------------------------------------------------------------------------
 *
 * pool.h
 *	  From the rows nobody has labelled to the queue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_POOL_H
#define HUMANLOOP_POOL_H

#include "store/label.h"
#include "store/queue.h"
#include "store/refresh.h"

/* Which items are labelled, to look up by name. */
typedef struct LabelledItems LabelledItems;

extern LabelledItems *labelled_items(const Consensus *consensus, MemoryContext context);

/* Its index in the consensus, or -1. */
extern int	labelled_index(const LabelledItems *labelled, const char *item);

/*
 * Scores every unlabelled row block by block and ranks the best: head of the
 * queue by the project's acquisition function, then what refills it.
 */
extern void pool_rank(const Project *project, const Refreshed *features, const Model *model,
					  char **classes, const LabelledItems *labelled, Ranking *ranking);

/* Before the first model: a diverse batch of the rows that are encoded. */
extern void pool_seed(const Project *project, const Refreshed *features,
					  const LabelledItems *labelled, Ranking *ranking);

/* At creation: a diverse batch of a bounded sample, encoded for this only. */
extern void sample_seed(const Project *project, Ranking *ranking, int64 *items_seen,
						bool *complete);

#endif							/* HUMANLOOP_POOL_H */
