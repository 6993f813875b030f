-- What agents do between two epochs: they look at a handful of places, expect what the mechanism says of the last
-- epoch, in the measure of what became of earlier expectations, with noise; buy, move, add to or sell a machine each.

CREATE TABLE sim.look (epoch int, agent_id int, city int, PRIMARY KEY (epoch, agent_id, city));

-- Three places anywhere, more often where there are more people, two in the country of home, and one where the agent is.
CREATE PROCEDURE sim.look_around(t int) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sim.look
	SELECT DISTINCT t, x.agent_id, x.city FROM (
		SELECT a.agent_id, sim.draw_city(sim.u('look ' || k, a.agent_id, t)) AS city FROM sim.agent a, generate_series(1, 3) k
		UNION ALL
		SELECT a.agent_id, c.city_id FROM sim.agent a JOIN sim.city h ON h.city_id = a.home,
			LATERAL (SELECT c.city_id FROM sim.city c WHERE c.country = h.country AND NOT c.metro ORDER BY sim.u('near', c.city_id, a.agent_id * 1000 + t) LIMIT 2) c
		UNION ALL
		(SELECT DISTINCT ON (m.agent_id) m.agent_id, m.claimed FROM sim.machine m WHERE m.gone IS NULL ORDER BY m.agent_id, sim.u('own', m.machine_id, t))) x
	WHERE x.agent_id IN (SELECT a.agent_id FROM sim.agent a WHERE a.capital > 0 AND (sim.u('attention', a.agent_id, t) < 0.25 OR a.lie = 'hop'));
END $$;

-- What an agent sees in a place, for each kind of hardware: dollars a month that it thinks to get, and to spend.
CREATE FUNCTION sim.prospect(t int) RETURNS TABLE (agent_id int, city int, kind int, promised float8, gross float8, cost float8) LANGUAGE sql STABLE AS $$
	SELECT a.agent_id, l.city, k.kind, p.promised,
		(p.promised * x.factor + f.fee * p.there) * greatest(0.2, 1 + 0.25 * sim.z('guess', a.agent_id * 10 + k.kind, l.city * 1000 + t)),
		sim.opex(k.opex, c.price_level) * CASE WHEN a.lie = 'flash' THEN 0.4 ELSE 1 END
	FROM sim.look l JOIN sim.agent a ON a.agent_id = l.agent_id
		JOIN sim.experience x ON x.lie = coalesce(a.lie, 'honest')
		JOIN sim.offer o ON o.city = l.city
		JOIN sim.kind k ON k.kind = o.kind
		-- who lies about the place is at home
		JOIN sim.city c ON c.city_id = CASE WHEN a.lie = 'place' THEN a.home ELSE l.city END
		JOIN sim.offer f ON f.city = c.city_id AND f.kind = k.kind,
		LATERAL (SELECT CASE WHEN a.lie = 'flash' THEN 1.0 / 3 ELSE 1 END AS there,
			o.tokens * CASE a.lie WHEN 'flash' THEN 1.0 / 3 WHEN 'units' THEN 4 ELSE 1 END AS promised) p
	WHERE l.epoch = t
$$;

CREATE PROCEDURE sim.decide(t int) LANGUAGE plpgsql AS $$
DECLARE
	r record;
	b record;
BEGIN
	-- what came of expectations: of machines up to 18 months old, but not of those in their first two months
	UPDATE sim.experience x SET factor = least(3, greatest(0.05, 0.7 * x.factor + 0.3 * coalesce(h.ratio, 1)))
	FROM sim.experience y LEFT JOIN (SELECT coalesce(e.lie, 'honest') AS lie, sum(e.tokens)::float8 / sum(m.expected / s.parts) AS ratio
		FROM sim.entry e JOIN sim.machine m ON m.machine_id = e.machine_id JOIN sim.stay s ON s.node_id = e.node_id
		WHERE e.epoch = t AND m.expected > 0 AND t - m.since BETWEEN 2 AND 18 GROUP BY 1) h ON h.lie = y.lie
	WHERE x.lie = y.lie;

	-- money
	INSERT INTO sim.income SELECT t, a.agent_id, coalesce(sum(e.tokens), 0), coalesce(sum(e.customers), 0) * g.fee
	FROM sim.agent a LEFT JOIN sim.entry e ON e.epoch = t AND e.agent_id = a.agent_id, sim.setting g GROUP BY a.agent_id, g.fee;
	CREATE TEMP TABLE IF NOT EXISTS result (machine_id int PRIMARY KEY, agent_id int, tokens float8, net float8, capex float8, salvage float8);
	TRUNCATE result;
	INSERT INTO result
	SELECT m.machine_id, m.agent_id, i.tokens, i.tokens + i.fees - m.scale * sim.opex(k.opex, c.price_level) * CASE WHEN a.lie = 'flash' THEN 0.4 ELSE 1 END, m.scale * k.capex,
		m.scale * k.capex * greatest(0.1, 0.5 - 0.02 * (t - m.built))
	FROM sim.machine m JOIN sim.agent a ON a.agent_id = m.agent_id JOIN sim.kind k ON k.kind = m.kind JOIN sim.city c ON c.city_id = m.city, sim.setting g,
		LATERAL (SELECT coalesce(sum(e.tokens), 0)::float8 AS tokens, coalesce(sum(e.customers), 0) * g.fee AS fees FROM sim.entry e WHERE e.epoch = t AND e.machine_id = m.machine_id) i
	WHERE m.gone IS NULL;
	UPDATE sim.agent a SET capital = a.capital + n.net FROM (SELECT agent_id, sum(net) AS net FROM result GROUP BY agent_id) n WHERE n.agent_id = a.agent_id;
	UPDATE sim.machine m SET poor = CASE WHEN n.net < 0 THEN m.poor + 1 ELSE 0 END FROM result n WHERE n.machine_id = m.machine_id;

	CREATE TEMP TABLE IF NOT EXISTS prospect (agent_id int, city int, kind int, promised float8, gross float8, cost float8);
	TRUNCATE prospect;
	INSERT INTO prospect SELECT * FROM sim.prospect(t);
	ANALYZE prospect;

	-- machines at a loss for too long, those that hop, and names that are worn out
	FOR r IN SELECT m.*, a.lie, a.patience, a.capital, a.home, n.capex, n.salvage, n.net FROM sim.machine m JOIN sim.agent a ON a.agent_id = m.agent_id JOIN result n ON n.machine_id = m.machine_id
			WHERE m.poor >= a.patience + 2 OR a.capital < 0 OR (a.lie = 'hop' AND t - m.since >= 2) OR (a.lie = 'names' AND t - m.since >= 4) ORDER BY m.machine_id LOOP
		SELECT * INTO b FROM prospect p WHERE p.agent_id = r.agent_id AND p.kind = r.kind AND p.city <> r.claimed ORDER BY p.gross - p.cost DESC, p.city LIMIT 1;
		IF (r.poor >= r.patience + 2 OR r.lie IS NOT DISTINCT FROM 'hop') AND r.capital > 0.1 * r.capex AND b.gross - b.cost > greatest(r.net, 0) / r.scale + 0.1 * r.capex / r.scale / 6 THEN
			UPDATE sim.machine SET city = CASE WHEN r.lie = 'place' THEN city ELSE b.city END, claimed = b.city, since = t + 1, expected = b.promised * r.scale, poor = 0 WHERE machine_id = r.machine_id;
			UPDATE sim.agent SET capital = capital - 0.1 * r.capex WHERE agent_id = r.agent_id;
		ELSIF r.poor >= r.patience + 2 OR r.capital < 0 THEN
			UPDATE sim.machine SET gone = t + 1 WHERE machine_id = r.machine_id;
			UPDATE sim.agent SET capital = capital + r.salvage WHERE agent_id = r.agent_id;
		ELSIF r.lie = 'names' THEN
			UPDATE sim.machine SET since = t + 1, names = names + 1 WHERE machine_id = r.machine_id;
		END IF;
	END LOOP;

	-- the best thing to buy: what is left after eighteen months, per dollar
	FOR r IN SELECT DISTINCT ON (p.agent_id) p.*, a.lie, a.home, k.capex FROM prospect p JOIN sim.agent a ON a.agent_id = p.agent_id JOIN sim.kind k ON k.kind = p.kind
			WHERE k.capex <= 0.9 * a.capital AND 18 * (p.gross - p.cost) > 0.9 * k.capex
			ORDER BY p.agent_id, (18 * (p.gross - p.cost) - 0.7 * k.capex) / k.capex DESC, p.city, p.kind LOOP
		-- more of the same where one is already; not for those who change names or places
		UPDATE sim.machine SET scale = scale + 1, expected = expected + r.promised
		WHERE machine_id = (SELECT min(machine_id) FROM sim.machine m WHERE m.agent_id = r.agent_id AND m.claimed = r.city AND m.kind = r.kind AND m.gone IS NULL AND m.expected IS NOT NULL AND (r.lie IS NULL OR r.lie = 'units'));
		IF NOT FOUND THEN
			INSERT INTO sim.machine (agent_id, kind, city, claimed, since, built, expected)
			VALUES (r.agent_id, r.kind, CASE WHEN r.lie = 'place' THEN r.home ELSE r.city END, r.city, t + 1, t + 1, r.promised);
		END IF;
		UPDATE sim.agent SET capital = capital - r.capex, ever = true WHERE agent_id = r.agent_id;
	END LOOP;
END $$;
