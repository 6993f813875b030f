-- What other networks pay, from the same rows. Each rule is taken from what its network has published,
-- and where that is open the reading that pays best for growth is taken; see doc/incentives.md.

CREATE TABLE sim.mechanism (
	name text PRIMARY KEY,
	pays text NOT NULL CHECK (pays IN ('none', 'flat', 'user', 'hex', 'cell', 'ours')),
	evidence boolean NOT NULL,				-- lies about place, units and names are found out
	template text,							-- of ours: the policy that it starts from
	knobs jsonb NOT NULL DEFAULT '{}'		-- parameters: of ours changes of the policy, else of the rule
);
CREATE TABLE sim.stay (
	node_id bigint PRIMARY KEY, machine_id int NOT NULL, since int NOT NULL, lie text, part int NOT NULL, parts int NOT NULL, scale int NOT NULL,
	from_epoch int NOT NULL, until int, provider_id bigint NOT NULL, hardware text
);

CREATE FUNCTION sim.knob(parameter text) RETURNS float8 LANGUAGE sql STABLE AS $$
	SELECT ((m.knobs || s.knobs) ->> parameter)::float8 FROM sim.setting s JOIN sim.mechanism m ON m.name = s.mechanism
$$;

-- What a rival knows of the entries of an epoch. Certified devices (hex, cell) cannot inflate what they are, and
-- those of cell show by what they measure where they are; of hex's false places witnesses find one in two.
CREATE FUNCTION sim.seen(t int) RETURNS TABLE (node_id bigint, agent_id int, place int, seniority int, value float8, presence float8) LANGUAGE sql STABLE AS $$
	SELECT e.node_id, e.agent_id, e.claimed, e.seniority, CASE WHEN m.evidence OR m.pays IN ('hex', 'cell') THEN e.true_value ELSE e.value END, e.presence
	FROM sim.entry e, sim.setting s JOIN sim.mechanism m ON m.name = s.mechanism
	WHERE e.epoch = t AND NOT (e.city <> e.claimed AND (m.evidence OR m.pays = 'cell' OR (m.pays = 'hex' AND sim.u('witness', e.machine_id) < 0.5)))
$$;

-- ---- pay by the unit ----
CREATE FUNCTION sim.score_flat(t int) RETURNS TABLE (node_id bigint, score float8) LANGUAGE sql STABLE AS $$ SELECT node_id, value * presence FROM sim.seen(t) $$;
CREATE FUNCTION sim.offer_flat(t int) RETURNS TABLE (city int, score float8) LANGUAGE sql STABLE AS $$ SELECT city_id, 1 FROM sim.city $$;

-- ---- pay by the person served: of whom several serve each gets a part ----
CREATE FUNCTION sim.claimed_price(t int) RETURNS coverage LANGUAGE sql STABLE AS $$
	SELECT n.demand / coverage_greatest(coalesce((SELECT coverage_agg(c.location, service_radius(10), v.value / v.w * 1048576, g.grid_order) / 1048576
		FROM (SELECT s.place, sum(s.value * s.presence) AS value, coverage_sum(n.demand, c.location, service_radius(10)) AS w
			FROM sim.seen(t) s JOIN sim.city c ON c.city_id = s.place GROUP BY s.place, c.location) v JOIN sim.city c ON c.city_id = v.place WHERE v.w > 0), n.demand * 0), g.target)
	FROM sim.now n, sim.setting g
$$;
CREATE FUNCTION sim.offer_user(t int) RETURNS TABLE (city int, score float8) LANGUAGE sql STABLE AS $$
	WITH p AS MATERIALIZED (SELECT sim.claimed_price(t) AS price)
	SELECT c.city_id, coalesce(coverage_sum(p.price, c.location, service_radius(10)) / nullif(coverage_sum(n.demand, c.location, service_radius(10)), 0), 0)
	FROM sim.city c, sim.now n, p
$$;
CREATE FUNCTION sim.score_user(t int) RETURNS TABLE (node_id bigint, score float8) LANGUAGE sql STABLE AS $$
	SELECT s.node_id, s.value * s.presence * o.score FROM sim.seen(t) s JOIN sim.offer_user(t) o ON o.city = s.place
$$;

-- ---- hexagon density scaling, HIP 17 ----
-- Four levels with the published targets and limits. H3 is replaced by the cells of HEALPix, of which four and not seven
-- make the next larger one, and the smallest is of the size that a node serves; a machine counts as much as it has, in units of the smallest kind.
CREATE FUNCTION sim.hex_fields(t int) RETURNS TABLE (level int, density coverage, ceiling coverage, clipped coverage) LANGUAGE plpgsql STABLE AS $$
DECLARE
	o int := sim.knob('order');
	targets float8[] := ARRAY[1, 5, 25, 100];
	limits float8[] := ARRAY[4, 20, 100, 400];
	needed float8[] := ARRAY[2, 2, 1, 1];
	near coverage;
BEGIN
	EXECUTE 'SELECT density_agg(c.location, s.value / 4, $2) FROM sim.seen($1) s JOIN sim.city c ON c.city_id = s.place' INTO density USING t, o;
	FOR l IN 1..4 LOOP
		level := l;
		IF density IS NULL THEN RETURN; END IF;
		EXECUTE 'SELECT coverage_focal_sum(coverage_mask($1, $2), $3)' INTO near USING density, targets[l], 1.5 * sqrt(coverage_cell_area(o - l + 1));
		EXECUTE 'SELECT coverage_least(coverage_greatest(coverage_round($1) - $2, 1) * $3, $4)' INTO ceiling USING near, needed[l] - 1, targets[l], limits[l];
		EXECUTE 'SELECT coverage_least($1, $2)' INTO clipped USING density, ceiling;
		RETURN NEXT;
		IF l < 4 THEN
			EXECUTE 'SELECT density_agg(x.center, x.value, $2) FROM coverage_cells($1) x' INTO density USING clipped, o - l;
		END IF;
	END LOOP;
END $$;
CREATE FUNCTION sim.score_hex(t int) RETURNS TABLE (node_id bigint, score float8) LANGUAGE sql STABLE AS $$
	WITH f AS MATERIALIZED (SELECT * FROM sim.hex_fields(t))
	SELECT s.node_id, s.value * s.presence * x.s1 * x.s2 * x.s3 * x.s4 FROM sim.seen(t) s JOIN sim.city c ON c.city_id = s.place,
		LATERAL (SELECT min(r) FILTER (WHERE level = 1) AS s1, min(r) FILTER (WHERE level = 2) AS s2, min(r) FILTER (WHERE level = 3) AS s3, min(r) FILTER (WHERE level = 4) AS s4
			FROM (SELECT f.level, coverage_value(f.clipped, c.location) / nullif(coverage_value(f.density, c.location), 0) AS r FROM f) y) x
$$;
CREATE FUNCTION sim.offer_hex(t int) RETURNS TABLE (city int, score float8) LANGUAGE sql STABLE AS $$
	WITH f AS MATERIALIZED (SELECT * FROM sim.hex_fields(t))
	SELECT c.city_id, coalesce(x.s1 * x.s2 * x.s3 * x.s4, 1) FROM sim.city c,
		LATERAL (SELECT min(r) FILTER (WHERE level = 1) AS s1, min(r) FILTER (WHERE level = 2) AS s2, min(r) FILTER (WHERE level = 3) AS s3, min(r) FILTER (WHERE level = 4) AS s4
			FROM (SELECT f.level, least(1, coverage_value(f.ceiling, c.location) / (coverage_value(f.density, c.location) + 1)) AS r FROM f) y) x
$$;

-- ---- a capacity for each cell: those who came first are paid, up to it (WeatherXM; GEODNET's hexagons are the like) ----
CREATE FUNCTION sim.score_cell(t int) RETURNS TABLE (node_id bigint, score float8) LANGUAGE sql STABLE AS $$
	SELECT s.node_id, s.presence * greatest(0, least(s.value, sim.knob('capacity') - s.before))
	FROM (SELECT s.*, coalesce(sum(s.value) OVER (PARTITION BY coverage_cell(c.location, sim.knob('order')::int) ORDER BY s.presence DESC, s.seniority, s.node_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
		FROM sim.seen(t) s JOIN sim.city c ON c.city_id = s.place) s
$$;
CREATE FUNCTION sim.offer_cell(t int) RETURNS TABLE (city int, score float8) LANGUAGE sql STABLE AS $$
	SELECT c.city_id, least(1, greatest(0, sim.knob('capacity') - coalesce(o.taken, 0)) / 4)
	FROM sim.city c LEFT JOIN (SELECT coverage_cell(x.location, sim.knob('order')::int) AS cell, sum(s.value) AS taken FROM sim.seen(t) s JOIN sim.city x ON x.city_id = s.place GROUP BY 1) o
		ON o.cell = coverage_cell(c.location, sim.knob('order')::int)
$$;

-- ---- the budget of a rival, shared by score, and what one more unit of contribution would get ----
-- With the knob price_max a rule pays at most so many tokens a month for a unit of contribution.
CREATE PROCEDURE sim.pay_rival(t int) LANGUAGE plpgsql AS $$
DECLARE
	rule text := (SELECT m.pays FROM sim.setting s JOIN sim.mechanism m ON m.name = s.mechanism);
	total float8;
	payable numeric;
BEGIN
	CREATE TEMP TABLE IF NOT EXISTS score (node_id bigint, score float8);
	TRUNCATE score;
	EXECUTE format('INSERT INTO score SELECT * FROM sim.score_%s($1) WHERE score > 0', rule) USING t;
	SELECT sum(x.score), floor(least(g.budget, coalesce(sim.knob('price_max'), 1e9) * sum(e.value * e.presence)::numeric) * 1000000) INTO total, payable
	FROM score x JOIN sim.entry e ON e.epoch = t AND e.node_id = x.node_id, sim.setting g GROUP BY g.budget;
	UPDATE sim.entry e SET tokens = a.amount / 1e6 FROM (SELECT node_id, allocate(score, payable) OVER (ORDER BY node_id) AS amount FROM score) a WHERE e.epoch = t AND e.node_id = a.node_id;
	DELETE FROM sim.offer;
	EXECUTE format($q$
		INSERT INTO sim.offer (city, kind, tokens, fee)
		SELECT o.city, k.kind, least((SELECT budget FROM sim.setting)::float8 * x.mine / ($2 + x.mine), coalesce(sim.knob('price_max'), 1e9) * k.value), 0
		FROM sim.offer_%s($1) o, sim.kind k, LATERAL (SELECT k.value * o.score AS mine) x WHERE x.mine >= 0 $q$, rule) USING t, coalesce(total, 0) + 1e-9;
END $$;
