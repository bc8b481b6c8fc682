/*-------------------------------------------------------------------------
 *
 * charsmap.c
 *	  SentencePiece's normalization, as models carry it.
 *
 * The trie is not checked as a whole: where it leads outside, or to something
 * too long, there is no rule.
 *
 *-------------------------------------------------------------------------
 */
#include "charsmap.h"

#include <string.h>

/* Bits of a unit of the double array */
#define UNIT_IS_VALUE (UINT32_C(1) << 31)
#define UNIT_HAS_VALUE (UINT32_C(1) << 8)
#define UNIT_LABEL (UNIT_IS_VALUE | 0xFF)

/* From a unit's place to that of the units which follow it. */
static inline size_t
unit_offset(uint32_t unit)
{
	return (size_t) (unit >> 10) << (unit >> 9 & 1) * 8;
}

Status
charsmap_make(const Caller *caller, const unsigned char *bytes, size_t length,
			  Charsmap *charsmap)
{
	Reader		reader;
	uint32_t	trie;

	*charsmap = (Charsmap) {0};
	if (length == 0)
		return STATUS_SUCCESS;
	reader_init(&reader, bytes, length);
	trie = read_u32(&reader);
	if (reader.failed || length > CHARSMAP_MAX_BYTES || trie < 4 || trie % 4 != 0 ||
		trie >= reader_left(&reader) || bytes[length - 1] != 0)
		return STATUS_CORRUPT;
	charsmap->units = trie / 4;
	charsmap->unit = allocate_array(caller, charsmap->units, sizeof(uint32_t));
	charsmap->length = reader_left(&reader) - trie;
	charsmap->replacements = allocate_array(caller, charsmap->length, 1);
	if (charsmap->unit == NULL || charsmap->replacements == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < charsmap->units; i++)
		charsmap->unit[i] = read_u32(&reader);
	read_bytes(&reader, charsmap->replacements, charsmap->length);
	return STATUS_SUCCESS;
}

void
charsmap_free(const Caller *caller, Charsmap *charsmap)
{
	release(caller, charsmap->unit);
	release(caller, charsmap->replacements);
	*charsmap = (Charsmap) {0};
}

/* What begins there, up to its zero. */
static bool
take_replacement(const Charsmap *charsmap, size_t begin, const unsigned char **replacement,
				 size_t *length)
{
	size_t		longest = CHARSMAP_MAX_REPLACEMENT + 1;
	const unsigned char *bytes;
	const unsigned char *end;

	if (begin >= charsmap->length)
		return false;
	bytes = charsmap->replacements + begin;
	if (longest > charsmap->length - begin)
		longest = charsmap->length - begin;
	end = memchr(bytes, 0, longest);
	if (end == NULL)
		return false;
	*replacement = bytes;
	*length = (size_t) (end - bytes);
	return true;
}

bool
charsmap_find(const Charsmap *charsmap, const unsigned char *text, size_t length,
			  size_t *consumed, const unsigned char **replacement, size_t *replacement_length)
{
	size_t		longest = length < CHARSMAP_MAX_KEY ? length : CHARSMAP_MAX_KEY;
	size_t		at = 0;
	uint32_t	unit;

	*consumed = 0;
	if (charsmap->units == 0)
		return false;
	at = unit_offset(charsmap->unit[0]);
	for (size_t i = 0; i < longest; i++)
	{
		at ^= text[i];
		if (at >= charsmap->units)
			break;
		unit = charsmap->unit[at];
		if ((unit & UNIT_LABEL) != text[i])
			break;
		at ^= unit_offset(unit);
		if ((unit & UNIT_HAS_VALUE) != 0 && at < charsmap->units)
		{
			size_t		begin = charsmap->unit[at] & ~UNIT_IS_VALUE;

			if (!take_replacement(charsmap, begin, replacement, replacement_length))
				break;
			*consumed = i + 1;
		}
	}
	return *consumed > 0;
}

void
charsmap_write(const Charsmap *charsmap, Writer *writer)
{
	write_u32(writer, charsmap->units == 0 ? 0 :
			  (uint32_t) (4 + 4 * charsmap->units + charsmap->length));
	if (charsmap->units == 0)
		return;
	write_u32(writer, (uint32_t) (4 * charsmap->units));
	for (size_t i = 0; i < charsmap->units; i++)
		write_u32(writer, charsmap->unit[i]);
	write_bytes(writer, charsmap->replacements, charsmap->length);
}

Status
charsmap_read(const Caller *caller, Reader *reader, Charsmap *charsmap)
{
	uint32_t	length = read_u32(reader);

	if (reader->failed || length > reader_left(reader))
		return STATUS_CORRUPT;
	TRY(charsmap_make(caller, reader->bytes + reader->position, length, charsmap));
	reader->position += length;
	return STATUS_SUCCESS;
}
