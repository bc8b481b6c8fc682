/*-------------------------------------------------------------------------
 *
 * caller.c
 *	  What the server lends to the plain C rooms: memory, interrupts, BLAS.
 *
 * BLAS lives in a library of its own, loaded at first need: it costs some
 * 25 ms and, left alone, starts a thread for every processor.  The threads
 * are told not to start by OPENBLAS_NUM_THREADS before the library is loaded,
 * and signals are blocked meanwhile, so that even a BLAS that does not listen
 * leaves no thread behind that could run the server's signal handlers.
 *
 * For its products BLAS takes memory of its own, once, and never more.  Where
 * there is none OpenBLAS tries again for ever, and nobody can stop it: so
 * whether there would be some is seen before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "fmgr.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "math/matrix.h"
#include "store/caller.h"

/*
 * Of address space: 128 MB on most processors, 256 MB on some, of which little
 * is ever touched.
 */
#define BLAS_BYTES ((size_t) 257 * 1024 * 1024)

typedef const MatrixOps *(*MatrixOpsFunction) (void);

static void *
context_allocate(void *state, size_t bytes)
{
	return MemoryContextAllocExtended((MemoryContext) state, bytes,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
}

static void
context_release(void *state pg_attribute_unused(), void *memory)
{
	pfree(memory);
}

void		(*interrupts_hook) (void) = NULL;

void
interrupts_check(void)
{
	CHECK_FOR_INTERRUPTS();
	if (interrupts_hook != NULL)
		interrupts_hook();
}

static bool
check_interrupts(void *state pg_attribute_unused())
{
	interrupts_check();
	return false;
}

Caller
caller_in(MemoryContext context)
{
	Caller		caller = {context_allocate, context_release, check_interrupts, context};

	return caller;
}

size_t
caller_memory(const Caller *caller)
{
	return MemoryContextMemAllocated((MemoryContext) caller->state, true);
}

void
status_check(Status status, const char *doing)
{
	switch (status)
	{
		case STATUS_SUCCESS:
			return;
		case STATUS_STOPPED:
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("could not %s: stopped", doing)));
		case STATUS_NO_MEMORY:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("could not %s: out of memory", doing)));
		case STATUS_SINGULAR:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("could not %s: a matrix is singular", doing),
					 errhint("Raise the project option \"prior_precision\".")));
		case STATUS_NOT_FINITE:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("could not %s: NaN or infinity in the vectors", doing)));
		case STATUS_BAD_ARGUMENT:
			elog(ERROR, "could not %s: bad argument", doing);
		case STATUS_CORRUPT:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("could not %s: stored data are damaged or from a later version", doing),
					 errhint("Train again with hl_train().")));
	}
	elog(ERROR, "could not %s: unknown status %d", doing, (int) status);
}

void
memory_check(size_t bytes, const char *doing)
{
	if (bytes / 1024 > (size_t) setting_work_mem)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("not enough memory to %s", doing),
				 errdetail("It needs %zu MB and humanloop.work_mem is %d MB.",
						   bytes / (1024 * 1024) + 1, setting_work_mem / 1024),
				 errhint("SET humanloop.work_mem = '%zuMB';",
						 bytes / (1024 * 1024) + 1)));
}

void
at_context_end(MemoryContext context, MemoryContextCallbackFunction function, void *argument)
{
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	callback->func = function;
	callback->arg = argument;
	MemoryContextRegisterResetCallback(context, callback);
}

/* The process may have a limit, or the system one for all of them. */
static void
blas_need_room(void)
{
	void	   *room = mmap(NULL, BLAS_BYTES, PROT_READ | PROT_WRITE,
							MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("not enough memory for the BLAS library"),
				 errdetail("It needs %zu MB of address space in each process that computes.",
						   BLAS_BYTES / (1024 * 1024)),
				 errhint("Raise the limit of the server's processes (ulimit -v), or what the system lets all of them reserve together.")));
	(void) munmap(room, BLAS_BYTES);
}

void
blas_load(void)
{
	MatrixOpsFunction function;

	if (matrix != NULL)
		return;
	PG_SETMASK(&BlockSig);
	PG_TRY();
	{
		(void) setenv("OPENBLAS_NUM_THREADS", "1", 1);
		(void) setenv("OMP_NUM_THREADS", "1", 1);
		function = (MatrixOpsFunction) load_external_function("$libdir/humanloop_blas",
															  "humanloop_matrix_ops", true, NULL);
	}
	PG_FINALLY();
	{
		PG_SETMASK(&UnBlockSig);
	}
	PG_END_TRY();
	if (function()->version != MATRIX_OPS_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("humanloop and its library humanloop_blas are of different versions"),
				 errhint("Install both again and reconnect.")));
	blas_need_room();
	if (!matrix_self_test(function()))
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("the BLAS library computes wrong results on this processor"),
				 errhint("Start the server with a kernel type that works in its environment, such as OPENBLAS_CORETYPE=Haswell, or upgrade OpenBLAS.")));
	matrix = function();
}
