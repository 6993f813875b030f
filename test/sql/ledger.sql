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

-- One region, 1000 people at one place, two kinds of resource, one service.
INSERT INTO policy (name, effective_from, note, grid_order, supply_target, telemetry_slot, growth_target,
	uptime_floor, uptime_target, error_limit, error_target, min_beacons)
VALUES ('by hand', '2024-01-01 00:00+00', 'regression test', 6, 10, '1 day', 100, 0.5, 1, 0.9, 0.8, 0);
INSERT INTO resource_type (code, unit, unit_value, family) VALUES ('gpu', 'GPU', 2, 'gpu'), ('disk', 'TB', 0.5, 'storage');
INSERT INTO service_type (code) VALUES ('inference');
INSERT INTO region (code, name, boundary, jurisdiction)
VALUES ('LAKE', 'around the lake', 'SRID=4326;MULTIPOLYGON(((0 40,20 40,20 50,0 50,0 40)))', 'CH'),
	('WEST', 'its western half', 'SRID=4326;MULTIPOLYGON(((0 40,10 40,10 50,0 50,0 40)))', 'CH');
INSERT INTO provider (provider_id, name) VALUES (1, 'alps'), (2, 'jura');
INSERT INTO demand (location, weight) VALUES ('POINT(6.6 46.5)', 1000), ('POINT(15 45)', 3000);
INSERT INTO resource_demand (region, resource_type, units) VALUES ('WEST', 'gpu', 8);
INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at) VALUES
	(1, 1, 'hw-1', 'POINT(6.6 46.5)', 200000, '2024-01-01 00:00+00'),
	(2, 2, NULL, 'POINT(6.6 46.5)', 200000, '2024-01-06 00:00+00'),
	(3, 2, NULL, 'POINT(100 0)', 200000, '2024-01-01 00:00+00');
INSERT INTO node_resource VALUES (1, 'gpu', 3, '(,)'), (2, 'gpu', 4, '(,)'), (2, 'disk', 8, '(,)'), (3, 'disk', 100, '(,)');
SELECT make_telemetry_partitions('2024-01-01 00:00+00', '2024-01-21 00:00+00', '10 days');
SELECT make_telemetry_partitions('2024-01-01 00:00+00', '2024-01-21 00:00+00', '10 days');
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
SELECT n, d, 50, true FROM generate_series(1, 3) n, generate_series(timestamptz '2024-01-01 00:00+00', '2024-01-20 00:00+00', '1 day') d
WHERE n <> 2 OR d >= '2024-01-06 00:00+00';
INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
SELECT n, 'inference', timestamptz '2024-01-08 12:00+00' + k * interval '1 hour', 100, true, 10 * n, 100 FROM generate_series(1, 2) n, generate_series(1, 40) k;
INSERT INTO epoch (epoch_id, period, budget) VALUES
	(1, '[2024-01-01 00:00+00,2024-01-11 00:00+00)', 1000007), (2, '[2024-01-11 00:00+00,2024-01-21 00:00+00)', 1000000);

CALL run_epoch(1);
-- node 2 was there for half of the epoch: half of its units, all of its uptime
SELECT node_id, region, age, uptime, quality, value, contribution FROM epoch_node WHERE epoch_id = 1 ORDER BY 1;
SELECT node_id, resource_type, trim_scale(units) AS units FROM epoch_node_resource WHERE epoch_id = 1 ORDER BY 1, 2;
SELECT region, demand, opening_fraction, covered_fraction, multiplier, next_multiplier, nodes, resource_gaps FROM region_status WHERE epoch_id = 1 ORDER BY 1;
SELECT region, resource_type, trim_scale(demand) AS demand, trim_scale(opening_supply) AS opening, trim_scale(supply) AS supply, trim_scale(round(rate, 9)) AS rate
FROM epoch_region_resource WHERE epoch_id = 1 ORDER BY 1, 2;
SELECT resource_type, previous_price, price, trim_scale(opening_mark) AS mark, trim_scale(supply) AS supply, trim_scale(pot) AS pot FROM epoch_resource WHERE epoch_id = 1 ORDER BY 1;
SELECT component, budget, carried_in, released, paid, carried_out, treasury FROM epoch_pool WHERE epoch_id = 1 ORDER BY 1;
SELECT node_id, component, trim_scale(round(score, 6)) AS score, amount FROM reward WHERE epoch_id = 1 ORDER BY 2, 1;
CALL run_epoch(2);
SELECT component, budget, carried_in, released, paid, carried_out, treasury FROM epoch_pool WHERE epoch_id = 2 ORDER BY 1;
SELECT * FROM node_reward ORDER BY epoch_id, node_id;
SELECT epoch_id, provider, nodes, earned, restated, total FROM provider_statement ORDER BY 1, 2;
SELECT metric, family, unit, trim_scale(value) AS value, trim_scale(previous) AS previous, trim_scale(change) AS change FROM growth_metric WHERE epoch_id = 2 ORDER BY metric COLLATE "C";
SELECT check_name FROM verify_epoch(2) WHERE NOT ok;

-- What is refused, and how.
\set VERBOSITY terse
INSERT INTO node (provider_id, location, service_radius_m, joined_at) VALUES (1, 'POINT EMPTY', 1, now());
INSERT INTO node (provider_id, location, service_radius_m, joined_at) VALUES (1, 'POINT(1 1)', 0, now());
INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at) VALUES (9, 1, 'hw-1', 'POINT(1 1)', 5, now());
INSERT INTO node_resource VALUES (1, 'gpu', 3, '[2024-01-01,2024-02-01)');
INSERT INTO node_resource VALUES (3, 'gpu', 'NaN', '(,)');
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (1, '2024-01-01 00:00+00', 50, true);
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (1, '2024-01-01 01:00+00', 'NaN', true);
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (77, '2024-01-01 01:00+00', 1, true);
INSERT INTO epoch (epoch_id, period, budget) VALUES (3, '[2024-01-20 00:00+00,2024-02-01 00:00+00)', 1);
INSERT INTO epoch (epoch_id, period, budget) VALUES (3, '[2024-02-01 00:00+00,)', 1);
INSERT INTO epoch (epoch_id, period, budget) VALUES (3, '[2024-02-01 00:00+00,2024-03-01 00:00+00)', -1);
INSERT INTO policy (name, uptime_floor, uptime_target) VALUES ('cliff', 0.9, 0.9);
\set VERBOSITY default
CALL run_epoch(99);
INSERT INTO epoch (epoch_id, period, budget) VALUES (98, '[2998-01-01 00:00+00,2998-02-01 00:00+00)', 1), (99, '[2999-01-01 00:00+00,2999-02-01 00:00+00)', 1);
CALL run_epoch(98);
UPDATE reward SET amount = 0;
UPDATE epoch SET budget = 0 WHERE epoch_id = 1;
SELECT * FROM epoch_score(1, 'nonsense');
SELECT * FROM verify_epoch(98);
SELECT ramp('NaN', 0, 1);
SELECT make_telemetry_partitions('2024-02-01', '2024-01-01');
SELECT make_telemetry_partitions('2024-02-01', '2024-03-01', '1 hour');

-- Every object of the ledger says what it is.
SELECT c.relname, a.attname FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'swarm_reward'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
	AND (obj_description(c.oid) IS NULL OR col_description(c.oid, a.attnum) IS NULL);
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'swarm_reward'::regnamespace AND obj_description(p.oid) IS NULL
	AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i');
-- Nothing of it is for PUBLIC, and every table of it is dumped.
SELECT c.relname, x.privilege_type FROM pg_class c, aclexplode(c.relacl) x WHERE c.relnamespace = 'swarm_reward'::regnamespace AND x.grantee = 0;
SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e', pg_extension e
WHERE e.extname = 'swarm_reward' AND c.relnamespace = 'swarm_reward'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.oid = ANY (e.extconfig) ORDER BY 1;
ROLLBACK;
