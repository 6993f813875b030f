-- What a provider may see is decided row by row: on the tables of rewards by
-- policies, in provider_statement, which reads the tables with its owner's
-- rights, by the same condition.

CREATE FUNCTION sees_all_rewards() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT has_table_privilege('@extschema@.node_reward', 'SELECT');
END;
COMMENT ON FUNCTION sees_all_rewards() IS
'may the current user read the view node_reward, and with it the rewards and statements of all providers';

CREATE FUNCTION provider_of_role(role_name name) RETURNS bigint[]
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT coalesce(array_agg(p.provider_id ORDER BY p.provider_id), '{}')
	FROM provider p JOIN pg_catalog.pg_roles r ON r.rolname = p.role_name
	WHERE EXISTS (SELECT FROM pg_catalog.pg_roles m WHERE m.rolname = provider_of_role.role_name)
		AND pg_catalog.pg_has_role(provider_of_role.role_name, r.oid, 'USAGE');
END;
COMMENT ON FUNCTION provider_of_role(name) IS
'providers whose provider.role_name is this role or one whose rights it has; empty: none. NULL for NULL';

ALTER TABLE reward ENABLE ROW LEVEL SECURITY;
ALTER TABLE reward_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE restatement ENABLE ROW LEVEL SECURITY;
ALTER TABLE final_statement ENABLE ROW LEVEL SECURITY;
ALTER TABLE payout_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON reward FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));
CREATE POLICY own_rows ON reward_part FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));
CREATE POLICY own_rows ON restatement FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));
CREATE POLICY own_rows ON final_statement FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));
CREATE POLICY own_rows ON payout_line FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));
