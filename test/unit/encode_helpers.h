/*-------------------------------------------------------------------------
 *
 * encode_helpers.h
 *	  What the tests of src/encode share: fitting, storing, comparing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ENCODE_HELPERS_H
#define HUMANLOOP_ENCODE_HELPERS_H

#include "unit.h"

#include "../../src/encode/encoder_internal.h"
#include "../../src/encode/terms.h"
#include "../../src/math/matrix.h"
#include "corpus_values.h"

#define MEGABYTE ((size_t) 1 << 20)

static inline TextFitOptions
small_options(void)
{
	TextFitOptions options = {
		.dims = 16, .vocabulary = 4096, .sample_rows = 1000,
		.memory = 64 * MEGABYTE, .seed = 1
	};

	return options;
}

/* Fits the n texts; NULL, and the reason in *status, when that fails. */
static inline Encoder *
fit_texts(const Caller *caller, TextFitOptions options, const char *const *texts, int n,
		  Status *status)
{
	TextFit    *fit;
	Encoder    *encoder = NULL;
	size_t		needed;

	*status = text_fit_start(caller, &options, &fit, &needed);
	if (*status != STATUS_SUCCESS)
		return NULL;
	for (int i = 0; i < n && *status == STATUS_SUCCESS; i++)
		*status = text_fit_add(fit, texts[i], strlen(texts[i]));
	if (*status == STATUS_SUCCESS)
		*status = text_fit_finish(fit, &encoder);
	text_fit_free(fit);
	return encoder;
}

static inline Encoder *
fit_corpus(const Caller *caller)
{
	Status		status;
	Encoder    *encoder = fit_texts(caller, small_options(), corpus, CORPUS_ROWS, &status);

	REQUIRE(status == STATUS_SUCCESS && encoder != NULL);
	return encoder;
}

/* The n-grams of a text, in order. */
typedef struct TermList
{
	int			n;
	uint64_t	hash[4096];
} TermList;

static inline Status
collect(void *state, const uint64_t *hashes, int count)
{
	TermList   *list = state;

	for (int i = 0; i < count && list->n < 4096; i++)
		list->hash[list->n++] = hashes[i];
	return STATUS_SUCCESS;
}

static inline void
terms_of(const char *text, size_t length, TermList *list)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	list->n = 0;
	CHECK(text_terms(&caller, text, length, collect, list) == STATUS_SUCCESS);
	CHECK(memory.allocations == 0);
}

static inline double
cosine(const float *a, const float *b, int n)
{
	double		sum = 0.0;

	for (int i = 0; i < n; i++)
		sum += (double) a[i] * b[i];
	return sum;
}

static inline double
length_of(const float *a, int n)
{
	return sqrt(cosine(a, a, n));
}

static inline void
store(const Encoder *encoder, const Caller *caller, Writer *writer)
{
	writer_init(writer, caller);
	REQUIRE(encoder_write(encoder, writer) == STATUS_SUCCESS);
}

#endif							/* HUMANLOOP_ENCODE_HELPERS_H */
