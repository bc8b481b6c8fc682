/*-------------------------------------------------------------------------
 *
 * word_vectors.c
 *	  Reads the files of GloVe, word2vec and fastText, piece by piece.
 *
 * What has come and is no whole line or word yet waits in one buffer, which
 * grows to the longest of them, but not without limit.  Of a word only the
 * keys are kept (words_internal.h), not its letters.
 *
 *-------------------------------------------------------------------------
 */
#include "word_vectors.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "decimal.h"
#include "words_internal.h"

/* The input is looked at in pieces of this size, and so is whether to stop */
#define PIECE 65536

/* Longest line, and longest word in a binary file, in bytes */
#define LONGEST_LINE ((size_t) 1 << 20)
#define LONGEST_WORD 4096

/* Bytes that can be waiting, and room for the first of them */
#define MOST_WAITING (LONGEST_LINE + 2 * PIECE)
#define FIRST_WAITING (2 * PIECE)

/* Bytes behind the first word that tell text from binary */
#define TELLING_BYTES 64

typedef enum ReadState
{
	READ_FIRST,					/* the first line has not come yet */
	READ_KIND,					/* text or binary behind a header? */
	READ_TEXT,
	READ_BINARY,
	READ_DONE
} ReadState;

struct WordVectors
{
	const Caller *caller;
	WordVectorsOptions options;
	WordVectorsReport report;
	ReadState	state;
	Status		failure;		/* the first one */
	uint64_t	line;			/* lines read */

	/* Bytes not used up yet */
	unsigned char *bytes;
	size_t		length;
	size_t		capacity;
	size_t		searched;		/* of them, for the end of a line */

	float	   *row;			/* dims */
	WordRows	rows;
};

/* Bytes besides those of words. */
static uint64_t
fixed_bytes(int dims)
{
	return sizeof(WordVectors) + 2 * MOST_WAITING + (size_t) dims * sizeof(float) +
		word_rows_fixed(dims);
}

size_t
word_vectors_bytes(int words, int dims)
{
	uint64_t	bytes = fixed_bytes(dims) + (uint64_t) words * word_rows_each(dims);

	return bytes > SIZE_MAX ? SIZE_MAX : (size_t) bytes;
}

Status
word_vectors_start(const Caller *caller, const WordVectorsOptions *options, WordVectors **vectors)
{
	WordVectors *new;

	*vectors = NULL;
	if (options->max_words < 1 || options->max_words > ENCODER_MAX_VOCABULARY ||
		(int) options->format < WORD_VECTORS_ANY || options->format > WORD_VECTORS_BINARY)
		return STATUS_BAD_ARGUMENT;
	new = allocate_array(caller, 1, sizeof(WordVectors));
	if (new == NULL)
		return STATUS_NO_MEMORY;
	new->caller = caller;
	new->options = *options;
	new->report.format = options->format;
	*vectors = new;
	return STATUS_SUCCESS;
}

static void
free_input(WordVectors *vectors)
{
	release(vectors->caller, vectors->bytes);
	release(vectors->caller, vectors->row);
	vectors->bytes = NULL;
	vectors->row = NULL;
}

void
word_vectors_free(WordVectors *vectors)
{
	if (vectors == NULL)
		return;
	word_rows_free(&vectors->rows);
	free_input(vectors);
	release(vectors->caller, vectors);
}

const WordVectorsReport *
word_vectors_report(const WordVectors *vectors)
{
	return &vectors->report;
}

static Status
faulty(WordVectors *vectors, WordVectorsFault fault, uint64_t at)
{
	vectors->report.fault = fault;
	vectors->report.at = at;
	return STATUS_CORRUPT;
}

static inline bool
blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Of a line, without the blanks at its end. */
static size_t
trimmed(const unsigned char *line, size_t length)
{
	while (length > 0 && blank(line[length - 1]))
		length--;
	return length;
}

/*
 * The last field of a line: takes blanks and the field off *length, and gives
 * where it is.  False: there is none.
 */
static bool
take_last_field(const unsigned char *line, size_t *length, size_t *begin, size_t *end)
{
	size_t		i = trimmed(line, *length);

	*end = i;
	while (i > 0 && !blank(line[i - 1]))
		i--;
	*begin = i;
	*length = i;
	return *begin < *end;
}

/* Is the last field a number?  Takes it off. */
static bool
take_last_number(const unsigned char *line, size_t *length, double *value)
{
	size_t		begin;
	size_t		end;

	return take_last_field(line, length, &begin, &end) &&
		parse_decimal((const char *) line + begin, end - begin, value);
}

/* Keeps a word whose vector is in row. */
static Status
keep_word(WordVectors *vectors, const unsigned char *word, size_t length)
{
	uint64_t	written;
	uint64_t	folded;

	if (!word_keys((const char *) word, length, &written, &folded))
	{
		vectors->report.unusable++;
		return STATUS_SUCCESS;
	}
	if (vectors->rows.n == (size_t) vectors->report.fitting)
	{
		(void) faulty(vectors, WORD_VECTORS_MEMORY, vectors->report.at);
		return STATUS_NO_MEMORY;
	}
	TRY(word_rows_add(&vectors->rows, written, folded, vectors->row));
	vectors->report.kept++;
	return STATUS_SUCCESS;
}

/* Is there room for one more word?  If not, it is only counted. */
static bool
beyond(WordVectors *vectors)
{
	bool		full = vectors->rows.n == (size_t) vectors->options.max_words;

	vectors->report.words++;
	vectors->report.beyond += full;
	return full;
}

/*
 * What is wrong with a field that is no number: where it is the first of its
 * line, there are not enough of them.
 */
static WordVectorsFault
field_fault(size_t begin, bool cut)
{
	if (begin > 0)
		return WORD_VECTORS_NUMBER;
	return cut ? WORD_VECTORS_CUT : WORD_VECTORS_FIELDS;
}

/*
 * A line of text without its end; the file ends with it if cut.  Numbers are
 * counted from the right, as words of GloVe's largest files have blanks.
 */
static Status
take_line(WordVectors *vectors, const unsigned char *line, size_t length, bool cut)
{
	const WordVectorsReport *report = &vectors->report;
	size_t		rest;
	double		value;

	length = trimmed(line, length);
	if (length == 0)
		return STATUS_SUCCESS;
	if (report->header && report->words == report->claimed)
		return faulty(vectors, WORD_VECTORS_COUNT, vectors->line);
	if (beyond(vectors))
		return STATUS_SUCCESS;
	for (int j = report->dims - 1; j >= 0; j--)
	{
		if (!take_last_number(line, &length, &value))
			return faulty(vectors, field_fault(length, cut), vectors->line);
		if (!(fabs(value) <= FLT_MAX))
			return faulty(vectors, WORD_VECTORS_NOT_FINITE, vectors->line);
		vectors->row[j] = (float) value;
	}
	if (length == 0)
		return faulty(vectors, cut ? WORD_VECTORS_CUT : WORD_VECTORS_FIELDS, vectors->line);
	length = trimmed(line, length);

	/* a word may have blanks, but not one number more than there should be */
	rest = length;
	if (take_last_number(line, &rest, &value) && rest > 0)
		return faulty(vectors, WORD_VECTORS_FIELDS, vectors->line);
	vectors->report.at = vectors->line;
	return keep_word(vectors, line, length);
}

/*
 * The length of the line that begins here, and of what ends it; false where
 * the end has not come yet.
 */
static bool
find_line(WordVectors *vectors, const unsigned char *bytes, size_t left, bool end,
		  size_t *length, size_t *took)
{
	const unsigned char *newline = NULL;

	if (left > vectors->searched)
		newline = memchr(bytes + vectors->searched, '\n', left - vectors->searched);
	vectors->searched = newline == NULL && !end ? left : 0;
	*length = newline == NULL ? left : (size_t) (newline - bytes);
	*took = newline == NULL ? left : *length + 1;
	return newline != NULL || (end && left > 0);
}

/* Vectors of so many numbers: plans the memory. */
static Status
set_dims(WordVectors *vectors, uint64_t dims)
{
	WordVectorsReport *report = &vectors->report;
	uint64_t	wanted = (uint64_t) vectors->options.max_words;
	uint64_t	fixed;
	uint64_t	fitting;

	if (dims < 1 || dims > ENCODER_MAX_DIMS)
		return faulty(vectors, WORD_VECTORS_DIMS, vectors->line);
	report->dims = (int) dims;
	if (report->header && report->claimed < wanted)
		wanted = report->claimed;
	fixed = fixed_bytes(report->dims);
	fitting = vectors->options.memory < fixed ? 0 :
		(vectors->options.memory - fixed) / word_rows_each(report->dims);
	report->needed = word_vectors_bytes((int) wanted, report->dims);
	report->fitting = (int) (fitting < wanted ? fitting : wanted);

	/* without a header nobody knows how many words will come */
	if (fitting < (report->header ? wanted : 1))
	{
		(void) faulty(vectors, WORD_VECTORS_MEMORY, vectors->line);
		return STATUS_NO_MEMORY;
	}
	word_rows_init(&vectors->rows, vectors->caller, report->dims, (size_t) report->fitting);
	vectors->row = allocate_array(vectors->caller, (size_t) dims, sizeof(float));
	return vectors->row == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* A whole number without sign; what is larger than 2^60 becomes that. */
static bool
take_last_count(const unsigned char *line, size_t *length, uint64_t *value)
{
	size_t		begin;
	size_t		end;

	if (!take_last_field(line, length, &begin, &end))
		return false;
	*value = 0;
	for (size_t i = begin; i < end; i++)
	{
		if (line[i] < '0' || line[i] > '9')
			return false;
		if (*value < UINT64_C(1) << 60)
			*value = *value * 10 + (uint64_t) (line[i] - '0');
	}
	if (*value > UINT64_C(1) << 60)
		*value = UINT64_C(1) << 60;
	return true;
}

/* Two whole numbers and nothing else? */
static bool
is_header(const unsigned char *line, size_t length, uint64_t *claimed, uint64_t *dims)
{
	size_t		begin;
	size_t		end;

	return take_last_count(line, &length, dims) && take_last_count(line, &length, claimed) &&
		!take_last_field(line, &length, &begin, &end);
}

/* What files of other kinds begin with. */
static WordVectorsFault
other_kind(const unsigned char *bytes, size_t length)
{
	if ((length >= 4 && memcmp(bytes, "PK\003\004", 4) == 0) ||
		(length >= 2 && memcmp(bytes, "\037\213", 2) == 0))
		return WORD_VECTORS_PACKED;
	if (length >= 4 && memcmp(bytes, "\272\026\117\057", 4) == 0)
		return WORD_VECTORS_MODEL;
	return WORD_VECTORS_FINE;
}

/*
 * The first line: a header, or that of a word, from which one knows how many
 * numbers all have.  It is then read once more.
 */
static Status
read_first(WordVectors *vectors, const unsigned char *bytes, size_t left, bool end, size_t *took)
{
	WordVectorsReport *report = &vectors->report;
	WordVectorsFormat format = vectors->options.format;
	WordVectorsFault other = other_kind(bytes, left);
	uint64_t	claimed;
	uint64_t	dims;
	size_t		length;
	double		value;
	bool		there;

	if (other != WORD_VECTORS_FINE)
		return faulty(vectors, other, 0);
	there = find_line(vectors, bytes, left, end, &length, took);
	if (length > LONGEST_LINE)
		return faulty(vectors, WORD_VECTORS_LONG, vectors->line + 1);
	if (!there)
	{
		*took = 0;
		return STATUS_SUCCESS;
	}
	vectors->line++;
	if (trimmed(bytes, length) == 0)
		return STATUS_SUCCESS;
	if (format != WORD_VECTORS_GLOVE && is_header(bytes, length, &claimed, &dims))
	{
		report->header = true;
		report->claimed = claimed;
		vectors->state = format == WORD_VECTORS_TEXT ? READ_TEXT :
			format == WORD_VECTORS_BINARY ? READ_BINARY : READ_KIND;
		return set_dims(vectors, dims);
	}
	if (format == WORD_VECTORS_TEXT || format == WORD_VECTORS_BINARY)
		return faulty(vectors, WORD_VECTORS_HEADER, vectors->line);

	/* all numbers at the end, but the first field is never one of them */
	dims = 0;
	while (take_last_number(bytes, &length, &value) && length > 0)
		dims++;
	report->format = WORD_VECTORS_GLOVE;
	vectors->state = READ_TEXT;
	TRY(set_dims(vectors, dims));
	vectors->line--;
	*took = 0;
	return STATUS_SUCCESS;
}

/*
 * Behind a header: text, unless the bytes after the first blank are no
 * well-formed UTF-8 or have controls among them, as floats have.
 */
static Status
read_kind(WordVectors *vectors, const unsigned char *bytes, size_t left, bool end)
{
	size_t		telling = (size_t) vectors->report.dims * sizeof(float);
	const unsigned char *space = left == 0 ? NULL :
		memchr(bytes, ' ', left < LONGEST_WORD ? left : LONGEST_WORD);
	size_t		at = space == NULL ? left : (size_t) (space - bytes) + 1;
	bool		text = true;

	if (telling > TELLING_BYTES)
		telling = TELLING_BYTES;
	if (!end && left < LONGEST_WORD && left - at < telling)
		return STATUS_SUCCESS;	/* more has to come */
	telling = left - at < telling ? left : at + telling;
	while (at < telling && text)
	{
		uint32_t	c;

		/* the last character may be cut */
		if (!decode_utf8(bytes, telling, &at, &c))
			text = telling - at < 3;
		else
			text = c >= ' ' || blank((unsigned char) c) || c == '\n';
	}
	vectors->state = text ? READ_TEXT : READ_BINARY;
	vectors->report.format = text ? WORD_VECTORS_TEXT : WORD_VECTORS_BINARY;
	return STATUS_SUCCESS;
}

static Status
read_line(WordVectors *vectors, const unsigned char *bytes, size_t left, bool end, size_t *took)
{
	size_t		length;
	bool		there = find_line(vectors, bytes, left, end, &length, took);

	if (length > LONGEST_LINE)
		return faulty(vectors, WORD_VECTORS_LONG, vectors->line + 1);
	if (!there)
	{
		*took = 0;
		return STATUS_SUCCESS;
	}
	vectors->line++;
	return take_line(vectors, bytes, length, *took == length);
}

/* A word, a blank, the vector; or line feeds before them. */
static Status
read_word(WordVectors *vectors, const unsigned char *bytes, size_t left, size_t *took)
{
	WordVectorsReport *report = &vectors->report;
	size_t		dims = (size_t) report->dims;
	const unsigned char *space;
	size_t		length;

	while (*took < left && bytes[*took] == '\n')
		++*took;
	if (*took > 0 || left == 0)
		return STATUS_SUCCESS;
	if (report->words == report->claimed)
		return faulty(vectors, WORD_VECTORS_COUNT, report->words + 1);
	space = memchr(bytes, ' ', left < LONGEST_WORD ? left : LONGEST_WORD);
	if (space == NULL)
		return left < LONGEST_WORD ? STATUS_SUCCESS :
			faulty(vectors, WORD_VECTORS_LONG, report->words + 1);
	length = (size_t) (space - bytes);
	if (left - length - 1 < dims * sizeof(float))
		return STATUS_SUCCESS;
	*took = length + 1 + dims * sizeof(float);
	if (beyond(vectors))
		return STATUS_SUCCESS;
	report->at = report->words;
	copy_elements(vectors->row, space + 1, dims, sizeof(float));
	for (size_t j = 0; j < dims; j++)
		if (!isfinite(vectors->row[j]))
			return faulty(vectors, WORD_VECTORS_NOT_FINITE, report->words);
	return keep_word(vectors, bytes, length);
}

/* Uses up what is waiting, as far as it is whole; all of it at the end. */
static Status
use_up(WordVectors *vectors, bool end)
{
	Status		status = STATUS_SUCCESS;
	size_t		used = 0;
	bool		progress = vectors->bytes != NULL;

	while (progress && status == STATUS_SUCCESS)
	{
		const unsigned char *bytes = vectors->bytes + used;
		size_t		left = vectors->length - used;
		ReadState	before = vectors->state;
		size_t		took = 0;

		switch (before)
		{
			case READ_FIRST:
				status = read_first(vectors, bytes, left, end, &took);
				break;
			case READ_KIND:
				status = read_kind(vectors, bytes, left, end);
				break;
			case READ_TEXT:
				status = read_line(vectors, bytes, left, end, &took);
				break;
			case READ_BINARY:
				status = read_word(vectors, bytes, left, &took);
				break;
			case READ_DONE:
				break;
		}
		used += took;
		progress = took > 0 || vectors->state != before;
	}
	vectors->length -= used;
	if (used > 0 && vectors->length > 0)
		memmove(vectors->bytes, vectors->bytes + used, vectors->length);
	return status;
}

/* A piece of the file, behind what is waiting.  STATUS_NO_MEMORY. */
static Status
append(WordVectors *vectors, const unsigned char *bytes, size_t length)
{
	if (vectors->length + length > vectors->capacity)
	{
		size_t		capacity = vectors->capacity == 0 ? FIRST_WAITING : 2 * vectors->capacity;
		unsigned char *larger;

		if (capacity > MOST_WAITING)
			capacity = MOST_WAITING;
		larger = allocate_array(vectors->caller, capacity, 1);
		if (larger == NULL)
			return STATUS_NO_MEMORY;
		if (vectors->length > 0)
			memcpy(larger, vectors->bytes, vectors->length);
		release(vectors->caller, vectors->bytes);
		vectors->bytes = larger;
		vectors->capacity = capacity;
	}
	memcpy(vectors->bytes + vectors->length, bytes, length);
	vectors->length += length;
	return STATUS_SUCCESS;
}

Status
word_vectors_add(WordVectors *vectors, const void *bytes, size_t length)
{
	const unsigned char *piece = bytes;

	if (vectors->failure == STATUS_SUCCESS && vectors->state == READ_DONE)
		return STATUS_BAD_ARGUMENT;
	while (length > 0 && vectors->failure == STATUS_SUCCESS)
	{
		size_t		n = length < PIECE ? length : PIECE;

		if (stopped(vectors->caller))
			vectors->failure = STATUS_STOPPED;
		else
			vectors->failure = append(vectors, piece, n);
		if (vectors->failure == STATUS_SUCCESS)
			vectors->failure = use_up(vectors, false);
		piece += n;
		length -= n;
	}
	return vectors->failure;
}

/* What can only be said of the whole file. */
static Status
check_end(WordVectors *vectors)
{
	WordVectorsReport *report = &vectors->report;

	if (vectors->state == READ_BINARY && vectors->length > 0)
		return faulty(vectors, WORD_VECTORS_CUT, report->words + 1);
	if (report->header && report->words < report->claimed)
		return faulty(vectors, WORD_VECTORS_COUNT, 0);
	if (vectors->rows.n == 0)
		return faulty(vectors, WORD_VECTORS_EMPTY, 0);
	return STATUS_SUCCESS;
}

Status
word_vectors_finish(WordVectors *vectors, Encoder **encoder)
{
	uint64_t	read;

	*encoder = NULL;
	if (vectors->failure != STATUS_SUCCESS)
		return vectors->failure;
	if (vectors->state == READ_DONE)
		return STATUS_BAD_ARGUMENT;
	vectors->failure = use_up(vectors, true);
	if (vectors->failure == STATUS_SUCCESS)
		vectors->failure = check_end(vectors);
	read = vectors->rows.n;
	if (vectors->failure == STATUS_SUCCESS)
	{
		free_input(vectors);
		vectors->failure = word_rows_finish(&vectors->rows, encoder);
	}
	if (vectors->failure == STATUS_SUCCESS)
	{
		vectors->report.kept = (uint64_t) encoder_words(*encoder);
		vectors->report.duplicates = read - vectors->report.kept;
	}
	vectors->state = READ_DONE;
	return vectors->failure;
}
