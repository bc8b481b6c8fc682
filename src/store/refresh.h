/*-------------------------------------------------------------------------
 *
 * refresh.h
 *	  Keeps encoded rows and source labels in step with the source.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_REFRESH_H
#define HUMANLOOP_REFRESH_H

#include "store/feature.h"

/* What the model state of a project hangs on; hl_serving */
typedef struct ProjectState
{
	int32		model;			/* 0: none */
	int32		revision;
	int32		last_model;
	int64		features;		/* counts changes of the feature blocks */
	int64		encoder_id;		/* 0: none */
	int64		items;
} ProjectState;

extern void state_read(const Project *project, ProjectState *state);

/* After this the state that was read is the last one, until commit. */
extern void state_lock(const Project *project, ProjectState *state);

typedef struct Refreshed
{
	int64		encoder_id;
	const Encoder *encoder;		/* pinned by the current memory context */
	int64		items;			/* rows of the source with a key */
	int64		changed;		/* added, changed or gone since the last time */
	int64		not_encoded;	/* inputs that are NULL or no good vector */
	ProjectState state;
} Refreshed;

/*
 * Reads the source and encodes what is new or changed; fits the encoder
 * first where there is none, or, with may_refit, where the source has grown to
 * more than twice what it was fitted on (the serving model then goes on with
 * its own encoder until the next is there).  Brings the answers of annotator "source" in step
 * with the label column.  Takes the project's lock as soon as it has
 * anything to write.  SPI connected.
 */
extern void features_refresh(const Project *project, bool may_refit, Refreshed *refreshed);

/*
 * The features as they are stored, for a caller who knows that they are up to
 * date.  False where there are none, or where the encoder shall be fitted
 * anew: then features_refresh is to be called.
 */
extern bool features_current(const Project *project, Refreshed *refreshed);

#endif							/* HUMANLOOP_REFRESH_H */
