/*-------------------------------------------------------------------------
 *
 * gathered.c
 *	  Rows copied out of others.
 *
 *-------------------------------------------------------------------------
 */
#include "gathered.h"

#include <string.h>

void
gathered_free(const Caller *caller, Gathered *g)
{
	release(caller, g->dense);
	release(caller, g->start);
	release(caller, g->index);
	release(caller, g->weight);
}

Status
gather_rows(const Caller *caller, const Rows *from, const int *index, int n, Gathered *g)
{
	size_t		dims = from->dims;
	size_t		terms = 0;

	memset(g, 0, sizeof(*g));
	g->rows = (Rows)
	{
		n, from->dims, NULL, NULL, from->sparse_dims, from->parts, from->part_dims
	};
	g->dense = allocate_array(caller, n * dims, sizeof(float));
	if (g->dense == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < n; i++)
		memcpy(g->dense + i * dims, from->dense + index[i] * dims, sizeof(float) * dims);
	g->rows.dense = g->dense;
	if (from->sparse == NULL)
		return STATUS_SUCCESS;
	for (int i = 0; i < n; i++)
		terms += from->sparse->start[index[i] + 1] - from->sparse->start[index[i]];
	g->start = allocate_array(caller, (size_t) n + 1, sizeof(size_t));
	g->index = allocate_array(caller, terms, sizeof(uint32_t));
	g->weight = allocate_array(caller, terms, sizeof(float));
	if (g->start == NULL || g->index == NULL || g->weight == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < n; i++)
	{
		size_t		first = from->sparse->start[index[i]];
		size_t		count = from->sparse->start[index[i] + 1] - first;

		memcpy(g->index + g->start[i], from->sparse->index + first, sizeof(uint32_t) * count);
		memcpy(g->weight + g->start[i], from->sparse->weight + first, sizeof(float) * count);
		g->start[i + 1] = g->start[i] + count;
	}
	g->sparse = (SparseRows)
	{
		n, g->start, g->index, g->weight
	};
	g->rows.sparse = &g->sparse;
	return STATUS_SUCCESS;
}

size_t
gathered_memory(int n, int dims, size_t terms)
{
	return (size_t) n * (dims * sizeof(float) + sizeof(size_t)) + sizeof(size_t) +
		terms * (sizeof(uint32_t) + sizeof(float));
}
