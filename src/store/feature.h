/*-------------------------------------------------------------------------
 *
 * feature.h
 *	  Encoded rows, as they are kept in blocks and as the model wants them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_FEATURE_H
#define HUMANLOOP_FEATURE_H

#include "store/source.h"

#define BLOCK_ROWS 512

/* 128 bits of an item's name: items are told apart by it in memory. */
typedef struct ItemKey
{
	uint64		high;
	uint64		low;
} ItemKey;

extern ItemKey item_key(const char *item);

/* A block of hl_feature_block; pointers live as long as its context. */
typedef struct FeatureBlock
{
	int64		number;
	int			rows;
	int			live;
	char	  **items;
	uint64	   *hashes;			/* of the inputs; 0: the row is gone */
	int			dims;
	const float *dense;			/* rows x dims; NULL where not asked for */
	const unsigned char *terms; /* packed sparse parts */
	const uint32 *term_end;		/* rows: end of each in terms */
} FeatureBlock;

/* Sparse part of one row, packed. */
extern const unsigned char *block_terms(const FeatureBlock *block, int row, size_t *length);

/* Does the row say nothing?  Then it is nothing to ask a person. */
extern bool block_row_blank(const FeatureBlock *block, int row);

typedef struct BlockScan BlockScan;

/*
 * Blocks of a project in order, from number first on; needs SPI connected.  bodies: also dense and
 * terms.  The block's memory is reused by the next call.
 */
extern BlockScan *block_scan_begin(int32 project_id, const Encoder *encoder, int64 encoder_id,
								   int64 first, bool bodies, bool read_only);
extern bool block_scan_next(BlockScan *scan, FeatureBlock *block);
extern void block_scan_end(BlockScan *scan);

/*
 * One block in the current context, by number; false: it is not there.
 * read_only: as the caller's snapshot has it; whoever writes wants it as it is.
 */
extern bool block_read(int32 project_id, const Encoder *encoder, int64 encoder_id,
					   int64 number, bool read_only, FeatureBlock *block);

/* Rows that grow, in the shape the model takes; memory in its own context. */
typedef struct RowsBuilder
{
	MemoryContext context;
	const Encoder *encoder;
	Encoding	encoding;		/* for unpacking */
	int			n;
	int			capacity;
	float	   *dense;
	size_t	   *start;
	size_t		terms;
	size_t		terms_capacity;
	uint32	   *index;
	float	   *weight;
	int			part_dims[COMBINATION_MAX_PARTS];
	SparseRows	sparse;
	Rows		rows;
} RowsBuilder;

extern void rows_init(RowsBuilder *builder, const Encoder *encoder, MemoryContext context);
extern void rows_reset(RowsBuilder *builder);
extern void rows_add(RowsBuilder *builder, const float *dense,
					 const unsigned char *terms, size_t length);
extern void rows_add_encoding(RowsBuilder *builder, const Encoding *encoding);
/* All rows of another, which has the same encoder. */
extern void rows_append(RowsBuilder *builder, const RowsBuilder *more);
extern void rows_drop_last(RowsBuilder *builder);
extern const Rows *rows_finish(RowsBuilder *builder);

/* Does the row say nothing (no known n-gram, a vector of zeros)? */
extern bool rows_blank(const RowsBuilder *builder, int row);
extern size_t rows_bytes(const RowsBuilder *builder);

/* Rows on their way into new blocks. */
typedef struct BlockWriter
{
	int32		project_id;
	int64		encoder_id;
	const Encoder *encoder;
	MemoryContext context;		/* of the rows collected */
	int64		next;			/* number of the next block */
	int			rows;
	char	  **items;
	uint64	   *hashes;
	float	   *dense;
	StringInfoData terms;
	uint32	   *term_end;
} BlockWriter;

extern void block_writer_init(BlockWriter *writer, const Project *project,
							  const Encoder *encoder, int64 encoder_id, MemoryContext parent);
extern void block_writer_add(BlockWriter *writer, const char *item, uint64 hash,
							 const float *dense, const unsigned char *terms, size_t length);
extern void block_writer_flush(BlockWriter *writer);

/* The rows of a block with bodies, but those whose hash (as it shall be) is 0. */
extern void block_copy(const FeatureBlock *block, const uint64 *hashes, BlockWriter *writer);

/* Marks rows as gone: hashes as they shall be; deletes a block without any. */
extern void block_mark(int32 project_id, int64 encoder_id, const FeatureBlock *block);
extern void block_delete(int32 project_id, int64 encoder_id, int64 number);

/*
 * Writes a block again without the rows that are gone: hashes as they shall be,
 * or NULL for those that are marked already.
 */
extern void block_erase(const Project *project, const Encoder *encoder, int64 encoder_id,
						int64 number, const uint64 *hashes);

/* The length of an input's vectors while there are none, beside inputs that are there. */
#define NO_VECTORS_DIMS 1

/* For vectors of that length; error where they are too long. */
extern void make_vector_encoder(const Caller *caller, int dims, Encoder **encoder);

/* Is it for the kinds of inputs that the project has now? */
extern bool encoder_suits(const Encoder *encoder, const Project *project);

/* Numbers of the vectors that it reads as that input; 0: it reads none there. */
extern int	encoder_vector_dims(const Encoder *encoder, int input);

/* A row's inputs as encoders take them, n of them. */
extern void encoder_inputs(const Input *first, EncoderInput *inputs, int n);

/*
 * A row from its first input on, see encode_inputs().  A vector that is none, as
 * it is of another length or not finite, is as good as missing.
 */
extern Status encode_input(const Encoder *encoder, const Input *input, Encoding *encoding);

#define LENGTHS_COUNTED 64

/* How many vectors have which length; the first different ones are counted. */
typedef struct Lengths
{
	int			n;
	int			length[LENGTHS_COUNTED];
	int64		count[LENGTHS_COUNTED];
} Lengths;

extern void lengths_add(Lengths *lengths, const Input *input);

/* The one that most have; 0: there are no vectors.  Of equals the one asked for. */
extern int	lengths_most(const Lengths *lengths, int preferred);

#endif							/* HUMANLOOP_FEATURE_H */
