-- What another policy would have paid.
--
-- Most of a policy acts on facts that are frozen. Four of its columns decide how
-- facts are measured: grid_order, telemetry_slot, response_quantile and
-- error_confidence. Where a policy measures in another way, facts are measured
-- again from the live tables, and only after these have been found to still
-- give, measured in the old way, what was frozen: otherwise a change of the
-- tables would pass for one of the policy, and an error says so instead. The
-- same holds for the boundaries of regions where another supply_target, grid_order
-- or memory_epochs makes it necessary to measure their coverage again.

CREATE FUNCTION preview_measure(e epoch, p policy)
RETURNS TABLE (node_id bigint, service_type code, uptime double precision, response_ms double precision, error_rate_upper double precision,
	samples bigint, errors bigint)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH member AS MATERIALIZED (
		SELECT n.node_id, n.provider_id, n.hardware_id, n.measured,
			n.hardware_id IS NOT NULL AND count(*) OVER (PARTITION BY n.provider_id, n.hardware_id) > 1 AS several
		FROM epoch_node n WHERE n.epoch_id = e.epoch_id
	), found AS MATERIALIZED (
		SELECT t.* FROM measured_telemetry(e.period, p) t
	), again AS (
		SELECT m.provider_id, m.hardware_id, rollup(t.summary) AS summary
		FROM member m JOIN found t USING (node_id)
		WHERE m.several
		GROUP BY m.provider_id, m.hardware_id
	)
	SELECT m.node_id, NULL::code,
		CASE WHEN t.summary IS NULL OR slot_count(m.measured, p.telemetry_slot) = 0 THEN 0
			ELSE uptime(coalesce(a.summary, t.summary), m.measured) END,
		t.response_ms, t.error_rate_upper, coalesce(t.samples, 0), coalesce(t.errors, 0)
	FROM member m
		LEFT JOIN found t ON t.node_id = m.node_id
		LEFT JOIN again a ON m.several AND a.provider_id = m.provider_id AND a.hardware_id = m.hardware_id
	UNION ALL
	SELECT m.node_id, s.service_type, NULL, NULL, s.error_rate_upper, s.samples, NULL
	FROM member m JOIN found t USING (node_id), unnest(t.services) s;
END $$;
COMMENT ON FUNCTION preview_measure(epoch, policy) IS
'preview_epoch step: what telemetry, as it is now, says under a policy of the nodes of an epoch (service_type NULL) and of their services, as freeze_node measures it';

CREATE FUNCTION preview_rating(scenario scenario, own policy) RETURNS scenario
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
DECLARE
	s scenario := scenario;
	e epoch := s.epoch;
	p policy := s.policy;
	bad bigint;
BEGIN
	IF (p.telemetry_slot, p.response_quantile, p.error_confidence) = (own.telemetry_slot, own.response_quantile, own.error_confidence) THEN
		SELECT array_agg((n.node_id, q.trust, q.quality)::scenario_rating) INTO s.rating
		FROM epoch_node n, LATERAL node_rating(p, n.uptime, n.response_ms, n.error_rate_upper, n.beacons, n.location_excess_m) q
		WHERE n.epoch_id = e.epoch_id;
		RETURN s;
	END IF;
	SELECT count(DISTINCT coalesce(f.node_id, m.node_id)) INTO bad
	FROM (SELECT n.node_id, NULL::code AS service_type, n.uptime, n.response_ms, n.error_rate_upper, n.samples, n.errors
			FROM epoch_node n WHERE n.epoch_id = e.epoch_id
			UNION ALL SELECT d.node_id, d.service_type, NULL, NULL, d.error_rate_upper, d.samples, NULL
			FROM epoch_node_service d WHERE d.epoch_id = e.epoch_id) f
		FULL JOIN preview_measure(e, own) m ON m.node_id = f.node_id AND coalesce(m.service_type, '') = coalesce(f.service_type, '')
	WHERE (f.uptime, f.response_ms, f.error_rate_upper, f.samples, f.errors) IS DISTINCT FROM (m.uptime, m.response_ms, m.error_rate_upper, m.samples, m.errors)
		OR f.node_id IS NULL OR m.node_id IS NULL;
	IF bad > 0 THEN
		RAISE EXCEPTION 'telemetry of epoch % is not what it was when the epoch was computed: % nodes differ', e.epoch_id, bad
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = format('Policy %s measures it in another way (telemetry_slot, response_quantile or error_confidence) than policy %s.', p.policy_id, own.policy_id),
				HINT = 'Preview a policy that measures as the epoch did, or compute the epoch again.';
	END IF;
	SELECT array_agg((n.node_id, q.trust, q.quality)::scenario_rating) FILTER (WHERE m.service_type IS NULL),
		array_agg((m.node_id, m.service_type, m.error_rate_upper)::scenario_error_rate) FILTER (WHERE m.service_type IS NOT NULL)
	INTO s.rating, s.error_rate
	FROM preview_measure(e, p) m JOIN epoch_node n ON n.epoch_id = e.epoch_id AND n.node_id = m.node_id,
		LATERAL node_rating(p, m.uptime, m.response_ms, m.error_rate_upper, n.beacons, n.location_excess_m) q;
	RETURN s;
END $$;
COMMENT ON FUNCTION preview_rating(scenario, policy) IS
'preview_epoch step: a scenario with its nodes rated by its policy, and measured from telemetry in its way where that is not the way of the epoch''s own. Errors: telemetry is to be measured again and has changed since';

CREATE FUNCTION preview_field(e epoch, own policy, p policy) RETURNS epoch
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	IF p.grid_order <> own.grid_order THEN
		IF demand_field(e.period, own.grid_order) <> e.demand THEN
			RAISE EXCEPTION 'demand in epoch % is not what it was when the epoch was computed', e.epoch_id
				USING ERRCODE = 'object_not_in_prerequisite_state',
					DETAIL = format('Policy %s has grid_order %s, policy %s had %s.', p.policy_id, p.grid_order, own.policy_id, own.grid_order),
					HINT = 'Preview a policy with the same grid_order, or compute the epoch again.';
		END IF;
		e.demand := demand_field(e.period, p.grid_order);
	END IF;
	IF (p.grid_order, p.memory_epochs) <> (own.grid_order, own.memory_epochs) THEN
		e.supply := opening_supply_field(e.previous_epoch_id, p.grid_order, p.memory_epochs);
	END IF;
	IF e.emission_no IS NOT NULL AND p.policy_id <> own.policy_id AND p.emission IS NOT NULL THEN
		e.budget := emission(p.policy_id, next_emission_no(p.policy_id, e.epoch_id, lower(e.period)));
	END IF;
	e.policy_id := p.policy_id;
	RETURN e;
END $$;
COMMENT ON FUNCTION preview_field(epoch, policy, policy) IS
'preview_epoch step: the epoch under another policy, with its emission where the budget was one, and with demand and opening supply on its grid and as it remembers them. Errors: the grid is another and demand has changed since';

CREATE FUNCTION preview_region(e epoch, own policy, p policy) RETURNS epoch_region[]
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	again boolean := (p.grid_order, p.supply_target, p.memory_epochs) <> (own.grid_order, own.supply_target, own.memory_epochs);
	covered coverage;
	x record;
	r epoch_region;
	result epoch_region[] := '{}';
BEGIN
	IF again THEN
		covered := covered_field(e.demand, e.supply, p.supply_target::double precision);
	END IF;
	FOR x IN
		SELECT f AS frozen, g.boundary FROM epoch_region f LEFT JOIN region g ON again AND g.code = f.region WHERE f.epoch_id = e.epoch_id
	LOOP
		r := x.frozen;
		IF again THEN
			IF sha256(ST_AsBinary(x.boundary)) IS DISTINCT FROM r.boundary_digest THEN
				RAISE EXCEPTION 'region % is not what it was in epoch %', r.region, e.epoch_id
					USING ERRCODE = 'object_not_in_prerequisite_state',
						DETAIL = format('Policy %s has another grid_order, supply_target or memory_epochs than policy %s, so that coverage is to be measured within its boundary again.', p.policy_id, own.policy_id),
						HINT = 'Preview a policy with the same grid_order, supply_target and memory_epochs, or compute the epoch again.';
			END IF;
			r.demand := coverage_sum(e.demand, x.boundary);
			r.covered := coverage_sum(covered, x.boundary);
		END IF;
		r.multiplier := region_multiplier(r.covered, r.demand, r.target_fraction, p.region_multiplier_max);
		result := result || r;
	END LOOP;
	RETURN result;
END $$;
COMMENT ON FUNCTION preview_region(epoch, policy, policy) IS
'preview_epoch step: the regions of an epoch with the multipliers of another policy, measured again where grid, target or memory are others. Errors: a boundary has changed since';

CREATE FUNCTION preview_epoch(epoch_id bigint, policy_id bigint)
RETURNS TABLE (component text, node_id bigint, provider_id bigint, amount numeric, paid numeric, difference numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	s scenario;
	e epoch;
	own policy;
	p policy;
BEGIN
	PERFORM check_sees_rewards();
	e := computed_epoch($1);
	SELECT * INTO STRICT own FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT * INTO p FROM policy WHERE policy.policy_id = $2;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy % does not exist', $2
			USING ERRCODE = 'no_data_found', HINT = 'Insert it into the table policy, without effective_from while it is a draft, and its rules into specialization.';
	END IF;
	s.policy := p;
	s.epoch := preview_field(e, own, p);
	s.region := preview_region(s.epoch, own, p);
	s := scenario_market(preview_rating(s, own));

	RETURN QUERY
	SELECT c.code::text, x.node_id, x.provider_id, x.amount, x.paid, x.amount - x.paid
	FROM (SELECT coalesce(a.component, b.component) AS component, coalesce(a.node_id, b.node_id) AS node_id, coalesce(a.provider_id, b.provider_id) AS provider_id,
			coalesce(a.amount, 0) AS amount, coalesce(b.amount, 0) AS paid
		FROM (SELECT w.component, w.node_id, w.provider_id, sum(w.amount) AS amount FROM scenario_reward(s) w GROUP BY 1, 2, 3) a
			FULL JOIN (SELECT r.component::text, r.node_id, r.provider_id, r.amount FROM reward r WHERE r.epoch_id = $1) b
				ON b.component = a.component AND b.node_id = a.node_id) x
		JOIN component c ON c.code = x.component
	ORDER BY c.position, x.node_id;
END $$;
COMMENT ON FUNCTION preview_epoch(bigint, bigint) IS
'what another policy would have paid in a computed or final epoch, node by node and component by component, beside what was paid, base units; one row for each node and component with a score under either policy; sums of difference by provider_id are who would have won and lost. Nothing is written, and the policy need not be in use. All else is as it was: the state in which the epoch opened (supply, prices, marks, ages, carry-over), what its nodes did, and its budget, unless that was an emission and the other policy has emissions of its own. Equal to what run_epoch would have paid with this policy, to the base unit. Facts are the frozen ones; only where the policy has another grid_order, telemetry_slot, response_quantile or error_confidence are they measured again from the live tables. Errors: no such epoch or policy, epoch not computed; facts or regions are to be measured again and the live tables no longer give what was frozen';
