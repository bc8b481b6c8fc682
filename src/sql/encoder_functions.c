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
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "sql/api.h"
#include "store/caller.h"
#include "store/change.h"
#include "store/encoder_plan.h"
#include "store/import.h"
#include "store/named_encoder.h"
#include "store/session.h"

PG_FUNCTION_INFO_V1(hl_import_encoder);
PG_FUNCTION_INFO_V1(hl_drop_encoder);
PG_FUNCTION_INFO_V1(hl_share_encoder);
PG_FUNCTION_INFO_V1(hl_may_use_encoder);
PG_FUNCTION_INFO_V1(hl_set_encoder);

#define TRANSFORMER "transformer"

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

static void
read_option(const char *name, const JsonbValue *value, ImportOptions *options)
{
	if (strcmp(name, "pooling") == 0)
	{
		options->pooling = value->type != jbvString ? "" :
			pnstrdup(value->val.string.val, value->val.string.len);
		if (strcmp(options->pooling, "mean") != 0 && strcmp(options->pooling, "cls") != 0)
			bad_option(name, "Give \"mean\" or \"cls\".");
	}
	else if (strcmp(name, "max_tokens") == 0)
	{
		if (value->type != jbvNumeric)
			bad_option(name, "Give a whole number from 3 on.");
		options->max_tokens = DatumGetInt32(DirectFunctionCall1(numeric_int4,
																NumericGetDatum(value->val.numeric)));
		if (options->max_tokens < 3)
			bad_option(name, "Give a whole number from 3 on.");
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized option \"%s\" of an encoder", name),
				 errhint("Options are \"pooling\" and \"max_tokens\".")));
}

static void
read_options(Jsonb *json, ImportOptions *options)
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
			read_option(name, &value, options);
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
				 errmsg("encoder \"%s\" already exists", name)));
}

Datum
hl_import_encoder(PG_FUNCTION_ARGS)
{
	TimestampTz started = GetCurrentTimestamp();
	ImportOptions options = {0};
	EncoderFiles *files;
	const char *name;
	const char *kind;
	Encoder    *encoder;
	Caller		caller;
	Writer		writer;
	Datum		values[5];
	bool		nulls[5] = {false};
	Datum		row;
	Call		call;

	call_begin(&call);
	project_prevent_if_read_only("hl_import_encoder()");
	name = required_text(fcinfo, 0, "name");
	kind = required_text(fcinfo, 1, "kind");
	if (!PG_ARGISNULL(5))
		read_options(PG_GETARG_JSONB_P(5), &options);
	need_free_name(name);
	if (strcmp(kind, TRANSFORMER) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized kind of encoder \"%s\"", kind),
				 errhint("Kinds are \"transformer\".")));
	files = encoder_files_open(optional_text(fcinfo, 2),
							   PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3),
							   PG_ARGISNULL(4) ? InvalidOid : PG_GETARG_OID(4));
	blas_load();
	caller = caller_in(CurrentMemoryContext);
	encoder = import_transformer(files, &options, &caller);
	writer_init(&writer, &caller);
	status_check(encoder_write(encoder, &writer), "store the encoder");
	(void) named_encoder_store(name, kind, encoder, &writer);
	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(kind);
	values[2] = Int32GetDatum(encoder_dims(encoder));
	values[3] = Int64GetDatum((int64) writer.length);
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
	project_prevent_if_read_only("hl_drop_encoder()");
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
	project_prevent_if_read_only("hl_share_encoder()");
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
	project_lock_names(project->id);
	statement_run_as_extension(&update, values, NULL, false);
	encoder_choose(project, NULL);
	/* no label has changed, but it is time to look what there is to learn */
	change_note(project->id, CHANGE_LABELS, &nothing, 0);
	call_end(&call);
	PG_RETURN_VOID();
}
