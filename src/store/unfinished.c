/*-------------------------------------------------------------------------
 *
 * unfinished.c
 *	  Encoders with which not all rows are encoded yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "store/encoder_plan.h"
#include "store/fit.h"
#include "store/named_encoder.h"
#include "store/session.h"
#include "store/unfinished.h"

/* The column came with 0.4.0, as named encoders did: before, nobody goes on. */
int64
unfinished_encoder(const Project *project)
{
	static Statement select = {
		"SELECT e.id, v.items FROM @hl_encoder e JOIN @hl_serving v USING (project_id) "
		"WHERE e.project_id = $1 AND e.unfinished AND e.name = $2 "
		"AND e.id > coalesce(v.encoder_id, 0) "
		"AND NOT EXISTS (SELECT 1 FROM pg_catalog.unnest(e.uses) AS u (id) "
		"WHERE NOT EXISTS (SELECT 1 FROM @hl_encoder n WHERE n.id = u.id)) "
		"ORDER BY e.id DESC LIMIT 1", 2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id)};
	int64		id;

	if (!encoders_can_be_named() || !OidIsValid(project->source))
		return 0;
	values[1] = CStringGetTextDatum(encoder_wanted(project));
	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return 0;
	id = result_bigint(0, 1);
	return encoder_outgrown(id, result_bigint(0, 2)) ? 0 : id;
}

static void
mark(int64 encoder_id, bool unfinished)
{
	static Statement update = {
		"UPDATE @hl_encoder SET unfinished = $2 WHERE id = $1", 2, {INT8OID, BOOLOID}, NULL, 0
	};
	Datum		values[2] = {Int64GetDatum(encoder_id), BoolGetDatum(unfinished)};

	if (encoders_can_be_named())
		statement_run_as_extension(&update, values, NULL, false);
}

void
unfinished_begin(int64 encoder_id)
{
	mark(encoder_id, true);
}

void
unfinished_end(int64 encoder_id)
{
	mark(encoder_id, false);
}
