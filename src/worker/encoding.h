/*-------------------------------------------------------------------------
 *
 * encoding.h
 *	  Other processes that encode for the worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ENCODING_H
#define HUMANLOOP_ENCODING_H

#include "store/row_batch.h"

/*
 * Starts n helpers, or as many as there are places for; they end with the current
 * context, as long as which the task must be there.  NULL: there is no place.  Not
 * in a transaction.
 */
extern BatchHelpers *encoding_helpers(const EncodingTask *task, int n);

#endif							/* HUMANLOOP_ENCODING_H */
