/*-------------------------------------------------------------------------
 *
 * word_rows.c
 *	  Words and their vectors while nobody knows how many there will be.
 *
 * Rows are kept in blocks, so that nothing is copied while more and more
 * come.  At the end the keys are sorted, and the rows put into one matrix.
 *
 *-------------------------------------------------------------------------
 */
#include "words_internal.h"

#include <string.h>

#define BLOCK_BYTES ((size_t) 1 << 18)

/* Some rows; the arrays lie behind the struct, in this order. */
struct WordBlock
{
	size_t		n;
	uint64_t   *written;		/* keys */
	uint64_t   *folded;
	float	   *scale;
	int16_t    *mantissa;		/* n x dims */
};

static size_t
row_bytes(size_t dims)
{
	return 2 * sizeof(uint64_t) + sizeof(float) + dims * sizeof(int16_t);
}

/*
 * In its block; the keys of the table, which are there from then on; and then
 * either those keys being sorted, or the scale and the mantissas once more,
 * in the encoder, and what leads to the keys.
 */
uint64_t
word_rows_each(int dims)
{
	uint64_t	keys = 2 * (sizeof(uint64_t) + sizeof(uint32_t)) + sizeof(bool);
	uint64_t	sorting = 4 * sizeof(WordKey) + sizeof(uint32_t);
	uint64_t	copying = sizeof(float) + (size_t) dims * sizeof(int16_t) + 1;

	return row_bytes((size_t) dims) + keys + (sorting > copying ? sorting : copying);
}

uint64_t
word_rows_fixed(int dims)
{
	return 2 * BLOCK_BYTES + 2 * row_bytes((size_t) dims) + sizeof(Encoder) + sizeof(WordTable);
}

void
word_rows_init(WordRows *rows, const Caller *caller, int dims, size_t most)
{
	*rows = (WordRows) {.caller = caller, .dims = dims};
	rows->rows_a_block = BLOCK_BYTES / row_bytes((size_t) dims);
	if (rows->rows_a_block > most)
		rows->rows_a_block = most;
	if (rows->rows_a_block < 1)
		rows->rows_a_block = 1;
}

void
word_rows_free(WordRows *rows)
{
	for (size_t i = 0; i < rows->nblocks; i++)
		release(rows->caller, rows->blocks[i]);
	if (rows->blocks != NULL)
		release(rows->caller, rows->blocks);
	rows->blocks = NULL;
	rows->nblocks = 0;
}

/* A new block behind the others.  STATUS_NO_MEMORY. */
static Status
add_block(WordRows *rows)
{
	const Caller *caller = rows->caller;
	size_t		n = rows->rows_a_block;
	WordBlock  *block;

	if (rows->nblocks == rows->blocks_room)
	{
		size_t		room = rows->blocks_room == 0 ? 64 : 2 * rows->blocks_room;
		WordBlock **blocks = allocate_array(caller, room, sizeof(WordBlock *));

		if (blocks == NULL)
			return STATUS_NO_MEMORY;
		if (rows->nblocks > 0)
			memcpy(blocks, rows->blocks, rows->nblocks * sizeof(WordBlock *));
		release(caller, rows->blocks);
		rows->blocks = blocks;
		rows->blocks_room = room;
	}
	block = allocate_array(caller, 1, sizeof(WordBlock) + n * row_bytes((size_t) rows->dims));
	if (block == NULL)
		return STATUS_NO_MEMORY;
	block->written = (uint64_t *) (block + 1);
	block->folded = block->written + n;
	block->scale = (float *) (block->folded + n);
	block->mantissa = (int16_t *) (block->scale + n);
	rows->blocks[rows->nblocks++] = block;
	return STATUS_SUCCESS;
}

Status
word_rows_add(WordRows *rows, uint64_t written, uint64_t folded, const float *vector)
{
	WordBlock  *block;

	if (rows->n == rows->nblocks * rows->rows_a_block)
		TRY(add_block(rows));
	block = rows->blocks[rows->nblocks - 1];
	block->written[block->n] = written;
	block->folded[block->n] = folded;
	block->scale[block->n] = quantise_row(vector, rows->dims,
										  block->mantissa + block->n * (size_t) rows->dims);
	block->n++;
	rows->n++;
	return STATUS_SUCCESS;
}

/* The keys of all words, those as written first. */
static void
collect_keys(const WordRows *rows, WordKey *keys)
{
	WordKey    *alias = keys + rows->n;
	uint32_t	word = 0;

	for (size_t i = 0; i < rows->nblocks; i++)
	{
		const WordBlock *block = rows->blocks[i];

		for (size_t j = 0; j < block->n; j++, word++)
		{
			keys[word] = (WordKey) {block->written[j], word, false};
			if (block->folded[j] != block->written[j])
				*alias++ = (WordKey) {block->folded[j], word, true};
		}
	}
}

/* The table's keys; dropped tells which rows are duplicates. */
static Status
sort_words(const WordRows *rows, WordTable *table, bool *dropped)
{
	const Caller *caller = rows->caller;
	size_t		m = rows->n;
	WordKey    *keys;
	WordKey    *room;
	Status		status = STATUS_NO_MEMORY;

	for (size_t i = 0; i < rows->nblocks; i++)
		for (size_t j = 0; j < rows->blocks[i]->n; j++)
			m += rows->blocks[i]->folded[j] != rows->blocks[i]->written[j];
	keys = allocate_array(caller, m, sizeof(WordKey));
	room = allocate_array(caller, m, sizeof(WordKey));
	if (keys != NULL && room != NULL)
	{
		collect_keys(rows, keys);
		status = word_table_sort(caller, table, rows->n, keys, room, m, dropped);
	}
	release(caller, keys);
	release(caller, room);
	return status;
}

/* The rows that are no duplicates into one matrix; blocks are freed on the way. */
static Status
copy_rows(WordRows *rows, WordTable *table, const bool *dropped)
{
	const Caller *caller = rows->caller;
	size_t		dims = (size_t) rows->dims;
	float	   *scale = allocate_array(caller, table->n, sizeof(float));
	int16_t    *mantissa = allocate_array(caller, table->n * dims, sizeof(int16_t));
	size_t		row = 0;

	table->scale = table->owned[2] = scale;
	table->mantissa = table->owned[3] = mantissa;
	if (scale == NULL || mantissa == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < rows->nblocks; i++)
	{
		WordBlock  *block = rows->blocks[i];

		if (stopped(caller))
			return STATUS_STOPPED;
		for (size_t j = 0; j < block->n; j++, row++)
		{
			if (dropped[row])
				continue;
			*scale++ = block->scale[j];
			memcpy(mantissa, block->mantissa + j * dims, dims * sizeof(int16_t));
			mantissa += dims;
		}
		rows->blocks[i] = NULL;
		release(caller, block);
	}
	return STATUS_SUCCESS;
}

static Status
make_table(WordRows *rows, WordTable *table)
{
	bool	   *dropped = allocate_array(rows->caller, rows->n, sizeof(bool));
	Status		status = STATUS_NO_MEMORY;

	if (dropped != NULL)
		status = sort_words(rows, table, dropped);
	if (status == STATUS_SUCCESS)
		status = copy_rows(rows, table, dropped);
	release(rows->caller, dropped);
	return status == STATUS_SUCCESS ? word_table_index(rows->caller, table) : status;
}

Status
word_rows_finish(WordRows *rows, Encoder **encoder)
{
	const Caller *caller = rows->caller;
	Encoder    *made = encoder_allocate(caller, ENCODER_WORDS, rows->dims);
	Status		status = STATUS_NO_MEMORY;

	*encoder = NULL;
	if (made == NULL)
		return STATUS_NO_MEMORY;
	made->word_table = allocate_array(caller, 1, sizeof(WordTable));
	if (made->word_table != NULL)
		status = make_table(rows, made->word_table);
	word_rows_free(rows);
	if (status != STATUS_SUCCESS)
	{
		encoder_free(caller, made);
		return status;
	}
	*encoder = made;
	return STATUS_SUCCESS;
}
