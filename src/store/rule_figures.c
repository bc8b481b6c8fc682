/*-------------------------------------------------------------------------
 *
 * rule_figures.c
 *	  How much rules say, how often they agree, and how often they are right.
 *
 * Right is what people say: what other rules say is no truth.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/pool.h"
#include "store/rule_figures.h"
#include "store/session.h"

typedef struct Measuring
{
	const Rules *rules;
	RuleFigures *figures;
	const Consensus *consensus;
	LabelledItems *labelled;
} Measuring;

const char *
vote_label(const Rules *rules, int number, int code, int *index)
{
	const Rule *rule = rules_find(rules, number);

	if (rule == NULL || !rule_counts(rule) || code >= rule->nsaid)
		return NULL;
	*index = (int) (rule - rules->rule);
	return rule->labels[code];
}

static void
measure_item(const RuleVotes *votes, void *argument)
{
	Measuring  *measuring = argument;
	const char **label = palloc_array_checked(const char *, votes->n);
	int		   *rule = palloc_array_checked(int, votes->n);
	int			index = labelled_index(measuring->labelled, votes->item);
	const char *truth = index < 0 ? NULL :
		measuring->consensus->classes[measuring->consensus->label[index]];
	bool		conflict = false;
	int			n = 0;

	for (int i = 0; i < votes->n; i++)
	{
		label[n] = vote_label(measuring->rules, votes->number[i], votes->code[i], &rule[n]);
		if (label[n] == NULL)
			continue;
		/* two that differ: each of all has one that differs from it */
		conflict = conflict || strcmp(label[n], label[0]) != 0;
		n++;
	}
	for (int i = 0; i < n; i++)
	{
		RuleFigures *figures = &measuring->figures[rule[i]];

		figures->votes++;
		figures->overlaps += n > 1;
		figures->conflicts += conflict;
		figures->compared += truth != NULL;
		figures->right += truth != NULL && strcmp(label[i], truth) == 0;
	}
}

RuleFigures *
rules_measure(const Project *project, const Rules *rules, const Consensus *consensus,
			  bool read_only)
{
	Measuring	measuring = {.rules = rules, .consensus = consensus};

	measuring.figures = palloc_array_checked(RuleFigures, rules->n);
	memset(measuring.figures, 0, sizeof(RuleFigures) * rules->n);
	measuring.labelled = labelled_items(consensus, CurrentMemoryContext);
	rule_votes_scan(project, NULL, 0, read_only, measure_item, &measuring);
	return measuring.figures;
}
