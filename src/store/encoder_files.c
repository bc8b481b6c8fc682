/*-------------------------------------------------------------------------
 *
 * encoder_files.c
 *	  The files of an encoder, wherever somebody keeps them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "libpq/be-fsstubs.h"
#include "libpq/libpq-fs.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "store/caller.h"
#include "store/encoder_files.h"
#include "store/input.h"
#include "store/session.h"

#define PIECE_BYTES (256 * 1024)
#define ROWS_AT_ONCE 1000

/* More than any encoder has; a directory may be anything. */
#define MOST_FILES 1000

typedef enum FilesKind
{
	FILES_SERVER,
	FILES_LARGE_OBJECTS,
	FILES_PARTS,				/* rows with bytes */
	FILES_LINES					/* rows with lines of one file */
} FilesKind;

typedef struct EncoderFile
{
	char	   *name;
	char	   *path;			/* on the server */
	Oid			large_object;
} EncoderFile;

struct EncoderFiles
{
	FilesKind	kind;
	char	   *relation;		/* quoted, of rows */
	int			n;
	EncoderFile file[MOST_FILES];
};

static void
add_file(EncoderFiles *files, const char *name, const char *path, Oid large_object)
{
	EncoderFile *file;

	if (files->n == MOST_FILES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an encoder cannot have more than %d files", MOST_FILES)));
	file = &files->file[files->n++];
	file->name = pstrdup(name);
	file->path = path == NULL ? NULL : pstrdup(path);
	file->large_object = large_object;
}

/* ---------------------------------------------------------------------- */
/* Opening */

static void
need_server_files(void)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have privileges of role pg_read_server_files to read files of the server"),
				 errhint("Files of a client can be brought as large objects (psql: \\lo_import) or in a table.")));
}

/*
 * Regular files of a directory, and of those in it that are named by a number ("1_Pooling").
 * One whose name the database cannot hold is none that anybody looks for.
 */
static void
list_directory(EncoderFiles *files, const char *path, const char *prefix)
{
	DIR		   *directory = AllocateDir(path);
	struct dirent *entry;

	while ((entry = ReadDir(directory, path)) != NULL)
	{
		char	   *full = psprintf("%s/%s", path, entry->d_name);
		char	   *name = psprintf("%s%s", prefix, entry->d_name);
		struct stat status;

		interrupts_check();
		if (!pg_verifymbstr(name, (int) strlen(name), true) || stat(full, &status) != 0)
			continue;
		if (S_ISREG(status.st_mode))
			add_file(files, name, full, InvalidOid);
		else if (S_ISDIR(status.st_mode) && prefix[0] == '\0' && isdigit((unsigned char) name[0]))
			list_directory(files, full, psprintf("%s/", name));
	}
	FreeDir(directory);
}

static void
open_path(EncoderFiles *files, const char *given)
{
	char	   *path = pstrdup(given);
	struct stat status;

	need_server_files();
	canonicalize_path(path);
	if (!is_absolute_path(path))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("path \"%s\" is not absolute", given)));
	if (stat(path, &status) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat file \"%s\": %m", path)));
	files->kind = FILES_SERVER;
	if (S_ISDIR(status.st_mode))
		list_directory(files, path, "");
	else if (S_ISREG(status.st_mode))
		add_file(files, last_dir_separator(path) + 1, path, InvalidOid);
	else
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is neither a directory nor a regular file", path)));
}

static void
bad_large_objects(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"large_objects\" must be an object of file names and OIDs"),
			 errhint("For example '{\"config.json\": 16401, \"model.safetensors\": 16402}'.")));
}

static void
open_large_objects(EncoderFiles *files, Jsonb *json)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	files->kind = FILES_LARGE_OBJECTS;
	if (!JB_ROOT_IS_OBJECT(json))
		bad_large_objects();
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		int64		oid;

		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		if (token != WJB_VALUE)
			continue;
		if (value.type != jbvNumeric)
			bad_large_objects();
		oid = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value.val.numeric)));
		if (oid <= 0 || oid > PG_UINT32_MAX)
			bad_large_objects();
		add_file(files, name, NULL, (Oid) oid);
	}
}

/* Names of files in the rows, and not without end. */
static void
list_files(EncoderFiles *files)
{
	MemoryContext before = CurrentMemoryContext;
	int			code = SPI_execute(psprintf("SELECT DISTINCT file::pg_catalog.text FROM %s WHERE file IS NOT NULL",
											files->relation), true, MOST_FILES + 1);

	if (code != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(code));
	/* not that of SPI, which ends with the call */
	MemoryContextSwitchTo(before);
	for (uint64 i = 0; i < SPI_processed; i++)
		add_file(files, result_string(i, 1), NULL, InvalidOid);
}

/*
 * Which of the two kinds of tables it is, and which files it has.  Rows are read by the
 * name of the table, without a lock before: what somebody has put in its place by
 * then is read instead, so that the queries say which types they want.
 */
static void
open_staging(EncoderFiles *files, Oid relation)
{
	char	   *name = get_rel_name(relation);
	char	   *schema = get_namespace_name(get_rel_namespace(relation));

	if (name == NULL || schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relation)));
	files->relation = quote_qualified_identifier(schema, name);
	if (get_attnum(relation, "line") != InvalidAttrNumber)
	{
		files->kind = FILES_LINES;
		add_file(files, name, NULL, InvalidOid);
		return;
	}
	files->kind = FILES_PARTS;
	if (get_attnum(relation, "file") == InvalidAttrNumber ||
		get_attnum(relation, "part") == InvalidAttrNumber ||
		get_atttype(relation, get_attnum(relation, "data")) != BYTEAOID)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s has neither a column \"line\" nor the columns \"file\", \"part\" and \"data\"",
						files->relation),
				 errhint("Lines of one file as text, or parts of files as bytea.")));
	list_files(files);
}

EncoderFiles *
encoder_files_open(const char *path, Jsonb *large_objects, Oid staging)
{
	EncoderFiles *files = palloc0(sizeof(EncoderFiles));

	if ((path != NULL) + (large_objects != NULL) + OidIsValid(staging) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("exactly one of \"path\", \"large_objects\" and \"staging\" must be given")));
	if (path != NULL)
		open_path(files, path);
	else if (large_objects != NULL)
		open_large_objects(files, large_objects);
	else
		open_staging(files, staging);
	if (files->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are no files to import")));
	return files;
}

int
encoder_files_count(const EncoderFiles *files)
{
	return files->n;
}

const char *
encoder_files_name(const EncoderFiles *files, int i)
{
	return files->file[i].name;
}

int
encoder_files_find(const EncoderFiles *files, const char *name)
{
	for (int i = 0; i < files->n; i++)
	{
		if (strcmp(files->file[i].name, name) == 0)
			return i;
	}
	return -1;
}

/* ---------------------------------------------------------------------- */
/* Reading */

static void
feed_path(const char *path, FilePiece piece, void *state)
{
	FILE	   *file = AllocateFile(path, PG_BINARY_R);
	unsigned char *bytes = palloc(PIECE_BYTES);
	size_t		length;

	if (file == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\" for reading: %m", path)));
	while ((length = fread(bytes, 1, PIECE_BYTES, file)) > 0)
	{
		interrupts_check();
		piece(bytes, length, state);
	}
	if (ferror(file))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", path)));
	FreeFile(file);
	pfree(bytes);
}

/*
 * By the functions that clients call: what is below them takes it that they clean up
 * at the end of the transaction.  They look at the user's rights.
 */
static int32
open_large_object(Oid oid)
{
	return DatumGetInt32(DirectFunctionCall2(be_lo_open, ObjectIdGetDatum(oid),
											 Int32GetDatum(INV_READ)));
}

static void
close_large_object(int32 object)
{
	(void) DirectFunctionCall1(be_lo_close, Int32GetDatum(object));
}

static int64
large_object_length(Oid oid)
{
	int32		object = open_large_object(oid);
	int64		length = DatumGetInt64(DirectFunctionCall3(be_lo_lseek64, Int32GetDatum(object),
														   Int64GetDatum(0), Int32GetDatum(SEEK_END)));

	close_large_object(object);
	return length;
}

static void
feed_large_object(Oid oid, FilePiece piece, void *state)
{
	int32		object = open_large_object(oid);
	unsigned char *bytes = palloc(PIECE_BYTES);
	int			length;

	while ((length = lo_read(object, (char *) bytes, PIECE_BYTES)) > 0)
	{
		interrupts_check();
		piece(bytes, (size_t) length, state);
	}
	close_large_object(object);
	pfree(bytes);
}

static void
missing_part(const EncoderFile *file)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("parts of file \"%s\" are missing, NULL or there twice", file->name)));
}

/* A row's bytes; parts are numbered one after another from wherever they begin. */
static void
feed_part(const EncoderFile *file, uint64 row, int64 *last, FilePiece piece, void *state)
{
	bool		isnull;
	Datum		number = result_datum(row, 2, &isnull);
	int64		part = isnull ? 0 : DatumGetInt64(number);
	bytea	   *bytes;

	if (isnull || result_is_null(row, 1) || (*last >= 0 && part != *last + 1) || part < 0)
		missing_part(file);
	*last = part;
	bytes = DatumGetByteaPP(result_datum(row, 1, &isnull));
	piece((const unsigned char *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), state);
	if ((Pointer) bytes != DatumGetPointer(result_datum(row, 1, &isnull)))
		pfree(bytes);
}

/*
 * Formats of vectors are UTF-8, lines of a table as the database is.  What Unicode has not
 * becomes a byte that is no UTF-8: the word is none, as in a file, and the others are.
 */
static void
feed_line(uint64 row, FilePiece piece, void *state)
{
	char	   *line = result_string(row, 1);
	const char *utf8;
	size_t		length;

	if (line == NULL)
		return;
	length = strlen(line);
	utf8 = text_as_utf8(line, &length, '\xff');
	piece((const unsigned char *) utf8, length, state);
	piece((const unsigned char *) "\n", 1, state);
	if (utf8 != line)
		pfree(unconstify(char *, utf8));
	pfree(line);
}

static void
feed_rows(const EncoderFiles *files, const EncoderFile *file, FilePiece piece, void *state)
{
	MemoryContext before = CurrentMemoryContext;
	bool		lines = files->kind == FILES_LINES;
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(file->name)};
	const char *query = lines ? "SELECT line::pg_catalog.text FROM %s" :
		"SELECT data::pg_catalog.bytea, part::pg_catalog.int8 FROM %s "
		"WHERE file::pg_catalog.text OPERATOR(pg_catalog.=) $1 ORDER BY part::pg_catalog.int8";
	Portal		portal = SPI_cursor_open_with_args(NULL, psprintf(query, files->relation),
												   lines ? 0 : 1, types, values, NULL, true,
												   CURSOR_OPT_NO_SCROLL);
	int64		last = -1;

	for (;;)
	{
		SPI_cursor_fetch(portal, true, lines ? ROWS_AT_ONCE : 1);
		MemoryContextSwitchTo(before);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			if (lines)
				feed_line(i, piece, state);
			else
				feed_part(file, i, &last, piece, state);
		}
		SPI_freetuptable(SPI_tuptable);
		interrupts_check();
	}
	SPI_cursor_close(portal);
	MemoryContextSwitchTo(before);
}

void
encoder_files_feed(EncoderFiles *files, int i, FilePiece piece, void *state)
{
	const EncoderFile *file = &files->file[i];

	if (files->kind == FILES_SERVER)
		feed_path(file->path, piece, state);
	else if (files->kind == FILES_LARGE_OBJECTS)
		feed_large_object(file->large_object, piece, state);
	else
		feed_rows(files, file, piece, state);
}

/* Bytes of a file, so far. */
typedef struct Count
{
	const char *name;
	int64		length;
	int64		most;
} Count;

static void
check_length(const Count *count)
{
	if (count->length > count->most)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("file \"%s\" has more than " INT64_FORMAT " bytes", count->name,
						count->most)));
}

/* A view may have rows without end. */
static void
count_piece(const unsigned char *bytes pg_attribute_unused(), size_t length, void *state)
{
	Count	   *count = state;

	count->length += (int64) length;
	check_length(count);
}

int64
encoder_files_length(EncoderFiles *files, int i, int64 most)
{
	const EncoderFile *file = &files->file[i];
	Count		count = {file->name, 0, most};
	struct stat status;

	switch (files->kind)
	{
		case FILES_SERVER:
			if (stat(file->path, &status) != 0)
				ereport(ERROR,
						(errcode_for_file_access(),
						 errmsg("could not stat file \"%s\": %m", file->path)));
			count.length = (int64) status.st_size;
			break;
		case FILES_LARGE_OBJECTS:
			count.length = large_object_length(file->large_object);
			break;
		default:
			encoder_files_feed(files, i, count_piece, &count);
			break;
	}
	check_length(&count);
	return count.length;
}

/* A file that is read whole. */
typedef struct Whole
{
	const char *name;
	unsigned char *bytes;
	size_t		length;
	size_t		capacity;
} Whole;

static void
append_piece(const unsigned char *bytes, size_t length, void *state)
{
	Whole	   *whole = state;

	if (length > whole->capacity - whole->length)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("file \"%s\" has grown while it was read", whole->name)));
	memcpy(whole->bytes + whole->length, bytes, length);
	whole->length += length;
}

unsigned char *
encoder_files_read(EncoderFiles *files, int i, int64 most, size_t *length)
{
	int64		expected = encoder_files_length(files, i, most);
	Whole		whole = {.name = files->file[i].name};

	/* The tensors' own need, several times this, is asked for before. */
	memory_check((size_t) expected, psprintf("read file \"%s\"", whole.name));
	whole.capacity = (size_t) expected;
	whole.bytes = palloc_array_checked(unsigned char, whole.capacity + 1);
	encoder_files_feed(files, i, append_piece, &whole);
	whole.bytes[whole.length] = '\0';
	*length = whole.length;
	return whole.bytes;
}
