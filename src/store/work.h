/*-------------------------------------------------------------------------
 *
 * work.h
 *	  What the background worker has to do, does, and could not do.
 *
 * All functions need a transaction and SPI connected.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_WORK_H
#define HUMANLOOP_WORK_H

#include "datatype/timestamp.h"

#include "store/change.h"
#include "store/project.h"

/* A project's row of hl_work. */
typedef struct Work
{
	int			tried_labels;	/* labelled items at the last training; 0: none */
	TimestampTz train_at;		/* DT_NOEND: not planned */
	int			failures;
	bool		training_failed;	/* the last time; then train_at is when to try
									 * again */
	bool		known;			/* has a row: the worker has seen the project */
} Work;

extern void work_read(int32 project_id, Work *work);
extern void work_write(int32 project_id, const Work *work);

/*
 * Projects that have something to do now, whoever has waited longest first but
 * for those that have failed, palloc'd in the current context; *next is when the next one has, DT_NOEND
 * for never.
 */
extern int32 *work_due(int *n, TimestampTz *next);

/*
 * Puts a project off without a record of it: after a failure that could not be
 * recorded.  Ends with the next success or record.
 */
extern void work_hold(int32 project_id);
extern void work_release(int32 project_id);
extern void work_release_all(void);

/* Changes of one project that can be seen now. */
typedef struct Changes
{
	bool		any;
	bool		model;			/* another model serves */
	bool		resume;			/* somebody wants what has failed tried again */
	bool		pool;			/* rows are encoded and not yet ranked */
	bool		all_labels;		/* more items than can be listed */
	bool		all_rows;
	char	  **labelled;		/* items, maybe repeated */
	int			nlabelled;
	char	  **inserted;
	int			ninserted;
	char	  **changed;		/* rows */
	int			nchanged;
	ChangePlaces rows_places;	/* what changes_done deletes; */
	ChangePlaces label_places;	/* model changes are with the labels */
	ChangePlaces pool_places;
	Oid			file;			/* of the table: there the places hold */
	bool		by_hand;		/* the worker does not come */
} Changes;

extern void changes_read(int32 project_id, Changes *changes);

/*
 * Forgets what has been learned, in the transaction that stores it.  Of very
 * many only some, and false; the others are then to be forgotten by more such
 * calls, in transactions of their own.
 */
extern bool changes_done(const Changes *changes, ChangePlaces *places);

/* Under the project's lock: all rows have features of the encoder that serves. */
extern void changes_encoded(int32 project_id);

/*
 * For whoever does the worker's work by hand where the worker does not come
 * (paused, switched off): what there was before he began, and has dealt with.
 * changes_settle does nothing where the worker does come.
 */
extern void changes_before(const Project *project, Changes *changes);
extern void changes_settle(Changes *changes, bool labels);

/* Changes of projects that are gone. */
extern void changes_sweep(void);

/* A run, see hl_runs; returns its id. */
extern int64 run_begin(int32 project_id, const char *kind, const char *step);
extern void run_step(int64 run, const char *step);

/* How many rows it has encoded, and how many it will have. */
extern void run_rows(int64 run, int64 done, int64 total);

/* state: 'done', 'rejected', 'superseded'; model 0: none was made */
extern void run_end(int64 run, const char *state, int32 model);

/*
 * A failure: ends the project's run, if one is open, records the error, and
 * puts the project off, twice as long each time; of a training, only that.
 * True where it is another error than the last one, or the first.
 */
extern bool work_failed(int32 project_id, const char *kind, const ErrorData *error);

/*
 * No failure: somebody has locked its source.  Puts it off for a moment; ends
 * the run of that kind, if one is open.
 */
extern void work_busy(int32 project_id, const char *kind);

/*
 * The project works (again).  Learning labels does not make up for a training
 * that has failed.
 */
extern void work_succeeded(int32 project_id, bool training);

/*
 * Runs that nobody can be running any more, as there is one worker only and
 * it has just begun: whatever was running then may have taken the server down.
 */
extern void runs_bury(void);

#endif							/* HUMANLOOP_WORK_H */
