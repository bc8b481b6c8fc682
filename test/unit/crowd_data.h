/*-------------------------------------------------------------------------
 *
 * crowd_data.h
 *	  Reads tables of answers for the tests of the label model.
 *
 * Files are CSV of three columns without quotes, as those of the data sets of
 * answers are.  $HUMANLOOP_DATA says where the data sets are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_CROWD_DATA_H
#define HUMANLOOP_CROWD_DATA_H

#include "unit.h"

#include "../../src/learn/label_model.h"

/* Names in order of first appearance. */
typedef struct Names
{
	char	  **name;
	int			n;
} Names;

typedef struct Crowd
{
	Names		items;
	Names		voices;
	Names		classes;
	int			n;
	int		   *item;
	int		   *voice;
	int		   *label;
	int		   *truth;			/* of each item, or LABEL_NONE */
} Crowd;

static inline int
name_number(Names *names, const char *name, bool add)
{
	for (int i = names->n - 1; i >= 0; i--)
		if (strcmp(names->name[i], name) == 0)
			return i;
	if (!add)
		return -1;
	names->name = realloc(names->name, sizeof(char *) * (names->n + 1));
	names->name[names->n] = strdup(name);
	return names->n++;
}

/* Cuts a line at its commas; how many fields. */
static inline int
cut_line(char *line, char **field, int most)
{
	int			n = 0;

	line[strcspn(line, "\r\n")] = '\0';
	for (char *at = strtok(line, ","); at != NULL && n < most; at = strtok(NULL, ","))
		field[n++] = at;
	return n;
}

/* Answers, and truth where there is a file of it; false: no data set of that name. */
static inline bool
crowd_read(const char *name, Crowd *crowd)
{
	const char *folder = getenv("HUMANLOOP_DATA");
	char		path[1024];
	char		line[1024];
	char	   *field[3];
	FILE	   *file;

	memset(crowd, 0, sizeof(*crowd));
	if (folder == NULL)
		return false;
	snprintf(path, sizeof(path), "%s/%s/%s_answers.csv", folder, name, name);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	(void) fgets(line, sizeof(line), file);
	while (fgets(line, sizeof(line), file) != NULL)
	{
		if (cut_line(line, field, 3) != 3)
			continue;
		crowd->item = realloc(crowd->item, sizeof(int) * (crowd->n + 1));
		crowd->voice = realloc(crowd->voice, sizeof(int) * (crowd->n + 1));
		crowd->label = realloc(crowd->label, sizeof(int) * (crowd->n + 1));
		crowd->item[crowd->n] = name_number(&crowd->items, field[0], true);
		crowd->voice[crowd->n] = name_number(&crowd->voices, field[1], true);
		crowd->label[crowd->n++] = name_number(&crowd->classes, field[2], true);
	}
	fclose(file);
	crowd->truth = malloc(sizeof(int) * crowd->items.n);
	for (int i = 0; i < crowd->items.n; i++)
		crowd->truth[i] = LABEL_NONE;
	snprintf(path, sizeof(path), "%s/%s/%s_truth.csv", folder, name, name);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	(void) fgets(line, sizeof(line), file);
	while (fgets(line, sizeof(line), file) != NULL)
	{
		int			item;

		if (cut_line(line, field, 2) != 2 ||
			(item = name_number(&crowd->items, field[0], false)) < 0)
			continue;
		crowd->truth[item] = name_number(&crowd->classes, field[1], false);
	}
	fclose(file);
	return true;
}

static inline void
names_free(Names *names)
{
	for (int i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
}

static inline void
crowd_free(Crowd *crowd)
{
	names_free(&crowd->items);
	names_free(&crowd->voices);
	names_free(&crowd->classes);
	free(crowd->item);
	free(crowd->voice);
	free(crowd->label);
	free(crowd->truth);
}

static inline LabelData
crowd_data(const Crowd *crowd)
{
	return (LabelData)
	{
		.items = crowd->items.n, .voices = crowd->voices.n, .classes = crowd->classes.n,
			.n = crowd->n, .item = crowd->item, .voice = crowd->voice, .label = crowd->label
	};
}

#endif							/* HUMANLOOP_CROWD_DATA_H */
