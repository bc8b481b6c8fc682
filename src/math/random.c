/*-------------------------------------------------------------------------
 *
 * random.c
 *	  Random numbers that are the same everywhere for the same seed.
 *
 * Only integer arithmetic and, for the normal deviates, one logarithm and
 * one square root: a stored seed gives the same sample and the same start of
 * the decomposition on every machine and under every server version.
 *
 *-------------------------------------------------------------------------
 */
#include "random.h"

#include <math.h>

static inline uint64_t
rotate_left(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

/*
 * Starts a stream.  The four words come from splitmix64, as the authors of
 * xoshiro advise: a seed with few bits set, or 0, would otherwise need many
 * steps until the state looks random.
 */
void
random_seed(Random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
	{
		uint64_t	z;

		seed += UINT64_C(0x9E3779B97F4A7C15);
		z = seed;
		z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
		random->state[i] = z ^ (z >> 31);
	}
}

/* 64 random bits: one step of xoshiro256**. */
uint64_t
random_bits(Random *random)
{
	uint64_t   *s = random->state;
	uint64_t	result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t	t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/* Uniform in [0, 1): the upper 53 bits, which a double holds exactly. */
double
random_uniform(Random *random)
{
	return (double) (random_bits(random) >> 11) * 0x1.0p-53;
}

/*
 * Uniform integer in [0, limit), limit > 0.  Draws below 2^64 mod limit are
 * rejected: what is left is a multiple of limit, so that no value is favoured.
 */
uint64_t
random_below(Random *random, uint64_t limit)
{
	uint64_t	reject = (UINT64_MAX - limit + 1) % limit;
	uint64_t	bits;

	do
	{
		bits = random_bits(random);
	} while (bits < reject);
	return bits % limit;
}

/*
 * Standard normal by Marsaglia's polar method.  The second deviate of the
 * pair is thrown away: keeping it would need state beside the four words,
 * and a stored Random would no longer tell where its stream is.
 */
double
random_normal(Random *random)
{
	double		u;
	double		v;
	double		s;

	do
	{
		u = 2.0 * random_uniform(random) - 1.0;
		v = 2.0 * random_uniform(random) - 1.0;
		s = u * u + v * v;
	} while (s >= 1.0 || s == 0.0);
	return u * sqrt(-2.0 * log(s) / s);
}

/* Fisher-Yates: every order of the n integers is equally likely. */
void
random_shuffle(Random *random, int *order, size_t n)
{
	for (size_t i = n; i > 1; i--)
	{
		size_t		j = (size_t) random_below(random, i);
		int			swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}
