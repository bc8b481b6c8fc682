/*-------------------------------------------------------------------------
 *
 * source.h
 *	  Reading the rows of a project's source.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SOURCE_H
#define HUMANLOOP_SOURCE_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "store/input.h"
#include "store/project.h"
#include "store/reading.h"

typedef struct SourceRow
{
	const char *item;
	const char *label;			/* of the source's label column, or NULL */
	Input		input;			/* the first */
	Datum		whole;			/* source_whole_rows: the row, of the source's type */
} SourceRow;

typedef void (*SourceCallback) (const SourceRow *row, void *state);

/*
 * Calls back for every row with a key, in the order of the scan; memory of
 * the row is gone after the callback.  sample: NULL, or what is appended
 * to the FROM clause.  Needs SPI connected.  The label is NULL for a caller.
 */
extern void source_scan(const Project *project, SourceReader reader, const char *sample,
						bool read_only, SourceCallback callback, void *state);

/*
 * The same for a query of the caller's making, run as the source's owner, whose
 * columns are those of a row: key and label, both text, and as many of the inputs,
 * as project_input_expressions() has them, as the caller wants.
 */
extern void source_scan_query(const Project *project, const char *query, SourceCallback callback,
							  void *state);

/*
 * The same for the rows of these items, each named once, in any order, as the
 * source's owner; one that the source does not have is left out.  More rows than
 * items, as a view may show at any time, are an error: callers count on it.
 */
extern void source_rows(const Project *project, char **items, int n, SourceCallback callback,
						void *state);

/*
 * The same with whole rows in place of label and inputs, of those that have an
 * input: of these items, or with items NULL of all.
 */
extern void source_whole_rows(const Project *project, char **items, int n,
							  SourceCallback callback, void *state);

/*
 * Those of these items that the source does not have, or without any input, or
 * not satisfying option "targets"; returns how many.
 */
extern int	source_missing(const Project *project, char **items, int n, char **missing);

/*
 * The inputs of a row of the current SPI result, from that column on: those that
 * there are columns for.  In the current memory context.
 */
extern void source_inputs(const Project *project, HeapTuple tuple, TupleDesc desc, int column,
						  Input *first);

/* The error that the key does not identify the rows.  item: one that is there twice, or NULL. */
extern void source_not_unique(const Project *project, const char *item) pg_attribute_noreturn();

/*
 * Canonical names of items (as the key's text), read as the source's owner;
 * error for one that the source does not have.
 */
extern char **source_items(const Project *project, char **items, int n);

#endif							/* HUMANLOOP_SOURCE_H */
