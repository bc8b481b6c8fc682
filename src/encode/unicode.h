/*-------------------------------------------------------------------------
 *
 * unicode.h
 *	  UTF-8 to folded, composed code points with a class.
 *
 * Text that means the same should give the same features: case, width,
 * ligatures and the order of accents are folded away (NFKC_Casefold, Unicode
 * Standard, section 3.13), whichever way the text was typed.  The tables are
 * our own and pinned to one Unicode version: the C library's locale tables
 * change with the system, and an encoder must give the same bytes on a
 * replica and after an upgrade.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_UNICODE_H
#define HUMANLOOP_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum CharacterClass
{
	CLASS_OTHER = 0,			/* punctuation, symbols, unassigned */
	CLASS_SPACE,				/* white space, controls, invalid bytes */
	CLASS_LETTER,				/* letters and the underscore's kin */
	CLASS_NUMBER,
	CLASS_MARK,					/* belongs to what it follows */
	CLASS_UNSPACED				/* scripts without spaces between words, and
								 * pictographs: each is a word of its own */
} CharacterClass;

/* A folded code point with its class in the upper bits */
typedef uint32_t FoldedChar;

#define FOLDED_CLASS_SHIFT 24
#define FOLDED_SPACE ((FoldedChar) ' ' | (FoldedChar) CLASS_SPACE << FOLDED_CLASS_SHIFT)

static inline uint32_t
folded_code_point(FoldedChar folded)
{
	return folded & 0x1FFFFF;
}

static inline CharacterClass
folded_class(FoldedChar folded)
{
	return (CharacterClass) (folded >> FOLDED_CLASS_SHIFT);
}

/* A starter and its marks; longer sequences are composed in pieces */
#define FOLD_SEGMENT 32

/* fold_text needs at least so much room to make progress */
#define FOLD_MIN_ROOM 256

/* Where the folding of one text stands. */
typedef struct Folder
{
	const unsigned char *text;
	size_t		length;
	size_t		position;		/* of the next byte */
	int			held;			/* code points in segment */
	FoldedChar	segment[FOLD_SEGMENT];
	uint8_t		combining[FOLD_SEGMENT];	/* their combining classes */
} Folder;

extern void folder_init(Folder *folder, const char *utf8, size_t length);

/* Has all of the text been folded and written out? */
static inline bool
folder_ended(const Folder *folder)
{
	return folder->position == folder->length && folder->held == 0;
}

/*
 * Writes the next folded code points, at most room (>= FOLD_MIN_ROOM), to
 * out; returns how many.  Looks at no more than room bytes a call, so that
 * the caller can ask whether to go on; may return 0 before the end.
 */
extern size_t fold_text(Folder *folder, FoldedChar *out, size_t room);

/*
 * Decodes the code point at *position of length bytes (*position < length)
 * and moves on behind it.  False, one byte further, where the bytes are not
 * well-formed UTF-8 (Unicode Standard, table 3-7).
 */
extern bool decode_utf8(const unsigned char *text, size_t length, size_t *position,
						uint32_t *code_point);

/* The class of a code point as it is written, before it is folded. */
extern CharacterClass character_class(uint32_t code_point);

/*
 * The rest is for pretrained encoders, whose tokenizers do not fold: they
 * take the general category, the canonical decomposition and the small
 * letter of a code point, each by itself.
 */
typedef enum GeneralClass
{
	GENERAL_OTHER = 0,
	GENERAL_SPACE,				/* White_Space, and no control but TAB, LF, CR */
	GENERAL_CONTROL,			/* Cc, Cf, Co, surrogates */
	GENERAL_MARK,				/* Mn */
	GENERAL_PUNCTUATION,		/* P*, and all ASCII symbols */
	GENERAL_LETTER,				/* L* */
	GENERAL_NUMBER				/* N* */
} GeneralClass;

extern GeneralClass general_class(uint32_t code_point);

/* White_Space, with the controls among it: VT, FF, NEL. */
extern bool white_space(uint32_t code_point);

/* The longest of a code point in Unicode 14 */
#define MAX_DECOMPOSITION 4

/* NFD of one code point: 1 to MAX_DECOMPOSITION code points, how many. */
extern int	decompose(uint32_t code_point, uint32_t *out);

/*
 * Small letters of a code point, whatever surrounds it: 1 or 2 code points
 * (2 of the capital I with a dot, U+0130), how many.
 */
extern int	lower_case(uint32_t code_point, uint32_t *out);

#endif							/* HUMANLOOP_UNICODE_H */
