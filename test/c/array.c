/*
 * The growable array: what was put in comes out, and sizes beyond what can be had stop.
 */
#include "base/array.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

typedef struct Triple
{
	char		bytes[3];
} Triple;

typedef SR_ARRAY(int64) Numbers;
typedef SR_ARRAY(Triple) Triples;

static void
test_growth(void)
{
	Numbers		numbers = {0};
	Triples		triples = {0};
	int64		moves = 0;
	bool		same = true;

	for (int64 i = 0; i < 100000; i++)
	{
		const int64 *before = numbers.items;
		int64		capacity = numbers.capacity;

		sr_array_push(&numbers, i * i);
		moves += numbers.capacity != capacity || numbers.items != before;
		sr_array_add(&triples)->bytes[2] = (char) i;
	}
	for (int64 i = 0; i < numbers.count; i++)
		same = same && numbers.items[i] == i * i && triples.items[i].bytes[2] == (char) i;
	ok(same && numbers.count == 100000 && triples.count == 100000, "items are as they were added");
	ok(moves <= 14, "room is doubled, %d times", (int) moves);

	sr_array_append(&numbers, numbers.items + 5, 0);
	ok(numbers.count == 100000, "nothing appended");
	sr_array_append(&triples, "abcdef", 2);
	ok(triples.count == 100002 && memcmp(triples.items + 100000, "abcdef", 6) == 0, "two appended");

	sr_array_reserve(&numbers, 1000000);
	ok(numbers.capacity >= 1100000 && numbers.count == 100000, "room asked for at once");
	sr_array_free(&numbers);
	sr_array_free(&numbers);
	sr_array_free(&triples);
	ok(numbers.items == NULL && numbers.count == 0 && numbers.capacity == 0, "freed, also twice");
	sr_array_push(&numbers, 1);
	ok(numbers.count == 1 && numbers.capacity == 16, "and used again");
	sr_array_free(&numbers);
}

/* Does asking for so much more, where there are so many, end the process? */
static bool
stops(int64 count, int64 more)
{
	int			status;
	pid_t		child = fork();

	if (child == 0)
	{
		Numbers		numbers = {NULL, count, count};

		/* what would be had must not be used: count is a lie */
		sr_array_reserve(&numbers, more);
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status);
}

static void
test_limits(void)
{
	ok(stops(INT64_MAX - 1, 2), "more items than can be counted");
	ok(stops(0, INT64_MAX), "more bytes than can be counted");
	ok(stops(INT64_C(1) << 60, 1), "twice as many would be more bytes than can be counted");
	ok(stops(0, (INT64_C(1) << 60) + 1), "more bytes than one allocation may have");
	ok(!stops(0, 1), "one is no problem");
}

int
main(void)
{
	test_growth();
	test_limits();
	return tap_done();
}
