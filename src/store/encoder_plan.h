/*-------------------------------------------------------------------------
 *
 * encoder_plan.h
 *	  Which encoder a project shall have, and of what it is made.
 *
 * By name: what is fitted on the project's own rows is "text", vectors that somebody
 * else has computed are "vector", any other is an imported encoder; several
 * side by side are joined by "+".  With "auto" it is what the inputs are, and,
 * where the training has found that it helps (encoder_choice.h), an imported one
 * beside it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ENCODER_PLAN_H
#define HUMANLOOP_ENCODER_PLAN_H

#include "encode/encoder.h"
#include "store/named_encoder.h"
#include "store/project.h"

typedef struct PlannedPart
{
	const char *name;			/* "text", "vector" or of an imported one */
	int			input;			/* of the project */
	EncoderKind kind;
	int64		named;			/* id of an imported one; 0: fitted */
	const Encoder *encoder;		/* the imported one, pinned by the plan's context */
} PlannedPart;

typedef struct EncoderPlan
{
	const Project *project;
	char	   *name;
	int			n;
	PlannedPart part[COMBINATION_MAX_PARTS];
} EncoderPlan;

/* Its name, in the current context.  SPI connected. */
extern char *encoder_wanted(const Project *project);

/* What "auto" is without a choice; the same where it is asked for by name. */
extern char *encoder_base(const Project *project);

/* What one that is stored was made as; NULL: there is none of that id. */
extern char *encoder_name(int64 encoder_id);

/* Is it the one that the project shall have?  False also where there is none of that id. */
extern bool encoder_is_wanted(const Project *project, int64 encoder_id);

/*
 * Does the model that serves, whose encoder that is, wait to be replaced by one of
 * the encoder that is wanted?  Not where hl_deploy() has put it there since that
 * was decided on.
 */
extern bool encoder_change_due(const Project *project, int64 encoder_id);

/* hl_deploy(): the model that serves stays until there is another reason to train. */
extern void encoder_keep(const Project *project);

/*
 * What it is made of, in the current context, which must outlive its use; an
 * error where an encoder is gone or cannot read what the inputs are.
 */
extern EncoderPlan *encoder_plan(const Project *project, const char *name);

/* Another part, or one for each text that there is, of an imported encoder; also in the name. */
extern void encoder_plan_add(EncoderPlan *plan, const NamedEncoder *named, const Encoder *encoder);

/* What a part is called in figures: "minilm", or, of several inputs, "minilm(subject)". */
extern const char *encoder_plan_part(const EncoderPlan *plan, int i);

/*
 * The shares of the option, where it names just the parts of this encoder.  False:
 * they are to be chosen.
 */
extern bool encoder_plan_shares(const EncoderPlan *plan, float *share);

/*
 * An error unless the current user may use all that a name consists of, and it
 * suits the project's inputs; a NOTICE for each input that it does not read.
 */
extern void encoder_plan_check(const Project *project, const char *name);

/* What the training has chosen for "auto"; NULL: nothing. */
extern char *encoder_chosen(const Project *project);

/* Another one is wanted from now on.  The project's lock is held. */
extern void encoder_choose(const Project *project, const char *name);

/* The same where somebody says what is wanted: what was compared before is nothing any more. */
extern void encoder_choose_anew(const Project *project);

#endif							/* HUMANLOOP_ENCODER_PLAN_H */
