/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  The queue as it is stored: ranking and leases.
 *
 * The ranking is a few rows a project, each replaced as a whole; an item that has been
 * labelled since is left out by whoever reads it.  A lease is a row of its own
 * that exists for every item of the ranking before anybody asks for it, so
 * that taking one is an UPDATE under FOR UPDATE SKIP LOCKED and never waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "store/feature.h"
#include "store/queue.h"
#include "store/session.h"

void
ranking_init(Ranking *ranking, int capacity)
{
	memset(ranking, 0, sizeof(*ranking));
	ranking->items = palloc_array_checked(char *, capacity);
	ranking->score = palloc_array_checked(float, capacity);
	ranking->epistemic = palloc_array_checked(float, capacity);
	ranking->aleatoric = palloc_array_checked(float, capacity);
	ranking->label = palloc_array_checked(char *, capacity);
	ranking->confidence = palloc_array_checked(float, capacity);
	ranking->reason = palloc_array_checked(const char *, capacity);
}

void
ranking_add_item(Ranking *ranking, char *item, const char *reason)
{
	int			i = ranking->n++;

	ranking->items[i] = item;
	ranking->score[i] = ranking->epistemic[i] = ranking->aleatoric[i] = NAN;
	ranking->label[i] = NULL;
	ranking->confidence[i] = NAN;
	ranking->reason[i] = reason;
}

void
ranking_add_scored(Ranking *ranking, char *item, float value, const Score *score, char *label,
				   const char *reason)
{
	int			i = ranking->n++;

	ranking->items[i] = item;
	ranking->score[i] = value;
	ranking->epistemic[i] = score->epistemic;
	ranking->aleatoric[i] = score->aleatoric;
	ranking->label[i] = label;
	ranking->confidence[i] = score->confidence;
	ranking->reason[i] = reason;
}

const char *
scored_reason(Acquisition acquisition)
{
	return acquisition == ACQUIRE_RANDOM ? "random" : "epistemic";
}

/* real[]; NaN becomes NULL */
static Datum
real_array(const float *numbers, int n)
{
	Datum	   *values = palloc_array_checked(Datum, n);
	bool	   *nulls = palloc_array_checked(bool, n);
	int			lower = 1;

	for (int i = 0; i < n; i++)
	{
		nulls[i] = isnan(numbers[i]);
		values[i] = Float4GetDatum(numbers[i]);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower,
											  FLOAT4OID, sizeof(float4), true, TYPALIGN_INT));
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(ItemKey));
}

/* An item of the ranking, and whether it has a lease row already. */
typedef struct RankedItem
{
	ItemKey		key;
	char	   *item;
	bool		leasable;
} RankedItem;

/*
 * Finds what leases_follow has to do: places of lease rows whose items have
 * left the ranking and are not in use (as tid[]), those in use, whose rows may
 * be gone, and which ranked items have no row yet.  Compared here, since a join
 * against an array has no statistics and may be planned as the square of both.
 */
static Datum
compare_leases(const Project *project, RankedItem *ranked, int n, char ***used, int *nused)
{
	static Statement select = {
		"SELECT ctid, item, (lease_until IS NULL OR lease_until = 'infinity' "
		"OR lease_until < pg_catalog.clock_timestamp()) FROM @hl_lease WHERE project_id = $1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	Datum	   *places;
	int			nplaces = 0;

	statement_run(&select, values, NULL, false);
	places = palloc_array_checked(Datum, SPI_processed);
	*used = palloc_array_checked(char *, SPI_processed);
	*nused = 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *item = result_string(i, 2);
		ItemKey		key = item_key(item);
		RankedItem *found = bsearch(&key, ranked, n, sizeof(RankedItem), compare_keys);
		bool		isnull;

		if (found != NULL)
			found->leasable = true;
		else if (DatumGetBool(result_datum(i, 3, &isnull)))
			places[nplaces++] = result_datum(i, 1, &isnull);
		else
			(*used)[(*nused)++] = item;
	}
	return PointerGetDatum(construct_array(places, nplaces, TIDOID, sizeof(ItemPointerData), false,
										   TYPALIGN_SHORT));
}

/*
 * Lease rows for items that have none.  Those that there are must not be run
 * into: an annotator may hold one locked, and ON CONFLICT waits.
 */
static void
leases_add(const Project *project, char **items, int n)
{
	static Statement add = {
		"INSERT INTO @hl_lease (project_id, item) SELECT $1, i FROM unnest($2) i "
		"WHERE NOT EXISTS (SELECT 1 FROM @hl_lease l WHERE l.project_id = $1 AND l.item = i OFFSET 0) "
		"ON CONFLICT DO NOTHING",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};

	statement_run(&add, values, NULL, false);
}

/* But for those that somebody is just at. */
static void
leases_forget(const Project *project, char **items, int n)
{
	static Statement forget = {
		"DELETE FROM @hl_lease WHERE ctid = ANY (ARRAY(SELECT f.ctid FROM @hl_lease f "
		"WHERE f.project_id = $1 AND f.item = ANY ($2) FOR UPDATE SKIP LOCKED))",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};

	if (n > 0)
		statement_run_as_extension(&forget, values, NULL, false);
}

/*
 * A lease row for every ranked item, and none for what has left the ranking;
 * if somebody has it, then not before it has left the source.  Rows that are
 * there are not touched, so nobody is waited for.
 */
static void
leases_follow(const Project *project, const Ranking *ranking)
{
	static Statement forget = {
		"DELETE FROM @hl_lease WHERE ctid = ANY (ARRAY(SELECT f.ctid FROM @hl_lease f "
		"WHERE f.ctid = ANY ($1) AND f.project_id = $2 "
		"AND (f.lease_until IS NULL OR f.lease_until = 'infinity' OR f.lease_until < pg_catalog.clock_timestamp()) "
		"FOR UPDATE SKIP LOCKED))",
		2, {TIDARRAYOID, INT4OID}, NULL, 0
	};
	int			n = ranking->n + ranking->nspare;
	RankedItem *ranked = palloc_array_checked(RankedItem, n);
	char	  **missing = palloc_array_checked(char *, n);
	char	  **used;
	Datum		values[2];
	int			nused;
	int			nmissing = 0;
	int			unique = 0;

	for (int i = 0; i < n; i++)
	{
		ranked[i].item = i < ranking->n ? ranking->items[i] : ranking->spare[i - ranking->n];
		ranked[i].key = item_key(ranked[i].item);
		ranked[i].leasable = false;
	}
	qsort(ranked, n, sizeof(RankedItem), compare_keys);
	for (int i = 0; i < n; i++)
	{
		if (unique == 0 || compare_keys(&ranked[unique - 1], &ranked[i]) != 0)
			ranked[unique++] = ranked[i];
	}
	values[0] = compare_leases(project, ranked, unique, &used, &nused);
	values[1] = Int32GetDatum(project->id);
	statement_run(&forget, values, NULL, false);
	for (int i = 0; i < unique; i++)
	{
		if (!ranked[i].leasable)
			missing[nmissing++] = ranked[i].item;
	}
	leases_add(project, missing, nmissing);
	if (nused > 0)
	{
		char	  **gone = palloc_array_checked(char *, nused);

		leases_forget(project, gone, source_missing(project, used, nused, gone));
	}
}

static const char *const part_names[] = {"head", "rest", "tail", "spare", "targets"};

/* As the extension. */
static void
write_part(const Project *project, RankingPart part, const Ranking *ranking)
{
	static Statement write = {
		"INSERT INTO @hl_ranking AS r (project_id, part, generation, model, revision, items, scores, "
		"epistemic, aleatoric, labels, confidence, reasons) "
		"VALUES ($1, $11, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
		"ON CONFLICT (project_id, part) DO UPDATE SET generation = r.generation + 1, "
		"model = excluded.model, revision = excluded.revision, made_at = pg_catalog.clock_timestamp(), "
		"items = excluded.items, scores = excluded.scores, epistemic = excluded.epistemic, "
		"aleatoric = excluded.aleatoric, labels = excluded.labels, "
		"confidence = excluded.confidence, reasons = excluded.reasons",
		11, {INT4OID, INT4OID, INT4OID, TEXTARRAYOID, FLOAT4ARRAYOID, FLOAT4ARRAYOID,
		FLOAT4ARRAYOID, TEXTARRAYOID, FLOAT4ARRAYOID, TEXTARRAYOID, TEXTOID}, NULL, 0
	};
	Datum		values[11];
	bool		nulls[11] = {false};

	values[0] = Int32GetDatum(project->id);
	values[1] = Int32GetDatum(ranking->model);
	values[2] = Int32GetDatum(ranking->revision);
	nulls[1] = nulls[2] = ranking->model == 0;
	values[3] = text_array(ranking->items, ranking->n);
	values[4] = real_array(ranking->score, ranking->n);
	values[5] = real_array(ranking->epistemic, ranking->n);
	values[6] = real_array(ranking->aleatoric, ranking->n);
	values[7] = text_array(ranking->label, ranking->n);
	values[8] = real_array(ranking->confidence, ranking->n);
	values[9] = text_array((char **) ranking->reason, ranking->n);
	values[10] = CStringGetTextDatum(part_names[part]);
	statement_run(&write, values, nulls, false);
}

int64
tail_generation(const Project *project)
{
	static Statement select = {
		"SELECT generation FROM @hl_ranking WHERE project_id = $1 AND part = 'tail'",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed == 0 ? 0 : result_bigint(0, 1);
}

/*
 * What had come before the pool was read is in the ranking now; what has come
 * since may not be.  An empty tail keeps its generation, so that none comes
 * twice.
 */
static void
empty_tail(const Project *project, int64 generation)
{
	static Statement empty = {
		"UPDATE @hl_ranking SET generation = generation + 1, items = '{}', scores = '{}', "
		"epistemic = '{}', aleatoric = '{}', labels = '{}', confidence = '{}', reasons = '{}' "
		"WHERE project_id = $1 AND part = 'tail' AND generation = $2 AND items <> '{}'",
		2, {INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int64GetDatum(generation)};

	statement_run(&empty, values, NULL, false);
}

/* Lease rows for a tail that stays. */
static void
leases_of_tail(const Project *project)
{
	static Statement add = {
		"INSERT INTO @hl_lease (project_id, item) SELECT $1, i FROM @hl_ranking r "
		"CROSS JOIN LATERAL unnest(r.items) i WHERE r.project_id = $1 AND r.part = 'tail' "
		"AND NOT EXISTS (SELECT 1 FROM @hl_lease l WHERE l.project_id = $1 AND l.item = i OFFSET 0) "
		"ON CONFLICT DO NOTHING", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run(&add, values, NULL, false);
}

/* The first so many entries, which the fast update makes anew. */
static Ranking
head_of(const Ranking *ranking)
{
	Ranking		head = *ranking;

	head.n = Min(ranking->n, RANKING_HEAD);
	return head;
}

/* Items only, and the other arrays empty: whoever reads one reads them all. */
static void
write_spare(const Project *project, const Ranking *ranking)
{
	static Statement write = {
		"INSERT INTO @hl_ranking AS r VALUES ($1, 'spare', 1, $2, $3, pg_catalog.clock_timestamp(), $4, "
		"'{}', '{}', '{}', '{}', '{}', '{}') ON CONFLICT (project_id, part) DO UPDATE SET "
		"generation = r.generation + 1, model = excluded.model, revision = excluded.revision, "
		"made_at = excluded.made_at, items = excluded.items",
		4, {INT4OID, INT4OID, INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[4] = {
		Int32GetDatum(project->id), Int32GetDatum(ranking->model), Int32GetDatum(ranking->revision),
		text_array(ranking->spare, ranking->nspare)
	};
	bool		nulls[4] = {false, ranking->model == 0, ranking->model == 0, false};

	statement_run(&write, values, nulls, false);
}

void
ranking_write(const Project *project, const Ranking *ranking, const Ranking *targets)
{
	Ranking		head = head_of(ranking);
	Acting		acting;

	act_as_extension(&acting);
	write_part(project, RANKING_HEAD_PART, &head);
	write_part(project, RANKING_REST_PART, ranking);
	write_spare(project, ranking);
	empty_tail(project, ranking->tail);
	if (targets != NULL)
		write_part(project, RANKING_TARGETS_PART, targets);
	leases_follow(project, ranking);
	leases_of_tail(project);
	act_as_before(&acting);
}

bool
ranking_is_of(const Project *project, int32 model)
{
	static Statement select = {
		"SELECT 1 FROM @hl_ranking WHERE project_id = $1 AND part IN ('head', 'rest') "
		"HAVING pg_catalog.bool_and(model IS NOT DISTINCT FROM $2)",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int32GetDatum(model)};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0;
}

void
ranking_write_head(const Project *project, const Ranking *head)
{
	Acting		acting;

	act_as_extension(&acting);
	write_part(project, RANKING_HEAD_PART, head);
	act_as_before(&acting);
}

void
ranking_write_tail(const Project *project, const Ranking *tail)
{
	Acting		acting;

	act_as_extension(&acting);
	write_part(project, RANKING_TAIL_PART, tail);
	leases_add(project, tail->items, tail->n);
	act_as_before(&acting);
}

/* ---------------------------------------------------------------------- */
/* Rows that are gone */

/* The elements to keep; an array that a part does without stays empty. */
static Datum
kept_elements(int column, Oid type, const bool *keep, int n)
{
	bool		isnull;
	ArrayType  *array = DatumGetArrayTypeP(result_datum(0, column, &isnull));
	bool		text = type == TEXTOID;
	Datum	   *values;
	bool	   *nulls;
	int			length;
	int			kept = 0;
	int			lower = 1;

	deconstruct_array(array, type, text ? -1 : sizeof(float4), !text, TYPALIGN_INT,
					  &values, &nulls, &length);
	if (length != n)
		return PointerGetDatum(array);
	for (int i = 0; i < n; i++)
	{
		if (!keep[i])
			continue;
		values[kept] = values[i];
		nulls[kept++] = nulls[i];
	}
	if (kept == 0)
		return PointerGetDatum(construct_empty_array(type));
	return PointerGetDatum(construct_md_array(values, nulls, 1, &kept, &lower, type,
											  text ? -1 : sizeof(float4), !text, TYPALIGN_INT));
}

/*
 * It keeps its generation: for whoever goes through it, nothing has come or
 * changed its place by more than these few.
 */
static void
forget_in_part(const Project *project, RankingPart part, const ItemKey *gone, int n)
{
	static Statement select = {
		"SELECT items, scores, epistemic, aleatoric, labels, confidence, reasons FROM @hl_ranking "
		"WHERE project_id = $1 AND part = $2", 2, {INT4OID, TEXTOID}, NULL, 0
	};
	static Statement update = {
		"UPDATE @hl_ranking SET items = $3, scores = $4, epistemic = $5, aleatoric = $6, labels = $7, "
		"confidence = $8, reasons = $9 WHERE project_id = $1 AND part = $2",
		9, {INT4OID, TEXTOID, TEXTARRAYOID, FLOAT4ARRAYOID, FLOAT4ARRAYOID, FLOAT4ARRAYOID,
		TEXTARRAYOID, FLOAT4ARRAYOID, TEXTARRAYOID}, NULL, 0
	};
	static const Oid types[] = {
		TEXTOID, FLOAT4OID, FLOAT4OID, FLOAT4OID, TEXTOID, FLOAT4OID, TEXTOID
	};
	Datum		values[9] = {Int32GetDatum(project->id), CStringGetTextDatum(part_names[part])};
	bool		isnull;
	char	  **items;
	bool	   *keep;
	int			length;
	bool		found = false;

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return;
	items = array_strings(result_datum(0, 1, &isnull), &length);
	keep = palloc_array_checked(bool, length);
	for (int i = 0; i < length; i++)
	{
		ItemKey		key = item_key(items[i]);

		keep[i] = bsearch(&key, gone, n, sizeof(ItemKey), compare_keys) == NULL;
		found = found || !keep[i];
	}
	if (!found)
		return;
	for (int i = 0; i < (int) lengthof(types); i++)
		values[2 + i] = kept_elements(1 + i, types[i], keep, length);
	statement_run_as_extension(&update, values, NULL, false);
}

void
ranking_forget(const Project *project, char **items, int n)
{
	ItemKey    *gone = palloc_array_checked(ItemKey, n);

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		gone[i] = item_key(items[i]);
	qsort(gone, n, sizeof(ItemKey), compare_keys);
	for (int part = 0; part < RANKING_PARTS; part++)
		forget_in_part(project, (RankingPart) part, gone, n);
	leases_forget(project, items, n);
}

void
ranking_check(const Project *project)
{
	static Statement select = {
		"SELECT pg_catalog.array_agg(DISTINCT i) FROM @hl_ranking r CROSS JOIN LATERAL unnest(r.items) i "
		"WHERE r.project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	bool		isnull;
	Datum		ranked;
	char	  **items;
	char	  **missing;
	int			n;

	statement_run_as_extension(&select, values, NULL, false);
	ranked = result_datum(0, 1, &isnull);
	if (isnull)
		return;
	items = array_strings(ranked, &n);
	missing = palloc_array_checked(char *, n);
	n = source_missing(project, items, n, missing);
	ranking_forget(project, missing, n);
}

/* ---------------------------------------------------------------------- */
/* Leasing */

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
static int
take_from(const Project *project, RankingPart part, const char *annotator, int n,
		  Interval *duration, Datum refused, int from, int to, Lease *leases)
{
	static Statement take = {
		"WITH ranked AS MATERIALIZED (SELECT e.item, e.label, e.confidence, e.epistemic, e.reason, e.n "
		"FROM @hl_ranking r, unnest(r.items[$4:$5], r.labels[$4:$5], r.confidence[$4:$5], "
		"r.epistemic[$4:$5], r.reasons[$4:$5]) "
		"WITH ORDINALITY e(item, label, confidence, epistemic, reason, n) WHERE r.project_id = $1 AND r.part = $8), "
		"free AS (SELECT l.place, e.n FROM ranked e "
		"CROSS JOIN LATERAL (SELECT x.ctid AS place FROM @hl_lease x "
		"WHERE x.project_id = $1 AND x.item = e.item "
		"AND (x.lease_until IS NULL OR x.lease_until < pg_catalog.clock_timestamp()) "
		"FOR UPDATE SKIP LOCKED) l "
		"WHERE e.item <> ALL ($7) "
		"AND NOT EXISTS (SELECT 1 FROM @hl_current_answer c WHERE c.project_id = $1 "
		"AND c.item = e.item AND (c.label IS NOT NULL OR c.annotator = $2) OFFSET 0) "
		"LIMIT $3), "
		"taken AS (UPDATE @hl_lease l SET annotator = $2, leased_at = pg_catalog.clock_timestamp(), "
		"lease_until = pg_catalog.clock_timestamp() + $6 FROM free f "
		"WHERE l.ctid = f.place RETURNING l.item, l.lease_until, f.n) "
		"SELECT e.item, e.label, e.confidence::float8, e.epistemic::float8, coalesce(e.reason, 'random'), "
		"t.lease_until "
		"FROM taken t JOIN ranked e ON e.n = t.n ORDER BY e.n",
		8, {INT4OID, TEXTOID, INT4OID, INT4OID, INT4OID, INTERVALOID, TEXTARRAYOID, TEXTOID}, NULL, 0
	};
	Datum		values[8] = {
		Int32GetDatum(project->id), CStringGetTextDatum(annotator), Int32GetDatum(n),
		Int32GetDatum(from), Int32GetDatum(to), IntervalPGetDatum(duration), refused,
		CStringGetTextDatum(part_names[part])
	};
	bool		isnull;

	statement_run_as_extension(&take, values, NULL, false);
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
		compare_keys(&resume.annotator, &key) == 0 &&
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
			if (strcmp(part_names[part], name) == 0)
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
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(part_names[part])};

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
