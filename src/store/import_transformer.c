/*-------------------------------------------------------------------------
 *
 * import_transformer.c
 *	  From the files of Hugging Face's Transformers to an encoder.
 *
 * What a file says is checked where it is used: numbers, tokenizer and tensors
 * by the room that computes with them (encode/), the form of the files here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "encode/safetensors.h"
#include "encode/transformer.h"
#include "store/caller.h"
#include "store/import_internal.h"
#include "store/session.h"

#define CONFIG "config.json"
#define POOLING "1_Pooling/config.json"
#define SENTENCES "sentence_bert_config.json"
#define MODULES "modules.json"

#define MOST_TENSORS INT64CONST(0x1000000000)

/* Where the files do not say: what most encoders of sentences are trained with. */
#define USUAL_TOKENS 256

/* Bytes at once for each of the tensors': those read, made and written. */
#define IMPORT_FACTOR 4

typedef struct Import
{
	EncoderFiles *files;
	const ImportOptions *options;
	Caller		caller;			/* for what is gone at the end */
	TransformerConfig config;
	Tensor	   *tensors;
	size_t		ntensors;
} Import;

/* ---------------------------------------------------------------------- */
/* config.json */

static TransformerFamily
family_of(const char *type)
{
	if (strcmp(type, "bert") == 0)
		return FAMILY_BERT;
	if (strcmp(type, "distilbert") == 0)
		return FAMILY_DISTILBERT;
	if (strcmp(type, "roberta") == 0 || strcmp(type, "xlm-roberta") == 0)
		return FAMILY_ROBERTA;
	import_not_supported(CONFIG, "model type", type, "Supported are bert, distilbert, roberta and xlm-roberta.");
	return FAMILY_BERT;
}

static int
config_int(const JsonNode *json, const char *name, int most)
{
	(void) json_expect(CONFIG, json, name, JSON_IS_NUMBER);
	return json_int(CONFIG, json, name, 1, most, 0);
}

static void
read_config(Import *import)
{
	TransformerConfig *config = &import->config;
	const JsonNode *json;
	bool		distil;
	const char *activation;
	const char *positions;

	import_need_file(import->files, CONFIG);
	json = import_json(import->files, CONFIG);
	config->family = family_of(json_string(CONFIG, json, "model_type", "bert"));
	distil = config->family == FAMILY_DISTILBERT;
	activation = json_string(CONFIG, json, distil ? "activation" : "hidden_act", "gelu");
	if (strcmp(activation, "gelu") != 0)
		import_not_supported(CONFIG, "activation", activation, "Supported is gelu.");
	positions = json_string(CONFIG, json, "position_embedding_type", "absolute");
	if (strcmp(positions, "absolute") != 0)
		import_not_supported(CONFIG, "position_embedding_type", positions, "Supported is absolute.");
	config->layers = config_int(json, distil ? "n_layers" : "num_hidden_layers",
								TRANSFORMER_MAX_LAYERS);
	config->heads = config_int(json, distil ? "n_heads" : "num_attention_heads", 1 << 14);
	config->width = config_int(json, distil ? "dim" : "hidden_size", 1 << 14);
	config->intermediate = config_int(json, distil ? "hidden_dim" : "intermediate_size",
									  TRANSFORMER_MAX_INTERMEDIATE);
	config->words = config_int(json, "vocab_size", VOCABULARY_MAX_PIECES);
	config->positions = config_int(json, "max_position_embeddings", TRANSFORMER_MAX_POSITIONS);
	config->types = distil ? 0 : json_int(CONFIG, json, "type_vocab_size", 1, TRANSFORMER_MAX_TYPES, 2);
	config->layer_norm_eps = json_number(CONFIG, json, "layer_norm_eps", 1e-12);
	if (config->family == FAMILY_ROBERTA)
		config->first_position = 1 + json_int(CONFIG, json, "pad_token_id", 0, 1 << 14, 1);
	config->normalize = true;
}

/* ---------------------------------------------------------------------- */
/* What makes sentences of tokens */

/* What a list of modules has, beside the transformer, that is done here. */
static void
check_modules(Import *import)
{
	static const char *const supported[] = {"Transformer", "Pooling", "Normalize"};
	const JsonNode *json = import_json(import->files, MODULES);

	if (json == NULL)
		return;
	if (json->kind != JSON_IS_ARRAY)
		import_bad_file(MODULES, "it is not an array");
	for (const JsonNode *node = json->first; node != NULL; node = node->next)
	{
		const char *type = json_expect(MODULES, node, "type", JSON_IS_STRING)->text;
		const char *dot = strrchr(type, '.');
		bool		known = false;

		for (int i = 0; i < (int) lengthof(supported); i++)
			known = known || strcmp(dot == NULL ? type : dot + 1, supported[i]) == 0;
		if (!known)
			import_not_supported(MODULES, "module", type,
								 "Supported are Transformer, Pooling and Normalize.");
	}
}

/*
 * By name or, as older files have it, by a truth for each kind: of which several would be
 * one behind another.
 */
static const char *
pooling_named(const JsonNode *json)
{
	static const char *const modes[][2] = {
		{"pooling_mode_mean_tokens", "mean"}, {"pooling_mode_cls_token", "cls"},
		{"pooling_mode_max_tokens", "max"}, {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len"},
		{"pooling_mode_weightedmean_tokens", "weightedmean"}, {"pooling_mode_lasttoken", "lasttoken"}
	};
	const char *mode = json_string(POOLING, json, "pooling_mode", NULL);

	if (mode != NULL)
		return mode;
	for (int i = 0; i < (int) lengthof(modes); i++)
	{
		if (!json_truth(POOLING, json, modes[i][0], false))
			continue;
		if (mode != NULL)
			return "in several ways at once";
		mode = modes[i][1];
	}
	return mode == NULL ? "none" : mode;
}

static void
read_pooling(Import *import)
{
	const char *mode = import->options->pooling;
	const JsonNode *json = import_json(import->files, POOLING);

	if (mode == NULL)
		mode = json == NULL ? "mean" : pooling_named(json);
	if (strcmp(mode, "mean") != 0 && strcmp(mode, "cls") != 0)
		import_not_supported(POOLING, "pooling", mode,
							 "Supported are \"mean\" and \"cls\", of which option \"pooling\" says which to use all the same.");
	import->config.pooling = strcmp(mode, "cls") == 0 ? POOLING_FIRST : POOLING_MEAN;
}

/* Capitals made small before the tokenizer sees them, where it would not. */
static void
check_case(Import *import, const ImportedTokenizer *tokenizer)
{
	const JsonNode *json = import_json(import->files, SENTENCES);

	if (json_truth(SENTENCES, json, "do_lower_case", false) && !tokenizer->lower_case)
		import_not_supported(SENTENCES, "do_lower_case", "true",
							 "Supported where the tokenizer does the same.");
}

static void
read_length(Import *import)
{
	TransformerConfig *config = &import->config;
	int			most = Min(config->positions - config->first_position, TRANSFORMER_MAX_TOKENS);
	const JsonNode *json = import_json(import->files, SENTENCES);
	int			tokens = json == NULL ? USUAL_TOKENS :
		json_int(SENTENCES, json, "max_seq_length", 3, PG_INT32_MAX, USUAL_TOKENS);

	if (import->options->max_tokens > 0 && import->options->max_tokens > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"max_tokens\" is %d, but the encoder has positions for %d tokens",
						import->options->max_tokens, most)));
	if (import->options->max_tokens > 0)
		tokens = import->options->max_tokens;
	config->max_tokens = Min(tokens, most);
}

/* ---------------------------------------------------------------------- */
/* Tensors */

static const char *const safetensors_faults[] = {
	[SAFETENSORS_FINE] = "is fine",
	[SAFETENSORS_SHORT] = "it is shorter than the length of its header",
	[SAFETENSORS_HEADER_LONG] = "its header is longer than the format allows",
	[SAFETENSORS_HEADER_CUT] = "its header goes beyond its end",
	[SAFETENSORS_HEADER_EMPTY] = "its header does not begin as an object does",
	[SAFETENSORS_TOO_MANY] = "it has too many tensors",
	[SAFETENSORS_TYPE] = "is of a type that does not exist",
	[SAFETENSORS_SHAPE] = "has too many dimensions or elements",
	[SAFETENSORS_OUTSIDE] = "lies outside of the file",
	[SAFETENSORS_SIZE] = "is not as long as its shape says",
	[SAFETENSORS_OVERLAP] = "shares bytes with another"
};

static void
bad_tensors(const char *file, const char *tensor, SafetensorsFault fault)
{
	if (tensor == NULL)
		import_bad_file(file, safetensors_faults[fault]);
	import_bad_file(file, psprintf("tensor \"%s\" %s", import_printable(tensor), safetensors_faults[fault]));
}

static uint64
element_number(const char *file, const JsonNode *tensor, const JsonNode *node)
{
	char	   *end;
	uint64		value;

	/* 2^63 and more, fractions and signs are none */
	errno = 0;
	value = node->kind == JSON_IS_NUMBER ? strtoull(node->text, &end, 10) : 0;
	if (node->kind != JSON_IS_NUMBER || errno != 0 || *end != '\0' || node->text[0] == '-' ||
		value > PG_INT64_MAX)
		import_bad_file(file, psprintf("shape or place of tensor \"%s\" are not whole numbers",
								import_printable(tensor->name)));
	return value;
}

/* An entry of the header, still unchecked. */
static void
read_entry(const char *file, const JsonNode *tensor, SafetensorsEntry *entry)
{
	const JsonNode *shape;
	const JsonNode *place;
	uint64	   *dims;
	int			rank = 0;

	if (tensor->kind != JSON_IS_OBJECT)
		import_bad_file(file, psprintf("tensor \"%s\" is not described by an object",
								import_printable(tensor->name)));
	shape = json_expect(file, tensor, "shape", JSON_IS_ARRAY);
	place = json_expect(file, tensor, "data_offsets", JSON_IS_ARRAY);
	entry->type = json_expect(file, tensor, "dtype", JSON_IS_STRING)->text;
	entry->type_length = strlen(entry->type);
	if (shape->count > SAFETENSORS_MAX_RANK)
		bad_tensors(file, tensor->name, SAFETENSORS_SHAPE);
	if (place->count != 2)
		bad_tensors(file, tensor->name, SAFETENSORS_OUTSIDE);
	dims = palloc_array_checked(uint64, shape->count);
	for (const JsonNode *node = shape->first; node != NULL; node = node->next)
		dims[rank++] = element_number(file, tensor, node);
	entry->rank = rank;
	entry->shape = dims;
	entry->begin = element_number(file, tensor, place->first);
	entry->end = element_number(file, tensor, place->first->next);
}

static void
read_header(Import *import, const char *file, const JsonNode *header, const unsigned char *data,
			uint64 data_length)
{
	SafetensorsEntry *entries = palloc_array_checked(SafetensorsEntry, header->count);
	const char **names = palloc_array_checked(const char *, header->count);
	SafetensorsFault fault;
	size_t		n = 0;
	size_t		at;
	Status		status;

	for (const JsonNode *node = header->first; node != NULL; node = node->next)
	{
		if (strcmp(node->name, "__metadata__") == 0)
			continue;
		names[n] = node->name;
		read_entry(file, node, &entries[n++]);
	}
	status = safetensors_check(&import->caller, entries, n, data_length, &fault, &at);
	if (status == STATUS_CORRUPT)
		bad_tensors(file, fault == SAFETENSORS_TOO_MANY ? NULL : names[at], fault);
	status_check(status, "read the tensors");
	import->tensors = palloc_array_checked(Tensor, n);
	import->ntensors = n;
	for (size_t i = 0; i < n; i++)
	{
		Tensor	   *tensor = &import->tensors[i];

		(void) safetensors_type(entries[i].type, entries[i].type_length, &tensor->type);
		tensor->name = names[i];
		tensor->name_length = strlen(names[i]);
		tensor->rank = entries[i].rank;
		tensor->shape = entries[i].shape;
		tensor->bytes = data + entries[i].begin;
		tensor->length = entries[i].end - entries[i].begin;
	}
}

/* The one file that ends so. */
static int
find_safetensors(const Import *import)
{
	int			found = -1;

	for (int i = 0; i < encoder_files_count(import->files); i++)
	{
		const char *name = encoder_files_name(import->files, i);
		size_t		length = strlen(name);
		size_t		suffix = strlen(".safetensors");

		if (strcmp(name, "model.safetensors") == 0)
			return i;
		if (length <= suffix || strcmp(name + length - suffix, ".safetensors") != 0)
			continue;
		if (found >= 0)
			import_bad_file(name, "there is more than one file of tensors, and none is model.safetensors");
		found = i;
	}
	if (found < 0)
		import_need_file(import->files, "model.safetensors");
	return found;
}

static void
read_tensors(Import *import)
{
	int			i = find_safetensors(import);
	const char *file = encoder_files_name(import->files, i);
	int64		expected = encoder_files_length(import->files, i, MOST_TENSORS);
	size_t		length;
	unsigned char *bytes;
	SafetensorsSpan span;
	SafetensorsFault fault;
	const JsonNode *header;

	memory_check(mul_size((Size) expected, IMPORT_FACTOR), "import an encoder");
	bytes = encoder_files_read(import->files, i, MOST_TENSORS, &length);
	if (safetensors_span(bytes, length, length, &span, &fault) != STATUS_SUCCESS)
		bad_tensors(file, NULL, fault);
	header = json_tree_parse(file, bytes + span.header, span.header_length);
	if (header->kind != JSON_IS_OBJECT)
		bad_tensors(file, NULL, SAFETENSORS_HEADER_EMPTY);
	read_header(import, file, header, bytes + span.data, span.data_length);
}

/* ---------------------------------------------------------------------- */

Encoder *
import_transformer(EncoderFiles *files, const ImportOptions *options, const Caller *caller)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop import",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Import		import = {.files = files, .options = options, .caller = caller_in(context)};
	ImportedTokenizer tokenizer;
	TransformerProblem problem;
	Encoder    *encoder;
	Status		status;

	read_config(&import);
	check_modules(&import);
	read_pooling(&import);
	read_length(&import);
	import_tokenizer(files, caller, &tokenizer);
	check_case(&import, &tokenizer);
	import.config.first = tokenizer.first;
	import.config.last = tokenizer.last;
	read_tensors(&import);
	status = transformer_make(caller, &import.config, import.tensors, import.ntensors,
							  &tokenizer.tokenizer, &encoder, &problem);
	if (status == STATUS_BAD_ARGUMENT || status == STATUS_NOT_FINITE)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 problem.name[0] == '\0' ? errmsg("cannot import the encoder: %s", problem.what) :
				 errmsg("cannot import the encoder: \"%s\" %s", problem.name, problem.what)));
	status_check(status, "import the encoder");
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return encoder;
}
