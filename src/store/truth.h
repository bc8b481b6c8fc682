/*-------------------------------------------------------------------------
 *
 * truth.h
 *	  What items' labels truly are, where several have answered.
 *
 * Where each item has one answer, that is its label, and there is nothing here.
 * As soon as somebody's answers can be held against somebody else's, the label
 * model (learn/label_model.h) says how far each is believed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_TRUTH_H
#define HUMANLOOP_TRUTH_H

#include "learn/label_model.h"
#include "store/project.h"

typedef struct Truth Truth;

/* Less of a soft label is left out. */
#define LEAST_SOFT_WEIGHT 0.01f

/* Has any item two answers? */
extern bool truth_is_needed(const Project *project);

/*
 * Fits the label model of all current answers, in a context below the one given.
 * The labels of these n items are certain, whatever else is said of them.  Needs SPI
 * connected.
 */
extern Truth *truth_read(const Project *project, char **known_items, char **known_labels,
						 int nknown, MemoryContext context);
extern void truth_free(Truth *truth);

/*
 * The same for whoever only looks at it: it may be one that this session has fitted to
 * the same answers before.  It is there as long as the context; it is not to be
 * freed, kept or updated.
 */
extern Truth *truth_share(const Project *project, char **known_items, char **known_labels,
						  int nknown, MemoryContext context);

/* From now on it belongs to that context; returns it. */
extern Truth *truth_keep(Truth *truth, MemoryContext context);

/*
 * Does any of these items have more than one answer?  Then their labels depend
 * on everybody's.
 */
extern bool truth_concerns(const Project *project, char **items, int n);

/*
 * Takes up what is said of these items now.  known: of each the label that is
 * certain, or NULL; the array NULL: nothing of that has changed.  False: there is a
 * class that is not known, which takes reading it anew.
 */
extern bool truth_update(Truth *truth, const Project *project, char **items, char **known,
						 int n);

/* What an item's label is, for certain or as answered; NULL where nobody has given one. */
extern const char *truth_label(const Truth *truth, const char *item);

/* Of each class of the label model, its number among n names, or -1. */
extern int *truth_class_numbers(const Truth *truth, char **classes, int n);

/*
 * An answer that nothing can be held against is taken at its word, unless who has
 * given it has been shown (at 97.5 %) to be right less often than this.
 */
#define TRUSTED_ACCURACY 0.9

/*
 * The item's posterior as up to LABEL_SUPPORT classes, whose numbers are those of
 * truth_class_numbers (others are left out), with weights that sum to 1.  Returns
 * how many, 0 where nothing is known.
 */
extern int	truth_soft_label(Truth *truth, const char *item, const int *numbers,
							 int *class, float *weight);

/*
 * The same label model with one more voice: what a classifier that has not seen
 * an item says of it, probability (rows of items, nrows x n, by class as in
 * classes).
 */
extern Truth *truth_with_classifier(const Truth *truth, char **items, int nrows,
									const float *probability, char **classes, int n,
									MemoryContext context);

/* How probable that label is of the item, after all answers; NAN: it has none. */
extern double truth_probability(const Truth *truth, const char *item, const char *label);

/* The label model, and who its voices are. */
extern const LabelModel *truth_model(const Truth *truth);
extern int	truth_voices(const Truth *truth, char ***names);
extern int	truth_classes(const Truth *truth, char ***names);

/* The number of an item in the model; -1: it has no answers. */
extern int	truth_item(const Truth *truth, const char *item);

#endif							/* HUMANLOOP_TRUTH_H */
