/*-------------------------------------------------------------------------
 *
 * wordpiece.c
 *	  BERT's tokenizer: text to the numbers of pieces of words.
 *
 * Text streams through: a code point is cleaned and added to the word that is
 * being collected, or ends it.  So there is never more than one word in
 * memory, and the work for a text ends with the pieces that were asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "wordpiece.h"

#include <string.h>

#include "unicode.h"

/* Bytes of text between two questions whether to stop */
#define BYTES_A_QUESTION 65536

struct WordPiece
{
	WordPieceOptions options;
	char		prefix[WORDPIECE_MAX_PREFIX];	/* options.prefix points here */
	uint64_t	prefix_hash;
	Vocabulary	vocabulary;
};

/* The word that is being collected, and what has come of those before. */
typedef struct Words
{
	const WordPiece *wordpiece;
	uint32_t   *ids;
	int			room;
	int			count;
	int			characters;		/* of the word; may exceed max_word */
	size_t		length;			/* of its bytes that are kept */
	uint16_t	end[WORDPIECE_MAX_WORD];	/* of each character, in bytes */
	unsigned char bytes[WORDPIECE_MAX_WORD * 4];
} Words;

static bool
valid_options(const WordPieceOptions *options)
{
	return options->prefix_length <= WORDPIECE_MAX_PREFIX &&
		options->max_word >= 1 && options->max_word <= WORDPIECE_MAX_WORD;
}

/* A tokenizer with these options and an empty vocabulary. */
static Status
allocate_wordpiece(const Caller *caller, const WordPieceOptions *options, WordPiece **wordpiece)
{
	WordPiece  *made = allocate_array(caller, 1, sizeof(WordPiece));

	*wordpiece = made;
	if (made == NULL)
		return STATUS_NO_MEMORY;
	made->options = *options;
	if (options->prefix_length > 0)
		memcpy(made->prefix, options->prefix, options->prefix_length);
	made->options.prefix = made->prefix;
	made->prefix_hash = piece_hash(PIECE_HASH_START, (const unsigned char *) made->prefix,
								   options->prefix_length);
	return STATUS_SUCCESS;
}

static bool
has_unknown(const WordPiece *wordpiece)
{
	for (size_t i = 0; i < wordpiece->vocabulary.n; i++)
		if (wordpiece->vocabulary.id[i] == wordpiece->options.unknown)
			return true;
	return false;
}

Status
wordpiece_make(const Caller *caller, const WordPieceOptions *options,
			   const PieceEntry *entries, size_t n,
			   WordPiece **wordpiece, TokenizerFault *fault, size_t *at)
{
	Status		status;

	*wordpiece = NULL;
	*at = 0;
	*fault = valid_options(options) ? FAULT_NONE : FAULT_OPTIONS;
	if (*fault != FAULT_NONE)
		return STATUS_BAD_ARGUMENT;
	status = allocate_wordpiece(caller, options, wordpiece);
	if (status == STATUS_SUCCESS)
		status = vocabulary_make(caller, entries, n, &(*wordpiece)->vocabulary, fault, at);
	if (status == STATUS_SUCCESS && !has_unknown(*wordpiece))
	{
		*fault = FAULT_NO_UNKNOWN;
		status = STATUS_BAD_ARGUMENT;
	}
	if (status != STATUS_SUCCESS)
	{
		wordpiece_free(caller, *wordpiece);
		*wordpiece = NULL;
	}
	return status;
}

void
wordpiece_free(const Caller *caller, WordPiece *wordpiece)
{
	if (wordpiece == NULL)
		return;
	vocabulary_free(caller, &wordpiece->vocabulary);
	release(caller, wordpiece);
}

uint32_t
wordpiece_ids(const WordPiece *wordpiece)
{
	return wordpiece->vocabulary.ids;
}

/*
 * The entry of the most characters of the word from `from` on, at least one;
 * the first character behind it to *next.  False: not even one is known.
 */
static bool
longest_piece(const Words *words, int from, uint32_t *id, int *next)
{
	const WordPiece *wordpiece = words->wordpiece;
	bool		continued = from > 0;
	size_t		begin = continued ? words->end[from - 1] : 0;
	size_t		prefix = continued ? wordpiece->options.prefix_length : 0;
	size_t		longest = wordpiece->vocabulary.longest;
	uint64_t	hash = continued ? wordpiece->prefix_hash : PIECE_HASH_START;
	uint64_t	hashes[WORDPIECE_MAX_WORD];
	size_t		hashed = begin;
	int			last = from;	/* behind the last that can be part of it */

	while (last < words->characters && words->end[last] - begin <= longest)
	{
		hash = piece_hash(hash, words->bytes + hashed, words->end[last] - hashed);
		hashed = words->end[last];
		hashes[last++] = hash;
	}
	for (; last > from; last--)
	{
		size_t		piece = vocabulary_find(&wordpiece->vocabulary, hashes[last - 1],
											wordpiece->prefix, prefix, words->bytes + begin,
											words->end[last - 1] - begin);

		if (piece != SIZE_MAX)
		{
			*id = wordpiece->vocabulary.id[piece];
			*next = last;
			return true;
		}
	}
	return false;
}

/* Cuts the collected word, if there is one, into pieces. */
static void
end_word(Words *words)
{
	uint32_t	pieces[WORDPIECE_MAX_WORD];
	int			count = 0;
	int			from = 0;

	if (words->characters == 0)
		return;
	if (words->characters <= words->wordpiece->options.max_word)
		while (from < words->characters &&
			   longest_piece(words, from, &pieces[count], &from))
			count++;
	if (from < words->characters)
	{
		pieces[0] = words->wordpiece->options.unknown;
		count = 1;
	}
	for (int i = 0; i < count && words->count < words->room; i++)
		words->ids[words->count++] = pieces[i];
	words->characters = 0;
	words->length = 0;
}

/* Adds a code point to the word; of one that is too long only the fact counts. */
static void
add_to_word(Words *words, uint32_t c)
{
	unsigned char *to = words->bytes + words->length;
	size_t		length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (words->characters >= words->wordpiece->options.max_word)
	{
		words->characters = words->wordpiece->options.max_word + 1;
		return;
	}
	if (length == 1)
		to[0] = (unsigned char) c;
	else
	{
		static const unsigned char first[5] = {0, 0, 0xC0, 0xE0, 0xF0};

		for (size_t i = length - 1; i > 0; i--, c >>= 6)
			to[i] = (unsigned char) (0x80 | (c & 0x3F));
		to[0] = (unsigned char) (first[length] | c);
	}
	words->length += length;
	words->end[words->characters++] = (uint16_t) words->length;
}

/* Takes a cleaned code point: part of a word, a word, or between words. */
static void
take_cleaned(Words *words, uint32_t c)
{
	switch (general_class(c))
	{
		case GENERAL_SPACE:
			end_word(words);
			break;
		case GENERAL_PUNCTUATION:
			end_word(words);
			add_to_word(words, c);
			end_word(words);
			break;
		default:
			add_to_word(words, c);
	}
}

/* The blocks of ideographs that BERT splits; kana and Hangul are not split. */
static bool
is_ideograph(uint32_t c)
{
	return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
		(c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
		(c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) ||
		(c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/*
 * Cleans a code point of the text.  Marks that stay (Mc, Me) are not put
 * into canonical order: of those with a combining class none follow each
 * other in real text.
 */
static void
take(Words *words, uint32_t c)
{
	const WordPieceOptions *options = &words->wordpiece->options;
	uint32_t	parts[MAX_DECOMPOSITION];
	int			n = 1;
	bool		alone = options->split_cjk && is_ideograph(c);

	if (c == 0xFFFD || general_class(c) == GENERAL_CONTROL)
		return;
	if (alone)
		end_word(words);
	parts[0] = c;
	if (options->strip_accents)
		n = decompose(c, parts);
	for (int i = 0; i < n; i++)
	{
		uint32_t	small[2];
		int			letters = 1;

		if (options->strip_accents && general_class(parts[i]) == GENERAL_MARK)
			continue;
		small[0] = parts[i];
		if (options->lower_case)
			letters = lower_case(parts[i], small);
		for (int j = 0; j < letters; j++)
			take_cleaned(words, small[j]);
	}
	if (alone)
		end_word(words);
}

Status
wordpiece_encode(const WordPiece *wordpiece, const Caller *caller,
				 const char *utf8, size_t length, uint32_t *ids, int room, int *count)
{
	const unsigned char *text = (const unsigned char *) utf8;
	Words		words;
	size_t		position = 0;
	size_t		question = BYTES_A_QUESTION;

	words.wordpiece = wordpiece;
	words.ids = ids;
	words.room = room;
	words.count = 0;
	words.characters = 0;
	words.length = 0;
	*count = 0;
	while (position < length && words.count < room)
	{
		unsigned char c = text[position];
		uint32_t	code_point;

		if (position >= question)
		{
			question = position + BYTES_A_QUESTION;
			if (stopped(caller))
				return STATUS_STOPPED;
		}
		/* small letters and blanks are most of most texts */
		if (c >= 'a' && c <= 'z')
		{
			add_to_word(&words, c);
			position++;
		}
		else if (c == ' ')
		{
			end_word(&words);
			position++;
		}
		else if (decode_utf8(text, length, &position, &code_point))
			take(&words, code_point);
		else
			end_word(&words);
	}
	if (words.count < room)
		end_word(&words);
	*count = words.count;
	return STATUS_SUCCESS;
}

/* Stored: flags, max_word, unknown, prefix, then the vocabulary. */
void
wordpiece_write(const WordPiece *wordpiece, Writer *writer)
{
	const WordPieceOptions *options = &wordpiece->options;

	write_u32(writer, (uint32_t) options->lower_case | (uint32_t) options->strip_accents << 1 |
			  (uint32_t) options->split_cjk << 2);
	write_u32(writer, (uint32_t) options->max_word);
	write_u32(writer, options->unknown);
	write_u32(writer, (uint32_t) options->prefix_length);
	write_bytes(writer, wordpiece->prefix, options->prefix_length);
	vocabulary_write(&wordpiece->vocabulary, writer);
}

Status
wordpiece_read(const Caller *caller, Reader *reader, WordPiece **wordpiece)
{
	WordPieceOptions options = {0};
	uint32_t	flags = read_u32(reader);
	uint32_t	max_word = read_u32(reader);
	char		prefix[WORDPIECE_MAX_PREFIX];
	uint32_t	prefix_length;
	Status		status;

	*wordpiece = NULL;
	options.unknown = read_u32(reader);
	prefix_length = read_u32(reader);
	if (reader->failed || flags > 7 || max_word > WORDPIECE_MAX_WORD ||
		prefix_length > WORDPIECE_MAX_PREFIX)
		return STATUS_CORRUPT;
	options.lower_case = (flags & 1) != 0;
	options.strip_accents = (flags & 2) != 0;
	options.split_cjk = (flags & 4) != 0;
	options.max_word = (int) max_word;
	options.prefix = prefix;
	options.prefix_length = prefix_length;
	read_bytes(reader, prefix, prefix_length);
	if (reader->failed || !valid_options(&options))
		return STATUS_CORRUPT;
	status = allocate_wordpiece(caller, &options, wordpiece);
	if (status == STATUS_SUCCESS)
		status = vocabulary_read(caller, reader, &(*wordpiece)->vocabulary);
	if (status == STATUS_SUCCESS && !has_unknown(*wordpiece))
		status = STATUS_CORRUPT;
	if (status != STATUS_SUCCESS)
	{
		wordpiece_free(caller, *wordpiece);
		*wordpiece = NULL;
	}
	return status;
}
