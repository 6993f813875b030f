-- Nobody gains by splitting: parts of a node with its quality earn, component by
-- component, what it earned, to one base unit a row.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(8);

-- the first part keeps the key, the second gets a new one; units, work and
-- energy are divided a : 1 - a, heartbeats and samples seen by both
CREATE FUNCTION pg_temp.split(a numeric) RETURNS void LANGUAGE sql AS $$
	INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, status, joined_at, left_at)
		SELECT node_id + 500, provider_id, hardware_id || ' b', location, service_radius_m, status, joined_at, left_at FROM node WHERE node_id % 2 = 0 AND node_id > 1000;
	INSERT INTO node_resource SELECT node_id + 500, resource_type, units * (1 - a), valid FROM node_resource WHERE node_id % 2 = 0 AND node_id > 1000;
	UPDATE node_resource SET units = units * a WHERE node_id % 2 = 0 AND node_id BETWEEN 1001 AND 1500;
	INSERT INTO beacon_rtt SELECT node_id + 500, beacon_id, measured_at, rtt_ms FROM beacon_rtt WHERE node_id % 2 = 0 AND node_id > 1000;
	INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
		SELECT node_id + 500, service_type, sampled_at, latency_ms, ok, work / 2, energy_mwh / 2 FROM telemetry WHERE node_id % 2 = 0 AND node_id > 1000;
	UPDATE telemetry SET work = work / 2, energy_mwh = energy_mwh / 2 WHERE node_id % 2 = 0 AND node_id BETWEEN 1001 AND 1500;
$$;
\o /dev/null
SELECT pg_temp.play('whole', seed, 24) FROM generate_series(1, 4) seed;
SELECT pg_temp.play('halves', seed, 24, 'SELECT pg_temp.split(0.5)') FROM generate_series(1, 4) seed;
SELECT pg_temp.play('uneven', seed, 24, 'SELECT pg_temp.split(0.3)') FROM generate_series(1, 2) seed;
\o
CREATE VIEW pg_temp.compared AS
SELECT b.label, b.seed, b.epoch_id, b.provider_id, b.component, b.part, a.amount AS whole, b.amount AS parts, a.rows + b.rows AS rows, a.score AS whole_score, b.score AS parts_score
FROM (SELECT seed, epoch_id, provider_id, component, part, sum(amount) AS amount, sum(score) AS score, count(*) AS rows FROM pg_temp.paid WHERE label = 'whole' GROUP BY 1, 2, 3, 4, 5) a
	FULL JOIN (SELECT label, seed, epoch_id, provider_id, component, part, sum(amount) AS amount, sum(score) AS score, count(*) AS rows FROM pg_temp.paid WHERE label <> 'whole' GROUP BY 1, 2, 3, 4, 5, 6) b
	USING (seed, epoch_id, provider_id, component, part);
SELECT ok((SELECT count(*) FROM pg_temp.compared WHERE whole > 0) > 100, 'there is something to compare');
SELECT is((SELECT count(DISTINCT component || part) FROM pg_temp.compared WHERE whole > 0), 7::bigint, 'in every component');
SELECT is_empty($$ SELECT * FROM pg_temp.compared WHERE whole IS NULL OR parts IS NULL $$, 'the same providers score');
SELECT is_empty($$ SELECT * FROM pg_temp.compared WHERE abs(whole - parts) > rows AND label = 'halves' $$, 'halves earn what the whole earned, to one base unit a row');
SELECT is_empty($$ SELECT * FROM pg_temp.compared WHERE abs(whole - parts) > rows AND label = 'uneven' $$, 'so do uneven parts');
SELECT is_empty($$ SELECT * FROM pg_temp.compared WHERE abs(whole_score - parts_score) > 1e-24 * whole_score $$, 'scores are additive to 24 digits');

-- with a cap as well
\o /dev/null
INSERT INTO pg_temp.case_option VALUES ('cap', '3000');
DELETE FROM pg_temp.paid;
SELECT pg_temp.play('whole', 5, 24);
SELECT pg_temp.play('halves', 5, 24, 'SELECT pg_temp.split(0.5)');
\o
SELECT ok((SELECT count(*) FROM pg_temp.compared WHERE whole > 0) > 20, 'there is something to compare with a cap');
SELECT is_empty($$ SELECT * FROM pg_temp.compared WHERE whole IS NULL OR parts IS NULL OR whole <> parts $$, 'with a cap halves earn exactly what the whole earned');
SELECT * FROM finish();
ROLLBACK;
