/*-------------------------------------------------------------------------
 *
 * pool.c
 *	  From the rows nobody has labelled to the queue.
 *
 * The pool is scored block by block; what stays in memory is a bounded heap of
 * the best candidates with their features and a uniform sample of targets, so
 * that memory does not grow with the pool.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "learn/audit.h"
#include "learn/requeue.h"
#include "math/random.h"
#include "store/audit.h"
#include "store/caller.h"
#include "store/pool.h"
#include "store/session.h"

#define TARGETS 300				/* of EPIG; reference: propose() */
#define CANDIDATES_PER_QUESTION 4
#define GREEDY_MOST 1000		/* chosen one after another; the rest by worth */
#define SPARE 16384				/* rows to ask when the ranking is used up */
#define BEHIND 2.0f				/* more than margins differ by */
#define SEED_CANDIDATES 2000	/* rows a seed batch is chosen from */

/* ---------------------------------------------------------------------- */
/* Labelled items by name */

typedef struct LabelledEntry
{
	ItemKey		key;
	int			index;
	char		status;
} LabelledEntry;

#define SH_PREFIX labelled
#define SH_ELEMENT_TYPE LabelledEntry
#define SH_KEY_TYPE ItemKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) (key).low)
#define SH_EQUAL(table, a, b) ((a).high == (b).high && (a).low == (b).low)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

#define SKIPPED (-2)			/* index: not labelled, and skipped by somebody */

struct LabelledItems
{
	labelled_hash *table;
	int			n;				/* labelled ones */
};

LabelledItems *
labelled_items(const Consensus *consensus, MemoryContext context)
{
	LabelledItems *labelled = MemoryContextAlloc(context, sizeof(LabelledItems));

	labelled->table = labelled_create(context, Max(consensus->n, 16), NULL);
	labelled->n = consensus->n;
	for (int i = 0; i < consensus->n; i++)
	{
		bool		found;

		labelled_insert(labelled->table, item_key(consensus->items[i]), &found)->index = i;
	}
	for (int i = 0; i < consensus->nskipped; i++)
	{
		bool		found;
		LabelledEntry *entry = labelled_insert(labelled->table, item_key(consensus->skipped[i]),
											   &found);

		if (!found)
			entry->index = SKIPPED;
	}
	return labelled;
}

int
labelled_index(const LabelledItems *labelled, const char *item)
{
	LabelledEntry *entry = labelled_lookup(labelled->table, item_key(item));

	return entry == NULL || entry->index == SKIPPED ? -1 : entry->index;
}

int
labelled_count(const LabelledItems *labelled)
{
	return labelled->n;
}

bool
labelled_passed(const LabelledItems *labelled, const char *item)
{
	return labelled_lookup(labelled->table, item_key(item)) != NULL;
}

/* ---------------------------------------------------------------------- */
/* Rows kept aside: candidates and targets */

typedef struct KeptRow
{
	float		worth;			/* heap order: the worst on top */
	uint64		tie;			/* of equal worth, as the pool came */
	char	   *item;
	float	   *dense;
	unsigned char *terms;
	size_t		terms_length;
	size_t		terms_capacity;
	Score		score;
} KeptRow;

typedef struct KeptRows
{
	MemoryContext context;
	int			dims;
	int			n;
	int			capacity;
	KeptRow    *rows;
} KeptRows;

static void
kept_init(KeptRows *kept, int capacity, int dims)
{
	memset(kept, 0, sizeof(*kept));
	kept->context = CurrentMemoryContext;
	kept->dims = dims;
	kept->capacity = capacity;
	kept->rows = palloc_array_checked(KeptRow, capacity);
	memset(kept->rows, 0, sizeof(KeptRow) * capacity);
}

/* Copies a row of a block over what the place held before. */
static void
kept_set(KeptRows *kept, KeptRow *place, const FeatureBlock *block, int row)
{
	MemoryContext before = MemoryContextSwitchTo(kept->context);
	size_t		length;
	const unsigned char *terms = block_terms(block, row, &length);

	if (place->item != NULL)
		pfree(place->item);
	place->item = pstrdup(block->items[row]);
	if (place->dense == NULL)
		place->dense = palloc_array_checked(float, kept->dims);
	memcpy(place->dense, block->dense + (size_t) row * kept->dims, kept->dims * sizeof(float));
	if (length > place->terms_capacity || place->terms == NULL)
	{
		if (place->terms != NULL)
			pfree(place->terms);
		place->terms_capacity = length + length / 2 + 16;
		place->terms = palloc(place->terms_capacity);
	}
	memcpy(place->terms, terms, length);
	place->terms_length = length;
	MemoryContextSwitchTo(before);
}

/* Is a worth less than b? */
static bool
worse(const KeptRow *a, const KeptRow *b)
{
	return a->worth < b->worth || (a->worth == b->worth && a->tie > b->tie);
}

static void
swap_rows(KeptRow *a, KeptRow *b)
{
	KeptRow		row = *a;

	*a = *b;
	*b = row;
}

static void
sift_down(KeptRow *rows, int n, int at)
{
	for (;;)
	{
		int			least = at;

		for (int child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
		{
			if (worse(&rows[child], &rows[least]))
				least = child;
		}
		if (least == at)
			return;
		swap_rows(&rows[at], &rows[least]);
		at = least;
	}
}

static void
sift_up(KeptRow *rows, int at)
{
	while (at > 0 && worse(&rows[at], &rows[(at - 1) / 2]))
	{
		swap_rows(&rows[at], &rows[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

/* Keeps the row if it is among the best so far. */
static void
keep_best(KeptRows *kept, float worth, uint64 tie, const Score *score,
		  const FeatureBlock *block, int row)
{
	KeptRow    *place = &kept->rows[kept->n < kept->capacity ? kept->n : 0];
	KeptRow		offer = {.worth = worth, .tie = tie};

	if (kept->n == kept->capacity && (kept->n == 0 || !worse(place, &offer)))
		return;
	kept_set(kept, place, block, row);
	place->worth = worth;
	place->tie = tie;
	place->score = *score;
	if (kept->n < kept->capacity)
		sift_up(kept->rows, kept->n++);
	else
		sift_down(kept->rows, kept->n, 0);
}

/* Keeps a uniform sample (reservoir, Vitter 1985); seen counts from 1. */
static void
keep_sample(KeptRows *kept, uint64 seen, Random *random, const FeatureBlock *block, int row)
{
	uint64		place;

	if (kept->n < kept->capacity)
		place = kept->n++;
	else
		place = random_below(random, seen);
	if (place < (uint64) kept->capacity)
		kept_set(kept, &kept->rows[place], block, row);
}

/* The best first. */
static int
compare_kept(const void *a, const void *b)
{
	return worse(a, b) ? 1 : worse(b, a) ? -1 : 0;
}

/* Each item once, the first of them: it may be in two blocks (see refresh.c). */
static void
kept_unique(KeptRows *kept)
{
	labelled_hash *met = labelled_create(CurrentMemoryContext, Max(kept->n, 16), NULL);
	int			unique = 0;

	for (int i = 0; i < kept->n; i++)
	{
		bool		found;

		(void) labelled_insert(met, item_key(kept->rows[i].item), &found);
		if (!found)
			kept->rows[unique++] = kept->rows[i];
	}
	kept->n = unique;
	labelled_destroy(met);
}

/* ---------------------------------------------------------------------- */
/* Spare rows */

/*
 * Many people may have answered the whole ranking before the pool can be
 * scored again.  Then they are asked a sample of it: the rows with the least
 * hashes, so that it stays the same from one scoring to the next, but for what
 * is labelled meanwhile, and next to nothing has to be written.
 */
typedef struct SpareRow
{
	uint64		hash;
	char	   *item;
} SpareRow;

typedef struct SpareRows
{
	MemoryContext context;
	int			n;
	uint64		limit;			/* of the hash, once there are enough */
	SpareRow   *rows;			/* twice as many places as are kept */
} SpareRows;

static void
spare_init(SpareRows *spare)
{
	spare->context = CurrentMemoryContext;
	spare->n = 0;
	spare->limit = PG_UINT64_MAX;
	spare->rows = palloc_array_checked(SpareRow, 2 * SPARE);
}

static int
compare_spare(const void *a, const void *b)
{
	uint64		left = ((const SpareRow *) a)->hash;
	uint64		right = ((const SpareRow *) b)->hash;

	return left < right ? -1 : left > right ? 1 : 0;
}

/* In order, each item once, and those with the least hashes only. */
static void
spare_trim(SpareRows *spare)
{
	int			unique = 0;

	qsort(spare->rows, spare->n, sizeof(SpareRow), compare_spare);
	for (int i = 0; i < spare->n; i++)
	{
		if (unique > 0 && spare->rows[unique - 1].hash == spare->rows[i].hash)
			pfree(spare->rows[i].item);
		else
			spare->rows[unique++] = spare->rows[i];
	}
	spare->n = unique;
	if (spare->n <= SPARE)
		return;
	for (int i = SPARE; i < spare->n; i++)
		pfree(spare->rows[i].item);
	spare->n = SPARE;
	spare->limit = spare->rows[SPARE - 1].hash;
}

static void
spare_add(SpareRows *spare, const char *item)
{
	uint64		hash = item_key(item).low;

	if (hash >= spare->limit)
		return;
	spare->rows[spare->n].hash = hash;
	spare->rows[spare->n++].item = MemoryContextStrdup(spare->context, item);
	if (spare->n == 2 * SPARE)
		spare_trim(spare);
}

/* ---------------------------------------------------------------------- */
/* Scoring */

static bool
is_askable(const FeatureBlock *block, int row, const LabelledItems *labelled,
		   const TargetRows *targets)
{
	return block->hashes[row] != 0 &&
		labelled_index(labelled, block->items[row]) < 0 &&
		targets_have(targets, block->items[row]) &&
		!block_row_blank(block, row);
}

struct PoolScan
{
	MemoryContext context;		/* this and all below */
	const Project *project;
	const Encoder *encoder;
	int64		encoder_id;
	const Model *model;
	const LabelledItems *labelled;
	const TargetRows *asked;	/* NULL: all rows */
	int64		next_block;
	int64		rest;			/* generations of the ranking when the scan */
	int64		tail;			/* began; rest -1: it has not */
	RowsBuilder builder;
	int			which[BLOCK_ROWS];	/* row of the block, for each row scored */
	Score		scores[BLOCK_ROWS];
	uint64		seen;
	Random		random;
	KeptRows	candidates;
	KeptRows	targets;
	KeptRows	line;			/* of the audit */
	SpareRows	spare;
	uint64		sampled;		/* the highest hash of a row that EPIG looks at */
};

/*
 * Does the choice of candidates take uncertainties?  They cost several times
 * what probabilities do, and need not be known of the whole pool otherwise.
 */
static bool
needs_entropy(Acquisition acquisition)
{
	return acquisition == ACQUIRE_BALD || acquisition == ACQUIRE_ENTROPY;
}

/*
 * EPIG looks at a share of the pool, those with the smallest margins
 * (epig_screen).  In a pool of which that is more than can be kept it is that
 * share of a sample, the same one each time, and not a smaller share of all: that
 * would be of those rows only of which the model is least sure.
 */
static bool
is_sampled(const PoolScan *scan, const char *item)
{
	return item_key(item).low * UINT64CONST(0x9E3779B97F4A7C15) <= scan->sampled;
}

static void
score_block(PoolScan *scan, const FeatureBlock *block)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop scoring",
												  ALLOCSET_DEFAULT_SIZES);
	Caller		caller = caller_in(context);
	const Rows *rows;
	int			n = 0;

	rows_reset(&scan->builder);
	for (int row = 0; row < block->rows; row++)
	{
		size_t		length;
		const unsigned char *terms;

		if (!is_askable(block, row, scan->labelled, scan->asked))
			continue;
		terms = block_terms(block, row, &length);
		rows_add(&scan->builder, block->dense + (size_t) row * block->dims, terms, length);
		scan->which[n++] = row;
	}
	rows = rows_finish(&scan->builder);
	if (n > 0)
		status_check(needs_entropy(scan->project->acquisition) ?
					 model_score(&caller, scan->model, rows, scan->scores, NULL) :
					 model_margins(&caller, scan->model, rows, scan->scores), "score rows");
	for (int i = 0; i < n; i++)
	{
		const char *item = block->items[scan->which[i]];
		bool		random = scan->project->acquisition == ACQUIRE_RANDOM;
		uint64		place = audit_place(&scan->project->options, item);
		float		worth = random ? 0.0f :
			candidate_score(scan->project->acquisition, &scan->scores[i], 0, 0);

		if (scan->project->acquisition == ACQUIRE_EPIG && !is_sampled(scan, item))
			worth -= BEHIND;
		keep_best(&scan->candidates, worth, random ? place : scan->seen, &scan->scores[i], block,
				  scan->which[i]);
		if (!labelled_passed(scan->labelled, item))
			keep_best(&scan->line, 0.0f, place, &scan->scores[i], block, scan->which[i]);
		scan->seen++;
		keep_sample(&scan->targets, scan->seen, &scan->random, block, scan->which[i]);
		spare_add(&scan->spare, item);
	}
	MemoryContextDelete(context);
}

/* Up to which hash: what EPIG looks at of the pool's n rows can then be kept. */
static uint64
sampled_hashes(const Model *model, int64 n, int capacity)
{
	int			looked = epig_screen(model_classes(model), (int) Min(n, INT_MAX));

	return looked <= capacity ? PG_UINT64_MAX :
		(uint64) ((double) capacity / looked * (double) PG_UINT64_MAX);
}

/* Rows that the scan will find, but for those that cannot be asked. */
static int64
pool_size(const Refreshed *features, const LabelledItems *labelled, const TargetRows *targets)
{
	labelled_iterator iterator;
	LabelledEntry *entry;
	int64		n;

	if (targets == NULL)
		return features->state.items - labelled_count(labelled);
	n = targets_count(targets);
	labelled_start_iterate(labelled->table, &iterator);
	while ((entry = labelled_iterate(labelled->table, &iterator)) != NULL)
		n -= entry->index != SKIPPED && targets_have_key(targets, entry->key) ? 1 : 0;
	return n;
}

PoolScan *
pool_scan_begin(const Project *project, const Refreshed *features, const Model *model,
				const LabelledItems *labelled, const TargetRows *targets)
{
	PoolScan   *scan = palloc0(sizeof(PoolScan));
	int			dims = encoder_dims(features->encoder);
	int			capacity = Max(Max(CANDIDATES_PER_QUESTION * Min(project->options.queue_size,
																 GREEDY_MOST), 200),
							   project->options.queue_size);

	scan->context = CurrentMemoryContext;
	scan->project = project;
	scan->encoder = features->encoder;
	scan->encoder_id = features->encoder_id;
	scan->model = model;
	scan->labelled = labelled;
	scan->asked = targets;
	scan->rest = -1;
	rows_init(&scan->builder, features->encoder, CurrentMemoryContext);
	random_seed(&scan->random, (uint64) project->options.random_seed);
	kept_init(&scan->candidates, capacity, dims);
	kept_init(&scan->line, audit_line_length(audit_share(project), capacity), dims);
	kept_init(&scan->targets, TARGETS, dims);
	spare_init(&scan->spare);
	scan->sampled = sampled_hashes(model, pool_size(features, labelled, targets), capacity);
	return scan;
}

bool
pool_scan_some(PoolScan *scan, int count)
{
	BlockScan  *blocks;
	FeatureBlock block;
	bool		more = false;

	/* before the first block: what is ranked meanwhile is then known for newer */
	if (scan->rest < 0)
	{
		scan->tail = ranking_generation(scan->project, RANKING_TAIL_PART);
		scan->rest = ranking_generation(scan->project, RANKING_REST_PART);
	}
	blocks = block_scan_begin(scan->project->id, scan->encoder, scan->encoder_id,
							  scan->next_block, true, false);
	while (count > 0 && (more = block_scan_next(blocks, &block)))
	{
		score_block(scan, &block);
		scan->next_block = block.number + 1;
		count--;
	}
	block_scan_end(blocks);
	return more;
}

/* Features of n rows that were kept, n x D. */
static float *
kept_features(const PoolScan *scan, KeptRow *const *kept, int n)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	int			D = model_features(scan->model);
	float	   *features = palloc_array_checked(float, (Size) Max(n, 1) * D);
	RowsBuilder builder;

	rows_init(&builder, scan->encoder, CurrentMemoryContext);
	for (int i = 0; i < n; i++)
		rows_add(&builder, kept[i]->dense, kept[i]->terms, kept[i]->terms_length);
	status_check(model_row_features(&caller, scan->model, rows_finish(&builder), features),
				 "compute features");
	return features;
}

/*
 * Puts the audit's rows in order, and finds for each its number (place) among
 * all rows: the candidates, then what of the line is not among them.  Returns
 * how many there are.
 */
static int
number_rows(const KeptRows *candidates, const KeptRows *line, KeptRow **rows, int *place)
{
	labelled_hash *numbers = labelled_create(CurrentMemoryContext,
											 Max(candidates->n + line->n, 16), NULL);
	int			n = 0;

	qsort(line->rows, line->n, sizeof(KeptRow), compare_kept);
	for (int i = 0; i < candidates->n + line->n; i++)
	{
		bool		in_line = i >= candidates->n;
		KeptRow    *row = in_line ? &line->rows[i - candidates->n] : &candidates->rows[i];
		bool		found;
		LabelledEntry *entry = labelled_insert(numbers, item_key(row->item), &found);

		if (!found)
		{
			entry->index = n;
			rows[n++] = row;
		}
		if (in_line)
			place[i - candidates->n] = entry->index;
	}
	labelled_destroy(numbers);
	return n;
}

/* All that was kept, best candidates first, as the head sees it. */
static PoolFeatures *
pool_features(const PoolScan *scan, KeptRow *const *rows, int n, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "humanloop pool features",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	PoolFeatures *pool = palloc0(sizeof(PoolFeatures));
	KeptRow   **targets;

	pool->context = context;
	pool->D = model_features(scan->model);
	pool->n = n;
	pool->items = palloc_array_checked(char *, pool->n);
	for (int i = 0; i < pool->n; i++)
		pool->items[i] = pstrdup(rows[i]->item);
	pool->features = kept_features(scan, rows, n);
	pool->audit_limit = scan->line.n == 0 ? 0 :
		scan->line.n < scan->line.capacity ? PG_UINT64_MAX : scan->line.rows[scan->line.n - 1].tie;
	pool->ntargets = scan->targets.n;
	targets = palloc_array_checked(KeptRow *, scan->targets.n);
	for (int i = 0; i < scan->targets.n; i++)
		targets[i] = &scan->targets.rows[i];
	pool->targets = kept_features(scan, targets, scan->targets.n);
	MemoryContextSwitchTo(before);
	return pool;
}

PoolFeatures *
pool_scan_end(PoolScan *scan, char **classes, Ranking *ranking, Ranking *targets)
{
	int			candidates = scan->candidates.n;
	Caller		caller = caller_in(CurrentMemoryContext);
	RequeueOptions options = {
		.acquisition = scan->project->acquisition, .batch = scan->project->options.batch,
		.greedy = Min(scan->project->options.queue_size, GREEDY_MOST)
	};
	int		   *chosen = palloc_array_checked(int, candidates);
	float	   *value = palloc_array_checked(float, candidates);
	Score	   *scores = palloc_array_checked(Score, candidates);
	KeptRow   **rows = palloc_array_checked(KeptRow *, candidates + scan->line.n);
	int		   *line = palloc_array_checked(int, scan->line.n);
	Ordered		ordered = {0};
	PoolFeatures *pool;
	int			n = 0;

	qsort(scan->candidates.rows, scan->candidates.n, sizeof(KeptRow), compare_kept);
	kept_unique(&scan->candidates);
	kept_unique(&scan->line);
	candidates = scan->candidates.n;
	options.count = candidates;
	options.screen = epig_screen(model_classes(scan->model), (int) Min(scan->seen, INT_MAX));
	pool = pool_features(scan, rows, number_rows(&scan->candidates, &scan->line, rows, line),
						 CurrentMemoryContext);
	if (candidates > 0)
	{
		memory_check(requeue_memory(scan->model, &options, candidates, pool->ntargets),
					 "order the queue");
		status_check(requeue(&caller, scan->model, &options, pool->features, candidates,
							 pool->targets, pool->ntargets, NULL, chosen, value, scores, &n),
					 "order the queue");
	}
	ordered.acquisition = scan->project->acquisition;
	ordered.options = &scan->project->options;
	ordered.model = scan->model;
	ordered.classes = classes;
	ordered.answered = labelled_count(scan->labelled);
	ordered.rows = pool->n;
	ordered.items = pool->items;
	ordered.features = pool->features;
	ordered.n = n;
	ordered.chosen = chosen;
	ordered.value = value;
	ordered.scores = scores;
	ordered.m = scan->line.n;
	ordered.line = line;
	rank_ordered(&ordered, pool->n, ranking);
	ranking->rest = scan->rest;
	ranking->tail = scan->tail;
	spare_trim(&scan->spare);
	ranking->nspare = scan->spare.n;
	ranking->spare = palloc_array_checked(char *, scan->spare.n);
	for (int i = 0; i < scan->spare.n; i++)
		ranking->spare[i] = scan->spare.rows[i].item;
	ranking_init(targets, scan->targets.n);
	for (int i = 0; i < scan->targets.n; i++)
		ranking_add_item(targets, scan->targets.rows[i].item, "target");
	return pool;
}

int
pool_scan_labels(const PoolScan *scan, const Model *model, int **label)
{
	int			n = scan->targets.n;
	Caller		caller = caller_in(CurrentMemoryContext);
	Score	   *scores = palloc_array_checked(Score, n);
	RowsBuilder builder;

	rows_init(&builder, scan->encoder, CurrentMemoryContext);
	for (int i = 0; i < n; i++)
		rows_add(&builder, scan->targets.rows[i].dense, scan->targets.rows[i].terms,
				 scan->targets.rows[i].terms_length);
	if (n > 0)
		status_check(model_margins(&caller, model, rows_finish(&builder), scores),
					 "compare the models");
	*label = palloc_array_checked(int, n);
	for (int i = 0; i < n; i++)
		(*label)[i] = scores[i].label;
	return n;
}

/* ---------------------------------------------------------------------- */
/* Before the first model */

void
seed_ranking(const Project *project, int64 answered, char **items, const float *dense, int n,
			 int dims, const int *line, int m, int rows, Ranking *ranking)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	int			count = Min(project->options.seed_batch, n);
	int		   *chosen = palloc_array_checked(int, count);
	Ordered		ordered = {
		.acquisition = project->acquisition, .options = &project->options, .answered = answered,
		.rows = rows, .items = items, .n = count, .chosen = chosen, .m = m, .line = line
	};

	if (count > 0)
		status_check(choose_seed_batch(&caller, dense, n, dims, count,
									   (uint64) project->options.random_seed, chosen),
					 "choose the seed batch");
	rank_unscored(&ordered, project->options.seed_batch, "seed", ranking);
}

void
pool_seed(const Project *project, const Refreshed *features,
		  const LabelledItems *labelled, const TargetRows *targets, Ranking *ranking)
{
	int			dims = encoder_dims(features->encoder);
	KeptRows	kept;
	KeptRows	first;			/* of the audit */
	Score		none = {0};
	Random		random;
	uint64		seen = 0;
	BlockScan  *blocks;
	FeatureBlock block;
	KeptRow   **rows;
	int		   *line;
	char	  **items;
	float	   *dense;
	int			n;

	random_seed(&random, (uint64) project->options.random_seed);
	kept_init(&kept, SEED_CANDIDATES, dims);
	kept_init(&first, audit_line_length(audit_share(project), project->options.seed_batch), dims);
	blocks = block_scan_begin(project->id, features->encoder, features->encoder_id, 0, true, false);
	while (block_scan_next(blocks, &block))
	{
		for (int row = 0; row < block.rows; row++)
		{
			if (!is_askable(&block, row, labelled, targets))
				continue;
			keep_sample(&kept, ++seen, &random, &block, row);
			if (!labelled_passed(labelled, block.items[row]))
				keep_best(&first, 0.0f, audit_place(&project->options, block.items[row]),
						  &none, &block, row);
		}
	}
	block_scan_end(blocks);
	kept_unique(&kept);
	kept_unique(&first);
	rows = palloc_array_checked(KeptRow *, kept.n + first.n);
	line = palloc_array_checked(int, first.n);
	n = number_rows(&kept, &first, rows, line);
	items = palloc_array_checked(char *, n);
	for (int i = 0; i < n; i++)
		items[i] = rows[i]->item;
	dense = palloc_array_checked(float, (Size) kept.n * dims);
	for (int i = 0; i < kept.n; i++)
		memcpy(dense + (size_t) i * dims, rows[i]->dense, dims * sizeof(float));
	seed_ranking(project, labelled_count(labelled), items, dense, kept.n, dims, line,
				 first.n, n, ranking);
}
