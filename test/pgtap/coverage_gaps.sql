-- Gaps against connected components, depths and sums in plain SQL, over the cells'
-- corners; outlines against PostGIS and region_coverage; sites against trying all.
\set ON_ERROR_STOP on
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SELECT plan(37);

-- which cells share a side: those with two corners in common
CREATE TEMP TABLE cell_corner AS
SELECT k, cell, round(ST_Y(p)::numeric, 7) AS lat,
       CASE WHEN abs(ST_Y(p)) > 89.9999999 THEN 0 ELSE round(mod(ST_X(p)::numeric + 360, 360), 7) END AS lon
FROM generate_series(0, 4) k, coverage_cells((k || ':{}')::coverage + 1) c,
     LATERAL (SELECT ST_ExteriorRing(c.boundary::geometry) AS ring) r,
     generate_series(0, 3) i, LATERAL (SELECT ST_PointN(ring, 1 + i * (ST_NPoints(ring) - 1) / 4) AS p) q;
CREATE TEMP TABLE side AS
SELECT k, a.cell AS a, b.cell AS b FROM cell_corner a JOIN cell_corner b USING (k, lat, lon)
WHERE a.cell <> b.cell GROUP BY 1, 2, 3 HAVING count(*) = 2;
CREATE INDEX ON side (k, a);
ANALYZE side;
SELECT ok(bool_and(n = 4), 'every cell has four neighbours') FROM (SELECT count(*) AS n FROM side WHERE k > 0 GROUP BY k, a) s;

-- fields of noise, with negative cells between the gaps
CREATE FUNCTION pg_temp.noise(k integer, seed float8, density float8) RETURNS coverage LANGUAGE sql AS $$
    SELECT (k || ':{' || string_agg(format('[%s,%s)=%s', c, c + 1, CASE WHEN u < density THEN 1 + c % 7 ELSE -(c % 3) END), ',' ORDER BY c) || '}')::coverage
    FROM generate_series(0, (12 * 4 ^ k)::bigint - 1) c, LATERAL (SELECT mod(abs(sin(c * 12.9898 + seed) * 43758.5453)::numeric, 1)::float8 AS u) u
$$;
CREATE TEMP TABLE field AS
SELECT row_number() OVER () AS id, k, pg_temp.noise(k, s, d) AS f
FROM generate_series(0, 4) k, unnest(ARRAY[0.2, 0.5, 0.62, 0.8, 0.97]) d, generate_series(1, 2) s
WHERE k < 3 OR s = 1 AND (k = 3 OR d IN (0.5, 0.62));
CREATE TEMP TABLE gap AS SELECT id, k, f, g.* FROM field, coverage_gaps(f) g;
CREATE TEMP TABLE gap_cell AS
SELECT id, gap_id, c.cell FROM gap, swarm_reward_internal.coverage_cell_values(region_coverage(gap.boundary, k)) c;
CREATE INDEX ON gap_cell (id, cell);

-- components and depths by relaxation over the sides
CREATE TEMP TABLE member AS
SELECT id, k, cell, value, cell AS label, NULL::integer AS depth FROM field, swarm_reward_internal.coverage_cell_values(f) WHERE value > 0;
CREATE INDEX ON member (id, cell);
ANALYZE member;
DO $$
DECLARE
    changed bigint := 1;
    d integer := 0;
BEGIN
    WHILE changed > 0 LOOP
        UPDATE member m SET label = n.label
        FROM (SELECT m.id, m.cell, min(o.label) AS label
              FROM member m JOIN side s ON s.k = m.k AND s.a = m.cell JOIN member o ON o.id = m.id AND o.cell = s.b GROUP BY 1, 2) n
        WHERE n.id = m.id AND n.cell = m.cell AND n.label < m.label;
        GET DIAGNOSTICS changed = ROW_COUNT;
        -- and what the label's own cell has
        UPDATE member m SET label = o.label FROM member o WHERE o.id = m.id AND o.cell = m.label AND o.label < m.label;
    END LOOP;
    changed := 1;
    WHILE changed > 0 LOOP
        d := d + 1;
        UPDATE member m SET depth = d
        WHERE depth IS NULL AND EXISTS (SELECT FROM side s LEFT JOIN member o ON o.id = m.id AND o.cell = s.b
                                        WHERE s.k = m.k AND s.a = m.cell AND (o.cell IS NULL OR o.depth < d));
        GET DIAGNOSTICS changed = ROW_COUNT;
    END LOOP;
END $$;
CREATE TEMP TABLE expected AS
SELECT id, row_number() OVER (PARTITION BY id ORDER BY sum(value) DESC, label) AS gap_id, count(*) AS cells, sum(value) AS deficit,
       (array_agg(cell ORDER BY depth DESC, cell))[1] AS center, array_agg(cell ORDER BY cell) AS members
FROM member GROUP BY id, label;

SELECT cmp_ok(count(*), '>', 400::bigint, 'there are many gaps to compare') FROM expected;
SELECT results_eq(
    $$ SELECT id, gap_id::bigint, deficit FROM gap ORDER BY 1, 2 $$,
    $$ SELECT id, gap_id, deficit FROM expected ORDER BY 1, 2 $$,
    'gaps are the connected components, in order of their deficits and lowest cells');
SELECT is(count(*), 0::bigint, 'areas are the cells''')
FROM gap JOIN expected USING (id, gap_id) WHERE abs(area_m2 / (cells * coverage_cell_area(k)) - 1) > 1e-12;
SELECT is(count(*), 0::bigint, 'centres are as deep inside as any, the lowest cell of such')
FROM gap JOIN expected e USING (id, gap_id) WHERE coverage_cell(gap.center, k) <> e.center;
SELECT is(count(*), 0::bigint, 'a centre is a cell''s centre')
FROM gap WHERE NOT ST_Equals(center::geometry, ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(k, coverage_cell(center, k)))::geometry);

-- outlines
SELECT is(count(*), 0::bigint, 'an outline holds the centres of the gap''s cells and no other, by region_coverage')
FROM (SELECT id, gap_id, array_agg(cell ORDER BY cell) AS held FROM gap_cell GROUP BY 1, 2) c
FULL JOIN expected e USING (id, gap_id) WHERE held IS DISTINCT FROM members;
SELECT is(count(*), 0::bigint, 'and by ST_Covers')
FROM gap JOIN generate_series(0, 3) o(o) ON k = o, coverage_cells((o || ':{}')::coverage + 1) c
WHERE (o < 2 OR gap_id = 1) AND o < 3 + (id % 5 = 2)::integer AND ST_Covers(gap.boundary, c.center) <> EXISTS (SELECT FROM gap_cell g WHERE g.id = gap.id AND g.gap_id = gap.gap_id AND g.cell = c.cell);
SELECT is(count(*), 0::bigint, 'every outline covers its centre') FROM gap WHERE NOT ST_Covers(boundary, center);
SELECT is(count(*), 0::bigint, 'every outline''s area is within 1 % of the cells''') FROM gap WHERE abs(ST_Area(boundary) / area_m2 - 1) > 0.01;
SELECT is(count(*), 0::bigint, 'or even 0.2 %') FROM gap WHERE abs(ST_Area(boundary) / area_m2 - 1) > 0.002;
SELECT is(count(DISTINCT GeometryType(boundary::geometry)) || min(GeometryType(boundary::geometry)), '1MULTIPOLYGON', 'always a MultiPolygon') FROM gap;
SELECT ok(count(*) > 300 AND bool_and(ST_IsValid(g)), 'outlines of one part, away from the antimeridian and the poles, are valid in the plane too')
FROM (SELECT boundary::geometry AS g FROM gap) g
WHERE ST_NumGeometries(g) = 1 AND ST_XMax(g) - ST_XMin(g) < 180 AND ST_YMax(g) < 89 AND ST_YMin(g) > -89;
SELECT ok(bool_and(ST_NRings(g) = 1 + holes), 'rings are shells and holes') FROM (
    SELECT boundary::geometry AS g, ST_NumInteriorRings(ST_GeometryN(boundary::geometry, 1)) AS holes FROM gap) g WHERE ST_NumGeometries(g) = 1;
SELECT cmp_ok(max(ST_NRings(boundary::geometry)), '>', 5, 'and there are holes') FROM gap WHERE ST_NumGeometries(boundary::geometry) = 1;
SELECT is(count(*), 0::bigint, 'the gaps'' deficits add up to what is above zero')
FROM field WHERE coverage_sum(coverage_greatest(f, 0)) <> (SELECT sum(deficit) FROM gap g WHERE g.id = field.id);

-- where the grid is peculiar
CREATE FUNCTION pg_temp.disc(p text, r float8, k integer) RETURNS coverage LANGUAGE sql AS
$$ SELECT coverage_agg(l, r, 1, k) FROM (VALUES (ST_GeogFromText(p))) v(l) $$;
CREATE TEMP TABLE special AS
SELECT p, r, k, g.* FROM unnest(ARRAY['POINT(0 90)', 'POINT(20 -90)', 'POINT(180 0)', 'POINT(-179.9 65)', 'POINT(45 41.9)', 'POINT(0 0)', 'POINT(90 -41.9)']) p,
     (VALUES (1000, 9), (60000, 7), (60000, 10), (700000, 6), (2500000, 5)) v(r, k), coverage_gaps(pg_temp.disc(p, r, k)) g;
SELECT is(count(*), 35::bigint, 'a disc is one gap at the poles, on the antimeridian and where three faces meet') FROM special;
SELECT ok(bool_and(ST_Covers(boundary, center) AND abs(ST_Area(boundary) / area_m2 - 1) < 0.01 AND ST_NumGeometries(boundary::geometry) = 1),
          'with an outline in one part that covers its centre and has its area') FROM special;
SELECT ok(bool_and(ST_Covers(boundary, ST_GeogFromText(p))), 'and the disc''s centre') FROM special WHERE r >= 60000 AND k < 10;
SELECT is((SELECT count(*) FROM coverage_gaps('2:{[0,1)=1,[2,3)=1}')) || ' ' || (SELECT count(*) FROM coverage_gaps('2:{[0,2)=1}')), '2 1',
          'cells that touch by a corner, as over the pole, are two gaps; by a side, one');
SELECT is((SELECT count(*) FROM coverage_gaps('4:{[600,605)=1}')), 5::bigint, 'side by side on a ring is by a corner');

-- the ocean, and the whole Earth
CREATE TEMP TABLE country (iso2 text, iso3 text, name text, geojson text);
\copy country FROM 'demo/data/countries_110m.csv' (FORMAT csv, HEADER)
CREATE TEMP TABLE ocean AS
SELECT g.* FROM (SELECT 1 - coverage_mask(sum(region_coverage(ST_GeomFromGeoJSON(geojson)::geography, 7)), 1) AS sea FROM country) s, coverage_gaps(sea) g;
SELECT ok(area_m2 BETWEEN 3.5e14 AND 3.7e14, 'the ocean is one gap') FROM ocean WHERE gap_id = 1;
SELECT ok(bool_and(abs(ST_Area(boundary) / area_m2 - 1) < 0.01 AND ST_Covers(boundary, center)), 'with its area and centre') FROM ocean;
SELECT ok(bool_and(ST_Covers(boundary, ST_GeogFromText(p)) = sea), 'it covers what is sea and not what is land')
FROM ocean, (VALUES ('POINT(-30 0)', true), ('POINT(-150 10)', true), ('POINT(179.9 -40)', true), ('POINT(80 -40)', true), ('POINT(10 89)', true),
                    ('POINT(25 0)', false), ('POINT(100 60)', false), ('POINT(-100 45)', false), ('POINT(0 -88)', false), ('POINT(135 -25)', false)) v(p, sea)
WHERE gap_id = 1;
SELECT ok(bool_and(coverage_area(region_coverage(boundary, 7)) = area_m2), 'and exactly its own cells') FROM ocean;
SELECT ok(bool_and(gap_id = 1 AND abs(ST_Area(boundary) / 510065621724078 - 1) < 1e-3 AND ST_Covers(boundary, center)), 'all of the Earth is one gap too')
FROM generate_series(0, 6) k, coverage_gaps((k || ':{}')::coverage + 1);

-- only what is large enough
SELECT results_eq(
    $$ SELECT gap_id, deficit FROM field, coverage_gaps(f, 10 * coverage_cell_area(4)) WHERE id = (SELECT min(id) FROM field WHERE k = 4) + 2 $$,
    $$ SELECT row_number() OVER (ORDER BY gap_id)::integer, deficit FROM gap
       WHERE id = (SELECT min(id) FROM field WHERE k = 4) + 2 AND area_m2 >= 10 * coverage_cell_area(4) $$,
    'small gaps are left out before numbering');

-- sites: the plain greedy method, trying all cells
CREATE FUNCTION pg_temp.greedy(f coverage, r float8, n integer) RETURNS TABLE (rank integer, cell bigint, gain float8, remaining float8)
LANGUAGE plpgsql AS $$
DECLARE k integer := coverage_order(f);
BEGIN
    FOR i IN 1..n LOOP
        rank := i;
        SELECT c.cell, coverage_sum(f, c.center, r) INTO cell, gain
        FROM coverage_cells((k || ':{}')::coverage + 1) c ORDER BY 2 DESC, 1 LIMIT 1;
        EXIT WHEN gain = 0;
        f := f * (1 - pg_temp.disc(ST_AsText(ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(k, cell))::geometry, 17), r, k));
        remaining := coverage_sum(f);
        RETURN NEXT;
    END LOOP;
END $$;
CREATE TEMP TABLE case_ AS
SELECT row_number() OVER () AS id, * FROM (
    SELECT coverage_greatest(f, 0) AS f, r, 5 AS n FROM field, unnest(ARRAY[400000, 3000000]) r WHERE id % 2 = 0 AND k BETWEEN 1 AND 4
    UNION ALL SELECT '3:{}'::coverage + 1, 1200000, 40
    UNION ALL SELECT '4:{[100,101)=5,[102,103)=5,[2000,2001)=5}', 10, 9
    UNION ALL SELECT density_agg(ST_Point(i * 37 % 360 - 180, 80 * sin(i))::geography, i % 9, 5), 900000, 5 FROM generate_series(1, 300) i) c;
CREATE TEMP TABLE found AS
SELECT id, rank, coverage_cell(location, coverage_order(f)) AS cell, location, gain, remaining FROM case_, coverage_sites(f, r, n);
SELECT results_eq(
    $$ SELECT id, rank, cell, gain, remaining FROM found ORDER BY 1, 2 $$,
    $$ SELECT id, g.* FROM case_, pg_temp.greedy(f, r, n) g ORDER BY 1, 2 $$,
    'sites are those of the plain greedy method over all cells, ties and all');
SELECT ok(bool_and(gain = coverage_sum(f, location, r)), 'the first gain is the sum in its disc, to the bit') FROM found JOIN case_ USING (id) WHERE rank = 1;
SELECT ok(bool_and(s.gain = coverage_sum(f, s.location, r)), 'with values that are no round numbers too')
FROM (SELECT f / 3 + 0.1 AS f, r FROM case_) c, coverage_sites(f, r, 1) s;
SELECT ok(bool_and(gain <= before), 'gains never grow') FROM (SELECT gain, lag(gain) OVER (PARTITION BY id ORDER BY rank) AS before FROM found) g;
SELECT is((SELECT count(*) FROM coverage_sites('4:{[100,101)=5,[102,103)=5,[2000,2001)=5}', 10, 9)), 3::bigint, 'it ends when nothing is left to gain');
SELECT is((SELECT remaining FROM found WHERE id = (SELECT max(id) - 1 FROM case_) ORDER BY rank DESC LIMIT 1), 0::float8, 'and then nothing remains');
SELECT ok((SELECT count(*) FROM coverage_sites('3:{}', 1000, 5)) = 0, 'no deficit, no site');

-- never worse than 1 - 1/e of the best three (order 1) or two (order 2), by trying all
CREATE FUNCTION pg_temp.best(f coverage, r float8) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE k integer := coverage_order(f); best float8;
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS inside (site bigint, cell bigint, value float8);
    TRUNCATE inside;
    INSERT INTO inside SELECT s.cell, c.cell, c.value
    FROM coverage_cells((k || ':{}')::coverage + 1) s, swarm_reward_internal.coverage_cell_values(f * pg_temp.disc(ST_AsText(s.center::geometry, 17), r, k)) c;
    IF k = 1 THEN
        WITH mask AS (SELECT site, bit_or(1::bigint << cell::integer) AS m FROM inside GROUP BY 1), v AS (SELECT DISTINCT cell, value FROM inside)
        SELECT max((SELECT sum(value) FROM v WHERE (a.m | b.m | c.m) >> v.cell::integer & 1 = 1)) INTO best
        FROM mask a JOIN mask b ON a.site <= b.site JOIN mask c ON b.site <= c.site;
    ELSE
        WITH total AS (SELECT site, sum(value) AS v FROM inside GROUP BY 1),
             both_ AS (SELECT a.site AS a, b.site AS b, sum(a.value) AS v FROM inside a JOIN inside b USING (cell) GROUP BY 1, 2)
        SELECT max(a.v + b.v - coalesce(o.v, 0)) INTO best
        FROM total a JOIN total b ON a.site <= b.site LEFT JOIN both_ o ON o.a = a.site AND o.b = b.site;
    END IF;
    RETURN best;
END $$;
CREATE TEMP TABLE small AS
SELECT k, r, f, pg_temp.best(f, r) AS best, (SELECT sum(gain) FROM coverage_sites(f, r, 4 - k)) AS greedy
FROM (SELECT k, coverage_greatest(f, 0) AS f FROM field WHERE k BETWEEN 1 AND 2 AND id % 3 = 1) f,
     (VALUES (1, 5000000), (2, 5000000)) v(k2, r) WHERE k = k2;
SELECT ok(count(*) > 3 AND bool_and(greedy >= (1 - exp(-1)) * best), 'never less than 1 - 1/e of the best') FROM small;
SELECT ok(bool_and(greedy <= best), 'nor more than the best') FROM small;
SELECT ok(bool_or(greedy < best) AND avg(greedy / best) > 0.9, 'and mostly near it') FROM small;

SELECT * FROM finish();
ROLLBACK;
