-- Freeze: every node of an epoch with all that was measured of it, in one query and hence from
-- one snapshot.

-- ---- places ----

-- Codes and boundaries are two arrays, not one row with both: a row would be copied to take it apart.
CREATE FUNCTION swarm_reward_internal.region_codes(at timestamptz) RETURNS text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(array_agg(g.code::text ORDER BY g.area_m2, g.code), '{}') FROM region g WHERE g.valid @> region_codes.at;
END;
COMMENT ON FUNCTION swarm_reward_internal.region_codes(timestamptz) IS 'codes of the regions in force at a time, the smallest first, ties by code. NULL for NULL';

CREATE FUNCTION swarm_reward_internal.region_boundaries(at timestamptz) RETURNS geography[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(array_agg(g.boundary ORDER BY g.area_m2, g.code), '{}') FROM region g WHERE g.valid @> region_boundaries.at;
END;
COMMENT ON FUNCTION swarm_reward_internal.region_boundaries(timestamptz) IS 'their boundaries in the same order. NULL for NULL';

-- For many places codes and boundaries are best constants of the query: others are compared for each
-- place, which takes longer than to find its region.
CREATE FUNCTION swarm_reward_internal.region_among(codes text[], boundaries geography[], location geography, within_m double precision) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT codes[covering_region(boundaries, location, within_m)];
END;
COMMENT ON FUNCTION swarm_reward_internal.region_among(text[], geography[], geography, double precision) IS
'the region that a place belongs to: the first that covers it, or else the nearest within so many metres, see covering_region; codes and boundaries are those of region_codes and region_boundaries. The one rule for nodes, demand and gaps. NULL where there is none, and for NULL';

CREATE FUNCTION region_of(location geography, at timestamptz DEFAULT now()) RETURNS code
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT swarm_reward_internal.region_among(swarm_reward_internal.region_codes(at), swarm_reward_internal.region_boundaries(at), location,
		coalesce((SELECT p.region_snap_m FROM policy p WHERE p.policy_id = policy_in_effect(at)), 25000));
END;
COMMENT ON FUNCTION region_of(geography, timestamptz) IS
'the region that a place belongs to at a time: the smallest in force that covers it, ties by code, or else the nearest within policy.region_snap_m, of equally near ones the smallest. NULL where there is none, and for NULL';

-- Light in vacuum covers 149 896.229 m there and back in a millisecond.
CREATE FUNCTION swarm_reward_internal.vacuum_bound(rtt_ms double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT rtt_ms * 149896.229;
END;
COMMENT ON FUNCTION swarm_reward_internal.vacuum_bound(double precision) IS 'c * rtt / 2: metres that nothing can go and come back over in a round-trip time in ms. NULL for NULL';

CREATE FUNCTION swarm_reward_internal.distance_m(a geography, b geography) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- rounded down to a millimetre, far above what versions of the geodesic's library differ by
	SELECT floor(ST_Distance(a, b, true) * 1000) / 1000;
END;
COMMENT ON FUNCTION swarm_reward_internal.distance_m(geography, geography) IS 'WGS84 geodesic in metres, rounded down to a millimetre. NULL for NULL';

CREATE FUNCTION swarm_reward_internal.place_cell(location geography, grid_order int) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coverage_cell(location, grid_order);
END;
COMMENT ON FUNCTION swarm_reward_internal.place_cell(geography, int) IS 'the cell by which a place is the same place';

CREATE FUNCTION swarm_reward_internal.boundary_digest(boundary region) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT sha256(geography_send((boundary).boundary));
END;
COMMENT ON FUNCTION swarm_reward_internal.boundary_digest(region) IS 'SHA-256 of a region''s boundary in binary form. NULL for NULL';

-- ---- what is measured ----
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE TYPE frozen_service AS (service_type code, samples bigint, work numeric, metered_work numeric, fee numeric, energy_mwh numeric,
	p50_latency_ms double precision, p95_latency_ms double precision, p99_latency_ms double precision, error_rate_upper double precision);
COMMENT ON TYPE frozen_service IS 'what was measured of a node in a service';
CREATE TYPE frozen_resource AS (resource_type code, declared numeric, units numeric);
COMMENT ON TYPE frozen_resource IS 'units of a kind of resource of a node, averaged by time over an epoch';
CREATE TYPE frozen_sight AS (beacon_id bigint, rtt_ms double precision, distance_m double precision);
COMMENT ON TYPE frozen_sight IS 'what a beacon saw of a node: the fastest round-trip time, and how far it is';

CREATE FUNCTION owner_key(hardware_id text, provider_id bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce('hardware ' || hardware_id, 'unattested ' || provider_id::text);
END;
COMMENT ON FUNCTION owner_key(text, bigint) IS 'whom the past of a stay belongs to: its hardware, or where that is not attested its provider for all that it has without';

-- ---- one table after the other, each by one query; the last one has all of a node ----

CREATE FUNCTION member_query(period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT m.node_id, m.provider_id, m.hardware_id, m.location, least(m.service_radius_m, %4$L::double precision) AS reach_m, m.joined_at, m.active,
			owner_key(m.hardware_id, m.provider_id) AS owner, range_merge(m.active) AS span, seconds(m.active) AS active_seconds,
			m.hardware_id IS NOT NULL OR m.active = tstzmultirange(%1$L::tstzrange) AS counts,
			region_among(%6$L, %7$L, m.location, %5$L) AS region
		FROM (SELECT n.*, tstzmultirange(tstzrange(n.joined_at, n.left_at) * %1$L::tstzrange) - coalesce(s.times, '{}') AS active
			FROM node n LEFT JOIN (SELECT u.node_id, range_agg(u.valid) AS times FROM node_suspension u WHERE u.valid && %1$L::tstzrange GROUP BY u.node_id) s ON s.node_id = n.node_id
			WHERE n.joined_at < %3$L AND (n.left_at IS NULL OR n.left_at > %2$L)) m
		WHERE NOT isempty(m.active) $q$,
		period, lower(period), upper(period), p.max_radius_m, p.region_snap_m, region_codes(lower(period)), region_boundaries(lower(period)))
$f$;
COMMENT ON FUNCTION member_query(tstzrange, policy) IS
'query for the nodes that are members within a bounded period: what node says of them; active, the times of the period in which they are members and not suspended, and span, from the first to the last of them; owner; region; whether they count. NULL for NULL';

CREATE FUNCTION measured_query(period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $f$
	SELECT format($q$
		SELECT v.node_id, rollup(v.summary) AS summary, rollup(v.summary) FILTER (WHERE v.service_type IS NULL) AS heartbeat,
			array_agg((v.service_type, samples(v.summary), v.work, v.metered_work, v.fee, v.energy_mwh,
				nullif(response_time(v.work_summary, 0.5, 'Infinity'), 'Infinity'), nullif(response_time(v.work_summary, 0.95, 'Infinity'), 'Infinity'),
				nullif(response_time(v.work_summary, 0.99, 'Infinity'), 'Infinity'), error_rate_upper(v.summary, %2$L::double precision))::frozen_service
				ORDER BY v.service_type) FILTER (WHERE v.service_type IS NOT NULL) AS services
		FROM (SELECT t.node_id, t.service_type, rollup(t.summary) AS summary, rollup(t.work_summary) AS work_summary, sum(t.work) AS work,
				sum(t.metered_work) AS metered_work, sum(t.fee) AS fee, sum(t.energy_mwh) AS energy_mwh
			FROM (%1$s) t GROUP BY t.node_id, t.service_type) v
		GROUP BY v.node_id $q$, telemetry_query(period, p.telemetry_slot), p.error_confidence)
$f$;
COMMENT ON FUNCTION measured_query(tstzrange, policy) IS
'query for the telemetry of each node in a bounded period: all of it merged (summary), its heartbeats (heartbeat; NULL: none), and each service. NULL for NULL';

CREATE FUNCTION machine_query(epoch_id bigint) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $f$
	SELECT format($q$
		SELECT m.hardware_id, range_merge(range_agg(m.active)) AS span, rollup(t.summary) AS summary, rollup(t.heartbeat) AS heartbeat
		FROM (SELECT x.*, count(*) OVER (PARTITION BY x.hardware_id) AS stays FROM %s x WHERE x.hardware_id IS NOT NULL) m LEFT JOIN %s t ON t.node_id = m.node_id
		WHERE m.stays > 1
		GROUP BY m.hardware_id $q$, epoch_table('member', epoch_id), epoch_table('measured', epoch_id))
$f$;
COMMENT ON FUNCTION machine_query(bigint) IS
'query for hardware that an epoch has in several stays, under whichever providers: it is measured as one, from its first to its last member moment. NULL for NULL';

CREATE FUNCTION unit_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	checks text := '';
	counted text := format('%L::numeric * d.units * d.secs', p.unchecked_units);
BEGIN
	IF EXISTS (SELECT FROM resource_check c WHERE c.checked_at < upper(period) AND c.checked_at > lower(period) - p.check_validity) THEN
		-- while a check holds, what it found; else a part of what is declared
		checks := format($q$
			LEFT JOIN (SELECT c.node_id, c.resource_type, array_agg(c.units) AS found, array_agg(c.holds) AS holds
				FROM (SELECT x.node_id, x.resource_type, x.units, tstzrange(x.checked_at,
						least(lead(x.checked_at) OVER (PARTITION BY x.node_id, x.resource_type ORDER BY x.checked_at), x.checked_at + %L::interval)) AS holds
					FROM resource_check x WHERE x.checked_at < %L AND x.checked_at > %L) c
				GROUP BY c.node_id, c.resource_type) c ON c.node_id = d.node_id AND c.resource_type = d.resource_type $q$,
			p.check_validity, upper(period), lower(period) - p.check_validity);
		counted := format($q$ %1$s + coalesce((SELECT sum((least(d.units, f.found) - %2$L::numeric * d.units) * seconds(d.times * tstzmultirange(f.holds)))
			FROM unnest(c.found, c.holds) f (found, holds)), 0) $q$, counted, p.unchecked_units);
	END IF;
	RETURN format($q$
		SELECT w.node_id, sum(coalesce(y.unit_value, 0) * w.units)::double precision AS value, array_agg((w.resource_type, w.declared, w.units)::frozen_resource) AS resources
		FROM (SELECT d.node_id, d.resource_type, round(sum(d.units * d.secs) / %1$L::numeric, 20) AS declared,
				round(sum(%2$s) / %1$L::numeric, 20) AS units
			FROM (SELECT r.node_id, r.resource_type, r.units, m.active * tstzmultirange(r.valid) AS times,
					CASE WHEN r.valid @> m.span THEN m.active_seconds ELSE seconds(m.active * tstzmultirange(r.valid)) END AS secs
				FROM node_resource r JOIN %3$s m ON m.node_id = r.node_id
				WHERE r.valid && %4$L::tstzrange) d %5$s
			GROUP BY d.node_id, d.resource_type) w
			LEFT JOIN policy_resource y ON y.policy_id = %6$s AND y.resource_type = w.resource_type
		GROUP BY w.node_id $q$,
		extract(epoch FROM upper(period) - lower(period)), counted, epoch_table('member', epoch_id), period, checks, p.policy_id);
END $$;
COMMENT ON FUNCTION unit_query(bigint, tstzrange, policy) IS
'query for the resources of each member of an epoch: units declared and units that count, averaged by time over the whole period, and their value. Reads node_resource and resource_check. NULL for NULL';

CREATE FUNCTION sight_query(epoch_id bigint, period tstzrange) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT f.node_id, array_agg((f.beacon_id, f.rtt_ms, f.distance_m)::frozen_sight ORDER BY f.beacon_id) AS sights
		FROM (SELECT r.node_id, r.beacon_id, min(r.rtt_ms) AS rtt_ms, min(distance_m(m.location, b.location)) AS distance_m
				FROM beacon_rtt r JOIN %1$s m ON m.node_id = r.node_id JOIN beacon b ON b.beacon_id = r.beacon_id
				WHERE r.measured_at >= %2$L AND r.measured_at < %3$L AND m.active @> r.measured_at AND b.valid @> r.measured_at
				GROUP BY r.node_id, r.beacon_id) f
		GROUP BY f.node_id $q$, epoch_table('member', epoch_id), lower(period), upper(period))
$f$;
COMMENT ON FUNCTION sight_query(bigint, tstzrange) IS
'query for what beacons saw of each member of an epoch. The one place where an epoch reads beacon_rtt. NULL for NULL';

CREATE FUNCTION past_query(period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	-- only owners with more than one stay have another past than their node's own
	SELECT format($q$
		SELECT i.node_id, i.present_since, min(i.joined_at) OVER (PARTITION BY i.owner, i.region) AS region_since
		FROM (SELECT s.node_id, s.owner, s.region, s.joined_at, min(s.joined_at) OVER (PARTITION BY s.owner, s.cell, s.presence) AS present_since
			FROM (SELECT q.*, count(*) FILTER (WHERE q.joined_at > q.left_before) OVER (PARTITION BY q.owner, q.cell ORDER BY q.joined_at, q.node_id) AS presence
				FROM (SELECT o.*, max(o.left_at) OVER (PARTITION BY o.owner, o.cell ORDER BY o.joined_at, o.node_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS left_before
					FROM (SELECT n.node_id, owner_key(n.hardware_id, n.provider_id) AS owner, n.joined_at, coalesce(n.left_at, 'infinity') AS left_at,
							place_cell(n.location, %2$s) AS cell,
							region_among(%3$L, %4$L, n.location, %5$L) AS region
						FROM node n
						WHERE n.joined_at < %1$L AND owner_key(n.hardware_id, n.provider_id) IN (
							SELECT owner_key(h.hardware_id, h.provider_id) FROM node h WHERE h.joined_at < %1$L GROUP BY 1 HAVING count(*) > 1)) o) q) s) i $q$,
		upper(period), p.grid_order, region_codes(lower(period)), region_boundaries(lower(period)), p.region_snap_m)
$f$;
COMMENT ON FUNCTION past_query(tstzrange, policy) IS
'query for the past of owners with several stays that began before the end of a period: since when the owner of each stay has been in its cell without a break (present_since), and when it first joined in its region (region_since). NULL for NULL';

CREATE FUNCTION lead_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $f$
	SELECT format('SELECT t.node_id, rollup(t.summary) AS summary FROM (%s) t JOIN %s m ON m.node_id = t.node_id GROUP BY t.node_id',
		telemetry_query(tstzrange(date_bin('1 hour', lower(period) - p.heartbeat_timeout, timestamptz '2000-01-01 00:00+00'), lower(period)), p.telemetry_slot),
		epoch_table('member', epoch_id))
$f$;
COMMENT ON FUNCTION lead_query(bigint, tstzrange, policy) IS
'query for the telemetry from shortly before a period, of which good samples still count within policy.heartbeat_timeout. NULL for NULL';

CREATE FUNCTION outage_query(epoch_id bigint, period tstzrange) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT c.region, range_agg(o.valid) AS times
		FROM (SELECT DISTINCT coalesce(m.region, '') FROM %s m) c (region) JOIN outage o ON o.region IS NULL OR o.region = c.region
		WHERE o.valid && %L::tstzrange GROUP BY c.region $q$, epoch_table('member', epoch_id), period)
$f$;
COMMENT ON FUNCTION outage_query(bigint, tstzrange) IS 'query for the times of a period in which the nodes of a region (empty: of none) could not be measured. NULL for NULL';

CREATE FUNCTION frozen_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT m.node_id, m.provider_id, m.hardware_id, m.location, m.reach_m, m.region::code AS region, m.active_days, m.counts, m.samples, m.errors,
			m.uptime, m.response_ms, m.error_rate_upper, m.availability, m.performance, m.beacons, m.suspicions, m.violations, m.uncertainty_m, m.place_trust,
			m.quality, m.value, m.quality * m.value AS contribution, m.demand_in_reach,
			CASE WHEN m.demand_in_reach > 0 THEN m.quality * m.value * m.place_trust / m.demand_in_reach ELSE 0 END AS supply,
			mean_ramp(m.present_days, m.span_days, %1$L::double precision) AS tenure,
			1 - mean_ramp(m.region_days, m.span_days, %2$L::double precision) AS freshness,
			m.services, m.resources, m.sights
		FROM (SELECT m.*, CASE WHEN m.counts AND m.violations < %3$s THEN m.availability * m.performance ELSE 0 END AS quality
			FROM (SELECT m.*, ramp(m.uptime, %4$L::double precision, %5$L::double precision) AS availability,
					performance(m.response_ms, m.error_rate_upper, %7$L::double precision, %6$L::double precision, %8$L::double precision, %9$L::double precision) AS performance,
					CASE WHEN %10$s = 0 THEN 1 WHEN m.uncertainty_m IS NULL THEN 0
						ELSE ramp(m.uncertainty_m, %11$L::double precision, %12$L::double precision) END AS place_trust
				FROM (SELECT m.node_id, m.provider_id, m.hardware_id, m.location, m.reach_m, m.region, m.counts, (m.active_seconds / 86400)::double precision AS active_days,
						coalesce(samples(m.summary), 0) AS samples, coalesce(errors(m.summary), 0) AS errors,
						uptime_within(m.summary, l.summary, tstzmultirange(m.machine_span) - coalesce(o.times, '{}'), %13$L, %14$L) AS uptime,
						response_time(coalesce(m.heartbeat, m.summary), %15$L::double precision, %7$L::double precision) AS response_ms,
						error_rate_upper(m.summary, %16$L::double precision) AS error_rate_upper,
						coverage_sum((SELECT e.demand FROM epoch e WHERE e.epoch_id = %17$s), m.location, m.reach_m) AS demand_in_reach,
						days(m.span) AS span_days, days(coalesce(q.present_since, m.joined_at), lower(m.span)) AS present_days,
						days(coalesce(q.region_since, m.joined_at), lower(m.span)) AS region_days,
						coalesce(u.value, 0) AS value, u.resources, m.services, s.sights,
						coalesce(cardinality(s.sights), 0) AS beacons, coalesce(b.suspicions, 0) AS suspicions, coalesce(b.violations, 0) AS violations, b.uncertainty_m
					FROM (SELECT n.*, coalesce(h.span, n.span) AS machine_span, t.services,
							CASE WHEN h.hardware_id IS NULL THEN t.summary ELSE h.summary END AS summary,
							CASE WHEN h.hardware_id IS NULL THEN t.heartbeat ELSE h.heartbeat END AS heartbeat
						FROM %18$s n LEFT JOIN %19$s t ON t.node_id = n.node_id LEFT JOIN %20$s h ON h.hardware_id = n.hardware_id) m
						LEFT JOIN %21$s l ON l.node_id = m.node_id AND lower(m.machine_span) = %22$L
						LEFT JOIN %23$s u ON u.node_id = m.node_id
						LEFT JOIN %24$s s ON s.node_id = m.node_id
						LEFT JOIN %25$s q ON q.node_id = m.node_id
						LEFT JOIN %26$s o ON o.region = coalesce(m.region, '')
						LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE x.distance_m > rtt_distance(x.rtt_ms) + %27$L::double precision)::int AS suspicions,
								count(*) FILTER (WHERE x.distance_m > vacuum_bound(x.rtt_ms) + %27$L::double precision)::int AS violations,
								(array_agg(x.distance_m + vacuum_bound(x.rtt_ms) ORDER BY x.distance_m + vacuum_bound(x.rtt_ms)))[%10$s] AS uncertainty_m
							FROM unnest(s.sights) x) b ON s.sights IS NOT NULL) m) m) m $q$,
		days(p.maturity), days(p.freshness), p.min_violations, p.uptime_floor, p.uptime_target,	-- 5
		p.response_target_ms, p.response_limit_ms, p.error_limit, p.error_target, p.min_beacons, p.location_limit_m, p.location_target_m,	-- 12
		p.telemetry_slot, p.heartbeat_timeout, p.response_quantile, p.error_confidence, epoch_id,	-- 17
		epoch_table('member', epoch_id), epoch_table('measured', epoch_id), epoch_table('machine', epoch_id), epoch_table('lead', epoch_id), lower(period),	-- 22
		epoch_table('unit', epoch_id), epoch_table('sight', epoch_id), epoch_table('past', epoch_id), epoch_table('outage', epoch_id), p.location_slack_m)
$f$;
COMMENT ON FUNCTION frozen_query(bigint, tstzrange, policy) IS
'query for everything that an epoch freezes of its nodes: the columns of epoch_node, and services, resources and sights. NULL for NULL';

CREATE FUNCTION freeze_node(e epoch, p policy) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	nodes bigint;
	t text;
BEGIN
	nodes := make_epoch_table('member', e.epoch_id, member_query(e.period, p));
	PERFORM make_epoch_table('measured', e.epoch_id, measured_query(e.period, p));
	PERFORM make_epoch_table('machine', e.epoch_id, machine_query(e.epoch_id));
	PERFORM make_epoch_table('lead', e.epoch_id, lead_query(e.epoch_id, e.period, p));
	PERFORM make_epoch_table('unit', e.epoch_id, unit_query(e.epoch_id, e.period, p));
	PERFORM make_epoch_table('sight', e.epoch_id, sight_query(e.epoch_id, e.period));
	PERFORM make_epoch_table('past', e.epoch_id, past_query(e.period, p));
	PERFORM make_epoch_table('outage', e.epoch_id, outage_query(e.epoch_id, e.period));
	PERFORM make_epoch_table('frozen', e.epoch_id, frozen_query(e.epoch_id, e.period, p));
	PERFORM make_epoch_table('epoch_node', e.epoch_id, format($q$
		SELECT %s::bigint AS epoch_id, n.node_id, n.provider_id, n.hardware_id, n.location, n.reach_m, n.region, n.active_days, n.counts, n.samples, n.errors,
			n.uptime, n.response_ms, n.error_rate_upper, n.availability, n.performance, n.beacons, n.suspicions, n.violations, n.uncertainty_m, n.place_trust,
			n.quality, n.value, n.contribution, n.demand_in_reach, n.supply, n.tenure, n.freshness
		FROM %s n $q$, e.epoch_id, epoch_table('frozen', e.epoch_id)));
	FOREACH t IN ARRAY ARRAY['member', 'measured', 'machine', 'lead', 'unit', 'sight', 'past', 'outage'] LOOP
		PERFORM drop_epoch_table(t, e.epoch_id);
	END LOOP;
	RETURN nodes;
END $$;
COMMENT ON FUNCTION freeze_node(epoch, policy) IS 'run_epoch step: every node of the epoch with all that was measured of it; returns how many';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
