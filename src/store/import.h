/*-------------------------------------------------------------------------
 *
 * import.h
 *	  From somebody's files to an encoder.
 *
 *	  import_transformer.c	config.json, tokenizer.json or vocab.txt, safetensors
 *	  import_words.c		vectors of words, in one file
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_IMPORT_H
#define HUMANLOOP_IMPORT_H

#include "encode/encoder.h"
#include "store/encoder_files.h"

/* What cannot be told from the files, or shall be otherwise; 0 or NULL: as they say. */
typedef struct ImportOptions
{
	const char *pooling;		/* of a transformer: "mean" or "cls" */
	int			max_tokens;		/* of a transformer */
	const char *format;			/* of word vectors: "glove", "text" or "binary" */
	int			max_words;		/* of word vectors */
} ImportOptions;

/*
 * An error says which file, and what of it, is wrong.  The encoder is made in the
 * caller's memory; everything else is gone at the end.  SPI connected.
 */
extern Encoder *import_transformer(EncoderFiles *files, const ImportOptions *options,
								   const Caller *caller);

extern Encoder *import_words(EncoderFiles *files, const ImportOptions *options,
							 const Caller *caller);

#endif							/* HUMANLOOP_IMPORT_H */
