-- A flipped bit is found: one value in every column of every sealed table is changed behind the guards' back, and
-- verify_epoch must name the table. What is sealed and of which type is read from the catalogue.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
\ir small.psql
-- so that every sealed table has a row of the epoch
INSERT INTO beacon (beacon_id, name, location) VALUES (1, 'b', 'POINT(9 50)');
INSERT INTO beacon_rtt SELECT node_id, 1, '2024-02-21', 200 FROM node;
INSERT INTO policy_region (policy_id, region, target_fraction) SELECT policy_id, 'eu', 0.5 FROM policy WHERE name = 'p';
CALL run_epoch(1);
CALL run_epoch(2);

CREATE TABLE pg_temp.target AS
SELECT s.relation, a.attname::text, format_type(a.atttypid, a.atttypmod) AS type, r.relkind = 'p' AS is_partitioned,
	-- a partition knows its epoch
	CASE WHEN r.relkind = 'p' THEN swarm_reward_internal.epoch_table(s.relation, 2) ELSE r.oid::regclass::text END AS stored,
	replace(replace(s.filter, '$1', '2'), '$2', (SELECT policy_id::text FROM policy WHERE name = 'p')) AS filter,
	EXISTS (SELECT FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
		WHERE i.indrelid = CASE WHEN r.relkind = 'p' THEN swarm_reward_internal.epoch_table(s.relation, 2)::regclass ELSE r.oid END AND i.indisunique AND k.attname = a.attname) AS is_key
FROM swarm_reward_internal.sealed_relation() s
	JOIN pg_class r ON r.oid = coalesce(to_regclass('swarm_reward.' || s.relation), to_regclass('swarm_reward_internal.' || s.relation))
	JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped;
-- what is no input and no result is not sealed
CREATE TABLE pg_temp.free AS SELECT relation, attname FROM pg_temp.target
WHERE (relation, attname) IN (SELECT 'epoch', c FROM unnest(ARRAY['status', 'note', 'held_reason', 'digest', 'facts', 'first_computed_at', 'computed_at', 'final_at']) c
	UNION ALL VALUES ('policy', 'note'), ('policy', 'is_builtin'));
SELECT plan(9 + 2 * (SELECT count(DISTINCT relation) FROM pg_temp.target)::int);
SELECT ok((SELECT count(*) > 180 FROM pg_temp.target), 'there are many columns');
SELECT is((SELECT count(*) FROM pg_temp.free), 10::bigint, 'of which ten are free');
SELECT is_empty('SELECT * FROM verify_epoch(2) WHERE NOT ok', 'the epoch verifies before anything is changed');
SELECT is_empty('SELECT FROM epoch WHERE epoch_id = 2 AND (engine IS NULL OR engine NOT LIKE ''swarm_reward %, postgis %'')', 'the engine and PostGIS have a version, which is sealed');

-- what a seal is of, from the server's own functions
CREATE FUNCTION pg_temp.sent(VARIADIC "values" bytea[]) RETURNS bytea LANGUAGE sql AS $$
	SELECT sha256(string_agg(CASE WHEN v IS NULL THEN int4send(-1) ELSE int4send(length(v)) || v END, '' ORDER BY o)) FROM unnest("values") WITH ORDINALITY u (v, o)
$$;
SET LOCAL client_encoding = 'LATIN1';
SELECT is(swarm_reward_internal.row_sha256(1::bigint, 'NaN'::float8, U&'\00e9\00df'::text, NULL::int, 1.50, true, tstzrange('2024-01-01', NULL), 'k'::code, -3),
	pg_temp.sent(int8send(1), float8send('NaN'), '\xc3a9c39f', NULL, numeric_send(1.50), boolsend(true), range_send(tstzrange('2024-01-01', NULL)), 'k', int4send(-3)),
	'values are hashed as they are sent, text in UTF-8 whatever the client has');
RESET client_encoding;
SELECT is(swarm_reward_internal.row_sha256(7::bigint, repeat('x', 30000), 'y'::text, repeat('z', 9000)), pg_temp.sent(int8send(7), repeat('x', 30000)::bytea, 'y', repeat('z', 9000)::bytea), 'also long ones');
SELECT isnt(swarm_reward_internal.row_sha256('ab'::text, 'c'::text), swarm_reward_internal.row_sha256('a'::text, 'bc'::text), 'where one value ends matters');

-- nothing but the seals is to find it
SET LOCAL session_replication_role = replica;
DO $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT n.conrelid::regclass AS rel, n.conname FROM pg_constraint n
		WHERE n.contype IN ('c', 'x') AND n.conrelid IN (SELECT stored::regclass FROM pg_temp.target)
	LOOP
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.rel, c.conname);
	END LOOP;
END $$;

-- the smallest change of a value of each type; of a key one that meets no other
CREATE FUNCTION pg_temp.flipped(type text, is_key boolean) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN type = 'boolean' THEN 'NOT coalesce(%1$I, false)'
		WHEN is_key AND type IN ('bigint', 'integer') THEN 'coalesce(%1$I, 0) + 1000000'
		WHEN type IN ('bigint', 'integer') THEN 'coalesce(%1$I, 0) + 1'
		WHEN type LIKE 'numeric%' THEN 'coalesce(%1$I + (''1e-'' || scale(%1$I))::numeric, 1)'
		WHEN type = 'double precision' THEN 'CASE WHEN %1$I <> 0 THEN %1$I * (1 + 2.3e-16::float8) ELSE coalesce(%1$I, 0) + 5e-324::float8 END'
		WHEN type IN ('code', 'text') THEN 'coalesce(%1$I, '''') || ''x'''
		WHEN type = 'bytea' THEN 'set_bit(%1$I, 7, 1 - get_bit(%1$I, 7))'
		WHEN type = 'interval' THEN 'coalesce(%1$I, ''0'') + interval ''1 microsecond'''
		WHEN type = 'timestamp with time zone' THEN 'coalesce(%1$I, ''2000-01-01'') + interval ''1 microsecond'''
		WHEN type = 'tstzrange' THEN 'tstzrange(lower(%1$I), upper(%1$I) - interval ''1 microsecond'')'
		WHEN type LIKE '%geography(Point,4326)' THEN 'ST_MakePoint(ST_X(%1$I::geometry), ST_Y(%1$I::geometry) * (1 + 2.3e-16::float8))::geography'
		WHEN type = 'coverage' THEN 'coverage_greatest(%1$I, 1e-300)' END $$;
SELECT is_empty('SELECT DISTINCT type FROM pg_temp.target WHERE pg_temp.flipped(type, is_key) IS NULL', 'values of every type can be changed');

-- what seals, or all of verify_epoch, do not like after a statement, which is undone
CREATE FUNCTION pg_temp.disliked(statement text, verify boolean DEFAULT false) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	checks text[];
	changed bigint;
BEGIN
	BEGIN
		EXECUTE statement;
		GET DIAGNOSTICS changed = ROW_COUNT;
		IF changed <> 1 THEN
			RAISE EXCEPTION '% rows', changed;
		END IF;
		SELECT array_agg(s.check_name) INTO checks
		FROM (SELECT 'seal of ' || coalesce(n.relation, o.relation) AS check_name
			FROM swarm_reward_internal.epoch_seals(2) n FULL JOIN (SELECT * FROM swarm_reward_internal.epoch_seal x WHERE x.epoch_id = 2) o ON o.relation = n.relation
			WHERE NOT verify AND (n.row_count, n.digest) IS DISTINCT FROM (o.row_count, o.digest)
			UNION ALL SELECT v.check_name FROM verify_epoch(CASE WHEN verify THEN 2 ELSE 1 END) v WHERE verify AND NOT v.ok) s;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
		WHEN OTHERS THEN checks := ARRAY[SQLERRM];
	END;
	RETURN checks;
END $$;
SELECT is_empty(format($q$
	SELECT t.attname, t.type, d.checks
	FROM pg_temp.target t, LATERAL (SELECT pg_temp.disliked(format('UPDATE %%1$s SET %%2$I = %%3$s WHERE ctid = (SELECT t.ctid FROM %%1$s t WHERE %%4$s ORDER BY t.%%2$I IS NULL, t.ctid LIMIT 1)',
		t.stored, t.attname, format(pg_temp.flipped(t.type, t.is_key), t.attname), t.filter)) AS checks) d
	WHERE t.relation = %L AND NOT (t.is_partitioned AND t.attname = 'epoch_id') AND (t.relation, t.attname) NOT IN (SELECT * FROM pg_temp.free)
		AND (t.relation, t.attname) NOT IN (('epoch', 'epoch_id'), ('policy', 'policy_id')) AND ('seal of ' || t.relation = ANY (d.checks)) IS NOT TRUE $q$, relation), relation || ': every column')
FROM (SELECT DISTINCT relation FROM pg_temp.target) r ORDER BY relation;

-- and verify_epoch says it, of a row that is missing
SELECT ok('seal of ' || t.relation = ANY (d.checks), t.relation || ': a missing row')
FROM (SELECT DISTINCT relation, stored, filter FROM pg_temp.target WHERE relation NOT IN ('epoch', 'policy')) t,
	LATERAL (SELECT pg_temp.disliked(format('DELETE FROM %1$s WHERE ctid = (SELECT t.ctid FROM %1$s t WHERE %2$s LIMIT 1)', t.stored, t.filter), true) AS checks) d
ORDER BY t.relation;
SELECT ok('seal of epoch' = ANY (pg_temp.disliked($$ UPDATE epoch SET engine = engine || '!' WHERE epoch_id = 2 $$, true)), 'epoch: another engine');
SELECT ok('seal of policy' = ANY (pg_temp.disliked($$ UPDATE policy SET uptime_floor = 0.5 WHERE name = 'p' $$, true)), 'policy: another rule');
SELECT results_eq($$ SELECT check_name FROM verify_epoch(2) WHERE NOT ok $$, $$ VALUES ('nothing') LIMIT 0 $$, 'all is well when it is put back');
SELECT * FROM finish();
ROLLBACK;
