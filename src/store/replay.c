/*-------------------------------------------------------------------------
 *
 * replay.c
 *	  A relation that is labelled already, read to be learned again.
 *
 * It needs no project and makes none: whoever may SELECT may do this, and gets
 * to see no more than shares of rows.  So the relation is read as he is,
 * row-level security and all, in a security-restricted operation, since it may
 * run what others have written; a superuser reads as its owner, for the
 * reason that reading.c gives.  What goes wrong is told as it is: he could have
 * asked for the rows themselves.
 *
 * Texts are kept until they are encoded, as the encoder is fitted on all of
 * them first; so there is a limit to their number, and a uniform sample beyond
 * (reservoir).  They are put into an order that comes from what is in them, so
 * that the result does not change with the order of the rows in the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "humanloop.h"
#include "math/random.h"
#include "store/caller.h"
#include "store/feature.h"
#include "store/fit.h"
#include "store/label.h"
#include "store/replay.h"
#include "store/row_batch.h"
#include "store/session.h"

#define FETCH_ROWS 64

#define DOING "simulate"

/* Columns of what is read; the inputs are the last. */
enum
{
	ROW_LABEL = 1, ROW_SPLIT, ROW_INPUTS
};

/* A row that is kept. */
typedef struct KeptRow
{
	Input	   *input;
	char	   *label;
	uint64		hash;			/* of both */
	bool		test;
} KeptRow;

typedef struct ReplayReader
{
	const ReplaySource *source;
	Oid			role;			/* who reads */
	const char *query;
	Portal		portal;
	MemoryContext context;		/* of what is kept */
	Random		random;
	KeptRow    *kept;
	int			n;
	int			capacity;
	size_t		bytes;			/* of what is kept */
	int64		usable;			/* rows that could be kept */
	int64		incomplete;		/* without input or label */
	int64		unsplit;		/* neither 'train' nor 'test' */
	int64		unencoded;		/* vectors that are none */
} ReplayReader;

/* ---------------------------------------------------------------------- */
/* Reading */

static AttrNumber
find_column(Relation relation, const char *column, const char *what)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(relation), column);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s column \"%s\" of \"%s\" does not exist", what, column,
						RelationGetRelationName(relation))));
	return attnum;
}

/* Names stay as they are until the end of the transaction, by a lock. */
static void
open_relation(ReplayReader *reader)
{
	const ReplaySource *source = reader->source;
	Relation	relation = try_relation_open(source->relation, AccessShareLock);
	StringInfoData query;

	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", source->relation)));
	if (!project_source_kind(relation->rd_rel->relkind))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table or view", RelationGetRelationName(relation))));
	inputs_look_up(source->project, relation);
	encoder_plan_check(source->project, source->project->encoder);
	(void) find_column(relation, source->label, "label");
	if (source->split != NULL)
		(void) find_column(relation, source->split, "split");
	reader->role = superuser() ? relation->rd_rel->relowner : GetUserId();
	initStringInfo(&query);
	appendStringInfo(&query, "SELECT s.%s::pg_catalog.text, %s::pg_catalog.text, %s FROM %s s",
					 quote_identifier(source->label),
					 source->split == NULL ? "NULL" :
					 psprintf("s.%s", quote_identifier(source->split)),
					 project_input_expressions(source->project),
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
												RelationGetRelationName(relation)));
	reader->query = query.data;
	relation_close(relation, NoLock);
}

/* Opens the cursor, or fetches from it, as whoever reads. */
static void
step(ReplayReader *reader)
{
	MemoryContext context = CurrentMemoryContext;
	Acting		acting;

	act_as_restricted(&acting, reader->role);
	if (reader->portal == NULL)
		reader->portal = SPI_cursor_open_with_args(NULL, reader->query, 0, NULL, NULL, NULL, true,
												   CURSOR_OPT_NO_SCROLL);
	else
		SPI_cursor_fetch(reader->portal, true, FETCH_ROWS);
	act_as_before(&acting);
	MemoryContextSwitchTo(context);
}

static size_t
kept_bytes(const KeptRow *row)
{
	return sizeof(KeptRow) + strlen(row->label) + 1 + 2 * sizeof(Size) + input_memory(row->input);
}

static void
forget(ReplayReader *reader, KeptRow *row)
{
	reader->bytes -= kept_bytes(row);
	pfree(row->label);
	input_free(row->input);
}

/* Half of the memory is for what becomes of the texts. */
static void
check_bytes(const ReplayReader *reader)
{
	if (reader->bytes / 1024 > (size_t) setting_work_mem / 2)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("not enough memory to %s", DOING),
				 errdetail("The inputs alone take more than half of humanloop.work_mem, which is %d MB.",
						   setting_work_mem / 1024),
				 errhint("Lower the option \"rows\", or raise humanloop.work_mem.")));
}

static KeptRow *
place_of(ReplayReader *reader)
{
	uint64		place;

	reader->usable++;
	if (reader->n < reader->source->rows)
	{
		if (reader->n == reader->capacity)
		{
			reader->capacity *= 2;
			reader->kept = repalloc_huge(reader->kept,
										 mul_size(reader->capacity, sizeof(KeptRow)));
		}
		return &reader->kept[reader->n++];
	}
	place = random_below(&reader->random, reader->usable);
	if (place >= (uint64) reader->n)
		return NULL;
	forget(reader, &reader->kept[place]);
	return &reader->kept[place];
}

static void
keep(ReplayReader *reader, const Input *input, const char *label, bool test)
{
	KeptRow    *row = place_of(reader);
	MemoryContext before;

	if (row == NULL)
		return;
	before = MemoryContextSwitchTo(reader->context);
	row->input = input_copy(input);
	row->label = pstrdup(label);
	MemoryContextSwitchTo(before);
	row->test = test;
	row->hash = hash_combine64(input_hash(input),
							   hash_bytes_extended((const unsigned char *) label,
												   (int) strlen(label), test));
	reader->bytes += kept_bytes(row);
	check_bytes(reader);
}

/* False: the row belongs to neither part. */
static bool
read_split(const ReplayReader *reader, HeapTuple tuple, TupleDesc desc, bool *test)
{
	char	   *value;

	*test = false;
	if (reader->source->split == NULL)
		return true;
	value = SPI_getvalue(tuple, desc, ROW_SPLIT);
	*test = value != NULL && strcmp(value, "test") == 0;
	return *test || (value != NULL && strcmp(value, "train") == 0);
}

static void
read_row(ReplayReader *reader, HeapTuple tuple, TupleDesc desc)
{
	char	   *label = SPI_getvalue(tuple, desc, ROW_LABEL);
	Input		input;
	bool		test;

	source_inputs(reader->source->project, tuple, desc, ROW_INPUTS, &input);
	if (input_missing(&input) || label == NULL || label_is_blank(label))
	{
		reader->incomplete++;
		return;
	}
	if (!read_split(reader, tuple, desc, &test))
	{
		reader->unsplit++;
		return;
	}
	if (input.next == NULL && input.text == NULL && input.n == 0)
		reader->unencoded++;
	else
		keep(reader, &input, label, test);
}

static void
read_all(ReplayReader *reader)
{
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "humanloop replay row",
													  ALLOCSET_DEFAULT_SIZES);

	random_seed(&reader->random, reader->source->seed);
	reader->capacity = 64;
	reader->kept = palloc_array_checked(KeptRow, reader->capacity);
	step(reader);
	for (;;)
	{
		SPITupleTable *table;
		uint64		rows;

		step(reader);
		table = SPI_tuptable;
		rows = SPI_processed;
		for (uint64 i = 0; i < rows; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(row_context);

			read_row(reader, table->vals[i], table->tupdesc);
			MemoryContextSwitchTo(before);
			MemoryContextReset(row_context);
			interrupts_check();
		}
		SPI_freetuptable(table);
		if (rows == 0)
			break;
	}
	SPI_cursor_close(reader->portal);
	MemoryContextDelete(row_context);
}

/* Rows of the same hash are the same. */
static int
compare_rows(const void *a, const void *b)
{
	uint64		first = ((const KeptRow *) a)->hash;
	uint64		second = ((const KeptRow *) b)->hash;

	return first < second ? -1 : first > second;
}

/* ---------------------------------------------------------------------- */
/* Encoding */

static void
feed_kept(SourceCallback callback, void *state, void *from)
{
	const ReplayReader *reader = from;

	for (int i = 0; i < reader->n; i++)
	{
		SourceRow	row = {.item = "", .input = *reader->kept[i].input};

		callback(&row, state);
	}
}

static int
compare_labels(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/*
 * The classes of n rows by their labels, in the order of the labels' bytes; how
 * many there are.
 */
static int
number_classes(char *const *labels, int n, int *number)
{
	char	  **names = palloc_array_checked(char *, n);
	int			classes = 0;

	memcpy(names, labels, sizeof(char *) * n);
	qsort(names, n, sizeof(char *), compare_labels);
	for (int i = 0; i < n; i++)
	{
		if (classes == 0 || strcmp(names[i], names[classes - 1]) != 0)
			names[classes++] = names[i];
	}
	for (int i = 0; i < n; i++)
	{
		char	  **class = bsearch(&labels[i], names, classes, sizeof(char *), compare_labels);

		number[i] = (int) (class - names);
	}
	pfree(names);
	return classes;
}

/* Rows on their way into a replay. */
typedef struct RowsTaken
{
	ReplayReader *reader;
	Replay	   *replay;
	RowsBuilder *builder;
	char	  **labels;
	int			n;
} RowsTaken;

static void
row_encoded(const SourceRow *row pg_attribute_unused(), void *tag, Status status, void *argument)
{
	RowsTaken  *taken = argument;
	const KeptRow *kept = tag;

	interrupts_check();
	if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
	{
		taken->reader->unencoded++;
		return;
	}
	status_check(status, "encode a row");
	rows_add_encoding(taken->builder, &taken->builder->encoding);
	taken->labels[taken->n] = kept->label;
	taken->replay->test[taken->n++] = kept->test;
	if (taken->n % 1024 == 0)
		memory_check(taken->reader->bytes + rows_bytes(taken->builder), DOING);
}

/* The rows that can be encoded, with their classes. */
static void
encode_rows(ReplayReader *reader, const Encoder *encoder, Replay *replay)
{
	RowsTaken	taken = {reader, replay, palloc(sizeof(RowsBuilder)),
	palloc_array_checked(char *, reader->n), 0};
	RowBatch   *batch = palloc(sizeof(RowBatch));

	rows_init(taken.builder, encoder, CurrentMemoryContext);
	replay->test = palloc_array_checked(bool, reader->n);
	row_batch_init(batch, encoder, reader->source->project->ninputs, &taken.builder->encoding,
				   row_encoded, &taken);
	for (int i = 0; i < reader->n; i++)
	{
		SourceRow	row = {.item = "", .input = *reader->kept[i].input};

		row_batch_add(batch, &row, &reader->kept[i]);
	}
	row_batch_flush(batch);
	replay->label = palloc_array_checked(int, reader->n);
	replay->classes = number_classes(taken.labels, taken.n, replay->label);
	pfree(taken.labels);
	replay->rows = rows_finish(taken.builder);
	replay->bytes = rows_bytes(taken.builder) + taken.n * (sizeof(int) + sizeof(bool));
	replay->terms = taken.builder->terms;
}

/* ---------------------------------------------------------------------- */

static void
tell(const ReplayReader *reader)
{
	if (reader->incomplete > 0)
		ereport(NOTICE,
				(errmsg("hl_simulate: " INT64_FORMAT " rows without input or label are left out",
						reader->incomplete)));
	if (reader->unsplit > 0)
		ereport(NOTICE,
				(errmsg("hl_simulate: " INT64_FORMAT " rows whose \"%s\" is neither 'train' nor 'test' are left out",
						reader->unsplit, reader->source->split)));
	if (reader->unencoded > 0)
		ereport(NOTICE,
				(errmsg("hl_simulate: " INT64_FORMAT " rows whose vectors have another length or are not finite are left out",
						reader->unencoded)));
	if (reader->usable > reader->n)
		ereport(NOTICE,
				(errmsg("hl_simulate: %d of " INT64_FORMAT " rows are used, a random sample",
						reader->n, reader->usable),
				 errhint("The option \"rows\" says how many.")));
}

Replay *
replay_read(const ReplaySource *source)
{
	Replay	   *replay = palloc0(sizeof(Replay));
	MemoryContext parent = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(parent, "humanloop replay",
												  ALLOCSET_DEFAULT_SIZES);
	ReplayReader reader = {.source = source, .context = context};
	Caller		caller = caller_in(context);
	Encoder    *encoder;
	int64		rows;

	MemoryContextSwitchTo(context);
	open_relation(&reader);
	read_all(&reader);
	if (reader.n == 0)
	{
		tell(&reader);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there are no rows with an input and a label that you may see"),
				 errhint("A simulation learns what is labelled already.")));
	}
	qsort(reader.kept, reader.n, sizeof(KeptRow), compare_rows);
	blas_load();
	encoder = project_fit(encoder_plan(source->project, encoder_base(source->project)), &caller,
						  DOING, feed_kept, &reader, &rows);
	MemoryContextSwitchTo(parent);
	encode_rows(&reader, encoder, replay);
	tell(&reader);
	MemoryContextDelete(context);
	return replay;
}
