/*-------------------------------------------------------------------------
 *
 * encoder_internal.h
 *	  What the files of this room share about an encoder.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ENCODER_INTERNAL_H
#define HUMANLOOP_ENCODER_INTERNAL_H

#include "encoder.h"

/*
 * Hot loops over contiguous arrays are compiled once more for processors with
 * wider registers.  Only loops whose result does not depend on the width may
 * be marked so: each element on its own, every product exact.
 */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && \
	defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE_CLONES_ARE_REAL
#define WIDE_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define WIDE_CLONES
#endif

#define ENCODER_MAX_VOCABULARY (1 << 24)

/* Occurrences of a term in a row are counted up to this */
#define TERM_MAX_COUNT 255

typedef struct Combination Combination;

struct Encoder
{
	EncoderKind kind;
	int			dims;
	struct Transformer *transformer;	/* for transformers only */
	struct WordTable *word_table;	/* for word vectors only */
	Combination *combination;	/* for combinations only */

	/*
	 * Terms of the sparse stage: for text, and for a combination those of all
	 * its parts.
	 */
	int			vocabulary;

	/* From here on for text only.  Terms below `words` are words, then pieces */
	int			words;
	uint64_t   *hash;			/* vocabulary */
	float	   *idf;			/* vocabulary */
	float	   *scale;			/* vocabulary; of the mantissas */
	int16_t    *mantissa;		/* vocabulary x dims: projection = scale * mantissa */
	bool		borrowed;		/* mantissa lies in the bytes that were read */

	/* Derived from the above when it is read */
	int			slot_bits;
	uint64_t   *slots;			/* 2^slot_bits: low half of hash, term + 1 */
	float		count_weight[TERM_MAX_COUNT + 1];	/* 1 + ln(count) */
};

/* Rows of mantissas that add_rows takes at once */
#define ROWS_A_PASS 4

/*
 * A row of dims floats, each a finite number, as mantissas of 15 bits and
 * sign; returns their common scale.  The error of each is below 2^-16 of the
 * largest.
 */
extern float quantise_row(const float *row, int dims, int16_t *mantissa);

/*
 * sum[j] += sum over four rows of weight * mantissa[j], in this order.  All
 * products are exact if the weights are floats; a row whose weight is 0 may
 * be any.
 */
extern void add_rows(double *restrict sum, int dims, const double *weight,
					 const int16_t *const *rows);

/* Asks for a row that is used a little later. */
static inline void
fetch_row(const int16_t *row, int dims)
{
#ifdef __GNUC__
	for (int j = 0; j < dims; j += 32)
		__builtin_prefetch(row + j);
#else
	(void) row;
	(void) dims;
#endif
}

/* An empty encoder of that kind; NULL when there is no memory. */
extern Encoder *encoder_allocate(const Caller *caller, EncoderKind kind, int dims);

/*
 * Makes what is derived from hash: the table by which terms are found.
 * STATUS_CORRUPT where hashes collide as no fitted ones do.
 */
extern Status text_encoder_index(const Caller *caller, Encoder *encoder);

/* encoder_read, but for what is part of a combination: no combination. */
extern Status encoder_read_part(const Caller *caller, Reader *reader, bool in_place,
								Encoder **encoder);

extern Status text_encoding_init(const Encoder *encoder, Encoding *encoding);

/* Room for that many terms; what was in the arrays is lost. */
extern Status encoding_room(Encoding *encoding, int terms);

/*
 * Weights of terms from..to-1 of an encoding, from their counts; base is the
 * index that the encoder's first term has there.
 */
extern void text_weigh_terms(const Encoder *encoder, Encoding *encoding, int from, int to,
							 uint32_t base);

/* The sparse part of encode_text alone, before there is a projection. */
extern Status encode_terms(const Encoder *encoder, const char *utf8, size_t length,
						   Encoding *encoding);

/* The index of a term of a text encoder, or -1; and the projection of one, dims floats. */
extern int	text_find_term(const Encoder *encoder, uint64_t hash);
extern void text_term_projection(const Encoder *encoder, uint32_t term, float *projection);

extern Status text_encoder_write(const Encoder *encoder, Writer *writer);
extern Status text_encoder_read(const Caller *caller, Reader *reader, bool in_place,
								Encoder *encoder);

#endif							/* HUMANLOOP_ENCODER_INTERNAL_H */
