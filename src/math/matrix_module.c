/*-------------------------------------------------------------------------
 *
 * matrix_module.c
 *	  humanloop_blas as the server sees it: one function, which hands over
 *	  the table of matrix functions.
 *
 * The only file in math/ that includes postgres.h, because what the server
 * loads must carry its magic block.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "matrix.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT const MatrixOps *humanloop_matrix_ops(void);

const MatrixOps *
humanloop_matrix_ops(void)
{
	return matrix_blas_ops();
}
