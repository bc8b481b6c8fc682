/*-------------------------------------------------------------------------
 *
 * gold.c
 *	  Gold items: their label is known, and whoever answers them is measured by it.
 *
 * They are labelled, so they are not in the ranking.  hl_next shows one in place
 * of a question now and then, and gives it that question's reason and
 * uncertainty; the suggestion is what the model says that has not seen its label.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"

#include "math/random.h"
#include "store/change.h"
#include "store/feature.h"
#include "store/gold.h"
#include "store/label.h"
#include "store/session.h"
#include "store/several.h"

void
gold_write(const Project *project, char *item, char *label, const char *marked_by)
{
	static Statement write = {
		"INSERT INTO @hl_gold_label AS g (project_id, item, label, marked_by) VALUES ($1, $2, $3, $4) "
		"ON CONFLICT (project_id, item) DO UPDATE SET label = excluded.label, "
		"marked_by = excluded.marked_by, marked_at = excluded.marked_at",
		4, {INT4OID, TEXTOID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[4] = {
		Int32GetDatum(project->id), CStringGetTextDatum(item), CStringGetTextDatum(label),
		CStringGetTextDatum(marked_by)
	};

	answers_lock(project, false);
	project_lock(project);
	statement_run_as_extension(&write, values, NULL, false);
	ranking_forget(project, &item, 1);
	/* what it says of annotators concerns all that they have said */
	change_note(project->id, CHANGE_LABELS, NULL, 0);
}

void
gold_remove(const Project *project, char *item)
{
	static Statement remove = {
		"DELETE FROM @hl_gold_label WHERE project_id = $1 AND item = $2", 2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(item)};

	answers_lock(project, false);
	statement_run_as_extension(&remove, values, NULL, false);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("item \"%s\" of project \"%s\" is not gold", item, project->name)));
	/* what it says of annotators concerns all that they have said */
	change_note(project->id, CHANGE_LABELS, NULL, 0);
	/* what was labelled is not in the ranking */
	change_note(project->id, CHANGE_POOL, NULL, 0);
}

void
golds_drop(const Project *project)
{
	static Statement labels = {
		"DELETE FROM @hl_gold_label WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	static Statement shown = {
		"DELETE FROM @hl_gold_shown WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	if (!several_are_kept())
		return;
	statement_run_as_extension(&labels, values, NULL, false);
	statement_run_as_extension(&shown, values, NULL, false);
}

int
gold_rename(const Project *project, char **classes, int n, const char *into)
{
	static Statement rename = {
		"UPDATE @hl_gold_label SET label = $3 WHERE project_id = $1 AND label = ANY ($2)",
		3, {INT4OID, TEXTARRAYOID, TEXTOID}, NULL, 0
	};
	static Statement forget = {
		"DELETE FROM @hl_gold_label WHERE project_id = $1 AND label = ANY ($2)",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[3] = {Int32GetDatum(project->id), text_array(classes, n)};

	if (!several_are_kept())
		return 0;
	if (into != NULL)
		values[2] = CStringGetTextDatum(into);
	statement_run(into != NULL ? &rename : &forget, values, NULL, false);
	return (int) SPI_processed;
}

int64
gold_count(const Project *project, Datum classes, bool read_only)
{
	static Statement count = {
		"SELECT pg_catalog.count(*) FROM @hl_gold_label WHERE project_id = $1 AND label = ANY ($2)",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), classes};

	if (!several_are_kept())
		return 0;
	statement_run_as_extension(&count, values, NULL, read_only);
	return result_bigint(0, 1);
}

char **
gold_classes(const Project *project, int *n)
{
	static Statement select = {
		"SELECT DISTINCT label FROM @hl_gold_label WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	*n = 0;
	if (!several_are_kept())
		return NULL;
	statement_run_as_extension(&select, values, NULL, false);
	return result_strings(1, n);
}

bool *
golds_among(const Project *project, const Lease *leases, int n)
{
	static Statement select = {
		"SELECT EXISTS (SELECT 1 FROM @hl_gold_label g WHERE g.project_id = $1 AND g.item = u.item) "
		"FROM unnest($2) WITH ORDINALITY u(item, n) ORDER BY u.n", 2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id)};
	char	  **items = palloc_array_checked(char *, n);
	bool	   *gold = palloc0(sizeof(bool) * n);

	if (!several_are_kept())
		return gold;
	for (int i = 0; i < n; i++)
		items[i] = leases[i].item;
	values[1] = text_array(items, n);
	statement_run_as_extension(&select, values, NULL, false);
	for (int i = 0; i < n; i++)
	{
		bool		isnull;

		gold[i] = DatumGetBool(result_datum(i, 1, &isnull));
	}
	return gold;
}

bool
gold_due(const Project *project)
{
	Random		random;
	uint64		seed;

	if (project->options.gold <= 0 || !several_are_kept())
		return false;
	if (!pg_strong_random(&seed, sizeof(seed)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	random_seed(&random, seed);
	return random_uniform(&random) < project->options.gold;
}

/*
 * What is shown to an annotator stands in hl_gold_shown, which sessions of the same
 * annotator would wait for each other to write: the lock, by his name, makes one of
 * them go without.
 */
static bool
lock_shown(const Project *project, const char *annotator)
{
	uint32		hash = hash_bytes((const unsigned char *) annotator, (int) strlen(annotator));

	return try_object_lock(extension_table("hl_gold_shown"), hash ^ (uint32) project->id,
						   AccessExclusiveLock);
}

/* A condition on gold label g: annotator $2 has not been shown the item, nor answered it. */
#define IS_NEW_TO_HIM \
	"NOT EXISTS (SELECT 1 FROM @hl_gold_shown s WHERE s.project_id = $1 AND s.item = g.item AND s.annotator = $2) " \
	"AND NOT EXISTS (SELECT 1 FROM @hl_answer a WHERE a.project_id = $1 AND a.item = g.item AND a.annotator = $2)"

bool
gold_is_new(const Project *project, const char *annotator, const char *item)
{
	static Statement select = {
		"SELECT 1 FROM @hl_gold_label g WHERE g.project_id = $1 AND g.item = $3 AND " IS_NEW_TO_HIM,
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), CStringGetTextDatum(annotator), CStringGetTextDatum(item)
	};

	if (!lock_shown(project, annotator))
		return false;
	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0;
}

bool
gold_choose(const Project *project, const char *annotator, const Lease *instead, Lease *gold)
{
	static Statement choose = {
		"SELECT g.item FROM @hl_gold_label g WHERE g.project_id = $1 AND " IS_NEW_TO_HIM " "
		"ORDER BY pg_catalog.random() LIMIT 1", 2, {INT4OID, TEXTOID}, NULL, 0
	};
	static Statement suggest = {
		"SELECT nullif((coalesce(m.class_names, m.classes))[1 + l.predicted[p]], ''), l.confidence[p]::float8 "
		"FROM @hl_serving v JOIN @hl_model m ON m.project_id = v.project_id AND m.model = v.model "
		"JOIN @hl_model_label l ON l.project_id = v.project_id AND l.model = v.model "
		"CROSS JOIN LATERAL pg_catalog.array_position(l.items, $2) p "
		"WHERE v.project_id = $1 AND p IS NOT NULL AND l.predicted IS NOT NULL AND l.confidence IS NOT NULL",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(annotator)};

	if (!lock_shown(project, annotator))
		return false;
	statement_run_as_extension(&choose, values, NULL, false);
	if (SPI_processed == 0)
		return false;
	*gold = *instead;
	gold->item = result_string(0, 1);
	if (instead->label == NULL)
		return true;
	values[1] = CStringGetTextDatum(gold->item);
	statement_run_as_extension(&suggest, values, NULL, false);
	if (SPI_processed > 0)
	{
		gold->label = result_string(0, 1);
		gold->confidence = result_double(0, 2);
	}
	return true;
}

void
gold_show(const Project *project, const char *annotator, const Lease *gold)
{
	static Statement show = {
		"INSERT INTO @hl_gold_shown (project_id, item, annotator) VALUES ($1, $2, $3)",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), CStringGetTextDatum(gold->item), CStringGetTextDatum(annotator)
	};

	statement_run_as_extension(&show, values, NULL, false);
}
