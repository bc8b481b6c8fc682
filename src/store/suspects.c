/*-------------------------------------------------------------------------
 *
 * suspects.c
 *	  Labels that are probably wrong, as the last training has found them
 *	  (learn/label_errors.h), and what speaks for another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "humanloop.h"
#include "store/label.h"
#include "store/session.h"
#include "store/suspects.h"

bool
suspects_are_kept(void)
{
	return get_attnum(extension_table("hl_model_label"), "wrong") != InvalidAttrNumber;
}

/* What a model was trained with and thinks of it. */
typedef struct Judged
{
	int			n;
	char	  **items;
	Datum	   *label;			/* int4: index of a class */
	Datum	   *wrong;			/* float4 */
	Datum	   *suggested;		/* int4 */
} Judged;

static void
not_kept(const Project *project, int32 model)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model %d of project \"%s\" was not asked which labels are wrong",
					model, project->name),
			 errdetail("It was trained by a version of humanloop before 0.5.0."),
			 errhint("Call hl_train('%s'): the next model will know.", project->name)));
}

static void
damaged(const Project *project)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("what the model of project \"%s\" says of its labels is damaged",
					project->name),
			 errhint("Call hl_train('%s').", project->name)));
}

/* Elements of an array without NULL, n of them. */
static Datum *
elements_of(const Project *project, int column, Oid type, int n)
{
	int			count;
	Datum	   *elements = result_elements(column, type, &count);

	if (count != n)
		damaged(project);
	return elements;
}

static void
judged_read(const Project *project, const Serving *serving, Judged *judged)
{
	static Statement select = {
		"SELECT items, labels, wrong, suggested FROM @hl_model_label "
		"WHERE project_id = $1 AND model = $2", 2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int32GetDatum(serving->model)};
	bool		isnull;
	Datum		items;

	if (!suspects_are_kept())
		not_kept(project, serving->model);
	statement_run_as_extension(&select, values, NULL, true);
	if (SPI_processed == 0 || result_is_null(0, 3))
		not_kept(project, serving->model);
	items = result_datum(0, 1, &isnull);
	judged->items = array_strings(items, &judged->n);
	if (!strings_complete(judged->items, judged->n))
		damaged(project);
	judged->label = elements_of(project, 2, INT4OID, judged->n);
	judged->wrong = elements_of(project, 3, FLOAT4OID, judged->n);
	judged->suggested = elements_of(project, 4, INT4OID, judged->n);
	for (int i = 0; i < judged->n; i++)
	{
		int			label = DatumGetInt32(judged->label[i]);
		int			suggested = DatumGetInt32(judged->suggested[i]);
		float		wrong = DatumGetFloat4(judged->wrong[i]);

		if (label < 0 || label >= serving->nclasses || suggested < 0 ||
			suggested >= serving->nclasses || !(wrong >= 0.0f && wrong <= 1.0f))
			damaged(project);
	}
}

/* Most probable first, of equals in the order of the items. */
static int
compare_suspects(const void *a, const void *b)
{
	const Suspect *left = a;
	const Suspect *right = b;

	if (left->wrong != right->wrong)
		return left->wrong > right->wrong ? -1 : 1;
	return left->index < right->index ? -1 : left->index > right->index;
}

/* Leaves out those whose label is certain; returns how many are left. */
static int
leave_out_known(const Project *project, const Consensus *consensus, Suspect *suspects, int n)
{
	char	  **items = palloc_array_checked(char *, n);
	char	  **known;
	int			left = 0;

	if (n == 0)
		return 0;
	for (int i = 0; i < n; i++)
		items[i] = consensus->items[suspects[i].index];
	known = known_labels(project, items, n);
	for (int i = 0; i < n; i++)
	{
		if (known[i] == NULL)
			suspects[left++] = suspects[i];
	}
	return left;
}

Suspect *
suspects_read(const Project *project, const Serving *serving, const Consensus *consensus,
			  const LabelledItems *labelled, double threshold, int *n)
{
	Judged		judged;
	Suspect    *suspects;

	judged_read(project, serving, &judged);
	suspects = palloc_array_checked(Suspect, judged.n);
	*n = 0;
	for (int i = 0; i < judged.n; i++)
	{
		const char *label = serving->classes[DatumGetInt32(judged.label[i])];
		const char *suggestion = serving->classes[DatumGetInt32(judged.suggested[i])];
		float		wrong = DatumGetFloat4(judged.wrong[i]);
		int			index;
		char	  **found;

		/* of classes that were removed or merged the next training will know */
		if (!(wrong >= threshold) || label == NULL || suggestion == NULL ||
			strcmp(label, suggestion) == 0)
			continue;
		index = labelled_index(labelled, judged.items[i]);
		/* somebody has corrected it since, or taken it back */
		if (index < 0 || strcmp(consensus->classes[consensus->label[index]], label) != 0)
			continue;
		found = bsearch(&suggestion, consensus->classes, consensus->nclasses, sizeof(char *),
						compare_strings);
		suspects[(*n)++] = (Suspect) {
			index, wrong, found == NULL ? -1 : (int) (found - consensus->classes), suggestion, NULL
		};
	}
	*n = leave_out_known(project, consensus, suspects, *n);
	qsort(suspects, *n, sizeof(Suspect), compare_suspects);
	return suspects;
}

/* Twice the vector, and what is found. */
int
suspects_at_once(const Serving *serving, int most)
{
	size_t		row = sizeof(float) * 2 * encoder_dims(serving->encoder) +
		sizeof(Neighbour) * most + 4 * sizeof(int);

	return (int) Min(Max((size_t) setting_work_mem * 1024 / 2 / row, 1), 1 << 20);
}

void
suspects_compare(const Project *project, const Serving *serving, const Consensus *consensus,
				 const LabelledItems *labelled, Suspect *suspects, int n, int most, bool *there)
{
	float	   *rows = palloc_array_checked(float, mul_size(n, encoder_dims(serving->encoder)));
	int		   *self = palloc_array_checked(int, n);
	int		   *wanted = palloc_array_checked(int, n);
	Neighbour  *found = palloc_array_checked(Neighbour, mul_size(n, most));
	NeighbourSearch search = {
		project, serving, consensus, labelled, n, rows, wanted, self, most
	};

	memset(rows, 0, sizeof(float) * encoder_dims(serving->encoder) * (size_t) n);
	for (int i = 0; i < n; i++)
	{
		self[i] = suspects[i].index;
		wanted[i] = suspects[i].suggested;
		suspects[i].nearest = found + (size_t) i * most;
	}
	if (!neighbours_rows(project, serving, labelled, self, n, rows, there))
		memset(there, true, sizeof(bool) * n);
	neighbours_find(&search, found);
}
