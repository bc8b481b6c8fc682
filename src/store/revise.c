/*-------------------------------------------------------------------------
 *
 * revise.c
 *	  A learner's work: the next revision, and the head of the queue.
 *
 * Computing needs nothing but the learner; writing checks that what serves is
 * still what was computed from, and stores all in one transaction: revision,
 * queue, and, by the caller, that the changes are learned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "learn/delta.h"
#include "learn/requeue.h"
#include "learn/update.h"
#include "store/audit.h"
#include "store/caller.h"
#include "store/learner_internal.h"
#include "store/parts.h"
#include "store/session.h"

#define CHAIN_MOST 40			/* revisions that stand on one another: a session
								 * that comes reads them all; the difference to
								 * the base is many times as long as one to the
								 * last */
#define GREEDY_LEAST 20			/* head entries chosen one after another */
#define GREEDY_MOST 60
#define SCREEN_MOST 1000		/* candidates whose gain is computed: there is a
								 * tenth of a second for all */

/* ---------------------------------------------------------------------- */
/* Computing */

/* Soft labels of the rows that a revision is made from. */
typedef struct NewsLabels
{
	SoftLabels	soft;			/* of what follows */
	int		   *start;
	int		   *class;
	float	   *weight;
} NewsLabels;

static void
news_init(NewsLabels *news, int rows)
{
	news->start = palloc_array_checked(int, rows + 1);
	news->class = palloc_array_checked(int, rows * LABEL_SUPPORT);
	news->weight = palloc_array_checked(float, rows * LABEL_SUPPORT);
	news->start[0] = 0;
	news->soft = (SoftLabels) {0, news->start, news->class, news->weight};
}

/* One more row of soft labels: what the label model says of the item, else its label. */
static void
add_soft(const Learner *learner, const LearnedItem *learned, const int *numbers, int now,
		 NewsLabels *news, int n)
{
	int			at = news->start[n];
	int			found = 0;

	if (now != NO_LABEL)
		found = truth_soft_label(learner->truth, learned->item, numbers, news->class + at,
								 news->weight + at);
	if (now != NO_LABEL && found == 0)
	{
		news->class[at] = now;
		news->weight[at] = 1.0f;
		found = 1;
	}
	news->start[n + 1] = at + found;
	news->soft.n = n + 1;
}

/* The labels that the base does not know, as rows of the model. */
static int
collect_news(Learner *learner, RowsBuilder *builder, int *label, int *before, NewsLabels *news)
{
	int			known = learner->serving.nclasses;
	learned_iterator iterator;
	LearnedItem *learned;
	int		   *numbers = learner->truth == NULL ? NULL :
		truth_class_numbers(learner->truth, learner->serving.classes, known);
	int			n = 0;

	learned_start_iterate(learner->items, &iterator);
	while ((learned = learned_iterate(learner->items, &iterator)) != NULL)
	{
		/* a class that the base does not know waits for the next training */
		int			now = learned->now < known ? learned->now : NO_LABEL;

		if (learned->before == now || learned->dense == NULL)
			continue;
		rows_add(builder, learned->dense, learned->terms, learned->terms_length);
		if (numbers != NULL)
			add_soft(learner, learned, numbers, now, news, n);
		label[n] = now;
		before[n++] = learned->before;
	}
	return n;
}

/*
 * The revision, and what is stored of it: the difference to the one that
 * serves, or, when many stand on one another, to the base.
 */
static void
compute_revision(Learner *learner)
{
	Caller	   *caller = MemoryContextAlloc(learner->next_context, sizeof(Caller));
	MemoryContext scratch = AllocSetContextCreate(learner->next_context, "humanloop update",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(scratch);
	Caller		work = caller_in(scratch);
	const Model *base = learner->serving.base;
	int		   *label = palloc_array_checked(int, learner->behind);
	int		   *trained = palloc_array_checked(int, learner->behind);
	NewsLabels	news;
	RowsBuilder builder;
	Model	   *updated;
	Model	   *stored;
	int			n;

	*caller = caller_in(learner->next_context);
	rows_init(&builder, learner->serving.encoder, scratch);
	news_init(&news, learner->truth == NULL ? 0 : learner->behind);
	n = collect_news(learner, &builder, label, trained, &news);
	memory_check(rows_bytes(&builder) + model_update_memory(base, n) + model_delta_memory(base),
				 "update the model");
	status_check(model_update_soft(&work, base, learner->current, rows_finish(&builder), label,
								   learner->truth == NULL ? NULL : &news.soft, trained, &updated),
				 "update the model");
	learner->next_on_base = learner->chain >= CHAIN_MOST;
	writer_init(&learner->delta, caller);
	status_check(model_delta_write(caller, base, learner->next_on_base ? base : learner->current,
								   updated, &learner->delta, &stored), "store the update");
	learner->next = stored;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(scratch);
}

/* What was chosen of the candidates from first on, as a ranking. */
static void
rank_chosen(const Learner *learner, int first, int n, const int *chosen, const float *value,
			const Score *scores, Ranking *ranking)
{
	ranking_init(ranking, n);
	for (int i = 0; i < n; i++)
		ranking_add_scored(ranking, learner->candidate[first + chosen[i]], value[i], &scores[i],
						   learner->serving.classes[scores[i].label],
						   scored_reason(learner->acquisition));
}

/* The head of the queue as the revision sees it. */
static void
compute_head(Learner *learner)
{
	MemoryContext before = MemoryContextSwitchTo(learner->next_context);
	Caller		caller = caller_in(learner->next_context);
	int			free = Min(RANKING_HEAD, learner->nfree);
	int			count = free;
	int			greedy = Min(GREEDY_MOST, Max(GREEDY_LEAST, 2 * learner->news));
	int		   *chosen = palloc_array_checked(int, count);
	float	   *gain = palloc_array_checked(float, count);
	Score	   *scores = palloc_array_checked(Score, count);
	const Model *model = learner->next != NULL ? learner->next : learner->current;
	RequeueOptions options = {
		/* without a target there is nothing to gain information on */
		.acquisition = learner->acquisition == ACQUIRE_EPIG && learner->ntargets == 0 ?
		ACQUIRE_MARGIN : learner->acquisition,
		.batch = learner->options.batch, .greedy = greedy, .count = count,
		.screen = Min(epig_screen(model_classes(model), learner->ncandidates), SCREEN_MOST)
	};
	Ordered		ordered = {0};
	int		   *line;

	if (count > 0)
	{
		memory_check(requeue_memory(model, &options, learner->ncandidates, learner->ntargets),
					 "order the queue");
		status_check(requeue(&caller, model, &options, learner->candidate_features,
							 learner->ncandidates, learner->target_features, learner->ntargets,
							 learner->excluded, chosen, gain, scores, &count), "order the queue");
	}
	line = palloc_array_checked(int, learner->ncandidates);
	ordered.acquisition = learner->acquisition;
	ordered.options = &learner->options;
	ordered.model = model;
	ordered.classes = learner->serving.classes;
	ordered.answered = learner->labelled;
	ordered.rows = learner->ncandidates;
	ordered.items = learner->candidate;
	ordered.features = learner->candidate_features;
	ordered.n = count;
	ordered.chosen = chosen;
	ordered.value = gain;
	ordered.scores = scores;
	ordered.m = candidates_line(learner, line);
	ordered.line = line;
	rank_ordered(&ordered, free, &learner->head);
	learner->has_head = true;
	MemoryContextSwitchTo(before);
}

/*
 * Rows that have come since the pool was scored, best first: behind all that
 * was ranked then, but for those that the head has taken.
 */
static void
compute_tail(Learner *learner)
{
	MemoryContext before = MemoryContextSwitchTo(learner->next_context);
	Caller		caller = caller_in(learner->next_context);
	int			late = learner->ncandidates - learner->first_late;
	const Model *model = learner->next != NULL ? learner->next : learner->current;
	RequeueOptions options = {
		.acquisition = learner->acquisition == ACQUIRE_EPIG ? ACQUIRE_MARGIN : learner->acquisition,
		.batch = learner->options.batch, .greedy = 0, .count = late
	};
	int		   *chosen = palloc_array_checked(int, late);
	float	   *value = palloc_array_checked(float, late);
	Score	   *scores = palloc_array_checked(Score, late);
	int			found;

	status_check(requeue(&caller, model, &options,
						 learner->candidate_features + (size_t) learner->first_late * learner->D,
						 late, learner->target_features, learner->ntargets,
						 learner->excluded + learner->first_late, chosen, value, scores, &found),
				 "order the queue");
	rank_chosen(learner, learner->first_late, found, chosen, value, scores, &learner->tail);
	learner->has_tail = true;
	MemoryContextSwitchTo(before);
}

void
learner_compute(Learner *learner)
{
	if (learner->next_context != NULL)
		MemoryContextDelete(learner->next_context);
	learner->next_context = NULL;
	learner->next = NULL;
	learner->has_head = learner->has_tail = false;
	if (!learner->dirty)
		return;
	learner->next_context = AllocSetContextCreate(learner->context, "humanloop revision",
												  ALLOCSET_DEFAULT_SIZES);
	if (learner->news > 0 || learner->fresh)
		compute_revision(learner);
	compute_head(learner);
	if (learner->ncandidates - learner->first_late > learner->late_stored)
		compute_tail(learner);
}

/* ---------------------------------------------------------------------- */
/* Writing */

static void
store_revision(Learner *learner, int revision)
{
	static Statement insert = {
		"INSERT INTO @hl_revision VALUES ($1, $2, $3, $4, $5)",
		5, {INT4OID, INT4OID, INT4OID, INT4OID, BYTEAOID}, NULL, 0
	};
	static Statement forget_older = {
		"DELETE FROM @hl_revision WHERE project_id = $1 AND model = $2 AND revision < $3",
		3, {INT4OID, INT4OID, INT4OID}, NULL, 0
	};
	static Statement serve = {
		"UPDATE @hl_serving SET revision = $2 WHERE project_id = $1", 2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[5] = {
		Int32GetDatum(learner->project_id), Int32GetDatum(learner->serving.model),
		Int32GetDatum(revision), Int32GetDatum(learner->next_on_base ? 0 : learner->revision),
		bytes_seal(&learner->delta)
	};

	statement_run_as_extension(&insert, values, NULL, false);
	/* who reads an older revision on an older snapshot still sees them */
	if (learner->next_on_base || learner->revision == 0)
		statement_run_as_extension(&forget_older, values, NULL, false);
	values[1] = Int32GetDatum(revision);
	statement_run_as_extension(&serve, values, NULL, false);
}

/* One higher than any that this model has had. */
static int
next_revision(const Learner *learner)
{
	static Statement select = {
		"SELECT coalesce(pg_catalog.max(revision), 0) + 1 FROM @hl_revision "
		"WHERE project_id = $1 AND model = $2", 2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {
		Int32GetDatum(learner->project_id), Int32GetDatum(learner->serving.model)
	};

	statement_run_as_extension(&select, values, NULL, false);
	return Max(result_int(0, 1), learner->revision + 1);
}

/* What was computed is what serves now. */
static void
adopt(Learner *learner, int revision)
{
	learner->chain = learner->next_on_base || learner->revision == 0 ? 1 : learner->chain + 1;
	learner->revision = revision;
	if (learner->current_context != NULL)
		MemoryContextDelete(learner->current_context);
	learner->current_context = learner->next_context;
	learner->current = learner->next;
	learner->next_context = NULL;
	learner->next = NULL;
}

bool
learner_write(Learner *learner, const Project *project)
{
	int			revision = learner->revision;

	learner->stored = false;
	if (learner_is_stale(learner, project))
	{
		learner_forget(learner->project_id);
		return false;
	}
	if (learner->next != NULL)
	{
		revision = next_revision(learner);
		store_revision(learner, revision);
	}
	if (learner->has_head)
	{
		learner->head.model = learner->serving.model;
		learner->head.revision = revision;
		ranking_write_head(project, &learner->head);
		learner->stored = true;
	}
	if (learner->has_tail)
	{
		learner->tail.model = learner->serving.model;
		learner->tail.revision = revision;
		ranking_write_tail(project, &learner->tail);
		learner->late_stored = learner->ncandidates - learner->first_late;
	}
	if (learner->next != NULL)
		adopt(learner, revision);
	learner->news = 0;
	learner->fresh = false;
	learner->dirty = false;
	return true;
}
