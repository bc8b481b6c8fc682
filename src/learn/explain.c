/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What in a row speaks for one class and against another.
 *
 *-------------------------------------------------------------------------
 */
#include "explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_internal.h"
#include "parts.h"

/* What the shares are computed from. */
typedef struct Shares
{
	const Model *model;
	const Encoder *encoder;
	const SparseRows *sparse;	/* of the row; NULL: it has no n-grams */
	int			terms;
	float	   *slope;			/* D: of the wanted sum by each feature */
	float	   *projection;		/* dims: of one term */
	float	   *refined;		/* stride: of one term */
	double	   *sum;			/* dims: projections of the row's terms, weighed */
	double	   *factor;			/* parts: from there to the row's dense part */
	int		   *first;			/* parts + 1: where each lies among the dense features */
} Shares;

/* slope[j] = s sum_k direction[k] W[j][k] */
static void
find_slope(Shares *shares, const float *direction)
{
	const Model *model = shares->model;

	for (int j = 0; j < model->features; j++)
	{
		double		sum = 0.0;

		for (int k = 0; k < model->classes; k++)
			sum += (double) direction[k] * model->weights[(size_t) j * model->classes + k];
		shares->slope[j] = (float) (model->scale * sum);
	}
	for (int p = 0, j = 0; p < model->parts; p++)
	{
		float		scale = share_scale(model->share[p], model->parts);

		for (int i = 0; i < model->part_dims[p]; i++)
			shares->slope[j++] *= scale;
	}
}

/* How long the sum of the terms' projections is, and how long the row has them. */
static void
find_factors(Shares *shares, const float *dense)
{
	for (int t = 0; t < shares->terms; t++)
	{
		int			p = encoder_term_projection(shares->encoder, shares->sparse->index[t],
												shares->projection);

		for (int j = shares->first[p]; j < shares->first[p + 1]; j++)
			shares->sum[j] += (double) shares->sparse->weight[t] *
				shares->projection[j - shares->first[p]];
	}
	for (int p = 0; p < encoder_parts(shares->encoder); p++)
	{
		double		whole = 0.0;
		double		length = 0.0;

		for (int j = shares->first[p]; j < shares->first[p + 1]; j++)
		{
			whole += shares->sum[j] * shares->sum[j];
			length += (double) dense[j] * dense[j];
		}
		shares->factor[p] = whole > 0.0 ? sqrt(length / whole) : 0.0;
	}
}

/* What an n-gram adds through the refined features, of a row with that length. */
static double
refined_share(const Shares *shares, int t, double length)
{
	const Refine *refine = shares->model->refine;
	double		sum = 0.0;

	if (refine == NULL || !(length > 0.0))
		return 0.0;
	memset(shares->refined, 0, sizeof(float) * refine->stride);
	refine_add_term(refine, shares->sparse->index[t],
					(float) (shares->sparse->weight[t] / length), shares->refined);
	for (int j = 0; j < refine->columns; j++)
		sum += (double) shares->refined[j] * shares->slope[shares->model->dims + j];
	return sum;
}

static void
find_terms(const Shares *shares, double *term)
{
	double		length = 0.0;

	for (int t = 0; t < shares->terms; t++)
		length += (double) shares->sparse->weight[t] * shares->sparse->weight[t];
	length = sqrt(length);
	for (int t = 0; t < shares->terms; t++)
	{
		int			p = encoder_term_projection(shares->encoder, shares->sparse->index[t],
												shares->projection);
		double		sum = 0.0;

		for (int j = shares->first[p]; j < shares->first[p + 1]; j++)
			sum += (double) shares->projection[j - shares->first[p]] * shares->slope[j];
		term[t] = shares->factor[p] * shares->sparse->weight[t] * sum +
			refined_share(shares, t, length);
	}
}

/* Dense parts that are not made of n-grams, and what every row has. */
static void
find_rest(const Shares *shares, const float *dense, double *part, double *constant)
{
	const Model *model = shares->model;
	int			constant_feature = model->features - 1;

	for (int p = 0; p < encoder_parts(shares->encoder); p++)
	{
		EncoderPart kind;

		encoder_part(shares->encoder, p, &kind);
		part[p] = 0.0;
		for (int j = shares->first[p]; j < shares->first[p + 1] && kind.kind != ENCODER_TEXT; j++)
			part[p] += (double) dense[j] * shares->slope[j];
	}
	*constant = shares->slope[constant_feature];
	if (model->refine != NULL)
		for (int j = 0; j < model->refine->columns; j++)
			*constant += (double) model->refine->offset[j] * shares->slope[model->dims + j];
}

static Status
shares_allocate(const Caller *caller, Shares *shares)
{
	int			parts = encoder_parts(shares->encoder);
	int			dims = encoder_dims(shares->encoder);
	const Refine *refine = shares->model->refine;

	shares->slope = allocate_array(caller, shares->model->features, sizeof(float));
	shares->projection = allocate_array(caller, dims, sizeof(float));
	shares->refined = allocate_array(caller, refine == NULL ? 1 : refine->stride, sizeof(float));
	shares->sum = allocate_array(caller, dims, sizeof(double));
	shares->factor = allocate_array(caller, parts, sizeof(double));
	shares->first = allocate_array(caller, parts + 1, sizeof(int));
	if (shares->slope == NULL || shares->projection == NULL || shares->refined == NULL ||
		shares->sum == NULL || shares->factor == NULL || shares->first == NULL)
		return STATUS_NO_MEMORY;
	for (int p = 0; p < parts; p++)
	{
		EncoderPart part;

		encoder_part(shares->encoder, p, &part);
		shares->first[p + 1] = shares->first[p] + part.dims;
	}
	return STATUS_SUCCESS;
}

static void
shares_free(const Caller *caller, Shares *shares)
{
	release(caller, shares->slope);
	release(caller, shares->projection);
	release(caller, shares->refined);
	release(caller, shares->sum);
	release(caller, shares->factor);
	release(caller, shares->first);
}

Status
model_explain(const Caller *caller, const Model *model, const Encoder *encoder,
			  const Rows *rows, const float *direction, double *term, double *part,
			  double *constant)
{
	Shares		shares = {.model = model, .encoder = encoder, .sparse = rows->sparse};
	Status		status;

	if (!model_takes(model, rows) || rows->n < 1 || encoder_dims(encoder) != model->dims ||
		(model->parts > 0 && model->parts != encoder_parts(encoder)))
		return STATUS_BAD_ARGUMENT;
	shares.terms = rows->sparse == NULL ? 0 : (int) rows->sparse->start[1];
	status = shares_allocate(caller, &shares);
	if (status == STATUS_SUCCESS)
	{
		find_slope(&shares, direction);
		find_factors(&shares, rows->dense);
		find_terms(&shares, term);
		find_rest(&shares, rows->dense, part, constant);
	}
	shares_free(caller, &shares);
	return status;
}

/* ---------------------------------------------------------------------- */
/* From n-grams to what can be read */

/* A code point in UTF-8; returns its bytes. */
static int
put_utf8(uint32_t c, char *to)
{
	if (c < 0x80)
	{
		to[0] = (char) c;
		return 1;
	}
	if (c < 0x800)
	{
		to[0] = (char) (0xC0 | c >> 6);
		to[1] = (char) (0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000)
	{
		to[0] = (char) (0xE0 | c >> 12);
		to[1] = (char) (0x80 | (c >> 6 & 0x3F));
		to[2] = (char) (0x80 | (c & 0x3F));
		return 3;
	}
	to[0] = (char) (0xF0 | c >> 18);
	to[1] = (char) (0x80 | (c >> 12 & 0x3F));
	to[2] = (char) (0x80 | (c >> 6 & 0x3F));
	to[3] = (char) (0x80 | (c & 0x3F));
	return 4;
}

/* Characters first .. end, any run of spaces as one. */
static char *
span_text(const Caller *caller, const TermSpans *spans, int first, int end)
{
	char	   *text = allocate_array(caller, (size_t) (end - first) * 4 + 1, 1);
	char	   *to = text;

	for (int i = first; i < end && text != NULL; i++)
	{
		uint32_t	c = spans->character[i];

		if (c != ' ' || (to > text && to[-1] != ' '))
			to += put_utf8(c, to);
	}
	return text;
}

/*
 * Where what a span counts for lies: of a piece the word that it is in, where that
 * is one and only one; else the span itself.
 */
static void
owner_of(const TermSpans *spans, const TermSpan *span, int *first, int *end)
{
	int			low = 0;
	int			high = spans->words;

	*first = span->first;
	*end = span->end;
	if (span->kind != SPAN_PIECE)
		return;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (spans->span[middle].end <= span->first)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == spans->words || spans->span[low].first >= span->end ||
		(low + 1 < spans->words && spans->span[low + 1].first < span->end))
		return;
	*first = spans->span[low].first;
	*end = spans->span[low].end;
}

/* The place of a term among those of the row, or -1. */
static int
place_of(const uint32_t *index, int terms, int term)
{
	int			low = 0;
	int			high = terms;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (index[middle] < (uint32_t) term)
			low = middle + 1;
		else
			high = middle;
	}
	return term >= 0 && low < terms && index[low] == (uint32_t) term ? low : -1;
}

static int
compare_features(const void *a, const void *b)
{
	return strcmp(((const TextFeature *) a)->text, ((const TextFeature *) b)->text);
}

/* Those of equal text become one. */
static int
merge_features(const Caller *caller, TextFeature *features, int n)
{
	int			merged = 0;

	qsort(features, (size_t) n, sizeof(TextFeature), compare_features);
	for (int i = 0; i < n; i++)
	{
		if (merged > 0 && strcmp(features[merged - 1].text, features[i].text) == 0)
		{
			features[merged - 1].weight += features[i].weight;
			release(caller, features[i].text);
		}
		else
			features[merged++] = features[i];
	}
	return merged;
}

/* Each known span with its part of its term's share. */
static Status
collect_features(const Caller *caller, const TermSpans *spans, const int *place,
				 const int *occurrences, const double *share, TextFeature *features, int *n)
{
	for (int s = 0; s < spans->n; s++)
	{
		int			first;
		int			end;

		if (place[s] < 0)
			continue;
		owner_of(spans, &spans->span[s], &first, &end);
		features[*n].text = span_text(caller, spans, first, end);
		if (features[*n].text == NULL)
			return STATUS_NO_MEMORY;
		features[(*n)++].weight = share[place[s]] / occurrences[place[s]];
	}
	return STATUS_SUCCESS;
}

static Status
make_features(const Caller *caller, const Encoder *encoder, int i, const TermSpans *spans,
			  const uint32_t *index, int terms, const double *share, TextFeature **features, int *n)
{
	int		   *place = allocate_array(caller, (size_t) spans->n, sizeof(int));
	int		   *occurrences = allocate_array(caller, (size_t) terms, sizeof(int));
	Status		status = STATUS_NO_MEMORY;

	*features = allocate_array(caller, (size_t) spans->n, sizeof(TextFeature));
	if (place != NULL && occurrences != NULL && *features != NULL)
	{
		for (int s = 0; s < spans->n; s++)
		{
			place[s] = place_of(index, terms, encoder_find_term(encoder, i, spans->span[s].hash));
			if (place[s] >= 0)
				occurrences[place[s]]++;
		}
		status = collect_features(caller, spans, place, occurrences, share, *features, n);
	}
	release(caller, place);
	release(caller, occurrences);
	return status;
}

Status
text_features(const Caller *caller, const Encoder *encoder, int i, const char *utf8,
			  size_t length, const uint32_t *index, int terms, const double *share,
			  TextFeature **features, int *n)
{
	TermSpans	spans;
	Status		status;

	*features = NULL;
	*n = 0;
	TRY(text_spans(caller, utf8, length, &spans));
	status = make_features(caller, encoder, i, &spans, index, terms, share, features, n);
	text_spans_free(caller, &spans);
	if (status == STATUS_SUCCESS)
		*n = merge_features(caller, *features, *n);
	else
	{
		text_features_free(caller, *features, *n);
		*features = NULL;
		*n = 0;
	}
	return status;
}

void
text_features_free(const Caller *caller, TextFeature *features, int n)
{
	for (int i = 0; i < n; i++)
		release(caller, features[i].text);
	release(caller, features);
}
