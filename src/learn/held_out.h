/*-------------------------------------------------------------------------
 *
 * held_out.h
 *	  A model that has not seen some of the labelled rows, and how far it is
 *	  off on them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_HELD_OUT_H
#define HUMANLOOP_HELD_OUT_H

#include "model.h"

#define HELD_OUT_MOST 2000		/* rows that are kept from it, */
#define HELD_OUT_PART 4			/* of so many labelled ones one; */
#define HELD_OUT_LEAST 300		/* with fewer, where the cross-validation has
								 * more, chance is worse than what they mend: see
								 * held_out.c */

typedef struct HeldOut
{
	Model	   *model;			/* of all classes; NULL: too few rows may be kept from it */
	bool		audited;		/* is what was kept from it of the audit? */
	int			n;				/* rows kept from it */
	float	   *losses;			/* of these, ascending; INFINITY where no other row is
								 * of the class */
} HeldOut;

/*
 * Which rows to keep: held[i] is set for rows at random among those that may be
 * (may[i]), and how many is returned; 0: fewer than HELD_OUT_LEAST, or, where these
 * are all that may be, than least.
 */
extern int	held_out_choose(const Caller *caller, const bool *may, int n, int least, uint64_t seed,
							bool *held);

/*
 * Trains without the rows held, with everything else as model_train_again takes it,
 * and measures the losses on them.  Of a class that no other row has, one row is
 * learned from, and the loss of all its held rows is infinite: nobody could have
 * known of it.
 */
extern Status held_out_train(const Caller *caller, const Rows *rows, const int *label, int classes,
							 const TrainOptions *options, double scale, const float *probability,
							 const bool *held, HeldOut *result);
extern void held_out_free(const Caller *caller, HeldOut *held_out);

/* Bytes that held_out_train holds at most. */
extern size_t held_out_memory(int n, int dims, int parts, size_t sparse_terms, int sparse_dims,
							  int classes, const TrainOptions *options);

/* Stored form; STATUS_CORRUPT for anything else. */
extern Status held_out_write(const HeldOut *held_out, Writer *writer);
extern Status held_out_read(const Caller *caller, Reader *reader, HeldOut *held_out);

#endif							/* HUMANLOOP_HELD_OUT_H */
