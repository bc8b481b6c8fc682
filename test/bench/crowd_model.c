/*-------------------------------------------------------------------------
 *
 * crowd_model.c
 *	  How right the label model is on answers whose truth is known: for test/bench/crowd.
 *
 *-------------------------------------------------------------------------
 */
#include <time.h>

#include "../unit/crowd_data.h"

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void
show(const char *name, const Crowd *crowd, const bool *rule)
{
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);
	LabelData	data = crowd_data(crowd);
	LabelModel *model;
	double		began = seconds();
	double		log_loss;
	double		accuracy;

	data.rule = rule;
	if (label_model_fit(&caller, &data, &model) != STATUS_SUCCESS)
		exit(1);
	began = seconds() - began;
	accuracy = crowd_accuracy(model, crowd, &log_loss);
	printf("%-15s %6d %6d %7d %9.4f %9.4f %9.3f %9.1f\n", name, crowd->items.n, crowd->voices.n,
		   crowd->n, crowd_majority(crowd), accuracy, log_loss, 1000.0 * began);
	label_model_free(&caller, model);
}

int
main(void)
{
	static const char *const people[] = {"crowd_rte", "crowd_bluebird"};
	static const char *const rules[] = {"youtube_spam", "hausa_news"};
	static bool rule[64];
	Crowd		crowd;

	printf("%-15s %6s %6s %7s %9s %9s %9s %9s\n", "data", "items", "voices", "answers",
		   "majority", "model", "log loss", "ms");
	for (int i = 0; i < 2; i++)
		if (crowd_read(people[i], &crowd))
		{
			show(people[i], &crowd, NULL);
			crowd_free(&crowd);
		}
	for (int v = 0; v < 64; v++)
		rule[v] = true;
	for (int i = 0; i < 2; i++)
		if (rules_read(rules[i], &crowd))
		{
			show(rules[i], &crowd, rule);
			crowd_free(&crowd);
		}
	return 0;
}
