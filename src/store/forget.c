/*-------------------------------------------------------------------------
 *
 * forget.c
 *	  What a learner forgets when rows of the source change.
 *
 * Its candidates and the features of what it learns from are made from rows as
 * they were.  One that is gone is not asked about any more, and nothing is
 * learned from it; of one that has changed the features are made anew.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/learner_internal.h"

/* So that read_learned_features looks for its row again, or never. */
static void
forget_features(Learner *learner, const char *item, bool gone)
{
	LearnedItem *learned = learned_lookup(learner->items, item_key(item));

	if (learned == NULL)
		return;
	if (learned->dense != NULL)
	{
		pfree(learned->dense);
		pfree(learned->terms);
		learned->dense = NULL;
		learned->terms = NULL;
	}
	learned->gone = gone;
	if (learned->before != learned->now)
	{
		learner->dirty = true;
		learner->news++;
	}
}

/* For good: a label that is taken back does not bring it back. */
static void
forget_candidate(Learner *learner, const char *item)
{
	ItemKey		key = item_key(item);
	CandidateEntry *entry = candidate_lookup(learner->places, key);

	if (entry == NULL)
		return;
	if (!learner->excluded[entry->place])
		learner->nfree--;
	learner->excluded[entry->place] = true;
	learner->dirty = true;
	candidate_delete(learner->places, key);
}

void
learner_rows_changed(int32 project_id, const NewRows *rows)
{
	Learner    *learner = learner_find(project_id);

	if (learner == NULL)
	{
		/* nor what waits for one */
		if (rows->ngone > 0)
			learner_forget(project_id);
		return;
	}
	for (int i = 0; i < rows->n; i++)
		forget_features(learner, rows->items[i], false);
	for (int i = 0; i < rows->ngone; i++)
	{
		forget_features(learner, rows->gone[i], true);
		forget_candidate(learner, rows->gone[i]);
	}
}
