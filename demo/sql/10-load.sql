-- What is real: places, dates, providers, uplinks and models of M-Lab; cities; countries.

CREATE TEMP TABLE site (
	site text PRIMARY KEY, type text, city text, continent text, country text, lat float8, lon float8,
	created date, retired date, machines int, models text, provider text, asn text, uplink text);
CREATE TEMP TABLE city (
	geoname_id bigint PRIMARY KEY, name text, country text, population bigint, lon float8, lat float8);
CREATE TEMP TABLE country (iso2 text, iso3 text, name text, geojson text);

\copy site FROM 'demo/data/mlab_sites.csv' (FORMAT csv, HEADER)
\copy city FROM 'demo/data/cities_100k.csv' (FORMAT csv, HEADER)
\copy country FROM 'demo/data/countries_110m.csv' (FORMAT csv, HEADER)

-- one name carries a stray quotation mark in the source
UPDATE site SET provider = btrim(provider, '"') WHERE provider LIKE '"%';

-- Three countries of the map have no ISO code: codes from ISO's range for private use,
-- of which XK for Kosovo is in wide use.
INSERT INTO region (code, name, boundary, jurisdiction)
SELECT code, name, ST_Multi(ST_GeomFromGeoJSON(geojson))::geography, code
FROM country, LATERAL (
	SELECT coalesce(iso2, CASE name WHEN 'Kosovo' THEN 'XK' WHEN 'N. Cyprus' THEN 'XN' WHEN 'Somaliland' THEN 'XS' END) AS code) c
ORDER BY code;

INSERT INTO demand (location, weight, name)
SELECT ST_Point(lon, lat, 4326)::geography, population, name || ', ' || country
FROM city ORDER BY geoname_id;

INSERT INTO provider (name)
SELECT DISTINCT provider COLLATE "C" FROM site ORDER BY 1;

INSERT INTO service_type (code, name, unit) VALUES
	('ndt', 'network speed test', 'test'),
	('revtr', 'reverse traceroute', 'trace'),
	('wehe', 'traffic differentiation test', 'test');

INSERT INTO resource_type (code, name, unit, family) VALUES
	('bandwidth_gbps', 'share of the site''s uplink', 'Gbit/s', 'bandwidth'),
	('server_r620', 'Dell PowerEdge R620', 'server', 'cpu'),
	('server_r630', 'Dell PowerEdge R630', 'server', 'cpu'),
	('server_r640', 'Dell PowerEdge R640', 'server', 'cpu'),
	('vm_n1_highcpu_4', 'cloud machine n1-highcpu-4', 'machine', 'cpu'),
	('vm_n2_highcpu_4', 'cloud machine n2-highcpu-4', 'machine', 'cpu');

-- Each machine that ran at some time in the demo's years is a node, known by its name. It serves a
-- round-trip time of 10 ms; its uplink is the site's, shared by the site's machines. An empty list of
-- models means M-Lab's default, R640; qfx5100-24q in one list is a switch. Bare machines have an
-- attested identity, cloud machines do not.
CREATE TABLE demo.machine AS
SELECT s.site || '-' || m AS name, s.site, s.city, s.country, s.provider, s.created AS joined, s.retired AS left_on,
	ST_Point(s.lon, s.lat, 4326)::geography AS location,
	kind.models[1 + (m - 1) % cardinality(kind.models)] AS model,
	rtrim(s.uplink, 'g')::numeric / s.machines AS gbps
FROM site s, generate_series(1, s.machines) m, LATERAL (
	SELECT array_remove(string_to_array(coalesce(s.models, 'r640'), '|'), 'qfx5100-24q') AS models) kind
WHERE s.created < '2025-01-01' AND (s.retired IS NULL OR s.retired > '2018-10-01');

INSERT INTO node (external_id, name, provider_id, hardware_id, location, service_radius_m, joined_at, left_at)
SELECT m.name, m.name, p.provider_id, CASE WHEN m.model LIKE 'r6%' THEN 'serial-' || left(md5('hardware ' || m.name), 12) END,
	m.location, service_radius(10), m.joined, m.left_on
FROM demo.machine m JOIN provider p ON p.name = m.provider
ORDER BY m.name COLLATE "C";

INSERT INTO node_resource (node_id, resource_type, units, valid)
SELECT n.node_id, r.type, r.units, tstzrange(n.joined_at, NULL)
FROM demo.machine m JOIN node n ON n.external_id = m.name, LATERAL (VALUES
	('bandwidth_gbps', round(m.gbps, 9)),
	(CASE WHEN m.model LIKE 'r6%' THEN 'server_' ELSE 'vm_' END || replace(m.model, '-', '_'), 1)) AS r (type, units)
ORDER BY n.node_id, r.type;
