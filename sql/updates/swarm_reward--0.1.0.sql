-- swarm_reward: install script, built from sql/install/*.sql in the order of their numbers.
-- complain if the script is sourced in psql rather than run by CREATE EXTENSION
\echo Use "CREATE EXTENSION swarm_reward CASCADE" to load this file. \quit

COMMENT ON SCHEMA @extschema@ IS
'swarm_reward: coverage fields, telemetry summaries, exact apportionment and per-epoch growth rewards for a decentralised cloud';
-- The type coverage: a piecewise-constant field over the whole Earth.

CREATE TYPE coverage;

CREATE FUNCTION coverage_in(cstring) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_in(cstring) IS 'text input: order:{[first,end)=value,...}';

CREATE FUNCTION coverage_out(coverage) RETURNS cstring
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_out(coverage) IS 'text output: order:{[first,end)=value,...}, values as the shortest text that reads back exactly';

CREATE FUNCTION coverage_recv(internal) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_recv(internal) IS 'binary input, validated in full';

CREATE FUNCTION coverage_send(coverage) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_send(coverage) IS 'binary output: version, order, number of runs, then start cell and value of each run';

CREATE TYPE coverage (
    INPUT = coverage_in,
    OUTPUT = coverage_out,
    RECEIVE = coverage_recv,
    SEND = coverage_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = double,
    -- out of line and as it is: pglz takes seconds over what it hardly shrinks
    STORAGE = external
);
COMMENT ON TYPE coverage IS
'a float8 value for every cell of an equal-area grid over the whole Earth (HEALPix RING on WGS84 authalic latitude, order 0 to 13); zero where nothing was said';

CREATE FUNCTION coverage_eq(coverage, coverage) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_eq(coverage, coverage) IS 'implementation of = operator';

CREATE FUNCTION coverage_ne(coverage, coverage) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_ne(coverage, coverage) IS 'implementation of <> operator';

CREATE FUNCTION coverage_hash(coverage) RETURNS integer
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_hash(coverage) IS 'hash support';

CREATE FUNCTION coverage_hash_extended(coverage, bigint) RETURNS bigint
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION coverage_hash_extended(coverage, bigint) IS 'hash support with a seed';

CREATE OPERATOR = (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_eq,
    COMMUTATOR = =, NEGATOR = <>,
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR = (coverage, coverage) IS 'same grid order and same bits in every cell';

CREATE OPERATOR <> (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_ne,
    COMMUTATOR = <>, NEGATOR = =,
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (coverage, coverage) IS 'differ in grid order or in some cell';

CREATE OPERATOR CLASS coverage_ops DEFAULT FOR TYPE coverage USING hash AS
    OPERATOR 1 = (coverage, coverage),
    FUNCTION 1 coverage_hash(coverage),
    FUNCTION 2 coverage_hash_extended(coverage, bigint);
COMMENT ON OPERATOR CLASS coverage_ops USING hash IS 'hashing and grouping of coverages';
-- Cell by cell arithmetic. A number stands for the field that has it everywhere.

CREATE FUNCTION coverage_add(coverage, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_add(coverage, coverage) IS 'implementation of + operator';

CREATE OPERATOR + (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_add,
    COMMUTATOR = +
);
COMMENT ON OPERATOR + (coverage, coverage) IS
'sum, cell by cell; grid orders must match; an error when a result is not finite';

CREATE FUNCTION coverage_add_scalar(coverage, float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_add_scalar(coverage, float8) IS 'implementation of + operator';

CREATE OPERATOR + (
    LEFTARG = coverage, RIGHTARG = float8, FUNCTION = coverage_add_scalar,
    COMMUTATOR = +
);
COMMENT ON OPERATOR + (coverage, float8) IS
'sum, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION scalar_add_coverage(float8, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION scalar_add_coverage(float8, coverage) IS 'implementation of + operator';

CREATE OPERATOR + (
    LEFTARG = float8, RIGHTARG = coverage, FUNCTION = scalar_add_coverage,
    COMMUTATOR = +
);
COMMENT ON OPERATOR + (float8, coverage) IS
'sum, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION coverage_sub(coverage, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_sub(coverage, coverage) IS 'implementation of - operator';

CREATE OPERATOR - (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_sub
);
COMMENT ON OPERATOR - (coverage, coverage) IS
'difference, cell by cell; grid orders must match; an error when a result is not finite';

CREATE FUNCTION coverage_sub_scalar(coverage, float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_sub_scalar(coverage, float8) IS 'implementation of - operator';

CREATE OPERATOR - (
    LEFTARG = coverage, RIGHTARG = float8, FUNCTION = coverage_sub_scalar
);
COMMENT ON OPERATOR - (coverage, float8) IS
'difference, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION scalar_sub_coverage(float8, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION scalar_sub_coverage(float8, coverage) IS 'implementation of - operator';

CREATE OPERATOR - (
    LEFTARG = float8, RIGHTARG = coverage, FUNCTION = scalar_sub_coverage
);
COMMENT ON OPERATOR - (float8, coverage) IS
'difference, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION coverage_mul(coverage, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_mul(coverage, coverage) IS 'implementation of * operator';

CREATE OPERATOR * (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_mul,
    COMMUTATOR = *
);
COMMENT ON OPERATOR * (coverage, coverage) IS
'product, cell by cell; grid orders must match; an error when a result is not finite';

CREATE FUNCTION coverage_mul_scalar(coverage, float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_mul_scalar(coverage, float8) IS 'implementation of * operator';

CREATE OPERATOR * (
    LEFTARG = coverage, RIGHTARG = float8, FUNCTION = coverage_mul_scalar,
    COMMUTATOR = *
);
COMMENT ON OPERATOR * (coverage, float8) IS
'product, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION scalar_mul_coverage(float8, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION scalar_mul_coverage(float8, coverage) IS 'implementation of * operator';

CREATE OPERATOR * (
    LEFTARG = float8, RIGHTARG = coverage, FUNCTION = scalar_mul_coverage,
    COMMUTATOR = *
);
COMMENT ON OPERATOR * (float8, coverage) IS
'product, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION coverage_div(coverage, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_div(coverage, coverage) IS 'implementation of / operator';

CREATE OPERATOR / (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_div
);
COMMENT ON OPERATOR / (coverage, coverage) IS
'quotient, cell by cell; x/0 = 0, also for 0/0; grid orders must match; an error when a result is not finite';

CREATE FUNCTION coverage_div_scalar(coverage, float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_div_scalar(coverage, float8) IS 'implementation of / operator';

CREATE OPERATOR / (
    LEFTARG = coverage, RIGHTARG = float8, FUNCTION = coverage_div_scalar
);
COMMENT ON OPERATOR / (coverage, float8) IS
'quotient, cell by cell; x/0 = 0, also for 0/0; the number must be finite; an error when a result is not finite';

CREATE FUNCTION scalar_div_coverage(float8, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION scalar_div_coverage(float8, coverage) IS 'implementation of / operator';

CREATE OPERATOR / (
    LEFTARG = float8, RIGHTARG = coverage, FUNCTION = scalar_div_coverage
);
COMMENT ON OPERATOR / (float8, coverage) IS
'quotient, cell by cell; x/0 = 0, also for 0/0; the number must be finite; an error when a result is not finite';

CREATE FUNCTION coverage_least(a coverage, b coverage) RETURNS coverage
AS 'MODULE_PATHNAME', 'coverage_least' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_least(coverage, coverage) IS
'the smaller of two fields, cell by cell; grid orders must match; NULL if an argument is NULL';

CREATE FUNCTION coverage_least(a coverage, b float8) RETURNS coverage
AS 'MODULE_PATHNAME', 'coverage_least_scalar' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_least(coverage, float8) IS
'the smaller of each cells value and a finite number; NULL if an argument is NULL';

CREATE FUNCTION coverage_greatest(a coverage, b coverage) RETURNS coverage
AS 'MODULE_PATHNAME', 'coverage_greatest' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_greatest(coverage, coverage) IS
'the larger of two fields, cell by cell; grid orders must match; NULL if an argument is NULL';

CREATE FUNCTION coverage_greatest(a coverage, b float8) RETURNS coverage
AS 'MODULE_PATHNAME', 'coverage_greatest_scalar' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_greatest(coverage, float8) IS
'the larger of each cells value and a finite number; NULL if an argument is NULL';

CREATE FUNCTION coverage_mask(c coverage, at_least float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_mask(coverage, float8) IS
'1 in the cells whose value is at least the threshold, which must be above 0, else 0; NULL if an argument is NULL';

CREATE FUNCTION coverage_round(c coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_round(coverage) IS
'every value rounded to the nearest multiple of 2^-16, ties to even, as sum(coverage) needs them; NULL if the argument is NULL';
-- Fields out of rows.

-- Shared by the three aggregates: their states are one kind of difference array.
CREATE FUNCTION coverage_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_combine(internal, internal) IS 'aggregate support: merges two states';

CREATE FUNCTION coverage_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_serialize(internal) IS 'aggregate support: a state as bytes';

CREATE FUNCTION coverage_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_deserialize(bytea, internal) IS 'aggregate support: a state from bytes';

CREATE FUNCTION coverage_finalfn(internal) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_finalfn(internal) IS 'aggregate support: the field a state stands for';

CREATE FUNCTION coverage_agg_transfn(internal, geography, float8) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION coverage_agg_transfn(internal, geography, float8) IS 'aggregate support: adds a row';

CREATE AGGREGATE coverage_agg(location geography, radius_m float8) (
    SFUNC = coverage_agg_transfn, STYPE = internal,
    FINALFUNC = coverage_finalfn,
    COMBINEFUNC = coverage_combine,
    SERIALFUNC = coverage_serialize,
    DESERIALFUNC = coverage_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE coverage_agg(geography, float8) IS
'sum of discs: adds 1 to every cell whose centre lies within radius_m metres (more than 0, at most 5 000 000) of location along the WGS84 geodesic, and always to the cell that holds location; grid order 10. Rows with a NULL are skipped; no row gives NULL. The result does not depend on the order of rows';

CREATE FUNCTION coverage_agg_transfn(internal, geography, float8, float8) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION coverage_agg_transfn(internal, geography, float8, float8) IS 'aggregate support: adds a row';

CREATE AGGREGATE coverage_agg(location geography, radius_m float8, weight float8) (
    SFUNC = coverage_agg_transfn, STYPE = internal,
    FINALFUNC = coverage_finalfn,
    COMBINEFUNC = coverage_combine,
    SERIALFUNC = coverage_serialize,
    DESERIALFUNC = coverage_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE coverage_agg(geography, float8, float8) IS
'sum of discs: adds weight to every cell whose centre lies within radius_m metres (more than 0, at most 5 000 000) of location along the WGS84 geodesic, and always to the cell that holds location; grid order 10. Weights are finite, at least 0, kept to the nearest multiple of 2^-16, and may add up to 2^37. Rows with a NULL are skipped; no row gives NULL. The result does not depend on the order of rows';

CREATE FUNCTION coverage_agg_transfn(internal, geography, float8, float8, integer) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 500;
COMMENT ON FUNCTION coverage_agg_transfn(internal, geography, float8, float8, integer) IS 'aggregate support: adds a row';

CREATE AGGREGATE coverage_agg(location geography, radius_m float8, weight float8, grid_order integer) (
    SFUNC = coverage_agg_transfn, STYPE = internal,
    FINALFUNC = coverage_finalfn,
    COMBINEFUNC = coverage_combine,
    SERIALFUNC = coverage_serialize,
    DESERIALFUNC = coverage_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE coverage_agg(geography, float8, float8, integer) IS
'sum of discs: adds weight to every cell whose centre lies within radius_m metres (more than 0, at most 5 000 000) of location along the WGS84 geodesic, and always to the cell that holds location; grid order 0 to 13, the same in every row. Weights are finite, at least 0, kept to the nearest multiple of 2^-16, and may add up to 2^37. Rows with a NULL are skipped; no row gives NULL. The result does not depend on the order of rows';

CREATE FUNCTION density_agg_transfn(internal, geography, float8) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION density_agg_transfn(internal, geography, float8) IS 'aggregate support: adds a row';

CREATE AGGREGATE density_agg(location geography, weight float8) (
    SFUNC = density_agg_transfn, STYPE = internal,
    FINALFUNC = coverage_finalfn,
    COMBINEFUNC = coverage_combine,
    SERIALFUNC = coverage_serialize,
    DESERIALFUNC = coverage_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE density_agg(geography, float8) IS
'adds each point''s weight to the cell that holds it; grid order 10. Weights are finite, at least 0, kept to the nearest multiple of 2^-16, and may add up to 2^37. Rows with a NULL location or weight are skipped; no row gives NULL';

CREATE FUNCTION density_agg_transfn(internal, geography, float8, integer) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION density_agg_transfn(internal, geography, float8, integer) IS 'aggregate support: adds a row';

CREATE AGGREGATE density_agg(location geography, weight float8, grid_order integer) (
    SFUNC = density_agg_transfn, STYPE = internal,
    FINALFUNC = coverage_finalfn,
    COMBINEFUNC = coverage_combine,
    SERIALFUNC = coverage_serialize,
    DESERIALFUNC = coverage_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE density_agg(geography, float8, integer) IS
'adds each point''s weight to the cell that holds it; grid order 0 to 13, the same in every row. Weights are finite, at least 0, kept to the nearest multiple of 2^-16, and may add up to 2^37. Rows with a NULL location or weight are skipped; no row gives NULL';

CREATE FUNCTION coverage_sum_transfn(internal, coverage) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_sum_transfn(internal, coverage) IS 'aggregate support: adds a row';

CREATE AGGREGATE sum(coverage) (
    SFUNC = coverage_sum_transfn, STYPE = internal,
    FINALFUNC = coverage_finalfn,
    COMBINEFUNC = coverage_combine,
    SERIALFUNC = coverage_serialize,
    DESERIALFUNC = coverage_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(coverage) IS
'sum of fields, cell by cell. Values must be multiples of 2^-16 (see coverage_round) and the largest magnitudes of the summands may add up to 2^37, so that sums are exact in any order; grid orders must match. NULLs are skipped; no row gives NULL';

CREATE FUNCTION region_coverage(region geography, grid_order integer DEFAULT 10) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION region_coverage(geography, integer) IS
'1 in the cells whose centre is covered by a Polygon or MultiPolygon in the sense of ST_Covers(geography, geography), else 0. A region that covers no centre gets the cell that holds ST_Centroid of its largest part; an empty one gets none. NULL if an argument is NULL';
-- Numbers and rows out of fields, and the grid itself.

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
AS 'MODULE_PATHNAME', 'coverage_area_region' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_area(coverage, geography) IS
'area in square metres of the cells in a region (as region_coverage has it) that are not zero; NULL if an argument is NULL';

CREATE FUNCTION coverage_sum(c coverage) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_sum(coverage) IS
'sum of all cells'' values, added exactly and rounded once';

CREATE FUNCTION coverage_sum(c coverage, region geography) RETURNS float8
AS 'MODULE_PATHNAME', 'coverage_sum_region' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_sum(coverage, geography) IS
'sum of the values of the cells in a region (as region_coverage has it), added exactly and rounded once; NULL if an argument is NULL';

CREATE FUNCTION coverage_sum(c coverage, location geography, radius_m float8) RETURNS float8
AS 'MODULE_PATHNAME', 'coverage_sum_disc' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION coverage_sum(coverage, geography, float8) IS
'sum of the values of the cells in a disc (as coverage_agg has it), added exactly and rounded once; radius in metres, more than 0 and at most 5 000 000; NULL if an argument is NULL';

CREATE FUNCTION coverage_value(c coverage, location geography) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION coverage_value(coverage, geography) IS
'value of the cell that holds a point; NULL if an argument is NULL';

CREATE FUNCTION coverage_cell_values(c coverage, OUT cell bigint, OUT value float8) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 10000;
COMMENT ON FUNCTION coverage_cell_values(coverage) IS
'the cells that are not zero, without their geometry';

CREATE FUNCTION coverage_cell_center_wkb(grid_order integer, cell bigint) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION coverage_cell_center_wkb(integer, bigint) IS
'EWKB of a cell''s centre, for ST_GeogFromWKB';

CREATE FUNCTION coverage_cell_boundary_wkb(grid_order integer, cell bigint) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION coverage_cell_boundary_wkb(integer, bigint) IS
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
-- What is missing, and where the next nodes do most good.

CREATE FUNCTION coverage_gap_rows(deficit coverage, min_area_m2 float8,
    OUT gap_id integer, OUT area_m2 float8, OUT deficit_sum float8, OUT center_wkb bytea, OUT boundary_wkb bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000000 ROWS 1000;
COMMENT ON FUNCTION coverage_gap_rows(coverage, float8) IS
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
'the gaps of a field: sets of cells above zero connected by their sides (across the antimeridian and over the poles too), largest deficit first, then lowest cell, numbered from 1; those of less than min_area_m2 are left out. area_m2: of its cells; deficit: exact sum of their values; center: centre of a cell as deep inside as any, counted in cells from the outside; boundary: a MultiPolygon with holes, its area within 1 % of the cells''. A gap that does not lie within 70 degrees of its middle is cut into parts along the base faces of the grid, because PostGIS cannot tell the inside of a larger polygon from its outside. NULL gives no row';

CREATE FUNCTION coverage_site_rows(deficit coverage, radius_m float8, sites integer,
    OUT rank integer, OUT location_wkb bytea, OUT gain float8, OUT remaining float8)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000000 ROWS 100;
COMMENT ON FUNCTION coverage_site_rows(coverage, float8, integer) IS
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
-- Distance and time: what the speed of light in fibre allows.

CREATE FUNCTION rtt_distance(rtt_ms float8) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rtt_distance(float8) IS
'the farthest, in metres, that a signal can go and come back within a round-trip time in ms: rtt / 2 * 2/3 c, the speed of light in fibre; NULL if the argument is NULL; negative, NaN and infinite times are errors';

CREATE FUNCTION distance_rtt(distance_m float8) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION distance_rtt(float8) IS
'the least round-trip time in ms over a distance in metres, the inverse of rtt_distance';

CREATE FUNCTION geog_checked_point(geography) RETURNS geography
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION geog_checked_point(geography) IS
'its argument if that is a point with SRID 4326 and valid coordinates, else an error';

CREATE FUNCTION min_rtt(a geography, b geography) RETURNS float8
LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT distance_rtt(ST_Distance(geog_checked_point(a), geog_checked_point(b), true));
END;
COMMENT ON FUNCTION min_rtt(geography, geography) IS
'the least round-trip time in ms between two points that physics allows: the WGS84 geodesic there and back at 2/3 c; NULL if an argument is NULL; anything but a point is an error';

CREATE FUNCTION service_radius(rtt_ms float8, path_stretch float8 DEFAULT 2) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION service_radius(float8, float8) IS
'a latency budget as the radius of a disc, in metres: rtt_distance(rtt_ms) / path_stretch, where path_stretch >= 1 is how much longer than the geodesic network paths are; NULL if an argument is NULL; times that are negative, NaN or infinite are errors';
-- Fields to look at: a picture, and tiles for maps in a browser.

CREATE FUNCTION coverage_svg(c coverage, regions geography[] DEFAULT NULL, title text DEFAULT NULL, above text DEFAULT NULL, below text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION coverage_svg(coverage, geography[], text, text, text) IS
'a standalone SVG map of a field: Equal Earth projection (equal-area), of the world or, where the cells that are not zero span at most 140 degrees of longitude, of the part with them; at most seven classes, blue above zero, red below. Of regions, a Polygon or MultiPolygon is drawn as land with a thin outline, a Point or MultiPoint as dots; NULLs are skipped. title stands above the map, above and below are the headings of the legend for values above and below zero, the latter''s numbers being shown without their sign under a heading. What is too fine for the picture is drawn as the mean of the cells that are not zero, on a grid that keeps the text below 2 MB. NULL if c is NULL';

CREATE FUNCTION coverage_tile_cells(c coverage, z integer, x integer, y integer,
    OUT cell bigint, OUT grid_order integer, OUT value float8, OUT share float8, OUT boundary bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 3000;
COMMENT ON FUNCTION coverage_tile_cells(coverage, integer, integer, integer) IS
'the cells that are not zero in and around a Web Mercator tile z/x/y (z 0 to 24), of the field''s grid order or z + 4 if that is lower: value is the mean of the field''s cells in it that are not zero, share the part of the cell that they cover, boundary WKB in EPSG:3857. Cells on the antimeridian come once for each side of it that the tile shows';

CREATE FUNCTION coverage_tile(c coverage, z integer, x integer, y integer) RETURNS bytea
LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE COST 100000
BEGIN ATOMIC
    SELECT coalesce(ST_AsMVT(feature, 'coverage', 4096, 'geom', 'cell'), '')
    FROM (
        SELECT t.cell, t.grid_order, t.value, t.share,
               ST_AsMVTGeom(ST_GeomFromWKB(t.boundary, 3857), ST_TileEnvelope(z, x, y), 4096, 64, true) AS geom
        FROM coverage_tile_cells(c, z, x, y) t) feature
    WHERE geom IS NOT NULL;
END;
COMMENT ON FUNCTION coverage_tile(coverage, integer, integer, integer) IS
'a Mapbox vector tile (MVT 2.1) of a field, for the Web Mercator tile z/x/y (z 0 to 24, x from the west, y from the north): one layer coverage, extent 4096, buffer 64, one polygon for each cell that is not zero, its number as the feature''s id, with value, share and grid_order as coverage_tile_cells has them. Empty where nothing is; NULL if an argument is NULL';
-- telemetry_summary: uptime, response times and error rate in one small mergeable value.

CREATE TYPE telemetry_summary;

CREATE FUNCTION telemetry_summary_in(cstring) RETURNS telemetry_summary
AS 'MODULE_PATHNAME', 'sr_telemetry_in' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION telemetry_summary_in(cstring) IS
'Text input of telemetry_summary: the JSON that the text output writes. Anything telemetry_agg could not have made is an error.';

CREATE FUNCTION telemetry_summary_out(telemetry_summary) RETURNS cstring
AS 'MODULE_PATHNAME', 'sr_telemetry_out' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION telemetry_summary_out(telemetry_summary) IS
'Text output of telemetry_summary: JSON with slot_us (microseconds), samples, errors, up ([first slot, count] pairs; slot 0 holds 2000-01-01 00:00 UTC) and latency (counts below 1 microsecond and above 1 hour, exact least and greatest in ms, [bucket, count] pairs; bucket i holds [1.02^i, 1.02^(i+1)) microseconds), null without a latency. Reads back exactly.';

CREATE FUNCTION telemetry_summary_recv(internal) RETURNS telemetry_summary
AS 'MODULE_PATHNAME', 'sr_telemetry_recv' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION telemetry_summary_recv(internal) IS
'Binary input of telemetry_summary. Anything telemetry_agg could not have made is an error.';

CREATE FUNCTION telemetry_summary_send(telemetry_summary) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_telemetry_send' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION telemetry_summary_send(telemetry_summary) IS
'Binary output of telemetry_summary: version, slot in microseconds, samples, errors, slots and buckets. Reads back exactly.';

CREATE TYPE telemetry_summary (
    INPUT = telemetry_summary_in,
    OUTPUT = telemetry_summary_out,
    RECEIVE = telemetry_summary_recv,
    SEND = telemetry_summary_send,
    ALIGNMENT = double,
    STORAGE = extended
);
COMMENT ON TYPE telemetry_summary IS
'Heartbeats folded into the set of slots with an ok sample, a histogram of response times (1 % relative accuracy) and two counts. Made by telemetry_agg, merged by rollup. Equal content is equal bytes.';

-- equality

CREATE FUNCTION telemetry_summary_eq(telemetry_summary, telemetry_summary) RETURNS boolean
AS 'MODULE_PATHNAME', 'sr_telemetry_eq' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION telemetry_summary_eq(telemetry_summary, telemetry_summary) IS
'Same slot, slots, buckets, extremes and counts; NULL if an argument is.';

CREATE FUNCTION telemetry_summary_ne(telemetry_summary, telemetry_summary) RETURNS boolean
AS 'MODULE_PATHNAME', 'sr_telemetry_ne' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION telemetry_summary_ne(telemetry_summary, telemetry_summary) IS
'Not the same content; NULL if an argument is.';

CREATE FUNCTION telemetry_summary_hash(telemetry_summary) RETURNS integer
AS 'MODULE_PATHNAME', 'sr_telemetry_hash' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION telemetry_summary_hash(telemetry_summary) IS
'Hash of the content, for hash joins, GROUP BY and hash indexes.';

CREATE FUNCTION telemetry_summary_hash_extended(telemetry_summary, bigint) RETURNS bigint
AS 'MODULE_PATHNAME', 'sr_telemetry_hash_extended' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION telemetry_summary_hash_extended(telemetry_summary, bigint) IS
'64-bit hash of the content with a seed, for hash partitioning.';

CREATE OPERATOR = (
    LEFTARG = telemetry_summary, RIGHTARG = telemetry_summary, FUNCTION = telemetry_summary_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR = (telemetry_summary, telemetry_summary) IS 'same content';

CREATE OPERATOR <> (
    LEFTARG = telemetry_summary, RIGHTARG = telemetry_summary, FUNCTION = telemetry_summary_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (telemetry_summary, telemetry_summary) IS 'not the same content';

CREATE OPERATOR CLASS telemetry_summary_hash_ops DEFAULT FOR TYPE telemetry_summary USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 telemetry_summary_hash(telemetry_summary),
    FUNCTION 2 telemetry_summary_hash_extended(telemetry_summary, bigint);
COMMENT ON OPERATOR CLASS telemetry_summary_hash_ops USING hash IS 'equality of telemetry summaries by hash';
COMMENT ON OPERATOR FAMILY telemetry_summary_hash_ops USING hash IS 'equality of telemetry summaries by hash';

-- measures

CREATE FUNCTION slot(summary telemetry_summary) RETURNS interval
AS 'MODULE_PATHNAME', 'sr_telemetry_slot' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION slot(telemetry_summary) IS
'Length of the slots that uptime is counted in. NULL for NULL.';

CREATE FUNCTION samples(summary telemetry_summary) RETURNS bigint
AS 'MODULE_PATHNAME', 'sr_telemetry_samples' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION samples(telemetry_summary) IS
'Number of samples, ok or not; at least 1. NULL for NULL.';

CREATE FUNCTION errors(summary telemetry_summary) RETURNS bigint
AS 'MODULE_PATHNAME', 'sr_telemetry_errors' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION errors(telemetry_summary) IS
'Number of samples that were not ok. NULL for NULL.';

CREATE FUNCTION error_rate(summary telemetry_summary) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_error_rate' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION error_rate(telemetry_summary) IS
'errors / samples, in [0, 1]. NULL for NULL.';

CREATE FUNCTION error_rate_upper(summary telemetry_summary, confidence double precision DEFAULT 0.95)
RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_error_rate_upper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION error_rate_upper(telemetry_summary, double precision) IS
'Upper bound of the true error rate at a confidence strictly between 0 and 1 (otherwise an error): one-sided Wilson score interval (Wilson 1927), so that few samples never look perfect. In [0, 1]; the same bits on every machine. NULL for NULL.';

CREATE FUNCTION uptime(summary telemetry_summary, period tstzrange) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_uptime' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION uptime(telemetry_summary, tstzrange) IS
'Fraction, in [0, 1] and exact, of the slots that start inside the period in which there was an ok sample. Bounds count as inclusive or exclusive as they are. A period that is empty, lacks a finite bound or holds no start of a slot is an error. NULL for NULL.';

CREATE FUNCTION response_time(summary telemetry_summary, quantile double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_response_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION response_time(telemetry_summary, double precision) IS
'Response time in ms at a quantile in [0, 1] (otherwise an error) by nearest rank, as percentile_disc, over the ok samples: within 1 % from 1 microsecond to 1 hour (DDSketch, Masson et al. 2019), never outside the exact least and greatest; above 1 hour the greatest. NULL for NULL and where no ok sample has a latency.';

-- aggregates

CREATE FUNCTION telemetry_transition(internal, timestamptz, double precision, boolean) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_transition' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION telemetry_transition(internal, timestamptz, double precision, boolean) IS
'Transition function of telemetry_agg.';

CREATE FUNCTION telemetry_transition(internal, timestamptz, double precision, boolean, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_transition' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION telemetry_transition(internal, timestamptz, double precision, boolean, interval) IS
'Transition function of telemetry_agg with a slot.';

CREATE FUNCTION telemetry_rollup_transition(internal, telemetry_summary) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_rollup_transition' LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION telemetry_rollup_transition(internal, telemetry_summary) IS
'Transition function of rollup.';

CREATE FUNCTION telemetry_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_combine' LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION telemetry_combine(internal, internal) IS
'Combine function of telemetry_agg and rollup.';

CREATE FUNCTION telemetry_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_telemetry_serialize' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION telemetry_serialize(internal) IS
'Serialisation of the state of telemetry_agg and rollup.';

CREATE FUNCTION telemetry_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_deserialize' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION telemetry_deserialize(bytea, internal) IS
'Deserialisation of the state of telemetry_agg and rollup; fully validated.';

CREATE FUNCTION telemetry_final(internal) RETURNS telemetry_summary
AS 'MODULE_PATHNAME', 'sr_telemetry_final' LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION telemetry_final(internal) IS
'Final function of telemetry_agg and rollup; leaves the state as it is.';

CREATE AGGREGATE telemetry_agg(sampled_at timestamptz, latency_ms double precision, ok boolean) (
    SFUNC = telemetry_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = telemetry_final,
    COMBINEFUNC = telemetry_combine,
    SERIALFUNC = telemetry_serialize,
    DESERIALFUNC = telemetry_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE telemetry_agg(timestamptz, double precision, boolean) IS
'Folds heartbeats into a telemetry_summary with slots of 1 minute, aligned to the Unix epoch. latency_ms is in milliseconds and counts where ok is true; NULL latency counts for uptime and errors only. Rows with NULL sampled_at or ok are skipped; no other row gives NULL. NaN, infinite or negative latencies and infinite timestamps are errors, also where ok is false. The same bits in any order and any plan.';

CREATE AGGREGATE telemetry_agg(sampled_at timestamptz, latency_ms double precision, ok boolean, slot interval) (
    SFUNC = telemetry_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = telemetry_final,
    COMBINEFUNC = telemetry_combine,
    SERIALFUNC = telemetry_serialize,
    DESERIALFUNC = telemetry_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE telemetry_agg(timestamptz, double precision, boolean, interval) IS
'As telemetry_agg with three arguments, with slots of the given length: positive, without months, a day being 24 hours, the same in all rows of a group; otherwise, and if NULL, an error.';

CREATE AGGREGATE rollup(summary telemetry_summary) (
    SFUNC = telemetry_rollup_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = telemetry_final,
    COMBINEFUNC = telemetry_combine,
    SERIALFUNC = telemetry_serialize,
    DESERIALFUNC = telemetry_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE rollup(telemetry_summary) IS
'Merges summaries: hours into days, shards into one. The result is, bit for bit, telemetry_agg over all their rows. NULLs are skipped; no summary gives NULL. Different slots in a group are an error that names both.';
-- allocate: integer amounts apportioned exactly.

CREATE FUNCTION allocate(score double precision, amount numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_allocate_float8' LANGUAGE c WINDOW IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION allocate(double precision, numeric) IS
'Window function: the row''s share of the integer amount, in proportion to score, by largest remainders (Hamilton), exactly. Weights are the scores times one power of two, the largest in [2^61, 2^62), floored; ties of remainders go to the earlier row of the window order, which should therefore be unique. The shares of a partition add up to the amount when some score is positive, and are 0 when none is. NULL score counts as 0; amount NULL in all rows gives NULL. Negative, NaN or infinite scores, an amount that is fractional, negative or above 10^38 - 1, or that varies within the partition, are errors.';

CREATE FUNCTION allocate(score double precision, amount numeric, cap numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_allocate_float8' LANGUAGE c WINDOW IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION allocate(double precision, numeric, numeric) IS
'As allocate(score, amount), but no row gets more than its cap (NULL: none): rows whose exact quota exceeds their cap get the cap and the rest is shared again among the others until no quota exceeds (water-filling); what nobody may take stays unallocated. Fractional, negative, NaN or infinite caps are errors.';

CREATE FUNCTION allocate(score numeric, amount numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_allocate_numeric' LANGUAGE c WINDOW IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION allocate(numeric, numeric) IS
'As allocate(double precision, numeric), with the exact numerics as weights.';

CREATE FUNCTION allocate(score numeric, amount numeric, cap numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_allocate_numeric' LANGUAGE c WINDOW IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION allocate(numeric, numeric, numeric) IS
'As allocate(double precision, numeric, numeric), with the exact numerics as weights.';
-- Ledger tables: who provides what, and where.

-- Codes order and compare by bytes, so that "ties by code" cannot depend on
-- the collation of a database.
CREATE DOMAIN code AS text COLLATE "C"
	CONSTRAINT code_form CHECK (VALUE <> '' AND length(VALUE) <= 100 AND VALUE = btrim(VALUE, E' \t\r\n'));
COMMENT ON DOMAIN code IS
'short name used as a key: 1 to 100 characters without surrounding white space, compared by bytes in every database';

-- Lets a plain GiST exclusion constraint compare codes for equality without
-- the extension btree_gist.
CREATE TYPE code_range AS RANGE (subtype = text, subtype_opclass = text_ops, collation = "C", multirange_type_name = code_multirange);
COMMENT ON TYPE code_range IS
'range of codes; only used by exclusion constraints, as code_range(c, c, ''[]'') WITH =';

CREATE FUNCTION is_location(location geography) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	SELECT coalesce(ST_X(location::geometry) BETWEEN -180 AND 180
		AND ST_Y(location::geometry) BETWEEN -90 AND 90, false);
END;
COMMENT ON FUNCTION is_location(geography) IS
'true for a point with finite longitude and latitude, false for POINT EMPTY and NaN; NULL for NULL';

CREATE TABLE provider (
	provider_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE CHECK (name <> ''),
	payout_address text CHECK (payout_address <> ''),
	role_name name,
	created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE provider IS 'an independent operator of nodes; rewards are paid to providers';
COMMENT ON COLUMN provider.provider_id IS 'key';
COMMENT ON COLUMN provider.name IS 'name people know the provider by, unique';
COMMENT ON COLUMN provider.payout_address IS 'where payouts go, for example 0x and 40 hex digits; NULL: not known yet';
COMMENT ON COLUMN provider.role_name IS 'database role that may see this provider''s own statements; NULL: none';
COMMENT ON COLUMN provider.created_at IS 'when the row was made; not an input of any computation';

CREATE TABLE resource_type (
	code code PRIMARY KEY,
	name text,
	unit text NOT NULL CHECK (unit <> ''),
	unit_value numeric(24,9) NOT NULL CHECK (unit_value BETWEEN 0 AND 999999999999999),
	family text NOT NULL DEFAULT 'niche' CHECK (family IN ('cpu', 'gpu', 'memory', 'storage', 'bandwidth', 'niche')),
	initial_price numeric(24,12) NOT NULL DEFAULT 1 CHECK (initial_price > 0 AND initial_price <= 1000000),
	growth_need numeric(24,9) CHECK (growth_need BETWEEN 0 AND 999999999999999)
);
COMMENT ON TABLE resource_type IS 'kinds of resource that nodes offer';
COMMENT ON COLUMN resource_type.code IS 'key, for example gpu_h100';
COMMENT ON COLUMN resource_type.name IS 'name for people; NULL: the code will do';
COMMENT ON COLUMN resource_type.unit IS 'what one unit is, for example GPU, TB, Gbit/s';
COMMENT ON COLUMN resource_type.unit_value IS 'contribution of one unit, held through a whole epoch at quality 1 (a relative value, not money)';
COMMENT ON COLUMN resource_type.family IS 'group shown by growth_metric: cpu, gpu, memory, storage, bandwidth or niche';
COMMENT ON COLUMN resource_type.initial_price IS 'price factor before the first epoch that knows this type; 1 means neither scarce nor plentiful';
COMMENT ON COLUMN resource_type.growth_need IS 'most units of growth per epoch that network_capacity pays for; NULL: the unmet demand, max(0, demand - high-water mark)';

CREATE TABLE service_type (
	code code PRIMARY KEY,
	name text,
	unit text NOT NULL DEFAULT 'request' CHECK (unit <> ''),
	premium numeric(24,9) NOT NULL DEFAULT 1 CHECK (premium BETWEEN 0 AND 999999999999999)
);
COMMENT ON TABLE service_type IS 'kinds of service whose work is verified and reported in telemetry';
COMMENT ON COLUMN service_type.code IS 'key, for example inference';
COMMENT ON COLUMN service_type.name IS 'name for people; NULL: the code will do';
COMMENT ON COLUMN service_type.unit IS 'what one unit of work is';
COMMENT ON COLUMN service_type.premium IS 'weight of this service in the service_types pool: premium * work ^ alpha';

CREATE TABLE region (
	code code PRIMARY KEY,
	name text NOT NULL CHECK (name <> ''),
	boundary geography(MultiPolygon,4326) NOT NULL CHECK (NOT ST_IsEmpty(boundary::geometry)),
	jurisdiction text CHECK (jurisdiction <> ''),
	target_fraction numeric(7,6) NOT NULL DEFAULT 1 CHECK (target_fraction > 0 AND target_fraction <= 1)
);
COMMENT ON TABLE region IS 'areas that growth is steered by; they may overlap, a node belongs to the smallest that covers it';
COMMENT ON COLUMN region.code IS 'key; ties between regions of one size go to the lower code';
COMMENT ON COLUMN region.name IS 'name for people';
COMMENT ON COLUMN region.boundary IS 'WGS84 boundary, not empty';
COMMENT ON COLUMN region.jurisdiction IS 'whose law applies there; NULL: not known';
COMMENT ON COLUMN region.target_fraction IS 'share of the region''s demand that should be covered, in (0, 1]; the multiplier falls to 1 as it is reached';
CREATE INDEX region_boundary_idx ON region USING gist (boundary);

CREATE TABLE node (
	node_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	provider_id bigint NOT NULL REFERENCES provider,
	hardware_id code,
	name text CHECK (name <> ''),
	location geography(Point,4326) NOT NULL CHECK (is_location(location)),
	service_radius_m double precision NOT NULL CHECK (service_radius_m > 0 AND service_radius_m <= 5000000),
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('pending', 'active', 'suspended', 'left')),
	joined_at timestamptz NOT NULL CHECK (isfinite(joined_at)),
	left_at timestamptz CHECK (isfinite(left_at)),
	CONSTRAINT node_left_after_joined CHECK (left_at > joined_at),
	CONSTRAINT node_left_has_time CHECK (status <> 'left' OR left_at IS NOT NULL),
	CONSTRAINT node_active_has_not_left CHECK (status <> 'active' OR left_at IS NULL)
);
COMMENT ON TABLE node IS 'one machine or rack at one place, run by one provider, a member of the network from joined_at until left_at';
COMMENT ON COLUMN node.node_id IS 'key; leftover base units of equal remainders go to the lower key';
COMMENT ON COLUMN node.provider_id IS 'who runs it';
COMMENT ON COLUMN node.hardware_id IS 'attested identity of the hardware, unique among active nodes; high-water marks and ages stay with it under any provider. NULL: not attested, marks are kept per provider';
COMMENT ON COLUMN node.name IS 'name for people; may be NULL';
COMMENT ON COLUMN node.location IS 'claimed place, WGS84';
COMMENT ON COLUMN node.service_radius_m IS 'radius in metres of the disc it serves, in (0, 5 000 000]; see service_radius()';
COMMENT ON COLUMN node.status IS 'pending (not yet accepted) and suspended nodes take no part in an epoch when it is computed; active and left ones do, for the time from joined_at to left_at';
COMMENT ON COLUMN node.joined_at IS 'start of membership';
COMMENT ON COLUMN node.left_at IS 'end of membership, exclusive; NULL: still a member';
CREATE UNIQUE INDEX node_active_hardware_idx ON node (hardware_id) WHERE status = 'active';
CREATE INDEX node_provider_idx ON node (provider_id);
CREATE INDEX node_location_idx ON node USING gist (location);

CREATE TABLE node_resource (
	node_id bigint NOT NULL REFERENCES node,
	resource_type code NOT NULL REFERENCES resource_type,
	units numeric(24,9) NOT NULL CHECK (units BETWEEN 0 AND 999999999999999),
	valid tstzrange NOT NULL CHECK (NOT isempty(valid)),
	PRIMARY KEY (node_id, resource_type, valid),
	CONSTRAINT node_resource_no_overlap EXCLUDE USING gist
		(int8range(node_id, node_id, '[]') WITH =, code_range(resource_type, resource_type, '[]') WITH =, valid WITH &&)
);
COMMENT ON TABLE node_resource IS 'units of a resource that a node offers during a time; times of one node and type do not overlap';
COMMENT ON COLUMN node_resource.node_id IS 'the node';
COMMENT ON COLUMN node_resource.resource_type IS 'the kind of resource';
COMMENT ON COLUMN node_resource.units IS 'how many units, to nine decimals';
COMMENT ON COLUMN node_resource.valid IS 'when it offers them; an epoch averages units by time over valid and the node''s membership';

SELECT pg_catalog.pg_extension_config_dump('provider', '');
SELECT pg_catalog.pg_extension_config_dump('provider_provider_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('resource_type', '');
SELECT pg_catalog.pg_extension_config_dump('service_type', '');
SELECT pg_catalog.pg_extension_config_dump('region', '');
SELECT pg_catalog.pg_extension_config_dump('node', '');
SELECT pg_catalog.pg_extension_config_dump('node_node_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('node_resource', '');
-- Ledger tables: what the network is wanted for, and who checks where nodes are.

CREATE TABLE demand (
	demand_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	location geography(Point,4326) NOT NULL CHECK (is_location(location)),
	weight numeric(24,6) NOT NULL CHECK (weight BETWEEN 0 AND 100000000000),
	valid tstzrange NOT NULL DEFAULT '(,)' CHECK (NOT isempty(valid)),
	name text
);
COMMENT ON TABLE demand IS 'where people or workloads are; an epoch gathers it into the demand field D';
COMMENT ON COLUMN demand.demand_id IS 'key';
COMMENT ON COLUMN demand.location IS 'the place; its weight belongs to the cell that holds it';
COMMENT ON COLUMN demand.weight IS 'for example people; an epoch takes the average over its period, to the nearest 2^-16; all together at most 2^37';
COMMENT ON COLUMN demand.valid IS 'when it is wanted; always, unless said otherwise';
COMMENT ON COLUMN demand.name IS 'name for people; may be NULL';
CREATE INDEX demand_location_idx ON demand USING gist (location);

CREATE TABLE resource_demand (
	region code NOT NULL REFERENCES region,
	resource_type code NOT NULL REFERENCES resource_type,
	units numeric(24,9) NOT NULL CHECK (units BETWEEN 0 AND 999999999999999),
	valid tstzrange NOT NULL DEFAULT '(,)' CHECK (NOT isempty(valid)),
	PRIMARY KEY (region, resource_type, valid),
	CONSTRAINT resource_demand_no_overlap EXCLUDE USING gist
		(code_range(region, region, '[]') WITH =, code_range(resource_type, resource_type, '[]') WITH =, valid WITH &&)
);
COMMENT ON TABLE resource_demand IS 'units of a resource wanted in a region during a time; times of one region and type do not overlap';
COMMENT ON COLUMN resource_demand.region IS 'code of the region';
COMMENT ON COLUMN resource_demand.resource_type IS 'code of the kind of resource';
COMMENT ON COLUMN resource_demand.units IS 'how many units are wanted; an epoch takes the average over its period';
COMMENT ON COLUMN resource_demand.valid IS 'when they are wanted; always, unless said otherwise';

CREATE TABLE beacon (
	beacon_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	name text UNIQUE CHECK (name <> ''),
	location geography(Point,4326) NOT NULL CHECK (is_location(location))
);
COMMENT ON TABLE beacon IS 'trusted machines at known places that measure round-trip times to nodes';
COMMENT ON COLUMN beacon.beacon_id IS 'key';
COMMENT ON COLUMN beacon.name IS 'name for people, unique; may be NULL';
COMMENT ON COLUMN beacon.location IS 'its true place';

CREATE TABLE beacon_rtt (
	node_id bigint NOT NULL REFERENCES node,
	beacon_id bigint NOT NULL REFERENCES beacon,
	measured_at timestamptz NOT NULL CHECK (isfinite(measured_at)),
	rtt_ms double precision NOT NULL CHECK (rtt_ms >= 0 AND rtt_ms < 'Infinity'),
	PRIMARY KEY (node_id, beacon_id, measured_at)
);
COMMENT ON TABLE beacon_rtt IS 'round-trip times measured by beacons; a time too short for the distance to the claimed place disproves it';
COMMENT ON COLUMN beacon_rtt.node_id IS 'the node measured';
COMMENT ON COLUMN beacon_rtt.beacon_id IS 'the beacon that measured';
COMMENT ON COLUMN beacon_rtt.measured_at IS 'when';
COMMENT ON COLUMN beacon_rtt.rtt_ms IS 'round-trip time in milliseconds';
CREATE INDEX beacon_rtt_measured_idx ON beacon_rtt (measured_at);

SELECT pg_catalog.pg_extension_config_dump('demand', '');
SELECT pg_catalog.pg_extension_config_dump('demand_demand_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('resource_demand', '');
SELECT pg_catalog.pg_extension_config_dump('beacon', '');
SELECT pg_catalog.pg_extension_config_dump('beacon_beacon_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('beacon_rtt', '');
-- Ledger tables: heartbeats and verified work, their hourly summaries, and rejects.
--
-- The primary key and the foreign keys of telemetry and telemetry_hour are on
-- each partition, where make_telemetry_partitions puts them: the key holds the
-- partition key, so that it is unique in the whole all the same. On the parent,
-- which a restore has from CREATE EXTENSION before it attaches the partitions,
-- they would collide with those that pg_dump writes for each partition.

CREATE TABLE telemetry (
	node_id bigint NOT NULL,
	service_type code,
	sampled_at timestamptz NOT NULL CHECK (isfinite(sampled_at)),
	latency_ms double precision CHECK (latency_ms >= 0 AND latency_ms < 'Infinity'),
	ok boolean NOT NULL,
	work bigint DEFAULT 0 CHECK (work >= 0),
	energy_mwh bigint CHECK (energy_mwh >= 0),
	service_key text COLLATE "C" NOT NULL GENERATED ALWAYS AS (coalesce(service_type::text, '')) STORED,
	CONSTRAINT telemetry_work_has_service CHECK (work = 0 OR service_type IS NOT NULL)
) PARTITION BY RANGE (sampled_at);
COMMENT ON TABLE telemetry IS 'one row per heartbeat or served request, partitioned by day; loading a row twice is refused by the primary key (node_id, sampled_at, service_key) of its partition, or skipped with ON CONFLICT DO NOTHING';
COMMENT ON COLUMN telemetry.node_id IS 'the node';
COMMENT ON COLUMN telemetry.service_type IS 'the service whose work this is; NULL: a plain heartbeat';
COMMENT ON COLUMN telemetry.sampled_at IS 'when';
COMMENT ON COLUMN telemetry.latency_ms IS 'response time in milliseconds; NULL: not measured, the row counts for uptime and errors only';
COMMENT ON COLUMN telemetry.ok IS 'did it answer, and was the work verified';
COMMENT ON COLUMN telemetry.work IS 'units of work done; only that of ok rows is verified work; NULL: none';
COMMENT ON COLUMN telemetry.energy_mwh IS 'energy used, in milliwatt hours; NULL: not measured';
COMMENT ON COLUMN telemetry.service_key IS 'service_type, or the empty string for a heartbeat: a primary key cannot hold NULL';

CREATE TABLE telemetry_hour (
	node_id bigint NOT NULL,
	service_type code,
	hour timestamptz NOT NULL CHECK (isfinite(hour) AND date_trunc('hour', hour, 'UTC') = hour),
	summary telemetry_summary NOT NULL,
	work numeric(38,0) NOT NULL DEFAULT 0 CHECK (work >= 0),
	energy_mwh numeric(38,0) CHECK (energy_mwh >= 0),
	service_key text COLLATE "C" NOT NULL GENERATED ALWAYS AS (coalesce(service_type::text, '')) STORED,
	CONSTRAINT telemetry_hour_work_has_service CHECK (work = 0 OR service_type IS NOT NULL)
) PARTITION BY RANGE (hour);
COMMENT ON TABLE telemetry_hour IS 'telemetry rolled up by node, service and hour, partitioned by day; the primary key (node_id, hour, service_key) is on each partition';
COMMENT ON COLUMN telemetry_hour.node_id IS 'the node';
COMMENT ON COLUMN telemetry_hour.service_type IS 'the service; NULL: plain heartbeats';
COMMENT ON COLUMN telemetry_hour.hour IS 'start of the hour';
COMMENT ON COLUMN telemetry_hour.summary IS 'telemetry_agg over the raw rows of the hour';
COMMENT ON COLUMN telemetry_hour.work IS 'sum of the work of ok rows';
COMMENT ON COLUMN telemetry_hour.energy_mwh IS 'sum of energy, milliwatt hours; NULL: not measured in any row';
COMMENT ON COLUMN telemetry_hour.service_key IS 'service_type, or the empty string for heartbeats';

CREATE TABLE telemetry_reject (
	reject_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	rejected_at timestamptz NOT NULL DEFAULT now(),
	source text,
	"row" jsonb NOT NULL,
	reason text NOT NULL CHECK (reason <> '')
);
COMMENT ON TABLE telemetry_reject IS 'rows that could not be ingested, as they came, with the reason';
COMMENT ON COLUMN telemetry_reject.reject_id IS 'key';
COMMENT ON COLUMN telemetry_reject.rejected_at IS 'when it was turned away';
COMMENT ON COLUMN telemetry_reject.source IS 'table it came from; NULL: not known';
COMMENT ON COLUMN telemetry_reject."row" IS 'the row as it was';
COMMENT ON COLUMN telemetry_reject.reason IS 'why';

-- Partitions are ordinary tables, not members of the extension, so that
-- pg_dump keeps them. There is no default partition on purpose: it would have
-- to be scanned under lock whenever a day is added, and would hide lost days.
CREATE FUNCTION make_telemetry_partitions(from_time timestamptz, to_time timestamptz, width interval DEFAULT '1 day') RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	parent regclass;
	taken tstzmultirange;
	free tstzrange;
	a timestamptz;
	b timestamptz;
	e timestamptz;
	made int := 0;
	child text;
BEGIN
	IF from_time IS NULL OR to_time IS NULL OR NOT isfinite(from_time) OR NOT isfinite(to_time) OR from_time >= to_time THEN
		RAISE EXCEPTION 'cannot make telemetry partitions from % to %', from_time, to_time
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a finite start before a finite end.';
	END IF;
	IF width IS NULL OR width < interval '1 day' OR width <> justify_hours(date_trunc('day', width)) THEN
		RAISE EXCEPTION 'partition width % is not a whole number of days', width
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use ''1 day'' or, for sparse history, for example ''1 month''.';
	END IF;
	FOREACH parent IN ARRAY ARRAY['telemetry'::regclass, 'telemetry_hour'::regclass] LOOP
		-- one maker at a time: two would find the same day free
		PERFORM pg_advisory_xact_lock(parent::oid::bigint);
		SELECT range_agg(tstzrange(m[1]::timestamptz, m[2]::timestamptz)) INTO taken
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
			regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$^FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)$re$) m
		WHERE i.inhparent = parent;
		a := date_trunc('day', from_time);
		e := date_trunc('day', to_time) + CASE WHEN date_trunc('day', to_time) = to_time THEN interval '0' ELSE interval '1 day' END;
		WHILE a < e LOOP
			b := least(a + width, e);
			FOR free IN
				SELECT r FROM unnest(tstzmultirange(tstzrange(a, b)) - coalesce(taken, tstzmultirange())) r
			LOOP
				child := format('%I.%I', '@extschema@', (SELECT c.relname FROM pg_class c WHERE c.oid = parent) || '_' || to_char(lower(free), 'YYYYMMDD'));
				EXECUTE format('CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (%L) TO (%L)', child, parent, lower(free), upper(free));
				EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (node_id, %I, service_key), ADD FOREIGN KEY (node_id) REFERENCES node, ADD FOREIGN KEY (service_type) REFERENCES service_type',
					child, CASE parent WHEN 'telemetry'::regclass THEN 'sampled_at' ELSE 'hour' END);
				made := made + 1;
			END LOOP;
			a := b;
		END LOOP;
	END LOOP;
	RETURN made;
END $$;
COMMENT ON FUNCTION make_telemetry_partitions(timestamptz, timestamptz, interval) IS
'makes the missing partitions of telemetry and telemetry_hour, with their primary and foreign keys, for the UTC days from from_time to before to_time and returns how many it made; safe to repeat. width: days per partition, wider for sparse history. Errors: an empty or unbounded span, a width that is not whole days';

SELECT pg_catalog.pg_extension_config_dump('telemetry', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_hour', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_reject', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_reject_reject_id_seq', '');
-- Ledger tables: policies. A policy is a version: once an epoch has used it, it
-- can only be followed by another one.

CREATE TABLE policy (
	policy_id bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 100) PRIMARY KEY,
	name text NOT NULL UNIQUE CHECK (name <> ''),
	effective_from timestamptz UNIQUE,
	note text,
	-- fields
	grid_order int NOT NULL DEFAULT 10 CHECK (grid_order BETWEEN 0 AND 13),
	supply_target numeric(24,9) NOT NULL DEFAULT 1 CHECK (supply_target > 0 AND supply_target <= 999999999999999),
	-- pools
	new_regions_bps int NOT NULL DEFAULT 2000 CHECK (new_regions_bps BETWEEN 0 AND 10000),
	coverage_gaps_bps int NOT NULL DEFAULT 2500 CHECK (coverage_gaps_bps BETWEEN 0 AND 10000),
	resource_types_bps int NOT NULL DEFAULT 1500 CHECK (resource_types_bps BETWEEN 0 AND 10000),
	network_capacity_bps int NOT NULL DEFAULT 1500 CHECK (network_capacity_bps BETWEEN 0 AND 10000),
	service_types_bps int NOT NULL DEFAULT 1500 CHECK (service_types_bps BETWEEN 0 AND 10000),
	specialization_bps int NOT NULL DEFAULT 1000 CHECK (specialization_bps BETWEEN 0 AND 10000),
	gaps_geographic_bps int NOT NULL DEFAULT 6000 CHECK (gaps_geographic_bps BETWEEN 0 AND 10000),
	unpaid_to text NOT NULL DEFAULT 'carry' CHECK (unpaid_to IN ('carry', 'treasury')),
	provider_cap_bps int CHECK (provider_cap_bps BETWEEN 1 AND 10000),
	-- quality
	uptime_floor numeric(13,12) NOT NULL DEFAULT 0.95 CHECK (uptime_floor BETWEEN 0 AND 1),
	uptime_target numeric(13,12) NOT NULL DEFAULT 0.995 CHECK (uptime_target BETWEEN 0 AND 1),
	response_quantile numeric(13,12) NOT NULL DEFAULT 0.95 CHECK (response_quantile BETWEEN 0 AND 1),
	response_limit_ms numeric(18,6) NOT NULL DEFAULT 1000 CHECK (response_limit_ms <= 3600000),
	response_target_ms numeric(18,6) NOT NULL DEFAULT 100 CHECK (response_target_ms >= 0),
	error_confidence numeric(13,12) NOT NULL DEFAULT 0.95 CHECK (error_confidence > 0 AND error_confidence < 1),
	error_limit numeric(13,12) NOT NULL DEFAULT 0.10 CHECK (error_limit BETWEEN 0 AND 1),
	error_target numeric(13,12) NOT NULL DEFAULT 0.02 CHECK (error_target BETWEEN 0 AND 1),
	telemetry_slot interval NOT NULL DEFAULT '1 minute' CHECK (telemetry_slot > interval '0'),
	min_beacons int NOT NULL DEFAULT 3 CHECK (min_beacons BETWEEN 0 AND 1000000),
	unattested_trust numeric(13,12) NOT NULL DEFAULT 0.5 CHECK (unattested_trust BETWEEN 0 AND 1),
	location_slack_m numeric(18,6) NOT NULL DEFAULT 50000 CHECK (location_slack_m BETWEEN 0 AND 20100000),
	-- new_regions
	region_multiplier_max numeric(18,9) NOT NULL DEFAULT 3 CHECK (region_multiplier_max >= 1 AND region_multiplier_max <= 1000000),
	freshness_epochs int NOT NULL DEFAULT 4 CHECK (freshness_epochs BETWEEN 1 AND 1000000),
	-- resource_types
	price_elasticity numeric(13,9) NOT NULL DEFAULT 0.5 CHECK (price_elasticity BETWEEN 0 AND 10),
	price_step numeric(13,12) NOT NULL DEFAULT 0.125 CHECK (price_step >= 0 AND price_step < 1),
	price_min numeric(24,12) NOT NULL DEFAULT 0.25 CHECK (price_min > 0),
	price_max numeric(24,12) NOT NULL DEFAULT 8 CHECK (price_max <= 1000000),
	-- network_capacity
	growth_target numeric(38,9) NOT NULL DEFAULT 1000 CHECK (growth_target > 0 AND growth_target < 'Infinity'),
	-- service_types
	service_alpha numeric(13,12) NOT NULL DEFAULT 0.5 CHECK (service_alpha > 0 AND service_alpha <= 1),
	-- operations
	challenge_window interval NOT NULL DEFAULT '7 days' CHECK (challenge_window >= interval '0'),
	sealed_rules int CHECK (sealed_rules >= 0),
	is_builtin boolean NOT NULL DEFAULT false,
	CONSTRAINT policy_weights_sum_to_10000 CHECK (new_regions_bps + coverage_gaps_bps + resource_types_bps
		+ network_capacity_bps + service_types_bps + specialization_bps = 10000),
	CONSTRAINT policy_uptime_ramp CHECK (uptime_floor < uptime_target),
	CONSTRAINT policy_response_ramp CHECK (response_limit_ms > response_target_ms),
	CONSTRAINT policy_error_ramp CHECK (error_limit > error_target),
	CONSTRAINT policy_price_range CHECK (price_min <= price_max)
);
COMMENT ON TABLE policy IS 'versions of the rules of reward; a policy that an epoch has used cannot change, insert a new one instead';
COMMENT ON COLUMN policy.policy_id IS 'key; below 100 reserved for policies that ship with the extension';
COMMENT ON COLUMN policy.name IS 'name for people, unique';
COMMENT ON COLUMN policy.effective_from IS 'an epoch that names no policy takes the one with the latest effective_from not after its start; NULL: a draft, only used where it is named';
COMMENT ON COLUMN policy.note IS 'why this version';
COMMENT ON COLUMN policy.grid_order IS 'order of the HEALPix grid of all fields, 0 to 13';
COMMENT ON COLUMN policy.supply_target IS 'T: contribution wanted over each cell with demand';
COMMENT ON COLUMN policy.new_regions_bps IS 'part of the budget for new_regions, basis points; the six parts sum to 10 000';
COMMENT ON COLUMN policy.coverage_gaps_bps IS 'part of the budget for coverage_gaps, basis points';
COMMENT ON COLUMN policy.resource_types_bps IS 'part of the budget for resource_types, basis points';
COMMENT ON COLUMN policy.network_capacity_bps IS 'part of the budget for network_capacity, basis points';
COMMENT ON COLUMN policy.service_types_bps IS 'part of the budget for service_types, basis points';
COMMENT ON COLUMN policy.specialization_bps IS 'part of the budget for specialization, basis points';
COMMENT ON COLUMN policy.gaps_geographic_bps IS 'part of the coverage_gaps pool for the geographic half, basis points; the rest is for the resource half';
COMMENT ON COLUMN policy.unpaid_to IS 'where what a pool cannot pay goes: carry (the same pool of the next epoch) or treasury';
COMMENT ON COLUMN policy.provider_cap_bps IS 'most that one provider may take of what is apportioned from a pool, basis points, rounded down to a base unit; NULL: no cap';
COMMENT ON COLUMN policy.uptime_floor IS 'availability is 0 at or below this uptime';
COMMENT ON COLUMN policy.uptime_target IS 'availability is 1 at or above this uptime';
COMMENT ON COLUMN policy.response_quantile IS 'quantile of response time that counts';
COMMENT ON COLUMN policy.response_limit_ms IS 'response time, ms, at or above which performance is 0';
COMMENT ON COLUMN policy.response_target_ms IS 'response time, ms, at or below which it is as good as wanted';
COMMENT ON COLUMN policy.error_confidence IS 'confidence of the upper bound of the error rate';
COMMENT ON COLUMN policy.error_limit IS 'error rate (upper bound) at or above which performance is 0';
COMMENT ON COLUMN policy.error_target IS 'error rate (upper bound) at or below which it is as good as wanted';
COMMENT ON COLUMN policy.telemetry_slot IS 'slot of uptime: a node is up in a slot with at least one good sample; as long as the interval between heartbeats';
COMMENT ON COLUMN policy.min_beacons IS 'with fewer beacons than this having measured the node within the epoch, trust is unattested_trust; 0 trusts nodes that nobody measures';
COMMENT ON COLUMN policy.unattested_trust IS 'trust of a node that too few beacons have measured';
COMMENT ON COLUMN policy.location_slack_m IS 'metres by which a distance may exceed what the round-trip time allows before the place is impossible';
COMMENT ON COLUMN policy.region_multiplier_max IS 'M: multiplier of a region without any coverage, at least 1';
COMMENT ON COLUMN policy.freshness_epochs IS 'K: epochs until a contribution in a region is no longer new';
COMMENT ON COLUMN policy.price_elasticity IS 'epsilon: exponent of demand over supply';
COMMENT ON COLUMN policy.price_step IS 'delta: largest relative move of a price in one epoch';
COMMENT ON COLUMN policy.price_min IS 'lowest price factor';
COMMENT ON COLUMN policy.price_max IS 'highest price factor';
COMMENT ON COLUMN policy.growth_target IS 'value of growth in one epoch for which the whole network_capacity pool is released';
COMMENT ON COLUMN policy.service_alpha IS 'alpha in (0, 1]: a service gets premium * work ^ alpha of the pool';
COMMENT ON COLUMN policy.challenge_window IS 'time after computation before an epoch may become final';
COMMENT ON COLUMN policy.sealed_rules IS 'set when an epoch first uses the policy: how many specialization rules it has for ever; NULL: not used yet';
COMMENT ON COLUMN policy.is_builtin IS 'shipped with the extension and never dumped';

CREATE TABLE specialization (
	policy_id bigint NOT NULL REFERENCES policy,
	code code NOT NULL,
	name text,
	service_type code REFERENCES service_type,
	metric text NOT NULL CHECK (metric IN ('p50_latency_ms', 'p95_latency_ms', 'p99_latency_ms', 'error_rate_upper', 'energy_per_work')),
	bound numeric(24,9) NOT NULL CHECK (bound BETWEEN 0 AND 999999999999999),
	target numeric(24,9) NOT NULL CHECK (target BETWEEN 0 AND 999999999999999),
	weight numeric(24,9) NOT NULL CHECK (weight BETWEEN 0 AND 999999999999999),
	min_samples bigint NOT NULL DEFAULT 1 CHECK (min_samples >= 1),
	is_builtin boolean NOT NULL DEFAULT false,
	PRIMARY KEY (policy_id, code),
	CONSTRAINT specialization_ramp CHECK (bound <> target)
);
COMMENT ON TABLE specialization IS 'rules of a policy that reward doing one thing very well: weight * work * ramp(metric; bound, target)';
COMMENT ON COLUMN specialization.policy_id IS 'the policy';
COMMENT ON COLUMN specialization.code IS 'short name of the rule, unique in its policy';
COMMENT ON COLUMN specialization.name IS 'name for people; NULL: the code will do';
COMMENT ON COLUMN specialization.service_type IS 'whose work counts; NULL: each service on its own, all counted';
COMMENT ON COLUMN specialization.metric IS 'quantile of latency in ms, upper bound of the error rate, or energy per unit of work in milliwatt hours, per node and service over the epoch';
COMMENT ON COLUMN specialization.bound IS 'value of the metric that earns nothing';
COMMENT ON COLUMN specialization.target IS 'value of the metric that earns everything; below bound where less is better';
COMMENT ON COLUMN specialization.weight IS 'score of one unit of work at the target';
COMMENT ON COLUMN specialization.min_samples IS 'fewest samples of node and service for the rule to apply';
COMMENT ON COLUMN specialization.is_builtin IS 'shipped with the extension and never dumped';

INSERT INTO policy (policy_id, name, effective_from, note, sealed_rules, is_builtin)
VALUES (1, 'default', '-infinity', 'shipped with swarm_reward 0.1.0', 2, true);
INSERT INTO specialization (policy_id, code, name, metric, bound, target, weight, min_samples, is_builtin)
VALUES (1, 'low_latency', 'low-latency service', 'p95_latency_ms', 200, 50, 1, 30, true),
	(1, 'energy', 'little energy per unit of work', 'energy_per_work', 1000, 100, 1, 30, true);

-- A used policy is sealed: UPDATE and DELETE are refused, and so are more rules
-- than it was sealed with. Rules up to that number are accepted, because that
-- is what loading a dump looks like.
CREATE FUNCTION policy_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	sealed int;
BEGIN
	IF TG_TABLE_NAME = 'policy' THEN
		IF TG_OP = 'UPDATE' AND NOT OLD.is_builtin AND OLD.sealed_rules IS NULL THEN
			IF NEW.policy_id = OLD.policy_id THEN RETURN NEW; END IF;
		ELSIF TG_OP = 'DELETE' AND NOT OLD.is_builtin AND OLD.sealed_rules IS NULL THEN
			RETURN OLD;
		END IF;
		RAISE EXCEPTION 'policy % (%) cannot be changed', OLD.policy_id, OLD.name
			USING ERRCODE = 'restrict_violation',
				DETAIL = CASE WHEN OLD.is_builtin THEN 'It ships with the extension.' ELSE 'An epoch has used it, or its key would change.' END,
				HINT = 'Insert a new policy with a later effective_from.';
	END IF;
	IF TG_OP IN ('UPDATE', 'DELETE') THEN
		SELECT sealed_rules INTO sealed FROM policy WHERE policy_id = OLD.policy_id;
		IF sealed IS NOT NULL THEN
			RAISE EXCEPTION 'specialization % of policy % cannot be changed', OLD.code, OLD.policy_id
				USING ERRCODE = 'restrict_violation', HINT = 'Insert a new policy with its own rules.';
		END IF;
	END IF;
	IF TG_OP IN ('INSERT', 'UPDATE') THEN
		SELECT sealed_rules INTO sealed FROM policy WHERE policy_id = NEW.policy_id FOR SHARE;
		IF sealed <= (SELECT count(*) FROM specialization WHERE policy_id = NEW.policy_id) THEN
			RAISE EXCEPTION 'policy % takes no more rules than the % it has', NEW.policy_id, sealed
				USING ERRCODE = 'restrict_violation', HINT = 'Insert a new policy with its own rules.';
		END IF;
		RETURN NEW;
	END IF;
	RETURN OLD;
END $$;
COMMENT ON FUNCTION policy_guard() IS 'trigger: policies and their rules are append-only once used';
CREATE TRIGGER policy_guard BEFORE UPDATE OR DELETE ON policy FOR EACH ROW EXECUTE FUNCTION policy_guard();
CREATE TRIGGER policy_guard BEFORE INSERT OR UPDATE OR DELETE ON specialization FOR EACH ROW EXECUTE FUNCTION policy_guard();

SELECT pg_catalog.pg_extension_config_dump('policy', 'WHERE NOT is_builtin');
SELECT pg_catalog.pg_extension_config_dump('policy_policy_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('specialization', 'WHERE NOT is_builtin');
-- Ledger tables: epochs, what they froze, what they paid.
--
-- While an epoch is open its rows may come and go. When it is computed they
-- are sealed: epoch_seal counts and hashes them, and triggers (49) let nothing
-- change until it is opened again, which a final epoch never is. The large
-- tables have one foreign key a row and no more: what else they refer to is
-- held by epoch_node, epoch_region, epoch_resource and epoch_pool.

CREATE TABLE component (
	code code PRIMARY KEY,
	position int NOT NULL UNIQUE,
	name text NOT NULL
);
COMMENT ON TABLE component IS 'the six things that the network pays for; fixed';
COMMENT ON COLUMN component.code IS 'key';
COMMENT ON COLUMN component.position IS 'order of display; also breaks ties when the budget is split';
COMMENT ON COLUMN component.name IS 'what it pays for';
INSERT INTO component VALUES
	('new_regions', 1, 'first nodes in regions that are short of coverage'),
	('coverage_gaps', 2, 'serving demand, and offering resources, that nobody served'),
	('resource_types', 3, 'resources that are scarce'),
	('network_capacity', 4, 'growth of the whole network beyond its past'),
	('service_types', 5, 'verified work, rarer services more'),
	('specialization', 6, 'doing one thing very well');

CREATE TABLE epoch (
	epoch_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	period tstzrange NOT NULL CHECK (lower(period) IS NOT NULL AND upper(period) IS NOT NULL
		AND isfinite(lower(period)) AND isfinite(upper(period)) AND lower_inc(period) AND NOT upper_inc(period)),
	status text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'open', 'computed', 'final')),
	budget numeric(38,0) NOT NULL CHECK (budget BETWEEN 0 AND 1e37),
	policy_id bigint REFERENCES policy,
	epoch_no int CHECK (epoch_no >= 1),
	-- no foreign key to itself: it would make pg_dump warn, and a row of a dump
	-- could come before the one it refers to; a computed epoch cannot be deleted
	previous_epoch_id bigint UNIQUE CHECK (previous_epoch_id <> epoch_id),
	supply coverage,
	demand coverage,
	closing_supply coverage,
	digest bytea CHECK (length(digest) = 32),
	opened_at timestamptz,
	computed_at timestamptz,
	final_at timestamptz,
	note text,
	CONSTRAINT epoch_no_overlap EXCLUDE USING gist (period WITH &&),
	CONSTRAINT epoch_open_is_pinned CHECK (status = 'planned' OR (policy_id IS NOT NULL AND epoch_no IS NOT NULL
		AND (previous_epoch_id IS NULL) = (epoch_no = 1))),
	CONSTRAINT epoch_computed_is_complete CHECK (status IN ('planned', 'open') OR (supply IS NOT NULL
		AND demand IS NOT NULL AND closing_supply IS NOT NULL AND digest IS NOT NULL AND computed_at IS NOT NULL)),
	CONSTRAINT epoch_final_has_time CHECK ((status = 'final') = (final_at IS NOT NULL))
);
COMMENT ON TABLE epoch IS 'a period of time whose budget is apportioned once, after it has ended; epochs are computed in order';
COMMENT ON COLUMN epoch.epoch_id IS 'key; the order of epochs is that of their periods';
COMMENT ON COLUMN epoch.period IS 'from inclusive, to exclusive; periods do not overlap';
COMMENT ON COLUMN epoch.status IS 'planned, open (being computed), computed (may be recomputed), final (never changes)';
COMMENT ON COLUMN epoch.budget IS 'base units to be paid; 0 for an epoch that only sets the baseline';
COMMENT ON COLUMN epoch.policy_id IS 'the rules; NULL while planned: the policy in effect at the start of the period';
COMMENT ON COLUMN epoch.epoch_no IS 'ordinal, 1 for the first epoch computed; ages are counted in it';
COMMENT ON COLUMN epoch.previous_epoch_id IS 'the epoch whose closing state this one starts from; NULL for the first';
COMMENT ON COLUMN epoch.supply IS 'S0: opening supply field, contribution per cell at the close of the previous epoch; zero at the first';
COMMENT ON COLUMN epoch.demand IS 'D: demand field, average over the period';
COMMENT ON COLUMN epoch.closing_supply IS 'S1: supply field of this epoch, the sum over nodes of contribution times disc';
COMMENT ON COLUMN epoch.digest IS 'SHA-256 over all frozen inputs and results and the digest of the previous epoch; see epoch_seal';
COMMENT ON COLUMN epoch.opened_at IS 'when it was opened; not an input';
COMMENT ON COLUMN epoch.computed_at IS 'when it was last computed; not an input';
COMMENT ON COLUMN epoch.final_at IS 'when it became final; not an input';
COMMENT ON COLUMN epoch.note IS 'free text; not an input';

CREATE TABLE epoch_seal (
	epoch_id bigint NOT NULL REFERENCES epoch,
	relation code NOT NULL,
	columns text[] NOT NULL,
	row_count bigint NOT NULL CHECK (row_count >= 0),
	digest bytea NOT NULL CHECK (length(digest) = 32),
	PRIMARY KEY (epoch_id, relation)
);
COMMENT ON TABLE epoch_seal IS 'for a computed epoch, how many rows each table holds of it and their SHA-256; also of the epoch itself, its policy and the rules';
COMMENT ON COLUMN epoch_seal.columns IS 'the columns that were hashed';
COMMENT ON COLUMN epoch_seal.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_seal.relation IS 'name of the table in this schema';
COMMENT ON COLUMN epoch_seal.row_count IS 'rows of this epoch';
COMMENT ON COLUMN epoch_seal.digest IS 'SHA-256 of the rows in any order, see epoch_rows_digest()';

CREATE TABLE epoch_node (
	epoch_id bigint NOT NULL REFERENCES epoch,
	node_id bigint NOT NULL REFERENCES node,
	provider_id bigint NOT NULL REFERENCES provider,
	hardware_id code,
	location geography(Point,4326) NOT NULL,
	service_radius_m double precision NOT NULL,
	region code,
	age int NOT NULL CHECK (age >= 0),
	active tstzrange NOT NULL CHECK (NOT isempty(active)),
	measured tstzrange NOT NULL CHECK (NOT isempty(measured)),
	uptime double precision NOT NULL CHECK (uptime BETWEEN 0 AND 1),
	response_ms double precision CHECK (response_ms >= 0),
	error_rate_upper double precision CHECK (error_rate_upper BETWEEN 0 AND 1),
	samples bigint NOT NULL CHECK (samples >= 0),
	errors bigint NOT NULL CHECK (errors BETWEEN 0 AND samples),
	beacons int NOT NULL CHECK (beacons >= 0),
	location_excess_m double precision CHECK ((location_excess_m IS NULL) = (beacons = 0)),
	value numeric NOT NULL CHECK (value >= 0),
	availability double precision NOT NULL CHECK (availability BETWEEN 0 AND 1),
	performance double precision NOT NULL CHECK (performance BETWEEN 0 AND 1),
	trust double precision NOT NULL CHECK (trust BETWEEN 0 AND 1),
	quality numeric(13,12) NOT NULL CHECK (quality BETWEEN 0 AND 1),
	contribution numeric NOT NULL CHECK (contribution >= 0 AND contribution = quality * value),
	PRIMARY KEY (epoch_id, node_id)
);
COMMENT ON TABLE epoch_node IS 'every node that was a member during an epoch, as it was then: later changes of node change nothing here';
COMMENT ON COLUMN epoch_node.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_node.node_id IS 'the node';
COMMENT ON COLUMN epoch_node.provider_id IS 'its provider then';
COMMENT ON COLUMN epoch_node.hardware_id IS 'its attested hardware then; NULL: none';
COMMENT ON COLUMN epoch_node.location IS 'its place then';
COMMENT ON COLUMN epoch_node.service_radius_m IS 'its radius then, metres';
COMMENT ON COLUMN epoch_node.region IS 'the smallest region that covers it, ties by code; NULL: none';
COMMENT ON COLUMN epoch_node.age IS 'epochs since its provider, or its hardware under any provider, whichever is longer ago, first contributed in the region; 0: never before';
COMMENT ON COLUMN epoch_node.active IS 'the part of the period in which it was a member';
COMMENT ON COLUMN epoch_node.measured IS 'the time over which uptime is measured: active, and where the provider took out and put back the same hardware, all from the first to the last of it';
COMMENT ON COLUMN epoch_node.uptime IS 'share of the slots of measured with a good sample; 0 without telemetry';
COMMENT ON COLUMN epoch_node.response_ms IS 'the policy''s quantile of response time over heartbeats (over all samples where there are no timed heartbeats), ms; NULL: none timed';
COMMENT ON COLUMN epoch_node.error_rate_upper IS 'upper bound of the error rate over all samples; NULL: no samples';
COMMENT ON COLUMN epoch_node.samples IS 'telemetry rows counted';
COMMENT ON COLUMN epoch_node.errors IS 'of them not ok';
COMMENT ON COLUMN epoch_node.beacons IS 'beacons that measured a round-trip time';
COMMENT ON COLUMN epoch_node.location_excess_m IS 'largest of distance to a beacon less the distance its fastest round trip allows, metres; negative: possible; NULL: no beacon';
COMMENT ON COLUMN epoch_node.value IS 'sum over its resources of unit_value * units averaged over the period';
COMMENT ON COLUMN epoch_node.availability IS 'ramp(uptime; floor, target)';
COMMENT ON COLUMN epoch_node.performance IS 'geometric mean of ramp(response_ms; limit, target) and ramp(error_rate_upper; limit, target)';
COMMENT ON COLUMN epoch_node.trust IS '0 when a beacon shows the place to be impossible, unattested_trust with too few beacons, else 1';
COMMENT ON COLUMN epoch_node.quality IS 'q = availability * performance * trust, to twelve decimals';
COMMENT ON COLUMN epoch_node.contribution IS 'x = quality * value, exact';

CREATE TABLE epoch_node_resource (
	epoch_id bigint NOT NULL,
	node_id bigint NOT NULL,
	resource_type code NOT NULL,
	units numeric NOT NULL CHECK (units >= 0),
	opening_mark numeric NOT NULL CHECK (opening_mark >= 0),
	PRIMARY KEY (epoch_id, node_id, resource_type),
	FOREIGN KEY (epoch_id, node_id) REFERENCES epoch_node
);
COMMENT ON TABLE epoch_node_resource IS 'resources of each node of an epoch';
COMMENT ON COLUMN epoch_node_resource.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_node_resource.node_id IS 'the node';
COMMENT ON COLUMN epoch_node_resource.resource_type IS 'the kind of resource';
COMMENT ON COLUMN epoch_node_resource.units IS 'units averaged by time over the whole period, absent being 0, to thirty decimals';
COMMENT ON COLUMN epoch_node_resource.opening_mark IS 'high-water mark before this epoch of whom the units belong to: the hardware, or the provider for all its units without a hardware id';

CREATE TABLE epoch_node_service (
	epoch_id bigint NOT NULL,
	node_id bigint NOT NULL,
	service_type code NOT NULL,
	work numeric(38,0) NOT NULL CHECK (work >= 0),
	energy_mwh numeric(38,0) CHECK (energy_mwh >= 0),
	samples bigint NOT NULL CHECK (samples >= 0),
	p50_latency_ms double precision,
	p95_latency_ms double precision,
	p99_latency_ms double precision,
	error_rate_upper double precision CHECK (error_rate_upper BETWEEN 0 AND 1),
	PRIMARY KEY (epoch_id, node_id, service_type),
	FOREIGN KEY (epoch_id, node_id) REFERENCES epoch_node
);
COMMENT ON TABLE epoch_node_service IS 'work of each node of an epoch by service';
COMMENT ON COLUMN epoch_node_service.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_node_service.node_id IS 'the node';
COMMENT ON COLUMN epoch_node_service.service_type IS 'the service';
COMMENT ON COLUMN epoch_node_service.work IS 'work of ok samples, in the unit of the service';
COMMENT ON COLUMN epoch_node_service.energy_mwh IS 'energy of all samples, milliwatt hours; NULL: not measured';
COMMENT ON COLUMN epoch_node_service.samples IS 'telemetry rows of this service';
COMMENT ON COLUMN epoch_node_service.p50_latency_ms IS 'median response time of ok samples, ms; NULL: none timed';
COMMENT ON COLUMN epoch_node_service.p95_latency_ms IS '0.95 quantile, ms';
COMMENT ON COLUMN epoch_node_service.p99_latency_ms IS '0.99 quantile, ms';
COMMENT ON COLUMN epoch_node_service.error_rate_upper IS 'upper bound of the error rate of this service';

CREATE TABLE epoch_region (
	epoch_id bigint NOT NULL REFERENCES epoch,
	region code NOT NULL REFERENCES region,
	boundary_digest bytea NOT NULL CHECK (length(boundary_digest) = 32),
	target_fraction numeric(7,6) NOT NULL,
	demand double precision NOT NULL CHECK (demand >= 0),
	covered double precision NOT NULL CHECK (covered >= 0),
	closing_covered double precision NOT NULL CHECK (closing_covered >= 0),
	multiplier numeric(24,12) NOT NULL CHECK (multiplier >= 1),
	PRIMARY KEY (epoch_id, region)
);
COMMENT ON TABLE epoch_region IS 'every region of an epoch';
COMMENT ON COLUMN epoch_region.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_region.region IS 'code of the region';
COMMENT ON COLUMN epoch_region.boundary_digest IS 'SHA-256 of the WKB of its boundary then';
COMMENT ON COLUMN epoch_region.target_fraction IS 'its target then';
COMMENT ON COLUMN epoch_region.demand IS 'demand in it: integral of D';
COMMENT ON COLUMN epoch_region.covered IS 'demand covered at the opening: integral of D * min(1, S0 / T)';
COMMENT ON COLUMN epoch_region.closing_covered IS 'demand covered at the close: integral of D * min(1, S1 / T)';
COMMENT ON COLUMN epoch_region.multiplier IS 'm = 1 + (M - 1) * max(0, 1 - (covered / demand) / target_fraction), to twelve decimals; 1 without demand';

CREATE TABLE epoch_region_resource (
	epoch_id bigint NOT NULL,
	region code NOT NULL,
	resource_type code NOT NULL REFERENCES resource_type,
	demand numeric NOT NULL CHECK (demand >= 0),
	opening_supply numeric NOT NULL CHECK (opening_supply >= 0),
	supply numeric NOT NULL CHECK (supply >= 0),
	rate numeric NOT NULL CHECK (rate >= 0),
	PRIMARY KEY (epoch_id, region, resource_type),
	FOREIGN KEY (epoch_id, region) REFERENCES epoch_region
);
COMMENT ON TABLE epoch_region_resource IS 'demand and supply of each kind of resource in each region of an epoch; pairs without either are left out';
COMMENT ON COLUMN epoch_region_resource.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_region_resource.region IS 'code of the region';
COMMENT ON COLUMN epoch_region_resource.resource_type IS 'the kind of resource';
COMMENT ON COLUMN epoch_region_resource.demand IS 'units wanted, averaged over the period';
COMMENT ON COLUMN epoch_region_resource.opening_supply IS 'supply at the close of the previous epoch';
COMMENT ON COLUMN epoch_region_resource.supply IS 'sum of quality * units of the region''s nodes in this epoch';
COMMENT ON COLUMN epoch_region_resource.rate IS 'score per unit of quality * units: unit_value * max(0, demand - opening_supply) / max(supply, demand), the pot shared pro rata';

CREATE TABLE epoch_resource (
	epoch_id bigint NOT NULL REFERENCES epoch,
	resource_type code NOT NULL REFERENCES resource_type,
	unit_value numeric(24,9) NOT NULL,
	growth_need numeric(24,9),
	previous_price numeric(24,12) NOT NULL,
	opening_mark numeric NOT NULL CHECK (opening_mark >= 0),
	demand numeric NOT NULL CHECK (demand >= 0),
	supply numeric NOT NULL CHECK (supply >= 0),
	price numeric(24,12) NOT NULL CHECK (price > 0),
	need numeric NOT NULL CHECK (need >= 0),
	growth numeric NOT NULL CHECK (growth >= 0),
	pot numeric NOT NULL CHECK (pot >= 0),
	PRIMARY KEY (epoch_id, resource_type)
);
COMMENT ON TABLE epoch_resource IS 'every kind of resource in an epoch, network-wide';
COMMENT ON COLUMN epoch_resource.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_resource.resource_type IS 'the kind of resource';
COMMENT ON COLUMN epoch_resource.unit_value IS 'its unit_value then';
COMMENT ON COLUMN epoch_resource.growth_need IS 'its growth_need then';
COMMENT ON COLUMN epoch_resource.previous_price IS 'price of the previous epoch, or the initial price';
COMMENT ON COLUMN epoch_resource.opening_mark IS 'H: the network''s all-time high-water mark before this epoch, in quality * units';
COMMENT ON COLUMN epoch_resource.demand IS 'D: units wanted in all regions, averaged over the period';
COMMENT ON COLUMN epoch_resource.supply IS 'S and C: sum of quality * units of all nodes';
COMMENT ON COLUMN epoch_resource.price IS 'previous_price * clamp((D / S) ^ epsilon, 1 - delta, 1 + delta), then clamped to price_min and price_max';
COMMENT ON COLUMN epoch_resource.need IS 'growth wanted: growth_need, or max(0, D - H)';
COMMENT ON COLUMN epoch_resource.growth IS 'sum over hardware (or providers) of what each offers above its own high-water mark';
COMMENT ON COLUMN epoch_resource.pot IS 'unit_value * min(max(0, C - H), need)';

CREATE TABLE epoch_service (
	epoch_id bigint NOT NULL REFERENCES epoch,
	service_type code NOT NULL REFERENCES service_type,
	premium numeric(24,9) NOT NULL,
	work numeric NOT NULL CHECK (work >= 0),
	quality_work numeric NOT NULL CHECK (quality_work >= 0),
	pot numeric NOT NULL CHECK (pot >= 0),
	PRIMARY KEY (epoch_id, service_type)
);
COMMENT ON TABLE epoch_service IS 'every service of an epoch, network-wide';
COMMENT ON COLUMN epoch_service.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_service.service_type IS 'the service';
COMMENT ON COLUMN epoch_service.premium IS 'its premium then';
COMMENT ON COLUMN epoch_service.work IS 'V: verified work of all nodes whose trust is not 0';
COMMENT ON COLUMN epoch_service.quality_work IS 'sum of quality * work';
COMMENT ON COLUMN epoch_service.pot IS 'premium * V ^ alpha, shared pro rata to quality * work';

CREATE TABLE epoch_mark (
	epoch_id bigint NOT NULL REFERENCES epoch,
	resource_type code NOT NULL,
	hardware_id code,
	provider_id bigint,
	units numeric NOT NULL CHECK (units > 0),
	CONSTRAINT epoch_mark_one_owner CHECK (hardware_id IS NULL OR provider_id IS NULL)
);
COMMENT ON TABLE epoch_mark IS 'high-water marks of quality * units that an epoch raised; a mark stands until a later epoch raises it';
COMMENT ON COLUMN epoch_mark.epoch_id IS 'the epoch that raised it';
COMMENT ON COLUMN epoch_mark.resource_type IS 'the kind of resource';
COMMENT ON COLUMN epoch_mark.hardware_id IS 'whose mark: this hardware''s, under whichever provider';
COMMENT ON COLUMN epoch_mark.provider_id IS 'or this provider''s, for its units without a hardware id; with both NULL the whole network''s';
COMMENT ON COLUMN epoch_mark.units IS 'the new mark';
CREATE UNIQUE INDEX epoch_mark_hardware_idx ON epoch_mark (hardware_id, resource_type, epoch_id) WHERE hardware_id IS NOT NULL;
CREATE UNIQUE INDEX epoch_mark_provider_idx ON epoch_mark (provider_id, resource_type, epoch_id) WHERE provider_id IS NOT NULL;
CREATE UNIQUE INDEX epoch_mark_network_idx ON epoch_mark (resource_type, epoch_id) WHERE hardware_id IS NULL AND provider_id IS NULL;
CREATE INDEX epoch_mark_epoch_idx ON epoch_mark (epoch_id);

CREATE TABLE epoch_first (
	epoch_id bigint NOT NULL REFERENCES epoch,
	region code NOT NULL,
	hardware_id code,
	provider_id bigint,
	CONSTRAINT epoch_first_one_owner CHECK ((hardware_id IS NULL) <> (provider_id IS NULL))
);
COMMENT ON TABLE epoch_first IS 'who contributed for the first time in a region, and in which epoch; leaving and coming back starts nothing anew';
COMMENT ON COLUMN epoch_first.epoch_id IS 'the epoch of the first contribution above 0';
COMMENT ON COLUMN epoch_first.region IS 'code of the region';
COMMENT ON COLUMN epoch_first.hardware_id IS 'this hardware, under whichever provider';
COMMENT ON COLUMN epoch_first.provider_id IS 'or this provider, with whichever hardware';
CREATE UNIQUE INDEX epoch_first_hardware_idx ON epoch_first (hardware_id, region) WHERE hardware_id IS NOT NULL;
CREATE UNIQUE INDEX epoch_first_provider_idx ON epoch_first (provider_id, region) WHERE provider_id IS NOT NULL;
CREATE INDEX epoch_first_epoch_idx ON epoch_first (epoch_id);

CREATE TABLE epoch_pool (
	epoch_id bigint NOT NULL REFERENCES epoch,
	component code NOT NULL REFERENCES component,
	budget numeric(38,0) NOT NULL CHECK (budget >= 0),
	carried_in numeric(38,0) NOT NULL CHECK (carried_in >= 0),
	released numeric(38,0) NOT NULL CHECK (released >= 0 AND released <= budget + carried_in),
	paid numeric(38,0) NOT NULL CHECK (paid >= 0 AND paid <= released),
	carried_out numeric(38,0) NOT NULL CHECK (carried_out >= 0),
	treasury numeric(38,0) NOT NULL CHECK (treasury >= 0),
	score numeric NOT NULL CHECK (score >= 0),
	PRIMARY KEY (epoch_id, component),
	CONSTRAINT epoch_pool_balances CHECK (budget + carried_in = paid + carried_out + treasury)
);
COMMENT ON TABLE epoch_pool IS 'the six pools of an epoch; paid is the sum of its rewards, to the base unit';
COMMENT ON COLUMN epoch_pool.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_pool.component IS 'what the pool pays for';
COMMENT ON COLUMN epoch_pool.budget IS 'its part of the epoch''s budget, base units';
COMMENT ON COLUMN epoch_pool.carried_in IS 'carried_out of the same pool of the previous epoch, base units';
COMMENT ON COLUMN epoch_pool.released IS 'what was there to be apportioned, base units: budget + carried_in, for network_capacity the part that growth releases';
COMMENT ON COLUMN epoch_pool.paid IS 'sum of rewards, base units';
COMMENT ON COLUMN epoch_pool.carried_out IS 'left for the same pool of the next epoch, base units';
COMMENT ON COLUMN epoch_pool.treasury IS 'left to the treasury, base units';
COMMENT ON COLUMN epoch_pool.score IS 'sum of all scores; of the geographic and the resource half together for coverage_gaps';

CREATE TABLE epoch_pool_part (
	epoch_id bigint NOT NULL,
	component code NOT NULL,
	part code NOT NULL CHECK ((component, part) IN (('coverage_gaps', 'geographic'), ('coverage_gaps', 'resource'))),
	released numeric(38,0) NOT NULL CHECK (released >= 0),
	paid numeric(38,0) NOT NULL CHECK (paid >= 0 AND paid <= released),
	score numeric NOT NULL CHECK (score >= 0),
	PRIMARY KEY (epoch_id, component, part),
	FOREIGN KEY (epoch_id, component) REFERENCES epoch_pool
);
COMMENT ON TABLE epoch_pool_part IS 'the two halves of the coverage_gaps pool, each apportioned on its own';
COMMENT ON COLUMN epoch_pool_part.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_pool_part.component IS 'coverage_gaps';
COMMENT ON COLUMN epoch_pool_part.part IS 'geographic or resource';
COMMENT ON COLUMN epoch_pool_part.released IS 'what was there to be apportioned, base units';
COMMENT ON COLUMN epoch_pool_part.paid IS 'sum of amounts, base units';
COMMENT ON COLUMN epoch_pool_part.score IS 'sum of scores';

CREATE TABLE reward (
	epoch_id bigint NOT NULL,
	node_id bigint NOT NULL,
	provider_id bigint NOT NULL,
	component code NOT NULL CHECK (component IN ('new_regions', 'coverage_gaps', 'resource_types',
		'network_capacity', 'service_types', 'specialization')),
	score numeric NOT NULL CHECK (score > 0),
	amount numeric(38,0) NOT NULL CHECK (amount >= 0),
	PRIMARY KEY (epoch_id, node_id, component),
	FOREIGN KEY (epoch_id, node_id) REFERENCES epoch_node
);
COMMENT ON TABLE reward IS 'what each node earned in each component of an epoch; nodes with score 0 have no row';
COMMENT ON COLUMN reward.epoch_id IS 'the epoch';
COMMENT ON COLUMN reward.node_id IS 'the node';
COMMENT ON COLUMN reward.provider_id IS 'who is paid: the provider of the node in that epoch';
COMMENT ON COLUMN reward.component IS 'what for';
COMMENT ON COLUMN reward.score IS 'its score by the formula of the component, exact; for coverage_gaps the sum of both halves, see reward_part';
COMMENT ON COLUMN reward.amount IS 'base units';
CREATE INDEX reward_provider_idx ON reward (provider_id, epoch_id);

CREATE TABLE reward_part (
	epoch_id bigint NOT NULL,
	node_id bigint NOT NULL,
	provider_id bigint NOT NULL,
	component code NOT NULL CHECK (component = 'coverage_gaps'),
	part code NOT NULL CHECK (part IN ('geographic', 'resource')),
	score numeric NOT NULL CHECK (score > 0),
	amount numeric(38,0) NOT NULL CHECK (amount >= 0),
	PRIMARY KEY (epoch_id, node_id, component, part),
	FOREIGN KEY (epoch_id, node_id) REFERENCES epoch_node
);
COMMENT ON TABLE reward_part IS 'the two halves of each coverage_gaps reward';
COMMENT ON COLUMN reward_part.epoch_id IS 'the epoch';
COMMENT ON COLUMN reward_part.node_id IS 'the node';
COMMENT ON COLUMN reward_part.provider_id IS 'who is paid';
COMMENT ON COLUMN reward_part.component IS 'coverage_gaps';
COMMENT ON COLUMN reward_part.part IS 'geographic or resource';
COMMENT ON COLUMN reward_part.score IS 'score in this half';
COMMENT ON COLUMN reward_part.amount IS 'base units';

CREATE TABLE restatement (
	restatement_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	epoch_id bigint NOT NULL REFERENCES epoch,
	posted_epoch_id bigint NOT NULL REFERENCES epoch,
	node_id bigint NOT NULL REFERENCES node,
	provider_id bigint NOT NULL REFERENCES provider,
	component code NOT NULL REFERENCES component,
	amount numeric(38,0) NOT NULL CHECK (amount <> 0 AND amount < 'Infinity'),
	reason text NOT NULL CHECK (reason <> ''),
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT restatement_posted_elsewhere CHECK (posted_epoch_id <> epoch_id)
);
COMMENT ON TABLE restatement IS 'signed corrections of a final epoch, posted in the statements of a later one';
COMMENT ON COLUMN restatement.restatement_id IS 'key';
COMMENT ON COLUMN restatement.epoch_id IS 'the final epoch that is corrected';
COMMENT ON COLUMN restatement.posted_epoch_id IS 'the later epoch in whose statements it appears';
COMMENT ON COLUMN restatement.node_id IS 'the node';
COMMENT ON COLUMN restatement.provider_id IS 'the provider paid or charged';
COMMENT ON COLUMN restatement.component IS 'what for';
COMMENT ON COLUMN restatement.amount IS 'corrected less original amount, base units, signed';
COMMENT ON COLUMN restatement.reason IS 'why';
COMMENT ON COLUMN restatement.created_at IS 'when it was posted';
CREATE INDEX restatement_posted_idx ON restatement (posted_epoch_id, provider_id);
CREATE INDEX restatement_epoch_idx ON restatement (epoch_id);

CREATE TABLE payout (
	payout_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	batch text NOT NULL CHECK (batch <> ''),
	epoch_id bigint NOT NULL REFERENCES epoch,
	provider_id bigint NOT NULL REFERENCES provider,
	payout_address text CHECK (payout_address <> ''),
	amount numeric(38,0) NOT NULL CHECK (amount > 0 AND amount < 'Infinity'),
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT payout_once UNIQUE (epoch_id, provider_id)
);
COMMENT ON TABLE payout IS 'final statements handed to payment; a statement is in at most one batch';
COMMENT ON COLUMN payout.payout_id IS 'key';
COMMENT ON COLUMN payout.batch IS 'name of the batch';
COMMENT ON COLUMN payout.epoch_id IS 'the epoch of the statement';
COMMENT ON COLUMN payout.provider_id IS 'the provider';
COMMENT ON COLUMN payout.payout_address IS 'where it went';
COMMENT ON COLUMN payout.amount IS 'base units';
COMMENT ON COLUMN payout.created_at IS 'when';

SELECT pg_catalog.pg_extension_config_dump('epoch', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_epoch_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_seal', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_node', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_node_resource', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_node_service', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_region', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_region_resource', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_resource', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_service', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_mark', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_first', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_pool', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_pool_part', '');
SELECT pg_catalog.pg_extension_config_dump('reward', '');
SELECT pg_catalog.pg_extension_config_dump('reward_part', '');
SELECT pg_catalog.pg_extension_config_dump('restatement', '');
SELECT pg_catalog.pg_extension_config_dump('restatement_restatement_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('payout', '');
SELECT pg_catalog.pg_extension_config_dump('payout_payout_id_seq', '');
-- The formulas of an epoch, one small function each: run_epoch computes with
-- them, verify_epoch checks with them, and an analyst can try them by hand.
-- Powers and quotients are numeric, whose arithmetic is the same on every
-- machine; what stays float8 is made of + - * / and sqrt of single values.

CREATE FUNCTION ramp(x double precision, a double precision, b double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	IF x = 'NaN' OR a IN ('NaN', 'Infinity', '-Infinity') OR b IN ('NaN', 'Infinity', '-Infinity') THEN
		RAISE EXCEPTION 'cannot ramp % from % to %', x, a, b
			USING ERRCODE = 'invalid_parameter_value', HINT = 'The ends must be finite and nothing may be NaN.';
	END IF;
	IF a < b THEN
		RETURN CASE WHEN x <= a THEN 0 WHEN x >= b THEN 1 ELSE (x - a) / (b - a) END;
	ELSIF a > b THEN
		RETURN CASE WHEN x >= a THEN 0 WHEN x <= b THEN 1 ELSE (a - x) / (a - b) END;
	END IF;
	RETURN CASE WHEN x < a THEN 0 ELSE 1 END;
END $$;
COMMENT ON FUNCTION ramp(double precision, double precision, double precision) IS
'0 at or before a, 1 at or beyond b, linear between; a > b counts down. a = b is the step it tends to from a < b: 0 below, 1 at and above. NULL for NULL; errors: NaN, infinite a or b';

CREATE FUNCTION exact_numeric(x double precision) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT SET extra_float_digits = 1 AS $$
BEGIN
	IF x IN ('NaN', 'Infinity', '-Infinity') THEN
		RAISE EXCEPTION 'cannot take % as a number', x USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	RETURN x::text::numeric;
END $$;
COMMENT ON FUNCTION exact_numeric(double precision) IS
'the shortest decimal that stands for this float8 and no other (a plain cast keeps 15 digits only); NULL for NULL; errors: NaN, infinite';

CREATE FUNCTION overlap_seconds(a tstzrange, b tstzrange) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN isempty(a * b) THEN 0 ELSE extract(epoch FROM upper(a * b) - lower(a * b)) END;
END;
COMMENT ON FUNCTION overlap_seconds(tstzrange, tstzrange) IS
'seconds that two times have in common, exact to the microsecond; NULL for NULL or where the common part has no bound';

CREATE FUNCTION slot_count(period tstzrange, slot interval) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT (ceil(extract(epoch FROM upper(period) - timestamptz '1970-01-01 00:00:00+00') / extract(epoch FROM slot))
		- ceil(extract(epoch FROM lower(period) - timestamptz '1970-01-01 00:00:00+00') / extract(epoch FROM slot)))::bigint;
END;
COMMENT ON FUNCTION slot_count(tstzrange, interval) IS
'slots of telemetry (aligned to the Unix epoch) that start within [lower, upper) of a period; NULL for NULL or without a bound';

CREATE FUNCTION node_performance(response_ms double precision, error_rate_upper double precision,
	response_limit_ms double precision, response_target_ms double precision,
	error_limit double precision, error_target double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN response_ms IS NULL OR error_rate_upper IS NULL THEN 0 ELSE
		sqrt(ramp(response_ms, response_limit_ms, response_target_ms) * ramp(error_rate_upper, error_limit, error_target)) END;
END;
COMMENT ON FUNCTION node_performance(double precision, double precision, double precision, double precision, double precision, double precision) IS
'geometric mean of ramp(response_ms; limit, target) and ramp(error_rate_upper; limit, target), in [0, 1]; 0 where either is not known';

CREATE FUNCTION node_trust(beacons int, location_excess_m double precision,
	min_beacons int, unattested_trust double precision, location_slack_m double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN location_excess_m > location_slack_m THEN 0
		WHEN coalesce(beacons, 0) < min_beacons THEN unattested_trust ELSE 1 END;
END;
COMMENT ON FUNCTION node_trust(int, double precision, int, double precision, double precision) IS
'0 when some beacon is farther away than light could go and come back in its round-trip time, by more than the slack; unattested_trust with too few beacons; else 1';

CREATE FUNCTION node_quality(availability double precision, performance double precision, trust double precision) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT round((availability * performance * trust)::numeric, 12);
END;
COMMENT ON FUNCTION node_quality(double precision, double precision, double precision) IS
'q = availability * performance * trust, rounded to twelve decimals so that everything after it is exact';

CREATE FUNCTION region_multiplier(covered double precision, demand double precision, target_fraction numeric, multiplier_max numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN demand > 0 THEN round(1 + (multiplier_max - 1)
		* round(greatest(0, 1 - covered / demand / target_fraction::double precision)::numeric, 15), 12) ELSE 1 END;
END;
COMMENT ON FUNCTION region_multiplier(double precision, double precision, numeric, numeric) IS
'm = 1 + (M - 1) * max(0, 1 - (covered / demand) / target_fraction), to twelve decimals; 1 for a region without demand; NULL for NULL';

CREATE FUNCTION freshness(age int, freshness_epochs int) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT round(greatest(0, 1 - age::numeric / freshness_epochs), 12);
END;
COMMENT ON FUNCTION freshness(int, int) IS 'max(0, 1 - age / K), to twelve decimals; NULL for NULL';

CREATE FUNCTION gap_rate(unit_value numeric, demand numeric, opening_supply numeric, supply numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN demand > opening_supply AND supply > 0
		THEN round(round(unit_value * (demand - opening_supply), 40) / greatest(supply, demand), 40) ELSE 0 END;
END;
COMMENT ON FUNCTION gap_rate(numeric, numeric, numeric, numeric) IS
'score of one unit of quality * units towards a gap: the pot unit_value * (demand - opening_supply) * min(1, supply / demand) divided by supply; 0 without a gap; NULL for NULL';

CREATE FUNCTION next_price(previous numeric, demand numeric, supply numeric, elasticity numeric, step numeric, price_min numeric, price_max numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- rounding goes towards the previous price: a move is never above the step
	SELECT least(price_max, greatest(price_min, CASE
		WHEN move.factor > 1 THEN trunc(previous * move.factor, 12)
		ELSE ceil(previous * move.factor * 1000000000000) / 1000000000000.000000000000 END))
	FROM (SELECT CASE
		WHEN elasticity = 0 OR (demand = 0 AND supply = 0) THEN 1
		WHEN supply = 0 THEN 1 + step
		WHEN demand = 0 THEN 1 - step
		ELSE least(1 + step, greatest(1 - step, power(round(demand, 40) / supply, elasticity))) END AS factor) move;
END;
COMMENT ON FUNCTION next_price(numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
'previous * clamp((demand / supply) ^ elasticity, 1 - step, 1 + step), then clamped to [price_min, price_max], to twelve decimals. No supply: up by a step; no demand: down by a step; neither: unchanged. NULL for NULL';

CREATE FUNCTION capacity_pot(unit_value numeric, supply numeric, opening_mark numeric, need numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT unit_value * least(greatest(0, supply - opening_mark), need);
END;
COMMENT ON FUNCTION capacity_pot(numeric, numeric, numeric, numeric) IS
'unit_value * min(max(0, C - H), need): value of the network''s growth above its all-time high, as far as it is wanted; NULL for NULL';

CREATE FUNCTION service_pot(premium numeric, work numeric, alpha numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN work > 0 THEN round(premium * power(round(work, 24), alpha), 24) ELSE 0 END;
END;
COMMENT ON FUNCTION service_pot(numeric, numeric, numeric) IS 'premium * work ^ alpha, to twenty-four decimals; 0 without work; NULL for NULL';
-- Fields of an epoch.

CREATE FUNCTION zero_coverage(grid_order int) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT density_agg(ST_SetSRID(ST_MakePoint(0, 0), 4326)::geography, 0::double precision, grid_order);
END;
COMMENT ON FUNCTION zero_coverage(int) IS 'the field that is zero everywhere, on the grid of this order; NULL for NULL';

CREATE FUNCTION demand_field(period tstzrange, grid_order int) RETURNS coverage
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(density_agg(d.location,
			(round(d.weight * overlap_seconds(d.valid, period), 24) / overlap_seconds(period, period))::double precision, grid_order),
		zero_coverage(grid_order))
	FROM demand d WHERE d.valid && period;
END;
COMMENT ON FUNCTION demand_field(tstzrange, int) IS
'D: the demand field, weights averaged by time over the period; reads the table demand as it is now. NULL for NULL';

-- The contributions are scaled by one power of two before they are rounded to
-- the 2^-16 of coverage_agg, so that the rounding is below 2^-50 of the total
-- whatever the unit of contribution, and nodes at one place with one radius
-- are added up exactly before: a node and its halves give the same bits.
CREATE FUNCTION supply_field(epoch_id bigint, grid_order int) RETURNS coverage
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	total numeric;
	scale numeric := 1;
	field coverage;
BEGIN
	SELECT sum(n.contribution) INTO total FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id;
	IF coalesce(total, 0) = 0 THEN
		RETURN zero_coverage(grid_order);
	END IF;
	-- the largest power of two with total * scale at most 2^36
	WHILE total * scale * 2 <= 68719476736 LOOP
		scale := scale * 2;
	END LOOP;
	WHILE total * scale > 68719476736 LOOP
		scale := scale / 2.0000000000000000000000000000000000000000000000000000000000000000;
	END LOOP;
	SELECT coverage_agg(s.location, s.service_radius_m, (s.contribution * scale)::double precision, grid_order) / scale::double precision INTO field
	FROM (SELECT n.location, n.service_radius_m, sum(n.contribution) AS contribution
		FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id AND n.contribution > 0
		GROUP BY n.location, n.service_radius_m) s;
	RETURN field;
END $$;
COMMENT ON FUNCTION supply_field(bigint, int) IS
'S1: sum over the nodes of an epoch of contribution times disc, from epoch_node; zero without nodes. NULL for NULL';

CREATE FUNCTION telemetry_window(period tstzrange, slot interval)
RETURNS TABLE (node_id bigint, service_type code, summary telemetry_summary, work numeric, energy_mwh numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT t.node_id, t.service_type, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, slot),
		coalesce(sum(t.work) FILTER (WHERE t.ok), 0), sum(t.energy_mwh)
	FROM telemetry t JOIN node n USING (node_id)
	WHERE t.sampled_at >= lower(period) AND t.sampled_at < upper(period)
		AND t.sampled_at >= n.joined_at AND (n.left_at IS NULL OR t.sampled_at < n.left_at)
	GROUP BY t.node_id, t.service_type;
END;
COMMENT ON FUNCTION telemetry_window(tstzrange, interval) IS
'telemetry of each node and service (NULL: heartbeats) within a period and the node''s membership: summary, work of ok rows, energy of all rows in milliwatt hours. The one place where an epoch reads telemetry';
-- Sums over the frozen nodes of an epoch, all exact numerics.

CREATE FUNCTION epoch_owner(epoch_id bigint)
RETURNS TABLE (owner text, resource_type code, hardware_id code, provider_id bigint, units numeric, opening_mark numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT coalesce('hardware ' || n.hardware_id, 'provider ' || n.provider_id), r.resource_type, n.hardware_id, CASE WHEN n.hardware_id IS NULL THEN n.provider_id END,
		sum(n.quality * r.units), max(r.opening_mark)
	FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
	WHERE n.epoch_id = epoch_owner.epoch_id
	GROUP BY 1, 2, 3, 4;
END;
COMMENT ON FUNCTION epoch_owner(bigint) IS
'quality * units per kind of resource and owner of high-water marks in an epoch: hardware, or provider for units without a hardware id. Quality counts, so that capacity that does not work is no capacity';

CREATE FUNCTION epoch_capacity(epoch_id bigint)
RETURNS TABLE (resource_type code, supply numeric, growth numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT o.resource_type, sum(o.units), sum(greatest(0, o.units - o.opening_mark))
	FROM epoch_owner(epoch_capacity.epoch_id) o
	GROUP BY o.resource_type;
END;
COMMENT ON FUNCTION epoch_capacity(bigint) IS
'per kind of resource in an epoch: the network''s quality * units, and the sum of what each owner has above its own high-water mark';

CREATE FUNCTION epoch_work(epoch_id bigint)
RETURNS TABLE (service_type code, work numeric, quality_work numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT s.service_type, sum(s.work), sum(n.quality * s.work)
	FROM epoch_node n JOIN epoch_node_service s ON s.epoch_id = n.epoch_id AND s.node_id = n.node_id
	WHERE n.epoch_id = epoch_work.epoch_id AND n.trust > 0
	GROUP BY s.service_type;
END;
COMMENT ON FUNCTION epoch_work(bigint) IS
'per service in an epoch: verified work and quality * work; the work of a node whose place is impossible is not verified';

CREATE FUNCTION epoch_weight(epoch_id bigint)
RETURNS TABLE (code code, "position" int, bps int)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT c.code, c."position", CASE c.code WHEN 'new_regions' THEN p.new_regions_bps WHEN 'coverage_gaps' THEN p.coverage_gaps_bps
		WHEN 'resource_types' THEN p.resource_types_bps WHEN 'network_capacity' THEN p.network_capacity_bps
		WHEN 'service_types' THEN p.service_types_bps WHEN 'specialization' THEN p.specialization_bps END
	FROM component c, epoch e JOIN policy p ON p.policy_id = e.policy_id
	WHERE e.epoch_id = epoch_weight.epoch_id;
END;
COMMENT ON FUNCTION epoch_weight(bigint) IS 'the parts of an epoch''s budget by component, basis points, from its policy';
-- From the live tables to the frozen ones. After these functions have run,
-- nothing of an epoch is read from provider, node, demand, telemetry, … again.
-- Here and in the steps after it nested loops are off: the planner cannot know
-- how many nodes overlap a period, and from the guess of a few it makes plans
-- that are quadratic in them. Where only a loop can do (regions by their GiST
-- index) it is still used.

CREATE FUNCTION freeze_node(epoch_id bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = off AS $$
DECLARE
	e epoch;
	p policy;
	seconds numeric;
	same_regions boolean;
	made bigint;
BEGIN
	SELECT * INTO STRICT e FROM epoch WHERE epoch.epoch_id = freeze_node.epoch_id;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	seconds := overlap_seconds(e.period, e.period);
	SELECT coalesce(bool_and(r.code IS NOT NULL AND o.region IS NOT NULL AND sha256(ST_AsBinary(r.boundary)) = o.boundary_digest), true) INTO same_regions
	FROM region r FULL JOIN (SELECT x.region, x.boundary_digest FROM epoch_region x WHERE x.epoch_id = e.previous_epoch_id) o ON o.region = r.code;

	WITH member AS MATERIALIZED (
		SELECT m.*,
			-- Uptime is measured over the node's own part of the epoch: its units
			-- are averaged over the whole period already, and a newcomer would
			-- otherwise be punished twice. But whoever takes hardware out and puts
			-- it back must not do better than whoever is down for as long, so the
			-- same hardware of the same provider is measured from first to last.
			CASE WHEN m.hardware_id IS NULL THEN m.active ELSE
				tstzrange(min(lower(m.active)) OVER (PARTITION BY m.provider_id, m.hardware_id),
					max(upper(m.active)) OVER (PARTITION BY m.provider_id, m.hardware_id)) END AS measured,
			m.hardware_id IS NOT NULL AND count(*) OVER (PARTITION BY m.provider_id, m.hardware_id) > 1 AS several
		FROM (SELECT n.node_id, n.provider_id, n.hardware_id, n.location, ST_AsBinary(n.location) AS spot, n.service_radius_m,
				tstzrange(n.joined_at, n.left_at) * e.period AS active
			FROM node n
			WHERE n.status IN ('active', 'left') AND tstzrange(n.joined_at, n.left_at) && e.period) m
	),
	sample AS MATERIALIZED (
		SELECT * FROM telemetry_window(e.period, p.telemetry_slot)
	),
	seen AS MATERIALIZED (	-- node by node
		SELECT s.node_id, rollup(s.summary) AS summary, rollup(s.summary) FILTER (WHERE s.service_type IS NULL) AS heartbeat
		FROM sample s GROUP BY s.node_id
	),
	again AS (	-- hardware that one provider had as several nodes
		SELECT m.provider_id, m.hardware_id, rollup(s.summary) AS summary
		FROM member m JOIN seen s USING (node_id)
		WHERE m.several
		GROUP BY m.provider_id, m.hardware_id
	),
	bound AS (
		SELECT f.node_id, count(*)::int AS beacons, max(f.excess) AS excess
		FROM (SELECT m.node_id, ST_Distance(m.location, b.location) - rtt_distance(min(r.rtt_ms)) AS excess
			FROM member m JOIN beacon_rtt r USING (node_id) JOIN beacon b USING (beacon_id)
			WHERE r.measured_at <@ m.active
			GROUP BY m.node_id, m.location, b.beacon_id, b.location) f
		GROUP BY f.node_id
	),
	spot AS MATERIALIZED (	-- equality of geography cannot be hashed, that of its bytes can
		SELECT m.spot, min(m.node_id) AS node_id FROM member m GROUP BY m.spot
	),
	known AS MATERIALIZED (	-- the same place among the same regions as an epoch ago
		SELECT DISTINCT ST_AsBinary(o.location) AS spot, o.region AS code
		FROM epoch_node o WHERE same_regions AND o.epoch_id = e.previous_epoch_id
	),
	size AS MATERIALIZED (
		SELECT r.code, ST_Area(r.boundary) AS area FROM region r
	),
	place AS MATERIALIZED (
		SELECT k.spot, k.code FROM known k
		UNION ALL
		(SELECT DISTINCT ON (l.spot) l.spot, c.code
		FROM (SELECT s.spot, m.location FROM spot s JOIN member m USING (node_id)
				WHERE NOT EXISTS (SELECT FROM known k WHERE k.spot = s.spot)) l
			CROSS JOIN LATERAL (SELECT r.code FROM region r WHERE ST_Covers(r.boundary, l.location) OFFSET 0) c
			JOIN size z ON z.code = c.code
		ORDER BY l.spot, z.area, c.code)
	),
	held AS MATERIALIZED (
		SELECT m.node_id, r.resource_type,
			round(round(sum(r.units * overlap_seconds(r.valid, m.active)), 30) / seconds, 30) AS units
		FROM member m JOIN node_resource r ON r.node_id = m.node_id AND r.valid && m.active
		GROUP BY m.node_id, r.resource_type
	),
	worth AS (
		SELECT h.node_id, sum(t.unit_value * h.units) AS value
		FROM held h JOIN resource_type t ON t.code = h.resource_type
		GROUP BY h.node_id
	),
	provider_first AS (
		SELECT f.provider_id, f.region, g.epoch_no FROM epoch_first f JOIN epoch g ON g.epoch_id = f.epoch_id
		WHERE f.provider_id IS NOT NULL AND g.epoch_no < e.epoch_no
	),
	hardware_first AS (
		SELECT f.hardware_id, f.region, g.epoch_no FROM epoch_first f JOIN epoch g ON g.epoch_id = f.epoch_id
		WHERE f.hardware_id IS NOT NULL AND g.epoch_no < e.epoch_no
	),
	fact AS (
		SELECT m.*, l.code AS region,
			e.epoch_no - least(pf.epoch_no, hf.epoch_no, e.epoch_no) AS age,
			CASE WHEN s.summary IS NULL OR slot_count(m.measured, p.telemetry_slot) = 0 THEN 0
				ELSE uptime(coalesce(a.summary, s.summary), m.measured) END AS uptime,
			coalesce(response_time(s.heartbeat, p.response_quantile::double precision),
				response_time(s.summary, p.response_quantile::double precision)) AS response_ms,
			error_rate_upper(s.summary, p.error_confidence::double precision) AS error_rate_upper,
			coalesce(samples(s.summary), 0) AS samples, coalesce(errors(s.summary), 0) AS errors,
			coalesce(b.beacons, 0) AS beacons, b.excess, coalesce(w.value, 0) AS value
		FROM member m
			LEFT JOIN seen s ON s.node_id = m.node_id
			LEFT JOIN again a ON m.several AND a.provider_id = m.provider_id AND a.hardware_id = m.hardware_id
			LEFT JOIN bound b ON b.node_id = m.node_id
			LEFT JOIN place l ON l.spot = m.spot
			LEFT JOIN worth w ON w.node_id = m.node_id
			LEFT JOIN provider_first pf ON pf.provider_id = m.provider_id AND pf.region = l.code
			LEFT JOIN hardware_first hf ON hf.hardware_id = m.hardware_id AND hf.region = l.code
	),
	rated AS (
		SELECT f.*, ramp(f.uptime, p.uptime_floor::double precision, p.uptime_target::double precision) AS availability,
			node_performance(f.response_ms, f.error_rate_upper,
				p.response_limit_ms::double precision, p.response_target_ms::double precision,
				p.error_limit::double precision, p.error_target::double precision) AS performance,
			node_trust(f.beacons, f.excess, p.min_beacons, p.unattested_trust::double precision,
				p.location_slack_m::double precision) AS trust
		FROM fact f
	),
	put_node AS (
		INSERT INTO epoch_node (epoch_id, node_id, provider_id, hardware_id, location, service_radius_m, region, age,
			active, measured, uptime, response_ms, error_rate_upper, samples, errors, beacons, location_excess_m,
			value, availability, performance, trust, quality, contribution)
		SELECT e.epoch_id, q.node_id, q.provider_id, q.hardware_id, q.location, q.service_radius_m, q.region, q.age,
			q.active, q.measured, q.uptime, q.response_ms, q.error_rate_upper, q.samples, q.errors, q.beacons, q.excess,
			q.value, q.availability, q.performance, q.trust, node_quality(q.availability, q.performance, q.trust),
			node_quality(q.availability, q.performance, q.trust) * q.value
		FROM rated q
		RETURNING 1
	),
	put_resource AS (
		INSERT INTO epoch_node_resource (epoch_id, node_id, resource_type, units, opening_mark)
		SELECT e.epoch_id, h.node_id, h.resource_type, h.units,
			coalesce(CASE WHEN m.hardware_id IS NULL THEN pm.units ELSE hm.units END, 0)
		FROM held h JOIN member m USING (node_id)
			LEFT JOIN (SELECT k.hardware_id, k.resource_type, max(k.units) AS units
				FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
				WHERE k.hardware_id IS NOT NULL AND g.epoch_no < e.epoch_no GROUP BY 1, 2) hm
				ON hm.hardware_id = m.hardware_id AND hm.resource_type = h.resource_type
			LEFT JOIN (SELECT k.provider_id, k.resource_type, max(k.units) AS units
				FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
				WHERE k.provider_id IS NOT NULL AND g.epoch_no < e.epoch_no GROUP BY 1, 2) pm
				ON pm.provider_id = m.provider_id AND pm.resource_type = h.resource_type
	),
	put_service AS (
		INSERT INTO epoch_node_service (epoch_id, node_id, service_type, work, energy_mwh, samples,
			p50_latency_ms, p95_latency_ms, p99_latency_ms, error_rate_upper)
		SELECT e.epoch_id, s.node_id, s.service_type, s.work, s.energy_mwh, samples(s.summary),
			response_time(s.summary, 0.5), response_time(s.summary, 0.95), response_time(s.summary, 0.99),
			error_rate_upper(s.summary, p.error_confidence::double precision)
		FROM sample s JOIN member m USING (node_id)
		WHERE s.service_type IS NOT NULL
	)
	SELECT count(*) INTO made FROM put_node;
	RETURN made;
END $$;
COMMENT ON FUNCTION freeze_node(bigint) IS
'run_epoch step: writes epoch_node, epoch_node_resource and epoch_node_service of an open epoch from the live tables and the closing state of earlier epochs; returns the number of nodes';

-- The closing state of a region's resources, of prices and of marks stays where
-- the epochs that made it put it; what this epoch opens with is looked up there.
CREATE FUNCTION freeze_market(epoch_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = off AS $$
DECLARE
	e epoch;
	p policy;
	seconds numeric;
	covered coverage;
	closing_covered coverage;
	target double precision;
BEGIN
	SELECT * INTO STRICT e FROM epoch WHERE epoch.epoch_id = freeze_market.epoch_id;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	seconds := overlap_seconds(e.period, e.period);
	target := p.supply_target;

	-- A cell counts as covered to the degree min(1, S / T), not from a threshold
	-- on: no cliffs, and what is not covered is exactly the gap field G.
	covered := e.demand * coverage_least(e.supply / target, 1);
	closing_covered := e.demand * coverage_least(e.closing_supply / target, 1);
	INSERT INTO epoch_region (epoch_id, region, boundary_digest, target_fraction, demand, covered, closing_covered, multiplier)
	SELECT e.epoch_id, s.code, s.boundary_digest, s.target_fraction, s.demand, s.covered, s.closing_covered,
		region_multiplier(s.covered, s.demand, s.target_fraction, p.region_multiplier_max)
	FROM (SELECT r.code, sha256(ST_AsBinary(r.boundary)) AS boundary_digest, r.target_fraction, coverage_sum(e.demand, r.boundary) AS demand,
			coverage_sum(covered, r.boundary) AS covered, coverage_sum(closing_covered, r.boundary) AS closing_covered
		FROM region r OFFSET 0) s;

	INSERT INTO epoch_region_resource (epoch_id, region, resource_type, demand, opening_supply, supply, rate)
	SELECT e.epoch_id, s.region, s.resource_type, s.demand, s.opening_supply, s.supply,
		gap_rate(t.unit_value, s.demand, s.opening_supply, s.supply)
	FROM (SELECT u.region, u.resource_type, sum(u.demand) AS demand, sum(u.opening_supply) AS opening_supply, sum(u.supply) AS supply
		FROM (
			SELECT d.region, d.resource_type, round(round(d.units * overlap_seconds(d.valid, e.period), 30) / seconds, 30), 0, 0
			FROM resource_demand d WHERE d.valid && e.period
			UNION ALL
			SELECT o.region, o.resource_type, 0, o.supply, 0
			FROM epoch_region_resource o WHERE o.epoch_id = e.previous_epoch_id AND o.supply > 0
			UNION ALL
			SELECT n.region, r.resource_type, 0, 0, sum(n.quality * r.units)
			FROM epoch_node n JOIN epoch_node_resource r USING (epoch_id, node_id)
			WHERE n.epoch_id = e.epoch_id AND n.region IS NOT NULL AND n.quality > 0
			GROUP BY n.region, r.resource_type
		) u (region, resource_type, demand, opening_supply, supply)
		GROUP BY u.region, u.resource_type) s
		JOIN resource_type t ON t.code = s.resource_type;

	INSERT INTO epoch_resource (epoch_id, resource_type, unit_value, growth_need, previous_price, opening_mark,
		demand, supply, price, need, growth, pot)
	SELECT e.epoch_id, s.code, s.unit_value, s.growth_need, s.previous_price, s.opening_mark, s.demand, s.supply,
		next_price(s.previous_price, s.demand, s.supply, p.price_elasticity, p.price_step, p.price_min, p.price_max),
		coalesce(s.growth_need, greatest(0, s.demand - s.opening_mark)), s.growth,
		capacity_pot(s.unit_value, s.supply, s.opening_mark, coalesce(s.growth_need, greatest(0, s.demand - s.opening_mark)))
	FROM (SELECT t.code, t.unit_value, t.growth_need,
			coalesce((SELECT o.price FROM epoch_resource o JOIN epoch g ON g.epoch_id = o.epoch_id
				WHERE o.resource_type = t.code AND g.epoch_no < e.epoch_no ORDER BY g.epoch_no DESC LIMIT 1), t.initial_price) AS previous_price,
			coalesce((SELECT max(k.units) FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
				WHERE k.resource_type = t.code AND k.hardware_id IS NULL AND k.provider_id IS NULL AND g.epoch_no < e.epoch_no), 0) AS opening_mark,
			coalesce((SELECT sum(d.demand) FROM epoch_region_resource d
				WHERE d.epoch_id = e.epoch_id AND d.resource_type = t.code), 0) AS demand,
			coalesce(c.supply, 0) AS supply, coalesce(c.growth, 0) AS growth
		FROM resource_type t LEFT JOIN epoch_capacity(e.epoch_id) c ON c.resource_type = t.code) s;

	INSERT INTO epoch_service (epoch_id, service_type, premium, work, quality_work, pot)
	SELECT e.epoch_id, t.code, t.premium, coalesce(s.work, 0), coalesce(s.quality_work, 0),
		service_pot(t.premium, coalesce(s.work, 0), p.service_alpha)
	FROM service_type t LEFT JOIN epoch_work(e.epoch_id) s ON s.service_type = t.code;

	INSERT INTO epoch_mark (epoch_id, resource_type, hardware_id, provider_id, units)
	SELECT e.epoch_id, o.resource_type, o.hardware_id, o.provider_id, o.units
	FROM epoch_owner(e.epoch_id) o WHERE o.units > o.opening_mark
	UNION ALL
	SELECT e.epoch_id, r.resource_type, NULL, NULL, r.supply
	FROM epoch_resource r WHERE r.epoch_id = e.epoch_id AND r.supply > r.opening_mark;

	INSERT INTO epoch_first (epoch_id, region, hardware_id, provider_id)
	SELECT e.epoch_id, f.region, f.hardware_id, f.provider_id
	FROM (SELECT DISTINCT n.region, NULL::code AS hardware_id, n.provider_id FROM epoch_node n
			WHERE n.epoch_id = e.epoch_id AND n.region IS NOT NULL AND n.contribution > 0
		UNION ALL
		SELECT DISTINCT n.region, n.hardware_id, NULL::bigint FROM epoch_node n
			WHERE n.epoch_id = e.epoch_id AND n.region IS NOT NULL AND n.contribution > 0 AND n.hardware_id IS NOT NULL) f
	WHERE NOT EXISTS (SELECT FROM epoch_first x WHERE x.region = f.region AND x.hardware_id = f.hardware_id)
		AND NOT EXISTS (SELECT FROM epoch_first x WHERE x.region = f.region AND x.provider_id = f.provider_id);
END $$;
COMMENT ON FUNCTION freeze_market(bigint) IS
'run_epoch step, after freeze_node and the fields: writes epoch_region, epoch_region_resource, epoch_resource, epoch_service, epoch_mark and epoch_first of an open epoch';
-- From frozen inputs to scores and rewards: pure functions of an epoch's own
-- rows. Scores are exact numerics, additive in the node: the parts of a node
-- have the scores that add up to its score.

CREATE FUNCTION epoch_score(epoch_id bigint, component text, part text DEFAULT NULL)
RETURNS TABLE (node_id bigint, provider_id bigint, score numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	p policy;
	target double precision;
	gap coverage;
	total numeric;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'epoch % does not exist', $1 USING ERRCODE = 'no_data_found';
	END IF;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	target := p.supply_target;

	CASE coalesce($2 || '/' || $3, $2)
	WHEN 'new_regions' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, n.contribution * freshness(n.age, p.freshness_epochs) * (r.multiplier - 1)
		FROM epoch_node n JOIN epoch_region r ON r.epoch_id = n.epoch_id AND r.region = n.region
		WHERE n.epoch_id = $1 AND n.contribution > 0 AND n.age < p.freshness_epochs AND r.multiplier > 1;

	WHEN 'coverage_gaps/geographic' THEN
		-- what each unit of contribution over a cell gets of the gap there
		gap := e.demand * coverage_greatest(1 - e.supply / target, 0)
			* coverage_least(e.closing_supply / target, 1) / e.closing_supply;
		RETURN QUERY
		WITH site AS MATERIALIZED (
			SELECT s.spot, s.service_radius_m, exact_numeric(greatest(0, coverage_sum(gap, ST_GeogFromWKB(s.spot), s.service_radius_m))) AS share
			FROM (SELECT DISTINCT ST_AsBinary(n.location) AS spot, n.service_radius_m FROM epoch_node n WHERE n.epoch_id = $1 AND n.contribution > 0) s
		)
		SELECT n.node_id, n.provider_id, n.contribution * s.share
		FROM epoch_node n JOIN site s ON s.spot = ST_AsBinary(n.location) AND s.service_radius_m = n.service_radius_m
		WHERE n.epoch_id = $1 AND n.contribution > 0 AND s.share > 0;

	WHEN 'coverage_gaps/resource' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, sum(n.quality * r.units * g.rate)
		FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
			JOIN epoch_region_resource g ON g.epoch_id = n.epoch_id AND g.region = n.region AND g.resource_type = r.resource_type
		WHERE n.epoch_id = $1 AND n.quality > 0 AND r.units > 0 AND g.rate > 0
		GROUP BY n.node_id, n.provider_id;

	WHEN 'resource_types' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, n.quality * sum(t.unit_value * r.units * (t.price - 1))
		FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
			JOIN epoch_resource t ON t.epoch_id = n.epoch_id AND t.resource_type = r.resource_type
		WHERE n.epoch_id = $1 AND n.quality > 0 AND r.units > 0 AND t.price > 1 AND t.unit_value > 0
		GROUP BY n.node_id, n.provider_id, n.quality;

	WHEN 'network_capacity' THEN
		-- the growth of an owner belongs to its nodes pro rata to quality * units
		RETURN QUERY
		SELECT n.node_id, n.provider_id, sum(n.quality * r.units * o.rate)
		FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
			JOIN (SELECT w.owner, w.resource_type,
					round(round(t.pot * (w.units - w.opening_mark), 60) / (w.units * t.growth), 60) AS rate
				FROM epoch_owner($1) w JOIN epoch_resource t ON t.epoch_id = $1 AND t.resource_type = w.resource_type
				WHERE w.units > w.opening_mark AND t.pot > 0) o
				ON o.resource_type = r.resource_type AND o.owner = coalesce('hardware ' || n.hardware_id, 'provider ' || n.provider_id)
		WHERE n.epoch_id = $1 AND n.quality > 0 AND r.units > 0
		GROUP BY n.node_id, n.provider_id
		HAVING sum(n.quality * r.units * o.rate) > 0;

	WHEN 'service_types' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, sum(n.quality * s.work * t.rate)
		FROM epoch_node n JOIN epoch_node_service s ON s.epoch_id = n.epoch_id AND s.node_id = n.node_id
			JOIN (SELECT v.service_type, round(round(v.pot, 60) / v.quality_work, 60) AS rate
				FROM epoch_service v WHERE v.epoch_id = $1 AND v.pot > 0 AND v.quality_work > 0) t ON t.service_type = s.service_type
		WHERE n.epoch_id = $1 AND n.quality > 0 AND s.work > 0
		GROUP BY n.node_id, n.provider_id;

	WHEN 'specialization' THEN
		RETURN QUERY
		SELECT m.node_id, m.provider_id, sum(k.weight * m.work * round(ramp(m.metric, k.bound::double precision, k.target::double precision)::numeric, 12))
		FROM (SELECT n.node_id, n.provider_id, s.service_type, s.work, s.samples, x.name, x.metric
				FROM epoch_node n JOIN epoch_node_service s ON s.epoch_id = n.epoch_id AND s.node_id = n.node_id,
					LATERAL (VALUES ('p50_latency_ms', s.p50_latency_ms), ('p95_latency_ms', s.p95_latency_ms),
						('p99_latency_ms', s.p99_latency_ms), ('error_rate_upper', s.error_rate_upper),
						('energy_per_work', (round(s.energy_mwh, 20) / nullif(s.work, 0))::double precision)) x (name, metric)
				WHERE n.epoch_id = $1 AND n.trust > 0 AND s.work > 0) m
			JOIN specialization k ON k.policy_id = p.policy_id AND k.metric = m.name
				AND (k.service_type = m.service_type OR k.service_type IS NULL) AND m.samples >= k.min_samples
		GROUP BY m.node_id, m.provider_id
		HAVING sum(k.weight * m.work * round(ramp(m.metric, k.bound::double precision, k.target::double precision)::numeric, 12)) > 0;
	ELSE
		RAISE EXCEPTION 'no component % with part %', coalesce(quote_literal($2), 'NULL'), coalesce(quote_literal($3), 'NULL')
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Components are new_regions, coverage_gaps (part geographic or resource), resource_types, network_capacity, service_types and specialization.';
	END CASE;
END $$;
COMMENT ON FUNCTION epoch_score(bigint, text, text) IS
'scores above 0 of an epoch''s nodes in a component, and for coverage_gaps in its part geographic or resource, by the formulas of the reward documentation, from the frozen rows alone. Errors: unknown epoch, component or part';

CREATE FUNCTION epoch_share(epoch_id bigint, component text, part text, released numeric)
RETURNS TABLE (node_id bigint, provider_id bigint, score numeric, amount numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
	cap_bps int;
BEGIN
	SELECT p.provider_cap_bps INTO cap_bps FROM policy p JOIN epoch e USING (policy_id) WHERE e.epoch_id = $1;
	IF cap_bps IS NULL THEN
		RETURN QUERY
		SELECT s.node_id, s.provider_id, s.score, allocate(s.score, $4) OVER (ORDER BY s.node_id)
		FROM epoch_score($1, $2, $3) s;
	ELSE
		RETURN QUERY
		WITH s AS MATERIALIZED (
			SELECT * FROM epoch_score($1, $2, $3)
		), total AS (
			SELECT s.provider_id, sum(s.score) AS score FROM s GROUP BY s.provider_id
		), capped AS (
			SELECT t.provider_id, allocate(t.score, $4, div($4 * cap_bps, 10000)) OVER (ORDER BY t.provider_id) AS amount FROM total t
		)
		SELECT s.node_id, s.provider_id, s.score, allocate(s.score, c.amount) OVER (PARTITION BY s.provider_id ORDER BY s.node_id)
		FROM s JOIN capped c USING (provider_id);
	END IF;
END $$;
COMMENT ON FUNCTION epoch_share(bigint, text, text, numeric) IS
'apportions base units over the scores of a component (and part): largest remainders in the order of node_id; with a provider cap first over providers, capped, then over the nodes of each. NULL part for components without parts';
-- Digests: what makes a flipped bit visible.

CREATE FUNCTION sealed_relation() RETURNS TABLE (relation text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT r FROM unnest(ARRAY['epoch_node', 'epoch_node_resource', 'epoch_node_service', 'epoch_region',
		'epoch_region_resource', 'epoch_resource', 'epoch_service', 'epoch_mark', 'epoch_first',
		'epoch_pool', 'epoch_pool_part', 'reward', 'reward_part']) r;
END;
COMMENT ON FUNCTION sealed_relation() IS 'tables whose rows belong to an epoch and are sealed with it';

-- The columns are recorded in the seal, so that a column added by a later
-- version of the extension does not disturb the digests of the past.
CREATE FUNCTION epoch_columns(relation text) RETURNS text[]
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT array_agg(a.attname::text ORDER BY a.attnum)
	FROM pg_attribute a
	WHERE a.attrelid = to_regclass('@extschema@.' || quote_ident(relation)) AND a.attnum > 0 AND NOT a.attisdropped
		AND NOT (relation = 'epoch' AND a.attname IN ('status', 'digest', 'opened_at', 'computed_at', 'final_at', 'note'))
		AND NOT (relation = 'policy' AND a.attname IN ('sealed_rules', 'is_builtin', 'note'))
		AND NOT (relation = 'specialization' AND a.attname IN ('is_builtin'))
$$;
COMMENT ON FUNCTION epoch_columns(text) IS 'columns of a table that enter the digest of an epoch, in their order';

CREATE FUNCTION epoch_rows_digest(epoch_id bigint, relation text, columns text[], OUT row_count bigint, OUT digest bytea)
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT
SET extra_float_digits = 1 SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET bytea_output = 'hex' AS $$
DECLARE
	list text;
	filter text := 'epoch_id = $1';
BEGIN
	IF relation IN ('policy', 'specialization') THEN
		filter := 'policy_id = (SELECT e.policy_id FROM epoch e WHERE e.epoch_id = $1)';
	ELSIF relation <> 'epoch' AND relation NOT IN (SELECT s.relation FROM sealed_relation() s) THEN
		RAISE EXCEPTION 'table % is not sealed with an epoch', quote_literal(relation) USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- fields are hashed in their binary form: it is smaller and just as canonical
	SELECT string_agg(format(CASE WHEN a.atttypid = 'coverage'::regtype THEN 'sha256(coverage_send(t.%I))' ELSE 't.%I' END, c.name), ', ' ORDER BY c.ord)
	INTO list
	FROM unnest(columns) WITH ORDINALITY c (name, ord)
		JOIN pg_attribute a ON a.attrelid = to_regclass('@extschema@.' || quote_ident(relation)) AND a.attname = c.name AND a.attnum > 0;
	-- every row is hashed, the hashes are sorted and hashed in up to 256 groups
	EXECUTE format($q$
		SELECT coalesce(sum(g.n), 0), sha256(coalesce(string_agg(g.h, '' ORDER BY g.k), ''))
		FROM (SELECT get_byte(r.h, 0) AS k, count(*) AS n, sha256(string_agg(r.h, '' ORDER BY r.h)) AS h
			FROM (SELECT sha256(convert_to(ROW(%s)::text, 'UTF8')) AS h FROM %I t WHERE %s) r
			GROUP BY 1) g $q$, list, relation, filter) INTO row_count, digest USING epoch_id;
END $$;
COMMENT ON FUNCTION epoch_rows_digest(bigint, text, text[]) IS
'number and SHA-256 of an epoch''s rows in a table over the given columns; the same for the same rows in any order, whatever the settings of the session. Errors: a table that is not sealed';

CREATE FUNCTION epoch_seal_digest(epoch_id bigint) RETURNS bytea
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET bytea_output = 'hex' AS $$
	SELECT sha256(coalesce((SELECT p.digest FROM epoch e JOIN epoch p ON p.epoch_id = e.previous_epoch_id WHERE e.epoch_id = $1), '')
		|| (SELECT string_agg(sha256(convert_to(ROW(s.relation, s.columns, s.row_count, s.digest)::text, 'UTF8')), '' ORDER BY s.relation)
			FROM epoch_seal s WHERE s.epoch_id = $1))
$$;
COMMENT ON FUNCTION epoch_seal_digest(bigint) IS
'digest of an epoch: SHA-256 over the digest of the previous epoch and the seals of this one';

CREATE FUNCTION seal_epoch(epoch_id bigint) RETURNS bytea
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO epoch_seal (epoch_id, relation, columns, row_count, digest)
	SELECT seal_epoch.epoch_id, r.relation, c.columns, d.row_count, d.digest
	FROM (SELECT s.relation FROM sealed_relation() s UNION ALL VALUES ('epoch'), ('policy'), ('specialization')) r,
		LATERAL (SELECT epoch_columns(r.relation) AS columns) c,
		LATERAL epoch_rows_digest(seal_epoch.epoch_id, r.relation, c.columns) d;
	RETURN epoch_seal_digest(seal_epoch.epoch_id);
END $$;
COMMENT ON FUNCTION seal_epoch(bigint) IS 'run_epoch step: writes epoch_seal and returns the digest of the epoch';
-- Triggers that keep what is computed as it is. They hold for everybody,
-- the owner included, and accept the faithful reload of a dump: in a sealed
-- epoch rows can be inserted up to the number that the seal counts.

CREATE FUNCTION epoch_sealed_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	id bigint;
	state text;
	allowed bigint;
	present bigint;
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		IF EXISTS (SELECT FROM epoch e WHERE e.status IN ('computed', 'final')) THEN
			RAISE EXCEPTION 'cannot truncate %: there are computed epochs', TG_TABLE_NAME
				USING ERRCODE = 'restrict_violation';
		END IF;
		RETURN NULL;
	END IF;
	IF TG_OP IN ('UPDATE', 'DELETE') THEN
		SELECT e.epoch_id, e.status INTO id, state FROM epoch e
		WHERE e.status IN ('computed', 'final') AND e.epoch_id IN (SELECT o.epoch_id FROM old_rows o) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot change % of epoch %, which is %', TG_TABLE_NAME, id, state
				USING ERRCODE = 'restrict_violation',
					HINT = CASE state WHEN 'computed' THEN 'CALL run_epoch to recompute it.' ELSE 'Corrections of a final epoch are rows of restatement.' END;
		END IF;
	END IF;
	IF TG_OP IN ('INSERT', 'UPDATE') THEN
		FOR id, state IN
			SELECT e.epoch_id, e.status FROM epoch e
			WHERE e.status IN ('computed', 'final') AND e.epoch_id IN (SELECT n.epoch_id FROM new_rows n)
		LOOP
			IF TG_TABLE_NAME = 'epoch_seal' THEN
				allowed := (SELECT count(*) + 3 FROM sealed_relation());
			ELSE
				SELECT s.row_count INTO allowed FROM epoch_seal s WHERE s.epoch_id = id AND s.relation = TG_TABLE_NAME;
				CONTINUE WHEN NOT FOUND AND NOT EXISTS (SELECT FROM epoch_seal s WHERE s.epoch_id = id);
			END IF;
			EXECUTE format('SELECT count(*) FROM %I.%I t WHERE t.epoch_id = $1', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO present USING id;
			IF present > coalesce(allowed, 0) THEN
				RAISE EXCEPTION 'cannot add to % of epoch %, which is %', TG_TABLE_NAME, id, state
					USING ERRCODE = 'restrict_violation',
						HINT = CASE state WHEN 'computed' THEN 'CALL run_epoch to recompute it.' ELSE 'Corrections of a final epoch are rows of restatement.' END;
			END IF;
		END LOOP;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION epoch_sealed_guard() IS
'trigger: rows of a computed or final epoch do not change; only a reload of a dump may insert them, up to the number sealed';

DO $$
DECLARE
	t text;
BEGIN
	FOR t IN SELECT relation FROM sealed_relation() UNION ALL VALUES ('epoch_seal') LOOP
		EXECUTE format('CREATE TRIGGER sealed_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
		EXECUTE format('CREATE TRIGGER sealed_update AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
		EXECUTE format('CREATE TRIGGER sealed_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
		EXECUTE format('CREATE TRIGGER sealed_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
	END LOOP;
END $$;

-- The invariants of exact money, checked by the database whenever an epoch
-- becomes computed or final, whoever does it; the guards above keep them so.
CREATE FUNCTION epoch_balance(epoch_id bigint)
RETURNS TABLE (component text, rule text, wanted numeric, found numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT NULL::text, 'the pools'' budgets add up to the budget', e.budget, coalesce(sum(p.budget), 0)
	FROM epoch e LEFT JOIN epoch_pool p ON p.epoch_id = e.epoch_id
	WHERE e.epoch_id = epoch_balance.epoch_id
	GROUP BY e.epoch_id
	UNION ALL
	SELECT NULL, 'there is a pool for each component', (SELECT count(*) FROM component),
		(SELECT count(*) FROM epoch_pool p WHERE p.epoch_id = epoch_balance.epoch_id)
	UNION ALL
	SELECT p.component, 'budget + carried in = paid + carried out + treasury', p.budget + p.carried_in, p.paid + p.carried_out + p.treasury
	FROM epoch_pool p WHERE p.epoch_id = epoch_balance.epoch_id
	UNION ALL
	SELECT p.component, 'carried in = carried out of the previous epoch', coalesce(q.carried_out, 0), p.carried_in
	FROM epoch_pool p JOIN epoch e ON e.epoch_id = p.epoch_id
		LEFT JOIN epoch_pool q ON q.epoch_id = e.previous_epoch_id AND q.component = p.component
	WHERE p.epoch_id = epoch_balance.epoch_id
	UNION ALL
	SELECT c.code, 'the rewards add up to paid', coalesce(p.paid, 0), coalesce(r.amount, 0)
	FROM component c
		LEFT JOIN epoch_pool p ON p.epoch_id = epoch_balance.epoch_id AND p.component = c.code
		LEFT JOIN (SELECT r.component, sum(r.amount) AS amount FROM reward r
			WHERE r.epoch_id = epoch_balance.epoch_id GROUP BY r.component) r ON r.component = c.code
	UNION ALL
	SELECT p.component || ' ' || p.part, 'the amounts add up to paid', p.paid, coalesce(sum(r.amount), 0)
	FROM epoch_pool_part p LEFT JOIN reward_part r ON r.epoch_id = p.epoch_id AND r.component = p.component AND r.part = p.part
	WHERE p.epoch_id = epoch_balance.epoch_id
	GROUP BY p.epoch_id, p.component, p.part
	UNION ALL
	SELECT 'coverage_gaps', 'rewards that differ from the sum of their halves', 0, count(*)
	FROM (SELECT r.node_id, r.amount FROM reward r WHERE r.epoch_id = epoch_balance.epoch_id AND r.component = 'coverage_gaps') a
		FULL JOIN (SELECT r.node_id, sum(r.amount) AS amount FROM reward_part r
			WHERE r.epoch_id = epoch_balance.epoch_id GROUP BY r.node_id) b USING (node_id)
	WHERE a.amount IS DISTINCT FROM b.amount
	UNION ALL
	SELECT NULL, 'rewards of another provider than the node''s', 0, count(*)
	FROM reward r JOIN epoch_node n ON n.epoch_id = r.epoch_id AND n.node_id = r.node_id
	WHERE r.epoch_id = epoch_balance.epoch_id AND r.provider_id <> n.provider_id;
END;
COMMENT ON FUNCTION epoch_balance(bigint) IS
'the invariants of an epoch''s money: each rule with the figure wanted and the figure found, which must be equal';

CREATE FUNCTION epoch_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	bad record;
BEGIN
	IF TG_OP = 'DELETE' THEN
		IF OLD.status <> 'planned' THEN
			RAISE EXCEPTION 'cannot delete epoch %, which is %', OLD.epoch_id, OLD.status
				USING ERRCODE = 'restrict_violation', HINT = 'Only planned epochs can be deleted.';
		END IF;
		RETURN OLD;
	END IF;
	IF NEW.status = 'planned' AND (TG_OP = 'INSERT' OR NEW.period <> OLD.period) THEN
		SELECT e.epoch_id, e.period INTO bad FROM epoch e
		WHERE e.status <> 'planned' AND e.epoch_id <> NEW.epoch_id AND lower(e.period) >= upper(NEW.period) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot plan an epoch for %: epoch % for % has been computed already', NEW.period, bad.epoch_id, bad.period
				USING ERRCODE = 'restrict_violation', HINT = 'Epochs are computed strictly in order; plan it after the last computed one.';
		END IF;
	END IF;
	IF TG_OP = 'INSERT' THEN
		RETURN NEW;
	END IF;
	IF OLD.status = 'final' THEN
		RAISE EXCEPTION 'epoch % is final and cannot be changed', OLD.epoch_id
			USING ERRCODE = 'restrict_violation', HINT = 'Corrections of a final epoch are rows of restatement.';
	END IF;
	IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN
		(('planned', 'open'), ('open', 'computed'), ('computed', 'open'), ('computed', 'final')) THEN
		RAISE EXCEPTION 'epoch % cannot go from % to %', OLD.epoch_id, OLD.status, NEW.status
			USING ERRCODE = 'restrict_violation', HINT = 'The order is planned, open, computed, final; a computed epoch may be opened again.';
	END IF;
	IF OLD.status <> 'planned' AND (NEW.epoch_id, NEW.period, NEW.budget, NEW.policy_id, NEW.epoch_no, NEW.previous_epoch_id)
		IS DISTINCT FROM (OLD.epoch_id, OLD.period, OLD.budget, OLD.policy_id, OLD.epoch_no, OLD.previous_epoch_id) THEN
		RAISE EXCEPTION 'cannot change period, budget, policy or order of epoch %, which is %', OLD.epoch_id, OLD.status
			USING ERRCODE = 'restrict_violation', HINT = 'They are fixed when an epoch is opened.';
	END IF;
	IF OLD.status = 'computed' AND NEW.status <> 'open' AND (NEW.supply, NEW.demand, NEW.closing_supply, NEW.digest, NEW.computed_at)
		IS DISTINCT FROM (OLD.supply, OLD.demand, OLD.closing_supply, OLD.digest, OLD.computed_at) THEN
		RAISE EXCEPTION 'cannot change the fields or the digest of epoch %, which is computed', OLD.epoch_id
			USING ERRCODE = 'restrict_violation', HINT = 'CALL run_epoch to recompute it.';
	END IF;
	IF NEW.status IN ('computed', 'final') AND NEW.status <> OLD.status THEN
		SELECT b.* INTO bad FROM epoch_balance(NEW.epoch_id) b WHERE b.wanted <> b.found LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'epoch % does not balance: %', NEW.epoch_id, concat_ws(': ', bad.component, bad.rule)
				USING ERRCODE = 'check_violation', DETAIL = format('Wanted %s, found %s.', bad.wanted, bad.found);
		END IF;
		IF NEW.digest IS DISTINCT FROM epoch_seal_digest(NEW.epoch_id) THEN
			RAISE EXCEPTION 'the digest of epoch % does not match its seal', NEW.epoch_id
				USING ERRCODE = 'check_violation', HINT = 'CALL run_epoch to compute it.';
		END IF;
	END IF;
	IF NEW.status = 'open' AND OLD.status = 'computed' THEN
		SELECT e.epoch_id INTO bad FROM epoch e
		WHERE e.status IN ('computed', 'final') AND e.previous_epoch_id = OLD.epoch_id;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot open epoch % again: epoch % starts from its closing state', OLD.epoch_id, bad.epoch_id
				USING ERRCODE = 'restrict_violation', HINT = 'CALL run_epoch, which recomputes the later epochs too.';
		END IF;
	END IF;
	IF NEW.status = 'final' THEN
		SELECT e.epoch_id, e.status INTO bad FROM epoch e WHERE e.epoch_id = NEW.previous_epoch_id AND e.status <> 'final';
		IF FOUND THEN
			RAISE EXCEPTION 'epoch % cannot become final: epoch % before it is %', NEW.epoch_id, bad.epoch_id, bad.status
				USING ERRCODE = 'restrict_violation', HINT = 'Epochs become final in order.';
		END IF;
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION epoch_guard() IS
'trigger: status goes planned, open, computed, final; money must balance to become computed; nothing of a final epoch changes';
CREATE TRIGGER epoch_guard BEFORE INSERT OR UPDATE OR DELETE ON epoch FOR EACH ROW EXECUTE FUNCTION epoch_guard();

CREATE FUNCTION epoch_truncate_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF EXISTS (SELECT FROM epoch e WHERE e.status <> 'planned') THEN
		RAISE EXCEPTION 'cannot truncate epoch: not all epochs are planned' USING ERRCODE = 'restrict_violation';
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION epoch_truncate_guard() IS 'trigger: only planned epochs can be truncated away';
CREATE TRIGGER epoch_truncate_guard BEFORE TRUNCATE ON epoch FOR EACH STATEMENT EXECUTE FUNCTION epoch_truncate_guard();

CREATE FUNCTION epoch_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM pg_notify('swarm_reward', jsonb_build_object('epoch_id', NEW.epoch_id, 'status', NEW.status,
		'previous_status', OLD.status, 'epoch_no', NEW.epoch_no, 'budget', NEW.budget::text,
		'digest', encode(NEW.digest, 'hex'))::text);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION epoch_notify() IS 'trigger: NOTIFY swarm_reward at every change of an epoch''s status, with epoch_id, status, previous_status, epoch_no, budget (as text, it may be long) and digest';
CREATE TRIGGER epoch_notify AFTER UPDATE ON epoch FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION epoch_notify();
-- The epoch computation.

CREATE FUNCTION pay_epoch(epoch_id bigint) RETURNS numeric
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	p policy;
	pool record;
	half record;
	growth numeric;
	available numeric;
	released numeric;
	paid numeric;
	score numeric;
	total numeric := 0;
BEGIN
	SELECT * INTO STRICT e FROM epoch WHERE epoch.epoch_id = $1;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	FOR pool IN
		SELECT c.code, allocate(c.bps::numeric, e.budget) OVER (ORDER BY c.position) AS budget,
			coalesce((SELECT o.carried_out FROM epoch_pool o WHERE o.epoch_id = e.previous_epoch_id AND o.component = c.code), 0) AS carried_in
		FROM epoch_weight($1) c ORDER BY c.position
	LOOP
		available := pool.budget + pool.carried_in;
		released := available;
		IF pool.code = 'network_capacity' THEN
			SELECT coalesce(sum(r.pot), 0) INTO growth FROM epoch_resource r WHERE r.epoch_id = $1;
			released := CASE WHEN growth >= p.growth_target THEN available ELSE div(available * growth, p.growth_target) END;
		END IF;
		IF pool.code = 'coverage_gaps' THEN
			-- the pool first, as the halves refer to it; its sums follow
			INSERT INTO epoch_pool (epoch_id, component, budget, carried_in, released, paid, carried_out, treasury, score)
			VALUES ($1, pool.code, pool.budget, pool.carried_in, released, 0, available, 0, 0);
			FOR half IN
				SELECT h.part, allocate(h.bps, released) OVER (ORDER BY h.part) AS released
				FROM (VALUES ('geographic', p.gaps_geographic_bps::numeric), ('resource', 10000 - p.gaps_geographic_bps)) h (part, bps)
			LOOP
				INSERT INTO reward_part (epoch_id, node_id, provider_id, component, part, score, amount)
				SELECT $1, s.node_id, s.provider_id, pool.code, half.part, s.score, s.amount
				FROM epoch_share($1, pool.code, half.part, half.released) s;
				INSERT INTO epoch_pool_part (epoch_id, component, part, released, paid, score)
				SELECT $1, pool.code, half.part, half.released, coalesce(sum(r.amount), 0), coalesce(sum(r.score), 0)
				FROM reward_part r WHERE r.epoch_id = $1 AND r.component = pool.code AND r.part = half.part;
			END LOOP;
			INSERT INTO reward (epoch_id, node_id, provider_id, component, score, amount)
			SELECT $1, r.node_id, r.provider_id, r.component, sum(r.score), sum(r.amount)
			FROM reward_part r WHERE r.epoch_id = $1 AND r.component = pool.code
			GROUP BY r.node_id, r.provider_id, r.component;
			SELECT coalesce(sum(h.paid), 0), coalesce(sum(h.score), 0) INTO paid, score
			FROM epoch_pool_part h WHERE h.epoch_id = $1 AND h.component = pool.code;
			UPDATE epoch_pool t SET paid = pay.paid, score = pay.score,
				carried_out = CASE p.unpaid_to WHEN 'carry' THEN available - pay.paid ELSE 0 END,
				treasury = CASE p.unpaid_to WHEN 'treasury' THEN available - pay.paid ELSE 0 END
			FROM (SELECT paid, score) pay
			WHERE t.epoch_id = $1 AND t.component = pool.code;
		ELSE
			WITH put AS (
				INSERT INTO reward (epoch_id, node_id, provider_id, component, score, amount)
				SELECT $1, s.node_id, s.provider_id, pool.code, s.score, s.amount
				FROM epoch_share($1, pool.code, NULL, released) s
				RETURNING amount, score
			)
			SELECT coalesce(sum(put.amount), 0), coalesce(sum(put.score), 0) INTO paid, score FROM put;
			INSERT INTO epoch_pool (epoch_id, component, budget, carried_in, released, paid, carried_out, treasury, score)
			VALUES ($1, pool.code, pool.budget, pool.carried_in, released, paid,
				CASE p.unpaid_to WHEN 'carry' THEN available - paid ELSE 0 END,
				CASE p.unpaid_to WHEN 'treasury' THEN available - paid ELSE 0 END, score);
		END IF;
		total := total + paid;
		RAISE NOTICE 'epoch %: % pays % of %', $1, pool.code, paid, available;
	END LOOP;
	RETURN total;
END $$;
COMMENT ON FUNCTION pay_epoch(bigint) IS
'run_epoch step, last: splits the budget over the pools, apportions each and writes epoch_pool, epoch_pool_part, reward and reward_part; returns the base units paid';

CREATE PROCEDURE run_epoch(epoch_id bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	prior epoch;
	p policy;
	one bigint;
	todo bigint[];
	nodes bigint;
	paid numeric;
	t text;
BEGIN
	IF NOT pg_try_advisory_xact_lock('epoch'::regclass::oid::int, 0) THEN
		RAISE EXCEPTION 'another session is computing an epoch'
			USING ERRCODE = 'lock_not_available', HINT = 'Try again when it has finished.';
	END IF;
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1 FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'epoch % does not exist', $1 USING ERRCODE = 'no_data_found', HINT = 'Insert it into the table epoch.';
	END IF;
	IF e.status = 'final' THEN
		RAISE EXCEPTION 'epoch % is final and cannot be computed again', $1
			USING ERRCODE = 'restrict_violation', HINT = 'Corrections of a final epoch are rows of restatement.';
	END IF;
	IF upper(e.period) > now() THEN
		RAISE EXCEPTION 'epoch % has not ended: its period is %', $1, e.period
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Compute it after its end.';
	END IF;
	SELECT * INTO prior FROM epoch WHERE upper(epoch.period) <= lower(e.period) ORDER BY epoch.period DESC LIMIT 1;
	IF prior.status IN ('planned', 'open') THEN
		RAISE EXCEPTION 'epoch % comes before epoch % and is %', prior.epoch_id, $1, prior.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', prior.epoch_id);
	END IF;

	-- the epochs after it that were computed start from its closing state
	SELECT array_agg(l.epoch_id ORDER BY l.period) INTO todo FROM epoch l
	WHERE l.epoch_id = $1 OR (l.status IN ('open', 'computed') AND lower(l.period) >= upper(e.period));
	FOR one IN SELECT u FROM unnest(todo) WITH ORDINALITY x (u, o) ORDER BY o DESC LOOP
		UPDATE epoch SET status = 'open' WHERE epoch.epoch_id = one AND status = 'computed';
		FOR t IN SELECT 'epoch_seal' UNION ALL (SELECT r.relation FROM sealed_relation() WITH ORDINALITY r (relation, o) ORDER BY r.o DESC) LOOP
			EXECUTE format('DELETE FROM %I WHERE epoch_id = $1', t) USING one;
		END LOOP;
	END LOOP;

	FOREACH one IN ARRAY todo LOOP
		SELECT * INTO STRICT e FROM epoch WHERE epoch.epoch_id = one FOR UPDATE;
		SELECT * INTO prior FROM epoch WHERE upper(epoch.period) <= lower(e.period) ORDER BY epoch.period DESC LIMIT 1;
		IF e.status = 'planned' THEN
			SELECT * INTO STRICT p FROM policy
			WHERE policy_id = coalesce(e.policy_id, (SELECT l.policy_id FROM policy l
				WHERE l.effective_from <= lower(e.period) ORDER BY l.effective_from DESC LIMIT 1))
			FOR UPDATE;
			IF p.sealed_rules IS NULL THEN
				UPDATE policy SET sealed_rules = (SELECT count(*) FROM specialization s WHERE s.policy_id = p.policy_id)
				WHERE policy_id = p.policy_id;
			END IF;
			UPDATE epoch SET status = 'open', policy_id = p.policy_id, epoch_no = coalesce(prior.epoch_no, 0) + 1,
				previous_epoch_id = prior.epoch_id, opened_at = clock_timestamp()
			WHERE epoch.epoch_id = one RETURNING * INTO e;
		ELSE
			SELECT * INTO STRICT p FROM policy WHERE policy_id = e.policy_id;
		END IF;
		RAISE NOTICE 'epoch %: % under policy %', one, e.period, p.name;

		nodes := freeze_node(one);
		RAISE NOTICE 'epoch %: % nodes frozen', one, nodes;
		IF nodes > 1000 THEN
			-- fresh rows have no statistics, and plans for few would be slow for many
			ANALYZE epoch_node, epoch_node_resource, epoch_node_service;
		END IF;

		UPDATE epoch SET demand = demand_field(e.period, p.grid_order), closing_supply = supply_field(one, p.grid_order),
			supply = CASE WHEN prior.epoch_id IS NULL THEN zero_coverage(p.grid_order)
				WHEN coverage_order(prior.closing_supply) = p.grid_order THEN prior.closing_supply
				ELSE supply_field(prior.epoch_id, p.grid_order) END
		WHERE epoch.epoch_id = one;
		RAISE NOTICE 'epoch %: fields drawn', one;

		PERFORM freeze_market(one);
		RAISE NOTICE 'epoch %: regions, prices and marks set', one;

		paid := pay_epoch(one);
		UPDATE epoch SET status = 'computed', digest = seal_epoch(one), computed_at = clock_timestamp() WHERE epoch.epoch_id = one;
		RAISE NOTICE 'epoch %: computed, % of % paid', one, paid, e.budget;
	END LOOP;
END $$;
COMMENT ON PROCEDURE run_epoch(bigint) IS
'computes an epoch that has ended, in one transaction: freezes its inputs, draws its fields, apportions its pools, seals the result. A computed epoch is computed again from the tables as they are now, and with it every computed epoch after it. Errors: no such epoch, final, not ended, an earlier one not computed, another session computing';
-- Verification: recompute from what was frozen and compare.

CREATE FUNCTION verify_epoch(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	prior epoch;
	p policy;
	bad bigint;
	target double precision;
	part record;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'epoch % does not exist', $1 USING ERRCODE = 'no_data_found';
	END IF;
	IF e.status NOT IN ('computed', 'final') THEN
		RAISE EXCEPTION 'epoch % is % and has no result to verify', $1, e.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', $1);
	END IF;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT * INTO prior FROM epoch WHERE epoch.epoch_id = e.previous_epoch_id;
	target := p.supply_target;

	-- 1. nothing that was sealed has changed
	RETURN QUERY
	SELECT 'seal of ' || r.relation, s.relation IS NOT NULL AND d.row_count = s.row_count AND d.digest = s.digest,
		CASE WHEN s.relation IS NULL THEN 'not sealed'
			WHEN d.row_count <> s.row_count THEN format('%s rows, %s were sealed', d.row_count, s.row_count)
			WHEN d.digest <> s.digest THEN 'rows differ from those sealed' ELSE format('%s rows', d.row_count) END
	FROM (SELECT x.relation FROM sealed_relation() x UNION ALL VALUES ('epoch'), ('policy'), ('specialization')) r
		LEFT JOIN epoch_seal s ON s.epoch_id = $1 AND s.relation = r.relation
		LEFT JOIN LATERAL epoch_rows_digest($1, r.relation, s.columns) d ON true;
	RETURN QUERY SELECT 'digest', e.digest IS NOT DISTINCT FROM epoch_seal_digest($1), encode(e.digest, 'hex');

	-- 2. the money
	RETURN QUERY
	SELECT concat_ws(': ', b.component, b.rule), b.wanted = b.found, format('wanted %s, found %s', b.wanted, b.found)
	FROM epoch_balance($1) b;
	RETURN QUERY
	SELECT 'weights of the policy', NOT EXISTS (
			SELECT p.component, p.budget FROM epoch_pool p WHERE p.epoch_id = $1
			EXCEPT SELECT w.code, allocate(w.bps::numeric, e.budget) OVER (ORDER BY w."position") FROM epoch_weight($1) w), NULL;

	-- 3. every frozen row follows from the frozen inputs
	SELECT count(*) INTO bad FROM epoch_node n
	WHERE n.epoch_id = $1 AND (n.availability, n.performance, n.trust, n.quality) IS DISTINCT FROM
		(ramp(n.uptime, p.uptime_floor::double precision, p.uptime_target::double precision),
		node_performance(n.response_ms, n.error_rate_upper, p.response_limit_ms::double precision, p.response_target_ms::double precision,
			p.error_limit::double precision, p.error_target::double precision),
		node_trust(n.beacons, n.location_excess_m, p.min_beacons, p.unattested_trust::double precision, p.location_slack_m::double precision),
		node_quality(n.availability, n.performance, n.trust));
	RETURN QUERY SELECT 'quality of nodes', bad = 0, format('%s nodes differ', bad);

	SELECT count(*) INTO bad
	FROM (SELECT n.node_id, n.value FROM epoch_node n WHERE n.epoch_id = $1) a
		LEFT JOIN (SELECT r.node_id, sum(t.unit_value * r.units) AS value
			FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
			WHERE r.epoch_id = $1 GROUP BY r.node_id) b USING (node_id)
	WHERE a.value <> coalesce(b.value, 0);
	RETURN QUERY SELECT 'value of nodes', bad = 0, format('%s nodes differ', bad);

	RETURN QUERY SELECT 'closing supply field', e.closing_supply = supply_field($1, p.grid_order), NULL;
	RETURN QUERY SELECT 'opening supply field', e.supply = CASE WHEN prior.epoch_id IS NULL THEN zero_coverage(p.grid_order)
		WHEN coverage_order(prior.closing_supply) = p.grid_order THEN prior.closing_supply
		ELSE supply_field(prior.epoch_id, p.grid_order) END, NULL;
	RETURN QUERY SELECT 'order of epochs', e.epoch_no = coalesce(prior.epoch_no, 0) + 1
		AND (prior.epoch_id IS NULL OR (prior.status IN ('computed', 'final') AND upper(prior.period) <= lower(e.period))), NULL;

	SELECT count(*) INTO bad FROM epoch_region r
	WHERE r.epoch_id = $1 AND r.multiplier IS DISTINCT FROM region_multiplier(r.covered, r.demand, r.target_fraction, p.region_multiplier_max);
	RETURN QUERY SELECT 'multipliers', bad = 0, format('%s regions differ', bad);

	SELECT count(*) INTO bad
	FROM epoch_region_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
		LEFT JOIN epoch_region_resource o ON o.epoch_id = e.previous_epoch_id AND o.region = r.region AND o.resource_type = r.resource_type
		LEFT JOIN (SELECT n.region, x.resource_type, sum(n.quality * x.units) AS supply
			FROM epoch_node n JOIN epoch_node_resource x ON x.epoch_id = n.epoch_id AND x.node_id = n.node_id
			WHERE n.epoch_id = $1 GROUP BY 1, 2) s ON s.region = r.region AND s.resource_type = r.resource_type
	WHERE r.epoch_id = $1 AND (r.opening_supply <> coalesce(o.supply, 0) OR r.supply <> coalesce(s.supply, 0)
		OR r.rate <> gap_rate(t.unit_value, r.demand, r.opening_supply, r.supply));
	RETURN QUERY SELECT 'resources of regions', bad = 0, format('%s rows differ', bad);

	SELECT count(*) INTO bad
	FROM epoch_resource r LEFT JOIN epoch_capacity($1) c ON c.resource_type = r.resource_type
	WHERE r.epoch_id = $1 AND ((r.supply, r.growth) IS DISTINCT FROM (coalesce(c.supply, 0), coalesce(c.growth, 0))
		OR r.demand <> coalesce((SELECT sum(d.demand) FROM epoch_region_resource d WHERE d.epoch_id = $1 AND d.resource_type = r.resource_type), 0)
		OR r.price <> next_price(r.previous_price, r.demand, r.supply, p.price_elasticity, p.price_step, p.price_min, p.price_max)
		OR r.need <> coalesce(r.growth_need, greatest(0, r.demand - r.opening_mark))
		OR r.pot <> capacity_pot(r.unit_value, r.supply, r.opening_mark, r.need)
		OR r.previous_price <> coalesce((SELECT o.price FROM epoch_resource o WHERE o.epoch_id = e.previous_epoch_id AND o.resource_type = r.resource_type), r.previous_price)
		OR r.opening_mark <> coalesce((SELECT greatest(o.opening_mark, o.supply) FROM epoch_resource o
			WHERE o.epoch_id = e.previous_epoch_id AND o.resource_type = r.resource_type), r.opening_mark));
	RETURN QUERY SELECT 'prices, marks and pots of resources', bad = 0, format('%s kinds differ', bad);

	SELECT count(*) INTO bad
	FROM epoch_service r LEFT JOIN epoch_work($1) s ON s.service_type = r.service_type
	WHERE r.epoch_id = $1 AND (r.work, r.quality_work, r.pot) IS DISTINCT FROM
		(coalesce(s.work, 0), coalesce(s.quality_work, 0), service_pot(r.premium, coalesce(s.work, 0), p.service_alpha));
	RETURN QUERY SELECT 'pots of services', bad = 0, format('%s services differ', bad);

	SELECT count(*) INTO bad
	FROM (SELECT m.resource_type, m.hardware_id, m.provider_id, m.units FROM epoch_mark m WHERE m.epoch_id = $1) a
		FULL JOIN (SELECT o.resource_type, o.hardware_id, o.provider_id, o.units FROM epoch_owner($1) o WHERE o.units > o.opening_mark
			UNION ALL SELECT r.resource_type, NULL, NULL, r.supply FROM epoch_resource r WHERE r.epoch_id = $1 AND r.supply > r.opening_mark) b
		ON a.resource_type = b.resource_type AND coalesce('h' || a.hardware_id, 'p' || a.provider_id, '') = coalesce('h' || b.hardware_id, 'p' || b.provider_id, '')
	WHERE a.units IS DISTINCT FROM b.units;
	RETURN QUERY SELECT 'high-water marks', bad = 0, format('%s marks differ', bad);

	-- 4. every reward follows from them
	FOR part IN
		SELECT t.component, NULL::text AS part, t.released FROM epoch_pool t WHERE t.epoch_id = $1 AND t.component <> 'coverage_gaps'
		UNION ALL SELECT t.component, t.part, t.released FROM epoch_pool_part t WHERE t.epoch_id = $1
	LOOP
		SELECT count(*) INTO bad
		FROM epoch_share($1, part.component, part.part, part.released) a
			FULL JOIN (SELECT r.node_id, r.provider_id, r.score, r.amount FROM reward r
					WHERE r.epoch_id = $1 AND r.component = part.component AND part.part IS NULL
				UNION ALL SELECT r.node_id, r.provider_id, r.score, r.amount FROM reward_part r
					WHERE r.epoch_id = $1 AND r.component = part.component AND r.part = part.part) b USING (node_id)
		WHERE (a.provider_id, a.score, a.amount) IS DISTINCT FROM (b.provider_id, b.score, b.amount);
		RETURN QUERY SELECT concat_ws(' ', 'rewards of', part.component, part.part), bad = 0, format('%s rewards differ', bad);
	END LOOP;
END $$;
COMMENT ON FUNCTION verify_epoch(bigint) IS
'recomputes a computed or final epoch from its frozen inputs and compares seals, digest, money, every derived row and every reward; one row per check, ok is false where something differs. Errors: unknown epoch, not computed';
-- Views: what people and services read.

CREATE VIEW node_reward AS
SELECT r.epoch_id, e.period, e.status, r.node_id, r.provider_id, n.region,
	sum(r.amount) FILTER (WHERE r.component = 'new_regions') AS new_regions,
	sum(r.amount) FILTER (WHERE r.component = 'coverage_gaps') AS coverage_gaps,
	sum(r.amount) FILTER (WHERE r.component = 'resource_types') AS resource_types,
	sum(r.amount) FILTER (WHERE r.component = 'network_capacity') AS network_capacity,
	sum(r.amount) FILTER (WHERE r.component = 'service_types') AS service_types,
	sum(r.amount) FILTER (WHERE r.component = 'specialization') AS specialization,
	sum(r.amount) AS total
FROM reward r JOIN epoch e ON e.epoch_id = r.epoch_id JOIN epoch_node n ON n.epoch_id = r.epoch_id AND n.node_id = r.node_id
GROUP BY r.epoch_id, e.period, e.status, r.node_id, r.provider_id, n.region;
COMMENT ON VIEW node_reward IS 'what each node earned in each epoch, by component and in total, base units; NULL where it did not score. Nodes that scored nowhere have no row';
COMMENT ON COLUMN node_reward.epoch_id IS 'the epoch';
COMMENT ON COLUMN node_reward.period IS 'its period';
COMMENT ON COLUMN node_reward.status IS 'computed (may still change) or final';
COMMENT ON COLUMN node_reward.node_id IS 'the node';
COMMENT ON COLUMN node_reward.provider_id IS 'its provider in that epoch';
COMMENT ON COLUMN node_reward.region IS 'its region in that epoch; NULL: none';
COMMENT ON COLUMN node_reward.new_regions IS 'for new_regions';
COMMENT ON COLUMN node_reward.coverage_gaps IS 'for coverage_gaps';
COMMENT ON COLUMN node_reward.resource_types IS 'for resource_types';
COMMENT ON COLUMN node_reward.network_capacity IS 'for network_capacity';
COMMENT ON COLUMN node_reward.service_types IS 'for service_types';
COMMENT ON COLUMN node_reward.specialization IS 'for specialization';
COMMENT ON COLUMN node_reward.total IS 'together';

CREATE VIEW provider_statement AS
SELECT s.epoch_id, e.period, e.status, s.provider_id, p.name AS provider,
	s.nodes, s.new_regions, s.coverage_gaps, s.resource_types, s.network_capacity, s.service_types, s.specialization,
	s.earned, s.restated, s.earned + s.restated AS total
FROM (SELECT coalesce(w.epoch_id, t.epoch_id) AS epoch_id, coalesce(w.provider_id, t.provider_id) AS provider_id,
		coalesce(w.nodes, 0) AS nodes, coalesce(w.new_regions, 0) AS new_regions, coalesce(w.coverage_gaps, 0) AS coverage_gaps,
		coalesce(w.resource_types, 0) AS resource_types, coalesce(w.network_capacity, 0) AS network_capacity,
		coalesce(w.service_types, 0) AS service_types, coalesce(w.specialization, 0) AS specialization,
		coalesce(w.earned, 0) AS earned, coalesce(t.restated, 0) AS restated
	FROM (SELECT r.epoch_id, r.provider_id, count(DISTINCT r.node_id) AS nodes,
			sum(r.amount) FILTER (WHERE r.component = 'new_regions') AS new_regions,
			sum(r.amount) FILTER (WHERE r.component = 'coverage_gaps') AS coverage_gaps,
			sum(r.amount) FILTER (WHERE r.component = 'resource_types') AS resource_types,
			sum(r.amount) FILTER (WHERE r.component = 'network_capacity') AS network_capacity,
			sum(r.amount) FILTER (WHERE r.component = 'service_types') AS service_types,
			sum(r.amount) FILTER (WHERE r.component = 'specialization') AS specialization,
			sum(r.amount) AS earned
		FROM reward r GROUP BY r.epoch_id, r.provider_id) w
	FULL JOIN (SELECT x.posted_epoch_id AS epoch_id, x.provider_id, sum(x.amount) AS restated
		FROM restatement x GROUP BY x.posted_epoch_id, x.provider_id) t
		ON t.epoch_id = w.epoch_id AND t.provider_id = w.provider_id) s
	JOIN epoch e ON e.epoch_id = s.epoch_id JOIN provider p ON p.provider_id = s.provider_id;
COMMENT ON VIEW provider_statement IS 'what each provider earned in each epoch, by component, with corrections of earlier epochs, base units';
COMMENT ON COLUMN provider_statement.epoch_id IS 'the epoch';
COMMENT ON COLUMN provider_statement.period IS 'its period';
COMMENT ON COLUMN provider_statement.status IS 'computed (may still change) or final';
COMMENT ON COLUMN provider_statement.provider_id IS 'the provider';
COMMENT ON COLUMN provider_statement.provider IS 'its name';
COMMENT ON COLUMN provider_statement.nodes IS 'nodes that scored';
COMMENT ON COLUMN provider_statement.new_regions IS 'for new_regions';
COMMENT ON COLUMN provider_statement.coverage_gaps IS 'for coverage_gaps';
COMMENT ON COLUMN provider_statement.resource_types IS 'for resource_types';
COMMENT ON COLUMN provider_statement.network_capacity IS 'for network_capacity';
COMMENT ON COLUMN provider_statement.service_types IS 'for service_types';
COMMENT ON COLUMN provider_statement.specialization IS 'for specialization';
COMMENT ON COLUMN provider_statement.earned IS 'together';
COMMENT ON COLUMN provider_statement.restated IS 'corrections of earlier epochs posted in this one, signed';
COMMENT ON COLUMN provider_statement.total IS 'earned + restated, may be negative';

CREATE VIEW region_status AS
SELECT r.epoch_id, e.period, r.region, g.name, g.jurisdiction, r.demand, r.target_fraction,
	CASE WHEN r.demand > 0 THEN r.covered / r.demand END AS opening_fraction,
	CASE WHEN r.demand > 0 THEN r.closing_covered / r.demand END AS covered_fraction,
	r.demand - r.closing_covered AS gap,
	r.multiplier,
	region_multiplier(r.closing_covered, r.demand, r.target_fraction, p.region_multiplier_max) AS next_multiplier,
	coalesce(n.nodes, 0) AS nodes, coalesce(n.providers, 0) AS providers, trim_scale(coalesce(n.capacity, 0)) AS capacity,
	coalesce(x.resource_gaps, '{}') AS resource_gaps
FROM epoch_region r
	JOIN epoch e ON e.epoch_id = r.epoch_id
	JOIN policy p ON p.policy_id = e.policy_id
	JOIN region g ON g.code = r.region
	LEFT JOIN (SELECT m.epoch_id, m.region, count(*) FILTER (WHERE m.contribution > 0) AS nodes,
			count(DISTINCT m.provider_id) FILTER (WHERE m.contribution > 0) AS providers, sum(m.contribution) AS capacity
		FROM epoch_node m GROUP BY m.epoch_id, m.region) n ON n.epoch_id = r.epoch_id AND n.region = r.region
	LEFT JOIN (SELECT q.epoch_id, q.region, jsonb_object_agg(q.resource_type, trim_scale(round(q.demand - q.supply, 9))) AS resource_gaps
		FROM epoch_region_resource q WHERE q.demand > q.supply GROUP BY q.epoch_id, q.region) x ON x.epoch_id = r.epoch_id AND x.region = r.region;
COMMENT ON VIEW region_status IS 'each region in each computed epoch: how much of its demand is covered, what that made of its multiplier, who is there, what is missing. A cell counts as covered to the degree min(1, supply / target)';
COMMENT ON COLUMN region_status.epoch_id IS 'the epoch';
COMMENT ON COLUMN region_status.period IS 'its period';
COMMENT ON COLUMN region_status.region IS 'code of the region';
COMMENT ON COLUMN region_status.name IS 'its name today';
COMMENT ON COLUMN region_status.jurisdiction IS 'its jurisdiction today';
COMMENT ON COLUMN region_status.demand IS 'demand in it, in the unit of demand.weight';
COMMENT ON COLUMN region_status.target_fraction IS 'share that should be covered';
COMMENT ON COLUMN region_status.opening_fraction IS 'share covered at the opening; NULL without demand';
COMMENT ON COLUMN region_status.covered_fraction IS 'share covered at the close; NULL without demand';
COMMENT ON COLUMN region_status.gap IS 'demand not covered at the close';
COMMENT ON COLUMN region_status.multiplier IS 'm of this epoch, from the opening share';
COMMENT ON COLUMN region_status.next_multiplier IS 'm that the closing share will give the next epoch under the same policy and demand';
COMMENT ON COLUMN region_status.nodes IS 'nodes of the region that contribute';
COMMENT ON COLUMN region_status.providers IS 'their providers';
COMMENT ON COLUMN region_status.capacity IS 'sum of their contributions';
COMMENT ON COLUMN region_status.resource_gaps IS 'units wanted and not supplied at the close, by kind of resource, as a JSON object; empty: none';

CREATE VIEW growth_metric AS
WITH fact AS (
	SELECT e.epoch_id, 'nodes'::text AS metric, 'nodes'::text AS unit, (SELECT count(*) FROM epoch_node n WHERE n.epoch_id = e.epoch_id AND n.contribution > 0)::numeric AS value
	FROM epoch e WHERE e.status IN ('computed', 'final')
	UNION ALL
	SELECT e.epoch_id, 'providers', 'providers', (SELECT count(DISTINCT n.provider_id) FROM epoch_node n WHERE n.epoch_id = e.epoch_id AND n.contribution > 0)
	FROM epoch e WHERE e.status IN ('computed', 'final')
	UNION ALL
	SELECT e.epoch_id, 'new nodes in target regions', 'nodes', (SELECT count(*) FROM epoch_node n
			JOIN epoch_region r ON r.epoch_id = n.epoch_id AND r.region = n.region
		WHERE n.epoch_id = e.epoch_id AND n.contribution > 0 AND r.multiplier > 1
			AND NOT EXISTS (SELECT FROM epoch_node o WHERE o.epoch_id = e.previous_epoch_id AND o.node_id = n.node_id AND o.contribution > 0))
	FROM epoch e WHERE e.status IN ('computed', 'final')
	UNION ALL
	SELECT e.epoch_id, 'regions with nodes', 'regions', (SELECT count(DISTINCT n.region) FROM epoch_node n WHERE n.epoch_id = e.epoch_id AND n.contribution > 0)
	FROM epoch e WHERE e.status IN ('computed', 'final')
	UNION ALL
	SELECT e.epoch_id, 'demand served', 'demand', round(coverage_sum(e.demand * coverage_least(e.closing_supply / p.supply_target::double precision, 1))::numeric, 6)
	FROM epoch e JOIN policy p ON p.policy_id = e.policy_id WHERE e.status IN ('computed', 'final')
	UNION ALL
	SELECT e.epoch_id, 'demand newly served', 'demand', round(coverage_sum(e.demand * coverage_greatest(
		coverage_least(e.closing_supply / p.supply_target::double precision, 1) - coverage_least(e.supply / p.supply_target::double precision, 1), 0))::numeric, 6)
	FROM epoch e JOIN policy p ON p.policy_id = e.policy_id WHERE e.status IN ('computed', 'final')
	UNION ALL
	SELECT r.epoch_id, 'capacity ' || r.resource_type, t.unit, round(r.supply, 9) FROM epoch_resource r JOIN resource_type t ON t.code = r.resource_type
	UNION ALL
	SELECT r.epoch_id, 'price ' || r.resource_type, 'factor', r.price FROM epoch_resource r
	UNION ALL
	SELECT r.epoch_id, 'niche resource types offered', 'types', count(*) FILTER (WHERE t.family = 'niche' AND r.supply > 0)
	FROM epoch_resource r JOIN resource_type t ON t.code = r.resource_type GROUP BY r.epoch_id
	UNION ALL
	SELECT s.epoch_id, 'services offered', 'services', count(*) FILTER (WHERE s.quality_work > 0) FROM epoch_service s GROUP BY s.epoch_id
	UNION ALL
	SELECT s.epoch_id, 'work ' || s.service_type, t.unit, s.work FROM epoch_service s JOIN service_type t ON t.code = s.service_type
)
SELECT e.epoch_id, e.period, f.metric, coalesce(t.family, CASE WHEN f.metric LIKE 'work %' OR f.metric = 'services offered' THEN 'service' ELSE 'network' END) AS family,
	f.unit, f.value, coalesce(o.value, 0) AS previous, f.value - coalesce(o.value, 0) AS change
FROM epoch e JOIN fact f ON f.epoch_id = e.epoch_id
	LEFT JOIN fact o ON o.epoch_id = e.previous_epoch_id AND o.metric = f.metric
	LEFT JOIN resource_type t ON f.metric IN ('capacity ' || t.code, 'price ' || t.code);
COMMENT ON VIEW growth_metric IS 'what an epoch brought against the one before: nodes, demand served, capacity, prices, services; one row per epoch and metric';
COMMENT ON COLUMN growth_metric.epoch_id IS 'the epoch';
COMMENT ON COLUMN growth_metric.period IS 'its period';
COMMENT ON COLUMN growth_metric.metric IS 'what is measured: nodes, providers, new nodes in target regions (multiplier above 1), regions with nodes, demand served, demand newly served, capacity and price of each kind of resource, niche resource types offered, services offered, work of each service';
COMMENT ON COLUMN growth_metric.family IS 'network, service, or the family of the kind of resource: cpu, gpu, memory, storage, bandwidth, niche';
COMMENT ON COLUMN growth_metric.unit IS 'unit of value';
COMMENT ON COLUMN growth_metric.value IS 'in this epoch; capacity is quality * units';
COMMENT ON COLUMN growth_metric.previous IS 'in the epoch before, 0 where it did not have the metric';
COMMENT ON COLUMN growth_metric.change IS 'value - previous';
-- Least privilege: nothing of the ledger is for PUBLIC. The kernel is: it is
-- made of functions of their arguments.
DO $$
DECLARE
	o record;
BEGIN
	FOR o IN
		SELECT c.oid::regclass AS name FROM pg_class c
		WHERE c.relnamespace = '@extschema@'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
	LOOP
		EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', o.name);
	END LOOP;
	-- functions and procedures that write, or that run with the owner's rights
	FOR o IN
		SELECT p.oid::regprocedure AS name FROM pg_proc p
		WHERE p.pronamespace = '@extschema@'::regnamespace
			AND (p.prosecdef OR p.prokind = 'p' OR p.proname IN ('freeze_node', 'freeze_market', 'pay_epoch', 'seal_epoch'))
	LOOP
		EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', o.name);
	END LOOP;
END $$;
