/*-------------------------------------------------------------------------
 *
 * train.h
 *	  A full training in three steps: read, compute, write.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TRAIN_H
#define HUMANLOOP_TRAIN_H

#include "learn/metrics.h"
#include "store/pool.h"

typedef struct Training
{
	const Project *project;
	MemoryContext context;		/* everything below */
	TimestampTz started;

	/* read */
	Refreshed	features;
	Consensus	consensus;
	LabelledItems *labelled;
	RowsBuilder rows;			/* of the labelled items that are encoded */
	int		   *label;
	char	  **classes;		/* of those items, in byte order */
	int			nclasses;

	/* compute */
	Model	   *model;
	CrossValidation validation;
	Metrics		metrics;

	/* write */
	int32		number;
	double		seconds;
} Training;

/*
 * Takes up what has changed in the source, reads labels and the features of
 * labelled rows.  Needs a transaction, SPI connected.
 */
extern void train_read(Training *training, const Project *project);

/* Fits and measures.  Needs neither transaction nor snapshot nor lock. */
extern void train_compute(Training *training);

/*
 * Stores the model, scores the pool, replaces the queue: all visible at once
 * at commit.  Takes the project's lock.
 */
extern void train_write(Training *training);

/* Rebuilds the queue from the serving model, or the seed batch without one. */
extern void queue_rebuild(const Project *project, const Refreshed *features);

#endif							/* HUMANLOOP_TRAIN_H */
