/*-------------------------------------------------------------------------
 *
 * transformer_kernels.h
 *	  What a transformer needs of elementary functions and sums, such that a
 *	  compiler turns it into vector instructions; see ../math/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TRANSFORMER_KERNELS_H
#define HUMANLOOP_TRANSFORMER_KERNELS_H

#include "../math/kernels.h"

/* Lanes of a strip: loops of this fixed length become vectors. */
#define STRIP 16

/*
 * x times the distribution function of the normal distribution,
 * x (1 + erf(x / sqrt 2)) / 2, within 5e-7 (Hendrycks and Gimpel, "Gaussian
 * error linear units", 2016).
 *
 * erfc(z) = (a1 t + .. + a5 t^5) exp(-z^2) with t = 1 / (1 + p z), z >= 0,
 * within 1.5e-7 (Abramowitz and Stegun, 7.1.26); the rest is symmetry.
 */
ALWAYS_INLINE float
gelu_float(float x)
{
	float		size = x < 0.0f ? -x : x;
	float		z = size * 0.70710678f;
	float		t = 1.0f / (1.0f + 0.3275911f * z);
	float		p = 1.061405429f;

	p = p * t - 1.453152027f;
	p = p * t + 1.421413741f;
	p = p * t - 0.284496736f;
	p = p * t + 0.254829592f;
	return (x + size) * 0.5f - 0.5f * size * p * t * exp_float(-z * z);
}

/* Sum of x, and of the squares of what remains of it without `mean`. */
ALWAYS_INLINE float
sum_float(const float *x, int n)
{
	float		strip[STRIP] = {0};
	float		sum = 0.0f;
	int			i = 0;

	for (; i + STRIP <= n; i += STRIP)
		for (int j = 0; j < STRIP; j++)
			strip[j] += x[i + j];
	for (; i < n; i++)
		sum += x[i];
	for (int j = 0; j < STRIP; j++)
		sum += strip[j];
	return sum;
}

ALWAYS_INLINE float
squares_float(const float *x, int n, float mean)
{
	float		strip[STRIP] = {0};
	float		sum = 0.0f;
	int			i = 0;

	for (; i + STRIP <= n; i += STRIP)
		for (int j = 0; j < STRIP; j++)
			strip[j] += (x[i + j] - mean) * (x[i + j] - mean);
	for (; i < n; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	for (int j = 0; j < STRIP; j++)
		sum += strip[j];
	return sum;
}

#endif							/* HUMANLOOP_TRANSFORMER_KERNELS_H */
