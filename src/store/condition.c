/*-------------------------------------------------------------------------
 *
 * condition.c
 *	  Expressions over the rows of a source that somebody has written.
 *
 * Option "targets" and the conditions of rules are text of a user's that becomes
 * part of a statement.  What is one expression by itself is one between
 * parentheses, too, and nothing else: so it is parsed by itself first, and gets
 * between parentheses then.  It is done each time before an expression is used, as
 * the meaning of a backslash hangs on a setting.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "humanloop.h"
#include "store/condition.h"
#include "store/reading.h"

typedef struct Check
{
	const Project *project;
	const char *condition;
	ConditionKind kind;
	MemoryContext context;
	ErrorData  *error;
} Check;

/*
 * "true) OR (true" is a condition only between parentheses, and "true ORDER BY
 * 1" only where a statement ends.
 */
static void
check_single(const char *condition)
{
	List	   *parsed = raw_parser(condition, RAW_PARSE_PLPGSQL_EXPR);
	const SelectStmt *select = castNode(SelectStmt, linitial_node(RawStmt, parsed)->stmt);

	if (list_length(select->targetList) != 1 ||
		linitial_node(ResTarget, select->targetList)->name != NULL ||
		select->distinctClause != NIL || select->fromClause != NIL ||
		select->whereClause != NULL || select->groupClause != NIL ||
		select->havingClause != NULL || select->windowClause != NIL ||
		select->sortClause != NIL || select->limitOffset != NULL || select->limitCount != NULL ||
		select->lockingClause != NIL || select->withClause != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("it is not a single expression")));
}

/* Not the fault of the condition. */
static bool
is_foreign(int sqlerrcode)
{
	int			category = ERRCODE_TO_CATEGORY(sqlerrcode);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_INTERNAL_ERROR);
}

/* The type of the source's rows, as a cast takes it. */
static const char *
row_type_name(const Project *project)
{
	return format_type_extended(get_array_type(get_rel_type_id(project->source)), -1,
								FORMAT_TYPE_FORCE_QUALIFY);
}

/*
 * Types, columns, what must not be in a WHERE: the parser says so.  It runs input
 * functions of types that the text is cast to, and with these what somebody has put
 * into a domain.
 */
static void
check_condition(void *argument)
{
	Check	   *check = argument;
	const Project *project = check->project;

	PG_TRY();
	{
		SPIPlanPtr	plan;

		check_single(check->condition);
		/* a comment at its end must not swallow the parenthesis */
		plan = SPI_prepare(check->kind == CONDITION_TARGETS ?
						   psprintf("SELECT FROM %s s WHERE (\n%s\n)",
									project_source_quoted(project), check->condition) :
						   psprintf("SELECT FROM pg_catalog.unnest(NULL::%s) s WHERE (\n%s\n)%s",
									row_type_name(project), check->condition,
									check->kind == CONDITION_TRUE ? "" :
									"::pg_catalog.text IS NOT NULL"), 0, NULL);
		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_freeplan(plan);
	}
	PG_CATCH();
	{
		/* as it is: who learns no more than that there was one gets another */
		MemoryContextSwitchTo(check->context);
		check->error = CopyErrorData();
		PG_RE_THROW();
	}
	PG_END_TRY();
}

ErrorData *
condition_problem(const Project *project, const char *condition, ConditionKind kind)
{
	Check		check = {
		.project = project, .condition = condition, .kind = kind, .context = CurrentMemoryContext
	};
	ErrorData  *error = reading_attempt(project, check_condition, &check, setting_rule_timeout,
										NULL);

	if (error == NULL || error->sqlerrcode == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED)
		return error;
	if (is_foreign(error->sqlerrcode))
		ReThrowError(error);
	return check.error == NULL ? error : check.error;
}

/*
 * The project's owner, whose rights may have been others when he declared it, and
 * nobody whom he has granted something.
 */
void
condition_need_owner(const Project *project)
{
	Oid			owner = project_source_owner(project);

	if (!superuser() && !(OidIsValid(project->owner) && has_privs_of_role(GetUserId(), project->owner)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of project \"%s\"", project->name)));
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the rights of the owner of the source of project \"%s\"",
						project->name),
				 errdetail("The condition runs as role \"%s\", who owns %s.",
						   GetUserNameFromId(owner, false), project_source_quoted(project))));
}
