/*-------------------------------------------------------------------------
 *
 * wordpiece.h
 *	  BERT's tokenizer: text to the numbers of pieces of words.
 *
 * First the text is cleaned: controls are dropped, accents stripped (canonical
 * decomposition without its nonspacing marks), capitals made small, and it is
 * split at white space, around each punctuation character and around each
 * Chinese one.  Then each word is cut into the longest pieces that the
 * vocabulary has, from the left; a piece that continues a word is in the
 * vocabulary with a prefix, "##" (Wu et al., "Google's neural machine
 * translation system", 2016; Devlin et al., "BERT", NAACL 2019).
 *
 * A pretrained encoder knows its pieces by number only, so that every step
 * here has to be what its makers did, odd or not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_WORDPIECE_H
#define HUMANLOOP_WORDPIECE_H

#include "vocabulary.h"

/* Longest prefix in bytes, and most characters that options.max_word allows */
#define WORDPIECE_MAX_PREFIX 16
#define WORDPIECE_MAX_WORD 256

typedef struct WordPieceOptions
{
	bool		lower_case;
	bool		strip_accents;
	bool		split_cjk;		/* each Chinese character is a word */
	const char *prefix;			/* of pieces that continue a word: "##" */
	size_t		prefix_length;
	uint32_t	unknown;		/* number of what stands for a word of which
								 * some part is not in the vocabulary */
	int			max_word;		/* a word of more characters is unknown: 100 */
} WordPieceOptions;

typedef struct WordPiece WordPiece;

/*
 * Makes a tokenizer of n entries, which are copied.  STATUS_BAD_ARGUMENT
 * with *fault set and, where it is about an entry, *at the entry;
 * STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status wordpiece_make(const Caller *caller, const WordPieceOptions *options,
							 const PieceEntry *entries, size_t n,
							 WordPiece **wordpiece, TokenizerFault *fault, size_t *at);
extern void wordpiece_free(const Caller *caller, WordPiece *wordpiece);

/* One more than the highest number of a piece. */
extern uint32_t wordpiece_ids(const WordPiece *wordpiece);

/*
 * The numbers of the first pieces of a UTF-8 text, at most room of them, to
 * ids; how many to *count.  Reads no further than it needs to.  Invalid
 * bytes separate words.  Names of special tokens in the text ("[SEP]") are
 * text like any other.  STATUS_STOPPED.
 */
extern Status wordpiece_encode(const WordPiece *wordpiece, const Caller *caller,
							   const char *utf8, size_t length,
							   uint32_t *ids, int room, int *count);

/* Stored form, of any length; reading: STATUS_CORRUPT, STATUS_NO_MEMORY. */
extern void wordpiece_write(const WordPiece *wordpiece, Writer *writer);
extern Status wordpiece_read(const Caller *caller, Reader *reader, WordPiece **wordpiece);

#endif							/* HUMANLOOP_WORDPIECE_H */
