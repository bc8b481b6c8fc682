/*-------------------------------------------------------------------------
 *
 * change.h
 *	  What has changed and the model does not know yet.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_CHANGE_H
#define HUMANLOOP_CHANGE_H

typedef enum ChangeKind
{
	CHANGE_LABELS,				/* somebody has answered, or taken it back */
	CHANGE_INSERTED,			/* new rows of the source, with new keys */
	CHANGE_ROWS,				/* rows of the source changed or are gone */
	CHANGE_MODEL,				/* another model serves */
	CHANGE_RESUME,				/* what has failed shall be tried again */
	CHANGE_POOL					/* rows are encoded and not yet ranked */
} ChangeKind;

/* More items than this are not listed one by one. */
#define CHANGE_ITEMS 1000

/*
 * Notes it for the worker, which is woken when the transaction commits.
 * items NULL: whichever.  Needs no SPI.
 */
extern void change_note(int32 project_id, ChangeKind kind, char **items, int n);

/* Is there such a project?  For triggers, which may outlive it.  Needs no SPI. */
extern bool change_has_project(int32 project_id);

/* Its source, as known here; InvalidOid: not yet, after a restore. */
extern Oid	change_source(int32 project_id);

#endif							/* HUMANLOOP_CHANGE_H */
