/*-------------------------------------------------------------------------
 *
 * driver.c
 *	  Runs a fuzz target without libFuzzer.
 *
 *	  fuzz_NAME [-runs=N] [-seconds=S] [-seed=N] [-artifact=FILE] [FILE or DIRECTORY ...]
 *	  fuzz_NAME -write=DIRECTORY
 *
 * The target's own seeds and the files are run as they are, then N inputs
 * made of them by chance, or as many as S seconds are enough for; a directory
 * need not be there.  What ends
 * the program is written to the artifact first: run it again with that file
 * as its argument.  -write puts the seeds into files, for libFuzzer.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOWEST 60				/* seconds for one input, on a busy machine */
#define MOST_SEEDS 4096
#define MOST_BYTES ((size_t) 1 << 20)

typedef struct Input
{
	uint8_t    *bytes;
	size_t		size;
} Input;

static Input seeds[MOST_SEEDS];
static int	nseeds = 0;
static Input now;				/* what is being run */
static const char *artifact = "fuzz-artifact";

extern void __sanitizer_set_death_callback(void (*callback) (void));

/* Whatever ends the program: a sanitizer, a check, or the alarm. */
static void
keep_input(void)
{
	FILE	   *file = fopen(artifact, "wb");

	if (file != NULL && fwrite(now.bytes, 1, now.size, file) == now.size && fclose(file) == 0)
		fprintf(stderr, "input of %zu bytes kept in %s\n", now.size, artifact);
}

static void
on_signal(int number)
{
	fprintf(stderr, "%s\n", number == SIGALRM ? "an input takes too long" : "aborted");
	keep_input();
	_exit(1);
}

static void
run(const uint8_t *bytes, size_t size)
{
	now.bytes = (uint8_t *) bytes;
	now.size = size;
	alarm(SLOWEST);
	LLVMFuzzerTestOneInput(bytes, size);
	alarm(0);
}

static void
add_seed(const void *bytes, size_t size)
{
	if (nseeds == MOST_SEEDS)
		return;
	seeds[nseeds].bytes = malloc(size == 0 ? 1 : size);
	if (size > 0)
		memcpy(seeds[nseeds].bytes, bytes, size);
	seeds[nseeds++].size = size;
}

static void
add_file(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	uint8_t    *bytes = malloc(MOST_BYTES);
	size_t		size;

	if (file == NULL)
	{
		perror(path);
		exit(2);
	}
	size = fread(bytes, 1, MOST_BYTES, file);
	fclose(file);
	add_seed(bytes, size);
	free(bytes);
}

static void
add_path(const char *path)
{
	DIR		   *directory = opendir(path);
	struct dirent *entry;
	char		name[4096];

	if (directory == NULL)
	{
		if (access(path, F_OK) == 0)
			add_file(path);
		return;
	}
	while ((entry = readdir(directory)) != NULL)
	{
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		add_file(name);
	}
	closedir(directory);
}

/* The target's own. */
static void
make_seeds(void)
{
	static FuzzMemory memory;
	Caller		caller = fuzz_caller(&memory, 0);

	for (int n = 0;; n++)
	{
		Writer		writer;
		bool		there;

		writer_init(&writer, &caller);
		there = fuzz_seed(n, &writer);
		FUZZ_CHECK(!writer.failed);
		if (there)
			add_seed(writer.bytes, writer.length);
		release(&caller, writer.bytes);
		if (!there)
			break;
	}
}

static int
write_seeds(const char *directory)
{
	for (int n = 0; n < nseeds; n++)
	{
		char		name[4096];
		FILE	   *file;

		snprintf(name, sizeof(name), "%s/seed-%d", directory, n);
		file = fopen(name, "wb");
		if (file == NULL || fwrite(seeds[n].bytes, 1, seeds[n].size, file) != seeds[n].size ||
			fclose(file) != 0)
		{
			perror(name);
			return 1;
		}
	}
	return 0;
}

/* Somewhere in the input; half of the time near its beginning, where sizes are. */
static size_t
place(Random *random, size_t size)
{
	size_t		limit = random_below(random, 2) && size > 64 ? 64 : size;

	return limit == 0 ? 0 : (size_t) random_below(random, limit);
}

/* Sizes, counts and floats that are on the edge of something. */
static uint32_t
interesting(Random *random)
{
	static const uint32_t values[] = {
		0, 1, 2, 3, 16, 255, 256, 1 << 16, 1 << 20, 1 << 24, (1 << 24) + 1, 1 << 30, 0x7FFFFFFF,
		0x80000000, 0xFFFFFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF, 0x00000001,
		0x3F800000, 0xBF800000, 0x41F00000
	};

	return values[random_below(random, sizeof(values) / sizeof(values[0]))];
}

/* length bytes of another seed, or of this input, over what is at a place. */
static void
copy_block(Random *random, uint8_t *bytes, size_t size)
{
	const Input *from = &seeds[random_below(random, (uint64_t) nseeds)];
	size_t		to = place(random, size);
	size_t		at;
	size_t		length;

	if (from->size == 0 || size == 0)
		return;
	at = (size_t) random_below(random, from->size);
	length = 1 + (size_t) random_below(random, random_below(random, 4) ? 16 : from->size);
	if (length > from->size - at)
		length = from->size - at;
	if (length > size - to)
		length = size - to;
	memcpy(bytes + to, from->bytes + at, length);
}

/* Two blocks of the same length change places. */
static void
swap_blocks(Random *random, uint8_t *bytes, size_t size)
{
	size_t		a = place(random, size);
	size_t		b = place(random, size);
	size_t		length = 1 + (size_t) random_below(random, 64);

	for (size_t i = 0; i < length && a + i < size && b + i < size; i++)
	{
		uint8_t		spare = bytes[a + i];

		bytes[a + i] = bytes[b + i];
		bytes[b + i] = spare;
	}
}

/* One change; returns the new size, at most MOST_BYTES. */
static size_t
change(Random *random, uint8_t *bytes, size_t size)
{
	size_t		at = place(random, size);
	uint32_t	value = interesting(random);
	size_t		length = 1 + (size_t) random_below(random, 32);

	switch (random_below(random, 10))
	{
		case 0:
			if (size > 0)
				bytes[at] ^= (uint8_t) (1 << random_below(random, 8));
			break;
		case 1:
			if (size > 0)
				bytes[at] = (uint8_t) random_bits(random);
			break;
		case 2:
			at -= at % 4;
			if (at + 4 <= size)
				memcpy(bytes + at, &value, 4);
			break;
		case 3:
			if (at + 4 <= size)
				memcpy(bytes + at, &value, 4);
			break;
		case 4:
			if (random_below(random, 4) == 0)
				return (size_t) random_below(random, size + 1);
			break;
		case 5:
			if (size > 0 && length <= size - at)
			{
				memmove(bytes + at, bytes + at + length, size - at - length);
				return size - length;
			}
			break;
		case 6:
			if (size + length <= MOST_BYTES)
			{
				memmove(bytes + at + length, bytes + at, size - at);
				for (size_t i = 0; i < length; i++)
					bytes[at + i] = (uint8_t) random_bits(random);
				return size + length;
			}
			break;
		case 7:
			copy_block(random, bytes, size);
			break;
		case 8:
			swap_blocks(random, bytes, size);
			break;
		default:
			for (size_t i = 0; i < length && at + i < size; i++)
				bytes[at + i] = (uint8_t) random_bits(random);
			break;
	}
	return size;
}

static double
seconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

static long
run_random(uint64_t seed, long runs, double seconds)
{
	uint8_t    *bytes = malloc(MOST_BYTES);
	double		until = seconds_now() + seconds;
	long		done = 0;
	Random		random;

	random_seed(&random, seed);
	while (done < runs && (seconds == 0.0 || seconds_now() < until))
	{
		const Input *from = &seeds[random_below(&random, (uint64_t) nseeds)];
		size_t		size = from->size < MOST_BYTES ? from->size : MOST_BYTES;
		int			changes = 1 + (int) random_below(&random, random_below(&random, 2) ? 3 : 12);

		memcpy(bytes, from->bytes, size);
		for (int i = 0; i < changes; i++)
			size = change(&random, bytes, size);
		run(bytes, size);
		done++;
	}
	free(bytes);
	return done;
}

int
main(int argc, char **argv)
{
	long		runs = fuzz_runs;
	double		seconds = 0.0;
	uint64_t	seed = 1;

	__sanitizer_set_death_callback(keep_input);
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	make_seeds();
	for (int i = 1; i < argc; i++)
	{
		if (strncmp(argv[i], "-runs=", 6) == 0)
			runs = atol(argv[i] + 6);
		else if (strncmp(argv[i], "-seconds=", 9) == 0)
		{
			seconds = atof(argv[i] + 9);
			runs = seconds > 0.0 ? INT32_MAX : runs;
		}
		else if (strncmp(argv[i], "-seed=", 6) == 0)
			seed = strtoull(argv[i] + 6, NULL, 10);
		else if (strncmp(argv[i], "-artifact=", 10) == 0)
			artifact = argv[i] + 10;
		else if (strncmp(argv[i], "-write=", 7) == 0)
			return write_seeds(argv[i] + 7);
		else
			add_path(argv[i]);
	}
	for (int n = 0; n < nseeds; n++)
		run(seeds[n].bytes, seeds[n].size);
	runs = run_random(seed, runs, seconds);
	printf("%d seeds and %ld random inputs, seed %llu\n", nseeds, runs, (unsigned long long) seed);
	return 0;
}
