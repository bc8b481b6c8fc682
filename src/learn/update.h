/*-------------------------------------------------------------------------
 *
 * update.h
 *	  The fast update: what new answers change, between two trainings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_UPDATE_H
#define HUMANLOOP_UPDATE_H

#include "model.h"

/*
 * A revision of base, which model_train has made.  label[i] is the class of
 * row i now, in [0, K), or -1: taken back.  before[i] is the class that base
 * was trained with, or -1: it has not seen the row.  Rows where the two are
 * equal change nothing.  The result depends on nothing but base and these
 * rows, to the tolerance of the optimum; start, an earlier revision of the
 * same base or NULL, is where the search for it starts.
 *
 * The revision borrows refine, basis and draws of base, which must outlive
 * it.  It is a Model like any other but that model_write refuses it
 * (delta.h stores it).
 */
extern Status model_update(const Caller *caller, const Model *base, const Model *start,
						   const Rows *rows, const int *label, const int *before,
						   Model **updated);

/*
 * The same where labels are not certain: soft, of the same rows, says what those
 * with a label shall be (its weights of a row sum to 1; that of row i is left alone
 * where label[i] is -1).  What it says of rows whose label is as before is left to
 * the next training.  NULL: label is certain.
 */
extern Status model_update_soft(const Caller *caller, const Model *base, const Model *start,
								const Rows *rows, const int *label, const SoftLabels *soft,
								const int *before, Model **updated);

/* Bytes that model_update holds at most for n rows, its result included. */
extern size_t model_update_memory(const Model *base, int n);

#endif							/* HUMANLOOP_UPDATE_H */
