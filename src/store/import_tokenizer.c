/*-------------------------------------------------------------------------
 *
 * import_tokenizer.c
 *	  From the files of Hugging Face's tokenizers to a tokenizer.
 *
 * What the room that computes (encode/) does not do is an error here: a text
 * that is cut in another way than the encoder was trained with would give
 * vectors that mean nothing, and nobody would notice.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/base64.h"
#include "mb/pg_wchar.h"

#include "store/caller.h"
#include "store/import_internal.h"
#include "store/session.h"

#define TOKENIZER "tokenizer.json"
#define TOKENIZER_CONFIG "tokenizer_config.json"
#define VOCABULARY "vocab.txt"
#define VOCABULARY_JSON "vocab.json"
#define MERGES "merges.txt"

/* What SentencePiece has for a space: U+2581 */
#define SPACE_SIGN "\xE2\x96\x81"

/* What a tokenizer is made of. */
typedef struct Pieces
{
	EncoderFiles *files;
	const Caller *caller;		/* for what stays */
	const char *file;			/* where they are from, for errors */
	PieceEntry *entries;
	double	   *scores;			/* unigrams only */
	size_t		n;
	PieceMerge *merges;
	size_t		nmerges;
	char	  **special;		/* names of added tokens, in their order */
	int			nspecial;
	ImportedTokenizer *result;
} Pieces;

/* ---------------------------------------------------------------------- */
/* Errors */

void
import_bad_file(const char *file, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("cannot import \"%s\": %s", file, what)));
}

void
import_not_supported(const char *file, const char *what, const char *given, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot import \"%s\": %s \"%s\" is not supported", file, what,
					import_printable(given)),
			 errhint("%s", hint)));
}

void
import_need_file(const EncoderFiles *files, const char *name)
{
	if (encoder_files_find(files, name) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("file \"%s\" is missing", name),
				 errhint("A transformer is imported from config.json, tokenizer.json or vocab.txt, and model.safetensors.")));
}

char *
import_printable(const char *name)
{
	char	   *copy = pnstrdup(name, 100);

	for (char *c = copy; *c != '\0'; c++)
	{
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return copy;
}

JsonNode *
import_json(EncoderFiles *files, const char *name)
{
	int			i = encoder_files_find(files, name);
	size_t		length;
	unsigned char *bytes;

	if (i < 0)
		return NULL;
	bytes = encoder_files_read(files, i, IMPORT_MOST_JSON, &length);
	return json_tree_parse(name, bytes, length);
}

/* What the room says is wrong with a piece or a merge; at is its index. */
static void
tokenizer_check(const Pieces *pieces, Status status, TokenizerFault fault, size_t at)
{
	FaultPlace	place;
	const char *complaint;

	if (status != STATUS_BAD_ARGUMENT)
	{
		status_check(status, "make the tokenizer");
		return;
	}
	complaint = tokenizer_complaint(fault, &place);
	if (place == FAULT_OF_PIECE)
		import_bad_file(pieces->file,
						psprintf("token \"%s\" %s",
								 import_printable(pnstrdup(pieces->entries[at].bytes,
														   pieces->entries[at].length)), complaint));
	if (place == FAULT_OF_MERGE)
		import_bad_file(pieces->file,
						psprintf("merge %zu, of \"%s\" and \"%s\", %s", at,
								 import_printable(pnstrdup(pieces->merges[at].left,
														   pieces->merges[at].left_length)),
								 import_printable(pnstrdup(pieces->merges[at].right,
														   pieces->merges[at].right_length)),
								 complaint));
	import_bad_file(pieces->file, complaint);
}

/* ---------------------------------------------------------------------- */
/* Vocabularies */

/* The number of a piece; an error where it has none. */
static uint32_t
piece_number(const Pieces *pieces, const char *piece)
{
	for (size_t i = 0; i < pieces->n; i++)
	{
		if (pieces->entries[i].length == strlen(piece) &&
			memcmp(pieces->entries[i].bytes, piece, strlen(piece)) == 0)
			return pieces->entries[i].id;
	}
	import_bad_file(pieces->file, psprintf("there is no token \"%s\" in the vocabulary",
										   import_printable(piece)));
	return 0;
}

static uint32_t
token_id(const char *file, const JsonNode *node)
{
	double		number = node->kind == JSON_IS_NUMBER ? strtod(node->text, NULL) : -1.0;

	if (!(number >= 0.0 && number < VOCABULARY_MAX_PIECES && number == (uint32_t) number))
		import_bad_file(file, psprintf("the number of a token is not a whole number below %d",
									   VOCABULARY_MAX_PIECES));
	return (uint32_t) number;
}

/* An object of pieces and numbers. */
static void
read_numbered(Pieces *pieces, const JsonNode *vocabulary)
{
	pieces->entries = palloc_array_checked(PieceEntry, vocabulary->count);
	for (const JsonNode *node = vocabulary->first; node != NULL; node = node->next)
		pieces->entries[pieces->n++] = (PieceEntry)
	{
		node->name, strlen(node->name), token_id(pieces->file, node)
	};
}

/* Lines of a file; it lives as long as they do. */
static char **
read_lines(EncoderFiles *files, const char *name, size_t *n)
{
	size_t		length;
	char	   *bytes = (char *) encoder_files_read(files, encoder_files_find(files, name),
													IMPORT_MOST_JSON, &length);
	char	  **lines;
	size_t		most = 1;

	if (memchr(bytes, '\0', length) != NULL)
		import_bad_file(name, "it is no text: there is a zero byte in it");
	for (size_t i = 0; i < length; i++)
		most += bytes[i] == '\n';
	memory_check(length + mul_size(most, sizeof(char *) + sizeof(PieceMerge)), "read a vocabulary");
	lines = palloc_array_checked(char *, most);
	*n = 0;
	for (char *line = bytes; line < bytes + length;)
	{
		char	   *end = memchr(line, '\n', bytes + length - line);
		char	   *next = end == NULL ? bytes + length : end + 1;

		if (end == NULL)
			end = bytes + length;
		if (end > line && end[-1] == '\r')
			end--;
		*end = '\0';
		lines[(*n)++] = line;
		line = next;
	}
	return lines;
}

/* ---------------------------------------------------------------------- */
/* tokenizer.json */

/* What a step says it is; "none" where there is none, "?" where it does not say. */
static const char *
step_type(const JsonNode *step)
{
	if (step == NULL || step->kind == JSON_IS_NULL)
		return "none";
	return json_string(TOKENIZER, step, "type", "?");
}

/* An error where a step has a setting other than that which is done here. */
static void
need_truth(const JsonNode *step, const char *name, bool value)
{
	if (json_truth(TOKENIZER, step, name, value) != value)
		import_not_supported(TOKENIZER, name, value ? "false" : "true",
							 value ? "Only tokenizers with it are." : "Only tokenizers without it are.");
}

/* Special ones stand for what no text has; others would be found in texts before all else. */
static void
read_added(Pieces *pieces, const JsonNode *json)
{
	const JsonNode *added = json_member(json, "added_tokens");

	if (added == NULL || added->kind == JSON_IS_NULL)
		return;
	added = json_expect(TOKENIZER, json, "added_tokens", JSON_IS_ARRAY);
	pieces->special = palloc_array_checked(char *, added->count);
	for (const JsonNode *node = added->first; node != NULL; node = node->next)
	{
		const JsonNode *content = json_expect(TOKENIZER, node, "content", JSON_IS_STRING);

		if (!json_truth(TOKENIZER, node, "special", true))
			import_not_supported(TOKENIZER, "added token", content->text,
								 "Supported are added tokens that are special.");
		pieces->special[pieces->nspecial++] = unconstify(char *, content->text);
	}
	qsort(pieces->special, pieces->nspecial, sizeof(char *), compare_strings);
}

/* ---------------------------------------------------------------------- */
/* What surrounds a text */

/* The id of {"SpecialToken": {"id": "[CLS]"}}; NULL: that is something else. */
static const char *
template_token(const JsonNode *node)
{
	const JsonNode *special = json_member(node, "SpecialToken");

	return special == NULL ? NULL : json_string(TOKENIZER, special, "id", NULL);
}

/* As the template says: one token before the text and one behind it. */
static void
read_template(const JsonNode *after, const char **first, const char **last)
{
	const JsonNode *single = json_expect(TOKENIZER, after, "single", JSON_IS_ARRAY);
	const JsonNode *text = single->first == NULL ? NULL : single->first->next;

	*first = single->first == NULL ? NULL : template_token(single->first);
	*last = text == NULL || text->next == NULL ? NULL : template_token(text->next);
	if (single->count != 3 || *first == NULL || *last == NULL ||
		json_member(text, "Sequence") == NULL)
		import_bad_file(TOKENIZER, "a text is not surrounded by one token before and one behind");
}

/* The text of ["[CLS]", 101]. */
static const char *
pair_token(const JsonNode *after, const char *name)
{
	const JsonNode *token = json_expect(TOKENIZER, after, name, JSON_IS_ARRAY)->first;

	if (token == NULL || token->kind != JSON_IS_STRING)
		import_bad_file(TOKENIZER, psprintf("\"%s\" does not name a token", name));
	return token->text;
}

/* Special tokens may be in added_tokens alone. */
static uint32_t
special_number(const Pieces *pieces, const JsonNode *json, const char *piece)
{
	const JsonNode *added = json_member(json, "added_tokens");

	for (const JsonNode *node = added == NULL ? NULL : added->first; node != NULL; node = node->next)
	{
		if (strcmp(json_string(TOKENIZER, node, "content", ""), piece) == 0)
			return token_id(TOKENIZER, json_expect(TOKENIZER, node, "id", JSON_IS_NUMBER));
	}
	return piece_number(pieces, piece);
}

static void
read_surroundings(Pieces *pieces, const JsonNode *json, const char *first, const char *last)
{
	const JsonNode *after = json_member(json, "post_processor");
	const char *type = step_type(after);

	if (strcmp(type, "TemplateProcessing") == 0)
		read_template(after, &first, &last);
	else if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0)
	{
		first = pair_token(after, "cls");
		last = pair_token(after, "sep");
	}
	else if (strcmp(type, "none") != 0)
		import_not_supported(TOKENIZER, "post-processor", type,
							 "Supported are TemplateProcessing, BertProcessing and RobertaProcessing.");
	pieces->result->first = special_number(pieces, json, first);
	pieces->result->last = special_number(pieces, json, last);
}

/* ---------------------------------------------------------------------- */
/* WordPiece */

static void
make_wordpiece(Pieces *pieces, const WordPieceOptions *options)
{
	TokenizerFault fault = FAULT_NONE;
	size_t		at = 0;
	Status		status = wordpiece_make(pieces->caller, options, pieces->entries, pieces->n,
										&pieces->result->tokenizer.wordpiece, &fault, &at);

	tokenizer_check(pieces, status, fault, at);
	pieces->result->tokenizer.kind = TOKENIZER_WORDPIECE;
	pieces->result->lower_case = options->lower_case;
}

static void
read_wordpiece(Pieces *pieces, const JsonNode *json, const JsonNode *model)
{
	const JsonNode *normalizer = json_member(json, "normalizer");
	const char *type = step_type(normalizer);
	const char *before = step_type(json_member(json, "pre_tokenizer"));
	WordPieceOptions options;

	if (strcmp(type, "BertNormalizer") != 0)
		import_not_supported(TOKENIZER, "normalizer", type, "Supported for WordPiece is BertNormalizer.");
	if (strcmp(before, "BertPreTokenizer") != 0)
		import_not_supported(TOKENIZER, "pre-tokenizer", before,
							 "Supported for WordPiece is BertPreTokenizer.");
	need_truth(normalizer, "clean_text", true);
	read_numbered(pieces, json_expect(TOKENIZER, model, "vocab", JSON_IS_OBJECT));
	read_surroundings(pieces, json, "[CLS]", "[SEP]");
	options.lower_case = json_truth(TOKENIZER, normalizer, "lowercase", true);
	options.strip_accents = json_truth(TOKENIZER, normalizer, "strip_accents", options.lower_case);
	options.split_cjk = json_truth(TOKENIZER, normalizer, "handle_chinese_chars", true);
	options.prefix = json_string(TOKENIZER, model, "continuing_subword_prefix", "##");
	options.prefix_length = strlen(options.prefix);
	options.max_word = json_int(TOKENIZER, model, "max_input_chars_per_word", 1,
								WORDPIECE_MAX_WORD, 100);
	options.unknown = piece_number(pieces, json_string(TOKENIZER, model, "unk_token", "[UNK]"));
	make_wordpiece(pieces, &options);
}

/* vocab.txt: a line a piece, numbered from 0. */
static void
read_plain_wordpiece(Pieces *pieces)
{
	const JsonNode *json = import_json(pieces->files, TOKENIZER_CONFIG);
	WordPieceOptions options = {.prefix = "##", .prefix_length = 2, .max_word = 100};
	char	  **lines = read_lines(pieces->files, VOCABULARY, &pieces->n);

	pieces->file = VOCABULARY;
	pieces->entries = palloc_array_checked(PieceEntry, pieces->n);
	for (size_t i = 0; i < pieces->n; i++)
		pieces->entries[i] = (PieceEntry) {lines[i], strlen(lines[i]), (uint32_t) i};
	options.lower_case = json_truth(TOKENIZER_CONFIG, json, "do_lower_case", true);
	options.strip_accents = json_truth(TOKENIZER_CONFIG, json, "strip_accents", options.lower_case);
	options.split_cjk = json_truth(TOKENIZER_CONFIG, json, "tokenize_chinese_chars", true);
	options.unknown = piece_number(pieces, "[UNK]");
	pieces->result->first = piece_number(pieces, "[CLS]");
	pieces->result->last = piece_number(pieces, "[SEP]");
	make_wordpiece(pieces, &options);
}

/* ---------------------------------------------------------------------- */
/* Byte pairs */

static void
make_byte_pair(Pieces *pieces, const BytePairOptions *options)
{
	TokenizerFault fault = FAULT_NONE;
	size_t		at = 0;
	Status		status = byte_pair_make(pieces->caller, options, pieces->entries, pieces->n,
										pieces->merges, pieces->nmerges,
										&pieces->result->tokenizer.byte_pair, &fault, &at);

	tokenizer_check(pieces, status, fault, at);
	pieces->result->tokenizer.kind = TOKENIZER_BYTE_PAIR;
}

/* "left right", whose characters are no spaces. */
static void
add_merge_line(Pieces *pieces, const char *line)
{
	const char *space = strchr(line, ' ');

	if (space == NULL || strchr(space + 1, ' ') != NULL)
		import_bad_file(pieces->file, psprintf("\"%s\" is not a merge of two tokens",
											   import_printable(line)));
	pieces->merges[pieces->nmerges++] = (PieceMerge)
	{
		line, (size_t) (space - line), space + 1, strlen(space + 1)
	};
}

static void
read_merges(Pieces *pieces, const JsonNode *merges)
{
	pieces->merges = palloc_array_checked(PieceMerge, merges->count);
	for (const JsonNode *node = merges->first; node != NULL; node = node->next)
	{
		const JsonNode *left = node->first;
		const JsonNode *right = left == NULL ? NULL : left->next;

		if (node->kind == JSON_IS_STRING)
		{
			add_merge_line(pieces, node->text);
			continue;
		}
		if (node->kind != JSON_IS_ARRAY || node->count != 2 || left->kind != JSON_IS_STRING ||
			right->kind != JSON_IS_STRING)
			import_bad_file(TOKENIZER, "a merge is not of two tokens");
		pieces->merges[pieces->nmerges++] = (PieceMerge)
		{
			left->text, strlen(left->text), right->text, strlen(right->text)
		};
	}
}

/* What changes how a word is cut, and is not done here. */
static void
refuse_variants(const JsonNode *model)
{
	static const char *const truths[] = {"byte_fallback", "ignore_merges"};
	static const char *const strings[] = {"continuing_subword_prefix", "end_of_word_suffix"};

	for (int i = 0; i < (int) lengthof(truths); i++)
		need_truth(model, truths[i], false);
	for (int i = 0; i < (int) lengthof(strings); i++)
	{
		const char *given = json_string(TOKENIZER, model, strings[i], "");

		if (given[0] != '\0')
			import_not_supported(TOKENIZER, strings[i], given, "Only tokenizers without it are.");
	}
	if (json_number(TOKENIZER, model, "dropout", 0.0) != 0.0)
		import_not_supported(TOKENIZER, "dropout", "of merges", "Only tokenizers without it are.");
}

static void
read_byte_pair(Pieces *pieces, const JsonNode *json, const JsonNode *model)
{
	const JsonNode *before = json_member(json, "pre_tokenizer");
	const JsonNode *normalizer = json_member(json, "normalizer");
	const char *type = step_type(before);
	const char *unknown = json_string(TOKENIZER, model, "unk_token", NULL);
	BytePairOptions options;

	if (strcmp(type, "ByteLevel") != 0)
		import_not_supported(TOKENIZER, "pre-tokenizer", type, "Supported for BPE is ByteLevel.");
	need_truth(before, "use_regex", true);
	if (strcmp(step_type(normalizer), "none") != 0)
		import_not_supported(TOKENIZER, "normalizer", step_type(normalizer),
							 "Supported for BPE is none.");
	refuse_variants(model);
	read_numbered(pieces, json_expect(TOKENIZER, model, "vocab", JSON_IS_OBJECT));
	read_merges(pieces, json_expect(TOKENIZER, model, "merges", JSON_IS_ARRAY));
	read_surroundings(pieces, json, "<s>", "</s>");
	options.add_prefix_space = json_truth(TOKENIZER, before, "add_prefix_space", true);
	options.unknown = unknown == NULL ? BYTE_PAIR_NO_UNKNOWN :
		special_number(pieces, json, unknown);
	make_byte_pair(pieces, &options);
}

/* vocab.json and merges.txt, whose first line is a comment. */
static void
read_plain_byte_pair(Pieces *pieces)
{
	const JsonNode *config = import_json(pieces->files, TOKENIZER_CONFIG);
	const JsonNode *vocabulary = import_json(pieces->files, VOCABULARY_JSON);
	BytePairOptions options;
	size_t		n;
	char	  **lines;

	pieces->file = VOCABULARY_JSON;
	if (vocabulary->kind != JSON_IS_OBJECT)
		import_bad_file(VOCABULARY_JSON, "it is not an object");
	read_numbered(pieces, vocabulary);
	options.add_prefix_space = json_truth(TOKENIZER_CONFIG, config, "add_prefix_space", false);
	options.unknown = piece_number(pieces, "<unk>");
	pieces->result->first = piece_number(pieces, "<s>");
	pieces->result->last = piece_number(pieces, "</s>");
	lines = read_lines(pieces->files, MERGES, &n);
	pieces->file = MERGES;
	pieces->merges = palloc_array_checked(PieceMerge, n);
	for (size_t i = 0; i < n; i++)
	{
		if (lines[i][0] != '\0' && strncmp(lines[i], "#version", 8) != 0)
			add_merge_line(pieces, lines[i]);
	}
	make_byte_pair(pieces, &options);
}

/* ---------------------------------------------------------------------- */
/* Unigrams */

/* Is it what no text shall give? */
static bool
is_special(const Pieces *pieces, const char *piece)
{
	return pieces->nspecial > 0 &&
		bsearch(&piece, pieces->special, pieces->nspecial, sizeof(char *), compare_strings) != NULL;
}

/* An array of [piece, score], numbered from 0. */
static void
read_scored(Pieces *pieces, const JsonNode *vocabulary)
{
	uint32_t	id = 0;

	pieces->entries = palloc_array_checked(PieceEntry, vocabulary->count);
	pieces->scores = palloc_array_checked(double, vocabulary->count);
	for (const JsonNode *node = vocabulary->first; node != NULL; node = node->next, id++)
	{
		const JsonNode *piece = node->first;

		if (node->kind != JSON_IS_ARRAY || node->count != 2 || piece->kind != JSON_IS_STRING ||
			piece->next->kind != JSON_IS_NUMBER)
			import_bad_file(TOKENIZER, "a token is not a pair of its name and its score");
		if (is_special(pieces, piece->text))
			continue;
		pieces->scores[pieces->n] = strtod(piece->next->text, NULL);
		pieces->entries[pieces->n++] = (PieceEntry) {piece->text, strlen(piece->text), id};
	}
}

/* Does a step change nothing but white space, which separates words anyway? */
static bool
is_of_spaces(const JsonNode *step)
{
	const char *content;

	if (strcmp(step_type(step), "Strip") == 0)
		return true;
	if (strcmp(step_type(step), "Replace") != 0)
		return false;
	content = json_string(TOKENIZER, step, "content", "");
	return strcmp(json_string(TOKENIZER, json_member(step, "pattern"), "Regex", ""), " {2,}") == 0 &&
		(strcmp(content, " ") == 0 || strcmp(content, SPACE_SIGN) == 0);
}

static void
read_charsmap(const JsonNode *normalizer, UnigramOptions *options)
{
	const char *encoded = json_expect(TOKENIZER, normalizer, "precompiled_charsmap",
									  JSON_IS_STRING)->text;
	int			length = pg_b64_dec_len((int) strlen(encoded));
	unsigned char *bytes = palloc(length + 1);

	length = pg_b64_decode(encoded, (int) strlen(encoded), (char *) bytes, length);
	if (length < 0)
		import_bad_file(TOKENIZER, "\"precompiled_charsmap\" is not in base64");
	options->charsmap = bytes;
	options->charsmap_length = (size_t) length;
}

/* Rules of normalization, alone or at the beginning of a sequence. */
static void
read_normalizer(const JsonNode *json, UnigramOptions *options)
{
	const JsonNode *normalizer = json_member(json, "normalizer");
	const JsonNode *step = normalizer;

	if (strcmp(step_type(normalizer), "none") == 0)
		return;
	if (strcmp(step_type(normalizer), "Sequence") == 0)
		step = json_expect(TOKENIZER, normalizer, "normalizers", JSON_IS_ARRAY)->first;
	if (step != NULL && strcmp(step_type(step), "Precompiled") == 0)
	{
		read_charsmap(step, options);
		step = step == normalizer ? NULL : step->next;
	}
	for (; step != NULL; step = step == normalizer ? NULL : step->next)
	{
		if (!is_of_spaces(step))
			import_not_supported(TOKENIZER, "normalizer", step_type(step),
								 "Supported for Unigram is Precompiled, and behind it what changes spaces only.");
	}
}

/* A space before every word: alone, or after what splits at white space anyway. */
static void
check_metaspace(const JsonNode *json)
{
	const JsonNode *before = json_member(json, "pre_tokenizer");
	const char *sign;

	if (strcmp(step_type(before), "Sequence") == 0)
	{
		const JsonNode *list = json_expect(TOKENIZER, before, "pretokenizers", JSON_IS_ARRAY);

		if (list->count == 2 && strcmp(step_type(list->first), "WhitespaceSplit") == 0)
			before = list->first->next;
	}
	if (strcmp(step_type(before), "Metaspace") != 0)
		import_not_supported(TOKENIZER, "pre-tokenizer", step_type(before),
							 "Supported for Unigram is Metaspace.");
	sign = json_string(TOKENIZER, before, "replacement", SPACE_SIGN);
	if (strcmp(sign, SPACE_SIGN) != 0)
		import_not_supported(TOKENIZER, "replacement", sign, "Supported is U+2581.");
	need_truth(before, "split", true);
	if (!json_truth(TOKENIZER, before, "add_prefix_space", true) ||
		strcmp(json_string(TOKENIZER, before, "prepend_scheme", "always"), "always") != 0)
		import_not_supported(TOKENIZER, "Metaspace", "without a space before the first word",
							 "Only tokenizers with one are.");
}

static void
read_unigram(Pieces *pieces, const JsonNode *json, const JsonNode *model)
{
	UnigramOptions options = {0};
	TokenizerFault fault = FAULT_NONE;
	size_t		at = 0;
	Status		status;

	check_metaspace(json);
	refuse_variants(model);
	read_normalizer(json, &options);
	read_scored(pieces, json_expect(TOKENIZER, model, "vocab", JSON_IS_ARRAY));
	read_surroundings(pieces, json, "<s>", "</s>");
	options.unknown = token_id(TOKENIZER, json_expect(TOKENIZER, model, "unk_id", JSON_IS_NUMBER));
	status = unigram_make(pieces->caller, &options, pieces->entries, pieces->scores, pieces->n,
						  &pieces->result->tokenizer.unigram, &fault, &at);
	tokenizer_check(pieces, status, fault, at);
	pieces->result->tokenizer.kind = TOKENIZER_UNIGRAM;
}

/* ---------------------------------------------------------------------- */

static void
read_tokenizer(Pieces *pieces, const JsonNode *json)
{
	const JsonNode *model = json_expect(TOKENIZER, json, "model", JSON_IS_OBJECT);
	const char *type = json_string(TOKENIZER, model, "type", "WordPiece");

	pieces->file = TOKENIZER;
	read_added(pieces, json);
	if (strcmp(type, "WordPiece") == 0)
		read_wordpiece(pieces, json, model);
	else if (strcmp(type, "BPE") == 0)
		read_byte_pair(pieces, json, model);
	else if (strcmp(type, "Unigram") == 0)
		read_unigram(pieces, json, model);
	else
		import_not_supported(TOKENIZER, "tokenizer", type,
							 "Supported are WordPiece, BPE and Unigram.");
}

void
import_tokenizer(EncoderFiles *files, const Caller *caller, ImportedTokenizer *result)
{
	Pieces		pieces = {.files = files, .caller = caller, .result = result};
	const JsonNode *json = import_json(files, TOKENIZER);

	memset(result, 0, sizeof(*result));
	if (json != NULL)
		read_tokenizer(&pieces, json);
	else if (encoder_files_find(files, VOCABULARY) >= 0)
		read_plain_wordpiece(&pieces);
	else if (encoder_files_find(files, VOCABULARY_JSON) >= 0)
	{
		import_need_file(files, MERGES);
		read_plain_byte_pair(&pieces);
	}
	else
		import_need_file(files, TOKENIZER);
}
