/*-------------------------------------------------------------------------
 *
 * train.h
 *	  A full training in three steps: read, compute, write.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TRAIN_H
#define HUMANLOOP_TRAIN_H

#include "learn/held_out.h"
#include "learn/label_errors.h"
#include "learn/metrics.h"
#include "store/agreement.h"
#include "store/pool.h"

/* Rows that only rules have labelled: train_rules.c */
typedef struct RuledRows RuledRows;

typedef struct Training
{
	const Project *project;
	MemoryContext context;		/* everything below */
	TimestampTz started;

	/* read */
	Refreshed	features;
	char	   *encoder;		/* name of that of the features */
	int32		replaces;		/* the model that serves; 0: none */
	int64		class_changes;	/* before the labels were read */
	Consensus	consensus;
	LabelledItems *labelled;
	TargetRows *asked;			/* rows that the model is for; NULL: all */
	RowsBuilder rows;			/* of the labelled items that are encoded */
	int			answered;		/* the first of them; the others only rules have
								 * labelled, and no figure is of them */
	RuledRows  *ruled;			/* those others; NULL: there are none */
	Datum		rules;			/* int[]: numbers of those that count */
	int		   *class_number;	/* of the consensus' classes, below; -1: none */
	char	  **items;			/* of those rows */
	int		   *label;
	SoftLabels *soft;			/* of those rows; NULL: labels are certain */
	bool	   *audited;		/* is it in the sample of the source? */
	int			naudited;
	char	  **classes;		/* of those items, in byte order */
	int			nclasses;
	bool		shares_given;	/* by the project's options; then in */
	float		share[MODEL_MAX_PARTS];

	/* compute */
	Model	   *model;
	CrossValidation validation;
	Metrics		metrics;
	int		   *predicted;		/* of each row, out of fold */
	float	   *confidence;
	int			audit_hits;
	float	   *losses;			/* of each row, out of fold, in nats */
	float	   *wrong;			/* probability that each row's label is wrong */
	int		   *suggested;		/* what it would be then */
	HeldOut		held_out;		/* the model for prediction sets, and its losses */

	/* compare */
	bool		deploy;
	Replaced   *replaced;		/* NULL: nothing to compare predictions with */

	/* rank */
	PoolScan   *pool;
	PoolFeatures *pool_features;
	Ranking		ranking;
	Ranking		targets;
	double		agreement;		/* with the model that it replaces; NAN: not known */

	/* write */
	int32		number;
	double		seconds;
} Training;

/*
 * Reads labels and the features of labelled rows.  scan: takes up what has
 * changed in the source by comparing it row by row; else the caller knows
 * that the stored features are up to date, and only an encoder that is
 * missing or outgrown makes it read the source.  Needs a transaction, SPI
 * connected.
 */
extern void train_read(Training *training, const Project *project, bool scan);

/* Fits and measures.  Needs neither transaction nor snapshot nor lock. */
extern void train_compute(Training *training);

/*
 * Soft labels of the rows as the label model has them, into training->soft; and,
 * once there is a model, it is fitted to the same with what it has said out of fold
 * as one more voice.  Nothing where no item has two answers.
 *
 * train_soften_folds: for the cross-validation, what rows that only rules have labelled
 * are taken for without the labels of each fold.
 */
extern void train_soften(Training *training);
extern void train_soften_folds(const Training *training, TrainOptions *options);
extern void train_refit(Training *training, const TrainOptions *options);

/*
 * The options to train once more as the model was; share: MODEL_MAX_PARTS of room,
 * which they refer to.
 */
extern void train_options_again(const Training *training, const TrainOptions *options, float *share,
								TrainOptions *again);

/*
 * A second model, that has not seen some of the rows, for sets of labels (see
 * learn/held_out.h): with everything that was chosen for the first one.  None where
 * rows or memory are too few.  Then its stored form, a bytea.
 */
extern void train_hold_out(Training *training, const TrainOptions *options);
extern Datum train_held_out_value(const Training *training, bool *isnull);

/* Is a row of one class, as far as people's answers say? */
extern bool train_is_certain(const Training *training, int row);

/*
 * What people alone have said of the rows that have several answers, or whose label
 * is known, as label_errors() takes it; NULL: there are no such rows.
 */
extern SoftLabels *train_said(const Training *training);

/*
 * Rows that only rules have labelled, in train_read: which they are, each row of the
 * blocks that may be one, all rows once more, and, when those of people are complete,
 * after them.  Then the soft label of such a row, in the training's classes: how many
 * entries; with a label model of train_rules_without's, or NULL: of all labels.
 */
extern void train_rules_read(Training *training);
extern void train_rules_row(Training *training, const FeatureBlock *block, int row);
extern void train_rules_reset(Training *training);
extern void train_rules_add(Training *training);
extern void train_rules_hear(Training *training);
extern int	train_rules_soft(const Training *training, const LabelModel *model, int row,
							 int *class, float *weight);

/* The label model without the labels of a fold; fold: of each row. */
extern LabelModel *train_rules_without(const Training *training, const int *fold, int without);

/*
 * Is the model not worse than the one that serves?  On the items that both
 * have learned with the same label: the mean difference of their out-of-fold
 * log losses must not be above zero by more than two standard errors (and
 * a tenth of a nat, or of the loss).  One with another encoder is not compared: that
 * was decided on before.
 * Needs a transaction.
 */
extern void train_compare(Training *training);

/*
 * Begins to score the pool with the new model: pool_scan_some does it.  Not
 * needed for a model that is not deployed.
 */
extern PoolScan *train_rank_begin(Training *training);

/* Then makes the queue of what it has found; needs no transaction. */
extern void train_rank_end(Training *training);

/*
 * Stores the model and, if it is to be deployed, puts it into service with
 * its queue: all visible at once at commit.  Takes the project's lock.  An
 * error where the features were fitted anew, or classes renamed, since train_read.
 */
extern void train_write(Training *training, const char *who, const char *reason);

/*
 * The audit's figures, for four columns: rows, accuracy, its interval; nothing
 * of accuracy where there are no rows.
 */
extern void train_audit_figures(const Training *training, Datum *values, bool *nulls);

/*
 * Adds figures of the parts of its encoder, and of people's answers, to those of a
 * model; see hl_models.  As the extension.
 */
extern void train_figures_write(const Training *training);

/* Rebuilds the queue from the serving model, or the seed batch without one. */
extern void queue_rebuild(const Project *project, const Refreshed *features);

#endif							/* HUMANLOOP_TRAIN_H */
