/*-------------------------------------------------------------------------
 *
 * truth.c
 *	  What items' labels truly are, where several have answered.
 *
 * One definition for all who ask what an item's label is: the most probable of
 * those that people have given it (truth_label), the latest of several that are
 * as probable.  What a classifier says does not enter that, as classifiers are
 * measured by it; a training uses it for its soft labels alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "store/caller.h"
#include "store/feature.h"
#include "store/session.h"
#include "store/truth.h"

/* Where an item is in the label model. */
typedef struct HeardItem
{
	ItemKey		key;
	int			index;
	int			latest;			/* class of its latest answer, LABEL_NONE: none */
	char		status;
} HeardItem;

#define SH_PREFIX heard
#define SH_ELEMENT_TYPE HeardItem
#define SH_KEY_TYPE ItemKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) (key).low)
#define SH_EQUAL(table, a, b) ((a).high == (b).high && (a).low == (b).low)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct Truth
{
	MemoryContext context;		/* this and all below */
	Caller		caller;
	heard_hash *places;
	int			nitems;
	char	  **classes;		/* in byte order */
	int			nclasses;
	char	  **voices;			/* those that were there when it was fitted, in byte
								 * order, then others */
	int			nvoices;
	int			sorted_voices;
	int			voices_capacity;
	int			n;				/* answers that it was fitted to */
	int		   *item;
	int		   *voice;
	int		   *label;
	int		   *known;			/* of each item */
	float	   *classifier;		/* nitems x nclasses, or NULL */
	LabelModel *model;
	signed char *trust;			/* of each voice: 1 taken at its word, 0 not, -1 not looked
								 * at; NULL: none looked at */
	ItemKey		digest;			/* of all that it was fitted to */
	int			pins;			/* contexts that use it, where it is shared */
};

/*
 * The last one that was shared, which whoever comes next with the same answers uses:
 * fitting takes longer than reading them, and several ask in a training, or of one
 * text after another.  NULL: none.
 */
static Truth *last_shared = NULL;

/* ---------------------------------------------------------------------- */
/* Reading */

bool
truth_is_needed(const Project *project)
{
	static Statement select = {
		"SELECT 1 FROM @hl_current_answer WHERE project_id = $1 AND label IS NOT NULL "
		"GROUP BY item HAVING pg_catalog.count(*) > 1 LIMIT 1",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0;
}

bool
truth_concerns(const Project *project, char **items, int n)
{
	static Statement select = {
		"SELECT 1 FROM unnest($2) u(item) WHERE (SELECT pg_catalog.count(*) FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.item = u.item AND c.label IS NOT NULL) > 1 LIMIT 1",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};

	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0;
}

static int
number_of(char **sorted, int n, char *name)
{
	char	  **found = bsearch(&name, sorted, n, sizeof(char *), compare_strings);

	return found == NULL ? -1 : (int) (found - sorted);
}

/* Into the digest. */
static void
digest_bytes(Truth *truth, const void *bytes, size_t length)
{
	for (size_t done = 0; done < length; done += PG_INT32_MAX)
	{
		const unsigned char *from = (const unsigned char *) bytes + done;
		int			some = (int) Min(length - done, PG_INT32_MAX);

		truth->digest.high = hash_bytes_extended(from, some, truth->digest.high);
		truth->digest.low = hash_bytes_extended(from, some, ~truth->digest.low);
	}
}

/* The number of the item, which it gets if it has none. */
static HeardItem *
heard_item(Truth *truth, const char *item)
{
	bool		found;
	ItemKey		key = item_key(item);
	HeardItem *entry = heard_insert(truth->places, key, &found);

	if (!found)
	{
		digest_bytes(truth, &key, sizeof(key));
		entry->index = truth->nitems++;
		entry->latest = LABEL_NONE;
	}
	return entry;
}

/*
 * All answers, the oldest first of an item.  The labels that are certain are among
 * the classes, whether or not anybody has said them.
 */
static void
take_answers(Truth *truth, const Project *project, char **known_labels, int nknown)
{
	static Statement select = {
		"SELECT c.item, c.annotator, c.label FROM @hl_current_answer c "
		"WHERE c.project_id = $1 AND c.label IS NOT NULL ORDER BY c.item, c.answered_at, c.answer_id",
		1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	char	  **voices;
	char	  **labels;
	SPITupleTable *table;

	statement_run_as_extension(&select, values, NULL, false);
	table = SPI_tuptable;
	truth->n = (int) SPI_processed;
	truth->item = palloc_array_checked(int, truth->n);
	truth->voice = palloc_array_checked(int, truth->n);
	truth->label = palloc_array_checked(int, truth->n);
	truth->classes = palloc_array_checked(char *, truth->n + nknown);
	truth->voices = palloc_array_checked(char *, truth->n);
	truth->voices_capacity = truth->n;
	voices = palloc_array_checked(char *, truth->n);
	labels = palloc_array_checked(char *, truth->n);
	for (int j = 0; j < truth->n; j++)
	{
		truth->voices[j] = voices[j] = result_string(j, 2);
		truth->classes[j] = labels[j] = result_string(j, 3);
	}
	truth->nvoices = truth->sorted_voices = strings_unique(truth->voices, truth->n);
	for (int i = 0; i < nknown; i++)
		truth->classes[truth->n + i] = pstrdup(known_labels[i]);
	truth->nclasses = strings_unique(truth->classes, truth->n + nknown);
	for (int j = 0; j < truth->n; j++)
	{
		HeardItem *entry;

		CHECK_FOR_INTERRUPTS();
		truth->voice[j] = number_of(truth->voices, truth->nvoices, voices[j]);
		truth->label[j] = number_of(truth->classes, truth->nclasses, labels[j]);
		entry = heard_item(truth, result_string(j, 1));
		entry->latest = truth->label[j];
		truth->item[j] = entry->index;
	}
	SPI_freetuptable(table);
	pfree(voices);
	pfree(labels);
}

/* Labels that are certain, as numbers of the model's classes. */
static void
take_known(Truth *truth, char **items, char **labels, int n)
{
	for (int i = 0; i < n; i++)
		(void) heard_item(truth, items[i]);
	truth->known = palloc_array_checked(int, truth->nitems);
	for (int i = 0; i < truth->nitems; i++)
		truth->known[i] = LABEL_NONE;
	for (int i = 0; i < n; i++)
		truth->known[heard_item(truth, items[i])->index] =
			number_of(truth->classes, truth->nclasses, labels[i]);
}

static void
fit_truth(Truth *truth)
{
	LabelData	data = {
		.items = truth->nitems, .voices = truth->nvoices, .classes = truth->nclasses,
		.n = truth->n, .item = truth->item, .voice = truth->voice, .label = truth->label,
		.known = truth->known, .classifier = truth->classifier
	};

	memory_check(label_model_memory(truth->nitems, truth->nvoices, 0, truth->nclasses, truth->n),
				 "weigh the answers of several annotators");
	truth->caller = caller_in(truth->context);
	status_check(label_model_fit(&truth->caller, &data, &truth->model),
				 "weigh the answers of several annotators");
}

static Truth *
truth_allocate(MemoryContext within)
{
	MemoryContext context = AllocSetContextCreate(within, "humanloop label model",
												  ALLOCSET_DEFAULT_SIZES);
	Truth	   *truth = MemoryContextAllocZero(context, sizeof(Truth));

	truth->context = context;
	return truth;
}

/* What a model is fitted to. */
static Truth *
read_answers(const Project *project, char **known_items, char **known_labels, int nknown,
			 MemoryContext context)
{
	Truth	   *truth = truth_allocate(context);
	MemoryContext before = MemoryContextSwitchTo(truth->context);

	truth->places = heard_create(truth->context, 1024, NULL);
	take_answers(truth, project, known_labels, nknown);
	take_known(truth, known_items, known_labels, nknown);
	MemoryContextSwitchTo(before);
	return truth;
}

Truth *
truth_read(const Project *project, char **known_items, char **known_labels, int nknown,
		   MemoryContext context)
{
	Truth	   *truth = read_answers(project, known_items, known_labels, nknown, context);

	fit_truth(truth);
	return truth;
}

/* ---------------------------------------------------------------------- */
/* Sharing */

static void
digest_all(Truth *truth)
{
	digest_bytes(truth, truth->item, sizeof(int) * truth->n);
	digest_bytes(truth, truth->voice, sizeof(int) * truth->n);
	digest_bytes(truth, truth->label, sizeof(int) * truth->n);
	digest_bytes(truth, truth->known, sizeof(int) * truth->nitems);
	for (int v = 0; v < truth->nvoices; v++)
		digest_bytes(truth, truth->voices[v], strlen(truth->voices[v]) + 1);
	for (int k = 0; k < truth->nclasses; k++)
		digest_bytes(truth, truth->classes[k], strlen(truth->classes[k]) + 1);
}

static void
unpin(void *argument)
{
	Truth	   *truth = argument;

	if (--truth->pins == 0 && truth != last_shared)
		truth_free(truth);
}

static void
pin(Truth *truth, MemoryContext context)
{
	at_context_end(context, unpin, truth);
	truth->pins++;
}

/* In place of the one before, if there is room for it. */
static void
share(Truth *truth)
{
	Truth	   *before = last_shared;
	Size		size = MemoryContextMemAllocated(truth->context, true);

	MemoryContextSetParent(truth->context, TopMemoryContext);
	last_shared = size / 1024 <= (Size) setting_cache_size ? truth : NULL;
	if (before != NULL && before->pins == 0)
		truth_free(before);
}

Truth *
truth_share(const Project *project, char **known_items, char **known_labels, int nknown,
			MemoryContext context)
{
	Truth	   *truth = read_answers(project, known_items, known_labels, nknown, context);

	digest_all(truth);
	if (last_shared != NULL &&
		memcmp(&truth->digest, &last_shared->digest, sizeof(ItemKey)) == 0)
	{
		truth_free(truth);
		truth = last_shared;
		pin(truth, context);
		return truth;
	}
	fit_truth(truth);
	pin(truth, context);
	share(truth);
	return truth;
}

void
truth_free(Truth *truth)
{
	if (truth != NULL)
		MemoryContextDelete(truth->context);
}

Truth *
truth_keep(Truth *truth, MemoryContext context)
{
	MemoryContextSetParent(truth->context, context);
	return truth;
}

/* ---------------------------------------------------------------------- */
/* What it says */

const LabelModel *
truth_model(const Truth *truth)
{
	return truth->model;
}

int
truth_voices(const Truth *truth, char ***names)
{
	*names = truth->voices;
	return truth->nvoices;
}

int
truth_classes(const Truth *truth, char ***names)
{
	*names = truth->classes;
	return truth->nclasses;
}

int
truth_item(const Truth *truth, const char *item)
{
	HeardItem *entry = heard_lookup(truth->places, item_key(item));

	return entry == NULL ? -1 : entry->index;
}

const char *
truth_label(const Truth *truth, const char *item)
{
	HeardItem *entry = heard_lookup(truth->places, item_key(item));
	ItemLabel	known;
	int			label;

	if (entry == NULL)
		return NULL;
	label_model_item(truth->model, entry->index, &known);
	label = known.known ? known.label :
		label_model_choice(truth->model, entry->index, entry->latest);
	return label == LABEL_NONE ? NULL : truth->classes[label];
}

double
truth_probability(const Truth *truth, const char *item, const char *label)
{
	int			index = truth_item(truth, item);
	int			class = number_of(truth->classes, truth->nclasses, unconstify(char *, label));
	float	   *posterior;
	double		probability;

	if (index < 0 || class < 0)
		return NAN;
	posterior = palloc_array_checked(float, truth->nclasses);
	label_model_posterior(truth->model, index, posterior);
	probability = posterior[class];
	pfree(posterior);
	return probability;
}

int *
truth_class_numbers(const Truth *truth, char **classes, int n)
{
	int		   *numbers = palloc_array_checked(int, truth->nclasses);

	for (int t = 0; t < truth->nclasses; t++)
	{
		numbers[t] = -1;
		for (int k = 0; k < n && numbers[t] < 0; k++)
			if (classes[k] != NULL && strcmp(truth->classes[t], classes[k]) == 0)
				numbers[t] = k;
	}
	return numbers;
}

/* Is a voice taken at its word? */
static bool
is_trusted(Truth *truth, int voice)
{
	if (truth->trust == NULL)
	{
		truth->trust = MemoryContextAlloc(truth->context, truth->nvoices);
		memset(truth->trust, -1, truth->nvoices);
	}
	if (truth->trust[voice] < 0)
	{
		double		low;
		double		high;

		(void) label_model_accuracy(truth->model, voice, &low, &high);
		truth->trust[voice] = high >= TRUSTED_ACCURACY;
	}
	return truth->trust[voice];
}

/*
 * The class of an item's only answer, where it is taken at its word; LABEL_NONE: it
 * is not, or there are several.
 */
static int
trusted_label(Truth *truth, int index)
{
	int			cursor = LABEL_NONE;
	int			voice;
	int			label;
	ItemLabel	item;

	label_model_item(truth->model, index, &item);
	if (item.known || item.answers != 1 || item.rules > 0 || truth->classifier != NULL ||
		!label_model_next_answer(truth->model, index, &cursor, &voice, &label))
		return LABEL_NONE;
	return is_trusted(truth, voice) ? label : LABEL_NONE;
}

int
truth_soft_label(Truth *truth, const char *item, const int *numbers, int *class,
				 float *weight)
{
	int			index = truth_item(truth, item);
	int			found;
	int			kept = 0;
	float		sum = 0.0f;

	if (index < 0)
		return 0;
	class[0] = trusted_label(truth, index);
	weight[0] = 1.0f;
	found = class[0] != LABEL_NONE ? 1 :
		label_model_support(truth->model, index, LEAST_SOFT_WEIGHT, class, weight);
	for (int s = 0; s < found; s++)
	{
		int			number = numbers[class[s]];

		if (number < 0)
			continue;
		class[kept] = number;
		weight[kept] = weight[s];
		sum += weight[kept++];
	}
	for (int s = 0; s < kept; s++)
		weight[s] = kept == 1 ? 1.0f : weight[s] / sum;
	return kept;
}

Truth *
truth_with_classifier(const Truth *truth, char **items, int nrows, const float *probability,
					  char **classes, int n, MemoryContext context)
{
	Truth	   *other = truth_allocate(context);
	MemoryContext allocated = other->context;
	MemoryContext before = MemoryContextSwitchTo(allocated);
	size_t		K = truth->nclasses;
	int		   *number = palloc_array_checked(int, n);

	*other = *truth;			/* names and answers are the first one's */
	other->context = allocated;
	other->trust = NULL;
	other->pins = 0;
	memory_check(sizeof(float) * K * truth->nitems, "weigh what the model says of the answers");
	other->classifier = palloc_array_checked(float, K * truth->nitems);
	for (size_t i = 0; i < K * truth->nitems; i++)
		other->classifier[i] = i % K == 0 ? NAN : 0.0f;
	for (int k = 0; k < n; k++)
		number[k] = number_of(truth->classes, truth->nclasses, classes[k]);
	for (int row = 0; row < nrows; row++)
	{
		int			index = truth_item(truth, items[row]);
		float	   *to = other->classifier + K * Max(index, 0);

		if (index < 0)
			continue;
		to[0] = 0.0f;
		for (int k = 0; k < n; k++)
			if (number[k] >= 0)
				to[number[k]] = probability[(size_t) row * n + k];
	}
	fit_truth(other);
	MemoryContextSwitchTo(before);
	return other;
}

/* ---------------------------------------------------------------------- */
/* Keeping up */

/* The number of a voice, which it gets if it is new. */
static int
voice_number(Truth *truth, char *name)
{
	int			found = number_of(truth->voices, truth->sorted_voices, name);

	for (int v = truth->sorted_voices; v < truth->nvoices && found < 0; v++)
		if (strcmp(truth->voices[v], name) == 0)
			found = v;
	if (found >= 0)
		return found;
	status_check(label_model_add_voices(&truth->caller, truth->model, 1), "take up an annotator");
	if (truth->nvoices == truth->voices_capacity)
	{
		truth->voices_capacity = 2 * truth->voices_capacity + 8;
		truth->voices = repalloc_huge(truth->voices,
									  mul_size(truth->voices_capacity, sizeof(char *)));
	}
	truth->voices[truth->nvoices] = MemoryContextStrdup(truth->context, name);
	return truth->nvoices++;
}

/* Takes back what voices do not say any more: those of said (by number) still do. */
static void
forget_answers(Truth *truth, int item, const bool *said)
{
	int			cursor = LABEL_NONE;
	int			voice;
	int			label;

	while (label_model_next_answer(truth->model, item, &cursor, &voice, &label))
	{
		if (said[voice])
			continue;
		status_check(label_model_answer(&truth->caller, truth->model, item, voice, LABEL_NONE),
					 "take an answer back");
		cursor = LABEL_NONE;
	}
}

/* One item, of which rows first to last (not included) of the result speak. */
static void
update_item(Truth *truth, const char *item, uint64 first, uint64 last)
{
	HeardItem *entry = heard_item(truth, item);
	int			index = entry->index;
	bool	   *said;
	int			latest = LABEL_NONE;

	if (index >= label_model_items(truth->model))
		status_check(label_model_add_items(&truth->caller, truth->model, 1), "take up an item");
	for (uint64 i = first; i < last; i++)
		(void) voice_number(truth, result_string(i, 2));
	said = palloc_array_checked(bool, truth->nvoices);
	memset(said, 0, sizeof(bool) * truth->nvoices);
	for (uint64 i = first; i < last; i++)
		said[voice_number(truth, result_string(i, 2))] = true;
	forget_answers(truth, index, said);
	for (uint64 i = first; i < last; i++)
	{
		latest = number_of(truth->classes, truth->nclasses, result_string(i, 3));
		status_check(label_model_answer(&truth->caller, truth->model, index,
										voice_number(truth, result_string(i, 2)), latest),
					 "take up an answer");
	}
	entry->latest = latest;
	pfree(said);
}

bool
truth_update(Truth *truth, const Project *project, char **items, char **known, int n)
{
	static Statement select = {
		"SELECT u.n::integer, c.annotator, c.label FROM unnest($2) WITH ORDINALITY u(item, n) "
		"JOIN @hl_current_answer c ON c.project_id = $1 AND c.item = u.item AND c.label IS NOT NULL "
		"ORDER BY u.n, c.answered_at, c.answer_id",
		2, {INT4OID, TEXTARRAYOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), text_array(items, n)};
	uint64		at = 0;
	uint64		rows;

	statement_run_as_extension(&select, values, NULL, false);
	rows = SPI_processed;
	/* what answers change of voices' accuracy */
	if (truth->trust != NULL)
		pfree(truth->trust);
	truth->trust = NULL;
	for (uint64 i = 0; i < rows; i++)
		if (number_of(truth->classes, truth->nclasses, result_string(i, 3)) < 0)
			return false;
	for (int i = 0; i < n && known != NULL; i++)
		if (known[i] != NULL && number_of(truth->classes, truth->nclasses, known[i]) < 0)
			return false;
	for (int i = 0; i < n; i++)
	{
		uint64		first = at;

		while (at < rows && result_int(at, 1) == i + 1)
			at++;
		update_item(truth, items[i], first, at);
		if (known != NULL)
			status_check(label_model_known(&truth->caller, truth->model, truth_item(truth, items[i]),
										   known[i] == NULL ? LABEL_NONE :
										   number_of(truth->classes, truth->nclasses, known[i])),
						 "take up a label that is certain");
	}
	return true;
}
