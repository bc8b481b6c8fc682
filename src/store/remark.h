/*-------------------------------------------------------------------------
 *
 * remark.h
 *	  What people remark on items beside their answers: comments and flags.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_REMARK_H
#define HUMANLOOP_REMARK_H

#include "store/project.h"

/* Adds a comment to a canonical item; returns its id. */
extern int64 comment_write(const Project *project, const char *annotator, char *item,
						   const char *comment);

/* Who has written the comment with that id; NULL: the project has none. */
extern char *comment_author(const Project *project, int64 id);
extern void comment_delete(const Project *project, int64 id);

/* Flags a canonical item, once an annotator: another reason takes the place of the first. */
extern void flag_write(const Project *project, const char *annotator, char *item,
					   const char *reason);

/* Takes flags of an item back: one annotator's, or with NULL all.  Returns how many. */
extern int	flags_delete(const Project *project, const char *annotator, char *item);

#endif							/* HUMANLOOP_REMARK_H */
