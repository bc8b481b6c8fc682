/*-------------------------------------------------------------------------
 *
 * predict_all.c
 *	  hl_predict(project): predictions for all rows of the source.
 *
 * The source is read as the caller, so he gets what he may see, as it is now;
 * features that are stored for the very input are taken from their block, all
 * others are made on the spot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "sql/api.h"
#include "sql/predict.h"
#include "store/caller.h"
#include "store/row_batch.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_predict_all);

#define SCORE_ROWS 512
#define BLOCKS_KEPT 4

/* Where the features of an input are. */
typedef struct StoredRow
{
	ItemKey		key;
	uint64		hash;
	int32		block;
	int16		row;
	char		status;
} StoredRow;

#define SH_PREFIX stored
#define SH_ELEMENT_TYPE StoredRow
#define SH_KEY_TYPE ItemKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) (key).low)
#define SH_EQUAL(table, a, b) ((a).high == (b).high && (a).low == (b).low)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* A block in memory. */
typedef struct KeptBlock
{
	MemoryContext context;
	int32		index;			/* in the list of numbers; -1: none */
	FeatureBlock block;
} KeptBlock;

typedef struct PredictAll
{
	Predictor  *predictor;
	ReturnSetInfo *set;
	int			n;				/* rows waiting to be scored */
	char	   *items[SCORE_ROWS];
	Score		scores[SCORE_ROWS];
	bool		automatic[SCORE_ROWS];
	MemoryContext items_context;
	stored_hash *stored;
	int64	   *numbers;		/* of the blocks */
	int			nblocks;
	int			reads_left;		/* of blocks; then encoding is cheaper */
	int			next_kept;
	KeptBlock	kept[BLOCKS_KEPT];
	RowBatch	batch;			/* rows waiting to be encoded */
} PredictAll;

static void
emit(PredictAll *all)
{
	const Serving *serving = &all->predictor->serving;

	if (all->n == 0)
		return;
	predictor_decide(all->predictor, all->scores, all->automatic);
	for (int i = 0; i < all->n; i++)
	{
		const Score *score = &all->scores[i];
		Datum		values[8];
		bool		nulls[8] = {false};

		values[0] = CStringGetTextDatum(all->items[i]);
		nulls[1] = nulls[2] = score->label < 0;
		values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(serving->classes[score->label]);
		values[2] = Float8GetDatum(score->confidence);
		values[3] = Float8GetDatum(score->epistemic);
		values[4] = Float8GetDatum(score->aleatoric);
		values[5] = decision_datum(all->predictor, all->automatic[i], &nulls[5]);
		values[6] = Int32GetDatum(serving->model);
		values[7] = Int32GetDatum(serving->revision);
		set_add(all->set, values, nulls);
	}
	all->n = 0;
	MemoryContextReset(all->items_context);
}

/* Names and hashes of all stored rows; not their features. */
static void
read_stored(PredictAll *all)
{
	const Serving *serving = &all->predictor->serving;
	BlockScan  *scan = block_scan_begin(all->predictor->project->id, serving->encoder,
										serving->encoder_id, 0, false, true);
	int			capacity = 64;
	FeatureBlock block;

	all->stored = stored_create(CurrentMemoryContext, 1024, NULL);
	all->numbers = palloc_array_checked(int64, capacity);
	while (block_scan_next(scan, &block))
	{
		if (all->nblocks == capacity)
		{
			capacity *= 2;
			all->numbers = repalloc_huge(all->numbers, mul_size(capacity, sizeof(int64)));
		}
		for (int row = 0; row < block.rows; row++)
		{
			StoredRow  *stored;
			bool		found;

			if (block.hashes[row] == 0)
				continue;
			stored = stored_insert(all->stored, item_key(block.items[row]), &found);
			stored->hash = block.hashes[row];
			stored->block = all->nblocks;
			stored->row = (int16) row;
		}
		all->numbers[all->nblocks++] = block.number;
	}
	block_scan_end(scan);
	/* a source in another order than the blocks must not read each many times */
	all->reads_left = 2 * all->nblocks + 16;
}

/* NULL: not worth reading. */
static const FeatureBlock *
get_block(PredictAll *all, int32 index)
{
	const Serving *serving = &all->predictor->serving;
	KeptBlock  *kept;
	MemoryContext before;

	for (int i = 0; i < BLOCKS_KEPT; i++)
	{
		if (all->kept[i].index == index)
			return &all->kept[i].block;
	}
	if (all->reads_left-- <= 0)
		return NULL;
	kept = &all->kept[all->next_kept++ % BLOCKS_KEPT];
	kept->index = -1;
	MemoryContextReset(kept->context);
	before = MemoryContextSwitchTo(kept->context);
	if (block_read(all->predictor->project->id, serving->encoder, serving->encoder_id,
				   all->numbers[index], true, &kept->block))
		kept->index = index;
	MemoryContextSwitchTo(before);
	return kept->index == index ? &kept->block : NULL;
}

/* Adds the stored features of just this input; false where there are none. */
static bool
add_stored(PredictAll *all, const SourceRow *row)
{
	StoredRow  *stored = stored_lookup(all->stored, item_key(row->item));
	const FeatureBlock *block;
	const unsigned char *terms;
	size_t		length;

	if (stored == NULL || stored->hash != input_hash(&row->input))
		return false;
	block = get_block(all, stored->block);
	if (block == NULL || stored->row >= block->rows)
		return false;
	terms = block_terms(block, stored->row, &length);
	rows_add(&all->predictor->rows, block->dense + (size_t) stored->row * block->dims,
			 terms, length);
	return true;
}

/* One whose features are in the predictor's rows. */
static void
add_item(PredictAll *all, const char *item)
{
	all->items[all->n++] = MemoryContextStrdup(all->items_context, item);
	if (all->n == SCORE_ROWS)
		emit(all);
}

static void
row_encoded(const SourceRow *row, void *tag pg_attribute_unused(), Status status, void *argument)
{
	PredictAll *all = argument;

	/* one bad vector must not end the scan: it gets the prior's answer */
	if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
		predictor_add_blank(all->predictor);
	else
	{
		status_check(status, "encode a row");
		rows_add_encoding(&all->predictor->rows, &all->predictor->rows.encoding);
	}
	add_item(all, row->item);
}

static void
predict_row(const SourceRow *row, void *argument)
{
	PredictAll *all = argument;

	if (input_missing(&row->input))
		predictor_add_blank(all->predictor);
	else if (!add_stored(all, row))
	{
		row_batch_add(&all->batch, row, NULL);
		return;
	}
	add_item(all, row->item);
}

/* A column's type may have changed since the model was trained. */
static void
need_readable(const Predictor *predictor)
{
	const Project *project = predictor->project;
	const Encoder *encoder = predictor->serving.encoder;

	for (int i = 0; i < encoder_parts(encoder); i++)
	{
		EncoderPart part;
		bool		text;

		encoder_part(encoder, i, &part);
		text = part.kind != ENCODER_VECTOR;
		if (part.input < project->ninputs &&
			text == (project->inputs[part.input].kind == INPUT_TEXT))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model %d of project \"%s\" reads %s, but column \"%s\" is %s now",
						predictor->serving.model, project->name, text ? "texts" : "vectors",
						project->inputs[Min(part.input, project->ninputs - 1)].column,
						text ? "a vector" : "a text"),
				 errhint("Train another with hl_train('%s').", project->name)));
	}
}

Datum
hl_predict_all(PG_FUNCTION_ARGS)
{
	PredictAll *all;
	ReturnSetInfo *set = set_begin(fcinfo);
	Call		call;

	call_begin(&call);
	all = palloc0(sizeof(PredictAll));
	all->set = set;
	all->predictor = predictor_get(fcinfo);
	project_need_source(all->predictor->project);
	reading_need_rights(all->predictor->project);
	need_readable(all->predictor);
	all->items_context = AllocSetContextCreate(CurrentMemoryContext, "humanloop predicted items",
											   ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < BLOCKS_KEPT; i++)
	{
		all->kept[i].index = -1;
		all->kept[i].context = AllocSetContextCreate(CurrentMemoryContext, "humanloop kept block",
													 ALLOCSET_DEFAULT_SIZES);
	}
	read_stored(all);
	row_batch_init(&all->batch, all->predictor->serving.encoder, all->predictor->project->ninputs,
				   &all->predictor->rows.encoding, row_encoded, all);
	source_scan(all->predictor->project, READ_AS_CALLER, NULL, true, predict_row, all);
	row_batch_flush(&all->batch);
	emit(all);
	call_end(&call);
	return (Datum) 0;
}
