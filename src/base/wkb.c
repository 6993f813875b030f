/*
 * wkb.c: well-known binary in the machine's byte order; with a reference system it is
 * PostGIS's extended form.
 */
#include "base/wkb.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#define TYPE_POINT 1
#define TYPE_POLYGON 3
#define TYPE_MULTIPOLYGON 6
#define HAS_SRID 0x20000000

#ifdef WORDS_BIGENDIAN
#define BYTE_ORDER_MARK 0
#else
#define BYTE_ORDER_MARK 1
#endif

#define POSITION_BYTES (2 * sizeof(double))

static char *
put_uint32(char *at, uint32 v)
{
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

static Size
header_size(int32 srid)
{
	return 1 + sizeof(uint32) + (srid != SRID_NONE ? sizeof(uint32) : 0);
}

static char *
put_header(char *at, uint32 type, int32 srid)
{
	*at++ = BYTE_ORDER_MARK;
	at = put_uint32(at, srid != SRID_NONE ? type | HAS_SRID : type);
	return srid != SRID_NONE ? put_uint32(at, (uint32) srid) : at;
}

/* Bytes of a polygon's rings. */
static Size
rings_size(const Polygon *polygon)
{
	Size		size = sizeof(uint32);

	for (int32 i = 0; i < polygon->nrings; i++)
		size = add_size(size, sizeof(uint32) + (Size) polygon->rings[i].npoints * POSITION_BYTES);
	return size;
}

static char *
put_rings(char *at, const Polygon *polygon)
{
	at = put_uint32(at, (uint32) polygon->nrings);
	for (int32 i = 0; i < polygon->nrings; i++)
	{
		Size		bytes = (Size) polygon->rings[i].npoints * POSITION_BYTES;

		CHECK_FOR_INTERRUPTS();
		at = put_uint32(at, (uint32) polygon->rings[i].npoints);
		memcpy(at, polygon->rings[i].xy, bytes);
		at += bytes;
	}
	return at;
}

static bytea *
new_bytea(Size size)
{
	bytea	   *out;

	size = add_size(size, VARHDRSZ);
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("geography needs more than 1 GB"),
				 errhint("Use a lower grid_order.")));
	out = palloc(size);
	SET_VARSIZE(out, size);
	return out;
}

bytea *
sr_wkb_point(double lon, double lat, int32 srid)
{
	bytea	   *out = new_bytea(header_size(srid) + POSITION_BYTES);
	char	   *at = put_header(VARDATA(out), TYPE_POINT, srid);

	memcpy(at, &lon, sizeof(lon));
	memcpy(at + sizeof(lon), &lat, sizeof(lat));
	return out;
}

bytea *
sr_wkb_polygon(const Polygon *polygon, int32 srid)
{
	bytea	   *out = new_bytea(add_size(header_size(srid), rings_size(polygon)));

	(void) put_rings(put_header(VARDATA(out), TYPE_POLYGON, srid), polygon);
	return out;
}

bytea *
sr_wkb_multipolygon(int32 npolygons, const Polygon *polygons, int32 srid)
{
	Size		size = header_size(srid) + sizeof(uint32);
	bytea	   *out;
	char	   *at;

	for (int32 i = 0; i < npolygons; i++)
		size = add_size(size, add_size(header_size(SRID_NONE), rings_size(&polygons[i])));
	out = new_bytea(size);
	at = put_header(VARDATA(out), TYPE_MULTIPOLYGON, srid);
	at = put_uint32(at, (uint32) npolygons);
	for (int32 i = 0; i < npolygons; i++)
		at = put_rings(put_header(at, TYPE_POLYGON, SRID_NONE), &polygons[i]);
	return out;
}
