/*-------------------------------------------------------------------------
 *
 * drift.h
 *	  Are the rows that arrive unlike those that the model was made for?
 *
 * A sample of the rows that were there is the reference.  Rows that arrive are
 * collected in strips of DRIFT_STRIP.  When one is full, it and those before it, DRIFT_STRIPS
 * in all, are compared with the reference in three ways, each with a p-value: how confident
 * the model is, which classes it predicts, and where the vectors lie.  See drift.c for the
 * tests.
 *
 * So it is tested again and again, of rows that are partly the same and against the same
 * reference, and the results depend on each other.  Hence the level of each test is a
 * share of 5 % (alpha spending): they sum to 5 % over all measures and
 * however many strips, and by the union bound so does the probability that any of them
 * alarms while nothing changes, whatever the dependence.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_DRIFT_H
#define HUMANLOOP_DRIFT_H

#include "model.h"

#define DRIFT_STRIP 125			/* rows after which it is compared again */
#define DRIFT_STRIPS 4			/* that are compared together */
#define DRIFT_SAMPLE 2000		/* rows of the reference that are enough */
#define DRIFT_LEAST 50			/* rows of it without which nothing is said */
#define DRIFT_LEVEL 0.05		/* false alarms of a model's whole life */

typedef enum DriftMeasure
{
	DRIFT_CONFIDENCE,			/* of the predictions: means */
	DRIFT_CLASSES,				/* predicted: share of the one that differs most */
	DRIFT_FEATURES,				/* squared distance of the means of the vectors */
	DRIFT_ACCURACY				/* on what was asked by lot; see drift_accuracy */
} DriftMeasure;

#define DRIFT_WINDOWED 3		/* measures of rows that arrive */
#define DRIFT_MEASURES 4

/* What is known of the rows that were there. */
typedef struct DriftReference
{
	int			classes;
	int			dims;			/* of the vectors that are compared */
	int			sparse_dims;	/* 0: those are the dense ones */
	int			n;
	int			compared;		/* rows that mean and covariance are of */
	uint8_t    *frequent;		/* a bit for each of sparse_dims; see drift.c */
	uint32_t   *count;			/* classes + 1: predicted; the last: rows that
								 * say nothing */
	float	   *confidence;		/* n, ascending */
	float	   *mean;			/* dims */
	double		trace[3];		/* of the covariance matrix, its square, its cube */
	double		largest;		/* eigenvalue of it */
} DriftReference;

/*
 * label[i]: predicted class of row i, or -1 where it says nothing (its confidence is
 * not read).  Needs `matrix`.  STATUS_BAD_ARGUMENT for fewer than two rows.
 */
extern Status drift_reference(const Caller *caller, const Rows *rows, const int *label,
							  const float *confidence, int classes, DriftReference *reference);

/* Are these rows of the shape of those of the reference? */
extern bool drift_suits(const DriftReference *reference, int dims, int sparse_dims, int classes);

typedef struct DriftStrip
{
	int			n;
	uint32_t   *count;			/* classes + 1 */
	float	   *confidence;		/* n; room for DRIFT_STRIP */
	double	   *sum;			/* dims: of the vectors */
} DriftStrip;

/* What is known of the rows that have arrived last. */
typedef struct DriftWindow
{
	int			number;			/* of the strip that is being filled, from 1 */
	DriftStrip	strip[DRIFT_STRIPS];	/* that one, and those before, the last first */
	float	   *vector;			/* dims: scratch */
} DriftWindow;

/* An empty one, number 1. */
extern Status drift_window(const Caller *caller, const DriftReference *reference,
						   DriftWindow *window);

/*
 * One of the rows.  True: the strip is full now, and drift_compare and drift_next are to
 * be called before another row.
 */
extern bool drift_add(const DriftReference *reference, DriftWindow *window, const Rows *rows,
					  int row, int label, float confidence);

/* Begins the next strip; the oldest goes. */
extern void drift_next(const DriftReference *reference, DriftWindow *window);

/* All rows of it. */
extern int	drift_rows(const DriftWindow *window);

/* Gives back what they hold, also of one that has failed. */
extern void drift_reference_free(const Caller *caller, DriftReference *reference);
extern void drift_window_free(const Caller *caller, DriftWindow *window);

/* What a comparison has found; intervals are at 95 %, of this comparison alone. */
typedef struct DriftFinding
{
	int			n;				/* recent rows */
	int			class;			/* whose share it is: of DRIFT_CLASSES; else -1 */
	double		recent;
	double		reference;
	double		difference;
	double		low;
	double		high;
	double		p_value;		/* that it is by chance; not corrected */
	double		level;			/* below which it alarms */
} DriftFinding;

/*
 * Compares the rows of the window with the reference, however many of them (at least 1).
 * STATUS_NO_MEMORY.
 */
extern Status drift_compare(const Caller *caller, const DriftReference *reference,
							const DriftWindow *window, DriftFinding finding[DRIFT_WINDOWED]);

/*
 * Audited answers before and of late: how many the model got right out of fold.
 * Whether fewer now, by Fisher's exact test, one-sided; once for each model.  n's >= 1.
 */
extern void drift_accuracy(int recent_hits, int recent_n, int hits, int n,
						   DriftFinding *finding);

/* Stored forms; the readers check whatever is read. */
extern void drift_reference_write(const DriftReference *reference, Writer *writer);
extern Status drift_reference_read(const Caller *caller, Reader *reader,
								   DriftReference *reference);
extern void drift_window_write(const DriftReference *reference, const DriftWindow *window,
							   Writer *writer);
extern Status drift_window_read(const Caller *caller, Reader *reader,
								const DriftReference *reference, DriftWindow *window);

#endif							/* HUMANLOOP_DRIFT_H */
