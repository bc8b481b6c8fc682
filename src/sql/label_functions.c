/*-------------------------------------------------------------------------
 *
 * label_functions.c
 *	  hl_label, hl_label_many, hl_skip, hl_undo.
 *
 * Nothing here loads BLAS: a new connection that stores a label must be fast.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "sql/api.h"
#include "sql/item.h"
#include "store/label.h"
#include "store/session.h"
#include "store/source.h"

PG_FUNCTION_INFO_V1(hl_label);
PG_FUNCTION_INFO_V1(hl_label_bigint);
PG_FUNCTION_INFO_V1(hl_label_uuid);
PG_FUNCTION_INFO_V1(hl_label_many);
PG_FUNCTION_INFO_V1(hl_skip);
PG_FUNCTION_INFO_V1(hl_skip_bigint);
PG_FUNCTION_INFO_V1(hl_skip_uuid);
PG_FUNCTION_INFO_V1(hl_undo);
PG_FUNCTION_INFO_V1(hl_undo_bigint);
PG_FUNCTION_INFO_V1(hl_undo_uuid);

char *
item_argument(FunctionCallInfo fcinfo, Oid type)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"item\" must not be NULL")));
	if (type == INT8OID)
		return psprintf(INT64_FORMAT, PG_GETARG_INT64(1));
	if (type == UUIDOID)
		return DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(1)));
	return text_to_cstring(PG_GETARG_TEXT_PP(1));
}

static Project *
open_to_annotate(FunctionCallInfo fcinfo)
{
	Project    *project = project_open_for_write(required_text(fcinfo, 0, "project"),
												 PRIVILEGE_ANNOTATE);

	project_need_source(project);
	return project;
}

static Datum
label_item(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	char	   *item;
	char	   *label;
	char	   *annotator;
	int64		id;
	Call		call;

	call_begin(&call);
	project = open_to_annotate(fcinfo);
	item = item_argument(fcinfo, type);
	label = optional_text(fcinfo, 2);
	annotator = annotator_name(project, optional_text(fcinfo, 3));
	id = answers_write(project, annotator, source_items(project, &item, 1), &label, 1, NULL);
	call_end(&call);
	PG_RETURN_INT64(id);
}

Datum
hl_label(PG_FUNCTION_ARGS)
{
	return label_item(fcinfo, TEXTOID);
}

Datum
hl_label_bigint(PG_FUNCTION_ARGS)
{
	return label_item(fcinfo, INT8OID);
}

Datum
hl_label_uuid(PG_FUNCTION_ARGS)
{
	return label_item(fcinfo, UUIDOID);
}

Datum
hl_label_many(PG_FUNCTION_ARGS)
{
	Project    *project;
	char	  **items;
	char	  **labels;
	int			nitems;
	int			nlabels;
	char	   *annotator;
	Call		call;

	call_begin(&call);
	project = open_to_annotate(fcinfo);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("arguments \"items\" and \"labels\" must not be NULL")));
	items = array_strings(PG_GETARG_DATUM(1), &nitems);
	labels = array_strings(PG_GETARG_DATUM(2), &nlabels);
	if (nitems != nlabels)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%d items but %d labels", nitems, nlabels)));
	for (int i = 0; i < nitems; i++)
	{
		if (items[i] == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("item %d must not be NULL", i + 1)));
	}
	annotator = annotator_name(project, optional_text(fcinfo, 3));
	(void) answers_write(project, annotator, source_items(project, items, nitems), labels, nitems,
						 NULL);
	call_end(&call);
	PG_RETURN_INT32(nitems);
}

static Datum
skip_item(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	char	   *item;
	char	   *annotator;
	Call		call;

	call_begin(&call);
	project = open_to_annotate(fcinfo);
	item = item_argument(fcinfo, type);
	annotator = annotator_name(project, optional_text(fcinfo, 3));
	(void) answers_write(project, annotator, source_items(project, &item, 1), NULL, 1,
						 optional_text(fcinfo, 2));
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_skip(PG_FUNCTION_ARGS)
{
	return skip_item(fcinfo, TEXTOID);
}

Datum
hl_skip_bigint(PG_FUNCTION_ARGS)
{
	return skip_item(fcinfo, INT8OID);
}

Datum
hl_skip_uuid(PG_FUNCTION_ARGS)
{
	return skip_item(fcinfo, UUIDOID);
}

char *
canonical_item(const Project *project, char *item)
{
	Oid			input;
	Oid			parameter;
	Oid			output;
	bool		is_varlena;

	if (!OidIsValid(project->source))
		return item;
	getTypeInputInfo(project->key_type, &input, &parameter);
	getTypeOutputInfo(project->key_type, &output, &is_varlena);
	return OidOutputFunctionCall(output, OidInputFunctionCall(input, item, parameter, -1));
}

/* The item may have left the source, so it is not looked up there. */
static Datum
undo_item(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	char	   *item;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_ANNOTATE);
	item = canonical_item(project, item_argument(fcinfo, type));
	answer_undo(project, annotator_name(project, optional_text(fcinfo, 2)), item);
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_undo(PG_FUNCTION_ARGS)
{
	return undo_item(fcinfo, TEXTOID);
}

Datum
hl_undo_bigint(PG_FUNCTION_ARGS)
{
	return undo_item(fcinfo, INT8OID);
}

Datum
hl_undo_uuid(PG_FUNCTION_ARGS)
{
	return undo_item(fcinfo, UUIDOID);
}
