/*-------------------------------------------------------------------------
 *
 * word_table.c
 *	  Vectors of words: how a word is found, and the stored form.
 *
 * A million words are some 12 MB of keys and 200 to 600 MB of vectors.  Every
 * connection of a server needs them, so all of it can be used where a mapped
 * file has it: what is made when it is read is a list of where the keys with
 * each beginning are, about a byte a word.  Inside of one beginning there
 * are some sixteen keys, and bisection ends wherever they point; in bytes
 * that somebody has forged, too.
 *
 *-------------------------------------------------------------------------
 */
#include "words_internal.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Keys of one beginning on average, and the longest beginning in bits */
#define KEYS_A_BEGINNING 16
#define MOST_FIRST_BITS 20

#define KEYS_A_QUESTION 65536

#define TYPOGRAPHIC_APOSTROPHE 0x2019

int
fold_word(const char *utf8, size_t length, uint32_t folded[WORD_FOLDED_ROOM])
{
	Folder		folder;
	FoldedChar	characters[FOLD_MIN_ROOM];
	int			n = 0;

	folder_init(&folder, utf8, length);
	while (!folder_ended(&folder))
	{
		size_t		count = fold_text(&folder, characters, FOLD_MIN_ROOM);

		for (size_t i = 0; i < count; i++)
		{
			uint32_t	code_point = folded_code_point(characters[i]);

			folded[n++] = code_point == TYPOGRAPHIC_APOSTROPHE ? '\'' : code_point;
		}
	}
	return n;
}

bool
word_keys(const char *utf8, size_t length, uint64_t *written, uint64_t *folded)
{
	const unsigned char *bytes = (const unsigned char *) utf8;
	uint32_t	characters[WORD_FOLDED_ROOM];
	uint64_t	hash = WORD_HASH_START;
	size_t		position = 0;
	int			n = 0;

	while (position < length)
	{
		uint32_t	code_point;

		if (n++ == WORD_MAX_CHARACTERS || !decode_utf8(bytes, length, &position, &code_point) ||
			character_class(code_point) == CLASS_SPACE)
			return false;
		hash = hash_step(hash, code_point);
	}
	if (n == 0)
		return false;
	*written = word_hash_end(hash);
	n = fold_word(utf8, length, characters);
	hash = WORD_HASH_START;
	for (int i = 0; i < n; i++)
		hash = hash_step(hash, characters[i]);
	*folded = n == 0 ? *written : word_hash_end(hash);
	return true;
}

/* One pass of a radix sort: by the byte at shift, equal ones in their order. */
static Status
sort_pass(const Caller *caller, const WordKey *from, WordKey *to, size_t m, int shift)
{
	size_t		start[256] = {0};
	size_t		total = 0;

	for (size_t i = 0; i < m; i++)
		start[from[i].key >> shift & 0xFF]++;
	for (int i = 0; i < 256; i++)
	{
		size_t		count = start[i];

		start[i] = total;
		total += count;
	}
	for (size_t i = 0; i < m; i++)
	{
		if (i % KEYS_A_QUESTION == 0 && stopped(caller))
			return STATUS_STOPPED;
		to[start[from[i].key >> shift & 0xFF]++] = from[i];
	}
	return STATUS_SUCCESS;
}

/*
 * Sorts by the bytes of the keys, the lowest first: always the same work,
 * whatever the keys, and equal ones keep their order (Knuth, "The art of
 * computer programming", volume 3, algorithm 5.2.5R).  After eight passes
 * they are back in keys.
 */
static Status
sort_keys(const Caller *caller, WordKey *keys, WordKey *room, size_t m)
{
	for (int byte = 0; byte < 8; byte++)
	{
		WordKey    *spare = keys;

		TRY(sort_pass(caller, keys, room, m, 8 * byte));
		keys = room;
		room = spare;
	}
	return STATUS_SUCCESS;
}

/* The first of each key holds; words that come again with theirs are dropped. */
static size_t
drop_equal_keys(WordKey *keys, size_t m, bool *dropped)
{
	size_t		kept = 0;

	for (size_t i = 0; i < m; i++)
	{
		if (i == 0 || keys[i].key != keys[kept - 1].key)
			keys[kept++] = keys[i];
		else if (!keys[i].alias)
			dropped[keys[i].word] = true;
	}
	return kept;
}

Status
word_table_sort(const Caller *caller, WordTable *table, size_t n,
				WordKey *keys, WordKey *room, size_t m, bool *dropped)
{
	uint32_t   *number;
	uint64_t   *key;
	uint32_t   *word;

	TRY(sort_keys(caller, keys, room, m));
	m = drop_equal_keys(keys, m, dropped);
	number = allocate_array(caller, n, sizeof(uint32_t));
	table->key = key = table->owned[0] = allocate_array(caller, m, sizeof(uint64_t));
	table->word = word = table->owned[1] = allocate_array(caller, m, sizeof(uint32_t));
	if (number == NULL || key == NULL || word == NULL)
	{
		release(caller, number);
		return STATUS_NO_MEMORY;
	}
	table->n = 0;
	for (size_t i = 0; i < n; i++)
		if (!dropped[i])
			number[i] = (uint32_t) table->n++;
	for (size_t i = 0; i < m; i++)
	{
		key[i] = keys[i].key;
		word[i] = number[keys[i].word];
	}
	table->nkeys = m;
	release(caller, number);
	return STATUS_SUCCESS;
}

Status
word_table_index(const Caller *caller, WordTable *table)
{
	uint64_t	fingerprint = table->n;
	size_t		beginnings;
	size_t		next = 0;

	table->first_bits = 1;
	while (table->nkeys >> table->first_bits > KEYS_A_BEGINNING &&
		   table->first_bits < MOST_FIRST_BITS)
		table->first_bits++;
	beginnings = (size_t) 1 << table->first_bits;
	table->first = allocate_array(caller, beginnings + 1, sizeof(uint32_t));
	if (table->first == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < table->nkeys; i++)
	{
		size_t		beginning = (size_t) (table->key[i] >> (64 - table->first_bits));

		if ((i > 0 && table->key[i] <= table->key[i - 1]) || table->word[i] >= table->n)
			return STATUS_CORRUPT;
		while (next <= beginning)
			table->first[next++] = (uint32_t) i;
		fingerprint = hash_step(fingerprint, table->key[i] ^ table->word[i]);
	}
	while (next <= beginnings)
		table->first[next++] = (uint32_t) table->nkeys;
	table->fingerprint = fingerprint;
	return STATUS_SUCCESS;
}

void
word_table_free(const Caller *caller, WordTable *table)
{
	if (table == NULL)
		return;
	for (int i = 0; i < 4; i++)
		release(caller, table->owned[i]);
	release(caller, table->first);
	release(caller, table);
}

/*
 * Stored: words, keys, then the keys, the words they lead to, the scales and
 * the mantissas.  The largest comes last: a writer doubles its room, but
 * takes no more than it needs for what is larger than all before.
 */
Status
word_table_write(const WordTable *table, int dims, Writer *writer)
{
	write_u32(writer, (uint32_t) table->n);
	write_u32(writer, (uint32_t) table->nkeys);
	write_u64s(writer, table->key, table->nkeys);
	for (size_t i = 0; i < table->nkeys; i++)
		write_u32(writer, table->word[i]);
	write_floats(writer, table->scale, table->n);
	write_i16s(writer, table->mantissa, table->n * (size_t) dims);
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/*
 * An array of the stored form: where it is if that is wanted and can be, and
 * else a copy, which *owned then is.  NULL: no memory.  The reader holds it.
 */
static const void *
take_array(const Caller *caller, Reader *reader, bool in_place, size_t count, size_t size,
		   void **owned)
{
	const unsigned char *bytes = reader->bytes + reader->position;

	reader->position += count * size;
	if (in_place && little_endian() && (uintptr_t) bytes % size == 0)
		return bytes;
	*owned = allocate_array(caller, count, size);
	if (*owned != NULL)
		copy_elements(*owned, bytes, count, size);
	return *owned;
}

/* Fills in an empty table; on failure the caller frees it. */
static Status
read_table(const Caller *caller, Reader *reader, bool in_place, int dims, WordTable *table)
{
	size_t		width = (size_t) dims;
	uint32_t	n = read_u32(reader);
	uint32_t	nkeys = read_u32(reader);

	/* every word has a key of its own, and at most one more */
	if (reader->failed || n < 1 || n > ENCODER_MAX_VOCABULARY || nkeys < n || nkeys > 2 * n)
		return STATUS_CORRUPT;
	if (reader_left(reader) < (uint64_t) nkeys * (sizeof(uint64_t) + sizeof(uint32_t)) +
		(uint64_t) n * (sizeof(float) + width * sizeof(int16_t)))
		return STATUS_CORRUPT;
	table->n = n;
	table->nkeys = nkeys;
	table->key = take_array(caller, reader, in_place, nkeys, sizeof(uint64_t), &table->owned[0]);
	table->word = take_array(caller, reader, in_place, nkeys, sizeof(uint32_t), &table->owned[1]);
	table->scale = take_array(caller, reader, in_place, n, sizeof(float), &table->owned[2]);
	table->mantissa = take_array(caller, reader, in_place, n * width, sizeof(int16_t),
								 &table->owned[3]);
	if (table->key == NULL || table->word == NULL || table->scale == NULL ||
		table->mantissa == NULL)
		return STATUS_NO_MEMORY;

	/* such as quantise_row makes of finite numbers; NaN fails the comparison */
	for (size_t i = 0; i < n; i++)
		if (!(table->scale[i] >= 0.0f && table->scale[i] <= FLT_MAX / 32767.0f))
			return STATUS_CORRUPT;
	return word_table_index(caller, table);
}

/* STATUS_CORRUPT for what no version has written, STATUS_NO_MEMORY. */
Status
word_table_read(const Caller *caller, Reader *reader, bool in_place, int dims,
				WordTable **table)
{
	WordTable  *read = allocate_array(caller, 1, sizeof(WordTable));
	Status		status;

	*table = NULL;
	if (read == NULL)
		return STATUS_NO_MEMORY;
	status = read_table(caller, reader, in_place, dims, read);
	if (status != STATUS_SUCCESS)
	{
		word_table_free(caller, read);
		return status;
	}
	*table = read;
	return STATUS_SUCCESS;
}
