/*-------------------------------------------------------------------------
 *
 * fit.c
 *	  Fits a project's encoder on all rows of its source.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "encode/words.h"
#include "humanloop.h"
#include "store/caller.h"
#include "store/feature.h"
#include "store/fit.h"
#include "store/parts.h"
#include "store/session.h"

/* One pass over the rows. */
typedef struct FitState
{
	TextFit    *fit;			/* of a text; NULL: there is none to fit */
	WordWeightsFit *words;		/* likewise, of the weights of word vectors */
	int			text;			/* which of the inputs that is */
	bool		again;			/* the rest is known from the pass before */
	Lengths		lengths[MAX_INPUTS];	/* of inputs that are vectors */
	int64		rows;
} FitState;

static void
fit_row(const SourceRow *row, void *argument)
{
	FitState   *state = argument;
	const Input *text = input_nth(&row->input, state->text);
	int			i = 0;

	if (input_missing(&row->input))
		return;
	if (state->fit != NULL && !text->missing)
		status_check(text_fit_add(state->fit, text->text, text->length), "fit the text encoder");
	if (state->words != NULL && !text->missing)
		status_check(word_weights_fit_add(state->words, text->text, text->length),
					 "count words");
	if (state->again)
		return;
	state->rows++;
	for (const Input *input = &row->input; input != NULL; input = input->next)
		lengths_add(&state->lengths[i++], input);
}

TextFit *
text_fit_begin(const Caller *caller, const TextFitOptions *options, const char *doing)
{
	size_t		all = (size_t) setting_work_mem * 1024;
	size_t		needed = 0;
	TextFit    *fit;
	Status		status = text_fit_start(caller, options, &fit, &needed);

	/* by our own setting; else there is none indeed */
	if (needed > 0)
		memory_check(Max(needed + all - options->memory, all + 1024 * 1024), doing);
	status_check(status, doing);
	return fit;
}

/* One text after the other, as each wants all the memory that there is. */
static Encoder *
fit_text(const ProjectOptions *project, int input, const Caller *caller, const char *doing,
		 RowFeed feed, void *from, FitState *state)
{
	size_t		all = (size_t) setting_work_mem * 1024;
	TextFitOptions options = {
		.dims = project->dimensions,
		.vocabulary = project->vocabulary,
		.sample_rows = project->sample_rows,
		.memory = all - Min(caller_memory(caller), all),
		.seed = (uint64) project->random_seed
	};
	Encoder    *encoder;

	state->text = input;
	state->fit = text_fit_begin(caller, &options, doing);
	feed(fit_row, state, from);
	status_check(text_fit_finish(state->fit, &encoder), "fit the text encoder");
	text_fit_free(state->fit);
	state->fit = NULL;
	state->again = true;
	return encoder;
}

/* How much each word counts, from how often it is in the rows. */
static WordWeights *
fit_words(const PlannedPart *part, const Caller *caller, const char *doing, RowFeed feed,
		  void *from, FitState *state)
{
	WordWeightsOptions options = WORD_WEIGHTS_DEFAULT;
	WordWeights *weights;

	memory_check(caller_memory(caller) + word_weights_fit_bytes(part->encoder, &options), doing);
	state->text = part->input;
	status_check(word_weights_fit_start(caller, part->encoder, &options, &state->words), doing);
	feed(fit_row, state, from);
	status_check(word_weights_fit_finish(state->words, &weights), doing);
	word_weights_fit_free(state->words);
	state->words = NULL;
	state->again = true;
	return weights;
}

/*
 * Beside inputs that are there, one that is not yet keeps a place: the first
 * vectors that come are longer than that, and so the encoder is fitted anew.
 */
static Encoder *
fit_vector(int input, const Caller *caller, const FitState *state)
{
	Encoder    *encoder;

	make_vector_encoder(caller, Max(lengths_most(&state->lengths[input], 0), NO_VECTORS_DIMS),
						&encoder);
	return encoder;
}

/* Where all that the encoder reads is vectors, there must be some. */
static void
need_vectors(const EncoderPlan *plan, const FitState *state)
{
	const Project *project = plan->project;

	for (int i = 0; i < plan->n; i++)
	{
		if (plan->part[i].kind != ENCODER_VECTOR ||
			lengths_most(&state->lengths[plan->part[i].input], 0) > 0)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the source of project \"%s\" has no vectors yet", project->name),
			 errhint("Fill column \"%s\" first.", project->inputs[plan->part[0].input].column)));
}

Encoder *
project_fit(const EncoderPlan *plan, const Caller *caller, const char *doing, RowFeed feed,
			void *from, int64 *rows)
{
	FitState   *state = palloc0(sizeof(FitState));
	EncoderPart parts[COMBINATION_MAX_PARTS];
	Encoder    *encoder = NULL;
	Status		status;

	for (int i = 0; i < plan->n; i++)
	{
		const PlannedPart *planned = &plan->part[i];

		parts[i] = (EncoderPart) {
			.input = planned->input, .reference = (uint64) planned->named,
			.encoder = planned->encoder
		};
		if (planned->named == 0 && planned->kind == ENCODER_TEXT)
			parts[i].encoder = fit_text(&plan->project->options, planned->input, caller, doing,
										feed, from, state);
		else if (planned->kind == ENCODER_WORDS)
			parts[i].weights = fit_words(planned, caller, doing, feed, from, state);
	}
	if (!state->again)
		feed(fit_row, state, from);
	need_vectors(plan, state);
	for (int i = 0; i < plan->n; i++)
	{
		if (plan->part[i].kind == ENCODER_VECTOR)
			parts[i].encoder = fit_vector(plan->part[i].input, caller, state);
	}
	*rows = state->rows;
	pfree(state);
	if (plan->n == 1 && parts[0].reference == 0)
		return unconstify(Encoder *, parts[0].encoder);
	status = encoder_combine(caller, parts, plan->n, &encoder);
	if (status == STATUS_BAD_ARGUMENT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the vectors of the %d parts of encoder \"%s\" are too long together",
						plan->n, plan->name),
				 errhint("Leave one out, or lower the option \"dimensions\".")));
	status_check(status, "make the encoder");
	return encoder;
}

FittedEncoder *
encoder_compute(const EncoderPlan *plan, RowFeed feed, void *from)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop encoder fit",
												  ALLOCSET_DEFAULT_SIZES);
	FittedEncoder *fitted = MemoryContextAllocZero(context, sizeof(FittedEncoder));
	Encoder    *encoder;

	fitted->context = context;
	fitted->caller = caller_in(context);
	fitted->plan = plan;
	encoder = project_fit(plan, &fitted->caller, "fit the text encoder", feed, from,
						  &fitted->rows);
	fitted->dims = encoder_dims(encoder);
	fitted->sparse_dims = encoder_sparse_dims(encoder);
	writer_init(&fitted->writer, &fitted->caller);
	status_check(encoder_write(encoder, &fitted->writer), "store the encoder");
	return fitted;
}

/* Ids of the imported ones in it, as bigint[]. */
static Datum
used_encoders(const EncoderPlan *plan)
{
	Datum		ids[COMBINATION_MAX_PARTS];
	int			n = 0;

	for (int i = 0; i < plan->n; i++)
	{
		if (plan->part[i].named == 0)
			continue;
		named_encoder_lock(plan->part[i].named, false);
		ids[n++] = Int64GetDatum(plan->part[i].named);
	}
	return PointerGetDatum(construct_array(ids, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

int64
encoder_store(const FittedEncoder *fitted)
{
	static Statement insert = {
		"INSERT INTO @hl_encoder (project_id, name, dims, sparse_dims, source_rows) "
		"VALUES ($1, $2, $3, $4, $5) RETURNING id",
		5, {INT4OID, TEXTOID, INT4OID, INT4OID, INT8OID}, NULL, 0
	};
	static Statement use = {
		"UPDATE @hl_encoder SET uses = $2 WHERE id = $1", 2, {INT8OID, INT8ARRAYOID}, NULL, 0
	};
	const EncoderPlan *plan = fitted->plan;
	Datum		values[5];
	Datum		uses[2];
	Acting		acting;

	values[0] = Int32GetDatum(plan->project->id);
	values[1] = CStringGetTextDatum(plan->name);
	values[2] = Int32GetDatum(fitted->dims);
	values[3] = Int32GetDatum(fitted->sparse_dims);
	values[4] = Int64GetDatum(fitted->rows);
	act_as_extension(&acting);
	statement_run(&insert, values, NULL, false);
	uses[0] = Int64GetDatum(result_bigint(0, 1));
	if (encoders_can_be_named())
	{
		uses[1] = used_encoders(plan);
		statement_run(&use, uses, NULL, false);
	}
	encoder_parts_write(DatumGetInt64(uses[0]), &fitted->writer);
	act_as_before(&acting);
	return DatumGetInt64(uses[0]);
}

void
encoder_discard(FittedEncoder *fitted)
{
	MemoryContextDelete(fitted->context);
}

static void
feed_from_source(SourceCallback callback, void *state, void *project)
{
	source_scan(project, READ_AS_OWNER, NULL, false, callback, state);
}

int64
encoder_fit(const Project *project)
{
	EncoderPlan *plan = encoder_plan(project, encoder_wanted(project));
	FittedEncoder *fitted = encoder_compute(plan, feed_from_source, unconstify(Project *, project));
	int64		id = encoder_store(fitted);

	encoder_discard(fitted);
	return id;
}

/*
 * Rows it was fitted on, -1: there is no such encoder, or nothing of it is fitted;
 * and whether it has found anything in them.
 */
static int64
fitted_rows(int64 encoder_id, bool *ignorant)
{
	static Statement select = {
		"SELECT source_rows, 'text' = ANY (p.parts) AND sparse_dims = 0 FROM @hl_encoder, "
		"pg_catalog.string_to_array(name, '+') AS p (parts) "
		"WHERE id = $1 AND p.parts && ARRAY['text', 'vector']",
		1, {INT8OID}, NULL, 0
	};
	Datum		values[1] = {Int64GetDatum(encoder_id)};
	bool		isnull;

	statement_run_as_extension(&select, values, NULL, false);
	if (SPI_processed == 0)
		return -1;
	*ignorant = DatumGetBool(result_datum(0, 2, &isnull));
	return result_bigint(0, 1);
}

bool
encoder_outgrown(int64 encoder_id, int64 items)
{
	bool		ignorant;
	int64		rows = fitted_rows(encoder_id, &ignorant);

	if (rows < 0)
		return false;
	/* to one that knows no n-gram every row is blank: any other is better */
	return ignorant ? items > rows + rows / 8 : items > 2 * rows;
}

bool
encoder_outlived(int64 encoder_id, int64 items)
{
	bool		ignorant;

	return 2 * items < fitted_rows(encoder_id, &ignorant);
}
