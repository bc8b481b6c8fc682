/*-------------------------------------------------------------------------
 *
 * session.h
 *	  How the extension talks to its own tables: as whom, and through what.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SESSION_H
#define HUMANLOOP_SESSION_H

#include "executor/spi.h"
#include "storage/shmem.h"

/* Memory for n elements, with the product checked; may exceed 1 GB. */
#define palloc_array_checked(type, n) \
	((type *) MemoryContextAllocHuge(CurrentMemoryContext, \
									 mul_size(sizeof(type), (n) > 0 ? (n) : 1)))

/* Who we were before we acted as somebody else. */
typedef struct Acting
{
	Oid			user;
	int			security_context;
	int			guc_level;
} Acting;

/* Act as the owner of the extension: our own tables. */
extern void act_as_extension(Acting *acting);

/*
 * Act as the owner of a source or project, to run what users have written:
 * security-restricted, so that it cannot change the session's state.
 */
extern void act_as_restricted(Acting *acting, Oid role);

extern void act_as_before(const Acting *acting);

/* Quoted name of the schema the extension lives in; error where it is not. */
extern const char *extension_schema(void);
extern Oid	extension_namespace(void);

/* One of our tables. */
extern Oid	extension_table(const char *name);

/* Of the extension as it is now; another when it is created again. */
extern Oid	extension_oid(void);

#define MAX_STATEMENT_ARGS 12

/*
 * A statement on our tables, planned once a session.  In the text, "@hl_x"
 * stands for the schema-qualified name of hl_x.
 */
typedef struct Statement
{
	const char *text;
	int			nargs;
	Oid			types[MAX_STATEMENT_ARGS];
	SPIPlanPtr	plan;
	uint64		generation;		/* of the extension that the plan was made for */
} Statement;

/*
 * Runs it inside SPI; values[i] with nulls[i] true is NULL (nulls may be
 * NULL).  read_only: with the caller's snapshot.  The result is in SPI_tuptable
 * and SPI_processed.
 */
extern void statement_run(Statement *statement, const Datum *values, const bool *nulls,
						  bool read_only);

/* The same between act_as_extension and act_as_before. */
extern void statement_run_as_extension(Statement *statement, const Datum *values,
									   const bool *nulls, bool read_only);

typedef void (*Attempt) (void *argument);

/*
 * Runs it in a subtransaction; false where that has failed, which is told at
 * that level, with what failed before the reason.  A cancel remains an error.
 * SPI connected.
 */
extern bool attempt(Attempt run, void *argument, const char *what, int elevel);

/* Text with "@hl_x" replaced, palloc'd. */
extern char *qualify(const char *text);

/* Column (from 1) of a row of the last result. */
extern Datum result_datum(uint64 row, int column, bool *isnull);
extern char *result_string(uint64 row, int column);	/* NULL for NULL; copied */
extern char **result_strings(int column, int *n);	/* of all rows, which are n */
extern bool result_is_null(uint64 row, int column);
extern int32 result_int(uint64 row, int column);	/* 0 for NULL */
extern int64 result_bigint(uint64 row, int column);
extern double result_double(uint64 row, int column);

/*
 * Elements of an array in that column of the last result's first row; NULL (and n -1):
 * the array is NULL, or has one.
 */
extern Datum *result_elements(int column, Oid type, int *n);

/* text[] from C strings; NULL elements allowed */
extern Datum text_array(char **strings, int n);

/* real[] */
extern Datum float_array(const float *numbers, int n);

/* C strings from a text[]; NULL elements give NULL */
extern char **array_strings(Datum array, int *n);

/* Is none of them NULL?  Nobody but damage writes one into our tables. */
extern bool strings_complete(char **strings, int n);

/* Sorts them by their bytes, each once, in place; returns how many are left. */
extern int	strings_unique(char **strings, int n);

/* For qsort and bsearch of them. */
extern int	compare_strings(const void *a, const void *b);

#endif							/* HUMANLOOP_SESSION_H */
