/*-------------------------------------------------------------------------
 *
 * text_fit.c
 *	  Fits the text encoder: vocabulary, idf and projection, from all rows.
 *
 * While rows come in, two things grow, both within limits that are fixed
 * before the first: the table of how many rows each n-gram is in
 * (gram_counts.c), and a uniform sample of the rows' texts (reservoir
 * sampling: each row is in it with the same probability, however many come).
 * At the end the most useful n-grams become the vocabulary, the sample is
 * encoded with it, and the singular vectors of that matrix (svd.c) become the
 * projection.
 *
 * The sample keeps texts, not their n-grams: those take thirty times the
 * memory, and the vocabulary is not known before the last row.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder_internal.h"

#include <math.h>
#include <string.h>

#include "../math/random.h"
#include "gram_counts.h"
#include "svd.h"
#include "terms.h"

/* An n-gram must be in so many rows to be a term */
#define MIN_ROWS 2

#define MAX_DIMS 2048

/* What the smallest plan grants each row of the sample */
#define LEAST_TEXT 256			/* bytes */
#define LEAST_TERMS 256			/* entries of the matrix */

/* No more of one text is kept for the sample, however much room there is */
#define MOST_TEXT ((size_t) 1 << 20)

/* Bytes of one entry of the sample's matrix: index and weight */
#define ENTRY_BYTES (sizeof(uint32_t) + sizeof(float))

typedef struct SampleText
{
	char	   *text;
	size_t		length;
} SampleText;

struct TextFit
{
	const Caller *caller;
	TextFitOptions options;
	Random		random;
	uint64_t	rows;			/* added so far */
	GramCounts	counts;

	SampleText *sample;			/* options.sample_rows */
	size_t		sample_bytes;	/* of all texts in it */
	size_t		text_budget;	/* sample_bytes stays below */
	size_t		text_limit;		/* of one text, falls as the sample fills */

	/* The sample encoded; row-compressed */
	int			matrix_rows;
	size_t		entries;
	size_t	   *start;
	uint32_t   *index;
	float	   *value;
};

/* Bytes of the encoder itself, with its table, for so many terms. */
static size_t
encoder_bytes(size_t vocabulary, int dims)
{
	return vocabulary * (sizeof(uint64_t) + 2 * sizeof(float) +
						 (size_t) dims * sizeof(int16_t)) +
		4 * vocabulary * sizeof(uint64_t);
}

/*
 * Bytes of the second half, from the vocabulary on: the encoder, the scratch
 * of one row, the matrix of the sample and its decomposition.
 */
static size_t
decomposition_bytes(const TextFitOptions *options, size_t entries)
{
	size_t		rows = (size_t) options->sample_rows;
	size_t		vocabulary = (size_t) options->vocabulary;

	return encoder_bytes(vocabulary, options->dims) +
		vocabulary * (3 * sizeof(uint64_t)) +
		(rows + 1) * (sizeof(size_t) + sizeof(int)) + entries * ENTRY_BYTES +
		truncated_svd_bytes(rows, vocabulary, entries, options->dims);
}

/* Bytes without which these options cannot be served. */
static size_t
least_bytes(const TextFitOptions *options)
{
	size_t		rows = (size_t) options->sample_rows;
	size_t		sample = rows * (sizeof(SampleText) + LEAST_TEXT);
	size_t		counting = gram_counts_bytes(gram_counts_bits(0));
	size_t		decomposing = decomposition_bytes(options, rows * LEAST_TERMS +
												  (size_t) options->vocabulary);

	while (counting < (size_t) options->vocabulary * 4 * sizeof(GramCount))
		counting *= 2;
	return sizeof(TextFit) + sample + (counting > decomposing ? counting : decomposing);
}

static bool
valid_options(const TextFitOptions *options)
{
	return options->dims >= 1 && options->dims <= MAX_DIMS &&
		options->vocabulary >= 1 && options->vocabulary <= ENCODER_MAX_VOCABULARY &&
		options->sample_rows >= 1 && options->sample_rows <= 1 << 24;
}

/*
 * Plans the memory: what is spare beyond the least is shared between the
 * texts of the sample and, after them, counting and decomposing, which do not
 * need theirs at the same time.
 */
Status
text_fit_start(const Caller *caller, const TextFitOptions *options,
			   TextFit **fit, size_t *needed)
{
	TextFit    *new;
	size_t		sample_rows;
	size_t		least;
	size_t		left;

	*fit = NULL;
	*needed = 0;
	if (!valid_options(options))
		return STATUS_BAD_ARGUMENT;
	sample_rows = (size_t) options->sample_rows;
	least = least_bytes(options);
	if (options->memory < least)
	{
		*needed = least;
		return STATUS_NO_MEMORY;
	}
	new = allocate_array(caller, 1, sizeof(TextFit));
	if (new == NULL)
		return STATUS_NO_MEMORY;
	new->caller = caller;
	new->options = *options;
	new->text_budget = sample_rows * LEAST_TEXT + (options->memory - least) / 4;
	new->text_limit = MOST_TEXT;
	random_seed(&new->random, options->seed);
	new->sample = allocate_array(caller, sample_rows, sizeof(SampleText));
	left = options->memory - sizeof(TextFit) - sample_rows * sizeof(SampleText) -
		new->text_budget;
	if (new->sample == NULL ||
		gram_counts_init(&new->counts, caller, gram_counts_bits(left)) != STATUS_SUCCESS)
	{
		text_fit_free(new);
		return STATUS_NO_MEMORY;
	}
	*fit = new;
	return STATUS_SUCCESS;
}

/* Frees what the sample's matrix takes. */
static void
free_matrix(TextFit *fit)
{
	release(fit->caller, fit->start);
	release(fit->caller, fit->index);
	release(fit->caller, fit->value);
	fit->start = NULL;
	fit->index = NULL;
	fit->value = NULL;
}

static void
free_sample(TextFit *fit)
{
	for (int i = 0; fit->sample != NULL && i < fit->options.sample_rows; i++)
		release(fit->caller, fit->sample[i].text);
	release(fit->caller, fit->sample);
	fit->sample = NULL;
}

void
text_fit_free(TextFit *fit)
{
	if (fit == NULL)
		return;
	if (fit->counts.slots != NULL)
		gram_counts_free(&fit->counts);
	free_matrix(fit);
	free_sample(fit);
	release(fit->caller, fit);
}

/* Puts the beginning of a text into a slot of the sample. */
static Status
keep_text(TextFit *fit, SampleText *slot, const char *utf8, size_t length)
{
	size_t		kept = length < fit->text_limit ? length : fit->text_limit;
	char	   *text = allocate_array(fit->caller, kept, 1);

	if (text == NULL)
		return STATUS_NO_MEMORY;
	if (kept > 0)
		memcpy(text, utf8, kept);
	fit->sample_bytes += kept - slot->length;
	release(fit->caller, slot->text);
	slot->text = text;
	slot->length = kept;
	return STATUS_SUCCESS;
}

/*
 * Cuts the longest texts of the sample until it keeps within its budget: the
 * limit falls by halves to what an equal share would be.
 */
static Status
shorten_sample(TextFit *fit)
{
	size_t		share = fit->text_budget / (size_t) fit->options.sample_rows;

	while (fit->sample_bytes > fit->text_budget && fit->text_limit > share)
	{
		fit->text_limit = fit->text_limit / 2 > share ? fit->text_limit / 2 : share;
		for (int i = 0; i < fit->options.sample_rows; i++)
		{
			SampleText *slot = &fit->sample[i];

			if (i % 1024 == 0 && stopped(fit->caller))
				return STATUS_STOPPED;
			if (slot->length > fit->text_limit)
				TRY(keep_text(fit, slot, slot->text, slot->length));
		}
	}
	return STATUS_SUCCESS;
}

/* What count_terms needs. */
typedef struct CountState
{
	GramCounts *counts;
	uint64_t	row;
} CountState;

static Status
count_terms(void *state, const uint64_t *hashes, int n)
{
	CountState *count = state;

	return gram_counts_add(count->counts, count->row, hashes, n);
}

/* One more row.  After a failure the fit can only be freed. */
Status
text_fit_add(TextFit *fit, const char *utf8, size_t length)
{
	uint64_t	sample_rows = (uint64_t) fit->options.sample_rows;
	uint64_t	slot = fit->rows;
	CountState	state = {&fit->counts, fit->rows + 1};

	if (slot >= sample_rows)
		slot = random_below(&fit->random, fit->rows + 1);
	if (slot < sample_rows)
	{
		TRY(keep_text(fit, &fit->sample[slot], utf8, length));
		if (fit->sample_bytes > fit->text_budget)
			TRY(shorten_sample(fit));
	}
	fit->rows++;
	return text_terms(fit->caller, utf8, length, count_terms, &state);
}

/*
 * Is this n-gram worth a place?  One in a single row says nothing about any
 * other, and one in every row nothing at all.
 */
static inline bool
candidate(const TextFit *fit, const GramCount *gram)
{
	return gram->hash != 0 && gram->rows >= MIN_ROWS && gram->rows < fit->rows;
}

/* Order of terms: words first, then by falling number of rows, then by hash. */
static inline bool
term_before(const GramCount *a, const GramCount *b)
{
	if (term_kind(a->hash) != term_kind(b->hash))
		return term_kind(a->hash) == TERM_WORD;
	if (a->rows != b->rows)
		return a->rows > b->rows;
	return a->hash < b->hash;
}

/* Which of two n-grams is the more useful: the one in more rows. */
static inline bool
more_useful(const GramCount *a, const GramCount *b)
{
	return a->rows != b->rows ? a->rows > b->rows : a->hash < b->hash;
}

typedef bool (*GramOrder) (const GramCount *a, const GramCount *b);

/* Moves the gram at i down to where no child of it comes later in the order. */
static void
sift_down(GramCount *grams, size_t n, size_t i, GramOrder before)
{
	GramCount	moved = grams[i];

	for (;;)
	{
		size_t		child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && before(&grams[child], &grams[child + 1]))
			child++;
		if (!before(&moved, &grams[child]))
			break;
		grams[i] = grams[child];
		i = child;
	}
	grams[i] = moved;
}

/* Heap sort: no recursion, no memory, and the same on every machine. */
static void
sort_grams(GramCount *grams, size_t n, GramOrder before)
{
	for (size_t i = n / 2; i > 0; i--)
		sift_down(grams, n, i - 1, before);
	for (size_t left = n; left > 1; left--)
	{
		GramCount	last = grams[0];

		grams[0] = grams[left - 1];
		grams[left - 1] = last;
		sift_down(grams, left - 1, 0, before);
	}
}

/*
 * Moves the candidates to keep to the front of the table (which is no table
 * any more), in their final order; at most options.vocabulary.  A heap of
 * that many, the least useful on top, meets all others.
 */
static Status
select_vocabulary(TextFit *fit, int *vocabulary)
{
	GramCount  *grams = fit->counts.slots;
	size_t		slots = (size_t) 1 << fit->counts.bits;
	size_t		most = (size_t) fit->options.vocabulary;
	size_t		kept = 0;

	for (size_t i = 0; i < slots; i++)
	{
		GramCount	gram = grams[i];

		if (i % 65536 == 0 && stopped(fit->caller))
			return STATUS_STOPPED;
		if (!candidate(fit, &gram))
			continue;
		if (kept < most)
		{
			grams[kept++] = gram;
			if (kept == most)
				for (size_t j = kept / 2; j > 0; j--)
					sift_down(grams, kept, j - 1, more_useful);
		}
		else if (more_useful(&gram, &grams[0]))
		{
			grams[0] = gram;
			sift_down(grams, kept, 0, more_useful);
		}
	}
	sort_grams(grams, kept, term_before);
	*vocabulary = (int) kept;
	return STATUS_SUCCESS;
}

/*
 * The encoder's terms and their idf = ln((1 + n) / (1 + rows)) + 1, as if one
 * more row had them all; the table of counts is freed.
 */
static Status
make_terms(TextFit *fit, Encoder *encoder)
{
	const GramCount *grams = fit->counts.slots;
	int			vocabulary;

	TRY(select_vocabulary(fit, &vocabulary));
	encoder->hash = allocate_array(fit->caller, (size_t) vocabulary, sizeof(uint64_t));
	encoder->idf = allocate_array(fit->caller, (size_t) vocabulary, sizeof(float));
	if (encoder->hash == NULL || encoder->idf == NULL)
		return STATUS_NO_MEMORY;
	encoder->vocabulary = vocabulary;
	for (int i = 0; i < vocabulary; i++)
	{
		encoder->hash[i] = grams[i].hash;
		encoder->idf[i] = (float) (log((1.0 + (double) fit->rows) / (1.0 + grams[i].rows)) + 1.0);
		encoder->words += term_kind(grams[i].hash) == TERM_WORD;
	}
	gram_counts_free(&fit->counts);
	return text_encoder_index(fit->caller, encoder);
}

/*
 * Entries that the sample's matrix may have: what its texts can give at most
 * in ordinary writing, within what the plan leaves for it.
 */
static size_t
entry_capacity(const TextFit *fit)
{
	size_t		rows = (size_t) fit->options.sample_rows;
	size_t		fixed = sizeof(TextFit) + fit->sample_bytes + rows * sizeof(SampleText) +
		decomposition_bytes(&fit->options, 0);
	size_t		budget = 0;
	size_t		likely = (size_t) fit->options.vocabulary;

	if (fixed < fit->options.memory)
		budget = (fit->options.memory - fixed) / (2 * ENTRY_BYTES);
	for (size_t i = 0; i < rows; i++)
		likely += 4 * fit->sample[i].length;
	return likely < budget ? likely : budget;
}

/*
 * Encodes rows of the sample, in the given order, until the matrix is full.
 */
static Status
fill_matrix(TextFit *fit, const Encoder *encoder, const int *order, int rows,
			size_t capacity)
{
	Encoding	encoding;
	Status		status;

	TRY(encoding_init(fit->caller, encoder, &encoding));
	status = STATUS_SUCCESS;
	for (int i = 0; i < rows; i++)
	{
		const SampleText *slot = &fit->sample[order[i]];
		size_t		terms;

		status = encode_terms(encoder, slot->text, slot->length, &encoding);
		terms = (size_t) encoding.terms;
		if (status != STATUS_SUCCESS || fit->entries + terms > capacity)
			break;
		if (terms > 0)
		{
			memcpy(fit->index + fit->entries, encoding.index, terms * sizeof(uint32_t));
			memcpy(fit->value + fit->entries, encoding.weight, terms * sizeof(float));
			fit->entries += terms;
		}
		fit->start[++fit->matrix_rows] = fit->entries;
	}
	encoding_free(&encoding);
	return status;
}

/*
 * The sample as a matrix.  In random order, so that what does not fit is no
 * particular part of it: the first slots hold older rows than the last.
 */
static Status
make_matrix(TextFit *fit, const Encoder *encoder)
{
	size_t		capacity = entry_capacity(fit);
	int			rows = fit->options.sample_rows;
	int		   *order;
	Status		status;

	if (fit->rows < (uint64_t) rows)
		rows = (int) fit->rows;
	order = allocate_array(fit->caller, (size_t) rows, sizeof(int));
	fit->start = allocate_array(fit->caller, (size_t) rows + 1, sizeof(size_t));
	fit->index = allocate_array(fit->caller, capacity, sizeof(uint32_t));
	fit->value = allocate_array(fit->caller, capacity, sizeof(float));
	if (order == NULL || fit->start == NULL || fit->index == NULL || fit->value == NULL)
	{
		release(fit->caller, order);
		return STATUS_NO_MEMORY;
	}
	for (int i = 0; i < rows; i++)
		order[i] = i;
	random_shuffle(&fit->random, order, (size_t) rows);
	status = fill_matrix(fit, encoder, order, rows, capacity);
	release(fit->caller, order);
	return status;
}

/* The largest becomes +-32767. */
float
quantise_row(const float *row, int dims, int16_t *mantissa)
{
	float		largest = 0.0f;
	float		scale;

	for (int j = 0; j < dims; j++)
		largest = fabsf(row[j]) > largest ? fabsf(row[j]) : largest;
	scale = largest / 32767.0f;
	for (int j = 0; j < dims; j++)
	{
		float		value = scale > 0.0f ? row[j] / scale : 0.0f;

		/* the quotient of the largest may round up beyond */
		value = value > 32767.0f ? 32767.0f : value < -32767.0f ? -32767.0f : value;
		mantissa[j] = (int16_t) lrintf(value);
	}
	return scale;
}

/* The projection from the sample's matrix, which is freed with the sample. */
static Status
make_projection(TextFit *fit, Encoder *encoder)
{
	SparseMatrix a = {
		.rows = fit->matrix_rows, .columns = encoder->vocabulary,
		.start = fit->start, .index = fit->index, .value = fit->value
	};
	size_t		vocabulary = (size_t) encoder->vocabulary;
	float	   *vectors;
	Status		status = STATUS_SUCCESS;

	free_sample(fit);
	TRY(truncated_svd(fit->caller, &a, fit->options.dims, random_bits(&fit->random),
					  &vectors, &encoder->dims));
	free_matrix(fit);
	encoder->mantissa = allocate_array(fit->caller, vocabulary * (size_t) encoder->dims,
									   sizeof(int16_t));
	encoder->scale = allocate_array(fit->caller, vocabulary, sizeof(float));
	if (encoder->mantissa == NULL || encoder->scale == NULL)
		status = STATUS_NO_MEMORY;
	for (size_t i = 0; i < vocabulary && status == STATUS_SUCCESS; i++)
	{
		encoder->scale[i] = quantise_row(vectors + i * (size_t) encoder->dims, encoder->dims,
									 encoder->mantissa + i * (size_t) encoder->dims);
		if (i % 4096 == 0 && stopped(fit->caller))
			status = STATUS_STOPPED;
	}
	release(fit->caller, vectors);
	return status;
}

static Status
fit_encoder(TextFit *fit, Encoder *encoder)
{
	TRY(make_terms(fit, encoder));
	TRY(make_matrix(fit, encoder));
	return make_projection(fit, encoder);
}

/*
 * The encoder of all rows added.  Whatever the outcome, the fit can only be
 * freed afterwards.  STATUS_BAD_ARGUMENT when it has been finished before.
 */
Status
text_fit_finish(TextFit *fit, Encoder **encoder)
{
	Encoder    *made;
	Status		status;

	*encoder = NULL;
	if (fit->counts.slots == NULL || fit->sample == NULL)
		return STATUS_BAD_ARGUMENT;

	/* one dimension until the projection has told how many there are */
	made = encoder_allocate(fit->caller, ENCODER_TEXT, 1);
	if (made == NULL)
		return STATUS_NO_MEMORY;
	status = fit_encoder(fit, made);
	if (status != STATUS_SUCCESS)
	{
		encoder_free(fit->caller, made);
		return status;
	}
	*encoder = made;
	return STATUS_SUCCESS;
}
