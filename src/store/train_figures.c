/*-------------------------------------------------------------------------
 *
 * train_figures.c
 *	  What is recorded of a training beside the model: shares of the parts of
 *	  its encoder, and what they and the encoder itself were compared with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "store/encoder_choice.h"
#include "store/session.h"
#include "store/train.h"

/*
 * The encoder that the model was trained with, as named parts: by now another may
 * be wanted.
 */
static EncoderPlan *
plan_of_model(const Training *training)
{
	return encoder_plan(training->project, training->encoder);
}

static char *
shares_of_model(const Training *training)
{
	float		share[MODEL_MAX_PARTS];
	StringInfoData json;

	for (int p = 0; p < model_parts(training->model); p++)
		share[p] = model_share(training->model, p);
	initStringInfo(&json);
	append_shares(&json, plan_of_model(training), share);
	return json.data;
}

static char *
tried_shares(const Training *training)
{
	EncoderPlan *plan = plan_of_model(training);
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < training->validation.trials; i++)
	{
		const PartTrial *trial = &training->validation.trial[i];

		appendStringInfoString(&json, i == 0 ? "[{\"shares\": " : ", {\"shares\": ");
		append_shares(&json, plan, trial->share);
		appendStringInfo(&json, ", \"log_loss\": %.4f, \"accuracy\": %.4f}", trial->log_loss,
						 trial->accuracy);
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

/*
 * How much each part counts and what else was tried; and, where the encoder is
 * chosen, which ones were compared.
 */
void
train_figures_write(const Training *training)
{
	static Statement update = {
		"UPDATE @hl_model m SET figures = nullif(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
		"'shares', $3::jsonb, 'tried', $4::jsonb, 'encoders', v.tried)), '{}') "
		"FROM @hl_serving v WHERE v.project_id = $1 AND m.project_id = $1 AND m.model = $2",
		4, {INT4OID, INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[4] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->number)
	};
	bool		nulls[4] = {false, false, true, true};

	if (model_parts(training->model) > 1)
	{
		values[2] = CStringGetTextDatum(shares_of_model(training));
		nulls[2] = false;
	}
	if (training->validation.trials > 0)
	{
		values[3] = CStringGetTextDatum(tried_shares(training));
		nulls[3] = false;
	}
	statement_run(&update, values, nulls, false);
}
