/*-------------------------------------------------------------------------
 *
 * explain.h
 *	  What in a row speaks for one class and against another.
 *
 * The logits of a row are linear in its features, and these in its n-grams, once
 * the row's length is given.  So the log odds of two classes,
 *
 *	  ln P(a) / P(b) = s (logit_a - logit_b),
 *
 * are a sum over the n-grams, through the dense features and the refined ones, the
 * parts of the row that have no n-grams (vectors), and a constant.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_EXPLAIN_H
#define HUMANLOOP_EXPLAIN_H

#include "../encode/terms.h"
#include "model.h"

/*
 * Shares of row 0 of rows, which the encoder has made, in sum_k direction[k] x
 * (calibrated logit of class k): term, of each of its n-grams (as many as the row
 * has); part, of each dense part, 0 for one that is made of n-grams; constant.
 * With direction 1 for a, -1 for b and 0 for the others they sum to the log odds
 * of a and b.  STATUS_BAD_ARGUMENT for rows of another encoder, STATUS_NO_MEMORY.
 */
extern Status model_explain(const Caller *caller, const Model *model, const Encoder *encoder,
							const Rows *rows, const float *direction, double *term,
							double *part, double *constant);

/* What a reader is shown: a word, a pair of them, or characters across words. */
typedef struct TextFeature
{
	char	   *text;			/* UTF-8, folded; ended by zero */
	double		weight;
} TextFeature;

/*
 * The n-grams of a text, with those shares of the row's n-grams (index, ascending,
 * terms of them) that belong to part i of the encoder.  Pieces of a word count for
 * the word that they are in, and an n-gram that occurs several times is one.
 * By text, in byte order; text_features_free gives them back.
 */
extern Status text_features(const Caller *caller, const Encoder *encoder, int i,
							const char *utf8, size_t length, const uint32_t *index, int terms,
							const double *share, TextFeature **features, int *n);
extern void text_features_free(const Caller *caller, TextFeature *features, int n);

#endif							/* HUMANLOOP_EXPLAIN_H */
