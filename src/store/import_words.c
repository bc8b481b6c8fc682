/*-------------------------------------------------------------------------
 *
 * import_words.c
 *	  From a file of word vectors (GloVe, word2vec, fastText) to an encoder.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "encode/word_vectors.h"
#include "encode/words.h"
#include "humanloop.h"
#include "store/caller.h"
#include "store/import_internal.h"

/* Words are in the file by how common they are: few rows have any of the rest. */
#define USUAL_WORDS 400000

/* More than the room takes is refused by it, too. */
#define MOST_WORDS (1 << 24)

static const char *const faults[] = {
	[WORD_VECTORS_FINE] = "it is fine",
	[WORD_VECTORS_EMPTY] = "there is no word in it that could be used",
	[WORD_VECTORS_PACKED] = "it is compressed, and must be unpacked first",
	[WORD_VECTORS_MODEL] = "it is a model of fastText, not its vectors, which end in .vec",
	[WORD_VECTORS_HEADER] = "the first line is not the number of words and that of dimensions",
	[WORD_VECTORS_DIMS] = "its vectors have no numbers, or too many",
	[WORD_VECTORS_FIELDS] = "there are fewer or more numbers than in the lines before",
	[WORD_VECTORS_NUMBER] = "there is something that is no number",
	[WORD_VECTORS_NOT_FINITE] = "there is a number that is infinite, or none",
	[WORD_VECTORS_LONG] = "a line or word does not end",
	[WORD_VECTORS_CUT] = "the file ends within a word or its vector",
	[WORD_VECTORS_COUNT] = "it has fewer or more words than its first line says",
	[WORD_VECTORS_MEMORY] = "there is no memory for so many words"
};

static WordVectorsFormat
format_of(const ImportOptions *options)
{
	if (options->format == NULL)
		return WORD_VECTORS_ANY;
	return strcmp(options->format, "glove") == 0 ? WORD_VECTORS_GLOVE :
		strcmp(options->format, "text") == 0 ? WORD_VECTORS_TEXT : WORD_VECTORS_BINARY;
}

/* A status of the room as an error, which says where in the file. */
static void
check(const WordVectors *vectors, const char *file, Status status)
{
	const WordVectorsReport *report = word_vectors_report(vectors);

	if (report->fault == WORD_VECTORS_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("not enough memory to import \"%s\": %zu kB are needed, humanloop.work_mem is %d kB",
						file, report->needed / 1024 + 1, setting_work_mem),
				 errhint("Raise humanloop.work_mem, or keep fewer words: option \"max_words\", at most %d.",
						 report->fitting)));
	if (report->fault != WORD_VECTORS_FINE)
		import_bad_file(file, report->at == 0 ? faults[report->fault] :
						psprintf("%s " UINT64_FORMAT ": %s",
								 report->format == WORD_VECTORS_BINARY ? "word" : "line",
								 (uint64) report->at, faults[report->fault]));
	status_check(status, "import word vectors");
}

/* What a piece of the file is handed to. */
typedef struct WordsImport
{
	WordVectors *vectors;
	const char *file;
} WordsImport;

static void
add_piece(const unsigned char *bytes, size_t length, void *state)
{
	WordsImport *import = state;

	check(import->vectors, import->file, word_vectors_add(import->vectors, bytes, length));
}

Encoder *
import_words(EncoderFiles *files, const ImportOptions *options, const Caller *caller)
{
	WordVectorsOptions settings = {
		.format = format_of(options),
		.max_words = options->max_words == 0 ? USUAL_WORDS : Min(options->max_words, MOST_WORDS),
		.memory = (size_t) setting_work_mem * 1024
	};
	WordsImport import = {.file = encoder_files_name(files, 0)};
	const WordVectorsReport *report;
	Encoder    *encoder;

	if (encoder_files_count(files) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("word vectors are imported from one file, not from %d",
						encoder_files_count(files)),
				 errhint("Give the path of the file itself.")));
	status_check(word_vectors_start(caller, &settings, &import.vectors), "import word vectors");
	encoder_files_feed(files, 0, add_piece, &import);
	check(import.vectors, import.file, word_vectors_finish(import.vectors, &encoder));
	report = word_vectors_report(import.vectors);
	ereport(NOTICE,
			(errmsg("%d words of " UINT64_FORMAT " are kept", encoder_words(encoder),
					(uint64) report->words),
			 errdetail("Beyond option \"max_words\": " UINT64_FORMAT "; there twice: " UINT64_FORMAT "; not to be used as words: " UINT64_FORMAT ".",
					   (uint64) report->beyond, (uint64) report->duplicates,
					   (uint64) report->unusable)));
	word_vectors_free(import.vectors);
	return encoder;
}
