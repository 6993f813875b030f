-- From frozen inputs to scores and rewards: pure functions of an epoch's own
-- rows. Scores are exact numerics, additive in the node: the parts of a node
-- have the scores that add up to its score.

CREATE FUNCTION epoch_score(epoch_id bigint, component text, part text DEFAULT NULL)
RETURNS TABLE (node_id bigint, provider_id bigint, score numeric)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100000 SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	p policy;
	target double precision;
	gap coverage;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1;
	IF NOT FOUND OR e.status = 'planned' THEN
		PERFORM (opened_epoch($1)).epoch_id;
	END IF;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	target := p.supply_target;

	CASE coalesce($2 || '/' || $3, $2)
	WHEN 'new_regions' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, n.contribution * freshness(n.age, p.freshness_epochs) * (r.multiplier - 1)
		FROM epoch_node n JOIN epoch_region r ON r.epoch_id = n.epoch_id AND r.region = n.region
		WHERE n.epoch_id = $1 AND n.contribution > 0 AND n.age < p.freshness_epochs AND r.multiplier > 1;

	WHEN 'coverage_gaps/geographic' THEN
		-- what each unit of contribution over a cell gets of the gap there
		gap := gap_share_field(gap_field(e.demand, e.supply, target), e.closing_supply, target);
		RETURN QUERY
		WITH site AS MATERIALIZED (
			SELECT s.spot, s.service_radius_m, exact_numeric(greatest(0, coverage_sum(gap, ST_GeogFromWKB(s.spot), s.service_radius_m))) AS share
			FROM (SELECT DISTINCT ST_AsBinary(n.location) AS spot, n.service_radius_m FROM epoch_node n
				WHERE n.epoch_id = $1 AND n.contribution > 0) s
		)
		SELECT n.node_id, n.provider_id, n.contribution * s.share
		FROM epoch_node n JOIN site s ON s.spot = ST_AsBinary(n.location) AND s.service_radius_m = n.service_radius_m
		WHERE n.epoch_id = $1 AND n.contribution > 0 AND s.share > 0;

	WHEN 'coverage_gaps/resource' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, sum(n.quality * r.units * g.rate)
		FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
			JOIN epoch_region_resource g ON g.epoch_id = n.epoch_id AND g.region = n.region AND g.resource_type = r.resource_type
		WHERE n.epoch_id = $1 AND n.quality > 0 AND r.units > 0 AND g.rate > 0
		GROUP BY n.node_id, n.provider_id;

	WHEN 'resource_types' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, n.quality * sum(t.unit_value * r.units * (t.price - 1))
		FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
			JOIN epoch_resource t ON t.epoch_id = n.epoch_id AND t.resource_type = r.resource_type
		WHERE n.epoch_id = $1 AND n.quality > 0 AND r.units > 0 AND t.price > 1 AND t.unit_value > 0
		GROUP BY n.node_id, n.provider_id, n.quality;

	WHEN 'network_capacity' THEN
		-- the growth of an owner belongs to its nodes pro rata to quality * units; who grew
		-- has raised a mark to its units, and each of its nodes has the mark of before
		RETURN QUERY
		SELECT g.node_id, g.provider_id, sum(g.offer * round(round(t.pot * (g.units - g.opening_mark), 60) / (g.units * t.growth), 60))
		FROM (SELECT n.node_id, n.provider_id, r.resource_type, n.quality * r.units AS offer, r.opening_mark, m.units
				FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
					JOIN epoch_mark m ON m.epoch_id = n.epoch_id AND m.hardware_id = n.hardware_id AND m.resource_type = r.resource_type
				WHERE n.epoch_id = $1 AND n.quality > 0 AND r.units > 0
				UNION ALL
				SELECT n.node_id, n.provider_id, r.resource_type, n.quality * r.units, r.opening_mark, m.units
				FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
					JOIN epoch_mark m ON m.epoch_id = n.epoch_id AND m.provider_id = n.provider_id AND m.resource_type = r.resource_type
				WHERE n.epoch_id = $1 AND n.hardware_id IS NULL AND n.quality > 0 AND r.units > 0) g
			JOIN epoch_resource t ON t.epoch_id = $1 AND t.resource_type = g.resource_type
		WHERE t.pot > 0
		GROUP BY g.node_id, g.provider_id
		HAVING sum(g.offer * round(round(t.pot * (g.units - g.opening_mark), 60) / (g.units * t.growth), 60)) > 0;

	WHEN 'service_types' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, sum(n.quality * s.work * t.rate)
		FROM epoch_node n JOIN epoch_node_service s ON s.epoch_id = n.epoch_id AND s.node_id = n.node_id
			JOIN (SELECT v.service_type, round(round(v.pot, 60) / v.quality_work, 60) AS rate
				FROM epoch_service v WHERE v.epoch_id = $1 AND v.pot > 0 AND v.quality_work > 0) t ON t.service_type = s.service_type
		WHERE n.epoch_id = $1 AND n.quality > 0 AND s.work > 0
		GROUP BY n.node_id, n.provider_id;

	WHEN 'specialization' THEN
		RETURN QUERY
		SELECT m.node_id, m.provider_id, sum(k.weight * m.work * round(ramp(m.metric, k.bound::double precision, k.target::double precision)::numeric, 12))
		FROM (SELECT n.node_id, n.provider_id, s.service_type, s.work, s.samples, x.name, x.metric
				FROM epoch_node n JOIN epoch_node_service s ON s.epoch_id = n.epoch_id AND s.node_id = n.node_id,
					LATERAL (VALUES ('p50_latency_ms', s.p50_latency_ms), ('p95_latency_ms', s.p95_latency_ms),
						('p99_latency_ms', s.p99_latency_ms), ('error_rate_upper', s.error_rate_upper),
						('energy_per_work', (round(s.energy_mwh, 20) / nullif(s.work, 0))::double precision)) x (name, metric)
				WHERE n.epoch_id = $1 AND n.trust > 0 AND s.work > 0) m
			JOIN specialization k ON k.policy_id = p.policy_id AND k.metric = m.name
				AND (k.service_type = m.service_type OR k.service_type IS NULL) AND m.samples >= k.min_samples
		GROUP BY m.node_id, m.provider_id
		HAVING sum(k.weight * m.work * round(ramp(m.metric, k.bound::double precision, k.target::double precision)::numeric, 12)) > 0;
	ELSE
		RAISE EXCEPTION 'no component % with part %', coalesce(quote_literal($2), 'NULL'), coalesce(quote_literal($3), 'NULL')
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Components are new_regions, coverage_gaps (part geographic or resource), resource_types, network_capacity, service_types and specialization.';
	END CASE;
END $$;
COMMENT ON FUNCTION epoch_score(bigint, text, text) IS
'scores above 0 of an epoch''s nodes in a component, and for coverage_gaps in its part geographic or resource, by the formulas of the reward documentation, from the frozen rows alone. Errors: unknown epoch, component or part';

CREATE FUNCTION epoch_share(epoch_id bigint, component text, part text, released numeric)
RETURNS TABLE (node_id bigint, provider_id bigint, score numeric, amount numeric)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100000 COST 1000000 SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	cap_bps int;
BEGIN
	SELECT p.provider_cap_bps INTO cap_bps FROM policy p JOIN epoch e USING (policy_id) WHERE e.epoch_id = $1;
	IF cap_bps IS NULL THEN
		RETURN QUERY
		SELECT s.node_id, s.provider_id, s.score, allocate(s.score, $4) OVER (ORDER BY s.node_id)
		FROM epoch_score($1, $2, $3) s;
	ELSE
		RETURN QUERY
		WITH s AS MATERIALIZED (
			SELECT * FROM epoch_score($1, $2, $3)
		), total AS (
			SELECT s.provider_id, sum(s.score) AS score FROM s GROUP BY s.provider_id
		), capped AS (
			SELECT t.provider_id, allocate(t.score, $4, div($4 * cap_bps, 10000)) OVER (ORDER BY t.provider_id) AS amount FROM total t
		)
		SELECT s.node_id, s.provider_id, s.score, allocate(s.score, c.amount) OVER (PARTITION BY s.provider_id ORDER BY s.node_id)
		FROM s JOIN capped c USING (provider_id);
	END IF;
END $$;
COMMENT ON FUNCTION epoch_share(bigint, text, text, numeric) IS
'apportions base units over the scores of a component (and part): largest remainders in the order of node_id; with a provider cap first over providers, capped, then over the nodes of each. NULL part for components without parts';

-- What there is to apportion, before anybody's score is known.
CREATE FUNCTION epoch_release(epoch_id bigint)
RETURNS TABLE (component text, budget numeric, carried_in numeric, released numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	p policy;
	growth numeric;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1;
	IF NOT FOUND OR e.status = 'planned' THEN
		PERFORM (opened_epoch($1)).epoch_id;
	END IF;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT coalesce(sum(r.pot), 0) INTO growth FROM epoch_resource r WHERE r.epoch_id = $1;
	RETURN QUERY
	SELECT w.code::text, w.budget, w.carried_in, CASE WHEN w.code = 'network_capacity' AND growth < p.growth_target
		THEN div((w.budget + w.carried_in) * growth, p.growth_target) ELSE w.budget + w.carried_in END
	FROM (SELECT c.code, c."position", allocate(c.bps::numeric, e.budget) OVER (ORDER BY c."position") AS budget,
			coalesce((SELECT o.carried_out FROM epoch_pool o WHERE o.epoch_id = e.previous_epoch_id AND o.component = c.code), 0) AS carried_in
		FROM epoch_weight($1) c) w
	ORDER BY w."position";
END $$;
COMMENT ON FUNCTION epoch_release(bigint) IS
'the six pools of an epoch, in their order: part of the budget, carried in, and what of both is there to be apportioned, all of it but in network_capacity, which releases the fraction growth / growth_target, rounded down. Base units';

CREATE FUNCTION epoch_release_part(epoch_id bigint, component text, released numeric)
RETURNS TABLE (part text, released numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT h.part, allocate(h.bps::numeric, epoch_release_part.released) OVER (ORDER BY h.part)
	FROM epoch e JOIN policy p ON p.policy_id = e.policy_id,
		LATERAL (VALUES ('coverage_gaps', 'geographic', p.gaps_geographic_bps), ('coverage_gaps', 'resource', 10000 - p.gaps_geographic_bps)) h (component, part, bps)
	WHERE e.epoch_id = epoch_release_part.epoch_id AND h.component = epoch_release_part.component;
END;
COMMENT ON FUNCTION epoch_release_part(bigint, text, numeric) IS
'how what a pool of an epoch has to apportion is split over its halves, for coverage_gaps; no row for a pool that is not split. Base units';

CREATE FUNCTION epoch_shares(epoch_id bigint)
RETURNS TABLE (component text, part text, node_id bigint, provider_id bigint, score numeric, amount numeric)
LANGUAGE plpgsql STABLE ROWS 500000 SET search_path FROM CURRENT SET jit = off
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET parallel_leader_participation = off AS $$
#variable_conflict use_column
DECLARE
	lots text;
BEGIN
	-- a worker begins by planning everything anew, which few nodes are not worth
	IF NOT EXISTS (SELECT FROM epoch_node n WHERE n.epoch_id = $1 OFFSET 5000) THEN
		PERFORM set_config('parallel_setup_cost', '1e12', true);
	END IF;
	-- workers take one lot after the other, so what takes longest comes first
	SELECT string_agg(format('SELECT %1$L::text, %2$L::text, s.* FROM epoch_share($1, %1$L, %2$L, %3$L) s', l.component, l.part, l.released),
		' UNION ALL ' ORDER BY array_position(ARRAY['network_capacity', 'coverage_gaps', 'specialization', 'service_types'], l.component), l.part) INTO lots
	FROM (SELECT r.component, h.part, coalesce(h.released, r.released) AS released
		FROM epoch_release($1) r LEFT JOIN LATERAL epoch_release_part($1, r.component, r.released) h ON true) l;
	RETURN QUERY EXECUTE lots USING epoch_id;
END $$;
COMMENT ON FUNCTION epoch_shares(bigint) IS
'epoch_share of every pool of an epoch, and of both halves of coverage_gaps, with what epoch_release has for each; parallel workers take a pool at a time. Errors: unknown epoch, or one that is planned';
