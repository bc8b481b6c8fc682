/*-------------------------------------------------------------------------
 *
 * learner.c
 *	  A project's model on its way from one full training to the next.
 *
 * A revision is the model that full training has left (the base), moved by
 * all answers that the base has not seen, however they came: so what counts is
 * which items have another label now than the base was trained with, and the
 * learner keeps just that, with their features.  Beside it, the features of
 * the few thousand best candidates of the pool, which every revision puts in
 * a new order, and of the targets that stand for the pool.
 *
 * Features are made from the source's rows, found by their key, with the
 * base's encoder.  So the stored feature blocks may already be another
 * encoder's, and nothing has to be looked for in them.  Only where encoding is
 * costly, and the blocks are that encoder's, they are read instead.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "store/caller.h"
#include "store/classes.h"
#include "store/label.h"
#include "store/learner_internal.h"
#include "store/pool.h"
#include "store/row_batch.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/source.h"

static List *learners = NIL;

/* ---------------------------------------------------------------------- */
/* Making and forgetting */

Learner *
learner_find(int32 project_id)
{
	ListCell   *cell;

	foreach(cell, learners)
	{
		Learner    *learner = lfirst(cell);

		if (learner->project_id == project_id)
			return learner;
	}
	return NULL;
}

static void
forget(Learner *learner)
{
	learners = list_delete_ptr(learners, learner);
	MemoryContextDelete(learner->context);
}

void
learner_forget(int32 project_id)
{
	Learner    *learner = learner_find(project_id);

	if (learner != NULL)
		forget(learner);
	candidates_forget_offered(project_id);
}

void
learners_forget(void)
{
	candidates_forget_offered(0);
	while (learners != NIL)
		forget(linitial(learners));
}

/* The list outlives every transaction. */
static void
remember(Learner *learner)
{
	MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);

	learners = lappend(learners, learner);
	MemoryContextSwitchTo(before);
}

/* The least recently used ones, where all together take too much. */
static void
forget_beyond_memory(const Learner *keep)
{
	Size		total = 0;
	ListCell   *cell;

	foreach(cell, learners)
		total += MemoryContextMemAllocated(((Learner *) lfirst(cell))->context, true);
	while (total / 1024 > (Size) setting_work_mem && list_length(learners) > 1)
	{
		Learner    *oldest = linitial(learners);

		if (oldest == keep)
			break;
		total -= MemoryContextMemAllocated(oldest->context, true);
		forget(oldest);
	}
}

/* ---------------------------------------------------------------------- */
/* Labels */

/* Index of a class by name, which may be one that the base does not know. */
static int
class_index(Learner *learner, const char *name)
{
	MemoryContext before;

	for (int k = 0; k < learner->nclasses; k++)
	{
		if (learner->classes[k] != NULL && strcmp(learner->classes[k], name) == 0)
			return k;
	}
	before = MemoryContextSwitchTo(learner->context);
	if (learner->nclasses == learner->classes_capacity)
	{
		learner->classes_capacity *= 2;
		learner->classes = repalloc_huge(learner->classes,
										 mul_size(learner->classes_capacity, sizeof(char *)));
		learner->count = repalloc_huge(learner->count,
									   mul_size(learner->classes_capacity, sizeof(int)));
	}
	learner->classes[learner->nclasses] = pstrdup(name);
	learner->count[learner->nclasses] = 0;
	MemoryContextSwitchTo(before);
	return learner->nclasses++;
}

static LearnedItem *
learned_item(Learner *learner, const char *item)
{
	ItemKey		key = item_key(item);
	bool		found;
	LearnedItem *learned = learned_insert(learner->items, key, &found);

	if (!found)
	{
		memset(learned, 0, sizeof(*learned));
		learned->status = 1;	/* in use; see simplehash.h */
		learned->key = key;
		learned->item = MemoryContextStrdup(learner->context, item);
		learned->before = learned->now = NO_LABEL;
	}
	return learned;
}

/* What the item's answers add up to now: a class, or NO_LABEL. */
static void
set_label(Learner *learner, const char *item, int now)
{
	LearnedItem *learned = learned_item(learner, item);

	if (now == learned->now)
		return;
	learner->behind -= learned->now != learned->before;
	if (learned->now == NO_LABEL)
		learner->labelled++;
	else
		learner->count[learned->now]--;
	if (now == NO_LABEL)
		learner->labelled--;
	else
		learner->count[now]++;
	learned->now = now;
	learner->behind += learned->now != learned->before;
	learner->dirty = true;
	learner->news++;
	candidates_exclude(learner, learned);
}

static void
read_all_labels(Learner *learner, const Project *project)
{
	learned_iterator iterator;
	LearnedItem *learned;
	Consensus	consensus;
	LabelledItems *known;
	int		   *index;

	truth_free(learner->truth);
	learner->truth = NULL;
	consensus_take(project, &consensus);
	if (consensus.truth != NULL)
		learner->truth = truth_keep(consensus.truth, learner->context);
	known = labelled_items(&consensus, CurrentMemoryContext);
	learned_start_iterate(learner->items, &iterator);
	while ((learned = learned_iterate(learner->items, &iterator)) != NULL)
	{
		if (learned->now != NO_LABEL && labelled_index(known, learned->item) < 0)
			set_label(learner, learned->item, NO_LABEL);
	}
	index = palloc_array_checked(int, consensus.nclasses);
	for (int k = 0; k < consensus.nclasses; k++)
		index[k] = class_index(learner, consensus.classes[k]);
	for (int i = 0; i < consensus.n; i++)
		set_label(learner, consensus.items[i], index[consensus.label[i]]);
}

/*
 * Labels of these items from the label model that is kept: everybody's answers
 * need not be read again because of some.
 */
static void
read_weighed_labels(Learner *learner, const Project *project, char **items, int n)
{
	if (learner->truth == NULL || !truth_update(learner->truth, project, items,
												known_labels(project, items, n), n))
	{
		read_all_labels(learner, project);
		return;
	}
	for (int i = 0; i < n; i++)
	{
		const char *label = truth_label(learner->truth, items[i]);

		set_label(learner, items[i], label == NULL ? NO_LABEL : class_index(learner, label));
	}
}

static void
read_labels(Learner *learner, const Project *project, char **items, int n)
{
	char	  **labels;

	if (learner->truth != NULL || truth_concerns(project, items, n))
	{
		read_weighed_labels(learner, project, items, n);
		return;
	}
	labels = consensus_of_items(project, items, n);
	for (int i = 0; i < n; i++)
		set_label(learner, items[i], labels[i] == NULL ? NO_LABEL : class_index(learner, labels[i]));
}

/* What the base was trained with. */
static void
read_base_labels(Learner *learner)
{
	static Statement select = {
		"SELECT items, labels FROM @hl_model_label WHERE project_id = $1 AND model = $2",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {
		Int32GetDatum(learner->project_id), Int32GetDatum(learner->serving.model)
	};
	char	  **items;
	Datum	   *labels;
	int			n;
	int			nlabels;
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return;
	items = array_strings(result_datum(0, 1, &isnull), &n);
	deconstruct_array(DatumGetArrayTypeP(result_datum(0, 2, &isnull)), INT4OID, sizeof(int32),
					  true, TYPALIGN_INT, &labels, NULL, &nlabels);
	if (!strings_complete(items, n))
		status_check(STATUS_CORRUPT, "read what the model was trained with");
	for (int i = 0; i < Min(n, nlabels); i++)
	{
		int			label = DatumGetInt32(labels[i]);

		if (label >= 0 && label < learner->serving.nclasses)
		{
			LearnedItem *learned = learned_item(learner, items[i]);

			/*
			 * That a class was merged since is no news of its items, nor that one
			 * was removed, of maybe very many: it is no answer any more, anyway.
			 */
			if (learner->serving.same != NULL)
				label = learner->serving.same[label] < 0 ? NO_LABEL : learner->serving.same[label];
			learned->before = label;
			/* until its label now is read */
			learner->behind += label != NO_LABEL;
		}
	}
}

/* ---------------------------------------------------------------------- */
/* Features of rows of the source */

typedef struct Encode
{
	Learner    *learner;
	Encoding	encoding;
	RowBatch	batch;
	void		(*take) (struct Encode *encode, const char *item);
	RowsBuilder *builder;		/* for take_row, with items in context */
	MemoryContext context;
	char	  **items;
	int			n;
} Encode;

static void
encode_source_row(const SourceRow *row, void *argument)
{
	Encode	   *encode = argument;

	if (!input_missing(&row->input))
		row_batch_add(&encode->batch, row, NULL);
}

static void
row_encoded(const SourceRow *row, void *tag pg_attribute_unused(), Status status, void *argument)
{
	Encode	   *encode = argument;

	if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
		return;
	status_check(status, "encode a row");
	encode->take(encode, row->item);
}

/* Rows that are read from the blocks while one is encoded, where that is costly. */
#define STORED_ROWS_AT_A_TIME 1000

/* Is it quicker to look for so many items in the blocks than to encode them again? */
static bool
stored_are_quicker(const Learner *learner, const Project *project, int n)
{
	ProjectState state;

	if (encoder_ahead_dims(learner->serving.encoder) == 0)
		return false;
	state_read(project, &state);
	return state.encoder_id == learner->serving.encoder_id &&
		state.items <= (int64) n * STORED_ROWS_AT_A_TIME;
}

/* A row of a block, as if it had just been encoded. */
static void
take_stored_row(Encode *encode, const FeatureBlock *block, int row)
{
	const Encoder *encoder = encode->learner->serving.encoder;
	size_t		length;
	const unsigned char *terms = block_terms(block, row, &length);

	memcpy(encode->encoding.dense, block->dense + (size_t) row * block->dims,
		   sizeof(float) * block->dims);
	encode->encoding.terms = 0;
	if (encoder_sparse_dims(encoder) > 0)
		status_check(terms_unpack(encoder, terms, length, &encode->encoding), "read features");
	encode->take(encode, block->items[row]);
}

/* Takes what the blocks have; items is left with the others, so many of them. */
static int
take_stored(Encode *encode, const Project *project, char **items, int n)
{
	const Serving *serving = &encode->learner->serving;
	learned_hash *wanted = learned_create(CurrentMemoryContext, n, NULL);
	BlockScan  *scan;
	FeatureBlock block;
	bool		found;
	int			left = 0;

	for (int i = 0; i < n; i++)
		learned_insert(wanted, item_key(items[i]), &found)->gone = true;
	scan = block_scan_begin(project->id, serving->encoder, serving->encoder_id, 0, true, false);
	while (block_scan_next(scan, &block))
	{
		for (int row = 0; row < block.rows; row++)
		{
			LearnedItem *entry = block.hashes[row] == 0 ? NULL :
				learned_lookup(wanted, item_key(block.items[row]));

			if (entry == NULL || !entry->gone)
				continue;
			entry->gone = false;
			take_stored_row(encode, &block, row);
		}
	}
	block_scan_end(scan);
	for (int i = 0; i < n; i++)
	{
		if (learned_lookup(wanted, item_key(items[i]))->gone)
			items[left++] = items[i];
	}
	return left;
}

/* Calls encode->take for each that has features; the order of items may be another then. */
static void
encode_items(Learner *learner, const Project *project, char **items, int n, Encode *encode)
{
	Caller		caller = caller_in(CurrentMemoryContext);

	encode->learner = learner;
	status_check(encoding_init(&caller, learner->serving.encoder, &encode->encoding), "encode");
	row_batch_init(&encode->batch, learner->serving.encoder, project->ninputs, &encode->encoding,
				   row_encoded, encode);
	if (stored_are_quicker(learner, project, n))
		n = take_stored(encode, project, items, n);
	source_rows(project, items, n, encode_source_row, encode);
	row_batch_flush(&encode->batch);
}

/* Keeps the features of an item whose label the base does not know. */
static void
take_learned(Encode *encode, const char *item)
{
	Learner    *learner = encode->learner;
	LearnedItem *learned = learned_lookup(learner->items, item_key(item));
	MemoryContext before = MemoryContextSwitchTo(learner->context);
	int			dims = encoder_dims(learner->serving.encoder);

	if (learned != NULL && learned->dense == NULL)
	{
		learned->dense = palloc_array_checked(float, dims);
		memcpy(learned->dense, encode->encoding.dense, sizeof(float) * dims);
		learned->terms = palloc(terms_bound(&encode->encoding));
		learned->terms_length = terms_pack(&encode->encoding, learned->terms);
		learned->gone = false;
	}
	MemoryContextSwitchTo(before);
}

/* Features of the items that the update will need and that have none yet. */
static void
read_learned_features(Learner *learner, const Project *project)
{
	char	  **items = palloc_array_checked(char *, learner->behind);
	learned_iterator iterator;
	LearnedItem *learned;
	Encode		encode = {.take = take_learned};
	int			n = 0;

	learned_start_iterate(learner->items, &iterator);
	while ((learned = learned_iterate(learner->items, &iterator)) != NULL)
	{
		if (learned->before == learned->now || learned->dense != NULL || learned->gone)
			continue;
		/* until its row is found */
		learned->gone = true;
		items[n++] = learned->item;
	}
	if (n > 0)
		encode_items(learner, project, items, n, &encode);
}

static void
take_row(Encode *encode, const char *item)
{
	rows_add_encoding(encode->builder, &encode->encoding);
	/* a row that says nothing is nothing to ask a person */
	if (rows_blank(encode->builder, encode->builder->n - 1))
	{
		rows_drop_last(encode->builder);
		return;
	}
	encode->items[encode->n++] = MemoryContextStrdup(encode->context, item);
}

/*
 * Features, as the head sees them, of these items, n x D; items is left with
 * those that are there.
 */
float *
learner_read_features(Learner *learner, const Project *project, char **items, int *n)
{
	RowsBuilder builder;
	Encode		encode = {.take = take_row, .builder = &builder};
	Caller		caller = caller_in(CurrentMemoryContext);
	float	   *features;

	rows_init(&builder, learner->serving.encoder, CurrentMemoryContext);
	encode.items = palloc_array_checked(char *, *n);
	encode.context = CurrentMemoryContext;
	encode_items(learner, project, items, *n, &encode);
	features = palloc_array_checked(float, (Size) Max(encode.n, 1) * learner->D);
	status_check(model_row_features(&caller, learner->serving.base, rows_finish(&builder), features),
				 "compute features");
	memcpy(items, encode.items, sizeof(char *) * encode.n);
	*n = encode.n;
	return features;
}

/* ---------------------------------------------------------------------- */
/* Reading */

/* Revisions that the one that serves stands on. */
static int
chain_length(const Learner *learner)
{
	static Statement count = {
		"SELECT pg_catalog.count(*) FROM @hl_revision WHERE project_id = $1 AND model = $2",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {
		Int32GetDatum(learner->project_id), Int32GetDatum(learner->serving.model)
	};

	statement_run_as_extension(&count, values, NULL, false);
	return (int) result_bigint(0, 1);
}

static Learner *
make_learner(const Project *project)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop learner",
												  ALLOCSET_DEFAULT_SIZES);
	Learner    *learner = MemoryContextAllocZero(context, sizeof(Learner));
	MemoryContext before;

	learner->context = context;
	learner->project_id = project->id;
	learner->acquisition = project->acquisition;
	learner->options = project->options;
	/* what is read of the pool satisfies it; the text is the turn's */
	learner->options.targets = NULL;
	if (!serving_open(project, false, context, &learner->serving))
	{
		MemoryContextDelete(context);
		return NULL;
	}
	learner->current = learner->serving.classifier;
	learner->revision = learner->serving.revision;
	learner->class_changes = classes_changes(project);
	learner->chain = chain_length(learner);
	learner->D = model_features(learner->serving.base);
	learner->items = learned_create(context, 1024, NULL);
	before = MemoryContextSwitchTo(context);
	learner->nclasses = learner->serving.nclasses;
	learner->classes_capacity = learner->nclasses + 16;
	learner->classes = palloc_array_checked(char *, learner->classes_capacity);
	learner->count = palloc_array_checked(int, learner->classes_capacity);
	MemoryContextSwitchTo(before);
	memcpy(learner->classes, learner->serving.classes, sizeof(char *) * learner->nclasses);
	memset(learner->count, 0, sizeof(int) * learner->classes_capacity);
	read_base_labels(learner);
	/* where labels go to be excluded; the pool comes when it is known which */
	learner->places = candidate_create(context, 16, NULL);
	read_all_labels(learner, project);
	learner->generation = ranking_generation(project, RANKING_REST_PART);
	candidates_read(learner, project);
	learner->fresh = learner->behind > 0 || learner->revision > 0;
	learner->dirty = learner->fresh;
	learner->news = 0;
	return learner;
}

bool
learner_is_stale(const Learner *learner, const Project *project)
{
	ProjectState state;

	state_read(project, &state);
	return state.model != learner->serving.model || state.revision != learner->revision ||
		state.class_changes != learner->class_changes ||
		project->options.target_error != learner->options.target_error ||
		project->options.ask_uncertain != learner->options.ask_uncertain ||
		ranking_generation(project, RANKING_REST_PART) != learner->generation;
}

Learner *
learner_read(const Project *project, const Changes *changes)
{
	Learner    *learner = learner_find(project->id);

	if (learner != NULL && (changes->model || learner_is_stale(learner, project)))
	{
		forget(learner);
		learner = NULL;
	}
	if (learner == NULL)
	{
		learner = make_learner(project);
		if (learner == NULL)
			return NULL;
	}
	else if (changes->all_labels)
	{
		read_all_labels(learner, project);
		candidates_read_skips(learner, project, NULL, 0);
	}
	else if (changes->nlabelled > 0)
	{
		read_labels(learner, project, changes->labelled, changes->nlabelled);
		candidates_read_skips(learner, project, changes->labelled, changes->nlabelled);
	}
	read_learned_features(learner, project);
	/* it stays: in the context of all, at the end of the list */
	MemoryContextSetParent(learner->context, TopMemoryContext);
	learners = list_delete_ptr(learners, learner);
	remember(learner);
	forget_beyond_memory(learner);
	return learner;
}

/* ---------------------------------------------------------------------- */
/* What it knows */

bool
learner_stored(const Learner *learner)
{
	return learner->stored;
}

int32
learner_model(const Learner *learner)
{
	return learner->serving.model;
}

int32
learner_revision(const Learner *learner)
{
	return learner->revision;
}

void
learner_counts(const Learner *learner, LabelCounts *counts)
{
	memset(counts, 0, sizeof(*counts));
	counts->labelled = learner->labelled;
	counts->behind = learner->behind;
	counts->least = INT_MAX;
	for (int k = 0; k < learner->nclasses; k++)
	{
		if (learner->count[k] == 0)
			continue;
		counts->classes++;
		counts->least = Min(counts->least, learner->count[k]);
		if (k >= learner->serving.nclasses && learner->count[k] >= 2)
			counts->new_class = true;
	}
}

/* Is anything left to answer that satisfies a condition? */
#define LEFT(condition) \
	"SELECT 1 FROM @hl_ranking r CROSS JOIN LATERAL unnest(r.items) i(item) " \
	"WHERE r.project_id = $1 AND r.part = 'rest' AND NOT EXISTS (SELECT 1 FROM @hl_current_answer c " \
	"WHERE c.project_id = $1 AND c.item = i.item AND c.label IS NOT NULL)" condition " LIMIT 1"

void
labels_count(const Project *project, LabelCounts *counts)
{
	static Statement left[2] = {
		{LEFT(""), 1, {INT4OID}, NULL, 0},
		{LEFT(NOT_SETTLED("i.item")), 1, {INT4OID}, NULL, 0}
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	Consensus	consensus;
	int		   *count;

	memset(counts, 0, sizeof(*counts));
	consensus_read(project, &consensus);
	count = palloc_array_checked(int, consensus.nclasses);
	memset(count, 0, sizeof(int) * consensus.nclasses);
	for (int i = 0; i < consensus.n; i++)
		count[consensus.label[i]]++;
	counts->labelled = counts->behind = consensus.n;
	counts->classes = consensus.nclasses;
	counts->least = INT_MAX;
	for (int k = 0; k < consensus.nclasses; k++)
		counts->least = Min(counts->least, count[k]);
	statement_run_as_extension(&left[settlements_are_kept()], values, NULL, false);
	counts->queue_empty = SPI_processed == 0;
}
