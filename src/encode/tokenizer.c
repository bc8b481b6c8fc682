/*-------------------------------------------------------------------------
 *
 * tokenizer.c
 *	  The tokenizers of pretrained encoders, whichever it is.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer.h"

void
tokenizer_free(const Caller *caller, Tokenizer *tokenizer)
{
	switch (tokenizer->kind)
	{
		case TOKENIZER_NONE:
			break;
		case TOKENIZER_WORDPIECE:
			wordpiece_free(caller, tokenizer->wordpiece);
			break;
		case TOKENIZER_BYTE_PAIR:
			byte_pair_free(caller, tokenizer->byte_pair);
			break;
		case TOKENIZER_UNIGRAM:
			unigram_free(caller, tokenizer->unigram);
			break;
	}
	*tokenizer = (Tokenizer) {.kind = TOKENIZER_NONE};
}

uint32_t
tokenizer_ids(const Tokenizer *tokenizer)
{
	switch (tokenizer->kind)
	{
		case TOKENIZER_NONE:
			break;
		case TOKENIZER_WORDPIECE:
			return wordpiece_ids(tokenizer->wordpiece);
		case TOKENIZER_BYTE_PAIR:
			return byte_pair_ids(tokenizer->byte_pair);
		case TOKENIZER_UNIGRAM:
			return unigram_ids(tokenizer->unigram);
	}
	return 0;
}

Status
tokenizer_encode(const Tokenizer *tokenizer, const Caller *caller, const char *utf8,
				 size_t length, uint32_t *ids, int room, int *count)
{
	*count = 0;
	switch (tokenizer->kind)
	{
		case TOKENIZER_NONE:
			break;
		case TOKENIZER_WORDPIECE:
			return wordpiece_encode(tokenizer->wordpiece, caller, utf8, length, ids, room, count);
		case TOKENIZER_BYTE_PAIR:
			return byte_pair_encode(tokenizer->byte_pair, caller, utf8, length, ids, room, count);
		case TOKENIZER_UNIGRAM:
			return unigram_encode(tokenizer->unigram, caller, utf8, length, ids, room, count);
	}
	return STATUS_BAD_ARGUMENT;
}

void
tokenizer_write(const Tokenizer *tokenizer, Writer *writer)
{
	write_u32(writer, (uint32_t) tokenizer->kind);
	switch (tokenizer->kind)
	{
		case TOKENIZER_NONE:
			break;
		case TOKENIZER_WORDPIECE:
			wordpiece_write(tokenizer->wordpiece, writer);
			break;
		case TOKENIZER_BYTE_PAIR:
			byte_pair_write(tokenizer->byte_pair, writer);
			break;
		case TOKENIZER_UNIGRAM:
			unigram_write(tokenizer->unigram, writer);
			break;
	}
}

Status
tokenizer_read(const Caller *caller, Reader *reader, Tokenizer *tokenizer)
{
	uint32_t	kind = read_u32(reader);
	Status		status = STATUS_CORRUPT;

	*tokenizer = (Tokenizer) {.kind = TOKENIZER_NONE};
	if (kind == TOKENIZER_WORDPIECE)
		status = wordpiece_read(caller, reader, &tokenizer->wordpiece);
	else if (kind == TOKENIZER_BYTE_PAIR)
		status = byte_pair_read(caller, reader, &tokenizer->byte_pair);
	else if (kind == TOKENIZER_UNIGRAM)
		status = unigram_read(caller, reader, &tokenizer->unigram);
	if (status == STATUS_SUCCESS)
		tokenizer->kind = (TokenizerKind) kind;
	return status;
}

const char *
tokenizer_complaint(TokenizerFault fault, FaultPlace *place)
{
	static const struct
	{
		FaultPlace	place;
		const char *words;
	}			complaints[] = {
		[FAULT_NONE] = {FAULT_OF_ALL, "nothing is wrong"},
		[FAULT_OPTIONS] = {FAULT_OF_ALL, "an option of the tokenizer is out of range"},
		[FAULT_TOO_MANY] = {FAULT_OF_ALL, "the vocabulary is empty or too large"},
		[FAULT_EMPTY] = {FAULT_OF_PIECE, "is an empty piece of the vocabulary"},
		[FAULT_LONG] = {FAULT_OF_PIECE, "is too long for a piece of the vocabulary"},
		[FAULT_ID] = {FAULT_OF_PIECE, "has a number that is out of range"},
		[FAULT_TWICE] = {FAULT_OF_PIECE, "is in the vocabulary twice"},
		[FAULT_ID_TWICE] = {FAULT_OF_PIECE, "has the number of another piece"},
		[FAULT_NO_UNKNOWN] = {FAULT_OF_ALL, "no piece has the number of the unknown one"},
		[FAULT_CROWDED] = {FAULT_OF_ALL, "the vocabulary fits into no table"},
		[FAULT_NO_BYTES] = {FAULT_OF_ALL, "no piece of the vocabulary is a single byte"},
		[FAULT_MERGES] = {FAULT_OF_ALL, "there are too many merges"},
		[FAULT_MERGE_PART] = {FAULT_OF_MERGE, "is a merge of what is not in the vocabulary"},
		[FAULT_MERGE_WHOLE] = {FAULT_OF_MERGE, "is a merge to what is not in the vocabulary"},
		[FAULT_MERGE_TWICE] = {FAULT_OF_MERGE, "is a merge that is there twice"},
		[FAULT_SCORE] = {FAULT_OF_PIECE, "has a score that is infinite or not a number"},
		[FAULT_CHARSMAP] = {FAULT_OF_ALL, "the rules of normalization are damaged"}
	};

	*place = complaints[fault].place;
	return complaints[fault].words;
}
