/*-------------------------------------------------------------------------
 *
 * audit.c
 *	  Places of the queue that are asked by lot, for the sake of honest
 *	  figures.
 *
 * What the model asks for is hard on purpose, so how often it is right there
 * says little about the source.  So now and then the next row of an order that
 * was fixed by lot is asked; see doc/design.md.
 *
 *-------------------------------------------------------------------------
 */
#include "audit.h"

#include <math.h>

#define TAKEN (-2)				/* place: the row is in the queue */

/* 0.1 * 30 is not quite 3 in binary. */
static double
due_until(double share, int64_t number)
{
	return floor(share * (double) number + 1e-9);
}

bool
audit_due(double share, int64_t number)
{
	return due_until(share, number) > due_until(share, number - 1);
}

int
audit_line_length(double share, int n)
{
	double		length;

	if (!(share > 0.0) || n <= 0)
		return 0;
	if (share >= 0.5)
		return n;
	/* of length + n questions, share are the audit's */
	length = ceil(share / (1.0 - share) * n) + 1.0;
	return length < n ? (int) length : n;
}

int
audit_merge(double share, int64_t before, const int *chosen, int n, const int *line, int m,
			int rows, int count, int *place, AuditSlot *slots)
{
	int			i = 0;
	int			j = 0;
	int			found = 0;

	for (int row = 0; row < rows; row++)
		place[row] = -1;
	for (int k = 0; k < n; k++)
		place[chosen[k]] = k;
	while (found < count)
	{
		AuditSlot  *slot = &slots[found];

		while (i < n && place[chosen[i]] == TAKEN)
			i++;
		while (j < m && place[line[j]] == TAKEN)
			j++;
		if (i == n && j == m)
			break;
		slot->audit = j < m && (i == n || audit_due(share, before + found + 1));
		slot->row = slot->audit ? line[j] : chosen[i];
		slot->from = place[slot->row];
		place[slot->row] = TAKEN;
		found++;
	}
	return found;
}
