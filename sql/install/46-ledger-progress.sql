-- How far a computation is, for other sessions to see. What a transaction has
-- written is not visible before it ends, but the values of sequences are, at
-- once and to everybody: they hold the state. Who holds the lock of the
-- computation is in pg_locks; without a holder nothing runs, whatever the
-- sequences say, so that a crash leaves no stale progress behind.

CREATE FUNCTION try_epoch_lock() RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	RETURN pg_try_advisory_xact_lock('epoch'::regclass::oid::int, 0);
END $$;
COMMENT ON FUNCTION try_epoch_lock() IS
'takes the lock that whoever computes or finalizes epochs holds to the end of its transaction; false when another session has it';

CREATE SEQUENCE progress_pid MINVALUE 0 START 0;
COMMENT ON SEQUENCE progress_pid IS 'see epoch_progress: process id of the session that computes';
CREATE SEQUENCE progress_epoch MINVALUE -9223372036854775808 START 0;
COMMENT ON SEQUENCE progress_epoch IS 'see epoch_progress: the epoch';
CREATE SEQUENCE progress_phase MINVALUE 0 START 0;
COMMENT ON SEQUENCE progress_phase IS 'see epoch_progress: number of the phase in epoch_phases()';
CREATE SEQUENCE progress_rows MINVALUE 0 START 0;
COMMENT ON SEQUENCE progress_rows IS 'see epoch_progress: rows written';
CREATE SEQUENCE progress_rows_before MINVALUE 0 START 0;
COMMENT ON SEQUENCE progress_rows_before IS 'see epoch_progress: rows the session had written before the epoch was begun';
CREATE SEQUENCE progress_started MINVALUE 0 START 0;
COMMENT ON SEQUENCE progress_started IS 'see epoch_progress: when the epoch was begun, microseconds since 1970';
CREATE SEQUENCE progress_phase_started MINVALUE 0 START 0;
COMMENT ON SEQUENCE progress_phase_started IS 'see epoch_progress: when the phase was begun, microseconds since 1970';

CREATE FUNCTION epoch_phases() RETURNS TABLE (phase_no int, phase text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT u.o::int, u.p FROM unnest(ARRAY['clear', 'nodes', 'fields', 'market', 'rewards', 'pay new_regions', 'pay coverage_gaps', 'pay resource_types',
		'pay network_capacity', 'pay service_types', 'pay specialization', 'seal', 'verify']) WITH ORDINALITY u (p, o);
END;
COMMENT ON FUNCTION epoch_phases() IS
'the phases of an epoch in their order. clear: what an earlier computation left is deleted; nodes: telemetry is read and the inputs of nodes are frozen; fields: demand and supply are drawn; market: regions, prices, marks; rewards: nodes are scored and every pool is apportioned; pay: the account of a pool is closed; seal: everything is hashed; verify: checked before it becomes final';

CREATE TABLE epoch_timing (
	epoch_id bigint NOT NULL REFERENCES epoch ON DELETE CASCADE,
	phase code NOT NULL,
	started_at timestamptz NOT NULL,
	duration interval NOT NULL CHECK (duration >= interval '0'),
	rows_written bigint NOT NULL CHECK (rows_written >= 0),
	PRIMARY KEY (epoch_id, phase)
);
COMMENT ON TABLE epoch_timing IS 'how long each phase of an epoch took when it was last computed; estimates come from here. Not an input of any computation';
COMMENT ON COLUMN epoch_timing.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_timing.phase IS 'the phase, see epoch_phases()';
COMMENT ON COLUMN epoch_timing.started_at IS 'when it began';
COMMENT ON COLUMN epoch_timing.duration IS 'how long it took';
COMMENT ON COLUMN epoch_timing.rows_written IS 'rows of the epoch written when it ended, by all phases so far';
SELECT pg_catalog.pg_extension_config_dump('epoch_timing', '');

CREATE FUNCTION epoch_phase(epoch_id bigint, phase text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	at timestamptz := clock_timestamp();
	micros bigint := round(extract(epoch FROM at) * 1000000);
	before int := (SELECT s.last_value FROM progress_phase s);
	started bigint := (SELECT s.last_value FROM progress_phase_started s);
	written bigint;
	same boolean;
BEGIN
	-- who tries things out, without the lock, must not disturb what others see
	IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.pid = pg_backend_pid() AND l.granted
		AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
		AND l.classid = 'epoch'::regclass AND l.objid = 0 AND l.objsubid = 2) THEN
		RETURN;
	END IF;
	-- what the statistics of this session, not sent off before it is idle, have counted
	SELECT coalesce(sum(pg_stat_get_xact_tuples_inserted(to_regclass('@extschema@.' || r.relation))), 0) INTO written FROM sealed_relation() r;
	same := (SELECT s.last_value FROM progress_pid s) = pg_backend_pid() AND (SELECT s.last_value FROM progress_epoch s) = epoch_phase.epoch_id
		AND before > 0 AND phase NOT IN ('clear', 'verify');
	IF same THEN
		written := greatest(written - (SELECT s.last_value FROM progress_rows_before s), 0);
		INSERT INTO epoch_timing AS t (epoch_id, phase, started_at, duration, rows_written)
		SELECT epoch_phase.epoch_id, f.phase, to_timestamp(started / 1000000.0), greatest((micros - started) * interval '1 microsecond', interval '0'), written
		FROM epoch_phases() f WHERE f.phase_no = before
		ON CONFLICT ON CONSTRAINT epoch_timing_pkey DO UPDATE
			SET started_at = excluded.started_at, duration = excluded.duration, rows_written = excluded.rows_written;
	ELSE
		PERFORM setval('progress_started', micros), setval('progress_rows_before', written);
		written := 0;
	END IF;
	PERFORM setval('progress_epoch', epoch_phase.epoch_id), setval('progress_rows', written), setval('progress_phase_started', micros),
		setval('progress_phase', coalesce((SELECT f.phase_no FROM epoch_phases() f WHERE f.phase = epoch_phase.phase), 0)),
		setval('progress_pid', pg_backend_pid());
END $$;
COMMENT ON FUNCTION epoch_phase(bigint, text) IS
'run_epoch step: says that a phase of an epoch begins (see epoch_phases(); any other word: that the last one has ended), for epoch_progress, and records how long the one before took. Does nothing in a session without the lock of try_epoch_lock()';
