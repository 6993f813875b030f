-- Which of many regions covers a point.

CREATE FUNCTION covering_region(regions geography[], location geography) RETURNS integer
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION covering_region(geography[], geography) IS
'position, from 1, of the first region of the array that covers the point in the sense of ST_Covers(geography, geography), NULL if none does or an argument is NULL; order the array by what should count first. A NULL or empty region covers nothing. Made for many points: the array is prepared once for a run of calls with an equal one (a constant or a parameter is best), after which a point costs microseconds whatever the number of regions; ST_Covers itself is asked about points within 6 mm of a boundary. Errors: a region that is no Polygon or MultiPolygon, a location that is no point or is empty, an array of several dimensions';
