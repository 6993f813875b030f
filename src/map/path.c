/*
 * path.c: outlines of bricks, with as few points as they need. A point is left out where the outline
 * without it passes by it at no more than TOLERANCE.
 */
#include "map/map.h"

/* In tenths of a unit, as all that is written. */
#define TOLERANCE 2.0

typedef struct Vector
{
	double		x;
	double		y;
} Vector;

typedef struct Path
{
	const Bricks *bricks;
	StringInfo	out;
	int64		npoints;		/* written so far */
	char		command;		/* the last one, 0 between outlines */
	Vector		pen;
	Vector		ahead;			/* the point to draw to, from the pen; (0, 0): none */
	Vector		right;			/* a straight line may go between these, where they are not (0, 0) */
	Vector		left;
} Path;

static inline double
cross(Vector a, Vector b)
{
	return a.x * b.y - a.y * b.x;
}

static inline double
square(Vector a)
{
	return a.x * a.x + a.y * a.y;
}

/* Draws to the point ahead. */
static void
draw(Path *path)
{
	Vector		d = path->ahead;

	if (square(d) == 0)
		return;
	/* a number needs a space where it would run into the one before */
	appendStringInfo(path->out, "%s%d%s%d", path->command == 'M' ? "l" : d.x < 0 ? "" : " ", (int) d.x, d.y < 0 ? "" : " ", (int) d.y);
	path->command = 'l';
	path->pen = (Vector) {path->pen.x + d.x, path->pen.y + d.y};
	path->ahead = path->right = path->left = (Vector) {0, 0};
	path->npoints++;
}

/*
 * Begins an outline at a point, or goes on to it. What passes all points since the pen's at
 * no more than TOLERANCE lies between two rays from the pen, which only come closer.
 */
static void
add_point(void *arg, double across, int64 half_rows)
{
	Path	   *path = arg;
	int			x,
				y;
	Vector		p,
				ray;
	double		s;

	CHECK_FOR_INTERRUPTS();
	sr_frame_position(path->bricks->frame, across, sr_row_parallel(path->bricks->grid, half_rows), &x, &y);
	if (path->command == 0)
	{
		appendStringInfo(path->out, "M%d %d", x, y);
		path->command = 'M';
		path->pen = (Vector) {x, y};
		path->npoints++;
		return;
	}
	p = (Vector) {x - path->pen.x, y - path->pen.y};
	if (cross(path->right, p) < 0 || cross(p, path->left) < 0 || square(p) < square(path->ahead))
	{
		draw(path);
		p = (Vector) {x - path->pen.x, y - path->pen.y};
	}
	if (square(p) <= TOLERANCE * TOLERANCE)
		return;
	s = sqrt(square(p) - TOLERANCE * TOLERANCE);
	ray = (Vector) {p.x * s + p.y * TOLERANCE, p.y * s - p.x * TOLERANCE};
	if (cross(path->right, ray) >= 0)
		path->right = ray;
	ray = (Vector) {p.x * s - p.y * TOLERANCE, p.y * s + p.x * TOLERANCE};
	if (cross(ray, path->left) >= 0)
		path->left = ray;
	path->ahead = p;
}

static void
close_outline(void *arg)
{
	Path	   *path = arg;

	draw(path);
	appendStringInfoChar(path->out, 'z');
	path->command = 0;
}

static int
compare_bricks(const void *a, const void *b)
{
	const RowSpan *x = &((const Brick *) a)->span;
	const RowSpan *y = &((const Brick *) b)->span;

	CHECK_FOR_INTERRUPTS();
	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

/*
 * Writes the outlines of the bricks with at least a value (at most its negative, with
 * sign -1) as path data. Returns their number of points.
 */
int64
sr_path_outline(Bricks *b, int sign, double at_least, StringInfo out)
{
	Path		path = {.bricks = b, .out = out};
	OutlineSink sink = {add_point, close_outline, &path};
	RowSpan    *spans = sr_alloc((size_t) b->list.count * sizeof(RowSpan));
	int64		n = 0;

	qsort(b->list.items, b->list.count, sizeof(Brick), compare_bricks);
	for (int64 i = 0; i < b->list.count; i++)
	{
		const Brick *brick = &b->list.items[i];

		if (!(sign * brick->value >= at_least))
			continue;
		if (n > 0 && spans[n - 1].row == brick->span.row && brick->span.from - spans[n - 1].to < SR_TOUCHING)
			spans[n - 1].to = Max(spans[n - 1].to, brick->span.to);
		else
			spans[n++] = brick->span;
	}
	sr_outline_trace(spans, n, &sink);
	pfree(spans);
	return path.npoints;
}
