/*
 * tap.h: as much of the Test Anything Protocol as the unit tests need.
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

static int	tap_count,
			tap_failed;

/* One test: what it shows, as printf would format it. */
static void
__attribute__((format(printf, 2, 3)))
ok(bool passed, const char *format, ...)
{
	va_list		args;

	va_start(args, format);
	printf("%sok %d - ", passed ? "" : "not ", ++tap_count);
	vprintf(format, args);
	printf("\n");
	va_end(args);
	tap_failed += !passed;
}

/* Prints the plan; the exit code of the program. */
static int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

/* A uniform number in [0, 1), the same sequence everywhere (splitmix64). */
static inline double
tap_random(void)
{
	static uint64_t state = 20190101;
	uint64_t	z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (double) (z >> 11) / 9007199254740992.0;
}

#endif							/* TAP_H */
