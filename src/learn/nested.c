/*-------------------------------------------------------------------------
 *
 * nested.c
 *	  Refined features for an honest cross-validation of the head.
 *
 * Out-of-fold features are honest for the row they describe, but those of the
 * other rows have seen its label, and a head with hundreds of dense features
 * beside them learns to read it there: with labels drawn at random, plain
 * stacking reports an accuracy of 0.56 where chance is 0.33 (200 and 1,000
 * rows of 3 classes).  So the head that is tested on fold k must be fitted to
 * features in which the labels of fold k have no part at all; that takes a
 * whole fit of the refined features a fold.  With tens of thousands of rows
 * and classes beside one another the effect is gone and the cost is not:
 * there the plain ones do.
 *
 *-------------------------------------------------------------------------
 */
#include "nested.h"

#include <string.h>

/* Below either of these it is done. */
#define NESTED_ROWS 4000
#define NESTED_CELLS 500000		/* rows times columns */

typedef struct Part
{
	int			n;				/* rows that are in it */
	int		   *row;			/* which they are */
	int		   *label;
	int		   *fold;			/* renumbered without the one left out */
	size_t	   *start;
	uint32_t   *index;
	float	   *weight;
	float	   *features;		/* n x columns */
	float	   *applied;		/* of one row, padded */
} Part;

bool
nested_wanted(int n, int classes, int folds)
{
	return folds >= 3 &&
		(n <= NESTED_ROWS || (double) n * (refine_columns(classes) + 7) <= NESTED_CELLS);
}

size_t
nested_result_memory(int n, int classes, int folds)
{
	return sizeof(float) * folds * n * refine_columns(classes);
}

size_t
nested_memory(int n, size_t sparse_terms, int sparse_dims, int classes)
{
	size_t		columns = refine_columns(classes);

	return (size_t) n * (3 * sizeof(int) + sizeof(size_t) + columns * sizeof(float)) +
		sparse_terms * (sizeof(uint32_t) + sizeof(float)) +
		(columns + 16) * sizeof(float) + sizeof(size_t) +
		refine_memory(n, sparse_terms, sparse_dims, classes);
}

static Status
part_allocate(const Caller *caller, const SparseRows *sparse, int columns, Part *part)
{
	size_t		n = sparse->n;
	size_t		terms = sparse->start[n];

	part->row = allocate_array(caller, n, sizeof(int));
	part->label = allocate_array(caller, n, sizeof(int));
	part->fold = allocate_array(caller, n, sizeof(int));
	part->start = allocate_array(caller, n + 1, sizeof(size_t));
	part->index = allocate_array(caller, terms, sizeof(uint32_t));
	part->weight = allocate_array(caller, terms, sizeof(float));
	part->features = allocate_array(caller, n * columns, sizeof(float));
	part->applied = allocate_array(caller, columns + 16, sizeof(float));
	return part->row != NULL && part->label != NULL && part->fold != NULL &&
		part->start != NULL && part->index != NULL && part->weight != NULL &&
		part->features != NULL && part->applied != NULL ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void
part_free(const Caller *caller, Part *part)
{
	release(caller, part->row);
	release(caller, part->label);
	release(caller, part->fold);
	release(caller, part->start);
	release(caller, part->index);
	release(caller, part->weight);
	release(caller, part->features);
	release(caller, part->applied);
}

/* The rows of all folds but one. */
static void
part_fill(const SparseRows *sparse, const int *label, const int *fold, int without, Part *part)
{
	size_t		terms = 0;

	part->n = 0;
	part->start[0] = 0;
	for (int i = 0; i < sparse->n; i++)
	{
		size_t		first = sparse->start[i];
		size_t		count = sparse->start[i + 1] - first;

		if (fold[i] == without)
			continue;
		memcpy(part->index + terms, sparse->index + first, count * sizeof(uint32_t));
		memcpy(part->weight + terms, sparse->weight + first, count * sizeof(float));
		terms += count;
		part->row[part->n] = i;
		part->label[part->n] = label[i];
		part->fold[part->n] = fold[i] < without ? fold[i] : fold[i] - 1;
		part->start[++part->n] = terms;
	}
}

/* Part k of the features, with memory in place. */
static Status
without_fold(const Caller *caller, const SparseRows *sparse, int sparse_dims,
			 const int *label, int classes, const int *fold, int folds, int without,
			 uint64_t seed, Part *part, float *features)
{
	size_t		columns = refine_columns(classes);
	SparseRows	rest;
	Refine	   *refine;

	part_fill(sparse, label, fold, without, part);
	rest.n = part->n;
	rest.start = part->start;
	rest.index = part->index;
	rest.weight = part->weight;
	TRY(refine_train(caller, &rest, sparse_dims, part->label, classes, part->fold, folds - 1,
					 seed, &refine, part->features));
	for (int i = 0; i < part->n; i++)
		memcpy(features + part->row[i] * columns, part->features + i * columns,
			   columns * sizeof(float));
	for (int i = 0; i < sparse->n; i++)
	{
		if (fold[i] != without)
			continue;
		refine_apply(refine, sparse, i, 1, part->applied);
		memcpy(features + i * columns, part->applied, columns * sizeof(float));
	}
	refine_free(caller, refine);
	return STATUS_SUCCESS;
}

Status
nested_features(const Caller *caller, const SparseRows *sparse, int sparse_dims,
				const int *label, const int *const *fold_label, int classes,
				const int *fold, int folds, uint64_t seed, float *features)
{
	size_t		part_size = (size_t) sparse->n * refine_columns(classes);
	Part		part = {0};
	Status		status = part_allocate(caller, sparse, refine_columns(classes), &part);

	for (int k = 0; k < folds && status == STATUS_SUCCESS; k++)
		status = without_fold(caller, sparse, sparse_dims,
							  fold_label == NULL ? label : fold_label[k], classes, fold, folds, k,
							  seed, &part, features + k * part_size);
	part_free(caller, &part);
	return status;
}
