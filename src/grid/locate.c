/*
 * locate.c: which of many regions covers a point, for many points.
 *
 * Inside and outside are told apart as in scan.c, by the parity of crossings
 * from a point outside along its meridian and then along the parallel of the
 * point asked for. Edges are sorted into bands of latitude, so that few are
 * looked at, and parts of regions into bins of the sphere.
 *
 * A point within a hair's breadth of an edge is not decided here: whoever asks
 * has an authority for that.
 */
#include "grid/locate.h"

#include "grid/edge.h"

#define NEAR_EDGE 1e-9			/* radians: 6 mm */
#define NEAR_TURN 1e-10
#define NEAR_POLE 1e-6			/* cosine of latitude: 6 m from a pole longitudes mean little */
#define LON_SLACK 1e-3			/* turns; more than NEAR_EDGE is at NEAR_POLE */

/* Bins: rows of equal height, each with as many columns of longitude. */
#define NROW 256
#define NCOLUMN 512
#define MAX_BIN_ITEMS (INT64_C(1) << 23)	/* else the bins become wider */

/* Edges between two checks for interrupts. */
#define INTERRUPT_EDGES 65536

/* A linear ring with its edges by bands of latitude. */
typedef struct Ring
{
	Edge	   *edges;
	int32		nedges;
	double	   *meridian;		/* tangents of latitude of crossings with the outside point's, ascending */
	int32		nmeridian;
	bool		north_inside;	/* that meridian's northern end */
	double		zlo;			/* what the edges reach */
	double		zhi;
	double		bands_per_z;
	int32		nbands;
	int64	   *band_start;		/* nbands + 1 */
	int32	   *band_edge;
} Ring;

/* One polygon of a region. */
typedef struct Part
{
	int32		region;
	int32		nrings;			/* the first is the shell */
	Ring	   *rings;
	double		origin;			/* meridian of the outside point, turns */
	bool		unsure;			/* no question about it is answered here */
	double		zlo;			/* of what it covers */
	double		zhi;
	uint64		columns[NCOLUMN / 64];	/* which it reaches, a bit each */
} Part;

struct Locator
{
	Part	   *parts;
	int32		nparts;
	int32		capacity;
	int32		nregions;
	int			shift;			/* bins are 2^shift rows high and columns wide */
	int64	   *bin_start;		/* number of bins + 1 */
	int32	   *bin_part;
};

/* A point asked for. */
typedef struct Place
{
	Vec3		v;
	double		coslat;
	double		tan;
	double		turn;
} Place;

typedef enum Answer
{
	OUTSIDE,
	INSIDE,
	UNSURE
} Answer;

/* ---- building ---- */

Locator *
locator_new(void)
{
	Locator    *locator = sr_alloc(sizeof(Locator));

	memset(locator, 0, sizeof(Locator));
	return locator;
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* The heights between which an edge lies. */
static inline double
edge_low(const Edge *e)
{
	return Min(e->z1, Min(e->z2, e->zm));
}

static inline double
edge_high(const Edge *e)
{
	return Max(e->z1, Max(e->z2, e->zm));
}

/* The band of a height. */
static inline int32
band_of(const Ring *ring, double z)
{
	double		band = floor((z - ring->zlo + NEAR_EDGE) * ring->bands_per_z);

	return band < 0 ? 0 : band >= ring->nbands ? ring->nbands - 1 : (int32) band;
}

/* Sorts the edges into bands, each into all that it comes near. */
static void
make_bands(Ring *ring)
{
	double		climbed = 0;
	double		height;
	int64		total = 0;
	int64	   *start;

	for (int32 i = 0; i < ring->nedges; i++)
		climbed += edge_high(&ring->edges[i]) - edge_low(&ring->edges[i]) + 2 * NEAR_EDGE;

	/* so many that the edges together are in about three times their number */
	height = ring->zhi - ring->zlo + 2 * NEAR_EDGE;
	ring->nbands = (int32) Max(1, Min(ring->nedges, floor(2.0 * ring->nedges * height / climbed)));
	ring->bands_per_z = ring->nbands / height;

	start = ring->band_start = sr_alloc(((size_t) ring->nbands + 2) * sizeof(int64));
	memset(start, 0, ((size_t) ring->nbands + 2) * sizeof(int64));
	/* counted two places on, so that filling moves each start to its place */
	for (int pass = 0; pass < 2; pass++)
	{
		for (int32 i = 0; i < ring->nedges; i++)
		{
			int32		last = band_of(ring, edge_high(&ring->edges[i]) + NEAR_EDGE);

			if (i % INTERRUPT_EDGES == 0)
				sr_check_interrupts();
			for (int32 b = band_of(ring, edge_low(&ring->edges[i]) - NEAR_EDGE); b <= last; b++)
				if (pass == 0)
				{
					start[b + 2]++;
					total++;
				}
				else
					ring->band_edge[start[b + 1]++] = i;
		}
		if (pass == 0)
		{
			for (int32 b = 2; b <= ring->nbands + 1; b++)
				start[b] += start[b - 1];
			ring->band_edge = sr_alloc((size_t) total * sizeof(int32));
		}
	}
}

/* Reads a linear ring; false if it has an edge that is not defined. */
static bool
make_ring(Ring *ring, const LinearRing *lr, double origin, double outside_tan)
{
	memset(ring, 0, sizeof(Ring));
	ring->zlo = 2;
	ring->zhi = -2;
	if (lr->npoints < 2)
		return true;
	ring->edges = sr_alloc((size_t) (lr->npoints - 1) * sizeof(Edge));
	ring->meridian = sr_alloc((size_t) (lr->npoints - 1) * sizeof(double));
	for (int32 i = 0; i + 1 < lr->npoints; i++)
	{
		Edge	   *e = &ring->edges[ring->nedges];
		double		tan;

		if (i % INTERRUPT_EDGES == 0)
			sr_check_interrupts();
		switch (edge_make(&lr->xy[2 * (size_t) i], e))
		{
			case EDGE_POINT:
				continue;
			case EDGE_ANTIPODAL:
				return false;
			case EDGE_ARC:
				break;
		}
		ring->nedges++;
		ring->zlo = Min(ring->zlo, edge_low(e));
		ring->zhi = Max(ring->zhi, edge_high(e));
		if (edge_meets_meridian(e, origin, &tan))
		{
			ring->meridian[ring->nmeridian++] = tan;
			ring->north_inside ^= tan > outside_tan;
		}
	}
	qsort(ring->meridian, (size_t) ring->nmeridian, sizeof(double), compare_doubles);
	if (ring->nedges > 0)
		make_bands(ring);
	return true;
}

/* The columns that a shell reaches. */
static void
mark_columns(Part *part)
{
	const Ring *shell = &part->rings[0];
	bool		all = part->unsure || part->zlo <= -1 || part->zhi >= 1;

	for (int32 i = 0; i < shell->nedges && !all; i++)
	{
		const Edge *e = &shell->edges[i];
		double		west = e->dlon < 0 ? e->turn2 : e->turn1;
		int32		first = (int32) floor(west * NCOLUMN) - 1;
		int32		last = (int32) floor((west + fabs(e->dlon)) * NCOLUMN) + 1;

		if (i % INTERRUPT_EDGES == 0)
			sr_check_interrupts();
		if (fabs(e->dlon) >= 0.49)
			all = true;
		for (int32 c = first; c <= last; c++)
			part->columns[(c & (NCOLUMN - 1)) / 64] |= UINT64_C(1) << (c & 63);
	}
	if (all)
		memset(part->columns, 0xff, sizeof(part->columns));
}

void
locator_add(Locator *locator, const Polygon *polygons, int32 npolygons)
{
	for (int32 p = 0; p < npolygons; p++)
	{
		const Polygon *polygon = &polygons[p];
		Part	   *part;
		Vec3		outside;
		double		outside_tan;
		bool		sure;

		if (polygon->nrings == 0 || polygon->rings[0].npoints == 0)
			continue;
		if (locator->nparts == locator->capacity)
		{
			locator->capacity = locator->capacity ? 2 * locator->capacity : 64;
			locator->parts = locator->parts == NULL ? sr_alloc((size_t) locator->capacity * sizeof(Part))
				: sr_realloc(locator->parts, (size_t) locator->capacity * sizeof(Part));
		}
		part = &locator->parts[locator->nparts];
		memset(part, 0, sizeof(Part));
		part->region = locator->nregions;
		part->rings = sr_alloc((size_t) polygon->nrings * sizeof(Ring));

		outside = point_outside(polygon, &sure);
		part->origin = sr_atan2_turn(outside.y, outside.x);
		part->unsure = !sure;
		outside_tan = outside.z / Max(1e-300, sqrt(outside.x * outside.x + outside.y * outside.y));
		for (int32 r = 0; r < polygon->nrings; r++)
			if (!make_ring(&part->rings[part->nrings++], &polygon->rings[r], part->origin, outside_tan))
				part->unsure = true;

		part->zlo = Max(-1.0, part->rings[0].zlo - NEAR_EDGE);
		part->zhi = Min(1.0, part->rings[0].zhi + NEAR_EDGE);
		if (part->unsure || part->rings[0].north_inside)
			part->zhi = 1;
		if (part->unsure || part->rings[0].north_inside != (part->rings[0].nmeridian % 2 != 0))
			part->zlo = -1;
		mark_columns(part);
		locator->nparts++;
	}
	locator->nregions++;
}

/* The row of bins of a height, at full resolution. */
static inline int32
row_of(double z)
{
	int32		row = (int32) floor((z + 1) * (NROW / 2));

	return row < 0 ? 0 : row >= NROW ? NROW - 1 : row;
}

/* Does a part reach a column that is 2^shift wide? */
static inline bool
reaches(const Part *part, int32 column, int shift)
{
	for (int32 c = column << shift; c < (column + 1) << shift; c++)
		if (part->columns[c / 64] >> (c & 63) & 1)
			return true;
	return false;
}

void
locator_finish(Locator *locator)
{
	for (;; locator->shift++)
	{
		int32		columns = NCOLUMN >> locator->shift;
		int32		bins = (NROW >> locator->shift) * columns;
		int64	   *start = sr_alloc(((size_t) bins + 2) * sizeof(int64));
		int64		total = 0;

		memset(start, 0, ((size_t) bins + 2) * sizeof(int64));
		for (int pass = 0; pass < 2; pass++)
		{
			for (int32 p = 0; p < locator->nparts; p++)
			{
				const Part *part = &locator->parts[p];
				int32		last = row_of(part->zhi) >> locator->shift;

				sr_check_interrupts();
				if (part->zlo > part->zhi)
					continue;
				for (int32 c = 0; c < columns; c++)
				{
					if (!reaches(part, c, locator->shift))
						continue;
					for (int32 row = row_of(part->zlo) >> locator->shift; row <= last; row++)
						if (pass == 0)
						{
							start[row * columns + c + 2]++;
							total++;
						}
						else
							locator->bin_part[start[row * columns + c + 1]++] = p;
				}
			}
			if (pass == 0)
			{
				if (total > MAX_BIN_ITEMS && columns > 1 && NROW >> locator->shift > 1)
					break;
				for (int32 b = 2; b <= bins + 1; b++)
					start[b] += start[b - 1];
				locator->bin_part = sr_alloc((size_t) total * sizeof(int32));
			}
		}
		if (locator->bin_part != NULL)
		{
			locator->bin_start = start;
			return;
		}
		sr_free(start);
	}
}

/* ---- asking ---- */

/* Is the longitude of a place within, or almost within, that of an edge? */
static inline bool
in_longitudes(const Edge *e, const Place *place)
{
	double		along = turn_diff(place->turn, e->turn1);

	return fabs(e->dlon) >= 0.49 ||
		(along >= Min(0, e->dlon) - LON_SLACK && along <= Max(0, e->dlon) + LON_SLACK);
}

/* Does a piece of an edge cross the place's parallel between the meridian and the place? */
static inline Answer
piece_crosses(const Edge *e, double z1, double z2, const Place *place, double origin, double place_turn)
{
	double		turn;

	if ((z1 > place->v.z) == (z2 > place->v.z))
		return OUTSIDE;
	turn = edge_crossing(e, z2 > z1, place->v.z, place->coslat) - origin;
	turn -= floor(turn);
	if (turn < NEAR_TURN || turn > 1 - NEAR_TURN || fabs(turn - place_turn) < NEAR_TURN)
		return UNSURE;
	return turn < place_turn ? INSIDE : OUTSIDE;
}

/* Is a place inside a linear ring? */
static Answer
in_ring(const Ring *ring, const Place *place, double origin)
{
	double		place_turn = place->turn - origin;
	bool		inside = ring->north_inside;
	int32		lo = 0;
	int32		hi = ring->nmeridian;
	int32		band;

	place_turn -= floor(place_turn);

	/* down the meridian to the place's parallel */
	while (lo < hi)
	{
		int32		mid = lo + (hi - lo) / 2;

		if (ring->meridian[mid] > place->tan)
			hi = mid;
		else
			lo = mid + 1;
	}
	for (int32 i = Max(0, lo - 1); i <= lo && i < ring->nmeridian; i++)
		if (fabs(ring->meridian[i] - place->tan) <= 1e-12 * (1 + fabs(place->tan)))
			return UNSURE;
	inside ^= (ring->nmeridian - lo) % 2 != 0;

	/* along the parallel */
	if (ring->nedges == 0 || place->v.z < ring->zlo - NEAR_EDGE || place->v.z > ring->zhi + NEAR_EDGE)
		return inside ? INSIDE : OUTSIDE;
	if (place_turn < NEAR_TURN || place_turn > 1 - NEAR_TURN)
		return UNSURE;
	band = band_of(ring, place->v.z);
	for (int64 k = ring->band_start[band]; k < ring->band_start[band + 1]; k++)
	{
		const Edge *e = &ring->edges[ring->band_edge[k]];
		double		turning = EDGE_TURNS(e) ? e->zm : e->z1;
		Answer		first;
		Answer		second;

		if (k % INTERRUPT_EDGES == 0)
			sr_check_interrupts();
		if (place->v.z < edge_low(e) - NEAR_EDGE || place->v.z > edge_high(e) + NEAR_EDGE)
			continue;
		if (fabs(dot(e->n, place->v)) < NEAR_EDGE && in_longitudes(e, place))
			return UNSURE;
		first = piece_crosses(e, e->z1, turning, place, origin, place_turn);
		second = piece_crosses(e, turning, e->z2, place, origin, place_turn);
		if (first == UNSURE || second == UNSURE)
			return UNSURE;
		inside ^= first != second;
	}
	return inside ? INSIDE : OUTSIDE;
}

/* Is a place in a polygon: in its shell, and not in an odd number of holes? */
static Answer
in_part(const Part *part, const Place *place)
{
	Answer		shell;
	bool		in_hole = false;

	if (part->unsure || place->coslat < NEAR_POLE)
		return UNSURE;
	shell = in_ring(&part->rings[0], place, part->origin);
	if (shell != INSIDE)
		return shell;
	for (int32 r = 1; r < part->nrings; r++)
	{
		Answer		hole = in_ring(&part->rings[r], place, part->origin);

		if (hole == UNSURE)
			return UNSURE;
		in_hole ^= hole == INSIDE;
	}
	return in_hole ? OUTSIDE : INSIDE;
}

int32
locator_find(const Locator *locator, double lon, double lat, int32 from, bool *sure)
{
	Place		place;
	double		s;
	int32		bin;
	int32		found = -1;

	sr_check_interrupts();
	place.v = unit_vector(lon, lat);
	place.turn = sr_lon_turn(lon);
	sr_sincos_deg(lat, &s, &place.coslat);
	place.tan = s / Max(1e-300, place.coslat);
	bin = (row_of(place.v.z) >> locator->shift) * (NCOLUMN >> locator->shift) +
		((int32) (place.turn * NCOLUMN) >> locator->shift);

	*sure = false;
	for (int64 k = locator->bin_start[bin]; k < locator->bin_start[bin + 1]; k++)
	{
		const Part *part = &locator->parts[locator->bin_part[k]];

		if (part->region < from)
			continue;
		/* another part of the region may know better than one that is not sure */
		if (found >= 0 && part->region != found)
			break;
		switch (in_part(part, &place))
		{
			case OUTSIDE:
				break;
			case UNSURE:
				found = part->region;
				break;
			case INSIDE:
				*sure = true;
				return part->region;
		}
	}
	return found;
}
