/*-------------------------------------------------------------------------
 *
 * reading.h
 *	  As whom a source is read, and who learns what went wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_READING_H
#define HUMANLOOP_READING_H

#include "store/project.h"

typedef enum SourceReader
{
	READ_AS_OWNER,				/* of the source */
	READ_AS_CALLER				/* to show him rows; a superuser reads as the owner, too */
} SourceReader;

typedef void (*ReadingStep) (void *argument);

/*
 * Runs a step that plans, executes or fetches from a query over the source, in a
 * security-restricted operation: whatever its owner has put into it runs as
 * the reader.  spent: microseconds that the steps of one scan have taken
 * together (NULL: it is a single one).  SPI connected; CurrentMemoryContext
 * is kept.
 */
extern void reading_step(const Project *project, SourceReader reader, ReadingStep step,
						 void *argument, int64 *spent);

/*
 * The same as the source's owner, in a subtransaction that is read-only, is taken back in
 * any case, and may take so long (0: as long as it takes), also where somebody waits for
 * it.  Returns the error, or NULL.  spent counts towards the limit.
 */
extern ErrorData *reading_attempt(const Project *project, ReadingStep step, void *argument,
								  int milliseconds, int64 *spent);

/* Is the project's source being read, further up in this session? */
extern bool reading_now(int32 project_id);

/* Error with a hint where the caller may not read keys and inputs. */
extern void reading_need_rights(const Project *project);

/*
 * Set by the worker: nobody is there to be told or to cancel.  A scan then takes
 * at most humanloop.worker_source_timeout.
 */
extern bool reading_unattended;

/* How many steps there have been in this process. */
extern uint64 reading_steps;

/*
 * The project whose source would not be stopped, for which the process has to
 * end; 0: none.
 */
extern volatile int32 reading_blamed;

#endif							/* HUMANLOOP_READING_H */
