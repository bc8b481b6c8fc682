/*-------------------------------------------------------------------------
 *
 * prepare.c
 *	  Brings the features of a project up to date in many short transactions.
 *
 * For a background worker, who has to stay out of the way: for a million rows
 * it takes a minute to fit an encoder and to encode, and whoever held a
 * snapshot or the project's lock for so long would stop VACUUM, DROP DATABASE
 * and hl_train().
 *
 * A new encoder's blocks are nobody's until hl_serving names it, in the last
 * step.  Whoever finds them before goes on with them, see unfinished.h: they are
 * compared with the source as those of the encoder in use are.
 *
 * Those are written as they come, with the places of older versions marked in
 * the same transaction, so that they are in order after each; what we compare
 * with is what we have left, which is known by hl_serving.features.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "store/cache.h"
#include "store/caller.h"
#include "store/copy.h"
#include "store/fit.h"
#include "store/prepare.h"
#include "store/refresh_internal.h"
#include "store/session.h"
#include "store/unfinished.h"

#define FULL_BYTES (8 * 1024 * 1024)	/* of packed n-grams in a block */
#define ERASE_BLOCKS 8			/* written again at a time */

struct Preparation
{
	MemoryContext context;		/* this and all below */
	const Project *project;
	Oid			extension;
	ProjectState start;			/* as we found it, or left it */
	bool		renews;			/* by an encoder that is not in use yet */
	int64		encoder_id;		/* 0: it is to be fitted */
	char	   *wanted;			/* what the project's encoder shall be */
	EncoderPlan *plan;			/* of the encoder that is fitted */
	SourceCopy *copy;			/* rows to be encoded */
	FittedEncoder *fitted;
	Refreshed	features;
	RefreshState state;
};

/* ---------------------------------------------------------------------- */
/* Reading */

static void
read_row(const SourceRow *row, void *argument)
{
	Preparation *preparation = argument;

	if (refresh_meet(&preparation->state, row))
		source_copy_add(preparation->copy, row);
}

static void
compare_source(Preparation *preparation)
{
	Refreshed  *features = &preparation->features;

	features->encoder = NULL;
	refresh_init(&preparation->state, preparation->project, features);
	features->encoder_id = preparation->encoder_id;
	if (preparation->encoder_id != 0)
	{
		features->encoder = encoder_open(features->encoder_id, false, preparation->context);
		refresh_read_blocks(&preparation->state);
	}
	preparation->copy = source_copy_begin();
	source_scan(preparation->project, READ_AS_OWNER, NULL, false, read_row, preparation);
	refresh_forget_unseen(&preparation->state);
}

/* It cannot read the input any more. */
static bool
encoder_unfit(const Project *project, int64 encoder_id)
{
	return !encoder_suits(encoder_open(encoder_id, false, CurrentMemoryContext), project);
}

/* What there is is not what the project shall have, or not any more. */
static bool
encoder_to_renew(const Project *project, const ProjectState *start, bool may_refit)
{
	return start->encoder_id == 0 || encoder_unfit(project, start->encoder_id) ||
		(may_refit && (encoder_outgrown(start->encoder_id, start->items) ||
					   !encoder_is_wanted(project, start->encoder_id)));
}

/* With what was read it turns out that the encoder does not do. */
static bool
encoder_failed(const Preparation *preparation)
{
	const Refreshed *features = &preparation->features;

	return features->misfit ||
		(preparation->renews &&
		 encoder_outgrown(preparation->encoder_id,
						  features->items + source_copy_rows(preparation->copy)));
}

Preparation *
preparation_read(const Project *project, bool may_refit)
{
	Preparation *preparation = palloc0(sizeof(Preparation));
	ProjectState *start = &preparation->start;

	project_need_source(project);
	blas_load();
	preparation->context = CurrentMemoryContext;
	preparation->project = project;
	preparation->extension = extension_oid();
	state_read(project, start);
	preparation->wanted = encoder_wanted(project);
	preparation->encoder_id = start->encoder_id;
	preparation->renews = encoder_to_renew(project, start, may_refit);
	if (preparation->renews)
	{
		preparation->encoder_id = unfinished_encoder(project);
		if (preparation->encoder_id != 0 && encoder_unfit(project, preparation->encoder_id))
			preparation->encoder_id = 0;
	}
	preparation->features.state = *start;
	compare_source(preparation);
	if (preparation->encoder_id != 0 && encoder_failed(preparation))
	{
		/* all rows are needed */
		source_copy_close(preparation->copy);
		MemoryContextDelete(preparation->state.context);
		preparation->renews = true;
		preparation->encoder_id = 0;
		compare_source(preparation);
	}
	if (preparation->encoder_id == 0)
		preparation->plan = encoder_plan(project, preparation->wanted);
	return preparation;
}

bool
preparation_fits(const Preparation *preparation)
{
	return preparation->encoder_id == 0;
}

bool
preparation_renews(const Preparation *preparation)
{
	return preparation->renews;
}

int64
preparation_done(const Preparation *preparation)
{
	return preparation->state.encoded;
}

int64
preparation_rows(const Preparation *preparation)
{
	return source_copy_rows(preparation->copy);
}

/* ---------------------------------------------------------------------- */
/* Computing */

static void
feed_from_copy(SourceCallback callback, void *state, void *copy)
{
	SourceRow	row;

	source_copy_rewind(copy);
	while (source_copy_next(copy, &row))
		callback(&row, state);
}

void
preparation_fit(Preparation *preparation)
{
	preparation->fitted = encoder_compute(preparation->plan, feed_from_copy,
										  preparation->copy);
}

/* There is no room for the rows that may come at once: only in a transaction is more made. */
static bool
block_is_full(const RefreshState *state)
{
	const BlockWriter *writer = &state->writer;
	int			at_once = state->batch.ahead_dims > 0 ? BATCH_ROWS : 1;

	return writer->rows + at_once > BLOCK_ROWS ||
		(writer->rows > 0 && writer->terms.len > FULL_BYTES);
}

/*
 * Rows that helpers have come before others are read, so that they are never long
 * without any; after the last row only theirs are left.
 */
bool
preparation_encode(Preparation *preparation)
{
	RefreshState *state = &preparation->state;
	MemoryContext before = MemoryContextSwitchTo(preparation->context);
	SourceRow	row;
	bool		more = true;

	while (more && !block_is_full(state))
	{
		if (row_batch_take(&state->batch, false))
			continue;
		if (source_copy_next(preparation->copy, &row))
			refresh_encode(state, &row);
		else if (state->batch.waiting != NULL)
			refresh_encode_rest(state);
		else
			more = row_batch_take(&state->batch, true);
	}
	MemoryContextSwitchTo(before);
	return more;
}

/* ---------------------------------------------------------------------- */
/* Writing */

/*
 * The source may have been dropped, or created again, since we read it.  Blocks
 * of an encoder that is not in use do not depend on what others write, but
 * somebody may want another one by now.
 */
bool
preparation_holds(const Preparation *preparation)
{
	const ProjectState *start = &preparation->start;
	ProjectState now;
	Project    *project;

	if (extension_oid() != preparation->extension)
		return false;
	state_read(preparation->project, &now);
	if (now.encoder_id != start->encoder_id ||
		(!preparation->renews && now.features != start->features))
		return false;
	project = project_read(preparation->project->id, false);
	return project != NULL && project->source == preparation->project->source &&
		(!preparation->renews || strcmp(encoder_wanted(project), preparation->wanted) == 0);
}

void
preparation_encoder(Preparation *preparation)
{
	RefreshState *state = &preparation->state;
	Refreshed  *features = &preparation->features;

	if (preparation->fitted != NULL)
	{
		features->encoder_id = encoder_store(preparation->fitted);
		unfinished_begin(features->encoder_id);
		encoder_discard(preparation->fitted);
		preparation->fitted = NULL;
		features->encoder = encoder_open(features->encoder_id, false, preparation->context);
	}
	refresh_use_encoder(state);
	block_writer_init(&state->writer, preparation->project, features->encoder,
					  features->encoder_id, state->context);
	/* the lock comes and goes, but each time nobody has been at it since */
	state->locked = true;
	state->writing = true;
	if (!preparation->renews && state->nblocks > 0)
		refresh_watch(state);
	source_copy_rewind(preparation->copy);
}

EncodingTask
preparation_task(const Preparation *preparation)
{
	return (EncodingTask) {
		.project = preparation->project->name,
		.extension = preparation->extension,
		.encoder_id = preparation->features.encoder_id,
		.ninputs = preparation->project->ninputs,
		.ahead_dims = preparation->state.batch.ahead_dims
	};
}

void
preparation_helpers(Preparation *preparation, BatchHelpers *helpers)
{
	preparation->state.batch.helpers = helpers;
}

void
preparation_write(Preparation *preparation)
{
	ProjectState *start = &preparation->start;

	refresh_write(&preparation->state);
	if (preparation->renews)
		return;
	start->features++;
	preparation->features.state = *start;
	state_write(preparation->project, &preparation->features, false);
}

bool
preparation_merge(Preparation *preparation)
{
	RefreshState *state = &preparation->state;

	if (state->merged == 0 && refresh_sparse(state) < 2)
		return false;
	return refresh_merge(state);
}

void
preparation_finish(Preparation *preparation)
{
	const Project *project = preparation->project;
	Refreshed  *features = &preparation->features;
	ProjectState now;

	state_read(project, &now);
	refresh_write(&preparation->state);
	if (preparation->renews)
		unfinished_end(features->encoder_id);
	if (features->changed > 0 || preparation->renews || features->items != now.items)
	{
		features->state = now;
		features->state.features++;
		state_write(project, features, false);
	}
	if (project->label_attnum != 0)
		source_labels_write(project, &preparation->state.labels, NULL, 0);
	source_copy_close(preparation->copy);
}

/* ---------------------------------------------------------------------- */
/* Cleaning up */

bool
features_erase(const Project *project, int64 features[2])
{
	static Statement select = {
		"SELECT block FROM @hl_feature_block WHERE project_id = $1 AND encoder_id = $2 "
		"AND live_rows < octet_length(hashes) / 8 ORDER BY block LIMIT $3",
		3, {INT4OID, INT8OID, INT4OID}, NULL, 0
	};
	Datum		values[3] = {Int32GetDatum(project->id), (Datum) 0, Int32GetDatum(ERASE_BLOCKS)};
	int64		numbers[ERASE_BLOCKS];
	Refreshed	refreshed = {0};
	int			n;

	blas_load();
	state_read(project, &refreshed.state);
	features[0] = features[1] = refreshed.state.features;
	values[1] = Int64GetDatum(refreshed.state.encoder_id);
	statement_run_as_extension(&select, values, NULL, false);
	n = (int) Min(SPI_processed, ERASE_BLOCKS);
	if (n == 0)
		return false;
	for (int i = 0; i < n; i++)
		numbers[i] = result_bigint(i, 1);
	refreshed.encoder_id = refreshed.state.encoder_id;
	refreshed.encoder = encoder_open(refreshed.encoder_id, false, CurrentMemoryContext);
	refreshed.items = refreshed.state.items;
	for (int i = 0; i < n; i++)
		block_erase(project, refreshed.encoder, refreshed.encoder_id, numbers[i], NULL);
	features[1] = ++refreshed.state.features;
	state_write(project, &refreshed, false);
	return n == ERASE_BLOCKS;
}

static int32 *
result_projects(int *n)
{
	int32	   *projects = palloc_array_checked(int32, SPI_processed);

	*n = (int) SPI_processed;
	for (int i = 0; i < *n; i++)
		projects[i] = result_int(i, 1);
	return projects;
}

int32 *
features_littered(int *n)
{
	static Statement select = {
		"SELECT DISTINCT b.project_id FROM @hl_feature_block b "
		"JOIN @hl_serving v ON v.project_id = b.project_id AND v.encoder_id = b.encoder_id "
		"JOIN @hl_project p ON p.id = b.project_id "
		"WHERE NOT p.paused AND b.live_rows < octet_length(b.hashes) / 8",
		0, {0}, NULL, 0
	};

	statement_run_as_extension(&select, NULL, NULL, false);
	return result_projects(n);
}

int32 *
features_unswept(int *n)
{
	static Statement select = {
		"SELECT DISTINCT e.project_id FROM @hl_encoder e "
		"JOIN @hl_serving v USING (project_id) WHERE v.encoder_id IS DISTINCT FROM e.id "
		"AND (EXISTS (SELECT 1 FROM @hl_feature_block b WHERE b.project_id = e.project_id "
		"AND b.encoder_id = e.id) OR NOT EXISTS (SELECT 1 FROM @hl_model m "
		"WHERE m.project_id = e.project_id AND m.encoder_id = e.id AND m.stored))",
		0, {0}, NULL, 0
	};

	statement_run_as_extension(&select, NULL, NULL, false);
	return result_projects(n);
}
