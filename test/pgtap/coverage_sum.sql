-- sum(coverage) and the limits that keep it exact: the same bits, or the same error,
-- in any order of rows and however workers share them; against sums of numerics.
\set ON_ERROR_STOP on
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SELECT plan(15);

-- what was once summed inexactly, for it passes 2^36
SELECT throws_ok($$ SELECT sum(c) FROM (VALUES ('0:{[0,1)=-68719476736.00002,[1,12)=68719476736.00003}'::coverage)) v(c) $$,
                 '22003', 'coverage value -68719476736.00002 is beyond 2^36, the most that can be summed exactly', 'a value beyond 2^36');
SELECT throws_ok($$ SELECT sum(c) FROM (VALUES ('0:{[0,1)=68719476735}'::coverage), ('0:{[1,2)=-1.0000152587890625}')) v(c) $$,
                 '22003', 'coverage values could add up to more than 2^36 in magnitude', 'values that could pass it, though these do not meet');
SELECT is(sum(c)::text, '0:{[0,1)=-68719476736,[1,12)=68719476736}', 'exactly 2^36 is allowed')
FROM (VALUES ('0:{[0,1)=-68719476735,[1,12)=68719476735}'::coverage), ('0:{[0,1)=-0.9999847412109375,[1,12)=0.9999847412109375}'),
             ('0:{[0,1)=-0.0000152587890625,[1,12)=0.0000152587890625}')) v(c);
SELECT is(sum(c)::text, '0:{[0,1)=-34359738367.999985,[1,12)=34359738368.000015}', 'signs change by the most that there is')
FROM (VALUES ('0:{[0,1)=-34359738368,[1,12)=34359738367.999985}'::coverage), ('0:{[0,1)=0.0000152587890625,[1,12)=0.000030517578125}')) v(c);
SELECT throws_ok($$ SELECT sum(c) FROM (VALUES ('0:{[0,1)=0.00001}'::coverage)) v(c) $$, '22023', NULL, 'no multiple of 2^-16');

-- the limit of weights, in either order: 2^37 and the least weight is too much
SELECT throws_ok($$ SELECT density_agg('POINT(0 0)'::geography, w ORDER BY w DESC) FROM (VALUES (2.0::float8 ^ 37), (2.0::float8 ^ -16)) v(w) $$,
                 '22003', 'weights add up to more than 2^37', 'the largest weight first');
SELECT throws_ok($$ SELECT density_agg('POINT(0 0)'::geography, w ORDER BY w) FROM (VALUES (2.0::float8 ^ 37), (2.0::float8 ^ -16)) v(w) $$,
                 '22003', 'weights add up to more than 2^37', 'the least first');
SELECT is(coverage_sum(density_agg('POINT(0 0)'::geography, w)), 2.0::float8 ^ 37, 'exactly 2^37 is allowed')
FROM (VALUES (2.0::float8 ^ 37 - 2.0::float8 ^ -16), (2.0::float8 ^ -16)) v(w);

-- What a query gives under some settings: a text, or the error.
CREATE FUNCTION pg_temp.answer(query text, workers int, leader boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('max_parallel_workers_per_gather', workers::text, true), set_config('parallel_leader_participation', leader::text, true);
    EXECUTE query INTO answer;
    RETURN answer;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN sqlstate || ' ' || sqlerrm;
END $$;

-- Sets of signed fields of order 1, of any steps between their 48 cells, in units of 2^-16.
-- Their magnitudes come to more or less than 2^36, in some sets by one unit, in others
-- to just that, and most of them are large enough for every bit to count.
CREATE TABLE field_set AS
SELECT set_id, 2 + set_id % 11 AS fields,
       (2::numeric ^ 52 + CASE set_id % 4 WHEN 0 THEN 0 WHEN 1 THEN 1 WHEN 2 THEN -1 ELSE -floor(2::numeric ^ 52 * random()::numeric) END)::bigint AS units
FROM (SELECT setseed(0.625)) s, generate_series(1, 24) set_id;
CREATE TABLE magnitude AS
SELECT set_id, field_id,
       CASE WHEN field_id < fields THEN (units / fields * (0.5 + random()))::bigint / 2 END AS units
FROM field_set, generate_series(1, fields) field_id;
UPDATE magnitude m SET units = s.units - (SELECT sum(o.units) FROM magnitude o WHERE o.set_id = m.set_id AND o.units IS NOT NULL)
FROM field_set s WHERE s.set_id = m.set_id AND m.units IS NULL;
CREATE TABLE cell_units AS
SELECT set_id, field_id, cell,
       CASE WHEN cell = field_id % 48 THEN units * (1 - 2 * (field_id % 2))
            WHEN random() < 0.3 THEN 0
            ELSE (units * (2 * random() - 1)::numeric)::bigint END::numeric AS units
FROM magnitude, generate_series(0, 47) cell;
CREATE TABLE field AS
SELECT set_id, field_id, md5(set_id::text || field_id) AS shuffled, ('1:{' || string_agg(format('[%s,%s)=%s', cell, cell + 1, (units / 65536)::float8), ',' ORDER BY cell) || '}')::coverage AS c
FROM cell_units GROUP BY set_id, field_id;
ALTER TABLE field SET (parallel_workers = 4);
CREATE TABLE field_backwards AS SELECT * FROM field ORDER BY shuffled DESC;
ALTER TABLE field_backwards SET (parallel_workers = 4);
ANALYZE field;
ANALYZE field_backwards;

SELECT ok(bool_and(m.most = s.units) AND count(*) = 24, 'the magnitudes are what was wanted')
FROM field_set s JOIN (SELECT set_id, sum(most) AS most FROM (SELECT set_id, field_id, max(abs(units)) AS most FROM cell_units GROUP BY 1, 2) f GROUP BY 1) m USING (set_id);
SELECT ok(count(*) FILTER (WHERE units > 2::numeric ^ 52) = 6 AND count(*) FILTER (WHERE units = 2::numeric ^ 52) = 6, 'a quarter of them too large by one, another as large as they may be') FROM field_set;

SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
CREATE TABLE answer AS
SELECT set_id, w.workers, w.leader, q.n AS variant, pg_temp.answer(format(q.query, set_id), w.workers, w.leader) AS answer
FROM field_set,
     (VALUES (0, true), (1, false), (2, true), (4, false)) w(workers, leader),
     (VALUES (1, 'SELECT sum(c)::text FROM field WHERE set_id = %s'),
             (2, 'SELECT sum(c)::text FROM field_backwards WHERE set_id = %s'),
             (3, 'SELECT sum(c ORDER BY shuffled)::text FROM field WHERE set_id = %s'),
             (4, 'SELECT sum(part)::text FROM (SELECT sum(c) AS part FROM field WHERE set_id = %s GROUP BY field_id %% 3) p')) q(n, query)
-- the sum of parts has the magnitudes of parts: less, where signs meet
WHERE q.n < 4 OR units <= 2::numeric ^ 52;

-- the oracle: numerics, cell by cell
CREATE TABLE expected AS
SELECT set_id, CASE WHEN max(s.units) > 2::numeric ^ 52 THEN '22003 coverage values could add up to more than 2^36 in magnitude'
                    ELSE ('1:{' || string_agg(format('[%s,%s)=%s', cell, cell + 1, (c.units / 65536)::float8), ',' ORDER BY cell) || '}')::coverage::text END AS answer
FROM (SELECT set_id, cell, sum(units) AS units FROM cell_units GROUP BY 1, 2) c JOIN field_set s USING (set_id)
GROUP BY set_id;
SELECT is(count(*) FILTER (WHERE a.answer IS DISTINCT FROM e.answer), 0::bigint, count(*) || ' sums in other orders and plans are what numerics add up to, or the one error')
FROM answer a JOIN expected e USING (set_id);
SELECT is(count(*), 6::bigint, 'which a quarter of the sets has') FROM expected WHERE answer LIKE '22003%';

CREATE FUNCTION pg_temp.plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; plan text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line || E'\n'; END LOOP;
    RETURN plan;
END $$;
SELECT matches(pg_temp.plan('SELECT sum(c) FROM field WHERE set_id = 7'), 'Finalize Aggregate(.|\n)*Workers Planned: 4(.|\n)*Partial Aggregate', 'four workers shared them');

-- the limit of weights, shared by workers too
CREATE TABLE point AS SELECT i, md5(i::text) AS shuffled, CASE WHEN i = 1 THEN 2.0::float8 ^ 37 - 4999 * 2.0::float8 ^ -16 ELSE 2.0::float8 ^ -16 END AS weight FROM generate_series(1, 5000) i;
ALTER TABLE point SET (parallel_workers = 4);
ANALYZE point;
SELECT is(array_agg(DISTINCT pg_temp.answer(format('SELECT density_agg(''POINT(0 0)''::geography, weight%s, 0)::text FROM point', o), w, l)),
          ARRAY['0:{[4,5)=137438953472}'], 'weights that add up to just 2^37, in any order and plan')
FROM unnest(ARRAY[0, 1, 4]) w, unnest(ARRAY[true, false]) l, unnest(ARRAY['', ' + 0']) o;
UPDATE point SET weight = weight + 2.0::float8 ^ -16 WHERE i = 1;
SELECT is(array_agg(DISTINCT pg_temp.answer('SELECT density_agg(''POINT(0 0)''::geography, weight, 0)::text FROM ' || t, w, l)),
          ARRAY['22003 weights add up to more than 2^37'], 'and to the least more')
FROM unnest(ARRAY[0, 1, 4]) w, unnest(ARRAY[true, false]) l,
     unnest(ARRAY['point', '(SELECT * FROM point ORDER BY weight, shuffled) p', '(SELECT * FROM point ORDER BY weight DESC, shuffled) p']) t;

SELECT * FROM finish();
ROLLBACK;
