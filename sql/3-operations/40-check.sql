-- Before money moves: what an epoch would be computed from, and what about it is odd.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
CREATE FUNCTION swarm_reward_internal.crosses_itself(boundary geography) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT NOT (ST_IsValidDetail(boundary::geometry)).valid;	-- ST_IsValid would tell the session too
END;
COMMENT ON FUNCTION swarm_reward_internal.crosses_itself(geography) IS 'does a boundary touch or cross itself, in the plane of longitude and latitude? NULL for NULL';
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION swarm_reward.check_epoch(epoch_id bigint) RETURNS TABLE ("check" text, severity text, value text, hint text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET jit = off SET extra_float_digits = 1 SET datestyle = 'ISO' AS $$
#variable_conflict use_column
DECLARE
	e epoch := known_epoch(check_epoch.epoch_id);
	p policy;
	x record;
	n bigint;
	members bigint;
BEGIN
	SELECT * INTO p FROM policy y WHERE y.policy_id = coalesce(e.policy_id, policy_in_effect(lower(e.period)));
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'policy', 'error', format('none is in effect at %s', lower(e.period)), 'SELECT swarm_reward.new_policy(''starter'', ''a name'', ''a time'', ...) makes one.';
		RETURN;
	END IF;
	RETURN QUERY SELECT 'policy', 'ok', format('%s (%s)', p.policy_id, p.name), NULL::text;
	IF coalesce(e.budget, epoch_emission(p, e.period)) IS NULL THEN
		RETURN QUERY SELECT 'budget', 'error', 'none', format('UPDATE swarm_reward.epoch SET budget = ... WHERE epoch_id = %s, or a policy with an emission.', e.epoch_id);
	ELSE
		RETURN QUERY SELECT 'budget', CASE WHEN coalesce(e.budget, epoch_emission(p, e.period)) = 0 THEN 'note' ELSE 'ok' END,
			coalesce(e.budget, epoch_emission(p, e.period))::text || CASE WHEN e.budget IS NULL THEN ' base units of emission' ELSE ' base units' END, NULL::text;
	END IF;
	IF NOT EXISTS (SELECT FROM policy_resource r WHERE r.policy_id = p.policy_id AND r.unit_value > 0) THEN
		RETURN QUERY SELECT 'unit values', 'error', 'no kind of resource is worth anything', format('INSERT INTO swarm_reward.policy_resource (policy_id, resource_type, unit_value) VALUES (%s, ...).', p.policy_id);
	END IF;
	SELECT string_agg(c.component, ', ' ORDER BY c."position") AS list INTO x FROM pool_share(p) c WHERE c.price_max IS NULL AND c.bps > 0;
	IF x.list IS NOT NULL THEN
		RETURN QUERY SELECT 'price ceilings', 'note', 'none for ' || x.list, 'Without policy...._price_max little growth can take a whole pool: new_policy(..., day_price => ...) sets what belongs to a price for a day of contribution.';
	END IF;

	-- members and their reports
	SELECT count(*) AS members, count(*) FILTER (WHERE m.hardware_id IS NULL AND NOT (m.joined_at <= lower(e.period) AND coalesce(m.left_at, 'infinity') >= upper(e.period))) AS partial INTO x
	FROM node m WHERE m.joined_at < upper(e.period) AND (m.left_at IS NULL OR m.left_at > lower(e.period));
	members := x.members;
	RETURN QUERY SELECT 'members', CASE WHEN x.members = 0 THEN 'error' ELSE 'ok' END, x.members || ' nodes', CASE WHEN x.members = 0 THEN 'No node is a member within the period: see node.joined_at and left_at.' END;
	IF x.partial > 0 THEN
		RETURN QUERY SELECT 'nodes that do not count', 'warning', x.partial || ' nodes', 'They have no hardware_id and are no members from beginning to end of the period: give them a hardware_id.';
	END IF;
	SELECT string_agg(format('%s to %s', lower(r), upper(r)), ', ') AS list INTO x
	FROM unnest(tstzmultirange(e.period) - telemetry_span('telemetry') - (SELECT coalesce(range_agg(tstzrange(o.hour, o.hour + interval '1 hour')), '{}') FROM telemetry_rolled o WHERE o.hour <@ e.period AND o.slot IS NOT NULL)) r;
	IF x.list IS NOT NULL THEN
		RETURN QUERY SELECT 'telemetry partitions', 'error', 'none for ' || x.list, format('SELECT swarm_reward.make_telemetry_partitions(%L, %L).', lower(e.period), upper(e.period));
	ELSIF members > 0 THEN
		EXECUTE format($q$
			SELECT count(*) FILTER (WHERE t.node_id IS NULL) AS silent, array_to_string((array_agg(m.node_id ORDER BY m.node_id) FILTER (WHERE t.node_id IS NULL))[1:5], ', ') AS some,
				count(*) FILTER (WHERE t.samples > 1 AND s.span / t.samples > $3) AS slow,
				array_to_string((array_agg(m.node_id ORDER BY m.node_id) FILTER (WHERE t.samples > 1 AND s.span / t.samples > $3))[1:5], ', ') AS slow_ones
			FROM node m LEFT JOIN (SELECT u.node_id, sum(samples(u.summary)) AS samples FROM (%s) u GROUP BY u.node_id) t ON t.node_id = m.node_id,
				LATERAL (SELECT least($2, m.left_at, now()) - greatest($1, m.joined_at) AS span) s
			WHERE m.joined_at < $2 AND (m.left_at IS NULL OR m.left_at > $1) $q$, in_shares(telemetry_query(e.period, p.telemetry_slot), 1))
		INTO x USING lower(e.period), upper(e.period), p.heartbeat_timeout;
		RETURN QUERY SELECT 'reports', CASE WHEN members - x.silent < p.min_reporters * members THEN 'error' WHEN x.silent > 0 THEN 'warning' ELSE 'ok' END,
			format('%s of %s members have telemetry', members - x.silent, members),
			CASE WHEN x.silent > 0 THEN format('Nothing was heard of nodes %s%s.', x.some, CASE WHEN x.silent > 5 THEN ', ...' ELSE '' END) END;
		IF x.slow > 0 THEN
			RETURN QUERY SELECT 'heartbeats slower than the timeout', 'warning', x.slow || ' nodes', format('policy.heartbeat_timeout is %s; nodes %s%s report less often in the mean, which counts as downtime.', p.heartbeat_timeout, x.slow_ones, CASE WHEN x.slow > 5 THEN ', ...' ELSE '' END);
		END IF;
	END IF;

	-- places
	IF NOT EXISTS (SELECT FROM region g WHERE g.valid @> lower(e.period)) THEN
		RETURN QUERY SELECT 'regions', 'error', 'none is in force at its start', 'new_regions and resource_gaps pay nothing without: INSERT INTO swarm_reward.region ....';
	ELSE
		EXECUTE format($q$
			SELECT count(*) FILTER (WHERE d.region = '') AS outside, count(*) AS points, coalesce(sum(d.weight::numeric) FILTER (WHERE d.region = ''), 0) AS weight_outside,
				coalesce(sum(d.weight::numeric), 0) AS weight
			FROM (%s) d $q$, demand_query(e.period, p.region_snap_m)) INTO x USING regions_at(lower(e.period));
		IF x.points = 0 THEN
			RETURN QUERY SELECT 'demand', 'error', 'none', 'Nothing that depends on place is paid without: INSERT INTO swarm_reward.demand ....';
		ELSIF x.outside > 0 THEN
			RETURN QUERY SELECT 'demand in no region', 'warning', format('%s of %s points, %s of the weight', x.outside, x.points, round(x.weight_outside / nullif(x.weight, 0), 4)), format('policy.region_snap_m is %s.', p.region_snap_m);
		END IF;
		EXECUTE 'SELECT count(*) FROM node m WHERE m.joined_at < $2 AND (m.left_at IS NULL OR m.left_at > $3) AND region_among(($1).codes, ($1).boundaries, m.location, $4) IS NULL'
			INTO n USING regions_at(lower(e.period)), upper(e.period), lower(e.period), p.region_snap_m;
		IF n > 0 THEN
			RETURN QUERY SELECT 'nodes in no region', 'warning', n || ' nodes', 'They earn nothing from new_regions and resource_gaps.';
		END IF;
	END IF;
	SELECT string_agg(g.code, ', ') AS list INTO x FROM region g WHERE g.valid @> lower(e.period) AND crosses_itself(g.boundary);
	IF x.list IS NOT NULL THEN
		RETURN QUERY SELECT 'regions whose boundary crosses itself', 'warning', x.list, 'What is inside an odd number of times belongs to it; ST_MakeValid() makes a boundary that does not.';
	END IF;
	IF p.min_beacons > 0 AND NOT EXISTS (SELECT FROM beacon_rtt r WHERE r.measured_at >= lower(e.period) AND r.measured_at < upper(e.period)) THEN
		RETURN QUERY SELECT 'beacons', 'error', 'no round-trip time was measured', format('policy.min_beacons is %s: nothing that depends on place is paid.', p.min_beacons);
	END IF;

	-- words without a price
	SELECT string_agg(DISTINCT r.resource_type, ', ') AS list INTO x FROM node_resource r
	WHERE r.valid && e.period AND NOT EXISTS (SELECT FROM policy_resource y WHERE y.policy_id = p.policy_id AND y.resource_type = r.resource_type);
	IF x.list IS NOT NULL THEN
		RETURN QUERY SELECT 'resources without a unit value', 'warning', x.list, 'Kinds without a row of policy_resource are worth nothing.';
	END IF;
	SELECT string_agg(s.code, ', ') AS list INTO x FROM service_type s WHERE NOT EXISTS (SELECT FROM policy_service y WHERE y.policy_id = p.policy_id AND y.service_type = s.code);
	IF x.list IS NOT NULL THEN
		RETURN QUERY SELECT 'services without a premium', 'warning', x.list, 'Kinds without a row of policy_service are worth nothing.';
	END IF;

	-- results, where there are any
	IF e.status IN ('computed', 'final') THEN
		RETURN QUERY SELECT 'pool ' || w.component, CASE WHEN w.paid = 0 AND w.budget > 0 THEN 'warning' ELSE 'ok' END,
			format('%s of %s paid', w.paid, w.budget + w.carried_in), w.reason
		FROM epoch_pool w JOIN component c ON c.code = w.component WHERE w.epoch_id = e.epoch_id ORDER BY c."position";
		IF stale_reason(e) IS NOT NULL THEN
			RETURN QUERY SELECT 'stale', 'warning', stale_reason(e), format('CALL swarm_reward.run_epoch(%s) takes it in; until its window ends run_due_epochs does.', e.epoch_id);
		END IF;
		IF e.held_reason IS NOT NULL THEN
			RETURN QUERY SELECT 'held', 'warning', e.held_reason, format('SELECT swarm_reward.release_epoch(%s, ''reason'') lets it become final.', e.epoch_id);
		END IF;
	ELSIF NOT EXISTS (SELECT FROM epoch o WHERE o.status IN ('computed', 'final') AND o.period < e.period) AND e.baseline THEN
		RETURN QUERY SELECT 'first epoch', 'note', 'all there is is taken for given', 'new_regions, gaps and network_capacity pay for growth, and a network without a past has none; epoch.baseline = false makes all of it growth, and leaves nothing to be gained by staying away until this epoch is over.';
	END IF;
END $$;
COMMENT ON FUNCTION swarm_reward.check_epoch(bigint) IS
'what is odd about an epoch before, or after, it is computed: a row for each check with its severity (ok, note, warning, error), a value and what to do: policy, budget, members, reports, partitions, regions, demand, prices, pools that paid nothing and why. Reads facts and telemetry as they are now. Errors: no such epoch';
REVOKE ALL ON FUNCTION swarm_reward.check_epoch(bigint) FROM PUBLIC;

-- ---- while it runs ----

-- Columns of epoch by name, never the row: its fields have tens of megabytes. In PL/pgSQL a session that asks
-- again and again plans it once.
CREATE FUNCTION health_rows() RETURNS TABLE ("check" text, severity text, value text, since timestamptz, what_to_do text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH step AS MATERIALIZED (	-- the first epoch that is not computed, and the first that is and is not final
		(SELECT 'compute' AS what, e.epoch_id, upper(e.period) + p.grace_period AS due FROM epoch e JOIN policy p ON p.policy_id = coalesce(e.policy_id, policy_in_effect(lower(e.period)))
			WHERE e.status IN ('planned', 'open') ORDER BY e.period LIMIT 1)
		UNION ALL
		(SELECT 'finalize', e.epoch_id, e.first_computed_at + p.challenge_window FROM epoch e JOIN policy p ON p.policy_id = e.policy_id WHERE e.status = 'computed' ORDER BY e.period LIMIT 1)
	)
	SELECT 'epoch failed', CASE WHEN f.epoch_id IS NULL THEN 'ok' ELSE 'critical' END, CASE WHEN f.epoch_id IS NULL THEN 'none' ELSE format('epoch %s, attempt %s: %s', f.epoch_id, f.attempts, f.message) END, f.first_failed_at,
		'The error says what to mend; the next run_due_epochs tries again. Its hint is in swarm_reward.epoch_failure.'
	FROM (SELECT) o LEFT JOIN (SELECT x.epoch_id, x.attempts, x.message, x.first_failed_at FROM epoch_failure x WHERE x.mended_at IS NULL ORDER BY x.first_failed_at LIMIT 1) f ON true
	UNION ALL
	SELECT 'epoch overdue', CASE WHEN d.epoch_id IS NULL THEN 'ok' WHEN d.due < now() - interval '1 hour' THEN 'critical' ELSE 'warning' END,
		CASE WHEN d.epoch_id IS NULL THEN 'none' ELSE format('epoch %s was due at %s', d.epoch_id, d.due) END, d.due,
		'CALL swarm_reward.run_due_epochs(); is the scheduler running? swarm_reward.epoch_progress shows whether somebody is at it.'
	FROM (SELECT) o LEFT JOIN step d ON d.what = 'compute' AND d.due < now() - interval '10 minutes'
	UNION ALL
	SELECT 'epoch not final', CASE WHEN d.epoch_id IS NULL THEN 'ok' ELSE 'warning' END,
		CASE WHEN d.epoch_id IS NULL THEN 'none' ELSE format('epoch %s could be final since %s', d.epoch_id, d.due) END, d.due,
		'CALL swarm_reward.run_due_epochs(); is it held?'
	FROM (SELECT) o LEFT JOIN step d ON d.what = 'finalize' AND d.due < now() - interval '1 hour'
	UNION ALL
	SELECT 'epoch held', CASE WHEN h.epoch_id IS NULL THEN 'ok' ELSE 'warning' END, CASE WHEN h.epoch_id IS NULL THEN 'none' ELSE format('epoch %s: %s', h.epoch_id, h.held_reason) END, h.computed_at,
		'SELECT * FROM swarm_reward.check_epoch(epoch_id); mend what is wrong, or SELECT swarm_reward.release_epoch(epoch_id, reason).'
	FROM (SELECT) o LEFT JOIN (SELECT e.epoch_id, e.held_reason, e.computed_at FROM epoch e WHERE e.held_reason IS NOT NULL ORDER BY e.period LIMIT 1) h ON true
	UNION ALL
	SELECT 'epochs planned', CASE WHEN m.until IS NULL OR m.until < now() THEN 'warning' ELSE 'ok' END, coalesce('until ' || m.until, 'none'), m.until,
		'SELECT swarm_reward.plan_epochs(until, length, budget), or plan_length for schedule_jobs.'
	FROM (SELECT max(upper(e.period)) AS until FROM epoch e) m
	UNION ALL
	SELECT 'challenges', CASE WHEN c.n = 0 THEN 'ok' ELSE 'warning' END, c.n || ' of epochs that are not final', c.first,
		'SELECT * FROM swarm_reward.epoch_event WHERE event = ''challenge''; hold_epoch while you look.'
	FROM (SELECT count(*) AS n, min(v.at) AS first FROM epoch e JOIN epoch_event v ON v.epoch_id = e.epoch_id AND v.event = 'challenge' WHERE e.status = 'computed') c
	UNION ALL
	SELECT 'beacons', CASE WHEN b.n = 0 THEN 'ok' ELSE 'warning' END, b.n || ' of the last computed epoch find more than a tenth of their nodes impossible', NULL,
		'SELECT * FROM swarm_reward.epoch_beacon WHERE violations > nodes / 10.0; is the place of the beacon right?'
	FROM (SELECT count(*) AS n FROM epoch_beacon x WHERE x.epoch_id = (SELECT e.epoch_id FROM epoch e WHERE e.status IN ('computed', 'final') ORDER BY e.period DESC LIMIT 1) AND x.violations > x.nodes / 10.0) b
	UNION ALL
	SELECT 'telemetry arrives', CASE WHEN r.last_at IS NULL OR r.last_at < now() - interval '1 hour' THEN 'critical' ELSE 'ok' END, coalesce('until ' || r.last_at, 'nothing yet'), r.last_at,
		'Do the probers run, and does ingest_telemetry?'
	FROM (SELECT greatest((SELECT max(d.since) FROM telemetry_dirty d), (SELECT max(w.hour) FROM telemetry_rolled w WHERE w.samples > 0)) + interval '1 hour' AS last_at) r
	UNION ALL
	SELECT 'telemetry partitions', CASE WHEN t.until IS NULL OR t.until < now() + interval '1 day' THEN 'critical' WHEN t.until < now() + interval '3 days' THEN 'warning' ELSE 'ok' END,
		coalesce('until ' || t.until, 'none'), NULL, 'SELECT swarm_reward.keep_telemetry_partitions().'
	FROM (SELECT last_bound('telemetry') AS until) t
	UNION ALL
	SELECT 'hours rolled up', CASE WHEN h.hour < now() - interval '6 hours' THEN 'warning' ELSE 'ok' END, coalesce('until ' || (h.hour + interval '1 hour'), 'none'), h.hour,
		'CALL swarm_reward.roll_telemetry(). No epoch depends on it, but it reads raw rows until then.'
	FROM (SELECT max(w.hour) AS hour FROM telemetry_rolled w) h
	UNION ALL
	SELECT 'rejected telemetry', CASE WHEN j.first IS NULL THEN 'ok' ELSE 'warning' END, CASE WHEN j.first IS NULL THEN 'none' ELSE 'there is some' END, j.first,
		'SELECT reason, count(*) FROM swarm_reward.telemetry_reject GROUP BY 1; mend that, then ingest_telemetry(''swarm_reward.telemetry_reject'').'
	FROM (SELECT min(x.rejected_at) AS first FROM (SELECT r.rejected_at FROM telemetry_reject r ORDER BY r.reject_id LIMIT 1) x) j
	UNION ALL
	SELECT 'payouts under way', CASE WHEN p.first < now() - interval '3 days' THEN 'warning' ELSE 'ok' END, p.n || ' released, neither confirmed nor failed', p.first,
		'SELECT swarm_reward.confirm_payout(payout_id, reference), or fail_payout(payout_id, addresses, reason).'
	FROM (SELECT count(*) AS n, min(x.released_at) AS first FROM payout x WHERE x.status = 'released') p;
END $$;
COMMENT ON FUNCTION health_rows() IS 'the rows of the view health';

CREATE VIEW swarm_reward.health AS SELECT * FROM health_rows();
COMMENT ON VIEW swarm_reward.health IS 'one row for each alarm of the operations guide, cheap enough to be asked every ten seconds';
COMMENT ON COLUMN swarm_reward.health."check" IS 'what is looked at';
COMMENT ON COLUMN swarm_reward.health.severity IS 'ok, warning or critical';
COMMENT ON COLUMN swarm_reward.health.value IS 'what was found';
COMMENT ON COLUMN swarm_reward.health.since IS 'since when; NULL where that means nothing';
COMMENT ON COLUMN swarm_reward.health.what_to_do IS 'what to do about it';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
