/*-------------------------------------------------------------------------
 *
 * test_label_model.c
 *	  The label model: against stored values, on data sets of real answers, and
 *	  on made-up ones whose truth is known.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/learn/label_model.h"
#include "../../src/math/beta.h"
#include "../../src/math/random.h"
#include "crowd_data.h"
#include "label_values.h"

/* From scipy.stats.beta. */
static void
test_beta(void)
{
	CHECK_NEAR(beta_probability(2.0, 3.0, 0.4), 0.5248, 1e-12);
	CHECK_NEAR(beta_probability(0.5, 0.5, 0.25), 1.0 / 3.0, 1e-12);
	CHECK_NEAR(beta_probability(1.0, 1.0, 0.7), 0.7, 1e-12);
	CHECK_NEAR(beta_quantile(1.0, 3.0, 0.5), 1.0 - pow(0.5, 1.0 / 3.0), 1e-11);
	for (double a = 0.3; a < 3000.0; a *= 3.7)
		for (double b = 0.3; b < 3000.0; b *= 4.1)
		{
			double		x = beta_quantile(a, b, 0.025);

			/* below the smallest step of x nothing can be asked for */
			if (x > 1e-11 && x < 1.0 - 1e-11)
				CHECK_NEAR(beta_probability(a, b, x), 0.025, 1e-5);
			CHECK_NEAR(beta_probability(a, b, 0.3) + beta_probability(b, a, 0.7), 1.0, 1e-10);
		}
}

/* ---------------------------------------------------------------------- */

static void
check_case(const LabelData *data, const double *posterior, const double *prior,
		   const double *weight, const double *count, double log_likelihood,
		   double classifier_weight)
{
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);
	int			rules = 0;
	LabelModel *model;

	REQUIRE(label_model_fit(&caller, data, &model) == STATUS_SUCCESS);
	for (int v = 0; v < data->voices; v++)
		rules += data->rule[v];
	CHECK(memory.peak <= label_model_memory(data->items, data->voices, rules, data->classes,
											data->n) + 64 * 1024);
	CHECK_NEAR(label_model_log_likelihood(model), log_likelihood, 1e-4);
	CHECK_NEAR(label_model_classifier_weight(model), classifier_weight, 1e-5);
	for (int i = 0; i < data->items; i++)
	{
		float		probability[8];
		double		sum = 0.0;

		label_model_posterior(model, i, probability);
		for (int t = 0; t < data->classes; t++)
			sum += posterior[i * data->classes + t];
		for (int t = 0; t < data->classes; t++)
			CHECK_NEAR(probability[t], sum > 0.0 ? posterior[i * data->classes + t]
					   : 1.0 / data->classes, 1e-5);
	}
	for (int t = 0; t < data->classes; t++)
		CHECK_NEAR(label_model_class(model, t), prior[t], 1e-5);
	for (int v = 0; v < data->voices; v++)
	{
		VoiceFigures figures;

		label_model_voice(model, v, &figures);
		CHECK_NEAR(figures.weight, weight[v], 1e-5);
		CHECK(figures.accuracy_low < figures.accuracy && figures.accuracy < figures.accuracy_high);
		for (int t = 0; t < data->classes; t++)
		{
			double		sum = 0.0;

			for (int k = 0; k < data->classes; k++)
			{
				ConfusionCell cell;

				label_model_confusion(model, v, t, k, &cell);
				CHECK_NEAR(cell.count, count[(v * data->classes + t) * data->classes + k], 1e-4);
				CHECK(cell.low <= cell.probability && cell.probability <= cell.high);
				sum += cell.probability;
			}
			CHECK_NEAR(sum, label_model_coverage(model, v, t), 1e-9);
			CHECK(data->rule[v] ? sum < 1.0 : fabs(sum - 1.0) < 1e-9);
		}
	}
	label_model_free(&caller, model);
	CHECK(memory.blocks == 0);
}

static void
test_against_reference(void)
{
	LabelData	people = {
		.items = CASE_PEOPLE_ITEMS, .voices = CASE_PEOPLE_VOICES, .classes = CASE_PEOPLE_CLASSES,
		.n = CASE_PEOPLE_ANSWERS, .item = case_people_item, .voice = case_people_voice,
		.label = case_people_label, .rule = case_people_rule, .known = case_people_known
	};
	LabelData	all = {
		.items = CASE_ALL_ITEMS, .voices = CASE_ALL_VOICES, .classes = CASE_ALL_CLASSES,
		.n = CASE_ALL_ANSWERS, .item = case_all_item, .voice = case_all_voice,
		.label = case_all_label, .rule = case_all_rule, .known = case_all_known,
		.classifier = case_all_classifier
	};

	check_case(&people, case_people_posterior, case_people_prior, case_people_weight,
			   case_people_count, CASE_PEOPLE_LOG_LIKELIHOOD, 0.0);
	check_case(&all, case_all_posterior, case_all_prior, case_all_weight, case_all_count,
			   CASE_ALL_LOG_LIKELIHOOD, CASE_ALL_CLASSIFIER_WEIGHT);
}

/* ---------------------------------------------------------------------- */

/* Share of the items with a truth whose most probable label that is. */
static double
accuracy_of(const LabelModel *model, const int *truth, int items)
{
	int			right = 0;
	int			n = 0;

	for (int i = 0; i < items; i++)
	{
		ItemLabel	label;

		label_model_item(model, i, &label);
		n += truth[i] != LABEL_NONE;
		right += truth[i] != LABEL_NONE && label.label == truth[i];
	}
	return (double) right / n;
}

/* Issue figures: at least 0.925 and 0.895, where majority vote has 0.875 and 0.759. */
static void
test_crowd(const char *name, double least)
{
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);
	Crowd		crowd;
	LabelData	data;
	LabelModel *model;
	double		accuracy;

	if (!crowd_read(name, &crowd))
	{
		printf("skipped: no data set %s\n", name);
		return;
	}
	data = crowd_data(&crowd);
	REQUIRE(label_model_fit(&caller, &data, &model) == STATUS_SUCCESS);
	accuracy = accuracy_of(model, crowd.truth, crowd.items.n);
	printf("%s: accuracy %.4f\n", name, accuracy);
	CHECK(accuracy >= least);
	label_model_free(&caller, model);
	crowd_free(&crowd);
}

/* ---------------------------------------------------------------------- */

#define ITEMS 600

/* Made-up answers: truth even over the classes, skill of each person given. */
typedef struct Made
{
	int			classes;
	int			n;
	int			truth[ITEMS];
	int			item[ITEMS * 12];
	int			voice[ITEMS * 12];
	int			label[ITEMS * 12];
} Made;

static void
say(Made *made, int item, int voice, int label)
{
	made->item[made->n] = item;
	made->voice[made->n] = voice;
	made->label[made->n++] = label;
}

static LabelData
made_data(const Made *made, int voices)
{
	return (LabelData)
	{
		.items = ITEMS, .voices = voices, .classes = made->classes, .n = made->n,
			.item = made->item, .voice = made->voice, .label = made->label
	};
}

/* Each item is answered by three of the voices, each right with its skill. */
static void
make_people(Made *made, int classes, int voices, const double *skill, uint64_t seed)
{
	Random		random;

	memset(made, 0, sizeof(*made));
	made->classes = classes;
	random_seed(&random, seed);
	for (int i = 0; i < ITEMS; i++)
	{
		int			order[16];

		made->truth[i] = (int) random_below(&random, classes);
		for (int v = 0; v < voices; v++)
			order[v] = v;
		random_shuffle(&random, order, voices);
		for (int j = 0; j < 3; j++)
		{
			bool		right = random_uniform(&random) < skill[order[j]];
			int			wrong = (made->truth[i] + 1 + (int) random_below(&random, classes - 1)) % classes;

			say(made, i, order[j], right ? made->truth[i] : wrong);
		}
	}
}

/* 77 and 1,000 classes, where nobody has said each of them even once. */
static void
test_many_classes(int classes)
{
	static const double skill[6] = {0.95, 0.9, 0.85, 0.6, 0.4, 0.3};
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);
	Made		made;
	LabelData	data;
	LabelModel *model;
	double		majority = 0.0;

	make_people(&made, classes, 6, skill, 3);
	data = made_data(&made, 6);
	memory.peak = 0;
	REQUIRE(label_model_fit(&caller, &data, &model) == STATUS_SUCCESS);
	CHECK(memory.peak <= label_model_memory(ITEMS, 6, 0, classes, made.n) + 64 * 1024);
	/* three answers of an item are beside each other; of three different ones, any */
	for (int i = 0; i < made.n; i += 3)
	{
		int			right = 0;
		bool		same = made.label[i] == made.label[i + 1] ||
			made.label[i] == made.label[i + 2] || made.label[i + 1] == made.label[i + 2];

		for (int j = 0; j < 3; j++)
			right += made.label[i + j] == made.truth[made.item[i]];
		majority += right >= 2 ? 1.0 : !same ? right / 3.0 : 0.0;
	}
	CHECK(accuracy_of(model, made.truth, ITEMS) > majority / ITEMS + 0.05);
	for (int v = 0; v < 6; v++)
	{
		VoiceFigures figures;

		label_model_voice(model, v, &figures);
		CHECK_NEAR(figures.accuracy, skill[v], 0.08);
		CHECK(figures.accuracy_low < skill[v] + 0.03 && figures.accuracy_high > skill[v] - 0.03);
	}
	label_model_free(&caller, model);
	CHECK(memory.blocks == 0);
}

/* One who says the opposite is worth as much as one who is right. */
static void
test_opposite(void)
{
	static const double skill[5] = {0.9, 0.9, 0.85, 0.85, 0.05};
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);
	Made		made;
	LabelData	data;
	LabelModel *model;
	ConfusionCell cell;

	make_people(&made, 2, 5, skill, 4);
	data = made_data(&made, 5);
	REQUIRE(label_model_fit(&caller, &data, &model) == STATUS_SUCCESS);
	label_model_confusion(model, 4, 0, 1, &cell);
	CHECK(cell.probability > 0.85 && cell.low > 0.75);
	CHECK(accuracy_of(model, made.truth, ITEMS) > 0.95);
	label_model_free(&caller, model);
}

/* One answer at a time comes to what all at once do. */
static void
test_incremental(void)
{
	static const double skill[6] = {0.95, 0.9, 0.8, 0.7, 0.6, 0.4};
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);
	Made		made;
	LabelData	data;
	LabelModel *all;
	LabelModel *model;
	ItemLabel	before;
	ItemLabel	after;
	double		difference = 0.0;

	make_people(&made, 4, 6, skill, 5);
	data = made_data(&made, 6);
	REQUIRE(label_model_fit(&caller, &data, &all) == STATUS_SUCCESS);
	data.n = made.n / 2;
	data.items = made.item[made.n / 2];
	REQUIRE(label_model_fit(&caller, &data, &model) == STATUS_SUCCESS);
	REQUIRE(label_model_add_items(&caller, model, ITEMS - data.items) == STATUS_SUCCESS);
	for (int j = made.n / 2; j < made.n; j++)
		REQUIRE(label_model_answer(&caller, model, made.item[j], made.voice[j], made.label[j]) ==
				STATUS_SUCCESS);
	for (int i = 0; i < ITEMS; i++)
	{
		float		p[4];
		float		q[4];

		label_model_posterior(all, i, p);
		label_model_posterior(model, i, q);
		for (int t = 0; t < 4; t++)
			difference += fabs(p[t] - q[t]) / (4 * ITEMS);
	}
	printf("one answer at a time: %.4f away from all at once\n", difference);
	/* not quite, as items settled early are not looked at again */
	CHECK(difference < 0.05);
	CHECK_NEAR(accuracy_of(model, made.truth, ITEMS), accuracy_of(all, made.truth, ITEMS), 0.02);

	/* what is taken back, or said once more, leaves no trace */
	label_model_item(model, 7, &before);
	REQUIRE(label_model_known(&caller, model, 7, (before.label + 1) % 4) == STATUS_SUCCESS);
	label_model_item(model, 7, &after);
	CHECK(after.known && after.label == (before.label + 1) % 4 && after.probability == 1.0f);
	CHECK(label_model_gain(model, 7, LABEL_NONE) == 0.0);
	REQUIRE(label_model_known(&caller, model, 7, LABEL_NONE) == STATUS_SUCCESS);
	label_model_item(model, 7, &after);
	CHECK(after.label == before.label);
	CHECK_NEAR(after.probability, before.probability, 1e-2);

	/* a new voice, which is believed a little, on an item that nobody has answered */
	REQUIRE(label_model_add_items(&caller, model, 1) == STATUS_SUCCESS);
	REQUIRE(label_model_add_voices(&caller, model, 1) == STATUS_SUCCESS);
	label_model_item(model, ITEMS, &before);
	CHECK(before.label == LABEL_NONE && before.answers == 0);
	REQUIRE(label_model_answer(&caller, model, ITEMS, 6, 2) == STATUS_SUCCESS);
	label_model_item(model, ITEMS, &after);
	CHECK(after.label == 2 && after.answers == 1);
	CHECK(after.probability > 0.5 && after.probability < 0.9);
	CHECK(label_model_gain(model, ITEMS, LABEL_NONE) > 0.1);
	CHECK(label_model_gain(model, ITEMS, 0) > label_model_gain(model, ITEMS, 5));
	REQUIRE(label_model_answer(&caller, model, ITEMS, 6, LABEL_NONE) == STATUS_SUCCESS);
	label_model_item(model, ITEMS, &after);
	CHECK(after.label == LABEL_NONE && after.answers == 0);
	CHECK(label_model_answer(&caller, model, ITEMS, 6, 4) == STATUS_BAD_ARGUMENT);
	CHECK(label_model_answer(&caller, model, ITEMS, 7, 0) == STATUS_BAD_ARGUMENT);
	label_model_free(&caller, model);
	label_model_free(&caller, all);
	CHECK(memory.blocks == 0);
}

/* Ten rules of two classes; then one of them eight times more. */
static void
make_rules(Made *made, int copies, uint64_t seed)
{
	Random		random;
	double		precision[10];
	double		coverage[10];

	memset(made, 0, sizeof(*made));
	made->classes = 2;
	random_seed(&random, seed);
	for (int r = 0; r < 10; r++)
	{
		coverage[r] = 0.1 + 0.2 * random_uniform(&random);
		precision[r] = r == 0 ? 0.5 : 0.6 + 0.3 * random_uniform(&random);
	}
	for (int i = 0; i < ITEMS; i++)
	{
		made->truth[i] = (int) random_below(&random, 2);
		for (int r = 0; r < 10; r++)
		{
			double		p = 2.0 * coverage[r] *
				(made->truth[i] == r % 2 ? precision[r] : 1.0 - precision[r]);

			if (random_uniform(&random) >= p)
				continue;
			say(made, i, r, r % 2);
			for (int c = 0; r == 0 && c < copies && made->n < ITEMS * 12; c++)
				say(made, i, 10 + c, 0);
		}
	}
}

static void
test_repeated_rules(void)
{
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);
	double		alone = 0.0;
	double		repeated = 0.0;
	bool		rule[18];

	for (int v = 0; v < 18; v++)
		rule[v] = true;
	for (int seed = 1; seed <= 5; seed++)
		for (int copies = 0; copies <= 8; copies += 8)
		{
			Made		made;
			LabelData	data;
			LabelModel *model;
			VoiceFigures figures;

			make_rules(&made, copies, seed);
			data = made_data(&made, 10 + copies);
			data.rule = rule;
			for (int i = 0; i < ITEMS; i++)
			{
				bool		heard = false;

				for (int j = 0; j < made.n; j++)
					heard = heard || made.item[j] == i;
				if (!heard)
					made.truth[i] = LABEL_NONE;
			}
			REQUIRE(label_model_fit(&caller, &data, &model) == STATUS_SUCCESS);
			*(copies > 0 ? &repeated : &alone) += accuracy_of(model, made.truth, ITEMS) / 5.0;
			label_model_voice(model, 0, &figures);
			CHECK(copies == 0 ? figures.weight > 0.8 : fabs(figures.weight - 1.0 / 9.0) < 0.02);
			label_model_free(&caller, model);
		}
	printf("rules: accuracy %.3f, with one of them nine times %.3f\n", alone, repeated);
	CHECK(repeated > alone - 0.03);
	CHECK(memory.blocks == 0);
}

static void
test_refusals(void)
{
	const int	zero = 0;
	const int	one = 1;
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);
	LabelData	data = {.items = 1, .voices = 1, .classes = 1, .n = 1, .item = &zero,
	.voice = &zero, .label = &one};
	LabelModel *model;
	Made		made;
	static const double skill[4] = {0.9, 0.8, 0.7, 0.6};

	CHECK(label_model_fit(&caller, &data, &model) == STATUS_BAD_ARGUMENT && model == NULL);
	data.label = &zero;
	REQUIRE(label_model_fit(&caller, &data, &model) == STATUS_SUCCESS);
	CHECK(label_model_gain(model, 0, LABEL_NONE) == 0.0);
	label_model_free(&caller, model);
	data = (LabelData) {.classes = 3};
	REQUIRE(label_model_fit(&caller, &data, &model) == STATUS_SUCCESS);
	CHECK(label_model_items(model) == 0);
	label_model_free(&caller, model);
	/* without memory, and when stopped, it leaves nothing behind */
	make_people(&made, 3, 4, skill, 6);
	data = made_data(&made, 4);
	for (long at = 1; at < 20; at++)
	{
		memory.fail_at = memory.allocations + at;
		if (label_model_fit(&caller, &data, &model) == STATUS_SUCCESS)
		{
			label_model_free(&caller, model);
			break;
		}
		CHECK(model == NULL && memory.blocks == 0);
	}
	memory.fail_at = 0;
	memory.stop_at = memory.questions + 3;
	CHECK(label_model_fit(&caller, &data, &model) == STATUS_STOPPED);
	CHECK(memory.blocks == 0);
}

/* Labelling functions: at least what the majority of them has. */
static void
test_functions(const char *name, double least)
{
	UnitMemory	memory = {0};
	Caller		caller = unit_caller(&memory);
	Crowd		crowd;
	LabelData	data;
	LabelModel *model;
	bool		rule[16];
	double		majority;
	double		accuracy;
	double		log_loss;

	if (!rules_read(name, &crowd))
	{
		printf("skipped: no data set %s\n", name);
		return;
	}
	for (int v = 0; v < 16; v++)
		rule[v] = true;
	data = crowd_data(&crowd);
	data.rule = rule;
	REQUIRE(label_model_fit(&caller, &data, &model) == STATUS_SUCCESS);
	accuracy = crowd_accuracy(model, &crowd, &log_loss);
	majority = crowd_majority(&crowd);
	printf("%s: accuracy %.4f, majority %.4f\n", name, accuracy, majority);
	CHECK(accuracy >= majority && accuracy >= least);
	label_model_free(&caller, model);
	crowd_free(&crowd);
}

int
main(void)
{
	test_beta();
	test_against_reference();
	test_many_classes(77);
	test_many_classes(1000);
	test_opposite();
	test_incremental();
	test_repeated_rules();
	test_refusals();
	test_crowd("crowd_rte", 0.925);
	test_crowd("crowd_bluebird", 0.895);
	test_functions("youtube_spam", 0.86);
	test_functions("hausa_news", 0.5);
	return unit_end();
}
