/*-------------------------------------------------------------------------
 *
 * copy.h
 *	  Rows of a source in a temporary file, to be read without a transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_COPY_H
#define HUMANLOOP_COPY_H

#include "store/source.h"

typedef struct SourceCopy SourceCopy;

/*
 * An empty one in the current context, which must outlive the transaction: the
 * file is closed, and with that deleted, when that context is.  Needs a
 * transaction.
 */
extern SourceCopy *source_copy_begin(void);

/* All rows are added before the first is read. */
extern void source_copy_add(SourceCopy *copy, const SourceRow *row);
extern int64 source_copy_rows(const SourceCopy *copy);

/* To the first row, also before the first time. */
extern void source_copy_rewind(SourceCopy *copy);

/*
 * The next row, but for its label; the next call reuses its memory.  False: there
 * is none.  Needs no transaction; asks for interrupts.
 */
extern bool source_copy_next(SourceCopy *copy, SourceRow *row);

/* Deletes the file now. */
extern void source_copy_close(SourceCopy *copy);

#endif							/* HUMANLOOP_COPY_H */
