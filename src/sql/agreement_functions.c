/*-------------------------------------------------------------------------
 *
 * agreement_functions.c
 *	  hl_agreement: how far people agree beyond chance.
 *
 * Of current answers alone: what a reviewer has settled is no answer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "learn/agreement_statistics.h"
#include "sql/api.h"
#include "store/caller.h"
#include "store/project.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_agreement);

#define AGREEMENT_COLUMNS 7

/* The answers with the names that their numbers stand for. */
typedef struct NamedAnswers
{
	AnswerTable table;
	char	  **annotators;
	char	  **classes;
} NamedAnswers;

/* Numbers of names among all of them: column of the last result, sorted names. */
static int *
number_names(int column, char ***names, int *n)
{
	int			rows = (int) SPI_processed;
	char	  **said = palloc_array_checked(char *, rows);
	int		   *number = palloc_array_checked(int, rows);

	*names = palloc_array_checked(char *, rows);
	for (int i = 0; i < rows; i++)
		said[i] = (*names)[i] = result_string(i, column);
	*n = strings_unique(*names, rows);
	for (int i = 0; i < rows; i++)
	{
		char	  **found = bsearch(&said[i], *names, *n, sizeof(char *), compare_strings);

		number[i] = (int) (found - *names);
	}
	pfree(said);
	return number;
}

/* Answers to items that have two or more: others say nothing of agreement. */
static void
read_answers(const Project *project, NamedAnswers *answers)
{
	static Statement select = {
		"SELECT (pg_catalog.dense_rank() OVER (ORDER BY c.item))::int4 - 1, c.annotator, c.label "
		"FROM (SELECT a.item, a.annotator, a.label, pg_catalog.count(*) OVER (PARTITION BY a.item) AS answers "
		"FROM @hl_current_answer a WHERE a.project_id = $1 AND a.label IS NOT NULL) c "
		"WHERE c.answers > 1 ORDER BY c.item, c.annotator COLLATE \"C\"",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	AnswerTable *table = &answers->table;
	int		   *item;

	statement_run_as_extension(&select, values, NULL, true);
	table->n = (int) SPI_processed;
	item = palloc_array_checked(int, table->n);
	for (int i = 0; i < table->n; i++)
		item[i] = result_int(i, 1);
	table->item = item;
	table->items = table->n == 0 ? 0 : item[table->n - 1] + 1;
	table->annotator = number_names(2, &answers->annotators, &table->annotators);
	table->label = number_names(3, &answers->classes, &table->classes);
	SPI_freetuptable(SPI_tuptable);
}

/* pair: two names, or NULL for all; class NULL: all. */
static void
add_figure(ReturnSetInfo *set, const char *measure, char **pair, const char *class,
		   const Coefficient *coefficient)
{
	Datum		values[AGREEMENT_COLUMNS];
	bool		nulls[AGREEMENT_COLUMNS] = {false};

	values[0] = CStringGetTextDatum(measure);
	nulls[1] = pair == NULL;
	values[1] = nulls[1] ? (Datum) 0 : text_array(pair, 2);
	nulls[2] = class == NULL;
	values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(class);
	nulls[3] = isnan(coefficient->value);
	nulls[4] = nulls[3] || isnan(coefficient->low);
	nulls[5] = nulls[3] || isnan(coefficient->high);
	values[3] = Float8GetDatum(coefficient->value);
	values[4] = Float8GetDatum(coefficient->low);
	values[5] = Float8GetDatum(coefficient->high);
	values[6] = Int32GetDatum(coefficient->items);
	set_add(set, values, nulls);
}

static void
add_group(ReturnSetInfo *set, const Project *project, const NamedAnswers *answers)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	GroupAgreement agreement;

	memory_check(group_agreement_memory(&answers->table), "measure agreement");
	agreement.of_class = palloc_array_checked(Coefficient, answers->table.classes);
	status_check(group_agreement(&caller, &answers->table, (uint64) project->options.random_seed,
								 &agreement), "measure agreement");
	add_figure(set, "krippendorff_alpha", NULL, NULL, &agreement.alpha);
	add_figure(set, "fleiss_kappa", NULL, NULL, &agreement.kappa);
	for (int k = 0; k < answers->table.classes; k++)
		add_figure(set, "krippendorff_alpha", NULL, answers->classes[k], &agreement.of_class[k]);
}

static void
add_pairs(ReturnSetInfo *set, const NamedAnswers *answers)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	PairAgreement *pairs;
	int			n;

	memory_check(pair_agreements_memory(&answers->table), "measure agreement");
	status_check(pair_agreements(&caller, &answers->table, &pairs, &n), "measure agreement");
	for (int i = 0; i < n; i++)
	{
		char	   *pair[2] = {answers->annotators[pairs[i].first], answers->annotators[pairs[i].second]};

		add_figure(set, "cohen_kappa", pair, NULL, &pairs[i].kappa);
	}
}

Datum
hl_agreement(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	Project    *project;
	NamedAnswers answers;
	Call		call;

	call_begin(&call);
	project = project_open(required_text(fcinfo, 0, "project"), PRIVILEGE_ANY, true);
	read_answers(project, &answers);
	add_group(set, project, &answers);
	add_pairs(set, &answers);
	call_end(&call);
	return (Datum) 0;
}
