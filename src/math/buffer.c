/*-------------------------------------------------------------------------
 *
 * buffer.c
 *	  Bytes of stored models and encoders, written and read with bounds.
 *
 * Everything is little-endian on disk.  On a little-endian machine arrays
 * are copied whole (a new connection waits for some 20 MB of projection
 * matrix); elsewhere each element is turned round.
 *
 *-------------------------------------------------------------------------
 */
#include "buffer.h"

#include <string.h>

/* So many numbers are converted at a time */
#define SINK_ELEMENTS 256

/* See buffer.h. */
bool
little_endian(void)
{
	const uint16_t one = 1;
	unsigned char first;

	memcpy(&first, &one, 1);
	return first == 1;
}

/* Between memory and stored order, in either direction; see buffer.h. */
void
copy_elements(void *to, const void *from, size_t count, size_t size)
{
	unsigned char *target = to;
	const unsigned char *source = from;

	if (count == 0)
		return;
	if (little_endian() || size == 1)
	{
		memcpy(to, from, count * size);
		return;
	}
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < size; j++)
			target[i * size + j] = source[i * size + size - 1 - j];
}

/* An empty writer; its bytes belong to whoever made it, also after a failure. */
void
writer_init(Writer *writer, const Caller *caller)
{
	*writer = (Writer) {.caller = caller};
}

void
writer_init_sink(Writer *writer, WriterSink sink, void *state)
{
	*writer = (Writer) {.sink = sink, .sink_state = state};
}

/*
 * Room for length more bytes; NULL, and failed set, when there is none.  The
 * capacity doubles, so that many small writes stay linear.
 */
static unsigned char *
writer_reserve(Writer *writer, size_t length)
{
	unsigned char *position;

	if (writer->failed || length > SIZE_MAX / 4 - writer->length)
	{
		writer->failed = true;
		return NULL;
	}
	if (writer->length + length > writer->capacity)
	{
		size_t		capacity = writer->capacity < 256 ? 256 : writer->capacity * 2;
		unsigned char *bytes;

		if (capacity < writer->length + length)
			capacity = writer->length + length;
		bytes = allocate_array(writer->caller, capacity, 1);
		if (bytes == NULL)
		{
			writer->failed = true;
			return NULL;
		}
		if (writer->length > 0)
			memcpy(bytes, writer->bytes, writer->length);
		release(writer->caller, writer->bytes);
		writer->bytes = bytes;
		writer->capacity = capacity;
	}
	position = writer->bytes + writer->length;
	writer->length += length;
	return position;
}

/* The same to the sink, which gets large arrays as they are where it can. */
static void
sink_elements(Writer *writer, const unsigned char *values, size_t count, size_t size)
{
	unsigned char some[SINK_ELEMENTS * sizeof(uint64_t)];

	if (writer->failed || count * size > SIZE_MAX / 4 - writer->length)
	{
		writer->failed = true;
		return;
	}
	writer->length += count * size;
	if (little_endian() || size == 1)
	{
		writer->failed = !writer->sink(writer->sink_state, values, count * size);
		return;
	}
	for (size_t i = 0; i < count && !writer->failed; i += SINK_ELEMENTS)
	{
		size_t		n = count - i < SINK_ELEMENTS ? count - i : SINK_ELEMENTS;

		copy_elements(some, values + i * size, n, size);
		writer->failed = !writer->sink(writer->sink_state, some, n * size);
	}
}

/* count elements of size bytes in stored order. */
static void
write_elements(Writer *writer, const void *values, size_t count, size_t size)
{
	unsigned char *position;

	if (count > SIZE_MAX / 8 / size)
	{
		writer->failed = true;
		return;
	}
	if (writer->sink != NULL)
	{
		sink_elements(writer, values, count, size);
		return;
	}
	position = writer_reserve(writer, count * size);
	if (position != NULL)
		copy_elements(position, values, count, size);
}

void
write_bytes(Writer *writer, const void *bytes, size_t length)
{
	write_elements(writer, bytes, length, 1);
}

void
write_u32(Writer *writer, uint32_t value)
{
	write_elements(writer, &value, 1, sizeof(value));
}

void
write_u64(Writer *writer, uint64_t value)
{
	write_elements(writer, &value, 1, sizeof(value));
}

void
write_double(Writer *writer, double value)
{
	write_elements(writer, &value, 1, sizeof(value));
}

void
write_floats(Writer *writer, const float *values, size_t count)
{
	write_elements(writer, values, count, sizeof(float));
}

void
write_i16s(Writer *writer, const int16_t *values, size_t count)
{
	write_elements(writer, values, count, sizeof(int16_t));
}

void
write_u64s(Writer *writer, const uint64_t *values, size_t count)
{
	write_elements(writer, values, count, sizeof(uint64_t));
}

/* Rounds each to float32; what exceeds its range becomes an infinity. */
void
write_doubles_as_floats(Writer *writer, const double *values, size_t count)
{
	float		some[SINK_ELEMENTS];

	for (size_t i = 0; i < count && !writer->failed; i += SINK_ELEMENTS)
	{
		size_t		n = count - i < SINK_ELEMENTS ? count - i : SINK_ELEMENTS;

		for (size_t j = 0; j < n; j++)
			some[j] = (float) values[i + j];
		write_floats(writer, some, n);
	}
}

void
reader_init(Reader *reader, const void *bytes, size_t length)
{
	reader->bytes = bytes;
	reader->length = length;
	reader->position = 0;
	reader->failed = false;
}

/* Bytes not yet read; 0 after a failure. */
size_t
reader_left(const Reader *reader)
{
	return reader->failed ? 0 : reader->length - reader->position;
}

/* The next count * size bytes, or NULL and failed set. */
static const unsigned char *
reader_take(Reader *reader, size_t count, size_t size)
{
	const unsigned char *position;

	if (reader->failed || count > reader_left(reader) / size)
	{
		reader->failed = true;
		return NULL;
	}
	position = reader->bytes + reader->position;
	reader->position += count * size;
	return position;
}

/* One number of size bytes; zero after a failure. */
static void
read_element(Reader *reader, void *value, size_t size)
{
	const unsigned char *position = reader_take(reader, 1, size);

	if (position == NULL)
		memset(value, 0, size);
	else
		copy_elements(value, position, 1, size);
}

/* length raw bytes; zeros after a failure. */
void
read_bytes(Reader *reader, void *bytes, size_t length)
{
	const unsigned char *position = reader_take(reader, length, 1);

	if (length == 0)
		return;
	if (position == NULL)
		memset(bytes, 0, length);
	else
		memcpy(bytes, position, length);
}

uint32_t
read_u32(Reader *reader)
{
	uint32_t	value;

	read_element(reader, &value, sizeof(value));
	return value;
}

uint64_t
read_u64(Reader *reader)
{
	uint64_t	value;

	read_element(reader, &value, sizeof(value));
	return value;
}

double
read_double(Reader *reader)
{
	double		value;

	read_element(reader, &value, sizeof(value));
	return value;
}

/*
 * count elements of size bytes in new memory.  NULL with failed set where the
 * input is too short, NULL with failed not set where there is no memory: so
 * the caller can tell damage from want.
 */
static void *
read_elements(Reader *reader, const Caller *caller, size_t count, size_t size)
{
	const unsigned char *position = reader_take(reader, count, size);
	void	   *values;

	if (position == NULL)
		return NULL;
	values = allocate_array(caller, count, size);
	if (values != NULL)
		copy_elements(values, position, count, size);
	return values;
}

float *
read_floats(Reader *reader, const Caller *caller, size_t count)
{
	return read_elements(reader, caller, count, sizeof(float));
}

int16_t *
read_i16s(Reader *reader, const Caller *caller, size_t count)
{
	return read_elements(reader, caller, count, sizeof(int16_t));
}

uint64_t *
read_u64s(Reader *reader, const Caller *caller, size_t count)
{
	return read_elements(reader, caller, count, sizeof(uint64_t));
}

/* count stored float32 as doubles; NULL as read_elements. */
double *
read_floats_as_doubles(Reader *reader, const Caller *caller, size_t count)
{
	const unsigned char *position = reader_take(reader, count, sizeof(float));
	double	   *values;

	if (position == NULL)
		return NULL;
	values = allocate_array(caller, count, sizeof(double));
	if (values == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
	{
		float		value;

		copy_elements(&value, position + i * sizeof(float), 1, sizeof(float));
		values[i] = value;
	}
	return values;
}
