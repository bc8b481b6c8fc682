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
	int64		model_encoder;	/* of the model; 0: none */
	int64		class_changes;	/* counts renamed, merged and removed classes */
	bool		outnamed;		/* the last training knew some by other names */
} ProjectState;

extern void state_read(const Project *project, ProjectState *state);

/* After this the state that was read is the last one, until commit. */
extern void state_lock(const Project *project, ProjectState *state);

typedef struct Refreshed
{
	int64		encoder_id;
	const Encoder *encoder;		/* pinned by the current memory context */
	int64		items;			/* rows of the source that have an input */
	int64		changed;		/* added, changed or gone since the last time */
	bool		erases;			/* what is left of rows that are gone */
	bool		misfit;			/* most vectors of an input are none to the encoder */
	bool		first_vectors;	/* it was fitted when there were none of that input */
	ProjectState state;
} Refreshed;

/*
 * Deletes some blocks of encoders that are not in use, then those encoders:
 * replaced or abandoned ones, but for the one to go on with (unfinished.h).
 * True: there may be more.  The project's lock is held.
 */
extern bool features_sweep(const Project *project);

/*
 * Reads the source and encodes what is new or changed; fits the encoder
 * first where there is none, where what there is cannot read the input any more
 * (a text that has become a vector, vectors of another length), or, with
 * may_refit, where the source has grown to more than twice what it was fitted
 * on.  (The serving model then goes on with its own encoder until the next is
 * there.)  Brings the answers of annotator "source" in step with the label
 * column.  Takes the project's lock as soon as it has anything to write.  SPI
 * connected.
 */
extern void features_refresh(const Project *project, bool may_refit, Refreshed *refreshed);

/*
 * The features as they are stored, for a caller who knows that they are up to
 * date.  False where they are not all there, or, with may_refit, where the
 * encoder shall be fitted anew: then features_refresh is to be called.
 */
extern bool features_current(const Project *project, bool may_refit, Refreshed *refreshed);

typedef enum Taken
{
	TAKEN,
	TAKEN_BUSY,					/* somebody else has the project's lock */
	TAKEN_NOT					/* nothing is encoded yet: refresh */
} Taken;

/*
 * Rows that were encoded just now, and those asked for that the source does
 * not have, or not with a usable input; in the context that was current.
 */
typedef struct NewRows
{
	int			n;
	int			capacity;
	char	  **items;
	RowsBuilder rows;			/* as read from the blocks */
	bool	   *outside;		/* of the rows, those not to be asked (see
								 * targets.h); NULL: none */
	char	  **gone;
	int			ngone;
} NewRows;

/*
 * Takes up just these items (a repeated one counts once): reads their rows,
 * encodes what is new or different, forgets those that the source no longer
 * has, and keeps the answers of annotator "source" in step for them.  Takes
 * the project's lock; with wait false it is TAKEN_BUSY where that is held by
 * somebody else.  The counts of refreshed are those of these items, but for
 * refreshed->items, which is that of the source as far as it can be known
 * from them: rows without a usable input are counted by features_refresh only.
 *
 * fresh: none of the items was there when hl_serving.features was that
 * number, so the blocks need not be searched for them, which takes a while
 * where there are millions.  That is for a caller who has followed the changes
 * since then: the items were noted as inserted and none of them as changed.
 * Where somebody else has refreshed meanwhile, the number is another, he may
 * have taken up the same items, and they are searched for after all; else
 * they would be there twice.
 */
extern Taken features_take(const Project *project, char **items, int n, bool fresh,
						   int64 features, bool wait, Refreshed *refreshed, NewRows *added);

#endif							/* HUMANLOOP_REFRESH_H */
