/*-------------------------------------------------------------------------
 *
 * tensor.h
 *	  Weights as files have them: three formats of floating point numbers.
 *
 * Files and stored encoders keep numbers little-endian and anywhere in
 * memory; half precision is kept half, since nothing else makes a pretrained
 * encoder smaller for nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TENSOR_H
#define HUMANLOOP_TENSOR_H

#include "../math/base.h"

typedef enum TensorType
{
	TENSOR_F32 = 0,
	TENSOR_F16 = 1,				/* IEEE 754 half precision */
	TENSOR_BF16 = 2,			/* the upper half of an F32 */
	TENSOR_OTHER = 3			/* nothing to compute with */
} TensorType;

/* A tensor that somebody else owns. */
typedef struct Tensor
{
	const char *name;
	size_t		name_length;
	TensorType	type;
	int			rank;
	const uint64_t *shape;		/* rank */
	const unsigned char *bytes; /* little-endian, at any address */
	size_t		length;			/* of bytes */
} Tensor;

/* Bytes of an element; 0 for TENSOR_OTHER. */
extern size_t tensor_element(TensorType type);

/*
 * n elements of stored bytes to floats, exactly (subnormals, too).  False
 * where one is infinite or NaN; the floats are then of no use.
 */
extern bool tensor_to_floats(TensorType type, const unsigned char *bytes, size_t n, float *floats);

/* n floats to stored bytes of type F32. */
extern void tensor_to_bytes(const float *floats, size_t n, unsigned char *bytes);

/*
 * The way back, to F16 or BF16 as numbers of 16 bits.  Exact for what
 * tensor_to_floats has made of the same type; anything else is cut off.
 */
extern void tensor_from_floats(TensorType type, const float *floats, size_t n, int16_t *halves);

/* Are all n elements of stored bytes finite?  Without writing any. */
extern bool tensor_finite(TensorType type, const unsigned char *bytes, size_t n);

#endif							/* HUMANLOOP_TENSOR_H */
