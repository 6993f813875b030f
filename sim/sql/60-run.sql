-- A run, and what is measured of it.

-- part of the people of each country who are really served
CREATE VIEW sim.region_share AS
SELECT r.country, sum(r.people) AS people, sum(r.people * r.served) / sum(r.people) AS served
FROM (SELECT c.country, c.people, coverage_value(f.c, c.location) AS served FROM sim.city c, (SELECT coverage_least(n.supply / g.target, 1) AS c FROM sim.now n, sim.setting g) f WHERE c.people > 0) r GROUP BY r.country;

CREATE PROCEDURE sim.observe(t int) LANGUAGE sql AS $$
	INSERT INTO sim.measure
	SELECT t, e.nodes, n.people, n.served10, n.served50, e.paid, e.to_liars,
		(SELECT sum(x.tokens * x.tokens) / nullif(sum(x.tokens), 0) ^ 2 FROM sim.income x WHERE x.epoch = t),
		(SELECT sum(a.people * b.people * abs(a.served - b.served)) / 2 / nullif(sum(a.people * b.people * b.served), 0) FROM sim.region_share a, sim.region_share b),
		(SELECT count(DISTINCT a.agent_id) FROM sim.agent a JOIN sim.machine m ON m.agent_id = a.agent_id AND m.gone IS NULL WHERE a.lie IS NULL),
		(SELECT count(*) FROM sim.agent WHERE lie IS NULL AND ever),
		(SELECT avg(2 * abs(x.tokens - y.tokens) / (x.tokens + y.tokens)) FROM sim.income x JOIN sim.income y ON y.agent_id = x.agent_id AND y.epoch = x.epoch - 1
			JOIN sim.agent a ON a.agent_id = x.agent_id AND a.lie IS NULL WHERE x.epoch = t AND x.tokens + y.tokens > 0),
		e.true_value,
		e.paid <= e.budget AND (NOT EXISTS (SELECT FROM epoch_pool WHERE epoch_id = t)
			OR (SELECT sum(p.paid) = e.paid * 1000000 AND sum(p.budget) = e.monthly * 1000000 AND bool_and(p.budget + p.carried_in = p.paid + p.carried_out + p.treasury) FROM epoch_pool p WHERE p.epoch_id = t))
	FROM sim.now n, (SELECT count(*) AS nodes, coalesce(sum(tokens), 0) AS paid, coalesce(sum(tokens) FILTER (WHERE lie IS NOT NULL), 0) AS to_liars,
			coalesce(sum(true_value * presence), 0) AS true_value, (SELECT budget * 2 FROM sim.setting) AS budget, (SELECT budget FROM sim.setting) AS monthly FROM sim.entry WHERE epoch = t) e
$$;

CREATE PROCEDURE sim.run() LANGUAGE plpgsql AS $$
DECLARE
	g sim.setting;
	m sim.mechanism;
BEGIN
	SELECT * INTO g FROM sim.setting;
	SELECT * INTO m FROM sim.mechanism WHERE name = g.mechanism;
	CALL sim.settle();
	IF m.pays = 'ours' THEN
		CALL sim.make_policy();
	END IF;
	COMMIT;
	FOR t IN 1..g.epochs LOOP
		CALL sim.register(t);
		CALL sim.serve(t);
		CALL sim.look_around(t);
		IF m.pays = 'ours' THEN
			CALL sim.pay_ours(t);
		ELSIF m.pays = 'none' THEN
			DELETE FROM sim.offer;
			INSERT INTO sim.offer SELECT c.city_id, k.kind, 0, 0 FROM sim.city c, sim.kind k;
		ELSE
			CALL sim.pay_rival(t);
		END IF;
		UPDATE sim.offer o SET fee = g.fee * k.value * f.each
		FROM sim.kind k, (SELECT c.city_id, coalesce(coverage_sum(n.fee_price, c.location, service_radius(10)) / nullif(coverage_sum(n.demand, c.location, service_radius(10)), 0), 0) AS each
			FROM sim.city c, sim.now n) f WHERE k.kind = o.kind AND f.city_id = o.city;
		CALL sim.decide(t);
		CALL sim.observe(t);
		COMMIT;
	END LOOP;
END $$;
