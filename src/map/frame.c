/*
 * frame.c: the projection, and the part of the Earth that a picture shows.
 *
 * The projection is Equal Earth (Savric, Patterson, Jenny 2018, doi:10.1080/13658816.2018.1504949) on
 * authalic latitude: parallels are straight lines and areas are true. Nothing but + - * / and sqrt goes
 * into it, so that a picture is the same to the byte everywhere; the last bits of PROJ and of libm are not.
 */
#include "map/map.h"

#include "base/dmath.h"

#define MIN_HEIGHT 3800
#define MAX_HEIGHT 7600

/* The world's cut lies in the Bering Strait. */
#define WORLD_MERIDIAN (11.0 / 360.0)

/* What spans more of longitude, in turns, is drawn on a map of the world. */
#define MAX_WIDTH (140.0 / 360.0)

#define A1 1.340264
#define A2 (-0.081106)
#define A3 0.000893
#define A4 0.003796

typedef struct Projected
{
	double		x;				/* of a longitude of one radian */
	double		y;
} Projected;

/* Equal Earth of the unit sphere at authalic latitude asin(z). */
static Projected
equal_earth(double z)
{
	double		s = sqrt(3.0) / 2.0 * Max(-1.0, Min(1.0, z));
	double		t = sr_asin(s);
	double		t2 = t * t;
	double		t6 = t2 * t2 * t2;

	return (Projected) {
		2.0 * sqrt(3.0) * sqrt(1.0 - s * s) / (3.0 * (t6 * (9.0 * A4 * t2 + 7.0 * A3) + 3.0 * A2 * t2 + A1)),
		t * (t6 * (A4 * t2 + A3) + A2 * t2 + A1)
	};
}

/* The position of a place; across is in turns from the map's left edge. */
void
sr_frame_position(const MapFrame *frame, double across, double z, int *x, int *y)
{
	Projected	p = equal_earth(z);

	p.x *= frame->scale * frame->stretch * (across - 0.5) * 2 * SR_PI;
	p.y = frame->scale / frame->stretch * (p.y - frame->center_y);
	/* what is far outside may stay there, but not overflow */
	*x = SR_FRAME_LEFT + SR_FRAME_WIDTH / 2 + (int) rint(Max(-1e8, Min(1e8, p.x)));
	*y = frame->top + frame->height / 2 - (int) rint(Max(-1e8, Min(1e8, p.y)));
}

/* Turns from the map's left edge, in [0, 1), of a longitude in turns. */
double
sr_frame_across(const MapFrame *frame, double turn)
{
	double		a = turn - frame->meridian + 0.5;

	a -= floor(a);
	return a >= 1.0 ? 0.0 : a;
}

/* The finest order whose cells have at least so many square units. */
int
sr_frame_order(const MapFrame *frame, double least)
{
	double		size = 4 * SR_PI * frame->scale * frame->scale / 100 / 12;
	int			order = 0;

	for (; order < SR_MAX_ORDER && size >= 4 * least; order++)
		size /= 4;
	return order;
}

/* z of the parallel at a height in half rows from the north pole: between two rows, or through centres. */
double
sr_row_parallel(const HpxGrid *grid, int64 half_rows)
{
	const HpxRing *ring = HPX_RING(grid, half_rows / 2 + 1);

	if (half_rows == 2 * grid->nring)
		return -1.0;
	/* areas are proportional to z */
	return 1.0 - 2.0 * (double) (ring->start + half_rows % 2 * (ring->ncell / 2)) / (double) grid->ncell;
}

void
sr_frame_world(MapFrame *frame, int top)
{
	frame->whole = true;
	frame->meridian = WORLD_MERIDIAN;
	/* a unit is left for the outline */
	frame->scale = (SR_FRAME_WIDTH - 20) / (2 * SR_PI * equal_earth(0).x);
	frame->stretch = 1;
	frame->center_y = 0;
	frame->top = top;
	frame->height = 2 * (int) rint(equal_earth(1).y * frame->scale + 10);
}

/*
 * Makes a frame fit the bricks that were found in it, of a field of an order, with a margin
 * and shapes true on a parallel in the middle. Leaves it alone and returns false where there
 * are none, or where these are too wide or do not fit on the map of the Earth.
 */
bool
sr_frame_fit(MapFrame *frame, const Bricks *b, int order)
{
	MapFrame	fitted = {.top = frame->top};
	double		north = -1,
				south = 1,
				west = 1,
				east = 0;
	Projected	pole = equal_earth(1);
	double		middle,
				widest,
				half_width,
				half_height,
				least;

	for (int64 i = 0; i < b->list.count; i++)
	{
		const RowSpan *span = &b->list.items[i].span;

		north = Max(north, sr_row_parallel(b->grid, 2 * (int64) span->row));
		south = Min(south, sr_row_parallel(b->grid, 2 * (int64) span->row + 2));
		west = Min(west, span->from);
		east = Max(east, span->to);
	}
	if (b->list.count == 0 || east - west > MAX_WIDTH)
		return false;
	middle = (north + south) / 2;
	/* on the parallel next to the equator */
	widest = equal_earth(Max(south, Min(north, 0))).x;
	fitted.center_y = (equal_earth(north).y + equal_earth(south).y) / 2;
	fitted.stretch = sqrt(1 - middle * middle) / equal_earth(middle).x;
	fitted.meridian = frame->meridian - 0.5 + (west + east) / 2;
	fitted.meridian -= floor(fitted.meridian);

	/* a margin, and room for a dozen cells */
	least = 6 * sqrt(4 * SR_PI / (double) (INT64_C(12) << (2 * order)));
	half_width = Max(1.08 * SR_PI * (east - west) * widest * fitted.stretch, least);
	half_height = Max(1.08 * (equal_earth(north).y - equal_earth(south).y) / 2 / fitted.stretch, least);
	fitted.scale = Min(SR_FRAME_WIDTH / (2 * half_width), MAX_HEIGHT / (2 * half_height));
	fitted.height = 10 * (int) rint(Max(MIN_HEIGHT, Min(MAX_HEIGHT, 2 * half_height * fitted.scale)) / 10);

	/* the map of the Earth is narrowest at the poles */
	if (SR_FRAME_WIDTH / fitted.scale / fitted.stretch / 2 >= SR_PI * pole.x ||
		fabs(fitted.center_y) + fitted.height / fitted.scale * fitted.stretch / 2 >= pole.y)
		return false;
	*frame = fitted;
	return true;
}
