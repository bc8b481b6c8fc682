/*-------------------------------------------------------------------------
 *
 * options.c
 *	  What is declared of a project beside names: options, with their ranges and
 *	  defaults, acquisition function, classes.
 *
 * What is wrong with them is an error where they are given.  Nothing but
 * hl_create_project(), hl_set_option() and hl_set_targets() writes them; what
 * somebody has written into the table is damage, and only this project's: it must
 * not keep others from being shown.
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
#include "store/session.h"
#include "store/several.h"

typedef struct OptionError
{
	char	   *message;		/* names the offending option */
	char	   *hint;			/* or NULL */
} OptionError;

typedef struct OptionRule
{
	const char *name;
	double		minimum;
	double		maximum;
	double		fallback;
	bool		integer;
	bool		or_auto;		/* also true, false, null (null: chosen) */
	bool		later;			/* may be changed in the life of a project */
	size_t		offset;
} OptionRule;

#define TARGETS "targets"		/* the only one that is text; see targets.c */
#define SHARES "shares"			/* and that is an object; see learn/parts.h */

#define ANSWERS "answers"		/* that may be a word */
#define ADAPTIVE "adaptive"

#define OPTION(field) offsetof(ProjectOptions, field)

static const OptionRule rules[] = {
	{"dimensions", 1, 2048, 256, true, false, false, OPTION(dimensions)},
	{"vocabulary", 16, 1 << 20, 65536, true, false, false, OPTION(vocabulary)},
	{"sample_rows", 100, 1000000, 20000, true, false, false, OPTION(sample_rows)},
	{"queue_size", 1, 10000, 1000, true, false, true, OPTION(queue_size)},
	{"batch", 1, 1000, 10, true, false, true, OPTION(batch)},
	{"seed_batch", 1, 10000, 100, true, false, false, OPTION(seed_batch)},
	{"audit", 0, 1, 0.1, false, false, true, OPTION(audit)},
	{"folds", 2, 20, 5, true, false, true, OPTION(folds)},
	{"prior_precision", 0, 1e6, 0, false, false, true, OPTION(prior_precision)},
	{"refine", -1, 1, -1, true, true, true, OPTION(refine)},
	{"train_growth", 1.01, 100, 1.25, false, false, true, OPTION(train_growth)},
	{"train_quiet", 0, 86400, 30, false, false, true, OPTION(train_quiet)},
	{"keep_models", 1, 10000, 10, true, false, true, OPTION(keep_models)},
	{"target_error", 0, 0.5, 0, false, false, true, OPTION(target_error)},
	{"ask_uncertain", 0, 1, 0, true, true, true, OPTION(ask_uncertain)},
	{"drift", 0, 1, 1, true, true, true, OPTION(drift)},
	{"drift_withdraws", 0, 1, 0, true, true, true, OPTION(drift_withdraws)},
	{"prediction_sets", 0, 1, 1, true, true, true, OPTION(prediction_sets)},
	{"random_seed", 0, 9007199254740992.0, 0, true, false, false, OPTION(random_seed)},
	{ANSWERS, 1, 100, 1, true, false, true, OPTION(answers)},
	{"gold", 0, 1, 0.05, false, false, true, OPTION(gold)},
	{"most_answers", 2, 100, 5, true, false, true, OPTION(most_answers)},
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

/* NULL: there is none of that name. */
static const OptionRule *
find_rule(const char *name, OptionError *error)
{
	StringInfoData list;

	for (int i = 0; i < (int) lengthof(rules); i++)
	{
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	}
	initStringInfo(&list);
	for (int i = 0; i < (int) lengthof(rules); i++)
		appendStringInfo(&list, "\"%s\", ", rules[i].name);
	appendStringInfoString(&list, "\"" SHARES "\", \"" TARGETS "\"");
	error->message = psprintf("unrecognized project option \"%s\"", name);
	error->hint = psprintf("Options are %s.", list.data);
	return NULL;
}

/* For apply_option to return. */
static bool
bad_option(const OptionRule *rule, const char *given, OptionError *error)
{
	if (strlen(given) > 40)
		given = "(a very long number)";
	error->message = psprintf("invalid value %s for project option \"%s\"", given, rule->name);
	if (rule->or_auto)
		error->hint = pstrdup(rule->fallback < 0 ? "Give true, false, or null to have it chosen." :
							  "Give true or false.");
	else if (rule->integer)
		error->hint = psprintf("Give a whole number between %.0f and %.0f.", rule->minimum,
							   rule->maximum);
	else
		error->hint = psprintf("Give a number between %.15g and %.15g.", rule->minimum,
							   rule->maximum);
	return false;
}

static bool
apply_option(ProjectOptions *options, const OptionRule *rule, const JsonbValue *value,
			 OptionError *error)
{
	double		number;

	if (value->type == jbvNull)
		return true;			/* the default */
	if (rule->or_auto)
	{
		if (value->type != jbvBool)
			return bad_option(rule, "(not a boolean)", error);
		store_option(options, rule, value->val.boolean ? 1 : 0);
		return true;
	}
	if (value->type != jbvNumeric)
		return bad_option(rule, "(not a number)", error);
	number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												NumericGetDatum(value->val.numeric)));
	if (!(number >= rule->minimum && number <= rule->maximum) ||
		(rule->integer && number != (double) (int64) number))
		return bad_option(rule,
						  DatumGetCString(DirectFunctionCall1(numeric_out,
															  NumericGetDatum(value->val.numeric))),
						  error);
	store_option(options, rule, number);
	return true;
}

static bool
apply_targets(ProjectOptions *options, const JsonbValue *value, OptionError *error)
{
	if (value->type == jbvNull)
		return true;
	if (value->type != jbvString)
	{
		error->message = psprintf("invalid value %s for project option \"%s\"", "(not a text)",
								  TARGETS);
		error->hint = pstrdup("Give a condition over the columns of the source.");
		return false;
	}
	options->targets = pnstrdup(value->val.string.val, value->val.string.len);
	return true;
}

/* For apply_shares to return. */
static bool
bad_shares(OptionError *error)
{
	error->message = psprintf("invalid value for project option \"%s\"", SHARES);
	error->hint = psprintf("Give an object of at most %d parts of the encoder and how much each counts, such as {\"text\": 1, \"minilm\": 3}.",
						   COMBINATION_MAX_PARTS);
	return false;
}

/* Numbers that are not negative, brought to a sum of 1. */
static bool
apply_shares(ProjectOptions *options, const JsonbValue *value, OptionError *error)
{
	NamedShare *shares = palloc0(sizeof(NamedShare) * COMBINATION_MAX_PARTS);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	part;
	double		sum = 0.0;
	int			n = 0;

	if (value->type == jbvNull)
		return true;
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		return bad_shares(error);
	iterator = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &part, true)) != WJB_DONE)
	{
		double		share = -1.0;

		if (token == WJB_KEY && n == COMBINATION_MAX_PARTS)
			return bad_shares(error);
		if (token == WJB_KEY)
			shares[n].part = pnstrdup(part.val.string.val, part.val.string.len);
		if (token != WJB_VALUE)
			continue;
		if (part.type == jbvNumeric)
			share = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
													   NumericGetDatum(part.val.numeric)));
		if (!(share >= 0.0 && share <= 1e6))
			return bad_shares(error);
		shares[n++].share = (float) share;
		sum += share;
	}
	if (!(sum >= 1e-6))
		return bad_shares(error);
	for (int i = 0; i < n; i++)
		shares[i].share = (float) (shares[i].share / sum);
	options->shares = shares;
	options->nshares = n;
	return true;
}

/* A number, or as many as it takes. */
static bool
apply_answers(ProjectOptions *options, const JsonbValue *value, OptionError *error)
{
	if (value->type == jbvString && value->val.string.len == strlen(ADAPTIVE) &&
		memcmp(value->val.string.val, ADAPTIVE, value->val.string.len) == 0)
	{
		options->answers = ANSWERS_ADAPTIVE;
		return true;
	}
	if (apply_option(options, find_rule(ANSWERS, error), value, error))
		return true;
	error->hint = psprintf("%s Or give \"" ADAPTIVE "\", for as many as it takes.", error->hint);
	return false;
}

typedef bool (*ApplyOption) (ProjectOptions *options, const JsonbValue *value, OptionError *error);

/* Those that are no numbers. */
static ApplyOption
find_special(const char *name)
{
	return strcmp(name, TARGETS) == 0 ? apply_targets :
		strcmp(name, SHARES) == 0 ? apply_shares :
		strcmp(name, ANSWERS) == 0 ? apply_answers : NULL;
}

static bool
read_options(Jsonb *json, ProjectOptions *options, OptionError *error)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	const OptionRule *rule = NULL;
	ApplyOption special = NULL;

	memset(options, 0, sizeof(*options));
	memset(error, 0, sizeof(*error));
	for (int i = 0; i < (int) lengthof(rules); i++)
		store_option(options, &rules[i], rules[i].fallback);
	if (json == NULL)
		return true;
	if (!JB_ROOT_IS_OBJECT(json))
	{
		error->message = pstrdup("project options must be a JSON object");
		return false;
	}
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			char	   *name = pnstrdup(value.val.string.val, value.val.string.len);

			special = find_special(name);
			rule = special != NULL ? NULL : find_rule(name, error);
			if (rule == NULL && special == NULL)
				return false;
		}
		else if (token == WJB_VALUE && special != NULL)
		{
			if (!special(options, &value, error))
				return false;
		}
		else if (token == WJB_VALUE && rule != NULL)
		{
			if (!apply_option(options, rule, &value, error))
				return false;
		}
	}
	return true;
}

void
project_options_parse(Jsonb *json, ProjectOptions *options)
{
	OptionError error;

	if (!read_options(json, options, &error))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s", error.message),
				 error.hint == NULL ? 0 : errhint("%s", error.hint)));
}

void
project_option_check_changeable(const Project *project, const char *name)
{
	OptionError error;
	const OptionRule *rule;

	if (strcmp(name, TARGETS) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" is not changed like this", name),
				 errhint("SELECT hl_set_targets('%s', ...).", project->name)));
	if (find_special(name) != NULL)
		return;
	rule = find_rule(name, &error);
	if (rule == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s", error.message),
				 errhint("%s", error.hint)));
	if (!rule->later)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("option \"%s\" stays as it was declared", name),
				 errhint("Declare another project over the source.")));
}

static const char *const acquisition_names[] = {"epig", "bald", "margin", "entropy", "random"};

static bool
find_acquisition(const char *name, Acquisition *acquisition)
{
	for (int i = 0; i < (int) lengthof(acquisition_names); i++)
	{
		if (strcmp(acquisition_names[i], name) == 0)
		{
			*acquisition = (Acquisition) i;
			return true;
		}
	}
	return false;
}

Acquisition
acquisition_from_name(const char *name)
{
	Acquisition acquisition;

	if (find_acquisition(name, &acquisition))
		return acquisition;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized acquisition function \"%s\"", name),
			 errhint("Acquisition functions are \"epig\", \"bald\", \"margin\", \"entropy\" and \"random\".")));
}

const char *
acquisition_name(Acquisition acquisition)
{
	return acquisition_names[acquisition];
}

void
declared_options(Project *project, Jsonb *json)
{
	OptionError error;

	if (!read_options(json, &project->options, &error))
		project->damage = psprintf("options: %s", error.message);
}

void
declared_acquisition(Project *project, const char *name)
{
	project->acquisition = ACQUIRE_EPIG;
	if (!find_acquisition(name, &project->acquisition))
		project->damage = psprintf("acquisition: unrecognized acquisition function \"%s\"", name);
}

void
declared_classes(Project *project, Datum classes)
{
	project->classes = array_strings(classes, &project->nclasses);
	if (!strings_complete(project->classes, project->nclasses))
	{
		project->damage = pstrdup("classes: a class is NULL");
		project->classes = NULL;
		project->nclasses = 0;
	}
}
