/*-------------------------------------------------------------------------
 *
 * api.h
 *	  What the SQL-callable functions share: arguments, results, SPI.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_API_H
#define HUMANLOOP_API_H

#include "fmgr.h"
#include "funcapi.h"

/* Argument n as a C string, or NULL. */
extern char *optional_text(FunctionCallInfo fcinfo, int n);

/* The same; error naming the argument where it is NULL or empty. */
extern char *required_text(FunctionCallInfo fcinfo, int n, const char *name);

/* SPI for one function call; results are made in the context of the call. */
typedef struct Call
{
	MemoryContext context;
} Call;

extern void call_begin(Call *call);
extern void call_end(Call *call);

/* Row of the function's composite result type, in the context of the call. */
extern Datum call_row(Call *call, FunctionCallInfo fcinfo, Datum *values, bool *nulls);

/* Materialized set; then one call a row. */
extern ReturnSetInfo *set_begin(FunctionCallInfo fcinfo);
extern void set_add(ReturnSetInfo *set, Datum *values, bool *nulls);

/* All rows of the last SPI result, which has the columns of the set. */
extern void set_add_result(ReturnSetInfo *set);

#endif							/* HUMANLOOP_API_H */
