/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *	  What the fuzz targets share, and what a target has to offer.
 *
 * A target is a program of its own: fuzz_NAME.c with driver.c, which makes
 * inputs at random, or with libFuzzer, which is led by coverage.  Each input
 * is run to its end with all memory counted; what must hold is a FUZZ_CHECK.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_FUZZ_H
#define HUMANLOOP_FUZZ_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/encode/encoder.h"
#include "../../src/math/matrix.h"
#include "../../src/math/random.h"

/* One input; libFuzzer's name for it. */
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The n-th input to begin with, into a writer that is empty; false: no more. */
extern bool fuzz_seed(int n, Writer *writer);

/* How many random inputs are a short run, of a few seconds. */
extern const long fuzz_runs;

/* Something that must hold does not: the end, with the input in a file. */
#define FUZZ_CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/*
 * Memory of one run.  Whatever the input says of itself, no more is asked for
 * than this and so many times its size: 64 MB are what the places of 2^24
 * n-grams take, which nothing in a model vouches for.
 */
#define FUZZ_FIXED_MEMORY ((size_t) 200 << 20)
#define FUZZ_TIMES_INPUT 400

typedef struct FuzzMemory
{
	size_t		bytes;			/* now allocated */
	size_t		most;			/* allowed */
	size_t		blocks;			/* now allocated */
	long		allocations;	/* so far */
	long		fail_at;		/* this allocation fails, and all later; 0: none */
} FuzzMemory;

#define FUZZ_HEADER 16			/* holds the size, keeps the alignment */

static inline void *
fuzz_allocate(void *state, size_t bytes)
{
	FuzzMemory *memory = state;
	unsigned char *block;

	memory->allocations++;
	if (memory->fail_at != 0 && memory->allocations >= memory->fail_at)
		return NULL;
	FUZZ_CHECK(bytes <= memory->most && memory->bytes <= memory->most - bytes);
	block = calloc(1, bytes + FUZZ_HEADER);
	FUZZ_CHECK(block != NULL);
	memcpy(block, &bytes, sizeof(bytes));
	memory->bytes += bytes;
	memory->blocks++;
	return block + FUZZ_HEADER;
}

static inline void
fuzz_release(void *state, void *pointer)
{
	FuzzMemory *memory = state;
	unsigned char *block = (unsigned char *) pointer - FUZZ_HEADER;
	size_t		bytes;

	memcpy(&bytes, block, sizeof(bytes));
	memory->bytes -= bytes;
	memory->blocks--;
	free(block);
}

/* A Caller over this memory, which starts afresh, for an input of that size. */
static inline Caller
fuzz_caller(FuzzMemory *memory, size_t size)
{
	Caller		caller = {fuzz_allocate, fuzz_release, NULL, memory};

	memset(memory, 0, sizeof(*memory));
	memory->most = FUZZ_FIXED_MEMORY + FUZZ_TIMES_INPUT * size;
	return caller;
}

/* A number that an input gives rise to, the same each time. */
static inline uint64_t
fuzz_hash(const uint8_t *data, size_t size)
{
	uint64_t	hash = UINT64_C(0xCBF29CE484222325);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * UINT64_C(0x100000001B3);
	return hash ^ hash >> 29;
}

/*
 * Runs an input: each as it is, and some once more with memory that ends
 * somewhere on the way.  An exact copy, so that the sanitizers see a read
 * beyond its end.
 */
typedef void (*FuzzRun) (const Caller *caller, const uint8_t *data, size_t size, bool fails);

static inline int
fuzz_run(FuzzRun run, const uint8_t *data, size_t size)
{
	uint64_t	hash = fuzz_hash(data, size);
	uint8_t    *copy = malloc(size == 0 ? 1 : size);
	FuzzMemory	memory;
	Caller		caller = fuzz_caller(&memory, size);

	memcpy(copy, data, size);
	run(&caller, copy, size, false);
	FUZZ_CHECK(memory.blocks == 0);
	if (hash % 4 == 0 && memory.allocations > 0)
	{
		long		fail_at = 1 + (long) (hash / 4 % (uint64_t) memory.allocations);

		caller = fuzz_caller(&memory, size);
		memory.fail_at = fail_at;
		run(&caller, copy, size, true);
		FUZZ_CHECK(memory.blocks == 0);
	}
	FUZZ_CHECK(size == 0 || memcmp(copy, data, size) == 0);
	free(copy);
	return 0;
}

/* A Caller for what a target makes once and keeps. */
static inline const Caller *
fuzz_keeper(void)
{
	static FuzzMemory memory;
	static Caller caller;

	if (caller.allocate == NULL)
	{
		caller = fuzz_caller(&memory, 0);
		if (matrix == NULL)
			matrix = matrix_blas_ops();
	}
	return &caller;
}

#endif							/* HUMANLOOP_FUZZ_H */
