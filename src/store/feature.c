/*-------------------------------------------------------------------------
 *
 * feature.c
 *	  Encoded rows, as they are kept in blocks and as the model wants them.
 *
 * A block holds some 500 rows: names, hashes of the inputs, dense vectors and
 * packed sparse parts.  New and changed rows go into new blocks; a row that
 * is gone has its hash zeroed, which rewrites the short columns only, until
 * somebody has the time to write the block again without it: what was made
 * from a text must not outlive the text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "store/caller.h"
#include "store/feature.h"
#include "store/session.h"

StaticAssertDecl(MAX_INPUTS == ENCODER_MAX_INPUTS, "as many inputs as a combination can read");

#define BLOCKS_AT_ONCE 4
#define BLOCK_COLUMNS "block, live_rows, hashes, items"

struct BlockScan
{
	Portal		portal;
	MemoryContext context;		/* of the blocks fetched */
	int			dims;
	bool		bodies;
	SPITupleTable *table;
	uint64		rows;
	uint64		next;
};

ItemKey
item_key(const char *item)
{
	ItemKey		key;
	int			length = (int) strlen(item);

	key.high = hash_bytes_extended((const unsigned char *) item, length, 11);
	key.low = hash_bytes_extended((const unsigned char *) item, length, 12);
	return key;
}

void
make_vector_encoder(const Caller *caller, int dims, Encoder **encoder)
{
	if (dims > MAX_VECTOR_DIMS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("vectors of %d numbers are too long", dims),
				 errhint("At most %d are allowed.", MAX_VECTOR_DIMS)));
	status_check(vector_encoder(caller, dims, encoder), "make the encoder");
}

bool
encoder_suits(const Encoder *encoder, const Project *project)
{
	for (int i = 0; i < encoder_parts(encoder); i++)
	{
		EncoderPart part;

		encoder_part(encoder, i, &part);
		if (part.input >= project->ninputs ||
			(part.kind == ENCODER_VECTOR) != (project->inputs[part.input].kind == INPUT_VECTOR))
			return false;
	}
	return true;
}

int
encoder_vector_dims(const Encoder *encoder, int input)
{
	for (int i = 0; i < encoder_parts(encoder); i++)
	{
		EncoderPart part;

		encoder_part(encoder, i, &part);
		if (part.input == input && part.kind == ENCODER_VECTOR)
			return part.dims;
	}
	return 0;
}

void
lengths_add(Lengths *lengths, const Input *input)
{
	int			i = 0;

	if (input->vector == NULL || input->n == 0)
		return;
	while (i < lengths->n && lengths->length[i] != input->n)
		i++;
	if (i == LENGTHS_COUNTED)
		return;
	if (i == lengths->n)
	{
		lengths->length[lengths->n++] = input->n;
		lengths->count[i] = 0;
	}
	lengths->count[i]++;
}

int
lengths_most(const Lengths *lengths, int preferred)
{
	int			most = 0;
	int64		count = 0;

	for (int i = 0; i < lengths->n; i++)
	{
		if (lengths->count[i] > count ||
			(lengths->count[i] == count && lengths->length[i] == preferred))
		{
			most = lengths->length[i];
			count = lengths->count[i];
		}
	}
	return most;
}

void
encoder_inputs(const Input *first, EncoderInput *inputs, int n)
{
	for (const Input *input = first; input != NULL && n > 0; input = input->next, n--)
		*inputs++ = (EncoderInput) {input->text, input->length, input->vector, input->n};
}

Status
encode_input(const Encoder *encoder, const Input *input, Encoding *encoding)
{
	EncoderInput inputs[ENCODER_MAX_INPUTS] = {{0}};

	encoder_inputs(input, inputs, ENCODER_MAX_INPUTS);
	return encode_inputs(encoder, inputs, NULL, encoding);
}

/* ---------------------------------------------------------------------- */
/* Reading */

BlockScan *
block_scan_begin(int32 project_id, const Encoder *encoder, int64 encoder_id,
				 int64 first, bool bodies, bool read_only)
{
	MemoryContext before = CurrentMemoryContext;
	BlockScan  *scan = palloc0(sizeof(BlockScan));
	Oid			types[3] = {INT4OID, INT8OID, INT8OID};
	Datum		values[3] = {
		Int32GetDatum(project_id), Int64GetDatum(encoder_id), Int64GetDatum(first)
	};
	Acting		acting;
	char	   *query;

	scan->dims = encoder_dims(encoder);
	scan->bodies = bodies;
	scan->context = AllocSetContextCreate(CurrentMemoryContext, "humanloop feature block",
										  ALLOCSET_DEFAULT_SIZES);
	act_as_extension(&acting);
	query = qualify(psprintf("SELECT " BLOCK_COLUMNS "%s FROM @hl_feature_block "
							 "WHERE project_id = $1 AND encoder_id = $2 AND block >= $3 ORDER BY block",
							 bodies ? ", dense, terms" : ""));
	scan->portal = SPI_cursor_open_with_args(NULL, query, 3, types, values, NULL, read_only,
											 CURSOR_OPT_NO_SCROLL);
	act_as_before(&acting);
	MemoryContextSwitchTo(before);
	return scan;
}

static void
damaged(int64 block)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("feature block " INT64_FORMAT " is damaged", block),
			 errhint("DELETE the project's rows from hl_feature_block; hl_refresh() encodes anew.")));
}

/*
 * Detoasted copy in the current context, aligned for float and uint32.  A copy
 * also of what lies in the row itself, as the few rows of a small block do: it
 * must outlive the result.
 */
static const unsigned char *
bytes_of(SPITupleTable *table, uint64 row, int column, size_t *length)
{
	bool		isnull;
	Datum		value = SPI_getbinval(table->vals[row], table->tupdesc, column, &isnull);
	bytea	   *bytes = DatumGetByteaPCopy(value);

	*length = VARSIZE(bytes) - VARHDRSZ;
	return (const unsigned char *) VARDATA(bytes);
}

static void
decode_bodies(SPITupleTable *table, uint64 row, FeatureBlock *block)
{
	size_t		length;
	const unsigned char *bytes = bytes_of(table, row, 5, &length);

	if (length != (size_t) block->rows * block->dims * sizeof(float))
		damaged(block->number);
	block->dense = (const float *) bytes;
	for (size_t i = 0; i < (size_t) block->rows * block->dims; i++)
	{
		/* of unit length; also false for NaN */
		if (!(fabsf(block->dense[i]) <= 1.01f))
			damaged(block->number);
	}
	bytes = bytes_of(table, row, 6, &length);
	if (length < (size_t) block->rows * sizeof(uint32))
		damaged(block->number);
	block->term_end = (const uint32 *) bytes;
	block->terms = bytes + block->rows * sizeof(uint32);
	length -= block->rows * sizeof(uint32);
	for (int i = 0; i < block->rows; i++)
	{
		if (block->term_end[i] > length || (i > 0 && block->term_end[i] < block->term_end[i - 1]))
			damaged(block->number);
	}
}

/* A row of BLOCK_COLUMNS, in the current context. */
static void
decode_block(SPITupleTable *table, uint64 row, int dims, bool bodies, FeatureBlock *block)
{
	const unsigned char *bytes;
	size_t		length;
	bool		isnull;
	int			n;

	memset(block, 0, sizeof(*block));
	block->number = DatumGetInt64(SPI_getbinval(table->vals[row], table->tupdesc, 1, &isnull));
	block->live = DatumGetInt32(SPI_getbinval(table->vals[row], table->tupdesc, 2, &isnull));
	block->dims = dims;
	bytes = bytes_of(table, row, 3, &length);
	block->rows = (int) (length / sizeof(uint64));
	block->hashes = palloc_array_checked(uint64, block->rows);
	memcpy(block->hashes, bytes, block->rows * sizeof(uint64));
	block->items = array_strings(SPI_getbinval(table->vals[row], table->tupdesc, 4, &isnull), &n);
	if (n != block->rows || n > BLOCK_ROWS || !strings_complete(block->items, n))
		damaged(block->number);
	if (bodies)
		decode_bodies(table, row, block);
}

bool
block_scan_next(BlockScan *scan, FeatureBlock *block)
{
	MemoryContext before;

	if (scan->table != NULL && scan->next == scan->rows)
	{
		SPI_freetuptable(scan->table);
		scan->table = NULL;
	}
	if (scan->table == NULL)
	{
		Acting		acting;

		before = CurrentMemoryContext;
		act_as_extension(&acting);
		SPI_cursor_fetch(scan->portal, true, BLOCKS_AT_ONCE);
		act_as_before(&acting);
		MemoryContextSwitchTo(before);
		scan->table = SPI_tuptable;
		scan->rows = SPI_processed;
		scan->next = 0;
		if (scan->rows == 0)
			return false;
	}
	MemoryContextReset(scan->context);
	before = MemoryContextSwitchTo(scan->context);
	decode_block(scan->table, scan->next++, scan->dims, scan->bodies, block);
	MemoryContextSwitchTo(before);
	interrupts_check();
	return true;
}

bool
block_read(int32 project_id, const Encoder *encoder, int64 encoder_id, int64 number,
		   bool read_only, FeatureBlock *block)
{
	static Statement select = {
		"SELECT " BLOCK_COLUMNS ", dense, terms FROM @hl_feature_block "
		"WHERE project_id = $1 AND encoder_id = $2 AND block = $3",
		3, {INT4OID, INT8OID, INT8OID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project_id), Int64GetDatum(encoder_id), Int64GetDatum(number)
	};
	SPITupleTable *table;

	statement_run_as_extension(&select, values, NULL, read_only);
	if (SPI_processed == 0)
		return false;
	table = SPI_tuptable;
	decode_block(table, 0, encoder_dims(encoder), true, block);
	SPI_freetuptable(table);
	return true;
}

void
block_scan_end(BlockScan *scan)
{
	MemoryContext before = CurrentMemoryContext;

	if (scan->table != NULL)
		SPI_freetuptable(scan->table);
	SPI_cursor_close(scan->portal);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(scan->context);
	pfree(scan);
}

const unsigned char *
block_terms(const FeatureBlock *block, int row, size_t *length)
{
	uint32		start = row == 0 ? 0 : block->term_end[row - 1];

	*length = block->term_end[row] - start;
	return block->terms + start;
}

bool
block_row_blank(const FeatureBlock *block, int row)
{
	return dense_blank(block->dense + (size_t) row * block->dims, block->dims);
}

/* ---------------------------------------------------------------------- */
/* Rows for the model */

void
rows_init(RowsBuilder *builder, const Encoder *encoder, MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	Caller	   *caller = palloc(sizeof(Caller));

	memset(builder, 0, sizeof(*builder));
	*caller = caller_in(context);
	builder->context = context;
	builder->encoder = encoder;
	builder->capacity = 64;
	builder->dense = palloc_array_checked(float, (Size) 64 * encoder_dims(encoder));
	builder->start = palloc_array_checked(size_t, 64 + 1);
	builder->start[0] = 0;
	for (int i = 0; i < encoder_parts(encoder); i++)
	{
		EncoderPart part;

		encoder_part(encoder, i, &part);
		builder->part_dims[i] = part.dims;
	}
	builder->terms_capacity = 64 * 64;
	builder->index = palloc_array_checked(uint32, builder->terms_capacity);
	builder->weight = palloc_array_checked(float, builder->terms_capacity);
	status_check(encoding_init(caller, encoder, &builder->encoding), "encode");
	MemoryContextSwitchTo(before);
}

void
rows_reset(RowsBuilder *builder)
{
	builder->n = 0;
	builder->terms = 0;
}

static void
make_room(RowsBuilder *builder, int terms)
{
	int			dims = encoder_dims(builder->encoder);

	if (builder->n == builder->capacity)
	{
		builder->capacity *= 2;
		builder->dense = repalloc_huge(builder->dense,
									   mul_size(mul_size(builder->capacity, dims), sizeof(float)));
		builder->start = repalloc_huge(builder->start,
									   mul_size(builder->capacity + 1, sizeof(size_t)));
	}
	while (builder->terms + terms > builder->terms_capacity)
	{
		builder->terms_capacity *= 2;
		builder->index = repalloc_huge(builder->index,
									   mul_size(builder->terms_capacity, sizeof(uint32)));
		builder->weight = repalloc_huge(builder->weight,
										mul_size(builder->terms_capacity, sizeof(float)));
	}
}

static void
append_row(RowsBuilder *builder, const float *dense, const Encoding *encoding)
{
	int			dims = encoder_dims(builder->encoder);
	int			terms = encoder_sparse_dims(builder->encoder) > 0 ? encoding->terms : 0;

	make_room(builder, terms);
	memcpy(builder->dense + (size_t) builder->n * dims, dense, dims * sizeof(float));
	/* without a sparse stage there are no arrays */
	if (terms > 0)
	{
		memcpy(builder->index + builder->terms, encoding->index, terms * sizeof(uint32));
		memcpy(builder->weight + builder->terms, encoding->weight, terms * sizeof(float));
	}
	builder->terms += terms;
	builder->start[++builder->n] = builder->terms;
}

void
rows_add(RowsBuilder *builder, const float *dense, const unsigned char *terms, size_t length)
{
	if (encoder_sparse_dims(builder->encoder) > 0)
		status_check(terms_unpack(builder->encoder, terms, length, &builder->encoding),
					 "read features");
	append_row(builder, dense, &builder->encoding);
}

void
rows_add_encoding(RowsBuilder *builder, const Encoding *encoding)
{
	append_row(builder, encoding->dense, encoding);
}

void
rows_append(RowsBuilder *builder, const RowsBuilder *more)
{
	int			dims = encoder_dims(builder->encoder);
	bool		sparse = encoder_sparse_dims(builder->encoder) > 0;

	for (int i = 0; i < more->n; i++)
	{
		size_t		at = more->start[i];
		int			terms = (int) (more->start[i + 1] - at);

		make_room(builder, terms);
		memcpy(builder->dense + (size_t) builder->n * dims, more->dense + (size_t) i * dims,
			   dims * sizeof(float));
		if (sparse && terms > 0)
		{
			memcpy(builder->index + builder->terms, more->index + at, terms * sizeof(uint32));
			memcpy(builder->weight + builder->terms, more->weight + at, terms * sizeof(float));
		}
		builder->terms += terms;
		builder->start[++builder->n] = builder->terms;
	}
}

void
rows_drop_last(RowsBuilder *builder)
{
	builder->terms = builder->start[--builder->n];
}

bool
rows_blank(const RowsBuilder *builder, int row)
{
	int			dims = encoder_dims(builder->encoder);

	return dense_blank(builder->dense + (size_t) row * dims, dims);
}

const Rows *
rows_finish(RowsBuilder *builder)
{
	builder->sparse.n = builder->n;
	builder->sparse.start = builder->start;
	builder->sparse.index = builder->index;
	builder->sparse.weight = builder->weight;
	builder->rows.n = builder->n;
	builder->rows.dims = encoder_dims(builder->encoder);
	builder->rows.dense = builder->dense;
	builder->rows.sparse_dims = encoder_sparse_dims(builder->encoder);
	builder->rows.sparse = builder->rows.sparse_dims > 0 ? &builder->sparse : NULL;
	builder->rows.parts = encoder_parts(builder->encoder);
	builder->rows.part_dims = builder->part_dims;
	return &builder->rows;
}

size_t
rows_bytes(const RowsBuilder *builder)
{
	return (size_t) builder->capacity * (encoder_dims(builder->encoder) * sizeof(float) + sizeof(size_t)) +
		builder->terms_capacity * (sizeof(uint32) + sizeof(float));
}

/* ---------------------------------------------------------------------- */
/* Writing */

void
block_writer_init(BlockWriter *writer, const Project *project,
				  const Encoder *encoder, int64 encoder_id, MemoryContext parent)
{
	static Statement last = {
		"SELECT pg_catalog.max(block) FROM @hl_feature_block "
		"WHERE project_id = $1 AND encoder_id = $2", 2, {INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int64GetDatum(encoder_id)};
	Acting		acting;

	memset(writer, 0, sizeof(*writer));
	writer->project_id = project->id;
	writer->encoder_id = encoder_id;
	writer->encoder = encoder;
	writer->context = AllocSetContextCreate(parent, "humanloop new block",
											ALLOCSET_DEFAULT_SIZES);
	act_as_extension(&acting);
	statement_run(&last, values, NULL, false);
	writer->next = result_bigint(0, 1) + 1;
	act_as_before(&acting);
}

static void
writer_start(BlockWriter *writer)
{
	MemoryContext before = MemoryContextSwitchTo(writer->context);

	writer->items = palloc_array_checked(char *, BLOCK_ROWS);
	writer->hashes = palloc_array_checked(uint64, BLOCK_ROWS);
	writer->dense = palloc_array_checked(float, (Size) BLOCK_ROWS * encoder_dims(writer->encoder));
	writer->term_end = palloc_array_checked(uint32, BLOCK_ROWS);
	initStringInfo(&writer->terms);
	MemoryContextSwitchTo(before);
}

void
block_writer_add(BlockWriter *writer, const char *item, uint64 hash,
				 const float *dense, const unsigned char *terms, size_t length)
{
	int			dims = encoder_dims(writer->encoder);

	/* a block stays well below the limit of a value, however long its texts */
	if (writer->rows == BLOCK_ROWS ||
		(writer->rows > 0 && writer->terms.len + length > 16 * 1024 * 1024))
		block_writer_flush(writer);
	if (writer->rows == 0)
		writer_start(writer);
	writer->items[writer->rows] = MemoryContextStrdup(writer->context, item);
	writer->hashes[writer->rows] = hash;
	memcpy(writer->dense + (size_t) writer->rows * dims, dense, dims * sizeof(float));
	appendBinaryStringInfo(&writer->terms, (const char *) terms, (int) length);
	writer->term_end[writer->rows] = (uint32) writer->terms.len;
	writer->rows++;
}

static Datum
bytea_of(const void *first, size_t first_length, const void *second, size_t second_length)
{
	bytea	   *bytes = MemoryContextAllocHuge(CurrentMemoryContext,
											   VARHDRSZ + first_length + second_length);

	SET_VARSIZE(bytes, VARHDRSZ + first_length + second_length);
	memcpy(VARDATA(bytes), first, first_length);
	if (second_length > 0)
		memcpy(VARDATA(bytes) + first_length, second, second_length);
	return PointerGetDatum(bytes);
}

void
block_writer_flush(BlockWriter *writer)
{
	static Statement insert = {
		"INSERT INTO @hl_feature_block VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", 8,
		{INT4OID, INT8OID, INT8OID, INT4OID, BYTEAOID, TEXTARRAYOID, BYTEAOID, BYTEAOID}, NULL, 0
	};
	MemoryContext before = MemoryContextSwitchTo(writer->context);
	Datum		values[8];

	if (writer->rows > 0)
	{
		values[0] = Int32GetDatum(writer->project_id);
		values[1] = Int64GetDatum(writer->encoder_id);
		values[2] = Int64GetDatum(writer->next++);
		values[3] = Int32GetDatum(writer->rows);
		values[4] = bytea_of(writer->hashes, writer->rows * sizeof(uint64), NULL, 0);
		values[5] = text_array(writer->items, writer->rows);
		values[6] = bytea_of(writer->dense,
							 (size_t) writer->rows * encoder_dims(writer->encoder) * sizeof(float),
							 NULL, 0);
		values[7] = bytea_of(writer->term_end, writer->rows * sizeof(uint32),
							 writer->terms.data, writer->terms.len);
		statement_run_as_extension(&insert, values, NULL, false);
	}
	writer->rows = 0;
	MemoryContextSwitchTo(before);
	MemoryContextReset(writer->context);
}

void
block_copy(const FeatureBlock *block, const uint64 *hashes, BlockWriter *writer)
{
	for (int row = 0; row < block->rows; row++)
	{
		size_t		length;
		const unsigned char *terms;

		if (hashes[row] == 0)
			continue;
		terms = block_terms(block, row, &length);
		block_writer_add(writer, block->items[row], hashes[row],
						 block->dense + (size_t) row * block->dims, terms, length);
	}
}

void
block_delete(int32 project_id, int64 encoder_id, int64 number)
{
	static Statement delete = {
		"DELETE FROM @hl_feature_block WHERE project_id = $1 AND encoder_id = $2 AND block = $3",
		3, {INT4OID, INT8OID, INT8OID}, NULL, 0
	};
	Datum		values[3] = {Int32GetDatum(project_id), Int64GetDatum(encoder_id),
	Int64GetDatum(number)};

	statement_run_as_extension(&delete, values, NULL, false);
}

void
block_mark(int32 project_id, int64 encoder_id, const FeatureBlock *block)
{
	static Statement update = {
		"UPDATE @hl_feature_block SET hashes = $4, live_rows = $5 "
		"WHERE project_id = $1 AND encoder_id = $2 AND block = $3",
		5, {INT4OID, INT8OID, INT8OID, BYTEAOID, INT4OID}, NULL, 0
	};
	Datum		values[5];

	if (block->live == 0)
	{
		block_delete(project_id, encoder_id, block->number);
		return;
	}
	values[0] = Int32GetDatum(project_id);
	values[1] = Int64GetDatum(encoder_id);
	values[2] = Int64GetDatum(block->number);
	values[3] = bytea_of(block->hashes, block->rows * sizeof(uint64), NULL, 0);
	values[4] = Int32GetDatum(block->live);
	statement_run_as_extension(&update, values, NULL, false);
}

void
block_erase(const Project *project, const Encoder *encoder, int64 encoder_id, int64 number,
			const uint64 *hashes)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop erase",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	FeatureBlock block;
	BlockWriter writer;

	if (block_read(project->id, encoder, encoder_id, number, false, &block))
	{
		block_delete(project->id, encoder_id, number);
		block_writer_init(&writer, project, encoder, encoder_id, context);
		/* in its place: somebody may be going through the blocks in order */
		writer.next = number;
		block_copy(&block, hashes == NULL ? block.hashes : hashes, &writer);
		block_writer_flush(&writer);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}
