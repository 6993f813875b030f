-- Regions, kinds of resources and services, owners: what is there, what is wanted, what is taken
-- for given. Sums over nodes are numeric, so that no order of rows matters.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION freeze_owner(e epoch, p policy) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	up double precision := decay(days(e.period), p.vesting_half_life);
	down double precision := decay(days(e.period), p.memory_half_life);
BEGIN
	-- what is left of a reference is forgotten below a billionth of a unit, of which nothing can be declared
	PERFORM make_epoch_table('epoch_owner', e.epoch_id, format($q$
		SELECT %1$s::bigint AS epoch_id, o.*, follow(o.reference, o.units, %2$L::double precision, %3$L::double precision) AS next_reference
		FROM (SELECT kind, owner, resource_type, coalesce(v.units, 0) AS units, %4$s AS reference
			FROM (SELECT u.kind, u.owner COLLATE "C" AS owner, u.resource_type, sum(exact(u.units))::double precision AS units
				FROM (SELECT k.kind, k.owner, r.resource_type, n.quality * r.units::double precision AS units
					FROM %5$s n JOIN %7$s r ON r.node_id = n.node_id,
						LATERAL (VALUES (CASE WHEN n.hardware_id IS NULL THEN 'unattested' ELSE 'hardware' END, coalesce(n.hardware_id, n.provider_id::text)),
							('provider', n.provider_id::text), (CASE WHEN n.hardware_id IS NULL THEN 'unattested' END, 'all')) k (kind, owner)
					WHERE k.kind IS NOT NULL) u
				GROUP BY u.kind, u.owner, u.resource_type) v
				FULL JOIN (SELECT x.kind, x.owner, x.resource_type, x.next_reference FROM epoch_owner x
					WHERE x.epoch_id = %6$L AND x.next_reference >= 1e-9) b USING (kind, owner, resource_type)) o $q$,
		e.epoch_id, up, down,
		CASE WHEN e.previous_epoch_id IS NULL AND e.baseline THEN 'coalesce(v.units, 0)' ELSE 'coalesce(b.next_reference, 0)' END,
		epoch_table('epoch_node', e.epoch_id), e.previous_epoch_id, epoch_table('unit', e.epoch_id)));
END $$;
COMMENT ON FUNCTION freeze_owner(epoch, policy) IS 'run_epoch step: units of each owner and what is taken for given of them';

CREATE FUNCTION freeze_resource_of_node(e epoch) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM make_epoch_table('epoch_node_resource', e.epoch_id, format($q$
		SELECT %1$s::bigint AS epoch_id, g.node_id, g.resource_type, g.declared, g.units,
			CASE WHEN g.growth > 0 THEN g.growth * least(1, greatest(t.units - t.reference, 0) / sum(exact(g.growth)) OVER w) ELSE 0 END AS growth
		FROM (SELECT r.*, CASE WHEN r.own > 0 AND a.units IS NOT NULL THEN r.own * least(1, greatest(a.units - a.reference, 0) / sum(exact(r.own)) OVER (PARTITION BY a.units IS NULL, r.resource_type)) ELSE r.own END AS growth
			FROM (SELECT n.node_id, n.provider_id, n.hardware_id, u.resource_type, u.declared::double precision AS declared, u.units::double precision AS units,
					CASE WHEN o.units > o.reference THEN (o.units - o.reference) * (n.quality * u.units::double precision / o.units) ELSE 0 END AS own
				FROM %2$s n JOIN %4$s u ON u.node_id = n.node_id
					JOIN %3$s o ON o.kind = CASE WHEN n.hardware_id IS NULL THEN 'unattested' ELSE 'hardware' END AND o.owner = coalesce(n.hardware_id, n.provider_id::text) COLLATE "C" AND o.resource_type = u.resource_type) r
				LEFT JOIN %3$s a ON r.hardware_id IS NULL AND a.kind = 'unattested' AND a.owner = 'all' AND a.resource_type = r.resource_type) g
			JOIN %3$s t ON t.kind = 'provider' AND t.owner = g.provider_id::text COLLATE "C" AND t.resource_type = g.resource_type
		WINDOW w AS (PARTITION BY g.provider_id, g.resource_type) $q$,
		e.epoch_id, epoch_table('epoch_node', e.epoch_id), epoch_table('epoch_owner', e.epoch_id), epoch_table('unit', e.epoch_id)));
END $$;
COMMENT ON FUNCTION freeze_resource_of_node(epoch) IS 'run_epoch step: resources of each node, with its part in its owner''s growth';

CREATE FUNCTION freeze_service_of_node(e epoch, p policy) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM make_epoch_table('epoch_node_service', e.epoch_id, format($q$
		SELECT %1$s::bigint AS epoch_id, n.node_id, s.service_type, s.samples, s.work AS work_done,
			(CASE WHEN y.max_work_per_hour IS NULL THEN s.work ELSE least(s.work, coalesce(u.units, 0) * y.max_work_per_hour * %2$L::numeric) END)::double precision AS work,
			s.fee, CASE WHEN s.work > 0 AND s.metered_work = s.work THEN (s.energy_mwh / s.work)::double precision END AS energy_per_work,
			s.p50_latency_ms, s.p95_latency_ms, s.p99_latency_ms, s.error_rate_upper
		FROM %3$s n JOIN %5$s s ON s.node_id = n.node_id LEFT JOIN policy_service y ON y.policy_id = %4$s AND y.service_type = s.service_type
			LEFT JOIN %6$s u ON u.node_id = n.node_id AND u.resource_type = y.resource_type $q$,
		e.epoch_id, extract(epoch FROM upper(e.period) - lower(e.period)) / 3600, epoch_table('epoch_node', e.epoch_id), p.policy_id,
		epoch_table('work', e.epoch_id), epoch_table('unit', e.epoch_id)));
END $$;
COMMENT ON FUNCTION freeze_service_of_node(epoch, policy) IS 'run_epoch step: work of each node by service';

CREATE FUNCTION freeze_beacon(e epoch, p policy) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	EXECUTE format($q$
		INSERT INTO epoch_beacon (epoch_id, beacon_id, location, nodes, violations)
		SELECT $1, b.beacon_id, b.location, s.nodes, s.violations
		FROM (SELECT u.beacon_id, count(*) AS nodes, count(*) FILTER (WHERE u.distance_m > vacuum_bound(u.rtt_ms) + $2) AS violations
			FROM %s u GROUP BY u.beacon_id) s JOIN beacon b ON b.beacon_id = s.beacon_id $q$, epoch_table('sight', e.epoch_id))
	USING e.epoch_id, p.location_slack_m::double precision;
END $$;
COMMENT ON FUNCTION freeze_beacon(epoch, policy) IS 'run_epoch step: the beacons that measured nodes of the epoch';

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
			LEFT JOIN (SELECT n.region, sum(exact(n.contribution * n.place_trust * n.tenure * n.freshness))::double precision AS fresh
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
			FULL JOIN (SELECT n.region, r.resource_type, sum(exact(n.quality * n.place_trust * r.units)) AS units,
					sum(exact(n.quality * n.place_trust * r.units * n.tenure)) AS mature_units
				FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = e.epoch_id AND r.node_id = n.node_id
				WHERE n.epoch_id = e.epoch_id AND n.region IS NOT NULL GROUP BY n.region, r.resource_type) v USING (region, resource_type)
			FULL JOIN (SELECT q.region, q.resource_type, q.next_reference AS reference FROM epoch_region_resource q
				WHERE q.epoch_id = e.previous_epoch_id AND q.next_reference >= 1e-9) b USING (region, resource_type)
			FULL JOIN (SELECT s.region, r.resource_type, sum(exact(s.weight * r.units)) AS units
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
				FULL JOIN (SELECT r.resource_type, sum(exact(n.quality * r.units)) AS units, sum(exact(r.growth)) AS growth, sum(exact(r.growth * n.tenure)) AS mature_growth
					FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = e.epoch_id AND r.node_id = n.node_id
					WHERE n.epoch_id = e.epoch_id GROUP BY r.resource_type) v USING (resource_type)
				FULL JOIN (SELECT q.resource_type, q.price, q.next_reference FROM epoch_resource q WHERE q.epoch_id = e.previous_epoch_id) b USING (resource_type)) t) m;
END $$;
COMMENT ON FUNCTION resource_rows(epoch, policy) IS 'epoch_resource of an epoch: kinds of resources in all: supply, demand, references, prices, and what growth shares';

CREATE FUNCTION service_rows(e epoch, p policy) RETURNS SETOF epoch_service
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	RETURN QUERY SELECT e.epoch_id, s.service_type, s.premium, s.unit_value, s.work, s.good_work, s.fee, s.share::double precision, s.share::double precision * s.value_of_all, 0::numeric
	FROM (SELECT w.*, CASE WHEN w.weight > 0 THEN w.weight / sum(exact(w.weight)) OVER () ELSE 0 END AS share,
			(sum(exact(w.work * w.unit_value)) OVER ())::double precision AS value_of_all
		FROM (SELECT x.service_type, coalesce(y.premium, 0)::double precision AS premium, coalesce(y.unit_value, 0)::double precision AS unit_value,
				x.work, x.good_work, x.fee,
				CASE WHEN x.good_work > 0 AND y.premium > 0 AND y.unit_value > 0
					THEN (y.premium * power(round(exact(x.work) * y.unit_value, 40), p.service_alpha))::double precision ELSE 0 END AS weight
			FROM (SELECT v.service_type, sum(exact(v.work))::double precision AS work, sum(exact(n.quality * v.work))::double precision AS good_work, sum(v.fee) AS fee
				FROM epoch_node_service v JOIN epoch_node n ON n.epoch_id = e.epoch_id AND n.node_id = v.node_id
				WHERE v.epoch_id = e.epoch_id GROUP BY v.service_type) x
				LEFT JOIN policy_service y ON y.policy_id = p.policy_id AND y.service_type = x.service_type) w) s;
END $$;
COMMENT ON FUNCTION service_rows(epoch, policy) IS 'epoch_service of an epoch: work by service, and which share of the pool each gets; amounts are still 0';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
