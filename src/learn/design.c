/*-------------------------------------------------------------------------
 *
 * design.c
 *	  The labelled rows as the head sees them: gathering blocks of them.
 *
 *-------------------------------------------------------------------------
 */
#include "design.h"

#include <string.h>

/*
 * Rows index[0 .. count), or first .. first + count, of the design matrix
 * (count x D), in double precision.
 */
void
design_rows(const Design *design, const int *index, int first, int count, double *rows)
{
	for (int i = 0; i < count; i++)
	{
		size_t		row = index != NULL ? index[i] : first + i;
		const float *dense = design->dense + row * design->dims;
		double	   *to = rows + (size_t) i * design->features;

		for (int j = 0; j < design->dims; j++)
			to[j] = dense[j];
		to += design->dims;
		if (design->refined > 0)
		{
			const float *refine = design->refine + row * design->refined;

			for (int j = 0; j < design->refined; j++)
				to[j] = refine[j];
		}
		to[design->refined] = 1.0;
	}
}

/* The same in single precision. */
void
design_rows_float(const Design *design, const int *index, int first, int count, float *rows)
{
	for (int i = 0; i < count; i++)
	{
		size_t		row = index != NULL ? index[i] : first + i;
		float	   *to = rows + (size_t) i * design->features;

		memcpy(to, design->dense + row * design->dims, sizeof(float) * design->dims);
		to += design->dims;
		if (design->refined > 0)
			memcpy(to, design->refine + row * design->refined,
				   sizeof(float) * design->refined);
		to[design->refined] = 1.0f;
	}
}
