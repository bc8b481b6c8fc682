/*-------------------------------------------------------------------------
 *
 * base.h
 *	  What the plain C rooms (math, encode, learn) take from their caller.
 *
 * These rooms know nothing of PostgreSQL: they are compiled and tested
 * without a server.  Whoever calls them passes a Caller, which lends memory
 * and says when to stop.  They never exit, print, or keep state between
 * calls; whatever goes wrong comes back as a Status.
 *
 * In the server the Caller allocates in a memory context and the stop
 * function is CHECK_FOR_INTERRUPTS(), which may longjmp out: a function here
 * must therefore own nothing but memory lent by its Caller when it asks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_BASE_H
#define HUMANLOOP_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum Status
{
	STATUS_SUCCESS = 0,
	STATUS_STOPPED,				/* the caller's stop function said so */
	STATUS_NO_MEMORY,			/* the caller's allocator returned NULL */
	STATUS_SINGULAR,			/* a matrix that must be positive definite is
								 * not */
	STATUS_NOT_FINITE,			/* NaN or infinity where a number must be */
	STATUS_BAD_ARGUMENT,		/* a shape or value that the contract excludes */
	STATUS_CORRUPT				/* stored bytes that no version of this code
								 * has written */
} Status;

typedef struct Caller
{
	/* Zeroed memory, aligned for double; NULL when there is none. */
	void	   *(*allocate) (void *state, size_t bytes);
	void		(*release) (void *state, void *memory);
	/* True: give up, return STATUS_STOPPED.  Asked at least every 100 ms. */
	bool		(*stop) (void *state);
	void	   *state;
} Caller;

/*
 * Zeroed array of count elements of size bytes; NULL when the product
 * overflows or there is no memory.
 */
static inline void *
allocate_array(const Caller *caller, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / 2 / size)
		return NULL;
	return caller->allocate(caller->state, count * size == 0 ? 1 : count * size);
}

/* Gives memory back; NULL is allowed. */
static inline void
release(const Caller *caller, void *memory)
{
	if (memory != NULL)
		caller->release(caller->state, memory);
}

/* Is it time to give up?  A NULL stop function never says so. */
static inline bool
stopped(const Caller *caller)
{
	return caller->stop != NULL && caller->stop(caller->state);
}

/* Hands a failure on to the caller's caller. */
#define TRY(expression) \
	do { \
		Status		try_status = (expression); \
		if (try_status != STATUS_SUCCESS) \
			return try_status; \
	} while (0)

#endif							/* HUMANLOOP_BASE_H */
