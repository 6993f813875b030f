-- What a mistake is told: which value, which rule, what to do; and where the hint is a statement, that it works.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT no_plan();

-- What a statement is told, in one text; the text that it lives where it does.
CREATE FUNCTION pg_temp.told(statement text, OUT state text, OUT said text, OUT hint text, OUT context text) LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	said := 'nothing is wrong';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	said := said || E'\n' || detail;
END $$;

-- The statement is refused with this SQLSTATE; message and detail have each of the words (a|b), and there is a hint that has the last.
CREATE FUNCTION pg_temp.refused(statement text, state text, words text, hint_word text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t record := pg_temp.told(statement);
	missing text[] := ARRAY(SELECT w FROM string_to_table(words, '|') w WHERE position(w IN t.said) = 0);
BEGIN
	RETURN ok(t.state = state AND missing = '{}' AND position(hint_word IN t.hint) > 0 AND t.said !~ 'violates (check|exclusion)|numeric field overflow|int8range|text_range', statement)
		|| CASE WHEN t.state = state AND missing = '{}' AND position(hint_word IN t.hint) > 0 THEN '' ELSE E'\n' || diag(concat_ws(E'\n', t.state, t.said, t.hint)) END;
END $$;

-- The statement is refused with a hint that is a statement; that is executed, and then goes through, and the first one, too, if again says so.
CREATE FUNCTION pg_temp.mended(statement text, again boolean DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t record := pg_temp.told(statement);
	fix text := (regexp_match(t.hint, '((?:SELECT|CALL|UPDATE|DELETE|ALTER)\y.*?)(?:;| first\.| when |\. |\.$)'))[1];
BEGIN
	IF fix IS NULL THEN
		RETURN fail(statement) || E'\n' || diag(concat_ws(E'\n', t.state, t.said, t.hint));
	END IF;
	EXECUTE regexp_replace(fix, ' (first|when .*|shows .*)$', '');
	IF again THEN
		EXECUTE statement;
	END IF;
	RETURN pass(statement || ' -- ' || fix);
EXCEPTION WHEN OTHERS THEN
	RETURN fail(statement || ' -- ' || fix) || E'\n' || diag(SQLERRM);
END $$;

-- Every table that a person fills refuses in words, and no type refuses before the words come.
SELECT is_empty($$
	SELECT c.relname FROM pg_class c
	WHERE c.relnamespace = 'swarm_reward'::regnamespace AND c.relname IN ('provider', 'node', 'node_suspension', 'node_resource', 'resource_check', 'resource_type', 'service_type', 'region', 'demand',
			'resource_demand', 'beacon', 'beacon_rtt', 'outage', 'policy', 'policy_resource', 'policy_service', 'policy_region', 'specialization', 'epoch', 'telemetry', 'telemetry_reject')
		AND (NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'check_row')
			OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid = 'numeric'::regtype AND a.atttypmod > 0)) $$, 'every table of facts and rules refuses in words');

-- who is where with what
SELECT pg_temp.refused($$ INSERT INTO node (provider_id, location, service_radius_m, joined_at) VALUES (1, 'POINT(1 1)', 0, now()) $$, '23514', 'service_radius_m = 0|5000000', 'metres');
SELECT pg_temp.refused($$ INSERT INTO node (provider_id, location, service_radius_m, joined_at) VALUES (1, 'POINT EMPTY', 1, now()) $$, '23514', 'location|longitude', 'WGS84');
SELECT pg_temp.refused($$ INSERT INTO node (provider_id, location, service_radius_m) VALUES (1, 'POINT(1 1)', 1) $$, '23502', 'node|joined_at', 'start of the stay');
SELECT pg_temp.refused($$ INSERT INTO node (provider_id, location, service_radius_m, joined_at, left_at) VALUES (1, 'POINT(1 1)', 1, '2024-02-01', '2024-01-01') $$, '23514', 'joined_at = 2024-02-01|left_at = 2024-01-01', 'end of the stay');
SELECT pg_temp.refused($$ INSERT INTO node (provider_id, location, service_radius_m, joined_at) VALUES (1, 'POINT(1 1)', 1, 'infinity') $$, '23514', 'joined_at = infinity', 'start of the stay');
SELECT pg_temp.refused($$ INSERT INTO node (provider_id, hardware_id, location, service_radius_m, joined_at) VALUES (1, 'h1', 'POINT(1 1)', 1, '2025-01-01') $$, '23P01', 'hardware h1|node 1|2025-01-01', 'left_at');
SELECT pg_temp.mended($$ INSERT INTO node (provider_id, hardware_id, location, service_radius_m, joined_at) VALUES (1, 'h1', 'POINT(1 1)', 1, '2025-01-01') $$);
SELECT pg_temp.refused($$ INSERT INTO provider (name, payout_address) VALUES ('x', '0x123') $$, '23514', '0x123|40 hexadecimal digits', 'EIP-55');
SELECT pg_temp.refused($$ INSERT INTO provider (name) VALUES ('') $$, '23514', 'name = ', 'name for people');
SELECT pg_temp.refused($$ INSERT INTO node_resource VALUES (1, ' gpu', 5) $$, '23514', '" gpu"|white space', 'trim');
SELECT pg_temp.refused($$ INSERT INTO resource_type VALUES (repeat('x', 200), 'x') $$, '23514', '100 characters', 'trim');
SELECT pg_temp.refused($$ INSERT INTO resource_type VALUES ('', 'x') $$, '23514', '"" is empty', 'trim');
SELECT pg_temp.refused($$ INSERT INTO node_resource VALUES (1, 'cpu', 1e30) $$, '23514', 'node_resource|units = 1000000000000000000000000000000|999999999999999', 'nine decimals');
SELECT pg_temp.refused($$ INSERT INTO node_resource VALUES (1, 'cpu', -1) $$, '23514', 'units = -1', 'nine decimals');
SELECT pg_temp.refused(format('INSERT INTO node_resource VALUES (1, ''cpu'', %L)', v), '23514', 'units = ' || left(v, 9), 'nine decimals') FROM unnest(ARRAY['Infinity', '-Infinity', '1' || repeat('0', 300)]) v;
SELECT pg_temp.refused(format('INSERT INTO demand (location, weight) VALUES (''POINT(1 1)'', %L)', v), '23514', 'weight = ' || v, 'people') FROM unnest(ARRAY['Infinity', '-Infinity']) v;
SELECT pg_temp.refused(format('INSERT INTO policy (name, %I) VALUES (''x'', ''Infinity'')', a.attname), '23514', a.attname || ' = Infinity', a.attname)
FROM pg_attribute a WHERE a.attrelid = 'policy'::regclass AND a.atttypid = 'numeric'::regtype AND NOT a.attisdropped;
SELECT pg_temp.refused($$ UPDATE policy_resource SET unit_value = '-Infinity' $$, '23514', 'unit_value = -Infinity', 'quality 1');
SAVEPOINT rounds;
INSERT INTO node_resource VALUES (2, 'cpu', 2::numeric / 3, '(,2023-12-01)'), (3, 'cpu', 7, '(,2023-12-01)');
SELECT results_eq($$ SELECT units::text FROM node_resource WHERE resource_type = 'cpu' AND upper(valid) = '2023-12-01' ORDER BY node_id $$, $$ VALUES ('0.666666667'), ('7.000000000') $$, 'what has more decimals than are kept is rounded');
UPDATE node_resource SET units = 0.00000000051 WHERE resource_type = 'cpu' AND upper(valid) = '2023-12-01' AND node_id = 3;
SELECT is(min(units)::text, '0.000000001', 'also when it changes') FROM node_resource;
SELECT is(supply_target::text, '0.010000000000', 'and so in policies') FROM policy WHERE name = 'p';
ROLLBACK TO rounds;
SELECT pg_temp.refused($$ INSERT INTO node_resource VALUES (1, 'cpu', 'NaN') $$, '23514', 'units = NaN', 'nine decimals');
SELECT pg_temp.refused($$ INSERT INTO node_resource VALUES (4, 'gpu', 7, '[2024-05-01,)') $$, '23P01', 'node 4|gpu|(,)|2024-05-01', 'set_node_resource');
SELECT pg_temp.mended($$ INSERT INTO node_resource VALUES (4, 'gpu', 7, '[2024-05-01,)') $$, false);
SELECT is(units, 7.000000000, 'which is what was meant') FROM node_resource WHERE node_id = 4 AND resource_type = 'gpu' AND upper_inf(valid);
SELECT pg_temp.refused($$ INSERT INTO node_resource VALUES (4, 'gpu', 7, '[2023-05-01,2023-05-01)') $$, '23514', 'valid = empty|not empty', 'when');
SELECT pg_temp.refused($$ SELECT set_node_resource(1, 'gpu', 0.12345678901) $$, '22023', 'gpu|node 1|0.12345678901', 'smaller unit');
SELECT pg_temp.refused($$ SELECT set_node_resource(1, 'gpu', NULL) $$, '22004', 'gpu|node 1|NULL', 'units');
SELECT pg_temp.refused($$ SELECT set_node_resource(77, 'gpu', 5) $$, 'P0002', 'node 77 does not exist', 'swarm_reward.node');
INSERT INTO node_suspension VALUES (1, '[2025-01-01,2025-02-01)', 'a test');
SELECT pg_temp.refused($$ INSERT INTO node_suspension VALUES (1, '[2025-01-15,2025-03-01)', 'a test') $$, '23P01', 'node 1|2025-02-01|2025-03-01', 'UPDATE swarm_reward.node_suspension');
SELECT pg_temp.mended($$ INSERT INTO node_suspension VALUES (1, '[2025-01-15,2025-03-01)', 'a test') $$, false);
SELECT is(upper(valid), '2025-03-01', 'it goes on') FROM node_suspension;
SELECT pg_temp.refused($$ INSERT INTO node_suspension VALUES (1, '[2026-01-15,2026-03-01)', '') $$, '23514', 'reason = ', 'why');
SELECT pg_temp.refused($$ DELETE FROM node WHERE node_id = 1 $$, '23001', 'node 1|telemetry', 'left_at');
SELECT lives_ok($$ INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at) VALUES (50, 1, 'POINT(1 1)', 1, now()); INSERT INTO node_resource VALUES (50, 'gpu', 1); DELETE FROM node WHERE node_id = 50 $$,
	'a node that nobody has used is deleted with what it declared');
SELECT pg_temp.refused($$ SELECT correct_node(1, '{"location": "abc"}', 'x') $$, '22023', 'location|node 1|abc', '[longitude, latitude]');
SELECT pg_temp.refused($$ SELECT correct_node(1, '{"joined_at": "abc"}', 'x') $$, '22023', 'joined_at|node 1|abc', '\d+');
SELECT pg_temp.refused($$ SELECT correct_node(1, '{"service_radius_m": 0}', 'x') $$, '23514', 'service_radius_m = 0', 'metres');
SELECT pg_temp.refused($$ SELECT correct_node(1, '{"colour": 0}', 'x') $$, '42703', 'colour', 'provider_id, hardware_id, location');
SELECT pg_temp.refused($$ SELECT replace_node(1, '1999-01-01') $$, '22023', 'node 1|1999-01-01|2023-01-01', 'within its stay');

-- what was measured
CREATE FUNCTION pg_temp.sample(given text) RETURNS text LANGUAGE sql AS
$$ SELECT format('INSERT INTO telemetry (node_id, sampled_at, ok, latency_ms, service_type, work, fee, energy_mwh) VALUES (%s)', given) $$;
SELECT pg_temp.refused(pg_temp.sample('NULL, ''2024-01-05 00:00:01'', true, 5, NULL, 0, NULL, NULL'), '23502', 'telemetry needs|node_id', 'the node');
SELECT pg_temp.refused(pg_temp.sample('1, ''2024-01-05 00:00:01'', NULL, 5, NULL, 0, NULL, NULL'), '23502', 'telemetry needs|ok', 'answer');
SELECT pg_temp.refused(pg_temp.sample('1, ''2024-01-05 00:00:01'', true, -1, NULL, 0, NULL, NULL'), '23514', 'telemetry cannot|latency_ms = -1|at least 0', 'milliseconds');
SELECT pg_temp.refused(pg_temp.sample('1, ''2024-01-05 00:00:01'', true, ''NaN'', NULL, 0, NULL, NULL'), '23514', 'latency_ms = NaN|not infinite', 'milliseconds');
SELECT pg_temp.refused(pg_temp.sample('1, ''2024-01-05 00:00:01'', true, 5, NULL, 7, NULL, NULL'), '23514', 'service_type = NULL, work = 7|is of a service', 'heartbeat');
SELECT pg_temp.refused(pg_temp.sample('1, ''2024-01-05 00:00:01'', true, 5, ''infer'', -7, NULL, NULL'), '23514', 'work = -7|at least 0', 'units of work');
SELECT pg_temp.refused(pg_temp.sample('1, ''2024-01-05 00:00:01'', true, 5, ''infer'', 7, 1.5, NULL'), '23514', 'fee = 1.5|without decimals', 'base units');
SELECT pg_temp.refused(pg_temp.sample('1, ''2024-01-05 00:00:01'', true, 5, ''infer'', 7, 1, -3'), '23514', 'energy_mwh = -3|at least 0', 'milliwatt');
SELECT pg_temp.refused(pg_temp.sample('1, ''2024-01-05 00:00:01'', true, 5, ''infer'', 1000000000000001, 1, 0'), '23514', 'work = 1000000000000001|10^15', 'units of work');
SELECT pg_temp.refused($$ INSERT INTO telemetry_reject ("row", reason) VALUES ('{}', '') $$, '23514', 'telemetry_reject cannot have reason', 'why');
SELECT pg_temp.refused('UPDATE telemetry SET latency_ms = -1 WHERE node_id = 1', '23514', 'telemetry cannot|latency_ms = -1', 'milliseconds');
SELECT pg_temp.refused('INSERT INTO swarm_reward_internal.telemetry_20231231 (node_id, sampled_at, ok, latency_ms) VALUES (1, ''2024-01-05 00:00:01'', true, -1)', '23514', 'telemetry cannot|latency_ms = -1', 'milliseconds');

-- what is wanted
SELECT pg_temp.refused($$ INSERT INTO resource_demand VALUES ('eu', 'gpu', 7, '[2025-05-01,)') $$, '23P01', 'eu|gpu|2025-05-01', 'UPDATE swarm_reward.resource_demand');
SELECT pg_temp.mended($$ INSERT INTO resource_demand VALUES ('eu', 'gpu', 7, '[2025-05-01,)') $$);
SELECT pg_temp.refused($$ INSERT INTO demand (location, weight) VALUES ('POINT(1 1)', -1) $$, '23514', 'weight = -1', 'people');
SELECT pg_temp.refused($$ INSERT INTO demand (location, weight, radius_m) VALUES ('POINT(1 1)', 1, 0) $$, '23514', 'radius_m = 0', 'metres');
SELECT pg_temp.refused($$ INSERT INTO beacon_rtt VALUES (1, 1, now(), -5) $$, '23514', 'rtt_ms = -5', 'milliseconds');
SELECT pg_temp.refused($$ INSERT INTO outage (valid, reason) VALUES ('[2024-01-01,2024-01-02]', 'x') $$, '23514', 'valid|open where it ends', 'from, to');
SELECT lives_ok($$ INSERT INTO region VALUES ('bow', 'bowtie', 'MULTIPOLYGON(((30 0,40 10,40 0,30 10,30 0)))') $$, 'a boundary that crosses itself has an inside: where it winds around an odd number of times');
SELECT pg_temp.refused($$ INSERT INTO region VALUES ('half', 'half the world', 'MULTIPOLYGON(((0 0,90 0,180 0,-90 0,0 0)))') $$, '22023', 'two sides', 'Cut');

-- rules
SELECT pg_temp.refused($$ INSERT INTO policy (name, target_fraction) VALUES ('x', 90) $$, '23514', 'target_fraction = 90|0.9 for 90 percent', 'share');
SELECT pg_temp.refused($$ INSERT INTO policy (name, uptime_floor) VALUES ('x', 99.5) $$, '23514', 'uptime_floor = 99.5|0.9 for 90 percent', 'availability');
SELECT pg_temp.refused($$ INSERT INTO policy (name, uptime_floor) VALUES ('x', 0.999) $$, '23514', 'uptime_floor = 0.999|uptime_target = 0.995|below', 'availability');
SELECT ok(length((pg_temp.told($$ INSERT INTO policy (name, uptime_floor) VALUES ('x', 0.999) $$)).said) < 250, 'and not forty values');
SELECT pg_temp.refused($$ INSERT INTO policy (name, new_regions_bps) VALUES ('x', 100) $$, '23514', 'new_regions_bps = 100|10000', 'basis points');
SELECT pg_temp.refused($$ INSERT INTO policy (name, resource_gaps_bps) VALUES ('x', 2147483647) $$, '23514', 'resource_gaps_bps = 2147483647|10000', 'basis points');
SELECT pg_temp.refused($$ INSERT INTO policy (name, supply_target) VALUES ('x', 'NaN') $$, '23514', 'supply_target = NaN', 'contribution wanted');
SELECT pg_temp.refused($$ INSERT INTO policy (name, maturity) VALUES ('x', '1 month') $$, '23514', 'maturity = 1 mon|no fixed length', 'time at a place');
SELECT pg_temp.refused($$ INSERT INTO policy (name, emission) VALUES ('x', 10.5) $$, '23514', 'emission = 10.5|without decimals', 'base units');
SELECT pg_temp.refused($$ INSERT INTO policy_region VALUES (100, 'eu', 90) $$, '23514', 'target_fraction = 90|0.9 for 90 percent', 'share');
SELECT pg_temp.refused($$ INSERT INTO policy_service (policy_id, service_type, max_work_per_hour) VALUES (100, 'store', 5) $$, '23514', 'max_work_per_hour = 5|resource_type = NULL', 'kind of resource');
SELECT pg_temp.refused($$ INSERT INTO specialization (policy_id, code, metric, bound, target) VALUES (100, 'x', 'speed', 5, 1) $$, '23514', 'metric = speed|p95_latency_ms', 'quantile');
SELECT pg_temp.refused($$ SELECT new_policy('starter', 'n', NULL, '{"target_fraction": 90}') $$, '23514', 'target_fraction = 90', 'share');
SELECT pg_temp.refused($$ SELECT new_policy('starter', 'n', NULL, '{"target_fraction": "abc"}') $$, '22023', 'target_fraction|abc', 'share');
SELECT pg_temp.refused($$ SELECT new_policy('starter', 'n', NULL, '{"target": 1}') $$, '42703', 'target', '\d+');
SELECT pg_temp.refused($$ SELECT new_policy('starter', 'n', NULL, day_price => -1) $$, '22023', 'day_price|-1', 'base units');
SELECT pg_temp.refused($$ SELECT new_policy('starter', 'n', NULL, '[1]') $$, '22023', '[1]', 'gpu');
SELECT pg_temp.refused($$ SELECT new_policy('starter', 'n', NULL, '{}', '3') $$, '22023', '3', 'gpu');
SELECT pg_temp.refused($$ SELECT new_policy('starter', 'n', NULL, '{}', '{"no such": 1}') $$, 'P0002', 'no such', 'resource_type');
SELECT pg_temp.refused($$ SELECT new_policy('starter', 'n', NULL, '{}', '{"gpu": "many"}') $$, '22023', 'gpu|many', 'number');
SELECT pg_temp.refused($$ SELECT new_policy('nobody', 'n', NULL) $$, 'P0002', 'nobody', 'starter');
SELECT lives_ok($$ SELECT new_policy('starter', 'as it is', NULL, NULL, NULL) $$, 'no changes are no changes');
SELECT pg_temp.refused($$ SELECT keep_telemetry_partitions('100000 years') $$, '22023', '100000 years', '7 days');
SELECT pg_temp.refused($$ SELECT keep_telemetry_partitions('1 day', '300000 years') $$, '22023', '300000 years', '90 days');
SELECT pg_temp.refused(format('SELECT swarm_reward_internal.job_list(partitions_ahead => %L)', t), '22023', t, 'from a day to a year') FROM unnest(ARRAY['01:00:00', '2 years']) t;
SAVEPOINT ahead;
SELECT make_telemetry_partitions(now() - interval '2 days', now() + interval '2 years', '1000 days') \g /dev/null
SELECT lives_ok(format('SELECT keep_telemetry_partitions(%L), swarm_reward_internal.job_list(partitions_ahead => %1$L)', t), 'a year is ' || t) FROM unnest(ARRAY['365 days', '366 days', '1 year']) t;
ROLLBACK TO ahead;
SELECT pg_temp.refused($$ UPDATE policy SET note = 'x' WHERE name = 'starter' $$, '23001', 'starter|ships', 'new_policy');

-- epochs
SELECT pg_temp.refused($$ INSERT INTO epoch (period, budget) VALUES ('[2024-05-01,2024-05-02)', 10.5) $$, '23514', 'budget = 10.5|without decimals', 'base units');
SELECT pg_temp.refused($$ INSERT INTO epoch (period, budget) VALUES ('[2024-05-01,2024-05-02)', -1) $$, '23514', 'budget = -1', 'base units');
SELECT pg_temp.refused($$ INSERT INTO epoch (period, budget) VALUES ('[2024-05-01,2024-05-02]', 1) $$, '23514', 'period|open where it ends', 'to exclusive');
SELECT pg_temp.refused($$ INSERT INTO epoch (period, budget) VALUES ('[2024-05-01,)', 1) $$, '23514', 'period|with both', 'to exclusive');
SELECT pg_temp.refused($$ INSERT INTO epoch (period, budget) VALUES ('[2024-03-01,2024-04-01)', 1) $$, '23P01', 'epoch 3|2024-03-31', 'plan_epochs');
SELECT pg_temp.refused(format('INSERT INTO epoch (epoch_id, period, budget) VALUES (%s, ''[2024-01-01,2024-02-01)'', 1); SET CONSTRAINTS ALL IMMEDIATE', i), '23514', format('epoch %s cannot be kept|above 0', i), 'plan_epochs') FROM unnest(ARRAY[0, -1, -77]) i;
SELECT pg_temp.refused($$ UPDATE epoch SET epoch_id = -3 WHERE epoch_id = 3; SET CONSTRAINTS ALL IMMEDIATE $$, '23514', 'epoch -3 cannot be kept', 'plan_epochs');
SELECT pg_temp.refused($$ SELECT plan_epochs('2030-01-01', '1 day', 10.5) $$, '22023', '10.5', 'whole number');
SELECT pg_temp.refused($$ SELECT plan_epochs('2030-01-01', '0', 10) $$, '22023', '00:00:00', 'at least a second');
SELECT pg_temp.refused($$ CALL run_epoch(77) $$, 'P0002', 'epoch 77 does not exist', 'plan_epochs');
SELECT pg_temp.refused($$ CALL run_epoch(2) $$, '55000', 'epoch 1|epoch 2', 'CALL swarm_reward.run_epoch(1)');
SELECT pg_temp.refused($$ SELECT * FROM verify_epoch(1) $$, '55000', 'epoch 1|planned', 'run_epoch(1)');
SELECT pg_temp.refused($$ CALL finalize_epoch(1) $$, '55000', 'epoch 1|planned', 'run_epoch(1)');
SELECT pg_temp.mended($$ SELECT * FROM verify_epoch(1) $$);
SELECT pg_temp.mended($$ UPDATE epoch SET budget = 5 WHERE epoch_id = 1 $$);
CALL run_epoch(1);
CALL run_epoch(2);
SELECT pg_temp.refused($$ SELECT hold_epoch(1, '') $$, '22004', 'hold|epoch 1|reason', 'epoch_event');
SELECT pg_temp.refused($$ SELECT reopen_epoch(1, 'x') $$, '55000', 'epoch 1|epoch 2', 'reopen_epoch(2');
SELECT pg_temp.refused($$ DELETE FROM epoch WHERE epoch_id = 2 $$, '23001', 'epoch 2|computed', 'reopen_epoch(2');
SELECT pg_temp.mended($$ DELETE FROM epoch WHERE epoch_id = 2 $$);
SELECT hold_epoch(1, 'a test') \g /dev/null
UPDATE epoch SET first_computed_at = first_computed_at - interval '8 days' WHERE status = 'computed';
SELECT pg_temp.refused($$ CALL finalize_epoch(1) $$, '55000', 'epoch 1|a test', 'release_epoch(1');
SELECT pg_temp.mended($$ CALL finalize_epoch(1) $$);
SELECT pg_temp.refused($$ CALL run_epoch(1) $$, '23001', 'epoch 1 is final', 'restate_epoch(1');
SELECT pg_temp.refused($$ SELECT * FROM simulate_node(NULL, 1000, '{"gpu": 1}') $$, '22004', 'location', 'POINT');
SELECT pg_temp.refused($$ INSERT INTO epoch (period, budget) VALUES ('[2023-11-01,2024-01-01)', 1) $$, '23001', '2023-11-01|before epoch 1, which is final', 'plan_epochs');
SAVEPOINT planned;
INSERT INTO epoch (epoch_id, period, budget) VALUES (90, '[2025-01-01,2025-02-01)', 1);
SELECT pg_temp.refused($$ UPDATE epoch SET period = '[2023-11-01,2024-01-01)' WHERE epoch_id = 90 $$, '23001', 'epoch 90|before epoch 1, which is final', 'plan_epochs');
ROLLBACK TO planned;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT lives_ok($$ SELECT count(*) FROM preview_epoch(1) $$, 'a rehearsal does not mind when constraints are looked at');
SELECT lives_ok($$ SELECT count(*) FROM restate_epoch(1, 'x', true) $$, 'nor does a restatement');
SELECT pg_temp.mended($$ UPDATE epoch SET budget = 6 WHERE epoch_id = 1 $$, false);
SELECT pg_temp.mended($$ UPDATE epoch SET note = 'n', engine = 'another' WHERE epoch_id = 1 $$, false);
SELECT lives_ok($$ UPDATE epoch SET note = 'n' WHERE epoch_id = 1 $$, 'the note of a final epoch changes, and nothing else');
SELECT pg_temp.refused($$ UPDATE node SET location = 'POINT(2 2)' WHERE node_id = 2 $$, '23001', 'node 2|2024-02-01', 'replace_node(2');
SELECT pg_temp.mended($$ DELETE FROM node WHERE node_id = 2 $$, false);
SELECT pg_temp.mended($$ DELETE FROM region WHERE code = 'us' $$, false);
-- what was asked for in vain is not drowned in the statements of functions that nobody called
SELECT is((pg_temp.told(statement)).context, (pg_temp.told('SELECT swarm_reward_internal.raise_plainly(''P0002'', ''x'', NULL, NULL)')).context, statement || ': not a line of context')
FROM unnest(ARRAY['SELECT * FROM explain_reward(4711, 1)', 'SELECT * FROM explain_reward(1, 4711)', 'SELECT * FROM explain_reward(1, NULL)', 'SELECT * FROM simulate_node(''POINT(1 1)'', 1, ''{}'', 4711)',
	'SELECT reward_map(4711, 1, ''{}'')', 'SELECT * FROM verify_epoch(4711)', 'SELECT * FROM check_epoch(4711)', 'SELECT * FROM payout_csv(4711)', 'SELECT * FROM payout_proof(4711, ''0x0000000000000000000000000000000000000001'')',
	'SELECT release_payout(4711)', 'SELECT archive_epoch(4711, ''x'')', 'SELECT reopen_epoch(4711, ''x'')', 'SELECT hold_epoch(4711, ''x'')', 'SELECT set_node_resource(4711, ''gpu'', 1)', 'CALL run_epoch(4711)']) statement;
SELECT pg_temp.refused($$ SELECT release_epoch(1, 'x') $$, '55000', 'epoch 1 is not held', 'held_reason');
SELECT pg_temp.refused($$ CALL roll_telemetry() $$, '25001', 'roll_telemetry()|transaction block', 'on its own');
SAVEPOINT gone;
ALTER TABLE telemetry DETACH PARTITION swarm_reward_internal.telemetry_20231231;
SELECT pg_temp.refused('SELECT * FROM restate_epoch(1, ''x'')', '55000', 'hour 2024-01-01|partition', 'Attach');
UPDATE demand SET weight = 1e11;
SELECT matches(t.said, '2\^37', 'weights beyond what is exact') FROM pg_temp.told('CALL run_epoch(3)') t;
SELECT is(t.context, '', 'which run_epoch says without a context') FROM pg_temp.told('CALL run_epoch(3)') t;
SELECT ok(length(t.context) < 600, 'what restate_epoch says has no pages of context') FROM pg_temp.told('SELECT * FROM restate_epoch(1, ''x'')') t;
ROLLBACK TO gone;

-- who has no right to read what is behind a constraint still sees the value
CREATE ROLE message_operator;
SELECT grant_role('operator', 'message_operator') \g /dev/null
SELECT make_telemetry_partitions('2024-06-01', '2024-06-02') \g /dev/null
CREATE FUNCTION public.told(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
	detail text;
BEGIN
	EXECUTE statement;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN said || ' ' || detail;
END $$;
SET LOCAL ROLE message_operator;
SELECT public.told('INSERT INTO swarm_reward.telemetry (node_id, sampled_at, ok) VALUES (4711, ''2024-01-05'', true)') AS unknown,
	public.told('INSERT INTO swarm_reward.telemetry (node_id, sampled_at, ok) VALUES (1, ''2024-06-01'', true), (1, ''2024-06-01'', true)') AS twice,
	public.told('INSERT INTO swarm_reward.telemetry (node_id, sampled_at, ok) VALUES (1, ''2030-01-05'', true)') AS nowhere \gset
RESET ROLE;
SELECT matches(:'unknown'::text, '4711.*"node"', 'an operator is told which node is unknown');
SELECT matches(:'twice'::text, '\(1, 2024-06-01', 'and which row is there already');
SELECT matches(:'nowhere'::text, '2030-01-05', 'and for which day there is no partition');
CREATE TABLE stray PARTITION OF telemetry DEFAULT;
SELECT matches(public.told('SELECT make_telemetry_partitions(''2030-01-05'', ''2030-01-06'')'), 'stray is its default partition', 'a default partition in the way is named');
SELECT matches(public.told('INSERT INTO node (provider_id, location, service_radius_m, joined_at) VALUES (4711, ''POINT(1 1)'', 1, now())'), '4711.*"provider"', 'so is an unknown provider');
SELECT matches(public.told('INSERT INTO node (provider_id, external_id, location, service_radius_m, joined_at) VALUES (1, ''e'', ''POINT(1 1)'', 1, now()), (1, ''e'', ''POINT(1 1)'', 1, now())'), '\(external_id\)=\(e\)', 'and a key that is taken');
SELECT * FROM finish();
ROLLBACK;
