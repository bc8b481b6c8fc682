/*-------------------------------------------------------------------------
 *
 * label.c
 *	  What people said: answers, who gave them, what they add up to.
 *
 * hl_answer grows and is never changed; hl_current_answer holds each
 * annotator's last word on an item.  Lease rows are only touched with SKIP
 * LOCKED: an annotator who sits idle in a transaction with an item leased
 * must not keep another from labelling it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "store/asked.h"
#include "store/change.h"
#include "store/classes.h"
#include "store/gold.h"
#include "store/label.h"
#include "store/session.h"
#include "store/settlement.h"
#include "store/several.h"

bool
label_is_blank(const char *label)
{
	return label[strspn(label, " \t\r\n")] == '\0';
}

char *
annotator_name(const Project *project, const char *given)
{
	const char *own = setting_annotator != NULL && setting_annotator[0] != '\0' ?
		setting_annotator : GetUserNameFromId(GetUserId(), false);
	const char *name = given == NULL ? own : given;

	if (label_is_blank(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("annotator must not be empty")));
	if (strlen(name) > MAX_ANNOTATOR_NAME)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name of annotator is too long"),
				 errdetail("It has %zu bytes and may have %d.", strlen(name), MAX_ANNOTATOR_NAME)));
	if (strcmp(name, RESERVED_ANNOTATOR) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("annotator \"%s\" is reserved for labels of the source", name),
				 errhint("Change the label in the source, or label under another name.")));
	if (strcmp(name, own) != 0 &&
		!project_privilege(project, GetUserId(), PRIVILEGE_MANAGE, false))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to answer as annotator \"%s\"", name),
				 errdetail("Naming somebody else needs the privilege \"manage\" on project \"%s\".",
						   project->name)));
	return pstrdup(name);
}

void
answers_lock(const Project *project, bool exclusive)
{
	LockDatabaseObject(extension_table("hl_answer"), project->id, 0,
					   exclusive ? AccessExclusiveLock : AccessShareLock);
}

/* Is a label given?  Errors with what to do instead. */
static void
check_given(const char *label, const char *hint_null, const char *hint_empty)
{
	if (label == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("label must not be NULL"),
				 errhint("%s", hint_null)));
	if (label_is_blank(label))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("label must not be empty"),
				 errhint("%s", hint_empty)));
}

/*
 * classes: closed list as it is now, or NULL.  item NULL: said by somebody, else
 * a label of the source for that item.
 */
static void
check_listed(const Project *project, char **classes, int n, const char *label, const char *item)
{
	StringInfoData list;

	if (classes == NULL)
		return;
	for (int i = 0; i < n; i++)
	{
		if (strcmp(classes[i], label) == 0)
			return;
	}
	initStringInfo(&list);
	for (int i = 0; i < n && i < 20; i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", classes[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is not a class of project \"%s\"", label, project->name),
			 item == NULL ? 0 :
			 errdetail("It is in column \"%s\" of item \"%s\".", project->label_column, item),
			 errhint("Classes are %s%s.", list.data, n > 20 ? ", ..." : "")));
}

void
label_check(const Project *project, const char *label, const char *hint)
{
	int			n = 0;
	char	  **classes;

	check_given(label, hint, hint);
	classes = project->classes == NULL ? NULL : classes_listed(project, &n);
	check_listed(project, classes, n, label, NULL);
}

/*
 * Stores answers: $1 project, $2 annotator, $3 items, $4 labels, $5 reason, $6
 * are they labels, $7 how many answers an item needs.
 *
 * One statement: a new connection pays for planning each.  The last answer of
 * the history is the one that holds, also when two sessions of the same
 * annotator waited for one another.  lease_until of an item that has its answers
 * is infinity: whoever is about to lease it and waits for nothing sees that
 * when he looks again.
 */
#define ANSWER(given, column, value, settle) \
	"WITH given AS MATERIALIZED (SELECT " given "), " \
	"said AS (INSERT INTO @hl_answer (project_id, item, annotator, action, label, reason" column ") " \
	"SELECT $1, s.item, $2, CASE WHEN s.label IS NULL THEN 'skip' ELSE 'label' END, " \
	"s.label, $5" value " FROM given s ORDER BY s.n " \
	"RETURNING id, item, label, answered_at), " settle \
	"last AS (SELECT DISTINCT ON (item) * FROM said ORDER BY item, id DESC), " \
	"now AS (INSERT INTO @hl_current_answer AS c " \
	"SELECT $1, item, $2, id, id, label, answered_at FROM last " \
	"ON CONFLICT (project_id, item, annotator) DO UPDATE SET answer_id = excluded.answer_id, " \
	"label = excluded.label, answered_at = excluded.answered_at " \
	"WHERE c.answer_id < excluded.answer_id RETURNING id, answer_id) " \
	"SELECT coalesce((SELECT id FROM now ORDER BY answer_id DESC LIMIT 1), " \
	"(SELECT pg_catalog.max(id) FROM said))"

#define ANSWER_TYPES {INT4OID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, BOOLOID, INT4OID}

/* The answers with their lease rows, if they are not locked, one by one. */
#define GIVEN(row) \
	"s.item, s.label, s.n, f.place, f.leased_at FROM unnest($3, $4) WITH ORDINALITY s(item, label, n) " \
	"LEFT JOIN LATERAL (" row ") f ON true"

/* Of an item that one may have at a time: a label ends whoever's lease, a skip one's own. */
#define LEASE_ROW(of) \
	"SELECT x.ctid AS place, CASE WHEN x.annotator = $2 THEN x.leased_at END AS leased_at " \
	"FROM @hl_lease x WHERE x.project_id = $1 AND x.item = " of \
	" AND ($6 OR x.annotator = $2) FOR UPDATE SKIP LOCKED"
#define SETTLED \
	"annotator = NULL, leased_at = NULL, lease_until = CASE WHEN $6 THEN 'infinity'::timestamptz END"

/*
 * When a gold item was shown to who answers it now for the first time.  Answers are
 * looked at for such an item only (g, and OFFSET): under SERIALIZABLE, two who
 * answer the same item would fail for having looked.
 */
#define GOLD_SHOWN \
	"(SELECT g.shown_at FROM @hl_gold_shown g WHERE g.project_id = $1 AND g.item = s.item " \
	"AND g.annotator = $2 AND NOT EXISTS (SELECT 1 FROM @hl_current_answer c " \
	"WHERE c.project_id = $1 AND c.item = g.item AND c.annotator = g.annotator OFFSET 0))"

/* Of one that several may have (several.c): one's own, which a label does not end for others. */
#define SHARED_ROW(of) \
	"SELECT x.ctid AS place, (SELECT h.since FROM unnest(x.holders, x.since) h(who, since) " \
	"WHERE h.who = $2 LIMIT 1) AS leased_at FROM @hl_lease x WHERE x.project_id = $1 AND x.item = " of \
	" FOR UPDATE SKIP LOCKED"
#define SETTLED_SHARED \
	WITHOUT_HOLDER("$2", "CASE WHEN $6 AND $7 <= 1 + (SELECT pg_catalog.count(*) FROM @hl_current_answer c " \
				   "WHERE c.project_id = $1 AND c.item = l.item AND c.annotator <> $2 AND c.label IS NOT NULL) " \
				   "THEN 'infinity' ELSE pg_catalog.max(h.until) END")

int64
answers_write(const Project *project, const char *annotator,
			  char **items, char **labels, int n, const char *reason)
{
	static Statement insert_old = {
		ANSWER("s.item, s.label, s.n FROM unnest($3, $4) WITH ORDINALITY s(item, label, n)", "", "",
			   "settled AS (UPDATE @hl_lease l SET " SETTLED " FROM (SELECT f.place FROM unnest($3) u(item) "
			   "CROSS JOIN LATERAL (" LEASE_ROW("u.item") ") f) s WHERE l.ctid = s.place), "),
		6, ANSWER_TYPES, NULL, 0
	};
	static Statement insert = {
		ANSWER(GIVEN(LEASE_ROW("s.item")), ", leased_at", ", coalesce(s.leased_at, " GOLD_SHOWN ")",
			   "settled AS (UPDATE @hl_lease l SET " SETTLED " FROM given s WHERE l.ctid = s.place), "),
		6, ANSWER_TYPES, NULL, 0
	};
	static Statement insert_several = {
		ANSWER(GIVEN(SHARED_ROW("s.item")), ", leased_at", ", coalesce(s.leased_at, " GOLD_SHOWN ")",
			   "settled AS (UPDATE @hl_lease l SET " SETTLED_SHARED " FROM given s WHERE l.ctid = s.place), "),
		7, ANSWER_TYPES, NULL, 0
	};
	Datum		values[7] = {
		Int32GetDatum(project->id), CStringGetTextDatum(annotator), text_array(items, n)
	};
	bool		nulls[7] = {false};
	bool		of_source = strcmp(annotator, RESERVED_ANNOTATOR) == 0;
	int64		id;
	Acting		acting;

	if (n == 0)
		return 0;
	/* the source's are written under the project's lock */
	if (!of_source)
		answers_lock(project, false);
	if (labels != NULL)
	{
		int			nclasses = 0;
		char	  **classes = project->classes == NULL ? NULL :
			classes_listed(project, &nclasses);

		for (int i = 0; i < n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			check_given(labels[i],
						"Use hl_skip() for an item that cannot be answered, hl_undo() to take an answer back.",
						"Use hl_skip() for an item that cannot be answered.");
			check_listed(project, classes, nclasses, labels[i], of_source ? items[i] : NULL);
		}
		values[3] = text_array(labels, n);
	}
	else
		values[3] = text_array((char **) palloc0(sizeof(char *) * n), n);
	nulls[4] = reason == NULL;
	values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(reason);
	values[5] = BoolGetDatum(labels != NULL);
	values[6] = Int32GetDatum(several_answers(project));
	act_as_extension(&acting);
	statement_run(several_wanted(project) ? &insert_several :
				  several_are_kept() ? &insert : &insert_old, values, nulls, false);
	id = result_bigint(0, 1);
	act_as_before(&acting);
	change_note(project->id, CHANGE_LABELS, items, n);
	return id;
}

void
answer_undo(const Project *project, const char *annotator, char *item)
{
	static Statement delete = {
		"DELETE FROM @hl_current_answer WHERE project_id = $1 AND item = $2 AND annotator = $3",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	static Statement insert = {
		"WITH released AS (UPDATE @hl_lease l SET annotator = NULL, leased_at = NULL, lease_until = NULL "
		"FROM (SELECT f.item FROM @hl_lease f WHERE f.project_id = $1 AND f.item = $2 "
		"AND (f.lease_until = 'infinity' OR f.annotator = $3) "
		"FOR UPDATE SKIP LOCKED) s WHERE l.project_id = $1 AND l.item = s.item) "
		"INSERT INTO @hl_answer (project_id, item, annotator, action) VALUES ($1, $2, $3, 'undo')",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	static Statement insert_several = {
		"WITH released AS (UPDATE @hl_lease l SET " WITHOUT_HOLDER("$3", "pg_catalog.max(h.until)")
		" FROM (SELECT f.ctid AS place FROM @hl_lease f WHERE f.project_id = $1 AND f.item = $2 "
		"FOR UPDATE SKIP LOCKED) s WHERE l.ctid = s.place) "
		"INSERT INTO @hl_answer (project_id, item, annotator, action) VALUES ($1, $2, $3, 'undo')",
		3, {INT4OID, TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[3] = {
		Int32GetDatum(project->id), CStringGetTextDatum(item), CStringGetTextDatum(annotator)
	};
	Acting		acting;

	answers_lock(project, false);
	act_as_extension(&acting);
	statement_run(&delete, values, NULL, false);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("annotator \"%s\" has not answered item \"%s\" of project \"%s\"",
						annotator, item, project->name)));
	statement_run(several_wanted(project) ? &insert_several : &insert, values, NULL, false);
	act_as_before(&acting);
	asks_reopen(project, &item, 1);
	change_note(project->id, CHANGE_LABELS, &item, 1);
}

/* ---------------------------------------------------------------------- */
/* Labels of the source */

void
source_labels_init(SourceLabels *labels, MemoryContext context)
{
	memset(labels, 0, sizeof(*labels));
	labels->context = context;
	labels->capacity = 256;
	labels->items = MemoryContextAlloc(context, sizeof(char *) * labels->capacity);
	labels->labels = MemoryContextAlloc(context, sizeof(char *) * labels->capacity);
}

void
source_labels_add(SourceLabels *labels, const char *item, const char *label)
{
	if (labels->n == labels->capacity)
	{
		labels->capacity *= 2;
		labels->items = repalloc_huge(labels->items, mul_size(sizeof(char *), labels->capacity));
		labels->labels = repalloc_huge(labels->labels, mul_size(sizeof(char *), labels->capacity));
	}
	labels->items[labels->n] = MemoryContextStrdup(labels->context, item);
	labels->labels[labels->n++] = MemoryContextStrdup(labels->context, label);
}

/* What the source says of an item: now, and what was stored before. */
typedef struct SourceLabel
{
	char	   *item;
	char	   *now;			/* NULL: no label any more */
	char	   *before;			/* NULL: none stored */
} SourceLabel;

static int
compare_source_labels(const void *a, const void *b)
{
	return strcmp(((const SourceLabel *) a)->item, ((const SourceLabel *) b)->item);
}

/* Answers of the source to these items, or all, as the last result. */
static void
stored_source_labels(const Project *project, char **items, int n)
{
	static Statement all = {
		"SELECT item, label FROM @hl_current_answer WHERE project_id = $1 AND annotator = 'source'",
		1, {INT4OID}, NULL, 0
	};
	static Statement some = {
		"SELECT c.item, c.label FROM unnest($2) i(item) JOIN @hl_current_answer c "
		"ON c.project_id = $1 AND c.item = i.item AND c.annotator = 'source'",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id)};

	if (items != NULL)
		values[1] = text_array(items, n);
	statement_run(items == NULL ? &all : &some, values, NULL, false);
}

/* With the last result, what was stored: both sides, sorted by item, an item once. */
static SourceLabel *
merge_source_labels(const SourceLabels *labels, int *n)
{
	SourceLabel *all;
	int			merged = 0;
	int			total = labels->n;

	all = palloc_array_checked(SourceLabel, labels->n + (Size) SPI_processed);
	memset(all, 0, sizeof(SourceLabel) * (labels->n + SPI_processed));
	for (int i = 0; i < labels->n; i++)
	{
		all[i].item = labels->items[i];
		all[i].now = labels->labels[i];
	}
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		all[total].item = result_string(i, 1);
		all[total++].before = result_string(i, 2);
	}
	qsort(all, total, sizeof(SourceLabel), compare_source_labels);
	for (int i = 0; i < total; i++)
	{
		if (merged > 0 && strcmp(all[merged - 1].item, all[i].item) == 0)
		{
			SourceLabel *same = &all[merged - 1];

			same->now = same->now != NULL ? same->now : all[i].now;
			same->before = same->before != NULL ? same->before : all[i].before;
		}
		else
			all[merged++] = all[i];
	}
	*n = merged;
	return all;
}

/* Takes answers of the source back. */
static void
source_labels_undo(const Project *project, char **items, int n)
{
	static Statement delete = {
		"WITH gone AS (INSERT INTO @hl_answer (project_id, item, annotator, action) "
		"SELECT $1, u, 'source', 'undo' FROM unnest($2) u) "
		"DELETE FROM @hl_current_answer WHERE ctid = ANY (ARRAY(SELECT f.place "
		"FROM unnest($2) u(item) CROSS JOIN LATERAL "
		"(SELECT x.ctid AS place FROM @hl_current_answer x WHERE x.project_id = $1 "
		"AND x.item = u.item AND x.annotator = 'source' FOR UPDATE) f))",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};

	statement_run(&delete, values, NULL, false);
}

/*
 * Says what is new, takes back what is gone, leaves alone what is the same.
 * Compared here and not in SQL: a join against an array has no statistics.
 */
void
source_labels_write(const Project *project, const SourceLabels *labels, char **of, int nof)
{
	SourceLabel *all;
	char	  **items;
	char	  **said;
	char	  **gone;
	int			n;
	int			nsaid = 0;
	int			ngone = 0;
	Acting		acting;

	act_as_extension(&acting);
	stored_source_labels(project, of, nof);
	all = merge_source_labels(labels, &n);
	items = palloc_array_checked(char *, n);
	said = palloc_array_checked(char *, n);
	gone = palloc_array_checked(char *, n);
	for (int i = 0; i < n; i++)
	{
		if (all[i].now == NULL)
			gone[ngone++] = all[i].item;
		else if (all[i].before == NULL || strcmp(all[i].before, all[i].now) != 0)
		{
			items[nsaid] = all[i].item;
			said[nsaid++] = all[i].now;
		}
	}
	/* as whoever changes classes: he waits for us, or we for him */
	if (ngone + nsaid > 0)
		project_lock(project);
	if (ngone > 0)
		source_labels_undo(project, gone, ngone);
	act_as_before(&acting);
	if (ngone > 0)
	{
		asks_reopen(project, gone, ngone);
		change_note(project->id, CHANGE_LABELS, gone, ngone);
	}
	(void) answers_write(project, RESERVED_ANNOTATOR, items, said, nsaid, NULL);
}

/* ---------------------------------------------------------------------- */

char **
skipped_items(const Project *project, char **items, int n, int *nskipped)
{
	static Statement all = {
		"SELECT DISTINCT item FROM @hl_current_answer WHERE project_id = $1 AND label IS NULL",
		1, {INT4OID}, NULL, 0
	};
	static Statement some = {
		"SELECT u.item FROM unnest($2) u(item) WHERE EXISTS (SELECT 1 FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.item = u.item AND c.label IS NULL OFFSET 0)",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id)};
	char	  **skipped;

	if (items != NULL)
		values[1] = text_array(items, n);
	statement_run_as_extension(items == NULL ? &all : &some, values, NULL, false);
	skipped = result_strings(1, nskipped);
	SPI_freetuptable(SPI_tuptable);
	return skipped;
}

#define LABEL_OF_GOLD "(SELECT g.label FROM @hl_gold_label g WHERE g.project_id = $1 AND g.item = u.item)"

/*
 * As a common table expression: the items whose label is certain, settled by a
 * reviewer or gold; of an item that is both, what was settled, as the reviewer has
 * seen it last.
 */
#define WITH_KNOWN \
	"WITH settled AS MATERIALIZED (SELECT z.item, z.label FROM (SELECT DISTINCT ON (s.item) s.item, s.label " \
	"FROM @hl_settlement s WHERE s.project_id = $1 ORDER BY s.item, s.id DESC) z WHERE z.label IS NOT NULL), " \
	"known AS MATERIALIZED (SELECT s.item, s.label FROM settled s UNION ALL SELECT g.item, g.label " \
	"FROM @hl_gold_label g WHERE g.project_id = $1 AND g.item NOT IN (SELECT s.item FROM settled s)) "

/* Objects before 0.5.0 have neither. */
static bool
known_are_kept(void)
{
	return settlements_are_kept() && several_are_kept();
}

int
known_read(const Project *project, char ***items, char ***labels)
{
	static Statement select = {WITH_KNOWN "SELECT item, label FROM known", 1, {INT4OID}, NULL, 0};
	Datum		values[1] = {Int32GetDatum(project->id)};
	int			n;

	*items = *labels = NULL;
	if (!known_are_kept())
		return 0;
	statement_run_as_extension(&select, values, NULL, false);
	*items = result_strings(1, &n);
	*labels = result_strings(2, &n);
	SPI_freetuptable(SPI_tuptable);
	return n;
}

char **
known_labels(const Project *project, char **items, int n)
{
	static Statement select = {
		"SELECT coalesce(" SETTLED_LABEL("u.item") ", " LABEL_OF_GOLD ") "
		"FROM unnest($2) WITH ORDINALITY u(item, n) ORDER BY u.n",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id)};

	if (!known_are_kept())
		return palloc0(sizeof(char *) * n);
	values[1] = text_array(items, n);
	statement_run_as_extension(&select, values, NULL, false);
	return result_strings(1, &n);
}

typedef Truth *(*TruthReader) (const Project *project, char **known_items, char **known_labels,
							   int nknown, MemoryContext context);

static Truth *
weigh_answers(const Project *project, TruthReader reader, MemoryContext context)
{
	char	  **items;
	char	  **labels;
	int			n;

	if (!truth_is_needed(project))
		return NULL;
	n = known_read(project, &items, &labels);
	return reader(project, items, labels, n, context);
}

Truth *
labels_weigh(const Project *project, MemoryContext context)
{
	return weigh_answers(project, truth_share, context);
}

/* What the answers to each item that satisfies a condition on c add up to. */
#define VOTED(condition) \
	"SELECT DISTINCT ON (v.item) v.item, v.label FROM (" \
	"SELECT c.item, c.label, pg_catalog.count(*) AS votes, pg_catalog.max(c.answered_at) AS latest, " \
	"pg_catalog.max(c.answer_id) AS id FROM @hl_current_answer c " \
	"WHERE c.project_id = $1 AND c.label IS NOT NULL AND " condition " GROUP BY c.item, c.label) v " \
	"ORDER BY v.item, v.votes DESC, v.latest DESC, v.id DESC"

static void
read_consensus(const Project *project, TruthReader reader, Consensus *consensus)
{
	static Statement voted = {VOTED("true"), 1, {INT4OID}, NULL, 0};
	static Statement known = {
		WITH_KNOWN "SELECT * FROM ((" VOTED("c.item NOT IN (SELECT k.item FROM known k)") ") "
		"UNION ALL SELECT k.item, k.label FROM known k) o ORDER BY o.item",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	char	  **labels;
	SPITupleTable *table;

	memset(consensus, 0, sizeof(*consensus));
	statement_run_as_extension(known_are_kept() ? &known : &voted, values, NULL, false);
	table = SPI_tuptable;
	consensus->n = (int) SPI_processed;
	consensus->items = palloc_array_checked(char *, consensus->n);
	consensus->label = palloc_array_checked(int, consensus->n);
	consensus->classes = palloc_array_checked(char *, consensus->n);
	labels = palloc_array_checked(char *, consensus->n);
	for (int i = 0; i < consensus->n; i++)
	{
		consensus->items[i] = result_string(i, 1);
		labels[i] = consensus->classes[i] = result_string(i, 2);
	}
	SPI_freetuptable(table);
	consensus->skipped = skipped_items(project, NULL, 0, &consensus->nskipped);
	consensus->truth = weigh_answers(project, reader, CurrentMemoryContext);
	for (int i = 0; i < consensus->n && consensus->truth != NULL; i++)
	{
		const char *label = truth_label(consensus->truth, consensus->items[i]);

		if (label != NULL)
			labels[i] = consensus->classes[i] = unconstify(char *, label);
	}
	consensus->nclasses = strings_unique(consensus->classes, consensus->n);
	for (int i = 0; i < consensus->n; i++)
	{
		char	  **found = bsearch(&labels[i], consensus->classes, consensus->nclasses,
									sizeof(char *), compare_strings);

		consensus->label[i] = (int) (found - consensus->classes);
	}
	pfree(labels);
}

void
consensus_read(const Project *project, Consensus *consensus)
{
	read_consensus(project, truth_share, consensus);
}

void
consensus_take(const Project *project, Consensus *consensus)
{
	read_consensus(project, truth_read, consensus);
}

/* Labels of these items as the label model of all answers has them. */
static void
weigh_labels(const Project *project, char **items, char **labels, int n)
{
	Truth	   *truth = labels_weigh(project, CurrentMemoryContext);

	for (int i = 0; i < n && truth != NULL; i++)
	{
		const char *label = truth_label(truth, items[i]);

		if (label != NULL)
			labels[i] = pstrdup(label);
	}
}

#define VOTED_OF_ITEM \
	"(SELECT c.label FROM @hl_current_answer c WHERE c.project_id = $1 AND c.item = u.item " \
	"AND c.label IS NOT NULL GROUP BY c.label ORDER BY pg_catalog.count(*) DESC, " \
	"pg_catalog.max(c.answered_at) DESC, pg_catalog.max(c.answer_id) DESC LIMIT 1)"

char **
consensus_of_items(const Project *project, char **items, int n)
{
	static Statement voted = {
		"SELECT " VOTED_OF_ITEM " FROM unnest($2) WITH ORDINALITY u(item, n) ORDER BY u.n",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	static Statement known = {
		"SELECT coalesce(" SETTLED_LABEL("u.item") ", " LABEL_OF_GOLD ", " VOTED_OF_ITEM ") "
		"FROM unnest($2) WITH ORDINALITY u(item, n) ORDER BY u.n",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};
	char	  **labels;

	statement_run_as_extension(known_are_kept() ? &known : &voted, values, NULL, false);
	labels = result_strings(1, &n);
	if (truth_concerns(project, items, n))
		weigh_labels(project, items, labels, n);
	return labels;
}
