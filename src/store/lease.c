/*-------------------------------------------------------------------------
 *
 * lease.c
 *	  Hands out questions.
 *
 * Taking one is an UPDATE of a row that is there for every ranked item (see
 * queue.c), under FOR UPDATE SKIP LOCKED: nobody waits, and nobody gets what
 * another has.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "store/feature.h"
#include "store/queue.h"
#include "store/session.h"
#include "store/settlement.h"

/*
 * Free items of one stretch of the ranking; those that others hold locked are
 * passed over.  A lease or label committed since our snapshot shows on the
 * recheck of the locked row (READ COMMITTED) or is a 40001.
 *
 * Item by item, in the order of the ranking, until there are enough: the
 * lateral subquery with its locks, and the OFFSET in the other one, leave the
 * planner no choice.  Without statistics, as in the first minutes of a project,
 * it would compare every item with every answer.
 */
#define TAKE(condition) \
	"WITH ranked AS MATERIALIZED (SELECT e.item, e.label, e.confidence, e.epistemic, e.reason, e.n " \
	"FROM @hl_ranking r, unnest(r.items[$4:$5], r.labels[$4:$5], r.confidence[$4:$5], " \
	"r.epistemic[$4:$5], r.reasons[$4:$5]) " \
	"WITH ORDINALITY e(item, label, confidence, epistemic, reason, n) WHERE r.project_id = $1 AND r.part = $8), " \
	"free AS (SELECT l.place, e.n FROM ranked e " \
	"CROSS JOIN LATERAL (SELECT x.ctid AS place FROM @hl_lease x " \
	"WHERE x.project_id = $1 AND x.item = e.item " \
	"AND (x.lease_until IS NULL OR x.lease_until < pg_catalog.clock_timestamp()) " \
	"FOR UPDATE SKIP LOCKED) l " \
	"WHERE e.item <> ALL ($7) " \
	"AND NOT EXISTS (SELECT 1 FROM @hl_current_answer c WHERE c.project_id = $1 " \
	"AND c.item = e.item AND (c.label IS NOT NULL OR c.annotator = $2) OFFSET 0)" condition " " \
	"LIMIT $3), " \
	"taken AS (UPDATE @hl_lease l SET annotator = $2, leased_at = pg_catalog.clock_timestamp(), " \
	"lease_until = pg_catalog.clock_timestamp() + $6 FROM free f " \
	"WHERE l.ctid = f.place RETURNING l.item, l.lease_until, f.n) " \
	"SELECT e.item, e.label, e.confidence::float8, e.epistemic::float8, coalesce(e.reason, 'random'), " \
	"t.lease_until " \
	"FROM taken t JOIN ranked e ON e.n = t.n ORDER BY e.n"
#define TAKE_TYPES \
	{INT4OID, TEXTOID, INT4OID, INT4OID, INT4OID, INTERVALOID, TEXTARRAYOID, TEXTOID}

static int
take_from(const Project *project, RankingPart part, const char *annotator, int n,
		  Interval *duration, Datum refused, int from, int to, Lease *leases)
{
	static Statement take[2] = {
		{TAKE(""), 8, TAKE_TYPES, NULL, 0},
		{TAKE(NOT_SETTLED("e.item")), 8, TAKE_TYPES, NULL, 0}
	};
	Datum		values[8] = {
		Int32GetDatum(project->id), CStringGetTextDatum(annotator), Int32GetDatum(n),
		Int32GetDatum(from), Int32GetDatum(to), IntervalPGetDatum(duration), refused,
		CStringGetTextDatum(ranking_part_name(part))
	};
	bool		isnull;

	statement_run_as_extension(&take[settlements_are_kept()], values, NULL, false);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		leases[i].item = result_string(i, 1);
		leases[i].label = result_string(i, 2);
		leases[i].confidence = result_double(i, 3);
		leases[i].epistemic = result_double(i, 4);
		leases[i].has_scores = !result_is_null(i, 3);
		leases[i].reason = result_string(i, 5);
		leases[i].until = DatumGetTimestampTz(result_datum(i, 6, &isnull));
	}
	return (int) SPI_processed;
}

/*
 * Where this session has found something the last time.  When many people have
 * answered most of a ranking, looking through what they have answered would
 * cost each of them more than all the rest.  What becomes free before that
 * place meanwhile is found some seconds later, or when nothing else is left.
 */
#define RESUME_MS 5000

typedef struct Resume
{
	int32		project_id;
	Oid			role;
	ItemKey		annotator;
	TimestampTz since;
	int64		generation[RANKING_PARTS];
	int			length[RANKING_PARTS];
	int			from[RANKING_PARTS];	/* 1: from the beginning */
} Resume;

static Resume resume = {0};

static void
resume_begin(const Project *project, const char *annotator)
{
	ItemKey		key = item_key(annotator);
	TimestampTz now = GetCurrentTimestamp();

	if (resume.project_id == project->id && resume.role == GetUserId() &&
		memcmp(&resume.annotator, &key, sizeof(key)) == 0 &&
		now >= resume.since && now - resume.since < RESUME_MS * INT64CONST(1000))
		return;
	memset(&resume, 0, sizeof(resume));
	resume.project_id = project->id;
	resume.role = GetUserId();
	resume.annotator = key;
	resume.since = now;
}

/* Forgets what it knows of parts that have been written since. */
static void
resume_check(const Project *project)
{
	static Statement select = {
		"SELECT part, generation FROM @hl_ranking WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	int64		generation[RANKING_PARTS] = {0};

	statement_run_as_extension(&select, values, NULL, false);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *name = result_string(i, 1);

		for (int part = 0; part < RANKING_PARTS; part++)
		{
			if (strcmp(ranking_part_name(part), name) == 0)
				generation[part] = result_bigint(i, 2);
		}
	}
	for (int part = 0; part < RANKING_PARTS; part++)
	{
		if (resume.generation[part] == generation[part])
			continue;
		resume.generation[part] = generation[part];
		resume.from[part] = 1;
		resume.length[part] = -1;
	}
}

static int
part_length(const Project *project, RankingPart part)
{
	static Statement length = {
		"SELECT pg_catalog.cardinality(items) FROM @hl_ranking WHERE project_id = $1 AND part = $2",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(ranking_part_name(part))};

	if (resume.generation[part] == 0)
		return 0;
	if (resume.length[part] < 0)
	{
		statement_run_as_extension(&length, values, NULL, false);
		resume.length[part] = SPI_processed == 0 ? 0 : result_int(0, 1);
	}
	return resume.length[part];
}

/* again: all has been looked at but what is before the places to resume at. */
static int
take_somewhere(const Project *project, const char *annotator, int n, Interval *duration,
			   char **refused, int nrefused, bool again, Lease *leases)
{
	static const RankingPart parts[] = {RANKING_REST_PART, RANKING_TAIL_PART, RANKING_SPARE_PART};
	Datum		refused_array = text_array(refused, nrefused);
	int			taken = 0;
	bool		skipped;

	resume_begin(project, annotator);
	if (resume.from[RANKING_HEAD_PART] > 1)
		resume_check(project);
	skipped = resume.from[RANKING_HEAD_PART] > 1;
	/* nearly always the head is enough, and nothing else has to be looked at */
	if (!skipped)
		taken = take_from(project, RANKING_HEAD_PART, annotator, n, duration, refused_array,
						  1, RANKING_HEAD, leases);
	if (taken == n)
		return taken;
	if (!skipped)
		resume_check(project);
	resume.from[RANKING_HEAD_PART] = RANKING_HEAD + 1;
	for (int i = 0; i < (int) lengthof(parts) && taken < n; i++)
	{
		RankingPart part = parts[i];
		int			length = part_length(project, part);
		int			stretch = Max(100, 4 * n);

		/* one is as good as another: each session begins somewhere else */
		if (part == RANKING_SPARE_PART && resume.from[part] == 1 && length > 0 && !again)
			resume.from[part] = 1 + (int) ((uint32) MyProcPid * 2654435761u % (uint32) length);
		skipped = skipped || resume.from[part] > 1;
		for (int from = resume.from[part]; from <= length && taken < n;
			 from += stretch, stretch *= 4)
		{
			taken += take_from(project, part, annotator, n - taken, duration, refused_array,
							   from, from + stretch - 1, leases + taken);
			if (taken < n)
				resume.from[part] = from + stretch;
		}
	}
	if (taken == n || !skipped)
		return taken;
	/* has something become free before where we have begun? */
	memset(&resume, 0, sizeof(resume));
	return taken + take_somewhere(project, annotator, n - taken, duration, refused, nrefused, true,
								  leases + taken);
}

int
leases_take(const Project *project, const char *annotator, int n, Interval *duration,
			char **refused, int nrefused, Lease *leases)
{
	return take_somewhere(project, annotator, n, duration, refused, nrefused, false, leases);
}

void
lease_release(const Project *project, char *item)
{
	static Statement give_back = {
		"UPDATE @hl_lease SET annotator = NULL, leased_at = NULL, lease_until = NULL "
		"WHERE project_id = $1 AND item = $2", 2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(item)};

	statement_run_as_extension(&give_back, values, NULL, false);
}
