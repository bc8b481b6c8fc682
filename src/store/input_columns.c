/*-------------------------------------------------------------------------
 *
 * input_columns.c
 *	  The columns that a project learns from, of which there may be several.
 *
 * The first one is in hl_project.input_column, where 0.1.0 to 0.3.0 have the
 * only one, further ones are in hl_project.more_inputs, which is NULL where
 * there are none; likewise with their numbers in hl_project_local.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "store/input.h"
#include "store/session.h"

/* Is there an explicit conversion to real[]? */
static bool
casts_to_vector(Oid type)
{
	Oid			function;
	CoercionPathType path = find_coercion_pathway(FLOAT4ARRAYOID, type, COERCION_EXPLICIT,
												  &function);

	/* through the text of the whole does not count: every type has that */
	return type == FLOAT4ARRAYOID ||
		path == COERCION_PATH_FUNC || path == COERCION_PATH_RELABELTYPE ||
		path == COERCION_PATH_ARRAYCOERCE;
}

/*
 * An array of numbers is read as it is: the server's cast to real[] would end
 * the scan at a number that is too small or too large for it.
 */
bool
input_type(Oid type, ProjectInput *input)
{
	Oid			base = getBaseType(type);

	if (base == TEXTOID || base == VARCHAROID || base == BPCHAROID ||
		IsBinaryCoercible(base, TEXTOID))
		input->kind = INPUT_TEXT;
	else if (casts_to_vector(base))
	{
		input->kind = INPUT_VECTOR;
		input->array_type = is_number(get_element_type(base)) ? base : FLOAT4ARRAYOID;
	}
	else
		return false;
	return true;
}

bool
inputs_are_kept(void)
{
	return get_attnum(extension_table("hl_project"), "more_inputs") != InvalidAttrNumber;
}

void
inputs_name(Project *project, Datum columns)
{
	int			n;
	char	  **names = array_strings(columns, &n);

	if (n < 1 || n > MAX_INPUTS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are %d inputs", n),
				 errhint("Name between 1 and %d columns.", MAX_INPUTS)));
	for (int i = 0; i < n; i++)
	{
		if (names[i] == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("an input must not be NULL")));
		if (project_input(project, names[i]) >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("input \"%s\" is listed twice", names[i])));
		project->inputs[project->ninputs++].column = names[i];
	}
}

void
inputs_look_up(Project *project, Relation source)
{
	for (int i = 0; i < project->ninputs; i++)
	{
		ProjectInput *input = &project->inputs[i];
		Oid			type;

		input->attnum = get_attnum(RelationGetRelid(source), input->column);
		if (input->attnum == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("input column \"%s\" of \"%s\" does not exist", input->column,
							RelationGetRelationName(source))));
		if (input->attnum < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
					 errmsg("input column \"%s\" is a system column", input->column)));
		type = get_atttype(RelationGetRelid(source), input->attnum);
		if (!input_type(type, input))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("input column \"%s\" has type %s", input->column, format_type_be(type)),
					 errhint("Name a column of type text or varchar, or one of type real[] or with a cast to it.")));
	}
}

/* Numbers that do not belong to the names are as good as none. */
static void
declared_attnums(Project *project, Datum more_attnums)
{
	Datum	   *attnums;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(more_attnums), INT2OID, sizeof(int16), true,
					  TYPALIGN_SHORT, &attnums, &nulls, &n);
	for (int i = 0; i < n && n == project->ninputs - 1; i++)
		project->inputs[i + 1].attnum = nulls[i] ? 0 : DatumGetInt16(attnums[i]);
}

void
declared_inputs(Project *project, Datum more_inputs, const Datum *more_attnums)
{
	int			n;
	char	  **columns = array_strings(more_inputs, &n);

	if (n == 0 || n >= MAX_INPUTS || !strings_complete(columns, n))
	{
		project->damage = n == 0 || n >= MAX_INPUTS ? psprintf("more_inputs: there are %d", n) :
			pstrdup("more_inputs: an input is NULL");
		return;
	}
	for (int i = 0; i < n; i++)
		project->inputs[project->ninputs++].column = columns[i];
	if (more_attnums != NULL)
		declared_attnums(project, *more_attnums);
}

void
inputs_sync(const Project *project)
{
	static Statement names = {
		"UPDATE @hl_project SET more_inputs = $2 WHERE id = $1", 2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	static Statement local = {
		"UPDATE @hl_project_local SET more_attnums = $2 WHERE project_id = $1",
		2, {INT4OID, INT2ARRAYOID}, NULL, 0
	};
	int			more = project->ninputs - 1;
	char	   *columns[MAX_INPUTS];
	Datum		attnums[MAX_INPUTS];
	Datum		values[2] = {Int32GetDatum(project->id)};

	/* tables of before 0.4.0, which have no place for them, need none */
	if (more == 0)
		return;
	for (int i = 0; i < more; i++)
	{
		columns[i] = project->inputs[i + 1].column;
		attnums[i] = Int16GetDatum(project->inputs[i + 1].attnum);
	}
	values[1] = text_array(columns, more);
	statement_run(&names, values, NULL, false);
	values[1] = PointerGetDatum(construct_array(attnums, more, INT2OID, sizeof(int16), true,
												TYPALIGN_SHORT));
	if (OidIsValid(project->source))
		statement_run(&local, values, NULL, false);
}

/* "s.column::text" or "s.column::double precision[]" */
static char *
input_expression(const ProjectInput *input)
{
	return psprintf("s.%s::%s", quote_identifier(input->column),
					input->kind == INPUT_TEXT ? "pg_catalog.text" :
					format_type_be_qualified(input->array_type));
}

char *
project_input_expressions(const Project *project)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < project->ninputs; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "",
						 input_expression(&project->inputs[i]));
	return text.data;
}

char *
project_input_condition(const Project *project)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < project->ninputs; i++)
		appendStringInfo(&text, "%ss.%s IS NOT NULL", i > 0 ? " OR " : "(",
						 quote_identifier(project->inputs[i].column));
	appendStringInfoChar(&text, ')');
	return text.data;
}

char *
project_question_expression(const Project *project)
{
	bool		texts = project_input_of(project, INPUT_TEXT) >= 0;
	StringInfoData text;

	if (project->ninputs == 1)
		return psprintf("s.%s::pg_catalog.text", quote_identifier(project->inputs[0].column));
	initStringInfo(&text);
	appendStringInfoString(&text, "pg_catalog.concat_ws(pg_catalog.chr(10)");
	for (int i = 0; i < project->ninputs; i++)
	{
		if (!texts || project->inputs[i].kind == INPUT_TEXT)
			appendStringInfo(&text, ", s.%s::pg_catalog.text",
							 quote_identifier(project->inputs[i].column));
	}
	appendStringInfoChar(&text, ')');
	return text.data;
}

char *
project_input_names(const Project *project)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < project->ninputs; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", project->inputs[i].column);
	return names.data;
}

const char *
project_own_encoder(const Project *project)
{
	if (project_input_of(project, INPUT_VECTOR) < 0)
		return "text";
	return project_input_of(project, INPUT_TEXT) < 0 ? "vector" : "text+vector";
}

int
project_input(const Project *project, const char *column)
{
	for (int i = 0; i < project->ninputs; i++)
	{
		if (strcmp(project->inputs[i].column, column) == 0)
			return i;
	}
	return -1;
}

int
project_seed_input(const Project *project)
{
	return Max(project_input_of(project, INPUT_TEXT), 0);
}

int
project_input_of(const Project *project, InputKind kind)
{
	for (int i = 0; i < project->ninputs; i++)
	{
		if (project->inputs[i].kind == kind)
			return i;
	}
	return -1;
}
