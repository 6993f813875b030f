/*
 * path.c: outlines with as few points as they need. A point is left out where the outline
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
	const MapFrame *frame;
	const HpxGrid *grid;
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
	sr_frame_position(path->frame, across, sr_row_parallel(path->grid, half_rows), &x, &y);
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

/* Writes the outlines of intervals on the rows of a grid. Returns their number of points. */
int64
sr_path_outlines(const MapFrame *frame, const HpxGrid *grid, const RowSpan *spans, int64 nspans, StringInfo out)
{
	Path		path = {.frame = frame, .grid = grid, .out = out};
	OutlineSink sink = {add_point, close_outline, &path};

	outline_trace(spans, nspans, &sink);
	return path.npoints;
}
