/*-------------------------------------------------------------------------
 *
 * deploy.h
 *	  Which model serves, and which are kept.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_DEPLOY_H
#define HUMANLOOP_DEPLOY_H

#include "store/project.h"

/*
 * Puts a stored model into service and records it; who and why.  The
 * project's lock is held.
 */
extern void deploy_model(int32 project_id, int32 model, int32 revision, const char *who,
						 const char *reason);

/*
 * Goes back (or forward) to a model, as its training left it; also makes
 * its encoder that of the stored features.  An error where it is not there or
 * not stored any more.
 */
extern void deploy_again(const Project *project, int32 model, const char *who);

/*
 * The features go on to be those of a model's encoder, where another was fitted
 * since: the source is encoded again, and the encoder counts as one for as many
 * rows as there are.  The project's lock is held.
 */
extern void deploy_keep_encoder(const Project *project, int64 encoder_id);

/*
 * Beyond the project's option keep_models, the oldest lose their bytes and
 * keep their figures; never the one that serves.
 */
extern void models_prune(const Project *project);

/* Labels and seconds of the last training; 0 where there was none. */
extern void models_last(int32 project_id, int *labels, double *seconds);

#endif							/* HUMANLOOP_DEPLOY_H */
