-- What is missing, and where the next nodes do most good.

CREATE FUNCTION swarm_reward_internal.coverage_gap_rows(deficit coverage, min_area_m2 float8,
    OUT gap_id integer, OUT area_m2 float8, OUT deficit_sum float8, OUT center_wkb bytea, OUT boundary_wkb bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000000 ROWS 1000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_gap_rows(coverage, float8) IS
'the gaps of coverage_gaps with their geometry as EWKB, for ST_GeogFromWKB';

-- not STRICT, so that a query that does not ask for the geometry does not convert it: it is inlined
CREATE FUNCTION coverage_gaps(deficit coverage, min_area_m2 float8 DEFAULT 0,
    OUT gap_id integer, OUT area_m2 float8, OUT deficit float8, OUT center geography, OUT boundary geography)
RETURNS SETOF record LANGUAGE SQL IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 1000
BEGIN ATOMIC
    SELECT g.gap_id, g.area_m2, g.deficit_sum, ST_GeogFromWKB(g.center_wkb), ST_GeogFromWKB(g.boundary_wkb)
    FROM coverage_gap_rows(coverage_gaps.deficit, min_area_m2) g;
END;
COMMENT ON FUNCTION coverage_gaps(coverage, float8) IS
'the gaps of a field: sets of cells above zero connected by their sides (across the antimeridian and over the poles too), largest deficit first, then lowest cell, numbered from 1; those of less than min_area_m2 are left out. area_m2: of its cells; deficit: sum of their values, as exact as coverage_sum; center: centre of a cell as deep inside as any, counted in cells from the outside; boundary: a MultiPolygon with holes, its area within 1 % of the cells''. A gap that does not lie within 70 degrees of its middle is cut into parts along the base faces of the grid, because PostGIS cannot tell the inside of a larger polygon from its outside. NULL gives no row';

CREATE FUNCTION swarm_reward_internal.coverage_site_rows(deficit coverage, radius_m float8, sites integer,
    OUT rank integer, OUT location_wkb bytea, OUT gain float8, OUT remaining float8)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000000 ROWS 100;
COMMENT ON FUNCTION swarm_reward_internal.coverage_site_rows(coverage, float8, integer) IS
'the sites of coverage_sites with their places as EWKB, for ST_GeogFromWKB';

CREATE FUNCTION coverage_sites(deficit coverage, radius_m float8, sites integer,
    OUT rank integer, OUT location geography, OUT gain float8, OUT remaining float8)
RETURNS SETOF record LANGUAGE SQL IMMUTABLE PARALLEL SAFE COST 10000000 ROWS 100
BEGIN ATOMIC
    SELECT s.rank, ST_GeogFromWKB(s.location_wkb), s.gain, s.remaining
    FROM coverage_site_rows(deficit, radius_m, sites) s;
END;
COMMENT ON FUNCTION coverage_sites(coverage, float8, integer) IS
'where the next nodes do most good: greedy maximum coverage. Each site is the cell centre whose disc of radius_m metres holds most of the deficit that the sites before it leave (the lowest cell of equals); gain: exactly that sum, for rank 1 the same as coverage_sum(deficit, location, radius_m); remaining: what is left of the whole deficit after it. Together never less than 1 - 1/e of what the best places gain. Fewer rows than sites when nothing is left to gain. A negative value in the deficit is an error; NULL gives no row';
