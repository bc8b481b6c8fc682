/*-------------------------------------------------------------------------
 *
 * candidates.c
 *	  What a learner puts in order again and again: the best rows of the pool.
 *
 * They come from the last scoring of the pool, as it offers them or as its
 * ranking says, and from rows that are encoded later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "store/caller.h"
#include "store/learner_internal.h"
#include "store/pool.h"
#include "store/queue.h"
#include "store/session.h"

#define SPARE_CANDIDATES 500	/* places for rows that come later */

/* The last pool that was scored, until its learner takes it. */
static struct
{
	int32		project_id;
	int32		model;
	int64		generation;
	PoolFeatures *pool;			/* NULL: none */
}			offered;

void
candidates_forget_offered(int32 project_id)
{
	if (offered.pool == NULL || (project_id != 0 && offered.project_id != project_id))
		return;
	MemoryContextDelete(offered.pool->context);
	offered.pool = NULL;
}

static void
set_excluded(Learner *learner, int place, bool excluded)
{
	if (learner->excluded[place] == excluded)
		return;
	learner->excluded[place] = excluded;
	learner->nfree += excluded ? -1 : 1;
	learner->dirty = true;
}

void
candidates_exclude(Learner *learner, const LearnedItem *learned)
{
	CandidateEntry *entry = candidate_lookup(learner->places, learned->key);

	if (entry != NULL)
		set_excluded(learner, entry->place, learned->now != NO_LABEL);
}

/* Forgets what was known; room for n candidates and some that come later. */
static void
make_places(Learner *learner, int n)
{
	MemoryContext before;

	if (learner->pool_context != NULL)
		MemoryContextDelete(learner->pool_context);
	learner->pool_context = AllocSetContextCreate(learner->context, "humanloop candidates",
												  ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(learner->pool_context);
	learner->ncandidates = learner->nfree = 0;
	learner->capacity = n + SPARE_CANDIDATES;
	learner->candidate = palloc_array_checked(char *, learner->capacity);
	learner->candidate_features = palloc_array_checked(float, (Size) learner->capacity * learner->D);
	learner->excluded = palloc_array_checked(bool, learner->capacity);
	learner->places = candidate_create(learner->pool_context, learner->capacity, NULL);
	MemoryContextSwitchTo(before);
}

/* False: there is no place left. */
static bool
add_candidate(Learner *learner, const char *item, const float *features)
{
	ItemKey		key = item_key(item);
	LearnedItem *learned = learned_lookup(learner->items, key);
	CandidateEntry *entry;
	bool		found;

	entry = candidate_insert(learner->places, key, &found);
	if (!found)
	{
		if (learner->ncandidates == learner->capacity)
		{
			candidate_delete(learner->places, key);
			return false;
		}
		entry->place = learner->ncandidates++;
		learner->candidate[entry->place] = MemoryContextStrdup(learner->pool_context, item);
		learner->excluded[entry->place] = true;
	}
	set_excluded(learner, entry->place, learned != NULL && learned->now != NO_LABEL);
	memcpy(learner->candidate_features + (size_t) entry->place * learner->D, features,
		   sizeof(float) * learner->D);
	learner->dirty = true;
	return true;
}

/* Items of a part of the stored ranking. */
static char **
ranked_items(const Learner *learner, const char *part, int *n)
{
	static Statement select = {
		"SELECT items FROM @hl_ranking WHERE project_id = $1 AND part = $2",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(learner->project_id), CStringGetTextDatum(part)};
	char	  **items;
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, false);
	*n = 0;
	if (SPI_processed == 0)
		return NULL;
	items = array_strings(result_datum(0, 1, &isnull), n);
	if (!strings_complete(items, *n))
		status_check(STATUS_CORRUPT, "read the queue");
	return items;
}

static void
set_targets(Learner *learner, const float *features, int n)
{
	learner->ntargets = n;
	learner->target_features = MemoryContextAllocHuge(learner->pool_context,
													  Max(n, 1) * sizeof(float) * learner->D);
	memcpy(learner->target_features, features, sizeof(float) * n * learner->D);
}

static void
add_candidates(Learner *learner, char **items, const float *features, int n)
{
	for (int i = 0; i < n; i++)
		(void) add_candidate(learner, items[i], features + (size_t) i * learner->D);
}

/* Nothing has come since. */
static void
pool_is_read(Learner *learner)
{
	learner->nfull = learner->ncandidates;
	learner->first_late = learner->ncandidates;
	learner->late_stored = 0;
}

/* What has come since, and is stored as the tail. */
static void
read_tail(Learner *learner, const Project *project)
{
	int			n;
	char	  **items = ranked_items(learner, "tail", &n);

	if (n > 0)
	{
		float	   *features = learner_read_features(learner, project, items, &n);

		add_candidates(learner, items, features, n);
	}
	learner->late_stored = learner->ncandidates - learner->first_late;
}

/* From the stored ranking, with features made anew. */
static void
read_pool(Learner *learner, const Project *project)
{
	char	  **items;
	float	   *features;
	int			n;

	items = ranked_items(learner, "rest", &n);
	make_places(learner, n);
	features = learner_read_features(learner, project, items, &n);
	add_candidates(learner, items, features, n);
	pool_is_read(learner);
	items = ranked_items(learner, "targets", &n);
	features = learner_read_features(learner, project, items, &n);
	set_targets(learner, features, n);
	read_tail(learner, project);
}

/* False: it is not of this model and ranking. */
static bool
take_offered(Learner *learner, const Project *project)
{
	PoolFeatures *pool = offered.pool;

	if (pool == NULL || offered.project_id != learner->project_id ||
		offered.model != learner->serving.model || offered.generation != learner->generation ||
		pool->D != learner->D)
		return false;
	make_places(learner, pool->n);
	add_candidates(learner, pool->items, pool->features, pool->n);
	pool_is_read(learner);
	set_targets(learner, pool->targets, pool->ntargets);
	candidates_forget_offered(0);
	read_tail(learner, project);
	return true;
}

void
candidates_read(Learner *learner, const Project *project)
{
	if (!take_offered(learner, project))
		read_pool(learner, project);
}

void
learner_offer_pool(const Project *project, int32 model, int64 generation, PoolFeatures *pool)
{
	Learner    *learner = learner_find(project->id);

	candidates_forget_offered(0);
	offered.project_id = project->id;
	offered.model = model;
	offered.generation = generation;
	offered.pool = pool;
	MemoryContextSetParent(pool->context, TopMemoryContext);
	if (learner != NULL && learner->serving.model == model)
	{
		learner->generation = offered.generation;
		(void) take_offered(learner, project);
	}
}

void
learner_rows_changed(int32 project_id, const NewRows *added)
{
	Learner    *learner = learner_find(project_id);

	if (learner == NULL)
		return;
	for (int i = 0; i < added->n + added->ngone; i++)
	{
		char	   *item = i < added->n ? added->items[i] : added->gone[i - added->n];
		LearnedItem *learned = learned_lookup(learner->items, item_key(item));

		if (learned == NULL || learned->before == learned->now)
			continue;
		if (learned->dense != NULL)
		{
			pfree(learned->dense);
			pfree(learned->terms);
			learned->dense = NULL;
		}
		learned->gone = false;
		learner->news++;
		learner->dirty = true;
	}
}

bool
learner_add_rows(Learner *learner, int64 encoder_id, NewRows *added)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	float	   *features;
	bool		all = true;

	for (int i = 0; i < added->ngone; i++)
	{
		ItemKey		key = item_key(added->gone[i]);
		CandidateEntry *entry = candidate_lookup(learner->places, key);

		if (entry == NULL)
			continue;
		/* for good: a label that is taken back does not bring it back */
		set_excluded(learner, entry->place, true);
		candidate_delete(learner->places, key);
	}
	if (added->n == 0)
		return true;
	if (encoder_id != learner->serving.encoder_id)
		return false;
	features = palloc_array_checked(float, (Size) added->n * learner->D);
	status_check(model_row_features(&caller, learner->serving.base, rows_finish(&added->rows),
									features), "compute features");
	for (int i = 0; i < added->n; i++)
	{
		if (!rows_blank(&added->rows, i))
			all = add_candidate(learner, added->items[i], features + (size_t) i * learner->D) && all;
	}
	return all;
}

bool
learner_wants_pool(const Learner *learner)
{
	return learner->ncandidates == learner->capacity ||
		4.0 * learner->nfree < 3.0 * learner->nfull;
}
