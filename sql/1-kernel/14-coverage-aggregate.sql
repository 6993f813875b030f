-- Fields out of rows.

-- Shared by the aggregates: their states are one kind of difference array.
CREATE FUNCTION swarm_reward_internal.coverage_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION swarm_reward_internal.coverage_combine(internal, internal) IS 'aggregate support: merges two states';

CREATE FUNCTION swarm_reward_internal.coverage_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION swarm_reward_internal.coverage_serialize(internal) IS 'aggregate support: a state as bytes';

CREATE FUNCTION swarm_reward_internal.coverage_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION swarm_reward_internal.coverage_deserialize(bytea, internal) IS 'aggregate support: a state from bytes';

CREATE FUNCTION swarm_reward_internal.coverage_finalfn(internal) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_finalfn(internal) IS 'aggregate support: the field a state stands for';

CREATE FUNCTION swarm_reward_internal.coverage_agg_transfn(internal, geography, float8) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 25;
COMMENT ON FUNCTION swarm_reward_internal.coverage_agg_transfn(internal, geography, float8) IS 'aggregate support: adds a row';

CREATE AGGREGATE coverage_agg(location geography, radius_m float8) (
    SFUNC = coverage_agg_transfn, STYPE = internal,
    FINALFUNC = coverage_finalfn,
    COMBINEFUNC = coverage_combine,
    SERIALFUNC = coverage_serialize,
    DESERIALFUNC = coverage_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE coverage_agg(geography, float8) IS
'sum of discs: adds 1 to every cell whose centre lies within radius_m metres (more than 0, at most 5 000 000) of location along the WGS84 geodesic, and always to the cell that holds location; grid order 10. A distance is taken to within max(1 m, 0.00004 radius_m) for radii up to 2 000 km, 0.0003 radius_m beyond: a centre nearer than that to the rim may be on either side of it, the same on every machine. Rows with a NULL are skipped; no row gives NULL. The result does not depend on the order of rows';

CREATE FUNCTION swarm_reward_internal.coverage_agg_transfn(internal, geography, float8, float8) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 25;
COMMENT ON FUNCTION swarm_reward_internal.coverage_agg_transfn(internal, geography, float8, float8) IS 'aggregate support: adds a row';

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

CREATE FUNCTION swarm_reward_internal.coverage_agg_transfn(internal, geography, float8, float8, integer) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 25;
COMMENT ON FUNCTION swarm_reward_internal.coverage_agg_transfn(internal, geography, float8, float8, integer) IS 'aggregate support: adds a row';

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

CREATE FUNCTION swarm_reward_internal.density_agg_transfn(internal, geography, float8) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.density_agg_transfn(internal, geography, float8) IS 'aggregate support: adds a row';

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

CREATE FUNCTION swarm_reward_internal.density_agg_transfn(internal, geography, float8, integer) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.density_agg_transfn(internal, geography, float8, integer) IS 'aggregate support: adds a row';

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

CREATE FUNCTION swarm_reward_internal.density_agg_transfn(internal, geography, float8, integer, float8) RETURNS internal
AS 'MODULE_PATHNAME', 'density_agg_disc_transfn' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION swarm_reward_internal.density_agg_transfn(internal, geography, float8, integer, float8) IS 'aggregate support: adds a row';

CREATE AGGREGATE density_agg(location geography, weight float8, grid_order integer, radius_m float8) (
    SFUNC = density_agg_transfn, STYPE = internal,
    FINALFUNC = coverage_finalfn,
    COMBINEFUNC = coverage_combine,
    SERIALFUNC = coverage_serialize,
    DESERIALFUNC = coverage_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE density_agg(geography, float8, integer, float8) IS
'spreads each weight evenly over the cells of its disc, as coverage_agg has them: radius in metres, more than 0 and at most 5 000 000. All cells of a disc get the same number of units of 2^-16, or one more, so that they add up to the weight exactly; those that get one more are as many on each ring of cells as is the ring''s share to within one, and lie side by side on it, in the order of cell numbers taken as a circle, from position floor(m * (i * golden ratio mod 1)) on, for ring i from the north and its m cells in the disc. Grid order and weights as in density_agg without a radius. Rows with a NULL location, weight or radius are skipped; no row gives NULL. The result does not depend on the order of rows';

CREATE FUNCTION swarm_reward_internal.coverage_sum_transfn(internal, coverage) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_sum_transfn(internal, coverage) IS 'aggregate support: adds a row';

CREATE AGGREGATE sum(coverage) (
    SFUNC = coverage_sum_transfn, STYPE = internal,
    FINALFUNC = coverage_finalfn,
    COMBINEFUNC = coverage_combine,
    SERIALFUNC = coverage_serialize,
    DESERIALFUNC = coverage_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(coverage) IS
'sum of fields, cell by cell. Values must be multiples of 2^-16 (see coverage_round) and the largest magnitudes of the summands may add up to 2^36, so that sums are exact in any order; grid orders must match. NULLs are skipped; no row gives NULL';

CREATE FUNCTION region_coverage(region geography, grid_order integer DEFAULT 10) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION region_coverage(geography, integer) IS
'1 in the cells whose centre a Polygon or MultiPolygon covers, else 0. Edges are great circles of geodetic longitude and latitude and go the shorter way around, as in ST_Covers(geography, geography): a box of more than 180 degrees needs vertices on the way, which ST_Segmentize(geometry, 10) makes. Of the two sides of a ring the one of smaller area is its inside, as ST_Area has it, whatever its direction and however large it is; what lies on the ring belongs to it; where it crosses itself even-odd decides. A polygon covers what is in its shell and not in an odd number of its holes. A region that covers no centre gets the cell that holds ST_Centroid of its largest part, or the first vertex of a part without area; an empty one gets none. covering_region, coverage_sum and coverage_area follow the same rule. NULL if an argument is NULL. Errors: an edge of 180 degrees (to 6 mm), or a ring whose sides are equal (to 1 part in 12 000): cut the region into several polygons; a region too complex for the grid order';
