-- From the live tables to the frozen ones. After these functions have run,
-- nothing of an epoch is read from provider, node, demand, telemetry, … again.
-- Here and in the steps after it nested loops are off: the planner cannot know
-- how many nodes overlap a period, and from the guess of a few it makes plans
-- that are quadratic in them. Where only a loop can do it is still used; it counts
-- as so dear then that the smallest query would be compiled, so that JIT is off too.

CREATE FUNCTION freeze_node(epoch_id bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
	e epoch;
	p policy;
	seconds numeric;
	regions code[];
	boundaries geography[];
	made bigint;
BEGIN
	e := opened_epoch(freeze_node.epoch_id);
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	seconds := overlap_seconds(e.period, e.period);
	-- the smallest first: the first that covers a node is its own
	SELECT array_agg(r.code ORDER BY r.area, r.code), array_agg(r.boundary ORDER BY r.area, r.code) INTO regions, boundaries
	FROM (SELECT g.code, g.boundary, region_area(g.boundary) AS area FROM region g) r;

	WITH found AS MATERIALIZED (
		SELECT * FROM measured_node(e.period, p, boundaries)
	),
	again AS MATERIALIZED (
		-- Uptime is measured over the node's own part of the epoch: its units
		-- are averaged over the whole period already, and a newcomer would
		-- otherwise be punished twice. But whoever takes hardware out and puts
		-- it back must not do better than whoever is down for as long, so the
		-- same hardware of the same provider is measured from first to last.
		SELECT m.provider_id, m.hardware_id, rollup(m.summary) AS summary, tstzrange(min(lower(m.active)), max(upper(m.active))) AS measured
		FROM found m WHERE m.several
		GROUP BY m.provider_id, m.hardware_id
	),
	provider_first AS (
		SELECT f.provider_id, f.region, g.epoch_no FROM epoch_first f JOIN epoch g ON g.epoch_id = f.epoch_id
		WHERE f.provider_id IS NOT NULL AND g.epoch_no < e.epoch_no
	),
	hardware_first AS (
		SELECT f.hardware_id, f.region, g.epoch_no FROM epoch_first f JOIN epoch g ON g.epoch_id = f.epoch_id
		WHERE f.hardware_id IS NOT NULL AND g.epoch_no < e.epoch_no
	),
	fact AS MATERIALIZED (	-- so that nothing is computed twice where it is used twice
		SELECT m.*, regions[m.region] AS region_code, coalesce(a.measured, m.active) AS measured,
			CASE WHEN NOT m.several THEN m.uptime
				WHEN m.summary IS NULL OR slot_count(a.measured, p.telemetry_slot) = 0 THEN 0
				ELSE uptime(a.summary, a.measured) END AS joint_uptime,
			m.sights[1] AS worst
		FROM found m LEFT JOIN again a ON m.several AND a.provider_id = m.provider_id AND a.hardware_id = m.hardware_id
	),
	rated AS MATERIALIZED (
		SELECT f.*, e.epoch_no - least(pf.epoch_no, hf.epoch_no, e.epoch_no) AS age, q.availability, q.performance, q.trust, q.quality
		FROM fact f
			LEFT JOIN provider_first pf ON pf.provider_id = f.provider_id AND pf.region = f.region_code
			LEFT JOIN hardware_first hf ON hf.hardware_id = f.hardware_id AND hf.region = f.region_code,
			LATERAL node_rating(p, f.joint_uptime, f.response_ms, f.error_rate_upper, f.beacons, (f.worst).excess_m) q
	),
	put_node AS (	-- in the order of the keys, which their indexes like
		INSERT INTO epoch_node (epoch_id, node_id, provider_id, hardware_id, location, service_radius_m, region, age,
			active, measured, uptime, response_ms, error_rate_upper, samples, errors, beacons, location_excess_m,
			value, availability, performance, trust, quality, contribution,
			violations, fastest_rtt_ms, worst_beacon_id, worst_rtt_ms)
		SELECT e.epoch_id, q.node_id, q.provider_id, q.hardware_id, q.location, q.service_radius_m, q.region_code, q.age,
			q.active, q.measured, q.joint_uptime, q.response_ms, q.error_rate_upper, q.samples, q.errors, q.beacons, (q.worst).excess_m,
			q.value, q.availability, q.performance, q.trust, q.quality, q.quality * q.value,
			q.violations, q.fastest_rtt_ms, (q.worst).beacon_id, (q.worst).rtt_ms
		FROM rated q
		ORDER BY q.node_id
		RETURNING 1
	),
	put_beacon AS (
		INSERT INTO epoch_beacon (epoch_id, beacon_id, location, nodes, violations)
		SELECT e.epoch_id, b.beacon_id, b.location, s.nodes, s.violations
		FROM (SELECT (s.sight).beacon_id, count(*) AS nodes, count(*) FILTER (WHERE (s.sight).excess_m > p.location_slack_m::double precision) AS violations
				FROM (SELECT unnest(m.sights) AS sight FROM found m) s GROUP BY 1) s
			JOIN beacon b USING (beacon_id)
	),
	put_resource AS (
		INSERT INTO epoch_node_resource (epoch_id, node_id, resource_type, units, opening_mark)
		SELECT e.epoch_id, h.node_id, (h.held).resource_type, (h.held).units,
			coalesce(CASE WHEN h.hardware_id IS NULL THEN pm.units ELSE hm.units END, 0)
		FROM (SELECT m.node_id, m.provider_id, m.hardware_id, unnest(m.resources) AS held FROM found m) h
			LEFT JOIN (SELECT k.hardware_id, k.resource_type, max(k.units) AS units
				FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
				WHERE k.hardware_id IS NOT NULL AND g.epoch_no < e.epoch_no GROUP BY 1, 2) hm
				ON hm.hardware_id = h.hardware_id AND hm.resource_type = (h.held).resource_type
			LEFT JOIN (SELECT k.provider_id, k.resource_type, max(k.units) AS units
				FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
				WHERE k.provider_id IS NOT NULL AND g.epoch_no < e.epoch_no GROUP BY 1, 2) pm
				ON pm.provider_id = h.provider_id AND pm.resource_type = (h.held).resource_type
		ORDER BY 2, 3
	),
	put_service AS (
		INSERT INTO epoch_node_service (epoch_id, node_id, service_type, work, energy_mwh, samples,
			p50_latency_ms, p95_latency_ms, p99_latency_ms, error_rate_upper)
		SELECT e.epoch_id, s.node_id, (s.service).*
		FROM (SELECT m.node_id, unnest(m.services) AS service FROM found m) s
		ORDER BY 2, 3
	)
	SELECT count(*) INTO made FROM put_node;
	RETURN made;
END $$;
COMMENT ON FUNCTION freeze_node(bigint) IS
'run_epoch step: writes epoch_node, epoch_beacon, epoch_node_resource and epoch_node_service of an open epoch from the live tables and the closing state of earlier epochs; returns the number of nodes';

-- The closing state of a region's resources, of prices and of marks stays where
-- the epochs that made it put it; what this epoch opens with is looked up there.
CREATE FUNCTION freeze_market(epoch_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
DECLARE
	e epoch;
	p policy;
	seconds numeric;
	covered coverage;
	closing_covered coverage;
	target double precision;
BEGIN
	e := opened_epoch(freeze_market.epoch_id);
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	seconds := overlap_seconds(e.period, e.period);
	target := p.supply_target;

	covered := covered_field(e.demand, e.supply, target);
	closing_covered := covered_field(e.demand, e.closing_supply, target);
	INSERT INTO epoch_region (epoch_id, region, boundary_digest, target_fraction, demand, covered, closing_covered, multiplier, jurisdiction)
	SELECT e.epoch_id, s.code, s.boundary_digest, s.target_fraction, s.demand, s.covered, s.closing_covered,
		region_multiplier(s.covered, s.demand, s.target_fraction, p.region_multiplier_max), s.jurisdiction
	FROM (SELECT r.code, r.jurisdiction, sha256(ST_AsBinary(r.boundary)) AS boundary_digest, r.target_fraction, coverage_sum(e.demand, r.boundary) AS demand,
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
			SELECT o.region, o.resource_type, 0, o.supply, 0 FROM opening_region_supply(e.previous_epoch_id, p.memory_epochs) o
			UNION ALL
			SELECT r.region, r.resource_type, 0, 0, r.supply FROM epoch_region_supply(e.epoch_id) r
		) u (region, resource_type, demand, opening_supply, supply)
		GROUP BY u.region, u.resource_type) s
		JOIN resource_type t ON t.code = s.resource_type;

	WITH owner AS MATERIALIZED (
		SELECT * FROM epoch_owner(e.epoch_id)
	), put_mark AS (
		INSERT INTO epoch_mark (epoch_id, resource_type, hardware_id, provider_id, units)
		SELECT e.epoch_id, o.resource_type, o.hardware_id, o.provider_id, o.units
		FROM owner o WHERE o.units > o.opening_mark
		ORDER BY o.hardware_id, o.provider_id, o.resource_type	-- as their indexes like it
	), capacity AS (	-- as epoch_capacity has it
		SELECT o.resource_type, sum(o.units) AS supply, sum(greatest(0, o.units - o.opening_mark)) AS growth
		FROM owner o GROUP BY o.resource_type
	)
	INSERT INTO epoch_resource (epoch_id, resource_type, unit_value, growth_need, previous_price, opening_mark,
		demand, supply, price, need, growth, pot, family, unit)
	SELECT e.epoch_id, s.code, s.unit_value, s.growth_need, s.previous_price, s.opening_mark, s.demand, s.supply,
		next_price(s.previous_price, s.demand, s.supply, p.price_elasticity, p.price_step, p.price_min, p.price_max),
		coalesce(s.growth_need, greatest(0, s.demand - s.opening_mark)), s.growth,
		capacity_pot(s.unit_value, s.supply, s.opening_mark, coalesce(s.growth_need, greatest(0, s.demand - s.opening_mark))),
		s.family, s.unit
	FROM (SELECT t.code, t.unit_value, t.growth_need, t.family, t.unit,
			coalesce((SELECT o.price FROM epoch_resource o JOIN epoch g ON g.epoch_id = o.epoch_id
				WHERE o.resource_type = t.code AND g.epoch_no < e.epoch_no ORDER BY g.epoch_no DESC LIMIT 1), t.initial_price) AS previous_price,
			coalesce((SELECT max(k.units) FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
				WHERE k.resource_type = t.code AND k.hardware_id IS NULL AND k.provider_id IS NULL AND g.epoch_no < e.epoch_no), 0) AS opening_mark,
			coalesce((SELECT sum(d.demand) FROM epoch_region_resource d
				WHERE d.epoch_id = e.epoch_id AND d.resource_type = t.code), 0) AS demand,
			coalesce(c.supply, 0) AS supply, coalesce(c.growth, 0) AS growth
		FROM resource_type t LEFT JOIN capacity c ON c.resource_type = t.code) s;

	INSERT INTO epoch_service (epoch_id, service_type, premium, work, quality_work, pot, unit)
	SELECT e.epoch_id, t.code, t.premium, coalesce(s.work, 0), coalesce(s.quality_work, 0),
		service_pot(t.premium, coalesce(s.work, 0), p.service_alpha), t.unit
	FROM service_type t LEFT JOIN epoch_work(e.epoch_id) s ON s.service_type = t.code;

	INSERT INTO epoch_mark (epoch_id, resource_type, units)
	SELECT e.epoch_id, r.resource_type, r.supply
	FROM epoch_resource r WHERE r.epoch_id = e.epoch_id AND r.supply > r.opening_mark;

	INSERT INTO epoch_first (epoch_id, region, provider_id)
	SELECT e.epoch_id, f.region, f.provider_id
	FROM (SELECT DISTINCT n.region, n.provider_id FROM epoch_node n
		WHERE n.epoch_id = e.epoch_id AND n.region IS NOT NULL AND n.contribution > 0) f
	WHERE NOT EXISTS (SELECT FROM epoch_first x WHERE x.region = f.region AND x.provider_id = f.provider_id);
	INSERT INTO epoch_first (epoch_id, region, hardware_id)
	SELECT e.epoch_id, f.region, f.hardware_id
	FROM (SELECT DISTINCT n.region, n.hardware_id FROM epoch_node n
		WHERE n.epoch_id = e.epoch_id AND n.region IS NOT NULL AND n.contribution > 0 AND n.hardware_id IS NOT NULL) f
	WHERE NOT EXISTS (SELECT FROM epoch_first x WHERE x.region = f.region AND x.hardware_id = f.hardware_id);
END $$;
COMMENT ON FUNCTION freeze_market(bigint) IS
'run_epoch step, after freeze_node and the fields: writes epoch_region, epoch_region_resource, epoch_resource, epoch_service, epoch_mark and epoch_first of an open epoch';
