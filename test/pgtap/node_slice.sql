-- The parts that parallel workers take: every node is in one of them, whatever their
-- number, and what is read part by part is what one plain query reads.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET LOCAL search_path = swarm_reward, public;
SET LOCAL timezone = 'UTC';
SELECT plan(20);

CREATE FUNCTION pg_temp.parts(workers int, OUT slices bigint, OUT wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	holds text;
BEGIN
	PERFORM set_config('max_parallel_workers_per_gather', workers::text, true);
	SELECT count(*), string_agg(format('(%s)::int', s), ' + ') INTO slices, holds FROM node_slice('n.id') s;
	EXECUTE format('SELECT count(*) FROM (SELECT i * 7919 AS id FROM generate_series(-500::bigint, 500) i
		UNION ALL VALUES (9223372036854775807), (-9223372036854775807 - 1)) n WHERE %s <> 1', holds) INTO wrong;
END $$;
SELECT is(p, (w.slices::bigint, 0::bigint), format('%s workers: each node is in one of %s parts', w.workers, w.slices))
FROM (VALUES (0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 8), (16, 16), (1000, 16)) w (workers, slices), pg_temp.parts(w.workers) p;
SELECT is_empty('SELECT node_slice(NULL)', 'no part for NULL');

\o /dev/null
INSERT INTO provider (provider_id, name) VALUES (8100, 'sliced');
INSERT INTO service_type (code) VALUES ('sliced') ON CONFLICT DO NOTHING;
INSERT INTO beacon (beacon_id, name, location) SELECT 8100 + i, 'sliced ' || i, ST_Point(30 * i, 10 * i, 4326)::geography FROM generate_series(1, 3) i;
-- half of them join, and a third leave, at some time of the day
INSERT INTO node (node_id, provider_id, location, service_radius_m, status, joined_at, left_at)
SELECT 8100 + i, 8100, ST_Point(i, i / 2.0, 4326)::geography, 100000, CASE WHEN i % 3 = 0 THEN 'left' ELSE 'active' END,
	timestamptz '2022-05-01' + CASE WHEN i % 2 = 0 THEN (i % 20) * interval '31 minutes' ELSE interval '-1 day' END,
	CASE WHEN i % 3 = 0 THEN timestamptz '2022-05-01 14:00' + (i % 17) * interval '29 minutes' END
FROM generate_series(1, 60) i;
SELECT make_telemetry_partitions('2022-05-01', '2022-05-02');
INSERT INTO telemetry_hour (node_id, service_type, hour, summary, work, energy_mwh)
SELECT 8100 + i, s, h, telemetry_agg(h + m * interval '7 minutes', i + 10 * m, (i + m) % 5 > 0), CASE WHEN s IS NULL THEN 0 ELSE i END, nullif(i % 4, 0)
FROM generate_series(1, 60) i, generate_series(timestamptz '2022-05-01', '2022-05-01 23:00', '1 hour') h, generate_series(0, 7) m,
	unnest(ARRAY[NULL, 'sliced']) s
GROUP BY i, h, s;
INSERT INTO beacon_rtt (node_id, beacon_id, measured_at, rtt_ms)
SELECT 8100 + i, 8100 + b, timestamptz '2022-05-01' + k * interval '6 hours' + interval '3 hours', 5 + (i * b * (k + 3)) % 40
FROM generate_series(1, 60) i, generate_series(1, 3) b, generate_series(0, 3) k;
ANALYZE telemetry_hour, node, beacon_rtt;
\o
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
CREATE TEMP VIEW hours AS SELECT '{[2022-05-01 00:00,2022-05-01 05:00),[2022-05-01 09:00,2022-05-01 20:00)}'::tstzmultirange AS hours;
CREATE TEMP VIEW plain_hour AS
SELECT (o.node_id, o.service_type, rollup(o.summary), sum(o.work), sum(o.energy_mwh))::text
FROM telemetry_hour o JOIN node n USING (node_id), hours h
WHERE o.hour <@ h.hours AND tstzrange(o.hour, o.hour + interval '1 hour') <@ tstzrange(n.joined_at, n.left_at)
GROUP BY o.node_id, o.service_type;
CREATE TEMP VIEW plain_sight AS
SELECT (r.node_id, r.beacon_id, min(r.rtt_ms), location_excess(n.location, b.location, min(r.rtt_ms)))::text
FROM beacon_rtt r JOIN node n USING (node_id) JOIN beacon b USING (beacon_id)
WHERE r.measured_at <@ tstzrange('2022-05-01', '2022-05-01 18:00') AND r.measured_at <@ tstzrange(n.joined_at, n.left_at)
GROUP BY r.node_id, r.beacon_id, n.location, b.location;
SELECT cmp_ok(count(*), '>', 100::bigint, 'there is something to compare') FROM plain_hour;
SELECT cmp_ok(count(*), '>', 100::bigint, 'and of beacons') FROM plain_sight;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT bag_eq('SELECT w::text FROM hours h, telemetry_hour_window(h.hours) w', 'TABLE plain_hour', 'summaries in one part');
SELECT bag_eq($$SELECT s::text FROM beacon_sight('[2022-05-01,2022-05-01 18:00)') s$$, 'TABLE plain_sight', 'beacons in one part');
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT bag_eq('SELECT w::text FROM hours h, telemetry_hour_window(h.hours) w', 'TABLE plain_hour', 'summaries in two parts');
SELECT bag_eq($$SELECT s::text FROM beacon_sight('[2022-05-01,2022-05-01 18:00)') s$$, 'TABLE plain_sight', 'beacons in two parts');
SET LOCAL max_parallel_workers_per_gather = 8;
SELECT bag_eq('SELECT w::text FROM hours h, telemetry_hour_window(h.hours) w', 'TABLE plain_hour', 'summaries in eight parts');
SELECT bag_eq($$SELECT s::text FROM beacon_sight('[2022-05-01,2022-05-01 18:00)') s$$, 'TABLE plain_sight', 'beacons in eight parts');
SELECT is_empty($$SELECT * FROM telemetry_hour_window('{}')$$, 'no hour, no row');
SELECT is_empty('SELECT * FROM telemetry_hour_window(NULL)', 'NULL, no row');
SELECT * FROM finish();
ROLLBACK;
