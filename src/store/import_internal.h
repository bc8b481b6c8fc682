/*-------------------------------------------------------------------------
 *
 * import_internal.h
 *	  What the importers of files share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_IMPORT_INTERNAL_H
#define HUMANLOOP_IMPORT_INTERNAL_H

#include "encode/tokenizer.h"
#include "store/import.h"
#include "store/json_tree.h"

/* A tokenizer, and the numbers of what surrounds a text. */
typedef struct ImportedTokenizer
{
	Tokenizer	tokenizer;
	uint32_t	first;
	uint32_t	last;
	bool		lower_case;		/* capitals are as small letters to it */
} ImportedTokenizer;

/*
 * From tokenizer.json, else vocab.txt (BERT), else vocab.json and merges.txt
 * (RoBERTa).  The tokenizer is made in the caller's memory.
 */
extern void import_tokenizer(EncoderFiles *files, const Caller *caller, ImportedTokenizer *result);

/* Errors.  what and given are in the database's encoding, as printable() makes it. */
extern void import_bad_file(const char *file, const char *what);
extern void import_not_supported(const char *file, const char *what, const char *given,
								 const char *hint);
extern void import_need_file(const EncoderFiles *files, const char *name);

/* Of somebody's bytes, at most 100 in ASCII: names may be anything. */
extern char *import_printable(const char *name);

/* A JSON file; NULL: there is none of that name. */
extern JsonNode *import_json(EncoderFiles *files, const char *name);

#define IMPORT_MOST_JSON (256 * 1024 * 1024)

#endif							/* HUMANLOOP_IMPORT_INTERNAL_H */
