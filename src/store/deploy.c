/*-------------------------------------------------------------------------
 *
 * deploy.c
 *	  Which model serves, and which are kept.
 *
 * hl_serving has the model that answers, hl_deployment every one that ever
 * did: going back to an earlier model is one more row there, and so can
 * itself be undone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "store/change.h"
#include "store/deploy.h"
#include "store/encoder_plan.h"
#include "store/refresh.h"
#include "store/session.h"

void
deploy_model(int32 project_id, int32 model, int32 revision, const char *who, const char *reason)
{
	static Statement serve = {
		"UPDATE @hl_serving SET model = $2, revision = $3 WHERE project_id = $1",
		3, {INT4OID, INT4OID, INT4OID}, NULL, 0
	};
	static Statement record = {
		"WITH mark AS (UPDATE @hl_model SET deployed = true "
		"WHERE project_id = $1 AND model = $2 AND NOT deployed) "
		"INSERT INTO @hl_deployment (project_id, model, deployed_by, reason) VALUES ($1, $2, $3, $4)",
		4, {INT4OID, INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[4] = {
		Int32GetDatum(project_id), Int32GetDatum(model), Int32GetDatum(revision)
	};
	Acting		acting;

	act_as_extension(&acting);
	statement_run(&serve, values, NULL, false);
	values[2] = CStringGetTextDatum(who);
	values[3] = CStringGetTextDatum(reason);
	statement_run(&record, values, NULL, false);
	act_as_before(&acting);
}

/*
 * Stored features of the encoder before go at once: as nobody follows the source
 * with them any more, they would keep what is deleted from it.
 */
void
deploy_keep_encoder(const Project *project, int64 encoder_id)
{
	static Statement forget = {
		"DELETE FROM @hl_feature_block WHERE project_id = $1 AND encoder_id = "
		"(SELECT s.encoder_id FROM @hl_serving s WHERE s.project_id = $1)",
		1, {INT4OID}, NULL, 0
	};
	static Statement keep = {
		"WITH serve AS (UPDATE @hl_serving SET encoder_id = $2, features = features + 1 "
		"WHERE project_id = $1 RETURNING items) "
		"UPDATE @hl_encoder e SET source_rows = greatest(e.source_rows, s.items) "
		"FROM serve s WHERE e.id = $2", 2, {INT4OID, INT8OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int64GetDatum(encoder_id)};
	Acting		acting;

	act_as_extension(&acting);
	statement_run(&forget, values, NULL, false);
	statement_run(&keep, values, NULL, false);
	act_as_before(&acting);
	change_note(project->id, CHANGE_ENCODER, NULL, 0);
}

void
deploy_again(const Project *project, int32 model, const char *who)
{
	static Statement find = {
		"SELECT m.stored AND e.id IS NOT NULL, m.encoder_id FROM @hl_model m LEFT JOIN @hl_encoder e ON e.id = m.encoder_id "
		"WHERE m.project_id = $1 AND m.model = $2", 2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), Int32GetDatum(model)};
	ProjectState state;
	int64		encoder_id;
	bool		isnull;

	state_lock(project, &state);
	statement_run_as_extension(&find, values, NULL, false);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("project \"%s\" has no model %d", project->name, model),
				 errhint("SELECT * FROM hl_models('%s') lists them.", project->name)));
	if (!DatumGetBool(result_datum(0, 1, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model %d of project \"%s\" is not stored any more", model, project->name),
				 errdetail("The project keeps %d models.", project->options.keep_models),
				 errhint("The project option \"keep_models\" says how many are kept.")));
	encoder_id = result_bigint(0, 2);
	deploy_model(project->id, model, 0, who, "hl_deploy");
	if (encoder_id != state.encoder_id)
		deploy_keep_encoder(project, encoder_id);
	encoder_keep(project);
	change_note(project->id, CHANGE_MODEL, NULL, 0);
}

void
models_prune(const Project *project)
{
	static Statement prune = {
		"WITH old AS (UPDATE @hl_model m SET stored = false, confusion = '{}' "
		"WHERE m.project_id = $1 AND m.stored "
		"AND m.model IS DISTINCT FROM (SELECT s.model FROM @hl_serving s WHERE s.project_id = $1) "
		"AND m.model <= (SELECT k.model FROM @hl_model k WHERE k.project_id = $1 AND k.stored "
		"ORDER BY k.model DESC OFFSET $2 LIMIT 1) RETURNING m.model), "
		"parts AS (DELETE FROM @hl_model_part p USING old WHERE p.project_id = $1 AND p.model = old.model), "
		"revisions AS (DELETE FROM @hl_revision r USING old WHERE r.project_id = $1 AND r.model = old.model) "
		"DELETE FROM @hl_model_label l USING old WHERE l.project_id = $1 AND l.model = old.model",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {
		Int32GetDatum(project->id), Int32GetDatum(project->options.keep_models)
	};

	statement_run_as_extension(&prune, values, NULL, false);
}

void
models_last(int32 project_id, int *labels, double *seconds)
{
	static Statement select = {
		"SELECT labels, seconds FROM @hl_model WHERE project_id = $1 ORDER BY model DESC LIMIT 1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project_id)};

	*labels = 0;
	*seconds = 0;
	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return;
	*labels = result_int(0, 1);
	*seconds = result_double(0, 2);
}
