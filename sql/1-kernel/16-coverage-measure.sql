-- Numbers and rows out of fields, and the grid itself.

CREATE FUNCTION swarm_reward_internal.coverage_support(internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.coverage_support(internal) IS
'planner support: has joins of a large table with a stored field planned for parallel workers';

CREATE FUNCTION coverage_order(c coverage) RETURNS integer
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_order(coverage) IS
'grid order k of a field; it has 12 * 4^k cells';

CREATE FUNCTION coverage_cell(location geography, grid_order integer) RETURNS bigint
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION coverage_cell(geography, integer) IS
'number of the cell that holds a point: HEALPix RING numbering (Gorski et al. 2005) on WGS84 authalic latitude; order 0 to 13. NULL if an argument is NULL; anything but a point with SRID 4326 is an error';

CREATE FUNCTION coverage_cell_area(grid_order integer) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_cell_area(integer) IS
'area of a cell in square metres, the same for all: the area of the WGS84 ellipsoid over 12 * 4^grid_order';

CREATE FUNCTION coverage_area(c coverage) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_area(coverage) IS
'area in square metres of the cells that are not zero';

CREATE FUNCTION coverage_area(c coverage, region geography) RETURNS float8
AS 'MODULE_PATHNAME', 'coverage_area_region' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT coverage_support;
COMMENT ON FUNCTION coverage_area(coverage, geography) IS
'area in square metres of the cells in a region (as region_coverage has it) that are not zero; NULL if an argument is NULL';

CREATE FUNCTION coverage_sum(c coverage) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_sum(coverage) IS
'sum of all cells'' values, added exactly and rounded once: but of a value below 2^-42 of the largest of the field the bits below 2^-95 of that one are lost';

CREATE FUNCTION coverage_sum(c coverage, region geography) RETURNS float8
AS 'MODULE_PATHNAME', 'coverage_sum_region' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT coverage_support;
COMMENT ON FUNCTION coverage_sum(coverage, geography) IS
'sum of the values of the cells in a region (as region_coverage has it), added exactly and rounded once: but of a value below 2^-42 of the largest of the field the bits below 2^-95 of that one are lost; NULL if an argument is NULL';

CREATE FUNCTION coverage_sum(c coverage, location geography, radius_m float8) RETURNS float8
AS 'MODULE_PATHNAME', 'coverage_sum_disc' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 SUPPORT coverage_support;
COMMENT ON FUNCTION coverage_sum(coverage, geography, float8) IS
'sum of the values of the cells in a disc (as coverage_agg has it), added exactly and rounded once: but of a value below 2^-42 of the largest of the field the bits below 2^-95 of that one are lost; radius in metres, more than 0 and at most 5 000 000; NULL if an argument is NULL';

CREATE FUNCTION coverage_value(c coverage, location geography) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 SUPPORT coverage_support;
COMMENT ON FUNCTION coverage_value(coverage, geography) IS
'value of the cell that holds a point; NULL if an argument is NULL';

CREATE FUNCTION swarm_reward_internal.coverage_cell_values(c coverage, OUT cell bigint, OUT value float8) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_cell_values(coverage) IS
'the cells that are not zero, without their geometry';

CREATE FUNCTION swarm_reward_internal.coverage_cell_center_wkb(grid_order integer, cell bigint) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.coverage_cell_center_wkb(integer, bigint) IS
'EWKB of a cell''s centre, for ST_GeogFromWKB';

CREATE FUNCTION swarm_reward_internal.coverage_cell_boundary_wkb(grid_order integer, cell bigint) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION swarm_reward_internal.coverage_cell_boundary_wkb(integer, bigint) IS
'EWKB of a cell''s boundary, for ST_GeogFromWKB; a polygon whose area is within 0.1 % of the cell''s';

CREATE FUNCTION coverage_cells(c coverage, OUT cell bigint, OUT value float8, OUT center geography, OUT boundary geography)
RETURNS SETOF record LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 10000
BEGIN ATOMIC
    SELECT v.cell, v.value,
           ST_GeogFromWKB(coverage_cell_center_wkb(coverage_order(c), v.cell)),
           ST_GeogFromWKB(coverage_cell_boundary_wkb(coverage_order(c), v.cell))
    FROM coverage_cell_values(c) v;
END;
COMMENT ON FUNCTION coverage_cells(coverage) IS
'the cells that are not zero, for maps: number, value, centre and boundary; NULL gives no row';

CREATE FUNCTION swarm_reward_internal.coverage_cell_planar_wkb(grid_order integer, cell bigint) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION swarm_reward_internal.coverage_cell_planar_wkb(integer, bigint) IS
'EWKB of a cell''s boundary for flat maps, for ST_GeomFromEWKB: a MultiPolygon cut at the antimeridian';

CREATE FUNCTION coverage_cells_planar(c coverage, OUT cell bigint, OUT value float8, OUT center geometry, OUT boundary geometry)
RETURNS SETOF record LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 10000
BEGIN ATOMIC
    SELECT v.cell, v.value,
           ST_GeomFromEWKB(coverage_cell_center_wkb(coverage_order(c), v.cell)),
           ST_GeomFromEWKB(coverage_cell_planar_wkb(coverage_order(c), v.cell))
    FROM coverage_cell_values(c) v;
END;
COMMENT ON FUNCTION coverage_cells_planar(coverage) IS
'the same rows as coverage_cells for clients that draw longitude and latitude on a plane (QGIS, GDAL, most web maps): center is a Point, boundary a MultiPolygon with SRID 4326 and longitudes from -180 to 180. A cell across the antimeridian is in two parts instead of a smear over the whole map, and one at a pole reaches it along its whole width; together the boundaries of all cells fill the map without overlap. NULL gives no row';
