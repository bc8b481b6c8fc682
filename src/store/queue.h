/*-------------------------------------------------------------------------
 *
 * queue.h
 *	  The queue as it is stored: ranking and leases.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_QUEUE_H
#define HUMANLOOP_QUEUE_H

#include "datatype/timestamp.h"

#include "store/project.h"

/* What the model thinks is worth asking, best first; parallel arrays. */
typedef struct Ranking
{
	int64		rest;			/* ranking_generation() of these parts before the */
	int64		tail;			/* pool was read; rest -1: whatever it was */
	int32		model;			/* 0: none, a seed batch */
	int32		revision;
	int			n;
	char	  **items;
	float	   *score;			/* NAN: none */
	float	   *epistemic;
	float	   *aleatoric;
	char	  **label;			/* suggestion; NULL: none */
	float	   *confidence;
	const char **reason;
	char	  **spare;			/* a sample of the pool, for when all that is
								 * answered; items only */
	int			nspare;
} Ranking;

extern void ranking_init(Ranking *ranking, int capacity);

/* Appends an item without scores. */
extern void ranking_add_item(Ranking *ranking, char *item, const char *reason);

/* The same with what the model says of it; value is its worth. */
extern void ranking_add_scored(Ranking *ranking, char *item, float value, const Score *score,
							   char *label, const char *reason);

/* Why such an item is asked. */
extern const char *scored_reason(Acquisition acquisition);

/* The head of a ranking is stored apart, as it is what changes all the time. */
#define RANKING_HEAD 128

typedef enum RankingPart
{
	RANKING_HEAD_PART,
	RANKING_REST_PART,			/* the whole ranking, as it was made */
	RANKING_TAIL_PART,			/* rows that have come since */
	RANKING_SPARE_PART,			/* a sample of the pool; items only */
	RANKING_TARGETS_PART,		/* a uniform sample of the pool; items only */
	RANKING_PARTS
} RankingPart;

/* As in hl_ranking.part. */
extern const char *ranking_part_name(RankingPart part);

/* Counts how often a part was written; 0: it is not there. */
extern int64 ranking_generation(const Project *project, RankingPart part);

/*
 * Replaces the project's ranking and makes its items leasable.  targets may
 * be NULL.  A tail that was written since ranking->tail stays.
 */
extern void ranking_write(const Project *project, const Ranking *ranking,
						  const Ranking *targets);

/* Has somebody else ranked the pool since this was begun? */
extern bool ranking_outdated(const Project *project, const Ranking *ranking);

/*
 * Takes items whose rows are gone out of all that is stored of the queue, and
 * their leases.  The project's lock is held.
 */
extern void ranking_forget(const Project *project, char **items, int n);

/* The same for all that the source does not have any more. */
extern void ranking_check(const Project *project);

/* Was the whole pool scored by this model, and not by one before it? */
extern bool ranking_is_of(const Project *project, int32 model);

/* Lease rows for items that have none; as the extension it is done. */
extern void leases_add(const Project *project, char **items, int n);

/* Replaces its head only; every item has been in the ranking before. */
extern void ranking_write_head(const Project *project, const Ranking *head);

/* Replaces the tail, and makes its items leasable. */
extern void ranking_write_tail(const Project *project, const Ranking *tail);

/* lease.c: an item handed to somebody. */
typedef struct Lease
{
	char	   *item;
	char	   *label;
	double		confidence;
	double		epistemic;
	bool		has_scores;
	char	   *reason;
	TimestampTz until;
} Lease;

/*
 * Leases up to n items to an annotator, in order of the ranking, without
 * waiting for anybody; skipping those in refused.  Returns how many; SPI.
 */
extern int	leases_take(const Project *project, const char *annotator, int n,
						Interval *duration, char **refused, int nrefused, Lease *leases);

/*
 * Under REPEATABLE READ: a serialization failure where the annotator has answered
 * one of them, or skipped it, since the transaction's snapshot.
 */
extern void leases_check_answers(const Project *project, const char *annotator,
								 const Lease *leases, int n);

/* Those that the last result has: item, label, confidence, epistemic, reason, until. */
extern int	leases_read(Lease *leases);

/* Gives one back at once. */
extern void lease_release(const Project *project, const char *annotator, char *item);

/* Makes items leasable; those that are already are not touched. */
extern void leases_add(const Project *project, char **items, int n);

#endif							/* HUMANLOOP_QUEUE_H */
