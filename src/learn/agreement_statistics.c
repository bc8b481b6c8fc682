/*-------------------------------------------------------------------------
 *
 * agreement_statistics.c
 *	  How far people who label the same items agree, beyond what chance gives.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agreement_statistics.h"
#include "metrics.h"
#include "../math/random.h"

/* How many of an item's answers are of a class. */
typedef struct Votes
{
	int			class;
	int			count;
} Votes;

/* The items with two answers or more, as counts by class. */
typedef struct Counted
{
	int			items;
	int			classes;
	int		   *start;			/* items + 1: where an item's votes begin */
	int		   *answers;		/* items: how many */
	Votes	   *votes;			/* start[items] of them */
} Counted;

/* Sums over a sample of the items, from which the coefficients are made. */
typedef struct Sums
{
	double		items;
	double		answers;
	double		disagreement;	/* of alpha: sum over items of answers times the
								 * share of their pairs that differ */
	double		agreeing;		/* of kappa: sum of the shares that agree */
	double	   *count;			/* classes: answers */
	double	   *share;			/* classes: sum over items of its share of their
								 * answers */
	double	   *apart;			/* classes: disagreement on "this class or not" */
} Sums;

/* ---------------------------------------------------------------------- */
/* Counting */

static int
compare_labels(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

static bool
table_is_well(const AnswerTable *table)
{
	for (int j = 0; j < table->n; j++)
	{
		if (table->item[j] < 0 || table->item[j] >= table->items ||
			table->annotator[j] < 0 || table->annotator[j] >= table->annotators ||
			table->label[j] < 0 || table->label[j] >= table->classes ||
			(j > 0 && table->item[j] < table->item[j - 1]))
			return false;
	}
	return true;
}

/* One past the last answer to the item of answer j. */
static int
item_end(const AnswerTable *table, int j)
{
	int			end = j + 1;

	while (end < table->n && table->item[end] == table->item[j])
		end++;
	return end;
}

/* labels: of one item, n of them, put in order. */
static void
count_votes(Counted *counted, int *labels, int n)
{
	int			place = counted->start[counted->items];

	qsort(labels, n, sizeof(int), compare_labels);
	for (int i = 0; i < n; i++)
	{
		if (i == 0 || labels[i] != labels[i - 1])
			counted->votes[place++] = (Votes) {.class = labels[i]};
		counted->votes[place - 1].count++;
	}
	counted->answers[counted->items++] = n;
	counted->start[counted->items] = place;
}

static void
counted_free(const Caller *caller, Counted *counted)
{
	release(caller, counted->start);
	release(caller, counted->answers);
	release(caller, counted->votes);
}

static Status
count_items(const Caller *caller, const AnswerTable *table, Counted *counted)
{
	int		   *labels = allocate_array(caller, table->n, sizeof(int));

	counted->classes = table->classes;
	counted->start = allocate_array(caller, (size_t) table->items + 1, sizeof(int));
	counted->answers = allocate_array(caller, table->items, sizeof(int));
	counted->votes = allocate_array(caller, table->n, sizeof(Votes));
	if (labels == NULL || counted->start == NULL || counted->answers == NULL ||
		counted->votes == NULL)
	{
		release(caller, labels);
		return STATUS_NO_MEMORY;
	}
	for (int j = 0, end; j < table->n; j = end)
	{
		end = item_end(table, j);
		if (end - j < 2)
			continue;
		memcpy(labels, table->label + j, sizeof(int) * (end - j));
		count_votes(counted, labels, end - j);
	}
	release(caller, labels);
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------- */
/* Sums and coefficients */

static void
sums_clear(Sums *sums, int classes)
{
	sums->items = sums->answers = sums->disagreement = sums->agreeing = 0.0;
	memset(sums->count, 0, sizeof(double) * classes);
	memset(sums->share, 0, sizeof(double) * classes);
	memset(sums->apart, 0, sizeof(double) * classes);
}

static Status
sums_allocate(const Caller *caller, int classes, Sums *sums)
{
	sums->count = allocate_array(caller, classes, sizeof(double));
	sums->share = allocate_array(caller, classes, sizeof(double));
	sums->apart = allocate_array(caller, classes, sizeof(double));
	return sums->count == NULL || sums->share == NULL || sums->apart == NULL ?
		STATUS_NO_MEMORY : STATUS_SUCCESS;
}

static void
sums_free(const Caller *caller, Sums *sums)
{
	release(caller, sums->count);
	release(caller, sums->share);
	release(caller, sums->apart);
}

/*
 * An item with m answers has m (m - 1) pairs of them, counted both ways.  For
 * alpha each answer weighs the same, so its pairs weigh 1 / (m - 1); for kappa
 * each item.
 */
static void
sums_add(Sums *sums, const Counted *counted, int item)
{
	double		m = counted->answers[item];
	double		agreeing = 0.0;

	for (int v = counted->start[item]; v < counted->start[item + 1]; v++)
	{
		int			class = counted->votes[v].class;
		double		count = counted->votes[v].count;

		agreeing += count * (count - 1.0);
		sums->count[class] += count;
		sums->share[class] += count / m;
		sums->apart[class] += 2.0 * count * (m - count) / (m - 1.0);
	}
	sums->items += 1.0;
	sums->answers += m;
	sums->disagreement += m - agreeing / (m - 1.0);
	sums->agreeing += agreeing / (m * (m - 1.0));
}

/*
 * Krippendorff's alpha, 1 - (n - 1) * observed / (n^2 - sum of squared counts):
 * NaN where all answers are of one class.
 */
static double
alpha_of(double answers, double squares, double disagreement)
{
	double		expected = answers * answers - squares;

	return expected > 0.0 ? 1.0 - (answers - 1.0) * disagreement / expected : NAN;
}

static double
alpha_all(const Sums *sums, int classes, double disagreement)
{
	double		squares = 0.0;

	for (int k = 0; k < classes; k++)
		squares += sums->count[k] * sums->count[k];
	return alpha_of(sums->answers, squares, disagreement);
}

static double
alpha_class(const Sums *sums, int class, double disagreement)
{
	double		count = sums->count[class];
	double		others = sums->answers - count;

	return alpha_of(sums->answers, count * count + others * others, disagreement);
}

/* Fleiss' kappa with that share of agreeing pairs. */
static double
kappa_all(const Sums *sums, int classes, double observed)
{
	double		expected = 0.0;

	for (int k = 0; k < classes; k++)
		expected += pow(sums->share[k] / sums->items, 2.0);
	return expected < 1.0 ? (observed - expected) / (1.0 - expected) : NAN;
}

/* ---------------------------------------------------------------------- */
/* Intervals */

/* What the resamples gave: for alpha, kappa and each class so many numbers. */
typedef struct Resamples
{
	int			count;
	double	   *value;			/* (2 + classes) x count */
} Resamples;

static int
compare_doubles(const void *a, const void *b)
{
	double		first = *(const double *) a;
	double		second = *(const double *) b;

	return first < second ? -1 : first > second;
}

/*
 * The interval between the percentiles, of the resamples in which the
 * coefficient exists.  value is put in order.
 */
static void
percentiles(double *value, int count, Coefficient *coefficient)
{
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		if (!isnan(value[i]))
			value[n++] = value[i];
	}
	qsort(value, n, sizeof(double), compare_doubles);
	if (n == 0)
	{
		coefficient->low = coefficient->high = NAN;
		return;
	}
	coefficient->low = value[(int) floor(0.025 * (n - 1))];
	coefficient->high = value[(int) ceil(0.975 * (n - 1))];
}

static Status
resample(const Caller *caller, const Counted *counted, uint64_t seed, Resamples *resamples)
{
	int			classes = counted->classes;
	Sums		sums = {0};
	Random		random;
	Status		status = sums_allocate(caller, classes, &sums);

	random_seed(&random, seed);
	for (int r = 0; r < resamples->count && status == STATUS_SUCCESS; r++)
	{
		double	   *value = resamples->value + r;
		size_t		stride = resamples->count;

		sums_clear(&sums, classes);
		for (int i = 0; i < counted->items; i++)
		{
			if (i % 4096 == 0 && stopped(caller))
			{
				status = STATUS_STOPPED;
				break;
			}
			sums_add(&sums, counted, (int) random_below(&random, counted->items));
		}
		value[0] = alpha_all(&sums, classes, sums.disagreement);
		value[stride] = kappa_all(&sums, classes, sums.agreeing / sums.items);
		for (int k = 0; k < classes; k++)
			value[(2 + k) * stride] = alpha_class(&sums, k, sums.apart[k]);
	}
	sums_free(caller, &sums);
	return status;
}

/*
 * Where no item has a disagreement: the share of them that might have had one all
 * the same, of the whole disagreement that an item can have.
 */
static double
unseen_disagreement(const Sums *sums)
{
	double		low;
	double		high;

	wilson_interval(0.0, sums->items, &low, &high);
	return high;
}

static void
finish(const Counted *counted, const Sums *sums, Resamples *resamples, GroupAgreement *agreement)
{
	int			classes = counted->classes;
	size_t		stride = resamples->count;
	double		unseen = unseen_disagreement(sums);
	/* one item alone, drawn again and again, does not differ from itself */
	int			count = counted->items < 2 && sums->disagreement > 0.0 ? 0 : resamples->count;

	agreement->alpha.value = alpha_all(sums, classes, sums->disagreement);
	percentiles(resamples->value, count, &agreement->alpha);
	if (sums->disagreement == 0.0)
		agreement->alpha.low = alpha_all(sums, classes, unseen * sums->answers);
	agreement->kappa.value = kappa_all(sums, classes, sums->agreeing / sums->items);
	percentiles(resamples->value + stride, count, &agreement->kappa);
	if (sums->disagreement == 0.0)
		agreement->kappa.low = kappa_all(sums, classes, 1.0 - unseen);
	for (int k = 0; k < classes; k++)
	{
		Coefficient *class = &agreement->of_class[k];

		class->items = counted->items;
		class->value = alpha_class(sums, k, sums->apart[k]);
		percentiles(resamples->value + (2 + k) * stride, count, class);
		if (sums->apart[k] == 0.0)
			class->low = alpha_class(sums, k, unseen * sums->answers);
	}
	agreement->alpha.items = agreement->kappa.items = counted->items;
}

static int
replicates(const Counted *counted)
{
	double		affordable = RESAMPLED_ANSWERS / (counted->start[counted->items] + 1.0);

	return (int) fmax(LEAST_REPLICATES, fmin(AGREEMENT_REPLICATES, affordable));
}

/* Into agreement, whose figures are NaN so far. */
static Status
measure_group(const Caller *caller, const Counted *counted, uint64_t seed, Sums *sums,
			  Resamples *resamples, GroupAgreement *agreement)
{
	if (counted->items == 0)
		return STATUS_SUCCESS;
	TRY(sums_allocate(caller, counted->classes, sums));
	for (int i = 0; i < counted->items; i++)
		sums_add(sums, counted, i);
	resamples->count = replicates(counted);
	resamples->value = allocate_array(caller, (2 + (size_t) counted->classes) * resamples->count,
									  sizeof(double));
	if (resamples->value == NULL)
		return STATUS_NO_MEMORY;
	TRY(resample(caller, counted, seed, resamples));
	finish(counted, sums, resamples, agreement);
	return STATUS_SUCCESS;
}

Status
group_agreement(const Caller *caller, const AnswerTable *table, uint64_t seed,
				GroupAgreement *agreement)
{
	Counted		counted = {0};
	Sums		sums = {0};
	Resamples	resamples = {0};
	Status		status;

	agreement->alpha = agreement->kappa = (Coefficient) {NAN, NAN, NAN, 0};
	for (int k = 0; k < table->classes; k++)
		agreement->of_class[k] = agreement->alpha;
	if (!table_is_well(table))
		return STATUS_BAD_ARGUMENT;
	status = count_items(caller, table, &counted);
	if (status == STATUS_SUCCESS)
		status = measure_group(caller, &counted, seed, &sums, &resamples, agreement);
	counted_free(caller, &counted);
	sums_free(caller, &sums);
	release(caller, resamples.value);
	return status;
}

size_t
group_agreement_memory(const AnswerTable *table)
{
	return (size_t) table->n * (sizeof(Votes) + sizeof(int)) +
		(size_t) table->items * 2 * sizeof(int) +
		((size_t) table->classes + 2) * (AGREEMENT_REPLICATES + 6) * sizeof(double);
}

/* ---------------------------------------------------------------------- */
/* Pairs */

/* What two annotators have said of one item. */
typedef struct Both
{
	int			first;
	int			second;
	int			first_label;
	int			second_label;
} Both;

static int
compare_boths(const void *a, const void *b)
{
	const Both *one = a;
	const Both *other = b;

	return one->first != other->first ? one->first - other->first : one->second - other->second;
}

static size_t
count_boths(const AnswerTable *table)
{
	size_t		count = 0;

	for (int j = 0, end; j < table->n; j = end)
	{
		end = item_end(table, j);
		count += (size_t) (end - j) * (end - j - 1) / 2;
	}
	return count;
}

static void
collect_boths(const AnswerTable *table, Both *boths)
{
	for (int j = 0, end; j < table->n; j = end)
	{
		end = item_end(table, j);
		for (int a = j; a < end; a++)
		{
			for (int b = j; b < end; b++)
			{
				if (table->annotator[a] < table->annotator[b])
					*boths++ = (Both) {table->annotator[a], table->annotator[b], table->label[a],
					table->label[b]};
			}
		}
	}
}

/*
 * Kappa of n items.  Without a table of counts, which would be classes wide for
 * each pair: product is classes wide and all zero, and is left so.
 */
static void
pair_kappa(const Both *boths, int n, int *product, Coefficient *kappa)
{
	double		agreed = 0.0;
	double		expected = 0.0;
	double		low;
	double		high;

	for (int i = 0; i < n; i++)
	{
		agreed += boths[i].first_label == boths[i].second_label;
		product[boths[i].second_label]++;
	}
	/* each answer of the first, times how often the second gives it */
	for (int i = 0; i < n; i++)
		expected += product[boths[i].first_label];
	for (int i = 0; i < n; i++)
		product[boths[i].second_label] = 0;
	expected /= (double) n * n;
	*kappa = (Coefficient) {NAN, NAN, NAN, n};
	if (expected >= 1.0)
		return;
	wilson_interval(agreed, n, &low, &high);
	kappa->value = (agreed / n - expected) / (1.0 - expected);
	kappa->low = (low - expected) / (1.0 - expected);
	kappa->high = (high - expected) / (1.0 - expected);
}

static int
count_pairs(const Both *boths, size_t n)
{
	int			pairs = 0;

	for (size_t i = 0; i < n; i++)
		pairs += i == 0 || compare_boths(&boths[i - 1], &boths[i]) != 0;
	return pairs;
}

static Status
measure_pairs(const Caller *caller, const Both *boths, size_t n, int *product,
			  PairAgreement *pairs)
{
	size_t		end;

	for (size_t i = 0; i < n; i = end, pairs++)
	{
		if (stopped(caller))
			return STATUS_STOPPED;
		end = i + 1;
		while (end < n && compare_boths(&boths[i], &boths[end]) == 0)
			end++;
		pairs->first = boths[i].first;
		pairs->second = boths[i].second;
		pair_kappa(boths + i, (int) (end - i), product, &pairs->kappa);
	}
	return STATUS_SUCCESS;
}

Status
pair_agreements(const Caller *caller, const AnswerTable *table, PairAgreement **pairs, int *n)
{
	size_t		count;
	Both	   *boths;
	int		   *product;
	Status		status = STATUS_NO_MEMORY;

	*pairs = NULL;
	*n = 0;
	if (!table_is_well(table))
		return STATUS_BAD_ARGUMENT;
	count = count_boths(table);
	boths = allocate_array(caller, count, sizeof(Both));
	product = allocate_array(caller, table->classes, sizeof(int));
	if (boths != NULL && product != NULL)
	{
		collect_boths(table, boths);
		qsort(boths, count, sizeof(Both), compare_boths);
		*n = count_pairs(boths, count);
		*pairs = allocate_array(caller, *n, sizeof(PairAgreement));
		if (*pairs != NULL)
			status = measure_pairs(caller, boths, count, product, *pairs);
	}
	release(caller, boths);
	release(caller, product);
	if (status != STATUS_SUCCESS)
	{
		release(caller, *pairs);
		*pairs = NULL;
		*n = 0;
	}
	return status;
}

size_t
pair_agreements_memory(const AnswerTable *table)
{
	return count_boths(table) * (sizeof(Both) + sizeof(PairAgreement)) +
		(size_t) table->classes * sizeof(int);
}
