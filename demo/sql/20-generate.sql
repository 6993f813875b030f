-- What M-Lab does not publish, made up: a sale, a move, telemetry, work of services, fees, energy,
-- demand for resources, checks of uplinks, round-trip times to beacons. Every "random" number is a
-- digest of the name of the thing it is about, so that each run, on any machine and any version,
-- makes the same rows.

-- The four numbers in [0, 1) in the digest of a key.
CREATE FUNCTION demo.u(digest text, i int) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT ('x' || substr(digest, 8 * i - 7, 8))::bit(32)::bigint::float8 / 4294967296 $$;

CREATE TABLE demo.quarter AS
SELECT to_char(q, 'YYYY"-Q"Q') AS label, q AS t0, q + interval '3 months' AS t1
FROM generate_series(timestamptz '2018-10-01', '2024-10-01', '3 months') q;

-- A stay ends and another begins: in November 2020 one of the machines in Johannesburg moves to Lusaka;
-- in May 2022 those in Manila are sold to a new provider, with their hardware and their past.
INSERT INTO provider (name) VALUES ('Buyer of Manila (made up)');
SELECT replace_node(node_id, '2020-11-15', ST_Point(28.28, -15.42, 4326)::geography) FROM node WHERE external_id = 'jnb01-4' \g /dev/null
SELECT replace_node(n.node_id, '2022-05-20', provider_id => p.provider_id)
FROM node n, provider p WHERE n.external_id LIKE 'mnl01-%' AND p.name LIKE 'Buyer of Manila%' ORDER BY n.node_id \g /dev/null

-- A provider loses a small part of its heartbeats, a few a larger one; in one quarter of 40 a node
-- has a bad time. Most nodes answer within 15 to 60 ms, a few in 150 ms or more. A few machines say
-- they are far from where they are: their data centre is in Frankfurt. A few have half the uplink
-- that they declare.
CREATE TABLE demo.character AS
SELECT m.name, m.model, m.gbps,
	0.002 + 0.04 * demo.u(p, 1) * demo.u(p, 2) + CASE WHEN demo.u(p, 3) < 0.08 THEN 0.1 ELSE 0 END AS loss,
	CASE WHEN demo.u(n, 1) < 0.03 THEN 150 ELSE 15 END * (1 + 3 * demo.u(n, 2) * demo.u(n, 2)) AS latency_ms,
	demo.u(n, 3) < 0.012 AND ST_Distance(m.location, place.frankfurt) > 2500000 AS pretends,
	demo.u(n, 3) > 0.97 AS exaggerates,
	demo.u(n, 4) AS luck
FROM demo.machine m,
	LATERAL (VALUES (ST_Point(8.68, 50.11, 4326)::geography)) AS place (frankfurt),
	LATERAL (VALUES (md5('provider ' || m.provider), md5('node ' || m.name))) AS digest (p, n);

-- Each stay in each quarter.
CREATE TABLE demo.presence AS
SELECT n.node_id, n.location, c.*, q.label, greatest(q.t0, n.joined_at) AS since, least(q.t1, n.left_at) AS until,
	c.loss + CASE WHEN demo.u(md5('bad time ' || c.name || q.label), 1) < 0.025 THEN 0.25 ELSE 0 END AS loss_now
FROM node n JOIN demo.character c ON c.name = n.name JOIN demo.quarter q ON n.joined_at < q.t1 AND coalesce(n.left_at, 'infinity') > q.t0;
ANALYZE demo.presence;

SELECT make_telemetry_partitions('2018-10-01', '2025-01-01', '31 days') \g /dev/null

-- A heartbeat every :heartbeat hours. Of those that fail two thirds never come, the rest say so.
-- In March 2023 the network's own probers are down for ten days: nothing comes, and nobody is to blame.
INSERT INTO outage (valid, reason) VALUES ('[2023-03-06, 2023-03-16)', 'probers down (made up)');
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
SELECT p.node_id, slot + demo.u(h, 1) * interval '6 hours',
	round((p.latency_ms * (0.8 + 0.5 * demo.u(h, 2) + 2 * (demo.u(h, 3) ^ 8)))::numeric, 3),
	demo.u(h, 4) >= p.loss_now / 3
FROM demo.presence p,
	LATERAL generate_series(
		to_timestamp(ceil(extract(epoch FROM p.since) / (3600 * :heartbeat)) * 3600 * :heartbeat),
		p.until - interval '6 hours', :heartbeat * interval '1 hour') slot,
	LATERAL md5('heartbeat ' || p.name || extract(epoch FROM slot)) h
WHERE demo.u(h, 4) < 1 - p.loss_now * 2 / 3 AND slot NOT BETWEEN '2023-03-06' AND '2023-03-16';

-- Every two weeks each service that a node runs reports its work: all run speed tests, half of them
-- reverse traceroutes, one in six the test of traffic differentiation. Customers pay for it.
INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, fee, energy_mwh)
SELECT p.node_id, s.code, day + interval '7 hours',
	round((p.latency_ms * (0.7 + 0.6 * demo.u(h, 1)))::numeric, 3),
	demo.u(h, 2) >= p.loss_now,
	w.work, w.work * s.fee, round(w.work * w.energy * (0.8 + 0.4 * demo.u(h, 4)))
FROM demo.presence p,
	(VALUES ('ndt', 1.0, 4000, 1500), ('revtr', 0.5, 900, 6000), ('wehe', 0.17, 150, 40000)) AS s (code, share, per_gbps, fee),
	LATERAL generate_series(p.since, p.until - interval '14 days', '14 days') day,
	LATERAL md5('work ' || s.code || p.name || extract(epoch FROM day)) h,
	LATERAL (SELECT round(s.per_gbps * p.gbps * (0.5 + demo.u(h, 3)))::bigint AS work,
		CASE p.model WHEN 'r620' THEN 60 WHEN 'r630' THEN 50 WHEN 'r640' THEN 35 ELSE 25 END AS energy) w
WHERE p.luck < s.share;

-- Demand for resources follows the people in a country's cities, and grows by a sixth each year.
INSERT INTO resource_demand (region, resource_type, units, valid)
SELECT r.code, t.code, round(sum(c.population) / t.people * (1 + (y - 2019) / 6.0), 3),
	tstzrange(CASE WHEN y > 2019 THEN make_timestamptz(y, 1, 1, 0, 0, 0) END, CASE WHEN y < 2024 THEN make_timestamptz(y + 1, 1, 1, 0, 0, 0) END)
FROM city c JOIN region r ON r.code = c.country,
	(VALUES ('bandwidth_gbps', 1500000), ('server_r640', 4000000), ('server_r630', 8000000), ('vm_n2_highcpu_4', 12000000)) AS t (code, people),
	generate_series(2019, 2024) y
GROUP BY r.code, t.code, t.people, y;

-- The network measures each uplink in the middle of a stay's quarter.
INSERT INTO resource_check (node_id, resource_type, checked_at, units)
SELECT p.node_id, 'bandwidth_gbps', p.since + 0.5 * (p.until - p.since), round(p.gbps * CASE WHEN p.exaggerates THEN 0.5 ELSE 1 END, 9)
FROM demo.presence p;

-- A beacon stands in each city that has nodes.
INSERT INTO beacon (name, location)
SELECT city, location FROM (SELECT DISTINCT ON (city COLLATE "C") city, location FROM demo.machine ORDER BY city COLLATE "C", name COLLATE "C") c;

-- A path is 1.2 to 1.8 times as long as the shortest in fibre, from where the node really is. Of all
-- beacons the four that are nearest are noted: what is further away says nothing that they do not say better.
CREATE TEMP TABLE near AS
SELECT place.location, b.beacon_id, b.name, min_rtt(place.location, b.location) AS rtt
FROM (SELECT location FROM node UNION SELECT ST_Point(8.68, 50.11, 4326)::geography) place,
	LATERAL (SELECT * FROM beacon ORDER BY beacon.location <-> place.location, beacon_id LIMIT 4) b;
INSERT INTO beacon_rtt (node_id, beacon_id, measured_at, rtt_ms)
SELECT p.node_id, b.beacon_id, p.since + 0.5 * (p.until - p.since),
	round((b.rtt * (1.2 + 0.6 * demo.u(h, 1)) + 0.2 + 0.5 * demo.u(h, 2))::numeric, 3)
FROM demo.presence p JOIN near b ON b.location = CASE WHEN p.pretends THEN ST_Point(8.68, 50.11, 4326)::geography ELSE p.location END,
	LATERAL md5('rtt ' || p.name || b.name || p.label) h;

ANALYZE;
