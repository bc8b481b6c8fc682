/*-------------------------------------------------------------------------
 *
 * training.c
 *	  A full training, as the worker runs it: step by step.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "store/encoder_choice.h"
#include "store/pool.h"
#include "store/queue.h"
#include "store/train.h"
#include "store/work.h"
#include "worker/turn.h"
#include "worker/turn_internal.h"
#include "worker/worker.h"

#define WORKER_NAME "worker"

int32		training_project = 0;

void
start_step(const Turn *turn, int64 run, const char *step)
{
	report(turn, psprintf("%s: %s", strcmp(turn->doing, "train") == 0 ? "training" : turn->doing,
						  step));
	if (run == 0)
		return;
	transaction_begin();
	if (project_try_keep(turn->project_id))
		run_step(run, step);
	transaction_commit();
}

bool
try_lock(const Turn *turn, bool *gone)
{
	Oid			extension = get_extension_oid("humanloop", true);

	*gone = !OidIsValid(extension);
	if (*gone || !extension_try_lock())
		return false;
	if (project_try_lock(turn->project))
		return true;
	*gone = project_read(turn->project_id, false) == NULL;
	return false;
}

/* What quick turns have planned meanwhile stays planned. */
static void
replan(Turn *turn, const Training *training)
{
	Work		work;

	work_read(turn->project_id, &work);
	work.tried_labels = training->consensus.n;
	if (work.train_at <= GetCurrentTimestamp())
		work.train_at = DT_NOEND;
	work_write(turn->project_id, &work);
}

/*
 * Stores what was trained, in one short transaction, when nobody is at the
 * project.  Superseded: somebody has trained, fitted features or renamed classes
 * meanwhile, perhaps from more than we have seen; the plan is made anew.  Rows that have
 * gone meanwhile are taken out of the ranking: false, the pool has them still.
 */
static bool
write_training(Turn *turn, Training *training, int64 run)
{
	TimestampTz started = GetCurrentTimestamp();
	const char *outcome = NULL;
	bool		same_rows = true;
	bool		renamed = false;

	while (outcome == NULL)
	{
		ProjectState state;
		bool		gone;

		transaction_begin();
		if (try_lock(turn, &gone))
		{
			state_read(turn->project, &state);
			if (state.model != training->replaces ||
				state.encoder_id != training->features.encoder_id)
				outcome = "superseded";
			else if (state.class_changes != training->class_changes)
			{
				/* what was trained has the names of before: once more */
				char	   *nothing = NULL;

				outcome = "superseded";
				renamed = true;
				change_note(turn->project_id, CHANGE_LABELS, &nothing, 0);
			}
			else
			{
				train_write(training, WORKER_NAME, turn->reason);
				same_rows = state.features == training->features.state.features &&
					!targets_moved(turn->project);
				if (training->deploy && !same_rows)
					ranking_check(project_read(turn->project_id, false));
				outcome = training->deploy ? "done" : "rejected";
			}
			turn->deployed = training->number > 0 && training->deploy;
			if (turn->deployed)
				(void) changes_done(&turn->changes, &turn->changes.pool_places);
			if (!renamed)
				replan(turn, training);
			work_succeeded(turn->project_id, true);
			run_end(run, outcome, training->number);
		}
		else if (gone)
			outcome = "dropped";
		else if (TimestampDifferenceExceeds(started, GetCurrentTimestamp(), PATIENCE_MS) &&
				 project_try_keep(turn->project_id))
		{
			/* whoever has the lock trains; others have waited long enough */
			outcome = "superseded";
			run_end(run, outcome, 0);
		}
		transaction_commit();
		if (outcome == NULL)
		{
			worker_nap(LOCK_NAP_MS);
			turn_take_quickly();
		}
	}
	return same_rows;
}

/* What the pool's candidates look like to the model need not be made again. */
static void
offer_pool(const Turn *turn, Training *training)
{
	transaction_begin();
	if (project_try_keep(turn->project_id))
		learner_offer_pool(turn->project, training->number,
						   ranking_generation(turn->project, RANKING_REST_PART),
						   training->pool_features);
	transaction_commit();
}

/*
 * Features to train on: what is stored is up to date where triggers tell what
 * changes, else the source is compared with it.  Twice, where that shows that
 * the encoder is outgrown.
 */
static bool
prepare_features(Turn *turn, int64 run)
{
	bool		current = false;

	for (int tries = 0; tries < 2 && !current; tries++)
	{
		bool		compared = turn->tracked || tries > 0;
		Refreshed	features;

		transaction_begin();
		current = compared && extension_try_lock() && features_current(turn->project, true, &features);
		transaction_commit();
		if (!current && !prepare(turn, run, true, NULL))
			return false;
	}
	return true;
}

typedef enum Compared
{
	COMPARED_FAILED,			/* it came to nothing */
	COMPARED_SAME,
	COMPARED_OTHER				/* another encoder is better; there are features of it */
} Compared;

/*
 * Compares the encoders there are, on features of the one that there is.  Nobody
 * waits for his first model because of that.
 */
static Compared
choose_encoder(Turn *turn, int64 run)
{
	EncoderChoice *choice = NULL;
	Refreshed	features;
	bool		other = false;
	bool		go;

	if (turn->state.model == 0)
		return COMPARED_SAME;
	transaction_begin();
	go = project_try_lock(turn->project);
	if (go && features_current(turn->project, true, &features))
		choice = encoder_choice_read(turn->project, &features);
	if (go && choice == NULL && encoder_choice_due(turn->project))
		encoder_choice_skip(turn->project);
	transaction_commit();
	if (choice == NULL)
		return go ? COMPARED_SAME : COMPARED_FAILED;
	computing++;
	start_step(turn, run, "comparing encoders");
	encoder_choice_compute(choice);
	computing--;
	transaction_begin();
	go = project_try_lock(turn->project);
	if (go)
		other = encoder_choice_write(choice);
	transaction_commit();
	if (!go || (other && !prepare_features(turn, run)))
		return COMPARED_FAILED;
	return other ? COMPARED_OTHER : COMPARED_SAME;
}

/* A run that ends without a model. */
static void
end_early(const Turn *turn, int64 run, const char *outcome)
{
	transaction_begin();
	if (project_try_keep(turn->project_id))
		run_end(run, outcome, 0);
	transaction_commit();
}

static void
give_up(const Turn *turn, int64 run)
{
	end_early(turn, run, "superseded");
}

/*
 * Compared, and found that all is well.  This may have taken the place of a training
 * that was planned: the next turn looks at all labels and plans anew.
 */
static void
end_compared(Turn *turn, int64 run)
{
	Work		work;

	end_early(turn, run, "done");
	transaction_begin();
	if (project_try_keep(turn->project_id))
	{
		work_read(turn->project_id, &work);
		work.train_at = DT_NOEND;
		work_write(turn->project_id, &work);
		change_note(turn->project_id, CHANGE_LABELS, NULL, 0);
		work_succeeded(turn->project_id, true);
	}
	transaction_commit();
	turn->done_something = true;
}

/* Features of the right encoder are there; false: the run has ended without a model. */
static bool
ready_to_train(Turn *turn, int64 run)
{
	Compared	compared = COMPARED_FAILED;

	if (prepare_features(turn, run))
		compared = choose_encoder(turn, run);
	if (compared == COMPARED_FAILED)
		give_up(turn, run);
	else if (compared == COMPARED_SAME && strcmp(turn->reason, ENCODERS_COMPARED) == 0)
		end_compared(turn, run);
	else
		return true;
	return false;
}

void
train(Turn *turn)
{
	Training   *training = palloc0(sizeof(Training));
	bool		go;
	int64		run = 0;

	turn->doing = "train";
	report(turn, psprintf("training: %s", turn->reason));
	transaction_begin();
	go = project_try_lock(turn->project);
	if (go)
		run = run_begin(turn->project_id, "train", "reading");
	transaction_commit();
	if (!go)
		return;
	if (!turn->tracked)
		follow_rules(turn);
	if (!ready_to_train(turn, run))
		return;
	transaction_begin();
	go = project_try_lock(turn->project);
	if (go)
	{
		train_read(training, turn->project, false);
		/* what is marked by now is scored with the pool */
		changes_read(turn->project_id, &turn->changes);
	}
	transaction_commit();
	if (!go)
	{
		give_up(turn, run);
		return;
	}

	computing++;
	training_project = turn->project_id;
	start_step(turn, run, "fitting");
	train_compute(training);
	transaction_begin();
	extension_keep();
	train_compare(training);
	transaction_commit();
	if (training->deploy)
	{
		start_step(turn, run, "scoring the pool");
		scan_pool(train_rank_begin(training));
		train_rank_end(training);
	}
	start_step(turn, run, "writing");
	if (write_training(turn, training, run) && turn->deployed)
		offer_pool(turn, training);
	computing--;
	training_project = 0;
	turn->done_something = true;
}
