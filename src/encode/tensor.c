/*-------------------------------------------------------------------------
 *
 * tensor.c
 *	  Weights as files have them: three formats of floating point numbers.
 *
 * An encoder is read at the first prediction of a session, tens of millions
 * of numbers at once, so these loops are such as compilers vectorise: no
 * branch, blocks of a fixed length, integer operations on the bits.
 *
 *-------------------------------------------------------------------------
 */
#include "tensor.h"

#include <string.h>

#include "../math/buffer.h"
#include "../math/kernels.h"

#define BLOCK 64

/* 2^112: from the exponent of a half, moved up, to that of a float */
#define HALF_TO_FLOAT 5192296858534827628530496329220096.0f

size_t
tensor_element(TensorType type)
{
	return type == TENSOR_F32 ? 4 : type == TENSOR_F16 || type == TENSOR_BF16 ? 2 : 0;
}

/*
 * A half has 5 bits of exponent and 10 of mantissa.  In the place of a
 * float's they mean 2^-112 times their value, subnormals included, and the
 * product by 2^112 is exact.  Returns a bit that is set where all of the
 * exponent is: infinity or NaN.
 */
ALWAYS_INLINE uint32_t
half_to_float(uint32_t half, float *value)
{
	uint32_t	bits = (half & 0x7FFF) << 13;

	memcpy(value, &bits, sizeof(bits));
	*value *= HALF_TO_FLOAT;
	memcpy(&bits, value, sizeof(bits));
	bits |= (half & 0x8000) << 16;
	memcpy(value, &bits, sizeof(bits));
	return ((half & 0x7C00) + 0x0400) & 0x8000;
}

FOR_EACH_PROCESSOR
static uint32_t
block_from_half(const uint16_t *restrict halves, float *restrict floats)
{
	uint32_t	bad[BLOCK];
	uint32_t	any = 0;

	for (int i = 0; i < BLOCK; i++)
		bad[i] = half_to_float(halves[i], &floats[i]);
	for (int i = 0; i < BLOCK; i++)
		any |= bad[i];
	return any;
}

/* The bits of a float are those of a BF16 and sixteen more. */
FOR_EACH_PROCESSOR
static uint32_t
block_from_upper_half(const uint16_t *restrict halves, uint32_t *restrict bits)
{
	uint32_t	any = 0;

	for (int i = 0; i < BLOCK; i++)
		bits[i] = (uint32_t) halves[i] << 16;
	for (int i = 0; i < BLOCK; i++)
		any |= ((bits[i] & UINT32_C(0x7F800000)) + UINT32_C(0x00800000)) & UINT32_C(0x80000000);
	return any;
}

FOR_EACH_PROCESSOR
static uint32_t
block_not_finite(const uint32_t *bits)
{
	uint32_t	any = 0;

	for (int i = 0; i < BLOCK; i++)
		any |= ((bits[i] & UINT32_C(0x7F800000)) + UINT32_C(0x00800000)) & UINT32_C(0x80000000);
	return any;
}

/* At most a block of stored elements as floats; 0 if all are finite. */
static uint32_t
block_to_floats(TensorType type, const unsigned char *bytes, size_t n, float *floats)
{
	uint16_t	halves[BLOCK] = {0};
	uint32_t	bits[BLOCK] = {0};
	uint32_t	any;

	if (type == TENSOR_F32)
	{
		copy_elements(bits, bytes, n, 4);
		memcpy(floats, bits, sizeof(bits));
		return block_not_finite(bits);
	}
	copy_elements(halves, bytes, n, 2);
	if (type == TENSOR_F16)
		return block_from_half(halves, floats);
	any = block_from_upper_half(halves, bits);
	memcpy(floats, bits, sizeof(bits));
	return any;
}

bool
tensor_to_floats(TensorType type, const unsigned char *bytes, size_t n, float *floats)
{
	size_t		size = tensor_element(type);
	uint32_t	any = 0;
	size_t		i = 0;

	for (; i + BLOCK <= n; i += BLOCK)
		any |= block_to_floats(type, bytes + i * size, BLOCK, floats + i);
	if (i < n)
	{
		float		rest[BLOCK];

		any |= block_to_floats(type, bytes + i * size, n - i, rest);
		memcpy(floats + i, rest, (n - i) * sizeof(float));
	}
	return any == 0;
}

bool
tensor_finite(TensorType type, const unsigned char *bytes, size_t n)
{
	size_t		size = tensor_element(type);
	float		floats[BLOCK];
	uint32_t	any = 0;

	for (size_t i = 0; i < n; i += BLOCK)
		any |= block_to_floats(type, bytes + i * size, n - i < BLOCK ? n - i : BLOCK, floats);
	return any == 0;
}

void
tensor_to_bytes(const float *floats, size_t n, unsigned char *bytes)
{
	copy_elements(bytes, floats, n, sizeof(float));
}

/* The inverse of half_to_float for what it can return; no rounding. */
static uint16_t
float_to_half(float value)
{
	uint32_t	bits;
	uint32_t	sign;

	memcpy(&bits, &value, sizeof(bits));
	sign = bits >> 16 & 0x8000;
	bits &= UINT32_C(0x7FFFFFFF);
	memcpy(&value, &bits, sizeof(bits));
	value *= 1.0f / HALF_TO_FLOAT;
	memcpy(&bits, &value, sizeof(bits));
	return (uint16_t) (sign | (bits >> 13 & 0x7FFF));
}

void
tensor_from_floats(TensorType type, const float *floats, size_t n, int16_t *halves)
{
	for (size_t i = 0; i < n; i++)
	{
		uint16_t	half;
		uint32_t	bits;

		memcpy(&bits, &floats[i], sizeof(bits));
		half = type == TENSOR_F16 ? float_to_half(floats[i]) : (uint16_t) (bits >> 16);
		memcpy(&halves[i], &half, sizeof(half));
	}
}
