/*-------------------------------------------------------------------------
 *
 * seeds.c
 *	  What to ask before there is a model.
 *
 * Greedy facility location on a uniform sample: each choice is the row that
 * brings the sample's rows closest to what has been chosen, so the first is
 * the most typical of all, each further one the most typical of what is not
 * yet covered, and any prefix of the order is within 1 - 1/e of the best set
 * of its size (Nemhauser, Wolsey and Fisher, 1978).  Outliers, which
 * farthest-first choices go for, come last: they cover nobody.
 *
 * A row's gain only shrinks as others are chosen, so most need not be looked
 * at again (Minoux, "Accelerated greedy algorithms", 1978).
 *
 *-------------------------------------------------------------------------
 */
#include "acquisition.h"

#include <math.h>

#include "../math/kernels.h"
#include "../math/matrix.h"
#include "../math/random.h"
#include "design.h"

/* The sample is so many times what is to be chosen, within these bounds. */
#define SAMPLE_TIMES 4
#define SAMPLE_LEAST 2048
#define SAMPLE_MOST 8192

typedef struct Seeds
{
	const Caller *caller;
	int			m;				/* rows in the sample */
	int		   *order;			/* n: rows in random order, the sample first */
	float	   *similar;		/* m x m: cosines */
	float	   *covered;		/* m: largest cosine with a chosen row */
	float	   *bound;			/* m: of the gain, from when last computed */
	int		   *heap;			/* m: rows, the largest bound on top */
	int			size;			/* of the heap */
} Seeds;

/*
 * The gain of a row: how much closer the sample gets.  Cosines below zero
 * are as good as zero.
 */
FOR_EACH_PROCESSOR static float
gain_of(const float *restrict similar, const float *restrict covered, int m)
{
	float		sum[16] = {0};
	float		total = 0.0f;
	int			i;

	for (i = 0; i + 16 <= m; i += 16)
		for (int j = 0; j < 16; j++)
		{
			float		more = similar[i + j] - covered[i + j];

			sum[j] += more > 0.0f ? more : 0.0f;
		}
	for (; i < m; i++)
		sum[0] += similar[i] > covered[i] ? similar[i] - covered[i] : 0.0f;
	for (int j = 0; j < 16; j++)
		total += sum[j];
	return total;
}

/* Lets the row at a place of the heap sink to where it belongs. */
static void
sink(Seeds *seeds, int at)
{
	int			row = seeds->heap[at];

	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= seeds->size)
			break;
		if (child + 1 < seeds->size &&
			seeds->bound[seeds->heap[child + 1]] > seeds->bound[seeds->heap[child]])
			child++;
		if (!(seeds->bound[seeds->heap[child]] > seeds->bound[row]))
			break;
		seeds->heap[at] = seeds->heap[child];
		at = child;
	}
	seeds->heap[at] = row;
}

/* Draws the sample and computes its cosines. */
static Status
compare(Seeds *seeds, const float *dense, int n, int dims, uint64_t seed)
{
	int			m = seeds->m;
	float	   *rows = allocate_array(seeds->caller, (size_t) m * dims, sizeof(float));
	Status		status = STATUS_SUCCESS;
	Random		random;

	if (rows == NULL)
		return STATUS_NO_MEMORY;
	random_seed(&random, seed);
	for (int i = 0; i < n; i++)
		seeds->order[i] = i;
	random_shuffle(&random, seeds->order, n);
	for (int i = 0; i < m; i++)
		memcpy(rows + (size_t) i * dims, dense + (size_t) seeds->order[i] * dims,
			   sizeof(float) * dims);
	for (int first = 0; first < m && status == STATUS_SUCCESS; first += DESIGN_BLOCK)
	{
		int			count = m - first < DESIGN_BLOCK ? m - first : DESIGN_BLOCK;

		matrix->gemm_float(false, true, count, m, dims, 1.0f, rows + (size_t) first * dims,
						   dims, rows, dims, 0.0f, seeds->similar + (size_t) first * m, m);
		/* a row's cosine with itself is finite if the row is */
		for (int i = first; i < first + count; i++)
			if (!isfinite(seeds->similar[(size_t) i * m + i]))
				status = STATUS_NOT_FINITE;
		if (status == STATUS_SUCCESS && stopped(seeds->caller))
			status = STATUS_STOPPED;
	}
	release(seeds->caller, rows);
	return status;
}

/* First bounds: the gain of each row when nothing is chosen. */
static Status
start_heap(Seeds *seeds)
{
	for (int i = 0; i < seeds->m; i++)
	{
		if (i % 1024 == 0 && stopped(seeds->caller))
			return STATUS_STOPPED;
		seeds->bound[i] = gain_of(seeds->similar + (size_t) i * seeds->m, seeds->covered,
								  seeds->m);
		seeds->heap[i] = i;
	}
	seeds->size = seeds->m;
	for (int i = seeds->m / 2 - 1; i >= 0; i--)
		sink(seeds, i);
	return STATUS_SUCCESS;
}

/* The greedy choice itself, of count <= m rows. */
static Status
choose(Seeds *seeds, int count, int *chosen)
{
	int			m = seeds->m;

	for (int picked = 0; picked < count; picked++)
	{
		int			row;
		const float *similar;

		if (stopped(seeds->caller))
			return STATUS_STOPPED;
		for (;;)
		{
			float		gain;
			int			top = seeds->heap[0];

			gain = gain_of(seeds->similar + (size_t) top * m, seeds->covered, m);
			if (gain >= seeds->bound[top])
				break;
			seeds->bound[top] = gain;
			sink(seeds, 0);
			if (seeds->heap[0] == top)
				break;
		}
		row = seeds->heap[0];
		chosen[picked] = seeds->order[row];
		seeds->heap[0] = seeds->heap[--seeds->size];
		if (seeds->size > 0)
			sink(seeds, 0);
		similar = seeds->similar + (size_t) row * m;
		for (int i = 0; i < m; i++)
			if (similar[i] > seeds->covered[i])
				seeds->covered[i] = similar[i];
	}
	return STATUS_SUCCESS;
}

static int
sample_size(int n, int count)
{
	int64_t		wanted = (int64_t) SAMPLE_TIMES * count;

	wanted = wanted < SAMPLE_LEAST ? SAMPLE_LEAST : wanted;
	wanted = wanted > SAMPLE_MOST ? SAMPLE_MOST : wanted;
	return wanted < n ? (int) wanted : n;
}

/* Bytes that choose_seed_batch holds at most; see acquisition.h. */
size_t
choose_seed_batch_memory(int n, int dims, int count)
{
	size_t		m = sample_size(n, count);

	return n * sizeof(int) + m * (m + dims + 2) * sizeof(float) + m * sizeof(int);
}

/*
 * The first rows to ask about; see acquisition.h.  Holds some
 * 4 * (4 count)^2 bytes, at least 16 MB from 2,048 rows on and at most
 * 256 MB: beyond 8,192 rows, what is left comes in random order.
 */
Status
choose_seed_batch(const Caller *caller, const float *dense, int n, int dims,
				  int count, uint64_t seed, int *chosen)
{
	Seeds		seeds = {0};
	Status		status = STATUS_NO_MEMORY;

	if (n < 0 || dims < 1 || count < 0 || count > n)
		return STATUS_BAD_ARGUMENT;
	if (count == 0)
		return STATUS_SUCCESS;
	seeds.caller = caller;
	seeds.m = sample_size(n, count);
	seeds.order = allocate_array(caller, n, sizeof(int));
	seeds.similar = allocate_array(caller, (size_t) seeds.m * seeds.m, sizeof(float));
	seeds.covered = allocate_array(caller, seeds.m, sizeof(float));
	seeds.bound = allocate_array(caller, seeds.m, sizeof(float));
	seeds.heap = allocate_array(caller, seeds.m, sizeof(int));
	if (seeds.order != NULL && seeds.similar != NULL && seeds.covered != NULL &&
		seeds.bound != NULL && seeds.heap != NULL)
		status = compare(&seeds, dense, n, dims, seed);
	if (status == STATUS_SUCCESS)
		status = start_heap(&seeds);
	if (status == STATUS_SUCCESS)
		status = choose(&seeds, count < seeds.m ? count : seeds.m, chosen);
	for (int i = seeds.m; i < count && status == STATUS_SUCCESS; i++)
		chosen[i] = seeds.order[i];
	release(caller, seeds.order);
	release(caller, seeds.similar);
	release(caller, seeds.covered);
	release(caller, seeds.bound);
	release(caller, seeds.heap);
	return status;
}
