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

/* Longer runs of full slots do not come by chance: the table is half empty. */
#define MAX_PROBES 4096

/* Bytes of text between two questions whether to stop; entries likewise */
#define BYTES_A_QUESTION 65536
#define ENTRIES_A_QUESTION 4096

#define HASH_START UINT64_C(0xCBF29CE484222325)

struct WordPiece
{
	WordPieceOptions options;
	char		prefix[WORDPIECE_MAX_PREFIX];	/* options.prefix points here */
	uint64_t	prefix_hash;
	size_t		n;
	size_t		longest;		/* bytes of the longest entry */
	uint32_t	ids;			/* highest number + 1 */
	uint32_t   *id;				/* n */
	size_t	   *start;			/* n + 1; entry i is bytes start[i] .. */
	unsigned char *bytes;

	/* where entries are found: entry + 1 low, the high half of its hash high */
	int			slot_bits;
	uint64_t   *slots;			/* 2^slot_bits */
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

/* FNV-1a (Fowler, Noll and Vo): can be continued byte by byte. */
static inline uint64_t
hash_bytes(uint64_t hash, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
	return hash;
}

static inline size_t
first_slot(const WordPiece *wordpiece, uint64_t hash)
{
	return (size_t) ((hash ^ hash >> 32) * UINT64_C(0x9E3779B97F4A7C15) >>
					 (64 - wordpiece->slot_bits));
}

/* Is entry i the prefix (where continued) and these bytes? */
static inline bool
same_entry(const WordPiece *wordpiece, size_t i, bool continued,
		   const unsigned char *bytes, size_t length)
{
	const unsigned char *entry = wordpiece->bytes + wordpiece->start[i];
	size_t		entry_length = wordpiece->start[i + 1] - wordpiece->start[i];
	size_t		prefix = continued ? wordpiece->options.prefix_length : 0;

	return entry_length == prefix + length &&
		memcmp(entry, wordpiece->prefix, prefix) == 0 &&
		memcmp(entry + prefix, bytes, length) == 0;
}

/*
 * The slot of an entry of that hash and these bytes, or the empty one where
 * it would be; SIZE_MAX after too many others.
 */
static size_t
find_slot(const WordPiece *wordpiece, uint64_t hash, bool continued,
		  const unsigned char *bytes, size_t length)
{
	size_t		mask = ((size_t) 1 << wordpiece->slot_bits) - 1;
	size_t		slot = first_slot(wordpiece, hash);

	for (int probes = 0; probes < MAX_PROBES; probes++)
	{
		uint64_t	held = wordpiece->slots[slot];

		if (held == 0 ||
			(held >> 32 == hash >> 32 &&
			 same_entry(wordpiece, (uint32_t) held - 1, continued, bytes, length)))
			return slot;
		slot = (slot + 1) & mask;
	}
	return SIZE_MAX;
}

/* The table of entries, which must be different. */
static Status
index_entries(const Caller *caller, WordPiece *wordpiece, WordPieceFault *fault, size_t *at)
{
	wordpiece->slot_bits = 1;
	while (((size_t) 1 << wordpiece->slot_bits) < wordpiece->n * 2)
		wordpiece->slot_bits++;
	wordpiece->slots = allocate_array(caller, (size_t) 1 << wordpiece->slot_bits,
									  sizeof(uint64_t));
	if (wordpiece->slots == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < wordpiece->n; i++)
	{
		const unsigned char *bytes = wordpiece->bytes + wordpiece->start[i];
		size_t		length = wordpiece->start[i + 1] - wordpiece->start[i];
		uint64_t	hash = hash_bytes(HASH_START, bytes, length);
		size_t		slot = find_slot(wordpiece, hash, false, bytes, length);

		if (i % ENTRIES_A_QUESTION == 0 && stopped(caller))
			return STATUS_STOPPED;
		*at = i;
		*fault = slot == SIZE_MAX ? WORDPIECE_CROWDED : WORDPIECE_TWICE;
		if (slot == SIZE_MAX || wordpiece->slots[slot] != 0)
			return STATUS_BAD_ARGUMENT;
		wordpiece->slots[slot] = (hash >> 32) << 32 | (uint32_t) (i + 1);
		if (length > wordpiece->longest)
			wordpiece->longest = length;
	}
	*fault = WORDPIECE_FINE;
	return STATUS_SUCCESS;
}

/* Numbers must be in range and different; one is that of the unknown. */
static Status
check_ids(const Caller *caller, WordPiece *wordpiece, WordPieceFault *fault, size_t *at)
{
	Status		status = STATUS_SUCCESS;
	uint8_t    *seen = allocate_array(caller, WORDPIECE_MAX_PIECES / 8, 1);

	if (seen == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < wordpiece->n && status == STATUS_SUCCESS; i++)
	{
		uint32_t	id = wordpiece->id[i];

		*at = i;
		if (id >= WORDPIECE_MAX_PIECES)
			*fault = WORDPIECE_ID;
		else if (seen[id / 8] >> id % 8 & 1)
			*fault = WORDPIECE_ID_TWICE;
		if (*fault != WORDPIECE_FINE)
			status = STATUS_BAD_ARGUMENT;
		else
		{
			seen[id / 8] |= (uint8_t) (1 << id % 8);
			if (id >= wordpiece->ids)
				wordpiece->ids = id + 1;
		}
	}
	if (status == STATUS_SUCCESS &&
		(wordpiece->options.unknown >= wordpiece->ids ||
		 !(seen[wordpiece->options.unknown / 8] >> wordpiece->options.unknown % 8 & 1)))
	{
		*fault = WORDPIECE_NO_UNKNOWN;
		status = STATUS_BAD_ARGUMENT;
	}
	release(caller, seen);
	return status;
}

/* An empty tokenizer with these options and room for n entries of that size. */
static Status
allocate_wordpiece(const Caller *caller, const WordPieceOptions *options, size_t n,
				   size_t bytes, WordPiece **wordpiece)
{
	WordPiece  *made = allocate_array(caller, 1, sizeof(WordPiece));

	*wordpiece = made;
	if (made == NULL)
		return STATUS_NO_MEMORY;
	made->options = *options;
	if (options->prefix_length > 0)
		memcpy(made->prefix, options->prefix, options->prefix_length);
	made->options.prefix = made->prefix;
	made->prefix_hash = hash_bytes(HASH_START, (const unsigned char *) made->prefix,
								   options->prefix_length);
	made->n = n;
	made->id = allocate_array(caller, n, sizeof(uint32_t));
	made->start = allocate_array(caller, n + 1, sizeof(size_t));
	made->bytes = allocate_array(caller, bytes, 1);
	return made->id == NULL || made->start == NULL || made->bytes == NULL ?
		STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* The tokenizer's entries are there: checks them and makes them findable. */
static Status
finish_wordpiece(const Caller *caller, WordPiece *wordpiece, WordPieceFault *fault, size_t *at)
{
	TRY(check_ids(caller, wordpiece, fault, at));
	return index_entries(caller, wordpiece, fault, at);
}

static bool
valid_options(const WordPieceOptions *options)
{
	return options->prefix_length <= WORDPIECE_MAX_PREFIX &&
		options->max_word >= 1 && options->max_word <= WORDPIECE_MAX_WORD;
}

Status
wordpiece_make(const Caller *caller, const WordPieceOptions *options,
			   const WordPieceEntry *entries, size_t n,
			   WordPiece **wordpiece, WordPieceFault *fault, size_t *at)
{
	size_t		bytes = 0;
	Status		status;

	*wordpiece = NULL;
	*at = 0;
	*fault = WORDPIECE_FINE;
	if (!valid_options(options))
		*fault = WORDPIECE_OPTIONS;
	else if (n == 0 || n > WORDPIECE_MAX_PIECES)
		*fault = WORDPIECE_TOO_MANY;
	for (size_t i = 0; i < n && *fault == WORDPIECE_FINE; i++)
	{
		*at = i;
		if (entries[i].length == 0)
			*fault = WORDPIECE_EMPTY;
		else if (entries[i].length > WORDPIECE_MAX_BYTES)
			*fault = WORDPIECE_LONG;
		bytes += entries[i].length;
	}
	if (*fault != WORDPIECE_FINE)
		return STATUS_BAD_ARGUMENT;
	status = allocate_wordpiece(caller, options, n, bytes, wordpiece);
	if (status == STATUS_SUCCESS)
	{
		WordPiece  *made = *wordpiece;

		for (size_t i = 0; i < n; i++)
		{
			memcpy(made->bytes + made->start[i], entries[i].bytes, entries[i].length);
			made->start[i + 1] = made->start[i] + entries[i].length;
			made->id[i] = entries[i].id;
		}
		status = finish_wordpiece(caller, made, fault, at);
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
	release(caller, wordpiece->id);
	release(caller, wordpiece->start);
	release(caller, wordpiece->bytes);
	release(caller, wordpiece->slots);
	release(caller, wordpiece);
}

uint32_t
wordpiece_ids(const WordPiece *wordpiece)
{
	return wordpiece->ids;
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
	size_t		longest = wordpiece->longest;
	uint64_t	hash = continued ? wordpiece->prefix_hash : HASH_START;
	uint64_t	hashes[WORDPIECE_MAX_WORD];
	size_t		hashed = begin;
	int			last = from;	/* behind the last that can be part of it */

	while (last < words->characters && words->end[last] - begin <= longest)
	{
		hash = hash_bytes(hash, words->bytes + hashed, words->end[last] - hashed);
		hashed = words->end[last];
		hashes[last++] = hash;
	}
	for (; last > from; last--)
	{
		size_t		slot = find_slot(wordpiece, hashes[last - 1], continued,
									 words->bytes + begin, words->end[last - 1] - begin);

		if (slot != SIZE_MAX && wordpiece->slots[slot] != 0)
		{
			*id = wordpiece->id[(uint32_t) wordpiece->slots[slot] - 1];
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

/*
 * Stored: flags, max_word, unknown, prefix, then how many entries and bytes,
 * the numbers, the lengths, the bytes.
 */
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
	write_u32(writer, (uint32_t) wordpiece->n);
	write_u64(writer, wordpiece->start[wordpiece->n]);
	for (size_t i = 0; i < wordpiece->n; i++)
		write_u32(writer, wordpiece->id[i]);
	for (size_t i = 0; i < wordpiece->n; i++)
		write_u32(writer, (uint32_t) (wordpiece->start[i + 1] - wordpiece->start[i]));
	write_bytes(writer, wordpiece->bytes, wordpiece->start[wordpiece->n]);
}

/* Numbers, lengths and bytes into a tokenizer that has room for them. */
static Status
read_entries(Reader *reader, WordPiece *wordpiece, size_t bytes)
{
	for (size_t i = 0; i < wordpiece->n; i++)
		wordpiece->id[i] = read_u32(reader);
	for (size_t i = 0; i < wordpiece->n; i++)
	{
		uint32_t	length = read_u32(reader);

		if (length == 0 || length > WORDPIECE_MAX_BYTES)
			return STATUS_CORRUPT;
		wordpiece->start[i + 1] = wordpiece->start[i] + length;
	}
	if (wordpiece->start[wordpiece->n] != bytes)
		return STATUS_CORRUPT;
	read_bytes(reader, wordpiece->bytes, bytes);
	return reader->failed ? STATUS_CORRUPT : STATUS_SUCCESS;
}

Status
wordpiece_read(const Caller *caller, Reader *reader, WordPiece **wordpiece)
{
	WordPieceOptions options = {0};
	WordPieceFault fault = WORDPIECE_FINE;
	uint32_t	flags = read_u32(reader);
	uint32_t	max_word = read_u32(reader);
	char		prefix[WORDPIECE_MAX_PREFIX];
	uint32_t	n;
	uint64_t	bytes;
	size_t		at;
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
	n = read_u32(reader);
	bytes = read_u64(reader);
	if (reader->failed || !valid_options(&options) ||
		n == 0 || n > WORDPIECE_MAX_PIECES ||
		bytes > reader_left(reader) || (reader_left(reader) - bytes) / 8 < n)
		return STATUS_CORRUPT;
	status = allocate_wordpiece(caller, &options, n, (size_t) bytes, wordpiece);
	if (status == STATUS_SUCCESS)
		status = read_entries(reader, *wordpiece, (size_t) bytes);
	if (status == STATUS_SUCCESS)
		status = finish_wordpiece(caller, *wordpiece, &fault, &at);
	if (status != STATUS_SUCCESS)
	{
		wordpiece_free(caller, *wordpiece);
		*wordpiece = NULL;
	}
	return status == STATUS_BAD_ARGUMENT ? STATUS_CORRUPT : status;
}
