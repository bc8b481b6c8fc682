/*-------------------------------------------------------------------------
 *
 * test_transformer.c
 *	  Small transformers against numpy; batches, stored forms, damaged ones.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/encode/transformer_kernels.h"
#include "../../src/math/random.h"
#include "transformer_helpers.h"

/* numpy computes in double, with numbers around 1 */
#define TOLERANCE 3e-6

#define BATCH 200

static Encoder *
make(const Caller *caller, const SmallModel *model)
{
	Encoder    *encoder;
	TransformerProblem problem;
	Status		status = small_make(caller, model, &encoder, &problem);

	if (status != STATUS_SUCCESS)
		printf("  '%s' %s\n", problem.name, problem.what);
	REQUIRE(status == STATUS_SUCCESS);
	return encoder;
}

static void
store(const Encoder *encoder, const Caller *caller, Writer *writer)
{
	writer_init(writer, caller);
	REQUIRE(encoder_write(encoder, writer) == STATUS_SUCCESS);
}

/* Texts of one to sixty letters, which the index determines. */
static void
batch_text(int i, char *text)
{
	int			letters = 1 + i * 7 % 60;

	for (int j = 0; j < letters; j++)
	{
		text[2 * j] = (char) ('a' + (i * 5 + j * 3) % LETTERS);
		text[2 * j + 1] = ' ';
	}
	text[2 * letters] = '\0';
}

/* The error that transformer_kernels.h promises. */
static void
test_gelu(void)
{
	double		worst = 0.0;

	for (int i = -200000; i <= 200000; i++)
	{
		float		x = (float) i / 16384.0f;
		double		exact = (double) x * (1.0 + erf((double) x / sqrt(2.0))) / 2.0;
		double		error = fabs((double) gelu_float(x) - exact) / fmax(1.0, fabs(exact));

		worst = fmax(worst, error);
	}
	CHECK(worst < 5e-7);
	CHECK(gelu_float(1e30f) == 1e30f && gelu_float(0.0f) == 0.0f);
	CHECK_NEAR(gelu_float(-1e30f), 0.0, 1e-6);
}

/* Every half there is, both ways; odd addresses and lengths. */
static void
test_types(void)
{
	unsigned char *bytes = malloc(2 * 65536 + 1);
	float	   *floats = malloc(65536 * sizeof(float));
	int16_t    *halves = malloc(65536 * sizeof(int16_t));
	const unsigned char infinity[2][2] = {{0x00, 0x7C}, {0x80, 0xFF}};
	float		value;

	CHECK(tensor_element(TENSOR_F32) == 4 && tensor_element(TENSOR_BF16) == 2 &&
		  tensor_element(TENSOR_OTHER) == 0);
	for (int type = TENSOR_F16; type <= TENSOR_BF16; type++)
	{
		int			exponents = type == TENSOR_F16 ? 0x7C00 : 0x7F80;
		int			n = 0;
		bool		same = true;

		/* all that are finite, one after another */
		for (int half = 0; half < 65536; half++)
			if ((half & exponents) != exponents)
			{
				bytes[1 + 2 * n] = (unsigned char) half;
				bytes[2 + 2 * n++] = (unsigned char) (half >> 8);
			}
		CHECK(tensor_finite((TensorType) type, bytes + 1, (size_t) n));
		CHECK(tensor_to_floats((TensorType) type, bytes + 1, (size_t) n, floats));
		tensor_from_floats((TensorType) type, floats, (size_t) n, halves);
		for (int i = 0; i < n; i++)
		{
			int			half = bytes[1 + 2 * i] | bytes[2 + 2 * i] << 8;
			int			digits = type == TENSOR_F16 ? 10 : 7;
			int			exponent = (half & 0x7FFF) >> digits;
			int			mantissa = half & ((1 << digits) - 1);
			int			bias = type == TENSOR_F16 ? 15 : 127;
			double		exact = ldexp(exponent == 0 ? mantissa : mantissa + (1 << digits),
									  (exponent == 0 ? 1 : exponent) - bias - digits);

			same = same && floats[i] == (float) (half & 0x8000 ? -exact : exact) &&
				(uint16_t) halves[i] == half;
		}
		CHECK(same);
		/* one that is not finite, at each place of a block */
		for (size_t i = 0; i < 70; i++)
		{
			unsigned char saved[2];

			memcpy(saved, bytes + 1 + 2 * i, 2);
			memcpy(bytes + 1 + 2 * i, infinity[type == TENSOR_F16 ? 0 : 1], 2);
			CHECK(!tensor_finite((TensorType) type, bytes + 1, 70));
			CHECK(!tensor_to_floats((TensorType) type, bytes + 1, 70, floats));
			CHECK(tensor_finite((TensorType) type, bytes + 1, i));
			memcpy(bytes + 1 + 2 * i, saved, 2);
		}
	}
	value = 1.25f;
	tensor_to_bytes(&value, 1, bytes + 1);
	CHECK(bytes[1] == 0 && bytes[2] == 0 && bytes[3] == 0xA0 && bytes[4] == 0x3F);
	CHECK(tensor_to_floats(TENSOR_F32, bytes + 1, 1, floats) && floats[0] == 1.25f);
	value = NAN;
	tensor_to_bytes(&value, 1, bytes + 1);
	CHECK(!tensor_finite(TENSOR_F32, bytes + 1, 1) && tensor_finite(TENSOR_F32, bytes + 1, 0));
	free(bytes);
	free(floats);
	free(halves);
}

/* The vectors of all texts against numpy's. */
static void
check_values(const Caller *caller, const SmallModel *model, int shape,
			 const float expected[VALUE_TEXTS][VALUE_WIDTH])
{
	Encoder    *encoder = make(caller, model);
	Encoding	encoding;

	CHECK(encoder_kind(encoder) == ENCODER_TRANSFORMER);
	CHECK(encoder_dims(encoder) == value_shapes[shape][3] && encoder_sparse_dims(encoder) == 0);
	REQUIRE(encoding_init(caller, encoder, &encoding) == STATUS_SUCCESS);
	for (int i = 0; i < VALUE_TEXTS; i++)
	{
		double		square = 0.0;

		REQUIRE(encode_text(encoder, value_texts[i], strlen(value_texts[i]), &encoding) == STATUS_SUCCESS);
		CHECK(encoding.terms == 0);
		for (int j = 0; j < encoder_dims(encoder); j++)
			square += (double) expected[i][j] * expected[i][j];
		for (int j = 0; j < encoder_dims(encoder); j++)
			CHECK_NEAR(encoding.dense[j], expected[i][j] / (model->config.normalize ? sqrt(square) : 1.0),
					   TOLERANCE);
	}
	encoding_free(&encoding);
	encoder_free(caller, encoder);
}

static void
test_values(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	for (int shape = 0; shape < VALUE_SHAPES; shape++)
		for (int type = TENSOR_F32; type <= TENSOR_BF16; type++)
		{
			SmallModel *model = small_model(shape, (TensorType) type);

			check_values(&caller, model, shape, value_mean[shape]);
			model->config.normalize = false;
			check_values(&caller, model, shape, value_mean[shape]);
			model->config.pooling = POOLING_FIRST;
			check_values(&caller, model, shape, value_first[shape]);
			small_model_free(model);
		}
	CHECK(memory.blocks == 0);
}

/* Many texts at once: as one by one, whichever block they are in. */
static void
test_batch(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallModel *model = small_model(1, TENSOR_F16);
	Encoder    *encoder = make(&caller, model);
	size_t		dims = (size_t) encoder_dims(encoder);
	float	   *dense = malloc(BATCH * dims * sizeof(float));
	static char texts[BATCH][128];
	const char *pointers[BATCH];
	size_t		lengths[BATCH];
	Encoding	encoding;
	double		worst = 0.0;

	for (int i = 0; i < BATCH; i++)
	{
		batch_text(i, texts[i]);
		pointers[i] = texts[i];
		lengths[i] = strlen(texts[i]);
	}
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(encode_texts(encoder, pointers, lengths, BATCH, &encoding, dense) == STATUS_SUCCESS);
	for (int i = 0; i < BATCH; i++)
	{
		CHECK(encode_text(encoder, texts[i], lengths[i], &encoding) == STATUS_SUCCESS);
		for (size_t j = 0; j < dims; j++)
			worst = fmax(worst, fabs((double) encoding.dense[j] - dense[(size_t) i * dims + j]));
	}
	CHECK(worst < 1e-6);
	CHECK(encode_texts(encoder, NULL, NULL, 0, &encoding, NULL) == STATUS_SUCCESS);

	/* stopped at any question, and good for more afterwards */
	for (long stop_at = 1;; stop_at += 17)
	{
		Status		status;

		memory.questions = 0;
		memory.stop_at = stop_at;
		status = encode_texts(encoder, pointers, lengths, BATCH, &encoding, dense);
		memory.stop_at = 0;
		if (status == STATUS_SUCCESS)
			break;
		CHECK(status == STATUS_STOPPED);
	}
	CHECK(encode_text(encoder, texts[3], lengths[3], &encoding) == STATUS_SUCCESS);
	CHECK_NEAR(encoding.dense[0], dense[3 * dims], 1e-6);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	small_model_free(model);
	free(dense);
	CHECK(memory.blocks == 0);
}

/* What is beyond max_tokens is not looked at. */
static void
test_cut(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallModel *model = small_model(0, TENSOR_F32);
	Encoder    *encoder;
	Encoding	encoding;
	float		dense[8];

	model->config.max_tokens = 5;
	encoder = make(&caller, model);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(encode_text(encoder, "a b c", 5, &encoding) == STATUS_SUCCESS);
	memcpy(dense, encoding.dense, sizeof(dense));
	CHECK(encode_text(encoder, "a b c d e", 9, &encoding) == STATUS_SUCCESS);
	CHECK(memcmp(dense, encoding.dense, sizeof(dense)) == 0);
	CHECK(encode_text(encoder, "a b", 3, &encoding) == STATUS_SUCCESS);
	CHECK(memcmp(dense, encoding.dense, sizeof(dense)) != 0);
	CHECK(encode_vector(encoder, dense, 8, &encoding) == STATUS_BAD_ARGUMENT);
	CHECK(terms_unpack(encoder, NULL, 0, &encoding) == STATUS_BAD_ARGUMENT);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	small_model_free(model);
	CHECK(memory.blocks == 0);
}

/* What make says of a model that is not one. */
static bool
complains(const SmallModel *model, Status expected, const char *name, const char *what)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder;
	TransformerProblem problem;
	Status		status = small_make(&caller, model, &encoder, &problem);
	bool		as_expected = status == expected && encoder == NULL && memory.blocks == 0 &&
		strcmp(problem.name, name) == 0 && strcmp(problem.what, what) == 0;

	if (!as_expected)
		printf("  status %d: '%s' %s\n", status, problem.name, problem.what);
	return as_expected;
}

static void
test_problems(void)
{
	SmallModel *model;
	static char long_name[300];
	static const int broken_type[] = {TENSOR_F32, TENSOR_F16, TENSOR_BF16};

#define COMPLAINS(change, status, name, what) \
	do { \
		model = small_model(0, TENSOR_F32); \
		change; \
		CHECK(complains(model, status, name, what)); \
		small_model_free(model); \
	} while (0)

	COMPLAINS(model->tensors[9].name_length--, STATUS_BAD_ARGUMENT,
			  "encoder.layer.0.attention.self.key.bias", "is missing");
	COMPLAINS(model->ntensors = 0, STATUS_BAD_ARGUMENT,
			  "embeddings.word_embeddings.weight", "is missing");
	COMPLAINS((model->tensors[5].name = model->names[7],
			   model->tensors[5].name_length = model->tensors[7].name_length),
			  STATUS_BAD_ARGUMENT, "encoder.layer.0.attention.self.query.weight", "is missing");
	COMPLAINS((model->tensors[5].name = "embeddings.LayerNorm.gamma",
			   model->tensors[5].name_length = 26),
			  STATUS_BAD_ARGUMENT, "embeddings.LayerNorm.weight", "is there twice");
	COMPLAINS((model->tensors[3].name = "embeddings.LayerNorm.gamm",
			   model->tensors[3].name_length = 25),
			  STATUS_BAD_ARGUMENT, "embeddings.LayerNorm.weight", "is missing");
	COMPLAINS((model->tensors[36].name = "bert.encoder.layer.1.output.LayerNorm.weight",
			   model->tensors[36].name_length = 44), STATUS_BAD_ARGUMENT,
			  "encoder.layer.1.output.LayerNorm.weight", "is there twice");
	COMPLAINS(model->shapes[5][1] = 9, STATUS_BAD_ARGUMENT,
			  "encoder.layer.0.attention.self.query.weight", "is of shape [8, 9], not [8, 8]");
	COMPLAINS(model->tensors[5].rank = 1, STATUS_BAD_ARGUMENT,
			  "encoder.layer.0.attention.self.query.weight", "is of shape [8], not [8, 8]");
	COMPLAINS(model->tensors[3].rank = 0, STATUS_BAD_ARGUMENT,
			  "embeddings.LayerNorm.weight", "is of shape [], not [8]");
	COMPLAINS(model->tensors[5].length--, STATUS_BAD_ARGUMENT,
			  "encoder.layer.0.attention.self.query.weight", "is not as long as its shape says");
	COMPLAINS(model->tensors[5].type = TENSOR_OTHER, STATUS_BAD_ARGUMENT,
			  "encoder.layer.0.attention.self.query.weight",
			  "is of a type other than F32, F16 and BF16");
	COMPLAINS(model->config.heads = 3, STATUS_BAD_ARGUMENT, "",
			  "num_attention_heads does not divide hidden_size");
	COMPLAINS(model->config.max_tokens = VALUE_POSITIONS + 1, STATUS_BAD_ARGUMENT, "",
			  "the number of tokens is out of range");
	COMPLAINS(model->config.layer_norm_eps = NAN, STATUS_BAD_ARGUMENT, "",
			  "layer_norm_eps is out of range");
	COMPLAINS(model->config.layers = 1 << 30, STATUS_BAD_ARGUMENT, "",
			  "num_hidden_layers is out of range");
	COMPLAINS(model->config.last = VALUE_WORDS, STATUS_BAD_ARGUMENT, "",
			  "the first or last token has no vector");
	COMPLAINS(model->vocabulary[7].id = VALUE_WORDS, STATUS_BAD_ARGUMENT, "",
			  "the vocabulary has numbers beyond vocab_size, 30");

	/* a name of any bytes and length is another's */
	memset(long_name, '\xC3', sizeof(long_name));
	COMPLAINS((model->tensors[0].name = long_name, model->tensors[0].name_length = 300),
			  STATUS_BAD_ARGUMENT, "embeddings.word_embeddings.weight", "is missing");

	/* the other families: what they have, and what they do not */
	model = small_model(2, TENSOR_F32);
	model->config.types = 1;
	CHECK(complains(model, STATUS_BAD_ARGUMENT, "", "type_vocab_size is out of range"));
	model->config.types = 0;
	model->tensors[5].name_length--;
	CHECK(complains(model, STATUS_BAD_ARGUMENT, "transformer.layer.0.attention.k_lin.weight",
					"is missing"));
	small_model_free(model);
	COMPLAINS(model->config.types = 0, STATUS_BAD_ARGUMENT, "", "type_vocab_size is out of range");
	COMPLAINS(model->config.family = (TransformerFamily) 3, STATUS_BAD_ARGUMENT, "",
			  "this family is not known");
	COMPLAINS(model->config.family = FAMILY_DISTILBERT, STATUS_BAD_ARGUMENT, "",
			  "type_vocab_size is out of range");
	COMPLAINS(model->config.first_position = -1, STATUS_BAD_ARGUMENT, "",
			  "the position of the first token is out of range");
	COMPLAINS(model->config.first_position = VALUE_POSITIONS - 2, STATUS_BAD_ARGUMENT, "",
			  "the position of the first token is out of range");
	COMPLAINS(model->config.first_position = 1, STATUS_BAD_ARGUMENT, "",
			  "the number of tokens is out of range");
	COMPLAINS((model->tensors[7].name = "roberta.embeddings.LayerNorm.bias",
			   model->tensors[7].name_length = 33, model->tensors[4].name_length--),
			  STATUS_BAD_ARGUMENT, "embeddings.LayerNorm.bias", "is missing");

	/* enormous shapes of huge rank fit into the message */
	{
		static const uint64_t huge[64] = {[0] = UINT64_MAX,[1] = UINT64_MAX,[63] = UINT64_MAX};

		COMPLAINS((model->tensors[5].rank = 64, model->tensors[5].shape = huge), STATUS_BAD_ARGUMENT,
				  "encoder.layer.0.attention.self.query.weight",
				  "is of shape [18446744073709551615, 1844674407370955, not [8, 8]");
	}

	/* a weight that is none, in each type; of the words, too */
	for (int i = 0; i < 3; i++)
		for (int at = 0; at < 20; at += 19)
		{
			model = small_model(0, (TensorType) broken_type[i]);
			memset((unsigned char *) (uintptr_t) model->tensors[at].bytes +
				   model->tensors[at].length - 4, 0xFF, 4);
			CHECK(complains(model, STATUS_NOT_FINITE, model->names[at],
							"has a value that is infinite or not a number"));
			small_model_free(model);
		}
}

/* The tokenizer is the encoder's after success, and the caller's after failure. */
static void
test_tokenizer(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallModel *model = small_model(0, TENSOR_F32);
	Tokenizer	tokenizer = {.kind = TOKENIZER_NONE};
	TokenizerFault fault;
	FaultPlace	place;
	size_t		at;
	uint32_t	id;
	int			count;
	Encoder    *encoder;
	TransformerProblem problem;

	CHECK(transformer_make(&caller, &model->config, model->tensors, model->ntensors, &tokenizer,
						   &encoder, &problem) == STATUS_BAD_ARGUMENT);
	CHECK(strcmp(problem.what, "there is no tokenizer") == 0 && encoder == NULL);
	CHECK(tokenizer_encode(&tokenizer, &caller, "b", 1, &id, 1, &count) == STATUS_BAD_ARGUMENT);
	CHECK(count == 0 && tokenizer_ids(&tokenizer) == 0);
	REQUIRE(wordpiece_make(&caller, &model->options, model->vocabulary, VALUE_WORDS,
						   &tokenizer.wordpiece, &fault, &at) == STATUS_SUCCESS);
	tokenizer.kind = TOKENIZER_WORDPIECE;
	CHECK(transformer_make(&caller, &model->config, model->tensors, 3, &tokenizer,
						   &encoder, &problem) == STATUS_BAD_ARGUMENT);
	CHECK(encoder == NULL && tokenizer.kind == TOKENIZER_WORDPIECE);
	CHECK(tokenizer_encode(&tokenizer, &caller, "b", 1, &id, 1, &count) == STATUS_SUCCESS);
	CHECK(count == 1 && id == 5 && tokenizer_ids(&tokenizer) == VALUE_WORDS);
	CHECK(transformer_make(&caller, &model->config, model->tensors, model->ntensors, &tokenizer,
						   &encoder, &problem) == STATUS_SUCCESS);
	CHECK(encoder != NULL && tokenizer.kind == TOKENIZER_NONE);
	tokenizer_free(&caller, &tokenizer);
	encoder_free(&caller, encoder);
	small_model_free(model);
	CHECK(strcmp(tokenizer_complaint(FAULT_TWICE, &place), "is in the vocabulary twice") == 0 &&
		  place == FAULT_OF_PIECE);
	CHECK(memory.blocks == 0);
}

/* With other tokenizers: the same vectors for the same pieces, read or made. */
static void
test_tokenizers(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);

	for (int kind = TOKENIZER_BYTE_PAIR; kind <= TOKENIZER_UNIGRAM; kind++)
	{
		SmallModel *model = small_model(3, TENSOR_F32);
		Encoder    *encoder;
		Writer		writer;
		Reader		reader;

		model->config.normalize = false;
		model->tokenizer = (TokenizerKind) kind;
		encoder = make(&caller, model);
		store(encoder, &caller, &writer);
		for (int read = 0; read < 2; read++)
		{
			/* words of one letter; byte pairs know more of "a" only, and blanks */
			const char *text = value_texts[kind == TOKENIZER_UNIGRAM ? 4 : 1];
			const float *expected = value_mean[3][kind == TOKENIZER_UNIGRAM ? 4 : 1];
			Encoding	encoding;

			REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
			CHECK(encode_text(encoder, text, strlen(text), &encoding) == STATUS_SUCCESS);
			for (int j = 0; j < encoder_dims(encoder); j++)
				CHECK_NEAR(encoding.dense[j], expected[j], TOLERANCE);
			encoding_free(&encoding);
			encoder_free(&caller, encoder);
			encoder = NULL;
			reader_init(&reader, writer.bytes, writer.length);
			if (read == 0)
				REQUIRE(encoder_read(&caller, &reader, &encoder) == STATUS_SUCCESS);
		}
		/* every beginning of the tokenizer, and another kind of it */
		for (size_t length = 84; length < 700; length += 5)
		{
			reader_init(&reader, writer.bytes, length);
			CHECK(encoder_read(&caller, &reader, &encoder) == STATUS_CORRUPT);
		}
		CHECK(writer.bytes[80] == kind);
		for (int other = 0; other < 6; other++)
		{
			writer.bytes[80] = (unsigned char) other;
			reader_init(&reader, writer.bytes, writer.length);
			CHECK(encoder_read(&caller, &reader, &encoder) ==
				  (other == kind ? STATUS_SUCCESS : STATUS_CORRUPT));
			encoder_free(&caller, encoder);
		}
		release(&caller, writer.bytes);
		small_model_free(model);
	}
	CHECK(memory.blocks == 0);
}

/* A tokenizer by its kind. */
static void
test_byte_pair_tokens(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallModel *model = small_model(3, TENSOR_F32);
	Tokenizer	tokenizer;
	uint32_t	ids[8];
	int			count;

	model->tokenizer = TOKENIZER_BYTE_PAIR;
	REQUIRE(small_tokenizer(&caller, model, &tokenizer) == STATUS_SUCCESS);
	CHECK(tokenizer_ids(&tokenizer) == VALUE_WORDS);
	CHECK(tokenizer_encode(&tokenizer, &caller, "a b!", 4, ids, 8, &count) == STATUS_SUCCESS);
	CHECK(count == 4 && ids[0] == 2 && ids[1] == 0 && ids[2] == 5 && ids[3] == 1);
	tokenizer_free(&caller, &tokenizer);
	small_model_free(model);
	CHECK(memory.blocks == 0);
}

/* Names behind the family's, as the files of larger models have them. */
static void
test_prefixes(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	static const char *const prefixes[VALUE_SHAPES] = {"bert.", "bert.", "distilbert.", "roberta."};

	for (int shape = 0; shape < VALUE_SHAPES; shape++)
	{
		SmallModel *model = small_model(shape, TENSOR_F32);
		static char names[MAX_TENSORS][96];

		for (size_t i = 0; i < model->ntensors; i += 1 + i % 2)
		{
			/* and as the oldest have them */
			char	   *weight = strstr(model->names[i], "LayerNorm.weight");
			char	   *bias = strstr(model->names[i], "LayerNorm.bias");

			if (weight != NULL)
				strcpy(weight, "LayerNorm.gamma");
			if (bias != NULL)
				strcpy(bias, "LayerNorm.beta");
			snprintf(names[i], sizeof(names[i]), "%s%s", prefixes[shape], model->names[i]);
			model->tensors[i].name = names[i];
			model->tensors[i].name_length = strlen(names[i]);
		}
		check_values(&caller, model, shape, value_mean[shape]);
		small_model_free(model);
	}
	CHECK(memory.blocks == 0);
}

/* Tensors of several types make an encoder of the widest. */
static void
test_mixed(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallModel *model = small_model(0, TENSOR_F16);
	SmallModel *other = small_model(0, TENSOR_BF16);
	SmallModel *plain = small_model(0, TENSOR_F32);
	Encoder    *mixed;
	Encoder    *wide;
	Writer		first;
	Writer		second;

	for (size_t i = 1; i < model->ntensors; i += 2)
	{
		const unsigned char *bytes = model->tensors[i].bytes;

		model->tensors[i].bytes = other->tensors[i].bytes;
		model->tensors[i].type = TENSOR_BF16;
		other->tensors[i].bytes = bytes;
	}
	mixed = make(&caller, model);
	wide = make(&caller, plain);
	store(mixed, &caller, &first);
	store(wide, &caller, &second);
	CHECK(first.length == second.length && memcmp(first.bytes, second.bytes, first.length) == 0);
	release(&caller, first.bytes);
	release(&caller, second.bytes);
	encoder_free(&caller, mixed);
	encoder_free(&caller, wide);
	small_model_free(model);
	small_model_free(other);
	small_model_free(plain);
	CHECK(memory.blocks == 0);
}

/* Reads from a copy at that distance from an aligned address. */
static Encoder *
read_at(const Caller *caller, unsigned char *buffer, const Writer *writer, size_t offset, bool in_place)
{
	Reader		reader;
	Encoder    *encoder;

	memcpy(buffer + offset, writer->bytes, writer->length);
	reader_init(&reader, buffer + offset, writer->length);
	REQUIRE((in_place ? encoder_read_in_place(caller, &reader, &encoder) :
			 encoder_read(caller, &reader, &encoder)) == STATUS_SUCCESS);
	CHECK(reader_left(&reader) == 0);
	return encoder;
}

/* Stores it in one form or the other. */
static void
store_as(const Encoder *encoder, const Caller *caller, bool expanded, Writer *writer)
{
	writer_init(writer, caller);
	REQUIRE((expanded ? encoder_write_expanded(encoder, writer) :
			 encoder_write(encoder, writer)) == STATUS_SUCCESS);
}

/*
 * Written, read from anywhere and written: the same bytes, the same vectors.
 * Expanded, and F32 anyway, weights take no memory where they can stay.
 */
static void
check_round_trip(TensorType type, bool expanded)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallModel *model = small_model(1 + (int) type, type);	/* a family each */
	Encoder    *encoder = make(&caller, model);
	Writer		writer;
	unsigned char *buffer;
	Encoding	expected;

	small_model_free(model);
	store_as(encoder, &caller, expanded, &writer);
	buffer = malloc(writer.length + 8);
	REQUIRE(encoding_init(&caller, encoder, &expected) == STATUS_SUCCESS);
	CHECK(encode_text(encoder, value_texts[4], strlen(value_texts[4]), &expected) == STATUS_SUCCESS);
	for (size_t offset = 0; offset < 5; offset++)
		for (int in_place = 0; in_place < 2; in_place++)
		{
			size_t		before = memory.bytes;
			Encoder    *copy = read_at(&caller, buffer, &writer, offset, in_place);
			Writer		again;
			Encoding	encoding;

			if ((type == TENSOR_F32 || expanded) && in_place && offset % 4 == 0)
				CHECK(memory.bytes - before < writer.length / 4);
			REQUIRE(encoding_init(&caller, copy, &encoding) == STATUS_SUCCESS);
			CHECK(encode_text(copy, value_texts[4], strlen(value_texts[4]), &encoding) == STATUS_SUCCESS);
			CHECK(memcmp(encoding.dense, expected.dense,
						 (size_t) encoder_dims(copy) * sizeof(float)) == 0);
			store(copy, &caller, &again);
			CHECK(again.length == writer.length &&
				  memcmp(again.bytes, writer.bytes, again.length) == 0);
			release(&caller, again.bytes);
			encoding_free(&encoding);
			encoder_free(&caller, copy);
		}
	encoding_free(&expected);
	encoder_free(&caller, encoder);
	release(&caller, writer.bytes);
	free(buffer);
	CHECK(memory.blocks == 0);
}

static void
test_round_trip(void)
{
	for (int type = TENSOR_F32; type <= TENSOR_BF16; type++)
	{
		check_round_trip((TensorType) type, false);
		check_round_trip((TensorType) type, true);
	}
}

/* FNV-1a of what a version of this code has written. */
static uint64_t
hash_of(const unsigned char *bytes, size_t length)
{
	uint64_t	hash = UINT64_C(0xCBF29CE484222325);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
	return hash;
}

/*
 * Version 1 of the stored form, made of the newest: without the numbers at
 * the end of the configuration, and the tokenizer's kind.
 */
#define VERSION_1_CONFIG (16 + 7 * 4 + 8 + 5 * 4)
#define VERSION_1_VOCABULARY 316
#define VERSION_1_WEIGHTS 448	/* where they begin, in both */
#define VERSION_2_MORE 12

static void
test_version_1(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallModel *model = small_model(0, TENSOR_F16);
	Encoder    *encoder;
	Encoder    *read;
	Writer		writer;
	Writer		again;
	Reader		reader;
	unsigned char *bytes;

	model->config.pooling = POOLING_FIRST;
	model->config.normalize = false;
	encoder = make(&caller, model);
	store(encoder, &caller, &writer);
	bytes = calloc(1, writer.length);
	memcpy(bytes, writer.bytes, VERSION_1_CONFIG);
	bytes[4] = 1;
	memcpy(bytes + VERSION_1_CONFIG, writer.bytes + VERSION_1_CONFIG + VERSION_2_MORE,
		   VERSION_1_VOCABULARY);
	memcpy(bytes + VERSION_1_WEIGHTS, writer.bytes + VERSION_1_WEIGHTS,
		   writer.length - VERSION_1_WEIGHTS);
	/* these are the very bytes that a version before has written */
	CHECK(writer.length == 4240 && hash_of(bytes, writer.length) == UINT64_C(0xDE356D7D897E3342));

	reader_init(&reader, bytes, writer.length);
	REQUIRE(encoder_read(&caller, &reader, &read) == STATUS_SUCCESS);
	CHECK(reader_left(&reader) == 0);
	store(read, &caller, &again);
	CHECK(again.length == writer.length && memcmp(again.bytes, writer.bytes, again.length) == 0);
	encoder_free(&caller, read);

	/* versions that are none, of this kind and of another */
	for (int version = 0; version < 4; version += 3)
	{
		bytes[4] = (unsigned char) version;
		reader_init(&reader, bytes, writer.length);
		CHECK(encoder_read(&caller, &reader, &read) == STATUS_CORRUPT && read == NULL);
	}
	bytes[4] = 2;
	bytes[8] = ENCODER_VECTOR;
	reader_init(&reader, bytes, writer.length);
	CHECK(encoder_read(&caller, &reader, &read) == STATUS_CORRUPT && read == NULL);
	free(bytes);
	release(&caller, writer.bytes);
	release(&caller, again.bytes);
	encoder_free(&caller, encoder);
	small_model_free(model);
	CHECK(memory.blocks == 0);
}

/* Reads bytes that may be anything; an encoder that comes out works. */
static Status
try_read(const unsigned char *bytes, size_t length, bool in_place)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	unsigned char *exact = malloc(length == 0 ? 1 : length);
	Reader		reader;
	Encoder    *encoder;
	Status		status;

	memcpy(exact, bytes, length);
	reader_init(&reader, exact, length);
	status = in_place ? encoder_read_in_place(&caller, &reader, &encoder) :
		encoder_read(&caller, &reader, &encoder);
	CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT);
	CHECK((status == STATUS_SUCCESS) == (encoder != NULL));
	CHECK(memory.peak <= 4 * length + 1000000);
	if (encoder != NULL && encoder_kind(encoder) == ENCODER_TRANSFORMER)
	{
		Encoding	encoding;
		bool		finite = true;
		Status		encoded;

		REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
		encoded = encode_text(encoder, value_texts[2], strlen(value_texts[2]), &encoding);
		CHECK(encoded == STATUS_SUCCESS || encoded == STATUS_NOT_FINITE);
		for (int i = 0; i < encoder_dims(encoder) && encoded == STATUS_SUCCESS; i++)
			finite = finite && isfinite(encoding.dense[i]);
		CHECK(finite);
		encoding_free(&encoding);
	}
	encoder_free(&caller, encoder);
	free(exact);
	CHECK(memory.blocks == 0);
	return status;
}

static void
test_damaged(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Random		random;

	random_seed(&random, 4);
	/* of each type, and one expanded */
	for (int form = 0; form < 4; form++)
	{
		TensorType	type = (TensorType) (form % 3);
		SmallModel *model = small_model(form == 0 ? 0 : form == 3 ? 1 : 1 + form,
										form == 3 ? TENSOR_F16 : type);
		Encoder    *encoder = make(&caller, model);
		Writer		writer;
		int			refused = 0;

		store_as(encoder, &caller, form == 3, &writer);
		for (size_t length = 0; length < writer.length; length += length < 700 ? 1 : 13)
			CHECK(try_read(writer.bytes, length, length % 2) == STATUS_CORRUPT);
		for (int round = 0; round < 4000; round++)
		{
			/* half of them where the numbers are that matter most */
			size_t		at = random_below(&random, round % 2 ? 600 : writer.length);
			unsigned char bit = (unsigned char) (1 << random_below(&random, 8));

			writer.bytes[at] ^= bit;
			refused += try_read(writer.bytes, writer.length, round % 3 == 0) == STATUS_CORRUPT;
			writer.bytes[at] ^= bit;
		}
		CHECK(refused > 100);
		encoder_free(&caller, encoder);
		release(&caller, writer.bytes);
		small_model_free(model);
	}
	CHECK(memory.blocks == 0);
}

/* What only the expanded form has: the flag, and zeros before F32. */
static void
test_expanded(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const size_t flag = VERSION_1_CONFIG - 3;
	const size_t words = VALUE_WORDS * 8 * 2;
	SmallModel *model = small_model(0, TENSOR_F16);
	Encoder    *encoder = make(&caller, model);
	Writer		plain;
	Writer		writer;

	store_as(encoder, &caller, false, &plain);
	store_as(encoder, &caller, true, &writer);
	/* the same up to the words' vectors, then 4 bytes a number instead of 2 */
	CHECK(plain.bytes[flag] == 0 && writer.bytes[flag] == 1);
	writer.bytes[flag] = 0;
	CHECK(memcmp(plain.bytes, writer.bytes, VERSION_1_WEIGHTS + words) == 0);
	writer.bytes[flag] = 1;
	CHECK(words % 64 == 32 && writer.length - (VERSION_1_WEIGHTS + words + 32) ==
		  2 * (plain.length - (VERSION_1_WEIGHTS + words)));
	CHECK(try_read(writer.bytes, writer.length, true) == STATUS_SUCCESS);
	CHECK(try_read(writer.bytes, writer.length - 1, true) == STATUS_CORRUPT);
	writer.bytes[VERSION_1_WEIGHTS + words + 31] = 1;
	CHECK(try_read(writer.bytes, writer.length, true) == STATUS_CORRUPT);
	writer.bytes[VERSION_1_WEIGHTS + words + 31] = 0;
	/* F32 is expanded anyway, version 1 was never, and there is one flag only */
	writer.bytes[flag - 1] = TENSOR_F32;
	CHECK(try_read(writer.bytes, writer.length, true) == STATUS_CORRUPT);
	writer.bytes[flag - 1] = TENSOR_F16;
	writer.bytes[flag] = 3;
	CHECK(try_read(writer.bytes, writer.length, true) == STATUS_CORRUPT);
	writer.bytes[flag] = 1;
	writer.bytes[4] = 1;
	CHECK(try_read(writer.bytes, writer.length, true) == STATUS_CORRUPT);
	encoder_free(&caller, encoder);
	release(&caller, plain.bytes);
	release(&caller, writer.bytes);
	small_model_free(model);
	CHECK(memory.blocks == 0);
}

/* Without memory at any point: said, and nothing lost. */
static void
test_no_memory(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	SmallModel *model = small_model(0, TENSOR_F16);
	Status		status = STATUS_NO_MEMORY;

	for (long fail_at = 1; status != STATUS_SUCCESS; fail_at++)
	{
		Encoder    *encoder;
		Encoder    *copy = NULL;
		Encoding	encoding = {0};
		TransformerProblem problem;
		Writer		writer;
		Reader		reader;

		memory.allocations = 0;
		memory.fail_at = fail_at;
		writer_init(&writer, &caller);
		status = small_make(&caller, model, &encoder, &problem);
		if (status == STATUS_SUCCESS)
			status = encoder_write(encoder, &writer);
		reader_init(&reader, writer.bytes, writer.length);
		if (status == STATUS_SUCCESS)
			status = encoder_read(&caller, &reader, &copy);
		if (status == STATUS_SUCCESS)
			status = encoding_init(&caller, copy, &encoding);
		if (status == STATUS_SUCCESS)
		{
			status = encode_text(copy, "a b", 3, &encoding);
			encoding_free(&encoding);
		}
		CHECK(status == STATUS_SUCCESS || status == STATUS_NO_MEMORY);
		encoder_free(&caller, encoder);
		encoder_free(&caller, copy);
		release(&caller, writer.bytes);
		CHECK(memory.blocks == 0);
		REQUIRE(fail_at < 1000);
	}
	memory.fail_at = 0;
	small_model_free(model);
}

int
main(void)
{
	matrix = matrix_blas_ops();
	test_gelu();
	test_types();
	test_values();
	test_batch();
	test_cut();
	test_problems();
	test_tokenizer();
	test_tokenizers();
	test_byte_pair_tokens();
	test_prefixes();
	test_mixed();
	test_round_trip();
	test_version_1();
	test_damaged();
	test_expanded();
	test_no_memory();
	return unit_end();
}
