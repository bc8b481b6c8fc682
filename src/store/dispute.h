/*-------------------------------------------------------------------------
 *
 * dispute.h
 *	  Items that people disagree on, and what the model says of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_DISPUTE_H
#define HUMANLOOP_DISPUTE_H

#include "store/project.h"

typedef struct Dispute
{
	char	   *item;
	Datum		answers;		/* jsonb: label -> array of annotators */
	int			nanswers;
	char	   *label;			/* what it is taken as; NULL: all that was said has
								 * been taken back since */
	double		probability;	/* of that label, after all answers */
	bool		settled;		/* by a reviewer */
	int64		comments;
	int64		flags;
	bool		gone;			/* its row has left the source */
	bool		scored;			/* are these known, of the model as it was trained: */
	double		aleatoric;		/* nats */
	double		epistemic;
	bool		judged;			/* is this known: */
	bool		ambiguous;		/* the model is in doubt as well: less sure, not
								 * having seen the item, than on average of those
								 * that nobody disputes; else it is suspicious */
} Dispute;

/*
 * All of them, those first that nobody has settled, and of these the least
 * probable labels first.  Items that have left the source are not among them.
 * Reads only; SPI connected.
 */
extern Dispute *disputes_read(const Project *project, int *n);

#endif							/* HUMANLOOP_DISPUTE_H */
