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
 * No BufFile: to close one writes what it still has in memory, and on a full
 * disk that fails in the middle of cleaning up, and leaves the file there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/tablespace.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "store/caller.h"
#include "store/copy.h"
#include "store/session.h"

#define BLOCK_BYTES (64 * 1024)
#define CLOSED (-1)

/*
 * What is before a row: this, and one head an input.  Then come the inputs, of
 * which each ends where the next can be read in place, and the item.
 */
typedef struct RowHead
{
	int32		item;			/* bytes, with the terminator */
	int32		inputs;
} RowHead;

typedef struct InputHead
{
	bool		missing;
	bool		is_vector;
	int64		bytes;
} InputHead;

struct SourceCopy
{
	MemoryContext context;		/* this and all below */
	File		file;			/* or CLOSED */
	bool		writing;		/* and not yet reading */
	char	   *block;			/* what is written or read next, */
	off_t		place;			/* from where in the file; */
	size_t		filled;			/* bytes of it that there are, */
	size_t		taken;			/* and that are read */
	int64		rows;
	int64		next;			/* row to be read */
	char	   *buffer;			/* of the row that was read last */
	size_t		capacity;
	Input		more[MAX_INPUTS];	/* of that row, all but the first */
};

static void
close_file(void *argument)
{
	SourceCopy *copy = argument;
	File		file = copy->file;

	copy->file = CLOSED;
	if (file != CLOSED)
		FileClose(file);
}

SourceCopy *
source_copy_begin(void)
{
	SourceCopy *copy = palloc0(sizeof(SourceCopy));

	copy->context = CurrentMemoryContext;
	copy->block = palloc(BLOCK_BYTES);
	copy->capacity = 1024;
	copy->buffer = palloc(copy->capacity);
	copy->file = CLOSED;
	copy->writing = true;
	at_context_end(copy->context, close_file, copy);
	PrepareTempTablespaces();
	copy->file = OpenTemporaryFile(true);
	return copy;
}

static void
write_block(SourceCopy *copy)
{
	size_t		written = 0;

	while (written < copy->filled)
	{
		int			n = (int) FileWrite(copy->file, copy->block + written,
										(int) (copy->filled - written), copy->place,
										WAIT_EVENT_BUFFILE_WRITE);

		if (n <= 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write to file \"%s\": %m", FilePathName(copy->file))));
		written += n;
		copy->place += n;
	}
	copy->filled = 0;
}

static void
add_bytes(SourceCopy *copy, const void *bytes, size_t length)
{
	const char *from = bytes;

	while (length > 0)
	{
		size_t		n = Min(length, BLOCK_BYTES - copy->filled);

		memcpy(copy->block + copy->filled, from, n);
		copy->filled += n;
		from += n;
		length -= n;
		if (copy->filled == BLOCK_BYTES)
			write_block(copy);
	}
}

static size_t
padded(const InputHead *head)
{
	return MAXALIGN((size_t) head->bytes);
}

void
source_copy_add(SourceCopy *copy, const SourceRow *row)
{
	static const char padding[MAXIMUM_ALIGNOF];
	InputHead	heads[MAX_INPUTS];
	RowHead		head = {.item = (int32) strlen(row->item) + 1};
	int			i = 0;

	memset(heads, 0, sizeof(heads));
	for (const Input *input = &row->input; input != NULL; input = input->next)
	{
		InputHead  *it = &heads[head.inputs++];

		it->missing = input->missing;
		it->is_vector = input->vector != NULL;
		it->bytes = input->missing ? 0 : (int64) input_bytes(input);
	}
	add_bytes(copy, &head, sizeof(head));
	add_bytes(copy, heads, head.inputs * sizeof(InputHead));
	for (const Input *input = &row->input; input != NULL; input = input->next, i++)
	{
		add_bytes(copy, input_content(input), heads[i].bytes);
		add_bytes(copy, padding, padded(&heads[i]) - heads[i].bytes);
	}
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
	if (copy->writing)
		write_block(copy);
	copy->writing = false;
	copy->place = 0;
	copy->filled = copy->taken = 0;
	copy->next = 0;
}

static void
read_block(SourceCopy *copy)
{
	int			n = (int) FileRead(copy->file, copy->block, BLOCK_BYTES, copy->place,
								   WAIT_EVENT_BUFFILE_READ);

	if (n < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", FilePathName(copy->file))));
	if (n == 0)
		elog(ERROR, "the copy of a source is shorter than it was");
	copy->place += n;
	copy->filled = n;
	copy->taken = 0;
}

static void
read_whole(SourceCopy *copy, void *bytes, size_t length)
{
	char	   *to = bytes;

	while (length > 0)
	{
		size_t		n;

		if (copy->taken == copy->filled)
			read_block(copy);
		n = Min(length, copy->filled - copy->taken);
		memcpy(to, copy->block + copy->taken, n);
		copy->taken += n;
		to += n;
		length -= n;
	}
}

/* Those of the row in the buffer, from its begin on; returns what is behind them. */
static char *
place_inputs(SourceCopy *copy, const InputHead *heads, int n, Input *first)
{
	char	   *at = copy->buffer;

	for (int i = 0; i < n; i++)
	{
		Input	   *input = i == 0 ? first : &copy->more[i];

		*input = (Input) {.missing = heads[i].missing};
		if (i + 1 < n)
			input->next = &copy->more[i + 1];
		if (heads[i].is_vector)
		{
			input->vector = (const float *) at;
			input->n = (int) (heads[i].bytes / sizeof(float));
		}
		else if (!heads[i].missing)
		{
			input->text = at;
			input->length = (size_t) heads[i].bytes;
		}
		at += padded(&heads[i]);
	}
	return at;
}

bool
source_copy_next(SourceCopy *copy, SourceRow *row)
{
	RowHead		head;
	InputHead	heads[MAX_INPUTS];
	size_t		needed;

	interrupts_check();
	if (copy->next == copy->rows)
		return false;
	copy->next++;
	read_whole(copy, &head, sizeof(head));
	read_whole(copy, heads, head.inputs * sizeof(InputHead));
	needed = head.item;
	for (int i = 0; i < head.inputs; i++)
		needed += padded(&heads[i]);
	if (needed > copy->capacity)
	{
		copy->capacity = needed + needed / 2;
		copy->buffer = repalloc_huge(copy->buffer, copy->capacity);
	}
	read_whole(copy, copy->buffer, needed);
	row->label = NULL;
	row->item = place_inputs(copy, heads, head.inputs, &row->input);
	return true;
}

void
source_copy_close(SourceCopy *copy)
{
	close_file(copy);
}
