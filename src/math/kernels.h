/*-------------------------------------------------------------------------
 *
 * kernels.h
 *	  Exponentials that a compiler can turn into vector instructions, and
 *	  the macro that has it do so for more than one processor.
 *
 * A row's scores take some 5,000 exponentials (64 draws of each class), a
 * training run some hundred million: libm's, one call a number, would be
 * most of the time.  Compilers turn loops around these into vector instructions
 * (see the Makefile for what gcc needs to be told).  They know nothing of NaN, of overflow or of the rounding mode:
 * arguments are finite, and results outside the range are clamped.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_KERNELS_H
#define HUMANLOOP_KERNELS_H

#include <stdint.h>
#include <string.h>

/*
 * Functions marked so are compiled for AVX-512, for AVX2 with FMA and for
 * the processor that the build asks for; the loader picks one.  Only where
 * the compiler is known to do it right: gcc from 12 on, x86-64, glibc (which
 * resolves them also in a library loaded with dlopen), no sanitizer (its
 * run-time is not there yet when the choice is made).
 */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && \
	!defined(__clang__) && __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__) && !defined(HUMANLOOP_NO_CLONES)
#define FOR_EACH_PROCESSOR \
	__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

/*
 * Helpers of such functions: a copy of them belongs into every version.
 */
#if defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

/*
 * Sixteen and eight floats at once, at any address: one register where the
 * processor has it, more where it has not.  For the loops that a compiler
 * does not get right by itself; gcc and clang both know this notation.
 */
typedef float Lanes16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef float Lanes8 __attribute__((vector_size(32), aligned(4), may_alias));

/*
 * e^x within 3e-7 relative for x in [-87, 88]; clamped outside (so never 0
 * nor infinite).
 *
 * x = k ln 2 + r with |r| <= ln 2 / 2: the Taylor series of degree 6 leaves
 * r^7/7! < 1.3e-7.  Adding 1.5 * 2^23 rounds to an integer and leaves it in
 * the low bits (Schraudolph's old trick, exactly rounded); ln 2 is taken off
 * in two parts, the first short enough that k times it is exact (Cody and
 * Waite, "Software manual for the elementary functions", 1980).
 */
ALWAYS_INLINE float
exp_float(float x)
{
	const float shift = 12582912.0f;
	float		rounded;
	float		k;
	float		r;
	float		p;
	float		power;
	uint32_t	bits;

	x = x < -87.0f ? -87.0f : x;
	x = x > 88.0f ? 88.0f : x;
	rounded = x * 1.44269504f + shift;
	k = rounded - shift;
	r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
	p = 1.0f / 720 * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r + 1.0f;
	p = p * r + 1.0f;
	memcpy(&bits, &rounded, sizeof(bits));
	bits = (bits + 127) << 23;
	memcpy(&power, &bits, sizeof(power));
	return p * power;
}

/*
 * e^x within 1e-15 relative for x in [-708, 709]; clamped outside.  As
 * above, with the series to degree 13 (r^14/14! < 5e-18).
 */
ALWAYS_INLINE double
exp_double(double x)
{
	const double shift = 6755399441055744.0;
	double		rounded;
	double		k;
	double		r;
	double		p;
	double		power;
	uint64_t	bits;

	x = x < -708.0 ? -708.0 : x;
	x = x > 709.0 ? 709.0 : x;
	rounded = x * 1.4426950408889634074 + shift;
	k = rounded - shift;
	r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
	p = 1.0 / 6227020800.0 * r + 1.0 / 479001600.0;
	p = p * r + 1.0 / 39916800.0;
	p = p * r + 1.0 / 3628800.0;
	p = p * r + 1.0 / 362880.0;
	p = p * r + 1.0 / 40320.0;
	p = p * r + 1.0 / 5040.0;
	p = p * r + 1.0 / 720.0;
	p = p * r + 1.0 / 120.0;
	p = p * r + 1.0 / 24.0;
	p = p * r + 1.0 / 6.0;
	p = p * r + 0.5;
	p = p * r + 1.0;
	p = p * r + 1.0;
	memcpy(&bits, &rounded, sizeof(bits));
	bits = (bits + 1023) << 52;
	memcpy(&power, &bits, sizeof(power));
	return p * power;
}

/*
 * The largest of n numbers, and e^(x - largest) in their place with its sum.
 * Sums are in strips of a fixed length, which compilers vectorise without being told
 * that sums may be reordered.
 */
ALWAYS_INLINE float
largest_float(const float *x, int n)
{
	float		strip[16];
	float		largest = x[0];
	int			i = 0;

	if (n >= 16)
	{
		for (int j = 0; j < 16; j++)
			strip[j] = x[j];
		for (i = 16; i + 16 <= n; i += 16)
			for (int j = 0; j < 16; j++)
				strip[j] = x[i + j] > strip[j] ? x[i + j] : strip[j];
		for (int j = 0; j < 16; j++)
			largest = strip[j] > largest ? strip[j] : largest;
	}
	for (; i < n; i++)
		largest = x[i] > largest ? x[i] : largest;
	return largest;
}

ALWAYS_INLINE float
exponentiate_float(float *x, int n, float largest)
{
	float		strip[16] = {0};
	float		sum = 0.0f;
	int			i;

	for (i = 0; i < n; i++)
		x[i] = exp_float(x[i] - largest);
	for (i = 0; i + 16 <= n; i += 16)
		for (int j = 0; j < 16; j++)
			strip[j] += x[i + j];
	for (; i < n; i++)
		sum += x[i];
	for (int j = 0; j < 16; j++)
		sum += strip[j];
	return sum;
}

/* x *= factor */
ALWAYS_INLINE void
scale_float(float *x, int n, float factor)
{
	int			i;

	for (i = 0; i + 16 <= n; i += 16)
		for (int j = 0; j < 16; j++)
			x[i + j] *= factor;
	for (; i < n; i++)
		x[i] *= factor;
}

#endif							/* HUMANLOOP_KERNELS_H */
