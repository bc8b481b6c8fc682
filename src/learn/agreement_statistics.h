/*-------------------------------------------------------------------------
 *
 * agreement_statistics.h
 *	  How far people who label the same items agree, beyond what chance gives.
 *
 * (Whether two models agree is another matter: metrics.h, store/agreement.c.)
 *
 * Three coefficients, all 1 - D/E with D the disagreement that is there and E
 * the one that chance would bring.  They are 1 where nobody disagrees, 0 where
 * people answer as if they did not look, and below that where they avoid each
 * other.  They differ in whose chance: two people's own habits (Cohen), or
 * the habits of all together (Fleiss, Krippendorff).
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_AGREEMENT_STATISTICS_H
#define HUMANLOOP_AGREEMENT_STATISTICS_H

#include "../math/base.h"

/*
 * Answers as a long table, in the order of the items: answer j says that item
 * item[j] is of class label[j] and comes from annotator[j].  Nobody answers an item
 * twice; an answer that is not there is missing.
 */
typedef struct AnswerTable
{
	int			n;
	int			items;			/* item[j] in [0, items), never falling */
	int			annotators;
	int			classes;
	const int  *item;
	const int  *annotator;
	const int  *label;
} AnswerTable;

/* A coefficient; NaN where it does not exist, as all answers are the same class. */
typedef struct Coefficient
{
	double		value;
	double		low;			/* 95 % interval */
	double		high;
	int			items;			/* with two answers or more, which it is of */
} Coefficient;

/* Of all answers to items that have two or more. */
typedef struct GroupAgreement
{
	Coefficient alpha;			/* Krippendorff's, nominal */
	Coefficient kappa;			/* Fleiss' */
	Coefficient *of_class;		/* classes: alpha of "this class or not" */
} GroupAgreement;

/*
 * Krippendorff's alpha for nominal data with missing values (Krippendorff,
 * "Content Analysis", 2004, chapter 11), and Fleiss' kappa (Fleiss, "Measuring
 * nominal scale agreement among many raters", Psychological Bulletin 76, 1971),
 * generalised to items with different numbers of answers: the share of agreeing
 * pairs and the shares of the classes are taken item by item, and averaged over
 * the items (Gwet, "Handbook of Inter-Rater Reliability", 2014, chapter 2), here of
 * the same items for both.
 *
 * Intervals: bootstrap over items, percentiles of AGREEMENT_REPLICATES
 * resamples, which for both coefficients is what keeps its level best (Zapf,
 * Castell, Morawietz and Karch, "Measuring inter-rater reliability for nominal
 * data - which coefficients and confidence intervals are appropriate?", BMC
 * Medical Research Methodology 16, 2016).  The same seed gives the same interval.
 * A resample of items on which nobody disagrees shows nothing of the items that
 * were not drawn: where no item has a disagreement, low is the coefficient with
 * as many as the upper bound of Wilson's interval of none in so many items.
 *
 * of_class is lent by the caller; all are NaN where no item has two answers.
 */
extern Status group_agreement(const Caller *caller, const AnswerTable *table, uint64_t seed,
							  GroupAgreement *agreement);

/* Of more answers there are fewer resamples, but LEAST_REPLICATES. */
#define AGREEMENT_REPLICATES 1000
#define LEAST_REPLICATES 200
#define RESAMPLED_ANSWERS 500000000.0

/* Two annotators who have answered some of the same items. */
typedef struct PairAgreement
{
	int			first;			/* < second */
	int			second;
	Coefficient kappa;			/* Cohen's */
} PairAgreement;

/*
 * Cohen's kappa of each pair of annotators with items in common, by first and
 * second (Cohen, "A coefficient of agreement for nominal scales", Educational and
 * Psychological Measurement 20, 1960).  As in his standard error the agreement by
 * chance p_e is taken as known; then kappa = (p_o - p_e) / (1 - p_e) rises with
 * the share p_o of the items on which they agree, and its interval is that of
 * p_o, Wilson's, which is one also where they always agree.
 *
 * *pairs is the caller's to release.
 */
extern Status pair_agreements(const Caller *caller, const AnswerTable *table,
							  PairAgreement **pairs, int *n);

/* Bytes that either of the two holds at most; for the plan against work_mem. */
extern size_t group_agreement_memory(const AnswerTable *table);
extern size_t pair_agreements_memory(const AnswerTable *table);

#endif							/* HUMANLOOP_AGREEMENT_STATISTICS_H */
