/*-------------------------------------------------------------------------
 *
 * packed_terms.c
 *	  The sparse part of a row in few bytes, as it is stored beside the dense.
 *
 *-------------------------------------------------------------------------
 */
#include "encode_combined.h"

/*
 * The packed form of a row's terms: for each the distance from the one before
 * (from -1 at first), doubled, plus one where a byte with the count follows;
 * seven bits a byte, the lowest first.  An empty row is an empty string.
 */
size_t
terms_bound(const Encoding *encoding)
{
	return (size_t) encoding->terms * 6;
}

size_t
terms_pack(const Encoding *encoding, unsigned char *bytes)
{
	size_t		length = 0;
	uint32_t	next = 0;

	for (int i = 0; i < encoding->terms; i++)
	{
		bool		several = encoding->count[i] > 1;
		uint32_t	value = (encoding->index[i] - next) << 1 | several;

		while (value >= 0x80)
		{
			bytes[length++] = (unsigned char) (value | 0x80);
			value >>= 7;
		}
		bytes[length++] = (unsigned char) value;
		if (several)
			bytes[length++] = encoding->count[i];
		next = encoding->index[i] + 1;
	}
	return length;
}

/* Reads one number of at most five bytes; false where there is none. */
static bool
read_packed(const unsigned char *bytes, size_t length, size_t *position, uint32_t *value)
{
	uint32_t	result = 0;

	for (int shift = 0; shift <= 28 && *position < length; shift += 7)
	{
		unsigned char byte = bytes[(*position)++];

		if (shift == 28 && byte > 0x0F)
			return false;
		result |= (uint32_t) (byte & 0x7F) << shift;
		if (byte < 0x80)
		{
			*value = result;
			return true;
		}
	}
	return false;
}

/* Weights from counts, of a text encoder or of each in a combination. */
static void
weigh(const Encoder *encoder, Encoding *encoding)
{
	if (encoder->kind == ENCODER_COMBINED)
		combination_weigh_terms(encoder, encoding);
	else
		text_weigh_terms(encoder, encoding, 0, encoding->terms, 0);
}

/*
 * Restores index, count and weight of a packed row.  STATUS_CORRUPT where the
 * bytes are not such a row of this encoder, STATUS_NO_MEMORY,
 * STATUS_BAD_ARGUMENT for an encoder without a sparse stage.
 */
Status
terms_unpack(const Encoder *encoder, const unsigned char *bytes, size_t length,
			 Encoding *encoding)
{
	size_t		position = 0;
	int			terms = 0;
	uint64_t	next = 0;

	if (encoder->kind != ENCODER_TEXT && encoder->vocabulary == 0)
		return STATUS_BAD_ARGUMENT;
	encoding->terms = 0;
	if (length / 6 > (size_t) encoder->vocabulary)
		return STATUS_CORRUPT;

	/* a term takes at least a byte, and none comes twice */
	TRY(encoding_room(encoding, length < (size_t) encoder->vocabulary ?
						(int) length : encoder->vocabulary));
	while (position < length)
	{
		uint32_t	value;
		uint8_t		count = 1;

		if (!read_packed(bytes, length, &position, &value))
			return STATUS_CORRUPT;
		next += value >> 1;
		if (value & 1)
		{
			if (position == length || bytes[position] < 2)
				return STATUS_CORRUPT;
			count = bytes[position++];
		}
		if (next >= (uint64_t) encoder->vocabulary)
			return STATUS_CORRUPT;
		encoding->index[terms] = (uint32_t) next++;
		encoding->count[terms++] = count;
	}
	encoding->terms = terms;
	weigh(encoder, encoding);
	return STATUS_SUCCESS;
}
