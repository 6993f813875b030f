-- What an epoch would pay by the facts as they are now: the real engine computes a rehearsal of it, an
-- epoch with a negative key that nobody else sees, and everything is rolled back. And from that,
-- corrections of final epochs: what they paid stands, differences are posted.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

-- Nothing keeps the times of keys that are not above 0 apart: kept, such an epoch would be paid a second time. Looked at
-- when the transaction ends, which a rehearsal does not see.
CREATE FUNCTION refuse_rehearsal() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	RAISE EXCEPTION 'epoch % cannot be kept: the key of an epoch is above 0', NEW.epoch_id
		USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'epoch_id',
			DETAIL = 'A key below 0 is a rehearsal of the epoch with the key above 0, which is always rolled back.',
			HINT = 'Leave epoch_id out, it is numbered by default; or SELECT swarm_reward.plan_epochs(until, length, budget).';
END $$;
COMMENT ON FUNCTION refuse_rehearsal() IS 'trigger: an epoch whose key is not above 0 does not outlive its transaction';
CREATE CONSTRAINT TRIGGER epoch_is_no_rehearsal AFTER INSERT OR UPDATE OF epoch_id ON epoch DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.epoch_id <= 0) EXECUTE FUNCTION refuse_rehearsal();

CREATE FUNCTION rehearse_epoch(epoch_id bigint, previous_epoch_id bigint, policy_id bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT SET client_min_messages = warning AS $$
#variable_conflict use_variable
DECLARE
	e epoch := known_epoch(epoch_id);
BEGIN
	IF is_archived(epoch_id) OR is_archived(previous_epoch_id) THEN
		RAISE EXCEPTION 'epoch % cannot be computed again: epoch % is archived', epoch_id, CASE WHEN is_archived(epoch_id) THEN epoch_id ELSE previous_epoch_id END
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'It would start from what that one left.';
	END IF;
	SET CONSTRAINTS swarm_reward.epoch_is_no_rehearsal DEFERRED;
	INSERT INTO epoch (epoch_id, period, budget, baseline, policy_id, previous_epoch_id)
	VALUES (-epoch_id, tstzrange(lower(e.period), least(upper(e.period), now())),
		-- of an epoch that has not ended, the part of its budget that its time has come for
		CASE WHEN upper(e.period) > now() THEN floor(e.budget * seconds(tstzmultirange(tstzrange(lower(e.period), now()))) / seconds(tstzmultirange(e.period))) ELSE e.budget END, e.baseline, coalesce(policy_id, e.policy_id), previous_epoch_id);
	PERFORM compute_epoch(-epoch_id, 'rehearsal');
	RETURN -epoch_id;
END $$;
COMMENT ON FUNCTION rehearse_epoch(bigint, bigint, bigint) IS
'computes a rehearsal of an epoch, which goes on from the one called previous_epoch_id, and returns its negative key; to be rolled back';

CREATE FUNCTION swarm_reward.preview_epoch(epoch_id bigint, policy_id bigint DEFAULT NULL)
RETURNS TABLE (node_id bigint, provider_id bigint, component code, score double precision, amount numeric, paid numeric)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := known_epoch(preview_epoch.epoch_id);
	prior epoch;
	p bigint := preview_epoch.policy_id;
	e_detail text;
	e_hint text;
BEGIN
	IF p IS NOT NULL AND NOT EXISTS (SELECT FROM policy x WHERE x.policy_id = p) THEN
		PERFORM unknown_id('policy', p);
	END IF;
	IF lower(e.period) >= now() THEN
		RAISE EXCEPTION 'epoch % has not begun: its period is %', e.epoch_id, e.period
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Ask again when it has; reward_map and simulate_node say what the last one would have paid.';
	END IF;
	SELECT * INTO prior FROM epoch x WHERE upper(x.period) <= lower(e.period) AND x.epoch_id > 0 ORDER BY x.period DESC LIMIT 1;
	IF prior.status IN ('planned', 'open') THEN
		RAISE EXCEPTION 'epoch % comes before epoch % and is %', prior.epoch_id, e.epoch_id, prior.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', prior.epoch_id);
	END IF;
	IF coverage_order(prior.next_reference) <> (SELECT x.grid_order FROM policy x WHERE x.policy_id = p) THEN
		RAISE EXCEPTION 'policy % has grid order %, but what is taken for given is known on grid order %', p, (SELECT x.grid_order FROM policy x WHERE x.policy_id = p), coverage_order(prior.next_reference)
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('Epoch %s goes on from epoch %s, and cells of two grids cannot be compared.', e.epoch_id, prior.epoch_id),
				HINT = format('Give the policy grid order %s, or preview the first epoch, which has nothing before it.', coverage_order(prior.next_reference));
	END IF;
	BEGIN
		PERFORM lock_epochs();
		RAISE NOTICE 'epoch %: a rehearsal, % nodes at most', e.epoch_id, (SELECT count(*) FROM node n WHERE n.joined_at < upper(e.period) AND (n.left_at IS NULL OR n.left_at > lower(e.period)));
		PERFORM rehearse_epoch(e.epoch_id, prior.epoch_id, p);
		RETURN QUERY EXECUTE format($q$
			SELECT coalesce(a.node_id, b.node_id), coalesce(a.provider_id, b.provider_id), coalesce(a.component, b.component), a.score, coalesce(a.amount, 0), b.amount
			FROM %s a FULL JOIN (SELECT * FROM reward r WHERE r.epoch_id = %s) b ON b.node_id = a.node_id AND b.component = a.component $q$,
			epoch_table('reward', -e.epoch_id), e.epoch_id);
		RAISE EXCEPTION 'rehearsed' USING ERRCODE = 'SR001';
	EXCEPTION
		WHEN SQLSTATE 'SR001' THEN
			NULL;
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS e_detail = PG_EXCEPTION_DETAIL, e_hint = PG_EXCEPTION_HINT;
			PERFORM raise_plainly(SQLSTATE, SQLERRM, e_detail, e_hint);
	END;
END $$;
COMMENT ON FUNCTION swarm_reward.preview_epoch(bigint, bigint) IS
'what an epoch would pay each node by the facts as they are now, and under another policy if one is named, beside what it paid (NULL: nothing, or not computed yet), base units: the real engine, rolled back. An epoch that has not ended is taken until now, with that part of its budget. Errors: no such epoch or policy, an epoch that has not begun, an earlier one not computed, a policy with another grid order than the epoch before has, another session computing';

CREATE FUNCTION swarm_reward.restate_epoch(epoch_id bigint, reason text, dry_run boolean DEFAULT false)
RETURNS TABLE (restated_epoch_id bigint, provider_id bigint, component code, was numeric, "is" numeric, amount numeric)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
DECLARE
	first epoch := known_epoch(restate_epoch.epoch_id);
	one epoch;
	previous bigint := first.previous_epoch_id;
	todo bigint[];
	found restatement[] := '{}';
	part restatement[];
	was_of jsonb := '{}';
	id bigint;
	missing numeric;
	e_detail text;
	e_hint text;
BEGIN
	IF coalesce(btrim(reason), '') = '' THEN
		RAISE EXCEPTION 'restating epoch % needs a reason', first.epoch_id USING ERRCODE = 'null_value_not_allowed', HINT = 'Say why, as the second argument: it is kept with the entry in the journal.';
	END IF;
	IF first.status <> 'final' THEN
		RAISE EXCEPTION 'epoch % is %: only a final one is restated', first.epoch_id, first.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) computes it anew.', first.epoch_id);
	END IF;
	PERFORM lock_epochs();
	SELECT array_agg(x.epoch_id ORDER BY x.period) INTO todo FROM epoch x WHERE x.status = 'final' AND x.period >= first.period AND x.epoch_id > 0;
	BEGIN
		FOR one IN SELECT * FROM epoch x WHERE x.epoch_id = ANY (todo) ORDER BY x.period LOOP
			RAISE NOTICE 'epoch %: computed again by the facts as they are now, % of %', one.epoch_id, array_position(todo, one.epoch_id), cardinality(todo);
			previous := rehearse_epoch(one.epoch_id, previous);
			EXECUTE format($q$
				SELECT coalesce(array_agg(ROW(0, %2$s, coalesce(a.provider_id, b.provider_id), coalesce(a.component, b.component), coalesce(a.amount, 0) - coalesce(b.amount, 0))::restatement), '{}')
				FROM (SELECT r.provider_id, r.component, sum(r.amount) AS amount FROM %1$s r GROUP BY r.provider_id, r.component) a
					FULL JOIN (SELECT u.provider_id, u.component, sum(u.amount) AS amount
						FROM (SELECT r.provider_id, r.component, r.amount FROM reward r WHERE r.epoch_id = %2$s
							UNION ALL SELECT s.provider_id, s.component, s.amount FROM restatement s WHERE s.epoch_id = %2$s) u
						GROUP BY u.provider_id, u.component) b ON b.provider_id = a.provider_id AND b.component = a.component
				WHERE coalesce(a.amount, 0) <> coalesce(b.amount, 0) $q$, epoch_table('reward', previous), one.epoch_id)
			INTO part;
			found := found || part;
		END LOOP;
		RAISE EXCEPTION 'rehearsed' USING ERRCODE = 'SR001';
	EXCEPTION
		WHEN SQLSTATE 'SR001' THEN
			NULL;
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS e_detail = PG_EXCEPTION_DETAIL, e_hint = PG_EXCEPTION_HINT;
			PERFORM raise_plainly(SQLSTATE, SQLERRM, e_detail, e_hint);
	END;

	IF NOT dry_run THEN
		PERFORM take_turn('journal');
	END IF;
	-- what pools have to pay more comes out of what they hold, and then from the treasury; what they get back goes there
	SELECT sum(greatest(c.more - c.held, 0)) - sum(greatest(-c.more, 0)) - (SELECT coalesce(sum(t.amount), 0) FROM posting t WHERE t.account_id = 3) INTO missing
	FROM (SELECT f.component, sum(f.amount) AS more, (SELECT coalesce(sum(t.amount), 0) FROM account a JOIN posting t ON t.account_id = a.account_id WHERE a.component = f.component) AS held
		FROM unnest(found) f GROUP BY f.component) c;
	IF NOT dry_run AND found <> '{}' THEN
		IF missing > 0 THEN
			RAISE EXCEPTION 'restating epoch % takes % base units more than its pools and the treasury hold', first.epoch_id, missing
				USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('SELECT swarm_reward.fund_treasury(%s, ''restating epoch %s'') first.', missing, first.epoch_id);
		END IF;
		PERFORM account_of_providers((SELECT array_agg(f.provider_id) FROM unnest(found) f));
		id := new_entry('restatement', first.epoch_id, NULL, reason);
		WITH pool AS (
			SELECT a.account_id, sum(f.amount) AS more, (SELECT coalesce(sum(t.amount), 0) FROM posting t WHERE t.account_id = a.account_id) AS held
			FROM unnest(found) f JOIN account a ON a.component = f.component GROUP BY a.account_id
		)
		INSERT INTO posting (entry_id, account_id, amount)
		SELECT id, x.account_id, x.amount FROM (
			SELECT a.account_id, sum(f.amount) AS amount FROM unnest(found) f JOIN account a ON a.provider_id = f.provider_id GROUP BY a.account_id
			UNION ALL SELECT w.account_id, -least(w.more, w.held) FROM pool w WHERE w.more > 0
			UNION ALL SELECT 3, sum(CASE WHEN w.more > 0 THEN -greatest(w.more - w.held, 0) ELSE -w.more END) FROM pool w) x
		WHERE x.amount <> 0;
		INSERT INTO restatement (entry_id, epoch_id, provider_id, component, amount)
		SELECT id, f.epoch_id, f.provider_id, f.component, f.amount FROM unnest(found) f;
		PERFORM pg_notify('swarm_reward', json_build_object('event', 'restated', 'epoch_id', first.epoch_id, 'entry_id', id, 'reason', left(reason, 500))::text);
		-- what comes after starts from what the pools hold now
		FOR one IN SELECT * FROM epoch x WHERE x.status = 'computed' AND x.epoch_id > 0 ORDER BY x.period LOOP
			PERFORM compute_epoch(one.epoch_id, format('epoch %s was restated', first.epoch_id));
		END LOOP;
	END IF;
	RETURN QUERY
	SELECT f.epoch_id, f.provider_id, f.component, b.amount, b.amount + f.amount, f.amount
	FROM unnest(found) f, LATERAL (SELECT (SELECT coalesce(sum(r.amount), 0) FROM reward r WHERE r.epoch_id = f.epoch_id AND r.provider_id = f.provider_id AND r.component = f.component)
		+ (SELECT coalesce(sum(s.amount), 0) FROM restatement s WHERE s.epoch_id = f.epoch_id AND s.provider_id = f.provider_id AND s.component = f.component AND s.entry_id IS DISTINCT FROM id) AS amount) b
	ORDER BY f.epoch_id, f.provider_id, f.component;
END $$;
COMMENT ON FUNCTION swarm_reward.restate_epoch(bigint, text, boolean) IS
'corrects a final epoch by the facts as they are now, and the final ones after it: computes them again, and posts what each provider should have got less what it got, corrections before included, in one entry of the journal; dry_run: only shows it. What is paid more comes from what the pools hold, then from the treasury; what is taken back goes to the treasury. The rows of the epochs stay as they are. Computed epochs after them are computed again. Returns the differences, base units. Errors: no such epoch, not final, no reason, not enough money, another session computing, telemetry that is needed was dropped';
REVOKE ALL ON FUNCTION swarm_reward.restate_epoch(bigint, text, boolean), swarm_reward.preview_epoch(bigint, bigint), rehearse_epoch(bigint, bigint, bigint) FROM PUBLIC;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
