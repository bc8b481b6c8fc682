/*-------------------------------------------------------------------------
 *
 * suspect_functions.c
 *	  hl_suspects: labels that are probably wrong.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "sql/api.h"
#include "store/session.h"
#include "store/suspects.h"

PG_FUNCTION_INFO_V1(hl_suspects);

static void
add_suspect(ReturnSetInfo *set, const Consensus *consensus, const Suspect *suspect, int most)
{
	char	   *items[MAX_NEIGHBOURS];
	float		similarity[MAX_NEIGHBOURS];
	int			n = 0;
	Datum		values[6] = {
		CStringGetTextDatum(consensus->items[suspect->index]),
		CStringGetTextDatum(consensus->classes[consensus->label[suspect->index]]),
		CStringGetTextDatum(suspect->suggestion), Float8GetDatum(suspect->wrong)
	};
	bool		nulls[6] = {false};

	while (n < most && suspect->nearest[n].index >= 0)
	{
		items[n] = consensus->items[suspect->nearest[n].index];
		similarity[n] = suspect->nearest[n].similarity;
		n++;
	}
	values[4] = text_array(items, n);
	values[5] = float_array(similarity, n);
	set_add(set, values, nulls);
}

/* In groups that fit humanloop.work_mem; each reads the features anew. */
static void
add_suspects(ReturnSetInfo *set, const Project *project, const Serving *serving,
			 double threshold, int most)
{
	Consensus	consensus;
	LabelledItems *labelled;
	Suspect    *suspects;
	bool	   *there;
	int			n;
	int			group = suspects_at_once(serving, most);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop suspects",
												  ALLOCSET_DEFAULT_SIZES);

	consensus_read(project, &consensus);
	labelled = labelled_items(&consensus, CurrentMemoryContext);
	suspects = suspects_read(project, serving, &consensus, labelled, threshold, &n);
	there = palloc_array_checked(bool, n);
	for (int first = 0; first < n; first += group)
	{
		int			count = Min(group, n - first);
		MemoryContext before = MemoryContextSwitchTo(context);

		suspects_compare(project, serving, &consensus, labelled, suspects + first, count, most,
						 there + first);
		for (int i = first; i < first + count; i++)
		{
			/* a label whose row has left the source is nobody's business */
			if (there[i])
				add_suspect(set, &consensus, &suspects[i], most);
		}
		MemoryContextSwitchTo(before);
		MemoryContextReset(context);
	}
}

static double
threshold_argument(FunctionCallInfo fcinfo)
{
	double		threshold = PG_ARGISNULL(1) ? NAN : PG_GETARG_FLOAT8(1);

	if (!(threshold >= 0.0 && threshold <= 1.0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"threshold\" must be a probability, between 0 and 1")));
	return threshold;
}

static int
neighbours_argument(FunctionCallInfo fcinfo)
{
	int			most = PG_ARGISNULL(2) ? -1 : PG_GETARG_INT32(2);

	if (most < 0 || most > MAX_NEIGHBOURS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"neighbours\" must be between 0 and %d", MAX_NEIGHBOURS)));
	return most;
}

Datum
hl_suspects(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	char	   *name = required_text(fcinfo, 0, "project");
	double		threshold = threshold_argument(fcinfo);
	int			most = neighbours_argument(fcinfo);
	Project    *project;
	Serving		serving;
	Call		call;

	call_begin(&call);
	project = project_open(name, PRIVILEGE_REVIEW, true);
	if (!serving_open(project, true, CurrentMemoryContext, &serving))
		serving_missing(project);
	add_suspects(set, project, &serving, threshold, most);
	call_end(&call);
	return (Datum) 0;
}
