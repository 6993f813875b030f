-- The length of an epoch changes nothing: a month as one epoch, or as thirty, or as three. The fifth month of a network, with which a machine
-- joins; in every third world it joins within the month, after ten days. -v young=1: the second month, in which nobody has been there for long, and
-- tenure and growth change within the month.
\if :{?worlds}
\else
\set worlds 60
\endif
\ir world.psql
\o /dev/null
INSERT INTO world.variant VALUES (0, 'as it is');
SELECT world.settle(:worlds);
SELECT world.put(0, 11, 'a', 'hA', 1, 10), world.put(0, 12, 'b', 'hB', 2, 29);
\if :{?young}
\set before 1
UPDATE world.plan_node SET a = CASE WHEN world / 3 % 3 = 2 THEN 40 ELSE 30 END WHERE id = 5;
\else
\set before 4
UPDATE world.plan_node SET a = CASE WHEN world / 3 % 3 = 2 THEN 130 ELSE 120 END WHERE id = 5;
\endif
SELECT world.beat(0.5, 30 * (:before + 1));
-- all intervals as shipped
SELECT world.make(:before, 30, '{"vesting_half_life": "60 days", "memory_half_life": "365 days", "maturity": "60 days", "freshness": "180 days", "price_step": 0.125}');
CREATE TEMP TABLE length (days numeric, world int, provider int, component text, score float8, amount numeric);
-- pools: how many epochs paid all they had, and how many a score's price, which is less; the others had no score
CREATE TEMP TABLE pool (days numeric, world int, component text, epochs bigint, full_epochs bigint, priced_epochs bigint, payable numeric);
CREATE FUNCTION pg_temp.month(days numeric, starts numeric) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	paid jsonb; prices jsonb; pools jsonb;
BEGIN
	BEGIN
		INSERT INTO epoch (epoch_id, period, budget, policy_id) SELECT 100 + k, tstzrange(world.day(starts + (k - 1) * days), world.day(starts + k * days)), 1000000, 1000 FROM generate_series(1, (30 / days)::int) k;
		PERFORM world.run(30);
		SELECT jsonb_agg(to_jsonb(p)) INTO prices FROM world.price p;
		SELECT jsonb_agg(to_jsonb(x)) INTO paid FROM (SELECT s.world, s.provider, s.component, sum(s.score) AS score, sum(s.amount) AS amount FROM world.score s WHERE s.epoch_id > 100 GROUP BY 1, 2, 3) x;
		SELECT jsonb_agg(to_jsonb(x)) INTO pools FROM (SELECT p.world, p.component, count(*) AS epochs, count(*) FILTER (WHERE p.payable = p.has) AS full_epochs,
			count(*) FILTER (WHERE p.payable BETWEEN 1 AND p.has - 1) AS priced_epochs, sum(p.payable) AS payable FROM world.pool p WHERE p.epoch_id > 100 GROUP BY 1, 2) x;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	-- the same ceilings for both
	INSERT INTO world.price SELECT p.* FROM jsonb_populate_recordset(NULL::world.price, prices) p ON CONFLICT DO NOTHING;
	INSERT INTO length SELECT days, x.* FROM jsonb_to_recordset(paid) x (world int, provider int, component text, score float8, amount numeric);
	INSERT INTO pool SELECT days, x.* FROM jsonb_to_recordset(pools) x (world int, component text, epochs bigint, full_epochs bigint, priced_epochs bigint, payable numeric);
END $$;
SELECT pg_temp.month(30, 30 * :before), pg_temp.month(1, 30 * :before), pg_temp.month(10, 30 * :before);
CREATE TEMP TABLE part AS
SELECT world, world / 3 % 3 = 2 AS within, provider, component, sum(score) FILTER (WHERE days = 30) AS score, sum(score) FILTER (WHERE days = 1) AS score1, sum(score) FILTER (WHERE days = 10) AS score10,
	coalesce(sum(amount) FILTER (WHERE days = 30), 0) AS amount, coalesce(sum(amount) FILTER (WHERE days = 1), 0) AS amount1
FROM length GROUP BY 1, 2, 3, 4;
CREATE TEMP TABLE differs AS
SELECT world, within, provider, abs(b / a - 1) AS by FROM (SELECT world, within, provider, sum(amount) AS a, sum(amount1) AS b FROM part GROUP BY 1, 2, 3) x WHERE a > 1000 OR b > 1000;
-- pools that the month or some of the days leave at a ceiling, or without a score, and others do not
CREATE TEMP TABLE turn AS
SELECT m.world, m.component, d.full_epochs, m.payable, d.payable AS payable1, NOT (m.full_epochs = 1 AND d.full_epochs = 30 OR m.priced_epochs = 1 AND d.priced_epochs = 30 OR m.payable = 0 AND d.payable = 0) AS turns
FROM pool m JOIN pool d USING (world, component) WHERE m.days = 30 AND d.days = 1;
\o
-- What remains, each by itself. In a month with which somebody comes: the mean of tenure times what is not yet given, for the product of means, 5.8 %. In pools that pay all they have on some
-- days and a score's price, or nothing, on others: that. In new_regions: the square of a need. Where somebody joins within the month: that supply is its mean over the month in what is
-- not linear in it, min(1, S / T), min(V, demand), the price's target; nothing of it is left when the month is cut there.
SELECT plan(8);
SELECT diag(format('%s%s: %s providers, thirty epochs against one: median difference %s %%, worst %s %%', CASE WHEN within THEN 'joins within the month' ELSE 'joins with the month' END,
	CASE WHEN world % 3 = 0 THEN ', no ceilings' ELSE ', ceilings' END, count(*), round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY by))::numeric, 2), round(100 * max(by), 2)))
FROM differs GROUP BY GROUPING SETS ((within, world % 3 = 0)) ORDER BY 1;
SELECT diag(format('%s: %s %%, %s %%', component, round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY by))::numeric, 2), round(100 * max(by)::numeric, 2)))
FROM (SELECT component, abs(amount1 / amount - 1) AS by FROM part WHERE amount > 1000 AND amount1 > 0) y GROUP BY component ORDER BY 1;
\if :{?detail}
SELECT diag(format('%s %s %s: %s %s', world % 3, component, world || ' ' || provider, round(a), round(b))) FROM (SELECT component, world, provider, sum(amount) FILTER (WHERE days = 30) AS a, sum(amount) FILTER (WHERE days = 1) AS b FROM length GROUP BY 1, 2, 3) x ORDER BY component, world, provider;
\endif
SELECT diag(format('%s: %s %%, %s %%', CASE world % 3 WHEN 0 THEN 'no ceiling' WHEN 1 THEN 'ceiling, carry' ELSE 'ceiling' END, round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY by))::numeric, 2), round(100 * max(by)::numeric, 2))) FROM differs WHERE NOT within GROUP BY world % 3;
SELECT cmp_ok((SELECT count(*) FROM differs), '>=', (3 * :worlds)::bigint, 'many providers');
SELECT cmp_ok((SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY by) FROM differs), '<', 0.01::float8, 'less than 1 % in the median');
SELECT diag(format('%s of %s providers differ by more than 6 %%', count(*) FILTER (WHERE by > 0.06), count(*))) FROM differs;
SELECT diag(format('scores of %s: thirty against one, with the month: worst %s %%; thirty against three, within the month: worst %s %%', component,
	round((100 * max(abs(score1 / score - 1)) FILTER (WHERE NOT within))::numeric, 2), round((100 * max(abs(score1 / score10 - 1)) FILTER (WHERE within))::numeric, 2)))
FROM part WHERE score > 0 AND score10 > 0 GROUP BY component ORDER BY 1;
-- the mean of t * 2^(-t/60) over the first 30 days is 5.8 % less than the product of the means
SELECT is_empty($$ SELECT world, provider, component, score, score1 FROM part WHERE NOT within AND component <> 'new_regions' AND NOT coalesce(abs(score1 / score - 1) < 0.0585, score1 IS NULL AND score IS NULL) $$,
	'scores differ by what tenure and growth have to do with each other, where nobody joins within the month');
SELECT is_empty($$ SELECT world, provider, component, score10, score1 FROM part WHERE component <> 'new_regions' AND NOT coalesce(abs(score1 / score10 - 1) < 0.0585, score1 IS NULL AND score10 IS NULL) $$,
	'nor more where somebody does, with an epoch that ends there');
SELECT is_empty($$ SELECT world, provider, a, b FROM (SELECT p.world, p.provider, sum(p.amount) AS a, sum(p.amount1) AS b FROM part p JOIN turn t USING (world, component) WHERE NOT p.within AND NOT t.turns AND p.component <> 'new_regions' GROUP BY 1, 2) x
	WHERE a > 1000 AND NOT abs(b / a - 1) < 0.06 $$, 'and 6 % at worst, of what pools pay that do the same all month, without new_regions');
SELECT is_empty('SELECT * FROM turn WHERE world % 3 = 0 AND abs(payable1 - payable * full_epochs / 30) > 30', 'a pool without a ceiling that has a score on some of thirty days pays their part of what it pays for the month');
SELECT is_empty($$ SELECT * FROM turn WHERE world % 3 > 0 AND world / 3 % 3 < 2 AND component <> 'new_regions' AND payable1 > payable * 1.001 + 30 $$, 'one with a ceiling pays no more on thirty days than for the month');
-- all of it, ceilings that bind on some days and needs that end included
SELECT cmp_ok((SELECT percentile_cont(CASE WHEN :worlds <= 24 THEN 1 ELSE 0.95 END) WITHIN GROUP (ORDER BY by) FROM differs), '<', 0.06::float8, 'with all of it 6 % at worst on the networks of every run, and for nineteen of twenty providers among many');
SELECT * FROM finish();
ROLLBACK;
