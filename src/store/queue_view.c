/*-------------------------------------------------------------------------
 *
 * queue_view.c
 *	  The view that shows a project's queue with the rows of the source: it
 *	  comes, goes, and comes again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "commands/comment.h"
#include "miscadmin.h"
#include "rewrite/prs2lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "store/privilege.h"
#include "store/queue_view.h"
#include "store/session.h"

static char *
view_name(const Project *project)
{
	return psprintf("hl_queue_%s", project->name);
}

/* Does the view have a column of its own with that name? */
static bool
is_queue_column(const char *name)
{
	static const char *const taken[] = {
		"rank", "score", "epistemic", "aleatoric", "suggestion", "confidence",
		"reason", "leased_by", "lease_until"
	};

	for (int i = 0; i < (int) lengthof(taken); i++)
	{
		if (strcmp(taken[i], name) == 0)
			return true;
	}
	return false;
}

static bool
is_taken(char **names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return is_queue_column(name);
}

/* What a column of the source is called beside those that are there already. */
static char *
view_column(char **names, int n, const char *column)
{
	char	   *name = is_queue_column(column) ? psprintf("source_%s", column) : pstrdup(column);

	if (is_taken(names, n, name))
		name = pstrdup("input");
	while (is_taken(names, n, name))
		name = psprintf("source_%s", name);
	return name;
}

/* The key, then the inputs, as the view selects them. */
static char *
source_columns(const Project *project)
{
	char	   *names[1 + MAX_INPUTS];
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i <= project->ninputs; i++)
	{
		const char *column = i == 0 ? project->key_column : project->inputs[i - 1].column;

		names[i] = view_column(names, i, column);
		appendStringInfo(&list, "s.%s AS ", quote_identifier(column));
		appendStringInfo(&list, "%s, ", quote_identifier(names[i]));
	}
	return list.data;
}

/*
 * The view joins source and queue with the rights of whoever reads it; the
 * item is cast to the key's type, so that the source's index serves.
 */
Oid
project_create_view(const Project *project)
{
	char	   *view = quote_qualified_identifier(project->view_schema,
												  view_name(project));
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text,
					 "CREATE VIEW %s WITH (security_invoker = true) AS "
					 "SELECT %sq.rank, q.score, q.epistemic, "
					 "q.aleatoric, q.label AS suggestion, q.confidence, q.reason, "
					 "q.leased_by, q.lease_until "
					 "FROM %s.hl_queue_entries(%s::pg_catalog.text) q "
					 "JOIN %s s ON s.%s OPERATOR(pg_catalog.=) q.item::%s",
					 view, source_columns(project), extension_schema(),
					 quote_literal_cstr(project->name), project_source_quoted(project),
					 quote_identifier(project->key_column), project_key_type_name(project));
	if (SPI_execute(text.data, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not create view %s", view);
	resetStringInfo(&text);
	appendStringInfo(&text, "COMMENT ON VIEW %s IS %s", view,
					 quote_literal_cstr(psprintf("queue of humanloop project \"%s\"; where it is in the way of a change to the source, drop it, and call hl_refresh('%s') afterwards",
												 project->name, project->name)));
	SPI_execute(text.data, false, 0);
	return get_relname_relid(view_name(project),
							 get_namespace_oid(project->view_schema, false));
}

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
	char	   *schema = get_namespace_name(get_rel_namespace(project->queue_view));
	char	   *view = get_rel_name(project->queue_view);
	Acting		acting;

	/* it may have been dropped while the caller waited for a lock */
	if (schema == NULL || view == NULL)
		return;
	view = quote_qualified_identifier(schema, view);
	if (sees_queue(project, role))
		view = psprintf("GRANT SELECT ON %s TO %s", view, name);
	else
		view = psprintf("REVOKE SELECT ON %s FROM %s", view, name);
	act_as_restricted(&acting, project->owner);
	SPI_execute(view, false, 0);
	act_as_before(&acting);
}

static bool
acl_has(const Acl *acl, const AclItem *item)
{
	for (int i = 0; acl != NULL && i < ACL_NUM(acl); i++)
	{
		if (memcmp(&ACL_DAT(acl)[i], item, sizeof(AclItem)) == 0)
			return true;
	}
	return false;
}

/*
 * Grants that a view which is made anew would not have: to others than owner,
 * those whose privileges say so, and those whom ALTER DEFAULT PRIVILEGES gives it?
 */
static bool
has_other_grants(const Project *project)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(project->queue_view));
	bool		isnull;
	Datum		granted;
	bool		found = false;

	if (!HeapTupleIsValid(tuple))
		return true;
	granted = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	if (!isnull)
	{
		Acl		   *acl = DatumGetAclPCopy(granted);
		Acl		   *by_default = get_user_default_acl(OBJECT_TABLE, project->owner,
													  ((Form_pg_class) GETSTRUCT(tuple))->relnamespace);

		for (int i = 0; i < ACL_NUM(acl); i++)
		{
			const AclItem *item = &ACL_DAT(acl)[i];

			found = found || (item->ai_grantee != project->owner &&
							  !sees_queue(project, item->ai_grantee) && !acl_has(by_default, item));
		}
	}
	ReleaseSysCache(tuple);
	return found;
}

/* Grants, defaults and comments of columns. */
static bool
has_column_extras(Relation view)
{
	for (int i = 1; i <= RelationGetNumberOfAttributes(view); i++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(view)),
											Int16GetDatum(i));
		bool		plain;

		if (!HeapTupleIsValid(tuple))
			return true;
		plain = heap_attisnull(tuple, Anum_pg_attribute_attacl, NULL) &&
			!((Form_pg_attribute) GETSTRUCT(tuple))->atthasdef &&
			GetComment(RelationGetRelid(view), RelationRelationId, i) == NULL;
		ReleaseSysCache(tuple);
		if (!plain)
			return true;
	}
	return false;
}

/* Nothing is on it that somebody else has put there, and that would be lost. */
static bool
view_is_ours(const Project *project)
{
	Relation	view = try_relation_open(project->queue_view, AccessShareLock);
	bool		ours;

	if (view == NULL)
		return false;
	/* relhastriggers and relhasrules stay after the last one has gone */
	ours = view->trigdesc == NULL && view->rd_rules != NULL && view->rd_rules->numLocks == 1 &&
		!RelationIsSecurityView(view) && !RelationHasCheckOption(view) &&
		strcmp(RelationGetRelationName(view), view_name(project)) == 0 &&
		!has_column_extras(view) && !has_other_grants(project);
	relation_close(view, AccessShareLock);
	return ours;
}

static bool
owner_may(const Project *project, Oid schema, AclMode mode)
{
	return OidIsValid(schema) &&
		pg_namespace_aclcheck(schema, project->owner, mode) == ACLCHECK_OK;
}

bool
view_restorable(const Project *project)
{
	return OidIsValid(project->queue_view) && OidIsValid(project->owner) &&
		owner_may(project, get_namespace_oid(project->view_schema, true), ACL_CREATE) &&
		owner_may(project, get_namespace_oid(project->source_schema, true), ACL_USAGE) &&
		owner_may(project, extension_namespace(), ACL_USAGE) && view_is_ours(project);
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
