/*-------------------------------------------------------------------------
 *
 * neighbours.c
 *	  The labelled rows that are most like a given one.
 *
 * Vectors are of unit length, so the cosine is a product of matrices: some
 * hundred wanted rows times the labelled ones of a block.  What is kept is
 * the nearest few of each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "math/matrix.h"
#include "store/caller.h"
#include "store/neighbours.h"
#include "store/session.h"

/* Rows that neighbours are wanted of, in one product. */
#define ROWS_AT_ONCE 256

typedef struct Comparison
{
	const NeighbourSearch *search;
	int			dims;
	float	   *weighed;		/* n x dims: parts by their shares */
	float	   *block;			/* BLOCK_ROWS x dims: labelled rows of a block */
	int		   *index;			/* BLOCK_ROWS: of those, in the consensus */
	float	   *product;		/* ROWS_AT_ONCE x BLOCK_ROWS */
} Comparison;

/*
 * Each of p parts has the length 1/sqrt(p): p times its share makes the sum of the
 * products that of the cosines by the shares.
 */
static void
weigh_rows(Comparison *comparison)
{
	const NeighbourSearch *search = comparison->search;
	const Encoder *encoder = search->serving->encoder;
	int			parts = encoder_parts(encoder);
	int			first = 0;

	memcpy(comparison->weighed, search->rows,
		   sizeof(float) * comparison->dims * (size_t) search->n);
	if (parts < 2 || model_parts(search->serving->classifier) != parts)
		return;
	for (int p = 0; p < parts; p++)
	{
		EncoderPart part;
		float		weight = parts * model_share(search->serving->classifier, p);

		encoder_part(encoder, p, &part);
		for (size_t i = 0; i < (size_t) search->n; i++)
			for (int j = first; j < first + part.dims; j++)
				comparison->weighed[i * comparison->dims + j] *= weight;
		first += part.dims;
	}
}

/* The labelled rows of a block, one behind the other; returns how many. */
static int
gather_labelled(Comparison *comparison, const FeatureBlock *block)
{
	int			n = 0;

	for (int row = 0; row < block->rows; row++)
	{
		int			index;

		if (block->hashes[row] == 0)
			continue;
		index = labelled_index(comparison->search->labelled, block->items[row]);
		if (index < 0 || block_row_blank(block, row))
			continue;
		memcpy(comparison->block + (size_t) n * comparison->dims,
			   block->dense + (size_t) row * block->dims, sizeof(float) * block->dims);
		comparison->index[n++] = index;
	}
	return n;
}

/*
 * Offers a neighbour to the nearest ones so far.  Of equal ones the first in the
 * consensus, so that answers repeat.  An item may be in two blocks (see refresh.c);
 * it is a neighbour once.
 */
static void
offer(Neighbour *nearest, int most, Neighbour candidate)
{
	int			place = most;

	for (int i = 0; i < most; i++)
	{
		if (nearest[i].index == candidate.index)
			return;
	}
	while (place > 0 && (nearest[place - 1].index < 0 ||
						 nearest[place - 1].similarity < candidate.similarity ||
						 (nearest[place - 1].similarity == candidate.similarity &&
						  nearest[place - 1].index > candidate.index)))
		place--;
	if (place == most)
		return;
	memmove(nearest + place + 1, nearest + place, sizeof(Neighbour) * (most - place - 1));
	nearest[place] = candidate;
}

/* Some of the rows that neighbours are wanted of, with those of a block. */
static void
compare_some(Comparison *comparison, int first, int count, int nblock, Neighbour *found)
{
	const NeighbourSearch *search = comparison->search;
	int			dims = comparison->dims;

	matrix->gemm_float(false, true, count, nblock, dims, 1.0f,
					   comparison->weighed + (size_t) first * dims, dims,
					   comparison->block, dims, 0.0f, comparison->product, nblock);
	for (int i = 0; i < count; i++)
	{
		const float *similarity = comparison->product + (size_t) i * nblock;
		Neighbour  *nearest = found + (size_t) (first + i) * search->most;
		const Neighbour *last = &nearest[search->most - 1];

		for (int j = 0; j < nblock; j++)
		{
			int			index = comparison->index[j];

			if ((last->index >= 0 && similarity[j] < last->similarity) ||
				(search->wanted != NULL &&
				 search->consensus->label[index] != search->wanted[first + i]) ||
				(search->self != NULL && search->self[first + i] == index))
				continue;
			/* rounding may make it a little more than 1 */
			offer(nearest, search->most, (Neighbour) {index, Min(similarity[j], 1.0f)});
		}
	}
}

void
neighbours_find(const NeighbourSearch *search, Neighbour *found)
{
	Comparison	comparison = {.search = search, .dims = encoder_dims(search->serving->encoder)};
	BlockScan  *scan;
	FeatureBlock block;

	for (size_t i = 0; i < (size_t) search->n * search->most; i++)
		found[i] = (Neighbour) {-1, 0.0f};
	if (search->n == 0 || search->most == 0)
		return;
	blas_load();
	comparison.weighed = palloc_array_checked(float, mul_size(search->n, comparison.dims));
	comparison.block = palloc_array_checked(float, mul_size(BLOCK_ROWS, comparison.dims));
	comparison.index = palloc_array_checked(int, BLOCK_ROWS);
	comparison.product = palloc_array_checked(float, ROWS_AT_ONCE * BLOCK_ROWS);
	weigh_rows(&comparison);
	scan = block_scan_begin(search->project->id, search->serving->encoder,
							search->serving->encoder_id, 0, true, true);
	while (block_scan_next(scan, &block))
	{
		int			nblock = gather_labelled(&comparison, &block);

		for (int first = 0; first < search->n && nblock > 0; first += ROWS_AT_ONCE)
		{
			interrupts_check();
			compare_some(&comparison, first, Min(search->n - first, ROWS_AT_ONCE), nblock, found);
		}
	}
	block_scan_end(scan);
	pfree(comparison.weighed);
	pfree(comparison.block);
	pfree(comparison.index);
	pfree(comparison.product);
}

bool
neighbours_rows(const Project *project, const Serving *serving, const LabelledItems *labelled,
				const int *index, int n, float *rows, bool *there)
{
	int			dims = encoder_dims(serving->encoder);
	int		   *place = palloc_array_checked(int, labelled_count(labelled));
	bool		any = false;
	BlockScan  *scan;
	FeatureBlock block;

	for (int i = 0; i < labelled_count(labelled); i++)
		place[i] = -1;
	for (int i = 0; i < n; i++)
	{
		place[index[i]] = i;
		there[i] = false;
	}
	scan = block_scan_begin(project->id, serving->encoder, serving->encoder_id, 0, true, true);
	while (block_scan_next(scan, &block))
	{
		any = true;
		for (int row = 0; row < block.rows; row++)
		{
			int			item;
			int			at;

			if (block.hashes[row] == 0)
				continue;
			item = labelled_index(labelled, block.items[row]);
			at = item < 0 ? -1 : place[item];
			if (at < 0 || block_row_blank(&block, row))
				continue;
			/* of a row that is there twice the later one holds */
			memcpy(rows + (size_t) at * dims, block.dense + (size_t) row * dims,
				   sizeof(float) * dims);
			there[at] = true;
		}
	}
	block_scan_end(scan);
	pfree(place);
	return any;
}
