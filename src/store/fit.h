/*-------------------------------------------------------------------------
 *
 * fit.h
 *	  Fits a project's encoder on all rows of its source.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_FIT_H
#define HUMANLOOP_FIT_H

#include "store/project.h"

/* Fits and stores one; its id.  SPI connected. */
extern int64 encoder_fit(const Project *project);

/* Has the source grown to more than twice what the encoder was fitted on? */
extern bool encoder_outgrown(int64 encoder_id, int64 items);

#endif							/* HUMANLOOP_FIT_H */
