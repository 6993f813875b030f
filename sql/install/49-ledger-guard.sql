-- Triggers that keep what is computed as it is. They hold for everybody,
-- the owner included, and accept the faithful reload of a dump: in a sealed
-- epoch rows can be inserted up to the number that the seal counts.

CREATE FUNCTION epoch_sealed_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	id bigint;
	state text;
	allowed bigint;
	present bigint;
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		IF EXISTS (SELECT FROM epoch e WHERE e.status IN ('computed', 'final')) THEN
			RAISE EXCEPTION 'cannot truncate %: there are computed epochs', TG_TABLE_NAME
				USING ERRCODE = 'restrict_violation';
		END IF;
		RETURN NULL;
	END IF;
	IF TG_OP IN ('UPDATE', 'DELETE') THEN
		SELECT e.epoch_id, e.status INTO id, state FROM epoch e
		WHERE e.status IN ('computed', 'final') AND e.epoch_id IN (SELECT o.epoch_id FROM old_rows o) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot change % of epoch %, which is %', TG_TABLE_NAME, id, state
				USING ERRCODE = 'restrict_violation',
					HINT = CASE state WHEN 'computed' THEN 'CALL run_epoch to recompute it.' ELSE 'Corrections of a final epoch are rows of restatement.' END;
		END IF;
	END IF;
	IF TG_OP IN ('INSERT', 'UPDATE') THEN
		FOR id, state IN
			SELECT e.epoch_id, e.status FROM epoch e
			WHERE e.status IN ('computed', 'final') AND e.epoch_id IN (SELECT n.epoch_id FROM new_rows n)
		LOOP
			IF TG_TABLE_NAME = 'epoch_seal' THEN
				allowed := (SELECT count(*) + 3 FROM sealed_relation());
			ELSE
				SELECT s.row_count INTO allowed FROM epoch_seal s WHERE s.epoch_id = id AND s.relation = TG_TABLE_NAME;
				CONTINUE WHEN NOT FOUND AND NOT EXISTS (SELECT FROM epoch_seal s WHERE s.epoch_id = id);
			END IF;
			EXECUTE format('SELECT count(*) FROM %I.%I t WHERE t.epoch_id = $1', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO present USING id;
			IF present > coalesce(allowed, 0) THEN
				RAISE EXCEPTION 'cannot add to % of epoch %, which is %', TG_TABLE_NAME, id, state
					USING ERRCODE = 'restrict_violation',
						HINT = CASE state WHEN 'computed' THEN 'CALL run_epoch to recompute it.' ELSE 'Corrections of a final epoch are rows of restatement.' END;
			END IF;
		END LOOP;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION epoch_sealed_guard() IS
'trigger: rows of a computed or final epoch do not change; only a reload of a dump may insert them, up to the number sealed';

DO $$
DECLARE
	t text;
BEGIN
	FOR t IN SELECT relation FROM sealed_relation() UNION ALL VALUES ('epoch_seal') LOOP
		EXECUTE format('CREATE TRIGGER sealed_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
		EXECUTE format('CREATE TRIGGER sealed_update AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
		EXECUTE format('CREATE TRIGGER sealed_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
		EXECUTE format('CREATE TRIGGER sealed_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
	END LOOP;
END $$;

-- The invariants of exact money, checked by the database whenever an epoch
-- becomes computed or final, whoever does it; the guards above keep them so.
CREATE FUNCTION epoch_balance(epoch_id bigint)
RETURNS TABLE (component text, rule text, wanted numeric, found numeric)
LANGUAGE sql STABLE STRICT SET enable_nestloop = off SET jit = off
BEGIN ATOMIC
	SELECT NULL::text, 'the pools'' budgets add up to the budget', min(e.budget), coalesce(sum(p.budget), 0)
	FROM epoch e LEFT JOIN epoch_pool p ON p.epoch_id = e.epoch_id
	WHERE e.epoch_id = (SELECT (known_epoch(epoch_balance.epoch_id)).epoch_id)
	UNION ALL
	SELECT NULL, 'there is a pool for each component', (SELECT count(*) FROM component),
		(SELECT count(*) FROM epoch_pool p WHERE p.epoch_id = epoch_balance.epoch_id)
	UNION ALL
	SELECT p.component, 'budget + carried in = paid + carried out + treasury', p.budget + p.carried_in, p.paid + p.carried_out + p.treasury
	FROM epoch_pool p WHERE p.epoch_id = epoch_balance.epoch_id
	UNION ALL
	SELECT p.component, 'carried in = carried out of the previous epoch', coalesce(q.carried_out, 0), p.carried_in
	FROM epoch_pool p JOIN epoch e ON e.epoch_id = p.epoch_id
		LEFT JOIN epoch_pool q ON q.epoch_id = e.previous_epoch_id AND q.component = p.component
	WHERE p.epoch_id = epoch_balance.epoch_id
	UNION ALL
	SELECT c.code, 'the rewards add up to paid', coalesce(p.paid, 0), coalesce(r.amount, 0)
	FROM component c
		LEFT JOIN epoch_pool p ON p.epoch_id = epoch_balance.epoch_id AND p.component = c.code
		LEFT JOIN (SELECT r.component, sum(r.amount) AS amount FROM reward r
			WHERE r.epoch_id = epoch_balance.epoch_id GROUP BY r.component) r ON r.component = c.code
	UNION ALL
	SELECT p.component || ' ' || p.part, 'the amounts add up to paid', p.paid, coalesce(sum(r.amount), 0)
	FROM epoch_pool_part p LEFT JOIN reward_part r ON r.epoch_id = p.epoch_id AND r.component = p.component AND r.part = p.part
	WHERE p.epoch_id = epoch_balance.epoch_id
	GROUP BY p.epoch_id, p.component, p.part
	UNION ALL
	SELECT 'coverage_gaps', 'rewards that differ from the sum of their halves', 0, count(*)
	FROM (SELECT r.node_id, r.amount FROM reward r WHERE r.epoch_id = epoch_balance.epoch_id AND r.component = 'coverage_gaps') a
		FULL JOIN (SELECT r.node_id, sum(r.amount) AS amount FROM reward_part r
			WHERE r.epoch_id = epoch_balance.epoch_id GROUP BY r.node_id) b USING (node_id)
	WHERE a.amount IS DISTINCT FROM b.amount
	UNION ALL
	SELECT NULL, 'rewards of no node, or of another provider than the node''s', 0, count(*)
	FROM (SELECT r.node_id, r.provider_id FROM reward r WHERE r.epoch_id = epoch_balance.epoch_id
			UNION ALL SELECT r.node_id, r.provider_id FROM reward_part r WHERE r.epoch_id = epoch_balance.epoch_id) r
		LEFT JOIN epoch_node n ON n.epoch_id = epoch_balance.epoch_id AND n.node_id = r.node_id
	WHERE r.provider_id IS DISTINCT FROM n.provider_id
	UNION ALL
	SELECT NULL, 'resources and services of no node', 0, count(*)
	FROM (SELECT r.node_id FROM epoch_node_resource r WHERE r.epoch_id = epoch_balance.epoch_id
			UNION ALL SELECT s.node_id FROM epoch_node_service s WHERE s.epoch_id = epoch_balance.epoch_id) r
	WHERE NOT EXISTS (SELECT FROM epoch_node n WHERE n.epoch_id = epoch_balance.epoch_id AND n.node_id = r.node_id);
END;
COMMENT ON FUNCTION epoch_balance(bigint) IS
'the invariants of an epoch''s money, and that its rows belong together: each rule with the figure wanted and the figure found, which must be equal. No row for NULL; errors: no such epoch';

CREATE FUNCTION epoch_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	bad record;
BEGIN
	IF TG_OP = 'DELETE' THEN
		IF OLD.status <> 'planned' THEN
			RAISE EXCEPTION 'cannot delete epoch %, which is %', OLD.epoch_id, OLD.status
				USING ERRCODE = 'restrict_violation', HINT = 'Only planned epochs can be deleted.';
		END IF;
		RETURN OLD;
	END IF;
	IF NEW.status = 'planned' AND (TG_OP = 'INSERT' OR NEW.period <> OLD.period) THEN
		SELECT e.epoch_id, e.period INTO bad FROM epoch e
		WHERE e.status <> 'planned' AND e.epoch_id <> NEW.epoch_id AND lower(e.period) >= upper(NEW.period) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot plan an epoch for %: epoch % for % has been computed already', NEW.period, bad.epoch_id, bad.period
				USING ERRCODE = 'restrict_violation', HINT = 'Epochs are computed strictly in order; plan it after the last computed one.';
		END IF;
	END IF;
	IF TG_OP = 'INSERT' THEN
		RETURN NEW;
	END IF;
	IF OLD.status = 'final' THEN
		RAISE EXCEPTION 'epoch % is final and cannot be changed', OLD.epoch_id
			USING ERRCODE = 'restrict_violation', HINT = 'Corrections of a final epoch are rows of restatement.';
	END IF;
	IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN
		(('planned', 'open'), ('open', 'computed'), ('computed', 'open'), ('computed', 'final')) THEN
		RAISE EXCEPTION 'epoch % cannot go from % to %', OLD.epoch_id, OLD.status, NEW.status
			USING ERRCODE = 'restrict_violation', HINT = 'The order is planned, open, computed, final; a computed epoch may be opened again.';
	END IF;
	IF OLD.status <> 'planned' AND (NEW.epoch_id, NEW.period, NEW.budget, NEW.policy_id, NEW.epoch_no, NEW.previous_epoch_id, NEW.emission_no)
		IS DISTINCT FROM (OLD.epoch_id, OLD.period, OLD.budget, OLD.policy_id, OLD.epoch_no, OLD.previous_epoch_id, OLD.emission_no) THEN
		RAISE EXCEPTION 'cannot change period, budget, policy or order of epoch %, which is %', OLD.epoch_id, OLD.status
			USING ERRCODE = 'restrict_violation', HINT = 'They are fixed when an epoch is opened.';
	END IF;
	IF OLD.status = 'computed' AND NEW.status <> 'open' AND (NEW.supply, NEW.demand, NEW.closing_supply, NEW.digest, NEW.computed_at)
		IS DISTINCT FROM (OLD.supply, OLD.demand, OLD.closing_supply, OLD.digest, OLD.computed_at) THEN
		RAISE EXCEPTION 'cannot change the fields or the digest of epoch %, which is computed', OLD.epoch_id
			USING ERRCODE = 'restrict_violation', HINT = 'CALL run_epoch to recompute it.';
	END IF;
	IF NEW.status IN ('computed', 'final') AND NEW.status <> OLD.status THEN
		SELECT b.* INTO bad FROM epoch_balance(NEW.epoch_id) b WHERE b.wanted <> b.found LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'epoch % does not balance: %', NEW.epoch_id, concat_ws(': ', bad.component, bad.rule)
				USING ERRCODE = 'check_violation', DETAIL = format('Wanted %s, found %s.', bad.wanted, bad.found);
		END IF;
		IF NEW.digest IS DISTINCT FROM epoch_seal_digest(NEW.epoch_id) THEN
			RAISE EXCEPTION 'the digest of epoch % does not match its seal', NEW.epoch_id
				USING ERRCODE = 'check_violation', HINT = 'CALL run_epoch to compute it.';
		END IF;
	END IF;
	IF NEW.status = 'open' AND OLD.status = 'computed' THEN
		SELECT e.epoch_id INTO bad FROM epoch e
		WHERE e.status IN ('computed', 'final') AND e.previous_epoch_id = OLD.epoch_id;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot open epoch % again: epoch % starts from its closing state', OLD.epoch_id, bad.epoch_id
				USING ERRCODE = 'restrict_violation', HINT = 'CALL run_epoch, which recomputes the later epochs too.';
		END IF;
	END IF;
	IF NEW.status = 'final' THEN
		SELECT e.epoch_id, e.status INTO bad FROM epoch e WHERE e.epoch_id = NEW.previous_epoch_id AND e.status <> 'final';
		IF FOUND THEN
			RAISE EXCEPTION 'epoch % cannot become final: epoch % before it is %', NEW.epoch_id, bad.epoch_id, bad.status
				USING ERRCODE = 'restrict_violation', HINT = 'Epochs become final in order.';
		END IF;
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION epoch_guard() IS
'trigger: status goes planned, open, computed, final; money must balance to become computed; nothing of a final epoch changes';
CREATE TRIGGER epoch_guard BEFORE INSERT OR UPDATE OR DELETE ON epoch FOR EACH ROW EXECUTE FUNCTION epoch_guard();

CREATE FUNCTION epoch_truncate_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF EXISTS (SELECT FROM epoch e WHERE e.status <> 'planned') THEN
		RAISE EXCEPTION 'cannot truncate epoch: not all epochs are planned' USING ERRCODE = 'restrict_violation';
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION epoch_truncate_guard() IS 'trigger: only planned epochs can be truncated away';
CREATE TRIGGER epoch_truncate_guard BEFORE TRUNCATE ON epoch FOR EACH STATEMENT EXECUTE FUNCTION epoch_truncate_guard();

CREATE FUNCTION epoch_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM pg_notify('swarm_reward', jsonb_build_object('epoch_id', NEW.epoch_id, 'status', NEW.status,
		'previous_status', OLD.status, 'epoch_no', NEW.epoch_no, 'budget', NEW.budget::text,
		'digest', encode(NEW.digest, 'hex'))::text);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION epoch_notify() IS 'trigger: NOTIFY swarm_reward at every change of an epoch''s status, with epoch_id, status, previous_status, epoch_no, budget (as text, it may be long) and digest';
CREATE TRIGGER epoch_notify AFTER UPDATE ON epoch FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION epoch_notify();
