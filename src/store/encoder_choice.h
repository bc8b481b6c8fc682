/*-------------------------------------------------------------------------
 *
 * encoder_choice.h
 *	  Does an imported encoder help?  Tried on the labels there are.
 *
 * For projects whose encoder is "auto" and that have none yet: a sample of the
 * labelled rows is encoded with each that the project's owner may use, beside
 * what the project has of its own, and cross-validated.  The best is taken where
 * it is better by more than luck; then it stays, until hl_set_encoder().
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ENCODER_CHOICE_H
#define HUMANLOOP_ENCODER_CHOICE_H

#include "lib/stringinfo.h"

#include "store/encoder_plan.h"
#include "store/refresh.h"

typedef struct EncoderChoice EncoderChoice;

/*
 * Has nothing been compared yet, though there is something to compare?  The first model
 * does not wait for that.  SPI connected.
 */
extern bool encoder_choice_due(const Project *project);

/* Records that there were too few labels to compare with. */
extern void encoder_choice_skip(const Project *project);

/*
 * The rows to try with, in the current context, which must outlive the transaction.
 * NULL: there is nothing to try, too few labels to tell, or too little memory.  SPI
 * connected.
 */
extern EncoderChoice *encoder_choice_read(const Project *project, const Refreshed *features);

/* Needs no transaction. */
extern void encoder_choice_compute(EncoderChoice *choice);

/*
 * Records what was tried, and the choice, if it can still be taken; true: the
 * project shall have another encoder now.  The project's lock is held.  SPI connected.
 */
extern bool encoder_choice_write(const EncoderChoice *choice);

/* Shares of the parts as JSON, {"text": 0.8, "minilm": 0.2}; of several inputs by "text(column)". */
extern void append_shares(StringInfo json, const EncoderPlan *plan, const float *share);

#endif							/* HUMANLOOP_ENCODER_CHOICE_H */
