/*-------------------------------------------------------------------------
 *
 * suspects.h
 *	  Labels that are probably wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_SUSPECTS_H
#define HUMANLOOP_SUSPECTS_H

#include "store/neighbours.h"

typedef struct Suspect
{
	int			index;			/* of the item, in the consensus */
	float		wrong;			/* probability that its label is */
	int			suggested;		/* class of the consensus that it would be, or -1:
								 * no item has that label any more */
	const char *suggestion;		/* its name */
	Neighbour  *nearest;		/* of that class; set by suspects_compare */
} Suspect;

/* Is there a place for what trainings find?  Objects before 0.5.0 have none. */
extern bool suspects_are_kept(void);

/*
 * The labels that hold now as they did when the serving model was trained, and
 * that are wrong with at least that probability, most probable first.  An error
 * where the model is of an earlier version, which did not keep that.
 */
extern Suspect *suspects_read(const Project *project, const Serving *serving,
							  const Consensus *consensus, const LabelledItems *labelled,
							  double threshold, int *n);

/*
 * For n of them the most nearest items that have the suggested label.  there: has it a
 * row in the source, as far as is known?  Where there are no features nothing is,
 * and there are no neighbours.
 */
extern void suspects_compare(const Project *project, const Serving *serving,
							 const Consensus *consensus, const LabelledItems *labelled,
							 Suspect *suspects, int n, int most, bool *there);

/* How many can be compared at once within humanloop.work_mem; one at least. */
extern int	suspects_at_once(const Serving *serving, int most);

#endif							/* HUMANLOOP_SUSPECTS_H */
