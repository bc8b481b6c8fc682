/*-------------------------------------------------------------------------
 *
 * byte_pair.c
 *	  The tokenizer of GPT-2 and RoBERTa: byte pair encoding of bytes.
 *
 * Only numbers are kept: that of each byte's piece and, for each merge, those
 * of its two pieces and of what they become.  The merges of a word are done
 * with a heap of its neighbours, so that a word of n bytes takes time of
 * order n log n.
 *
 *-------------------------------------------------------------------------
 */
#include "byte_pair.h"

#include <string.h>

#include "unicode.h"

/* Longer runs of full slots do not come by chance: the table is half empty. */
#define MAX_PROBES 4096

/* Bytes of text, and merges, between two questions whether to stop */
#define BYTES_A_QUESTION 65536
#define MERGES_A_QUESTION 4096

/* Room for the pieces of a word, to begin with */
#define FEWEST_PIECES 256

#define NO_PIECE UINT32_MAX
#define NO_RANK UINT32_MAX
#define NOWHERE UINT32_MAX

typedef struct Merge
{
	uint32_t	left;
	uint32_t	right;
	uint32_t	merged;
} Merge;

struct BytePair
{
	bool		add_prefix_space;
	uint32_t	ids;			/* highest number that comes out + 1 */
	uint32_t	byte[256];		/* pieces of single bytes; or NO_PIECE */
	size_t		n;
	Merge	   *merge;			/* n; a merge's index is its rank */

	/* where merges are found: rank + 1 low, half of the pair's hash high */
	int			slot_bits;
	uint64_t   *slots;			/* 2^slot_bits */
};

typedef enum CharacterKind
{
	KIND_LETTER,
	KIND_NUMBER,
	KIND_OTHER,
	KIND_BLANK,
	KIND_END					/* no character: the text ends */
} CharacterKind;

/* A text, in which positions count from a space that may be before it. */
typedef struct Text
{
	const unsigned char *bytes;
	size_t		before;			/* spaces that are not in bytes: 0 or 1 */
	size_t		end;			/* before + its length */
} Text;

/* A piece of the word that is being merged. */
typedef struct Symbol
{
	uint32_t	id;
	uint32_t	previous;		/* neighbours, or NOWHERE */
	uint32_t	next;
	uint32_t	rank;			/* of the merge with next; or NO_RANK */
} Symbol;

/*
 * The word that is being merged.  The heap has, as rank and index of the left
 * one, all pairs that a merge is for, and some that are no more.
 */
typedef struct Word
{
	size_t		capacity;
	Symbol	   *symbol;			/* capacity */
	uint64_t   *heap;			/* 2 capacity: a merge adds one at most */
	size_t		heaped;
} Word;

/* Steele et al., "Fast splittable pseudorandom number generators", 2014. */
static inline uint64_t
pair_hash(uint32_t left, uint32_t right)
{
	uint64_t	hash = (uint64_t) left << 32 | right;

	hash = (hash ^ hash >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	hash = (hash ^ hash >> 27) * UINT64_C(0x94D049BB133111EB);
	return hash ^ hash >> 31;
}

/* The slot of a pair, or the empty one where it would be; SIZE_MAX after too many others. */
static size_t
find_slot(const BytePair *byte_pair, uint32_t left, uint32_t right)
{
	uint64_t	hash = pair_hash(left, right);
	size_t		mask = ((size_t) 1 << byte_pair->slot_bits) - 1;
	size_t		slot = (size_t) hash & mask;

	for (int probes = 0; probes < MAX_PROBES; probes++)
	{
		uint64_t	held = byte_pair->slots[slot];

		if (held == 0)
			return slot;
		if (held >> 32 == hash >> 32)
		{
			const Merge *merge = &byte_pair->merge[(uint32_t) held - 1];

			if (merge->left == left && merge->right == right)
				return slot;
		}
		slot = (slot + 1) & mask;
	}
	return SIZE_MAX;
}

/* The merge of two pieces, by rank, or NO_RANK. */
static uint32_t
find_merge(const BytePair *byte_pair, uint32_t left, uint32_t right)
{
	size_t		slot = find_slot(byte_pair, left, right);

	return slot == SIZE_MAX || byte_pair->slots[slot] == 0 ? NO_RANK :
		(uint32_t) byte_pair->slots[slot] - 1;
}

static void
count_id(BytePair *byte_pair, uint32_t id)
{
	if (id != NO_PIECE && id >= byte_pair->ids)
		byte_pair->ids = id + 1;
}

/* Bytes and merges are there: the highest number, and the table of merges. */
static Status
index_merges(const Caller *caller, BytePair *byte_pair, TokenizerFault *fault, size_t *at)
{
	for (int i = 0; i < 256; i++)
		count_id(byte_pair, byte_pair->byte[i]);
	if (byte_pair->ids == 0)
	{
		*fault = FAULT_NO_BYTES;
		return STATUS_BAD_ARGUMENT;
	}
	byte_pair->slot_bits = 1;
	while (((size_t) 1 << byte_pair->slot_bits) < byte_pair->n * 2)
		byte_pair->slot_bits++;
	byte_pair->slots = allocate_array(caller, (size_t) 1 << byte_pair->slot_bits,
									  sizeof(uint64_t));
	if (byte_pair->slots == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < byte_pair->n; i++)
	{
		const Merge *merge = &byte_pair->merge[i];
		size_t		slot = find_slot(byte_pair, merge->left, merge->right);

		if (i % MERGES_A_QUESTION == 0 && stopped(caller))
			return STATUS_STOPPED;
		*at = i;
		*fault = slot == SIZE_MAX ? FAULT_CROWDED : FAULT_MERGE_TWICE;
		if (slot == SIZE_MAX || byte_pair->slots[slot] != 0)
			return STATUS_BAD_ARGUMENT;
		byte_pair->slots[slot] = pair_hash(merge->left, merge->right) >> 32 << 32 |
			(uint32_t) (i + 1);
		count_id(byte_pair, merge->merged);
	}
	*fault = FAULT_NONE;
	return STATUS_SUCCESS;
}

static Status
allocate_byte_pair(const Caller *caller, size_t n, BytePair **byte_pair)
{
	BytePair   *made = allocate_array(caller, 1, sizeof(BytePair));

	*byte_pair = made;
	if (made == NULL)
		return STATUS_NO_MEMORY;
	made->n = n;
	made->merge = allocate_array(caller, n, sizeof(Merge));
	return made->merge == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* The number of a piece, or NO_PIECE. */
static uint32_t
piece_id(const Vocabulary *vocabulary, const char *left, size_t left_length,
		 const char *right, size_t right_length)
{
	uint64_t	hash = piece_hash(PIECE_HASH_START, (const unsigned char *) left, left_length);
	size_t		piece;

	hash = piece_hash(hash, (const unsigned char *) right, right_length);
	piece = vocabulary_find(vocabulary, hash, left, left_length,
							(const unsigned char *) right, right_length);
	return piece == SIZE_MAX ? NO_PIECE : vocabulary->id[piece];
}

/*
 * The pieces of single bytes.  GPT-2's characters for them: those of Latin-1
 * that can be printed are themselves, all others follow from U+0100 on.
 */
static Status
take_bytes(const BytePairOptions *options, const Vocabulary *vocabulary, BytePair *byte_pair,
		   TokenizerFault *fault)
{
	bool		known = options->unknown == BYTE_PAIR_NO_UNKNOWN;
	uint32_t	others = 0x100;

	for (size_t i = 0; i < vocabulary->n && !known; i++)
		known = vocabulary->id[i] == options->unknown;
	if (!known)
	{
		*fault = FAULT_NO_UNKNOWN;
		return STATUS_BAD_ARGUMENT;
	}
	for (uint32_t i = 0; i < 256; i++)
	{
		bool		itself = (i >= '!' && i <= '~') || (i >= 0xA1 && i != 0xAD);
		uint32_t	c = itself ? i : others++;
		char		utf8[2] = {(char) c};
		size_t		length = 1;

		if (c >= 0x80)
		{
			utf8[0] = (char) (0xC0 | c >> 6);
			utf8[1] = (char) (0x80 | (c & 0x3F));
			length = 2;
		}
		byte_pair->byte[i] = piece_id(vocabulary, utf8, length, "", 0);
		if (byte_pair->byte[i] == NO_PIECE)
			byte_pair->byte[i] = options->unknown;
	}
	return STATUS_SUCCESS;
}

static Status
take_merges(const Caller *caller, const Vocabulary *vocabulary, const PieceMerge *merges,
			BytePair *byte_pair, TokenizerFault *fault, size_t *at)
{
	for (size_t i = 0; i < byte_pair->n; i++)
	{
		const PieceMerge *from = &merges[i];
		Merge	   *merge = &byte_pair->merge[i];

		if (i % MERGES_A_QUESTION == 0 && stopped(caller))
			return STATUS_STOPPED;
		merge->left = piece_id(vocabulary, from->left, from->left_length, "", 0);
		merge->right = piece_id(vocabulary, from->right, from->right_length, "", 0);
		merge->merged = piece_id(vocabulary, from->left, from->left_length,
								 from->right, from->right_length);
		*at = i;
		if (merge->left == NO_PIECE || merge->right == NO_PIECE)
			*fault = FAULT_MERGE_PART;
		else if (merge->merged == NO_PIECE)
			*fault = FAULT_MERGE_WHOLE;
		if (*fault != FAULT_NONE)
			return STATUS_BAD_ARGUMENT;
	}
	return STATUS_SUCCESS;
}

Status
byte_pair_make(const Caller *caller, const BytePairOptions *options,
			   const PieceEntry *entries, size_t n,
			   const PieceMerge *merges, size_t nmerges,
			   BytePair **byte_pair, TokenizerFault *fault, size_t *at)
{
	Vocabulary	vocabulary = {0};
	Status		status;

	*byte_pair = NULL;
	*at = 0;
	*fault = nmerges > BYTE_PAIR_MAX_MERGES ? FAULT_MERGES : FAULT_NONE;
	if (*fault != FAULT_NONE)
		return STATUS_BAD_ARGUMENT;
	status = vocabulary_make(caller, entries, n, &vocabulary, fault, at);
	if (status == STATUS_SUCCESS)
		status = allocate_byte_pair(caller, nmerges, byte_pair);
	if (status == STATUS_SUCCESS)
	{
		(*byte_pair)->add_prefix_space = options->add_prefix_space;
		status = take_bytes(options, &vocabulary, *byte_pair, fault);
	}
	if (status == STATUS_SUCCESS)
		status = take_merges(caller, &vocabulary, merges, *byte_pair, fault, at);
	if (status == STATUS_SUCCESS)
		status = index_merges(caller, *byte_pair, fault, at);
	vocabulary_free(caller, &vocabulary);
	if (status != STATUS_SUCCESS)
	{
		byte_pair_free(caller, *byte_pair);
		*byte_pair = NULL;
	}
	return status;
}

void
byte_pair_free(const Caller *caller, BytePair *byte_pair)
{
	if (byte_pair == NULL)
		return;
	release(caller, byte_pair->merge);
	release(caller, byte_pair->slots);
	release(caller, byte_pair);
}

uint32_t
byte_pair_ids(const BytePair *byte_pair)
{
	return byte_pair->ids;
}

static inline unsigned char
byte_at(const Text *text, size_t position)
{
	return position < text->before ? ' ' : text->bytes[position - text->before];
}

/* What is at a position, and the next character's position. */
static CharacterKind
look(const Text *text, size_t position, size_t *next)
{
	size_t		at = position - text->before;
	uint32_t	c = ' ';

	*next = position + 1;
	if (position >= text->end)
		return KIND_END;
	if (position >= text->before)
	{
		bool		valid = decode_utf8(text->bytes, text->end - text->before, &at, &c);

		*next = at + text->before;
		if (!valid)
			return KIND_OTHER;
	}
	switch (general_class(c))
	{
		case GENERAL_LETTER:
			return KIND_LETTER;
		case GENERAL_NUMBER:
			return KIND_NUMBER;
		default:
			return white_space(c) ? KIND_BLANK : KIND_OTHER;
	}
}

/* The end of the characters of a kind from a position on, in a word from begin on. */
static size_t
run_end(const Text *text, size_t begin, size_t position, CharacterKind kind)
{
	size_t		next;

	while (position - begin < BYTE_PAIR_MAX_WORD && look(text, position, &next) == kind)
		position = next;
	return position;
}

/* Blanks but the last of several where more follows: it may be of what follows. */
static size_t
blanks_end(const Text *text, size_t begin)
{
	size_t		position = begin;
	size_t		last = begin;
	size_t		next;
	CharacterKind kind;

	while ((kind = look(text, position, &next)) == KIND_BLANK)
	{
		if (position - begin >= BYTE_PAIR_MAX_WORD)
			return position;
		last = position;
		position = next;
	}
	return kind == KIND_END || last == begin ? position : last;
}

/* The length of one of the endings that follow an apostrophe, or 0. */
static size_t
ending_length(const Text *text, size_t position)
{
	static const char *const endings[] = {"s", "t", "re", "ve", "m", "ll", "d"};

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
	{
		size_t		length = strlen(endings[i]);

		if (length <= text->end - position &&
			memcmp(text->bytes + (position - text->before), endings[i], length) == 0)
			return length;
	}
	return 0;
}

/* Where the word ends that begins there, before the end of the text. */
static size_t
word_end(const Text *text, size_t begin)
{
	size_t		next;
	size_t		after;
	CharacterKind kind = look(text, begin, &next);
	CharacterKind following;

	if (byte_at(text, begin) == '\'')
	{
		size_t		ending = ending_length(text, next);

		if (ending > 0)
			return next + ending;
	}
	if (kind != KIND_BLANK)
		return run_end(text, begin, begin, kind);
	following = look(text, next, &after);
	if (byte_at(text, begin) == ' ' && following != KIND_BLANK && following != KIND_END)
		return run_end(text, begin, next, following);
	return blanks_end(text, begin);
}

/* Room for a word of that many pieces; what was in it is lost. */
static Status
ensure_word(const Caller *caller, Word *word, size_t pieces)
{
	size_t		capacity = word->capacity == 0 ? FEWEST_PIECES : word->capacity;

	if (pieces <= word->capacity)
		return STATUS_SUCCESS;
	while (capacity < pieces)
		capacity *= 2;
	release(caller, word->symbol);
	release(caller, word->heap);
	word->capacity = capacity;
	word->symbol = allocate_array(caller, capacity, sizeof(Symbol));
	word->heap = allocate_array(caller, capacity, 2 * sizeof(uint64_t));
	return word->symbol == NULL || word->heap == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

static void
push(Word *word, uint64_t pair)
{
	size_t		at = word->heaped++;

	while (at > 0 && word->heap[(at - 1) / 2] > pair)
	{
		word->heap[at] = word->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	word->heap[at] = pair;
}

/* Takes out the least. */
static uint64_t
pop(Word *word)
{
	uint64_t	least = word->heap[0];
	uint64_t	last = word->heap[--word->heaped];
	size_t		at = 0;

	for (;;)
	{
		size_t		child = 2 * at + 1;

		if (child >= word->heaped)
			break;
		if (child + 1 < word->heaped && word->heap[child + 1] < word->heap[child])
			child++;
		if (word->heap[child] >= last)
			break;
		word->heap[at] = word->heap[child];
		at = child;
	}
	word->heap[at] = last;
	return least;
}

/* Looks for the merge of a symbol with the next, which may be new to it. */
static void
pair_up(const BytePair *byte_pair, Word *word, uint32_t at)
{
	Symbol	   *symbol = &word->symbol[at];

	symbol->rank = symbol->next == NOWHERE ? NO_RANK :
		find_merge(byte_pair, symbol->id, word->symbol[symbol->next].id);
	if (symbol->rank != NO_RANK)
		push(word, (uint64_t) symbol->rank << 32 | at);
}

/* The bytes of a word as its pieces, which the word has room for; how many. */
static size_t
begin_word(const BytePair *byte_pair, const Text *text, size_t begin, size_t end, Word *word)
{
	size_t		n = 0;

	for (size_t i = begin; i < end; i++)
	{
		uint32_t	id = byte_pair->byte[byte_at(text, i)];

		if (id == NO_PIECE)
			continue;
		word->symbol[n] = (Symbol) {id, n == 0 ? NOWHERE : (uint32_t) (n - 1), NOWHERE, NO_RANK};
		if (n > 0)
			word->symbol[n - 1].next = (uint32_t) n;
		n++;
	}
	word->heaped = 0;
	for (size_t i = 0; i + 1 < n; i++)
		pair_up(byte_pair, word, (uint32_t) i);
	return n;
}

/* Does all merges of the word; the first symbol stays the first. */
static Status
merge_word(const BytePair *byte_pair, const Caller *caller, Word *word)
{
	for (long merges = 1; word->heaped > 0; merges++)
	{
		uint64_t	pair = pop(word);
		uint32_t	at = (uint32_t) pair;
		Symbol	   *left = &word->symbol[at];
		Symbol	   *right;

		if (merges % MERGES_A_QUESTION == 0 && stopped(caller))
			return STATUS_STOPPED;
		if (left->rank != pair >> 32)
			continue;
		right = &word->symbol[left->next];
		left->id = byte_pair->merge[left->rank].merged;
		left->next = right->next;
		right->rank = NO_RANK;
		if (right->next != NOWHERE)
			word->symbol[right->next].previous = at;
		pair_up(byte_pair, word, at);
		if (left->previous != NOWHERE)
			pair_up(byte_pair, word, left->previous);
	}
	return STATUS_SUCCESS;
}

/* The pieces of all words, until there is no more room. */
static Status
encode_words(const BytePair *byte_pair, const Caller *caller, const Text *text, Word *word,
			 uint32_t *ids, int room, int *count)
{
	size_t		question = BYTES_A_QUESTION;
	size_t		position = 0;

	while (position < text->end && *count < room)
	{
		size_t		end = word_end(text, position);

		if (position >= question)
		{
			question = position + BYTES_A_QUESTION;
			if (stopped(caller))
				return STATUS_STOPPED;
		}
		TRY(ensure_word(caller, word, end - position));
		if (begin_word(byte_pair, text, position, end, word) > 0)
		{
			TRY(merge_word(byte_pair, caller, word));
			for (uint32_t i = 0; i != NOWHERE && *count < room; i = word->symbol[i].next)
				ids[(*count)++] = word->symbol[i].id;
		}
		position = end;
	}
	return STATUS_SUCCESS;
}

Status
byte_pair_encode(const BytePair *byte_pair, const Caller *caller,
				 const char *utf8, size_t length, uint32_t *ids, int room, int *count)
{
	Text		text = {.bytes = (const unsigned char *) utf8};
	Word		word = {0};
	Status		status;

	*count = 0;
	if (length == 0)
		return STATUS_SUCCESS;
	text.before = byte_pair->add_prefix_space && utf8[0] != ' ' ? 1 : 0;
	text.end = text.before + length;
	status = encode_words(byte_pair, caller, &text, &word, ids, room, count);
	release(caller, word.symbol);
	release(caller, word.heap);
	return status;
}

/*
 * Stored: whether there is a space before a text, the numbers of all bytes,
 * how many merges, and each merge's three numbers.
 */
void
byte_pair_write(const BytePair *byte_pair, Writer *writer)
{
	write_u32(writer, byte_pair->add_prefix_space);
	for (int i = 0; i < 256; i++)
		write_u32(writer, byte_pair->byte[i]);
	write_u32(writer, (uint32_t) byte_pair->n);
	for (size_t i = 0; i < byte_pair->n; i++)
	{
		write_u32(writer, byte_pair->merge[i].left);
		write_u32(writer, byte_pair->merge[i].right);
		write_u32(writer, byte_pair->merge[i].merged);
	}
}

/* All merges, into room for them. */
static Status
read_merges(Reader *reader, BytePair *byte_pair)
{
	for (size_t i = 0; i < byte_pair->n; i++)
	{
		Merge	   *merge = &byte_pair->merge[i];

		merge->left = read_u32(reader);
		merge->right = read_u32(reader);
		merge->merged = read_u32(reader);
		if (merge->left >= VOCABULARY_MAX_PIECES || merge->right >= VOCABULARY_MAX_PIECES ||
			merge->merged >= VOCABULARY_MAX_PIECES)
			return STATUS_CORRUPT;
	}
	return reader->failed ? STATUS_CORRUPT : STATUS_SUCCESS;
}

Status
byte_pair_read(const Caller *caller, Reader *reader, BytePair **byte_pair)
{
	TokenizerFault fault = FAULT_NONE;
	uint32_t	add_prefix_space = read_u32(reader);
	uint32_t	byte[256];
	uint32_t	n;
	size_t		at;
	Status		status;

	*byte_pair = NULL;
	for (int i = 0; i < 256; i++)
	{
		byte[i] = read_u32(reader);
		if (byte[i] >= VOCABULARY_MAX_PIECES && byte[i] != NO_PIECE)
			return STATUS_CORRUPT;
	}
	n = read_u32(reader);
	if (reader->failed || add_prefix_space > 1 || n > BYTE_PAIR_MAX_MERGES ||
		reader_left(reader) / 12 < n)
		return STATUS_CORRUPT;
	status = allocate_byte_pair(caller, n, byte_pair);
	if (status == STATUS_SUCCESS)
	{
		(*byte_pair)->add_prefix_space = add_prefix_space == 1;
		memcpy((*byte_pair)->byte, byte, sizeof(byte));
		status = read_merges(reader, *byte_pair);
	}
	if (status == STATUS_SUCCESS)
		status = index_merges(caller, *byte_pair, &fault, &at);
	if (status != STATUS_SUCCESS)
	{
		byte_pair_free(caller, *byte_pair);
		*byte_pair = NULL;
	}
	return status == STATUS_BAD_ARGUMENT ? STATUS_CORRUPT : status;
}
