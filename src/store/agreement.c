/*-------------------------------------------------------------------------
 *
 * agreement.c
 *	  Do a new model and the one that it replaces say the same?
 *
 * Where more labels do not change the answers any more they are not worth
 * their price: the criterion of stabilizing predictions (Bloodgood and
 * Vijay-Shanker, "A method for stopping active learning based on stabilizing
 * predictions and the need for user-adjustable stopping", CoNLL 2009, section
 * 3.1).  Their stop set is a sample of the pool that need not be labelled; ours
 * is the one that the queue's targets are, which is drawn anew at each scan.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "learn/metrics.h"
#include "store/agreement.h"
#include "store/audit.h"
#include "store/cache.h"
#include "store/session.h"

struct Replaced
{
	const Project *project;
	MemoryContext context;
	bool		found;
	Serving		serving;
};

static void
open_serving(void *argument)
{
	Replaced   *replaced = argument;

	replaced->found = serving_open(replaced->project, false, replaced->context,
								   &replaced->serving);
}

/* A model that is damaged must not be in the way of the one that replaces it. */
Replaced *
replaced_open(const Project *project, int32 model, int64 encoder_id, MemoryContext context)
{
	Replaced   *replaced = MemoryContextAllocZero(context, sizeof(Replaced));

	replaced->project = project;
	replaced->context = context;
	if (model == 0 || !audit_is_kept() ||
		!attempt(open_serving, replaced, "humanloop cannot read the model that is replaced",
				 DEBUG1) ||
		!replaced->found || replaced->serving.model != model ||
		replaced->serving.encoder_id != encoder_id)
		return NULL;
	return replaced;
}

/* The number of a class that the replaced model knows, among all classes of both. */
static int
class_number(const char *name, int class, char **classes, int nclasses)
{
	/* one that was removed is called nothing */
	for (int k = 0; k < nclasses && name != NULL; k++)
	{
		if (strcmp(name, classes[k]) == 0)
			return k;
	}
	return nclasses + class;
}

double
replaced_agreement(const Replaced *replaced, const PoolScan *scan, const Model *model,
				   char **classes, int nclasses)
{
	const Serving *serving;
	int		   *label;
	int		   *before;
	int			n;

	if (replaced == NULL)
		return NAN;
	serving = &replaced->serving;
	n = pool_scan_labels(scan, model, &label);
	if (n < AGREEMENT_LEAST)
		return NAN;
	/* as it was trained: a revision has learned of the new labels already */
	(void) pool_scan_labels(scan, serving->base, &before);
	for (int i = 0; i < n; i++)
		before[i] = class_number(serving->classes[before[i]], before[i], classes, nclasses);
	return cohen_kappa(label, before, n, nclasses + serving->nclasses);
}
