/*-------------------------------------------------------------------------
 *
 * delta.h
 *	  Revisions of a model, stored as small differences.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_DELTA_H
#define HUMANLOOP_DELTA_H

#include "model.h"

/*
 * Writes what leads from one revision of base to another; either may be base
 * itself.  What is written is rounded: *stored is `to` as whoever reads it
 * will have it, bit for bit.  The next difference is to be taken from that,
 * so that what was rounded off now is made up for then, and never adds up.
 */
extern Status model_delta_write(const Caller *caller, const Model *base, const Model *from,
								const Model *to, Writer *writer, Model **stored);

/*
 * The revision that from and the bytes make.  STATUS_CORRUPT for anything
 * that model_delta_write cannot have written.  base must outlive the result,
 * from need not.
 */
extern Status model_delta_read(const Caller *caller, const Model *base, const Model *from,
							   Reader *reader, Model **stored);

/* Bytes that model_delta_write holds at most, its results included. */
extern size_t model_delta_memory(const Model *base);

#endif							/* HUMANLOOP_DELTA_H */
