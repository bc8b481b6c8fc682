/*-------------------------------------------------------------------------
 *
 * api.c
 *	  What the SQL-callable functions share: arguments, results, SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "sql/api.h"

char *
optional_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

char *
required_text(FunctionCallInfo fcinfo, int n, const char *name)
{
	char	   *value = optional_text(fcinfo, n);

	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be NULL", name)));
	if (value[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));
	return value;
}

void
call_begin(Call *call)
{
	call->context = CurrentMemoryContext;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
call_end(Call *call)
{
	SPI_finish();
	MemoryContextSwitchTo(call->context);
}

Datum
call_row(Call *call, FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	MemoryContext before = MemoryContextSwitchTo(call->context);
	TupleDesc	desc;
	Datum		row;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "result type is not composite");
	row = HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
	MemoryContextSwitchTo(before);
	return row;
}

ReturnSetInfo *
set_begin(FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
	return (ReturnSetInfo *) fcinfo->resultinfo;
}

void
set_add(ReturnSetInfo *set, Datum *values, bool *nulls)
{
	tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
}

void
set_add_result(ReturnSetInfo *set)
{
	Assert(SPI_tuptable->tupdesc->natts == set->setDesc->natts);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(set->setResult, SPI_tuptable->vals[i]);
}
