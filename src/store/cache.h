/*-------------------------------------------------------------------------
 *
 * cache.h
 *	  Encoders and models that this session has loaded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_CACHE_H
#define HUMANLOOP_CACHE_H

#include "learn/held_out.h"
#include "store/project.h"

/* What answers for a project under one snapshot. */
typedef struct Serving
{
	int32		model;
	int32		revision;
	int64		model_id;
	int64		encoder_id;
	const Encoder *encoder;
	const Model *base;			/* as its training left it: revision 0 */
	const Model *classifier;	/* the revision */
	char	  **classes;		/* as they are called now; NULL: removed */
	int			nclasses;
	float		threshold;		/* from that confidence on it answers alone; NAN: never */
	int		   *same;			/* of each class, the first that is called the
								 * same now; -1: removed.  NULL: all are classes
								 * of their own, as they were trained */
} Serving;

/*
 * The serving model of a project, loaded, and pinned until pin_context is
 * reset.  False: there is none yet.  SPI connected.
 */
extern bool serving_open(const Project *project, bool read_only, MemoryContext pin_context,
						 Serving *serving);

/*
 * The model for sets of labels that was trained along with the serving one, and its
 * losses, pinned likewise.  NULL: there is none.
 */
extern const HeldOut *held_out_open(const Project *project, const Serving *serving, bool read_only,
									MemoryContext pin_context);

/* Is there a place for it?  Not in objects of 0.4.0 and before. */
extern bool held_out_is_kept(void);

/* The error for a project without a model. */
extern void serving_missing(const Project *project) pg_attribute_noreturn();

/* A stored encoder, pinned likewise. */
extern const Encoder *encoder_open(int64 encoder_id, bool read_only, MemoryContext pin_context);

#endif							/* HUMANLOOP_CACHE_H */
