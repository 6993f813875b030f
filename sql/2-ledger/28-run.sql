-- The computation of an epoch, top to bottom.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION clear_epoch(epoch_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	t text;
BEGIN
	FOR t IN SELECT r.relation FROM epoch_relation() r UNION ALL VALUES ('frozen'), ('score') LOOP
		PERFORM drop_epoch_table(t, clear_epoch.epoch_id);
	END LOOP;
	FOREACH t IN ARRAY ARRAY['epoch_region', 'epoch_region_resource', 'epoch_resource', 'epoch_service', 'epoch_beacon', 'epoch_pool', 'epoch_region_demand'] LOOP
		EXECUTE format('DELETE FROM %I WHERE epoch_id = $1', t) USING clear_epoch.epoch_id;
	END LOOP;
END $$;
COMMENT ON FUNCTION clear_epoch(bigint) IS 'run_epoch step: removes what an earlier computation of the epoch left';

CREATE FUNCTION freeze_node(e epoch, p policy) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	nodes bigint := make_epoch_table('frozen', e.epoch_id, freeze_query(e.epoch_id, e.period, p));
BEGIN
	PERFORM make_epoch_table('epoch_node', e.epoch_id, format($q$
		SELECT %s::bigint AS epoch_id, n.node_id, n.provider_id, n.hardware_id, n.location, n.reach_m, n.region, n.active_days, n.counts, n.samples, n.errors,
			n.uptime, n.response_ms, n.error_rate_upper, n.availability, n.performance, n.beacons, n.suspicions, n.violations, n.uncertainty_m, n.place_trust,
			n.quality, n.value, n.contribution, n.demand_in_reach, n.supply, n.tenure, n.freshness
		FROM %s n $q$, e.epoch_id, epoch_table('frozen', e.epoch_id)));
	RETURN nodes;
END $$;
COMMENT ON FUNCTION freeze_node(epoch, policy) IS 'run_epoch step: every node of the epoch with all that was measured of it; returns how many';

CREATE FUNCTION open_epoch(epoch_id bigint) RETURNS epoch
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	e epoch;
	prior epoch;
	p policy;
BEGIN
	SELECT * INTO STRICT e FROM epoch x WHERE x.epoch_id = open_epoch.epoch_id FOR UPDATE;
	SELECT * INTO prior FROM epoch x WHERE upper(x.period) <= lower(e.period) ORDER BY x.period DESC LIMIT 1;
	IF e.status = 'planned' THEN
		SELECT * INTO p FROM policy x WHERE x.policy_id = coalesce(e.policy_id, policy_in_effect(lower(e.period)));
		IF NOT FOUND THEN
			RAISE EXCEPTION 'no policy is in effect when epoch % begins, %', e.epoch_id, lower(e.period)
				USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Name one in epoch.policy_id, or set policy.effective_from of one.';
		END IF;
		UPDATE epoch SET status = 'open', policy_id = p.policy_id, epoch_no = coalesce(prior.epoch_no, 0) + 1, previous_epoch_id = prior.epoch_id,
			budget = coalesce(e.budget, epoch_emission(p, e.period))
		WHERE epoch.epoch_id = e.epoch_id RETURNING * INTO e;
	ELSE
		UPDATE epoch SET status = 'open', previous_epoch_id = prior.epoch_id WHERE epoch.epoch_id = e.epoch_id RETURNING * INTO e;
		SELECT * INTO STRICT p FROM policy x WHERE x.policy_id = e.policy_id;
	END IF;
	IF e.budget IS NULL THEN
		RAISE EXCEPTION 'epoch % has no budget', e.epoch_id
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('Policy %s (%s) has no emission.', p.policy_id, p.name),
				HINT = 'Give the epoch a budget, or have a policy with an emission take effect by its start.';
	END IF;
	IF coverage_order(prior.demand) <> p.grid_order THEN
		RAISE EXCEPTION 'policy % (%) has grid order %, but the epoch before % was computed on order %', p.policy_id, p.name, p.grid_order, e.epoch_id, coverage_order(prior.demand)
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'All epochs of a network use one grid_order.';
	END IF;
	RETURN e;
END $$;
COMMENT ON FUNCTION open_epoch(bigint) IS 'run_epoch step: pins the policy, the budget and the place of an epoch in their order';

CREATE FUNCTION compute_epoch(epoch_id bigint) RETURNS epoch
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	e epoch;
	p policy;
	nodes bigint;
	paid numeric;
	r record;
BEGIN
	PERFORM clear_epoch(compute_epoch.epoch_id);
	e := open_epoch(compute_epoch.epoch_id);
	SELECT * INTO STRICT p FROM policy x WHERE x.policy_id = e.policy_id;
	RAISE NOTICE 'epoch %: % under policy %', e.epoch_id, e.period, p.name;

	PERFORM draw_demand(e, p);
	nodes := freeze_node(e, p);
	PERFORM freeze_beacon(e, p);
	PERFORM freeze_owner(e, p);
	PERFORM freeze_resource_of_node(e);
	PERFORM freeze_service_of_node(e, p);
	PERFORM drop_epoch_table('frozen', e.epoch_id);
	FOR r IN SELECT * FROM epoch_relation() x WHERE x.relation <> 'reward' LOOP
		PERFORM attach_epoch_table(r.relation, e.epoch_id, r.key);
	END LOOP;
	RAISE NOTICE 'epoch %: % nodes frozen', e.epoch_id, nodes;

	PERFORM draw_supply(e, p);
	SELECT * INTO STRICT e FROM epoch x WHERE x.epoch_id = e.epoch_id;
	PERFORM freeze_region(e, p);
	PERFORM freeze_resource(e, p);
	PERFORM freeze_service(e, p);
	RAISE NOTICE 'epoch %: fields, references and prices set', e.epoch_id;

	paid := pay_epoch(e, p);
	PERFORM attach_epoch_table(x.relation, e.epoch_id, x.key) FROM epoch_relation() x WHERE x.relation = 'reward';
	UPDATE epoch SET status = 'computed', computed_at = clock_timestamp(), first_computed_at = coalesce(first_computed_at, clock_timestamp()),
		digest = '\x0000000000000000000000000000000000000000000000000000000000000000'
	WHERE epoch.epoch_id = e.epoch_id RETURNING * INTO e;
	RAISE NOTICE 'epoch %: computed, % of % paid', e.epoch_id, paid, e.budget;
	RETURN e;
END $$;
COMMENT ON FUNCTION compute_epoch(bigint) IS 'run_epoch step: the whole computation of one epoch';

CREATE PROCEDURE swarm_reward.run_epoch(epoch_id bigint, reason text DEFAULT NULL)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
	PERFORM compute_epoch(run_epoch.epoch_id);
END $$;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
