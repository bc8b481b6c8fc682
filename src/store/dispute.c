/*-------------------------------------------------------------------------
 *
 * dispute.c
 *	  Items that people disagree on, and what the model says of them.
 *
 * People disagree for two reasons: the item is of several classes, or one of them
 * was wrong.  In the first case a model that is any good is in doubt as well; in
 * the second it is as sure as ever.  But a model that has learned the item is no
 * witness: told one of the answers, it is sure of it, and told the wrong one it
 * is torn where there is nothing to doubt.  So what counts is what was said of the
 * item out of fold, in the cross-validation of the training, or by the trained
 * model, if it has not seen the item; and as models are sure in different degrees, it
 * is held against what is said of items that nobody disputes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "store/audit.h"
#include "store/cache.h"
#include "store/caller.h"
#include "store/dispute.h"
#include "store/feature.h"
#include "store/label.h"
#include "store/refresh.h"
#include "store/session.h"
#include "store/settlement.h"

/* Rows that are scored at a time. */
#define SCORED_ROWS 512

/* Of fewer undisputed items nobody knows how sure the model is as a rule. */
#define LEAST_UNDISPUTED 10

/* ---------------------------------------------------------------------- */
/* What people have said */

static Dispute *
read_disputed(const Project *project, int *n)
{
	static Statement select = {
		"SELECT v.item, pg_catalog.jsonb_object_agg(v.label, v.annotators), pg_catalog.sum(v.n)::int4, "
		SETTLED_LABEL("v.item") " IS NOT NULL, "
		"(SELECT pg_catalog.count(*) FROM @hl_item_comment r WHERE r.project_id = $1 AND r.item = v.item), "
		"(SELECT pg_catalog.count(*) FROM @hl_item_flag r WHERE r.project_id = $1 AND r.item = v.item) "
		"FROM (SELECT c.item, c.label, pg_catalog.count(*)::int4 AS n, "
		"pg_catalog.jsonb_agg(c.annotator ORDER BY c.annotator COLLATE \"C\") AS annotators "
		"FROM @hl_current_answer c WHERE c.project_id = $1 AND c.label IS NOT NULL "
		"GROUP BY c.item, c.label) v GROUP BY v.item HAVING pg_catalog.count(*) > 1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	Dispute    *disputes;

	statement_run_as_extension(&select, values, NULL, true);
	*n = (int) SPI_processed;
	disputes = palloc_array_checked(Dispute, *n);
	memset(disputes, 0, sizeof(Dispute) * *n);
	for (int i = 0; i < *n; i++)
	{
		Dispute    *dispute = &disputes[i];
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		dispute->item = result_string(i, 1);
		dispute->answers = PointerGetDatum(DatumGetJsonbPCopy(result_datum(i, 2, &isnull)));
		dispute->nanswers = result_int(i, 3);
		dispute->settled = DatumGetBool(result_datum(i, 4, &isnull));
		dispute->comments = result_bigint(i, 5);
		dispute->flags = result_bigint(i, 6);
	}
	SPI_freetuptable(SPI_tuptable);
	return disputes;
}

/* What they are taken as, and how probable that is. */
static void
weigh(const Project *project, Dispute *disputes, int n)
{
	Truth	   *truth = labels_weigh(project, CurrentMemoryContext);

	for (int i = 0; i < n && truth != NULL; i++)
	{
		const char *label = truth_label(truth, disputes[i].item);

		if (label == NULL)
			continue;
		disputes[i].label = pstrdup(label);
		disputes[i].probability = truth_probability(truth, disputes[i].item, label);
	}
}

/* ---------------------------------------------------------------------- */
/* What the model says of them */

/* An item, and where its features are. */
typedef struct Place
{
	ItemKey		key;
	int			dispute;		/* its number */
	float		confidence;		/* out of fold; NAN: the model has not seen it */
	int64		block;			/* 0: nowhere */
	int			row;
} Place;

static int
compare_places(const void *a, const void *b)
{
	return memcmp(&((const Place *) a)->key, &((const Place *) b)->key, sizeof(ItemKey));
}

static Place *
find_place(Place *places, int n, const char *item)
{
	Place		wanted = {.key = item_key(item)};

	return bsearch(&wanted, places, n, sizeof(Place), compare_places);
}

/*
 * Of a row that is there twice the later one holds, see refresh.c.  False: not
 * all rows are encoded, as after a restore, so those that are not found need
 * not be gone.
 */
static bool
find_features(const Project *project, const Serving *serving, Place *places, int n)
{
	BlockScan  *scan = block_scan_begin(project->id, serving->encoder, serving->encoder_id, 0,
										false, true);
	FeatureBlock block;
	ProjectState state;
	int64		live = 0;

	while (block_scan_next(scan, &block))
	{
		live += block.live;
		for (int row = 0; row < block.rows; row++)
		{
			Place	   *place = block.hashes[row] == 0 ? NULL :
				find_place(places, n, block.items[row]);

			if (place == NULL)
				continue;
			place->block = block.number;
			place->row = row;
		}
		CHECK_FOR_INTERRUPTS();
	}
	block_scan_end(scan);
	state_read(project, &state);
	return live > 0 && live >= state.items;
}

/*
 * What was said of the items of the training out of fold: into places where they
 * are disputed.  Returns the mean of the others, NAN where there are too few.  The
 * mean and not the median: a model that is good is sure of most items and in
 * doubt about few, and then not half of the clear ones are below it.
 */
static double
find_confidence(const Project *project, const Serving *serving, Place *places, int n)
{
	static Statement select = {
		"SELECT l.item, l.confidence::float8 FROM @hl_model_label m "
		"CROSS JOIN LATERAL unnest(m.items, m.confidence) l(item, confidence) "
		"WHERE m.project_id = $1 AND m.model = $2 AND l.confidence IS NOT NULL",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int32GetDatum(serving->model)};
	double		sum = 0.0;
	int			count = 0;

	statement_run_as_extension(&select, values, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *item = result_string(i, 1);
		float		confidence = (float) result_double(i, 2);
		Place	   *place;

		if (item == NULL)
			status_check(STATUS_CORRUPT, "read what the model was trained with");
		place = find_place(places, n, item);
		if (place != NULL)
			place->confidence = confidence;
		else
		{
			sum += confidence;
			count++;
		}
		pfree(item);
	}
	SPI_freetuptable(SPI_tuptable);
	return count < LEAST_UNDISPUTED ? NAN : sum / count;
}

static int
compare_blocks(const void *a, const void *b)
{
	const Place *first = a;
	const Place *second = b;

	if (first->block != second->block)
		return first->block < second->block ? -1 : 1;
	return first->row - second->row;
}

/* Adds the features of these places, which are in the order of the blocks. */
static void
add_rows(const Project *project, const Serving *serving, const Place *places, int n,
		 RowsBuilder *builder)
{
	FeatureBlock block = {0};

	for (int i = 0; i < n; i++)
	{
		const unsigned char *terms;
		size_t		length;

		if (block.number != places[i].block &&
			!block_read(project->id, serving->encoder, serving->encoder_id, places[i].block, true,
						&block))
			elog(ERROR, "feature block " INT64_FORMAT " is not there", places[i].block);
		terms = block_terms(&block, places[i].row, &length);
		rows_add(builder, block.dense + (size_t) places[i].row * block.dims, terms, length);
	}
}

/* Scores some items by the model as its training has left it; typical as above. */
static void
score_some(const Project *project, const Serving *serving, const Place *places, int n,
		   double typical, Dispute *disputes)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	RowsBuilder builder;
	Score	   *scores = palloc_array_checked(Score, n);

	rows_init(&builder, serving->encoder, CurrentMemoryContext);
	add_rows(project, serving, places, n, &builder);
	status_check(model_score(&caller, serving->base, rows_finish(&builder), scores, NULL),
				 "score disputed items");
	for (int i = 0; i < n; i++)
	{
		Dispute    *dispute = &disputes[places[i].dispute];
		float		confidence = isnan(places[i].confidence) ? scores[i].confidence :
			places[i].confidence;

		/* of a row that says nothing the model says no more than how many are what */
		dispute->scored = !rows_blank(&builder, i);
		dispute->aleatoric = scores[i].aleatoric;
		dispute->epistemic = scores[i].epistemic;
		dispute->judged = dispute->scored && !isnan(typical);
		dispute->ambiguous = confidence < typical;
	}
}

/*
 * Takes the items that have no features out of places, as their rows are gone, or
 * not encoded; returns how many are left.
 */
static int
leave_out_gone(Place *places, int n, bool gone, Dispute *disputes)
{
	int			left = 0;

	for (int i = 0; i < n; i++)
	{
		if (places[i].block == 0)
			disputes[places[i].dispute].gone = gone;
		else
			places[left++] = places[i];
	}
	return left;
}

static void
ask_model(const Project *project, const Serving *serving, Dispute *disputes, int n)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop disputes",
												  ALLOCSET_DEFAULT_SIZES);
	Place	   *places = palloc_array_checked(Place, n);
	double		typical;
	bool		encoded;

	for (int i = 0; i < n; i++)
		places[i] = (Place) {.key = item_key(disputes[i].item), .dispute = i, .confidence = NAN};
	qsort(places, n, sizeof(Place), compare_places);
	encoded = find_features(project, serving, places, n);
	typical = audit_is_kept() ? find_confidence(project, serving, places, n) : NAN;
	n = leave_out_gone(places, n, encoded, disputes);
	qsort(places, n, sizeof(Place), compare_blocks);
	for (int from = 0; from < n; from += SCORED_ROWS)
	{
		MemoryContext before = MemoryContextSwitchTo(context);

		score_some(project, serving, places + from, Min(SCORED_ROWS, n - from), typical, disputes);
		MemoryContextSwitchTo(before);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
}

/* ---------------------------------------------------------------------- */

static int
compare_disputes(const void *a, const void *b)
{
	const Dispute *first = a;
	const Dispute *second = b;

	if (first->gone != second->gone)
		return first->gone ? 1 : -1;
	if (first->settled != second->settled)
		return first->settled ? 1 : -1;
	if (first->probability != second->probability)
		return first->probability < second->probability ? -1 : 1;
	if (first->nanswers != second->nanswers)
		return first->nanswers > second->nanswers ? -1 : 1;
	return strcmp(first->item, second->item);
}

Dispute *
disputes_read(const Project *project, int *n)
{
	Dispute    *disputes = read_disputed(project, n);
	Serving		serving;

	weigh(project, disputes, *n);
	if (*n > 0 && serving_open(project, true, CurrentMemoryContext, &serving))
	{
		blas_load();
		ask_model(project, &serving, disputes, *n);
	}
	qsort(disputes, *n, sizeof(Dispute), compare_disputes);
	while (*n > 0 && disputes[*n - 1].gone)
		(*n)--;
	return disputes;
}
