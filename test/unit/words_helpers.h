/*-------------------------------------------------------------------------
 *
 * words_helpers.h
 *	  What the tests of word vectors share: files of them, and reading these.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_WORDS_HELPERS_H
#define HUMANLOOP_WORDS_HELPERS_H

#include <stdio.h>
#include <string.h>

#include "../../src/encode/word_vectors.h"
#include "../../src/encode/words.h"
#include "words_values.h"

/* Number j of the vector of word i, as make_words_values.py has it. */
static inline float
word_number(int i, int j)
{
	uint32_t	at = (uint32_t) (i * WORDS_DIMS + j);

	return ((float) (at * UINT32_C(2654435761) >> 24) - 100.0f) / 64.0f;
}

static inline void
write_text(Writer *writer, const char *text)
{
	write_bytes(writer, text, strlen(text));
}

/* A file of the vocabulary, in one of the formats. */
static inline void
write_vocabulary(Writer *writer, WordVectorsFormat format)
{
	char		number[64];

	if (format != WORD_VECTORS_GLOVE)
	{
		snprintf(number, sizeof(number), "%d %d\n", VOCABULARY_WORDS, WORDS_DIMS);
		write_text(writer, number);
	}
	for (int i = 0; i < VOCABULARY_WORDS; i++)
	{
		write_text(writer, vocabulary_words[i]);
		if (format == WORD_VECTORS_BINARY)
			write_text(writer, " ");
		for (int j = 0; j < WORDS_DIMS; j++)
		{
			float		value = word_number(i, j);

			if (format == WORD_VECTORS_BINARY)
				write_floats(writer, &value, 1);
			else
			{
				snprintf(number, sizeof(number), " %.6f", value);
				write_text(writer, number);
			}
		}
		if (format != WORD_VECTORS_BINARY)
			write_text(writer, "\n");
	}
}

/* Reads a file that comes in pieces of that many bytes (0: at once). */
static inline Status
read_vectors(const Caller *caller, WordVectorsOptions options, const void *bytes, size_t length,
			 size_t piece, WordVectorsReport *report, Encoder **encoder)
{
	WordVectors *vectors;
	Status		status = word_vectors_start(caller, &options, &vectors);

	*encoder = NULL;
	*report = (WordVectorsReport) {0};
	if (status != STATUS_SUCCESS)
		return status;
	if (piece == 0)
		piece = length + 1;
	for (size_t at = 0; at < length && status == STATUS_SUCCESS; at += piece)
	{
		size_t		n = length - at < piece ? length - at : piece;
		unsigned char *copy = malloc(n);

		/* an exact copy, so that reading beyond it is seen */
		memcpy(copy, (const unsigned char *) bytes + at, n);
		status = word_vectors_add(vectors, copy, n);
		free(copy);
	}
	if (status == STATUS_SUCCESS)
		status = word_vectors_finish(vectors, encoder);
	*report = *word_vectors_report(vectors);
	word_vectors_free(vectors);
	return status;
}

static inline WordVectorsOptions
roomy_options(void)
{
	WordVectorsOptions options = {.max_words = 1000000, .memory = (size_t) 64 << 20};

	return options;
}

/* The encoder of the vocabulary. */
static inline Encoder *
vocabulary_encoder(const Caller *caller)
{
	WordVectorsReport report;
	Encoder    *encoder;
	Writer		file;

	writer_init(&file, caller);
	write_vocabulary(&file, WORD_VECTORS_GLOVE);
	(void) read_vectors(caller, roomy_options(), file.bytes, file.length, 0, &report, &encoder);
	release(caller, file.bytes);
	return encoder;
}

/* Weights fitted to the texts of the values; NULL where that fails. */
static inline WordWeights *
fit_weights(const Caller *caller, const Encoder *encoder, WordWeightsOptions options,
			Status *status)
{
	WordWeightsFit *fit;
	WordWeights *weights = NULL;

	*status = word_weights_fit_start(caller, encoder, &options, &fit);
	if (*status != STATUS_SUCCESS)
		return NULL;
	for (int i = 0; i < WORD_TEXTS && *status == STATUS_SUCCESS; i++)
		*status = word_weights_fit_add(fit, word_texts[i].text, word_texts[i].length);
	if (*status == STATUS_SUCCESS)
		*status = word_weights_fit_finish(fit, &weights);
	word_weights_fit_free(fit);
	return weights;
}

#endif							/* HUMANLOOP_WORDS_HELPERS_H */
