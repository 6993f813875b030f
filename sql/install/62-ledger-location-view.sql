-- Are nodes where they say?

CREATE VIEW location_trust AS
SELECT n.epoch_id, e.period, e.status, n.node_id, n.provider_id, n.beacons, p.min_beacons, p.location_slack_m AS slack_m,
	rtt_distance(n.fastest_rtt_ms) AS tightest_bound_m,
	n.location_excess_m AS worst_violation_m, n.violations,
	n.worst_beacon_id, w.name AS worst_beacon, n.worst_rtt_ms, rtt_distance(n.worst_rtt_ms) AS worst_bound_m,
	ST_Distance(n.location, b.location) AS worst_distance_m,
	n.trust,
	CASE WHEN n.violations > 0 THEN 'impossible' WHEN n.beacons < p.min_beacons THEN 'unattested' ELSE 'attested' END AS verdict
FROM epoch_node n
	JOIN epoch e ON e.epoch_id = n.epoch_id
	JOIN policy p ON p.policy_id = e.policy_id
	LEFT JOIN epoch_beacon b ON b.epoch_id = n.epoch_id AND b.beacon_id = n.worst_beacon_id
	LEFT JOIN beacon w ON w.beacon_id = n.worst_beacon_id;
COMMENT ON VIEW location_trust IS 'for each node and epoch what round-trip times to beacons say of its place, and the trust that came of it; all from what was frozen with the epoch';
COMMENT ON COLUMN location_trust.epoch_id IS 'the epoch';
COMMENT ON COLUMN location_trust.period IS 'its period';
COMMENT ON COLUMN location_trust.status IS 'computed (may still change) or final';
COMMENT ON COLUMN location_trust.node_id IS 'the node';
COMMENT ON COLUMN location_trust.provider_id IS 'its provider in that epoch';
COMMENT ON COLUMN location_trust.beacons IS 'beacons that measured it during the epoch and its membership';
COMMENT ON COLUMN location_trust.min_beacons IS 'how many the policy asks for';
COMMENT ON COLUMN location_trust.slack_m IS 'metres of violation that the policy lets pass';
COMMENT ON COLUMN location_trust.tightest_bound_m IS 'rtt_distance of its fastest round trip: it is within so many metres of the beacon that made it; NULL: no beacon';
COMMENT ON COLUMN location_trust.worst_violation_m IS 'the largest of distance to a beacon less the distance its fastest round trip allows, metres, rounded down to a millimetre. Positive: light could not do it, but up to slack_m passes; negative: possible with so much to spare; NULL: no beacon';
COMMENT ON COLUMN location_trust.violations IS 'beacons whose violation is above slack_m. One of many may be a beacon that lies: see epoch_beacon';
COMMENT ON COLUMN location_trust.worst_beacon_id IS 'the beacon that shows worst_violation_m, the lowest of several; NULL: no beacon';
COMMENT ON COLUMN location_trust.worst_beacon IS 'its name today';
COMMENT ON COLUMN location_trust.worst_rtt_ms IS 'its fastest round-trip time, ms';
COMMENT ON COLUMN location_trust.worst_bound_m IS 'rtt_distance of that, metres';
COMMENT ON COLUMN location_trust.worst_distance_m IS 'from its place then to the node''s claimed place then, metres';
COMMENT ON COLUMN location_trust.trust IS 'the factor of quality: 0 with a violation, the policy''s unattested_trust with fewer than min_beacons beacons, else 1';
COMMENT ON COLUMN location_trust.verdict IS 'impossible, unattested (too few beacons) or attested';
