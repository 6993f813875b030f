-- Focal operations: what is around each cell.

CREATE FUNCTION coverage_focal_sum(c coverage, radius_m float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000000;
COMMENT ON FUNCTION coverage_focal_sum(coverage, float8) IS
'in each cell the sum of the field over the disc around the cell''s centre: coverage_sum(c, center, radius_m) for all cells at once, to the bit; radius in metres, more than 0 and at most 5 000 000. NULL if an argument is NULL; an error where the result has too many values to be stored, above order 11';
