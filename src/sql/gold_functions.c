/*-------------------------------------------------------------------------
 *
 * gold_functions.c
 *	  hl_gold, hl_drop_gold, hl_golds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "sql/api.h"
#include "sql/item.h"
#include "store/gold.h"
#include "store/label.h"
#include "store/session.h"
#include "store/source.h"

PG_FUNCTION_INFO_V1(hl_gold);
PG_FUNCTION_INFO_V1(hl_gold_bigint);
PG_FUNCTION_INFO_V1(hl_gold_uuid);
PG_FUNCTION_INFO_V1(hl_drop_gold);
PG_FUNCTION_INFO_V1(hl_drop_gold_bigint);
PG_FUNCTION_INFO_V1(hl_drop_gold_uuid);
PG_FUNCTION_INFO_V1(hl_golds);

static Datum
gold_item(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	char	   *item;
	char	   *label;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_REVIEW);
	project_need_source(project);
	item = item_argument(fcinfo, type);
	label = optional_text(fcinfo, 2);
	label_check(project, label, "Use hl_drop_gold() for an item that shall not be gold any more.");
	gold_write(project, source_items(project, &item, 1)[0], label,
			   GetUserNameFromId(GetUserId(), false));
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_gold(PG_FUNCTION_ARGS)
{
	return gold_item(fcinfo, TEXTOID);
}

Datum
hl_gold_bigint(PG_FUNCTION_ARGS)
{
	return gold_item(fcinfo, INT8OID);
}

Datum
hl_gold_uuid(PG_FUNCTION_ARGS)
{
	return gold_item(fcinfo, UUIDOID);
}

/* The item may have left the source, so it is not looked up there. */
static Datum
drop_gold(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_REVIEW);
	gold_remove(project, canonical_item(project, item_argument(fcinfo, type)));
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_drop_gold(PG_FUNCTION_ARGS)
{
	return drop_gold(fcinfo, TEXTOID);
}

Datum
hl_drop_gold_bigint(PG_FUNCTION_ARGS)
{
	return drop_gold(fcinfo, INT8OID);
}

Datum
hl_drop_gold_uuid(PG_FUNCTION_ARGS)
{
	return drop_gold(fcinfo, UUIDOID);
}

Datum
hl_golds(PG_FUNCTION_ARGS)
{
	static Statement select = {
		"SELECT g.item, g.label, g.marked_by, g.marked_at, a.answers, a.hits FROM @hl_gold_label g "
		"CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS answers, "
		"pg_catalog.count(*) FILTER (WHERE c.label = g.label) AS hits FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.item = g.item AND c.label IS NOT NULL AND c.annotator <> 'source' OFFSET 0) a "
		"WHERE g.project_id = $1 ORDER BY g.marked_at, g.item", 1, {INT4OID}, NULL, 0
	};
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Datum		values[1];
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_REVIEW, true);
	values[0] = Int32GetDatum(project->id);
	statement_run_as_extension(&select, values, NULL, true);
	set_add_result(set);
	call_end(&call);
	return (Datum) 0;
}
