/*-------------------------------------------------------------------------
 *
 * terms.c
 *	  From text to the hashes of its n-grams.
 *
 * Two views of the same text.  Words: maximal runs of letters, numbers and
 * marks of at least two characters, alone and in pairs; they carry meaning.
 * Pieces: 3 to 5 characters within what stands between spaces, punctuation
 * and a space at either end included; they see through inflection, compounds
 * and misspellings, and need no knowledge of the language.
 *
 * In scripts written without spaces each character with its marks is a word
 * (as in Unicode Standard Annex 29), so that characters and pairs of them
 * are terms there; longer units come from the pieces.
 *
 * A piece grows by one character a step, so that the hashes of 3, 4 and 5
 * characters from one start cost five steps together, and nothing is copied.
 *
 *-------------------------------------------------------------------------
 */
#include "terms.h"

#include <string.h>

#include "unicode.h"

#define BATCH 1024				/* hashes handed over at once */
#define FOLDED_ROOM 1024		/* code points folded at once */
#define CHUNK 512				/* characters between spaces held at once */

#define PIECE_SHORTEST 3
#define PIECE_LONGEST 5
#define WORD_SHORTEST 2

/* Starting values of the three kinds of hashes: any different odd numbers. */
#define SEED_WORD UINT64_C(0x6A09E667F3BCC909)
#define SEED_PAIR UINT64_C(0xBB67AE8584CAA73B)
#define SEED_PIECE UINT64_C(0x3C6EF372FE94F82B)

typedef enum WordState
{
	WORD_NONE,					/* between words */
	WORD_RUN,					/* in a run of word characters */
	WORD_UNSPACED				/* in one character of a script without spaces */
} WordState;

typedef struct TermReader
{
	const Caller *caller;
	TermSink	sink;
	void	   *state;

	WordState	word_state;
	int			word_length;	/* characters, at most 2 is counted */
	uint64_t	word;			/* hash so far */
	uint64_t	previous;		/* hash of the word before; 0: none */

	int			chunk_length;
	uint32_t	chunk[CHUNK];	/* since the last space, led by a space */

	int			count;
	uint64_t	hashes[BATCH];
} TermReader;

/* Hands over what has been collected, and asks whether to go on. */
static Status
flush_batch(TermReader *reader)
{
	int			count = reader->count;

	reader->count = 0;
	if (stopped(reader->caller))
		return STATUS_STOPPED;
	return count > 0 ? reader->sink(reader->state, reader->hashes, count) : STATUS_SUCCESS;
}

/*
 * The pieces of the chunk that start before position end.  The caller makes
 * sure that either the chunk is complete, or each of these starts is followed
 * by PIECE_LONGEST characters.
 */
static Status
emit_pieces(TermReader *reader, int end)
{
	for (int i = 0; i < end; i++)
	{
		const uint32_t *c = reader->chunk + i;
		int			left = reader->chunk_length - i;
		uint64_t	hash;

		if (reader->count > BATCH - 3)
			TRY(flush_batch(reader));
		hash = hash_step(hash_step(hash_step(SEED_PIECE, c[0]), c[1]), c[2]);
		reader->hashes[reader->count++] = hash_finish(hash, TERM_PIECE);
		if (left > 3)
		{
			hash = hash_step(hash, c[3]);
			reader->hashes[reader->count++] = hash_finish(hash, TERM_PIECE);
		}
		if (left > 4)
		{
			hash = hash_step(hash, c[4]);
			reader->hashes[reader->count++] = hash_finish(hash, TERM_PIECE);
		}
	}
	return STATUS_SUCCESS;
}

/* One more character between spaces; a full chunk gives up its beginning. */
static inline Status
chunk_add(TermReader *reader, uint32_t code_point)
{
	if (reader->chunk_length == CHUNK)
	{
		int			done = CHUNK - PIECE_LONGEST + 1;

		TRY(emit_pieces(reader, done));
		reader->chunk_length -= done;
		memmove(reader->chunk, reader->chunk + done,
				(size_t) reader->chunk_length * sizeof(uint32_t));
	}
	reader->chunk[reader->chunk_length++] = code_point;
	return STATUS_SUCCESS;
}

/* A space: the pieces of what stood before it, up to that space. */
static Status
chunk_end(TermReader *reader)
{
	if (reader->chunk_length <= 1)
		return STATUS_SUCCESS;
	TRY(chunk_add(reader, ' '));
	TRY(emit_pieces(reader, reader->chunk_length - PIECE_SHORTEST + 1));
	reader->chunk_length = 1;
	return STATUS_SUCCESS;
}

/* The word that ends here, alone and after its predecessor. */
static Status
word_end(TermReader *reader)
{
	bool		counts = reader->word_state == WORD_UNSPACED ||
		reader->word_length >= WORD_SHORTEST;

	reader->word_state = WORD_NONE;
	if (!counts)
		return STATUS_SUCCESS;
	if (reader->count > BATCH - 2)
		TRY(flush_batch(reader));
	reader->hashes[reader->count++] = hash_finish(reader->word, TERM_WORD);
	if (reader->previous != 0)
		reader->hashes[reader->count++] =
			hash_finish(hash_step(hash_step(SEED_PAIR, reader->previous), reader->word),
						TERM_WORD);
	reader->previous = reader->word;
	return STATUS_SUCCESS;
}

static inline void
word_start(TermReader *reader, WordState state, uint32_t code_point)
{
	reader->word_state = state;
	reader->word_length = 1;
	reader->word = hash_step(SEED_WORD, code_point);
}

static inline void
word_extend(TermReader *reader, uint32_t code_point)
{
	reader->word_length = WORD_SHORTEST;
	reader->word = hash_step(reader->word, code_point);
}

/* Moves the words on by one character. */
static inline Status
word_add(TermReader *reader, uint32_t code_point, CharacterClass class)
{
	switch (class)
	{
		case CLASS_LETTER:
		case CLASS_NUMBER:
			if (reader->word_state == WORD_RUN)
				word_extend(reader, code_point);
			else
			{
				if (reader->word_state != WORD_NONE)
					TRY(word_end(reader));
				word_start(reader, WORD_RUN, code_point);
			}
			break;
		case CLASS_MARK:
			if (reader->word_state != WORD_NONE)
				word_extend(reader, code_point);
			else
				word_start(reader, WORD_RUN, code_point);
			break;
		case CLASS_UNSPACED:
			if (reader->word_state != WORD_NONE)
				TRY(word_end(reader));
			word_start(reader, WORD_UNSPACED, code_point);
			break;
		case CLASS_SPACE:
		case CLASS_OTHER:
			if (reader->word_state != WORD_NONE)
				TRY(word_end(reader));
			break;
	}
	return STATUS_SUCCESS;
}

Status
text_terms(const Caller *caller, const char *utf8, size_t length,
		   TermSink sink, void *state)
{
	TermReader	reader;
	Folder		folder;
	FoldedChar	characters[FOLDED_ROOM];
	size_t		count;

	reader.caller = caller;
	reader.sink = sink;
	reader.state = state;
	reader.word_state = WORD_NONE;
	reader.word_length = 0;
	reader.word = 0;
	reader.previous = 0;
	reader.chunk[0] = ' ';
	reader.chunk_length = 1;
	reader.count = 0;
	folder_init(&folder, utf8, length);
	while (!folder_ended(&folder))
	{
		count = fold_text(&folder, characters, FOLDED_ROOM);

		/* a long text without a single term must be stoppable too */
		if (folder.position < length && stopped(caller))
			return STATUS_STOPPED;
		for (size_t i = 0; i < count; i++)
		{
			uint32_t	code_point = folded_code_point(characters[i]);
			CharacterClass class = folded_class(characters[i]);

			TRY(word_add(&reader, code_point, class));
			if (class == CLASS_SPACE)
				TRY(chunk_end(&reader));
			else
				TRY(chunk_add(&reader, code_point));
		}
	}
	if (reader.word_state != WORD_NONE)
		TRY(word_end(&reader));
	TRY(chunk_end(&reader));
	return flush_batch(&reader);
}

/* ---------------------------------------------------------------------- */
/* The same with the places of the n-grams, for those who explain */

static Status
span_add(const Caller *caller, TermSpans *spans, uint64_t hash, SpanKind kind, int first, int end)
{
	if (spans->n == spans->capacity)
	{
		int			capacity = spans->capacity * 2 + 64;
		TermSpan   *grown = allocate_array(caller, (size_t) capacity, sizeof(TermSpan));

		if (grown == NULL)
			return STATUS_NO_MEMORY;
		if (spans->n > 0)
			memcpy(grown, spans->span, sizeof(TermSpan) * (size_t) spans->n);
		release(caller, spans->span);
		spans->span = grown;
		spans->capacity = capacity;
	}
	spans->span[spans->n++] = (TermSpan) {hash, kind, first, end};
	return STATUS_SUCCESS;
}

/* The whole text folded, with classes. */
static Status
fold_whole(const Caller *caller, const char *utf8, size_t length, FoldedChar **folded, int *n)
{
	Folder		folder;
	size_t		capacity = length + FOLD_MIN_ROOM;

	*n = 0;
	*folded = allocate_array(caller, capacity, sizeof(FoldedChar));
	if (*folded == NULL)
		return STATUS_NO_MEMORY;
	folder_init(&folder, utf8, length);
	while (!folder_ended(&folder))
	{
		if (stopped(caller))
			return STATUS_STOPPED;
		/* a ligature may become more characters than it has bytes */
		if (capacity - (size_t) *n < FOLDED_ROOM)
		{
			FoldedChar *grown = allocate_array(caller, capacity * 2 + FOLDED_ROOM,
											   sizeof(FoldedChar));

			if (grown == NULL)
				return STATUS_NO_MEMORY;
			memcpy(grown, *folded, sizeof(FoldedChar) * (size_t) *n);
			release(caller, *folded);
			*folded = grown;
			capacity = capacity * 2 + FOLDED_ROOM;
		}
		*n += (int) fold_text(&folder, *folded + *n, FOLDED_ROOM);
	}
	return STATUS_SUCCESS;
}

/* Does a word that has come as far as here end before the next character? */
static bool
word_ends_before(WordState state, CharacterClass next)
{
	return next == CLASS_MARK ? false :
		state != WORD_RUN || (next != CLASS_LETTER && next != CLASS_NUMBER);
}

/* Words, as word_add() makes them. */
static Status
span_words(const Caller *caller, const FoldedChar *folded, int n, TermSpans *spans)
{
	int			end;

	for (int first = 0; first < n; first = end)
	{
		CharacterClass class = folded_class(folded[first]);
		WordState	state = class == CLASS_UNSPACED ? WORD_UNSPACED : WORD_RUN;
		uint64_t	hash = hash_step(SEED_WORD, folded_code_point(folded[first]));

		end = first + 1;
		if (class == CLASS_SPACE || class == CLASS_OTHER)
			continue;
		while (end < n && !word_ends_before(state, folded_class(folded[end])))
			hash = hash_step(hash, folded_code_point(folded[end++]));
		if (state == WORD_UNSPACED || end - first >= WORD_SHORTEST)
			TRY(span_add(caller, spans, hash, SPAN_WORD, first, end));
	}
	spans->words = spans->n;
	return STATUS_SUCCESS;
}

/* Pairs of neighbouring words; then the words' hashes are finished. */
static Status
span_pairs(const Caller *caller, TermSpans *spans)
{
	for (int i = 1; i < spans->words; i++)
	{
		TermSpan	left = spans->span[i - 1];
		TermSpan	right = spans->span[i];
		uint64_t	hash = hash_step(hash_step(SEED_PAIR, left.hash), right.hash);

		TRY(span_add(caller, spans, hash_finish(hash, TERM_WORD), SPAN_PAIR, left.first,
					 right.end));
	}
	for (int i = 0; i < spans->words; i++)
		spans->span[i].hash = hash_finish(spans->span[i].hash, TERM_WORD);
	return STATUS_SUCCESS;
}

/* Pieces of what stands between two spaces, characters from .. to. */
static Status
span_pieces(const Caller *caller, const FoldedChar *folded, int from, int to, TermSpans *spans)
{
	for (int first = from - 1; first + PIECE_SHORTEST <= to + 1; first++)
	{
		uint64_t	hash = SEED_PIECE;

		for (int end = first; end < first + PIECE_LONGEST && end <= to; end++)
		{
			bool		outside = end < from || end == to;

			hash = hash_step(hash, outside ? ' ' : folded_code_point(folded[end]));
			if (end - first + 1 >= PIECE_SHORTEST)
				TRY(span_add(caller, spans, hash_finish(hash, TERM_PIECE), SPAN_PIECE,
							 first < from ? from : first, end < to ? end + 1 : to));
		}
	}
	return STATUS_SUCCESS;
}

static Status
span_all(const Caller *caller, const FoldedChar *folded, int n, TermSpans *spans)
{
	int			from = 0;

	TRY(span_words(caller, folded, n, spans));
	TRY(span_pairs(caller, spans));
	for (int i = 0; i <= n; i++)
	{
		if (i < n && folded_class(folded[i]) != CLASS_SPACE)
			continue;
		if (stopped(caller))
			return STATUS_STOPPED;
		if (i > from)
			TRY(span_pieces(caller, folded, from, i, spans));
		from = i + 1;
	}
	spans->character = allocate_array(caller, (size_t) n, sizeof(uint32_t));
	if (spans->character == NULL)
		return STATUS_NO_MEMORY;
	spans->length = n;
	for (int i = 0; i < n; i++)
		spans->character[i] = folded_class(folded[i]) == CLASS_SPACE ? ' ' :
			folded_code_point(folded[i]);
	return STATUS_SUCCESS;
}

Status
text_spans(const Caller *caller, const char *utf8, size_t length, TermSpans *spans)
{
	FoldedChar *folded;
	int			n;
	Status		status;

	memset(spans, 0, sizeof(*spans));
	status = fold_whole(caller, utf8, length, &folded, &n);
	if (status == STATUS_SUCCESS)
		status = span_all(caller, folded, n, spans);
	release(caller, folded);
	if (status != STATUS_SUCCESS)
		text_spans_free(caller, spans);
	return status;
}

void
text_spans_free(const Caller *caller, TermSpans *spans)
{
	release(caller, spans->span);
	release(caller, spans->character);
	memset(spans, 0, sizeof(*spans));
}
