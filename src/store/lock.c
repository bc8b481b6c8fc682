/*-------------------------------------------------------------------------
 *
 * lock.c
 *	  Who waits for whom: the locks on projects and on the extension.
 *
 * All until the end of the transaction, as heavyweight locks on an object that is
 * one of our tables with the project's id, or the encoder's:
 *
 * (hl_project, id): shared by all who write, exclusive to drop the project;
 * (hl_serving, id): exclusive to write model state;
 * (hl_project_local, id): exclusive to record names and OIDs;
 * (hl_encoder, id): shared by all who begin to use it, exclusive to drop it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/inval.h"

#include "store/project.h"
#include "store/session.h"

void
project_dropped(const Project *project)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("project \"%s\" was dropped meanwhile", project->name)));
}

void
project_lock_shared(const Project *project)
{
	static Statement exists = {"SELECT 1 FROM @hl_project WHERE id = $1", 1, {INT4OID}, NULL, 0};
	Datum		values[1] = {Int32GetDatum(project->id)};

	LockDatabaseObject(extension_table("hl_project"), project->id, 0, AccessShareLock);
	statement_run_as_extension(&exists, values, NULL, false);
	if (SPI_processed == 0)
		project_dropped(project);
}

void
project_lock_to_drop(const Project *project)
{
	LockDatabaseObject(extension_table("hl_project"), project->id, 0, AccessExclusiveLock);
}

void
project_lock(const Project *project)
{
	LockDatabaseObject(extension_table("hl_serving"), project->id, 0, ExclusiveLock);
}

bool
try_object_lock(Oid classid, Oid objid, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, classid, objid, 0);
	if (LockAcquire(&tag, mode, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	/* as LockDatabaseObject: what we read from here on is what there is */
	AcceptInvalidationMessages();
	return true;
}

bool
project_lock_conditional(const Project *project)
{
	return try_object_lock(extension_table("hl_serving"), project->id, ExclusiveLock);
}

bool
extension_try_lock(void)
{
	Oid			extension = get_extension_oid("humanloop", true);

	/* looked at again: it may have been dropped before we had the lock */
	return OidIsValid(extension) &&
		try_object_lock(ExtensionRelationId, extension, AccessShareLock) &&
		get_extension_oid("humanloop", true) == extension;
}

void
extension_keep(void)
{
	if (!extension_try_lock())
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("extension \"humanloop\" is being altered or dropped")));
}

bool
project_try_keep(int32 project_id)
{
	static Statement exists = {"SELECT 1 FROM @hl_project WHERE id = $1", 1, {INT4OID}, NULL, 0};
	Datum		values[1] = {Int32GetDatum(project_id)};

	if (!extension_try_lock() ||
		!try_object_lock(extension_table("hl_project"), project_id, AccessShareLock))
		return false;
	statement_run_as_extension(&exists, values, NULL, false);
	return SPI_processed > 0;
}

bool
project_try_lock(const Project *project)
{
	return project_try_keep(project->id) && project_lock_conditional(project);
}

void
project_lock_names(int32 project_id)
{
	LockDatabaseObject(extension_table("hl_project_local"), project_id, 0, ExclusiveLock);
}

/*
 * One session at a time records new names, and nobody waits for it: the
 * others go on with what they have found.
 */
bool
project_try_names(int32 project_id)
{
	return try_object_lock(extension_table("hl_project_local"), project_id, ExclusiveLock);
}
