/*-------------------------------------------------------------------------
 *
 * word_text.c
 *	  Texts to the numbers of the words that an encoder has vectors of.
 *
 * Every set of vectors has been made with a tokenizer of its own, and none
 * of the usual files says which: GloVe cuts "don't" into "do" and "n't",
 * fastText keeps it whole, some know "u.s.", "10.30" and "high-quality" and
 * some their parts.  So it is the vocabulary that decides.  What stands
 * between white space is cut into tokens, which are runs of letters, numbers
 * and marks, and single characters of everything else; words are then the
 * longest sequences of tokens that the vocabulary has, from the left, as
 * written or folded.  Scripts without spaces are cut into words so, too.
 *
 * Words of punctuation alone are left out: with them accuracy is lower
 * (doc/design.md).
 *
 *-------------------------------------------------------------------------
 */
#include "words_internal.h"

/* A word has at most so many tokens */
#define WORD_MAX_TOKENS 8

/* Words handed over at once; bytes between two questions whether to stop */
#define BATCH 256
#define BYTES_A_QUESTION 65536

/* Characters of a chunk: longer ones are cut, and a word there with them */
#define CHUNK WORD_MAX_CHARACTERS

#define TYPOGRAPHIC_APOSTROPHE 0x2019

/* What stands between white space, and how far it has come. */
typedef struct WordReader
{
	const Caller *caller;
	const WordTable *table;
	WordSink	sink;
	void	   *state;
	uint64_t	unknown;

	/* The chunk: character i is the bytes offset[i] .. offset[i + 1] - 1 */
	const char *text;
	int			length;
	size_t		offset[CHUNK + 1];
	uint32_t	character[CHUNK];
	uint8_t		class[CHUNK];

	/* Token i is the characters start[i] .. start[i + 1] - 1 ... */
	int			tokens;
	int			start[CHUNK + 1];
	bool		says[CHUNK];	/* not just punctuation */
	bool		changes[CHUNK]; /* folding makes it another */
	/* ... and folded those from folded_start[i] on */
	int			folded_start[CHUNK + 1];
	uint32_t	folded[WORD_FOLDED_ROOM];

	int			count;
	uint32_t	words[BATCH];
} WordReader;

/* Hands over what has been collected, and asks whether to go on. */
static Status
flush_words(WordReader *reader)
{
	int			count = reader->count;

	reader->count = 0;
	if (stopped(reader->caller))
		return STATUS_STOPPED;
	return count > 0 ? reader->sink(reader->state, reader->words, count) : STATUS_SUCCESS;
}

static inline bool
in_run(const WordReader *reader, int i)
{
	return i < reader->length && reader->class[i] != CLASS_OTHER &&
		reader->class[i] != CLASS_UNSPACED;
}

/* Is the character at i the apostrophe of a "n't" that ends a word? */
static bool
ends_not(const WordReader *reader, int i)
{
	const uint32_t *c = reader->character + i;

	return (c[0] == '\'' || c[0] == TYPOGRAPHIC_APOSTROPHE) && i > 0 && i + 1 < reader->length &&
		(c[-1] == 'n' || c[-1] == 'N') && (c[1] == 't' || c[1] == 'T') && !in_run(reader, i + 2);
}

/*
 * Where tokens begin.  A mark belongs to whatever it follows.  "n't" is a
 * token, as GloVe's tokenizer (of the Penn Treebank) has it; "'s", "'m" and
 * their like are two, which the vocabulary puts together.
 */
static void
cut_tokens(WordReader *reader)
{
	bool		run = false;	/* may the token go on? */

	reader->tokens = 0;
	for (int i = 0; i < reader->length; i++)
	{
		int			last = reader->tokens - 1;

		if (ends_not(reader, i))
		{
			if (reader->start[last] < i - 1)
				reader->start[reader->tokens++] = i - 1;
			i++;
			run = false;
		}
		else if (last >= 0 && (reader->class[i] == CLASS_MARK || (run && in_run(reader, i))))
			continue;
		else
		{
			reader->start[reader->tokens++] = i;
			run = in_run(reader, i);
		}
	}
	reader->start[reader->tokens] = reader->length;
}

/* Is this what folding leaves as it is, without looking further? */
static inline bool
plain(uint32_t c)
{
	return c < 0x80 && !(c >= 'A' && c <= 'Z');
}

/* The folded form of each token, and what it is. */
static void
fold_tokens(WordReader *reader)
{
	int			n = 0;

	for (int i = 0; i < reader->tokens; i++)
	{
		int			from = reader->start[i];
		int			to = reader->start[i + 1];
		bool		is_plain = true;

		reader->says[i] = false;
		reader->folded_start[i] = n;
		for (int j = from; j < to; j++)
		{
			is_plain = is_plain && plain(reader->character[j]);
			reader->says[i] = reader->says[i] || reader->class[j] != CLASS_OTHER;
		}
		if (is_plain)
			for (int j = from; j < to; j++)
				reader->folded[n++] = reader->character[j];
		else
			n += fold_word(reader->text + reader->offset[from],
						   reader->offset[to] - reader->offset[from], reader->folded + n);
		reader->changes[i] = n - reader->folded_start[i] != to - from;
		for (int j = from; j < to && !reader->changes[i]; j++)
			reader->changes[i] = reader->folded[reader->folded_start[i] + j - from] !=
				reader->character[j];
	}
	reader->folded_start[reader->tokens] = n;
}

static inline uint64_t
hash_characters(uint64_t hash, const uint32_t *characters, int n)
{
	for (int i = 0; i < n; i++)
		hash = hash_step(hash, characters[i]);
	return hash;
}

/*
 * The longest word that the vocabulary has from token `from` on, or -1; the
 * first token behind it to *next.
 */
static int
longest_word(const WordReader *reader, int from, int *next)
{
	uint64_t	written[WORD_MAX_TOKENS];
	uint64_t	folded[WORD_MAX_TOKENS];
	int			most = 0;
	int			saying = WORD_MAX_TOKENS;	/* the first that says something */
	int			changing = WORD_MAX_TOKENS; /* the first that folding changes */
	uint64_t	as_written = WORD_HASH_START;
	uint64_t	as_folded = WORD_HASH_START;

	for (; most < WORD_MAX_TOKENS && from + most < reader->tokens; most++)
	{
		int			token = from + most;
		const int  *start = reader->start + token;
		const int  *folded_start = reader->folded_start + token;

		as_written = hash_characters(as_written, reader->character + start[0], start[1] - start[0]);
		if (reader->changes[token] && changing == WORD_MAX_TOKENS)
			changing = most;
		if (reader->says[token] && saying == WORD_MAX_TOKENS)
			saying = most;
		as_folded = hash_characters(as_folded, reader->folded + folded_start[0],
									folded_start[1] - folded_start[0]);
		written[most] = word_hash_end(as_written);
		folded[most] = word_hash_end(as_folded);
	}
	for (int i = most - 1; i >= saying; i--)
	{
		int			word = word_table_find(reader->table, written[i]);

		if (word < 0 && i >= changing)
			word = word_table_find(reader->table, folded[i]);
		if (word >= 0)
		{
			*next = from + i + 1;
			return word;
		}
	}
	return -1;
}

/*
 * word2vec's news vectors have numbers of more than one digit without the
 * digits: "####" is any year.
 */
static int
masked_number(const WordReader *reader, int token)
{
	int			from = reader->start[token];
	int			to = reader->start[token + 1];
	uint64_t	hash = WORD_HASH_START;

	if (to - from < 2)
		return -1;
	for (int i = from; i < to; i++)
	{
		if (reader->character[i] < '0' || reader->character[i] > '9')
			return -1;
		hash = hash_step(hash, '#');
	}
	return word_table_find(reader->table, word_hash_end(hash));
}

/* The words of the chunk, which then is empty. */
static Status
end_chunk(WordReader *reader)
{
	int			next;

	if (reader->length == 0)
		return STATUS_SUCCESS;
	cut_tokens(reader);
	fold_tokens(reader);
	reader->length = 0;
	for (int i = 0; i < reader->tokens; i = next)
	{
		int			word;

		next = i + 1;
		word = longest_word(reader, i, &next);
		if (word < 0)
			word = masked_number(reader, i);
		if (word < 0)
		{
			reader->unknown += reader->says[i];
			continue;
		}
		if (reader->count == BATCH)
			TRY(flush_words(reader));
		reader->words[reader->count++] = (uint32_t) word;
	}
	return STATUS_SUCCESS;
}

/* One more character of the chunk, the bytes from `from` up to `to`. */
static inline Status
add_character(WordReader *reader, uint32_t c, CharacterClass class, size_t from, size_t to)
{
	if (reader->length == CHUNK)
		TRY(end_chunk(reader));
	reader->character[reader->length] = c;
	reader->class[reader->length] = (uint8_t) class;
	reader->offset[reader->length++] = from;
	reader->offset[reader->length] = to;
	return STATUS_SUCCESS;
}

Status
text_words(const Caller *caller, const WordTable *table, const char *utf8, size_t length,
		   WordSink sink, void *state, uint64_t *unknown)
{
	WordReader	reader;
	size_t		position = 0;
	size_t		question = BYTES_A_QUESTION;

	reader.caller = caller;
	reader.table = table;
	reader.sink = sink;
	reader.state = state;
	reader.unknown = 0;
	reader.text = utf8;
	reader.length = 0;
	reader.count = 0;
	while (position < length)
	{
		size_t		from = position;
		uint32_t	code_point;
		CharacterClass class = CLASS_SPACE;

		if (position >= question)
		{
			question = position + BYTES_A_QUESTION;
			if (stopped(caller))
				return STATUS_STOPPED;
		}
		/* invalid bytes separate, as white space does */
		if (decode_utf8((const unsigned char *) utf8, length, &position, &code_point))
			class = character_class(code_point);
		if (class == CLASS_SPACE)
			TRY(end_chunk(&reader));
		else
			TRY(add_character(&reader, code_point, class, from, position));
	}
	TRY(end_chunk(&reader));
	TRY(flush_words(&reader));
	*unknown += reader.unknown;
	return STATUS_SUCCESS;
}
