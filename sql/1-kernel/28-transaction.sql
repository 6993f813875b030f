CREATE FUNCTION swarm_reward_internal.can_commit() RETURNS boolean
AS 'MODULE_PATHNAME', 'sr_can_commit' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION swarm_reward_internal.can_commit() IS
'true in a procedure that may COMMIT: called by CALL on its own, not in a transaction block, a function or a block with EXCEPTION; false everywhere else';
