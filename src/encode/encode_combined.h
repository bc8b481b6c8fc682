/*-------------------------------------------------------------------------
 *
 * encode_combined.h
 *	  Encoders side by side, for the files of this room; others see encoder.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ENCODE_COMBINED_H
#define HUMANLOOP_ENCODE_COMBINED_H

#include "encoder_internal.h"

extern Status combination_encoding_init(const Encoder *encoder, Encoding *encoding);
extern void combination_encoding_free(Encoding *encoding);

/* encode_inputs and encode_ahead for an encoder of this kind. */
extern Status combination_encode(const Encoder *encoder, const EncoderInput *inputs,
								 const float *ahead, Encoding *encoding);
extern Status combination_encode_ahead(const Encoder *encoder, const EncoderInput *inputs,
									   int ninputs, int rows, Encoding *encoding, float *ahead);
extern int	combination_ahead_dims(const Encoder *encoder);

/* Weights from counts, of a whole row. */
extern void combination_weigh_terms(const Encoder *encoder, Encoding *encoding);

extern void combination_free(const Caller *caller, Combination *combination);
extern Status combination_write(const Encoder *encoder, Writer *writer);
extern Status combination_read(const Caller *caller, Reader *reader, bool in_place,
							   Encoder *encoder);

#endif							/* HUMANLOOP_ENCODE_COMBINED_H */
