-- The views, against the rows and cells that they are made of.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT plan(26);
UPDATE region SET jurisdiction = upper(code);
-- a node that two beacons show to be elsewhere, and one that is faster than fibre
INSERT INTO beacon (beacon_id, name, location) VALUES (1, 'Tokyo', 'POINT(139.7 35.7)'), (2, 'Sydney', 'POINT(151.2 -33.9)'), (3, 'Berlin', 'POINT(13.4 52.5)');
INSERT INTO beacon_rtt (node_id, beacon_id, measured_at, rtt_ms) SELECT 3, b, '2024-02-15', 5 FROM unnest(ARRAY[1, 2]) b;
INSERT INTO beacon_rtt (node_id, beacon_id, measured_at, rtt_ms) SELECT 1, 3, '2024-02-15', 1000 * ST_Distance('POINT(10 50)'::geography, 'POINT(13.4 52.5)') / 299792458 * 2 * 1.01;
UPDATE policy SET location_slack_m = 0 WHERE name = 'p';
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);

-- ---- columns ----
SELECT set_eq($$SELECT f_table_name::text || '.' || f_geography_column || ' ' || type || ' ' || srid FROM geography_columns WHERE f_table_schema = 'swarm_reward'
		AND f_table_name IN (SELECT viewname FROM pg_views WHERE schemaname = 'swarm_reward')$$,
	ARRAY['region_status.boundary MultiPolygon 4326', 'coverage_gap.center Point 4326', 'coverage_gap.boundary MultiPolygon 4326', 'location_trust.location Point 4326'],
	'places in views have a type and an SRID');
SELECT is_empty($$SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'epoch_id'
	WHERE c.relnamespace = 'swarm_reward'::regnamespace AND c.relkind = 'v'
		AND (SELECT count(*) FROM pg_attribute b WHERE b.attrelid = c.oid AND b.attname IN ('starts_at', 'ends_at')) < 2$$, 'views of epochs say when they start and end');
SELECT is_empty($$SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('total', 'paid', 'balance', 'amount') AND a.atttypid = 'numeric'::regtype
	WHERE c.relnamespace = 'swarm_reward'::regnamespace AND c.relkind = 'v' AND NOT EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = c.oid AND b.attname = a.attname || '_text')$$,
	'money is there as text too');
SELECT is_empty($$SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	WHERE c.relnamespace = 'swarm_reward'::regnamespace AND c.relkind = 'v' AND col_description(c.oid, a.attnum) IS NULL$$, 'every column says what it is');

-- ---- node_reward ----
SELECT results_eq('SELECT epoch_id, node_id, total, total_text FROM node_reward ORDER BY 1, 2', 'SELECT epoch_id, node_id, sum(amount), sum(amount)::text FROM reward GROUP BY 1, 2 ORDER BY 1, 2', 'node_reward: totals');
SELECT is_empty('SELECT * FROM node_reward WHERE total <> new_regions + geographic_gaps + resource_gaps + resource_types + network_capacity + service_types + specialization', 'node_reward: the components are all of it');

-- ---- region_status ----
SELECT set_eq('SELECT region::text, demand FROM region_status WHERE epoch_id = 3 ORDER BY 1', $$VALUES ('eu', 1000::float8), ('us', 2500::float8)$$, 'region_status: demand, the coast''s too');
SELECT is_empty('SELECT * FROM region_status r WHERE nodes <> (SELECT count(*) FROM epoch_node n WHERE n.epoch_id = r.epoch_id AND n.region = r.region AND n.contribution > 0)', 'region_status: nodes');
SELECT is((SELECT round(sum(served)::numeric, 6) FROM region_status WHERE epoch_id = 3),
	(SELECT round(sum(d.value * least(1, s.value / 0.01))::numeric, 6) FROM epoch e, coverage_cells(e.demand) d, LATERAL (SELECT coverage_value(e.supply, d.center)) s (value) WHERE e.epoch_id = 3),
	'region_status: what is served, cell by cell');

-- ---- coverage_gap ----
SELECT is((SELECT round(sum(deficit)::numeric, 6) FROM coverage_gap),
	(SELECT round(sum(d.value * greatest(0, 1 - s.value / 0.01))::numeric, 6) FROM epoch e, coverage_cells(e.demand) d, LATERAL (SELECT coverage_value(e.supply, d.center)) s (value) WHERE e.epoch_id = 3),
	'coverage_gap: what is not served, cell by cell, of the last epoch');
SELECT ok((SELECT bool_and(epoch_id = 3) AND count(*) > 0 AND array_agg(gap_id ORDER BY deficit DESC) = array_agg(gap_id ORDER BY gap_id) FROM coverage_gap), 'coverage_gap: the largest first');
SELECT is((SELECT region::text FROM coverage_gap WHERE ST_DWithin(center, 'POINT(100 0)', 100000)), NULL, 'coverage_gap: in no region');

-- ---- location_trust ----
SELECT results_eq('SELECT node_id, beacons, violations, suspicions, verdict FROM location_trust WHERE epoch_id = 2 AND node_id IN (1, 2, 3) ORDER BY 1',
	$$VALUES (1::bigint, 1, 0, 1, 'suspect'), (2, 0, 0, 0, 'trusted'), (3, 2, 2, 2, 'impossible')$$, 'location_trust: verdicts');
SELECT is((SELECT sum(total) FROM node_reward WHERE epoch_id = 2 AND node_id = 3), NULL, 'location_trust: who is impossible is paid nothing');

-- ---- growth_metric ----
SELECT results_eq('SELECT epoch_id, nodes, new_nodes, retention, paid_text FROM growth_metric ORDER BY 1',
	$$SELECT g.epoch_id, count(*), count(*) FILTER (WHERE o.node_id IS NULL),
		count(*) FILTER (WHERE g.contribution > 0 AND o.contribution > 0) / nullif((SELECT count(*) FROM epoch_node b WHERE b.epoch_id = g.epoch_id - 1 AND b.contribution > 0), 0)::float8,
		(SELECT sum(r.amount)::text FROM reward r WHERE r.epoch_id = g.epoch_id)
	FROM epoch_node g LEFT JOIN epoch_node o ON o.epoch_id = g.epoch_id - 1 AND o.node_id = g.node_id GROUP BY g.epoch_id ORDER BY 1$$, 'growth_metric: nodes, retention, what was paid');
CREATE TEMP TABLE newly AS
SELECT e.epoch_id, sum(d.value * greatest(0, least(1, s.value / 0.01) - g.value)) AS demand
FROM epoch e, coverage_cells(e.demand) d, LATERAL (SELECT coverage_value(e.supply, d.center)) s (value), LATERAL (SELECT coverage_value(e.reference, d.center)) g (value) GROUP BY e.epoch_id;
SELECT is_empty('SELECT * FROM growth_metric m JOIN newly n USING (epoch_id) WHERE abs(m.newly_served - n.demand) > 1e-9 * (1 + n.demand)', 'growth_metric: newly served demand, cell by cell');
SELECT ok((SELECT bool_and(abs(m.paid_per_newly_served - r.paid / m.newly_served::numeric) < 1e-6 * m.paid_per_newly_served) FROM growth_metric m
		JOIN (SELECT epoch_id, sum(amount) AS paid FROM reward WHERE component IN ('new_regions', 'geographic_gaps') GROUP BY 1) r USING (epoch_id) WHERE m.newly_served > 0), 'growth_metric: base units for each of it');
SELECT is_empty($$SELECT * FROM growth_metric m WHERE abs(utilisation - (SELECT sum(w.work) / sum(r.units * 100 * extract(epoch FROM upper(e.period) - lower(e.period))::float8 / 3600)
		FROM epoch e JOIN epoch_node_resource r ON r.epoch_id = e.epoch_id AND r.resource_type = 'gpu' LEFT JOIN epoch_node_service w ON w.epoch_id = e.epoch_id AND w.node_id = r.node_id WHERE e.epoch_id = m.epoch_id)) > 1e-12$$,
	'growth_metric: work over what gpus could have done');
SELECT ok((SELECT bool_and(utilisation > 0 AND utilisation < 1 AND concentration > 0 AND concentration <= 1) FROM growth_metric), 'growth_metric: shares');

-- ---- latency_reach, data_residency: each cell with demand against each node ----
CREATE TEMP TABLE cell AS
SELECT d.epoch_id, d.region, r.jurisdiction, c.value, b.budget_ms,
	EXISTS (SELECT FROM epoch_node n WHERE n.epoch_id = d.epoch_id AND n.contribution > 0 AND ST_DWithin(c.center, n.location, b.radius_m)) AS reached,
	EXISTS (SELECT FROM epoch_node n JOIN epoch_region g ON g.epoch_id = n.epoch_id AND g.region = n.region
		WHERE n.epoch_id = d.epoch_id AND n.contribution > 0 AND g.jurisdiction = r.jurisdiction AND ST_DWithin(c.center, n.location, b.radius_m)) AS resident
FROM swarm_reward_internal.epoch_region_demand d LEFT JOIN epoch_region r ON r.epoch_id = d.epoch_id AND r.region = d.region, coverage_cells(d.demand) c,
	(SELECT b, service_radius(b) FROM unnest(ARRAY[5, 10, 20, 50, 100]) b) b (budget_ms, radius_m);
SELECT set_eq('SELECT epoch_id, coalesce(region, '''') AS region, budget_ms, round(demand::numeric, 4) AS demand, round(reached::numeric, 4) AS reached FROM latency_reach ORDER BY 1, 2, 3',
	'SELECT epoch_id, region::text, budget_ms, round(sum(value)::numeric, 4) AS demand, round(coalesce(sum(value) FILTER (WHERE reached), 0)::numeric, 4) AS reached FROM cell GROUP BY 1, 2, 3 ORDER BY 1, 2, 3', 'latency_reach');
SELECT set_eq('SELECT epoch_id, jurisdiction, budget_ms, round(demand::numeric, 4) AS demand, round(resident::numeric, 4) AS reached FROM data_residency ORDER BY 1, 2, 3',
	'SELECT epoch_id, jurisdiction, budget_ms, round(sum(value)::numeric, 4) AS demand, round(coalesce(sum(value) FILTER (WHERE resident), 0)::numeric, 4) AS reached FROM cell WHERE jurisdiction IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3', 'data_residency');
SELECT is((SELECT array_agg(reached ORDER BY budget_ms) FROM latency_reach WHERE epoch_id = 1 AND region = 'us'), ARRAY[2000, 2000, 2000, 2000, 2500]::float8[], 'latency_reach: the coast is 2 550 km off, which is 100 ms');
SELECT ok((SELECT bool_and(resident <= demand AND resident_fraction BETWEEN 0 AND 1) FROM data_residency), 'data_residency: shares');

-- ---- epoch_progress ----
SELECT ok((SELECT count(*) = 3 AND bool_and(state = 'running' AND pid = pg_backend_pid() AND phase = 'seal' AND phase_no < phases) FROM epoch_progress), 'epoch_progress: what this transaction computed runs until it ends');
INSERT INTO epoch (epoch_id, period, budget) VALUES (4, '[2024-04-01,2024-05-01)', 1);
SELECT hold_epoch(3, 'looking into it') \g /dev/null
SELECT results_eq('SELECT epoch_id, state, starts_at FROM epoch_progress WHERE epoch_id > 3', $$VALUES (4::bigint, 'waiting', timestamptz '2024-04-01')$$, 'epoch_progress: what is due');
SELECT is((SELECT held_reason FROM epoch_progress WHERE epoch_id = 3), 'looking into it', 'epoch_progress: why');
SELECT * FROM finish();
ROLLBACK;
