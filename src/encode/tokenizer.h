/*-------------------------------------------------------------------------
 *
 * tokenizer.h
 *	  The tokenizers of pretrained encoders: text to the numbers of pieces.
 *
 * A pretrained encoder knows its pieces by number only, so that a tokenizer
 * has to do what its makers did, odd or not.  Each kind is made by its own
 * functions; whoever uses one does not ask which it is.
 *
 *	  wordpiece.h	BERT, MiniLM, DistilBERT
 *	  byte_pair.h	RoBERTa
 *	  unigram.h		XLM-RoBERTa
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TOKENIZER_H
#define HUMANLOOP_TOKENIZER_H

#include "byte_pair.h"
#include "unigram.h"
#include "wordpiece.h"

/* Stored: numbers stay as they are. */
typedef enum TokenizerKind
{
	TOKENIZER_NONE = 0,			/* nothing to free */
	TOKENIZER_WORDPIECE = 1,
	TOKENIZER_BYTE_PAIR = 2,
	TOKENIZER_UNIGRAM = 3
} TokenizerKind;

typedef struct Tokenizer
{
	TokenizerKind kind;
	union
	{
		WordPiece  *wordpiece;
		BytePair   *byte_pair;
		Unigram    *unigram;
	};
} Tokenizer;

extern void tokenizer_free(const Caller *caller, Tokenizer *tokenizer);

/* One more than the highest number that comes out. */
extern uint32_t tokenizer_ids(const Tokenizer *tokenizer);

/*
 * The numbers of the first pieces of a UTF-8 text, at most room of them, to
 * ids; how many to *count.  Reads no further than it needs to.  Any bytes
 * are a text; names of special tokens in it ("[SEP]") are text like any
 * other.  STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status tokenizer_encode(const Tokenizer *tokenizer, const Caller *caller,
							   const char *utf8, size_t length,
							   uint32_t *ids, int room, int *count);

/*
 * Stored form, of any length: the kind, and what it has.  Reading:
 * STATUS_CORRUPT, STATUS_NO_MEMORY, STATUS_STOPPED, and nothing to free.
 */
extern void tokenizer_write(const Tokenizer *tokenizer, Writer *writer);
extern Status tokenizer_read(const Caller *caller, Reader *reader, Tokenizer *tokenizer);

/* What the place is that comes with a fault. */
typedef enum FaultPlace
{
	FAULT_OF_ALL,				/* none */
	FAULT_OF_PIECE,				/* an entry's index: it "is too long" */
	FAULT_OF_MERGE				/* a merge's */
} FaultPlace;

/* The fault in words, which, if it has a place, follow what is there. */
extern const char *tokenizer_complaint(TokenizerFault fault, FaultPlace *place);

#endif							/* HUMANLOOP_TOKENIZER_H */
