/*-------------------------------------------------------------------------
 *
 * change.h
 *	  What has changed and the model does not know yet.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_CHANGE_H
#define HUMANLOOP_CHANGE_H

#include "storage/itemptr.h"
#include "utils/array.h"

typedef enum ChangeKind
{
	CHANGE_LABELS,				/* somebody has answered, or taken it back */
	CHANGE_INSERTED,			/* new rows of the source, with new keys */
	CHANGE_ROWS,				/* rows of the source changed or are gone */
	CHANGE_MODEL,				/* another model serves */
	CHANGE_RESUME,				/* what has failed shall be tried again */
	CHANGE_POOL,				/* rows are encoded and not yet ranked */
	CHANGE_ENCODER				/* rows have no features of the encoder that serves */
} ChangeKind;

/* More items than this are not listed one by one. */
#define CHANGE_ITEMS 1000

/*
 * Notes it for the worker, which is woken when the transaction commits.
 * items NULL: whichever.  Needs no SPI.
 */
extern void change_note(int32 project_id, ChangeKind kind, char **items, int n);

/*
 * Where a change is noted.  A place alone is somebody else's once the row is
 * deleted and VACUUM has come by; together with who has inserted it, it is not.
 */
typedef struct ChangePlace
{
	ItemPointerData place;
	TransactionId inserted;
} ChangePlace;

typedef struct ChangePlaces
{
	ChangePlace *places;		/* in the context that was current */
	int			n;
	int			capacity;
} ChangePlaces;

/* items: of the row, or NULL; in a context that is reset after each. */
typedef void (*ChangeCallback) (ChangeKind kind, ArrayType *items, const ChangePlace *place,
								void *state);

/*
 * Calls back for each change of the project that the active snapshot shows;
 * returns the file that the table is in, as long as which the places hold.
 */
extern Oid	changes_scan(int32 project_id, ChangeCallback callback, void *state);

extern void change_places_add(ChangePlaces *places, const ChangePlace *place);

/*
 * Deletes them, from the end, at most so many; n is what is left.  Those that
 * somebody has deleted already are passed over, and all of them where the table
 * is in another file (VACUUM FULL): then they are learned once more, which
 * changes nothing.
 */
extern void changes_delete(ChangePlaces *places, Oid file, int most);

/* Is there such a project?  For triggers, which may outlive it.  Needs no SPI. */
extern bool change_has_project(int32 project_id);

/* Has it a condition, or a rule, which may hang on any column of a row? */
extern bool change_has_conditions(int32 project_id);

/* Its source, as known here; InvalidOid: not yet, after a restore. */
extern Oid	change_source(int32 project_id);

#endif							/* HUMANLOOP_CHANGE_H */
