-- What a function says of a key that is not in its table.

-- The first argument is not called epoch_id, here and in opened_epoch: the
-- twins of the engine's functions for scenarios call both.
CREATE FUNCTION unknown_id(kind text, id bigint) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	RAISE EXCEPTION '% % does not exist', kind, id
		USING ERRCODE = 'no_data_found', HINT = CASE kind
			WHEN 'epoch' THEN 'The table swarm_reward.epoch lists the epochs there are; plan_epochs() plans new ones.'
			WHEN 'policy' THEN 'The table swarm_reward.policy lists the policies there are.'
			WHEN 'node' THEN 'The table swarm_reward.node lists the nodes there are.'
			WHEN 'payout' THEN 'The table swarm_reward.payout lists the batches there are; make_payout() makes one.'
			WHEN 'restatement run' THEN 'The table swarm_reward.restatement_run lists those there are; restate_epoch() returns the key of a new one.' END;
END $$;
COMMENT ON FUNCTION unknown_id(text, bigint) IS
'error, always: an epoch, policy, node, payout or restatement run of this key, which may be NULL, does not exist, and where to find those that do';

-- Both are called in expressions, or for one column: in FROM, or as what a query returns,
-- the three fields of the epoch, tens of megabytes, are fetched to make a row of them.
CREATE FUNCTION known_epoch(id bigint) RETURNS epoch
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
	e epoch;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('epoch', $1);
	END IF;
	RETURN e;
END $$;
COMMENT ON FUNCTION known_epoch(bigint) IS 'the epoch of this key. Errors: there is none';

CREATE FUNCTION opened_epoch(id bigint) RETURNS epoch
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
	e epoch := known_epoch($1);
BEGIN
	IF e.status = 'planned' THEN
		RAISE EXCEPTION 'epoch % is planned: nothing of it is frozen', $1
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', $1);
	END IF;
	RETURN e;
END $$;
COMMENT ON FUNCTION opened_epoch(bigint) IS 'an epoch that is open, computed or final, and hence has a policy. Errors: there is none with this key, or it is planned';
