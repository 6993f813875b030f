-- Ours: the facts that the engine asks for, run_epoch, and what it says one more node would get.

-- The policy: the shipped one with what this network is, and the changes of the mechanism and of the run. "off" switches a
-- pool off, and its part goes to the others.
CREATE PROCEDURE sim.make_policy() LANGUAGE plpgsql AS $$
DECLARE
	m sim.mechanism;
	changes jsonb;
	off text;
	pools text[] := ARRAY['new_regions', 'geographic_gaps', 'resource_gaps', 'resource_types', 'network_capacity', 'service_types', 'specialization'];
	made bigint;
BEGIN
	SELECT x.* INTO m FROM sim.setting s JOIN sim.mechanism x ON x.name = s.mechanism;
	SELECT jsonb_build_object('grid_order', s.grid_order, 'supply_target', s.target, 'max_radius_m', service_radius(10), 'region_snap_m', 100000,
		'telemetry_slot', '3 days', 'heartbeat_timeout', '3 days', 'uptime_floor', 0.5, 'uptime_target', 0.9,
		-- ten heartbeats a month without an error show an upper bound of 0.22
		'error_limit', 0.9, 'error_target', 0.45) || m.knobs || s.knobs INTO changes FROM sim.setting s;
	off := changes ->> 'off';
	changes := changes - 'off' - 'specialize';
	IF off IS NOT NULL THEN
		SELECT changes || jsonb_object_agg(a.pool || '_bps', a.bps) INTO changes
		FROM (SELECT x.pool, allocate(CASE WHEN x.pool = off THEN 0 ELSE x.bps END, 10000) OVER (ORDER BY x.pool) AS bps
			FROM (SELECT p.pool, coalesce(changes ->> (p.pool || '_bps'), to_jsonb(q) ->> (p.pool || '_bps'))::numeric AS bps FROM unnest(pools) p (pool), policy q WHERE q.name = m.template) x) a;
	END IF;
	made := new_policy(m.template, 'sim', '2018-01-01 00:00+00', changes, '{"cpu": 1, "gpu": 5}');
	INSERT INTO policy_service (policy_id, service_type) VALUES (made, 'compute');
	INSERT INTO specialization (policy_id, code, metric, bound, target, min_samples) VALUES (made, 'quick', 'p95_latency_ms', 60, 15, 1);
	INSERT INTO epoch (epoch_id, period, budget, baseline)
	SELECT t, sim.period(t), s.budget * 1000000, s.start = 'mlab' FROM sim.setting s, generate_series(1, s.epochs) t ORDER BY t;
	PERFORM make_telemetry_partitions(sim.day(0), sim.day(s.epochs + 2), '150 days') FROM sim.setting s;
END $$;

CREATE PROCEDURE sim.report(t int) LANGUAGE plpgsql AS $$
DECLARE
	proving boolean := (SELECT m.evidence FROM sim.setting s JOIN sim.mechanism m ON m.name = s.mechanism);
BEGIN
	-- a heartbeat in each slot of three days, and one report of the month's work with what customers paid for it. Where nothing
	-- is proved, who inflates units inflates work.
	INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
	SELECT n.node_id, s.at, round((10 + 60 * sim.u('latency', e.machine_id))::numeric, 3), true
	FROM sim.entry e JOIN node n ON n.node_id = e.node_id, LATERAL (SELECT sim.day(t) + (1 + 3 * k) * interval '1 day' + e.machine_id % 20 * interval '1 hour' + e.node_id % 10 * interval '1 second' AS at FROM generate_series(0, 9) k) s
	WHERE e.epoch = t AND s.at >= n.joined_at AND (n.left_at IS NULL OR s.at < n.left_at);
	INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, fee)
	SELECT e.node_id, 'compute', sim.day(t) + interval '14 days 12 hours', round((10 + 60 * sim.u('latency', e.machine_id))::numeric, 3), true,
		round(e.customers * 1000 * CASE WHEN e.lie = 'units' AND NOT proving THEN 4 ELSE 1 END), round(e.customers * g.fee * 1000000)
	FROM sim.entry e, sim.setting g WHERE e.epoch = t AND e.customers * 1000 >= 1;
	-- the six measuring points nearest to where a node says it is, their fastest answer on a path a fifth to a half longer than the shortest
	INSERT INTO beacon_rtt (node_id, beacon_id, measured_at, rtt_ms)
	SELECT e.node_id, b.beacon_id, sim.day(t) + interval '14 days', min_rtt(c.location, b.location) * (1.2 + 0.3 * sim.u('path', e.city, b.beacon_id)) + 0.3
	FROM sim.entry e JOIN sim.city c ON c.city_id = e.city JOIN sim.city q ON q.city_id = e.claimed,
		LATERAL (SELECT b.beacon_id, b.location FROM beacon b ORDER BY b.location <-> q.location LIMIT 6) b
	WHERE proving AND e.epoch = t;
	-- a check of what is there, each third month
	INSERT INTO resource_check (node_id, resource_type, checked_at, units)
	SELECT e.node_id, x.type, sim.day(t) + CASE WHEN e.lie = 'flash' THEN interval '10 days' ELSE interval '0' END, round(x.units * (e.true_value / e.value)::numeric, 9)
	FROM sim.entry e, LATERAL (VALUES ('cpu', e.cpu), ('gpu', e.gpu)) x (type, units)
	WHERE proving AND e.epoch = t AND x.units > 0 AND (e.lie IS NOT DISTINCT FROM 'flash' OR (t - greatest(e.seniority, 1)) % 3 = 0);
END $$;

CREATE PROCEDURE sim.pay_ours(t int) LANGUAGE plpgsql AS $$
BEGIN
	CALL sim.report(t);
	CALL run_epoch(t);
	UPDATE sim.entry e SET tokens = r.amount / 1e6 FROM (SELECT node_id, sum(amount) AS amount FROM reward WHERE epoch_id = t GROUP BY node_id) r WHERE e.epoch = t AND e.node_id = r.node_id;
	DELETE FROM sim.offer;
	INSERT INTO sim.offer (city, kind, tokens, fee)
	SELECT c.city_id, k.kind, s.tokens * k.value / 4, 0
	FROM (SELECT DISTINCT city FROM sim.look WHERE epoch = t) l JOIN sim.city c ON c.city_id = l.city,
		LATERAL (SELECT sum(amount)::float8 / 1e6 AS tokens FROM simulate_node(c.location, service_radius(10), '{"cpu": 4}', t)) s, sim.kind k;
END $$;
