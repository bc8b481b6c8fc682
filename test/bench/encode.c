/*-------------------------------------------------------------------------
 *
 * encode.c
 *	  How fast a transformer is without a server.
 *
 *	  encode ENCODER TEXTS [TOKENS]
 *
 * ENCODER is the stored form of one, as it is in hl_encoder_part; TEXTS has a
 * text a line.  TOKENS is written: the numbers of each text's tokens, a line a
 * text, for a peer that has no tokenizer.  Prints texts a second and GFLOP/s as
 * the texts come and sorted by length, the GFLOP/s of a product of square
 * matrices, the most memory of the process, in kB, and the vector of the first text.
 * Seconds are those of the processor, as the machine is not ours alone.
 *
 *-------------------------------------------------------------------------
 */
#include "encode/transformer_internal.h"
#include "math/matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH 128				/* as the server encodes rows */
#define SQUARE 1536
#define SQUARES 8

typedef struct Text
{
	const char *bytes;
	size_t		length;
	int			tokens;
} Text;

static void *
lend(void *state, size_t bytes)
{
	(void) state;
	return calloc(1, bytes);
}

static void
take_back(void *state, void *memory)
{
	(void) state;
	free(memory);
}

static const Caller caller = {lend, take_back, NULL, NULL};

static void
need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "encode: %s\n", what);
	exit(1);
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

/* The whole file and a zero behind it. */
static char *
read_file(const char *path, size_t *length)
{
	FILE	   *file = fopen(path, "rb");
	char	   *bytes;
	long		end;

	need(file != NULL && fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0, path);
	rewind(file);
	bytes = calloc((size_t) end + 1, 1);
	need(bytes != NULL && fread(bytes, 1, (size_t) end, file) == (size_t) end, path);
	fclose(file);
	*length = (size_t) end;
	return bytes;
}

/* Lines of bytes, which are cut there. */
static Text *
split_lines(char *bytes, int *n)
{
	Text	   *texts;

	*n = 0;
	for (const char *at = bytes; (at = strchr(at, '\n')) != NULL; at++)
		(*n)++;
	need(*n > 0, "there are no texts");
	texts = calloc((size_t) *n, sizeof(Text));
	need(texts != NULL, "no memory");
	for (int i = 0; i < *n; i++)
	{
		texts[i].bytes = bytes;
		texts[i].length = strcspn(bytes, "\n");
		bytes += texts[i].length + 1;
	}
	return texts;
}

/* Counts the tokens of each text, and writes their numbers where a file is given. */
static void
count_tokens(const Transformer *transformer, Text *texts, int n, const char *path)
{
	const TransformerConfig *config = &transformer->config;
	uint32_t	id[TRANSFORMER_MAX_TOKENS];
	FILE	   *file = path == NULL ? NULL : fopen(path, "w");

	need(path == NULL || file != NULL, path);
	for (int i = 0; i < n; i++)
	{
		int			count;

		need(tokenizer_encode(&transformer->tokenizer, &caller, texts[i].bytes, texts[i].length,
							  id, config->max_tokens - 2, &count) == STATUS_SUCCESS,
			 "cannot tokenize");
		texts[i].tokens = count + 2;
		if (file == NULL)
			continue;
		fprintf(file, "%u", config->first);
		for (int j = 0; j < count; j++)
			fprintf(file, " %u", id[j]);
		fprintf(file, " %u\n", config->last);
	}
	need(file == NULL || fclose(file) == 0, path);
}

/* Operations in products of matrices, without tokens that only fill up. */
static double
operations(const TransformerConfig *config, const Text *texts, int n)
{
	double		width = config->width;
	double		all = 0.0;

	for (int i = 0; i < n; i++)
	{
		double		tokens = texts[i].tokens;

		all += 2.0 * tokens * width * (4.0 * width + 2.0 * config->intermediate) +
			4.0 * tokens * tokens * width;
	}
	return all * config->layers;
}

/* Of a single text. */
static void
print_vector(const Encoder *encoder, const Text *text, Encoding *encoding, float *dense)
{
	need(encode_texts(encoder, &text->bytes, &text->length, 1, encoding, dense) == STATUS_SUCCESS,
		 "cannot encode");
	printf("vector");
	for (int i = 0; i < encoder_dims(encoder); i++)
		printf(" %.6f", (double) dense[i]);
	printf("\n");
}

static void
run(const char *order, const Encoder *encoder, const Text *texts, int n)
{
	float	   *dense = calloc((size_t) BATCH * (size_t) encoder_dims(encoder), sizeof(float));
	Encoding	encoding;
	double		start;
	double		seconds;

	need(dense != NULL && encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS,
		 "no memory");
	start = now();
	for (int from = 0; from < n; from += BATCH)
	{
		const char *bytes[BATCH];
		size_t		lengths[BATCH];
		int			rows = n - from < BATCH ? n - from : BATCH;

		for (int i = 0; i < rows; i++)
		{
			bytes[i] = texts[from + i].bytes;
			lengths[i] = texts[from + i].length;
		}
		need(encode_texts(encoder, bytes, lengths, rows, &encoding, dense) == STATUS_SUCCESS,
			 "cannot encode");
	}
	seconds = now() - start;
	printf("%s %.1f %.1f\n", order, n / seconds,
		   operations(&encoder->transformer->config, texts, n) / seconds / 1e9);
	if (strcmp(order, "given") == 0)
		print_vector(encoder, texts, &encoding, dense);
	encoding_free(&encoding);
	free(dense);
}

/* The best of several: what the processor can do with this BLAS. */
static void
run_square(void)
{
	size_t		cells = (size_t) SQUARE * SQUARE;
	float	   *a = malloc(3 * cells * sizeof(float));
	double		best = 0.0;

	need(a != NULL, "no memory");
	for (size_t i = 0; i < 3 * cells; i++)
		a[i] = (float) (i % 7) - 3.0f;
	for (int i = 0; i < SQUARES; i++)
	{
		double		start = now();
		double		rate;

		matrix->gemm_float(false, true, SQUARE, SQUARE, SQUARE, 1.0f, a, SQUARE, a + cells, SQUARE,
						   0.0f, a + 2 * cells, SQUARE);
		rate = 2.0 * SQUARE * (double) cells / (now() - start) / 1e9;
		best = rate > best ? rate : best;
	}
	printf("square %.1f\n", best);
	free(a);
}

static int
longer_first(const void *a, const void *b)
{
	return ((const Text *) b)->tokens - ((const Text *) a)->tokens;
}

int
main(int argc, char **argv)
{
	size_t		length;
	char	   *bytes;
	Reader		reader;
	Encoder    *encoder;
	Text	   *texts;
	int			n;
	struct rusage usage;

	need(argc == 3 || argc == 4, "encode ENCODER TEXTS [TOKENS]");
	matrix = matrix_blas_ops();
	need(matrix_self_test(matrix), "this BLAS computes wrong results on this processor");
	bytes = read_file(argv[1], &length);
	reader_init(&reader, bytes, length);
	need(encoder_read(&caller, &reader, &encoder) == STATUS_SUCCESS &&
		 encoder_kind(encoder) == ENCODER_TRANSFORMER, "not a stored transformer");
	free(bytes);
	bytes = read_file(argv[2], &length);
	texts = split_lines(bytes, &n);
	count_tokens(encoder->transformer, texts, n, argc == 4 ? argv[3] : NULL);
	run("given", encoder, texts, n);
	/* before the squares need some of their own */
	getrusage(RUSAGE_SELF, &usage);
	printf("memory %ld\n", usage.ru_maxrss);
	run_square();
	qsort(texts, (size_t) n, sizeof(Text), longer_first);
	run("sorted", encoder, texts, n);
	run_square();
	encoder_free(&caller, encoder);
	free(texts);
	free(bytes);
	return 0;
}
