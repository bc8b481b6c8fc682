/*-------------------------------------------------------------------------
 *
 * preparing.c
 *	  Features of a whole source, as the worker makes them: step by step.
 *
 * It reads the source in one transaction, then fits and encodes without any,
 * and writes block by block.  Meanwhile the quick parts of everybody's turns
 * are taken, but for the rows of this project: what is noted of them waits
 * for the end.  What was read may be older than a note or newer; taking a row
 * up twice does no harm.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/prepare.h"
#include "worker/encoding.h"
#include "worker/turn.h"
#include "worker/turn_internal.h"
#include "worker/worker.h"

#define PROGRESS_MS 2000
#define HELPER_ROWS (4 * BATCH_ROWS)	/* for fewer none is started */

int32		preparing = 0;

typedef enum Got
{
	GOT_LOCK,
	GOT_BUSY,
	GOT_NOTHING					/* what is prepared is good for nothing */
} Got;

typedef struct Preparing
{
	Turn	   *turn;
	int64		run;			/* 0: none */
	Preparation *preparation;
	EncodingTask task;
	ChangePlaces *places;		/* of changes; NULL: none */
	bool		more;			/* what a step has left */
	TimestampTz told;			/* progress */
} Preparing;

typedef void (*Step) (Preparing *preparing);

/* In the transaction that writes the rows. */
static void
count_rows(const Preparing *state)
{
	if (state->run != 0)
		run_rows(state->run, preparation_done(state->preparation),
				 preparation_rows(state->preparation));
}

static void
store_encoder(Preparing *state)
{
	preparation_encoder(state->preparation);
	count_rows(state);
}

static void
write_block(Preparing *state)
{
	preparation_write(state->preparation);
	count_rows(state);
}

static void
merge_blocks(Preparing *state)
{
	state->more = preparation_merge(state->preparation);
	if (state->more)
		preparation_write(state->preparation);
}

static void
finish(Preparing *state)
{
	preparation_finish(state->preparation);
	count_rows(state);
	changes_encoded(state->turn->project_id);
	if (state->places != NULL)
	{
		(void) changes_done(&state->turn->changes, state->places);
		if (state->turn->state.model != 0)
			change_note(state->turn->project_id, CHANGE_POOL, NULL, 0);
	}
}

static void
sweep(Preparing *state)
{
	/* what it shall have may be another by now */
	const Project *project = project_read_any(state->turn->project_id, false);

	state->more = project != NULL && features_sweep(project);
}

/*
 * Takes a step under the project's lock, in a transaction of its own, as soon
 * as nobody else has that.  What a step allocates is gone after it, so that
 * thousands do not add up.
 */
static bool
step_locked(Preparing *state, Step step, bool must_hold)
{
	TimestampTz started = GetCurrentTimestamp();
	Got			got;

	do
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop step",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext before = MemoryContextSwitchTo(context);
		bool		gone;

		transaction_begin();
		got = try_lock(state->turn, &gone) ? GOT_LOCK : gone ? GOT_NOTHING : GOT_BUSY;
		if (got == GOT_LOCK && must_hold && !preparation_holds(state->preparation))
			got = GOT_NOTHING;
		if (got == GOT_LOCK)
			step(state);
		transaction_commit();
		MemoryContextSwitchTo(before);
		MemoryContextDelete(context);
		if (got == GOT_BUSY)
			worker_nap(LOCK_NAP_MS);
		worker_heartbeat();
		turn_take_quickly();
	} while (got == GOT_BUSY &&
			 !TimestampDifferenceExceeds(started, GetCurrentTimestamp(), PATIENCE_MS));
	return got == GOT_LOCK;
}

static void
tell_progress(Preparing *state)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!TimestampDifferenceExceeds(state->told, now, PROGRESS_MS))
		return;
	state->told = now;
	start_step(state->turn, state->run,
			   psprintf("encoding " INT64_FORMAT " of " INT64_FORMAT " rows",
						preparation_done(state->preparation),
						preparation_rows(state->preparation)));
}

static bool
encode_rows(Preparing *state)
{
	while (preparation_encode(state->preparation))
	{
		if (!step_locked(state, write_block, true))
			return false;
		tell_progress(state);
	}
	do
	{
		if (!step_locked(state, merge_blocks, true))
			return false;
	} while (state->more);
	return true;
}

/* Others share the work, where it is much. */
static void
call_helpers(Preparing *state)
{
	int64		rows = preparation_rows(state->preparation);
	int			n = (int) Min(setting_encoding_workers - 1, rows / HELPER_ROWS);

	state->task = preparation_task(state->preparation);
	if (n > 0 && state->task.ahead_dims > 0)
		preparation_helpers(state->preparation, encoding_helpers(&state->task, n));
}

/* Replaced encoders, and those that nobody goes on with. */
static void
sweep_all(Preparing *state)
{
	do
		state->more = false;
	while (step_locked(state, sweep, false) && state->more);
}

static bool
take_steps(Preparing *state)
{
	Preparation *preparation = state->preparation;

	if (preparation_fits(preparation))
	{
		start_step(state->turn, state->run, "fitting features");
		preparation_fit(preparation);
	}
	if (preparation_renews(preparation))
		sweep_all(state);
	start_step(state->turn, state->run, "encoding");
	state->told = GetCurrentTimestamp();
	if (!step_locked(state, store_encoder, true))
		return false;
	call_helpers(state);
	return encode_rows(state) && step_locked(state, finish, true);
}

/*
 * What takes a while is a run also where it is no training: it can be seen, and
 * one that takes the server down is not begun over and over.
 */
static void
begin_run(Preparing *state)
{
	transaction_begin();
	if (project_try_keep(state->turn->project_id))
		state->run = run_begin(state->turn->project_id, state->turn->doing, "encoding");
	transaction_commit();
}

static void
end_run(const Preparing *state, bool done)
{
	transaction_begin();
	if (project_try_keep(state->turn->project_id))
		run_end(state->run, done ? "done" : "superseded", 0);
	transaction_commit();
}

static bool
prepare_rows(Preparing *state)
{
	bool		own_run = state->run == 0 && preparation_rows(state->preparation) > BLOCK_ROWS;
	bool		done;

	if (own_run)
		begin_run(state);
	done = take_steps(state);
	features_forget(state->turn->project_id);
	if (preparation_renews(state->preparation))
		sweep_all(state);
	if (own_run && state->run != 0)
		end_run(state, done);
	return done;
}

bool
prepare(Turn *turn, int64 run, bool may_refit, ChangePlaces *places)
{
	Preparing	state = {.turn = turn, .run = run, .places = places};
	MemoryContext context = AllocSetContextCreate(turn->context, "humanloop preparation",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	bool		done = false;

	litter_left();
	computing++;
	preparing = turn->project_id;
	start_step(turn, run, "reading the source");
	transaction_begin();
	if (extension_try_lock() && project_read(turn->project_id, false) != NULL)
		state.preparation = preparation_read(turn->project, may_refit);
	transaction_commit();
	if (state.preparation != NULL)
		done = prepare_rows(&state);
	preparing = 0;
	computing--;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return done;
}

void
preparations_clear(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop unswept",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	int32	   *projects = NULL;
	int			n = 0;

	transaction_begin();
	if (extension_try_lock())
		projects = features_unswept(&n);
	transaction_commit();
	for (int i = 0; i < n; i++)
	{
		bool		more;

		do
		{
			Project    *project;

			transaction_begin();
			project = extension_try_lock() ? project_read_any(projects[i], false) : NULL;
			more = project != NULL && project_try_lock(project) && features_sweep(project);
			transaction_commit();
			worker_heartbeat();
		} while (more);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}
