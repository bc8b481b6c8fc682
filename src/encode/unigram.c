/*-------------------------------------------------------------------------
 *
 * unigram.c
 *	  The tokenizer of XLM-RoBERTa: SentencePiece's unigram language model.
 *
 * Text streams through: a character is normalized and added to the word that
 * is being collected, or ends it.
 *
 *-------------------------------------------------------------------------
 */
#include "unigram.h"

#include <math.h>
#include <string.h>

#include "charsmap.h"
#include "unicode.h"

/* Characters, and pieces that are looked up, between two questions whether to stop */
#define CHARACTERS_A_QUESTION 65536
#define LOOKUPS_A_QUESTION 16384

/* Room for the characters of a word, to begin with */
#define FEWEST_CHARACTERS 256

/* What an unknown character's score is below that of every piece */
#define UNKNOWN_PENALTY 10.0

/* Before a word, for the space */
#define SPACE_SIGN 0x2581

#define UNKNOWN UINT32_MAX		/* in place of a piece */

struct Unigram
{
	uint32_t	unknown;
	double		unknown_score;
	Vocabulary	vocabulary;
	double	   *score;			/* of each piece of the vocabulary */
	Charsmap	charsmap;
};

/* A place between two characters: the best way to cut what is before it. */
typedef struct Cut
{
	double		score;			/* sum of the pieces so far */
	uint32_t	piece;			/* the last, or UNKNOWN */
	uint32_t	previous;		/* the cut where it begins */
	uint32_t	next;			/* of the best way through the whole word */
	uint32_t	at;				/* bytes before it */
} Cut;

/* The word that is being collected, and what has come of those before. */
typedef struct Words
{
	const Unigram *unigram;
	const Caller *caller;
	uint32_t   *ids;
	int			room;
	int			count;
	size_t		length;			/* of the word; 0: none has begun */
	size_t		characters;
	size_t		capacity;		/* characters there is room for */
	unsigned char *bytes;		/* 4 capacity */
	Cut		   *cut;			/* capacity + 1; the first stays all zero, but
								 * for its next */
	long		question;		/* characters since the last one */
	long		lookups;		/* since the last question */
} Words;

/* The scores are there: what depends on them. */
static bool
take_scores(Unigram *unigram, size_t *at)
{
	double		least = 0.0;

	for (size_t i = 0; i < unigram->vocabulary.n; i++)
	{
		*at = i;
		if (!(fabs(unigram->score[i]) <= 1e30))
			return false;
		if (i == 0 || unigram->score[i] < least)
			least = unigram->score[i];
	}
	unigram->unknown_score = least - UNKNOWN_PENALTY;
	return true;
}

/* A tokenizer with that number for the unknown, and nothing else. */
static Status
allocate_unigram(const Caller *caller, uint32_t unknown, Unigram **unigram)
{
	*unigram = allocate_array(caller, 1, sizeof(Unigram));
	if (*unigram == NULL)
		return STATUS_NO_MEMORY;
	(*unigram)->unknown = unknown;
	return STATUS_SUCCESS;
}

/* The parts of a tokenizer that is allocated. */
static Status
make_parts(const Caller *caller, const UnigramOptions *options, const PieceEntry *entries,
		   const double *scores, size_t n, Unigram *unigram, TokenizerFault *fault, size_t *at)
{
	Status		status;

	TRY(vocabulary_make(caller, entries, n, &unigram->vocabulary, fault, at));
	unigram->score = allocate_array(caller, n, sizeof(double));
	if (unigram->score == NULL)
		return STATUS_NO_MEMORY;
	memcpy(unigram->score, scores, n * sizeof(double));
	if (!take_scores(unigram, at))
	{
		*fault = FAULT_SCORE;
		return STATUS_BAD_ARGUMENT;
	}
	status = charsmap_make(caller, options->charsmap, options->charsmap_length, &unigram->charsmap);
	if (status == STATUS_CORRUPT)
	{
		*fault = FAULT_CHARSMAP;
		return STATUS_BAD_ARGUMENT;
	}
	return status;
}

Status
unigram_make(const Caller *caller, const UnigramOptions *options,
			 const PieceEntry *entries, const double *scores, size_t n,
			 Unigram **unigram, TokenizerFault *fault, size_t *at)
{
	Status		status;

	*unigram = NULL;
	*at = 0;
	*fault = options->unknown < VOCABULARY_MAX_PIECES ? FAULT_NONE : FAULT_OPTIONS;
	if (*fault != FAULT_NONE)
		return STATUS_BAD_ARGUMENT;
	status = allocate_unigram(caller, options->unknown, unigram);
	if (status == STATUS_SUCCESS)
		status = make_parts(caller, options, entries, scores, n, *unigram, fault, at);
	if (status != STATUS_SUCCESS)
	{
		unigram_free(caller, *unigram);
		*unigram = NULL;
	}
	return status;
}

void
unigram_free(const Caller *caller, Unigram *unigram)
{
	if (unigram == NULL)
		return;
	vocabulary_free(caller, &unigram->vocabulary);
	release(caller, unigram->score);
	charsmap_free(caller, &unigram->charsmap);
	release(caller, unigram);
}

uint32_t
unigram_ids(const Unigram *unigram)
{
	return unigram->unknown >= unigram->vocabulary.ids ? unigram->unknown + 1 :
		unigram->vocabulary.ids;
}

/* The piece leads from one cut to another: is there no better way to that? */
static inline void
try_piece(Words *words, size_t from, size_t to, uint32_t piece, double score)
{
	Cut		   *cut = &words->cut[to];

	score += words->cut[from].score;
	if (cut->previous == UINT32_MAX || score > cut->score)
	{
		cut->score = score;
		cut->piece = piece;
		cut->previous = (uint32_t) from;
	}
}

/* All pieces that begin at a cut, which has its best way. */
static void
try_pieces(Words *words, size_t from)
{
	const Vocabulary *vocabulary = &words->unigram->vocabulary;
	const unsigned char *bytes = words->bytes + words->cut[from].at;
	uint64_t	hash = PIECE_HASH_START;
	size_t		hashed = 0;
	bool		single = false; /* is the one character a piece? */

	for (size_t to = from + 1; to <= words->characters; to++)
	{
		size_t		length = words->cut[to].at - words->cut[from].at;
		size_t		piece;

		if (length > vocabulary->longest)
			break;
		hash = piece_hash(hash, bytes + hashed, length - hashed);
		hashed = length;
		words->lookups++;
		piece = vocabulary_find(vocabulary, hash, "", 0, bytes, length);
		if (piece == SIZE_MAX)
			continue;
		try_piece(words, from, to, (uint32_t) piece, words->unigram->score[piece]);
		single = single || to == from + 1;
	}
	if (!single)
		try_piece(words, from, from + 1, UNKNOWN, words->unigram->unknown_score);
}

/* The pieces of the best way; unknown ones that follow each other are one. */
static void
take_pieces(Words *words)
{
	const Unigram *unigram = words->unigram;
	uint32_t	at = (uint32_t) words->characters;
	bool		unknown = false;

	while (at > 0)
	{
		words->cut[words->cut[at].previous].next = at;
		at = words->cut[at].previous;
	}
	while (at < words->characters && words->count < words->room)
	{
		uint32_t	piece;

		at = words->cut[at].next;
		piece = words->cut[at].piece;
		if (piece != UNKNOWN)
			words->ids[words->count++] = unigram->vocabulary.id[piece];
		else if (!unknown)
			words->ids[words->count++] = unigram->unknown;
		unknown = piece == UNKNOWN;
	}
}

/* Cuts the collected word, if there is one, into pieces. */
static Status
end_word(Words *words)
{
	for (size_t i = 0; i < words->characters; i++)
	{
		if (words->lookups >= LOOKUPS_A_QUESTION)
		{
			words->lookups = 0;
			if (stopped(words->caller))
				return STATUS_STOPPED;
		}
		try_pieces(words, i);
	}
	if (words->characters > 0)
		take_pieces(words);
	words->characters = 0;
	words->length = 0;
	return STATUS_SUCCESS;
}

/* Twice the room for a word, with what it has so far. */
static Status
grow_word(Words *words)
{
	const Caller *caller = words->caller;
	size_t		capacity = words->capacity == 0 ? FEWEST_CHARACTERS : 2 * words->capacity;
	unsigned char *bytes = allocate_array(caller, capacity, 4);
	Cut		   *cut = allocate_array(caller, capacity + 1, sizeof(Cut));

	if (bytes == NULL || cut == NULL)
	{
		release(caller, bytes);
		release(caller, cut);
		return STATUS_NO_MEMORY;
	}
	if (words->capacity > 0)
	{
		memcpy(bytes, words->bytes, words->length);
		memcpy(cut, words->cut, (words->characters + 1) * sizeof(Cut));
	}
	release(caller, words->bytes);
	release(caller, words->cut);
	words->capacity = capacity;
	words->bytes = bytes;
	words->cut = cut;
	return STATUS_SUCCESS;
}

/* Adds a character to the word, which is cut where it is too long. */
static Status
add_to_word(Words *words, const unsigned char *utf8, size_t length)
{
	if (words->length + length > UNIGRAM_MAX_WORD)
		TRY(end_word(words));
	if (words->characters == words->capacity)
		TRY(grow_word(words));
	memcpy(words->bytes + words->length, utf8, length);
	words->length += length;
	words->characters++;
	words->cut[words->characters] = (Cut) {.previous = UINT32_MAX, .at = (uint32_t) words->length};
	return STATUS_SUCCESS;
}

/* Takes a normalized character: part of a word, or between words. */
static Status
take(Words *words, uint32_t c, const unsigned char *utf8, size_t length)
{
	static const unsigned char sign[3] = {0xE2, 0x96, 0x81};

	if (++words->question >= CHARACTERS_A_QUESTION)
	{
		words->question = 0;
		if (stopped(words->caller))
			return STATUS_STOPPED;
	}
	if (white_space(c))
		return end_word(words);
	/* the sign itself begins a word */
	if (c == SPACE_SIGN)
		TRY(end_word(words));
	else if (words->length == 0)
		TRY(add_to_word(words, sign, sizeof(sign)));
	return add_to_word(words, utf8, length);
}

/* Takes all characters of normalized bytes; what is none separates words. */
static Status
take_all(Words *words, const unsigned char *bytes, size_t length)
{
	size_t		position = 0;

	while (position < length && words->count < words->room)
	{
		size_t		begin = position;
		uint32_t	c;

		if (decode_utf8(bytes, length, &position, &c))
			TRY(take(words, c, bytes + begin, position - begin));
		else
			TRY(take(words, ' ', bytes, 0));
	}
	return STATUS_SUCCESS;
}

static Status
encode_words(const Unigram *unigram, const unsigned char *text, size_t length, Words *words)
{
	size_t		position = 0;

	while (position < length && words->count < words->room)
	{
		const unsigned char *replacement;
		size_t		replaced;
		size_t		consumed;

		if (charsmap_find(&unigram->charsmap, text + position, length - position, &consumed,
						  &replacement, &replaced))
		{
			TRY(take_all(words, replacement, replaced));
			position += consumed;
		}
		else
		{
			size_t		begin = position;
			uint32_t	c;

			if (!decode_utf8(text, length, &position, &c))
				c = ' ';
			TRY(take(words, c, text + begin, position - begin));
		}
	}
	return words->count < words->room ? end_word(words) : STATUS_SUCCESS;
}

Status
unigram_encode(const Unigram *unigram, const Caller *caller, const char *utf8, size_t length,
			   uint32_t *ids, int room, int *count)
{
	Words		words = {.unigram = unigram, .caller = caller, .ids = ids, .room = room};
	Status		status = encode_words(unigram, (const unsigned char *) utf8, length, &words);

	release(caller, words.bytes);
	release(caller, words.cut);
	*count = words.count;
	return status;
}

/* Stored: the number of the unknown, the vocabulary, the scores, the rules. */
void
unigram_write(const Unigram *unigram, Writer *writer)
{
	write_u32(writer, unigram->unknown);
	vocabulary_write(&unigram->vocabulary, writer);
	for (size_t i = 0; i < unigram->vocabulary.n; i++)
		write_double(writer, unigram->score[i]);
	charsmap_write(&unigram->charsmap, writer);
}

/* The parts of a tokenizer that is allocated. */
static Status
read_parts(const Caller *caller, Reader *reader, Unigram *unigram)
{
	size_t		at;

	TRY(vocabulary_read(caller, reader, &unigram->vocabulary));
	if (reader_left(reader) / sizeof(double) < unigram->vocabulary.n)
		return STATUS_CORRUPT;
	unigram->score = allocate_array(caller, unigram->vocabulary.n, sizeof(double));
	if (unigram->score == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < unigram->vocabulary.n; i++)
		unigram->score[i] = read_double(reader);
	if (!take_scores(unigram, &at))
		return STATUS_CORRUPT;
	return charsmap_read(caller, reader, &unigram->charsmap);
}

Status
unigram_read(const Caller *caller, Reader *reader, Unigram **unigram)
{
	uint32_t	unknown = read_u32(reader);
	Status		status;

	*unigram = NULL;
	if (reader->failed || unknown >= VOCABULARY_MAX_PIECES)
		return STATUS_CORRUPT;
	status = allocate_unigram(caller, unknown, unigram);
	if (status == STATUS_SUCCESS)
		status = read_parts(caller, reader, *unigram);
	if (status != STATUS_SUCCESS)
	{
		unigram_free(caller, *unigram);
		*unigram = NULL;
	}
	return status;
}
