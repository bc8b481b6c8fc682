/*-------------------------------------------------------------------------
 *
 * privilege.c
 *	  What has been granted on a project, and to whom.
 *
 * A dump carries the roles' names, since their OIDs mean nothing in another
 * cluster.  In this one it is the OID that counts, which is kept beside the
 * name as soon as it is known: a role that is renamed keeps what it was
 * granted, and one that is created under the name of a role that was dropped
 * does not get it.  The same goes for the owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "store/privilege.h"
#include "store/project.h"
#include "store/session.h"

static const char *const privilege_names[] = {"", "predict", "annotate", "review", "manage"};

Privilege
privilege_from_name(const char *name)
{
	for (int i = PRIVILEGE_PREDICT; i <= PRIVILEGE_MANAGE; i++)
	{
		if (strcmp(privilege_names[i], name) == 0)
			return (Privilege) i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized privilege \"%s\"", name),
			 errhint("Privileges are \"predict\", \"annotate\", \"review\" and \"manage\".")));
}

const char *
privilege_name(Privilege privilege)
{
	return privilege_names[privilege];
}

/* As the update script has not made the table yet, names are all there is. */
static bool
oids_are_kept(void)
{
	return OidIsValid(extension_table("hl_privilege_local"));
}

static int
compare_grants(const ListCell *a, const ListCell *b)
{
	const Grant *first = lfirst(a);
	const Grant *second = lfirst(b);
	int			order = strcmp(first->role_name, second->role_name);

	return order != 0 ? order : (int) first->privilege - (int) second->privilege;
}

/* Those that hold; stale: they are not recorded as they are. */
static List *
read_grants(int32 project_id, bool read_only, bool *stale)
{
	static Statement with_oids = {
		"SELECT p.role, p.privilege, l.role_oid FROM @hl_privilege p "
		"LEFT JOIN @hl_privilege_local l USING (project_id, role) WHERE p.project_id = $1",
		1, {INT4OID}, NULL, 0
	};
	static Statement names_only = {
		"SELECT role, privilege, NULL::oid FROM @hl_privilege WHERE project_id = $1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project_id)};
	bool		kept = oids_are_kept();
	List	   *grants = NIL;

	*stale = false;
	statement_run_as_extension(kept ? &with_oids : &names_only, values, NULL, read_only);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *name = result_string(i, 1);
		bool		unbound;
		Datum		bound = result_datum(i, 3, &unbound);
		Grant	   *grant = palloc(sizeof(Grant));

		grant->role = unbound ? get_role_oid(name, true) : DatumGetObjectId(bound);
		grant->role_name = OidIsValid(grant->role) ? GetUserNameFromId(grant->role, true) : NULL;
		grant->privilege = privilege_from_name(result_string(i, 2));
		if (grant->role_name != NULL)
			grants = lappend(grants, grant);
		/* a name without a role may be restored before the role is */
		if (unbound ? grant->role_name != NULL :
			grant->role_name == NULL || strcmp(grant->role_name, name) != 0)
			*stale = kept;
	}
	list_sort(grants, compare_grants);
	return grants;
}

List *
grants_read(int32 project_id, bool read_only)
{
	bool		stale;

	return read_grants(project_id, read_only, &stale);
}

bool
privilege_granted(int32 project_id, Oid role, Privilege privilege, bool read_only)
{
	ListCell   *cell;

	foreach(cell, grants_read(project_id, read_only))
	{
		const Grant *grant = lfirst(cell);

		if (!has_privs_of_role(role, grant->role))
			continue;
		if (grant->privilege == privilege || grant->privilege == PRIVILEGE_MANAGE ||
			privilege == PRIVILEGE_ANY ||
			(grant->privilege == PRIVILEGE_REVIEW && privilege == PRIVILEGE_ANNOTATE))
			return true;
	}
	return false;
}

/* What a name means in this cluster. */
static void
bind_name(int32 project_id, const char *name, Oid role)
{
	static Statement bind = {
		"INSERT INTO @hl_privilege_local VALUES ($1, $2, $3) "
		"ON CONFLICT (project_id, role) DO UPDATE SET role_oid = excluded.role_oid",
		3, {INT4OID, TEXTOID, OIDOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project_id), CStringGetTextDatum(name), ObjectIdGetDatum(role)
	};

	if (oids_are_kept())
		statement_run_as_extension(&bind, values, NULL, false);
}

static void
insert_grant(int32 project_id, const Grant *grant)
{
	static Statement insert = {
		"INSERT INTO @hl_privilege VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project_id), CStringGetTextDatum(grant->role_name),
		CStringGetTextDatum(privilege_names[grant->privilege])
	};

	statement_run_as_extension(&insert, values, NULL, false);
	bind_name(project_id, grant->role_name, grant->role);
}

void
owner_record(int32 project_id, const char *name, Oid owner)
{
	if (OidIsValid(owner))
		bind_name(project_id, name, owner);
}

/* InvalidOid: nothing is known. */
static Oid
owner_bound(int32 project_id, const char *name, bool read_only)
{
	static Statement select = {
		"SELECT role_oid FROM @hl_privilege_local WHERE project_id = $1 AND role = $2",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project_id), CStringGetTextDatum(name)};
	bool		isnull;

	if (!oids_are_kept())
		return InvalidOid;
	statement_run_as_extension(&select, values, NULL, read_only);
	return SPI_processed == 0 ? InvalidOid : DatumGetObjectId(result_datum(0, 1, &isnull));
}

Oid
owner_recorded(int32 project_id, const char *name, bool read_only)
{
	Oid			owner = owner_bound(project_id, name, read_only);

	if (!OidIsValid(owner))
		return get_role_oid(name, true);
	return GetUserNameFromId(owner, true) == NULL ? InvalidOid : owner;
}

/*
 * Records anew what holds.  Names may have been exchanged between roles, so
 * that each is not to be changed by itself; names of roles that do not exist,
 * and never did here, stay.  Under the lock of who records names.
 */
static void
record_grants(const Project *project, List *grants)
{
	static Statement bound = {
		"WITH gone AS (DELETE FROM @hl_privilege_local WHERE project_id = $1 RETURNING role) "
		"DELETE FROM @hl_privilege p USING gone WHERE p.project_id = $1 AND p.role = gone.role",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	ListCell   *cell;

	statement_run_as_extension(&bound, values, NULL, false);
	foreach(cell, grants)
		insert_grant(project->id, lfirst(cell));
	owner_record(project->id, project->owner_name, project->owner);
}

void
privileges_follow(const Project *project)
{
	bool		stale;

	(void) read_grants(project->id, false, &stale);
	stale = stale || (OidIsValid(project->owner) &&
					  owner_bound(project->id, project->owner_name, false) != project->owner);
	if (stale && project_try_names(project->id))
	{
		List	   *grants = read_grants(project->id, false, &stale);

		if (stale)
			record_grants(project, grants);
		else
			owner_record(project->id, project->owner_name, project->owner);
	}
}

void
privilege_change(const Project *project, Oid role, Privilege privilege, bool grant)
{
	static Statement delete = {
		"DELETE FROM @hl_privilege WHERE project_id = $1 AND role = $2 AND privilege = $3",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Grant		change = {role, GetUserNameFromId(role, false), privilege};
	Datum		values[3] = {
		Int32GetDatum(project->id), CStringGetTextDatum(change.role_name),
		CStringGetTextDatum(privilege_names[privilege])
	};
	List	   *grants;
	bool		stale;

	project_lock_names(project->id);
	grants = read_grants(project->id, false, &stale);
	if (stale)
		record_grants(project, grants);
	if (grant)
		insert_grant(project->id, &change);
	else
		statement_run_as_extension(&delete, values, NULL, false);
}
