/*-------------------------------------------------------------------------
 *
 * project.h
 *	  A project: what was declared, where its source is, who may do what.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_PROJECT_H
#define HUMANLOOP_PROJECT_H

#include "access/attnum.h"
#include "storage/lockdefs.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"

#include "learn/acquisition.h"
#include "store/privilege.h"
#include "store/role.h"

/* What the input column holds. */
typedef enum InputKind
{
	INPUT_TEXT,
	INPUT_VECTOR
} InputKind;

#define MAX_INPUTS 8

/* A column of the source that the project learns from. */
typedef struct ProjectInput
{
	char	   *column;
	AttrNumber	attnum;			/* resolved, as is the rest */
	InputKind	kind;
	Oid			array_type;		/* of a vector: which it is read as */
} ProjectInput;

/* How much a part of the encoder counts, as somebody wants it. */
typedef struct NamedShare
{
	char	   *part;
	float		share;			/* of the whole, which is 1 */
} NamedShare;

/* Options of a project, with their defaults filled in; see options.c */
typedef struct ProjectOptions
{
	int			dimensions;		/* of the built-in text features */
	int			vocabulary;		/* n-grams kept */
	int			sample_rows;	/* rows the decomposition sees */
	int			queue_size;		/* entries shown in the queue */
	int			batch;			/* questions chosen together */
	int			seed_batch;		/* questions before the first model */
	double		audit;			/* share of the questions that is drawn by lot */
	int			folds;			/* of the cross-validation */
	double		prior_precision;	/* 0: chosen */
	int			refine;			/* 1, 0, -1 chosen */
	double		train_growth;	/* of the labels, that is worth a training */
	double		train_quiet;	/* seconds without a label after which one is due */
	int			keep_models;	/* that are stored whole */
	int			drift;			/* 1: arrivals are watched; 0: not */
	int			drift_withdraws;	/* 1: after an alarm nothing is answered alone */
	int			prediction_sets;	/* 1: trainings make a second model for them */
	int64		random_seed;
	int			answers;		/* wanted of an item; ANSWERS_ADAPTIVE */
	double		gold;			/* share of the questions that are gold items */
	int			most_answers;	/* of an item, where that is adaptive */
	double		target_error;	/* share of automatic answers that may be wrong; 0:
								 * nothing is promised */
	int			ask_uncertain;	/* 1: rows that arrive and are not decided are asked */
	const char *targets;		/* condition, see targets.h; NULL: none */
	const NamedShare *shares;	/* nshares of them; 0: chosen */
	int			nshares;
} ProjectOptions;

typedef struct Project
{
	int32		id;
	char	   *name;
	char	   *source_schema;
	char	   *source_name;
	ProjectInput inputs[MAX_INPUTS];	/* in the order they were declared in */
	int			ninputs;		/* one at least */
	char	   *key_column;
	char	   *label_column;	/* NULL: none */
	char	   *view_schema;
	char	  **classes;		/* closed list; NULL: open */
	int			nclasses;
	char	   *encoder;
	char	   *owner_name;		/* as it is now, or was when he was last seen */
	Acquisition acquisition;
	ProjectOptions options;

	/* Resolved against the catalogs when opened. */
	bool		paused;			/* the worker leaves it alone */
	Oid			source;			/* InvalidOid: missing, see problem */
	char	   *problem;		/* NULL: all is well */
	char	   *damage;			/* what is wrong with the declaration; NULL: nothing */
	AttrNumber	key_attnum;
	AttrNumber	label_attnum;	/* 0: none */
	Oid			key_type;		/* base type */
	Oid			queue_view;		/* InvalidOid: dropped */
	Oid			owner;			/* InvalidOid: nobody but superusers */
	StoredRole	recorded_owner;
	StoredRole	recorded_source_owner;
	bool		source_owner_known; /* it is recorded: 0.1.0 did not */
	bool		known_here;		/* OIDs were recorded, if dead ones */
	bool		stale;			/* names or local OIDs have changed */
} Project;

/*
 * Opens a project that the current user has the privilege on; an error with
 * hint otherwise.  Palloc'd in the current context.  Needs SPI connected and
 * the caller still acting as himself.  read_only as in statement_run.
 */
extern Project *project_open(const char *name, Privilege privilege, bool read_only);

/*
 * The same, and one whose declaration is damaged, too: with what could be read
 * of it, and else the defaults.  For what shows or drops a project.
 */
extern Project *project_open_any(const char *name, Privilege privilege, bool read_only);

/* The same for writing: also brings recorded names and OIDs up to date. */
extern Project *project_open_for_write(const char *name, Privilege privilege);

/* Error in a read-only transaction, or on a standby. */
extern void project_prevent_if_read_only(const char *command);

/*
 * For whoever has read a project and may write: brings recorded names and
 * OIDs up to date, unless somebody is just doing that.
 */
extern void project_follow(const Project *project);

/* Has the worker leave it alone, or not any more. */
extern void project_pause(const Project *project, bool pause);

/* Records names and OIDs as they are in project. */
extern void project_sync(const Project *project);

/*
 * Has its source been renamed, retyped or dropped since it was read?  Then what
 * has failed was a statement with the names as they were.
 */
extern bool project_moved(const Project *project);

/* Is there a project of that name on which the current user has some privilege? */
extern bool project_is_visible(const char *name);

/* By id, without a check of privileges; NULL where there is none. */
extern Project *project_read(int32 id, bool read_only);

/* The same, and one whose declaration is damaged, too: see project_open_any. */
extern Project *project_read_any(int32 id, bool read_only);

extern bool project_privilege(const Project *project, Oid role, Privilege privilege,
							  bool read_only);

/* Error where the project's source is being read, further up in this session. */
extern void project_need_idle(const Project *project);

/* Error where the source is missing. */
extern void project_need_source(const Project *project);

/* Can a project, or an encoder, be called so? */
extern bool plain_name(const char *name);

/* Can rows be read from relations of this kind? */
extern bool project_source_kind(char kind);

/* Owner of the source: rows are read as him.  Quoted names for statements. */
extern Oid	project_source_owner(const Project *project);
extern char *project_source_quoted(const Project *project);

/* "s.key::text" and the like, quoted; s is the source's alias */
extern char *project_key_expression(const Project *project);

/*
 * All inputs, each as text or an array of numbers, separated by commas, and the
 * condition that one of them is not NULL.
 */
extern char *project_input_expressions(const Project *project);
extern char *project_input_condition(const Project *project);

/* What a person is shown of them: all texts, or all vectors where none is a text. */
extern char *project_question_expression(const Project *project);

/* Their names, separated by commas. */
extern char *project_input_names(const Project *project);

/* The encoder of a project that wants none in particular: "text", "vector", "text+vector". */
extern const char *project_own_encoder(const Project *project);

/* Which of the inputs the column is; -1: none. */
extern int	project_input(const Project *project, const char *column);

/* The first input of that kind; -1: there is none. */
extern int	project_input_of(const Project *project, InputKind kind);

/* The one that the first questions are chosen by: a text, if there is one. */
extern int	project_seed_input(const Project *project);

/* Are there tables for more than one input?  Those of 0.1.0 to 0.3.0 have not. */
extern bool inputs_are_kept(void);

/* Records the inputs after the first, with their numbers, as they are in project. */
extern void inputs_sync(const Project *project);

/* Type name to cast an item to, as the key's */
extern const char *project_key_type_name(const Project *project);

/* Keeps the project from being dropped; error where that has happened. */
extern void project_lock_shared(const Project *project);

/* Takes the lock under which names and OIDs are recorded; try: without waiting. */
extern void project_lock_names(int32 project_id);
extern bool project_try_names(int32 project_id);

/* Takes the lock under which the project's model state is written. */
extern void project_lock(const Project *project);

/*
 * For the worker, who waits for nobody: keeps the extension and the project
 * from being dropped and others from writing model state, until the end of
 * the transaction.  False: somebody is at it, or has dropped the project; try
 * again later.
 */
extern bool project_try_lock(const Project *project);

/* Keeps extension and project from being dropped, no more. */
extern bool project_try_keep(int32 project_id);

/* Keeps the extension from being dropped, likewise; false also without it. */
extern bool extension_try_lock(void);

/* A lock on (one of our tables, id) until the end of the transaction, without waiting; false: somebody has it. */
extern bool try_object_lock(Oid classid, Oid objid, LOCKMODE mode);

/* The same; an error (lock not available) where that cannot be had. */
extern void extension_keep(void);

/* The same without waiting; false: somebody else has it. */
extern bool project_lock_conditional(const Project *project);

/* The error that somebody has done so since it was opened. */
extern void project_dropped(const Project *project) pg_attribute_noreturn();

/* Waits until nobody writes to the project, and keeps them out. */
extern void project_lock_to_drop(const Project *project);

extern Acquisition acquisition_from_name(const char *name);
extern const char *acquisition_name(Acquisition acquisition);

/* options.c: an error names the offending option. */
extern void project_options_parse(Jsonb *json, ProjectOptions *options);

/* Error where there is no option of that name, or none that can be changed later. */
extern void project_option_check_changeable(const Project *project, const char *name);

/* What is stored of a declaration; where that is damaged, notes how. */
extern void declared_options(Project *project, Jsonb *json);
extern void declared_acquisition(Project *project, const char *name);
extern void declared_classes(Project *project, Datum classes);

/* The inputs after the first: text[], and smallint[] of their numbers (NULL: not known). */
extern void declared_inputs(Project *project, Datum more_inputs, const Datum *more_attnums);

/*
 * The inputs of a project that is declared: named, as text[], and looked up in
 * its source.  An error where there are too many, or where a name is NULL, there
 * twice, or that of no column that could be one.
 */
extern void inputs_name(Project *project, Datum columns);
extern void inputs_look_up(Project *project, Relation source);

/* What columns of a type can be used for; false: not for that. */
extern bool input_type(Oid type, ProjectInput *input);
extern bool key_type_of(Oid type, Oid *key_type);

#endif							/* HUMANLOOP_PROJECT_H */
