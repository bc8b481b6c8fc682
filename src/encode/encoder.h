/*-------------------------------------------------------------------------
 *
 * encoder.h
 *	  The one interface of all encoders: a row goes in, an Encoding comes out.
 *
 * Every encoder ends in a dense vector of `dims` floats of unit length (or
 * all zero for an input that says nothing).  An encoder may also have a
 * sparse stage: term indices and weights below `sparse_dims`, from which the
 * slow training can learn more than the dense projection keeps.  Everything
 * behind this interface (store, learn, choose) is the same for all encoders.
 *
 *	  encode_text.c		built-in text features (TF-IDF + truncated SVD)
 *	  encode_vector.c	vectors that somebody else has computed
 *	  transformer.h		pretrained encoders of the BERT family
 *	  words.h			vectors of words, from the files of others
 *	  encode_combined.c	several of them side by side
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ENCODER_H
#define HUMANLOOP_ENCODER_H

#include "../math/base.h"
#include "../math/buffer.h"

typedef enum EncoderKind
{
	ENCODER_TEXT = 1,
	ENCODER_VECTOR = 2,
	ENCODER_TRANSFORMER = 3,
	ENCODER_WORDS = 4,
	ENCODER_COMBINED = 5
} EncoderKind;

#define ENCODER_LAST ENCODER_COMBINED

/* Sparse rows in compressed form; row i has terms start[i] .. start[i + 1]-1 */
typedef struct SparseRows
{
	int			n;
	const size_t *start;		/* n + 1 */
	const uint32_t *index;		/* ascending within a row, < sparse_dims */
	const float *weight;
} SparseRows;

/* A scratch area and result, reused from row to row; see encoding_init. */
typedef struct Encoding
{
	const Caller *caller;
	EncoderKind kind;			/* of the encoder that it is for */
	float	   *dense;			/* dims of the encoder */
	int			terms;			/* sparse stage; 0 when there is none */
	int			capacity;
	uint32_t   *index;			/* ascending */
	uint8_t    *count;			/* occurrences, saturating at 255 */
	float	   *weight;
	void	   *scratch;		/* the encoder's own */
} Encoding;

typedef struct Encoder Encoder;

extern EncoderKind encoder_kind(const Encoder *encoder);
extern int	encoder_dims(const Encoder *encoder);
extern int	encoder_sparse_dims(const Encoder *encoder);	/* 0: no sparse stage */

extern Status encoding_init(const Caller *caller, const Encoder *encoder, Encoding *encoding);
extern void encoding_free(Encoding *encoding);

/*
 * UTF-8 text to dense and sparse parts.  Invalid bytes are never an error:
 * they separate, or are, for a transformer of byte pairs, bytes like others.
 * STATUS_BAD_ARGUMENT for an encoder of vectors.
 */
extern Status encode_text(const Encoder *encoder, const char *utf8, size_t length,
						  Encoding *encoding);

/*
 * The dense parts of n texts, n x dims; the encoding is scratch.  For
 * encoders that compute with matrices much faster than one after another,
 * and up to rounding the same.  A transformer needs `matrix`, for a single
 * text, too; STATUS_NOT_FINITE where its weights, each a number, lead to
 * something that is none.  After a failure dense is of no use.
 */
extern Status encode_texts(const Encoder *encoder, const char *const *texts,
						   const size_t *lengths, int n, Encoding *encoding, float *dense);

/*
 * A row may have several inputs, each a text or a vector; one with neither is
 * missing.
 */
typedef struct EncoderInput
{
	const char *text;			/* UTF-8 */
	size_t		length;
	const float *vector;
	int			n;
} EncoderInput;

#define ENCODER_MAX_INPUTS 8

/* Dense numbers that an encoder may make of a row */
#define ENCODER_MAX_DIMS 16384

/*
 * A row, whichever its inputs are; an encoder that is no combination reads the
 * first.  A combination needs at least one that a part of it can use.
 * STATUS_BAD_ARGUMENT, STATUS_NOT_FINITE: there is nothing to encode.  ahead:
 * what encode_ahead made of the row, or NULL.
 */
extern Status encode_inputs(const Encoder *encoder, const EncoderInput *inputs,
							const float *ahead, Encoding *encoding);

/*
 * Parts that compute with matrices do so much faster for many rows at once:
 * what they make of rows x ninputs inputs, rows x encoder_ahead_dims (0: there
 * is no such part).  Rows that they can make nothing of are NaN.  Needs
 * `matrix`.  STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern int	encoder_ahead_dims(const Encoder *encoder);
extern Status encode_ahead(const Encoder *encoder, const EncoderInput *inputs, int ninputs,
						   int rows, Encoding *encoding, float *ahead);

/* Does a dense part say nothing: is it all zero? */
extern bool dense_blank(const float *dense, int dims);

/*
 * A vector of n numbers to unit length.  STATUS_BAD_ARGUMENT where n is not
 * the encoder's dims, STATUS_NOT_FINITE for NaN or infinity.
 */
extern Status encode_vector(const Encoder *encoder, const float *vector, int n,
							Encoding *encoding);

/*
 * The sparse part of an encoding in few bytes (varint gaps and counts), as
 * it is kept beside the dense part; terms_unpack restores index, count and
 * weight.  terms_bound is an upper bound of the packed size in bytes.
 */
extern size_t terms_bound(const Encoding *encoding);
extern size_t terms_pack(const Encoding *encoding, unsigned char *bytes);
extern Status terms_unpack(const Encoder *encoder, const unsigned char *bytes, size_t length,
						   Encoding *encoding);

/* Stored form; the reader accepts what any version has written. */
extern Status encoder_write(const Encoder *encoder, Writer *writer);
extern Status encoder_read(const Caller *caller, Reader *reader, Encoder **encoder);

/*
 * The same, but what nearly all of it is (the projection of text features;
 * of a transformer the vectors of words, and in F32 all weights; of word
 * vectors everything) stays where it is in the reader's bytes if they are
 * aligned and little-endian: they must then outlive the encoder unchanged,
 * as a mapped file does.
 */
extern Status encoder_read_in_place(const Caller *caller, Reader *reader, Encoder **encoder);

/*
 * Writes it in a form that is larger where it has to be, and of which all that
 * encoder_read_in_place can leave where it is does stay there: weights of a
 * transformer are F32, whatever they were.  Read and encoder_write()n again it
 * remains that.  Every reader reads it, too.
 */
extern Status encoder_write_expanded(const Encoder *encoder, Writer *writer);
extern void encoder_free(const Caller *caller, Encoder *encoder);

/* An encoder of vectors of a given length. */
extern Status vector_encoder(const Caller *caller, int dims, Encoder **encoder);

/* Part of a combination; any other encoder is its own only part. */
typedef struct EncoderPart
{
	int			input;			/* which of a row's inputs it reads */
	EncoderKind kind;
	int			dims;
	uint64_t	reference;		/* 0: stored with the combination; else what
								 * the caller knows the encoder by */
	const Encoder *encoder;		/* NULL: not found yet */
	struct WordWeights *weights;	/* of word vectors; NULL: all words alike */
} EncoderPart;

#define COMBINATION_MAX_PARTS 16
#define ENCODER_MAX_DIMS 16384	/* of any, a combination, too */

/*
 * Encoders side by side, n of them; none is itself a combination, and one that
 * is referred to has no sparse stage.  Those without a reference belong to the
 * combination from then on.  kind and dims of the parts are not read.
 * STATUS_BAD_ARGUMENT, also where all together are too long.
 */
extern Status encoder_combine(const Caller *caller, const EncoderPart *parts, int n,
							  Encoder **encoder);

/* How many, and which. */
extern int	encoder_parts(const Encoder *encoder);
extern void encoder_part(const Encoder *encoder, int i, EncoderPart *part);

/*
 * After reading: what part i, which has a reference, refers to; it must outlive
 * the combination.  STATUS_CORRUPT where that is another kind of encoder, or
 * another than its weights are for; STATUS_NO_MEMORY.
 * Without, encoding_init is STATUS_BAD_ARGUMENT.
 */
extern Status encoder_refer(const Caller *caller, Encoder *encoder, int i, const Encoder *to);

/*
 * Number of an n-gram of part i among all terms of the sparse stage, by its hash
 * (terms.h); -1: it is not known, or the part has no n-grams.
 */
extern int	encoder_find_term(const Encoder *encoder, int i, uint64_t hash);

/*
 * The projection of a term, to as many numbers as its part has: a row's dense part
 * is the sum of those of its terms by their weights, scaled to the length of the
 * part.  Returns which part that is.
 */
extern int	encoder_term_projection(const Encoder *encoder, uint32_t term, float *projection);

/*
 * Fitting the text encoder.  All texts of the source go through
 * text_fit_add in any order; a bounded uniform sample of them (sample_rows)
 * is kept for the decomposition; memory stays below `memory` bytes whatever
 * the number of texts (rare n-grams are forgotten and counted anew when the
 * table of counts is full: lossy counting, Manku and Motwani, VLDB 2002).
 */
typedef struct TextFitOptions
{
	int			dims;			/* of the truncated SVD; fewer if the rank is */
	int			vocabulary;		/* at most so many n-grams are kept */
	int			sample_rows;	/* rows that the SVD sees */
	size_t		memory;			/* bytes for everything the fit allocates */
	uint64_t	seed;
} TextFitOptions;

typedef struct TextFit TextFit;

/*
 * STATUS_NO_MEMORY, and in *needed the bytes that would do, where `memory`
 * cannot hold even the smallest plan for these options.
 */
extern Status text_fit_start(const Caller *caller, const TextFitOptions *options,
							 TextFit **fit, size_t *needed);
extern Status text_fit_add(TextFit *fit, const char *utf8, size_t length);
extern Status text_fit_finish(TextFit *fit, Encoder **encoder);
extern void text_fit_free(TextFit *fit);

#endif							/* HUMANLOOP_ENCODER_H */
