/*-------------------------------------------------------------------------
 *
 * repeats.c
 *	  Which items are worth another answer more than a new item is worth its first.
 *
 * One scale for both: by how much, in nats, one more answer by a typical annotator
 * lowers the entropy of what is known of the item's label.  Of an item that has
 * answers that is known from them, from how good those are who gave them, and from
 * a model that has not seen them (label_model_gain); of a new one, from the model
 * alone.  Goh and Mueller, "ActiveLab: active learning with re-labeling by
 * multiple annotators", 2023, put both on one scale likewise, though that of the
 * probability of the label and not of information.
 *
 * On that scale a new item looks worth more than it is, see WORTH_OF_NEW.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "learn/information.h"
#include "store/label.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/several.h"
#include "store/truth.h"

/*
 * Nobody is asked again for less, whatever a new item is worth; nor for less than this
 * share of the most that an answer could tell.  With two classes and people who
 * seem to be right in six of ten cases that is 0.02, so all would be below: and as
 * long as nobody is asked again, nobody can turn out to be better.
 */
#define LEAST_WORTH 0.02
#define LEAST_SHARE 0.15

/*
 * What of a first answer counts.  Much of what it tells of its item the model would have
 * learned from other items' labels, while what is wrong in a label stays there.
 * And an answer to an item that has some tells how good those are who gave them, which
 * is worth something for all they have said: where only the most doubtful answers
 * are held against others, everybody looks worse than he is, and models were
 * worse than with one answer an item.  On answers made up for hausa_news and
 * ag_news_sample (test/bench/answers), 600 of them, accuracy on test rows was 0.67, 0.72,
 * 0.73 and 0.72 with 1, 1/2, 1/4 and 1/10, and 0.76, 0.88, 0.91 and 0.92 of the labels were right.
 */
#define WORTH_OF_NEW 0.25

/* What a model that has not seen the label says of an item that has one. */
typedef struct Foretold
{
	int			n;
	char	  **items;
	int			nclasses;
	char	  **classes;
	float	   *probability;	/* n x nclasses */
} Foretold;

/* Elements of an array of the last result; error where they are not so many. */
static Datum *
elements(int column, Oid type, int n)
{
	int			count;
	Datum	   *values = result_elements(column, type, &count);

	if (count != n)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("what a model was measured with is damaged")));
	return values;
}

/*
 * By the newest model, whether or not it serves: where it was refused, the one that
 * serves has not learned from the answers since.  Stored are the predicted class and its
 * probability: the others have what is left in equal parts.  False: there is no model.
 */
static bool
read_foretold(const Project *project, Foretold *foretold)
{
	static Statement select = {
		"SELECT l.items, l.predicted, l.confidence, coalesce(m.class_names, m.classes) "
		"FROM @hl_model m JOIN @hl_model_label l USING (project_id, model) "
		"WHERE m.project_id = $1 AND l.predicted IS NOT NULL AND l.confidence IS NOT NULL "
		"ORDER BY m.model DESC LIMIT 1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	Datum	   *predicted;
	Datum	   *confidence;
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return false;
	foretold->items = array_strings(result_datum(0, 1, &isnull), &foretold->n);
	foretold->classes = array_strings(result_datum(0, 4, &isnull), &foretold->nclasses);
	predicted = elements(2, INT4OID, foretold->n);
	confidence = elements(3, FLOAT4OID, foretold->n);
	foretold->probability = palloc_array_checked(float, (Size) foretold->n * foretold->nclasses);
	for (int i = 0; i < foretold->n; i++)
	{
		float	   *row = foretold->probability + (size_t) i * foretold->nclasses;
		int			class = DatumGetInt32(predicted[i]);
		float		sure = DatumGetFloat4(confidence[i]);

		CHECK_FOR_INTERRUPTS();
		if (class < 0 || class >= foretold->nclasses || !(sure >= 0 && sure <= 1))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("what a model was measured with is damaged")));
		for (int k = 0; k < foretold->nclasses; k++)
			row[k] = (1 - sure) / Max(foretold->nclasses - 1, 1);
		row[class] = sure;
	}
	return true;
}

/* Probability that an answer is right, over all people's. */
static double
typical_accuracy(const Truth *truth)
{
	char	  **names;
	int			n = truth_voices(truth, &names);
	double		right = 0.0;
	double		all = 0.0;

	for (int v = 0; v < n; v++)
	{
		VoiceFigures figures;

		label_model_voice(truth_model(truth), v, &figures);
		right += figures.answers * figures.accuracy;
		all += figures.answers;
	}
	return all > 0 ? right / all : 0.0;
}

/*
 * What the first answer is worth to the new items that are asked next: the median
 * of a batch.
 */
static double
worth_of_new(const Project *project, int classes, double accuracy)
{
	static Statement select = {
		"SELECT (pg_catalog.percentile_disc(0.5) WITHIN GROUP (ORDER BY e.confidence))::float8 FROM ("
		"SELECT u.confidence FROM @hl_ranking r CROSS JOIN LATERAL unnest(r.items, r.confidence) "
		"WITH ORDINALITY u(item, confidence, n) WHERE r.project_id = $1 AND r.part = 'head' "
		"AND u.confidence IS NOT NULL AND NOT EXISTS (SELECT 1 FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.item = u.item AND c.label IS NOT NULL OFFSET 0)" NOT_SETTLED("u.item") " "
		"ORDER BY u.n LIMIT $2) e", 2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {
		Int32GetDatum(project->id), Int32GetDatum(project->options.batch)
	};

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0 || result_is_null(0, 1))
		return 0.0;
	return information_of_answer(result_double(0, 1), classes, accuracy);
}

/* Items that may be asked again, with their answers so far; and those worth it kept. */
static void
keep_worthy(const Project *project, const Truth *truth, const Foretold *foretold, double least)
{
	static Statement keep = {
		"INSERT INTO @hl_repeat (project_id, item, wanted, reason, worth, since) "
		"SELECT $1, u.item, a.labels + 1, CASE WHEN a.kinds > 1 THEN 'dispute' ELSE 'repeat' END, "
		"u.worth, a.since FROM unnest($2, $3) u(item, worth) CROSS JOIN LATERAL "
		"(SELECT pg_catalog.count(c.label) AS labels, pg_catalog.count(DISTINCT c.label) AS kinds, "
		"pg_catalog.min(c.answer_id) AS since, pg_catalog.bool_or(c.annotator = 'source') AS source "
		"FROM @hl_current_answer c WHERE c.project_id = $1 AND c.item = u.item AND c.label IS NOT NULL OFFSET 0) a "
		"WHERE a.labels BETWEEN 1 AND $4 - 1 AND NOT a.source" NOT_SETTLED("u.item") " ORDER BY u.worth DESC LIMIT $5",
		5, {INT4OID, TEXTARRAYOID, FLOAT4ARRAYOID, INT4OID, INT4OID}, NULL, 0
	};
	char	  **items = palloc_array_checked(char *, foretold->n);
	float	   *worth = palloc_array_checked(float, foretold->n);
	Datum		values[5];
	int			n = 0;

	for (int i = 0; i < foretold->n; i++)
	{
		int			index = truth_item(truth, foretold->items[i]);
		double		gain;

		CHECK_FOR_INTERRUPTS();
		if (index < 0)
			continue;
		gain = label_model_gain(truth_model(truth), index, LABEL_NONE);
		if (gain <= least)
			continue;
		items[n] = foretold->items[i];
		worth[n++] = (float) gain;
	}
	values[0] = Int32GetDatum(project->id);
	values[1] = text_array(items, n);
	values[2] = float_array(worth, n);
	values[3] = Int32GetDatum(project->options.most_answers);
	values[4] = Int32GetDatum(project->options.queue_size);
	statement_run_as_extension(&keep, values, NULL, false);
}

bool
repeats_weigh(const Project *project)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop repeats",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Foretold	foretold = {0};
	bool		found = read_foretold(project, &foretold);

	if (found)
	{
		char	  **items;
		char	  **labels;
		int			n = known_read(project, &items, &labels);
		Truth	   *heard = truth_share(project, items, labels, n, context);
		Truth	   *truth = truth_with_classifier(heard, foretold.items, foretold.n,
												  foretold.probability, foretold.classes,
												  foretold.nclasses, context);
		double		accuracy = typical_accuracy(truth);
		int			classes = foretold.nclasses;
		double		most = information_of_answer(1.0 / classes, classes, accuracy);
		double		least = WORTH_OF_NEW * worth_of_new(project, classes, accuracy);

		keep_worthy(project, truth, &foretold,
					Max(least, Min(LEAST_WORTH, LEAST_SHARE * most)));
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return found;
}
