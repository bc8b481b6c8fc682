/*-------------------------------------------------------------------------
 *
 * test_text.c
 *	  From bytes to n-grams: folding, composition, words and pieces.
 *
 *-------------------------------------------------------------------------
 */
#include "encode_helpers.h"

static bool
same_terms(const char *a, const char *b)
{
	static TermList first;
	static TermList second;

	terms_of(a, strlen(a), &first);
	terms_of(b, strlen(b), &second);
	return first.n == second.n &&
		memcmp(first.hash, second.hash, (size_t) first.n * sizeof(uint64_t)) == 0;
}

static int
count_kind(const char *text, size_t length, int kind)
{
	static TermList list;
	int			count = 0;

	terms_of(text, length, &list);
	for (int i = 0; i < list.n; i++)
		count += term_kind(list.hash[i]) == kind;
	return count;
}

#define WORDS(text) count_kind(text, strlen(text), TERM_WORD)
#define PIECES(text) count_kind(text, strlen(text), TERM_PIECE)

static void
test_folding(void)
{
	CHECK(same_terms("Stra\xc3\x9f" "e", "STRASSE"));
	CHECK(same_terms("\xc4\xb0stanbul", "i\xcc\x87stanbul"));	/* dotted I */
	CHECK(!same_terms("\xc4\xb0stanbul", "istanbul"));
	CHECK(same_terms("\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xce\xb4\xce\xbf\xcf\x82"));	/* final sigma */
	CHECK(same_terms("\xef\xac\x81ne", "fine"));	/* ligature */
	CHECK(same_terms("\xef\xbc\xa3\xef\xbc\xa1\xef\xbc\xb2\xef\xbc\xa4", "card")); /* full width */
	CHECK(same_terms("\xef\xbd\xb6\xef\xbe\x9e", "\xe3\x82\xac"));	/* half-width ga */
	CHECK(same_terms("x\xc2\xb2", "x2"));
	CHECK(same_terms("co\xc2\xad" "operate", "cooperate"));	/* soft hyphen */
	CHECK(same_terms("\xe2\x9d\xa4\xef\xb8\x8f", "\xe2\x9d\xa4"));	/* variation selector */
	CHECK(same_terms("a\xc2\xa0" "b", "a b"));	/* no-break space */
	CHECK(same_terms("\xf3\xa0\x81\x81tag", "tag"));	/* tag characters vanish */
	CHECK(!same_terms("resume", "r\xc3\xa9sum\xc3\xa9"));
}

/* Composed and decomposed text, marks in either order. */
static void
test_composition(void)
{
	CHECK(same_terms("\xc3\xa9t\xc3\xa9", "e\xcc\x81te\xcc\x81"));
	/* Vietnamese e with circumflex and acute, three ways */
	CHECK(same_terms("ti\xe1\xba\xbfng", "tie\xcc\x82\xcc\x81ng"));
	CHECK(same_terms("ti\xe1\xba\xbfng", "ti\xc3\xaa\xcc\x81ng"));
	/* dot below and dot above of s: class 220 before 230, any order */
	CHECK(same_terms("\xe1\xb9\xa9", "s\xcc\xa3\xcc\x87"));
	CHECK(same_terms("\xe1\xb9\xa9", "s\xcc\x87\xcc\xa3"));
	/* same class: the order says something and is kept */
	CHECK(!same_terms("a\xcc\x81\xcc\x88", "a\xcc\x88\xcc\x81"));
	/* any order also where there is no letter they belong to */
	CHECK(same_terms("\xcc\x81\xcc\xa3\xcc\x87 x", "\xcc\xa3\xcc\x81\xcc\x87 x"));
	/* Hangul: syllable, jamo, half a syllable and a final */
	CHECK(same_terms("\xed\x95\x9c", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"));
	CHECK(same_terms("\xed\x95\x9c", "\xed\x95\x98\xe1\x86\xab"));
	/* Bengali vowel sign o from its two parts */
	CHECK(same_terms("\xe0\xa6\x95\xe0\xa7\x8b", "\xe0\xa6\x95\xe0\xa7\x87\xe0\xa6\xbe"));
	/* a singleton: the Kelvin sign and the Angstrom sign */
	CHECK(same_terms("\xe2\x84\xaa" "elvin", "kelvin"));
	CHECK(same_terms("\xe2\x84\xabngstr\xc3\xb6m", "a\xcc\x8angstro\xcc\x88m"));
}

/* As many words (with pairs) and pieces as the description says. */
static void
test_units(void)
{
	CHECK(WORDS("") == 0 && PIECES("") == 0);
	CHECK(WORDS(" \t\n\r  ") == 0 && PIECES(" \t\n\r  ") == 0);
	CHECK(WORDS("a") == 0 && PIECES("a") == 1);	/* " a " */
	CHECK(WORDS("ab") == 1 && PIECES("ab") == 3);	/* " ab", "ab ", " ab " */
	CHECK(WORDS("abc") == 1 && PIECES("abc") == 6);
	CHECK(WORDS("one two three") == 5);
	CHECK(WORDS("one a two") == 3);	/* one, two, "one two" */
	CHECK(WORDS("snake_case") == 1);
	CHECK(WORDS("can't") == 1);
	CHECK(WORDS("\xe6\x88\x91\xe7\x9a\x84\xe5\x8d\xa1") == 5);	/* 3 Han, 2 pairs */
	CHECK(PIECES("\xe6\x88\x91\xe7\x9a\x84\xe5\x8d\xa1") == 6);
	/* katakana is one word, the particle after it another */
	CHECK(WORDS("\xe3\x82\xab\xe3\x83\xbc\xe3\x83\x89\xe3\x81\x8c") == 3);
	/* Thai: a consonant with its vowel sign is one unit, 2 + 1 */
	CHECK(WORDS("\xe0\xb8\x9a\xe0\xb8\xb1\xe0\xb8\x95") == 3);
	CHECK(WORDS("\xd8\xa8\xd8\xb7\xd8\xa7\xd9\x82\xd8\xa9 \xd8\xac\xd8\xaf\xd9\x8a\xd8\xaf\xd8\xa9") == 3);
	CHECK(WORDS("\xed\x95\x9c\xea\xb5\xad \xec\x95\x84\xec\xa7\x81") == 3);
	CHECK(WORDS("\xf0\x9f\x98\x80\xf0\x9f\x98\x80") == 3);	/* two faces, a pair */
	CHECK(same_terms("a  b\n\nc", " a b c "));
}

/* Damaged UTF-8 separates, and what is around it is as if it were a space. */
static void
test_invalid(void)
{
	static const char *const invalid[] = {
		"\xff", "\xc3", "\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98"
	};
	char		text[64];
	TermList	list;

	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
	{
		snprintf(text, sizeof(text), "card%smachine", invalid[i]);
		CHECK(same_terms(text, "card machine"));
		snprintf(text, sizeof(text), "card%s", invalid[i]);
		CHECK(same_terms(text, "card"));
	}
	terms_of("card\0machine", 12, &list);
	CHECK(list.n > 0 && WORDS("card machine") == count_kind("card\0machine", 12, TERM_WORD));

	/* every byte at the end of the text, and cut sequences: no read beyond */
	for (int byte = 0; byte < 256; byte++)
	{
		char	   *exact = malloc(2);

		exact[0] = 'x';
		exact[1] = (char) byte;
		terms_of(exact, 2, &list);
		free(exact);
	}
	CHECK(list.n == 1);
}

/*
 * A single token longer than every buffer: of " text " with n characters
 * n - 2 pieces of 3, n - 3 of 4, n - 4 of 5, and none twice or lost where one
 * buffer ends and the next begins.
 */
static void
test_long_token(void)
{
	char		text[1201];
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Encoder    *encoder = fit_corpus(&caller);
	Encoding	encoding;
	char	   *longer = malloc(100000);

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char) ('a' + i % 26);
	for (size_t length = 3; length < sizeof(text); length += 1 + length / 16)
		CHECK(count_kind(text, length, TERM_PIECE) == (int) (3 * (length + 2) - 9));
	for (size_t length = 500; length < 520; length++)
		CHECK(count_kind(text, length, TERM_PIECE) == (int) (3 * (length + 2) - 9));
	CHECK(count_kind(text, 1200, TERM_WORD) == 1);

	memset(longer, 'x', 100000);
	REQUIRE(encoding_init(&caller, encoder, &encoding) == STATUS_SUCCESS);
	CHECK(encode_text(encoder, longer, 100000, &encoding) == STATUS_SUCCESS);
	CHECK(encoding.terms == 0);
	encoding_free(&encoding);
	encoder_free(&caller, encoder);
	free(longer);
	CHECK(memory.blocks == 0);
}

int
main(void)
{
	matrix = matrix_blas_ops();
	test_folding();
	test_composition();
	test_units();
	test_invalid();
	test_long_token();
	return unit_end();
}
