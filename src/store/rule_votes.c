/*-------------------------------------------------------------------------
 *
 * rule_votes.c
 *	  Runs rules over the rows of a source, and keeps what they say.
 *
 * Rows are read as they are, in portions, and then given to one rule after the other,
 * as an array of the source's own row type: "SELECT condition FROM unnest($1) s".
 * So the source is read once for all rules, a rule that fails takes none of the
 * others along, and its portion can be halved until the row is found.
 *
 * A rule runs as the owner of the source, whose rights the project's owner must
 * have: so nothing that the source's owner has put into it (a cast, a column's
 * type, a function that a condition calls) runs with more rights than his, and
 * what the project's owner has written runs with none that he has not.  It runs in a
 * security-restricted operation, in a transaction that is read-only for it, with
 * a limit of time (humanloop.rule_timeout) for each portion.
 *
 * An item that some rule speaks of has one row, with four bytes for each such
 * rule: its number and a code for what it has said.  Items that all are silent of
 * have none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "store/caller.h"
#include "store/classes.h"
#include "store/label.h"
#include "store/rule_votes.h"
#include "store/session.h"
#include "store/source.h"
#include "store/trigger.h"
#include "store/work.h"

#define PORTION_ROWS 256
#define PORTION_BYTES (4 * 1024 * 1024)

/* A rule that fails on more rows is stopped. */
#define MAX_SKIPPED 100

/* Different values of a rule's; and the bytes of one, as those of a label. */
#define MAX_SAID 10000
#define MAX_SAID_BYTES 1000

#define VOTE_BYTES 4
#define SILENT (-1)

typedef struct Evaluation
{
	const Project *project;
	Rules	   *rules;			/* all that are enabled, */
	bool	   *runs;			/* and those of them that are run */
	char	  **classes;		/* that a label may be; NULL: any */
	int			nclasses;
	Oid			row_type;
	Oid			array_type;
	MemoryContext portion;		/* the rows below, and what they make */
	int			n;
	int64		seen;			/* rows so far */
	size_t		bytes;
	char	   *items[PORTION_ROWS];
	Datum		rows[PORTION_ROWS];
	int		   *codes[PORTION_ROWS];	/* of each rule that is run, or SILENT */
	int64	   *taken;			/* microseconds, by each rule */
} Evaluation;

/* ---------------------------------------------------------------------- */
/* One rule, some rows */

typedef struct Step
{
	const Evaluation *evaluation;
	Rule	   *rule;
	int			first;
	int			n;
	MemoryContext context;
	char	  **said;			/* n: NULL is silence */
} Step;

static void
prepare_rule(const Evaluation *evaluation, Rule *rule)
{
	Oid			types[1] = {evaluation->array_type};

	rule->plan = SPI_prepare(psprintf(rule->label != NULL ?
									  "SELECT CASE WHEN (\n%s\n) THEN ''::pg_catalog.text END FROM pg_catalog.unnest($1) s" :
									  "SELECT pg_catalog.left((\n%s\n)::pg_catalog.text, %d) FROM pg_catalog.unnest($1) s",
									  rule->condition, MAX_SAID_BYTES + 1), 1, types);
	if (rule->plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
}

/* Within reading_attempt. */
static void
run_rule(void *argument)
{
	Step	   *step = argument;
	const Evaluation *evaluation = step->evaluation;
	Datum		rows = PointerGetDatum(construct_array((Datum *) evaluation->rows + step->first, step->n,
													   evaluation->row_type, -1, false, TYPALIGN_DOUBLE));

	if (step->rule->plan == NULL)
		prepare_rule(evaluation, step->rule);
	if (SPI_execute_plan(step->rule->plan, &rows, " ", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run rule \"%s\"", step->rule->name);
	if (SPI_processed != (uint64) step->n)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("rule \"%s\" does not say one thing a row", step->rule->name)));
	for (int i = 0; i < step->n; i++)
	{
		bool		isnull;
		Datum		value = result_datum(i, 1, &isnull);
		MemoryContext before = MemoryContextSwitchTo(step->context);

		step->said[i] = isnull ? NULL : TextDatumGetCString(value);
		MemoryContextSwitchTo(before);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* NULL: it has run.  What is planned in vain is planned again. */
static ErrorData *
attempt_rule(Step *step, int64 *spent)
{
	SPIPlanPtr	plan = step->rule->plan;
	ErrorData  *error = reading_attempt(step->evaluation->project, run_rule, step,
										setting_rule_timeout, spent);

	if (error != NULL)
		step->rule->plan = plan;
	return error;
}

/* What is stored of an error: the message may quote a row. */
static char *
describe_error(const ErrorData *error, const char *item)
{
	static const struct
	{
		int			code;
		const char *text;
	}			known[] = {
		{ERRCODE_DIVISION_BY_ZERO, "division by zero"},
		{ERRCODE_INVALID_TEXT_REPRESENTATION, "invalid input for a type"},
		{ERRCODE_INVALID_DATETIME_FORMAT, "invalid date or time"},
		{ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "a number is out of range"},
		{ERRCODE_INVALID_REGULAR_EXPRESSION, "invalid regular expression"},
		{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "it takes longer than humanloop.rule_timeout"},
		{ERRCODE_READ_ONLY_SQL_TRANSACTION, "a rule must not change anything"},
		{ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied"},
		{ERRCODE_RAISE_EXCEPTION, "a function has raised an exception"},
	};
	const char *text = "an error";

	for (int i = 0; i < (int) lengthof(known); i++)
	{
		if (known[i].code == error->sqlerrcode)
			text = known[i].text;
	}
	return item == NULL ? psprintf("%s (SQLSTATE %s)", text, unpack_sql_state(error->sqlerrcode)) :
		psprintf("%s (SQLSTATE %s) in the row of item \"%s\"", text,
				 unpack_sql_state(error->sqlerrcode), item);
}

static void
stop_rule(Rule *rule, const char *error)
{
	MemoryContext before = MemoryContextSwitchTo(GetMemoryChunkContext(rule->name));

	rule->stopped = true;
	rule->changed = true;
	rule->error = pstrdup(error);
	MemoryContextSwitchTo(before);
}

static void
skip_row(const Evaluation *evaluation, Rule *rule, int row, const ErrorData *error)
{
	MemoryContext before = MemoryContextSwitchTo(GetMemoryChunkContext(rule->name));

	rule->error = describe_error(error, evaluation->items[row]);
	rule->skipped++;
	rule->changed = true;
	MemoryContextSwitchTo(before);
	if (rule->skipped > MAX_SKIPPED)
		stop_rule(rule, psprintf("it fails on more than %d rows: %s", MAX_SKIPPED, rule->error));
}

/* Can what it says be a class? */
static bool
may_be_class(const Evaluation *evaluation, const char *label)
{
	if (evaluation->classes == NULL)
		return !label_is_blank(label);
	for (int i = 0; i < evaluation->nclasses; i++)
	{
		if (strcmp(evaluation->classes[i], label) == 0)
			return true;
	}
	return false;
}

static int
add_said(const Evaluation *evaluation, Rule *rule, const char *said)
{
	MemoryContext before = MemoryContextSwitchTo(GetMemoryChunkContext(rule->name));
	int			code = rule->nsaid;

	rule->said = repalloc(rule->said, sizeof(char *) * (code + 1));
	rule->labels = repalloc(rule->labels, sizeof(char *) * (code + 1));
	rule->said[code] = pstrdup(said);
	rule->labels[code] = may_be_class(evaluation, said) ? pstrdup(said) : NULL;
	if (rule->labels[code] == NULL)
		rule->error = psprintf("it says \"%s\", which is no class", said);
	rule->nsaid++;
	rule->changed = true;
	MemoryContextSwitchTo(before);
	return code;
}

static int
code_of(const Evaluation *evaluation, Rule *rule, const char *said)
{
	if (said == NULL)
		return SILENT;
	for (int i = 0; i < rule->nsaid; i++)
	{
		if (strcmp(rule->said[i], said) == 0)
			return i;
	}
	if (strlen(said) > MAX_SAID_BYTES)
		stop_rule(rule, psprintf("it says more than the %d bytes that a label may have", MAX_SAID_BYTES));
	else if (rule->nsaid == MAX_SAID)
		stop_rule(rule, psprintf("it says more than %d different things", MAX_SAID));
	else
		return add_said(evaluation, rule, said);
	return SILENT;
}

/*
 * The worker has others to see to: where all rules together have taken too long, the
 * one that has taken most is stopped.
 */
static void
check_time(Evaluation *evaluation)
{
	int64		sum = 0;
	int			most = 0;

	if (!reading_unattended || setting_worker_source_timeout == 0)
		return;
	for (int r = 0; r < evaluation->rules->n; r++)
	{
		sum += evaluation->taken[r];
		if (evaluation->taken[r] > evaluation->taken[most])
			most = r;
	}
	if (sum <= setting_worker_source_timeout * INT64CONST(1000))
		return;
	stop_rule(&evaluation->rules->rule[most],
			  "all rules together take longer than humanloop.worker_source_timeout, and this one longest");
	evaluation->taken[most] = 0;
}

/* Rows that it fails on are found by halving, all within the time for a portion. */
static void
rule_on_rows(Evaluation *evaluation, int index, int first, int n, int64 *spent)
{
	Rule	   *rule = &evaluation->rules->rule[index];
	Step		step = {
		.evaluation = evaluation, .rule = rule, .first = first, .n = n,
		.context = evaluation->portion
	};
	ErrorData  *error;

	if (rule->stopped)
		return;
	step.said = palloc(sizeof(char *) * n);
	error = attempt_rule(&step, spent);
	interrupts_check();
	if (error == NULL)
	{
		for (int i = 0; i < n && !rule->stopped; i++)
			evaluation->codes[first + i][index] = code_of(evaluation, rule, step.said[i]);
	}
	else if (error->sqlerrcode == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED)
		stop_rule(rule, describe_error(error, NULL));
	else if (n == 1)
		skip_row(evaluation, rule, first, error);
	else
	{
		rule_on_rows(evaluation, index, first, n / 2, spent);
		rule_on_rows(evaluation, index, first + n / 2, n - n / 2, spent);
	}
}

/* ---------------------------------------------------------------------- */
/* Storing */

/* What the rules that are not run have said of the items. */
static void
read_kept(Evaluation *evaluation, StringInfo *votes)
{
	static Statement select = {
		"SELECT u.n::int4, v.votes FROM unnest($2) WITH ORDINALITY u(item, n) "
		"JOIN @hl_rule_vote v ON v.project_id = $1 AND v.item = u.item",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {
		Int32GetDatum(evaluation->project->id), text_array(evaluation->items, evaluation->n)
	};

	statement_run_as_extension(&select, values, NULL, false);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		int			index = result_int(row, 1) - 1;
		bytea	   *stored = DatumGetByteaPP(result_datum(row, 2, &isnull));
		const unsigned char *bytes = (const unsigned char *) VARDATA_ANY(stored);

		for (size_t at = 0; at + VOTE_BYTES <= VARSIZE_ANY_EXHDR(stored); at += VOTE_BYTES)
		{
			int			number = bytes[at] | bytes[at + 1] << 8;
			const Rule *rule = rules_find(evaluation->rules, number);

			if (rule != NULL && !evaluation->runs[rule - evaluation->rules->rule])
				appendBinaryStringInfo(votes[index], (const char *) bytes + at, VOTE_BYTES);
		}
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
add_vote(StringInfo votes, int number, int code)
{
	unsigned char bytes[VOTE_BYTES] = {number & 0xff, number >> 8, code & 0xff, code >> 8};

	appendBinaryStringInfo(votes, (const char *) bytes, VOTE_BYTES);
}

/* Items with votes are written, others have no row. */
static void
write_votes(const Evaluation *evaluation, StringInfo *votes)
{
	static Statement upsert = {
		"INSERT INTO @hl_rule_vote AS v (project_id, item, votes) SELECT $1, u.item, u.votes "
		"FROM unnest($2, $3) u(item, votes) ON CONFLICT (project_id, item) "
		"DO UPDATE SET votes = excluded.votes WHERE v.votes <> excluded.votes",
		3, {INT4OID, TEXTARRAYOID, BYTEAARRAYOID}, NULL, 0
	};
	static Statement delete = {
		"DELETE FROM @hl_rule_vote WHERE project_id = $1 AND item = ANY ($2)",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	char	   *said[PORTION_ROWS];
	char	   *silent[PORTION_ROWS];
	Datum		bytes[PORTION_ROWS];
	int			nsaid = 0;
	int			nsilent = 0;
	Datum		values[3] = {Int32GetDatum(evaluation->project->id)};

	for (int i = 0; i < evaluation->n; i++)
	{
		if (votes[i]->len == 0)
			silent[nsilent++] = evaluation->items[i];
		else
		{
			bytea	   *stored = palloc(VARHDRSZ + votes[i]->len);

			SET_VARSIZE(stored, VARHDRSZ + votes[i]->len);
			memcpy(VARDATA(stored), votes[i]->data, votes[i]->len);
			bytes[nsaid] = PointerGetDatum(stored);
			said[nsaid++] = evaluation->items[i];
		}
	}
	if (nsilent > 0)
	{
		values[1] = text_array(silent, nsilent);
		statement_run_as_extension(&delete, values, NULL, false);
	}
	if (nsaid > 0)
	{
		values[1] = text_array(said, nsaid);
		values[2] = PointerGetDatum(construct_array(bytes, nsaid, BYTEAOID, -1, false, TYPALIGN_INT));
		statement_run_as_extension(&upsert, values, NULL, false);
	}
}

/* ---------------------------------------------------------------------- */
/* Portions */

static void
take_portion(Evaluation *evaluation)
{
	MemoryContext before;
	StringInfo	votes[PORTION_ROWS];

	if (evaluation->n == 0)
		return;
	before = MemoryContextSwitchTo(evaluation->portion);
	for (int i = 0; i < evaluation->n; i++)
	{
		votes[i] = makeStringInfo();
		evaluation->codes[i] = palloc_array_checked(int, evaluation->rules->n);
		for (int r = 0; r < evaluation->rules->n; r++)
			evaluation->codes[i][r] = SILENT;
	}
	for (int r = 0; r < evaluation->rules->n; r++)
	{
		int64		spent = 0;

		if (!evaluation->runs[r])
			continue;
		rule_on_rows(evaluation, r, 0, evaluation->n, &spent);
		evaluation->taken[r] += spent;
		check_time(evaluation);
	}
	read_kept(evaluation, votes);
	for (int i = 0; i < evaluation->n; i++)
	{
		for (int r = 0; r < evaluation->rules->n; r++)
		{
			if (evaluation->codes[i][r] != SILENT)
				add_vote(votes[i], evaluation->rules->rule[r].number, evaluation->codes[i][r]);
		}
	}
	write_votes(evaluation, votes);
	MemoryContextSwitchTo(before);
	MemoryContextReset(evaluation->portion);
	evaluation->n = 0;
	evaluation->bytes = 0;
}

static void
add_row(const SourceRow *row, void *argument)
{
	Evaluation *evaluation = argument;
	MemoryContext before = MemoryContextSwitchTo(evaluation->portion);

	evaluation->items[evaluation->n] = pstrdup(row->item);
	evaluation->rows[evaluation->n] = datumCopy(row->whole, false, -1);
	evaluation->bytes += VARSIZE_ANY(DatumGetPointer(row->whole));
	evaluation->n++;
	evaluation->seen++;
	MemoryContextSwitchTo(before);
	if (evaluation->n == PORTION_ROWS || evaluation->bytes >= PORTION_BYTES)
		take_portion(evaluation);
}

/* Rights may have been taken from him since he wrote it. */
static const char *
rights_problem(const Project *project)
{
	if (!OidIsValid(project->owner))
		return "the project has no owner";
	if (!has_privs_of_role(project->owner, project_source_owner(project)))
		return "the project's owner has not the rights of the source's owner any more";
	return NULL;
}

/* What cannot run at all is stopped before the first row. */
static void
check_rules(Evaluation *evaluation)
{
	const char *rights = rights_problem(evaluation->project);

	for (int r = 0; r < evaluation->rules->n; r++)
	{
		Rule	   *rule = &evaluation->rules->rule[r];
		const ErrorData *error;

		if (!evaluation->runs[r] || rule->stopped)
			continue;
		if (rights != NULL)
		{
			stop_rule(rule, rights);
			continue;
		}
		error = condition_problem(evaluation->project, rule->condition,
								  rule->label == NULL ? CONDITION_VALUE : CONDITION_TRUE);
		if (error != NULL)
			stop_rule(rule, psprintf("%s (SQLSTATE %s)", error->message,
									 unpack_sql_state(error->sqlerrcode)));
	}
}

static bool
evaluation_begin(Evaluation *evaluation, const Project *project, bool pending)
{
	Rules	   *rules = palloc(sizeof(Rules));
	bool		any = false;

	memset(evaluation, 0, sizeof(*evaluation));
	rules_read(project, false, false, rules);
	evaluation->project = project;
	evaluation->rules = rules;
	evaluation->runs = palloc_array_checked(bool, rules->n);
	evaluation->taken = palloc0(sizeof(int64) * rules->n);
	for (int r = 0; r < rules->n; r++)
	{
		Rule	   *rule = &rules->rule[r];

		evaluation->runs[r] = !pending || !rule->evaluated || rule->outdated;
		any = any || evaluation->runs[r];
		if (pending && evaluation->runs[r] && !rule->stopped)
		{
			rule->skipped = 0;
			rule->error = NULL;
		}
	}
	if (!any)
		return false;
	evaluation->classes = classes_listed(project, &evaluation->nclasses);
	evaluation->row_type = get_rel_type_id(project->source);
	evaluation->array_type = get_array_type(evaluation->row_type);
	evaluation->portion = AllocSetContextCreate(CurrentMemoryContext, "humanloop rules",
												ALLOCSET_DEFAULT_SIZES);
	check_rules(evaluation);
	return true;
}

static void
evaluation_end(Evaluation *evaluation, bool pending)
{
	take_portion(evaluation);
	for (int r = 0; r < evaluation->rules->n; r++)
	{
		Rule	   *rule = &evaluation->rules->rule[r];

		if (rule->plan != NULL)
			SPI_freeplan(rule->plan);
		if (pending && evaluation->runs[r])
		{
			rule->evaluated = rule->changed = true;
			rule->rows = evaluation->seen;
			rule->outdated = false;
		}
		if (rule->changed)
			rule_store(evaluation->project, rule);
	}
	MemoryContextDelete(evaluation->portion);
}

bool
rules_pending(const Project *project)
{
	Rules		rules;

	rules_read(project, false, false, &rules);
	for (int r = 0; r < rules.n; r++)
	{
		if (!rules.rule[r].evaluated || rules.rule[r].outdated)
			return true;
	}
	return false;
}

/* All rules at once: what is left of rows that have gone goes, too. */
static void
forget_all(const Evaluation *evaluation)
{
	static Statement delete = {
		"DELETE FROM @hl_rule_vote WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(evaluation->project->id)};

	for (int r = 0; r < evaluation->rules->n; r++)
	{
		if (!evaluation->runs[r])
			return;
	}
	statement_run_as_extension(&delete, values, NULL, false);
}

void
rules_evaluate(const Project *project)
{
	Evaluation	evaluation;

	if (!evaluation_begin(&evaluation, project, true))
		return;
	forget_all(&evaluation);
	source_whole_rows(project, NULL, 0, add_row, &evaluation);
	evaluation_end(&evaluation, true);
}

void
rules_take(const Project *project, char **items, int n)
{
	static Statement delete = {
		"DELETE FROM @hl_rule_vote WHERE project_id = $1 AND item = ANY ($2)",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Evaluation	evaluation;
	char	  **distinct;
	Datum		values[2] = {Int32GetDatum(project->id)};

	if (n == 0 || !evaluation_begin(&evaluation, project, false))
		return;
	distinct = palloc_array_checked(char *, n);
	memcpy(distinct, items, sizeof(char *) * n);
	n = strings_unique(distinct, n);
	values[1] = text_array(distinct, n);
	statement_run_as_extension(&delete, values, NULL, false);
	source_whole_rows(project, distinct, n, add_row, &evaluation);
	evaluation_end(&evaluation, false);
}

void
rules_refresh(const Project *project)
{
	Rules		rules;
	Changes		changes;

	rules_read(project, false, false, &rules);
	if (rules.n == 0)
		return;
	project_lock(project);
	changes_read(project->id, &changes);
	if (changes.all_rows || !triggers_possible(project))
		rules_outdate(project);
	else
	{
		rules_take(project, changes.inserted, changes.ninserted);
		rules_take(project, changes.changed, changes.nchanged);
	}
	rules_evaluate(project);
}

/* ---------------------------------------------------------------------- */
/* Reading */

#define FETCH_ROWS 1000

static void
pass_votes(uint64 row, RuleVotesCallback callback, void *state)
{
	bool		isnull;
	bytea	   *stored = DatumGetByteaPP(result_datum(row, 2, &isnull));
	const unsigned char *bytes = (const unsigned char *) VARDATA_ANY(stored);
	int			n = (int) (VARSIZE_ANY_EXHDR(stored) / VOTE_BYTES);
	int		   *number = palloc_array_checked(int, n);
	int		   *code = palloc_array_checked(int, n);
	RuleVotes	votes = {.item = result_string(row, 1), .n = n, .number = number, .code = code};

	for (int i = 0; i < n; i++)
	{
		const unsigned char *vote = bytes + (size_t) i * VOTE_BYTES;

		number[i] = vote[0] | vote[1] << 8;
		code[i] = vote[2] | vote[3] << 8;
	}
	callback(&votes, state);
}

/* Portion by portion, by the key of the table. */
void
rule_votes_scan(const Project *project, char **items, int n, bool read_only,
				RuleVotesCallback callback, void *state)
{
	static Statement select = {
		"SELECT v.item, v.votes FROM @hl_rule_vote v WHERE v.project_id = $1 AND v.item > $2 "
		"ORDER BY v.item LIMIT $3", 3, {INT4OID, TEXTOID, INT8OID}, NULL, 0
	};
	static Statement select_some = {
		"SELECT v.item, v.votes FROM @hl_rule_vote v WHERE v.project_id = $1 AND v.item = ANY ($2) "
		"ORDER BY v.item", 2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop votes",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = CurrentMemoryContext;
	char	   *last = "";
	uint64		rows;

	if (!rules_are_kept())
		return;
	do
	{
		Datum		values[3] = {Int32GetDatum(project->id), 0, Int64GetDatum(FETCH_ROWS)};
		SPITupleTable *table;

		values[1] = items != NULL ? text_array(items, n) : CStringGetTextDatum(last);
		statement_run_as_extension(items != NULL ? &select_some : &select, values, NULL, read_only);
		table = SPI_tuptable;
		rows = SPI_processed;
		if (rows > 0)
			last = result_string(rows - 1, 1);
		MemoryContextSwitchTo(context);
		for (uint64 row = 0; row < rows; row++)
		{
			SPI_tuptable = table;
			pass_votes(row, callback, state);
			MemoryContextReset(context);
			interrupts_check();
		}
		MemoryContextSwitchTo(before);
		SPI_freetuptable(table);
	} while (items == NULL && rows == FETCH_ROWS);
	MemoryContextDelete(context);
}
