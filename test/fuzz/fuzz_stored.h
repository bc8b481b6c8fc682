/*-------------------------------------------------------------------------
 *
 * fuzz_stored.h
 *	  Any bytes as a stored encoder: what the targets of its kinds share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_FUZZ_STORED_H
#define HUMANLOOP_FUZZ_STORED_H

#include "fuzz.h"

/* Encodes with an encoder of its kind; rest is what lay behind it. */
typedef void (*UseEncoder) (const Caller *caller, const Encoder *encoder,
							const uint8_t *rest, size_t length, bool fails);

/* What was read is what would be written, if it was of the newest version. */
static inline void
check_written(const Caller *caller, const Encoder *encoder, const uint8_t *data, size_t length)
{
	Writer		writer;

	writer_init(&writer, caller);
	if (encoder_write(encoder, &writer) == STATUS_SUCCESS &&
		memcmp(writer.bytes + 4, data + 4, 4) == 0)
		FUZZ_CHECK(writer.length == length && memcmp(writer.bytes, data, length) == 0);
	release(caller, writer.bytes);
}

/*
 * Read in both ways it is refused, or what was read is used, if it is of a
 * kind that is asked for.
 */
static inline void
run_stored(const Caller *caller, const uint8_t *data, size_t size, bool fails,
		   bool (*wanted) (EncoderKind kind), UseEncoder use)
{
	for (int in_place = 0; in_place < 2; in_place++)
	{
		Reader		reader;
		Encoder    *encoder;
		Status		status;

		reader_init(&reader, data, size);
		status = in_place ? encoder_read_in_place(caller, &reader, &encoder) :
			encoder_read(caller, &reader, &encoder);
		FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
				   (fails && status == STATUS_NO_MEMORY));
		FUZZ_CHECK((status == STATUS_SUCCESS) == (encoder != NULL));
		if (encoder == NULL)
			continue;
		check_written(caller, encoder, data, reader.position);
		if (wanted(encoder_kind(encoder)))
			use(caller, encoder, data + reader.position, size - reader.position, fails);
		encoder_free(caller, encoder);
	}
}

#endif							/* HUMANLOOP_FUZZ_STORED_H */
