/*-------------------------------------------------------------------------
 *
 * trigger.h
 *	  The triggers that a project has on its source.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TRIGGER_H
#define HUMANLOOP_TRIGGER_H

#include "store/project.h"

/*
 * What the triggers call; its arguments.  Those after the first input may be
 * missing; a label column that there is none of is empty where others follow.
 */
#define SOURCE_TRIGGER_FUNCTION "hl_source_changed"
#define SOURCE_TRIGGER_PREFIX "humanloop_"

typedef enum SourceTriggerArgument
{
	TRIGGER_PROJECT,			/* id */
	TRIGGER_KEY,				/* names of columns */
	TRIGGER_INPUT,
	TRIGGER_LABEL,
	TRIGGER_MORE_INPUTS,
	TRIGGER_ARGUMENTS = TRIGGER_MORE_INPUTS + MAX_INPUTS - 1
} SourceTriggerArgument;

/*
 * Creates what is missing on the source, its partitions and children, and
 * renews what names columns that are called otherwise now; cheap where there
 * is nothing to do.  A source that cannot have triggers is left alone.  With
 * wait false it waits for no lock and complains about nothing: false is
 * returned where something remains for the next time.  Where it has created
 * something for a project with encoded rows, that is noted as a change, as rows
 * may have come before.
 *
 * Whoever inserts waits until the transaction that creates a trigger ends, so
 * call it just before that, after all reading.  SPI connected.
 */
extern bool triggers_sync(const Project *project, bool wait);

/* Can triggers see all that happens to the source?  Else it is to be scanned. */
extern bool triggers_possible(const Project *project);

/*
 * The same after DDL in this transaction, without waiting: no row can have been
 * missed, so no change is noted.
 */
extern void triggers_follow(const Project *project);

/*
 * The project that a trigger is of, also after this transaction has dropped it;
 * 0: it is none of ours.
 */
extern int32 trigger_project(Oid trigger);

/* Appends all that the tables inherit from or are partitions of. */
extern List *tables_with_parents(List *tables);

/* Removes those on tables that are not part of the source any more. */
extern void triggers_remove_strays(const Project *project);

/*
 * Removes all of them.  One that cannot be removed stays and does nothing, as
 * it finds no project.
 */
extern void triggers_drop(const Project *project);

#endif							/* HUMANLOOP_TRIGGER_H */
