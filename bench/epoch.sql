-- The data of bench/epoch: a network of :nodes nodes, made from digests of numbers, the same in
-- each run, and two epochs of :hours hours each, the first of them a baseline without budget.
\set ON_ERROR_STOP on
SET timezone = 'UTC';
CREATE SCHEMA bench;
SET search_path = swarm_reward, swarm_reward_internal, public;

-- A number in [0, 1) for each (i, purpose).
CREATE FUNCTION bench.uniform(i bigint, purpose integer) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (hashint8extended(i, purpose) & 4503599627370495)::float8 / 4503599627370496 $$;

CREATE TABLE bench.city (geoname_id bigint, name text, country text, population bigint, lon float8, lat float8);
\copy bench.city FROM 'demo/data/cities_100k.csv' (FORMAT csv, HEADER)
ALTER TABLE bench.city ADD number bigint;
UPDATE bench.city SET number = n FROM (SELECT geoname_id, row_number() OVER (ORDER BY geoname_id) - 1 AS n FROM bench.city) c
WHERE c.geoname_id = city.geoname_id;

CREATE TEMP TABLE country_csv (iso2 text, iso3 text, name text, geojson text);
\copy country_csv FROM PROGRAM 'gzip -dc bench/data/countries_50m.csv.gz' (FORMAT csv, HEADER)
INSERT INTO region (code, name, boundary, jurisdiction)
SELECT name, name, ST_Multi(ST_GeomFromGeoJSON(geojson))::geography, name FROM country_csv ORDER BY name;
INSERT INTO demand (location, weight) SELECT ST_Point(lon, lat, 4326)::geography, population FROM bench.city ORDER BY geoname_id;

INSERT INTO resource_type (code, unit, family) VALUES
	('cpu', 'core', 'cpu'), ('memory', 'GB', 'memory'), ('disk', 'TB', 'storage'),
	('bandwidth', 'Gbit/s', 'bandwidth'), ('gpu_a', 'GPU', 'gpu'), ('gpu_b', 'GPU', 'gpu');
INSERT INTO service_type (code) VALUES ('inference'), ('training'), ('rendering');
INSERT INTO resource_demand (region, resource_type, units)
SELECT r.code, t.code, round((:nodes * bench.uniform(hashtext(r.code || t.code), 1) * (1 + 3 * row_number() OVER (PARTITION BY r.code ORDER BY t.code)) / 120)::numeric, 3)
FROM region r, resource_type t;
INSERT INTO beacon (name, location)
SELECT 'beacon ' || n, ST_Point(lon, lat, 4326)::geography
FROM (SELECT *, row_number() OVER (ORDER BY population DESC, geoname_id) AS n FROM bench.city) c WHERE n <= 60;

-- a provider has a hundred nodes in the mean
INSERT INTO provider (provider_id, name) SELECT i, 'provider ' || i FROM generate_series(1, greatest(10, :nodes / 100)) i;

-- within 20 km north-south and east-west of a city, in no order; one in ten joins in the second epoch
INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at)
SELECT i, 1 + floor(bench.uniform(i, 6) * greatest(10, :nodes / 100)), CASE WHEN bench.uniform(i, 7) < 0.8 THEN 'serial-' || left(md5(i::text), 12) END,
	ST_Point(lon + (2 * bench.uniform(i, 2) - 1) * 20 / (111.2 * cos(radians(lat))),
		lat + (2 * bench.uniform(i, 3) - 1) * 20 / 111.2, 4326)::geography,
	CASE WHEN u < 0.4 THEN 50000 WHEN u < 0.7 THEN 100000 WHEN u < 0.9 THEN 250000 ELSE 500000 END,
	CASE WHEN bench.uniform(i, 8) < 0.1 THEN timestamptz '2025-01-01' + :hours * interval '1 hour' * (1 + bench.uniform(i, 9) / 2)
		ELSE timestamptz '2024-01-01' + bench.uniform(i, 9) * interval '365 days' END
FROM generate_series(1, :nodes) i
JOIN bench.city ON number = floor(bench.uniform(i, 1) * (SELECT count(*) FROM bench.city)),
LATERAL (SELECT bench.uniform(i, 4) AS u) r;
INSERT INTO node_resource (node_id, resource_type, units, valid)
SELECT i, t.code, round((1 + 63 * bench.uniform(i, 10 + k))::numeric, 2), '(,)'
FROM generate_series(1, :nodes) i, generate_series(0, 2) k,
	LATERAL (SELECT (ARRAY['cpu', 'memory', 'disk', 'bandwidth', 'gpu_a', 'gpu_b'])[1 + (k + floor(6 * bench.uniform(i, 5))::int) % 6] AS code) t;
INSERT INTO beacon_rtt (node_id, beacon_id, measured_at, rtt_ms)
SELECT n.node_id, b.beacon_id, greatest(n.joined_at, timestamptz '2025-01-01' + e * :hours * interval '1 hour') + interval '1 minute',
	min_rtt(n.location, b.location) * (1.2 + bench.uniform(n.node_id, 20 + b.beacon_id::int)) + 0.5
FROM node n CROSS JOIN generate_series(0, 1) e CROSS JOIN generate_series(0, 2) k
	JOIN beacon b ON b.beacon_id = 1 + (k * 20 + floor(20 * bench.uniform(n.node_id, 19))::int) % 60
WHERE n.joined_at < timestamptz '2025-01-01' + (e + 1) * :hours * interval '1 hour';

-- Telemetry comes rolled up by the hour. Of each hour a thousand summaries of a heartbeat a minute are
-- made, and one of a service; a node has one of them for each hour, and a service in one hour of six.
CREATE TABLE bench.pattern AS
SELECT hour, k, telemetry_agg(hour + m * interval '1 minute' + interval '7 seconds', 20 + 180 * bench.uniform(k, 30) + 100 * bench.uniform(k * 60 + m, 31),
	bench.uniform(k * 60 + m, 32) >= 0.0004) AS summary
FROM generate_series(timestamptz '2025-01-01', timestamptz '2025-01-01' + (2 * :hours - 1) * interval '1 hour', '1 hour') hour,
	generate_series(0, 999) k, generate_series(0, 59) m
GROUP BY hour, k;
SELECT make_telemetry_partitions('2025-01-01', timestamptz '2025-01-01' + 2 * :hours * interval '1 hour') \g /dev/null
-- nodes and services are right by how they are made: looking each up costs as much as the rows
SET session_replication_role = replica;
INSERT INTO telemetry_hour (node_id, hour, summary)
SELECT n.node_id, p.hour, p.summary
FROM node n CROSS JOIN generate_series(timestamptz '2025-01-01', timestamptz '2025-01-01' + (2 * :hours - 1) * interval '1 hour', '1 hour') h
	JOIN bench.pattern p ON p.hour = h AND p.k = floor(1000 * bench.uniform(n.node_id, 33 + extract(hour FROM h)::int))
WHERE n.joined_at <= h;
INSERT INTO telemetry_hour (node_id, service_type, hour, summary, work_summary, work, metered_work, energy_mwh)
SELECT n.node_id, (ARRAY['inference', 'training', 'rendering'])[1 + n.node_id % 3], p.hour, p.summary,
	work_summary(20 + 180 * bench.uniform(n.node_id, 62), floor(10000 * bench.uniform(n.node_id, 60))::bigint + 1, '1 minute'), floor(10000 * bench.uniform(n.node_id, 60)) + 1, floor(10000 * bench.uniform(n.node_id, 60)) + 1, floor(3000000 * bench.uniform(n.node_id, 61))
FROM node n CROSS JOIN generate_series(timestamptz '2025-01-01', timestamptz '2025-01-01' + (2 * :hours - 1) * interval '1 hour', '6 hours') h
	JOIN bench.pattern p ON p.hour = h AND p.k = floor(1000 * bench.uniform(n.node_id, 33 + extract(hour FROM h)::int))
WHERE n.joined_at <= h;
RESET session_replication_role;

INSERT INTO telemetry_rolled (hour, slot, samples, rolled_at)
SELECT hour, '1 minute', count(*) * 60, hour + interval '2 hours' FROM telemetry_hour GROUP BY hour;

INSERT INTO policy (name, effective_from, supply_target, provider_cap_bps, min_beacons)
VALUES ('bench', '2024-01-01', 0.5 * :nodes * 100 / 3e9, 500, 3);
INSERT INTO policy_resource (policy_id, resource_type, unit_value)
SELECT policy_id, r.* FROM policy, (VALUES ('cpu', 0.25), ('memory', 0.0625), ('disk', 0.125), ('bandwidth', 1), ('gpu_a', 16), ('gpu_b', 6)) r WHERE policy.name = 'bench';
INSERT INTO policy_service (policy_id, service_type, premium)
SELECT policy_id, r.* FROM policy, (VALUES ('inference', 1), ('training', 2), ('rendering', 3)) r WHERE policy.name = 'bench';
INSERT INTO specialization (policy_id, code, metric, bound, target, weight, min_samples)
SELECT policy_id, r.* FROM policy, (VALUES ('quick', 'p95_latency_ms', 400, 50, 1, 30), ('frugal', 'energy_per_work', 1000, 10, 0.5, 30)) r
WHERE policy.name = 'bench';
INSERT INTO epoch (epoch_id, period, budget)
SELECT 1 + e, tstzrange(timestamptz '2025-01-01' + e * :hours * interval '1 hour', timestamptz '2025-01-01' + (e + 1) * :hours * interval '1 hour'),
	e * 1000000000000000
FROM generate_series(0, 1) e;
