/*
 * PostGIS's values: the first byte says the grid order, the rest is a GSERIALIZED
 * from behind its length on. Points go on into cells and discs, regions into cells.
 */
#include "shim.h"

#include "coverage/check.h"
#include "coverage/geog.h"
#include "coverage/region.h"
#include "grid/area.h"
#include "grid/locate.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t		LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t		LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* Finer grids only take longer. */
#define MOST_ORDER 6

static void
check_spans(const SpanList *spans, int order)
{
	for (int64 i = 0; i < spans->nspans; i++)
	{
		shim_require(spans->spans[i].first <= spans->spans[i].last, "spans are not empty");
		shim_require(spans->spans[i].first >= 0 && spans->spans[i].last < INT64_C(12) << (2 * order), "spans are in the grid");
	}
}

/* What is covered as a place is what is covered as a cell. */
static void
check_places(const GeogRegion *region, const SpanList *spans, int order)
{
	const HpxGrid *grid = sr_hpx_grid(order);
	Locator    *locator = sr_locator_new();
	RingFault	fault;
	int64		at = 0;

	shim_require(sr_locator_add(locator, region->polygons, region->npolygons, &fault), "what can be scanned can be searched");
	sr_locator_finish(locator);
	for (int32 p = 0; p < region->npolygons; p++)
	{
		double		area = sr_polygon_area(&region->polygons[p]);

		shim_require(area >= 0 && area <= 2.56e14, "no polygon is larger than half of the Earth");
	}
	/* all cells of small grids, some of others */
	for (int64 cell = 0; cell < grid->ncell; cell += order > 2 ? 1 + grid->ncell / 200 : 1)
	{
		double		lon,
					lat;

		sr_hpx_cell_center(grid, cell, &lon, &lat);
		while (at < spans->nspans && spans->spans[at].last < cell)
			at++;
		shim_require((sr_locator_find(locator, lon, lat) == 0) == (at < spans->nspans && spans->spans[at].first <= cell), "cells and places agree");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int			order;
	struct varlena *value;
	Datum		datum;

	if (size < 1)
		return 0;
	order = data[0] % (MOST_ORDER + 1);
	data++;
	size--;
	value = malloc(VARHDRSZ + size);
	SET_VARSIZE(value, VARHDRSZ + size);
	memcpy(VARDATA(value), data, size);
	datum = PointerGetDatum(value);

	if (sigsetjmp(shim_error, 0) == 0)
	{
		Disc		disc;
		SpanList	spans;
		int64		cell;

		sr_geog_read_point(datum, &disc.lon, &disc.lat);
		/* as it lies in a table: behind a length of one byte, not aligned */
		if (size <= VARATT_SHORT_MAX - VARHDRSZ_SHORT)
		{
			struct varlena *packed = malloc(VARHDRSZ_SHORT + size);
			double		lon,
						lat;

			SET_VARSIZE_SHORT(packed, VARHDRSZ_SHORT + size);
			memcpy(VARDATA_SHORT(packed), data, size);
			sr_geog_read_point(PointerGetDatum(packed), &lon, &lat);
			shim_require(lon == disc.lon && lat == disc.lat, "a packed point is the same");
			free(packed);
		}
		cell = sr_point_cell(order, disc.lon, disc.lat);
		shim_require(cell >= 0 && cell < INT64_C(12) << (2 * order), "a point's cell is in the grid");
		/* small to large, as the size of the input says */
		disc.radius = Min(1e-3 * pow(2.0, (double) size), SR_MAX_RADIUS);
		sr_span_list_init(&spans);
		sr_scan_disc(sr_hpx_grid(order), &disc, &spans);
		check_spans(&spans, order);
		{
			bool		found = false;

			for (int64 i = 0; i < spans.nspans; i++)
				found = found || (spans.spans[i].first <= cell && cell <= spans.spans[i].last);
			shim_require(found, "a disc holds the cell of its centre");
		}
	}
	shim_reset();

	if (sigsetjmp(shim_error, 0) == 0)
	{
		GeogRegion	region;
		SpanList	spans;
		RingFault	fault;

		sr_geog_read_region(datum, &region);
		sr_span_list_init(&spans);
		if (sr_scan_polygons(sr_hpx_grid(order), region.polygons, region.npolygons, &spans, &fault))
		{
			check_spans(&spans, order);
			for (int64 i = 1; i < spans.nspans; i++)
				shim_require(spans.spans[i].first > spans.spans[i - 1].last + 1, "a region's spans are apart and in order");
			check_places(&region, &spans, order);
			shim_check_coverage(sr_coverage_from_spans(order, &spans));
		}
	}
	shim_reset();
	free(value);
	return 0;
}

/* Often puts a number with a meaning where the coordinates are. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static const double special[] = {
		0, -0.0, 22.5, 45, 90, -90, 180, -180, 360, 540, 41.8103148957786, -41.8103148957786, 66.4, 1e-300, 1e-9, 1e300,
		89.99999999999999, -89.99999999999999, 179.99999999999997, 90.00000000000001, NAN, INFINITY
	};
	uint64		r = seed * UINT64_C(0x9e3779b97f4a7c15);
	size_t		slots,
				at;
	double		v;

	/* type and counts come first: 1 + 4 + 12 bytes at least, then doubles in steps of 4 bytes */
	if (size < 40 || (r >> 60) < 6)
		return LLVMFuzzerMutate(data, size, max_size);
	slots = (size - 13 - 8) / 4;
	at = 13 + 4 * ((r >> 20) % slots);
	memcpy(&v, data + at, sizeof(v));
	switch ((r >> 56) & 7)
	{
		case 0:
			v = nextafter(v, 1e308);
			break;
		case 1:
			v = nextafter(v, -1e308);
			break;
		case 2:
			v = -v;
			break;
		case 3:
			v += 180;
			break;
		case 4:
			memcpy(&v, data + 13 + 4 * ((r >> 36) % slots), sizeof(v));
			break;
		default:
			v = special[(r >> 36) % lengthof(special)];
	}
	memcpy(data + at, &v, sizeof(v));
	return size;
}
