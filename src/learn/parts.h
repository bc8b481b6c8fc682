/*-------------------------------------------------------------------------
 *
 * parts.h
 *	  How much each part of a row counts, where encoders stand side by side.
 *
 * A Gaussian prior of the same precision for the weights of all features
 * says that all are of equal use.  To scale the features of one part is to
 * give its weights a precision of their own: that is what is chosen here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_PARTS_H
#define HUMANLOOP_PARTS_H

#include "model.h"

/* Bytes that both of these need at most, beside a cross-validation. */
extern size_t parts_memory(int n, int dims, int classes);

/*
 * The shares of rows->parts parts, which sum to 1, by cross-validated log loss: of
 * all alike, each alone, and each with four fifths the most even that is not worse
 * than the best by more than luck alone would make it.  trial: PART_TRIALS of
 * them, *trials are filled in.
 */
extern Status choose_shares(const Caller *caller, const Rows *rows, const int *label,
							int classes, const TrainOptions *options, float *share,
							PartTrial *trial, int *trials);

/* Nats a row by which something must be better than something else, of n rows. */
extern double share_gain(int n);

/*
 * What the features of a part are multiplied by for that share: encoders give each
 * of n parts the same length.
 */
extern float share_scale(float share, int n);

/* A copy of the dense features (n x dims) at these shares; NULL: no memory. */
extern float *share_features(const Caller *caller, const Rows *rows, const float *share);

#endif							/* HUMANLOOP_PARTS_H */
