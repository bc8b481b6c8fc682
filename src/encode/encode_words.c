/*-------------------------------------------------------------------------
 *
 * encode_words.c
 *	  Texts to weighted means of the vectors of their words.
 *
 * As with the text encoder, the same text must give the same bits on every
 * machine: every product that is summed is exact in double precision, sums
 * are taken in one fixed order, and scaling is by powers of two or by
 * numbers that are rounded to float first.
 *
 *-------------------------------------------------------------------------
 */
#include "words_internal.h"

#include <math.h>
#include <string.h>

/*
 * What is left of a mean without what is common is noise of rounding below
 * this share of it: then the text says nothing.
 */
#define LEAST_LEFT 1e-5

/* What add_text_words needs. */
typedef struct WordSum
{
	const Encoder *encoder;
	const WordWeights *weights;
	double	   *sum;			/* dims */
} WordSum;

int
encoder_words(const Encoder *encoder)
{
	return encoder->kind == ENCODER_WORDS ? (int) encoder->word_table->n : 0;
}

Status
words_encoding_init(const Encoder *encoder, Encoding *encoding)
{
	encoding->scratch = allocate_array(encoding->caller, (size_t) encoder->dims, sizeof(double));
	return encoding->scratch == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* The row of a word, and asks for the one that comes next. */
static inline const int16_t *
word_row(const Encoder *encoder, const uint32_t *words, int i, int count)
{
	size_t		dims = (size_t) encoder->dims;
	const int16_t *mantissa = encoder->word_table->mantissa;

	if (i + ROWS_A_PASS < count)
		fetch_row(mantissa + words[i + ROWS_A_PASS] * dims, encoder->dims);
	return mantissa + words[i] * dims;
}

void
add_words(const Encoder *encoder, const WordWeights *weights, const uint32_t *words, int count,
		  double *sum)
{
	for (int i = 0; i < count; i += ROWS_A_PASS)
	{
		const int16_t *rows[ROWS_A_PASS];
		double		weight[ROWS_A_PASS];

		for (int k = 0; k < ROWS_A_PASS; k++)
		{
			bool		there = i + k < count;
			uint32_t	word = words[there ? i + k : i];

			rows[k] = there ? word_row(encoder, words, i + k, count) : rows[0];
			/* rounded to float, so that the products are exact */
			weight[k] = there ? (float) ((double) encoder->word_table->scale[word] *
										 (weights == NULL ? 1.0f : word_weight(weights, word))) : 0.0f;
		}
		add_rows(sum, encoder->dims, weight, rows);
	}
}

static Status
add_text_words(void *state, const uint32_t *words, int count)
{
	WordSum    *sum = state;

	add_words(sum->encoder, sum->weights, words, count, sum->sum);
	return STATUS_SUCCESS;
}

/* The sum as floats, by a power of two to where none of them overflows. */
static void
scale_down(const double *sum, int dims, float *dense)
{
	double		largest = 0.0;
	int			exponent;

	for (int j = 0; j < dims; j++)
		largest = fabs(sum[j]) > largest ? fabs(sum[j]) : largest;
	frexp(largest, &exponent);
	for (int j = 0; j < dims; j++)
		dense[j] = (float) ldexp(sum[j], -exponent);
}

static double
square_length(const float *dense, int dims)
{
	double		sum = 0.0;

	for (int j = 0; j < dims; j++)
		sum += (double) dense[j] * dense[j];
	return sum;
}

/* dense -= (dense . common) common */
static void
remove_common(const float *common, int dims, float *dense)
{
	double		before = square_length(dense, dims);
	double		product = 0.0;
	float		share;

	for (int j = 0; j < dims; j++)
		product += (double) dense[j] * common[j];
	share = (float) product;
	for (int j = 0; j < dims; j++)
		dense[j] = (float) (dense[j] - (double) share * common[j]);
	if (square_length(dense, dims) < LEAST_LEFT * LEAST_LEFT * before)
		memset(dense, 0, (size_t) dims * sizeof(float));
}

Status
encode_words(const Encoder *encoder, const WordWeights *weights, const char *utf8, size_t length,
			 Encoding *encoding, float *dense)
{
	int			dims = encoder->dims;
	WordSum		sum = {encoder, weights, encoding->scratch};
	uint64_t	unknown = 0;
	double		size;

	if (encoder->kind != ENCODER_WORDS ||
		(weights != NULL && (weights->dims != dims ||
							 weights->fingerprint != encoder->word_table->fingerprint)))
		return STATUS_BAD_ARGUMENT;
	encoding->terms = 0;
	memset(sum.sum, 0, (size_t) dims * sizeof(double));
	TRY(text_words(encoding->caller, encoder->word_table, utf8, length, add_text_words, &sum,
				   &unknown));
	scale_down(sum.sum, dims, dense);
	if (weights != NULL && weights->common != NULL)
		remove_common(weights->common, dims, dense);
	size = sqrt(square_length(dense, dims));
	for (int j = 0; j < dims; j++)
		dense[j] = size > 0.0 ? (float) (dense[j] / size) : 0.0f;
	return STATUS_SUCCESS;
}
