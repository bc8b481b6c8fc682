/*-------------------------------------------------------------------------
 *
 * shared_encoder.h
 *	  Stored encoders, loaded: imported ones from a file that all sessions map.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SHARED_ENCODER_H
#define HUMANLOOP_SHARED_ENCODER_H

#include "encode/encoder.h"

/*
 * Loads an encoder; it belongs to the current context, which is the caller's,
 * and what else it needs ends with that.  Errors as encoder_parts_read and
 * encoder_read_in_place; none because of the file.  SPI connected, as the
 * extension.
 */
extern Encoder *shared_encoder_load(int64 encoder_id, bool read_only, const Caller *caller);

/* The encoder is being dropped: when that is committed, its file goes, too. */
extern void shared_encoder_drop(int64 encoder_id);

#endif							/* HUMANLOOP_SHARED_ENCODER_H */
