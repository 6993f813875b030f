-- Archive: what is large of an old epoch leaves the tables; its seal and its sums stay.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION swarm_reward.archive_epoch(epoch_id bigint, reason text) RETURNS SETOF regclass
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	e epoch;
	next epoch;
	r record;
BEGIN
	PERFORM lock_epochs();
	e := computed_epoch(archive_epoch.epoch_id);
	SELECT * INTO next FROM epoch x WHERE x.previous_epoch_id = e.epoch_id AND x.epoch_id > 0;
	IF e.status <> 'final' OR next.status IS DISTINCT FROM 'final' THEN
		RAISE EXCEPTION 'epoch % cannot be archived: % is not final', e.epoch_id, CASE WHEN e.status <> 'final' THEN 'it' ELSE 'the one after it' END
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'What an epoch left is where the next one starts from.';
	END IF;
	IF is_archived(e.epoch_id) THEN
		RAISE EXCEPTION 'epoch % is archived already', e.epoch_id USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	PERFORM record_event(e.epoch_id, 'archive', reason);
	FOR r IN SELECT k.relation FROM epoch_relation() k LOOP
		EXECUTE format('ALTER TABLE %I DETACH PARTITION %s', r.relation, epoch_table(r.relation, e.epoch_id));
		EXECUTE format('ALTER TABLE %s RENAME TO %I', epoch_table(r.relation, e.epoch_id), 'archived_' || r.relation || '_' || e.epoch_id);
		RETURN NEXT to_regclass(epoch_table('archived_' || r.relation, e.epoch_id));
	END LOOP;
END $$;
COMMENT ON FUNCTION swarm_reward.archive_epoch(bigint, text) IS
'takes the rows of a final epoch in epoch_node, epoch_node_resource, epoch_node_service, epoch_owner and reward out of these tables; returns the tables of schema swarm_reward_internal that hold them now, to be dumped and dropped. Its seal, regions, kinds of resources, pools, sums by provider and the journal stay. It can then be neither explained, restated nor verified row by row. Errors: no such epoch, it or the one after it is not final, archived already, no reason, another session computing';
REVOKE ALL ON FUNCTION swarm_reward.archive_epoch(bigint, text) FROM PUBLIC;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
