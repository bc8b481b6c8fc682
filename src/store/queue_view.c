/*-------------------------------------------------------------------------
 *
 * queue_view.c
 *	  The view that shows a project's queue with the rows of the source.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "store/project.h"
#include "store/session.h"

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

static char *
view_column(const char *name)
{
	return is_queue_column(name) ? psprintf("source_%s", name) : pstrdup(name);
}

/*
 * The view joins source and queue with the rights of whoever reads it; the
 * item is cast to the key's type, so that the source's index serves.
 */
Oid
project_create_view(const Project *project)
{
	char	   *view = quote_qualified_identifier(project->view_schema,
												  psprintf("hl_queue_%s", project->name));
	const char *key = quote_identifier(project->key_column);
	char	   *input_name = view_column(project->input_column);
	char	   *key_name = view_column(project->key_column);
	StringInfoData text;

	if (strcmp(input_name, key_name) == 0)
		input_name = strcmp(key_name, "input") == 0 ? "source_input" : "input";
	initStringInfo(&text);
	appendStringInfo(&text,
					 "CREATE VIEW %s WITH (security_invoker = true) AS "
					 "SELECT s.%s AS %s, s.%s AS %s, q.rank, q.score, q.epistemic, "
					 "q.aleatoric, q.label AS suggestion, q.confidence, q.reason, "
					 "q.leased_by, q.lease_until "
					 "FROM %s.hl_queue_entries(%s::pg_catalog.text) q "
					 "JOIN %s s ON s.%s OPERATOR(pg_catalog.=) q.item::%s",
					 view, key, quote_identifier(key_name),
					 quote_identifier(project->input_column), quote_identifier(input_name),
					 extension_schema(), quote_literal_cstr(project->name),
					 project_source_quoted(project), key, project_key_type_name(project));
	if (SPI_execute(text.data, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not create view %s", view);
	resetStringInfo(&text);
	appendStringInfo(&text, "COMMENT ON VIEW %s IS %s", view,
					 quote_literal_cstr(psprintf("queue of humanloop project \"%s\"; to change the source's columns, drop this view and call hl_refresh('%s')",
												 project->name, project->name)));
	SPI_execute(text.data, false, 0);
	return get_relname_relid(psprintf("hl_queue_%s", project->name),
							 get_namespace_oid(project->view_schema, false));
}
