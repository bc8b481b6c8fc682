/*-------------------------------------------------------------------------
 *
 * audit.c
 *	  What is asked by lot, and what that says of the source.
 *
 * All rows of a source are in one order that was fixed by lot before anybody
 * looked at them.  The audit asks rows in that order.  So the labelled rows
 * before the first one that is still to be answered are a uniform sample of
 * the source, however each of them came to be labelled; doc/design.md has the
 * argument.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "learn/audit.h"
#include "math/random.h"
#include "store/audit.h"
#include "store/caller.h"
#include "store/feature.h"
#include "store/session.h"

/*
 * Rows that have come since are asked first.  Until they are, the sample may
 * lack so many of the rows that it stands for.
 */
#define LACKING_MOST 0.05

/* Drawing by lot is all that acquisition "random" does. */
double
audit_share_of(Acquisition acquisition, const ProjectOptions *options)
{
	return acquisition == ACQUIRE_RANDOM ? 1.0 : options->audit;
}

double
audit_share(const Project *project)
{
	return audit_share_of(project->acquisition, &project->options);
}

const char *
audit_reason(Acquisition acquisition)
{
	return acquisition == ACQUIRE_RANDOM ? scored_reason(acquisition) : "audit";
}

uint64
audit_place(const ProjectOptions *options, const char *item)
{
	Random		random;

	random_seed(&random, item_key(item).high ^
				((uint64) options->random_seed * UINT64CONST(0x9E3779B97F4A7C15)));
	return random_bits(&random);
}

/* ---------------------------------------------------------------------- */
/* Ranking */

/* Scores of the audit's rows that are not among those that were scored. */
static Score *
score_line(const Ordered *ordered, const AuditSlot *slots, int n)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	int			D = model_features(ordered->model);
	float	   *features = palloc_array_checked(float, (Size) Max(n, 1) * D);
	Score	   *scores = palloc_array_checked(Score, n);
	int			count = 0;

	for (int i = 0; i < n; i++)
	{
		if (slots[i].from < 0)
			memcpy(features + (size_t) count++ * D,
				   ordered->features + (size_t) slots[i].row * D, sizeof(float) * D);
	}
	if (count > 0)
		status_check(model_score_features(&caller, ordered->model, features, count, scores),
					 "score rows");
	pfree(features);
	return scores;
}

static AuditSlot *
merge(const Ordered *ordered, int *count)
{
	AuditSlot  *slots = palloc_array_checked(AuditSlot, *count);
	int		   *place = palloc_array_checked(int, ordered->rows);

	*count = audit_merge(audit_share_of(ordered->acquisition, ordered->options),
						 ordered->answered, ordered->chosen, ordered->n, ordered->line, ordered->m,
						 ordered->rows, *count, place, slots);
	pfree(place);
	return slots;
}

void
rank_ordered(const Ordered *ordered, int count, Ranking *ranking)
{
	AuditSlot  *slots = merge(ordered, &count);
	Score	   *line = score_line(ordered, slots, count);
	int			unscored = 0;

	ranking_init(ranking, count);
	for (int i = 0; i < count; i++)
	{
		int			from = slots[i].from;
		const Score *score = from >= 0 ? &ordered->scores[from] : &line[unscored++];
		float		value = from >= 0 ? ordered->value[from] :
			ordered->acquisition == ACQUIRE_RANDOM ? 0.0f :
			candidate_score(ordered->acquisition, score, 0, 0);

		ranking_add_scored(ranking, ordered->items[slots[i].row], value, score,
						   ordered->classes[score->label],
						   slots[i].audit ? audit_reason(ordered->acquisition) :
						   scored_reason(ordered->acquisition));
	}
}

void
rank_unscored(const Ordered *ordered, int count, const char *reason, Ranking *ranking)
{
	AuditSlot  *slots = merge(ordered, &count);

	ranking_init(ranking, count);
	for (int i = 0; i < count; i++)
		ranking_add_item(ranking, ordered->items[slots[i].row],
						 slots[i].audit ? audit_reason(ordered->acquisition) : reason);
}

/* ---------------------------------------------------------------------- */
/* The sample */

struct AuditSample
{
	const Project *project;
	const LabelledItems *labelled;
	bool	   *before;			/* by labelled_index: in the sample of the last
								 * model */
	uint64		last;			/* greatest place of those */
	bool		any_before;
	uint64		first_open;		/* least place of a row still to be answered */
	int64		open;			/* rows still to be answered, up to last */
	int			n;				/* labelled rows */
	int			capacity;
	uint64	   *place;
	bool	   *was;
	int		   *index;
};

bool
audit_is_kept(void)
{
	return get_attnum(extension_table("hl_model_label"), "audited") != InvalidAttrNumber;
}

/* Which items the last model was measured on, as far as they are still labelled. */
static void
read_before(AuditSample *sample)
{
	static Statement select = {
		"SELECT items, audited FROM @hl_model_label WHERE project_id = $1 AND audited IS NOT NULL "
		"ORDER BY model DESC LIMIT 1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(sample->project->id)};
	char	  **items;
	Datum	   *audited;
	bool	   *nulls;
	int			n;
	int			naudited;
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return;
	items = array_strings(result_datum(0, 1, &isnull), &n);
	deconstruct_array(DatumGetArrayTypeP(result_datum(0, 2, &isnull)), BOOLOID, sizeof(bool), true,
					  TYPALIGN_CHAR, &audited, &nulls, &naudited);
	for (int i = 0; i < Min(n, naudited); i++)
	{
		int			index = items[i] == NULL || nulls[i] || !DatumGetBool(audited[i]) ? -1 :
			labelled_index(sample->labelled, items[i]);

		if (index < 0)
			continue;
		sample->before[index] = true;
		sample->last = Max(sample->last, audit_place(&sample->project->options, items[i]));
		sample->any_before = true;
	}
}

AuditSample *
audit_begin(const Project *project, const LabelledItems *labelled)
{
	AuditSample *sample = palloc0(sizeof(AuditSample));
	int			n = labelled_count(labelled);

	sample->project = project;
	sample->labelled = labelled;
	sample->first_open = PG_UINT64_MAX;
	sample->before = palloc_array_checked(bool, n);
	memset(sample->before, 0, sizeof(bool) * n);
	sample->place = palloc_array_checked(uint64, n);
	sample->was = palloc_array_checked(bool, n);
	sample->index = palloc_array_checked(int, n);
	sample->capacity = n;
	if (audit_is_kept())
		read_before(sample);
	return sample;
}

void
audit_row(AuditSample *sample, const char *item, int index)
{
	uint64		place = audit_place(&sample->project->options, item);

	if (index >= 0)
	{
		/* a key that is not unique could have more rows than items */
		if (sample->n == sample->capacity)
			return;
		sample->place[sample->n] = place;
		sample->was[sample->n] = sample->before[labelled_index(sample->labelled, item)];
		sample->index[sample->n++] = index;
	}
	else if (!labelled_passed(sample->labelled, item))
	{
		sample->first_open = Min(sample->first_open, place);
		sample->open += sample->any_before && place <= sample->last;
	}
}

int
audit_end(AuditSample *sample, int n, bool *audited)
{
	int64		lacking = sample->open;
	int64		standing = 0;
	int			found = 0;
	bool		with_before;

	/* what stands for the rows up to last, and what of them it lacks */
	for (int i = 0; i < sample->n; i++)
	{
		if (sample->place[i] > sample->last)
			continue;
		standing++;
		lacking += !sample->was[i] && sample->place[i] >= sample->first_open;
	}
	standing += sample->open;
	with_before = sample->any_before && lacking <= LACKING_MOST * standing;
	memset(audited, 0, sizeof(bool) * n);
	for (int i = 0; i < sample->n; i++)
	{
		if (sample->place[i] < sample->first_open || (with_before && sample->was[i]))
		{
			audited[sample->index[i]] = true;
			found++;
		}
	}
	return found;
}
