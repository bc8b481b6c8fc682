/*-------------------------------------------------------------------------
 *
 * fuzz_encode.h
 *	  What the targets around the text encoder share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_FUZZ_ENCODE_H
#define HUMANLOOP_FUZZ_ENCODE_H

#include "fuzz.h"

#include "../unit/corpus_values.h"

#define FUZZ_DIMS 16

/* Fitted to the small corpus of the unit tests, once. */
static inline const Encoder *
fuzz_encoder(void)
{
	static Encoder *encoder = NULL;
	TextFitOptions options = {
		.dims = FUZZ_DIMS, .vocabulary = 4096, .sample_rows = 1000,
		.memory = (size_t) 64 << 20, .seed = 1
	};
	TextFit    *fit;
	size_t		needed;

	if (encoder != NULL)
		return encoder;
	FUZZ_CHECK(text_fit_start(fuzz_keeper(), &options, &fit, &needed) == STATUS_SUCCESS);
	for (int i = 0; i < CORPUS_ROWS; i++)
		FUZZ_CHECK(text_fit_add(fit, corpus[i], strlen(corpus[i])) == STATUS_SUCCESS);
	FUZZ_CHECK(text_fit_finish(fit, &encoder) == STATUS_SUCCESS);
	text_fit_free(fit);
	return encoder;
}

static inline bool
same_terms(const Encoding *a, const Encoding *b)
{
	return a->terms == b->terms &&
		(a->terms == 0 ||
		 (memcmp(a->index, b->index, sizeof(uint32_t) * (size_t) a->terms) == 0 &&
		  memcmp(a->count, b->count, (size_t) a->terms) == 0 &&
		  memcmp(a->weight, b->weight, sizeof(float) * (size_t) a->terms) == 0));
}

/* Terms ascend and are the encoder's; their weights are numbers. */
static inline void
check_terms(const Encoder *encoder, const Encoding *encoding)
{
	for (int i = 0; i < encoding->terms; i++)
	{
		FUZZ_CHECK(encoding->index[i] < (uint32_t) encoder_sparse_dims(encoder));
		FUZZ_CHECK(i == 0 || encoding->index[i] > encoding->index[i - 1]);
		FUZZ_CHECK(encoding->count[i] > 0);
		FUZZ_CHECK(encoding->weight[i] >= 0.0f && encoding->weight[i] <= 1.01f);
	}
}

/* And the dense part is of unit length, or nothing. */
static inline void
check_encoding(const Encoder *encoder, const Encoding *encoding)
{
	double		square = 0.0;

	check_terms(encoder, encoding);
	for (int j = 0; j < encoder_dims(encoder); j++)
		square += (double) encoding->dense[j] * encoding->dense[j];
	FUZZ_CHECK(square == 0.0 || fabs(square - 1.0) < 1e-3);
}

#endif							/* HUMANLOOP_FUZZ_ENCODE_H */
