-- Maps: what a picture says, what a tile holds, and mistakes.
SET client_min_messages = warning;
SET search_path = swarm_reward, public;

-- the texts of the legend, and the colours of the map
CREATE FUNCTION pg_temp.legend(svg text) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(m[1], ' | ') FROM regexp_matches(svg, '<text [^>]*>([^<]*)</text>', 'g') m $$;
CREATE FUNCTION pg_temp.colors(svg text) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(m[1], ' ') FROM regexp_matches(svg, '<path fill="(#[0-9a-f]{6})"', 'g') m $$;

SELECT substr(svg, 1, 132) AS start, right(svg, 7) AS the_end,
       (regexp_match(svg, '<desc[^>]*>(.*)</desc>'))[1] AS description
FROM (SELECT coverage_svg('3:{[0,4)=1.5,[10,11)=2}')) v(svg);

-- classes: one, few values, equal steps, logarithmic, both signs, nothing
SELECT pg_temp.legend(svg), pg_temp.colors(svg) FROM (SELECT coverage_svg('3:{[0,768)=1.5}')) v(svg);
SELECT pg_temp.legend(svg), pg_temp.colors(svg) FROM (SELECT coverage_svg('3:{[0,4)=1.5,[10,11)=2,[600,601)=1e12}')) v(svg);
WITH f AS (SELECT ('3:{' || string_agg(format('[%s,%s)=%s', i, i + 1, 100 + i / 8), ',' ORDER BY i) || '}')::coverage AS c FROM generate_series(0, 767) i)
SELECT pg_temp.legend(svg), pg_temp.colors(svg) FROM (SELECT coverage_svg(c) FROM f) v(svg);
WITH f AS (SELECT ('3:{' || string_agg(format('[%s,%s)=%s', i, i + 1, (i + 1) ^ 3 / 100), ',' ORDER BY i) || '}')::coverage AS c FROM generate_series(0, 767) i)
SELECT pg_temp.legend(svg), pg_temp.colors(svg) FROM (SELECT coverage_svg(c) FROM f) v(svg);
SELECT pg_temp.legend(coverage_svg('3:{[0,4)=-1.5,[10,11)=2}')) AS signs,
       pg_temp.legend(coverage_svg('3:{[0,4)=-1.5,[10,11)=2}', NULL, 'R&D <map>', 'more', 'less')) AS named;
SELECT pg_temp.legend(coverage_svg('3:{}')) AS nothing;
SELECT pg_temp.legend(coverage_svg('3:{[0,1)=1e-320,[1,2)=1.7e308,[2,3)=-1.7e308}')) AS extreme;
-- means of the largest values do not overflow
WITH f AS (SELECT ('10:{' || string_agg(format('[%s,%s)=%s', 100 * i, 100 * i + 99, '1.7e308'), ',' ORDER BY i) || '}')::coverage AS c FROM generate_series(0, 100) i)
SELECT pg_temp.legend(svg) FROM (SELECT coverage_svg(c) FROM f) v(svg);

-- and those of a constant field are the constant
SELECT pg_temp.legend(coverage_svg(coverage_agg('POINT(0 0)'::geography, 3000000, 1, 10) / 10)) AS a_tenth;

-- regions and points; NULLs and empty ones are skipped
SELECT length(coverage_svg('3:{}', '{}')) = length(coverage_svg('3:{}')) AS no_region,
       coverage_svg('3:{}', ARRAY[NULL, 'POLYGON EMPTY', 'MULTIPOLYGON EMPTY']::geography[]) ~ '-land" d=""/>' AS empty_regions,
       coverage_svg('3:{}', ARRAY['POINT(11 0)', 'MULTIPOINT(11 0,11.001 0,-169.1 0)', 'POINT EMPTY']::geography[]) ~ '-dots" d="M6000 2977h0M11887 2977h0"/>' AS two_dots;

-- texts: what XML does not have becomes U+FFFD, what it has stays, all of it escaped; also in a right-to-left script
SELECT (regexp_match(svg, '<title [^>]*>(.*)</title>'))[1] AS title, pg_temp.legend(svg) AS legend,
       svg !~ '[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]' AS clean
FROM (VALUES (E'a\x01b\x1fc\td&<e>"f'';]]>', E'\uFFFE more \U0001F5FA', E'less\uFFFF\uFFFD'), ('تغطية 2024', 'חלק', '覆盖'), (E'\x0c', ' ', ''), ('', NULL, NULL)) t(title, above, below),
     LATERAL coverage_svg('3:{[0,4)=-1.5,[10,11)=2}', NULL, title, above, below) svg;
-- a long title gets smaller, down to a point
SELECT n, (regexp_match(coverage_svg('3:{}', NULL, repeat('x', n)), '<text x="14" y="30" font-size="(\d+)"'))[1] AS size
FROM unnest('{10,94,95,150,1000}'::int[]) n;
-- numbers
SELECT string_agg(swarm_reward_internal.coverage_svg_number(v), ' | ' ORDER BY i)
FROM unnest('{0,0.00012345,0.5,1.5,12.345,-123.456,9999,9999.9,12345.6,123456789,-1e11,1e12,1.234e15,0.00009,5e-324}'::float8[]) WITH ORDINALITY u(v, i);

SELECT coverage_svg(NULL) IS NULL AS null_field, coverage_svg('3:{}', NULL, NULL) IS NOT NULL AS null_rest;

-- means of opposite infinities there are none
WITH f AS (SELECT ('10:{' || string_agg(format('[%s,%s)=%s', 100 * i, 100 * i + 99, CASE i % 2 WHEN 0 THEN '1.7e308' ELSE '-1.7e308' END), ',' ORDER BY i) || '}')::coverage AS c FROM generate_series(0, 1000) i)
SELECT svg !~* 'nan|inf[^o]' AS numbers FROM (SELECT coverage_svg(c) FROM f) v(svg);

-- the same picture everywhere: bytes of a world and of a part of it
SELECT md5(coverage_svg(coverage_agg(ST_Point(mod(i * 137.508, 360) - 180, mod(i * 61.8, 170) - 85, 4326)::geography, 500000 + i * 1000, i, 6))) AS world
FROM generate_series(1, 60) i;
SELECT md5(coverage_svg(coverage_agg(ST_Point(mod(178 + i * 0.37, 360) - 360 * (i / 6), -17 + i * 0.2, 4326)::geography, 50000, i, 10),
                        ARRAY['POLYGON((177 -18,179 -18,-179 -16,179 -16,177 -18))'::geography])) AS part
FROM generate_series(1, 11) i;

-- mistakes
SELECT coverage_svg('3:{}', ARRAY['LINESTRING(0 0,1 1)'::geography]);
SELECT coverage_svg('3:{}', ARRAY['SRID=4269;POINT(0 0)'::geography]);
SELECT coverage_svg('3:{}', ARRAY['POINT(NaN 0)'::geography]);
-- a region is refused here as it is by sums and fields
SELECT coverage_svg('3:{}', ARRAY['POLYGON((-180 0,-90 0,0 0,90 0,-180 0))'::geography]);
SELECT region_coverage('POLYGON((-180 0,-90 0,0 0,90 0,-180 0))', 3);

-- tiles
SELECT coverage_tile('3:{}', 0, 0, 0) AS nothing, coverage_tile(NULL, 0, 0, 0) IS NULL AS null_field,
       coverage_tile('3:{[0,1)=1}', NULL, 0, 0) IS NULL AS null_zoom;
SELECT cell, grid_order, value, share, ST_AsText(ST_GeomFromWKB(boundary, 3857), 0) AS boundary
FROM swarm_reward_internal.coverage_tile_cells('1:{[20,21)=7}', 0, 0, 0);
SELECT cell, grid_order, value, share, ST_NPoints(ST_GeomFromWKB(boundary, 3857)) AS points
FROM swarm_reward_internal.coverage_tile_cells('6:{[0,1)=7,[1,2)=3,[24576,24580)=-2}', 0, 0, 0);
SELECT encode(coverage_tile('0:{[4,5)=0.5}', 0, 0, 0), 'hex') AS mvt;
SELECT coverage_tile('3:{}', -1, 0, 0);
SELECT coverage_tile('3:{}', 25, 0, 0);
SELECT coverage_tile('3:{}', 0, 0, 1);
SELECT coverage_tile('3:{}', 3, 8, 0);
SELECT coverage_tile('3:{}', 3, 0, -1);
SELECT count(*) FROM swarm_reward_internal.coverage_tile_cells('3:{[0,768)=1}', 24, 16777215, 16777215);
