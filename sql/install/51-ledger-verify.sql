-- Verification: recompute from what was frozen and compare, part by part. What
-- is verified may be anything, so that a part may find rows with which it cannot
-- compute at all: that is a finding too, and keeps no other part from its own.

CREATE FUNCTION verify_seal(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
BEGIN
	RETURN QUERY
	SELECT 'seal of ' || r.relation, s.relation IS NOT NULL AND d.row_count = s.row_count AND d.digest = s.digest,
		CASE WHEN s.relation IS NULL THEN 'not sealed'
			WHEN d.row_count <> s.row_count THEN format('%s rows, %s were sealed', d.row_count, s.row_count)
			WHEN d.digest <> s.digest THEN 'rows differ from those sealed' ELSE format('%s rows', d.row_count) END
	FROM (SELECT x.relation FROM sealed_relation() x UNION ALL VALUES ('epoch'), ('policy'), ('specialization')) r
		LEFT JOIN epoch_seal s ON s.epoch_id = $1 AND s.relation = r.relation
		LEFT JOIN LATERAL epoch_rows_digest($1, r.relation, s.columns) d ON true;
	RETURN QUERY SELECT 'digest', e.digest IS NOT DISTINCT FROM epoch_seal_digest($1), encode(e.digest, 'hex');
END $$;
COMMENT ON FUNCTION verify_seal(bigint) IS
'the part of verify_epoch that compares the rows of a computed epoch, its policy and its rules with their seals, and the seals with its digest';

CREATE FUNCTION verify_money(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
BEGIN
	RETURN QUERY
	SELECT concat_ws(': ', b.component, b.rule), b.wanted = b.found, format('wanted %s, found %s', b.wanted, b.found)
	FROM epoch_balance($1) b;
	RETURN QUERY
	SELECT 'weights of the policy', NOT EXISTS (
			SELECT p.component, p.budget FROM epoch_pool p WHERE p.epoch_id = $1
			EXCEPT SELECT w.code, allocate(w.bps::numeric, e.budget) OVER (ORDER BY w."position") FROM epoch_weight($1) w), NULL;

	RETURN QUERY
	SELECT 'emission of the policy', e.emission_no IS NULL OR (e.budget = emission(e.policy_id, e.emission_no)
			AND e.emission_no = (SELECT count(*) FROM epoch x WHERE x.policy_id = e.policy_id AND x.emission_no IS NOT NULL AND x.epoch_no <= e.epoch_no)),
		CASE WHEN e.emission_no IS NULL THEN 'the budget was given' ELSE format('emission %s', e.emission_no) END;
END $$;
COMMENT ON FUNCTION verify_money(bigint) IS
'the part of verify_epoch that adds up the money and compares the budget and its parts with the policy';

CREATE FUNCTION verify_node(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
	p policy;
	bad bigint;
BEGIN
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT count(*) INTO bad
	FROM epoch_node n, LATERAL node_rating(p, n.uptime, n.response_ms, n.error_rate_upper, n.beacons, n.location_excess_m) q
	WHERE n.epoch_id = $1 AND (n.availability, n.performance, n.trust, n.quality) IS DISTINCT FROM (q.availability, q.performance, q.trust, q.quality);
	RETURN QUERY SELECT 'quality of nodes', bad = 0, format('%s nodes differ', bad);

	SELECT count(*) INTO bad
	FROM (SELECT n.node_id, n.value FROM epoch_node n WHERE n.epoch_id = $1) a
		LEFT JOIN (SELECT r.node_id, sum(t.unit_value * r.units) AS value
			FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
			WHERE r.epoch_id = $1 GROUP BY r.node_id) b USING (node_id)
	WHERE a.value <> coalesce(b.value, 0);
	RETURN QUERY SELECT 'value of nodes', bad = 0, format('%s nodes differ', bad);
END $$;
COMMENT ON FUNCTION verify_node(bigint) IS
'the part of verify_epoch that recomputes quality and value of the nodes';

CREATE FUNCTION verify_field(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
	prior epoch;
	p policy;
BEGIN
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT * INTO prior FROM epoch WHERE epoch.epoch_id = e.previous_epoch_id;
	RETURN QUERY SELECT 'closing supply field', e.closing_supply = supply_field($1, p.grid_order), NULL;
	RETURN QUERY SELECT 'opening supply field', e.supply = opening_supply_field(prior.epoch_id, p.grid_order, p.memory_epochs), NULL;
	RETURN QUERY SELECT 'order of epochs', e.epoch_no = coalesce(prior.epoch_no, 0) + 1
		AND (prior.epoch_id IS NULL OR (prior.status IN ('computed', 'final') AND upper(prior.period) <= lower(e.period))), NULL;
END $$;
COMMENT ON FUNCTION verify_field(bigint) IS
'the part of verify_epoch that draws the fields of supply again, and looks at the epoch before';

CREATE FUNCTION verify_market(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
	p policy;
	bad bigint;
BEGIN
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT count(*) INTO bad FROM epoch_region r
	WHERE r.epoch_id = $1 AND r.multiplier IS DISTINCT FROM region_multiplier(r.covered, r.demand, r.target_fraction, p.region_multiplier_max);
	RETURN QUERY SELECT 'multipliers', bad = 0, format('%s regions differ', bad);

	SELECT count(*) INTO bad
	FROM epoch_region_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
		LEFT JOIN opening_region_supply(e.previous_epoch_id, p.memory_epochs) o ON o.region = r.region AND o.resource_type = r.resource_type
		LEFT JOIN (SELECT n.region, x.resource_type, sum(n.quality * x.units) AS supply
			FROM epoch_node n JOIN epoch_node_resource x ON x.epoch_id = n.epoch_id AND x.node_id = n.node_id
			WHERE n.epoch_id = $1 GROUP BY 1, 2) s ON s.region = r.region AND s.resource_type = r.resource_type
	WHERE r.epoch_id = $1 AND (r.opening_supply <> coalesce(o.supply, 0) OR r.supply <> coalesce(s.supply, 0)
		OR r.rate <> gap_rate(t.unit_value, r.demand, r.opening_supply, r.supply));
	RETURN QUERY SELECT 'resources of regions', bad = 0, format('%s rows differ', bad);

	SELECT count(*) INTO bad
	FROM epoch_resource r LEFT JOIN epoch_capacity($1) c ON c.resource_type = r.resource_type
	WHERE r.epoch_id = $1 AND ((r.supply, r.growth) IS DISTINCT FROM (coalesce(c.supply, 0), coalesce(c.growth, 0))
		OR r.demand <> coalesce((SELECT sum(d.demand) FROM epoch_region_resource d WHERE d.epoch_id = $1 AND d.resource_type = r.resource_type), 0)
		OR r.price <> next_price(r.previous_price, r.demand, r.supply, p.price_elasticity, p.price_step, p.price_min, p.price_max)
		OR r.need <> coalesce(r.growth_need, greatest(0, r.demand - r.opening_mark))
		OR r.pot <> capacity_pot(r.unit_value, r.supply, r.opening_mark, r.need)
		OR r.previous_price <> coalesce((SELECT o.price FROM epoch_resource o WHERE o.epoch_id = e.previous_epoch_id AND o.resource_type = r.resource_type), r.previous_price)
		OR r.opening_mark <> coalesce((SELECT greatest(o.opening_mark, o.supply) FROM epoch_resource o
			WHERE o.epoch_id = e.previous_epoch_id AND o.resource_type = r.resource_type), r.opening_mark));
	RETURN QUERY SELECT 'prices, marks and pots of resources', bad = 0, format('%s kinds differ', bad);

	SELECT count(*) INTO bad
	FROM epoch_service r LEFT JOIN epoch_work($1) s ON s.service_type = r.service_type
	WHERE r.epoch_id = $1 AND (r.work, r.quality_work, r.pot) IS DISTINCT FROM
		(coalesce(s.work, 0), coalesce(s.quality_work, 0), service_pot(r.premium, coalesce(s.work, 0), p.service_alpha));
	RETURN QUERY SELECT 'pots of services', bad = 0, format('%s services differ', bad);

	SELECT count(*) INTO bad
	FROM (SELECT m.resource_type, m.hardware_id, m.provider_id, m.units FROM epoch_mark m WHERE m.epoch_id = $1) a
		FULL JOIN (SELECT o.resource_type, o.hardware_id, o.provider_id, o.units FROM epoch_owner($1) o WHERE o.units > o.opening_mark
			UNION ALL SELECT r.resource_type, NULL, NULL, r.supply FROM epoch_resource r WHERE r.epoch_id = $1 AND r.supply > r.opening_mark) b
		ON a.resource_type = b.resource_type AND coalesce('h' || a.hardware_id, 'p' || a.provider_id, '') = coalesce('h' || b.hardware_id, 'p' || b.provider_id, '')
	WHERE a.units IS DISTINCT FROM b.units;
	RETURN QUERY SELECT 'high-water marks', bad = 0, format('%s marks differ', bad);
END $$;
COMMENT ON FUNCTION verify_market(bigint) IS
'the part of verify_epoch that recomputes regions, their resources, prices, marks, pots and services';

CREATE FUNCTION verify_reward(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	part record;
	bad bigint;
BEGIN
	PERFORM (opened_epoch($1)).epoch_id;
	FOR part IN
		SELECT t.component, NULL::text AS part, t.released FROM epoch_pool t WHERE t.epoch_id = $1 AND t.component <> 'coverage_gaps'
		UNION ALL SELECT t.component, t.part, t.released FROM epoch_pool_part t WHERE t.epoch_id = $1
	LOOP
		SELECT count(*) INTO bad
		FROM epoch_share($1, part.component, part.part, part.released) a
			FULL JOIN (SELECT r.node_id, r.provider_id, r.score, r.amount FROM reward r
					WHERE r.epoch_id = $1 AND r.component = part.component AND part.part IS NULL
				UNION ALL SELECT r.node_id, r.provider_id, r.score, r.amount FROM reward_part r
					WHERE r.epoch_id = $1 AND r.component = part.component AND r.part = part.part) b USING (node_id)
		WHERE (a.provider_id, a.score, a.amount) IS DISTINCT FROM (b.provider_id, b.score, b.amount);
		RETURN QUERY SELECT concat_ws(' ', 'rewards of', part.component, part.part), bad = 0, format('%s rewards differ', bad);
	END LOOP;
END $$;
COMMENT ON FUNCTION verify_reward(bigint) IS
'the part of verify_epoch that computes scores again and apportions the pools over them';

CREATE FUNCTION verify_epoch(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
	state text;
	part text;
BEGIN
	SELECT e.status INTO state FROM epoch e WHERE e.epoch_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('epoch', $1);
	END IF;
	IF state NOT IN ('computed', 'final') THEN
		RAISE EXCEPTION 'epoch % is % and has no result to verify', $1, state
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', $1);
	END IF;
	FOREACH part IN ARRAY ARRAY['verify_seal', 'verify_money', 'verify_node', 'verify_location', 'verify_field', 'verify_market', 'verify_growth', 'verify_reward'] LOOP
		BEGIN
			RETURN QUERY EXECUTE format('SELECT * FROM %I($1)', part) USING $1;
		EXCEPTION WHEN OTHERS THEN
			-- the machine's troubles are not the epoch's
			IF left(SQLSTATE, 2) IN ('53', '57', '58') THEN
				RAISE;
			END IF;
			RETURN QUERY SELECT part, false, format('cannot be computed: %s', SQLERRM);
		END;
	END LOOP;
END $$;
COMMENT ON FUNCTION verify_epoch(bigint) IS
'recomputes a computed or final epoch from its frozen inputs and compares seals, digest, money, every derived row and every reward; one row per check, ok is false where something differs. A part that cannot be computed from what it finds has one row with its name, verify_seal, verify_money, verify_node, verify_location, verify_field, verify_market, verify_growth or verify_reward, and the error as detail. Errors: unknown epoch, not computed';
