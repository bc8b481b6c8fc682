/*-------------------------------------------------------------------------
 *
 * label.h
 *	  What people said: answers, who gave them, what they add up to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_LABEL_H
#define HUMANLOOP_LABEL_H

#include "store/project.h"
#include "store/truth.h"

/*
 * The name under which an answer is stored.  given NULL: the setting
 * humanloop.annotator, else the current role.  Naming somebody else needs
 * 'manage'; the reserved name is refused.
 */
extern char *annotator_name(const Project *project, const char *given);

/*
 * Until the end of the transaction: whoever answers holds it, and so keeps out, or
 * waits for, whoever rewrites the answers of a class (exclusive).
 */
extern void answers_lock(const Project *project, bool exclusive);

/*
 * Stores one answer an item (labels NULL: skipped), for canonical items;
 * of an item that is there twice the last answer holds.  Returns the id of
 * the last label: that of hl_labels, which stays when an answer is replaced.
 */
extern int64 answers_write(const Project *project, const char *annotator,
						   char **items, char **labels, int n, const char *reason);

/* Takes an answer back; error where there is none. */
extern void answer_undo(const Project *project, const char *annotator, char *item);

/* Labels read from the source itself, of annotator "source". */
typedef struct SourceLabels
{
	MemoryContext context;
	char	  **items;
	char	  **labels;
	int			n;
	int			capacity;
} SourceLabels;

/* Nothing but white space? */
extern bool label_is_blank(const char *label);

/*
 * Can an item have this label?  Not NULL nor blank (hint: what to do instead), and
 * of the closed list, if there is one.
 */
extern void label_check(const Project *project, const char *label, const char *hint);

extern void source_labels_init(SourceLabels *labels, MemoryContext context);
extern void source_labels_add(SourceLabels *labels, const char *item, const char *label);

/*
 * Says what is new and takes back what is gone: of these items, or with items
 * NULL of all.
 */
extern void source_labels_write(const Project *project, const SourceLabels *labels,
								char **items, int n);

/* What the answers to each labelled item add up to. */
typedef struct Consensus
{
	int			n;
	char	  **items;
	int		   *label;			/* index into classes */
	char	  **classes;		/* in byte order */
	int			nclasses;
	char	  **skipped;		/* items that somebody has skipped */
	int			nskipped;
	Truth	   *truth;			/* how sure these labels are, as truth_share; NULL: no item
								 * has two answers, and so they are taken as they are */
} Consensus;

/*
 * What a reviewer has settled; else a gold label.  Else, where no item has more than
 * one current answer, that is its label.  Else what the label model says
 * (truth_label).
 */
extern void consensus_read(const Project *project, Consensus *consensus);

/* The same with a label model that the caller may keep and change. */
extern void consensus_take(const Project *project, Consensus *consensus);

/* The same of these items: label of each, NULL where it has none. */
extern char **consensus_of_items(const Project *project, char **items, int n);

/* All items whose label is certain, settled or gold, each once; returns how many. */
extern int	known_read(const Project *project, char ***items, char ***labels);

/* Of these items the label that is certain, NULL where none is. */
extern char **known_labels(const Project *project, char **items, int n);

/*
 * The label model of all answers, with what is certain as known, as truth_share; NULL:
 * no item has two.
 */
extern Truth *labels_weigh(const Project *project, MemoryContext context);

/* Items that somebody has skipped: of these, or with items NULL of all. */
extern char **skipped_items(const Project *project, char **items, int n, int *nskipped);

#endif							/* HUMANLOOP_LABEL_H */
