/*
 * outline.c: outlines hold what the intervals hold, up to half a row.
 */
#include <math.h>

#include "grid/outline.h"
#include "tap.h"

#define MAX_OUT 100000

static double x[MAX_OUT],
			y[MAX_OUT];
static int	last_of[MAX_OUT];	/* end of each outline */
static int	npoint,
			noutline;

static void
add_point(void *arg, double px, int64 half_rows)
{
	(void) arg;
	x[npoint] = px;
	y[npoint++] = (double) half_rows / 2;
}

static void
add_close(void *arg)
{
	(void) arg;
	last_of[noutline++] = npoint;
}

static const OutlineSink sink = {add_point, add_close, NULL};

static void
trace(const RowSpan *spans, int64 n)
{
	npoint = noutline = 0;
	sr_outline_trace(spans, n, &sink);
}

/* Is a position inside, by the even-odd rule? */
static bool
inside(double px, double py)
{
	bool		in = false;

	for (int o = 0, i = 0; o < noutline; o++)
	{
		int			first = i;

		for (; i < last_of[o]; i++)
		{
			int			j = i + 1 < last_of[o] ? i + 1 : first;

			if ((y[i] > py) != (y[j] > py) && px < x[i] + (py - y[i]) / (y[j] - y[i]) * (x[j] - x[i]))
				in = !in;
		}
	}
	return in;
}

/* Area of all outlines, holes counted by their turn. */
static double
area(void)
{
	double		sum = 0;

	for (int o = 0, i = 0; o < noutline; o++)
	{
		int			first = i;

		for (; i < last_of[o]; i++)
		{
			int			j = i + 1 < last_of[o] ? i + 1 : first;

			sum += x[i] * y[j] - x[j] * y[i];
		}
	}
	return fabs(sum) / 2;
}

int
main(void)
{
	RowSpan		spans[4096];
	int64		n;
	int			wrong = 0,
				looked = 0;

	trace(NULL, 0);
	ok(noutline == 0, "nothing has no outline");

	trace((RowSpan[]) {{3, 1, 2}}, 1);
	ok(noutline == 1 && npoint == 4 && area() == 1, "one interval is a rectangle");

	trace((RowSpan[]) {{3, 1, 2}, {3, 4, 5}, {5, 1, 2}}, 3);
	ok(noutline == 3 && npoint == 12, "what does not touch is apart");

	trace((RowSpan[]) {{0, 0, 9}, {1, 0, 3}, {1, 6, 9}, {2, 0, 9}}, 4);
	ok(noutline == 2, "a ring has an outline and a hole");
	ok(inside(1, 1.5) && !inside(4.5, 1.5) && inside(8, 1.5), "the hole is empty");

	trace((RowSpan[]) {{0, 0, 1}, {1, 1, 2}, {2, 2, 3}, {3, 3, 4}}, 4);
	ok(noutline >= 1 && fabs(area() - 4) < 1e-12, "steps that touch at corners keep their area");

	/* random rows: the middle of each interval's row is inside, that of each gap outside */
	for (int round = 0; round < 50; round++)
	{
		n = 0;
		for (int row = 0; row < 40; row++)
		{
			double		at = tap_random() * 3;

			while (at < 30)
			{
				double		to = at + 0.5 + tap_random() * 4;

				spans[n++] = (RowSpan) {row, at, to};
				at = to + 0.5 + tap_random() * 4;
			}
		}
		trace(spans, n);
		for (int64 i = 0; i < n; i++)
		{
			double		mid = spans[i].row + 0.5 + 1e-9;

			wrong += !inside((spans[i].from + spans[i].to) / 2, mid);
			looked++;
			if (i + 1 < n && spans[i + 1].row == spans[i].row)
			{
				wrong += inside((spans[i].to + spans[i + 1].from) / 2, mid);
				looked++;
			}
		}
	}
	ok(looked > 10000 && wrong == 0, "random rows: %d of %d positions on the wrong side", wrong, looked);
	return tap_done();
}
