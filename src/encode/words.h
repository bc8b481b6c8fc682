/*-------------------------------------------------------------------------
 *
 * words.h
 *	  Texts as weighted means of vectors of their words.
 *
 * The vectors were learned by somebody else (GloVe, word2vec, fastText) and
 * are the same for everybody: word_vectors.h makes an encoder of kind
 * ENCODER_WORDS from their files.  Common words say little and are in every
 * mean; so words can be weighted by smooth inverse frequency (Arora, Liang
 * and Ma, "A simple but tough-to-beat baseline for sentence embeddings",
 * ICLR 2017), and those weights are fitted to the user's own rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_WORDS_H
#define HUMANLOOP_WORDS_H

#include "encoder.h"

/* Number of words that an encoder of this kind has; 0 of another. */
extern int	encoder_words(const Encoder *encoder);

typedef struct WordWeightsOptions
{
	/* a of the weight a / (a + p) of a word of frequency p; 1e-9 to 1e6 */
	double		smoothing;

	/*
	 * The file's words stand by falling frequency, as those of GloVe,
	 * word2vec and fastText do.  Then p is no more than Zipf's law gives the
	 * word's place: one that is common in the rows but not in the language
	 * ("card" at a bank's) tells rows apart, and keeps its weight.
	 */
	bool		ranked;

	/* Take from each mean what most have in common; see word_weights_fit_finish */
	bool		remove_common;
	uint64_t	seed;			/* of the sample for that */
} WordWeightsOptions;

/* What does well on all of several sets of texts; see doc/design.md */
#define WORD_WEIGHTS_DEFAULT \
	{.smoothing = 3e-3, .ranked = true, .remove_common = false, .seed = 1}

typedef struct WordWeights WordWeights;
typedef struct WordWeightsFit WordWeightsFit;

/* The most bytes that a fit for this encoder allocates, however many texts. */
extern size_t word_weights_fit_bytes(const Encoder *encoder, const WordWeightsOptions *options);

/*
 * All texts go through word_weights_fit_add, in any order.  The encoder must
 * outlive the fit.  STATUS_BAD_ARGUMENT for an encoder of another kind or an
 * option out of range; STATUS_NO_MEMORY, STATUS_STOPPED.
 */
extern Status word_weights_fit_start(const Caller *caller, const Encoder *encoder,
									 const WordWeightsOptions *options, WordWeightsFit **fit);
extern Status word_weights_fit_add(WordWeightsFit *fit, const char *utf8, size_t length);

/*
 * The weights: a / (a + p(w)), with p(w) the share of w among the known words
 * of all texts.  Of ranked words, p is of as many words as the texts have and
 * 1,000 more, spread as Zipf's law says (p_r = 1 / (r (ln n + 0.5772)) for
 * the r-th of n), so that a few rows say nothing too loudly; and it is never
 * more than p_r.  A word that no text has gets the weight for what is then
 * its p: 1 where words are not ranked, and nearly that where they are.
 *
 * What texts have in common is the first right singular vector of their
 * weighted means, not centred, as Arora and others have it; found by power
 * iteration over a uniform sample of at most 8,192 texts, of each the first
 * 256 known words.
 *
 * Afterwards the fit can only be freed.  STATUS_BAD_ARGUMENT when it has been
 * finished before.
 */
extern Status word_weights_fit_finish(WordWeightsFit *fit, WordWeights **weights);
extern void word_weights_fit_free(WordWeightsFit *fit);

/*
 * Stored form; the reader accepts what any version has written for this
 * encoder.  STATUS_CORRUPT for anything else, also for the weights of another
 * encoder; STATUS_NO_MEMORY.
 */
extern Status word_weights_write(const WordWeights *weights, Writer *writer);
extern Status word_weights_read(const Caller *caller, Reader *reader, const Encoder *encoder,
								WordWeights **weights);
extern void word_weights_free(const Caller *caller, WordWeights *weights);

/* Words in the texts of the fit that the encoder knows, and does not know. */
extern void word_weights_coverage(const WordWeights *weights, uint64_t *known, uint64_t *unknown);

/*
 * The mean of the vectors of the text's known words to dense (dims floats,
 * of unit length, all zero where no word is known or their mean is nothing).
 * weights may be NULL: then it is the plain mean, and the same as
 * encode_text.  The encoding is scratch; dense may be its own.
 * STATUS_BAD_ARGUMENT for an encoder of another kind or the weights of
 * another; STATUS_STOPPED.
 */
extern Status encode_words(const Encoder *encoder, const WordWeights *weights,
						   const char *utf8, size_t length, Encoding *encoding, float *dense);

#endif							/* HUMANLOOP_WORDS_H */
