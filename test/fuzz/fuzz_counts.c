/*-------------------------------------------------------------------------
 *
 * fuzz_counts.c
 *	  Any n-grams in any rows: the counts keep their promise.
 *
 * Each byte is a step: it adds n-grams of a row, few or as many as make the
 * table full.  What is promised, against counts that forget nothing: never
 * too many, and too few by no more than was missed.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "../../src/encode/gram_counts.h"

#define WATCHED 64				/* n-grams that are counted exactly */
#define CROWD 20000				/* that come once, all at once */
#define MOST_STEPS 60

static uint64_t
spread(uint64_t n)
{
	uint64_t	hash = (n + 1) * UINT64_C(0x9E3779B97F4A7C15);

	hash = (hash ^ hash >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	return hash ^ hash >> 27;
}

/* A hash that collides with many where the byte says so. */
static uint64_t
watched_hash(int n, bool colliding)
{
	return colliding ? UINT64_C(0xFFFF000000000000) + (uint64_t) n + 1 : spread((uint64_t) n);
}

/* Finds the slots of the watched n-grams, of which none has two. */
static void
find_watched(const GramCounts *counts, bool colliding, const GramCount **found)
{
	bool		likely[4096] = {false};

	for (int n = 0; n < WATCHED; n++)
		likely[watched_hash(n, colliding) % 4096] = true;
	for (size_t i = 0; i < (size_t) 1 << counts->bits; i++)
		for (int n = 0; likely[counts->slots[i].hash % 4096] && n < WATCHED; n++)
			if (counts->slots[i].hash == watched_hash(n, colliding))
			{
				FUZZ_CHECK(found[n] == NULL);
				found[n] = &counts->slots[i];
			}
}

static void
check_counts(const GramCounts *counts, const uint32_t *exact, bool colliding)
{
	const GramCount *found[WATCHED] = {NULL};
	size_t		used = 0;

	for (size_t i = 0; i < (size_t) 1 << counts->bits; i++)
		used += counts->slots[i].hash != 0;
	FUZZ_CHECK(used == counts->used);
	find_watched(counts, colliding, found);
	for (int n = 0; n < WATCHED; n++)
		FUZZ_CHECK(found[n] == NULL ? exact[n] <= counts->missed :
				   found[n]->rows <= exact[n] && exact[n] <= found[n]->rows + counts->missed);
}

static void
run_counts(const Caller *caller, const uint8_t *data, size_t size, bool fails)
{
	uint32_t	exact[WATCHED] = {0};
	uint64_t   *crowd = malloc(sizeof(uint64_t) * CROWD);
	uint64_t	row = 0;
	uint64_t	next = 1 << 20;
	Status		status = STATUS_SUCCESS;
	bool		colliding = size > 0 && data[0] & 1;
	GramCounts	counts;

	if (gram_counts_init(&counts, caller, size > 0 ? 16 + data[0] % 3 : 16) != STATUS_SUCCESS)
	{
		FUZZ_CHECK(fails);
		free(crowd);
		return;
	}
	for (size_t i = 1; i < size && i < MOST_STEPS && status == STATUS_SUCCESS; i++)
	{
		uint64_t	hashes[2];
		int			n = data[i] % WATCHED;

		row++;
		if (data[i] >= 0xF0)
		{
			for (int j = 0; j < CROWD; j++)
				crowd[j] = spread(next++);
			status = gram_counts_add(&counts, row, crowd, CROWD);
			continue;
		}
		/* the second time in the same row is free */
		hashes[0] = hashes[1] = watched_hash(n, colliding);
		status = gram_counts_add(&counts, row, hashes, 2);
		exact[n]++;
		/* where not even forgetting made room, it was not counted at all */
		if (status == STATUS_SUCCESS && counts.used >= ((size_t) 1 << counts.bits) / 4 * 3)
			break;
	}
	FUZZ_CHECK(status == STATUS_SUCCESS || (fails && status == STATUS_NO_MEMORY));
	if (!fails)
		check_counts(&counts, exact, colliding);
	gram_counts_free(&counts);
	free(crowd);
}

const long	fuzz_runs = 100;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_run(run_counts, data, size);
}

bool
fuzz_seed(int n, Writer *writer)
{
	static const unsigned char steps[][12] = {
		{0, 1, 2, 3, 1, 1, 1, 2}, {1, 5, 5, 0xF0, 0xF0, 5, 0xF0, 5, 0xF0, 0xF0, 5, 6},
		{2, 7, 0xF0, 7, 0xF0, 7, 0xF0, 7, 0xF0, 7, 0xF0, 7}
	};

	if (n >= (int) (sizeof(steps) / sizeof(steps[0])))
		return false;
	write_bytes(writer, steps[n], sizeof(steps[n]));
	return true;
}
