/*-------------------------------------------------------------------------
 *
 * unfinished.h
 *	  Encoders with which not all rows are encoded yet.
 *
 * To encode a source may take hours, and whoever is at it may have to end.  What
 * is there of an encoder that does not serve yet is marked, until it does: the
 * next one goes on with it, as long as it is what the project shall have.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_UNFINISHED_H
#define HUMANLOOP_UNFINISHED_H

#include "store/project.h"

/*
 * The one to go on with; 0: there is none.  It is the newest whose name is that
 * of the encoder that is wanted, newer than the one in use and not outgrown; the
 * source and all the imported encoders in it are there.  SPI connected.
 */
extern int64 unfinished_encoder(const Project *project);

/* Rows are encoded with it from now on; all of them are. */
extern void unfinished_begin(int64 encoder_id);
extern void unfinished_end(int64 encoder_id);

#endif							/* HUMANLOOP_UNFINISHED_H */
