-- Which of many regions covers a point.

CREATE FUNCTION covering_region(regions geography[], location geography) RETURNS integer
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION covering_region(geography[], geography) IS
'position, from 1, of the first region of the array that covers the point, boundary included, as region_coverage has it, NULL if none does or an argument is NULL; order the array by what should count first. A NULL or empty region covers nothing. Made for many points: the array is prepared once for a run of calls with an equal one, after which a point costs microseconds whatever the number of regions, and as long as it takes to see that the array is still the same, which a constant spares. Errors: a region that is no Polygon or MultiPolygon, or of which nobody knows what its inside is (see region_coverage), a location that is no point or is empty, an array of several dimensions';

CREATE FUNCTION covering_region(regions geography[], location geography, within_m float8) RETURNS integer
AS 'MODULE_PATHNAME', 'covering_region_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION covering_region(geography[], geography, float8) IS
'the same, but for a point that no region covers the position of the one whose boundary is nearest, within so many metres, 0 to 1 000 000; to the millimetre, and of equals the first. Distances are as ST_Distance(geography, geography) has them, to 0.7 %, the same bits on every machine: PostGIS takes the point of a boundary that is nearest on the sphere of longitude and latitude, here it is the nearest of those of all edges on the ellipsoid. Errors: those of covering_region, a distance out of range';

CREATE FUNCTION region_area(region geography) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION region_area(geography) IS
'area of a Polygon or MultiPolygon in square metres, the same bits on every machine: by it the smallest of several regions is found. As ST_Area(geography) on the ellipsoid, but edges are great circles of geodetic longitude and latitude, as region_coverage has them, and not geodesics, which makes a difference where they are long (0.1 % at 1 000 km); never below zero. 0 if empty, NULL for NULL. Errors: as region_coverage';
