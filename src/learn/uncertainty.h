/*-------------------------------------------------------------------------
 *
 * uncertainty.h
 *	  From logits and their variances to the answer for a row.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_UNCERTAINTY_H
#define HUMANLOOP_UNCERTAINTY_H

#include "model.h"

/* Draws of the logits; the second half are the negatives of the first. */
#define DRAWS 64
/* With more classes only the most probable ones of a row are drawn. */
#define DRAWN_CLASSES 128

/*
 * The draws have the variance times TEMPER: a Laplace posterior with one
 * independent variance a class is too wide.  Their means are the logits times
 * WIDEN, which makes up for the averaging.
 */
#define TEMPER 0.5f
#define WIDEN 1.2f

/* Standard normal numbers, the same for every row and model. */
typedef struct Draws
{
	int			classes;
	int			slots;			/* classes drawn at once */
	float	   *normal;			/* slots x DRAWS/2 */
} Draws;

extern Status draws_init(const Caller *caller, int classes, Draws *draws);
extern void draws_free(const Caller *caller, Draws *draws);

/* Softmax of logits (K); returns the most probable class. */
extern int	predict_row(const float *logits, int classes, float *probability);

/*
 * The point prediction softmax(logits), into probability (K): label,
 * confidence and margin of the score.
 */
extern void point_score(const float *logits, int classes, float *probability, Score *score);

/* Floats of scratch for score_row. */
extern size_t score_scratch(int classes);

/*
 * The answer for a row with calibrated logits and variances (K each).
 * probability (K) receives softmax(logits), the point prediction.
 */
extern void score_row(const Draws *draws, const float *logits, const float *variance,
					  float *scratch, float *probability, Score *score);

#endif							/* HUMANLOOP_UNCERTAINTY_H */
