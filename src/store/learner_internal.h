/*-------------------------------------------------------------------------
 *
 * learner_internal.h
 *	  What a learner is made of: for learner.c, candidates.c and revise.c;
 *	  everyone else uses learner.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_LEARNER_INTERNAL_H
#define HUMANLOOP_LEARNER_INTERNAL_H

#include "store/cache.h"
#include "store/feature.h"
#include "store/learner.h"
#include "store/queue.h"
#include "store/truth.h"

#define NO_LABEL (-1)			/* of an item */

/* A labelled item. */
typedef struct LearnedItem
{
	ItemKey		key;
	char	   *item;
	int			before;			/* class that the base was trained with */
	int			now;			/* consensus */
	float	   *dense;			/* features, where before and now differ */
	unsigned char *terms;
	size_t		terms_length;
	bool		gone;			/* has no row in the source, or no features */
	char		status;
} LearnedItem;

#define SH_PREFIX learned
#define SH_ELEMENT_TYPE LearnedItem
#define SH_KEY_TYPE ItemKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) (key).low)
#define SH_EQUAL(table, a, b) ((a).high == (b).high && (a).low == (b).low)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* Place of a candidate, by its item. */
typedef struct CandidateEntry
{
	ItemKey		key;
	int			place;
	char		status;
} CandidateEntry;

#define SH_PREFIX candidate
#define SH_ELEMENT_TYPE CandidateEntry
#define SH_KEY_TYPE ItemKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) (key).low)
#define SH_EQUAL(table, a, b) ((a).high == (b).high && (a).low == (b).low)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct Learner
{
	MemoryContext context;		/* this and all below */
	int32		project_id;
	Acquisition acquisition;
	ProjectOptions options;
	Serving		serving;		/* of the base; pinned */
	int64		class_changes;	/* until then its names of classes are good */

	/* the revision that serves */
	MemoryContext current_context;	/* NULL: it is serving.classifier */
	const Model *current;
	int32		revision;
	int			chain;			/* revisions since the last that stands on the base */

	/* labels */
	learned_hash *items;
	Truth	   *truth;			/* what they come from where items have several answers;
								 * NULL: none has */
	int			nclasses;		/* of the base, and others after them */
	int			classes_capacity;
	char	  **classes;
	int		   *count;			/* items of each */
	int			labelled;
	int			behind;			/* items whose label the base does not know */
	int			news;			/* labels changed since the last revision */
	bool		fresh;			/* no revision was computed here yet */

	/* the pool, in a context of its own */
	MemoryContext pool_context;
	int			D;				/* features as the head sees them */
	int64		generation;		/* of the ranking that they are from */
	int			ncandidates;
	int			capacity;
	char	  **candidate;
	float	   *candidate_features; /* capacity x D */
	bool	   *excluded;		/* labelled, or their rows are gone */
	bool	   *passed;			/* skipped by somebody */
	uint64	   *place;			/* in the order of the audit (audit_place) */
	uint64		audit_limit;	/* candidates up to that place are all of the
								 * unlabelled rows up to there */
	bool		had_line;		/* there were such when the pool was scored */
	candidate_hash *places;
	int			nfree;			/* not excluded */
	int			nfull;			/* candidates when the pool was scored */
	int			ntargets;
	float	   *target_features;
	bool		dirty;			/* labels, candidates have changed */
	int			first_late;		/* candidates from here on have come since the
								 * pool was scored */
	int			late_stored;	/* how many of them are in the stored tail */

	/* computed and not yet stored */
	MemoryContext next_context;
	const Model *next;			/* NULL: the model stays as it is */
	Writer		delta;
	bool		next_on_base;
	Ranking		head;
	Ranking		tail;
	bool		has_head;
	bool		has_tail;
	bool		stored;			/* by the last learner_write */
};

/* Has somebody else changed the model or the ranking that it knows? */
extern bool learner_is_stale(const Learner *learner, const Project *project);

/* NULL: there is none. */
extern Learner *learner_find(int32 project_id);

/*
 * Features, as the head sees them, of these items, n x D; items is left with
 * those that have any.
 */
extern float *learner_read_features(Learner *learner, const Project *project, char **items,
									int *n);

/* All of them anew. */
extern void candidates_read(Learner *learner, const Project *project);

/* Which of these, or with items NULL of all candidates, has somebody skipped? */
extern void candidates_read_skips(Learner *learner, const Project *project, char **items, int n);

/*
 * The candidates that the audit asks, in its order: numbers into line, which has
 * room for all.
 */
extern int	candidates_line(const Learner *learner, int *line);

/* A labelled item is none, and one whose label was taken back is one again. */
extern void candidates_exclude(Learner *learner, const LearnedItem *learned);

/* What was offered for a project, 0: for any. */
extern void candidates_forget_offered(int32 project_id);

#endif							/* HUMANLOOP_LEARNER_INTERNAL_H */
