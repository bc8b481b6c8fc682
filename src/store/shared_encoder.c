/*-------------------------------------------------------------------------
 *
 * shared_encoder.c
 *	  Stored encoders, loaded: imported ones from a file that all sessions map.
 *
 * A pretrained encoder has tens or hundreds of megabytes, the same for
 * everybody.  The first session that needs it makes a file of it, in which
 * nothing is to be converted any more, and all others map that: they share its
 * pages, and need no time to read parts of it from a table.
 *
 * The file is no more than a cache.  It lies where the server keeps temporary
 * files and is called like them, so that it is gone after a restart, is in no
 * base backup, and a standby has its own.  A session that cannot make it, read
 * it or map it has the encoder in its own memory; one that finds a file which is
 * not what it should be makes another in its place.
 *
 * A file that is mapped must not shrink: whoever touches a page behind its end
 * is ended by SIGBUS.  So a file gets its name by rename() when it is complete,
 * and whatever has that name is never truncated or written to again, only
 * replaced or removed, which leaves it to those who have it mapped.  (What
 * remains is a disk that cannot be read, as it does for the server's program.)
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifndef WIN32
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "store/caller.h"
#include "store/parts.h"
#include "store/session.h"
#include "store/shared_encoder.h"

/* Stored encoders below that length are loaded faster than it is worth */
#define SHARED_BYTES (4 * 1024 * 1024)

#define SHARED_DIRECTORY "base/" PG_TEMP_FILES_DIR
#define SHARED_MAGIC 0x53454c48 /* "HLES" */

/* Of the head below; part of the file's name */
#define SHARED_FORM 1

/* Bytes between two looks at interrupts */
#define STEP_BYTES (1024 * 1024)

/*
 * Before the encoder.  Numbers as the machine has them: the file never leaves
 * it.  Its length is that of what is aligned behind it.
 */
typedef struct FileHead
{
	/* which encoder it is */
	uint32		magic;
	uint32		form;
	Oid			database;
	Oid			extension;
	int64		encoder_id;
	uint64		stored_length;	/* of the form in the tables, */
	uint32		stored_crc;		/* and its checksum */

	/* what is behind it */
	uint32		crc;
	uint64		length;
	uint64		unused[2];
} FileHead;

StaticAssertDecl(sizeof(FileHead) == 64, "aligned");

typedef struct SharedFile
{
	FileHead	head;			/* crc and length are 0 */
	char		path[MAXPGPATH];
	char		temporary[MAXPGPATH];	/* before it is complete */
} SharedFile;

static Encoder *
read_stored(int64 encoder_id, bool read_only, const Caller *caller)
{
	Encoder    *encoder;
	Reader		reader;

	/* its bytes stay: most of them are used where they are */
	encoder_parts_read(encoder_id, read_only, &reader);
	status_check(encoder_read_in_place(caller, &reader, &encoder), "read the encoder");
	return encoder;
}

#ifndef WIN32

static void
shared_path(int64 encoder_id, char *path)
{
	snprintf(path, MAXPGPATH, "%s/%s_humanloop.%u.%u." INT64_FORMAT ".%d", SHARED_DIRECTORY,
			 PG_TEMP_FILE_PREFIX, MyDatabaseId, extension_oid(), encoder_id, SHARED_FORM);
}

/* ---------------------------------------------------------------------- */
/* Mapping */

typedef struct Mapping
{
	MemoryContextCallback callback;
	void	   *address;		/* NULL: no more */
	size_t		length;
} Mapping;

typedef enum MapResult
{
	MAP_DONE,
	MAP_NOT_THERE,				/* or something else is */
	MAP_IMPOSSIBLE				/* another file would not help */
} MapResult;

static void
unmap(void *argument)
{
	Mapping    *mapping = argument;

	if (mapping->address != NULL)
		(void) munmap(mapping->address, mapping->length);
	mapping->address = NULL;
}

/* Does it hold what it says, and that of this encoder? */
static bool
is_whole(const SharedFile *file, const Mapping *mapping)
{
	const FileHead *head = mapping->address;
	const unsigned char *bytes = (const unsigned char *) (head + 1);
	size_t		length = mapping->length - sizeof(FileHead);
	pg_crc32c	crc;

	if (memcmp(head, &file->head, offsetof(FileHead, crc)) != 0 || head->length != length)
		return false;
	INIT_CRC32C(crc);
	for (size_t i = 0; i < length; i += STEP_BYTES)
	{
		interrupts_check();
		COMP_CRC32C(crc, bytes + i, Min(STEP_BYTES, length - i));
	}
	FIN_CRC32C(crc);
	return EQ_CRC32C(crc, head->crc);
}

/* Maps the open file for as long as the current context lasts. */
static MapResult
map_file(int fd, Mapping **mapping)
{
	struct stat status;
	void	   *address;

	*mapping = palloc0(sizeof(Mapping));
	if (fstat(fd, &status) < 0)
		return MAP_IMPOSSIBLE;
	if (!S_ISREG(status.st_mode) || status.st_size <= (off_t) sizeof(FileHead) ||
		(uint64) status.st_size > SIZE_MAX / 2)
		return MAP_NOT_THERE;
	address = mmap(NULL, (size_t) status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		return MAP_IMPOSSIBLE;
	(*mapping)->address = address;
	(*mapping)->length = (size_t) status.st_size;
	(*mapping)->callback.func = unmap;
	(*mapping)->callback.arg = *mapping;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &(*mapping)->callback);
	return MAP_DONE;
}

/* The encoder from its file, if it is there. */
static MapResult
open_file(const SharedFile *file, const Caller *caller, Encoder **encoder)
{
	/* something that is no file shall not keep us waiting */
	int			fd = OpenTransientFile(file->path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	Mapping    *mapping;
	MapResult	result;
	Reader		reader;
	Status		status = STATUS_CORRUPT;

	if (fd < 0 && (errno == ENOENT || errno == EACCES))
		return MAP_NOT_THERE;
	result = fd < 0 ? MAP_IMPOSSIBLE : map_file(fd, &mapping);
	if (result == MAP_IMPOSSIBLE)
		ereport(DEBUG1,
				(errmsg_internal("could not map file \"%s\": %m", file->path)));
	if (fd >= 0)
		(void) CloseTransientFile(fd);
	if (result != MAP_DONE)
		return result;
	if (is_whole(file, mapping))
	{
		reader_init(&reader, (const char *) mapping->address + sizeof(FileHead),
					mapping->length - sizeof(FileHead));
		status = encoder_read_in_place(caller, &reader, encoder);
	}
	if (status == STATUS_CORRUPT)
	{
		unmap(mapping);
		return MAP_NOT_THERE;
	}
	status_check(status, "read the encoder");
	return MAP_DONE;
}

/* ---------------------------------------------------------------------- */
/* Making */

typedef struct Sink
{
	FILE	   *stream;
	pg_crc32c	crc;
	int			error;			/* errno of what has failed */
} Sink;

static bool
write_all(Sink *sink, const void *bytes, size_t length)
{
	errno = 0;
	if (fwrite(bytes, 1, length, sink->stream) == length)
		return true;
	sink->error = errno == 0 ? ENOSPC : errno;
	return false;
}

/* A WriterSink. */
static bool
take_bytes(void *state, const void *bytes, size_t length)
{
	Sink	   *sink = state;

	for (size_t i = 0; i < length; i += STEP_BYTES)
	{
		const char *from = (const char *) bytes + i;
		size_t		n = Min(STEP_BYTES, length - i);

		if (n >= STEP_BYTES)
			interrupts_check();
		COMP_CRC32C(sink->crc, from, n);
		if (!write_all(sink, from, n))
			return false;
	}
	return true;
}

/* Head and encoder to an open file; the head last, as it has the checksum. */
static bool
write_encoder(const SharedFile *file, const Encoder *encoder, Sink *sink)
{
	FileHead	head = {0};
	Writer		writer;

	INIT_CRC32C(sink->crc);
	writer_init_sink(&writer, take_bytes, sink);
	if (!write_all(sink, &head, sizeof(head)) ||
		encoder_write_expanded(encoder, &writer) != STATUS_SUCCESS)
		return false;
	FIN_CRC32C(sink->crc);
	head = file->head;
	head.crc = sink->crc;
	head.length = writer.length;
	if (fseeko(sink->stream, 0, SEEK_SET) != 0)
	{
		sink->error = errno;
		return false;
	}
	return write_all(sink, &head, sizeof(head));
}

static void
remove_temporary(int code pg_attribute_unused(), Datum file)
{
	(void) unlink(((const SharedFile *) DatumGetPointer(file))->temporary);
}

/* Writes the file under its temporary name, then gives it its own. */
static bool
write_file(const SharedFile *file, const Encoder *encoder, Sink *sink)
{
	bool		written = write_encoder(file, encoder, sink);

	/* not to the disk: who maps it sees by its checksum what it is */
	if (FreeFile(sink->stream) != 0 && written)
	{
		sink->error = errno;
		return false;
	}
	if (written && rename(file->temporary, file->path) != 0)
	{
		sink->error = errno;
		return false;
	}
	return written;
}

/*
 * Makes the file, or the next one in place of what is there.  False: that
 * cannot be done.  Two sessions may do it at the same time.
 */
static bool
make_file(const SharedFile *file, const Encoder *encoder)
{
	Sink		sink = {.stream = NULL};
	bool		made;

	/* left by somebody who was killed and had our number */
	(void) unlink(file->temporary);
	/* nothing of it can be used: perhaps there is room without it */
	(void) unlink(file->path);
	(void) MakePGDirectory(SHARED_DIRECTORY);
	sink.stream = AllocateFile(file->temporary, PG_BINARY_W);
	if (sink.stream == NULL)
	{
		ereport(DEBUG1,
				(errmsg_internal("could not create file \"%s\": %m", file->temporary)));
		return false;
	}
	PG_ENSURE_ERROR_CLEANUP(remove_temporary, PointerGetDatum(file));
	{
		made = write_file(file, encoder, &sink);
	}
	PG_END_ENSURE_ERROR_CLEANUP(remove_temporary, PointerGetDatum(file));
	if (made)
		return true;
	remove_temporary(0, PointerGetDatum(file));
	errno = sink.error;
	ereport(DEBUG1,
			(errmsg_internal("could not write file \"%s\": %m", file->path)));
	return false;
}

/* ---------------------------------------------------------------------- */
/* The whole */

/*
 * Which file an encoder has; false: it is to have none.  What the tables have
 * tells it from another encoder that had its number before a crash.
 */
static bool
find_file(int64 encoder_id, bool read_only, SharedFile *file)
{
	static Statement select = {
		"SELECT pg_catalog.substring(p.data, 1, $2) FROM @hl_encoder e "
		"JOIN @hl_encoder_part p ON p.encoder_id = e.id "
		"WHERE e.id = $1 AND e.project_id IS NULL AND p.part = 0", 2, {INT8OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int64GetDatum(encoder_id), Int32GetDatum(PARTS_HEAD_BYTES)};
	FileHead   *head = &file->head;
	bool		isnull;

	/* elsewhere numbers are converted, and would take memory all the same */
	if (!setting_share_encoders || !little_endian())
		return false;
	statement_run(&select, values, NULL, read_only);
	memset(file, 0, sizeof(SharedFile));
	if (SPI_processed == 0 ||
		!parts_head(result_datum(0, 1, &isnull), &head->stored_length, &head->stored_crc) ||
		head->stored_length < SHARED_BYTES)
		return false;
	head->magic = SHARED_MAGIC;
	head->form = SHARED_FORM;
	head->database = MyDatabaseId;
	head->extension = extension_oid();
	head->encoder_id = encoder_id;
	shared_path(encoder_id, file->path);
	snprintf(file->temporary, MAXPGPATH, "%s.%d", file->path, MyProcPid);
	return true;
}

Encoder *
shared_encoder_load(int64 encoder_id, bool read_only, const Caller *caller)
{
	SharedFile	file;
	MemoryContext before;
	MemoryContext own;
	Caller	   *owner;
	Encoder    *encoder;
	Encoder    *shared;
	MapResult	result = MAP_IMPOSSIBLE;

	if (find_file(encoder_id, read_only, &file))
		result = open_file(&file, caller, &shared);
	if (result == MAP_DONE)
		return shared;
	if (result == MAP_IMPOSSIBLE)
		return read_stored(encoder_id, read_only, caller);
	own = AllocSetContextCreate(CurrentMemoryContext, "humanloop encoder", ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(own);
	owner = palloc(sizeof(Caller));
	*owner = caller_in(own);
	encoder = read_stored(encoder_id, read_only, owner);
	MemoryContextSwitchTo(before);
	/* of many sessions that come at once after a restart one may have made it */
	result = open_file(&file, caller, &shared);
	if (result == MAP_NOT_THERE && make_file(&file, encoder))
		result = open_file(&file, caller, &shared);
	if (result != MAP_DONE)
		return encoder;
	MemoryContextDelete(own);
	return shared;
}

/* ---------------------------------------------------------------------- */
/* The end */

/* Paths to remove at the end of the transaction, in its own context. */
static List *dropped = NIL;

static void
at_transaction_end(XactEvent event, void *argument pg_attribute_unused())
{
	ListCell   *cell;

	switch (event)
	{
		case XACT_EVENT_COMMIT:
			foreach(cell, dropped)
			{
				(void) unlink(lfirst(cell));
			}
			dropped = NIL;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			dropped = NIL;
			break;
		default:
			break;
	}
}

/*
 * A subtransaction may still take it back.  Then the file goes and the encoder
 * remains, for which the next session makes it again.
 */
void
shared_encoder_drop(int64 encoder_id)
{
	static bool registered = false;
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	char	   *path = palloc(MAXPGPATH);

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		registered = true;
	}
	shared_path(encoder_id, path);
	dropped = lappend(dropped, path);
	MemoryContextSwitchTo(before);
}

#else							/* WIN32 */

Encoder *
shared_encoder_load(int64 encoder_id, bool read_only, const Caller *caller)
{
	return read_stored(encoder_id, read_only, caller);
}

void
shared_encoder_drop(int64 encoder_id pg_attribute_unused())
{
}

#endif							/* WIN32 */
