-- doc/rewards.md: its table of parameters is that of the policies that ship, and its node worked by hand is what the engine computes.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
\set doc `cat doc/rewards.md`
CREATE TEMP TABLE line AS SELECT i, l FROM regexp_split_to_table(:'doc', '\n') WITH ORDINALITY u (l, i);
SELECT plan(7);

-- parameters: | name | starter | strict, where it is another | what it is |
CREATE TEMP TABLE parameter AS
SELECT a.attnum, format('| `%s` | %s | %s | %s |', a.attname, coalesce(s.value, 'none'), CASE WHEN t.value IS DISTINCT FROM s.value THEN coalesce(t.value, 'none') ELSE '' END,
	replace(col_description('policy'::regclass, a.attnum), '|', '\|')) AS l
FROM pg_attribute a, LATERAL (SELECT trim_scale(v::numeric)::text AS value FROM (SELECT to_jsonb(p) ->> a.attname AS v FROM policy p WHERE p.policy_id = 1) x WHERE v ~ '^[0-9.]+$'
		UNION ALL SELECT v FROM (SELECT to_jsonb(p) ->> a.attname AS v FROM policy p WHERE p.policy_id = 1) x WHERE v ~ '^[0-9.]+$' IS NOT TRUE) s,
	LATERAL (SELECT trim_scale(v::numeric)::text AS value FROM (SELECT to_jsonb(p) ->> a.attname AS v FROM policy p WHERE p.policy_id = 2) x WHERE v ~ '^[0-9.]+$'
		UNION ALL SELECT v FROM (SELECT to_jsonb(p) ->> a.attname AS v FROM policy p WHERE p.policy_id = 2) x WHERE v ~ '^[0-9.]+$' IS NOT TRUE) t
WHERE a.attrelid = 'policy'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('policy_id', 'name', 'effective_from', 'note', 'is_builtin');
SELECT is_empty('SELECT l FROM parameter EXCEPT SELECT l FROM line', 'every parameter is in the document, with its default');
SELECT is((SELECT count(*) FROM line WHERE i > (SELECT i FROM line WHERE l LIKE '## 8%') AND i < (SELECT i FROM line WHERE l LIKE '## 9%') AND l LIKE '| `%'), (SELECT count(*) FROM parameter), 'and no others are');

-- by hand: | term | how | value |
CALL run_epoch(1);
CALL run_epoch(2);
CREATE TEMP TABLE hand AS
SELECT m[1] AS term, m[2] AS how, replace(m[3], ' ', '')::numeric AS value, NULL::numeric AS worked FROM line, regexp_matches(l, '^\| ([a-zA-Z_, ]+) \| `([^`]+)` \| ([-0-9. ]+) \|$') m WHERE i > (SELECT i FROM line WHERE l LIKE '## 9%');
DO $$
DECLARE h record; x numeric;
BEGIN
	FOR h IN SELECT * FROM hand LOOP
		EXECUTE 'SELECT (' || h.how || ')::numeric' INTO x;
		UPDATE hand SET worked = x WHERE term = h.term;
	END LOOP;
END $$;
CREATE TEMP TABLE engine AS
SELECT v.term, v.value::numeric
FROM epoch_node n JOIN epoch_region g ON g.epoch_id = 2 AND g.region = 'us', LATERAL (VALUES ('units of gpu', (SELECT units FROM epoch_node_resource WHERE (epoch_id, node_id, resource_type) = (2, 3, 'gpu'))),
	('units of cpu', (SELECT units FROM epoch_node_resource WHERE (epoch_id, node_id, resource_type) = (2, 3, 'cpu'))), ('value', n.value), ('contribution', n.contribution), ('supply', n.supply), ('tenure', n.tenure), ('freshness', n.freshness),
	('multiplier', g.multiplier), ('need', g.need), ('pot', g.pot), ('markup', (SELECT markup FROM epoch_resource WHERE (epoch_id, resource_type) = (2, 'gpu')))) v (term, value)
WHERE (n.epoch_id, n.node_id) = (2, 3)
UNION ALL SELECT component || ', score', score::numeric FROM reward WHERE (epoch_id, node_id) = (2, 3)
UNION ALL SELECT component || ', amount', amount FROM reward WHERE (epoch_id, node_id) = (2, 3);
SELECT is_empty('SELECT * FROM hand WHERE abs(worked - value) > 1e-8 * abs(value)', 'each value worked by hand is what its formula gives');
SELECT is_empty('SELECT h.term, h.value, e.value FROM hand h JOIN engine e USING (term) WHERE abs(h.value - e.value) > 1e-8 * abs(e.value)', 'and what the engine computes');
SELECT is_empty('SELECT term FROM engine EXCEPT SELECT term FROM hand', 'nothing is left out');
SELECT cmp_ok((SELECT count(*) FROM hand), '>=', 24::bigint, 'from units to amounts');
SELECT is((SELECT sum(h.value) FROM hand h WHERE h.term LIKE '%, amount'), (SELECT sum(amount) FROM reward WHERE (epoch_id, node_id) = (2, 3)), 'which are all that the node gets');
SELECT * FROM finish();
ROLLBACK;
