/*-------------------------------------------------------------------------
 *
 * state.c
 *	  What serves in a project, and what its encoded rows are of; hl_serving.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store/caller.h"
#include "store/classes.h"
#include "store/refresh_internal.h"
#include "store/session.h"
#include "store/unfinished.h"

#define SWEEP_BLOCKS 64			/* deleted at a time */

void
state_read(const Project *project, ProjectState *state)
{
	/* a restore that has failed half-way may name a model that is not there */
	static Statement select = {
		"SELECT m.model, v.revision, v.last_model, v.features, v.encoder_id, v.items, m.encoder_id "
		"FROM @hl_serving v LEFT JOIN @hl_model m ON m.project_id = v.project_id AND m.model = v.model "
		"WHERE v.project_id = $1", 1, {INT4OID}, NULL, 0
	};
	static Statement names = {
		"SELECT v.class_changes, (SELECT m.class_names IS NOT NULL FROM @hl_model m "
		"WHERE m.project_id = $1 ORDER BY m.model DESC LIMIT 1) "
		"FROM @hl_serving v WHERE v.project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	bool		isnull;

	memset(state, 0, sizeof(*state));
	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		project_dropped(project);
	state->model = result_int(0, 1);
	state->revision = result_int(0, 2);
	state->last_model = result_int(0, 3);
	state->features = result_bigint(0, 4);
	state->encoder_id = result_bigint(0, 5);
	state->items = result_bigint(0, 6);
	state->model_encoder = result_bigint(0, 7);
	if (!classes_can_change())
		return;
	statement_run_as_extension(&names, values, NULL, false);
	if (SPI_processed == 0)
		return;
	state->class_changes = result_bigint(0, 1);
	state->outnamed = DatumGetBool(result_datum(0, 2, &isnull)) && !isnull;
}

void
state_lock(const Project *project, ProjectState *state)
{
	project_lock(project);
	state_read(project, state);
}

bool
features_sweep(const Project *project)
{
	static Statement blocks = {
		"DELETE FROM @hl_feature_block WHERE ctid = ANY (ARRAY(SELECT b.ctid FROM @hl_feature_block b "
		"WHERE b.project_id = $1 AND b.encoder_id IS DISTINCT FROM "
		"(SELECT v.encoder_id FROM @hl_serving v WHERE v.project_id = $1) "
		"AND b.encoder_id <> $3 LIMIT $2))",
		3, {INT4OID, INT4OID, INT8OID}, NULL, 0
	};
	static Statement encoders = {
		"WITH unused AS (DELETE FROM @hl_encoder e WHERE e.project_id = $1 AND e.id IS DISTINCT FROM "
		"(SELECT v.encoder_id FROM @hl_serving v WHERE v.project_id = $1) AND e.id <> $2 "
		"AND NOT EXISTS (SELECT 1 FROM @hl_model m WHERE m.project_id = $1 AND m.encoder_id = e.id AND m.stored) "
		"RETURNING e.id) "
		"DELETE FROM @hl_encoder_part p USING unused u WHERE p.encoder_id = u.id",
		2, {INT4OID, INT8OID}, NULL, 0
	};
	int64		spared = unfinished_encoder(project);
	Datum		values[3] = {
		Int32GetDatum(project->id), Int32GetDatum(SWEEP_BLOCKS), Int64GetDatum(spared)
	};

	statement_run_as_extension(&blocks, values, NULL, false);
	if (SPI_processed > 0)
		return true;
	values[1] = Int64GetDatum(spared);
	statement_run_as_extension(&encoders, values, NULL, false);
	return false;
}

void
state_write(const Project *project, const Refreshed *refreshed, bool refitted)
{
	static Statement update = {
		"UPDATE @hl_serving SET features = $2, encoder_id = $3, items = $4 WHERE project_id = $1",
		4, {INT4OID, INT8OID, INT8OID, INT8OID}, NULL, 0
	};
	Datum		values[4] = {
		Int32GetDatum(project->id), Int64GetDatum(refreshed->state.features),
		Int64GetDatum(refreshed->encoder_id), Int64GetDatum(refreshed->items)
	};

	statement_run_as_extension(&update, values, NULL, false);
	while (refitted && features_sweep(project))
		interrupts_check();
}
