/*-------------------------------------------------------------------------
 *
 * fuzz_fit.c
 *	  Any bytes as a source: its lines are the rows a text encoder is fitted
 *	  to, the first bytes say how.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_encode.h"

#define HEAD 4
#define MOST_ROWS 400

/* Calls back for each line. */
static Status
each_line(const uint8_t *data, size_t size, Status (*take) (void *, const char *, size_t), void *state)
{
	size_t		start = 0;
	int			rows = 0;

	for (size_t i = 0; i <= size && rows < MOST_ROWS; i++)
		if (i == size || data[i] == '\n')
		{
			TRY(take(state, (const char *) data + start, i - start));
			start = i + 1;
			rows++;
		}
	return STATUS_SUCCESS;
}

static Status
add_line(void *state, const char *text, size_t length)
{
	return text_fit_add(state, text, length);
}

typedef struct LineState
{
	const Encoder *encoder;
	Encoding	encoding;
	bool		fails;
} LineState;

static Status
encode_line(void *state, const char *text, size_t length)
{
	LineState  *line = state;
	Status		status = encode_text(line->encoder, text, length, &line->encoding);

	FUZZ_CHECK(status == STATUS_SUCCESS || line->fails);
	if (status == STATUS_SUCCESS)
		check_encoding(line->encoder, &line->encoding);
	return STATUS_SUCCESS;
}

/* Each row is encoded with what was made of all of them, stored and read. */
static void
use(const Caller *caller, const Encoder *encoder, const uint8_t *data, size_t size, bool fails)
{
	LineState	line = {.fails = fails};
	Writer		writer;
	Reader		reader;
	Encoder    *copy = NULL;

	writer_init(&writer, caller);
	if (encoder_write(encoder, &writer) == STATUS_SUCCESS)
	{
		Status		status;

		reader_init(&reader, writer.bytes, writer.length);
		status = encoder_read(caller, &reader, &copy);
		FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
	}
	if (copy != NULL && encoding_init(caller, copy, &line.encoding) == STATUS_SUCCESS)
	{
		line.encoder = copy;
		FUZZ_CHECK(each_line(data, size, encode_line, &line) == STATUS_SUCCESS);
		encoding_free(&line.encoding);
	}
	encoder_free(caller, copy);
	release(caller, writer.bytes);
}

static void
run_fit(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	FuzzMemory *memory = caller->state;
	size_t		most = memory->most;
	TextFitOptions options;
	TextFit    *fit;
	Encoder    *encoder = NULL;
	size_t		needed;
	Status		status;

	(void) fuzz_keeper();
	if (size < HEAD)
		return;
	options.dims = 1 + data[0] % 40;
	options.vocabulary = 1 + (data[1] << (data[1] % 8));
	options.sample_rows = 1 + data[2] * 2;
	options.memory = (size_t) 1 << (16 + data[3] % 10);
	options.seed = data[3];
	memory->most = options.memory;
	status = text_fit_start(caller, &options, &fit, &needed);
	FUZZ_CHECK(status == STATUS_SUCCESS || (status == STATUS_NO_MEMORY && (needed > options.memory || fails)));
	if (status != STATUS_SUCCESS && needed > 0)
	{
		/* what it asks for is enough */
		options.memory = needed;
		memory->most = needed;
		status = text_fit_start(caller, &options, &fit, &needed);
		FUZZ_CHECK(status == STATUS_SUCCESS || fails);
	}
	if (status != STATUS_SUCCESS)
		return;
	status = each_line(data + HEAD, size - HEAD, add_line, fit);
	if (status == STATUS_SUCCESS)
		status = text_fit_finish(fit, &encoder);
	FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
	text_fit_free(fit);
	memory->most = most;
	if (encoder != NULL)
		use(caller, encoder, data + HEAD, size - HEAD, fails);
	encoder_free(caller, encoder);
}

const long	fuzz_runs = 400;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_fit, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	static const unsigned char heads[][HEAD] = {
		{15, 200, 100, 8}, {0, 0, 0, 0}, {39, 255, 255, 9}, {3, 64, 1, 7}
	};

	if (n >= (int) (sizeof(heads) / sizeof(heads[0])))
		return false;
	write_bytes(writer, heads[n], HEAD);
	for (int i = 0; i < (n == 1 ? 3 : CORPUS_ROWS); i++)
	{
		write_bytes(writer, corpus[i], strlen(corpus[i]));
		write_bytes(writer, "\n", 1);
	}
	return true;
}
