/*-------------------------------------------------------------------------
 *
 * test_explain.c
 *	  Explanations: n-grams with their places are those that the encoder
 *	  counts, and their shares sum to what the model says.
 *
 *-------------------------------------------------------------------------
 */
#include "encode_helpers.h"

#include "../../src/learn/explain.h"
#include "../../src/math/random.h"

#define MAX_HASHES 20000

typedef struct Collected
{
	int			n;
	uint64_t	hash[MAX_HASHES];
} Collected;

static Status
collect_hashes(void *state, const uint64_t *hashes, int count)
{
	Collected  *collected = state;

	for (int i = 0; i < count && collected->n < MAX_HASHES; i++)
		collected->hash[collected->n++] = hashes[i];
	return STATUS_SUCCESS;
}

static int
compare_hashes(const void *a, const void *b)
{
	uint64_t	left = *(const uint64_t *) a;
	uint64_t	right = *(const uint64_t *) b;

	return left < right ? -1 : left > right;
}

/* The same n-grams as text_terms, each as often. */
static void
check_same_terms(const char *utf8, size_t length)
{
	static Collected expected;
	static Collected found;
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TermSpans	spans;

	expected.n = found.n = 0;
	CHECK(text_terms(&caller, utf8, length, collect_hashes, &expected) == STATUS_SUCCESS);
	REQUIRE(text_spans(&caller, utf8, length, &spans) == STATUS_SUCCESS);
	for (int i = 0; i < spans.n && i < MAX_HASHES; i++)
	{
		const TermSpan *span = &spans.span[i];

		found.hash[found.n++] = span->hash;
		CHECK(span->first >= 0 && span->first < span->end && span->end <= spans.length);
		CHECK(term_kind(span->hash) == (span->kind == SPAN_PIECE ? TERM_PIECE : TERM_WORD));
		CHECK((i < spans.words) == (span->kind == SPAN_WORD));
	}
	CHECK(found.n == expected.n);
	qsort(expected.hash, expected.n, sizeof(uint64_t), compare_hashes);
	qsort(found.hash, found.n, sizeof(uint64_t), compare_hashes);
	CHECK(memcmp(expected.hash, found.hash, sizeof(uint64_t) * expected.n) == 0);
	text_spans_free(&caller, &spans);
	CHECK(memory.blocks == 0);
}

static void
test_spans(void)
{
	const char *const texts[] = {
		"", " ", "a", "ab", "I have a card", "e-mail, re-sent!  twice\n(or more)", "don't",
		"\xE6\xBC\xA2\xE5\xAD\x97 \xE3\x81\x8B\xE3\x81\xAA mixed\xE6\xBC\xA2" "ab",
		"cafe\xCC\x81 \xCC\x81\xCC\x81 x\xCC\x81", "\xF0\x9F\x99\x88\xF0\x9F\x99\x89", "\xEF\xB7\xBA \xEF\xAC\x83",
		"!!! ??? .", "\xFF\xFE broken \xC3", "12 34,5 a1b2"
	};
	Random		random;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_same_terms(texts[i], strlen(texts[i]));
	for (int i = 0; i < CORPUS_ROWS; i++)
		check_same_terms(corpus[i], strlen(corpus[i]));
	random_seed(&random, 3);
	for (int i = 0; i < 300; i++)
	{
		char		bytes[200];
		int			length = (int) random_below(&random, 200);

		for (int j = 0; j < length; j++)
			bytes[j] = (char) (i % 2 == 0 ? (int) random_below(&random, 256) : "ab \xCC\x81\xE6\xBC\xA2.-"[(int) random_below(&random, 10)]);
		check_same_terms(bytes, length);
	}
	/* longer than a chunk of text_terms, without a space */
	{
		char		bytes[2000];

		for (int j = 0; j < 2000; j++)
			bytes[j] = (char) ('a' + j * 7 % 26);
		check_same_terms(bytes, sizeof(bytes));
	}
}

/* Texts of three classes, told apart by some words. */
#define CLASSES 3
#define TEXTS 150

static char texts[TEXTS][120];
static int	labels[TEXTS];

static void
make_texts(void)
{
	const char *const words[CLASSES][3] = {
		{"refund", "money back", "return"}, {"parcel", "courier", "delivery"}, {"invoice", "charged", "bill"}
	};
	const char *const things[] = {"shoes", "lamp", "table", "books", "kettle"};

	for (int i = 0; i < TEXTS; i++)
	{
		labels[i] = i % CLASSES;
		snprintf(texts[i], sizeof(texts[i]), "please, the %s of my %s and the %s too",
				 words[labels[i]][i / 3 % 3], things[i / 2 % 5], things[i / 7 % 5]);
	}
}

typedef struct Fitted
{
	Encoder    *encoder;
	Encoding	encoding;
	Model	   *model;
} Fitted;

/* Encodes a row; two_parts: the text, and a vector of what its place is. */
static void
encode_row(Fitted *fitted, const char *text, int row, bool two_parts)
{
	float		vector[4] = {1.0f, (float) (row % 5), (float) (row % CLASSES), 0.5f};
	EncoderInput inputs[2] = {{text, strlen(text), NULL, 0}, {NULL, 0, vector, 4}};

	if (two_parts)
		REQUIRE(encode_inputs(fitted->encoder, inputs, NULL, &fitted->encoding) == STATUS_SUCCESS);
	else
		REQUIRE(encode_text(fitted->encoder, text, strlen(text), &fitted->encoding) == STATUS_SUCCESS);
}

/* Fits and trains; share of the text where there are two parts. */
static Fitted
fit_and_train(const Caller *caller, bool two_parts, int refine)
{
	static const float share[2] = {0.7f, 0.3f};
	const char *pointers[TEXTS];
	static float dense[TEXTS * 64];
	static size_t start[TEXTS + 1];
	static uint32_t index[TEXTS * 400];
	static float weight[TEXTS * 400];
	SparseRows	sparse = {TEXTS, start, index, weight};
	int			part_dims[2];
	Rows		rows = {.n = TEXTS, .dense = dense, .sparse = &sparse};
	TrainOptions options = {.folds = 3, .seed = 1, .refine = refine, .prior_precision = 1.0};
	Fitted		fitted = {0};
	Status		status;

	for (int i = 0; i < TEXTS; i++)
		pointers[i] = texts[i];
	fitted.encoder = fit_texts(caller, small_options(), pointers, TEXTS, &status);
	REQUIRE(status == STATUS_SUCCESS);
	if (two_parts)
	{
		Encoder    *vectors;
		EncoderPart parts[2] = {{.input = 0}, {.input = 1}};

		REQUIRE(vector_encoder(caller, 4, &vectors) == STATUS_SUCCESS);
		parts[0].encoder = fitted.encoder;
		parts[1].encoder = vectors;
		REQUIRE(encoder_combine(caller, parts, 2, &fitted.encoder) == STATUS_SUCCESS);
		part_dims[0] = encoder_dims(parts[0].encoder);
		part_dims[1] = 4;
		rows.parts = 2;
		rows.part_dims = part_dims;
		options.share = share;
	}
	rows.dims = encoder_dims(fitted.encoder);
	rows.sparse_dims = encoder_sparse_dims(fitted.encoder);
	REQUIRE(rows.dims <= 64 && encoding_init(caller, fitted.encoder, &fitted.encoding) == STATUS_SUCCESS);
	for (int i = 0; i < TEXTS; i++)
	{
		encode_row(&fitted, texts[i], i, two_parts);
		REQUIRE(start[i] + fitted.encoding.terms <= TEXTS * 400);
		memcpy(dense + i * rows.dims, fitted.encoding.dense, sizeof(float) * rows.dims);
		memcpy(index + start[i], fitted.encoding.index, sizeof(uint32_t) * fitted.encoding.terms);
		memcpy(weight + start[i], fitted.encoding.weight, sizeof(float) * fitted.encoding.terms);
		start[i + 1] = start[i] + fitted.encoding.terms;
	}
	REQUIRE(model_train(caller, &rows, labels, CLASSES, &options, &fitted.model, NULL) == STATUS_SUCCESS);
	CHECK(model_refined(fitted.model) == (refine == 1));
	return fitted;
}

/* The rows of an encoding. */
static Rows
row_of(const Fitted *fitted, SparseRows *sparse, size_t *start)
{
	start[0] = 0;
	start[1] = fitted->encoding.terms;
	*sparse = (SparseRows) {1, start, fitted->encoding.index, fitted->encoding.weight};
	return (Rows) {
		.n = 1, .dims = encoder_dims(fitted->encoder), .dense = fitted->encoding.dense,
		.sparse = sparse, .sparse_dims = encoder_sparse_dims(fitted->encoder)
	};
}

static double
log_odds(const Caller *caller, const Fitted *fitted, const Rows *rows, int a, int b)
{
	Score		score;
	float		probability[CLASSES];

	REQUIRE(model_score(caller, fitted->model, rows, &score, probability) == STATUS_SUCCESS);
	return log(probability[a]) - log(probability[b]);
}

static void
test_sums(bool two_parts, int refine)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Fitted		fitted = fit_and_train(&caller, two_parts, refine);
	int			lowered = 0;

	for (int i = 0; i < 30; i++)
	{
		int			a = labels[i];
		int			b = (a + 1) % CLASSES;
		float		direction[CLASSES] = {0};
		double		term[400];
		double		part[2];
		double		constant;
		double		sum = 0.0;
		double		known = 0.0;
		double		before;
		SparseRows	sparse;
		size_t		start[2];
		Rows		rows;
		TextFeature *features;
		int			n;
		int			best = 0;
		char		without[120];
		char	   *place;

		direction[a] = 1.0f;
		direction[b] = -1.0f;
		encode_row(&fitted, texts[i], i, two_parts);
		rows = row_of(&fitted, &sparse, start);
		before = log_odds(&caller, &fitted, &rows, a, b);
		REQUIRE(model_explain(&caller, fitted.model, fitted.encoder, &rows, direction, term, part,
							  &constant) == STATUS_SUCCESS);
		for (size_t t = 0; t < start[1]; t++)
			known += term[t];
		sum = known + constant + part[0] + (two_parts ? part[1] : 0.0);
		CHECK_NEAR(sum, before, 1e-3 * (1.0 + fabs(before)));
		CHECK(part[0] == 0.0);
		CHECK(!two_parts || part[1] != 0.0);

		/* the same by what can be read; no two have the same text */
		REQUIRE(text_features(&caller, fitted.encoder, 0, texts[i], strlen(texts[i]),
							  fitted.encoding.index, fitted.encoding.terms, term, &features, &n) == STATUS_SUCCESS);
		sum = 0.0;
		for (int f = 0; f < n; f++)
		{
			sum += features[f].weight;
			best = features[f].weight > features[best].weight &&
				strchr(features[f].text, ' ') == NULL ? f : best;
			CHECK(f == 0 || strcmp(features[f - 1].text, features[f].text) < 0);
		}
		CHECK_NEAR(sum, known, 1e-6 * (1.0 + fabs(known)));

		/* without the strongest word it is less sure */
		strcpy(without, texts[i]);
		place = strstr(without, features[best].text);
		if (place != NULL)
		{
			memset(place, ' ', strlen(features[best].text));
			encode_row(&fitted, without, i, two_parts);
			rows = row_of(&fitted, &sparse, start);
			lowered += log_odds(&caller, &fitted, &rows, a, b) < before;
		}
		text_features_free(&caller, features, n);
	}
	CHECK(lowered == 30);
	model_free(&caller, fitted.model);
	encoding_free(&fitted.encoding);
	encoder_free(&caller, fitted.encoder);
	CHECK(memory.blocks == 0);
}

static void
test_failures(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Fitted		fitted = fit_and_train(&caller, false, 1);
	float		direction[CLASSES] = {1.0f, -1.0f, 0.0f};
	double		term[400];
	double		part[1];
	double		constant;
	SparseRows	sparse;
	size_t		start[2];
	Rows		rows;
	TextFeature *features;
	int			n;
	size_t		blocks;

	encode_row(&fitted, texts[0], 0, false);
	rows = row_of(&fitted, &sparse, start);
	blocks = memory.blocks;
	for (int at = 1; at <= 6; at++)
	{
		memory.fail_at = memory.allocations + at;
		CHECK(model_explain(&caller, fitted.model, fitted.encoder, &rows, direction, term, part,
							&constant) == STATUS_NO_MEMORY);
		CHECK(memory.blocks == blocks);
	}
	for (int at = 1; at <= 12; at++)
	{
		memory.fail_at = memory.allocations + at;
		CHECK(text_features(&caller, fitted.encoder, 0, texts[0], strlen(texts[0]),
							fitted.encoding.index, fitted.encoding.terms, term, &features, &n) == STATUS_NO_MEMORY);
		CHECK(memory.blocks == blocks && features == NULL && n == 0);
	}
	memory.fail_at = 0;
	memory.stop_at = memory.questions + 1;
	CHECK(text_features(&caller, fitted.encoder, 0, texts[0], strlen(texts[0]),
						fitted.encoding.index, fitted.encoding.terms, term, &features, &n) == STATUS_STOPPED);
	memory.stop_at = 0;
	CHECK(memory.blocks == blocks);
	rows.dims--;
	CHECK(model_explain(&caller, fitted.model, fitted.encoder, &rows, direction, term, part,
						&constant) == STATUS_BAD_ARGUMENT);
	rows.dims++;

	/* a text without a known n-gram has none to show */
	encode_row(&fitted, "xyzzy", 0, false);
	CHECK(fitted.encoding.terms == 0);
	rows = row_of(&fitted, &sparse, start);
	CHECK(model_explain(&caller, fitted.model, fitted.encoder, &rows, direction, term, part,
						&constant) == STATUS_SUCCESS);
	CHECK(text_features(&caller, fitted.encoder, 0, "xyzzy", 5, fitted.encoding.index, 0, term,
						&features, &n) == STATUS_SUCCESS);
	CHECK(n == 0);
	text_features_free(&caller, features, n);
	model_free(&caller, fitted.model);
	encoding_free(&fitted.encoding);
	encoder_free(&caller, fitted.encoder);
	CHECK(memory.blocks == 0);
}

int
main(void)
{
	matrix = matrix_blas_ops();
	make_texts();
	test_spans();
	test_sums(false, 0);
	test_sums(false, 1);
	test_sums(true, 1);
	test_failures();
	return unit_end();
}
