/*-------------------------------------------------------------------------
 *
 * rule_model.c
 *	  How far rules are believed, and what follows for rows nobody has labelled.
 *
 * What people say of an item is its label, and measures the rules; what rules say
 * of it then adds nothing.  Of the items that nobody has labelled a sample is enough to
 * learn from: those whose names have the least hashes, so that it is the same
 * the next time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "store/caller.h"
#include "store/pool.h"
#include "store/rule_figures.h"
#include "store/rule_model.h"
#include "store/session.h"

/* Items that only rules have labelled: at least so many, where there are more. */
#define SAMPLE_ROWS 5000

/* Labels by people after which a row of the rules counts half. */
#define FADE_LABELS 10.0f

/* An item of the sample; its votes are voice and class, in turn. */
typedef struct Sampled
{
	char	   *item;
	uint64		hash;
	int			n;
	int		   *votes;
} Sampled;

typedef struct Sampling
{
	RuleModel  *model;
	const LabelledItems *labelled;
	MemoryContext context;
	Sampled    *of_labelled;	/* of each labelled item; n = 0: nothing is said */
	Sampled    *sample;			/* 2 * SAMPLE_ROWS */
	int			n;
	uint64		limit;			/* hashes above it are left out */
} Sampling;

static int
class_number(const RuleModel *model, const char *label)
{
	char	  **found = bsearch(&label, model->classes, model->nclasses, sizeof(char *),
								compare_strings);

	return (int) (found - model->classes);
}

static int
compare_hashes(const void *a, const void *b)
{
	uint64		first = ((const Sampled *) a)->hash;
	uint64		second = ((const Sampled *) b)->hash;

	return first < second ? -1 : first > second;
}

/* There is no more room: the half with the least hashes stays. */
static void
halve(Sampling *sampling)
{
	qsort(sampling->sample, sampling->n, sizeof(Sampled), compare_hashes);
	for (int i = SAMPLE_ROWS; i < sampling->n; i++)
	{
		pfree(sampling->sample[i].item);
		pfree(sampling->sample[i].votes);
	}
	sampling->n = Min(sampling->n, SAMPLE_ROWS);
	if (sampling->n == SAMPLE_ROWS)
		sampling->limit = sampling->sample[SAMPLE_ROWS - 1].hash;
}

static void
sample_item(const RuleVotes *votes, void *argument)
{
	Sampling   *sampling = argument;
	const RuleModel *model = sampling->model;
	int			index = labelled_index(sampling->labelled, votes->item);
	Sampled		sampled = {
		.hash = hash_bytes_extended((const unsigned char *) votes->item, strlen(votes->item), 0)
	};

	if (index < 0 && sampled.hash > sampling->limit)
		return;
	sampled.votes = MemoryContextAlloc(sampling->context, sizeof(int) * 2 * votes->n);
	for (int i = 0; i < votes->n; i++)
	{
		int			rule;
		const char *label = vote_label(&model->rules, votes->number[i], votes->code[i], &rule);

		if (label == NULL)
			continue;
		sampled.votes[2 * sampled.n] = model->voice[rule];
		sampled.votes[2 * sampled.n + 1] = class_number(model, label);
		sampled.n++;
	}
	if (sampled.n == 0)
	{
		pfree(sampled.votes);
		return;
	}
	if (index >= 0)
	{
		sampling->of_labelled[index] = sampled;
		return;
	}
	sampled.item = MemoryContextStrdup(sampling->context, votes->item);
	sampling->sample[sampling->n++] = sampled;
	if (sampling->n == 2 * SAMPLE_ROWS)
		halve(sampling);
}

/* Those of the people, and all that a rule that counts may say. */
static void
list_classes(RuleModel *model, const Consensus *consensus)
{
	int			n = consensus->nclasses;

	for (int r = 0; r < model->rules.n; r++)
		n += model->rules.rule[r].nsaid;
	model->classes = palloc_array_checked(char *, n);
	memcpy(model->classes, consensus->classes, sizeof(char *) * consensus->nclasses);
	n = consensus->nclasses;
	for (int r = 0; r < model->rules.n; r++)
	{
		const Rule *rule = &model->rules.rule[r];

		for (int k = 0; k < rule->nsaid && rule_counts(rule); k++)
		{
			if (rule->labels[k] != NULL)
				model->classes[n++] = rule->labels[k];
		}
	}
	model->nclasses = strings_unique(model->classes, n);
}

static void
list_voices(RuleModel *model)
{
	model->voice = palloc_array_checked(int, model->rules.n);
	for (int r = 0; r < model->rules.n; r++)
		model->voice[r] = rule_counts(&model->rules.rule[r]) ? model->voices++ : -1;
}

/* As the label model takes them: the labelled items first. */
static void
fit_model(RuleModel *model, const Consensus *consensus, const Sampling *sampling)
{
	LabelData	data = {
		.items = consensus->n + sampling->n, .voices = model->voices, .classes = model->nclasses
	};
	int		   *item;
	int		   *voice;
	int		   *label;
	int		   *known = palloc_array_checked(int, data.items);
	bool	   *rule = palloc_array_checked(bool, model->voices);
	Caller		caller = caller_in(CurrentMemoryContext);
	int			votes = 0;

	for (int i = 0; i < consensus->n; i++)
		votes += sampling->of_labelled[i].n;
	for (int i = 0; i < sampling->n; i++)
		votes += sampling->sample[i].n;
	item = palloc_array_checked(int, votes);
	voice = palloc_array_checked(int, votes);
	label = palloc_array_checked(int, votes);
	model->labelled = consensus->n;
	model->n = data.items;
	model->items = palloc_array_checked(char *, data.items);
	for (int i = 0; i < data.items; i++)
	{
		const Sampled *sampled = i < consensus->n ? &sampling->of_labelled[i] :
			&sampling->sample[i - consensus->n];

		model->items[i] = i < consensus->n ? consensus->items[i] : sampled->item;
		known[i] = i < consensus->n ?
			class_number(model, consensus->classes[consensus->label[i]]) : LABEL_NONE;
		for (int j = 0; j < sampled->n; j++)
		{
			item[data.n] = i;
			voice[data.n] = sampled->votes[2 * j];
			label[data.n++] = sampled->votes[2 * j + 1];
		}
	}
	for (int v = 0; v < model->voices; v++)
		rule[v] = true;
	data.item = item;
	data.voice = voice;
	data.label = label;
	data.known = known;
	data.rule = rule;
	memory_check(label_model_memory(data.items, data.voices, data.voices, data.classes, data.n),
				 "weigh the rules");
	status_check(label_model_fit(&caller, &data, &model->model), "weigh the rules");
	model->data = data;
}

void
rule_model_hear(RuleModel *model, const float *classifier)
{
	Caller		caller = caller_in(GetMemoryChunkContext(model));
	LabelModel *heard;

	model->data.classifier = classifier;
	status_check(label_model_fit(&caller, &model->data, &heard), "weigh the rules");
	label_model_free(&caller, model->model);
	model->model = heard;
}

RuleModel *
rule_model_read(const Project *project, const Consensus *consensus, bool read_only,
				MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	RuleModel  *model = palloc0(sizeof(RuleModel));
	Sampling	sampling = {.model = model, .context = context, .limit = PG_UINT64_MAX};

	rules_read(project, false, read_only, &model->rules);
	list_voices(model);
	list_classes(model, consensus);
	if (model->voices > 0)
	{
		sampling.labelled = labelled_items(consensus, context);
		sampling.of_labelled = palloc_array_checked(Sampled, consensus->n);
		memset(sampling.of_labelled, 0, sizeof(Sampled) * consensus->n);
		sampling.sample = palloc_array_checked(Sampled, 2 * SAMPLE_ROWS);
		rule_votes_scan(project, NULL, 0, read_only, sample_item, &sampling);
		halve(&sampling);
	}
	if (model->voices > 0 && model->nclasses > 0 && sampling.n + consensus->n > 0)
		fit_model(model, consensus, &sampling);
	MemoryContextSwitchTo(before);
	return model->model == NULL ? NULL : model;
}

float
rule_row_weight(int labelled)
{
	return FADE_LABELS / (FADE_LABELS + labelled);
}

/* ---------------------------------------------------------------------- */
/* Which training knows which rules */

#define SELECT_COUNTING \
	"SELECT coalesce(pg_catalog.array_agg(r.rule ORDER BY r.rule), '{}') AS rules FROM @hl_rule r " \
	"JOIN @hl_rule_state s ON s.project_id = r.project_id AND s.rule = r.rule " \
	"WHERE r.project_id = $1 AND r.state = 'enabled' AND s.evaluated AND NOT s.stopped"

Datum
rules_counting(const Project *project, bool read_only)
{
	static Statement select = {SELECT_COUNTING, 1, {INT4OID}, NULL, 0};
	Datum		values[1] = {Int32GetDatum(project->id)};
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, read_only);
	return datumCopy(result_datum(0, 1, &isnull), false, -1);
}

bool
rules_changed(const Project *project)
{
	static Statement select = {
		"SELECT c.rules <> coalesce((SELECT m.rules FROM @hl_model m WHERE m.project_id = $1 "
		"ORDER BY m.model DESC LIMIT 1), '{}') FROM (" SELECT_COUNTING ") c", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	bool		isnull;

	if (!rules_are_kept())
		return false;
	statement_run_as_extension(&select, values, NULL, false);
	return DatumGetBool(result_datum(0, 1, &isnull));
}

typedef struct Counting
{
	const Rules *rules;
	const char *first;			/* class that was met first */
	bool		others;
	int			items;
} Counting;

static void
count_item(const RuleVotes *votes, void *argument)
{
	Counting   *counting = argument;
	bool		any = false;

	for (int i = 0; i < votes->n; i++)
	{
		int			rule;
		const char *label = vote_label(counting->rules, votes->number[i], votes->code[i], &rule);

		if (label == NULL)
			continue;
		any = true;
		if (counting->first == NULL)
			counting->first = label;
		counting->others = counting->others || strcmp(counting->first, label) != 0;
	}
	counting->items += any;
}

bool
rules_suffice(const Project *project, int items)
{
	Rules		rules;
	Counting	counting = {.rules = &rules};
	int			n = 0;

	rules_read(project, false, false, &rules);
	for (int r = 0; r < rules.n; r++)
		n += rule_counts(&rules.rule[r]);
	if (n == 0)
		return false;
	rule_votes_scan(project, NULL, 0, false, count_item, &counting);
	return counting.items >= items && counting.others;
}
