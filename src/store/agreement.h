/*-------------------------------------------------------------------------
 *
 * agreement.h
 *	  Do a new model and the one that it replaces say the same?
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_AGREEMENT_H
#define HUMANLOOP_AGREEMENT_H

#include "store/pool.h"

/* With fewer rows nothing can be said. */
#define AGREEMENT_LEAST 10

/* The model that is to be replaced, kept in memory. */
typedef struct Replaced Replaced;

/*
 * NULL: it is not there, cannot be read, or reads other features.  In a context
 * that outlives the scan; needs a transaction.
 */
extern Replaced *replaced_open(const Project *project, int32 model, int64 encoder_id,
							   MemoryContext context);

/*
 * Cohen's kappa of what it and the new model say of the scan's uniform sample of
 * the pool; NAN: not known.  Needs no transaction.
 */
extern double replaced_agreement(const Replaced *replaced, const PoolScan *scan,
								 const Model *model, char **classes, int nclasses);

#endif							/* HUMANLOOP_AGREEMENT_H */
