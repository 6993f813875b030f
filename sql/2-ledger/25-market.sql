-- Regions, kinds of resources and services, owners: what is there, what is wanted, what is taken
-- for given. Sums over nodes are numeric, so that no order of rows matters.
CREATE VIEW epoch_owner AS
SELECT o.epoch_id, lower(e.period) AS starts_at, upper(e.period) AS ends_at, o.kind, o.owner, o.resource_type, o.units, o.reference, o.next_reference
FROM swarm_reward_internal.epoch_owner_rest o JOIN epoch e ON e.epoch_id = o.epoch_id
UNION ALL
SELECT r.epoch_id, lower(d.period), upper(d.period), 'hardware', n.hardware_id::text COLLATE "C", r.resource_type, n.quality * r.units, r.reference,
	swarm_reward_internal.follow(r.reference, n.quality * r.units, d.up, d.down)
FROM epoch_node_resource r JOIN epoch_node n ON n.epoch_id = r.epoch_id AND n.node_id = r.node_id
	-- DISTINCT, for these to be computed once and not for each row
	JOIN (SELECT DISTINCT e.epoch_id, e.period, swarm_reward_internal.decay(swarm_reward_internal.days(e.period), p.vesting_half_life) AS up,
			swarm_reward_internal.decay(swarm_reward_internal.days(e.period), p.memory_half_life) AS down
		FROM epoch e JOIN policy p ON p.policy_id = e.policy_id) d ON d.epoch_id = r.epoch_id
WHERE r.reference IS NOT NULL;
COMMENT ON VIEW epoch_owner IS 'units of each owner and kind of resource in an epoch, and what is taken for given of them';
COMMENT ON COLUMN epoch_owner.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_owner.starts_at IS 'when it starts';
COMMENT ON COLUMN epoch_owner.ends_at IS 'when it ends';
COMMENT ON COLUMN epoch_owner.kind IS 'hardware: what has this hardware_id; unattested: all that a provider has without a hardware_id, and as owner all, what everybody has so; provider: all that a provider has';
COMMENT ON COLUMN epoch_owner.owner IS 'the hardware_id, or the provider_id as text';
COMMENT ON COLUMN epoch_owner.resource_type IS 'the kind of resource';
COMMENT ON COLUMN epoch_owner.units IS 'V: quality * units';
COMMENT ON COLUMN epoch_owner.reference IS 'R when the epoch begins';
COMMENT ON COLUMN epoch_owner.next_reference IS 'R when it ends';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

-- What is left of a reference is forgotten below a billionth of a unit, of which nothing can be declared.
CREATE FUNCTION freeze_owner(e epoch, p policy) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	up double precision := decay(days(e.period), p.vesting_half_life);
	down double precision := decay(days(e.period), p.memory_half_life);
	is_baseline boolean := e.previous_epoch_id IS NULL AND e.baseline;
	several text[];	-- hardware with more than one stay in the epoch
BEGIN
	EXECUTE format('SELECT array_agg(DISTINCT n.hardware_id) FROM %s k JOIN %s n ON n.node_id = k.node_id WHERE k.stays > 1', epoch_table('machine', e.epoch_id), epoch_table('epoch_node', e.epoch_id))
	INTO several;
	PERFORM make_epoch_table('closing', e.epoch_id, format($q$
		SELECT x.owner, x.resource_type, x.next_reference FROM epoch_owner x WHERE x.epoch_id = %L AND x.kind = 'hardware' AND x.next_reference >= 1e-9 $q$, e.previous_epoch_id));
	PERFORM make_epoch_table('stock', e.epoch_id, format($q$
		SELECT v.*, CASE WHEN v.lone IS NULL THEN NULL WHEN %4$L THEN v.held ELSE coalesce(b.next_reference, 0) END AS reference
		FROM (SELECT n.node_id, n.provider_id, CASE WHEN n.hardware_id IS NULL THEN 'unattested' ELSE 'hardware' END AS kind,
				CASE WHEN n.hardware_id <> ALL (%5$L::text[]) THEN n.hardware_id::text END COLLATE "C" AS lone,
				CASE WHEN n.hardware_id IS NULL THEN n.provider_id::text WHEN n.hardware_id = ANY (%5$L::text[]) THEN n.hardware_id::text END COLLATE "C" AS owner,
				u.resource_type, u.declared::double precision AS declared, u.units::double precision AS units, n.quality * u.units::double precision AS held
			FROM %1$s n JOIN %2$s u ON u.node_id = n.node_id) v
			LEFT JOIN %3$s b ON b.owner = v.lone AND b.resource_type = v.resource_type $q$,
		epoch_table('epoch_node', e.epoch_id), epoch_table('unit', e.epoch_id), epoch_table('closing', e.epoch_id), is_baseline, coalesce(several, '{}')));
	PERFORM make_epoch_table('epoch_owner_rest', e.epoch_id, format($q$
		WITH part AS (SELECT s.provider_id, s.kind = 'unattested' AS unattested, s.resource_type, exact_sum(s.held) AS units FROM %5$s s GROUP BY 1, 2, 3)
		SELECT %1$s::bigint AS epoch_id, o.units, o.reference, follow(o.reference, o.units, %2$L::double precision, %3$L::double precision) AS next_reference, o.kind, o.owner, o.resource_type
		FROM (SELECT kind, owner, resource_type, coalesce(v.units, 0) AS units, CASE WHEN %4$L THEN coalesce(v.units, 0) ELSE coalesce(b.next_reference, 0) END AS reference
			FROM (SELECT s.kind, s.owner, s.resource_type, exact_total(s.held) AS units
					FROM %5$s s WHERE s.kind = 'hardware' AND s.owner IS NOT NULL GROUP BY s.kind, s.owner, s.resource_type
					UNION ALL SELECT 'provider', x.provider_id::text, x.resource_type, sum(x.units)::double precision FROM part x GROUP BY x.provider_id, x.resource_type
					UNION ALL SELECT 'unattested', x.provider_id::text, x.resource_type, x.units::double precision FROM part x WHERE x.unattested
					UNION ALL SELECT 'unattested', 'all', x.resource_type, sum(x.units)::double precision FROM part x WHERE x.unattested GROUP BY x.resource_type) v
				FULL JOIN (SELECT x.kind, x.owner, x.resource_type, x.next_reference FROM epoch_owner_rest x
						WHERE x.epoch_id = %6$L AND x.kind <> 'hardware' AND x.next_reference >= 1e-9
					UNION ALL SELECT 'hardware', c.owner, c.resource_type, c.next_reference FROM %7$s c
						WHERE NOT EXISTS (SELECT FROM %5$s s WHERE s.lone = c.owner AND s.resource_type = c.resource_type)) b
					USING (kind, owner, resource_type)) o $q$,
		e.epoch_id, up, down, is_baseline, epoch_table('stock', e.epoch_id), e.previous_epoch_id, epoch_table('closing', e.epoch_id)));
	PERFORM drop_epoch_table('closing', e.epoch_id);
END $$;
COMMENT ON FUNCTION freeze_owner(epoch, policy) IS
'run_epoch step: units of owners that have not just one node, and what is taken for given of them. Leaves the table stock to the step that follows: the resources of each node, held being quality * units; lone, its hardware where this is the only stay of that in the epoch, and what is taken for given of it; else kind and owner, in epoch_owner_rest';

CREATE FUNCTION freeze_resource_of_node(e epoch) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	rest text := epoch_table('epoch_owner_rest', e.epoch_id);
	stock text := epoch_table('stock', e.epoch_id);
	own text := epoch_table('own', e.epoch_id);
	of_all text := epoch_table('limit_of_all', e.epoch_id);
	of_provider text := epoch_table('limit_of_provider', e.epoch_id);
BEGIN
	-- a node's part in what its owner has above the owner's reference
	PERFORM make_epoch_table('own', e.epoch_id, format($q$
		SELECT * FROM (SELECT s.node_id, s.provider_id, s.resource_type, s.kind = 'unattested' AS unattested,
				CASE WHEN s.lone IS NOT NULL THEN s.held - s.reference WHEN o.units > o.reference THEN (o.units - o.reference) * (s.held / o.units) END AS own
			FROM %2$s s LEFT JOIN %1$s o ON o.kind = s.kind AND o.owner = s.owner AND o.resource_type = s.resource_type) v
		WHERE v.own > 0 $q$, rest, stock));
	-- of all without a hardware_id together it is not more than is above their reference, and then of a provider's not more than is above the provider's
	PERFORM make_epoch_table('limit_of_all', e.epoch_id, format($q$
		SELECT w.resource_type, least(1, greatest(a.units - a.reference, 0) / w.own) AS factor
		FROM (SELECT x.resource_type, exact_total(x.own) AS own FROM %2$s x WHERE x.unattested GROUP BY x.resource_type) w
			JOIN %1$s a ON a.kind = 'unattested' AND a.owner = 'all' AND a.resource_type = w.resource_type $q$, rest, own));
	PERFORM make_epoch_table('limit_of_provider', e.epoch_id, format($q$
		SELECT h.provider_id, h.resource_type, least(1, greatest(t.units - t.reference, 0) / h.growth) AS factor
		FROM (SELECT x.provider_id, x.resource_type, exact_total(x.own * coalesce(a.factor, 1)) AS growth
				FROM %2$s x LEFT JOIN %3$s a ON x.unattested AND a.resource_type = x.resource_type GROUP BY x.provider_id, x.resource_type) h
			JOIN %1$s t ON t.kind = 'provider' AND t.owner = h.provider_id::text COLLATE "C" AND t.resource_type = h.resource_type
		WHERE h.growth > 0 $q$, rest, own, of_all));
	PERFORM make_epoch_table('epoch_node_resource', e.epoch_id, format($q$
		SELECT %1$s::bigint AS epoch_id, s.node_id, s.declared, s.units, coalesce(g.growth, 0) AS growth, s.reference, s.resource_type
		FROM %2$s s LEFT JOIN (SELECT x.node_id, x.resource_type, x.own * coalesce(a.factor, 1) * h.factor AS growth
			FROM %3$s x LEFT JOIN %4$s a ON x.unattested AND a.resource_type = x.resource_type
				JOIN %5$s h ON h.provider_id = x.provider_id AND h.resource_type = x.resource_type) g ON g.node_id = s.node_id AND g.resource_type = s.resource_type $q$,
		e.epoch_id, stock, own, of_all, of_provider));
	PERFORM drop_epoch_table(t, e.epoch_id) FROM unnest(ARRAY['own', 'limit_of_all', 'limit_of_provider']) t;
END $$;
COMMENT ON FUNCTION freeze_resource_of_node(epoch) IS 'run_epoch step: resources of each node, with its part in its owner''s growth';

CREATE FUNCTION freeze_service_of_node(e epoch, p policy) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM make_epoch_table('epoch_node_service', e.epoch_id, format($q$
		SELECT %1$s::bigint AS epoch_id, n.node_id, samples(t.summary) AS samples,
			(CASE WHEN y.max_work_per_hour IS NULL THEN t.work ELSE least(t.work, coalesce(u.units, 0) * y.max_work_per_hour * %2$L::numeric) END)::double precision AS work,
			error_rate_upper(t.summary, %7$L::double precision) AS error_rate_upper, nullif(response_time(t.work_summary, 0.5, 'Infinity'), 'Infinity') AS p50_latency_ms,
			nullif(response_time(t.work_summary, 0.95, 'Infinity'), 'Infinity') AS p95_latency_ms, nullif(response_time(t.work_summary, 0.99, 'Infinity'), 'Infinity') AS p99_latency_ms,
			CASE WHEN t.work > 0 AND t.metered_work = t.work THEN (t.energy_mwh / t.work)::double precision END AS energy_per_work,
			t.service_type, t.work AS work_done, t.fee
		FROM %3$s n JOIN %5$s t ON t.node_id = n.node_id LEFT JOIN policy_service y ON y.policy_id = %4$s AND y.service_type = t.service_type
			LEFT JOIN %6$s u ON u.node_id = n.node_id AND u.resource_type = y.resource_type
		WHERE t.service_type IS NOT NULL AND NOT t.ahead $q$,
		e.epoch_id, extract(epoch FROM upper(e.period) - lower(e.period)) / 3600, epoch_table('epoch_node', e.epoch_id), p.policy_id,
		epoch_table('report', e.epoch_id), epoch_table('unit', e.epoch_id), p.error_confidence));
END $$;
COMMENT ON FUNCTION freeze_service_of_node(epoch, policy) IS 'run_epoch step: work of each node by service';

CREATE FUNCTION freeze_beacon(e epoch) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	EXECUTE format($q$
		INSERT INTO epoch_beacon (epoch_id, beacon_id, location, nodes, violations)
		SELECT $1, b.beacon_id, b.location, s.nodes, s.violations
		FROM (SELECT t.beacon_id, sum(t.sights) AS nodes, sum(t.violations) AS violations FROM %s t WHERE t.beacon_id IS NOT NULL GROUP BY t.beacon_id) s
			JOIN beacon b ON b.beacon_id = s.beacon_id $q$, epoch_table('trust', e.epoch_id))
	USING e.epoch_id;
END $$;
COMMENT ON FUNCTION freeze_beacon(epoch) IS 'run_epoch step: the beacons that measured nodes of the epoch';

CREATE FUNCTION freeze_market(e epoch) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM make_epoch_table('market', e.epoch_id, format($q$
		SELECT n.region, r.resource_type, exact_sum(n.quality * n.place_trust * r.units) AS placed_units, exact_sum(n.quality * n.place_trust * r.units * n.tenure) AS mature_units,
			exact_sum(n.quality * r.units) AS units, exact_sum(r.growth) AS growth, exact_sum(r.growth * n.tenure) AS mature_growth
		FROM %1$s n JOIN %2$s r ON r.node_id = n.node_id GROUP BY n.region, r.resource_type $q$, epoch_table('epoch_node', e.epoch_id), epoch_table('epoch_node_resource', e.epoch_id)));
END $$;
COMMENT ON FUNCTION freeze_market(epoch) IS 'run_epoch step: sums over the nodes of each region (NULL: of none) for each kind of resource, exact. Leaves the table market to the steps that follow';

CREATE FUNCTION market(epoch_id bigint) RETURNS TABLE (region code, resource_type code, placed_units numeric, mature_units numeric, units numeric, growth numeric, mature_growth numeric)
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT * FROM %s', epoch_table('market', epoch_id));
END $$;
COMMENT ON FUNCTION market(bigint) IS 'what freeze_market made. No row for NULL';

CREATE FUNCTION region_rows(e epoch, p policy) RETURNS SETOF epoch_region
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	length_days double precision := days(e.period);
	served_now coverage := served_field(e.supply, p.supply_target::double precision);
	-- mean over the epoch of the reference as it follows what is there
	mean_reference coverage := follow(e.reference, served_field(e.supply, p.supply_target::double precision),
		kappa(length_days, p.vesting_half_life), kappa(length_days, p.memory_half_life));
BEGIN
	RETURN QUERY SELECT e.epoch_id, m.code, boundary_digest(m.g), m.jurisdiction, m.target_fraction, m.demand, m.served, m.given, m.multiplier, m.need, m.fresh,
		(m.multiplier - 1) * least(m.fresh, m.need) * length_days
	FROM (SELECT d.*, region_multiplier(d.given, d.demand, d.target_fraction, p.region_multiplier_max::double precision) AS multiplier,
			p.supply_target::double precision * greatest(0, d.target_fraction * d.demand - d.given) AS need,
			coalesce(z.fresh, 0) AS fresh
		FROM (SELECT g, g.code, g.jurisdiction, coalesce(t.target_fraction, p.target_fraction)::double precision AS target_fraction,
				coalesce(coverage_sum(f.demand), 0) AS demand, coalesce(coverage_sum(f.demand * served_now), 0) AS served,
				coalesce(coverage_sum(f.demand * mean_reference), 0) AS given
			FROM region g
				LEFT JOIN policy_region t ON t.policy_id = p.policy_id AND t.region = g.code
				LEFT JOIN epoch_region_demand f ON f.epoch_id = e.epoch_id AND f.region = g.code
			WHERE g.valid @> lower(e.period)) d
			LEFT JOIN (SELECT n.region, exact_total(n.contribution * n.place_trust * n.tenure * n.freshness) AS fresh
				FROM epoch_node n WHERE n.epoch_id = e.epoch_id GROUP BY n.region) z ON z.region = d.code) m;
END $$;
COMMENT ON FUNCTION region_rows(epoch, policy) IS 'epoch_region of an epoch: demand of regions, what of it is served and taken for given, and what new nodes share';

CREATE FUNCTION region_resource_rows(e epoch, p policy) RETURNS SETOF epoch_region_resource
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	length_days double precision := days(e.period);
	length_seconds numeric := extract(epoch FROM upper(e.period) - lower(e.period));
	up double precision := decay(length_days, p.vesting_half_life);
	down double precision := decay(length_days, p.memory_half_life);
	kept double precision := kappa(length_days, p.vesting_half_life);
	is_baseline boolean := e.previous_epoch_id IS NULL AND e.baseline;
	redrawn text[];
BEGIN
	-- regions that the previous epoch did not have as they are now: there the reference is what its nodes had
	SELECT array_agg(r.region) INTO redrawn FROM epoch_region r
	WHERE r.epoch_id = e.epoch_id AND e.previous_epoch_id IS NOT NULL
		AND NOT EXISTS (SELECT FROM epoch_region q WHERE q.epoch_id = e.previous_epoch_id AND q.region = r.region AND q.boundary_digest = r.boundary_digest);
	RETURN QUERY SELECT e.epoch_id, m.region, m.resource_type, m.demand, m.units, m.mature_units, m.reference, follow(m.reference, least(m.units, m.demand), up, down),
		length_days * coalesce(y.unit_value, 0)::double precision * kept * greatest(0, least(m.units, m.demand) - least(m.reference, m.demand))
	FROM (SELECT region, resource_type, coalesce(d.demand, 0)::double precision AS demand, coalesce(v.units, 0)::double precision AS units, coalesce(v.mature_units, 0)::double precision AS mature_units,
			CASE WHEN is_baseline THEN coalesce(v.units, 0)::double precision
				WHEN region = ANY (redrawn) THEN coalesce(w.units, 0)::double precision
				ELSE coalesce(b.reference, 0) END AS reference
		FROM (SELECT x.region, x.resource_type, round(sum(x.units * seconds(tstzmultirange(x.valid * e.period))) / length_seconds, 20) AS demand
				FROM resource_demand x WHERE x.valid && e.period GROUP BY x.region, x.resource_type) d
			FULL JOIN (SELECT k.region, k.resource_type, k.placed_units AS units, k.mature_units FROM market(e.epoch_id) k WHERE k.region IS NOT NULL) v USING (region, resource_type)
			FULL JOIN (SELECT q.region, q.resource_type, q.next_reference AS reference FROM epoch_region_resource q
				WHERE q.epoch_id = e.previous_epoch_id AND q.next_reference >= 1e-9) b USING (region, resource_type)
			FULL JOIN (SELECT s.region, r.resource_type, exact_sum(s.weight * r.units) AS units
				FROM (SELECT n.node_id, n.quality * n.place_trust AS weight,
						region_among((SELECT region_codes(lower(e.period))), (SELECT region_boundaries(lower(e.period))), n.location, p.region_snap_m)::code AS region
					FROM epoch_node n WHERE n.epoch_id = e.previous_epoch_id AND redrawn IS NOT NULL) s
					JOIN epoch_node_resource r ON r.epoch_id = e.previous_epoch_id AND r.node_id = s.node_id
				WHERE s.region = ANY (redrawn) GROUP BY s.region, r.resource_type) w USING (region, resource_type)) m
		JOIN epoch_region g ON g.epoch_id = e.epoch_id AND g.region = m.region
		LEFT JOIN policy_resource y ON y.policy_id = p.policy_id AND y.resource_type = m.resource_type;
END $$;
COMMENT ON FUNCTION region_resource_rows(epoch, policy) IS
'epoch_region_resource of an epoch: supply of kinds of resources by region, demand, references, and what growth shares. In regions that the previous epoch did not have with this boundary the reference is what its nodes there had: who redraws regions makes nobody new';

CREATE FUNCTION resource_rows(e epoch, p policy) RETURNS SETOF epoch_resource
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	length_days double precision := days(e.period);
	length_seconds numeric := extract(epoch FROM upper(e.period) - lower(e.period));
	up double precision := decay(length_days, p.vesting_half_life);
	down double precision := decay(length_days, p.memory_half_life);
	kept double precision := kappa(length_days, p.vesting_half_life);
	is_baseline boolean := e.previous_epoch_id IS NULL AND e.baseline;
BEGIN
	RETURN QUERY SELECT e.epoch_id, m.resource_type, m.unit_value, m.demand, m.units, m.price_before, m.price, price_markup(m.price_before, m.price, length_days, p.price_step),
		m.reference, follow(m.reference, least(m.units, m.reference + m.need / kept), up, down), m.need, m.growth, m.mature_growth,
		length_days * m.unit_value * least(kept * greatest(0, m.units - m.reference), m.need)
	FROM (SELECT t.*, coalesce(t.wanted, kept * greatest(0, t.demand - t.reference)) AS need,
			next_price(t.price_before, t.demand, t.units, length_days, p.price_elasticity, p.price_step, t.price_min, t.price_max) AS price
		FROM (SELECT resource_type, coalesce(y.unit_value, 0)::double precision AS unit_value, y.need::double precision AS wanted,
				coalesce(y.price_min, 1) AS price_min, coalesce(y.price_max, 1) AS price_max,
				coalesce(d.demand, 0)::double precision AS demand, coalesce(v.units, 0)::double precision AS units, coalesce(v.growth, 0)::double precision AS growth, coalesce(v.mature_growth, 0)::double precision AS mature_growth,
				coalesce(b.price, 1) AS price_before, CASE WHEN is_baseline THEN coalesce(v.units, 0)::double precision ELSE coalesce(b.next_reference, 0) END AS reference
			FROM (SELECT x.resource_type, x.unit_value, x.need, x.price_min, x.price_max FROM policy_resource x WHERE x.policy_id = p.policy_id) y
				FULL JOIN (SELECT x.resource_type, round(sum(x.units * seconds(tstzmultirange(x.valid * e.period))) / length_seconds, 20) AS demand
					FROM resource_demand x JOIN epoch_region g ON g.epoch_id = e.epoch_id AND g.region = x.region
					WHERE x.valid && e.period GROUP BY x.resource_type) d USING (resource_type)
				FULL JOIN (SELECT k.resource_type, sum(k.units) AS units, sum(k.growth) AS growth, sum(k.mature_growth) AS mature_growth
					FROM market(e.epoch_id) k GROUP BY k.resource_type) v USING (resource_type)
				FULL JOIN (SELECT q.resource_type, q.price, q.next_reference FROM epoch_resource q WHERE q.epoch_id = e.previous_epoch_id) b USING (resource_type)) t) m;
END $$;
COMMENT ON FUNCTION resource_rows(epoch, policy) IS 'epoch_resource of an epoch: kinds of resources in all: supply, demand, references, prices, and what growth shares';

CREATE FUNCTION service_rows(e epoch, p policy) RETURNS SETOF epoch_service
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	RETURN QUERY SELECT e.epoch_id, s.service_type, s.premium, s.unit_value, s.work, s.good_work, s.fee, s.share::double precision, s.share::double precision * s.value_of_all, 0::numeric
	FROM (SELECT w.*, CASE WHEN w.weight > 0 THEN w.weight / exact_sum(w.weight) OVER () ELSE 0 END AS share,
			(exact_sum(w.work * w.unit_value) OVER ())::double precision AS value_of_all
		FROM (SELECT x.service_type, coalesce(y.premium, 0)::double precision AS premium, coalesce(y.unit_value, 0)::double precision AS unit_value,
				x.work, x.good_work, x.fee,
				CASE WHEN x.good_work > 0 AND y.premium > 0 AND y.unit_value > 0
					THEN (y.premium * power(round(exact(x.work) * y.unit_value, 40), p.service_alpha))::double precision ELSE 0 END AS weight
			FROM (SELECT v.service_type, exact_total(v.work) AS work, exact_total(n.quality * v.work) AS good_work, sum(v.fee) AS fee
				FROM epoch_node_service v JOIN epoch_node n ON n.epoch_id = e.epoch_id AND n.node_id = v.node_id
				WHERE v.epoch_id = e.epoch_id GROUP BY v.service_type) x
				LEFT JOIN policy_service y ON y.policy_id = p.policy_id AND y.service_type = x.service_type) w) s;
END $$;
COMMENT ON FUNCTION service_rows(epoch, policy) IS 'epoch_service of an epoch: work by service, and which share of the pool each gets; amounts are still 0';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
