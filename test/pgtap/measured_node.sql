-- What an epoch measures of a node is what plain queries over the raw rows find, wherever
-- telemetry lies (raw, rolled up, or both) and however many workers share the nodes.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SET LOCAL timezone = 'UTC';
SELECT plan(31);

\o /dev/null
SELECT pg_temp.build(11, 40);
INSERT INTO policy (policy_id, name, effective_from, telemetry_slot, response_quantile, error_confidence, location_slack_m)
VALUES (1001, 'measures', '2022-01-01', '1 minute', 0.9, 0.95, 500000);
-- nodes that join until four and leave from two in the afternoon, most of them within an hour;
-- some are the same hardware of the same provider
INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, status, joined_at, left_at)
SELECT 7100 + i, 1001 + i / 6 % 2, CASE WHEN i % 3 = 0 THEN 'shared' || i / 6 WHEN i % 4 > 0 THEN 'own' || i END,
	ST_Point(4 * i - 120, i - 30, 4326)::geography, 100000, CASE WHEN i % 3 = 0 THEN 'left' WHEN i % 7 = 0 THEN 'pending' ELSE 'active' END,
	timestamptz '2022-05-01' + CASE WHEN i % 2 = 0 THEN (i % 8) * interval '31 minutes' ELSE interval '-1 day' END,
	CASE WHEN i % 3 = 0 THEN timestamptz '2022-05-01 14:00' + (i % 17) * interval '29 minutes' END
FROM generate_series(1, 60) i;
INSERT INTO node_resource (node_id, resource_type, units, valid)
SELECT 7100 + i, t, i + 0.25, tstzrange(CASE WHEN i % 5 = 0 THEN timestamptz '2022-05-01 03:20' END, CASE WHEN i % 11 = 0 THEN timestamptz '2022-05-01 17:00' END)
FROM generate_series(1, 55) i, unnest(ARRAY['t_cpu', 't_gpu']) t WHERE t = 't_cpu' OR i % 2 = 0;
INSERT INTO beacon_rtt (node_id, beacon_id, measured_at, rtt_ms)
SELECT 7100 + i, 1000 + b, timestamptz '2022-05-01' + k * interval '3 hours' + interval '11 minutes', 5 + (i * (b + 1) * (k + 3)) % 40
FROM generate_series(1, 58) i, generate_series(0, 1) b, generate_series(0, 7) k;
SELECT make_telemetry_partitions('2022-05-01', '2022-05-02');
INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
SELECT 7100 + i, CASE WHEN s > 0 THEN (ARRAY['t_infer', 't_train'])[s] END, h + (s + 1) * interval '13 seconds',
	CASE WHEN (i + extract(minute FROM h)::int) % 9 > 0 THEN 10 + (i * 7 + extract(epoch FROM h)::bigint / 60) % 300 END, (i + extract(minute FROM h)::int) % 23 > 0,
	CASE WHEN s > 0 THEN i END, nullif(i % 4, 0)
FROM generate_series(1, 57) i, generate_series(timestamptz '2022-05-01', '2022-05-01 23:59', '7 minutes') h, generate_series(0, 2) s
WHERE s = 0 OR (i % 3 = s AND extract(minute FROM h)::int % 2 = 0);
ANALYZE telemetry, node, beacon_rtt, node_resource;
\o
SET LOCAL client_min_messages = warning;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;

CREATE FUNCTION pg_temp.sorted(a anyarray) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(u::text, ' ' ORDER BY u::text COLLATE "C") FROM unnest(a) u $$;

-- everything from the raw rows, node by node
CREATE FUNCTION pg_temp.plain(period tstzrange) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws('|', n.node_id, n.provider_id, n.hardware_id, n.active, n.several,
		CASE WHEN t.summary IS NULL THEN 0 ELSE uptime(t.summary, n.active) END,
		coalesce(t.heartbeat, response_time(t.summary, 0.9)), error_rate_upper(t.summary, 0.95), coalesce(t.samples, 0), coalesce(t.errors, 0), t.services,
		coalesce(r.value, 0), r.resources, coalesce(b.beacons, 0), coalesce(b.violations, 0), b.fastest, b.sights,
		(SELECT min(o) FROM unnest(ARRAY['T10', 'T11', 'T12', 'T20', 'T21', 'T22']) WITH ORDINALITY u (code, o) JOIN region USING (code) WHERE ST_Covers(boundary, n.location)))
	FROM (SELECT m.*, tstzrange(m.joined_at, m.left_at) * period AS active,
				(SELECT count(*) FROM node o WHERE o.status IN ('active', 'left') AND tstzrange(o.joined_at, o.left_at) && period
					AND (o.provider_id, o.hardware_id) = (m.provider_id, m.hardware_id)) > 1 AS several
			FROM node m WHERE m.status IN ('active', 'left') AND tstzrange(m.joined_at, m.left_at) && period) n
		LEFT JOIN LATERAL (
			SELECT telemetry_agg(s.sampled_at, s.latency_ms, s.ok, '1 minute') AS summary,
				response_time(telemetry_agg(s.sampled_at, s.latency_ms, s.ok, '1 minute') FILTER (WHERE s.service_type IS NULL), 0.9) AS heartbeat,
				count(*) AS samples, count(*) FILTER (WHERE NOT s.ok) AS errors,
				(SELECT pg_temp.sorted(array_agg((v.service_type, coalesce(v.work, 0), v.energy, samples(v.summary), response_time(v.summary, 0.5), response_time(v.summary, 0.95),
						response_time(v.summary, 0.99), error_rate_upper(v.summary, 0.95))::measured_service))
					FROM (SELECT x.service_type, sum(x.work) FILTER (WHERE x.ok) AS work, sum(x.energy_mwh) AS energy, telemetry_agg(x.sampled_at, x.latency_ms, x.ok, '1 minute') AS summary
						FROM telemetry x WHERE x.node_id = n.node_id AND x.sampled_at <@ n.active AND x.service_type IS NOT NULL GROUP BY x.service_type) v) AS services
			FROM telemetry s WHERE s.node_id = n.node_id AND s.sampled_at <@ n.active) t ON true
		LEFT JOIN LATERAL (
			SELECT sum(h.units * y.unit_value) AS value, pg_temp.sorted(array_agg((h.resource_type, h.units)::measured_resource)) AS resources
			FROM (SELECT x.resource_type, round(round(sum(x.units * extract(epoch FROM upper(x.valid * n.active) - lower(x.valid * n.active))), 30)
						/ extract(epoch FROM upper(period) - lower(period)), 30) AS units
					FROM node_resource x WHERE x.node_id = n.node_id AND x.valid && n.active GROUP BY x.resource_type) h
				JOIN resource_type y ON y.code = h.resource_type) r ON true
		LEFT JOIN LATERAL (
			SELECT count(*) AS beacons, count(*) FILTER (WHERE f.excess > 500000) AS violations, min(f.rtt_ms) AS fastest,
				array_agg((f.beacon_id, f.rtt_ms, f.excess)::measured_beacon ORDER BY f.excess DESC, f.beacon_id)::text AS sights
			FROM (SELECT x.beacon_id, min(x.rtt_ms) AS rtt_ms, location_excess(n.location, (SELECT b.location FROM beacon b WHERE b.beacon_id = x.beacon_id), min(x.rtt_ms)) AS excess
				FROM beacon_rtt x WHERE x.node_id = n.node_id AND x.measured_at <@ n.active GROUP BY x.beacon_id) f) b ON true
$$;
CREATE FUNCTION pg_temp.measured(period tstzrange) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws('|', m.node_id, m.provider_id, m.hardware_id, m.active, m.several, m.uptime, m.response_ms, m.error_rate_upper, m.samples, m.errors,
		pg_temp.sorted(m.services), m.value, pg_temp.sorted(m.resources), m.beacons, m.violations, m.fastest_rtt_ms, m.sights::text, m.region)
	FROM measured_node(period, (SELECT p FROM policy p WHERE policy_id = 1001),
		(SELECT array_agg(boundary ORDER BY code) FROM region WHERE code IN ('T10', 'T11', 'T12', 'T20', 'T21', 'T22'))) m
$$;
-- the whole day, hours in which nobody comes or goes, and a part of the day that begins and ends within hours
CREATE TEMP TABLE span AS SELECT * FROM (VALUES
	('the day', tstzrange('2022-05-01', '2022-05-02')), ('quiet hours', tstzrange('2022-05-01 05:00', '2022-05-01 13:00')),
	('broken hours', tstzrange('2022-05-01 02:17', '2022-05-01 19:45'))) s (name, period);
CREATE TEMP TABLE plain AS SELECT s.name, p FROM span s, pg_temp.plain(s.period) p;
SELECT cmp_ok(count(*), '>', 100::bigint, 'there is something to compare') FROM plain;

CREATE FUNCTION pg_temp.compare(what text, workers int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	s record;
BEGIN
	PERFORM set_config('max_parallel_workers_per_gather', workers::text, true);
	FOR s IN SELECT * FROM span LOOP
		RETURN NEXT set_eq(format('SELECT pg_temp.measured(%L)', s.period), format('SELECT p FROM plain WHERE name = %L', s.name),
			format('%s, %s workers, %s', what, workers, s.name));
	END LOOP;
END $$;
SELECT pg_temp.compare('raw rows', w) FROM unnest(ARRAY[0, 2]) w;
\o /dev/null
SELECT count(*) FROM roll_telemetry_hours('2022-05-01 12:00');
\o
SELECT pg_temp.compare('raw rows and summaries', w) FROM unnest(ARRAY[0, 2]) w;
\o /dev/null
SELECT count(*) FROM roll_telemetry_hours('2022-05-02');
\o
SELECT pg_temp.compare('summaries', w) FROM unnest(ARRAY[0, 2, 8]) w;
SELECT isnt((telemetry_plan(period, '1 minute')).cut, NULL, 'in which some nodes have parts of hours') FROM span WHERE name = 'the day';
SELECT is((telemetry_plan(period, '1 minute')).cut, NULL, 'and in quiet hours none') FROM span WHERE name = 'quiet hours';

-- workers do share the nodes
CREATE FUNCTION pg_temp.plan_of(period tstzrange) RETURNS SETOF text LANGUAGE plpgsql
SET enable_hashagg = off SET max_parallel_workers_per_gather = 2 SET parallel_leader_participation = off SET min_parallel_table_scan_size = '4TB' AS $$
DECLARE
	q record;
BEGIN
	SELECT * INTO q FROM measured_telemetry_query(period, (SELECT p FROM policy p WHERE policy_id = 1001));
	RETURN QUERY EXECUTE 'EXPLAIN ' || sliced_query(q.query, q.slices) USING q.cut;
END $$;
SELECT ok(bool_or(p ~ 'Parallel Append'), 'the slices are for parallel workers') FROM pg_temp.plan_of('[2022-05-01 05:00,2022-05-01 13:00)') p;
SELECT is(sliced_query('a {slice t.node_id} b', false), 'a (true) b', 'one slice of everything');
SELECT is(sliced_query(NULL), NULL, 'NULL');

-- and the pools
\o /dev/null
CALL run_epoch(1001);
CALL run_epoch(1002);
\o
CREATE TEMP VIEW one_by_one AS
SELECT r.component, h.part, s.*
FROM epoch_release(1002) r LEFT JOIN LATERAL epoch_release_part(1002, r.component, r.released) h ON true,
	LATERAL epoch_share(1002, r.component, h.part, coalesce(h.released, r.released)) s;
SELECT cmp_ok(count(DISTINCT concat(component, part)), '>=', 5::bigint, 'there are shares of pools') FROM one_by_one;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT bag_eq('SELECT s::text FROM epoch_shares(1002) s', 'SELECT o::text FROM one_by_one o', 'shares of all pools at once are those of each');
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT bag_eq($$ SELECT s::text FROM (
		SELECT 'network_capacity' AS component, NULL AS part, s.* FROM epoch_share(1002, 'network_capacity', NULL, (SELECT released FROM epoch_release(1002) WHERE component = 'network_capacity')) s
		UNION ALL SELECT 'service_types', NULL, s.* FROM epoch_share(1002, 'service_types', NULL, (SELECT released FROM epoch_release(1002) WHERE component = 'service_types')) s) s $$,
	$$ SELECT o::text FROM one_by_one o WHERE component IN ('network_capacity', 'service_types') $$, 'also where workers take one each');
SELECT ok(bool_and(p.proparallel = 's'), 'as they may') FROM pg_proc p WHERE p.oid IN ('epoch_share(bigint, text, text, numeric)'::regprocedure, 'epoch_score(bigint, text, text)'::regprocedure);
SELECT * FROM finish();
ROLLBACK;
