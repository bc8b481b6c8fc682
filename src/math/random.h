/*-------------------------------------------------------------------------
 *
 * random.h
 *	  Random numbers that are the same everywhere for the same seed.
 *
 * xoshiro256** seeded by splitmix64 (Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators", 2021).  The server's generator differs
 * between major versions; a model must not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_RANDOM_H
#define HUMANLOOP_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct Random
{
	uint64_t	state[4];
} Random;

/* Starts a stream; any seed is good, also 0. */
extern void random_seed(Random *random, uint64_t seed);

/* 64 random bits. */
extern uint64_t random_bits(Random *random);

/* Uniform in [0, 1), 53 bits. */
extern double random_uniform(Random *random);

/* Uniform integer in [0, limit), without bias; limit > 0. */
extern uint64_t random_below(Random *random, uint64_t limit);

/* Standard normal, by Marsaglia's polar method (both halves are used up). */
extern double random_normal(Random *random);

/* Fisher-Yates: puts the n integers of order into random order. */
extern void random_shuffle(Random *random, int *order, size_t n);

#endif							/* HUMANLOOP_RANDOM_H */
