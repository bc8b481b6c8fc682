/*-------------------------------------------------------------------------
 *
 * scoring.c
 *	  Ranks the pool of a project anew, as the worker does it: step by step.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "store/cache.h"
#include "store/learner.h"
#include "store/pool.h"
#include "store/queue.h"
#include "store/session.h"
#include "store/train.h"
#include "store/work.h"
#include "worker/turn.h"
#include "worker/turn_internal.h"
#include "worker/worker.h"

#define RANK_BLOCKS 8			/* of the pool, in one transaction */

bool		scoring = false;

void
scan_pool(PoolScan *scan)
{
	bool		more = true;

	while (more)
	{
		transaction_begin();
		extension_keep();
		more = pool_scan_some(scan, RANK_BLOCKS);
		transaction_commit();
		worker_heartbeat();
		turn_take_quickly();
	}
}

void
choose_seeds(Turn *turn)
{
	const Project *project = turn->project;
	Refreshed	features;

	transaction_begin();
	if (project_try_lock(project))
	{
		ranking_check(project);
		if (!seed_complete(project))
		{
			if (features_current(project, false, &features))
				queue_rebuild(project, &features);
			else
				seed_refill(project);
		}
	}
	transaction_commit();
}

/*
 * As soon as nobody has the project's lock, unless that takes too long.
 * Whoever has ranked the pool meanwhile may have seen rows that we have not:
 * then the marks stay, and it is scored once more.  Rows that have gone
 * meanwhile are taken out of the ranking, and what it was made from is read again.
 * One that was made with another condition than holds now is forgotten.
 */
static void
write_ranking(Turn *turn, int32 model, int64 features, const Ranking *ranking,
			  const Ranking *targets, PoolFeatures *pool)
{
	const Project *project = turn->project;
	TimestampTz started = GetCurrentTimestamp();
	int64		generation = 0;
	bool		same_rows = true;
	bool		done = false;

	while (!done && !TimestampDifferenceExceeds(started, GetCurrentTimestamp(), PATIENCE_MS))
	{
		ProjectState state;

		transaction_begin();
		done = project_try_lock(project);
		if (done)
		{
			state_read(project, &state);
			if (state.model == model && !ranking_outdated(project, ranking) &&
				!targets_moved(project))
			{
				char	   *nothing = NULL;

				ranking_write(project, ranking, targets);
				same_rows = state.features == features;
				if (!same_rows || project->options.targets != NULL)
					ranking_check(project);
				(void) changes_done(&turn->changes, &turn->changes.pool_places);
				generation = ranking_generation(project, RANKING_REST_PART);
				/* a later revision would order the head otherwise */
				if (state.revision != ranking->revision)
					change_note(project->id, CHANGE_LABELS, &nothing, 0);
				notify(project, "queue", state.model, ranking->revision);
			}
		}
		transaction_commit();
		if (!done)
			worker_nap(LOCK_NAP_MS);
	}
	if (generation == 0 || !same_rows)
		return;
	transaction_begin();
	if (project_try_keep(turn->project_id))
		learner_offer_pool(project, model, generation, pool);
	transaction_commit();
}

/* Ranks the pool anew with the model that serves. */
void
rescore(Turn *turn)
{
	const Project *project = turn->project;
	Refreshed	features;
	Consensus	consensus;
	Serving		serving;
	PoolScan   *scan = NULL;
	Ranking		ranking;
	Ranking		targets;
	PoolFeatures *pool;

	turn->doing = "score";
	report(turn, "scoring the pool");
	transaction_begin();
	extension_keep();
	if (features_current(project, false, &features) &&
		serving_open(project, false, turn->context, &serving) &&
		serving.encoder_id == features.encoder_id)
	{
		consensus_read(project, &consensus);
		scan = pool_scan_begin(project, &features, serving.classifier,
							   labelled_items(&consensus, turn->context),
							   targets_read(project, turn->context));
		/* what is marked by now is scored now */
		changes_read(turn->project_id, &turn->changes);
	}
	else if (training_project != turn->project_id && project_try_lock(project))
	{
		/* features of another encoder: the next training ranks them */
		ranking_check(project);
		(void) changes_done(&turn->changes, &turn->changes.pool_places);
	}
	transaction_commit();
	if (scan == NULL)
		return;
	computing++;
	scoring = true;
	/* of a quick turn, too: others go on to learn */
	taking_quickly = false;
	scan_pool(scan);
	pool = pool_scan_end(scan, serving.classes, &ranking, &targets);
	taking_quickly = turn->quick;
	scoring = false;
	computing--;
	ranking.model = serving.model;
	ranking.revision = serving.revision;
	write_ranking(turn, serving.model, features.state.features, &ranking, &targets, pool);
	turn->done_something = true;
}

/*
 * Not while a pool is scored further up: it may be the same, and whoever is
 * scored in the middle of that keeps all others waiting.  Nor while the rows
 * are being prepared: that is followed by it.
 */
bool
may_rescore(const Turn *turn)
{
	return turn->rescore && turn->state.model != 0 && !turn->deployed && !scoring &&
		preparing != turn->project_id;
}
