-- The length of an epoch changes nothing: a month as one epoch, or as thirty. The fifth month of a network, with which a machine
-- joins; in every third world it joins within the month. -v young=1: the second month, in which nobody has been there for long, and
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
CREATE TEMP TABLE length (days numeric, world int, provider int, component text, amount numeric);
CREATE FUNCTION pg_temp.month(days numeric, starts numeric) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	paid jsonb; prices jsonb;
BEGIN
	BEGIN
		INSERT INTO epoch (epoch_id, period, budget, policy_id) SELECT 100 + k, tstzrange(world.day(starts + (k - 1) * days), world.day(starts + k * days)), 1000000, 1000 FROM generate_series(1, (30 / days)::int) k;
		PERFORM world.run(30 / days);
		SELECT jsonb_agg(to_jsonb(p)) INTO prices FROM world.price p;
		SELECT jsonb_agg(to_jsonb(x)) INTO paid FROM (SELECT s.world, s.provider, s.component, sum(s.amount) AS amount FROM world.score s WHERE s.epoch_id > 100 GROUP BY 1, 2, 3) x;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	-- the same ceilings for both
	INSERT INTO world.price SELECT p.* FROM jsonb_populate_recordset(NULL::world.price, prices) p ON CONFLICT DO NOTHING;
	INSERT INTO length SELECT days, x.* FROM jsonb_to_recordset(paid) x (world int, provider int, component text, amount numeric);
END $$;
SELECT pg_temp.month(30, 30 * :before), pg_temp.month(1, 30 * :before);
CREATE TEMP TABLE differs AS
SELECT world, world / 3 % 3 = 2 AS within, provider, abs(b / a - 1) AS by FROM (SELECT world, provider, sum(amount) FILTER (WHERE days = 30) AS a, sum(amount) FILTER (WHERE days = 1) AS b FROM length GROUP BY 1, 2) x WHERE a > 1000 OR b > 1000;
\o
-- What remains is the product of means of what changes within a month (tenure and growth); that a ceiling binds on some days and not on others; and
-- where somebody joins within the month, that supply is its mean over the month in what is not linear in it: min(1, S / T), min(V, demand), the price's target.
SELECT plan(3);
SELECT diag(format('%s%s: %s providers, thirty epochs against one: median difference %s %%, worst %s %%', CASE WHEN within THEN 'joins within the month' ELSE 'joins with the month' END,
	CASE WHEN world % 3 = 0 THEN ', no ceilings' ELSE ', ceilings' END, count(*), round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY by))::numeric, 2), round(100 * max(by), 2)))
FROM differs GROUP BY GROUPING SETS ((within, world % 3 = 0)) ORDER BY 1;
SELECT diag(format('%s: %s %%, %s %%', component, round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY by))::numeric, 2), round(100 * max(by)::numeric, 2)))
FROM (SELECT component, abs(b / a - 1) AS by FROM (SELECT component, world, provider, sum(amount) FILTER (WHERE days = 30) AS a, sum(amount) FILTER (WHERE days = 1) AS b FROM length GROUP BY 1, 2, 3) x WHERE a > 1000 AND b > 0) y GROUP BY component ORDER BY 1;
\if :{?detail}
SELECT diag(format('%s %s %s: %s %s', world % 3, component, world || ' ' || provider, round(a), round(b))) FROM (SELECT component, world, provider, sum(amount) FILTER (WHERE days = 30) AS a, sum(amount) FILTER (WHERE days = 1) AS b FROM length GROUP BY 1, 2, 3) x ORDER BY component, world, provider;
\endif
SELECT diag(format('%s: %s %%, %s %%', CASE world % 3 WHEN 0 THEN 'no ceiling' WHEN 1 THEN 'ceiling, carry' ELSE 'ceiling' END, round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY by))::numeric, 2), round(100 * max(by)::numeric, 2))) FROM differs WHERE NOT within GROUP BY world % 3;
SELECT cmp_ok((SELECT count(*) FROM differs), '>=', (3 * :worlds)::bigint, 'many providers');
SELECT cmp_ok((SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY by) FROM differs), '<', 0.01::float8, 'less than 1 % in the median');
-- at worst on the networks of every run; among many, a price that passes 1 within the month, in a pool without a ceiling, pays in full on days with any score
SELECT cmp_ok((SELECT percentile_cont(CASE WHEN :worlds <= 24 THEN 1 ELSE 0.95 END) WITHIN GROUP (ORDER BY by) FROM differs), '<', 0.06::float8, 'and 6 % at worst');
SELECT * FROM finish();
ROLLBACK;
