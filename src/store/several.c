/*-------------------------------------------------------------------------
 *
 * several.c
 *	  Several answers to one item: how many are wanted, who may give the next.
 *
 * An item has one lease row, however many may answer it: holders, with since
 * when and until when each has it.  Whoever takes, gives back or answers it
 * updates that row, so on one item they come one after another, and whoever has
 * looked before another's commit cannot take it: he passes over what he finds
 * locked, and a row that has changed since his snapshot is not his to update.
 *
 * An item may be handed out while labels and leases together are fewer than the
 * answers that are wanted.  Both are counted when the row is locked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "store/several.h"
#include "store/asked.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/source.h"

bool
several_are_kept(void)
{
	return get_attnum(extension_table("hl_lease"), "holders") != InvalidAttrNumber;
}

bool
several_wanted(const Project *project)
{
	return project->options.answers != 1 && several_are_kept();
}

void
several_check(const Project *project)
{
	if (project->options.answers != 1 && !several_are_kept())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the objects of the installed extension have no place for several answers"),
				 errhint("Run ALTER EXTENSION humanloop UPDATE.")));
}

int
several_answers(const Project *project)
{
	return project->options.answers == ANSWERS_ADAPTIVE ? 1 : project->options.answers;
}

/* ---------------------------------------------------------------------- */
/* Leases */

#define NOW "pg_catalog.clock_timestamp()"

/* Of current answers c: labels, of which that of the source is complete by itself. */
#define COUNT_LABELS \
	"pg_catalog.count(c.label) + 1000 * pg_catalog.count(c.label) FILTER (WHERE c.annotator = 'source')"

/*
 * The first $3 items of ranked that are free for annotator $2, leased to him for
 * $6, but none of those in $7.  As in lease.c item by item.  The answers are looked
 * at before the lease row is locked: what he has answered himself others may be
 * waiting for.
 */
#define TAKE(ranked) \
	"WITH ranked AS MATERIALIZED (" ranked "), " \
	"free AS (SELECT l.place, e.n FROM " \
	"(SELECT r.item, r.n, r.wanted, a.labels, a.voices FROM ranked r CROSS JOIN LATERAL " \
	"(SELECT " COUNT_LABELS " AS labels, " \
	"coalesce(pg_catalog.array_agg(c.annotator), '{}') AS voices FROM @hl_current_answer c " \
	"WHERE c.project_id = $1 AND c.item = r.item OFFSET 0) a " \
	"WHERE r.item <> ALL ($7) AND a.labels < r.wanted AND $2 <> ALL (a.voices)" NOT_SETTLED("r.item") " OFFSET 0) e " \
	"CROSS JOIN LATERAL (SELECT x.ctid AS place FROM @hl_lease x " \
	"WHERE x.project_id = $1 AND x.item = e.item " \
	"AND e.labels + (SELECT pg_catalog.count(*) FROM unnest(x.holders, x.until) h(who, until) " \
	"WHERE h.until > " NOW " AND h.who <> ALL (e.voices)) < e.wanted " \
	"AND NOT EXISTS (SELECT 1 FROM unnest(x.holders, x.until) h(who, until) " \
	"WHERE h.who = $2 AND h.until > " NOW ") FOR UPDATE SKIP LOCKED) l " \
	"LIMIT $3), " \
	"taken AS (UPDATE @hl_lease l SET (holders, since, until) = " \
	"(SELECT pg_catalog.array_agg(h.who ORDER BY h.n), pg_catalog.array_agg(h.since ORDER BY h.n), " \
	"pg_catalog.array_agg(h.until ORDER BY h.n) FROM (" \
	"SELECT u.who, u.since, u.until, u.n FROM unnest(l.holders, l.since, l.until) " \
	"WITH ORDINALITY u(who, since, until, n) WHERE u.until > " NOW " AND u.who <> $2 " \
	"UNION ALL SELECT $2, " NOW ", " NOW " + $6, 1000000) h), " \
	"lease_until = greatest(nullif(l.lease_until, 'infinity'), " NOW " + $6) " \
	"FROM free f WHERE l.ctid = f.place " \
	"RETURNING l.item, l.until[pg_catalog.cardinality(l.until)] AS until, f.n) " \
	"SELECT e.item, e.label, e.confidence::float8, e.epistemic::float8, coalesce(e.reason, 'random'), " \
	"t.until FROM taken t JOIN ranked e ON e.n = t.n ORDER BY e.n"

#define TAKE_TYPES \
	{INT4OID, TEXTOID, INT4OID, INT4OID, INT4OID, INTERVALOID, TEXTARRAYOID, TEXTOID, INT4OID}

static int
run_take(Statement *take, const Project *project, RankingPart part, const char *annotator, int n,
		 Interval *duration, Datum refused, int from, int to, Lease *leases)
{
	Datum		values[9] = {
		Int32GetDatum(project->id), CStringGetTextDatum(annotator), Int32GetDatum(n),
		Int32GetDatum(from), Int32GetDatum(to), IntervalPGetDatum(duration), refused,
		CStringGetTextDatum(ranking_part_name(part)), Int32GetDatum(several_answers(project))
	};

	statement_run_as_extension(take, values, NULL, false);
	return leases_read(leases);
}

int
several_take_part(const Project *project, RankingPart part, const char *annotator, int n,
				  Interval *duration, Datum refused, int from, int to, Lease *leases)
{
	static Statement take = {
		TAKE("SELECT e.item, e.label, e.confidence, e.epistemic, e.reason, $9 AS wanted, e.n "
			 "FROM @hl_ranking r, unnest(r.items[$4:$5], r.labels[$4:$5], r.confidence[$4:$5], "
			 "r.epistemic[$4:$5], r.reasons[$4:$5]) "
			 "WITH ORDINALITY e(item, label, confidence, epistemic, reason, n) "
			 "WHERE r.project_id = $1 AND r.part = $8"), 9, TAKE_TYPES, NULL, 0
	};

	return run_take(&take, project, part, annotator, n, duration, refused, from, to, leases);
}

/* Without a suggestion: whoever is asked for a second opinion shall have one. */
int
several_take_repeats(const Project *project, const char *annotator, int n, Interval *duration,
					 Datum refused, int most, Lease *leases)
{
	static Statement take = {
		TAKE("SELECT p.item, NULL::text AS label, NULL::real AS confidence, NULL::real AS epistemic, "
			 "p.reason, p.wanted, pg_catalog.row_number() OVER (ORDER BY p.worth DESC, p.since, p.item) AS n "
			 "FROM (SELECT * FROM @hl_repeat q WHERE q.project_id = $1 "
			 "ORDER BY q.worth DESC, q.since, q.item LIMIT $5) p ORDER BY 7"), 9, TAKE_TYPES, NULL, 0
	};

	return run_take(&take, project, RANKING_HEAD_PART, annotator, n, duration, refused, 1, most,
					leases);
}

int
several_take_asked(const Project *project, const char *annotator, int n, Interval *duration,
				   Datum refused, Lease *leases)
{
	static Statement take = {
		TAKE("SELECT a.item, NULL::text AS label, NULL::real AS confidence, NULL::real AS epistemic, "
			 "'" ASKED_REASON "' AS reason, $9 AS wanted, a.n FROM (" OPEN_ASKED ") a ORDER BY a.n"), 9, TAKE_TYPES, NULL, 0
	};

	return run_take(&take, project, RANKING_HEAD_PART, annotator, n, duration, refused, 0, 0,
					leases);
}

void
several_release(const Project *project, const char *annotator, char *item)
{
	static Statement give_back = {
		"UPDATE @hl_lease l SET " WITHOUT_HOLDER("$3", "pg_catalog.max(h.until)")
		" WHERE l.project_id = $1 AND l.item = $2", 3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), CStringGetTextDatum(item), CStringGetTextDatum(annotator)
	};

	statement_run_as_extension(&give_back, values, NULL, false);
}

/* ---------------------------------------------------------------------- */
/* Items that need another answer */

static void
leave_out_missing(const Project *project)
{
	static Statement select = {
		"SELECT item FROM @hl_repeat WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	char	  **items;
	char	  **missing;
	int			n;

	statement_run_as_extension(&select, values, NULL, false);
	items = result_strings(1, &n);
	missing = palloc_array_checked(char *, n);
	if (n > 0)
		repeats_forget(project, missing, source_missing(project, items, n, missing));
	leases_add(project, items, n);
}

/*
 * Where as many are wanted of every item: those that have one answer at least, and
 * not all.  What people disagree on comes first, then what waits the longest.
 */
#define ADD_BEGUN(condition) \
	"INSERT INTO @hl_repeat (project_id, item, wanted, reason, worth, since) " \
	"SELECT $1, c.item, $2, CASE WHEN pg_catalog.count(DISTINCT c.label) > 1 THEN 'dispute' ELSE 'repeat' END, " \
	"(pg_catalog.count(DISTINCT c.label) > 1)::int4, pg_catalog.min(c.answer_id) FROM @hl_current_answer c " \
	"WHERE c.project_id = $1 AND " condition " GROUP BY c.item " \
	"HAVING pg_catalog.count(c.label) BETWEEN 1 AND $2 - 1 " \
	"AND NOT pg_catalog.bool_or(c.annotator = 'source' AND c.label IS NOT NULL) " \
	"AND NOT EXISTS (SELECT 1 FROM @hl_gold_label g WHERE g.project_id = $1 AND g.item = c.item)" NOT_SETTLED("c.item")

void
repeats_drop(const Project *project)
{
	static Statement forget = {
		"DELETE FROM @hl_repeat WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	if (several_are_kept())
		statement_run_as_extension(&forget, values, NULL, false);
}

void
repeats_write(const Project *project, char **items, int n)
{
	static Statement add_all = {ADD_BEGUN("true"), 2, {INT4OID, INT4OID}, NULL, 0};
	static Statement add_some = {
		ADD_BEGUN("c.item = ANY ($3)"), 3, {INT4OID, INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), Int32GetDatum(several_answers(project))
	};

	if (!several_wanted(project) || (items != NULL && n == 0))
		return;
	if (items == NULL)
		repeats_drop(project);
	else
	{
		repeats_forget(project, items, n);
		values[2] = text_array(items, n);
	}
	if (project->options.answers == ANSWERS_ADAPTIVE)
	{
		/* what was just answered waits until all is weighed again */
		if (items == NULL && repeats_weigh(project))
			leave_out_missing(project);
		return;
	}
	statement_run_as_extension(items == NULL ? &add_all : &add_some, values, NULL, false);
	if (items == NULL)
		leave_out_missing(project);
	else
		leases_add(project, items, n);
}

void
repeats_forget(const Project *project, char **items, int n)
{
	static Statement forget = {
		"DELETE FROM @hl_repeat WHERE project_id = $1 AND item = ANY ($2)",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};

	if (n > 0 && several_are_kept())
		statement_run_as_extension(&forget, values, NULL, false);
}

/* ---------------------------------------------------------------------- */
/* Another number */

/*
 * Leases, as those read them who hand out the other way from now on.  What somebody
 * is just taking or answering is left: then another may be asked as well.
 */
static void
convert_leases(const Project *project, bool several)
{
	static Statement share = {
		"UPDATE @hl_lease l SET holders = ARRAY[l.annotator], since = ARRAY[l.leased_at], "
		"until = ARRAY[l.lease_until], annotator = NULL, leased_at = NULL "
		"FROM (SELECT x.ctid AS place FROM @hl_lease x WHERE x.project_id = $1 "
		"AND x.annotator IS NOT NULL AND x.lease_until > " NOW " FOR UPDATE SKIP LOCKED) s "
		"WHERE l.ctid = s.place", 1, {INT4OID}, NULL, 0
	};
	/* of several, whoever has it longest */
	static Statement single = {
		"UPDATE @hl_lease l SET (annotator, leased_at, lease_until) = "
		"(SELECT u.who, u.since, u.until FROM unnest(l.holders, l.since, l.until) u(who, since, until) "
		"WHERE u.until > " NOW " ORDER BY u.until DESC LIMIT 1), holders = '{}', since = '{}', until = '{}' "
		"FROM (SELECT x.ctid AS place FROM @hl_lease x WHERE x.project_id = $1 "
		"AND x.holders <> '{}' FOR UPDATE SKIP LOCKED) s WHERE l.ctid = s.place",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(several ? &share : &single, values, NULL, false);
}

void
several_change(const Project *before, const Project *now)
{
	if (several_wanted(before) != several_wanted(now))
		convert_leases(now, several_wanted(now));
	if (several_wanted(now))
		repeats_write(now, NULL, 0);
	else
		repeats_drop(now);
}

/* ---------------------------------------------------------------------- */
/* The queue */

/* As many as are shown, and some that have their answers by now. */
#define OPEN_REPEATS \
	"repeats AS MATERIALIZED (SELECT p.*, pg_catalog.row_number() OVER (ORDER BY p.worth DESC, p.since, p.item) AS n " \
	"FROM (SELECT * FROM @hl_repeat q WHERE q.project_id = $1 ORDER BY q.worth DESC, q.since, q.item " \
	"LIMIT $2 + 1000) p)"

#define OPEN_ASKS "asks AS MATERIALIZED (" OPEN_ASKED ")"

#define LABELS_OF(item) \
	"(SELECT " COUNT_LABELS " FROM @hl_current_answer c WHERE c.project_id = $1 AND c.item = " item ")"

void
several_entries(const Project *project)
{
	static Statement select = {
		"WITH listed AS MATERIALIZED (SELECT e.*, r.part, r.model, r.revision FROM @hl_ranking r "
		"CROSS JOIN LATERAL unnest(r.items, r.scores, r.epistemic, r.aleatoric, r.labels, "
		"r.confidence, r.reasons) "
		"WITH ORDINALITY e(item, score, epistemic, aleatoric, label, confidence, reason, n) "
		"WHERE r.project_id = $1 AND r.part IN ('head', 'rest', 'tail')), "
		OPEN_REPEATS ", " OPEN_ASKS ", "
		"entries AS (SELECT '0' AS part, a.n, a.item, NULL::real AS score, NULL::real AS epistemic, "
		"NULL::real AS aleatoric, NULL::text AS label, NULL::real AS confidence, '" ASKED_REASON "' AS reason, "
		"$3 AS wanted, NULL::int4 AS model, NULL::int4 AS revision FROM asks a "
		"UNION ALL SELECT '1' AS part, p.n, p.item, p.worth AS score, NULL::real AS epistemic, "
		"NULL::real AS aleatoric, NULL::text AS label, NULL::real AS confidence, p.reason, p.wanted, "
		"NULL::int4 AS model, NULL::int4 AS revision FROM repeats p "
		"WHERE p.item NOT IN (SELECT a.item FROM asks a) "
		"UNION ALL SELECT e.part, e.n, e.item, e.score, e.epistemic, e.aleatoric, e.label, e.confidence, "
		"e.reason, $3, e.model, e.revision FROM listed e WHERE e.item NOT IN (SELECT p.item FROM repeats p) "
		"AND e.item NOT IN (SELECT a.item FROM asks a) AND (e.part = 'head' OR e.item NOT IN (SELECT h.item FROM listed h WHERE h.part = 'head')) "
		"AND (e.part <> 'tail' OR e.item NOT IN (SELECT h.item FROM listed h WHERE h.part = 'rest'))) "
		"SELECT (pg_catalog.row_number() OVER (ORDER BY e.part, e.n))::int4, e.item, e.score::float8, "
		"e.epistemic::float8, e.aleatoric::float8, e.label, e.confidence::float8, e.reason, "
		"l.who, l.until, e.model, e.revision FROM entries e "
		"LEFT JOIN LATERAL (SELECT pg_catalog.string_agg(h.who, ', ' ORDER BY h.n) AS who, "
		"pg_catalog.max(h.until) AS until FROM @hl_lease x CROSS JOIN LATERAL unnest(x.holders, x.until) "
		"WITH ORDINALITY h(who, until, n) WHERE x.project_id = $1 AND x.item = e.item "
		"AND h.until > " NOW " OFFSET 0) l ON true "
		"WHERE " LABELS_OF("e.item") " < e.wanted" NOT_SETTLED("e.item") " ORDER BY e.part, e.n LIMIT $2",
		3, {INT4OID, INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), Int32GetDatum(project->options.queue_size),
		Int32GetDatum(several_answers(project))
	};

	statement_run_as_extension(&select, values, NULL, true);
}

int64
several_length(const Project *project)
{
	static Statement count = {
		"WITH " OPEN_REPEATS ", " OPEN_ASKS " SELECT pg_catalog.count(*) FROM (SELECT FROM "
		"(SELECT a.item, $3 AS wanted FROM asks a UNION ALL "
		"SELECT p.item, p.wanted FROM repeats p WHERE p.item NOT IN (SELECT a.item FROM asks a) UNION ALL "
		"SELECT DISTINCT e.item, $3 FROM @hl_ranking r CROSS JOIN LATERAL unnest(r.items) e(item) "
		"WHERE r.project_id = $1 AND r.part IN ('head', 'rest', 'tail') "
		"AND e.item NOT IN (SELECT p.item FROM repeats p) AND e.item NOT IN (SELECT a.item FROM asks a)) e "
		"WHERE " LABELS_OF("e.item") " < e.wanted" NOT_SETTLED("e.item") " LIMIT $2) o",
		3, {INT4OID, INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), Int32GetDatum(project->options.queue_size),
		Int32GetDatum(several_answers(project))
	};

	statement_run_as_extension(&count, values, NULL, true);
	return result_bigint(0, 1);
}
