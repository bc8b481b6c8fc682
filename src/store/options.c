/*-------------------------------------------------------------------------
 *
 * options.c
 *	  Options of a project: names, ranges, defaults.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "store/project.h"

typedef struct OptionRule
{
	const char *name;
	double		minimum;
	double		maximum;
	double		fallback;
	bool		integer;
	bool		or_auto;		/* also true, false, null (null: chosen) */
	size_t		offset;
} OptionRule;

#define OPTION(field) offsetof(ProjectOptions, field)

static const OptionRule rules[] = {
	{"dimensions", 1, 2048, 256, true, false, OPTION(dimensions)},
	{"vocabulary", 16, 1 << 20, 65536, true, false, OPTION(vocabulary)},
	{"sample_rows", 100, 1000000, 20000, true, false, OPTION(sample_rows)},
	{"queue_size", 1, 10000, 1000, true, false, OPTION(queue_size)},
	{"batch", 1, 1000, 10, true, false, OPTION(batch)},
	{"seed_batch", 1, 10000, 100, true, false, OPTION(seed_batch)},
	{"audit", 0, 1, 0.1, false, false, OPTION(audit)},
	{"folds", 2, 20, 5, true, false, OPTION(folds)},
	{"prior_precision", 0, 1e6, 0, false, false, OPTION(prior_precision)},
	{"refine", -1, 1, -1, true, true, OPTION(refine)},
	{"train_growth", 1.01, 100, 1.25, false, false, OPTION(train_growth)},
	{"train_quiet", 0, 86400, 30, false, false, OPTION(train_quiet)},
	{"keep_models", 1, 10000, 10, true, false, OPTION(keep_models)},
	{"random_seed", 0, 9007199254740992.0, 0, true, false, OPTION(random_seed)},
};

static void
store_option(ProjectOptions *options, const OptionRule *rule, double value)
{
	void	   *field = (char *) options + rule->offset;

	if (rule->offset == OPTION(random_seed))
		*(int64 *) field = (int64) value;
	else if (rule->integer)
		*(int *) field = (int) value;
	else
		*(double *) field = value;
}

static const OptionRule *
find_rule(const char *name)
{
	StringInfoData list;

	for (int i = 0; i < (int) lengthof(rules); i++)
	{
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	}
	initStringInfo(&list);
	for (int i = 0; i < (int) lengthof(rules); i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", rules[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized project option \"%s\"", name),
			 errhint("Options are %s.", list.data)));
}

static void
bad_option(const OptionRule *rule, const char *given)
{
	if (strlen(given) > 40)
		given = "(a very long number)";
	if (rule->or_auto)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value %s for project option \"%s\"", given, rule->name),
				 errhint("Give true, false, or null to have it chosen.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value %s for project option \"%s\"", given, rule->name),
			 rule->integer ?
			 errhint("Give a whole number between %.0f and %.0f.", rule->minimum, rule->maximum) :
			 errhint("Give a number between %.15g and %.15g.", rule->minimum, rule->maximum)));
}

static void
apply_option(ProjectOptions *options, const OptionRule *rule, const JsonbValue *value)
{
	double		number;

	if (value->type == jbvNull)
		return;					/* the default */
	if (rule->or_auto)
	{
		if (value->type != jbvBool)
			bad_option(rule, "(not a boolean)");
		store_option(options, rule, value->val.boolean ? 1 : 0);
		return;
	}
	if (value->type != jbvNumeric)
		bad_option(rule, "(not a number)");
	number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												NumericGetDatum(value->val.numeric)));
	if (!(number >= rule->minimum && number <= rule->maximum) ||
		(rule->integer && number != (double) (int64) number))
		bad_option(rule, DatumGetCString(DirectFunctionCall1(numeric_out,
															 NumericGetDatum(value->val.numeric))));
	store_option(options, rule, number);
}

void
project_options_parse(Jsonb *json, ProjectOptions *options)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	const OptionRule *rule = NULL;

	memset(options, 0, sizeof(*options));
	for (int i = 0; i < (int) lengthof(rules); i++)
		store_option(options, &rules[i], rules[i].fallback);
	if (json == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("project options must be a JSON object")));
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			rule = find_rule(pnstrdup(value.val.string.val, value.val.string.len));
		else if (token == WJB_VALUE && rule != NULL)
			apply_option(options, rule, &value);
	}
}
