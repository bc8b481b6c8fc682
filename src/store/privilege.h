/*-------------------------------------------------------------------------
 *
 * privilege.h
 *	  What has been granted on a project, and to whom.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_PRIVILEGE_H
#define HUMANLOOP_PRIVILEGE_H

#include "nodes/pg_list.h"

struct Project;

/* What somebody may want to do with a project; in SQL by name. */
typedef enum Privilege
{
	PRIVILEGE_ANY,				/* see that it exists */
	PRIVILEGE_PREDICT,
	PRIVILEGE_ANNOTATE,
	PRIVILEGE_REVIEW,
	PRIVILEGE_MANAGE
} Privilege;

/* One that holds; its role exists. */
typedef struct Grant
{
	Oid			role;
	char	   *role_name;		/* as it is now */
	Privilege	privilege;
} Grant;

/* Error where there is no such privilege. */
extern Privilege privilege_from_name(const char *name);
extern const char *privilege_name(Privilege privilege);

/* All of a project, by name of the role.  SPI connected. */
extern List *grants_read(int32 project_id, bool read_only);

/* Is the privilege, or one that has it in it, granted to a role he is in? */
extern bool privilege_granted(int32 project_id, Oid role, Privilege privilege, bool read_only);

/*
 * Grants or revokes; nothing happens where that is so already.  Waits for
 * others who are at it.
 */
extern void privilege_change(const struct Project *project, Oid role, Privilege privilege,
							 bool grant);

/*
 * Records roles that were renamed and forgets those that were dropped, unless
 * somebody is just changing grants.
 */
extern void privileges_follow(const struct Project *project);

/*
 * The owner of a project, for when its view is gone: whom the recorded name
 * means in this cluster; InvalidOid where he was dropped.
 */
extern void owner_record(int32 project_id, const char *name, Oid owner);
extern Oid	owner_recorded(int32 project_id, const char *name, bool read_only);

#endif							/* HUMANLOOP_PRIVILEGE_H */
