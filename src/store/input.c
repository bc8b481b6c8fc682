/*-------------------------------------------------------------------------
 *
 * input.c
 *	  The inputs of a row: from values of the server to what encoders take.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "store/caller.h"
#include "store/input.h"
#include "store/session.h"

#define PIECE_BYTES 8192		/* of UTF8 at a time */

#define HASH_OF_MISSING UINT64CONST(0x6d697373696e67)	/* any number */

/*
 * Some encodings take characters that Unicode has not, as 0x81 in WIN1252: a byte
 * stands for each, as one bad row must not end a scan.
 */
static void
to_utf8(const char *text, int length, char instead, StringInfo utf8)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	unsigned char piece[PIECE_BYTES];

	if (!OidIsValid(conversion))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("texts of encoding \"%s\" cannot be converted to UTF8",
						pg_encoding_to_char(encoding))));
	initStringInfo(utf8);
	while (length > 0)
	{
		int			taken = pg_do_encoding_conversion_buf(conversion, encoding, PG_UTF8,
														  (unsigned char *) text, length,
														  piece, sizeof(piece), true);

		appendStringInfoString(utf8, (char *) piece);
		/* it stops before such a character, and where the piece is full */
		if (taken == 0)
		{
			appendStringInfoChar(utf8, instead);
			taken = Min(pg_mblen(text), length);
		}
		text += taken;
		length -= taken;
		interrupts_check();
	}
}

const char *
text_as_utf8(const char *text, size_t *length, char instead)
{
	StringInfoData utf8;

	/* bytes of an SQL_ASCII database are taken as they are */
	if (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII)
		return text;
	to_utf8(text, (int) *length, instead, &utf8);
	*length = (size_t) utf8.len;
	return utf8.data;
}

/* What Unicode has not separates, like bytes that are no characters at all. */
Input
input_from_text(Datum datum)
{
	text	   *value = DatumGetTextPP(datum);
	Input		input = {0};

	input.length = VARSIZE_ANY_EXHDR(value);
	input.text = text_as_utf8(VARDATA_ANY(value), &input.length, ' ');
	return input;
}

/* float4[] to numbers, NULL as NaN. */
Input
input_from_array(Datum array)
{
	ArrayType  *value = DatumGetArrayTypeP(array);
	Input		input = {0};
	Datum	   *elements;
	bool	   *nulls;
	float	   *vector;

	/* no vector, and of no project's length: one bad row must not end a scan */
	if (ARR_NDIM(value) > 1)
	{
		input.vector = palloc0(sizeof(float));
		return input;
	}
	deconstruct_array(value, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT,
					  &elements, &nulls, &input.n);
	vector = palloc_array_checked(float, input.n);
	for (int i = 0; i < input.n; i++)
		vector[i] = nulls[i] ? NAN : DatumGetFloat4(elements[i]);
	input.vector = vector;
	return input;
}

Input
input_from_value(Datum value, InputKind kind)
{
	return kind == INPUT_TEXT ? input_from_text(value) : input_from_array(value);
}

bool
input_missing(const Input *input)
{
	while (input != NULL && input->missing)
		input = input->next;
	return input == NULL;
}

static uint64
hash_one(const Input *input)
{
	if (input->missing)
		return HASH_OF_MISSING;
	if (input->vector != NULL)
		return hash_bytes_extended((const unsigned char *) input->vector,
								   input->n * (int) sizeof(float), 1);
	return hash_bytes_extended((const unsigned char *) input->text, (int) input->length, 2);
}

/* Of a single input it is what 0.1.0 has stored. */
uint64
input_hash(const Input *input)
{
	uint64		hash = hash_one(input);

	for (input = input->next; input != NULL; input = input->next)
		hash = hash_combine64(hash, hash_one(input));
	return hash == 0 ? 1 : hash;
}

const Input *
input_nth(const Input *first, int index)
{
	while (first != NULL && index-- > 0)
		first = first->next;
	return first;
}

size_t
input_bytes(const Input *input)
{
	return input->vector != NULL ? input->n * sizeof(float) : input->length;
}

const void *
input_content(const Input *input)
{
	return input->vector != NULL ? (const void *) input->vector : input->text;
}

void
input_set_content(Input *input, const void *content)
{
	if (input->vector != NULL)
		input->vector = content;
	else
		input->text = content;
}

Input *
input_copy(const Input *input)
{
	Input	   *copy = palloc(sizeof(Input));

	*copy = *input;
	if (!input->missing)
	{
		void	   *content = palloc_array_checked(char, input_bytes(input));

		memcpy(content, input_content(input), input_bytes(input));
		input_set_content(copy, content);
	}
	if (input->next != NULL)
		copy->next = input_copy(input->next);
	return copy;
}

void
input_free(Input *input)
{
	while (input != NULL)
	{
		Input	   *next = unconstify(Input *, input->next);

		if (!input->missing)
			pfree(unconstify(void *, input_content(input)));
		pfree(input);
		input = next;
	}
}

size_t
input_memory(const Input *input)
{
	size_t		memory = 0;

	for (; input != NULL; input = input->next)
		memory += sizeof(Input) + input_bytes(input) + 4 * sizeof(Size);
	return memory;
}
