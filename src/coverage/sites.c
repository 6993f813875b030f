/*
 * sites.c: where the next nodes do most good: greedy maximum coverage.
 *
 * A candidate is the centre of any cell, and its gain the sum of what is left in
 * its disc. What is left only shrinks, so a gain once computed bounds all later
 * ones, and the largest in a heap is the next site as soon as it is up to date.
 * Most candidates are never looked at: the heap begins with blocks of cells, the
 * base faces, each with the sum in a disc around its middle that holds the discs
 * of all its cells, and a block that comes to the top is replaced by its quarters.
 *
 * Sums are fixed-point numbers, so gains are exact and comparisons of them too.
 */
#include "coverage/coverage.h"

#include "coverage/check.h"
#include "coverage/geog.h"

#include "funcapi.h"
#include "miscadmin.h"

#include "base/dmath.h"
#include "base/result.h"
#include "base/wkb.h"
#include "coverage/remainder.h"

/* More candidates than this at one time are refused: half a gigabyte. */
#define MAX_CANDIDATES (INT64_C(1) << 24)

/* A cell of the field's order, or a block: a cell of a lower order. */
typedef struct Candidate
{
	int128		bound;			/* no cell of it gains more */
	uint32		cell;			/* its lowest cell of the field's order */
	uint32		place;			/* face, x, y at its own order */
	int32		round;			/* sites that were known */
	int32		order;
} Candidate;

typedef struct Position
{
	double		x,
				y,
				z;
} Position;

typedef struct SiteSearch
{
	Remainder	left;
	double		radius;
	SR_ARRAY(Candidate) heap;
	/* by order of blocks */
	double		reach[SR_MAX_ORDER + 1];	/* radius of a disc with the discs of all cells; 0: all the Earth */
	double		apart[SR_MAX_ORDER + 1];	/* sites this far, in space, do not matter to it */
	int			max_sites;
	SR_ARRAY(Position) sites;	/* found so far */
	TupleDesc	tupdesc;
} SiteSearch;

/* ---------- candidates ---------- */

#define PLACE(face, x, y) ((uint32) (face) << 26 | (uint32) (x) << 13 | (uint32) (y))
#define PLACE_FACE(p) ((int) ((p) >> 26))
#define PLACE_X(p) ((int32) ((p) >> 13 & 8191))
#define PLACE_Y(p) ((int32) ((p) & 8191))

/* Largest gain first, and the lowest cell of equals. */
static inline bool
goes_before(const Candidate *a, const Candidate *b)
{
	if (a->bound != b->bound)
		return a->bound > b->bound;
	if (a->cell != b->cell)
		return a->cell < b->cell;
	return a->order < b->order;
}

static void
sift_down(SiteSearch *search, int64 i)
{
	Candidate	c = search->heap.items[i];

	for (;;)
	{
		int64		child = 2 * i + 1;

		if (child >= search->heap.count)
			break;
		if (child + 1 < search->heap.count &&
			goes_before(&search->heap.items[child + 1], &search->heap.items[child]))
			child++;
		if (!goes_before(&search->heap.items[child], &c))
			break;
		search->heap.items[i] = search->heap.items[child];
		i = child;
	}
	search->heap.items[i] = c;
}

static void
push(SiteSearch *search, const Candidate *c)
{
	int64		i;

	if (search->heap.count >= MAX_CANDIDATES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than " INT64_FORMAT " places of order %d gain about the same",
						MAX_CANDIDATES, search->left.grid->order),
				 errhint("Use a lower grid_order, such as %d.", Max(search->left.grid->order - 1, 0))));
	sr_array_reserve(&search->heap, 1);
	i = search->heap.count++;
	while (i > 0 && goes_before(c, &search->heap.items[(i - 1) / 2]))
	{
		search->heap.items[i] = search->heap.items[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	search->heap.items[i] = *c;
}

static void
pop(SiteSearch *search)
{
	search->heap.items[0] = search->heap.items[--search->heap.count];
	if (search->heap.count > 0)
		sift_down(search, 0);
}

/* The disc whose sum bounds a candidate: a cell's own, or one around a block. */
static void
candidate_disc(const SiteSearch *search, const Candidate *c, Disc *disc)
{
	if (c->order == search->left.grid->order)
	{
		sr_hpx_cell_center(search->left.grid, c->cell, &disc->lon, &disc->lat);
		disc->radius = search->radius;
	}
	else
	{
		double		n = (double) (INT64_C(1) << c->order);

		sr_hpx_face_position(PLACE_FACE(c->place), (PLACE_X(c->place) + 0.5) / n,
							 (PLACE_Y(c->place) + 0.5) / n, &disc->lon, &disc->lat);
		disc->radius = search->reach[c->order];
	}
}

static void
evaluate(const SiteSearch *search, Candidate *c)
{
	Disc		disc;

	candidate_disc(search, c, &disc);
	if (disc.radius > 0)
		c->bound = Min(c->bound, sr_remainder_sum(&search->left, &disc));
	c->round = (int32) search->sites.count;
}

/* Where a point of the Earth's surface lies in space, in metres. */
static Position
position(double lon, double lat)
{
	double		s,
				c,
				sl,
				cl,
				n;
	Position	p;

	sr_sincos_deg(lat, &s, &c);
	sr_sincos_deg(lon, &sl, &cl);
	n = SR_WGS84_A / sqrt(1.0 - SR_WGS84_E2 * s * s);
	p.x = n * c * cl;
	p.y = n * c * sl;
	p.z = n * (1.0 - SR_WGS84_E2) * s;
	return p;
}

/* May a site found since a candidate was evaluated have taken from it? */
static bool
is_stale(const SiteSearch *search, const Candidate *c)
{
	Disc		disc;
	Position	at;
	double		apart = search->apart[c->order];

	if (c->round == search->sites.count)
		return false;
	/* by then it is as cheap to evaluate */
	if (search->sites.count - c->round > 256)
		return true;
	candidate_disc(search, c, &disc);
	at = position(disc.lon, disc.lat);
	for (int64 i = c->round; i < search->sites.count; i++)
	{
		double		dx = search->sites.items[i].x - at.x;
		double		dy = search->sites.items[i].y - at.y;
		double		dz = search->sites.items[i].z - at.z;

		if (dx * dx + dy * dy + dz * dz < apart * apart)
			return true;
	}
	return false;
}

/* Replaces the block at the top of the heap by its quarters. */
static void
split_top(SiteSearch *search)
{
	Candidate	block = search->heap.items[0];
	int			order = search->left.grid->order;

	pop(search);
	for (int k = 0; k < 4; k++)
	{
		Candidate	c = block;
		int			face = PLACE_FACE(block.place);
		int32		x = 2 * PLACE_X(block.place) + (k & 1);
		int32		y = 2 * PLACE_Y(block.place) + (k >> 1);
		int64		north;

		c.order = block.order + 1;
		c.place = PLACE(face, x, y);
		/* its northern corner is alone on its ring */
		north = INT64_C(1) << (order - c.order);
		c.cell = (uint32) sr_hpx_face_to_cell(order, face, (x + 1) * north - 1, (y + 1) * north - 1);
		evaluate(search, &c);
		if (c.bound > 0)
			push(search, &c);
	}
}

/*
 * The next site; false when nothing is left to gain, or enough sites are found.
 */
static bool
next_site(SiteSearch *search, double *lon, double *lat, int128 *gain)
{
	while (search->sites.count < search->max_sites && search->heap.count > 0)
	{
		Candidate  *top = &search->heap.items[0];
		Disc		disc;

		CHECK_FOR_INTERRUPTS();
		if (is_stale(search, top))
		{
			evaluate(search, top);
			if (top->bound > 0)
				sift_down(search, 0);
			else
				pop(search);
			continue;
		}
		if (top->order < search->left.grid->order)
		{
			split_top(search);
			continue;
		}

		candidate_disc(search, top, &disc);
		*lon = disc.lon;
		*lat = disc.lat;
		*gain = top->bound;
		pop(search);
		sr_remainder_take(&search->left, &disc);
		sr_array_push(&search->sites, position(disc.lon, disc.lat));
		return true;
	}
	return false;
}

/* Works out how far blocks of each order reach, and begins with the base faces. */
static void
start_search(SiteSearch *search)
{
	/* the largest Gaussian radius of curvature, at the poles, gives the longest chord */
	const double gauss = SR_WGS84_A / sqrt(1.0 - SR_WGS84_E2);
	double		s,
				c,
				chord;

	sr_sincos_deg(search->radius / (2.0 * gauss) / SR_DEGREE, &s, &c);
	chord = 2.0 * gauss * s;
	for (int order = 0; order <= search->left.grid->order; order++)
	{
		/* from a cell's centre to its farthest corner: largest where the belt ends (at z = 2/3) */
		double		nside = (double) (INT64_C(1) << order);
		double		t = 1.0 - 1.0 / nside;
		double		z = 1.0 - t * t / 3.0;
		double		cosine = z * 2.0 / 3.0 + sqrt((1.0 - z * z) * 5.0 / 9.0) * cos(SR_PI / (4.0 * nside));
		double		corner = order == search->left.grid->order ? 0.0 :
			2.0 * SR_WGS84_A * sqrt((1.0 - cosine) / 2.0) * 1.03;
		double		with_discs = 1.005 * (chord + corner);

		search->reach[order] = with_discs > 1.2 * SR_WGS84_A ? 0.0 :
			2.0 * gauss * sr_asin(with_discs / (2.0 * gauss));
		search->apart[order] = with_discs + 1.005 * chord;
	}

	for (int face = 0; face < 12; face++)
	{
		int64		last = search->left.grid->nside - 1;
		Candidate	block = {
			.bound = search->left.total,
			.cell = (uint32) sr_hpx_face_to_cell(search->left.grid->order, face, last, last),
			.place = PLACE(face, 0, 0),
		};

		evaluate(search, &block);
		if (block.bound > 0)
			push(search, &block);
	}
}

/* ---------- SQL ---------- */

static int
check_sites(int sites)
{
	if (sites < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of sites %d is out of range", sites),
				 errhint("Ask for at least 1.")));
	return sites;
}

/* The sites with their places as EWKB. */
SR_FUNCTION(coverage_site_rows);
Datum
coverage_site_rows(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	SiteSearch *search;
	MemoryContext old;
	double		lon,
				lat;
	int128		gain;
	bool		found;

	if (SRF_IS_FIRSTCALL())
	{
		Disc		disc = {.radius = PG_GETARG_FLOAT8(1)};
		Coverage   *c;

		check_disc(&disc);
		(void) check_sites(PG_GETARG_INT32(2));
		funcctx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		search = palloc0(sizeof(SiteSearch));
		c = PG_GETARG_COVERAGE(0);
		search->radius = disc.radius;
		search->max_sites = PG_GETARG_INT32(2);
		sr_remainder_init(&search->left, c);
		start_search(search);
		search->tupdesc = sr_result_row(fcinfo);
		funcctx->user_fctx = search;
		MemoryContextSwitchTo(old);
	}
	funcctx = SRF_PERCALL_SETUP();
	search = funcctx->user_fctx;

	old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
	found = next_site(search, &lon, &lat, &gain);
	MemoryContextSwitchTo(old);
	if (found)
	{
		Datum		values[4];
		bool		nulls[4] = {false, false, false, false};

		values[0] = Int32GetDatum((int32) search->sites.count);
		values[1] = PointerGetDatum(sr_wkb_point(lon, lat, SRID_WGS84));
		values[2] = Float8GetDatum(from_fixed(gain, search->left.shift));
		values[3] = Float8GetDatum(from_fixed(search->left.total, search->left.shift));
		SRF_RETURN_NEXT(funcctx, HeapTupleGetDatum(heap_form_tuple(search->tupdesc, values, nulls)));
	}
	SRF_RETURN_DONE(funcctx);
}
