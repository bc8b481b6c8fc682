/*-------------------------------------------------------------------------
 *
 * word_weights.c
 *	  Smooth inverse frequencies, from the user's own rows.
 *
 * Counting takes a number a word of the vocabulary.  What texts have in
 * common needs their weighted means, and the weights are not known before
 * the last text: so a uniform sample of the texts is kept (reservoir
 * sampling), as the numbers of their words.
 *
 *-------------------------------------------------------------------------
 */
#include "words_internal.h"

#include <math.h>
#include <string.h>

#include "../math/random.h"

#define WEIGHTS_MAGIC UINT32_C(0x57574C48)	/* "HLWW" */
#define WEIGHTS_VERSION 1
#define HAS_COMMON 1

/* Beyond, a weight could be no float, or all are the same */
#define MIN_SMOOTHING 1e-9
#define MAX_SMOOTHING 1e6

/* Words as Zipf's law has them that are counted with those of the texts */
#define PRIOR_WORDS 1000.0

#define EULER_GAMMA 0.57721566490153286

/* The sample: texts, words of each, and numbers in all of their means */
#define SAMPLE_TEXTS 8192
#define SAMPLE_WORDS 256
#define SAMPLE_NUMBERS ((size_t) 1 << 22)

/* Power iteration ends when the direction turns by less, or after so many */
#define LEAST_TURN 1e-14
#define MOST_STEPS 1000

#define WORDS_A_QUESTION 65536
#define TEXTS_A_QUESTION 512

typedef struct SampleText
{
	uint32_t   *words;
	int			count;
} SampleText;

struct WordWeightsFit
{
	const Caller *caller;
	const Encoder *encoder;
	WordWeightsOptions options;
	Random		random;
	uint32_t   *count;			/* of each word; stays at its largest value */
	uint64_t	known;
	uint64_t	unknown;

	uint64_t	texts;
	size_t		sample_texts;	/* room; 0: none is needed */
	SampleText *sample;
	int			collected;		/* of the text that is being added */
	uint32_t	collect[SAMPLE_WORDS];
};

/* Texts that the sample holds at most. */
static size_t
sample_texts(const Encoder *encoder, const WordWeightsOptions *options)
{
	size_t		most = SAMPLE_NUMBERS / (size_t) encoder->dims;

	if (!options->remove_common)
		return 0;
	return most < SAMPLE_TEXTS ? most : SAMPLE_TEXTS;
}

size_t
word_weights_fit_bytes(const Encoder *encoder, const WordWeightsOptions *options)
{
	size_t		words = (size_t) encoder_words(encoder);
	size_t		texts = sample_texts(encoder, options);
	size_t		dims = (size_t) encoder->dims;

	return sizeof(WordWeightsFit) + sizeof(WordWeights) +
		words * (2 * sizeof(uint32_t) + sizeof(float)) +
		texts * (sizeof(SampleText) + SAMPLE_WORDS * sizeof(uint32_t) + dims * sizeof(float)) +
		dims * (3 * sizeof(double) + sizeof(float));
}

Status
word_weights_fit_start(const Caller *caller, const Encoder *encoder,
					   const WordWeightsOptions *options, WordWeightsFit **fit)
{
	WordWeightsFit *new;

	*fit = NULL;
	if (encoder->kind != ENCODER_WORDS ||
		!(options->smoothing >= MIN_SMOOTHING && options->smoothing <= MAX_SMOOTHING))
		return STATUS_BAD_ARGUMENT;
	new = allocate_array(caller, 1, sizeof(WordWeightsFit));
	if (new == NULL)
		return STATUS_NO_MEMORY;
	new->caller = caller;
	new->encoder = encoder;
	new->options = *options;
	random_seed(&new->random, options->seed);
	new->count = allocate_array(caller, encoder->word_table->n, sizeof(uint32_t));
	new->sample_texts = sample_texts(encoder, options);
	if (new->sample_texts > 0)
		new->sample = allocate_array(caller, new->sample_texts, sizeof(SampleText));
	if (new->count == NULL || (new->sample_texts > 0 && new->sample == NULL))
	{
		word_weights_fit_free(new);
		return STATUS_NO_MEMORY;
	}
	*fit = new;
	return STATUS_SUCCESS;
}

void
word_weights_fit_free(WordWeightsFit *fit)
{
	if (fit == NULL)
		return;
	for (size_t i = 0; fit->sample != NULL && i < fit->sample_texts; i++)
		release(fit->caller, fit->sample[i].words);
	release(fit->caller, fit->sample);
	release(fit->caller, fit->count);
	release(fit->caller, fit);
}

static Status
count_words(void *state, const uint32_t *words, int count)
{
	WordWeightsFit *fit = state;

	for (int i = 0; i < count; i++)
	{
		fit->count[words[i]] += fit->count[words[i]] < UINT32_MAX;
		if (fit->collected < SAMPLE_WORDS)
			fit->collect[fit->collected++] = words[i];
	}
	fit->known += (uint64_t) count;
	return STATUS_SUCCESS;
}

/* Puts the words of the text that was read into a slot of the sample. */
static Status
keep_words(WordWeightsFit *fit, SampleText *slot)
{
	size_t		count = (size_t) fit->collected;

	release(fit->caller, slot->words);
	slot->count = 0;
	slot->words = allocate_array(fit->caller, count, sizeof(uint32_t));
	if (slot->words == NULL)
		return STATUS_NO_MEMORY;
	memcpy(slot->words, fit->collect, count * sizeof(uint32_t));
	slot->count = (int) count;
	return STATUS_SUCCESS;
}

/* One more text.  After a failure the fit can only be freed. */
Status
word_weights_fit_add(WordWeightsFit *fit, const char *utf8, size_t length)
{
	uint64_t	slot = fit->texts;

	if (fit->count == NULL)
		return STATUS_BAD_ARGUMENT;
	fit->collected = 0;
	TRY(text_words(fit->caller, fit->encoder->word_table, utf8, length, count_words, fit,
				   &fit->unknown));
	fit->texts++;
	if (fit->sample_texts == 0)
		return STATUS_SUCCESS;
	if (slot >= fit->sample_texts)
		slot = random_below(&fit->random, fit->texts);
	return slot < fit->sample_texts ? keep_words(fit, &fit->sample[slot]) : STATUS_SUCCESS;
}

/* The weight of the word at that place of the file, from 0 on, if not listed. */
static inline float
unseen_weight(const WordWeights *weights, size_t place)
{
	return (float) (weights->smoothing /
					(weights->smoothing + weights->unseen / ((double) place + 1.0)));
}

/* The weight of a word that occurs `count` times. */
static float
seen_weight(const WordWeightsFit *fit, size_t place, uint32_t count)
{
	double		a = fit->options.smoothing;
	double		p = (double) count / (double) fit->known;

	if (fit->options.ranked)
	{
		double		n = (double) fit->encoder->word_table->n;
		double		zipf = 1.0 / (((double) place + 1.0) * (log(n) + EULER_GAMMA));

		p = (count + PRIOR_WORDS * zipf) / ((double) fit->known + PRIOR_WORDS);
		p = p < zipf ? p : zipf;
	}
	return (float) (a / (a + p));
}

/* The words that occur, with their weights. */
static Status
list_words(const WordWeightsFit *fit, WordWeights *weights)
{
	const Caller *caller = fit->caller;
	size_t		n = weights->words;
	size_t		listed = 0;

	for (size_t i = 0; i < n; i++)
		listed += fit->count[i] > 0;
	weights->word = allocate_array(caller, listed, sizeof(uint32_t));
	weights->weight = allocate_array(caller, listed, sizeof(float));
	if (weights->word == NULL || weights->weight == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < n; i++)
	{
		if (i % WORDS_A_QUESTION == 0 && stopped(caller))
			return STATUS_STOPPED;
		if (fit->count[i] == 0)
			continue;
		weights->word[weights->listed] = (uint32_t) i;
		weights->weight[weights->listed++] = seen_weight(fit, i, fit->count[i]);
	}
	return STATUS_SUCCESS;
}

/* The weighted means of the sample, one a row of x; sum is scratch. */
static Status
sample_means(const WordWeightsFit *fit, const WordWeights *weights, size_t texts,
			 double *sum, float *x)
{
	size_t		dims = (size_t) weights->dims;

	for (size_t i = 0; i < texts; i++)
	{
		const SampleText *text = &fit->sample[i];

		if (stopped(fit->caller))
			return STATUS_STOPPED;
		memset(sum, 0, dims * sizeof(double));
		add_words(fit->encoder, weights, text->words, text->count, sum);
		for (size_t j = 0; j < dims && text->count > 0; j++)
			x[i * dims + j] = (float) (sum[j] / text->count);
	}
	return STATUS_SUCCESS;
}

/* next = x'x direction, each row of x scaled by `factor`. */
static Status
power_step(const Caller *caller, const float *x, size_t texts, size_t dims, double factor,
		   const double *direction, double *next)
{
	memset(next, 0, dims * sizeof(double));
	for (size_t i = 0; i < texts; i++)
	{
		const float *row = x + i * dims;
		double		product = 0.0;

		if (i % TEXTS_A_QUESTION == 0 && stopped(caller))
			return STATUS_STOPPED;
		for (size_t j = 0; j < dims; j++)
			product += factor * row[j] * direction[j];
		for (size_t j = 0; j < dims; j++)
			next[j] += product * (factor * row[j]);
	}
	return STATUS_SUCCESS;
}

/* Scales to unit length; false where there is nothing to scale. */
static bool
to_unit(double *vector, size_t dims)
{
	double		sum = 0.0;

	for (size_t j = 0; j < dims; j++)
		sum += vector[j] * vector[j];
	if (!(sum > 0.0))
		return false;
	for (size_t j = 0; j < dims; j++)
		vector[j] /= sqrt(sum);
	return true;
}

/*
 * The first right singular vector of x (texts x dims): power iteration on
 * x'x, from the mean of the rows, which nearly always is close to it, with a
 * little of every axis for the case that it is not.  *found is false where x
 * is zero.
 */
static Status
first_direction(const Caller *caller, const float *x, size_t texts, size_t dims,
				double *direction, double *next, bool *found)
{
	double		largest = 0.0;
	double		turn = 1.0;

	for (size_t i = 0; i < texts * dims; i++)
		largest = fabs(x[i]) > largest ? fabs(x[i]) : largest;
	*found = largest > 0.0;
	if (!*found)
		return STATUS_SUCCESS;
	memset(direction, 0, dims * sizeof(double));
	for (size_t i = 0; i < texts * dims; i++)
		direction[i % dims] += x[i] / largest;
	to_unit(direction, dims);
	for (size_t j = 0; j < dims; j++)
		direction[j] += 1e-3 * (1.0 + 1.0 / (double) (j + 2));
	for (int step = 0; step < MOST_STEPS && turn > LEAST_TURN && *found; step++)
	{
		double		cosine = 0.0;

		TRY(power_step(caller, x, texts, dims, 1.0 / largest, direction, next));
		*found = to_unit(next, dims);
		for (size_t j = 0; j < dims; j++)
			cosine += next[j] * direction[j];
		turn = step == 0 ? 1.0 : 1.0 - cosine;
		memcpy(direction, next, dims * sizeof(double));
	}
	return STATUS_SUCCESS;
}

/* What the texts of the sample have in common, if anything. */
static Status
find_common(const WordWeightsFit *fit, WordWeights *weights)
{
	const Caller *caller = fit->caller;
	size_t		dims = (size_t) weights->dims;
	size_t		texts = fit->texts < fit->sample_texts ? (size_t) fit->texts : fit->sample_texts;
	float	   *x = allocate_array(caller, texts * dims, sizeof(float));
	double	   *vectors = allocate_array(caller, 3 * dims, sizeof(double));
	Status		status = STATUS_NO_MEMORY;
	bool		found = false;

	if (x != NULL && vectors != NULL)
		status = sample_means(fit, weights, texts, vectors, x);
	if (status == STATUS_SUCCESS)
		status = first_direction(caller, x, texts, dims, vectors + dims, vectors + 2 * dims, &found);
	if (status == STATUS_SUCCESS && found)
	{
		weights->common = allocate_array(caller, dims, sizeof(float));
		if (weights->common == NULL)
			status = STATUS_NO_MEMORY;
		for (size_t j = 0; j < dims && weights->common != NULL; j++)
			weights->common[j] = (float) vectors[dims + j];
	}
	release(caller, x);
	release(caller, vectors);
	return status;
}

static Status
make_weights(WordWeightsFit *fit, WordWeights *weights)
{
	const WordTable *table = fit->encoder->word_table;

	weights->words = table->n;
	weights->dims = fit->encoder->dims;
	weights->fingerprint = table->fingerprint;
	weights->smoothing = fit->options.smoothing;
	weights->known = fit->known;
	weights->unknown = fit->unknown;
	if (fit->options.ranked)
		weights->unseen = PRIOR_WORDS / ((double) fit->known + PRIOR_WORDS) /
			(log((double) table->n) + EULER_GAMMA);
	TRY(list_words(fit, weights));
	return fit->sample_texts > 0 ? find_common(fit, weights) : STATUS_SUCCESS;
}

Status
word_weights_fit_finish(WordWeightsFit *fit, WordWeights **weights)
{
	WordWeights *made;
	Status		status;

	*weights = NULL;
	if (fit->count == NULL)
		return STATUS_BAD_ARGUMENT;
	made = allocate_array(fit->caller, 1, sizeof(WordWeights));
	if (made == NULL)
		return STATUS_NO_MEMORY;
	status = make_weights(fit, made);
	release(fit->caller, fit->count);
	fit->count = NULL;
	if (status != STATUS_SUCCESS)
	{
		word_weights_free(fit->caller, made);
		return status;
	}
	*weights = made;
	return STATUS_SUCCESS;
}

void
word_weights_free(const Caller *caller, WordWeights *weights)
{
	if (weights == NULL)
		return;
	release(caller, weights->word);
	release(caller, weights->weight);
	release(caller, weights->common);
	release(caller, weights);
}

void
word_weights_coverage(const WordWeights *weights, uint64_t *known, uint64_t *unknown)
{
	*known = weights->known;
	*unknown = weights->unknown;
}

float
word_weight(const WordWeights *weights, uint32_t word)
{
	size_t		low = 0;
	size_t		high = weights->listed;

	while (low < high)
	{
		size_t		middle = (low + high) / 2;

		if (weights->word[middle] < word)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < weights->listed && weights->word[low] == word)
		return weights->weight[low];
	return unseen_weight(weights, word);
}

/*
 * Stored: magic, version, flags, dims, fingerprint, smoothing, unseen, known,
 * unknown, how many are listed, their words, their weights, what is common.
 */
Status
word_weights_write(const WordWeights *weights, Writer *writer)
{
	write_u32(writer, WEIGHTS_MAGIC);
	write_u32(writer, WEIGHTS_VERSION);
	write_u32(writer, weights->common != NULL ? HAS_COMMON : 0);
	write_u32(writer, (uint32_t) weights->dims);
	write_u64(writer, weights->fingerprint);
	write_double(writer, weights->smoothing);
	write_double(writer, weights->unseen);
	write_u64(writer, weights->known);
	write_u64(writer, weights->unknown);
	write_u32(writer, (uint32_t) weights->listed);
	for (size_t i = 0; i < weights->listed; i++)
		write_u32(writer, weights->word[i]);
	write_floats(writer, weights->weight, weights->listed);
	if (weights->common != NULL)
		write_floats(writer, weights->common, (size_t) weights->dims);
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* Are they such as a fit leaves them?  NaN fails every comparison. */
static bool
valid_weights(const WordWeights *weights)
{
	double		length = 0.0;

	if (!(weights->smoothing >= MIN_SMOOTHING && weights->smoothing <= MAX_SMOOTHING) ||
		!(weights->unseen >= 0.0 && weights->unseen <= 2.0))
		return false;
	for (size_t i = 0; i < weights->listed; i++)
		if (weights->word[i] >= weights->words ||
			(i > 0 && weights->word[i] <= weights->word[i - 1]) ||
			!(weights->weight[i] > 0.0f && weights->weight[i] <= 1.0f))
			return false;
	if (weights->common == NULL)
		return true;
	for (int j = 0; j < weights->dims; j++)
		length += (double) weights->common[j] * weights->common[j];
	return fabs(length - 1.0) < 1e-5;
}

/* The arrays behind the fixed part. */
static Status
read_lists(const Caller *caller, Reader *reader, bool has_common, WordWeights *weights)
{
	uint32_t	listed = read_u32(reader);

	if (reader->failed || listed > weights->words ||
		reader_left(reader) / (sizeof(uint32_t) + sizeof(float)) < listed)
		return STATUS_CORRUPT;
	weights->listed = listed;
	weights->word = allocate_array(caller, listed, sizeof(uint32_t));
	if (weights->word == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < listed; i++)
		weights->word[i] = read_u32(reader);
	weights->weight = read_floats(reader, caller, listed);
	if (has_common)
		weights->common = read_floats(reader, caller, (size_t) weights->dims);
	if (reader->failed)
		return STATUS_CORRUPT;
	if (weights->weight == NULL || (has_common && weights->common == NULL))
		return STATUS_NO_MEMORY;
	return valid_weights(weights) ? STATUS_SUCCESS : STATUS_CORRUPT;
}

Status
word_weights_read(const Caller *caller, Reader *reader, const Encoder *encoder,
				  WordWeights **weights)
{
	uint32_t	magic = read_u32(reader);
	uint32_t	version = read_u32(reader);
	uint32_t	flags = read_u32(reader);
	uint32_t	dims = read_u32(reader);
	uint64_t	fingerprint = read_u64(reader);
	WordWeights *read;
	Status		status;

	*weights = NULL;
	if (reader->failed || magic != WEIGHTS_MAGIC || version != WEIGHTS_VERSION ||
		flags > HAS_COMMON || encoder->kind != ENCODER_WORDS ||
		dims != (uint32_t) encoder->dims || fingerprint != encoder->word_table->fingerprint)
		return STATUS_CORRUPT;
	read = allocate_array(caller, 1, sizeof(WordWeights));
	if (read == NULL)
		return STATUS_NO_MEMORY;
	read->words = encoder->word_table->n;
	read->dims = encoder->dims;
	read->fingerprint = fingerprint;
	read->smoothing = read_double(reader);
	read->unseen = read_double(reader);
	read->known = read_u64(reader);
	read->unknown = read_u64(reader);
	status = read_lists(caller, reader, (flags & HAS_COMMON) != 0, read);
	if (status != STATUS_SUCCESS)
	{
		word_weights_free(caller, read);
		return status;
	}
	*weights = read;
	return STATUS_SUCCESS;
}
