-- Explanations: every quality, score and amount follows from the rows of the
-- explanation alone, by arithmetic that is written here once more and on
-- purpose; and nothing that happens to the live tables changes them.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(48);

-- All explanations of a network, what was really paid, and some explanations
-- after everything that lives has changed. The network is rolled back.
CREATE TABLE pg_temp.told (label text, epoch_id bigint, node_id bigint, line bigint, component text, term text, value numeric, note text);
CREATE TABLE pg_temp.truth (label text, epoch_id bigint, node_id bigint, component text, score numeric, amount numeric);
CREATE FUNCTION pg_temp.listen(which text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	said jsonb;
BEGIN
	EXECUTE format('SELECT jsonb_agg(to_jsonb(t)) FROM (
		SELECT n.epoch_id, n.node_id, x.* FROM epoch_node n, LATERAL explain_reward(n.epoch_id, n.node_id) WITH ORDINALITY x (component, term, value, note, line) WHERE %s) t', which) INTO said;
	RETURN said;
END $$;
CREATE FUNCTION pg_temp.tell(label text, seed int, nodes int, change text DEFAULT NULL, after text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	said jsonb;
	later jsonb;
	was jsonb;
BEGIN
	BEGIN
		PERFORM pg_temp.build(seed, nodes);
		IF change IS NOT NULL THEN EXECUTE change; END IF;
		FOR k IN 1001 .. 1004 LOOP CALL run_epoch(k); END LOOP;
		said := pg_temp.listen('true');
		SELECT jsonb_agg(to_jsonb(t)) INTO was FROM (
			SELECT n.epoch_id, n.node_id, c.code AS component, coalesce(r.score, 0) AS score, coalesce(r.amount, 0) AS amount
			FROM epoch_node n CROSS JOIN component c LEFT JOIN reward r ON (r.epoch_id, r.node_id, r.component) = (n.epoch_id, n.node_id, c.code)) t;
		IF after IS NOT NULL THEN
			EXECUTE after;
			later := pg_temp.listen('n.node_id % 5 = 0');
		END IF;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	INSERT INTO pg_temp.told SELECT x.label, t.epoch_id, t.node_id, t.line, t.component, t.term, t.value, t.note
		FROM (VALUES (tell.label, said), (tell.label || ' later', later)) x (label, rows), jsonb_populate_recordset(NULL::pg_temp.told, x.rows) t;
	INSERT INTO pg_temp.truth SELECT tell.label, t.epoch_id, t.node_id, t.component, t.score, t.amount FROM jsonb_populate_recordset(NULL::pg_temp.truth, was) t;
END $$;

-- makes nodes into images of another, so that remainders tie
CREATE FUNCTION pg_temp.clone(of bigint, nodes bigint[]) RETURNS void LANGUAGE sql AS $$
	UPDATE node SET hardware_id = NULL, left_at = NULL, status = 'active' WHERE node_id = clone.of;
	UPDATE node n SET (provider_id, hardware_id, location, service_radius_m, status, joined_at, left_at) =
		(SELECT provider_id, hardware_id, location, service_radius_m, status, joined_at, left_at FROM node WHERE node_id = clone.of) WHERE n.node_id = ANY (nodes);
	DELETE FROM node_resource WHERE node_id = ANY (nodes);
	DELETE FROM telemetry WHERE node_id = ANY (nodes);
	DELETE FROM beacon_rtt WHERE node_id = ANY (nodes);
	INSERT INTO node_resource SELECT u, resource_type, units, valid FROM node_resource, unnest(nodes) u WHERE node_id = clone.of;
	INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
		SELECT u, service_type, sampled_at, latency_ms, ok, work, energy_mwh FROM telemetry, unnest(nodes) u WHERE node_id = clone.of;
	INSERT INTO beacon_rtt SELECT u, beacon_id, measured_at, rtt_ms FROM beacon_rtt, unnest(nodes) u WHERE node_id = clone.of;
$$;

\o /dev/null
SELECT pg_temp.tell('free', 7, 30, $$
	-- 1001 is elsewhere, 1002 silent, 1003 empty, 1004 in no region, 1005 up for most of the time, 1006 seen by too few
	UPDATE node SET joined_at = '2021-01-01 00:00+00', left_at = NULL, status = 'active' WHERE node_id BETWEEN 1001 AND 1006;
	UPDATE beacon_rtt SET rtt_ms = 0.001 WHERE node_id = 1001;
	DELETE FROM telemetry WHERE node_id = 1002;
	DELETE FROM node_resource WHERE node_id = 1003;
	UPDATE region SET boundary = ST_Multi(ST_MakeEnvelope(-180, 89, -179, 90, 4326))::geography WHERE ST_Covers(boundary, (SELECT location FROM node WHERE node_id = 1004));
	DELETE FROM telemetry WHERE node_id = 1005;
	INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 1005, d + m * interval '1 hour', 50, extract(day FROM d) <> 5
		FROM generate_series(timestamptz '2021-01-01 00:00+00', '2021-03-21 00:00+00', '1 day') d, generate_series(0, 20) m;
	UPDATE policy SET min_beacons = 1, error_limit = 0.9, uptime_floor = 0.9 WHERE policy_id = 1000;
	DELETE FROM beacon_rtt WHERE node_id = 1006;
	SELECT pg_temp.clone(1027, ARRAY[1011, 1012, 1013, 1014]) $$, $$
	UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
	UPDATE node SET provider_id = 1002, location = 'POINT(1 1)', service_radius_m = 1, hardware_id = NULL;
	UPDATE resource_type SET unit_value = 77, growth_need = 5; UPDATE service_type SET premium = 99;
	UPDATE region SET boundary = 'MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))', target_fraction = 0.1;
	DELETE FROM telemetry; DELETE FROM beacon_rtt; DELETE FROM node_resource; DELETE FROM demand; DELETE FROM resource_demand;
	INSERT INTO policy (policy_id, name, effective_from) VALUES (1001, 'another', '2020-06-01') $$);
INSERT INTO pg_temp.case_option VALUES ('cap', '3500');
SELECT pg_temp.tell('capped', 3, 28, $$ UPDATE node SET provider_id = 1001 WHERE node_id % 3 = 0; SELECT pg_temp.clone(1021, ARRAY[1011, 1012, 1013, 1014, 1015]) $$);
DELETE FROM pg_temp.case_option;
\o
SELECT ok((SELECT count(*) > 1000 FROM pg_temp.told WHERE label = 'free later'), 'explanations can be asked for later');
SELECT is_empty($$ SELECT epoch_id, node_id, line, component, term, value, note FROM pg_temp.told WHERE label = 'free later'
	EXCEPT SELECT epoch_id, node_id, line, component, term, value, note FROM pg_temp.told WHERE label = 'free' $$, 'and are the same whatever has become of the live tables');
DELETE FROM pg_temp.told WHERE label = 'free later';
ANALYZE pg_temp.told; ANALYZE pg_temp.truth;

-- Terms taken apart: the factors of each part, and of each code in it.
CREATE TABLE pg_temp.word AS
SELECT t.label, t.epoch_id, t.node_id, t.component, coalesce(m[2], '') AS part, m[3] AS stem, m[5] AS code, t.value
FROM pg_temp.told t, regexp_match(t.term, '^((geographic|resource) )?([a-z0-9_]+)( of (.*))?$') m;
CREATE TABLE pg_temp.lot AS
SELECT w.label, w.epoch_id, w.node_id, w.component, w.part, jsonb_object_agg(w.stem, w.value) FILTER (WHERE w.code IS NULL) AS f
FROM pg_temp.word w GROUP BY 1, 2, 3, 4, 5;
CREATE TABLE pg_temp.item AS
SELECT w.label, w.epoch_id, w.node_id, w.component, w.part, w.code, jsonb_object_agg(w.stem, w.value) AS f
FROM pg_temp.word w WHERE w.code IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6;
ANALYZE pg_temp.word; ANALYZE pg_temp.lot; ANALYZE pg_temp.item;

SELECT is((SELECT count(*) FROM pg_temp.word), (SELECT count(*) FROM pg_temp.told), 'every term has the form that is documented');
SELECT is_empty($$ SELECT label, epoch_id, node_id, component, term FROM pg_temp.told GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 1 $$, 'no term comes twice');
SELECT is_empty($$ SELECT * FROM pg_temp.told WHERE coalesce(note, '') = '' $$, 'every row has a note');

-- The arithmetic, from telemetry on.
CREATE FUNCTION pg_temp.climb(x float8, a float8, b float8) RETURNS float8 LANGUAGE sql AS
$$ SELECT CASE WHEN x IS NULL THEN 0 WHEN a < b THEN CASE WHEN x <= a THEN 0 WHEN x >= b THEN 1 ELSE (x - a) / (b - a) END
	ELSE CASE WHEN x >= a THEN 0 WHEN x <= b THEN 1 ELSE (a - x) / (a - b) END END $$;
SELECT is_empty($$ SELECT l.label, l.epoch_id, l.node_id, q.quality, again.quality
	FROM pg_temp.lot l, jsonb_to_record(l.f) q (uptime float8, uptime_floor float8, uptime_target float8, response_ms float8, response_limit_ms float8, response_target_ms float8,
			error_rate_upper float8, error_limit float8, error_target float8, trust float8, quality numeric),
		LATERAL (SELECT round((pg_temp.climb(uptime, uptime_floor, uptime_target) * sqrt(pg_temp.climb(response_ms, response_limit_ms, response_target_ms)
			* pg_temp.climb(error_rate_upper, error_limit, error_target)) * trust)::numeric, 12) AS quality) again
	WHERE l.component = 'quality' AND q.quality IS DISTINCT FROM again.quality $$, 'quality follows from telemetry and trust');
SELECT is_empty($$ SELECT l.label, l.epoch_id, l.node_id
	FROM pg_temp.lot l, jsonb_to_record(l.f) q (beacons int, min_beacons int, location_excess_m float8, location_slack_m float8, trust float8)
	WHERE l.component = 'quality' AND trust <> CASE WHEN location_excess_m > location_slack_m THEN 0 WHEN beacons < min_beacons THEN 0.5 ELSE 1 END $$, 'trust follows from the beacons');
SELECT is_empty($$ SELECT l.label, l.epoch_id, l.node_id FROM pg_temp.lot l
		JOIN pg_temp.lot q ON (q.label, q.epoch_id, q.node_id, q.component) = (l.label, l.epoch_id, l.node_id, 'quality'),
		LATERAL (SELECT coalesce(sum((i.f->>'units')::numeric * (i.f->>'unit_value')::numeric), 0) AS value
			FROM pg_temp.item i WHERE (i.label, i.epoch_id, i.node_id, i.component) = (l.label, l.epoch_id, l.node_id, 'contribution')) i
	WHERE l.component = 'contribution' AND ((l.f->>'value')::numeric, (l.f->>'contribution')::numeric) IS DISTINCT FROM (i.value, i.value * (q.f->>'quality')::numeric) $$,
	'contribution follows from units and quality');

CREATE FUNCTION pg_temp.item_score(component text, part text, f jsonb, i jsonb, trust numeric) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	q numeric := f->>'quality';
	units numeric := i->>'units';
	worth numeric := i->>'unit_value';
	rate numeric := i->>'rate';
	again numeric;
	a numeric; b numeric; c numeric; d numeric; g numeric;
BEGIN
	IF part = 'resource' THEN
		a := i->>'demand'; b := i->>'opening_supply'; c := i->>'supply';
		again := CASE WHEN a > b AND c > 0 THEN round(round(worth * (a - b), 40) / greatest(c, a), 40) ELSE 0 END;
		IF again <> rate THEN RETURN -1; END IF;
		RETURN q * units * again;
	ELSIF component = 'resource_types' THEN
		a := i->>'demand'; b := i->>'supply'; c := i->>'previous_price'; g := f->>'price_step';
		d := CASE WHEN a = 0 AND b = 0 THEN 1 WHEN b = 0 THEN 1 + g WHEN a = 0 THEN 1 - g
			ELSE least(1 + g, greatest(1 - g, power(round(a, 40) / b, (f->>'price_elasticity')::numeric))) END;
		again := CASE WHEN d > 1 THEN trunc(c * d, 12) ELSE ceil(c * d * 1e12) / 1e12 END;
		again := least((f->>'price_max')::numeric, greatest((f->>'price_min')::numeric, again));
		IF again <> (i->>'price')::numeric THEN RETURN -1; END IF;
		RETURN q * worth * units * greatest(0, again - 1);
	ELSIF component = 'network_capacity' THEN
		a := worth * least(greatest(0, (i->>'network_units')::numeric - (i->>'network_mark')::numeric), (i->>'need')::numeric);
		IF a <> (i->>'pot')::numeric THEN RETURN -1; END IF;
		b := i->>'owner_units'; c := i->>'owner_mark'; d := i->>'all_growth';
		again := CASE WHEN b > c AND a > 0 THEN round(round(a * (b - c), 60) / (b * d), 60) ELSE 0 END;
		IF again <> rate THEN RETURN -1; END IF;
		RETURN q * units * again;
	ELSIF component = 'service_types' THEN
		a := round((i->>'premium')::numeric * power(round((i->>'network_work')::numeric, 24), (f->>'service_alpha')::numeric), 24);
		IF a <> (i->>'pot')::numeric THEN RETURN -1; END IF;
		b := i->>'quality_work';
		again := CASE WHEN b > 0 THEN round(round(a, 60) / b, 60) ELSE 0 END;
		IF again <> rate THEN RETURN -1; END IF;
		RETURN q * (i->>'work')::numeric * again;
	ELSIF component = 'specialization' THEN
		again := CASE WHEN trust > 0 AND (i->>'work')::numeric > 0 AND (i->>'samples')::numeric >= (i->>'min_samples')::numeric
			THEN round(pg_temp.climb((i->>'metric')::float8, (i->>'bound')::float8, (i->>'target')::float8)::numeric, 12) ELSE 0 END;
		IF again <> (i->>'factor')::numeric THEN RETURN -1; END IF;
		RETURN (i->>'weight')::numeric * (i->>'work')::numeric * again;
	END IF;
	RETURN 0;
END $$;

CREATE FUNCTION pg_temp.amount(f jsonb) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	released numeric := f->>'released';
	score numeric := f->>'score';
	total numeric := f->>'total_score';
	mine numeric;
BEGIN
	IF score = 0 THEN RETURN 0; END IF;
	IF f ? 'cap' THEN
		mine := f->>'cap';
		IF mine <> div(released * 3500, 10000) THEN RETURN -1; END IF;
		IF (f->>'provider_quota') IS NOT NULL THEN
			released := released - (f->>'capped_providers')::numeric * mine;
			total := total - (f->>'capped_score')::numeric;
			mine := div(released * (f->>'provider_score')::numeric, total);
			IF mine <> trunc((f->>'provider_quota')::numeric) THEN RETURN -2; END IF;
			mine := mine + CASE WHEN (f->>'provider_rank')::numeric <= (f->>'provider_leftover_units')::numeric THEN 1 ELSE 0 END;
		END IF;
		IF mine <> (f->>'provider_amount')::numeric THEN RETURN -3; END IF;
		released := mine;
		total := f->>'provider_score';
	END IF;
	mine := div(released * score, total);
	IF mine <> trunc((f->>'quota')::numeric) THEN RETURN -4; END IF;
	RETURN mine + CASE WHEN (f->>'rank')::numeric <= (f->>'leftover_units')::numeric THEN 1 ELSE 0 END;
END $$;

CREATE TABLE pg_temp.again AS
SELECT l.label, l.epoch_id, l.node_id, l.component, l.part, l.f, (l.f->>'score')::numeric AS said_score, (l.f->>'amount')::numeric AS said_amount,
	CASE WHEN l.component = 'new_regions' THEN coalesce((l.f->>'contribution')::numeric * round(greatest(0, 1 - (l.f->>'age')::numeric / (l.f->>'freshness_epochs')::numeric), 12) * (CASE
			WHEN (l.f->>'region_demand')::numeric > 0 THEN round(1 + ((l.f->>'region_multiplier_max')::numeric - 1) * round(greatest(0,
				1 - (l.f->>'region_covered')::float8 / (l.f->>'region_demand')::float8 / (l.f->>'target_fraction')::float8)::numeric, 15), 12) ELSE 1 END - 1), 0)
		WHEN l.part = 'geographic' THEN (l.f->>'contribution')::numeric * (l.f->>'share')::numeric
		ELSE coalesce((SELECT sum(pg_temp.item_score(l.component, l.part, l.f, i.f, (q.f->>'trust')::numeric)) FROM pg_temp.item i
			WHERE (i.label, i.epoch_id, i.node_id, i.component, i.part) = (l.label, l.epoch_id, l.node_id, l.component, l.part)), 0) END AS score,
	pg_temp.amount(l.f) AS amount
FROM pg_temp.lot l JOIN pg_temp.lot q ON (q.label, q.epoch_id, q.node_id, q.component) = (l.label, l.epoch_id, l.node_id, 'quality')
WHERE l.f ? 'score';

SELECT is_empty(format($$ SELECT label, epoch_id, node_id, score, said_score FROM pg_temp.again WHERE (component, part) = (%L, %L) AND score IS DISTINCT FROM said_score $$, component, part),
	rtrim(format('scores follow from their factors: %s %s', component, part))) FROM (SELECT DISTINCT component, part FROM pg_temp.again) x ORDER BY component, part;
SELECT is_empty(format($$ SELECT label, epoch_id, node_id, amount, said_amount FROM pg_temp.again WHERE (component, part) = (%L, %L) AND amount IS DISTINCT FROM said_amount $$, component, part),
	rtrim(format('amounts follow from scores: %s %s', component, part))) FROM (SELECT DISTINCT component, part FROM pg_temp.again) x ORDER BY component, part;
SELECT is_empty($$ SELECT t.* FROM pg_temp.truth t
		LEFT JOIN (SELECT label, epoch_id, node_id, component, sum(score) AS score, sum(amount) AS amount FROM pg_temp.again GROUP BY 1, 2, 3, 4) a USING (label, epoch_id, node_id, component)
	WHERE (t.score, t.amount) IS DISTINCT FROM (a.score, a.amount) $$, 'and are what the ledger paid, for every node, epoch and component');
SELECT is_empty($$ SELECT label, epoch_id, node_id FROM pg_temp.word w WHERE stem = 'amount' AND part = ''
	GROUP BY 1, 2, 3 HAVING sum(value) FILTER (WHERE component = 'total') IS DISTINCT FROM sum(value) FILTER (WHERE component <> 'total') OR count(*) <> 7 $$, 'the six amounts add up to the total');
SELECT is_empty($$ SELECT l.label, l.epoch_id, l.component FROM pg_temp.lot l, jsonb_to_record(l.f) q (budget numeric, carried_in numeric, released numeric, growth numeric, growth_target numeric)
	WHERE l.f ? 'budget' AND released <> CASE WHEN growth < growth_target THEN div((budget + carried_in) * growth, growth_target) ELSE budget + carried_in END $$,
	'what a pool shared out follows from its budget');

-- and all of it was put to the test
SELECT is((SELECT count(*) FROM pg_temp.truth), (SELECT 6 * count(*) FROM (SELECT DISTINCT label, epoch_id, node_id FROM pg_temp.told) x), 'every node of every epoch is explained in each component');
SELECT is((SELECT count(DISTINCT (label, component, part)) FROM pg_temp.again WHERE amount > 0), 14::bigint, 'every component pays somewhere, with a cap and without');
SELECT ok((SELECT bool_or((f->>'rank')::numeric <= (f->>'leftover_units')::numeric) AND bool_or((f->>'rank')::numeric > (f->>'leftover_units')::numeric) FROM pg_temp.again),
	'some get a leftover unit and some do not');
SELECT ok((SELECT bool_or(f->>'provider_quota' IS NULL) AND bool_or((f->>'provider_rank')::numeric <= (f->>'provider_leftover_units')::numeric)
	AND bool_or((f->>'provider_rank')::numeric > (f->>'provider_leftover_units')::numeric) AND bool_or((f->>'capped_providers')::int > 1) FROM pg_temp.again WHERE f ? 'cap'),
	'some providers reach the cap, and of those that do not some get a leftover unit');

-- what people read
CREATE FUNCTION pg_temp.note(node_id bigint, component text, term text) RETURNS text LANGUAGE sql AS
$$ SELECT t.note FROM pg_temp.told t WHERE (t.label, t.epoch_id, t.node_id, t.component, t.term) = ('free', 1001, note.node_id, note.component, note.term) $$;
SELECT is(pg_temp.note(1005, 'quality', 'availability'), 'uptime 95 % is below the target 99.5 %: availability 0.526316 = (0.95 - 0.9) / (0.995 - 0.9)', 'what would have raised availability');
SELECT matches(pg_temp.note(1001, 'quality', 'trust'), '^the claimed place is impossible by 2 of its beacons: [0-9.]+ m more than the 50000 m allowed for$', 'what would have raised trust');
SELECT is(pg_temp.note(1006, 'quality', 'trust'), '0 beacons measured it, fewer than 1: trust 0.5, where it would be 1', 'what else would have');
SELECT is(pg_temp.note(1001, 'network_capacity', 'score'), 'its quality is 0', 'why nothing for capacity');
SELECT is(pg_temp.note(1002, 'quality', 'uptime'), 'without telemetry it counts as down', 'why no availability');
SELECT is(pg_temp.note(1002, 'coverage_gaps', 'geographic score'), 'its contribution is 0', 'why nothing for gaps');
SELECT is(pg_temp.note(1002, 'specialization', 'score'), 'it did no work that a rule of the policy is about', 'why nothing for specialization');
SELECT is(pg_temp.note(1003, 'contribution', 'value'), 'it offers no resource that has a value', 'why no contribution');
SELECT is(pg_temp.note(1003, 'resource_types', 'score'), 'it offers no resource', 'why nothing for scarce resources');
SELECT is(pg_temp.note(1004, 'new_regions', 'score'), 'no region covers its place, and this component goes by region', 'why nothing for new regions');
SELECT is(pg_temp.note(1004, 'coverage_gaps', 'resource score'), 'no region covers its place, and this half goes by region', 'why nothing for resources that a region lacks');
SELECT ok((SELECT count(*) > 0 AND bool_and(t.note = 'the pool had nothing to share out') FROM pg_temp.told t JOIN pg_temp.told r USING (label, epoch_id, node_id, component)
	WHERE (label, epoch_id, component, r.term, t.term) = ('free', 1001, 'new_regions', 'rank', 'amount')), 'why nothing in spite of a score');

-- errors
SELECT throws_ok('SELECT explain_reward(999999, 1)', 'P0002', 'epoch 999999 does not exist', 'an unknown epoch');
SELECT throws_ok('SELECT explain_reward(NULL, 1)', 'P0002', 'epoch <NULL> does not exist', 'no epoch');
\o /dev/null
SELECT pg_temp.build(1, 2);
UPDATE node SET joined_at = '2021-01-25 00:00+00', left_at = NULL, status = 'active' WHERE node_id = 1001;
CALL run_epoch(1001);
\o
SELECT throws_ok('SELECT explain_reward(1002, 1001)', '55000', 'epoch 1002 is planned and has no rewards yet', 'an epoch not computed');
SELECT throws_ok('SELECT explain_reward(1001, 1001)', 'P0002', 'node 1001 took no part in epoch 1001', 'a node that was not there yet');
SELECT throws_ok('SELECT explain_reward(1001, 4)', 'P0002', 'node 4 does not exist', 'an unknown node');
SELECT throws_ok('SELECT explain_reward(1001, NULL)', 'P0002', 'node <NULL> does not exist', 'no node');
CREATE ROLE swarm_reward_half_blind;
GRANT USAGE ON SCHEMA swarm_reward TO swarm_reward_half_blind;
GRANT SELECT ON ALL TABLES IN SCHEMA swarm_reward TO swarm_reward_half_blind;
REVOKE SELECT ON node_reward FROM swarm_reward_half_blind;
SELECT throws_ok('SET LOCAL ROLE swarm_reward_half_blind; SELECT explain_reward(1001, 1002)', '42501', 'permission denied for function explain_reward', 'who sees some rewards only gets no wrong shares');
SELECT * FROM finish();
ROLLBACK;
