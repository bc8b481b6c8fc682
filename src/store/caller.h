/*-------------------------------------------------------------------------
 *
 * caller.h
 *	  What the server lends to the plain C rooms: memory, interrupts, BLAS.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_CALLER_H
#define HUMANLOOP_CALLER_H

#include "math/base.h"

/*
 * Memory from a context (it must outlive the Caller's use), interrupts by
 * interrupts_check().
 */
extern Caller caller_in(MemoryContext context);

/* Bytes that its context has by now, whoever has asked for them. */
extern size_t caller_memory(const Caller *caller);

/*
 * CHECK_FOR_INTERRUPTS(), and whatever else the process does now and then while
 * it computes: the worker sets the hook, which may run transactions of its
 * own where there is none.
 */
extern void interrupts_check(void);
extern void (*interrupts_hook) (void);

/* Turns a failure into an error; doing says what ("train the model"). */
extern void status_check(Status status, const char *doing);

/* Error where bytes are more than humanloop.work_mem. */
extern void memory_check(size_t bytes, const char *doing);

/* Has function(argument) called when the context is reset or deleted. */
extern void at_context_end(MemoryContext context, MemoryContextCallbackFunction function,
						   void *argument);

/* Loads the linear algebra; error where it computes nonsense. */
extern void blas_load(void);

#endif							/* HUMANLOOP_CALLER_H */
