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

-- What an epoch opens with: the most that there was at the close of any epoch it
-- remembers. A gap that somebody left for fewer epochs than that is none.

CREATE FUNCTION remembered_epoch(previous_epoch_id bigint, memory_epochs int) RETURNS TABLE (epoch_id bigint)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	WITH RECURSIVE r AS (
		SELECT e.epoch_id, e.previous_epoch_id, 1 AS n FROM epoch e WHERE e.epoch_id = remembered_epoch.previous_epoch_id AND remembered_epoch.memory_epochs > 0
		UNION ALL
		SELECT e.epoch_id, e.previous_epoch_id, r.n + 1 FROM r JOIN epoch e ON e.epoch_id = r.previous_epoch_id WHERE r.n < remembered_epoch.memory_epochs
	)
	SELECT r.epoch_id FROM r;
END;
COMMENT ON FUNCTION remembered_epoch(bigint, int) IS
'an epoch and those before it, memory_epochs together at most: what the opening supply of the epoch after it is made of. No row for NULL';

CREATE FUNCTION opening_supply_field(previous_epoch_id bigint, grid_order int, memory_epochs int DEFAULT 1) RETURNS coverage
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	closing record;
	supply coverage;
BEGIN
	FOR closing IN
		-- drawn again where the grid is another
		SELECT CASE WHEN coverage_order(e.closing_supply) = $2 THEN e.closing_supply ELSE supply_field(e.epoch_id, $2) END AS field
		FROM epoch e WHERE e.epoch_id IN (SELECT r.epoch_id FROM remembered_epoch($1, $3) r)
	LOOP
		supply := CASE WHEN supply IS NULL THEN closing.field ELSE coverage_greatest(supply, closing.field) END;
	END LOOP;
	RETURN coalesce(supply, zero_coverage($2));
END $$;
COMMENT ON FUNCTION opening_supply_field(bigint, int, int) IS
'S0: cell by cell the most of the closing supplies of a computed epoch and those before it, memory_epochs together, on a grid; zero for NULL, before the first epoch';

CREATE FUNCTION opening_region_supply(previous_epoch_id bigint, memory_epochs int DEFAULT 1) RETURNS TABLE (region code, resource_type code, supply numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT o.region, o.resource_type, max(o.supply)
	FROM epoch_region_resource o
	WHERE o.epoch_id IN (SELECT r.epoch_id FROM remembered_epoch(opening_region_supply.previous_epoch_id, opening_region_supply.memory_epochs) r) AND o.supply > 0
	GROUP BY o.region, o.resource_type;
END;
COMMENT ON FUNCTION opening_region_supply(bigint, int) IS
'the same by region and kind of resource: the most of the supplies, in quality * units, that a computed epoch and those before it closed with; pairs without any are left out';
