/*-------------------------------------------------------------------------
 *
 * json_tree.h
 *	  A JSON file as a tree, with everything that is in it.
 *
 * jsonb keeps one of several keys that are the same, and those of an object in
 * an order of its own; who reads somebody's vocabulary wants to know.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_JSON_TREE_H
#define HUMANLOOP_JSON_TREE_H

typedef enum JsonKind
{
	JSON_IS_NULL,
	JSON_IS_BOOLEAN,
	JSON_IS_NUMBER,
	JSON_IS_STRING,
	JSON_IS_ARRAY,
	JSON_IS_OBJECT
} JsonKind;

typedef struct JsonNode
{
	JsonKind	kind;
	const char *name;			/* in an object, UTF-8; NULL: in an array */
	const char *text;			/* of a string, UTF-8, or a number */
	bool		truth;
	int			count;			/* of elements or members */
	struct JsonNode *first;
	struct JsonNode *next;		/* of the same parent */
} JsonNode;

/*
 * Parses UTF-8 in the current context, by the server's parser; an error that
 * names the file where it is not JSON.  Takes many times the memory of the file, which
 * counts against humanloop.work_mem.
 */
extern JsonNode *json_tree_parse(const char *file, const unsigned char *bytes, size_t length);

/* Members by name, the first of several; NULL: there is none (or no object). */
extern const JsonNode *json_member(const JsonNode *object, const char *name);

/* The same of that kind; an error names file and member where it is another. */
extern const JsonNode *json_expect(const char *file, const JsonNode *object, const char *name,
								   JsonKind kind);

/*
 * Numbers, and strings, of a member; `missing` where it is not there or null.  An error
 * where it is of another kind, or not a whole number from least to most.
 */
extern int	json_int(const char *file, const JsonNode *object, const char *name, int least,
					 int most, int missing);
extern double json_number(const char *file, const JsonNode *object, const char *name,
						  double missing);
extern bool json_truth(const char *file, const JsonNode *object, const char *name, bool missing);
extern const char *json_string(const char *file, const JsonNode *object, const char *name,
							   const char *missing);

#endif							/* HUMANLOOP_JSON_TREE_H */
