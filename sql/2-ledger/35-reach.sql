-- Who can be reached how fast, and whose data can stay in their own jurisdiction: asked of the fields
-- and nodes that an epoch froze. Nothing of it enters a reward.

CREATE FUNCTION swarm_reward_internal.latency_budget() RETURNS TABLE (budget_ms int, radius_m double precision)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT b, service_radius(b) FROM unnest(ARRAY[5, 10, 20, 50, 100]) b;
END;
COMMENT ON FUNCTION swarm_reward_internal.latency_budget() IS
'the round-trip times of latency_reach, ms, and their service_radius at the default path stretch of 2: 250 to 4 997 km, which is within the 5 000 km of the largest disc';

CREATE FUNCTION swarm_reward_internal.reached_field(places geography[], radius_m double precision, grid_order int) RETURNS coverage
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce((SELECT coverage_mask(coverage_agg(p, reached_field.radius_m, 1::double precision, reached_field.grid_order), 1::double precision) FROM unnest(places) p),
		swarm_reward_internal.zero_coverage(reached_field.grid_order));
END;
COMMENT ON FUNCTION swarm_reward_internal.reached_field(geography[], double precision, int) IS '1 within so many metres of one of the places, 0 elsewhere; NULL places: none';

-- Many nodes are at much the same place. One stands for all of a cell, at its centre, which is less
-- than a cell off: so there are no more discs than cells with nodes.
CREATE FUNCTION swarm_reward_internal.reach_places(epoch_id bigint, grid_order int, by_jurisdiction boolean)
RETURNS TABLE (jurisdiction text, places geography[])
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT p.jurisdiction, array_agg(ST_GeogFromWKB(coverage_cell_center_wkb(reach_places.grid_order, p.cell)) ORDER BY p.cell)
	FROM (SELECT DISTINCT CASE WHEN reach_places.by_jurisdiction THEN r.jurisdiction END AS jurisdiction, coverage_cell(n.location, reach_places.grid_order) AS cell
		FROM epoch_node n LEFT JOIN epoch_region r ON r.epoch_id = n.epoch_id AND r.region = n.region
		WHERE n.epoch_id = reach_places.epoch_id AND n.contribution > 0 AND n.place_trust > 0) p
	GROUP BY p.jurisdiction;
END;
COMMENT ON FUNCTION swarm_reward_internal.reach_places(bigint, int, boolean) IS
'centres of the cells in which an epoch has nodes that contribute and whose place is trusted at all: of all of them, or by the jurisdiction of their region, NULL where that is not known. No row for NULL';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

-- EXECUTE, as a function in SQL keeps its plan, also when partitions come and go meanwhile.
CREATE FUNCTION reach_rows(epoch_id bigint)
RETURNS TABLE (region text, budget_ms int, radius_m double precision, demand double precision, reached double precision)
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER ROWS 1000 SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	grid_order int := (SELECT coverage_order(e.demand) FROM epoch e WHERE e.epoch_id = $1);
	every record;
	near coverage;
	b record;
BEGIN
	EXECUTE 'SELECT p.places FROM reach_places($1, $2, false) p' INTO every USING $1, grid_order;
	FOR b IN SELECT * FROM latency_budget() LOOP
		near := reached_field(every.places, b.radius_m, grid_order);
		RETURN QUERY SELECT nullif(d.region, ''), b.budget_ms, b.radius_m, coverage_sum(d.demand), coverage_sum(d.demand * near)
		FROM epoch_region_demand d WHERE d.epoch_id = $1;
	END LOOP;
END $$;
COMMENT ON FUNCTION reach_rows(bigint) IS 'demand of each region of an epoch (NULL: of none), and what of it is within each latency budget of a node. No row for NULL';

CREATE FUNCTION residency_rows(epoch_id bigint)
RETURNS TABLE (jurisdiction text, budget_ms int, radius_m double precision, demand double precision, resident double precision)
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER ROWS 1000 SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	grid_order int := (SELECT coverage_order(e.demand) FROM epoch e WHERE e.epoch_id = $1);
	j record;
BEGIN
	FOR j IN EXECUTE 'SELECT w.jurisdiction, w.demand, p.places
		FROM (SELECT r.jurisdiction, sum(d.demand) AS demand FROM epoch_region r JOIN epoch_region_demand d ON d.epoch_id = r.epoch_id AND d.region = r.region
			WHERE r.epoch_id = $1 AND r.jurisdiction IS NOT NULL GROUP BY r.jurisdiction) w
			LEFT JOIN reach_places($1, $2, true) p ON p.jurisdiction = w.jurisdiction' USING $1, grid_order LOOP
		RETURN QUERY SELECT j.jurisdiction, b.budget_ms, b.radius_m, coverage_sum(j.demand),
			CASE WHEN j.places IS NULL THEN 0 ELSE coverage_sum(j.demand * reached_field(j.places, b.radius_m, grid_order)) END
		FROM latency_budget() b;
	END LOOP;
END $$;
COMMENT ON FUNCTION residency_rows(bigint) IS
'demand of each jurisdiction of an epoch, and what of it is within each latency budget of a node in a region of the same jurisdiction. No row for NULL';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);

CREATE VIEW latency_reach AS
SELECT e.epoch_id, lower(e.period) AS starts_at, upper(e.period) AS ends_at, r.region, r.budget_ms, r.radius_m, r.demand, r.reached,
	r.reached / nullif(r.demand, 0) AS reached_fraction
FROM epoch e, LATERAL swarm_reward_internal.reach_rows(e.epoch_id) r
WHERE e.status IN ('computed', 'final');
COMMENT ON VIEW latency_reach IS 'demand of each region of each computed epoch that a node can answer within a round-trip time of 5, 10, 20, 50 or 100 ms. A node counts when it contributes and its place is trusted at all, from the centre of its cell. Worked out when it is asked for: ask for one epoch at a time. Archived epochs have no nodes';
COMMENT ON COLUMN latency_reach.epoch_id IS 'the epoch';
COMMENT ON COLUMN latency_reach.starts_at IS 'its start';
COMMENT ON COLUMN latency_reach.ends_at IS 'its end, exclusive';
COMMENT ON COLUMN latency_reach.region IS 'code of the region; NULL: demand in no region';
COMMENT ON COLUMN latency_reach.budget_ms IS 'the round-trip time, ms';
COMMENT ON COLUMN latency_reach.radius_m IS 'how far that is, metres: service_radius(budget_ms)';
COMMENT ON COLUMN latency_reach.demand IS 'demand that belongs to the region';
COMMENT ON COLUMN latency_reach.reached IS 'of it within that radius of some node, of anybody''s and wherever it is';
COMMENT ON COLUMN latency_reach.reached_fraction IS 'reached / demand; NULL without demand';

CREATE VIEW data_residency AS
SELECT e.epoch_id, lower(e.period) AS starts_at, upper(e.period) AS ends_at, r.jurisdiction, r.budget_ms, r.radius_m, r.demand, r.resident,
	r.resident / nullif(r.demand, 0) AS resident_fraction
FROM epoch e, LATERAL swarm_reward_internal.residency_rows(e.epoch_id) r
WHERE e.status IN ('computed', 'final');
COMMENT ON VIEW data_residency IS 'demand of each jurisdiction of each computed epoch that a node of the same jurisdiction can answer within a round-trip time: whose data need not leave it. Nodes count as in latency_reach. Worked out when it is asked for: ask for one epoch at a time';
COMMENT ON COLUMN data_residency.epoch_id IS 'the epoch';
COMMENT ON COLUMN data_residency.starts_at IS 'its start';
COMMENT ON COLUMN data_residency.ends_at IS 'its end, exclusive';
COMMENT ON COLUMN data_residency.jurisdiction IS 'the jurisdiction, of one region or several; regions without one are left out';
COMMENT ON COLUMN data_residency.budget_ms IS 'the round-trip time, ms';
COMMENT ON COLUMN data_residency.radius_m IS 'how far that is, metres';
COMMENT ON COLUMN data_residency.demand IS 'demand that belongs to its regions';
COMMENT ON COLUMN data_residency.resident IS 'of it within that radius of some node that is in one of its regions';
COMMENT ON COLUMN data_residency.resident_fraction IS 'resident / demand; NULL without demand';
