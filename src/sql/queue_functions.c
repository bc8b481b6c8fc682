/*-------------------------------------------------------------------------
 *
 * queue_functions.c
 *	  hl_queue_entries (behind the views), hl_next.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "sql/api.h"
#include "store/asked.h"
#include "store/gold.h"
#include "store/label.h"
#include "store/queue.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/several.h"
#include "store/source.h"

#define NEXT_MAX 10000

PG_FUNCTION_INFO_V1(hl_queue_entries);
PG_FUNCTION_INFO_V1(hl_queue_length);
PG_FUNCTION_INFO_V1(hl_next);

/*
 * Entries in order: what somebody has asked for, then head, rest and tail of the
 * ranking.  asked has items and their places.
 */
#define SELECT_ENTRIES(asked, condition) \
	"WITH listed AS MATERIALIZED (SELECT e.*, r.part, r.model, r.revision FROM @hl_ranking r " \
	"CROSS JOIN LATERAL unnest(r.items, r.scores, r.epistemic, r.aleatoric, r.labels, " \
	"r.confidence, r.reasons) " \
	"WITH ORDINALITY e(item, score, epistemic, aleatoric, label, confidence, reason, n) " \
	"WHERE r.project_id = $1 AND r.part IN ('head', 'rest', 'tail')), " \
	"head AS MATERIALIZED (SELECT item FROM listed WHERE part = 'head'), " \
	"asked AS MATERIALIZED (" asked "), " \
	"entries AS (SELECT 'asked' AS part, a.n, a.item, s.score, s.epistemic, s.aleatoric, s.label, " \
	"s.confidence, '" ASKED_REASON "' AS reason, s.model, s.revision FROM asked a LEFT JOIN (" \
	"SELECT DISTINCT ON (l.item) l.* FROM listed l WHERE l.item IN (SELECT item FROM asked) " \
	"ORDER BY l.item, l.part) s ON s.item = a.item UNION ALL " \
	"SELECT e.part, e.n, e.item, e.score, e.epistemic, e.aleatoric, e.label, e.confidence, e.reason, " \
	"e.model, e.revision FROM listed e " \
	"WHERE (e.part = 'head' OR e.item NOT IN (SELECT h.item FROM head h)) " \
	"AND (e.part <> 'tail' OR e.item NOT IN (SELECT h.item FROM listed h WHERE h.part = 'rest')) " \
	"AND e.item NOT IN (SELECT h.item FROM asked h)) " \
	"SELECT (pg_catalog.row_number() OVER (ORDER BY e.part, e.n))::int4, e.item, e.score::float8, " \
	"e.epistemic::float8, e.aleatoric::float8, e.label, e.confidence::float8, e.reason, " \
	"CASE WHEN l.held THEN l.annotator END, CASE WHEN l.held THEN l.lease_until END, " \
	"e.model, e.revision " \
	"FROM entries e " \
	"LEFT JOIN LATERAL (SELECT x.annotator, x.lease_until, " \
	"x.lease_until > pg_catalog.clock_timestamp() AND x.annotator IS NOT NULL AS held " \
	"FROM @hl_lease x WHERE x.project_id = $1 AND x.item = e.item OFFSET 0) l ON true " \
	"WHERE NOT EXISTS (SELECT 1 FROM @hl_current_answer c " \
	"WHERE c.project_id = $1 AND c.item = e.item AND c.label IS NOT NULL OFFSET 0)" condition " " \
	"ORDER BY e.part, e.n LIMIT $2"

Datum
hl_queue_entries(PG_FUNCTION_ARGS)
{
	static Statement select = {
		SELECT_ENTRIES(OPEN_ASKED, NOT_SETTLED("e.item")), 2, {INT4OID, INT4OID}, NULL, 0
	};
	/* in the tables of 0.4.0 and before */
	static Statement select_old = {
		SELECT_ENTRIES("SELECT NULL::text AS item, 0::int8 AS n WHERE false", ""),
		2, {INT4OID, INT4OID}, NULL, 0
	};
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	Datum		values[2];
	Call		call;

	call_begin(&call);
	project = project_open_any(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	values[0] = Int32GetDatum(project->id);
	values[1] = Int32GetDatum(project->options.queue_size);
	if (several_wanted(project))
		several_entries(project);
	else
		statement_run_as_extension(asks_are_kept() ? &select : &select_old, values, NULL, true);
	set_add_result(set);
	call_end(&call);
	return (Datum) 0;
}

#define COUNT_ENTRIES(asked, condition) \
	"SELECT pg_catalog.count(*) FROM (SELECT FROM " \
	"(SELECT e.item FROM @hl_ranking r CROSS JOIN LATERAL unnest(r.items) e(item) " \
	"WHERE r.project_id = $1 AND r.part IN ('head', 'rest', 'tail') UNION " asked ") e " \
	"WHERE NOT EXISTS (SELECT 1 FROM @hl_current_answer c " \
	"WHERE c.project_id = $1 AND c.item = e.item AND c.label IS NOT NULL OFFSET 0)" condition " LIMIT $2) o"

Datum
hl_queue_length(PG_FUNCTION_ARGS)
{
	static Statement count = {
		COUNT_ENTRIES("SELECT a.item FROM @hl_asked a WHERE a.project_id = $1 AND a.answered_at IS NULL",
					  NOT_SETTLED("e.item")),
		2, {INT4OID, INT4OID}, NULL, 0
	};
	static Statement count_old = {
		COUNT_ENTRIES("SELECT NULL::text WHERE false", ""), 2, {INT4OID, INT4OID}, NULL, 0
	};
	Project    *project;
	Datum		values[2];
	int64		length = 0;
	Call		call;

	call_begin(&call);
	project = project_read_any(PG_GETARG_INT32(0), true);
	if (project != NULL && project_privilege(project, GetUserId(), PRIVILEGE_ANY, true))
	{
		values[0] = Int32GetDatum(project->id);
		values[1] = Int32GetDatum(project->options.queue_size);
		if (several_wanted(project))
			length = several_length(project);
		else
		{
			statement_run_as_extension(asks_are_kept() ? &count : &count_old, values, NULL, true);
			length = result_bigint(0, 1);
		}
	}
	call_end(&call);
	PG_RETURN_INT64(length);
}

typedef struct InputQuery
{
	const char *text;
	Datum		items;			/* text[] */
} InputQuery;

static void
run_input_query(void *argument)
{
	InputQuery *query = argument;
	Oid			types[1] = {TEXTARRAYOID};

	if (SPI_execute_with_args(query->text, 1, types, &query->items, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read inputs");
}

/*
 * Texts of leased items, with the rights of the caller: NULL where he may not
 * see the row.
 */
static char **
read_inputs(const Project *project, const Lease *leases, int n)
{
	char	  **items = palloc_array_checked(char *, n);
	char	  **inputs = palloc_array_checked(char *, n);
	InputQuery	query;

	for (int i = 0; i < n; i++)
		items[i] = leases[i].item;
	query.items = text_array(items, n);
	query.text = psprintf("SELECT s.found, s.input FROM pg_catalog.unnest($1) WITH ORDINALITY i(item, n) "
					 "LEFT JOIN LATERAL (SELECT true AS found, %s AS input FROM %s s "
					 "WHERE s.%s OPERATOR(pg_catalog.=) i.item::%s) s ON true ORDER BY i.n",
					 project_question_expression(project), project_source_quoted(project),
					 quote_identifier(project->key_column), project_key_type_name(project));
	reading_step(project, READ_AS_CALLER, run_input_query, &query, NULL);
	if (SPI_processed != (uint64) n)
		source_not_unique(project, NULL);
	for (int i = 0; i < n; i++)
	{
		inputs[i] = result_string(i, 2);
		if (inputs[i] == NULL && !result_is_null(i, 1))
			inputs[i] = pstrdup("");
	}
	return inputs;
}

static void
add_question(ReturnSetInfo *set, const Lease *lease, const char *input)
{
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = CStringGetTextDatum(lease->item);
	values[1] = CStringGetTextDatum(input);
	nulls[2] = lease->label == NULL;
	values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(lease->label);
	nulls[3] = nulls[4] = !lease->has_scores;
	values[3] = Float8GetDatum(lease->confidence);
	values[4] = Float8GetDatum(lease->epistemic);
	values[5] = CStringGetTextDatum(lease->reason);
	values[6] = TimestampTzGetDatum(lease->until);
	set_add(set, values, nulls);
}

/* A gold item in place of that question, where the lot says so and there is one. */
static bool
add_gold(ReturnSetInfo *set, const Project *project, const char *annotator, const Lease *instead)
{
	Lease		gold;
	char	   *input;

	if (!gold_due(project) || !gold_choose(project, annotator, instead, &gold))
		return false;
	leases_check_answers(project, annotator, &gold, 1);
	input = read_inputs(project, &gold, 1)[0];
	if (input == NULL)
		return false;
	gold_show(project, annotator, &gold);
	add_question(set, &gold, input);
	return true;
}

/*
 * Gold items are mixed in by lot and not handed out as others, but for one that
 * somebody has asked for: were it passed over, all would know that it is gold.
 */
static bool
may_be_shown(const Project *project, const char *annotator, const Lease *lease, bool gold)
{
	return !gold || (strcmp(lease->reason, ASKED_REASON) == 0 &&
					 gold_is_new(project, annotator, lease->item));
}

static int
count_argument(FunctionCallInfo fcinfo)
{
	int			n = PG_ARGISNULL(1) ? 1 : PG_GETARG_INT32(1);

	if (n < 1 || n > NEXT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"n\" is %d", n),
				 errhint("Ask for between 1 and %d items.", NEXT_MAX)));
	return n;
}

static Interval *
lease_argument(FunctionCallInfo fcinfo)
{
	Interval   *lease;

	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"lease\" must not be NULL")));
	lease = PG_GETARG_INTERVAL_P(3);
	if (lease->month < 0 || lease->day < 0 || lease->time < 0 ||
		(lease->month == 0 && lease->day == 0 && lease->time == 0) ||
		lease->month > 12 || lease->day > 366 || lease->time > 366 * USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"lease\" must be positive and at most a year")));
	return lease;
}

/*
 * Leases, then reads the texts as the caller.  What he may not see, or what
 * has left the source, or has become gold since it was ranked, is given back and
 * another item taken instead.
 */
Datum
hl_next(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	char	   *annotator;
	Interval   *duration;
	Lease	   *leases;
	char	  **refused;
	int			nrefused = 0;
	int			n;
	int			ask;
	int			given = 0;
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_ANNOTATE);
	project_need_source(project);
	n = count_argument(fcinfo);
	annotator = annotator_name(project, optional_text(fcinfo, 2));
	duration = lease_argument(fcinfo);
	reading_need_rights(project);
	ask = n;
	leases = palloc_array_checked(Lease, NEXT_MAX);
	refused = palloc_array_checked(char *, NEXT_MAX);
	while (given < n)
	{
		int			taken = leases_take(project, annotator, ask, duration,
										refused, nrefused, leases);
		char	  **inputs;
		bool	   *golden;

		if (taken == 0)
			break;
		leases_check_answers(project, annotator, leases, taken);
		inputs = read_inputs(project, leases, taken);
		golden = golds_among(project, leases, taken);
		for (int i = 0; i < taken; i++)
		{
			bool		refuse = inputs[i] == NULL ||
				!may_be_shown(project, annotator, &leases[i], golden[i]);

			if (!refuse && given < n)
			{
				given++;
				if (golden[i])
					gold_show(project, annotator, &leases[i]);
				if (golden[i] || !add_gold(set, project, annotator, &leases[i]))
				{
					add_question(set, &leases[i], inputs[i]);
					continue;
				}
			}
			lease_release(project, annotator, leases[i].item);
			if (refuse && nrefused < NEXT_MAX)
				refused[nrefused++] = leases[i].item;
		}
		if (nrefused == NEXT_MAX)
			break;
		/* he may see next to nothing: look further with each round */
		ask = Min(Max(n - given, 4 * ask), NEXT_MAX);
	}
	call_end(&call);
	return (Datum) 0;
}
