/*-------------------------------------------------------------------------
 *
 * annotator_functions.c
 *	  hl_annotators, hl_annotator_confusion: who answers how well.
 *
 * Both read the answers and fit the label model (learn/label_model.h) to them,
 * gold and settled labels being known.  Whoever may not manage the project sees himself, and
 * not how often he has met gold: else he would know which items are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "sql/api.h"
#include "store/label.h"
#include "store/several.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/truth.h"

PG_FUNCTION_INFO_V1(hl_annotators);
PG_FUNCTION_INFO_V1(hl_annotator_confusion);

/* Answers less than this are nobody's. */
#define LEAST_ANSWERS 0.005

/* The label model, or NULL where nothing says how good anybody is. */
static Truth *
weigh_answers(const Project *project)
{
	char	  **items;
	char	  **labels;
	int			n = known_read(project, &items, &labels);

	if (n == 0 && !truth_is_needed(project))
		return NULL;
	return truth_share(project, items, labels, n, CurrentMemoryContext);
}

/* Whom the caller may see: NULL: all. */
static char *
seen_annotator(const Project *project)
{
	return project_privilege(project, GetUserId(), PRIVILEGE_MANAGE, true) ? NULL :
		annotator_name(project, NULL);
}

/* Number of a voice, or -1. */
static int
voice_of(const Truth *truth, const char *annotator)
{
	char	  **names;
	int			n = truth == NULL ? 0 : truth_voices(truth, &names);

	for (int v = 0; v < n; v++)
	{
		if (strcmp(names[v], annotator) == 0)
			return v;
	}
	return -1;
}

/* Of each voice: answers to items of which something else is known, and how many agree. */
typedef struct Agreement
{
	int64		shared;
	int64		agreed;
} Agreement;

static Agreement *
read_agreement(const Project *project, const Truth *truth)
{
	static Statement select = {
		"SELECT c.item, c.annotator, c.label FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.label IS NOT NULL AND (EXISTS (SELECT 1 FROM @hl_current_answer o "
		"WHERE o.project_id = $1 AND o.item = c.item AND o.annotator <> c.annotator AND o.label IS NOT NULL) "
		"OR EXISTS (SELECT 1 FROM @hl_gold_label g WHERE g.project_id = $1 AND g.item = c.item) "
		"OR " SETTLED_LABEL("c.item") " IS NOT NULL) "
		"ORDER BY c.annotator", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	char	  **names;
	Agreement  *agreement = palloc0(sizeof(Agreement) * (truth_voices(truth, &names) + 1));
	char	   *last = "";
	int			voice = -1;

	statement_run_as_extension(&select, values, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *annotator = result_string(i, 2);
		const char *label = truth_label(truth, result_string(i, 1));

		CHECK_FOR_INTERRUPTS();
		if (voice < 0 || strcmp(annotator, last) != 0)
			voice = voice_of(truth, annotator);
		last = annotator;
		if (voice < 0 || label == NULL)
			continue;
		agreement[voice].shared++;
		if (strcmp(label, result_string(i, 3)) == 0)
			agreement[voice].agreed++;
	}
	return agreement;
}

static void
set_number(Datum *values, bool *nulls, int column, double number)
{
	nulls[column] = isnan(number);
	values[column] = Float8GetDatum(number);
}

/* What the label model says of an annotator: columns 3 to 6. */
static void
set_figures(Datum *values, bool *nulls, const Truth *truth, int voice, const Agreement *agreement)
{
	VoiceFigures figures;

	for (int i = 3; i <= 6; i++)
		nulls[i] = true;
	if (voice < 0 || agreement[voice].shared == 0)
		return;
	label_model_voice(truth_model(truth), voice, &figures);
	set_number(values, nulls, 3, (double) agreement[voice].agreed / agreement[voice].shared);
	set_number(values, nulls, 4, figures.accuracy);
	set_number(values, nulls, 5, figures.accuracy_low);
	set_number(values, nulls, 6, figures.accuracy_high);
}

Datum
hl_annotators(PG_FUNCTION_ARGS)
{
	static Statement select = {
		"SELECT a.annotator, a.answers, a.skips, a.gold_answers, a.gold_hits, t.median "
		"FROM (SELECT c.annotator, pg_catalog.count(c.label) AS answers, "
		"pg_catalog.count(*) FILTER (WHERE c.label IS NULL) AS skips, "
		"pg_catalog.count(c.label) FILTER (WHERE g.item IS NOT NULL) AS gold_answers, "
		"pg_catalog.count(*) FILTER (WHERE c.label = g.label) AS gold_hits "
		"FROM @hl_current_answer c LEFT JOIN @hl_gold_label g ON g.project_id = $1 AND g.item = c.item "
		"WHERE c.project_id = $1 AND ($2 IS NULL OR c.annotator = $2) GROUP BY c.annotator) a "
		"LEFT JOIN (SELECT h.annotator, pg_catalog.percentile_cont(0.5) WITHIN GROUP "
		"(ORDER BY pg_catalog.extract('epoch', h.answered_at - h.leased_at)::float8) AS median "
		"FROM @hl_answer h WHERE h.project_id = $1 AND h.action = 'label' AND h.leased_at IS NOT NULL "
		"AND ($2 IS NULL OR h.annotator = $2) GROUP BY h.annotator) t ON t.annotator = a.annotator "
		"ORDER BY a.answers DESC, a.annotator", 2, {INT4OID, TEXTOID}, NULL, 0
	};
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	char	   *only;
	Truth	   *truth;
	Agreement  *agreement = NULL;
	Datum		arguments[2];
	bool		absent[2] = {false};
	SPITupleTable *table;
	uint64		n;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANNOTATE, true);
	only = seen_annotator(project);
	truth = weigh_answers(project);
	if (truth != NULL)
		agreement = read_agreement(project, truth);
	arguments[0] = Int32GetDatum(project->id);
	absent[1] = only == NULL;
	arguments[1] = absent[1] ? (Datum) 0 : CStringGetTextDatum(only);
	statement_run_as_extension(&select, arguments, absent, true);
	table = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
	{
		Datum		values[10];
		bool		nulls[10] = {false};
		char	   *annotator = result_string(i, 1);

		SPI_tuptable = table;
		SPI_processed = n;
		values[0] = CStringGetTextDatum(annotator);
		values[1] = Int64GetDatum(result_bigint(i, 2));
		values[2] = Int64GetDatum(result_bigint(i, 3));
		set_figures(values, nulls, truth, voice_of(truth, annotator), agreement);
		values[7] = Int64GetDatum(result_bigint(i, 4));
		values[8] = Int64GetDatum(result_bigint(i, 5));
		nulls[7] = nulls[8] = only != NULL;
		set_number(values, nulls, 9, result_is_null(i, 6) ? NAN : result_double(i, 6));
		set_add(set, values, nulls);
	}
	call_end(&call);
	return (Datum) 0;
}

/* The cells of one annotator that something was said in. */
static void
add_confusion(ReturnSetInfo *set, const Truth *truth, int voice)
{
	char	  **voices;
	char	  **classes;
	int			n = truth_classes(truth, &classes);

	(void) truth_voices(truth, &voices);
	for (int t = 0; t < n; t++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < n; k++)
		{
			ConfusionCell cell;
			Datum		values[7];
			bool		nulls[7] = {false};

			label_model_confusion(truth_model(truth), voice, t, k, &cell);
			if (cell.count < LEAST_ANSWERS)
				continue;
			values[0] = CStringGetTextDatum(voices[voice]);
			values[1] = CStringGetTextDatum(classes[t]);
			values[2] = CStringGetTextDatum(classes[k]);
			values[3] = Float8GetDatum(cell.count);
			values[4] = Float8GetDatum(cell.probability);
			values[5] = Float8GetDatum(cell.low);
			values[6] = Float8GetDatum(cell.high);
			set_add(set, values, nulls);
		}
	}
}

Datum
hl_annotator_confusion(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	char	   *asked;
	char	   *only;
	char	  **voices;
	Truth	   *truth;
	int			n;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANNOTATE, true);
	asked = optional_text(fcinfo, 1);
	only = seen_annotator(project);
	if (only != NULL && asked != NULL && strcmp(only, asked) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to see annotator \"%s\"", asked),
				 errdetail("Seeing somebody else needs the privilege \"manage\" on project \"%s\".",
						   project->name)));
	if (only == NULL)
		only = asked;
	truth = weigh_answers(project);
	n = truth == NULL ? 0 : truth_voices(truth, &voices);
	for (int v = 0; v < n; v++)
	{
		if (only == NULL || strcmp(voices[v], only) == 0)
			add_confusion(set, truth, v);
	}
	call_end(&call);
	return (Datum) 0;
}
