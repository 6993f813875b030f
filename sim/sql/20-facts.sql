-- From what agents have to what the ledger is told: stays of nodes, their resources, demand.

-- the city whose turn it is when people are drawn, one in proportion to its size
CREATE FUNCTION sim.draw_city(u float8) RETURNS int LANGUAGE sql STABLE AS $$
	SELECT c.city_id FROM (SELECT city_id, sum(people) OVER (ORDER BY city_id) AS upto, sum(people) OVER () AS total FROM sim.city) c
	WHERE c.upto > u * c.total ORDER BY c.city_id LIMIT 1
$$;

-- The agents of a seed, and the network that they begin with.
CREATE PROCEDURE sim.settle() LANGUAGE plpgsql AS $$
DECLARE
	g sim.setting;
BEGIN
	SELECT * INTO g FROM sim.setting;
	-- the liars are the last ones, each kind of lie in turn
	INSERT INTO sim.agent (agent_id, lie, home, capital, patience)
	SELECT i, CASE WHEN i > g.agents - round(g.agents * g.liars) THEN (ARRAY['place', 'units', 'names', 'flash', 'hop'])[1 + i % 5] END,
		sim.draw_city(sim.u('home', i)), 3000 + 24000 * sim.u('capital', i) * sim.u('capital too', i), 2 + floor(4 * sim.u('patience', i))::int
	FROM generate_series(1, g.agents) i;
	INSERT INTO provider (provider_id, name) SELECT agent_id, 'agent ' || agent_id FROM sim.agent ORDER BY agent_id;
	IF g.start = 'mlab' THEN
		-- a machine in each metro, dealt to the honest
		INSERT INTO sim.machine (agent_id, kind, city, claimed, since, built)
		SELECT 1 + (row_number() OVER (ORDER BY sim.u('deal', city_id)) - 1) % (SELECT count(*) FROM sim.agent WHERE lie IS NULL), 1, city_id, city_id, -5, -5
		FROM sim.city WHERE metro ORDER BY sim.u('deal', city_id);
		UPDATE sim.agent SET ever = true WHERE agent_id IN (SELECT agent_id FROM sim.machine);
	END IF;
END $$;

-- What machines do becomes stays of nodes: a stay for each name, and each month another one for those that are only there in its middle.
CREATE PROCEDURE sim.register(t int) LANGUAGE plpgsql AS $$
DECLARE
	attested boolean := (SELECT m.evidence FROM sim.setting s JOIN sim.mechanism m ON m.name = s.mechanism);
	up record;
BEGIN
	UPDATE node n SET left_at = sim.day(t) FROM sim.stay s LEFT JOIN sim.machine m ON m.machine_id = s.machine_id AND m.gone IS NULL AND m.since = s.since
	WHERE n.node_id = s.node_id AND n.left_at IS NULL AND m.machine_id IS NULL;
	UPDATE sim.stay s SET until = t FROM node n WHERE n.node_id = s.node_id AND n.left_at = sim.day(t) AND s.until IS NULL;

	-- upgrades
	FOR up IN SELECT s.node_id, x.type, x.units FROM sim.stay s JOIN sim.machine m ON m.machine_id = s.machine_id JOIN sim.kind k ON k.kind = m.kind,
			LATERAL (SELECT m.scale * CASE WHEN s.lie = 'units' THEN 4 ELSE 1 END * 1.0 / s.parts AS factor) f, LATERAL (VALUES ('cpu', round(k.cpu * f.factor, 9)), ('gpu', round(k.gpu * f.factor, 9))) x (type, units)
			WHERE s.until IS NULL AND s.scale < m.scale AND x.units > 0 ORDER BY s.node_id, x.type LOOP
		PERFORM set_node_resource(up.node_id, up.type, up.units, sim.day(t));
	END LOOP;
	UPDATE sim.stay s SET scale = m.scale FROM sim.machine m WHERE m.machine_id = s.machine_id AND s.until IS NULL AND s.scale < m.scale;

	-- whose hardware is attested cannot call it by other names: it can only leave it without one
	INSERT INTO sim.stay (node_id, machine_id, since, lie, part, parts, scale, from_epoch, until, provider_id, hardware)
	SELECT m.machine_id * 1000 + greatest(t, 0) * 10 + p.part, m.machine_id, m.since, a.lie, p.part, p.parts, m.scale, t, CASE WHEN a.lie = 'flash' THEN t + 1 END,
		CASE WHEN a.lie = 'names' THEN 1000000 + m.machine_id * 1000 + m.names * 10 + p.part ELSE a.agent_id END,
		CASE WHEN a.lie = 'names' THEN CASE WHEN NOT attested THEN format('m%s.%s.%s', m.machine_id, m.names, p.part) END ELSE 'm' || m.machine_id END
	FROM sim.machine m JOIN sim.agent a ON a.agent_id = m.agent_id, LATERAL (SELECT CASE WHEN a.lie = 'names' THEN 3 ELSE 1 END AS parts) q, LATERAL (SELECT part, q.parts FROM generate_series(1, q.parts) part) p
	WHERE m.gone IS NULL AND (a.lie IS NOT DISTINCT FROM 'flash' OR NOT EXISTS (SELECT FROM sim.stay s WHERE s.machine_id = m.machine_id AND s.since = m.since AND s.until IS NULL));
	INSERT INTO provider (provider_id, name) SELECT DISTINCT provider_id, 'alias ' || provider_id FROM sim.stay s
	WHERE from_epoch = t AND NOT EXISTS (SELECT FROM provider p WHERE p.provider_id = s.provider_id);
	INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at, left_at)
	SELECT s.node_id, s.provider_id, s.hardware, c.location, service_radius(10), CASE WHEN s.lie = 'flash' THEN sim.day(t) + interval '10 days' ELSE sim.day(s.since) END,
		CASE WHEN s.lie = 'flash' THEN sim.day(t) + interval '20 days' END
	FROM sim.stay s JOIN sim.machine m ON m.machine_id = s.machine_id JOIN sim.city c ON c.city_id = m.claimed WHERE s.from_epoch = t ORDER BY s.node_id;
	INSERT INTO node_resource (node_id, resource_type, units)
	SELECT s.node_id, x.type, x.units FROM sim.stay s JOIN sim.machine m ON m.machine_id = s.machine_id JOIN sim.kind k ON k.kind = m.kind,
		LATERAL (SELECT m.scale * CASE WHEN s.lie = 'units' THEN 4 ELSE 1 END * 1.0 / s.parts AS factor) f, LATERAL (VALUES ('cpu', round(k.cpu * f.factor, 9)), ('gpu', round(k.gpu * f.factor, 9))) x (type, units)
	WHERE s.from_epoch = t AND x.units > 0 ORDER BY s.node_id, x.type;

	INSERT INTO sim.entry (epoch, node_id, machine_id, agent_id, lie, city, claimed, seniority, true_value, value, cpu, gpu, presence)
	SELECT t, s.node_id, m.machine_id, m.agent_id, s.lie, m.city, m.claimed, m.since, k.value * m.scale / s.parts, k.value * m.scale / s.parts * f.factor,
		k.cpu * m.scale * f.factor / s.parts, k.gpu * m.scale * f.factor / s.parts, CASE WHEN s.lie = 'flash' THEN 1.0 / 3 ELSE 1 END
	FROM sim.stay s JOIN sim.machine m ON m.machine_id = s.machine_id JOIN sim.kind k ON k.kind = m.kind, LATERAL (SELECT CASE WHEN s.lie = 'units' THEN 4 ELSE 1 END AS factor) f
	WHERE s.from_epoch <= t AND (s.until IS NULL OR s.until > t);

	-- demand: millions of people, and resources for them where they are, seven tenths of them cpu
	INSERT INTO demand (location, weight, valid)
	SELECT location, round((people * (1 + growth * (t - 1) / 12.0))::numeric, 6), sim.period(t) FROM sim.city WHERE NOT metro ORDER BY city_id;
	INSERT INTO resource_demand (region, resource_type, units, valid)
	SELECT c.country, x.type, round((sum(c.people * (1 + c.growth * (t - 1) / 12.0)) * min(g.target) * x.units)::numeric, 6), sim.period(t)
	FROM sim.city c JOIN region q ON q.code = c.country, sim.setting g, (VALUES ('cpu', 0.7), ('gpu', 0.06)) x (type, units) GROUP BY c.country, x.type, x.units HAVING sum(c.people) > 0;
END $$;

-- ---- who is really served ----

-- Fields of what is there: contribution per million people in reach, as in the supply field of the engine.
CREATE FUNCTION sim.catchment(demand coverage, radius_m float8, true_place boolean, t int) RETURNS coverage LANGUAGE sql STABLE AS $$
	SELECT coverage_agg(c.location, radius_m, e.value / nullif(w.w, 0) * 1048576, g.grid_order) / 1048576
	FROM (SELECT CASE WHEN true_place THEN city ELSE claimed END AS place, sum(presence * CASE WHEN true_place THEN true_value ELSE value END) AS value
			FROM sim.entry WHERE epoch = t GROUP BY 1) e
		JOIN sim.city c ON c.city_id = e.place, sim.setting g, LATERAL (SELECT coverage_sum(demand, c.location, radius_m) AS w) w
$$;

CREATE PROCEDURE sim.serve(t int) LANGUAGE plpgsql AS $$
DECLARE
	g sim.setting;
	d coverage;
	s coverage;
	wide coverage;
	p coverage;
	c coverage;
	a coverage;
BEGIN
	SELECT * INTO g FROM sim.setting;
	SELECT density_agg(x.location, x.weight::float8, g.grid_order) INTO d FROM demand x WHERE x.valid = sim.period(t);
	SELECT coalesce(sim.catchment(d, service_radius(10), true, t), d * 0), coalesce(sim.catchment(d, service_radius(50), true, t), d * 0) INTO s, wide;
	SELECT coverage_least(s / g.target, 1) INTO c;
	-- Customers come slowly where there is service, half of them in six months, and are gone where it is gone. Those of the
	-- network of 2019 have come already.
	SELECT coverage_least(c, n.customers + (c - n.customers) * 0.109) INTO a FROM sim.now n;
	a := coalesce(a, c);
	-- what a unit of supply serves: people in a cell over the supply there, or over the target where it is not reached;
	-- where there are no customers yet, an agent counts on three in ten of them
	SELECT d / coverage_greatest(s, g.target) INTO p;
	DELETE FROM sim.now;
	INSERT INTO sim.now SELECT d, s, a, p, p * (0.3 + 0.7 * (a / c)), coverage_sum(d * c), coverage_sum(d * coverage_least(wide / g.target, 1)), coverage_sum(d);
	UPDATE sim.entry e SET served = e.true_value * e.presence / w.w * coverage_sum(p, q.location, service_radius(10)),
		customers = e.true_value * e.presence / w.w * coverage_sum(f.paying, q.location, service_radius(10))
	FROM sim.city q, (SELECT d * a / s AS paying OFFSET 0) f, LATERAL (SELECT nullif(coverage_sum(d, q.location, service_radius(10)), 0) AS w) w WHERE e.epoch = t AND q.city_id = e.city AND w.w > 0;
END $$;
