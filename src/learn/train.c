/*-------------------------------------------------------------------------
 *
 * train.c
 *	  Training a model: refined features, prior and calibration, head,
 *	  posterior.
 *
 * Few rows are worth every care and cost nothing: each prior is tried on all
 * folds, in double precision, with and without refined features.  Many rows
 * would take minutes so, and differences drown in their number: there the
 * prior is looked for on one fold of a part of them, the products run in
 * single precision, and the folds stop at a tolerance that moves the log
 * loss by a ten-thousandth.
 *
 * Where there are fewer rows than dimensions, everything up to the last fit
 * happens within their span.
 *
 *-------------------------------------------------------------------------
 */
#include "model_internal.h"

#include <math.h>
#include <string.h>

#include "../math/kernels.h"
#include "choose.h"
#include "nested.h"
#include "parts.h"
#include "span.h"

#define DEFAULT_FOLDS 5
#define MAX_ITERATIONS 200

/* Multiplications of a pass over the rows up to which all care is taken. */
#define CAREFUL_WORK 4e6
/* From so many rows on the prior is looked for on one fold ... */
#define QUICK_ROWS 2500
/* ... with the head fitted to so many. */
#define QUICK_FIT_ROWS 3000

#define CAREFUL_TOLERANCE 1e-6
#define SEARCH_TOLERANCE 1e-3
#define FOLD_TOLERANCE 4e-4
#define FINAL_TOLERANCE 5e-5

/*
 * Refined features must lower the loss by so many nats times the root of the
 * number of rows, which is how far luck alone goes: at few labels more
 * features make the choice of what to ask less sure.
 */
#define REFINE_GAIN 0.4

/* Logit that a refined feature of its own class starts with. */
#define REFINE_START 4.0

static const double prior_grid[] = {0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0};

#define PRIORS ((int) (sizeof(prior_grid) / sizeof(prior_grid[0])))
#define DENSE_START 3			/* where the search starts: 0.1 */
#define REFINED_START 5			/* and with refined features: 1 */
#define DENSE_USUAL 0.1
#define REFINED_USUAL 0.3

/* One way to train, cross-validated: with or without refined features. */
typedef struct Candidate
{
	Design		design;
	CrossFit	fit;
	Choice		choice;
	bool		done;
} Candidate;

typedef struct Trainer
{
	const Caller *caller;
	const Rows *rows;
	const int  *label;
	const SoftLabels *soft;		/* NULL: label is certain */
	int			classes;
	const TrainOptions *options;
	Rows		shared;			/* rows with parts at their shares */
	float	   *shared_dense;	/* NULL: of one piece */
	float		share[MODEL_MAX_PARTS];
	PartTrial  *trial;			/* PART_TRIALS; NULL: nobody wants to know, */
	PartTrial  *own_trial;		/* then it is this */
	int			trials;
	int			folds;
	int		   *fold;			/* n */
	Refine	   *refine;
	float	   *refine_features;	/* n x columns */
	float	   *nested;			/* folds x n x columns, or NULL */
	float	   *probability;	/* n x K, calibrated, out of fold */
	const float *out_of_fold;	/* the same, or what was given for it */
	double	   *weights;		/* D x K */
	Span		span;			/* n 0: not worth it */
	Candidate	dense;
	Candidate	refined;
	Candidate  *best;
} Trainer;

/* Folds for n rows. */
static int
folds_for(int n, const TrainOptions *options)
{
	int			folds = options->folds > 1 ? options->folds : DEFAULT_FOLDS;

	return folds < n ? folds : n;
}

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/*
 * Bytes that model_train holds at most; see model.h.  Refined features, cross-
 * validation, last fit and posterior come one after another; each leaves its
 * result.
 */
size_t
model_train_memory(int n, int dims, int parts, size_t sparse_terms,
				   int sparse_dims, int classes, const TrainOptions *options)
{
	bool		refine = sparse_dims > 0 && options->refine != 0;
	int			columns = refine ? refine_columns(classes) : 0;
	int			D = dims + columns + 1;
	int			folds = folds_for(n, options);
	size_t		size = (size_t) D * classes;
	size_t		kept = (size_t) n * (sizeof(int) + columns * sizeof(float)) +
		(parts > 1 ? parts_memory(n, dims, classes) : 0) +
		(n < dims ? span_memory(n, dims) + size * sizeof(double) : 0);
	size_t		later = cross_fit_memory(n, D, classes, folds);
	size_t		last = size * sizeof(double) + (size_t) n * classes * sizeof(float);
	size_t		model = sizeof(Model) + (size + 2 * (size_t) classes) * sizeof(float) +
		DRAWN_CLASSES * DRAWS / 2 * sizeof(float) + posterior_memory(n, D, classes);

	if (refine)
		later += cross_fit_memory(n, dims + 1, classes, folds) +
			refine_result_memory(sparse_terms, sparse_dims, classes);
	later += larger(cross_fit_working_memory(n, D, classes, folds),
					last + larger(head_fit_memory(n, D, classes), model));
	if (refine)
		later = larger(later, refine_memory(n, sparse_terms, sparse_dims, classes));
	if (refine && nested_wanted(n, classes, folds))
		later = nested_result_memory(n, classes, folds) +
			larger(later, refine_result_memory(sparse_terms, sparse_dims, classes) +
				   nested_memory(n, sparse_terms, sparse_dims, classes));
	/* and a few small things that are soon given back */
	return kept + later + (size_t) n * sizeof(int) + (size_t) classes * 16 + 64;
}

/* Are they what soft_labels.h asks for?  certain: they say no more than label does. */
static Status
check_soft(const Trainer *trainer, const SoftLabels *soft, bool *certain)
{
	*certain = true;
	if (soft->n != trainer->rows->n || soft->start[0] != 0)
		return STATUS_BAD_ARGUMENT;
	for (int i = 0; i < soft->n; i++)
	{
		if (soft->start[i + 1] <= soft->start[i])
			return STATUS_BAD_ARGUMENT;
		for (int e = soft->start[i]; e < soft->start[i + 1]; e++)
		{
			if (soft->class[e] < 0 || soft->class[e] >= trainer->classes ||
				!(soft->weight[e] > 0.0f))
				return STATUS_BAD_ARGUMENT;
			if (!isfinite(soft->weight[e]))
				return STATUS_NOT_FINITE;
			*certain = *certain && soft->class[e] == trainer->label[i] && soft->weight[e] == 1.0f;
		}
	}
	return STATUS_SUCCESS;
}

/* Takes soft labels, where they say more than label does. */
static Status
take_soft(Trainer *trainer)
{
	const TrainOptions *options = trainer->options;
	bool		certain = true;

	if (options->soft == NULL)
		return STATUS_SUCCESS;
	if ((options->fold_soft == NULL) != (options->fold_label == NULL))
		return STATUS_BAD_ARGUMENT;
	for (int k = 0; k < trainer->folds && options->fold_soft != NULL; k++)
	{
		TRY(check_soft(trainer, &options->fold_soft[k], &certain));
		for (int i = 0; i < trainer->rows->n; i++)
			if (options->fold_label[k][i] < 0 || options->fold_label[k][i] >= trainer->classes)
				return STATUS_BAD_ARGUMENT;
	}
	TRY(check_soft(trainer, options->soft, &certain));
	trainer->soft = certain && options->fold_soft == NULL ? NULL : options->soft;
	return STATUS_SUCCESS;
}

/* Are shapes, labels and numbers what model.h asks for? */
static Status
check_rows(Trainer *trainer)
{
	const Rows *rows = trainer->rows;
	int		   *seen;
	Status		status = STATUS_SUCCESS;

	if (rows->n < 2 || rows->dims < 1 || trainer->classes < 2 ||
		trainer->classes > rows->n ||
		(rows->sparse != NULL && rows->sparse->n != rows->n) ||
		rows->parts > MODEL_MAX_PARTS || trainer->options->prior_precision < 0.0)
		return STATUS_BAD_ARGUMENT;
	for (int i = 0; i < rows->n; i++)
		if (trainer->label[i] < 0 || trainer->label[i] >= trainer->classes)
			return STATUS_BAD_ARGUMENT;
	for (int i = 0; i < rows->n; i++)
	{
		const float *dense = rows->dense + (size_t) i * rows->dims;
		float		sum = 0.0f;

		/* NaN and infinity stay, whatever is added */
		for (int j = 0; j < rows->dims; j++)
			sum += dense[j] * 0.0f;
		if (sum != 0.0f)
			return STATUS_NOT_FINITE;
	}
	if (!isfinite(trainer->options->prior_precision))
		return STATUS_NOT_FINITE;
	seen = allocate_array(trainer->caller, trainer->classes, sizeof(int));
	if (seen == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < rows->n; i++)
		seen[trainer->label[i]] = 1;
	for (int k = 0; k < trainer->classes; k++)
		if (seen[k] == 0)
			status = STATUS_BAD_ARGUMENT;
	release(trainer->caller, seen);
	return status;
}

/*
 * Weights that pass refined features on: W = b (I - 11'/K) in their rows, as
 * columns must have mean zero (see head.c); zero elsewhere.
 */
static void
start_weights(const Design *design, double *weights)
{
	size_t		K = design->classes;

	for (int j = 0; j < design->refined; j++)
	{
		double	   *row = weights + (design->dims + j) * K;

		if (K == 2)
		{
			row[0] = -0.5 * REFINE_START;
			row[1] = 0.5 * REFINE_START;
			continue;
		}
		for (size_t k = 0; k < K; k++)
			row[k] = ((int) k == j ? REFINE_START : 0.0) - REFINE_START / K;
	}
}

/* Prior, scale and out-of-fold logits of a candidate at a given prior. */
static Status
validate_at(Trainer *trainer, Candidate *candidate, double prior_precision,
			double tolerance)
{
	CrossFit   *fit = &candidate->fit;

	candidate->choice.prior_precision = prior_precision;
	TRY(cross_validate(trainer->caller, fit, prior_precision, tolerance));
	return calibrate_soft(trainer->caller, fit->logits, trainer->label, trainer->soft, NULL,
						  fit->usable, trainer->rows->n, trainer->classes,
						  &candidate->choice.scale, &candidate->choice.loss);
}

/* Cross-validates a candidate: prior, scale, out-of-fold logits. */
static Status
validate(Trainer *trainer, Candidate *candidate)
{
	const Caller *caller = trainer->caller;
	const Design *design = &candidate->design;
	CrossFit   *fit = &candidate->fit;
	double		work = (double) design->n * design->features * (design->classes + 8);
	bool		careful = work <= CAREFUL_WORK;
	double		tolerance = careful ? CAREFUL_TOLERANCE : FOLD_TOLERANCE;
	double		given = trainer->options->prior_precision;
	int			start = design->refined > 0 ? REFINED_START : DENSE_START;

	TRY(cross_fit_start(caller, design, trainer->fold, trainer->folds, !careful, fit));
	fit->nested = design->refined > 0 ? trainer->nested : NULL;
	fit->fold_soft = trainer->soft == NULL ? NULL : trainer->options->fold_soft;
	candidate->done = true;
	fit->usual = design->refined > 0 ? REFINED_USUAL : DENSE_USUAL;
	for (int k = 0; k < trainer->folds; k++)
		start_weights(design, fit->weights +
					  (size_t) k * design->features * design->classes);
	if (given > 0.0)
		return validate_at(trainer, candidate, given, tolerance);
	if (careful)
		return choose_prior(caller, fit, prior_grid, PRIORS, start, tolerance,
							&candidate->choice);
	fit->chained = true;
	if (design->n >= QUICK_ROWS)
		TRY(choose_prior_quickly(caller, fit, prior_grid, PRIORS, start, QUICK_FIT_ROWS,
								 &candidate->choice));
	else
		TRY(choose_prior(caller, fit, prior_grid, PRIORS, start, SEARCH_TOLERANCE,
						 &candidate->choice));
	return validate_at(trainer, candidate, candidate->choice.prior_precision, tolerance);
}

/* Features for the cross-validation in which no label meets itself. */
static Status
make_nested(Trainer *trainer, int columns)
{
	const Rows *rows = trainer->rows;

	if (!nested_wanted(rows->n, trainer->classes, trainer->folds))
		return STATUS_SUCCESS;
	trainer->nested = allocate_array(trainer->caller,
									 (size_t) trainer->folds * rows->n * columns, sizeof(float));
	if (trainer->nested == NULL)
		return STATUS_NO_MEMORY;
	return nested_features(trainer->caller, rows->sparse, rows->sparse_dims, trainer->label,
						   trainer->soft == NULL ? NULL : trainer->options->fold_label,
						   trainer->classes, trainer->fold, trainer->folds,
						   trainer->options->seed, trainer->nested);
}

/* The rows as they came, without refined features. */
static Design
dense_design(const Trainer *trainer)
{
	const Rows *rows = trainer->rows;

	return (Design)
	{
		rows->n, rows->dims, 0, rows->dims + 1, trainer->classes,
			rows->dense, NULL, trainer->label, trainer->soft
	};
}

/* The design without refined features, within the span of few rows. */
static Status
make_dense(Trainer *trainer)
{
	const Rows *rows = trainer->rows;

	trainer->dense.design = dense_design(trainer);
	if (rows->n >= rows->dims)
		return STATUS_SUCCESS;
	TRY(span_build(trainer->caller, rows->dense, rows->n, rows->dims, &trainer->span));
	trainer->dense.design.dense = trainer->span.rows;
	trainer->dense.design.dims = rows->n;
	trainer->dense.design.features = rows->n + 1;
	return STATUS_SUCCESS;
}

/* Fits refined features, and the design with them. */
static Status
make_refined(Trainer *trainer)
{
	const Rows *rows = trainer->rows;
	int			columns = refine_columns(trainer->classes);

	trainer->refine_features = allocate_array(trainer->caller, (size_t) rows->n * columns,
											  sizeof(float));
	if (trainer->refine_features == NULL)
		return STATUS_NO_MEMORY;
	TRY(refine_train(trainer->caller, rows->sparse, rows->sparse_dims, trainer->label,
					 trainer->classes, trainer->fold, trainer->folds,
					 trainer->options->seed, &trainer->refine, trainer->refine_features));
	trainer->refined.design = trainer->dense.design;
	trainer->refined.design.refined = columns;
	trainer->refined.design.features += columns;
	trainer->refined.design.refine = trainer->refine_features;
	return STATUS_SUCCESS;
}

/*
 * Fits refined features where there is something to fit them to, and decides
 * between the ways to train.  Refined features are never worse with many
 * rows of text features alone; with few, or beside other encoders, the cross-
 * validated loss says which way is better.
 */
static Status
choose_candidate(Trainer *trainer)
{
	const Rows *rows = trainer->rows;
	int			wanted = trainer->options->refine;
	bool		refine = rows->sparse != NULL && rows->sparse_dims > 0 && wanted != 0;

	/* with fewer folds it could not be judged */
	if (wanted < 0 && trainer->folds < 3)
		refine = false;
	TRY(make_dense(trainer));
	if (refine)
	{
		TRY(make_refined(trainer));
		TRY(make_nested(trainer, refine_columns(trainer->classes)));
		TRY(validate(trainer, &trainer->refined));
		trainer->best = &trainer->refined;
	}
	if (!refine || (wanted < 0 && (rows->n < QUICK_ROWS || rows->parts > 1)))
	{
		TRY(validate(trainer, &trainer->dense));
		if (!refine ||
			trainer->refined.choice.loss + REFINE_GAIN * sqrt(rows->n) >
			trainer->dense.choice.loss)
			trainer->best = &trainer->dense;
	}
	return STATUS_SUCCESS;
}

/* Softmax of scaled logits, one row. */
static void
softmax_row(const double *logits, int classes, double scale, float *probability)
{
	double		largest = logits[0];
	double		sum = 0.0;

	for (int k = 1; k < classes; k++)
		largest = fmax(largest, logits[k]);
	for (int k = 0; k < classes; k++)
		sum += exp_double((logits[k] - largest) * scale);
	for (int k = 0; k < classes; k++)
		probability[k] = (float) (exp_double((logits[k] - largest) * scale) / sum);
}

/* From the weights of a head within the span to those of one for any row. */
static Status
leave_span(Trainer *trainer)
{
	Design	   *design = &trainer->best->design;
	Design		whole = dense_design(trainer);
	size_t		K = design->classes;
	double	   *within = trainer->weights;

	whole.refined = design->refined;
	whole.features += design->refined;
	whole.refine = design->refine;
	trainer->weights = allocate_array(trainer->caller, whole.features * K, sizeof(double));
	if (trainer->weights != NULL)
	{
		span_leave(&trainer->span, within, design->classes, trainer->weights);
		memcpy(trainer->weights + whole.dims * K, within + design->dims * K,
			   sizeof(double) * (design->refined + 1) * K);
		*design = whole;
	}
	release(trainer->caller, within);
	return trainer->weights == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* The head on all rows, from the mean of the folds' weights. */
static Status
fit_head(Trainer *trainer)
{
	const Caller *caller = trainer->caller;
	Candidate  *best = trainer->best;
	const Design *design = &best->design;
	size_t		size = (size_t) design->features * design->classes;
	RowSet		all = {NULL, design->n};
	HeadOptions options = {best->choice.prior_precision,
		best->fit.single ? FINAL_TOLERANCE : CAREFUL_TOLERANCE,
	MAX_ITERATIONS, best->fit.single};
	double		objective;

	trainer->weights = allocate_array(caller, size, sizeof(double));
	trainer->probability = allocate_array(caller, (size_t) design->n * design->classes,
										  sizeof(float));
	if (trainer->weights == NULL || trainer->probability == NULL)
		return STATUS_NO_MEMORY;
	for (int i = 0; i < design->n; i++)
		softmax_row(best->fit.logits + (size_t) i * design->classes, design->classes,
					best->choice.scale, trainer->probability + (size_t) i * design->classes);
	trainer->out_of_fold = trainer->probability;
	for (int k = 0; k < trainer->folds; k++)
		for (size_t i = 0; i < size; i++)
			trainer->weights[i] += best->fit.weights[k * size + i] / trainer->folds;
	TRY(head_fit(caller, design, all, &options, best->fit.gram, trainer->weights, &objective));
	return trainer->span.n > 0 ? leave_span(trainer) : STATUS_SUCCESS;
}

/* The head on all rows with what has been chosen before, from nothing. */
static Status
fit_head_again(Trainer *trainer)
{
	const Caller *caller = trainer->caller;
	Candidate  *best = trainer->best;
	const Design *design = &best->design;
	size_t		D = design->features;
	double		work = (double) design->n * D * (design->classes + 8);
	bool		careful = work <= CAREFUL_WORK;
	RowSet		all = {NULL, design->n};
	HeadOptions options = {best->choice.prior_precision,
		careful ? CAREFUL_TOLERANCE : FINAL_TOLERANCE,
	MAX_ITERATIONS, !careful};
	double	   *gram = allocate_array(caller, D * D, sizeof(double));
	double		objective;
	Status		status = STATUS_NO_MEMORY;

	trainer->weights = allocate_array(caller, D * design->classes, sizeof(double));
	if (gram != NULL && trainer->weights != NULL)
	{
		start_weights(design, trainer->weights);
		status = head_gram(caller, design, all, 1.0, gram);
	}
	if (status == STATUS_SUCCESS)
		status = head_fit(caller, design, all, &options, gram, trainer->weights, &objective);
	release(caller, gram);
	TRY(status);
	return trainer->span.n > 0 ? leave_span(trainer) : STATUS_SUCCESS;
}

/* The model, from everything that is known by now. */
static Status
assemble(Trainer *trainer, Model **result)
{
	const Caller *caller = trainer->caller;
	const Design *design = &trainer->best->design;
	const Choice *choice = &trainer->best->choice;
	int			K = design->classes;
	Model	   *model = model_allocate(caller, K, design->dims, design->refined);
	Status		status;

	if (model == NULL)
		return STATUS_NO_MEMORY;
	model->prior_precision = choice->prior_precision;
	model->scale = choice->scale;
	if (trainer->rows->parts > 1)
	{
		model->parts = trainer->rows->parts;
		memcpy(model->part_dims, trainer->rows->part_dims, sizeof(int) * model->parts);
		memcpy(model->share, trainer->share, sizeof(float) * model->parts);
	}
	for (size_t i = 0; i < (size_t) design->features * K; i++)
		model->weights[i] = (float) trainer->weights[i];
	for (int i = 0; i < design->n; i++)
		model->count[design->label[i]]++;
	model_count_shares(model);
	status = posterior_build(caller, design, trainer->out_of_fold,
							 choice->prior_precision / (choice->scale * choice->scale),
							 trainer->options->seed, &model->posterior);
	if (status != STATUS_SUCCESS)
	{
		model_free(caller, model);
		return status;
	}
	if (design->refined > 0)
	{
		model->refine = trainer->refine;
		trainer->refine = NULL;
	}
	*result = model;
	return STATUS_SUCCESS;
}

/* Hands the cross-validation over to the caller. */
static void
hand_over(Trainer *trainer, CrossValidation *validation)
{
	if (validation == NULL)
		return;
	validation->n = trainer->rows->n;
	validation->classes = trainer->classes;
	validation->folds = trainer->folds;
	validation->probability = trainer->probability;
	validation->fold = trainer->fold;
	validation->trials = trainer->trials;
	trainer->probability = NULL;
	trainer->fold = NULL;
}

Status
model_folds(const Caller *caller, const int *label, int n, int classes,
			const TrainOptions *options, int *folds, int *fold)
{
	*folds = folds_for(n, options);
	return stratified_folds(caller, label, n, classes, *folds, options->seed, fold);
}

/* Checks the rows and deals them into folds. */
static Status
begin(Trainer *trainer)
{
	TRY(check_rows(trainer));
	trainer->fold = allocate_array(trainer->caller, trainer->rows->n, sizeof(int));
	if (trainer->fold == NULL)
		return STATUS_NO_MEMORY;
	TRY(model_folds(trainer->caller, trainer->label, trainer->rows->n, trainer->classes,
					trainer->options, &trainer->folds, trainer->fold));
	return take_soft(trainer);
}

/* From here on the rows are as their parts count. */
static Status
weigh_parts(Trainer *trainer)
{
	const Rows *rows = trainer->rows;
	const TrainOptions *options = trainer->options;

	if (rows->parts < 2)
		return STATUS_SUCCESS;
	if (options->share != NULL)
		memcpy(trainer->share, options->share, sizeof(float) * rows->parts);
	else
	{
		if (trainer->trial == NULL)
			trainer->trial = trainer->own_trial =
				allocate_array(trainer->caller, PART_TRIALS, sizeof(PartTrial));
		if (trainer->trial == NULL)
			return STATUS_NO_MEMORY;
		TRY(choose_shares(trainer->caller, rows, trainer->label, trainer->classes, options,
						  trainer->share, trainer->trial, &trainer->trials));
	}
	trainer->shared_dense = share_features(trainer->caller, rows, trainer->share);
	if (trainer->shared_dense == NULL)
		return STATUS_NO_MEMORY;
	trainer->shared = *rows;
	trainer->shared.dense = trainer->shared_dense;
	trainer->rows = &trainer->shared;
	return STATUS_SUCCESS;
}

/* The steps of model_train. */
static Status
train(Trainer *trainer, Model **model)
{
	TRY(begin(trainer));
	TRY(weigh_parts(trainer));
	TRY(choose_candidate(trainer));
	TRY(fit_head(trainer));
	return assemble(trainer, model);
}

/* The steps of model_train_again. */
static Status
train_again(Trainer *trainer, double scale, Model **model)
{
	const TrainOptions *options = trainer->options;
	bool		refine = options->refine == 1 && trainer->rows->sparse != NULL &&
		trainer->rows->sparse_dims > 0;

	if (options->refine < 0 || !(options->prior_precision > 0.0) || !(scale > 0.0) ||
		!isfinite(scale) || (trainer->rows->parts > 1 && options->share == NULL))
		return STATUS_BAD_ARGUMENT;
	TRY(begin(trainer));
	TRY(weigh_parts(trainer));
	TRY(make_dense(trainer));
	if (refine)
		TRY(make_refined(trainer));
	trainer->best = refine ? &trainer->refined : &trainer->dense;
	trainer->best->choice.prior_precision = options->prior_precision;
	trainer->best->choice.scale = scale;
	TRY(fit_head_again(trainer));
	return assemble(trainer, model);
}

/* Gives back what a training has left. */
static void
finish(Trainer *trainer)
{
	const Caller *caller = trainer->caller;

	if (trainer->dense.done)
		cross_fit_end(caller, &trainer->dense.fit);
	if (trainer->refined.done)
		cross_fit_end(caller, &trainer->refined.fit);
	release(caller, trainer->fold);
	release(caller, trainer->own_trial);
	release(caller, trainer->shared_dense);
	release(caller, trainer->refine_features);
	release(caller, trainer->nested);
	release(caller, trainer->probability);
	release(caller, trainer->weights);
	span_free(caller, &trainer->span);
	refine_free(caller, trainer->refine);
}

/*
 * Trains a model; see model.h.  validation may be NULL; its arrays belong to
 * whoever called.
 */
Status
model_train(const Caller *caller, const Rows *rows, const int *label,
			int classes, const TrainOptions *options,
			Model **model, CrossValidation *validation)
{
	Trainer		trainer = {
		.caller = caller, .rows = rows, .label = label, .classes = classes, .options = options
	};
	Status		status;

	*model = NULL;
	if (validation != NULL)
	{
		memset(validation, 0, sizeof(*validation));
		trainer.trial = validation->trial;
	}
	status = train(&trainer, model);
	if (status == STATUS_SUCCESS)
		hand_over(&trainer, validation);
	finish(&trainer);
	return status;
}

/* Trains one as another was; see model.h. */
Status
model_train_again(const Caller *caller, const Rows *rows, const int *label,
				  int classes, const TrainOptions *options, double scale,
				  const float *probability, Model **model)
{
	Trainer		trainer = {
		.caller = caller, .rows = rows, .label = label, .classes = classes, .options = options,
		.out_of_fold = probability
	};
	Status		status;

	*model = NULL;
	status = train_again(&trainer, scale, model);
	finish(&trainer);
	return status;
}

/* Means over the rows whose class has another one to be learned from. */
static void
out_of_fold_means(const Trainer *trainer, double *log_loss, double *accuracy)
{
	const CrossFit *fit = &trainer->dense.fit;
	int			usable = 0;
	int			right = 0;

	for (int i = 0; i < trainer->rows->n; i++)
	{
		const double *logits = fit->logits + (size_t) i * trainer->classes;
		int			best = 0;

		for (int k = 1; k < trainer->classes; k++)
			best = logits[k] > logits[best] ? k : best;
		usable += fit->usable[i];
		right += fit->usable[i] && best == trainer->label[i];
	}
	*log_loss = trainer->dense.choice.loss / fmax(usable, 1);
	*accuracy = right / fmax(usable, 1);
}

/* Cross-validates only; see model.h. */
Status
model_validate(const Caller *caller, const Rows *rows, const int *label, int classes,
			   const TrainOptions *options, double *log_loss, double *accuracy)
{
	Trainer		trainer = {
		.caller = caller, .rows = rows, .label = label, .classes = classes, .options = options
	};
	Status		status = begin(&trainer);

	if (status == STATUS_SUCCESS)
		status = make_dense(&trainer);
	if (status == STATUS_SUCCESS)
		status = validate(&trainer, &trainer.dense);
	if (status == STATUS_SUCCESS)
		out_of_fold_means(&trainer, log_loss, accuracy);
	finish(&trainer);
	return status;
}
