-- A flipped bit is found: one value in every column of every sealed table is
-- changed behind the guards' back, and verify_epoch must name the table.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
\o /dev/null
SELECT pg_temp.build(4, 14);
\o
UPDATE policy SET emission = 1000000007 WHERE policy_id = 1000;
UPDATE epoch SET budget = NULL WHERE epoch_id = 1002;
CALL run_epoch(1001);
CALL run_epoch(1002);

-- what is sealed: every row of these tables that belongs to the epoch, its own row, its policy and its rules
CREATE TABLE pg_temp.target AS
SELECT r.relation, c.name AS attname, format_type(a.atttypid, a.atttypmod) AS type,
	CASE WHEN r.relation IN ('policy', 'specialization') THEN 'policy_id = 1000' ELSE 'epoch_id = 1002' END AS filter,
	EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey)) AS is_key
FROM (SELECT relation FROM sealed_relation() UNION ALL VALUES ('epoch'), ('policy'), ('specialization')) r
	CROSS JOIN LATERAL unnest(epoch_columns(r.relation)) c (name)
	JOIN pg_attribute a ON a.attrelid = to_regclass('swarm_reward.' || r.relation) AND a.attname = c.name
UNION ALL
SELECT 'epoch_seal', a.attname, format_type(a.atttypid, a.atttypmod), 'epoch_id = 1002', a.attname IN ('epoch_id', 'relation')
FROM pg_attribute a WHERE a.attrelid = 'epoch_seal'::regclass AND a.attnum > 0
UNION ALL
SELECT 'epoch', 'digest', 'bytea', 'epoch_id = 1002', false;
SELECT plan(8 + (SELECT count(*) FROM pg_temp.target)::int + (SELECT count(DISTINCT relation) FROM pg_temp.target)::int);

SELECT ok((SELECT count(*) > 150 FROM pg_temp.target), 'there are many columns');
SELECT is((SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = 'epoch'::regclass AND a.attnum > 0 AND a.attname <> 'digest' AND a.attname <> ALL (epoch_columns('epoch'))),
	ARRAY['computed_at', 'final_at', 'grace_period', 'note', 'opened_at', 'restatements', 'statements', 'status'], 'of an epoch only these are no inputs');
SELECT is((SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = 'policy'::regclass AND a.attnum > 0 AND a.attname <> ALL (epoch_columns('policy'))),
	ARRAY['is_builtin', 'note', 'sealed_rules'], 'of a policy only these');
SELECT is_empty($$ SELECT relation, a.attname FROM sealed_relation(), pg_attribute a WHERE a.attrelid = to_regclass('swarm_reward.' || relation) AND a.attnum > 0 AND a.attname <> ALL (epoch_columns(relation)) $$,
	'of the tables of an epoch none');
SELECT is_empty('SELECT * FROM verify_epoch(1002) WHERE NOT ok', 'the epoch verifies before anything is changed');

-- nothing but the seals is to find it
SET LOCAL session_replication_role = replica;
DO $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT n.conrelid::regclass AS rel, n.conname FROM pg_constraint n
		WHERE n.contype IN ('c', 'x') AND n.conrelid IN (SELECT to_regclass('swarm_reward.' || relation) FROM pg_temp.target)
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
		WHEN type = 'text[]' THEN '%1$I[2 :]'
		WHEN type = 'bytea' THEN 'set_bit(%1$I, 7, 1 - get_bit(%1$I, 7))'
		WHEN type = 'interval' THEN '%1$I + interval ''1 microsecond'''
		WHEN type = 'timestamp with time zone' THEN '%1$I + interval ''1 microsecond'''
		WHEN type = 'tstzrange' THEN 'tstzrange(lower(%1$I), upper(%1$I) - interval ''1 microsecond'')'
		WHEN type = 'geography(Point,4326)' THEN 'ST_MakePoint(ST_X(%1$I::geometry), ST_Y(%1$I::geometry) * (1 + 2.3e-16::float8))::geography'
		WHEN type = 'coverage' THEN 'coverage_greatest(%1$I, 1e-300)' END $$;
SELECT is_empty('SELECT DISTINCT type FROM pg_temp.target WHERE pg_temp.flipped(type, is_key) IS NULL', 'values of every type can be changed');

-- what verify_epoch does not like after a statement, which is undone; how many rows it changed
CREATE FUNCTION pg_temp.disliked(statement text, OUT checks text[], OUT changed bigint) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE statement;
		GET DIAGNOSTICS changed = ROW_COUNT;
		BEGIN
			SELECT array_agg(v.check_name) INTO checks FROM verify_epoch(1002) v WHERE NOT v.ok;
		EXCEPTION WHEN no_data_found THEN checks := ARRAY[SQLERRM];
		END;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
END $$;
CREATE FUNCTION pg_temp.named(relation text, attname text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN (relation, attname) = ('epoch', 'epoch_id') THEN 'epoch 1002 does not exist' 
		WHEN relation = 'epoch_seal' OR attname = 'digest' AND relation = 'epoch' THEN 'digest' ELSE 'seal of ' || relation END $$;

-- one row, where the value is known if there is one where it is
SELECT ok(f.changed = 1 AND pg_temp.named(t.relation, t.attname) = ANY (f.checks), format('%s.%s: a changed %s', t.relation, t.attname, t.type))
	|| CASE WHEN pg_temp.named(t.relation, t.attname) = ANY (f.checks) THEN '' ELSE E'\n# ' || f.changed || ' ' || coalesce(f.checks::text, 'nothing') END
FROM pg_temp.target t, LATERAL pg_temp.disliked(format('UPDATE %1$I SET %2$I = %3$s WHERE ctid = (SELECT ctid FROM %1$I WHERE %4$s ORDER BY %2$I IS NULL, ctid LIMIT 1)',
	t.relation, t.attname, format(pg_temp.flipped(t.type, t.is_key), t.attname), t.filter)) f
ORDER BY t.relation, t.attname;
SELECT ok(f.changed = 1 AND CASE t.relation WHEN 'epoch' THEN 'epoch 1002 does not exist' WHEN 'epoch_seal' THEN 'digest' ELSE 'seal of ' || t.relation END = ANY (f.checks), format('%s: a missing row', t.relation))
FROM (SELECT DISTINCT relation, filter FROM pg_temp.target) t, LATERAL pg_temp.disliked(format('DELETE FROM %1$I WHERE ctid = (SELECT ctid FROM %1$I WHERE %2$s LIMIT 1)', t.relation, t.filter)) f
ORDER BY t.relation;
SELECT ok((SELECT checks @> ARRAY['verify_reward', 'seal of epoch_pool'] FROM pg_temp.disliked($$ UPDATE epoch_pool SET component = 'something' WHERE epoch_id = 1002 AND component = 'new_regions' $$)),
	'a part that cannot be computed is named, and the others are still reported');
SELECT is_empty('SELECT * FROM verify_epoch(1002) WHERE NOT ok', 'and all is well when it is put back');
SELECT * FROM finish();
ROLLBACK;
