/*-------------------------------------------------------------------------
 *
 * fuzz_encoder.c
 *	  Any bytes as a stored encoder: refused, or fit to encode with.
 *
 * Those behind the encoder are used as a text and as packed terms.
 * Transformers and combinations have targets of their own.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_encode.h"
#include "fuzz_stored.h"

static void
check_vector(const Encoder *encoder, Encoding *encoding)
{
	float	   *vector = calloc((size_t) encoder_dims(encoder), sizeof(float));

	vector[encoder_dims(encoder) - 1] = 3.0f;
	FUZZ_CHECK(encode_vector(encoder, vector, encoder_dims(encoder), encoding) == STATUS_SUCCESS);
	check_encoding(encoder, encoding);
	FUZZ_CHECK(encode_text(encoder, "x", 1, encoding) == STATUS_BAD_ARGUMENT);
	free(vector);
}

/* Encodes with it, whatever it is. */
static void
use(const Caller *caller, const Encoder *encoder, const uint8_t *rest, size_t length, bool fails)
{
	Encoding	encoding;
	Status		status;

	if (encoding_init(caller, encoder, &encoding) != STATUS_SUCCESS)
	{
		FUZZ_CHECK(fails);
		return;
	}
	if (encoder_kind(encoder) == ENCODER_VECTOR)
		check_vector(encoder, &encoding);
	else
	{
		for (int i = 0; i < 3; i++)
		{
			const char *text = i == 0 ? (const char *) rest : corpus[i];

			status = encode_text(encoder, text, i == 0 ? length : strlen(text), &encoding);
			FUZZ_CHECK(status == STATUS_SUCCESS || fails);
			if (status == STATUS_SUCCESS)
				check_encoding(encoder, &encoding);
		}
		status = terms_unpack(encoder, rest, length, &encoding);
		FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT || fails);
		if (status == STATUS_SUCCESS)
			check_terms(encoder, &encoding);
	}
	encoding_free(&encoding);
}

static bool
wanted(EncoderKind kind)
{
	return kind == ENCODER_TEXT || kind == ENCODER_VECTOR;
}

static void
run_encoder(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	run_stored(caller, data, size, fails, wanted, use);
}

const long	fuzz_runs = 20000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_encoder, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	Encoder    *vectors;

	switch (n)
	{
		case 0:
		case 1:
			FUZZ_CHECK(encoder_write(fuzz_encoder(), writer) == STATUS_SUCCESS);
			if (n == 1)
				write_bytes(writer, "\x01\x02\x00 where is my card", 19);
			return true;
		case 2:
			FUZZ_CHECK(vector_encoder(fuzz_keeper(), 5, &vectors) == STATUS_SUCCESS);
			FUZZ_CHECK(encoder_write(vectors, writer) == STATUS_SUCCESS);
			encoder_free(fuzz_keeper(), vectors);
			return true;
		case 3:
			{
				/* two terms, a word and a piece, that can be seen in a dump */
				const uint64_t hashes[2] = {UINT64_C(0x1111111111111110), UINT64_C(0x2222222222222223)};
				const float ones[4] = {1.0f, 1.0f, 1e-3f, 1e-3f};
				const int16_t mantissas[4] = {32767, 0, 0, 32767};

				write_u32(writer, UINT32_C(0x4E454C48));
				write_u32(writer, 1);
				write_u32(writer, ENCODER_TEXT);
				write_u32(writer, 2);
				write_u32(writer, 2);
				write_u32(writer, 1);
				write_u64s(writer, hashes, 2);
				write_floats(writer, ones, 4);
				write_i16s(writer, mantissas, 4);
				return true;
			}
		default:
			return false;
	}
}
