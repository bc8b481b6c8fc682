/*-------------------------------------------------------------------------
 *
 * model.h
 *	  A trained classifier: train it, score rows with it, store it.
 *
 * A row walks through: dense part of its encoding (unit length, d numbers)
 * and, where the encoder has a sparse stage and it helps, K' refined
 * features learned from the labels in the slow training (refine.h), and the
 * constant 1: D = d + K' + 1 features.  Where the dense part has parts of its own,
 * of encoders side by side, the model says how much each counts (parts.h).  The head is a multinomial logistic
 * regression over those (head.h), its scale calibrated by cross-validation
 * (choose.h), its posterior a Laplace approximation (posterior.h).
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_MODEL_H
#define HUMANLOOP_MODEL_H

#include "../encode/encoder.h"
#include "soft_labels.h"

/* Rows as encoders make them: n x dims dense, and sparse (NULL: none). */
typedef struct Rows
{
	int			n;
	int			dims;
	const float *dense;			/* n x dims */
	const SparseRows *sparse;
	int			sparse_dims;
	int			parts;			/* of the dense ones; 0 as 1: they are of one piece */
	const int  *part_dims;		/* parts, which sum to dims; NULL for one */
} Rows;

#define MODEL_MAX_PARTS 16

typedef struct TrainOptions
{
	int			folds;			/* of the cross-validation, default 5 */
	uint64_t	seed;
	int			refine;			/* use the sparse stage: 1 yes, 0 no, -1 choose */
	double		prior_precision;	/* > 0: given; 0: chosen */
	const float *share;			/* of each part of the rows, which sum to 1;
								 * NULL: chosen */
	const SoftLabels *soft;		/* labels that are not certain, of all rows; NULL:
								 * label holds, see model_train */
	const SoftLabels *fold_soft;	/* with soft: of each fold (see model_folds), what
								 * all rows are known to be without its labels;
								 * NULL: they do not hang on one another */
	const int *const *fold_label;	/* of each fold: the same as label, with fold_soft */
} TrainOptions;

/* Shares of the parts that were tried, and what came of it out of fold. */
typedef struct PartTrial
{
	float		share[MODEL_MAX_PARTS];
	double		log_loss;		/* nats a row */
	double		accuracy;
} PartTrial;

#define PART_TRIALS (1 + 2 * MODEL_MAX_PARTS)

/* What the cross-validation saw: honest predictions for the labelled rows. */
typedef struct CrossValidation
{
	int			n;
	int			classes;
	int			folds;			/* fewer than asked for where labels are few */
	float	   *probability;	/* n x classes, calibrated, out of fold */
	int		   *fold;			/* n */
	int			trials;			/* 0: the rows have one part, or shares were given */
	PartTrial	trial[PART_TRIALS];
} CrossValidation;

typedef struct Model Model;

/* Bytes that model_train will need at most; for the plan against work_mem. */
extern size_t model_train_memory(int n, int dims, int parts, size_t sparse_terms,
								 int sparse_dims, int classes, const TrainOptions *options);

/*
 * The folds that model_train will deal n rows into: fold[i] in [0, *folds) is that of
 * row i.
 */
extern Status model_folds(const Caller *caller, const int *label, int n, int classes,
						  const TrainOptions *options, int *folds, int *fold);

/*
 * label[i] in [0, classes) is the class of row i; every class has at least
 * one row, classes >= 2 (STATUS_BAD_ARGUMENT otherwise).  Classes with fewer
 * rows than folds are allowed.
 *
 * With options->soft, label[i] is the most probable class of row i.  The head,
 * its calibration and prior, and how sure it is, are made from the soft labels.
 * What is hard by its nature takes label: the folds and which rows say something
 * about the prior, the shares of the classes and of the parts, and the refined
 * features, whose hinge loss asks on which side of a margin a row is.  Where each
 * row has one class of weight 1, the model is the same, bit by bit, as without.
 * The head, and refined features made for it, that a fold is tested with are fitted to
 * fold_soft and fold_label of that fold.
 */
extern Status model_train(const Caller *caller, const Rows *rows, const int *label,
						  int classes, const TrainOptions *options,
						  Model **model, CrossValidation *validation);

/*
 * The same where everything that a cross-validation would choose is known:
 * options have the prior precision (> 0) and whether to refine (0 or 1), scale
 * is that of the calibration, and probability (n x classes) what a model that
 * has not seen a row said of it.  Takes a fraction of the time.
 */
extern Status model_train_again(const Caller *caller, const Rows *rows, const int *label,
								int classes, const TrainOptions *options, double scale,
								const float *probability, Model **model);

/*
 * Cross-validates a head on the dense features as they are, and nothing more:
 * log loss in nats a row, of rows whose class has another one, and accuracy.
 */
extern Status model_validate(const Caller *caller, const Rows *rows, const int *label,
							 int classes, const TrainOptions *options, double *log_loss,
							 double *accuracy);

extern int	model_classes(const Model *model);
extern int	model_features(const Model *model); /* D, with the constant */
extern double model_prior_precision(const Model *model);
extern double model_scale(const Model *model);	/* of the calibration */
extern bool model_refined(const Model *model);

/* How many parts its rows have, and the share of one; 1 and 1 where they are of one piece. */
extern int	model_parts(const Model *model);
extern float model_share(const Model *model, int part);

/* Can it score the rows of an encoder with these numbers of dimensions? */
extern bool model_suits(const Model *model, int dims, int sparse_dims);

/* The answer for one row; entropies in nats. */
typedef struct Score
{
	int			label;			/* most probable class */
	float		confidence;		/* its calibrated probability */
	float		margin;			/* confidence less that of the second class */
	float		total;			/* = aleatoric + epistemic */
	float		aleatoric;
	float		epistemic;
} Score;

/*
 * Scores rows->n rows (best in blocks of some 256 to 1024).  probability is
 * n x classes, calibrated, or NULL when not wanted.
 */
extern Status model_score(const Caller *caller, const Model *model, const Rows *rows,
						  Score *score, float *probability);

/*
 * Label, confidence and margin alone, for a fraction of the time: to scan a
 * pool for what is worth a full score.  The entropies are NaN.
 */
extern Status model_margins(const Caller *caller, const Model *model, const Rows *rows,
							Score *score);

/*
 * The rows as the head sees them, n x D: the same for a model and all its
 * revisions (update.h), so whoever scores the same rows again keeps these.
 * A row without a known n-gram should not be among them: its features do not
 * say that it has none.
 */
extern Status model_row_features(const Caller *caller, const Model *model, const Rows *rows,
								 float *features);

/* Scores n such rows. */
extern Status model_score_features(const Caller *caller, const Model *model,
								   const float *features, int n, Score *score);

/* The features the head sees, n x D, for the acquisition functions. */
extern Status model_design(const Caller *caller, const Model *model, const Rows *rows,
						   double *design);

/* Stored form; the reader accepts what any version has written. */
extern Status model_write(const Model *model, Writer *writer);
extern Status model_read(const Caller *caller, Reader *reader, Model **model);
extern void model_free(const Caller *caller, Model *model);

#endif							/* HUMANLOOP_MODEL_H */
