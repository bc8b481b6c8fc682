/*-------------------------------------------------------------------------
 *
 * test_update.c
 *	  Revisions of a model: what new answers do to it, how it is stored, and
 *	  the order of the queue that follows.
 *
 *-------------------------------------------------------------------------
 */
#include "learn_data.h"

#include "../../src/learn/delta.h"
#include "../../src/learn/model_internal.h"
#include "../../src/learn/requeue.h"
#include "../../src/learn/update.h"
#include "../../src/math/matrix.h"

#define DIMS 16
#define CLASSES 5
#define SEEN 120				/* rows that the base was trained with */
#define ROWS 200				/* and all there are */

/* A base, and rows of which it has seen the first SEEN. */
typedef struct Setting
{
	Data		data;
	Model	   *base;
	int			label[ROWS];	/* no change at first */
	int			before[ROWS];
} Setting;

static void
make_setting(const Caller *caller, int refine, Setting *s)
{
	Data		seen;

	s->data = make_data(ROWS, DIMS, CLASSES, 1.5, 1, 2);
	s->data.rows.sparse = &s->data.sparse;
	seen = s->data;
	seen.rows.n = SEEN;
	seen.sparse.n = SEEN;
	seen.rows.sparse = &seen.sparse;
	REQUIRE(train(caller, &seen, refine, &s->base, NULL) == STATUS_SUCCESS);
	for (int i = 0; i < ROWS; i++)
		s->label[i] = s->before[i] = i < SEEN ? s->data.label[i] : -1;
}

static void
free_setting(const Caller *caller, Setting *s)
{
	model_free(caller, s->base);
	free_data(&s->data);
}

/* Labels the next count rows that the base has not seen. */
static void
label_new(Setting *s, int count)
{
	for (int i = SEEN; i < SEEN + count; i++)
		s->label[i] = s->data.label[i];
}

static Model *
update(const Caller *caller, const Setting *s, const Model *start)
{
	Model	   *model;

	REQUIRE(model_update(caller, s->base, start, &s->data.rows, s->label, s->before,
						 &model) == STATUS_SUCCESS);
	return model;
}

/* The largest difference of a logit's weight. */
static double
difference(const Model *a, const Model *b)
{
	double		worst = 0.0;

	for (int i = 0; i < a->features * a->classes; i++)
		worst = fmax(worst, fabs(a->weights[i] - b->weights[i]) * a->scale);
	return worst;
}

static bool
same_model(const Model *a, const Model *b)
{
	size_t		K = a->classes;
	const Posterior *p = a->posterior;
	const Posterior *q = b->posterior;

	return memcmp(a->weights, b->weights, sizeof(float) * a->features * K) == 0 &&
		memcmp(a->count, b->count, sizeof(int) * K) == 0 &&
		memcmp(a->log_prior, b->log_prior, sizeof(float) * K) == 0 &&
		memcmp(p->variance, q->variance, sizeof(float) * p->rank * K) == 0 &&
		memcmp(p->rest, q->rest, sizeof(float) * K) == 0 &&
		memcmp(p->shared, q->shared, sizeof(float) * p->rank) == 0 &&
		p->shared_rest == q->shared_rest;
}

/* ---------------------------------------------------------------------- */
/* The objective, by its definition and in double precision */

/* Features of a row (D) from the design of all. */
typedef struct Objective
{
	const Setting *setting;
	const Model *base;
	double	   *design;			/* ROWS x D */
	double	   *precision;		/* D x D: S^-1 */
} Objective;

static Objective
make_objective(const Caller *caller, const Setting *s)
{
	Objective	o = {s, s->base, NULL, NULL};
	const Posterior *p = s->base->posterior;
	int			D = s->base->features;
	double		c = 2.0 / (CLASSES - 1);
	double		rest = c * p->shared_rest + p->prior_precision;

	o.design = calloc((size_t) ROWS * D, sizeof(double));
	o.precision = calloc((size_t) D * D, sizeof(double));
	REQUIRE(model_design(caller, s->base, &s->data.rows, o.design) == STATUS_SUCCESS);
	for (int a = 0; a < D; a++)
		for (int b = 0; b < D; b++)
		{
			double		sum = a == b ? rest : 0.0;

			for (int j = 0; j < p->rank; j++)
				sum += (c * p->shared[j] + p->prior_precision - rest) *
					p->basis[j * D + a] * p->basis[j * D + b];
			o.precision[a * D + b] = sum;
		}
	return o;
}

static void
free_objective(Objective *o)
{
	free(o->design);
	free(o->precision);
}

static void
softmax(const double *x, const double *weights, int D, double *p)
{
	double		sum = 0.0;

	for (int k = 0; k < CLASSES; k++)
	{
		p[k] = 0.0;
		for (int j = 0; j < D; j++)
			p[k] += x[j] * weights[j * CLASSES + k];
		p[k] = exp(p[k]);
		sum += p[k];
	}
	for (int k = 0; k < CLASSES; k++)
		p[k] /= sum;
}

/* At calibrated weights V; gradient may be NULL. */
static double
objective(const Objective *o, const double *weights, double *gradient)
{
	int			D = o->base->features;
	double		base[64 * CLASSES];
	double		change[64 * CLASSES];
	double		value = 0.0;

	for (int i = 0; i < D * CLASSES; i++)
	{
		base[i] = o->base->weights[i] * o->base->scale;
		change[i] = weights[i] - base[i];
		if (gradient != NULL)
			gradient[i] = 0.0;
	}
	for (int a = 0; a < D; a++)
		for (int b = 0; b < D; b++)
			for (int k = 0; k < CLASSES; k++)
			{
				double		pull = o->precision[a * D + b] * change[b * CLASSES + k];

				value += 0.5 * change[a * CLASSES + k] * pull;
				if (gradient != NULL)
					gradient[a * CLASSES + k] += pull;
			}
	for (int i = 0; i < ROWS; i++)
	{
		const double *x = o->design + i * D;
		int			now = o->setting->label[i];
		int			then = o->setting->before[i];
		double		p[CLASSES];
		double		wanted[CLASSES];

		if (now == then)
			continue;
		softmax(x, base, D, wanted);
		for (int k = 0; k < CLASSES; k++)
			if (now >= 0)
				wanted[k] = k == now;
			else if (k != then)
				wanted[k] *= 1.0 + wanted[then];
		if (now < 0)
			wanted[then] *= wanted[then];
		softmax(x, weights, D, p);
		for (int k = 0; k < CLASSES; k++)
		{
			value -= wanted[k] * log(p[k]);
			for (int j = 0; j < D && gradient != NULL; j++)
				gradient[j * CLASSES + k] += (p[k] - wanted[k]) * x[j];
		}
	}
	return value;
}

/* The gradient is right by finite differences, and none at the revision. */
static void
test_optimum(const Caller *caller, int refine)
{
	Setting		s;
	Objective	o;
	Model	   *model;
	int			size;
	double		at[64 * CLASSES];
	double		gradient[64 * CLASSES];
	double		there;
	double		norm = 0.0;

	make_setting(caller, refine, &s);
	size = s.base->features * CLASSES;
	REQUIRE(s.base->features <= 64 && model_refined(s.base) == (refine != 0));
	label_new(&s, 40);
	s.label[3] = (s.label[3] + 1) % CLASSES;
	s.label[17] = -1;
	o = make_objective(caller, &s);
	model = update(caller, &s, NULL);

	for (int i = 0; i < size; i++)
		at[i] = s.base->weights[i] * s.base->scale + 0.01 * (i % 7 - 3);
	objective(&o, at, gradient);
	for (int i = 0; i < size; i += 5)
	{
		double		here = at[i];
		double		up;
		double		down;

		at[i] = here + 1e-5;
		up = objective(&o, at, NULL);
		at[i] = here - 1e-5;
		down = objective(&o, at, NULL);
		at[i] = here;
		CHECK_NEAR((up - down) / 2e-5, gradient[i], 1e-5);
	}
	for (int i = 0; i < size; i++)
		at[i] = s.base->weights[i] * s.base->scale;
	there = objective(&o, at, gradient);
	for (int i = 0; i < size; i++)
		at[i] = model->weights[i] * s.base->scale;
	CHECK(objective(&o, at, gradient) < there - 1.0);
	for (int i = 0; i < size; i++)
		norm = fmax(norm, fabs(gradient[i]));
	CHECK(norm < 2e-3);
	model_free(caller, model);
	free_objective(&o);
	free_setting(caller, &s);
}

/* ---------------------------------------------------------------------- */
/* What an update depends on, and does */

/* From any start, in any order, in portions: the same. */
static void
test_no_history(const Caller *caller, int refine)
{
	Setting		s;
	Setting		turned;
	Model	   *whole;
	Model	   *step = NULL;
	Model	   *reversed;
	Rows		rows;

	make_setting(caller, refine, &s);
	rows = s.data.rows;
	label_new(&s, 60);
	s.label[5] = (s.label[5] + 2) % CLASSES;
	whole = update(caller, &s, NULL);
	CHECK(difference(whole, s.base) > 0.1);
	for (int count = 1; count <= 60; count += count < 10 ? 1 : 25)
	{
		Setting		part = s;
		Model	   *next;

		for (int i = SEEN + count; i < ROWS; i++)
			part.label[i] = -1;
		next = update(caller, &part, step);
		model_free(caller, step);
		step = next;
	}
	reversed = update(caller, &s, step);
	CHECK(difference(reversed, whole) < 5e-4);
	model_free(caller, reversed);

	/* the last rows first; no sparse part, so no refined features */
	turned = s;
	if (refine == 0)
	{
		float	   *dense = calloc((size_t) ROWS * DIMS, sizeof(float));

		for (int i = 0; i < ROWS; i++)
		{
			memcpy(dense + i * DIMS, s.data.dense + (ROWS - 1 - i) * DIMS, sizeof(float) * DIMS);
			turned.label[i] = s.label[ROWS - 1 - i];
			turned.before[i] = s.before[ROWS - 1 - i];
		}
		rows.dense = dense;
		REQUIRE(model_update(caller, s.base, NULL, &rows, turned.label, turned.before,
							 &reversed) == STATUS_SUCCESS);
		CHECK(difference(reversed, whole) < 5e-4);
		for (int k = 0; k < CLASSES; k++)
			CHECK_NEAR(reversed->posterior->variance[k] / whole->posterior->variance[k], 1.0, 1e-4);
		model_free(caller, reversed);
		free(dense);
	}
	model_free(caller, step);
	model_free(caller, whole);
	free_setting(caller, &s);
}

/* Answers taken back leave nothing; the base is the revision without rows. */
static void
test_nothing(const Caller *caller)
{
	Setting		s;
	Model	   *same;
	Model	   *some;

	make_setting(caller, 0, &s);
	same = update(caller, &s, NULL);
	CHECK(difference(same, s.base) == 0.0);
	for (int k = 0; k < CLASSES; k++)
		CHECK_NEAR(same->posterior->variance[k] / s.base->posterior->variance[k], 1.0, 1e-4);
	CHECK(memcmp(same->log_prior, s.base->log_prior, sizeof(float) * CLASSES) == 0);
	label_new(&s, 5);
	some = update(caller, &s, NULL);
	CHECK(!same_model(some, same));
	for (int i = SEEN; i < ROWS; i++)
		s.label[i] = -1;
	model_free(caller, same);
	same = update(caller, &s, some);
	CHECK(difference(same, s.base) == 0.0);
	model_free(caller, same);
	model_free(caller, some);
	free_setting(caller, &s);
}

/* The probability of a class for one row. */
static float
probability_of(const Caller *caller, const Model *model, const Setting *s, int row, int class)
{
	float	   *p = calloc((size_t) ROWS * CLASSES, sizeof(float));
	Score	   *score = calloc(ROWS, sizeof(Score));
	float		value;

	REQUIRE(model_score(caller, model, &s->data.rows, score, p) == STATUS_SUCCESS);
	value = p[row * CLASSES + class];
	free(p);
	free(score);
	return value;
}

/* Labels that are changed and taken back move what they should. */
static void
test_corrections(const Caller *caller)
{
	Setting		s;
	int			was;
	int			is;
	Model	   *model;
	float		variance[2];

	make_setting(caller, 0, &s);
	was = s.label[8];
	is = (was + 1) % CLASSES;
	s.label[8] = is;
	model = update(caller, &s, NULL);
	CHECK(probability_of(caller, model, &s, 8, is) >
		  probability_of(caller, s.base, &s, 8, is));
	CHECK(probability_of(caller, model, &s, 8, was) <
		  probability_of(caller, s.base, &s, 8, was));
	CHECK(model->count[was] == s.base->count[was] - 1 &&
		  model->count[is] == s.base->count[is] + 1);
	CHECK_NEAR(exp(model->log_prior[is]), model->count[is] / (double) SEEN, 1e-6);
	model_free(caller, model);

	s.label[8] = -1;
	model = update(caller, &s, NULL);
	CHECK(probability_of(caller, model, &s, 8, was) <
		  probability_of(caller, s.base, &s, 8, was));
	CHECK(model->count[was] == s.base->count[was] - 1);
	for (int i = 0; i < 2; i++)
	{
		float		row[DIMS + 1];
		float		scratch[DIMS + 1];
		float		all[CLASSES];

		memcpy(row, s.data.dense + 8 * DIMS, sizeof(float) * DIMS);
		row[DIMS] = 1.0f;
		posterior_variance((i ? model : s.base)->posterior, row, 1, scratch, all);
		variance[i] = all[was];
	}
	CHECK(variance[1] > variance[0]);
	model_free(caller, model);

	/* all rows of a class: still there, still finite */
	for (int i = 0; i < SEEN; i++)
		s.label[i] = s.before[i] == was ? -1 : s.before[i];
	model = update(caller, &s, NULL);
	CHECK(model->count[was] == 0 && isfinite(model->log_prior[was]));
	CHECK(probability_of(caller, model, &s, 8, was) > 0.0f);
	model_free(caller, model);
	/* everything that the base knows */
	for (int i = 0; i < SEEN; i++)
		s.label[i] = -1;
	model = update(caller, &s, NULL);
	for (int i = 0; i < model->posterior->rank * CLASSES; i++)
		CHECK(model->posterior->variance[i] > 0.0f &&
			  model->posterior->variance[i] <= 1.001 / model->posterior->prior_precision);
	model_free(caller, model);
	free_setting(caller, &s);
}

/* What is labelled is known better afterwards, and new rows are told better. */
static void
test_learns(const Caller *caller)
{
	Data		data = make_data(60, 24, 6, 2.5, 5, 6);
	Data		more = make_data(120, 24, 6, 2.5, 5, 7);
	Data		fresh = make_data(1500, 24, 6, 2.5, 5, 8);
	Model	   *base;
	Model	   *model;
	Score	   *score[2];
	int			before[120];
	int			hits[2] = {0};
	double		doubt[2] = {0};

	REQUIRE(train(caller, &data, 0, &base, NULL) == STATUS_SUCCESS);
	for (int i = 0; i < 120; i++)
		before[i] = -1;
	REQUIRE(model_update(caller, base, NULL, &more.rows, more.label, before, &model) ==
			STATUS_SUCCESS);
	for (int i = 0; i < 2; i++)
	{
		score[i] = calloc(1500, sizeof(Score));
		REQUIRE(model_score(caller, i ? model : base, &fresh.rows, score[i], NULL) == STATUS_SUCCESS);
		for (int j = 0; j < 1500; j++)
			hits[i] += score[i][j].label == fresh.label[j];
		REQUIRE(model_score(caller, i ? model : base, &more.rows, score[i], NULL) == STATUS_SUCCESS);
		for (int j = 0; j < 120; j++)
			doubt[i] += score[i][j].epistemic;
		free(score[i]);
	}
	CHECK(hits[1] > hits[0] + 50);
	CHECK(doubt[1] < 0.8 * doubt[0]);
	for (int i = 0; i < base->posterior->rank * 6; i++)
		CHECK(model->posterior->variance[i] <= base->posterior->variance[i] * 1.0001f);
	model_free(caller, model);
	model_free(caller, base);
	free_data(&data);
	free_data(&more);
	free_data(&fresh);
}

/* What must be refused. */
static void
test_refuses(const Caller *caller)
{
	Setting		s;
	Setting		other;
	Model	   *some;
	Model	   *model;
	Writer		writer;

	make_setting(caller, 0, &s);
	make_setting(caller, 0, &other);
	label_new(&s, 3);
	some = update(caller, &s, NULL);
	writer_init(&writer, caller);
	CHECK(model_write(some, &writer) == STATUS_BAD_ARGUMENT && writer.length == 0);
	CHECK(model_update(caller, some, NULL, &s.data.rows, s.label, s.before, &model) ==
		  STATUS_BAD_ARGUMENT && model == NULL);
	CHECK(model_update(caller, other.base, some, &s.data.rows, s.label, s.before, &model) ==
		  STATUS_BAD_ARGUMENT);
	CHECK(model_delta_write(caller, other.base, other.base, some, &writer, &model) ==
		  STATUS_BAD_ARGUMENT && model == NULL);
	CHECK(model_delta_write(caller, s.base, s.base, s.base, &writer, &model) ==
		  STATUS_BAD_ARGUMENT);
	s.label[SEEN] = CLASSES;
	CHECK(model_update(caller, s.base, NULL, &s.data.rows, s.label, s.before, &model) ==
		  STATUS_BAD_ARGUMENT);
	s.label[SEEN] = 0;
	s.before[0] = -2;
	CHECK(model_update(caller, s.base, NULL, &s.data.rows, s.label, s.before, &model) ==
		  STATUS_BAD_ARGUMENT);
	s.before[0] = s.label[0];
	s.data.dense[SEEN * DIMS] = NAN;
	CHECK(model_update(caller, s.base, NULL, &s.data.rows, s.label, s.before, &model) ==
		  STATUS_NOT_FINITE && model == NULL);
	s.data.dense[SEEN * DIMS] = INFINITY;
	CHECK(model_update(caller, s.base, NULL, &s.data.rows, s.label, s.before, &model) ==
		  STATUS_NOT_FINITE);
	s.data.rows.dims--;
	CHECK(model_update(caller, s.base, NULL, &s.data.rows, s.label, s.before, &model) ==
		  STATUS_BAD_ARGUMENT);
	release(caller, writer.bytes);
	model_free(caller, some);
	free_setting(caller, &s);
	free_setting(caller, &other);
}

/* ---------------------------------------------------------------------- */
/* Stored revisions */

/* Writes the difference, reads it, compares bit for bit. */
static Model *
round_trip(const Caller *caller, const Model *base, const Model *from, const Model *to,
		   size_t *length)
{
	Writer		writer;
	Reader		reader;
	Model	   *stored;
	Model	   *copy;

	writer_init(&writer, caller);
	/* what is in the writer already stays */
	write_u32(&writer, 7);
	REQUIRE(model_delta_write(caller, base, from, to, &writer, &stored) == STATUS_SUCCESS);
	*length = writer.length - 4;
	reader_init(&reader, writer.bytes, writer.length);
	CHECK(read_u32(&reader) == 7);
	REQUIRE(model_delta_read(caller, base, from, &reader, &copy) == STATUS_SUCCESS);
	CHECK(reader_left(&reader) == 0);
	CHECK(same_model(stored, copy));
	CHECK(memcmp(stored->count, to->count, sizeof(int) * base->classes) == 0);
	release(caller, writer.bytes);
	model_free(caller, copy);
	return stored;
}

/* The largest distance of a class's logit for a row of length 1 and its constant. */
static double
logit_distance(const Model *a, const Model *b)
{
	double		worst = 0.0;

	for (int k = 0; k < a->classes; k++)
	{
		double		sum = 0.0;

		for (int j = 0; j < a->features; j++)
			sum += pow(a->weights[j * a->classes + k] - b->weights[j * a->classes + k], 2);
		worst = fmax(worst, sqrt(2.0 * sum) * a->scale);
	}
	return worst;
}

static double
variance_distance(const Model *a, const Model *b)
{
	double		worst = 0.0;

	for (int i = 0; i < a->posterior->rank * a->classes; i++)
		worst = fmax(worst, fabs(log(a->posterior->variance[i] / b->posterior->variance[i])));
	return worst;
}

/*
 * A hundred revisions one after another, each stored as its difference from
 * what was stored before: as close to what was computed at the end as at the
 * beginning.
 */
static void
test_chain(const Caller *caller)
{
	Data		data = make_data(400, 60, 20, 1.5, 1, 2);
	Data		seen = data;
	Random		random;
	Model	   *base;
	Model	   *last = NULL;
	Model	   *final;
	int			label[400];
	int			before[400];
	size_t		length;
	size_t		total = 0;

	seen.rows.n = 200;
	REQUIRE(train(caller, &seen, 0, &base, NULL) == STATUS_SUCCESS);
	for (int i = 0; i < 400; i++)
		label[i] = before[i] = i < 200 ? data.label[i] : -1;
	random_seed(&random, 1);
	for (int i = 0; i < 100; i++)
	{
		int			row = (int) random_below(&random, 400);
		Model	   *model;
		Model	   *stored;

		label[row] = (int) random_below(&random, 21) - 1;
		if (i % 3 == 0)
			label[200 + i] = data.label[200 + i];
		REQUIRE(model_update(caller, base, last, &data.rows, label, before, &model) ==
				STATUS_SUCCESS);
		stored = round_trip(caller, base, last == NULL ? base : last, model, &length);
		total += length;
		/* one label: a direction of 61 features, and what it is to 20 classes */
		CHECK(i > 0 || length < 600);
		CHECK(logit_distance(stored, model) < 4e-3);
		CHECK(variance_distance(stored, model) < 0.2);
		if (i < 99)
			model_free(caller, model);
		else
			final = model;
		model_free(caller, last);
		last = stored;
	}
	/* a dense matrix of 61 x 20 floats is 4,880 bytes */
	CHECK(total < 100 * 2500);
	/* and in one step from the base */
	model_free(caller, last);
	last = round_trip(caller, base, base, final, &length);
	/* a whole matrix of large numbers, in 16 bits */
	CHECK(logit_distance(last, final) < 2e-2);
	CHECK(length < 10000);
	model_free(caller, final);
	/* nothing but the counts: nearly nothing */
	final = round_trip(caller, base, last, last, &length);
	CHECK(same_model(final, last) && length < 64);
	model_free(caller, final);
	model_free(caller, last);
	model_free(caller, base);
	free_data(&data);
}

/* Reads bytes that may be anything; scores with whatever comes out. */
static Status
read_hostile(const Caller *caller, const Setting *s, const Model *from,
			 const unsigned char *bytes, size_t length)
{
	unsigned char *exact = malloc(length + (length == 0));
	Reader		reader;
	Model	   *model;
	Score		score[ROWS];
	Status		status;

	memcpy(exact, bytes, length);
	reader_init(&reader, exact, length);
	status = model_delta_read(caller, s->base, from, &reader, &model);
	free(exact);
	if (status != STATUS_SUCCESS)
	{
		CHECK(status == STATUS_CORRUPT && model == NULL);
		return status;
	}
	for (int i = 0; i < model->posterior->rank * CLASSES; i++)
		CHECK(model->posterior->variance[i] >= 0.0f && isfinite(model->posterior->variance[i]));
	for (int i = 0; i < model->features * CLASSES; i++)
		CHECK(isfinite(model->weights[i]));
	status = model_score(caller, model, &s->data.rows, score, NULL);
	CHECK(status == STATUS_SUCCESS || status == STATUS_NOT_FINITE);
	model_free(caller, model);
	return STATUS_SUCCESS;
}

static void
test_hostile_bytes(const Caller *caller)
{
	Setting		s;
	Random		random;
	Writer		writer;

	make_setting(caller, 0, &s);
	random_seed(&random, 3);
	for (int labels = 1; labels <= 61; labels += 30)
	{
		Model	   *model;
		Model	   *stored;
		unsigned char *bytes;
		int			refused = 0;

		label_new(&s, labels);
		model = update(caller, &s, NULL);
		writer_init(&writer, caller);
		REQUIRE(model_delta_write(caller, s.base, s.base, model, &writer, &stored) ==
				STATUS_SUCCESS);
		for (size_t length = 0; length < writer.length; length += length < 200 ? 1 : 7)
			CHECK(read_hostile(caller, &s, stored, writer.bytes, length) == STATUS_CORRUPT);
		CHECK(read_hostile(caller, &s, stored, writer.bytes, writer.length) == STATUS_SUCCESS);
		bytes = malloc(writer.length);
		for (int i = 0; i < 1000; i++)
		{
			int			flips = 1 + (int) random_below(&random, 4);

			memcpy(bytes, writer.bytes, writer.length);
			for (int j = 0; j < flips; j++)
				bytes[random_below(&random, i % 2 ? writer.length : 64)] =
					(unsigned char) random_bits(&random);
			refused += read_hostile(caller, &s, stored, bytes, writer.length) != STATUS_SUCCESS;
		}
		CHECK(refused > 100 && refused < 1000);
		free(bytes);
		release(caller, writer.bytes);
		model_free(caller, stored);
		model_free(caller, model);
	}
	free_setting(caller, &s);
}

/* ---------------------------------------------------------------------- */
/* The queue */

#define POOL 700
#define TARGETS 50
#define WANTED 150

/* A pool in which each row of the first hundred comes twice, and its model. */
typedef struct Pool
{
	Setting		setting;
	Data		data;
	Model	   *model;
	float	   *features;		/* POOL x D */
	Score		score[POOL];
} Pool;

static void
make_pool(const Caller *caller, int refine, Pool *pool)
{
	make_setting(caller, refine, &pool->setting);
	label_new(&pool->setting, 50);
	pool->model = update(caller, &pool->setting, NULL);
	pool->data = make_data(POOL, DIMS, CLASSES, 1.5, 1, 3);
	pool->data.rows.sparse = &pool->data.sparse;
	for (int i = 0; i < 100; i++)
	{
		memcpy(pool->data.dense + (100 + i) * DIMS, pool->data.dense + i * DIMS,
			   sizeof(float) * DIMS);
		memcpy(pool->data.index + (100 + i) * TERMS, pool->data.index + i * TERMS,
			   sizeof(uint32_t) * TERMS);
	}
	pool->features = calloc((size_t) POOL * pool->model->features, sizeof(float));
	REQUIRE(model_row_features(caller, pool->setting.base, &pool->data.rows,
							   pool->features) == STATUS_SUCCESS);
	REQUIRE(model_score(caller, pool->model, &pool->data.rows, pool->score, NULL) ==
			STATUS_SUCCESS);
}

static void
free_pool(const Caller *caller, Pool *pool)
{
	model_free(caller, pool->model);
	free_setting(caller, &pool->setting);
	free_data(&pool->data);
	free(pool->features);
}

static double
cosine(const Pool *pool, int a, int b)
{
	double		sum = 0.0;

	for (int j = 0; j < DIMS; j++)
		sum += pool->data.dense[a * DIMS + j] * pool->data.dense[b * DIMS + j];
	return sum;
}

/*
 * All rows that are not excluded in the order that requeue must find, by its
 * definition; returns how many of them are distinct.
 */
static int
expected_order(const Pool *pool, Acquisition acquisition, const bool *excluded, int *order,
			   int *total)
{
	int			sorted[POOL];
	int			n = 0;
	int			distinct = 0;
	bool		repeats[POOL];

	for (int i = 0; i < POOL; i++)
	{
		int			at = n;
		float		worth = candidate_score(acquisition, &pool->score[i], 0, 0);

		if (excluded[i])
			continue;
		while (at > 0 &&
			   candidate_score(acquisition, &pool->score[sorted[at - 1]], 0, 0) < worth)
			at--;
		memmove(sorted + at + 1, sorted + at, sizeof(int) * (n++ - at));
		sorted[at] = i;
	}
	for (int i = 0; i < n; i++)
	{
		repeats[i] = false;
		for (int j = 0; j < i && !repeats[i]; j++)
			repeats[i] = !repeats[j] && cosine(pool, sorted[i], sorted[j]) > NEAR_REPETITION;
		if (!repeats[i])
			order[distinct++] = sorted[i];
	}
	*total = distinct;
	for (int i = 0; i < n; i++)
		if (repeats[i])
			order[(*total)++] = sorted[i];
	return distinct;
}

static void
check_scores(const Pool *pool, int found, const int *chosen, const Score *score)
{
	for (int i = 0; i < found; i++)
	{
		const Score *same = &pool->score[chosen[i]];

		/* products of few rows and of many add in another order */
		CHECK(score[i].label == same->label);
		CHECK_NEAR(score[i].confidence, same->confidence, 1e-4);
		CHECK_NEAR(score[i].margin, same->margin, 1e-4);
		CHECK_NEAR(score[i].total, same->total, 1e-4);
		CHECK_NEAR(score[i].epistemic, same->epistemic, 1e-4);
	}
}

/* The greedy head is choose_epig's, the rest in order of the candidate score. */
static void
test_requeue(const Caller *caller, int refine, Acquisition acquisition)
{
	static Pool pool;
	static float dense[POOL * DIMS];
	RequeueOptions options = {acquisition, 7, 30, WANTED, 0};
	bool		excluded[POOL] = {false};
	int			order[POOL];
	int			total;
	int			distinct;
	int			chosen[POOL];
	float		gain[POOL];
	Score		score[POOL];
	int			found;
	int			greedy = acquisition == ACQUIRE_EPIG ? 30 : 0;
	bool		seen[POOL] = {false};

	make_pool(caller, refine, &pool);
	for (int i = 0; i < POOL; i += 9)
		excluded[i] = true;
	distinct = expected_order(&pool, acquisition, excluded, order, &total);
	REQUIRE(requeue(caller, pool.model, &options, pool.features, POOL, pool.features, TARGETS,
					excluded, chosen, gain, score, &found) == STATUS_SUCCESS);
	CHECK(found == WANTED);
	check_scores(&pool, found, chosen, score);
	if (greedy > 0 && refine == 0)
	{
		Rows		candidates = pool.data.rows;
		Rows		targets = pool.data.rows;
		int			expected[30];
		float		expected_gain[30];

		for (int i = 0; i < distinct; i++)
			memcpy(dense + i * DIMS, pool.data.dense + order[i] * DIMS, sizeof(float) * DIMS);
		candidates.dense = dense;
		candidates.n = distinct;
		targets.n = TARGETS;
		REQUIRE(choose_epig(caller, pool.model, &candidates, &targets, 7, 30, expected,
							expected_gain) == STATUS_SUCCESS);
		for (int i = 0; i < 30; i++)
		{
			CHECK(chosen[i] == order[expected[i]]);
			CHECK_NEAR(gain[i] / expected_gain[i], 1.0, 1e-3);
		}
	}
	for (int i = 0; i < found; i++)
	{
		REQUIRE(chosen[i] >= 0 && chosen[i] < POOL && !excluded[chosen[i]] && !seen[chosen[i]]);
		seen[chosen[i]] = true;
	}
	for (int i = greedy, at = 0; i < found; i++, at++)
	{
		/* what the greedy choice has taken is passed over */
		for (int taken = 0; taken < greedy; taken++)
			if (chosen[taken] == order[at])
			{
				taken = -1;
				at++;
			}
		CHECK_NEAR(gain[i], candidate_score(acquisition, &pool.score[order[at]], 0, 0), 1e-4);
	}
	/* more than there is: all of it, repetitions last */
	options.count = POOL;
	REQUIRE(requeue(caller, pool.model, &options, pool.features, POOL, pool.features, TARGETS,
					excluded, chosen, gain, score, &found) == STATUS_SUCCESS);
	CHECK(found == total && total > distinct && distinct < POOL - 150);
	check_scores(&pool, found, chosen, score);
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < found; i++)
		seen[chosen[i]] = true;
	for (int i = 0; i < POOL; i++)
		CHECK(seen[i] == !excluded[i]);
	for (int i = 0; i < distinct; i++)
		for (int j = 0; j < i; j++)
			CHECK(cosine(&pool, chosen[i], chosen[j]) < NEAR_REPETITION + 1e-4);
	free_pool(caller, &pool);
}

/* Gains alone are those of a choice of one; the first by margin come by gain. */
static void
test_screen(const Caller *caller, int refine)
{
	static Pool pool;
	RequeueOptions options = {ACQUIRE_EPIG, 7, 0, WANTED, 150};
	int			order[POOL];
	int			row[POOL];
	float		alone[POOL];
	float		gain[POOL];
	int			chosen[POOL];
	bool		excluded[POOL] = {false};
	bool		near[POOL] = {false};
	Score		score[POOL];
	int			total;
	int			found;
	int			D;

	make_pool(caller, refine, &pool);
	D = model_features(pool.model);
	for (int i = 0; i < POOL; i++)
		row[i] = POOL - 1 - i;
	REQUIRE(epig_gains(caller, pool.model, pool.features, row, POOL, pool.features, TARGETS,
					   alone) == STATUS_SUCCESS);
	for (int i = 0; i < POOL; i += 17)
	{
		REQUIRE(choose_epig_features(caller, pool.model, pool.features + (size_t) row[i] * D, 1,
									 pool.features, TARGETS, 1, 1, chosen,
									 gain) == STATUS_SUCCESS);
		CHECK_NEAR(alone[i] / gain[0], 1.0, 1e-3);
	}

	(void) expected_order(&pool, ACQUIRE_EPIG, excluded, order, &total);
	REQUIRE(requeue(caller, pool.model, &options, pool.features, POOL, pool.features, TARGETS,
					NULL, chosen, gain, score, &found) == STATUS_SUCCESS);
	CHECK(found == WANTED);
	/* the 150 with the smallest margins, repetitions among them */
	for (int i = 0; i < POOL; i++)
	{
		int			smaller = 0;

		for (int j = 0; j < POOL; j++)
			smaller += pool.score[j].margin < pool.score[i].margin;
		near[i] = smaller < 150;
	}
	for (int i = 0; i < found; i++)
	{
		float		expected = alone[POOL - 1 - chosen[i]];

		if (!near[chosen[i]])
			break;
		CHECK_NEAR(gain[i] / expected, 1.0, 1e-4);
		CHECK(i == 0 || gain[i] <= gain[i - 1] * 1.0001f);
		CHECK(i < WANTED - 1);
	}
	/* nobody is left out for good */
	options.greedy = 30;
	options.screen = POOL;
	options.count = POOL;
	REQUIRE(requeue(caller, pool.model, &options, pool.features, POOL, pool.features, TARGETS,
					NULL, chosen, gain, score, &found) == STATUS_SUCCESS);
	CHECK(found == POOL);
	CHECK(epig_screen(2, 5000) == 5000 && epig_screen(77, 10000) == 780 &&
		  epig_screen(77, 1000) == 200 && epig_screen(77, 100) == 100 && epig_screen(6, 0) == 0);
	free_pool(caller, &pool);
}

/* Margins without the rest; an order that is given; little and nothing to do. */
static void
test_requeue_edges(const Caller *caller)
{
	static Pool pool;
	RequeueOptions options = {ACQUIRE_RANDOM, 7, 30, WANTED, 0};
	bool		excluded[POOL] = {true, false, true};
	int			chosen[POOL];
	float		gain[POOL];
	Score		score[POOL];
	int			found;

	make_pool(caller, 1, &pool);
	memset(pool.data.dense + 5 * DIMS, 0, sizeof(float) * DIMS);
	REQUIRE(model_score(caller, pool.model, &pool.data.rows, pool.score, NULL) == STATUS_SUCCESS);
	REQUIRE(model_margins(caller, pool.model, &pool.data.rows, score) == STATUS_SUCCESS);
	for (int i = 0; i < POOL; i++)
		CHECK(score[i].label == pool.score[i].label && score[i].margin == pool.score[i].margin &&
			  score[i].confidence == pool.score[i].confidence && isnan(score[i].epistemic));
	REQUIRE(requeue(caller, pool.model, &options, pool.features, POOL, NULL, 0, excluded,
					chosen, gain, score, &found) == STATUS_SUCCESS);
	CHECK(found == WANTED && chosen[0] == 1 && chosen[1] == 3 && chosen[WANTED - 1] == WANTED + 1);
	options.acquisition = ACQUIRE_EPIG;
	CHECK(requeue(caller, pool.model, &options, pool.features, POOL, NULL, 0, excluded,
				  chosen, gain, score, &found) == STATUS_BAD_ARGUMENT && found == 0);
	REQUIRE(requeue(caller, pool.model, &options, pool.features, 3, pool.features, 4, excluded,
					chosen, gain, score, &found) == STATUS_SUCCESS);
	CHECK(found == 1 && chosen[0] == 1 && gain[0] > 0.0f);
	CHECK(requeue(caller, pool.model, &options, pool.features, 0, NULL, 0, NULL,
				  chosen, gain, score, &found) == STATUS_BAD_ARGUMENT);
	CHECK(requeue(caller, pool.model, &options, pool.features, 0, pool.features, 1, NULL,
				  chosen, gain, score, &found) == STATUS_SUCCESS && found == 0);
	memset(excluded, true, sizeof(excluded));
	CHECK(requeue(caller, pool.model, &options, pool.features, POOL, pool.features, 4, excluded,
				  chosen, gain, score, &found) == STATUS_SUCCESS && found == 0);
	pool.features[3] = NAN;
	CHECK(requeue(caller, pool.model, &options, pool.features, POOL, pool.features, 4, NULL,
				  chosen, gain, score, &found) == STATUS_NOT_FINITE && found == 0);
	free_pool(caller, &pool);
}

/* ---------------------------------------------------------------------- */
/* Memory, want of it, and stopping */

/* The plan of the queue; want and stop at every place. */
static void
test_requeue_memory(void)
{
	static Pool pool;
	UnitMemory	pool_memory;
	Caller		pool_caller = unit_caller(&pool_memory);
	int			chosen[POOL];
	float		gain[POOL];
	Score		score[POOL];
	int			found;

	make_pool(&pool_caller, 1, &pool);
	for (int acquisition = ACQUIRE_EPIG; acquisition <= ACQUIRE_RANDOM; acquisition++)
		for (int what = 0; what < 3; what++)
		{
			RequeueOptions options = {acquisition, 60, 30, WANTED, 100};
			Status		status = STATUS_NO_MEMORY;

			for (long at = 1; status != STATUS_SUCCESS && at < 10000; at++)
			{
				UnitMemory	memory;
				Caller		caller = unit_caller(&memory);

				memory.fail_at = what == 0 ? at : 0;
				memory.stop_at = what == 1 ? at : 0;
				status = requeue(&caller, pool.model, &options, pool.features, POOL,
								 pool.features, TARGETS, NULL, chosen, gain, score, &found);
				CHECK(status == STATUS_SUCCESS ||
					  status == (what == 0 ? STATUS_NO_MEMORY : STATUS_STOPPED));
				CHECK(memory.blocks == 0);
				if (what == 2)
				{
					CHECK(memory.peak <= requeue_memory(pool.model, &options, POOL, TARGETS));
					CHECK(requeue_memory(pool.model, &options, POOL, TARGETS) <
						  2 * memory.peak + 20000);
				}
			}
			CHECK(status == STATUS_SUCCESS);
		}
	free_pool(&pool_caller, &pool);
	CHECK(pool_memory.blocks == 0);
}

static void
test_memory_plan(void)
{
	static const int shapes[][3] = {{6, 3, 2}, {60, 8, 3}, {700, 40, 20}, {900, 10, 300}, {900, 150, 30}};

	for (int i = 0; i < (int) (sizeof(shapes) / sizeof(shapes[0])); i++)
		for (int refine = 0; refine < 2; refine++)
		{
			UnitMemory	memory;
			Caller		caller = unit_caller(&memory);
			int			n = shapes[i][0];
			Data		data = make_data(n, shapes[i][1], shapes[i][2], 1.0, 1, 2);
			int		   *before = malloc(sizeof(int) * n);
			Model	   *base;
			Model	   *model;
			Model	   *stored;
			Writer		writer;
			size_t		held;

			data.rows.sparse = &data.sparse;
			REQUIRE(train(&caller, &data, refine, &base, NULL) == STATUS_SUCCESS);
			for (int j = 0; j < n; j++)
				before[j] = j % 3 ? -1 : 0;
			held = memory.bytes;
			memory.peak = held;
			REQUIRE(model_update(&caller, base, NULL, &data.rows, data.label, before,
								 &model) == STATUS_SUCCESS);
			CHECK(memory.peak - held <= model_update_memory(base, n));
			CHECK(model_update_memory(base, n) < 2 * (memory.peak - held) + 20000);
			held = memory.bytes;
			memory.peak = held;
			writer_init(&writer, &caller);
			REQUIRE(model_delta_write(&caller, base, base, model, &writer, &stored) ==
					STATUS_SUCCESS);
			CHECK(memory.peak - held <= model_delta_memory(base));
			release(&caller, writer.bytes);
			model_free(&caller, stored);
			model_free(&caller, model);
			model_free(&caller, base);
			CHECK(memory.blocks == 0);
			free(before);
			free_data(&data);
		}
}

/* Where LAPACK has no memory for itself. */
static void
test_lapack_memory(const Caller *caller, const Setting *s)
{
	MatrixOps	ops = *matrix_blas_ops();
	Model	   *next;
	Model	   *stored = NULL;
	Writer		writer;

	writer_init(&writer, caller);
	REQUIRE(model_update(caller, s->base, NULL, &s->data.rows, s->label, s->before, &next) ==
			STATUS_SUCCESS);
	ops.syevd = unit_syevd_no_memory;
	matrix = &ops;
	CHECK(model_delta_write(caller, s->base, s->base, next, &writer, &stored) == STATUS_NO_MEMORY);
	CHECK(stored == NULL);
	matrix = matrix_blas_ops();
	release(caller, writer.bytes);
	model_free(caller, next);
}

/* Runs out of memory, or is stopped, at every possible place. */
static void
test_failures(void)
{
	UnitMemory	base_memory;
	Caller		base_caller = unit_caller(&base_memory);
	Setting		s;

	make_setting(&base_caller, 1, &s);
	label_new(&s, 20);
	s.label[1] = -1;
	for (int what = 0; what < 2; what++)
	{
		Status		status = STATUS_NO_MEMORY;

		for (long at = 1; status != STATUS_SUCCESS && at < 10000; at++)
		{
			UnitMemory	memory;
			Caller		caller = unit_caller(&memory);
			Model	   *first = NULL;
			Model	   *second = NULL;
			Model	   *stored = NULL;
			Writer		writer;

			memory.fail_at = what == 0 ? at : 0;
			memory.stop_at = what == 1 ? at : 0;
			writer_init(&writer, &caller);
			status = model_update(&caller, s.base, NULL, &s.data.rows, s.label, s.before, &first);
			if (status == STATUS_SUCCESS)
				status = model_update(&caller, s.base, first, &s.data.rows, s.label, s.before,
									  &second);
			if (status == STATUS_SUCCESS)
				status = model_delta_write(&caller, s.base, s.base, second, &writer, &stored);
			CHECK(status == STATUS_SUCCESS ||
				  status == (what == 0 ? STATUS_NO_MEMORY : STATUS_STOPPED));
			release(&caller, writer.bytes);
			model_free(&caller, first);
			model_free(&caller, second);
			model_free(&caller, stored);
			CHECK(memory.blocks == 0);
		}
		CHECK(status == STATUS_SUCCESS);
	}
	test_lapack_memory(&base_caller, &s);
	free_setting(&base_caller, &s);
	CHECK(base_memory.blocks == 0);
}

int
main(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	matrix = matrix_blas_ops();
	test_optimum(&caller, 0);
	test_optimum(&caller, 1);
	test_no_history(&caller, 0);
	test_no_history(&caller, 1);
	test_nothing(&caller);
	test_corrections(&caller);
	test_learns(&caller);
	test_refuses(&caller);
	test_chain(&caller);
	test_hostile_bytes(&caller);
	test_requeue(&caller, 0, ACQUIRE_EPIG);
	test_requeue(&caller, 1, ACQUIRE_EPIG);
	test_requeue(&caller, 0, ACQUIRE_MARGIN);
	test_requeue(&caller, 1, ACQUIRE_BALD);
	test_requeue(&caller, 0, ACQUIRE_ENTROPY);
	test_screen(&caller, 0);
	test_screen(&caller, 1);
	test_requeue_edges(&caller);
	CHECK(memory.blocks == 0);
	test_requeue_memory();
	test_memory_plan();
	test_failures();
	return unit_end();
}
