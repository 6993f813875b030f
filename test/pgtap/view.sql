-- Views against their definitions, worked out by PostGIS and plain SQL.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT no_plan();
UPDATE region SET jurisdiction = upper(code);
INSERT INTO region (code, name, boundary, jurisdiction) VALUES ('sea', 'nobody is there', 'MULTIPOLYGON(((-40 0,-30 0,-30 10,-40 10,-40 0)))', 'SEA');
CALL run_epoch(1);
CALL run_epoch(2);

SELECT is((SELECT array_agg(region ORDER BY region) FROM region_status WHERE epoch_id = 2), ARRAY['eu', 'sea', 'us']::code[], 'region_status has every region');
SELECT is((SELECT demand FROM region_status WHERE epoch_id = 2 AND region = 'us'), 2500::float8, 'with what is wanted there, its coast included');
SELECT is_empty($$ SELECT FROM region_status WHERE served > demand OR nodes < 0 OR multiplier < 1 $$, 'and no more served than wanted');
SELECT is((SELECT sum(deficit) FROM coverage_gap), (SELECT coverage_sum(demand * coverage_greatest(1 - supply / 0.01, 0)) FROM epoch WHERE epoch_id = 2), 'gaps are what is not served');
SELECT is((SELECT array_agg(gap_id ORDER BY deficit DESC, gap_id) FROM coverage_gap), (SELECT array_agg(gap_id ORDER BY gap_id) FROM coverage_gap), 'the largest first');
SELECT is((SELECT concat_ws(' ', nodes, providers, new_nodes) FROM growth_metric WHERE epoch_id = 2), '6 3 3', 'growth_metric counts nodes, providers and who is new');
SELECT is((SELECT paid FROM growth_metric WHERE epoch_id = 2), (SELECT sum(amount) FROM reward WHERE epoch_id = 2), 'and money');
SELECT is((SELECT retention FROM growth_metric WHERE epoch_id = 2), 1::float8, 'who contributed in January still does in February');
SELECT is((SELECT concentration FROM growth_metric WHERE epoch_id = 2), (SELECT (sum(c * c) / sum(c) ^ 2)::float8 FROM (SELECT sum(contribution::numeric) AS c FROM epoch_node WHERE epoch_id = 2 GROUP BY provider_id) s),
	'and how few they are');
SELECT is((SELECT array_agg(DISTINCT verdict) FROM location_trust WHERE epoch_id = 2), ARRAY['trusted'], 'without beacons every place is believed');
SELECT is((SELECT sum(total) FROM node_reward), (SELECT sum(amount) FROM reward), 'node_reward adds up');
SELECT is((SELECT sum(new_regions + geographic_gaps + resource_gaps + resource_types + network_capacity + service_types + specialization) FROM provider_statement), (SELECT sum(amount) FROM reward), 'and so does provider_statement');
SELECT is_empty($$ SELECT FROM node_reward WHERE total::text <> total_text $$, 'money is also text');
SELECT * FROM finish();
ROLLBACK;
