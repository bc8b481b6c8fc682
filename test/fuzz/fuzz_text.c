/*-------------------------------------------------------------------------
 *
 * fuzz_text.c
 *	  Any bytes as a text: folding, n-grams, encoding, packing.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_encode.h"

#include "../../src/encode/unicode.h"

typedef struct Folded
{
	size_t		n;
	FoldedChar *character;
} Folded;

/* All of a text, folded with so much room a call. */
static Folded
fold_all(const char *text, size_t length, size_t room)
{
	/* the longest mapping has 18 code points */
	Folded		folded = {0, malloc((18 * length + 2048) * sizeof(FoldedChar))};
	FoldedChar *out = malloc(room * sizeof(FoldedChar));
	Folder		folder;

	folder_init(&folder, text, length);
	while (!folder_ended(&folder))
	{
		size_t		count = fold_text(&folder, out, room);

		FUZZ_CHECK(count <= room && folded.n + count <= 18 * length + 2048);
		memcpy(folded.character + folded.n, out, count * sizeof(FoldedChar));
		folded.n += count;
	}
	free(out);
	return folded;
}

static bool
same_folded(const Folded *a, const Folded *b)
{
	return a->n == b->n &&
		memcmp(a->character, b->character, a->n * sizeof(FoldedChar)) == 0;
}

/* The longest run of marks: beyond a segment they are composed in pieces. */
static size_t
longest_marks(const Folded *folded)
{
	size_t		longest = 0;
	size_t		run = 0;

	for (size_t i = 0; i < folded->n; i++)
	{
		run = folded_class(folded->character[i]) == CLASS_MARK ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static size_t
put_utf8(char *to, uint32_t c)
{
	if (c < 0x80)
	{
		to[0] = (char) c;
		return 1;
	}
	if (c < 0x800)
	{
		to[0] = (char) (0xC0 | c >> 6);
		to[1] = (char) (0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000)
	{
		to[0] = (char) (0xE0 | c >> 12);
		to[1] = (char) (0x80 | (c >> 6 & 0x3F));
		to[2] = (char) (0x80 | (c & 0x3F));
		return 3;
	}
	to[0] = (char) (0xF0 | c >> 18);
	to[1] = (char) (0x80 | (c >> 12 & 0x3F));
	to[2] = (char) (0x80 | (c >> 6 & 0x3F));
	to[3] = (char) (0x80 | (c & 0x3F));
	return 4;
}

/*
 * Folding does not depend on how much is folded at once, gives characters
 * that there are, and changes nothing in what is folded already.
 */
static void
check_folding(const char *text, size_t length)
{
	Folded		folded = fold_all(text, length, 1024);
	Folded		piecewise = fold_all(text, length, FOLD_MIN_ROOM);
	char	   *again = malloc(4 * folded.n + 1);
	size_t		bytes = 0;

	FUZZ_CHECK(same_folded(&folded, &piecewise));
	for (size_t i = 0; i < folded.n; i++)
	{
		uint32_t	c = folded_code_point(folded.character[i]);

		FUZZ_CHECK(c < 0x110000 && !(c >= 0xD800 && c < 0xE000));
		FUZZ_CHECK(folded_class(folded.character[i]) <= CLASS_UNSPACED);
		bytes += put_utf8(again + bytes, c);
	}
	if (longest_marks(&folded) < FOLD_SEGMENT / 4)
	{
		Folded		twice = fold_all(again, bytes, 1024);

		FUZZ_CHECK(same_folded(&folded, &twice));
		free(twice.character);
	}
	free(again);
	free(folded.character);
	free(piecewise.character);
}

/* A row's packed terms say the same as the row. */
static void
check_packing(const Caller *caller, const Encoder *encoder, const Encoding *encoding)
{
	unsigned char *bytes = malloc(terms_bound(encoding) + 1);
	size_t		length = terms_pack(encoding, bytes);
	Encoding	unpacked;

	FUZZ_CHECK(length <= terms_bound(encoding));
	if (encoding_init(caller, encoder, &unpacked) == STATUS_SUCCESS)
	{
		Status		status = terms_unpack(encoder, bytes, length, &unpacked);

		FUZZ_CHECK(status == STATUS_SUCCESS || status == STATUS_NO_MEMORY);
		if (status == STATUS_SUCCESS)
			FUZZ_CHECK(same_terms(encoding, &unpacked));
		encoding_free(&unpacked);
	}
	free(bytes);
}

static void
run_text(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	const Encoder *encoder = fuzz_encoder();
	Encoding	encoding;
	Encoding	other;
	Status		status = STATUS_SUCCESS;

	if (!fails)
		check_folding((const char *) data, size);
	if (encoding_init(caller, encoder, &encoding) != STATUS_SUCCESS)
	{
		FUZZ_CHECK(fails);
		return;
	}
	status = encode_text(encoder, (const char *) data, size, &encoding);
	FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
	if (status == STATUS_SUCCESS)
	{
		check_encoding(encoder, &encoding);
		check_packing(caller, encoder, &encoding);
	}
	if (!fails)
	{
		/* the same after another text */
		FUZZ_CHECK(encoding_init(caller, encoder, &other) == STATUS_SUCCESS);
		FUZZ_CHECK(encode_text(encoder, corpus[size % CORPUS_ROWS], strlen(corpus[size % CORPUS_ROWS]),
							   &other) == STATUS_SUCCESS);
		FUZZ_CHECK(encode_text(encoder, (const char *) data, size, &other) == STATUS_SUCCESS);
		FUZZ_CHECK(same_terms(&encoding, &other));
		FUZZ_CHECK(memcmp(encoding.dense, other.dense,
						  sizeof(float) * (size_t) encoder_dims(encoder)) == 0);
		encoding_free(&other);
	}
	encoding_free(&encoding);
}

const long	fuzz_runs = 20000;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_text, data, size);
}

/* What is easily got wrong, each a text; chance makes others of them. */
static const char *const texts[] = {
	"", " ", "a", "ab", "abc", "\xff\xfe", "\xc0\x80", "\xc3", "\xed\xa0\x80\xed\xb0\x80",
	"\xf4\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xef\xbf\xbe\xef\xbb\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
	"\xcd\xb8\xcd\xb9\xf3\xbf\xbf\xbf",	/* unassigned */
	"\xe2\x80\xae" "abc \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\xe2\x80\xac",	/* right to left */
	"e\xcc\x81\xcc\xa3 \xe1\xba\xb9\xcc\x81 q\xcc\x87\xcc\xa3",	/* marks in any order */
	"\xef\xb7\xba",				/* 18 code points */
	"\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8 \xea\xb0\x80\xe1\x86\xa8 \xea\xb0\x81",	/* Hangul */
	"\xe0\xa7\x87\xe0\xa6\xbe \xe0\xa7\x8b \xe0\xad\x87\xe0\xad\x97",	/* vowel signs that merge */
	"\xf0\x91\x84\xb1\xf0\x91\x84\xa7 \xf0\x91\x96\xb8\xf0\x91\x96\xaf",	/* beyond 16 bits */
	"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa6 \xf0\x9f\x87\xa9\xf0\x9f\x87\xaa",
	"\xef\xbd\xb6\xef\xbe\x9e \xe3\x82\xab\xe3\x82\x99 \xe3\x82\xac",	/* half width */
	"\xef\xac\x83 \xe2\x84\xab \xc4\xb0 \xc4\xb1 \xc5\xbf \xe1\xba\x9e \xcf\x82 \xce\x90"
};

bool
fuzz_seed(int n, Writer *writer)
{
	int			known = (int) (sizeof(texts) / sizeof(texts[0]));

	if (n < known)
		write_bytes(writer, texts[n], strlen(texts[n]));
	else if (n < known + CORPUS_ROWS)
		write_bytes(writer, corpus[n - known], strlen(corpus[n - known]));
	else if (n == known + CORPUS_ROWS)
		for (int i = 0; i < 3000; i++)
			write_bytes(writer, "x", 1);	/* without a space */
	else if (n == known + CORPUS_ROWS + 1)
		for (int i = 0; i < 200; i++)
			write_bytes(writer, i % 2 ? "\xcc\x81" : "\xcc\xa3", 2);	/* marks alone */
	else
		return false;
	return true;
}
