-- The ledger's face: a network small enough to check by hand.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
RESET client_min_messages;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;
SET search_path = swarm_reward, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- Two regions, 1000 people at one place and 3000 at another, two kinds of resource, one service. Time is in tens of
-- days: maturity, vesting and freshness are 20 days, epochs 10.
INSERT INTO resource_type (code, unit, family) VALUES ('gpu', 'GPU', 'gpu'), ('disk', 'TB', 'storage');
INSERT INTO service_type (code) VALUES ('inference');
INSERT INTO policy (policy_id, name, effective_from, grid_order, supply_target, telemetry_slot, heartbeat_timeout, uptime_floor, uptime_target, error_limit, error_target,
	maturity, vesting_half_life, freshness, network_capacity_price_max)
VALUES (500, 'by hand', '2024-01-01 00:00+00', 6, 0.02, '1 day', '1 day', 0.5, 1, 0.9, 0.8, '20 days', '10 days', '20 days', 1000);
INSERT INTO policy_resource (policy_id, resource_type, unit_value) VALUES (500, 'gpu', 2), (500, 'disk', 0.5);
INSERT INTO policy_service (policy_id, service_type) VALUES (500, 'inference');
INSERT INTO region (code, name, boundary, jurisdiction) VALUES
	('LAKE', 'around the lake', 'MULTIPOLYGON(((0 40,20 40,20 50,0 50,0 40)))', 'CH'), ('WEST', 'its western half', 'MULTIPOLYGON(((0 40,10 40,10 50,0 50,0 40)))', 'CH');
INSERT INTO provider (provider_id, name, payout_address) VALUES (1, 'alps', '0x0000000000000000000000000000000000000001'), (2, 'jura', NULL);
INSERT INTO demand (location, weight) VALUES ('POINT(6.6 46.5)', 1000), ('POINT(15 45)', 3000);
INSERT INTO resource_demand (region, resource_type, units) VALUES ('WEST', 'gpu', 8);
INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at) VALUES
	(1, 1, 'hw-1', 'POINT(6.6 46.5)', 200000, '2024-01-01 00:00+00'),
	(2, 2, 'hw-2', 'POINT(6.6 46.5)', 200000, '2024-01-16 00:00+00'),
	(3, 2, NULL, 'POINT(100 0)', 200000, '2024-01-06 00:00+00');
INSERT INTO node_resource (node_id, resource_type, units) VALUES (1, 'gpu', 3), (2, 'gpu', 4), (2, 'disk', 8), (3, 'disk', 100);
SELECT make_telemetry_partitions('2024-01-01 00:00+00', '2024-01-21 00:00+00', '10 days');
SELECT make_telemetry_partitions('2024-01-01 00:00+00', '2024-01-21 00:00+00', '10 days');
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
SELECT n.node_id, d, 50, true FROM node n, generate_series(timestamptz '2024-01-01 00:00+00', '2024-01-20 00:00+00', '1 day') d WHERE d >= n.joined_at;
INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work)
SELECT n, 'inference', timestamptz '2024-01-17 12:00+00' + k * interval '1 hour', 100, true, 10 * n FROM generate_series(1, 2) n, generate_series(1, 40) k;
SELECT plan_epochs('2024-01-21 00:00+00', '10 days', 1000007, '2024-01-01 00:00+00');

SELECT epoch_id AS first FROM epoch ORDER BY period LIMIT 1 \gset
SELECT "check", severity, value FROM check_epoch(:first) WHERE severity <> 'ok' ORDER BY 1;
SET client_min_messages = warning;
CALL run_epoch(:first);
CALL run_epoch(:first + 1);
RESET client_min_messages;

-- node 2 was there for half of the second epoch: half of its units, all of its uptime; node 3 has no hardware_id and was not
-- there from the beginning of the first
SELECT e.epoch_no AS no, node_id, region, active_days, counts, uptime, round(quality::numeric, 6) AS quality, value, round(contribution::numeric, 6) AS contribution, demand_in_reach AS w, tenure, freshness
FROM epoch_node JOIN epoch e USING (epoch_id) ORDER BY 1, 2;
SELECT e.epoch_no AS no, node_id, resource_type, declared, units, round(growth::numeric, 6) AS growth FROM epoch_node_resource JOIN epoch e USING (epoch_id) ORDER BY 1, 2, 3;
SELECT e.epoch_no AS no, region, r.demand, round(served::numeric, 6) AS served, round(given::numeric, 6) AS given, round(multiplier::numeric, 6) AS multiplier, round(need::numeric, 6) AS need, round(fresh::numeric, 6) AS fresh, round(pot::numeric, 6) AS pot
FROM epoch_region r JOIN epoch e USING (epoch_id) ORDER BY 1, 2;
SELECT e.epoch_no AS no, region, resource_type, r.demand, units, round(r.reference::numeric, 6) AS reference, round(r.next_reference::numeric, 6) AS next, round(pot::numeric, 6) AS pot
FROM epoch_region_resource r JOIN epoch e USING (epoch_id) ORDER BY 1, 2, 3;
SELECT e.epoch_no AS no, resource_type, r.demand, units, round(price::numeric, 6) AS price, round(r.reference::numeric, 6) AS reference, round(r.next_reference::numeric, 6) AS next, need, round(pot::numeric, 6) AS pot
FROM epoch_resource r JOIN epoch e USING (epoch_id) ORDER BY 1, 2;
SELECT e.epoch_no AS no, component, p.budget, carried_in, round(score::numeric, 6) AS score, paid, carried_out, treasury, reason FROM epoch_pool p JOIN epoch e USING (epoch_id) ORDER BY 1, 2;
SELECT e.epoch_no AS no, node_id, component, round(score::numeric, 6) AS score, amount FROM reward JOIN epoch e USING (epoch_id) ORDER BY 1, 3, 2;
SELECT starts_at, status, provider, nodes, earned, restated, total FROM provider_statement ORDER BY 1, 3;
SELECT starts_at, nodes, contributing, providers, new_nodes, retention, demand, served, newly_served, paid FROM growth_metric ORDER BY 1;
SELECT check_name FROM epoch e, verify_epoch(e.epoch_id) v WHERE NOT ok;

-- money
UPDATE epoch SET first_computed_at = first_computed_at - interval '8 days';
SET client_min_messages = warning;
CALL finalize_epoch(:first);
CALL finalize_epoch(:first + 1);
RESET client_min_messages;
SELECT a.kind, coalesce(a.component, p.name) AS whose, sum(t.amount) AS holds FROM account a LEFT JOIN provider p USING (provider_id) JOIN posting t USING (account_id) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT provider, earned, balance, waits_for FROM provider_balance ORDER BY 1;

-- What is refused, and how.
\set VERBOSITY terse
INSERT INTO node (provider_id, location, service_radius_m, joined_at) VALUES (1, 'POINT EMPTY', 1, now());
INSERT INTO node (provider_id, hardware_id, location, service_radius_m, joined_at) VALUES (1, 'hw-1', 'POINT(1 1)', 5, '2025-01-01');
INSERT INTO node_resource VALUES (1, 'gpu', 3, '[2024-01-01,2024-02-01)');
INSERT INTO epoch (period, budget) VALUES ('[2024-01-20 00:00+00,2024-02-01 00:00+00)', 1);
INSERT INTO policy (name, uptime_floor, uptime_target) VALUES ('cliff', 0.9, 0.9);
\set VERBOSITY default
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (1, '2024-01-01 00:00+00', 50, true);
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (77, '2024-01-01 01:00+00', 1, true);
INSERT INTO telemetry (node_id, service_type, sampled_at, ok) VALUES (1, 'no such', '2024-01-01 01:00+00', true);
INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, '2024-02-01 01:00+00', true);
INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, 'infinity', true);
CREATE TABLE telemetry_mine (node_id bigint PRIMARY KEY REFERENCES node);
INSERT INTO telemetry_mine VALUES (77);
INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at) VALUES (77, 77, 'POINT(1 1)', 5, '2024-01-01');
DELETE FROM provider WHERE provider_id = 1;
INSERT INTO outage (valid, region, reason) VALUES ('[2024-01-01,2024-01-02)', 'no such', 'a test');
INSERT INTO resource_type (code, unit) VALUES ('gpu', 'GPU');
INSERT INTO service_type (code) VALUES ('late');
INSERT INTO telemetry (node_id, service_type, sampled_at, ok) VALUES (1, 'late', '2024-01-01 01:00+00', true);
DELETE FROM service_type WHERE code = 'late';
CALL run_epoch(99);
UPDATE epoch SET budget = 0 WHERE epoch_id = :first;
UPDATE node SET service_radius_m = 1 WHERE node_id = 1;

-- Every object of the ledger says what it is; nothing of it is for PUBLIC; every table of it is dumped.
SELECT c.relname, a.attname FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
	AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
	AND (obj_description(c.oid) IS NULL OR col_description(c.oid, a.attnum) IS NULL);
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND obj_description(p.oid) IS NULL
	AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i');
SELECT c.relname, x.privilege_type FROM pg_class c, aclexplode(c.relacl) x WHERE c.relnamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND x.grantee = 0;
SELECT c.oid::regclass AS not_dumped FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e', pg_extension e
WHERE e.extname = 'swarm_reward' AND d.refobjid = e.oid AND c.relkind IN ('r', 'p') AND NOT c.oid = ANY (e.extconfig) ORDER BY 1;
ROLLBACK;
