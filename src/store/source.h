/*-------------------------------------------------------------------------
 *
 * source.h
 *	  Reading the rows of a project's source.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SOURCE_H
#define HUMANLOOP_SOURCE_H

#include "store/project.h"
#include "store/reading.h"

/* An input as encoders take it. */
typedef struct Input
{
	bool		missing;		/* NULL */
	const char *text;			/* UTF-8, not terminated */
	size_t		length;
	const float *vector;		/* NULL elements have become NaN */
	int			n;
} Input;

typedef struct SourceRow
{
	const char *item;
	const char *label;			/* of the source's label column, or NULL */
	Input		input;
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
 * columns are those of a row: key, input, label, each text.
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
 * Those of these items that the source does not have, or without an input, or
 * not satisfying option "targets"; returns how many.
 */
extern int	source_missing(const Project *project, char **items, int n, char **missing);

/* The error that the key does not identify the rows.  item: one that is there twice, or NULL. */
extern void source_not_unique(const Project *project, const char *item) pg_attribute_noreturn();

/* Vectors longer than this are refused. */
#define MAX_VECTOR_DIMS 16000

/*
 * Input from a value of type text, or of float4[] (one of several dimensions
 * becomes a vector of length 0).
 */
extern Input input_from_text(Datum datum);
extern Input input_from_array(Datum array);

/* 64 bits that change with the input; never 0 */
extern uint64 input_hash(const Input *input);

/*
 * Canonical names of items (as the key's text), read as the source's owner;
 * error for one that the source does not have.
 */
extern char **source_items(const Project *project, char **items, int n);

#endif							/* HUMANLOOP_SOURCE_H */
