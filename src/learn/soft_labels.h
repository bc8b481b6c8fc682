/*-------------------------------------------------------------------------
 *
 * soft_labels.h
 *	  Labels that are not certain: for each row some classes with a weight.
 *
 * Row i has the entries start[i] to start[i + 1] - 1 of class and weight.  A
 * weight is how much of the row counts as that class: for a label that people
 * agree on it is one entry of weight 1.  The weights of a row need not sum to
 * 1: rows that only rules have labelled count for less as people's answers
 * come in.  Every row has at least one entry.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SOFT_LABELS_H
#define HUMANLOOP_SOFT_LABELS_H

#include "../math/base.h"

typedef struct SoftLabels
{
	int			n;				/* rows */
	const int  *start;			/* n + 1, from 0, never falling */
	const int  *class;			/* start[n], each class once a row */
	const float *weight;		/* start[n], finite, > 0 */
} SoftLabels;

/* How much row i counts. */
static inline float
soft_row_weight(const SoftLabels *soft, int i)
{
	float		sum = 0.0f;

	for (int e = soft->start[i]; e < soft->start[i + 1]; e++)
		sum += soft->weight[e];
	return sum;
}

#endif							/* HUMANLOOP_SOFT_LABELS_H */
