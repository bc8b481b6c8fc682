/*-------------------------------------------------------------------------
 *
 * encoder_functions.c
 *	  Encoders that are imported, and which one a project uses.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "sql/api.h"
#include "store/caller.h"
#include "store/change.h"
#include "store/encoder_plan.h"
#include "store/import.h"
#include "store/named_encoder.h"
#include "store/parts.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_import_encoder);
PG_FUNCTION_INFO_V1(hl_drop_encoder);
PG_FUNCTION_INFO_V1(hl_share_encoder);
PG_FUNCTION_INFO_V1(hl_may_use_encoder);
PG_FUNCTION_INFO_V1(hl_set_encoder);

/* The kinds that there are, and the options that each has. */
typedef struct ImportKind
{
	const char *name;
	Encoder    *(*import) (EncoderFiles *files, const ImportOptions *options, const Caller *caller);
	const char *options[2];
} ImportKind;

static const ImportKind kinds[] = {
	{"transformer", import_transformer, {"pooling", "max_tokens"}},
	{"word_vectors", import_words, {"format", "max_words"}}
};

/* ---------------------------------------------------------------------- */
/* Importing */

static void
bad_option(const char *name, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\"", name),
			 errhint("%s", hint)));
}

static const ImportKind *
find_kind(const char *name)
{
	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized kind of encoder \"%s\"", name),
			 errhint("Kinds are \"transformer\" and \"word_vectors\".")));
	return NULL;
}

/* A whole number from least on. */
static int
number_option(const char *name, const JsonbValue *value, int least)
{
	double		number = -1.0;

	if (value->type == jbvNumeric)
		number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
													NumericGetDatum(value->val.numeric)));
	if (!(number >= least && number <= PG_INT32_MAX) || number != (int) number)
		bad_option(name, psprintf("Give a whole number from %d on.", least));
	return (int) number;
}

/* One of some words. */
static const char *
word_option(const char *name, const JsonbValue *value, const char *const *words, int n,
			const char *hint)
{
	for (int i = 0; i < n && value->type == jbvString; i++)
	{
		if ((int) strlen(words[i]) == value->val.string.len &&
			strncmp(words[i], value->val.string.val, value->val.string.len) == 0)
			return words[i];
	}
	bad_option(name, hint);
	return NULL;
}

static void
read_option(const ImportKind *kind, const char *name, const JsonbValue *value,
			ImportOptions *options)
{
	static const char *const poolings[] = {"mean", "cls"};
	static const char *const formats[] = {"glove", "text", "binary"};

	if (strcmp(name, kind->options[0]) != 0 && strcmp(name, kind->options[1]) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized option \"%s\" of an encoder", name),
				 errhint("Options of kind \"%s\" are \"%s\" and \"%s\".", kind->name,
						 kind->options[0], kind->options[1])));
	if (strcmp(name, "pooling") == 0)
		options->pooling = word_option(name, value, poolings, 2, "Give \"mean\" or \"cls\".");
	else if (strcmp(name, "max_tokens") == 0)
		options->max_tokens = number_option(name, value, 3);
	else if (strcmp(name, "format") == 0)
		options->format = word_option(name, value, formats, 3,
									  "Give \"glove\", \"text\" (word2vec, fastText) or \"binary\" (word2vec).");
	else
		options->max_words = number_option(name, value, 1);
}

static void
read_options(const ImportKind *kind, Jsonb *json, ImportOptions *options)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options of an encoder must be a JSON object")));
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE && value.type != jbvNull)
			read_option(kind, name, &value, options);
	}
}

/* Is the name free?  Before minutes are spent; it is looked at again when stored. */
static void
need_free_name(const char *name)
{
	NamedEncoder there;

	encoder_name_check(name);
	if (named_encoder_read(name, true, &there))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("encoder \"%s\" already exists", name),
				 errhint("Choose another name, or drop it with hl_drop_encoder().")));
}

Datum
hl_import_encoder(PG_FUNCTION_ARGS)
{
	TimestampTz started = GetCurrentTimestamp();
	ImportOptions options = {0};
	EncoderFiles *files;
	const char *name;
	const ImportKind *kind;
	Encoder    *encoder;
	Caller		caller;
	Writer		writer;
	Datum		values[5];
	bool		nulls[5] = {false};
	Datum		row;
	Call		call;

	call_begin(&call);
	project_prevent_if_read_only("importing an encoder");
	name = required_text(fcinfo, 0, "name");
	kind = find_kind(required_text(fcinfo, 1, "kind"));
	if (!PG_ARGISNULL(5))
		read_options(kind, PG_GETARG_JSONB_P(5), &options);
	need_free_name(name);
	files = encoder_files_open(optional_text(fcinfo, 2),
							   PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3),
							   PG_ARGISNULL(4) ? InvalidOid : PG_GETARG_OID(4));
	blas_load();
	caller = caller_in(CurrentMemoryContext);
	encoder = kind->import(files, &options, &caller);
	writer_init(&writer, &caller);
	status_check(encoder_write(encoder, &writer), "store the encoder");
	(void) named_encoder_store(name, kind->name, encoder, &writer);
	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(kind->name);
	values[2] = Int32GetDatum(encoder_dims(encoder));
	values[3] = Int64GetDatum((int64) (PARTS_HEAD_BYTES + writer.length));
	values[4] = Float8GetDatum((GetCurrentTimestamp() - started) / 1e6);
	encoder_free(&caller, encoder);
	row = call_row(&call, fcinfo, values, nulls);
	call_end(&call);
	PG_RETURN_DATUM(row);
}

/* ---------------------------------------------------------------------- */
/* What becomes of them */

Datum
hl_drop_encoder(PG_FUNCTION_ARGS)
{
	NamedEncoder encoder;
	Call		call;

	call_begin(&call);
	project_prevent_if_read_only("dropping an encoder");
	named_encoder_own(required_text(fcinfo, 0, "encoder"), &encoder);
	named_encoder_drop(&encoder);
	call_end(&call);
	PG_RETURN_VOID();
}

Datum
hl_share_encoder(PG_FUNCTION_ARGS)
{
	NamedEncoder encoder;
	Call		call;

	call_begin(&call);
	project_prevent_if_read_only("sharing an encoder");
	named_encoder_own(required_text(fcinfo, 0, "encoder"), &encoder);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"shared\" must not be NULL")));
	named_encoder_share(&encoder, PG_GETARG_BOOL(1));
	call_end(&call);
	PG_RETURN_VOID();
}

/* For the view: the caller's rights, on a row that it has. */
Datum
hl_may_use_encoder(PG_FUNCTION_ARGS)
{
	NamedEncoder encoder = {.shared = PG_GETARG_BOOL(0)};

	encoder.owner = PG_ARGISNULL(1) ? InvalidOid :
		stored_role((const StoredRole *) PG_GETARG_POINTER(1));
	PG_RETURN_BOOL(named_encoder_usable(&encoder, GetUserId()));
}

/*
 * The rows are encoded, and a model is trained, in the background; until then
 * the one that serves goes on with its own encoder.
 */
Datum
hl_set_encoder(PG_FUNCTION_ARGS)
{
	static Statement update = {
		"UPDATE @hl_project SET encoder = $2 WHERE id = $1", 2, {INT4OID, TEXTOID}, NULL, 0
	};
	Project    *project;
	char	   *nothing = NULL;
	Datum		values[2];
	Call		call;

	call_begin(&call);
	project = project_open_for_write(required_text(fcinfo, 0, "project"), PRIVILEGE_MANAGE);
	project->encoder = required_text(fcinfo, 1, "encoder");
	project_need_source(project);
	encoder_plan_check(project, project->encoder);
	values[0] = Int32GetDatum(project->id);
	values[1] = CStringGetTextDatum(project->encoder);
	/* a training chooses an encoder under this, and the worker never waits for a row of ours */
	project_lock(project);
	project_lock_names(project->id);
	statement_run_as_extension(&update, values, NULL, false);
	encoder_choose_anew(project);
	/* no label has changed, but it is time to look what there is to learn */
	change_note(project->id, CHANGE_LABELS, &nothing, 0);
	call_end(&call);
	PG_RETURN_VOID();
}
