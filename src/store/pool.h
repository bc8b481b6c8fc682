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
#include "store/targets.h"

/* Which items are labelled, to look up by name. */
typedef struct LabelledItems LabelledItems;

extern LabelledItems *labelled_items(const Consensus *consensus, MemoryContext context);

/* Its index in the consensus, or -1. */
extern int	labelled_index(const LabelledItems *labelled, const char *item);
extern int	labelled_count(const LabelledItems *labelled);

/* Is it labelled, or has somebody skipped it?  The audit has passed it then. */
extern bool labelled_passed(const LabelledItems *labelled, const char *item);

/*
 * Scores every unlabelled row among the targets and ranks the best: head of the queue by the
 * project's acquisition function, then what refills it.
 *
 * pool_scan_some scores so many blocks and returns whether there may be more:
 * so whoever has no transaction of his own needs only a short one at a time.
 * All memory is in the context that pool_scan_begin was called in.
 */
typedef struct PoolScan PoolScan;

extern PoolScan *pool_scan_begin(const Project *project, const Refreshed *features,
								 const Model *model, const LabelledItems *labelled,
								 const TargetRows *targets);
extern bool pool_scan_some(PoolScan *scan, int count);

/* What the scan has kept, best candidates first, as the model's head sees it. */
typedef struct PoolFeatures
{
	MemoryContext context;		/* this and all below */
	int			D;
	int			n;
	char	  **items;
	float	   *features;		/* n x D */
	uint64		audit_limit;	/* the unlabelled rows up to that place of the
								 * audit's order (audit_place) are among them */
	int			ntargets;
	float	   *targets;		/* ntargets x D */
} PoolFeatures;

/*
 * The result; targets: a uniform sample of the rows that were scored.  Also what it was made
 * from, for whoever will put it in order again.
 */
extern PoolFeatures *pool_scan_end(PoolScan *scan, char **classes, Ranking *ranking,
								   Ranking *targets);

/*
 * What a model says of the targets: their most probable classes, palloc'd.  Any
 * model that reads the features of the scan.  Returns how many there are.
 */
extern int	pool_scan_labels(const PoolScan *scan, const Model *model, int **label);

/* Before the first model: a diverse batch of the rows that are encoded. */
extern void pool_seed(const Project *project, const Refreshed *features,
					  const LabelledItems *labelled, const TargetRows *targets,
					  Ranking *ranking);

/*
 * Makes a seed batch of rows items: the first n, with their features, to
 * choose from; line: m of the rows, in the order of the audit.
 */
extern void seed_ranking(const Project *project, int64 answered, char **items, const float *dense,
						 int n, int dims, const int *line, int m, int rows, Ranking *ranking);

/*
 * At creation: a diverse batch of a bounded sample, encoded for this only.
 * items: rows met that have an input; complete: there are no others.
 */
extern void sample_seed(const Project *project, Ranking *ranking, int64 *items, bool *complete);

/* Is there a whole seed batch, answered or not? */
extern bool seed_complete(const Project *project);

/* Before anything is encoded: chosen and written again, from a sample. */
extern void seed_refill(const Project *project);

#endif							/* HUMANLOOP_POOL_H */
