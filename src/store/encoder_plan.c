/*-------------------------------------------------------------------------
 *
 * encoder_plan.c
 *	  Which encoder a project shall have, and of what it is made.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "store/cache.h"
#include "store/encoder_plan.h"
#include "store/session.h"

#define AUTO "auto"
#define TEXT "text"
#define VECTOR "vector"

/* Columns hl_serving.chosen, .tried and .encoder_kept came with 0.4.0, as named encoders did. */
char *
encoder_chosen(const Project *project)
{
	static Statement select = {
		"SELECT chosen FROM @hl_serving WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	if (!encoders_can_be_named())
		return NULL;
	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed == 0 ? NULL : result_string(0, 1);
}

void
encoder_choose(const Project *project, const char *name)
{
	static Statement update = {
		"UPDATE @hl_serving SET chosen = $2, encoder_kept = false WHERE project_id = $1",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(name)};

	statement_run_as_extension(&update, values, NULL, false);
}

void
encoder_choose_anew(const Project *project)
{
	static Statement update = {
		"UPDATE @hl_serving SET chosen = NULL, tried = NULL, encoder_kept = false "
		"WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(&update, values, NULL, false);
}

void
encoder_keep(const Project *project)
{
	static Statement update = {
		"UPDATE @hl_serving SET encoder_kept = true WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	if (encoders_can_be_named())
		statement_run_as_extension(&update, values, NULL, false);
}

char *
encoder_base(const Project *project)
{
	return pstrdup(strcmp(project->encoder, AUTO) == 0 ? project_own_encoder(project) :
				   project->encoder);
}

char *
encoder_wanted(const Project *project)
{
	char	   *chosen = strcmp(project->encoder, AUTO) == 0 ? encoder_chosen(project) : NULL;

	return chosen != NULL ? chosen : encoder_base(project);
}

char *
encoder_name(int64 encoder_id)
{
	static Statement select = {
		"SELECT name FROM @hl_encoder WHERE id = $1", 1, {INT8OID}, NULL, 0
	};
	Datum		values[1] = {Int64GetDatum(encoder_id)};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed == 0 ? NULL : result_string(0, 1);
}

bool
encoder_is_wanted(const Project *project, int64 encoder_id)
{
	char	   *name = encoder_name(encoder_id);

	return name != NULL && strcmp(name, encoder_wanted(project)) == 0;
}

static bool
encoder_is_kept(const Project *project)
{
	static Statement select = {
		"SELECT 1 FROM @hl_serving WHERE project_id = $1 AND encoder_kept", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	if (!encoders_can_be_named())
		return false;
	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0;
}

bool
encoder_change_due(const Project *project, int64 encoder_id)
{
	return encoder_id != 0 && !encoder_is_wanted(project, encoder_id) && !encoder_is_kept(project);
}

/* ---------------------------------------------------------------------- */
/* Names */

static void
add_part(EncoderPlan *plan, const char *name, int input, EncoderKind kind, int64 named,
		 const Encoder *encoder)
{
	if (plan->n == COMBINATION_MAX_PARTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("encoder \"%s\" has more than %d parts", plan->name,
						COMBINATION_MAX_PARTS)));
	plan->part[plan->n++] = (PlannedPart) {name, input, kind, named, encoder};
}

/* A part for each input of that kind; an error where there is none. */
static void
add_parts(EncoderPlan *plan, const char *name, InputKind reads, EncoderKind kind, int64 named,
		  const Encoder *encoder)
{
	const Project *project = plan->project;
	int			before = plan->n;

	for (int i = 0; i < project->ninputs; i++)
	{
		if (project->inputs[i].kind == reads)
			add_part(plan, name, i, kind, named, encoder);
	}
	if (plan->n == before)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("encoder \"%s\" cannot be used for column \"%s\"", name,
						project_input_names(project)),
				 errhint("For this column use \"auto\" or \"%s\".", project_own_encoder(project))));
}

/* The names in one, each of which may be there once. */
static List *
split_name(const char *name)
{
	char	   *copy = pstrdup(name);
	List	   *names = NIL;
	ListCell   *cell;

	for (char *next = copy; next != NULL;)
	{
		char	   *one = next;

		next = strchr(one, '+');
		if (next != NULL)
			*next++ = '\0';
		foreach(cell, names)
		{
			if (strcmp(lfirst(cell), one) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("encoder \"%s\" is named twice in \"%s\"", one, name)));
		}
		names = lappend(names, one);
	}
	return names;
}

static void
unknown_encoder(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("encoder \"%s\" does not exist", name),
			 errhint("Encoders are \"auto\", \"text\", \"vector\", those that hl_encoders lists, and several of them joined by \"+\".")));
}

/* open: loads imported ones; else they are only looked up, for the current user. */
static EncoderPlan *
make_plan(const Project *project, const char *name, bool open)
{
	EncoderPlan *plan = palloc0(sizeof(EncoderPlan));
	ListCell   *cell;

	plan->project = project;
	plan->name = pstrdup(name);
	foreach(cell, split_name(name))
	{
		const char *one = lfirst(cell);
		NamedEncoder named;
		const Encoder *encoder = NULL;

		if (strcmp(one, TEXT) == 0)
			add_parts(plan, one, INPUT_TEXT, ENCODER_TEXT, 0, NULL);
		else if (strcmp(one, VECTOR) == 0)
			add_parts(plan, one, INPUT_VECTOR, ENCODER_VECTOR, 0, NULL);
		else if (!named_encoder_read(one, false, &named) ||
				 (!open && !named_encoder_usable(&named, GetUserId())))
			unknown_encoder(one);
		else
		{
			/* nobody drops it before what we write about it is there */
			named_encoder_lock(named.id, false);
			if (open)
				encoder = encoder_open(named.id, false, CurrentMemoryContext);
			add_parts(plan, one, INPUT_TEXT, encoder == NULL ? ENCODER_TRANSFORMER :
					  encoder_kind(encoder), named.id, encoder);
		}
	}
	return plan;
}

EncoderPlan *
encoder_plan(const Project *project, const char *name)
{
	return make_plan(project, name, true);
}

const char *
encoder_plan_part(const EncoderPlan *plan, int i)
{
	const PlannedPart *part = &plan->part[i];

	return plan->project->ninputs == 1 ? part->name :
		psprintf("%s(%s)", part->name, plan->project->inputs[part->input].column);
}

bool
encoder_plan_shares(const EncoderPlan *plan, float *share)
{
	const ProjectOptions *options = &plan->project->options;

	if (options->nshares != plan->n || plan->n < 2)
		return false;
	for (int i = 0; i < plan->n; i++)
	{
		const char *name = encoder_plan_part(plan, i);
		int			which = 0;

		while (which < options->nshares && strcmp(options->shares[which].part, name) != 0)
			which++;
		if (which == options->nshares)
			return false;
		share[i] = options->shares[which].share;
	}
	return true;
}

void
encoder_plan_add(EncoderPlan *plan, const NamedEncoder *named, const Encoder *encoder)
{
	plan->name = psprintf("%s+%s", plan->name, named->name);
	add_parts(plan, named->name, INPUT_TEXT, encoder_kind(encoder), named->id, encoder);
}

/* Another encoder may read it, and be chosen at any time: so that is no error. */
static void
notice_unread(const EncoderPlan *plan)
{
	for (int i = 0; i < plan->project->ninputs; i++)
	{
		bool		is_read = false;

		for (int j = 0; j < plan->n; j++)
			is_read = is_read || plan->part[j].input == i;
		if (!is_read)
			ereport(NOTICE,
					(errmsg("encoder \"%s\" does not read column \"%s\"", plan->name,
							plan->project->inputs[i].column),
					 errhint("Encoder \"%s\" reads all inputs; others can be joined to it by \"+\".",
							 project_own_encoder(plan->project))));
	}
}

void
encoder_plan_check(const Project *project, const char *name)
{
	EncoderPlan *plan;

	if (strcmp(name, AUTO) == 0)
		return;
	plan = make_plan(project, name, false);
	notice_unread(plan);
	pfree(plan);
}
