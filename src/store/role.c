/*-------------------------------------------------------------------------
 *
 * role.c
 *	  Who a stored role is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "utils/syscache.h"

#include "store/role.h"

Oid
stored_role(const StoredRole *stored)
{
	HeapTuple	tuple = OidIsValid(stored->relation) ?
		SearchSysCache1(RELOID, ObjectIdGetDatum(stored->relation)) : NULL;
	Oid			role = stored->role;

	if (HeapTupleIsValid(tuple))
	{
		role = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	if (!OidIsValid(role) || !SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
		return InvalidOid;
	return role;
}
