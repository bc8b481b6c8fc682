/*-------------------------------------------------------------------------
 *
 * review_functions.c
 *	  What people do about an item beside answering it: hl_comment,
 *	  hl_delete_comment, hl_flag, hl_unflag, and for reviewers hl_settle,
 *	  hl_unsettle, hl_disputes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "sql/api.h"
#include "sql/item.h"
#include "store/dispute.h"
#include "store/label.h"
#include "store/remark.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/source.h"

PG_FUNCTION_INFO_V1(hl_comment);
PG_FUNCTION_INFO_V1(hl_comment_bigint);
PG_FUNCTION_INFO_V1(hl_comment_uuid);
PG_FUNCTION_INFO_V1(hl_delete_comment);
PG_FUNCTION_INFO_V1(hl_flag);
PG_FUNCTION_INFO_V1(hl_flag_bigint);
PG_FUNCTION_INFO_V1(hl_flag_uuid);
PG_FUNCTION_INFO_V1(hl_unflag);
PG_FUNCTION_INFO_V1(hl_unflag_bigint);
PG_FUNCTION_INFO_V1(hl_unflag_uuid);
PG_FUNCTION_INFO_V1(hl_settle);
PG_FUNCTION_INFO_V1(hl_settle_bigint);
PG_FUNCTION_INFO_V1(hl_settle_uuid);
PG_FUNCTION_INFO_V1(hl_unsettle);
PG_FUNCTION_INFO_V1(hl_unsettle_bigint);
PG_FUNCTION_INFO_V1(hl_unsettle_uuid);
PG_FUNCTION_INFO_V1(hl_disputes);

/* The project, for a call that is about an item of its source, and that item. */
static Project *
open_item(FunctionCallInfo fcinfo, Oid type, Privilege privilege, char **item)
{
	Project    *project = project_open_for_write(required_text(fcinfo, 0, "project"), privilege);

	project_need_source(project);
	*item = item_argument(fcinfo, type);
	*item = source_items(project, item, 1)[0];
	return project;
}

/* The same for an item that may have left the source since. */
static Project *
open_left_item(FunctionCallInfo fcinfo, Oid type, Privilege privilege, char **item)
{
	Project    *project = project_open_for_write(required_text(fcinfo, 0, "project"), privilege);

	*item = canonical_item(project, item_argument(fcinfo, type));
	return project;
}

/* An error where the caller may not do so with what is another annotator's. */
static void
need_review(const Project *project, const char *what)
{
	if (!project_privilege(project, GetUserId(), PRIVILEGE_REVIEW, false))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s of another annotator", what),
				 errdetail("That needs the privilege \"review\" on project \"%s\".", project->name)));
}

/* ---------------------------------------------------------------------- */
/* Comments */

static Datum
comment_item(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	char	   *item;
	char	   *comment;
	int64		id;
	Call		call;

	call_begin(&call);
	project = open_item(fcinfo, type, PRIVILEGE_ANNOTATE, &item);
	comment = required_text(fcinfo, 2, "comment");
	if (label_is_blank(comment))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"comment\" must not be empty")));
	id = comment_write(project, annotator_name(project, NULL), item, comment);
	call_end(&call);
	PG_RETURN_INT64(id);
}

Datum
hl_comment(PG_FUNCTION_ARGS)
{
	return comment_item(fcinfo, TEXTOID);
}

Datum
hl_comment_bigint(PG_FUNCTION_ARGS)
{
	return comment_item(fcinfo, INT8OID);
}

Datum
hl_comment_uuid(PG_FUNCTION_ARGS)
{
	return comment_item(fcinfo, UUIDOID);
}

Datum
hl_delete_comment(PG_FUNCTION_ARGS)
{
	Project    *project;
	char	   *author;
	int64		id;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_ANNOTATE);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"comment\" must not be NULL")));
	id = PG_GETARG_INT64(1);
	author = comment_author(project, id);
	if (author == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("project \"%s\" has no comment " INT64_FORMAT, project->name, id),
				 errhint("hl_comments has their ids.")));
	if (strcmp(author, annotator_name(project, NULL)) != 0)
		need_review(project, "delete a comment");
	comment_delete(project, id);
	call_end(&call);
	PG_RETURN_VOID();
}

/* ---------------------------------------------------------------------- */
/* Flags */

static Datum
flag_item(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	char	   *item;
	Call		call;

	call_begin(&call);
	project = open_item(fcinfo, type, PRIVILEGE_ANNOTATE, &item);
	flag_write(project, annotator_name(project, NULL), item, optional_text(fcinfo, 2));
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_flag(PG_FUNCTION_ARGS)
{
	return flag_item(fcinfo, TEXTOID);
}

Datum
hl_flag_bigint(PG_FUNCTION_ARGS)
{
	return flag_item(fcinfo, INT8OID);
}

Datum
hl_flag_uuid(PG_FUNCTION_ARGS)
{
	return flag_item(fcinfo, UUIDOID);
}

static Datum
unflag_item(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	char	   *item;
	char	   *own;
	char	   *annotator;
	Call		call;

	call_begin(&call);
	project = open_left_item(fcinfo, type, PRIVILEGE_ANNOTATE, &item);
	own = annotator_name(project, NULL);
	annotator = optional_text(fcinfo, 2);
	if (annotator == NULL)
		annotator = own;
	else if (strcmp(annotator, own) != 0)
		need_review(project, "take back a flag");
	if (flags_delete(project, annotator, item) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("annotator \"%s\" has not flagged item \"%s\" of project \"%s\"",
						annotator, item, project->name)));
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_unflag(PG_FUNCTION_ARGS)
{
	return unflag_item(fcinfo, TEXTOID);
}

Datum
hl_unflag_bigint(PG_FUNCTION_ARGS)
{
	return unflag_item(fcinfo, INT8OID);
}

Datum
hl_unflag_uuid(PG_FUNCTION_ARGS)
{
	return unflag_item(fcinfo, UUIDOID);
}

/* ---------------------------------------------------------------------- */
/* Settling */

static Datum
settle_item(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	char	   *item;
	int64		id;
	Call		call;

	call_begin(&call);
	project = open_item(fcinfo, type, PRIVILEGE_REVIEW, &item);
	id = settlement_write(project, annotator_name(project, NULL), item, optional_text(fcinfo, 2),
						  optional_text(fcinfo, 3));
	call_end(&call);
	PG_RETURN_INT64(id);
}

Datum
hl_settle(PG_FUNCTION_ARGS)
{
	return settle_item(fcinfo, TEXTOID);
}

Datum
hl_settle_bigint(PG_FUNCTION_ARGS)
{
	return settle_item(fcinfo, INT8OID);
}

Datum
hl_settle_uuid(PG_FUNCTION_ARGS)
{
	return settle_item(fcinfo, UUIDOID);
}

static Datum
unsettle_item(FunctionCallInfo fcinfo, Oid type)
{
	Project    *project;
	char	   *item;
	Call		call;

	call_begin(&call);
	project = open_left_item(fcinfo, type, PRIVILEGE_REVIEW, &item);
	settlement_undo(project, annotator_name(project, NULL), item, optional_text(fcinfo, 2));
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_unsettle(PG_FUNCTION_ARGS)
{
	return unsettle_item(fcinfo, TEXTOID);
}

Datum
hl_unsettle_bigint(PG_FUNCTION_ARGS)
{
	return unsettle_item(fcinfo, INT8OID);
}

Datum
hl_unsettle_uuid(PG_FUNCTION_ARGS)
{
	return unsettle_item(fcinfo, UUIDOID);
}

/* ---------------------------------------------------------------------- */
/* Disputes */

#define DISPUTE_COLUMNS 10

Datum
hl_disputes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Dispute    *disputes;
	int			n;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_REVIEW, true);
	disputes = disputes_read(project, &n);
	for (int i = 0; i < n; i++)
	{
		const Dispute *dispute = &disputes[i];
		Datum		values[DISPUTE_COLUMNS];
		bool		nulls[DISPUTE_COLUMNS] = {false};

		values[0] = CStringGetTextDatum(dispute->item);
		values[1] = dispute->answers;
		nulls[2] = nulls[3] = dispute->label == NULL;
		values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(dispute->label);
		values[3] = Float8GetDatum(dispute->probability);
		nulls[4] = nulls[5] = !dispute->scored;
		nulls[6] = !dispute->judged;
		values[4] = Float8GetDatum(dispute->aleatoric);
		values[5] = Float8GetDatum(dispute->epistemic);
		values[6] = CStringGetTextDatum(dispute->ambiguous ? "ambiguous" : "suspicious");
		values[7] = Int64GetDatum(dispute->comments);
		values[8] = Int64GetDatum(dispute->flags);
		values[9] = BoolGetDatum(dispute->settled);
		set_add(set, values, nulls);
	}
	call_end(&call);
	return (Datum) 0;
}
