/*-------------------------------------------------------------------------
 *
 * word_vectors.h
 *	  Reads the files of GloVe, word2vec and fastText, piece by piece.
 *
 * A file may have many gigabytes; it is handed over in pieces of any length,
 * and what is kept of it are the first max_words words, each with its vector
 * in 16-bit mantissas.  These files stand by falling frequency.
 *
 *	  GloVe				word f f f			a line each, no header
 *	  word2vec text,
 *	  fastText .vec		count dims			header, then lines as GloVe's
 *	  word2vec binary	count dims			header, then: word, a blank, dims
 *											32-bit floats, little-endian, maybe
 *											a line feed
 *
 * Where a line has more than dims + 1 fields, the last dims are the vector
 * and the word has blanks in it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_WORD_VECTORS_H
#define HUMANLOOP_WORD_VECTORS_H

#include "encoder.h"

typedef enum WordVectorsFormat
{
	WORD_VECTORS_ANY = 0,		/* the beginning of the file tells */
	WORD_VECTORS_GLOVE,
	WORD_VECTORS_TEXT,
	WORD_VECTORS_BINARY
} WordVectorsFormat;

typedef struct WordVectorsOptions
{
	WordVectorsFormat format;
	int			max_words;		/* 1 to 2^24 */
	size_t		memory;			/* bytes that it may allocate at most, the
								 * encoder included */
} WordVectorsOptions;

/* What is wrong with a file */
typedef enum WordVectorsFault
{
	WORD_VECTORS_FINE = 0,
	WORD_VECTORS_EMPTY,			/* no word that can be used */
	WORD_VECTORS_PACKED,		/* zip or gzip: to be unpacked first */
	WORD_VECTORS_MODEL,			/* fastText's model, not its vectors (.vec) */
	WORD_VECTORS_HEADER,		/* first line is not two numbers, and must be */
	WORD_VECTORS_DIMS,			/* vectors of no or too many numbers */
	WORD_VECTORS_FIELDS,		/* line with fewer or more fields than others */
	WORD_VECTORS_NUMBER,		/* field that is no number */
	WORD_VECTORS_NOT_FINITE,	/* NaN, infinite, or beyond the range of float */
	WORD_VECTORS_LONG,			/* line or word that does not end */
	WORD_VECTORS_CUT,			/* the file ends inside of a word or its vector */
	WORD_VECTORS_COUNT,			/* fewer or more words than the header says */
	WORD_VECTORS_MEMORY			/* more words than options.memory can hold */
} WordVectorsFault;

/* What has been read so far. */
typedef struct WordVectorsReport
{
	WordVectorsFormat format;	/* WORD_VECTORS_ANY until it is known */
	int			dims;			/* 0 until it is known */
	bool		header;			/* there is one, and ... */
	uint64_t	claimed;		/* ... that is how many words it says */

	/* words: of these ... */
	uint64_t	words;
	uint64_t	kept;			/* (before the end, with duplicates) */
	uint64_t	beyond;			/* max_words */
	uint64_t	duplicates;		/* the first holds; known at the end */
	uint64_t	unusable;		/* not UTF-8, with blanks or controls, empty, or
								 * of more than 128 characters */

	WordVectorsFault fault;
	uint64_t	at;				/* line, or in binary word, from 1 on; 0: of the
								 * file as a whole */
	size_t		needed;			/* WORD_VECTORS_MEMORY: bytes that would do ... */
	int			fitting;		/* ... or words that there is memory for */
} WordVectorsReport;

typedef struct WordVectors WordVectors;

/* Bytes that reading so many words needs at most, with the encoder. */
extern size_t word_vectors_bytes(int words, int dims);

/* STATUS_BAD_ARGUMENT for options out of range, STATUS_NO_MEMORY. */
extern Status word_vectors_start(const Caller *caller, const WordVectorsOptions *options,
								 WordVectors **vectors);

/*
 * The next bytes of the file.  STATUS_CORRUPT with report->fault set;
 * STATUS_NO_MEMORY, with report->fault WORD_VECTORS_MEMORY where it is the
 * limit of the options that is too low; STATUS_STOPPED.  After a failure all
 * that comes fails likewise.
 */
extern Status word_vectors_add(WordVectors *vectors, const void *bytes, size_t length);

/*
 * The file has ended: an encoder of kind ENCODER_WORDS.  Failures as of
 * word_vectors_add; afterwards only the report can be asked for.
 */
extern Status word_vectors_finish(WordVectors *vectors, Encoder **encoder);

extern const WordVectorsReport *word_vectors_report(const WordVectors *vectors);
extern void word_vectors_free(WordVectors *vectors);

#endif							/* HUMANLOOP_WORD_VECTORS_H */
