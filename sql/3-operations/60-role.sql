-- Who may do what. An extension cannot make roles, so privileges are granted to roles that exist, by
-- kind. What writes money runs with the owner's rights, so that nobody needs the right to write it;
-- nobody can do alone what two of the kinds are needed for.

REVOKE ALL ON ALL TABLES IN SCHEMA swarm_reward, swarm_reward_internal FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA swarm_reward_internal FROM PUBLIC;
-- What says nothing but what follows from its arguments anybody may run: operators and functions for all run it.
DO $$
DECLARE
	routine regprocedure;
BEGIN
	FOR routine IN SELECT p.oid FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'swarm_reward_internal'::regnamespace AND p.provolatile = 'i' AND NOT p.prosecdef LOOP
		EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO PUBLIC', routine);
	END LOOP;
END $$;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION role_privilege(kind text) RETURNS TABLE (privilege text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	kinds text[] := ARRAY['analyst', 'registrar', 'operator', 'treasurer', 'service', 'monitor', 'provider'];
	reads text[] := CASE kind WHEN 'monitor' THEN ARRAY['health', 'epoch_progress'] WHEN 'provider' THEN ARRAY['provider_statement', 'provider_balance'] ELSE '{}' END;
	writes text[] := CASE kind
		WHEN 'registrar' THEN ARRAY['node', 'node_resource', 'node_suspension', 'resource_check']
		WHEN 'operator' THEN ARRAY['resource_type', 'service_type', 'region', 'demand', 'resource_demand', 'beacon', 'beacon_rtt', 'outage', 'telemetry', 'telemetry_reject',
			'policy_resource', 'policy_service', 'policy_region', 'specialization'] ELSE '{}' END;
	calls text[] := CASE kind
		WHEN 'analyst' THEN ARRAY['verify_epoch', 'check_epoch', 'preview_epoch', 'explain_reward', 'simulate_node', 'reward_map', 'verify_payout', 'region_of']
		WHEN 'registrar' THEN ARRAY['replace_node', 'set_node_resource', 'correct_node', 'region_of']
		WHEN 'operator' THEN ARRAY['plan_epochs', 'check_epoch', 'run_epoch', 'run_due_epochs', 'verify_epoch', 'finalize_epoch', 'hold_epoch', 'release_epoch', 'challenge_epoch', 'reopen_epoch',
			'restate_epoch', 'preview_epoch', 'archive_epoch', 'roll_telemetry', 'ingest_telemetry', 'make_telemetry_partitions', 'keep_telemetry_partitions',
			'schedule_jobs', 'unschedule_jobs', 'new_policy', 'explain_reward', 'simulate_node', 'reward_map', 'region_of']
		WHEN 'treasurer' THEN ARRAY['make_payout', 'release_payout', 'confirm_payout', 'fail_payout', 'cancel_payout', 'payout_csv', 'payout_tree', 'payout_proof', 'verify_payout', 'fund_treasury', 'region_of']
		WHEN 'service' THEN ARRAY['explain_reward', 'simulate_node', 'reward_map', 'payout_proof', 'region_of']
		WHEN 'provider' THEN ARRAY['explain_reward', 'challenge_epoch'] ELSE '{}' END;
	-- steps that these, and triggers, take with the caller's own rights
	steps text[] := CASE kind WHEN 'operator' THEN ARRAY['can_commit', 'telemetry_is_distributed', 'lock_due_epochs', 'next_epoch_step', 'collect_telemetry_marks', 'record_epoch_failure', 'pending_telemetry_hours', 'roll_telemetry_hours',
		'job_list', 'check_cron', 'is_crontab', 'mark_telemetry_hours'] WHEN 'registrar' THEN ARRAY['unknown_id', 'raise_plainly'] ELSE '{}' END;
BEGIN
	IF kind IS NULL OR kind <> ALL (kinds) THEN
		RAISE EXCEPTION 'there is no kind of role %', coalesce(quote_literal(kind), 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = format('Use %s.', array_to_string(kinds, ', '));
	END IF;
	RETURN QUERY SELECT 'USAGE ON SCHEMA swarm_reward';
	RETURN QUERY SELECT 'USAGE ON SCHEMA swarm_reward_internal';
	RETURN QUERY SELECT format('SELECT ON %s', c.oid::regclass)
	FROM pg_class c
	WHERE c.relnamespace = 'swarm_reward'::regnamespace AND (c.relname = ANY (reads)
		-- hardware_ids are not for the world
		OR (kind = 'service' AND c.relkind = 'v' AND c.relname <> 'epoch_owner') OR (kind IN ('analyst', 'operator', 'registrar', 'treasurer') AND c.relkind IN ('r', 'p', 'v')));
	IF kind IN ('analyst', 'operator', 'registrar', 'treasurer') THEN
		-- what an error says of a row depends on it
		RETURN QUERY SELECT format('SELECT ON %s', i.inhrelid::regclass) FROM pg_inherits i WHERE i.inhparent IN ('telemetry'::regclass, 'telemetry_hour'::regclass);
	END IF;
	RETURN QUERY SELECT format('INSERT, UPDATE, DELETE ON swarm_reward.%I', t) FROM unnest(writes) t;
	IF kind = 'registrar' THEN
		-- who is paid, and where to, are two things
		RETURN QUERY SELECT 'INSERT (provider_id, external_id, name, role_name), UPDATE (external_id, name, role_name), DELETE ON swarm_reward.provider';
	ELSIF kind = 'operator' THEN
		RETURN QUERY SELECT 'INSERT, DELETE ON swarm_reward.policy' UNION ALL SELECT 'USAGE ON SEQUENCE swarm_reward.policy_policy_id_seq' UNION ALL SELECT 'INSERT (epoch_id, period, budget, baseline, policy_id, note), UPDATE (period, budget, baseline, policy_id, note), DELETE ON swarm_reward.epoch'
			UNION ALL SELECT format('UPDATE (%s) ON swarm_reward.policy', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
				FROM pg_attribute a WHERE a.attrelid = 'policy'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'is_builtin'));
	ELSIF kind = 'treasurer' THEN
		RETURN QUERY SELECT 'UPDATE (payout_address) ON swarm_reward.provider';
	END IF;
	RETURN QUERY SELECT format('EXECUTE ON ROUTINE %s', p.oid::regprocedure)
	FROM pg_proc p
	WHERE (p.pronamespace = 'swarm_reward'::regnamespace AND p.proname = ANY (calls)) OR (p.pronamespace = 'swarm_reward_internal'::regnamespace AND p.proname = ANY (steps))
		-- what views ask, with the rights of who reads them
		OR (p.pronamespace = 'swarm_reward_internal'::regnamespace AND (p.proname IN ('sees_all', 'providers_of', 'epoch_closes_at', 'epoch_phases')
			OR (kind <> 'provider' AND p.proname = 'health_rows') OR (kind NOT IN ('provider', 'monitor') AND p.proname IN ('reach_rows', 'residency_rows', 'region_codes', 'region_boundaries'))));
END $$;
COMMENT ON FUNCTION role_privilege(text) IS 'what grant_role grants to a kind of role, as it is written between GRANT and TO. Errors: no such kind';

CREATE FUNCTION check_may_grant(role_name name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	owner name := (SELECT pg_get_userbyid(x.extowner) FROM pg_extension x WHERE x.extname = 'swarm_reward');
BEGIN
	IF role_name IS NULL OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
		RAISE EXCEPTION 'role % does not exist', coalesce(quote_ident(role_name), 'NULL')
			USING ERRCODE = 'undefined_object', HINT = format('CREATE ROLE %s LOGIN first.', coalesce(quote_ident(role_name), 'name'));
	END IF;
	IF NOT pg_has_role(owner, 'USAGE') THEN
		RAISE EXCEPTION 'permission denied to grant or revoke roles of swarm_reward'
			USING ERRCODE = 'insufficient_privilege', HINT = format('Do it as %s, who owns the extension, or as a superuser.', owner);
	END IF;
END $$;
COMMENT ON FUNCTION check_may_grant(name) IS 'error unless the role exists and the current user may grant what the owner of the extension has';

CREATE FUNCTION swarm_reward.grant_role(kind text, role_name name) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	what text;
BEGIN
	PERFORM check_may_grant(role_name);
	FOR what IN SELECT p.privilege FROM role_privilege(kind) p LOOP
		EXECUTE format('GRANT %s TO %I', what, role_name);
	END LOOP;
END $$;
COMMENT ON FUNCTION swarm_reward.grant_role(text, name) IS
'grants a database role what its work needs and no more; safe to repeat, and to be repeated after an update of the extension. analyst: reads everything, verifies, previews. registrar: keeps providers, nodes and hardware. operator: keeps demand, regions, beacons, telemetry and policies, and runs epochs; cannot write a reward. treasurer: keeps payout addresses, funds the treasury, pays out. service: reads the views, explains, simulates, asks for the region of a place, proves payouts. monitor: reads health. provider: reads the statement and balance, and explains and challenges the rewards, of the providers whose provider.role_name it is. Errors: no such kind, no such role, not the owner of the extension';

CREATE FUNCTION swarm_reward.revoke_role(role_name name) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM check_may_grant(role_name);
	EXECUTE format('REVOKE ALL ON SCHEMA swarm_reward, swarm_reward_internal FROM %1$I', role_name);
	EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA swarm_reward, swarm_reward_internal FROM %1$I', role_name);
	EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA swarm_reward, swarm_reward_internal FROM %1$I', role_name);
	EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA swarm_reward, swarm_reward_internal FROM %1$I', role_name);
END $$;
COMMENT ON FUNCTION swarm_reward.revoke_role(name) IS
'takes from a database role all that grant_role may have granted it, of whatever kind; safe to repeat. Errors: no such role, not the owner of the extension';
REVOKE ALL ON FUNCTION role_privilege(text), check_may_grant(name), swarm_reward.grant_role(text, name), swarm_reward.revoke_role(name) FROM PUBLIC;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
