/*-------------------------------------------------------------------------
 *
 * parts.h
 *	  Long byte strings (encoders, models) in rows of bounded size.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_PARTS_H
#define HUMANLOOP_PARTS_H

#include "math/buffer.h"

/* What the first part begins with */
#define PARTS_HEAD_BYTES 16

/* Stores an encoder's or a model's bytes; SPI connected, as the extension. */
extern void encoder_parts_write(int64 encoder_id, const Writer *writer);
extern void model_parts_write(int32 project_id, int32 model, const Writer *writer);

/*
 * All bytes in order, checked, palloc'd in the current context.  Error where
 * a part is missing or damaged.
 */
extern void encoder_parts_read(int64 encoder_id, bool read_only, Reader *reader);
extern void model_parts_read(int32 project_id, int32 model, bool read_only, Reader *reader);

/*
 * Length and CRC-32C of all, from the beginning of the first part, a bytea;
 * false: that is none.
 */
extern bool parts_head(Datum part, uint64 *length, uint32 *crc);

/*
 * Short ones (revisions) in one value: a bytea with head and checksum, and the
 * bytes of such a value, palloc'd in the current context; an error where it
 * is damaged.
 */
extern Datum bytes_seal(const Writer *writer);
extern void bytes_unseal(Datum value, Reader *reader);

#endif							/* HUMANLOOP_PARTS_H */
