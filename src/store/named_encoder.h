/*-------------------------------------------------------------------------
 *
 * named_encoder.h
 *	  Encoders that were imported: of no project, and for many.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_NAMED_ENCODER_H
#define HUMANLOOP_NAMED_ENCODER_H

#include "encode/encoder.h"
#include "math/buffer.h"

typedef struct NamedEncoder
{
	int64		id;
	char	   *name;
	char	   *kind;			/* as hl_import_encoder calls it */
	int			dims;
	Oid			owner;			/* InvalidOid: nobody but superusers */
	bool		shared;			/* everybody may use it */
} NamedEncoder;

/* Are there any, in the tables as they are?  Versions before 0.4.0 had none. */
extern bool encoders_can_be_named(void);

/* An error where a name cannot be given to one. */
extern void encoder_name_check(const char *name);

/* In the current context; false: there is none.  SPI connected. */
extern bool named_encoder_read(const char *name, bool read_only, NamedEncoder *encoder);

/* All, by name, that a role may use; *n of them. */
extern NamedEncoder *named_encoders_for(Oid role, int *n);

/* May the role use it for a project, or change and drop it? */
extern bool named_encoder_usable(const NamedEncoder *encoder, Oid role);
extern bool named_encoder_owned(const NamedEncoder *encoder, Oid role);

/* The same for the current user; an error where there is none or he may not. */
extern void named_encoder_use(const char *name, NamedEncoder *encoder);
extern void named_encoder_own(const char *name, NamedEncoder *encoder);

/*
 * Until the end of the transaction: nobody drops it, or (to_drop) nobody else is
 * about to use it.  An error where it was dropped meanwhile.
 */
extern void named_encoder_lock(int64 id, bool to_drop);

/* The same to use it, without waiting; false where it was dropped or somebody is about to. */
extern bool named_encoder_keep(int64 id);

/* Stores what was imported, as the current user's; its id.  An error where the name is taken. */
extern int64 named_encoder_store(const char *name, const char *kind, const Encoder *encoder,
								 const Writer *writer);

/* An error where a project uses it. */
extern void named_encoder_drop(const NamedEncoder *encoder);
extern void named_encoder_share(const NamedEncoder *encoder, bool shared);

#endif							/* HUMANLOOP_NAMED_ENCODER_H */
