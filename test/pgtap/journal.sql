-- The journal over random histories: epochs, corrections, restatements, payouts, failures, cancellations and funding in
-- any order. After each step money is what it must be, to the unit, worked out from other tables than the journal's.
-- Eight histories, or as many as psql's variable histories says.
\set ON_ERROR_STOP on
\if :{?histories} \else \set histories 8 \endif
\if :{?first} \else \set first 1 \endif
BEGIN;
SET client_min_messages = error;
SELECT plan(9);

CREATE TEMP TABLE wrong (seed int, step int, what text);
CREATE TEMP TABLE done (seed int, what text, amount numeric);
CREATE FUNCTION pg_temp.r(seed int, what text, i bigint DEFAULT 0) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || substr(md5(seed || ' ' || what || ' ' || i), 1, 8))::bit(32)::bigint / 4294967296.0::float8 $$;
CREATE FUNCTION pg_temp.held(kind text) RETURNS numeric LANGUAGE sql AS
$$ SELECT coalesce(sum(p.amount), 0) FROM account a JOIN posting p USING (account_id) WHERE a.kind = $1 $$;

-- A network of four providers and eight machines that grow, with five epochs of six days to come.
CREATE FUNCTION pg_temp.build(seed int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO resource_type (code, unit) VALUES ('gpu', 'GPU'), ('cpu', 'core');
	INSERT INTO service_type (code) VALUES ('infer');
	INSERT INTO region (code, name, boundary) VALUES ('R', 'region', 'MULTIPOLYGON(((0 40,20 40,20 55,0 55,0 40)))');
	INSERT INTO demand (location, weight) SELECT ST_MakePoint(1 + 18 * pg_temp.r(seed, 'lon', i), 41 + 13 * pg_temp.r(seed, 'lat', i))::geography, 100 + i FROM generate_series(1, 6) i;
	INSERT INTO resource_demand (region, resource_type, units) VALUES ('R', 'gpu', 30), ('R', 'cpu', 5);
	INSERT INTO policy (policy_id, name, effective_from, grid_order, supply_target, heartbeat_timeout, telemetry_slot, uptime_floor, uptime_target, error_limit, error_target,
		unpaid_to, carry_limit, provider_cap_bps, new_regions_price_max, network_capacity_price_max, maturity, vesting_half_life)
	VALUES (1000, 'generated', '2020-01-01', 3, 0.02, '30 hours', '12 hours', 0.5, 0.95, 0.9, 0.5,
		CASE WHEN seed % 3 = 0 THEN 'treasury' ELSE 'carry' END, (ARRAY[0, 0.5, 1, 3])[1 + seed % 4], CASE WHEN seed % 5 = 0 THEN 3000 END,
		CASE WHEN seed % 2 = 0 THEN 1000 END, CASE WHEN seed % 3 = 1 THEN 2000 END, '5 days', '12 days');
	INSERT INTO policy_resource (policy_id, resource_type, unit_value) VALUES (1000, 'gpu', 5), (1000, 'cpu', 1);
	INSERT INTO policy_service (policy_id, service_type) VALUES (1000, 'infer');
	INSERT INTO specialization (policy_id, code, metric, bound, target, min_samples) VALUES (1000, 'fast', 'p50_latency_ms', 200, 50, 1);
	INSERT INTO provider (provider_id, name, payout_address)
		SELECT i, 'provider ' || i, CASE WHEN i < 4 THEN '0x' || repeat('0', 39) || CASE WHEN seed % 2 = 0 THEN 1 ELSE i END END FROM generate_series(1, 4) i;
	INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at)
		SELECT i, 1 + i % 4, 'h' || i, ST_MakePoint(1 + 18 * pg_temp.r(seed, 'x', i), 41 + 13 * pg_temp.r(seed, 'y', i))::geography, 200000 + 400000 * pg_temp.r(seed, 'radius', i),
			timestamptz '2021-01-01' + trunc(25 * pg_temp.r(seed, 'joined', i)) * interval '1 day'
		FROM generate_series(1, 8) i;
	INSERT INTO node_resource (node_id, resource_type, units) SELECT i, CASE WHEN i % 3 = 0 THEN 'cpu' ELSE 'gpu' END, 1 + trunc(8 * pg_temp.r(seed, 'units', i)) FROM generate_series(1, 8) i;
	INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
		SELECT n.node_id, t, 30 + n.node_id, pg_temp.r(seed, 'ok', n.node_id * 1000 + extract(doy FROM t)::int) > 0.1
		FROM node n, generate_series(n.joined_at, '2021-01-30', '12 hours') t;
	INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work)
		SELECT n.node_id, 'infer', t + interval '1 second', 40 + 10 * n.node_id, true, 1 + n.node_id FROM node n, generate_series(n.joined_at, '2021-01-30', '2 days') t WHERE n.node_id % 2 = 0;
	INSERT INTO epoch (epoch_id, period, budget, baseline)
		SELECT i, tstzrange(timestamptz '2021-01-01' + (i - 1) * interval '6 days', timestamptz '2021-01-01' + i * interval '6 days'), trunc(1000003 * pg_temp.r(seed, 'budget', i)), seed % 4 > 0
		FROM generate_series(1, 5) i;
END $$;

-- A fact of the past turns out to have been another one.
CREATE FUNCTION pg_temp.correct(seed int, step int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n bigint := 1 + trunc(8 * pg_temp.r(seed, 'whose', step));
BEGIN
	CASE trunc(4 * pg_temp.r(seed, 'what', step))
		WHEN 0 THEN UPDATE node_resource SET units = trunc(12 * pg_temp.r(seed, 'new units', step)) WHERE node_id = n;
		WHEN 1 THEN PERFORM correct_node(n, jsonb_build_object('location', jsonb_build_array(1 + 18 * pg_temp.r(seed, 'new x', step), 41 + 13 * pg_temp.r(seed, 'new y', step))), 'a test');
		WHEN 2 THEN UPDATE telemetry SET ok = NOT ok WHERE node_id = n AND service_type IS NULL AND sampled_at < timestamptz '2021-01-01' + step * interval '1 day';
		ELSE UPDATE telemetry SET work = work * 3 WHERE node_id = n AND service_type IS NOT NULL;
	END CASE;
END $$;

CREATE FUNCTION pg_temp.examine(seed int, step int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO wrong
	SELECT seed, step, w.what
	FROM (SELECT coalesce(sum(budget), 0) AS budgets FROM epoch WHERE status = 'final') e,
		(SELECT coalesce(sum(amount), 0) AS funded FROM done d WHERE d.seed = examine.seed AND d.what = 'funded') f,
		LATERAL (VALUES
			('issued is not budgets', -pg_temp.held('emission') = e.budgets),
			('funding is not what was given', -pg_temp.held('funding') = f.funded),
			('what is held is not budgets and funding', pg_temp.held('pool') + pg_temp.held('treasury') + pg_temp.held('provider') + pg_temp.held('paid_out') = e.budgets + f.funded),
			('an entry does not sum to zero', NOT EXISTS (SELECT FROM posting GROUP BY entry_id HAVING sum(amount) <> 0)),
			('a pool or the treasury is below zero', NOT EXISTS (SELECT FROM account a JOIN posting p USING (account_id) WHERE a.kind IN ('pool', 'treasury', 'paid_out') GROUP BY account_id HAVING sum(p.amount) < 0)),
			('a balance is not rewards, restatements and payouts', NOT EXISTS (
				SELECT FROM provider_balance b WHERE b.balance <> (SELECT coalesce(sum(w.amount), 0) FROM (
					SELECT r.amount FROM reward r JOIN epoch o USING (epoch_id) WHERE o.status = 'final' AND r.provider_id = b.provider_id
					UNION ALL SELECT s.amount FROM restatement s WHERE s.provider_id = b.provider_id
					UNION ALL SELECT -l.amount FROM payout_line l WHERE l.provider_id = b.provider_id AND l.failed_at IS NULL) w))),
			('a statement is not rewards and restatements', NOT EXISTS (
				SELECT FROM provider_balance b WHERE b.earned + b.restated <> (SELECT coalesce(sum(s.total), 0) FROM provider_statement s WHERE s.provider_id = b.provider_id AND s.status = 'final'))),
			('a payout is not what the journal has', NOT EXISTS (SELECT FROM payout p, verify_payout(p.payout_id) v WHERE NOT v.ok))) w (what, ok)
	WHERE w.ok IS NOT TRUE
$$;

-- Restates an epoch. Where pools and treasury do not hold enough, what it says is missing is enough, and
-- now and then it is tried that one unit less is not.
CREATE FUNCTION pg_temp.restate(seed int, step int, id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	message text;
	missing numeric;
	expected numeric;	-- what should be missing after it was funded; NULL: it was not yet
	posted numeric;
	careful boolean := pg_temp.r(seed, 'careful', step) < 0.3;
BEGIN
	LOOP
		BEGIN
			SELECT coalesce(sum(amount), 0) INTO posted FROM restate_epoch(id, 'a test');
			missing := 0;
		EXCEPTION WHEN object_not_in_prerequisite_state THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
			missing := (regexp_match(message, 'takes (\d+) base units more'))[1];
		END;
		IF missing <> expected THEN
			INSERT INTO wrong VALUES (seed, step, format('%s is missing, not %s', missing, expected));
		END IF;
		EXIT WHEN missing = 0;
		expected := CASE WHEN careful AND expected IS NULL AND missing > 1 THEN 1 ELSE 0 END;
		PERFORM fund_treasury(missing - expected, 'a test');
		INSERT INTO done VALUES (seed, 'funded', missing - expected);
	END LOOP;
	INSERT INTO done VALUES (seed, 'restated', posted);
	IF careful AND EXISTS (SELECT FROM restate_epoch(id, 'again', true)) THEN
		INSERT INTO wrong VALUES (seed, step, 'a restatement leaves a difference');
	END IF;
END $$;

CREATE FUNCTION pg_temp.pay(seed int, step int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	id bigint := make_payout(1 + trunc(300000 * pg_temp.r(seed, 'at least', step))::numeric);
	failing text[];
BEGIN
	IF id IS NULL THEN
		RETURN;
	END IF;
	IF pg_temp.r(seed, 'cancel', step) < 0.2 THEN
		PERFORM cancel_payout(id, 'a test');
		INSERT INTO done VALUES (seed, 'cancelled', (SELECT total FROM payout WHERE payout_id = id));
		RETURN;
	END IF;
	PERFORM release_payout(id);
	SELECT array_agg(DISTINCT address) INTO failing FROM payout_line WHERE payout_id = id AND pg_temp.r(seed, address, step) < 0.4;
	IF failing IS NOT NULL THEN
		INSERT INTO done VALUES (seed, 'failed', fail_payout(id, failing, 'a test'));
	END IF;
	IF (SELECT status FROM payout WHERE payout_id = id) = 'released' THEN
		PERFORM confirm_payout(id, '0x1');
		INSERT INTO done VALUES (seed, 'paid', (SELECT sum(amount) FROM payout_line WHERE payout_id = id AND failed_at IS NULL));
	END IF;
END $$;

CREATE FUNCTION pg_temp.step(seed int, step int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	dice float8 := pg_temp.r(seed, 'dice', step);
	id bigint;
BEGIN
	IF dice < 0.35 THEN
		SELECT epoch_id INTO id FROM epoch WHERE status = 'planned' ORDER BY epoch_id LIMIT 1;
		IF FOUND THEN
			CALL run_epoch(id);
			UPDATE epoch SET first_computed_at = first_computed_at - interval '8 days', held_reason = NULL WHERE epoch_id = id;
		END IF;
	ELSIF dice < 0.65 THEN
		SELECT epoch_id INTO id FROM epoch WHERE status = 'computed' ORDER BY epoch_id LIMIT 1;
		IF FOUND THEN
			CALL finalize_epoch(id);
			INSERT INTO done VALUES (seed, 'final', (SELECT sum(paid) FROM epoch_pool WHERE epoch_id = id));
		END IF;
	ELSIF dice < 0.8 THEN
		SELECT epoch_id INTO id FROM epoch WHERE status = 'final' ORDER BY pg_temp.r(seed, 'which', step * 100 + epoch_id) LIMIT 1;
		IF FOUND THEN
			PERFORM pg_temp.correct(seed, step);
			PERFORM pg_temp.restate(seed, step, id);
			-- those that are computed and not final have seen what was corrected too
			FOR id IN SELECT epoch_id FROM epoch WHERE status = 'computed' ORDER BY epoch_id LIMIT 1 LOOP
				CALL run_epoch(id);
			END LOOP;
		END IF;
	ELSIF dice < 0.95 THEN
		PERFORM pg_temp.pay(seed, step);
	ELSE
		INSERT INTO done SELECT seed, 'funded', amount FROM (SELECT 1 + trunc(10000 * pg_temp.r(seed, 'fund', step))::numeric AS amount) f WHERE fund_treasury(amount, 'a test') > 0;
	END IF;
END $$;

-- A history is rolled back in the end; what it found stays.
CREATE FUNCTION pg_temp.play(seed int, steps int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	found_wrong jsonb;
	found_done jsonb;
BEGIN
	BEGIN
		PERFORM pg_temp.build(seed);
		FOR step IN 1..steps LOOP
			PERFORM pg_temp.step(seed, step);
			PERFORM pg_temp.examine(seed, step);
		END LOOP;
		SELECT jsonb_agg(w) INTO found_wrong FROM wrong w WHERE w.seed = play.seed;
		SELECT jsonb_agg(d) INTO found_done FROM done d WHERE d.seed = play.seed;
		RAISE EXCEPTION 'played' USING ERRCODE = 'SR002';
	EXCEPTION WHEN SQLSTATE 'SR002' THEN
		NULL;
	END;
	INSERT INTO wrong SELECT (jsonb_populate_record(NULL::wrong, w)).* FROM jsonb_array_elements(coalesce(found_wrong, '[]')) w;
	INSERT INTO done SELECT (jsonb_populate_record(NULL::done, d)).* FROM jsonb_array_elements(coalesce(found_done, '[]')) d;
END $$;

\o /dev/null
SELECT make_telemetry_partitions('2021-01-01', '2021-02-01', '31 days');
SELECT format('SELECT pg_temp.play(%s, 24)', s) FROM generate_series(:first, :first + :histories - 1) s \gexec
\o
SELECT is_empty('SELECT DISTINCT * FROM wrong', 'at every step money is what it must be');
SELECT cmp_ok((SELECT count(DISTINCT seed) FROM done)::int, '=', :histories, 'in as many histories as were wanted');
SELECT cmp_ok((SELECT count(*) FROM done d WHERE d.what = w)::int, '>=', :histories / 4, 'among what happened: ' || w) FROM unnest(ARRAY['final', 'restated', 'funded', 'paid', 'failed', 'cancelled']) w;
SELECT ok((SELECT count(*) FROM done d WHERE d.what = 'restated' AND amount > 0) > 0 AND (SELECT count(*) FROM done d WHERE d.what = 'restated' AND amount < 0) > 0, 'restatements went both ways');
SELECT * FROM finish();
ROLLBACK;
