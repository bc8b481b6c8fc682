/*-------------------------------------------------------------------------
 *
 * encoder_choice.c
 *	  Does an imported encoder help?  Tried on the labels there are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "learn/parts.h"
#include "store/cache.h"
#include "store/caller.h"
#include "store/encoder_choice.h"
#include "store/label.h"
#include "store/pool.h"
#include "store/session.h"

/* Labelled rows to try with: some seconds of work for a transformer. */
#define MOST_ROWS 600
#define LEAST_ROWS 20

#define ROWS_AT_ONCE 128

struct EncoderChoice
{
	const Project *project;
	MemoryContext context;		/* everything below */
	EncoderPlan *own;			/* what the project has without a choice */
	const Encoder *base;		/* that, as it is fitted */
	NamedEncoder *named;
	const Encoder **encoder;	/* named */
	int			nnamed;
	int			n;				/* rows */
	Input	  **input;
	int		   *label;
	int			classes;
	int			labels;			/* that there are, also of other rows */
	StringInfoData tried;		/* JSON */
	int			best;			/* of named; -1: as it was */
	const char *chosen;			/* name of what there is with that */
	double		loss;			/* of the best, in nats a row */
};

/* ---------------------------------------------------------------------- */
/* Reading */

typedef struct ChoiceReader
{
	EncoderChoice *choice;
	const Consensus *consensus;
	LabelledItems *labelled;
} ChoiceReader;

static void
read_row(const SourceRow *row, void *argument)
{
	ChoiceReader *reader = argument;
	EncoderChoice *choice = reader->choice;
	int			index = labelled_index(reader->labelled, row->item);
	MemoryContext before;

	if (index < 0 || input_missing(&row->input) || choice->n == MOST_ROWS)
		return;
	before = MemoryContextSwitchTo(choice->context);
	choice->input[choice->n] = input_copy(&row->input);
	choice->label[choice->n++] = reader->consensus->label[index];
	MemoryContextSwitchTo(before);
}

/* Leaves out the rows of classes that have one only, and numbers the others. */
static void
compact_classes(EncoderChoice *choice, int nclasses)
{
	int		   *count = palloc0(sizeof(int) * Max(nclasses, 1));
	int			kept = 0;

	for (int i = 0; i < choice->n; i++)
		count[choice->label[i]]++;
	for (int k = 0; k < nclasses; k++)
		count[k] = count[k] < 2 ? -1 : choice->classes++;
	for (int i = 0; i < choice->n; i++)
	{
		if (count[choice->label[i]] < 0)
			continue;
		choice->input[kept] = choice->input[i];
		choice->label[kept++] = count[choice->label[i]];
	}
	choice->n = kept;
}

static void
read_rows(EncoderChoice *choice)
{
	Consensus	consensus;
	ChoiceReader reader = {choice, &consensus, NULL};
	char	  **items;
	int			step;
	int			n = 0;

	consensus_read(choice->project, &consensus);
	reader.labelled = labelled_items(&consensus, CurrentMemoryContext);
	items = palloc_array_checked(char *, MOST_ROWS);
	step = (consensus.n + MOST_ROWS - 1) / MOST_ROWS;
	for (int i = 0; i < consensus.n; i += Max(step, 1))
		items[n++] = consensus.items[i];
	choice->labels = consensus.n;
	choice->input = palloc_array_checked(Input *, MOST_ROWS);
	choice->label = palloc_array_checked(int, MOST_ROWS);
	source_rows(choice->project, items, n, read_row, &reader);
	compact_classes(choice, consensus.nclasses);
}

/* Those that could be chosen; NULL: none, or that is decided. */
static NamedEncoder *
candidates(const Project *project, int *n)
{
	NamedEncoder *named;

	if (strcmp(project->encoder, "auto") != 0 || project_input_of(project, INPUT_TEXT) < 0 ||
		encoder_chosen(project) != NULL)
		return NULL;
	named = named_encoders_for(project->owner, n);
	return *n == 0 ? NULL : named;
}

bool
encoder_choice_due(const Project *project)
{
	static Statement select = {
		"SELECT tried IS NULL FROM @hl_serving WHERE project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	bool		isnull;
	int			n;

	if (candidates(project, &n) == NULL)
		return false;
	statement_run_as_extension(&select, values, NULL, false);
	return SPI_processed > 0 && DatumGetBool(result_datum(0, 1, &isnull));
}

static TrainOptions
options_of(const EncoderChoice *choice)
{
	const ProjectOptions *options = &choice->project->options;

	return (TrainOptions)
	{
		.folds = options->folds, .seed = (uint64) options->random_seed, .refine = 0
	};
}

/*
 * Can a model be trained on what the project has with this one beside it?  If not, it is
 * none to choose: whoever has shared it has nothing to do with the project.
 */
static bool
can_stand_beside(const EncoderChoice *choice, const char *name, const Encoder *encoder)
{
	const Project *project = choice->project;
	TrainOptions options = options_of(choice);
	int			parts = choice->own->n;
	int64		dims = encoder_dims(choice->base);
	Size		bytes;

	for (int i = 0; i < project->ninputs; i++)
	{
		if (project->inputs[i].kind != INPUT_TEXT)
			continue;
		parts++;
		dims += encoder_dims(encoder);
	}
	if (parts > COMBINATION_MAX_PARTS || dims > ENCODER_MAX_DIMS)
	{
		ereport(NOTICE,
				(errmsg("encoder \"%s\" is not tried: with it the vectors would have " INT64_FORMAT " numbers in %d parts, more than %d in %d",
						name, dims, parts, ENCODER_MAX_DIMS, COMBINATION_MAX_PARTS)));
		return false;
	}
	bytes = (Size) choice->labels * dims * sizeof(float) +
		model_train_memory(choice->labels, (int) dims, parts, 0, 0, choice->classes, &options);
	if (bytes / 1024 > (Size) setting_work_mem)
	{
		ereport(NOTICE,
				(errmsg("encoder \"%s\" is not tried: to train with it takes %zu MB, and humanloop.work_mem is %d MB",
						name, bytes / (1024 * 1024) + 1, setting_work_mem / 1024)));
		return false;
	}
	return true;
}

EncoderChoice *
encoder_choice_read(const Project *project, const Refreshed *features)
{
	EncoderChoice *choice;
	int			n;
	NamedEncoder *named = candidates(project, &n);

	if (named == NULL || !encoder_is_wanted(project, features->encoder_id))
		return NULL;
	choice = palloc0(sizeof(EncoderChoice));
	choice->project = project;
	choice->context = CurrentMemoryContext;
	read_rows(choice);
	if (choice->n < LEAST_ROWS || choice->classes < 2)
		return NULL;
	choice->own = encoder_plan(project, encoder_base(project));
	choice->base = encoder_open(features->encoder_id, false, CurrentMemoryContext);
	choice->named = named;
	choice->best = -1;
	choice->encoder = palloc_array_checked(const Encoder *, n);
	for (int i = 0; i < n; i++)
	{
		const Encoder *encoder;

		if (!named_encoder_keep(named[i].id))
			continue;
		encoder = encoder_open(named[i].id, false, CurrentMemoryContext);
		if (!can_stand_beside(choice, named[i].name, encoder))
			continue;
		named[choice->nnamed] = named[i];
		choice->encoder[choice->nnamed++] = encoder;
	}
	initStringInfo(&choice->tried);
	return choice;
}

/* ---------------------------------------------------------------------- */
/* Trying */

void
append_shares(StringInfo json, const EncoderPlan *plan, const float *share)
{
	appendStringInfoChar(json, '{');
	for (int i = 0; i < plan->n; i++)
	{
		appendStringInfoString(json, i == 0 ? "" : ", ");
		escape_json(json, encoder_plan_part(plan, i));
		appendStringInfo(json, ": %.2f", share[i]);
	}
	appendStringInfoChar(json, '}');
}

/* One that was tried. */
static void
note_trial(EncoderChoice *choice, const EncoderPlan *plan, const PartTrial *trial)
{
	StringInfo	json = &choice->tried;

	appendStringInfoString(json, json->len == 0 ? "[{\"encoder\": " : ", {\"encoder\": ");
	escape_json(json, plan->name);
	appendStringInfo(json, ", \"log_loss\": %.4f, \"accuracy\": %.4f, \"labels\": %d",
					 trial->log_loss, trial->accuracy, choice->n);
	if (plan->n > 1)
	{
		appendStringInfoString(json, ", \"shares\": ");
		append_shares(json, plan, trial->share);
	}
	appendStringInfoChar(json, '}');
}

/* What the project's own encoder makes of the rows, n x its dims. */
static float *
encode_own(const EncoderChoice *choice, const Caller *caller)
{
	int			dims = encoder_dims(choice->base);
	float	   *dense = palloc_array_checked(float, (Size) choice->n * dims);
	Encoding	encoding;

	status_check(encoding_init(caller, choice->base, &encoding), "encode rows");
	for (int i = 0; i < choice->n; i++)
	{
		Status		status = encode_input(choice->base, choice->input[i], &encoding);

		if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
			memset(encoding.dense, 0, sizeof(float) * dims);
		else
			status_check(status, "encode rows");
		memcpy(dense + (Size) i * dims, encoding.dense, sizeof(float) * dims);
		interrupts_check();
	}
	encoding_free(&encoding);
	return dense;
}

/* One input of some rows by an imported encoder; what it cannot read is zero. */
static void
encode_some(const Encoder *encoder, const EncoderInput *inputs, int n, Encoding *encoding,
			float *ahead, float *dense, int stride)
{
	int			dims = encoder_dims(encoder);
	int			ahead_dims = encoder_ahead_dims(encoder);

	if (ahead_dims > 0)
		status_check(encode_ahead(encoder, inputs, 1, n, encoding, ahead), "encode rows");
	for (int i = 0; i < n; i++)
	{
		Status		status = encode_inputs(encoder, &inputs[i],
										   ahead_dims == 0 ? NULL : ahead + (Size) i * ahead_dims,
										   encoding);

		if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
			memset(dense + (Size) i * stride, 0, sizeof(float) * dims);
		else
		{
			status_check(status, "encode rows");
			memcpy(dense + (Size) i * stride, encoding->dense, sizeof(float) * dims);
		}
	}
}

/* The same of all rows, into their places at dense + row x stride. */
static void
encode_named(const EncoderChoice *choice, const Caller *caller, const Encoder *encoder,
			 int input, float *dense, int stride)
{
	float	   *ahead = palloc_array_checked(float, (Size) ROWS_AT_ONCE * encoder_dims(encoder));
	EncoderInput inputs[ROWS_AT_ONCE];
	Encoding	encoding;

	status_check(encoding_init(caller, encoder, &encoding), "encode rows");
	for (int first = 0; first < choice->n; first += ROWS_AT_ONCE)
	{
		int			n = Min(ROWS_AT_ONCE, choice->n - first);

		for (int i = 0; i < n; i++)
			encoder_inputs(input_nth(choice->input[first + i], input), &inputs[i], 1);
		encode_some(encoder, inputs, n, &encoding, ahead, dense + (Size) first * stride, stride);
		interrupts_check();
	}
	encoding_free(&encoding);
	pfree(ahead);
}

static int
dims_beside(const EncoderChoice *choice, const EncoderPlan *plan, const Encoder *encoder)
{
	return encoder_dims(choice->base) +
		(plan->n - encoder_parts(choice->base)) * encoder_dims(encoder);
}

/* Own features and those of an imported encoder side by side, each part of the same length. */
static void
place_beside(const EncoderChoice *choice, const Caller *caller, const EncoderPlan *plan,
			 const Encoder *encoder, const float *own, Rows *rows, int *part_dims)
{
	int			own_dims = encoder_dims(choice->base);
	int			own_parts = encoder_parts(choice->base);
	int			dims = dims_beside(choice, plan, encoder);
	float	   *dense = palloc_array_checked(float, (Size) choice->n * dims);
	float		length = (float) sqrt(1.0 / plan->n);
	float		more = (float) sqrt((double) own_parts / plan->n);

	for (int p = 0; p < plan->n; p++)
	{
		EncoderPart part = {.dims = encoder_dims(encoder)};

		if (p < own_parts)
			encoder_part(choice->base, p, &part);
		part_dims[p] = part.dims;
		if (p >= own_parts)
			encode_named(choice, caller, encoder, plan->part[p].input,
						 dense + own_dims + (p - own_parts) * part.dims, dims);
	}
	for (int i = 0; i < choice->n; i++)
	{
		float	   *row = dense + (Size) i * dims;

		for (int j = own_dims; j < dims; j++)
			row[j] *= length;
		for (int j = 0; j < own_dims; j++)
			row[j] = own[(Size) i * own_dims + j] * more;
	}
	*rows = (Rows) {choice->n, dims, dense, NULL, 0, plan->n, part_dims};
}

/* Tries an imported encoder beside what there is. */
static void
try_named(EncoderChoice *choice, int which, const float *own)
{
	MemoryContext context = AllocSetContextCreate(choice->context, "humanloop encoder trial",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Caller		caller = caller_in(context);
	TrainOptions options = options_of(choice);
	EncoderPlan plan = *choice->own;
	int			part_dims[COMBINATION_MAX_PARTS];
	float		share[MODEL_MAX_PARTS];
	PartTrial	trial[PART_TRIALS];
	int			trials;
	int			best = -1;
	Rows		rows;

	encoder_plan_add(&plan, &choice->named[which], choice->encoder[which]);
	place_beside(choice, &caller, &plan, choice->encoder[which], own, &rows, part_dims);
	status_check(choose_shares(&caller, &rows, choice->label, choice->classes, &options, share,
							   trial, &trials), "compare encoders");
	for (int i = 0; i < trials; i++)
	{
		float		added = 0.0f;

		for (int p = choice->own->n; p < plan.n; p++)
			added += trial[i].share[p];
		if (added > 0.0f && (best < 0 || trial[i].log_loss < trial[best].log_loss))
			best = i;
	}
	MemoryContextSwitchTo(choice->context);
	note_trial(choice, &plan, &trial[best]);
	if (trial[best].log_loss + share_gain(choice->n) < choice->loss)
	{
		choice->best = which;
		choice->chosen = pstrdup(plan.name);
		choice->loss = trial[best].log_loss;
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}

void
encoder_choice_compute(EncoderChoice *choice)
{
	MemoryContext before = MemoryContextSwitchTo(choice->context);
	Caller		caller = caller_in(choice->context);
	TrainOptions options = options_of(choice);
	PartTrial	trial = {{0}};
	Rows		rows = {choice->n, encoder_dims(choice->base)};
	float	   *own;

	blas_load();
	own = encode_own(choice, &caller);
	rows.dense = own;
	for (int p = 0; p < choice->own->n; p++)
		trial.share[p] = 1.0f / (float) choice->own->n;
	status_check(model_validate(&caller, &rows, choice->label, choice->classes, &options,
								&trial.log_loss, &trial.accuracy), "compare encoders");
	choice->loss = trial.log_loss;
	note_trial(choice, choice->own, &trial);
	for (int i = 0; i < choice->nnamed; i++)
		try_named(choice, i, own);
	appendStringInfoChar(&choice->tried, ']');
	MemoryContextSwitchTo(before);
}

static void
record(const Project *project, const char *tried)
{
	static Statement update = {
		"UPDATE @hl_serving SET tried = $2::pg_catalog.jsonb WHERE project_id = $1",
		2, {INT4OID, TEXTOID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project->id), CStringGetTextDatum(tried)};

	statement_run_as_extension(&update, values, NULL, false);
}

void
encoder_choice_skip(const Project *project)
{
	record(project, "[]");
}

/*
 * Meanwhile somebody may have said which encoder the project shall have, or the one
 * that is better may be gone, or not the owner's to use any more.
 */
bool
encoder_choice_write(const EncoderChoice *choice)
{
	Project    *project = project_read(choice->project->id, false);
	NamedEncoder *named;
	int			n;
	int			i = 0;

	named = project == NULL ? NULL : candidates(project, &n);
	if (named == NULL)
		return false;
	record(project, choice->tried.data);
	if (choice->best < 0)
		return false;
	while (i < n && named[i].id != choice->named[choice->best].id)
		i++;
	/* nobody drops it before the choice is there */
	if (i == n || !named_encoder_keep(named[i].id))
		return false;
	encoder_choose(project, choice->chosen);
	return true;
}
