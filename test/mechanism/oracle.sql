-- The engine against the oracle: everything that an epoch stores, and every amount, over generated networks.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
SET search_path = swarm_reward, public;
SET client_min_messages = warning;
\ir network.psql
\ir oracle.psql
SELECT plan(4);
\o /dev/null
SELECT network.prepare();
CREATE TEMP TABLE differs (seed int, what text, epoch_id bigint, key text, engine text, oracle text);
CREATE TEMP TABLE paid (seed int, component text, rows bigint, amount numeric);
CREATE FUNCTION pg_temp.compare(seed int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	difference jsonb;
	rewards jsonb;
BEGIN
	BEGIN
		PERFORM network.build(seed);
		FOR k IN 1001 .. 1003 + seed % 4 LOOP CALL run_epoch(k); PERFORM oracle.compute(k); END LOOP;
		SELECT jsonb_agg(to_jsonb(x)) INTO difference FROM oracle.difference() x;
		SELECT jsonb_agg(to_jsonb(x)) INTO rewards FROM (SELECT r.component, count(*) AS rows, sum(r.amount) AS amount FROM reward r GROUP BY 1) x;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	INSERT INTO differs SELECT seed, x.* FROM jsonb_to_recordset(coalesce(difference, '[]')) x (what text, epoch_id bigint, key text, engine text, oracle text);
	INSERT INTO paid SELECT seed, x.* FROM jsonb_to_recordset(coalesce(rewards, '[]')) x (component text, rows bigint, amount numeric);
END $$;
\if :{?seeds}
\else
\set seeds 0
\endif
SELECT pg_temp.compare(s) FROM unnest(CASE WHEN :seeds > 0 THEN array(SELECT generate_series(1, :seeds)) ELSE ARRAY[1, 2, 3, 5, 6, 7, 8, 9, 12, 16, 22, 37] END) s;
\o
SELECT is_empty($$ SELECT what, count(*), min(concat_ws(' ', 'seed', seed, 'epoch', epoch_id, key, 'engine', engine, 'oracle', oracle)) FROM differs WHERE what NOT LIKE 'reward%' AND what NOT LIKE 'pool%' GROUP BY 1 ORDER BY 1 $$,
	'what is frozen, fields, references, prices, pots');
SELECT is_empty($$ SELECT what, count(*), min(concat_ws(' ', 'seed', seed, 'epoch', epoch_id, key, 'engine', engine, 'oracle', oracle)) FROM differs WHERE what LIKE 'pool%' GROUP BY 1 ORDER BY 1 $$,
	'pools: budget, carry, ceiling, treasury');
SELECT is_empty($$ SELECT what, count(*), min(concat_ws(' ', 'seed', seed, 'epoch', epoch_id, key, 'engine', engine, 'oracle', oracle)) FROM differs WHERE what LIKE 'reward%' GROUP BY 1 ORDER BY 1 $$,
	'rewards: scores and amounts');
SELECT ok((SELECT count(*) = 7 AND min(rows) >= 50 FROM (SELECT component, sum(rows) AS rows FROM paid WHERE amount > 0 GROUP BY 1) c), 'of which there are enough, in all seven pools');
SELECT * FROM finish();
ROLLBACK;
