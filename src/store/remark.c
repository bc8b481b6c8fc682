/*-------------------------------------------------------------------------
 *
 * remark.c
 *	  What people remark on items beside their answers: comments and flags.
 *
 * No model learns of them.  They are there for people, and for hl_disputes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "store/remark.h"
#include "store/session.h"

int64
comment_write(const Project *project, const char *annotator, char *item, const char *comment)
{
	static Statement insert = {
		"INSERT INTO @hl_item_comment (project_id, item, annotator, comment) VALUES ($1, $2, $3, $4) RETURNING id",
		4, {INT4OID, TEXTOID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[4] = {
		Int32GetDatum(project->id), CStringGetTextDatum(item), CStringGetTextDatum(annotator),
		CStringGetTextDatum(comment)
	};

	statement_run_as_extension(&insert, values, NULL, false);
	return result_bigint(0, 1);
}

char *
comment_author(const Project *project, int64 id)
{
	static Statement select = {
		"SELECT annotator FROM @hl_item_comment WHERE project_id = $1 AND id = $2",
		2, {INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int64GetDatum(id)};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed == 0 ? NULL : result_string(0, 1);
}

void
comment_delete(const Project *project, int64 id)
{
	static Statement delete = {
		"DELETE FROM @hl_item_comment WHERE project_id = $1 AND id = $2",
		2, {INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int64GetDatum(id)};

	statement_run_as_extension(&delete, values, NULL, false);
}

void
flag_write(const Project *project, const char *annotator, char *item, const char *reason)
{
	static Statement insert = {
		"INSERT INTO @hl_item_flag (project_id, item, annotator, reason) VALUES ($1, $2, $3, $4) "
		"ON CONFLICT (project_id, item, annotator) DO UPDATE SET reason = excluded.reason, "
		"flagged_at = excluded.flagged_at",
		4, {INT4OID, TEXTOID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[4] = {
		Int32GetDatum(project->id), CStringGetTextDatum(item), CStringGetTextDatum(annotator)
	};
	bool		nulls[4] = {false, false, false, reason == NULL};

	if (reason != NULL)
		values[3] = CStringGetTextDatum(reason);
	statement_run_as_extension(&insert, values, nulls, false);
}

int
flags_delete(const Project *project, const char *annotator, char *item)
{
	static Statement delete = {
		"DELETE FROM @hl_item_flag WHERE project_id = $1 AND item = $2 AND ($3 IS NULL OR annotator = $3)",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {Int32GetDatum(project->id), CStringGetTextDatum(item)};
	bool		nulls[3] = {false, false, annotator == NULL};

	if (annotator != NULL)
		values[2] = CStringGetTextDatum(annotator);
	statement_run_as_extension(&delete, values, nulls, false);
	return (int) SPI_processed;
}
