/*-------------------------------------------------------------------------
 *
 * train_figures.c
 *	  What is recorded of a training beside the model: shares of the parts of
 *	  its encoder, what they and the encoder itself were compared with, and what
 *	  the label model made of people's answers.
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

/* Whose answers there are, and how sure of them the label model is. */
static char *
weighed_people(const Training *training)
{
	const Truth *truth = training->consensus.truth;
	char	  **names;
	int			people = truth_voices(truth, &names);
	double		least = 1.0;
	double		most = 0.0;
	double		entropy = 0.0;
	int			repeated = 0;
	int			known = 0;

	for (int v = 0; v < people; v++)
	{
		VoiceFigures figures;

		label_model_voice(truth_model(truth), v, &figures);
		least = Min(least, figures.accuracy);
		most = Max(most, figures.accuracy);
	}
	for (int i = 0; i < training->answered; i++)
	{
		int			item = truth_item(truth, training->items[i]);
		ItemLabel	label;

		if (item < 0)
			continue;
		label_model_item(truth_model(truth), item, &label);
		known += label.known;
		if (label.known || label.answers < 2)
			continue;
		repeated++;
		entropy += label.entropy;
	}
	return psprintf("{\"annotators\": %d, \"least_accuracy\": %.4f, \"most_accuracy\": %.4f, "
					"\"certain\": %d, \"repeated\": %d, \"entropy\": %.4f}",
					people, least, most, known, repeated, entropy / Max(repeated, 1));
}

/*
 * How much each part counts and what else was tried; where the encoder is chosen,
 * which ones were compared; and where several have answered, what that has said.
 */
void
train_figures_write(const Training *training)
{
	static Statement update = {
		"UPDATE @hl_model m SET figures = nullif(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
		"'shares', $3::jsonb, 'tried', $4::jsonb, 'encoders', v.tried, 'people', $5::jsonb)), '{}') "
		"FROM @hl_serving v WHERE v.project_id = $1 AND m.project_id = $1 AND m.model = $2",
		5, {INT4OID, INT4OID, TEXTOID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[5] = {
		Int32GetDatum(training->project->id), Int32GetDatum(training->number)
	};
	bool		nulls[5] = {false, false, true, true, true};

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
	if (training->consensus.truth != NULL)
	{
		values[4] = CStringGetTextDatum(weighed_people(training));
		nulls[4] = false;
	}
	statement_run(&update, values, nulls, false);
}
