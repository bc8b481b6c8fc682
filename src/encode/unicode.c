/*-------------------------------------------------------------------------
 *
 * unicode.c
 *	  UTF-8 to folded, composed code points with a class.
 *
 * Each code point is replaced by its NFKC_Casefold mapping in canonical
 * decomposition; a starter and the marks that follow it are collected in a
 * segment, put into canonical order and composed again (Unicode Standard,
 * section 3.11).  So composed and decomposed text come out equal, with one
 * code point for what a reader calls one letter wherever Unicode has one.
 * Plain ASCII, which is most of most texts, takes a short cut.
 *
 *-------------------------------------------------------------------------
 */
#include "unicode.h"

typedef struct CharacterRecord
{
	uint16_t	at;				/* of the mapping in the pool; 0: itself */
	uint8_t		length;			/* of the mapping; 0: the character vanishes */
	uint8_t		combining;		/* canonical combining class */
	uint8_t		class;
} CharacterRecord;

/* Of a code point that is not folded */
typedef struct PlainRecord
{
	uint16_t	at;				/* of the decomposition in the pool; 0: itself */
	uint8_t		length;			/* of the decomposition */
	uint8_t		general;		/* GeneralClass */
	int32_t		lower;			/* distance to the small letter */
} PlainRecord;

typedef struct CompositionPair
{
	uint32_t	first;
	uint32_t	second;
	uint32_t	composite;
} CompositionPair;

#include "unicode_tables.h"

/* The longest mapping has 18 code points */
#define FOLD_MARGIN (2 * FOLD_SEGMENT + 32)

#define HANGUL_L 0x1100
#define HANGUL_L_COUNT 19
#define HANGUL_V 0x1161
#define HANGUL_V_COUNT 21
#define HANGUL_T 0x11A7			/* one before the first trailing consonant */
#define HANGUL_T_COUNT 28
#define HANGUL_S 0xAC00
#define HANGUL_S_COUNT (HANGUL_L_COUNT * HANGUL_V_COUNT * HANGUL_T_COUNT)

static const CharacterRecord beyond_table = {0, 1, 0, CLASS_OTHER};
static const CharacterRecord ignorable = {0, 0, 0, CLASS_OTHER};

/* The properties of a code point. */
static inline const CharacterRecord *
character_record(uint32_t code_point)
{
	uint32_t	block;

	if (code_point >= UNICODE_TABLES_END)
		return code_point >= 0xE0000 && code_point < 0xE1000 ? &ignorable : &beyond_table;
	block = unicode_blocks[code_point >> UNICODE_BLOCK_SHIFT];
	return &unicode_records[unicode_record_of[block]
							[code_point & ((1 << UNICODE_BLOCK_SHIFT) - 1)]];
}

/* A code point with its class; all white space is one kind of space. */
static inline FoldedChar
folded(uint32_t code_point, const CharacterRecord *record)
{
	if (record->class == CLASS_SPACE)
		return FOLDED_SPACE;
	return code_point | (FoldedChar) record->class << FOLDED_CLASS_SHIFT;
}

/* The primary composite of two code points, or 0. */
static uint32_t
compose(uint32_t first, uint32_t second)
{
	size_t		low = 0;
	size_t		high = sizeof(unicode_pairs) / sizeof(unicode_pairs[0]);

	if (first - HANGUL_L < HANGUL_L_COUNT && second - HANGUL_V < HANGUL_V_COUNT)
		return HANGUL_S +
			((first - HANGUL_L) * HANGUL_V_COUNT + second - HANGUL_V) * HANGUL_T_COUNT;
	if (first - HANGUL_S < HANGUL_S_COUNT && (first - HANGUL_S) % HANGUL_T_COUNT == 0 &&
		second - HANGUL_T - 1 < HANGUL_T_COUNT - 1)
		return first + second - HANGUL_T;
	while (low < high)
	{
		size_t		middle = (low + high) / 2;
		const CompositionPair *pair = &unicode_pairs[middle];

		if (pair->first < first || (pair->first == first && pair->second < second))
			low = middle + 1;
		else if (pair->first == first && pair->second == second)
			return pair->composite;
		else
			high = middle;
	}
	return 0;
}

/*
 * Canonical order and composition of the held segment, in place: marks are
 * sorted by combining class, equal classes keep their order; each that is not
 * blocked by a mark of the same class is merged into the starter if there is
 * such a character.  At the beginning of a text there may be no starter.
 */
static void
compose_segment(Folder *folder)
{
	int			marks = folder->combining[0] == 0 ? 1 : 0;
	int			kept = 1;

	for (int i = marks + 1; i < folder->held; i++)
	{
		FoldedChar	mark = folder->segment[i];
		uint8_t		combining = folder->combining[i];
		int			j = i;

		while (j > marks && folder->combining[j - 1] > combining)
		{
			folder->segment[j] = folder->segment[j - 1];
			folder->combining[j] = folder->combining[j - 1];
			j--;
		}
		folder->segment[j] = mark;
		folder->combining[j] = combining;
	}
	for (int i = 1; i < folder->held; i++)
	{
		bool		blocked = kept > 1 &&
			folder->combining[kept - 1] == folder->combining[i];
		uint32_t	composite = 0;

		if (!blocked && folder->combining[0] == 0)
			composite = compose(folded_code_point(folder->segment[0]),
								folded_code_point(folder->segment[i]));
		if (composite != 0)
			folder->segment[0] = folded(composite, character_record(composite));
		else
		{
			folder->segment[kept] = folder->segment[i];
			folder->combining[kept++] = folder->combining[i];
		}
	}
	folder->held = kept;
}

/* Writes out what is held; returns how many code points that were. */
static size_t
flush_segment(Folder *folder, FoldedChar *out)
{
	size_t		count;

	if (folder->held > 1)
		compose_segment(folder);
	count = (size_t) folder->held;
	for (size_t i = 0; i < count; i++)
		out[i] = folder->segment[i];
	folder->held = 0;
	return count;
}

/*
 * Takes one code point of a decomposition into the segment; returns how many
 * code points had to leave it for out.  A starter can merge with the starter
 * just before it: Hangul, and the vowel signs of some Indian scripts.
 */
static size_t
hold(Folder *folder, uint32_t code_point, FoldedChar *out)
{
	const CharacterRecord *record = character_record(code_point);
	size_t		written = 0;

	if (folder->held == FOLD_SEGMENT)
		written = flush_segment(folder, out);
	else if (record->combining == 0 && folder->held > 0)
	{
		if (record->class == CLASS_MARK || code_point - HANGUL_V < 0x100)
		{
			if (folder->held > 1)
				compose_segment(folder);
			if (folder->held == 1 && folder->combining[0] == 0)
			{
				uint32_t	composite = compose(folded_code_point(folder->segment[0]),
												code_point);

				if (composite != 0)
				{
					folder->segment[0] = folded(composite, character_record(composite));
					return 0;
				}
			}
		}
		written = flush_segment(folder, out);
	}
	folder->segment[folder->held] = folded(code_point, record);
	folder->combining[folder->held++] = record->combining;
	return written;
}

bool
decode_utf8(const unsigned char *text, size_t length, size_t *position,
			uint32_t *code_point)
{
	const unsigned char *p = text + *position;
	size_t		left = length - *position;
	unsigned char first = p[0];
	size_t		bytes = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	uint32_t	value = bytes == 1 ? first : first & (0x7Fu >> bytes);
	static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};

	++*position;
	if (bytes == 1)
	{
		*code_point = first;
		return true;
	}
	if (first < 0xC2 || first > 0xF4 || bytes > left)
		return false;
	for (size_t i = 1; i < bytes; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return false;
		value = value << 6 | (p[i] & 0x3F);
	}
	if (value < smallest[bytes] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
		return false;
	*position += bytes - 1;
	*code_point = value;
	return true;
}

/* The same as folded() of the mapping, for ASCII. */
static inline FoldedChar
folded_ascii(unsigned char c)
{
	const CharacterRecord *record = &unicode_records[unicode_record_of[0][c]];

	if (record->at != 0)
		return (FoldedChar) (c + 'a' - 'A') | (FoldedChar) CLASS_LETTER << FOLDED_CLASS_SHIFT;
	return folded(c, record);
}

void
folder_init(Folder *folder, const char *utf8, size_t length)
{
	folder->text = (const unsigned char *) utf8;
	folder->length = length;
	folder->position = 0;
	folder->held = 0;
}

/*
 * Folds on until out is nearly full, enough has been read, or the text ends.
 * One code point of input can flush a full segment and add those of its own
 * mapping, and the end of the text another segment: hence the margin.
 */
size_t
fold_text(Folder *folder, FoldedChar *out, size_t room)
{
	size_t		written = 0;
	size_t		full = room - FOLD_MARGIN;
	size_t		end = folder->length;

	if (end - folder->position > room)
		end = folder->position + room;
	while (folder->position < end && written < full)
	{
		const unsigned char *p = folder->text + folder->position;
		uint32_t	code_point;

		/* ASCII before ASCII: nothing can be merged into it */
		if (folder->held == 0 && p[0] < 0x80 &&
			folder->position + 1 < folder->length && p[1] < 0x80)
		{
			out[written++] = folded_ascii(p[0]);
			folder->position++;
		}
		else if (decode_utf8(folder->text, folder->length, &folder->position, &code_point))
		{
			const CharacterRecord *record = character_record(code_point);

			if (record->at == 0 && record->length == 1)
				written += hold(folder, code_point, out + written);
			else
				for (int i = 0; i < record->length; i++)
					written += hold(folder, unicode_pool[record->at + i], out + written);
		}
		else
		{
			written += flush_segment(folder, out + written);
			out[written++] = FOLDED_SPACE;
		}
	}
	if (folder->position == folder->length)
		written += flush_segment(folder, out + written);
	return written;
}

CharacterClass
character_class(uint32_t code_point)
{
	return (CharacterClass) character_record(code_point)->class;
}

/* The properties of a code point below the end of the tables. */
static inline const PlainRecord *
plain_record(uint32_t code_point)
{
	uint32_t	block = plain_blocks[code_point >> UNICODE_BLOCK_SHIFT];

	return &plain_records[plain_record_of[block]
						  [code_point & ((1 << UNICODE_BLOCK_SHIFT) - 1)]];
}

/* Beyond the tables: tags, variation selectors, private use, unassigned. */
GeneralClass
general_class(uint32_t code_point)
{
	if (code_point < UNICODE_TABLES_END)
		return (GeneralClass) plain_record(code_point)->general;
	if (code_point >= 0xE0100 && code_point <= 0xE01EF)
		return GENERAL_MARK;
	if (code_point == 0xE0001 || (code_point >= 0xE0020 && code_point <= 0xE007F) ||
		(code_point >= 0xF0000 && (code_point & 0xFFFF) < 0xFFFE))
		return GENERAL_CONTROL;
	return GENERAL_OTHER;
}

bool
white_space(uint32_t code_point)
{
	return code_point == 0x0B || code_point == 0x0C || code_point == 0x85 ||
		general_class(code_point) == GENERAL_SPACE;
}

/* Hangul syllables come apart by arithmetic (Unicode Standard, section 3.12). */
int
decompose(uint32_t code_point, uint32_t *out)
{
	const PlainRecord *record;

	out[0] = code_point;
	if (code_point >= UNICODE_TABLES_END)
		return 1;
	if (code_point - HANGUL_S < HANGUL_S_COUNT)
	{
		uint32_t	syllable = code_point - HANGUL_S;

		out[0] = HANGUL_L + syllable / (HANGUL_V_COUNT * HANGUL_T_COUNT);
		out[1] = HANGUL_V + syllable / HANGUL_T_COUNT % HANGUL_V_COUNT;
		out[2] = HANGUL_T + syllable % HANGUL_T_COUNT;
		return syllable % HANGUL_T_COUNT == 0 ? 2 : 3;
	}
	record = plain_record(code_point);
	if (record->at != 0)
		for (int i = 0; i < record->length; i++)
			out[i] = plain_pool[record->at + i];
	return record->length;
}

int
lower_case(uint32_t code_point, uint32_t *out)
{
	out[0] = code_point;
	if (code_point < UNICODE_TABLES_END)
		out[0] += (uint32_t) plain_record(code_point)->lower;
	if (code_point != 0x130)
		return 1;
	out[1] = 0x307;				/* the dot above */
	return 2;
}
