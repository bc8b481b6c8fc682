/*-------------------------------------------------------------------------
 *
 * json_tree.c
 *	  A JSON file as a tree, with everything that is in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "compat.h"
#include "humanloop.h"
#include "store/caller.h"
#include "store/json_tree.h"
#include "store/session.h"

/*
 * Bytes that a tree takes for each of the file: where that is a vocabulary, and where
 * it is an array of digits, which is seen on the way.
 */
#define TREE_FACTOR 24
#define MOST_TREE_FACTOR 64
#define NODES_A_QUESTION 4096

#define READING "read a JSON file"

/* The tree being made: the containers that are open. */
typedef struct TreeBuilder
{
	JsonNode   *root;
	JsonNode  **open;
	JsonNode  **last;			/* child of each */
	int			depth;
	int			capacity;
	const char *name;			/* of the member that comes next */
	int			nodes;
	size_t		length;			/* of the file */
	Size		before;			/* bytes in the context that are not the tree's */
} TreeBuilder;

static void
check_memory(const TreeBuilder *builder)
{
	Size		taken = MemoryContextMemAllocated(CurrentMemoryContext, true) - builder->before;

	if (taken / 1024 > (Size) setting_work_mem)
		memory_check(Max(taken, mul_size(builder->length, MOST_TREE_FACTOR)), READING);
}

static JsonNode *
add_node(TreeBuilder *builder, JsonKind kind)
{
	JsonNode   *node = palloc0(sizeof(JsonNode));

	if (++builder->nodes % NODES_A_QUESTION == 0)
	{
		interrupts_check();
		check_memory(builder);
	}
	node->kind = kind;
	node->name = builder->name;
	builder->name = NULL;
	if (builder->depth == 0)
		builder->root = node;
	else
	{
		int			top = builder->depth - 1;

		if (builder->last[top] == NULL)
			builder->open[top]->first = node;
		else
			builder->last[top]->next = node;
		builder->last[top] = node;
		builder->open[top]->count++;
	}
	return node;
}

static void
open_node(TreeBuilder *builder, JsonKind kind)
{
	JsonNode   *node = add_node(builder, kind);

	if (builder->depth == builder->capacity)
	{
		builder->capacity = builder->capacity * 2 + 16;
		builder->open = builder->open == NULL ? palloc(sizeof(JsonNode *) * builder->capacity) :
			repalloc(builder->open, sizeof(JsonNode *) * builder->capacity);
		builder->last = builder->last == NULL ? palloc(sizeof(JsonNode *) * builder->capacity) :
			repalloc(builder->last, sizeof(JsonNode *) * builder->capacity);
	}
	builder->open[builder->depth] = node;
	builder->last[builder->depth++] = NULL;
}

static JSON_ACTION
object_start(void *state)
{
	open_node(state, JSON_IS_OBJECT);
	JSON_ACTION_DONE;
}

static JSON_ACTION
array_start(void *state)
{
	open_node(state, JSON_IS_ARRAY);
	JSON_ACTION_DONE;
}

static JSON_ACTION
container_end(void *state)
{
	((TreeBuilder *) state)->depth--;
	JSON_ACTION_DONE;
}

static JSON_ACTION
member_start(void *state, char *name, bool isnull pg_attribute_unused())
{
	((TreeBuilder *) state)->name = name;
	JSON_ACTION_DONE;
}

static JSON_ACTION
scalar(void *state, char *token, JsonTokenType type)
{
	JsonKind	kind = type == JSON_TOKEN_STRING ? JSON_IS_STRING :
		type == JSON_TOKEN_NUMBER ? JSON_IS_NUMBER :
		type == JSON_TOKEN_NULL ? JSON_IS_NULL : JSON_IS_BOOLEAN;
	JsonNode   *node = add_node(state, kind);

	node->text = token;
	node->truth = type == JSON_TOKEN_TRUE;
	JSON_ACTION_DONE;
}

static void
bad_json(const char *file, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("\"%s\" is not valid JSON", file),
			 detail == NULL ? 0 : errdetail_internal("%s", detail)));
}

/* Four hexadecimal digits; false: they are not. */
static bool
read_code_unit(const unsigned char *bytes, size_t length, pg_wchar *unit)
{
	*unit = 0;
	if (length < 4)
		return false;
	for (int i = 0; i < 4; i++)
	{
		const char *digits = "0123456789abcdef";
		const char *digit = bytes[i] == '\0' ? NULL : strchr(digits, pg_ascii_tolower(bytes[i]));

		if (digit == NULL)
			return false;
		*unit = *unit << 4 | (pg_wchar) (digit - digits);
	}
	return true;
}

/* The character of an escape and how many bytes that is; 0: an ASCII one, or wrong. */
static size_t
escaped_character(const unsigned char *bytes, size_t length, pg_wchar *character)
{
	pg_wchar	second;

	if (length < 2 || bytes[0] != '\\' || bytes[1] != 'u' ||
		!read_code_unit(bytes + 2, length - 2, character) || *character < 0x80 ||
		is_utf16_surrogate_second(*character))
		return 0;
	if (!is_utf16_surrogate_first(*character))
		return 6;
	if (length < 12 || bytes[6] != '\\' || bytes[7] != 'u' ||
		!read_code_unit(bytes + 8, length - 8, &second) || !is_utf16_surrogate_second(second))
		return 0;
	*character = surrogate_pair_to_codepoint(*character, second);
	return 12;
}

/*
 * The server's parser writes what is escaped as the database's encoding has it, if
 * it does.  So here are the bytes with such characters as themselves; what is wrong
 * stays for the parser to complain of.
 */
static unsigned char *
without_escapes(const unsigned char *bytes, size_t *length)
{
	unsigned char *plain = palloc_array_checked(unsigned char, *length + 1);
	size_t		n = 0;
	size_t		at = 0;

	while (at < *length)
	{
		pg_wchar	character;
		size_t		escape = escaped_character(bytes + at, *length - at, &character);

		if (escape > 0)
		{
			unicode_to_utf8(character, plain + n);
			n += pg_utf_mblen(plain + n);
			at += escape;
			continue;
		}
		/* the second backslash of two begins nothing */
		if (bytes[at] == '\\' && at + 1 < *length)
			plain[n++] = bytes[at++];
		plain[n++] = bytes[at++];
	}
	*length = n;
	return plain;
}

JsonNode *
json_tree_parse(const char *file, const unsigned char *bytes, size_t length)
{
	TreeBuilder builder = {0};
	JsonSemAction actions = {
		.semstate = &builder, .object_start = object_start, .object_end = container_end,
		.array_start = array_start, .array_end = container_end,
		.object_field_start = member_start, .scalar = scalar
	};
	JsonLexContext *lexer;
	JsonParseErrorType result;

	memory_check(mul_size(length, TREE_FACTOR), READING);
	if (length > MaxAllocSize / 2)
		bad_json(file, NULL);
	if (pg_encoding_verifymbstr(PG_UTF8, (const char *) bytes, (int) length) != (int) length)
		bad_json(file, "It is not UTF-8.");
	builder.length = length;
	builder.before = MemoryContextMemAllocated(CurrentMemoryContext, true);
	if (GetDatabaseEncoding() != PG_UTF8)
		bytes = without_escapes(bytes, &length);
	lexer = json_lexer((char *) bytes, (int) length);
	result = pg_parse_json(lexer, &actions);
	/* what the parser says may quote the file, in its encoding */
	if (result != JSON_SUCCESS)
		bad_json(file, GetDatabaseEncoding() == PG_UTF8 ? json_errdetail(result, lexer) : NULL);
	return builder.root;
}

const JsonNode *
json_member(const JsonNode *object, const char *name)
{
	if (object == NULL || object->kind != JSON_IS_OBJECT)
		return NULL;
	for (const JsonNode *node = object->first; node != NULL; node = node->next)
	{
		if (strcmp(node->name, name) == 0)
			return node;
	}
	return NULL;
}

static void
bad_member(const char *file, const char *name, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("\"%s\" in \"%s\" is not %s", name, file, expected)));
}

const JsonNode *
json_expect(const char *file, const JsonNode *object, const char *name, JsonKind kind)
{
	static const char *const kinds[] = {
		"null", "true or false", "a number", "a string", "an array", "an object"
	};
	const JsonNode *node = json_member(object, name);

	if (node == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("\"%s\" is missing in \"%s\"", name, file)));
	if (node->kind != kind)
		bad_member(file, name, kinds[kind]);
	return node;
}

/* The member where it has a value, which then has to be of that kind. */
static const JsonNode *
optional_member(const char *file, const JsonNode *object, const char *name, JsonKind kind)
{
	const JsonNode *node = json_member(object, name);

	return node == NULL || node->kind == JSON_IS_NULL ? NULL :
		json_expect(file, object, name, kind);
}

double
json_number(const char *file, const JsonNode *object, const char *name, double missing)
{
	const JsonNode *node = optional_member(file, object, name, JSON_IS_NUMBER);
	double		value;

	if (node == NULL)
		return missing;
	value = strtod(node->text, NULL);
	if (!isfinite(value))
		bad_member(file, name, "a finite number");
	return value;
}

int
json_int(const char *file, const JsonNode *object, const char *name, int least, int most,
		 int missing)
{
	double		value = json_number(file, object, name, missing);

	if (!(value >= least && value <= most) || value != floor(value))
		bad_member(file, name, psprintf("a whole number from %d to %d", least, most));
	return (int) value;
}

bool
json_truth(const char *file, const JsonNode *object, const char *name, bool missing)
{
	const JsonNode *node = optional_member(file, object, name, JSON_IS_BOOLEAN);

	return node == NULL ? missing : node->truth;
}

const char *
json_string(const char *file, const JsonNode *object, const char *name, const char *missing)
{
	const JsonNode *node = optional_member(file, object, name, JSON_IS_STRING);

	return node == NULL ? missing : node->text;
}
