-- The rewards of a generated network once more, from the live tables to the last base unit, in plain
-- SQL that shares nothing with the engine but the geometry of cells: quality from raw telemetry, fields
-- by ST_DWithin, prices and marks by recursion, Hamilton with caps by a loop.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SET timezone = 'UTC';
SELECT plan(25);
\o /dev/null
INSERT INTO pg_temp.case_option VALUES ('cap', '2500'), ('baseline', 'no');
SELECT pg_temp.build(7, 30);
-- the policy's numbers, written out below: uptime 0.9 to 0.99, response 700 to 100 ms, errors 0.4 to 0.05 at 90 %
UPDATE policy SET uptime_floor = 0.9, uptime_target = 0.99, response_limit_ms = 700, error_confidence = 0.9, error_limit = 0.4, error_target = 0.05,
	region_multiplier_max = 4, freshness_epochs = 3, price_elasticity = 0.7, price_step = 0.2, price_max = 1.5, service_alpha = 0.6, gaps_geographic_bps = 5500 WHERE policy_id = 1000;
UPDATE beacon_rtt SET rtt_ms = 0.01 WHERE node_id = 1007;
CALL run_epoch(1001); CALL run_epoch(1002); CALL run_epoch(1003); CALL run_epoch(1004);

-- who took part, and how well
CREATE TABLE pg_temp.member AS
SELECT e.epoch_id, n.node_id, n.provider_id, coalesce('h ' || n.hardware_id, 'p ' || n.provider_id) AS owner, n.location, n.service_radius_m,
	tstzrange(n.joined_at, n.left_at) * e.period AS active, extract(epoch FROM upper(e.period) - lower(e.period)) AS seconds,
	(SELECT r.code FROM region r WHERE ST_Covers(r.boundary, n.location) ORDER BY ST_Area(r.boundary), r.code LIMIT 1) AS region
FROM epoch e JOIN node n ON tstzrange(n.joined_at, n.left_at) && e.period;
CREATE TABLE pg_temp.raw AS
SELECT m.epoch_id, m.node_id,
	(SELECT count(*) FROM generate_series(timestamptz '2021-01-01', '2021-03-31', '1 day') d WHERE d <@ m.active) AS days,
	count(DISTINCT t.sampled_at::date) FILTER (WHERE t.ok) AS good_days, count(t.ok) AS n, count(*) FILTER (WHERE NOT t.ok) AS bad,
	percentile_disc(0.95) WITHIN GROUP (ORDER BY t.latency_ms) FILTER (WHERE t.ok) AS p95,
	(SELECT max(ST_Distance(m.location, b.location) - r.rtt * 299792.458 / 3)
		FROM (SELECT beacon_id, min(rtt_ms) AS rtt FROM beacon_rtt WHERE node_id = m.node_id AND measured_at <@ m.active GROUP BY 1) r JOIN beacon b USING (beacon_id)) AS excess
FROM pg_temp.member m LEFT JOIN telemetry t ON t.node_id = m.node_id AND t.sampled_at <@ m.active
GROUP BY m.epoch_id, m.node_id, m.active, m.location;
-- Wilson's bound at 90 %, z = 1.2815515655446004
CREATE TABLE pg_temp.rated AS
SELECT r.*, CASE WHEN days > 0 THEN good_days::float8 / days ELSE 0 END AS uptime,
	CASE WHEN n > 0 THEN (bad::float8 / n + zz / (2 * n) + sqrt(zz) * sqrt(bad::float8 / n * (1 - bad::float8 / n) / n + zz / (4.0 * n * n))) / (1 + zz / n) END AS errors
FROM pg_temp.raw r, (SELECT 1.2815515655446004::float8 ^ 2 AS zz) z;
\o
SELECT is((SELECT count(*) FROM pg_temp.member), (SELECT count(*) FROM epoch_node), 'as many took part');
SELECT is_empty($$ SELECT * FROM pg_temp.member m FULL JOIN epoch_node n USING (epoch_id, node_id) WHERE m.region IS DISTINCT FROM n.region OR m.active <> n.active $$, 'the same nodes, in the same regions, for the same time');
SELECT is_empty($$ SELECT * FROM pg_temp.rated r JOIN epoch_node n USING (epoch_id, node_id)
	WHERE abs(r.uptime - n.uptime) > 1e-12 OR r.n <> n.samples OR r.bad <> n.errors OR (r.p95 IS NULL) <> (n.response_ms IS NULL) OR abs(n.response_ms / r.p95 - 1) > 0.01
		OR abs(r.errors - n.error_rate_upper) > 1e-9 OR abs(r.excess - n.location_excess_m) > 0.002 $$, 'uptime, response time, errors and distance from the raw rows');
-- quantiles are within 1 %: from here on with the one that was frozen
SELECT is_empty($$ SELECT * FROM pg_temp.rated r JOIN epoch_node n USING (epoch_id, node_id)
	WHERE abs(n.quality - (least(1, greatest(0, (r.uptime - 0.9) / 0.09)) * CASE WHEN r.n > 0 AND n.response_ms IS NOT NULL THEN sqrt(least(1, greatest(0, (700 - n.response_ms) / 600))
		* least(1, greatest(0, (0.4 - r.errors) / 0.35))) ELSE 0 END * CASE WHEN r.excess > 50000 THEN 0 ELSE 1 END)::numeric) > 1e-11 $$, 'quality');
SELECT ok((SELECT count(*) FILTER (WHERE quality > 0 AND quality < 1) > 20 AND bool_or(trust = 0) FROM epoch_node), 'of every sort');

\o /dev/null
CREATE TABLE pg_temp.held AS
SELECT m.epoch_id, m.node_id, m.region, m.owner, r.resource_type, n.quality, t.unit_value, sum(r.units * extract(epoch FROM upper(r.valid * m.active) - lower(r.valid * m.active))) / max(m.seconds) AS units
FROM pg_temp.member m JOIN epoch_node n USING (epoch_id, node_id) JOIN node_resource r ON r.node_id = m.node_id AND r.valid && m.active JOIN resource_type t ON t.code = r.resource_type
GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE TABLE pg_temp.x AS
SELECT m.*, n.quality, n.quality * coalesce((SELECT sum(h.units * h.unit_value) FROM pg_temp.held h WHERE (h.epoch_id, h.node_id) = (m.epoch_id, m.node_id)), 0) AS x
FROM pg_temp.member m JOIN epoch_node n USING (epoch_id, node_id);

-- fields, cell by cell; regions hold the cells that the kernel says (which its own tests compare with ST_Covers)
CREATE TABLE pg_temp.cell AS SELECT cell, center FROM coverage_cells(zero_coverage(4) + 1);
CREATE TABLE pg_temp.wanted AS SELECT coverage_cell(location, 4) AS cell, sum(weight)::float8 AS d FROM demand GROUP BY 1;
CREATE TABLE pg_temp.reach AS
SELECT x.epoch_id, x.node_id, c.cell, x.x FROM pg_temp.x x JOIN pg_temp.cell c ON x.x > 0 AND (ST_DWithin(x.location, c.center, x.service_radius_m) OR c.cell = coverage_cell(x.location, 4));
CREATE TABLE pg_temp.supply AS SELECT epoch_id, cell, sum(x)::float8 AS s FROM pg_temp.reach GROUP BY 1, 2;
CREATE TABLE pg_temp.place AS
SELECT e.epoch_id, w.cell, w.d, coalesce(o.s, 0) AS s0, coalesce(c.s, 0) AS s1, p.supply_target::float8 AS t
FROM epoch e JOIN policy p USING (policy_id) CROSS JOIN pg_temp.wanted w LEFT JOIN pg_temp.supply o ON o.epoch_id = e.epoch_id - 1 AND o.cell = w.cell LEFT JOIN pg_temp.supply c ON c.epoch_id = e.epoch_id AND c.cell = w.cell;
CREATE TABLE pg_temp.land AS
SELECT p.epoch_id, r.code AS region, sum(d) AS demand, sum(d * least(1, s0 / t)) AS covered, sum(d * least(1, s1 / t)) AS closing
FROM region r, coverage_cells(region_coverage(r.boundary, 4)) c JOIN pg_temp.place p USING (cell) GROUP BY 1, 2;
\o
SELECT is_empty($$ SELECT * FROM pg_temp.x x JOIN epoch_node n USING (epoch_id, node_id) WHERE abs(x.x - n.contribution) > 1e-12 $$, 'contribution');
SELECT is_empty($$ SELECT * FROM (SELECT e.epoch_id, v.cell, v.value FROM epoch e, coverage_cells(e.closing_supply) v) v FULL JOIN pg_temp.supply s USING (epoch_id, cell) WHERE abs(v.value - s.s) < 1e-9 IS NOT TRUE $$, 'the supply of every cell');
SELECT is_empty($$ SELECT * FROM (SELECT e.epoch_id, v.cell, v.value FROM epoch e, coverage_cells(e.supply) v) v FULL JOIN (SELECT * FROM pg_temp.supply WHERE epoch_id < 1004) s ON s.epoch_id = v.epoch_id - 1 AND s.cell = v.cell
	WHERE abs(v.value - s.s) < 1e-9 IS NOT TRUE $$, 'opens the next epoch');
SELECT is_empty($$ SELECT * FROM (SELECT e.epoch_id, v.cell, v.value FROM epoch e, coverage_cells(e.demand) v) v FULL JOIN pg_temp.place p USING (epoch_id, cell) WHERE v.value = p.d IS NOT TRUE $$, 'the demand of every cell');
SELECT is_empty($$ SELECT * FROM pg_temp.land l JOIN epoch_region r USING (epoch_id, region) JOIN region g ON g.code = r.region
	WHERE abs(l.demand - r.demand) > 1e-6 OR abs(l.covered - r.covered) > 1e-6 OR abs(l.closing - r.closing_covered) > 1e-6
		OR abs(r.multiplier - (1 + 3 * greatest(0, 1 - l.covered / l.demand / g.target_fraction::float8))::numeric) > 1e-9 $$, 'what of each region is covered, and its multiplier');

\o /dev/null
-- ages, prices, marks: from the first epoch on
CREATE TABLE pg_temp.aged AS
SELECT x.*, x.epoch_id - coalesce((SELECT min(o.epoch_id) FROM pg_temp.x o WHERE o.epoch_id < x.epoch_id AND o.region = x.region AND o.x > 0 AND (o.provider_id = x.provider_id OR (o.owner = x.owner AND x.owner LIKE 'h %'))), x.epoch_id) AS age
FROM pg_temp.x x;
CREATE TABLE pg_temp.market AS
WITH RECURSIVE sum AS (
	SELECT e.epoch_id, t.code, t.unit_value, (SELECT coalesce(sum(d.units), 0) FROM resource_demand d WHERE d.resource_type = t.code) AS d,
		(SELECT coalesce(sum(h.quality * h.units), 0) FROM pg_temp.held h WHERE (h.epoch_id, h.resource_type) = (e.epoch_id, t.code)) AS s
	FROM epoch e, resource_type t
), step AS (
	SELECT 1000::bigint AS epoch_id, code, 1.0 AS price FROM resource_type
	UNION ALL
	SELECT m.epoch_id, m.code, least(1.5, greatest(0.25, p.price * least(1.2, greatest(0.8, power(m.d / m.s, 0.7)))))
	FROM step p JOIN sum m ON m.code = p.code AND m.epoch_id = p.epoch_id + 1
)
SELECT m.*, p.price, coalesce((SELECT max(o.s) FROM sum o WHERE o.code = m.code AND o.epoch_id < m.epoch_id), 0) AS mark FROM sum m JOIN step p USING (epoch_id, code);
CREATE TABLE pg_temp.owned AS
SELECT epoch_id, owner, resource_type, sum(quality * units) AS units FROM pg_temp.held GROUP BY 1, 2, 3;
CREATE TABLE pg_temp.grown AS
SELECT o.*, greatest(0, units - coalesce((SELECT max(b.units) FROM pg_temp.owned b WHERE (b.owner, b.resource_type) = (o.owner, o.resource_type) AND b.epoch_id < o.epoch_id), 0)) AS growth FROM pg_temp.owned o;
CREATE TABLE pg_temp.pot AS
SELECT m.epoch_id, m.code, m.unit_value * least(greatest(0, m.s - m.mark), greatest(0, m.d - m.mark)) AS pot, (SELECT sum(g.growth) FROM pg_temp.grown g WHERE (g.epoch_id, g.resource_type) = (m.epoch_id, m.code)) AS growth
FROM pg_temp.market m;
CREATE TABLE pg_temp.worked AS
SELECT m.epoch_id, m.node_id, x.quality, n.trust, t.service_type, s.premium, sum(t.work) FILTER (WHERE t.ok) AS work, count(*) AS n, sum(t.energy_mwh) AS energy
FROM pg_temp.member m JOIN pg_temp.x x USING (epoch_id, node_id) JOIN epoch_node n USING (epoch_id, node_id) JOIN telemetry t ON t.node_id = m.node_id AND t.sampled_at <@ m.active JOIN service_type s ON s.code = t.service_type
GROUP BY 1, 2, 3, 4, 5, 6;

-- scores
CREATE TABLE pg_temp.score AS
SELECT a.epoch_id, a.node_id, 'new_regions' AS component, '' AS part, a.x * greatest(0, 1 - a.age / 3.0) * (3 * greatest(0, 1 - l.covered / l.demand / g.target_fraction::float8))::numeric AS score
FROM pg_temp.aged a JOIN pg_temp.land l USING (epoch_id, region) JOIN region g ON g.code = a.region
UNION ALL
SELECT r.epoch_id, r.node_id, 'coverage_gaps', 'geographic', r.x * sum(p.d * greatest(0, 1 - p.s0 / p.t) * least(1, p.s1 / p.t) / p.s1)::numeric
FROM pg_temp.reach r JOIN pg_temp.place p USING (epoch_id, cell) GROUP BY r.epoch_id, r.node_id, r.x
UNION ALL
SELECT h.epoch_id, h.node_id, 'coverage_gaps', 'resource', sum(h.quality * h.units / s1.s * h.unit_value * greatest(0, d.units - coalesce(s0.s, 0)) * least(1, s1.s / d.units))
FROM pg_temp.held h JOIN resource_demand d ON (d.region, d.resource_type) = (h.region, h.resource_type) AND d.units > 0
	JOIN (SELECT epoch_id, region, resource_type, sum(quality * units) AS s FROM pg_temp.held GROUP BY 1, 2, 3) s1 ON (s1.epoch_id, s1.region, s1.resource_type) = (h.epoch_id, h.region, h.resource_type) AND s1.s > 0
	LEFT JOIN (SELECT epoch_id, region, resource_type, sum(quality * units) AS s FROM pg_temp.held GROUP BY 1, 2, 3) s0 ON (s0.epoch_id, s0.region, s0.resource_type) = (h.epoch_id - 1, h.region, h.resource_type)
GROUP BY 1, 2
UNION ALL
SELECT h.epoch_id, h.node_id, 'resource_types', '', sum(h.quality * h.unit_value * h.units * greatest(0, m.price - 1))
FROM pg_temp.held h JOIN pg_temp.market m ON (m.epoch_id, m.code) = (h.epoch_id, h.resource_type) GROUP BY 1, 2
UNION ALL
SELECT h.epoch_id, h.node_id, 'network_capacity', '', sum(p.pot * g.growth / p.growth * h.quality * h.units / g.units)
FROM pg_temp.held h JOIN pg_temp.grown g USING (epoch_id, owner, resource_type) JOIN pg_temp.pot p ON (p.epoch_id, p.code) = (h.epoch_id, h.resource_type) WHERE g.growth > 0 GROUP BY 1, 2
UNION ALL
SELECT w.epoch_id, w.node_id, 'service_types', '', sum(w.quality * w.work * w.premium * power(v.work, 0.6) / v.quality_work)
FROM pg_temp.worked w JOIN (SELECT epoch_id, service_type, sum(work) AS work, sum(quality * work) AS quality_work FROM pg_temp.worked WHERE trust > 0 GROUP BY 1, 2) v USING (epoch_id, service_type)
GROUP BY 1, 2
UNION ALL
SELECT w.epoch_id, w.node_id, 'specialization', '', sum(w.work * (CASE WHEN w.service_type = 't_infer' THEN least(1, greatest(0, (400 - s.p95_latency_ms) / 350))::numeric ELSE 0 END
	+ 0.5 * least(1, greatest(0, (100 - w.energy / w.work) / 90))))
FROM pg_temp.worked w JOIN epoch_node_service s USING (epoch_id, node_id, service_type) WHERE w.trust > 0 AND w.n >= 2 AND w.work > 0 GROUP BY 1, 2;
DELETE FROM pg_temp.score WHERE coalesce(score, 0) = 0;
CREATE TABLE pg_temp.paid_row AS
SELECT epoch_id, node_id, provider_id, component::text, '' AS part, score, amount FROM reward WHERE component <> 'coverage_gaps'
UNION ALL SELECT epoch_id, node_id, provider_id, component, part, score, amount FROM reward_part;
\o
SELECT is_empty($$ SELECT * FROM pg_temp.aged a JOIN epoch_node n USING (epoch_id, node_id) WHERE a.region IS NOT NULL AND a.age <> n.age $$, 'ages');
SELECT is_empty($$ SELECT * FROM pg_temp.market m FULL JOIN epoch_resource r ON r.epoch_id = m.epoch_id AND r.resource_type = m.code
	WHERE (abs(m.price - r.price) < 1e-9 AND abs(m.d - r.demand) < 1e-9 AND abs(m.s - r.supply) < 1e-9 AND abs(m.mark - r.opening_mark) < 1e-9) IS NOT TRUE $$, 'prices and marks');
SELECT ok((SELECT max(price) = 1.5 AND min(price) < 1.5 FROM pg_temp.market), 'one of them at its most');
SELECT is_empty(format($$ SELECT * FROM (SELECT * FROM pg_temp.score WHERE (component, part) = (%1$L, %2$L)) s FULL JOIN (SELECT * FROM pg_temp.paid_row WHERE (component, part) = (%1$L, %2$L)) r USING (epoch_id, node_id)
	WHERE (abs(r.score / s.score - 1) < 1e-9) IS NOT TRUE $$, component, part), rtrim(format('scores of %s %s', component, part)))
FROM (SELECT DISTINCT component, part FROM pg_temp.score) c ORDER BY component, part;
SELECT ok((SELECT count(*) = 7 AND min(n) >= 10 FROM (SELECT count(*) AS n FROM pg_temp.score GROUP BY component, part) c), 'of which there are enough');

-- the money: largest remainders, capped providers first, from the scores as they were frozen
CREATE FUNCTION pg_temp.hamilton(amount numeric, cap numeric, VARIADIC scores numeric[]) RETURNS numeric[] LANGUAGE plpgsql AS $$
DECLARE
	full_up boolean[] := array_fill(false, ARRAY[cardinality(scores)]);
	given numeric[] := array_fill(0::numeric, ARRAY[cardinality(scores)]);
	remainder numeric[] := given;
	rest numeric;
	total numeric;
	more boolean := true;
	best int;
BEGIN
	WHILE more LOOP
		more := false;
		rest := amount; total := 0;
		FOR i IN 1 .. cardinality(scores) LOOP
			IF full_up[i] THEN rest := rest - cap; ELSE total := total + scores[i]; END IF;
		END LOOP;
		FOR i IN 1 .. cardinality(scores) LOOP
			IF NOT full_up[i] AND rest * scores[i] > cap * total THEN full_up[i] := true; more := true; END IF;
		END LOOP;
	END LOOP;
	FOR i IN 1 .. cardinality(scores) LOOP
		given[i] := CASE WHEN full_up[i] THEN cap ELSE div(rest * scores[i], total) END;
		remainder[i] := CASE WHEN full_up[i] OR given[i] = cap THEN -1 ELSE rest * scores[i] - given[i] * total END;
	END LOOP;
	IF total > 0 THEN
		FOR k IN 1 .. amount - (SELECT sum(g) FROM unnest(given) g) LOOP
			best := 1;
			FOR i IN 2 .. cardinality(scores) LOOP
				IF remainder[i] > remainder[best] THEN best := i; END IF;
			END LOOP;
			EXIT WHEN remainder[best] < 0;
			given[best] := given[best] + 1; remainder[best] := -1;
		END LOOP;
	END IF;
	RETURN given;
END $$;
\o /dev/null
CREATE TABLE pg_temp.lot AS
SELECT epoch_id, component::text, '' AS part, released FROM epoch_pool WHERE component <> 'coverage_gaps'
UNION ALL SELECT epoch_id, component, part, released FROM epoch_pool_part;
CREATE TABLE pg_temp.given AS
WITH provider AS (
	SELECT epoch_id, component, part, provider_id, array_agg(node_id ORDER BY node_id) AS nodes, array_agg(score ORDER BY node_id) AS scores, sum(score) AS score
	FROM pg_temp.paid_row GROUP BY 1, 2, 3, 4
), shared AS (
	SELECT l.epoch_id, l.component, l.part, u.provider_id, u.amount
	FROM pg_temp.lot l JOIN (SELECT epoch_id, component, part, array_agg(provider_id ORDER BY provider_id) AS providers, array_agg(score ORDER BY provider_id) AS scores FROM provider GROUP BY 1, 2, 3) p USING (epoch_id, component, part),
		unnest(p.providers, pg_temp.hamilton(l.released, div(l.released * 2500, 10000), VARIADIC p.scores)) u (provider_id, amount)
)
SELECT s.epoch_id, s.component, s.part, u.node_id, u.amount
FROM shared s JOIN provider p USING (epoch_id, component, part, provider_id), unnest(p.nodes, pg_temp.hamilton(s.amount, NULL, VARIADIC p.scores)) u (node_id, amount);
\o
SELECT is_empty('SELECT * FROM pg_temp.given g FULL JOIN pg_temp.paid_row r USING (epoch_id, component, part, node_id) WHERE g.amount IS DISTINCT FROM r.amount', 'every amount, to the base unit');
SELECT is_empty($$ SELECT * FROM epoch_pool p JOIN epoch e USING (epoch_id) WHERE p.released <> CASE p.component
	WHEN 'network_capacity' THEN floor((p.budget + p.carried_in) * least(1, (SELECT sum(t.pot) FROM pg_temp.pot t WHERE t.epoch_id = p.epoch_id) / 300)) ELSE p.budget + p.carried_in END $$, 'what each pool had to share out');
SELECT is_empty($$ SELECT e.epoch_id FROM epoch e, unnest(pg_temp.hamilton(e.budget, NULL, 2000, 2500, 1500, 1500, 1500, 1000)) WITH ORDINALITY b (budget, position) JOIN component c USING (position)
	JOIN epoch_pool p ON p.component = c.code WHERE p.epoch_id = e.epoch_id AND p.budget <> b.budget $$, 'how the budget was split');
SELECT is_empty($$ SELECT l.epoch_id, l.part FROM pg_temp.lot l JOIN epoch_pool p ON (p.epoch_id, p.component) = (l.epoch_id, 'coverage_gaps'), LATERAL (SELECT pg_temp.hamilton(p.released, NULL, 5500, 4500) AS h) x
	WHERE l.released <> CASE l.part WHEN 'geographic' THEN h[1] WHEN 'resource' THEN h[2] ELSE l.released END $$, 'and the pool of gaps');
SELECT * FROM finish();
ROLLBACK;
