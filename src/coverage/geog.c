/*
 * geog.c: reads points and polygons out of GSERIALIZED, the storage format of
 * PostGIS's geography, which has no C API for other extensions. Nothing here
 * knows about cells.
 *
 * Both versions of the format are read. Every count is checked against the size
 * of the value before anything is read through it.
 */
#include "coverage/geog.h"

#include <math.h>

#include "base/wkb.h"

#include "common/shortest_dec.h"

#define FLAG_Z 0x01
#define FLAG_M 0x02
#define FLAG_BBOX 0x04
#define FLAG_GEODETIC 0x08
#define FLAG_EXTENDED 0x10
#define FLAG_VERSION2 0x40

#define TYPE_POINT 1
#define TYPE_POLYGON 3
#define TYPE_MULTIPOINT 4
#define TYPE_MULTIPOLYGON 6

/* What is left to read of a value. */
typedef struct Reader
{
	const char *at;
	const char *end;
	int			ndims;
} Reader;

static const char *const type_names[] = {
	"Unknown", "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString",
	"MultiPolygon", "GeometryCollection", "CircularString", "CompoundCurve",
	"CurvePolygon", "MultiCurve", "MultiSurface", "PolyhedralSurface", "Triangle", "Tin"
};

static void
corrupt(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("malformed geography value")));
}

/* Checks that count items of a size are left. */
static void
check_left(const Reader *r, uint64 count, uint64 size)
{
	if (count > (uint64) (r->end - r->at) / size)
		corrupt();
}

static uint32
read_uint32(Reader *r)
{
	uint32		v;

	check_left(r, 1, sizeof(v));
	memcpy(&v, r->at, sizeof(v));
	r->at += sizeof(v);
	return v;
}

/* Reads the header; returns the geometry type and leaves the reader behind it. */
static uint32
read_header(struct varlena *value, Reader *r)
{
	uint8		head[4];
	int32		srid;
	uint8		flags;
	uint64		skip = 0;

	r->at = VARDATA_ANY(value);
	r->end = r->at + VARSIZE_ANY_EXHDR(value);
	check_left(r, 1, sizeof(head));
	memcpy(head, r->at, sizeof(head));
	r->at += sizeof(head);

	/* 21 bits, sign-extended */
	srid = ((int32) head[0] << 16) | ((int32) head[1] << 8) | (int32) head[2];
	srid = (int32) ((uint32) srid << 11) >> 11;
	if (srid == 0)
		srid = SRID_WGS84;		/* geography's default, kept as 0 by some paths */
	if (srid != SRID_WGS84)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("geography has SRID %d, but only SRID %d is supported", srid, SRID_WGS84),
				 errhint("Transform it with ST_Transform(value::geometry, %d)::geography.", SRID_WGS84)));

	flags = head[3];
	r->ndims = 2 + ((flags & FLAG_Z) ? 1 : 0) + ((flags & FLAG_M) ? 1 : 0);
	if ((flags & FLAG_VERSION2) && (flags & FLAG_EXTENDED))
		skip += 8;
	if (flags & FLAG_BBOX)
		skip += (flags & FLAG_GEODETIC) ? 6 * sizeof(float4) : 2 * r->ndims * sizeof(float4);
	check_left(r, 1, Max(skip, 1));
	r->at += skip;
	return read_uint32(r);
}

/* Reads a position, which has to be on the Earth. A longitude is put within a turn: of others too little is left to tell one place from the next. */
static void
read_position(const void *at, double *xy)
{
	double		lon,
				lat;

	memcpy(xy, at, 2 * sizeof(double));
	lon = xy[0];
	lat = xy[1];
	if (isnan(lon) || isnan(lat) || isinf(lon) || isinf(lat) || fabs(lat) > 90.0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("invalid position: longitude %s, latitude %s", double_to_shortest_decimal(lon), double_to_shortest_decimal(lat)),
				 errhint("Coordinates are finite degrees, latitude between -90 and 90.")));
	if (fabs(lon) > 360.0)
		xy[0] = fmod(lon, 360.0);
}

/* Copies npoints positions, dropping Z and M; there is room for one more. */
static double *
read_positions(Reader *r, uint32 npoints)
{
	double	   *xy;
	size_t		stride = (size_t) r->ndims * sizeof(double);

	check_left(r, npoints, stride);
	xy = sr_alloc(((size_t) npoints + 1) * 2 * sizeof(double));
	for (uint32 i = 0; i < npoints; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		read_position(r->at, &xy[2 * (size_t) i]);
		r->at += stride;
	}
	return xy;
}

static void
wrong_type(uint32 type, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("geography is a %s, but a %s is needed",
					type < lengthof(type_names) ? type_names[type] : "geometry of unknown type",
					wanted)));
}

/* Longitude and latitude of a point, degrees; an error for anything else. */
void
sr_geog_read_point(Datum geography, double *lon, double *lat)
{
	/* as it lies in the table, not copied to where it would be aligned */
	struct varlena *value = PG_DETOAST_DATUM_PACKED(geography);
	Reader		r;
	uint32		type = read_header(value, &r);
	double		xy[2];

	if (type != TYPE_POINT)
		wrong_type(type, "Point");
	if (read_uint32(&r) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("location is an empty point: POINT EMPTY"),
				 errhint("Use NULL where a location is not known.")));
	check_left(&r, 1, (uint64) r.ndims * sizeof(double));
	read_position(r.at, xy);
	*lon = xy[0];
	*lat = xy[1];
	if ((Pointer) value != DatumGetPointer(geography))
		pfree(value);
}

/* Is it a point with NaN for a coordinate? */
bool
sr_geog_is_nowhere(Datum geography)
{
	Reader		r;
	double		xy[2];

	if (read_header(PG_DETOAST_DATUM_PACKED(geography), &r) != TYPE_POINT || read_uint32(&r) == 0)
		return false;
	check_left(&r, 1, sizeof(xy));
	memcpy(xy, r.at, sizeof(xy));
	return isnan(xy[0]) || isnan(xy[1]);
}

/* Reads a ring, and closes it where it is open: PostGIS takes open ones from GeoJSON. */
static void
read_ring(Reader *r, uint32 npoints, LinearRing *ring)
{
	double	   *xy = read_positions(r, npoints);
	double	   *end = xy + 2 * (size_t) npoints;

	ring->xy = xy;
	ring->npoints = (int32) npoints;
	if (npoints > 1 && (end[-2] != xy[0] || end[-1] != xy[1]))
	{
		memcpy(end, xy, 2 * sizeof(double));
		ring->npoints++;
	}
}

/* Reads what follows the type number of one polygon. */
static void
read_polygon(Reader *r, Polygon *polygon)
{
	uint32		nrings = read_uint32(r);
	uint32	   *npoints;
	LinearRing *rings;

	check_left(r, nrings, sizeof(uint32));
	npoints = sr_alloc(nrings * sizeof(uint32));
	memcpy(npoints, r->at, nrings * sizeof(uint32));
	r->at += nrings * sizeof(uint32);
	if (nrings % 2)
		(void) read_uint32(r);	/* padding */
	rings = sr_alloc(nrings * sizeof(LinearRing));
	for (uint32 i = 0; i < nrings; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_ring(r, npoints[i], &rings[i]);
	}
	polygon->nrings = (int32) nrings;
	polygon->rings = rings;
	pfree(npoints);
}

/* The polygons of a Polygon or MultiPolygon; an error for anything else. */
void
sr_geog_read_region(Datum geography, GeogRegion *region)
{
	struct varlena *value = PG_DETOAST_DATUM(geography);
	Reader		r;
	uint32		type = read_header(value, &r);
	uint32		n = 1;

	if (type != TYPE_POLYGON && type != TYPE_MULTIPOLYGON)
		wrong_type(type, "Polygon or MultiPolygon");
	if (type == TYPE_MULTIPOLYGON)
	{
		n = read_uint32(&r);
		/* a part takes at least its type and its number of rings */
		check_left(&r, n, 2 * sizeof(uint32));
	}
	region->npolygons = (int32) n;
	region->polygons = sr_alloc(n * sizeof(Polygon));
	for (uint32 i = 0; i < n; i++)
	{
		if (type == TYPE_MULTIPOLYGON && read_uint32(&r) != TYPE_POLYGON)
			corrupt();
		read_polygon(&r, &region->polygons[i]);
	}
	if ((Pointer) value != DatumGetPointer(geography))
		pfree(value);
}

void
sr_geog_free_region(GeogRegion *region)
{
	for (int32 p = 0; p < region->npolygons; p++)
	{
		Polygon    *polygon = &region->polygons[p];

		for (int32 r = 0; r < polygon->nrings; r++)
			pfree(unconstify(double *, polygon->rings[r].xy));
		pfree(unconstify(LinearRing *, polygon->rings));
	}
	pfree(region->polygons);
}

/* Is the geography a Point or a MultiPoint? */
bool
sr_geog_is_puntal(Datum geography)
{
	struct varlena *value = PG_DETOAST_DATUM(geography);
	Reader		r;
	uint32		type = read_header(value, &r);

	if ((Pointer) value != DatumGetPointer(geography))
		pfree(value);
	return type == TYPE_POINT || type == TYPE_MULTIPOINT;
}

/* The positions of a Point or MultiPoint as lon, lat pairs; returns how many, and leaves out empty points. */
int32
sr_geog_read_points(Datum geography, double **lonlat)
{
	struct varlena *value = PG_DETOAST_DATUM(geography);
	Reader		r;
	uint32		type = read_header(value, &r);
	uint32		n = 1;
	int32		found = 0;

	if (type != TYPE_POINT && type != TYPE_MULTIPOINT)
		wrong_type(type, "Point or MultiPoint");
	if (type == TYPE_MULTIPOINT)
	{
		n = read_uint32(&r);
		/* a point takes at least its type and its number of positions */
		check_left(&r, n, 2 * sizeof(uint32));
	}
	*lonlat = sr_alloc((size_t) n * 2 * sizeof(double));
	for (uint32 i = 0; i < n; i++)
	{
		double	   *xy;
		uint32		npoints;

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (type == TYPE_MULTIPOINT && read_uint32(&r) != TYPE_POINT)
			corrupt();
		npoints = read_uint32(&r);
		if (npoints == 0)
			continue;
		if (npoints > 1)
			corrupt();
		xy = read_positions(&r, 1);
		memcpy(*lonlat + 2 * (size_t) found++, xy, 2 * sizeof(double));
		pfree(xy);
	}
	if ((Pointer) value != DatumGetPointer(geography))
		pfree(value);
	return found;
}

/* Returns its argument when it is a point on the Earth, else an error. */
SR_FUNCTION(geog_checked_point);
Datum
geog_checked_point(PG_FUNCTION_ARGS)
{
	double		lon,
				lat;

	sr_geog_read_point(PG_GETARG_DATUM(0), &lon, &lat);
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}
