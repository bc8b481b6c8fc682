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
 * Entries in use are pinned by a memory context of their user; the rest is
 * dropped, least recently used first, when humanloop.cache_size is exceeded.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

#include "humanloop.h"
#include "store/cache.h"
#include "store/caller.h"
#include "store/parts.h"
#include "store/session.h"

typedef enum EntryKind
{
	ENTRY_ENCODER,
	ENTRY_MODEL
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
	char	  **classes;
	int			nclasses;
} CacheEntry;

static dlist_head entries = DLIST_STATIC_INIT(entries);

static CacheEntry *
find_entry(EntryKind kind, int64 id)
{
	Oid			extension = extension_oid();
	dlist_iter	iter;

	dlist_foreach(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->kind == kind && entry->id == id && entry->extension == extension)
		{
			dlist_move_head(&entries, &entry->node);
			return entry;
		}
	}
	return NULL;
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
		{
			dlist_delete(&entry->node);
			MemoryContextDelete(entry->context);
		}
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
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	callback->func = unpin;
	callback->arg = entry;
	entry->pins++;
	MemoryContextRegisterResetCallback(context, callback);
}

/*
 * Loads into a context of the current one, so that an error leaves nothing
 * behind; it moves to where it stays when complete.
 */
static CacheEntry *
load_entry(EntryKind kind, int64 id, bool read_only, int32 project_id, int32 model, Datum classes)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "humanloop model",
												  ALLOCSET_DEFAULT_SIZES);
	CacheEntry *entry = MemoryContextAllocZero(context, sizeof(CacheEntry));
	MemoryContext before;
	Caller	   *caller = MemoryContextAlloc(context, sizeof(Caller));
	Reader		reader;

	*caller = caller_in(context);
	entry->kind = kind;
	entry->extension = extension_oid();
	entry->id = id;
	entry->context = context;
	before = MemoryContextSwitchTo(context);
	if (kind == ENTRY_ENCODER)
	{
		/* its bytes stay: most of them are used where they are */
		encoder_parts_read(id, read_only, &reader);
		status_check(encoder_read_in_place(caller, &reader, &entry->encoder), "read the encoder");
	}
	else
	{
		entry->classes = array_strings(classes, &entry->nclasses);
		model_parts_read(project_id, model, read_only, &reader);
		status_check(model_read(caller, &reader, &entry->model), "read the model");
		if (model_classes(entry->model) != entry->nclasses)
			status_check(STATUS_CORRUPT, "read the model");
		pfree((void *) reader.bytes);
	}
	MemoryContextSwitchTo(before);
	MemoryContextSetParent(context, TopMemoryContext);
	dlist_push_head(&entries, &entry->node);
	return entry;
}

const Encoder *
encoder_open(int64 encoder_id, bool read_only, MemoryContext pin_context)
{
	CacheEntry *entry = find_entry(ENTRY_ENCODER, encoder_id);

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

bool
serving_open(const Project *project, bool read_only, MemoryContext pin_context,
			 Serving *serving)
{
	static Statement current = {
		"SELECT v.model, v.revision, m.id, m.encoder_id, m.classes "
		"FROM @hl_serving v JOIN @hl_model m ON m.project_id = v.project_id AND m.model = v.model "
		"WHERE v.project_id = $1", 1, {INT4OID}, NULL, 0
	};
	Datum		values[1] = {Int32GetDatum(project->id)};
	CacheEntry *entry;
	Acting		acting;
	bool		isnull;

	blas_load();
	act_as_extension(&acting);
	statement_run(&current, values, NULL, read_only);
	if (SPI_processed == 0)
	{
		act_as_before(&acting);
		return false;
	}
	serving->model = result_int(0, 1);
	serving->revision = result_int(0, 2);
	serving->model_id = result_bigint(0, 3);
	serving->encoder_id = result_bigint(0, 4);
	entry = find_entry(ENTRY_MODEL, serving->model_id);
	if (entry == NULL)
		entry = load_entry(ENTRY_MODEL, serving->model_id, read_only, project->id, serving->model,
						   result_datum(0, 5, &isnull));
	act_as_before(&acting);
	pin(entry, pin_context);
	serving->classifier = entry->model;
	serving->classes = entry->classes;
	serving->nclasses = entry->nclasses;
	serving->encoder = encoder_open(serving->encoder_id, read_only, pin_context);
	return true;
}

void
serving_missing(const Project *project)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("project \"%s\" has no model yet", project->name),
			 errhint("Label some items, see hl_next(), and call hl_train('%s').", project->name)));
}
