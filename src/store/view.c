/*-------------------------------------------------------------------------
 *
 * view.c
 *	  The queue view of a project: it comes, goes, and comes again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "store/privilege.h"
#include "store/session.h"
#include "store/view.h"

void
view_drop(const Project *project)
{
	ObjectAddress address;

	if (!OidIsValid(project->queue_view))
		return;
	ObjectAddressSet(address, RelationRelationId, project->queue_view);
	performDeletion(&address, DROP_RESTRICT, 0);
}

/* Has the role a privilege left that lets it see the queue view? */
static bool
sees_queue(const Project *project, Oid role)
{
	ListCell   *cell;

	foreach(cell, grants_read(project->id, false))
	{
		const Grant *grant = lfirst(cell);

		if (grant->role == role && grant->privilege != PRIVILEGE_PREDICT)
			return true;
	}
	return false;
}

void
view_adjust(const Project *project, Oid role)
{
	const char *name = quote_identifier(GetUserNameFromId(role, false));
	char	   *view;
	Acting		acting;

	if (!OidIsValid(project->queue_view))
		return;
	view = quote_qualified_identifier(get_namespace_name(get_rel_namespace(project->queue_view)),
									  get_rel_name(project->queue_view));
	if (sees_queue(project, role))
		view = psprintf("GRANT SELECT ON %s TO %s", view, name);
	else
		view = psprintf("REVOKE SELECT ON %s FROM %s", view, name);
	act_as_restricted(&acting, project->owner);
	SPI_execute(view, false, 0);
	act_as_before(&acting);
}

bool
view_restorable(const Project *project)
{
	Oid			schema = get_namespace_oid(project->view_schema, true);

	return OidIsValid(project->queue_view) && OidIsValid(project->owner) &&
		OidIsValid(schema) &&
		pg_namespace_aclcheck(schema, project->owner, ACL_CREATE) == ACLCHECK_OK;
}

void
view_restore(Project *project)
{
	ListCell   *cell;
	Acting		acting;

	if (OidIsValid(project->queue_view))
		return;
	/* the schema it was in may be gone */
	if (!OidIsValid(get_namespace_oid(project->view_schema, true)))
		project->view_schema = project->source_schema;
	if (!OidIsValid(project->owner))
		project->owner = project_source_owner(project);
	project->owner_name = GetUserNameFromId(project->owner, false);
	act_as_restricted(&acting, project->owner);
	project->queue_view = project_create_view(project);
	act_as_before(&acting);
	foreach(cell, grants_read(project->id, false))
		view_adjust(project, ((const Grant *) lfirst(cell))->role);
	project_sync(project);
}
