-- What demand, supply and target make of each other, cell by cell. A cell counts
-- as covered to the degree min(1, S / T), not from a threshold on: no cliffs,
-- and what is not covered is exactly the gap field G.

CREATE FUNCTION covered_field(demand coverage, supply coverage, supply_target double precision) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT demand * coverage_least(supply / supply_target, 1);
END;
COMMENT ON FUNCTION covered_field(coverage, coverage, double precision) IS
'D * min(1, S / T): demand that a supply serves, to the degree by which it reaches the target. NULL for NULL';

CREATE FUNCTION gap_field(demand coverage, supply coverage, supply_target double precision) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT demand * coverage_greatest(1 - supply / supply_target, 0);
END;
COMMENT ON FUNCTION gap_field(coverage, coverage, double precision) IS
'G = D * max(0, 1 - S / T): demand that a supply leaves unserved, to the degree by which it falls short of the target. NULL for NULL';

CREATE FUNCTION gap_share_field(gap coverage, closing_supply coverage, supply_target double precision) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT gap * coverage_least(closing_supply / supply_target, 1) / closing_supply;
END;
COMMENT ON FUNCTION gap_share_field(coverage, coverage, double precision) IS
'G * min(1, S1 / T) / S1: what one unit of contribution over a cell gets of the gap there; 0 where there is no supply. NULL for NULL';

-- The closing supply of the epoch before, drawn again where the grid is another.
CREATE FUNCTION opening_supply_field(previous_epoch_id bigint, grid_order int) RETURNS coverage
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	closing coverage;
BEGIN
	IF $1 IS NULL THEN
		RETURN zero_coverage($2);
	END IF;
	SELECT e.closing_supply INTO STRICT closing FROM epoch e WHERE e.epoch_id = $1;
	RETURN CASE WHEN coverage_order(closing) = $2 THEN closing ELSE supply_field($1, $2) END;
END $$;
COMMENT ON FUNCTION opening_supply_field(bigint, int) IS
'S0: closing supply of a computed epoch on a grid; zero for NULL, before the first epoch';
