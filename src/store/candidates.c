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

#include "store/asked.h"
#include "store/audit.h"
#include "store/caller.h"
#include "store/handover.h"
#include "store/label.h"
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

/* ---------------------------------------------------------------------- */
/* The audit */

static bool
in_line(const Learner *learner, int i)
{
	return learner->place[i] <= learner->audit_limit && !learner->excluded[i] && !learner->passed[i];
}

/* One of the line. */
typedef struct InLine
{
	uint64		place;
	int			candidate;
} InLine;

static int
compare_in_line(const void *a, const void *b)
{
	const InLine *left = a;
	const InLine *right = b;

	if (left->place != right->place)
		return left->place < right->place ? -1 : 1;
	return left->candidate < right->candidate ? -1 : left->candidate > right->candidate;
}

int
candidates_line(const Learner *learner, int *line)
{
	InLine	   *sorted = palloc_array_checked(InLine, learner->ncandidates);
	int			n = 0;

	if (audit_share_of(learner->acquisition, &learner->options) == 0)
		return 0;
	for (int i = 0; i < learner->ncandidates; i++)
	{
		if (!in_line(learner, i))
			continue;
		sorted[n].place = learner->place[i];
		sorted[n++].candidate = i;
	}
	qsort(sorted, n, sizeof(InLine), compare_in_line);
	for (int i = 0; i < n; i++)
		line[i] = sorted[i].candidate;
	pfree(sorted);
	return n;
}

static bool
has_line(const Learner *learner)
{
	for (int i = 0; i < learner->ncandidates; i++)
	{
		if (in_line(learner, i))
			return true;
	}
	return false;
}

static void
set_passed(Learner *learner, int i, bool passed)
{
	if (learner->passed[i] == passed)
		return;
	learner->passed[i] = passed;
	/* else the order stays what it is */
	if (learner->place[i] <= learner->audit_limit)
		learner->dirty = true;
}

void
candidates_read_skips(Learner *learner, const Project *project, char **items, int n)
{
	bool	   *passed = palloc_array_checked(bool, learner->ncandidates);
	char	  **skipped;
	int			nskipped;
	bool		any = false;

	memset(passed, 0, sizeof(bool) * learner->ncandidates);
	/* nearly all answers are to rows that do not matter here */
	for (int i = 0; i < n && !any; i++)
	{
		CandidateEntry *entry = candidate_lookup(learner->places, item_key(items[i]));

		any = entry != NULL && learner->place[entry->place] <= learner->audit_limit;
	}
	if (items != NULL && !any)
		return;
	skipped = skipped_items(project, items, n, &nskipped);
	for (int i = 0; i < nskipped; i++)
	{
		CandidateEntry *entry = candidate_lookup(learner->places, item_key(skipped[i]));

		if (entry != NULL)
			passed[entry->place] = true;
	}
	for (int i = 0; i < n; i++)
	{
		CandidateEntry *entry = candidate_lookup(learner->places, item_key(items[i]));

		if (entry != NULL)
			set_passed(learner, entry->place, passed[entry->place]);
	}
	for (int i = 0; items == NULL && i < learner->ncandidates; i++)
		set_passed(learner, i, passed[i]);
	pfree(passed);
}

/* ---------------------------------------------------------------------- */
/* Candidates */

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
	learner->passed = palloc_array_checked(bool, learner->capacity);
	learner->place = palloc_array_checked(uint64, learner->capacity);
	learner->audit_limit = 0;
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
		learner->passed[entry->place] = false;
		learner->place[entry->place] = audit_place(&learner->options, item);
	}
	set_excluded(learner, entry->place, learned != NULL && learned->now != NO_LABEL);
	memcpy(learner->candidate_features + (size_t) entry->place * learner->D, features,
		   sizeof(float) * learner->D);
	learner->dirty = true;
	return true;
}

/* Items of a part of the stored ranking, and why they are asked (may be NULL). */
static char **
ranked_items(const Learner *learner, const char *part, int *n, char ***reasons)
{
	static Statement select = {
		"SELECT items, reasons FROM @hl_ranking WHERE project_id = $1 AND part = $2",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(learner->project_id), CStringGetTextDatum(part)};
	char	  **items;
	int			nreasons = 0;
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, false);
	*n = 0;
	if (SPI_processed == 0)
		return NULL;
	items = array_strings(result_datum(0, 1, &isnull), n);
	if (reasons != NULL)
		*reasons = array_strings(result_datum(0, 2, &isnull), &nreasons);
	if (!strings_complete(items, *n) || (reasons != NULL && nreasons != *n))
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
	char	  **items = ranked_items(learner, "tail", &n, NULL);

	if (n > 0)
	{
		float	   *features = learner_read_features(learner, project, items, &n);

		add_candidates(learner, items, features, n);
	}
	learner->late_stored = learner->ncandidates - learner->first_late;
}

/*
 * A ranking has all unlabelled rows up to the last of the audit.  Some of them
 * may be there for what they are worth.
 */
static uint64
stored_limit(const Learner *learner, char **items, char **reasons, int n)
{
	const char *reason = audit_reason(learner->acquisition);
	uint64		limit = 0;

	for (int i = 0; i < n; i++)
	{
		if (reasons[i] != NULL && strcmp(reasons[i], reason) == 0)
			limit = Max(limit, audit_place(&learner->options, items[i]));
	}
	return limit;
}

/* From the stored ranking, with features made anew. */
static void
read_pool(Learner *learner, const Project *project)
{
	char	  **items;
	char	  **reasons = NULL;
	float	   *features;
	int			n;

	items = ranked_items(learner, "rest", &n, &reasons);
	make_places(learner, n);
	learner->audit_limit = stored_limit(learner, items, reasons, n);
	features = learner_read_features(learner, project, items, &n);
	add_candidates(learner, items, features, n);
	pool_is_read(learner);
	items = ranked_items(learner, "targets", &n, NULL);
	features = learner_read_features(learner, project, items, &n);
	set_targets(learner, features, n);
	read_tail(learner, project);
	candidates_read_skips(learner, project, NULL, 0);
	learner->had_line = has_line(learner);
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
	learner->audit_limit = pool->audit_limit;
	add_candidates(learner, pool->items, pool->features, pool->n);
	pool_is_read(learner);
	set_targets(learner, pool->targets, pool->ntargets);
	candidates_forget_offered(0);
	read_tail(learner, project);
	candidates_read_skips(learner, project, NULL, 0);
	learner->had_line = has_line(learner);
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

/*
 * Of rows that have just come: those that the model does not decide alone.  By
 * the revision before the labels that come with them: it is what serves.
 */
static void
note_unsure(Learner *learner, NewRows *added, const float *features)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	Score	   *scores;
	Score	   *base;
	MemoryContext before;

	if (learner->options.ask_uncertain != 1 || !(learner->options.target_error > 0.0))
		return;
	scores = palloc_array_checked(Score, added->n);
	base = palloc_array_checked(Score, added->n);
	status_check(model_score_features(&caller, learner->current, features, added->n, scores),
				 "score rows");
	status_check(model_score_features(&caller, learner->serving.base, features, added->n, base),
				 "score rows");
	before = MemoryContextSwitchTo(learner->context);
	for (int i = 0; i < added->n; i++)
	{
		LearnedItem *learned = learned_lookup(learner->items, item_key(added->items[i]));

		if ((added->outside == NULL || !added->outside[i]) && !rows_blank(&added->rows, i) &&
			(learned == NULL || learned->now == NO_LABEL) &&
			!serving_decides(&learner->serving, &scores[i], &base[i]))
			learner->unsure = lappend(learner->unsure, pstrdup(added->items[i]));
	}
	MemoryContextSwitchTo(before);
	/* for learner_write to be called */
	learner->dirty = learner->dirty || learner->unsure != NIL;
}

void
learner_ask_unsure(Learner *learner, const Project *project)
{
	int			n = list_length(learner->unsure);
	char	  **items = palloc_array_checked(char *, n);
	ListCell   *cell;

	n = 0;
	foreach(cell, learner->unsure)
		items[n++] = lfirst(cell);
	asks_add(project, items, n);
	list_free_deep(learner->unsure);
	learner->unsure = NIL;
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
	note_unsure(learner, added, features);
	for (int i = 0; i < added->n; i++)
	{
		if (added->outside != NULL && added->outside[i])
			continue;
		if (!rows_blank(&added->rows, i))
			all = add_candidate(learner, added->items[i], features + (size_t) i * learner->D) && all;
	}
	return all;
}

bool
learner_wants_pool(const Learner *learner)
{
	return learner->ncandidates == learner->capacity ||
		4.0 * learner->nfree < 3.0 * learner->nfull || (learner->had_line && !has_line(learner));
}
