/*-------------------------------------------------------------------------
 *
 * cache.c
 *	  Encoders and models that this session has loaded.
 *
 * Entries are keyed by ids that are given out once and never again, not even
 * after a rollback, and what they name never changes: so nothing has to be
 * invalidated, on a standby as little as under REPEATABLE READ.  Which entry
 * a statement uses, it reads from hl_serving under its own snapshot.
 *
 * A revision of a model is an entry of its own, made from the model as it was
 * trained, from which it borrows most, and the small differences since.
 *
 * Entries in use are pinned by a memory context of their user; the rest is
 * dropped, least recently used first, when humanloop.cache_size is exceeded.
 * What an encoder shares with other sessions (shared_encoder.c) does not count.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/ilist.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "learn/delta.h"
#include "store/cache.h"
#include "store/caller.h"
#include "store/classes.h"
#include "store/drift.h"
#include "store/handover.h"
#include "store/parts.h"
#include "store/session.h"
#include "store/shared_encoder.h"

/*
 * names: what the model's classes are called now; target, threshold: for which error
 * rate, and from which confidence on, it answers alone
 */
#define SELECT_SERVING(names, target, threshold) \
	"SELECT v.model, v.revision, m.id, m.encoder_id, m.classes, " names ", " target ", " threshold " " \
	"FROM @hl_serving v JOIN @hl_model m ON m.project_id = v.project_id AND m.model = v.model " \
	"WHERE v.project_id = $1"

typedef enum EntryKind
{
	ENTRY_ENCODER,
	ENTRY_MODEL,
	ENTRY_HELD_OUT				/* its id is that of the model that it goes with */
} EntryKind;

typedef struct CacheEntry
{
	dlist_node	node;			/* most recently used first */
	EntryKind	kind;
	Oid			extension;		/* ids start anew when it is created again */
	int64		id;
	int			pins;
	MemoryContext context;		/* everything below, and this */
	Encoder    *encoder;
	Model	   *model;
	HeldOut		held_out;
	int32		revision;		/* of a model */
	struct CacheEntry *base;	/* of a revision: pinned, it borrows from it */
	char	  **classes;		/* the base's */
	int			nclasses;
} CacheEntry;

static dlist_head entries = DLIST_STATIC_INIT(entries);

static CacheEntry *
find_entry(EntryKind kind, int64 id, int32 revision)
{
	Oid			extension = extension_oid();
	dlist_iter	iter;

	dlist_foreach(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->kind == kind && entry->id == id && entry->revision == revision &&
			entry->extension == extension)
		{
			dlist_move_head(&entries, &entry->node);
			return entry;
		}
	}
	return NULL;
}

static void
drop_entry(CacheEntry *entry)
{
	if (entry->base != NULL)
		entry->base->pins--;
	dlist_delete(&entry->node);
	MemoryContextDelete(entry->context);
}

/*
 * Other revisions of the model that nobody uses: new ones come with every
 * answer, and nearly nobody goes back.
 */
static void
drop_revisions(const CacheEntry *now)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->base == now->base && entry != now && entry->pins == 0)
			drop_entry(entry);
	}
}

/* Drops what nobody uses, oldest first, until the rest fits. */
static void
trim(void)
{
	dlist_mutable_iter iter;
	Size		total = 0;

	dlist_foreach_modify(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		total += MemoryContextMemAllocated(entry->context, true);
		if (total / 1024 > (Size) setting_cache_size && entry->pins == 0)
			drop_entry(entry);
	}
}

static void
unpin(void *argument)
{
	((CacheEntry *) argument)->pins--;
}

static void
pin(CacheEntry *entry, MemoryContext context)
{
	at_context_end(context, unpin, entry);
	entry->pins++;
}

/* An encoder that another refers to, which itself refers to nothing. */
static const Encoder *
open_reference(int64 encoder_id, bool read_only, MemoryContext context)
{
	static int	depth = 0;
	const Encoder *encoder = NULL;

	if (depth > 0)
		status_check(STATUS_CORRUPT, "read the encoder");
	depth++;
	PG_TRY();
	{
		encoder = encoder_open(encoder_id, read_only, context);
	}
	PG_FINALLY();
	{
		depth--;
	}
	PG_END_TRY();
	return encoder;
}

/* What parts of an encoder refer to is pinned as long as it is there itself. */
static void
open_references(const Caller *caller, Encoder *encoder, bool read_only, MemoryContext context)
{
	for (int i = 0; i < encoder_parts(encoder); i++)
	{
		EncoderPart part;

		encoder_part(encoder, i, &part);
		if (part.reference != 0)
			status_check(encoder_refer(caller, encoder, i,
									   open_reference((int64) part.reference, read_only, context)),
						 "read the encoder");
	}
}

/* In a context of the current one, so that an error leaves nothing behind. */
static CacheEntry *
new_entry(EntryKind kind, int64 id, Caller **caller)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop model",
												  ALLOCSET_DEFAULT_SIZES);
	CacheEntry *entry = MemoryContextAllocZero(context, sizeof(CacheEntry));

	*caller = MemoryContextAlloc(context, sizeof(Caller));
	**caller = caller_in(context);
	entry->kind = kind;
	entry->extension = extension_oid();
	entry->id = id;
	entry->context = context;
	return entry;
}

/* It is complete, and stays. */
static void
keep_entry(CacheEntry *entry)
{
	MemoryContextSetParent(entry->context, TopMemoryContext);
	dlist_push_head(&entries, &entry->node);
}

static CacheEntry *
load_entry(EntryKind kind, int64 id, bool read_only, int32 project_id, int32 model, Datum classes)
{
	Caller	   *caller;
	CacheEntry *entry = new_entry(kind, id, &caller);
	MemoryContext context = entry->context;
	MemoryContext before;
	Reader		reader;

	before = MemoryContextSwitchTo(context);
	if (kind == ENTRY_ENCODER)
	{
		entry->encoder = shared_encoder_load(id, read_only, caller);
		open_references(caller, entry->encoder, read_only, context);
	}
	else
	{
		entry->classes = array_strings(classes, &entry->nclasses);
		model_parts_read(project_id, model, read_only, &reader);
		status_check(model_read(caller, &reader, &entry->model), "read the model");
		if (model_classes(entry->model) != entry->nclasses ||
			!strings_complete(entry->classes, entry->nclasses))
			status_check(STATUS_CORRUPT, "read the model");
		pfree((void *) reader.bytes);
	}
	MemoryContextSwitchTo(before);
	keep_entry(entry);
	return entry;
}

static void
missing_revision(int32 model, int32 revision)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("revision %d of model %d is not stored", revision, model),
			 errhint("Train again with hl_train().")));
}

/* The latest before a revision that is loaded; the base itself, if none. */
static CacheEntry *
newest_revision(CacheEntry *base, int32 revision)
{
	CacheEntry *newest = base;
	dlist_iter	iter;

	dlist_foreach(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->base == base && entry->revision < revision &&
			entry->revision > newest->revision)
			newest = entry;
	}
	return newest;
}

/*
 * A revision is stored as what changes against its parent, an earlier one.
 * Finds the way back to what is there already, at the latest the base, then
 * applies one difference after another.  As the extension.
 */
static CacheEntry *
load_revision(CacheEntry *base, bool read_only, int32 project_id, int32 model, int32 revision)
{
	static Statement chain = {
		"WITH RECURSIVE way (revision, parent, data) AS ("
		"SELECT r.revision, r.parent, r.data FROM @hl_revision r "
		"WHERE r.project_id = $1 AND r.model = $2 AND r.revision = $3 UNION ALL "
		"SELECT r.revision, r.parent, r.data FROM way w JOIN @hl_revision r ON r.project_id = $1 "
		"AND r.model = $2 AND r.revision = w.parent AND w.parent < w.revision AND w.parent <> $4) "
		"SELECT revision, parent, data FROM way ORDER BY revision",
		4, {INT4OID, INT4OID, INT4OID, INT4OID}, NULL, 0
	};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop revision",
												  ALLOCSET_DEFAULT_SIZES);
	CacheEntry *entry = MemoryContextAllocZero(context, sizeof(CacheEntry));
	Caller	   *caller = MemoryContextAlloc(context, sizeof(Caller));
	CacheEntry *newest = newest_revision(base, revision);
	int32		have = newest->revision;
	const Model *from = newest->model;
	Datum		values[4] = {
		Int32GetDatum(project_id), Int32GetDatum(model), Int32GetDatum(revision), Int32GetDatum(have)
	};
	bool		isnull;

	*caller = caller_in(context);
	statement_run(&chain, values, NULL, read_only);
	if (SPI_processed == 0)
		missing_revision(model, revision);
	/* it may lead past what we have: not all revisions stand on one another */
	if (result_int(0, 2) != have)
	{
		have = 0;
		from = base->model;
	}
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext before = MemoryContextSwitchTo(context);
		Reader		reader;
		Model	   *next;

		if (result_int(i, 2) != have)
			missing_revision(model, revision);
		bytes_unseal(result_datum(i, 3, &isnull), &reader);
		status_check(model_delta_read(caller, base->model, from, &reader, &next),
					 "read a revision of the model");
		if (i > 0)
			model_free(caller, (Model *) from);
		from = next;
		have = result_int(i, 1);
		MemoryContextSwitchTo(before);
	}
	entry->kind = ENTRY_MODEL;
	entry->extension = base->extension;
	entry->id = base->id;
	entry->revision = revision;
	entry->context = context;
	entry->model = (Model *) from;
	entry->base = base;
	entry->classes = base->classes;
	entry->nclasses = base->nclasses;
	MemoryContextSetParent(context, TopMemoryContext);
	base->pins++;
	dlist_push_head(&entries, &entry->node);
	drop_revisions(entry);
	return entry;
}

const Encoder *
encoder_open(int64 encoder_id, bool read_only, MemoryContext pin_context)
{
	CacheEntry *entry = find_entry(ENTRY_ENCODER, encoder_id, 0);

	if (entry == NULL)
	{
		Acting		acting;

		act_as_extension(&acting);
		entry = load_entry(ENTRY_ENCODER, encoder_id, read_only, 0, 0, (Datum) 0);
		act_as_before(&acting);
	}
	pin(entry, pin_context);
	trim();
	return entry->encoder;
}

/* A class of a model by its name. */
typedef struct NamedClass
{
	char	   *name;
	int			index;
} NamedClass;

static int
compare_names(const void *a, const void *b)
{
	const NamedClass *left = a;
	const NamedClass *right = b;
	int			order = strcmp(left->name, right->name);

	return order != 0 ? order : left->index - right->index;
}

/*
 * What the classes are called now, where some were renamed since the training:
 * of two that were merged both have the name that is left, and a removed one has
 * none.  Not in the cache: what that has never changes.
 */
static void
read_names(Serving *serving, Datum array)
{
	int			n;
	char	  **names = array_strings(array, &n);
	NamedClass *sorted = palloc_array_checked(NamedClass, n);
	bool		others = false;

	if (n != serving->nclasses || !strings_complete(names, n))
		status_check(STATUS_CORRUPT, "read the model");
	serving->classes = names;
	serving->same = palloc_array_checked(int, n);
	for (int k = 0; k < n; k++)
		sorted[k] = (NamedClass) {names[k], k};
	qsort(sorted, n, sizeof(NamedClass), compare_names);
	for (int i = 0; i < n; i++)
	{
		int			k = sorted[i].index;

		if (i > 0 && strcmp(sorted[i - 1].name, sorted[i].name) == 0)
			serving->same[k] = serving->same[sorted[i - 1].index];
		else
			serving->same[k] = sorted[i].name[0] == '\0' ? -1 : k;
	}
	for (int k = 0; k < n; k++)
	{
		others = others || serving->same[k] != k;
		if (serving->same[k] < 0)
			serving->classes[k] = NULL;
	}
	pfree(sorted);
	/* renamed and no more: nothing is to be added up */
	if (!others)
		serving->same = NULL;
}

bool
serving_open(const Project *project, bool read_only, MemoryContext pin_context,
			 Serving *serving)
{
	static Statement current = {
		SELECT_SERVING("m.class_names", "m.target_error", "m.auto_threshold::float8"),
		1, {INT4OID}, NULL, 0
	};
	static Statement current_named = {
		SELECT_SERVING("m.class_names", "NULL::float8", "NULL::float8"), 1, {INT4OID}, NULL, 0
	};
	static Statement current_old = {
		SELECT_SERVING("NULL::text[]", "NULL::float8", "NULL::float8"), 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	CacheEntry *base;
	CacheEntry *entry;
	Acting		acting;
	Datum		names;
	bool		unchanged;
	bool		isnull;

	blas_load();
	act_as_extension(&acting);
	statement_run(handover_is_kept() ? &current : classes_can_change() ? &current_named :
				  &current_old, values, NULL, read_only);
	if (SPI_processed == 0)
	{
		act_as_before(&acting);
		return false;
	}
	serving->model = result_int(0, 1);
	serving->revision = result_int(0, 2);
	serving->model_id = result_bigint(0, 3);
	serving->encoder_id = result_bigint(0, 4);
	names = result_datum(0, 6, &unchanged);
	/* one for another rate than is promised now says nothing */
	serving->threshold = !result_is_null(0, 8) && project->options.target_error > 0.0 &&
		result_double(0, 7) == project->options.target_error ? (float) result_double(0, 8) : NAN;
	base = find_entry(ENTRY_MODEL, serving->model_id, 0);
	if (base == NULL)
		base = load_entry(ENTRY_MODEL, serving->model_id, read_only, project->id, serving->model,
						  result_datum(0, 5, &isnull));
	pin(base, pin_context);
	entry = find_entry(ENTRY_MODEL, serving->model_id, serving->revision);
	if (entry == NULL)
		entry = load_revision(base, read_only, project->id, serving->model, serving->revision);
	act_as_before(&acting);
	pin(entry, pin_context);
	serving->base = base->model;
	serving->classifier = entry->model;
	serving->classes = entry->classes;
	serving->nclasses = entry->nclasses;
	serving->same = NULL;
	if (!unchanged)
	{
		MemoryContext before = MemoryContextSwitchTo(pin_context);

		read_names(serving, names);
		MemoryContextSwitchTo(before);
	}
	serving->encoder = encoder_open(serving->encoder_id, read_only, pin_context);
	if (!model_suits(serving->base, encoder_dims(serving->encoder),
					 encoder_sparse_dims(serving->encoder)))
		status_check(STATUS_CORRUPT, "read the model");
	if (!isnan(serving->threshold) && drift_withdraws(project, serving->model, read_only))
		serving->threshold = NAN;
	return true;
}

bool
held_out_is_kept(void)
{
	return get_attnum(extension_table("hl_model_label"), "held_out") != InvalidAttrNumber;
}

/* NULL: there is none. */
static CacheEntry *
load_held_out(const Serving *serving, bool read_only, int32 project_id)
{
	static Statement select = {
		"SELECT held_out FROM @hl_model_label WHERE project_id = $1 AND model = $2 "
		"AND held_out IS NOT NULL", 2, {INT4OID, INT4OID}, NULL, 0
	};
	Datum		values[2] = {Int32GetDatum(project_id), Int32GetDatum(serving->model)};
	CacheEntry *entry;
	Caller	   *caller;
	Reader		reader;
	bool		isnull;

	statement_run(&select, values, NULL, read_only);
	if (SPI_processed == 0)
		return NULL;
	entry = new_entry(ENTRY_HELD_OUT, serving->model_id, &caller);
	bytes_unseal(result_datum(0, 1, &isnull), &reader);
	status_check(held_out_read(caller, &reader, &entry->held_out), "read the model");
	keep_entry(entry);
	return entry;
}

const HeldOut *
held_out_open(const Project *project, const Serving *serving, bool read_only,
			  MemoryContext pin_context)
{
	CacheEntry *entry = find_entry(ENTRY_HELD_OUT, serving->model_id, 0);

	if (entry == NULL && held_out_is_kept())
	{
		Acting		acting;

		act_as_extension(&acting);
		entry = load_held_out(serving, read_only, project->id);
		act_as_before(&acting);
	}
	if (entry == NULL)
		return NULL;
	if (model_classes(entry->held_out.model) != serving->nclasses ||
		!model_suits(entry->held_out.model, encoder_dims(serving->encoder),
					 encoder_sparse_dims(serving->encoder)))
		status_check(STATUS_CORRUPT, "read the model");
	pin(entry, pin_context);
	trim();
	return &entry->held_out;
}

void
serving_missing(const Project *project)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("project \"%s\" has no model yet", project->name),
			 errhint("Label some items, see hl_next(), and call hl_train('%s').", project->name)));
}
