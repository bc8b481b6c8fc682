/*-------------------------------------------------------------------------
 *
 * test_encode.c
 *	  Text to features, without a server.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/encode/encoder_internal.h"
#include "../../src/encode/gram_counts.h"
#include "../../src/encode/svd.h"
#include "../../src/encode/terms.h"
#include "../../src/math/matrix.h"
#include "../../src/math/random.h"
#include "encode_values.h"

/* scikit-learn computes in double, the encoder keeps idf and weights in float */
#define WEIGHT_TOLERANCE 1e-6

/* Rows made of two rows of the corpus, and dims fitted to them */
#define MIXED_ROWS 100
#define MIXED_DIMS 45

#define MEGABYTE ((size_t) 1 << 20)

static TextFitOptions
small_options(void)
{
	TextFitOptions options = {
		.dims = 16, .vocabulary = 4096, .sample_rows = 1000,
		.memory = 64 * MEGABYTE, .seed = 1
	};

	return options;
}

/* Fits the n texts; NULL, and the reason in *status, when that fails. */
static Encoder *
fit_texts(const Caller *caller, TextFitOptions options, const char *const *texts, int n,
		  Status *status)
{
	TextFit    *fit;
	Encoder    *encoder = NULL;
	size_t		needed;

	*status = text_fit_start(caller, &options, &fit, &needed);
	if (*status != STATUS_OK)
		return NULL;
	for (int i = 0; i < n && *status == STATUS_OK; i++)
		*status = text_fit_add(fit, texts[i], strlen(texts[i]));
	if (*status == STATUS_OK)
		*status = text_fit_finish(fit, &encoder);
	text_fit_free(fit);
	return encoder;
}

static Encoder *
fit_corpus(const Caller *caller)
{
	Status		status;
	Encoder    *encoder = fit_texts(caller, small_options(), corpus, CORPUS_ROWS, &status);

	REQUIRE(status == STATUS_OK && encoder != NULL);
	return encoder;
}

/* The n-grams of a text, in order. */
typedef struct TermList
{
	int			n;
	uint64_t	hash[4096];
} TermList;

static Status
collect(void *state, const uint64_t *hashes, int count)
{
	TermList   *list = state;

	for (int i = 0; i < count && list->n < 4096; i++)
		list->hash[list->n++] = hashes[i];
	return STATUS_OK;
}

static void
terms_of(const char *text, size_t length, TermList *list)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	list->n = 0;
	CHECK(text_terms(&caller, text, length, collect, list) == STATUS_OK);
	CHECK(memory.allocations == 0);
}

static bool
same_terms(const char *a, const char *b)
{
	static TermList first;
	static TermList second;

	terms_of(a, strlen(a), &first);
	terms_of(b, strlen(b), &second);
	return first.n == second.n &&
		memcmp(first.hash, second.hash, (size_t) first.n * sizeof(uint64_t)) == 0;
}

static int
count_kind(const char *text, size_t length, int kind)
{
	static TermList list;
	int			count = 0;

	terms_of(text, length, &list);
	for (int i = 0; i < list.n; i++)
		count += term_kind(list.hash[i]) == kind;
	return count;
}

#define WORDS(text) count_kind(text, strlen(text), TERM_WORD)
#define PIECES(text) count_kind(text, strlen(text), TERM_PIECE)

static void
test_folding(void)
{
	CHECK(same_terms("Stra\xc3\x9f" "e", "STRASSE"));
	CHECK(same_terms("\xc4\xb0stanbul", "i\xcc\x87stanbul"));	/* dotted I */
	CHECK(!same_terms("\xc4\xb0stanbul", "istanbul"));
	CHECK(same_terms("\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xce\xb4\xce\xbf\xcf\x82"));	/* final sigma */
	CHECK(same_terms("\xef\xac\x81ne", "fine"));	/* ligature */
	CHECK(same_terms("\xef\xbc\xa3\xef\xbc\xa1\xef\xbc\xb2\xef\xbc\xa4", "card")); /* full width */
	CHECK(same_terms("\xef\xbd\xb6\xef\xbe\x9e", "\xe3\x82\xac"));	/* half-width ga */
	CHECK(same_terms("x\xc2\xb2", "x2"));
	CHECK(same_terms("co\xc2\xad" "operate", "cooperate"));	/* soft hyphen */
	CHECK(same_terms("\xe2\x9d\xa4\xef\xb8\x8f", "\xe2\x9d\xa4"));	/* variation selector */
	CHECK(same_terms("a\xc2\xa0" "b", "a b"));	/* no-break space */
	CHECK(same_terms("\xf3\xa0\x81\x81tag", "tag"));	/* tag characters vanish */
	CHECK(!same_terms("resume", "r\xc3\xa9sum\xc3\xa9"));
}

/* Composed and decomposed text, marks in either order. */
static void
test_composition(void)
{
	CHECK(same_terms("\xc3\xa9t\xc3\xa9", "e\xcc\x81te\xcc\x81"));
	/* Vietnamese e with circumflex and acute, three ways */
	CHECK(same_terms("ti\xe1\xba\xbfng", "tie\xcc\x82\xcc\x81ng"));
	CHECK(same_terms("ti\xe1\xba\xbfng", "ti\xc3\xaa\xcc\x81ng"));
	/* dot below and dot above of s: class 220 before 230, any order */
	CHECK(same_terms("\xe1\xb9\xa9", "s\xcc\xa3\xcc\x87"));
	CHECK(same_terms("\xe1\xb9\xa9", "s\xcc\x87\xcc\xa3"));
	/* same class: the order says something and is kept */
	CHECK(!same_terms("a\xcc\x81\xcc\x88", "a\xcc\x88\xcc\x81"));
	/* Hangul: syllable, jamo, half a syllable and a final */
	CHECK(same_terms("\xed\x95\x9c", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"));
	CHECK(same_terms("\xed\x95\x9c", "\xed\x95\x98\xe1\x86\xab"));
	/* Bengali vowel sign o from its two parts */
	CHECK(same_terms("\xe0\xa6\x95\xe0\xa7\x8b", "\xe0\xa6\x95\xe0\xa7\x87\xe0\xa6\xbe"));
	/* a singleton: the Kelvin sign and the Angstrom sign */
	CHECK(same_terms("\xe2\x84\xaa" "elvin", "kelvin"));
	CHECK(same_terms("\xe2\x84\xabngstr\xc3\xb6m", "a\xcc\x8angstro\xcc\x88m"));
}

/* As many words (with pairs) and pieces as the description says. */
static void
test_units(void)
{
	CHECK(WORDS("") == 0 && PIECES("") == 0);
	CHECK(WORDS(" \t\n\r  ") == 0 && PIECES(" \t\n\r  ") == 0);
	CHECK(WORDS("a") == 0 && PIECES("a") == 1);	/* " a " */
	CHECK(WORDS("ab") == 1 && PIECES("ab") == 3);	/* " ab", "ab ", " ab " */
	CHECK(WORDS("abc") == 1 && PIECES("abc") == 6);
	CHECK(WORDS("one two three") == 5);
	CHECK(WORDS("one a two") == 3);	/* one, two, "one two" */
	CHECK(WORDS("snake_case") == 1);
	CHECK(WORDS("can't") == 1);
	CHECK(WORDS("\xe6\x88\x91\xe7\x9a\x84\xe5\x8d\xa1") == 5);	/* 3 Han, 2 pairs */
	CHECK(PIECES("\xe6\x88\x91\xe7\x9a\x84\xe5\x8d\xa1") == 6);
	/* katakana is one word, the particle after it another */
	CHECK(WORDS("\xe3\x82\xab\xe3\x83\xbc\xe3\x83\x89\xe3\x81\x8c") == 3);
	/* Thai: a consonant with its vowel sign is one unit, 2 + 1 */
	CHECK(WORDS("\xe0\xb8\x9a\xe0\xb8\xb1\xe0\xb8\x95") == 3);
	CHECK(WORDS("\xd8\xa8\xd8\xb7\xd8\xa7\xd9\x82\xd8\xa9 \xd8\xac\xd8\xaf\xd9\x8a\xd8\xaf\xd8\xa9") == 3);
	CHECK(WORDS("\xed\x95\x9c\xea\xb5\xad \xec\x95\x84\xec\xa7\x81") == 3);
	CHECK(WORDS("\xf0\x9f\x98\x80\xf0\x9f\x98\x80") == 3);	/* two faces, a pair */
	CHECK(same_terms("a  b\n\nc", " a b c "));
}

/* Damaged UTF-8 separates, and what is around it is as if it were a space. */
static void
test_invalid(void)
{
	static const char *const invalid[] = {
		"\xff", "\xc3", "\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98"
	};
	char		text[64];
	TermList	list;

	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
	{
		snprintf(text, sizeof(text), "card%smachine", invalid[i]);
		CHECK(same_terms(text, "card machine"));
		snprintf(text, sizeof(text), "card%s", invalid[i]);
		CHECK(same_terms(text, "card"));
	}
	terms_of("card\0machine", 12, &list);
	CHECK(list.n > 0 && WORDS("card machine") == count_kind("card\0machine", 12, TERM_WORD));

	/* every byte at the end of the text, and cut sequences: no read beyond */
	for (int byte = 0; byte < 256; byte++)
	{
		char	   *exact = malloc(2);

		exact[0] = 'x';
		exact[1] = (char) byte;
		terms_of(exact, 2, &list);
		free(exact);
	}
	CHECK(list.n == 1);
}

/* A single token longer than every buffer: as many pieces as characters. */
static void
test_long_token(void)
{
	size_t		length = 100000;
	char	   *text = malloc(length + 1);
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	encoding;
	int			n;

	for (size_t i = 0; i < length; i++)
		text[i] = (char) ('a' + i % 26);
	text[length] = '\0';
	/* starts 0 .. length - 1 of " text ": 3, 4 and 5 long but for the last */
	n = (int) (length + 2 - 2) + (int) (length + 2 - 3) + (int) (length + 2 - 4);
	{
		/* more than a TermList holds, so only counted */
		int			pieces = 0;

		for (int cut = 0; cut < 2; cut++)
		{
			size_t		part = cut ? 1200 : 600;

			pieces = count_kind(text, part, TERM_PIECE);
			CHECK(pieces == (int) (3 * (part + 2) - 9));
		}
		CHECK(n == (int) (3 * (length + 2) - 9));
	}
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_OK);
	CHECK(encode_text(encoder, text, length, &encoding) == STATUS_OK);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	free(text);
	CHECK(memory.blocks == 0);
}

static const IdfValue *
find_idf(uint64_t hash)
{
	for (int i = 0; i < CORPUS_TERMS; i++)
		if (corpus_idf[i].hash == hash)
			return &corpus_idf[i];
	return NULL;
}

/* The terms of one corpus row against scikit-learn's. */
static void
check_row(const Encoder *encoder, const Encoding *encoding, int row)
{
	int			from = row_start[row];
	int			terms = row_start[row + 1] - from;
	int			found = 0;

	CHECK(encoding->terms == terms);
	for (int i = 0; i < encoding->terms; i++)
	{
		uint64_t	hash = encoder->hash[encoding->index[i]];

		CHECK(i == 0 || encoding->index[i] > encoding->index[i - 1]);
		for (int j = from; j < from + terms; j++)
			if (row_terms[j].hash == hash)
			{
				found++;
				CHECK(encoding->count[i] == row_terms[j].count);
				CHECK_NEAR(encoding->weight[i], row_terms[j].weight, WEIGHT_TOLERANCE);
			}
	}
	CHECK(found == terms);
}

static void
test_weights(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	encoding;

	CHECK(encoder_kind(encoder) == ENCODER_TEXT);
	CHECK(encoder_sparse_dims(encoder) == CORPUS_TERMS);
	for (int i = 0; i < encoder->vocabulary; i++)
	{
		const IdfValue *value = find_idf(encoder->hash[i]);

		CHECK(value != NULL);
		if (value != NULL)
			CHECK_NEAR(encoder->idf[i], value->idf, WEIGHT_TOLERANCE);
	}
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_OK);
	for (int row = 0; row < CORPUS_ROWS; row++)
	{
		CHECK(encode_text(encoder, corpus[row], strlen(corpus[row]), &encoding) == STATUS_OK);
		check_row(encoder, &encoding, row);
	}
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

static double
cosine(const float *a, const float *b, int n)
{
	double		sum = 0.0;

	for (int i = 0; i < n; i++)
		sum += (double) a[i] * b[i];
	return sum;
}

static double
length_of(const float *a, int n)
{
	return sqrt(cosine(a, a, n));
}

/*
 * dense = unit(sum of weight * scale * mantissas), computed the plain way:
 * every product is exact and the order of the sum is fixed, so the very bits
 * must agree, whatever registers the encoder uses.
 */
static void
test_dense(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = small_options();
	Encoder    *encoder;
	Encoding	encoding;
	Status		status;
	static char mixed[MIXED_ROWS][512];
	const char *mixed_rows[MIXED_ROWS];

	for (int i = 0; i < MIXED_ROWS; i++)
	{
		snprintf(mixed[i], sizeof(mixed[i]), "%s %s", corpus[i % CORPUS_ROWS],
				 corpus[(i + i / CORPUS_ROWS * 5 + 3) % CORPUS_ROWS]);
		mixed_rows[i] = mixed[i];
	}
	/* less than a step of the hot loop; a step and a rest */
	for (int round = 0; round < 2; round++)
	{
		int			dims;

		options.dims = round == 0 ? 16 : MIXED_DIMS;
		encoder = fit_texts(&caller, options, mixed_rows, MIXED_ROWS, &status);
		REQUIRE(encoder != NULL);
		dims = encoder_dims(encoder);
		REQUIRE(dims == options.dims);
		REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_OK);
		for (int row = 0; row < CORPUS_ROWS; row++)
		{
			float		dense[MIXED_DIMS];
			double		length = 0.0;

			CHECK(encode_text(encoder, corpus[row], strlen(corpus[row]), &encoding) == STATUS_OK);
			for (int j = 0; j < dims; j++)
			{
				double		sum = 0.0;

				for (int i = 0; i < encoding.terms; i++)
				{
					uint32_t	term = encoding.index[i];
					double		weight = (float) ((double) encoding.weight[i] *
												  encoder->scale[term]);

					sum += weight * encoder->mantissa[term * (uint32_t) dims + (uint32_t) j];
				}
				dense[j] = (float) sum;
				length += (double) dense[j] * dense[j];
			}
			for (int j = 0; j < dims; j++)
				dense[j] = (float) (dense[j] / sqrt(length));
			CHECK(memcmp(dense, encoding.dense, (size_t) dims * sizeof(float)) == 0);
			CHECK_NEAR(length_of(encoding.dense, dims), 1.0, 1e-6);
		}
		encoding_free(&encoding);
		encoder_free(&caller, encoder);
	}
	CHECK(memory.blocks == 0);
}

/* A dense row-major matrix as a sparse one. */
static void
make_sparse(const float *dense, int rows, int columns, size_t *start, uint32_t *index,
			float *value, SparseMatrix *sparse)
{
	size_t		entries = 0;

	start[0] = 0;
	for (int i = 0; i < rows; i++)
	{
		for (int j = 0; j < columns; j++)
			if (dense[i * columns + j] != 0.0f)
			{
				index[entries] = (uint32_t) j;
				value[entries++] = dense[i * columns + j];
			}
		start[i + 1] = entries;
	}
	*sparse = (SparseMatrix) {rows, columns, start, index, value};
}

/* ||A V||^2 over the sum of the first k squared singular values. */
static double
captured(const float *a, const float *v, int found, int k)
{
	double		energy = 0.0;
	double		best = 0.0;

	for (int i = 0; i < SVD_ROWS; i++)
		for (int c = 0; c < found; c++)
		{
			double		sum = 0.0;

			for (int j = 0; j < SVD_COLUMNS; j++)
				sum += (double) a[i * SVD_COLUMNS + j] * v[j * found + c];
			energy += sum * sum;
		}
	for (int c = 0; c < k; c++)
		best += svd_values[c] * svd_values[c];
	return energy / best;
}

static double
orthogonality_error(const float *v, int rows, int columns)
{
	double		error = 0.0;

	for (int a = 0; a < columns; a++)
		for (int b = 0; b <= a; b++)
		{
			double		sum = a == b ? -1.0 : 0.0;

			for (int j = 0; j < rows; j++)
				sum += (double) v[j * columns + a] * v[j * columns + b];
			error = fmax(error, fabs(sum));
		}
	return error;
}

static void
test_svd(void)
{
	static size_t start[SVD_ROWS + 1];
	static uint32_t index[SVD_ROWS * SVD_COLUMNS];
	static float value[SVD_ROWS * SVD_COLUMNS];
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SparseMatrix a;
	float	   *v;
	int			found;

	make_sparse(svd_matrix, SVD_ROWS, SVD_COLUMNS, start, index, value, &a);

	/* as many columns as there are: nothing is approximated */
	REQUIRE(truncated_svd(&caller, &a, SVD_COLUMNS, 1, &v, &found) == STATUS_OK);
	CHECK(found == SVD_COLUMNS);
	CHECK(orthogonality_error(v, SVD_COLUMNS, found) < 1e-3);
	CHECK_NEAR(captured(svd_matrix, v, found, SVD_COLUMNS), 1.0, 1e-5);
	for (int c = 0; c < SVD_VECTORS; c++)
	{
		double		cosine = 0.0;

		for (int j = 0; j < SVD_COLUMNS; j++)
			cosine += v[j * found + c] * svd_vectors[c * SVD_COLUMNS + j];
		CHECK_NEAR(fabs(cosine), 1.0, 1e-5);
	}
	CHECK(memory.peak <= truncated_svd_bytes(SVD_ROWS, SVD_COLUMNS, a.start[SVD_ROWS],
											 SVD_COLUMNS));
	release(&caller, v);

	/* five of forty: nearly all that five can hold, for any seed */
	for (uint64_t seed = 0; seed < 20; seed++)
	{
		REQUIRE(truncated_svd(&caller, &a, 5, seed, &v, &found) == STATUS_OK);
		CHECK(found == 5);
		CHECK(orthogonality_error(v, SVD_COLUMNS, found) < 1e-4);
		CHECK(captured(svd_matrix, v, found, 5) > 0.98);
		CHECK(captured(svd_matrix, v, found, 5) < 1.0 + 1e-6);
		release(&caller, v);
	}
	CHECK(memory.blocks == 0);
}

/* Lower rank than dims, and nothing at all. */
static void
test_svd_rank(void)
{
	static float dense[30 * 20];
	static size_t start[31];
	static uint32_t index[30 * 20];
	static float value[30 * 20];
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SparseMatrix a;
	float	   *v;
	int			found;
	double		sum = 0.0;

	for (int i = 0; i < 30; i++)
		for (int j = 0; j < 20; j++)
			dense[i * 20 + j] = (float) ((i % 3 + 1) * (j % 4 == 0) + (i % 2) * (j % 5 == 1));
	make_sparse(dense, 30, 20, start, index, value, &a);
	REQUIRE(truncated_svd(&caller, &a, 10, 1, &v, &found) == STATUS_OK);
	CHECK(found == 2);
	CHECK(orthogonality_error(v, 20, found) < 1e-5);
	release(&caller, v);

	memset(dense, 0, sizeof(dense));
	make_sparse(dense, 30, 20, start, index, value, &a);
	REQUIRE(truncated_svd(&caller, &a, 10, 1, &v, &found) == STATUS_OK);
	CHECK(found == 1);
	for (int j = 0; j < 20; j++)
		sum += fabsf(v[j]);
	CHECK(sum == 0.0);
	release(&caller, v);

	/* one row: its direction */
	for (int j = 0; j < 20; j++)
		dense[j] = (float) j;
	make_sparse(dense, 1, 20, start, index, value, &a);
	REQUIRE(truncated_svd(&caller, &a, 10, 1, &v, &found) == STATUS_OK);
	CHECK(found == 1);
	CHECK_NEAR(fabsf(v[19]), 19.0 / sqrt(2470.0), 1e-6);
	release(&caller, v);
	CHECK(memory.blocks == 0);
}

/* Sources of a few rows, equal rows, empty rows. */
static void
test_tiny_sources(void)
{
	static const char *const equal[6] = {"the same", "the same", "the same", "the same", "the same", "the same"};
	static const char *const empty[3] = {"", "  ", "\xff"};
	static const char *const five[5] = {"new card", "card lost", "lost my phone", "new phone", ""};
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const struct
	{
		const char *const *texts;
		int			n;
	}			sources[] = {{five, 5}, {equal, 6}, {empty, 3}, {five, 1}, {five, 0}};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
	{
		Status		status;
		Encoder    *encoder = fit_texts(&caller, small_options(), sources[i].texts,
										sources[i].n, &status);
		Encoding	encoding;

		REQUIRE(status == STATUS_OK && encoder != NULL);
		CHECK(encoder_dims(encoder) >= 1 && encoder_dims(encoder) <= 5);
		REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_OK);
		CHECK(encode_text(encoder, "new card", 8, &encoding) == STATUS_OK);
		CHECK_NEAR(length_of(encoding.dense, encoder_dims(encoder)), i == 0 ? 1.0 : 0.0, 1e-6);
		CHECK(encode_text(encoder, "", 0, &encoding) == STATUS_OK);
		CHECK(encoding.terms == 0);
		CHECK(length_of(encoding.dense, encoder_dims(encoder)) == 0.0);
		encoding_free(&encoding);
		encoder_free(&caller, encoder);
	}
	CHECK(memory.blocks == 0);
}

/* Like texts lie near each other in every script; equal ones are equal. */
static void
test_meaning(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	first;
	Encoding	second;
	int			dims = encoder_dims(encoder);

	REQUIRE(encoding_init(&caller, encoder, &first) == STATUS_OK);
	REQUIRE(encoding_init(&caller, encoder, &second) == STATUS_OK);
	for (int row = 0; row < CORPUS_ROWS; row += 2)
	{
		int			other = (row + 2) % CORPUS_ROWS;
		double		near;

		encode_text(encoder, corpus[row], strlen(corpus[row]), &first);
		encode_text(encoder, corpus[row + 1], strlen(corpus[row + 1]), &second);
		near = cosine(first.dense, second.dense, dims);
		encode_text(encoder, corpus[other], strlen(corpus[other]), &second);
		CHECK(near > 0.5);
		CHECK(near > cosine(first.dense, second.dense, dims) + 0.2);
	}
	encode_text(encoder, "n\xc3\xbamero \xc4\xb0stanbul g\xc3\xbczel", 23, &first);
	encode_text(encoder, "NU\xcc\x81MERO I\xcc\x87STANBUL GU\xcc\x88ZEL", 26, &second);
	CHECK(first.terms > 10 && first.terms == second.terms);
	CHECK(memcmp(first.dense, second.dense, (size_t) dims * sizeof(float)) == 0);
	encoding_free(&first);
	encoding_free(&second);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

static void
store(const Encoder *encoder, const Caller *caller, Writer *writer)
{
	writer_init(writer, caller);
	REQUIRE(encoder_write(encoder, writer) == STATUS_OK);
}

/* The same texts and seed give the same bytes; another seed other ones. */
static void
test_determinism(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = small_options();
	Writer		writers[3];
	Status		status;

	options.dims = 4;
	options.sample_rows = 15;	/* so that the sample leaves rows out */
	for (int i = 0; i < 3; i++)
	{
		Encoder    *encoder;

		options.seed = i < 2 ? 5 : 6;
		encoder = fit_texts(&caller, options, corpus, CORPUS_ROWS, &status);
		REQUIRE(encoder != NULL);
		store(encoder, &caller, &writers[i]);
		encoder_free(&caller, encoder);
	}
	CHECK(writers[0].length == writers[1].length &&
		  memcmp(writers[0].bytes, writers[1].bytes, writers[0].length) == 0);
	CHECK(writers[0].length != writers[2].length ||
		  memcmp(writers[0].bytes, writers[2].bytes, writers[0].length) != 0);
	for (int i = 0; i < 3; i++)
		release(&caller, writers[i].bytes);
	CHECK(memory.blocks == 0);
}

/* Written, read and written: the same bytes, and the same features. */
static void
test_round_trip(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoder    *copy;
	Writer		writer;
	Writer		again;
	Reader		reader;
	Encoding	first;
	Encoding	second;

	writer_init(&writer, &caller);
	write_u32(&writer, 77);		/* something else before and behind */
	REQUIRE(encoder_write(encoder, &writer) == STATUS_OK);
	write_u32(&writer, 78);
	reader_init(&reader, writer.bytes, writer.length);
	CHECK(read_u32(&reader) == 77);
	REQUIRE(encoder_read(&caller, &reader, &copy) == STATUS_OK);
	CHECK(read_u32(&reader) == 78 && reader_left(&reader) == 0);
	store(copy, &caller, &again);
	CHECK(again.length == writer.length - 8 &&
		  memcmp(again.bytes, writer.bytes + 4, again.length) == 0);

	REQUIRE(encoding_init(&caller, encoder, &first) == STATUS_OK);
	REQUIRE(encoding_init(&caller, copy, &second) == STATUS_OK);
	for (int row = 0; row < CORPUS_ROWS; row++)
	{
		unsigned char *packed;
		size_t		length;

		encode_text(encoder, corpus[row], strlen(corpus[row]), &first);
		encode_text(copy, corpus[row], strlen(corpus[row]), &second);
		CHECK(memcmp(first.dense, second.dense,
					 (size_t) encoder_dims(encoder) * sizeof(float)) == 0);

		packed = malloc(terms_bound(&first) + 1);
		length = terms_pack(&first, packed);
		CHECK(length <= terms_bound(&first));
		encode_text(copy, "", 0, &second);
		CHECK(terms_unpack(copy, packed, length, &second) == STATUS_OK);
		CHECK(second.terms == first.terms);
		CHECK(memcmp(first.index, second.index, (size_t) first.terms * sizeof(uint32_t)) == 0);
		CHECK(memcmp(first.count, second.count, (size_t) first.terms) == 0);
		CHECK(memcmp(first.weight, second.weight, (size_t) first.terms * sizeof(float)) == 0);
		free(packed);
	}
	encoding_free(&first);
	encoding_free(&second);
	encoder_free(&caller, encoder);
	encoder_free(&caller, copy);
	release(&caller, writer.bytes);
	release(&caller, again.bytes);
	CHECK(memory.blocks == 0);
}

/* Occurrences saturate; weights are those of the saturated count. */
static void
test_many_occurrences(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	encoding;
	char	   *text = malloc(5 * 1000 + 1);
	unsigned char packed[64 * 6];
	float		weight[64];
	int			terms;
	int			highest = 0;

	for (int i = 0; i < 1000; i++)
		memcpy(text + 5 * i, "card ", 5);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_OK);
	CHECK(encode_text(encoder, text, 5000, &encoding) == STATUS_OK);
	terms = encoding.terms;
	CHECK(terms >= 1 && terms <= 64);
	for (int i = 0; i < terms && i < 64; i++)
	{
		highest = encoding.count[i] > highest ? encoding.count[i] : highest;
		weight[i] = encoding.weight[i];
	}
	CHECK(highest == TERM_MAX_COUNT);
	CHECK(terms_unpack(encoder, packed, terms_pack(&encoding, packed), &encoding) == STATUS_OK);
	CHECK(memcmp(weight, encoding.weight, (size_t) terms * sizeof(float)) == 0);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	free(text);
	CHECK(memory.blocks == 0);
}

/* Reads stored bytes that may be anything; an encoder that comes out works. */
static Status
try_read(const unsigned char *bytes, size_t length)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Reader		reader;
	Encoder    *encoder;
	Status		status;

	/* an exact copy, so that reading one byte beyond is seen */
	unsigned char *exact = malloc(length == 0 ? 1 : length);

	memcpy(exact, bytes, length);
	reader_init(&reader, exact, length);
	status = encoder_read(&caller, &reader, &encoder);
	CHECK(status == STATUS_OK || status == STATUS_CORRUPT);
	CHECK((status == STATUS_OK) == (encoder != NULL));
	CHECK(memory.peak <= 12 * length + 300000);	/* dims of vectors need none */
	if (encoder != NULL && encoder_kind(encoder) == ENCODER_TEXT)
	{
		Encoding	encoding;
		bool		finite = true;

		REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_OK);
		for (int row = 0; row < CORPUS_ROWS; row += 5)
			CHECK(encode_text(encoder, corpus[row], strlen(corpus[row]), &encoding) == STATUS_OK);
		for (int i = 0; i < encoder_dims(encoder); i++)
			finite = finite && isfinite(encoding.dense[i]);
		CHECK(finite);
		encoding_free(&encoding);
	}
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
	free(exact);
	return status;
}

static void
test_damaged_encoder(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Writer		writer;
	Random		random;
	int			refused = 0;
	unsigned char *copy;

	store(encoder, &caller, &writer);
	encoder_free(&caller, encoder);
	copy = malloc(writer.length);
	random_seed(&random, 11);
	CHECK(try_read(writer.bytes, writer.length) == STATUS_OK);
	for (int round = 0; round < 2000; round++)
	{
		size_t		length = writer.length;
		int			changes = 1 + (int) random_below(&random, 4);

		memcpy(copy, writer.bytes, length);
		for (int i = 0; i < changes; i++)
		{
			/* half of them in the header, where the counts are */
			size_t		at = random_below(&random, random_below(&random, 2) ? 24 : length);

			copy[at] = (unsigned char) random_bits(&random);
		}
		if (random_below(&random, 4) == 0)
			length = random_below(&random, length);
		refused += try_read(copy, length) == STATUS_CORRUPT;
	}
	CHECK(refused > 500 && refused < 2000);
	for (size_t length = 0; length < 64; length++)
		CHECK(try_read(writer.bytes, length) == STATUS_CORRUPT);
	CHECK(try_read(writer.bytes, writer.length - 1) == STATUS_CORRUPT);
	free(copy);
	release(&caller, writer.bytes);
	CHECK(memory.blocks == 0);
}

/* One value at a time that no fit writes. */
static void
test_refused_values(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Writer		writer;
	static const float bad[] = {NAN, INFINITY, -1.0f, 1e30f};

	for (int i = 0; i < 4; i++)
	{
		float		kept = encoder->idf[3];

		encoder->idf[3] = bad[i];
		store(encoder, &caller, &writer);
		CHECK(try_read(writer.bytes, writer.length) == STATUS_CORRUPT);
		release(&caller, writer.bytes);
		encoder->idf[3] = kept;
		kept = encoder->scale[3];
		encoder->scale[3] = bad[i];
		store(encoder, &caller, &writer);
		CHECK(try_read(writer.bytes, writer.length) == STATUS_CORRUPT);
		release(&caller, writer.bytes);
		encoder->scale[3] = kept;
	}
	encoder->hash[0] ^= 1;		/* a piece among the words */
	store(encoder, &caller, &writer);
	CHECK(try_read(writer.bytes, writer.length) == STATUS_CORRUPT);
	release(&caller, writer.bytes);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* A vocabulary of hashes that all fall into one slot is refused, soon. */
static void
test_colliding_hashes(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Writer		writer;
	uint32_t	n = 200000;

	writer_init(&writer, &caller);
	write_u32(&writer, UINT32_C(0x4E454C48));
	write_u32(&writer, 1);
	write_u32(&writer, ENCODER_TEXT);
	write_u32(&writer, 1);
	write_u32(&writer, n);
	write_u32(&writer, n);
	for (uint32_t i = 0; i < n; i++)
		write_u64(&writer, 2);
	for (uint32_t i = 0; i < 2 * n; i++)
		write_floats(&writer, (const float[]) {1.0f}, 1);
	for (uint32_t i = 0; i < n; i++)
		write_i16s(&writer, (const int16_t[]) {1}, 1);
	CHECK(try_read(writer.bytes, writer.length) == STATUS_CORRUPT);
	release(&caller, writer.bytes);
	CHECK(memory.blocks == 0);
}

static void
test_damaged_terms(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	encoding;
	Random		random;
	static const unsigned char too_far[] = {0xFE, 0xFF, 0xFF, 0xFF, 0x0F};
	static const unsigned char endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	static const unsigned char too_large[] = {0x80, 0x80, 0x80, 0x80, 0x7F};
	static const unsigned char no_count[] = {0x01};
	static const unsigned char count_one[] = {0x01, 0x01};
	static const unsigned char good[] = {0x01, 0x02, 0x00};
	static const unsigned char zeros[100000];

	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_OK);
	CHECK(terms_unpack(encoder, too_far, 5, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, endless, 6, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, too_large, 5, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, no_count, 1, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, count_one, 2, &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, zeros, sizeof(zeros), &encoding) == STATUS_CORRUPT);
	CHECK(terms_unpack(encoder, zeros, CORPUS_TERMS + 1, &encoding) == STATUS_CORRUPT);
	CHECK(encoding.terms == 0);
	CHECK(terms_unpack(encoder, zeros, CORPUS_TERMS, &encoding) == STATUS_OK);
	CHECK(encoding.terms == CORPUS_TERMS);
	CHECK(terms_unpack(encoder, good, 3, &encoding) == STATUS_OK);
	CHECK(encoding.terms == 2 && encoding.index[0] == 0 && encoding.index[1] == 1);
	CHECK(encoding.count[0] == 2 && encoding.count[1] == 1);
	CHECK(terms_unpack(encoder, NULL, 0, &encoding) == STATUS_OK && encoding.terms == 0);

	random_seed(&random, 3);
	for (int round = 0; round < 2000; round++)
	{
		unsigned char *bytes = malloc(40);
		size_t		length = random_below(&random, 40);
		Status		status;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (unsigned char) (random_bits(&random) >> (random_bits(&random) % 8));
		bytes = realloc(bytes, length + 1);
		status = terms_unpack(encoder, bytes, length, &encoding);
		CHECK(status == STATUS_OK || status == STATUS_CORRUPT);
		for (int i = 0; i < encoding.terms; i++)
			CHECK(encoding.index[i] < CORPUS_TERMS && isfinite(encoding.weight[i]));
		free(bytes);
	}
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* All of a fit, an encoding and a round trip, in memory that may run out. */
static Status
whole_life(const Caller *caller)
{
	Status		status;
	Encoder    *encoder = fit_texts(caller, small_options(), corpus, CORPUS_ROWS, &status);
	Encoder    *copy = NULL;
	Encoding	encoding;
	Writer		writer;
	Reader		reader;

	if (encoder == NULL)
		return status;
	writer_init(&writer, caller);
	status = encoder_write(encoder, &writer);
	if (status == STATUS_OK)
	{
		reader_init(&reader, writer.bytes, writer.length);
		status = encoder_read(caller, &reader, &copy);
	}
	if (status == STATUS_OK)
		status = encoding_init(caller, copy, &encoding);
	if (status == STATUS_OK)
	{
		for (int i = 0; i < CORPUS_ROWS && status == STATUS_OK; i++)
			status = encode_text(copy, corpus[i], strlen(corpus[i]), &encoding);
		encoding_free(&encoding);
	}
	encoder_free(caller, copy);
	encoder_free(caller, encoder);
	release(caller, writer.bytes);
	return status;
}

static void
test_no_memory(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Status		status = STATUS_NO_MEMORY;
	long		n = 0;

	while (status == STATUS_NO_MEMORY && n < 10000)
	{
		caller = unit_caller(&memory);
		memory.fail_at = ++n;
		status = whole_life(&caller);
		CHECK(memory.blocks == 0);
	}
	CHECK(status == STATUS_OK);
	CHECK(n > 40);				/* so many places could fail */
}

static void
test_stop(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Status		status = STATUS_STOPPED;
	long		n = 0;
	Encoder    *encoder;
	Encoding	encoding;
	Encoding	fresh;
	char	   *text = malloc(1000000);

	while (status == STATUS_STOPPED && n < 100000)
	{
		caller = unit_caller(&memory);
		memory.stop_at = ++n;
		status = whole_life(&caller);
		CHECK(memory.blocks == 0);
	}
	CHECK(status == STATUS_OK);
	CHECK(n > 40);

	/* an encoding that was stopped half-way is as good as new */
	for (int i = 0; i < 1000000; i++)
		text[i] = "where is my card "[i % 17];
	caller = unit_caller(&memory);
	encoder = fit_corpus(&caller);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_OK);
	REQUIRE(encoding_init(&caller, encoder, &fresh) == STATUS_OK);
	memory.stop_at = memory.questions + 100;
	CHECK(encode_text(encoder, text, 1000000, &encoding) == STATUS_STOPPED);
	memory.stop_at = 0;
	CHECK(encode_text(encoder, corpus[3], strlen(corpus[3]), &encoding) == STATUS_OK);
	CHECK(encode_text(encoder, corpus[3], strlen(corpus[3]), &fresh) == STATUS_OK);
	CHECK(encoding.terms == fresh.terms);
	CHECK(memcmp(encoding.dense, fresh.dense, sizeof(float) * 16) == 0);

	/* a long text without a single n-gram must be stoppable too */
	for (int i = 0; i < 999999; i += 3)
		memcpy(text + i, "\xe2\x80\x8b", 3);
	memory.stop_at = memory.questions + 100;
	CHECK(encode_text(encoder, text, 999999, &encoding) == STATUS_STOPPED);
	encoding_free(&encoding);
	encoding_free(&fresh);
	encoder_free(&caller, encoder);
	free(text);
	CHECK(memory.blocks == 0);
}

/* A text of random words, and one common word, in buffer. */
static int
random_text(Random *random, char *buffer, int words)
{
	int			length = sprintf(buffer, "common ");

	for (int i = 0; i < words; i++)
	{
		for (int c = 0; c < 7; c++)
			buffer[length++] = (char) ('a' + random_below(random, 26));
		buffer[length++] = ' ';
	}
	return length;
}

/* Millions of different n-grams in little memory; the common ones survive. */
static void
test_bounded_memory(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = {
		.dims = 8, .vocabulary = 512, .sample_rows = 200, .seed = 1
	};
	TextFit    *fit;
	Encoder    *encoder;
	Encoder    *second;
	TermList	list;
	Random		random;
	size_t		needed;
	char		text[1000];
	double		idf = 0.0;
	int			rows = 6000;
	bool		good = true;

	CHECK(text_fit_start(&caller, &options, &fit, &needed) == STATUS_NO_MEMORY);
	CHECK(fit == NULL && needed > 0 && memory.allocations == 0);
	options.memory = needed;
	REQUIRE(text_fit_start(&caller, &options, &fit, &needed) == STATUS_OK);
	random_seed(&random, 1);
	for (int i = 0; i < rows; i++)
	{
		int			length = random_text(&random, text, 20);

		good = good && text_fit_add(fit, text, (size_t) length) == STATUS_OK;

		/* every third row says this too, so it must be found and counted well */
		if (i % 3 == 0)
			good = good && text_fit_add(fit, "often seen together", 19) == STATUS_OK;
	}
	CHECK(good);
	REQUIRE(text_fit_finish(fit, &encoder) == STATUS_OK);
	CHECK(text_fit_finish(fit, &second) == STATUS_BAD_ARGUMENT && second == NULL);
	text_fit_free(fit);
	CHECK(memory.peak <= options.memory);

	/* in 2,000 of 8,000 rows; counted at least to nine tenths */
	terms_of("often", 5, &list);
	for (int i = 0; i < encoder->vocabulary; i++)
		if (encoder->hash[i] == list.hash[0])
			idf = encoder->idf[i];
	CHECK_NEAR(idf, log(8001.0 / 2001.0) + 1.0, 0.1);
	CHECK(encoder->vocabulary == 512);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

/* The table of counts alone: what lossy counting promises. */
static void
test_lossy_counting(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	GramCounts	counts;
	Random		random;
	uint64_t	rows = 5000;
	int			found = 0;
	bool		bounds = true;

	REQUIRE(gram_counts_init(&counts, &caller, 16) == STATUS_OK);
	random_seed(&random, 9);
	for (uint64_t row = 1; row <= rows; row++)
	{
		uint64_t	hashes[102];

		for (int i = 0; i < 100; i++)
			hashes[i] = random_bits(&random);

		/* in every tenth row, twice */
		hashes[100] = hashes[101] = UINT64_C(0x123456789ABCDEF1);
		CHECK(gram_counts_add(&counts, row, hashes, row % 10 == 0 ? 102 : 100) == STATUS_OK);
	}
	CHECK(counts.bits == 16 && counts.missed > 0);
	CHECK(memory.peak <= gram_counts_bytes(16));
	for (size_t i = 0; i < (size_t) 1 << counts.bits; i++)
		if (counts.slots[i].hash == UINT64_C(0x123456789ABCDEF1))
		{
			found++;
			bounds = counts.slots[i].rows <= 500 &&
				counts.slots[i].rows + counts.missed >= 500;
		}
	CHECK(found == 1);
	CHECK(bounds);
	gram_counts_free(&counts);
	CHECK(memory.blocks == 0);
}

static void
test_vectors(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder;
	Encoder    *copy;
	Encoding	encoding;
	Writer		writer;
	Reader		reader;
	float		vector[3] = {3.0f, 0.0f, -4.0f};
	float		tiny[3] = {1e-40f, 0.0f, 0.0f};
	float		huge[3] = {3e38f, 3e38f, 3e38f};
	float		zero[3] = {0.0f, 0.0f, 0.0f};
	float		bad[3] = {1.0f, NAN, 0.0f};

	CHECK(vector_encoder(&caller, 0, &encoder) == STATUS_BAD_ARGUMENT && encoder == NULL);
	CHECK(vector_encoder(&caller, 1 << 20, &encoder) == STATUS_BAD_ARGUMENT);
	REQUIRE(vector_encoder(&caller, 3, &encoder) == STATUS_OK);
	store(encoder, &caller, &writer);
	reader_init(&reader, writer.bytes, writer.length);
	REQUIRE(encoder_read(&caller, &reader, &copy) == STATUS_OK);
	CHECK(encoder_kind(copy) == ENCODER_VECTOR && encoder_dims(copy) == 3);
	CHECK(encoder_sparse_dims(copy) == 0);
	REQUIRE(encoding_init(&caller, copy, &encoding) == STATUS_OK);
	CHECK(encode_vector(copy, vector, 3, &encoding) == STATUS_OK);
	CHECK_NEAR(encoding.dense[0], 0.6, 1e-7);
	CHECK_NEAR(encoding.dense[2], -0.8, 1e-7);
	CHECK(encode_vector(copy, tiny, 3, &encoding) == STATUS_OK && encoding.dense[0] == 1.0f);
	CHECK(encode_vector(copy, huge, 3, &encoding) == STATUS_OK);
	CHECK_NEAR(encoding.dense[1], 1.0 / sqrt(3.0), 1e-7);
	CHECK(encode_vector(copy, zero, 3, &encoding) == STATUS_OK && encoding.dense[0] == 0.0f);
	CHECK(encode_vector(copy, bad, 3, &encoding) == STATUS_NOT_FINITE);
	CHECK(encode_vector(copy, vector, 2, &encoding) == STATUS_BAD_ARGUMENT);
	CHECK(encode_text(copy, "x", 1, &encoding) == STATUS_BAD_ARGUMENT);
	CHECK(terms_unpack(copy, (const unsigned char *) "", 0, &encoding) == STATUS_BAD_ARGUMENT);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	encoder_free(&caller, copy);
	release(&caller, writer.bytes);

	encoder = fit_corpus(&caller);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_OK);
	CHECK(encode_vector(encoder, vector, 16, &encoding) == STATUS_BAD_ARGUMENT);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	CHECK(memory.blocks == 0);
}

static void
test_options(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = small_options();
	TextFit    *fit;
	size_t		needed;

	options.dims = 0;
	CHECK(text_fit_start(&caller, &options, &fit, &needed) == STATUS_BAD_ARGUMENT);
	options = small_options();
	options.vocabulary = 0;
	CHECK(text_fit_start(&caller, &options, &fit, &needed) == STATUS_BAD_ARGUMENT);
	options = small_options();
	options.sample_rows = 0;
	CHECK(text_fit_start(&caller, &options, &fit, &needed) == STATUS_BAD_ARGUMENT);
	CHECK(fit == NULL && memory.allocations == 0);
	text_fit_free(NULL);
	encoder_free(&caller, NULL);
}

/* Long texts: the sample keeps within its share, and all rows have theirs. */
static void
test_long_texts(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	TextFitOptions options = {
		.dims = 8, .vocabulary = 2000, .sample_rows = 100, .seed = 1
	};
	TextFit    *fit;
	Encoder    *encoder;
	size_t		needed;
	size_t		length = 200000;
	char	   *text = malloc(length + 1000);
	Random		random;

	random_seed(&random, 4);
	text_fit_start(&caller, &options, &fit, &needed);
	options.memory = needed + MEGABYTE;
	REQUIRE(text_fit_start(&caller, &options, &fit, &needed) == STATUS_OK);
	for (int row = 0; row < 150; row++)
	{
		size_t		filled = 0;

		while (filled < (row % 10 == 0 ? length : 500))
			filled += (size_t) random_text(&random, text + filled, 20);
		REQUIRE(text_fit_add(fit, text, filled) == STATUS_OK);
	}
	REQUIRE(text_fit_finish(fit, &encoder) == STATUS_OK);
	CHECK(encoder_dims(encoder) == 8);
	text_fit_free(fit);
	encoder_free(&caller, encoder);
	CHECK(memory.peak <= options.memory);
	CHECK(memory.blocks == 0);
	free(text);
}

int
main(void)
{
	matrix = matrix_blas_ops();
	test_folding();
	test_composition();
	test_units();
	test_invalid();
	test_long_token();
	test_weights();
	test_dense();
	test_svd();
	test_svd_rank();
	test_tiny_sources();
	test_meaning();
	test_determinism();
	test_round_trip();
	test_many_occurrences();
	test_damaged_encoder();
	test_refused_values();
	test_colliding_hashes();
	test_damaged_terms();
	test_no_memory();
	test_stop();
	test_bounded_memory();
	test_lossy_counting();
	test_vectors();
	test_options();
	test_long_texts();
	return unit_end();
}
