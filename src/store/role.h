/*-------------------------------------------------------------------------
 *
 * role.h
 *	  A role as hl_role holds it; see sql/role_type.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ROLE_H
#define HUMANLOOP_ROLE_H

/* Of fixed length, by reference. */
typedef struct StoredRole
{
	Oid			relation;		/* it is that one's owner, as long as it lives */
	Oid			role;			/* else this */
} StoredRole;

/* Who that is now; InvalidOid: nobody. */
extern Oid	stored_role(const StoredRole *stored);

#endif							/* HUMANLOOP_ROLE_H */
