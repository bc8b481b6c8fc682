/*-------------------------------------------------------------------------
 *
 * turn.c
 *	  A project's turn: all that is due for it.
 *
 * A turn goes through rows of the source, labels, training, in this order,
 * each in the three steps read, compute, write: a short transaction, none, a
 * short one.  What a step has dealt with is deleted from hl_change in the
 * transaction that stores the result, so a turn may end anywhere.
 *
 * A training takes long, and so does a look at the whole source; meanwhile
 * people label.  Both ask about every tenth of a second whether they shall
 * stop (caller.c); that is when the quick parts of everybody's turns are
 * taken, those of the same project included, on the model that still serves.
 * What they learn is learned again on top of the new model when that has
 * taken over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "store/deploy.h"
#include "store/encoder_choice.h"
#include "store/fit.h"
#include "store/learner.h"
#include "store/pool.h"
#include "store/queue.h"
#include "store/rule_model.h"
#include "store/session.h"
#include "store/several.h"
#include "store/targets.h"
#include "store/trigger.h"
#include "store/wake.h"
#include "store/work.h"
#include "worker/turn.h"
#include "worker/turn_internal.h"
#include "worker/worker.h"

#define FIRST_LABELS 10			/* before the first training */
#define FIRST_PER_CLASS 2
#define RULES_CHANGED "rules changed"
#define QUIET_SHARE 10			/* the worker trains at most that part of the
								 * time, when it need not */

int			computing = 0;

bool		taking_quickly = false;

/* ---------------------------------------------------------------------- */
/* Transactions */

/* What is read in the transaction shall outlive it: here. */
static MemoryContext reading_context = NULL;

void
transaction_begin(void)
{
	reading_context = CurrentMemoryContext;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(reading_context);
}

void
transaction_commit(void)
{
	MemoryContext context = reading_context;

	if (CurrentMemoryContext != context)
		elog(ERROR, "a transaction of the worker has left its memory context");
	PopActiveSnapshot();
	SPI_finish();
	CommitTransactionCommand();
	(void) pgstat_report_stat(false);
	MemoryContextSwitchTo(context);
}

static char shown[256];			/* outside of quick turns */

void
report(const Turn *turn, const char *what)
{
	char	   *text = psprintf("%s: %s", turn->project->name, what);

	if (!turn->quick)
		strlcpy(shown, text, sizeof(shown));
	pgstat_report_activity(STATE_RUNNING, text);
}

/* A notification is sent at commit, and equal ones of a transaction once. */
void
notify(const Project *project, const char *event, int32 model, int32 revision)
{
	StringInfoData payload;

	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"event\": ");
	escape_json(&payload, event);
	appendStringInfoString(&payload, ", \"project\": ");
	escape_json(&payload, project->name);
	appendStringInfo(&payload, ", \"model\": %d, \"revision\": %d}", model, revision);
	Async_Notify("humanloop", payload.data);
}

/* ---------------------------------------------------------------------- */
/* What there is to do */

/* False: the project is gone, paused, or somebody is dropping the extension. */
static bool
read_turn(Turn *turn)
{
	bool		go;

	transaction_begin();
	go = extension_try_lock() &&
		(turn->project = project_read(turn->project_id, false)) != NULL &&
		!turn->project->paused && project_try_keep(turn->project_id);
	if (turn->project == NULL)
		learner_forget(turn->project_id);
	if (go)
	{
		work_read(turn->project_id, &turn->work);
		changes_read(turn->project_id, &turn->changes);
		if (turn->changes.resume)
			turn->work.train_at = turn->work.training_failed ? 0 : turn->work.train_at;
		project_need_source(turn->project);
		/* never looked at: restored from a dump, which has no features and no plans */
		if (!turn->work.known)
		{
			work_write(turn->project_id, &turn->work);
			change_note(turn->project_id, CHANGE_ENCODER, NULL, 0);
			change_note(turn->project_id, CHANGE_LABELS, NULL, 0);
			changes_read(turn->project_id, &turn->changes);
		}
		state_read(turn->project, &turn->state);
		turn->rescore = turn->changes.pool && turn->state.model != 0;
		project_follow(turn->project);
		privileges_sweep(turn->project_id);
		turn->distrusted = wake_distrusts(project_source_owner(turn->project));
		turn->tracked = triggers_sync(turn->project, false) && triggers_possible(turn->project);
	}
	transaction_commit();
	return go;
}

/* ---------------------------------------------------------------------- */
/* Rows of the source */

#define FEATURES_UNKNOWN (-1)

/* hl_serving.features as we have left it, of each project. */
typedef struct KnownFeatures
{
	int32		project_id;
	int64		features;
} KnownFeatures;

static HTAB *known_features = NULL;

static KnownFeatures *
find_known(int32 project_id)
{
	KnownFeatures *known;
	bool		found;

	if (known_features == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(int32), .entrysize = sizeof(KnownFeatures)};

		known_features = hash_create("humanloop known features", 64, &control,
									 HASH_ELEM | HASH_BLOBS);
	}
	known = hash_search(known_features, &project_id, HASH_ENTER, &found);
	if (!found)
		known->features = FEATURES_UNKNOWN;
	return known;
}

static int64
features_known(int32 project_id)
{
	return find_known(project_id)->features;
}

void
turns_reset(void)
{
	computing = 0;
	preparing = 0;
	training_project = 0;
	scoring = taking_quickly = false;
	if (known_features != NULL)
		hash_destroy(known_features);
	known_features = NULL;
}

static void
features_remember(int32 project_id, int64 features)
{
	find_known(project_id)->features = features;
}

void
features_forget(int32 project_id)
{
	features_remember(project_id, FEATURES_UNKNOWN);
}

void
features_moved(int32 project_id, int64 from, int64 to)
{
	if (features_known(project_id) == from)
		features_remember(project_id, to);
}

static bool
rows_changed(const Changes *changes)
{
	return changes->all_rows || changes->ninserted > 0 || changes->nchanged > 0;
}

/*
 * The whole source, compared with what is stored.  Before anything is encoded
 * only the seed batch has to be kept in step, and the labels of a source that
 * has some.
 */
static void
scan_rows(Turn *turn)
{
	Refreshed	refreshed;

	if (turn->state.encoder_id != 0 || turn->project->label_attnum != 0)
		features_refresh(turn->project, false, &refreshed);
	turn->rescore = true;
}

/* False: somebody else is at it. */
static bool
take_listed_rows(Turn *turn)
{
	const Changes *changes = &turn->changes;
	int			n = changes->ninserted + changes->nchanged;
	char	  **items = palloc_array_checked(char *, n);
	Refreshed	refreshed;

	memcpy(items, changes->inserted, sizeof(char *) * changes->ninserted);
	memcpy(items + changes->ninserted, changes->changed, sizeof(char *) * changes->nchanged);
	switch (features_take(turn->project, items, n, changes->nchanged == 0,
						  features_known(turn->project_id), false, &refreshed, &turn->added))
	{
		case TAKEN_BUSY:
			return false;
		case TAKEN_NOT:
			scan_rows(turn);
			break;
		case TAKEN:
			litter_left();
			turn->added_encoder = refreshed.encoder_id;
			turn->rescore = targets_sort_out(turn->project, items, n, &turn->added) ||
				turn->rescore || turn->state.model == 0 ||
				/* a pool that is being scored has found them as they were */
				(computing > 0 && turn->project->options.targets != NULL);
			break;
	}
	return true;
}

/* What there is to do after rows were taken up, and meanwhile. */
static void
read_again(Turn *turn)
{
	forget_rest(turn, &turn->changes.rows_places);
	transaction_begin();
	if (extension_try_lock())
	{
		work_read(turn->project_id, &turn->work);
		changes_read(turn->project_id, &turn->changes);
		state_read(turn->project, &turn->state);
	}
	transaction_commit();
	turn->done_something = true;
}

/* Too many were changed to be listed, or have never been taken up. */
static void
take_all_rows(Turn *turn)
{
	bool		go;

	turn->doing = "rows";
	transaction_begin();
	go = project_try_lock(turn->project);
	if (go)
		rules_outdate(turn->project);
	transaction_commit();
	if (!go || !prepare(turn, 0, false, &turn->changes.rows_places))
		return;
	/* it knows the rows of labelled items as they were */
	learner_forget(turn->project_id);
	turn->rescore = true;
	read_again(turn);
}

/* Encodes what is new.  Reads listed rows, so it takes a short transaction. */
static void
take_rows(Turn *turn)
{
	const ProjectState *state = &turn->state;
	bool		all = turn->changes.all_rows || state->encoder_id == 0;
	bool		taken = false;

	if (all && (state->encoder_id != 0 || turn->project->label_attnum != 0))
	{
		if (!turn->quick)
			take_all_rows(turn);
		return;
	}
	turn->doing = "rows";
	report(turn, "taking up rows of the source");
	transaction_begin();
	if (project_try_lock(turn->project))
	{
		if (turn->changes.all_rows)
			scan_rows(turn);
		taken = turn->changes.all_rows || take_listed_rows(turn);
	}
	if (taken)
		take_rules(turn);
	if (taken)
	{
		(void) changes_done(&turn->changes, &turn->changes.rows_places);
		if (turn->state.model != 0)
			change_note(turn->project_id, CHANGE_POOL, NULL, 0);
		ranking_forget(turn->project, turn->added.gone, turn->added.ngone);
		state_read(turn->project, &turn->state);
		/* a scan may have met rows whose INSERT is still listed */
		features_remember(turn->project_id,
						  turn->rescore ? FEATURES_UNKNOWN : turn->state.features);
	}
	transaction_commit();
	/* the label column may have said something new, too */
	if (taken)
		read_again(turn);
}

/* ---------------------------------------------------------------------- */
/* Labels */

/*
 * After a failed training: when it is tried again, whatever people label
 * meanwhile.
 */
static const char *
reason_to_retry(const Turn *turn)
{
	const Work *work = &turn->work;

	return work->train_at != DT_NOEND && work->train_at <= GetCurrentTimestamp() ?
		"next try" : NULL;
}

static const char *
reason_to_train(const Turn *turn)
{
	const LabelCounts *counts = &turn->counts;
	const Work *work = &turn->work;

	if (turn->state.model == 0)
	{
		/* a rare class must not keep people waiting with an empty queue */
		bool		enough = counts->least >= FIRST_PER_CLASS || counts->queue_empty;

		if (counts->labelled >= FIRST_LABELS && counts->classes >= 2 && enough &&
			counts->labelled > work->tried_labels)
			return "first labels";
		return rules_changed(turn->project) && rules_suffice(turn->project, FIRST_LABELS) ?
			RULES_CHANGED : NULL;
	}
	if (turn->state.items > 0 && rules_changed(turn->project) &&
		(counts->classes >= 2 || rules_suffice(turn->project, FIRST_LABELS)))
		return RULES_CHANGED;
	/* the encoder was fitted anew, as that of the model cannot read the input any more */
	if (turn->state.encoder_id != turn->state.model_encoder && turn->state.items > 0 &&
		counts->classes >= 2)
		return "input changed";
	if (counts->classes < 2)
		return NULL;
	if (turn->state.items > 0 &&
		encoder_change_due(turn->project, turn->state.model_encoder))
		return "encoder changed";
	/* the model that serves answers by the new names, but has learned the old classes */
	if (turn->state.outnamed)
		return "classes changed";
	if (counts->labelled >= ceil(work->tried_labels * turn->project->options.train_growth))
		return psprintf("labels grew from %d to %d", work->tried_labels, counts->labelled);
	if (counts->new_class && counts->labelled > work->tried_labels)
		return "new class";
	if (turn->state.encoder_id != 0 &&
		encoder_outgrown(turn->state.encoder_id, turn->state.items))
		return psprintf("source grew to " INT64_FORMAT " rows", turn->state.items);
	if (encoder_choice_due(turn->project))
		return ENCODERS_COMPARED;
	/* last, as a quick turn that finds one of the others plans it for now */
	if (work->train_at != DT_NOEND && work->train_at <= GetCurrentTimestamp())
		return "quiet";
	return NULL;
}

/* When to train, from the labels there are. */
static void
plan_training(Turn *turn)
{
	const Changes *changes = &turn->changes;
	Work	   *work = &turn->work;
	int			labels;
	double		seconds;

	models_last(turn->project_id, &labels, &seconds);
	if (changes->model)
	{
		/* whatever has failed before, this one is there */
		work->train_at = DT_NOEND;
		work->training_failed = false;
	}
	/* somebody may have called hl_train(): that is where we count from */
	if (changes->model || work->tried_labels == 0)
		work->tried_labels = Max(work->tried_labels, labels);
	if (work->training_failed)
		turn->reason = reason_to_retry(turn);
	else
	{
		turn->reason = reason_to_train(turn);
		/* with labels of one class there is nothing to train, until there are others */
		if (turn->reason == NULL && turn->counts.classes < 2)
			work->train_at = DT_NOEND;
		/* each answer puts the training after a quiet time off */
		else if (turn->reason == NULL && turn->state.model != 0 && turn->counts.behind > 0 &&
				 (changes->all_labels || changes->nlabelled > 0 ||
				  (changes->model && turn->counts.labelled > work->tried_labels)))
			work->train_at = GetCurrentTimestamp() +
				(int64) (Max(turn->project->options.train_quiet, QUIET_SHARE * seconds) * 1e6);
	}
	/* a quick turn does not train: the next whole one does */
	if (turn->reason != NULL)
		work->train_at = GetCurrentTimestamp();
}

void
forget_rest(const Turn *turn, ChangePlaces *places)
{
	while (places->n > 0)
	{
		transaction_begin();
		if (!extension_try_lock())
			places->n = 0;
		else
			(void) changes_done(&turn->changes, places);
		transaction_commit();
		worker_heartbeat();
	}
}

/* Which of the items that were answered need another answer. */
static void
repeat_labels(Turn *turn)
{
	if (turn->changes.all_labels)
		repeats_write(turn->project, NULL, 0);
	else if (turn->changes.nlabelled > 0)
		repeats_write(turn->project, turn->changes.labelled, turn->changes.nlabelled);
}

/* Without a model there is nothing to update: only to count. */
static void
count_labels(Turn *turn)
{
	bool		counted;

	transaction_begin();
	/* what needs another answer is written under the project's lock, see repeats_write() */
	counted = several_wanted(turn->project) ? project_try_lock(turn->project) :
		project_try_keep(turn->project_id);
	if (counted)
	{
		labels_count(turn->project, &turn->counts);
		repeat_labels(turn);
		plan_training(turn);
		work_write(turn->project_id, &turn->work);
		(void) changes_done(&turn->changes, &turn->changes.label_places);
		if (turn->state.model == 0)
			(void) changes_done(&turn->changes, &turn->changes.pool_places);
		work_succeeded(turn->project_id, false);
		turn->done_something = turn->done_something || turn->changes.any;
	}
	transaction_commit();
	if (counted)
		forget_rest(turn, &turn->changes.label_places);
}

/*
 * Either the new rows are in the tail of the queue, or the pool is to be
 * scored: that is kept, as the worker may end before it has done so.
 */
static void
mark_pool(Turn *turn)
{
	if (!turn->rescore)
		(void) changes_done(&turn->changes, &turn->changes.pool_places);
	else if (!turn->changes.pool)
		change_note(turn->project_id, CHANGE_POOL, NULL, 0);
}

static void
learn_labels(Turn *turn)
{
	Learner    *learner;
	bool		stored;

	turn->doing = "update";
	report(turn, "learning labels");
	learner_rows_changed(turn->project_id, &turn->added);
	transaction_begin();
	/* whoever has the lock would have us compute in vain */
	learner = project_try_lock(turn->project) ? learner_read(turn->project, &turn->changes) : NULL;
	transaction_commit();
	if (learner == NULL)
		return;
	if (!learner_add_rows(learner, turn->added_encoder, &turn->added))
		turn->rescore = true;
	learner_compute(learner);
	transaction_begin();
	stored = project_try_lock(turn->project) && learner_write(learner, turn->project);
	if (stored)
	{
		learner_counts(learner, &turn->counts);
		repeat_labels(turn);
		plan_training(turn);
		work_write(turn->project_id, &turn->work);
		(void) changes_done(&turn->changes, &turn->changes.label_places);
		if (turn->changes.model || learner_stored(learner))
			notify(turn->project, turn->changes.model ? "deployed" : "queue",
				   learner_model(learner), learner_revision(learner));
		work_succeeded(turn->project_id, turn->changes.model);
		turn->rescore = turn->rescore || learner_wants_pool(learner) ||
			(turn->changes.model && !ranking_is_of(turn->project, learner_model(learner)));
		mark_pool(turn);
		turn->done_something = true;
	}
	transaction_commit();
	if (stored)
		forget_rest(turn, &turn->changes.label_places);
}

/* ---------------------------------------------------------------------- */
/* A turn */

static void
take_steps(Turn *turn)
{
	if (!read_turn(turn))
		return;
	/* it waits for a turn in the middle of nothing */
	if (turn->quick && turn->distrusted)
		return;
	if (rows_changed(&turn->changes) && preparing != turn->project_id)
		take_rows(turn);
	if (!turn->quick)
		evaluate_rules(turn);
	if (turn->state.model == 0 ||
		(!turn->changes.any && turn->added.n + turn->added.ngone == 0))
		count_labels(turn);
	else
		learn_labels(turn);
	if (turn->state.model != 0 && (turn->changes.any || turn->added.n > 0))
		watch_drift(turn);
	if (turn->rescore && turn->state.model == 0)
		choose_seeds(turn);
	if (turn->reason != NULL && !turn->quick)
		train(turn);
	/* also while somebody trains: the queue must not run dry */
	if (may_rescore(turn))
		rescore(turn);
}

static void
complain(const Turn *turn, const ErrorData *error, const char *hint)
{
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("humanloop worker: project \"%s\": %s",
					turn->project == NULL ? "?" : turn->project->name, error->message),
			 error->detail_log ? errdetail_internal("%s", error->detail_log) :
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 errhint("%s", hint)));
}

/*
 * Records the error in a transaction of its own.  The log gets the first of a
 * kind; a project that fails for weeks must not fill it.
 */
static void
record_failure(Turn *turn, const ErrorData *error)
{
	bool		first = false;
	bool		recorded;

	learner_forget(turn->project_id);
	transaction_begin();
	recorded = project_try_keep(turn->project_id);
	if (recorded && (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
					 (turn->project != NULL && project_moved(turn->project))))
		work_busy(turn->project_id, turn->doing);
	else if (recorded)
		first = work_failed(turn->project_id, turn->doing, error);
	transaction_commit();
	/* somebody drops the project; without a record it would fail again at once */
	if (!recorded)
		worker_nap(LOCK_NAP_MS);
	else
		work_release(turn->project_id);
	if (first)
		complain(turn, error, "The view hl_projects says when it is tried again; hl_resume() does so at once.");
}

/*
 * The disk may be full, or the extension gone meanwhile.  Without a record it
 * would be tried again at once, and again.
 */
static void
record_safely(Turn *turn, const ErrorData *error)
{
	PG_TRY();
	{
		record_failure(turn, error);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(turn->context);
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(turn->context);
		complain(turn, error, "It is not recorded, and tried again in a while; hl_resume() does so at once.");
		work_hold(turn->project_id);
	}
	PG_END_TRY();
}

static bool
take(int32 project_id, bool quick)
{
	MemoryContext before = CurrentMemoryContext;
	int			outer = computing;
	int32		outer_preparing = preparing;
	int32		outer_training = training_project;
	bool		outer_scoring = scoring;
	bool		outer_quick = taking_quickly;
	Turn	   *turn;
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "humanloop turn",
												  ALLOCSET_DEFAULT_SIZES);
	bool		done;

	MemoryContextSwitchTo(context);
	turn = palloc0(sizeof(Turn));
	turn->project_id = project_id;
	turn->context = context;
	turn->quick = quick;
	turn->doing = "turn";
	PG_TRY();
	{
		take_steps(turn);
		work_release(project_id);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(context);
		record_safely(turn, error);
		turn->done_something = true;
	}
	PG_END_TRY();
	computing = outer;
	preparing = outer_preparing;
	training_project = outer_training;
	scoring = outer_scoring;
	taking_quickly = outer_quick;
	done = turn->done_something;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return done;
}

bool
turn_take(int32 project_id)
{
	return take(project_id, false);
}

/* Whoever has something to learn, one after another. */
static void
take_all_quickly(void)
{
	TimestampTz next;
	int32	   *due = NULL;
	int			n = 0;

	wake_worker_looks();
	transaction_begin();
	if (extension_try_lock())
		due = work_due(&n, &next);
	transaction_commit();
	for (int i = 0; i < n; i++)
		(void) take(due[i], true);
}

/*
 * While everybody labels there is always something to learn.  A training gets
 * as much time as the turns between its steps.
 */
void
turn_take_quickly(void)
{
	static TimestampTz ended = 0;
	static TimestampTz took = 0;
	TimestampTz started = GetCurrentTimestamp();
	MemoryContext before = CurrentMemoryContext;
	MemoryContext context;

	if (taking_quickly || computing == 0 || !wake_worker_wanted() ||
		(started >= ended && started - ended < took))
		return;
	taking_quickly = true;
	context = AllocSetContextCreate(TopMemoryContext, "humanloop quick turns",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		take_all_quickly();
	}
	PG_FINALLY();
	{
		taking_quickly = false;
		pgstat_report_activity(STATE_RUNNING, shown);
		MemoryContextSwitchTo(before);
		MemoryContextDelete(context);
	}
	PG_END_TRY();
	ended = GetCurrentTimestamp();
	took = ended - started;
}
