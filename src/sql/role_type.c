/*-------------------------------------------------------------------------
 *
 * role_type.c
 *	  hl_role: a role that is kept by its OID and written by its name.
 *
 * A dump that carried OIDs would mean nothing in another cluster, and one that
 * carried names as they were when something was granted would mean somebody
 * else as soon as a role has been renamed or dropped and another has its name.
 * Nobody is told of such changes; but what COPY writes is what the type says at
 * that moment: so a dump has today's name, and the restore looks it up.  As
 * with GRANT, a role that is not there then is nobody, also when one is created
 * under its name later.
 *
 * It may also be whoever owns a relation: REASSIGN OWNED tells nobody, either.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"

#include "store/role.h"

PG_FUNCTION_INFO_V1(hl_role_in);
PG_FUNCTION_INFO_V1(hl_role_out);
PG_FUNCTION_INFO_V1(hl_role_of);

static Datum
make_role(Oid relation, Oid role)
{
	StoredRole *stored = palloc(sizeof(StoredRole));

	stored->relation = relation;
	stored->role = role;
	return PointerGetDatum(stored);
}

Datum
hl_role_in(PG_FUNCTION_ARGS)
{
	return make_role(InvalidOid, get_role_oid(PG_GETARG_CSTRING(0), true));
}

/* No role can be called "". */
Datum
hl_role_out(PG_FUNCTION_ARGS)
{
	Oid			role = stored_role((const StoredRole *) PG_GETARG_POINTER(0));
	char	   *name = GetUserNameFromId(role, true);

	PG_RETURN_CSTRING(name != NULL ? name : pstrdup(""));
}

Datum
hl_role_of(PG_FUNCTION_ARGS)
{
	return make_role(PG_GETARG_OID(0), PG_GETARG_OID(1));
}
