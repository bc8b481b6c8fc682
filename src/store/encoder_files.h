/*-------------------------------------------------------------------------
 *
 * encoder_files.h
 *	  The files of an encoder, wherever somebody keeps them.
 *
 * On the server (a directory or a file), in large objects, or in the rows of a
 * table that a client has filled: read as the current user.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ENCODER_FILES_H
#define HUMANLOOP_ENCODER_FILES_H

#include "utils/jsonb.h"

typedef struct EncoderFiles EncoderFiles;

/*
 * Exactly one of them is given, else an error.  path: absolute, of a directory
 * with the files, or of one file; needs the rights of pg_read_server_files.
 * large_objects: {"name": oid, ...}.  staging: a table or view with the columns
 * "file" (text), "part" (integer) and "data" (bytea), or with one column "line"
 * (text), whose rows are the lines of one file in the order in which they lie.
 * All is read with the current user's rights, and a view's functions run as him, as when he
 * reads it himself.  SPI connected.
 */
extern EncoderFiles *encoder_files_open(const char *path, Jsonb *large_objects, Oid staging);

/* Their names, as "model.safetensors" or "1_Pooling/config.json". */
extern int	encoder_files_count(const EncoderFiles *files);
extern const char *encoder_files_name(const EncoderFiles *files, int i);

/* A file of that name; -1: there is none. */
extern int	encoder_files_find(const EncoderFiles *files, const char *name);

/* Bytes of a file; an error where there are more than `most`. */
extern int64 encoder_files_length(EncoderFiles *files, int i, int64 most);

/*
 * A whole file, in the current context; one byte more than *length, zero, is there.  An
 * error where it has more than `most` bytes, or than humanloop.work_mem.
 */
extern unsigned char *encoder_files_read(EncoderFiles *files, int i, int64 most, size_t *length);

/* Piece by piece; the callback may throw. */
typedef void (*FilePiece) (const unsigned char *bytes, size_t length, void *state);
extern void encoder_files_feed(EncoderFiles *files, int i, FilePiece piece, void *state);

#endif							/* HUMANLOOP_ENCODER_FILES_H */
