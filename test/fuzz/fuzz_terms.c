/*-------------------------------------------------------------------------
 *
 * fuzz_terms.c
 *	  Any bytes as the packed terms of a row.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_encode.h"

static void
run_terms(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	const Encoder *encoder = fuzz_encoder();
	Encoding	encoding;
	Encoding	again;
	Status		status;

	if (encoding_init(caller, encoder, &encoding) != STATUS_SUCCESS)
	{
		FUZZ_CHECK(fails);
		return;
	}
	status = terms_unpack(encoder, data, size, &encoding);
	FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_CORRUPT ||
			   (fails && status == STATUS_NO_MEMORY));
	if (status == STATUS_SUCCESS && encoding_init(caller, encoder, &again) == STATUS_SUCCESS)
	{
		unsigned char *packed = malloc(terms_bound(&encoding) + 1);
		size_t		length = terms_pack(&encoding, packed);

		check_terms(encoder, &encoding);
		FUZZ_CHECK(length <= terms_bound(&encoding) && length <= size);
		status = terms_unpack(encoder, packed, length, &again);
		FUZZ_CHECK(status == STATUS_SUCCESS || fails);
		if (status == STATUS_SUCCESS)
			FUZZ_CHECK(same_terms(&encoding, &again));
		free(packed);
		encoding_free(&again);
	}
	encoding_free(&encoding);
}

const long	fuzz_runs = 20000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_terms, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	Encoding	encoding;
	unsigned char packed[8192];

	if (n >= CORPUS_ROWS)
		return false;
	FUZZ_CHECK(encoding_init(fuzz_keeper(), fuzz_encoder(), &encoding) == STATUS_SUCCESS);
	FUZZ_CHECK(encode_text(fuzz_encoder(), corpus[n], strlen(corpus[n]), &encoding) == STATUS_SUCCESS);
	FUZZ_CHECK(terms_bound(&encoding) <= sizeof(packed));
	write_bytes(writer, packed, terms_pack(&encoding, packed));
	encoding_free(&encoding);
	return true;
}
