-- Location attestation: what round-trip times to beacons say of where a node is.
--
-- Light in fibre goes and returns over at most rtt_distance(rtt). Delay only makes
-- the time longer and the bound wider, so that no delay can disprove a true place;
-- a time that is too short for the claimed place disproves it.

CREATE FUNCTION location_excess(location geography, beacon geography, rtt_ms double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- Distances are good to some ten nanometres and come in steps of ten. Rounding
	-- down to a millimetre, far above that, keeps a round trip at exactly min_rtt
	-- from showing an excess, in whichever order the distance was taken.
	SELECT floor((ST_Distance(geog_checked_point(location), geog_checked_point(beacon), true) - rtt_distance(rtt_ms)) * 1000) / 1000;
END;
COMMENT ON FUNCTION location_excess(geography, geography, double precision) IS
'metres by which a place is farther from a beacon than its round-trip time in ms allows: WGS84 geodesic less rtt_distance(rtt_ms), rounded down to a millimetre. At most 0 for every rtt_ms of at least min_rtt(location, beacon), and never more for a longer time; NULL for NULL; anything but points and times that are negative, NaN, infinite or too long for rtt_distance are errors';

CREATE TABLE epoch_beacon (
	epoch_id bigint NOT NULL REFERENCES epoch,
	beacon_id bigint NOT NULL REFERENCES beacon,
	location geography(Point,4326) NOT NULL,
	nodes bigint NOT NULL CHECK (nodes > 0),
	violations bigint NOT NULL CHECK (violations BETWEEN 0 AND nodes),
	PRIMARY KEY (epoch_id, beacon_id)
);
COMMENT ON TABLE epoch_beacon IS 'every beacon that measured a node of an epoch, as it was then. One that finds many nodes impossible which others find possible lies itself, or its place is wrong';
COMMENT ON COLUMN epoch_beacon.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_beacon.beacon_id IS 'the beacon';
COMMENT ON COLUMN epoch_beacon.location IS 'its place then';
COMMENT ON COLUMN epoch_beacon.nodes IS 'nodes of the epoch that it measured';
COMMENT ON COLUMN epoch_beacon.violations IS 'of them those whose place it shows to be impossible';
SELECT pg_catalog.pg_extension_config_dump('epoch_beacon', '');

CREATE FUNCTION beacon_sight_query() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $f$
	SELECT $q$
		SELECT f.node_id, f.beacon_id, f.rtt_ms, location_excess(n.location, b.location, f.rtt_ms) AS excess_m
		FROM (SELECT r.node_id, r.beacon_id,
					-- thirty years: beyond the Earth by far, and rtt_distance can take it
					least(min(r.rtt_ms), 1e12) AS rtt_ms
				FROM beacon_rtt r JOIN node m ON m.node_id = r.node_id
				WHERE r.measured_at >= lower($1) AND r.measured_at < upper($1) AND {slice r.node_id}
					AND r.measured_at >= m.joined_at AND (m.left_at IS NULL OR r.measured_at < m.left_at)
				GROUP BY r.node_id, r.beacon_id) f
			JOIN node n ON n.node_id = f.node_id JOIN beacon b ON b.beacon_id = f.beacon_id $q$
$f$;
COMMENT ON FUNCTION beacon_sight_query() IS
'query, for sliced_query, of beacon_sight for the period $1. The one place where an epoch reads beacon_rtt';

CREATE FUNCTION beacon_sight(period tstzrange) RETURNS TABLE (node_id bigint, beacon_id bigint, rtt_ms double precision, excess_m double precision)
LANGUAGE plpgsql STABLE ROWS 100000 SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
BEGIN
	RETURN QUERY EXECUTE sliced_query(beacon_sight_query()) USING period;
END $$;
COMMENT ON FUNCTION beacon_sight(tstzrange) IS
'fastest round-trip time of each node and beacon within a period and the node''s membership (at most 1e12 ms), and its location_excess, as an epoch measures them';

CREATE FUNCTION verify_location(epoch_id bigint) RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	slack double precision;
	bad bigint;
BEGIN
	PERFORM (opened_epoch($1)).epoch_id;
	SELECT p.location_slack_m INTO slack FROM epoch e JOIN policy p USING (policy_id) WHERE e.epoch_id = $1;
	-- A millimetre of tolerance: another version of the geodesic's library may
	-- differ in the last bits, and rounding makes that one step.
	SELECT count(*) INTO bad
	FROM epoch_node n LEFT JOIN epoch_beacon b ON b.epoch_id = n.epoch_id AND b.beacon_id = n.worst_beacon_id
	WHERE n.epoch_id = $1 AND (n.beacons > 0 OR num_nonnulls(n.worst_beacon_id, n.worst_rtt_ms, n.fastest_rtt_ms) > 0)
		AND (b.location IS NULL OR n.fastest_rtt_ms <= n.worst_rtt_ms IS NOT TRUE
			OR (n.violations > 0) <> (n.location_excess_m > slack)
			OR abs(n.location_excess_m - location_excess(n.location, b.location, n.worst_rtt_ms)) <= 0.0015 IS NOT TRUE);
	RETURN QUERY SELECT 'evidence of places', bad = 0, format('%s nodes differ', bad);

	RETURN QUERY
	SELECT 'counts of beacons', (n.beacons, n.violations) = (b.nodes, b.violations),
		format('nodes count %s round trips and %s violations, beacons %s and %s', n.beacons, n.violations, b.nodes, b.violations)
	FROM (SELECT coalesce(sum(x.beacons), 0) AS beacons, coalesce(sum(x.violations), 0) AS violations FROM epoch_node x WHERE x.epoch_id = $1) n,
		(SELECT coalesce(sum(x.nodes), 0) AS nodes, coalesce(sum(x.violations), 0) AS violations FROM epoch_beacon x WHERE x.epoch_id = $1) b;
END $$;
COMMENT ON FUNCTION verify_location(bigint) IS
'the part of verify_epoch that recomputes the evidence on nodes'' places from the frozen places and round-trip times';
