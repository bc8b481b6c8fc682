/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between server versions that the project knows of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_COMPAT_H
#define HUMANLOOP_COMPAT_H

#include "catalog/pg_class.h"
#include "utils/acl.h"
#include "utils/guc.h"

#if PG_VERSION_NUM < 150000
#error "humanloop needs PostgreSQL 15 or later: security_invoker views"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#define relation_ownercheck(relation, role) \
	object_ownercheck(RelationRelationId, relation, role)
#else
#define relation_ownercheck(relation, role) pg_class_ownercheck(relation, role)
#endif

#if PG_VERSION_NUM >= 180000
#define primary_key_index(relation) RelationGetPrimaryKeyIndex(relation, false)
#else
#define primary_key_index(relation) RelationGetPrimaryKeyIndex(relation)
#endif

/*
 * The JSON parser: its actions return nothing before 16, and it takes a struct
 * of the caller's from 17 on.  File contents are UTF-8, whatever the database is in.
 */
#if PG_VERSION_NUM >= 160000
#define JSON_ACTION JsonParseErrorType
#define JSON_ACTION_DONE return JSON_SUCCESS
#else
#define JSON_ACTION void
#define JSON_ACTION_DONE return
#endif
#if PG_VERSION_NUM >= 170000
#define json_lexer(json, length) makeJsonLexContextCstringLen(NULL, json, length, PG_UTF8, true)
#else
#define json_lexer(json, length) makeJsonLexContextCstringLen(json, length, PG_UTF8, true)
#endif

#endif							/* HUMANLOOP_COMPAT_H */
