/*-------------------------------------------------------------------------
 *
 * copy.c
 *	  Rows of a source in a temporary file, to be read without a transaction.
 *
 * Fitting and encoding take far longer than reading, and a snapshot that is
 * held meanwhile keeps VACUUM of the whole cluster from removing anything.
 * So the rows are copied first, and computed with afterwards.  The file is
 * written and read in order, counts against temp_file_limit, and goes with
 * its memory context, or with the process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/buffile.h"
#include "utils/memutils.h"

#include "store/caller.h"
#include "store/copy.h"
#include "store/session.h"

/* What is before the bytes of a row. */
typedef struct RowHead
{
	int32		item;			/* bytes, with the terminator */
	bool		missing;
	bool		is_vector;
	int64		input;			/* bytes */
} RowHead;

struct SourceCopy
{
	MemoryContext context;		/* this and all below */
	BufFile    *file;			/* NULL: closed */
	int64		rows;
	int64		next;			/* row to be read */
	char	   *buffer;			/* of the row that was read last */
	size_t		capacity;
};

static void
close_file(void *argument)
{
	SourceCopy *copy = argument;
	BufFile    *file = copy->file;

	copy->file = NULL;
	if (file != NULL)
		BufFileClose(file);
}

SourceCopy *
source_copy_begin(void)
{
	SourceCopy *copy = palloc0(sizeof(SourceCopy));
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));

	copy->context = CurrentMemoryContext;
	copy->capacity = 1024;
	copy->buffer = palloc(copy->capacity);
	callback->func = close_file;
	callback->arg = copy;
	MemoryContextRegisterResetCallback(copy->context, callback);
	copy->file = BufFileCreateTemp(true);
	return copy;
}

static void
add_bytes(SourceCopy *copy, const void *bytes, size_t length)
{
	MemoryContext before = MemoryContextSwitchTo(copy->context);

	/* servers before 16 do not say that they only read it */
	BufFileWrite(copy->file, (void *) bytes, length);
	MemoryContextSwitchTo(before);
}

void
source_copy_add(SourceCopy *copy, const SourceRow *row)
{
	RowHead		head;

	memset(&head, 0, sizeof(head));
	head.item = (int32) strlen(row->item) + 1;
	head.missing = row->input.missing;
	head.is_vector = row->input.vector != NULL;
	if (!head.missing)
		head.input = head.is_vector ? row->input.n * (int64) sizeof(float) :
			(int64) row->input.length;
	add_bytes(copy, &head, sizeof(head));
	if (head.input > 0)
		add_bytes(copy, head.is_vector ? (const void *) row->input.vector : row->input.text,
				  head.input);
	add_bytes(copy, row->item, head.item);
	copy->rows++;
}

int64
source_copy_rows(const SourceCopy *copy)
{
	return copy->rows;
}

void
source_copy_rewind(SourceCopy *copy)
{
	if (BufFileSeek(copy->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind the copy of a source: %m")));
	copy->next = 0;
}

static void
read_whole(SourceCopy *copy, void *bytes, size_t length)
{
	if (BufFileRead(copy->file, bytes, length) != length)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read the copy of a source: %m")));
}

bool
source_copy_next(SourceCopy *copy, SourceRow *row)
{
	RowHead		head;
	size_t		needed;

	interrupts_check();
	if (copy->next == copy->rows)
		return false;
	copy->next++;
	read_whole(copy, &head, sizeof(head));
	/* the input first: floats want to be aligned */
	needed = (size_t) head.input + head.item;
	if (needed > copy->capacity)
	{
		copy->capacity = needed + needed / 2;
		copy->buffer = repalloc_huge(copy->buffer, copy->capacity);
	}
	read_whole(copy, copy->buffer, needed);
	memset(row, 0, sizeof(*row));
	row->item = copy->buffer + head.input;
	row->input.missing = head.missing;
	if (head.is_vector)
	{
		row->input.vector = (const float *) copy->buffer;
		row->input.n = (int) (head.input / sizeof(float));
	}
	else if (!head.missing)
	{
		row->input.text = copy->buffer;
		row->input.length = (size_t) head.input;
	}
	return true;
}

void
source_copy_close(SourceCopy *copy)
{
	close_file(copy);
}
