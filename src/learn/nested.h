/*-------------------------------------------------------------------------
 *
 * nested.h
 *	  Refined features for an honest cross-validation of the head.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_NESTED_H
#define HUMANLOOP_NESTED_H

#include "refine.h"

/* Is it affordable, and are there folds enough? */
extern bool nested_wanted(int n, int classes, int folds);

/*
 * features: folds x n x columns.  In part k, the rows of fold k have the
 * features of a fit without fold k, the others out-of-fold features of that
 * same fit's rows: nothing in part k has seen a label of fold k.  fold_label: the labels
 * that hold in each part, where they hang on those of fold k; NULL: label does.
 */
extern Status nested_features(const Caller *caller, const SparseRows *sparse, int sparse_dims,
							  const int *label, const int *const *fold_label, int classes,
							  const int *fold, int folds, uint64_t seed, float *features);

/* Bytes of the features, and that nested_features holds beside them. */
extern size_t nested_result_memory(int n, int classes, int folds);
extern size_t nested_memory(int n, size_t sparse_terms, int sparse_dims, int classes);

#endif							/* HUMANLOOP_NESTED_H */
