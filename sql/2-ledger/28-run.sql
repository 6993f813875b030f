-- The computation of an epoch, top to bottom.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION clear_epoch(epoch_id bigint, partitions boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	t text;
BEGIN
	IF partitions THEN
		PERFORM drop_epoch_table(r.relation, clear_epoch.epoch_id) FROM epoch_relation() r;
	END IF;
	FOREACH t IN ARRAY ARRAY['epoch_seal', 'epoch_region', 'epoch_region_resource', 'epoch_resource', 'epoch_service', 'epoch_beacon', 'epoch_pool', 'epoch_provider', 'epoch_region_demand'] LOOP
		EXECUTE format('DELETE FROM %I WHERE epoch_id = $1', t) USING clear_epoch.epoch_id;
	END LOOP;
END $$;
COMMENT ON FUNCTION clear_epoch(bigint, boolean) IS 'removes what an earlier computation of an epoch left; without partitions only what others may still read while it is computed again';

CREATE FUNCTION open_epoch(epoch_id bigint) RETURNS epoch
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	e epoch;
	prior epoch;
	p policy;
BEGIN
	SELECT * INTO STRICT e FROM epoch x WHERE x.epoch_id = open_epoch.epoch_id FOR UPDATE;
	IF e.epoch_id < 0 THEN	-- a rehearsal comes after whatever it was told
		SELECT * INTO prior FROM epoch x WHERE x.epoch_id = e.previous_epoch_id;
	ELSE
		SELECT * INTO prior FROM epoch x WHERE upper(x.period) <= lower(e.period) AND x.epoch_id > 0 ORDER BY x.period DESC LIMIT 1;
	END IF;
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

-- Progress, for other sessions to see: what a transaction has written is not visible before it ends,
-- but the locks that it holds are. The computing session takes one lock for the epoch and one for
-- each phase that it enters; they are gone with the transaction, however it ends.
CREATE FUNCTION epoch_phases() RETURNS TABLE (phase_no int, phase text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT u.o::int, u.p FROM unnest(ARRAY['clear', 'demand', 'nodes', 'owners', 'supply', 'market', 'rewards', 'seal', 'verify']) WITH ORDINALITY u (p, o);
END;
COMMENT ON FUNCTION epoch_phases() IS
'the phases of a computation in their order. clear: what an earlier one left goes; demand: the demand field; nodes: telemetry and facts of nodes are frozen; owners: what is taken for given of their units; supply: the supply field; market: regions, prices; rewards: scores, pools, amounts; seal: everything is hashed; verify: checked before the epoch becomes final';

CREATE FUNCTION epoch_phase(epoch_id bigint, phase text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM pg_advisory_xact_lock('epoch_seal'::regclass::oid::int, (abs(epoch_phase.epoch_id) % 2147483648)::int),
		pg_advisory_xact_lock('epoch_computation'::regclass::oid::int, f.phase_no)
	FROM epoch_phases() f WHERE f.phase = epoch_phase.phase;
	RAISE DEBUG 'epoch %: phase %', epoch_id, phase;
END $$;
COMMENT ON FUNCTION epoch_phase(bigint, text) IS 'run_epoch step: says that a phase of an epoch, or of a rehearsal of it, begins, see epoch_phases()';

-- Who waits for a lock of the server's sees what was committed meanwhile, but not in a transaction that
-- has had its snapshot before. So whoever acts on sums takes a turn, too: there it is a serialization failure.
CREATE TABLE turn (
	what code PRIMARY KEY,
	taken bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE turn IS 'a row for epochs, one for the journal and one for marks of workers; who changes these changes it first, one after the other. Never dumped';
COMMENT ON COLUMN turn.what IS 'epoch, journal or mark';
COMMENT ON COLUMN turn.taken IS 'how often';
INSERT INTO turn (what) VALUES ('epoch'), ('journal'), ('mark');

CREATE FUNCTION take_turn(what code) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
	UPDATE turn t SET taken = t.taken + 1 WHERE t.what = $1
$$;
COMMENT ON FUNCTION take_turn(code) IS
'waits until nobody else changes epochs, the journal, or what was collected of marks, and keeps others waiting until the end of the transaction. Errors: a serialization failure where the snapshot of the transaction is older than the last change';

CREATE FUNCTION lock_epochs() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF NOT pg_try_advisory_xact_lock('epoch'::regclass::oid::int, 0) THEN
		RAISE EXCEPTION 'another session is computing an epoch'
			USING ERRCODE = 'lock_not_available', HINT = 'Try again when it has finished; swarm_reward.epoch_progress shows how far it is.';
	END IF;
	PERFORM take_turn('epoch');
	-- All facts from one snapshot: a transaction that has one keeps it. Where each statement has its
	-- own, nobody may write facts from the first to the last.
	IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
		LOCK TABLE node, node_suspension, node_resource, resource_check, region, demand, resource_demand, beacon, beacon_rtt, outage,
			policy, policy_resource, policy_service, policy_region, specialization IN SHARE MODE;
	END IF;
END $$;
COMMENT ON FUNCTION lock_epochs() IS
'what everybody does first who computes epochs or makes them final: one session at a time, and all facts from one snapshot. Errors: another session is at it';

-- Beside what is computed for each row, that a parallel worker hands it on costs a tenth of what a server takes for given.
-- Queries are texts, in which a float has all of its digits only where the session says so.
CREATE FUNCTION compute_epoch(epoch_id bigint, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET parallel_tuple_cost = 0.01 SET extra_float_digits = 1 AS $$
DECLARE
	e epoch;
	p policy;
	nodes bigint;
	paid numeric;
	facts_now numeric;
	seal bytea;
	facts_before numeric;
	started timestamptz := clock_timestamp();
	seen record;	-- telemetry that had come before anything was read
	last record;
	r record;
BEGIN
	PERFORM epoch_phase(compute_epoch.epoch_id, 'clear');
	PERFORM clear_epoch(compute_epoch.epoch_id, partitions => false);
	e := open_epoch(compute_epoch.epoch_id);
	facts_before := e.facts;
	SELECT * INTO STRICT p FROM policy x WHERE x.policy_id = e.policy_id;
	RAISE NOTICE 'epoch %: % under policy %', e.epoch_id, e.period, p.name;

	PERFORM epoch_phase(e.epoch_id, 'demand');
	PERFORM collect_telemetry_marks();
	SELECT * INTO seen FROM telemetry_changes(e.period);
	facts_now := facts_digest(e.period, p);
	PERFORM draw_demand(e, p);
	PERFORM epoch_phase(e.epoch_id, 'nodes');
	nodes := freeze_node(e, p);
	PERFORM freeze_beacon(e);
	PERFORM epoch_phase(e.epoch_id, 'owners');
	PERFORM freeze_owner(e, p);
	PERFORM freeze_resource_of_node(e);
	PERFORM freeze_service_of_node(e, p);
	PERFORM drop_epoch_table(t, e.epoch_id) FROM unnest(ARRAY['machine', 'report', 'unit', 'trust', 'stock']) t;
	FOR r IN SELECT * FROM epoch_relation() x WHERE x.relation <> 'reward' LOOP
		PERFORM attach_epoch_table(r.relation, e.epoch_id, r.key, r.is_unique);
	END LOOP;
	RAISE NOTICE 'epoch %: % nodes frozen', e.epoch_id, nodes;

	PERFORM epoch_phase(e.epoch_id, 'supply');
	PERFORM draw_supply(e, p);
	SELECT * INTO STRICT e FROM epoch x WHERE x.epoch_id = e.epoch_id;
	PERFORM epoch_phase(e.epoch_id, 'market');
	PERFORM freeze_market(e);
	INSERT INTO epoch_region SELECT * FROM region_rows(e, p);
	INSERT INTO epoch_region_resource SELECT * FROM region_resource_rows(e, p);
	INSERT INTO epoch_resource SELECT * FROM resource_rows(e, p);
	INSERT INTO epoch_service SELECT * FROM service_rows(e, p);
	PERFORM drop_epoch_table('market', e.epoch_id);
	RAISE NOTICE 'epoch %: fields, references and prices set', e.epoch_id;

	PERFORM epoch_phase(e.epoch_id, 'rewards');
	paid := pay_epoch(e, p);
	PERFORM attach_epoch_table(x.relation, e.epoch_id, x.key, x.is_unique) FROM epoch_relation() x WHERE x.relation = 'reward';
	PERFORM epoch_phase(e.epoch_id, 'seal');
	SELECT count(*) FILTER (WHERE n.samples > 0) AS reported, count(*) AS members INTO r FROM epoch_node n WHERE n.epoch_id = e.epoch_id;
	seal := seal_epoch(e.epoch_id);
	UPDATE epoch SET digest = seal, facts = facts_now, status = 'computed', computed_at = clock_timestamp(),
		first_computed_at = coalesce(first_computed_at, clock_timestamp()),
		-- what somebody has held or released stays so; this rule holds at the first computation, and lets go when the reports have come
		held_reason = CASE WHEN first_computed_at IS NULL OR held_reason LIKE 'few reports: %' THEN
				CASE WHEN r.reported < p.min_reporters * r.members OR r.members = 0 THEN format('few reports: %s of %s members have telemetry', r.reported, r.members) END
			ELSE held_reason END
	WHERE epoch.epoch_id = e.epoch_id RETURNING * INTO e;
	INSERT INTO guard DEFAULT VALUES ON CONFLICT DO NOTHING;
	SELECT c.computation, c.came, c.gone INTO last FROM epoch_computation c WHERE c.epoch_id = e.epoch_id ORDER BY c.computation DESC LIMIT 1;
	INSERT INTO epoch_computation (epoch_id, computation, computed_at, computed_by, duration, reason, came, gone, digest)
	VALUES (e.epoch_id, coalesce(last.computation, 0) + 1, e.computed_at, session_user, clock_timestamp() - started,
		coalesce(reason, CASE WHEN last.computation IS NULL THEN 'first computation'
			WHEN seen.came > last.came OR seen.gone > last.gone THEN format('late telemetry: %s rows came, %s went', seen.came - last.came, seen.gone - last.gone)
			WHEN facts_before IS DISTINCT FROM facts_now THEN 'facts have changed'
			ELSE 'no reason given' END), seen.came, seen.gone, e.digest);
	RAISE NOTICE 'epoch %: computed, % of % paid%', e.epoch_id, paid, e.budget, coalesce('; held, ' || e.held_reason, '');
	PERFORM pg_notify('swarm_reward', json_build_object('event', 'computed', 'epoch_id', e.epoch_id, 'digest', encode(e.digest, 'hex'), 'paid', paid::text, 'held', e.held_reason)::text);
END $$;
COMMENT ON FUNCTION compute_epoch(bigint, text) IS 'run_epoch step: the whole computation of one epoch, top to bottom';

CREATE PROCEDURE swarm_reward.run_epoch(epoch_id bigint, reason text DEFAULT NULL)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_variable
DECLARE
	e epoch;
	prior epoch;
	one bigint;
	todo bigint[];
	e_detail text;
	e_hint text;
BEGIN
	IF reason = '' THEN
		RAISE EXCEPTION 'the reason for computing epoch % is empty', epoch_id
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a reason, or NULL to have it found out.';
	END IF;
	PERFORM lock_epochs();
	-- who is changing or deleting it right now comes first
	PERFORM FROM epoch x WHERE x.epoch_id = epoch_id FOR UPDATE;
	e := known_epoch(epoch_id);
	IF e.status = 'final' THEN
		RAISE EXCEPTION 'epoch % is final and cannot be computed again', epoch_id
			USING ERRCODE = 'restrict_violation', HINT = format('SELECT swarm_reward.restate_epoch(%s, ''reason'', dry_run => true) shows what a correction would change.', epoch_id);
	END IF;
	IF upper(e.period) > now() THEN
		RAISE EXCEPTION 'epoch % has not ended: its period is %', epoch_id, e.period
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Compute it after its end; preview_epoch shows what it would pay by now.';
	END IF;
	SELECT * INTO prior FROM epoch x WHERE upper(x.period) <= lower(e.period) ORDER BY x.period DESC LIMIT 1;
	IF prior.status IN ('planned', 'open') THEN
		RAISE EXCEPTION 'epoch % comes before epoch % and is %', prior.epoch_id, epoch_id, prior.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', prior.epoch_id);
	END IF;
	-- the epochs after it that were computed start from its closing state
	SELECT array_agg(l.epoch_id ORDER BY l.period) INTO todo FROM epoch l
	WHERE l.epoch_id = epoch_id OR (l.status IN ('open', 'computed') AND lower(l.period) >= upper(e.period));
	BEGIN
		FOREACH one IN ARRAY todo LOOP
			PERFORM compute_epoch(one, CASE WHEN one = epoch_id THEN reason ELSE concat_ws(': ', format('epoch %s before it was computed again', epoch_id), reason) END);
		END LOOP;
	EXCEPTION WHEN OTHERS THEN
		-- what is wrong with the facts is told without the statements of the computation
		GET STACKED DIAGNOSTICS e_detail = PG_EXCEPTION_DETAIL, e_hint = PG_EXCEPTION_HINT;
		IF SQLSTATE LIKE 'XX%' THEN
			RAISE;
		END IF;
		PERFORM raise_plainly(SQLSTATE, SQLERRM, e_detail, e_hint);
	END;
END $$;
COMMENT ON PROCEDURE swarm_reward.run_epoch(bigint, text) IS
'computes an epoch that has ended, in one transaction and from one snapshot: freezes its facts, draws its fields, apportions its pools, seals the result. A computed epoch is computed again from the facts as they are now, and with it every computed epoch after it. Each computation is recorded in epoch_computation with the reason, which is found out where none is given. While it runs nobody can write facts (but telemetry), unless the transaction is REPEATABLE READ. Errors: no such epoch, final, not ended, an earlier one not computed, another session computing, no policy or budget, an empty reason, raw telemetry is needed that was dropped';
REVOKE ALL ON PROCEDURE swarm_reward.run_epoch(bigint, text) FROM PUBLIC;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
