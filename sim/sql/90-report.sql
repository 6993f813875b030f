-- The results of a simulation, from the CSV files of its runs: tables for people (Markdown), tables for plots (CSV).
\set ON_ERROR_STOP on
\pset footer off
CREATE TEMP TABLE measure (start text, mechanism text, seed int, epoch int, nodes int, people float8, served10 float8, served50 float8, paid numeric, to_liars numeric,
	hhi float8, inequality float8, alive int, ever int, volatility float8, true_value float8, conserved boolean);
\copy measure FROM PROGRAM 'cat "$SIM_RESULTS"/*_[0-9]*.csv' (FORMAT csv)
CREATE TEMP TABLE place AS SELECT mechanism, row_number() OVER (ORDER BY min(array_position(string_to_array(:'order', ','), mechanism)), mechanism) AS place FROM measure GROUP BY mechanism;

-- What of the demand can be reached: the largest part that any mechanism served in any month, from the same start with the same seed.
CREATE TEMP TABLE run AS
SELECT m.start, m.mechanism, m.seed, count(*) AS months, bool_and(m.conserved) AS conserved,
	sum(m.served10 - b.served10) AS newly,			-- millions of people, times months
	sum(m.paid)::float8 / 1000 AS paid,				-- thousands of tokens
	sum(m.to_liars)::float8 / nullif(sum(m.paid)::float8, 0) AS to_liars,
	(array_agg(m.served10 / m.people ORDER BY m.epoch DESC))[1] AS served10, (array_agg(m.served50 / m.people ORDER BY m.epoch DESC))[1] AS served50,
	(array_agg(m.hhi ORDER BY m.epoch DESC))[1] AS hhi, (array_agg(m.inequality ORDER BY m.epoch DESC))[1] AS inequality,
	(array_agg(m.alive::float8 / nullif(m.ever, 0) ORDER BY m.epoch DESC))[1] AS alive, avg(m.volatility) FILTER (WHERE m.epoch > 3) AS volatility,
	min(m.epoch) FILTER (WHERE m.served10 / m.people >= 0.8 * r.most) AS months_to_80
FROM measure m JOIN measure b ON b.start = m.start AND b.mechanism = m.mechanism AND b.seed = m.seed AND b.epoch = 1
	JOIN (SELECT start, seed, max(served10 / people) AS most FROM measure GROUP BY start, seed) r ON r.start = m.start AND r.seed = m.seed
GROUP BY m.start, m.mechanism, m.seed;

-- median (least to most) over the seeds
CREATE FUNCTION pg_temp.spread(v float8[], format text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN count(*) = 0 THEN '–' ELSE ltrim(to_char(percentile_cont(0.5) WITHIN GROUP (ORDER BY x), format)) || ' (' || ltrim(to_char(min(x), format)) || '–' || ltrim(to_char(max(x), format)) || ')' END
	FROM unnest(v) x WHERE x IS NOT NULL
$$;
CREATE TEMP VIEW line AS
SELECT r.start, p.place, r.mechanism, count(*) AS seeds,
	pg_temp.spread(array_agg(newly / months), 'FM9990') AS newly, pg_temp.spread(array_agg(paid / months), 'FM990.0') AS paid,
	pg_temp.spread(array_agg(newly / nullif(paid, 0)), 'FM990.0') AS newly_per_kilotoken,
	pg_temp.spread(array_agg(100 * served10), 'FM990') AS served10, pg_temp.spread(array_agg(100 * served50), 'FM990') AS served50,
	pg_temp.spread(array_agg(100 * to_liars), 'FM990') AS to_liars, pg_temp.spread(array_agg(hhi), 'FM0.000') AS hhi, pg_temp.spread(array_agg(inequality), 'FM0.00') AS inequality,
	pg_temp.spread(array_agg(100 * alive), 'FM990') AS alive, pg_temp.spread(array_agg(months_to_80::float8), 'FM990') AS months_to_80,
	count(*) FILTER (WHERE months_to_80 IS NULL) AS never, pg_temp.spread(array_agg(volatility), 'FM0.00') AS volatility
FROM run r JOIN place p ON p.mechanism = r.mechanism GROUP BY r.start, p.place, r.mechanism;

\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\echo '<!-- sim: growth -->'
\echo '| | seeds | newly served, million people | paid a month, thousand tokens | newly served for a thousand tokens, million people · months | served within 10 ms, % | within 50 ms, % | months to 80 % | runs that never came there |'
\echo '|---|---|---|---|---|---|---|---|---|'
SELECT '| `' || mechanism || '`', seeds, newly, paid, newly_per_kilotoken, served10, served50, months_to_80, never || ' |' FROM line WHERE start = 'mlab' AND mechanism NOT LIKE '%without%' ORDER BY place;
\echo '<!-- sim: fairness -->'
\echo '| | of what was paid liars got, % | concentration (HHI) | inequality of regions (Gini) | honest who survive, % | change of income from month to month |'
\echo '|---|---|---|---|---|---|'
SELECT '| `' || mechanism || '`', to_liars, hhi, inequality, alive, volatility || ' |' FROM line WHERE start = 'mlab' AND mechanism NOT LIKE '%without%' AND mechanism <> 'none' ORDER BY place;
\echo '<!-- sim: against -->'
\echo '| start | | seeds | newly served for a token, against the best rival of the same seed | which that is |'
\echo '|---|---|---|---|---|'
SELECT '| ' || o.start, '`' || o.mechanism || '`', count(*), pg_temp.spread(array_agg(o.newly / o.paid / b.best), 'FM0.00') || ' times', string_agg(DISTINCT '`' || b.which || '`', ', ') || ' |'
FROM run o JOIN place p ON p.mechanism = o.mechanism
	JOIN (SELECT DISTINCT ON (start, seed) start, seed, mechanism AS which, newly / paid AS best FROM run WHERE paid > 0 AND mechanism NOT LIKE 'st%' ORDER BY start, seed, newly / paid DESC) b ON b.start = o.start AND b.seed = o.seed
WHERE o.mechanism LIKE 'st%' AND o.mechanism NOT LIKE '%without%' GROUP BY o.start, o.mechanism, p.place ORDER BY o.start DESC, p.place;
\echo '<!-- sim: empty -->'
\echo '| | seeds | newly served, million people | paid a month, thousand tokens | newly served for a thousand tokens, million people · months | served within 10 ms, % | of what was paid liars got, % |'
\echo '|---|---|---|---|---|---|---|'
SELECT '| `' || mechanism || '`', seeds, newly, paid, newly_per_kilotoken, served10, to_liars || ' |' FROM line WHERE start = 'empty' ORDER BY place;
\echo '<!-- sim: without -->'
\echo '| `strict` without | seeds | newly served, of what `strict` serves newly | paid, of what it pays | newly served for a token, of what it serves for one | of what was paid liars got, % |'
\echo '|---|---|---|---|---|---|'
SELECT '| ' || CASE WHEN o.mechanism = 'strict default' THEN 'ceilings' ELSE substr(o.mechanism, 16) END, count(*), pg_temp.spread(array_agg(o.newly / f.newly), 'FM0.00'), pg_temp.spread(array_agg(o.paid / f.paid), 'FM0.00'),
	pg_temp.spread(array_agg(o.newly / o.paid / (f.newly / f.paid)), 'FM0.00'), pg_temp.spread(array_agg(100 * o.to_liars), 'FM990') || ' |'
FROM run o JOIN run f ON f.mechanism = 'strict' AND f.start = o.start AND f.seed = o.seed
WHERE o.mechanism LIKE 'strict without %' OR o.mechanism = 'strict default' GROUP BY o.mechanism ORDER BY percentile_cont(0.5) WITHIN GROUP (ORDER BY o.newly / o.paid / (f.newly / f.paid)), o.mechanism;
\echo '<!-- end -->'
SELECT CASE WHEN bool_and(conserved) THEN 'In every month of every run what nodes got is what the pools paid.' ELSE 'MONEY IS MISSING' END FROM measure;

\pset format csv
\pset tuples_only off
\o :results/summary.csv
SELECT r.start, r.mechanism, r.seed, months, round(newly::numeric, 1) AS newly_million_months, round(paid::numeric, 3) AS paid_kilotokens, round((newly / nullif(paid, 0))::numeric, 3) AS newly_per_kilotoken,
	round(served10::numeric, 4) AS served10, round(served50::numeric, 4) AS served50, round(to_liars::numeric, 4) AS to_liars, round(hhi::numeric, 4) AS hhi, round(inequality::numeric, 4) AS inequality,
	round(alive::numeric, 3) AS survival, months_to_80, round(volatility::numeric, 3) AS volatility FROM run r JOIN place p ON p.mechanism = r.mechanism ORDER BY r.start DESC, p.place, r.seed;
-- medians by month, a column for each mechanism: what is served, and what liars get
\o :results/served.csv
SELECT m.epoch, m.mechanism, p.place, round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY served10 / people))::numeric, 2) AS served,
	round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY to_liars::float8 / nullif(paid::float8, 0)))::numeric, 2) AS liars
FROM measure m JOIN place p ON p.mechanism = m.mechanism WHERE m.start = 'mlab' GROUP BY m.epoch, m.mechanism, p.place ORDER BY p.place, m.epoch;
\o
