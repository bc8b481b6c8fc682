/*-------------------------------------------------------------------------
 *
 * encode_vector.c
 *	  Vectors that somebody else has computed, brought to unit length.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder_internal.h"

#include <math.h>

/* STATUS_BAD_ARGUMENT for a length that no encoder has, STATUS_NO_MEMORY. */
Status
vector_encoder(const Caller *caller, int dims, Encoder **encoder)
{
	*encoder = NULL;
	if (dims < 1 || dims > ENCODER_MAX_DIMS)
		return STATUS_BAD_ARGUMENT;
	*encoder = encoder_allocate(caller, ENCODER_VECTOR, dims);
	return *encoder == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/*
 * The squares of floats are exact in double and their sum cannot overflow,
 * so that neither tiny nor huge vectors lose their direction.
 */
Status
encode_vector(const Encoder *encoder, const float *vector, int n, Encoding *encoding)
{
	double		sum = 0.0;
	double		length;

	if (encoder->kind != ENCODER_VECTOR || n != encoder->dims)
		return STATUS_BAD_ARGUMENT;
	for (int i = 0; i < n; i++)
		sum += (double) vector[i] * vector[i];
	if (!isfinite(sum))
		return STATUS_NOT_FINITE;
	length = sqrt(sum);
	for (int i = 0; i < n; i++)
		encoding->dense[i] = length > 0.0 ? (float) (vector[i] / length) : 0.0f;
	encoding->terms = 0;
	return STATUS_SUCCESS;
}
