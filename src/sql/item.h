/*-------------------------------------------------------------------------
 *
 * item.h
 *	  Items as arguments of functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_ITEM_H
#define HUMANLOOP_ITEM_H

#include "fmgr.h"

#include "store/project.h"

/* Argument 1, a text, bigint or uuid, as text; error where it is NULL. */
extern char *item_argument(FunctionCallInfo fcinfo, Oid type);

/*
 * An item as the key's type writes it: '007' of an integer key is '7'.  Not looked
 * up in the source, as it may have left that.
 */
extern char *canonical_item(const Project *project, char *item);

#endif							/* HUMANLOOP_ITEM_H */
