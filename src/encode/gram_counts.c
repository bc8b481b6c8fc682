/*-------------------------------------------------------------------------
 *
 * gram_counts.c
 *	  In how many rows does each n-gram occur?
 *
 * Open addressing with linear probing; a slot is 16 bytes.  The table of a
 * million rows does not fit into any cache, so that each access waits for
 * memory: addresses are fetched ahead a few n-grams at a time.
 *
 * The stamp of a slot holds the last row (its lower bits), so that a row
 * counts once however often the n-gram occurs in it, and in the upper bits
 * how many rows the n-gram may have been in before it came into the table.
 * That a row is taken for the one exactly 2^STAMP_ROW_BITS before it costs
 * one count in a million and nothing else.
 *
 * When the table is full at its largest, every n-gram whose count, with what
 * may have been missed, is below a threshold goes; the threshold becomes the
 * `missed` of all that come later.  What remains is counted too low by at
 * most that, and nothing as frequent as the threshold is lost.
 *
 *-------------------------------------------------------------------------
 */
#include "gram_counts.h"

#define FIRST_BITS 16
#define STAMP_ROW_BITS 20
#define STAMP_ROW_MASK ((UINT32_C(1) << STAMP_ROW_BITS) - 1)
#define MISSED_MOST ((UINT32_C(1) << (32 - STAMP_ROW_BITS)) - 1)

#define FETCH_AHEAD 16			/* n-grams */
#define SLOTS_A_STEP 65536		/* between two questions whether to stop */

#ifdef __GNUC__
#define FETCH(address) __builtin_prefetch(address, 1)
#else
#define FETCH(address) ((void) (address))
#endif

static inline size_t
slot_count(const GramCounts *counts)
{
	return (size_t) 1 << counts->bits;
}

/* The upper bits choose the slot: bit 0 is the kind. */
static inline size_t
home_slot(const GramCounts *counts, uint64_t hash)
{
	return (size_t) (hash >> (64 - counts->bits));
}

/* Full means three quarters: beyond, probing becomes slow. */
static inline size_t
full(const GramCounts *counts)
{
	return slot_count(counts) / 4 * 3;
}

/* Growing holds the old table beside the new one: one and a half. */
size_t
gram_counts_bytes(int bits)
{
	return ((size_t) 1 << bits) / 2 * 3 * sizeof(GramCount);
}

int
gram_counts_bits(size_t bytes)
{
	int			bits = FIRST_BITS;

	while (bits < 31 && gram_counts_bytes(bits + 1) <= bytes)
		bits++;
	return bits;
}

/* An empty table, small at first.  STATUS_NO_MEMORY. */
Status
gram_counts_init(GramCounts *counts, const Caller *caller, int most_bits)
{
	counts->caller = caller;
	counts->bits = FIRST_BITS;
	counts->most_bits = most_bits < FIRST_BITS ? FIRST_BITS : most_bits;
	counts->used = 0;
	counts->missed = 0;
	counts->slots = allocate_array(caller, slot_count(counts), sizeof(GramCount));
	return counts->slots == NULL ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

void
gram_counts_free(GramCounts *counts)
{
	release(counts->caller, counts->slots);
	counts->slots = NULL;
}

/*
 * Twice as many slots.  The new table hangs in counts only when it is
 * complete; asks the stop function on the way.
 */
static Status
grow(GramCounts *counts)
{
	GramCounts	larger = *counts;
	size_t		mask;

	larger.bits++;
	mask = slot_count(&larger) - 1;
	larger.slots = allocate_array(counts->caller, slot_count(&larger), sizeof(GramCount));
	if (larger.slots == NULL)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < slot_count(counts); i++)
	{
		const GramCount *old = &counts->slots[i];
		size_t		slot;

		if (i % SLOTS_A_STEP == 0 && stopped(counts->caller))
		{
			release(counts->caller, larger.slots);
			return STATUS_STOPPED;
		}
		if (old->hash == 0)
			continue;
		slot = home_slot(&larger, old->hash);
		while (larger.slots[slot].hash != 0)
			slot = (slot + 1) & mask;
		larger.slots[slot] = *old;
	}
	release(counts->caller, counts->slots);
	*counts = larger;
	return STATUS_SUCCESS;
}

/* The most rows that the n-gram of a slot can have been in. */
static inline uint32_t
most_rows(const GramCount *slot)
{
	uint32_t	missed = slot->stamp >> STAMP_ROW_BITS;

	return slot->rows > UINT32_MAX - missed ? UINT32_MAX : slot->rows + missed;
}

/*
 * Empties slot i and moves later members of its run forward, so that no
 * probe ends early.
 */
static void
delete_slot(GramCounts *counts, size_t i)
{
	size_t		mask = slot_count(counts) - 1;
	size_t		j = i;

	for (;;)
	{
		size_t		home;

		j = (j + 1) & mask;
		if (counts->slots[j].hash == 0)
			break;
		home = home_slot(counts, counts->slots[j].hash);

		/* may the member at j stand at i?  Only if its home is not between */
		if (((j - home) & mask) >= ((j - i) & mask))
		{
			counts->slots[i] = counts->slots[j];
			i = j;
		}
	}
	counts->slots[i].hash = 0;
	counts->used--;
}

/*
 * The smallest threshold that leaves at most a third of the slots in use:
 * n-grams with most_rows up to it go.
 */
static Status
prune_threshold(GramCounts *counts, uint32_t *threshold)
{
	size_t		histogram[MISSED_MOST + 1] = {0};
	size_t		left = counts->used;

	for (size_t i = 0; i < slot_count(counts); i++)
	{
		if (i % SLOTS_A_STEP == 0 && stopped(counts->caller))
			return STATUS_STOPPED;
		if (counts->slots[i].hash != 0 && most_rows(&counts->slots[i]) <= MISSED_MOST)
			histogram[most_rows(&counts->slots[i])]++;
	}
	*threshold = counts->missed;
	do
	{
		(*threshold)++;
		left -= histogram[*threshold];
	} while (left > slot_count(counts) / 3 && *threshold < MISSED_MOST);
	return STATUS_SUCCESS;
}

/*
 * Forgets the rarest.  Where even the largest threshold leaves the table too
 * full (it cannot with fewer than some 10^9 n-grams), n-grams that come later
 * find no slot: see gram_counts_add.
 */
static Status
prune(GramCounts *counts)
{
	uint32_t	threshold;

	if (counts->missed >= MISSED_MOST)
		return STATUS_SUCCESS;
	TRY(prune_threshold(counts, &threshold));
	for (size_t i = 0; i < slot_count(counts);)
	{
		if (i % SLOTS_A_STEP == 0 && stopped(counts->caller))
			return STATUS_STOPPED;
		if (counts->slots[i].hash != 0 && most_rows(&counts->slots[i]) <= threshold)
			delete_slot(counts, i); /* look again: another may have moved here */
		else
			i++;
	}
	counts->missed = threshold;
	return STATUS_SUCCESS;
}

/* Room for one batch of n more, by growing or by forgetting. */
static Status
make_room(GramCounts *counts, size_t n)
{
	while (counts->used + n > full(counts) && counts->bits < counts->most_bits)
		TRY(grow(counts));
	if (counts->used + n > full(counts))
		TRY(prune(counts));
	return STATUS_SUCCESS;
}

Status
gram_counts_add(GramCounts *counts, uint64_t row, const uint64_t *hashes, int n)
{
	uint32_t	row_stamp = (uint32_t) row & STAMP_ROW_MASK;
	size_t		mask;

	TRY(make_room(counts, (size_t) n));
	mask = slot_count(counts) - 1;
	for (int i = 0; i < n && i < FETCH_AHEAD; i++)
		FETCH(&counts->slots[home_slot(counts, hashes[i])]);
	for (int i = 0; i < n; i++)
	{
		uint64_t	hash = hashes[i];
		size_t		slot = home_slot(counts, hash);
		GramCount  *found;

		if (i + FETCH_AHEAD < n)
			FETCH(&counts->slots[home_slot(counts, hashes[i + FETCH_AHEAD])]);
		if (hash == 0)
			continue;			/* marks a free slot; one n-gram in 2^63 */
		while (counts->slots[slot].hash != hash && counts->slots[slot].hash != 0)
			slot = (slot + 1) & mask;
		found = &counts->slots[slot];
		if (found->hash == 0)
		{
			if (counts->used >= full(counts))
				continue;
			counts->used++;
			found->hash = hash;
			found->rows = 1;
			found->stamp = counts->missed << STAMP_ROW_BITS | row_stamp;
		}
		else if ((found->stamp & STAMP_ROW_MASK) != row_stamp)
		{
			found->rows += found->rows < UINT32_MAX;
			found->stamp = (found->stamp & ~STAMP_ROW_MASK) | row_stamp;
		}
	}
	return STATUS_SUCCESS;
}
