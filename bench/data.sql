-- The benchmarks' data: made from digests of numbers, the same in each run.
\set ON_ERROR_STOP on
CREATE SCHEMA bench;

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
CREATE TABLE bench.country AS
SELECT name, ST_Multi(ST_GeomFromGeoJSON(geojson))::geography AS boundary
FROM country_csv;
ALTER TABLE bench.country ADD area_m2 float8;
UPDATE bench.country SET area_m2 = coverage_area(region_coverage(boundary, 10));

-- Nodes: within 20 km north-south and east-west of a city, in no order.
CREATE TABLE bench.node_1000000 AS
SELECT i AS node_id,
       ST_Point(lon + (2 * bench.uniform(i, 2) - 1) * 20 / (111.2 * cos(radians(lat))),
                lat + (2 * bench.uniform(i, 3) - 1) * 20 / 111.2, 4326)::geography AS location,
       CASE WHEN u < 0.4 THEN 50000 WHEN u < 0.7 THEN 100000 WHEN u < 0.9 THEN 250000 ELSE 500000 END::float8 AS radius_m,
       floor(65536 * (1 + 9 * bench.uniform(i, 5))) / 65536 AS weight
FROM generate_series(1, 1000000) i
JOIN bench.city ON number = floor(bench.uniform(i, 1) * (SELECT count(*) FROM bench.city)),
LATERAL (SELECT bench.uniform(i, 4) AS u) r
ORDER BY i;
CREATE TABLE bench.node_100000 AS SELECT * FROM bench.node_1000000 WHERE node_id <= 100000 ORDER BY node_id;
CREATE TABLE bench.node_10000 AS SELECT * FROM bench.node_1000000 WHERE node_id <= 10000 ORDER BY node_id;

-- Demand, order 10: 10 people in every cell of land, and a city's people within 15 km of its centre.
CREATE TABLE bench.demand AS
SELECT 10 * coverage_mask(land, 1) + coverage_round(people) AS demand
FROM (SELECT sum(region_coverage(boundary, 10)) AS land FROM bench.country) c,
     (SELECT coverage_agg(ST_Point(lon, lat, 4326)::geography, 15000, population / 17.0, 10) AS people FROM bench.city) p;

CREATE TABLE bench.germany AS
SELECT i AS node_id,
       ST_Point(lon + (2 * bench.uniform(i, 12) - 1) * 20 / (111.2 * cos(radians(lat))),
                lat + (2 * bench.uniform(i, 13) - 1) * 20 / 111.2, 4326)::geography AS location,
       (5000 + 15000 * bench.uniform(i, 14))::float8 AS radius_m,
       floor(65536 * (1 + 9 * bench.uniform(i, 15))) / 65536 AS weight
FROM (SELECT *, row_number() OVER (ORDER BY geoname_id) - 1 AS n, count(*) OVER () AS cities FROM bench.city WHERE country = 'DE') c
JOIN generate_series(1, 10000) i ON n = floor(bench.uniform(i, 11) * cities);
VACUUM ANALYZE;
