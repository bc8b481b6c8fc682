/*-------------------------------------------------------------------------
 *
 * information.h
 *	  What an answer says of an item's label.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_INFORMATION_H
#define HUMANLOOP_INFORMATION_H

/*
 * Mutual information, in nats, of an item's label and an answer to it.  The label
 * is one of so many classes, the likeliest with probability confidence, the others
 * with equal parts of the rest; the answer is right with probability accuracy, else
 * any of the other classes alike.  0 with fewer than two classes, and where
 * accuracy is that of a guess.
 */
extern double information_of_answer(double confidence, int classes, double accuracy);

#endif							/* HUMANLOOP_INFORMATION_H */
