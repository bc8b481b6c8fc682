/*-------------------------------------------------------------------------
 *
 * humanloop.h
 *	  Settings and limits of the extension.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_H
#define HUMANLOOP_H

/* Settings (kB for sizes); defined in humanloop.c */
extern int	setting_work_mem;
extern int	setting_cache_size;
extern bool setting_share_encoders;
extern char *setting_annotator;
extern bool setting_enabled;
extern int	setting_worker_idle_timeout;	/* ms */
extern int	setting_worker_source_timeout;	/* ms; 0: none */
extern int	setting_encoding_workers;
extern int	setting_rule_timeout;	/* ms; 0: none */

/* Limits */
#define MAX_PROJECT_NAME	50	/* bytes */
#define MAX_CLASSES			10000
#define MAX_ANNOTATOR_NAME	1000	/* bytes: it is in indexes */
#define RESERVED_ANNOTATOR	"source"

#endif							/* HUMANLOOP_H */
