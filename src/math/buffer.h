/*-------------------------------------------------------------------------
 *
 * buffer.h
 *	  Bytes of stored models and encoders, written and read with bounds.
 *
 * Little-endian on every machine.  The writer grows in the Caller's memory, or
 * hands on what it is given; the reader never runs past its end: after the
 * first short read everything it returns is zero and `failed` stays set, so
 * that a whole structure can be read before the one check.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_BUFFER_H
#define HUMANLOOP_BUFFER_H

#include "base.h"

/* Does this machine keep numbers in memory as they are stored? */
extern bool little_endian(void);

/* Copies count elements of size bytes between memory and stored order. */
extern void copy_elements(void *to, const void *from, size_t count, size_t size);

/* Takes the next bytes that are written; false: it cannot. */
typedef bool (*WriterSink) (void *state, const void *bytes, size_t length);

typedef struct Writer
{
	const Caller *caller;
	unsigned char *bytes;		/* NULL where there is a sink */
	size_t		length;
	size_t		capacity;
	bool		failed;			/* out of memory, or the sink has failed: what
								 * follows is lost */
	WriterSink	sink;			/* or NULL */
	void	   *sink_state;
} Writer;

typedef struct Reader
{
	const unsigned char *bytes;
	size_t		length;
	size_t		position;
	bool		failed;
} Reader;

extern void writer_init(Writer *writer, const Caller *caller);
/* Keeps nothing: all bytes go to the sink, which may longjmp out. */
extern void writer_init_sink(Writer *writer, WriterSink sink, void *state);
extern void write_bytes(Writer *writer, const void *bytes, size_t length);
extern void write_u32(Writer *writer, uint32_t value);
extern void write_u64(Writer *writer, uint64_t value);
extern void write_double(Writer *writer, double value);
extern void write_floats(Writer *writer, const float *values, size_t count);
extern void write_i16s(Writer *writer, const int16_t *values, size_t count);
extern void write_u64s(Writer *writer, const uint64_t *values, size_t count);
/* doubles kept as float32: enough for whatever is not compared to 1e-6 */
extern void write_doubles_as_floats(Writer *writer, const double *values, size_t count);

extern void reader_init(Reader *reader, const void *bytes, size_t length);
extern size_t reader_left(const Reader *reader);
extern void read_bytes(Reader *reader, void *bytes, size_t length);
extern uint32_t read_u32(Reader *reader);
extern uint64_t read_u64(Reader *reader);
extern double read_double(Reader *reader);
/* These fail before they allocate anything that the input does not hold. */
extern float *read_floats(Reader *reader, const Caller *caller, size_t count);
extern int16_t *read_i16s(Reader *reader, const Caller *caller, size_t count);
extern uint64_t *read_u64s(Reader *reader, const Caller *caller, size_t count);
extern double *read_floats_as_doubles(Reader *reader, const Caller *caller, size_t count);

#endif							/* HUMANLOOP_BUFFER_H */
