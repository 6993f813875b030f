-- How an epoch's tables are made: queries in shares, each computed by one process, whose rows are put many at a time.
\set ON_ERROR_STOP 1
BEGIN;
SET search_path = swarm_reward, swarm_reward_internal, public;
SET client_min_messages = warning;
SELECT plan(39);

-- ---- shares ----
SELECT is_empty($$ SELECT k, n FROM (SELECT generate_series(-300, 300) UNION ALL VALUES (9223372036854775807), (-9223372036854775808)) v (k), generate_series(1, 9) n, generate_series(0, n - 1) s
	GROUP BY k, n HAVING count(*) FILTER (WHERE is_share(s, n, k)) <> 1 $$, 'a key belongs to one share');
SELECT is_empty($$ SELECT n, s FROM generate_series(2, 9) n, generate_series(0, n - 1) s, generate_series(1, 10000) k
	GROUP BY n, s HAVING abs(count(*) FILTER (WHERE is_share(s, n, k * 8)) * n - 10000) > 1000 $$, 'shares are of about one size, also of keys that are multiples of a number');
SELECT is(is_share(NULL, 2, 1) OR is_share(0, NULL, 1) OR is_share(0, 2, NULL), NULL, 'NULL for NULL');
SELECT throws_ok('SELECT is_share(0, 0, 1)', '22023', 'there cannot be 0 shares', 'no share is an error');
SELECT is(in_shares('SELECT 1 WHERE {share t.a} AND {share coalesce(t.b, 0)}', 2),
	'SELECT 1 WHERE is_share(0, 2, t.a) AND is_share(0, 2, coalesce(t.b, 0)) UNION ALL SELECT 1 WHERE is_share(1, 2, t.a) AND is_share(1, 2, coalesce(t.b, 0))', 'two shares');
SELECT is(in_shares('SELECT 1 WHERE {share t.a} AND {share coalesce(t.b, 0)}', n), 'SELECT 1 WHERE true AND true', 'one share') FROM (VALUES (1), (0), (NULL)) v (n);
SELECT is(in_shares('SELECT 1', 1), 'SELECT 1', 'a query without');
SELECT is(in_shares(NULL, 3), NULL, 'NULL for no query');

-- ---- the k-th smallest ----
CREATE TEMP TABLE number AS
SELECT g, CASE WHEN hashint8(g * 1000 + i) % 5 <> 0 THEN (hashint8(i * 7 + g) % 20)::double precision / 3 END AS x FROM generate_series(1, 60) g, generate_series(1, 12) i WHERE i <= g % 13;
SELECT bag_eq($$ SELECT g, k, smallest(x, k) FROM number, generate_series(0, 9) k GROUP BY g, k $$,
	$$ SELECT DISTINCT g, k, (SELECT y.x FROM (SELECT n.x, row_number() OVER (ORDER BY n.x) AS rank FROM number n WHERE n.g = o.g AND n.x IS NOT NULL) y WHERE y.rank = k) FROM number o, generate_series(0, 9) k $$,
	'the k-th smallest, as by sorting');
SELECT is(smallest(x, 1), NULL, 'of nothing') FROM (SELECT 1::double precision WHERE false) v (x);
SELECT is(smallest(x, NULL), NULL, 'none that is not named') FROM (VALUES (1::double precision)) v (x);
SELECT is(array_agg(s ORDER BY k), '{-Infinity,1,NaN}', 'NaN is the largest, as in sorting') FROM (SELECT k, smallest(x, k) AS s FROM (VALUES ('NaN'::double precision), (1), ('-Infinity')) v (x), generate_series(1, 3) k GROUP BY k) r;
SELECT is(smallest(x, 1000), 1000::double precision, 'the thousandth') FROM generate_series(1000, 1, -1) x;
SELECT throws_ok('SELECT smallest(1, 1001)', '22023', 'the smallest number 1001 is asked for', 'no more');
SELECT throws_ok('SELECT smallest(1, -1)', '22023', 'the smallest number -1 is asked for', 'nor fewer');

-- ---- tables that are filled ----
CREATE TABLE public.filled (a int, b text, c geography);
SELECT is(fill_table('public.filled', 'SELECT i, repeat(md5(i::text), CASE WHEN i % 100 = 0 THEN 2000 END), CASE WHEN i % 7 = 0 THEN ST_Point(i % 180, 1)::geography END FROM generate_series(1, 10000) i', NULL),
	10000::bigint, 'number of rows');
SELECT bag_eq('SELECT a, md5(b), c::text FROM public.filled', 'SELECT i, md5(repeat(md5(i::text), CASE WHEN i % 100 = 0 THEN 2000 END)), (CASE WHEN i % 7 = 0 THEN ST_Point(i % 180, 1)::geography END)::text FROM generate_series(1, 10000) i', 'they are the rows of the query, long ones, too');
SELECT is(fill_table('public.filled', 'SELECT f.a, f.b, f.c FROM public.filled f', NULL), 10000::bigint, 'from itself: the rows that were there');
SELECT is(fill_table('public.filled', 'SELECT 1, NULL::text, NULL::geography WHERE false', NULL), 0::bigint, 'no row');
SELECT is((SELECT count(*) FROM public.filled), 20000::bigint, 'all are there');
SELECT is(fill_table('public.filled', 'SELECT cardinality(($1).codes), NULL::text, (($1).boundaries)[1]', ROW('{x,y}'::code[], ARRAY['POINT(1 2)']::geography[])::region_list), 1::bigint, 'with regions');
SELECT is(fill_table(NULL, 'SELECT 1', NULL) + fill_table('public.filled', NULL, NULL), NULL, 'NULL for NULL');
SELECT throws_ok($$ SELECT fill_table('public.filled', 'SELECT 1, 2, 3', NULL) $$, '42804', 'column 2 of the query is not that of table "filled"', 'a column of another type');
SELECT throws_ok($$ SELECT fill_table('public.filled', 'SELECT 1', NULL) $$, '42804', 'column 2 of the query is not that of table "filled"', 'a column too few');
SELECT throws_ok($$ SELECT fill_table('public.filled', 'SELECT 1, NULL::text, NULL::geography, 4', NULL) $$, '42804', 'column 4 of the query is not that of table "filled"', 'one too many');
SELECT throws_ok($$ SELECT fill_table('public.filled', 'SELECT 1 / (500 - i), NULL::text, NULL::geography FROM generate_series(1, 1000) i', NULL) $$, '22012', NULL, 'an error of the query');
SELECT is((SELECT count(*) FROM public.filled), 20001::bigint, 'leaves no row');
SELECT throws_ok($$ SELECT fill_table('swarm_reward_internal.turn', 'SELECT ''x''::code, 1::bigint', NULL) $$, '42809', '"turn" is no plain table that this transaction has just made', 'a table that others may look at');
CREATE INDEX ON public.filled (a);
SELECT throws_ok($$ SELECT fill_table('public.filled', 'SELECT 1, NULL::text, NULL::geography', NULL) $$, '42809', NULL, 'a table with an index');
CREATE TABLE public.parted (a int) PARTITION BY LIST (a);
CREATE TABLE public.part PARTITION OF public.parted FOR VALUES IN (1);
SELECT throws_ok($$ SELECT fill_table('public.part', 'SELECT 2', NULL) $$, '42809', NULL, 'a partition');
CREATE TABLE public.guarded (a int);
ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY;
SELECT throws_ok($$ SELECT fill_table('public.guarded', 'SELECT 2', NULL) $$, '42809', NULL, 'a table with policies');
CREATE TABLE public.outer_made (a int);
SAVEPOINT inner_one;
SELECT is(fill_table('public.outer_made', 'SELECT 2', NULL), 1::bigint, 'a table that was made before a savepoint');
ROLLBACK TO inner_one;
SELECT is_empty('TABLE public.outer_made', 'is empty after it is gone back to');
CREATE VIEW public.no_table AS SELECT 1 AS a;
SELECT throws_ok($$ SELECT fill_table('public.no_table', 'SELECT 1', NULL) $$, '42809', NULL, 'a view');

-- ---- an epoch is the same to the bit, in however many shares ----
\ir small.psql
UPDATE node SET hardware_id = '{share n.node_id}' WHERE hardware_id = 'h4';
INSERT INTO beacon (beacon_id, name, location) SELECT b, b::text, ST_Point(b * 11 - 120, 45) FROM generate_series(1, 12) b;
UPDATE policy SET min_beacons = 2 WHERE name = 'p';
INSERT INTO beacon_rtt (node_id, beacon_id, measured_at, rtt_ms) SELECT n.node_id, b.beacon_id, t, min_rtt(n.location, b.location) * 1.4 + (b.beacon_id * n.node_id) % 5
FROM node n, beacon b, generate_series(timestamptz '2024-01-02', '2024-03-20', '5 days 3 hours') t WHERE t >= n.joined_at AND (n.left_at IS NULL OR t < n.left_at) AND (b.beacon_id + n.node_id) % 3 > 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL max_parallel_workers_per_gather = 0;
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);
CREATE TEMP TABLE alone AS SELECT e.epoch_id, e.digest FROM epoch e;
SET LOCAL max_parallel_workers_per_gather = 3;
CALL run_epoch(1, 'again');
SELECT bag_eq('SELECT e.epoch_id, e.digest FROM epoch e', 'TABLE alone', 'three shares');
SET LOCAL max_parallel_workers_per_gather = 100;
CALL run_epoch(1, 'again');
SELECT bag_eq('SELECT e.epoch_id, e.digest FROM epoch e', 'TABLE alone', 'as many as there may be');
-- hardware with two stays in an epoch is named in a query
SELECT set_eq($$ SELECT DISTINCT o.owner FROM epoch_owner o WHERE o.epoch_id = 2 AND o.kind = 'hardware' $$, ARRAY['h1', 'h2', 'h3', '{share n.node_id}'], 'a name that looks like a part of a query is none');
SELECT * FROM finish();
ROLLBACK;
