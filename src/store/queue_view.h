/*-------------------------------------------------------------------------
 *
 * queue_view.h
 *	  The view that shows a project's queue: it comes, goes, and comes again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_QUEUE_VIEW_H
#define HUMANLOOP_QUEUE_VIEW_H

#include "store/project.h"

/* Creates hl_queue_<project>, as the current user. */
extern Oid	project_create_view(const Project *project);

/* An error where something else depends on it. */
extern void view_drop(const Project *project);

/*
 * The view, where it has been dropped: as the project's owner (the source's
 * where that role is gone), with the rights that follow from the privileges.
 */
extern void view_restore(Project *project);

/* Could he create it again?  Then it may be dropped for a moment. */
extern bool view_restorable(const Project *project);

/* SELECT on the view goes with the privileges, as the project's owner. */
extern void view_adjust(const Project *project, Oid role);

#endif							/* HUMANLOOP_QUEUE_VIEW_H */
