/*-------------------------------------------------------------------------
 *
 * encode_text.c
 *	  A row of text to TF-IDF weights and on to a dense unit vector.
 *
 * A term that occurs t times in the row weighs (1 + ln t) * idf; the words of
 * a row are scaled to unit length, and so are its pieces.  The dense vector is
 * the weights times the projection matrix that text_fit.c has found, scaled
 * to unit length.
 *
 * The same text must give the same bits on every machine, whatever registers
 * it has and whether its compiler fuses multiplications with additions.  So
 * every product that is summed is exact: a float (24 bits) times a mantissa
 * (15 bits) or another float fits into a double (53 bits), and sums are taken
 * in one fixed order.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder_internal.h"

#include <math.h>
#include <string.h>

#include "terms.h"
#include "transformer_internal.h"
#include "words.h"

/* Largest values that a fitted encoder can hold, with room */
#define MAX_IDF 1000.0f
#define MAX_SCALE 1.0f

/* No fitted vocabulary comes near: its table is at most half full. */
#define MAX_PROBES 4096

#define DIMS_A_STEP 32

/* First length of the sparse arrays of an encoding */
#define FIRST_CAPACITY 256

/* Scratch of one encoding: which terms the row has, and how often. */
typedef struct TextScratch
{
	bool		dirty;			/* a row was left half-way: clear it all */
	int			distinct;		/* terms present */
	size_t		words;			/* of present */
	double	   *sum;			/* dims */
	uint64_t   *present;		/* one bit a term */
	uint8_t    *tally;			/* vocabulary; saturates at TERM_MAX_COUNT */
} TextScratch;

/* What tally_terms needs. */
typedef struct TallyState
{
	const Encoder *encoder;
	TextScratch *scratch;
} TallyState;

/*
 * The table by which terms are found: term + 1 in the low half, the low half
 * of the hash in the high half, so that an n-gram outside the vocabulary
 * (every second one) is nearly always refused without looking at its hash.
 */
static inline size_t
first_slot(const Encoder *encoder, uint64_t hash)
{
	/* not the hash itself: of equally rare n-grams those with small ones are kept */
	return (size_t) (hash * UINT64_C(0x9E3779B97F4A7C15) >> (64 - encoder->slot_bits));
}

Status
text_encoder_index(const Caller *caller, Encoder *encoder)
{
	size_t		mask;

	encoder->slot_bits = 1;
	while (((int64_t) 1 << encoder->slot_bits) < (int64_t) encoder->vocabulary * 2)
		encoder->slot_bits++;
	mask = ((size_t) 1 << encoder->slot_bits) - 1;
	encoder->slots = allocate_array(caller, mask + 1, sizeof(uint64_t));
	if (encoder->slots == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < encoder->vocabulary; i++)
	{
		uint64_t	hash = encoder->hash[i];
		size_t		slot = first_slot(encoder, hash);

		for (int probes = 0; encoder->slots[slot] != 0; probes++)
		{
			if (probes >= MAX_PROBES)
				return STATUS_CORRUPT;
			slot = (slot + 1) & mask;
		}
		encoder->slots[slot] = hash << 32 | (uint32_t) (i + 1);
	}
	for (int i = 1; i <= TERM_MAX_COUNT; i++)
		encoder->count_weight[i] = (float) (1.0 + log(i));
	return STATUS_SUCCESS;
}

/* The index of a term, or -1. */
static inline int
find_term(const Encoder *encoder, uint64_t hash)
{
	size_t		mask = ((size_t) 1 << encoder->slot_bits) - 1;
	size_t		slot = first_slot(encoder, hash);
	uint64_t	entry;

	while ((entry = encoder->slots[slot]) != 0)
	{
		if ((uint32_t) (entry >> 32) == (uint32_t) hash)
		{
			int			term = (int) (uint32_t) entry - 1;

			if (encoder->hash[term] == hash)
				return term;
		}
		slot = (slot + 1) & mask;
	}
	return -1;
}

/* One block: the struct, then its arrays by falling alignment. */
Status
text_encoding_init(const Encoder *encoder, Encoding *encoding)
{
	size_t		dims = (size_t) encoder->dims;
	size_t		words = ((size_t) encoder->vocabulary + 63) / 64;
	size_t		header = (sizeof(TextScratch) + 15) / 16 * 16;
	unsigned char *block;
	TextScratch *scratch;

	block = allocate_array(encoding->caller, 1,
						   header + dims * sizeof(double) + words * sizeof(uint64_t) +
						   (size_t) encoder->vocabulary);
	if (block == NULL)
		return STATUS_NO_MEMORY;
	scratch = (TextScratch *) block;
	scratch->words = words;
	scratch->sum = (double *) (block + header);
	scratch->present = (uint64_t *) (scratch->sum + dims);
	scratch->tally = (uint8_t *) (scratch->present + words);
	encoding->scratch = scratch;
	return STATUS_SUCCESS;
}

/* Room for that many terms; what was in the arrays is lost. */
Status
encoding_room(Encoding *encoding, int terms)
{
	int			capacity = encoding->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : encoding->capacity;

	if (terms <= encoding->capacity)
		return STATUS_SUCCESS;
	while (capacity < terms)
		capacity = capacity > terms / 2 ? terms : capacity * 2;
	release(encoding->caller, encoding->index);
	release(encoding->caller, encoding->count);
	release(encoding->caller, encoding->weight);
	encoding->capacity = 0;
	encoding->terms = 0;
	encoding->index = allocate_array(encoding->caller, (size_t) capacity, sizeof(uint32_t));
	encoding->count = allocate_array(encoding->caller, (size_t) capacity, sizeof(uint8_t));
	encoding->weight = allocate_array(encoding->caller, (size_t) capacity, sizeof(float));
	if (encoding->index == NULL || encoding->count == NULL || encoding->weight == NULL)
		return STATUS_NO_MEMORY;
	encoding->capacity = capacity;
	return STATUS_SUCCESS;
}

int
text_find_term(const Encoder *encoder, uint64_t hash)
{
	return encoder->kind == ENCODER_TEXT && encoder->vocabulary > 0 ?
		find_term(encoder, hash) : -1;
}

void
text_term_projection(const Encoder *encoder, uint32_t term, float *projection)
{
	const int16_t *mantissa = encoder->mantissa + (size_t) term * (size_t) encoder->dims;

	for (int j = 0; j < encoder->dims; j++)
		projection[j] = encoder->scale[term] * mantissa[j];
}

/* Takes a batch of n-grams of the row: known ones are tallied. */
static Status
tally_terms(void *state, const uint64_t *hashes, int count)
{
	const Encoder *encoder = ((TallyState *) state)->encoder;
	TextScratch *scratch = ((TallyState *) state)->scratch;

	for (int i = 0; i < count; i++)
	{
		int			term = find_term(encoder, hashes[i]);

		if (term < 0)
			continue;
		if (scratch->tally[term] == 0)
		{
			scratch->present[term / 64] |= UINT64_C(1) << (term % 64);
			scratch->distinct++;
		}
		if (scratch->tally[term] < TERM_MAX_COUNT)
			scratch->tally[term]++;
	}
	return STATUS_SUCCESS;
}

/* Number of the lowest bit set; bits is not 0. */
static inline int
lowest_bit(uint64_t bits)
{
#ifdef __GNUC__
	return __builtin_ctzll(bits);
#else
	int			number = 0;

	while ((bits & 1) == 0)
	{
		bits >>= 1;
		number++;
	}
	return number;
#endif
}

/* Moves the tallied terms into the encoding, ascending; leaves it clean. */
static void
collect_terms(TextScratch *scratch, Encoding *encoding)
{
	int			terms = 0;

	for (size_t word = 0; word < scratch->words; word++)
	{
		uint64_t	bits = scratch->present[word];

		scratch->present[word] = 0;
		while (bits != 0)
		{
			size_t		term = word * 64 + (size_t) lowest_bit(bits);

			bits &= bits - 1;
			encoding->index[terms] = (uint32_t) term;
			encoding->count[terms] = scratch->tally[term];
			scratch->tally[term] = 0;
			terms++;
		}
	}
	encoding->terms = terms;
	scratch->distinct = 0;
}

/*
 * Weights of terms from..to-1 of the encoding, scaled to unit length; base is
 * the index that the encoder's first term has there.
 */
static void
weigh_part(const Encoder *encoder, Encoding *encoding, int from, int to, uint32_t base)
{
	double		sum = 0.0;
	double		length;

	for (int i = from; i < to; i++)
	{
		float		weight = encoder->count_weight[encoding->count[i]] *
			encoder->idf[encoding->index[i] - base];

		encoding->weight[i] = weight;
		sum += (double) weight * weight;
	}
	length = sqrt(sum);
	for (int i = from; i < to; i++)
		encoding->weight[i] = (float) (encoding->weight[i] / length);
}

/* Weights from counts; the words of a row lie before its pieces. */
void
text_weigh_terms(const Encoder *encoder, Encoding *encoding, int from, int to, uint32_t base)
{
	int			words = from;

	while (words < to && encoding->index[words] - base < (uint32_t) encoder->words)
		words++;
	weigh_part(encoder, encoding, from, words, base);
	weigh_part(encoder, encoding, words, to, base);
}

Status
encode_terms(const Encoder *encoder, const char *utf8, size_t length, Encoding *encoding)
{
	TextScratch *scratch = encoding->scratch;
	TallyState	state = {encoder, scratch};

	if (scratch->dirty)
	{
		memset(scratch->present, 0, scratch->words * sizeof(uint64_t));
		memset(scratch->tally, 0, (size_t) encoder->vocabulary);
		scratch->distinct = 0;
	}
	scratch->dirty = true;
	encoding->terms = 0;
	if (encoder->vocabulary > 0)
		TRY(text_terms(encoding->caller, utf8, length, tally_terms, &state));
	TRY(encoding_room(encoding, scratch->distinct));
	collect_terms(scratch, encoding);
	scratch->dirty = false;
	text_weigh_terms(encoder, encoding, 0, encoding->terms, 0);
	return STATUS_SUCCESS;
}

/*
 * The inner loop has a fixed length: at the usual optimisation level compilers
 * use wide registers for such loops only.
 */
WIDE_CLONES
void
add_rows(double *restrict sum, int dims, const double *weight, const int16_t *const *rows)
{
	const int16_t *restrict a = rows[0];
	const int16_t *restrict b = rows[1];
	const int16_t *restrict c = rows[2];
	const int16_t *restrict d = rows[3];
	double		weight_a = weight[0];
	double		weight_b = weight[1];
	double		weight_c = weight[2];
	double		weight_d = weight[3];
	int			j = 0;

	for (; j + DIMS_A_STEP <= dims; j += DIMS_A_STEP)
	{
		for (int i = 0; i < DIMS_A_STEP; i++)
			sum[i] = sum[i] + weight_a * a[i] + weight_b * b[i] +
				weight_c * c[i] + weight_d * d[i];
		sum += DIMS_A_STEP;
		a += DIMS_A_STEP;
		b += DIMS_A_STEP;
		c += DIMS_A_STEP;
		d += DIMS_A_STEP;
	}
	for (int i = 0; i < dims - j; i++)
		sum[i] = sum[i] + weight_a * a[i] + weight_b * b[i] +
			weight_c * c[i] + weight_d * d[i];
}

/* Asks for the projections of four terms, which are used one pass later. */
static inline void
fetch_projections(const int16_t *const *rows, int dims)
{
	for (int k = 0; k < ROWS_A_PASS; k++)
		fetch_row(rows[k], dims);
}

/*
 * Projections and their weights of the terms from i on; where there are no
 * more, the weight is 0 and the projection any.
 */
static void
look_up_pass(const Encoder *encoder, const Encoding *encoding, int i,
			 const int16_t **rows, double *weight)
{
	for (int k = 0; k < ROWS_A_PASS; k++)
	{
		bool		there = i + k < encoding->terms;
		size_t		term = there ? encoding->index[i + k] : encoding->index[0];

		/* rounded to float, so that the products are exact */
		weight[k] = there ? (float) ((double) encoding->weight[i + k] *
									 encoder->scale[term]) : 0.0f;
		rows[k] = encoder->mantissa + term * (size_t) encoder->dims;
	}
}

/* dense = unit(weights x projection), 1 x dims. */
static void
project(const Encoder *encoder, Encoding *encoding)
{
	TextScratch *scratch = encoding->scratch;
	int			dims = encoder->dims;
	double		sum = 0.0;
	double		length;
	const int16_t *rows[2][ROWS_A_PASS];
	double		weight[2][ROWS_A_PASS];
	int			now = 0;

	memset(scratch->sum, 0, (size_t) dims * sizeof(double));
	if (encoding->terms > 0)
		look_up_pass(encoder, encoding, 0, rows[now], weight[now]);
	for (int i = 0; i < encoding->terms; i += ROWS_A_PASS)
	{
		look_up_pass(encoder, encoding, i + ROWS_A_PASS, rows[!now], weight[!now]);
		fetch_projections(rows[!now], dims);
		add_rows(scratch->sum, dims, weight[now], rows[now]);
		now = !now;
	}
	for (int j = 0; j < dims; j++)
	{
		encoding->dense[j] = (float) scratch->sum[j];
		sum += (double) encoding->dense[j] * encoding->dense[j];
	}
	length = sqrt(sum);
	for (int j = 0; j < dims; j++)
		encoding->dense[j] = length > 0.0 ? (float) (encoding->dense[j] / length) : 0.0f;
}

Status
encode_text(const Encoder *encoder, const char *utf8, size_t length, Encoding *encoding)
{
	if (encoder->kind == ENCODER_TRANSFORMER)
		return transformer_encode(encoder, &utf8, &length, 1, encoding, encoding->dense);
	if (encoder->kind == ENCODER_WORDS)
		return encode_words(encoder, NULL, utf8, length, encoding, encoding->dense);
	if (encoder->kind != ENCODER_TEXT)
		return STATUS_BAD_ARGUMENT;
	TRY(encode_terms(encoder, utf8, length, encoding));
	project(encoder, encoding);
	return STATUS_SUCCESS;
}

/* Stored: vocabulary, words, hashes, idf, scales, mantissas. */
Status
text_encoder_write(const Encoder *encoder, Writer *writer)
{
	size_t		vocabulary = (size_t) encoder->vocabulary;

	write_u32(writer, (uint32_t) encoder->vocabulary);
	write_u32(writer, (uint32_t) encoder->words);
	write_u64s(writer, encoder->hash, vocabulary);
	write_floats(writer, encoder->idf, vocabulary);
	write_floats(writer, encoder->scale, vocabulary);
	write_i16s(writer, encoder->mantissa, vocabulary * (size_t) encoder->dims);
	return writer->failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* Are all values such as a fit leaves them?  NaN fails every comparison. */
static bool
valid_text_encoder(const Encoder *encoder)
{
	for (int i = 0; i < encoder->vocabulary; i++)
	{
		if (!(encoder->idf[i] > 0.0f && encoder->idf[i] <= MAX_IDF) ||
			!(encoder->scale[i] >= 0.0f && encoder->scale[i] <= MAX_SCALE) ||
			term_kind(encoder->hash[i]) != (i < encoder->words ? TERM_WORD : TERM_PIECE))
			return false;
	}
	return true;
}

/*
 * The projection, left in the reader's bytes where that is wanted and they
 * can be used as they are.
 */
static void
read_projection(const Caller *caller, Reader *reader, bool in_place, Encoder *encoder)
{
	size_t		count = (size_t) encoder->vocabulary * (size_t) encoder->dims;
	const unsigned char *bytes = reader->bytes + reader->position;

	if (!in_place || !little_endian() || (uintptr_t) bytes % sizeof(int16_t) != 0 ||
		reader_left(reader) / sizeof(int16_t) < count)
	{
		encoder->mantissa = read_i16s(reader, caller, count);
		return;
	}
	encoder->mantissa = (int16_t *) (uintptr_t) bytes;	/* only ever read */
	encoder->borrowed = true;
	reader->position += count * sizeof(int16_t);
}

/* Fills in an encoder of known dims; on failure the caller frees it. */
Status
text_encoder_read(const Caller *caller, Reader *reader, bool in_place, Encoder *encoder)
{
	uint32_t	vocabulary = read_u32(reader);
	uint32_t	words = read_u32(reader);
	size_t		term_bytes = sizeof(uint64_t) + 2 * sizeof(float) +
		(size_t) encoder->dims * sizeof(int16_t);

	if (reader->failed || vocabulary > ENCODER_MAX_VOCABULARY || words > vocabulary ||
		reader_left(reader) / term_bytes < vocabulary)
		return STATUS_CORRUPT;
	encoder->vocabulary = (int) vocabulary;
	encoder->words = (int) words;
	encoder->hash = read_u64s(reader, caller, vocabulary);
	encoder->idf = read_floats(reader, caller, vocabulary);
	encoder->scale = read_floats(reader, caller, vocabulary);
	read_projection(caller, reader, in_place, encoder);
	if (reader->failed)
		return STATUS_CORRUPT;
	if (encoder->hash == NULL || encoder->idf == NULL || encoder->scale == NULL ||
		encoder->mantissa == NULL)
		return STATUS_NO_MEMORY;
	if (!valid_text_encoder(encoder))
		return STATUS_CORRUPT;
	return text_encoder_index(caller, encoder);
}
