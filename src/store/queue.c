/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  The queue as it is stored: the ranking, and what can be leased.
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
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "store/asked.h"
#include "store/feature.h"
#include "store/queue.h"
#include "store/session.h"
#include "store/several.h"

void
ranking_init(Ranking *ranking, int capacity)
{
	memset(ranking, 0, sizeof(*ranking));
	ranking->rest = -1;
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

	statement_run_as_extension(&select, values, NULL, false);
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
void
leases_add(const Project *project, char **items, int n)
{
	static Statement add = {
		"INSERT INTO @hl_lease (project_id, item) SELECT $1, i FROM unnest($2) i "
		"WHERE NOT EXISTS (SELECT 1 FROM @hl_lease l WHERE l.project_id = $1 AND l.item = i OFFSET 0) "
		"ON CONFLICT DO NOTHING",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};

	statement_run_as_extension(&add, values, NULL, false);
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

static const char *const part_names[] = {"head", "rest", "tail", "spare", "targets"};

const char *
ranking_part_name(RankingPart part)
{
	return part_names[part];
}

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
ranking_generation(const Project *project, RankingPart part)
{
	static Statement select = {
		"SELECT generation FROM @hl_ranking WHERE project_id = $1 AND part = $2",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(part_names[part])};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed == 0 ? 0 : result_bigint(0, 1);
}

bool
ranking_outdated(const Project *project, const Ranking *ranking)
{
	return ranking->rest >= 0 &&
		ranking->rest != ranking_generation(project, RANKING_REST_PART);
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

/* Items of a tail that stays. */
static char **
read_tail(const Project *project, int *n)
{
	static Statement select = {
		"SELECT items FROM @hl_ranking WHERE project_id = $1 AND part = 'tail'",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	bool		isnull;

	*n = 0;
	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed == 0 ? NULL : array_strings(result_datum(0, 1, &isnull), n);
}

static void
add_ranked(RankedItem *ranked, int *n, char **items, int count)
{
	for (int i = 0; i < count; i++)
	{
		RankedItem *item = &ranked[*n];

		/* a stored tail may be damaged, and goes with this ranking */
		if (items[i] == NULL)
			continue;
		(*n)++;
		item->item = items[i];
		item->key = item_key(items[i]);
		item->leasable = false;
	}
}

/*
 * A lease row for every ranked item, and none for what has left the ranking;
 * if somebody has it, then not before it has left the source.  Rows that are
 * there are not touched, so nobody is waited for.  Not as the extension: who is
 * told what goes wrong in the source depends on who asks (reading.c).
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
	int			ntail;
	char	  **tail = read_tail(project, &ntail);
	int			nasked;
	char	  **asked = asks_open(project, &nasked);
	RankedItem *ranked = palloc_array_checked(RankedItem,
											  ranking->n + ranking->nspare + ntail + nasked);
	char	  **missing;
	char	  **used;
	Datum		values[2];
	int			nused;
	int			n = 0;
	int			nmissing = 0;
	int			unique = 0;

	add_ranked(ranked, &n, ranking->items, ranking->n);
	add_ranked(ranked, &n, ranking->spare, ranking->nspare);
	add_ranked(ranked, &n, tail, ntail);
	add_ranked(ranked, &n, asked, nasked);
	missing = palloc_array_checked(char *, n);
	qsort(ranked, n, sizeof(RankedItem), compare_keys);
	for (int i = 0; i < n; i++)
	{
		if (unique == 0 || compare_keys(&ranked[unique - 1], &ranked[i]) != 0)
			ranked[unique++] = ranked[i];
	}
	values[0] = compare_leases(project, ranked, unique, &used, &nused);
	values[1] = Int32GetDatum(project->id);
	statement_run_as_extension(&forget, values, NULL, false);
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
	act_as_before(&acting);
	asks_close(project);
	asks_check(project);
	leases_follow(project, ranking);
	repeats_write(project, NULL, 0);
}

/*
 * The generations stay: what is left is in the order it was in, so that nobody
 * who knows it has to read it again.
 */
void
ranking_forget(const Project *project, char **items, int n)
{
	static Statement forget = {
		"UPDATE @hl_ranking r SET (items, scores, epistemic, aleatoric, labels, confidence, reasons) = "
		"(SELECT coalesce(pg_catalog.array_agg(e.item ORDER BY e.n), '{}'), "
		"coalesce(pg_catalog.array_agg(e.score ORDER BY e.n), '{}'), "
		"coalesce(pg_catalog.array_agg(e.epistemic ORDER BY e.n), '{}'), "
		"coalesce(pg_catalog.array_agg(e.aleatoric ORDER BY e.n), '{}'), "
		"coalesce(pg_catalog.array_agg(e.label ORDER BY e.n), '{}'), "
		"coalesce(pg_catalog.array_agg(e.confidence ORDER BY e.n), '{}'), "
		"coalesce(pg_catalog.array_agg(e.reason ORDER BY e.n), '{}') "
		"FROM unnest(r.items, r.scores, r.epistemic, r.aleatoric, r.labels, r.confidence, r.reasons) "
		"WITH ORDINALITY e(item, score, epistemic, aleatoric, label, confidence, reason, n) "
		"WHERE e.item NOT IN (SELECT g FROM unnest($2) g)) "
		"WHERE r.project_id = $1 AND EXISTS (SELECT 1 FROM unnest(r.items) i "
		"WHERE i IN (SELECT g FROM unnest($2) g))",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};

	if (n == 0)
		return;
	statement_run_as_extension(&forget, values, NULL, false);
	repeats_forget(project, items, n);
	asks_forget(project, items, n);
	leases_forget(project, items, n);
}

void
ranking_check(const Project *project)
{
	static Statement select = {
		"SELECT pg_catalog.array_agg(i) FROM (SELECT i FROM @hl_ranking r "
		"CROSS JOIN LATERAL unnest(r.items) i WHERE r.project_id = $1 AND i IS NOT NULL "
		"UNION SELECT unnest($2)) u", 2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id)};
	char	  **asked;
	bool		isnull;
	Datum		ranked;
	char	  **items;
	char	  **missing;
	int			n;

	asked = asks_open(project, &n);
	values[1] = text_array(asked, n);
	statement_run_as_extension(&select, values, NULL, false);
	ranked = result_datum(0, 1, &isnull);
	if (isnull)
		return;
	items = array_strings(ranked, &n);
	missing = palloc_array_checked(char *, n);
	n = source_missing(project, items, n, missing);
	ranking_forget(project, missing, n);
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
	asks_close(project);
}

void
ranking_write_tail(const Project *project, const Ranking *tail)
{
	Acting		acting;

	act_as_extension(&acting);
	write_part(project, RANKING_TAIL_PART, tail);
	act_as_before(&acting);
	leases_add(project, tail->items, tail->n);
}
