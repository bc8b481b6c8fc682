/*-------------------------------------------------------------------------
 *
 * fit.h
 *	  Fits a project's encoder on all rows of its source.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_FIT_H
#define HUMANLOOP_FIT_H

#include "encode/encoder.h"
#include "math/buffer.h"
#include "store/encoder_plan.h"
#include "store/source.h"

/* An encoder as it will be stored. */
typedef struct FittedEncoder
{
	MemoryContext context;		/* this and all below but the plan */
	const EncoderPlan *plan;
	Caller		caller;
	int64		rows;			/* it was fitted on */
	int			dims;
	int			sparse_dims;
	Writer		writer;
} FittedEncoder;

/* Calls back for every row of wherever they come from. */
typedef void (*RowFeed) (SourceCallback callback, void *state, void *from);

/*
 * Begins to fit a text encoder; an error where options->memory, of what the
 * setting allows, is not enough.
 */
extern TextFit *text_fit_begin(const Caller *caller, const TextFitOptions *options,
							   const char *doing);

/*
 * The encoder that is planned, from rows of the inputs; of several parts, or one
 * that is imported, a combination.  In the caller's memory; what that one has
 * lent already is not to be had again.  feed is called for each text that is
 * fitted, and once where there is none.  rows: that have an input.
 */
extern Encoder *project_fit(const EncoderPlan *plan, const Caller *caller, const char *doing,
							RowFeed feed, void *from, int64 *rows);

/* Fits one; needs no transaction unless feed does. */
extern FittedEncoder *encoder_compute(const EncoderPlan *plan, RowFeed feed, void *from);

/* Stores it; its id.  SPI connected. */
extern int64 encoder_store(const FittedEncoder *fitted);
extern void encoder_discard(FittedEncoder *fitted);

/* Fits and stores the one that is wanted, from the source; its id.  SPI connected. */
extern int64 encoder_fit(const Project *project);

/* Has the source grown to more than twice what the encoder was fitted on? */
extern bool encoder_outgrown(int64 encoder_id, int64 items);

/* Has it less than half of that? */
extern bool encoder_outlived(int64 encoder_id, int64 items);

#endif							/* HUMANLOOP_FIT_H */
