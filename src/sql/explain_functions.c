/*-------------------------------------------------------------------------
 *
 * explain_functions.c
 *	  hl_explain: why this label.  hl_explain_question: why this question.
 *
 * What the n-grams of a text add to the log odds of the label against the
 * runner-up is a sum for the built-in encoder (learn/explain.h).  What a
 * transformer or word vectors make of a text is not, so there each word is left
 * out, and the log odds are compared.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "encode/unicode.h"
#include "learn/explain.h"
#include "sql/api.h"
#include "sql/predict.h"
#include "store/caller.h"
#include "store/neighbours.h"
#include "store/rule_figures.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_explain_text);
PG_FUNCTION_INFO_V1(hl_explain_array);
PG_FUNCTION_INFO_V1(hl_explain_question);

/*
 * Words that are left out one at a time; of a longer text some at a time.  With
 * each the whole text is encoded again.
 */
#define OMISSIONS 64

/* Bytes that the n-grams of a text take for each of its own, with their places. */
#define EXPLAIN_MEMORY 600

typedef Input (*ArgumentReader) (const Predictor *predictor, FunctionCallInfo fcinfo);

/* One row of hl_explanation; NULL and NAN for what it does not say. */
static void
add_row(ReturnSetInfo *set, const char *kind, const char *feature, const char *label,
		double weight, const char *input)
{
	Datum		values[5] = {CStringGetTextDatum(kind)};
	bool		nulls[5] = {false, feature == NULL, label == NULL, isnan(weight), input == NULL};

	if (feature != NULL)
		values[1] = CStringGetTextDatum(feature);
	if (label != NULL)
		values[2] = CStringGetTextDatum(label);
	values[3] = Float8GetDatum(weight);
	if (input != NULL)
		values[4] = CStringGetTextDatum(input);
	set_add(set, values, nulls);
}

static int
count_argument(FunctionCallInfo fcinfo, int number)
{
	int			n = PG_ARGISNULL(number) ? -1 : PG_GETARG_INT32(number);

	if (n < 0 || n > MAX_NEIGHBOURS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"n\" must be between 0 and %d", MAX_NEIGHBOURS)));
	return n;
}

/* ---------------------------------------------------------------------- */
/* Neighbours */

/*
 * The labelled rows that are most like one.  Whoever may ask sees them in
 * hl_labels as well.
 */
static void
add_neighbours(ReturnSetInfo *set, const Project *project, const Serving *serving,
			   const float *dense, const char *item, int n)
{
	Consensus	consensus;
	NeighbourSearch search = {
		.project = project, .serving = serving, .consensus = &consensus, .n = 1, .rows = dense,
		.most = n
	};
	Neighbour  *found = palloc_array_checked(Neighbour, n);
	int			self;

	if (dense_blank(dense, encoder_dims(serving->encoder)))
		return;
	consensus_read(project, &consensus);
	search.labelled = labelled_items(&consensus, CurrentMemoryContext);
	self = item == NULL ? -1 : labelled_index(search.labelled, item);
	search.self = &self;
	neighbours_find(&search, found);
	for (int i = 0; i < n && found[i].index >= 0; i++)
		add_row(set, "neighbour", consensus.items[found[i].index],
				consensus.classes[consensus.label[found[i].index]], found[i].similarity, NULL);
}

/* ---------------------------------------------------------------------- */
/* Rules */

/* Rows of the same input whose votes are listed. */
#define RULED_ROWS 100

typedef struct Fired
{
	int			rule;
	const char *label;
} Fired;

typedef struct FiredRules
{
	Rules		rules;
	Fired	   *fired;
	int			n;
} FiredRules;

static void
take_votes(const RuleVotes *votes, void *argument)
{
	FiredRules *found = argument;

	for (int i = 0; i < votes->n; i++)
	{
		int			rule;
		const char *label = vote_label(&found->rules, votes->number[i], votes->code[i], &rule);
		bool		known = label == NULL;

		for (int j = 0; j < found->n && !known; j++)
			known = found->fired[j].rule == rule && strcmp(found->fired[j].label, label) == 0;
		if (!known && found->n < found->rules.n * RULED_ROWS)
			found->fired[found->n++] = (Fired) {rule, label};
	}
}

/* Some items whose input it is; returns how many. */
static int
items_of_input(const Predictor *predictor, const Input *input, char **items)
{
	const Serving *serving = &predictor->serving;
	BlockScan  *scan = block_scan_begin(predictor->project->id, serving->encoder,
										serving->encoder_id, 0, false, true);
	uint64		hash = input_hash(input);
	FeatureBlock block;
	int			n = 0;

	while (n < RULED_ROWS && block_scan_next(scan, &block))
	{
		for (int row = 0; row < block.rows && n < RULED_ROWS; row++)
		{
			if (block.hashes[row] == hash)
				items[n++] = pstrdup(block.items[row]);
		}
	}
	block_scan_end(scan);
	return n;
}

/*
 * What rules say.  They see whole rows, so an input alone satisfies none: it is what
 * they have said of the rows of the source that have this input.  That may tell of
 * columns which the caller may not read; so only who may call hl_rule_votes sees it.
 */
static void
add_rules(ReturnSetInfo *set, const Predictor *predictor, const Input *input)
{
	const Project *project = predictor->project;
	FiredRules	found = {.n = 0};
	char	   *items[RULED_ROWS];
	int			n;

	if (input_missing(input) || !project_privilege(project, GetUserId(), PRIVILEGE_MANAGE, true))
		return;
	rules_read(project, false, true, &found.rules);
	if (found.rules.n == 0)
		return;
	n = items_of_input(predictor, input, items);
	if (n == 0)
		return;
	found.fired = palloc_array_checked(Fired, found.rules.n * RULED_ROWS);
	rule_votes_scan(project, items, n, true, take_votes, &found);
	for (int r = 0; r < found.rules.n; r++)
	{
		for (int i = 0; i < found.n; i++)
		{
			if (found.fired[i].rule == r)
				add_row(set, "rule", found.rules.rule[r].name, found.fired[i].label, NAN, NULL);
		}
	}
}

/* ---------------------------------------------------------------------- */
/* Label against runner-up */

/* What is to be explained, and the two classes that it is explained with. */
typedef struct Explained
{
	Predictor  *predictor;
	const Input *input;
	Rows		row;
	SparseRows	sparse;
	size_t		start[2];
	int			label;			/* -1: no class is left */
	int			second;			/* -1: there is no other */
	double		odds;			/* ln P(label) / P(second) */
	float	   *direction;		/* of each output, see model_explain() */
} Explained;

/* Is output k of the model called what class is called now? */
static bool
of_class(const Serving *serving, int k, int class)
{
	return (serving->same == NULL ? k : serving->same[k]) == class;
}

static double
class_probability(const Serving *serving, const float *probability, int class)
{
	double		sum = 0.0;

	for (int k = 0; k < serving->nclasses; k++)
		sum += of_class(serving, k, class) ? probability[k] : 0.0;
	return Max(sum, FLT_MIN);
}

/* From the probabilities of the model's outputs. */
static double
odds_of(const Explained *explained, const float *probability)
{
	const Serving *serving = &explained->predictor->serving;

	return log(class_probability(serving, probability, explained->label)) -
		log(class_probability(serving, probability, explained->second));
}

/*
 * The direction is the slope of the odds by the logits.  For classes of one output
 * each that is 1 and -1; merged ones share it by their probabilities.
 */
static void
find_direction(Explained *explained, const float *probability)
{
	const Serving *serving = &explained->predictor->serving;
	double		label = class_probability(serving, probability, explained->label);
	double		second = class_probability(serving, probability, explained->second);

	explained->direction = palloc0(sizeof(float) * serving->nclasses);
	for (int k = 0; k < serving->nclasses; k++)
	{
		if (of_class(serving, k, explained->label))
			explained->direction[k] = (float) (probability[k] / label);
		else if (of_class(serving, k, explained->second))
			explained->direction[k] = (float) (-probability[k] / second);
	}
}

/* The row that was encoded last, in arrays of its own. */
static void
keep_row(Explained *explained, const Encoding *encoding)
{
	const Encoder *encoder = explained->predictor->serving.encoder;
	int			dims = encoder_dims(encoder);
	float	   *dense = palloc_array_checked(float, dims);
	uint32	   *index = palloc_array_checked(uint32, encoding->terms);
	float	   *weight = palloc_array_checked(float, encoding->terms);

	memcpy(dense, encoding->dense, sizeof(float) * dims);
	if (encoding->terms > 0)
	{
		memcpy(index, encoding->index, sizeof(uint32) * encoding->terms);
		memcpy(weight, encoding->weight, sizeof(float) * encoding->terms);
	}
	explained->start[0] = 0;
	explained->start[1] = encoding->terms;
	explained->sparse = (SparseRows) {1, explained->start, index, weight};
	explained->row = (Rows) {
		.n = 1, .dims = dims, .dense = dense, .sparse = &explained->sparse,
		.sparse_dims = encoder_sparse_dims(encoder)
	};
}

/* Predicts, and says what. */
static void
explain_label(ReturnSetInfo *set, Explained *explained)
{
	Predictor  *predictor = explained->predictor;
	const Serving *serving = &predictor->serving;
	Caller		caller = caller_in(CurrentMemoryContext);
	float	   *probability = palloc_array_checked(float, serving->nclasses);
	Score		score;

	predictor_add(predictor, explained->input);
	keep_row(explained, &predictor->rows.encoding);
	predictor_score(predictor, &score, probability);
	explained->label = score.label;
	explained->second = -1;
	if (score.label < 0)
		return;
	for (int k = 0; k < serving->nclasses; k++)
	{
		if (of_class(serving, k, k) && k != score.label &&
			(explained->second < 0 || probability[k] > probability[explained->second]))
			explained->second = k;
	}
	add_row(set, "label", NULL, serving->classes[score.label], score.confidence, NULL);
	if (explained->second < 0)
		return;
	add_row(set, "runner-up", NULL, serving->classes[explained->second],
			probability[explained->second], NULL);
	/* of the outputs as they were trained: merging is by the names only */
	status_check(model_score(&caller, serving->classifier, &explained->row, &score, probability),
				 "score");
	explained->odds = odds_of(explained, probability);
	find_direction(explained, probability);
}

/* ---------------------------------------------------------------------- */
/* N-grams */

/* Something that speaks for or against. */
typedef struct Reason
{
	char	   *feature;
	const char *input;
	double		weight;
} Reason;

static int
strongest_first(const void *a, const void *b)
{
	const Reason *left = a;
	const Reason *right = b;
	double		difference = fabs(right->weight) - fabs(left->weight);

	if (difference != 0.0)
		return difference > 0.0 ? 1 : -1;
	return strcmp(left->feature, right->feature);
}

/* The strongest n of them; returns the sum of the others. */
static double
add_reasons(ReturnSetInfo *set, const Explained *explained, const char *kind, Reason *reasons,
			int count, int n)
{
	const Serving *serving = &explained->predictor->serving;
	double		others = 0.0;

	qsort(reasons, count, sizeof(Reason), strongest_first);
	for (int i = 0; i < count; i++)
	{
		double		weight = reasons[i].weight;

		if (i < n)
			add_row(set, kind, reasons[i].feature,
					serving->classes[weight < 0.0 ? explained->second : explained->label],
					weight, reasons[i].input);
		else
			others += weight;
	}
	return others;
}

/*
 * UTF-8 in the database's encoding.  What that has no characters for, as folding
 * may have made some, is shown as a question mark.
 */
static char *
from_utf8(const char *utf8)
{
	int			encoding = GetDatabaseEncoding();
	int			length = (int) strlen(utf8);
	Oid			conversion;
	StringInfoData text;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return pstrdup(utf8);
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return pstrdup("?");
	initStringInfo(&text);
	while (length > 0)
	{
		int			bytes = pg_encoding_mblen(PG_UTF8, utf8);
		unsigned char character[MAX_MULTIBYTE_CHAR_LEN + 1] = {0};
		unsigned char converted[MAX_MULTIBYTE_CHAR_LEN * MAX_CONVERSION_GROWTH + 1] = {0};

		bytes = Min(bytes, length);
		memcpy(character, utf8, bytes);
		if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding, character, bytes,
										  converted, sizeof(converted), true) == bytes)
			appendStringInfoString(&text, (char *) converted);
		else
			appendStringInfoChar(&text, '?');
		utf8 += bytes;
		length -= bytes;
	}
	return text.data;
}

static const char *
input_name(const Explained *explained, int input)
{
	const Project *project = explained->predictor->project;

	return input < project->ninputs ? project->inputs[input].column : NULL;
}

/*
 * Shares of the n-grams and of the parts without any, the largest first, and what
 * is left: they sum to the log odds.
 */
static void
explain_sum(ReturnSetInfo *set, const Explained *explained, int n)
{
	const Serving *serving = &explained->predictor->serving;
	const Encoder *encoder = serving->encoder;
	Caller		caller = caller_in(CurrentMemoryContext);
	int			terms = (int) explained->start[1];
	double	   *term = palloc_array_checked(double, terms);
	double		part[COMBINATION_MAX_PARTS];
	double		constant;
	double		said = 0.0;
	double		others;
	Reason	   *reasons = NULL;
	int			count = 0;

	status_check(model_explain(&caller, serving->classifier, encoder, &explained->row,
							   explained->direction, term, part, &constant), "explain");
	for (int p = 0; p < encoder_parts(encoder); p++)
	{
		EncoderPart kind;
		const Input *input;
		TextFeature *features;
		int			nfeatures;

		encoder_part(encoder, p, &kind);
		input = input_nth(explained->input, kind.input);
		if (kind.kind != ENCODER_TEXT)
		{
			add_row(set, "vector", NULL,
					serving->classes[part[p] < 0.0 ? explained->second : explained->label],
					part[p], input_name(explained, kind.input));
			said += part[p];
			continue;
		}
		if (input == NULL || input->missing || input->text == NULL)
			continue;
		memory_check(mul_size(input->length, EXPLAIN_MEMORY), "explain the text");
		status_check(text_features(&caller, encoder, p, input->text, input->length,
								   explained->sparse.index, terms, term, &features, &nfeatures),
					 "explain the text");
		reasons = reasons == NULL ? palloc_array_checked(Reason, nfeatures) :
			repalloc_huge(reasons, mul_size(sizeof(Reason), count + nfeatures + 1));
		for (int f = 0; f < nfeatures; f++)
		{
			reasons[count++] = (Reason) {
				from_utf8(features[f].text), input_name(explained, kind.input), features[f].weight
			};
			said += features[f].weight;
		}
	}
	others = add_reasons(set, explained, "n-gram", reasons, count, n);
	if (count > n)
		add_row(set, "other n-grams", NULL, NULL, others, NULL);
	add_row(set, "constant", NULL, NULL, explained->odds - said, NULL);
}

/* ---------------------------------------------------------------------- */
/* Leaving words out */

/* Bytes from .. to of a text. */
typedef struct Word
{
	size_t		from;
	size_t		to;
} Word;

/* Runs of letters, numbers and marks, and single characters of scripts without spaces. */
static Word *
find_words(const Input *input, int *n)
{
	Word	   *words = palloc_array_checked(Word, input->length + 1);
	bool		inside = false;

	*n = 0;
	for (size_t position = 0; position < input->length;)
	{
		size_t		from = position;
		uint32_t	code_point;
		bool		valid = decode_utf8((const unsigned char *) input->text, input->length,
										&position, &code_point);
		CharacterClass class = valid ? character_class(code_point) : CLASS_OTHER;

		if (class == CLASS_SPACE || class == CLASS_OTHER)
		{
			inside = false;
			continue;
		}
		if (!inside || (class == CLASS_UNSPACED))
			words[(*n)++] = (Word) {from, position};
		else
			words[*n - 1].to = position;
		inside = true;
	}
	return words;
}

/* So many words at a time that there are no more than OMISSIONS. */
static int
group_words(Word *words, int n)
{
	int			together = (n + OMISSIONS - 1) / OMISSIONS;
	int			groups = 0;

	for (int first = 0; first < n; first += together)
		words[groups++] = (Word) {words[first].from, words[Min(first + together, n) - 1].to};
	return groups;
}

/* The row's inputs, but of one the text given. */
static Input *
with_text(const Input *first, const Input *other, const char *text, size_t length)
{
	Input	   *copy = NULL;
	Input	  **next = &copy;

	for (; first != NULL; first = first->next)
	{
		*next = palloc(sizeof(Input));
		**next = *first;
		if (first == other)
		{
			(*next)->text = text;
			(*next)->length = length;
		}
		next = (Input **) &(*next)->next;
	}
	return copy;
}

/* How much the log odds fall without each word of an input. */
static void
explain_words(ReturnSetInfo *set, const Explained *explained, int number, const Input *input, int n)
{
	const Serving *serving = &explained->predictor->serving;
	Caller		caller = caller_in(CurrentMemoryContext);
	int			count;
	Word	   *words = find_words(input, &count);
	Reason	   *reasons;
	float	   *probability = palloc_array_checked(float, serving->nclasses);
	RowsBuilder rows;

	count = group_words(words, count);
	reasons = palloc_array_checked(Reason, count);
	rows_init(&rows, serving->encoder, CurrentMemoryContext);
	for (int w = 0; w < count; w++)
	{
		size_t		length = input->length - (words[w].to - words[w].from);
		char	   *text = palloc_array_checked(char, length + 1);
		Input	   *without = with_text(explained->input, input, text, length);
		Status		status;
		Score		score;

		memcpy(text, input->text, words[w].from);
		memcpy(text + words[w].from, input->text + words[w].to, input->length - words[w].to);
		interrupts_check();
		rows_reset(&rows);
		status = encode_input(serving->encoder, without, &rows.encoding);
		if (status == STATUS_NOT_FINITE)
			text_not_finite();
		status_check(status, "encode the text");
		rows_add_encoding(&rows, &rows.encoding);
		status_check(model_score(&caller, serving->classifier, rows_finish(&rows), &score,
								 probability), "score");
		text = pnstrdup(input->text + words[w].from, words[w].to - words[w].from);
		reasons[w] = (Reason) {
			from_utf8(text), input_name(explained, number), explained->odds - odds_of(explained, probability)
		};
	}
	(void) add_reasons(set, explained, "word", reasons, count, n);
}

/* Is what the encoder makes of a text a sum over its n-grams? */
static bool
sums_up(const Encoder *encoder)
{
	for (int p = 0; p < encoder_parts(encoder); p++)
	{
		EncoderPart part;

		encoder_part(encoder, p, &part);
		if (part.kind != ENCODER_TEXT && part.kind != ENCODER_VECTOR)
			return false;
	}
	return true;
}

static void
explain_texts(ReturnSetInfo *set, const Explained *explained, int n)
{
	int			number = 0;

	for (const Input *input = explained->input; input != NULL; input = input->next, number++)
	{
		if (!input->missing && input->text != NULL)
			explain_words(set, explained, number, input, n);
	}
}

static Datum
explain(FunctionCallInfo fcinfo, ArgumentReader read_argument)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	int			n = count_argument(fcinfo, 2);
	Predictor  *predictor = predictor_get(fcinfo);
	Input		input = read_argument(predictor, fcinfo);
	Explained	explained = {.predictor = predictor, .input = &input};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop explanation",
												  ALLOCSET_DEFAULT_SIZES);
	Call		call;

	call_begin(&call);
	MemoryContextSwitchTo(context);
	blas_load();
	explain_label(set, &explained);
	add_rules(set, predictor, &input);
	if (explained.label >= 0 && explained.second >= 0)
	{
		if (sums_up(predictor->serving.encoder))
			explain_sum(set, &explained, n);
		else
			explain_texts(set, &explained, n);
	}
	add_neighbours(set, predictor->project, &predictor->serving, explained.row.dense, NULL, n);
	call_end(&call);
	MemoryContextDelete(context);
	return (Datum) 0;
}

Datum
hl_explain_text(PG_FUNCTION_ARGS)
{
	return explain(fcinfo, text_argument);
}

Datum
hl_explain_array(PG_FUNCTION_ARGS)
{
	return explain(fcinfo, array_argument);
}

/* ---------------------------------------------------------------------- */
/* Why this question */

/* Of the last result's first row; NAN for NULL. */
static double
queued_number(int column)
{
	return result_is_null(0, column) ? NAN : result_double(0, column);
}

/* What the queue says of the item; false: it is not in there. */
static bool
add_queue_entry(ReturnSetInfo *set, const Project *project, const char *item)
{
	/* as the caller: it looks itself whether he may */
	static Statement select = {
		"SELECT e.reason, e.score, e.epistemic, e.aleatoric FROM @hl_queue_entries($1) e "
		"WHERE e.item = $2", 2, {TEXTOID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {CStringGetTextDatum(project->name), CStringGetTextDatum(item)};

	statement_run(&select, values, NULL, true);
	if (SPI_processed == 0)
		return false;
	add_row(set, "reason", result_string(0, 1), NULL, queued_number(2), NULL);
	if (!isnan(queued_number(3)))
		add_row(set, "epistemic", NULL, NULL, queued_number(3), NULL);
	if (!isnan(queued_number(4)))
		add_row(set, "aleatoric", NULL, NULL, queued_number(4), NULL);
	return true;
}

/* The item's row as the serving model takes it; false: it has no features. */
static bool
read_row(const Project *project, const Serving *serving, const char *item, RowsBuilder *rows)
{
	BlockScan  *scan = block_scan_begin(project->id, serving->encoder, serving->encoder_id, 0,
										false, true);
	FeatureBlock block;
	int64		number = -1;
	int			place = 0;

	/* of a row that is there twice the later one holds */
	while (block_scan_next(scan, &block))
	{
		for (int row = 0; row < block.rows; row++)
		{
			if (block.hashes[row] == 0 || strcmp(block.items[row], item) != 0)
				continue;
			number = block.number;
			place = row;
		}
	}
	block_scan_end(scan);
	rows_init(rows, serving->encoder, CurrentMemoryContext);
	if (number >= 0 && block_read(project->id, serving->encoder, serving->encoder_id, number, true,
								  &block) && place < block.rows)
	{
		size_t		length;
		const unsigned char *terms = block_terms(&block, place, &length);

		rows_add(rows, block.dense + (size_t) place * block.dims, terms, length);
	}
	return rows->n > 0;
}

/* The classes that the model hesitates between, the most probable first. */
static void
add_classes(ReturnSetInfo *set, const Serving *serving, const Rows *row, int n)
{
	Caller		caller = caller_in(CurrentMemoryContext);
	float	   *probability = palloc_array_checked(float, serving->nclasses);
	bool	   *said = palloc0(sizeof(bool) * serving->nclasses);
	double		left = 0.0;
	Score		score;

	status_check(model_score(&caller, serving->classifier, row, &score, probability), "score");
	for (int k = 0; k < serving->nclasses; k++)
	{
		said[k] = !of_class(serving, k, k) || serving->classes[k] == NULL;
		if (!said[k])
			left += class_probability(serving, probability, k);
	}
	for (int i = 0; i < n; i++)
	{
		int			best = -1;

		for (int k = 0; k < serving->nclasses; k++)
		{
			if (!said[k] && (best < 0 || class_probability(serving, probability, k) >
							 class_probability(serving, probability, best)))
				best = k;
		}
		if (best < 0)
			return;
		said[best] = true;
		add_row(set, "class", NULL, serving->classes[best],
				class_probability(serving, probability, best) / left, NULL);
	}
}

Datum
hl_explain_question(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = set_begin(fcinfo);
	char	   *name = required_text(fcinfo, 0, "project");
	char	   *item = required_text(fcinfo, 1, "item");
	int			n = count_argument(fcinfo, 2);
	Project    *project;
	Serving		serving;
	RowsBuilder rows;
	Call		call;

	call_begin(&call);
	project = project_open(name, PRIVILEGE_ANY, true);
	if (add_queue_entry(set, project, item) &&
		serving_open(project, true, CurrentMemoryContext, &serving) &&
		read_row(project, &serving, item, &rows))
	{
		const Rows *row = rows_finish(&rows);

		blas_load();
		add_classes(set, &serving, row, n);
		add_neighbours(set, project, &serving, row->dense, item, n);
	}
	call_end(&call);
	return (Datum) 0;
}
