-- Views: how far telemetry has come, and what came too late.

CREATE VIEW reporter_watermark AS
SELECT w.node_id, n.provider_id, n.status, w.last_at, w.newest - w.last_at AS behind,
	n.status <> 'active' OR w.last_at < w.newest - p.silent_after AS silent
FROM (SELECT s.node_id, least(max(s.last_at), now()) AS last_at, least(max(max(s.last_at)) OVER (), now()) AS newest
	FROM (SELECT r.node_id, r.last_at FROM telemetry_reporter r
		UNION ALL
		-- rows not rolled up yet
		SELECT t.node_id, t.last_at
		FROM (SELECT unnest(range_agg(tstzrange(hour_of(d.since), hour_of(d.since) + interval '1 hour'))) AS span FROM telemetry_dirty d WHERE d.came > 0) h,
			LATERAL (SELECT t.node_id, max(t.sampled_at) AS last_at FROM telemetry t
				WHERE t.sampled_at >= lower(h.span) AND t.sampled_at < upper(h.span) GROUP BY t.node_id) t) s
	GROUP BY s.node_id) w
	JOIN node n ON n.node_id = w.node_id
	CROSS JOIN LATERAL (SELECT l.silent_after FROM policy l WHERE l.effective_from <= now() ORDER BY l.effective_from DESC LIMIT 1) p;
COMMENT ON VIEW reporter_watermark IS 'how far each node has reported; a node is the reporter of its own telemetry';
COMMENT ON COLUMN reporter_watermark.node_id IS 'the node';
COMMENT ON COLUMN reporter_watermark.provider_id IS 'its provider today';
COMMENT ON COLUMN reporter_watermark.status IS 'its status today';
COMMENT ON COLUMN reporter_watermark.last_at IS 'its watermark: the latest sampled_at that has arrived, or now, where its clock is ahead; what comes with an earlier one was late';
COMMENT ON COLUMN reporter_watermark.behind IS 'how much earlier that is than the watermark of the node most recently heard of';
COMMENT ON COLUMN reporter_watermark.silent IS 'the global watermark does not wait for it: it is not active, or further behind than policy.silent_after (of the policy in effect now)';

CREATE VIEW telemetry_watermark AS
SELECT min(w.last_at) FILTER (WHERE NOT w.silent) AS watermark, max(w.last_at) AS newest,
	count(*) FILTER (WHERE NOT w.silent) AS reporters, count(*) FILTER (WHERE w.silent) AS silent
FROM reporter_watermark w;
COMMENT ON VIEW telemetry_watermark IS 'how far all nodes that are not silent have reported: one row';
COMMENT ON COLUMN telemetry_watermark.watermark IS 'the global watermark, the least of their watermarks: up to it telemetry is complete, but for late rows. NULL: nobody has reported';
COMMENT ON COLUMN telemetry_watermark.newest IS 'the greatest watermark of any node';
COMMENT ON COLUMN telemetry_watermark.reporters IS 'nodes it waits for';
COMMENT ON COLUMN telemetry_watermark.silent IS 'nodes that have reported, but not for long, or that are not active';

-- In place of late_telemetry() and epoch_closes_at(), which would need the
-- reader's own rights to the tables.
CREATE VIEW epoch_telemetry AS
SELECT s.epoch_id, s.period, s.status, s.closes_at, s.closes_at <= now() AS closed,
	coalesce(w.watermark >= upper(s.period), false) AS complete,
	coalesce(c.computation, 0) AS computations,
	t.came - c.came AS late_came, t.gone - c.gone AS late_gone,
	s.status = 'computed' AND coalesce(t.came > c.came OR t.gone > c.gone, false) AS stale
FROM (SELECT e.epoch_id, e.period, e.status, (upper(e.period) AT TIME ZONE 'UTC' + coalesce(e.grace_period, p.grace_period)) AT TIME ZONE 'UTC' AS closes_at
		FROM epoch e LEFT JOIN policy p ON p.policy_id = coalesce(e.policy_id,
			(SELECT l.policy_id FROM policy l WHERE l.effective_from <= lower(e.period) ORDER BY l.effective_from DESC LIMIT 1))) s
	CROSS JOIN telemetry_watermark w
	LEFT JOIN LATERAL (SELECT x.computation, x.came, x.gone FROM epoch_computation x WHERE x.epoch_id = s.epoch_id ORDER BY x.computation DESC LIMIT 1) c ON true
	LEFT JOIN LATERAL (SELECT coalesce(sum(x.came), 0) AS came, coalesce(sum(x.gone), 0) AS gone
		FROM (SELECT a.came, a.gone FROM telemetry_arrival a WHERE a.since >= lower(s.period) AND a.since < upper(s.period)
			UNION ALL SELECT d.came, d.gone FROM telemetry_dirty d WHERE d.since >= lower(s.period) AND d.since < upper(s.period)) x) t ON true;
COMMENT ON VIEW epoch_telemetry IS 'each epoch and its telemetry: is it all there, and what came after it was computed. Late rows are kept, also where the epoch is final; a final epoch never changes';
COMMENT ON COLUMN epoch_telemetry.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_telemetry.period IS 'its period';
COMMENT ON COLUMN epoch_telemetry.status IS 'its status';
COMMENT ON COLUMN epoch_telemetry.closes_at IS 'end of its grace period';
COMMENT ON COLUMN epoch_telemetry.closed IS 'the grace period has ended';
COMMENT ON COLUMN epoch_telemetry.complete IS 'the global watermark has passed its end: nobody who still reports has telemetry of it to come, but for late rows';
COMMENT ON COLUMN epoch_telemetry.computations IS 'how often it was computed';
COMMENT ON COLUMN epoch_telemetry.late_came IS 'rows that came in its period after it was last computed; NULL: never computed';
COMMENT ON COLUMN epoch_telemetry.late_gone IS 'rows deleted in its period after it was last computed';
COMMENT ON COLUMN epoch_telemetry.stale IS 'computed, but not from all that is there now: CALL run_late_epochs, without which it cannot become final';
