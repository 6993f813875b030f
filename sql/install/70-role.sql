-- Who may do what. An extension cannot make roles, so privileges are granted
-- to roles that exist, by kind.

-- What writes money or what it is computed from runs with the owner's rights,
-- like run_epoch and finalize_epoch: then nobody needs the right to write it.
-- So does what views call that reads a table, as a view's functions run as
-- whoever reads the view.
-- So does what a service answers providers with: it explains one node's reward,
-- or what a node would earn, and needs the right to read no table for it.
DO $$
DECLARE
	f regprocedure;
BEGIN
	FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
		WHERE p.pronamespace = '@extschema@'::regnamespace
			AND p.proname IN ('restate_epoch', 'preview_restatement', 'make_payout', 'release_payout', 'cancel_payout', 'roll_telemetry_hours', 'epoch_closes_at',
				'explain_reward', 'simulate_node')
	LOOP
		EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', f);
	END LOOP;
END $$;

-- As lists, so that grant_role stays a loop and the lists can be read.
CREATE FUNCTION role_privilege(kind text) RETURNS TABLE (privilege text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	-- what an operator fills; everything else is written by the procedures
	filled text[] := ARRAY['provider', 'resource_type', 'service_type', 'region', 'node', 'node_resource', 'demand', 'resource_demand',
		'beacon', 'beacon_rtt', 'telemetry', 'specialization'];
BEGIN
	IF kind IS NULL OR kind NOT IN ('analyst', 'operator', 'service', 'provider') THEN
		RAISE EXCEPTION 'there is no kind of role %', coalesce(quote_literal(kind), 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use analyst, operator, service or provider.';
	END IF;
	RETURN QUERY SELECT 'USAGE ON SCHEMA @extschema@';
	IF kind = 'provider' THEN
		RETURN QUERY SELECT format('SELECT ON @extschema@.%I', t) FROM unnest(ARRAY['provider_statement', 'reward', 'reward_part', 'restatement', 'final_statement', 'payout_line']) t;
		RETURN QUERY SELECT 'EXECUTE ON FUNCTION @extschema@.provider_of_role(name)';
		RETURN;
	END IF;
	RETURN QUERY SELECT format('SELECT ON %s', c.oid::regclass)
	FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
		JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid AND x.extname = 'swarm_reward'
	WHERE c.relkind = 'v' OR (kind <> 'service' AND c.relkind IN ('r', 'p'));
	RETURN QUERY SELECT 'EXECUTE ON FUNCTION @extschema@.verify_references()' WHERE kind <> 'service';
	RETURN QUERY SELECT 'EXECUTE ON FUNCTION @extschema@.provider_of_role(name)' UNION ALL SELECT 'EXECUTE ON FUNCTION @extschema@.epoch_closes_at(bigint)';
	RETURN QUERY SELECT format('EXECUTE ON FUNCTION %s', p.oid::regprocedure)
	FROM pg_proc p WHERE p.pronamespace = '@extschema@'::regnamespace AND p.proname IN ('explain_reward', 'simulate_node');
	-- without it the functions of PostGIS cannot be found, in ours neither
	RETURN QUERY SELECT format('USAGE ON SCHEMA %s', x.extnamespace::regnamespace)
	FROM pg_extension x WHERE x.extname = 'postgis' AND NOT has_schema_privilege('public', x.extnamespace, 'USAGE');
	IF kind = 'operator' THEN
		RETURN QUERY SELECT format('INSERT, UPDATE, DELETE ON @extschema@.%I', t) FROM unnest(filled) t;
		RETURN QUERY SELECT 'INSERT, DELETE ON @extschema@.telemetry_reject' UNION ALL SELECT 'DELETE ON @extschema@.policy' UNION ALL SELECT 'DELETE ON @extschema@.epoch';
		-- of a policy all but what says that it is in use or ours; of an epoch what can be planned
		RETURN QUERY SELECT format('INSERT (%1$s), UPDATE (%1$s) ON @extschema@.%2$I', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), c.relname)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE (c.oid = 'policy'::regclass AND a.attname NOT IN ('sealed_rules', 'is_builtin'))
			OR (c.oid = 'epoch'::regclass AND a.attname IN ('epoch_id', 'period', 'budget', 'policy_id', 'grace_period', 'note'))
		GROUP BY c.relname;
		RETURN QUERY SELECT format('EXECUTE ON ROUTINE %s', p.oid::regprocedure)
		FROM pg_proc p
		WHERE p.pronamespace = '@extschema@'::regnamespace AND (p.prokind = 'p'
			OR p.proname IN ('try_epoch_lock', 'can_commit', 'next_epoch_step', 'record_epoch_failure', 'plan_epochs', 'schedule_jobs', 'unschedule_jobs',
				'make_telemetry_partitions', 'keep_telemetry_partitions', 'drop_telemetry_partitions', 'ingest_telemetry', 'retry_telemetry_reject',
				'roll_telemetry_hours', 'mark_telemetry_hours', 'restate_epoch', 'preview_restatement', 'make_payout', 'release_payout', 'cancel_payout'));
	END IF;
END $$;
COMMENT ON FUNCTION role_privilege(text) IS
'what grant_role grants to a kind of role, as it is written between GRANT and TO. Errors: no such kind';

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

CREATE FUNCTION grant_role(kind text, role_name name) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	what text;
BEGIN
	PERFORM check_may_grant(role_name);
	FOR what IN SELECT p.privilege FROM role_privilege(kind) p LOOP
		EXECUTE format('GRANT %s TO %I', what, role_name);
	END LOOP;
END $$;
COMMENT ON FUNCTION grant_role(text, name) IS
'grants a database role what its work needs and no more; safe to repeat, and to be repeated after an update of the extension. analyst: reads everything, calls verify_references. operator: the same, fills the tables of the network (see role_privilege()), plans epochs, calls the procedures, restates and pays out; cannot write a reward. service: reads the views, calls explain_reward and simulate_node. All three may use the schema of PostGIS. provider: reads the statement and rewards of the providers whose provider.role_name it is. Errors: no such kind, no such role, not the owner of the extension';

CREATE FUNCTION revoke_role(role_name name) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	what text;
BEGIN
	PERFORM check_may_grant(role_name);
	FOR what IN SELECT DISTINCT p.privilege FROM unnest(ARRAY['analyst', 'operator', 'service', 'provider']) k, LATERAL role_privilege(k) p LOOP
		EXECUTE format('REVOKE %s FROM %I', what, role_name);
	END LOOP;
END $$;
COMMENT ON FUNCTION revoke_role(name) IS
'takes from a database role all that grant_role may have granted it, of whatever kind; safe to repeat. Errors: no such role, not the owner of the extension';
