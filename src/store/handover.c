/*-------------------------------------------------------------------------
 *
 * handover.c
 *	  What a project's models may answer alone, and how often their labels
 *	  are among the likely ones: learn/handover.h on stored predictions.
 *
 * hl_model_label has what the cross-validation said of each labelled row, and
 * which of them are a uniform sample of the source.  The threshold is stored with
 * the model (hl_model.auto_threshold), with the error rate that it is for: a
 * prediction reads it along with the model.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "store/asked.h"
#include "store/caller.h"
#include "store/feature.h"
#include "store/handover.h"
#include "store/label.h"
#include "store/session.h"

/* What is stored of a model's labelled rows. */
typedef struct Stored
{
	int			n;
	Datum	   *labels;			/* int4 */
	Datum	   *predicted;		/* int4 */
	Datum	   *confidence;		/* float4 */
	Datum	   *losses;			/* float4 */
	Datum	   *audited;		/* bool */
} Stored;

bool
handover_is_kept(void)
{
	return get_attnum(extension_table("hl_model"), "auto_threshold") != InvalidAttrNumber;
}

/* The n elements of an array of the first row; false: it is NULL, of another length, or has one. */
static bool
read_array(int column, Oid type, int n, Datum **values)
{
	int			count;

	*values = result_elements(column, type, &count);
	return count == n;
}

/* False: there is nothing, or it is from a version that did not keep all of it. */
static bool
read_stored(int32 project_id, int32 model, bool read_only, Stored *stored)
{
	static Statement select = {
		"SELECT labels, predicted, confidence, losses, audited FROM @hl_model_label "
		"WHERE project_id = $1 AND model = $2", 2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project_id), Int32GetDatum(model)};

	memset(stored, 0, sizeof(*stored));
	statement_run_as_extension(&select, values, NULL, read_only);
	if (SPI_processed == 0)
		return false;
	stored->labels = result_elements(1, INT4OID, &stored->n);
	if (stored->labels != NULL &&
		read_array(2, INT4OID, stored->n, &stored->predicted) &&
		read_array(3, FLOAT4OID, stored->n, &stored->confidence) &&
		read_array(4, FLOAT4OID, stored->n, &stored->losses) &&
		read_array(5, BOOLOID, stored->n, &stored->audited))
		return true;
	stored->n = 0;
	return false;
}

void
handover_read(const Project *project, int32 model, double target, bool read_only,
			  Handover *handover)
{
	Stored		stored;
	Judged	   *judged;
	int			n = 0;

	(void) read_stored(project->id, model, read_only, &stored);
	judged = palloc_array_checked(Judged, stored.n);
	for (int i = 0; i < stored.n; i++)
	{
		if (!DatumGetBool(stored.audited[i]))
			continue;
		judged[n].confidence = DatumGetFloat4(stored.confidence[i]);
		judged[n++].hit = DatumGetInt32(stored.labels[i]) == DatumGetInt32(stored.predicted[i]);
	}
	handover_choose(judged, n, target, handover);
	pfree(judged);
}

/* The option as it is now: whoever trains may have read it long ago.  0: none. */
static double
target_now(const Project *project)
{
	static Statement select = {
		"SELECT (options ->> 'target_error')::float8 FROM @hl_project WHERE id = $1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed == 0 ? 0.0 : result_double(0, 1);
}

static void
write_threshold(const Project *project, int32 model, double target)
{
	static Statement update = {
		"UPDATE @hl_model SET target_error = $3, auto_threshold = $4 WHERE project_id = $1 AND model = $2",
		4, {INT4OID, INT4OID, FLOAT8OID, FLOAT4OID}, NULL, 0
	};
	Handover	handover = {.promised = false};
	Datum		values[4] = {
		Int32GetDatum(project->id), Int32GetDatum(model), Float8GetDatum(target)
	};
	bool		nulls[4] = {false, false, target == 0.0, true};

	if (target > 0.0)
		handover_read(project, model, target, false, &handover);
	nulls[3] = !handover.promised;
	values[3] = Float4GetDatum(handover.threshold);
	statement_run_as_extension(&update, values, nulls, false);
}

void
handover_write(const Project *project, int32 model)
{
	double		target = handover_is_kept() ? target_now(project) : 0.0;

	if (target > 0.0)
		write_threshold(project, model, target);
}

void
handovers_write(const Project *project)
{
	static Statement select = {
		"SELECT model FROM @hl_model_label WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	double		target = target_now(project);
	int		   *models;
	int			n;

	statement_run_as_extension(&select, values, NULL, false);
	n = (int) SPI_processed;
	models = palloc_array_checked(int, n);
	for (int i = 0; i < n; i++)
		models[i] = result_int(i, 1);
	for (int i = 0; i < n; i++)
		write_threshold(project, models[i], target);
	pfree(models);
}

bool
serving_decides(const Serving *serving, const Score *score, const Score *base)
{
	return score->label >= 0 && score->confidence >= serving->threshold &&
		(base == NULL || (base->confidence >= serving->threshold && base->label == score->label));
}

/* Rows of the source on their way to be decided on. */
typedef struct Deciding
{
	RowsBuilder rows;
	char	  **items;
} Deciding;

static void
encode_row(const SourceRow *row, void *argument)
{
	Deciding   *deciding = argument;
	RowsBuilder *rows = &deciding->rows;

	if (input_missing(&row->input) ||
		encode_input(rows->encoder, &row->input, &rows->encoding) != STATUS_SUCCESS)
		return;
	rows_add_encoding(rows, &rows->encoding);
	if (rows_blank(rows, rows->n - 1))
		rows_drop_last(rows);
	else
		deciding->items[rows->n - 1] = MemoryContextStrdup(rows->context, row->item);
}

void
ask_uncertain(const Project *project, char **items, int n)
{
	Deciding	deciding;
	Serving		serving;
	Caller		caller = caller_in(CurrentMemoryContext);
	char	  **missing = palloc_array_checked(char *, n);
	Score	   *scores = palloc_array_checked(Score, n);
	Score	   *base = palloc_array_checked(Score, n);
	const Rows *rows;
	char	  **labels;
	int			unsure = 0;

	if (n == 0 || project->options.ask_uncertain != 1 || !(project->options.target_error > 0.0) ||
		!handover_is_kept() || !serving_open(project, false, CurrentMemoryContext, &serving))
		return;
	deciding.items = palloc_array_checked(char *, n);
	rows_init(&deciding.rows, serving.encoder, CurrentMemoryContext);
	source_rows(project, items, n, encode_row, &deciding);
	rows = rows_finish(&deciding.rows);
	if (rows->n == 0)
		return;
	status_check(model_score(&caller, serving.classifier, rows, scores, NULL), "score rows");
	status_check(model_margins(&caller, serving.base, rows, base), "score rows");
	labels = consensus_of_items(project, deciding.items, rows->n);
	for (int i = 0; i < rows->n; i++)
	{
		if (labels[i] == NULL && !serving_decides(&serving, &scores[i], &base[i]))
			items[unsure++] = deciding.items[i];
	}
	asks_add(project, items, unsure);
	/* the option targets may leave some out */
	asks_forget(project, missing, source_missing(project, items, unsure, missing));
}

/* By the cross-validation. */
static void
limit_out_of_fold(int32 project_id, int32 model, double coverage, bool read_only, SetLimit *limit)
{
	Stored		stored;
	float	   *losses;
	int			n = 0;

	(void) read_stored(project_id, model, read_only, &stored);
	losses = palloc_array_checked(float, stored.n);
	for (int i = 0; i < stored.n; i++)
		n += DatumGetBool(stored.audited[i]);
	limit->audited = n >= CONFORMAL_LEAST && n >= conformal_least(coverage);
	n = 0;
	for (int i = 0; i < stored.n; i++)
	{
		if (!limit->audited || DatumGetBool(stored.audited[i]))
			losses[n++] = DatumGetFloat4(stored.losses[i]);
	}
	if (!conformal_limit(losses, n, coverage, &limit->limit))
		limit->limit = INFINITY;
	pfree(losses);
}

void
set_limit_read(const Project *project, const Serving *serving, double coverage, bool read_only,
			   MemoryContext pin_context, SetLimit *limit)
{
	const HeldOut *held_out = held_out_open(project, serving, read_only, pin_context);

	*limit = (SetLimit) {.model = serving->base};
	if (held_out == NULL ||
		!conformal_limit_sorted(held_out->losses, held_out->n, coverage, &limit->limit))
	{
		limit_out_of_fold(project->id, serving->model, coverage, read_only, limit);
		return;
	}
	limit->model = held_out->model;
	limit->audited = held_out->audited;
	limit->held_out = true;
}
