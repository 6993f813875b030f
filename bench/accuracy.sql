-- What doc/accuracy.md says, measured. Prints one Markdown table; :table says which:
-- disc, union, tolerance or country.
\set ON_ERROR_STOP on
\pset footer off

-- z = sine of the authalic latitude: longitude and z are an equal-area map of the ellipsoid. Written
-- from the textbook formula (Snyder 1987, 3-12), not from the extension's.
CREATE FUNCTION pg_temp.authalic_z(lat float8) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(lat) = 90 THEN sign(lat) ELSE
           (s / (1 - e2 * s * s) - ln((1 - e * s) / (1 + e * s)) / (2 * e)) / (1 / (1 - e2) - ln((1 - e) / (1 + e)) / (2 * e)) END
    FROM (SELECT sin(radians(lat)) AS s, (2 - f) * f AS e2, sqrt((2 - f) * f) AS e FROM (VALUES (1 / 298.257223563::float8)) v(f)) w
$$;
CREATE FUNCTION pg_temp.earth_m2() RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT 510065621724088.4::float8 $$;

-- The area that a closed curve of points encloses clockwise, trapezoid by trapezoid; every step of the points.
CREATE FUNCTION pg_temp.enclosed_m2(lon float8[], z float8[], step integer) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT pg_temp.earth_m2() / (4 * pi()) * (sum((z1 + z2) / 2 * dlon) - CASE WHEN abs(sum(dlon)) > 3 THEN sign(avg(z1)) * sum(dlon) ELSE 0 END)
    FROM (SELECT z1, z2, radians(d - 360 * round(d / 360)) AS dlon
          FROM (SELECT z[i] AS z1, z[(i - 1 + step) % cardinality(z) + 1] AS z2, lon[(i - 1 + step) % cardinality(lon) + 1] - lon[i] AS d
                FROM generate_series(1, cardinality(lon), step) i) s) t
$$;

-- The area of a geodesic disc: a ring of geodesics' ends (PostGIS's ST_Project, Karney's algorithm), and
-- Richardson's extrapolation from half as many, which leaves a relative error below 1e-9.
CREATE FUNCTION pg_temp.disc_m2(location geography, radius_m float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT (4 * pg_temp.enclosed_m2(lon, z, 1) - pg_temp.enclosed_m2(lon, z, 2)) / 3
    FROM (SELECT array_agg(ST_X(p::geometry) ORDER BY i) AS lon, array_agg(pg_temp.authalic_z(ST_Y(p::geometry)) ORDER BY i) AS z
          FROM generate_series(0, 719) i, LATERAL (SELECT ST_Project(location, radius_m, radians(i / 2.0)) AS p) q) r
$$;

-- Centres all over the Earth, evenly (a golden spiral).
CREATE TEMP TABLE centre AS
SELECT i, ST_Point(mod(i * 137.50776405, 360) - 180, degrees(asin(1 - (2 * i + 1) / :centres::float8)))::geography AS location
FROM generate_series(0, :centres - 1) i;

CREATE FUNCTION pg_temp.percent(x float8) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN x >= 0.0995 THEN round((100 * x)::numeric)::text
                ELSE trim_scale(round((100 * x)::numeric, greatest(0, 1 - floor(log(100 * x))::integer)))::text END || ' %'
$$;

-- What is promised: the geodesic distance up to max(1 m, 4e-5 r), 3e-4 r beyond 2 000 km.
CREATE FUNCTION pg_temp.tolerance_m(r float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT greatest(1, CASE WHEN r <= 2e6 THEN 4e-5 ELSE 3e-4 END * r) $$;

SELECT :'table' = 'disc' AS disc, :'table' = 'union' AS "union", :'table' = 'tolerance' AS tolerance, :'table' = 'country' AS country \gset

\if :disc
CREATE TEMP TABLE disc_error AS
SELECT k, r, coverage_area(f) / exact - 1 AS error
FROM (SELECT i, location, r, pg_temp.disc_m2(location, r * 1000) AS exact
      FROM centre, unnest(ARRAY[1, 3, 10, 30, 100, 300, 1000, 2000, 5000]::float8[]) r) d,
     generate_series(5, 13) k,
     LATERAL (SELECT coverage_agg(l, m, 1, k) AS f FROM (VALUES (location, r * 1000)) v(l, m)) c
-- discs smaller than a cell cover one cell
WHERE pi() * (r * 1000) ^ 2 > 2 * coverage_cell_area(k);
SELECT '| radius |' || string_agg(format(' %s |', k), '' ORDER BY k) FROM generate_series(5, 13) k
UNION ALL SELECT '|---|' || repeat('---|', 9)
UNION ALL
SELECT '| ' || r || ' km |' || string_agg(CASE WHEN rms IS NULL THEN ' |' ELSE format(' %s, %s |', pg_temp.percent(rms), pg_temp.percent(worst)) END, '' ORDER BY k)
FROM (SELECT r, g.k, rms, worst
      FROM (SELECT DISTINCT r FROM disc_error) d CROSS JOIN generate_series(5, 13) g(k)
      LEFT JOIN (SELECT k, r, sqrt(avg(error ^ 2)) AS rms, max(abs(error)) AS worst FROM disc_error GROUP BY 1, 2) e USING (r, k) ORDER BY r, k) t
GROUP BY r;
\echo
-- the constant of the law error = c (h / r)^(3/2)
SELECT format('In units of (h/r)^(3/2), h the cell''s width, radii to 500 km: RMS %s, worst %s; discs of more than 1 000 cells: RMS %s, worst %s.',
              round(sqrt(avg(u ^ 2))::numeric, 2), round(max(abs(u))::numeric, 2),
              round(sqrt(avg(u ^ 2) FILTER (WHERE n > 1000))::numeric, 2), round(max(abs(u)) FILTER (WHERE n > 1000)::numeric, 2))
FROM (SELECT error / (coverage_cell_area(k) / (r * 1000) ^ 2) ^ 0.75 AS u, pi() * (r * 1000) ^ 2 / coverage_cell_area(k) AS n FROM disc_error WHERE r <= 500) e;
\endif

\if :union
-- Networks away from longitude 180 and the poles. Exact: the discs as polygons of 720 geodesics' ends on the equal-area
-- map, as far out as gives the polygon its disc's area, united there by GEOS.
CREATE TEMP TABLE network AS
SELECT name, i,
       ST_Point(west + (east - west) * mod(i * 0.7548776662466927, 1), south + (north - south) * mod(i * 0.5698402909980532, 1))::geography AS location,
       (least + (most - least) * mod(i * 0.6180339887498949, 1)) * 1000 AS radius_m
FROM (VALUES ('a country: 300 discs of 5 to 30 km', 300, 5, 47, 15, 55, 5, 30),
             ('a continent: 500 discs of 50 to 150 km', 500, -10, 35, 30, 62, 50, 150),
             ('the world: 1000 discs of 50 to 500 km', 1000, -160, -65, 160, 70, 50, 500)) v(name, n, west, south, east, north, least, most),
     generate_series(1, n) i;
CREATE TEMP TABLE exact AS
SELECT name, ST_Area(ST_Union(map)) * pg_temp.earth_m2() / (4 * pi()) AS exact, sum(ST_Area(map)) * pg_temp.earth_m2() / (4 * pi()) AS single
FROM (SELECT name, n.i, ST_MakePolygon(ST_MakeLine(ST_Point(radians(ST_X(p::geometry)), pg_temp.authalic_z(ST_Y(p::geometry))) ORDER BY a)) AS map
      FROM network n, generate_series(0, 720) a,
           LATERAL (SELECT ST_Project(location, radius_m * (1 + (2 * pi() / 720) ^ 2 / 12), radians(a % 720 / 2.0)) AS p) q
      GROUP BY 1, 2) d
GROUP BY 1;
SELECT '| network | exact, km² | of single discs |' || string_agg(format(' %s |', k), '' ORDER BY k) FROM generate_series(5, 13) k
UNION ALL SELECT '|---|---|---|' || repeat('---|', 9)
UNION ALL
SELECT format('| %s | %s | %s |', name, round((exact / 1e6)::numeric, 1), pg_temp.percent(exact / single)) ||
       string_agg(format(' %s |', pg_temp.percent(abs(area / exact - 1))), '' ORDER BY k)
FROM exact JOIN (SELECT name, k, coverage_area(coverage_agg(location, radius_m, 1, k)) AS area FROM network, generate_series(5, 13) k GROUP BY 1, 2) a USING (name)
GROUP BY name, exact, single;
\endif

\if :tolerance
-- Cells near the rim, of so fine a grid that thousands lie within the tolerance: which does the disc get wrong, by how much?
CREATE TEMP TABLE f AS
SELECT i, location, r, k, inside, coverage_agg_outer - coverage_agg_inner AS rim
FROM (SELECT i, location, km * 1000 AS r, CASE WHEN km <= 500 THEN 13 WHEN km < 2000 THEN 12 ELSE 10 END AS k
      FROM centre, unnest(ARRAY[10, 50, 100, 250, 500, 1000, 1500, 2000, 3000, 4000, 5000]::float8[]) km WHERE i % 2 = 1) c,
     LATERAL (SELECT coverage_agg(l, r, 1, k) AS inside, coverage_agg(l, least(r + 1.2 * t, 5e6), 1, k) AS coverage_agg_outer,
                     coverage_agg(l, r - 1.2 * t, 1, k) AS coverage_agg_inner
              FROM (VALUES (location, pg_temp.tolerance_m(r))) v(l, t)) d;
CREATE TEMP TABLE cell AS
SELECT r, pg_temp.tolerance_m(r) AS tolerance, ST_Distance(location, center, true) - r AS beyond, coverage_value(inside, center) = 1 AS is_in
FROM (SELECT i, r, v.cell, ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(k, v.cell)) AS center FROM f, swarm_reward_internal.coverage_cell_values(rim) v) c
JOIN f USING (i, r);
SELECT '| radius | cells looked at | on the wrong side | farthest, m | relative | allowed, m |' UNION ALL SELECT '|---|---|---|---|---|---|'
UNION ALL (
SELECT format('| %s km | %s | %s | %s | %s | %s |', r / 1000, count(*), count(*) FILTER (WHERE is_in <> (beyond <= 0)),
              round(max(abs(beyond)) FILTER (WHERE is_in <> (beyond <= 0))::numeric, 2),
              to_char(max(abs(beyond)) FILTER (WHERE is_in <> (beyond <= 0)) / r, '9.9EEEE'), round(tolerance::numeric, 1))
FROM cell GROUP BY r, tolerance ORDER BY r);
\endif

\if :country
CREATE TEMP TABLE country_csv (iso2 text, iso3 text, name text, geojson text);
\copy country_csv FROM PROGRAM 'gzip -dc bench/data/countries_50m.csv.gz' (FORMAT csv, HEADER)
-- Exact: great circles, cut into pieces of at most 5 km, on the equal-area map. Where a polygon is not
-- valid there is no one area, so these are left out.
CREATE TEMP TABLE country AS
SELECT name, ST_GeomFromGeoJSON(geojson)::geography AS boundary FROM country_csv WHERE ST_IsValid(ST_GeomFromGeoJSON(geojson));
CREATE TEMP TABLE exact AS
SELECT name, boundary, (SELECT sum(CASE WHEN ring = 0 THEN 1 ELSE -1 END * abs(pg_temp.enclosed_m2(lon, z, 1)))
    FROM (SELECT path[1] AS part, path[2] AS ring, array_agg(ST_X(geom) ORDER BY path[3]) AS lon, array_agg(pg_temp.authalic_z(ST_Y(geom)) ORDER BY path[3]) AS z
          FROM (SELECT p.path[1] AS part, ARRAY[p.path[1], q.path[1], q.path[2]] AS path, q.geom
                FROM ST_Dump(ST_Segmentize(boundary, 5000)::geometry) p,
                     LATERAL (SELECT ARRAY[d.path[1] - 1, d.path[2]] AS path, d.geom FROM ST_DumpPoints(p.geom) d) q) points
          GROUP BY 1, 2) rings) AS exact
FROM country;
CREATE TEMP TABLE country_error AS
SELECT k, exact / 1e6 AS km2, coverage_area(region_coverage(boundary, k)) / exact - 1 AS error
FROM exact, generate_series(5, 13) k;
SELECT '| area | countries |' || string_agg(format(' %s |', k), '' ORDER BY k) FROM generate_series(5, 13) k
UNION ALL SELECT '|---|---|' || repeat('---|', 9)
UNION ALL
SELECT format('| %s | %s |', label, n) || string_agg(format(' %s, %s |', pg_temp.percent(rms), pg_temp.percent(worst)), '' ORDER BY k)
FROM (SELECT label, least, k, count(*) AS n, sqrt(avg(error ^ 2)) AS rms, max(abs(error)) AS worst
      FROM country_error JOIN (VALUES ('1 000 to 10 000 km²', 1e3, 1e4), ('10 000 to 100 000 km²', 1e4, 1e5),
                                      ('100 000 to 1 million km²', 1e5, 1e6), ('more', 1e6, 1e9)) v(label, least, most) ON km2 >= least AND km2 < most
      GROUP BY 1, 2, 3) t
GROUP BY label, least, n;
\endif
