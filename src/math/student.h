/*-------------------------------------------------------------------------
 *
 * student.h
 *	  Student's t distribution.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_STUDENT_H
#define HUMANLOOP_STUDENT_H

/* The t below which |T| lies with a probability in (0, 1); freedom >= 1. */
extern double student_bound(double probability, int freedom);

#endif							/* HUMANLOOP_STUDENT_H */
