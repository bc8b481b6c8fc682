/*-------------------------------------------------------------------------
 *
 * predict.h
 *	  The model that answers within one statement, ready to score.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_PREDICT_H
#define HUMANLOOP_PREDICT_H

#include "fmgr.h"

#include "store/cache.h"
#include "store/feature.h"
#include "store/handover.h"

/* What decides which model a statement sees, and whether it may. */
typedef struct SnapshotStamp
{
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
	Oid			user;
	uint64		aborts;			/* of subtransactions: they unmake what was seen */
} SnapshotStamp;

typedef struct Predictor
{
	MemoryContext context;		/* this and all below */
	MemoryContext scratch;		/* of one row or block */
	SnapshotStamp stamp;
	char	   *project_name;
	Project    *project;
	Serving		serving;
	RowsBuilder rows;
	double		coverage;		/* that limit is for; 0: it is not read yet */
	SetLimit	limit;
} Predictor;

/*
 * The predictor for the project named by argument 0: one a call site and
 * snapshot, kept in fn_extra, so that a statement is answered by one model
 * from its first row to its last.
 */
extern Predictor *predictor_get(FunctionCallInfo fcinfo);

/* Encodes a row as the next of predictor->rows; error where a vector is no good. */
extern void predictor_add(Predictor *predictor, const Input *input);

/* The error that an encoder, whose weights are numbers, makes none of a text. */
extern void text_not_finite(void) pg_attribute_noreturn();

/* Blank features for what cannot be encoded: the prior's answer. */
extern void predictor_add_blank(Predictor *predictor);

/*
 * Scores the rows added since the last call.  probability, of each of the model's
 * classes, may be NULL.  Of classes that were merged since the training the
 * first one has the probability of all, and one that was removed has none; the
 * label is -1 where none is left, see serving.same.
 */
extern void predictor_score(Predictor *predictor, Score *scores, float *probability);

/*
 * The same, and which answers can do without a person: those that the model gives
 * from the confidence on with which the promised error rate holds.  A revision may
 * take answers out of these, and not add any: what was measured is what the last
 * training left, and that one must say the same, as surely.
 */
extern void predictor_decide(Predictor *predictor, Score *scores, bool *automatic);

/* For the column decision: "auto", "human", or NULL where nothing is promised. */
extern Datum decision_datum(const Predictor *predictor, bool automatic, bool *isnull);

/* Scores them with the model for sets; blank: which rows say nothing. */
extern void predictor_score_sets(Predictor *predictor, Score *scores, float *probability,
								 bool *blank);

/*
 * Argument 1 as the project's inputs are: error where the type is wrong.  Of a
 * project with several inputs it is an array of text.
 */
extern Input text_argument(const Predictor *predictor, FunctionCallInfo fcinfo);
extern Input array_argument(const Predictor *predictor, FunctionCallInfo fcinfo);

#endif							/* HUMANLOOP_PREDICT_H */
