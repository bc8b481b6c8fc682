/*-------------------------------------------------------------------------
 *
 * simulate.c
 *	  Learning again what is known already.
 *
 * Each round is what the server does from one training to the next, with the
 * same functions: train on what is labelled (model_train), put the pool in
 * order (requeue), have the head of that order answered.  Only the answers come
 * from the data instead of from people, and the features stay what they were
 * fitted to once.
 *
 *-------------------------------------------------------------------------
 */
#include "simulate.h"

#include <string.h>

#include "../math/random.h"
#include "design.h"
#include "gathered.h"
#include "model_internal.h"
#include "requeue.h"

/* Rows of the pool that EPIG wants to sharpen, and that a seed is chosen from. */
#define TARGETS 300
#define SEED_CANDIDATES 2000

/* One row in so many is held out. */
#define HOLD_OUT 5

/*
 * Prior precision, calibration and whether to refine are chosen anew when the
 * labels have grown by so much since, as the server's full trainings are due.
 * In between the choice stays what it was: made with nearly the same labels it
 * would nearly always be the same, and it is nearly all of the work.  (To revise
 * the model in between, as the server does, is cheaper still, but with refined
 * features nearly 0.01 less accurate than what a training would make of the
 * labels, and that is what the curve is to show.)
 */
#define CHOICE_GROWTH 1.25

struct Simulation
{
	const Caller *caller;
	int			all_classes;
	SimulateOptions options;
	Gathered	pool;
	Gathered	test;
	int		   *pool_label;
	int		   *test_label;
	Random		random;
	int			rounds;			/* done */
	int			labels;
	int		   *labelled;		/* labels: rows of the pool, in order of asking */
	bool	   *excluded;		/* pool: labelled, or nothing to ask about */
	int		   *order;			/* pool: rows that may be asked, at random */
	int			askable;
	int		   *class_of;		/* classes: number in the model, -1: not met */
	int		   *class_name;		/* classes: and back */
	int			classes;		/* met */
	Model	   *choice;			/* by a cross-validation; NULL: none yet */
	int			choice_labels;	/* that it was trained with */
	float	   *out_of_fold;	/* choice_labels x its classes: what it said */
};

/* The answer to a question. */
static void
answer(Simulation *s, int row)
{
	int			class = s->pool_label[row];

	s->labelled[s->labels++] = row;
	s->excluded[row] = true;
	if (s->class_of[class] < 0)
	{
		s->class_of[class] = s->classes;
		s->class_name[s->classes++] = class;
	}
}

/* Rows that are left, in the random order of the run, at most so many. */
static int
rows_left(const Simulation *s, int most, int *rows)
{
	int			n = 0;

	for (int i = 0; i < s->askable && n < most; i++)
		if (!s->excluded[s->order[i]])
			rows[n++] = s->order[i];
	return n;
}

static Status
answer_at_random(Simulation *s, int count)
{
	for (int i = 0; i < s->askable && count > 0; i++)
		if (!s->excluded[s->order[i]])
		{
			answer(s, s->order[i]);
			count--;
		}
	return STATUS_SUCCESS;
}

/* The first labels. */
static Status
answer_seed(Simulation *s)
{
	const Caller *caller = s->caller;
	const Rows *pool = &s->pool.rows;
	int			count = s->options.seed < s->askable ? s->options.seed : s->askable;
	int			n = s->askable < SEED_CANDIDATES ? s->askable : SEED_CANDIDATES;
	int		   *chosen;
	Gathered	sample;
	Status		status;

	if (s->options.seed_batch == SEED_RANDOM)
		return answer_at_random(s, count);
	if (count > n)
		n = count;
	status = gather_rows(caller, pool, s->order, n, &sample);
	chosen = allocate_array(caller, count, sizeof(int));
	if (status == STATUS_SUCCESS && chosen == NULL)
		status = STATUS_NO_MEMORY;
	if (status == STATUS_SUCCESS)
		status = choose_seed_batch(caller, sample.dense, n, pool->dims, count,
								   s->options.random_seed, chosen);
	for (int i = 0; i < count && status == STATUS_SUCCESS; i++)
		answer(s, s->order[chosen[i]]);
	release(caller, chosen);
	gathered_free(caller, &sample);
	return status;
}

/* The pool, or the test rows, with their classes. */
static Status
part(Simulation *s, const SimulateData *data, bool test, Gathered *rows, int **label)
{
	int		   *index = allocate_array(s->caller, data->rows->n, sizeof(int));
	int			n = 0;
	Status		status = STATUS_NO_MEMORY;

	if (index != NULL)
	{
		for (int i = 0; i < data->rows->n; i++)
			if (data->test[i] == test)
				index[n++] = i;
		status = n == 0 ? STATUS_BAD_ARGUMENT : gather_rows(s->caller, data->rows, index, n, rows);
	}
	if (status == STATUS_SUCCESS)
	{
		*label = allocate_array(s->caller, n, sizeof(int));
		if (*label == NULL)
			status = STATUS_NO_MEMORY;
	}
	for (int i = 0; i < n && status == STATUS_SUCCESS; i++)
		(*label)[i] = data->label[index[i]];
	release(s->caller, index);
	return status;
}

static Status
start(Simulation *s, const SimulateData *data)
{
	const Rows *pool = &s->pool.rows;

	TRY(part(s, data, false, &s->pool, &s->pool_label));
	TRY(part(s, data, true, &s->test, &s->test_label));
	s->labelled = allocate_array(s->caller, pool->n, sizeof(int));
	s->excluded = allocate_array(s->caller, pool->n, sizeof(bool));
	s->order = allocate_array(s->caller, pool->n, sizeof(int));
	s->class_of = allocate_array(s->caller, s->all_classes, sizeof(int));
	s->class_name = allocate_array(s->caller, s->all_classes, sizeof(int));
	if (s->labelled == NULL || s->excluded == NULL || s->order == NULL ||
		s->class_of == NULL || s->class_name == NULL)
		return STATUS_NO_MEMORY;
	memset(s->class_of, -1, sizeof(int) * s->all_classes);
	for (int i = 0; i < pool->n; i++)
	{
		/* a row that says nothing is nothing to ask a person */
		s->excluded[i] = dense_blank(pool->dense + (size_t) i * pool->dims, pool->dims);
		if (!s->excluded[i])
			s->order[s->askable++] = i;
	}
	random_seed(&s->random, s->options.random_seed);
	random_shuffle(&s->random, s->order, s->askable);
	return answer_seed(s);
}

/* A run, with its first labels; see simulate.h. */
Status
simulation_start(const Caller *caller, const SimulateData *data,
				 const SimulateOptions *options, Simulation **simulation)
{
	Simulation *s;
	Status		status;

	*simulation = NULL;
	if (data->classes < 1 || options->seed < 1 || options->batch < 1 || options->rounds < 0)
		return STATUS_BAD_ARGUMENT;
	for (int i = 0; i < data->rows->n; i++)
		if (data->label[i] < 0 || data->label[i] >= data->classes)
			return STATUS_BAD_ARGUMENT;
	s = allocate_array(caller, 1, sizeof(Simulation));
	if (s == NULL)
		return STATUS_NO_MEMORY;
	s->caller = caller;
	s->all_classes = data->classes;
	s->options = *options;
	status = start(s, data);
	if (status == STATUS_SUCCESS)
		*simulation = s;
	else
		simulation_free(s);
	return status;
}

void
simulation_free(Simulation *s)
{
	const Caller *caller = s->caller;

	gathered_free(caller, &s->pool);
	gathered_free(caller, &s->test);
	release(caller, s->pool_label);
	release(caller, s->test_label);
	release(caller, s->labelled);
	release(caller, s->excluded);
	release(caller, s->order);
	release(caller, s->class_of);
	release(caller, s->class_name);
	if (s->choice != NULL)
		model_free(caller, s->choice);
	release(caller, s->out_of_fold);
	release(caller, s);
}

/* Test rows at random; see simulate.h. */
Status
simulation_hold_out(const Caller *caller, int n, uint64_t seed, bool *test)
{
	int			held = n >= 2 * HOLD_OUT ? n / HOLD_OUT : 1;
	int		   *order = allocate_array(caller, n, sizeof(int));
	Random		random;

	if (order == NULL)
		return STATUS_NO_MEMORY;
	random_seed(&random, seed);
	for (int i = 0; i < n; i++)
		order[i] = i;
	random_shuffle(&random, order, n);
	for (int i = 0; i < n; i++)
		test[order[i]] = i < held;
	release(caller, order);
	return STATUS_SUCCESS;
}

uint64_t
simulation_run_seed(uint64_t seed, int run)
{
	Random		random;

	random_seed(&random, seed);
	for (int i = 0; i < run; i++)
		(void) random_bits(&random);
	return random_bits(&random);
}

/*
 * Bytes that a run holds at most; see simulate.h.  A training and the questions
 * that follow come one after the other; what is labelled may have all the
 * n-grams.
 */
size_t
simulation_memory(int n, int dims, int parts, size_t terms, int sparse_dims, int classes,
				  const SimulateOptions *options)
{
	int64_t		asked = options->seed + (int64_t) options->rounds * options->batch;
	int			labels = asked < n ? (int) asked : n;
	int			batch = options->batch < n ? options->batch : n;
	bool		refine = sparse_dims > 0 && options->train.refine != 0;
	Refine		columns = {.stride = refine ? refine_stride(refine_columns(classes)) : 0};
	int			D = dims + (refine ? refine_columns(classes) : 0) + 1;
	Posterior	posterior = {.rank = D < POSTERIOR_RANK ? D : POSTERIOR_RANK};
	Model		model = {
		.classes = classes, .dims = dims, .features = D, .refine = &columns,
		.posterior = &posterior
	};
	RequeueOptions questions = {options->acquisition, batch, batch, batch, n};
	size_t		data = gathered_memory(n, dims, terms) + n * (4 * sizeof(int) + sizeof(bool)) +
		(size_t) classes * 2 * sizeof(int) + sizeof(Simulation) + 256;
	size_t		train = gathered_memory(labels, dims, terms) + labels * sizeof(int) +
		model_train_memory(labels, dims, parts, terms, sparse_dims, classes, &options->train);
	size_t		trained = sizeof(Model) + posterior_memory(0, D, classes) +
		((size_t) D + 2) * classes * sizeof(float) +
		DRAWN_CLASSES * DRAWS / 2 * sizeof(float) +
		(refine ? refine_result_memory(terms, sparse_dims, classes) : 0);
	size_t		ask = 0;
	size_t		seed = 0;

	if (options->acquisition != ACQUIRE_RANDOM)
		ask = (size_t) (n + TARGETS) * D * sizeof(float) +
			(size_t) batch * (sizeof(float) + sizeof(Score) + sizeof(int)) +
			TARGETS * sizeof(int) + requeue_memory(&model, &questions, n, TARGETS);
	else
		ask = n * sizeof(Score) +
			DESIGN_BLOCK * (D + classes + (size_t) columns.stride) * sizeof(float);
	if (options->seed_batch == SEED_TYPICAL)
	{
		int			from = options->seed > SEED_CANDIDATES ? options->seed : SEED_CANDIDATES;

		from = from < n ? from : n;
		seed = gathered_memory(from, dims, terms) + choose_seed_batch_memory(from, dims, labels);
	}
	/* the last choice, and what it said */
	train += trained + (size_t) labels * classes * 2 * sizeof(float);
	ask += 2 * trained + (size_t) labels * classes * sizeof(float);
	if (ask > train)
		train = ask;
	return data + (train > seed ? train : seed);
}

/* The model of what is labelled, with a choice of all that can be chosen. */
static Status
choose(Simulation *s, const Rows *rows, const int *label)
{
	const Caller *caller = s->caller;
	CrossValidation validation;
	Model	   *model;

	TRY(model_train(caller, rows, label, s->classes, &s->options.train, &model, &validation));
	release(caller, validation.fold);
	release(caller, s->out_of_fold);
	if (s->choice != NULL)
		model_free(caller, s->choice);
	s->choice = model;
	s->choice_labels = s->labels;
	s->out_of_fold = validation.probability;
	return STATUS_SUCCESS;
}

/*
 * What a model that has not seen them says of the labelled rows: of those of
 * the last choice its cross-validation, of later ones its model.
 */
static Status
unseen(const Simulation *s, float *probability)
{
	const Caller *caller = s->caller;
	int			n = s->labels - s->choice_labels;
	size_t		before = (size_t) s->choice_labels * s->classes;
	Gathered	rows = {0};
	Score	   *score = allocate_array(caller, n, sizeof(Score));
	Status		status = STATUS_NO_MEMORY;

	memcpy(probability, s->out_of_fold, sizeof(float) * before);
	if (score != NULL)
		status = gather_rows(caller, &s->pool.rows, s->labelled + s->choice_labels, n, &rows);
	if (status == STATUS_SUCCESS)
		status = model_score(caller, s->choice, &rows.rows, score, probability + before);
	release(caller, score);
	gathered_free(caller, &rows);
	return status;
}

/* The model of what is labelled, with the last choice. */
static Status
keep_choice(const Simulation *s, const Rows *rows, const int *label, Model **model)
{
	const Caller *caller = s->caller;
	TrainOptions options = s->options.train;
	float		share[MODEL_MAX_PARTS];
	float	   *probability;
	Status		status = STATUS_NO_MEMORY;

	options.prior_precision = model_prior_precision(s->choice);
	options.refine = model_refined(s->choice) ? 1 : 0;
	for (int p = 0; p < model_parts(s->choice); p++)
		share[p] = model_share(s->choice, p);
	options.share = share;
	/* of a class that it has not met, a model says nothing */
	if (s->classes > model_classes(s->choice))
		return model_train(caller, rows, label, s->classes, &options, model, NULL);
	probability = allocate_array(caller, (size_t) s->labels * s->classes, sizeof(float));
	if (probability != NULL)
		status = unseen(s, probability);
	if (status == STATUS_SUCCESS)
		status = model_train_again(caller, rows, label, s->classes, &options,
								   model_scale(s->choice), probability, model);
	release(caller, probability);
	return status;
}

/* A model of what is labelled; the last choice is not for the caller to free. */
static Status
train(Simulation *s, Model **model)
{
	const Caller *caller = s->caller;
	int		   *label = allocate_array(caller, s->labels, sizeof(int));
	Gathered	rows = {0};
	Status		status = STATUS_NO_MEMORY;

	if (label != NULL)
		status = gather_rows(caller, &s->pool.rows, s->labelled, s->labels, &rows);
	for (int i = 0; i < s->labels && status == STATUS_SUCCESS; i++)
		label[i] = s->class_of[s->pool_label[s->labelled[i]]];
	if (status == STATUS_SUCCESS && s->choice != NULL &&
		s->labels < CHOICE_GROWTH * s->choice_labels)
		status = keep_choice(s, &rows.rows, label, model);
	else if (status == STATUS_SUCCESS)
	{
		status = choose(s, &rows.rows, label);
		*model = s->choice;
	}
	release(caller, label);
	gathered_free(caller, &rows);
	return status;
}

/* The share of the test rows that a model (NULL: the only class) gets right. */
static Status
examine(Simulation *s, const Model *model, double *accuracy)
{
	const Rows *test = &s->test.rows;
	Score	   *score;
	int			right = 0;
	Status		status = STATUS_SUCCESS;

	score = allocate_array(s->caller, test->n, sizeof(Score));
	if (score == NULL)
		return STATUS_NO_MEMORY;
	if (model != NULL)
		status = model_margins(s->caller, model, test, score);
	for (int i = 0; i < test->n; i++)
		right += s->class_name[score[i].label] == s->test_label[i];
	*accuracy = (double) right / test->n;
	release(s->caller, score);
	return status;
}

/* Has the head of the queue answered. */
static Status
ask(Simulation *s, const Model *model, int count)
{
	const Caller *caller = s->caller;
	const Rows *pool = &s->pool.rows;
	size_t		D = model_features(model);
	RequeueOptions options = {
		s->options.acquisition, s->options.batch, count, count,
		epig_screen(model_classes(model), s->askable - s->labels)
	};
	float	   *features = allocate_array(caller, pool->n * D, sizeof(float));
	float	   *targets = allocate_array(caller, TARGETS * D, sizeof(float));
	int		   *chosen = allocate_array(caller, count > TARGETS ? count : TARGETS, sizeof(int));
	float	   *gain = allocate_array(caller, count, sizeof(float));
	Score	   *score = allocate_array(caller, count, sizeof(Score));
	int			found = 0;
	Status		status = STATUS_NO_MEMORY;

	if (features != NULL && targets != NULL && chosen != NULL && gain != NULL && score != NULL)
		status = model_row_features(caller, model, pool, features);
	if (status == STATUS_SUCCESS)
	{
		int			t;

		/* targets anew in every round */
		random_shuffle(&s->random, s->order, s->askable);
		t = rows_left(s, TARGETS, chosen);
		for (int i = 0; i < t; i++)
			memcpy(targets + i * D, features + chosen[i] * D, sizeof(float) * D);
		status = requeue(caller, model, &options, features, pool->n, targets, t, s->excluded,
						 chosen, gain, score, &found);
	}
	for (int i = 0; i < found && status == STATUS_SUCCESS; i++)
		answer(s, chosen[i]);
	release(caller, features);
	release(caller, targets);
	release(caller, chosen);
	release(caller, gain);
	release(caller, score);
	return status;
}

/* What one training brings; see simulate.h. */
Status
simulation_round(Simulation *s, SimulatedRound *round, bool *more)
{
	Model	   *model = NULL;
	int			count = s->askable - s->labels;
	Status		status = STATUS_SUCCESS;

	*more = s->rounds <= s->options.rounds && (s->rounds == 0 || s->labels > 0);
	if (!*more)
		return STATUS_SUCCESS;
	if (s->classes > 1)
		status = train(s, &model);
	round->labels = s->labels;
	round->classes = s->classes;
	if (status == STATUS_SUCCESS)
		status = examine(s, model, &round->accuracy);
	count = count < s->options.batch ? count : s->options.batch;
	if (status == STATUS_SUCCESS && s->rounds < s->options.rounds && count > 0)
		status = model == NULL || s->options.acquisition == ACQUIRE_RANDOM ?
			answer_at_random(s, count) : ask(s, model, count);
	if (model != NULL && model != s->choice)
		model_free(s->caller, model);
	if (count == 0)
		s->rounds = s->options.rounds;
	s->rounds++;
	return status;
}
