/*-------------------------------------------------------------------------
 *
 * input.h
 *	  The inputs of a row: from values of the server to what encoders take.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_INPUT_H
#define HUMANLOOP_INPUT_H

#include "store/project.h"

/* Vectors longer than this are refused. */
#define MAX_VECTOR_DIMS 16000

/* An input of a row, with those after it. */
typedef struct Input
{
	const struct Input *next;	/* of the project's, in their order; NULL: no more */
	bool		missing;		/* NULL */
	const char *text;			/* UTF-8, not terminated */
	size_t		length;
	const float *vector;		/* NULL elements have become NaN */
	int			n;
} Input;

/*
 * A text of the database as UTF-8: itself, or a palloc'd string.  A byte stands for each
 * character that Unicode has not.  What an SQL_ASCII database has is taken for UTF-8, and
 * may be none.  ERROR (42883): the encoding is none that PostgreSQL converts to UTF-8.
 */
extern const char *text_as_utf8(const char *text, size_t *length, char instead);

/*
 * Input from a value of type text, or of float4[] (one of several dimensions
 * becomes a vector of length 0).
 */
extern Input input_from_text(Datum datum);
extern Input input_from_array(Datum array);

/* The same from a value that input_expression() gives; the inputs after it are set by others. */
extern Input input_from_value(Datum value, InputKind kind);

/* Has the row none of its inputs? */
extern bool input_missing(const Input *input);

/* 64 bits that change with any of the inputs; never 0 */
extern uint64 input_hash(const Input *input);

/* The input of a row with that index, from 0; NULL: there are not so many. */
extern const Input *input_nth(const Input *first, int index);

/* What a single one is made of, its text or its numbers, and how many bytes that is. */
extern const void *input_content(const Input *input);
extern size_t input_bytes(const Input *input);

/* Gives one that is not missing another place for the same content. */
extern void input_set_content(Input *input, const void *content);

/* All inputs of a row in the current context, and what such a copy takes of it. */
extern Input *input_copy(const Input *input);
extern void input_free(Input *input);
extern size_t input_memory(const Input *input);

#endif							/* HUMANLOOP_INPUT_H */
