/*-------------------------------------------------------------------------
 *
 * unit.h
 *	  Checks for tests that run without a server.
 *
 * A failed check prints its file and line and the test goes on; the program
 * ends with one line of counts and fails if any check did.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_UNIT_H
#define HUMANLOOP_UNIT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/math/base.h"
#include "../../src/math/matrix.h"

static int	checks_passed = 0;
static int	checks_failed = 0;

/* Counts one check; only failures are printed. */
static inline void
check_result(bool passed, const char *file, int line, const char *what)
{
	if (passed)
		checks_passed++;
	else
	{
		checks_failed++;
		printf("%s:%d: failed: %s\n", file, line, what);
	}
}

#define CHECK(condition) check_result((condition), __FILE__, __LINE__, #condition)

/* Equal to an absolute tolerance; prints both numbers when they are not. */
#define CHECK_NEAR(actual, expected, tolerance) \
	do { \
		double		check_actual = (actual); \
		double		check_expected = (expected); \
		bool		check_near = fabs(check_actual - check_expected) <= (tolerance); \
		check_result(check_near, __FILE__, __LINE__, #actual " near " #expected); \
		if (!check_near) \
			printf("  %.12g instead of %.12g\n", check_actual, check_expected); \
	} while (0)

/* What comes after this check would crash if it fails. */
#define REQUIRE(condition) \
	do { \
		bool		require_passed = (condition); \
		check_result(require_passed, __FILE__, __LINE__, #condition); \
		if (!require_passed) \
			exit(unit_end()); \
	} while (0)

/* The last line; the value for main to return. */
static inline int
unit_end(void)
{
	printf("%d passed, %d failed\n", checks_passed, checks_failed);
	return checks_failed == 0 ? 0 : 1;
}

/*
 * A Caller whose memory is counted, can run out and, so the leak check of the
 * sanitizers can tell whose it was, comes from malloc.
 */
typedef struct UnitMemory
{
	size_t		bytes;			/* now allocated */
	size_t		peak;			/* most at any time since it was last reset */
	size_t		blocks;			/* now allocated */
	long		allocations;	/* so far */
	long		fail_at;		/* this allocation fails, and all later; 0: none */
	long		questions;		/* whether to stop, so far */
	long		stop_at;		/* this question is answered yes; 0: none */
} UnitMemory;

#define UNIT_HEADER 16			/* holds the size, keeps the alignment */

static inline void *
unit_allocate(void *state, size_t bytes)
{
	UnitMemory *memory = state;
	unsigned char *block;

	memory->allocations++;
	if (memory->fail_at != 0 && memory->allocations >= memory->fail_at)
		return NULL;
	block = calloc(1, bytes + UNIT_HEADER);
	if (block == NULL)
		return NULL;
	memcpy(block, &bytes, sizeof(bytes));
	memory->bytes += bytes;
	memory->blocks++;
	if (memory->bytes > memory->peak)
		memory->peak = memory->bytes;
	return block + UNIT_HEADER;
}

static inline void
unit_release(void *state, void *pointer)
{
	UnitMemory *memory = state;
	unsigned char *block = (unsigned char *) pointer - UNIT_HEADER;
	size_t		bytes;

	memcpy(&bytes, block, sizeof(bytes));
	memory->bytes -= bytes;
	memory->blocks--;
	free(block);
}

static inline bool
unit_stop(void *state)
{
	UnitMemory *memory = state;

	memory->questions++;
	return memory->stop_at != 0 && memory->questions >= memory->stop_at;
}

/* A Caller over this memory, which starts afresh. */
static inline Caller
unit_caller(UnitMemory *memory)
{
	Caller		caller = {unit_allocate, unit_release, unit_stop, memory};

	memset(memory, 0, sizeof(*memory));
	return caller;
}

/* LAPACK, too, wants memory, and not ours: a matrix->syevd that gets none. */
static inline int
unit_syevd_no_memory(int n, double *a, int lda, double *values)
{
	(void) n;
	(void) a;
	(void) lda;
	(void) values;
	return MATRIX_NO_MEMORY;
}

#endif							/* HUMANLOOP_UNIT_H */
