/*-------------------------------------------------------------------------
 *
 * class_functions.c
 *	  hl_rename_class, hl_merge_classes, hl_remove_class.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/array.h"
#include "utils/builtins.h"

#include "sql/api.h"
#include "store/classes.h"
#include "store/label.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_rename_class);
PG_FUNCTION_INFO_V1(hl_merge_classes);
PG_FUNCTION_INFO_V1(hl_remove_class);

static void
check_name(const char *name, const char *argument)
{
	if (label_is_blank(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", argument)));
}

/* Argument n, the name of a class. */
static char *
class_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	char	   *class = required_text(fcinfo, n, name);

	check_name(class, name);
	return class;
}

Datum
hl_rename_class(PG_FUNCTION_ARGS)
{
	Project    *project;
	char	   *class;
	char	   *new_name;
	int			changed;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	class = class_argument(fcinfo, 1, "class");
	new_name = class_argument(fcinfo, 2, "new_name");
	changed = class_rename(project, class, new_name, annotator_name(project, NULL));
	call_end(&call);
	PG_RETURN_INT32(changed);
}

Datum
hl_merge_classes(PG_FUNCTION_ARGS)
{
	Project    *project;
	char	  **classes;
	char	   *into;
	int			n;
	int			changed;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"classes\" must not be NULL")));
	classes = array_strings(PG_GETARG_DATUM(1), &n);
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"classes\" must not be empty")));
	for (int i = 0; i < n; i++)
	{
		if (classes[i] == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("class %d must not be NULL", i + 1)));
		check_name(classes[i], "classes");
	}
	into = class_argument(fcinfo, 2, "into_class");
	changed = classes_merge(project, classes, n, into, annotator_name(project, NULL));
	call_end(&call);
	PG_RETURN_INT32(changed);
}

Datum
hl_remove_class(PG_FUNCTION_ARGS)
{
	Project    *project;
	int			changed;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	changed = class_remove(project, class_argument(fcinfo, 1, "class"),
						   annotator_name(project, NULL));
	call_end(&call);
	PG_RETURN_INT32(changed);
}
