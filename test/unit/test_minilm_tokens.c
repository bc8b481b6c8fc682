/*-------------------------------------------------------------------------
 *
 * test_minilm_tokens.c
 *	  The tokens of a real encoder, all-MiniLM-L6-v2, are those that its
 *	  makers' library finds.
 *
 * HUMANLOOP_MINILM: directory with its tokenizer.json (test/tools/minilm
 * fetches it).  HUMANLOOP_DATA/../reference/minilm-golden.json: texts with
 * their tokens.  Where one of them is missing it skips.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/encode/wordpiece.h"

#define ROOM 256
#define FIRST 101				/* [CLS] */
#define LAST 102				/* [SEP] */
#define UNKNOWN 100				/* [UNK] */
#define WORDS 30522

/* A whole file with a zero behind it; NULL: it cannot be read. */
static char *
read_text(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	char	   *text = NULL;
	size_t		length = 0;
	size_t		added = 1;

	while (file != NULL && added > 0)
	{
		text = realloc(text, length + 65536 + 1);
		added = fread(text + length, 1, 65536, file);
		length += added;
		text[length] = '\0';
	}
	if (file != NULL)
		fclose(file);
	return text;
}

static char *
put_utf8(char *to, unsigned long c)
{
	if (c < 0x80)
		*to++ = (char) c;
	else if (c < 0x800)
	{
		*to++ = (char) (0xc0 | c >> 6);
		*to++ = (char) (0x80 | (c & 0x3f));
	}
	else if (c < 0x10000)
	{
		*to++ = (char) (0xe0 | c >> 12);
		*to++ = (char) (0x80 | (c >> 6 & 0x3f));
		*to++ = (char) (0x80 | (c & 0x3f));
	}
	else
	{
		*to++ = (char) (0xf0 | c >> 18);
		*to++ = (char) (0x80 | (c >> 12 & 0x3f));
		*to++ = (char) (0x80 | (c >> 6 & 0x3f));
		*to++ = (char) (0x80 | (c & 0x3f));
	}
	return to;
}

static unsigned long
hex4(const char *at)
{
	char		digits[5] = {at[0], at[1], at[2], at[3], '\0'};

	return strtoul(digits, NULL, 16);
}

/* A JSON string in its place, from behind its first quote; returns what is behind the last. */
static char *
unescape(char *at, char **end)
{
	char	   *to = at;

	for (; *at != '"' && *at != '\0'; at++)
	{
		unsigned long c;

		if (*at != '\\')
		{
			*to++ = *at;
			continue;
		}
		at++;
		if (*at != 'u')
		{
			*to++ = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at;
			continue;
		}
		c = hex4(at + 1);
		at += 4;
		if (c >= 0xd800 && c < 0xdc00)
		{
			c = 0x10000 + ((c - 0xd800) << 10) + (hex4(at + 3) - 0xdc00);
			at += 6;
		}
		to = put_utf8(to, c);
	}
	*end = to;
	return at + 1;
}

/* Entries "piece": number of tokenizer.json, up to the first brace behind them. */
static WordPiece *
read_vocabulary(const Caller *caller, char *json)
{
	PieceEntry *entries = calloc(WORDS + 1, sizeof(PieceEntry));
	WordPieceOptions options = {
		.lower_case = true, .strip_accents = true, .split_cjk = true,
		.prefix = "##", .prefix_length = 2, .unknown = UNKNOWN, .max_word = 100
	};
	WordPiece  *wordpiece;
	TokenizerFault fault;
	size_t		place;
	size_t		n = 0;
	char	   *at = strstr(json, "\"vocab\":{");

	REQUIRE(at != NULL);
	at += strlen("\"vocab\":{");
	while (*at == '"')
	{
		char	   *piece = at + 1;
		char	   *end;

		at = unescape(piece, &end);
		REQUIRE(*at == ':' && n < WORDS);
		entries[n++] = (PieceEntry)
		{
			piece, (size_t) (end - piece), (uint32_t) strtoul(at + 1, &at, 10)
		};
		if (*at == ',')
			at++;
	}
	CHECK(n == WORDS && *at == '}');
	REQUIRE(wordpiece_make(caller, &options, entries, n, &wordpiece, &fault, &place) == STATUS_SUCCESS);
	free(entries);
	return wordpiece;
}

/* Each "text" with the "ids" behind it, which have the first and the last token. */
static int
compare_all(const Caller *caller, const WordPiece *wordpiece, char *golden)
{
	int			texts = 0;

	for (char *at = golden; (at = strstr(at, "\"text\": \"")) != NULL; texts++)
	{
		char	   *text = at + strlen("\"text\": \"");
		char	   *end;
		uint32_t	ids[ROOM];
		int			count;
		int			i = 0;

		at = unescape(text, &end);
		REQUIRE(wordpiece_encode(wordpiece, caller, text, (size_t) (end - text), ids, ROOM - 2, &count) == STATUS_SUCCESS);
		at = strstr(at, "\"ids\": [");
		REQUIRE(at != NULL);
		at += strlen("\"ids\": [") - 1;
		for (; *at != ']'; i++)
		{
			uint32_t	expected = (uint32_t) strtoul(at + 1, &at, 10);

			CHECK(expected == (i == 0 ? FIRST : i <= count ? ids[i - 1] : LAST));
		}
		CHECK(i == count + 2);
	}
	return texts;
}

int
main(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	const char *directory = getenv("HUMANLOOP_MINILM");
	const char *data = getenv("HUMANLOOP_DATA");
	char		path[4096];
	char	   *json;
	char	   *golden;
	WordPiece  *wordpiece;

	snprintf(path, sizeof(path), "%s/tokenizer.json", directory == NULL ? "build/minilm" : directory);
	json = read_text(path);
	snprintf(path, sizeof(path), "%s/../reference/minilm-golden.json", data == NULL ? "../shared/data" : data);
	golden = read_text(path);
	if (json == NULL || golden == NULL)
	{
		printf("1..0 # SKIP there is no tokenizer.json of MiniLM, or no minilm-golden.json\n");
		free(json);
		free(golden);
		return 0;
	}
	wordpiece = read_vocabulary(&caller, json);
	CHECK(compare_all(&caller, wordpiece, golden) == 11);
	wordpiece_free(&caller, wordpiece);
	CHECK(memory.blocks == 0);
	free(json);
	free(golden);
	return unit_end();
}
