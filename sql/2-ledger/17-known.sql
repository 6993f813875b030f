-- What a function says of a key that is not in its table.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION raise_plainly(state text, message text, detail text, hint text) RETURNS void
AS 'MODULE_PATHNAME', 'sr_raise_plainly' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION raise_plainly(text, text, text, text) IS
'error, always: without a context, for what a caller asked for and got wrong, where the functions that it went through say nothing to them; detail and hint may be empty or NULL';

CREATE FUNCTION unknown_id(kind text, id bigint) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM raise_plainly('P0002', format('%s %s does not exist', kind, coalesce(id::text, 'NULL')), NULL, CASE kind
			WHEN 'epoch' THEN 'The table swarm_reward.epoch lists the epochs there are; plan_epochs() plans new ones.'
			WHEN 'policy' THEN 'The table swarm_reward.policy lists the policies there are; new_policy() makes one.'
			WHEN 'node' THEN 'The table swarm_reward.node lists the nodes there are.'
			WHEN 'provider' THEN 'The table swarm_reward.provider lists the providers there are.'
			WHEN 'payout' THEN 'The table swarm_reward.payout lists the payouts there are; make_payout() makes one.' END);
END $$;
COMMENT ON FUNCTION unknown_id(text, bigint) IS
'error, always: an epoch, policy, node, provider or payout of this key, which may be NULL, does not exist, and where to find those that do';

-- Called in expressions, or for one column: in FROM, or as what a query returns, the fields of the
-- epoch, tens of megabytes, are fetched to make a row of them.
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

CREATE FUNCTION computed_epoch(id bigint) RETURNS epoch
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
	e epoch := known_epoch($1);
BEGIN
	IF e.status NOT IN ('computed', 'final') THEN
		PERFORM raise_plainly('55000', format('epoch %s is %s: it has no results yet', $1, e.status), NULL, format('CALL swarm_reward.run_epoch(%s) first.', $1));
	END IF;
	RETURN e;
END $$;
COMMENT ON FUNCTION computed_epoch(bigint) IS 'an epoch that is computed or final. Errors: there is none with this key, or it has no results yet';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
