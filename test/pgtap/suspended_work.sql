-- What a node does while it is suspended is no work of the network, whether an epoch reads it from raw rows or from hours; what is heard of it then still is.
\set ON_ERROR_STOP 1
BEGIN;
SET search_path = swarm_reward, public;
SELECT plan(11);
\ir small.psql
CREATE TEMP TABLE own (times tstzmultirange);
-- within hours; one hour holds the end of one suspension and the begin of the next
INSERT INTO node_suspension VALUES (3, '[2024-02-15 00:00:02,2024-02-20 09:00:01)', 'a'), (3, '[2024-02-20 09:30,2024-02-22)', 'b'), (3, '[2024-02-27 21:00:00,)', 'c');
-- in the hour between the two, and before and after
INSERT INTO telemetry (node_id, sampled_at, service_type, latency_ms, ok, work, fee) SELECT 3, timestamptz '2024-02-20 09:00+00' + make_interval(mins => m), 'store', 100 + m, true, 1, 1 FROM generate_series(5, 55, 10) m;
INSERT INTO own SELECT '{[2024-02-10,2024-03-01)}'::tstzmultirange - range_agg(valid) FROM node_suspension WHERE node_id = 3;
CREATE TEMP TABLE want AS
SELECT t.service_type, count(*) AS samples, sum(t.work) AS work, sum(t.fee) AS fee FROM telemetry t, own WHERE t.node_id = 3 AND t.service_type IS NOT NULL AND own.times @> t.sampled_at GROUP BY 1;
SELECT isnt((SELECT sum(work) FROM want), (SELECT sum(work) FROM telemetry WHERE node_id = 3 AND sampled_at < '2024-03-01'), 'some of its work was done while it was suspended');
CALL run_epoch(1);
CALL run_epoch(2);
SELECT set_eq('SELECT s.service_type, s.samples, s.work_done, s.fee FROM epoch_node_service s WHERE s.epoch_id = 2 AND s.node_id = 3', 'SELECT * FROM want', 'from raw rows: the work outside of its suspensions');
SELECT is((SELECT p99_latency_ms::int FROM epoch_node_service WHERE epoch_id = 2 AND node_id = 3 AND service_type = 'store'), 125, 'and how fast that was');
SELECT is((SELECT samples FROM epoch_node WHERE epoch_id = 2 AND node_id = 3), (SELECT count(*) FROM telemetry WHERE node_id = 3 AND sampled_at < '2024-03-01'), 'all of it was heard');
SELECT is((SELECT uptime FROM epoch_node WHERE epoch_id = 2 AND node_id = 3), 1::float8, 'so that nobody is down by being suspended');
SELECT bag_eq('SELECT s.node_id, s.work_done FROM epoch_node_service s WHERE s.epoch_id = 2 AND s.node_id <> 3',
	$$ SELECT t.node_id, sum(t.work)::numeric FROM telemetry t JOIN node n USING (node_id) WHERE t.service_type IS NOT NULL AND t.node_id <> 3 AND t.sampled_at >= '2024-02-01' AND t.sampled_at < '2024-03-01'
		AND (n.left_at IS NULL OR t.sampled_at < n.left_at) GROUP BY 1 $$, 'that of others is whole');
CREATE TEMP TABLE before AS SELECT digest FROM epoch WHERE epoch_id = 2;
SELECT swarm_reward_internal.roll_telemetry_hours('2024-03-01') \g /dev/null
CALL run_epoch(2, 'from hours');
SELECT set_eq('SELECT s.service_type, s.samples, s.work_done, s.fee FROM epoch_node_service s WHERE s.epoch_id = 2 AND s.node_id = 3', 'SELECT * FROM want', 'from hours: the same');
SELECT is((SELECT digest FROM epoch WHERE epoch_id = 2), (SELECT digest FROM before), 'to the bit');
SELECT is_empty('SELECT * FROM verify_epoch(2) WHERE NOT ok', 'and it verifies');
-- raw rows that are gone are missed only where there was work
ALTER TABLE telemetry DETACH PARTITION swarm_reward_internal.telemetry_20240131;
SELECT throws_like('CALL run_epoch(2, ''without raw rows'')', 'the raw telemetry of the hour 2024-02-%, which is needed, was dropped', 'work of a part of an hour is not guessed');
UPDATE node_suspension SET valid = CASE reason WHEN 'a' THEN '[2024-02-15 01:00:02,2024-02-20 08:30)' WHEN 'b' THEN '[2024-02-20 10:30,2024-02-22)' ELSE '[2024-02-27 22:30,)' END::tstzrange;
SELECT lives_ok('CALL run_epoch(2, ''without raw rows'')', 'hours with nothing but heartbeats need none');
SELECT * FROM finish();
ROLLBACK;
