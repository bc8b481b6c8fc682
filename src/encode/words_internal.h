/*-------------------------------------------------------------------------
 *
 * words_internal.h
 *	  What the files of word vectors share.
 *
 *	  word_vectors.c	from the files of others ...
 *	  word_rows.c		... to an encoder
 *	  word_table.c		how words are found; stored form
 *	  word_text.c		texts to the numbers of their words
 *	  word_weights.c	smooth inverse frequencies
 *	  encode_words.c	texts to vectors
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_WORDS_INTERNAL_H
#define HUMANLOOP_WORDS_INTERNAL_H

#include "encoder_internal.h"
#include "terms.h"
#include "unicode.h"
#include "words.h"

/* A word of more characters is never looked up. */
#define WORD_MAX_CHARACTERS 128

/* Room for a folded word: the longest mapping of a character has 18 */
#define WORD_FOLDED_ROOM (WORD_MAX_CHARACTERS * 18 + FOLD_MIN_ROOM)

/*
 * Words and their vectors.  A word is known by the 64-bit hash of its
 * characters, the key; a second key leads to it from its folded form if no
 * word is spelt so.  Keys are sorted, not in a table with slots: so they can
 * be used where they are stored, each backend of a server shares them, and
 * no choice of words makes looking up slow.
 */
typedef struct WordTable
{
	size_t		n;				/* words, in the order of their file */
	size_t		nkeys;
	const uint64_t *key;		/* nkeys, ascending */
	const uint32_t *word;		/* nkeys; the word of each key, < n */
	const float *scale;			/* n; of the mantissas */
	const int16_t *mantissa;	/* n x dims: vector = scale * mantissa */
	void	   *owned[4];		/* those of the four that are not borrowed */

	/* Derived when it is read or made */
	int			first_bits;
	uint32_t   *first;			/* 2^first_bits + 1; first key of each beginning */
	uint64_t	fingerprint;	/* of the keys */
} WordTable;

/* A word's hash, one character after the other; never changes, as it is stored */
#define WORD_HASH_START UINT64_C(0xA54FF53A5F1D36F1)

static inline uint64_t
word_hash_end(uint64_t hash)
{
	return hash_finish(hash, TERM_WORD);
}

/*
 * Folds a word of at most WORD_MAX_CHARACTERS characters: as unicode.h does,
 * and the typographic apostrophe becomes the one of typewriters.  Returns how
 * many characters come out.
 */
extern int	fold_word(const char *utf8, size_t length, uint32_t folded[WORD_FOLDED_ROOM]);

/*
 * The keys of a word as it is written and folded, the same where folding
 * changes nothing.  False: no text has such a word, as it is empty, too long,
 * no UTF-8, or has white space or controls in it.
 */
extern bool word_keys(const char *utf8, size_t length, uint64_t *written, uint64_t *folded);

/* A word's key, to be sorted */
typedef struct WordKey
{
	uint64_t	key;
	uint32_t	word;
	bool		alias;			/* of the folded form */
} WordKey;

/*
 * Makes key and word of the table from m keys: for n words as they are
 * written, in order, then those of folded forms.  Of equal words the first
 * holds; the numbers of the others come out in `dropped` (n flags), and words
 * behind are renumbered.  keys and room (m each) are used up.
 * STATUS_NO_MEMORY, STATUS_STOPPED; the table is then still to be freed.
 */
extern Status word_table_sort(const Caller *caller, WordTable *table, size_t n,
							  WordKey *keys, WordKey *room, size_t m, bool *dropped);

/* Derives first and fingerprint; STATUS_CORRUPT where keys do not ascend. */
extern Status word_table_index(const Caller *caller, WordTable *table);

/* The number of the word of that key, or -1. */
static inline int
word_table_find(const WordTable *table, uint64_t key)
{
	size_t		beginning = (size_t) (key >> (64 - table->first_bits));
	size_t		low = table->first[beginning];
	size_t		high = table->first[beginning + 1];

	while (low < high)
	{
		size_t		middle = (low + high) / 2;

		if (table->key[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < table->nkeys && table->key[low] == key ? (int) table->word[low] : -1;
}

extern Status word_table_write(const WordTable *table, int dims, Writer *writer);
extern Status word_table_read(const Caller *caller, Reader *reader, bool in_place, int dims,
							  WordTable **table);
extern void word_table_free(const Caller *caller, WordTable *table);

/* Words as they come from a file */
typedef struct WordBlock WordBlock;

typedef struct WordRows
{
	const Caller *caller;
	int			dims;
	size_t		n;				/* in all blocks */
	size_t		rows_a_block;
	WordBlock **blocks;
	size_t		nblocks;
	size_t		blocks_room;
} WordRows;

/* The most bytes that a word takes until the encoder is made, and all else. */
extern uint64_t word_rows_each(int dims);
extern uint64_t word_rows_fixed(int dims);

/* No words yet, and at most so many to come. */
extern void word_rows_init(WordRows *rows, const Caller *caller, int dims, size_t most);

/* A word of these keys and its vector of dims finite numbers.  STATUS_NO_MEMORY. */
extern Status word_rows_add(WordRows *rows, uint64_t written, uint64_t folded,
							const float *vector);

/*
 * The encoder of all words, of which there is at least one; of equal ones
 * the first.  The rows are freed.  STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status word_rows_finish(WordRows *rows, Encoder **encoder);
extern void word_rows_free(WordRows *rows);

/* Takes the numbers of known words; anything but STATUS_SUCCESS ends the text. */
typedef Status (*WordSink) (void *state, const uint32_t *words, int count);

/*
 * Hands the known words of a text to sink in batches, each occurrence once,
 * in the order of the text.  *unknown is increased by the number of others.
 */
extern Status text_words(const Caller *caller, const WordTable *table,
						 const char *utf8, size_t length,
						 WordSink sink, void *state, uint64_t *unknown);

extern Status words_encoding_init(const Encoder *encoder, Encoding *encoding);

/* The weighted sum of the vectors of these words, added to sum (dims doubles). */
extern void add_words(const Encoder *encoder, const WordWeights *weights,
					  const uint32_t *words, int count, double *sum);

struct WordWeights
{
	size_t		words;			/* of the encoder */
	int			dims;
	uint64_t	fingerprint;	/* of its words */
	double		smoothing;
	double		unseen;			/* p of the r-th word, if not listed, is unseen / r */
	uint64_t	known;			/* words in the texts of the fit */
	uint64_t	unknown;
	size_t		listed;			/* different words in the texts */
	uint32_t   *word;			/* listed; ascending */
	float	   *weight;			/* listed; in (0, 1] */
	float	   *common;			/* dims, of unit length; NULL: nothing is removed */
};

extern float word_weight(const WordWeights *weights, uint32_t word);

#endif							/* HUMANLOOP_WORDS_INTERNAL_H */
