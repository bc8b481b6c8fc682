/*-------------------------------------------------------------------------
 *
 * crowd_data.h
 *	  Reads tables of answers for the tests of the label model.
 *
 * Answers are CSV of three columns without quotes, as those of the data sets are.
 * $HUMANLOOP_DATA says where the data sets are.
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

/* The fields of the next record of a CSV file, of which the longest are cut; how many. */
#define MOST_FIELDS 4
#define MOST_LENGTH 64

static inline int
csv_record(FILE *file, char field[MOST_FIELDS][MOST_LENGTH])
{
	bool		quoted = false;
	int			n = 0;
	int			length = 0;
	int			c = getc(file);

	if (c == EOF)
		return 0;
	memset(field, 0, MOST_FIELDS * MOST_LENGTH);
	for (; c != EOF && (quoted || c != '\n'); c = getc(file))
	{
		if (c == '"')
			quoted = !quoted;
		else if (c == ',' && !quoted)
		{
			n++;
			length = 0;
		}
		else if (c != '\r' && n < MOST_FIELDS && length < MOST_LENGTH - 1)
			field[n][length++] = (char) c;
	}
	return n + 1;
}

/*
 * What labelling functions say of the training rows of a data set (NAME_lf.csv:
 * item, function, class; NAME.csv: item, split, text, class), and the truth.
 */
static inline bool
rules_read(const char *name, Crowd *crowd)
{
	const char *folder = getenv("HUMANLOOP_DATA");
	char		path[1024];
	char		field[MOST_FIELDS][MOST_LENGTH];
	FILE	   *file;

	memset(crowd, 0, sizeof(*crowd));
	if (folder == NULL)
		return false;
	snprintf(path, sizeof(path), "%s/%s/%s.csv", folder, name, name);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	(void) csv_record(file, field);
	while (csv_record(file, field) == MOST_FIELDS)
	{
		if (strcmp(field[1], "train") != 0)
			continue;
		crowd->truth = realloc(crowd->truth, sizeof(int) * (crowd->items.n + 1));
		crowd->truth[name_number(&crowd->items, field[0], true)] =
			name_number(&crowd->classes, field[3], true);
	}
	fclose(file);
	snprintf(path, sizeof(path), "%s/%s/%s_lf.csv", folder, name, name);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	(void) csv_record(file, field);
	while (csv_record(file, field) == 3)
	{
		int			item = name_number(&crowd->items, field[0], false);

		if (item < 0)
			continue;
		crowd->item = realloc(crowd->item, sizeof(int) * (crowd->n + 1));
		crowd->voice = realloc(crowd->voice, sizeof(int) * (crowd->n + 1));
		crowd->label = realloc(crowd->label, sizeof(int) * (crowd->n + 1));
		crowd->item[crowd->n] = item;
		crowd->voice[crowd->n] = name_number(&crowd->voices, field[1], true);
		crowd->label[crowd->n++] = name_number(&crowd->classes, field[2], false);
	}
	fclose(file);
	return true;
}

/*
 * Share of the items that somebody has spoken of whose label the majority has
 * right; where several classes have as many votes, what one by lot would have.
 */
static inline double
crowd_majority(const Crowd *crowd)
{
	int		   *votes = calloc((size_t) crowd->items.n * crowd->classes.n, sizeof(int));
	double		right = 0.0;
	int			n = 0;

	for (int j = 0; j < crowd->n; j++)
		votes[(size_t) crowd->item[j] * crowd->classes.n + crowd->label[j]]++;
	for (int i = 0; i < crowd->items.n; i++)
	{
		const int  *of = votes + (size_t) i * crowd->classes.n;
		int			most = 0;
		int			ties = 0;

		for (int k = 0; k < crowd->classes.n; k++)
			most = of[k] > most ? of[k] : most;
		for (int k = 0; k < crowd->classes.n; k++)
			ties += of[k] == most;
		if (most == 0 || crowd->truth[i] == LABEL_NONE)
			continue;
		n++;
		right += of[crowd->truth[i]] == most ? 1.0 / ties : 0.0;
	}
	free(votes);
	return n > 0 ? right / n : 0.0;
}

/* The same of the label model; items that nobody has spoken of do not count. */
static inline double
crowd_accuracy(const LabelModel *model, const Crowd *crowd, double *log_loss)
{
	float	   *p = malloc(sizeof(float) * crowd->classes.n);
	int			right = 0;
	int			n = 0;

	*log_loss = 0.0;
	for (int i = 0; i < crowd->items.n; i++)
	{
		ItemLabel	label;

		label_model_item(model, i, &label);
		if (crowd->truth[i] == LABEL_NONE || label.label == LABEL_NONE)
			continue;
		label_model_posterior(model, i, p);
		*log_loss -= log(fmax(p[crowd->truth[i]], 1e-6));
		right += label.label == crowd->truth[i];
		n++;
	}
	free(p);
	*log_loss /= n > 0 ? n : 1;
	return n > 0 ? (double) right / n : 0.0;
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
