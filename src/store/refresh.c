/*-------------------------------------------------------------------------
 *
 * refresh.c
 *	  Keeps encoded rows and source labels in step with the source.
 *
 * One scan of the source, compared in memory with what the blocks hold: an
 * item whose input hashes to the same value is left alone, all else is encoded
 * into new blocks, and what the scan has not met is gone.  An item is 32 bytes
 * in memory, so ten million fit in the default humanloop.work_mem.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "store/cache.h"
#include "store/caller.h"
#include "store/change.h"
#include "store/fit.h"
#include "store/label.h"
#include "store/refresh_internal.h"
#include "store/session.h"

/* An item as the blocks have it. */
typedef struct ItemEntry
{
	ItemKey		key;
	uint64		hash;			/* of its input; 0: it has none */
	int32		block;			/* index in the list of blocks */
	int16		row;
	bool		seen;			/* by this scan */
	char		status;			/* of the hash table */
} ItemEntry;

#define SH_PREFIX items
#define SH_ELEMENT_TYPE ItemEntry
#define SH_KEY_TYPE ItemKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) (key).low)
#define SH_EQUAL(table, a, b) ((a).high == (b).high && (a).low == (b).low)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

static void
forget_row(RefreshState *state, const ItemEntry *entry)
{
	BlockHead  *head;

	if (entry->block < 0)
		return;
	head = &state->blocks[entry->block];
	head->hashes[entry->row] = 0;
	head->live--;
	head->changed = true;
}

/* The items of the last block in the list. */
static void
read_head(RefreshState *state, const FeatureBlock *block)
{
	for (int row = 0; row < block->rows; row++)
	{
		ItemEntry  *entry;
		bool		found;

		if (block->hashes[row] == 0)
			continue;
		if (state->only_asked)
		{
			entry = items_lookup(state->items, item_key(block->items[row]));
			if (entry == NULL)
				continue;
			found = entry->hash != 0;
		}
		else
			entry = items_insert(state->items, item_key(block->items[row]), &found);

		/*
		 * Where it is twice (deleted while triggers were disabled, inserted
		 * again and taken up as new) the later one holds.
		 */
		if (found)
		{
			forget_row(state, entry);
			state->result->changed++;
		}
		entry->hash = block->hashes[row];
		entry->block = state->nblocks;
		entry->row = (int16) row;
		entry->seen = false;
	}
}

void
refresh_read_blocks(RefreshState *state)
{
	MemoryContext before = MemoryContextSwitchTo(state->context);
	int			capacity = 64;
	BlockScan  *scan;
	FeatureBlock block;

	state->blocks = palloc_array_checked(BlockHead, capacity);
	scan = block_scan_begin(state->project->id, state->result->encoder,
							state->result->encoder_id, 0, false, false);
	while (block_scan_next(scan, &block))
	{
		BlockHead  *head;

		if (state->nblocks == capacity)
		{
			capacity *= 2;
			state->blocks = repalloc_huge(state->blocks, mul_size(capacity, sizeof(BlockHead)));
		}
		head = &state->blocks[state->nblocks];
		memset(head, 0, sizeof(*head));
		head->number = block.number;
		head->rows = block.rows;
		head->live = block.live;
		head->hashes = palloc_array_checked(uint64, block.rows);
		memcpy(head->hashes, block.hashes, block.rows * sizeof(uint64));
		read_head(state, &block);
		state->nblocks++;
	}
	block_scan_end(scan);
	MemoryContextSwitchTo(before);
}

void
refresh_watch(RefreshState *state)
{
	arrivals_watch(&state->arrivals, state->project, state->result->encoder, state->context);
}

/*
 * First write: nobody else may write features from here to our commit.  Did
 * somebody while we read, what we compare with is not what is there: raced,
 * and features_refresh starts over, under the lock.
 */
static void
start_writing(RefreshState *state)
{
	ProjectState now;

	if (!state->locked)
	{
		state_lock(state->project, &now);
		state->locked = true;
		state->raced = now.features != state->result->state.features ||
			now.encoder_id != state->result->state.encoder_id;
	}
	if (!state->writing && !state->raced)
	{
		state->writing = true;
		block_writer_init(&state->writer, state->project, state->result->encoder,
						  state->result->encoder_id, state->context);
		if (state->added != NULL || state->nblocks > 0)
			refresh_watch(state);
	}
}

static void
add_new_row(NewRows *added, const char *item, const Encoding *encoding,
			const unsigned char *packed, size_t length)
{
	if (added->n == added->capacity)
	{
		added->capacity *= 2;
		added->items = repalloc(added->items, mul_size(sizeof(char *), added->capacity));
	}
	added->items[added->n++] = MemoryContextStrdup(added->rows.context, item);
	rows_add(&added->rows, encoding->dense, packed, length);
}

/* What was encoded goes into the next block; false where the input is no good. */
static bool
take_encoding(RefreshState *state, const SourceRow *row, Status status, uint64 hash)
{
	size_t		bound;
	size_t		length;

	if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
		return false;
	status_check(status, "encode a row");
	bound = terms_bound(&state->encoding);
	if (bound > state->packed_size)
	{
		state->packed_size = bound * 2;
		state->packed = repalloc_huge(state->packed, state->packed_size);
	}
	start_writing(state);
	if (state->raced)
		return false;
	length = terms_pack(&state->encoding, state->packed);
	block_writer_add(&state->writer, row->item, hash, state->encoding.dense, state->packed, length);
	if (state->added != NULL)
		add_new_row(state->added, row->item, &state->encoding, state->packed, length);
	arrivals_add(&state->arrivals, state->encoding.dense, state->packed, length);
	return true;
}

static uint64
row_hash(const SourceRow *row)
{
	return input_missing(&row->input) ? 0 : input_hash(&row->input);
}

bool
refresh_meet(RefreshState *state, const SourceRow *row)
{
	uint64		hash = row_hash(row);
	ItemEntry  *entry;
	bool		found;

	entry = items_insert(state->items, item_key(row->item), &found);
	if (!found)
	{
		entry->hash = 0;
		entry->block = -1;
	}
	else if (entry->seen)
		source_not_unique(state->project, row->item);
	entry->seen = true;
	for (int i = 0; i < state->project->ninputs; i++)
		lengths_add(&state->lengths[i], input_nth(&row->input, i));
	if (row->label != NULL && !label_is_blank(row->label))
		source_labels_add(&state->labels, row->item, row->label);
	if (entry->hash != hash)
		return true;
	state->result->items += hash != 0 ? 1 : 0;
	return false;
}

/* An item whose row waits to be encoded, and was, or was not, encoded before. */
#define WAITS_AGAIN (-2)
#define WAITS_NEW (-1)

void
refresh_encode(RefreshState *state, const SourceRow *row)
{
	ItemEntry  *entry = items_lookup(state->items, item_key(row->item));
	bool		was_encoded = entry->hash != 0;

	if (was_encoded)
	{
		forget_row(state, entry);
		state->result->changed++;
	}
	entry->block = was_encoded ? WAITS_AGAIN : WAITS_NEW;
	entry->hash = row_hash(row);
	if (entry->hash != 0)
		row_batch_add(&state->batch, row, NULL);
	else
		state->encoded++;
}

static void
row_encoded(const SourceRow *row, void *tag pg_attribute_unused(), Status status, void *argument)
{
	RefreshState *state = argument;
	ItemEntry  *entry = items_lookup(state->items, item_key(row->item));

	if (!take_encoding(state, row, status, entry->hash))
		entry->hash = 0;
	else if (entry->block == WAITS_NEW)
		state->result->changed++;
	state->result->items += entry->hash != 0 ? 1 : 0;
	state->encoded++;
}

void
refresh_encode_rest(RefreshState *state)
{
	row_batch_flush(&state->batch);
}

static void
refresh_row(const SourceRow *row, void *argument)
{
	RefreshState *state = argument;

	if (!state->raced && refresh_meet(state, row))
		refresh_encode(state, row);
}

/* Do the vectors that were met suit the encoder, if there is one? */
static void
note_lengths(const RefreshState *state)
{
	Refreshed  *result = state->result;

	result->misfit = result->first_vectors = false;
	for (int i = 0; i < state->project->ninputs && result->encoder != NULL; i++)
	{
		int			dims = encoder_vector_dims(result->encoder, i);
		int			most = lengths_most(&state->lengths[i], dims);

		if (dims == 0 || most == 0 || most == dims)
			continue;
		result->misfit = true;
		result->first_vectors = result->first_vectors ||
			(dims == NO_VECTORS_DIMS && state->project->ninputs > 1);
	}
}

void
refresh_forget_unseen(RefreshState *state)
{
	items_iterator iterator;
	ItemEntry  *entry;

	items_start_iterate(state->items, &iterator);
	while ((entry = items_iterate(state->items, &iterator)) != NULL)
	{
		if (entry->seen || entry->hash == 0)
			continue;
		forget_row(state, entry);
		state->result->changed++;
	}
	note_lengths(state);
}

/* Half empty; what is empty goes anyway. */
static bool
is_sparse(const BlockHead *head)
{
	return head->live > 0 && head->live < BLOCK_ROWS / 2;
}

bool
refresh_merge(RefreshState *state)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop merge",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	bool		full = false;

	for (; state->merged < state->nblocks; state->merged++)
	{
		BlockHead  *head = &state->blocks[state->merged];
		FeatureBlock block;

		if (!is_sparse(head))
			continue;
		full = state->writer.rows > 0 && state->writer.rows + head->live > BLOCK_ROWS;
		if (full)
			break;
		if (block_read(state->project->id, state->result->encoder, state->result->encoder_id,
					   head->number, false, &block))
			block_copy(&block, head->hashes, &state->writer);
		head->live = 0;
		head->changed = true;
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return full;
}

static void
mark_blocks(RefreshState *state)
{
	for (int i = 0; i < state->nblocks; i++)
	{
		BlockHead  *head = &state->blocks[i];
		FeatureBlock block = {0};

		if (!head->changed)
			continue;
		block.number = head->number;
		block.rows = head->rows;
		block.live = head->live;
		block.hashes = head->hashes;
		block_mark(state->project->id, state->result->encoder_id, &block);
		head->changed = false;
	}
}

/* Has rows that are gone, and others. */
static bool
is_littered(const BlockHead *head)
{
	return head->live > 0 && head->live < head->rows;
}

/* What was made from rows that are gone goes with them, once all are known. */
static void
erase_rows(RefreshState *state)
{
	for (int i = 0; i < state->nblocks; i++)
	{
		BlockHead  *head = &state->blocks[i];

		if (!is_littered(head))
			continue;
		block_erase(state->project, state->result->encoder, state->result->encoder_id,
					head->number, head->hashes);
		head->changed = false;
		interrupts_check();
	}
}

static bool
refresh_littered(const RefreshState *state)
{
	for (int i = 0; i < state->nblocks; i++)
	{
		if (is_littered(&state->blocks[i]))
			return true;
	}
	return false;
}

int
refresh_sparse(const RefreshState *state)
{
	int			sparse = 0;

	for (int i = 0; i < state->nblocks; i++)
		sparse += is_sparse(&state->blocks[i]) ? 1 : 0;
	return sparse;
}

void
refresh_write(RefreshState *state)
{
	if (state->writing)
		block_writer_flush(&state->writer);
	mark_blocks(state);
	arrivals_count(&state->arrivals);
}

static void
write_blocks(RefreshState *state)
{
	int			sparse = refresh_sparse(state);

	if (sparse > 1 || (sparse == 1 && state->writing))
	{
		start_writing(state);
		while (refresh_merge(state))
			block_writer_flush(&state->writer);
	}
	erase_rows(state);
	refresh_write(state);
}

void
refresh_init(RefreshState *state, const Project *project, Refreshed *refreshed)
{
	memset(state, 0, sizeof(*state));
	state->project = project;
	state->result = refreshed;
	state->context = AllocSetContextCreate(CurrentMemoryContext, "humanloop refresh",
										   ALLOCSET_DEFAULT_SIZES);
	state->caller = caller_in(state->context);
	state->packed_size = 1024;
	state->packed = MemoryContextAlloc(state->context, state->packed_size);
	state->items = items_create(state->context, 1024, NULL);
	source_labels_init(&state->labels, state->context);
	refreshed->items = refreshed->changed = 0;
}

void
refresh_use_encoder(RefreshState *state)
{
	MemoryContext before = MemoryContextSwitchTo(state->context);

	status_check(encoding_init(&state->caller, state->result->encoder, &state->encoding), "encode");
	row_batch_init(&state->batch, state->result->encoder, state->project->ninputs,
				   &state->encoding, row_encoded, state);
	MemoryContextSwitchTo(before);
}

/*
 * One pass with the encoder that is there.  False: raced, nothing is written
 * but the lock is held now.
 */
static bool
compare_with_source(const Project *project, Refreshed *refreshed, bool *locked)
{
	RefreshState state;

	refresh_init(&state, project, refreshed);
	refresh_use_encoder(&state);
	state.locked = *locked;
	refresh_read_blocks(&state);
	source_scan(project, READ_AS_OWNER, NULL, false, refresh_row, &state);
	refresh_encode_rest(&state);
	refresh_forget_unseen(&state);
	refreshed->erases = refresh_littered(&state);
	if (!state.raced && (refreshed->changed > 0 || refreshed->erases))
	{
		start_writing(&state);
		if (!state.raced)
			write_blocks(&state);
	}
	if (!state.raced && project->label_attnum != 0)
		source_labels_write(project, &state.labels, NULL, 0);
	*locked = state.locked;
	MemoryContextDelete(state.context);
	return !state.raced;
}

/* The source has outgrown the encoder, or the project shall have another. */
static bool
encoder_to_refit(const Project *project, const Refreshed *refreshed)
{
	return encoder_outgrown(refreshed->encoder_id, refreshed->items) ||
		!encoder_is_wanted(project, refreshed->encoder_id);
}

void
features_refresh(const Project *project, bool may_refit, Refreshed *refreshed)
{
	bool		locked = false;
	bool		refit = false;
	bool		fitted = false;

	memset(refreshed, 0, sizeof(*refreshed));
	blas_load();
	for (;;)
	{
		state_read(project, &refreshed->state);
		if (refreshed->state.encoder_id == 0 || refit)
		{
			if (!locked)
			{
				/* fitting is expensive: not in two sessions at once */
				state_lock(project, &refreshed->state);
				locked = true;
				continue;
			}
			refreshed->state.encoder_id = encoder_fit(project);
			fitted = true;
		}
		refreshed->encoder_id = refreshed->state.encoder_id;
		refreshed->encoder = encoder_open(refreshed->encoder_id, false, CurrentMemoryContext);
		refit = !encoder_suits(refreshed->encoder, project);
		if (refit || !compare_with_source(project, refreshed, &locked))
			continue;
		/* only the number of rows is another; the state is written under the lock */
		if (!locked && refreshed->items != refreshed->state.items)
		{
			ProjectState now;

			state_lock(project, &now);
			locked = true;
			if (now.features != refreshed->state.features ||
				now.encoder_id != refreshed->state.encoder_id)
				continue;
		}
		refit = !fitted && (refreshed->misfit ||
							(may_refit && encoder_to_refit(project, refreshed)));
		if (!refit)
			break;
	}
	if (refreshed->changed > 0 || refreshed->erases || fitted ||
		refreshed->items != refreshed->state.items)
	{
		refreshed->state.features++;
		refreshed->state.items = refreshed->items;
		state_write(project, refreshed, fitted);
	}
}

/* Another encoder has come to serve, and the source is not encoded with it yet. */
static bool
features_missing(const Project *project)
{
	static Statement select = {
		"SELECT 1 FROM @hl_change WHERE project_id = $1 AND kind = 'encoder' LIMIT 1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0;
}

bool
features_current(const Project *project, bool may_refit, Refreshed *refreshed)
{
	memset(refreshed, 0, sizeof(*refreshed));
	state_read(project, &refreshed->state);
	refreshed->encoder_id = refreshed->state.encoder_id;
	refreshed->items = refreshed->state.items;
	if (refreshed->encoder_id == 0 || features_missing(project) ||
		(may_refit && encoder_to_refit(project, refreshed)))
		return false;
	blas_load();
	refreshed->encoder = encoder_open(refreshed->encoder_id, false, CurrentMemoryContext);
	return encoder_suits(refreshed->encoder, project);
}

/* ---------------------------------------------------------------------- */
/* A few rows */

/* So many of the last blocks are looked at, and merged where more are sparse. */
#define TAIL_BLOCKS 16
#define TAIL_SPARSE 8

/* The items asked for, not yet known to be anywhere. */
static void
ask_for(RefreshState *state, char **items, int n)
{
	state->only_asked = true;
	for (int i = 0; i < n; i++)
	{
		bool		found;
		ItemEntry  *entry = items_insert(state->items, item_key(items[i]), &found);

		entry->hash = 0;
		entry->block = -1;
		entry->seen = false;
	}
}

/* Each once; returns how many. */
static int
distinct_items(RefreshState *state, char **items, int n, char **distinct)
{
	int			kept = 0;

	for (int i = 0; i < n; i++)
	{
		ItemEntry  *entry = items_lookup(state->items, item_key(items[i]));

		if (!entry->seen)
			distinct[kept++] = items[i];
		entry->seen = true;
	}
	for (int i = 0; i < kept; i++)
		items_lookup(state->items, item_key(distinct[i]))->seen = false;
	return kept;
}

/* Rows the blocks have of the items asked for. */
static int
count_known(RefreshState *state)
{
	items_iterator iterator;
	ItemEntry  *entry;
	int			known = 0;

	items_start_iterate(state->items, &iterator);
	while ((entry = items_iterate(state->items, &iterator)) != NULL)
		known += entry->hash != 0 ? 1 : 0;
	return known;
}

/*
 * Each time some rows are taken up there is another block, often of a single
 * row.  Once many of the last ones are sparse they become one.  A row is
 * copied some thirty times until its block is half full, a little each
 * time, and nothing but the tail is looked at.
 */
static void
merge_tail(RefreshState *state)
{
	static Statement select = {
		"SELECT block FROM @hl_feature_block WHERE project_id = $1 AND encoder_id = $2 "
		"AND block >= $3 AND live_rows < $4 ORDER BY block",
		4, {INT4OID, INT8OID, INT8OID, INT4OID}, NULL, 0
	};
	int32		project = state->project->id;
	int64		encoder = state->result->encoder_id;
	Datum		values[4] = {
		Int32GetDatum(project), Int64GetDatum(encoder),
		Int64GetDatum(state->writer.next - TAIL_BLOCKS), Int32GetDatum(BLOCK_ROWS / 2)
	};
	MemoryContext before = MemoryContextSwitchTo(state->context);
	int64		numbers[TAIL_BLOCKS];
	int			n;

	statement_run_as_extension(&select, values, NULL, false);
	n = (int) Min(SPI_processed, TAIL_BLOCKS);
	for (int i = 0; i < n; i++)
		numbers[i] = result_bigint(i, 1);
	for (int i = 0; n > TAIL_SPARSE && i < n; i++)
	{
		FeatureBlock block;

		if (!block_read(project, state->result->encoder, encoder, numbers[i], false, &block))
			continue;
		block_copy(&block, block.hashes, &state->writer);
		block_delete(project, encoder, numbers[i]);
	}
	MemoryContextSwitchTo(before);
}

/* What was asked for in vain. */
static void
note_gone(RefreshState *state, char **items, int n)
{
	NewRows    *added = state->added;

	added->gone = palloc_array_checked(char *, n);
	for (int i = 0; i < n; i++)
	{
		const ItemEntry *entry = items_lookup(state->items, item_key(items[i]));

		if (!entry->seen || entry->hash == 0)
			added->gone[added->ngone++] = items[i];
	}
}

static void
write_taken(RefreshState *state)
{
	ProjectState *now = &state->result->state;

	mark_blocks(state);
	if (state->writing)
	{
		merge_tail(state);
		block_writer_flush(&state->writer);
	}
	arrivals_count(&state->arrivals);
	if (state->result->changed > 0 || state->result->items != now->items)
	{
		now->features++;
		now->items = state->result->items;
		state_write(state->project, state->result, false);
	}
}

Taken
features_take(const Project *project, char **items, int n, bool fresh, int64 features,
			  bool wait, Refreshed *refreshed, NewRows *added)
{
	RefreshState state;
	char	  **distinct = palloc_array_checked(char *, n);
	int			known = 0;

	memset(refreshed, 0, sizeof(*refreshed));
	memset(added, 0, sizeof(*added));
	blas_load();
	if (wait)
		project_lock(project);
	else if (!project_lock_conditional(project))
		return TAKEN_BUSY;
	state_read(project, &refreshed->state);
	if (refreshed->state.encoder_id == 0)
		return TAKEN_NOT;
	refreshed->encoder_id = refreshed->state.encoder_id;
	refreshed->encoder = encoder_open(refreshed->encoder_id, false, CurrentMemoryContext);
	if (!encoder_suits(refreshed->encoder, project))
	{
		change_note(project->id, CHANGE_ROWS, NULL, 0);
		return TAKEN;
	}
	added->capacity = 16;
	added->items = palloc(sizeof(char *) * added->capacity);
	rows_init(&added->rows, refreshed->encoder, CurrentMemoryContext);

	refresh_init(&state, project, refreshed);
	refresh_use_encoder(&state);
	state.locked = true;
	state.added = added;
	ask_for(&state, items, n);
	n = distinct_items(&state, items, n, distinct);
	fresh = fresh && features == refreshed->state.features;
	if (!fresh)
	{
		refresh_read_blocks(&state);
		known = count_known(&state);
	}
	source_rows(project, distinct, n, refresh_row, &state);
	refresh_encode_rest(&state);
	refresh_forget_unseen(&state);
	note_gone(&state, distinct, n);
	refreshed->items = Max(refreshed->state.items + refreshed->items - known, 0);
	/* vectors of another length come, and there may be more of them by now */
	if (refreshed->first_vectors ||
		(refreshed->misfit && encoder_outlived(refreshed->encoder_id, refreshed->items)))
		change_note(project->id, CHANGE_ROWS, NULL, 0);
	write_taken(&state);
	if (project->label_attnum != 0)
		source_labels_write(project, &state.labels, distinct, n);
	MemoryContextDelete(state.context);
	return TAKEN;
}
