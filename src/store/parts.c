/*-------------------------------------------------------------------------
 *
 * parts.c
 *	  Long byte strings (encoders, models) in rows of bounded size.
 *
 * A string begins with a head: magic, length and CRC-32C of what follows.  It
 * is cut into parts small enough to be toasted, dumped and replicated without
 * anybody holding hundreds of megabytes in one value.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#include "catalog/pg_type.h"
#include "port/pg_crc32c.h"
#include "utils/memutils.h"

#include "compat.h"
#include "store/parts.h"
#include "store/session.h"

#define PART_BYTES (512 * 1024)
#define PARTS_MAGIC 0x31504c48	/* "HLP1", little-endian */

static void
put_u32(unsigned char *bytes, uint32 value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char) (value >> (8 * i));
}

static uint32
get_u32(const unsigned char *bytes)
{
	return bytes[0] | (uint32) bytes[1] << 8 | (uint32) bytes[2] << 16 | (uint32) bytes[3] << 24;
}

static pg_crc32c
checksum(const unsigned char *bytes, size_t length)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, bytes, length);
	FIN_CRC32C(crc);
	return crc;
}

static bytea *
make_part(const unsigned char *head, const unsigned char *bytes, size_t from, size_t length)
{
	size_t		head_bytes = head == NULL ? 0 : PARTS_HEAD_BYTES;
	bytea	   *part = palloc(VARHDRSZ + head_bytes + length);

	SET_VARSIZE(part, VARHDRSZ + head_bytes + length);
	if (head != NULL)
		memcpy(VARDATA(part), head, PARTS_HEAD_BYTES);
	memcpy(VARDATA(part) + head_bytes, bytes + from, length);
	return part;
}

static void
make_head(const Writer *writer, unsigned char *head)
{
	if (writer->failed)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	put_u32(head, PARTS_MAGIC);
	put_u32(head + 4, (uint32) writer->length);
	put_u32(head + 8, (uint32) ((uint64) writer->length >> 32));
	put_u32(head + 12, checksum(writer->bytes, writer->length));
}

static bool
take_head(const unsigned char *bytes, size_t size, uint64 *length, uint32 *crc)
{
	if (size < PARTS_HEAD_BYTES || get_u32(bytes) != PARTS_MAGIC)
		return false;
	*length = get_u32(bytes + 4) | (uint64) get_u32(bytes + 8) << 32;
	*crc = get_u32(bytes + 12);
	return true;
}

bool
parts_head(Datum part, uint64 *length, uint32 *crc)
{
	bytea	   *bytes = DatumGetByteaPP(part);

	return take_head((const unsigned char *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes),
					 length, crc);
}

/* values: the owner's key, then part and data in the last two places */
static void
write_parts(Statement *statement, Datum *values, const Writer *writer)
{
	unsigned char head[PARTS_HEAD_BYTES];
	int32		part = 0;
	size_t		from = 0;

	make_head(writer, head);
	do
	{
		size_t		length = Min(PART_BYTES, writer->length - from);
		bytea	   *data = make_part(part == 0 ? head : NULL, writer->bytes, from, length);

		values[statement->nargs - 2] = Int32GetDatum(part++);
		values[statement->nargs - 1] = PointerGetDatum(data);
		statement_run(statement, values, NULL, false);
		pfree(data);
		from += length;
	} while (from < writer->length);
}

static void
corrupt(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("a stored humanloop model is damaged: %s", what),
			 errhint("Train again with hl_train().")));
}

/*
 * Memory for an encoder's megabytes is touched page by page when a new
 * connection predicts for the first time: in large pages where the system has
 * them for who asks.  A hint; nothing depends on it.
 */
static void
prefer_large_pages(unsigned char *bytes, size_t length)
{
#ifdef MADV_HUGEPAGE
	uintptr_t	page = (uintptr_t) sysconf(_SC_PAGESIZE);
	uintptr_t	start = TYPEALIGN(page, (uintptr_t) bytes);

	if (length > 2 * page)
		(void) madvise((void *) start, TYPEALIGN_DOWN(page, length - page), MADV_HUGEPAGE);
#endif
}

static void
read_parts(Statement *statement, const Datum *values, bool read_only, Reader *reader)
{
	unsigned char *bytes = NULL;
	uint64		length = 0;
	size_t		have = 0;
	uint32		crc = 0;

	statement_run(statement, values, NULL, read_only);
	if (SPI_processed == 0)
		corrupt("no parts");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		bytea	   *part;
		const unsigned char *data;
		size_t		size;

		if (result_int(i, 1) != (int32) i)
			corrupt("a part is missing");
		part = DatumGetByteaPP(result_datum(i, 2, &isnull));
		data = (const unsigned char *) VARDATA_ANY(part);
		size = VARSIZE_ANY_EXHDR(part);
		if (i == 0)
		{
			if (!take_head(data, size, &length, &crc))
				corrupt("unknown head");
			if (length > SPI_processed * (uint64) PART_BYTES)
				corrupt("wrong length");
			bytes = MemoryContextAllocHuge(CurrentMemoryContext, length + 1);
			prefer_large_pages(bytes, length);
			data += PARTS_HEAD_BYTES;
			size -= PARTS_HEAD_BYTES;
		}
		if (size > length - have)
			corrupt("wrong length");
		memcpy(bytes + have, data, size);
		have += size;
		if ((Pointer) part != DatumGetPointer(result_datum(i, 2, &isnull)))
			pfree(part);
	}
	if (have != length || checksum(bytes, length) != crc)
		corrupt("wrong checksum");
	reader_init(reader, bytes, length);
}

Datum
bytes_seal(const Writer *writer)
{
	unsigned char head[PARTS_HEAD_BYTES];

	make_head(writer, head);
	return PointerGetDatum(make_part(head, writer->bytes, 0, writer->length));
}

void
bytes_unseal(Datum value, Reader *reader)
{
	bytea	   *sealed = DatumGetByteaP(value);
	const unsigned char *data = (const unsigned char *) VARDATA(sealed);
	size_t		size = VARSIZE(sealed) - VARHDRSZ;
	uint64		length;
	uint32		crc;

	if (!take_head(data, size, &length, &crc))
		corrupt("unknown head");
	if (length != size - PARTS_HEAD_BYTES)
		corrupt("wrong length");
	if (checksum(data + PARTS_HEAD_BYTES, length) != crc)
		corrupt("wrong checksum");
	reader_init(reader, data + PARTS_HEAD_BYTES, length);
}

void
encoder_parts_write(int64 encoder_id, const Writer *writer)
{
	static Statement insert = {
		"INSERT INTO @hl_encoder_part VALUES ($1, $2, $3)", 3, {INT8OID, INT4OID, BYTEAOID}, NULL, 0
	};
	Datum		values[3] = {Int64GetDatum(encoder_id)};

	write_parts(&insert, values, writer);
}

void
model_parts_write(int32 project_id, int32 model, const Writer *writer)
{
	static Statement insert = {
		"INSERT INTO @hl_model_part VALUES ($1, $2, $3, $4)", 4,
		{INT4OID, INT4OID, INT4OID, BYTEAOID}, NULL, 0
	};
	Datum		values[4] = {Int32GetDatum(project_id), Int32GetDatum(model)};

	write_parts(&insert, values, writer);
}

void
encoder_parts_read(int64 encoder_id, bool read_only, Reader *reader)
{
	static Statement select = {
		"SELECT part, data FROM @hl_encoder_part WHERE encoder_id = $1 ORDER BY part",
		1, {INT8OID}, NULL, 0
	};
	Datum		values[1] = {Int64GetDatum(encoder_id)};

	read_parts(&select, values, read_only, reader);
}

void
model_parts_read(int32 project_id, int32 model, bool read_only, Reader *reader)
{
	static Statement select = {
		"SELECT part, data FROM @hl_model_part WHERE project_id = $1 AND model = $2 ORDER BY part",
		2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project_id), Int32GetDatum(model)};

	read_parts(&select, values, read_only, reader);
}
