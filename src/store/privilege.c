/*-------------------------------------------------------------------------
 *
 * privilege.c
 *	  What has been granted on a project, and to whom.
 *
 * Roles are stored as hl_role (sql/role_type.c), which is read and written here
 * as what it shows, the name that the role has now: one that is renamed keeps
 * what it was granted, and one that is created under the name of a role that
 * was dropped does not get it.  The tables of 0.1.0 have names and no more.
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

static int
compare_grants(const ListCell *a, const ListCell *b)
{
	const Grant *first = lfirst(a);
	const Grant *second = lfirst(b);
	int			order = strcmp(first->role_name, second->role_name);

	return order != 0 ? order : (int) first->privilege - (int) second->privilege;
}

/* Those that hold; dropped: there are others, of roles that are gone. */
static List *
read_grants(int32 project_id, bool read_only, bool *dropped)
{
	static Statement select = {
		"SELECT role, privilege FROM @hl_privilege WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project_id)};
	List	   *grants = NIL;

	*dropped = false;
	statement_run_as_extension(&select, values, NULL, read_only);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Grant	   *grant = palloc(sizeof(Grant));

		grant->role_name = result_string(i, 1);
		grant->role = get_role_oid(grant->role_name, true);
		grant->privilege = privilege_from_name(result_string(i, 2));
		if (OidIsValid(grant->role))
			grants = lappend(grants, grant);
		else
			*dropped = true;
	}
	list_sort(grants, compare_grants);
	return grants;
}

List *
grants_read(int32 project_id, bool read_only)
{
	bool		dropped;

	return read_grants(project_id, read_only, &dropped);
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

void
privileges_sweep(int32 project_id)
{
	static Statement delete = {
		"DELETE FROM @hl_privilege WHERE project_id = $1 AND role::pg_catalog.text = ''",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project_id)};
	bool		dropped;

	(void) read_grants(project_id, false, &dropped);
	if (dropped && project_try_names(project_id))
		statement_run_as_extension(&delete, values, NULL, false);
}

void
privileges_revoke_all(List *roles)
{
	static Statement delete = {
		"DELETE FROM @hl_privilege WHERE role::pg_catalog.text = ANY ($1)",
		1, {TEXTARRAYOID}, NULL, 0
	};
	char	  **names = palloc(sizeof(char *) * Max(list_length(roles), 1));
	Datum		values[1];

	for (int i = 0; i < list_length(roles); i++)
		names[i] = GetUserNameFromId(list_nth_oid(roles, i), false);
	values[0] = text_array(names, list_length(roles));
	statement_run_as_extension(&delete, values, NULL, false);
}

void
privilege_change(int32 project_id, Oid role, Privilege privilege, bool grant)
{
	static Statement insert = {
		"INSERT INTO @hl_privilege SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM @hl_privilege "
		"WHERE project_id = $1 AND role::pg_catalog.text = $2 AND privilege = $3)",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	static Statement delete = {
		"DELETE FROM @hl_privilege WHERE project_id = $1 AND role::pg_catalog.text = $2 AND privilege = $3",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project_id), CStringGetTextDatum(GetUserNameFromId(role, false)),
		CStringGetTextDatum(privilege_names[privilege])
	};

	project_lock_names(project_id);
	statement_run_as_extension(grant ? &insert : &delete, values, NULL, false);
}
