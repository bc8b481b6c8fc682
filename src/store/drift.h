/*-------------------------------------------------------------------------
 *
 * drift.h
 *	  What is kept of the rows that arrive, to see whether they change.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_STORE_DRIFT_H
#define HUMANLOOP_STORE_DRIFT_H

#include "learn/drift.h"
#include "store/feature.h"

/* As hl_drift() calls them, by DriftMeasure. */
extern const char *const drift_measures[DRIFT_MEASURES];

/*
 * Begins anew for a model that has come to serve: the rows that are stored are its
 * reference, and what was asked by lot is compared, late answers with early ones.  To be
 * called before rows that have arrived are stored.  False: arrivals are not watched,
 * as nobody wants it, or there is no model, or no features that it reads.  The
 * project's lock is held.
 */
extern bool drift_follow(const Project *project);

/* Rows that have arrived and are not counted yet. */
typedef struct Arrivals
{
	const Project *project;
	bool		watched;		/* by drift_follow */
	RowsBuilder rows;
} Arrivals;

/* Rows that are added from here on have arrived; of zeros, they are not watched. */
extern void arrivals_watch(Arrivals *arrivals, const Project *project, const Encoder *encoder,
						   MemoryContext context);
extern void arrivals_add(Arrivals *arrivals, const float *dense, const unsigned char *terms,
						 size_t length);

/* Counts them, before the transaction ends.  The project's lock is held. */
extern void arrivals_count(Arrivals *arrivals);

typedef void (*DriftTell) (const Project *project, int32 model, const char *measure);

/* Has told what alarms and nobody was told of, each alarm once.  After drift_follow. */
extern void drift_tell(const Project *project, DriftTell tell);

/* What hl_drift() shows of a measure. */
typedef struct DriftReport
{
	bool		compared;		/* finding, class and alarm are there */
	int			n;				/* recent rows or answers */
	DriftFinding finding;
	char	   *class;			/* as it is called now; NULL: none */
	bool		alarm;
	Datum		alarmed_at;		/* timestamptz; where alarm */
} DriftReport;

/*
 * Under the caller's snapshot; returns the serving model, 0: none, and no report.
 * An empty one where nobody wants to watch.
 */
extern int32 drift_report(const Project *project, DriftReport report[DRIFT_MEASURES]);

/*
 * Is nothing answered alone, as it has alarmed since this model has served, and the
 * project's option drift_withdraws says so?  Under the caller's snapshot.
 */
extern bool drift_withdraws(const Project *project, int32 model, bool read_only);

#endif							/* HUMANLOOP_STORE_DRIFT_H */
