-- The epoch computation.

CREATE FUNCTION pay_epoch(epoch_id bigint) RETURNS numeric
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
	p policy;
	pool record;
	available numeric;
	total numeric := 0;
BEGIN
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	PERFORM epoch_phase($1, 'rewards');
	-- in the order of the keys, which their indexes like
	WITH shared AS MATERIALIZED (
		SELECT * FROM epoch_shares($1)
	), put_part AS (
		INSERT INTO reward_part (epoch_id, node_id, provider_id, component, part, score, amount)
		SELECT $1, s.node_id, s.provider_id, s.component, s.part, s.score, s.amount
		FROM shared s WHERE s.part IS NOT NULL
		ORDER BY s.node_id, s.part
	)
	INSERT INTO reward (epoch_id, node_id, provider_id, component, score, amount)
	SELECT $1, s.node_id, s.provider_id, s.component, s.score, s.amount
	FROM (SELECT w.node_id, w.provider_id, w.component, w.score, w.amount FROM shared w WHERE w.part IS NULL
		UNION ALL
		SELECT h.node_id, h.provider_id, h.component, sum(h.score), sum(h.amount) FROM shared h WHERE h.part IS NOT NULL
		GROUP BY h.node_id, h.provider_id, h.component) s
	ORDER BY s.node_id, s.component;

	FOR pool IN
		SELECT r.component AS code, r.budget, r.carried_in, r.released, coalesce(w.paid, 0) AS paid, coalesce(w.score, 0) AS score
		FROM epoch_release($1) r LEFT JOIN (SELECT x.component, sum(x.amount) AS paid, sum(x.score) AS score FROM reward x
			WHERE x.epoch_id = $1 GROUP BY x.component) w ON w.component = r.component
	LOOP
		PERFORM epoch_phase($1, 'pay ' || pool.code);
		available := pool.budget + pool.carried_in;
		INSERT INTO epoch_pool (epoch_id, component, budget, carried_in, released, paid, carried_out, treasury, score)
		VALUES ($1, pool.code, pool.budget, pool.carried_in, pool.released, pool.paid,
			CASE p.unpaid_to WHEN 'carry' THEN available - pool.paid ELSE 0 END,
			CASE p.unpaid_to WHEN 'treasury' THEN available - pool.paid ELSE 0 END, pool.score);
		INSERT INTO epoch_pool_part (epoch_id, component, part, released, paid, score)
		SELECT $1, pool.code, h.part, h.released, coalesce(w.paid, 0), coalesce(w.score, 0)
		FROM epoch_release_part($1, pool.code, pool.released) h
			LEFT JOIN (SELECT x.component, x.part, sum(x.amount) AS paid, sum(x.score) AS score FROM reward_part x
				WHERE x.epoch_id = $1 GROUP BY x.component, x.part) w ON w.component = pool.code AND w.part = h.part;
		total := total + pool.paid;
		RAISE NOTICE 'epoch %: % pays % of %', $1, pool.code, pool.paid, available;
	END LOOP;
	RETURN total;
END $$;
COMMENT ON FUNCTION pay_epoch(bigint) IS
'run_epoch step, last: splits the budget over the pools, apportions each and writes epoch_pool, epoch_pool_part, reward and reward_part; returns the base units paid';

CREATE PROCEDURE run_epoch(epoch_id bigint, reason text DEFAULT NULL)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off
-- how many rows and how many different ones is all that the plans need to know
SET default_statistics_target = 30 AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	prior epoch;
	p policy;
	one bigint;
	todo bigint[];
	nodes bigint;
	paid numeric;
	seen record;
	t text;
BEGIN
	IF reason = '' THEN
		RAISE EXCEPTION 'the reason for computing epoch % is empty', $1
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a reason, or NULL to have it found out.';
	END IF;
	IF NOT try_epoch_lock() THEN
		RAISE EXCEPTION 'another session is computing an epoch'
			USING ERRCODE = 'lock_not_available', HINT = 'Try again when it has finished.';
	END IF;
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1 FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM unknown_id('epoch', $1);
	END IF;
	IF e.status = 'final' THEN
		RAISE EXCEPTION 'epoch % is final and cannot be computed again', $1
			USING ERRCODE = 'restrict_violation', HINT = 'Corrections of a final epoch are rows of restatement.';
	END IF;
	IF upper(e.period) > now() THEN
		RAISE EXCEPTION 'epoch % has not ended: its period is %', $1, e.period
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Compute it after its end.';
	END IF;
	SELECT * INTO prior FROM epoch WHERE upper(epoch.period) <= lower(e.period) ORDER BY epoch.period DESC LIMIT 1;
	IF prior.status IN ('planned', 'open') THEN
		RAISE EXCEPTION 'epoch % comes before epoch % and is %', prior.epoch_id, $1, prior.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', prior.epoch_id);
	END IF;

	PERFORM epoch_phase($1, 'clear');
	-- the epochs after it that were computed start from its closing state
	SELECT array_agg(l.epoch_id ORDER BY l.period) INTO todo FROM epoch l
	WHERE l.epoch_id = $1 OR (l.status IN ('open', 'computed') AND lower(l.period) >= upper(e.period));
	FOR one IN SELECT u FROM unnest(todo) WITH ORDINALITY x (u, o) ORDER BY o DESC LOOP
		UPDATE epoch SET status = 'open' WHERE epoch.epoch_id = one AND status = 'computed';
		FOR t IN SELECT 'epoch_seal' UNION ALL (SELECT r.relation FROM sealed_relation() WITH ORDINALITY r (relation, o) ORDER BY r.o DESC) LOOP
			EXECUTE format('DELETE FROM %I WHERE epoch_id = $1', t) USING one;
		END LOOP;
	END LOOP;

	FOREACH one IN ARRAY todo LOOP
		SELECT * INTO STRICT e FROM epoch WHERE epoch.epoch_id = one FOR UPDATE;
		SELECT * INTO prior FROM epoch WHERE upper(epoch.period) <= lower(e.period) ORDER BY epoch.period DESC LIMIT 1;
		IF e.status = 'planned' THEN
			SELECT * INTO STRICT p FROM policy
			WHERE policy_id = coalesce(e.policy_id, policy_in_effect(lower(e.period))) FOR UPDATE;
			IF p.sealed_rules IS NULL THEN
				UPDATE policy SET sealed_rules = (SELECT count(*) FROM specialization s WHERE s.policy_id = p.policy_id)
				WHERE policy_id = p.policy_id;
			END IF;
			UPDATE epoch SET status = 'open', policy_id = p.policy_id, epoch_no = coalesce(prior.epoch_no, 0) + 1,
				budget = CASE WHEN emission_no IS NULL THEN budget END,
				previous_epoch_id = prior.epoch_id, opened_at = clock_timestamp()
			WHERE epoch.epoch_id = one RETURNING * INTO e;
		ELSE
			SELECT * INTO STRICT p FROM policy WHERE policy_id = e.policy_id;
		END IF;
		RAISE NOTICE 'epoch %: % under policy %', one, e.period, p.name;

		PERFORM epoch_phase(one, 'nodes');
		SELECT * INTO seen FROM telemetry_changes(e.period);
		nodes := freeze_node(one);
		RAISE NOTICE 'epoch %: % nodes frozen', one, nodes;
		IF nodes > 1000 THEN
			-- fresh rows have no statistics, and plans for few would be slow for many
			-- (no plan depends on those of places, which take PostGIS longer than all others)
			ANALYZE epoch_node (epoch_id, node_id, provider_id, hardware_id, region, age, service_radius_m, quality, trust, contribution),
				epoch_node_resource, epoch_node_service;
		END IF;

		PERFORM epoch_phase(one, 'fields');
		UPDATE epoch SET demand = demand_field(e.period, p.grid_order), closing_supply = supply_field(one, p.grid_order),
			supply = opening_supply_field(prior.epoch_id, p.grid_order, p.memory_epochs)
		WHERE epoch.epoch_id = one;
		RAISE NOTICE 'epoch %: fields drawn', one;

		PERFORM epoch_phase(one, 'market');
		PERFORM freeze_market(one);
		IF nodes > 1000 THEN
			ANALYZE epoch_region, epoch_region_resource, epoch_resource, epoch_service, epoch_mark, epoch_first;
		END IF;
		PERFORM freeze_growth(one);
		RAISE NOTICE 'epoch %: regions, prices and marks set', one;

		paid := pay_epoch(one);
		PERFORM epoch_phase(one, 'seal');
		IF nodes > 1000 THEN
			ANALYZE reward, reward_part;
		END IF;
		UPDATE epoch SET status = 'computed', digest = seal_epoch(one), computed_at = clock_timestamp() WHERE epoch.epoch_id = one;
		PERFORM record_computation(one, CASE WHEN one = $1 THEN $2 ELSE concat_ws(': ', format('epoch %s before it was computed again', $1), $2) END, seen.came, seen.gone);
		PERFORM epoch_phase(one, '');
		RAISE NOTICE 'epoch %: computed, % of % paid', one, paid, e.budget;
	END LOOP;
END $$;
COMMENT ON PROCEDURE run_epoch(bigint, text) IS
'computes an epoch that has ended, in one transaction: freezes its inputs, draws its fields, apportions its pools, seals the result. A computed epoch is computed again from the tables as they are now, and with it every computed epoch after it. Each computation is recorded in epoch_computation with the reason, which is found out where none is given. Errors: no such epoch, final, not ended, an earlier one not computed, another session computing, an empty reason, raw telemetry is needed that was dropped';

CREATE PROCEDURE run_late_epochs()
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	late bigint;
BEGIN
	SELECT e.epoch_id INTO late
	FROM epoch e, LATERAL late_telemetry(e.epoch_id) l
	WHERE e.status = 'computed' AND (l.came > 0 OR l.gone > 0)
	ORDER BY e.period LIMIT 1;
	IF FOUND THEN
		CALL run_epoch(late);
	ELSE
		RAISE NOTICE 'no computed epoch has late telemetry';
	END IF;
END $$;
COMMENT ON PROCEDURE run_late_epochs() IS
'computes the first of the computed epochs again whose telemetry has changed since, and hence every computed epoch after it; for schedulers, before they make epochs final. Errors: as run_epoch';
