/*-------------------------------------------------------------------------
 *
 * label_errors.h
 *	  Which of the labels are probably wrong, and how many are.
 *
 * A model that has not seen a row says what its label probably is.  Taken
 * together with how often labels are wrong at all, that is a posterior:
 * somebody who errs gives, in a share `rate` of the rows, any of the other
 * classes, each as often, so a row with true class k is labelled g with
 * probability
 *
 *	  1 - rate				for g = k,
 *	  rate / (classes - 1)	for any other g.
 *
 * The model was trained on labels with errors, which makes it too timid: the
 * true classes' probabilities are its own to the power of `sharpness`, scaled
 * to sum to one.  Both numbers are those under which the labels are most
 * likely.
 *
 * Where several people have answered, their label model (label_model.h) knows more than
 * a rate: the posterior q over the classes by what they have said.  There P(k) is
 * proportional to q_k times the model's (sharpened) probability of k.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_LABEL_ERRORS_H
#define HUMANLOOP_LABEL_ERRORS_H

#include "soft_labels.h"

typedef struct LabelErrors
{
	double		rate;			/* share of the labels that are wrong */
	double		sharpness;
} LabelErrors;

/*
 * probability (n x classes) is what models that have not seen a row say of it,
 * label[i] in [0, classes) the label it has.  wrong[i] is the probability that
 * this is not its class, and suggested[i] the most probable class but for that
 * one.  A row whose class no other row has was judged by a model that does not
 * know the class: its wrong[i] is the rate.  said (NULL: nothing): posteriors by the
 * answers alone, of the rows that have entries there; the others have one answer
 * each.  Weights of a row that sum to less than 1 leave the rest to all other classes; a
 * label of weight 1 is not wrong.  STATUS_BAD_ARGUMENT for less
 * than two classes, STATUS_STOPPED.
 */
extern Status label_errors(const Caller *caller, const float *probability, const int *label,
						   int n, int classes, const SoftLabels *said, float *wrong,
						   int *suggested, LabelErrors *errors);

#endif							/* HUMANLOOP_LABEL_ERRORS_H */
