-- Whoever is honest is not hurt by how he is measured.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
SET search_path = swarm_reward, public;
SET client_min_messages = warning;
SELECT plan(14);
\o /dev/null
-- three days, each with a timeout that fits other heartbeats, all else as shipped
INSERT INTO policy SELECT (jsonb_populate_record(NULL::policy, to_jsonb(p) || jsonb_build_object('policy_id', 1000 + k, 'name', 'day ' || k, 'effective_from', '2020-01-01'::timestamptz + k * interval '1 day',
	'is_builtin', false, 'grid_order', 5, 'heartbeat_timeout', t, 'min_beacons', b))).* FROM policy p, (VALUES (1, '5 minutes', 0), (2, '15 minutes', 0), (3, '30 minutes', 0), (4, '30 minutes', 3)) v (k, t, b) WHERE p.policy_id = 1;
INSERT INTO resource_type (code, unit) VALUES ('cpu', 'core');
INSERT INTO policy_resource (policy_id, resource_type, unit_value) SELECT 1000 + k, 'cpu', 1 FROM generate_series(1, 4) k;
INSERT INTO provider (provider_id, name) VALUES (1, 'honest');
INSERT INTO region (code, name, boundary) VALUES ('n', 'north', ST_Multi(ST_MakeEnvelope(0, 45, 20, 60, 4326))::geography), ('s', 'south', ST_Multi(ST_MakeEnvelope(0, 30, 20, 45, 4326))::geography);
INSERT INTO demand (location, weight) VALUES ('POINT(10 50)', 1000), ('POINT(10 40)', 1000);
INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at)
SELECT i, 1, 'h' || i, CASE WHEN i = 5 THEN 'POINT(10 40)'::geography ELSE 'POINT(10 50)' END, 300000, '2020-12-01' FROM generate_series(1, 8) i;
INSERT INTO node_resource (node_id, resource_type, units) SELECT i, 'cpu', 4 FROM generate_series(1, 8) i;
SELECT make_telemetry_partitions('2020-12-31', '2021-01-06', '6 days');
-- 1: every 61 s on the first day; 2: every 10 minutes on the second; 3: 60 samples on the third; 4 and 5: every minute, but that nobody was
-- heard of for six hours, and in the south for ten; 6: by satellite; 7: by microwave; 8: not heard of at all
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 1, t, 50, true FROM generate_series(timestamptz '2020-12-31 23:59:30+00', '2021-01-02', '61 seconds') t;
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 2, t, 50, true FROM generate_series(timestamptz '2021-01-01 23:55+00', '2021-01-03', '10 minutes') t;
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 3, t, 100, true FROM generate_series(timestamptz '2021-01-03 00:00+00', '2021-01-03 23:59', '24 minutes') t;
INSERT INTO outage (valid, region, reason) VALUES ('[2021-01-01 06:00+00, 2021-01-01 12:00+00)', NULL, 'prober'), ('[2021-01-01 14:00+00, 2021-01-02 00:00+00)', 's', 'prober of the south'),
	('[2021-01-03 00:00+00, 2021-01-04 00:00+00)', 's', 'all day long');
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT n, t, 50, true FROM generate_series(4, 5) n, generate_series(timestamptz '2020-12-31 23:55+00', '2021-01-01 23:59', '1 minute') t
	WHERE NOT EXISTS (SELECT FROM outage o WHERE o.valid @> t AND (o.region IS NULL OR (o.region, n) = ('s', 5)));
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT n, t, 50, true FROM generate_series(6, 7) n, generate_series(timestamptz '2021-01-03 23:40+00', '2021-01-05', '20 minutes') t;
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 5, t, 50, true FROM generate_series(timestamptz '2021-01-03 00:00+00', '2021-01-03 23:59', '20 minutes') t;
INSERT INTO beacon (beacon_id, location) SELECT i, ST_MakePoint(2 + 3 * i, 48)::geography FROM generate_series(1, 5) i;
INSERT INTO beacon_rtt SELECT n, b.beacon_id, '2021-01-04 12:00+00', CASE n WHEN 6 THEN 560 ELSE ST_Distance(b.location, 'POINT(10 50)') / 149896.229 * 1.001 END FROM beacon b, generate_series(6, 7) n;
INSERT INTO epoch (epoch_id, period, budget) SELECT k, tstzrange(timestamptz '2020-12-31 00:00+00' + k * interval '1 day', timestamptz '2021-01-01 00:00+00' + k * interval '1 day'), 1000000 FROM generate_series(1, 4) k;
DO $$ BEGIN FOR k IN 1 .. 4 LOOP CALL run_epoch(k); END LOOP; END $$;
\o
SELECT is((SELECT uptime FROM epoch_node WHERE (epoch_id, node_id) = (1, 1)), 1::float8, 'heartbeats every 61 s are no downtime');
SELECT cmp_ok((SELECT uptime FROM epoch_node WHERE (epoch_id, node_id) = (1, 1)), '=', (SELECT quality FROM epoch_node WHERE (epoch_id, node_id) = (1, 1)), 'nor of less quality');
SELECT is((SELECT uptime FROM epoch_node WHERE (epoch_id, node_id) = (2, 2)), 1::float8, 'nor are those every 10 minutes with a timeout of 15');
SELECT is((SELECT performance FROM epoch_node WHERE (epoch_id, node_id) = (3, 3)), 1::float8, 'a perfect record of 60 samples');
SELECT is((SELECT samples FROM epoch_node WHERE (epoch_id, node_id) = (3, 3)), 60::bigint, 'and no more');
SELECT is((SELECT quality FROM epoch_node WHERE (epoch_id, node_id) = (3, 3)), 1::float8, 'has full quality');
SELECT is((SELECT quality FROM epoch_node WHERE (epoch_id, node_id) = (1, 4)), 1::float8, 'an outage of the prober costs nobody anything');
SELECT is((SELECT quality FROM epoch_node WHERE (epoch_id, node_id) = (1, 5)), 1::float8, 'nor does one of a region');
SELECT is((SELECT quality FROM epoch_node WHERE (epoch_id, node_id) = (3, 5)), 1::float8, 'nor one from beginning to end, for whoever was heard of');
SELECT is((SELECT violations FROM epoch_node WHERE (epoch_id, node_id) = (4, 6)), 0, 'a satellite violates nothing');
SELECT is((SELECT quality FROM epoch_node WHERE (epoch_id, node_id) = (4, 6)), 1::float8, 'and is as good as any');
SELECT is((SELECT ARRAY[violations, suspicions] FROM epoch_node WHERE (epoch_id, node_id) = (4, 7)), ARRAY[0, 5], 'microwave is faster than fibre and no lie');
SELECT is((SELECT quality * place_trust FROM epoch_node WHERE (epoch_id, node_id) = (4, 7)), 1::float8, 'it costs nothing');
SELECT is((SELECT count(*) FROM epoch_node WHERE epoch_id = 1 AND node_id IN (3, 8) AND quality = 0), 2::bigint, 'who was not heard of has no quality');
SELECT * FROM finish();
ROLLBACK;
